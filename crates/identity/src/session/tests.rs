//! The keeper in every order of events that shuttle can think of, against an AeS that rotates refresh tokens, ends a session whose
//! spent token comes back, fails, and loses answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::{AuthorityWords, Explain as _, Secret};
use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::Notify;

use super::{Attempt, Endpoint, Keeper};
use crate::aes::SessionState;
use crate::claims::People;
use crate::error::IdentityError;
use crate::keyring::KeyringState;
use crate::life::{Life, Moment};
use crate::principal::{Actor, Authorized, Physician};
use crate::provider::{Granted, NotGranted};

const START: OffsetDateTime = datetime!(2026-03-02 10:00 UTC);
const LIFE: u64 = 300;

/// AeS, and a keyring.
#[derive(Default)]
struct World {
    aes: Mutex<Aes>,
    kept: Mutex<Option<String>>,
    /// Seconds since the start.
    clock: AtomicU64,
    /// Nothing is answered.
    down: AtomicBool,
    no_keyring: AtomicBool,
    /// Answers to redemptions that may still go wrong.
    mishaps: AtomicUsize,
    redeeming: AtomicUsize,
    renewals: AtomicUsize,
}

#[derive(Default)]
struct Aes {
    families: Vec<Family>,
    broken: Vec<String>,
}

/// A login, and the refresh tokens that come from it one after the other.
struct Family {
    actor: String,
    listed: Vec<&'static str>,
    newest: usize,
    /// The newest one that was handed over.
    handed_over: usize,
    ended: bool,
    /// An answer of this family was lost: its session may end without anybody's mistake.
    lost: bool,
}

