//! The routes as a caller sees them: which door answers what, and what is said of a request that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, Request, StatusCode};
use econnector_api::Door;
use econnector_base::{RandomIds, Secret, SystemClock};
use econnector_connector::{Connector, LeftOut, Parts};
use econnector_forms::Environment;
use econnector_identity::{Actor, Authorized, Identity, IdentityError, KeyringState, Physician, Probe, SessionState, SessionView};
use econnector_journal::Journal;
use econnector_mysecu::{BusinessMessage, Deposit, ExchangeAnswer, MySecuError, Space};
use econnector_printing::NoPrinting;
use econnector_profile::Profiles;
use econnector_signature::{Algorithm, SignatureError, Signer, SignerCertificate, TrustStore};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// Dr Weber at her own desk, and nobody anywhere else.
struct AtHerDesk;
/// Services that nobody asked.
struct Unasked;

#[async_trait]
impl Identity for AtHerDesk {
    async fn session(&self) -> SessionView {
        SessionView {
            state: SessionState::LoggedIn {
                actor: Actor {
                    id: "anne".into(),
                    name: "Dr Anne Weber".into(),
                },
                physician: Some(Physician {
                    ehealth_id: "1900000001".into(),
                    name: "Dr Anne Weber".into(),
                    provider_codes: vec!["90000101".into()],
                }),
                acts_for: Vec::new(),
                until: OffsetDateTime::now_utc(),
            },
            remembered: false,
            keyring: KeyringState::Off,
            failure: None,
        }
    }

    async fn start_login(&self, _: &str) -> Result<url::Url, IdentityError> {
        Err(IdentityError::LoginRequired)
    }

    async fn authorized(&self) -> Result<Authorized, IdentityError> {
        Err(IdentityError::LoginRequired)
    }

    async fn logout(&self) -> Result<(), IdentityError> {
        Ok(())
    }

    async fn bearer(&self, _: &str) -> Result<Authorized, IdentityError> {
        Err(IdentityError::TokenInvalid("a test's"))
    }

    async fn probe(&self) -> Result<Probe, IdentityError> {
        Err(IdentityError::LoginRequired)
    }
}

#[async_trait]
impl Signer for Unasked {
    async fn certificate(&self, _: &Secret) -> Result<SignerCertificate, SignatureError> {
        unreachable!("no signature is asked for")
    }

    async fn sign(&self, _: &Secret, _: &[u8], _: Algorithm) -> Result<Vec<u8>, SignatureError> {
        unreachable!("no signature is asked for")
    }

    async fn timestamp(&self, _: &Secret, _: &[u8]) -> Result<Vec<u8>, SignatureError> {
        unreachable!("no signature is asked for")
    }

    async fn probe(&self) -> Result<econnector_signature::Probe, SignatureError> {
        Ok(econnector_signature::Probe {
            latency: Duration::ZERO,
            server_time: None,
        })
    }
}

#[async_trait]
impl Deposit for Unasked {
    async fn exchange(&self, _: &Space, _: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError> {
        unreachable!("nothing is sent")
    }

    async fn end(&self, _: &Space) -> Result<(), MySecuError> {
        Ok(())
    }

    async fn probe(&self) -> Result<econnector_mysecu::Probe, MySecuError> {
        Ok(econnector_mysecu::Probe {
            latency: Duration::ZERO,
            clock_skew: None,
        })
    }

    fn expires(&self) -> Option<OffsetDateTime> {
        None
    }
}

async fn router(door: Door) -> Router {
    let key = rcgen::KeyPair::generate().unwrap();
    let anchor = rcgen::CertificateParams::new(vec!["anchor.example".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap()
        .pem();
    let connector = Connector::new(Parts {
        packs: econnector_forms::embedded().unwrap(),
        identity: Arc::new(AtHerDesk),
        signer: Arc::new(Unasked),
        trust: TrustStore::from_pem(anchor.as_bytes()).unwrap(),
        deposit: Arc::new(Unasked),
        journal: Journal::in_memory().await.unwrap(),
        profiles: Profiles::in_memory(),
        printers: Arc::new(NoPrinting),
        left_out: vec![LeftOut {
            folder: "torn".into(),
            reason: "texts/lb.json: missing".into(),
        }],
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        environment: Environment::Training,
    });
    econnector_api::router(connector, door)
}

async fn call(router: &Router, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/econnector{path}"))
        .header("accept-language", "en");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let answer = econnector_api::answer(router.clone(), request.body(body).unwrap()).await;
    (answer.status(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

const ID: &str = "6f1d6a4e-9d1f-4a2e-8f57-1c2f3a4b5c6d";

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
    let desk = router(Door::Desktop).await;
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
async fn a_profile_comes_back_and_what_is_wrong_with_it_names_its_fields() {
    let desk = router(Door::Desktop).await;
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
async fn requests_that_cannot_be_used_are_refused_before_anybody_is_asked() {
    let desk = router(Door::Desktop).await;
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
            "login-required",
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
    let desk = router(Door::Desktop).await;
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
    let desk = router(Door::Desktop).await;
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
    let desk = router(Door::Desktop).await;
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

/// What a caller cannot rule out, by what a route takes: each status has its description.
#[test]
fn the_description_lists_the_statuses_that_can_occur() {
    let document = serde_json::to_value(econnector_api::openapi()).unwrap();
    // Whoever calls these is not asked who they are.
    let for_anybody = |path: &str| path.contains("/status") || path.contains("/session") || path.contains("/forms");
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut wanted = vec![];
            if operation.get("requestBody").is_some() {
                wanted.extend(["400", "413", "415"]);
            }
            if path.contains("{id}") {
                wanted.extend(["400", "404"]);
            }
            if path.contains("{kind}") {
                wanted.push("404");
            }
            if path.ends_with("/preview") || !for_anybody(path) && !path.ends_with("/printers") {
                wanted.extend(["401", "403", "500", "502", "503", "504"]);
            }
            if path.ends_with("/printers") || path.ends_with("/profile") || path.ends_with("/session") {
                wanted.push("404");
            }
            for status in wanted {
                let described = &operation["responses"][status]["description"];
                assert!(
                    described.as_str().is_some_and(|words| !words.is_empty()),
                    "{method} {path}: {status}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
