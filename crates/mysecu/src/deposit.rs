use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use econnector_base::{Explain, Secret};
use time::OffsetDateTime;
use zeroize::Zeroize as _;

use crate::MySecuError;

/// Where documents are deposited. The connector knows mySecu by this trait only.
#[async_trait]
pub trait Deposit: Send + Sync {
    /// Sends one business message in the name of `who` and returns what mySecu answered. Gets or reuses the mySecu token on the
    /// way. A message is sent a second time only when mySecu said that it refused the token of the first, before processing.
    ///
    /// # Errors
    /// [`MySecuError::maybe_deposited`] tells the failures after which the message may have been processed: never send again
    /// after those.
    async fn exchange(&self, who: &Space, message: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError>;

    /// Gives the mySecu token of `who` back (WS-Trust Cancel) and forgets it. Without a token nothing is sent.
    ///
    /// # Errors
    /// What the STS or the network said. The token is forgotten in any case.
    async fn end(&self, who: &Space) -> Result<(), MySecuError>;

    /// Asks whether mySecu can be reached with our client certificate at every host it has, without a login.
    ///
    /// # Errors
    /// As the network says.
    async fn probe(&self) -> Result<Probe, MySecuError>;

    /// When deposits stop working unless somebody renews something: the earliest end among the client certificate and the
    /// certificates by which answers are believed. It may have passed; none when nothing is known to end.
    fn expires(&self) -> Option<OffsetDateTime>;
}

/// In whose name a call is made.
#[derive(Clone)]
pub struct Space {
    /// The mySecu space: the provider code, 8 digits.
    pub code: String,
    /// Who acts, from the checked OIDC token (issuer, subject, eHealthID): a mySecu token is reused for the same holder and
    /// space only, across renewals of the OIDC token.
    pub holder: String,
    /// Where the OIDC access token comes from. Asked for only when the STS is asked: a mySecu token in use needs none.
    pub token: Arc<dyn AccessToken>,
}

/// Whoever has the OIDC access token of a [`Space`].
#[async_trait]
pub trait AccessToken: Send + Sync {
    /// One that is alive now, renewed if need be.
    ///
    /// # Errors
    /// Why there is none. It becomes [`MySecuError::NoToken`]: nothing was sent.
    async fn fresh(&self) -> Result<Arc<Secret>, Box<dyn Explain + Send + Sync>>;
}

/// A token that nobody can renew: the STS judges whether it lives.
#[async_trait]
impl AccessToken for Secret {
    async fn fresh(&self) -> Result<Arc<Secret>, Box<dyn Explain + Send + Sync>> {
        Ok(Arc::new(self.clone()))
    }
}

/// What is deposited. The document is wiped when dropped.
#[derive(Clone)]
pub struct BusinessMessage {
    /// Which kind of document, `[\w_-]{1,32}`, such as `2022_CNS_MEMHON_DEPOT-V1`.
    pub model_uid: String,
    /// The document: one element of a foreign namespace or of none. A declaration before it is dropped.
    pub xml: String,
}

impl Drop for BusinessMessage {
    fn drop(&mut self) {
        self.xml.zeroize();
    }
}

/// mySecu's answer, after its signature was verified.
#[derive(Clone)]
pub struct ExchangeAnswer {
    /// The one child of `ResponseInfo`, in canonical form (self-contained, without comments); empty when there is none.
    pub xml: String,
    /// Under which mySecu can find the call.
    pub correlation_id: Option<String>,
    /// How long mySecu took for the exchange itself.
    pub elapsed: Duration,
}

/// mySecu can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// How long the answer took, connecting included; of the slowest host.
    pub latency: Duration,
    /// mySecu's clock minus ours, to the second; none when it sent no date.
    pub clock_skew: Option<time::Duration>,
}