impl World {
    fn log_in(&self, actor: &str, listed: &[&'static str]) -> (usize, Granted) {
        let mut aes = self.aes.lock().unwrap();
        aes.families.push(Family {
            actor: actor.to_owned(),
            listed: listed.to_vec(),
            newest: 0,
            handed_over: 0,
            ended: false,
            lost: false,
        });
        let family = aes.families.len() - 1;
        (family, self.grant(&aes, family))
    }

    fn grant(&self, aes: &Aes, family: usize) -> Granted {
        let Family { actor, listed, newest, .. } = &aes.families[family];
        let (now, whole) = (self.moment(), Duration::from_secs(LIFE));
        Granted {
            people: People {
                actor: Actor {
                    id: actor.clone(),
                    name: actor.clone(),
                },
                physician: None,
                acts_for: listed.iter().copied().map(physician).collect(),
            },
            access: Secret::new(format!("access {family} {newest}")),
            life: Life::new(now.elapsed, whole, now.at_aes + whole),
            refresh: Some(Secret::new(format!("refresh {family} {newest}"))),
            refresh_life: None,
            id_token: None,
        }
    }

    fn moment(&self) -> Moment {
        let elapsed = Duration::from_secs(self.clock.load(Ordering::SeqCst));
        Moment {
            at_aes: START + elapsed,
            elapsed,
        }
    }

    /// So that what is held has to be renewed before it is given out.
    fn let_tokens_get_old(&self) {
        self.clock.fetch_add(LIFE - 20, Ordering::SeqCst);
    }

    fn mishap(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        thread_rng().gen_bool(0.5) && self.mishaps.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok()
    }

    fn families(&self) -> usize {
        self.aes.lock().unwrap().families.len()
    }

    fn ended(&self, family: usize) -> bool {
        self.aes.lock().unwrap().families[family].ended
    }

    fn nothing_is_broken(&self) {
        let aes = self.aes.lock().unwrap();
        assert!(aes.broken.is_empty(), "{:?}", aes.broken);
    }
}

#[async_trait]
impl Endpoint for World {
    async fn redeem(&self, refresh: Arc<Secret>) -> Result<Granted, NotGranted> {
        if self.redeeming.fetch_add(1, Ordering::SeqCst) > 0 {
            self.aes.lock().unwrap().broken.push("two redemptions under way".to_owned());
        }
        yield_now().await;
        let down = self.down.load(Ordering::SeqCst) || self.mishap();
        let lost = !down && self.mishap();
        let answer = if down {
            Err(IdentityError::AesFailed { status: 503 }.into())
        } else {
            self.renewals.fetch_add(1, Ordering::SeqCst);
            let (family, number) = numbers(&refresh);
            let mut aes = self.aes.lock().unwrap();
            let spent = &mut aes.families[family];
            if spent.ended {
                Err(ended())
            } else if number < spent.newest {
                let known_to_be_spent = number < spent.handed_over;
                spent.ended = true;
                if known_to_be_spent {
                    aes.broken.push(format!("{} was redeemed again", refresh.reveal()));
                }
                Err(ended())
            } else {
                spent.newest += 1;
                let answer = self.grant(&aes, family);
                let spent = &mut aes.families[family];
                if lost {
                    spent.lost = true;
                    // The half of it: the tokens came, and the keys to check them with could not be had.
                    let keys_missing = thread_rng().gen_bool(0.5);
                    if keys_missing {
                        spent.handed_over = spent.newest;
                    }
                    Err(NotGranted {
                        error: IdentityError::AesFailed { status: 502 },
                        refresh: answer.refresh.filter(|_| keys_missing),
                    })
                } else {
                    spent.handed_over = spent.newest;
                    Ok(answer)
                }
            }
        };
        yield_now().await;
        self.redeeming.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn end(&self, refresh: &Secret, _id_token: Option<&Secret>) -> Result<(), IdentityError> {
        yield_now().await;
        if self.down.load(Ordering::SeqCst) {
            return Err(IdentityError::AesFailed { status: 503 });
        }
        let (family, number) = numbers(refresh);
        let mut aes = self.aes.lock().unwrap();
        let family = &mut aes.families[family];
        if number < family.newest && !family.lost {
            let broken = format!("{} was to be ended, which is not the newest", refresh.reveal());
            aes.broken.push(broken);
            return Err(IdentityError::AesGarbage("an answer to the logout that is none"));
        }
        family.ended = true;
        Ok(())
    }

    async fn remember(&self, refresh: &Secret) -> bool {
        yield_now().await;
        if self.no_keyring.load(Ordering::SeqCst) {
            return false;
        }
        *self.kept.lock().unwrap() = Some(refresh.reveal().to_owned());
        true
    }

    async fn forget(&self) -> Result<(), KeyringState> {
        yield_now().await;
        if self.no_keyring.load(Ordering::SeqCst) {
            return Err(KeyringState::Absent { words: String::new() });
        }
        *self.kept.lock().unwrap() = None;
        Ok(())
    }

    fn now(&self) -> Moment {
        self.moment()
    }
}

fn physician(ehealth_id: &str) -> Physician {
    Physician {
        ehealth_id: ehealth_id.to_owned(),
        name: ehealth_id.to_owned(),
        provider_codes: Vec::new(),
    }
}

fn numbers(token: &Secret) -> (usize, usize) {
    let mut words = token.reveal().split(' ').skip(1).map(|number| number.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

fn ended() -> NotGranted {
    let words = AuthorityWords::new("invalid_grant", "Token is not active");
    IdentityError::SessionEnded { words }.into()
}

fn attempt() -> (Attempt, Arc<Notify>) {
    let cancel = Arc::new(Notify::new());
    let attempt = Attempt {
        url: "https://aes.example/login".parse().unwrap(),
        cancel: cancel.clone(),
        other_account: true,
    };
    (attempt, cancel)
}

fn keeper(mishaps: usize) -> Arc<Keeper<World>> {
    Keeper::new(World {
        mishaps: AtomicUsize::new(mishaps),
        ..World::default()
    })
}

async fn log_in(keeper: &Arc<Keeper<World>>, actor: &str, listed: &[&'static str]) -> Result<usize, IdentityError> {
    let (attempt, cancel) = attempt();
    if keeper.begin_login(attempt).is_err() {
        return Err(IdentityError::LoginCancelled);
    }
    yield_now().await;
    let (family, granted) = keeper.endpoint().log_in(actor, listed);
    keeper.adopt(granted, &cancel).await.map(|()| family)
}

/// Logs out, and notes whose tokens nobody must be given from then on.
async fn log_out(keeper: &Arc<Keeper<World>>, over: &Mutex<HashSet<usize>>) -> Result<(), IdentityError> {
    let before = 0..keeper.endpoint().families();
    let outcome = keeper.clone().logout().await;
    over.lock().unwrap().extend(before);
    outcome
}

/// Asks for a token as the rest of the program does, and sees that it is nobody's who had logged out before.
async fn call(keeper: &Arc<Keeper<World>>, over: &Mutex<HashSet<usize>>) -> Result<Authorized, IdentityError> {
    let gone = over.lock().unwrap().clone();
    let asked = keeper.endpoint().now();
    let authorized = keeper.authorized(None).await;
    if let Ok(given) = &authorized {
        let (family, _) = numbers(&given.token);
        assert!(!gone.contains(&family), "a token of somebody who had logged out");
        assert!(given.principal.until > asked.at_aes, "a token that was over when it was asked for");
        let aes = keeper.endpoint().aes.lock().unwrap();
        assert_eq!(aes.families[family].actor, given.principal.actor.id);
    }
    authorized
}

/// Random orders, and orders with few changes of task at odd places, which find what random ones do not.
fn explore(events: impl Fn() + Send + Sync + Clone + 'static) {
    fn run(scheduler: impl Scheduler + 'static, events: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::new();
        config.stack_size = 256 * 1024;
        Runner::new(scheduler, config).run(events);
    }
    run(RandomScheduler::new(ORDERS), events.clone());
    run(PctScheduler::new(3, ORDERS), events);
}

const ORDERS: usize = 1000;

#[test]
fn many_callers_share_one_renewal() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            keeper.endpoint().let_tokens_get_old();
            let mut callers: Vec<_> = (0..4)
                .map(|_| {
                    let keeper = keeper.clone();
                    spawn(async move { keeper.authorized(None).await.map(|given| given.token.reveal().to_owned()) })
                })
                .collect();
            let alive = keeper.clone();
            callers.push(spawn(async move {
                alive.tend().await;
                Ok("access 0 1".to_owned())
            }));
            for caller in callers {
                assert_eq!(caller.await.unwrap().unwrap(), "access 0 1");
            }
            assert_eq!(keeper.endpoint().renewals.load(Ordering::SeqCst), 1);
            keeper.endpoint().nothing_is_broken();
        });
    });
}

