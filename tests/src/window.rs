use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::process::stop;
use crate::surroundings::{Surroundings, program};
use crate::{Control, Practice, Printer, connection_file, log_in_by_http, patiently, project_file};

/// How long anything on the screen may take before the test gives up; generous, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// After so many tabs the keyboard has been everywhere.
const MOST_TABS: usize = 120;

/// What axe-core is asked: WCAG 2.2 A and AA.
const WCAG: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// The real window under WebKitWebDriver.
pub struct Window {
    client: Client,
    driver: Child,
    around: Surroundings,
    presses: AtomicUsize,
}

/// A window that is not open yet.
pub struct Opening {
    around: Surroundings,
    arguments: Vec<String>,
    width: u32,
    height: u32,
}

impl Opening {
    /// Of this many CSS pixels, in a home that did not exist before.
    pub async fn new(width: u32, height: u32) -> Self {
        let around = Surroundings::new(width + 100, height + 100).await;
        Self {
            around,
            arguments: Vec::new(),
            width,
            height,
        }
    }

    /// The program finds this printer and no other.
    #[must_use]
    pub fn printing_to(mut self, printer: &Printer) -> Self {
        let (name, value) = printer.environment();
        self.around.set(name, &value);
        self
    }

    /// The program finds one more form: a folder, copied as it is into the user's configuration.
    ///
    /// # Panics
    /// When there is no such folder.
    #[must_use]
    pub fn with_form(self, folder: &Path) -> Self {
        let forms = self.around.config().join("forms").join(folder.file_name().unwrap());
        copy_folder(folder, &forms);
        self
    }

    /// The profile of Dr Weber, as the program kept it on an earlier day.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn with_profile(self, profile: &Value) -> Self {
        // Beside the journal, which the stand-ins inside the program have for themselves.
        for folder in ["training/profiles", "profiles"] {
            let folder = self.around.data().join(folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("1900000001.json"), profile.to_string()).unwrap();
        }
        self
    }

    /// The installation decided this about the link with practice software (`loopback.toml`).
    #[must_use]
    pub fn with_rules(self, rules: &str) -> Self {
        self.around.set_rules(rules);
        self
    }

    /// Where the services are, in place of the stand-ins inside the program (`settings.toml`).
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        self.around.set_settings(settings);
        self
    }

    /// The program is started with these words.
    #[must_use]
    pub fn started_with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Opens it.
    ///
    /// # Panics
    /// When the program, Xvfb or WebKitWebDriver is missing or does not come up.
    pub async fn open(self) -> Window {
        let port = free_port();
        let driver = self
            .around
            .run(
                "dbus-run-session",
                &["--", "WebKitWebDriver", &format!("--port={port}"), "--host=127.0.0.1"],
            )
            .env("TAURI_AUTOMATION", "true")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .spawn()
            .unwrap_or_else(|error| panic!("dbus-run-session: {error}: `cargo xtask test` installs it"));
        let client = connect(port, &program(), &self.arguments).await;
        client.set_window_rect(0, 0, self.width, self.height).await.unwrap();
        Window {
            client,
            driver,
            around: self.around,
            presses: AtomicUsize::new(0),
        }
    }
}

impl Window {
    /// Opens it.
    pub async fn open(width: u32, height: u32) -> Self {
        Opening::new(width, height).await.open().await
    }

