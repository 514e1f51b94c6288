//! A connector whose services count who asked them: what a route asks of nobody shows.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test fails by panicking; each test file uses its own part"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{Method, Request, Response, StatusCode};
use econnector_api::Door;
use econnector_base::{RandomIds, Secret, SystemClock};
use econnector_connector::{Connector, LeftOut, LockRule, NoObserver, Parts};
use econnector_forms::Environment;
use econnector_identity::{
    Actor, Authorized, Identity, IdentityError, KeyringState, Leaving, LoginRequest, Logins, Physician, Principal, Probe, SessionState,
    SessionView,
};
use econnector_journal::{Entry, Journal, Settlement, State, Who};
use econnector_loopback::{Link, LinkOptions, Rules};
use econnector_mysecu::{BusinessMessage, Deposit, ExchangeAnswer, MySecuError, Space};
use econnector_printing::NoPrinting;
use econnector_profile::Profiles;
use econnector_signature::{Algorithm, Bearer, SignatureError, Signer, SignerCertificate, TrustStore};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

pub const ID: &str = "6f1d6a4e-9d1f-4a2e-8f57-1c2f3a4b5c6d";
pub const WEBER: &str = "1900000001";

/// Who is at the desk, for whom tokens were asked, and how often the signature service was.
pub struct Stand {
    pub connector: Arc<Connector>,
    pub journal: Journal,
    pub at_desk: Arc<Mutex<Option<String>>>,
    /// Who acts: `anne`, who is Dr Weber, or `claire`, who has her mandate.
    pub actor: Arc<Mutex<&'static str>>,
    pub logging_in: Arc<Mutex<bool>>,
    pub delegated: Arc<Mutex<Vec<String>>>,
    pub logins: Arc<Mutex<Vec<bool>>>,
    pub signatures_asked: Arc<AtomicUsize>,
}

struct People {
    at_desk: Arc<Mutex<Option<String>>>,
    actor: Arc<Mutex<&'static str>>,
    logging_in: Arc<Mutex<bool>>,
    delegated: Arc<Mutex<Vec<String>>>,
    /// Whether each login asked for another account.
    logins: Arc<Mutex<Vec<bool>>>,
}

fn physician(ehealth_id: &str) -> Physician {
    Physician {
        ehealth_id: ehealth_id.into(),
        name: "Dr Anne Weber".into(),
        provider_codes: vec!["90000101".into()],
    }
}

impl People {
    fn acting_for(&self, ehealth_id: &str) -> Authorized {
        let actor = *self.actor.lock().unwrap();
        Authorized {
            principal: Principal {
                actor: Actor {
                    id: actor.into(),
                    name: if actor == "anne" { "Dr Anne Weber" } else { actor }.into(),
                },
                physician: physician(ehealth_id),
                until: OffsetDateTime::now_utc() + time::Duration::minutes(5),
                mandate: actor != "anne",
            },
            token: Arc::new(Secret::new("a token")),
        }
    }
}

#[async_trait]
impl Identity for People {
    async fn session(&self) -> SessionView {
        let at_desk = self.at_desk.lock().unwrap().clone();
        let logged_in = |id: String| {
            let principal = self.acting_for(&id).principal;
            SessionState::LoggedIn {
                actor: principal.actor,
                physician: Some(principal.physician),
                acts_for: Vec::new(),
                mandate: principal.mandate,
                since: OffsetDateTime::UNIX_EPOCH,
                until: OffsetDateTime::now_utc(),
            }
        };
        let standing = at_desk.map_or(SessionState::LoggedOut, logged_in);
        let logging_in = *self.logging_in.lock().unwrap();
        SessionView {
            state: if logging_in {
                SessionState::LoggingIn {
                    login_url: url::Url::parse("https://aes.example/auth").unwrap(),
                }
            } else {
                standing.clone()
            },
            standing,
            remembered: false,
            keyring: KeyringState::Off,
            failure: None,
            clock_skew: Some(time::Duration::seconds(42)),
            logins: Logins::Both,
        }
    }

    async fn start_login(&self, request: LoginRequest) -> Result<url::Url, IdentityError> {
        self.logins.lock().unwrap().push(request.other_account);
        Ok(url::Url::parse("https://aes.example/auth").unwrap())
    }

    async fn choose(&self, ehealth_id: &str) -> Result<(), IdentityError> {
        if ehealth_id != "1900000002" {
            return Err(IdentityError::PhysicianNotRepresented);
        }
        *self.at_desk.lock().unwrap() = Some(ehealth_id.to_owned());
        Ok(())
    }

    async fn renewed(&self, _: &Secret) -> Result<Authorized, IdentityError> {
        self.authorized().await
    }

    async fn authorized(&self) -> Result<Authorized, IdentityError> {
        let at_desk = self.at_desk.lock().unwrap().clone();
        at_desk.map(|id| self.acting_for(&id)).ok_or(IdentityError::LoginRequired)
    }

