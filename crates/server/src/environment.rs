//! Settings from the environment, under the names the official server uses where it has one.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use econnector_assembly::{AesPart, KmsPart, MySecuPart, Settings};
use econnector_base::Secret;
use econnector_forms::Environment;
use url::Url;

pub(crate) struct ServerSettings {
    pub(crate) connector: Settings,
    pub(crate) bind: IpAddr,
    pub(crate) port: u16,
    pub(crate) keystore: PathBuf,
    pub(crate) keystore_password: Secret,
}

impl ServerSettings {
    /// Reads every variable before complaining, so that one start names everything wrong.
    pub(crate) fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let unset = Url::parse("https://unset.invalid/").map_err(|error| vec![error.to_string()])?;
        let mut reader = Reader {
            lookup,
            unset,
            wrong: Vec::new(),
        };
        let settings = Self {
            bind: reader.parsed("SERVER_ADDRESS", Some("0.0.0.0"), Ipv4Addr::UNSPECIFIED.into()),
            port: reader.parsed("SERVER_PORT", Some("8443"), 8443),
            keystore: reader.text("SAAS_KEYSTORE").into(),
            keystore_password: Secret::new(reader.text("SAAS_KEYSTORE_PASSWORD")),
            connector: Settings {
                environment: reader.environment(),
                anchors: reader.optional("ECONNECTOR_CA_FILE").map(PathBuf::from),
                only_these_anchors: reader.parsed("ECONNECTOR_CA_FILE_ONLY", Some("false"), false),
                timeout_seconds: None,
                journal: None,
                forms_folder: reader.optional("ECONNECTOR_FORMS_FOLDER").map(PathBuf::from),
                aes: AesPart {
                    issuer: reader.url("ECONNECTOR_ISSUER"),
                    client_id: reader.optional("ECONNECTOR_CLIENT_ID").unwrap_or_else(|| "econnector".to_owned()),
                    audience: reader
                        .optional("ECONNECTOR_AUDIENCE")
                        .unwrap_or_else(|| "https://eadmin.lu/".to_owned()),
                    own_login: false,
                },
                kms: KmsPart {
                    get_certificate_url: reader.url("KMS_GET_CERTIFICATE_URL"),
                    sign_url: reader.url("KMS_SIGN_URL"),
                    timestamp_url: reader.url("KMS_TIMESTAMP_URL"),
                    trust_store: reader.text("TRUSTSTORE_KMS_FILENAME").into(),
                    trust_store_password: reader.optional("TRUSTSTORE_KMS_PASSWORD").map(Secret::new),
                },
                mysecu: MySecuPart {
                    sts_url: reader.url("CCSS_URL"),
                    exchange_url: reader.url("CCSS_SYNC_URL"),
                    client_p12: reader.text("GENERIC_KEYSTORE_FILE").into(),
                    client_p12_password: Secret::new(reader.text("GENERIC_KEYSTORE_PWD")),
                    answer_anchors: reader.text("ECONNECTOR_MYSECU_SIGNING_FILE").into(),
                },
            },
        };
        if reader.wrong.is_empty() { Ok(settings) } else { Err(reader.wrong) }
    }
}

struct Reader<F> {
    lookup: F,
    /// Stands in for a wrong address until everything wrong has been named; never used.
    unset: Url,
    wrong: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.wrong.push(format!("{name} is not set"));
            String::new()
        })
    }

    fn url(&mut self, name: &str) -> Url {
        let value = self.text(name);
        match Url::parse(&value) {
            Ok(url) if url.scheme() == "https" => return url,
            // Already said: it is not set.
            _ if value.is_empty() => {}
            _ => self.wrong.push(format!("{name} is not an https URL")),
        }
        self.unset.clone()
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, default: Option<&str>, fallback: T) -> T {
        let value = self.optional(name).or_else(|| default.map(ToOwned::to_owned)).unwrap_or_default();
        value.parse().unwrap_or_else(|_| {
            self.wrong.push(format!("{name} has a value that cannot be used"));
            fallback
        })
    }

    fn environment(&mut self) -> Environment {
        match self.optional("ECONNECTOR_ENVIRONMENT").as_deref() {
            Some("training") => Environment::Training,
            Some("integration") => Environment::Integration,
            None | Some("production") => Environment::Production,
            Some(_) => {
                self.wrong
                    .push("ECONNECTOR_ENVIRONMENT is none of training, integration, production".to_owned());
                Environment::Production
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerSettings;

    #[test]
    fn everything_wrong_is_named_at_once() {
        let wrong = ServerSettings::from_environment(|name| match name {
            "KMS_SIGN_URL" => Some("http://kms.example/".into()),
            "SERVER_PORT" => Some("8443x".into()),
            _ => None,
        })
        .err()
        .unwrap();
        for name in [
            "SAAS_KEYSTORE is",
            "KMS_SIGN_URL is not an https URL",
            "SERVER_PORT",
            "GENERIC_KEYSTORE_FILE",
            "CCSS_URL",
            "ECONNECTOR_ISSUER",
        ] {
            assert!(wrong.iter().any(|line| line.starts_with(name)), "{name} in {wrong:?}");
        }
    }
}
