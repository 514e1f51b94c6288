use std::path::{Path, PathBuf};

use econnector_base::Secret;
use econnector_connector::{LockRule, Unlock};
use econnector_forms::Environment;
use econnector_identity::{ExchangeClient, Logins};
use econnector_net::ProxySettings;
use serde::Deserialize;
use url::{Host, Url};

/// Where the services are and what is trusted. Read from TOML by the desktop, from the environment by the server.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Training, integration or production.
    pub environment: Environment,
    /// PEM or p12 file of further CAs for TLS, such as a proxy's.
    #[serde(default)]
    pub anchors: Option<PathBuf>,
    /// Trust nothing but `anchors`.
    #[serde(default)]
    pub only_these_anchors: bool,
    /// How long AeS, the KMS and mySecu may take for one answer; 15 when absent.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// How the services are reached; as the computer is set up when absent. Not read from TOML.
    #[serde(skip)]
    pub proxy: Option<ProxySettings>,
    /// The journal's file, beside which profiles are kept; both in memory when absent.
    #[serde(default)]
    pub journal: Option<PathBuf>,
    /// A folder whose subfolders are packs of further forms; none when absent.
    #[serde(default)]
    pub forms_folder: Option<PathBuf>,
    /// When the window hides what is on it.
    #[serde(default)]
    pub lock: LockPart,
    /// The identity provider.
    pub aes: AesPart,
    /// The signature service.
    pub kms: KmsPart,
    /// mySecu.
    pub mysecu: MySecuPart,
}

/// AeS.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AesPart {
    /// The realm's URL.
    pub issuer: Url,
    /// This program's client id.
    pub client_id: String,
    /// What must stand in a token's `aud`.
    pub audience: String,
    /// Whether the program logs in by itself, takes the tokens of its callers, or both.
    #[serde(default)]
    pub logins: Logins,
    /// With which the program gets tokens in a physician's name; it does not when absent. Not read from TOML.
    #[serde(skip)]
    pub exchange: Option<ExchangeClient>,
    /// Another program of this user holds the session, so this one begins none. Not read from TOML.
    #[serde(skip)]
    pub elsewhere: bool,
}

/// When the window hides what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LockPart {
    /// After so many minutes without a key or a pointer; 0: never by itself. At most a day.
    pub after_minutes: Minutes,
    /// What shows it again.
    pub unlock: Unlock,
}

/// 0 to 1440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Minutes(u32);

impl TryFrom<u32> for Minutes {
    type Error = &'static str;

    fn try_from(minutes: u32) -> Result<Self, Self::Error> {
        if minutes <= 1440 {
            Ok(Self(minutes))
        } else {
            Err("more than a day")
        }
    }
}

impl Default for LockPart {
    fn default() -> Self {
        let LockRule { after_minutes, unlock } = LockRule::default();
        Self {
            after_minutes: Minutes(after_minutes.unwrap_or_default()),
            unlock,
        }
    }
}

impl LockPart {
    /// As the window keeps to it.
    #[must_use]
    pub fn rule(self) -> LockRule {
        LockRule {
            after_minutes: Some(self.after_minutes.0).filter(|minutes| *minutes > 0),
            unlock: self.unlock,
        }
    }
}

/// The KMS.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmsPart {
    /// `…/api/v3/get-certificate`.
    pub get_certificate_url: Url,
    /// `…/api/v3/sign-data`.
    pub sign_url: Url,
    /// `…/api/v3/sign-timestamp`.
    pub timestamp_url: Url,
    /// PEM or p12 file with the root, signing and timestamp CAs.
    pub trust_store: PathBuf,
    /// The p12's password.
    #[serde(default)]
    pub trust_store_password: Option<Secret>,
    /// Which entries of a p12 trust store count, by alias; all when empty. PEM has no aliases: all count.
    #[serde(default)]
    pub trust_store_aliases: Vec<String>,
}

/// mySecu.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MySecuPart {
    /// `…/ws/soap/trust`.
    pub sts_url: Url,
    /// `…/ws/soap/espinst/syncexchange`.
    pub exchange_url: Url,
    /// The practice's or hospital's certificate.
    pub client_p12: PathBuf,
    /// Its password.
    pub client_p12_password: Secret,
    /// PEM file: what the signature of mySecu's answers must chain to.
    pub answer_anchors: PathBuf,
}

/// The settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("settings: {0}")]
pub struct SettingsError(String);

