//! A desk with doubles around it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use econnector_base::{AuthorityWords, Clock, Explain as _, Patient, RandomIds, Secret, SystemClock};
use econnector_connector::{
    Caller, Cancel, Connector, Error, Foreign, Issue, Issued, JournalLine, LockRule, Observation, Observer, Parts, SignPdf, Simulate,
    Simulated, Values, VoletCopy,
};
use econnector_forms::{Environment, Lang, Pack};
use econnector_identity::{
    Actor, Authorized, Identity, IdentityError, KeyringState, LastExchange, Leaving, LoginRequest, Logins, Physician, Principal,
    Probe as AesProbe, SessionState, SessionView,
};
use econnector_journal::{Entry, Journal, State};
use econnector_mysecu::{BusinessMessage, Deposit, ExchangeAnswer, MySecuError, Probe as MySecuProbe, Said, Space};
use econnector_net::{Transport, TransportOptions};
use econnector_printing::{PrintError, Printer, Printers};
use econnector_profile::Profiles;
use econnector_sandbox::{Ready, Sandbox, SandboxOptions};
use econnector_signature::{
    Algorithm, Bearer, Kms, KmsSettings, Probe as KmsProbe, Refusal, SignatureError, Signer, SignerCertificate, TrustStore,
};
use serde_json::{Map, Value};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

/// What the authority says to the next message.
#[derive(Clone, Copy)]
pub(crate) enum Say {
    /// Yes.
    Accept,
    /// No, by this code.
    Refuse(&'static str),
    /// No, by this code and with nothing else.
    RefuseBarely(&'static str),
    /// Yes to the payment, but of another amount than was simulated.
    PayLess,
    /// Yes to the simulation, but for its first line.
    DeclineALine,
    /// Yes to the simulation, with a remark that can be contested.
    Remark,
    /// Nothing: the line is cut after the message left.
    Lose,
    /// Nothing: the message did not leave.
    NotReached,
    /// Something that is no answer to this message.
    SpeakOfAnother,
}

/// The authority, and what it received.
#[derive(Default)]
pub(crate) struct Authority {
    next: Mutex<VecDeque<Say>>,
    received: Mutex<Vec<(String, String)>>,
    /// A token of its own is in use: it asks for none of the session's.
    pub(crate) has_token: Mutex<bool>,
    /// How many of the next messages refuse their token.
    pub(crate) refuses: Mutex<usize>,
    /// Whose tokens were given back.
    pub(crate) given_back: Mutex<Vec<String>>,
}

/// Who is logged in.
pub(crate) struct Person {
    token: Arc<Secret>,
    logged_in: Mutex<Option<Principal>>,
    undecided: Mutex<bool>,
    /// Somebody is at AeS to log in.
    pub(crate) logging_in: Mutex<bool>,
    /// That login succeeds just before somebody wants to give it up.
    pub(crate) quick: Mutex<bool>,
    clock: Arc<ExampleDay>,
    /// AeS' clock minus the computer's.
    pub(crate) skew: Mutex<time::Duration>,
    /// How often a token was asked for in place of one that an authority refused.
    pub(crate) renewals: Mutex<usize>,
    /// What AeS said last of a client that exchanges tokens.
    pub(crate) last_exchange: Mutex<LastExchange>,
}

/// What happens while the signature service works.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// The signature service, which may be told to fail.
pub(crate) struct Pen {
    kms: Kms,
    /// Calls that came, in order.
    pub(crate) calls: Mutex<Vec<&'static str>>,
    /// For whom each was made, when that is not whoever the token names.
    pub(crate) subjects: Mutex<Vec<Option<String>>>,
    /// How many of the next calls refuse their token.
    pub(crate) refuses: Mutex<usize>,
    /// What becomes of the next timestamps.
    pub(crate) lost_stamps: Mutex<VecDeque<SignatureError>>,
    /// After which call something else happens, and what.
    pub(crate) meanwhile: Mutex<Option<(&'static str, Meanwhile)>>,
    pub(crate) broken: Mutex<bool>,
    pub(crate) explodes: Mutex<bool>,
    pub(crate) signatures: Mutex<usize>,
}

/// A printer queue that keeps what it gets.
#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) printed: Mutex<Vec<(String, Vec<u8>)>>,
    /// How many more jobs it takes; any number when `None`.
    pub(crate) room: Mutex<Option<usize>>,
    /// There is no printing on this machine.
    pub(crate) absent: Mutex<bool>,
}

/// Who counts what was done.
#[derive(Default)]
pub(crate) struct Counted(pub(crate) Mutex<Vec<Observation>>);

impl Observer for Counted {
    fn observed(&self, what: &Observation) {
        self.0.lock().unwrap().push(what.clone());
    }
}

/// The computer's clock, on the day of the examples.
#[derive(Default)]
pub(crate) struct ExampleDay {
    ahead: Mutex<time::Duration>,
    days: Mutex<i64>,
    counted: Mutex<Duration>,
}

pub(crate) struct Desk {
    pub(crate) connector: Arc<Connector>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) person: Arc<Person>,
    pub(crate) pen: Arc<Pen>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) counted: Arc<Counted>,
    pub(crate) clock: Arc<ExampleDay>,
    pub(crate) journal: Journal,
}

