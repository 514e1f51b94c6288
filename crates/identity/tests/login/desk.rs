//! A person with a browser, a keyring that remembers, a clock that can be moved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use econnector_base::{Clock, Secret};
use econnector_identity::{
    Aes, AesSettings, Browser, Identity as _, KeyringState, LoginRequest, Logins, SessionState, SessionView, TokenStore,
};
use econnector_net::{Transport, TransportOptions};
use time::OffsetDateTime;
use url::Url;

/// The window's surroundings, and the person before it.
pub struct Desk {
    pub issuer: Url,
    pub ca_pem: Vec<u8>,
    pub keyring: Arc<Keyring>,
    pub browser: Arc<Recorded>,
    pub clock: Arc<Moved>,
    person: reqwest::Client,
}

impl Desk {
    pub fn new(issuer: &str, ca_pem: Vec<u8>) -> Self {
        // Also puts the TLS provider in its place.
        transport(&ca_pem);
        let ca = reqwest::Certificate::from_pem(&ca_pem).unwrap();
        let person = reqwest::Client::builder()
            .tls_certs_only([ca])
            .cookie_store(true)
            .no_proxy()
            .build()
            .unwrap();
        Self {
            issuer: issuer.parse().unwrap(),
            ca_pem,
            keyring: Arc::default(),
            browser: Arc::default(),
            clock: Arc::default(),
            person,
        }
    }

    pub fn settings(&self) -> AesSettings {
        AesSettings::new(self.issuer.clone(), "econnector")
    }

    pub async fn start(&self) -> Aes {
        self.start_with(self.settings()).await
    }

    /// As a hospital's server: callers bring their tokens.
    pub fn delegated(&self) -> AesSettings {
        AesSettings {
            logins: Logins::Delegated,
            ..self.settings()
        }
    }

    pub async fn start_with(&self, settings: AesSettings) -> Aes {
        self.start_on(settings, self.keyring.clone()).await
    }

    pub async fn start_on(&self, settings: AesSettings, keyring: Arc<dyn TokenStore>) -> Aes {
        let transport = transport(&self.ca_pem);
        let (browser, clock) = (self.browser.clone(), self.clock.clone());
        Aes::new(settings, transport, keyring, browser, clock).await.unwrap()
    }

    /// Logs in as a person would, and waits until the program has noticed.
    pub async fn log_in(&self, aes: &Aes, username: &str, password: &str) -> SessionView {
        let url = aes.start_login(in_french()).await.unwrap();
        self.browse(&url, username, password).await;
        settled(aes).await
    }

    /// Opens `url`, fills in every form that comes, and returns the last page and where it stands.
    pub async fn browse(&self, url: &Url, username: &str, password: &str) -> (Url, String) {
        let mut answer = self.person.get(url.clone()).send().await.unwrap();
        for _ in 0..5 {
            let here = answer.url().clone();
            let page = answer.text().await.unwrap();
            let Some(form) = Form::read(&page) else { return (here, page) };
            let mut fields = form.hidden;
            for (name, value) in [("username", username), ("login", username), ("password", password)] {
                if page.contains(&format!("name=\"{name}\"")) {
                    fields.push((name.to_owned(), value.to_owned()));
                }
            }
            let action = here.join(&form.action).unwrap();
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let request = self.person.post(action).header("Content-Type", "application/x-www-form-urlencoded");
            answer = request.body(body).send().await.unwrap();
        }
        panic!("the login has no end");
    }

    pub async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.person.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub fn remembered(&self) -> Option<String> {
        let kept = self.keyring.kept.lock().unwrap();
        kept.values().next().map(|token| token.reveal().to_owned())
    }

    /// Waits until the keyring holds something else than `before`.
    pub async fn remembered_after(&self, before: Option<&str>) -> Option<String> {
        for _ in 0..200 {
            let now = self.remembered();
            if now.as_deref() != before {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the keyring did not change");
    }
}

/// How long the program waits for an answer of AeS.
pub const PATIENCE: Duration = Duration::from_secs(5);

pub fn in_french() -> LoginRequest {
    login_in("fr")
}

pub fn login_in(language: &str) -> LoginRequest {
    LoginRequest {
        language: language.to_owned(),
        other_account: false,
    }
}

/// Whoever the browser is logged in as at AeS, somebody else may want to be.
pub fn as_somebody_else() -> LoginRequest {
    LoginRequest {
        other_account: true,
        ..in_french()
    }
}

pub fn transport(ca_pem: &[u8]) -> Transport {
    let options = TransportOptions {
        anchors_pem: vec![ca_pem.to_vec()],
        only_these_anchors: true,
        timeout: PATIENCE,
        ..TransportOptions::default()
    };
    Transport::new(&options).unwrap()
}

/// The session once no login is under way any more.
pub async fn settled(aes: &Aes) -> SessionView {
    for _ in 0..300 {
        let view = aes.session().await;
        if !matches!(view.state, SessionState::LoggingIn { .. }) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the login does not end");
}

#[derive(Default)]
pub struct Recorded(pub Mutex<Vec<String>>);

impl Browser for Recorded {
    fn open(&self, url: &str) -> bool {
        self.0.lock().unwrap().push(url.to_owned());
        true
    }
}

/// Works like the system's, but can be looked into.
#[derive(Default)]
pub struct Keyring {
    kept: Mutex<HashMap<String, Secret>>,
    asked: AtomicUsize,
    stubborn: AtomicBool,
}

impl Keyring {
    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// It does not forget any more, or does again.
    pub fn be_stubborn(&self, stubborn: bool) {
        self.stubborn.store(stubborn, Ordering::SeqCst);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Secret>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.kept.lock().unwrap()
    }
}

#[async_trait]
impl TokenStore for Keyring {
    async fn load(&self, account: &str) -> Result<Option<Secret>, KeyringState> {
        Ok(self.kept().get(account).cloned())
    }

    async fn save(&self, account: &str, token: &Secret) -> Result<(), KeyringState> {
        self.kept().insert(account.to_owned(), token.clone());
        Ok(())
    }

    async fn forget(&self, account: &str) -> Result<(), KeyringState> {
        if self.stubborn.load(Ordering::SeqCst) {
            return Err(KeyringState::Silent);
        }
        self.kept().remove(account);
        Ok(())
    }

    fn state(&self) -> KeyringState {
        KeyringState::Available
    }
}

/// The computer's clocks: the one on the wall, which somebody may set, and the one that only counts.
pub struct Moved {
    start: Instant,
    wall: AtomicI64,
    passed: AtomicU64,
}

impl Default for Moved {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            wall: AtomicI64::new(0),
            passed: AtomicU64::new(0),
        }
    }
}

impl Moved {
    /// The clock on the wall is so many seconds off.
    pub fn by(&self, seconds: i64) {
        self.wall.store(seconds, Ordering::SeqCst);
    }

    /// So many seconds go by, and the clock on the wall is set back as far: AeS, whose clock is the real one, sees none of it.
    pub fn pass(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::seconds(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed() + Duration::from_secs(self.passed.load(Ordering::SeqCst))
    }
}

struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Form {
    fn read(page: &str) -> Option<Self> {
        let form = &page[page.find("<form")?..];
        let form = &form[..form.find("</form>").unwrap_or(form.len())];
        let tags = form.split('<').filter(|tag| tag.starts_with("input"));
        let hidden = tags.filter(|tag| tag.contains("type=\"hidden\""));
        Some(Self {
            action: attribute(form, "action")?,
            hidden: hidden
                .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
                .collect(),
        })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}
