//! Tokens in a physician's name for a program that has none of hers (RFC 8693), as the hospital's server asks for them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use econnector_base::Secret;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tracing::Instrument as _;

use crate::claims::People;
use crate::error::IdentityError;
use crate::life::{Life, Moment};
use crate::principal::{Authorized, Physician};

/// The confidential client that AeS lets act in a physician's name.
#[derive(Clone)]
pub struct ExchangeClient {
    /// Its id at AeS.
    pub client_id: String,
    /// Its secret at AeS.
    pub secret: Secret,
}

impl fmt::Debug for ExchangeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeClient")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// How the tokens for others were come by since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanges {
    /// A token was there, or on its way for somebody else.
    pub hits: u64,
    /// AeS was asked.
    pub misses: u64,
    /// AeS was asked and gave none that can be used.
    pub failures: u64,
    /// Tokens kept now.
    pub kept: u64,
}

/// What AeS last said of the client that asks for tokens in physicians' names.
#[derive(Clone, Debug)]
pub enum LastExchange {
    /// There is none.
    NotSetUp,
    /// AeS has not said anything of it since the start.
    NotTried,
    /// It gave a token.
    Given,
    /// It gave none, or one that cannot be used.
    Failed(IdentityError),
}

/// More physicians than work in the largest hospital; a token has a few KB.
const MOST: usize = 1024;

/// What AeS answers to one question; whoever asks the same meanwhile gets the same answer.
type Answer = Shared<BoxFuture<'static, Result<Authorized, IdentityError>>>;

/// The tokens that were exchanged, one for each physician, until they are almost over.
#[derive(Default)]
pub(crate) struct Cache {
    inner: Mutex<Inner>,
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

#[derive(Default)]
struct Inner {
    kept: HashMap<String, Kept>,
    under_way: HashMap<String, Answer>,
    /// The last answer that says something of the client.
    last: Option<Result<(), IdentityError>>,
    /// Counts uses, to know which token was not used for longest.
    uses: u64,
}

struct Kept {
    authorized: Authorized,
    life: Life,
    used: u64,
}

impl Cache {
    /// The physician's token: kept, on its way, or asked for now. What was asked goes on when whoever asked hangs up.
    pub(crate) async fn get<F>(
        self: &Arc<Self>,
        ehealth_id: &str,
        now: Moment,
        ask: impl FnOnce() -> F,
    ) -> Result<Authorized, IdentityError>
    where
        F: Future<Output = Result<(Authorized, Life), IdentityError>> + Send + 'static,
    {
        let answer = {
            let mut inner = self.inner();
            if let Some(authorized) = inner.fresh(ehealth_id, now) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                return Ok(authorized);
            }
            if let Some(answer) = inner.under_way.get(ehealth_id) {
                self.hits.fetch_add(1, Ordering::Relaxed);
                answer.clone()
            } else {
                self.misses.fetch_add(1, Ordering::Relaxed);
                let asked = Arc::clone(self).take_in(ehealth_id.to_owned(), now, ask());
                // What it writes into the log bears the id of the request for which it was asked.
                let asked = tokio::spawn(asked.in_current_span());
                let answer = async {
                    asked
                        .await
                        .unwrap_or(Err(IdentityError::AesGarbage("the question ended without an answer")))
                }
                .boxed()
                .shared();
                inner.under_way.insert(ehealth_id.to_owned(), answer.clone());
                answer
            }
        };
        answer.await
    }

    /// Keeps a token no longer that an authority refused; one that has taken its place stays.
    pub(crate) fn drop_refused(&self, ehealth_id: &str, refused: &Secret) {
        let mut inner = self.inner();
        if inner
            .kept
            .get(ehealth_id)
            .is_some_and(|kept| kept.authorized.token.reveal() == refused.reveal())
        {
            inner.kept.remove(ehealth_id);
        }
    }