impl Desk {
    /// Dr Weber, logged in, with everything in order.
    pub(crate) async fn open() -> Self {
        let ready = services();
        let transport = Transport::new(&TransportOptions {
            anchors_pem: vec![std::fs::read(&ready.ca_pem).unwrap()],
            only_these_anchors: true,
            ..TransportOptions::default()
        })
        .unwrap();
        let kms = |path: &str| format!("{}/api/v3/{path}", ready.kms);
        let pen = Arc::new(Pen {
            kms: Kms::new(
                KmsSettings {
                    get_certificate_url: kms("get-certificate"),
                    sign_url: kms("sign-data"),
                    timestamp_url: kms("sign-timestamp"),
                },
                transport.clone(),
                Arc::new(RandomIds),
            ),
            calls: Mutex::default(),
            subjects: Mutex::default(),
            refuses: Mutex::default(),
            lost_stamps: Mutex::default(),
            meanwhile: Mutex::default(),
            broken: Mutex::new(false),
            explodes: Mutex::new(false),
            signatures: Mutex::new(0),
        });
        let clock = Arc::<ExampleDay>::default();
        let person = Arc::new(Person {
            token: Arc::new(token(&transport, ready).await),
            logged_in: Mutex::new(Some(weber())),
            undecided: Mutex::new(false),
            logging_in: Mutex::new(false),
            quick: Mutex::new(false),
            clock: Arc::clone(&clock),
            skew: Mutex::default(),
            renewals: Mutex::default(),
            last_exchange: Mutex::new(LastExchange::NotSetUp),
        });
        let (authority, queue, counted) = (
            Arc::new(Authority::default()),
            Arc::new(Queue::default()),
            Arc::<Counted>::default(),
        );
        let journal = Journal::in_memory().await.unwrap();
        let connector = Connector::new(Parts {
            packs: econnector_forms::embedded().unwrap(),
            identity: Arc::clone(&person) as Arc<dyn Identity>,
            signer: Arc::clone(&pen) as Arc<dyn Signer>,
            trust: TrustStore::from_pem(&std::fs::read(&ready.truststore_pem).unwrap()).unwrap(),
            deposit: Arc::clone(&authority) as Arc<dyn Deposit>,
            journal: journal.clone(),
            profiles: Profiles::in_memory(),
            printers: Arc::clone(&queue) as Arc<dyn Printers>,
            left_out: Vec::new(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            lock: LockRule::default(),
            ids: Arc::new(RandomIds),
            environment: Environment::Production,
            observer: Arc::clone(&counted) as Arc<dyn Observer>,
        });
        Self {
            connector,
            authority,
            person,
            pen,
            queue,
            counted,
            clock,
            journal,
        }
    }

    /// Whoever calls with the token of whoever is logged in.
    pub(crate) fn bearer(&self, physician: Option<&str>) -> Caller {
        Caller::Bearer {
            token: Arc::clone(&self.person.token),
            physician: physician.map(ToOwned::to_owned),
        }
    }

    pub(crate) async fn issue_as(&self, caller: Caller, id: u128) -> Result<Issued, Error> {
        let issue = Issue {
            id: Uuid::from_u128(id),
            kind: "ecit".into(),
            values: example("ecit", "illness"),
            replaces: None,
            reason: None,
        };
        self.connector.issue(caller, issue, None, Lang::En).await
    }

    pub(crate) async fn issue(&self, id: u128, replaces: Option<u128>) -> Result<Issued, Error> {
        let issue = Issue {
            id: Uuid::from_u128(id),
            kind: "ecit".into(),
            values: example("ecit", "illness"),
            replaces: replaces.map(Uuid::from_u128),
            reason: None,
        };
        self.connector.issue(Caller::OwnSession, issue, None, Lang::En).await
    }

    /// The same certificate with another last day.
    pub(crate) async fn issue_changed(&self, id: u128) -> Result<Issued, Error> {
        self.issue_values(id, example_with("ecit", "illness", "last_day", "2026-10-29"))
            .await
    }

    pub(crate) async fn issue_values(&self, id: u128, values: Values) -> Result<Issued, Error> {
        let issue = Issue {
            id: Uuid::from_u128(id),
            kind: "ecit".into(),
            values,
            replaces: None,
            reason: None,
        };
        self.connector.issue(Caller::OwnSession, issue, None, Lang::En).await
    }

    /// Signs a PDF made elsewhere; with a message when there is one.
    pub(crate) async fn sign(&self, id: u128, pdf: &[u8], deposit: Option<(&str, String)>) -> Result<Issued, Error> {
        self.sign_as(Caller::OwnSession, id, pdf, deposit).await
    }

    pub(crate) async fn sign_as(&self, caller: Caller, id: u128, pdf: &[u8], deposit: Option<(&str, String)>) -> Result<Issued, Error> {
        let sign = SignPdf {
            id: Uuid::from_u128(id),
            pdf: Arc::new(pdf.to_vec().into()),
            deposit: deposit.map(|(kind, xml)| Foreign {
                kind: kind.to_owned(),
                xml: xml.into(),
            }),
        };
        self.connector.sign(caller, sign, None).await
    }

    pub(crate) async fn volet(&self, id: u128, name: &str) -> Result<VoletCopy, Error> {
        self.connector.volet(&Caller::OwnSession, Uuid::from_u128(id), name).await
    }

    pub(crate) async fn cancel(&self, id: u128, replaced_by: Option<u128>) -> Result<JournalLine, Error> {
        let cancel = Cancel {
            id: Uuid::from_u128(id),
            reason: Patient::new("Erreur de Madame Schmit".to_owned()),
            replaced_by: replaced_by.map(Uuid::from_u128),
        };
        self.connector.cancel(Caller::OwnSession, cancel, None).await
    }

    pub(crate) async fn simulate(&self, id: u128) -> Result<Simulated, Error> {
        let simulate = Simulate {
            id: Uuid::from_u128(id),
            kind: None,
            values: example("pid", "consultation"),
        };
        self.connector.simulate(Caller::OwnSession, simulate, Lang::En).await
    }

    pub(crate) async fn validate(&self, id: u128) -> Result<Issued, Error> {
        self.validate_as(Caller::OwnSession, id).await
    }

    pub(crate) async fn validate_as(&self, caller: Caller, id: u128) -> Result<Issued, Error> {
        self.connector.validate(caller, Uuid::from_u128(id), None, Lang::En).await
    }

    /// The journal's line of a document.
    pub(crate) async fn entry(&self, id: u128) -> Entry {
        self.journal.find(Uuid::from_u128(id)).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: u128) -> State {
        self.entry(id).await.state
    }
}

/// The stable code of an error.
pub(crate) fn code<T>(outcome: Result<T, Error>) -> &'static str {
    outcome.err().map_or("no error", |error| error.code())
}

