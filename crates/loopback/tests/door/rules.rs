use econnector_forms::Lang;

use crate::kit::{NAME, door};

#[tokio::test]
async fn who_proves_himself_passes() {
    let door = door().await;
    let told = door.ask("GET /econnector/v1/forms").send().await;
    assert_eq!((told.status, told.body.as_str()), (200, "for Praxis"));
    assert_eq!(told.header("x-frame-options"), Some("DENY"));
    assert_eq!(told.header("access-control-allow-origin"), None);
    for address in door.listening.as_ref().unwrap().addresses() {
        let told = door
            .ask("GET /econnector/v1/forms")
            .to(*address)
            .but("Host", &address.to_string())
            .send()
            .await;
        assert_eq!(told.status, 200, "{address}");
    }
    for (header, value) in [
        ("Host", format!("localhost:{}", door.address().port())),
        ("Host", format!("LocalHost:{}", door.address().port())),
        ("Host", format!("[::1]:{}", door.address().port())),
        ("Sec-Fetch-Site", "none".into()),
        ("Sec-Fetch-Site", "same-origin".into()),
        ("X-EConnector-Software", format!("{NAME}/12.4")),
        ("Origin", format!("http://{}", door.address())),
    ] {
        let told = door.ask("GET /econnector/v1/forms").but(header, &value).send().await;
        assert_eq!(told.status, 200, "{header}: {value}: {told:?}");
    }
    assert!(door.view().refused.is_empty());
}

#[tokio::test]
async fn another_host_is_refused_before_anything_else() {
    let door = door().await;
    let port = door.address().port();
    for host in [
        "127.0.0.1".to_owned(),
        "localhost".to_owned(),
        format!("127.0.0.1:{}", port - 1),
        format!("127.0.0.1:0{port}"),
        format!("127.0.0.1:{port}:{port}"),
        format!("127.0.0.2:{port}"),
        format!("127.1:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("::1:{port}"),
        format!("localhost.:{port}"),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("user@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}, evil.example"),
        ":".to_owned(),
        String::new(),
    ] {
        for line in ["GET /econnector/v1/forms", "GET /econnector/status", "OPTIONS /econnector/v1/forms"] {
            let told = door.ask(line).but("Host", &host).send().await;
            assert!(matches!(told.status, 421 | 400), "{host:?}: {told:?}");
            if told.status == 421 {
                told.is(421, "link-host-wrong");
            }
        }
    }
    let ask = door.ask("GET /econnector/v1/forms");
    ask.clone().without("Host").send().await.is(421, "link-host-wrong");
    ask.clone().with("Host", "evil.example").send().await.is(421, "link-host-wrong");
    ask.clone()
        .without("Host")
        .head("GET /econnector/v1/forms HTTP/1.0")
        .send()
        .await
        .is(421, "link-host-wrong");
    // A target that names a server is for proxies; which of the two names counts would be a matter of taste.
    for target in [
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1:{port}"),
        "http://localhost".to_owned(),
    ] {
        ask.clone()
            .head(&format!("GET {target}/econnector/v1/forms HTTP/1.1"))
            .send()
            .await
            .is(421, "link-host-wrong");
    }
    let told = ask.clone().head("CONNECT evil.example:443 HTTP/1.1").send().await;
    assert_eq!(told.status, 421, "{told:?}");
    let refused = door.view().refused;
    assert!(refused.iter().all(|refusal| refusal.reason == "link-host-wrong"));
    assert!(
        refused
            .iter()
            .any(|refusal| refusal.host.as_deref() == Some(&format!("evil.example:{port}")))
    );
}

#[tokio::test]
async fn pages_of_others_are_refused() {
    let door = door().await;
    let port = door.address().port();
    for origin in [
        "null".to_owned(),
        String::new(),
        "https://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1:{}", port - 1),
        "http://127.0.0.1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        // Its own page, and yet not the one of this address.
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port} https://evil.example"),
        "file://".to_owned(),
    ] {
        for line in ["GET /econnector/v1/forms", "GET /econnector/status", "GET /swagger-ui/index.html"] {
            let told = door.ask(line).with("Origin", &origin).send().await;
            told.is(403, "link-origin-refused");
            assert_eq!(told.header("access-control-allow-origin"), None, "{origin}");
        }
    }
    let own = format!("http://{}", door.address());
    let ask = door.ask("POST /econnector/v1/forms").json(&serde_json::json!({}));
    ask.clone()
        .with("Origin", &own)
        .with("Origin", &own)
        .send()
        .await
        .is(403, "link-origin-refused");
    for site in ["cross-site", "same-site", "", "none, cross-site", "SAME-ORIGIN"] {
        for line in ["GET /econnector/v1/forms", "GET /econnector/status", "GET /swagger-ui/index.html"] {
            door.ask(line).with("Sec-Fetch-Site", site).send().await.is(403, "link-cross-site");
        }
    }
    let twice = door
        .ask("GET /econnector/v1/forms")
        .with("Sec-Fetch-Site", "none")
        .with("Sec-Fetch-Site", "none");
    twice.send().await.is(403, "link-cross-site");
    ask.with("Origin", &own)
        .with("Sec-Fetch-Site", "cross-site")
        .send()
        .await
        .is(403, "link-cross-site");
}

