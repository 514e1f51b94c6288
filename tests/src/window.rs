use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::MutexGuard;

/// How long anything on the screen may take before the test gives up; generous, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One screen at a time: two windows would fight for two cores and one keyboard focus.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A screen, a session bus and a home that did not exist before, for one program.
struct Surroundings {
    home: TempDir,
    screen: Child,
    display: String,
    _turn: MutexGuard<'static, ()>,
}

impl Surroundings {
    async fn new(width: u32, height: u32) -> Self {
        let turn = TURN.lock().await;
        let home = tempfile::tempdir().unwrap();
        for folder in ["tmp", "run", "config", "cache", "data", "state", "bin"] {
            make_private(&home.path().join(folder));
        }
        // The system browser: one that only notes what it was to open. The test takes its place.
        let browser = home.path().join("bin/xdg-open");
        std::fs::write(&browser, "#!/bin/sh\nprintf %s \"$1\" > \"$HOME/state/opened\"\n").unwrap();
        std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let (screen, display) = open_screen(width, height);
        Self {
            home,
            screen,
            display,
            _turn: turn,
        }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Command {
        let home = self.home.path();
        let path = format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("DISPLAY", &self.display)
            .env("HOME", home)
            .env("TMPDIR", home.join("tmp"))
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("PATH", path)
            .env_remove("WAYLAND_DISPLAY")
            .process_group(0)
            .stdout(File::create(home.join("state/program.out")).unwrap())
            .stderr(File::create(home.join("state/program.log")).unwrap());
        command
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        stop(&mut self.screen);
    }
}

/// The built program.
///
/// # Panics
/// When it is not built.
fn program() -> PathBuf {
    let program = crate::project_file("target/debug/econnector");
    assert!(program.exists(), "{} is not built: `cargo xtask test` builds it", program.display());
    program
}

/// The real window under WebKitWebDriver.
pub struct Window {
    client: Client,
    driver: Child,
    around: Surroundings,
}

impl Window {
    /// Opens it.
    ///
    /// # Panics
    /// When the program, Xvfb or WebKitWebDriver is missing or does not come up.
    pub async fn open(width: u32, height: u32) -> Self {
        let around = Surroundings::new(width + 100, height + 100).await;
        let port = free_port();
        let driver = around
            .run(
                "dbus-run-session",
                &["--", "WebKitWebDriver", &format!("--port={port}"), "--host=127.0.0.1"],
            )
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .spawn()
            .unwrap_or_else(|error| panic!("dbus-run-session: {error}: `cargo xtask test` installs it"));
        let client = connect(port, &program()).await;
        client.set_window_rect(0, 0, width, height).await.unwrap();
        Self { client, driver, around }
    }

    /// The driver's client, for what is not said here.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The home that did not exist before: everything the program may write to lies below it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.around.home.path()
    }

    /// Waits until an element is there, and returns its text.
    ///
    /// # Panics
    /// When it does not appear.
    pub async fn wait(&self, css: &str) -> String {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(error) => {
                self.picture("failure").await;
                let shown = self.client.find(Locator::Css("body")).await;
                let shown = if let Ok(body) = shown {
                    body.text().await.unwrap_or_default()
                } else {
                    String::new()
                };
                panic!("{css} does not appear ({error}); the window shows:\n{shown}");
            }
        }
    }

    /// Waits until something is true of the page.
    ///
    /// # Panics
    /// When it does not become true.
    pub async fn wait_until(&self, script: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = self.client.execute(&format!("return {script};"), Vec::new()).await.unwrap();
            if value != Value::Null && value != Value::Bool(false) {
                return value;
            }
            if Instant::now() > until {
                self.picture("failure").await;
                panic!("never: {script}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses keys, as a keyboard would: into whatever has the focus.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn keys(&self, text: &str) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in text.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Presses one key.
    pub async fn press(&self, key: Key) {
        self.keys(&char::from(key).to_string()).await;
    }

    /// Presses a key while Control is held.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn control(&self, key: char) {
        let control = char::from(Key::Control);
        let actions = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: control })
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key })
            .then(KeyAction::Up { value: control });
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Tabs to an element; fails when the keyboard does not lead there.
    ///
    /// # Panics
    /// When 60 tabs do not reach it.
    pub async fn tab_to(&self, id: &str) {
        self.tab_until(&format!("document.activeElement?.id === '{id}'")).await;
    }

    /// Tabs until something is true of the page; fails when the keyboard does not lead there.
    ///
    /// # Panics
    /// When 80 tabs do not reach it.
    pub async fn tab_until(&self, script: &str) {
        for _ in 0..80 {
            if self.client.execute(&format!("return {script};"), Vec::new()).await.unwrap() == Value::Bool(true) {
                return;
            }
            self.press(Key::Tab).await;
        }
        self.picture("failure").await;
        panic!("the keyboard does not lead to: {script}");
    }

    /// Takes a picture into target/window/.
    ///
    /// # Panics
    /// When there is none.
    pub async fn picture(&self, name: &str) -> PathBuf {
        let folder = crate::project_file("target/window");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, self.client.screenshot().await.unwrap()).unwrap();
        file
    }

    /// Closes the window; the home stays as the program left it.
    pub async fn close(mut self) -> TempDir {
        // The program may be gone before the driver has answered.
        let _ = self.client.clone().close().await;
        stop(&mut self.driver);
        std::mem::replace(&mut self.around.home, tempfile::tempdir().unwrap())
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        stop(&mut self.driver);
    }
}

