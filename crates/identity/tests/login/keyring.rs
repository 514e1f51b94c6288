//! The operating system's keyring: a real Secret Service (gnome-keyring) on a D-Bus session of its own, with its prompt on a screen of
//! its own, and everything that can be the matter with one.
//!
//! Each test starts this very program again inside `dbus-run-session`, where the tests marked `ignore` run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use econnector_base::Secret;
use econnector_identity::{Identity as _, KeyringState, OsKeyring, SessionState, TokenStore as _};
use tempfile::TempDir;

use crate::sandbox::Stage;

const SERVICE: &str = "eConnector test";
const ACCOUNT: &str = "https://aes.example/auth/realms/default econnector";

/// As long as a Keycloak refresh token gets, and with everything base64url has.
fn token() -> Secret {
    Secret::new(format!("eyJ-_{}", "Abc123_-".repeat(150)))
}

#[test]
fn a_token_outlives_the_program_and_can_be_forgotten() {
    let home = home();
    passed(&mut session(&home, &format!("{UNLOCK}; {}", test("saves"))));
    // Another session, another process: only what the keyring wrote under this home is common to both.
    passed(&mut session(&home, &format!("{UNLOCK}; {}", test("finds_and_forgets"))));
    for file in files(home.path()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let found = bytes.windows(16).any(|window| window == &token().reveal().as_bytes()[..16]);
        assert!(!found, "the token stands in clear text in {}", file.display());
    }
}

#[test]
fn a_keyring_that_works_remembers_until_the_logout() {
    let home = home();
    passed(session(&home, &format!("{UNLOCK}; {}", test("the_program_goes_on"))).env("EXPECT", "available"));
}

#[test]
fn a_locked_keyring_is_not_waited_for() {
    let home = home();
    // The daemon answers, but nobody can unlock it: there is no display for its prompt.
    passed(&mut session(&home, &format!("{LOCKED}; {}", test("does_not_wait"))));
    let without_display = session(&home, &format!("{LOCKED}; {}", test("the_program_goes_on")));
    passed({ without_display }.env("EXPECT", "keyring-locked keyring-silent keyring-refused"));
}

#[test]
fn a_keyring_that_asks_for_its_password_is_not_waited_for() {
    let home = home();
    let screen = Screen::open();
    passed(&mut session(&home, &format!("{UNLOCK}; {}", test("saves"))));
    for inner in ["stands_behind_its_prompt", "is_refused_by_whoever_sits_there"] {
        passed(session(&home, &format!("{LOCKED}; {}", test(inner))).env("DISPLAY", &screen.display));
    }
    let prompting = session(&home, &format!("{LOCKED}; {}", test("the_program_goes_on")));
    passed({ prompting }.env("DISPLAY", &screen.display).env("EXPECT", "keyring-silent"));
}

#[test]
fn a_keyring_that_does_not_answer_is_not_waited_for() {
    let home = home();
    // The daemon owns its name on the bus and is stopped there.
    let stopped = |inner: &str| format!("{FOREGROUND}; {}; passed=$?; kill -KILL $DAEMON; exit $passed", test(inner));
    for inner in ["is_silent", "keeps_the_newest"] {
        passed(&mut session(&home, &stopped(inner)));
    }
    let program = stopped("the_program_goes_on").replacen("; \"$0\"", "; kill -STOP $DAEMON; \"$0\"", 1);
    passed(session(&home, &program).env("EXPECT", "keyring-silent"));
}

#[test]
fn a_keyring_that_refuses_says_so() {
    let home = home();
    // A computer's rules let nobody read or write secrets.
    let rules = bus_with(
        &home,
        r#"<deny send_destination="org.freedesktop.secrets" send_interface="org.freedesktop.Secret.Service" send_member="SearchItems"/>
<deny send_destination="org.freedesktop.secrets" send_interface="org.freedesktop.Secret.Collection" send_member="CreateItem"/>"#,
    );
    let script = format!(
        "{FOREGROUND}; {}; passed=$?; kill -KILL $DAEMON; exit $passed",
        test("the_program_goes_on")
    );
    passed(session_with(&home, &[&rules], &script).env("EXPECT", "keyring-refused"));
}

#[test]
fn a_keyring_that_is_started_later_or_anew_is_found() {
    let home = home();
    // On this bus nothing is started because somebody asks for it.
    let rules = bus_with(&home, "");
    passed(&mut session_with(&home, &[&rules], &test("comes_later")));
}

