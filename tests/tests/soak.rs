//! A day at four desks, much shortened: access tokens of two seconds, sessions of eight, an AeS that is down, slow or loses its answers, clocks
//! that are set, and nights after which nobody is logged in. Every form that was begun is sent until it is settled. In the end each stands at
//! mySecu exactly once and in the right physician's name, no refresh token was spent twice but for a lost answer, no two renewals met, and no
//! call was made with a token that was over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use econnector_api::Door;
use econnector_assembly::{Host, assemble_with};
use econnector_base::{Clock, SystemClock};
use econnector_connector::NoObserver;
use econnector_identity::{Browser, NoKeyring};
use econnector_tests::{Control, browser, sick_note};
use econnector_training::Training;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

/// Seconds.
const ACCESS: u64 = 2;
const SESSION: u64 = 8;
/// Access tokens that must have been given out and lived.
const LIFETIMES: usize = 200;
/// Forms under way at a desk at a time.
const LANES: usize = 2;
/// The physician's part of a form: a machine that does nothing but typeset would be late with everything else.
const TYPING: Duration = Duration::from_millis(300);
/// A form that is not settled by then is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// However slow the machine.
const DAY_AT_MOST: Duration = Duration::from_secs(300);
/// A token of two seconds is given out with half a second left. A call that a busy machine holds up for almost as long was not careless.
const STALL: Duration = Duration::from_millis(400);
/// How many such calls a day of some two thousand may have.
const HELD_UP_AT_MOST: usize = 8;
/// What the stand-ins remember of each kind.
const REMEMBERED: usize = 1000;

struct Who {
    user: &'static str,
    /// For whom.
    ehealth_id: &'static str,
    name: &'static str,
    code: &'static str,
    /// Somebody else's physician, to be chosen.
    mandate: bool,
}

