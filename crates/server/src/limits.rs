//! So much and no more: how many requests are worked on, how many wait, how much of it one caller may have, how long a request may take
//! to arrive and its answer to be made. Whoever is turned away hears so at once, with the time to come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use econnector_answers::{LARGEST_BODY, explained, language, pass_over, repeated};
use econnector_api::{Refusal, TrustedClient};
use econnector_base::{Explain, Secret};
use econnector_connector::{Connector, Error, RequestError};
use econnector_forms::Lang;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use crate::access::{CallerName, REQUEST_ID};
use crate::clients::{ClientError, Clients, KEY_HEADER};
use crate::connections::Connection;
use crate::metrics::Metrics;
use crate::turns::Gate;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests worked on at once, at most; how many really are follows from how long the authorities take ([`Gate::tune`]).
    pub(crate) at_once: usize,
    /// Requests that may wait for their turn.
    pub(crate) waiting: usize,
    /// Requests of one caller under way, those that wait included, and those that the caller waits for no more.
    pub(crate) per_caller: usize,
    /// Connections.
    pub(crate) connections: usize,
    /// Until the body has arrived.
    pub(crate) body: Duration,
    /// Until the answer is there.
    pub(crate) answer: Duration,
    /// Bytes of bodies in memory, of all known callers together.
    pub(crate) bodies: usize,
    /// The same of all strangers together: they take no room of the others.
    pub(crate) strangers_bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_once: 32,
            waiting: 128,
            per_caller: 64,
            connections: 1024,
            body: Duration::from_secs(15),
            answer: Duration::from_secs(90),
            bodies: 64 * 1024 * 1024,
            strangers_bodies: 16 * 1024 * 1024,
        }
    }
}

/// What a stranger may send: a form with its values is a few kilobytes.
const STRANGERS_BODY: usize = 2 * 1024 * 1024;

/// How long the rest of a body may take whose request is refused.
const PASSED_OVER: Duration = Duration::from_secs(5);

/// Everything the guards of a request share.
pub(crate) struct Guards {
    limits: Limits,
    clients: Arc<Clients>,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    connector: Arc<Connector>,
    callers: Arc<Callers>,
    bodies: Arc<Semaphore>,
    strangers_bodies: Arc<Semaphore>,
}

impl Guards {
    pub(crate) fn new(limits: Limits, clients: Arc<Clients>, gate: Arc<Gate>, metrics: Arc<Metrics>, connector: Arc<Connector>) -> Self {
        Self {
            limits,
            clients,
            gate,
            metrics,
            connector,
            callers: Arc::default(),
            bodies: Arc::new(Semaphore::new(limits.bodies)),
            strangers_bodies: Arc::new(Semaphore::new(limits.strangers_bodies)),
        }
    }

    fn turn_away(&self, reason: &'static str, error: &dyn Explain, lang: Lang) -> Response {
        self.metrics.rejected(reason);
        explained(error, lang).map(Body::from)
    }

    /// Who calls, proven before anything of the body is read. A token wins: whoever brings one is whom it names.
    async fn caller(&self, headers: &HeaderMap, certificate: Option<[u8; 32]>) -> Result<Caller, ClientError> {
        let names = [&header::AUTHORIZATION, &KEY_HEADER, &REQUEST_ID];
        if names.into_iter().any(|name| repeated(headers, name)) {
            return Err(ClientError::HeaderRepeated);
        }
        let Some(token) = headers.get(header::AUTHORIZATION) else {
            let client = self.clients.identify(headers, certificate)?;
            return Ok(client.map_or_else(|| Caller::stranger(None), Caller::client));
        };
        let proven = match bearer(token) {
            Some(token) => self.connector.knows(&token).await,
            None => Err(RequestError::TokenMissing.into()),
        };
        Ok(match proven {
            Ok(()) => Caller {
                name: "bearer".to_owned(),
                share: Share::Token(Sha256::digest(token.as_bytes()).into()),
                client: None,
                doubt: None,
            },
            Err(doubt) => Caller::stranger(Some(doubt)),
        })
    }
}

