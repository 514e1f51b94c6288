use econnector_base::Explain as _;
use econnector_forms::Lang;
use econnector_loopback::{Decision, Link, LinkError, Rules, TrainingTokens, listen};
use serde_json::Value;

use crate::kit::{NAME, WEBER, door, door_with, open, options, router, rules};

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_connection_file_leads_here_and_goes_with_the_door() {
    let mut door = door().await;
    let file: Value = serde_json::from_str(&door.file("connection.json")).unwrap();
    let address = door.address();
    assert_eq!(file["url"], format!("http://{address}"));
    assert_eq!(file["addresses"][0], file["url"]);
    assert_eq!(
        file["addresses"].as_array().unwrap().len(),
        door.listening.as_ref().unwrap().addresses().len()
    );
    assert_eq!(file["key"], door.key());
    assert_eq!(door.key().len(), 43);
    assert_eq!(file["pid"], std::process::id());
    assert_eq!(
        (file["version"].as_str(), file["environment"].as_str()),
        (Some(env!("CARGO_PKG_VERSION")), Some("training"))
    );
    assert!(file["started_at"].as_str().unwrap().contains('T'));
    let path = door.folder.path().join("connection.json");
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
    let view = door.view();
    assert!(view.enabled && view.listening);
    assert_eq!(view.addresses[0], format!("http://{address}"));
    assert_eq!(view.connection_file, path.display().to_string());
    door.listening.take().unwrap().stop().await;
    assert!(!path.exists());
    assert!(!door.view().listening && door.view().addresses.is_empty());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is free");

    let listening = listen(router(&door.link), door.link.clone()).await.unwrap();
    assert!(path.exists());
    drop(listening);
    assert!(!path.exists(), "dropped is stopped");
    let names: Vec<_> = std::fs::read_dir(door.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["connection.lock"], "nothing is left");
}

#[tokio::test]
async fn where_tokens_for_trying_out_are_had_is_told_only_when_it_was_offered() {
    let folder = tempfile::tempdir().unwrap();
    let link = Link::open(options(folder.path(), rules())).unwrap();
    let file = || -> Value { serde_json::from_slice(&std::fs::read(folder.path().join("connection.json")).unwrap()).unwrap() };
    let listening = listen(router(&link), link.clone()).await.unwrap();
    assert!(file().get("training").is_none());
    listening.stop().await;
    link.offer_tokens(TrainingTokens {
        token_endpoint: "https://localhost:1/token".into(),
        ca_pem: "ca.pem".into(),
        client_id: "hopital-eai".into(),
        client_secret: "s3cr3t".into(),
        ehealth_id: "1900000001".into(),
    });
    let listening = listen(router(&link), link.clone()).await.unwrap();
    assert_eq!(file()["training"]["token_endpoint"], "https://localhost:1/token");
    listening.stop().await;
}

#[tokio::test]
async fn each_start_has_a_key_of_its_own() {
    let mut first = door().await;
    let key = first.key();
    first.listening.take().unwrap().stop().await;
    let second = open(first.folder.clone(), rules()).await;
    assert_ne!(second.key(), key);
    second
        .ask("GET /econnector/v1/forms")
        .but("X-EConnector-Key", &key)
        .send()
        .await
        .is(401, "link-key-wrong");
}

#[tokio::test]
async fn a_live_instance_keeps_its_file_and_a_dead_one_leaves_it() {
    let mut live = door().await;
    let written = live.file("connection.json");
    let other = Link::open(options(live.folder.path(), rules())).unwrap();
    let refused = listen(router(&other), other.clone()).await.err().unwrap();
    assert_eq!(refused.code(), "link-in-use");
    assert_eq!(live.file("connection.json"), written);
    live.listening.take().unwrap().stop().await;

    // Killed: the file stayed, and the lock went with the process.
    let path = live.folder.path().join("connection.json");
    std::fs::write(&path, &written).unwrap();
    let listening = listen(router(&other), other.clone()).await.unwrap();
    let now: Value = serde_json::from_str(&live.file("connection.json")).unwrap();
    assert_eq!(now["key"], other.connection_key().reveal());
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600, "however open the old one was");
    // A file that another wrote since is not ours to remove.
    std::fs::write(&path, &written).unwrap();
    listening.stop().await;
    assert_eq!(live.file("connection.json"), written);
}

