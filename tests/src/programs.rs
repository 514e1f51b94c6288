use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::stage::project_file;

/// How long the programs may take to be ready; a program with a debugger's build needs some of it.
const READY: Duration = Duration::from_secs(60);
/// How long they may take to end when told to.
const END: Duration = Duration::from_secs(10);

/// The stand-ins as a program of their own, with or without the hospital's server beside them: as `cargo xtask sandbox` starts them.
pub struct Programs {
    child: Child,
    ready: Value,
    folder: TempDir,
}

impl Programs {
    /// The stand-ins alone.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn sandbox() -> Self {
        Self::start(&[]).await
    }

    /// The stand-ins and the server.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn with_server() -> Self {
        let server = project_file("target/debug/econnector-server");
        Self::start(&["--server", server.to_str().unwrap()]).await
    }

    async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ready.json");
        let child = Command::new(project_file("target/debug/econnector-sandbox"))
            .args(arguments)
            .arg("--ready-file")
            .arg(&file)
            .stdout(File::create(folder.path().join("out")).unwrap())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        // From here on it is stopped whatever happens.
        let mut programs = Self {
            child,
            ready: Value::Null,
            folder,
        };
        let begun = Instant::now();
        loop {
            if let Some(ready) = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                programs.ready = ready;
                return programs;
            }
            let ended = programs.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < READY,
                "not ready ({ended:?}): {}",
                programs.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the ready file says.
    #[must_use]
    pub const fn ready(&self) -> &Value {
        &self.ready
    }

    /// A word of the ready file.
    ///
    /// # Panics
    /// When there is none of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    /// The ready file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path("ready.json")
    }

    /// What they wrote to the log.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap()
    }

    /// A file of a folder of the test's own, which goes with the programs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        end(&mut self.child, "TERM");
    }
}

/// Stops a program as an operator would, or by force; and by force when it does not listen.
pub fn end(child: &mut Child, signal: &str) {
    let running = |child: &mut Child| matches!(child.try_wait(), Ok(None));
    // The number of one that has ended may be another's by now.
    if !running(child) {
        return;
    }
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .stderr(Stdio::null())
        .status();
    let begun = Instant::now();
    while running(child) && begun.elapsed() < END {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