/// An example of a pack.
pub(crate) fn example(kind: &str, name: &str) -> Values {
    let pack = packs().iter().find(|pack| pack.kind() == kind).unwrap();
    Patient::new(pack.example(name).unwrap_or_else(|| panic!("{kind} has no example {name}")).clone())
}

fn packs() -> &'static [Pack] {
    static PACKS: OnceLock<Vec<Pack>> = OnceLock::new();
    PACKS.get_or_init(|| econnector_forms::embedded().unwrap())
}

/// An example with one value changed.
pub(crate) fn example_with(kind: &str, name: &str, field: &str, value: &str) -> Values {
    let mut values: Map<String, Value> = example(kind, name).reveal().clone();
    values.insert(field.to_owned(), value.into());
    Patient::new(values)
}

/// The day that the examples are checked on.
pub(crate) fn example_day() -> Date {
    let ecit = packs().iter().find(|pack| pack.kind() == "ecit").unwrap();
    ecit.example_day("illness").unwrap()
}

fn weber() -> Principal {
    Principal {
        actor: Actor {
            id: "anne".into(),
            name: "Dr Anne Weber".into(),
        },
        physician: Physician {
            ehealth_id: "1900000001".into(),
            name: "Dr Anne Weber".into(),
            provider_codes: vec!["90000101".into()],
        },
        until: OffsetDateTime::now_utc() + time::Duration::hours(1),
        mandate: false,
    }
}

