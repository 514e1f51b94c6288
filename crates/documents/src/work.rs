use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Who is at work with the page engine, in the whole program.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many works of this thread lie inside one another.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// While others are at work, what was not used during this many of their works leaves the engine's cache.
const OTHERS: usize = 2;

/// Time spent with the page engine on one thread. The engine caches what it sets, and a patient's page must not outlive its work: the
/// last one to finish empties the cache; while others are at work, it loses what they do not use. The volets of one document, set
/// during one work, share what they have in common.
pub struct Work {
    /// Begun and ended on one thread.
    here: PhantomData<*const ()>,
}

impl Work {
    /// Begins, or continues what this thread has begun.
    #[must_use]
    pub fn begin() -> Self {
        let depth = DEPTH.get();
        if depth == 0 {
            AT_WORK.fetch_add(1, Ordering::SeqCst);
        }
        DEPTH.set(depth + 1);
        Self { here: PhantomData }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let depth = DEPTH.get().saturating_sub(1);
        DEPTH.set(depth);
        if depth > 0 {
            return;
        }
        let others = AT_WORK.fetch_sub(1, Ordering::SeqCst) > 1;
        typst::comemo::evict(if others { OTHERS } else { 0 });
    }
}
