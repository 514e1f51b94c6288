//! What AeS remembers: logins under way, single-sign-on sessions, codes, refresh tokens.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::people::Person;

/// An authorization code lives a minute (RFC 6749, 4.1.2 recommends ten at most).
const CODE_LIFE: Duration = Duration::seconds(60);
const LOGIN_LIFE: Duration = Duration::minutes(10);

/// An authorization request that was found in order.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) client_id: &'static str,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) scope: String,
}

/// Somebody's single-sign-on session.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) person: &'static Person,
    pub(super) since: OffsetDateTime,
    idle_until: OffsetDateTime,
}

/// What a refresh token or a code stands for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) client_id: &'static str,
    pub(super) person: &'static Person,
    pub(super) session: Option<String>,
    pub(super) since: OffsetDateTime,
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    /// `act.sub` of the tokens of an exchange.
    pub(super) actor: Option<String>,
}

pub(super) enum Redeemed {
    Grant(Box<(Asked, Grant)>),
    /// Used a second time: what was issued for it is revoked (RFC 6749, 4.1.2).
    Reused,
    Unknown,
}

pub(super) enum Rotated {
    Fresh(Grant, String),
    /// A token used before: the family is dead, its newest token included.
    Reused(&'static str),
    Unknown,
}

struct Code {
    asked: Asked,
    grant: Grant,
    until: OffsetDateTime,
    family: Option<Uuid>,
    used: bool,
}

/// All refresh tokens that descend from one login or exchange.
struct Family {
    grant: Grant,
    current: String,
    spent: HashSet<String>,
    until: OffsetDateTime,
}

#[derive(Default)]
struct Inner {
    logins: HashMap<String, (Asked, OffsetDateTime)>,
    sessions: HashMap<String, Session>,
    codes: HashMap<String, Code>,
    families: HashMap<Uuid, Family>,
}

pub(super) struct Store {
    inner: Mutex<Inner>,
    idle: Duration,
}

impl Store {
    pub(super) fn new(refresh_ttl: u64) -> Self {
        Self {
            inner: Mutex::default(),
            idle: Duration::seconds(i64::try_from(refresh_ttl).unwrap_or(i64::MAX)),
        }
    }

    /// Remembers a request while its login page is open.
    pub(super) fn await_login(&self, asked: Asked) -> String {
        let id = opaque();
        let now = crate::now();
        let mut inner = self.lock();
        inner.logins.retain(|_, (_, until)| *until > now);
        inner.logins.insert(id.clone(), (asked, now + LOGIN_LIFE));
        id
    }

    pub(super) fn awaited(&self, login: &str) -> Option<Asked> {
        let now = crate::now();
        self.lock()
            .logins
            .get(login)
            .filter(|(_, until)| *until > now)
            .map(|(asked, _)| asked.clone())
    }

    pub(super) fn login_done(&self, login: &str) {
        self.lock().logins.remove(login);
    }

    pub(super) fn begin_session(&self, person: &'static Person) -> Session {
        let now = crate::now();
        let session = Session {
            id: Uuid::new_v4().to_string(),
            person,
            since: now,
            idle_until: now.saturating_add(self.idle),
        };
        let mut inner = self.lock();
        inner.sessions.retain(|_, s| s.idle_until > now);
        inner.sessions.insert(session.id.clone(), session.clone());
        session
    }

    pub(super) fn session(&self, id: &str) -> Option<Session> {
        let now = crate::now();
        self.lock().sessions.get(id).filter(|s| s.idle_until > now).cloned()
    }

    pub(super) fn session_lives(&self, id: &str) -> bool {
        self.session(id).is_some()
    }

    /// Ends a session and every refresh token that came from it; answers whose it was.
    pub(super) fn end_session(&self, id: &str) -> Option<&'static str> {
        let mut inner = self.lock();
        inner.codes.retain(|_, code| code.grant.session.as_deref() != Some(id));
        inner.families.retain(|_, family| family.grant.session.as_deref() != Some(id));
        inner.sessions.remove(id).map(|session| session.person.username)
    }

    /// Ends all sessions, and with them every code and refresh token; login pages stay open.
    pub(super) fn end_all(&self) {
        let mut inner = self.lock();
        inner.codes.clear();
        inner.families.clear();
        inner.sessions.clear();
    }