#[test]
fn a_computer_without_a_keyring_says_so() {
    for inner in ["is_absent", "the_program_goes_on"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--ignored", "--exact", &format!("keyring::{inner}"), "--nocapture"])
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
            .env("EXPECT", "keyring-absent");
        passed(&mut command);
    }
}

#[test]
fn another_user_of_the_computer_sees_nothing() {
    let (mine, others) = (home(), home());
    // Somebody else may look into the folder above; what the keyring keeps it protects itself.
    for folder in [mine.path(), &mine.path().join("data")] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let program = others.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let given = Command::new("sh")
        .args(["-c", "chown -R 65534:65534 \"$0\" || sudo -n chown -R 65534:65534 \"$0\""])
        .arg(others.path())
        .status();
    assert!(given.unwrap().success(), "another user's home");

    let root = mine.path().metadata().unwrap().uid() == 0;
    let switch = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let switch = if root { switch.to_owned() } else { format!("sudo -n {switch}") };
    let inner = |name: &str| format!("\"$OTHERS/program\" --ignored --exact keyring::{name} --nocapture");
    let script = format!(
        "{UNLOCK}; {saves} && secret-tool search --all service '{SERVICE}' 2>&1 | grep -c 'secret = eyJ' && \
         as_other() {{ {switch} env -u DISPLAY HOME=\"$OTHERS\" XDG_RUNTIME_DIR=\"$OTHERS/run\" XDG_DATA_HOME=\"$OTHERS/data\" \
         XDG_CACHE_HOME=\"$OTHERS/cache\" OTHERS=\"$OTHERS\" DBUS_SESSION_BUS_ADDRESS=\"$DBUS_SESSION_BUS_ADDRESS\" \"$@\"; }}; \
         [ \"$(as_other id -u)\" = 65534 ] && \
         as_other {denied} && \
         ! as_other secret-tool search --all service '{SERVICE}' 2>&1 | grep 'secret = ' && \
         ! as_other sh -c \"cat '$XDG_DATA_HOME'/keyrings/*\" 2>/dev/null && ls \"$XDG_DATA_HOME\"/keyrings/* && \
         as_other dbus-run-session -- sh -c '{UNLOCK}; {empty}' && {finds}",
        saves = test("saves"),
        finds = test("finds_and_forgets"),
        denied = inner("is_denied"),
        empty = inner("is_empty"),
    );
    let output = session(&mine, &script).env("OTHERS", others.path()).output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.matches("1 passed").count() == 4, "{said}");
    // So that the folder can be removed again.
    let _ = Command::new("sh")
        .args(["-c", "rm -rf \"$0\"/* || sudo -n rm -rf \"$0\"/*"])
        .arg(others.path())
        .status();
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
async fn is_empty() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    assert!(keyring.load(ACCOUNT).await.unwrap().is_none());
    assert!(keyring.load("another account").await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "runs as another user, at the first one's bus"]
async fn is_denied() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let state = keyring.load(ACCOUNT).await.err().expect("the first one's entry");
    assert!(
        matches!(state, KeyringState::Absent { .. } | KeyringState::Refused { .. }),
        "{state:?}"
    );
    assert!(keyring.save(ACCOUNT, &Secret::new("mine")).await.is_err());
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn does_not_wait() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let started = Instant::now();
    let saved = keyring.save(ACCOUNT, &token()).await;
    in_time(started, 1);
    let state = saved.unwrap_err();
    assert!(matches!(
        state,
        KeyringState::Silent | KeyringState::Locked { .. } | KeyringState::Refused { .. }
    ));
    assert_eq!(keyring.state(), state);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session, with a screen"]
