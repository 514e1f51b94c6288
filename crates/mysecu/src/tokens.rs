use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use econnector_base::Secret;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex as AsyncMutex;

use crate::{Space, sts::Issued};

/// A hospital's physicians of one day; beyond, the longest unused goes.
const CAPACITY: usize = 512;

/// A token is not used in the last part of its life: the call has to arrive while it lasts.
const MARGIN: Duration = Duration::seconds(30);

/// No token is trusted to last longer, whatever the STS says.
const LONGEST: Duration = Duration::hours(12);

/// The mySecu tokens in use, by space and holder. Bounded, in memory only.
#[derive(Default)]
pub(crate) struct Tokens {
    places: Mutex<HashMap<(String, String), Place>>,
}

/// Where the token of one space is kept. Whoever holds the lock fetches it; everybody else waits for that one.
pub(crate) type Slot = Arc<AsyncMutex<Option<Arc<Held>>>>;

/// A token in use.
pub(crate) struct Held {
    /// The `wsse:BinarySecurityToken` element.
    pub(crate) token: Secret,
    usable_until: OffsetDateTime,
}

struct Place {
    slot: Slot,
    used_at: OffsetDateTime,
}

impl Tokens {
    /// The place for `who`, made when there is none.
    pub(crate) fn slot(&self, who: &Space, now: OffsetDateTime) -> Slot {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (who.code.clone(), who.holder.clone());
        if places.len() >= CAPACITY && !places.contains_key(&key) {
            // A place that somebody holds right now is not taken away.
            let oldest = places
                .iter()
                .filter(|(_, place)| Arc::strong_count(&place.slot) == 1)
                .min_by_key(|(_, place)| place.used_at)
                .map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                places.remove(&oldest);
            }
        }
        let place = places.entry(key).or_insert_with(|| Place {
            slot: Slot::default(),
            used_at: now,
        });
        place.used_at = now;
        place.slot.clone()
    }

    /// Takes the place of `who` away.
    pub(crate) fn remove(&self, who: &Space) -> Option<Slot> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.remove(&(who.code.clone(), who.holder.clone())).map(|place| place.slot)
    }

    /// Forgets `refused`, unless somebody has replaced it already.
    pub(crate) async fn forget(&self, who: &Space, refused: &Arc<Held>, now: OffsetDateTime) {
        let slot = self.slot(who, now);
        let mut held = slot.lock().await;
        if held.as_ref().is_some_and(|current| Arc::ptr_eq(current, refused)) {
            *held = None;
        }
    }
}

impl Held {
    /// A token asked for at `asked_at`.
    pub(crate) fn new(issued: Issued, asked_at: OffsetDateTime) -> Self {
        let lifetime = issued.lifetime.clamp(Duration::ZERO, LONGEST);
        Self {
            token: issued.token,
            usable_until: asked_at + lifetime - MARGIN.min(lifetime / 4),
        }
    }

    /// Whether it may still be used for a call.
    pub(crate) fn usable(&self, now: OffsetDateTime) -> bool {
        now < self.usable_until
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2031-05-04 10:00 UTC);

    fn space(code: usize) -> Space {
        Space {
            code: code.to_string(),
            holder: "holder".to_owned(),
            token: Arc::new(Secret::new("token")),
        }
    }

    fn held(lifetime: Duration) -> Held {
        Held::new(
            Issued {
                token: Secret::new("bst"),
                lifetime,
            },
            NOW,
        )
    }

    #[test]
    fn a_token_is_given_up_shortly_before_it_expires() {
        let long = held(Duration::minutes(30));
        assert!(long.usable(NOW + Duration::seconds(1769)));
        assert!(!long.usable(NOW + Duration::seconds(1770)));
        let short = held(Duration::seconds(40));
        assert!(short.usable(NOW + Duration::seconds(29)));
        assert!(!short.usable(NOW + Duration::seconds(30)));
        assert!(!held(Duration::days(365)).usable(NOW + Duration::hours(12)));
        assert!(!held(Duration::ZERO).usable(NOW));
        assert!(!held(Duration::minutes(-5)).usable(NOW));
    }

    #[test]
    fn the_number_of_places_is_bounded_and_the_longest_unused_goes() {
        let tokens = Tokens::default();
        let first = Arc::as_ptr(&tokens.slot(&space(0), NOW));
        let second = tokens.slot(&space(1), NOW);
        for n in 2..CAPACITY {
            tokens.slot(&space(n), NOW + Duration::seconds(1));
        }
        assert_eq!(Arc::as_ptr(&tokens.slot(&space(0), NOW)), first);
        tokens.slot(&space(CAPACITY), NOW + Duration::seconds(2));
        assert_eq!(tokens.places.lock().unwrap().len(), CAPACITY);
        assert!(!tokens.places.lock().unwrap().contains_key(&("0".to_owned(), "holder".to_owned())));
        // Held, so it stayed although it was as old.
        assert!(Arc::ptr_eq(&tokens.slot(&space(1), NOW), &second));
    }
}
