use std::{error::Error as StdError, io};

use econnector_base::{Explain, Fault};
use rustls::{AlertDescription, CertificateError};

/// Why an authority could not be asked, or its answer not be had. `host` is the service's host name, never the address in full.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The name has no address: wrong name, no DNS, no network.
    #[error("{host}: the name cannot be resolved")]
    Resolve {
        /// The service's host name.
        host: String,
    },
    /// Nobody listens, or no way leads there.
    #[error("{host}: no connection")]
    Refused {
        /// The service's host name.
        host: String,
    },
    /// No answer in time.
    #[error("{host}: no answer in time")]
    Timeout {
        /// The service's host name.
        host: String,
        /// Whether the request, or part of it, was on its way.
        sent: bool,
    },
    /// The two sides did not agree whom they are talking to. The request was not sent.
    #[error("{host}: {reason}")]
    Tls {
        /// The service's host name.
        host: String,
        /// What was wrong.
        reason: TlsReason,
    },
    /// The line was cut.
    #[error("{host}: the connection was cut")]
    Cut {
        /// The service's host name.
        host: String,
        /// Whether the request, or part of it, was on its way.
        sent: bool,
    },
    /// Something answered that is not HTTP.
    #[error("{host}: the answer is not HTTP")]
    NotHttp {
        /// The service's host name.
        host: String,
    },
    /// The answer is larger than any we expect.
    #[error("{host}: the answer is too large")]
    TooLarge {
        /// The service's host name.
        host: String,
    },
    /// The proxy cannot be reached or does not let us through. The request was not sent.
    #[error("{host}: {} {reason}", named(.proxy.as_deref()))]
    Proxy {
        /// The service's host name.
        host: String,
        /// The proxy's host and port; absent where it is the computer's own setting.
        proxy: Option<String>,
        /// What was wrong.
        reason: ProxyReason,
    },
    /// An address, a proxy or a set of certificates that cannot be used.
    #[error("the connection settings cannot be used: {0}")]
    Settings(String),
}

/// What a proxy did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyReason {
    /// It wants a name and a password, or others than it was given.
    #[error("asks for a login")]
    Login,
    /// It does not open a line to this service, or what it answers is no HTTP.
    #[error("refuses this service")]
    Refused,
    /// Nobody listens, the line to it was cut, or it speaks no TLS where it should.
    #[error("cannot be reached")]
    Unreachable,
}

/// What was wrong with a certificate or a handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsReason {
    /// The service's certificate does not lead to a certificate we trust: wrong trust store, or somebody reads the line.
    #[error("the certificate comes from an unknown issuer")]
    UnknownIssuer,
    /// The service's certificate has expired, or this computer's clock is ahead.
    #[error("the certificate has expired")]
    Expired,
    /// The service's certificate is not valid yet, or this computer's clock is behind.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate is somebody else's.
    #[error("the certificate is for another name")]
    NameMismatch,
    /// The certificate was withdrawn.
    #[error("the certificate was revoked")]
    Revoked,
    /// The service wants a client certificate and none is set.
    #[error("the service requires a client certificate")]
    ClientCertificateRequired,
    /// The service does not accept our client certificate.
    #[error("the service refuses the client certificate")]
    ClientCertificateRefused,
    /// Anything else, in rustls' words.
    #[error("{0}")]
    Other(String),
}

impl NetError {
    /// True only when the request cannot have reached the service, so that trying again cannot do a thing twice.
    #[must_use]
    pub const fn certainly_not_sent(&self) -> bool {
        match self {
            Self::Resolve { .. } | Self::Refused { .. } | Self::Tls { .. } | Self::Proxy { .. } | Self::Settings(_) => true,
            Self::Timeout { sent, .. } | Self::Cut { sent, .. } => !*sent,
            Self::NotHttp { .. } | Self::TooLarge { .. } => false,
        }
    }

