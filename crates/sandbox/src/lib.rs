//! Stand-ins for AeS (identity), the KMS (signatures) and mySecu (deposits), on loopback, with authorities of their own made at start.
//! They speak the wire of docs/wire.md and refuse what the real services would refuse; a fault switch makes them misbehave on purpose.
//! For training and tests: everything and everybody in here is fictitious.

mod aes;
mod control;
mod faults;
mod jwt;
mod kms;
mod mysecu;
mod people;
mod pki;
mod serve;
mod xml;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use econnector_base::{Clock, Explain, Fault, SystemClock};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use control::Records;
use faults::Faults;
use jwt::{Access, TokenKey};
use mysecu::{Register, Rules};
use people::{DESKTOP_CLIENT, HOSPITAL_CLIENT, HOSPITAL_SECRET, Person};
use pki::{Identity, Pki};
use serve::{Door, Serving};

/// The audience of tokens meant for the authorities' services (luxembourg.md §8).
const AUDIENCE: &str = "https://eadmin.lu/";
/// A physician for whom everything is in order.
const READY_PHYSICIAN: &str = "1900000001";

/// How a sandbox is started.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Where certificates, the client's p12 and the schemas are written. Made if absent, readable by its owner only; the files go when the sandbox stops.
    pub dir: PathBuf,
    /// Life of an access token, in seconds.
    pub access_ttl: u64,
    /// Life of an unused refresh token, and idle life of a session, in seconds.
    pub refresh_ttl: u64,
    /// Serve the login page on plain HTTP at 127.0.0.1 as well and let discovery name that address: a newcomer's browser does not trust
    /// the sandbox's authority. Everything else stays on TLS.
    pub browser_login_over_http: bool,
    /// The name by which AeS is called, beside those of loopback in its certificate. It listens on loopback alone: another name leads
    /// there through a proxy that knows it.
    pub aes_host: String,
}

impl Default for SandboxOptions {
    /// The real service's lives (300 s, 1800 s), a fresh folder below the system's temporary one, login over TLS.
    fn default() -> Self {
        Self {
            dir: std::env::temp_dir().join(format!("econnector-sandbox-{}", uuid::Uuid::new_v4().simple())),
            access_ttl: 300,
            refresh_ttl: 1800,
            browser_login_over_http: false,
            aes_host: pki::LOCALHOST.to_owned(),
        }
    }
}

/// Running stand-ins. They stop when this is dropped.
pub struct Sandbox {
    ready: Ready,
    shared: Arc<Shared>,
    doors: Vec<Serving>,
    files: Files,
}

/// Where the stand-ins are and whom to trust; serialized, it is the ready file of `cargo xtask sandbox` but for what the
/// hospital server adds.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Authority of all server certificates, and of mySecu's client certificates.
    pub ca_pem: PathBuf,
    /// Base URL of the control routes, without a slash at its end (as all base URLs here).
    pub control: String,
    /// OIDC issuer.
    pub issuer: String,
    /// OIDC token endpoint.
    pub token_endpoint: String,
    /// A confidential client that may exchange tokens.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The public client of the desktop.
    pub desktop_client_id: String,
    /// What to ask tokens for.
    pub audience: String,
    /// eHealthID of a physician for whom everything is in order.
    pub ehealth_id: String,
    /// That physician's provider code, activated at mySecu.
    pub provider_code: String,
    /// The KMS's root, signing and timestamp authorities in one file.
    pub truststore_pem: PathBuf,
    /// The certificate mySecu signs its answers with, followed by its authority.
    pub mysecu_signing_pem: PathBuf,
    /// Base URL of the KMS.
    pub kms: String,
    /// Base URL of mySecu.
    pub mysecu: String,
    /// The practice's key and certificate at mySecu, PKCS#12.
    pub client_p12: PathBuf,
    /// Its password.
    pub client_p12_password: String,
    /// Root of the KMS's signing authority.
    pub kms_root_pem: PathBuf,
    /// Issuer of the physicians' certificates.
    pub kms_signing_ca_pem: PathBuf,
    /// Issuer of the timestamping unit's certificate.
    pub kms_timestamp_ca_pem: PathBuf,
}

impl Sandbox {
    /// Makes the authorities, writes the files and opens all doors; when it returns, everything answers.
    ///
    /// # Errors
    /// No port, no room for the files, or a key or certificate that could not be made.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        let pki = Pki::make(&options.aes_host).await?;
        let mut files = Files::open(&options.dir)?;
        let port = |source| SandboxError::Port { source };
        let (aes, kms, mysecu, control) = tokio::try_join!(Door::open(), Door::open(), Door::open(), Door::open()).map_err(port)?;
        let login = if options.browser_login_over_http {
            Some(Door::open().await.map_err(port)?)
        } else {
            None
        };

