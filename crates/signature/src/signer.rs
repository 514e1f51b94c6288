use std::time::Duration;

use async_trait::async_trait;
use econnector_base::Secret;
use time::OffsetDateTime;

use crate::SignatureError;

/// A signature service that holds the physician's key. `token` is the OIDC access token in whose name is signed.
///
/// No implementation repeats [`Signer::sign`] by itself: signing is not idempotent.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The certificate of the physician whom the token names. Not checked yet.
    ///
    /// # Errors
    /// The line, the service's refusals, answers that cannot be decoded.
    async fn certificate(&self, token: &Secret) -> Result<SignerCertificate, SignatureError>;

    /// The signature of `data` (which the service hashes). Not checked yet.
    ///
    /// # Errors
    /// As [`Signer::certificate`].
    async fn sign(&self, token: &Secret, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError>;

    /// The answer (RFC 3161 `TimeStampResp`, DER) to `query` (`TimeStampReq`, DER). Not checked yet.
    ///
    /// # Errors
    /// As [`Signer::certificate`].
    async fn timestamp(&self, token: &Secret, query: &[u8]) -> Result<Vec<u8>, SignatureError>;

    /// Whether the service answers, without a login.
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
    /// From the question to the last byte of the answer, connection included.
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
