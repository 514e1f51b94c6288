use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::process::stop;

/// A browser of our time, without a screen and with a profile of its own. Nobody drives it: its pages tell what they found.
pub struct Chromium {
    program: Child,
    _profile: TempDir,
}

impl Chromium {
    /// Opens a page; every name in `here` leads to this computer, as a page's owner can make his own name lead anywhere.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn open(url: &str, here: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let rules: Vec<String> = here.iter().map(|name| format!("MAP {name} 127.0.0.1")).collect();
        let program = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-popup-blocking"])
            .args([
                "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
                "--no-proxy-server",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--host-resolver-rules={}", rules.join(",")))
            .arg(url)
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromium: {error}: `cargo xtask test` installs it"));
        Self {
            program,
            _profile: profile,
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        stop(&mut self.program);
    }
}
