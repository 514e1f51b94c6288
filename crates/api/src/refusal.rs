use econnector_base::{Explain, Fault};

/// Why a door turns a request away before any use case sees it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The parts of a `multipart/form-data` body are not those of the route.
    #[error("the parts of the body cannot be used: {0}")]
    Parts(PartFault),
    /// A form kind without the XML that is to be deposited, or the XML without a form kind. Nothing is signed: which was meant?
    #[error("of the parts `kind` and `xml` only one came")]
    DepositIncomplete,
    /// The physician in whose name it is called is no eHealthID, or there are two; or an API key or a client certificate came without one.
    #[error("X-EConnector-Physician is missing or is no eHealthID of 10 digits")]
    PhysicianHeader,
    /// This caller may not act for this physician.
    #[error("the clients file does not allow this caller to act for this physician")]
    PhysicianNotAllowed,
    /// This caller sends more than its share.
    #[error("too many requests of this caller")]
    TooManyRequests,
    /// As much is under way as this program can carry.
    #[error("too many requests are under way")]
    Busy,
    /// The request did not arrive in time.
    #[error("the request did not arrive in time")]
    RequestTooSlow,
    /// The answer was not ready in time.
    #[error("the answer was not ready in time")]
    AnswerTooSlow,
}

/// What is wrong with the parts of a body. Names of parts are those of the API, never the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartFault {
    /// The body ends early, has another boundary, or a head that cannot be read.
    #[error("not readable as multipart/form-data")]
    Unreadable,
    /// A part that the route does not know, or one without a name.
    #[error("a part with another name than the route's")]
    Unknown,
    /// A part came twice.
    #[error("part `{0}` came twice")]
    Twice(&'static str),
    /// A part is missing.
    #[error("part `{0}` is missing")]
    Missing(&'static str),
    /// A part is not what it should be: no UUID, no UTF-8 text.
    #[error("part `{0}` cannot be used")]
    Malformed(&'static str),
}

impl Explain for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Parts(_) => "request-parts",
            Self::DepositIncomplete => "deposit-incomplete",
            Self::PhysicianHeader => "physician-header",
            Self::PhysicianNotAllowed => "physician-not-allowed",
            Self::TooManyRequests => "too-many-requests",
            Self::Busy => "server-busy",
            Self::RequestTooSlow => "request-too-slow",
            Self::AnswerTooSlow => "answer-too-slow",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Busy | Self::AnswerTooSlow => Fault::Us,
            Self::RequestTooSlow => Fault::Network,
            _ => Fault::You,
        }
    }
}
