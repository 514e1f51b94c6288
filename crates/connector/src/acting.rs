//! Somebody at work in a physician's name. Their token may be renewed on the way, so a living one is asked for before each call to an
//! authority; who acts for whom may not change on the way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::{AuthorityWords, Clock, Explain, Fault, Secret};
use econnector_identity::{Authorized, Identity, IdentityError, Principal, SessionState};
use econnector_journal::{Entry, State};
use econnector_mysecu::{AccessToken, MySecuError};
use econnector_signature::{
    Algorithm, Bearer, Expected, FieldOptions, NoToken, Probe, SignatureError, SignedPdf, Signer, SignerCertificate,
};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::memory::Era;
use crate::observe::Stopwatch;
use crate::run::{SignedBy, who};
use crate::{Caller, Connector, Error};

/// Somebody at work in a physician's name.
pub(crate) struct Acting<'a> {
    pub(crate) connector: &'a Arc<Connector>,
    pub(crate) principal: Principal,
    pub(crate) watch: &'a Stopwatch,
    /// In what the work is remembered.
    pub(crate) era: Era,
    access: Arc<Access>,
}

impl<'a> Acting<'a> {
    pub(crate) fn begin(connector: &'a Arc<Connector>, caller: &Caller, authorized: Authorized, watch: &'a Stopwatch) -> Self {
        let Authorized { principal, token } = authorized;
        let source = match caller {
            Caller::OwnSession => Source::Session,
            Caller::Bearer { .. } => {
                let left = left_until(principal.until, connector.identity.time());
                Source::Bearer {
                    over: connector.clock.elapsed().saturating_add(left),
                }
            }
            Caller::Delegate { ehealth_id, .. } => Source::Exchange(ehealth_id.clone()),
        };
        let access = Access {
            identity: Arc::clone(&connector.identity),
            clock: Arc::clone(&connector.clock),
            source,
            principal: principal.clone(),
            newest: Mutex::new(token),
        };
        Self {
            connector,
            principal,
            watch,
            era: connector.memory.era(caller),
            access: Arc::new(access),
        }
    }

    /// Where mySecu's STS gets the token from that it is asked with.
    pub(crate) fn access_token(&self) -> Arc<dyn AccessToken> {
        Arc::clone(&self.access) as Arc<dyn AccessToken>
    }

    /// The journal's line of what is begun under an id.
    pub(crate) fn entry(&self, id: Uuid, kind: &str, state: State) -> Entry {
        Entry {
            id,
            kind: kind.to_owned(),
            state,
            created_at: self.connector.clock.now(),
            finished_at: None,
            who: who(&self.principal),
            provider_code: None,
            reference: None,
            correlation_id: None,
            replaces: None,
            replaced_by: None,
            cancellation: None,
            problem: None,
        }
    }

    /// Signs a PDF in the physician's name.
    pub(crate) async fn sign_pdf(&self, pdf: &[u8], kind: &str) -> Result<(Zeroizing<Vec<u8>>, SignedBy), Error> {
        let connector = self.connector;
        let expected = Expected {
            ehealth_id: &self.principal.physician.ehealth_id,
        };
        let field = FieldOptions {
            name: format!("Signature-{kind}"),
            ..FieldOptions::default()
        };
        // Each call asks for a token of its own; this one only says in whose name.
        let bearer = self.bearer(self.access.newest());
        let signed = econnector_signature::sign_pdf(pdf, self, &bearer, &expected, &connector.trust, connector.clock.now(), &field).await;
        let SignedPdf {
            bytes,
            signer_name,
            timestamp,
            ..
        } = signed.map_err(without_token_at_the_kms)?;
        let signed = SignedBy {
            name: signer_name,
            at: timestamp,
        };
        Ok((bytes, signed))
    }

    /// That nobody else logged in, and nobody else was chosen, since this was begun. For calls that need no token of the session's.
    pub(crate) async fn unchanged(&self) -> Result<(), Error> {
        let Source::Session = self.access.source else { return Ok(()) };
        // Whoever is about to log in has not done so yet.
        match self.connector.identity.session().await.standing {
            SessionState::LoggedIn { actor, physician, .. } => {
                let same = actor.id == self.principal.actor.id
                    && physician.is_some_and(|physician| physician.ehealth_id == self.principal.physician.ehealth_id);
                if same { Ok(()) } else { Err(Error::SessionChanged) }
            }
            // Whoever began it is gone, and nobody has come instead: it is finished in her name.
            SessionState::LoggedOut | SessionState::LoggingIn { .. } => Ok(()),
        }
    }