#[tokio::test]
async fn decisions_outlive_the_program() {
    let mut door = door_with(rules()).await;
    for name in ["Allowed", "Refused"] {
        let line = door.ask("GET /econnector/v1/forms").but("X-EConnector-Software", name).hold().await;
        door.waiting(1).await;
        door.link.decide(name, name == "Allowed").unwrap();
        drop(line);
    }
    let page = door.link.allow_origin("https://praxis.example").unwrap();
    door.link.trust_today("Allowed", WEBER).unwrap();
    let text = door.file("link.json");
    assert!(
        !text.contains(&page.key) && !text.contains(&door.key()),
        "keys are kept as SHA-256 only"
    );
    #[cfg(unix)]
    assert_eq!(mode(&door.folder.path().join("link.json")), 0o600);
    door.listening.take().unwrap().stop().await;

    let door = open(door.folder.clone(), rules()).await;
    let view = door.view();
    let decided: Vec<_> = view
        .software
        .iter()
        .map(|software| (software.name.as_str(), software.decision))
        .collect();
    assert_eq!(decided, [("Allowed", Decision::Allowed), ("Refused", Decision::Refused)]);
    assert!(view.software[0].trusted_until.is_none(), "trust ends with the program");
    assert!(view.software[0].first_seen.is_some());
    assert_eq!(view.origins[0].origin, "https://praxis.example");
    assert!(view.origins[0].added_at.is_some());
    let ask = door
        .ask("GET /econnector/v1/forms")
        .with("Origin", "https://praxis.example")
        .but("X-EConnector-Key", &page.key);
    assert_eq!(ask.clone().but("X-EConnector-Software", "Allowed").send().await.status, 200);
    ask.but("X-EConnector-Software", "Refused").send().await.is(403, "software-refused");
    assert_eq!(door.view().software[0].origins, ["https://praxis.example"]);
}

