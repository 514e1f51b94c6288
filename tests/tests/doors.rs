//! One contract, three doors: the same requests, the same answers, whether a caller is the window, practice software or a hospital, and
//! whichever way it comes in.

mod places;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_tests::{Answer, Trust, examples, judge_signed_pdf, project_file, sick_note};
use http::{Method, StatusCode};
use places::{Body, PHYSICIAN, Place, in_json};
use serde_json::{Map, Value, json};
use uuid::Uuid;

const LANGUAGES: [&str; 4] = ["fr", "de", "en", "lb"];

/// Each part of the contract, at each door with a token; in a session and by a key without the parts about tokens. There the program gets
/// the token itself: the caller has none that could be another's or be missing, and one that expires is the program's to renew.
macro_rules! at_every_door {
    ($($part:ident),+; with a token: $($about:ident),+ $(,)?) => {
        at_every_door!(@ window: $($part),+, $($about),+);
        at_every_door!(@ loopback: $($part),+, $($about),+);
        at_every_door!(@ hospital: $($part),+, $($about),+);
        at_every_door!(@ loopback_in_her_session: $($part),+);
        at_every_door!(@ hospital_by_key: $($part),+);
    };
    (@ $door:ident: $($part:ident),+) => {
        mod $door {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $part() {
                super::$part(&super::Place::$door().await).await;
            })+
        }
    };
}

at_every_door!(
    describes_itself,
    problems_are_told_in_four_languages,
    a_document_is_deposited_once,
    a_document_is_cancelled_and_replaced,
    pages_made_elsewhere_are_signed_and_verified,
    fee_notes_made_elsewhere_are_deposited,
    a_payment_is_simulated_and_ordered;
    with a token:
    a_token_says_beside_it_for_whom,
    what_was_signed_and_not_sent_is_not_signed_again,
    strangers_stay_outside,
);

