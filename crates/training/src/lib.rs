//! Training mode: AeS, KMS and mySecu stand-ins inside this process, on loopback, with CAs made at each start.

use std::path::PathBuf;

use econnector_assembly::{AesPart, KmsPart, LockPart, MySecuPart, Settings};
use econnector_base::{Explain, Fault, Secret};
use econnector_forms::Environment;
use econnector_identity::Logins;
use econnector_sandbox::{Sandbox, SandboxError, SandboxOptions};

/// Why there is no training mode.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// No folder for the stand-ins' certificates.
    #[error("training: {0}")]
    Folder(#[from] std::io::Error),
    /// The stand-ins do not start.
    #[error("training: {0}")]
    Sandbox(#[from] SandboxError),
    /// The stand-ins name an address that is none.
    #[error("training: {0}")]
    Url(#[from] url::ParseError),
}

impl Explain for TrainingError {
    fn code(&self) -> &'static str {
        match self {
            Self::Sandbox(error) => error.code(),
            Self::Folder(_) | Self::Url(_) => "sandbox-files",
        }
    }

    fn fault(&self) -> Fault {
        Fault::Us
    }
}

/// The stand-ins, running.
pub struct Training {
    sandbox: Sandbox,
    /// Holds their certificates; deleted at the end.
    _folder: tempfile::TempDir,
}

impl Training {
    /// Starts the stand-ins on free ports. A newcomer's browser does not know the sandbox's CA, so the login page alone is plain HTTP
    /// on loopback; everything this program itself asks stays on verified TLS.
    ///
    /// # Errors
    /// [`TrainingError`]: no folder, no port.
    pub async fn start() -> Result<Self, TrainingError> {
        let SandboxOptions {
            access_ttl, refresh_ttl, ..
        } = SandboxOptions::default();
        Self::with_lives(access_ttl, refresh_ttl).await
    }

    /// As [`Training::start`], with access tokens and sessions that live so many seconds.
    ///
    /// # Errors
    /// As [`Training::start`].
    pub async fn with_lives(access_ttl: u64, refresh_ttl: u64) -> Result<Self, TrainingError> {
        let folder = tempfile::Builder::new().prefix("econnector-training-").tempdir()?;
        let options = SandboxOptions {
            dir: folder.path().to_owned(),
            access_ttl,
            refresh_ttl,
            browser_login_over_http: true,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await?;
        tracing::info!(control = %sandbox.ready().control, "training mode");
        Ok(Self { sandbox, _folder: folder })
    }

    /// The stand-ins themselves, for their addresses.
    #[must_use]
    pub const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Settings of a desktop that talks to the stand-ins, and to nothing else.
    ///
    /// # Errors
    /// [`TrainingError::Url`].
    pub fn settings(&self, journal: Option<PathBuf>) -> Result<Settings, TrainingError> {
        let ready = self.sandbox.ready();
        let kms = |path: &str| url::Url::parse(&format!("{}/api/v3/{path}", ready.kms.trim_end_matches('/')));
        let mysecu = |path: &str| url::Url::parse(&format!("{}/ws/soap/{path}", ready.mysecu.trim_end_matches('/')));
        Ok(Settings {
            environment: Environment::Training,
            anchors: Some(ready.ca_pem.clone()),
            only_these_anchors: true,
            journal,
            timeout_seconds: None,
            proxy: None,
            forms_folder: None,
            lock: LockPart::default(),
            aes: AesPart {
                issuer: url::Url::parse(&ready.issuer)?,
                client_id: ready.desktop_client_id.clone(),
                audience: ready.audience.clone(),
                logins: Logins::Both,
                exchange: None,
                elsewhere: false,
            },
            kms: KmsPart {
                get_certificate_url: kms("get-certificate")?,
                sign_url: kms("sign-data")?,
                timestamp_url: kms("sign-timestamp")?,
                trust_store: ready.truststore_pem.clone(),
                trust_store_password: None,
                trust_store_aliases: Vec::new(),
            },
            mysecu: MySecuPart {
                sts_url: mysecu("trust")?,
                exchange_url: mysecu("espinst/syncexchange")?,
                client_p12: ready.client_p12.clone(),
                client_p12_password: Secret::new(ready.client_p12_password.clone()),
                answer_anchors: ready.mysecu_signing_pem.clone(),
            },
        })
    }
}
