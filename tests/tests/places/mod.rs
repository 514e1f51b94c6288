//! The three doors as a caller meets them: the window's in this process, practice software's on loopback, the hospital's by HTTPS.

// Every test file that uses this uses its own part of it.
#![allow(dead_code)]

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use econnector_api::Door;
use econnector_assembly::{Host, assemble};
use econnector_connector::Connector;
use econnector_forms::Lang;
use econnector_identity::{Browser, NoKeyring};
use econnector_loopback::{Answer as Said, Link, LinkOptions, Rules, TrainingTokens, WaitingKind, listen};
use econnector_tests::{Answer, Control, Programs, browser, log_in_by_http};
use econnector_training::Training;
use http::{Method, Request};
use serde_json::{Value, json};

/// What the tests call themselves at the loopback door.
pub const SOFTWARE: &str = "Contract tests";
/// The physician who signs; see crates/sandbox/README.md.
pub const PHYSICIAN: &str = "1900000001";
/// She herself, in her own name: her `sub` at the stand-in of AeS, and her eHealthID.
const HERSELF: &str = "6b1f7c52-3f3e-4a53-9a53-1d5c0b6f0001 1900000001";

/// What else calls at the loopback door in tests: the samples.
const SAMPLES: [&str; 4] = ["Sample Python", "Sample JavaScript", "Sample CSharp", "Sample calls"];

/// What the physician was asked at her window, and about which software.
pub type Asked = Arc<Mutex<Vec<(WaitingKind, String)>>>;

/// A body and its media type.
pub type Body = Option<(String, Vec<u8>)>;

/// A body of JSON.
pub fn in_json(value: &Value) -> Body {
    Some(("application/json".to_owned(), serde_json::to_vec(value).unwrap()))
}

/// One door, and stand-ins behind it.
pub struct Place {
    /// For messages of failed tests.
    pub name: &'static str,
    /// The stand-ins.
    pub control: Control,
    /// A token of the physician's.
    pub token: String,
    /// What every caller of this door sends, whoever the physician is.
    pub headers: Vec<(String, String)>,
    /// What a caller sends to act in the physician's name.
    acting: Vec<(String, String)>,
    link: Option<Link>,
    /// A ready file or a connection file; the window has none.
    pub file: PathBuf,
    way: Way,
    _alive: Box<dyn Any + Send + Sync>,
}

enum Way {
    InProcess(Router),
    Http { client: reqwest::Client, base: String },
}

/// Nobody looks: the address is read from the answer.
struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _: &str) -> bool {
        false
    }
}

async fn trained() -> (Training, Arc<Connector>) {
    let training = Training::start().await.unwrap();
    let host = Host {
        browser: Arc::new(NoBrowser),
        tokens: Arc::new(NoKeyring::default()),
    };
    let connector = assemble(&training.settings(None).unwrap(), host).await.unwrap();
    (training, connector)
}

/// A link of a user of its own, as an installation may open it: any free port, this software allowed.
fn link(folder: &Path, allowed: &[&str]) -> Link {
    let rules = Rules {
        port: 0,
        software: allowed.iter().map(|&name| name.to_owned()).collect(),
        ..Rules::default()
    };
    Link::open(LinkOptions {
        folder: folder.to_owned(),
        rules,
        environment: "training",
        version: env!("CARGO_PKG_VERSION"),
        clock: Arc::new(econnector_base::SystemClock),
    })
    .unwrap()
}

fn bearer(token: &str) -> Vec<(String, String)> {
    vec![("Authorization".to_owned(), format!("Bearer {token}"))]
}

impl Place {
    /// The window's door, in this process.
    pub async fn window() -> Self {
        let (training, connector) = trained().await;
        let control = Control::at(&training.sandbox().ready().control);
        let token = control.token_of(PHYSICIAN).await;
        Self {
            name: "window",
            acting: bearer(&token),
            token,
            control,
            headers: Vec::new(),
            link: None,
            file: PathBuf::new(),
            way: Way::InProcess(econnector_api::router(connector, Door::Desktop(None))),
            _alive: Box::new(training),
        }
    }

