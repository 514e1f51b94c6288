use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::{Clock, Secret};
use econnector_net::Transport;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{CsrfToken, LanguageTag, Nonce, PkceCodeChallenge, PkceCodeVerifier, Scope};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use url::Url;

use crate::error::IdentityError;
use crate::exchange::{self, Cache, ExchangeClient, Exchanges, LastExchange};
use crate::keyring::{KeyringState, TokenStore};
use crate::landing::{Arrival, Expected, Landing};
use crate::life::Life;
use crate::pages::{Language, Page};
use crate::principal::{Actor, Authorized, Physician};
use crate::provider::{AesClient, Line, Probe, Proof, Provider};
use crate::reach::Reach;
use crate::session::{Attempt, Endpoint as _, Keeper, keep_alive};

/// Who is there, and with which token: what the rest of the program knows about AeS.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Who is logged in. Right after the start it waits up to 3 s for a remembered session.
    async fn session(&self) -> SessionView;

    /// Opens the browser at AeS and returns the address for a person to open herself. While a login is under way: shows it again, or
    /// begins anew when another account is asked for. A session that stands goes on until the new login has succeeded.
    ///
    /// # Errors
    /// When AeS cannot be reached, there is no loopback port, or this program does not log in.
    async fn start_login(&self, request: LoginRequest) -> Result<Url, IdentityError>;

    /// Lets the logged-in person work for this physician from now on: herself, or one who lets her. It holds until the session ends or
    /// AeS lists the physician no more.
    ///
    /// # Errors
    /// [`IdentityError::PhysicianNotRepresented`], [`IdentityError::LoginRequired`], or why the session could not be taken up.
    async fn choose(&self, ehealth_id: &str) -> Result<(), IdentityError>;

    /// The logged-in person, with a token that is alive: for half a minute at least where tokens live for minutes and AeS renews them.
    /// Parallel callers share one renewal.
    ///
    /// # Errors
    /// [`IdentityError::LoginRequired`], [`IdentityError::NoPhysician`], [`IdentityError::PhysicianNotChosen`], or why the session
    /// could not be renewed.
    async fn authorized(&self) -> Result<Authorized, IdentityError>;

    /// The same after an authority refused a token of [`Identity::authorized`]: the one held by now if it is another, else a new one.
    ///
    /// # Errors
    /// As [`Identity::authorized`].
    async fn renewed(&self, refused: &Secret) -> Result<Authorized, IdentityError>;

    /// Gives up a login under way; without one it ends the session, here and at AeS.
    async fn logout(&self) -> Leaving;

    /// The person a caller's token stands for: an AeS access token (JWT), signed by AeS for our audience, valid now. `physician` is the
    /// eHealthID of whom she acts for; without it she acts for herself, or for the only physician who lets her. Nothing of it is kept.
    ///
    /// # Errors
    /// Why the token is not accepted, [`IdentityError::PhysicianNotChosen`], [`IdentityError::PhysicianNotRepresented`], or why AeS'
    /// keys could not be read.
    async fn bearer(&self, token: &str, physician: Option<&str>) -> Result<Authorized, IdentityError>;

    /// The physician of an eHealthID, with a token in her name for which AeS takes this installation's own credentials. Parallel callers
    /// share one exchange; a token serves until shortly before its end.
    ///
    /// # Errors
    /// [`IdentityError::ExchangeNotSetUp`], [`IdentityError::ExchangeClientRefused`], [`IdentityError::ExchangeDenied`], or why AeS could
    /// not be asked.
    async fn on_behalf_of(&self, _ehealth_id: &str) -> Result<Authorized, IdentityError> {
        Err(IdentityError::ExchangeNotSetUp)
    }

    /// The same after an authority refused a token of [`Identity::on_behalf_of`]: the one held by now if it is another, else a new one.
    ///
    /// # Errors
    /// As [`Identity::on_behalf_of`].
    async fn exchanged_anew(&self, _ehealth_id: &str, _refused: &Secret) -> Result<Authorized, IdentityError> {
        Err(IdentityError::ExchangeNotSetUp)
    }

    /// AeS' time of day, as far as it is known: by it tokens live and are over, whatever the computer's clock says.
    fn time(&self) -> OffsetDateTime;

    /// How the tokens of [`Identity::on_behalf_of`] were come by since the start.
    fn exchanges(&self) -> Exchanges {
        Exchanges::default()
    }

    /// What AeS last said of the client of [`Identity::on_behalf_of`]. Nobody is asked.
    fn last_exchange(&self) -> LastExchange {
        LastExchange::NotSetUp
    }

    /// Whether AeS answers, how fast, and how far the clocks are apart. Needs no login.
    ///
    /// # Errors
    /// Why AeS does not answer as it should.
    async fn probe(&self) -> Result<Probe, IdentityError>;
}