async fn describes_itself(place: &Place) {
    let get = async |path: &str| place.bare(Method::GET, path, &[], None).await;
    let status = get("/status").await;
    assert_eq!(status.status, StatusCode::OK, "{}: {}", place.name, status.json());
    assert_eq!(status.json()["usable"], true);
    assert_eq!(status.json()["environment"], "training");
    assert!(!status.json()["checks"].as_array().unwrap().is_empty());
    assert_eq!(get("/v1/status").await.status, StatusCode::OK);

    let committed: Value = serde_json::from_slice(&std::fs::read(project_file("docs/openapi.json")).unwrap()).unwrap();
    assert!(
        get("/v1/openapi.json").await.json() == committed,
        "{}: not the committed description",
        place.name
    );

    let forms = get("/v1/forms").await.json();
    let kinds: Vec<&str> = forms["forms"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|form| form["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["ecit", "mh", "pid"]);
    for kind in kinds {
        assert_eq!(get(&format!("/v1/forms/{kind}")).await.json()["kind"], kind);
        assert_eq!(get(&format!("/v1/forms/{kind}/schema")).await.json()["type"], "object");
        for (name, values) in examples(kind) {
            let checked = place
                .call(
                    Method::POST,
                    &format!("/v1/forms/{kind}/check"),
                    in_json(&json!({ "values": values })),
                )
                .await;
            assert_eq!(checked.status, StatusCode::OK);
            let errors = list(&checked.json()["findings"])
                .into_iter()
                .filter(|finding| finding["severity"] == "error")
                .count();
            assert_eq!(errors, 0, "{kind} {name}: {}", checked.json());
        }
    }

    let values = in_json(&json!({ "values": sick_note(json!({})) }));
    let pdf = place
        .call(Method::POST, "/v1/forms/ecit/preview?volet=employeur", values.clone())
        .await;
    assert_eq!(pdf.headers["content-type"], "application/pdf");
    assert_eq!(pdf.headers["x-page-count"], "1");
    assert!(pdf.body.starts_with(b"%PDF-"));
    let svg = place
        .call_with(&[("accept", "image/svg+xml")], Method::POST, "/v1/forms/ecit/preview", values)
        .await;
    assert_eq!(svg.headers["content-type"], "image/svg+xml");
    assert!(svg.body.starts_with(b"<svg"));
    for answer in [pdf, svg] {
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

async fn problems_are_told_in_four_languages(place: &Place) {
    let no_json: Body = Some(("application/json".to_owned(), b"{".to_vec()));
    let text: Body = Some(("text/plain".to_owned(), b"{}".to_vec()));
    let wrong = in_json(&json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": { "matricule": "1988123048084" } }));
    let no_v4 = in_json(&json!({ "id": "c232ab00-9414-11ec-b3c8-9f68deced846", "kind": "ecit", "values": {} }));
    let nobody = Uuid::new_v4();
    for (method, path, body, status, code) in [
        (Method::GET, "/v1/forms/none".to_owned(), None, 404, "form-unknown"),
        (Method::GET, "/v1/nowhere".to_owned(), None, 404, "route-unknown"),
        (Method::PUT, "/v1/forms".to_owned(), in_json(&json!({})), 405, "method-not-allowed"),
        (Method::POST, "/v1/documents".to_owned(), no_json, 400, "request-body"),
        (Method::POST, "/v1/documents".to_owned(), text, 415, "request-media-type"),
        (Method::POST, "/v1/documents".to_owned(), no_v4, 400, "id-not-v4"),
        (Method::POST, "/v1/documents".to_owned(), wrong, 422, "values-wrong"),
        (Method::GET, "/v1/documents/17".to_owned(), None, 400, "request-parameter"),
        (Method::GET, format!("/v1/documents/{nobody}"), None, 404, "document-unknown"),
    ] {
        let mut titles = Vec::new();
        for language in LANGUAGES {
            let answer = place.call_in(language, method.clone(), &path, body.clone()).await;
            let problem = is_problem(&answer, status, code);
            titles.push(problem["title"].clone());
        }
        titles.sort_by_key(Value::to_string);
        titles.dedup();
        assert!(titles.len() > 2, "{}: {code}: {titles:?}", place.name);
    }
    let mut said = Vec::new();
    for language in LANGUAGES {
        let body = in_json(&json!({ "values": {} }));
        let checked = place.call_in(language, Method::POST, "/v1/forms/ecit/check", body).await.json();
        let findings = list(&checked["findings"]);
        let about = findings.iter().find(|finding| finding["field"] == "matricule").unwrap();
        assert_eq!(about["severity"], "error");
        said.push(about["message"].as_str().unwrap().to_owned());
    }
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 4, "{said:?}");
}

async fn a_document_is_deposited_once(place: &Place) {
    let id = Uuid::new_v4();
    let note = |values: Map<String, Value>| in_json(&json!({ "id": id, "kind": "ecit", "values": values }));
    let first = place.call(Method::POST, "/v1/documents", note(sick_note(json!({})))).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}: {}", place.name, first.json());
    let document = first.json();
    assert_eq!(document["id"], id.to_string());
    assert_eq!(document["state"], "deposited");
    let volets = list(&document["volets"]);
    let signed: Vec<_> = volets
        .iter()
        .map(|volet| (volet["name"].as_str().unwrap(), volet["signed"] == true))
        .collect();
    assert_eq!(signed, [("caisse", true), ("employeur", false), ("assure", false)]);
    let folder = tempfile::tempdir().unwrap();
    let pdf = folder.path().join("caisse.pdf");
    std::fs::write(&pdf, decoded(&volets[0]["content"])).unwrap();
    judge_signed_pdf(&Trust::of(&place.control.get("/ready").await), &pdf);

    let again = place.call(Method::POST, "/v1/documents", note(sick_note(json!({})))).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["receipt"]["reference"], document["receipt"]["reference"]);
    let other = place
        .call(Method::POST, "/v1/documents", note(sick_note(json!({ "diagnosis": "13" }))))
        .await;
    is_problem(&other, 409, "id-already-used");
    let colleague = json!({ "provider_code": "90000102", "physician_ehealth_id": "1900000002" });
    let foreign = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": sick_note(colleague) });
    let foreign = place.call(Method::POST, "/v1/documents", in_json(&foreign)).await;
    is_problem(&foreign, 403, "physician-mismatch");
    assert_eq!(place.control.exchanges().await.len(), 1);

    let path = format!("/v1/documents/{id}");
    assert_eq!(place.call(Method::GET, &path, None).await.json()["state"], "deposited");
    let volet = place.call(Method::GET, &format!("{path}/volets/caisse"), None).await;
    assert_eq!(volet.body, decoded(&volets[0]["content"]));
    let journal = place.call(Method::GET, "/v1/journal", None).await.json();
    let line = list(&journal["entries"])
        .into_iter()
        .find(|entry| entry["id"] == id.to_string())
        .unwrap();
    assert_eq!(line["reference"], document["receipt"]["reference"]);
    assert_eq!((&line["state"], &line["has_pages"]), (&json!("deposited"), &json!(true)));
    assert_eq!(place.call(Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    let gone = place.call(Method::GET, &format!("{path}/volets/caisse"), None).await;
    is_problem(&gone, 404, "document-unknown");
}

async fn a_document_is_cancelled_and_replaced(place: &Place) {
    let note = |id: Uuid, replaces: Option<Uuid>| {
        in_json(&json!({ "id": id, "kind": "ecit", "values": sick_note(json!({})), "replaces": replaces, "reason": "Corrected" }))
    };
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(
        place.call(Method::POST, "/v1/documents", note(first, None)).await.status,
        StatusCode::CREATED
    );
    let replaced = place.call(Method::POST, "/v1/documents", note(second, Some(first))).await;
    assert_eq!(replaced.status, StatusCode::CREATED, "{}: {}", place.name, replaced.json());
    let path = format!("/v1/documents/{second}/cancellation");
    let cancelled = place.call(Method::POST, &path, in_json(&json!({ "reason": "Typed twice" }))).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}: {}", place.name, cancelled.json());
    let journal = place.call(Method::GET, "/v1/journal", None).await.json();
    let states: Vec<_> = list(&journal["entries"])
        .iter()
        .map(|entry| (entry["id"].clone(), entry["state"].clone()))
        .collect();
    let expected = [second, first].map(|id| (json!(id), json!("cancelled")));
    assert_eq!(states, expected);
}

async fn pages_made_elsewhere_are_signed_and_verified(place: &Place) {
    let page = std::fs::read(project_file("samples/data/page.pdf")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
    let in_one = json!({ "id": id, "content": STANDARD.encode(&page) });
    let parts = multipart(&[
        ("id", "text/plain", other.to_string().as_bytes()),
        ("pdf", "application/pdf", &page),
    ]);
    for (id, body) in [(id, in_json(&in_one)), (other, parts)] {
        let signed = place.call(Method::POST, "/v1/signatures", body.clone()).await;
        assert_eq!(signed.status, StatusCode::CREATED, "{}: {}", place.name, signed.json());
        let document = signed.json();
        assert_eq!((&document["id"], &document["state"]), (&json!(id), &json!("signed")));
        let content = decoded(&document["volets"][0]["content"]);
        assert!(content.starts_with(&page), "no byte of the page changed");
        let file = folder.path().join(format!("{id}.pdf"));
        std::fs::write(&file, &content).unwrap();
        judge_signed_pdf(&Trust::of(&place.control.get("/ready").await), &file);
        let again = place.call(Method::POST, "/v1/signatures", body).await;
        assert_eq!(again.status, StatusCode::OK, "{}: {}", place.name, again.json());

        let verified = place
            .call(
                Method::POST,
                "/v1/verifications",
                Some(("application/pdf".to_owned(), content.clone())),
            )
            .await;
        let verdict = verified.json();
        assert_eq!(verified.status, StatusCode::OK, "{verdict}");
        for what in ["valid", "intact", "complete", "trusted"] {
            assert_eq!(verdict[what], true, "{}: {verdict}", place.name);
        }
        assert_eq!(verdict["signer"]["ehealth_id"], PHYSICIAN, "{verdict}");
        let mut changed = content;
        let at = changed.windows(9).position(|window| window == b"elsewhere").unwrap();
        changed[at] = b'E';
        let verified = place
            .call(
                Method::POST,
                "/v1/verifications",
                in_json(&json!({ "content": STANDARD.encode(changed) })),
            )
            .await;
        let verdict = verified.json();
        assert_eq!((&verdict["valid"], &verdict["intact"]), (&json!(false), &json!(false)), "{verdict}");
        assert!(!list(&verdict["doubts"]).is_empty());
    }
    for nothing in [page, b"no page at all".to_vec()] {
        let verified = place
            .call(Method::POST, "/v1/verifications", Some(("application/pdf".to_owned(), nothing)))
            .await;
        assert_eq!(verified.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", verified.json());
    }
    assert!(place.control.exchanges().await.is_empty(), "nothing was deposited");
}

async fn fee_notes_made_elsewhere_are_deposited(place: &Place) {
    let page = std::fs::read(project_file("samples/data/page.pdf")).unwrap();
    let note = std::fs::read_to_string(project_file("samples/data/fee-note.xml")).unwrap();
    let written = "3c1f0e2a-6f5d-4c1b-9a7e-2b8d4e6f0a11";
    let id = Uuid::new_v4().to_string();
    let xml = note.replace(written, &id);
    let send = async |id: &str, xml: &str, more: &[(&str, &str, &[u8])]| {
        let mut parts = vec![
            ("id", "text/plain", id.as_bytes()),
            ("kind", "text/plain", b"mh".as_slice()),
            ("xml", "application/xml", xml.as_bytes()),
            ("pdf", "application/pdf", page.as_slice()),
        ];
        parts.extend(more);
        place.call(Method::POST, "/v1/documents", multipart(&parts)).await
    };
    let deposited = send(&id, &xml, &[]).await;
    assert_eq!(deposited.status, StatusCode::CREATED, "{}: {}", place.name, deposited.json());
    assert_eq!(deposited.json()["state"], "deposited");
    let again = send(&id, &xml, &[]).await;
    assert_eq!(
        (again.status, &again.json()["receipt"]["reference"]),
        (StatusCode::OK, &deposited.json()["receipt"]["reference"])
    );
    let exchange = place.control.exchange("2022_CNS_MEMHON_DEPOT-V1").await;
    let sent = decoded(&exchange["document_pdf"]);
    assert!(sent.starts_with(&page) && sent.len() > page.len(), "the page, signed");

    let new = Uuid::new_v4().to_string();
    let mine = note.replace(written, &new);
    let hostile = mine.replacen('<', "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><", 1);
    for (xml, status, code) in [
        (note.as_str(), 422, "id-mismatch"),
        (&mine.replace("90000101", "90000102"), 403, "physician-mismatch"),
        (&mine.replace("<devise>EUR</devise>", ""), 422, "foreign-xml-invalid"),
        (&hostile, 422, "foreign-xml-invalid"),
        ("no XML", 422, "foreign-xml-invalid"),
    ] {
        let refused = send(&new, xml, &[]).await;
        is_problem(&refused, status, code);
        assert!(!String::from_utf8_lossy(&refused.body).contains("1988123048083"));
    }
    for more in [("page", "text/plain", b"1".as_slice()), ("kind", "text/plain", b"mh")] {
        let refused = send(&new, &mine, &[more]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.json());
    }
    assert_eq!(place.control.exchanges().await.len(), 1);
}

async fn a_payment_is_simulated_and_ordered(place: &Place) {
    let id = Uuid::new_v4();
    let values = examples("pid").remove("consultation").unwrap();
    let simulated = place
        .call(Method::POST, "/v1/pid/simulations", in_json(&json!({ "id": id, "values": values })))
        .await;
    assert_eq!(simulated.status, StatusCode::CREATED, "{}: {}", place.name, simulated.json());
    assert_eq!(
        (&simulated.json()["state"], &simulated.json()["payable"]),
        (&json!("simulated"), &json!(true))
    );
    let path = format!("/v1/pid/simulations/{id}/validation");
    let paid = place.call(Method::POST, &path, in_json(&json!({}))).await;
    assert_eq!(paid.status, StatusCode::CREATED, "{}: {}", place.name, paid.json());
    let again = place.call(Method::POST, &path, in_json(&json!({}))).await;
    assert_eq!(
        (again.status, &again.json()["receipt"]["reference"]),
        (StatusCode::OK, &paid.json()["receipt"]["reference"])
    );

    let refused = Uuid::new_v4();
    let values = examples("pid").remove("not-eligible").unwrap();
    let simulated = place
        .call(
            Method::POST,
            "/v1/pid/simulations",
            in_json(&json!({ "id": refused, "values": values })),
        )
        .await;
    let simulation = simulated.json();
    assert_eq!(
        (&simulation["payable"], &simulation["turns_into"]),
        (&json!(false), &json!("mh")),
        "{simulation}"
    );
    let form = place.call(Method::GET, "/v1/forms/pid", None).await.json();
    let code = &form["contestation"][0]["value"];
    let anomalies: Vec<Value> = list(&simulation["anomalies"])
        .iter()
        .filter_map(|anomaly| Some(json!({ "id": anomaly["id"].as_str()?, "code": code })))
        .collect();
    let path = format!("/v1/pid/simulations/{refused}/contestation");
    let contested = place.call(Method::POST, &path, in_json(&json!({ "anomalies": anomalies }))).await;
    assert_eq!(contested.status, StatusCode::OK, "{}: {}", place.name, contested.json());
    assert_eq!(contested.json()["state"], "contested");
}

async fn a_token_says_beside_it_for_whom(place: &Place) {
    let token = format!("Bearer {}", place.token);
    for (physician, status, code) in [
        (PHYSICIAN, 200, None),
        ("1900000002", 403, Some("physician-not-represented")),
        ("weber", 400, Some("physician-header")),
    ] {
        let headers = [("authorization", token.as_str()), ("x-econnector-physician", physician)];
        let journal = place.bare(Method::GET, "/v1/journal", &headers, None).await;
        assert_eq!(journal.status, status, "{}: {physician}: {}", place.name, journal.json());
        if let Some(code) = code {
            is_problem(&journal, status, code);
        }
    }
}

async fn what_was_signed_and_not_sent_is_not_signed_again(place: &Place) {
    // A door may have asked whether the KMS is there.
    let before = place.control.recorded("/kms/calls").await.len();
    let id = Uuid::new_v4();
    let send = async || {
        let note = json!({ "id": id, "kind": "ecit", "values": sick_note(json!({})) });
        place.call(Method::POST, "/v1/documents", in_json(&note)).await
    };
    place
        .control
        .fault(json!({ "service": "mysecu", "kind": "expired", "path": "trust", "count": 1 }))
        .await;
    is_problem(&send().await, 401, "token-expired-midway");
    let signed = place.control.recorded("/kms/calls").await.len();
    assert_eq!(signed, before + 3, "certificate, signature, timestamp");
    let deposited = send().await;
    assert_eq!(deposited.status, StatusCode::CREATED, "{}: {}", place.name, deposited.json());
    assert_eq!(place.control.recorded("/kms/calls").await.len(), signed, "not once more");
    assert_eq!(deposited.json()["state"], "deposited");
}

/// Without a token nothing of a physician's is told or done; what is open tells nothing of anybody.
async fn strangers_stay_outside(place: &Place) {
    let note = in_json(&json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": sick_note(json!({})) }));
    let nobody = match place.name {
        "hospital" => "token-missing",
        _ => "login-required",
    };
    is_problem(
        &place
            .bare(Method::POST, "/v1/documents", &[("accept-language", "en")], note.clone())
            .await,
        401,
        nobody,
    );
    let broken = place
        .bare(
            Method::POST,
            "/v1/documents",
            &[("authorization", "Bearer e30.e30.e30")],
            note.clone(),
        )
        .await;
    is_problem(&broken, 401, "token-invalid");
    let window_only = place.call(Method::GET, "/v1/link", None).await;
    is_problem(
        &window_only,
        404,
        if place.name == "window" {
            "no-session-here"
        } else {
            "route-unknown"
        },
    );
    let session = place.call(Method::GET, "/v1/session", None).await;
    if place.name == "hospital" {
        is_problem(&session, 404, "no-session-here");
    } else {
        assert_eq!(session.json()["state"], "logged_out");
    }
    if place.name == "loopback" {
        let status = place.naked(Method::GET, "/status", &[], None).await.json();
        assert_eq!(
            (&status["link"]["key"], list(&status["checks"]).len()),
            (&json!("absent"), 0),
            "{status}"
        );
        is_problem(
            &place.naked(Method::POST, "/v1/documents", &[], note.clone()).await,
            401,
            "link-key-missing",
        );
        is_problem(
            &place
                .naked(Method::POST, "/v1/documents", &[("x-econnector-key", "x")], note.clone())
                .await,
            401,
            "link-key-wrong",
        );
        let key = [(place.headers[0].0.as_str(), place.headers[0].1.as_str())];
        is_problem(
            &place.naked(Method::POST, "/v1/documents", &key, note).await,
            400,
            "link-software-unnamed",
        );
    }
    assert!(place.control.exchanges().await.is_empty());
}

/// A secretary chooses, and works in the name of whom she chose; what is the physician's own stays hers.
#[tokio::test(flavor = "multi_thread")]
async fn a_secretary_chooses_and_both_stand_in_the_journal() {
    let place = Place::window().await;
    place.log_in("sec.klein").await;
    let send = async |method: Method, path: &str, body: Value| place.bare(method, path, &[("accept-language", "en")], in_json(&body)).await;
    let session = place.bare(Method::GET, "/v1/session", &[], None).await.json();
    assert!(session.get("physician").is_none() && session["mandate"] == false, "{session}");
    let choices: Vec<_> = list(&session["acts_for"]).iter().map(|one| one["ehealth_id"].clone()).collect();
    assert_eq!(choices, [json!(PHYSICIAN), json!("1900000002")]);

    let muller = json!({ "provider_code": "90000102", "physician_ehealth_id": "1900000002", "physician_name": "Dr Luc Muller" });
    let note = |id: Uuid| json!({ "id": id, "kind": "ecit", "values": sick_note(muller.clone()) });
    let id = Uuid::new_v4();
    is_problem(&send(Method::POST, "/v1/documents", note(id)).await, 409, "physician-not-chosen");
    let refused = send(Method::PUT, "/v1/session/physician", json!({ "ehealth_id": "1900000003" })).await;
    is_problem(&refused, 403, "physician-not-represented");
    let chosen = send(Method::PUT, "/v1/session/physician", json!({ "ehealth_id": "1900000002" })).await;
    assert_eq!(
        (&chosen.json()["mandate"], chosen.status),
        (&json!(true), StatusCode::OK),
        "{}",
        chosen.json()
    );

    let deposited = send(Method::POST, "/v1/documents", note(id)).await;
    assert_eq!(deposited.status, StatusCode::CREATED, "{}", deposited.json());
    let folder = tempfile::tempdir().unwrap();
    let pdf = folder.path().join("caisse.pdf");
    std::fs::write(&pdf, decoded(&deposited.json()["volets"][0]["content"])).unwrap();
    judge_signed_pdf(&Trust::of(&place.control.get("/ready").await), &pdf);
    let journal = place.bare(Method::GET, "/v1/journal", &[], None).await.json();
    let line = &journal["entries"][0];
    assert!(
        line["actor"].as_str().unwrap().contains("Klein") && line["physician"].as_str().unwrap().contains("Muller"),
        "{line}"
    );

    let webers = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": sick_note(json!({})) });
    is_problem(&send(Method::POST, "/v1/documents", webers).await, 403, "physician-mismatch");
    let page = STANDARD.encode(std::fs::read(project_file("samples/data/page.pdf")).unwrap());
    let page = send(Method::POST, "/v1/signatures", json!({ "id": Uuid::new_v4(), "content": page })).await;
    assert!(
        is_problem(&page, 403, "physician-only")["detail"]
            .as_str()
            .unwrap()
            .contains("Muller")
    );
    assert_eq!(place.control.exchanges().await.len(), 1);
}

/// A token that an authority refuses is renewed once, and the call repeated once.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_token_that_was_refused() {
    let place = Place::window().await;
    place.log_in("dr.weber").await;
    let send = async || {
        let note = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": sick_note(json!({})) });
        place.bare(Method::POST, "/v1/documents", &[], in_json(&note)).await
    };
    let faults = [
        json!({ "service": "kms", "kind": "status", "status": 401, "path": "sign-data", "count": 1 }),
        json!({ "service": "mysecu", "kind": "expired", "path": "trust", "count": 1 }),
    ];
    for fault in faults {
        place.control.fault(fault).await;
    }
    let deposited = send().await;
    assert_eq!(deposited.status, StatusCode::CREATED, "{}", deposited.json());
    place
        .control
        .fault(json!({ "service": "kms", "kind": "status", "status": 401, "path": "sign-data" }))
        .await;
    is_problem(&send().await, 401, "kms-refused-token");
    assert_eq!(place.control.exchanges().await.len(), 1);
}

/// The problem that an answer is; everything that was promised is in it.
fn is_problem(answer: &Answer, status: u16, code: &str) -> Value {
    let problem = answer.json();
    assert_eq!(
        (answer.status.as_u16(), problem["code"].as_str()),
        (status, Some(code)),
        "{problem}"
    );
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(problem["status"], status);
    for text in ["type", "title", "detail", "next"] {
        assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {problem}");
    }
    assert!(
        ["you", "network", "authority", "us"].contains(&problem["fault"].as_str().unwrap()),
        "{problem}"
    );
    problem
}

fn multipart(parts: &[(&str, &str, &[u8])]) -> Body {
    let mut body = Vec::new();
    for (name, media, content) in parts {
        let head = format!("--parts\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {media}\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--parts--\r\n");
    Some(("multipart/form-data; boundary=parts".to_owned(), body))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn decoded(content: &Value) -> Vec<u8> {
    STANDARD.decode(content.as_str().unwrap_or_else(|| panic!("no content"))).unwrap()
}
