//! What goes wrong, and what the physician is told. In every case the document is either certainly not deposited and can be sent
//! again under its id, or its outcome is open and it is never sent again.

use econnector_api::Door;
use econnector_identity::Logins;
use econnector_tests::{Stage, today_plus};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

/// Fault, expected problem code, whose fault.
type Case = (Value, &'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn findings_name_every_field_and_nothing_leaves() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let wrong = json!({ "matricule": "198812304808", "last_day": today_plus(-1), "diagnosis": "" });
    let refused = stage.issue(Uuid::new_v4(), wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = refused.json();
    assert_eq!(
        (problem["code"].as_str(), problem["fault"].as_str()),
        (Some("values-wrong"), Some("you"))
    );
    let fields: Vec<&str> = problem["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .filter_map(|finding| finding["field"].as_str())
        .collect();
    for field in ["matricule", "last_day", "diagnosis"] {
        assert!(fields.contains(&field), "{field} in {problem}");
    }
    assert!(stage.recorded("/kms/calls").await.is_empty());
    assert_eq!(stage.deposits().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_deposit_every_fault_leaves_the_document_unsent_and_repeatable() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let kms = |kind: &str, more: Value| merged(json!({ "service": "kms", "kind": kind }), more);
    let cases: Vec<Case> = vec![
        (kms("status", json!({ "status": 401 })), "kms-refused-token", "you"),
        (kms("refuse", json!({})), "kms-no-signature-right", "authority"),
        (
            kms("status", json!({ "status": 500, "path": "sign-data" })),
            "kms-failed",
            "authority",
        ),
        (kms("garbage", json!({ "path": "get-certificate" })), "kms-garbage", "authority"),
        (kms("garbage", json!({ "path": "sign-data" })), "kms-garbage", "authority"),
        (kms("garbage", json!({ "path": "sign-timestamp" })), "kms-garbage", "authority"),
        (kms("drop", json!({ "path": "sign-data" })), "net-cut", "network"),
        (kms("other_certificate", json!({})), "signer-other-physician", "authority"),
        (
            kms("untrusted", json!({ "path": "get-certificate" })),
            "signer-untrusted",
            "authority",
        ),
        (
            kms("untrusted", json!({ "path": "sign-timestamp" })),
            "timestamp-untrusted",
            "authority",
        ),
        (kms("expired", json!({ "path": "get-certificate" })), "signer-expired", "authority"),
        (kms("other_digest", json!({})), "timestamp-other-digest", "authority"),
        (kms("other_key", json!({})), "signature-wrong", "authority"),
    ];
    for (fault, code, whose) in cases {
        let id = Uuid::new_v4();
        stage.fault(fault.clone()).await;
        let refused = stage.issue(id, json!({})).await;
        let problem = refused.json();
        assert_eq!(
            (problem["code"].as_str(), problem["fault"].as_str()),
            (Some(code), Some(whose)),
            "{fault}: {problem}"
        );
        for text in ["title", "detail", "next"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.is_empty()),
                "{fault}: {text} in {problem}"
            );
        }
        assert!(refused.status.as_u16() >= 400);
        stage.no_faults().await;
        let before = stage.deposits().await;
        let again = stage.issue(id, json!({})).await;
        assert_eq!(again.status, StatusCode::CREATED, "{fault}, then: {}", again.json());
        assert_eq!(stage.deposits().await, before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mysecu_s_refusals_are_quoted_and_the_document_can_be_sent_again() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let cases: Vec<Case> = vec![
        (
            json!({ "service": "mysecu", "kind": "refuse", "path": "trust" }),
            "mysecu-space-refused",
            "authority",
        ),
        (
            json!({ "service": "mysecu", "kind": "refuse", "path": "syncexchange" }),
            "mysecu-fault",
            "authority",
        ),
    ];
    for (fault, code, whose) in cases {
        let id = Uuid::new_v4();
        stage.fault(fault.clone()).await;
        let problem = stage.issue(id, json!({})).await.json();
        assert_eq!(
            (problem["code"].as_str(), problem["fault"].as_str()),
            (Some(code), Some(whose)),
            "{fault}: {problem}"
        );
        assert!(
            problem["authority"]["message"].as_str().is_some_and(|words| !words.is_empty()),
            "{problem}"
        );
        assert!(
            problem["correlation_id"].as_str().is_some_and(|found| found.starts_with("Id-")),
            "{problem}"
        );
        stage.no_faults().await;
        let again = stage.issue(id, json!({})).await;
        assert_eq!(again.status, StatusCode::CREATED, "{fault}, then: {}", again.json());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_deposit_a_lost_or_false_answer_leaves_the_outcome_open_and_never_deposits_twice() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let exchange = |kind: &str, more: Value| merged(json!({ "service": "mysecu", "kind": kind, "path": "syncexchange" }), more);
    // With whether the stand-in understood what it received: noise may come from a gateway before it.
    let cases = [
        (exchange("drop", json!({ "after": true })), 1),
        (exchange("unsigned", json!({})), 1),
        (exchange("tampered", json!({})), 1),
        (exchange("wrapped", json!({})), 1),
        (exchange("untrusted", json!({})), 1),
        (exchange("garbage", json!({})), 0),
        (exchange("fault", json!({})), 1),
    ];
    for (fault, deposited) in cases {
        // A token for the space is there already, so that the fault meets the deposit and nothing before it.
        assert_eq!(stage.issue(Uuid::new_v4(), json!({})).await.status, StatusCode::CREATED);
        let before = stage.deposits().await;
        let id = Uuid::new_v4();
        stage.fault(fault.clone()).await;
        let lost = stage.issue(id, json!({})).await;
        assert!(lost.status.is_server_error(), "{fault}: {}", lost.json());
        let problem = lost.json();
        assert_eq!(
            stage.get(&format!("/v1/documents/{id}")).await["state"],
            "unknown",
            "{fault}: {problem}"
        );
        assert!(problem["next"].as_str().is_some_and(|next| !next.is_empty()), "{problem}");
        stage.no_faults().await;
        let again = stage.issue(id, json!({})).await;
        assert_eq!(
            (again.status, again.json()["state"].as_str()),
            (StatusCode::OK, Some("unknown")),
            "{fault}: {}",
            again.json()
        );
        assert_eq!(again.json()["problem"]["code"], "mysecu-outcome-unknown");
        assert_eq!(stage.deposits().await, before + deposited, "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_ca_is_not_trusted_is_refused_and_never_asked() {
    // One of whose addresses leads nowhere: that is known before something is to be sent.
    let stranger = Stage::with(Door::Hospital, |settings| {
        settings.kms.sign_url = "https://kms.invalid/api/v3/sign-data".parse().unwrap();
    })
    .await;
    let unusable = stranger.call(http::Method::GET, "/status", &[], None).await;
    assert_eq!(unusable.status, StatusCode::SERVICE_UNAVAILABLE);
    for check in unusable.json()["checks"].as_array().unwrap() {
        let detail = check["detail"].as_str().unwrap();
        assert_eq!(check["ok"] == false, detail.contains("net-resolve: kms.invalid"), "{check}");
        assert_eq!(check["ok"] == false, check["name"] == "kms", "{check}");
    }
    let other_ca = stranger.training().sandbox().ready().ca_pem.clone();
    let stage = Stage::with(Door::Hospital, |settings| {
        settings.anchors = Some(other_ca);
        settings.aes.logins = Logins::Delegated;
    })
    .await;
    let usable = stage.call(http::Method::GET, "/status", &[], None).await;
    assert_eq!(usable.status, StatusCode::SERVICE_UNAVAILABLE);
    for check in usable.json()["checks"].as_array().unwrap() {
        if ["aes", "kms", "mysecu"].contains(&check["name"].as_str().unwrap()) {
            assert_eq!(check["ok"], false, "{check}");
        }
    }
    let bearer = format!("Bearer {}", stage.exchanged_token("1900000001").await);
    let body = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": econnector_tests::sick_note(json!({})) });
    let refused = stage
        .call(http::Method::POST, "/v1/documents", &[("authorization", &bearer)], Some(&body))
        .await;
    assert_eq!(refused.json()["code"], "net-tls-unknown-issuer", "{}", refused.json());
    assert!(stage.recorded("/kms/calls").await.is_empty());
    assert_eq!(stage.deposits().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_and_an_absent_service_are_the_network_s_fault() {
    let slow = Stage::with(Door::Desktop(None), |settings| settings.timeout_seconds = Some(2)).await;
    slow.log_in("dr.weber").await;
    slow.fault(json!({ "service": "kms", "kind": "delay", "ms": 6000, "path": "sign-data" }))
        .await;
    let id = Uuid::new_v4();
    let problem = slow.issue(id, json!({})).await.json();
    assert_eq!(
        (problem["code"].as_str(), problem["fault"].as_str()),
        (Some("net-timeout"), Some("network")),
        "{problem}"
    );
    slow.no_faults().await;
    assert_eq!(slow.issue(id, json!({})).await.status, StatusCode::CREATED);
    assert_eq!(slow.deposits().await, 1);

    let absent = Stage::with(Door::Desktop(None), |settings| {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        settings.kms.get_certificate_url.set_port(Some(nobody)).unwrap();
    })
    .await;
    absent.log_in("dr.weber").await;
    let problem = absent.issue(Uuid::new_v4(), json!({})).await.json();
    assert_eq!(
        (problem["code"].as_str(), problem["fault"].as_str()),
        (Some("net-refused"), Some("network")),
        "{problem}"
    );
    assert_eq!(absent.deposits().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refused_try_had_may_be_corrected_and_what_was_deposited_may_not() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let id = Uuid::new_v4();
    stage
        .fault(json!({ "service": "kms", "kind": "status", "status": 503, "count": 1, "path": "sign-data" }))
        .await;
    assert_eq!(stage.issue(id, json!({ "last_name": "Wrong" })).await.json()["code"], "kms-failed");
    assert_eq!(stage.issue(id, json!({ "last_name": "Right" })).await.status, StatusCode::CREATED);
    assert_eq!(
        stage.issue(id, json!({ "last_name": "Other" })).await.json()["code"],
        "id-already-used"
    );
    assert_eq!(stage.issue(id, json!({ "last_name": "Right" })).await.status, StatusCode::OK);
    let forgotten = stage.call(http::Method::DELETE, &format!("/v1/documents/{id}"), &[], None).await;
    assert_eq!(forgotten.status, StatusCode::NO_CONTENT);
    let settled = stage.issue(id, json!({ "last_name": "Right" })).await;
    assert_eq!(
        (settled.status, settled.json()["volets"].as_array().map(Vec::len)),
        (StatusCode::OK, Some(0))
    );
    assert!(settled.json()["receipt"]["reference"].is_string());
    assert_eq!(
        stage.issue(id, json!({ "last_name": "Other" })).await.json()["code"],
        "id-already-used"
    );
    assert_eq!(stage.deposits().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_for_the_physician_who_sent_them() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let id = Uuid::new_v4();
    assert_eq!(stage.issue(id, json!({})).await.status, StatusCode::CREATED);
    let page = format!("/v1/documents/{id}/volets/employeur");
    let svg = stage.call(http::Method::GET, &page, &[("accept", "image/svg+xml")], None).await;
    assert_eq!((svg.status, svg.headers["x-page-count"].to_str().unwrap()), (StatusCode::OK, "1"));
    let foreign = format!("Bearer {}", stage.exchanged_token("1900000002").await);
    for method in [http::Method::GET, http::Method::DELETE] {
        let path = if method == http::Method::GET {
            page.clone()
        } else {
            format!("/v1/documents/{id}")
        };
        assert_eq!(
            stage.call(method, &path, &[("authorization", &foreign)], None).await.status,
            StatusCode::NOT_FOUND
        );
    }
    assert_eq!(
        stage.call(http::Method::DELETE, "/v1/session", &[], None).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(
        !stage.call(http::Method::GET, &page, &[], None).await.status.is_success(),
        "nobody is logged in"
    );
    stage.log_in("dr.muller").await;
    assert_eq!(stage.call(http::Method::GET, &page, &[], None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_calls_with_one_id_at_once_are_one_deposit() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.muller").await;
    let id = Uuid::new_v4();
    let values = json!({ "provider_code": "90000102", "physician_ehealth_id": "1900000002", "physician_name": "Dr Luc Muller" });
    let (first, second) = tokio::join!(stage.issue(id, values.clone()), stage.issue(id, values));
    let mut statuses = [first.status, second.status];
    statuses.sort();
    assert_eq!(
        statuses,
        [StatusCode::OK, StatusCode::CREATED],
        "{} {}",
        first.json(),
        second.json()
    );
    assert_eq!(first.json()["receipt"]["reference"], second.json()["receipt"]["reference"]);
    assert_eq!(stage.deposits().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_said_without_quoting_it() {
    let stage = Stage::desktop().await;
    let body = json!({ "id": "1988123048083", "kind": "ecit", "values": 7 });
    let refused = stage.post("/v1/documents", &body).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::BAD_REQUEST, Some("request-body"))
    );
    assert!(!String::from_utf8_lossy(&refused.body).contains("1988123048083"));
    let unknown = stage.post("/v1/forms/nonsense/check", &json!({ "values": {} })).await;
    assert_eq!(
        (unknown.status, unknown.json()["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("form-unknown"))
    );
    let route = stage.call(http::Method::GET, "/v1/nothing", &[], None).await;
    assert_eq!(
        (route.status, route.headers["content-type"].to_str().unwrap()),
        (StatusCode::NOT_FOUND, "application/problem+json")
    );
    let text = stage
        .call(http::Method::POST, "/v1/documents", &[("content-type", "text/plain")], None)
        .await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = stage
        .post("/v1/forms/ecit/check", &json!({ "values": { "last_name": "x".repeat(3_000_000) } }))
        .await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let german = stage
        .call(http::Method::GET, "/v1/nothing", &[("accept-language", "de-LU, fr;q=0.5")], None)
        .await;
    assert_ne!(german.json()["title"], route.json()["title"]);
    for answer in [&refused, &unknown, &route] {
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

fn merged(mut base: Value, more: Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    base
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_ended_without_a_word_is_settled_before_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    let stage = Stage::with(Door::Desktop(None), |settings| settings.journal = Some(file.clone())).await;
    stage.log_in("dr.weber").await;
    let journal = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let plant = async |id: Uuid, state: &str| {
        let planted = sqlx::query("UPDATE journal SET state = ?, reference = NULL WHERE id = ?")
            .bind(state.to_owned())
            .bind(id.to_string())
            .execute(&journal)
            .await;
        assert_eq!(planted.unwrap().rows_affected(), 1);
    };

    let sent = Uuid::new_v4();
    assert_eq!(stage.issue(sent, json!({})).await.status, StatusCode::CREATED);
    plant(sent, "depositing").await;
    let open = stage.issue(sent, json!({})).await;
    assert_eq!((open.status, open.json()["state"].as_str()), (StatusCode::OK, Some("unknown")));
    assert_eq!(open.json()["problem"]["code"], "mysecu-outcome-unknown");

    let unsent = Uuid::new_v4();
    stage
        .fault(json!({ "service": "kms", "kind": "status", "status": 503, "count": 1, "path": "sign-data" }))
        .await;
    assert_eq!(stage.issue(unsent, json!({})).await.json()["code"], "kms-failed");
    plant(unsent, "signing").await;
    assert_eq!(stage.issue(unsent, json!({})).await.status, StatusCode::CREATED);
    assert_eq!(stage.deposits().await, 2);
}