/// The signature service and AeS, started once for all tests: making their keys takes seconds.
fn services() -> &'static Ready {
    static READY: OnceLock<Ready> = OnceLock::new();
    READY.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
                let sandbox = Sandbox::start(SandboxOptions {
                    dir,
                    ..SandboxOptions::default()
                })
                .await
                .unwrap();
                tell.send(sandbox.ready().clone()).unwrap();
                // Until the tests end, and their process with them.
                std::future::pending::<()>().await;
            });
        });
        told.recv().unwrap()
    })
}

async fn token(transport: &Transport, ready: &Ready) -> Secret {
    let request = transport.client().post(&ready.token_endpoint).form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", ready.client_id.as_str()),
        ("client_secret", ready.client_secret.as_str()),
        ("requested_subject", ready.ehealth_id.as_str()),
        ("audience", ready.audience.as_str()),
    ]);
    let answer = transport.send(request).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    Secret::new(body["access_token"].as_str().unwrap())
}

impl Person {
    /// Nobody is logged in any more, and AeS does not answer.
    pub(crate) fn leave(&self) {
        *self.logged_in.lock().unwrap() = None;
    }

    /// Dr Weber is back.
    pub(crate) fn come_back(&self) {
        *self.logged_in.lock().unwrap() = Some(weber());
        *self.undecided.lock().unwrap() = false;
    }

    /// A secretary is, who has not said yet for whom she acts.
    pub(crate) fn become_a_secretary(&self) {
        self.become_a_secretary_of_dr_weber();
        *self.undecided.lock().unwrap() = true;
    }

    /// A secretary is, who acts for Dr Weber.
    pub(crate) fn become_a_secretary_of_dr_weber(&self) {
        let mut secretary = weber();
        secretary.actor = Actor {
            id: "claire".into(),
            name: "Claire Hoffmann".into(),
        };
        secretary.mandate = true;
        *self.logged_in.lock().unwrap() = Some(secretary);
        *self.undecided.lock().unwrap() = false;
    }

    /// The token ends then.
    pub(crate) fn until(&self, until: OffsetDateTime) {
        self.logged_in.lock().unwrap().as_mut().unwrap().until = until;
    }

    /// Her token names no provider codes.
    pub(crate) fn has_no_codes(&self) {
        self.logged_in.lock().unwrap().as_mut().unwrap().physician.provider_codes.clear();
    }

    /// A colleague is.
    pub(crate) fn become_another(&self) {
        let mut other = weber();
        other.actor = Actor {
            id: "jean".into(),
            name: "Dr Jean Muller".into(),
        };
        other.physician = Physician {
            ehealth_id: "1900000002".into(),
            name: "Dr Jean Muller".into(),
            provider_codes: vec!["90000102".into()],
        };
        *self.logged_in.lock().unwrap() = Some(other);
    }

    fn authorize(&self) -> Result<Authorized, IdentityError> {
        if *self.undecided.lock().unwrap() {
            return Err(IdentityError::PhysicianNotChosen);
        }
        let principal = self.logged_in.lock().unwrap().clone().ok_or(IdentityError::LoginRequired)?;
        Ok(Authorized {
            principal,
            token: Arc::clone(&self.token),
        })
    }
}

#[async_trait]
impl Identity for Person {
    async fn session(&self) -> SessionView {
        let undecided = *self.undecided.lock().unwrap();
        let logged_in = self.logged_in.lock().unwrap().clone();
        let standing = match logged_in {
            Some(principal) => SessionState::LoggedIn {
                actor: principal.actor,
                physician: (!undecided).then_some(principal.physician),
                acts_for: Vec::new(),
                mandate: principal.mandate && !undecided,
                since: OffsetDateTime::UNIX_EPOCH,
                until: principal.until,
            },
            None => SessionState::LoggedOut,
        };
        let state = match *self.logging_in.lock().unwrap() {
            true => SessionState::LoggingIn {
                login_url: "https://aes.example/login".parse().unwrap(),
            },
            false => standing.clone(),
        };
        SessionView {
            state,
            standing,
            remembered: false,
            keyring: KeyringState::Off,
            failure: None,
            clock_skew: None,
            logins: Logins::Both,
        }
    }