/// What a logout did.
#[must_use = "only the future tells whether AeS knows"]
pub enum Leaving {
    /// A login under way was given up; a session that stood before goes on.
    GaveUp,
    /// The session is over here. The future ends when AeS and the keyring have answered; they are asked even when nobody waits for it.
    Ended(BoxFuture<'static, Result<(), IdentityError>>),
}

impl Leaving {
    /// Waits until all of it is done.
    ///
    /// # Errors
    /// [`IdentityError::LogoutIncomplete`] when AeS could not be told, [`IdentityError::LogoutNotForgotten`] when moreover the keyring
    /// did not forget; the session is over here all the same.
    pub async fn done(self) -> Result<(), IdentityError> {
        match self {
            Self::GaveUp => Ok(()),
            Self::Ended(told) => told.await,
        }
    }
}

/// The session, for showing.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Where it stands; a login under way hides the session that goes on beside it.
    pub state: SessionState,
    /// The session that goes on, whether a login is under way or not: never [`SessionState::LoggingIn`].
    pub standing: SessionState,
    /// The session outlives this program: its refresh token is in the system's keyring.
    pub remembered: bool,
    /// How the keyring does.
    pub keyring: KeyringState,
    /// Why the last login failed, the session ended or could not be renewed, until the next attempt.
    pub failure: Option<IdentityError>,
    /// AeS' clock minus ours, to the second; positive when ours is slow. `None` while AeS has not told its time.
    pub clock_skew: Option<time::Duration>,
    /// Who logs in at this installation.
    pub logins: Logins,
}

/// Who logs in, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logins {
    /// Whoever works, in this program. Tokens of callers are not taken.
    Own,
    /// The calling software, which brings a token with each request. This program opens no login page and keeps no session.
    Delegated,
    /// The one or the other.
    #[default]
    Both,
}

/// How somebody wants to log in.
#[derive(Clone, Debug, Default)]
pub struct LoginRequest {
    /// Language tag of the window: AeS' page and the page at the end are in it where they can.
    pub language: String,
    /// AeS asks for name and password even when the browser still knows somebody there.
    pub other_account: bool,
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
        /// For whom she works now; `None` when she has to choose first, or has nobody to choose.
        physician: Option<Physician>,
        /// Everybody she can choose, herself first; empty when nobody lets her act.
        acts_for: Vec<Physician>,
        /// `physician` is somebody else, who lets her act.
        mandate: bool,
        /// When she logged in, or this session was taken up again; a renewal does not change it.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
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
    /// Whether somebody can log in here, or callers bring tokens; a server only takes tokens.
    pub logins: Logins,
    /// Another eConnector of this user has the session and renews it: this one neither logs in nor touches what is remembered.
    pub elsewhere: bool,
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
            logins: Logins::default(),
            elsewhere: false,
            login_timeout: Duration::from_secs(600),
            exchange: None,
        }
    }
}

/// AeS: OpenID Connect with the authorization code flow and PKCE in the system browser (RFC 8252). Cheap to clone; a clone is the
/// same session. Must live inside a tokio runtime.
#[derive(Clone)]
pub struct Aes(Arc<Inner>);