    /// Another token, when mySecu refused the newest before it did anything: `false` when there is none, because it is the caller's own.
    pub(crate) async fn has_another_token(&self) -> Result<bool, MySecuError> {
        let newest = self.access.newest();
        let another = self.watch.waiting(self.access.another(&newest)).await;
        Ok(another.map_err(|error| MySecuError::NoToken(Box::new(error)))?.is_some())
    }

    /// What a failure after the signature means: a caller whose token ended may go on with another. An authority that refuses a token
    /// knows better than this program whether it is over.
    pub(crate) fn after_signing(&self, error: Error) -> Error {
        let refused = matches!(&error, Error::Deposit(error) if matches!(**error, MySecuError::TokenRefused(_)));
        let expired = matches!(&error, Error::Identity(IdentityError::TokenExpired));
        if expired || (refused && matches!(self.access.source, Source::Bearer { .. })) {
            Error::ExpiredMidway
        } else {
            error
        }
    }

    fn bearer(&self, token: Arc<Secret>) -> Bearer {
        let principal = &self.principal;
        Bearer {
            token,
            subject: principal.mandate.then(|| principal.physician.ehealth_id.clone()),
        }
    }

    /// Asks the signature service with a living token; once more with another when it refused that one, for then it did nothing.
    async fn with_token<T, F>(&self, ask: impl Fn(Bearer) -> F + Send + Sync) -> Result<T, SignatureError>
    where
        F: Future<Output = Result<T, SignatureError>> + Send,
    {
        let no_token = |error: NoAccess| SignatureError::NoToken(NoToken::new(error));
        let token = self.watch.waiting(self.access.alive()).await.map_err(no_token)?;
        let refused = match self.watch.waiting(ask(self.bearer(Arc::clone(&token)))).await {
            Err(refused @ SignatureError::TokenRefused(_)) => refused,
            answered => return answered,
        };
        match self.watch.waiting(self.access.another(&token)).await.map_err(no_token)? {
            Some(another) => self.watch.waiting(ask(self.bearer(another))).await,
            None => Err(refused),
        }
    }
}

/// The signer, with living tokens, and with its time counted.
#[async_trait]
impl Signer for Acting<'_> {
    async fn certificate(&self, _: &Bearer) -> Result<SignerCertificate, SignatureError> {
        let signer = &self.connector.signer;
        self.with_token(|bearer| async move { signer.certificate(&bearer).await }).await
    }

    async fn sign(&self, _: &Bearer, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        // A signature without a timestamp is lost.
        if self.access.left().is_some_and(|left| left < TO_THE_TIMESTAMP) {
            return Err(SignatureError::NoToken(NoToken::new(NoAccess::from(IdentityError::TokenExpired))));
        }
        let signer = &self.connector.signer;
        self.with_token(|bearer| async move { signer.sign(&bearer, data, algorithm).await })
            .await
    }

    async fn timestamp(&self, _: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signer = &self.connector.signer;
        let ask = || self.with_token(|bearer| async move { signer.timestamp(&bearer, query).await });
        match ask().await {
            // The signature is made, and would be lost. A timestamp may be asked for twice.
            Err(SignatureError::Net { .. } | SignatureError::Failed { status: 500.., .. }) => ask().await,
            answered => answered,
        }
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        self.connector.signer.probe().await
    }
}

/// What must be left of a caller's token for the signature and its timestamp.
const TO_THE_TIMESTAMP: Duration = Duration::from_secs(10);

/// The tokens of one piece of work.
struct Access {
    identity: Arc<dyn Identity>,
    clock: Arc<dyn Clock>,
    source: Source,
    /// Who acted for whom when it began.
    principal: Principal,
    newest: Mutex<Arc<Secret>>,
}

