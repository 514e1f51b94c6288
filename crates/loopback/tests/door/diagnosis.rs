use axum::Router;
use axum::routing::get;
use econnector_forms::Lang;
use econnector_loopback::doctor::{self, Level, Report, Trouble};
use tokio::net::TcpListener;

use crate::kit::{Door, door};

fn codes(report: &Report) -> Vec<(&str, Level)> {
    report
        .findings()
        .iter()
        .map(|finding| (finding.code.as_str(), finding.level))
        // What surrounds the test is not its matter.
        .filter(|(code, _)| !["proxy-catches", "localhost-elsewhere", "address-no-ipv6"].contains(code))
        .collect()
}

async fn examine(door: &Door) -> Report {
    doctor::examine(door.folder.path(), &[], Lang::En).await
}

#[tokio::test]
async fn a_door_that_works_is_said_to_work() {
    let door = door().await;
    door.ask("GET /econnector/v1/forms").without("X-EConnector-Key").send().await;
    let report = examine(&door).await;
    let addresses = door.listening.as_ref().unwrap().addresses().len();
    let mut expected = vec![("file-found", Level::Well), ("process-alive", Level::Well)];
    expected.extend(vec![("address-answers", Level::Well); addresses]);
    expected.push(("service-failing", Level::Wrong));
    expected.push(("link-key-missing", Level::Notice));
    assert_eq!(codes(&report), expected, "{report}");
    assert!(!report.ok(), "the KMS of this router does not answer");
    let text = report.to_string();
    assert!(
        text.contains("KMS: Antwortet nicht") && text.contains("GET /econnector/v1/forms"),
        "{text}"
    );
    assert!(text.lines().filter(|line| line.starts_with('✓')).count() >= 3, "{text}");
    assert!(!text.contains('{'), "nothing is left to fill in: {text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["findings"][0]["code"], "file-found");
    assert_eq!(json["findings"][0]["level"], "well");
    assert!(
        !json.to_string().contains(&door.key()) && !text.contains(&door.key()),
        "the key is not shown"
    );
    let mut titles = std::collections::BTreeSet::new();
    for lang in Lang::ALL {
        titles.insert(doctor::examine(door.folder.path(), &[], lang).await.findings()[0].title.clone());
    }
    assert_eq!(titles.len(), 4);
}

#[tokio::test]
async fn a_door_that_is_not_there_is_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let report = doctor::examine(folder.path(), &[], Lang::En).await;
    assert_eq!(codes(&report), [("file-missing", Level::Wrong)]);
    assert!(!report.findings()[0].next.is_empty());
    let report = doctor::examine(&folder.path().join("none"), &[], Lang::En).await;
    assert_eq!(codes(&report), [("file-missing", Level::Wrong)]);
}

