use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use econnector_documents::Document;
use econnector_mysecu::Space;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Receipt, Values};

/// How many documents keep their pages. More would be a patient file; fewer would lose the receipt under the physician's eyes.
const KEPT: usize = 16;
/// How many ids are compared with what was sent under them: a few weeks of a hospital, in a few megabytes.
const COMPARED: usize = 100_000;

/// What is known of documents sent since the start, pages included. Nothing of it is ever written to disk.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Arc<Mutex<Inner>>,
    /// Keys the fingerprints: random, and gone with the process.
    key: RandomState,
}

#[derive(Default)]
struct Inner {
    documents: HashMap<Uuid, Arc<Remembered>>,
    order: VecDeque<Uuid>,
    fingerprints: HashMap<Uuid, u64>,
    fingerprint_order: VecDeque<Uuid>,
    under_way: HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>,
    /// Where the session of this machine has a mySecu token to give back.
    spaces: Vec<Space>,
    /// Raised when everything is forgotten: what was under way then is not remembered afterwards.
    era: u64,
}

pub(crate) struct Remembered {
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<Leaf>,
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
        if inner.era != era {
            return remembered;
        }
        if inner.documents.insert(id, Arc::clone(&remembered)).is_none() {
            inner.order.push_back(id);
        }
        while inner.order.len() > KEPT {
            if let Some(oldest) = inner.order.pop_front() {
                inner.documents.remove(&oldest);
            }
        }
        remembered
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<Remembered>> {
        locked(&self.inner).documents.get(&id).cloned()
    }

    pub(crate) fn forget(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.documents.remove(&id);
        inner.order.retain(|kept| *kept != id);
    }

    /// Forgets what another physician sent from this machine.
    pub(crate) fn keep_only(&self, physician_id: &str) {
        let mut inner = locked(&self.inner);
        inner.documents.retain(|_, document| document.physician_id == physician_id);
        let Inner { documents, order, .. } = &mut *inner;
        order.retain(|id| documents.contains_key(id));
    }

    /// Notes a space in which the session of this machine acted.
    pub(crate) fn note_space(&self, space: &Space) {
        let mut inner = locked(&self.inner);
        inner
            .spaces
            .retain(|known| known.code != space.code || known.holder != space.holder);
        inner.spaces.push(space.clone());
    }

    /// Forgets every document, and returns the spaces to leave.
    pub(crate) fn forget_all(&self) -> Vec<Space> {
        let mut inner = locked(&self.inner);
        inner.documents.clear();
        inner.order.clear();
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
