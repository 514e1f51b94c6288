//! The command line, small enough to be read by hand.

/// What the program was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Open the window.
    Window,
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
        match words.as_slice() {
            [] => Ok(Self::Window),
            ["--background"] => Ok(Self::Background),
            ["doctor"] => Ok(Self::Doctor { json: false }),
            ["doctor", "--json"] | ["--json", "doctor"] => Ok(Self::Doctor { json: true }),
            ["--autostart", "on"] => Ok(Self::Autostart { on: true }),
            ["--autostart", "off"] => Ok(Self::Autostart { on: false }),
            ["--help" | "-h"] => Ok(Self::Help),
            ["--version" | "-V"] => Ok(Self::Version),
            ["--background" | "doctor" | "--help" | "-h" | "--version" | "-V", extra, ..] => Err((*extra).to_owned()),
            ["--autostart", rest @ ..] => Err(rest.first().copied().unwrap_or("--autostart").to_owned()),
            [unknown, ..] => Err((*unknown).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn every_command_is_read_and_a_word_too_many_is_named() {
        let read = |line: &str| Command::of(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(read(""), Ok(Command::Window));
        assert_eq!(read("--background"), Ok(Command::Background));
        assert_eq!(read("doctor"), Ok(Command::Doctor { json: false }));
        assert_eq!(read("doctor --json"), Ok(Command::Doctor { json: true }));
        assert_eq!(read("--autostart on"), Ok(Command::Autostart { on: true }));
        assert_eq!(read("--autostart off"), Ok(Command::Autostart { on: false }));
        assert_eq!(read("-h"), Ok(Command::Help));
        assert_eq!(read("--version"), Ok(Command::Version));
        for (line, word) in [
            ("--backgroud", "--backgroud"),
            ("--background now", "now"),
            ("doctor --yaml", "--yaml"),
            ("--autostart", "--autostart"),
            ("--autostart maybe", "maybe"),
        ] {
            assert_eq!(read(line), Err(word.to_owned()), "{line}");
        }
    }
}
