use econnector_base::{Explain, Fault};

/// Why the link refuses or cannot do something. No message repeats what a request contained.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// `Host` is missing, repeated or names another server: a page that had its own name point here, or a proxy.
    #[error("the Host header is not an address of this program with its port, or the target names another server")]
    HostWrong,
    /// `Origin` is `null`, repeated or of a page that is not listed.
    #[error("the Origin header is of a page that is not allowed")]
    OriginRefused,
    /// The browser says that another site asks, and no listed origin answers for it.
    #[error("Sec-Fetch-Site says that another site asks")]
    CrossSite,
    /// No key came with the request.
    #[error("the header X-EConnector-Key is missing or repeated")]
    KeyMissing,
    /// The key is of an earlier start, of another user, or not the one of this origin.
    #[error("the key in X-EConnector-Key is not the one that counts here")]
    KeyWrong,
    /// The software does not say its name, or says it in characters that could deceive.
    #[error("the header X-EConnector-Software is missing, repeated, or not 1 to 64 printable ASCII characters")]
    SoftwareUnnamed,
    /// The body is of a media type that no route takes.
    #[error("the media type of the body is not supported")]
    MediaType,
    /// Two access tokens, or one that is not text.
    #[error("the header Authorization is repeated")]
    TokenRepeated,
    /// The physician has not yet said whether this software may use eConnector.
    #[error("the software waits for the physician's consent")]
    SoftwareWaiting,
    /// The physician does not want this software.
    #[error("the physician refused this software")]
    SoftwareRefused,
    /// Nobody looked at what was to be signed in time.
    #[error("nobody approved in time")]
    ApprovalMissing,
    /// The physician looked at it and refused.
    #[error("the physician refused")]
    ApprovalRefused,
    /// What was typed is not the origin of a web application.
    #[error("not a web origin: {0}")]
    OriginInvalid(&'static str),
    /// No software, origin or question of that name.
    #[error("the link knows nothing of that name")]
    Unknown,
    /// The installation decided this, and only it can change it.
    #[error("decided by the installation's loopback.toml")]
    Preset,
    /// Too much is waiting or connected already.
    #[error("too many requests are waiting already")]
    Busy,
    /// The installation switched the link off.
    #[error("switched off by the installation's loopback.toml")]
    Off,
    /// Another instance of this user is listening.
    #[error("another instance of this user holds the connection file")]
    InUse,
    /// None of the ports can be had.
    #[error("no port from {first} to {last} is free on loopback: {reason}")]
    NoPort {
        /// The first that was tried.
        first: u16,
        /// The last that was tried.
        last: u16,
        /// What the system said of the last one.
        reason: String,
    },
    /// A file of the link cannot be read or written, or is not what this program wrote. It is left as it is.
    #[error("{file}: {reason}")]
    Unusable {
        /// Its name.
        file: &'static str,
        /// What is wrong with it, without its content.
        reason: String,
    },
}

impl Explain for LinkError {
    fn code(&self) -> &'static str {
        match self {
            Self::HostWrong => "link-host-wrong",
            Self::OriginRefused => "link-origin-refused",
            Self::CrossSite => "link-cross-site",
            Self::KeyMissing => "link-key-missing",
            Self::KeyWrong => "link-key-wrong",
            Self::SoftwareUnnamed => "link-software-unnamed",
            Self::MediaType => "request-media-type",
            Self::TokenRepeated => "token-missing",
            Self::SoftwareWaiting => "software-waiting",
            Self::SoftwareRefused => "software-refused",
            Self::ApprovalMissing => "approval-missing",
            Self::ApprovalRefused => "approval-refused",
            Self::OriginInvalid(_) => "link-origin-invalid",
            Self::Unknown => "link-unknown",
            Self::Preset => "link-preset",
            Self::Busy => "link-busy",
            Self::Off => "link-off",
            Self::InUse => "link-in-use",
            Self::NoPort { .. } => "link-no-port",
            Self::Unusable { .. } => "link-unusable",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Busy | Self::NoPort { .. } | Self::Unusable { .. } => Fault::Us,
            _ => Fault::You,
        }
    }
}
