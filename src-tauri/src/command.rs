//! The command line, small enough to be read by hand.

use crate::running::Wish;

/// The scheme of links that start this program.
pub(crate) const SCHEME: &str = "econnector";

/// What the program was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Open the window.
    Window(Wish),
    /// Serve practice software; a window opens when there is something to ask.
    Background,
    /// Say why the link does not work.
    Doctor {
        json: bool,
    },
    /// Start in the background with the session of this user, or no longer.
    Autostart {
        on: bool,
    },
    /// Be what opens links of this program's scheme for this user, or no longer.
    Links {
        on: bool,
    },
    /// A link of this program's scheme that asks for nothing known.
    Refused,
    Help,
    Version,
}

impl Command {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// The first word that is not understood.
    pub(crate) fn of<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        if let Some(link) = words.first().and_then(|word| link(word)) {
            return Ok(if words.len() == 1 { Self::of_link(link) } else { Self::Refused });
        }
        match words.as_slice() {
            [] => Ok(Self::Window(Wish::Window)),
            ["--background"] => Ok(Self::Background),
            ["doctor"] => Ok(Self::Doctor { json: false }),
            ["doctor", "--json"] | ["--json", "doctor"] => Ok(Self::Doctor { json: true }),
            ["--autostart", "on"] => Ok(Self::Autostart { on: true }),
            ["--autostart", "off"] => Ok(Self::Autostart { on: false }),
            ["--links", "on"] => Ok(Self::Links { on: true }),
            ["--links", "off"] => Ok(Self::Links { on: false }),
            ["--help" | "-h"] => Ok(Self::Help),
            ["--version" | "-V"] => Ok(Self::Version),
            ["--background" | "doctor" | "--help" | "-h" | "--version" | "-V", extra, ..] => Err((*extra).to_owned()),
            [switch @ ("--autostart" | "--links"), rest @ ..] => Err((*rest.first().unwrap_or(switch)).to_owned()),
            [unknown, ..] => Err((*unknown).to_owned()),
        }
    }

    /// Two words and no data: any page may hold a link, and whatever it says must be harmless.
    fn of_link(rest: &str) -> Self {
        let word = rest
            .strip_prefix("//")
            .map_or(rest, |place| place.strip_suffix('/').unwrap_or(place));
        match word {
            "open" => Self::Window(Wish::Window),
            "login" => Self::Window(Wish::Login),
            _ => Self::Refused,
        }
    }
}

/// What stands behind the scheme.
fn link(word: &str) -> Option<&str> {
    let (scheme, rest) = word.split_once(':')?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{Command, Wish};

    fn read(line: &str) -> Result<Command, String> {
        Command::of(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn every_command_is_read_and_a_word_too_many_is_named() {
        assert_eq!(read(""), Ok(Command::Window(Wish::Window)));
        assert_eq!(read("--background"), Ok(Command::Background));
        assert_eq!(read("doctor"), Ok(Command::Doctor { json: false }));
        assert_eq!(read("doctor --json"), Ok(Command::Doctor { json: true }));
        assert_eq!(read("--autostart on"), Ok(Command::Autostart { on: true }));
        assert_eq!(read("--autostart off"), Ok(Command::Autostart { on: false }));
        assert_eq!(read("--links on"), Ok(Command::Links { on: true }));
        assert_eq!(read("--links off"), Ok(Command::Links { on: false }));
        assert_eq!(read("-h"), Ok(Command::Help));
        assert_eq!(read("--version"), Ok(Command::Version));
        for (line, word) in [
            ("--backgroud", "--backgroud"),
            ("--background now", "now"),
            ("doctor --yaml", "--yaml"),
            ("--autostart", "--autostart"),
            ("--autostart maybe", "maybe"),
            ("--links", "--links"),
            ("--links maybe", "maybe"),
        ] {
            assert_eq!(read(line), Err(word.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_link_opens_the_window_or_the_login_and_nothing_else() {
        for link in ["econnector:open", "econnector://open", "econnector://open/", "ECONNECTOR:open"] {
            assert_eq!(read(link), Ok(Command::Window(Wish::Window)), "{link}");
        }
        for link in ["econnector:login", "econnector://login", "eConnector://login/"] {
            assert_eq!(read(link), Ok(Command::Window(Wish::Login)), "{link}");
        }
        for link in [
            "econnector:",
            "econnector://",
            "econnector:LOGIN",
            "econnector:login?user=x",
            "econnector:login#x",
            "econnector://login//",
            "econnector://login/../open",
            "econnector:///login",
            "econnector:/login",
            "econnector:login/",
            "econnector:log%69n",
            "econnector:--background",
            "econnector:login --background",
            "econnector:open doctor",
        ] {
            assert_eq!(read(link), Ok(Command::Refused), "{link}");
        }
        assert_eq!(read("https://econnector:login"), Err("https://econnector:login".to_owned()));
    }
}
