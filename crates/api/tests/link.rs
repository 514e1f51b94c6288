//! The routes of the window about the link, what the link itself may see, and who calls a hospital's door.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stand;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{Method, Request, StatusCode};
use econnector_api::{Door, TrustedClient};
use econnector_loopback::{KeyFact, LinkFacts, Rules, Software, SoftwareFact};
use serde_json::{Value, json};
use stand::{ID, Stand, WEBER, call, issue_body, json_of, link, send};

#[tokio::test]
async fn the_link_is_decided_about_at_the_window_alone() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules::default());
    let (approval, page) = (format!("/v1/link/approvals/{ID}"), format!("/v1/link/approvals/{ID}/pages/1"));
    let routes = [
        (Method::GET, "/v1/link", None),
        (Method::PUT, "/v1/link/software/Cabinet", Some(json!({ "decision": "allowed" }))),
        (Method::DELETE, "/v1/link/software/Cabinet", None),
        (Method::POST, "/v1/link/origins", Some(json!({ "origin": "https://a.example.lu" }))),
        (Method::DELETE, "/v1/link/origins?origin=https://a.example.lu", None),
        (Method::GET, &approval, None),
        (Method::POST, &approval, Some(json!({ "answer": "once" }))),
        (Method::GET, &page, None),
    ];
    for (door, code) in [
        (Door::Loopback(link.clone()), "route-unknown"),
        (Door::Hospital, "route-unknown"),
        (Door::Desktop(None), "no-session-here"),
    ] {
        let router = stand.router(door);
        for (method, path, body) in &routes {
            let (status, problem) = call(&router, method.clone(), path, body.clone()).await;
            assert_eq!(
                (status, problem["code"].as_str()),
                (StatusCode::NOT_FOUND, Some(code)),
                "{method} {path}"
            );
        }
    }
    assert!(link.view(econnector_forms::Lang::En, None).origins.is_empty());
}

#[tokio::test]
async fn an_origin_gets_a_key_once_and_loses_it() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules::default());
    let window = stand.router(Door::Desktop(Some(link)));
    let origin = json!({ "origin": "https://cabinet.example.lu" });
    let (status, allowed) = call(&window, Method::POST, "/v1/link/origins", Some(origin.clone())).await;
    assert_eq!((status, &allowed["origin"]), (StatusCode::CREATED, &origin["origin"]));
    let key = allowed["key"].as_str().unwrap();
    let (_, view) = call(&window, Method::GET, "/v1/link", None).await;
    assert_eq!(view["origins"][0]["origin"], origin["origin"]);
    assert!(key.len() >= 40 && !view.to_string().contains(key));
    for wrong in ["", "null", "*", "https://cabinet.example.lu/path", "cabinet"] {
        let (status, problem) = call(&window, Method::POST, "/v1/link/origins", Some(json!({ "origin": wrong }))).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("link-origin-invalid")),
            "{wrong}"
        );
    }
    let path = "/v1/link/origins?origin=https%3A%2F%2Fcabinet.example.lu";
    assert_eq!(call(&window, Method::DELETE, path, None).await.0, StatusCode::NO_CONTENT);
    let (status, problem) = call(&window, Method::DELETE, path, None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("link-unknown")));
    let (status, problem) = call(&window, Method::DELETE, "/v1/link/origins", None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("request-parameter")));
}

#[tokio::test]
async fn a_question_for_news_waits_for_them() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules::default());
    let window = stand.router(Door::Desktop(Some(link.clone())));
    let (_, view) = call(&window, Method::GET, "/v1/link", None).await;
    let revision = view["revision"].as_u64().unwrap();
    let path = format!("/v1/link?since={revision}.0");
    let asked = tokio::spawn({
        let window = window.clone();
        async move { call(&window, Method::GET, &path, None).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!asked.is_finished(), "there is no news yet");
    let before = Instant::now();
    link.allow_origin("https://cabinet.example.lu").unwrap();
    let (status, view) = asked.await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(view["revision"].as_u64().unwrap() > revision && before.elapsed() < Duration::from_secs(5));
    for wrong in ["-1", "x", "", "1.5", "99999999999999999999999"] {
        let (status, _) = call(&window, Method::GET, &format!("/v1/link?since={wrong}"), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn software_is_allowed_refused_and_forgotten() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules {
        software: vec!["Preset".into()],
        ..Rules::default()
    });
    let window = stand.router(Door::Desktop(Some(link.clone())));
    let put = |name: &str, body: Value| {
        let (window, path) = (window.clone(), format!("/v1/link/software/{name}"));
        async move { call(&window, Method::PUT, &path, Some(body)).await }
    };
    let (status, problem) = put("Nobody", json!({ "decision": "allowed" })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("link-unknown")));
    for wrong in [
        json!({}),
        json!({ "decision": "preset" }),
        json!({ "decision": "allowed", "trusted_today": 1 }),
    ] {
        let (status, problem) = put("Preset", wrong).await;
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("request-body")));
    }
    assert_eq!(
        put("Preset", json!({ "decision": "refused", "trusted_today": true })).await.0,
        StatusCode::NO_CONTENT
    );
    let (_, view) = call(&window, Method::GET, "/v1/link", None).await;
    assert_eq!(view["software"][0]["decision"], "refused");
    assert_eq!(
        put("Preset", json!({ "decision": "allowed", "trusted_today": true })).await.0,
        StatusCode::NO_CONTENT
    );
    let (_, view) = call(&window, Method::GET, "/v1/link", None).await;
    assert!(view["software"][0]["trusted_until"].is_string(), "{view}");
    assert_eq!(
        call(&window, Method::DELETE, "/v1/link/software/Preset", None).await.0,
        StatusCode::NO_CONTENT
    );
    let (status, problem) = call(&window, Method::DELETE, "/v1/link/software/Preset", None).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("link-preset")));
}

