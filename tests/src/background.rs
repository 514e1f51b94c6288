use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::stop;
use crate::surroundings::{Surroundings, program};
use crate::{Control, Practice, connection_file, patiently};

/// How long the program may take to end, or its window to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program as it is shipped, started without a window: practice software reaches it, and a screen shows what it asks.
pub struct Background {
    program: Child,
    around: Surroundings,
}

impl Background {
    /// Starts it with what the installation decided (`loopback.toml`), and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(rules: &str) -> Self {
        let around = Surroundings::new(1280, 900).await;
        around.set_rules(rules);
        Self::start_in(around).await
    }

    /// Starts it with settings of its own (`settings.toml`), in an environment of its own, and waits until it listens.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(settings: &str, rules: &str, environment: &[(&str, &str)]) -> Self {
        let mut around = Surroundings::new(1280, 900).await;
        around.set_settings(settings);
        around.set_rules(rules);
        for (name, value) in environment {
            around.set(name, value);
        }
        Self::start_in(around).await
    }

    /// Starts it with settings that it cannot use: it never listens.
    ///
    /// # Panics
    /// When the program is missing.
    pub async fn start_broken(settings: &str, screen: bool) -> Self {
        let mut around = Surroundings::new(1280, 900).await;
        around.set_settings(settings);
        if !screen {
            around.set("DISPLAY", "");
        }
        let program = start(&around);
        Self { program, around }
    }

    /// Starts it on a computer without a screen.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_without_screen() -> Self {
        let mut around = Surroundings::new(640, 480).await;
        around.set("DISPLAY", "");
        Self::start_in(around).await
    }

    /// Starts it again where it was, after it ended or was killed.
    ///
    /// # Panics
    /// When it still runs, or does not start.
    pub async fn start_again(mut self) -> Self {
        assert!(self.ended().await.is_some(), "it still runs");
        // A program that was killed left its file.
        let left = fs::read(connection_file(self.home())).ok();
        self.program = start(&self.around);
        patiently(|| {
            fs::read(connection_file(self.home()))
                .ok()
                .filter(|file| left.as_ref() != Some(file))
        })
        .await;
        self
    }

    async fn start_in(around: Surroundings) -> Self {
        let program = start(&around);
        let background = Self { program, around };
        patiently(|| Some(()).filter(|()| connection_file(background.home()).exists())).await;
        background
    }

    /// The home that did not exist before.
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

    /// What the connection file says.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn connection(&self) -> Value {
        serde_json::from_slice(&fs::read(connection_file(self.home())).unwrap()).unwrap()
    }

    /// The program's own process.
    ///
    /// # Panics
    /// When it does not say.
    #[must_use]
    pub fn pid(&self) -> u32 {
        u32::try_from(self.connection()["pid"].as_u64().unwrap()).unwrap()
    }

    /// Runs the program once more beside this one, in the same home: a second start, or the doctor.
    #[must_use]
    pub fn beside(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        self.around.beside(arguments, environment)
    }

    /// Starts it once more beside this one and does not wait for it; what it says goes into `state/beside.log`.
    ///
    /// # Panics
    /// When the program is missing.
    #[must_use]
    pub fn start_beside(&self, arguments: &[&str]) -> Child {
        let log = fs::File::create(self.home().join("state/beside.log")).unwrap();
        let mut command = self.around.command(program().to_str().unwrap(), arguments);
        command.stderr(log).spawn().unwrap()
    }

    /// What it opened in the browser last.
    pub async fn opened(&self) -> String {
        self.around.opened().await
    }

    /// What it said, as far as it did.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home().join("state/program.log")).unwrap_or_default()
    }

    /// Whether one of its windows can be seen.
    #[must_use]
    pub fn has_window(&self) -> bool {
        self.around.xdotool(&["search", "--onlyvisible", "--name", "eConnector"])
    }

    /// Waits until a window can be seen.
    ///
    /// # Panics
    /// When none comes.
    pub async fn window(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.has_window() {
            assert!(Instant::now() < until, "no window comes");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Closes its window as a window manager would, and waits until it is gone.
    ///
    /// # Panics
    /// When there is none, or it stays.
    pub async fn close_window(&self) {
        assert_eq!(self.around.close_windows(), 1, "windows to close");
        let until = Instant::now() + PATIENCE;
        while self.has_window() {
            assert!(Instant::now() < until, "the window stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Presses a key in its window, or several at once such as `ctrl+l`.
    ///
    /// # Panics
    /// When the window does not take the focus.
    pub async fn press(&self, keys: &str) {
        let until = Instant::now() + PATIENCE;
        // Windows come and go while the toolkit starts.
        let focus = ["search", "--onlyvisible", "--name", "eConnector", "windowfocus", "--sync"];
        while !self.around.xdotool(&focus) {
            assert!(Instant::now() < until, "the window does not take the focus");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(self.around.xdotool(&["key", "--clearmodifiers", keys]), "{keys}");
    }

    /// Sends its process a signal, such as `TERM`.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, name: &str) {
        let mut kill = std::process::Command::new("kill");
        kill.args([format!("-{name}"), self.pid().to_string()]);
        assert!(kill.status().unwrap().success(), "kill -{name}");
    }

    /// Waits until it has ended; nothing when it does not.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn ended(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.program.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// The home as the program left it.
    ///
    /// # Panics
    /// When it still runs.
    pub async fn into_home(mut self) -> TempDir {
        assert!(self.ended().await.is_some(), "it still runs");
        self.around.take_home()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        stop(&mut self.program);
    }
}

/// Its session bus tells where it is, for whoever plays a desktop.
fn start(around: &Surroundings) -> Child {
    let line = "printf %s \"$DBUS_SESSION_BUS_ADDRESS\" > \"$HOME/state/bus\"; exec \"$0\" --background";
    let program = program();
    around
        .run("dbus-run-session", &["--", "sh", "-c", line, program.to_str().unwrap()])
        .spawn()
        .unwrap()
}
