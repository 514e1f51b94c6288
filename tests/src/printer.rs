use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::judges::judge;
use crate::process::stop;

/// The name of the one queue.
const QUEUE: &str = "Cabinet";

/// The tray of the printer: what CUPS hands to a device lies here afterwards, one file per job.
const TRAY: &str = r#"#!/bin/sh
[ $# -eq 0 ] && exit 0
paper="${DEVICE_URI#tray:}/$1"
cat ${6:+"$6"} > "$paper.part" && mv "$paper.part" "$paper.pdf"
"#;

/// A CUPS daemon of its own, with one queue that takes PDF as printers do; the machine's own daemon is left alone.
pub struct Printer {
    daemon: Child,
    folder: TempDir,
}

impl Printer {
    /// Starts it and makes the queue the default.
    ///
    /// # Panics
    /// When CUPS is not installed or does not come up.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The daemon refuses a folder that others may write to, and starts its device only from one of its own.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        for name in ["printed", "spool", "tmp", "cache", "state", "programs/backend"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink("/usr/lib/cups/daemon", folder.path().join("programs/daemon")).unwrap();
        let tray = folder.path().join("programs/backend/tray");
        std::fs::write(&tray, TRAY).unwrap();
        std::fs::set_permissions(&tray, Permissions::from_mode(0o700)).unwrap();
        let (settings, files) = (folder.path().join("cupsd.conf"), folder.path().join("cups-files.conf"));
        std::fs::write(&settings, daemon_settings(folder.path())).unwrap();
        std::fs::write(&files, file_settings(folder.path())).unwrap();
        let daemon = Command::new("/usr/sbin/cupsd")
            .arg("-f")
            .arg("-c")
            .arg(&settings)
            .arg("-s")
            .arg(&files)
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cupsd: {error}: `cargo xtask test` installs it"));
        let printer = Self { daemon, folder };
        let until = Instant::now() + Duration::from_secs(20);
        while !printer.server().exists() {
            assert!(Instant::now() < until, "cupsd does not come up: {}", printer.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let device = format!("tray:{}", printer.folder.path().join("printed").display());
        printer.administer(&["-p", QUEUE, "-E", "-v", &device, "-D", "Imprimante du cabinet"]);
        printer.administer(&["-d", QUEUE]);
        printer
    }

    /// What a program needs in its environment to print here.
    #[must_use]
    pub fn environment(&self) -> (&'static str, String) {
        ("CUPS_SERVER", self.server().to_str().unwrap_or_default().to_owned())
    }

    /// The queue's name.
    #[must_use]
    pub const fn queue(&self) -> &'static str {
        QUEUE
    }

    /// The text of every job that came out, oldest first, once there are this many.
    ///
    /// # Panics
    /// When they do not come out, or are no PDF.
    #[must_use]
    pub fn printed(&self, jobs: usize) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let mut files: Vec<_> = std::fs::read_dir(self.folder.path().join("printed"))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|file| file.extension().is_some_and(|extension| extension == "pdf"))
                .collect();
            files.sort_by_key(|file| file.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok()));
            if files.len() >= jobs {
                assert_eq!(files.len(), jobs, "more jobs than asked for");
                return files
                    .iter()
                    .map(|file| judge("pdftotext", &["-layout", file.to_str().unwrap(), "-"]))
                    .collect();
            }
            assert!(Instant::now() < until, "{} of {jobs} jobs came out: {}", files.len(), self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn server(&self) -> std::path::PathBuf {
        self.folder.path().join("cups.sock")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn administer(&self, arguments: &[&str]) {
        let (name, server) = self.environment();
        let status = Command::new("/usr/sbin/lpadmin")
            .args(arguments)
            .env(name, server)
            .status()
            .unwrap();
        assert!(status.success(), "lpadmin {arguments:?}: {}", self.log());
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        stop(&mut self.daemon);
    }
}

fn daemon_settings(folder: &Path) -> String {
    format!(
        "LogLevel info\nListen {}/cups.sock\nBrowsing Off\nWebInterface No\nPreserveJobFiles No\nDefaultAuthType None\n\
         <Location />\n  Order allow,deny\n  Allow all\n</Location>\n<Policy default>\n  <Limit All>\n    Order deny,allow\n  </Limit>\n</Policy>\n",
        folder.display()
    )
}

fn file_settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "ServerRoot {folder}\nServerBin {folder}/programs\nCacheDir {folder}/cache\nStateDir {folder}/state\nRequestRoot {folder}/spool\n\
         TempDir {folder}/tmp\nAccessLog {folder}/access.log\nErrorLog {folder}/error.log\nPageLog {folder}/page.log\nPrintcap {folder}/printcap\n"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_sent_to_the_queue_comes_out() {
        let printer = Printer::start();
        let (name, server) = printer.environment();
        let page = std::fs::read(crate::project_file("crates/signature/tests/suite/typst-a2a-ua1.pdf")).unwrap();
        for _ in 0..2 {
            let mut lp = Command::new("lp")
                .args(["-d", printer.queue(), "-"])
                .env(name, &server)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            lp.stdin.take().unwrap().write_all(&page).unwrap();
            assert!(lp.wait().unwrap().success());
        }
        let printed = printer.printed(2);
        assert!(printed.iter().all(|text| text.contains("Certificat fictif")), "{printed:?}");
    }
}
