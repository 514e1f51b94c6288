use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::{Clock, Secret};
use econnector_net::Transport;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{CsrfToken, LanguageTag, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use url::Url;

use crate::claims::People;
use crate::error::IdentityError;
use crate::exchange::{self, Cache, ExchangeClient, Exchanges};
use crate::keyring::{KeyringState, TokenStore};
use crate::landing::{Arrival, Expected, Landing};
use crate::pages::{Language, Page};
use crate::principal::{Actor, Authorized, Physician, Principal};
use crate::provider::{AesClient, Granted, Line, Probe, Proof, Provider};

/// Who is there, and with which token: what the rest of the program knows about AeS.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Who is logged in. Right after the start it waits up to 3 s for a remembered session.
    async fn session(&self) -> SessionView;

    /// Opens the browser at AeS and returns the address for a person to open herself. While a login is under way: shows it again.
    ///
    /// # Errors
    /// When AeS cannot be reached, there is no loopback port, or this installation does not log in.
    async fn start_login(&self, language: &str) -> Result<Url, IdentityError>;

    /// The logged-in person, with a token that lives for 30 s at least wherever AeS renews it. Parallel callers share one renewal.
    ///
    /// # Errors
    /// [`IdentityError::LoginRequired`], [`IdentityError::NoPhysician`], or why the session could not be renewed.
    async fn authorized(&self) -> Result<Authorized, IdentityError>;

    /// Ends the session here and at AeS, and gives up a login under way.
    ///
    /// # Errors
    /// [`IdentityError::LogoutIncomplete`] when AeS could not be told; the session is over here all the same.
    async fn logout(&self) -> Result<(), IdentityError>;

    /// The person a caller's token stands for: an AeS access token (JWT), signed by AeS for our audience, valid now.
    ///
    /// # Errors
    /// Why the token is not accepted, or why AeS' keys could not be read.
    async fn bearer(&self, token: &str) -> Result<Authorized, IdentityError>;

    /// The physician of an eHealthID, with a token in her name for which AeS takes this installation's own credentials. Parallel callers
    /// share one exchange; a token serves until half a minute before its end.
    ///
    /// # Errors
    /// [`IdentityError::ExchangeNotSetUp`], [`IdentityError::ExchangeClientRefused`], [`IdentityError::ExchangeDenied`], or why AeS could
    /// not be asked.
    async fn on_behalf_of(&self, _ehealth_id: &str) -> Result<Authorized, IdentityError> {
        Err(IdentityError::ExchangeNotSetUp)
    }

    /// How the tokens of [`Identity::on_behalf_of`] were come by since the start.
    fn exchanges(&self) -> Exchanges {
        Exchanges::default()
    }

    /// Whether AeS answers, how fast, and how far the clocks are apart. Needs no login.
    ///
    /// # Errors
    /// Why AeS does not answer as it should.
    async fn probe(&self) -> Result<Probe, IdentityError>;
}

/// The session, for showing.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Where it stands.
    pub state: SessionState,
    /// The session outlives this program: its refresh token is in the system's keyring.
    pub remembered: bool,
    /// How the keyring does.
    pub keyring: KeyringState,
    /// Why the last login failed or the session ended, until the next attempt.
    pub failure: Option<IdentityError>,
}

/// Where a session stands.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SessionState {
    /// Nobody.
    LoggedOut,
    /// The browser is at AeS.
    LoggingIn {
        /// To open by hand where no browser opened.
        login_url: Url,
    },
    /// Somebody.
    LoggedIn {
        /// Who.
        actor: Actor,
        /// For whom; `None` for a secretary, who has to choose first.
        physician: Option<Physician>,
        /// Whom a secretary may act for.
        acts_for: Vec<Physician>,
        /// End of the session unless it is renewed.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
}

/// Opens an address where a person sees it.
pub trait Browser: Send + Sync {
    /// `false` when no browser could be started; the address is then shown in the window. May block.
    fn open(&self, url: &str) -> bool;
}

