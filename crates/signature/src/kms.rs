//! The KMS' wire. Paths and purpose are public, the bodies are our reading of them (docs/wire.md); this file is the only place
//! that knows them.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use econnector_base::{AuthorityWords, Ids};
use econnector_net::{
    Answer, Transport,
    reqwest::{
        Url,
        header::{CONTENT_TYPE, HeaderMap},
    },
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{Algorithm, Bearer, Probe, Refusal, SignatureError, Signer, SignerCertificate};

/// Where the three calls go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KmsSettings {
    /// `…/api/v3/get-certificate`.
    pub get_certificate_url: String,
    /// `…/api/v3/sign-data`.
    pub sign_url: String,
    /// `…/api/v3/sign-timestamp`.
    pub timestamp_url: String,
}

impl KmsSettings {
    /// The first address of every scheme, host and port.
    fn one_of_each_host(&self) -> Vec<&str> {
        let mut origins = Vec::new();
        let mut urls = vec![self.get_certificate_url.as_str(), &self.sign_url, &self.timestamp_url];
        urls.retain(|url| {
            let origin = Url::parse(url).map(|url| url.origin());
            let new = !origins.contains(&origin);
            origins.push(origin);
            new
        });
        urls
    }
}

/// INCERT's signature service.
#[derive(Clone)]
pub struct Kms {
    settings: KmsSettings,
    transport: Transport,
    ids: Arc<dyn Ids>,
}

impl Kms {
    /// Nothing is sent yet. `ids` number the calls (`X-Correlation-Id`).
    #[must_use]
    pub const fn new(settings: KmsSettings, transport: Transport, ids: Arc<dyn Ids>) -> Self {
        Self { settings, transport, ids }
    }

    async fn ask<Q: Serialize + Sync>(
        &self,
        url: &str,
        bearer: &Bearer,
        question: Q,
    ) -> Result<(Accepted, Option<String>), SignatureError> {
        let subject = bearer.subject.as_deref();
        let question = For { subject, question };
        let (answer, correlation_id) = self.post(url, Some(bearer), &question).await?;
        if answer.status != 200 {
            return Err(refused(url, &answer, correlation_id));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(accepted) => Ok((accepted, correlation_id)),
            Err(_) => Err(SignatureError::Garbage {
                what: "not the agreed JSON",
                correlation_id,
            }),
        }
    }

    async fn probe_at(&self, url: &str) -> Result<Probe, SignatureError> {
        let (answer, correlation_id) = self.post(url, None, &Nothing {}).await?;
        match answer.status {
            // A service that asks for the login is a service that works.
            400 | 401 | 403 => Ok(Probe {
                latency: answer.elapsed,
                server_time: answer.date,
            }),
            _ => Err(refused(url, &answer, correlation_id)),
        }
    }

    async fn post<Q: Serialize + Sync>(
        &self,
        url: &str,
        bearer: Option<&Bearer>,
        question: &Q,
    ) -> Result<(Answer, Option<String>), SignatureError> {
        let ours = self.ids.next().to_string();
        let body = serde_json::to_vec(question).map_err(|_| SignatureError::Encoding)?;
        let mut request = self.transport.client().post(url).header(CONTENT_TYPE, "application/json");
        request = request.header(CORRELATION_ID, &ours).body(body);
        if let Some(bearer) = bearer {
            request = request.bearer_auth(bearer.token.reveal());
        }
        match self.transport.send(request).await {
            Ok(answer) => {
                let correlation_id = echoed(&answer.headers).unwrap_or(ours);
                Ok((answer, Some(correlation_id)))
            }
            Err(error) => Err(SignatureError::Net {
                error,
                correlation_id: Some(ours),
            }),
        }
    }
}

#[async_trait]
impl Signer for Kms {
    async fn certificate(&self, bearer: &Bearer) -> Result<SignerCertificate, SignatureError> {
        let (accepted, id) = self.ask(&self.settings.get_certificate_url, bearer, Nothing {}).await?;
        let chain = accepted
            .chain
            .iter()
            .map(|one| decoded(one, id.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(SignerCertificate {
            der: decoded(&accepted.data, id.as_ref())?,
            chain,
        })
    }

    async fn sign(&self, bearer: &Bearer, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        let question = ToSign {
            data: STANDARD.encode(data),
            algorithm: algorithm.name(),
        };
        let (accepted, id) = self.ask(&self.settings.sign_url, bearer, question).await?;
        decoded(&accepted.data, id.as_ref())
    }

    async fn timestamp(&self, bearer: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let question = ToStamp {
            data: STANDARD.encode(query),
        };
        let (accepted, id) = self.ask(&self.settings.timestamp_url, bearer, question).await?;
        decoded(&accepted.data, id.as_ref())
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        let probes = try_join_all(self.settings.one_of_each_host().into_iter().map(|url| self.probe_at(url))).await?;
        // The slowest: a signature needs them all, and only the last answer's clock can be compared with ours now.
        let nothing = Probe {
            latency: Duration::ZERO,
            server_time: None,
        };
        Ok(probes.into_iter().fold(
            nothing,
            |slowest, probe| if probe.latency > slowest.latency { probe } else { slowest },
        ))
    }
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kms").field("settings", &self.settings).finish_non_exhaustive()
    }
}

const CORRELATION_ID: &str = "X-Correlation-Id";

/// Any question, and for whom it is asked when that is not whoever the token names.
#[derive(Serialize)]
struct For<'a, Q> {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(flatten)]
    question: Q,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct ToSign {
    data: String,
    algorithm: &'static str,
}

#[derive(Serialize)]
struct ToStamp {
    data: String,
}

#[derive(Deserialize)]
struct Accepted {
    data: String,
    #[serde(default)]
    chain: Vec<String>,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    #[serde(default)]
    message: String,
}

fn decoded(base64: &str, correlation_id: Option<&String>) -> Result<Vec<u8>, SignatureError> {
    match STANDARD.decode(base64) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(SignatureError::Garbage {
            what: "not base64",
            correlation_id: correlation_id.cloned(),
        }),
    }
}

fn refused(url: &str, answer: &Answer, correlation_id: Option<String>) -> SignatureError {
    let words = serde_json::from_slice::<Refused>(&answer.body).ok();
    let words = words.map(|refused| AuthorityWords::new(refused.code, refused.message));
    let refusal = Refusal { words, correlation_id };
    match answer.status {
        401 => SignatureError::TokenRefused(refusal),
        403 => SignatureError::NoSignatureRight(refusal),
        status => SignatureError::Failed {
            host: Url::parse(url)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_default(),
            status,
            refusal,
        },
    }
}

fn echoed(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CORRELATION_ID)?.to_str().ok()?;
    Some(value.chars().take(100).collect())
}
