//! Journeys through the real window, by keyboard.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_tests::{Desk, Window, browser, log_in_by_http};
use fantoccini::key::Key;
use serde_json::{Value, json};

/// Typed once, into this journey, and nowhere else in the project's data.
const NAME: &str = "Quadflieg-Ætherström";
const FIRST_NAME: &str = "Zébulonia";
const MATRICULE: &str = "1893120105732";
const DIAGNOSIS: &str = "QX7719Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_physician_logs_in_types_sends_and_holds_the_receipt_and_leaves_no_trace() {
    let window = Window::open(1280, 720).await;
    window.wait("#login").await;
    window.picture("01-login-fr").await;
    log_in(&window).await;

    window.press(Key::F2).await;
    window.wait("#field-matricule").await;
    window.wait_until("document.activeElement?.id === 'field-matricule'").await;

    // Sending nothing says everything that is missing, at once, and takes the focus there.
    window.control(char::from(Key::Enter)).await;
    window.wait("#summary").await;
    window.wait_until("document.activeElement?.closest('#summary') !== null").await;
    window.picture("02-findings-fr").await;

    fill(&window).await;
    window
        .wait_until("document.querySelector('.preview img, img[alt]')?.complete")
        .await;
    picture_of_now(&window, "03-form-fr").await;

    switch_language(&window, "de").await;
    let kept = window
        .client()
        .execute("return document.getElementById('field-last_name').value;", Vec::new())
        .await
        .unwrap();
    assert_eq!(kept, NAME, "a change of language keeps what was typed");
    picture_of_now(&window, "04-form-de").await;
    switch_language(&window, "fr").await;

    window.control(char::from(Key::Enter)).await;
    window.wait("#receipt[data-state=deposited]").await;
    let reference = window.wait("#receipt-reference").await;
    assert!(reference.trim().len() >= 36, "{reference}");
    window.picture("05-receipt-fr").await;
    let exchanges = recorded(&window, "/mysecu/exchanges").await;
    let deposits: Vec<&Value> = exchanges.iter().filter(|exchange| exchange["model_uid"].is_string()).collect();
    assert_eq!(deposits.len(), 1);
    assert!(
        deposits[0]["envelope"].as_str().unwrap().contains(NAME),
        "what was typed is what was deposited"
    );

    assert_eq!(traces(window.home()), Vec::<PathBuf>::new(), "traces while the window is open");
    let home = window.close().await;
    assert_eq!(traces(home.path()), Vec::<PathBuf>::new(), "traces after the window was closed");
    assert!(
        home.path().join("data/lu.econnector.desktop/training/journal.db").exists(),
        "the search saw the journal"
    );
    the_search_finds_what_is_planted(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_leaves_the_form_as_typed_and_the_same_key_sends_it_once() {
    let window = Window::open(1440, 900).await;
    log_in(&window).await;
    window.press(Key::F2).await;
    window.wait_until("document.activeElement?.id === 'field-matricule'").await;
    fill(&window).await;
    picture_of_now(&window, "11-form-large-fr").await;

    switch_on(
        &window,
        json!({ "service": "kms", "kind": "status", "status": 503, "count": 1, "path": "sign-data" }),
    )
    .await;
    window.control(char::from(Key::Enter)).await;
    window.wait("#problem").await;
    window.picture("06-problem-fr").await;
    let kept = window
        .client()
        .execute("return document.getElementById('field-last_name').value;", Vec::new())
        .await
        .unwrap();
    assert_eq!(kept, NAME);
    assert!(
        recorded(&window, "/mysecu/exchanges")
            .await
            .iter()
            .all(|exchange| !exchange["model_uid"].is_string())
    );

    window.control(char::from(Key::Enter)).await;
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
    let page = window
        .client()
        .execute("return document.querySelector('main').innerText;", Vec::new())
        .await
        .unwrap();
    assert!(!page.as_str().unwrap().contains(NAME), "the journal names no patient");
    window.tab_to("nav-status").await;
    window.press(Key::Enter).await;
    window.wait("#check-mysecu").await;
    window.picture("09-status-fr").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_deposit_is_said_and_never_sent_again() {
    let window = Window::open(1280, 720).await;
    log_in(&window).await;
    window.press(Key::F2).await;
    window.wait_until("document.activeElement?.id === 'field-matricule'").await;
    fill(&window).await;
    switch_on(
        &window,
        json!({ "service": "mysecu", "kind": "drop", "after": true, "count": 1, "path": "syncexchange" }),
    )
    .await;
    window.control(char::from(Key::Enter)).await;
    window.wait("#receipt[data-state=unknown]").await;
    window.picture("10-unknown-fr").await;
    let signatures = recorded(&window, "/kms/calls").await.len();
    for _ in 0..5 {
        window.control(char::from(Key::Enter)).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let deposits = recorded(&window, "/mysecu/exchanges")
        .await
        .iter()
        .filter(|exchange| exchange["model_uid"].is_string())
        .count();
    assert_eq!(deposits, 1);
    assert_eq!(recorded(&window, "/kms/calls").await.len(), signatures);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_as_shipped_leaves_no_trace_either() {
    let desk = Desk::open().await;
    let address = control_address(desk.home()).await;
    // Enter presses the login button, which has the focus from the start.
    let url = patiently(|| {
        desk.keyboard("key", "Return");
        std::fs::read_to_string(desk.home().join("state/opened"))
            .ok()
            .filter(|url| !url.is_empty())
    })
    .await;
    log_in_by_http(&url, "dr.weber", "weber", None).await;
    while !recorded_at(&address, "/aes/events")
        .await
        .iter()
        .any(|event| event["type"] == "CODE_TO_TOKEN")
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The window asks for its session twice a second, and nothing outside of it tells when it knows.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let name = "Quadfliegstroem";
    desk.keyboard("key", "F2");
    for text in [MATRICULE, name, "Zebulonia"] {
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
    desk.keyboard("key", "ctrl+Return");
    let mut deposited = String::new();
    for _ in 0..300 {
        let exchanges = recorded_at(&address, "/mysecu/exchanges").await;
        if let Some(exchange) = exchanges.iter().find(|exchange| exchange["model_uid"].is_string()) {
            deposited = exchange["envelope"].as_str().unwrap().to_owned();
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        deposited.contains(name) && deposited.contains(MATRICULE) && deposited.contains(DIAGNOSIS),
        "typed and deposited"
    );
    assert_eq!(
        traces_of(desk.home(), &[name, "Zebulonia", MATRICULE, DIAGNOSIS]),
        Vec::<PathBuf>::new()
    );
    let home = desk.close().await;
    assert_eq!(
        traces_of(home.path(), &[name, "Zebulonia", MATRICULE, DIAGNOSIS]),
        Vec::<PathBuf>::new()
    );
}

/// A picture for people: it waits for the page beside the form, which no assertion here needs.
async fn picture_of_now(window: &Window, name: &str) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    window.picture(name).await;
}

/// The login button by keyboard; the system browser's part by HTTP.
async fn log_in(window: &Window) {
    window.wait("#login").await;
    window.tab_to("login").await;
    window.press(Key::Enter).await;
    window.wait("#login-url").await;
    let url = window
        .client()
        .execute("return document.getElementById('login-url').textContent.trim();", Vec::new())
        .await
        .unwrap();
    log_in_by_http(url.as_str().unwrap(), "dr.weber", "weber", None).await;
    window.wait("#nav-new-ecit").await;
}

/// Types a sick note with Tab from field to field.
async fn fill(window: &Window) {
    for (field, text) in [
        ("matricule", MATRICULE),
        ("last_name", NAME),
        ("first_name", FIRST_NAME),
        ("last_day", "+4"),
        ("diagnosis", DIAGNOSIS),
    ] {
        window.tab_to(&format!("field-{field}")).await;
        window.keys(text).await;
    }
    window.press(Key::Tab).await;
    window
        .wait_until("document.querySelectorAll('[aria-invalid=true]').length === 0")
        .await;
}

async fn switch_language(window: &Window, to: &str) {
    let script =
        format!("const s = document.getElementById('lang'); s.value = '{to}'; s.dispatchEvent(new Event('change', {{ bubbles: true }}));");
    window.client().execute(&script, Vec::new()).await.unwrap();
    window.wait_until(&format!("document.documentElement.lang === '{to}'")).await;
    let heading = if to == "de" { "Diagnose" } else { "Code diagnostic" };
    window
        .wait_until(&format!(
            "document.querySelector('label[for=field-diagnosis]')?.innerText.includes('{heading}')"
        ))
        .await;
}

/// The stand-ins inside the window tell their control address in the log.
fn control(window: &Window) -> String {
    control_in(window.home()).unwrap_or_else(|| panic!("no control address in the log"))
}

async fn control_address(home: &Path) -> String {
    patiently(|| control_in(home)).await
}

/// Asks again and again, for half a minute.
async fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..60 {
        if let Some(answer) = ask() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("nothing came")
}

fn control_in(home: &Path) -> Option<String> {
    let log = std::fs::read_to_string(home.join("state/program.log")).unwrap_or_default();
    log.split("control=").nth(1)?.split_whitespace().next().map(ToOwned::to_owned)
}

async fn recorded(window: &Window, path: &str) -> Vec<Value> {
    recorded_at(&control(window), path).await
}

async fn recorded_at(control: &str, path: &str) -> Vec<Value> {
    let answer: Value = browser(None)
        .get(format!("{control}{path}"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    answer.as_array().cloned().unwrap_or_default()
}

async fn switch_on(window: &Window, fault: Value) {
    let answer = browser(None)
        .post(format!("{}/faults", control(window)))
        .json(&fault)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{fault}");
}

/// The volets that were saved below a home.
fn saved(home: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    every_file(home, &mut files);
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pdf"));
    files
}

/// Every file below a folder that holds one of the typed values.
fn traces(folder: &Path) -> Vec<PathBuf> {
    traces_of(folder, &[NAME, FIRST_NAME, MATRICULE, "1893 12 01 057 32", DIAGNOSIS])
}

/// Every file below a folder that holds one of the values in UTF-8, UTF-16 or base64.
fn traces_of(folder: &Path, values: &[&str]) -> Vec<PathBuf> {
    let needles: Vec<Vec<u8>> = values.iter().flat_map(|value| spellings(value)).collect();
    let mut files = Vec::new();
    every_file(folder, &mut files);
    assert!(files.len() > 2, "nothing to search below {}", folder.display());
    files.retain(|file| {
        let content = std::fs::read(file).unwrap_or_default();
        needles
            .iter()
            .any(|needle| content.windows(needle.len()).any(|window| window == needle))
    });
    files
}

fn spellings(value: &str) -> Vec<Vec<u8>> {
    let utf8 = value.as_bytes().to_vec();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let mut all = vec![utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)];
    // In base64 the value may begin at any of three offsets; the characters that its neighbours share are cut off.
    for offset in 0..3 {
        let shifted = [vec![0; offset], utf8.clone()].concat();
        let encoded = STANDARD.encode(shifted);
        let inner = encoded.trim_end_matches('=').as_bytes();
        let first = if offset == 0 { 0 } else { offset + 1 };
        all.push(inner.get(first..inner.len() - 1).unwrap().to_vec());
    }
    all.push(utf8);
    all
}

fn every_file(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => every_file(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

fn the_search_finds_what_is_planted(folder: &Path) {
    for (number, spelling) in spellings(FIRST_NAME).into_iter().enumerate() {
        let file = folder.join(format!("planted-{number}"));
        std::fs::write(&file, [b"before ".to_vec(), spelling, b" after".to_vec()].concat()).unwrap();
        assert_eq!(traces(folder), vec![file.clone()], "spelling {number}");
        std::fs::remove_file(file).unwrap();
    }
    let file = folder.join("planted-in-base64");
    std::fs::write(&file, STANDARD.encode(format!("Patient: {NAME}, {FIRST_NAME}"))).unwrap();
    assert_eq!(traces(folder), vec![file.clone()]);
    std::fs::remove_file(file).unwrap();
}