#[test]
fn a_refused_token_is_renewed_once_however_many_were_refused() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            let refused = keeper.authorized(None).await.unwrap().token;
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    let (keeper, refused) = (keeper.clone(), refused.clone());
                    spawn(async move { keeper.authorized(Some(&refused)).await.map(|given| given.token.reveal().to_owned()) })
                })
                .collect();
            for caller in callers {
                assert_eq!(caller.await.unwrap().unwrap(), "access 0 1");
            }
            assert_eq!(keeper.endpoint().renewals.load(Ordering::SeqCst), 1);
        });
    });
}

#[test]
fn logout_in_the_middle_of_anything_ends_the_newest_token() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            let over = Arc::new(Mutex::new(HashSet::new()));
            let family = log_in(&keeper, "weber", &["1"]).await.unwrap();
            keeper.endpoint().let_tokens_get_old();
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    let (keeper, over) = (keeper.clone(), over.clone());
                    spawn(async move {
                        for _ in 0..2 {
                            if let Err(error) = call(&keeper, &over).await {
                                assert_eq!(error.code(), "login-required");
                            }
                        }
                    })
                })
                .collect();
            let alive = keeper.clone();
            let tended = spawn(async move { alive.tend().await });
            assert!(log_out(&keeper, &over).await.is_ok());
            assert!(keeper.endpoint().ended(family), "AeS knows when the logout is over");
            assert!(matches!(keeper.view().state, SessionState::LoggedOut));
            for caller in callers {
                caller.await.unwrap();
            }
            tended.await.unwrap();
            settle(&keeper).await;
            assert_eq!(*keeper.endpoint().kept.lock().unwrap(), None, "nothing is remembered");
            keeper.endpoint().nothing_is_broken();
        });
    });
}

#[test]
fn whatever_goes_wrong_no_spent_token_is_redeemed_knowingly_and_nobody_waits_for_ever() {
    explore(|| {
        block_on(async {
            let keeper = keeper(4);
            let over = Arc::new(Mutex::new(HashSet::new()));
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            let mut tasks: Vec<_> = (0..3)
                .map(|_| {
                    let (keeper, over) = (keeper.clone(), over.clone());
                    spawn(async move {
                        for _ in 0..3 {
                            let _ = call(&keeper, &over).await;
                            keeper.endpoint().let_tokens_get_old();
                        }
                    })
                })
                .collect();
            let alive = keeper.clone();
            tasks.push(spawn(async move {
                for _ in 0..4 {
                    alive.tend().await;
                    yield_now().await;
                }
            }));
            let (other, noted) = (keeper.clone(), over.clone());
            tasks.push(spawn(async move {
                // The same person, or a colleague at her desk.
                let actor = if thread_rng().gen_bool(0.5) { "weber" } else { "muller" };
                let _ = log_in(&other, actor, &["2"]).await;
                let _ = log_out(&other, &noted).await;
                let _ = log_in(&other, actor, &["2"]).await;
            }));
            let (hasty, noted) = (keeper.clone(), over.clone());
            tasks.push(spawn(async move {
                hasty.cancel_login();
                let _ = log_out(&hasty, &noted).await;
            }));
            for task in tasks {
                task.await.unwrap();
            }
            settle(&keeper).await;
            let world = keeper.endpoint();
            world.nothing_is_broken();
            // What is remembered is what is held, or nothing.
            let held = keeper.state().refresh().map(|refresh| refresh.reveal().to_owned());
            assert_eq!(*world.kept.lock().unwrap(), held);
            assert!(keeper.view().remembered == held.is_some());
        });
    });
}

