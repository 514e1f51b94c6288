use time::OffsetDateTime;

use crate::{PdfProblem, SignatureError, TrustStore, envelope::Opened, pdf::Found, timestamp};

/// What a signed PDF is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The name in the signer's certificate. Whose it really is, is known only when `trusted`.
    pub signer_name: String,
    /// The eHealthID in the certificate, when it names one.
    pub ehealth_id: Option<String>,
    /// When it was signed, as proven by a trusted timestamp.
    pub signed_at: Option<OffsetDateTime>,
    /// Nothing was appended after the signature. When false, the signature says nothing about what was.
    pub covers_whole_document: bool,
    /// Every byte the signature covers is as it was signed.
    pub intact: bool,
    /// Signer and timestamp lead to the trust store.
    pub trusted: bool,
    /// What speaks against it, worst first; empty when all is well.
    pub doubts: Vec<Doubt>,
}

impl Verification {
    /// All is well: intact, complete, trusted, time-stamped.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.doubts.is_empty()
    }
}

/// A reason not to rely on a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The document was changed after it was signed, or the signature is not of this document.
    Changed,
    /// Something was appended after signing.
    Appended,
    /// The signer's certificate does not lead to the trust store, or was not valid at the time.
    SignerUntrusted,
    /// The signer's certificate is not made for signing documents.
    SignerUnfit,
    /// There is no timestamp.
    NotTimestamped,
    /// There is a timestamp, and it does not count.
    TimestampUntrusted,
}

impl Doubt {
    /// Stable code, for the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Changed => "verification-changed",
            Self::Appended => "verification-appended",
            Self::SignerUntrusted => "verification-signer-untrusted",
            Self::SignerUnfit => "verification-signer-unfit",
            Self::NotTimestamped => "verification-not-timestamped",
            Self::TimestampUntrusted => "verification-timestamp-untrusted",
        }
    }
}

/// Judges the signature of `pdf` at `at`; of several, the one that covers most.
///
/// # Errors
/// [`SignatureError::NotSigned`], or [`SignatureError::Pdf`] when there is nothing to be judged.
pub fn verify(pdf: &[u8], trust: &TrustStore, at: OffsetDateTime) -> Result<Verification, SignatureError> {
    let found = Found::in_pdf(pdf)?.ok_or(SignatureError::NotSigned)?;
    let opened = Opened::from_der(&found.cms).ok_or(PdfProblem::SignatureUnreadable)?;
    let signer = opened.signer();

    let detached = opened.content().is_none() && opened.content_type() == crate::oid::DATA;
    let intact = detached && opened.is_of(&found.covered()) && opened.is_signed_by_its_signer();
    let stamp = opened
        .timestamp_token()
        .map(|token| timestamp::proven_time(&token, opened.signature(), trust, at));
    let signed_at = stamp.as_ref().and_then(|stamp| stamp.as_ref().ok()).copied();
    // A proven time keeps a signature good after its certificate has expired.
    let known = trust.path(signer, &opened.offered(), signed_at.unwrap_or(at)).is_ok();
    let fit = signer.may_sign_documents();

    let mut doubts = Vec::new();
    for (doubt, applies) in [
        (Doubt::Changed, !intact),
        (Doubt::Appended, !found.covers_whole_document),
        (Doubt::SignerUntrusted, !known),
        (Doubt::SignerUnfit, !fit),
        (Doubt::NotTimestamped, stamp.is_none()),
        (Doubt::TimestampUntrusted, stamp.is_some() && signed_at.is_none()),
    ] {
        if applies {
            doubts.push(doubt);
        }
    }
    Ok(Verification {
        signer_name: signer.common_name().unwrap_or_default(),
        ehealth_id: signer
            .subject_serial_number()
            .filter(|id| id.len() == 10 && id.bytes().all(|b| b.is_ascii_digit())),
        signed_at,
        covers_whole_document: found.covers_whole_document,
        intact,
        trusted: known && fit && signed_at.is_some(),
        doubts,
    })
}