/// How to reach AeS, and as which client.
#[derive(Clone, Debug)]
pub struct AesSettings {
    /// Issuer, exactly as AeS writes it: `https://www.esante.lu/auth/realms/default`.
    pub issuer: Url,
    /// The public client of the desktop.
    pub client_id: String,
    /// The audience an access token must be meant for: `https://eadmin.lu/`.
    pub audience: String,
    /// Host in the redirect address: `127.0.0.1`, or `localhost` for Keycloak versions that only let that one have any port.
    pub redirect_host: String,
    /// Path of the redirect address, as registered at AeS.
    pub redirect_path: String,
    /// Whether somebody can log in here at all; a server only takes tokens.
    pub allow_own_login: bool,
    /// How long the browser may take.
    pub login_timeout: Duration,
    /// The client that asks for tokens in a physician's name; without it [`Identity::on_behalf_of`] gives none.
    pub exchange: Option<ExchangeClient>,
}

impl AesSettings {
    /// The usual: audience of eSanté, `http://127.0.0.1:<any port>/callback`, ten minutes for the login, no token exchange.
    #[must_use]
    pub fn new(issuer: Url, client_id: impl Into<String>) -> Self {
        Self {
            issuer,
            client_id: client_id.into(),
            audience: "https://eadmin.lu/".to_owned(),
            redirect_host: "127.0.0.1".to_owned(),
            redirect_path: "/callback".to_owned(),
            allow_own_login: true,
            login_timeout: Duration::from_secs(600),
            exchange: None,
        }
    }
}

/// AeS: OpenID Connect with the authorization code flow and PKCE in the system browser (RFC 8252). Cheap to clone; a clone is the
/// same session. Must live inside a tokio runtime.
#[derive(Clone)]
pub struct Aes(Arc<Inner>);

impl Aes {
    /// Takes up a remembered session in the background, and keeps whatever session there is alive. AeS is first asked when needed,
    /// and asked again as long as it does not answer.
    ///
    /// # Errors
    /// [`IdentityError::Settings`] when the settings cannot work.
    pub async fn new(
        settings: AesSettings,
        transport: Transport,
        keyring: Arc<dyn TokenStore>,
        browser: Arc<dyn Browser>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        if settings.issuer.scheme() != "https" {
            return Err(IdentityError::Settings("the issuer is not an https address"));
        }
        if !matches!(settings.redirect_host.as_str(), "127.0.0.1" | "localhost") {
            return Err(IdentityError::Settings("the redirect host is neither 127.0.0.1 nor localhost"));
        }
        if !settings.redirect_path.starts_with('/') || settings.redirect_path.contains(['?', '#']) {
            return Err(IdentityError::Settings("the redirect path"));
        }
        let own_login = settings.allow_own_login;
        let inner = Arc::new(Inner {
            account: format!("{} {}", settings.issuer, settings.client_id),
            settings,
            line: Arc::new(Line::new(transport, clock)),
            keyring,
            browser,
            provider: tokio::sync::Mutex::new(None),
            session: Mutex::new(Session::default()),
            remembering: tokio::sync::Mutex::new(()),
            changed: Arc::new(Notify::new()),
            restored: watch::Sender::new(!own_login),
            exchanged: Arc::default(),
        });
        if own_login {
            tokio::spawn(inner.clone().restore());
            tokio::spawn(keep_alive(Arc::downgrade(&inner), inner.changed.clone()));
        }
        Ok(Self(inner))
    }
}

#[async_trait]
impl Identity for Aes {
    async fn session(&self) -> SessionView {
        self.0.settle().await;
        self.0.view()
    }

    async fn start_login(&self, language: &str) -> Result<Url, IdentityError> {
        self.0.clone().start_login(Language::from_tag(language)).await
    }

