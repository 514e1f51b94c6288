//! The operating system's keyring: a real Secret Service (gnome-keyring) on a D-Bus session of its own, and what happens without one.
//!
//! Each test starts this very program again inside `dbus-run-session`, where the tests marked `ignore` run.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use econnector_base::Secret;
use econnector_identity::{KeyringState, OsKeyring, TokenStore as _};

const SERVICE: &str = "eConnector test";
const ACCOUNT: &str = "https://aes.example/auth/realms/default econnector";

/// As long as a Keycloak refresh token gets, and with everything base64url has.
fn token() -> Secret {
    Secret::new(format!("eyJ-_{}", "Abc123_-".repeat(150)))
}

#[test]
fn a_token_outlives_the_program_and_can_be_forgotten() {
    let home = home();
    let secret = unlocked_session(&home, "\"$0\" --ignored --exact saves --nocapture")
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    passed(&secret);
    // Another session, another process: only what the keyring wrote under this home is common to both.
    let later = unlocked_session(&home, "\"$0\" --ignored --exact finds_and_forgets --nocapture")
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    passed(&later);
    for file in files(home.path()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(16).any(|window| window == &token().reveal().as_bytes()[..16]);
        assert!(!found, "the token stands in clear text in {}", file.display());
    }
}

#[test]
fn a_locked_keyring_is_not_waited_for() {
    let home = home();
    // The daemon answers, but nobody can unlock it: there is no display for its prompt.
    let script = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; \"$0\" --ignored --exact does_not_wait --nocapture";
    let output = session(&home, script).arg(std::env::current_exe().unwrap()).output().unwrap();
    passed(&output);
}

#[test]
fn a_keyring_that_does_not_answer_is_not_waited_for() {
    let home = home();
    // The daemon owns its name on the bus and is stopped there, as behind a prompt nobody sees.
    let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
        export DAEMON=$!
        owned='dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets'
        for _ in $(seq 100); do $owned | grep -q true && break; sleep 0.05; done
        \"$0\" --ignored --exact is_silent --nocapture; passed=$?
        kill -KILL $DAEMON; exit $passed";
    let output = session(&home, script).arg(std::env::current_exe().unwrap()).output().unwrap();
    passed(&output);
}

#[test]
fn a_computer_without_a_keyring_says_so() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "is_absent", "--nocapture"])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .output()
        .unwrap();
    passed(&output);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn saves() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    assert!(keyring.load(ACCOUNT).await.unwrap().is_none());
    keyring.save(ACCOUNT, &Secret::new("first")).await.unwrap();
    keyring.save(ACCOUNT, &token()).await.unwrap();
    keyring.save("another account", &Secret::new("other")).await.unwrap();
    assert_eq!(keyring.load(ACCOUNT).await.unwrap().unwrap().reveal(), token().reveal());
    assert_eq!(keyring.state(), KeyringState::Available);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn finds_and_forgets() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    assert_eq!(keyring.load(ACCOUNT).await.unwrap().unwrap().reveal(), token().reveal());
    keyring.forget(ACCOUNT).await.unwrap();
    assert!(keyring.load(ACCOUNT).await.unwrap().is_none());
    keyring.forget(ACCOUNT).await.unwrap();
    assert_eq!(keyring.load("another account").await.unwrap().unwrap().reveal(), "other");
    assert_eq!(keyring.state(), KeyringState::Available);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn does_not_wait() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let started = Instant::now();
    let saved = keyring.save(ACCOUNT, &token()).await;
    assert!(
        started.elapsed() < OsKeyring::PATIENCE + Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    let state = saved.unwrap_err();
    println!("{state:?}");
    assert!(matches!(
        state,
        KeyringState::Silent | KeyringState::Locked { .. } | KeyringState::Refused { .. }
    ));
    assert_eq!(keyring.state(), state);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn is_silent() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    keyring.save(ACCOUNT, &Secret::new("first")).await.unwrap();
    signal("-STOP");
    let started = Instant::now();
    assert_eq!(keyring.save(ACCOUNT, &token()).await, Err(KeyringState::Silent));
    assert_eq!(keyring.state(), KeyringState::Silent);
    assert_eq!(keyring.forget(ACCOUNT).await, Err(KeyringState::Silent));
    assert!(
        started.elapsed() < 2 * OsKeyring::PATIENCE + Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    // Once it answers, what was asked last holds: the token that was to be forgotten does not stay.
    signal("-CONT");
    assert!(keyring.load(ACCOUNT).await.unwrap().is_none());
    assert_eq!(keyring.state(), KeyringState::Available);
}

fn signal(signal: &str) {
    let daemon = std::env::var("DAEMON").unwrap();
    assert!(Command::new("kill").args([signal, &daemon]).status().unwrap().success());
}

#[tokio::test]
#[ignore = "runs without a session bus"]
async fn is_absent() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let started = Instant::now();
    let state = keyring.load(ACCOUNT).await.err().unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(state.code(), Some("keyring-absent"), "{state:?}");
    assert_eq!(keyring.state(), state);
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    home
}

fn session(home: &tempfile::TempDir, script: &str) -> Command {
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "bash", "-c", script])
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path().join("run"))
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("GNOME_KEYRING_CONTROL");
    command
}

fn unlocked_session(home: &tempfile::TempDir, script: &str) -> Command {
    let unlock = "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1";
    session(home, &format!("{unlock}; {script}"))
}

fn passed(output: &Output) {
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
