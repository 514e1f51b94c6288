//! AeS, driven as a browser and a client would.
#![allow(clippy::unwrap_used)]

mod support;

use econnector_sandbox::{Sandbox, SandboxOptions};
use reqwest::StatusCode;
use serde_json::json;
use support::{
    VERIFIER, access_token, authorization_url, by_code, callback, claims, client, control, discovery, fault, form_action, log_in, once,
    refresh, sandbox, token,
};

#[tokio::test]
async fn a_physician_logs_in_by_code_and_pkce() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));

    let url = authorization_url(ready, &client, &[]).await;
    let page = client
        .get(url.clone())
        .header("Accept-Language", "fr-LU")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(page.contains("<html lang=\"fr\">") && page.contains("<label for=\"password\">"));
    let english = client
        .get(url.clone())
        .header("Accept-Language", "en-GB,en")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(english.contains("<html lang=\"en\">"));
    assert!(english.contains("secretary, for Dr Anne Weber, for Dr Luc Muller"));

    let wrong = client
        .post(form_action(&url, &page))
        .form(&[("username", "dr.weber"), ("password", "x")])
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::OK);
    let page = wrong.text().await.unwrap();
    assert!(page.contains("role=\"alert\"") && page.contains("value=\"dr.weber\""));

    let answer = client
        .post(form_action(&url, &page))
        .form(&[("username", "dr.weber"), ("password", "weber")])
        .send()
        .await
        .unwrap();
    let parameters = callback(&answer);
    assert_eq!((parameters["state"].as_str(), &parameters["iss"]), ("the-state", &ready.issuer));

    let (status, tokens) = by_code(ready, &client, &parameters["code"], VERIFIER).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    assert_eq!(
        (tokens["expires_in"].as_u64(), tokens["refresh_expires_in"].as_u64()),
        (Some(300), Some(1800))
    );
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((id["nonce"].as_str(), id["aud"].as_str()), (Some("the-nonce"), Some("econnector")));
    let access = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        (access["eHealthId"].as_str(), access["name"].as_str()),
        (Some("1900000001"), Some("Dr Anne Weber"))
    );
    assert_eq!(
        (&access["providerCodes"], &access["aud"][0]),
        (&json!(["90000101"]), &json!("https://eadmin.lu/"))
    );

    let endpoint = discovery(ready, &client).await["userinfo_endpoint"].as_str().unwrap().to_owned();
    let info = client
        .get(&endpoint)
        .bearer_auth(tokens["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(info.json::<serde_json::Value>().await.unwrap()["preferred_username"], "dr.weber");
    assert_eq!(client.get(&endpoint).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_secretary_has_no_ehealth_id_but_the_physicians_she_works_for() {
    let sandbox = sandbox().await;
    let access = claims(&access_token(sandbox.ready(), "sec.klein", "klein").await);
    assert_eq!(access.get("eHealthId"), None);
    assert_eq!(
        access["actsFor"][1],
        json!({"eHealthId": "1900000002", "name": "Dr Luc Muller", "providerCodes": ["90000102"]})
    );
}

#[tokio::test]
async fn a_request_that_is_not_in_order_gets_no_code() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    for unsafe_parameter in [
        ("redirect_uri", "http://127.0.0.1:1/elsewhere"),
        ("redirect_uri", "https://evil.test/callback"),
        ("client_id", "hopital-eai"),
        ("client_id", ""),
    ] {
        let answer = client
            .get(authorization_url(ready, &client, &[unsafe_parameter]).await)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{unsafe_parameter:?}");
        assert!(answer.headers().get("location").is_none());
    }
    for (parameter, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("prompt", "none"), "login_required"),
    ] {
        let answer = client
            .get(authorization_url(ready, &client, &[parameter]).await)
            .send()
            .await
            .unwrap();
        let parameters = callback(&answer);
        assert_eq!((parameters["error"].as_str(), &parameters["iss"]), (error, &ready.issuer));
    }
}

#[tokio::test]
async fn a_code_works_once_and_for_its_verifier_only() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));

    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let (status, answer) = by_code(ready, &client, &code, "another-verifier-that-is-long-enough-for-the-rule-of-43").await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));

    // Single sign-on: the same browser is not asked again.
    let answer = client.get(authorization_url(ready, &client, &[]).await).send().await.unwrap();
    let code = callback(&answer)["code"].clone();
    let (status, tokens) = by_code(ready, &client, &code, VERIFIER).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(by_code(ready, &client, &code, VERIFIER).await.0, StatusCode::BAD_REQUEST);
    let (status, answer) = refresh(ready, &client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant")),
        "tokens of a code used twice are revoked"
    );
}