    /// The driver's client, for what is not said here.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The home that did not exist before: everything the program may write to lies below it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.around.home()
    }

    /// The stand-ins inside the program.
    pub async fn control(&self) -> Control {
        Control::of(self.home()).await
    }

    /// A practice software on the same computer, by this name.
    pub async fn practice(&self, software: &str) -> Practice {
        Practice::of(self.home(), software).await
    }

    /// Runs the program once more beside this one, in the same home: a second start, or the doctor.
    #[must_use]
    pub fn beside(&self, arguments: &[&str]) -> Output {
        self.around.beside(arguments, &[])
    }

    /// What the program's own route says to its own page.
    ///
    /// # Panics
    /// When it does not answer with JSON.
    pub async fn own(&self, path: &str) -> Value {
        let ask = "const [path, done] = arguments;
            fetch(`econnector://localhost/econnector${path}`).then((answer) => answer.json()).then(done, (error) => done(String(error)));";
        let said = self.client.execute_async(ask, vec![json!(path)]).await.unwrap();
        assert!(!said.is_string(), "{path}: {said}");
        said
    }

    /// The login button by keyboard; the system browser's part by HTTP. Dr Weber.
    ///
    /// # Panics
    /// When it fails.
    pub async fn log_in(&self) {
        self.log_in_as("dr.weber", "weber").await;
        self.wait("#nav-new-ecit").await;
    }

    /// As [`Window::log_in`], for somebody else; wherever the window leads then.
    ///
    /// # Panics
    /// When it fails.
    pub async fn log_in_as(&self, user: &str, password: &str) {
        self.wait("#login").await;
        self.tab_to("login").await;
        self.press(Key::Enter).await;
        self.browser_logs_in(user, password).await;
    }

    /// The system browser's part of a login that the window has begun.
    ///
    /// # Panics
    /// When it fails.
    pub async fn browser_logs_in(&self, user: &str, password: &str) {
        self.wait("#login-url").await;
        let url = self.script("document.getElementById('login-url').textContent.trim()").await;
        log_in_by_http(url.as_str().unwrap(), user, password, None).await;
        self.wait_until("document.getElementById('login-url') === null").await;
    }

    /// What the program opened in the browser last.
    pub async fn opened(&self) -> String {
        self.around.opened().await
    }

    /// A program of the desktop, in the same home and to its end.
    ///
    /// # Panics
    /// When it is missing.
    #[must_use]
    pub fn desktop_runs(&self, program: &str, arguments: &[&str]) -> Output {
        self.around
            .command(program, arguments)
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}: `cargo xtask test` installs it"))
    }

    /// Opens an empty form by its key, and waits until it can be typed into.
    pub async fn new_form(&self, key: Key) {
        self.press(key).await;
        self.wait_until("document.activeElement?.id.startsWith('field-')").await;
    }

    /// Tabs from field to field, in the order of the screen, and types what stands in the table.
    ///
    /// # Panics
    /// When a field is not on the screen.
    pub async fn fill(&self, table: &[(&str, &str)]) {
        let order = self
            .script("[...document.querySelectorAll('[id^=field-]')].map((one) => one.id.slice(6))")
            .await;
        let place = |field: &str| order.as_array()?.iter().position(|known| known == field);
        let mut rows: Vec<_> = table
            .iter()
            .map(|(field, text)| (place(field).unwrap_or_else(|| panic!("{field} in {order}")), field, text))
            .collect();
        rows.sort();
        for (_, field, text) in rows {
            self.tab_to(&format!("field-{field}")).await;
            self.data(text).await;
        }
    }

    /// Tabs to a field that holds something, and types over it.
    pub async fn replace(&self, field: &str, text: &str) {
        self.tab_to(&format!("field-{field}")).await;
        self.chord(&[Key::Control], 'a').await;
        self.data(text).await;
    }

    /// Tabs to a choice and goes down or up to an option.
    ///
    /// # Panics
    /// When there is no such option.
    pub async fn choose(&self, field: &str, option: &str) {
        self.tab_to(&format!("field-{field}")).await;
        let steps = format!(
            "[...document.activeElement.options].findIndex((one) => one.value === '{option}') - document.activeElement.selectedIndex"
        );
        let steps = self.script(&steps).await.as_i64().unwrap();
        for _ in 0..steps.abs() {
            self.press(if steps > 0 { Key::Down } else { Key::Up }).await;
        }
        assert_eq!(self.value(field).await, option);
    }

    /// Tabs to a box and ticks it.
    pub async fn tick(&self, field: &str) {
        self.tab_to(&format!("field-{field}")).await;
        self.press_char(' ').await;
    }

    /// Fills the lines of a fee note; Enter in a line's last visible column opens the next.
    pub async fn fill_lines(&self, last_column: &str, lines: &[&[(&str, &str)]]) {
        for (row, columns) in lines.iter().enumerate() {
            for (column, text) in *columns {
                self.tab_to(&format!("field-lines-{row}-{column}")).await;
                self.data(text).await;
            }
            if row + 1 < lines.len() {
                self.tab_to(&format!("field-lines-{row}-{last_column}")).await;
                self.press(Key::Enter).await;
                self.wait_until(&format!("document.activeElement?.id === 'field-lines-{}-code'", row + 1))
                    .await;
            }
        }
    }

    /// Nothing that was typed is marked wrong.
    pub async fn settled(&self) {
        self.wait_until("document.querySelectorAll('[aria-invalid=true]').length === 0")
            .await;
    }

    /// Ctrl+Enter: the primary action.
    pub async fn primary(&self) {
        self.chord(&[Key::Control], char::from(Key::Enter)).await;
    }

    /// What a field holds.
    pub async fn value(&self, field: &str) -> String {
        let value = self.script(&format!("document.getElementById('field-{field}').value")).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Changes the language of the window.
    ///
    /// # Panics
    /// When the driver refuses.
    pub async fn switch_language(&self, to: &str) {
        let script = format!(
            "const s = document.getElementById('lang'); s.value = '{to}'; s.dispatchEvent(new Event('change', {{ bubbles: true }}));"
        );
        self.client.execute(&script, Vec::new()).await.unwrap();
        self.wait_until(&format!("document.documentElement.lang === '{to}'")).await;
    }

    /// Nothing on the screen is a hindrance: axe-core finds nothing against WCAG 2.2 AA, and nothing is wider than the window.
    ///
    /// # Panics
    /// When it finds something.
    pub async fn accessible(&self, screen: &str) {
        // Half-way between two colours nothing has its contrast.
        self.wait_until("document.getAnimations().every((one) => one.playState !== 'running')")
            .await;
        let axe = project_file("ui/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&axe).unwrap_or_else(|error| panic!("{}: {error}", axe.display()));
        self.client
            .execute(&format!("if (!globalThis.axe) {{ {axe} }}"), Vec::new())
            .await
            .unwrap();
        // A field half under the bar at the bottom is a matter of scrolling, not of its size.
        let run = "const [tags, done] = arguments;
            axe.run(document, { runOnly: tags }).then(
              ({ violations, passes }) => done({ passes: passes.length, found: violations
                .map(({ id, help, nodes }) => [id, help, ...nodes.filter((n) => !n.failureSummary?.includes('partially obscured')).map((n) => n.html.slice(0, 200) + ' ' + n.failureSummary)])
                .filter((violation) => violation.length > 2) }),
              (error) => done({ passes: 0, found: [String(error)] }));";
        let said = self.client.execute_async(run, vec![json!(WCAG)]).await.unwrap();
        if said["found"].as_array().is_none_or(|found| !found.is_empty()) {
            self.picture("failure").await;
            panic!("{screen}: {}", serde_json::to_string_pretty(&said["found"]).unwrap());
        }
        assert!(
            said["passes"].as_u64().is_some_and(|passes| passes > 5),
            "{screen}: axe looked at nothing"
        );
        let overflow = self.script("document.documentElement.scrollWidth - innerWidth").await;
        assert!(
            overflow.as_i64().is_some_and(|pixels| pixels <= 0),
            "{screen}: {overflow} px wider than the window"
        );
    }

    /// What a script says of the page.
    ///
    /// # Panics
    /// When it throws.
    pub async fn script(&self, expression: &str) -> Value {
        self.client
            .execute(&format!("return {expression};"), Vec::new())
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Waits until an element is there, and returns its text.
    ///
    /// # Panics
    /// When it does not appear.
    pub async fn wait(&self, css: &str) -> String {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element.text().await.unwrap_or_default(),
            Err(error) => self.fail(&format!("{css} does not appear ({error})")).await,
        }
    }

    /// Waits until something is true of the page.
    ///
    /// # Panics
    /// When it does not become true.
    pub async fn wait_until(&self, script: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = self.script(script).await;
            if value != Value::Null && value != Value::Bool(false) {
                return value;
            }
            if Instant::now() > until {
                self.fail(&format!("never: {script}")).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types data, as it stands on the physician's paper: not counted among the key presses.
    pub async fn data(&self, text: &str) {
        self.perform(text.chars().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]))
            .await;
    }

    /// Presses one key.
    pub async fn press(&self, key: Key) {
        self.press_char(char::from(key)).await;
    }

    /// Presses one key while others are held; each of them counts.
    pub async fn chord(&self, held: &[Key], value: char) {
        let held: Vec<char> = held.iter().copied().map(char::from).collect();
        self.presses.fetch_add(held.len() + 1, Ordering::Relaxed);
        let down = held.iter().map(|value| KeyAction::Down { value: *value });
        let up = held.iter().rev().map(|value| KeyAction::Up { value: *value });
        self.perform(down.chain([KeyAction::Down { value }, KeyAction::Up { value }]).chain(up))
            .await;
    }

    /// How many keys were pressed beside the data.
    #[must_use]
    pub fn presses(&self) -> usize {
        self.presses.load(Ordering::Relaxed)
    }

    /// Tabs to an element; fails when the keyboard does not lead there.
    pub async fn tab_to(&self, id: &str) {
        self.tab_until(&format!("document.activeElement?.id === '{id}'")).await;
    }

    /// Tabs back to an element; fails when the keyboard does not lead there.
    ///
    /// # Panics
    /// When 120 tabs do not reach it.
    pub async fn back_to(&self, id: &str) {
        let here = format!("document.activeElement?.id === '{id}'");
        for _ in 0..MOST_TABS {
            if self.script(&here).await == Value::Bool(true) {
                return;
            }
            self.chord(&[Key::Shift], char::from(Key::Tab)).await;
        }
        self.fail(&format!("the keyboard does not lead back to {id}")).await;
    }

    /// Tabs until something is true of the page; fails when the keyboard does not lead there.
    ///
    /// # Panics
    /// When 120 tabs do not reach it.
    pub async fn tab_until(&self, script: &str) {
        for _ in 0..MOST_TABS {
            if self.script(script).await == Value::Bool(true) {
                return;
            }
            self.press(Key::Tab).await;
        }
        self.fail(&format!("the keyboard does not lead to: {script}")).await;
    }

    /// Takes a picture into target/window/.
    ///
    /// # Panics
    /// When there is none.
    pub async fn picture(&self, name: &str) -> PathBuf {
        let folder = project_file("target/window");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        std::fs::write(&file, self.client.screenshot().await.unwrap()).unwrap();
        file
    }

    /// Closes the window as a window manager does when somebody clicks on the cross; what comes of it is the program's.
    ///
    /// # Panics
    /// When there is none.
    pub fn click_cross(&self) {
        assert_eq!(self.around.close_windows(), 1, "windows to close");
    }

    /// Whether the program has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        connection_file(self.home()).exists()
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ended(&self) {
        patiently(|| (!self.is_open()).then_some(())).await;
    }

    /// Closes the window; the home stays as the program left it.
    pub async fn close(mut self) -> TempDir {
        // The program may be gone before the driver has answered.
        let _ = self.client.clone().close().await;
        stop(&mut self.driver);
        self.around.take_home()
    }

    async fn press_char(&self, value: char) {
        self.presses.fetch_add(1, Ordering::Relaxed);
        self.perform([KeyAction::Down { value }, KeyAction::Up { value }]).await;
    }

    async fn perform(&self, keys: impl IntoIterator<Item = KeyAction>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for key in keys {
            actions = actions.then(key);
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    async fn fail(&self, what: &str) -> ! {
        self.picture("failure").await;
        let shown = self.script("document.body.innerText").await;
        let focus = self.script("document.activeElement?.outerHTML.slice(0, 200)").await;
        panic!(
            "{what}; the focus is on {focus}; the window shows:\n{}",
            shown.as_str().unwrap_or_default()
        );
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        stop(&mut self.driver);
    }
}

async fn connect(port: u16, program: &Path, arguments: &[String]) -> Client {
    let capabilities: Map<String, Value> = [(
        "webkitgtk:browserOptions".to_owned(),
        json!({ "binary": program.to_str().unwrap(), "args": arguments }),
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

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
