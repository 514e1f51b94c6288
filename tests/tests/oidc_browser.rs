//! Logging in with a real browser (Chromium on a screen of its own, at the keyboard of a driver): against the sandbox's AeS, and against
//! somebody else's, the certified npm `oidc-provider` shaped like Keycloak, whose authority the browser was told to trust.

#[path = "../../crates/identity/tests/login/provider.rs"]
#[allow(dead_code, reason = "shared with the tests of the login itself")]
mod provider;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use econnector_api::Door;
use econnector_base::{Explain as _, SystemClock};
use econnector_identity::{Aes, AesSettings, Identity as _, LoginRequest, NoKeyring, SessionState};
use econnector_net::{Transport, TransportOptions};
use econnector_tests::{Stage, Window, patiently, project_file};
use econnector_training::Training;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use http::{Method, StatusCode};
use provider::Provider;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// How long anything in the browser may take before the test gives up; generous, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the page says to whom comes back: the language, the title when it went well, and when it did not.
const PAGES: [(&str, &str, &str); 4] = [
    ("fr", "Connexion réussie", "La connexion n’a pas abouti"),
    ("de", "Sie sind angemeldet", "Die Anmeldung ist nicht gelungen"),
    ("en", "You are logged in", "The login did not succeed"),
    ("lb", "Dir sidd ageloggt", "D’Umeldung huet net geklappt"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_physician_logs_in_at_the_stand_in_and_is_told_so_in_her_language() {
    let stage = Stage::desktop().await;
    let browser = Chromium::open(&[]).await;
    for (language, done, failed) in PAGES {
        let url = login(&stage, language, json!({})).await;
        assert_eq!(session(&stage).await["state"], "logging_in");
        browser.go(&url).await;
        browser.log_in("dr.weber", "weber").await;
        browser.came_back(language, done).await;
        assert_eq!(who(&stage).await, "Dr Anne Weber");
        assert_eq!(session(&stage).await["physician"]["ehealth_id"], "1900000001");

        // Logged out at AeS too: the next one who uses this browser has to log in. Here AeS refuses her.
        let ended = stage.call(Method::DELETE, "/v1/session", &[], None).await;
        assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.json());
        stage
            .fault(json!({"service": "aes", "kind": "refuse", "count": 1, "path": "openid-connect/auth"}))
            .await;
        browser.go(&login(&stage, language, json!({})).await).await;
        browser.came_back(language, failed).await;
        let session = after_login(&stage).await;
        assert_eq!(
            (session["state"].as_str(), session["problem"]["code"].as_str()),
            (Some("logged_out"), Some("login-refused"))
        );
        assert_eq!(session["problem"]["authority"]["code"], "access_denied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_physician_logs_in_at_somebody_elses_provider_and_declines_there() {
    let (provider, stage) = somebody_elses().await;
    let browser = Chromium::open(&[&provider.ca_pem]).await;
    browser.go(&login(&stage, "de", json!({})).await).await;
    browser.log_in("dr.muller", "any").await;
    browser.consent().await;
    browser.came_back("de", "Sie sind angemeldet").await;
    assert_eq!(who(&stage).await, "Dr Luc Muller");
    assert_eq!(session(&stage).await["physician"]["ehealth_id"], "1900000002");
    stage.call(Method::DELETE, "/v1/session", &[], None).await;

    // “Cancel” on the provider's own page, where a name would be typed.
    let before = provider.count("token");
    browser.go(&login(&stage, "fr", json!({"other_account": true})).await).await;
    browser.wait("input[name=login]").await;
    browser.press_link("Cancel").await;
    browser.came_back("fr", "La connexion n’a pas abouti").await;
    let session = after_login(&stage).await;
    assert_eq!(session["problem"]["code"], "login-refused");
    assert_eq!(session["problem"]["authority"]["code"], "access_denied");
    assert_eq!(provider.count("token"), before, "nothing was redeemed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_logged_in_in_the_browser_somebody_else_may_come_back() {
    let (provider, stage) = somebody_elses().await;
    let browser = Chromium::open(&[&provider.ca_pem]).await;
    browser.go(&login(&stage, "fr", json!({})).await).await;
    browser.log_in("sec.klein", "any").await;
    browser.consent().await;
    browser.came_back("fr", "Connexion réussie").await;
    assert_eq!(who(&stage).await, "Claire Klein");
    assert_eq!(session(&stage).await["physician"], Value::Null, "she has not said for whom");
    // The wrong account: asked for another, the provider shows its form although the browser is logged in there.
    browser.go(&login(&stage, "fr", json!({"other_account": true})).await).await;
    browser.log_in("dr.weber", "any").await;
    browser.consent().await;
    browser.came_back("fr", "Connexion réussie").await;
    assert_eq!(who(&stage).await, "Dr Anne Weber");

    // The same at the stand-in; where nobody asks for another account, the one who is logged in comes back by herself.
    let stage = Stage::desktop().await;
    for (request, user, typed, comes) in [
        (json!({}), "sec.klein", true, "Claire Klein"),
        (json!({}), "dr.muller", false, "Claire Klein"),
        (json!({"other_account": true}), "dr.muller", true, "Dr Luc Muller"),
    ] {
        browser.go(&login(&stage, "fr", request).await).await;
        if typed {
            browser.log_in(user, user.rsplit('.').next().unwrap()).await;
        }
        browser.came_back("fr", "Connexion réussie").await;
        assert_eq!(who(&stage).await, comes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_was_closed_leaves_nothing_but_a_login_to_be_given_up() {
    let stage = Stage::desktop().await;
    let browser = Chromium::open(&[]).await;
    let url = login(&stage, "fr", json!({})).await;
    browser.go(&url).await;
    browser.wait("input[name=password]").await;
    browser.close().await;
    // The window goes on offering the page, and can give up.
    assert_eq!(session(&stage).await["login_url"], Value::from(url.as_str()));
    assert_eq!(login(&stage, "fr", json!({})).await, url, "pressed again, the same page");
    let given_up = stage.call(Method::DELETE, "/v1/session", &[], None).await;
    assert_eq!(given_up.status, StatusCode::NO_CONTENT);
    let session = session(&stage).await;
    assert_eq!((session["state"].as_str(), &session["problem"]), (Some("logged_out"), &Value::Null));

    // Whoever finds the old page afterwards and logs in there, logs nobody in here.
    let browser = Chromium::open(&[]).await;
    browser.go(&url).await;
    browser.log_in("dr.weber", "weber").await;
    browser.nobody_home().await;
    assert_eq!(after_login(&stage).await["state"], "logged_out");

    // And the next login is as good as any.
    browser.go(&login(&stage, "en", json!({})).await).await;
    browser.came_back("en", "You are logged in").await;
    assert_eq!(who(&stage).await, "Dr Anne Weber");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_logins_at_once_are_one_and_two_programs_do_not_mix() {
    let (provider, stage) = somebody_elses().await;
    let other = with_issuer(&provider).await;
    let browser = Chromium::open(&[&provider.ca_pem]).await;
    // Two tabs at the same page: the first that is done logs in, the second finds nobody home.
    let url = login(&stage, "fr", json!({})).await;
    assert_eq!(login(&stage, "fr", json!({})).await, url);
    browser.go(&url).await;
    browser.wait("input[name=login]").await;
    let first = browser.tab().await;
    let second = browser.new_tab().await;
    browser.go(&url).await;
    browser.log_in("dr.weber", "any").await;
    browser.consent().await;
    browser.came_back("fr", "Connexion réussie").await;
    assert_eq!(who(&stage).await, "Dr Anne Weber");
    browser.switch(&first).await;
    browser.log_in("dr.muller", "any").await;
    browser.consent().await;
    browser.nobody_home().await;
    assert_eq!(who(&stage).await, "Dr Anne Weber");

    // Two programs at the same time, one browser: each gets the answer to its own question.
    let mine = login(&stage, "fr", json!({"other_account": true})).await;
    let theirs = login(&other, "de", json!({"other_account": true})).await;
    browser.go(&mine).await;
    browser.wait("input[name=login]").await;
    browser.switch(&second).await;
    browser.go(&theirs).await;
    browser.log_in("dr.muller", "any").await;
    browser.consent().await;
    browser.came_back("de", "Sie sind angemeldet").await;
    assert_eq!(who(&other).await, "Dr Luc Muller");
    assert_eq!(session(&stage).await["state"], "logging_in");
    browser.switch(&first).await;
    browser.log_in("sec.klein", "any").await;
    browser.consent().await;
    browser.came_back("fr", "Connexion réussie").await;
    assert_eq!(
        (who(&stage).await, who(&other).await),
        ("Claire Klein".to_owned(), "Dr Luc Muller".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_too_long_begins_again() {
    let training = Training::start().await.unwrap();
    let browser = Chromium::open(&[]).await;
    let ready = training.sandbox().ready();
    let options = TransportOptions {
        anchors_pem: vec![std::fs::read(&ready.ca_pem).unwrap()],
        only_these_anchors: true,
        ..TransportOptions::default()
    };
    let settings = AesSettings {
        login_timeout: Duration::from_secs(2),
        ..AesSettings::new(ready.issuer.parse().unwrap(), ready.desktop_client_id.clone())
    };
    let transport = Transport::new(&options).unwrap();
    let aes = Aes::new(
        settings,
        transport,
        Arc::new(NoKeyring::new()),
        Arc::new(Nobody),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    let request = || LoginRequest {
        language: "fr".into(),
        other_account: false,
    };
    browser.go(aes.start_login(request()).await.unwrap().as_str()).await;
    browser.wait("input[name=password]").await;
    let view = loop {
        let view = aes.session().await;
        if !matches!(view.state, SessionState::LoggingIn { .. }) {
            break view;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(view.failure.unwrap().code(), "login-timeout");
    // The page still stands there. Whoever types now comes too late.
    browser.log_in("dr.weber", "weber").await;
    browser.nobody_home().await;
    assert_eq!(aes.session().await.failure.unwrap().code(), "login-timeout");
    // Begun again, AeS remembers her.
    browser.go(aes.start_login(request()).await.unwrap().as_str()).await;
    browser.came_back("fr", "Connexion réussie").await;
    assert!(aes.authorized().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_opens_the_browser_of_the_computer() {
    let window = Window::open(1280, 720).await;
    let home = window.home().to_owned();
    // What the system opens addresses with: the real browser, which its driver joins later.
    let opener = home.join("bin/xdg-open");
    let profile = home.join("browser");
    let script = format!(
        "#!/bin/sh\necho $$ > \"$HOME/state/browser.pid\"\nexec chromium {} --remote-debugging-port=0 --user-data-dir={} \"$1\" >/dev/null 2>&1\n",
        ARGUMENTS.join(" "),
        profile.display()
    );
    std::fs::write(&opener, script).unwrap();
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o700)).unwrap();
    let _opened = Opened(home.join("state/browser.pid"));
    window.wait("#login").await;
    window.tab_to("login").await;
    window.press(Key::Enter).await;
    window.wait("#login-url").await;

    let port = patiently(|| {
        let said = std::fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
        said.lines().next().map(str::to_owned)
    })
    .await;
    let browser = Chromium::join(&format!("127.0.0.1:{port}")).await;
    browser.log_in("dr.weber", "weber").await;
    browser.came_back("fr", "Connexion réussie").await;
    window.wait("#nav-new-ecit").await;
    window.wait_until("document.body.innerText.includes('Dr Anne Weber')").await;
}

/// A browser that the program has opened: it outlives the program.
struct Opened(PathBuf);

impl Drop for Opened {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(&self.0) {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
    }
}

/// Nobody looks: the test goes where the program would send the browser.
struct Nobody;

impl econnector_identity::Browser for Nobody {
    fn open(&self, _: &str) -> bool {
        true
    }
}

/// A desktop that logs in at somebody else's AeS.
async fn somebody_elses() -> (Provider, Stage) {
    let provider = tokio::task::spawn_blocking(|| Provider::start(&[])).await.unwrap();
    let stage = with_issuer(&provider).await;
    (provider, stage)
}

async fn with_issuer(provider: &Provider) -> Stage {
    let mut anchors = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    Stage::with(Door::Desktop(None), |settings| {
        anchors.extend(std::fs::read(settings.anchors.as_ref().unwrap()).unwrap());
        anchors.extend(&provider.ca_pem);
        let both = folder.path().join("anchors.pem");
        std::fs::write(&both, &anchors).unwrap();
        settings.anchors = Some(both);
        settings.aes.issuer = provider.issuer.parse().unwrap();
    })
    .await
}

/// Starts a login as the window does, and returns the page's address.
async fn login(stage: &Stage, language: &str, body: Value) -> String {
    let started = stage
        .call(Method::POST, "/v1/session/login", &[("accept-language", language)], Some(&body))
        .await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.json());
    started.json()["login_url"].as_str().unwrap().to_owned()
}

async fn session(stage: &Stage) -> Value {
    stage.get("/v1/session").await
}

/// The session once no login is under way.
async fn after_login(stage: &Stage) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let session = session(stage).await;
        if session["state"] != "logging_in" {
            return session;
        }
        assert!(Instant::now() < until, "{session}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn who(stage: &Stage) -> String {
    let session = after_login(stage).await;
    session["actor"]["name"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
}

/// One browser at a time: two would fight for two cores.
static TURN: Mutex<()> = Mutex::const_new(());

const ARGUMENTS: &[&str] = &[
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
    "--password-store=basic",
    "--no-proxy-server",
    "--lang=fr",
];

/// A real browser with a profile of its own, driven.
struct Chromium {
    client: Client,
    driver: Child,
    screen: Option<Child>,
    _home: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Chromium {
    /// On a screen of its own; trusts these authorities beside those it comes with.
    async fn open(authorities: &[&[u8]]) -> Self {
        let turn = TURN.lock().await;
        let home = tempfile::tempdir().unwrap();
        trust(home.path(), authorities);
        let (screen, display) = open_screen();
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let arguments: Vec<&str> = ARGUMENTS.iter().copied().chain([profile.as_str()]).collect();
        let options = json!({ "args": arguments });
        let (driver, client) = drive(home.path(), &display, options).await;
        Self {
            client,
            driver,
            screen: Some(screen),
            _home: home,
            _turn: turn,
        }
    }

    /// One that somebody else has opened.
    async fn join(address: &str) -> Self {
        let turn = TURN.lock().await;
        let home = tempfile::tempdir().unwrap();
        let (driver, client) = drive(home.path(), "", json!({ "debuggerAddress": address })).await;
        Self {
            client,
            driver,
            screen: None,
            _home: home,
            _turn: turn,
        }
    }

    async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Fills in AeS' page, whoever wrote it, and presses Enter.
    async fn log_in(&self, username: &str, password: &str) {
        let name = self.wait("input[name=username], input[name=login]").await;
        name.clear().await.unwrap();
        name.send_keys(username).await.unwrap();
        let field = self.wait("input[name=password]").await;
        field.send_keys(&format!("{password}{}", char::from(Key::Enter))).await.unwrap();
    }

    /// The provider asks whether this program may know who she is.
    async fn consent(&self) {
        self.wait("input[name=prompt][value=consent]").await;
        self.wait("button[type=submit]").await.click().await.unwrap();
    }

    async fn press_link(&self, text: &str) {
        let link = self
            .client
            .find(Locator::XPath(&format!("//a[contains(., '{text}')]")))
            .await
            .unwrap();
        link.click().await.unwrap();
    }

    /// The page on the way back: in her language, with this title, without a script, and readable by everybody.
    async fn came_back(&self, language: &str, title: &str) {
        self.until(&format!(
            "location.pathname === '/callback' && document.querySelector('h1')?.textContent === '{title}'"
        ))
        .await;
        let page = self
            .script("({ lang: document.documentElement.lang, title: document.title, scripts: document.scripts.length, text: document.body.innerText, host: location.hostname })")
            .await;
        assert_eq!(
            (page["lang"].as_str(), page["scripts"].as_u64()),
            (Some(language), Some(0)),
            "{page}"
        );
        assert_eq!(
            (page["title"].as_str(), page["host"].as_str()),
            (Some(&*format!("{title} – eConnector")), Some("127.0.0.1"))
        );
        assert!(page["text"].as_str().unwrap().contains("eConnector"), "what to do next: {page}");
        let axe = std::fs::read_to_string(project_file("ui/node_modules/axe-core/axe.min.js")).unwrap();
        self.client.execute(&axe, Vec::new()).await.unwrap();
        let run = "const done = arguments[0];
            axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
              .then(({ violations, passes }) => done([passes.length, ...violations.map(({ id, help }) => id + ' ' + help)]), (error) => done([0, String(error)]));";
        let found = self.client.execute_async(run, Vec::new()).await.unwrap();
        let found = found.as_array().unwrap();
        assert!(found.len() == 1 && found[0].as_u64() > Some(3), "{found:?}");
        let folder = project_file("target/window");
        std::fs::create_dir_all(&folder).unwrap();
        let name = if title.contains("réussie") || !PAGES.iter().any(|(_, _, failed)| *failed == title) {
            "done"
        } else {
            "failed"
        };
        std::fs::write(
            folder.join(format!("78-callback-{name}-{language}.png")),
            self.client.screenshot().await.unwrap(),
        )
        .unwrap();
    }

    /// The way back leads to a port where nobody listens any more.
    async fn nobody_home(&self) {
        self.until("document.body?.innerText.includes('ERR_CONNECTION_REFUSED')").await;
    }

    async fn tab(&self) -> String {
        self.client.window().await.unwrap().into()
    }

    async fn new_tab(&self) -> String {
        let handle = self.client.new_window(true).await.unwrap().handle;
        self.client.switch_to_window(handle.clone()).await.unwrap();
        handle.into()
    }

    async fn switch(&self, tab: &str) {
        self.client.switch_to_window(tab.to_owned().try_into().unwrap()).await.unwrap();
    }

    /// Closes every window of it.
    async fn close(self) {
        self.client.clone().close().await.unwrap();
    }

    async fn wait(&self, css: &str) -> fantoccini::elements::Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("{css}: {error}: {}", self.client.source().await.unwrap_or_default()),
        }
    }

    async fn until(&self, script: &str) {
        let until = Instant::now() + PATIENCE;
        // Between two pages there is none.
        while self.client.execute(&format!("return {script};"), Vec::new()).await.ok() != Some(Value::Bool(true)) {
            if Instant::now() > until {
                let address = self.client.current_url().await.map(String::from).unwrap_or_default();
                let page = self.script("document.body?.innerText").await;
                panic!("never: {script}; {address} shows {page}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn script(&self, expression: &str) -> Value {
        self.client.execute(&format!("return {expression};"), Vec::new()).await.unwrap()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        for program in [Some(&mut self.driver), self.screen.as_mut()].into_iter().flatten() {
            // Its group: the browser with all its processes.
            let _ = Command::new("kill")
                .args(["-KILL", "--", &format!("-{}", program.id())])
                .stderr(Stdio::null())
                .status();
            let _ = program.wait();
        }
    }
}

async fn drive(home: &Path, display: &str, options: Value) -> (Child, Client) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for folder in ["config", "cache", "data", "tmp"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
    }
    let driver = Command::new("chromedriver")
        .arg(format!("--port={port}"))
        .env("HOME", home)
        .env("TMPDIR", home.join("tmp"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("chromedriver: {error}: `cargo xtask test` installs it"));
    let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
    let until = Instant::now() + PATIENCE;
    loop {
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let connected = ClientBuilder::new(connector)
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await;
        match connected {
            Ok(client) => return (driver, client),
            Err(error) if Instant::now() > until => panic!("the browser does not open: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// Puts authorities where the browser of this home looks for those that its owner has added.
fn trust(home: &Path, authorities: &[&[u8]]) {
    if authorities.is_empty() {
        return;
    }
    let store = home.join(".pki/nssdb");
    std::fs::create_dir_all(&store).unwrap();
    let store = format!("sql:{}", store.display());
    certutil(&["-d", &store, "-N", "--empty-password"]);
    for (number, pem) in authorities.iter().enumerate() {
        let file = home.join(format!("authority-{number}.pem"));
        std::fs::write(&file, pem).unwrap();
        let (name, file) = (format!("authority {number}"), file.display().to_string());
        certutil(&["-d", &store, "-A", "-t", "C,,", "-n", &name, "-i", &file]);
    }
}

fn certutil(arguments: &[&str]) {
    let output = Command::new("certutil")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("certutil: {error}: `cargo xtask test` installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn open_screen() -> (Child, String) {
    let mut screen = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"])
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("Xvfb: {error}: `cargo xtask test` installs it"));
    let mut number = String::new();
    BufReader::new(screen.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (screen, format!(":{}", number.trim()))
}
