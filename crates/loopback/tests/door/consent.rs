use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use econnector_base::Explain as _;
use econnector_loopback::{Decision, Rules, WaitingKind, Wants};

use crate::kit::{NAME, WEBER, door, door_with, rest, rules};

fn quick() -> Rules {
    Rules {
        consent_seconds: 1,
        ..rules()
    }
}

#[tokio::test]
async fn the_first_request_waits_for_the_physician() {
    let door = door_with(rules()).await;
    let line = door.ask("GET /econnector/v1/journal").hold().await;
    let waiting = door.waiting(1).await;
    assert_eq!(waiting[0].kind, WaitingKind::Consent);
    assert_eq!((waiting[0].software.as_str(), waiting[0].wants), (NAME, Some(Wants::Journal)));
    assert_eq!(door.attention.load(Ordering::SeqCst), 1);
    // Another request of the same software joins the question, and the first wish stands.
    let second = door.ask("GET /econnector/v1/forms").hold().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(door.waiting(1).await[0].wants, Some(Wants::Journal));
    door.link.decide(NAME, true).unwrap();
    assert_eq!(rest(line).await.status, 404, "it passed to a router without a journal");
    assert_eq!(rest(second).await.status, 200);
    assert_eq!(door.attention.load(Ordering::SeqCst), 1);
    let view = door.view();
    assert!(view.waiting.is_empty());
    assert_eq!(
        (view.software[0].name.as_str(), view.software[0].decision),
        (NAME, Decision::Allowed)
    );
    assert!(view.software[0].first_seen.is_some() && view.software[0].last_seen.is_some());
    // Its version is not part of the name.
    let told = door
        .ask("GET /econnector/v1/forms")
        .but("X-EConnector-Software", "Praxis/99")
        .send()
        .await;
    assert_eq!(told.status, 200);
}

#[tokio::test]
async fn who_waits_too_long_is_told_to_come_again() {
    let door = door_with(quick()).await;
    let start = Instant::now();
    let told = door.ask("GET /econnector/v1/forms").send().await;
    told.is(403, "software-waiting");
    assert_eq!(told.header("retry-after"), Some("5"));
    assert!(start.elapsed() >= Duration::from_millis(900));
    // The question stays until she answers, and the status says so.
    assert_eq!(door.view().waiting.len(), 1);
    let status = door.ask("GET /econnector/status").send().await;
    assert_eq!(status.json()["link"]["software"], "waiting");
    door.link.decide(NAME, true).unwrap();
    assert_eq!(door.ask("GET /econnector/v1/forms").send().await.status, 200);
}

#[tokio::test]
async fn a_refused_software_is_refused_until_she_changes_her_mind() {
    let door = door_with(rules()).await;
    let line = door.ask("GET /econnector/v1/forms").hold().await;
    door.waiting(1).await;
    door.link.decide(NAME, false).unwrap();
    rest(line).await.is(403, "software-refused");
    let ask = door.ask("GET /econnector/v1/forms");
    ask.send().await.is(403, "software-refused");
    assert_eq!(door.view().software[0].decision, Decision::Refused);
    assert_eq!(
        door.link.trust_today(NAME, WEBER).unwrap_err().code(),
        "link-unknown",
        "no trust in the refused"
    );
    door.link.decide(NAME, true).unwrap();
    assert_eq!(ask.send().await.status, 200);
    door.link.forget(NAME).unwrap();
    assert!(door.view().software.is_empty());
    let line = ask.hold().await;
    door.waiting(1).await;
    drop(line);
    for name in ["Nobody", "", "../x"] {
        assert_eq!(door.link.decide(name, true).unwrap_err().code(), "link-unknown");
        assert_eq!(door.link.forget(name).unwrap_err().code(), "link-unknown");
    }
}

#[tokio::test]
async fn the_installation_s_software_is_not_asked_about_and_can_be_refused() {
    let door = door().await;
    assert_eq!(door.view().software[0].decision, Decision::Preset);
    assert_eq!(door.ask("GET /econnector/v1/forms").send().await.status, 200);
    assert!(door.view().software[0].last_seen.is_some());
    assert_eq!(door.link.forget(NAME).unwrap_err().code(), "link-preset");
    door.link.decide(NAME, false).unwrap();
    door.ask("GET /econnector/v1/forms").send().await.is(403, "software-refused");
    door.link.forget(NAME).unwrap();
    assert_eq!(
        door.ask("GET /econnector/v1/forms").send().await.status,
        200,
        "the installation's word counts again"
    );
}

#[tokio::test]
async fn nobody_can_flood_the_physician_with_questions() {
    let door = door_with(quick()).await;
    let named = |name: String| door.ask("GET /econnector/v1/forms").but("X-EConnector-Software", &name);
    let mut lines = Vec::new();
    for number in 0..8 {
        lines.push(named(format!("Software {number}")).hold().await);
    }
    door.waiting(8).await;
    let told = named("One more".into()).send().await;
    told.is(503, "link-busy");
    assert!(told.header("retry-after").is_some());
    assert_eq!(door.view().waiting.len(), 8);
    assert_eq!(door.attention.load(Ordering::SeqCst), 8);
    // One that asks with many lines at once holds four of them; the rest is told at once.
    let door = door_with(rules()).await;
    let ask = door.ask("GET /econnector/v1/forms");
    for _ in 0..4 {
        lines.push(ask.hold().await);
    }
    door.waiting(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    ask.send().await.is(403, "software-waiting");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(door.attention.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_window_learns_of_changes_at_once() {
    let door = door_with(rules()).await;
    let before = door.view();
    let start = Instant::now();
    door.link.changed(before.revision, Duration::from_millis(300)).await;
    assert_eq!(door.view().revision, before.revision);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let link = door.link.clone();
    let changed = tokio::spawn(async move { link.changed(before.revision, Duration::from_secs(20)).await });
    let line = door.ask("GET /econnector/v1/forms").hold().await;
    changed.await.unwrap();
    assert_eq!(door.view().waiting.len(), 1);
    // Whoever waits for the change after one of an earlier run is not left waiting.
    let start = Instant::now();
    door.link.changed(u64::MAX, Duration::from_secs(20)).await;
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(line);
}
