use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use econnector_base::Patient;
use econnector_documents::Document;
use econnector_mysecu::Space;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{Receipt, Values};

/// How many documents keep their pages. More would be a patient file; fewer would lose the receipt under the physician's eyes.
const KEPT: usize = 16;

/// What is known of documents sent since the start, pages included. Nothing of it is ever written to disk.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    documents: HashMap<Uuid, Arc<Remembered>>,
    order: VecDeque<Uuid>,
    under_way: HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>,
    /// Where the session of this machine has a mySecu token to give back.
    spaces: Vec<Space>,
}

pub(crate) struct Remembered {
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    pub(crate) values: Patient<Values>,
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

impl Memory {
    /// The lock that lets one try of a document run at a time.
    pub(crate) fn turn(&self, id: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.lock().under_way.entry(id).or_default())
    }

    /// Lets go of the lock once nobody else waits for it.
    pub(crate) fn end_turn(&self, id: Uuid, turn: Arc<tokio::sync::Mutex<()>>) {
        let mut inner = self.lock();
        if Arc::strong_count(&turn) <= 2 {
            inner.under_way.remove(&id);
        }
    }

    pub(crate) fn keep(&self, id: Uuid, remembered: Remembered) -> Arc<Remembered> {
        let remembered = Arc::new(remembered);
        let mut inner = self.lock();
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
        self.lock().documents.get(&id).cloned()
    }

    pub(crate) fn forget(&self, id: Uuid) {
        let mut inner = self.lock();
        inner.documents.remove(&id);
        inner.order.retain(|kept| *kept != id);
    }

    /// Notes a space in which the session of this machine acted.
    pub(crate) fn note_space(&self, space: &Space) {
        let mut inner = self.lock();
        inner
            .spaces
            .retain(|known| known.code != space.code || known.holder != space.holder);
        inner.spaces.push(space.clone());
    }

    /// Forgets every document, and returns the spaces to leave.
    pub(crate) fn forget_all(&self) -> Vec<Space> {
        let mut inner = self.lock();
        inner.documents.clear();
        inner.order.clear();
        std::mem::take(&mut inner.spaces)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