#[test]
fn a_session_is_taken_up_or_gives_way_to_a_login() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            let (_, granted) = keeper.endpoint().log_in("weber", &["1"]);
            let restoring = keeper.clone();
            let restored = spawn(async move { restoring.restore(granted.refresh.unwrap()).await });
            let alive = keeper.clone();
            let tended = spawn(async move { alive.tend().await });
            let fresh = log_in(&keeper, "muller", &["2"]).await.unwrap();
            restored.await.unwrap();
            tended.await.unwrap();
            let given = keeper.authorized(None).await.unwrap();
            assert_eq!(
                numbers(&given.token).0,
                fresh,
                "who logged in is not put out by who was there before"
            );
            settle(&keeper).await;
            assert!(
                keeper
                    .endpoint()
                    .kept
                    .lock()
                    .unwrap()
                    .as_deref()
                    .is_some_and(|kept| kept.starts_with("refresh 1"))
            );
            keeper.endpoint().nothing_is_broken();
        });
    });
}

#[test]
fn a_login_given_up_leaves_the_session_and_nothing_at_aes() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            let first = log_in(&keeper, "weber", &["1"]).await.unwrap();
            let other = keeper.clone();
            let login = spawn(async move { log_in(&other, "muller", &["2"]).await });
            let given_up = keeper.cancel_login();
            let outcome = login.await.unwrap();
            settle(&keeper).await;
            let given = numbers(&keeper.authorized(None).await.unwrap().token).0;
            match outcome {
                Ok(second) => {
                    assert_eq!(given, second);
                    assert!(keeper.endpoint().ended(first), "the earlier session of somebody else is ended");
                }
                Err(error) => {
                    assert!(given_up && error.code() == "login-cancelled");
                    assert_eq!(given, first);
                    let families = 1..keeper.endpoint().families();
                    assert!(families.into_iter().all(|family| keeper.endpoint().ended(family)));
                }
            }
            keeper.endpoint().nothing_is_broken();
        });
    });
}

#[test]
fn a_login_under_way_hides_the_session_and_does_not_end_it() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            let stands = |state: &SessionState| matches!(state, SessionState::LoggedIn { actor, .. } if actor.id == "weber");
            let (attempt, _) = attempt();
            assert!(keeper.begin_login(attempt).is_ok());
            keeper.endpoint().let_tokens_get_old();
            let alive = keeper.clone();
            let tended = spawn(async move { alive.tend().await });
            let view = keeper.view();
            assert!(matches!(view.state, SessionState::LoggingIn { .. }) && stands(&view.standing));
            assert!(keeper.cancel_login());
            tended.await.unwrap();
            let view = keeper.view();
            assert!(stands(&view.state) && stands(&view.standing));
            keeper.clone().logout().await.unwrap();
            assert!(matches!(keeper.view().standing, SessionState::LoggedOut));
        });
    });
}

#[test]
fn a_session_that_aes_was_not_told_of_comes_back_only_from_a_keyring() {
    explore(|| {
        block_on(async {
            for (no_keyring, code) in [(true, "logout-incomplete"), (false, "logout-not-forgotten")] {
                let keeper = keeper(0);
                keeper.endpoint().no_keyring.store(no_keyring, Ordering::SeqCst);
                log_in(&keeper, "weber", &["1"]).await.unwrap();
                settle(&keeper).await;
                assert_ne!(keeper.view().remembered, no_keyring);
                keeper.endpoint().down.store(true, Ordering::SeqCst);
                // It was there, and is gone.
                keeper.endpoint().no_keyring.store(true, Ordering::SeqCst);
                assert_eq!(keeper.clone().logout().await.unwrap_err().code(), code);
            }
        });
    });
}

