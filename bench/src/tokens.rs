//! The physician's token by exchange, renewed before it expires.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::programs::{Programs, ProgramsError};

/// A token is not used in the last part of its life.
const MARGIN: Duration = Duration::from_secs(60);

/// Exchanges tokens as a hospital does (RFC 8693).
pub(crate) struct Tokens {
    client: reqwest::Client,
    endpoint: String,
    form: [(&'static str, String); 5],
    held: Mutex<Option<(Arc<str>, Instant)>>,
}

/// No token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token exchange: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the token exchange answered {0}")]
    Refused(reqwest::StatusCode),
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    pub(crate) fn of(programs: &Programs) -> Result<Self, ProgramsError> {
        let ready = &programs.ready;
        Ok(Self {
            client: programs.client.clone(),
            endpoint: ready.token_endpoint.clone(),
            form: [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange".to_owned()),
                ("client_id", ready.client_id.clone()),
                ("client_secret", ready.client_secret.clone()),
                ("requested_subject", ready.ehealth_id.clone()),
                ("audience", ready.audience.clone()),
            ],
            held: Mutex::default(),
        })
    }

    /// A token with a minute left at least.
    pub(crate) async fn token(&self) -> Result<Arc<str>, TokenError> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = held.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let asked = Instant::now();
        let answer = self.client.post(&self.endpoint).form(&self.form).send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(TokenError::Refused(answer.status()));
        }
        let granted: Granted = answer.json().await?;
        let token: Arc<str> = granted.access_token.into();
        let life = Duration::from_secs(granted.expires_in);
        *held = Some((token.clone(), asked + life.saturating_sub(MARGIN)));
        Ok(token)
    }
}