    async fn choose(&self, ehealth_id: &str) -> Result<(), IdentityError> {
        let mut logged_in = self.logged_in.lock().unwrap();
        let principal = logged_in.as_mut().ok_or(IdentityError::LoginRequired)?;
        principal.physician.ehealth_id = ehealth_id.to_owned();
        *self.undecided.lock().unwrap() = false;
        Ok(())
    }

    async fn renewed(&self, _: &Secret) -> Result<Authorized, IdentityError> {
        *self.renewals.lock().unwrap() += 1;
        self.authorize()
    }

    async fn start_login(&self, _: LoginRequest) -> Result<url::Url, IdentityError> {
        Err(IdentityError::LoginRequired)
    }

    async fn authorized(&self) -> Result<Authorized, IdentityError> {
        self.authorize()
    }

    async fn logout(&self) -> Leaving {
        let under_way = std::mem::take(&mut *self.logging_in.lock().unwrap());
        if under_way && !*self.quick.lock().unwrap() {
            return Leaving::GaveUp;
        }
        self.leave();
        Leaving::Ended(Box::pin(async { Ok(()) }))
    }

    fn time(&self) -> OffsetDateTime {
        self.clock.now() + *self.skew.lock().unwrap()
    }

    async fn bearer(&self, _: &str, physician: Option<&str>) -> Result<Authorized, IdentityError> {
        let authorized = self.authorize()?;
        match physician.is_none_or(|named| named == authorized.principal.physician.ehealth_id) {
            true => Ok(authorized),
            false => Err(IdentityError::PhysicianNotRepresented),
        }
    }

    async fn on_behalf_of(&self, ehealth_id: &str) -> Result<Authorized, IdentityError> {
        let authorized = self.authorize()?;
        assert_eq!(authorized.principal.physician.ehealth_id, ehealth_id);
        Ok(authorized)
    }

    async fn exchanged_anew(&self, ehealth_id: &str, _: &Secret) -> Result<Authorized, IdentityError> {
        *self.renewals.lock().unwrap() += 1;
        self.on_behalf_of(ehealth_id).await
    }

    fn last_exchange(&self) -> LastExchange {
        self.last_exchange.lock().unwrap().clone()
    }

    async fn probe(&self) -> Result<AesProbe, IdentityError> {
        Ok(AesProbe {
            latency: Duration::ZERO,
            clock_skew: None,
        })
    }
}

impl ExampleDay {
    /// Time goes by, and the clock is set back as far.
    pub(crate) fn pass_unseen(&self, time: Duration) {
        *self.counted.lock().unwrap() += time;
    }

    /// The next day begins.
    pub(crate) fn strike_midnight(&self) {
        *self.days.lock().unwrap() += 1;
    }

    /// Time goes by, on the same day.
    pub(crate) fn pass(&self, time: time::Duration) {
        *self.ahead.lock().unwrap() += time;
    }
}

impl Clock for ExampleDay {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + *self.ahead.lock().unwrap()
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed() + *self.counted.lock().unwrap()
    }

    fn today(&self) -> Date {
        example_day() + time::Duration::days(*self.days.lock().unwrap())
    }
}

impl Pen {
    /// Takes a call, unless its token is refused.
    fn called(&self, call: &'static str, bearer: &Bearer) -> Result<(), SignatureError> {
        self.calls.lock().unwrap().push(call);
        self.subjects.lock().unwrap().push(bearer.subject.clone());
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses == 0 {
            return Ok(());
        }
        *refuses -= 1;
        Err(SignatureError::TokenRefused(Refusal::default()))
    }

    fn done(&self, call: &'static str) {
        let mut meanwhile = self.meanwhile.lock().unwrap();
        if meanwhile.as_ref().is_some_and(|(after, _)| *after == call)
            && let Some((_, what)) = meanwhile.take()
        {
            what();
        }
    }

