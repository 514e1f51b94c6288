use std::fmt;

use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_net::{NetError, TlsReason};

use crate::ns;

/// What went wrong between us and mySecu.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MySecuError {
    /// The STS gives no token for this space: not the physician's, not enrolled, or its web services are not activated.
    #[error("mySecu refuses the space")]
    SpaceRefused(Said),
    /// There is no living OIDC token to ask the STS with; nothing was sent. In the words of whoever should have had one.
    #[error("{0}")]
    NoToken(Box<dyn Explain + Send + Sync>),
    /// The STS refuses the OIDC token, or the exchange a fresh mySecu token. The message was not processed.
    #[error("mySecu refuses the token")]
    TokenRefused(Said),
    /// A SOAP Fault by which the message was refused before it was processed, or one of the STS.
    #[error("mySecu answered with a fault")]
    Fault(Said),
    /// The answer carries no signature.
    #[error("mySecu's answer is not signed")]
    AnswerUnsigned {
        /// From the comment before the envelope; not authenticated.
        correlation_id: Option<String>,
    },
    /// The answer carries a signature that does not hold, or does not cover what would be read.
    #[error("mySecu's answer is not genuine: {reason}")]
    AnswerForged {
        /// What does not hold.
        reason: &'static str,
        /// From the comment before the envelope; not authenticated.
        correlation_id: Option<String>,
    },
    /// The answer is signed with a certificate we have no reason to trust.
    #[error("mySecu's answer is signed with a certificate that is not trusted: {reason}")]
    AnswerUntrusted {
        /// What is wrong with the certificate.
        reason: &'static str,
        /// From the comment before the envelope; not authenticated.
        correlation_id: Option<String>,
    },
    /// The answer is not what the interface says.
    #[error("mySecu's answer cannot be read: {reason}")]
    AnswerUnreadable {
        /// What is missing or wrong.
        reason: &'static str,
        /// From the comment before the envelope.
        correlation_id: Option<String>,
    },
    /// An HTTP status without a SOAP Fault. After sending, only one that says that the request was refused.
    #[error("mySecu answered with HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The message was sent, and whether it was deposited cannot be known. Never send it again.
    #[error("whether mySecu has processed the message is not known: {cause}")]
    OutcomeUnknown {
        /// Why it cannot be known; a Fault keeps the authority's words and the Correlation-ID.
        cause: Box<MySecuError>,
    },
    /// mySecu wants our client certificate and got none, or refuses the one it got.
    #[error("mySecu does not accept the client certificate: {0}")]
    ClientCertificate(#[source] NetError),
    /// The client certificate's key cannot sign requests: mySecu wants RSA of 2048 bits or more.
    #[error("the client certificate's key cannot sign requests for mySecu: {0}")]
    ClientKey(&'static str),
    /// The message itself is not what the interface takes.
    #[error("the message cannot be sent to mySecu: {0}")]
    MessageInvalid(&'static str),
    /// mySecu could not be reached.
    #[error(transparent)]
    Net(NetError),
}

/// The authority's words with the Correlation-ID. `Debug` shows the code only: the sentence may repeat what was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    /// Fault code and sentence.
    pub words: AuthorityWords,
    /// Under which mySecu can find the call.
    pub correlation_id: Option<String>,
    /// The namespace of the Fault's code; none without a prefix, or when it is declared nowhere.
    pub(crate) namespace: Option<String>,
    /// Each text of the Fault's detail.
    pub(crate) details: Vec<String>,
}

impl Said {
    /// Words without a Fault around them.
    #[must_use]
    pub const fn new(words: AuthorityWords, correlation_id: Option<String>) -> Self {
        Self {
            words,
            correlation_id,
            namespace: None,
            details: Vec::new(),
        }
    }

    /// The Fault's code without its prefix.
    pub(crate) fn local_code(&self) -> &str {
        self.words.code.rsplit(':').next().unwrap_or_default()
    }

    /// Whether the code says that the message was refused before anything was done with it: the message itself is at fault
    /// (SOAP 1.1 §4.4.1; `Client.Authentication` is a `Client`), or its security (docs/wire.md).
    pub(crate) fn before_processing(&self) -> bool {
        match self.namespace.as_deref() {
            Some(ns::SOAP) => matches!(
                self.local_code().split('.').next(),
                Some("Client" | "VersionMismatch" | "MustUnderstand")
            ),
            Some(ns::WSSE) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Said")
            .field("code", &self.words.code)
            .field("correlation_id", &self.correlation_id)
            .finish_non_exhaustive()
    }
}

impl MySecuError {
    /// Whether the message may have been deposited in spite of this failure.
    #[must_use]
    pub const fn maybe_deposited(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. })
    }

    /// What the failure means once the business message is on its way.
    pub(crate) fn after_sending(self) -> Self {
        let unknown = match &self {
            Self::Net(net) => !net.certainly_not_sent(),
            Self::Fault(said) => !said.before_processing(),
            Self::Status { status } => !refuses_request(*status),
            Self::AnswerUnsigned { .. } | Self::AnswerForged { .. } | Self::AnswerUntrusted { .. } | Self::AnswerUnreadable { .. } => true,
            _ => false,
        };
        if unknown {
            Self::OutcomeUnknown { cause: Box::new(self) }
        } else {
            self
        }
    }
}