impl Settings {
    /// Reads settings from TOML.
    ///
    /// # Errors
    /// [`SettingsError`] with line and key; never with a value, which may be a password.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let told = text.lines().nth(line - 1).unwrap_or_default();
            // What stands before the sign is a name; behind it may be a password. Without a sign only a section is sure to be a name.
            let place = match told.split_once('=') {
                Some((key, _)) => key.trim(),
                None if told.trim_start().starts_with('[') => told.trim(),
                None => "",
            };
            // The parser's other messages may quote the value.
            let said = error.message();
            let named = ["missing field `", "unknown field `"].iter().any(|start| said.starts_with(start));
            let reason = if named {
                said
            } else {
                "not TOML, or not the kind of value that belongs here"
            };
            SettingsError(format!("line {line}, {place}: {reason}"))
        })
    }

    /// The first service that is not on this computer, by its setting.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&'static str> {
        let services = [
            ("aes.issuer", &self.aes.issuer),
            ("kms.get_certificate_url", &self.kms.get_certificate_url),
            ("kms.sign_url", &self.kms.sign_url),
            ("kms.timestamp_url", &self.kms.timestamp_url),
            ("mysecu.sts_url", &self.mysecu.sts_url),
            ("mysecu.exchange_url", &self.mysecu.exchange_url),
        ];
        let is_here = |url: &Url| match url.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        services.into_iter().find(|(_, url)| !is_here(url)).map(|(setting, _)| setting)
    }

    /// Files that are named without a folder lie in this one.
    pub fn find_files_in(&mut self, folder: &Path) {
        let Self {
            anchors,
            journal,
            forms_folder,
            kms,
            mysecu,
            ..
        } = self;
        let named = [&mut kms.trust_store, &mut mysecu.client_p12, &mut mysecu.answer_anchors];
        for file in named.into_iter().chain([anchors, journal, forms_folder].into_iter().flatten()) {
            // A path of its own replaces the folder.
            *file = folder.join(&*file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use econnector_connector::{LockRule, Unlock};
    use econnector_identity::Logins;

    use super::Settings;

    const WHOLE: &str = r#"
environment = "integration"
[aes]
issuer = "https://www-integration.esante.lu/auth/realms/default"
client_id = "econnector"
audience = "https://eadmin.lu/"
[kms]
get_certificate_url = "https://kms.example/api/v3/get-certificate"
sign_url = "https://kms.example/api/v3/sign-data"
timestamp_url = "https://kms.example/api/v3/sign-timestamp"
trust_store = "kms.pem"
[mysecu]
sts_url = "https://ws.mysecu.lu:7443/ws/soap/trust"
exchange_url = "https://ws.mysecu.lu:7443/ws/soap/espinst/syncexchange"
client_p12 = "practice.p12"
client_p12_password = "fictitious"
answer_anchors = "mysecu.pem"
"#;

    fn refused(text: &str) -> String {
        Settings::from_toml(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn who_logs_in_and_when_the_window_locks_is_decided_here() {
        let usual = Settings::from_toml(WHOLE).ok().unwrap();
        assert_eq!((usual.aes.logins, usual.lock.rule()), (Logins::Both, LockRule::default()));
        for (word, logins) in [("own", Logins::Own), ("delegated", Logins::Delegated), ("both", Logins::Both)] {
            let text = WHOLE.replace("[kms]", &format!("logins = \"{word}\"\n[kms]"));
            assert_eq!(Settings::from_toml(&text).ok().unwrap().aes.logins, logins);
        }
        let strict = format!("{WHOLE}[lock]\nafter_minutes = 3\nunlock = \"login\"\n");
        let rule = LockRule {
            after_minutes: Some(3),
            unlock: Unlock::Login,
        };
        assert_eq!(Settings::from_toml(&strict).ok().unwrap().lock.rule(), rule);
        let never = format!("{WHOLE}[lock]\nafter_minutes = 0\n");
        assert_eq!(Settings::from_toml(&never).ok().unwrap().lock.rule().after_minutes, None);
    }

    #[test]
    fn files_lie_beside_the_settings_or_where_they_are_said_to() {
        let mut settings = Settings::from_toml(&format!("anchors = \"/etc/ca.pem\"\n{WHOLE}")).ok().unwrap();
        settings.find_files_in(Path::new("/home/anne/.config"));
        assert_eq!(settings.anchors.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(settings.kms.trust_store, Path::new("/home/anne/.config/kms.pem"));
        assert_eq!(settings.mysecu.client_p12, Path::new("/home/anne/.config/practice.p12"));
        assert_eq!((settings.journal, settings.forms_folder), (None, None));
    }

    #[test]
    fn a_service_that_is_not_on_this_computer_is_named() {
        let elsewhere = |text: &str| Settings::from_toml(text).ok().unwrap().elsewhere();
        assert_eq!(elsewhere(WHOLE), Some("aes.issuer"));
        let mut here = WHOLE.to_owned();
        for (host, own) in [
            ("www-integration.esante.lu", "localhost:1"),
            ("kms.example", "127.0.0.1:2"),
            ("ws.mysecu.lu:7443", "[::1]:3"),
        ] {
            here = here.replace(host, own);
        }
        assert_eq!(elsewhere(&here), None);
        let one = here.replace("[::1]:3/ws/soap/espinst", "localhost.example/ws/soap/espinst");
        assert_eq!(elsewhere(&one), Some("mysecu.exchange_url"));
    }

    #[test]
    fn a_wrong_line_is_named_and_its_value_is_not() {
        let said = refused("environment = \"training\"\n\n[mysecu]\nclient_p12_password = 31415926\n");
        assert!(said.starts_with("settings: line 4, client_p12_password:"), "{said}");
        assert!(!said.contains("31415926"), "{said}");
        for (wrong, line) in [
            ("environment = integration\n", "settings: line 1, environment: "),
            ("just words: hunter2\n", "settings: line 1, : "),
        ] {
            let said = refused(wrong);
            assert!(said.starts_with(line) && !said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let missing = refused(&WHOLE.replace("client_id = \"econnector\"\n", ""));
        assert!(
            missing.contains("[aes]") && missing.contains("missing field `client_id`"),
            "{missing}"
        );
        let old = refused(&WHOLE.replace("[kms]", "own_login = true\n[kms]"));
        assert!(
            old.contains("own_login: unknown field `own_login`") && old.contains("`logins`"),
            "{old}"
        );
        let lock = refused(&format!("{WHOLE}[lock]\nafter_minutes = 100000\n"));
        assert!(lock.contains("line 19, after_minutes:"), "{lock}");
    }
}