struct Caller {
    name: String,
    share: Share,
    client: Option<TrustedClient>,
    /// Why its token proves nothing. The routes say so where they want one; not all do.
    doubt: Option<Error>,
}

impl Caller {
    fn client(client: TrustedClient) -> Self {
        Self {
            name: client.name.clone(),
            share: Share::Client(client.name.clone()),
            client: Some(client),
            doubt: None,
        }
    }

    fn stranger(doubt: Option<Error>) -> Self {
        Self {
            name: "-".to_owned(),
            share: Share::Stranger,
            client: None,
            doubt,
        }
    }
}

/// The token of an `Authorization` header.
fn bearer(value: &header::HeaderValue) -> Option<Secret> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| Secret::new(token.trim()))
}

/// Stands before every route of the API: who calls, has it a place left, does its body arrive, is there a turn, is the answer in time.
pub(crate) async fn guard(State(guards): State<Arc<Guards>>, mut request: Request, next: Next) -> Response {
    // Questions after the program itself are answered to everybody and always: monitoring must not depend on the load.
    if !is_use_case(&request) {
        return next.run(request).await;
    }
    let lang = language(request.headers());
    let connection = request.extensions().get::<Connection>();
    let certificate = connection.and_then(|connection| connection.certificate);
    let caller = match guards.caller(request.headers(), certificate).await {
        Ok(caller) => caller,
        Err(error) => {
            pass_over(request.into_body(), PASSED_OVER);
            return guards.turn_away("client", &error, lang);
        }
    };
    if let Some(name) = request.extensions().get::<CallerName>() {
        name.tell(&caller.name);
    }
    let Some(place) = guards.callers.place(caller.share.clone(), guards.limits.per_caller) else {
        pass_over(request.into_body(), PASSED_OVER);
        return guards.turn_away("caller", &Refusal::TooManyRequests, lang);
    };
    if let Some(client) = &caller.client {
        request.extensions_mut().insert(client.clone());
    }
    let answer = admitted(&guards, &caller, place, request, next, lang);
    match tokio::time::timeout(guards.limits.answer, answer).await {
        Ok(response) => response,
        Err(_) => guards.turn_away("answer", &Refusal::AnswerTooSlow, lang),
    }
}

async fn admitted(guards: &Guards, caller: &Caller, place: Place, request: Request, next: Next, lang: Lang) -> Response {
    let (parts, mut incoming) = request.into_parts();
    let (limit, bodies) = match caller.share {
        Share::Stranger => (STRANGERS_BODY, &guards.strangers_bodies),
        _ => (LARGEST_BODY, &guards.bodies),
    };
    // All of it, before a turn is asked for: who sends slowly keeps nobody else waiting.
    let arriving = arrived(&mut incoming, limit, bodies);
    let (body, room) = match tokio::time::timeout(guards.limits.body, arriving).await {
        Ok(Ok(arrived)) => arrived,
        Ok(Err(Unusable::TooLarge)) => {
            pass_over(incoming, PASSED_OVER);
            return match &caller.doubt {
                // With a token that holds it would not be too large.
                Some(doubt) => guards.turn_away("client", doubt, lang),
                None => guards.turn_away("size", &Error::from(RequestError::TooLarge), lang),
            };
        }
        Ok(Err(Unusable::NoRoom)) => {
            pass_over(incoming, PASSED_OVER);
            return guards.turn_away("busy", &Refusal::Busy, lang);
        }
        Ok(Err(Unusable::Cut)) => return guards.turn_away("cut", &Error::from(RequestError::Body), lang),
        Err(_) => return guards.turn_away("body", &Refusal::RequestTooSlow, lang),
    };
    let request = Request::from_parts(parts, Body::from(body));
    if !is_work(&request) {
        return next.run(request).await;
    }
    let Some(turn) = guards.gate.turn().await else {
        return guards.turn_away("busy", &Refusal::Busy, lang);
    };
    // Work goes on when nobody waits for it any more, and whoever hangs up or has been told "too slow" must not get back what it takes
    // before it has ended. So the work holds it, in a task of its own.
    let held = (place, room, turn);
    let work = async move {
        let response = next.run(request).await;
        drop(held);
        response
    };
    match tokio::spawn(work.instrument(tracing::Span::current())).await {
        Ok(response) => response,
        Err(_) => explained(&Error::Interrupted, lang).map(Body::from),
    }
}