#[tokio::test]
async fn what_is_wrong_with_the_files_is_named() {
    let mut door = door().await;
    let path = door.folder.path().join("connection.json");
    let written = door.file("connection.json");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(codes(&examine(&door).await), [("file-missing-running", Level::Wrong)]);
    for garbage in ["", "[]", "{\"url\": 5}", "\u{feff}{}"] {
        std::fs::write(&path, garbage).unwrap();
        assert!(
            codes(&examine(&door).await).contains(&("file-garbage", Level::Wrong)),
            "{garbage:?}"
        );
    }
    std::fs::write(&path, " ".repeat(100_000)).unwrap();
    assert_eq!(codes(&examine(&door).await), [("file-unreadable", Level::Wrong)]);
    std::fs::write(&path, &written).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let report = examine(&door).await;
        assert_eq!(codes(&report)[0], ("file-open", Level::Wrong));
        assert!(report.findings()[0].title.contains("044"), "{report}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::write(door.folder.path().join("link.json"), "not ours").unwrap();
    assert_eq!(codes(&examine(&door).await).last(), Some(&("decisions-unusable", Level::Wrong)));
    std::fs::remove_file(door.folder.path().join("link.json")).unwrap();

    let older = written.replace(env!("CARGO_PKG_VERSION"), "0.0.1");
    std::fs::write(&path, older).unwrap();
    assert!(codes(&examine(&door).await).contains(&("version-file", Level::Notice)));

    // Killed: nobody answers, and the lock says that nobody will.
    std::fs::write(&path, &written).unwrap();
    door.listening.take().unwrap().stop().await;
    std::fs::write(&path, &written).unwrap();
    let report = examine(&door).await;
    assert!(codes(&report).contains(&("process-dead", Level::Wrong)), "{report}");
    assert!(codes(&report).contains(&("address-silent", Level::Wrong)), "{report}");
}

#[tokio::test]
async fn strangers_at_the_address_are_recognised() {
    let first = door().await;
    let written = first.file("connection.json");
    let path = first.folder.path().join("connection.json");
    std::fs::write(&path, written.replace(&first.key(), &"x".repeat(43))).unwrap();
    assert!(codes(&examine(&first).await).contains(&("address-key-wrong", Level::Wrong)));

    let stranger = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = stranger.local_addr().unwrap();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let heard = told.clone();
    let router = Router::new().fallback(get(move |headers: axum::http::HeaderMap| async move {
        heard.lock().unwrap().push(format!("{headers:?}"));
        "I am a printer"
    }));
    let serving = tokio::spawn(async move { axum::serve(stranger, router).await });
    let mut file: serde_json::Value = serde_json::from_str(&written).unwrap();
    file["addresses"] = serde_json::json!([format!("http://{address}")]);
    std::fs::write(&path, file.to_string()).unwrap();
    let report = examine(&first).await;
    assert!(codes(&report).contains(&("address-stranger", Level::Wrong)), "{report}");
    let told = told.lock().unwrap().join("\n");
    assert!(
        !told.is_empty() && !told.contains("x-econnector-key"),
        "a stranger gets no key: {told}"
    );
    serving.abort();

    // One that passes for an eConnector, and does not know the key.
    let impostor = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = impostor.local_addr().unwrap();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let heard = told.clone();
    let answer = r#"{"version":"1","usable":true,"checks":[],"link":{"key":"right","software":"allowed","version":"1","environment":"production","proof":"00"}}"#;
    let router = Router::new().fallback(get(move |headers: axum::http::HeaderMap| async move {
        heard.lock().unwrap().push(format!("{headers:?}"));
        answer
    }));
    let serving = tokio::spawn(async move { axum::serve(impostor, router).await });
    file["addresses"] = serde_json::json!([format!("http://{address}")]);
    std::fs::write(&path, file.to_string()).unwrap();
    let report = examine(&first).await;
    assert!(codes(&report).contains(&("address-key-wrong", Level::Wrong)), "{report}");
    let told = told.lock().unwrap().join("\n");
    assert!(
        !told.is_empty() && !told.contains("x-econnector-key"),
        "nor does an impostor: {told}"
    );
    serving.abort();

    file["addresses"] = serde_json::json!(["http://192.0.2.1:80"]);
    std::fs::write(&path, file.to_string()).unwrap();
    assert!(codes(&examine(&first).await).contains(&("address-none", Level::Wrong)));
}

#[tokio::test]
async fn what_is_wrong_elsewhere_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let troubles = [
        Trouble::SettingsBroken {
            file: file.clone(),
            reason: "settings: line 4, issuer: missing".into(),
        },
        Trouble::RulesBroken {
            file: file.clone(),
            reason: "line 1".into(),
        },
        Trouble::LinkOff { file: file.clone() },
    ];
    for lang in Lang::ALL {
        let report = doctor::examine(folder.path(), &troubles, lang).await;
        assert_eq!(
            codes(&report),
            [
                ("settings-broken", Level::Wrong),
                ("rules-broken", Level::Wrong),
                ("link-switched-off", Level::Wrong),
                ("file-missing", Level::Wrong)
            ]
        );
        let text = report.to_string();
        assert!(text.contains("line 4, issuer") && text.contains("settings.toml"), "{text}");
        assert!(!text.contains('{'), "{text}");
    }
}