    async fn authorized(&self) -> Result<Authorized, IdentityError> {
        self.0.settle().await;
        if let Some(authorized) = self.0.held_token(FRESH_ENOUGH)? {
            return Ok(authorized);
        }
        match self.0.renew().await {
            Ok(()) => self.0.held_token(time::Duration::ZERO)?.ok_or(IdentityError::LoginRequired),
            // The service may be back before the token dies.
            Err(error) => self.0.held_token(ALMOST_DEAD).ok().flatten().ok_or(error),
        }
    }

    async fn logout(&self) -> Result<(), IdentityError> {
        // On a task of its own: a caller who hangs up must not leave half a logout behind.
        finished(tokio::spawn(self.0.clone().logout())).await
    }

    async fn bearer(&self, token: &str) -> Result<Authorized, IdentityError> {
        self.0.bearer(token).await
    }

    async fn on_behalf_of(&self, ehealth_id: &str) -> Result<Authorized, IdentityError> {
        let client = self.0.settings.exchange.clone().ok_or(IdentityError::ExchangeNotSetUp)?;
        let (inner, asked_for) = (Arc::clone(&self.0), ehealth_id.to_owned());
        let ask = || async move { inner.exchange(&client, &asked_for).await };
        self.0.exchanged.get(ehealth_id, self.0.line.now_at_aes(), ask).await
    }

    fn exchanges(&self) -> Exchanges {
        self.0.exchanged.counts()
    }

    async fn probe(&self) -> Result<Probe, IdentityError> {
        self.0.line.probe(&self.0.settings.issuer).await
    }
}

struct Inner {
    settings: AesSettings,
    line: Arc<Line>,
    keyring: Arc<dyn TokenStore>,
    browser: Arc<dyn Browser>,
    /// Under which the keyring holds the refresh token: another issuer never gets it.
    account: String,
    provider: tokio::sync::Mutex<Option<Arc<Provider>>>,
    session: Mutex<Session>,
    /// Held while the keyring is written.
    remembering: tokio::sync::Mutex<()>,
    /// Wakes [`keep_alive`].
    changed: Arc<Notify>,
    restored: watch::Sender<bool>,
    exchanged: Arc<Cache>,
}

#[derive(Default)]
struct Session {
    held: Held,
    login: Option<Attempt>,
    failure: Option<IdentityError>,
    remembered: bool,
    /// Counts logins and logouts: what was begun under another number is no longer wanted.
    era: u64,
    renewal: Option<Renewal>,
}

type Renewal = Shared<BoxFuture<'static, Result<(), IdentityError>>>;

#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// Remembered, not redeemed yet.
    Dormant(Arc<Secret>),
    Tokens(Box<Tokens>),
}

struct Tokens {
    people: People,
    access: Arc<Secret>,
    access_until: OffsetDateTime,
    /// A minute before the end of the access token, or half-way to it.
    renew_at: OffsetDateTime,
    refresh: Option<Arc<Secret>>,
    refresh_until: Option<OffsetDateTime>,
    id_token: Option<Arc<Secret>>,
}

impl Tokens {
    /// Without a refresh token a session lasts as long as its access token.
    fn alive(&self, now: OffsetDateTime) -> bool {
        self.refresh.is_some() || now < self.access_until
    }
}

struct Attempt {
    url: Url,
    cancel: Arc<Notify>,
}

impl Inner {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> SessionView {
        let session = self.session();
        let state = match (&session.login, &session.held) {
            (Some(attempt), _) => SessionState::LoggingIn {
                login_url: attempt.url.clone(),
            },
            (None, Held::Tokens(tokens)) if tokens.alive(self.line.now()) => SessionState::LoggedIn {
                actor: tokens.people.actor.clone(),
                physician: tokens.people.physician.clone(),
                acts_for: tokens.people.acts_for.clone(),
                until: tokens.refresh_until.unwrap_or(tokens.access_until),
            },
            (None, _) => SessionState::LoggedOut,
        };
        SessionView {
            state,
            remembered: session.remembered,
            keyring: self.keyring.state(),
            failure: session.failure.clone(),
        }
    }