#[tokio::test]
async fn a_refresh_token_used_twice_kills_its_family() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let code = log_in(ready, &client, "dr.muller", "muller").await["code"].clone();
    let first = by_code(ready, &client, &code, VERIFIER).await.1["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();

    let (status, tokens) = refresh(ready, &client, &first).await;
    assert_eq!(status, StatusCode::OK);
    let second = tokens["refresh_token"].as_str().unwrap().to_owned();
    let answers = futures_of_four(ready, &client, &second).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == StatusCode::OK).count(), 1);
    let winner = answers.iter().find(|(status, _)| *status == StatusCode::OK).unwrap().1["refresh_token"]
        .as_str()
        .unwrap();
    assert_eq!(
        refresh(ready, &client, winner).await.0,
        StatusCode::BAD_REQUEST,
        "the winner's token is dead too"
    );
    let events = control(ready, "/aes/events").await;
    assert!(
        events
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "REFRESH_TOKEN_REUSE" && event["username"] == "dr.muller")
    );
}

#[tokio::test]
async fn two_redemptions_at_once_are_noted_even_when_the_first_is_slow() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let tokens = async |username: &str, password: &str| {
        let browser = support::client(ready);
        let code = log_in(ready, &browser, username, password).await["code"].clone();
        let tokens = by_code(ready, &client, &code, VERIFIER).await.1;
        tokens["refresh_token"].as_str().unwrap().to_owned()
    };
    let (weber, muller) = (tokens("dr.weber", "weber").await, tokens("dr.muller", "muller").await);
    let overlaps = async || {
        let events = control(ready, "/aes/events").await;
        let events = events.as_array().unwrap().iter();
        events.filter(|event| event["type"] == "REFRESH_TOKEN_OVERLAP").count()
    };

    // Two people at once, and one person twice in a row.
    fault(
        ready,
        json!({"service": "aes", "kind": "delay", "ms": 300, "count": 2, "path": "/token"}),
    )
    .await;
    let (first, _) = tokio::join!(refresh(ready, &client, &weber), refresh(ready, &client, &muller));
    let weber = first.1["refresh_token"].as_str().unwrap().to_owned();
    let (status, answer) = refresh(ready, &client, &weber).await;
    assert_eq!((status, overlaps().await), (StatusCode::OK, 0));

    let weber = answer["refresh_token"].as_str().unwrap();
    fault(
        ready,
        json!({"service": "aes", "kind": "delay", "ms": 300, "count": 1, "path": "/token"}),
    )
    .await;
    tokio::join!(refresh(ready, &client, weber), refresh(ready, &client, weber));
    assert_eq!(overlaps().await, 1);
}

#[tokio::test]
async fn an_answer_that_is_lost_has_spent_the_refresh_token() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let tokens = by_code(ready, &client, &code, VERIFIER).await.1;
    let token = tokens["refresh_token"].as_str().unwrap();
    fault(
        ready,
        json!({"service": "aes", "kind": "drop", "after": true, "path": "/token", "count": 1}),
    )
    .await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "econnector"),
        ("refresh_token", token),
    ];
    assert!(client.post(&ready.token_endpoint).form(&form).send().await.is_err());
    let (status, answer) = refresh(ready, &client, token).await;
    assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    let kinds: Vec<_> = control(ready, "/aes/events")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(
        kinds[2..],
        ["REFRESH_TOKEN", "REFRESH_TOKEN_LOST", "REFRESH_TOKEN_REUSE", "TOKEN_ERROR"].map(|kind| json!(kind))
    );
}