    /// Practice software's door: the real guard on a real port; the software was allowed by the installation and is trusted for today.
    pub async fn loopback() -> Self {
        let place = Self::loopback_allowing(&[&[SOFTWARE], &SAMPLES[..]].concat()).await;
        place.link.as_ref().unwrap().trust_today(SOFTWARE, HERSELF).unwrap();
        place
    }

    /// The same in the session of the physician, who logged in at the desktop; the caller has no token.
    pub async fn loopback_in_her_session() -> Self {
        let mut place = Self::loopback().await;
        place.log_in("dr.weber").await;
        place.acting.clear();
        place
    }

    /// The same of a user whom no software has called yet: it asks about each.
    pub async fn loopback_of_a_new_user() -> Self {
        Self::loopback_allowing(&[]).await
    }

    async fn loopback_allowing(software: &[&str]) -> Self {
        let (training, connector) = trained().await;
        let ready = training.sandbox().ready();
        let control = Control::at(&ready.control);
        let token = control.token_of(PHYSICIAN).await;
        let folder = tempfile::tempdir().unwrap();
        let link = link(folder.path(), software);
        link.offer_tokens(TrainingTokens {
            token_endpoint: ready.token_endpoint.clone(),
            ca_pem: ready.ca_pem.clone(),
            client_id: ready.client_id.clone(),
            client_secret: ready.client_secret.clone(),
            ehealth_id: ready.ehealth_id.clone(),
        });
        let listening = listen(econnector_api::router(connector, Door::Loopback(link.clone())), link.clone())
            .await
            .unwrap();
        let file = folder.path().join("connection.json");
        let connection: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        Self {
            name: "loopback",
            acting: bearer(&token),
            token,
            control,
            headers: vec![
                ("X-EConnector-Key".to_owned(), connection["key"].as_str().unwrap().to_owned()),
                ("X-EConnector-Software".to_owned(), SOFTWARE.to_owned()),
            ],
            link: Some(link),
            file,
            way: Way::Http {
                client: browser(None),
                base: connection["url"].as_str().unwrap().to_owned(),
            },
            _alive: Box::new((training, listening, folder)),
        }
    }

    /// The window's door on a plain port, without a guard: for programs that can only speak HTTP.
    pub async fn window_on_a_port() -> Self {
        let (training, connector) = trained().await;
        let control = Control::at(&training.sandbox().ready().control);
        let token = control.token_of(PHYSICIAN).await;
        let folder = tempfile::tempdir().unwrap();
        let router = econnector_api::router(connector, Door::Desktop(Some(link(folder.path(), &[]))));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self {
            name: "window on a port",
            acting: bearer(&token),
            token,
            control,
            headers: Vec::new(),
            link: None,
            file: PathBuf::new(),
            way: Way::Http {
                client: browser(None),
                base,
            },
            _alive: Box::new((training, serving, folder)),
        }
    }

    /// The hospital's door: the two programs, exactly as `cargo xtask sandbox` starts them.
    pub async fn hospital() -> Self {
        let programs = Programs::with_server().await;
        let control = Control::at(programs.field("control"));
        let token = control.token_of(PHYSICIAN).await;
        Self {
            name: "hospital",
            acting: bearer(&token),
            token,
            control,
            headers: Vec::new(),
            link: None,
            file: programs.file(),
            way: Way::Http {
                client: browser(Some(&std::fs::read(programs.field("ca_pem")).unwrap())),
                base: programs.field("api").to_owned(),
            },
            _alive: Box::new(programs),
        }
    }

    /// The same for a caller that has an API key, and says for whom it works.
    pub async fn hospital_by_key() -> Self {
        let mut place = Self::hospital().await;
        place.acting = vec![
            ("X-EConnector-Key".to_owned(), place.said("api_key")),
            ("X-EConnector-Physician".to_owned(), PHYSICIAN.to_owned()),
        ];
        place
    }

