use std::fmt;

use econnector_base::{Explain, Fault, Secret};
use p12_keystore::Pkcs12Archive;
use rustls::crypto::ring::sign::any_supported_type;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_cert::{
    Certificate,
    der::{Decode as _, Encode as _},
};
use zeroize::Zeroizing;

/// The practice's or entity's certificate with its private key: how mySecu knows the machine. No `Debug` of the key.
#[derive(Clone)]
pub struct ClientIdentity {
    certificates_der: Vec<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl ClientIdentity {
    /// Reads a PKCS#12 file as mySecu's certificates are kept: the first key that has its certificate in the file, and the
    /// certificates above it. Which certificate belongs to the key is decided by the public key, not by the file's labels.
    ///
    /// # Errors
    /// Wrong password, unreadable file, no key, no certificate for the key, a kind of key TLS cannot use.
    pub fn from_p12(bytes: &[u8], password: &Secret) -> Result<Self, P12Error> {
        let archive = Pkcs12Archive::from_pkcs12(bytes, password.reveal())?;
        let certificates = archive
            .certs
            .iter()
            .map(|bag| Certificate::from_der(bag.cert.as_der()).map(|parsed| (parsed, bag.cert.as_der().to_vec())))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| P12Error::Unreadable)?;
        if archive.keys.is_empty() {
            return Err(P12Error::NoKey);
        }

        let mut problem = P12Error::NoCertificate;
        for bag in &archive.keys {
            let key = Zeroizing::new(bag.key.as_der().to_vec());
            let Ok(signing) = any_supported_type(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.as_slice()))) else {
                problem = P12Error::KeyKind;
                continue;
            };
            let public = signing.public_key().map(|spki| spki.as_ref().to_vec());
            let leaf = certificates
                .iter()
                .find(|(parsed, _)| public.is_some() && parsed.tbs_certificate.subject_public_key_info.to_der().ok() == public);
            if let Some(leaf) = leaf {
                return Ok(Self {
                    certificates_der: chain(leaf, &certificates),
                    key,
                });
            }
        }
        Err(problem)
    }

    /// The certificate itself, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.certificates_der.first().map_or(&[], Vec::as_slice)
    }

    /// The certificate and those above it that the file holds, leaf first, without a root; DER.
    #[must_use]
    pub fn certificates_der(&self) -> &[Vec<u8>] {
        &self.certificates_der
    }

    /// The private key, PKCS#8 DER. For the one place that signs.
    #[must_use]
    pub fn private_key_pkcs8(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("certificates", &self.certificates_der.len())
            .finish_non_exhaustive()
    }
}

/// Why a PKCS#12 file was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum P12Error {
    /// The integrity check fails with this password.
    #[error("the password does not open the certificate file")]
    Password,
    /// Not PKCS#12, damaged, or protected by an algorithm we do not read.
    #[error("the certificate file cannot be read")]
    Unreadable,
    /// Certificates only.
    #[error("the certificate file holds no private key")]
    NoKey,
    /// A key, but not the certificate made for it.
    #[error("the certificate file holds no certificate for its private key")]
    NoCertificate,
    /// Neither RSA (2048 to 8192 bits), nor ECDSA on P-256 or P-384, nor Ed25519.
    #[error("the private key is of a kind that cannot be used")]
    KeyKind,
}

impl Explain for P12Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Password => "p12-password",
            Self::Unreadable => "p12-unreadable",
            Self::NoKey => "p12-no-key",
            Self::NoCertificate => "p12-no-certificate",
            Self::KeyKind => "p12-key-kind",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

impl From<p12_keystore::error::Error> for P12Error {
    fn from(error: p12_keystore::error::Error) -> Self {
        use p12_keystore::error::Error;
        match error {
            // Without an integrity check a wrong password first shows as broken padding.
            Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Self::Password,
            _ => Self::Unreadable,
        }
    }
}

type Known = (Certificate, Vec<u8>);

fn chain(leaf: &Known, known: &[Known]) -> Vec<Vec<u8>> {
    let mut chain = vec![leaf.1.clone()];
    let mut last = &leaf.0.tbs_certificate;
    // Names may form a circle; no real chain is longer than the file.
    while chain.len() <= known.len() && last.issuer != last.subject {
        let Some(issuer) = known.iter().find(|(candidate, _)| candidate.tbs_certificate.subject == last.issuer) else {
            break;
        };
        last = &issuer.0.tbs_certificate;
        if last.issuer == last.subject || chain.contains(&issuer.1) {
            break;
        }
        chain.push(issuer.1.clone());
    }
    chain
}
