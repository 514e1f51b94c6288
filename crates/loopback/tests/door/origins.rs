use econnector_base::Explain as _;
use econnector_loopback::{OriginRule, Rules};

use crate::kit::{NAME, Told, door, door_with, rules};

const PAGE: &str = "https://praxis.example";

/// An installation that gives the page these keys.
fn giving(keys: &[&str]) -> Rules {
    let rule = |key: &&str| OriginRule {
        origin: PAGE.into(),
        key_sha256: hex(digest(key).as_ref()),
    };
    Rules {
        software: vec![NAME.into()],
        origins: keys.iter().map(rule).collect(),
        ..rules()
    }
}

fn digest(key: &str) -> ring::digest::Digest {
    ring::digest::digest(&ring::digest::SHA256, key.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_listed_page_calls_with_its_own_key_and_reads_the_answer() {
    let door = door().await;
    let new = door.link.allow_origin(" https://Praxis.example/ ").unwrap();
    assert_eq!((new.origin.as_str(), new.key.len()), (PAGE, 43));
    let other = door.link.allow_origin("https://other.example").unwrap();
    let ask = door
        .ask("POST /econnector/v1/forms")
        .json(&serde_json::json!({}))
        .with("Origin", PAGE)
        .with("Sec-Fetch-Site", "cross-site");
    let told = ask.clone().but("X-EConnector-Key", &new.key).send().await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(told.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(told.header("vary"), Some("Origin"));
    assert_eq!(told.header("access-control-allow-credentials"), None);
    // Neither the key of the file nor that of another page counts for a page; it may read why.
    for wrong in [door.key(), other.key.clone(), String::new()] {
        let told = ask.clone().but("X-EConnector-Key", &wrong).send().await;
        told.is(401, "link-key-wrong");
        assert_eq!(told.header("access-control-allow-origin"), Some(PAGE));
    }
    ask.clone().without("X-EConnector-Key").send().await.is(401, "link-key-missing");
    // And a page's key is worth nothing without the page.
    let program = door.ask("GET /econnector/v1/forms").but("X-EConnector-Key", &new.key);
    program.send().await.is(401, "link-key-wrong");
    let status = door
        .ask("GET /econnector/status")
        .with("Origin", PAGE)
        .but("X-EConnector-Key", &new.key);
    let facts = status.send().await.json()["link"].clone();
    assert_eq!(facts["key"], "right");
    assert!(facts.get("refused").is_none(), "what others did is not a page's affair: {facts}");

    // Allowed again, it has a new key.
    let renewed = door.link.allow_origin(PAGE).unwrap();
    ask.clone().but("X-EConnector-Key", &new.key).send().await.is(401, "link-key-wrong");
    assert_eq!(ask.clone().but("X-EConnector-Key", &renewed.key).send().await.status, 200);
    assert_eq!(door.view().origins.len(), 2);
    door.link.forget_origin(PAGE).unwrap();
    let told = ask.but("X-EConnector-Key", &renewed.key).send().await;
    told.is(403, "link-origin-refused");
    assert_eq!(told.header("access-control-allow-origin"), None);
    assert_eq!(door.link.forget_origin(PAGE).unwrap_err().code(), "link-unknown");
}

#[tokio::test]
async fn a_preflight_reveals_nothing_to_others() {
    let door = door().await;
    door.link.allow_origin(PAGE).unwrap();
    let ask = door
        .ask("OPTIONS /econnector/v1/documents")
        .without("X-EConnector-Key")
        .without("X-EConnector-Software")
        .with("Sec-Fetch-Site", "cross-site")
        .with("Access-Control-Request-Method", "POST")
        .with("Access-Control-Request-Headers", "x-econnector-key,content-type")
        .with("Access-Control-Request-Private-Network", "true");
    let told = ask.clone().with("Origin", PAGE).send().await;
    assert_eq!((told.status, told.body.as_str()), (204, ""));
    assert_eq!(told.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(told.header("access-control-allow-private-network"), Some("true"));
    let allowed = told.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    for header in [
        "x-econnector-key",
        "x-econnector-software",
        "x-econnector-challenge",
        "content-type",
        "authorization",
    ] {
        assert!(allowed.contains(header), "{allowed}");
    }
    assert!(told.header("access-control-allow-methods").unwrap().contains("POST"));
    for (line, origin) in [
        ("OPTIONS /econnector/v1/documents", "https://evil.example"),
        ("OPTIONS /nowhere", "https://evil.example"),
        ("OPTIONS /econnector/v1/documents", "https://praxis.example.evil.example"),
        ("OPTIONS /econnector/v1/documents", "http://praxis.example"),
        ("OPTIONS /econnector/v1/documents", "https://praxis.example:8443"),
        ("OPTIONS /econnector/v1/documents", "HTTPS://PRAXIS.EXAMPLE"),
        ("OPTIONS /econnector/v1/documents", "null"),
    ] {
        let told = ask.clone().head(&format!("{line} HTTP/1.1")).with("Origin", origin).send().await;
        told.is(403, "link-origin-refused");
        assert!(!told.head.to_ascii_lowercase().contains("access-control-"), "{told:?}");
    }
}

#[tokio::test]
async fn the_program_proves_to_a_page_that_it_knows_its_key_at_this_port() {
    let (one, other) = (
        "the-key-of-the-first-practice-of-this-page",
        "the-key-of-the-second-practice-of-this-page",
    );
    let rules = giving(&[one, other]);
    let door = door_with(rules.clone()).await;
    let challenge = "5fbc9b2e-challenge";
    let status = door.ask("GET /econnector/status").without("X-EConnector-Key").with("Origin", PAGE);
    let proof = |told: Told| told.json()["link"]["proof"].as_str().map(ToOwned::to_owned);
    let asked = |said: &str| status.clone().with("X-EConnector-Challenge", said);
    let told = proof(asked(challenge).send().await).unwrap();
    let signed = |key: &str, message: String| {
        hex(ring::hmac::sign(
            &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, digest(key).as_ref()),
            message.as_bytes(),
        )
        .as_ref())
    };
    let expected = [one, other].map(|key| signed(key, format!("{challenge} {}", door.address().port())));
    assert_eq!(told.split(' ').collect::<Vec<_>>(), expected);
    // Another program that knows the keys proves it for its own port: what it says serves nobody who took this one.
    let elsewhere = door_with(rules).await;
    let status_there = elsewhere
        .ask("GET /econnector/status")
        .with("Origin", PAGE)
        .with("X-EConnector-Challenge", challenge);
    let there = proof(status_there.send().await).unwrap();
    assert!(told.split(' ').all(|proof| !there.contains(proof)), "{told} {there}");
    // Nothing else is proven to a page, and nothing to other pages.
    let program = proof(asked(challenge).without("Origin").send().await).unwrap();
    assert!(!told.contains(&program), "{told} {program}");
    let stranger = asked(challenge).but("Origin", "https://evil.example").send().await;
    stranger.is(403, "link-origin-refused");
    assert!(!stranger.body.contains("proof"), "{stranger:?}");
    assert_eq!(proof(status.send().await), None);
    for wrong in ["short", &"x".repeat(129), "with a blank in it, and long"] {
        assert_eq!(proof(asked(wrong).send().await), None, "{wrong}");
    }
    let twice = asked(challenge).with("X-EConnector-Challenge", challenge);
    assert_eq!(proof(twice.send().await), None);
}

#[tokio::test]
async fn origins_of_the_installation_stay() {
    let key = "a-key-that-the-installation-gave-to-the-web-app";
    let door = door_with(giving(&[key])).await;
    let ask = door.ask("GET /econnector/v1/forms").with("Origin", PAGE);
    assert_eq!(ask.clone().but("X-EConnector-Key", key).send().await.status, 200);
    ask.send().await.is(401, "link-key-wrong");
    assert!(door.view().origins[0].preset);
    assert_eq!(door.link.forget_origin(PAGE).unwrap_err().code(), "link-preset");
    assert_eq!(door.link.allow_origin(PAGE).err().map(|error| error.code()), Some("link-preset"));
    let own = format!("http://{}", door.address());
    assert_eq!(
        door.link.allow_origin(&own).err().map(|error| error.code()),
        Some("link-origin-invalid")
    );
}