        let issuer = format!("https://{}:{}{}", options.aes_host, aes.port, aes::REALM);
        let login_base = match &login {
            Some(door) => format!("http://127.0.0.1:{}{}", door.port, aes::REALM),
            None => issuer.clone(),
        };
        let password = uuid::Uuid::new_v4().simple().to_string();
        let (root, signing, timestamp) = (pki.kms_root.pem(), pki.kms_signing.pem(), pki.timestamp.pem());
        let ready = Ready {
            ca_pem: files.write("tls-ca.pem", pki.tls.pem())?,
            control: format!("http://127.0.0.1:{}", control.port),
            token_endpoint: format!("{issuer}/protocol/openid-connect/token"),
            client_id: HOSPITAL_CLIENT.into(),
            client_secret: HOSPITAL_SECRET.into(),
            desktop_client_id: DESKTOP_CLIENT.into(),
            audience: AUDIENCE.into(),
            ehealth_id: READY_PHYSICIAN.into(),
            provider_code: "90000101".into(),
            truststore_pem: files.write("kms-truststore.pem", format!("{root}{signing}{timestamp}"))?,
            mysecu_signing_pem: files.write(
                "mysecu-signature.pem",
                format!("{}{}", pki::pem(&pki.mysecu.certificate)?, pki.mysecu_signature.pem()),
            )?,
            kms: format!("https://localhost:{}", kms.port),
            mysecu: format!("https://localhost:{}", mysecu.port),
            client_p12: files.write("practice.p12", p12(&pki.practice, pki.tls.der(), &password)?)?,
            client_p12_password: password,
            kms_root_pem: files.write("kms-root-signing-ca.pem", root)?,
            kms_signing_ca_pem: files.write("kms-signing-ca.pem", signing)?,
            kms_timestamp_ca_pem: files.write("kms-timestamp-ca.pem", timestamp)?,
            issuer: issuer.clone(),
        };

