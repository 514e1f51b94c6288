//! The session: what is held, who may have it, when it is renewed, how it ends. States and ways between them are drawn in
//! docs/identity.md. Nothing here knows HTTP or OpenID Connect, so that the tests can try out every order of events.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::Secret;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use time::OffsetDateTime;
use tokio::sync::{Notify, oneshot};
use url::Url;

use crate::aes::SessionState;
use crate::claims::People;
use crate::error::IdentityError;
use crate::keyring::KeyringState;
use crate::life::{Life, Moment};
use crate::principal::Authorized;
use crate::provider::{Granted, NotGranted};
use crate::sync::{self, Mutex, MutexGuard};

/// What the keeper of a session needs of the world.
#[async_trait]
pub(crate) trait Endpoint: Send + Sync + 'static {
    /// Redeems a refresh token at AeS, which spends it.
    async fn redeem(&self, refresh: Arc<Secret>) -> Result<Granted, NotGranted>;
    /// Ends a session at AeS.
    async fn end(&self, refresh: &Secret, id_token: Option<&Secret>) -> Result<(), IdentityError>;
    /// Keeps a refresh token for the program's next start; `false` when it will not be there.
    async fn remember(&self, refresh: &Secret) -> bool;
    /// Keeps none; `Err` when one may still be there.
    async fn forget(&self) -> Result<(), KeyringState>;
    /// Now.
    fn now(&self) -> Moment;
}

/// Keeps the one session of this program. There is never more than one redemption of a refresh token under way, and none of one that
/// is known to be spent.
pub(crate) struct Keeper<E> {
    endpoint: E,
    state: Mutex<State>,
    /// Held while what is remembered changes.
    remembering: tokio::sync::Mutex<()>,
    /// Wakes [`keep_alive`] for a new session.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    held: Held,
    login: Option<Attempt>,
    /// Why the last login failed or the session ended.
    failure: Option<IdentityError>,
    remembered: bool,
    /// Counts the sessions: what was begun for one is not taken for another.
    era: u64,
    flight: Option<Flight>,
}

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
    /// The eHealthID of the physician this person works for now.
    acting: Option<String>,
    since: OffsetDateTime,
    access: Arc<Secret>,
    life: Life,
    refresh: Option<Arc<Secret>>,
    refresh_life: Option<Life>,
    id_token: Option<Arc<Secret>>,
}

/// A login under way in the browser.
pub(crate) struct Attempt {
    /// Where the browser was sent.
    pub(crate) url: Url,
    /// Told when it is given up.
    pub(crate) cancel: Arc<Notify>,
    /// AeS asks for the password whoever is logged in there.
    pub(crate) other_account: bool,
}

/// A renewal under way: whoever needs it waits for the same.
struct Flight {
    era: u64,
    landing: Shared<BoxFuture<'static, Landed>>,
    /// Gone when the task is, however it ended.
    pilot: Weak<()>,
}

#[derive(Clone)]
enum Landed {
    Renewed,
    Failed(IdentityError),
    /// The session it was for is over; how ending the newest token went.
    Abandoned(Result<(), IdentityError>),
}

/// What a renewal starts with.
struct Ticket {
    era: u64,
    refresh: Arc<Secret>,
    /// Who must come out of it; not known of a remembered session.
    actor: Option<String>,
}

/// The session, for showing.
pub(crate) struct Seen {
    pub(crate) state: SessionState,
    pub(crate) standing: SessionState,
    pub(crate) remembered: bool,
    pub(crate) failure: Option<IdentityError>,
}

