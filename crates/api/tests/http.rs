//! The routes as a caller sees them: which door answers what, and what is said of a request that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stand;

use axum::Router;
use axum::http::{Method, Request, StatusCode};
use econnector_api::Door;
use econnector_forms::CheckContext;
use serde_json::{Value, json};
use stand::{ID, Stand, call, send};

async fn router(door: Door) -> Router {
    Stand::new().await.router(door)
}

#[tokio::test]
async fn profile_and_printers_are_those_of_a_desk() {
    let hospital = router(Door::Hospital).await;
    let print = json!({ "volets": ["caisse"] });
    for (method, path, body) in [
        (Method::GET, "/v1/profile".to_owned(), None),
        (Method::PUT, "/v1/profile".to_owned(), Some(json!({}))),
        (Method::GET, "/v1/printers".to_owned(), None),
        (Method::POST, format!("/v1/documents/{ID}/print"), Some(print.clone())),
    ] {
        let (status, problem) = call(&hospital, method, &path, body).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::NOT_FOUND, Some("no-session-here")),
            "{path}"
        );
    }
    let desk = router(Door::Desktop(None)).await;
    assert_eq!(
        call(&desk, Method::GET, "/v1/printers", None).await,
        (StatusCode::OK, json!({ "printers": [] }))
    );
    let (status, problem) = call(&desk, Method::POST, &format!("/v1/documents/{ID}/print"), Some(print)).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("document-unknown"))
    );
}

#[tokio::test]
async fn a_hospital_brings_a_token_for_whatever_concerns_a_patient() {
    let hospital = router(Door::Hospital).await;
    for (path, body) in [
        (format!("/v1/documents/{ID}/cancellation"), json!({ "reason": "Erreur" })),
        ("/v1/paper".to_owned(), json!({ "id": ID, "kind": "ecit", "values": {} })),
        ("/v1/pid/simulations".to_owned(), json!({ "id": ID, "values": {} })),
        (format!("/v1/pid/simulations/{ID}/validation"), json!({})),
        (format!("/v1/pid/simulations/{ID}/contestation"), json!({ "anomalies": [] })),
    ] {
        let (status, problem) = call(&hospital, Method::POST, &path, Some(body)).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::UNAUTHORIZED, Some("token-missing")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_session_says_for_whom_and_how_this_desk_works() {
    let stand = Stand::new().await;
    let window = stand.router(Door::Desktop(None));
    let (status, session) = call(&window, Method::GET, "/v1/session", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(session["lock"], json!({ "after_minutes": 10, "unlock": "key" }));
    assert_eq!(
        [
            &session["logins"],
            &session["clock_skew_seconds"],
            &session["mandate"],
            &session["since"]
        ],
        [&json!("both"), &json!(42), &json!(false), &json!("1970-01-01T00:00:00Z")]
    );
    let choose = async |id: &str| call(&window, Method::PUT, "/v1/session/physician", Some(json!({ "ehealth_id": id }))).await;
    let (status, session) = choose("1900000002").await;
    assert_eq!(
        (status, &session["physician"]["ehealth_id"]),
        (StatusCode::OK, &json!("1900000002"))
    );
    let (status, problem) = choose("1900000009").await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::FORBIDDEN, &json!("physician-not-represented"))
    );
    for wrong in ["", "190000000", "190000000a"] {
        assert_eq!(choose(wrong).await.1["code"], "request-body", "{wrong}");
    }
    let (status, problem) = call(
        &stand.router(Door::Hospital),
        Method::PUT,
        "/v1/session/physician",
        Some(json!({ "ehealth_id": "1900000002" })),
    )
    .await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("no-session-here")));
}