    async fn logout(&self) -> Leaving {
        Leaving::Ended(Box::pin(async { Ok(()) }))
    }

    fn time(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    async fn bearer(&self, token: &str, physician: Option<&str>) -> Result<Authorized, IdentityError> {
        match (token, physician) {
            ("good", None | Some(WEBER)) => Ok(self.acting_for(WEBER)),
            ("good", Some(_)) => Err(IdentityError::PhysicianNotRepresented),
            _ => Err(IdentityError::TokenInvalid("a test's")),
        }
    }

    async fn on_behalf_of(&self, ehealth_id: &str) -> Result<Authorized, IdentityError> {
        self.delegated.lock().unwrap().push(ehealth_id.to_owned());
        Ok(self.acting_for(ehealth_id))
    }

    async fn probe(&self) -> Result<Probe, IdentityError> {
        Err(IdentityError::LoginRequired)
    }
}

/// Refuses whoever comes so far.
struct Counting(Arc<AtomicUsize>);

#[async_trait]
impl Signer for Counting {
    async fn certificate(&self, _: &Bearer) -> Result<SignerCertificate, SignatureError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(SignatureError::SignerExpired)
    }

    async fn sign(&self, _: &Bearer, _: &[u8], _: Algorithm) -> Result<Vec<u8>, SignatureError> {
        unreachable!("there was no certificate")
    }

    async fn timestamp(&self, _: &Bearer, _: &[u8]) -> Result<Vec<u8>, SignatureError> {
        unreachable!("there was no certificate")
    }

    async fn probe(&self) -> Result<econnector_signature::Probe, SignatureError> {
        Ok(econnector_signature::Probe {
            latency: Duration::ZERO,
            server_time: None,
        })
    }
}

/// Answers simulations: everything is accepted, with a remark. Nothing else is asked of it.
struct Pricing;

#[async_trait]
impl Deposit for Pricing {
    async fn exchange(&self, _: &Space, message: &BusinessMessage) -> Result<ExchangeAnswer, MySecuError> {
        if message.model_uid != "2023-CNS-PID-SIM-V1" {
            return Err(MySecuError::AnswerUnsigned { correlation_id: None });
        }
        let tag = |name: &str, content: &str| format!("<cns:{name}>{content}</cns:{name}>");
        let ids = |element: &str| {
            let of = |piece: &str| {
                let (name, text) = piece.split_once('>')?;
                (name.rsplit(':').next() == Some(element) && !name.starts_with('/')).then(|| text.to_owned())
            };
            message.xml.split('<').filter_map(of).collect::<Vec<_>>()
        };
        let shares = tag("partStatutaire", "40.00") + &tag("participationPersonelle", "10.00") + &tag("montantTotal", "50.00");
        let lines: String = ids("identifiantExternePrestation")
            .iter()
            .map(|id| {
                tag(
                    "ligne",
                    &(tag("identifiantExternePrestation", id) + &tag("accepte", "true") + &shares),
                )
            })
            .collect();
        let remark = tag("identifiantAnomalie", "A-1") + &tag("type", "W") + &tag("code", "TARIF") + &tag("motif", "Tarif limité");
        let body = tag("idMemoireHonoraire", &ids("idMemoireHonoraire").concat())
            + &tag("identifiantReponseSimulation", "SIM-1")
            + &lines
            + &tag("totalPartStatutaire", "80.00")
            + &tag("totalParticipationPersonelle", "20.00")
            + &tag("sommeTotale", "100.00")
            + &tag("anomalies", &remark);
        Ok(ExchangeAnswer {
            xml: format!("<cns:simulationMedecinRetour xmlns:cns=\"http://www.secu.lu/ciss/cns\">{body}</cns:simulationMedecinRetour>"),
            correlation_id: None,
            elapsed: Duration::ZERO,
        })
    }

    async fn end(&self, _: &Space) -> Result<(), MySecuError> {
        Ok(())
    }

    async fn probe(&self) -> Result<econnector_mysecu::Probe, MySecuError> {
        Ok(econnector_mysecu::Probe {
            latency: Duration::ZERO,
            clock_skew: None,
        })
    }

    fn expires(&self) -> Option<OffsetDateTime> {
        None
    }
}