/// The program as it is shipped, without any driver: the keyboard is the X server's, and what is on the screen is not read.
pub struct Desk {
    program: Child,
    around: Surroundings,
}

impl Desk {
    /// Starts it and gives its window the focus.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn open() -> Self {
        let around = Surroundings::new(1400, 900).await;
        let program = around
            .run("dbus-run-session", &["--", program().to_str().unwrap()])
            .spawn()
            .unwrap();
        let desk = Self { program, around };
        // Windows come and go while the toolkit starts; the first one found may be gone when it is to be focused.
        let until = Instant::now() + PATIENCE;
        while !desk.try_xdotool(&["search", "--sync", "--onlyvisible", "--name", "eConnector", "windowfocus", "--sync"]) {
            assert!(Instant::now() < until, "the window does not take the focus");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        desk
    }

    /// The home that did not exist before.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.around.home.path()
    }

    /// Types text, or with `key` presses one combination such as `ctrl+Return`.
    pub fn keyboard(&self, how: &str, what: &str) {
        self.xdotool(&[how, "--delay", "25", "--clearmodifiers", what]);
    }

    /// Ends the program as a window manager would, and returns the home it left.
    pub async fn close(mut self) -> TempDir {
        self.xdotool(&["search", "--onlyvisible", "--name", "eConnector", "windowclose"]);
        let until = Instant::now() + Duration::from_secs(10);
        while self.program.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop(&mut self.program);
        std::mem::replace(&mut self.around.home, tempfile::tempdir().unwrap())
    }

    fn xdotool(&self, arguments: &[&str]) {
        assert!(self.try_xdotool(arguments), "xdotool {arguments:?}");
    }

    fn try_xdotool(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("xdotool");
        command.args(arguments).env("DISPLAY", &self.around.display).stdout(Stdio::null());
        command
            .status()
            .unwrap_or_else(|error| panic!("xdotool: {error}: `cargo xtask test` installs it"))
            .success()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        stop(&mut self.program);
    }
}

/// Ends a program and whatever it started: a session bus does not take its driver along.
fn stop(child: &mut Child) {
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
}

async fn connect(port: u16, program: &Path) -> Client {
    let capabilities: Map<String, Value> = [(
        "webkitgtk:browserOptions".to_owned(),
        json!({ "binary": program.to_str().unwrap(), "args": [] }),
    )]
    .into_iter()
    .collect();
    let until = Instant::now() + PATIENCE;
    loop {
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        match ClientBuilder::new(connector)
            .capabilities(capabilities.clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
        {
            Ok(client) => return client,
            Err(error) if Instant::now() > until => panic!("the window does not open: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

fn open_screen(width: u32, height: u32) -> (Child, String) {
    let mut screen = Command::new("Xvfb")
        .args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &format!("{width}x{height}x24"),
            "-nolisten",
            "tcp",
        ])
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("Xvfb: {error}: `cargo xtask test` installs it"));
    let mut number = String::new();
    BufReader::new(screen.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (screen, format!(":{}", number.trim()))
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
}
