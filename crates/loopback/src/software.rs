use serde::Serialize;

/// The longest name and the longest version, in characters.
const LONGEST: usize = 64;

/// Who calls: known to handlers as a request extension, once the physician has allowed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Software {
    /// What it calls itself.
    pub name: String,
    /// The web origin it calls from; none for a program of its own. Trust given to one is not given to the other.
    pub origin: Option<String>,
}

/// What a software's first request wants, for the physician to judge by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// Look at forms and check values.
    Check,
    /// Sign, deposit, pay or cancel.
    Sign,
    /// Read what was sent.
    Journal,
    /// See who is logged in, log in or out.
    Session,
    /// Print.
    Print,
    /// Verify a signed page.
    Verify,
    /// Read or change the practice's profile.
    Profile,
}

impl Software {
    /// Reads `Name` or `Name/version`. Names are printable ASCII: letters that look like others, or that turn the direction of reading,
    /// would let one software pass for another.
    #[must_use]
    pub(crate) fn read(header: &str) -> Option<Self> {
        let (name, version) = header.split_once('/').unwrap_or((header, ""));
        let version_fine = version.len() <= LONGEST && version.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        (Self::is_name(name) && version_fine).then(|| Self {
            name: name.to_owned(),
            origin: None,
        })
    }

    /// Whether this can be the name of a software.
    pub(crate) fn is_name(name: &str) -> bool {
        (1..=LONGEST).contains(&name.len())
            && name.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'/')
            && !name.starts_with(' ')
            && !name.ends_with(' ')
            && !name.contains("  ")
    }
}

impl Wants {
    /// What a request wants, by its method and path.
    pub(crate) fn of(method: &axum::http::Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix("/econnector/v1/") else {
            return Self::Check;
        };
        let reads = method == axum::http::Method::GET || method == axum::http::Method::HEAD;
        match rest.split('/').next().unwrap_or_default() {
            "session" => Self::Session,
            "journal" => Self::Journal,
            "verifications" => Self::Verify,
            "profile" => Self::Profile,
            "printers" | "paper" => Self::Print,
            "documents" if rest.ends_with("/print") => Self::Print,
            "documents" | "signatures" | "pid" if reads => Self::Journal,
            "documents" | "signatures" | "pid" => Self::Sign,
            _ => Self::Check,
        }
    }

    /// The word on the wire.
    #[cfg(test)]
    fn word(self) -> String {
        serde_json::to_value(self).unwrap().as_str().unwrap().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::*;

    #[test]
    fn a_name_is_what_stands_before_the_version() {
        for (header, name) in [
            ("Medistar", Some("Medistar")),
            ("Medistar/4.2", Some("Medistar")),
            ("Medi Star (LU)/4.2 beta", Some("Medi Star (LU)")),
            ("x", Some("x")),
            ("a/b/c", Some("a")),
            ("", None),
            ("/4.2", None),
            (" Medistar", None),
            ("Medistar /4", None),
            ("Medi  star", None),
            ("Medi\tstar", None),
            ("Médistar", None),
            ("Medi\u{202e}ratsid", None),
            ("Medistar/\u{7f}", None),
        ] {
            assert_eq!(Software::read(header).map(|s| s.name).as_deref(), name, "{header:?}");
        }
        assert!(Software::read(&"n".repeat(64)).is_some());
        assert!(Software::read(&"n".repeat(65)).is_none());
        assert!(Software::read(&format!("n/{}", "1".repeat(65))).is_none());
    }

    #[test]
    fn what_is_wanted_follows_from_the_first_request() {
        for (method, path, wants) in [
            (Method::POST, "/econnector/v1/documents", "sign"),
            (Method::POST, "/econnector/v1/documents/1/cancellation", "sign"),
            (Method::GET, "/econnector/v1/documents/1", "journal"),
            (Method::POST, "/econnector/v1/documents/1/print", "print"),
            (Method::POST, "/econnector/v1/signatures", "sign"),
            (Method::POST, "/econnector/v1/pid/simulations", "sign"),
            (Method::POST, "/econnector/v1/verifications", "verify"),
            (Method::GET, "/econnector/v1/journal", "journal"),
            (Method::DELETE, "/econnector/v1/session", "session"),
            (Method::PUT, "/econnector/v1/profile", "profile"),
            (Method::GET, "/econnector/v1/printers", "print"),
            (Method::POST, "/econnector/v1/forms/a/check", "check"),
            (Method::GET, "/elsewhere", "check"),
        ] {
            assert_eq!(Wants::of(&method, path).word(), wants, "{method} {path}");
        }
    }
}