async fn stands_behind_its_prompt() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let started = Instant::now();
    assert!(matches!(keyring.load(ACCOUNT).await, Err(KeyringState::Silent)));
    in_time(started, 1);
    prompt().await;
    // Meanwhile the physician has logged in, and out again.
    for asked in [keyring.save(ACCOUNT, &Secret::new("newer")).await, keyring.forget(ACCOUNT).await] {
        assert_eq!(asked, Err(KeyringState::Silent));
    }
    in_time(started, 3);
    assert_eq!(keyring.state(), KeyringState::Silent);
    // Somebody comes and types the password: what was asked last holds.
    xdotool(&["type", "pw"]);
    xdotool(&["key", "Return"]);
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match keyring.load("another account").await {
            Ok(found) => {
                assert_eq!(found.unwrap().reveal(), "other");
                break;
            }
            Err(state) => assert!(state == KeyringState::Silent && Instant::now() < until, "{state:?}"),
        }
    }
    assert!(
        keyring.load(ACCOUNT).await.unwrap().is_none(),
        "the token of a session that was ended"
    );
    assert_eq!(keyring.state(), KeyringState::Available);
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session, with a screen"]
async fn is_refused_by_whoever_sits_there() {
    let keyring = Arc::new(OsKeyring::new(SERVICE).unwrap());
    // On a busy machine the prompt may come later than the patience ends: then it is asked again.
    for _ in 0..10 {
        let asking = keyring.clone();
        let asked = tokio::spawn(async move { asking.load("another account").await.err() });
        prompt().await;
        xdotool(&["key", "Escape"]);
        let state = asked.await.unwrap().unwrap();
        if state != KeyringState::Silent {
            assert!(matches!(state, KeyringState::Locked { .. }), "{state:?}");
            return;
        }
    }
    panic!("a prompt that was closed is not noticed");
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
    in_time(started, 2);
    // Once it answers, what was asked last holds: the token that was to be forgotten does not stay.
    signal("-CONT");
    assert!(keyring.load(ACCOUNT).await.unwrap().is_none());
    assert_eq!(keyring.state(), KeyringState::Available);
}

/// A keyring that hangs for longer than a session is renewed.
#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn keeps_the_newest() {
    let keyring = Arc::new(OsKeyring::new(SERVICE).unwrap());
    keyring.save(ACCOUNT, &Secret::new("first")).await.unwrap();
    signal("-STOP");
    let renewals: Vec<_> = (1..=20)
        .map(|number| {
            let keyring = keyring.clone();
            tokio::spawn(async move { keyring.save(ACCOUNT, &Secret::new(format!("renewal {number}"))).await })
        })
        .collect();
    for renewal in renewals {
        assert_eq!(renewal.await.unwrap(), Err(KeyringState::Silent));
    }
    signal("-CONT");
    assert_eq!(kept(&keyring).await.unwrap().reveal(), "renewal 20");
    // And nothing of it after a logout, whatever was saved before.
    signal("-STOP");
    for number in 21..=22 {
        let saved = keyring.save(ACCOUNT, &Secret::new(format!("renewal {number}"))).await;
        assert_eq!(saved, Err(KeyringState::Silent));
    }
    assert_eq!(keyring.forget(ACCOUNT).await, Err(KeyringState::Silent));
    signal("-CONT");
    assert!(kept(&keyring).await.is_none());
}

/// What the keyring holds, once it has caught up.
async fn kept(keyring: &OsKeyring) -> Option<Secret> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match keyring.load(ACCOUNT).await {
            Ok(found) => return found,
            Err(state) => assert!(state == KeyringState::Silent && Instant::now() < until, "{state:?}"),
        }
    }
}

#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn comes_later() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let state = keyring.load(ACCOUNT).await.err().unwrap();
    assert_eq!(state.code(), Some("keyring-absent"), "{state:?}");
    for _ in 0..2 {
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--unlock", "--components=secrets", "--foreground"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        daemon.stdin.take().unwrap().write_all(b"pw").unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while let Err(state) = keyring.save(ACCOUNT, &token()).await {
            assert!(Instant::now() < until, "{state:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(keyring.load(ACCOUNT).await.unwrap().unwrap().reveal(), token().reveal());
        assert_eq!(keyring.state(), KeyringState::Available);
        daemon.kill().unwrap();
        daemon.wait().unwrap();
        assert!(keyring.load(ACCOUNT).await.is_err());
    }
}

#[tokio::test]
#[ignore = "runs without a session bus"]
async fn is_absent() {
    let keyring = OsKeyring::new(SERVICE).unwrap();
    let started = Instant::now();
    let state = keyring.load(ACCOUNT).await.err().unwrap();
    assert!(started.elapsed() < OsKeyring::PATIENCE);
    assert_eq!(state.code(), Some("keyring-absent"), "{state:?}");
    assert_eq!(keyring.state(), state);
}

