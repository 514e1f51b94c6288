use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use econnector_base::Patient;
use econnector_documents::Document;
use econnector_forms::Simulation;
use econnector_mysecu::Space;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Error, Receipt, Values};

/// How many documents keep their pages, and how many simulations wait to be paid. More would be a patient file; fewer would lose the
/// receipt under the physician's eyes.
const KEPT: usize = 16;
/// How many ids are compared with what was sent under them: a few weeks of a hospital, in a few megabytes.
const COMPARED: usize = 100_000;

/// What is known of documents since the start, pages included. Nothing of it is ever written to disk.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Arc<Mutex<Inner>>,
    /// Keys the fingerprints: random, and gone with the process.
    key: RandomState,
}

#[derive(Default)]
struct Inner {
    documents: Newest<Remembered>,
    simulations: Newest<Waiting>,
    fingerprints: HashMap<Uuid, u64>,
    fingerprint_order: VecDeque<Uuid>,
    under_way: HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>,
    /// Where the session of this machine has a mySecu token to give back.
    spaces: Vec<Space>,
    /// Raised when everything is forgotten: what was under way then is not remembered afterwards.
    era: u64,
}

/// A document with its pages.
pub(crate) struct Remembered {
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    /// Made at the desk while nobody was logged in, for a handwritten signature: whoever stands there may see it.
    pub(crate) without_login: bool,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<Leaf>,
}

/// A simulation that waits to be paid or contested.
pub(crate) struct Waiting {
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    /// As JSON, to be checked again; wiped when dropped.
    values: Zeroizing<Vec<u8>>,
    pub(crate) simulation: Simulation,
    pub(crate) correlation_id: Option<String>,
}

/// One volet: the bytes handed out, and the page behind them for the screen.
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) signed: bool,
    pub(crate) pdf: Zeroizing<Vec<u8>>,
    pub(crate) document: Document,
}

/// The right to work on one document, until dropped.
pub(crate) struct Turn {
    held: Option<OwnedMutexGuard<()>>,
    inner: Arc<Mutex<Inner>>,
    id: Uuid,
}

impl Memory {
    /// Waits until nobody else works on the document.
    pub(crate) async fn turn(&self, id: Uuid) -> Turn {
        let lock = Arc::clone(locked(&self.inner).under_way.entry(id).or_default());
        Turn {
            held: Some(lock.lock_owned().await),
            inner: Arc::clone(&self.inner),
            id,
        }
    }

    /// Waits until nobody else works on either document. Always in the same order, so that two who want the same two never wait for
    /// each other.
    pub(crate) async fn turns(&self, id: Uuid, other: Option<Uuid>) -> Vec<Turn> {
        let mut ids: Vec<Uuid> = std::iter::once(id).chain(other).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut turns = Vec::new();
        for id in ids {
            turns.push(self.turn(id).await);
        }
        turns
    }

    /// Whether the id has been used with these very values, or not at all.
    pub(crate) fn same_values(&self, id: Uuid, values: &Values) -> bool {
        let fingerprint = self.fingerprint(values);
        let mut inner = locked(&self.inner);
        if let Some(known) = inner.fingerprints.get(&id) {
            return *known == fingerprint;
        }
        inner.fingerprints.insert(id, fingerprint);
        inner.fingerprint_order.push_back(id);
        if inner.fingerprint_order.len() > COMPARED
            && let Some(oldest) = inner.fingerprint_order.pop_front()
        {
            inner.fingerprints.remove(&oldest);
        }
        true
    }

    /// A document that certainly was not deposited may be sent again with corrected values.
    pub(crate) fn release_values(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.fingerprints.remove(&id);
        inner.fingerprint_order.retain(|known| *known != id);
    }

    pub(crate) fn era(&self) -> u64 {
        locked(&self.inner).era
    }

    /// Keeps a document, unless everything was forgotten since `era`.
    pub(crate) fn keep(&self, id: Uuid, era: u64, remembered: Remembered) -> Arc<Remembered> {
        let remembered = Arc::new(remembered);
        let mut inner = locked(&self.inner);
        if inner.era == era {
            inner.documents.keep(id, Arc::clone(&remembered));
        }
        remembered
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<Remembered>> {
        locked(&self.inner).documents.find(id)
    }

    /// Keeps a simulation, unless everything was forgotten since `era`.
    pub(crate) fn keep_simulation(&self, id: Uuid, era: u64, waiting: Arc<Waiting>) {
        let mut inner = locked(&self.inner);
        if inner.era == era {
            inner.simulations.keep(id, waiting);
        }
    }

    pub(crate) fn simulation(&self, id: Uuid) -> Option<Arc<Waiting>> {
        locked(&self.inner).simulations.find(id)
    }

    pub(crate) fn forget_simulation(&self, id: Uuid) {
        locked(&self.inner).simulations.forget(id);
    }

    pub(crate) fn forget(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.documents.forget(id);
        inner.simulations.forget(id);
    }

    /// Forgets what another physician did on this machine.
    pub(crate) fn keep_only(&self, physician_id: &str) {
        let mut inner = locked(&self.inner);
        inner.documents.retain(|document| document.physician_id == physician_id);
        inner.simulations.retain(|waiting| waiting.physician_id == physician_id);
    }

    /// Notes a space in which the session of this machine acted.
    pub(crate) fn note_space(&self, space: &Space) {
        let mut inner = locked(&self.inner);
        inner
            .spaces
            .retain(|known| known.code != space.code || known.holder != space.holder);
        inner.spaces.push(space.clone());
    }

    /// Forgets every document and simulation, and returns the spaces to leave.
    pub(crate) fn forget_all(&self) -> Vec<Space> {
        let mut inner = locked(&self.inner);
        inner.documents = Newest::default();
        inner.simulations = Newest::default();
        inner.era += 1;
        std::mem::take(&mut inner.spaces)
    }

    fn fingerprint(&self, values: &Values) -> u64 {
        let sorted: BTreeMap<&str, String> = values
            .reveal()
            .iter()
            .map(|(field, value)| (field.as_str(), value.to_string()))
            .collect();
        self.key.hash_one(sorted)
    }
}

impl Waiting {
    pub(crate) fn new(kind: String, physician_id: String, values: &Values, simulation: Simulation, correlation_id: Option<String>) -> Self {
        Self {
            kind,
            physician_id,
            // Values are JSON already: they have a JSON form.
            values: Zeroizing::new(serde_json::to_vec(values.reveal()).unwrap_or_default()),
            simulation,
            correlation_id,
        }
    }

    /// The values as they were simulated.
    pub(crate) fn values(&self) -> Result<Values, Error> {
        serde_json::from_slice(&self.values)
            .map(Patient::new)
            .map_err(|_| Error::Interrupted)
    }
}

/// The newest few, by id.
struct Newest<T> {
    items: HashMap<Uuid, Arc<T>>,
    order: VecDeque<Uuid>,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self {
            items: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Newest<T> {
    fn keep(&mut self, id: Uuid, item: Arc<T>) {
        if self.items.insert(id, item).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.items.remove(&oldest);
            }
        }
    }

    fn find(&self, id: Uuid) -> Option<Arc<T>> {
        self.items.get(&id).cloned()
    }

    fn forget(&mut self, id: Uuid) {
        self.items.remove(&id);
        self.order.retain(|kept| *kept != id);
    }

    fn retain(&mut self, wanted: impl Fn(&T) -> bool) {
        self.items.retain(|_, item| wanted(item));
        self.order.retain(|id| self.items.contains_key(id));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut inner = locked(&self.inner);
        if inner.under_way.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            inner.under_way.remove(&self.id);
        }
    }
}

fn locked(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
