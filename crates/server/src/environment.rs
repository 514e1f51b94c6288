//! Settings from the environment: the names of the official server with their meaning, and those of this one. Everything wrong is
//! collected, so that one start names it all.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use econnector_assembly::{AesPart, KmsPart, LockPart, MySecuPart, Settings};
use econnector_base::Secret;
use econnector_forms::Environment;
use econnector_identity::{ExchangeClient, Logins};
use econnector_net::ProxySettings;
use url::Url;

use crate::limits::Limits;
use crate::reader::{Reader, yes_or_no};
use crate::tls::TlsFiles;
use crate::wrong::Wrong;

pub(crate) struct ServerSettings {
    pub(crate) connector: Settings,
    pub(crate) bind: IpAddr,
    pub(crate) port: u16,
    pub(crate) management_address: IpAddr,
    pub(crate) management_port: Option<u16>,
    pub(crate) tls: TlsFiles,
    pub(crate) clients_file: Option<PathBuf>,
    pub(crate) limits: Limits,
    /// How often the certificate's and the clients' files are looked at.
    pub(crate) reload_every: Duration,
    /// Between "not ready" and the end of listening: so long the load balancer may still send callers.
    pub(crate) drain_delay: Duration,
    /// How long what is under way may take to finish after that: answers, and work that nobody waits for any more.
    pub(crate) drain: Duration,
    /// Settings that were read and change nothing, and why; names that nobody knows.
    pub(crate) notes: Vec<String>,
}

/// Where settings come from: variable to value, and the names there are.
pub(crate) struct Variables<'a> {
    pub(crate) lookup: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) names: Vec<String>,
}

impl ServerSettings {
    /// # Errors
    /// Everything wrong.
    pub(crate) fn from_environment(variables: &Variables<'_>) -> Result<Self, Vec<Wrong>> {
        match Self::read(variables)? {
            (settings, wrong) if wrong.is_empty() => Ok(settings),
            (_, wrong) => Err(wrong),
        }
    }

