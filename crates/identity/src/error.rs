use econnector_base::{AuthorityWords, Explain, Fault};
use econnector_net::NetError;
use thiserror::Error;

/// Why nobody could be identified. No variant holds a token.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// AeS could not be reached, or the line broke.
    #[error(transparent)]
    Net(#[from] NetError),
    /// AeS answered that it cannot serve (HTTP 5xx or 429).
    #[error("AeS failed with status {status}")]
    AesFailed {
        /// HTTP status.
        status: u16,
    },
    /// AeS answered something that is not OpenID Connect.
    #[error("AeS gave an unusable answer: {0}")]
    AesGarbage(&'static str),
    /// AeS issued a token that does not stand up to checking.
    #[error("AeS issued an unusable token: {0}")]
    AesToken(String),
    /// AeS does not know this client, or refuses it.
    #[error("AeS refuses this client")]
    ClientRefused {
        /// OAuth `error` and `error_description`.
        words: AuthorityWords,
    },
    /// This installation has no client that may ask for tokens in a physician's name.
    #[error("no client for the token exchange is set up")]
    ExchangeNotSetUp,
    /// AeS does not know the client of the token exchange, or its secret is another.
    #[error("AeS refuses the client of the token exchange")]
    ExchangeClientRefused {
        /// OAuth `error` and `error_description`.
        words: AuthorityWords,
    },
    /// AeS gives this client no token for this physician: the client may not exchange, or the physician is not known. AeS says the same
    /// of both.
    #[error("AeS denies a token in this physician's name")]
    ExchangeDenied {
        /// OAuth `error` and `error_description`.
        words: AuthorityWords,
    },
    /// The settings cannot be used.
    #[error("unusable identity settings: {0}")]
    Settings(&'static str),
    /// This installation does not log in by itself: callers bring a token.
    #[error("this installation does not log in by itself")]
    NoOwnLogin,
    /// This installation takes no tokens of callers: whoever works logs in.
    #[error("this installation takes no tokens of callers")]
    NoDelegated,
    /// Another eConnector of this user has the session, and is the only one to renew it.
    #[error("another eConnector of this user has the session")]
    SessionElsewhere,
    /// No loopback port for the browser's way back.
    #[error("no loopback port for the login: {0}")]
    NoPort(String),
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    LoginRequired,
    /// The login was given up by the user of this program.
    #[error("the login was cancelled")]
    LoginCancelled,
    /// AeS refused the login, or the person declined there.
    #[error("AeS refused the login")]
    LoginRefused {
        /// OAuth `error` and `error_description`.
        words: AuthorityWords,
    },
    /// The login was not finished in the browser in time.
    #[error("the login was not finished in time")]
    LoginTimeout,
    /// AeS ended the session: idle too long, logged out elsewhere, or an answer with the next refresh token was lost.
    #[error("AeS ended the session")]
    SessionEnded {
        /// OAuth `error` and `error_description`.
        words: AuthorityWords,
    },
    /// The session is closed here, but AeS could not be told.
    #[error("AeS could not be told of the logout: {0}")]
    LogoutIncomplete(Box<IdentityError>),
    /// The same, and the keyring may still hold the refresh token: the program's next start may find the session again.
    #[error("AeS could not be told of the logout, and the keyring did not forget: {0}")]
    LogoutNotForgotten(Box<IdentityError>),
    /// The bearer token is malformed, signed by an unknown key, or forged.
    #[error("the token is not valid: {0}")]
    TokenInvalid(&'static str),
    /// The bearer token has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The bearer token is not valid yet.
    #[error("the token is not valid yet")]
    TokenNotYetValid,
    /// The bearer token is meant for another service.
    #[error("the token is meant for another service")]
    TokenWrongAudience,
    /// The bearer token, or the answer to a login, comes from another issuer.
    #[error("the token comes from another issuer")]
    TokenOtherIssuer,
    /// The person is known, but acts for no physician.
    #[error("the person acts for no physician")]
    NoPhysician,
    /// The person may act for several physicians and has not said for whom, or may no longer act for the one she chose.
    #[error("the person has not chosen a physician")]
    PhysicianNotChosen,
    /// The person may not act for this physician.
    #[error("the person may not act for this physician")]
    PhysicianNotRepresented,
    /// The computer's clock differs so much from AeS' that no token can be valid.
    #[error("the computer's clock is {0} s off")]
    ClockWrong(
        /// AeS' clock minus ours, in seconds: positive when ours is slow.
        i64,
    ),
}

impl Explain for IdentityError {
    fn code(&self) -> &'static str {
        match self {
            Self::Net(error) => error.code(),
            Self::AesFailed { .. } => "aes-failed",
            Self::AesGarbage(_) => "aes-garbage",
            Self::AesToken(_) => "aes-token-unusable",
            Self::ClientRefused { .. } => "aes-client-refused",
            Self::ExchangeNotSetUp => "exchange-not-set-up",
            Self::ExchangeClientRefused { .. } => "exchange-client-refused",
            Self::ExchangeDenied { .. } => "exchange-denied",
            Self::Settings(_) => "identity-settings",
            Self::NoOwnLogin => "identity-no-own-login",
            Self::NoDelegated => "identity-no-delegated",
            Self::SessionElsewhere => "session-elsewhere",
            Self::NoPort(_) => "login-no-port",
            Self::LoginRequired => "login-required",
            Self::LoginCancelled => "login-cancelled",
            Self::LoginRefused { .. } => "login-refused",
            Self::LoginTimeout => "login-timeout",
            Self::SessionEnded { .. } => "session-ended",
            Self::LogoutIncomplete(_) => "logout-incomplete",
            Self::LogoutNotForgotten(_) => "logout-not-forgotten",
            Self::TokenInvalid(_) => "token-invalid",
            Self::TokenExpired => "token-expired",
            Self::TokenNotYetValid => "token-not-yet-valid",
            Self::TokenWrongAudience => "token-wrong-audience",
            Self::TokenOtherIssuer => "token-other-issuer",
            Self::NoPhysician => "identity-no-physician",
            Self::PhysicianNotChosen => "physician-not-chosen",
            Self::PhysicianNotRepresented => "physician-not-represented",
            Self::ClockWrong(_) => "clock-wrong",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Net(error) => error.fault(),
            Self::LogoutIncomplete(error) | Self::LogoutNotForgotten(error) => error.fault(),
            Self::AesFailed { .. } | Self::AesGarbage(_) | Self::AesToken(_) | Self::SessionEnded { .. } => Fault::Authority,
            Self::NoPort(_) => Fault::Us,
            Self::ClientRefused { .. }
            | Self::ExchangeNotSetUp
            | Self::ExchangeClientRefused { .. }
            | Self::ExchangeDenied { .. }
            | Self::Settings(_)
            | Self::NoOwnLogin
            | Self::NoDelegated
            | Self::SessionElsewhere
            | Self::LoginRequired
            | Self::LoginCancelled
            | Self::LoginRefused { .. }
            | Self::LoginTimeout
            | Self::TokenInvalid(_)
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::TokenWrongAudience
            | Self::TokenOtherIssuer
            | Self::NoPhysician
            | Self::PhysicianNotChosen
            | Self::PhysicianNotRepresented
            | Self::ClockWrong(_) => Fault::You,
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        match self {
            Self::ClientRefused { words }
            | Self::ExchangeClientRefused { words }
            | Self::ExchangeDenied { words }
            | Self::LoginRefused { words }
            | Self::SessionEnded { words } => Some(words.clone()),
            Self::AesFailed { status } => Some(AuthorityWords::new("HTTP", status.to_string())),
            Self::LogoutIncomplete(error) | Self::LogoutNotForgotten(error) => error.authority(),
            _ => None,
        }
    }
}