impl Stand {
    /// Dr Weber is logged in.
    pub async fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let anchor = rcgen::CertificateParams::new(vec!["anchor.example".into()])
            .unwrap()
            .self_signed(&key)
            .unwrap()
            .pem();
        let journal = Journal::in_memory().await.unwrap();
        let at_desk = Arc::new(Mutex::new(Some(WEBER.to_owned())));
        let (delegated, logins) = (Arc::default(), Arc::default());
        let (actor, logging_in) = (Arc::new(Mutex::new("anne")), Arc::default());
        let signatures_asked = Arc::default();
        let connector = Connector::new(Parts {
            packs: econnector_forms::embedded().unwrap(),
            identity: Arc::new(People {
                at_desk: Arc::clone(&at_desk),
                actor: Arc::clone(&actor),
                logging_in: Arc::clone(&logging_in),
                delegated: Arc::clone(&delegated),
                logins: Arc::clone(&logins),
            }),
            signer: Arc::new(Counting(Arc::clone(&signatures_asked))),
            trust: TrustStore::from_pem(anchor.as_bytes()).unwrap(),
            deposit: Arc::new(Pricing),
            journal: journal.clone(),
            profiles: Profiles::in_memory(),
            printers: Arc::new(NoPrinting),
            left_out: vec![LeftOut {
                folder: "torn".into(),
                reason: "texts/lb.json: missing".into(),
            }],
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            observer: Arc::new(NoObserver),
            environment: Environment::Training,
            lock: LockRule::default(),
        });
        Self {
            connector,
            journal,
            at_desk,
            actor,
            logging_in,
            delegated,
            logins,
            signatures_asked,
        }
    }

    pub fn router(&self, door: Door) -> Router {
        econnector_api::router(Arc::clone(&self.connector), door)
    }

    pub fn signatures_asked(&self) -> usize {
        self.signatures_asked.load(Ordering::SeqCst)
    }

    /// A line of Dr Weber's in the journal, as an earlier call left it.
    pub async fn recorded(&self, id: &str, kind: &str, state: State) {
        let id: Uuid = id.parse().unwrap();
        let entry = Entry {
            id,
            kind: kind.to_owned(),
            state: State::Signing,
            created_at: OffsetDateTime::now_utc(),
            finished_at: None,
            who: Who {
                actor_id: "anne".into(),
                actor_name: "Dr Anne Weber".into(),
                physician_id: WEBER.into(),
                physician_name: "Dr Anne Weber".into(),
            },
            provider_code: Some("90000101".into()),
            reference: None,
            correlation_id: None,
            replaces: None,
            replaced_by: None,
            cancellation: None,
            problem: None,
        };
        self.journal.begin(&entry, &[]).await.unwrap();
        let settlement = Settlement {
            reference: Some("MYSECU-REFERENCE".to_owned()),
            ..Settlement::default()
        };
        self.journal
            .settle(id, state, OffsetDateTime::now_utc(), &settlement)
            .await
            .unwrap();
    }
}

/// A link of its own folder; the folder goes with the guard that is returned.
pub fn link(rules: Rules) -> (Link, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let link = Link::open(LinkOptions {
        folder: folder.path().to_owned(),
        rules,
        environment: "training",
        version: "0.0.0",
        clock: Arc::new(SystemClock),
    })
    .unwrap();
    (link, folder)
}

/// Example values of a form that hold today.
pub fn example(kind: &str, name: &str) -> Value {
    let packs = econnector_forms::embedded().unwrap();
    let pack = packs.iter().find(|pack| pack.kind() == kind).unwrap();
    Value::Object(pack.example(name).unwrap().clone())
}

pub async fn send(router: &Router, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    econnector_api::answer(router.clone(), request).await
}

pub fn json_of(answer: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

pub async fn call(router: &Router, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/econnector{path}"))
        .header("accept-language", "en");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let answer = send(router, request.body(body).unwrap()).await;
    (answer.status(), json_of(&answer))
}

/// One part of a body: its head and its content.
pub fn part(boundary: &str, head: &str, content: &[u8]) -> Vec<u8> {
    let mut part = format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes();
    part.extend_from_slice(content);
    part.extend_from_slice(b"\r\n");
    part
}

/// A whole body in parts.
pub fn parts(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body: Vec<u8> = Vec::new();
    for (name, content) in parts {
        body.extend(part(boundary, &format!("name=\"{name}\""), content));
    }
    body.extend(format!("--{boundary}--\r\n").into_bytes());
    body
}

pub fn in_parts(path: &str, boundary: &str, body: Vec<u8>) -> Request<Vec<u8>> {
    Request::post(format!("/econnector{path}"))
        .header("accept-language", "en")
        .header("authorization", "Bearer good")
        .header("content-type", format!("multipart/form-data; boundary={boundary}"))
        .body(body)
        .unwrap()
}

/// A PDF of one page that says nothing.
pub fn pdf() -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Resources << >> >>",
    ];
    let mut pdf = String::from("%PDF-1.7\n");
    let mut places = Vec::new();
    for (nth, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        pdf += &format!("{} 0 obj\n{object}\nendobj\n", nth + 1);
    }
    let start = pdf.len();
    pdf += "xref\n0 4\n0000000000 65535 f \n";
    for place in places {
        pdf += &format!("{place:010} 00000 n \n");
    }
    pdf += &format!("trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    pdf.into_bytes()
}

pub fn issue_body() -> Value {
    json!({ "id": ID, "kind": "ecit", "values": example("ecit", "illness") })
}