    pub(crate) fn counts(&self) -> Exchanges {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Exchanges {
            hits: count(&self.hits),
            misses: count(&self.misses),
            failures: count(&self.failures),
            kept: u64::try_from(self.inner().kept.len()).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn last(&self) -> LastExchange {
        match self.inner().last.clone() {
            None => LastExchange::NotTried,
            Some(Ok(())) => LastExchange::Given,
            Some(Err(error)) => LastExchange::Failed(error),
        }
    }

    async fn take_in<F>(self: Arc<Self>, ehealth_id: String, now: Moment, ask: F) -> Result<Authorized, IdentityError>
    where
        F: Future<Output = Result<(Authorized, Life), IdentityError>> + Send,
    {
        // Whatever becomes of the question, the next one is asked anew.
        let over = Over {
            cache: &self,
            ehealth_id: &ehealth_id,
        };
        let answered = ask.await;
        match &answered {
            Ok((authorized, life)) => {
                let mut inner = self.inner();
                inner.keep(&ehealth_id, authorized, *life, now);
                inner.last = Some(Ok(()));
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                if of_the_client(error) {
                    self.inner().last = Some(Err(error.clone()));
                }
                tracing::warn!(
                    code = econnector_base::Explain::code(error),
                    "AeS gave no token in a physician's name"
                );
            }
        }
        drop(over);
        answered.map(|(authorized, _)| authorized)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question off the list when it is answered, or its task ends otherwise.
struct Over<'a> {
    cache: &'a Cache,
    ehealth_id: &'a str,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.cache.inner().under_way.remove(self.ehealth_id);
    }
}

impl Inner {
    fn fresh(&mut self, ehealth_id: &str, now: Moment) -> Option<Authorized> {
        self.uses += 1;
        let kept = self.kept.get_mut(ehealth_id).filter(|kept| kept.life.is_fresh(now))?;
        kept.used = self.uses;
        Some(kept.authorized.clone())
    }

    fn keep(&mut self, ehealth_id: &str, authorized: &Authorized, life: Life, now: Moment) {
        self.kept.remove(ehealth_id);
        if self.kept.len() >= MOST {
            self.kept.retain(|_, kept| kept.life.is_fresh(now));
        }
        if self.kept.len() >= MOST {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| self.kept.remove(&oldest));
        }
        if life.is_fresh(now) {
            self.uses += 1;
            let kept = Kept {
                authorized: authorized.clone(),
                life,
                used: self.uses,
            };
            self.kept.insert(ehealth_id.to_owned(), kept);
        }
    }
}

/// Whether AeS has judged the client. One that cannot be reached or fails says nothing, and what it said before still holds.
const fn of_the_client(error: &IdentityError) -> bool {
    !matches!(
        error,
        IdentityError::Net(_) | IdentityError::AesFailed { .. } | IdentityError::AesGarbage(_)
    )
}

/// The physician in whose name a token is, when she is the one it was asked for.
pub(crate) fn subject<'a>(people: &'a People, ehealth_id: &str) -> Result<&'a Physician, IdentityError> {
    let physician = people.physician.as_ref().filter(|physician| physician.ehealth_id == ehealth_id);
    physician.ok_or_else(|| IdentityError::AesToken("the exchanged token is in somebody else's name".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::{Actor, Principal};

    const NOW: OffsetDateTime = datetime!(2026-03-02 10:00 UTC);

    fn at(seconds: u64) -> Moment {
        let elapsed = Duration::from_secs(seconds);
        Moment {
            at_aes: NOW + elapsed,
            elapsed,
        }
    }

    fn token(ehealth_id: &str, name: &str) -> Authorized {
        Authorized {
            principal: Principal {
                actor: Actor {
                    id: "engine".into(),
                    name: "engine".into(),
                },
                physician: Physician {
                    ehealth_id: ehealth_id.to_owned(),
                    name: "Dr Anne Weber".into(),
                    provider_codes: Vec::new(),
                },
                until: NOW,
                mandate: false,
            },
            token: Arc::new(Secret::new(name)),
        }
    }

    fn life(from: Moment, seconds: u64) -> Life {
        let whole = Duration::from_secs(seconds);
        Life::new(from.elapsed, whole, from.at_aes + whole)
    }

    async fn get(cache: &Arc<Cache>, ehealth_id: &str, now: u64, seconds: u64) -> Authorized {
        let given = (token(ehealth_id, &format!("asked for at {now}")), life(at(now), seconds));
        cache.get(ehealth_id, at(now), || async { Ok(given) }).await.unwrap()
    }

    #[test]
    fn a_token_in_another_name_is_refused() {
        let people = |ehealth_id: Option<&str>| People {
            actor: token("1", "").principal.actor,
            physician: ehealth_id.map(|id| token(id, "").principal.physician),
            acts_for: vec![token("1900000001", "").principal.physician],
        };
        assert!(subject(&people(Some("1900000001")), "1900000001").is_ok());
        for other in [Some("1900000002"), None] {
            let refused = subject(&people(other), "1900000001").unwrap_err();
            assert_eq!(econnector_base::Explain::code(&refused), "aes-token-unusable");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let client = ExchangeClient {
            client_id: "hopital-eai".into(),
            secret: Secret::new("31415926"),
        };
        let shown = format!("{client:?}");
        assert!(shown.contains("hopital-eai") && !shown.contains("31415926"), "{shown}");
    }

    #[tokio::test]
    async fn a_token_serves_until_half_a_minute_before_its_end() {
        let cache = Arc::new(Cache::default());
        for seconds in [0, 100, 269] {
            get(&cache, "1900000001", seconds, 300).await;
        }
        assert_eq!((cache.counts().hits, cache.counts().misses), (2, 1));
        get(&cache, "1900000001", 270, 300).await;
        assert_eq!((cache.counts().hits, cache.counts().misses, cache.counts().kept), (2, 2, 1));
        let over = (token("1900000002", "old"), life(at(0), 300));
        cache.get("1900000002", at(280), || async { Ok(over) }).await.unwrap();
        assert_eq!(cache.counts().kept, 1, "one that is almost over is given out and not kept");
    }

    #[tokio::test]
    async fn a_refused_token_goes_and_its_successor_stays() {
        let cache = Arc::new(Cache::default());
        let first = get(&cache, "1", 0, 300).await.token;
        cache.drop_refused("2", &first);
        cache.drop_refused("1", &Secret::new("another"));
        assert_eq!(cache.counts().kept, 1);
        cache.drop_refused("1", &first);
        let second = get(&cache, "1", 1, 300).await.token;
        assert_ne!(first.reveal(), second.reveal());
        cache.drop_refused("1", &first);
        assert_eq!(get(&cache, "1", 2, 300).await.token.reveal(), second.reveal());
    }

    #[tokio::test]
    async fn the_least_used_goes_when_there_are_too_many() {
        let cache = Arc::new(Cache::default());
        for physician in 0..MOST {
            get(&cache, &physician.to_string(), 0, 300).await;
        }
        get(&cache, "0", 0, 300).await;
        get(&cache, "one more", 0, 300).await;
        assert_eq!(cache.counts().kept, MOST as u64);
        let misses = cache.counts().misses;
        get(&cache, "0", 0, 300).await;
        assert_eq!(cache.counts().misses, misses, "used a moment ago");
        get(&cache, "1", 0, 300).await;
        assert_eq!(cache.counts().misses, misses + 1);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_who_wait_and_not_kept() {
        let cache = Arc::new(Cache::default());
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(IdentityError::AesFailed { status: 503 })
        };
        let (one, other) = tokio::join!(cache.get("1", at(0), slow), cache.get("1", at(0), slow));
        assert!(one.is_err() && other.is_err());
        let counts = cache.counts();
        assert_eq!((counts.hits, counts.misses, counts.failures, counts.kept), (1, 1, 1, 0));
        get(&cache, "1", 0, 300).await;
        assert_eq!(cache.counts().misses, 2);
    }

    #[tokio::test]
    async fn what_aes_said_of_the_client_holds_until_it_says_otherwise() {
        let cache = Arc::new(Cache::default());
        let words = || econnector_base::AuthorityWords::new("invalid_client", "");
        let fail = async |error: IdentityError| {
            assert!(cache.get("1", at(0), || async { Err(error) }).await.is_err());
            match cache.last() {
                LastExchange::Failed(error) => econnector_base::Explain::code(&error),
                other => panic!("{other:?}"),
            }
        };
        let refused = || IdentityError::ExchangeClientRefused { words: words() };
        assert!(
            cache
                .get("1", at(0), || async { Err(IdentityError::AesFailed { status: 503 }) })
                .await
                .is_err()
        );
        assert!(matches!(cache.last(), LastExchange::NotTried), "nothing was said of the client");
        assert_eq!(fail(refused()).await, "exchange-client-refused");
        for silent in [IdentityError::AesFailed { status: 503 }, IdentityError::AesGarbage("no JSON")] {
            assert_eq!(fail(silent).await, "exchange-client-refused", "it is still refused");
        }
        assert_eq!(fail(IdentityError::ExchangeDenied { words: words() }).await, "exchange-denied");
        assert_eq!(fail(refused()).await, "exchange-client-refused");
        get(&cache, "1", 0, 300).await;
        assert!(matches!(cache.last(), LastExchange::Given));
    }

    #[tokio::test]
    async fn what_an_exchange_logs_bears_the_id_of_its_request() {
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Log {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _logged = tracing::subscriber::set_default(subscriber);
        let cache = Arc::new(Cache::default());
        let asked = cache.get("1", at(0), || async { Err(IdentityError::AesFailed { status: 503 }) });
        let span = tracing::info_span!("request", request_id = "mirth-000123");
        assert!(asked.instrument(span).await.is_err());
        let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let line = said.lines().find(|line| line.contains("gave no token")).unwrap();
        assert!(line.contains("mirth-000123"), "{line}");
    }

    #[tokio::test]
    async fn a_question_goes_on_when_whoever_asked_hangs_up_and_one_that_breaks_blocks_nobody() {
        let cache = Arc::new(Cache::default());
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok((token("1", ""), life(at(0), 300)))
        };
        let hung_up = tokio::time::timeout(Duration::from_millis(5), cache.get("1", at(0), slow)).await;
        assert!(hung_up.is_err());
        get(&cache, "1", 0, 300).await;
        assert_eq!(cache.counts().misses, 1);

        let broken = cache.get("2", at(0), || async { panic!("a test's") }).await;
        assert_eq!(econnector_base::Explain::code(&broken.err().unwrap()), "aes-garbage");
        get(&cache, "2", 0, 300).await;
    }
}