#[tokio::test]
async fn without_the_key_nobody_passes() {
    let door = door().await;
    let ask = door.ask("GET /econnector/v1/forms");
    let told = ask.clone().without("X-EConnector-Key").send().await;
    told.is(401, "link-key-missing");
    assert!(told.header("www-authenticate").is_some());
    assert_eq!(told.header("content-type"), Some("application/problem+json"));
    assert_eq!(told.header("cache-control"), Some("no-store"));
    assert_eq!(told.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(told.header("cross-origin-resource-policy"), Some("same-origin"));
    let key = door.key();
    for wrong in [
        String::new(),
        "x".into(),
        key.chars().skip(1).collect(),
        format!("{key}A"),
        key.to_lowercase(),
        format!("{key}, {key}"),
    ] {
        ask.clone().but("X-EConnector-Key", &wrong).send().await.is(401, "link-key-wrong");
    }
    ask.clone().with("X-EConnector-Key", &key).send().await.is(401, "link-key-missing");
    // The name of a route that is open, with another method, behind a slash, or in a disguise.
    for line in [
        "POST /econnector/status",
        "GET /econnector/status/",
        "GET /econnector//status",
        "GET /econnector/%73tatus",
        "GET /econnector/v1/openapi.json/",
        "POST /swagger-ui/index.html",
        "GET /swagger-uix",
        "GET /nowhere",
        "GET /",
        "BREW /econnector/v1/forms",
    ] {
        door.ask(line).without("X-EConnector-Key").send().await.is(401, "link-key-missing");
    }
    assert!(
        !door
            .ask("GET /econnector/v1/forms")
            .without("X-EConnector-Key")
            .send()
            .await
            .body
            .contains(&key)
    );
}

#[tokio::test]
async fn a_software_says_its_name_in_plain_letters() {
    let door = door().await;
    let ask = door.ask("GET /econnector/v1/forms").without("X-EConnector-Software");
    ask.send().await.is(400, "link-software-unnamed");
    for name in ["", "/1", "Prax  is", "Prax\u{ef}s", "Praxis\u{202e}", "Prax\tis", &"n".repeat(65)] {
        let told = ask.clone().with("X-EConnector-Software", name).send().await;
        told.is(400, "link-software-unnamed");
    }
    let twice = ask.with("X-EConnector-Software", NAME).with("X-EConnector-Software", "Other");
    twice.send().await.is(400, "link-software-unnamed");
    assert!(door.view().waiting.is_empty());
}

#[tokio::test]
async fn bodies_that_any_page_may_post_are_refused() {
    let door = door().await;
    let ask = door.ask("POST /econnector/v1/forms");
    for media in [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "application/pdf",
        "",
    ] {
        ask.clone().body(media, "{}").send().await.is(415, "request-media-type");
    }
    ask.clone()
        .with("Content-Type", "text/plain")
        .send()
        .await
        .is(415, "request-media-type");
    ask.clone()
        .body("application/json", "{}")
        .with("Content-Type", "text/plain")
        .send()
        .await
        .is(415, "request-media-type");
    ask.clone()
        .body("application/json", "{}")
        .without("Content-Type")
        .send()
        .await
        .is(415, "request-media-type");
    for media in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "multipart/form-data; boundary=x",
    ] {
        assert_eq!(ask.clone().body(media, "{}").send().await.status, 200, "{media}");
    }
    assert_eq!(ask.send().await.status, 200, "nothing to say, nothing to name");
    let page = door.ask("POST /econnector/v1/verifications").body("application/pdf", "%PDF-");
    assert_eq!(page.send().await.status, 200);
    let token = door
        .ask("GET /econnector/v1/forms")
        .with("Authorization", "Bearer a")
        .with("Authorization", "Bearer b");
    token.send().await.is(401, "token-missing");
}