    pub(super) fn end_session_of(&self, refresh_token: &str, client_id: &str) -> Option<&'static str> {
        let grant = {
            let inner = self.lock();
            inner
                .family_of(refresh_token)
                .and_then(|id| inner.families.get(&id))
                .map(|family| family.grant.clone())
        }?;
        if grant.client_id != client_id {
            return None;
        }
        match &grant.session {
            Some(session) => {
                self.end_session(session);
            }
            None => self.revoke(refresh_token, client_id),
        }
        Some(grant.person.username)
    }

    pub(super) fn issue_code(&self, asked: Asked, session: &Session) -> String {
        let now = crate::now();
        let grant = Grant {
            client_id: asked.client_id,
            person: session.person,
            session: Some(session.id.clone()),
            since: session.since,
            scope: asked.scope.clone(),
            nonce: asked.nonce.clone(),
            actor: None,
        };
        let code = format!("{}.{}", opaque(), session.id);
        let mut inner = self.lock();
        inner.codes.retain(|_, code| code.until + LOGIN_LIFE > now);
        inner.codes.insert(
            code.clone(),
            Code {
                asked,
                grant,
                until: now + CODE_LIFE,
                family: None,
                used: false,
            },
        );
        code
    }

    pub(super) fn redeem(&self, code: &str) -> Redeemed {
        let now = crate::now();
        let mut inner = self.lock();
        let Some(entry) = inner.codes.get_mut(code) else {
            return Redeemed::Unknown;
        };
        if entry.used {
            let family = entry.family;
            if let Some(family) = family {
                inner.families.remove(&family);
            }
            return Redeemed::Reused;
        }
        entry.used = true;
        if entry.until <= now {
            Redeemed::Unknown
        } else {
            Redeemed::Grant(Box::new((entry.asked.clone(), entry.grant.clone())))
        }
    }

    /// The first refresh token of a family.
    pub(super) fn refreshable(&self, grant: Grant, code: Option<&str>) -> String {
        let now = crate::now();
        let (id, token) = (Uuid::new_v4(), opaque());
        let mut inner = self.lock();
        inner.families.retain(|_, family| family.until > now);
        let family = Family {
            grant,
            current: token.clone(),
            spent: HashSet::new(),
            until: now.saturating_add(self.idle),
        };
        inner.families.insert(id, family);
        if let Some(code) = code.and_then(|code| inner.codes.get_mut(code)) {
            code.family = Some(id);
        }
        token
    }

    /// Replaces a refresh token by a new one.
    pub(super) fn rotate(&self, token: &str, client_id: &str) -> Rotated {
        let now = crate::now();
        let mut inner = self.lock();
        let Some(id) = inner.family_of(token) else {
            return Rotated::Unknown;
        };
        let until = now.saturating_add(self.idle);
        let Some(family) = inner
            .families
            .get_mut(&id)
            .filter(|f| f.grant.client_id == client_id && f.until > now)
        else {
            return Rotated::Unknown;
        };
        if family.current != token {
            let username = family.grant.person.username;
            inner.families.remove(&id);
            return Rotated::Reused(username);
        }
        let fresh = opaque();
        family.spent.insert(std::mem::replace(&mut family.current, fresh.clone()));
        family.until = until;
        let grant = family.grant.clone();
        if let Some(session) = grant.session.as_ref().and_then(|id| inner.sessions.get_mut(id)) {
            session.idle_until = until;
        }
        Rotated::Fresh(grant, fresh)
    }

    /// To which login or exchange a refresh token belongs, spent or not.
    pub(super) fn family_of(&self, token: &str) -> Option<Uuid> {
        self.lock().family_of(token)
    }

    /// Whose refresh token this was, when it has been redeemed.
    pub(super) fn spent_by(&self, token: &str) -> Option<&'static str> {
        let inner = self.lock();
        let family = inner.families.values().find(|family| family.spent.contains(token))?;
        Some(family.grant.person.username)
    }

    pub(super) fn revoke(&self, token: &str, client_id: &str) {
        let mut inner = self.lock();
        if let Some(id) = inner.family_of(token)
            && inner.families.get(&id).is_some_and(|family| family.grant.client_id == client_id)
        {
            inner.families.remove(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn family_of(&self, token: &str) -> Option<Uuid> {
        self.families
            .iter()
            .find(|(_, family)| family.current == token || family.spent.contains(token))
            .map(|(id, _)| *id)
    }
}

/// 244 random bits.
fn opaque() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