#[tokio::test]
async fn whoever_has_no_key_learns_whether_it_works_and_no_more() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules::default());
    let router = stand.router(Door::Loopback(link));
    for (key, told) in [(KeyFact::Absent, false), (KeyFact::Wrong, false), (KeyFact::Right, true)] {
        let mut request = Request::get("/econnector/status").body(Vec::new()).unwrap();
        request.extensions_mut().insert(LinkFacts {
            proof: None,
            key,
            software: SoftwareFact::Absent,
            version: "0.0.0".to_owned(),
            environment: "training".to_owned(),
            refused: Vec::new(),
        });
        let status = json_of(&send(&router, request).await);
        assert_eq!(status["usable"], false);
        assert!(status["link"]["key"].is_string());
        assert_eq!(status["checks"].as_array().unwrap().is_empty(), !told, "{status}");
    }
    let (_, status) = call(&stand.router(Door::Hospital), Method::GET, "/status", None).await;
    assert!(status.get("link").is_none() && !status["checks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_desk_of_the_machine_is_open_to_its_software() {
    let stand = Stand::new().await;
    let (link, _folder) = link(Rules::default());
    let router = stand.router(Door::Loopback(link));
    for path in ["/v1/session", "/v1/profile", "/v1/printers", "/v1/journal"] {
        let mut request = Request::get(format!("/econnector{path}")).body(Vec::new()).unwrap();
        request.extensions_mut().insert(Software {
            name: "Cabinet".to_owned(),
            origin: None,
        });
        assert_eq!(send(&router, request).await.status(), StatusCode::OK, "{path}");
    }
}

fn of_client(physicians: Option<&[&str]>, named: &[&str]) -> Request<Vec<u8>> {
    let mut request = Request::post("/econnector/v1/documents")
        .header("accept-language", "en")
        .header("content-type", "application/json");
    for physician in named {
        request = request.header("X-EConnector-Physician", *physician);
    }
    let mut request = request.body(issue_body().to_string().into_bytes()).unwrap();
    request.extensions_mut().insert(TrustedClient {
        name: "engine".to_owned(),
        physicians: physicians.map(|all| Arc::new(all.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>())),
    });
    request
}

#[tokio::test]
async fn a_client_of_the_hospital_names_its_physician() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    for named in [
        &[][..],
        &[""],
        &["190000000"],
        &["19000000011"],
        &["190000000a"],
        &["１900000001"],
        &[WEBER, WEBER],
    ] {
        let problem = json_of(&send(&router, of_client(None, named)).await);
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&json!(400), &json!("physician-header")),
            "{named:?}"
        );
    }
    let problem = json_of(&send(&router, of_client(Some(&["1900000002"]), &[WEBER])).await);
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(403), &json!("physician-not-allowed"))
    );
    assert!(stand.delegated.lock().unwrap().is_empty() && stand.signatures_asked() == 0);
    for allowed in [None, Some(&[WEBER][..])] {
        send(&router, of_client(allowed, &[WEBER])).await;
    }
    assert_eq!(
        *stand.delegated.lock().unwrap(),
        [WEBER; 4],
        "for the request, and before the signature service"
    );
    assert_eq!(stand.signatures_asked(), 2);
}

#[tokio::test]
async fn a_token_wins_over_a_client() {
    let stand = Stand::new().await;
    let router = stand.router(Door::Hospital);
    let mut request = of_client(Some(&[]), &[]);
    request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
    send(&router, request).await;
    assert!(stand.delegated.lock().unwrap().is_empty());
    assert_eq!(stand.signatures_asked(), 1);
    // A client is none on the doors of a desktop.
    *stand.at_desk.lock().unwrap() = None;
    let request = of_client(None, &[WEBER]);
    let answer = json_of(&send(&stand.router(Door::Desktop(None)), request).await);
    assert_eq!(answer["code"], "login-required");
    assert!(stand.delegated.lock().unwrap().is_empty());
}
