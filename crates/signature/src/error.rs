use std::{error::Error, fmt, sync::Arc};

use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_net::NetError;

/// Why a document was not signed, or a signature cannot be judged. Whatever the reason: nothing was deposited, the unsigned
/// document is as it was, and signing again is a new decision of the physician.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature service could not be reached, or the line failed.
    #[error("{error}")]
    Net {
        /// What went wrong.
        #[source]
        error: NetError,
        /// Under which the service can find the call.
        correlation_id: Option<String>,
    },
    /// There is no living token to ask with; the service was not asked.
    #[error("{0}")]
    NoToken(NoToken),
    /// 401: the access token is missing, expired or meant for somebody else. That call has done nothing.
    #[error("the signature service refuses the login")]
    TokenRefused(Refusal),
    /// 403: this physician has no signature at the service.
    #[error("this physician has no right to sign at the signature service")]
    NoSignatureRight(Refusal),
    /// Any other refusal: the service fails, or does not like the request.
    #[error("{host}: the signature service failed with status {status}")]
    Failed {
        /// Which of the service's hosts.
        host: String,
        /// HTTP status.
        status: u16,
        /// The service's words.
        refusal: Refusal,
    },
    /// An answer that is not what was agreed.
    #[error("the signature service's answer cannot be used: {what}")]
    Garbage {
        /// Which part, and why.
        what: &'static str,
        /// Under which the service can find the call.
        correlation_id: Option<String>,
    },
    /// The certificate names another physician than the one who signs. Nothing was signed.
    #[error("the signature service offers the certificate of another physician")]
    OtherPhysician,
    /// The signer's certificate does not lead to the trust store.
    #[error("the signer's certificate is not trusted")]
    SignerUntrusted,
    /// The signer's certificate, or one above it, has expired.
    #[error("the signer's certificate has expired")]
    SignerExpired,
    /// The signer's certificate, or one above it, is not valid yet; or this computer's clock is behind.
    #[error("the signer's certificate is not valid yet")]
    SignerNotYetValid,
    /// The signer's certificate may not sign documents, or its key is of a kind we do not use.
    #[error("the signer's certificate is not made for signing documents")]
    SignerUnfit,
    /// What came back as a signature is not this certificate's signature of this document.
    #[error("the signature that came back does not fit the document")]
    SignatureWrong,
    /// The timestamp authority says no.
    #[error("the timestamp was refused")]
    TimestampRefused(Option<AuthorityWords>),
    /// The timestamp is of something else.
    #[error("the timestamp is of another document")]
    TimestampOtherDigest,
    /// The timestamp answers another question (its nonce is not ours): an old answer played again.
    #[error("the timestamp answers another request")]
    TimestampOtherRequest,
    /// The timestamp cannot be read, its signature does not fit, or its time is more than 5 minutes from this computer's.
    #[error("the timestamp cannot be used: {0}")]
    TimestampWrong(&'static str),
    /// The timestamp authority's certificate does not lead to the trust store, has expired or is not made for timestamps.
    #[error("the timestamp authority is not trusted")]
    TimestampUntrusted,
    /// The PDF cannot be signed or read.
    #[error("the PDF cannot be used: {0}")]
    Pdf(#[from] PdfProblem),
    /// The document carries no signature.
    #[error("the document is not signed")]
    NotSigned,
    /// Certificates and timestamp need more room than was kept for them.
    #[error("the signature is larger than the room kept for it")]
    TooLarge,
    /// This program could not encode a structure of its own.
    #[error("the signature could not be put together")]
    Encoding,
}

/// A refusal in the service's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Code and sentence, when the body had them.
    pub words: Option<AuthorityWords>,
    /// Under which the service can find the call.
    pub correlation_id: Option<String>,
}

/// Why there is no token, in the words of whoever should have had one.
#[derive(Clone)]
pub struct NoToken(Arc<dyn Explain + Send + Sync>);

impl NoToken {
    /// Takes over what the session, or the caller, says.
    #[must_use]
    pub fn new(error: impl Explain + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    /// What was said, when it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        let error: &(dyn Error + 'static) = &*self.0;
        error.downcast_ref()
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoToken").field(&self.0.code()).finish()
    }
}

