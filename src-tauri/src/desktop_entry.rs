//! How a program stands in a desktop entry (freedesktop.org, Desktop Entry Specification).

use std::path::Path;

/// The program as one word of `Exec`. In quotes only where they are needed, since xdg-open takes them for a part of the name. In them
/// four characters stand once more behind a backslash, and backslashes twice, because the value is a string before it is a command line.
pub(crate) fn word(program: &Path) -> String {
    let program = program.display().to_string();
    if program.chars().all(|c| c.is_alphanumeric() || "/._-+@:,".contains(c)) {
        return program;
    }
    let mut quoted = String::from("\"");
    for character in program.chars() {
        match character {
            '\\' => quoted.push_str(r"\\\\"),
            '"' | '`' | '$' => {
                quoted.push_str(r"\\");
                quoted.push(character);
            }
            '%' => quoted.push_str("%%"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_path_with_blanks_and_signs_stays_one_word() {
        assert_eq!(
            super::word(Path::new("/opt/My $oft/100%/eConnector")),
            "\"/opt/My \\\\$oft/100%%/eConnector\""
        );
        assert_eq!(super::word(Path::new("/usr/bin/econnector")), "/usr/bin/econnector");
    }
}
