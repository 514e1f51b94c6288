use econnector_base::{Explain, Fault, Secret};
use p12_keystore::Pkcs12Archive;
use rustls_pki_types::{CertificateDer, pem::PemObject};

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
    let found = if contains(bytes, b"-----BEGIN") {
        CertificateDer::pem_slice_iter(bytes)
            .map(|certificate| certificate.map(|der| der.to_vec()).map_err(|_| AnchorsError::Unreadable))
            .collect::<Result<Vec<_>, _>>()?
    } else if bytes.starts_with(&JAVA_KEYSTORE) {
        return Err(AnchorsError::JavaKeystore);
    } else if webpki::anchor_from_trusted_cert(&CertificateDer::from(bytes)).is_ok() {
        vec![bytes.to_vec()]
    } else {
        let password = password.map_or("", Secret::reveal);
        let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|e| match P12Error::from(e) {
            P12Error::Password => AnchorsError::Password,
            _ => AnchorsError::Unreadable,
        })?;
        archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect()
    };

    let mut anchors: Vec<Vec<u8>> = Vec::with_capacity(found.len());
    for der in found {
        webpki::anchor_from_trusted_cert(&CertificateDer::from(der.as_slice())).map_err(|_| AnchorsError::Unreadable)?;
        if !anchors.contains(&der) {
            anchors.push(der);
        }
    }
    if anchors.is_empty() {
        Err(AnchorsError::Empty)
    } else {
        Ok(anchors)
    }
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

const JAVA_KEYSTORE: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
