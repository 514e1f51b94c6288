//! From settings to a running connector: the one place that joins the real services to the use cases. Both doors start here.

mod packs;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_base::{Clock, Explain, Fault, RandomIds, SystemClock};
use econnector_connector::{Connector, LeftOut, NoObserver, Observer, Parts};
use econnector_forms::PackError;
use econnector_identity::{Aes, AesSettings, Browser, IdentityError, TokenStore};
use econnector_journal::{Journal, JournalError};
use econnector_mysecu::{AnswerTrust, JwtOnBehalfOf, MySecu, MySecuError, MySecuSettings, TrustError};
use econnector_net::{
    Anchor, AnchorsError, ClientIdentity, NetError, P12Error, Transport, TransportOptions, read_anchors, read_named_anchors,
};
use econnector_profile::Profiles;
use econnector_signature::{Kms, KmsSettings, TrustStore};

pub use settings::{AesPart, KmsPart, LockPart, Minutes, MySecuPart, Settings, SettingsError};

/// Why no connector could be made of the settings. Each names the setting concerned.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A file named in the settings cannot be read.
    #[error("{setting}: {path} cannot be read: {error}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file of certificates holds none, or cannot be understood.
    #[error("{setting}: {error}")]
    Anchors {
        /// The setting that names it.
        setting: &'static str,
        /// Why.
        error: AnchorsError,
    },
    /// An entry of the trust store that the settings choose is not in it.
    #[error("{setting}: the trust store has no entry \"{alias}\"; it has: {}", .known.join(", "))]
    Alias {
        /// The setting that names the file.
        setting: &'static str,
        /// The alias that was looked for.
        alias: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// The client certificate cannot be used.
    #[error("mysecu.client_p12: {0}")]
    ClientCertificate(#[from] P12Error),
    /// mySecu's settings cannot be used.
    #[error("mysecu: {0}")]
    MySecu(Box<MySecuError>),
    /// What mySecu's answers must chain to cannot be used.
    #[error("mysecu.answer_anchors: {0}")]
    AnswerTrust(#[from] TrustError),
    /// AeS's settings cannot be used.
    #[error("aes: {0}")]
    Aes(#[from] IdentityError),
    /// The network settings cannot be used.
    #[error("network: {0}")]
    Network(#[from] NetError),
    /// A form pack is broken.
    #[error("forms: {0}")]
    Pack(#[from] PackError),
    /// The journal cannot be opened.
    #[error("journal: {0}")]
    Journal(#[from] JournalError),
}

impl From<MySecuError> for AssemblyError {
    fn from(error: MySecuError) -> Self {
        Self::MySecu(Box::new(error))
    }
}

impl AssemblyError {
    fn inner(&self) -> Option<&dyn Explain> {
        Some(match self {
            Self::File { .. } | Self::Alias { .. } => return None,
            Self::Anchors { error, .. } => error,
            Self::ClientCertificate(error) => error,
            Self::MySecu(error) => error.as_ref(),
            Self::AnswerTrust(error) => error,
            Self::Aes(error) => error,
            Self::Network(error) => error,
            Self::Pack(error) => error,
            Self::Journal(error) => error,
        })
    }
}

impl Explain for AssemblyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Alias { .. } => "truststore-alias",
            _ => self.inner().map_or("settings-unreadable", Explain::code),
        }
    }

    fn fault(&self) -> Fault {
        self.inner().map_or(Fault::You, Explain::fault)
    }
}

impl Explain for SettingsError {
    fn code(&self) -> &'static str {
        "settings-unreadable"
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

/// What a door brings along: how to open a browser and where to keep a refresh token.
pub struct Host {
    /// Opens AeS's login page.
    pub browser: Arc<dyn Browser>,
    /// Keeps the refresh token between starts.
    pub tokens: Arc<dyn TokenStore>,
}

/// Makes a connector on the computer's own clock. Nothing is asked of the network yet.
///
/// # Errors
/// [`AssemblyError`], naming the setting to mend.
pub async fn assemble(settings: &Settings, host: Host) -> Result<Arc<Connector>, AssemblyError> {
    assemble_with(settings, host, Arc::new(NoObserver), Arc::new(SystemClock)).await
}

/// As [`assemble`]; `observer` is told of every use case that came to an end, and `clock` says the time.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_with(
    settings: &Settings,
    host: Host,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Connector>, AssemblyError> {
    let Files {
        plain,
        client,
        trust,
        answers,
    } = Files::read(settings)?;
    let with_certificate = TransportOptions {
        identity: Some(client.clone()),
        ..plain.clone()
    };
    let transport = Transport::new(&plain)?;

    let aes = AesSettings {
        audience: settings.aes.audience.clone(),
        logins: settings.aes.logins,
        elsewhere: settings.aes.elsewhere,
        exchange: settings.aes.exchange.clone(),
        ..AesSettings::new(settings.aes.issuer.clone(), settings.aes.client_id.clone())
    };
    let identity = Aes::new(aes, transport.clone(), host.tokens, host.browser, clock.clone()).await?;

    let kms = Kms::new(
        KmsSettings {
            get_certificate_url: settings.kms.get_certificate_url.to_string(),
            sign_url: settings.kms.sign_url.to_string(),
            timestamp_url: settings.kms.timestamp_url.to_string(),
        },
        transport,
        Arc::new(RandomIds),
    );
    let mysecu = MySecu::new(
        MySecuSettings {
            sts_url: settings.mysecu.sts_url.to_string(),
            exchange_url: settings.mysecu.exchange_url.to_string(),
        },
        Transport::new(&with_certificate)?,
        &client,
        answers,
        clock.clone(),
        Arc::new(RandomIds),
        Box::new(JwtOnBehalfOf),
    )?;

    let journal = match &settings.journal {
        Some(file) => Journal::open(file).await?,
        None => Journal::in_memory().await?,
    };
    let profiles = match settings.journal.as_ref().and_then(|file| file.parent()) {
        Some(folder) => Profiles::in_folder(folder.join("profiles")),
        None => Profiles::in_memory(),
    };
    let (packs, left_out) = packs::all(settings.forms_folder.as_deref())?;
    Ok(Connector::new(Parts {
        packs,
        left_out,
        profiles,
        printers: econnector_printing::system(),
        ids: Arc::new(RandomIds),
        identity: Arc::new(identity),
        signer: Arc::new(kms),
        trust,
        deposit: Arc::new(mysecu),
        journal,
        clock,
        environment: settings.environment,
        lock: settings.lock.rule(),
        observer,
    }))
}

/// Whether the files that the settings name can be used. Nothing is asked of the network, and nothing is written.
///
/// # Errors
/// [`AssemblyError`], naming the setting to mend.
pub fn examine(settings: &Settings) -> Result<(), AssemblyError> {
    Files::read(settings).map(drop)
}

/// The packs of a folder of forms that cannot be used.
///
/// # Errors
/// [`AssemblyError::Pack`] when those built in cannot.
pub fn broken_packs(folder: &Path) -> Result<Vec<LeftOut>, AssemblyError> {
    Ok(packs::all(Some(folder))?.1)
}

/// What the files hold that the settings name.
struct Files {
    plain: TransportOptions,
    client: ClientIdentity,
    trust: TrustStore,
    answers: AnswerTrust,
}

impl Files {
    fn read(settings: &Settings) -> Result<Self, AssemblyError> {
        let anchors = match &settings.anchors {
            Some(path) => vec![read("anchors", path)?],
            None => Vec::new(),
        };
        let plain = TransportOptions {
            anchors_pem: anchors,
            only_these_anchors: settings.only_these_anchors,
            timeout: settings
                .timeout_seconds
                .map_or(TransportOptions::default().timeout, Duration::from_secs),
            proxy: settings.proxy.clone(),
            ..TransportOptions::default()
        };
        let mysecu = &settings.mysecu;
        let client = ClientIdentity::from_p12(&read("mysecu.client_p12", &mysecu.client_p12)?, &mysecu.client_p12_password)?;
        let trust = trust_store(&settings.kms)?.store;
        let anchors = |error| AssemblyError::Anchors {
            setting: "mysecu.answer_anchors",
            error,
        };
        let answers = read_anchors(&read("mysecu.answer_anchors", &mysecu.answer_anchors)?, None).map_err(anchors)?;
        Ok(Self {
            plain,
            client,
            trust,
            answers: AnswerTrust::new(answers)?,
        })
    }
}

/// What the file of the signatures' authorities holds.
pub struct KmsTrust {
    /// The chosen entries in one set, or all.
    pub store: TrustStore,
    /// Entries were chosen by name in a file that names none (PEM): all of them count.
    pub aliases_ignored: bool,
}

/// Reads the trust store of signatures: the chosen entries, or all.
///
/// # Errors
/// [`AssemblyError::File`], [`AssemblyError::Anchors`], [`AssemblyError::Alias`].
pub fn trust_store(kms: &KmsPart) -> Result<KmsTrust, AssemblyError> {
    const SETTING: &str = "kms.trust_store";
    let anchors = |error| AssemblyError::Anchors { setting: SETTING, error };
    let bytes = read(SETTING, &kms.trust_store)?;
    let all = read_named_anchors(&bytes, kms.trust_store_password.as_ref()).map_err(anchors)?;
    let known: Vec<String> = all.iter().filter_map(|anchor| anchor.alias.clone()).collect();
    let mut chosen = String::new();
    if kms.trust_store_aliases.is_empty() || known.is_empty() {
        all.iter().for_each(|anchor| chosen.push_str(&pem(&anchor.der)));
    } else {
        for alias in &kms.trust_store_aliases {
            // keytool writes aliases in lower case, whatever was typed.
            let is_it = |anchor: &&Anchor| anchor.alias.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(alias));
            let anchor = all.iter().find(is_it).ok_or_else(|| AssemblyError::Alias {
                setting: SETTING,
                alias: alias.clone(),
                known: known.clone(),
            })?;
            chosen.push_str(&pem(&anchor.der));
        }
    }
    Ok(KmsTrust {
        store: TrustStore::from_pem(chosen.as_bytes()).map_err(anchors)?,
        aliases_ignored: known.is_empty() && !kms.trust_store_aliases.is_empty(),
    })
}

fn pem(der: &[u8]) -> String {
    let lines = STANDARD.encode(der);
    let lines: Vec<&str> = lines
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, AssemblyError> {
    std::fs::read(path).map_err(|error| AssemblyError::File {
        setting,
        path: path.to_owned(),
        error,
    })
}