/// Alike when they have the same code: by that callers tell failures apart.
impl PartialEq for NoToken {
    fn eq(&self, other: &Self) -> bool {
        self.0.code() == other.0.code()
    }
}

impl Eq for NoToken {}

/// What is wrong with a PDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PdfProblem {
    /// Not a PDF, cut short, or damaged.
    #[error("it is damaged or not a PDF")]
    Damaged,
    /// Larger than any certificate or fee note.
    #[error("it is too large")]
    TooLarge,
    /// Protected by a password.
    #[error("it is encrypted")]
    Encrypted,
    /// It has no page.
    #[error("it has no page")]
    NoPage,
    /// Somebody has signed it already.
    #[error("it is already signed")]
    AlreadySigned,
    /// It holds an XFA form, which a signature would not cover as people see it.
    #[error("it holds an XFA form")]
    Xfa,
    /// Its signature is of a kind, or laid out in a way, that is not PAdES.
    #[error("its signature is not laid out as PAdES asks")]
    SignatureLayout,
    /// Its signature cannot be decoded.
    #[error("its signature cannot be read")]
    SignatureUnreadable,
}

impl SignatureError {
    pub(crate) const fn garbage(what: &'static str) -> Self {
        Self::Garbage {
            what,
            correlation_id: None,
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::TokenRefused(refusal) | Self::NoSignatureRight(refusal) | Self::Failed { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

impl Explain for SignatureError {
    fn code(&self) -> &'static str {
        match self {
            Self::Net { error, .. } => error.code(),
            Self::NoToken(why) => why.0.code(),
            Self::TokenRefused(_) => "kms-refused-token",
            Self::NoSignatureRight(_) => "kms-no-signature-right",
            Self::Failed { .. } => "kms-failed",
            Self::Garbage { .. } => "kms-garbage",
            Self::OtherPhysician => "signer-other-physician",
            Self::SignerUntrusted => "signer-untrusted",
            Self::SignerExpired => "signer-expired",
            Self::SignerNotYetValid => "signer-not-yet-valid",
            Self::SignerUnfit => "signer-unfit",
            Self::SignatureWrong => "signature-wrong",
            Self::TimestampRefused(_) => "timestamp-refused",
            Self::TimestampOtherDigest => "timestamp-other-digest",
            Self::TimestampOtherRequest => "timestamp-other-request",
            Self::TimestampWrong(_) => "timestamp-wrong",
            Self::TimestampUntrusted => "timestamp-untrusted",
            Self::Pdf(problem) => problem.code(),
            Self::NotSigned => "pdf-not-signed",
            Self::TooLarge => "signature-too-large",
            Self::Encoding => "signature-encoding",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Net { error, .. } => error.fault(),
            Self::NoToken(why) => why.0.fault(),
            Self::TokenRefused(_) | Self::Pdf(_) | Self::NotSigned => Fault::You,
            Self::TooLarge | Self::Encoding => Fault::Us,
            _ => Fault::Authority,
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        match self {
            Self::NoToken(why) => why.0.authority(),
            Self::TimestampRefused(words) => words.clone(),
            other => other.refusal().and_then(|refusal| refusal.words.clone()),
        }
    }

    fn correlation_id(&self) -> Option<String> {
        match self {
            Self::NoToken(why) => why.0.correlation_id(),
            Self::Net { correlation_id, .. } | Self::Garbage { correlation_id, .. } => correlation_id.clone(),
            other => other.refusal().and_then(|refusal| refusal.correlation_id.clone()),
        }
    }
}

impl PdfProblem {
    const fn code(self) -> &'static str {
        match self {
            Self::Damaged | Self::TooLarge | Self::NoPage => "pdf-unusable",
            Self::Encrypted => "pdf-encrypted",
            Self::AlreadySigned => "pdf-already-signed",
            Self::Xfa => "pdf-xfa",
            Self::SignatureLayout | Self::SignatureUnreadable => "pdf-signature-unreadable",
        }
    }
}
