use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tokio::sync::MutexGuard;

use crate::control::patiently;
use crate::process::stop;

/// The program's name for its folders.
const IDENTIFIER: &str = "lu.econnector.desktop";

/// One screen at a time: two windows would fight for two cores and one keyboard focus.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A screen, a session bus and a home that did not exist before, for one program.
pub(crate) struct Surroundings {
    home: TempDir,
    screen: Child,
    display: String,
    environment: Vec<(String, String)>,
    _turn: MutexGuard<'static, ()>,
}

impl Surroundings {
    pub(crate) async fn new(width: u32, height: u32) -> Self {
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
            environment: Vec::new(),
            _turn: turn,
        }
    }

    /// The program's environment gets one more variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the program looks for settings and further forms.
    pub(crate) fn config(&self) -> PathBuf {
        self.home().join("config").join(IDENTIFIER)
    }

    /// Where it keeps journal and profiles.
    pub(crate) fn data(&self) -> PathBuf {
        self.home().join("data").join(IDENTIFIER)
    }

    /// Gives the home away, as the program left it.
    pub(crate) fn take_home(&mut self) -> TempDir {
        std::mem::replace(&mut self.home, tempfile::tempdir().unwrap())
    }

    /// What the installation decided about the link with practice software.
    pub(crate) fn set_rules(&self, rules: &str) {
        std::fs::create_dir_all(self.config()).unwrap();
        std::fs::write(self.config().join("loopback.toml"), rules).unwrap();
    }

    /// Where the services are, in place of the stand-ins inside the program (`settings.toml`).
    pub(crate) fn set_settings(&self, settings: &str) {
        std::fs::create_dir_all(self.config()).unwrap();
        std::fs::write(self.config().join("settings.toml"), settings).unwrap();
    }

    /// What the program opened in the browser last, once it has.
    pub(crate) async fn opened(&self) -> String {
        let note = self.home().join("state/opened");
        patiently(|| std::fs::read_to_string(&note).ok().filter(|url| !url.is_empty())).await
    }

    /// Starts a program here; what it says goes into files below the home.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Command {
        let state = self.home().join("state");
        let mut command = self.command(program, arguments);
        command
            .process_group(0)
            .stdout(File::create(state.join("program.out")).unwrap())
            .stderr(File::create(state.join("program.log")).unwrap());
        command
    }

    /// A program that finds itself here.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
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
            // No printer but the one that the test brings.
            .env("CUPS_SERVER", home.join("run/no-cups.sock"))
            // The language of the system: what the program says outside of its window.
            .env("LANGUAGE", "fr_LU")
            .env_remove("WAYLAND_DISPLAY")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program once more in this home, to its end: a second start, or the doctor.
    pub(crate) fn beside(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let program = program();
        let mut command = self.command(program.to_str().unwrap(), arguments);
        command.envs(environment.iter().copied()).output().unwrap()
    }

    /// Closes the program's windows as a window manager does when somebody clicks on the cross; how many there were.
    pub(crate) fn close_windows(&self) -> usize {
        use x11rb::connection::Connection as _;
        use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

        let mut search = Command::new("xdotool");
        search
            .args(["search", "--onlyvisible", "--name", "eConnector"])
            .env("DISPLAY", &self.display);
        let found = String::from_utf8(search.output().unwrap().stdout).unwrap();
        let windows: Vec<u32> = found.lines().map(|id| id.parse().unwrap()).collect();
        let (screen, _) = x11rb::connect(Some(&self.display)).unwrap();
        let atom = |name: &[u8]| screen.intern_atom(false, name).unwrap().reply().unwrap().atom;
        for window in &windows {
            let close = ClientMessageEvent::new(32, *window, atom(b"WM_PROTOCOLS"), [atom(b"WM_DELETE_WINDOW"), 0, 0, 0, 0]);
            screen
                .send_event(false, *window, EventMask::NO_EVENT, close)
                .unwrap()
                .check()
                .unwrap();
        }
        screen.flush().unwrap();
        windows.len()
    }

    /// Moves mouse, keyboard and windows of this screen; `false` when there was nothing to move.
    pub(crate) fn xdotool(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new("xdotool");
        command.args(arguments).env("DISPLAY", &self.display).stdout(Stdio::null());
        command
            .status()
            .unwrap_or_else(|error| panic!("xdotool: {error}: `cargo xtask test` installs it"))
            .success()
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
pub(crate) fn program() -> PathBuf {
    let program = crate::project_file("target/debug/econnector");
    assert!(program.exists(), "{} is not built: `cargo xtask test` builds it", program.display());
    program
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

fn make_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
}