#[tokio::test]
async fn strangers_learn_only_what_is_open() {
    let door = door().await;
    for line in [
        "GET /econnector/v1/openapi.json",
        "GET /swagger-ui/index.html",
        "HEAD /econnector/v1/openapi.json",
    ] {
        let told = door
            .ask(line)
            .without("X-EConnector-Key")
            .without("X-EConnector-Software")
            .send()
            .await;
        assert_eq!(told.status, 200, "{line}");
    }
    door.ask("GET /nowhere").without("X-EConnector-Key").send().await;
    let status = door.ask("GET /econnector/status");
    let link = |told: crate::kit::Told| told.json()["link"].clone();
    let stranger = link(status.clone().without("X-EConnector-Key").send().await);
    assert_eq!(
        (stranger["key"].as_str(), stranger["software"].as_str()),
        (Some("absent"), Some("unknown"))
    );
    assert_eq!(stranger["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(stranger["environment"], "training");
    assert!(stranger.get("refused").is_none(), "{stranger}");
    let wrong = link(status.clone().but("X-EConnector-Key", "x").send().await);
    assert_eq!(
        (wrong["key"].as_str(), wrong["software"].as_str()),
        (Some("wrong"), Some("unknown"))
    );
    let known = link(status.clone().send().await);
    assert_eq!(
        (known["key"].as_str(), known["software"].as_str()),
        (Some("right"), Some("allowed"))
    );
    assert_eq!(known["refused"][0]["reason"], "link-key-missing");
    assert_eq!(known["refused"][0]["path"], "…");
    let unnamed = link(status.without("X-EConnector-Software").send().await);
    assert_eq!(unnamed["software"], "absent");
    assert!(door.view().waiting.is_empty(), "the status asks nobody");
    // What is no preflight of a listed page is a request like any other.
    let options = door.ask("OPTIONS /econnector/v1/forms").without("X-EConnector-Key").send().await;
    options.is(401, "link-key-missing");
    assert_eq!(options.header("access-control-allow-origin"), None);
    assert_eq!(door.ask("OPTIONS /econnector/v1/forms").send().await.status, 405);
}

#[tokio::test]
async fn the_program_proves_that_it_knows_the_key_and_tells_nobody() {
    let door = door().await;
    let status = door.ask("GET /econnector/status").without("X-EConnector-Key");
    let proof = |told: crate::kit::Told| told.json()["link"]["proof"].as_str().map(ToOwned::to_owned);
    let challenge = "5fbc9b2e-challenge";
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, door.key().as_bytes());
    let tag = ring::hmac::sign(&key, challenge.as_bytes());
    let expected: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let asked = |said: &str| status.clone().with("X-EConnector-Challenge", said);
    assert_eq!(proof(asked(challenge).send().await), Some(expected));
    assert_ne!(
        proof(asked("5fbc9b2e-challengf").send().await),
        proof(asked(challenge).send().await)
    );
    assert_eq!(proof(status.send().await), None);
    for wrong in ["short", &"x".repeat(129), "with a blank in it, and long"] {
        assert_eq!(proof(asked(wrong).send().await), None, "{wrong}");
    }
    let twice = asked(challenge).with("X-EConnector-Challenge", challenge);
    assert_eq!(proof(twice.send().await), None);
}

#[tokio::test]
async fn refusals_are_told_in_the_language_of_the_caller() {
    let door = door().await;
    let ask = door.ask("GET /econnector/v1/forms").without("X-EConnector-Key");
    let mut titles = std::collections::BTreeSet::new();
    for lang in Lang::ALL {
        let told = ask.clone().with("Accept-Language", lang.code()).send().await;
        titles.insert(told.json()["title"].as_str().unwrap().to_owned());
        let seen = door.link.view(lang, None).refused;
        assert_eq!(seen[0].title, told.json()["title"]);
    }
    assert_eq!(titles.len(), 4);
    let seen = door.view().refused;
    assert_eq!((seen.len(), seen[0].times, seen[0].software.as_deref()), (1, 4, Some(NAME)));
    let patient = door
        .ask("GET /econnector/v1/documents/Schmit?matricule=1950")
        .without("X-EConnector-Key");
    patient.send().await;
    let view = serde_json::to_string(&door.view()).unwrap();
    assert!(!view.contains("Schmit") && !view.contains("1950"), "{view}");
}
