//! So much and no more: how many requests are worked on, how many wait, how much of it one caller may have, how long a request may take
//! to arrive and its answer to be made. Whoever is turned away hears so at once, with the time to come back.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use econnector_api::{Refusal, TrustedClient, answer_with_problem};
use econnector_base::Explain;
use econnector_connector::{Error, RequestError};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::tls::Connection;

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests worked on at once, at most; how many really are follows from how long the authorities take ([`Gate::tune`]).
    pub(crate) at_once: usize,
    /// Requests that may wait for their turn.
    pub(crate) waiting: usize,
    /// Requests of one caller under way, those that wait included.
    pub(crate) per_caller: usize,
    /// Connections.
    pub(crate) connections: usize,
    /// Until the body has arrived.
    pub(crate) body: Duration,
    /// Until the answer is there, from the head of the request on.
    pub(crate) answer: Duration,
    /// Bytes of bodies in memory, of all requests together.
    pub(crate) bodies: usize,
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
        }
    }
}

/// The largest body any route takes (a PDF and its XML), and what a stranger may send.
const LARGEST_BODY: usize = 17 * 1024 * 1024;
const STRANGERS_BODY: usize = 2 * 1024 * 1024;

/// How long the rest of a body may take whose request is refused.
const PASSED_OVER: Duration = Duration::from_secs(5);

/// Everything the guards of a request share.
pub(crate) struct Guards {
    pub(crate) limits: Limits,
    pub(crate) clients: Arc<Clients>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) metrics: Arc<Metrics>,
    callers: Arc<Callers>,
    bodies: Arc<Semaphore>,
}

