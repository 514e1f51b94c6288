//! The keys with which AeS signs its tokens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openidconnect::JsonWebKeySetUrl;
use openidconnect::core::CoreJsonWebKeySet;

use crate::error::IdentityError;
use crate::provider::{Line, discovery_failed};

/// AeS' published keys, read again when they are old or one is missing; what is held serves while AeS does not answer.
pub(crate) struct Keys {
    line: Arc<Line>,
    address: JsonWebKeySetUrl,
    held: Mutex<Held>,
    /// Held while AeS is asked.
    asking: tokio::sync::Mutex<()>,
}

/// Times are elapsed ones: a clock that is set neither stops the look-ups nor lets them loose.
struct Held {
    set: Arc<CoreJsonWebKeySet>,
    fetched: Duration,
    asked: Duration,
    /// Why the last look-up gave nothing.
    failed: Option<IdentityError>,
}

impl Keys {
    /// Those of a discovery just made.
    pub(crate) fn new(line: Arc<Line>, address: JsonWebKeySetUrl, set: CoreJsonWebKeySet) -> Arc<Self> {
        let now = line.elapsed();
        Arc::new(Self {
            line,
            address,
            held: Mutex::new(Held {
                set: Arc::new(set),
                fetched: now,
                asked: now,
                failed: None,
            }),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// The keys to judge a token by. Old ones are renewed behind the caller's back, very old ones before her eyes.
    pub(crate) async fn current(self: &Arc<Self>) -> Arc<CoreJsonWebKeySet> {
        let (set, age, pause) = {
            let held = self.held();
            let now = self.line.elapsed();
            (held.set.clone(), now.saturating_sub(held.fetched), now.saturating_sub(held.asked))
        };
        if age < LIFE || pause < PAUSE {
            return set;
        }
        if age < 2 * LIFE {
            if self.asking.try_lock().is_ok() {
                let keys = self.clone();
                tokio::spawn(async move { keys.newer(PAUSE).await.map(drop) });
            }
            return set;
        }
        self.newer(PAUSE).await.unwrap_or(set)
    }

    /// The keys after a look-up, for a token whose key is not among those held. AeS is asked once in `pause` at most: an invented key
    /// must not become a load on AeS.
    pub(crate) async fn newer(&self, pause: Duration) -> Result<Arc<CoreJsonWebKeySet>, IdentityError> {
        let _one_at_a_time = self.asking.lock().await;
        {
            let held = self.held();
            if self.line.elapsed().saturating_sub(held.asked) < pause {
                return held.failed.clone().map_or_else(|| Ok(held.set.clone()), Err);
            }
        }
        let fetched = CoreJsonWebKeySet::fetch_async(&self.address, &*self.line)
            .await
            .map_err(discovery_failed);
        let mut held = self.held();
        held.asked = self.line.elapsed();
        match fetched {
            Ok(set) => {
                held.fetched = held.asked;
                held.set = Arc::new(set);
                held.failed = None;
                Ok(held.set.clone())
            }
            Err(error) => {
                held.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between two look-ups on account of tokens that callers bring.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);
/// Between two look-ups on account of tokens that AeS itself has just given: their key is never an invention.
pub(crate) const SHORT_PAUSE: Duration = Duration::from_secs(1);
const LIFE: Duration = Duration::from_mins(15);
