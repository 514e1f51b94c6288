use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::Secret;
use keyring_core::{Entry, Error};
use serde::Serialize;
use tokio::sync::oneshot;

/// Where the refresh token stays between two starts of the program.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// The token kept for `account`, if any.
    ///
    /// # Errors
    /// The state of the keyring when it did not answer.
    async fn load(&self, account: &str) -> Result<Option<Secret>, KeyringState>;
    /// Keeps `token` for `account` instead of the one before.
    ///
    /// # Errors
    /// The state of the keyring when it did not take the token.
    async fn save(&self, account: &str, token: &Secret) -> Result<(), KeyringState>;
    /// Removes what is kept for `account`; nothing kept is no error.
    ///
    /// # Errors
    /// The state of the keyring when it may still hold the token.
    async fn forget(&self, account: &str) -> Result<(), KeyringState>;
    /// How the last call went.
    fn state(&self) -> KeyringState;
}

/// How the operating system's keyring does. The program works with every one of these; with all but `Available` the physician logs
/// in again at the next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyringState {
    /// It answers.
    Available,
    /// There is none on this computer.
    Absent {
        /// The system's words.
        words: String,
    },
    /// It is locked and was not unlocked.
    Locked {
        /// The system's words.
        words: String,
    },
    /// It did not answer within [`OsKeyring::PATIENCE`]: mostly it waits behind a prompt.
    Silent,
    /// It refused.
    Refused {
        /// The system's words.
        words: String,
    },
    /// None is used, on purpose.
    Off,
}

impl KeyringState {
    /// Stable code for docs/problems.md; `None` when all is well.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Available => None,
            Self::Absent { .. } => Some("keyring-absent"),
            Self::Locked { .. } => Some("keyring-locked"),
            Self::Silent => Some("keyring-silent"),
            Self::Refused { .. } => Some("keyring-refused"),
            Self::Off => Some("keyring-off"),
        }
    }

    fn from_error(error: &Error) -> Self {
        // Only these messages are free of the stored bytes.
        let words = match error {
            Error::PlatformFailure(inner) | Error::NoStorageAccess(inner) => inner.to_string(),
            Error::TooLong(name, longest) => format!("{name} is longer than {longest}"),
            Error::Ambiguous(entries) => format!("{} entries match", entries.len()),
            _ => "the entry cannot be used".to_owned(),
        };
        let words = words.chars().take(200).collect();
        match error {
            Error::NoStorageAccess(_) => Self::Locked { words },
            _ => Self::Refused { words },
        }
    }
}

/// The keyring of the operating system: Secret Service, Windows Credential Manager, macOS Keychain.
///
/// All calls run in order on one thread of their own: a keyring may wait for a prompt as long as it likes, nobody waits for it longer
/// than [`OsKeyring::PATIENCE`], and what was asked first (save) cannot overtake what was asked last (forget). A save that waited keeps
/// the newest token there is by then.
pub struct OsKeyring {
    orders: Sender<Order>,
    newest: Newest,
    /// Orders behind the one under way.
    waiting: Arc<AtomicUsize>,
    state: Mutex<KeyringState>,
}

/// What is to be kept for each account.
type Newest = Arc<Mutex<HashMap<String, Secret>>>;

impl OsKeyring {
    /// How long a call is waited for.
    pub const PATIENCE: Duration = Duration::from_secs(3);

    /// `service` is the name under which the system lists the entries.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(service: impl Into<String>) -> std::io::Result<Self> {
        let service = service.into();
        let (orders, inbox) = channel::<Order>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let newest = Newest::default();
        let (left, kept) = (waiting.clone(), newest.clone());
        std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            while let Ok(order) = inbox.recv() {
                left.fetch_sub(1, Ordering::Relaxed);
                // Whoever asked may have stopped waiting.
                let _ = order.answer.send(order.action.run(&service, &order.account, &kept));
            }
        })?;
        Ok(Self {
            orders,
            newest,
            waiting,
            state: Mutex::new(KeyringState::Available),
        })
    }

    async fn ask(&self, account: &str, action: Action) -> Result<Option<Secret>, KeyringState> {
        let (answer, outcome) = oneshot::channel();
        let order = Order {
            account: account.to_owned(),
            action,
            answer,
        };
        let result = if self.order(order) {
            let answered = tokio::time::timeout(Self::PATIENCE, outcome).await;
            answered.ok().and_then(Result::ok).unwrap_or(Err(KeyringState::Silent))
        } else {
            Err(KeyringState::Silent)
        };
        let state = result.as_ref().err().cloned().unwrap_or(KeyringState::Available);
        if let Some(code) = state.code() {
            tracing::warn!(code, "the keyring does not serve");
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        result
    }

    /// What is to be forgotten is always heard: a token saved before must not outlast it.
    fn order(&self, order: Order) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING && !matches!(order.action, Action::Forget) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.orders.send(order).is_ok()
    }
}

