//! Nobody is logged out in the middle of a form: sessions that end, other people, mandates, locks and links, in the real window by keyboard
//! alone.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use econnector_tests::{
    Background, Control, Installation, Leaks, Opening, Practice, StandIns, Trust, Window, cut_out, elements, judge_signed_pdf,
    log_in_by_http, unpack,
};
use fantoccini::key::Key;
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

const WEBER: &str = "1900000001";
const MULLER: &str = "1900000002";

/// A patient as she stands on the card; typed once, and nowhere else in the project's data.
const PATIENT: [(&str, &str); 3] = [
    ("matricule", "1893120105732"),
    ("last_name", "Quadflieg-Ætherström"),
    ("first_name", "Zébulonia"),
];
const STREET: &str = "Zwischen-den-Wassern 77";

/// Seconds that an access token lives where a session is to end soon.
const SHORT: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_a_fee_note_is_typed_costs_one_button() {
    let (stand_ins, window) = short_sessions().await;
    window.log_in().await;
    window.new_form(Key::F3).await;
    window.fill(&PATIENT).await;
    the_night_comes(&stand_ins).await;
    finish_fee_note(&window).await;
    window.primary().await;
    window.wait("#problem-action").await;
    window.accessible("session over").await;
    window.picture("71-session-over").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);

    window.wait_until("document.activeElement?.id === 'problem-action'").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.weber", "weber").await;
    // Nothing else is pressed, and nothing typed again.
    window.wait("#receipt[data-state=deposited]").await;
    shown(&window, "72-sent-after-login").await;
    let sent = fee_note_of(&stand_ins).await;
    assert!(sent["envelope"].as_str().unwrap().contains(PATIENT[1].1), "as it was typed before");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_who_logs_in_sends_nothing_of_what_another_began() {
    let (stand_ins, window) = short_sessions().await;
    window.log_in().await;
    window.new_form(Key::F3).await;
    window.fill(&PATIENT).await;
    finish_fee_note(&window).await;
    the_night_comes(&stand_ins).await;
    window.primary().await;
    window.wait("#problem-action").await;
    window.wait_until("document.activeElement?.id === 'problem-action'").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.muller", "muller").await;
    window.wait("#stranger").await;
    window.accessible("somebody else").await;
    window.picture("73-somebody-else").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1, "the form is as it was");
    assert_eq!(stand_ins.control().exchanges().await, Vec::<Value>::new());

    window.tab_to("stranger-back").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.weber", "weber").await;
    window.wait("#receipt[data-state=deposited]").await;
    let sent = fee_note_of(&stand_ins).await;
    let folder = tempfile::tempdir().unwrap();
    let codes = elements(&cut_out(&sent, folder.path()), "codePrestataire");
    assert_eq!(codes, ["90000101"]);
    judge_signed_pdf(
        &Trust::of(&stand_ins.control().get("/ready").await),
        &unpack(&sent["document_pdf"], folder.path().join("deposited.pdf")),
    );
    for call in signatures(&stand_ins.control()).await {
        assert_eq!(call["ehealth_id"], WEBER, "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_given_up_leaves_the_form_as_it_was() {
    let (stand_ins, window) = short_sessions().await;
    window.log_in().await;
    window.new_form(Key::F3).await;
    window.fill(&PATIENT).await;
    finish_fee_note(&window).await;
    the_night_comes(&stand_ins).await;
    window.primary().await;
    window.wait("#problem-action").await;
    window.wait_until("document.activeElement?.id === 'problem-action'").await;
    window.press(Key::Enter).await;
    window.wait("#login-url").await;
    window.tab_to("login-cancel").await;
    window.press(Key::Enter).await;
    window.wait_until("document.getElementById('login-url') === null").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);
    assert_eq!(stand_ins.control().exchanges().await, Vec::<Value>::new());
    // Again, and she comes back this time.
    window
        .tab_until("['login-problem-action', 'login-again'].includes(document.activeElement?.id)")
        .await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.weber", "weber").await;
    window.wait("#receipt[data-state=deposited]").await;
    fee_note_of(&stand_ins).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secretary_chooses_for_whom_and_the_journal_has_both() {
    let window = Window::open(1280, 720).await;
    window.log_in_as("sec.klein", "klein").await;
    window.wait(&format!(".physicians button[data-ehealth='{MULLER}']")).await;
    window.accessible("choice").await;
    window.picture("74-choice").await;
    window
        .tab_until(&format!("document.activeElement?.dataset.ehealth === '{WEBER}'"))
        .await;
    window.press(Key::Down).await;
    window
        .wait_until(&format!("document.activeElement?.dataset.ehealth === '{MULLER}'"))
        .await;
    window.press(Key::Enter).await;
    let who =
        format!("document.getElementById('who')?.innerText.includes('{{}}') && document.getElementById('acts-for')?.value === '{MULLER}'");
    window.wait_until(&who.replace("{}", "Klein")).await;
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.fill(&[("last_day", "+4"), ("diagnosis", "QX7719Z")]).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.picture("75-for-dr-muller").await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;

    let control = window.control().await;
    let sent = control.exchange("2026_ECIT_DEPOT-V1").await;
    let folder = tempfile::tempdir().unwrap();
    judge_signed_pdf(
        &Trust::of(&control.get("/ready").await),
        &unpack(&sent["document_pdf"], folder.path().join("deposited.pdf")),
    );
    for call in signatures(&control).await {
        assert_eq!(
            (&call["username"], &call["ehealth_id"]),
            (&json!("sec.klein"), &json!(MULLER)),
            "{call}"
        );
    }
    window.tab_to("nav-journal").await;
    window.press(Key::Enter).await;
    let line = window.wait("[id^=entry-]").await;
    assert!(line.contains("Klein") && line.contains("Muller"), "{line}");
    window.accessible("journal of two").await;
    window.picture("76-journal-of-two").await;

    // The choice is hers at any time, and on the screen at all times. What was typed for one physician is not sent for another.
    window.new_form(Key::F3).await;
    window.fill(&PATIENT).await;
    window.back_to("acts-for").await;
    window.press(Key::Up).await;
    window
        .wait_until(&format!("document.getElementById('acts-for')?.value === '{WEBER}'"))
        .await;
    patiently_says(&window, "physician", "ehealth_id", WEBER).await;
    window.wait("#stranger").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);
    assert_eq!(
        window.script("document.getElementById('send').disabled").await,
        json!(true),
        "begun for another"
    );
    window.tab_to("stranger-back").await;
    window.press(Key::Enter).await;
    window.wait_until("document.getElementById('stranger') === null").await;
    patiently_says(&window, "physician", "ehealth_id", MULLER).await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_hides_everything_and_loses_nothing() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.chord(&[Key::Control], 'l').await;
    locked(&window).await;
    window.accessible("locked").await;
    window.picture("77-locked").await;
    // No key reaches what is behind.
    window.data("xyz").await;
    window.press(Key::F3).await;
    window.primary().await;
    locked(&window).await;
    window.wait_until("document.activeElement?.id === 'unlock'").await;
    window.press(Key::Enter).await;
    window.wait_until("document.getElementById('lock') === null").await;
    for (field, text) in PATIENT {
        assert_eq!(window.value(field).await.replace(' ', ""), text.replace(' ', ""), "{field}");
    }
    window.fill(&[("last_day", "+4"), ("diagnosis", "QX7719Z")]).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    assert_eq!(window.control().await.exchanges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_window_whose_page_is_read_again_is_still_locked() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    // The webview's menu offers to read the page again, and with it to lose what was typed.
    assert_eq!(menus(&window, "document.querySelector('main')").await, json!(false));
    assert_eq!(menus(&window, "document.getElementById('field-last_name')").await, json!(true));
    window.chord(&[Key::Control], 'l').await;
    window.wait("#unlock").await;
    assert_eq!(menus(&window, "document.getElementById('field-last_name')").await, json!(false));
    assert_eq!(menus(&window, "document.getElementById('unlock')").await, json!(false));

    window.client().refresh().await.unwrap();
    window.wait_until("document.activeElement?.id === 'unlock'").await;
    locked(&window).await;
    assert_eq!(window.script("document.getElementById('nav-new-ecit')").await, Value::Null);
    window.press(Key::Enter).await;
    window.wait("#nav-new-ecit").await;
    window.client().refresh().await.unwrap();
    window.wait("#nav-new-ecit").await;
    assert_eq!(window.script("document.getElementById('lock')").await, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_opened_again_asks_for_a_login_where_one_unlocks() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation {
        more: "[lock]\nafter_minutes = 5\nunlock = \"login\"\n",
        ..Installation::default()
    });
    let program = Background::start_with(&settings, "software = [\"Medistar\"]\n", &[]).await;
    let software = program.practice("Medistar").await;
    let began = software.post("/econnector/v1/session/login", &json!({})).await;
    assert_eq!(began.status, StatusCode::ACCEPTED, "{}", began.json());
    log_in_by_http(&program.opened().await, "dr.weber", "weber", None).await;
    session_becomes(&software, "logged_in").await;

    // A session that no window saw begin; closed while the login is under way; opened again.
    for _ in 0..2 {
        assert!(program.beside(&[], &[]).status.success());
        program.window().await;
        asks_for_a_login(&program).await;
        session_becomes(&software, "logging_in").await;
        program.close_window().await;
    }
    // Unlocked by a login: there is nothing to log in for any more. Closed and opened again: there is.
    assert!(program.beside(&[], &[]).status.success());
    program.window().await;
    let login = asks_for_a_login(&program).await;
    log_in_by_http(&login, "dr.weber", "weber", None).await;
    session_becomes(&software, "logged_in").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let note = program.home().join("state/opened");
    std::fs::remove_file(&note).unwrap();
    program.press("Return").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!note.exists(), "it is locked still");
    program.close_window().await;
    assert!(program.beside(&[], &[]).status.success());
    program.window().await;
    asks_for_a_login(&program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_sent_is_finished_before_the_program_ends() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation::default());
    let mut program = Background::start_with(&settings, "software = [\"Medistar\"]\n", &[]).await;
    let token = stand_ins.control().token_of(WEBER).await;
    let software = program.practice("Medistar").await.with_token(&token);
    stand_ins
        .control()
        .fault(json!({ "service": "mysecu", "kind": "delay", "ms": 4000, "count": 1, "path": "syncexchange" }))
        .await;
    let id = Uuid::new_v4();
    let sender = software.clone();
    let sending = tokio::spawn(async move { sender.issue(id, json!({})).await });
    let until = Instant::now() + Duration::from_secs(60);
    while software.get("/econnector/v1/journal").await.json()["entries"][0]["state"] != "depositing" {
        assert!(Instant::now() < until, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    program.signal("TERM");
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
    // Whether or not the caller still heard of it, nobody has to ask what became of it.
    let _ = sending.await;
    let program = program.start_again().await;
    let software = program.practice("Medistar").await.with_token(&token);
    let journal = software.get("/econnector/v1/journal").await.json();
    assert_eq!(journal["entries"][0]["id"], json!(id), "{journal}");
    assert_eq!(journal["entries"][0]["state"], "deposited", "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_installation_says_so_a_login_unlocks_and_only_hers() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation {
        more: "[lock]\nafter_minutes = 5\nunlock = \"login\"\n",
        ..Installation::default()
    });
    let window = opened_with(&settings).await;
    window.log_in().await;
    assert_eq!(
        window.own("/v1/session").await["lock"],
        json!({ "after_minutes": 5, "unlock": "login" })
    );
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.chord(&[Key::Control], 'l').await;
    locked(&window).await;
    window.wait_until("document.activeElement?.id === 'unlock'").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.muller", "muller").await;
    window.wait("#lock-discard").await;
    locked(&window).await;
    window.accessible("locked, somebody else").await;
    window.picture("78-unlock-by-somebody-else").await;
    window.tab_to("lock-back").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.weber", "weber").await;
    window.wait_until("document.getElementById('lock') === null").await;
    assert_eq!(window.value("last_name").await, PATIENT[1].1);

    // Somebody else may go on, with nothing of hers.
    window.chord(&[Key::Control], 'l').await;
    window.wait_until("document.activeElement?.id === 'unlock'").await;
    window.press(Key::Enter).await;
    window.browser_logs_in("dr.muller", "muller").await;
    window.wait("#lock-discard").await;
    window.tab_to("lock-discard").await;
    window.press(Key::Enter).await;
    window.wait_until("document.activeElement?.id === 'lock-discard-no'").await;
    window.back_to("lock-discard-yes").await;
    window.press(Key::Enter).await;
    window.wait_until("document.getElementById('lock') === null").await;
    window.new_form(Key::F2).await;
    assert_eq!(window.value("last_name").await, "");
    let leaks = Leaks::of(&[PATIENT[1].1, PATIENT[0].1]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_the_practice_software_opens_the_login() {
    let window = Window::open(1280, 720).await;
    window.wait("#login").await;
    let on = window.beside(&["--links", "on"]);
    assert!(on.status.success(), "{on:?}");
    // Anything but the two words is left alone.
    for link in ["econnector:login?user=dr.weber", "econnector:", "econnector://elsewhere/login"] {
        let refused = window.beside(&[link]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.success() && refused.stdout.is_empty(), "{link}");
        assert!(said.contains("left alone") && !said.contains("dr.weber"), "{said}");
    }
    assert_eq!(window.own("/v1/session").await["state"], "logged_out");

    let opened = window.desktop_runs("/usr/bin/xdg-open", &["econnector:login"]);
    assert!(opened.status.success(), "{opened:?}");
    window.wait("#login-url").await;
    shown(&window, "79-login-by-link").await;
    let shown = window.script("document.getElementById('login-url').textContent.trim()").await;
    assert_eq!(json!(window.opened().await), shown, "the browser is where the login is");
    window.browser_logs_in("dr.weber", "weber").await;
    window.wait("#nav-new-ecit").await;

    // Somebody is logged in: the link only shows the window.
    let again = window.desktop_runs("/usr/bin/xdg-open", &["econnector://login"]);
    assert!(again.status.success(), "{again:?}");
    assert!(window.beside(&["econnector:open"]).status.success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(window.own("/v1/session").await["state"], "logged_in");
    assert_eq!(window.script("document.getElementById('login-url')").await, Value::Null);

    assert!(window.beside(&["--links", "off"]).status.success());
    let list = std::fs::read_to_string(window.home().join("config/mimeapps.list")).unwrap_or_default();
    assert!(!list.contains("econnector"), "{list}");
    assert!(!window.home().join("data/applications/lu.econnector.links.desktop").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_starts_the_program_at_its_login() {
    let window = Opening::new(1280, 720).await.started_with(&["econnector:login"]).open().await;
    window.browser_logs_in("dr.weber", "weber").await;
    window.wait("#nav-new-ecit").await;
    assert_eq!(window.own("/v1/session").await["state"], "logged_in");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_practice_software_logs_in_the_window_does_not() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation {
        logins: "delegated",
        ..Installation::default()
    });
    let window = Opening::new(1280, 720)
        .await
        .with_settings(&settings)
        .with_rules("software = [\"Medistar\"]\n")
        .open()
        .await;
    window.wait("#delegated").await;
    window.wait("#nav-new-ecit").await;
    window.accessible("delegated only").await;
    window.picture("7a-delegated-only").await;
    assert_eq!(window.script("document.getElementById('login')").await, Value::Null);
    assert!(window.beside(&["econnector:login"]).status.success());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let session = window.own("/v1/session").await;
    assert_eq!(
        (&session["state"], &session["logins"]),
        (&json!("logged_out"), &json!("delegated")),
        "{session}"
    );

    let software = window.practice("Medistar").await;
    let started = software.post("/econnector/v1/session/login", &json!({})).await;
    assert_eq!(started.json()["code"], "identity-no-own-login", "{}", started.json());
    let token = stand_ins.control().token_of(WEBER).await;
    let issued = software.clone().with_token(&token).issue(Uuid::new_v4(), json!({})).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    assert_eq!(issued.json()["state"], "deposited");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_the_window_logs_in_nobody_brings_a_token() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation {
        logins: "own",
        ..Installation::default()
    });
    let program = Background::start_with(&settings, "software = [\"Medistar\"]\n", &[]).await;
    let software = program.practice("Medistar").await;
    let token = stand_ins.control().token_of(WEBER).await;
    let refused = software.clone().with_token(&token).issue(Uuid::new_v4(), json!({})).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::FORBIDDEN, &json!("identity-no-delegated"))
    );
    assert_eq!(stand_ins.control().exchanges().await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_shows_the_first_where_nothing_listens() {
    for rules in ["enabled = false\n", "enabled = \"yes\"\n"] {
        let window = Opening::new(1280, 720).await.with_rules(rules).open().await;
        window.log_in().await;
        let second = window.beside(&[]);
        assert!(second.status.success(), "{second:?}");
        assert_eq!(window.own("/v1/session").await["state"], "logged_in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_that_cannot_show_the_first_begins_no_session() {
    let mut program = Background::start("").await;
    program.signal("STOP");
    let mut second = program.start_beside(&[]);
    program.window().await;
    assert!(second.try_wait().unwrap().is_none(), "it says so in a window");
    let said = std::fs::read_to_string(program.home().join("state/beside.log")).unwrap();
    assert!(said.contains("déjà ouvert"), "{said}");
    second.kill().unwrap();
    second.wait().unwrap();
    program.signal("CONT");
    program.signal("TERM");
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_are_said_and_not_died_of() {
    const BROKEN: &str = "environment = \"production\"\n\n[aes]\nissuer = \"hunter2\"\n";
    let program = Background::start_broken(BROKEN, true).await;
    program.window().await;
    let doctor = program.beside(&["doctor", "--json"], &[("LANGUAGE", "en")]);
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let found = &report["findings"][0];
    assert!(!doctor.status.success() && found["code"] == "settings-broken", "{report}");
    assert!(found["detail"].as_str().unwrap().contains("line 4, issuer"), "{found}");
    assert!(!report.to_string().contains("hunter2"), "a value may be a password");
    drop(program);

    // Nothing leaves the computer in training, whatever the settings name.
    let stand_ins = StandIns::start(|options| options.aes_host = "aes.practice.example".to_owned()).await;
    let elsewhere = stand_ins.settings(&Installation::default());
    let mut program = Background::start_broken(&elsewhere, false).await;
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(1));
    assert!(program.log().contains("aes.issuer names another"), "{}", program.log());
    drop(program);

    // A file that is named and missing, as well.
    let stand_ins = StandIns::start(|_| {}).await;
    let whole = stand_ins.settings(&Installation::default());
    let missing = whole.replace("practice.p12", "elsewhere.p12");
    assert_ne!(missing, whole);
    let program = Background::start_broken(&missing, true).await;
    program.window().await;
    let doctor = program.beside(&["doctor", "--json"], &[("LANGUAGE", "en")]);
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let found = report["findings"][0]["detail"].as_str().unwrap();
    assert!(found.contains("mysecu.client_p12") && found.contains("elsewhere.p12"), "{report}");
    drop(program);

    let mut program = Background::start_broken(BROKEN, false).await;
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(1));
    assert!(program.log().contains("line 4, issuer"), "{}", program.log());
}

/// Sessions that can end soon, and a window in which a physician has worked before.
async fn short_sessions() -> (StandIns, Window) {
    let stand_ins = StandIns::start(|options| options.access_ttl = SHORT).await;
    let window = opened_with(&stand_ins.settings(&Installation::default())).await;
    (stand_ins, window)
}

/// A window with settings of its own; Dr Weber's address is known.
async fn opened_with(settings: &str) -> Window {
    let profile =
        json!({ "street": "rue des Tilleuls", "number": "12", "postal_code": "L-2345", "locality": "Luxembourg", "country": "LU" });
    Opening::new(1280, 720)
        .await
        .with_settings(settings)
        .with_profile(&profile)
        .open()
        .await
}

/// Every session at AeS is over, and what was given out before as well.
async fn the_night_comes(stand_ins: &StandIns) {
    stand_ins.control().end_sessions().await;
    tokio::time::sleep(Duration::from_secs(SHORT + 1)).await;
}

/// What is missing in a fee note that has its patient.
async fn finish_fee_note(window: &Window) {
    window.fill(&[("insured_street", STREET)]).await;
    window.fill_lines("amount", &[&[("code", "C2")]]).await;
    window.press(Key::Tab).await;
    window.settled().await;
}

async fn fee_note_of(stand_ins: &StandIns) -> Value {
    stand_ins.control().exchange("2022_CNS_MEMHON_DEPOT-V1").await
}

/// What the signature service was asked in somebody's name; the status asks it in nobody's.
async fn signatures(control: &Control) -> Vec<Value> {
    let mut calls = control.recorded("/kms/calls").await;
    calls.retain(|call| !call["username"].is_null());
    assert!(calls.len() >= 3, "certificate, signature, timestamp: {calls:?}");
    calls
}

/// Takes a picture once the screen has caught up with the page.
async fn shown(window: &Window, name: &str) {
    tokio::time::sleep(Duration::from_millis(500)).await;
    window.picture(name).await;
}

/// Nothing of the patient can be seen, heard or reached.
async fn locked(window: &Window) {
    window.wait("#lock").await;
    let hidden = "(() => { const behind = document.querySelector('.window'); return behind.hidden && behind.inert; })()";
    window.wait_until(hidden).await;
    for (_, text) in PATIENT {
        let seen = window.script(&format!("document.body.innerText.includes('{text}')")).await;
        assert_eq!(seen, json!(false), "{text}");
    }
}

/// Whether the webview's own menu would open there: nobody kept it from opening.
async fn menus(window: &Window, place: &str) -> Value {
    let asked = format!("{place}.dispatchEvent(new MouseEvent('contextmenu', {{ bubbles: true, cancelable: true }}))");
    window.script(&asked).await
}

/// Enter leads from a locked window to the login, and from no other; the address that the browser was sent to.
async fn asks_for_a_login(program: &Background) -> String {
    let note = program.home().join("state/opened");
    let _ = std::fs::remove_file(&note);
    let until = Instant::now() + Duration::from_secs(30);
    while !note.exists() {
        assert!(Instant::now() < until, "Enter leads to no login");
        program.press("Return").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let login = program.opened().await;
    assert!(login.contains("prompt=login"), "{login}");
    login
}

/// Waits until the core says it of the session that everybody shares.
async fn session_becomes(software: &Practice, state: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let session = software.get("/econnector/v1/session").await.json();
        if session["state"] == state {
            return;
        }
        assert!(Instant::now() < until, "{session}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the core says it of the session, too.
async fn patiently_says(window: &Window, part: &str, field: &str, value: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    while window.own("/v1/session").await[part][field] != value {
        assert!(Instant::now() < until, "{}", window.own("/v1/session").await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