#[test]
fn a_file_that_is_not_understood_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link.json");
    for content in [
        "",
        "{}",
        "no json",
        r#"{"version":2,"software":[],"origins":[]}"#,
        r#"{"version":1,"software":[],"origins":[],"later":true}"#,
        r#"{"version":1,"software":[{"name":"a/b","allowed":true}],"origins":[]}"#,
        r#"{"version":1,"software":[{"name":"a","allowed":true,"rights":"all"}],"origins":[]}"#,
        r#"{"version":1,"software":[],"origins":[{"origin":"https://x.example","key_sha256":"12","added_at":"2026-03-02T10:00:00Z"}]}"#,
        &" ".repeat(2 * 1024 * 1024),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = Link::open(options(folder.path(), rules())).err().unwrap();
        assert!(matches!(&error, LinkError::Unusable { file: "link.json", .. }), "{error}");
        assert_eq!(error.code(), "link-unusable");
        assert!(!error.to_string().contains("rights"), "the content is not repeated: {error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn the_window_says_why_nothing_listens() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("link.json"), "not ours").unwrap();
    let why = Link::open(options(folder.path(), rules())).err().unwrap();
    let link = Link::unusable(options(folder.path(), rules()), why).unwrap();
    let said = |link: &Link| link.view(Lang::En, None).problem.map(|problem| problem.code);
    assert_eq!(said(&link).as_deref(), Some("link-unusable"));
    for refused in [
        link.decide("Any", true),
        link.forget("Any"),
        link.forget_origin("https://praxis.example"),
        link.allow_origin("https://praxis.example").map(drop),
        listen(router(&link), link.clone()).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().code(), "link-unusable");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("link.json")).unwrap(), "not ours");
    assert!(!folder.path().join("connection.json").exists());

    let mut door = door_with(rules()).await;
    assert_eq!(said(&door.link), None);
    let other = Link::open(options(door.folder.path(), rules())).unwrap();
    listen(router(&other), other.clone()).await.map(drop).unwrap_err();
    assert_eq!(said(&other).as_deref(), Some("link-in-use"));
    door.listening.take().unwrap().stop().await;
    let listening = listen(router(&other), other.clone()).await.unwrap();
    assert_eq!(said(&other), None);
    listening.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_could_write_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link.json");
    std::fs::write(&path, r#"{"version":1,"software":[{"name":"Evil","allowed":true}],"origins":[]}"#).unwrap();
    for (rights, believed) in [(0o600, true), (0o644, true), (0o660, false), (0o602, false)] {
        set_mode(&path, rights);
        assert_eq!(Link::open(options(folder.path(), rules())).is_ok(), believed, "{rights:o}");
    }
    // Being read by others is mended with the next decision.
    set_mode(&path, 0o644);
    let link = Link::open(options(folder.path(), rules())).unwrap();
    link.decide("Evil", false).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_of_another_user_is_not_believed() {
    use std::os::unix::fs::MetadataExt as _;
    let door = door_with(rules()).await;
    let folder = door.folder.path();
    let administrator = std::fs::metadata(folder).unwrap().uid() == 0;
    for name in ["connection.json", "link.json"] {
        let path = folder.join(name);
        if administrator {
            std::fs::write(&path, "{}").unwrap();
            std::os::unix::fs::chown(&path, Some(1), None).unwrap();
        } else {
            let _ = std::fs::remove_file(&path);
            std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        }
    }
    let error = Link::open(options(folder, rules())).err().unwrap();
    assert!(error.to_string().contains("another user"), "{error}");
    let report = econnector_loopback::doctor::examine(folder, &[], Lang::En).await;
    assert_eq!(report.findings()[0].code, "file-foreign");
    assert_eq!(report.findings()[1].code, "decisions-unusable");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_taken_away_is_gone_even_when_the_disk_is_full() {
    let mut door = door_with(rules()).await;
    let line = door.ask("GET /econnector/v1/forms").hold().await;
    door.waiting(1).await;
    door.link.decide(NAME, true).unwrap();
    drop(line);
    let page = door.link.allow_origin("https://praxis.example").unwrap();
    door.listening.take().unwrap().stop().await;
    // A name that leads nowhere: there is nothing to write to.
    let folder = door.folder.path().to_owned();
    let link = Link::open(options(&folder, rules())).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("/nonexistent/place", &folder).unwrap();
    assert_eq!(link.decide(NAME, false).unwrap_err().code(), "link-unusable");
    assert_eq!(link.view(Lang::En, None).software[0].decision, Decision::Refused);
    assert_eq!(link.decide(NAME, true).unwrap_err().code(), "link-unusable");
    assert_eq!(
        link.view(Lang::En, None).software[0].decision,
        Decision::Refused,
        "what cannot be kept is not given"
    );
    assert_eq!(link.forget_origin(&page.origin).unwrap_err().code(), "link-unusable");
    assert!(link.view(Lang::En, None).origins.is_empty());
    assert!(link.allow_origin("https://other.example").is_err());
    assert!(link.view(Lang::En, None).origins.is_empty());
    std::fs::remove_file(&folder).unwrap();
}

#[tokio::test]
async fn the_installation_decides() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| toml::from_str::<Rules>(text);
    let defaults = read("").unwrap();
    assert!(defaults.enabled);
    assert_eq!(
        (defaults.port, defaults.consent_seconds, defaults.approval_seconds),
        (17943, 30, 120)
    );
    assert!(read("prot = 1").is_err(), "a slip of the pen is said");
    let off = Link::open(options(folder.path(), read("enabled = false").unwrap())).unwrap();
    let refused = listen(router(&off), off.clone()).await.err().unwrap();
    assert_eq!(refused.code(), "link-off");
    assert!(!off.view(Lang::En, None).enabled);
    for wrong in [
        "software = [\"a/b\"]",
        "software = [\"\"]",
        "[[origins]]\norigin = \"https://*\"\nkey_sha256 = \"00\"",
        "[[origins]]\norigin = \"https://praxis.example\"\nkey_sha256 = \"00\"",
    ] {
        let error = Link::open(options(folder.path(), read(wrong).unwrap())).err().unwrap();
        assert!(
            matches!(&error, LinkError::Unusable { file: "loopback.toml", .. }),
            "{wrong}: {error}"
        );
    }
}

#[tokio::test]
async fn answers_being_given_are_finished_when_the_door_closes() {
    let mut door = door_with(rules()).await;
    let address = door.address();
    let line = door.ask("GET /econnector/v1/forms").hold().await;
    door.waiting(1).await;
    let listening = door.listening.take().unwrap();
    let link = door.link.clone();
    let (told, ()) = tokio::join!(crate::kit::rest(line), async move {
        let stop = tokio::spawn(listening.stop());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        link.decide(NAME, true).unwrap();
        stop.await.unwrap();
    });
    assert_eq!(told.status, 200, "{told:?}");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