    /// As far as they go, with everything wrong beside: so the files of those that are right can be looked at in the same go.
    ///
    /// # Errors
    /// When there are none at all.
    pub(crate) fn read(variables: &Variables<'_>) -> Result<(Self, Vec<Wrong>), Vec<Wrong>> {
        let reader = Reader::new(variables.lookup).map_err(|wrong| vec![wrong])?;
        let profile = reader.profile();
        let environment = reader.environment(profile);
        let client_secret = reader.optional_secret("ECONNECTOR_CLIENT_SECRET");
        let clients_file = reader.optional("ECONNECTOR_CLIENTS_FILE").map(PathBuf::from);
        if clients_file.is_some() && client_secret.is_none() {
            reader.wrong(
                "ECONNECTOR_CLIENT_SECRET",
                "is not set, and ECONNECTOR_CLIENTS_FILE is",
                "Set client id and secret of the token exchange, or let callers bring tokens and remove the clients file",
            );
        }
        let client_id = match (&client_secret, reader.optional("ECONNECTOR_CLIENT_ID")) {
            (_, Some(id)) => {
                reader.holds_example("ECONNECTOR_CLIENT_ID", &id, "CLIENT-ID", "Set the client id that AeS gave you");
                id
            }
            (None, None) => "econnector".to_owned(),
            (Some(_), None) => {
                reader.wrong(
                    "ECONNECTOR_CLIENT_ID",
                    "is not set, and ECONNECTOR_CLIENT_SECRET is",
                    "Set the client id that AeS gave you with the secret",
                );
                String::new()
            }
        };
        let exchange = client_secret.and_then(|source| reader.now(&source)).map(|secret| ExchangeClient {
            client_id: client_id.clone(),
            secret,
        });
        let keystore_password = reader.secret("SAAS_KEYSTORE_PASSWORD");
        let settings = Self {
            bind: reader.parsed("SERVER_ADDRESS", Ipv4Addr::UNSPECIFIED.into(), "an IP address"),
            port: reader.number("SERVER_PORT", 8443, 1, 65_535),
            management_address: reader.parsed("ECONNECTOR_MANAGEMENT_ADDRESS", Ipv4Addr::UNSPECIFIED.into(), "an IP address"),
            management_port: reader
                .optional("ECONNECTOR_MANAGEMENT_PORT")
                .map(|_| reader.number("ECONNECTOR_MANAGEMENT_PORT", 8081, 1, 65_535)),
            tls: TlsFiles {
                keystore: reader.file("SAAS_KEYSTORE", "the PKCS#12 file with this server's certificate and key"),
                password: keystore_password,
                key_password: reader.optional_secret("SAAS_KEY_PASSWORD"),
                client_ca: reader.optional("ECONNECTOR_CLIENT_CA_FILE").map(PathBuf::from),
            },
            clients_file,
            limits: reader.limits(),
            reload_every: Duration::from_secs(reader.number("ECONNECTOR_RELOAD_SECONDS", 30, 1, 3600)),
            drain_delay: Duration::from_secs(reader.number("ECONNECTOR_DRAIN_DELAY_SECONDS", 5, 0, 300)),
            drain: Duration::from_secs(reader.number("ECONNECTOR_DRAIN_SECONDS", 90, 1, 600)),
            connector: Settings {
                environment,
                anchors: reader.optional("ECONNECTOR_CA_FILE").map(PathBuf::from),
                only_these_anchors: reader.flag("ECONNECTOR_CA_FILE_ONLY", false),
                timeout_seconds: Some(reader.number("ECONNECTOR_TIMEOUT_SECONDS", 15, 1, 120)),
                proxy: reader.proxy(),
                journal: None,
                forms_folder: reader.optional("ECONNECTOR_FORMS_FOLDER").map(PathBuf::from),
                lock: LockPart::default(),
                aes: AesPart {
                    issuer: reader.url("ECONNECTOR_ISSUER", profile.map(Profile::issuer)),
                    client_id,
                    audience: reader
                        .optional("ECONNECTOR_AUDIENCE")
                        .unwrap_or_else(|| "https://eadmin.lu/".to_owned()),
                    logins: Logins::Delegated,
                    exchange,
                    elsewhere: false,
                },
                kms: KmsPart {
                    get_certificate_url: reader.service("KMS_GET_CERTIFICATE_URL", "/api/v3/get-certificate", None),
                    sign_url: reader.service("KMS_SIGN_URL", "/api/v3/sign-data", None),
                    timestamp_url: reader.service("KMS_TIMESTAMP_URL", "/api/v3/sign-timestamp", None),
                    trust_store: reader.file("TRUSTSTORE_KMS_FILENAME", "the trust store of the KMS (PKCS#12 or PEM)"),
                    trust_store_password: reader
                        .optional_secret("TRUSTSTORE_KMS_PASSWORD")
                        .and_then(|source| reader.now(&source)),
                    trust_store_aliases: reader.aliases(),
                },
                mysecu: MySecuPart {
                    sts_url: reader.service("CCSS_URL", "/ws/soap/trust", profile.map(Profile::sts)),
                    exchange_url: reader.service("CCSS_SYNC_URL", "/ws/soap/espinst/syncexchange", profile.map(Profile::exchange)),
                    client_p12: reader.file("GENERIC_KEYSTORE_FILE", "the PKCS#12 file that mySecu knows your organisation by"),
                    client_p12_password: {
                        let source = reader.secret("GENERIC_KEYSTORE_PWD");
                        reader.now(&source).unwrap_or_else(|| Secret::new(""))
                    },
                    answer_anchors: reader.file(
                        "ECONNECTOR_MYSECU_SIGNING_FILE",
                        "the PEM file with the certificate, or its authority, that signs mySecu's answers",
                    ),
                },
            },
            notes: reader.without_effect(),
        };
        let unknown = reader.unknown(&variables.names);
        let notes = settings.notes.iter().cloned().chain(unknown).collect();
        Ok((Self { notes, ..settings }, reader.into_wrong()))
    }
}