impl<E: Endpoint> Keeper<E> {
    pub(crate) fn new(endpoint: E) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            state: Mutex::new(State::default()),
            remembering: tokio::sync::Mutex::new(()),
            changed: Arc::new(Notify::new()),
        })
    }

    pub(crate) const fn endpoint(&self) -> &E {
        &self.endpoint
    }

    pub(crate) fn view(&self) -> Seen {
        let now = self.endpoint.now();
        let state = self.state();
        Seen {
            state: state.shown(now),
            standing: state.standing(now),
            remembered: state.remembered,
            failure: state.failure.clone(),
        }
    }

    /// Takes up a remembered session, unless somebody has logged in meanwhile, and be it that she is gone again.
    pub(crate) async fn restore(self: &Arc<Self>, refresh: Secret) {
        {
            let mut state = self.state();
            if state.era != 0 {
                return;
            }
            state.held = Held::Dormant(Arc::new(refresh));
            state.remembered = true;
        }
        if let Err(error) = self.ensure(|_, _| true).await {
            tracing::info!(%error, "the remembered session was not taken up");
        }
    }

    /// The session's token, for a call that is made now. `refused` is one that an authority did not take, although it should be alive.
    pub(crate) async fn authorized(self: &Arc<Self>, refused: Option<&Secret>) -> Result<Authorized, IdentityError> {
        let another = |tokens: &Tokens| refused.is_none_or(|refused| tokens.access.reveal() != refused.reveal());
        let ensured = self.ensure(|tokens, now| another(tokens) && tokens.life.is_fresh(now)).await;
        let now = self.endpoint.now();
        let state = self.state();
        match (&state.held, ensured) {
            // AeS gave it just now: a time of day that says otherwise is wrong.
            (Held::Tokens(tokens), Ok(())) if another(tokens) && !tokens.life.left_since_asked(now).is_zero() => tokens.authorized(),
            (Held::Tokens(_), Ok(())) => Err(IdentityError::AesToken("the renewed token is of no use".to_owned())),
            // AeS may be back before the token dies.
            (Held::Tokens(tokens), Err(_)) if another(tokens) && tokens.life.is_bearable(now) => tokens.authorized(),
            (_, Err(error)) => Err(error),
            (Held::Nothing | Held::Dormant(_), Ok(())) => Err(state.nobody()),
        }
    }

    /// Lets the logged-in person work for this physician from now on.
    pub(crate) async fn choose(self: &Arc<Self>, ehealth_id: &str) -> Result<(), IdentityError> {
        // Only a session that was taken up says for whom she may act.
        self.ensure(|_, _| true).await?;
        let mut state = self.state();
        let Held::Tokens(tokens) = &mut state.held else {
            return Err(state.nobody());
        };
        if tokens.people.physician_with(ehealth_id).is_none() {
            return Err(IdentityError::PhysicianNotRepresented);
        }
        tokens.acting = Some(ehealth_id.to_owned());
        Ok(())
    }

    /// Renews when it is time, and says how long nothing has to be done.
    pub(crate) async fn tend(self: &Arc<Self>) -> Duration {
        if matches!(self.state().held, Held::Nothing) {
            return LOOK;
        }
        let tended = self
            .ensure(|tokens, now| tokens.refresh.is_none() || !tokens.life.due_in(now).is_zero())
            .await;
        let now = self.endpoint.now();
        let state = self.state();
        let (quarter, due_in) = match &state.held {
            Held::Tokens(tokens) => (tokens.life.quarter().clamp(SHORTEST_LOOK, LOOK), tokens.life.due_in(now)),
            Held::Nothing | Held::Dormant(_) => (LOOK, Duration::ZERO),
        };
        match tended {
            Ok(()) if due_in.is_zero() => quarter,
            Ok(()) => due_in.min(quarter),
            Err(error) => {
                tracing::info!(%error, "the session was not renewed");
                jittered(quarter)
            }
        }
    }

    /// Where a login under way sent the browser, if it serves for another that is wanted.
    pub(crate) fn login_under_way(&self, other_account: bool) -> Option<Url> {
        self.state().login_under_way(other_account)
    }

    /// From here on this is the login under way; `Err` when another that serves was faster.
    pub(crate) fn begin_login(&self, attempt: Attempt) -> Result<(), Url> {
        let mut state = self.state();
        if let Some(url) = state.login_under_way(attempt.other_account) {
            return Err(url);
        }
        if let Some(earlier) = state.login.replace(attempt) {
            earlier.cancel.notify_one();
        }
        state.failure = None;
        Ok(())
    }

    /// Gives up a login under way; `false` when there is none.
    pub(crate) fn cancel_login(&self) -> bool {
        let mut state = self.state();
        let Some(attempt) = state.login.take() else { return false };
        attempt.cancel.notify_one();
        state.failure = None;
        true
    }

    /// Says why a login came to nothing, unless it was given up: then it is no news to anybody.
    pub(crate) fn fail_login(&self, cancel: &Arc<Notify>, error: IdentityError) {
        let mut state = self.state();
        if state.is_under_way(cancel) {
            tracing::info!(%error, "the login did not succeed");
            state.login = None;
            state.failure = Some(error);
        }
    }

    /// Makes what AeS granted to a login the session, unless it was given up meanwhile.
    pub(crate) async fn adopt(self: &Arc<Self>, granted: Granted, cancel: &Arc<Notify>) -> Result<(), IdentityError> {
        let now = self.endpoint.now();
        let actor = granted.people.actor.id.clone();
        let adopted = {
            let mut state = self.state();
            if state.is_under_way(cancel) {
                // Who is renewing the earlier one ends it.
                let renewing = state.flying().is_some_and(|flight| flight.era == state.era);
                state.login = None;
                state.failure = None;
                state.remembered = false;
                state.era += 1;
                let acting = granted.people.unchosen().map(|physician| physician.ehealth_id.clone());
                let tokens = Tokens::new(granted, acting, now.at_aes);
                let earlier = std::mem::replace(&mut state.held, Held::Tokens(Box::new(tokens)));
                Ok((!renewing).then(|| earlier.of_another_than(&actor)).flatten())
            } else {
                Err((!state.is_of(Some(&actor))).then(|| Ending::of(granted)).flatten())
            }
        };
        match adopted {
            Ok(earlier) => {
                self.changed.notify_one();
                sync::spawn(self.clone().remember());
                if let Some(earlier) = earlier {
                    sync::spawn(self.clone().end_quietly(earlier));
                }
                Ok(())
            }
            Err(unwanted) => {
                if let Some(unwanted) = unwanted {
                    self.end(&unwanted).await?;
                }
                Err(IdentityError::LoginCancelled)
            }
        }
    }

    /// Ends the session here at once: nobody is given its token any more. What is returned ends it at AeS and in what is remembered.
    pub(crate) fn logout(self: Arc<Self>) -> impl Future<Output = Result<(), IdentityError>> + Send + 'static {
        let (held, flight, remembered) = {
            let mut state = self.state();
            let flight = state
                .flying()
                .filter(|flight| flight.era == state.era)
                .map(|flight| flight.landing.clone());
            state.era += 1;
            state.failure = None;
            let remembered = std::mem::take(&mut state.remembered);
            (std::mem::take(&mut state.held), flight, remembered)
        };
        async move {
            let ending = async {
                match (flight, Ending::of_held(held)) {
                    // Its answer holds the refresh token that is to be ended, and whoever gets it does that.
                    (Some(landing), _) => match landing.await {
                        Landed::Abandoned(ended) => ended,
                        Landed::Renewed => Ok(()),
                        Landed::Failed(error) => Err(error),
                    },
                    (None, Some(ending)) => self.end(&ending).await,
                    // There is nothing AeS could be asked to end; an access token dies by itself.
                    (None, None) => Ok(()),
                }
            };
            // A keyring behind a prompt does not keep AeS waiting.
            match futures::join!(ending, self.forget()) {
                // What the keyring still holds is worth nothing when AeS has ended it.
                (Ok(()), _) => Ok(()),
                // Where there never was a keyring, none holds anything.
                (Err(error), Err(keyring)) if remembered || !matches!(keyring, KeyringState::Absent { .. }) => {
                    Err(IdentityError::LogoutNotForgotten(Box::new(error)))
                }
                (Err(error), _) => Err(IdentityError::LogoutIncomplete(Box::new(error))),
            }
        }
    }

    /// Sees to it that tokens are held that serve, by a renewal if need be. Parallel callers share one; it goes on when all of them
    /// hang up, because its answer holds the only valid refresh token.
    async fn ensure(self: &Arc<Self>, serve: impl Fn(&Tokens, Moment) -> bool + Send) -> Result<(), IdentityError> {
        loop {
            let landing = {
                let now = self.endpoint.now();
                let mut state = self.state();
                match &state.held {
                    Held::Nothing => return Err(state.nobody()),
                    Held::Tokens(tokens) if serve(tokens, now) => return Ok(()),
                    Held::Tokens(_) | Held::Dormant(_) => {}
                }
                match state.flying() {
                    Some(flight) => flight.landing.clone(),
                    None => self.set_off(&mut state)?,
                }
            };
            match landing.await {
                Landed::Renewed => return Ok(()),
                Landed::Failed(error) => return Err(error),
                // It was for a session that is over. There may be another by now.
                Landed::Abandoned(_) => {}
            }
        }
    }

    fn set_off(self: &Arc<Self>, state: &mut State) -> Result<Shared<BoxFuture<'static, Landed>>, IdentityError> {
        let ticket = state.ticket().ok_or(IdentityError::LoginRequired)?;
        let (answer, awaited) = oneshot::channel();
        let landing = async { awaited.await.unwrap_or(Landed::Failed(IdentityError::LoginRequired)) };
        let (landing, pilot) = (landing.boxed().shared(), Arc::new(()));
        state.flight = Some(Flight {
            era: ticket.era,
            landing: landing.clone(),
            pilot: Arc::downgrade(&pilot),
        });
        let keeper = self.clone();
        sync::spawn(async move {
            let redeemed = keeper.endpoint.redeem(ticket.refresh.clone()).await;
            let landed = keeper.land(ticket, redeemed).await;
            drop(pilot);
            // Whoever asked may have hung up.
            let _ = answer.send(landed);
        });
        Ok(landing)
    }

    async fn land(self: &Arc<Self>, ticket: Ticket, redeemed: Result<Granted, NotGranted>) -> Landed {
        let now = self.endpoint.now();
        let touchdown = {
            let mut state = self.state();
            state.flight = None;
            state.take(ticket, redeemed, now)
        };
        match touchdown {
            Touchdown::Renewed => {
                sync::spawn(self.clone().remember());
                Landed::Renewed
            }
            Touchdown::Failed { error, replaced } => {
                if replaced {
                    sync::spawn(self.clone().remember());
                }
                Landed::Failed(error)
            }
            Touchdown::Over { error, left } => {
                // What is left there is worth nothing any more.
                let _ = self.forget().await;
                if let Some(left) = left {
                    self.clone().end_quietly(left).await;
                }
                Landed::Failed(error)
            }
            Touchdown::Abandoned(left) => Landed::Abandoned(match left {
                Some(left) => self.end(&left).await,
                None => Ok(()),
            }),
        }
    }

    async fn end(&self, ending: &Ending) -> Result<(), IdentityError> {
        self.endpoint.end(&ending.refresh, ending.id_token.as_deref()).await
    }

    async fn end_quietly(self: Arc<Self>, ending: Ending) {
        if let Err(error) = self.end(&ending).await {
            tracing::info!(%error, "an earlier session was not ended at AeS");
        }
    }

    /// Puts the newest refresh token into the keyring, without anybody waiting for it.
    async fn remember(self: Arc<Self>) {
        // One at a time, and each looks anew what is the newest: no spent token is remembered, and none after it was to be forgotten.
        let _turn = self.remembering.lock().await;
        let (refresh, era) = {
            let state = self.state();
            if matches!(state.held, Held::Nothing) {
                // Whoever ended the session forgets.
                return;
            }
            (state.refresh(), state.era)
        };
        let remembered = match refresh {
            Some(refresh) => self.endpoint.remember(&refresh).await,
            None => {
                let _ = self.endpoint.forget().await;
                false
            }
        };
        let mut state = self.state();
        if state.era == era {
            state.remembered = remembered;
        }
    }

    async fn forget(&self) -> Result<(), KeyringState> {
        let _turn = self.remembering.lock().await;
        // Who has logged in meanwhile replaces what is remembered.
        let nobody = matches!(self.state().held, Held::Nothing);
        if nobody { self.endpoint.forget().await } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A login under way, or else the session.
    fn shown(&self, now: Moment) -> SessionState {
        match &self.login {
            Some(attempt) => SessionState::LoggingIn {
                login_url: attempt.url.clone(),
            },
            None => self.standing(now),
        }
    }

    /// The session that stands, whoever may be logging in.
    fn standing(&self, now: Moment) -> SessionState {
        match &self.held {
            Held::Tokens(tokens) if tokens.stand(now, self.failure.is_some()) => {
                let physician = tokens.physician();
                SessionState::LoggedIn {
                    actor: tokens.people.actor.clone(),
                    physician: physician.cloned(),
                    acts_for: tokens.people.choices(),
                    mandate: physician.is_some_and(|physician| tokens.people.mandate(physician)),
                    since: tokens.since,
                    until: tokens.refresh_life.unwrap_or(tokens.life).until(),
                }
            }
            Held::Tokens(_) | Held::Dormant(_) | Held::Nothing => SessionState::LoggedOut,
        }
    }

    /// Why there is no session.
    fn nobody(&self) -> IdentityError {
        let ended = self
            .failure
            .iter()
            .find(|failure| matches!(failure, IdentityError::SessionEnded { .. }));
        ended.cloned().unwrap_or(IdentityError::LoginRequired)
    }

    fn login_under_way(&self, other_account: bool) -> Option<Url> {
        let attempt = self.login.as_ref().filter(|attempt| attempt.other_account || !other_account)?;
        Some(attempt.url.clone())
    }

    fn is_under_way(&self, cancel: &Arc<Notify>) -> bool {
        self.login.as_ref().is_some_and(|attempt| Arc::ptr_eq(&attempt.cancel, cancel))
    }

    fn flying(&self) -> Option<&Flight> {
        self.flight.as_ref().filter(|flight| flight.pilot.strong_count() > 0)
    }

    /// Somebody's session is held: this person's, for all we know. Ending another of hers at AeS might end it too: one browser, one
    /// session.
    fn is_of(&self, actor: Option<&str>) -> bool {
        match &self.held {
            Held::Tokens(tokens) => actor.is_none_or(|actor| tokens.people.actor.id == actor),
            Held::Nothing | Held::Dormant(_) => false,
        }
    }

    fn refresh(&self) -> Option<Arc<Secret>> {
        match &self.held {
            Held::Nothing => None,
            Held::Dormant(refresh) => Some(refresh.clone()),
            Held::Tokens(tokens) => tokens.refresh.clone(),
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        let actor = match &self.held {
            Held::Tokens(tokens) => Some(tokens.people.actor.id.clone()),
            Held::Nothing | Held::Dormant(_) => None,
        };
        Some(Ticket {
            era: self.era,
            refresh: self.refresh()?,
            actor,
        })
    }

    /// Takes up what a renewal brought.
    fn take(&mut self, ticket: Ticket, redeemed: Result<Granted, NotGranted>, now: Moment) -> Touchdown {
        if self.era != ticket.era {
            return Touchdown::Abandoned(self.unwanted(ticket, redeemed));
        }
        match redeemed {
            Ok(granted) if ticket.actor.as_ref().is_some_and(|actor| *actor != granted.people.actor.id) => {
                let error = IdentityError::AesToken("the renewed token names somebody else".to_owned());
                self.over(error, Ending::of(granted))
            }
            Ok(mut granted) => {
                // RFC 6749, 6: without a new refresh token the old one stays valid.
                let refresh = granted.refresh.take().map(Arc::new).or(Some(ticket.refresh));
                let renewed = match std::mem::take(&mut self.held) {
                    Held::Tokens(earlier) => {
                        // For whom she may no longer act, she has not chosen.
                        let acting = earlier.acting.filter(|id| granted.people.physician_with(id).is_some());
                        let mut renewed = Tokens::new(granted, acting, earlier.since);
                        renewed.id_token = renewed.id_token.or(earlier.id_token);
                        renewed
                    }
                    Held::Nothing | Held::Dormant(_) => {
                        let acting = granted.people.unchosen().map(|physician| physician.ehealth_id.clone());
                        Tokens::new(granted, acting, now.at_aes)
                    }
                };
                self.held = Held::Tokens(Box::new(Tokens { refresh, ..renewed }));
                self.failure = None;
                Touchdown::Renewed
            }
            Err(NotGranted { error, refresh }) if ends_the_session(&error) => {
                let left = refresh.map(|refresh| Ending {
                    refresh: Arc::new(refresh),
                    id_token: None,
                });
                self.over(error, left)
            }
            Err(NotGranted { error, refresh }) => {
                self.failure = Some(error.clone());
                let replaced = refresh.is_some();
                match (&mut self.held, refresh.map(Arc::new)) {
                    (Held::Tokens(tokens), Some(refresh)) => tokens.refresh = Some(refresh),
                    (Held::Dormant(held), Some(refresh)) => *held = refresh,
                    (Held::Nothing, _) | (_, None) => {}
                }
                Touchdown::Failed { error, replaced }
            }
        }
    }

    fn over(&mut self, error: IdentityError, left: Option<Ending>) -> Touchdown {
        self.held = Held::Nothing;
        self.remembered = false;
        self.era += 1;
        self.failure = Some(error.clone());
        Touchdown::Over { error, left }
    }

    /// What is to be ended at AeS of a renewal whose session is over here.
    fn unwanted(&self, ticket: Ticket, redeemed: Result<Granted, NotGranted>) -> Option<Ending> {
        let actor = redeemed
            .as_ref()
            .map_or(ticket.actor, |granted| Some(granted.people.actor.id.clone()));
        if self.is_of(actor.as_deref()) {
            return None;
        }
        let (refresh, id_token) = match redeemed {
            Ok(granted) => (granted.refresh.map(Arc::new), granted.id_token.map(Arc::new)),
            Err(NotGranted {
                refresh: Some(refresh), ..
            }) => (Some(Arc::new(refresh)), None),
            Err(NotGranted {
                error: IdentityError::SessionEnded { .. },
                ..
            }) => return None,
            Err(_) => (None, None),
        };
        Some(Ending {
            refresh: refresh.unwrap_or(ticket.refresh),
            id_token,
        })
    }
}

enum Touchdown {
    Renewed,
    Failed {
        error: IdentityError,
        /// The refresh token is another all the same.
        replaced: bool,
    },
    Over {
        error: IdentityError,
        left: Option<Ending>,
    },
    Abandoned(Option<Ending>),
}

/// What AeS needs to end a session.
struct Ending {
    refresh: Arc<Secret>,
    id_token: Option<Arc<Secret>>,
}

impl Ending {
    fn of(granted: Granted) -> Option<Self> {
        Some(Self {
            refresh: Arc::new(granted.refresh?),
            id_token: granted.id_token.map(Arc::new),
        })
    }

    fn of_held(held: Held) -> Option<Self> {
        let (refresh, id_token) = match held {
            Held::Nothing => return None,
            Held::Dormant(refresh) => (refresh, None),
            Held::Tokens(tokens) => (tokens.refresh?, tokens.id_token),
        };
        Some(Self { refresh, id_token })
    }
}

impl Held {
    /// What is to be ended when this person's session takes the place of somebody else's.
    fn of_another_than(self, actor: &str) -> Option<Ending> {
        match &self {
            Self::Tokens(tokens) if tokens.people.actor.id != actor => Ending::of_held(self),
            // Whose a remembered session was is not known.
            Self::Tokens(_) | Self::Dormant(_) | Self::Nothing => None,
        }
    }
}

impl Tokens {
    fn new(granted: Granted, acting: Option<String>, since: OffsetDateTime) -> Self {
        Self {
            people: granted.people,
            acting,
            since,
            access: Arc::new(granted.access),
            life: granted.life,
            refresh: granted.refresh.map(Arc::new),
            refresh_life: granted.refresh_life,
            id_token: granted.id_token.map(Arc::new),
        }
    }

    /// Whether this is still a session. One whose refresh token must be dead is one until AeS was asked: only AeS knows.
    fn stand(&self, now: Moment, asked_in_vain: bool) -> bool {
        let access = !self.life.left(now).is_zero();
        let refresh = || self.refresh_life.is_none_or(|life| !life.left(now).is_zero());
        access || self.refresh.is_some() && (refresh() || !asked_in_vain)
    }

    fn physician(&self) -> Option<&crate::Physician> {
        self.people.physician_with(self.acting.as_deref()?)
    }

    fn authorized(&self) -> Result<Authorized, IdentityError> {
        let physician = self.physician().ok_or_else(|| self.people.nobody_chosen())?;
        Ok(self.people.authorized(physician, self.life.until(), self.access.clone()))
    }
}

/// AeS has spoken: trying again would change nothing.
const fn ends_the_session(error: &IdentityError) -> bool {
    matches!(
        error,
        IdentityError::SessionEnded { .. } | IdentityError::ClientRefused { .. } | IdentityError::AesToken(_)
    )
}

/// Computers sleep, and timers with them: the time is looked at this often.
const LOOK: Duration = Duration::from_secs(20);
const SHORTEST_LOOK: Duration = Duration::from_millis(50);

/// A quarter more or less: after an outage not everybody comes back in the same second.
fn jittered(pause: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(()) % 512).unwrap_or_default();
    pause * (768 + random) / 1024
}

/// Renews before the access token expires, and tries again where AeS did not answer; ends with the last owner of the keeper.
pub(crate) async fn keep_alive<E: Endpoint>(keeper: Weak<Keeper<E>>) {
    loop {
        let Some(alive) = keeper.upgrade() else { return };
        let changed = alive.changed.clone();
        let pause = alive.tend().await;
        drop(alive);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed.notified() => {}
        }
    }
}
