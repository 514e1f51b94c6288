//! AeS and the keyring, as the session's keeper reaches them; and what needs no session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::Secret;

use crate::aes::{AesSettings, Logins};
use crate::error::IdentityError;
use crate::jwt;
use crate::keyring::{KeyringState, TokenStore};
use crate::life::Moment;
use crate::principal::Authorized;
use crate::provider::{Granted, Line, NotGranted, Proof, Provider};
use crate::session::Endpoint;

pub(crate) struct Reach {
    settings: AesSettings,
    line: Arc<Line>,
    keyring: Arc<dyn TokenStore>,
    /// Under which the keyring holds the refresh token: another issuer never gets it.
    account: String,
    /// AeS as it was found last. Whoever can do with that does not wait for those who ask anew.
    known: Mutex<Option<Arc<Provider>>>,
    /// What AeS said last of who it is, and the elapsed time when it did. Held while it is asked.
    told: tokio::sync::Mutex<Option<(Duration, Discovered)>>,
}

type Discovered = Result<Arc<Provider>, IdentityError>;

impl Reach {
    pub(crate) fn new(settings: AesSettings, line: Line, keyring: Arc<dyn TokenStore>) -> Self {
        Self {
            account: format!("{} {}", settings.issuer, settings.client_id),
            settings,
            line: Arc::new(line),
            keyring,
            known: Mutex::default(),
            told: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) const fn settings(&self) -> &AesSettings {
        &self.settings
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// Whether this program has a session of its own.
    pub(crate) const fn session_here(&self) -> Result<(), IdentityError> {
        match (self.settings.logins, self.settings.elsewhere) {
            (Logins::Delegated, _) => Err(IdentityError::NoOwnLogin),
            (Logins::Own | Logins::Both, true) => Err(IdentityError::SessionElsewhere),
            (Logins::Own | Logins::Both, false) => Ok(()),
        }
    }

    /// How the keyring does; one that is not asked is off.
    pub(crate) fn keyring_state(&self) -> KeyringState {
        self.session_here().map_or(KeyringState::Off, |()| self.keyring.state())
    }

    /// The refresh token of the program's last session.
    pub(crate) async fn remembered(&self) -> Option<Secret> {
        self.keyring.load(&self.account).await.ok().flatten()
    }

    /// The person a caller's token stands for.
    pub(crate) async fn bearer(&self, token: &str, physician: Option<&str>) -> Result<Authorized, IdentityError> {
        if self.settings.logins == Logins::Own {
            return Err(IdentityError::NoDelegated);
        }
        if token.len() > jwt::LONGEST {
            return Err(IdentityError::TokenInvalid("longer than 16 KiB"));
        }
        let provider = self.provider().await?;
        let (claims, until) = provider.check_access_token(token, &self.settings.audience).await?;
        let people = claims.people()?;
        let physician = match physician {
            Some(ehealth_id) => people.physician_with(ehealth_id).ok_or(IdentityError::PhysicianNotRepresented),
            None => people.unchosen().ok_or_else(|| people.nobody_chosen()),
        }?;
        Ok(people.authorized(physician, until, Arc::new(Secret::new(token))))
    }

    /// AeS, discovered before or now.
    pub(crate) async fn provider(&self) -> Discovered {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(provider) => Ok(provider),
            None => self.discover().await,
        }
    }

    /// AeS, discovered now.
    pub(crate) async fn discover(&self) -> Discovered {
        let asked = self.line.elapsed();
        let mut told = self.told.lock().await;
        // Who waited for an answer need not wait for the next one.
        if let Some((at, answer)) = &*told
            && *at > asked
        {
            return answer.clone();
        }
        let discovered = Provider::discover(self.line.clone(), &self.settings.issuer, &self.settings.client_id).await;
        let discovered = discovered.map(Arc::new);
        if let Ok(provider) = &discovered {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(provider.clone());
        }
        *told = Some((self.line.elapsed(), discovered.clone()));
        discovered
    }
}

#[async_trait]
impl Endpoint for Reach {
    async fn redeem(&self, refresh: Arc<Secret>) -> Result<Granted, NotGranted> {
        let provider = self.provider().await?;
        provider.redeem(Proof::Refresh(refresh), &self.settings.audience).await
    }

    async fn end(&self, refresh: &Secret, id_token: Option<&Secret>) -> Result<(), IdentityError> {
        let provider = self.provider().await?;
        provider.end_session(refresh, id_token.map(Secret::reveal)).await
    }

    async fn remember(&self, refresh: &Secret) -> bool {
        self.keyring.save(&self.account, refresh).await.is_ok() && self.keyring.state() == KeyringState::Available
    }

    async fn forget(&self) -> Result<(), KeyringState> {
        let forgotten = self.keyring.forget(&self.account).await;
        if let Err(state) = &forgotten {
            tracing::warn!(code = state.code(), "the keyring may still hold a refresh token");
        }
        forgotten
    }

    fn now(&self) -> Moment {
        self.line.moment()
    }
}
