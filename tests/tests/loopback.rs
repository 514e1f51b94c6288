//! The door for practice software: who comes in, who does not, and that the physician decides. Through the finished program, its real
//! window, a real browser and another user of the same computer.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use econnector_tests::{
    Background, Chromium, Installation, Leaks, Opening, Practice, Site, StandIns, Tray, Window, connection_file, patiently,
};
use fantoccini::key::Key;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const WEBER: &str = "1900000001";
const SOFTWARE: &str = "Medistar";

/// A patient as some software sends her; typed once, and nowhere else in the project's data.
const NAME: &str = "Quadflieg-Ætherström";
const FIRST_NAME: &str = "Zébulonia";
const MATRICULE: &str = "1893120105732";
const DIAGNOSIS: &str = "QX7719Z";

/// Another, whose form the physician is typing meanwhile.
const OTHER: [(&str, &str); 2] = [("matricule", "1988123048083"), ("last_name", "Schmit-Wëllem")];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_somebody_brings_deposits_without_any_window() {
    let program = Background::start("software = [\"Medistar\"]\n").await;
    let control = program.control().await;
    let token = control.token_of(WEBER).await;
    let software = program.practice("Medistar/4.2").await.with_token(&token);

    let id = Uuid::new_v4();
    let issued = software.issue(id, json!({})).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    assert_eq!(issued.json()["state"], "deposited");
    let again = software.issue(id, json!({})).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.json());
    assert_eq!(control.exchanges().await.len(), 1);
    assert!(!program.has_window(), "nobody was asked");

    // Without a token it would be the window's session, in which nobody is logged in.
    let nobody = program.practice(SOFTWARE).await;
    assert_eq!(nobody.issue(Uuid::new_v4(), json!({})).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(control.exchanges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_somebody_brings_is_written_nowhere() {
    let stand_ins = StandIns::start(|_| {}).await;
    let settings = stand_ins.settings(&Installation::default());
    let talking = [("ECONNECTOR_LOG", "trace")];
    let mut program = Background::start_with(&settings, "software = [\"Medistar\"]\n", &talking).await;
    let token = stand_ins.control().token_of(WEBER).await;
    let (_, signature) = token.rsplit_once('.').unwrap();
    let software = program.practice(SOFTWARE).await;
    let issued = software.clone().with_token(&token).issue(Uuid::new_v4(), json!({})).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    // Nor is one that is refused.
    let refused = software.with_token(&format!("{token}AAAA")).issue(Uuid::new_v4(), json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.json());

    let log = program.log();
    assert!(log.contains("DEBUG econnector_net"), "it says all that it can say: {log}");
    let leaks = Leaks::of(&[&token, signature]);
    assert_eq!(leaks.below(program.home()), Vec::<PathBuf>::new(), "traces while the program runs");
    program.signal("TERM");
    assert!(program.ended().await.unwrap().success());
    let home = program.into_home().await;
    assert_eq!(leaks.below(home.path()), Vec::<PathBuf>::new(), "traces after it ended");
    leaks.prove(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_computer_without_a_screen_serves_as_well() {
    let mut program = Background::start_without_screen().await;
    let status = Practice::at(program.connection()["url"].as_str().unwrap())
        .get("/econnector/status")
        .await;
    assert_eq!(status.status, StatusCode::OK, "{}", status.json());
    program.signal("TERM");
    assert!(program.ended().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_software_that_was_never_here_opens_the_window_and_closing_it_leaves_the_program() {
    let mut program = Background::start("consent_seconds = 2\n").await;
    assert!(!program.has_window());
    let software = program.practice(SOFTWARE).await;
    let waits = software.get("/econnector/v1/forms").await;
    assert_eq!(waits.status, StatusCode::FORBIDDEN);
    assert_eq!(waits.json()["code"], "software-waiting");
    assert_eq!(waits.headers["retry-after"], "5");
    program.window().await;
    program.close_window().await;
    assert_eq!(software.get("/econnector/v1/forms").await.json()["code"], "software-waiting");
    assert_eq!(
        Practice::at(software.url()).get("/econnector/status").await.status,
        StatusCode::OK,
        "closing the window does not end the program"
    );
    program.signal("TERM");
    assert!(program.ended().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_shows_the_window_of_the_first() {
    let mut program = Background::start("").await;
    assert!(!program.has_window());
    assert!(program.beside(&["--background"], &[]).status.success());
    assert!(!program.has_window(), "a session that starts it again wants no window");

    let second = program.beside(&[], &[]);
    assert!(second.status.success(), "{}", said(&second));
    program.window().await;
    let before = program.connection();
    assert!(program.beside(&[], &[]).status.success());
    assert_eq!(program.connection(), before, "it is the first that runs");

    let file = connection_file(program.home());
    program.signal("TERM");
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
    assert!(!file.exists(), "nobody can be sent to a program that has ended");
    let home = program.into_home().await;
    let left: Vec<_> = std::fs::read_dir(home.path().join("tmp"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "the stand-ins' certificates");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_beside_the_clock_opens_the_window_starts_with_the_session_and_quits() {
    let mut program = Background::start("").await;
    // The tray comes later than the program, as it does when a session starts.
    let tray = Tray::on_bus_of(program.home()).await;
    let entry = program.home().join("config/autostart/lu.econnector.desktop");
    let labels: Vec<String> = tray
        .menu()
        .await
        .into_iter()
        .map(|entry| entry.label)
        .filter(|label| !label.is_empty())
        .collect();
    assert_eq!(labels, ["Ouvrir eConnector", "Démarrer avec la session", "Quitter"]);
    assert!(!program.has_window());
    tray.click("Ouvrir eConnector").await;
    program.window().await;
    for on in [true, false] {
        tray.click("Démarrer avec la session").await;
        patiently(|| Some(()).filter(|()| entry.exists() == on)).await;
        while tray.menu().await.iter().any(|entry| entry.ticked) != on {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    tray.click("Quitter").await;
    assert_eq!(program.ended().await.and_then(|status| status.code()), Some(0));
    assert!(!connection_file(program.home()).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_an_earlier_start_is_worth_nothing() {
    let program = Background::start("software = [\"Medistar\"]\n").await;
    let software = program.practice(SOFTWARE).await;
    assert_eq!(software.get("/econnector/v1/forms").await.status, StatusCode::OK);
    let earlier = program.connection();
    program.signal("KILL");
    let program = program.start_again().await;
    let now = program.connection();
    assert_ne!(now["key"], earlier["key"]);
    assert_eq!(now["url"], earlier["url"]);
    let refused = software.get("/econnector/v1/forms").await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::UNAUTHORIZED, &json!("link-key-wrong"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_of_the_computer_stays_outside() {
    let program = Background::start("software = [\"Medistar\"]\n").await;
    let file = connection_file(program.home());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Every folder on the way is opened, so that the file stands for itself.
    for folder in file.ancestors().skip(1).take_while(|folder| folder.starts_with(program.home())) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let read = as_nobody(Command::new("cat").arg(&file));
    assert!(!read.status.success() && read.stdout.is_empty(), "{}", said(&read));
    assert!(said(&read).contains("ermission denied"), "{}", said(&read));

    let url = program.connection()["url"].as_str().unwrap().to_owned();
    let path = "/econnector/v1/session";
    let asked = as_nobody(Command::new("curl").args(["--silent", "--noproxy", "*", &format!("{url}{path}")]));
    assert_eq!(json_of(&asked)["code"], "link-key-missing", "{}", said(&asked));
    let guessed = ["-H", "X-EConnector-Key: 0000000000000000000000000000000000000000000"];
    let asked = as_nobody(
        Command::new("curl")
            .args(["--silent", "--noproxy", "*", &format!("{url}{path}")])
            .args(guessed),
    );
    assert_eq!(json_of(&asked)["code"], "link-key-wrong", "{}", said(&asked));

    // Nor does the doctor of that user tell her more than whose it is.
    let mut doctor = Command::new(econnector_tests::project_file("target/debug/econnector"));
    doctor
        .args(["doctor", "--json"])
        .env("HOME", program.home())
        .env("XDG_DATA_HOME", program.home().join("data"))
        .env("XDG_CONFIG_HOME", program.home().join("config"));
    let report = as_nobody(&mut doctor);
    assert!(!report.status.success(), "{}", said(&report));
    assert!(finds(&report, "file-unreadable"), "{}", said(&report));
    assert!(!said(&report).contains(&key_of(program.home())));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_gets_in_that_nobody_listed() {
    let window = Opening::new(1280, 720).await.with_rules("software = [\"Medistar\"]\n").open().await;
    let software = window.practice(SOFTWARE).await;
    let door = software.url().to_owned();
    let key = key_of(window.home());
    let site = Site::serve(&attack(&door, &key)).await;
    let named = format!("http://evil.example:{}", site.port());
    let numbered = format!("http://127.0.0.1:{}", site.port());
    let local = format!("http://localhost:{}", site.port());

    // A stranger's page, and pages of this very computer that only came through another port.
    for page in [&named, &numbered, &local] {
        let _browser = Chromium::open(page, &["evil.example"]);
        let found = site.told().await;
        for (attempt, outcome) in found.as_object().unwrap() {
            assert_eq!(outcome, "TypeError", "{attempt} from {page}");
        }
        assert_eq!(found.as_object().unwrap().len(), 6, "{found}");
        refused_of(&window, page).await;
    }
    assert_eq!(window.control().await.exchanges().await, Vec::<Value>::new());
    for one in window.own("/v1/link").await["refused"].as_array().unwrap() {
        assert!(
            one["title"].as_str().is_some_and(|title| !title.is_empty()) && one["next"].as_str().is_some_and(|next| !next.is_empty()),
            "{one}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_made_to_lead_here_leads_to_nothing() {
    // The stranger's page first stands at the very port: to the browser, what answers there later is the same origin.
    let ear = Site::serve("").await;
    let script = format!(
        "const tell_ear = (value) => fetch('http://127.0.0.1:{}/told', {{ method: 'POST', mode: 'no-cors', body: JSON.stringify(value) }});
        await tell('here');
        for (;;) {{
          await new Promise((go) => setTimeout(go, 200));
          try {{
            const answer = await fetch('/econnector/v1/session', {{ cache: 'no-store' }});
            const text = await answer.text();
            if (text.startsWith('<')) continue;
            const status = await fetch('/econnector/status', {{ cache: 'no-store' }});
            await tell_ear([answer.status, JSON.parse(text).code, status.status]);
            break;
          }} catch (error) {{}}
        }}",
        ear.port()
    );
    let mut site = Site::serve(&script).await;
    let _browser = Chromium::open(&format!("http://rebind.example:{}", site.port()), &["rebind.example"]);
    assert_eq!(site.told().await, "here");
    site.end().await;
    let program = Background::start(&format!("port = {}\n", site.port())).await;
    assert_eq!(
        program.connection()["url"],
        format!("http://127.0.0.1:{}", site.port()),
        "the program stands where the page came from"
    );
    assert_eq!(ear.told().await, json!([421, "link-host-wrong", 421]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_web_application_works_with_its_own_key_alone() {
    const KEY: &str = "VGhlIGtleSB0aGF0IHRoZSBwcmFjdGljZSB3YXMgZ2l2";
    let script = format!(
        "const [door, own] = decodeURIComponent(location.hash.slice(1)).split(' ');
        const ask = async (key, path, options = {{}}) => {{
          try {{
            const answer = await fetch(door + path, {{ ...options, headers: {{ 'X-EConnector-Key': key, 'X-EConnector-Software': 'Praxisweb/1', ...options.headers }} }});
            const said = await answer.json();
            return [answer.status, said.code ?? null];
          }} catch (error) {{ return error.name; }}
        }};
        const body = {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '{{\"values\":{{}}}}' }};
        await tell([
          await ask('{KEY}', '/econnector/v1/forms/ecit/schema'),
          await ask('{KEY}', '/econnector/v1/forms/ecit/check', body),
          await ask(own, '/econnector/v1/forms'),
          await ask('{KEY}', '/econnector/v1/link'),
        ]);"
    );
    let site = Site::serve(&script).await;
    let digest: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    let origin = format!("http://localhost:{}", site.port());
    let rules = format!("software = [\"Praxisweb\"]\n[[origins]]\norigin = \"{origin}\"\nkey_sha256 = \"{digest}\"\n");
    let program = Background::start(&rules).await;
    let connection = program.connection();
    let (door, own) = (connection["url"].as_str().unwrap(), connection["key"].as_str().unwrap());
    let listed = Chromium::open(&format!("{origin}/#{door}%20{own}"), &[]);
    assert_eq!(
        site.told().await,
        json!([[200, null], [200, null], [401, "link-key-wrong"], [404, "route-unknown"]]),
        "the key of the connection file is not for pages"
    );
    drop(listed);
    // The same page under another name of the same computer is somebody else.
    let _unlisted = Chromium::open(&format!("http://127.0.0.1:{}/#{door}%20{own}", site.port()), &[]);
    assert_eq!(site.told().await, json!(["TypeError", "TypeError", "TypeError", "TypeError"]));
    // Nor is its key worth anything without its name.
    let stolen = program.practice("Praxisweb").await.with("X-EConnector-Key", KEY);
    assert_eq!(stolen.get("/econnector/v1/forms").await.json()["code"], "link-key-wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_her_own_session_the_physician_is_asked_and_her_form_stays_as_she_typed_it() {
    let window = Opening::new(1280, 720)
        .await
        .with_rules("consent_seconds = 90\napproval_seconds = 90\n")
        .open()
        .await;
    window.log_in().await;
    let control = window.control().await;
    window.new_form(Key::F2).await;
    window.fill(&OTHER).await;
    let software = window.practice("Medistar/4.2").await;

    // May it come at all?
    let asking = software.clone();
    let first = tokio::spawn(async move { asking.get("/econnector/v1/session").await });
    window.wait("#look").await;
    typing_goes_on(&window, "a").await;
    window.press(Key::F6).await;
    window.wait("#allow").await;
    window.picture("61-consent").await;
    window.accessible("consent").await;
    window.tab_to("allow").await;
    window.press(Key::Enter).await;
    let session = first.await.unwrap();
    assert_eq!(session.status, StatusCode::OK, "{}", session.json());
    assert_eq!(session.json()["state"], "logged_in");
    typing_goes_on(&window, "b").await;

    // May it sign? The page is shown first.
    let signing = issuing(&software);
    look_at_page(&window).await;
    window.picture("62-approval").await;
    window.accessible("approval").await;
    assert_eq!(
        control.exchanges().await,
        Vec::<Value>::new(),
        "nothing leaves before she has looked"
    );
    let mut signatures = control.recorded("/kms/calls").await;
    signatures.retain(|call| call["path"].as_str().is_some_and(|path| path.contains("sign")));
    assert_eq!(signatures, Vec::<Value>::new());
    window.primary().await;
    let (id, signed) = signing.await.unwrap();
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.json());
    assert!(control.exchanges().await[0]["envelope"].as_str().unwrap().contains(NAME));
    typing_goes_on(&window, "c").await;
    // Asked for again it is only told.
    let again = software.issue(id, patient()).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.json());

    // No.
    let signing = issuing(&software);
    look_at_page(&window).await;
    window.tab_to("refuse").await;
    window.press(Key::Enter).await;
    let (_, refused) = signing.await.unwrap();
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::FORBIDDEN, &json!("approval-refused"))
    );
    typing_goes_on(&window, "d").await;

    // Who asked has gone: nothing is left to answer.
    let signing = issuing(&software);
    look_at_page(&window).await;
    signing.abort();
    window.wait("#question-gone").await;
    window.picture("63-withdrawn").await;
    window.accessible("withdrawn").await;
    window.tab_to("question-on").await;
    window.press(Key::Enter).await;
    typing_goes_on(&window, "e").await;

    // Yes to all of today.
    let signing = issuing(&software);
    look_at_page(&window).await;
    window.tab_to("today").await;
    window.press(Key::Enter).await;
    let (_, signed) = signing.await.unwrap();
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.json());
    let (_, trusted) = issuing(&software).await.unwrap();
    assert_eq!(trusted.status, StatusCode::CREATED, "{}", trusted.json());
    assert_eq!(control.exchanges().await.len(), 3);
    typing_goes_on(&window, "f").await;
    assert_eq!(window.value("matricule").await.replace(' ', ""), OTHER[0].1);

    let leaks = Leaks::of(&[NAME, FIRST_NAME, MATRICULE, "1893 12 01 057 32", DIAGNOSIS, OTHER[1].1]);
    assert_eq!(leaks.below(window.home()), Vec::<PathBuf>::new(), "traces while the window is open");
    let home = window.close().await;
    assert_eq!(
        leaks.below(home.path()),
        Vec::<PathBuf>::new(),
        "traces after the window was closed"
    );
    assert!(
        home.path().join("data/lu.econnector.desktop/link.json").exists(),
        "the search saw what the link keeps"
    );
    leaks.prove(home.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_allowed_is_taken_back_and_asked_anew() {
    let window = Opening::new(1280, 720).await.with_rules("consent_seconds = 60\n").open().await;
    window.log_in().await;
    let software = window.practice(SOFTWARE).await;
    let allowed = consent(&window, &software, "allow").await;
    assert_eq!(allowed, StatusCode::OK);

    to_the_link(&window).await;
    window.picture("64-link").await;
    window.accessible("link").await;
    // Refused, it is not asked about again.
    press_beside(&window, 1).await;
    window.wait("[data-software=Medistar][data-decision=refused]").await;
    let refused = software.get("/econnector/v1/session").await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::FORBIDDEN, &json!("software-refused"))
    );
    window.wait("tr[data-reason=software-refused]").await;
    window.accessible("link with refusals").await;
    assert_eq!(window.own("/v1/link").await["waiting"], json!([]));

    // Forgotten, it is.
    press_beside(&window, 1).await;
    window
        .wait_until("document.querySelector('[data-software=Medistar]') === null")
        .await;
    assert_eq!(consent(&window, &software, "refuse").await, StatusCode::FORBIDDEN);
    window.wait("[data-software=Medistar][data-decision=refused]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_is_wrong() {
    let program = Background::start("software = [\"Medistar\"]\n").await;
    let fr = [("LANGUAGE", "fr")];
    let file = connection_file(program.home());
    let key = key_of(program.home());

    let healthy = program.beside(&["doctor"], &fr);
    assert!(healthy.status.success(), "{}", said(&healthy));
    let english = program.beside(&["doctor"], &[("LANGUAGE", "en_GB")]);
    assert_ne!(healthy.stdout, english.stdout, "in the language of the system");
    let report = json_of(&program.beside(&["doctor", "--json"], &fr));
    assert_eq!(report["ok"], true, "{report}");
    assert!(!report.to_string().contains(&key), "a report is sent around");

    // A proxy is for other computers; whoever sends this computer's requests there is told.
    let proxied = program.beside(&["doctor", "--json"], &[("HTTP_PROXY", "http://proxy.example:3128")]);
    assert!(finds(&proxied, "proxy-catches"), "{}", said(&proxied));

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = program.beside(&["doctor", "--json"], &fr);
    assert!(!open.status.success() && finds(&open, "file-open"), "{}", said(&open));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(program.beside(&["doctor"], &fr).status.success());

    let mut program = program;
    program.signal("KILL");
    assert!(program.ended().await.is_some() && file.exists(), "killed, it leaves the file");
    let stale = program.beside(&["doctor", "--json"], &fr);
    assert!(!stale.status.success() && finds(&stale, "process-dead"), "{}", said(&stale));

    std::fs::remove_file(&file).unwrap();
    let none = program.beside(&["doctor", "--json"], &fr);
    assert!(!none.status.success() && finds(&none, "file-missing"), "{}", said(&none));
    assert!(!program.beside(&["doctor"], &fr).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_may_not_open_keeps_nobody_from_the_window() {
    let window = Opening::new(1280, 720).await.with_rules("enabled = false\n").open().await;
    window.log_in().await;
    let view = window.own("/v1/link").await;
    assert_eq!((&view["enabled"], &view["listening"]), (&json!(false), &json!(false)), "{view}");
    let doctor = window.beside(&["doctor"]);
    assert!(
        !doctor.status.success() && said(&doctor).contains("loopback.toml"),
        "{}",
        said(&doctor)
    );
    drop(window);

    // A rule that cannot be read might have been the one that shuts the door.
    let window = Opening::new(1280, 720).await.with_rules("enabled = \"yes\"\n").open().await;
    window.log_in().await;
    let view = window.own("/v1/link").await;
    assert_eq!(
        (&view["listening"], &view["problem"]["code"]),
        (&json!(false), &json!("link-unusable")),
        "{view}"
    );
    assert!(!connection_file(window.home()).exists());
    let doctor = window.beside(&["doctor"]);
    assert!(
        !doctor.status.success() && said(&doctor).contains("loopback.toml"),
        "{}",
        said(&doctor)
    );
}

#[test]
fn the_command_line_is_understood_or_says_that_it_is_not() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| -> Output {
        Command::new(econnector_tests::project_file("target/debug/econnector"))
            .args(arguments)
            .env("HOME", home.path())
            .env("LANGUAGE", "de_LU")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .output()
            .unwrap()
    };
    let help = run(&["--help"]);
    assert!(
        help.status.success() && said(&help).contains("öffnet das Fenster"),
        "{}",
        said(&help)
    );
    let version = run(&["--version"]);
    assert_eq!(said(&version).trim(), format!("econnector {}", env!("CARGO_PKG_VERSION")));
    let unknown = run(&["--backgroud"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains("--backgroud"), "{}", said(&unknown));
    assert_eq!(run(&[]).status.code(), Some(1), "no window without a screen");

    let entry = home.path().join(".config/autostart/lu.econnector.desktop");
    assert!(run(&["--autostart", "on"]).status.success());
    let text = std::fs::read_to_string(&entry).unwrap();
    assert!(
        text.contains("/econnector --background\n") || text.contains("/econnector\" --background\n"),
        "{text}"
    );
    assert!(run(&["--autostart", "off"]).status.success() && !entry.exists());
    assert!(run(&["--autostart", "off"]).status.success(), "off stays off");
}

/// What a stranger's page tries, with the very key in its hands: by script, by form, by frame, by picture.
fn attack(door: &str, key: &str) -> String {
    format!(
        "const door = '{door}';
        const found = {{}};
        const attempt = async (name, path, options) => {{
          try {{
            const answer = await fetch(door + path, options);
            found[name] = answer.type + answer.status;
          }} catch (error) {{ found[name] = error.name; }}
        }};
        const known = {{ 'X-EConnector-Key': '{key}', 'X-EConnector-Software': '{SOFTWARE}' }};
        await attempt('simple', '/econnector/v1/session');
        await attempt('with the key', '/econnector/v1/session', {{ headers: known }});
        await attempt('delete', '/econnector/v1/session', {{ method: 'DELETE', headers: known }});
        await attempt('status', '/econnector/status');
        await attempt('json', '/econnector/v1/documents', {{ method: 'POST', headers: {{ 'content-type': 'application/json', ...known }}, body: '{{}}' }});
        await attempt('no-cors', '/econnector/v1/documents', {{ method: 'POST', mode: 'no-cors', body: '{{}}' }});
        const add = (name, made) => document.body.append(Object.assign(document.createElement(name), made));
        add('iframe', {{ src: door + '/swagger-ui/index.html' }});
        add('img', {{ src: door + '/econnector/v1/openapi.json' }});
        add('iframe', {{ name: 'target' }});
        const form = Object.assign(document.createElement('form'), {{ method: 'post', action: door + '/econnector/v1/signatures', target: 'target', enctype: 'text/plain' }});
        document.body.append(form);
        form.submit();
        await tell(found);"
    )
}

/// Every attempt of a page stands among the refused, with its reason.
async fn refused_of(window: &Window, page: &str) {
    let mut missing = BTreeSet::from([
        ("GET", "/econnector/v1/session", "link-origin-refused"),
        ("OPTIONS", "/econnector/v1/session", "link-origin-refused"),
        ("GET", "/econnector/status", "link-origin-refused"),
        ("OPTIONS", "/econnector/v1/documents", "link-origin-refused"),
        ("POST", "/econnector/v1/documents", "link-origin-refused"),
        ("POST", "/econnector/v1/signatures", "link-origin-refused"),
        ("GET", "/swagger-ui/", "link-cross-site"),
        ("GET", "/econnector/v1/openapi.json", "link-cross-site"),
    ]);
    let mut refused = Value::Null;
    for _ in 0..50 {
        refused = window.own("/v1/link").await["refused"].clone();
        for one in refused.as_array().unwrap() {
            // A frame or a picture has no origin; what asks by script or by form has one.
            if one["reason"] == "link-cross-site" || one["origin"] == page {
                missing.retain(|(method, path, reason)| one["method"] != *method || one["path"] != *path || one["reason"] != *reason);
            }
        }
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("not refused from {page}: {missing:?} in {refused}");
}

/// The patient of the software.
fn patient() -> Value {
    json!({ "last_name": NAME, "first_name": FIRST_NAME, "matricule": MATRICULE, "diagnosis": DIAGNOSIS })
}

/// The software issues a sick note, under an id of its own.
fn issuing(software: &Practice) -> tokio::task::JoinHandle<(Uuid, econnector_tests::Answer)> {
    let software = software.clone();
    tokio::spawn(async move {
        let id = Uuid::new_v4();
        (id, software.issue(id, patient()).await)
    })
}

/// A question takes neither the focus nor a letter; and back from it she types on where she was.
async fn typing_goes_on(window: &Window, letter: &str) {
    window.wait_until("document.activeElement?.id === 'field-last_name'").await;
    let before = window.value("last_name").await;
    window.press(Key::End).await;
    window.data(letter).await;
    assert_eq!(window.value("last_name").await, format!("{before}{letter}"));
}

/// Goes to the question that waits, and stays there until its page may be approved.
async fn look_at_page(window: &Window) {
    window.wait("#look").await;
    window.press(Key::F6).await;
    window.wait(".approval[data-armed=true]").await;
    let page = window
        .wait_until(
            "[...document.querySelectorAll('.approval img')].find((image) => image.complete && image.naturalWidth > 0)?.naturalWidth",
        )
        .await;
    assert!(page.as_f64().is_some_and(|width| width > 100.0), "{page}");
}

/// The software's first request, which the physician answers.
async fn consent(window: &Window, software: &Practice, answer: &str) -> StatusCode {
    let asking = software.clone();
    let first = tokio::spawn(async move { asking.get("/econnector/v1/session").await });
    window.wait("#look").await;
    window.press(Key::F6).await;
    window.wait(&format!("#{answer}")).await;
    window.tab_to(answer).await;
    window.press(Key::Enter).await;
    first.await.unwrap().status
}

/// To the settings of the link, by keyboard.
async fn to_the_link(window: &Window) {
    window.tab_to("nav-settings").await;
    window.press(Key::Enter).await;
    window.wait("#link").await;
    window.tab_to("link").await;
    window.press(Key::Enter).await;
    window.wait("[data-software=Medistar]").await;
}

/// Presses a button beside the software's name: the how manieth, from 0.
async fn press_beside(window: &Window, nth: usize) {
    window
        .tab_until(&format!(
            "document.activeElement === document.querySelectorAll('[data-software=Medistar] button')[{nth}]"
        ))
        .await;
    window.press(Key::Enter).await;
}

fn key_of(home: &Path) -> String {
    let connection: Value = serde_json::from_slice(&std::fs::read(connection_file(home)).unwrap()).unwrap();
    connection["key"].as_str().unwrap().to_owned()
}

/// Runs a program as a user who owns nothing here.
fn as_nobody(command: &mut Command) -> Output {
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    other.arg(command.get_program()).args(command.get_args());
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.output().unwrap_or_else(|error| panic!("setpriv: {error}"))
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// Whether the doctor's report names this code.
fn finds(report: &Output, code: &str) -> bool {
    let report = json_of(report);
    let mut findings = report["findings"].as_array().unwrap().iter();
    findings.any(|finding| finding["code"] == code && finding["title"].as_str().is_some_and(|title| !title.is_empty()))
}