struct Inner {
    keeper: Arc<Keeper<Reach>>,
    browser: Arc<dyn Browser>,
    /// Told when it is known whether a session is remembered.
    restored: watch::Sender<bool>,
    exchanged: Arc<Cache>,
}

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
        let keeper = Keeper::new(Reach::new(settings, Line::new(transport, clock), keyring));
        let session_here = keeper.endpoint().session_here().is_ok();
        let inner = Arc::new(Inner {
            keeper,
            browser,
            restored: watch::Sender::new(!session_here),
            exchanged: Arc::default(),
        });
        if session_here {
            tokio::spawn(inner.clone().restore());
            tokio::spawn(keep_alive(Arc::downgrade(&inner.keeper)));
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

    async fn start_login(&self, request: LoginRequest) -> Result<Url, IdentityError> {
        self.0.reach().session_here()?;
        self.0.clone().start_login(&request).await
    }

    async fn choose(&self, ehealth_id: &str) -> Result<(), IdentityError> {
        self.0.reach().session_here()?;
        self.0.settle().await;
        self.0.keeper.choose(ehealth_id).await
    }

    async fn authorized(&self) -> Result<Authorized, IdentityError> {
        self.0.authorized(None).await
    }

    async fn renewed(&self, refused: &Secret) -> Result<Authorized, IdentityError> {
        self.0.authorized(Some(refused)).await
    }

    async fn logout(&self) -> Leaving {
        if self.0.keeper.cancel_login() {
            return Leaving::GaveUp;
        }
        // On a task of its own: a caller who hangs up must not leave half a logout behind.
        let logout = tokio::spawn(self.0.keeper.clone().logout());
        // One that was torn down with its runtime counts as cancelled.
        let told = async move { logout.await.unwrap_or(Err(IdentityError::LoginCancelled)) };
        Leaving::Ended(told.boxed())
    }

    async fn bearer(&self, token: &str, physician: Option<&str>) -> Result<Authorized, IdentityError> {
        self.0.reach().bearer(token, physician).await
    }

    async fn on_behalf_of(&self, ehealth_id: &str) -> Result<Authorized, IdentityError> {
        let client = self.0.reach().settings().exchange.clone().ok_or(IdentityError::ExchangeNotSetUp)?;
        let (inner, asked_for) = (self.0.clone(), ehealth_id.to_owned());
        let ask = || async move { inner.exchange(&client, &asked_for).await };
        self.0.exchanged.get(ehealth_id, self.0.reach().now(), ask).await
    }

    async fn exchanged_anew(&self, ehealth_id: &str, refused: &Secret) -> Result<Authorized, IdentityError> {
        self.0.exchanged.drop_refused(ehealth_id, refused);
        self.on_behalf_of(ehealth_id).await
    }

    fn time(&self) -> OffsetDateTime {
        self.0.reach().now().at_aes
    }

    fn exchanges(&self) -> Exchanges {
        self.0.exchanged.counts()
    }

    fn last_exchange(&self) -> LastExchange {
        match self.0.reach().settings().exchange {
            Some(_) => self.0.exchanged.last(),
            None => LastExchange::NotSetUp,
        }
    }

    async fn probe(&self) -> Result<Probe, IdentityError> {
        let reach = self.0.reach();
        reach.line().probe(&reach.settings().issuer).await
    }
}

impl Inner {
    fn reach(&self) -> &Reach {
        self.keeper.endpoint()
    }

    fn view(&self) -> SessionView {
        let (reach, seen) = (self.reach(), self.keeper.view());
        let elsewhere = reach.settings().elsewhere.then_some(IdentityError::SessionElsewhere);
        SessionView {
            state: seen.state,
            standing: seen.standing,
            remembered: seen.remembered,
            keyring: reach.keyring_state(),
            failure: elsewhere.or(seen.failure),
            clock_skew: reach.line().clock_skew(),
            logins: reach.settings().logins,
        }
    }

