use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_documents::DocumentError;
use econnector_forms::{AnswerError, ForeignError, PackError, Severity};
use econnector_identity::IdentityError;
use econnector_journal::JournalError;
use econnector_mysecu::MySecuError;
use econnector_printing::PrintError;
use econnector_profile::ProfileError;
use econnector_quarantine::QuarantineError;
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
    /// The profile has errors; nothing was kept.
    #[error("the profile has errors")]
    ProfileWrong(Vec<FindingView>),
    /// The document names another physician than the one the token is for.
    #[error("{0}")]
    PhysicianMismatch(Mismatch),
    /// Whoever acts has the physician's mandate, and this the physician does herself.
    #[error("only the physician herself may do this")]
    PhysicianOnly {
        /// Her name.
        physician: String,
    },
    /// Between two steps of one piece of work somebody else logged in, or another physician was chosen. Nothing more happened.
    #[error("somebody else is logged in, or acts for somebody else, than when this was begun")]
    SessionChanged,
    /// The caller's token ended after the signature and before anything was sent. The same once more, with a living token, is sent with
    /// that signature.
    #[error("the token expired after the signature and before the deposit")]
    ExpiredMidway,
    /// The message made elsewhere names another document than the request. Nothing was signed.
    #[error("the id in the XML is not that of the request")]
    IdMismatch,
    /// The id stands for another document.
    #[error("the id stands for another document")]
    IdReused,
    /// The form is not for this: it is simulated and not deposited, or the other way round.
    #[error("the form has another workflow")]
    OtherWorkflow,
    /// The form cannot be cancelled at the authority.
    #[error("the form cannot be cancelled")]
    NotCancellable,
    /// The form is not meant to be signed by hand.
    #[error("the form is not meant for paper")]
    NoPaper,
    /// What is to be cancelled was not deposited.
    #[error("the document is not deposited")]
    NotDeposited,
    /// Another document has taken the place already.
    #[error("the document is replaced by another already")]
    AlreadyReplaced,
    /// What is to be replaced is of another kind, or the document itself.
    #[error("the document to replace is of another kind")]
    ReplacesOther,
    /// What is to be put on paper was deposited, or may have been.
    #[error("the document was sent already")]
    AlreadySent,
    /// No simulation with that id is known, or it is no longer in memory.
    #[error("no such simulation in memory")]
    UnknownSimulation,
    /// The payment of the simulation was ordered before.
    #[error("the payment of the simulation was ordered before")]
    SimulationOrdered,
    /// The simulation was contested.
    #[error("the simulation was contested")]
    SimulationContested,
    /// Not every line of the simulation was accepted.
    #[error("the simulation cannot be paid")]
    NotPayable {
        /// What the authority said.
        anomalies: Vec<ReceiptAnomaly>,
        /// Under which it can find the simulation.
        correlation_id: Option<String>,
    },
    /// The authority took the message and refused what it asks for.
    #[error("the authority refused the {what}")]
    Refused {
        /// What was refused.
        what: Sent,
        /// What it said.
        anomalies: Vec<ReceiptAnomaly>,
        /// Under which it can find the call.
        correlation_id: Option<String>,
    },
    /// A message left, and no answer to it can be believed.
    #[error("the outcome of the {what} is not known: {cause}")]
    Lost {
        /// What was sent.
        what: Sent,
        /// What became of the answer.
        cause: Cause,
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
    /// The message made elsewhere cannot be taken.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// A page could not be set.
    #[error(transparent)]
    Documents(#[from] DocumentError),
    /// A PDF that somebody else made could not be opened where it does no harm.
    #[error(transparent)]
    Quarantine(#[from] QuarantineError),
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
    /// The profile cannot be read or kept.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Nothing was printed.
    #[error(transparent)]
    Printing(#[from] PrintError),
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// That a document be taken in. Never sent twice.
    Deposit,
    /// That a document be cancelled. The authority does it once, however often it is asked.
    Cancellation,
    /// What it would pay. Asking changes nothing.
    Simulation,
    /// That it pay. Never sent twice.
    Payment,
    /// That it look again. Nothing is paid by it.
    Contestation,
}

/// What says that a document is not this physician's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The eHealthID in the document.
    #[error("the document names the eHealthID of another physician")]
    EHealthId,
    /// The provider code in the document.
    #[error("the document names a provider code that is not the physician's")]
    ProviderCode,
    /// Neither the document nor the token names a provider code, or nothing that can be compared.
    #[error("neither the document nor the token says whose the document is")]
    Unnamed,
}

/// Why no answer can be believed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The line was cut, or the answer is not genuine.
    #[error(transparent)]
    Exchange(Box<MySecuError>),
    /// The answer is authentic, but it is not the answer to this message.
    #[error("the answer cannot be read: {error}")]
    Unreadable {
        /// What is wrong with it.
        error: AnswerError,
        /// Under which mySecu can find the call.
        correlation_id: Option<String>,
    },
    /// The answer is authentic and names another document.
    #[error("the answer names another document")]
    ForAnother {
        /// Under which mySecu can find the call.
        correlation_id: Option<String>,
    },
    /// The authority has a document under this id, from a try that this process knows nothing of: whether of the same content is not known.
    #[error("a document of this id was deposited before")]
    Before {
        /// What it said.
        anomalies: Vec<ReceiptAnomaly>,
        /// Under which it can find the call.
        correlation_id: Option<String>,
    },
    /// A previous try was cut after it was sent.
    #[error("an earlier try ended without an answer")]
    Earlier {
        /// Under which mySecu can find the call, if it said so.
        correlation_id: Option<String>,
    },
}

/// What can be wrong with a request before any use case sees it.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The body is no JSON of the expected shape.
    #[error("the body is not the expected JSON")]
    Body,
    /// What is wrong with the JSON of the body, and where; no value of it.
    #[error("the body is not the expected JSON: {0}")]
    Json(String),
    /// The body is of another media type.
    #[error("the media type is not supported")]
    MediaType,
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge,
    /// A parameter of the path or query is missing or malformed.
    #[error("a parameter is missing or malformed")]
    Parameter,
    /// The id of a new document is no UUID of version 4.
    #[error("the id is no UUID of version 4")]
    Id,
    /// There is no such route.
    #[error("no such route")]
    Route,
    /// The route exists, not with this method.
    #[error("the method is not allowed here")]
    Method,
    /// The door wants credentials and got none.
    #[error("a bearer token is required")]
    TokenMissing,
    /// Only the window decides this about the desktop's session; practice software does not.
    #[error("only the window may do this")]
    WindowOnly,
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
    pub(crate) const fn lost(what: Sent, cause: Cause) -> Self {
        Self::Lost { what, cause }
    }

    /// Whether what was asked for may have happened although no good answer came.
    pub(crate) fn leaves_open(&self, asked: Sent) -> bool {
        matches!(self, Self::Lost { what, .. } if *what == asked)
    }

    fn anomalies(&self) -> &[ReceiptAnomaly] {
        match self {
            Self::Refused { anomalies, .. }
            | Self::NotPayable { anomalies, .. }
            | Self::Lost {
                cause: Cause::Before { anomalies, .. },
                ..
            } => anomalies,
            _ => &[],
        }
    }

    fn inner(&self) -> Option<&dyn Explain> {
        match self {
            Self::Request(error) => Some(error),
            Self::Pack(error) => Some(error),
            Self::Foreign(error) => Some(error),
            Self::Documents(error) => Some(error),
            Self::Quarantine(error) => Some(error),
            Self::Signature(error) => Some(error),
            Self::Deposit(error) => Some(error.as_ref()),
            Self::Identity(error) => Some(error),
            Self::Journal(error) => Some(error),
            Self::Profile(error) => Some(error),
            Self::Printing(error) => Some(error),
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
            Self::ProfileWrong(_) => "profile-wrong",
            Self::PhysicianMismatch(_) => "physician-mismatch",
            Self::PhysicianOnly { .. } => "physician-only",
            Self::SessionChanged => "session-changed",
            Self::ExpiredMidway => "token-expired-midway",
            Self::IdMismatch => "id-mismatch",
            Self::IdReused => "id-already-used",
            Self::OtherWorkflow => "form-other-workflow",
            Self::NotCancellable => "form-not-cancellable",
            Self::NoPaper => "form-not-on-paper",
            Self::NotDeposited => "document-not-deposited",
            Self::AlreadyReplaced => "document-already-replaced",
            Self::ReplacesOther => "document-replaces-other",
            Self::AlreadySent => "document-already-sent",
            Self::UnknownSimulation => "simulation-unknown",
            Self::SimulationOrdered => "simulation-already-ordered",
            Self::SimulationContested => "simulation-contested",
            Self::NotPayable { .. } => "pid-not-payable",
            Self::Refused { what, .. } => match what {
                Sent::Deposit | Sent::Simulation => "mysecu-refused",
                Sent::Cancellation => "cancellation-refused",
                Sent::Payment => "payment-refused",
                Sent::Contestation => "contestation-refused",
            },
            Self::Lost { what, .. } => what.code(),
            _ => "internal",
        }
    }

    fn fault(&self) -> Fault {
        if let Some(inner) = self.inner() {
            return inner.fault();
        }
        match self {
            Self::Refused { .. } => Fault::Authority,
            Self::Lost { cause, .. } => cause.fault(),
            Self::Interrupted => Fault::Us,
            _ => Fault::You,
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        if let Self::Lost {
            cause: Cause::Exchange(error),
            ..
        } = self
        {
            return error.authority();
        }
        let said = self.anomalies();
        let gravest = said
            .iter()
            .find(|anomaly| anomaly.severity == Severity::Error)
            .or_else(|| said.first());
        gravest
            .map(|anomaly| AuthorityWords::new(&anomaly.code, &anomaly.message))
            .or_else(|| self.inner().and_then(Explain::authority))
    }

    fn correlation_id(&self) -> Option<String> {
        match self {
            Self::Refused { correlation_id, .. } | Self::NotPayable { correlation_id, .. } => correlation_id.clone(),
            Self::Lost { cause, .. } => cause.correlation_id(),
            _ => self.inner().and_then(Explain::correlation_id),
        }
    }
}

impl Sent {
    /// Stable code of the problem that its outcome is not known.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Deposit => "mysecu-outcome-unknown",
            Self::Cancellation => "cancellation-outcome-unknown",
            Self::Simulation => "simulation-answer-lost",
            Self::Payment => "payment-outcome-unknown",
            Self::Contestation => "contestation-answer-lost",
        }
    }
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deposit => "deposit",
            Self::Cancellation => "cancellation",
            Self::Simulation => "simulation",
            Self::Payment => "payment",
            Self::Contestation => "contestation",
        })
    }
}

impl Cause {
    fn fault(&self) -> Fault {
        match self {
            Self::Exchange(error) => error.fault(),
            Self::Unreadable { .. } | Self::ForAnother { .. } | Self::Before { .. } => Fault::Authority,
            Self::Earlier { .. } => Fault::Network,
        }
    }

    fn correlation_id(&self) -> Option<String> {
        match self {
            Self::Exchange(error) => error.correlation_id(),
            Self::Unreadable { correlation_id, .. }
            | Self::ForAnother { correlation_id }
            | Self::Before { correlation_id, .. }
            | Self::Earlier { correlation_id } => correlation_id.clone(),
        }
    }
}

impl Explain for RequestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Body | Self::Json(_) => "request-body",
            Self::MediaType => "request-media-type",
            Self::TooLarge => "request-too-large",
            Self::Parameter => "request-parameter",
            Self::Id => "id-not-v4",
            Self::Route => "route-unknown",
            Self::Method => "method-not-allowed",
            Self::TokenMissing => "token-missing",
            Self::WindowOnly => "window-only",
            Self::NoSessionHere => "no-session-here",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}