/// Whether an HTTP status says that the request was refused. Of those of the 400s, 408 (time ran out), 425 and 429 (try again)
/// do not say how far it came; a redirection nobody follows does not either.
const fn refuses_request(status: u16) -> bool {
    matches!(status, 400..500) && !matches!(status, 408 | 425 | 429)
}

impl From<NetError> for MySecuError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Tls {
                reason: TlsReason::ClientCertificateRequired | TlsReason::ClientCertificateRefused,
                ..
            } => Self::ClientCertificate(error),
            other => Self::Net(other),
        }
    }
}

impl Explain for MySecuError {
    fn code(&self) -> &'static str {
        match self {
            Self::SpaceRefused(_) => "mysecu-space-refused",
            Self::NoToken(why) => why.code(),
            Self::TokenRefused(_) => "mysecu-token-refused",
            Self::Fault(_) => "mysecu-fault",
            Self::AnswerUnsigned { .. } => "mysecu-answer-unsigned",
            Self::AnswerForged { .. } => "mysecu-answer-forged",
            Self::AnswerUntrusted { .. } => "mysecu-answer-untrusted",
            Self::AnswerUnreadable { .. } => "mysecu-answer-unreadable",
            Self::Status { .. } => "mysecu-status",
            Self::OutcomeUnknown { .. } => "mysecu-outcome-unknown",
            Self::ClientCertificate(_) => "mysecu-client-certificate",
            Self::ClientKey(_) => "mysecu-client-key",
            Self::MessageInvalid(_) => "mysecu-message-invalid",
            Self::Net(net) => net.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::SpaceRefused(_)
            | Self::TokenRefused(_)
            | Self::Fault(_)
            | Self::AnswerUnsigned { .. }
            | Self::AnswerForged { .. }
            | Self::AnswerUntrusted { .. }
            | Self::AnswerUnreadable { .. }
            | Self::Status { .. } => Fault::Authority,
            Self::NoToken(why) => why.fault(),
            Self::OutcomeUnknown { cause } => cause.fault(),
            Self::ClientCertificate(_) | Self::ClientKey(_) => Fault::You,
            Self::MessageInvalid(_) => Fault::Us,
            Self::Net(net) => net.fault(),
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        match self {
            Self::SpaceRefused(said) | Self::TokenRefused(said) | Self::Fault(said) => Some(said.words.clone()),
            Self::NoToken(why) => why.authority(),
            Self::OutcomeUnknown { cause } => cause.authority(),
            _ => None,
        }
    }

    fn correlation_id(&self) -> Option<String> {
        match self {
            Self::SpaceRefused(said) | Self::TokenRefused(said) | Self::Fault(said) => said.correlation_id.clone(),
            Self::AnswerUnsigned { correlation_id }
            | Self::AnswerForged { correlation_id, .. }
            | Self::AnswerUntrusted { correlation_id, .. }
            | Self::AnswerUnreadable { correlation_id, .. } => correlation_id.clone(),
            Self::NoToken(why) => why.correlation_id(),
            Self::OutcomeUnknown { cause } => cause.correlation_id(),
            _ => None,
        }
    }
}
