use axum::http::Method;
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
    /// What a request wants, by its method and path. What is not known to be less is the strongest.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let Some(rest) = path.strip_prefix("/econnector/v1/") else {
            return Self::Sign;
        };
        let reads = method == Method::GET || method == Method::HEAD;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["session", ..] => Self::Session,
            ["profile"] => Self::Profile,
            ["verifications"] => Self::Verify,
            ["printers" | "paper"] | ["documents", _, "print"] => Self::Print,
            ["journal"] | ["documents", ..] if reads => Self::Journal,
            ["status" | "openapi.json"] | ["forms", ..] if reads => Self::Check,
            ["forms", _, "check" | "preview"] => Self::Check,
            _ => Self::Sign,
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
        let openapi: serde_json::Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
        let mut known = 0;
        for (path, methods) in openapi["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                let wants = match (method.as_str(), path.strip_prefix("/econnector/v1/").unwrap_or(path)) {
                    ("get", "status" | "forms" | "forms/{kind}" | "forms/{kind}/schema")
                    | ("post", "forms/{kind}/check" | "forms/{kind}/preview") => "check",
                    ("get", "journal" | "documents/{id}" | "documents/{id}/volets/{name}") => "journal",
                    ("get" | "delete", "session") | ("post", "session/login") | ("put", "session/physician") => "session",
                    ("get" | "put", "profile") => "profile",
                    ("get", "printers") | ("post", "paper" | "documents/{id}/print") => "print",
                    ("post", "verifications") => "verify",
                    ("post", "documents" | "documents/{id}/cancellation" | "signatures")
                    | ("delete", "documents/{id}")
                    | ("post", "pid/simulations" | "pid/simulations/{id}/validation" | "pid/simulations/{id}/contestation") => "sign",
                    // Open to everybody, or to the window alone.
                    (_, "/econnector/status") => continue,
                    (_, path) if path.starts_with("link") => "sign",
                    other => panic!("{other:?}: what does it want?"),
                };
                let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
                assert_eq!(Wants::of(&method, path).word(), wants, "{method} {path}");
                known += 1;
            }
        }
        assert!(known > 20, "{known}");
        for (method, path) in [
            (Method::GET, "/elsewhere"),
            (Method::POST, "/econnector/v1/journal"),
            (Method::POST, "/econnector/v1/forms/a/deposit"),
            (Method::GET, "/econnector/v1/"),
        ] {
            assert_eq!(Wants::of(&method, path), Wants::Sign, "{method} {path}");
        }
    }
}