/// Everything below `/econnector/v1` but the description of itself.
fn is_use_case(request: &Request) -> bool {
    let path = request.uri().path();
    path.starts_with("/econnector/v1/") && !matches!(path, "/econnector/v1/openapi.json" | "/econnector/v1/status")
}

/// Pages are typeset, signed or drawn. Asking how far a document is never waits behind those.
fn is_work(request: &Request) -> bool {
    let draws = |path: &MatchedPath| path.as_str().contains("/volets/");
    request.method() == Method::POST || request.extensions().get::<MatchedPath>().is_some_and(draws)
}

enum Unusable {
    TooLarge,
    NoRoom,
    Cut,
}

/// The whole body, counted against the room that all bodies have together.
async fn arrived(body: &mut Body, limit: usize, room: &Arc<Semaphore>) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Unusable> {
    let mut taken: Option<OwnedSemaphorePermit> = None;
    let mut parts: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unusable::Cut)?.into_data() else {
            continue;
        };
        length += data.len();
        if length > limit {
            return Err(Unusable::TooLarge);
        }
        let size = u32::try_from(data.len()).map_err(|_| Unusable::TooLarge)?;
        let more = Arc::clone(room).try_acquire_many_owned(size).map_err(|_| Unusable::NoRoom)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        parts.push(data);
    }
    let whole = match parts.as_slice() {
        [] => Bytes::new(),
        [one] => one.clone(),
        many => many.concat().into(),
    };
    Ok((whole, taken))
}

/// Whose share a request counts against.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Share {
    Client(String),
    /// SHA-256 of the token: one physician's, for as long as it lives.
    Token([u8; 32]),
    Stranger,
}

/// How many requests of each caller are under way.
#[derive(Default)]
struct Callers(Mutex<HashMap<Share, usize>>);

struct Place {
    callers: Arc<Callers>,
    share: Share,
}

impl Callers {
    fn place(self: &Arc<Self>, share: Share, most: usize) -> Option<Place> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = callers.entry(share.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place {
            callers: Arc::clone(self),
            share,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut callers = self.callers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = callers.get_mut(&self.share) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_its_share_and_gets_it_back() {
        let callers = Arc::new(Callers::default());
        let one = || callers.place(Share::Client("mirth".to_owned()), 2);
        let (first, second) = (one(), one());
        assert!(first.is_some() && second.is_some() && one().is_none());
        assert!(callers.place(Share::Stranger, 2).is_some());
        drop(first);
        assert!(one().is_some());
        drop(second);
        assert!(callers.0.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[tokio::test]
    async fn a_body_is_bounded_alone_and_all_bodies_together() {
        let room = Arc::new(Semaphore::new(10));
        let (held, _room) = arrived(&mut Body::from("12345678"), 100, &room).await.ok().unwrap();
        assert_eq!(held, "12345678");
        assert!(matches!(arrived(&mut Body::from("123"), 100, &room).await, Err(Unusable::NoRoom)));
        assert!(matches!(arrived(&mut Body::from("12"), 1, &room).await, Err(Unusable::TooLarge)));
        drop(_room);
        assert!(arrived(&mut Body::from("123"), 100, &room).await.is_ok());
    }
}