impl Guards {
    pub(crate) fn new(limits: Limits, clients: Arc<Clients>, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Self {
        Self {
            limits,
            clients,
            gate,
            metrics,
            callers: Arc::default(),
            bodies: Arc::new(Semaphore::new(limits.bodies)),
        }
    }

    fn turn_away(&self, reason: &'static str, error: &dyn Explain, headers: &HeaderMap) -> Response {
        self.metrics.rejected(reason);
        said(error, headers)
    }
}

/// A problem as an answer.
pub(crate) fn said(error: &dyn Explain, headers: &HeaderMap) -> Response {
    let mut response = answer_with_problem(error, headers).map(Body::from);
    let answered = response.headers_mut();
    answered.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answered.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

/// Who called, for the access line.
#[derive(Clone)]
pub(crate) struct CallerName(pub(crate) String);

/// Stands before every route of the API: who calls, has it a place left, does its body arrive, is there a turn, is the answer in time.
pub(crate) async fn guard(State(guards): State<Arc<Guards>>, mut request: Request, next: Next) -> Response {
    // Questions after the program itself are answered to everybody and always: monitoring must not depend on the load.
    if !is_use_case(&request) {
        return next.run(request).await;
    }
    let headers = language_of(request.headers());
    let token = request.headers().get(header::AUTHORIZATION);
    let has_token = token.is_some();
    let certificate = request
        .extensions()
        .get::<Connection>()
        .and_then(|connection| connection.certificate);
    let (name, share) = match (token, guards.clients.identify(request.headers(), certificate)) {
        // A token wins: whoever brings one is whom it names.
        (Some(token), _) => ("bearer".to_owned(), Share::Token(Sha256::digest(token.as_bytes()).into())),
        (None, Ok(Some(client))) => {
            let share = Share::Client(client.name.clone());
            let name = client.name.clone();
            request.extensions_mut().insert::<TrustedClient>(client);
            (name, share)
        }
        (None, Ok(None)) => ("-".to_owned(), Share::Stranger),
        (None, Err(error)) => {
            pass_over(request.into_body());
            return guards.turn_away("client", &error, &headers);
        }
    };
    let mut response = match guards.callers.place(share, guards.limits.per_caller) {
        None => {
            pass_over(request.into_body());
            guards.turn_away("caller", &Refusal::TooManyRequests, &headers)
        }
        Some(_place) => {
            let limit = if name == "-" && !has_token { STRANGERS_BODY } else { LARGEST_BODY };
            let work = admitted(&guards, request, next, limit, &headers);
            // Dropped at the end of its time: what was sent to an authority goes on, in a task of its own, and can be asked for.
            match tokio::time::timeout(guards.limits.answer, work).await {
                Ok(response) => response,
                Err(_) => guards.turn_away("answer", &Refusal::AnswerTooSlow, &headers),
            }
        }
    };
    response.extensions_mut().insert(CallerName(name));
    response
}

async fn admitted(guards: &Guards, request: Request, next: Next, limit: usize, headers: &HeaderMap) -> Response {
    let (parts, mut incoming) = request.into_parts();
    // All of it, before a turn is asked for: who sends slowly keeps nobody else waiting.
    let arriving = arrived(&mut incoming, limit, &guards.bodies);
    let (body, _room) = match tokio::time::timeout(guards.limits.body, arriving).await {
        Ok(Ok(arrived)) => arrived,
        Ok(Err(Unusable::TooLarge)) => {
            pass_over(incoming);
            return guards.turn_away("size", &Error::from(RequestError::TooLarge), headers);
        }
        Ok(Err(Unusable::NoRoom)) => {
            pass_over(incoming);
            return guards.turn_away("busy", &Refusal::Busy, headers);
        }
        Ok(Err(Unusable::Cut)) => return guards.turn_away("cut", &Error::from(RequestError::Body), headers),
        Err(_) => return guards.turn_away("body", &Refusal::RequestTooSlow, headers),
    };
    let request = Request::from_parts(parts, Body::from(body));
    if !is_work(&request) {
        return next.run(request).await;
    }
    match guards.gate.turn().await {
        Some(_turn) => next.run(request).await,
        None => guards.turn_away("busy", &Refusal::Busy, headers),
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

/// What is needed of the headers to say a problem in the caller's language.
fn language_of(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if let Some(language) = headers.get(header::ACCEPT_LANGUAGE) {
        kept.insert(header::ACCEPT_LANGUAGE, language.clone());
    }
    kept
}

/// Lets the rest of a body arrive beside the answer, and drops it. A connection that is closed on somebody who is still sending is all
/// that he sees of the answer.
fn pass_over(mut body: Body) {
    let arriving = async move {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > LARGEST_BODY {
                break;
            }
        }
    };
    // Whoever sends more, or more slowly, is not waited for.
    tokio::spawn(tokio::time::timeout(PASSED_OVER, arriving));
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

/// The turns. As many work at once as keep the processors busy and not more: with two processors, thirty-two pages typeset at the same
/// time are each sixteen times slower, and none is ready sooner. Most of a document's time is spent waiting for authorities, so the
/// number follows from how long those take.
pub(crate) struct Gate {
    processors: usize,
    most: usize,
    waiting: usize,
    /// Whoever waits longer is better served by an answer than by a turn.
    patience: Duration,
    state: Mutex<Turns>,
    in_line: AtomicUsize,
}

struct Turns {
    open: usize,
    running: usize,
    line: VecDeque<oneshot::Sender<Turn>>,
    /// Own and remote time of a document, in seconds, smoothed.
    own: f64,
    remote: f64,
}

/// Somebody's turn; the next one's when dropped.
pub(crate) struct Turn(Arc<Gate>);

impl Gate {
    pub(crate) fn new(limits: &Limits, processors: usize) -> Arc<Self> {
        let processors = processors.max(1);
        Arc::new(Self {
            processors,
            most: limits.at_once,
            waiting: limits.waiting,
            patience: limits.answer / 3,
            state: Mutex::new(Turns {
                open: (processors * 2).min(limits.at_once),
                running: 0,
                line: VecDeque::new(),
                own: 0.0,
                remote: 0.0,
            }),
            in_line: AtomicUsize::new(0),
        })
    }

    /// Waits for a turn, in the order of asking; `None` when too many wait or it takes too long.
    pub(crate) async fn turn(self: &Arc<Self>) -> Option<Turn> {
        let turn = {
            let mut state = self.state();
            if state.running < state.open && state.line.is_empty() {
                state.running += 1;
                return Some(Turn(Arc::clone(self)));
            }
            if self.in_line.load(Ordering::Relaxed) >= self.waiting {
                return None;
            }
            let (sender, turn) = oneshot::channel();
            state.line.push_back(sender);
            turn
        };
        self.in_line.fetch_add(1, Ordering::Relaxed);
        let _waiting = InLine(self);
        tokio::time::timeout(self.patience, turn).await.ok()?.ok()
    }

    /// A document took so long here and so long at the authorities: opens as many turns as keep every processor busy while the others
    /// wait for an answer.
    pub(crate) fn tune(self: &Arc<Self>, own: Duration, remote: Duration) {
        const WEIGHT: f64 = 0.1;
        let turns = {
            let mut state = self.state();
            let first = state.own == 0.0;
            let smooth = |old: f64, new: f64| if first { new } else { old + WEIGHT * (new - old) };
            state.own = smooth(state.own, own.as_secs_f64().max(0.001));
            state.remote = smooth(state.remote, remote.as_secs_f64());
            let useful = self.processors as f64 * (1.0 + state.remote / state.own);
            // A finite positive number, cut to the bounds.
            state.open = (useful.round() as usize).clamp(self.processors.min(self.most), self.most);
            self.next(&mut state)
        };
        hand_out(turns);
    }

    /// Turns open, taken, and asked for.
    pub(crate) fn load(&self) -> (usize, usize, usize) {
        let state = self.state();
        (state.open, state.running, self.in_line.load(Ordering::Relaxed))
    }

    /// Those whose turn it is now, with the turns they get. Handed out without the lock: a turn that nobody takes comes back.
    fn next(self: &Arc<Self>, state: &mut Turns) -> Vec<(oneshot::Sender<Turn>, Turn)> {
        let mut turns = Vec::new();
        while state.running < state.open
            && let Some(sender) = state.line.pop_front()
        {
            if !sender.is_closed() {
                state.running += 1;
                turns.push((sender, Turn(Arc::clone(self))));
            }
        }
        turns
    }

    fn state(&self) -> MutexGuard<'_, Turns> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hand_out(turns: Vec<(oneshot::Sender<Turn>, Turn)>) {
    for (sender, turn) in turns {
        // Whoever has gone meanwhile gives it back by dropping it.
        let _ = sender.send(turn);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let turns = {
            let mut state = self.0.state();
            state.running -= 1;
            self.0.next(&mut state)
        };
        hand_out(turns);
    }
}

struct InLine<'a>(&'a Gate);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.in_line.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at_once: usize, waiting: usize) -> Arc<Gate> {
        let limits = Limits {
            at_once,
            waiting,
            ..Limits::default()
        };
        Gate::new(&limits, 1)
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_given_in_order_and_who_is_too_many_hears_so_at_once() {
        let gate = gate(1, 1);
        let first = gate.turn().await.unwrap();
        let second = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.turn().await.is_some() }
        });
        tokio::task::yield_now().await;
        assert_eq!(gate.load(), (1, 1, 1));
        assert!(gate.turn().await.is_none(), "the line is full");
        drop(first);
        assert!(second.await.unwrap());
        tokio::task::yield_now().await;
        assert_eq!(gate.load(), (1, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_or_goes_away_leaves_no_turn_behind() {
        let gate = gate(1, 10);
        let held = gate.turn().await.unwrap();
        assert!(gate.turn().await.is_none(), "patience ends");
        let gone = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.turn().await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        drop(held);
        assert_eq!(gate.load(), (1, 0, 0));
        assert!(gate.turn().await.is_some());
    }

    #[tokio::test]
    async fn slow_authorities_open_turns_and_fast_ones_close_them() {
        let gate = gate(32, 10);
        let open = |gate: &Arc<Gate>| gate.load().0;
        for _ in 0..100 {
            gate.tune(Duration::from_millis(40), Duration::from_millis(400));
        }
        assert_eq!(open(&gate), 11);
        for _ in 0..100 {
            gate.tune(Duration::from_millis(40), Duration::from_secs(30));
        }
        assert_eq!(open(&gate), 32, "never more than allowed");
        for _ in 0..200 {
            gate.tune(Duration::from_millis(40), Duration::from_millis(4));
        }
        assert_eq!(open(&gate), 1);
    }

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