/// What the official server's two profiles stand for: the environment, and the addresses that are public.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Integration,
    Production,
}

impl Profile {
    const fn environment(self) -> Environment {
        match self {
            Self::Integration => Environment::Integration,
            Self::Production => Environment::Production,
        }
    }

    const fn issuer(self) -> &'static str {
        match self {
            Self::Integration => "https://www-integration.esante.lu/auth/realms/default",
            Self::Production => "https://www.esante.lu/auth/realms/default",
        }
    }

    const fn sts(self) -> &'static str {
        match self {
            Self::Integration => "https://ws.mysecu.lu:7443/ws/soap/trust",
            Self::Production => "https://ws.mysecu.lu/ws/soap/trust",
        }
    }

    const fn exchange(self) -> &'static str {
        match self {
            Self::Integration => "https://ws.mysecu.lu:7443/ws/soap/espinst/syncexchange",
            Self::Production => "https://ws.mysecu.lu/ws/soap/espinst/syncexchange",
        }
    }
}

impl Reader<'_> {
    fn profile(&self) -> Option<Profile> {
        let given = self.optional("SPRING_PROFILES_ACTIVE")?;
        let mut found = given.split(',').filter_map(|name| match name.trim() {
            "docker-integration" => Some(Profile::Integration),
            "docker-prod" => Some(Profile::Production),
            _ => None,
        });
        let first = found.next();
        if first.is_none() || found.next().is_some() || given.split(',').count() != 1 {
            self.wrong(
                "SPRING_PROFILES_ACTIVE",
                "is not one of the two profiles",
                "Set it to docker-integration or docker-prod, or remove it",
            );
        }
        first
    }

    fn environment(&self, profile: Option<Profile>) -> Environment {
        const NAME: &str = "ECONNECTOR_ENVIRONMENT";
        let by_profile = profile.map(Profile::environment);
        let given = match self.optional(NAME).as_deref() {
            Some("training") => Some(Environment::Training),
            Some("integration") => Some(Environment::Integration),
            Some("production") => Some(Environment::Production),
            None => None,
            Some(_) => {
                self.wrong(NAME, "is none of training, integration, production", "Correct it, or remove it");
                None
            }
        };
        if let (Some(given), Some(by_profile)) = (given, by_profile)
            && given != by_profile
        {
            self.wrong(NAME, "contradicts SPRING_PROFILES_ACTIVE", "Remove one of the two");
        }
        given.or(by_profile).unwrap_or(Environment::Production)
    }

    /// Which entries of the KMS's trust store count. Without the one of the signatures or of the timestamps no signature would be
    /// believed, and the first document would be the one to tell: all three, or none.
    fn aliases(&self) -> Vec<String> {
        let given = ["ROOT_SIGNING_CA_ALIAS", "SIGNING_CA_ALIAS", "TIMESTAMP_CA_ALIAS"].map(|name| (name, self.optional(name)));
        let (set, missing): (Vec<_>, Vec<_>) = given.iter().partition(|(_, alias)| alias.is_some());
        let what = match set.as_slice() {
            [] => return Vec::new(),
            [(one, _)] => format!("is not set, and {one} is"),
            _ => "is not set, and the others are".to_owned(),
        };
        for (name, _) in missing {
            self.wrong(name, what.as_str(), "Set all three, or none");
        }
        given.into_iter().filter_map(|(_, alias)| alias).collect()
    }

    /// The seven of the official server.
    fn proxy(&self) -> Option<ProxySettings> {
        let system = self.optional("PROXY_USE_SYSTEM").map(|_| self.flag("PROXY_USE_SYSTEM", false));
        let host = self.optional("PROXY_HOST");
        let port = self.number("PROXY_PORT", 3128_u16, 1, 65_535);
        let scheme = if self.flag("PROXY_HTTPS", false) { "https" } else { "http" };
        let wants_login = self.flag("PROXY_AUTH_REQUIRED", false);
        let user = self.optional("PROXY_USERNAME");
        let password = self.optional_secret("PROXY_PASSWORD");
        let bypass = self.optional("NO_PROXY").or_else(|| self.optional("no_proxy")).unwrap_or_default();
        let Some(host) = host else {
            if wants_login {
                self.wrong(
                    "PROXY_HOST",
                    "is not set, and PROXY_AUTH_REQUIRED is true",
                    "Set the proxy's host, or remove the login",
                );
            }
            return match system {
                Some(false) => Some(ProxySettings::Direct),
                // HTTPS_PROXY and NO_PROXY, when the machine has them.
                Some(true) | None => None,
            };
        };
        if system == Some(true) {
            self.wrong("PROXY_HOST", "is set, and PROXY_USE_SYSTEM is true", "Keep one of the two");
        }
        let login = wants_login.then(|| {
            if user.is_none() {
                self.wrong(
                    "PROXY_USERNAME",
                    "is not set, and PROXY_AUTH_REQUIRED is true",
                    "Set it, or PROXY_AUTH_REQUIRED to false",
                );
            }
            if password.is_none() {
                self.wrong(
                    "PROXY_PASSWORD",
                    "is not set, and PROXY_AUTH_REQUIRED is true",
                    "Set it or PROXY_PASSWORD_FILE, or PROXY_AUTH_REQUIRED to false",
                );
            }
            let secret = password
                .as_ref()
                .and_then(|source| self.now(source))
                .unwrap_or_else(|| Secret::new(""));
            (user.clone().unwrap_or_default(), secret)
        });
        let url = format!("{scheme}://{host}:{port}");
        let plain_host = |url: &Url| url.host_str().is_some_and(|parsed| parsed.eq_ignore_ascii_case(&host));
        if !Url::parse(&url).is_ok_and(|url| plain_host(&url)) {
            self.wrong(
                "PROXY_HOST",
                "is not a host name",
                "Give the name or address alone; the port goes into PROXY_PORT",
            );
        }
        Some(ProxySettings::Through {
            url,
            credentials: login,
            bypass,
        })
    }

    fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            at_once: self.number("ECONNECTOR_PARALLEL", default.at_once, 1, 1000),
            waiting: self.number("ECONNECTOR_QUEUE", default.waiting, 0, 10_000),
            per_caller: self.number("ECONNECTOR_PER_CALLER", default.per_caller, 1, 10_000),
            connections: self.number("ECONNECTOR_CONNECTIONS", default.connections, 1, 100_000),
            body: Duration::from_secs(self.number("ECONNECTOR_BODY_SECONDS", default.body.as_secs(), 1, 600)),
            answer: Duration::from_secs(self.number("ECONNECTOR_ANSWER_SECONDS", default.answer.as_secs(), 1, 600)),
            ..default
        }
    }

    /// Settings of the official server that this one takes and does not need.
    fn without_effect(&self) -> Vec<String> {
        self.flag("DEBUG_LOG", false);
        self.optional("ACCEPT_LICENSE");
        let mut notes = Vec::new();
        if self.optional("SYNC_EXCHANGE_WSDL").is_some() {
            notes.push("SYNC_EXCHANGE_WSDL changes nothing: the exchange is built in, CCSS_SYNC_URL says where it is".to_owned());
        }
        if self.optional("IHUB_URL").is_some() {
            notes.push("IHUB_URL changes nothing: forms come with the program or from ECONNECTOR_FORMS_FOLDER".to_owned());
        }
        if self.optional("INSTALL_MSFFONTS").is_some() {
            notes.push("INSTALL_MSFFONTS changes nothing: the pages bring their own fonts; a mounted arial.ttf is not read".to_owned());
        }
        notes.extend(self.proxy_without_effect());
        notes
    }

    /// Settings of a proxy that are read and belong to none, or to a login that is not asked for.
    fn proxy_without_effect(&self) -> Option<String> {
        let is_set = |name: &str| self.optional(name).is_some();
        let is_on = |name: &str| self.optional(name).as_deref().and_then(yes_or_no) == Some(true);
        let mut idle = Vec::new();
        let why = match (is_set("PROXY_HOST"), is_on("PROXY_AUTH_REQUIRED")) {
            (true, false) => "PROXY_AUTH_REQUIRED is not true",
            (false, false) => {
                idle.extend(Some("PROXY_PORT").filter(|name| is_set(name)));
                idle.extend(Some("PROXY_HTTPS").filter(|name| is_on(name)));
                "PROXY_HOST is not set"
            }
            (_, true) => return None,
        };
        idle.extend(Some("PROXY_USERNAME").filter(|name| is_set(name)));
        idle.extend(Some("PROXY_PASSWORD").filter(|name| is_set(name) || is_set(&format!("{name}_FILE"))));
        let (last, others) = idle.split_last()?;
        Some(if others.is_empty() {
            format!("{last} changes nothing: {why}")
        } else {
            format!("{} and {last} change nothing: {why}", others.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &[(&str, &str)] = &[
        ("SAAS_KEYSTORE", "/tls/server.p12"),
        ("SAAS_KEYSTORE_PASSWORD", "secret"),
        ("SPRING_PROFILES_ACTIVE", "docker-integration"),
        ("KMS_GET_CERTIFICATE_URL", "https://kms.example/api/v3/get-certificate"),
        ("KMS_SIGN_URL", "https://kms.example/api/v3/sign-data"),
        ("KMS_TIMESTAMP_URL", "https://kms.example/api/v3/sign-timestamp"),
        ("TRUSTSTORE_KMS_FILENAME", "/trust/kms.p12"),
        ("GENERIC_KEYSTORE_FILE", "/tls/mysecu.p12"),
        ("GENERIC_KEYSTORE_PWD", "secret"),
        ("ECONNECTOR_MYSECU_SIGNING_FILE", "/trust/mysecu.pem"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<ServerSettings, Vec<Wrong>> {
        let all: Vec<(&str, &str)> = changes
            .iter()
            .chain(
                COMPLETE
                    .iter()
                    .filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name)),
            )
            .copied()
            .collect();
        let names = all.iter().map(|(name, _)| (*name).to_owned()).collect();
        let lookup = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ServerSettings::from_environment(&Variables { lookup: &lookup, names })
    }

    fn wrong(changes: &[(&str, &str)]) -> Vec<Wrong> {
        read(changes).err().unwrap_or_default()
    }

    #[test]
    fn everything_wrong_is_named_at_once_with_its_mend() {
        let nothing = |name: &str| match name {
            "KMS_SIGN_URL" => Some("http://kms.example/".to_owned()),
            "SERVER_PORT" => Some("8443x".to_owned()),
            "DEBUG_LOG" => Some("perhaps".to_owned()),
            _ => None,
        };
        let variables = Variables {
            lookup: &nothing,
            names: Vec::new(),
        };
        let wrong = ServerSettings::from_environment(&variables).err().unwrap();
        for name in [
            "SAAS_KEYSTORE",
            "SAAS_KEYSTORE_PASSWORD",
            "KMS_SIGN_URL",
            "KMS_TIMESTAMP_URL",
            "KMS_GET_CERTIFICATE_URL",
            "SERVER_PORT",
            "DEBUG_LOG",
            "GENERIC_KEYSTORE_FILE",
            "GENERIC_KEYSTORE_PWD",
            "CCSS_URL",
            "CCSS_SYNC_URL",
            "TRUSTSTORE_KMS_FILENAME",
            "ECONNECTOR_MYSECU_SIGNING_FILE",
            "ECONNECTOR_ISSUER",
        ] {
            let named: Vec<&Wrong> = wrong.iter().filter(|wrong| wrong.name == name).collect();
            assert_eq!(named.len(), 1, "{name} in {wrong:?}");
            assert!(named.iter().all(|wrong| !wrong.what.is_empty() && !wrong.mend.is_empty()));
        }
    }

    #[test]
    fn a_profile_gives_environment_and_public_addresses_and_one_may_say_otherwise() {
        let integration = read(&[]).unwrap();
        assert_eq!(integration.connector.environment, Environment::Integration);
        assert_eq!(
            integration.connector.mysecu.sts_url.as_str(),
            "https://ws.mysecu.lu:7443/ws/soap/trust"
        );
        assert_eq!(integration.port, 8443);
        assert_eq!(integration.management_port, None);
        let production = read(&[
            ("SPRING_PROFILES_ACTIVE", "docker-prod"),
            ("CCSS_URL", "https://relay.example/trust"),
        ])
        .unwrap();
        assert_eq!(production.connector.environment, Environment::Production);
        assert_eq!(
            production.connector.aes.issuer.as_str(),
            "https://www.esante.lu/auth/realms/default"
        );
        assert_eq!(production.connector.mysecu.sts_url.as_str(), "https://relay.example/trust");
        assert_eq!(
            production.connector.mysecu.exchange_url.as_str(),
            "https://ws.mysecu.lu/ws/soap/espinst/syncexchange"
        );
        for profiles in ["docker", "docker-prod,docker-integration", "docker-prod,debug"] {
            assert_eq!(wrong(&[("SPRING_PROFILES_ACTIVE", profiles)])[0].name, "SPRING_PROFILES_ACTIVE");
        }
        assert_eq!(wrong(&[("ECONNECTOR_ENVIRONMENT", "production")])[0].name, "ECONNECTOR_ENVIRONMENT");
    }

    #[test]
    fn a_bare_host_is_no_address_of_a_service() {
        for name in [
            "CCSS_URL",
            "CCSS_SYNC_URL",
            "KMS_GET_CERTIFICATE_URL",
            "KMS_SIGN_URL",
            "KMS_TIMESTAMP_URL",
        ] {
            for host in ["https://host.example", "https://host.example:7443/"] {
                let wrong = wrong(&[(name, host)]);
                assert_eq!((wrong.len(), wrong[0].name.as_str()), (1, name));
                assert!(wrong[0].mend.contains("https://HOST/"), "{wrong:?}");
            }
            assert_eq!(wrong(&[(name, "http://host.example/")]).len(), 1, "said once");
        }
        assert!(
            read(&[("ECONNECTOR_ISSUER", "https://issuer.example")]).is_ok(),
            "an issuer may be a host"
        );
    }

    #[test]
    fn what_the_templates_leave_to_fill_in_is_no_setting() {
        for (name, value, what) in [
            (
                "KMS_SIGN_URL",
                "https://KMS-HOST/api/v3/sign-data",
                "still holds the example's KMS-HOST",
            ),
            ("ECONNECTOR_CLIENT_ID", "CLIENT-ID", "still holds the example's CLIENT-ID"),
            ("KMS_SIGN_URL", "https://kms.example//api/v3/sign-data", "has // in its path"),
            ("CCSS_URL", "https://ws.mysecu.lu/ws//soap/trust", "has // in its path"),
        ] {
            let wrong = wrong(&[(name, value)]);
            let said: Vec<(&str, &str)> = wrong.iter().map(|wrong| (wrong.name.as_str(), wrong.what.as_str())).collect();
            assert_eq!(said, [(name, what)]);
            assert!(!wrong[0].mend.is_empty());
        }
    }

    #[test]
    fn proxy_settings_that_change_nothing_are_noted() {
        let notes = |changes: &[(&str, &str)]| read(changes).unwrap().notes;
        let host = ("PROXY_HOST", "proxy.example");
        let (user, password) = (("PROXY_USERNAME", "hospital"), ("PROXY_PASSWORD", "secret"));
        let login = [user, password];
        assert_eq!(
            notes(&[&[host][..], &login].concat()),
            ["PROXY_USERNAME and PROXY_PASSWORD change nothing: PROXY_AUTH_REQUIRED is not true"]
        );
        assert_eq!(
            notes(&[("PROXY_PORT", "8080")]),
            ["PROXY_PORT changes nothing: PROXY_HOST is not set"]
        );
        assert_eq!(
            notes(&[&[("PROXY_PORT", "8080"), ("PROXY_HTTPS", "true")][..], &login].concat()),
            ["PROXY_PORT, PROXY_HTTPS, PROXY_USERNAME and PROXY_PASSWORD change nothing: PROXY_HOST is not set"]
        );
        // Those of the official server at their defaults, and a login that is asked for.
        assert!(notes(&[("PROXY_HTTPS", "false"), ("PROXY_AUTH_REQUIRED", "false")]).is_empty());
        assert!(notes(&[host, ("PROXY_AUTH_REQUIRED", "true"), user, password, ("PROXY_PORT", "8080")]).is_empty());
    }

    #[test]
    fn the_seven_proxy_settings() {
        let proxy = |changes: &[(&str, &str)]| read(changes).unwrap().connector.proxy;
        assert!(proxy(&[]).is_none());
        assert!(proxy(&[("PROXY_USE_SYSTEM", "true")]).is_none());
        assert!(matches!(proxy(&[("PROXY_USE_SYSTEM", "false")]), Some(ProxySettings::Direct)));
        let Some(ProxySettings::Through { url, credentials, bypass }) = proxy(&[
            ("PROXY_HOST", "proxy.example"),
            ("PROXY_PORT", "8080"),
            ("PROXY_HTTPS", "TRUE"),
            ("PROXY_AUTH_REQUIRED", "yes"),
            ("PROXY_USERNAME", "hospital"),
            ("PROXY_PASSWORD", " with blanks "),
            ("NO_PROXY", ".intern"),
        ]) else {
            panic!("through a proxy");
        };
        assert_eq!((url.as_str(), bypass.as_str()), ("https://proxy.example:8080", ".intern"));
        let (user, password) = credentials.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("hospital", " with blanks "));
        let Some(ProxySettings::Through { url, credentials, .. }) =
            proxy(&[("PROXY_HOST", "10.1.2.3"), ("PROXY_USERNAME", "u"), ("PROXY_PASSWORD", "p")])
        else {
            panic!("through a proxy");
        };
        assert!(url == "http://10.1.2.3:3128" && credentials.is_none(), "no login unless required");
        for (changes, name) in [
            (&[("PROXY_HOST", "http://proxy")][..], "PROXY_HOST"),
            (&[("PROXY_HOST", "proxy:3128")], "PROXY_HOST"),
            (&[("PROXY_HOST", "proxy"), ("PROXY_USE_SYSTEM", "true")], "PROXY_HOST"),
            (&[("PROXY_HOST", "proxy"), ("PROXY_PORT", "0")], "PROXY_PORT"),
            (
                &[("PROXY_HOST", "p"), ("PROXY_AUTH_REQUIRED", "true"), ("PROXY_PASSWORD", "p")],
                "PROXY_USERNAME",
            ),
            (
                &[("PROXY_HOST", "p"), ("PROXY_AUTH_REQUIRED", "true"), ("PROXY_USERNAME", "u")],
                "PROXY_PASSWORD",
            ),
            (&[("PROXY_AUTH_REQUIRED", "true")], "PROXY_HOST"),
        ] {
            assert!(wrong(changes).iter().any(|wrong| wrong.name == name), "{name}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_file_or_as_such_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "from the file\r\n").unwrap();
        let path = file.to_str().unwrap();
        let settings = read(&[("GENERIC_KEYSTORE_PWD", ""), ("GENERIC_KEYSTORE_PWD_FILE", path)]).unwrap();
        assert_eq!(settings.connector.mysecu.client_p12_password.reveal(), "from the file");
        let both = wrong(&[("GENERIC_KEYSTORE_PWD_FILE", path)]);
        assert_eq!((both.len(), both[0].name.as_str()), (1, "GENERIC_KEYSTORE_PWD"));
        let gone = wrong(&[("GENERIC_KEYSTORE_PWD", ""), ("GENERIC_KEYSTORE_PWD_FILE", "/nowhere")]);
        assert_eq!(gone[0].name, "GENERIC_KEYSTORE_PWD_FILE");
        for wrong in both.iter().chain(&gone) {
            assert!(!wrong.to_string().contains("from the file"));
        }
    }

    #[test]
    fn the_token_exchange_needs_both_halves_and_clients_need_it() {
        let exchange = read(&[("ECONNECTOR_CLIENT_ID", "hospital"), ("ECONNECTOR_CLIENT_SECRET", "s")]).unwrap();
        assert_eq!(exchange.connector.aes.exchange.unwrap().client_id, "hospital");
        assert!(read(&[]).unwrap().connector.aes.exchange.is_none());
        assert_eq!(wrong(&[("ECONNECTOR_CLIENT_SECRET", "s")])[0].name, "ECONNECTOR_CLIENT_ID");
        assert_eq!(wrong(&[("ECONNECTOR_CLIENTS_FILE", "/c.toml")])[0].name, "ECONNECTOR_CLIENT_SECRET");
    }

    #[test]
    fn what_changes_nothing_and_what_nobody_knows_is_said() {
        let settings = read(&[
            ("SYNC_EXCHANGE_WSDL", "https://ws.mysecu.lu/ws/soap/espinst/syncexchange?wsdl"),
            ("IHUB_URL", "https://ihub.example/ws/rest/ihub/v1"),
            ("INSTALL_MSFFONTS", "true"),
            ("ECONNECTOR_CLIENT_FILE", "/c.toml"),
            ("DEBUG_LOG", "true"),
        ])
        .unwrap();
        assert_eq!(settings.notes.len(), 4, "{:?}", settings.notes);
        assert!(
            settings
                .notes
                .iter()
                .any(|note| note.starts_with("ECONNECTOR_CLIENT_FILE is not known"))
        );
    }

    #[test]
    fn the_three_aliases_come_together_or_not_at_all() {
        const ALL: [(&str, &str); 3] = [
            ("ROOT_SIGNING_CA_ALIAS", "root"),
            ("SIGNING_CA_ALIAS", "signing"),
            ("TIMESTAMP_CA_ALIAS", "timestamp"),
        ];
        assert_eq!(
            read(&ALL).unwrap().connector.kms.trust_store_aliases,
            ["root", "signing", "timestamp"]
        );
        assert!(read(&[]).unwrap().connector.kms.trust_store_aliases.is_empty());
        for (missing, _) in ALL {
            let (given, absent): (Vec<_>, Vec<_>) = ALL.into_iter().partition(|(name, _)| *name != missing);
            let one_missing = wrong(&given);
            assert_eq!((one_missing.len(), one_missing[0].name.as_str()), (1, missing));
            assert_eq!(
                one_missing[0].to_string(),
                format!("{missing}: is not set, and the others are. Set all three, or none")
            );
            // Empty counts as absent.
            let two_missing = wrong(&[absent[0], (given[0].0, " ")]);
            let names: Vec<&str> = two_missing.iter().map(|wrong| wrong.name.as_str()).collect();
            assert_eq!(names, [given[0].0, given[1].0]);
            assert!(
                two_missing
                    .iter()
                    .all(|wrong| wrong.what == format!("is not set, and {missing} is"))
            );
        }
    }
}