    /// Waits until it is known whether a session is remembered, but not for long.
    async fn settle(&self) {
        let mut restored = self.restored.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(3), restored.wait_for(|done| *done)).await;
    }

    /// `Ok(None)` when there is a session, but no token with `left` of its life left.
    fn held_token(&self, left: time::Duration) -> Result<Option<Authorized>, IdentityError> {
        let session = self.session();
        match &session.held {
            Held::Nothing => Err(session.ended().unwrap_or(IdentityError::LoginRequired)),
            Held::Dormant(_) => Ok(None),
            Held::Tokens(tokens) if tokens.access_until - self.line.now_at_aes() <= left => Ok(None),
            Held::Tokens(tokens) => authorized(&tokens.people, tokens.access_until, tokens.access.clone()).map(Some),
        }
    }

    async fn restore(self: Arc<Self>) {
        if let Ok(Some(token)) = self.keyring.load(&self.account).await {
            let wanted = {
                let mut session = self.session();
                let wanted = matches!(session.held, Held::Nothing) && session.login.is_none() && session.era == 0;
                if wanted {
                    session.held = Held::Dormant(Arc::new(token));
                    session.remembered = true;
                }
                wanted
            };
            if wanted && let Err(error) = self.renew().await {
                tracing::info!(error = %error, "the remembered session was not taken up");
            }
        }
        self.restored.send_replace(true);
    }

    /// Renews once, however many ask; goes on when all of them hang up, because the answer holds the only valid refresh token.
    async fn renew(self: &Arc<Self>) -> Result<(), IdentityError> {
        let renewal = {
            let mut session = self.session();
            match &session.renewal {
                Some(renewal) => renewal.clone(),
                None => {
                    let task = tokio::spawn(self.clone().renew_once());
                    let renewal = finished(task).boxed().shared();
                    session.renewal = Some(renewal.clone());
                    renewal
                }
            }
        };
        renewal.await
    }

    async fn renew_once(self: Arc<Self>) -> Result<(), IdentityError> {
        let (refresh, subject, era) = {
            let mut session = self.session();
            let era = session.era;
            let redeemable = match &session.held {
                Held::Dormant(refresh) => Some((refresh.clone(), None, era)),
                Held::Tokens(tokens) => tokens
                    .refresh
                    .clone()
                    .map(|refresh| (refresh, Some(tokens.people.actor.id.clone()), era)),
                Held::Nothing => None,
            };
            match redeemable {
                Some(redeemable) => redeemable,
                None => {
                    session.renewal = None;
                    return Err(IdentityError::LoginRequired);
                }
            }
        };
        let result = self.redeem_refresh(refresh.clone(), subject.as_deref()).await;
        let outcome = match result {
            Ok(granted) => self.adopt(granted, era, Some(refresh)).await,
            Err(error) => Err(error),
        };
        let over = matches!(
            outcome,
            Err(IdentityError::SessionEnded { .. } | IdentityError::ClientRefused { .. } | IdentityError::AesToken(_))
        );
        let current = {
            let mut session = self.session();
            session.renewal = None;
            let current = session.era == era;
            if current {
                session.failure = outcome.as_ref().err().cloned();
                if over {
                    session.held = Held::Nothing;
                    session.remembered = false;
                    session.era += 1;
                }
            }
            current
        };
        if current && over {
            self.forget().await;
        }
        outcome
    }

    async fn redeem_refresh(&self, refresh: Arc<Secret>, actor: Option<&str>) -> Result<Granted, IdentityError> {
        let provider = self.provider().await?;
        let granted = provider.redeem(Proof::Refresh(refresh), &self.settings.audience).await?;
        if actor.is_some_and(|actor| granted.claims.people().is_ok_and(|people| people.actor.id != actor)) {
            return Err(IdentityError::AesToken("the renewed token names somebody else".to_owned()));
        }
        Ok(granted)
    }

    /// Makes what AeS granted the session, unless somebody logged out or in since `era`. `used` is the refresh token it was had for.
    async fn adopt(self: &Arc<Self>, granted: Granted, mut era: u64, used: Option<Arc<Secret>>) -> Result<(), IdentityError> {
        let people = granted
            .claims
            .people()
            .map_err(|error| IdentityError::AesToken(error.to_string()))?;
        let life: time::Duration = granted.until - self.line.now();
        let margin = time::Duration::minutes(1).min(life / 2_i32);
        let renewed = used.is_some();
        // RFC 6749, 6: without a new refresh token the old one stays valid.
        let refresh = granted.refresh.map(Arc::new).or(used);
        let id_token = granted.id_token.map(Arc::new);
        let abandoned = {
            let mut session = self.session();
            if session.era == era {
                let earlier = match std::mem::take(&mut session.held) {
                    Held::Tokens(tokens) if renewed => tokens.id_token,
                    _ => None,
                };
                session.held = Held::Tokens(Box::new(Tokens {
                    people,
                    access: Arc::new(granted.access),
                    access_until: granted.until,
                    renew_at: granted.until - margin,
                    refresh: refresh.clone(),
                    refresh_until: granted.refresh_until,
                    id_token: id_token.clone().or(earlier),
                }));
                session.failure = None;
                if !renewed {
                    session.era += 1;
                    era = session.era;
                }
                None
            } else {
                // Where somebody else is logged in by now, ending this one at AeS might end the other's too: one browser, one session.
                Some(matches!(session.held, Held::Nothing))
            }
        };
        self.changed.notify_one();
        match (abandoned, refresh) {
            (None, Some(refresh)) => {
                tokio::spawn(self.clone().remember(refresh, era));
                Ok(())
            }
            (None, None) => Ok(()),
            (Some(true), Some(refresh)) => {
                self.end_at_aes(&refresh, id_token.as_deref()).await?;
                Err(IdentityError::LoginCancelled)
            }
            (Some(_), _) => Err(IdentityError::LoginCancelled),
        }
    }

    /// Puts the refresh token of `era` into the keyring, without anybody waiting for it.
    async fn remember(self: Arc<Self>, refresh: Arc<Secret>, era: u64) {
        // With `forget` behind the same lock, no token is saved after it was to be forgotten.
        let _turn = self.remembering.lock().await;
        if self.session().era != era {
            return;
        }
        let saved = self.keyring.save(&self.account, &refresh).await.is_ok();
        let mut session = self.session();
        if session.era == era {
            session.remembered = saved && self.keyring.state() == KeyringState::Available;
        }
    }

    async fn forget(&self) {
        let _turn = self.remembering.lock().await;
        if let Err(state) = self.keyring.forget(&self.account).await {
            tracing::warn!(code = state.code(), "the keyring may still hold a refresh token");
        }
    }

    async fn start_login(self: Arc<Self>, language: Language) -> Result<Url, IdentityError> {
        if !self.settings.allow_own_login {
            return Err(IdentityError::NoOwnLogin);
        }
        let running = self.session().login.as_ref().map(|attempt| attempt.url.clone());
        if let Some(url) = running {
            self.show(url.clone());
            return Ok(url);
        }
        // Asked anew: keys and addresses may have changed since the last login.
        let provider = self.discover().await?;
        let landing = Landing::open(&self.settings.redirect_host, &self.settings.redirect_path)
            .await
            .map_err(|error| IdentityError::NoPort(error.kind().to_string()))?;
        let client = provider.client(Some(landing.redirect()))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .add_ui_locale(LanguageTag::new(language.tag().to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let cancel = Arc::new(Notify::new());
        let era = {
            let mut session = self.session();
            if let Some(attempt) = &session.login {
                // Somebody else was faster.
                return Ok(attempt.url.clone());
            }
            session.login = Some(Attempt {
                url: url.clone(),
                cancel: cancel.clone(),
            });
            session.failure = None;
            session.era
        };
        let expected = Expected {
            state: Secret::new(state.secret().as_str()),
            issuer: provider.issuer().to_owned(),
            issuer_required: provider.names_itself(),
        };
        let login = Login {
            provider,
            client,
            verifier,
            nonce,
            era,
            cancel,
        };
        tokio::spawn(self.clone().log_in(login, landing, expected, language));
        self.show(url.clone());
        Ok(url)
    }

    fn show(self: &Arc<Self>, url: Url) {
        let inner = self.clone();
        tokio::task::spawn_blocking(move || {
            if !inner.browser.open(url.as_str()) {
                tracing::warn!("no browser could be opened for the login");
            }
        });
    }

    async fn log_in(self: Arc<Self>, login: Login, landing: Landing, expected: Expected, language: Language) {
        let cancel = login.cancel.clone();
        let arrival = tokio::select! {
            arrival = landing.answer(expected, language) => Ok(arrival),
            () = cancel.notified() => Err(IdentityError::LoginCancelled),
            () = tokio::time::sleep(self.settings.login_timeout) => Err(IdentityError::LoginTimeout),
        };
        let (outcome, window) = match arrival {
            Err(error) => (Err(error), None),
            Ok(Arrival {
                outcome: Err(error),
                window,
            }) => (Err(error), Some(window)),
            Ok(Arrival { outcome: Ok(code), window }) => (self.finish_login(login, code).await, Some(window)),
        };
        let page = if outcome.is_ok() { Page::Done } else { Page::Failed };
        {
            let mut session = self.session();
            // Given up meanwhile: whatever came of it is no news to anybody.
            if session.login.as_ref().is_some_and(|attempt| Arc::ptr_eq(&attempt.cancel, &cancel)) {
                session.login = None;
                if let Err(error) = outcome {
                    tracing::info!(%error, "the login did not succeed");
                    session.failure = Some(error);
                }
            }
        }
        if let Some(window) = window {
            window.show(page).await;
        }
    }

    async fn finish_login(self: &Arc<Self>, login: Login, code: Secret) -> Result<(), IdentityError> {
        let Login {
            provider,
            client,
            verifier,
            nonce,
            era,
            ..
        } = login;
        let proof = Proof::Code {
            client: Box::new(client),
            code,
            verifier,
            nonce,
        };
        let granted = provider.redeem(proof, &self.settings.audience).await.map_err(|error| match error {
            // The same `invalid_grant`, said of a code.
            IdentityError::SessionEnded { words } => IdentityError::LoginRefused { words },
            other => other,
        })?;
        self.adopt(granted, era, None).await
    }

    async fn logout(self: Arc<Self>) -> Result<(), IdentityError> {
        let renewal = {
            let mut session = self.session();
            if let Some(attempt) = session.login.take() {
                attempt.cancel.notify_one();
            }
            session.renewal.clone()
        };
        if let Some(renewal) = renewal {
            // Its answer holds the refresh token that is to be ended.
            let _ = renewal.await;
        }
        let held = {
            let mut session = self.session();
            session.era += 1;
            session.remembered = false;
            session.failure = None;
            std::mem::take(&mut session.held)
        };
        self.forget().await;
        let ended = match held {
            Held::Nothing => Ok(()),
            Held::Dormant(refresh) => self.end_at_aes(&refresh, None).await,
            Held::Tokens(tokens) => match &tokens.refresh {
                Some(refresh) => self.end_at_aes(refresh, tokens.id_token.as_deref()).await,
                // There is nothing AeS could be asked to end; the access token dies by itself.
                None => Ok(()),
            },
        };
        ended.map_err(|error| IdentityError::LogoutIncomplete(Box::new(error)))
    }

    async fn end_at_aes(&self, refresh: &Secret, id_token: Option<&Secret>) -> Result<(), IdentityError> {
        let provider = self.provider().await?;
        provider.end_session(refresh, id_token.map(Secret::reveal)).await
    }

    async fn bearer(&self, token: &str) -> Result<Authorized, IdentityError> {
        if token.len() > crate::jwt::LONGEST {
            return Err(IdentityError::TokenInvalid("longer than 16 KiB"));
        }
        let provider = self.provider().await?;
        let (claims, until) = provider.check_access_token(token, &self.settings.audience).await?;
        authorized(&claims.people()?, until, Arc::new(Secret::new(token)))
    }

    async fn exchange(&self, client: &ExchangeClient, ehealth_id: &str) -> Result<Authorized, IdentityError> {
        let provider = self.provider().await?;
        let (claims, access, until) = provider.exchange(client, ehealth_id, &self.settings.audience).await?;
        let people = claims.people().map_err(|error| IdentityError::AesToken(error.to_string()))?;
        exchange::check_subject(&people, ehealth_id)?;
        authorized(&people, until, Arc::new(access))
    }

    async fn provider(&self) -> Result<Arc<Provider>, IdentityError> {
        let mut provider = self.provider.lock().await;
        if let Some(provider) = &*provider {
            return Ok(provider.clone());
        }
        let discovered = self.ask_provider().await?;
        *provider = Some(discovered.clone());
        Ok(discovered)
    }

    async fn discover(&self) -> Result<Arc<Provider>, IdentityError> {
        let discovered = self.ask_provider().await?;
        *self.provider.lock().await = Some(discovered.clone());
        Ok(discovered)
    }

    async fn ask_provider(&self) -> Result<Arc<Provider>, IdentityError> {
        let settings = &self.settings;
        let provider = Provider::discover(self.line.clone(), &settings.issuer, &settings.client_id).await?;
        Ok(Arc::new(provider))
    }
}

impl Session {
    /// Why there is no session any more.
    fn ended(&self) -> Option<IdentityError> {
        self.failure
            .clone()
            .filter(|failure| matches!(failure, IdentityError::SessionEnded { .. }))
    }
}

/// What is needed once the browser comes back.
struct Login {
    provider: Arc<Provider>,
    client: AesClient,
    verifier: PkceCodeVerifier,
    nonce: Nonce,
    era: u64,
    cancel: Arc<Notify>,
}

/// A token with less is renewed before it is given out.
const FRESH_ENOUGH: time::Duration = time::Duration::seconds(30);
/// A token with less is not given out even where renewing failed.
const ALMOST_DEAD: time::Duration = time::Duration::seconds(5);
/// Computers sleep, and timers with them: the time is looked at this often.
const LOOK: Duration = Duration::from_secs(20);

/// Renews before the access token expires, and tries again where AeS did not answer; ends with the last [`Aes`].
async fn keep_alive(inner: Weak<Inner>, changed: Arc<Notify>) {
    let mut pause = LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed.notified() => {}
        }
        let Some(inner) = inner.upgrade() else { return };
        let due = match &inner.session().held {
            Held::Nothing => None,
            Held::Dormant(_) => Some(Duration::ZERO),
            Held::Tokens(tokens) if tokens.refresh.is_none() => None,
            Held::Tokens(tokens) => Some(Duration::try_from(tokens.renew_at - inner.line.now_at_aes()).unwrap_or_default()),
        };
        pause = match due {
            Some(Duration::ZERO) if *inner.restored.borrow() => match inner.renew().await {
                Ok(()) => Duration::from_secs(1),
                Err(error) => {
                    tracing::info!(%error, "the session was not renewed");
                    LOOK
                }
            },
            Some(left) => left.clamp(Duration::from_millis(50), LOOK),
            None => LOOK,
        };
    }
}

fn authorized(people: &People, until: OffsetDateTime, token: Arc<Secret>) -> Result<Authorized, IdentityError> {
    let physician = people.physician.clone().ok_or(IdentityError::NoPhysician)?;
    Ok(Authorized {
        principal: Principal {
            actor: people.actor.clone(),
            physician,
            until,
        },
        token,
    })
}

/// The result of a task; one that was torn down with its runtime counts as cancelled.
async fn finished(task: tokio::task::JoinHandle<Result<(), IdentityError>>) -> Result<(), IdentityError> {
    task.await.unwrap_or(Err(IdentityError::LoginCancelled))
}
