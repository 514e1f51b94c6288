//! The server's certificate, and whose certificates callers may show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use econnector_base::Secret;
use econnector_net::{ClientIdentity, P12Error, read_anchors};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::wrong::{FROM_JAVA, SecretSource, Wrong, unreadable};

/// Where the certificate and what belongs to it come from.
#[derive(Clone)]
pub(crate) struct TlsFiles {
    pub(crate) keystore: PathBuf,
    pub(crate) password: SecretSource,
    pub(crate) key_password: Option<SecretSource>,
    /// Whose certificates callers may show; without it none is asked for.
    pub(crate) client_ca: Option<PathBuf>,
}

/// A certificate that can be served.
pub(crate) struct Opened {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) expires: OffsetDateTime,
    /// The certificate itself, for the health check, which trusts it and no other.
    pub(crate) certificate: Vec<u8>,
}

impl TlsFiles {
    /// Reads everything anew.
    ///
    /// # Errors
    /// All that is wrong.
    pub(crate) fn open(&self, now: OffsetDateTime) -> Result<Opened, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let identity = self.identity().map_err(|found| wrong.extend(found)).ok();
        let roots = self.client_roots().map_err(|found| wrong.push(found)).ok().flatten();
        let Some(identity) = identity.filter(|_| wrong.is_empty()) else {
            return Err(wrong);
        };
        let config = server_config(&identity, roots).map_err(|error| {
            vec![Wrong::new(
                "SAAS_KEYSTORE",
                format!("cannot be served ({error})"),
                "Export certificate and key anew",
            )]
        })?;
        let expires = valid_now("SAAS_KEYSTORE", &identity, now).map_err(|wrong| vec![wrong])?;
        Ok(Opened {
            config: Arc::new(config),
            expires,
            certificate: identity.certificate().to_vec(),
        })
    }

    /// Changes when one of the files does.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let secrets = [Some(&self.password), self.key_password.as_ref()];
        let secrets = secrets.into_iter().flatten().filter_map(|source| match source {
            SecretSource::Value(_) => None,
            SecretSource::File { path, .. } => Some(path.as_path()),
        });
        fingerprint(
            [Some(self.keystore.as_path()), self.client_ca.as_deref()]
                .into_iter()
                .flatten()
                .chain(secrets),
        )
    }

    fn identity(&self) -> Result<ClientIdentity, Vec<Wrong>> {
        let password = self.password.read().map_err(|wrong| vec![wrong])?;
        let key_password = self
            .key_password
            .as_ref()
            .map(SecretSource::read)
            .transpose()
            .map_err(|wrong| vec![wrong])?;
        open_p12(
            "SAAS_KEYSTORE",
            "SAAS_KEYSTORE_PASSWORD",
            &self.keystore,
            &password,
            key_password.as_ref(),
        )
        .map_err(|wrong| vec![wrong])
    }

    fn client_roots(&self) -> Result<Option<RootCertStore>, Wrong> {
        const NAME: &str = "ECONNECTOR_CLIENT_CA_FILE";
        let Some(path) = &self.client_ca else {
            return Ok(None);
        };
        let bytes = std::fs::read(path).map_err(|error| unreadable(NAME, path, &error))?;
        let broken = |what: String| {
            Wrong::new(
                NAME,
                what,
                "Give the PEM file of the authority that issues your callers' certificates",
            )
        };
        let mut roots = RootCertStore::empty();
        for der in read_anchors(&bytes, None).map_err(|error| broken(error.to_string()))? {
            roots
                .add(CertificateDer::from(der))
                .map_err(|_| broken("holds a certificate that is no authority's".to_owned()))?;
        }
        Ok(Some(roots))
    }
}

/// Opens a PKCS#12 file and says what is wrong with it in the words of its two variables.
pub(crate) fn open_p12(
    name: &str,
    password_name: &str,
    path: &Path,
    password: &Secret,
    key_password: Option<&Secret>,
) -> Result<ClientIdentity, Wrong> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(name, path, &error))?;
    let opened = match key_password {
        Some(key_password) => ClientIdentity::from_p12_with_key_password(&bytes, password, key_password),
        None => ClientIdentity::from_p12(&bytes, password),
    };
    opened.map_err(|error| match error {
        P12Error::Password => Wrong::new(
            password_name,
            format!("does not open {}", path.display()),
            "Correct the password, or export the file anew",
        ),
        P12Error::JavaKeystore => Wrong::new(name, format!("{} is a Java keystore (JKS)", path.display()), FROM_JAVA),
        error => Wrong::new(
            name,
            format!("{}: {error}", path.display()),
            "Export one PKCS#12 file (.p12, .pfx) with the private key, its certificate and the certificates above it",
        ),
    })
}

/// Until when a certificate is valid; wrong when it is not valid now.
pub(crate) fn valid_now(name: &str, identity: &ClientIdentity, now: OffsetDateTime) -> Result<OffsetDateTime, Wrong> {
    let (from, until) = identity
        .validity()
        .ok_or_else(|| Wrong::new(name, "has a certificate without dates", "Export it anew"))?;
    if until < now {
        return Err(Wrong::new(
            name,
            format!("its certificate ended on {}", until.date()),
            "Renew it and put the new file in its place",
        ));
    }
    if from > now {
        return Err(Wrong::new(
            name,
            format!("its certificate begins on {}", from.date()),
            "Set this machine's clock, or use a certificate that is valid already",
        ));
    }
    Ok(until)
}

/// Of the content of files; one that cannot be read counts as empty.
pub(crate) fn fingerprint<'a>(files: impl Iterator<Item = &'a Path>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(Sha256::digest(std::fs::read(file).unwrap_or_default()));
    }
    hash.finalize().into()
}

fn server_config(identity: &ClientIdentity, client_roots: Option<RootCertStore>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = identity
        .certificates_der()
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.private_key_pkcs8().to_vec()));
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match client_roots {
        // Shown or not: a caller without one has a token or a key. One of another authority ends the handshake.
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?,
        ),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