#[tokio::test]
async fn a_login_may_say_that_it_is_somebody_else() {
    let stand = Stand::new().await;
    let window = stand.router(Door::Desktop(None));
    for body in [None, Some(json!({})), Some(json!({ "other_account": true }))] {
        let (status, session) = call(&window, Method::POST, "/v1/session/login", body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{session}");
    }
    assert_eq!(*stand.logins.lock().unwrap(), [false, false, true]);
    let (status, problem) = call(&window, Method::POST, "/v1/session/login", Some(json!({ "other_account": "yes" }))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("request-body")));
    let request = Request::post("/econnector/v1/session/login").header("content-type", "text/plain");
    let answer = send(&window, request.body(b"other".to_vec()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_token_says_beside_it_for_whom() {
    let stand = Stand::new().await;
    let (link, _folder) = stand::link(econnector_loopback::Rules::default());
    for door in [Door::Desktop(None), Door::Loopback(link), Door::Hospital] {
        let router = stand.router(door);
        for (named, status, code) in [
            (vec!["1900000001"], StatusCode::OK, None),
            (vec![], StatusCode::OK, None),
            (vec!["1900000002"], StatusCode::FORBIDDEN, Some("physician-not-represented")),
            (vec!["weber"], StatusCode::BAD_REQUEST, Some("physician-header")),
            (vec!["1900000001", "1900000002"], StatusCode::BAD_REQUEST, Some("physician-header")),
        ] {
            let mut request = Request::get("/econnector/v1/journal").header("authorization", "Bearer good");
            for id in &named {
                request = request.header("x-econnector-physician", *id);
            }
            let answer = send(&router, request.body(Vec::new()).unwrap()).await;
            assert_eq!(
                (answer.status(), stand::json_of(&answer)["code"].as_str()),
                (status, code),
                "{named:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_profile_comes_back_and_what_is_wrong_with_it_names_its_fields() {
    let desk = router(Door::Desktop(None)).await;
    let (status, mut profile) = call(&desk, Method::GET, "/v1/profile", None).await;
    assert_eq!((status, profile["last_name"].as_str()), (StatusCode::OK, Some("Weber")));
    profile["country"] = json!("Luxembourg");
    let (status, problem) = call(&desk, Method::PUT, "/v1/profile", Some(profile.clone())).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("profile-wrong"))
    );
    assert_eq!(problem["findings"][0]["field"], "country");
    profile["country"] = json!("LU");
    assert_eq!(
        call(&desk, Method::PUT, "/v1/profile", Some(profile.clone())).await,
        (StatusCode::OK, profile.clone())
    );
    profile["matricule"] = json!("1988123048083");
    let (status, problem) = call(&desk, Method::PUT, "/v1/profile", Some(profile)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("request-body")));
    assert!(!problem.to_string().contains("1988123048083"));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_without_quoting_it() {
    let desk = router(Door::Desktop(None)).await;
    for (path, body, complaint) in [
        ("/v1/documents", json!({ "id": ID, "values": {} }), "the field kind is missing"),
        (
            "/v1/documents",
            json!({ "id": "Muller", "kind": "ecit", "values": {} }),
            "an id that is no UUID",
        ),
        (
            "/v1/documents",
            json!({ "id": ID, "kind": "ecit", "values": {}, "replace": ID, "Muller": 1 }),
            "a field that this route does not know",
        ),
        (
            "/v1/pid/simulations",
            json!({ "id": ID, "values": "Muller" }),
            "a value of another type or form",
        ),
    ] {
        let (status, problem) = call(&desk, Method::POST, path, Some(body)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("request-body")));
        let technical = problem["technical"].as_str().unwrap();
        assert!(
            technical.contains("line 1, column ") && technical.ends_with(complaint),
            "{technical}"
        );
        assert!(!problem.to_string().contains("Muller"));
    }
}

#[tokio::test]
async fn requests_that_cannot_be_used_are_refused_before_anybody_is_asked() {
    let desk = router(Door::Desktop(None)).await;
    for (path, body, code) in [
        (format!("/v1/documents/{ID}/cancellation"), json!({}), "request-body"),
        (format!("/v1/documents/{ID}/cancellation"), json!({ "reason": 5 }), "request-body"),
        (
            "/v1/documents/none/cancellation".to_owned(),
            json!({ "reason": "Erreur" }),
            "request-parameter",
        ),
        (
            format!("/v1/documents/{ID}/cancellation"),
            json!({ "reason": "Erreur" }),
            "document-unknown",
        ),
        (
            "/v1/paper".to_owned(),
            json!({ "id": ID, "kind": "none", "values": {} }),
            "form-unknown",
        ),
        (
            "/v1/paper".to_owned(),
            json!({ "id": ID, "kind": "ecit", "values": {} }),
            "values-wrong",
        ),
        ("/v1/pid/simulations".to_owned(), json!({ "id": ID, "values": [] }), "request-body"),
        (
            "/v1/pid/simulations".to_owned(),
            json!({ "id": ID, "kind": "mh", "values": {} }),
            "form-other-workflow",
        ),
        ("/v1/pid/simulations".to_owned(), json!({ "id": ID, "values": {} }), "values-wrong"),
        (format!("/v1/pid/simulations/{ID}/validation"), json!("pay"), "request-body"),
        (format!("/v1/pid/simulations/{ID}/contestation"), json!({}), "request-body"),
    ] {
        let (status, problem) = call(&desk, Method::POST, &path, Some(body)).await;
        assert_eq!(problem["code"], code, "{path}: {problem}");
        assert_eq!(problem["status"], status.as_u16());
        assert!(problem["next"].as_str().is_some_and(|next| !next.is_empty()), "{problem}");
    }
}

#[tokio::test]
async fn a_check_says_what_is_filled_in_and_what_it_comes_to() {
    let desk = router(Door::Desktop(None)).await;
    let values = json!({ "values": { "statement_date": "2026-10-26", "lines": [{ "code": "C1", "date": "2026-10-26", "quantity": 2 }] } });
    let (status, checkup) = call(&desk, Method::POST, "/v1/forms/mh/check", Some(values)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(checkup["filled"]["lines.0.amount"], 10480, "{checkup}");
    let subtotal = checkup["totals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|total| total["name"] == "subtotal")
        .unwrap();
    assert_eq!(subtotal["cents"], 10480);
    assert!(subtotal["label"].as_str().is_some_and(|label| !label.is_empty()));
}

#[tokio::test]
async fn a_form_that_was_left_out_is_named_and_stops_nothing() {
    let desk = router(Door::Desktop(None)).await;
    let (_, status) = call(&desk, Method::GET, "/v1/status", None).await;
    let forms = status["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["name"] == "forms")
        .unwrap();
    assert_eq!(forms["ok"], false);
    assert_eq!(forms["detail"], "Left out: torn (texts/lb.json: missing)");
    let (usable, all) = call(&desk, Method::GET, "/v1/forms", None).await;
    assert_eq!(usable, StatusCode::OK);
    assert!(all["forms"].as_array().is_some_and(|forms| forms.len() >= 3));
}

#[tokio::test]
async fn a_new_document_has_a_random_id_of_its_own() {
    let desk = router(Door::Desktop(None)).await;
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "6f1d6a4e-9d1f-1a2e-8f57-1c2f3a4b5c6d",
        "6f1d6a4e-9d1f-7a2e-8f57-1c2f3a4b5c6d",
        "6f1d6a4e-9d1f-4a2e-cf57-1c2f3a4b5c6d",
        "19881230-4808-3000-0000-000000000000",
    ] {
        for (path, body) in [
            ("/v1/documents".to_owned(), json!({ "id": id, "kind": "ecit", "values": {} })),
            ("/v1/paper".to_owned(), json!({ "id": id, "kind": "ecit", "values": {} })),
            ("/v1/pid/simulations".to_owned(), json!({ "id": id, "values": {} })),
            (
                format!("/v1/documents/{ID}/cancellation"),
                json!({ "reason": "Erreur", "replaced_by": id }),
            ),
        ] {
            let (status, problem) = call(&desk, Method::POST, &path, Some(body)).await;
            assert_eq!(
                (status, problem["code"].as_str()),
                (StatusCode::BAD_REQUEST, Some("id-not-v4")),
                "{path} {id}"
            );
            assert!(!problem.to_string().contains(id), "{problem}");
        }
    }
}

/// Follows one reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"]
        .as_str()
        .map_or(value, |place| document.pointer(place.trim_start_matches('#')).unwrap())
}

/// What a caller cannot rule out, by what a route takes: each status has its description and, for a problem, its schema.
#[test]
fn the_description_lists_the_statuses_that_can_occur() {
    let document = serde_json::to_value(econnector_api::openapi()).unwrap();
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut wanted = vec!["403", "408", "421", "429", "500", "503", "504"];
            if operation.get("requestBody").is_some() {
                wanted.extend(["400", "413", "415"]);
            }
            if path.contains('{') {
                wanted.extend(["400", "404"]);
            }
            if path != "/econnector/status" {
                wanted.extend(["400", "401", "502"]);
            }
            let named = [
                "/documents",
                "/journal",
                "/profile",
                "/preview",
                "/verifications",
                "/signatures",
                "/simulations",
                "/printers",
            ];
            if named.iter().any(|part| path.contains(part)) {
                wanted.push("409");
            }
            if ["/printers", "/profile", "/session"].iter().any(|end| path.ends_with(end)) || path.contains("/link") {
                wanted.push("404");
            }
            for status in wanted {
                let answer = resolved(&document, &operation["responses"][status]);
                let described = answer["description"].as_str().is_some_and(|words| !words.is_empty());
                assert!(described, "{method} {path}: {status}");
                let schema = &answer["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path}: {status}");
                assert!(answer["headers"].get("X-Request-Id").is_some(), "{method} {path}: {status}");
                if matches!(status, "429" | "503") {
                    assert!(answer["headers"].get("Retry-After").is_some(), "{method} {path}: {status}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn follow(document: &Value, value: &Value, seen: &mut usize) {
        match value {
            Value::Object(fields) => {
                if let Some(place) = fields.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(place.trim_start_matches('#')).is_some(), "{place}");
                    *seen += 1;
                }
                fields.values().for_each(|value| follow(document, value, seen));
            }
            Value::Array(values) => values.iter().for_each(|value| follow(document, value, seen)),
            _ => {}
        }
    }
    let document = serde_json::to_value(econnector_api::openapi()).unwrap();
    let mut seen = 0;
    follow(&document, &document, &mut seen);
    assert!(seen > 300, "{seen}");
    let known: Vec<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tag| tag["name"].as_str())
        .collect();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut names = std::collections::BTreeSet::new();
    for operation in document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
    {
        assert!(known.contains(&operation["tags"][0].as_str().unwrap()), "{operation}");
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
        for ways in operation["security"].as_array().unwrap() {
            assert!(ways.as_object().unwrap().keys().all(|name| schemes.contains_key(name)), "{ways}");
        }
    }
}

/// What the description says a caller may send can be sent, and what it says comes back has an example.
#[test]
fn bodies_have_examples_and_those_of_forms_pass_their_check() {
    let document = serde_json::to_value(econnector_api::openapi()).unwrap();
    let packs = econnector_forms::embedded().unwrap();
    let (mut of_forms, mut checked) = (0, std::collections::BTreeSet::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (media, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                let examples = body["examples"].as_object();
                let some = examples.is_some_and(|examples| !examples.is_empty()) || body.get("example").is_some();
                assert!(some || media == "application/pdf", "{method} {path} {media}");
                for (name, example) in examples.into_iter().flatten() {
                    let value = &resolved(&document, example)["value"];
                    let pack = packs.iter().find(|pack| name.contains(&format!("-{}-", pack.kind()))).unwrap();
                    let shown = value["values"].as_object().unwrap();
                    let written = pack.examples().find(|example| pack.example(example) == Some(shown)).unwrap();
                    let context = CheckContext {
                        today: pack.example_day(written).unwrap(),
                        environment: econnector_forms::Environment::Production,
                    };
                    assert!(pack.check(shown, &context).checked.is_some(), "{name}");
                    checked.insert((pack.kind().to_owned(), written.to_owned()));
                    of_forms += 1;
                }
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                for (media, content) in resolved(&document, answer)["content"].as_object().into_iter().flatten() {
                    let free = media != "application/json" && media != "application/problem+json";
                    assert!(free || content.get("example").is_some(), "{method} {path} {status} {media}");
                }
            }
        }
    }
    let all: usize = packs.iter().map(|pack| pack.examples().count()).sum();
    assert!(checked.len() == all && of_forms > all, "{checked:?}");
}

#[tokio::test]
async fn the_description_and_its_page_come_from_the_program() {
    let router = router(Door::Hospital).await;
    let get = |path: &str| Request::get(path).body(Vec::new()).unwrap();
    let described = send(&router, get("/econnector/v1/openapi.json")).await;
    assert_eq!(described.headers()["content-type"], "application/json");
    let served: Value = serde_json::from_slice(described.body()).unwrap();
    assert_eq!(served, serde_json::to_value(econnector_api::openapi()).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
    let page = send(&router, get("/swagger-ui/index.html")).await;
    assert_eq!(page.status(), StatusCode::OK);
    let start = send(&router, get("/swagger-ui/swagger-initializer.js")).await;
    let start = String::from_utf8(start.into_body()).unwrap();
    assert!(start.contains("/econnector/v1/openapi.json"), "{start}");
}

#[tokio::test]
async fn a_method_that_a_route_has_not_is_told_which_it_has() {
    let router = router(Door::Desktop(None)).await;
    for (method, path, allowed) in [
        (Method::DELETE, "/econnector/status", "GET,HEAD"),
        (Method::PATCH, "/econnector/v1/documents", "POST"),
        (Method::TRACE, "/econnector/v1/session", "GET,HEAD,DELETE"),
        (Method::from_bytes(b"BREW").unwrap(), "/econnector/v1/profile", "GET,HEAD,PUT"),
    ] {
        let request = Request::builder().method(method.clone()).uri(path).body(Vec::new()).unwrap();
        let answer = send(&router, request).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        let said = answer.headers()["allow"].to_str().unwrap();
        let sorted = |list: &str| {
            list.split(',')
                .map(|one| one.trim().to_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(sorted(said), sorted(allowed), "{path}");
        assert_eq!(stand::json_of(&answer)["code"], "method-not-allowed");
    }
}

#[tokio::test]
async fn paths_that_hide_something_lead_nowhere() {
    let router = router(Door::Desktop(None)).await;
    let document = "6f1d6a4e9d1f4a2e8f571c2f3a4b5c6d";
    for (path, status) in [
        ("/econnector/v1/forms/%00", 404),
        ("/econnector/v1/forms/%FF", 400),
        ("/econnector/v1/forms/ecit%2Fschema", 404),
        ("/econnector/v1/forms/", 404),
        ("/econnector/v1/documents/%7B6f1d6a4e-9d1f-4a2e-8f57-1c2f3a4b5c6d%7D", 400),
        ("/econnector/v1/documents/urn:uuid:6f1d6a4e-9d1f-4a2e-8f57-1c2f3a4b5c6d", 400),
        (&format!("/econnector/v1/documents/{document}"), 400),
        ("/econnector/v1/documents/..%2F..%2Fetc", 400),
    ] {
        let answer = send(&router, Request::get(path).body(Vec::new()).unwrap()).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
}
