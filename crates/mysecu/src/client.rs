use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use econnector_base::{Clock, Ids};
use econnector_net::{Answer, ClientIdentity, NetError, Transport};
use reqwest::{
    Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use time::{Duration, OffsetDateTime};
use uppsala::{Document, NodeId};
use zeroize::Zeroizing;

use crate::{
    AnswerTrust, BusinessMessage, Deposit, ExchangeAnswer, MySecuError, Probe, Said, Space, TokenCarrier, answer, ns,
    request::{RequestSigner, Unsigned},
    sts,
    tokens::{Held, Tokens},
    xml,
};

/// Where mySecu is.
#[derive(Clone, Debug)]
pub struct MySecuSettings {
    /// The STS, such as `https://ws.mysecu.lu/ws/soap/trust`.
    pub sts_url: String,
    /// The exchange, such as `https://ws.mysecu.lu/ws/soap/espinst/syncexchange`. Also what tokens are asked for
    /// (`wsa:Address`).
    pub exchange_url: String,
}

/// mySecu's web services.
pub struct MySecu {
    settings: MySecuSettings,
    wire: Box<dyn Wire>,
    signer: RequestSigner,
    trust: AnswerTrust,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    carrier: Box<dyn TokenCarrier>,
    tokens: Tokens,
}

impl MySecu {
    /// Prepares the calls; nothing is sent. `transport` must present the same client certificate as `identity` signs with.
    ///
    /// # Errors
    /// An address that is not `https`, or a client key that is not RSA.
    pub fn new(
        settings: MySecuSettings,
        transport: Transport,
        identity: &ClientIdentity,
        answers: AnswerTrust,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        carrier: Box<dyn TokenCarrier>,
    ) -> Result<Self, MySecuError> {
        for url in [&settings.sts_url, &settings.exchange_url] {
            if !Url::parse(url).is_ok_and(|url| url.scheme() == "https") {
                return Err(NetError::Settings("mySecu's address does not begin with https://".to_owned()).into());
            }
        }
        let signer = RequestSigner::new(identity.certificate(), identity.private_key_pkcs8())?;
        Ok(Self::over(
            Box::new(Https(transport)),
            settings,
            signer,
            answers,
            clock,
            ids,
            carrier,
        ))
    }

    pub(crate) fn over(
        wire: Box<dyn Wire>,
        settings: MySecuSettings,
        signer: RequestSigner,
        trust: AnswerTrust,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        carrier: Box<dyn TokenCarrier>,
    ) -> Self {
        Self {
            settings,
            wire,
            signer,
            trust,
            clock,
            ids,
            carrier,
            tokens: Tokens::default(),
        }
    }

    /// The token for `who`, and whether it served before.
    async fn token(&self, who: &Space) -> Result<(Arc<Held>, bool), MySecuError> {
        let slot = self.tokens.slot(who, self.clock.now());
        let mut held = slot.lock().await;
        if let Some(current) = held.as_ref().filter(|current| current.usable(self.clock.now())) {
            return Ok((current.clone(), true));
        }
        let access_token = who.token.fresh().await.map_err(MySecuError::NoToken)?;
        let asked_at = self.clock.now();
        let carried = self.carrier.carry(&access_token);
        let body = sts::issue(who, &self.settings.exchange_url, &carried);
        let issued = self
            .ask_sts(&carried.in_header, &body, sts::read_issued)
            .await
            .map_err(|error| match error {
                MySecuError::Fault(said) => refusal(said),
                other => other,
            })?;
        let fresh = Arc::new(Held::new(issued, asked_at));
        *held = Some(fresh.clone());
        Ok((fresh, false))
    }

    async fn ask_sts<T>(
        &self,
        tokens: &str,
        body: &str,
        take: impl FnOnce(&Document<'_>, NodeId) -> Result<T, &'static str> + Send,
    ) -> Result<T, MySecuError> {
        let made_at = Some(self.clock.now());
        let request = Unsigned {
            namespaces: &sts::NAMESPACES,
            tokens,
            made_at,
            body,
        };
        let envelope = self.signer.envelope(&request, self.ids.as_ref())?;
        let answer = self.wire.post(&self.settings.sts_url, "\"\"", envelope).await?;
        let (taken, _) = answer::read(&answer, &self.trust, self.clock.now(), take)?;
        Ok(taken)
    }

    /// One deposit, with a token.
    async fn deposit(&self, held: &Held, request_info: &str) -> Result<ExchangeAnswer, MySecuError> {
        let namespaces = [("syn", ns::SYNC)];
        let request = Unsigned {
            namespaces: &namespaces,
            tokens: held.token.reveal(),
            made_at: None,
            body: request_info,
        };
        let envelope = self.signer.envelope(&request, self.ids.as_ref())?;

        let answer = self.wire.post(&self.settings.exchange_url, "\"exchange\"", envelope).await;
        let answer = answer.map_err(|error| MySecuError::from(error).after_sending())?;
        let read = answer::read(&answer, &self.trust, self.clock.now(), response_info);
        let (xml, correlation_id) = read.map_err(|error| match error {
            MySecuError::Fault(said) if said.before_processing() && said.local_code() == "InvalidSecurityToken" => {
                MySecuError::TokenRefused(said)
            }
            other => other.after_sending(),
        })?;
        tracing::info!(
            correlation_id,
            elapsed_ms = answer.elapsed.as_millis(),
            "mySecu has answered the exchange"
        );
        Ok(ExchangeAnswer {
            xml,
            correlation_id,
            elapsed: answer.elapsed,
        })
    }
}

#[async_trait]
impl Deposit for MySecu {
    async fn exchange(&self, who: &Space, message: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError> {
        let request_info = message.request_info()?;
        let (held, reused) = self.token(who).await?;
        let refused = match self.deposit(&held, &request_info).await {
            Err(MySecuError::TokenRefused(said)) => said,
            outcome => return outcome,
        };
        self.tokens.forget(who, &held, self.clock.now()).await;
        if !reused {
            return Err(MySecuError::TokenRefused(refused));
        }
        // Refused before processing, and only because the token was old: once more with a new one.
        tracing::info!(correlation_id = refused.correlation_id, "mySecu no longer takes the token");
        let (held, _) = self.token(who).await?;
        let outcome = self.deposit(&held, &request_info).await;
        if matches!(outcome, Err(MySecuError::TokenRefused(_))) {
            self.tokens.forget(who, &held, self.clock.now()).await;
        }
        outcome
    }

    async fn end(&self, who: &Space) -> Result<(), MySecuError> {
        let Some(slot) = self.tokens.remove(who) else { return Ok(()) };
        let Some(held) = slot.lock().await.take() else { return Ok(()) };
        if !held.usable(self.clock.now()) {
            return Ok(());
        }
        self.ask_sts("", &sts::cancel(&held.token), sts::read_cancelled).await
    }

    async fn probe(&self) -> Result<Probe, MySecuError> {
        let MySecuSettings { sts_url, exchange_url } = &self.settings;
        let origin = |url: &str| Url::parse(url).map(|url| url.origin());
        let answer = if origin(sts_url) == origin(exchange_url) {
            self.wire.get(exchange_url).await?
        } else {
            let (sts, exchange) = tokio::try_join!(self.wire.get(sts_url), self.wire.get(exchange_url))?;
            // The slowest: a deposit needs both, and only the last answer's clock can be compared with ours now.
            if sts.elapsed > exchange.elapsed { sts } else { exchange }
        };
        let clock_skew = answer.date.map(|date| Duration::seconds((date - self.clock.now()).whole_seconds()));
        Ok(Probe {
            latency: answer.elapsed,
            clock_skew,
        })
    }

    fn expires(&self) -> Option<OffsetDateTime> {
        [self.signer.not_after, self.trust.earliest_expiry()].into_iter().flatten().min()
    }
}

/// The way to mySecu.
#[async_trait]
pub(crate) trait Wire: Send + Sync {
    async fn post(&self, url: &str, action: &str, envelope: Zeroizing<String>) -> Result<Answer, NetError>;
    async fn get(&self, url: &str) -> Result<Answer, NetError>;
}

struct Https(Transport);

#[async_trait]
impl Wire for Https {
    async fn post(&self, url: &str, action: &str, envelope: Zeroizing<String>) -> Result<Answer, NetError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
        let action = HeaderValue::from_str(action).map_err(|_| NetError::Settings("the SOAP action is not one".to_owned()))?;
        headers.insert(HeaderName::from_static("soapaction"), action);
        // Wiped when the last part of it was sent.
        let envelope = Bytes::from_owner(envelope);
        self.0.send(self.0.client().post(url).headers(headers).body(envelope)).await
    }

    async fn get(&self, url: &str) -> Result<Answer, NetError> {
        self.0.send(self.0.client().get(url)).await
    }
}

/// What the STS means by a Fault. The standard's codes do not tell a refused space from a refused OIDC token; that a detail
/// `JETON_…` means the token is our reading (docs/wire.md).
fn refusal(said: Said) -> MySecuError {
    match said.local_code() {
        "InvalidSecurityToken" => MySecuError::TokenRefused(said),
        "FailedAuthentication" if said.details.iter().any(|detail| detail.starts_with("JETON")) => MySecuError::TokenRefused(said),
        "FailedAuthentication" | "RequestFailed" => MySecuError::SpaceRefused(said),
        _ => MySecuError::Fault(said),
    }
}

/// The one child of `ResponseInfo`, as the signature covers it.
fn response_info(doc: &Document<'_>, content: NodeId) -> Result<String, &'static str> {
    if !xml::is(doc, content, ns::SYNC, "ResponseInfo") {
        return Err("it is not an answer to an exchange");
    }
    match *xml::elements(doc, content).as_slice() {
        [] => Ok(String::new()),
        [child] => String::from_utf8(xml::canonical(doc, child, &[])?).map_err(|_| "it is not UTF-8"),
        _ => Err("it holds more than one element"),
    }
}

#[cfg(test)]
mod tests;
