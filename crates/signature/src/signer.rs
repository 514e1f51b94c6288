use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use econnector_base::Secret;
use time::OffsetDateTime;

use crate::SignatureError;

/// In whose name the service is asked.
#[derive(Clone)]
pub struct Bearer {
    /// The OIDC access token.
    pub token: Arc<Secret>,
    /// The eHealthID (10 digits) of the physician for whom, when the token is somebody's who acts for her; without it, for whoever the
    /// token names.
    pub subject: Option<String>,
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// A signature service that holds the physician's key.
///
/// An implementation that talks to the service repeats nothing by itself: signing is not idempotent. One that stands before it may
/// ask with another token than it was given, or refuse with [`SignatureError::NoToken`].
#[async_trait]
pub trait Signer: Send + Sync {
    /// The certificate of the physician in whose name is asked. Not checked yet.
    ///
    /// # Errors
    /// The line, the service's refusals, answers that cannot be decoded.
    async fn certificate(&self, bearer: &Bearer) -> Result<SignerCertificate, SignatureError>;

    /// The signature of `data` (which the service hashes). Not checked yet.
    ///
    /// # Errors
    /// As [`Signer::certificate`].
    async fn sign(&self, bearer: &Bearer, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError>;

    /// The answer (RFC 3161 `TimeStampResp`, DER) to `query` (`TimeStampReq`, DER). Not checked yet.
    ///
    /// # Errors
    /// As [`Signer::certificate`].
    async fn timestamp(&self, bearer: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError>;

    /// Whether the service answers at every host it has, without a login.
    ///
    /// # Errors
    /// The line, or a service that fails.
    async fn probe(&self) -> Result<Probe, SignatureError>;
}

/// What the service says the physician's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerCertificate {
    /// X.509, DER.
    pub der: Vec<u8>,
    /// Those above it, issuer first; the root may be absent. DER.
    pub chain: Vec<Vec<u8>>,
}

/// How the service signs. Chosen by the kind of key in the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// ECDSA with SHA-256.
    EcdsaSha256,
}

impl Algorithm {
    /// The name by which the KMS knows it (that of Java).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "SHA256withRSA",
            Self::EcdsaSha256 => "SHA256withECDSA",
        }
    }
}

/// A service's sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// From the question to the last byte of the answer, connection included; of the slowest host.
    pub latency: Duration,
    /// The service's clock when it answered, when it told.
    pub server_time: Option<OffsetDateTime>,
}

impl Probe {
    /// How far the service's clock is ahead of ours. `now` is our time when the probe returned; whole seconds are all that
    /// HTTP tells.
    #[must_use]
    pub fn clock_skew(&self, now: OffsetDateTime) -> Option<time::Duration> {
        self.server_time.map(|server| server - now)
    }
}