    /// Something happens right after a call.
    pub(crate) fn after(&self, call: &'static str, what: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some((call, Box::new(what)));
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Signer for Pen {
    async fn certificate(&self, bearer: &Bearer) -> Result<SignerCertificate, SignatureError> {
        self.called("certificate", bearer)?;
        let certificate = self.kms.certificate(bearer).await;
        self.done("certificate");
        certificate
    }

    async fn sign(&self, bearer: &Bearer, data: &[u8], algorithm: Algorithm) -> Result<Vec<u8>, SignatureError> {
        self.called("sign", bearer)?;
        if *self.broken.lock().unwrap() {
            return Err(SignatureError::Garbage {
                what: "a broken pen",
                correlation_id: None,
            });
        }
        assert!(!*self.explodes.lock().unwrap(), "the pen explodes");
        *self.signatures.lock().unwrap() += 1;
        let signature = self.kms.sign(bearer, data, algorithm).await;
        self.done("sign");
        signature
    }

    async fn timestamp(&self, bearer: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.called("timestamp", bearer)?;
        if let Some(lost) = self.lost_stamps.lock().unwrap().pop_front() {
            return Err(lost);
        }
        let stamp = self.kms.timestamp(bearer, query).await;
        self.done("timestamp");
        stamp
    }

    async fn probe(&self) -> Result<KmsProbe, SignatureError> {
        self.kms.probe().await
    }
}

#[async_trait]
impl Printers for Queue {
    async fn list(&self) -> Result<Vec<Printer>, PrintError> {
        if *self.absent.lock().unwrap() {
            return Err(PrintError::Unavailable);
        }
        let printer = |name: &str, is_default| Printer {
            name: name.into(),
            description: None,
            is_default,
        };
        Ok(vec![printer("Accueil", true), printer("Salle_1", false)])
    }

    async fn print(&self, printer: &str, pdf: &[u8]) -> Result<String, PrintError> {
        if self.list().await?.iter().all(|known| known.name != printer) {
            return Err(PrintError::UnknownPrinter);
        }
        let mut printed = self.printed.lock().unwrap();
        if self.room.lock().unwrap().is_some_and(|room| printed.len() >= room) {
            return Err(PrintError::Failed("the queue is full"));
        }
        printed.push((printer.to_owned(), pdf.to_vec()));
        Ok(format!("{printer}-{}", printed.len()))
    }
}

impl Authority {
    /// What it says next, in this order; yes when nothing is left.
    pub(crate) fn will(&self, says: &[Say]) {
        self.next.lock().unwrap().extend(says);
    }

    /// The models of the messages received.
    pub(crate) fn models(&self) -> Vec<String> {
        self.received.lock().unwrap().iter().map(|(model, _)| model.clone()).collect()
    }

    /// One text of the last message of a model.
    pub(crate) fn told(&self, model: &str, element: &str) -> Option<String> {
        let received = self.received.lock().unwrap();
        let (_, xml) = received.iter().rev().find(|(known, _)| known == model)?;
        texts(xml, element).into_iter().next()
    }

    /// Everything it was told.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        self.received.lock().unwrap().clone()
    }
}

#[async_trait]
impl Deposit for Authority {
    async fn exchange(&self, space: &Space, message: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError> {
        if !*self.has_token.lock().unwrap() {
            space.token.fresh().await.map_err(MySecuError::NoToken)?;
        }
        let refused = {
            let mut refuses = self.refuses.lock().unwrap();
            let refused = *refuses > 0;
            *refuses -= usize::from(refused);
            refused
        };
        if refused {
            let words = AuthorityWords::new("wsse:FailedAuthentication", "The token is not active");
            return Err(MySecuError::TokenRefused(Said::new(words, None)));
        }
        let say = self.next.lock().unwrap().pop_front().unwrap_or(Say::Accept);
        if let Say::NotReached = say {
            return Err(MySecuError::Status { status: 403 });
        }
        self.received.lock().unwrap().push((message.model_uid.clone(), message.xml.clone()));
        // Others get their turn, as on a real line.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Say::Lose = say {
            return Err(MySecuError::OutcomeUnknown {
                cause: Box::new(MySecuError::AnswerUnsigned {
                    correlation_id: Some("Id-lost".into()),
                }),
            });
        }
        Ok(ExchangeAnswer {
            xml: answer(&message.model_uid, &message.xml, say),
            correlation_id: Some("Id-1".into()),
            elapsed: Duration::ZERO,
        })
    }

    async fn end(&self, space: &Space) -> Result<(), MySecuError> {
        self.given_back.lock().unwrap().push(space.holder.clone());
        Ok(())
    }

    async fn probe(&self) -> Result<MySecuProbe, MySecuError> {
        Ok(MySecuProbe {
            latency: Duration::ZERO,
            clock_skew: None,
        })
    }

