use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::stop;
use crate::surroundings::{Surroundings, program};

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
        let until = Instant::now() + Duration::from_secs(60);
        while !desk
            .around
            .xdotool(&["search", "--sync", "--onlyvisible", "--name", "eConnector", "windowfocus", "--sync"])
        {
            assert!(Instant::now() < until, "the window does not take the focus");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        desk
    }

    /// The home that did not exist before.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.around.home()
    }

    /// Types text, or with `key` presses one combination such as `ctrl+Return`.
    pub fn keyboard(&self, how: &str, what: &str) {
        self.xdotool(&[how, "--delay", "25", "--clearmodifiers", what]);
    }

    /// Ends the program as a window manager would, and returns the home it left.
    pub async fn close(mut self) -> TempDir {
        assert_eq!(self.around.close_windows(), 1);
        let until = Instant::now() + Duration::from_secs(10);
        while self.program.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop(&mut self.program);
        self.around.take_home()
    }

    fn xdotool(&self, arguments: &[&str]) {
        assert!(self.around.xdotool(arguments), "xdotool {arguments:?}");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        stop(&mut self.program);
    }
}
