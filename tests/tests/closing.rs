//! Nobody loses what is typed by closing the window: it asks first, and locked or in the background it keeps everything.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use econnector_tests::{Background, Leaks, Tray, Window, connection_file, log_in_by_http, patiently};
use fantoccini::key::Key;
use serde_json::{Value, json};

/// A patient as she stands on the card; typed once, and nowhere else in the project's data.
const PATIENT: [(&str, &str); 3] = [
    ("matricule", "1893120105732"),
    ("last_name", "Quadflieg-Ætherström"),
    ("first_name", "Zébulonia"),
];
/// Typed without a driver.
const BLIND_NAME: &str = "Quadfliegstroem";

/// Nothing outside the window tells when it has taken a key.
const MOMENT: Duration = Duration::from_secs(4);

const ASKED: &str = "document.querySelector('#closing[open]') !== null && document.activeElement?.id === 'closing-keep'";
const NOT_ASKED: &str = "document.querySelector('#closing[open]') === null";

#[tokio::test(flavor = "multi_thread")]
async fn a_window_with_something_typed_asks_before_it_closes() {
    let window = typed().await;
    window.click_cross();
    window.wait_until(ASKED).await;
    let said = window.wait("#closing-title").await;
    assert!(said.starts_with("1 formulaire n’est pas envoyé"), "{said}");
    window.accessible("closing").await;
    window.picture("7b-closing").await;
    // No key reaches what is behind.
    window.data("xyz").await;
    window.press(Key::F3).await;
    window.primary().await;
    window.wait_until(ASKED).await;
    window.press(Key::Enter).await;
    window.wait_until(NOT_ASKED).await;
    window.wait_until("document.activeElement?.id === 'field-first_name'").await;
    still_typed(&window).await;

    // Each time anew.
    window.click_cross();
    window.wait_until(ASKED).await;
    window.press(Key::Escape).await;
    window.wait_until(NOT_ASKED).await;
    still_typed(&window).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(window.is_open());

    window.click_cross();
    window.wait_until(ASKED).await;
    window.tab_to("closing-discard").await;
    window.back_to("closing-keep").await;
    window.tab_to("closing-discard").await;
    // A moment later: the driver goes with the program.
    window.script("setTimeout(() => document.activeElement.click(), 300)").await;
    window.ended().await;
    let home = window.close().await;
    let leaks = Leaks::of(&[PATIENT[1].1, PATIENT[0].1]);
    assert_eq!(leaks.below(home.path()), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_without_anything_typed_closes_at_once() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    window.click_cross();
    window.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_not_asked_about() {
    let window = Window::open(1280, 720).await;
    window.log_in().await;
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window.fill(&[("last_day", "+4"), ("diagnosis", "QX7719Z")]).await;
    window.press(Key::Tab).await;
    window.settled().await;
    window.primary().await;
    window.wait("#receipt[data-state=deposited]").await;
    window.click_cross();
    window.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_window_does_not_close() {
    let window = typed().await;
    window.chord(&[Key::Control], 'l').await;
    window.wait_until("document.activeElement?.id === 'unlock'").await;
    for _ in 0..3 {
        window.click_cross();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(window.script(NOT_ASKED).await, json!(true), "who passes by decides nothing");
        assert!(window.is_open());
    }
    window.press(Key::Enter).await;
    window.wait_until("document.getElementById('lock') === null").await;
    assert_eq!(window.script(NOT_ASKED).await, json!(true), "nobody closes it now");
    still_typed(&window).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_once_more_is_an_answer_and_a_doubled_click_is_none() {
    let window = typed().await;
    window.click_cross();
    window.click_cross();
    window.wait_until(ASKED).await;
    window.click_cross();
    tokio::time::sleep(Duration::from_secs(2)).await;
    window.wait_until(ASKED).await;
    still_typed(&window).await;
    window.click_cross();
    window.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_keeps_no_window_open() {
    let window = typed().await;
    let program = connection(&window)["pid"].as_u64().unwrap();
    let page = pages_of(program);
    assert_eq!(page.len(), 1, "{page:?}");
    signal("STOP", page[0]);
    window.click_cross();
    window.ended().await;
    signal("KILL", page[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_background_it_is_put_away_as_it_is_and_comes_back_locked() {
    let mut program = Background::start("software = [\"Medistar\"]\n").await;
    let tray = Tray::on_bus_of(program.home()).await;
    let control = program.control().await;
    assert!(program.beside(&[], &[]).status.success());
    program.window().await;
    log_in(&program).await;
    type_certificate(&program).await;
    let pages = pages_of(program.pid().into());

    program.close_window().await;
    assert_eq!(pages_of(program.pid().into()), pages, "its page is kept");
    assert!(program.beside(&[], &[]).status.success());
    program.window().await;
    // It locked itself: nothing behind hears a key.
    program.press("ctrl+Return").await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(control.exchanges().await, Vec::<Value>::new());
    // Nor does the program end over it.
    program.close_window().await;
    tray.click("Quitter").await;
    program.window().await;
    tokio::time::sleep(MOMENT).await;
    assert!(connection_file(program.home()).exists(), "it goes on");

    program.press("Return").await;
    tokio::time::sleep(MOMENT).await;
    let sent = sent(&program).await;
    assert!(sent.contains(BLIND_NAME), "{sent}");
    tokio::time::sleep(MOMENT).await;
    // Nothing is left to be lost: the page goes with the window, and the program without a question.
    program.close_window().await;
    patiently(|| pages_of(program.pid().into()).is_empty().then_some(())).await;
    tray.click("Quitter").await;
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_in_the_background_asks_as_closing_does() {
    let mut program = Background::start("").await;
    let tray = Tray::on_bus_of(program.home()).await;
    assert!(program.beside(&[], &[]).status.success());
    program.window().await;
    tokio::time::sleep(MOMENT).await;
    program.press("F2").await;
    tokio::time::sleep(MOMENT).await;
    type_text(&program, BLIND_NAME).await;
    tray.click("Quitter").await;
    tokio::time::sleep(MOMENT).await;
    assert!(program.has_window());
    assert!(connection_file(program.home()).exists(), "it asks first");
    program.press("Return").await;
    tokio::time::sleep(MOMENT).await;
    assert!(connection_file(program.home()).exists(), "it was kept");
    tray.click("Quitter").await;
    tokio::time::sleep(MOMENT).await;
    program.press("Tab").await;
    program.press("Return").await;
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
}

/// A window in which a patient is typed.
async fn typed() -> Window {
    let window = Window::open(1280, 720).await;
    window.wait("#login").await;
    window.new_form(Key::F2).await;
    window.fill(&PATIENT).await;
    window
}

async fn still_typed(window: &Window) {
    for (field, text) in PATIENT {
        assert_eq!(window.value(field).await.replace(' ', ""), text.replace(' ', ""), "{field}");
    }
}

fn connection(window: &Window) -> Value {
    serde_json::from_slice(&std::fs::read(connection_file(window.home())).unwrap()).unwrap()
}

/// Dr Weber, in a window that is not read: Enter presses the login button, which has the focus from the start.
async fn log_in(program: &Background) {
    let note = program.home().join("state/opened");
    let until = Instant::now() + Duration::from_secs(30);
    while !note.exists() {
        assert!(Instant::now() < until, "Enter leads to no login");
        program.press("Return").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    log_in_by_http(&program.opened().await, "dr.weber", "weber", None).await;
    tokio::time::sleep(MOMENT).await;
}

/// A whole sick note, not sent.
async fn type_certificate(program: &Background) {
    program.press("F2").await;
    tokio::time::sleep(MOMENT).await;
    for text in [PATIENT[0].1, BLIND_NAME, "Zebulonia"] {
        type_text(program, text).await;
        program.press("Tab").await;
    }
    // Nature and first day stay as they are.
    for key in ["Tab", "Tab", "plus", "4", "Tab"] {
        program.press(key).await;
    }
    type_text(program, "QX7719Z").await;
    program.press("Tab").await;
    tokio::time::sleep(MOMENT).await;
}

async fn type_text(program: &Background, text: &str) {
    for letter in text.chars() {
        program.press(&letter.to_string()).await;
    }
}

/// Sends what stands there; what mySecu received of it.
async fn sent(program: &Background) -> String {
    let control = program.control().await;
    for tenth in 0..300 {
        if let Some(exchange) = control.exchanges().await.first() {
            return exchange["envelope"].as_str().unwrap().to_owned();
        }
        // The page has to be drawn before it can be sent: the first press may come too early, and does nothing.
        if tenth % 50 == 0 {
            program.press("ctrl+Return").await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing is sent")
}

/// The processes that hold the pages of this program.
fn pages_of(program: u64) -> Vec<u64> {
    let parent = format!("PPid:\t{program}");
    let mut pages: Vec<u64> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            // The kernel keeps fifteen letters of a name.
            status.starts_with("Name:\tWebKitWebProces\n") && status.lines().any(|line| line == parent) && !status.contains("State:\tZ")
        })
        .collect();
    pages.sort_unstable();
    pages
}

fn signal(name: &str, process: u64) {
    let mut kill = std::process::Command::new("kill");
    // A page that was stopped may have gone with its program.
    let _ = kill.args([format!("-{name}"), process.to_string()]).status();
}