    pub(crate) fn from_reqwest(error: &reqwest::Error, host: &str, proxy: Option<&str>) -> Self {
        let host = host.to_owned();
        if error.is_builder() {
            return Self::Settings("the request cannot be built".to_owned());
        }
        let early = error.is_connect();
        let causes = Causes::of(error);
        // A proxy that refuses comes first: what lies below it is about the proxy, not about the service.
        if let Some(reason) = causes.proxy.filter(|_| early) {
            let proxy = proxy.map(ToOwned::to_owned);
            return Self::Proxy { host, proxy, reason };
        }
        // After the handshake, only an alert about the certificate still means "not let in" (TLS 1.3 tells it late).
        if let Some(reason) = causes.tls.filter(|reason| early || reason.about_client()) {
            return Self::Tls { host, reason };
        }
        if error.is_timeout() {
            return Self::Timeout { host, sent: !early };
        }
        if early {
            return match () {
                () if error.is_dns() || causes.resolve => Self::Resolve { host },
                () if causes.cut => Self::Cut { host, sent: false },
                () => Self::Refused { host },
            };
        }
        if causes.not_http {
            return Self::NotHttp { host };
        }
        Self::Cut { host, sent: true }
    }
}

impl Explain for NetError {
    fn code(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "net-resolve",
            Self::Refused { .. } => "net-refused",
            Self::Timeout { .. } => "net-timeout",
            Self::Tls { reason, .. } => match reason {
                TlsReason::UnknownIssuer => "net-tls-unknown-issuer",
                TlsReason::Expired => "net-tls-expired",
                TlsReason::NotYetValid => "net-tls-not-yet-valid",
                TlsReason::NameMismatch => "net-tls-name",
                TlsReason::Revoked => "net-tls-revoked",
                TlsReason::ClientCertificateRequired => "net-tls-client-certificate-required",
                TlsReason::ClientCertificateRefused => "net-tls-client-certificate-refused",
                TlsReason::Other(_) => "net-tls",
            },
            Self::Cut { .. } => "net-cut",
            Self::NotHttp { .. } => "net-not-http",
            Self::TooLarge { .. } => "net-too-large",
            Self::Proxy { .. } => "net-proxy",
            Self::Settings(_) => "net-settings",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Settings(_) => Fault::You,
            Self::Tls {
                reason: TlsReason::ClientCertificateRequired | TlsReason::ClientCertificateRefused,
                ..
            } => Fault::You,
            Self::TooLarge { .. } => Fault::Authority,
            _ => Fault::Network,
        }
    }
}

fn named(proxy: Option<&str>) -> String {
    proxy.map_or_else(|| "the computer's proxy".to_owned(), |address| format!("the proxy {address}"))
}

impl ProxyReason {
    /// The library keeps the type to itself; its words are all there is.
    fn from_words(words: &str) -> Option<Self> {
        if words.starts_with("socks") {
            return Some(Self::Unreachable);
        }
        Some(match words.strip_prefix("tunnel error: ")? {
            "proxy authorization required" => Self::Login,
            "unsuccessful" => Self::Refused,
            _ => Self::Unreachable,
        })
    }
}

impl TlsReason {
    fn about_client(&self) -> bool {
        matches!(self, Self::ClientCertificateRequired | Self::ClientCertificateRefused)
    }

    fn from_rustls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(problem) => match problem {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::NameMismatch,
                CertificateError::Revoked => Self::Revoked,
                other => Self::Other(other.to_string()),
            },
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::NoCertificate) => {
                Self::ClientCertificateRequired
            }
            rustls::Error::AlertReceived(
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                | AlertDescription::AccessDenied,
            ) => Self::ClientCertificateRefused,
            other => Self::Other(other.to_string()),
        }
    }
}

#[derive(Default)]
struct Causes {
    tls: Option<TlsReason>,
    resolve: bool,
    cut: bool,
    not_http: bool,
    proxy: Option<ProxyReason>,
}

impl Causes {
    fn of(error: &reqwest::Error) -> Self {
        let mut causes = Self::default();
        let mut next: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(cause) = next {
            next = causes.note(cause);
        }
        causes
    }

    fn note<'a>(&mut self, cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            self.tls.get_or_insert_with(|| TlsReason::from_rustls(tls));
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            self.cut |= matches!(
                io.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
            );
            // `source()` of an I/O error skips the error it carries.
            if let Some(inner) = io.get_ref() {
                return Some(inner);
            }
        }
        // Here too, words are all there is.
        let words = cause.to_string();
        self.resolve |= words.starts_with("dns error");
        self.proxy = self.proxy.or_else(|| ProxyReason::from_words(&words));
        self.not_http |= words.starts_with("invalid HTTP") || words.starts_with("message head is too large");
        cause.source()
    }
}