/// Where they come from.
enum Source {
    /// The desktop's session.
    Session,
    /// The caller, who brought one and no other.
    Bearer {
        /// When so much time has gone by ([`Clock::elapsed`]), it is over, whatever the time of day.
        over: Duration,
    },
    /// AeS, for this eHealthID.
    Exchange(String),
}

impl Access {
    /// A token that lives now. One that a caller brought is granted no leeway: it leaves this program.
    async fn alive(&self) -> Result<Arc<Secret>, NoAccess> {
        match &self.source {
            Source::Session => self.take(self.identity.authorized().await?),
            Source::Exchange(ehealth_id) => self.take(self.identity.on_behalf_of(ehealth_id).await?),
            Source::Bearer { .. } if self.left().is_some_and(|left| left.is_zero()) => Err(IdentityError::TokenExpired.into()),
            Source::Bearer { .. } => Ok(self.newest()),
        }
    }

    /// Another in place of one that an authority refused; none when it is the caller's own.
    async fn another(&self, refused: &Secret) -> Result<Option<Arc<Secret>>, NoAccess> {
        let another = match &self.source {
            Source::Session => self.identity.renewed(refused).await?,
            Source::Exchange(ehealth_id) => self.identity.exchanged_anew(ehealth_id, refused).await?,
            Source::Bearer { .. } => return Ok(None),
        };
        self.take(another).map(Some)
    }

    fn take(&self, now: Authorized) -> Result<Arc<Secret>, NoAccess> {
        let (then, now, token) = (&self.principal, now.principal, now.token);
        // The program in a hospital that acts is this door's to name, and AeS says another actor.
        let same_actor = matches!(self.source, Source::Exchange(_)) || then.actor.id == now.actor.id;
        if !same_actor || then.physician.ehealth_id != now.physician.ehealth_id {
            return Err(NoAccess::Changed);
        }
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&token);
        Ok(token)
    }

    fn newest(&self) -> Arc<Secret> {
        Arc::clone(&self.newest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is left of a caller's own token; the others are asked for anew each time. Of AeS' clock and the time that went by the stricter
    /// counts: neither a clock that is set nor sleep makes it live longer.
    fn left(&self) -> Option<Duration> {
        let Source::Bearer { over } = self.source else { return None };
        let by_aes = left_until(self.principal.until, self.identity.time());
        Some(by_aes.min(over.saturating_sub(self.clock.elapsed())))
    }
}

fn left_until(end: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(end - now).unwrap_or_default()
}

#[async_trait]
impl AccessToken for Access {
    async fn fresh(&self) -> Result<Arc<Secret>, Box<dyn Explain + Send + Sync>> {
        let alive = self.alive().await;
        alive.map_err(|error| Box::new(error) as Box<dyn Explain + Send + Sync>)
    }
}

/// Why there is no token. It travels through the crates that talk to the authorities, and comes out as what it is.
#[derive(Clone, Debug, thiserror::Error)]
enum NoAccess {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("somebody else is logged in by now")]
    Changed,
}

impl Explain for NoAccess {
    fn code(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.code(),
            Self::Changed => "session-changed",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Identity(error) => error.fault(),
            Self::Changed => Fault::You,
        }
    }

    fn authority(&self) -> Option<AuthorityWords> {
        match self {
            Self::Identity(error) => error.authority(),
            Self::Changed => None,
        }
    }
}

impl From<NoAccess> for Error {
    fn from(error: NoAccess) -> Self {
        match error {
            NoAccess::Identity(error) => error.into(),
            NoAccess::Changed => Self::SessionChanged,
        }
    }
}

fn without_token_at_the_kms(error: SignatureError) -> Error {
    let own = match &error {
        SignatureError::NoToken(why) => why.downcast_ref::<NoAccess>().cloned(),
        _ => None,
    };
    own.map_or_else(|| error.into(), Error::from)
}

/// The same for mySecu.
pub(crate) fn without_token_at_mysecu(error: MySecuError) -> Error {
    let own = match &error {
        MySecuError::NoToken(why) => {
            let why: &(dyn std::error::Error + 'static) = &**why;
            why.downcast_ref::<NoAccess>().cloned()
        }
        _ => None,
    };
    own.map_or_else(|| error.into(), Error::from)
}
