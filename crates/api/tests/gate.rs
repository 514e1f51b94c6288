//! What practice software wants done with the desktop's session waits for the physician's word, and only that.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod stand;

use std::time::Duration;

use axum::Router;
use axum::http::{Method, Request, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_api::Door;
use econnector_journal::State;
use econnector_loopback::{Link, Rules, Software};
use serde_json::{Value, json};
use stand::{ID, Stand, WEBER, call, example, issue_body, json_of, link, parts, pdf, send};
use tokio::task::JoinHandle;

const OTHER: &str = "2b7c91e0-4f3d-4c58-9a10-77d20e6b3f41";

/// Practice software that was let in at the link, and the physician's window beside it.
struct Desk {
    stand: Stand,
    link: Link,
    software: Router,
    window: Router,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn new() -> Self {
        Self::with(Rules {
            software: vec!["Cabinet".into()],
            ..Rules::default()
        })
        .await
    }

    async fn with(rules: Rules) -> Self {
        let stand = Stand::new().await;
        let (link, folder) = link(rules);
        Self {
            software: stand.router(Door::Loopback(link.clone())),
            window: stand.router(Door::Desktop(Some(link.clone()))),
            stand,
            link,
            _folder: folder,
        }
    }

    /// A request of the software, under way.
    fn asks(&self, request: Request<Vec<u8>>) -> JoinHandle<Response<Vec<u8>>> {
        let router = self.software.clone();
        tokio::spawn(async move { send(&router, request).await })
    }

    async fn answer_of(&self, request: Request<Vec<u8>>) -> (StatusCode, Value) {
        let answer = self.asks(request).await.unwrap();
        (answer.status(), json_of(&answer))
    }

    /// The question the physician has on her screen.
    async fn question(&self) -> String {
        for _ in 0..400 {
            let (_, view) = call(&self.window, Method::GET, "/v1/link", None).await;
            if let Some(id) = view["waiting"][0]["id"].as_str() {
                assert_eq!(view["waiting"][0]["kind"], "approval");
                assert_eq!(view["waiting"][0]["software"], "Cabinet");
                return id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody was asked");
    }

    /// Who works there now, and for whom.
    fn is_for(&self, actor: &'static str, physician: Option<&str>) {
        *self.stand.actor.lock().unwrap() = actor;
        *self.stand.at_desk.lock().unwrap() = physician.map(ToOwned::to_owned);
    }

    fn nothing_waits(&self) -> bool {
        self.link.view(econnector_forms::Lang::En, None).waiting.is_empty()
    }

    async fn says(&self, question: &str, word: &str) {
        let path = format!("/v1/link/approvals/{question}");
        let (status, problem) = call(&self.window, Method::POST, &path, Some(json!({ "answer": word }))).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{problem}");
    }
}

fn from_software(path: &str, body: &Value) -> Request<Vec<u8>> {
    let mut request = Request::post(format!("/econnector{path}"))
        .header("accept-language", "en")
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap();
    request.extensions_mut().insert(Software {
        name: "Cabinet".to_owned(),
        origin: None,
    });
    request
}

#[tokio::test]
async fn what_is_signed_is_shown_first_and_signed_after_a_yes() {
    let desk = Desk::new().await;
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    let question = desk.question().await;
    assert_eq!(desk.stand.signatures_asked(), 0);
    let path = format!("/v1/link/approvals/{question}");
    let (status, view) = call(&desk.window, Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        [&view["software"], &view["action"], &view["form"], &view["document"]],
        [&json!("Cabinet"), &json!("sign"), &json!("ecit"), &json!(ID)]
    );
    assert_eq!(view["physician_name"], "Dr Anne Weber");
    assert!(view.get("line").is_none() && view.get("reason").is_none(), "{view}");
    for (page, wanted) in [
        ("1", StatusCode::OK),
        ("1.0", StatusCode::OK),
        ("99", StatusCode::NOT_FOUND),
        ("0", StatusCode::NOT_FOUND),
        ("-1", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get(format!("/econnector{path}/pages/{page}")).body(Vec::new()).unwrap();
        let answer = send(&desk.window, request).await;
        assert_eq!(answer.status(), wanted, "{page}");
        if wanted == StatusCode::OK {
            assert_eq!(answer.headers()["content-type"], "image/svg+xml");
            assert_eq!(answer.headers()["x-page-count"], "1");
        }
    }
    // A login that is under way changes nothing.
    *desk.stand.logging_in.lock().unwrap() = true;
    desk.says(&question, "once").await;
    let problem = json_of(&asked.await.unwrap());
    assert_eq!(desk.stand.signatures_asked(), 1, "{problem}");
    assert_eq!(call(&desk.window, Method::GET, &path, None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_no_signs_nothing() {
    let desk = Desk::new().await;
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    desk.says(&desk.question().await, "refuse").await;
    let answer = asked.await.unwrap();
    assert_eq!(
        (answer.status(), &json_of(&answer)["code"]),
        (StatusCode::FORBIDDEN, &json!("approval-refused"))
    );
    assert_eq!(desk.stand.signatures_asked(), 0);
}

#[tokio::test]
async fn no_word_in_time_signs_nothing() {
    let desk = Desk::with(Rules {
        approval_seconds: 1,
        ..Rules::default()
    })
    .await;
    let (status, problem) = desk.answer_of(from_software("/v1/documents", &issue_body())).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("approval-missing")));
    assert!(desk.nothing_waits() && desk.stand.signatures_asked() == 0);
}

#[tokio::test]
async fn whoever_hangs_up_withdraws_the_question() {
    let desk = Desk::new().await;
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    let question = desk.question().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert!(desk.nothing_waits());
    let path = format!("/v1/link/approvals/{question}");
    let (status, problem) = call(&desk.window, Method::POST, &path, Some(json!({ "answer": "once" }))).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("link-unknown")));
    assert_eq!(desk.stand.signatures_asked(), 0);
}

#[tokio::test]
async fn trusted_today_is_not_asked_again_until_it_is_taken_back() {
    let desk = Desk::new().await;
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    desk.says(&desk.question().await, "today").await;
    asked.await.unwrap();
    desk.answer_of(from_software("/v1/documents", &issue_body())).await;
    assert_eq!(desk.stand.signatures_asked(), 2);
    let decision = json!({ "decision": "allowed", "trusted_today": false });
    let (status, _) = call(&desk.window, Method::PUT, "/v1/link/software/Cabinet", Some(decision)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    desk.says(&desk.question().await, "refuse").await;
    assert_eq!(asked.await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(desk.stand.signatures_asked(), 2);
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anybody_is_asked() {
    let desk = Desk::with(Rules {
        approval_seconds: 0,
        ..Rules::default()
    })
    .await;
    let (signature, cancellation) = ("/v1/signatures", format!("/v1/documents/{ID}/cancellation"));
    let pages = format!("/v1/pid/simulations/{ID}/validation");
    for (path, body, code) in [
        ("/v1/documents", json!({ "id": ID, "kind": "ecit", "values": {} }), "values-wrong"),
        ("/v1/documents", json!({ "id": ID, "kind": "none", "values": {} }), "form-unknown"),
        (
            "/v1/documents",
            json!({ "id": ID, "kind": "pid", "values": {} }),
            "form-other-workflow",
        ),
        (signature, json!({ "id": ID, "content": "%" }), "request-body"),
        (signature, json!({ "id": ID, "content": "SGVsbG8=" }), "pdf-unusable"),
        (&cancellation, json!({ "reason": "Erreur" }), "document-unknown"),
        (&cancellation, json!({ "reason": " " }), "cancellation-reason-wrong"),
        (&pages, json!({}), "simulation-unknown"),
    ] {
        let (status, problem) = desk.answer_of(from_software(path, &body)).await;
        assert_eq!(problem["code"], code, "{path} {problem}");
        assert!(status.is_client_error());
    }
    *desk.stand.at_desk.lock().unwrap() = None;
    let (status, problem) = desk.answer_of(from_software("/v1/documents", &issue_body())).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("login-required")));
    assert_eq!(desk.stand.signatures_asked(), 0);
}

#[tokio::test]
async fn what_has_an_outcome_needs_no_word() {
    let desk = Desk::with(Rules {
        approval_seconds: 0,
        ..Rules::default()
    })
    .await;
    for (id, state, name) in [(ID, State::Deposited, "deposited"), (OTHER, State::Unknown, "unknown")] {
        desk.stand.recorded(id, "ecit", state).await;
        let mut body = issue_body();
        body["id"] = json!(id);
        let (status, document) = desk.answer_of(from_software("/v1/documents", &body)).await;
        assert_eq!((status, &document["state"]), (StatusCode::OK, &json!(name)), "{document}");
    }
    let cancelled = "0b7c91e0-4f3d-4c58-9a10-77d20e6b3f41";
    desk.stand.recorded(cancelled, "ecit", State::Cancelled).await;
    let path = format!("/v1/documents/{cancelled}/cancellation");
    let (status, line) = desk.answer_of(from_software(&path, &json!({ "reason": "Erreur" }))).await;
    assert_eq!((status, &line["state"]), (StatusCode::OK, &json!("cancelled")));
}

#[tokio::test]
async fn a_cancellation_is_shown_with_its_reason_and_its_line() {
    let desk = Desk::new().await;
    desk.stand.recorded(ID, "ecit", State::Deposited).await;
    let path = format!("/v1/documents/{ID}/cancellation");
    let asked = desk.asks(from_software(&path, &json!({ "reason": "Erreur de date" })));
    let question = desk.question().await;
    let (_, view) = call(&desk.window, Method::GET, &format!("/v1/link/approvals/{question}"), None).await;
    assert_eq!(view["action"], "cancel");
    assert_eq!(view["reason"], "Erreur de date");
    assert_eq!(
        [&view["line"]["kind"], &view["line"]["reference"]],
        [&json!("ecit"), &json!("MYSECU-REFERENCE")]
    );
    let (status, _) = call(&desk.window, Method::GET, &format!("/v1/link/approvals/{question}/pages/1"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    desk.says(&question, "refuse").await;
    assert_eq!(json_of(&asked.await.unwrap())["code"], "approval-refused");
}

impl Desk {
    /// A simulation of the software's, at these costs; nobody is asked for it.
    async fn simulated(&self) {
        let body = json!({ "id": ID, "values": example("pid", "consultation") });
        let (status, simulated) = self.answer_of(from_software("/v1/pid/simulations", &body)).await;
        assert_eq!((status, &simulated["payable"]), (StatusCode::CREATED, &json!(true)), "{simulated}");
    }

    async fn view_of(&self, question: &str) -> Value {
        call(&self.window, Method::GET, &format!("/v1/link/approvals/{question}"), None)
            .await
            .1
    }

    async fn page_of(&self, question: &str) -> StatusCode {
        let request = Request::get(format!("/econnector/v1/link/approvals/{question}/pages/1"));
        send(&self.window, request.body(Vec::new()).unwrap()).await.status()
    }
}

#[tokio::test]
async fn a_payment_is_asked_about_and_only_what_was_shown_is_paid() {
    let desk = Desk::new().await;
    desk.simulated().await;
    let path = format!("/v1/pid/simulations/{ID}/validation");
    let asked = desk.asks(from_software(&path, &json!({})));
    let question = desk.question().await;
    let view = desk.view_of(&question).await;
    assert_eq!([&view["action"], &view["line"]["kind"]], [&json!("pay"), &json!("pid")]);
    assert_eq!(desk.page_of(&question).await, StatusCode::OK);

    // While she looks, the software asks for another simulation under the same id.
    desk.simulated().await;
    assert_eq!(
        desk.page_of(&question).await,
        StatusCode::NOT_FOUND,
        "nothing else is shown in its place"
    );
    desk.says(&question, "once").await;
    assert_eq!(json_of(&asked.await.unwrap())["code"], "simulation-unknown");
    assert_eq!(desk.stand.signatures_asked(), 0);

    let asked = desk.asks(from_software(&path, &json!({})));
    desk.says(&desk.question().await, "once").await;
    asked.await.unwrap();
    assert_eq!(desk.stand.signatures_asked(), 1, "this one");
}

#[tokio::test]
async fn a_contestation_is_asked_about_with_what_the_authority_said() {
    let desk = Desk::new().await;
    desk.simulated().await;
    let path = format!("/v1/pid/simulations/{ID}/contestation");
    let body = json!({ "anomalies": [{ "id": "A-1", "code": "1" }] });
    let asked = desk.asks(from_software(&path, &body));
    let question = desk.question().await;
    let view = desk.view_of(&question).await;
    assert_eq!(
        [&view["action"], &view["remarks"]],
        [&json!("contest"), &json!([{ "code": "TARIF", "message": "Tarif limité" }])]
    );
    desk.says(&question, "refuse").await;
    assert_eq!(json_of(&asked.await.unwrap())["code"], "approval-refused");
    let unknown = json!({ "anomalies": [{ "id": "A-2", "code": "1" }] });
    let (_, problem) = desk.answer_of(from_software(&path, &unknown)).await;
    assert_eq!(problem["code"], "pid-contestation-wrong", "nobody is asked about what cannot be");
}

#[tokio::test]
async fn what_is_replaced_and_what_goes_with_a_page_is_shown() {
    let desk = Desk::new().await;
    desk.stand.recorded(ID, "ecit", State::Deposited).await;
    let mut body = issue_body();
    body["id"] = json!(OTHER);
    body["replaces"] = json!(ID);
    let asked = desk.asks(from_software("/v1/documents", &body));
    let question = desk.question().await;
    let replaces = desk.view_of(&question).await["replaces"].clone();
    assert_eq!(
        [
            &replaces["document"],
            &replaces["kind"],
            &replaces["reference"],
            &replaces["cancels"]
        ],
        [&json!(ID), &json!("ecit"), &json!("MYSECU-REFERENCE"), &json!(true)]
    );
    desk.says(&question, "refuse").await;
    asked.await.unwrap();

    let path = format!("/v1/documents/{ID}/cancellation");
    let asked = desk.asks(from_software(&path, &json!({ "reason": "Erreur", "replaced_by": OTHER })));
    let question = desk.question().await;
    assert_eq!(desk.view_of(&question).await["replaced_by"], OTHER);
    desk.says(&question, "refuse").await;
    asked.await.unwrap();

    let note = include_str!("../../../samples/data/fee-note.xml").replace("3c1f0e2a-6f5d-4c1b-9a7e-2b8d4e6f0a11", OTHER);
    let content = STANDARD.encode(pdf());
    let body = json!({ "id": OTHER, "content": content, "deposit": { "kind": "mh", "xml": note } });
    let asked = desk.asks(from_software("/v1/signatures", &body));
    let question = desk.question().await;
    let message = desk.view_of(&question).await["message"].clone();
    assert!(
        message["provider_codes"].as_array().unwrap().contains(&json!("90000101")),
        "{message}"
    );
    let labels: Vec<&str> = message["facts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|fact| fact["label"].as_str())
        .collect();
    assert_eq!(
        (labels.as_slice(), message["lines"].as_u64() > Some(0)),
        (["Matricule", "To pay"].as_slice(), true),
        "{message}"
    );
    desk.says(&question, "refuse").await;
    asked.await.unwrap();
    assert_eq!(desk.stand.signatures_asked(), 0);
}

#[tokio::test]
async fn what_would_be_refused_is_refused_before_anybody_is_asked() {
    let desk = Desk::with(Rules {
        approval_seconds: 0,
        ..Rules::default()
    })
    .await;
    let mut colleagues = issue_body();
    colleagues["values"]["physician_ehealth_id"] = json!("1900000002");
    let mut replacing = issue_body();
    replacing["replaces"] = json!(OTHER);
    let note = include_str!("../../../samples/data/fee-note.xml").replace("3c1f0e2a-6f5d-4c1b-9a7e-2b8d4e6f0a11", ID);
    let strangers = note.replace("90000101", "90000102");
    let content = STANDARD.encode(pdf());
    let page = json!({ "id": ID, "content": content, "deposit": { "kind": "mh", "xml": strangers } });
    for (path, body, code) in [
        ("/v1/documents", colleagues, "physician-mismatch"),
        ("/v1/documents", replacing, "document-unknown"),
        ("/v1/signatures", page, "physician-mismatch"),
    ] {
        let (_, problem) = desk.answer_of(from_software(path, &body)).await;
        assert_eq!(problem["code"], code, "{path}");
    }
    assert!(desk.nothing_waits());
}

#[tokio::test]
async fn software_decides_nothing_about_the_session_and_the_profile() {
    let desk = Desk::new().await;
    let send_as = async |method: Method, path: &str, body: Value, token: bool| {
        let mut request = from_software(path, &body);
        *request.method_mut() = method;
        if token {
            request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
        }
        desk.answer_of(request).await
    };
    let profile = json!({ "last_name": "Weber", "country": "LU" });
    for (method, path, body) in [
        (Method::DELETE, "/v1/session", json!({})),
        (Method::PUT, "/v1/session/physician", json!({ "ehealth_id": "1900000002" })),
        (Method::PUT, "/v1/profile", profile.clone()),
    ] {
        let (status, problem) = send_as(method, path, body, false).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("window-only")), "{path}");
    }
    let (status, _) = send_as(Method::PUT, "/v1/profile", profile, true).await;
    assert_ne!(status, StatusCode::FORBIDDEN, "with a token of her own");
    let (status, _) = send_as(Method::DELETE, "/v1/session", json!({}), true).await;
    assert_eq!(
        status,
        StatusCode::FORBIDDEN,
        "whoever brings a token has nothing to do with the session"
    );
    assert_eq!(desk.stand.at_desk.lock().unwrap().as_deref(), Some("1900000001"));
}

#[tokio::test]
async fn a_pdf_made_elsewhere_is_shown_page_by_page() {
    let desk = Desk::new().await;
    let boundary = "frontier";
    let mut request = from_software("/v1/signatures", &Value::Null);
    *request.body_mut() = parts(boundary, &[("id", ID.as_bytes()), ("pdf", &pdf())]);
    let media = format!("multipart/form-data; boundary={boundary}").parse().unwrap();
    request.headers_mut().insert("content-type", media);
    let asked = desk.asks(request);
    let question = desk.question().await;
    let (_, view) = call(&desk.window, Method::GET, &format!("/v1/link/approvals/{question}"), None).await;
    assert_eq!([&view["action"], &view["form"]], [&json!("sign_pdf"), &Value::Null]);
    let request = Request::get(format!("/econnector/v1/link/approvals/{question}/pages/1"));
    let page = send(&desk.window, request.body(Vec::new()).unwrap()).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["x-page-count"], "1");
    assert!(page.body().starts_with(b"<svg"));
    desk.says(&question, "once").await;
    asked.await.unwrap();
    assert_eq!(desk.stand.signatures_asked(), 1);
}

#[tokio::test]
async fn the_yes_of_one_physician_is_not_that_of_the_next() {
    let desk = Desk::new().await;
    let changed = (StatusCode::CONFLICT, json!("session-changed"));
    for (actor, physician) in [("anne", Some("1900000002")), ("claire", Some(WEBER)), ("anne", None)] {
        let asked = desk.asks(from_software("/v1/documents", &issue_body()));
        let question = desk.question().await;
        desk.is_for(actor, physician);
        let path = format!("/v1/link/approvals/{question}");
        let (status, problem) = call(&desk.window, Method::GET, &path, None).await;
        assert_eq!((status, problem["code"].clone()), changed, "{actor} {physician:?}");
        let (status, problem) = call(&desk.window, Method::GET, &format!("{path}/pages/1"), None).await;
        assert_eq!((status, problem["code"].clone()), changed, "nothing is shown of it");
        for word in ["once", "today"] {
            let (status, problem) = call(&desk.window, Method::POST, &path, Some(json!({ "answer": word }))).await;
            assert_eq!((status, problem["code"].clone()), changed, "{word}");
        }
        desk.says(&question, "refuse").await;
        assert_eq!(json_of(&asked.await.unwrap())["code"], "approval-refused");
        desk.is_for("anne", Some(WEBER));
    }
    assert_eq!(desk.stand.signatures_asked(), 0);
}

#[tokio::test]
async fn trust_until_tonight_is_one_person_s_for_one_physician() {
    let desk = Desk::with(Rules {
        software: vec!["Cabinet".into()],
        approval_seconds: 1,
        ..Rules::default()
    })
    .await;
    let issued = async || desk.answer_of(from_software("/v1/documents", &issue_body())).await.1["code"].clone();
    desk.is_for("claire", Some(WEBER));
    let asked = desk.asks(from_software("/v1/documents", &issue_body()));
    desk.says(&desk.question().await, "today").await;
    asked.await.unwrap();
    issued().await;
    assert_eq!(desk.stand.signatures_asked(), 2, "the secretary's word, for what she sends");
    desk.is_for("anne", Some(WEBER));
    assert_eq!(issued().await, "approval-missing", "it is not the physician's");

    let decision = json!({ "decision": "allowed", "trusted_today": true });
    let (status, _) = call(&desk.window, Method::PUT, "/v1/link/software/Cabinet", Some(decision)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    issued().await;
    assert_eq!(desk.stand.signatures_asked(), 3);
    desk.is_for("claire", Some("1900000002"));
    assert_eq!(issued().await, "physician-mismatch");
}

#[tokio::test]
async fn software_that_says_for_whom_it_works_does_nothing_for_another() {
    let desk = Desk::with(Rules {
        software: vec!["Cabinet".into()],
        approval_seconds: 0,
        ..Rules::default()
    })
    .await;
    let naming = async |router: &Router, named: &[&str]| {
        let mut request = from_software("/v1/documents", &issue_body());
        for id in named {
            request.headers_mut().append("x-econnector-physician", id.parse().unwrap());
        }
        let answer = send(router, request).await;
        (answer.status().as_u16(), json_of(&answer)["code"].clone())
    };
    for (router, own) in [(&desk.software, "approval-missing"), (&desk.window, "signer-expired")] {
        for wrong in [&["190000000"][..], &[""], &["190000000a"], &[WEBER, WEBER]] {
            assert_eq!(naming(router, wrong).await, (400, json!("physician-header")), "{wrong:?}");
        }
        assert_eq!(naming(router, &["1900000002"]).await, (409, json!("session-changed")));
        assert_eq!(naming(router, &[WEBER]).await.1, own);
        assert_eq!(naming(router, &[]).await.1, own);
        *desk.stand.logging_in.lock().unwrap() = true;
        assert_eq!(
            naming(router, &["1900000002"]).await,
            (409, json!("session-changed")),
            "a login is under way"
        );
        *desk.stand.logging_in.lock().unwrap() = false;
    }
    desk.stand.at_desk.lock().unwrap().take();
    for router in [&desk.software, &desk.window] {
        assert_eq!(naming(router, &["1900000002"]).await, (401, json!("login-required")));
    }
}

#[tokio::test]
async fn a_page_that_no_form_made_is_covered_by_no_mandate() {
    let desk = Desk::new().await;
    let note = include_str!("../../../samples/data/fee-note.xml").replace("3c1f0e2a-6f5d-4c1b-9a7e-2b8d4e6f0a11", ID);
    let content = STANDARD.encode(pdf());
    let in_json = json!({ "id": ID, "content": content, "deposit": { "kind": "mh", "xml": note } });
    let alone = json!({ "id": OTHER, "content": content });
    let in_parts = |path: &str| {
        let body = parts(
            "frontier",
            &[("id", ID.as_bytes()), ("kind", b"mh"), ("xml", note.as_bytes()), ("pdf", &pdf())],
        );
        let mut request = stand::in_parts(path, "frontier", body);
        request.headers_mut().remove("authorization");
        request
    };
    let requests = || {
        [
            from_software("/v1/signatures", &in_json),
            from_software("/v1/signatures", &alone),
            in_parts("/v1/signatures"),
            in_parts("/v1/documents"),
        ]
    };
    desk.is_for("claire", Some(WEBER));
    for bearer in [false, true] {
        for mut request in requests() {
            if bearer {
                request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
            }
            let answer = send(&desk.window, request).await;
            assert_eq!(
                (answer.status(), &json_of(&answer)["code"]),
                (StatusCode::FORBIDDEN, &json!("physician-only"))
            );
        }
    }
    assert_eq!(desk.stand.signatures_asked(), 0);
    desk.is_for("anne", Some(WEBER));
    for request in requests() {
        send(&desk.window, request).await;
    }
    assert_eq!(desk.stand.signatures_asked(), 4, "the physician herself");
}

#[tokio::test]
async fn a_token_of_its_own_and_the_window_are_not_asked() {
    let desk = Desk::with(Rules {
        approval_seconds: 0,
        ..Rules::default()
    })
    .await;
    let mut request = from_software("/v1/documents", &issue_body());
    request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
    desk.answer_of(request).await;
    assert_eq!(desk.stand.signatures_asked(), 1);
    call(&desk.window, Method::POST, "/v1/documents", Some(issue_body())).await;
    assert_eq!(desk.stand.signatures_asked(), 2);
}

#[tokio::test]
async fn a_request_that_no_guard_named_signs_nothing() {
    let desk = Desk::new().await;
    let (status, problem) = call(&desk.software, Method::POST, "/v1/documents", Some(issue_body())).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &json!("link-software-unnamed"))
    );
    assert_eq!(desk.stand.signatures_asked(), 0);
}
