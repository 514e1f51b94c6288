//! Links of this program's scheme (`econnector:login`): what opens them is told to each system in its own place, made and taken away by
//! the user alone.

use std::io;

/// Makes this program what opens them for this user, or no longer.
///
/// # Errors
/// The place where it is told, and why it cannot be told there.
pub(crate) fn set(on: bool) -> Result<(), (String, io::Error)> {
    let done = if on {
        std::env::current_exe().and_then(|program| entry::make(&program))
    } else {
        entry::remove()
    };
    done.map_err(|error| (entry::place(), error))
}

/// A desktop entry of this user that nobody sees in a menu, and the line that makes it the one for the scheme (freedesktop.org, MIME
/// Applications Associations).
#[cfg(not(any(windows, target_os = "macos")))]
mod entry {
    use std::io;
    use std::path::{Path, PathBuf};

    use crate::command::SCHEME;
    use crate::{autostart, desktop_entry};

    const NAME: &str = "lu.econnector.links.desktop";
    const GROUP: &str = "[Default Applications]";

    fn file() -> Option<PathBuf> {
        Some(dirs::data_dir()?.join("applications").join(NAME))
    }

    fn list() -> Option<PathBuf> {
        Some(dirs::config_dir()?.join("mimeapps.list"))
    }

    pub(super) fn place() -> String {
        let places = [file(), list()].map(|place| place.unwrap_or_default().display().to_string());
        places.join(", ")
    }

    pub(super) fn make(program: &Path) -> io::Result<()> {
        let program = desktop_entry::word(program);
        let text = format!(
            "[Desktop Entry]\nType=Application\nName=eConnector\nExec={program} %u\nTerminal=false\nNoDisplay=true\nMimeType={};\n",
            kind()
        );
        autostart::write(file(), &text)?;
        change_list(true)
    }

    pub(super) fn remove() -> io::Result<()> {
        change_list(false)?;
        autostart::remove_file(file())
    }

    fn change_list(on: bool) -> io::Result<()> {
        let list = list().ok_or(io::ErrorKind::NotFound)?;
        let before = match std::fs::read_to_string(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let after = with_default(&before, on);
        if after == before {
            return Ok(());
        }
        // The user's own choices stand in it: replaced as a whole or not at all, where it really lies.
        let list = std::fs::canonicalize(&list).unwrap_or(list);
        let fresh = list.with_extension("list.new");
        autostart::write(Some(fresh.clone()), &after)?;
        std::fs::rename(fresh, list)
    }

    fn kind() -> String {
        format!("x-scheme-handler/{SCHEME}")
    }

    /// The list with this program as the one for the scheme, or without it. Everything else stays as it is.
    pub(super) fn with_default(list: &str, on: bool) -> String {
        let kind = kind();
        let own = format!("{kind}={NAME};");
        let (mut lines, mut inside, mut said) = (Vec::new(), false, false);
        for line in list.lines() {
            if line.trim_start().starts_with('[') {
                inside = line.trim() == GROUP;
                lines.push(line);
                if inside && on && !said {
                    lines.push(&own);
                    said = true;
                }
                continue;
            }
            let chosen = line.split_once('=').filter(|(key, _)| inside && key.trim() == kind);
            let replaced = chosen.is_some_and(|(_, program)| on || program.trim().trim_end_matches(';') == NAME);
            if !replaced {
                lines.push(line);
            }
        }
        if on && !said {
            lines.extend([GROUP, &own]);
        }
        let mut text = lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }
}

/// The bundle's own `Info.plist` tells it, to Launch Services.
#[cfg(target_os = "macos")]
mod entry {
    use std::io;
    use std::path::Path;

    pub(super) fn place() -> String {
        "Info.plist".to_owned()
    }

    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn make(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn remove() -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "part of the application"))
    }
}

/// The user's own classes.
#[cfg(windows)]
mod entry {
    use std::io;
    use std::path::Path;

    use windows_registry::CURRENT_USER;

    use crate::command::SCHEME;

    fn key() -> String {
        format!(r"Software\Classes\{SCHEME}")
    }

    pub(super) fn place() -> String {
        format!(r"HKCU\{}", key())
    }

    pub(super) fn make(program: &Path) -> io::Result<()> {
        let command = format!("\"{}\" \"%1\"", program.display());
        let told = || {
            let scheme = CURRENT_USER.create(key())?;
            scheme.set_string("", "URL:eConnector")?;
            scheme.set_string("URL Protocol", "")?;
            scheme.create(r"shell\open\command")?.set_string("", &command)
        };
        told().map_err(io::Error::other)
    }

    pub(super) fn remove() -> io::Result<()> {
        if CURRENT_USER.open(key()).is_err() {
            return Ok(());
        }
        CURRENT_USER.remove_tree(key()).map_err(io::Error::other)
    }
}

#[cfg(all(test, not(any(windows, target_os = "macos"))))]
mod tests {
    use super::entry::with_default;

    const OWN: &str = "x-scheme-handler/econnector=lu.econnector.links.desktop;";

    #[test]
    fn the_line_is_made_and_taken_away_and_the_others_stay() {
        assert_eq!(with_default("", true), format!("[Default Applications]\n{OWN}\n"));
        assert_eq!(with_default("", false), "");
        let theirs = "# mine\n[Added Associations]\nx-scheme-handler/econnector=other.desktop;\n\n[Default Applications]\ntext/html=browser.desktop\n";
        let made = with_default(theirs, true);
        assert_eq!(
            made,
            theirs.replace("[Default Applications]\n", &format!("[Default Applications]\n{OWN}\n"))
        );
        assert_eq!(with_default(&made, true), made, "once");
        assert_eq!(with_default(&made, false), theirs);
        // Another program's line is replaced when asked for, and otherwise its own affair.
        let other = "[Default Applications]\nx-scheme-handler/econnector=other.desktop\n";
        assert_eq!(with_default(other, true), format!("[Default Applications]\n{OWN}\n"));
        assert_eq!(with_default(other, false), other);
    }
}