        for (name, schema) in mysecu::SCHEMA_FILES {
            files.write(name, schema)?;
        }
        let rules = Rules::read(&options.dir)?;
        let tls = server_config(&pki, false)?;
        let tls_with_client = server_config(&pki, true)?;
        let shared = Arc::new(Shared {
            tokens: TokenKey::new(pki.token_key.clone()),
            pki,
            issuer,
            mysecu: ready.mysecu.clone(),
            access_ttl: options.access_ttl,
            refresh_ttl: options.refresh_ttl,
            faults: Arc::default(),
            records: Records::default(),
            register: Mutex::default(),
        });
        let realm = aes::service(shared.clone(), format!("{login_base}/protocol/openid-connect/auth"));
        let control_port = control.port;
        let mut doors = vec![
            aes.serve(Some(tls.clone()), aes::router(realm.clone())),
            kms.serve(Some(tls), kms::router(shared.clone())),
            mysecu.serve(Some(tls_with_client), mysecu::router(shared.clone(), rules)),
            control.serve(None, control::router(shared.clone(), realm.clone(), ready.clone(), control_port)),
        ];
        if let Some(door) = login {
            doors.push(door.serve(None, aes::login_router(realm)));
        }
        tokio::spawn(make_key_ahead(shared.clone()));
        Ok(Self {
            ready,
            shared,
            doors,
            files,
        })
    }

    /// Where everything is.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Another practice's p12 at mySecu, under the same password as the first; `name` is its common name and the file's.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn issue_client(&mut self, name: &str) -> Result<PathBuf, SandboxError> {
        let identity = self.shared.pki.practice_named(name).await?;
        self.write_p12(name, &identity)
    }

    /// A p12 with which a server of yours is trusted as `localhost` by whoever trusts [`Ready::ca_pem`], under the same password; `name`
    /// is the file's.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub fn issue_server(&mut self, name: &str) -> Result<PathBuf, SandboxError> {
        let identity = pki::server(&self.shared.pki.tls, pki::LOCALHOST)?;
        self.write_p12(name, &identity)
    }

    /// The certificate in [`Ready::client_p12`], DER.
    #[must_use]
    pub fn client_certificate(&self) -> &[u8] {
        &self.shared.pki.practice.certificate
    }

    /// A file of yours in the sandbox's folder, removed with it.
    ///
    /// # Errors
    /// [`SandboxError::Files`].
    pub fn keep(&mut self, name: &str, content: &str) -> Result<PathBuf, SandboxError> {
        self.files.write(name, content)
    }

    fn write_p12(&mut self, name: &str, identity: &Identity) -> Result<PathBuf, SandboxError> {
        let bytes = p12(identity, self.shared.pki.tls.der(), &self.ready.client_p12_password)?;
        let file: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        self.files.write(&format!("{file}.p12"), bytes)
    }

    /// Closes all doors and removes the files; when it returns, the ports are free.
    pub async fn stop(mut self) {
        for door in self.doors.drain(..) {
            door.stop().await;
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A file or the folder for them could not be written.
    #[error("cannot write {path}: {source}")]
    Files {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No port on loopback.
    #[error("no free port on loopback: {source}")]
    Port {
        /// Why.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A key could not be made or used.
    #[error("key: {0}")]
    Key(String),
    /// A structure could not be written as DER.
    #[error("DER: {0}")]
    Der(#[from] der::Error),
    /// The PKCS#12 file could not be made.
    #[error("PKCS#12: {0}")]
    Pkcs12(#[from] p12_keystore::error::Error),
    /// A schema or table the sandbox carries could not be read.
    #[error("{file}: {why}")]
    Data {
        /// Which one.
        file: &'static str,
        /// What its reader says.
        why: String,
    },
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// An answer could not be signed.
    #[error("XML signature: {0}")]
    Xml(#[from] bergshamra::Error),
}

impl Explain for SandboxError {
    fn code(&self) -> &'static str {
        match self {
            Self::Files { .. } => "sandbox-files",
            Self::Port { .. } => "sandbox-port",
            _ => "sandbox-internal",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Files { .. } | Self::Port { .. } => Fault::You,
            _ => Fault::Us,
        }
    }
}

/// What the services have in common.
struct Shared {
    pki: Pki,
    tokens: TokenKey,
    issuer: String,
    /// Base URL of mySecu: a security token is asked for this address.
    mysecu: String,
    access_ttl: u64,
    refresh_ttl: u64,
    faults: Arc<Faults>,
    records: Records,
    /// What mySecu was given to keep.
    register: Mutex<Register>,
}

impl Shared {
    /// The claims of a token that a service takes now.
    fn access(&self, token: &str) -> Result<Access, &'static str> {
        self.tokens.check(token, &self.issuer, now())
    }

    /// Records something about AeS' tokens; details that are null are left out.
    fn event(&self, kind: &str, details: Value) {
        let mut event = json!({"at": timestamp(now()), "type": kind});
        if let (Some(event), Value::Object(details)) = (event.as_object_mut(), details) {
            event.extend(details.into_iter().filter(|(_, value)| !value.is_null()));
        }
        self.records.aes(event);
    }

    /// Records a token of ours that was over when it came: a careful client does not send such a one.
    fn note_expired(&self, token: &str, service: &str, arrived: OffsetDateTime) {
        if self.tokens.check(token, &self.issuer, arrived).err() == Some(jwt::EXPIRED) {
            let username = self.tokens.open(token).and_then(|claims| claims.get("preferred_username").cloned());
            self.event("EXPIRED_TOKEN_USED", json!({"service": service, "username": username}));
        }
    }
}

/// Middleware around the fault switch: an expired token in a header is noted, whatever becomes of the request.
async fn watch_tokens(State((service, shared)): State<(&'static str, Arc<Shared>)>, request: Request, next: Next) -> Response {
    if let Some(token) = aes::bearer(request.headers()) {
        shared.note_expired(token, service, now());
    }
    next.run(request).await
}

/// Searching an RSA key takes a moment: have the one most likely needed before the first signature.
async fn make_key_ahead(shared: Arc<Shared>) {
    if let Some(person) = Person::with_ehealth_id(READY_PHYSICIAN)
        && let Err(error) = shared.pki.signer_key(person).await
    {
        tracing::warn!(%error, "no signature key");
    }
}

fn server_config(pki: &Pki, client_required: bool) -> Result<Arc<ServerConfig>, SandboxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = if client_required {
        let mut roots = RootCertStore::empty();
        roots.add(pki.tls.der().clone())?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| SandboxError::Tls(rustls::Error::General(e.to_string())))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(vec![pki.server.certificate.clone()], pki.server.private_key())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn p12(identity: &Identity, authority: &[u8], password: &str) -> Result<Vec<u8>, SandboxError> {
    let key = PrivateKey::from_der(identity.key.serialized_der())?;
    let chain = [Certificate::from_der(&identity.certificate)?, Certificate::from_der(authority)?];
    let mut store = KeyStore::new();
    store.add_entry("mysecu", KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("mysecu", key, chain)));
    Ok(store.writer(password).write()?)
}

/// The files of a sandbox, removed with it.
struct Files {
    dir: PathBuf,
    written: Vec<PathBuf>,
}

impl Files {
    fn open(dir: &Path) -> Result<Self, SandboxError> {
        let failed = |source| SandboxError::Files {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            written: Vec::new(),
        })
    }

    fn write(&mut self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, SandboxError> {
        let path = self.dir.join(name);
        fs::write(&path, content).map_err(|source| SandboxError::Files {
            path: path.clone(),
            source,
        })?;
        self.written.push(path.clone());
        Ok(path)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in &self.written {
            let _ = fs::remove_file(file);
        }
        // Fails, as it should, when somebody else keeps files here.
        let _ = fs::remove_dir(&self.dir);
    }
}

fn now() -> OffsetDateTime {
    SystemClock.now()
}

/// RFC 3339 in UTC.
fn timestamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
