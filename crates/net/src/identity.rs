use std::fmt;

use econnector_base::{Explain, Fault, Secret};
use p12_keystore::Pkcs12Archive;
use rustls::crypto::ring::sign::any_supported_type;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use x509_cert::{
    Certificate,
    der::{
        Any, Decode as _, Encode as _, Tagged as _,
        asn1::{ObjectIdentifier, OctetString},
    },
};
use zeroize::Zeroizing;

use crate::{anchors::JAVA_KEYSTORE, validity};

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
        no_java_keystore(bytes)?;
        Self::from_archive(&Pkcs12Archive::from_pkcs12(bytes, password.reveal())?)
    }

    /// As [`ClientIdentity::from_p12`], for a file whose key has a password of its own, as Java programs can write it.
    ///
    /// # Errors
    /// As [`ClientIdentity::from_p12`].
    pub fn from_p12_with_key_password(bytes: &[u8], password: &Secret, key_password: &Secret) -> Result<Self, P12Error> {
        no_java_keystore(bytes)?;
        match Pkcs12Archive::from_pkcs12(bytes, password.reveal()) {
            // One password for both after all.
            Ok(archive) => Self::from_archive(&archive),
            Err(error @ p12_keystore::error::Error::MacError(_)) => Err(error.into()),
            // The file's own password is right, and something in it does not open with it.
            Err(_) => {
                let (keys, certificates) = by_password(bytes).ok_or(P12Error::Unreadable)?;
                let mut archive = Pkcs12Archive::from_pkcs12(&certificates, password.reveal())?;
                archive.keys = Pkcs12Archive::from_pkcs12(&keys, key_password.reveal())?.keys;
                Self::from_archive(&archive)
            }
        }
    }

    fn from_archive(archive: &Pkcs12Archive) -> Result<Self, P12Error> {
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

    /// From when until when the certificate is valid.
    #[must_use]
    pub fn validity(&self) -> Option<(OffsetDateTime, OffsetDateTime)> {
        validity(self.certificate())
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
    /// The old proprietary format of Java; `keytool -importkeystore -deststoretype pkcs12` converts it.
    #[error("the certificate file is a Java keystore (JKS): convert it to PKCS#12")]
    JavaKeystore,
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
            Self::Unreadable | Self::JavaKeystore => "p12-unreadable",
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

fn no_java_keystore(bytes: &[u8]) -> Result<(), P12Error> {
    if bytes.starts_with(&JAVA_KEYSTORE) {
        return Err(P12Error::JavaKeystore);
    }
    Ok(())
}

/// Two files out of one: what is encrypted item by item (keys), and what is encrypted as a whole (certificates). Neither has an integrity
/// check: the file's own is over both.
fn by_password(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
    let file = Vec::<Any>::from_der(bytes).ok()?;
    let safe = Vec::<Any>::from_der(&file.get(1)?.to_der().ok()?).ok()?;
    let content = OctetString::from_der(safe.get(1)?.value()).ok()?;
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for part in Vec::<Any>::from_der(content.as_bytes()).ok()? {
        let kind = Vec::<Any>::from_der(&part.to_der().ok()?)
            .ok()?
            .first()?
            .decode_as::<ObjectIdentifier>();
        if kind.ok()? == DATA {
            keys.push(part);
        } else {
            certificates.push(part);
        }
    }
    let again = |parts: Vec<Any>| {
        let content = OctetString::new(parts.to_der().ok()?).ok()?.to_der().ok()?;
        let explicit = Any::new(safe.get(1)?.tag(), content).ok()?;
        let safe = vec![safe.first()?.clone(), explicit].to_der().ok()?;
        vec![file.first()?.clone(), Any::from_der(&safe).ok()?].to_der().ok()
    };
    Some((again(keys)?, again(certificates)?))
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

#[cfg(test)]
mod tests {
    use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

    use super::*;

    /// A p12 under this password, as our own library writes it.
    fn p12(leaf: &rcgen::Certificate, key: &rcgen::KeyPair, password: &str) -> Vec<u8> {
        let key = PrivateKey::from_der(key.serialized_der()).unwrap();
        let certificate = p12_keystore::Certificate::from_der(leaf.der()).unwrap();
        let mut store = KeyStore::new();
        store.add_entry("a", KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("a", key, [certificate])));
        store.writer(password).write().unwrap()
    }

    /// The keys of one file and the certificates of another, in one.
    fn joined(keys: &[u8], certificates: &[u8]) -> Vec<u8> {
        let parts = |file: &[u8]| {
            let file = Vec::<Any>::from_der(file).unwrap();
            let safe = Vec::<Any>::from_der(&file[1].to_der().unwrap()).unwrap();
            let content = OctetString::from_der(safe[1].value()).unwrap();
            (file, safe, Vec::<Any>::from_der(content.as_bytes()).unwrap())
        };
        let (file, safe, mut all) = parts(keys);
        all.extend(parts(certificates).2);
        let content = OctetString::new(all.to_der().unwrap()).unwrap().to_der().unwrap();
        let safe = vec![safe[0].clone(), Any::new(safe[1].tag(), content).unwrap()].to_der().unwrap();
        vec![file[0].clone(), Any::from_der(&safe).unwrap()].to_der().unwrap()
    }

    #[test]
    fn a_key_may_have_a_password_of_its_own() {
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(["server.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let (for_keys, for_all) = (p12(&leaf, &key, "key"), p12(&leaf, &key, "store"));
        let two = joined(&by_password(&for_keys).unwrap().0, &by_password(&for_all).unwrap().1);
        let secret = |text: &str| Secret::new(text);
        let open = |store: &str, key: &str| ClientIdentity::from_p12_with_key_password(&two, &secret(store), &secret(key));
        let opened = open("store", "key").unwrap();
        assert_eq!(opened.certificate(), leaf.der().as_ref());
        assert_eq!(opened.private_key_pkcs8(), key.serialized_der());
        assert!(open("store", "guess").is_err() && open("guess", "key").is_err());
        assert!(ClientIdentity::from_p12(&two, &secret("store")).is_err());
        // One password for both, and a second that is not needed.
        assert!(ClientIdentity::from_p12_with_key_password(&for_all, &secret("store"), &secret("other")).is_ok());
        let wrong = ClientIdentity::from_p12_with_key_password(&for_all, &secret("guess"), &secret("other"));
        assert_eq!(wrong.err(), Some(P12Error::Password));
        let (from, until) = opened.validity().unwrap();
        assert!(from < until);
    }

    #[test]
    fn torn_files_are_refused_and_nothing_worse() {
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(["server.example".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let whole = p12(&leaf, &key, "store");
        for length in 0..whole.len() {
            let torn = whole.get(..length).unwrap_or_default();
            assert!(ClientIdentity::from_p12_with_key_password(torn, &Secret::new("store"), &Secret::new("key")).is_err());
        }
    }
}
