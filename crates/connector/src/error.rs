use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_documents::DocumentError;
use econnector_forms::{AnswerError, PackError};
use econnector_identity::IdentityError;
use econnector_journal::JournalError;
use econnector_mysecu::MySecuError;
use econnector_signature::SignatureError;

use crate::{FindingView, ReceiptAnomaly};

/// Why a use case did not reach its end. Mapped once, to a [`Problem`](crate::Problem).
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No form of that kind.
    #[error("no form of that kind")]
    UnknownForm,
    /// The form has no volet of that name, or the volet no such page.
    #[error("no such volet or page")]
    UnknownVolet,
    /// No document with that id is known, or its pages are no longer in memory.
    #[error("no such document in memory")]
    UnknownDocument,
    /// The values have errors; nothing was signed or sent.
    #[error("the values have errors")]
    Findings(Vec<FindingView>),
    /// The document names another physician than the one the token is for.
    #[error("the document names another physician")]
    PhysicianMismatch,
    /// The id stands for another document.
    #[error("the id stands for another document")]
    IdReused,
    /// The document is meant to replace another, which this version cannot tell mySecu.
    #[error("replacing is not available")]
    ReplacementUnavailable,
    /// mySecu took the message and refused the document.
    #[error("mySecu refused the document")]
    Refused {
        /// What it said.
        anomalies: Vec<ReceiptAnomaly>,
        /// Under which it can find the call.
        correlation_id: Option<String>,
    },
    /// mySecu's answer is authentic, but it is not the answer to this document: it may have been deposited.
    #[error("mySecu's answer cannot be read: {error}")]
    AnswerUnreadable {
        /// What is wrong with it.
        error: AnswerError,
        /// Under which mySecu can find the call.
        correlation_id: Option<String>,
    },
    /// mySecu's answer is authentic and names another document: this one may have been deposited.
    #[error("mySecu's answer names another document")]
    AnswerForAnother {
        /// Under which mySecu can find the call.
        correlation_id: Option<String>,
    },
    /// A previous try of this document was cut after it was sent: it may have been deposited.
    #[error("the outcome of the deposit is not known")]
    OutcomeUnknown {
        /// Under which mySecu can find the call, if it said so.
        correlation_id: Option<String>,
    },
    /// A task ended without a result.
    #[error("the work was interrupted")]
    Interrupted,
    /// The request itself cannot be used.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The form pack failed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A page could not be set.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// The signature failed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The deposit failed.
    #[error(transparent)]
    Deposit(Box<MySecuError>),
    /// Nobody is logged in, or not well enough.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What can be wrong with a request before any use case sees it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The body is no JSON of the expected shape.
    #[error("the body is not the expected JSON")]
    Body,
    /// The body is of another media type.
    #[error("the media type is not supported")]
    MediaType,
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge,
    /// A parameter of the path or query is missing or malformed.
    #[error("a parameter is missing or malformed")]
    Parameter,
    /// There is no such route.
    #[error("no such route")]
    Route,
    /// The route exists, not with this method.
    #[error("the method is not allowed here")]
    Method,
    /// The door wants credentials and got none.
    #[error("a bearer token is required")]
    TokenMissing,
    /// This door has no session of its own.
    #[error("there is no session on this door")]
    NoSessionHere,
}

impl From<MySecuError> for Error {
    fn from(error: MySecuError) -> Self {
        Self::Deposit(Box::new(error))
    }
}

impl Error {
    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Request(error) => Some(error),
            Self::Pack(error) => Some(error),
            Self::Documents(error) => Some(error),
            Self::Signature(error) => Some(error),
            Self::Deposit(error) => Some(error.as_ref()),
            Self::Identity(error) => Some(error),
            Self::Journal(error) => Some(error),
            _ => None,
        }
    }
}

impl Explain for Error {
    fn code(&self) -> &'static str {
        if let Some(inner) = self.inner() {
            return inner.code();
        }
        match self {
            Self::UnknownForm => "form-unknown",
            Self::UnknownVolet => "volet-unknown",
            Self::UnknownDocument => "document-unknown",
            Self::Findings(_) => "values-wrong",
            Self::PhysicianMismatch => "physician-mismatch",
            Self::IdReused => "id-already-used",
            Self::ReplacementUnavailable => "replacement-unavailable",
            Self::Refused { .. } => "mysecu-refused",
            Self::AnswerUnreadable { .. } | Self::AnswerForAnother { .. } | Self::OutcomeUnknown { .. } => "mysecu-outcome-unknown",
            _ => "internal",
        }
    }

    fn fault(&self) -> Fault {
        if let Some(inner) = self.inner() {
            return inner.fault();
        }
        match self {
            Self::Refused { .. } | Self::AnswerUnreadable { .. } | Self::AnswerForAnother { .. } => Fault::Authority,
            Self::OutcomeUnknown { .. } => Fault::Network,
            Self::Interrupted => Fault::Us,
            _ => Fault::You,
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        if let Self::Refused { anomalies, .. } = self {
            return anomalies.first().map(|first| AuthorityWords::new(&first.code, &first.message));
        }
        self.inner().and_then(Explain::authority)
    }

    fn correlation_id(&self) -> Option<String> {
        match self {
            Self::Refused { correlation_id, .. }
            | Self::AnswerUnreadable { correlation_id, .. }
            | Self::AnswerForAnother { correlation_id }
            | Self::OutcomeUnknown { correlation_id } => correlation_id.clone(),
            _ => self.inner().and_then(Explain::correlation_id),
        }
    }
}

impl Explain for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Body => "request-body",
            Self::MediaType => "request-media-type",
            Self::TooLarge => "request-too-large",
            Self::Parameter => "request-parameter",
            Self::Route => "route-unknown",
            Self::Method => "method-not-allowed",
            Self::TokenMissing => "token-missing",
            Self::NoSessionHere => "no-session-here",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}