#[async_trait]
impl TokenStore for OsKeyring {
    async fn load(&self, account: &str) -> Result<Option<Secret>, KeyringState> {
        self.ask(account, Action::Load).await
    }

    async fn save(&self, account: &str, token: &Secret) -> Result<(), KeyringState> {
        to_be_kept(&self.newest).insert(account.to_owned(), token.clone());
        self.ask(account, Action::Save).await.map(|_| ())
    }

    async fn forget(&self, account: &str) -> Result<(), KeyringState> {
        to_be_kept(&self.newest).remove(account);
        self.ask(account, Action::Forget).await.map(|_| ())
    }

    fn state(&self) -> KeyringState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn to_be_kept(newest: &Newest) -> MutexGuard<'_, HashMap<String, Secret>> {
    newest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps tokens in memory only: training mode, and servers that do not log in.
#[derive(Default)]
pub struct NoKeyring(Mutex<HashMap<String, Secret>>);

impl NoKeyring {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl TokenStore for NoKeyring {
    async fn load(&self, account: &str) -> Result<Option<Secret>, KeyringState> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned())
    }

    async fn save(&self, account: &str, token: &Secret) -> Result<(), KeyringState> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned(), token.clone());
        Ok(())
    }

    async fn forget(&self, account: &str) -> Result<(), KeyringState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
        Ok(())
    }

    fn state(&self) -> KeyringState {
        KeyringState::Off
    }
}

/// Calls that may wait behind a silent one; further ones are refused at once, but for those to forget.
const WAITING: usize = 8;

struct Order {
    account: String,
    action: Action,
    answer: oneshot::Sender<Result<Option<Secret>, KeyringState>>,
}

enum Action {
    Load,
    /// What is newest by then.
    Save,
    Forget,
}

impl Action {
    fn run(self, service: &str, account: &str, newest: &Newest) -> Result<Option<Secret>, KeyringState> {
        let token = to_be_kept(newest).get(account).cloned();
        find_store()?;
        // Bytes, not text: Windows stores text as UTF-16, and 2560 bytes are all it takes.
        let outcome = Entry::new(service, account).and_then(|entry| match (self, token) {
            (Self::Load, _) => entry.get_secret().map(Some),
            (Self::Save, Some(token)) => entry.set_secret(token.reveal().as_bytes()).map(|()| None),
            // To be forgotten before its turn came.
            (Self::Save, None) => Ok(None),
            (Self::Forget, _) => entry.delete_credential().map(|()| None),
        });
        match outcome {
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(_) => Err(KeyringState::Refused {
                    words: "the entry is not text".to_owned(),
                }),
            },
            Ok(None) | Err(Error::NoEntry) => Ok(None),
            Err(error) => {
                if matches!(error, Error::PlatformFailure(_)) {
                    // It may have been started anew: the next call looks for it again.
                    lose_store();
                }
                Err(KeyringState::from_error(&error))
            }
        }
    }
}

/// Looks for the system's store as long as there is none: a keyring may be started after this program.
#[cfg(target_os = "linux")]
fn find_store() -> Result<(), KeyringState> {
    if keyring_core::get_default_store().is_none() {
        let found = zbus_secret_service_keyring_store::Store::new();
        keyring_core::set_default_store(found.map_err(|error| absent(&error))?);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn lose_store() {
    keyring_core::unset_default_store();
}

/// Windows and macOS have theirs from the start.
#[cfg(not(target_os = "linux"))]
fn find_store() -> Result<(), KeyringState> {
    keyring::Entry::store_status().as_ref().map(|()| ()).map_err(absent)
}

#[cfg(not(target_os = "linux"))]
const fn lose_store() {}

fn absent(error: &Error) -> KeyringState {
    match KeyringState::from_error(error) {
        KeyringState::Locked { words } | KeyringState::Refused { words } => KeyringState::Absent { words },
        other => other,
    }
}