    /// From now on the physician says yes at her window to every software and, once each, to whatever it wants. What she was asked.
    pub fn says_yes(&self) -> Asked {
        let link = self.link.clone().unwrap();
        let asked = Asked::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let seen = link.view(Lang::En, None);
                for waiting in seen.waiting {
                    match waiting.kind {
                        WaitingKind::Consent => link.decide(&waiting.software, true).unwrap(),
                        WaitingKind::Approval => link.answer(waiting.id, Said::Once).unwrap(),
                    }
                    heard
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((waiting.kind, waiting.software));
                }
                link.changed(seen.revision, Duration::from_secs(60)).await;
            }
        });
        asked
    }

    /// What the ready file or the connection file says.
    pub fn said(&self, name: &str) -> String {
        let text = std::fs::read(&self.file).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
        let file: Value = serde_json::from_slice(&text).unwrap();
        file[name].as_str().unwrap_or_else(|| panic!("{name} in {file}")).to_owned()
    }

    /// Where the door is.
    pub fn base(&self) -> &str {
        match &self.way {
            Way::InProcess(_) => "",
            Way::Http { base, .. } => base,
        }
    }

    /// Logs a person in at the desktop, as its user would: browser page, password, way back.
    pub async fn log_in(&self, user: &str) {
        let started = self.bare(Method::POST, "/v1/session/login", &[], in_json(&json!({}))).await;
        let url = started.json()["login_url"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", started.json()))
            .to_owned();
        let ca = self.control.get("/ready").await["ca_pem"].as_str().unwrap().to_owned();
        let password = user.rsplit('.').next().unwrap();
        log_in_by_http(&url, user, password, Some(&std::fs::read(ca).unwrap())).await;
        for _ in 0..100 {
            let session = self.bare(Method::GET, "/v1/session", &[], None).await.json();
            if session["state"] == "logged_in" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not logged in");
    }

    /// A request in the physician's name.
    pub async fn call(&self, method: Method, path: &str, body: Body) -> Answer {
        self.call_in("en", method, path, body).await
    }

    /// The same in a language.
    pub async fn call_in(&self, language: &str, method: Method, path: &str, body: Body) -> Answer {
        self.call_with(&[("accept-language", language)], method, path, body).await
    }

    /// The same with further headers.
    pub async fn call_with(&self, headers: &[(&str, &str)], method: Method, path: &str, body: Body) -> Answer {
        let acting = self.acting.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = acting.chain(headers.iter().copied()).collect();
        self.bare(method, path, &all, body).await
    }

    /// A request with what the door wants and these headers, and nothing else.
    pub async fn bare(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let door = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> = door.chain(headers.iter().copied()).collect();
        self.naked(method, path, &all, body).await
    }

    /// A request with these headers alone: what a stranger sends.
    pub async fn naked(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
        let (media, content) = body.unzip();
        let content = content.unwrap_or_default();
        let headers = headers
            .iter()
            .copied()
            .chain(media.iter().map(|media| ("content-type", media.as_str())));
        match &self.way {
            Way::InProcess(router) => {
                let mut request = Request::builder().method(method).uri(format!("/econnector{path}"));
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let response = econnector_api::answer(router.clone(), request.body(content).unwrap()).await;
                let (parts, body) = response.into_parts();
                Answer {
                    status: parts.status,
                    headers: parts.headers,
                    body,
                }
            }
            Way::Http { client, base } => {
                let mut request = client.request(method, format!("{base}/econnector{path}")).body(content);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let response = request
                    .send()
                    .await
                    .unwrap_or_else(|error| panic!("{} {path}: {error:?}", self.name));
                Answer {
                    status: response.status(),
                    headers: response.headers().clone(),
                    body: response.bytes().await.unwrap().to_vec(),
                }
            }
        }
    }
}