#[test]
fn for_whom_she_works_is_hers_to_say() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            let family = log_in(&keeper, "klein", &["1", "2"]).await.unwrap();
            let code = |outcome: Result<Authorized, IdentityError>| match outcome {
                Ok(given) => given.principal.physician.ehealth_id,
                Err(error) => error.code().to_owned(),
            };
            assert_eq!(code(keeper.authorized(None).await), "physician-not-chosen");
            assert_eq!(keeper.choose("3").await.unwrap_err().code(), "physician-not-represented");
            keeper.endpoint().let_tokens_get_old();
            let (alive, chooser) = (keeper.clone(), keeper.clone());
            let tended = spawn(async move { alive.tend().await });
            let chosen = spawn(async move { chooser.choose("2").await });
            chosen.await.unwrap().unwrap();
            tended.await.unwrap();
            assert_eq!(code(keeper.authorized(None).await), "2", "a renewal does not take the choice away");
            // The delegation was taken back: nobody else takes the place of the one who was chosen.
            keeper.endpoint().aes.lock().unwrap().families[family].listed = vec!["1"];
            keeper.endpoint().let_tokens_get_old();
            assert_eq!(code(keeper.authorized(None).await), "physician-not-chosen");
            keeper.choose("1").await.unwrap();
            assert_eq!(code(keeper.authorized(None).await), "1");
        });
    });
}

#[test]
fn a_token_serves_on_while_aes_is_down_and_no_longer_than_it_lives() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            let world = keeper.endpoint();
            world.let_tokens_get_old();
            world.down.store(true, Ordering::SeqCst);
            let number = |given: Authorized| numbers(&given.token).1;
            let alive = keeper.clone();
            let tended = spawn(async move { alive.tend().await });
            assert_eq!(keeper.authorized(None).await.map(number).ok(), Some(0), "20 s are left");
            assert_eq!(keeper.view().failure.unwrap().code(), "aes-failed");
            let pause = tended.await.unwrap();
            assert!((Duration::from_secs(15)..Duration::from_secs(25)).contains(&pause), "{pause:?}");
            world.clock.fetch_add(15, Ordering::SeqCst);
            assert_eq!(keeper.authorized(None).await.err().unwrap().code(), "aes-failed", "5 s are too few");
            assert!(
                matches!(keeper.view().state, SessionState::LoggedIn { .. }),
                "nobody is logged out for that"
            );
            world.clock.fetch_add(600, Ordering::SeqCst);
            world.down.store(false, Ordering::SeqCst);
            assert_eq!(keeper.authorized(None).await.map(number).ok(), Some(1));
            assert!(keeper.view().failure.is_none());
        });
    });
}

#[test]
fn what_is_remembered_is_who_is_logged_in() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            log_in(&keeper, "weber", &["1"]).await.unwrap();
            let leaving = keeper.clone();
            let left = spawn(async move { leaving.logout().await });
            log_in(&keeper, "muller", &["2"]).await.unwrap();
            left.await.unwrap().unwrap();
            settle(&keeper).await;
            let held = keeper.state().refresh().map(|refresh| refresh.reveal().to_owned());
            assert_eq!(*keeper.endpoint().kept.lock().unwrap(), held);
            assert_eq!(keeper.view().remembered, held.is_some());
        });
    });
}

#[test]
fn who_logged_out_does_not_come_back_from_the_keyring() {
    explore(|| {
        block_on(async {
            let keeper = keeper(0);
            let (_, granted) = keeper.endpoint().log_in("weber", &["1"]);
            let restoring = keeper.clone();
            let restored = spawn(async move { restoring.restore(granted.refresh.unwrap()).await });
            log_in(&keeper, "muller", &["2"]).await.unwrap();
            keeper.clone().logout().await.unwrap();
            restored.await.unwrap();
            assert_eq!(keeper.authorized(None).await.err().unwrap().code(), "login-required");
            settle(&keeper).await;
            assert_eq!(*keeper.endpoint().kept.lock().unwrap(), None);
            keeper.endpoint().nothing_is_broken();
        });
    });
}

/// Lets the tasks end that nobody waits for.
async fn settle(keeper: &Arc<Keeper<World>>) {
    while Arc::strong_count(keeper) > 1 {
        yield_now().await;
    }
}
