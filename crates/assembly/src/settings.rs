use std::path::PathBuf;

use econnector_base::Secret;
use econnector_forms::Environment;
use econnector_identity::ExchangeClient;
use econnector_net::ProxySettings;
use serde::Deserialize;
use url::Url;

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
    /// Whether the program may log in by itself, or only takes the tokens of its callers.
    pub own_login: bool,
    /// With which the program gets tokens in a physician's name; it does not when absent. Not read from TOML.
    #[serde(skip)]
    pub exchange: Option<ExchangeClient>,
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
            // The parser's own message may quote the value.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let key = text
                .lines()
                .nth(line - 1)
                .and_then(|line| line.split_once('='))
                .map_or("", |(key, _)| key.trim());
            SettingsError(format!("line {line}, {key}: unknown, missing or of the wrong type"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn a_wrong_line_is_named_and_its_value_is_not() {
        let text = "environment = \"training\"\n\n[mysecu]\nclient_p12_password = 31415926\n";
        let said = Settings::from_toml(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.starts_with("settings: line 4, client_p12_password:"), "{said}");
        assert!(!said.contains("31415926"), "{said}");
    }
}
