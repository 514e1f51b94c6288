//! Telling whoever counts what was done, and how long it took: never about whom.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use econnector_base::Explain as _;

use crate::{Error, Issued};

/// What a use case does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A document is signed and deposited.
    Deposit,
    /// A PDF made elsewhere is signed.
    Sign,
    /// The authority is asked what it would pay.
    Simulate,
    /// The authority is told to pay.
    Pay,
    /// Remarks of the authority are contested.
    Contest,
    /// A deposited document is cancelled.
    Cancel,
    /// A signed PDF is judged.
    Verify,
}

/// One use case that came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was to be done.
    pub action: Action,
    /// The form's kind; `pdf` for a PDF without a form, empty when the request named none that there is.
    pub kind: String,
    /// `ok`, `recorded` when an earlier call had settled it, or the code of the problem.
    pub outcome: &'static str,
    /// Spent in this program, from the moment nobody else worked on the same document.
    pub own: Duration,
    /// Spent waiting for AeS, the KMS and mySecu.
    pub remote: Duration,
}

/// Hears of every use case that came to an end, well or not. Called where others wait: it must not block.
pub trait Observer: Send + Sync {
    /// One more.
    fn observed(&self, what: &Observation);
}

/// Listens to nothing.
pub struct NoObserver;

impl Observer for NoObserver {
    fn observed(&self, _: &Observation) {}
}

/// Tells our own time from that spent waiting for others.
pub(crate) struct Stopwatch {
    started: Instant,
    remote: Mutex<Duration>,
    kind: OnceLock<String>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            remote: Mutex::default(),
            kind: OnceLock::new(),
        }
    }

    /// Notes which kind of form it is about: one that there is, for kinds are counted.
    pub(crate) fn about(&self, kind: &str) {
        self.kind.get_or_init(|| kind.to_owned());
    }

    /// Counts what is spent waiting for somebody else.
    pub(crate) async fn waiting<T>(&self, answer: impl Future<Output = T>) -> T {
        let asked = Instant::now();
        let answer = answer.await;
        *self.remote.lock().unwrap_or_else(PoisonError::into_inner) += asked.elapsed();
        answer
    }

    /// Our own time and that of others so far.
    pub(crate) fn read(&self) -> (Duration, Duration) {
        let remote = *self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        (self.started.elapsed().saturating_sub(remote), remote)
    }
}

/// A use case under way: whatever becomes of it, its end is told.
pub(crate) struct Watched {
    observer: Arc<dyn Observer>,
    action: Action,
    watch: Arc<Stopwatch>,
    outcome: &'static str,
}

impl Watched {
    pub(crate) fn begin(observer: &Arc<dyn Observer>, action: Action, watch: &Arc<Stopwatch>) -> Self {
        Self {
            observer: Arc::clone(observer),
            action,
            watch: Arc::clone(watch),
            // Until its outcome is known, and for good when its task breaks.
            outcome: "internal",
        }
    }

    pub(crate) fn end<T: Outcome>(mut self, outcome: &Result<T, Error>) {
        self.outcome = match outcome {
            Ok(done) if done.is_recorded() => "recorded",
            Ok(_) => "ok",
            Err(error) => error.code(),
        };
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let (own, remote) = self.watch.read();
        self.observer.observed(&Observation {
            action: self.action,
            kind: self.watch.kind.get().cloned().unwrap_or_default(),
            outcome: self.outcome,
            own,
            remote,
        });
    }
}

/// What a use case gives.
pub(crate) trait Outcome {
    /// Whether an earlier call had settled it.
    fn is_recorded(&self) -> bool {
        false
    }
}

impl Outcome for Issued {
    fn is_recorded(&self) -> bool {
        !self.fresh
    }
}

impl Outcome for crate::Simulated {}
impl Outcome for crate::Contestation {}
impl Outcome for crate::JournalLine {}
impl Outcome for econnector_signature::Verification {}