#[tokio::test]
async fn somebody_else_logs_in_where_one_is_logged_in_already() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let weber = by_code(ready, &client, &code, VERIFIER).await.1;
    for asked in [
        [("prompt", "login"), ("login_hint", "dr.schmit")],
        [("max_age", "0"), ("login_hint", "dr.schmit")],
        [("prompt", "login consent"), ("login_hint", "dr.schmit")],
    ] {
        let page = client.get(authorization_url(ready, &client, &asked).await).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.text().await.unwrap().contains("value=\"dr.schmit\""));
    }
    let silent = [("prompt", "none"), ("max_age", "0")];
    let answer = client.get(authorization_url(ready, &client, &silent).await).send().await.unwrap();
    assert_eq!(callback(&answer)["error"], "login_required");
    let answer = client
        .get(authorization_url(ready, &client, &[("max_age", "600")]).await)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND, "she has just logged in");

    let url = authorization_url(ready, &client, &[("prompt", "login")]).await;
    let page = client.get(url.clone()).send().await.unwrap().text().await.unwrap();
    let answer = client
        .post(form_action(&url, &page))
        .form(&[("username", "dr.schmit"), ("password", "schmit")])
        .send()
        .await
        .unwrap();
    let tokens = by_code(ready, &client, &callback(&answer)["code"], VERIFIER).await.1;
    let access = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(access["eHealthId"], "1900000004");
    assert_eq!(
        access["actsFor"],
        json!([{"eHealthId": "1900000001", "name": "Dr Anne Weber", "providerCodes": ["90000101"]}])
    );
    // The first one's session goes on in her own program, until everybody's ends.
    let (status, weber) = refresh(ready, &client, weber["refresh_token"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    let ended = client.delete(format!("{}/aes/sessions", ready.control)).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    for tokens in [weber, tokens] {
        let (status, answer) = refresh(ready, &client, tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!((status, &answer["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    }
    let page = client.get(authorization_url(ready, &client, &[]).await).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "nobody is logged in any more");
}

#[tokio::test]
async fn aes_goes_by_another_name_when_told() {
    let options = SandboxOptions {
        aes_host: "aes.formation.test".to_owned(),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let ready = sandbox.ready();
    let issuer = url::Url::parse(&ready.issuer).unwrap();
    assert_eq!(issuer.host_str(), Some("aes.formation.test"));
    assert!(ready.token_endpoint.starts_with(&ready.issuer));
    let here = std::net::SocketAddr::from(([127, 0, 0, 1], issuer.port().unwrap()));
    let client = support::client_that_finds(ready, "aes.formation.test", here);
    let discovery = discovery(ready, &client).await;
    assert_eq!(discovery["issuer"], ready.issuer.as_str());
    assert!(discovery["authorization_endpoint"].as_str().unwrap().starts_with(&ready.issuer));
    // The other services, and loopback's names, are as always.
    assert!(ready.kms.starts_with("https://localhost:"));
    let by_address = format!(
        "https://127.0.0.1:{}{}/.well-known/openid-configuration",
        here.port(),
        issuer.path()
    );
    assert_eq!(client.get(by_address).send().await.unwrap().status(), StatusCode::OK);
}

async fn futures_of_four(ready: &econnector_sandbox::Ready, client: &reqwest::Client, token: &str) -> [(StatusCode, serde_json::Value); 4] {
    let (a, b, c, d) = tokio::join!(
        refresh(ready, client, token),
        refresh(ready, client, token),
        refresh(ready, client, token),
        refresh(ready, client, token)
    );
    [a, b, c, d]
}

#[tokio::test]
async fn logout_ends_the_session_and_its_refresh_tokens() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let logout = discovery(ready, &client).await["end_session_endpoint"].as_str().unwrap().to_owned();

    // As Keycloak's clients do it, behind the browser's back.
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let tokens = by_code(ready, &client, &code, VERIFIER).await.1;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let form = [("client_id", "econnector"), ("refresh_token", refresh_token)];
    assert_eq!(
        client.post(&logout).form(&form).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(refresh(ready, &client, refresh_token).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        client.post(&logout).form(&form).send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    let page = client.get(authorization_url(ready, &client, &[]).await).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "the browser is asked to log in again");

    // As OpenID Connect RP-Initiated Logout.
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let tokens = by_code(ready, &client, &code, VERIFIER).await.1;
    let link = [
        ("id_token_hint", tokens["id_token"].as_str().unwrap()),
        ("post_logout_redirect_uri", "http://127.0.0.1:5/bye"),
        ("state", "s"),
    ];
    let answer = client.get(&logout).query(&link).send().await.unwrap();
    assert_eq!(
        (answer.status(), answer.headers()["location"].to_str().unwrap()),
        (StatusCode::FOUND, "http://127.0.0.1:5/bye?state=s")
    );
    assert_eq!(
        refresh(ready, &client, tokens["refresh_token"].as_str().unwrap()).await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_hospital_exchanges_and_is_refused_as_by_the_real_service() {
    let sandbox = sandbox().await;
    let (ready, http) = (sandbox.ready(), client(sandbox.ready()));
    let exchange = async |client: &str, secret: &str, subject: &str, audience: &str| {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", client),
            ("client_secret", secret),
            ("requested_subject", subject),
            ("audience", audience),
        ];
        token(ready, &http, &form).await
    };
    let (status, tokens) = exchange("hopital-eai", "s3cr3t", "1900000001", "https://eadmin.lu/").await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let access = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        (access["eHealthId"].as_str(), access["act"]["sub"].as_str()),
        (Some("1900000001"), Some("hopital-eai"))
    );

    let (status, answer) = exchange("hopital-eai", "wrong", "1900000001", "https://eadmin.lu/").await;
    assert_eq!(
        (status, answer["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_client"))
    );
    let denied = json!({"error": "access_denied", "error_description": "Client not allowed to exchange"});
    assert_eq!(
        exchange("hopital-eai", "s3cr3t", "1999999999", "https://eadmin.lu/").await,
        (StatusCode::FORBIDDEN, denied.clone())
    );
    assert_eq!(
        exchange("other-eai", "s3cr3t2", "1900000001", "https://eadmin.lu/").await,
        (StatusCode::FORBIDDEN, denied)
    );
    assert_eq!(
        exchange("hopital-eai", "s3cr3t", "1900000001", "https://other.lu/").await.0,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn only_the_login_page_is_served_without_tls() {
    let options = SandboxOptions {
        browser_login_over_http: true,
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let url = authorization_url(ready, &client, &[]).await;
    assert_eq!((url.scheme(), url.host_str()), ("http", Some("127.0.0.1")));
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let elsewhere = url.join("/auth/realms/default/protocol/openid-connect/token").unwrap();
    assert_eq!(client.post(elsewhere).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(by_code(ready, &client, &code, VERIFIER).await.0, StatusCode::OK);
}

#[tokio::test]
async fn faults_of_aes() {
    let sandbox = sandbox().await;
    let (ready, client) = (sandbox.ready(), client(sandbox.ready()));
    let code = log_in(ready, &client, "dr.weber", "weber").await["code"].clone();
    let refresh_token = by_code(ready, &client, &code, VERIFIER).await.1["refresh_token"]
        .as_str()
        .unwrap()
        .to_owned();

    once(ready, "aes", "refuse").await;
    let (status, answer) = refresh(ready, &client, &refresh_token).await;
    assert_eq!((status, answer["error"].as_str()), (StatusCode::FORBIDDEN, Some("access_denied")));
    once(ready, "aes", "expired").await;
    let (status, answer) = refresh(ready, &client, &refresh_token).await;
    assert_eq!((status, answer["error"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid_grant")));
    assert_eq!(
        fault(
            ready,
            json!({"service": "aes", "kind": "status", "status": 503, "count": 1, "path": "/token"})
        )
        .await,
        StatusCode::CREATED
    );
    assert_eq!(
        discovery(ready, &client).await["issuer"],
        ready.issuer.as_str(),
        "another path is spared"
    );
    assert_eq!(refresh(ready, &client, &refresh_token).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refresh(ready, &client, &refresh_token).await.0, StatusCode::OK);
}
