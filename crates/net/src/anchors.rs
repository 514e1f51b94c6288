use econnector_base::{Explain, Fault, Secret};
use p12_keystore::Pkcs12Archive;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use x509_cert::{Certificate, der::Decode as _};

use crate::P12Error;

/// The certificates of a trust store (PEM bundle, PKCS#12, or one DER certificate), each as DER, in file order, without doubles.
///
/// `password` is needed for PKCS#12 only. Trust stores written by `openssl pkcs12 -nokeys` are read too: their certificates do
/// not carry Java's "trusted" mark, and nobody but a PKCS#12 reader asks for it.
///
/// # Errors
/// When the bytes are none of the three, when one of the certificates cannot be read, or when there is none at all: an empty list
/// of anchors must never be mistaken for "trust nobody in particular".
pub fn read_anchors(bytes: &[u8], password: Option<&Secret>) -> Result<Vec<Vec<u8>>, AnchorsError> {
    let mut anchors: Vec<Vec<u8>> = Vec::new();
    for Anchor { der, .. } in read_named_anchors(bytes, password)? {
        if !anchors.contains(&der) {
            anchors.push(der);
        }
    }
    Ok(anchors)
}

/// One certificate of a trust store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The name it has in the file (PKCS#12 "friendly name", keytool's alias); PEM and DER give none.
    pub alias: Option<String>,
    /// The certificate, DER.
    pub der: Vec<u8>,
}

/// As [`read_anchors`], every entry with its name.
///
/// Without a password, a PKCS#12 file is tried with none and with keytool's usual one: a trust store holds no secret, and its password
/// only guards against accidents.
///
/// # Errors
/// As [`read_anchors`].
pub fn read_named_anchors(bytes: &[u8], password: Option<&Secret>) -> Result<Vec<Anchor>, AnchorsError> {
    let unnamed = |der: Vec<u8>| Anchor { alias: None, der };
    let anchors = if contains(bytes, b"-----BEGIN") {
        CertificateDer::pem_slice_iter(bytes)
            .map(|certificate| certificate.map(|der| unnamed(der.to_vec())).map_err(|_| AnchorsError::Unreadable))
            .collect::<Result<Vec<_>, _>>()?
    } else if bytes.starts_with(&JAVA_KEYSTORE) {
        return Err(AnchorsError::JavaKeystore);
    } else if webpki::anchor_from_trusted_cert(&CertificateDer::from(bytes)).is_ok() {
        vec![unnamed(bytes.to_vec())]
    } else {
        let opened = match password {
            Some(password) => Pkcs12Archive::from_pkcs12(bytes, password.reveal()),
            None => Pkcs12Archive::from_pkcs12(bytes, "").or_else(|_| Pkcs12Archive::from_pkcs12(bytes, KEYTOOL_PASSWORD)),
        };
        let archive = opened.map_err(|e| match P12Error::from(e) {
            P12Error::Password => AnchorsError::Password,
            _ => AnchorsError::Unreadable,
        })?;
        let named = |bag: p12_keystore::CertificateBag| Anchor {
            der: bag.cert.as_der().to_vec(),
            alias: bag.friendly_name,
        };
        archive.certs.into_iter().map(named).collect()
    };
    for anchor in &anchors {
        webpki::anchor_from_trusted_cert(&CertificateDer::from(anchor.der.as_slice())).map_err(|_| AnchorsError::Unreadable)?;
    }
    if anchors.is_empty() {
        Err(AnchorsError::Empty)
    } else {
        Ok(anchors)
    }
}

/// From when until when a certificate (DER) is valid; `None` when it cannot be read.
#[must_use]
pub fn validity(der: &[u8]) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let validity = Certificate::from_der(der).ok()?.tbs_certificate.validity;
    let moment = |time: x509_cert::time::Time| {
        let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    };
    Some((moment(validity.not_before)?, moment(validity.not_after)?))
}

/// Why a trust store was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// Neither PEM, nor PKCS#12, nor a certificate; or one of its certificates is broken.
    #[error("the trust store cannot be read")]
    Unreadable,
    /// The PKCS#12 file does not open with this password.
    #[error("the password does not open the trust store")]
    Password,
    /// The old proprietary format of Java; `keytool -importkeystore -deststoretype pkcs12` converts it.
    #[error("the trust store is a Java keystore (JKS): convert it to PKCS#12 or PEM")]
    JavaKeystore,
    /// The file was read and holds no certificate.
    #[error("the trust store holds no certificate")]
    Empty,
}

impl Explain for AnchorsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "truststore-unreadable",
            Self::Password => "truststore-password",
            Self::JavaKeystore => "truststore-jks",
            Self::Empty => "truststore-empty",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

/// What keytool proposes, and what the trust stores of Java programs therefore have.
const KEYTOOL_PASSWORD: &str = "changeit";

/// How the old proprietary format of Java begins.
pub(crate) const JAVA_KEYSTORE: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