    fn expires(&self) -> Option<OffsetDateTime> {
        None
    }
}

fn answer(model: &str, xml: &str, say: Say) -> String {
    let first = |element: &str| match say {
        Say::SpeakOfAnother => Uuid::from_u128(u128::MAX).to_string(),
        _ => texts(xml, element).into_iter().next().unwrap_or_else(|| panic!("no {element}")),
    };
    let acknowledge = |uuid: &str| tag("UuidPrestataire", &first(uuid)) + &tag("UuidSecu", "11111111-2222-4333-8444-555555555555");
    let simulated = || tag("identifiantReponseSimulation", &first("identifiantReponseSimulation"));
    let (root, body) = match model {
        "2026_ECIT_DEPOT-V1" => ("certificatIncapaciteTravailRetour", acknowledge("UUID")),
        "2026_ECIT_ANNUL-V1" => ("annulationCertificatIncapaciteTravailRetour", acknowledge("UUIDPrestataire")),
        "2022_CNS_MEMHON_DEPOT-V1" => ("memoireHonorairesRetour", acknowledge("UUID")),
        "2023-CNS-PID-SIM-V1" => {
            let ids = texts(xml, "identifiantExternePrestation");
            let line = |(index, id): (usize, &String)| {
                let accepted = !(index == 0 && matches!(say, Say::DeclineALine));
                let shares = if accepted {
                    ["40.00", "10.00", "50.00"]
                } else {
                    ["0.00", "0.00", "0.00"]
                };
                let [statutory, personal, total] = shares;
                let shares = tag("partStatutaire", statutory) + &tag("participationPersonelle", personal) + &tag("montantTotal", total);
                tag(
                    "ligne",
                    &(tag("identifiantExternePrestation", id) + &tag("accepte", &accepted.to_string()) + &shares),
                )
            };
            let lines: String = ids.iter().enumerate().map(line).collect();
            let totals =
                tag("totalPartStatutaire", "80.00") + &tag("totalParticipationPersonelle", "20.00") + &tag("sommeTotale", "100.00");
            let remark = match say {
                Say::DeclineALine | Say::Remark => tag(
                    "anomalies",
                    &(tag("identifiantAnomalie", "A-1")
                        + &tag("type", if let Say::Remark = say { "W" } else { "E" })
                        + &tag("code", "NON_ELIGIBLE")
                        + &tag("identifiantExternePrestation", &ids[0])),
                ),
                _ => String::new(),
            };
            let head = tag("idMemoireHonoraire", &first("idMemoireHonoraire")) + &tag("identifiantReponseSimulation", "SIM-1");
            ("simulationMedecinRetour", head + &lines + &totals + &remark)
        }
        "2023-CNS-PID-VAL-V1" => {
            let [statutory, paid] = match say {
                Say::PayLess => ["70.00", "65.00"],
                _ => ["80.00", "75.00"],
            };
            let paid = tag("UuidSecu", "PAY-1")
                + &tag("partStatutaire", statutory)
                + &tag("recouvrement", "5.00")
                + &tag("montantPaye", paid)
                + &tag("motif", "Recouvrement");
            ("validationSimulationMedecinRetour", simulated() + &paid)
        }
        "2023-CNS-PID-CON-V1" => ("contestationSimulationMedecinRetour", simulated() + &tag("UuidSecu", "CON-1")),
        other => panic!("no answer to {other}"),
    };
    let body = if let Say::RefuseBarely(_) = say { String::new() } else { body };
    let refusal = match say {
        Say::Refuse(code) | Say::RefuseBarely(code) => tag("anomalies", &(tag("type", "E") + &tag("code", code) + &tag("motif", "Non"))),
        _ => String::new(),
    };
    format!("<cns:{root} xmlns:cns=\"http://www.secu.lu/ciss/cns\">{body}{refusal}</cns:{root}>")
}

fn tag(name: &str, content: &str) -> String {
    format!("<cns:{name}>{content}</cns:{name}>")
}

/// The texts of all elements of a local name.
pub(crate) fn texts(xml: &str, element: &str) -> Vec<String> {
    let document = xml.split('<').filter_map(|piece| {
        let (name, text) = piece.split_once('>')?;
        let local = name.rsplit(':').next()?;
        (local == element && !name.starts_with('/')).then(|| text.to_owned())
    });
    document.collect()
}
