//! Starting in the background with the session: one entry where each system looks for it, made and taken away by the user alone.

use std::io;

/// What the entry starts beside the program.
const ARGUMENT: &str = "--background";

/// Whether the entry exists.
pub(crate) fn is_on() -> bool {
    entry::exists()
}

/// Makes the entry, or takes it away.
///
/// # Errors
/// The entry's place, and why it cannot be written there.
pub(crate) fn set(on: bool) -> Result<(), (String, io::Error)> {
    let done = if on {
        std::env::current_exe().and_then(|program| entry::make(&program))
    } else {
        entry::remove()
    };
    done.map_err(|error| (entry::place(), error))
}

/// A desktop entry in the user's autostart folder (freedesktop.org, Desktop Application Autostart Specification).
#[cfg(not(any(windows, target_os = "macos")))]
mod entry {
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::desktop_entry;

    fn file() -> Option<PathBuf> {
        Some(dirs::config_dir()?.join("autostart/lu.econnector.desktop"))
    }

    pub(super) fn place() -> String {
        file().unwrap_or_default().display().to_string()
    }

    pub(super) fn exists() -> bool {
        file().is_some_and(|file| file.exists())
    }

    pub(super) fn make(program: &Path) -> io::Result<()> {
        super::write(file(), &text(program))
    }

    pub(super) fn remove() -> io::Result<()> {
        super::remove_file(file())
    }

    pub(super) fn text(program: &Path) -> String {
        let (program, argument) = (desktop_entry::word(program), super::ARGUMENT);
        format!("[Desktop Entry]\nType=Application\nName=eConnector\nExec={program} {argument}\nTerminal=false\nStartupNotify=false\n")
    }
}

/// A launch agent of this user (`man 5 launchd.plist`).
#[cfg(target_os = "macos")]
mod entry {
    use std::io;
    use std::path::{Path, PathBuf};

    fn file() -> Option<PathBuf> {
        Some(dirs::home_dir()?.join("Library/LaunchAgents/lu.econnector.desktop.plist"))
    }

    pub(super) fn place() -> String {
        file().unwrap_or_default().display().to_string()
    }

    pub(super) fn exists() -> bool {
        file().is_some_and(|file| file.exists())
    }

    pub(super) fn make(program: &Path) -> io::Result<()> {
        let program = program
            .display()
            .to_string()
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let argument = super::ARGUMENT;
        let text = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>lu.econnector.desktop</string>
<key>ProgramArguments</key><array><string>{program}</string><string>{argument}</string></array>
<key>RunAtLoad</key><true/>
</dict></plist>
"#
        );
        super::write(file(), &text)
    }

    pub(super) fn remove() -> io::Result<()> {
        super::remove_file(file())
    }
}

/// The user's Run key.
#[cfg(windows)]
mod entry {
    use std::io;
    use std::path::Path;

    use windows_registry::CURRENT_USER;

    const KEY: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
    const NAME: &str = "eConnector";

    pub(super) fn place() -> String {
        format!(r"HKCU\{KEY}\{NAME}")
    }

    pub(super) fn exists() -> bool {
        CURRENT_USER.open(KEY).and_then(|key| key.get_string(NAME)).is_ok()
    }

    pub(super) fn make(program: &Path) -> io::Result<()> {
        let command = format!("\"{}\" {}", program.display(), super::ARGUMENT);
        CURRENT_USER
            .create(KEY)
            .and_then(|key| key.set_string(NAME, &command))
            .map_err(io::Error::other)
    }

    pub(super) fn remove() -> io::Result<()> {
        if !exists() {
            return Ok(());
        }
        CURRENT_USER
            .create(KEY)
            .and_then(|key| key.remove_value(NAME))
            .map_err(io::Error::other)
    }
}

/// Writes a file of the user's, in a folder that may not exist yet.
#[cfg(not(windows))]
pub(crate) fn write(file: Option<std::path::PathBuf>, text: &str) -> io::Result<()> {
    let file = file.ok_or(io::ErrorKind::NotFound)?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text)
}

/// Removes a file that may not exist.
#[cfg(not(windows))]
pub(crate) fn remove_file(file: Option<std::path::PathBuf>) -> io::Result<()> {
    match std::fs::remove_file(file.ok_or(io::ErrorKind::NotFound)?) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
