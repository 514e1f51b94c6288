use serde::{Deserialize, Serialize};

/// Whose fault a failure is: the first question of whoever reads the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The caller: what was typed, sent or configured.
    You,
    /// Something between us and the authority: DNS, proxy, TLS, time-outs.
    Network,
    /// AeS, the KMS or mySecu.
    Authority,
    /// This program.
    Us,
}

impl Fault {
    const ALL: [Self; 4] = [Self::You, Self::Network, Self::Authority, Self::Us];

    /// The word on the wire and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Network => "network",
            Self::Authority => "authority",
            Self::Us => "us",
        }
    }

    /// The fault of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }
}

/// What an authority said, in its own words and language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuthorityWords {
    /// The authority's code (SOAP fault code, OAuth `error`, KMS `code`, anomaly code).
    pub code: String,
    /// The authority's sentence, shortened to 500 characters.
    pub message: String,
}

impl AuthorityWords {
    /// Cuts both parts to a length that fits a message, on character boundaries.
    #[must_use]
    pub fn new(code: impl AsRef<str>, message: impl AsRef<str>) -> Self {
        Self {
            code: code.as_ref().chars().take(100).collect(),
            message: message.as_ref().chars().take(500).collect(),
        }
    }
}

/// An error that can be turned into a `Problem` (RFC 9457) for people: implemented by the error enum of each crate.
pub trait Explain: std::error::Error {
    /// Stable code, `area-what` in kebab case, listed in docs/problems.md.
    fn code(&self) -> &'static str;
    /// Whose fault it is.
    fn fault(&self) -> Fault;
    /// The authority's own words, when it said any.
    fn authority(&self) -> Option<AuthorityWords> {
        None
    }
    /// The Correlation-ID under which the authority can find the call.
    fn correlation_id(&self) -> Option<String> {
        None
    }
}
