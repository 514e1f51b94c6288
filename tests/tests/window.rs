//! Journeys through the real window, by keyboard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use econnector_tests::{Control, Desk, Leaks, Window, every_file, log_in_by_http, patiently};
use fantoccini::key::Key;
use serde_json::json;

/// Typed once, into this journey, and nowhere else in the project's data.
/// Typed without a driver; nobody else is called so.
const BLIND_NAME: &str = "Quadfliegstroem";
const NAME: &str = "Quadflieg-Ætherström";
const FIRST_NAME: &str = "Zébulonia";
const MATRICULE: &str = "1893120105732";
const DIAGNOSIS: &str = "QX7719Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_physician_logs_in_types_sends_and_holds_the_receipt_and_leaves_no_trace() {
    let window = Window::open(1280, 720).await;
    window.wait("#login").await;
    window.picture("01-login-fr").await;
    window.accessible("01-login-fr").await;
    window.log_in().await;

    window.new_form(Key::F2).await;

    // Sending nothing says everything that is missing, at once, and takes the focus there.
    window.primary().await;
    window.wait("#summary").await;
    window.wait_until("document.activeElement?.closest('#summary') !== null").await;
    window.picture("02-findings-fr").await;
    window.accessible("02-findings-fr").await;

    fill(&window).await;
    window
        .wait_until("document.querySelector('.preview img, img[alt]')?.complete")
        .await;
    picture_of_now(&window, "03-form-fr").await;
    window.accessible("03-form-fr").await;

    switch_language(&window, "de").await;
    assert_eq!(window.value("last_name").await, NAME, "a change of language keeps what was typed");
    picture_of_now(&window, "04-form-de").await;
    window.accessible("04-form-de").await;
    switch_language(&window, "fr").await;

    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    let reference = window.wait("#receipt-reference").await;
    assert!(reference.trim().len() >= 36, "{reference}");
    window.picture("05-receipt-fr").await;
    window.accessible("05-receipt-fr").await;
    let deposits = window.control().await.exchanges().await;
    assert_eq!(deposits.len(), 1);
    assert!(
        deposits[0]["envelope"].as_str().unwrap().contains(NAME),
        "what was typed is what was deposited"
    );

    let leaks = Leaks::of(&[NAME, FIRST_NAME, MATRICULE, "1893 12 01 057 32", DIAGNOSIS]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new(), "traces while the window is open");
    let home = window.close().await;
    assert_eq!(
        leaks.below(home.path()),
        Vec::<PathBuf>::new(),
        "traces after the window was closed"
    );
    assert!(
        home.path().join("data/lu.econnector.desktop/training/journal.db").exists(),
        "the search saw the journal"
    );
    leaks.prove(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_leaves_the_form_as_typed_and_the_same_key_sends_it_once() {
    let window = Window::open(1440, 900).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    fill(&window).await;
    picture_of_now(&window, "11-form-large-fr").await;

    let control = window.control().await;
    control
        .fault(json!({ "service": "kms", "kind": "status", "status": 503, "count": 1, "path": "sign-data" }))
        .await;
    window.primary().await;
    window.wait("#problem").await;
    window.picture("06-problem-fr").await;
    window.accessible("06-problem-fr").await;
    assert_eq!(window.value("last_name").await, NAME);
    assert!(control.exchanges().await.is_empty());

    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    window.picture("07-receipt-large-fr").await;

    // Saving is explicit, and the only way onto the disk.
    assert_eq!(saved(window.home()), Vec::<PathBuf>::new());
    window.tab_until("document.activeElement?.dataset.save === 'caisse'").await;
    for files in 1..=2 {
        window.press(Key::Enter).await;
        patiently(|| Some(saved(window.home())).filter(|found| found.len() == files)).await;
    }
    for file in saved(window.home()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("ecit-") && !name.contains(MATRICULE), "{name}");
        let said =
            patiently(|| Some(std::fs::read(&file).unwrap()).filter(|pdf| pdf.ends_with(b"%%EOF\n") || pdf.ends_with(b"%%EOF"))).await;
        assert!(said.starts_with(b"%PDF-"), "{name}");
    }

    window.tab_to("nav-journal").await;
    window.press(Key::Enter).await;
    window.wait("table tbody tr").await;
    window.picture("08-journal-fr").await;
    window.accessible("08-journal-fr").await;
    let page = window.script("document.querySelector('main').innerText").await;
    assert!(!page.as_str().unwrap().contains(NAME), "the journal names no patient");
    window.tab_to("nav-status").await;
    window.press(Key::Enter).await;
    window.wait("#check-mysecu").await;
    window.picture("09-status-fr").await;
    window.accessible("09-status-fr").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_deposit_is_said_and_never_sent_again() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    fill(&window).await;
    let control = window.control().await;
    control
        .fault(json!({ "service": "mysecu", "kind": "drop", "after": true, "count": 1, "path": "syncexchange" }))
        .await;
    window.primary().await;
    window.wait("#receipt[data-state=unknown]").await;
    window.picture("10-unknown-fr").await;
    window.accessible("10-unknown-fr").await;
    let signatures = control.recorded("/kms/calls").await.len();
    for _ in 0..5 {
        window.primary().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(control.exchanges().await.len(), 1);
    assert_eq!(control.recorded("/kms/calls").await.len(), signatures);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_as_shipped_leaves_no_trace_either() {
    // Nothing outside the window tells what it shows, and on a busy machine keys are typed before it can take them: then once more.
    let mut typed = None;
    for _ in 0..3 {
        typed = typed_blindly().await;
        if typed.is_some() {
            break;
        }
    }
    let (desk, deposited) = typed.expect("typed and deposited");
    for text in [BLIND_NAME, MATRICULE, DIAGNOSIS] {
        assert!(deposited.contains(text), "{text} in {deposited}");
    }
    let leaks = Leaks::of(&[BLIND_NAME, "Zebulonia", MATRICULE, DIAGNOSIS]);
    assert_eq!(leaks.below(desk.home()), Vec::<PathBuf>::new());
    let home = desk.close().await;
    assert_eq!(leaks.below(home.path()), Vec::<PathBuf>::new());
}

/// A new program, a login, and a sick note by the X keyboard; what mySecu received of it, if anything.
async fn typed_blindly() -> Option<(Desk, String)> {
    let desk = Desk::open().await;
    let control = Control::of(desk.home()).await;
    // Enter presses the login button, which has the focus from the start.
    let url = patiently(|| {
        desk.keyboard("key", "Return");
        std::fs::read_to_string(desk.home().join("state/opened"))
            .ok()
            .filter(|url| !url.is_empty())
    })
    .await;
    log_in_by_http(&url, "dr.weber", "weber", None).await;
    while !control
        .recorded("/aes/events")
        .await
        .iter()
        .any(|event| event["type"] == "CODE_TO_TOKEN")
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The window asks for its session twice a second, and nothing outside of it tells when it knows.
    tokio::time::sleep(Duration::from_secs(4)).await;
    desk.keyboard("key", "F2");
    // Nor when the form stands with the cursor in it: what is typed before, on a busy machine, is typed nowhere.
    tokio::time::sleep(Duration::from_secs(4)).await;
    for text in [MATRICULE, BLIND_NAME, "Zebulonia"] {
        desk.keyboard("type", text);
        desk.keyboard("key", "Tab");
    }
    // Nature and first day stay as they are.
    for key in ["Tab", "Tab"] {
        desk.keyboard("key", key);
    }
    desk.keyboard("type", "+4");
    desk.keyboard("key", "Tab");
    desk.keyboard("type", DIAGNOSIS);
    desk.keyboard("key", "Tab");
    for tenth in 0..200 {
        if let Some(exchange) = control.exchanges().await.first() {
            return Some((desk, exchange["envelope"].as_str().unwrap().to_owned()));
        }
        // The page has to be drawn before it can be sent: the first press may come too early, and does nothing.
        if tenth % 50 == 0 {
            desk.keyboard("key", "ctrl+Return");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    desk.close().await;
    None
}

/// A picture for people: it waits for the page beside the form, which no assertion here needs.
async fn picture_of_now(window: &Window, name: &str) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    window.picture(name).await;
}

/// Types a sick note with Tab from field to field.
async fn fill(window: &Window) {
    window
        .fill(&[
            ("matricule", MATRICULE),
            ("last_name", NAME),
            ("first_name", FIRST_NAME),
            ("last_day", "+4"),
            ("diagnosis", DIAGNOSIS),
        ])
        .await;
    window.press(Key::Tab).await;
    window.settled().await;
}

async fn switch_language(window: &Window, to: &str) {
    window.switch_language(to).await;
    let heading = if to == "de" { "Diagnose" } else { "Code diagnostic" };
    window
        .wait_until(&format!(
            "document.querySelector('label[for=field-diagnosis]')?.innerText.includes('{heading}')"
        ))
        .await;
}

/// The volets that were saved below a home.
fn saved(home: &Path) -> Vec<PathBuf> {
    let mut files = every_file(home);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pdf"));
    files
}
