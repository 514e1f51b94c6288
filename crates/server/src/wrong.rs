//! What cannot be used, in the words of the variable that names it; and secrets that stand in files.

use std::path::PathBuf;

use econnector_base::Secret;

/// A setting that cannot be used: which, why, and the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Wrong {
    pub(crate) fn new(name: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}. {}", self.name, self.what, self.mend)
    }
}

/// A password or secret: given as such, or in a file that is read anew each time.
#[derive(Clone)]
pub(crate) enum SecretSource {
    Value(Secret),
    File { variable: String, path: PathBuf },
}

impl SecretSource {
    pub(crate) fn read(&self) -> Result<Secret, Wrong> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File { variable, path } => match std::fs::read_to_string(path) {
                // Editors and `echo` end a file with a line break that belongs to no password.
                Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']))),
                Err(error) => Err(unreadable(variable, path, &error)),
            },
        }
    }
}

/// How the keystore of a Java program becomes one that others read.
pub(crate) const FROM_JAVA: &str = "Convert it: keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype pkcs12";

/// A file that a setting names and that cannot be read.
pub(crate) fn unreadable(variable: &str, path: &std::path::Path, error: &std::io::Error) -> Wrong {
    let mend = match error.kind() {
        std::io::ErrorKind::NotFound => "Mount the file there, or change the variable",
        std::io::ErrorKind::PermissionDenied => "Let the user this program runs as (65532 in the image) read it",
        _ => "Name a file that can be read",
    };
    let why = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => kind.to_string(),
    };
    Wrong::new(variable, format!("{} cannot be read ({why})", path.display()), mend)
}
