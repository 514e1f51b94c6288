use der::{Encode as _, asn1::UintRef};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    Algorithm, Bearer, FieldOptions, SignatureError, Signer, TrustStore,
    certificate::Certificate,
    envelope, oid,
    pdf::Prepared,
    timestamp::{self, Query},
};

/// Who must be named by the certificate: the physician in whose name is signed, as the login names her.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// 10 digits.
    pub ehealth_id: &'a str,
}

/// A signed document, every part of which was checked.
#[derive(Clone)]
pub struct SignedPdf {
    /// The PDF. Must not be touched any more; wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The physician's name in the certificate.
    pub signer_name: String,
    /// The certificate's serial number, in hexadecimal.
    pub signer_serial: String,
    /// When the timestamp authority saw the signature.
    pub timestamp: OffsetDateTime,
}

/// Signs `pdf` as PAdES-B-T in the name of `expected`: certificate, signature, timestamp, each asked for once and checked before
/// the next. `at` is now.
///
/// # Errors
/// See [`SignatureError`]. On any of them no signed document exists; nothing is tried again here.
pub async fn sign_pdf(
    pdf: &[u8],
    signer: &dyn Signer,
    bearer: &Bearer,
    expected: &Expected<'_>,
    trust: &TrustStore,
    at: OffsetDateTime,
    field: &FieldOptions,
) -> Result<SignedPdf, SignatureError> {
    // Who would sign comes first: the certificate is part of what is signed, and of the room that is kept.
    let offered = signer.certificate(bearer).await?;
    let certificate = Certificate::from_der(offered.der).ok_or(SignatureError::garbage("the certificate is not X.509 in DER"))?;
    let chain = believed(&certificate, &offered.chain, trust, at)?;
    check_holder(&certificate, expected)?;
    let algorithm = certificate.algorithm().ok_or(SignatureError::SignerUnfit)?;
    let signer_name = certificate.common_name().unwrap_or_default();

    // Generous, because a signature that does not fit is a signature lost: 16 KB for signature and timestamp with its own chain.
    let room = 16 * 1024 + certificate.der().len() + chain.iter().map(Vec::len).sum::<usize>();
    let prepared = Prepared::new(pdf, field, &signer_name, at, room)?;
    let attributes = envelope::signed_attributes(prepared.digest().as_ref(), &certificate)?;
    let to_sign = attributes.to_der()?;

    let signature = signer.sign(bearer, &to_sign, algorithm).await?;
    let signature = fitting(&certificate, algorithm, &to_sign, signature).ok_or(SignatureError::SignatureWrong)?;

    let query = Query::new(&signature)?;
    let answer = signer.timestamp(bearer, &query.der).await?;
    let stamp = timestamp::accept(&answer, &query, &signature, trust, at)?;
    // Whoever verifies the document asks who the signer was at the time it bears, not at ours.
    believed(&certificate, &offered.chain, trust, stamp.time)?;

    let cms = envelope::seal(&certificate, &chain, attributes, algorithm, &signature, &stamp.token)?;
    Ok(SignedPdf {
        bytes: prepared.fill(&cms)?,
        signer_name,
        signer_serial: certificate.serial(),
        timestamp: stamp.time,
    })
}

/// The certificates above the signer's, when it is believed at `at`.
fn believed(
    certificate: &Certificate,
    offered: &[Vec<u8>],
    trust: &TrustStore,
    at: OffsetDateTime,
) -> Result<Vec<Vec<u8>>, SignatureError> {
    trust.path(certificate, offered, at).map_err(|error| match error {
        webpki::Error::CertExpired { .. } => SignatureError::SignerExpired,
        webpki::Error::CertNotValidYet { .. } => SignatureError::SignerNotYetValid,
        webpki::Error::CaUsedAsEndEntity => SignatureError::SignerUnfit,
        _ => SignatureError::SignerUntrusted,
    })
}

/// The certificate may sign documents and is the expected physician's.
fn check_holder(certificate: &Certificate, expected: &Expected<'_>) -> Result<(), SignatureError> {
    if !certificate.may_sign_documents() {
        return Err(SignatureError::SignerUnfit);
    }
    if certificate.subject_serial_number().as_deref() != Some(expected.ehealth_id) {
        return Err(SignatureError::OtherPhysician);
    }
    Ok(())
}

/// The signature as a CMS wants it, when it is this certificate's signature of `message`.
fn fitting(certificate: &Certificate, algorithm: Algorithm, message: &[u8], signature: Vec<u8>) -> Option<Vec<u8>> {
    let name = match algorithm {
        Algorithm::RsaSha256 => oid::SHA256_WITH_RSA,
        Algorithm::EcdsaSha256 => oid::ECDSA_WITH_SHA256,
    };
    let fits = |signature: &[u8]| certificate.verifies(name, oid::SHA256, message, signature);
    if fits(&signature) {
        return Some(signature);
    }
    // Some services give an ECDSA signature as two bare numbers (IEEE P1363).
    let bare = algorithm == Algorithm::EcdsaSha256 && matches!(signature.len(), 64 | 96);
    let wrapped = if bare { wrapped(&signature) } else { None };
    wrapped.filter(|wrapped| fits(wrapped))
}

fn wrapped(bare: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = bare.split_at_checked(bare.len() / 2)?;
    vec![UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
}