const PEOPLE: [Who; 4] = [
    Who {
        user: "dr.weber",
        ehealth_id: "1900000001",
        name: "Dr Anne Weber",
        code: "90000101",
        mandate: false,
    },
    Who {
        user: "dr.muller",
        ehealth_id: "1900000002",
        name: "Dr Luc Muller",
        code: "90000102",
        mandate: false,
    },
    Who {
        user: "dr.schmit",
        ehealth_id: "1900000004",
        name: "Dr Paul Schmit",
        code: "90000104",
        mandate: false,
    },
    Who {
        user: "sec.klein",
        ehealth_id: "1900000002",
        name: "Dr Luc Muller",
        code: "90000102",
        mandate: true,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_token_lifetimes_lose_no_form_and_spend_no_token_twice() {
    let training = Arc::new(Training::with_lives(ACCESS, SESSION).await.unwrap());
    let control = Control::at(&training.sandbox().ready().control);
    let mut desks = Vec::new();
    for who in &PEOPLE {
        desks.push(Arc::new(Desk::open(&training, who).await));
    }

    for desk in &desks {
        desk.be_logged_in().await;
    }
    let stalls = Arc::new(Mutex::new(Vec::new()));
    let watch = tokio::spawn(watch_for_stalls(Arc::clone(&stalls)));
    let evening = Arc::new(AtomicBool::new(false));
    let lanes: Vec<_> = desks
        .iter()
        .flat_map(|desk| std::iter::repeat_n(desk, LANES))
        .map(|desk| tokio::spawn(Arc::clone(desk).work(Arc::clone(&evening))))
        .collect();
    let begun = Instant::now();
    while tokens_given(&control).await < LIFETIMES && begun.elapsed() < DAY_AT_MOST {
        weather(&control, &training, &desks).await;
    }
    evening.store(true, Ordering::Relaxed);
    let mut sent = BTreeMap::new();
    for lane in lanes {
        sent.extend(lane.await.unwrap());
    }

    watch.abort();

    let events = control.recorded("/aes/events").await;
    let exchanges = control.recorded("/mysecu/exchanges").await;
    assert!(
        events.len() < REMEMBERED && exchanges.len() < REMEMBERED,
        "the record has lost its beginning"
    );
    let given = tokens_given(&control).await;
    assert!(given >= LIFETIMES, "{given} lifetimes only");

    // Nothing was lost, nothing came twice, and nobody signed as somebody else.
    let mut deposited: BTreeMap<Uuid, usize> = sent.keys().map(|id| (*id, 0)).collect();
    for exchange in exchanges.iter().filter(|exchange| exchange["outcome"] == "accepted") {
        let envelope = exchange["envelope"].as_str().unwrap();
        let id: Uuid = cut(envelope, "<UUID>").parse().unwrap();
        *deposited.get_mut(&id).expect("nobody sent this id") += 1;
        assert_eq!(cut(envelope, "<identifiantESante>"), sent[&id].ehealth_id);
    }
    let not_once: Vec<_> = deposited.iter().filter(|(_, times)| **times != 1).collect();
    assert!(not_once.is_empty(), "{not_once:?}");
    assert!(
        exchanges.iter().all(|exchange| exchange["outcome"] != "refused"),
        "a second deposit was tried"
    );
    let busy: BTreeSet<_> = sent.values().map(|who| who.user).collect();
    assert_eq!(busy.len(), PEOPLE.len(), "a desk stood idle");
    assert!(sent.len() >= 10 * PEOPLE.len(), "{} forms only", sent.len());

    // Not one careless call.
    let of_kind = |kind: &str| events.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let careless = |event: &&Value| !held_up(&stalls.lock().unwrap(), event["at"].as_str().unwrap());
    let (expired, excused): (Vec<_>, Vec<_>) = of_kind("EXPIRED_TOKEN_USED").into_iter().partition(careless);
    assert_eq!(expired, Vec::<&Value>::new());
    // A machine that is busy all the time excuses no program that gives out dying tokens: that would be seen in each lifetime.
    eprintln!("{} calls held up on a busy machine, {given} lifetimes", excused.len());
    assert!(excused.len() <= HELD_UP_AT_MOST, "{excused:?}");
    assert_eq!(of_kind("REFRESH_TOKEN_OVERLAP"), Vec::<&Value>::new());
    for (position, event) in events
        .iter()
        .enumerate()
        .filter(|(_, event)| event["type"] == "REFRESH_TOKEN_REUSE")
    {
        let before = events[..position]
            .iter()
            .rev()
            .filter(|earlier| earlier["username"] == event["username"])
            .find(|earlier| !["LOGIN_ERROR", "LOGIN"].contains(&earlier["type"].as_str().unwrap()));
        assert_eq!(
            before.unwrap()["type"],
            "REFRESH_TOKEN_LOST",
            "a spent token was used that was not lost: {event}"
        );
    }

    // And the day was as bad as it was meant to be.
    assert!(!of_kind("REFRESH_TOKEN_LOST").is_empty(), "no answer was lost");
    assert!(of_kind("LOGIN").len() > PEOPLE.len(), "nobody had to log in again");
    let troubles: BTreeSet<_> = desks.iter().flat_map(|desk| desk.troubles.lock().unwrap().clone()).collect();
    assert!(troubles.len() >= 3, "{troubles:?}");
}

/// How many access tokens AeS gave to the desks.
async fn tokens_given(control: &Control) -> usize {
    let given = |event: &&Value| ["CODE_TO_TOKEN", "REFRESH_TOKEN"].contains(&event["type"].as_str().unwrap_or_default());
    control.recorded("/aes/events").await.iter().filter(given).count()
}

/// Everything that goes wrong in a day, once.
async fn weather(control: &Control, training: &Training, desks: &[Arc<Desk>]) {
    let renewals = |mut fault: Value| {
        fault["service"] = "aes".into();
        fault["path"] = "/token".into();
        fault
    };
    // AeS is down, loses answers, is slow.
    control.fault(renewals(json!({"kind": "status", "status": 503}))).await;
    seconds(3).await;
    control.no_faults().await;
    seconds(2).await;
    control.fault(renewals(json!({"kind": "drop", "after": true, "count": 2}))).await;
    seconds(3).await;
    control.no_faults().await;
    control.fault(renewals(json!({"kind": "delay", "ms": 1300, "count": 4}))).await;
    control.fault(renewals(json!({"kind": "drop", "count": 2}))).await;
    seconds(3).await;
    control.no_faults().await;

    // The others refuse before they do anything, the token among the reasons, or are slow.
    for fault in [
        json!({"service": "kms", "kind": "delay", "ms": 1000, "count": 3}),
        json!({"service": "kms", "kind": "status", "status": 503, "count": 2, "path": "sign-data"}),
        json!({"service": "kms", "kind": "status", "status": 401, "count": 2}),
        json!({"service": "mysecu", "kind": "expired", "count": 2}),
        json!({"service": "mysecu", "kind": "status", "status": 503, "count": 1, "path": "trust"}),
    ] {
        control.fault(fault).await;
    }
    seconds(3).await;
    control.no_faults().await;

    // Clocks are set, forth and back, each another way; and mended.
    for (desk, by) in desks.iter().zip([40, -200, -40, 1]) {
        desk.clock.jump(time::Duration::seconds(by));
    }
    seconds(4).await;
    for (desk, by) in desks.iter().zip([40, -200, -40, 1]) {
        desk.clock.jump(time::Duration::seconds(-by));
    }
    seconds(2).await;

    // A night: the lids are closed longer than a session lasts.
    let sessions = format!("{}/aes/sessions", training.sandbox().ready().control);
    assert_eq!(
        browser(None).delete(sessions).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    for desk in desks {
        desk.clock.jump(time::Duration::hours(9));
    }
    seconds(1).await;
    // What took the night for them took none for the stand-ins.
    for desk in desks {
        desk.clock.jump(time::Duration::hours(-9));
    }
    seconds(3).await;
}

/// Notes when this process is served later than it asks to be, and by how much.
async fn watch_for_stalls(stalls: Arc<Mutex<Vec<(OffsetDateTime, Duration)>>>) {
    const STEP: Duration = Duration::from_millis(20);
    loop {
        let before = Instant::now();
        tokio::time::sleep(STEP).await;
        let late = before.elapsed().saturating_sub(STEP);
        if late > Duration::from_millis(2) {
            stalls.lock().unwrap().push((SystemClock.now(), late));
        }
    }
}

/// Whether a call that came at `at` was held up on its way: it had left at most a token's life before.
fn held_up(stalls: &[(OffsetDateTime, Duration)], at: &str) -> bool {
    let at = OffsetDateTime::parse(at, &Rfc3339).unwrap();
    let lately = |moment: OffsetDateTime| (at - Duration::from_secs(ACCESS)..at + STALL).contains(&moment);
    let late: Duration = stalls.iter().filter(|(moment, _)| lately(*moment)).map(|(_, late)| *late).sum();
    late >= STALL
}

async fn seconds(count: u64) {
    tokio::time::sleep(Duration::from_secs(count)).await;
}

/// The computer's clock, when somebody has set it.
#[derive(Default)]
struct Wandering(Mutex<time::Duration>);

impl Wandering {
    fn jump(&self, by: time::Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Wandering {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + *self.0.lock().unwrap()
    }

    /// A form is dated when it is begun; that its day changes is not what is tried here.
    fn today(&self) -> time::Date {
        SystemClock.today()
    }
}

/// Nobody looks: the address is read from the answer.
struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _: &str) -> bool {
        false
    }
}

/// A desktop of its own, and whoever sits there.
struct Desk {
    who: &'static Who,
    router: Router,
    clock: Arc<Wandering>,
    ca_pem: Vec<u8>,
    /// One person logs in once, however many forms wait for it.
    at_login: AsyncMutex<()>,
    /// The codes of everything that did not work at once.
    troubles: Mutex<BTreeSet<String>>,
}

impl Desk {
    async fn open(training: &Training, who: &'static Who) -> Self {
        let clock = Arc::new(Wandering::default());
        let host = Host {
            browser: Arc::new(NoBrowser),
            tokens: Arc::new(NoKeyring::default()),
        };
        let settings = training.settings(None).unwrap();
        let connector = assemble_with(&settings, host, Arc::new(NoObserver), Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            who,
            router: econnector_api::router(connector.await.unwrap(), Door::Desktop(None)),
            clock,
            ca_pem: std::fs::read(&training.sandbox().ready().ca_pem).unwrap(),
            at_login: AsyncMutex::default(),
            troubles: Mutex::default(),
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(format!("/econnector/v1/{path}"));
        let request = request.header("content-type", "application/json");
        let body = body.map(|body| serde_json::to_vec(&body).unwrap()).unwrap_or_default();
        let response = econnector_api::answer(self.router.clone(), request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        (parts.status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// One form after the other until the evening; what was sent, and by whom.
    async fn work(self: Arc<Self>, evening: Arc<AtomicBool>) -> Vec<(Uuid, &'static Who)> {
        let mut sent = Vec::new();
        while !evening.load(Ordering::Relaxed) {
            tokio::time::sleep(TYPING).await;
            let id = Uuid::new_v4();
            self.send(id).await;
            sent.push((id, self.who));
        }
        sent
    }

    /// Sends one form as often as it takes; in between whoever sits there logs in when asked to.
    async fn send(&self, id: Uuid) {
        let values = sick_note(json!({
            "provider_code": self.who.code,
            "physician_name": self.who.name,
            "physician_ehealth_id": self.who.ehealth_id,
        }));
        let form = json!({ "id": id, "kind": "ecit", "values": values });
        let (begun, mut said) = (Instant::now(), Vec::new());
        while begun.elapsed() < PATIENCE {
            let (status, document) = self.call(Method::POST, "documents", Some(form.clone())).await;
            if status.is_success() {
                assert_eq!(document["state"], "deposited", "{document}");
                return;
            }
            let code = document["code"].as_str().unwrap_or("none").to_owned();
            assert_ne!(document["state"], "unknown", "{document}");
            assert!(!code.contains("unknown"), "{document}");
            self.troubles.lock().unwrap().insert(code.clone());
            said.push(code);
            self.be_logged_in().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{}: {id} is lost: {said:?}", self.who.user);
    }

    /// Logs in when nobody is, and chooses for whom. What does not work now is tried again by the next who needs it.
    async fn be_logged_in(&self) {
        let _alone = self.at_login.lock().await;
        let (_, session) = self.call(Method::GET, "session", None).await;
        if session["state"] == "logged_in" {
            if session["physician"]["ehealth_id"] != self.who.ehealth_id {
                assert!(self.who.mandate, "{}: {session}", self.who.user);
                let choice = json!({ "ehealth_id": self.who.ehealth_id });
                self.call(Method::PUT, "session/physician", Some(choice)).await;
            }
            return;
        }
        let (status, started) = self.call(Method::POST, "session/login", Some(json!({}))).await;
        let Some(url) = started["login_url"].as_str().filter(|_| status == StatusCode::ACCEPTED) else {
            return;
        };
        // The page that she lands on comes when the login has ended, well or not.
        self.type_password(url).await;
        if self.who.mandate {
            let choice = json!({ "ehealth_id": self.who.ehealth_id });
            self.call(Method::PUT, "session/physician", Some(choice)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// In a browser; what comes of it the session says.
    async fn type_password(&self, login_url: &str) {
        let browser = browser(Some(&self.ca_pem));
        let page = browser.get(login_url).send().await.unwrap();
        let here = page.url().clone();
        let html = page.text().await.unwrap();
        let target = here.join(
            &html
                .split('"')
                .skip_while(|part| !part.ends_with("action="))
                .nth(1)
                .unwrap()
                .replace("&amp;", "&"),
        );
        let password = self.who.user.rsplit('.').next().unwrap();
        let typed = [("username", self.who.user), ("password", password)];
        browser.post(target.unwrap()).form(&typed).send().await.unwrap();
    }
}

fn cut<'a>(text: &'a str, open: &str) -> &'a str {
    let (_, behind) = text.split_once(open).unwrap_or_else(|| panic!("no {open}"));
    behind.split_once('<').unwrap().0
}