    /// Waits until it is known whether a session is remembered, but not for long.
    async fn settle(&self) {
        let mut restored = self.restored.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(3), restored.wait_for(|done| *done)).await;
    }

    async fn restore(self: Arc<Self>) {
        if let Some(token) = self.reach().remembered().await {
            self.keeper.restore(token).await;
        }
        self.restored.send_replace(true);
    }

    async fn authorized(&self, refused: Option<&Secret>) -> Result<Authorized, IdentityError> {
        self.reach().session_here()?;
        self.settle().await;
        self.keeper.authorized(refused).await
    }

    async fn exchange(&self, client: &ExchangeClient, ehealth_id: &str) -> Result<(Authorized, Life), IdentityError> {
        let reach = self.reach();
        let provider = reach.provider().await?;
        let (claims, access, life) = provider.exchange(client, ehealth_id, &reach.settings().audience).await?;
        let people = claims.people().map_err(|error| IdentityError::AesToken(error.to_string()))?;
        let physician = exchange::subject(&people, ehealth_id)?;
        Ok((people.authorized(physician, life.until(), Arc::new(access)), life))
    }

    async fn start_login(self: Arc<Self>, request: &LoginRequest) -> Result<Url, IdentityError> {
        if let Some(url) = self.keeper.login_under_way(request.other_account) {
            self.show(url.clone());
            return Ok(url);
        }
        let (reach, language) = (self.reach(), Language::from_tag(&request.language));
        // Asked anew: keys and addresses may have changed since the last login.
        let provider = reach.discover().await?;
        let landing = Landing::open(&reach.settings().redirect_host, &reach.settings().redirect_path)
            .await
            .map_err(|error| IdentityError::NoPort(error.kind().to_string()))?;
        let client = provider.client(Some(landing.redirect()))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut asked = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .add_ui_locale(LanguageTag::new(language.tag().to_owned()))
            .set_pkce_challenge(challenge);
        if request.other_account {
            // With `max_age` the ID token has to say when the password was typed (OpenID Connect Core, 3.1.2.1).
            asked = asked.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO);
        }
        let (url, state, nonce) = asked.url();
        let cancel = Arc::new(Notify::new());
        let attempt = Attempt {
            url: url.clone(),
            cancel: cancel.clone(),
            other_account: request.other_account,
        };
        if let Err(faster) = self.keeper.begin_login(attempt) {
            return Ok(faster);
        }
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
            asked_again: request.other_account.then(|| reach.now().at_aes),
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
            () = tokio::time::sleep(self.reach().settings().login_timeout) => Err(IdentityError::LoginTimeout),
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
        if let Err(error) = outcome {
            self.keeper.fail_login(&cancel, error);
        }
        if let Some(window) = window {
            window.show(page).await;
        }
    }

    async fn finish_login(&self, login: Login, code: Secret) -> Result<(), IdentityError> {
        let Login {
            provider,
            client,
            verifier,
            nonce,
            asked_again,
            cancel,
        } = login;
        let proof = Proof::Code {
            client: Box::new(client),
            code,
            verifier,
            nonce,
            asked_again,
        };
        let redeemed = provider.redeem(proof, &self.reach().settings().audience).await;
        let granted = redeemed.map_err(|refused| match refused.error {
            // The same `invalid_grant`, said of a code.
            IdentityError::SessionEnded { words } => IdentityError::LoginRefused { words },
            other => other,
        })?;
        self.keeper.adopt(granted, &cancel).await
    }
}

/// What is needed once the browser comes back.
struct Login {
    provider: Arc<Provider>,
    client: AesClient,
    verifier: PkceCodeVerifier,
    nonce: Nonce,
    /// AeS was told to ask for the password again, at this time by its clock.
    asked_again: Option<OffsetDateTime>,
    cancel: Arc<Notify>,
}