/// With whatever keyring there is: a physician logs in, works, and logs out; the program says how the keyring does.
#[tokio::test]
#[ignore = "runs inside dbus-run-session"]
async fn the_program_goes_on() {
    let expected = std::env::var("EXPECT").unwrap();
    let works = expected == "available";
    let stage = Stage::set().await;
    let keyring = Arc::new(OsKeyring::new(SERVICE).unwrap());
    let started = Instant::now();
    let aes = stage.desk.start_on(stage.desk.settings(), keyring.clone()).await;
    assert!(matches!(aes.session().await.state, SessionState::LoggedOut));
    in_time(started, 1);
    let view = stage.desk.log_in(&aes, "dr.weber", "weber").await;
    assert!(matches!(view.state, SessionState::LoggedIn { .. }), "{view:?}");
    let first = aes.authorized().await.unwrap().token;
    stage.desk.clock.pass(275);
    assert_ne!(aes.authorized().await.unwrap().token.reveal(), first.reveal());
    // A login, a renewal, and not yet two patiences of the keyring's.
    in_time(started, 2);

    // What the keyring said to it is known a patience later.
    let until = Instant::now() + 4 * OsKeyring::PATIENCE;
    let view = loop {
        let view = aes.session().await;
        let said = view.keyring.code().unwrap_or("available");
        if expected.split(' ').any(|one| one == said) && view.remembered == works {
            break view;
        }
        assert!(Instant::now() < until, "{view:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(matches!(view.state, SessionState::LoggedIn { .. }), "{view:?}");

    let started = Instant::now();
    aes.logout().await.done().await.unwrap();
    // What is being written when she logs out, and what is then to be forgotten.
    in_time(started, 3);
    assert!(matches!(aes.session().await.state, SessionState::LoggedOut));
    if works {
        let account = format!("{} econnector", stage.desk.issuer);
        assert!(keyring.load(&account).await.unwrap().is_none());
        let search = Command::new("secret-tool")
            .args(["search", "--all", "service", SERVICE])
            .output()
            .unwrap();
        assert!(!said(&search).contains("secret = "), "the keyring forgets: {}", said(&search));
    }
}

/// Not longer than the keyring is waited for so many times, and a second.
fn in_time(started: Instant, patiences: u32) {
    let most = patiences * OsKeyring::PATIENCE + Duration::from_secs(1);
    assert!(started.elapsed() < most, "{:?}", started.elapsed());
}

/// Waits until the keyring's own window asks for the password.
async fn prompt() {
    let until = Instant::now() + Duration::from_secs(20);
    while !xdotool(&["search", "--onlyvisible", "--class", "gcr-prompter"]) {
        assert!(Instant::now() < until, "no prompt comes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // It takes the keyboard a moment after it shows.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn xdotool(arguments: &[&str]) -> bool {
    let mut command = Command::new("xdotool");
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

fn signal(signal: &str) {
    let daemon = std::env::var("DAEMON").unwrap();
    assert!(Command::new("kill").args([signal, &daemon]).status().unwrap().success());
}

/// A screen that nobody looks at.
struct Screen {
    program: Child,
    display: String,
}

impl Screen {
    fn open() -> Self {
        let mut program = Command::new("Xvfb")
            // Without `-noreset` it begins anew whenever its last visitor leaves, and is deaf meanwhile.
            .args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self {
            program,
            display: format!(":{}", number.trim()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

const UNLOCK: &str = "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1";
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1";
const FOREGROUND: &str = "printf pw | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
    export DAEMON=$!
    owned='dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets'
    for _ in $(seq 100); do $owned | grep -q true && break; sleep 0.05; done";

/// This program again, with one of its inner tests.
fn test(inner: &str) -> String {
    format!("\"$0\" --ignored --exact keyring::{inner} --nocapture")
}

fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    std::fs::set_permissions(&runtime, std::fs::Permissions::from_mode(0o700)).unwrap();
    home
}

fn session(home: &TempDir, script: &str) -> Command {
    session_with(home, &[], script)
}

fn session_with(home: &TempDir, arguments: &[&str], script: &str) -> Command {
    let mut command = Command::new("dbus-run-session");
    command
        .args(arguments)
        .args(["--", "bash", "-c", script])
        .arg(std::env::current_exe().unwrap())
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

/// A session bus without services to start, and with these rules; how to ask for it.
fn bus_with(home: &TempDir, rules: &str) -> String {
    let file = home.path().join("bus.conf");
    let bus = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
{rules}</policy></busconfig>"#
    );
    std::fs::write(&file, bus).unwrap();
    format!("--config-file={}", file.display())
}

fn passed(command: &mut Command) {
    let output = command.output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn files(folder: &Path) -> Vec<PathBuf> {
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
