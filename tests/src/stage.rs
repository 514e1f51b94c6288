use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use econnector_api::Door;
use econnector_assembly::{Host, Settings, assemble};
use econnector_identity::{Browser, NoKeyring};
use econnector_training::Training;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::control::Control;

/// One desktop or server core over running stand-ins.
pub struct Stage {
    router: Router,
    training: Training,
}

/// What the router said.
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Nobody looks: the address is read from the session.
struct NoBrowser;

impl Browser for NoBrowser {
    fn open(&self, _: &str) -> bool {
        false
    }
}

impl Stage {
    /// A desktop over fresh stand-ins.
    pub async fn desktop() -> Self {
        Self::with(Door::Desktop(None), |_| {}).await
    }

    /// A core behind the given door, its settings changed by `change`.
    ///
    /// # Panics
    /// When the stand-ins or the core do not start.
    pub async fn with(door: Door, change: impl FnOnce(&mut Settings)) -> Self {
        let training = Training::start().await.unwrap();
        let mut settings = training.settings(None).unwrap();
        change(&mut settings);
        let host = Host {
            browser: Arc::new(NoBrowser),
            tokens: Arc::new(NoKeyring::default()),
        };
        let connector = assemble(&settings, host).await.unwrap();
        Self {
            router: econnector_api::router(connector, door),
            training,
        }
    }

    /// The stand-ins.
    #[must_use]
    pub const fn training(&self) -> &Training {
        &self.training
    }

    /// One request to the router.
    ///
    /// # Panics
    /// On a malformed test request.
    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/econnector{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| serde_json::to_vec(body).unwrap()).unwrap_or_default();
        let response = econnector_api::answer(self.router.clone(), request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// GET, as JSON.
    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, &[], None).await.json()
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Logs a training account in, as a person would: browser page, password, way back.
    ///
    /// # Panics
    /// When it fails.
    pub async fn log_in(&self, user: &str) {
        let started = self.post("/v1/session/login", &json!({})).await;
        assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.json());
        let url = started.json()["login_url"].as_str().unwrap().to_owned();
        let password = user.rsplit('.').next().unwrap();
        log_in_by_http(&url, user, password, Some(&self.ca())).await;
        for _ in 0..100 {
            let session = self.get("/v1/session").await;
            if session["state"] == "logged_in" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not logged in: {}", self.get("/v1/session").await);
    }

    /// A hospital's token in a physician's name, by the real service's exchange.
    pub async fn exchanged_token(&self, ehealth_id: &str) -> String {
        self.control().token_of(ehealth_id).await
    }

    /// Where the stand-ins are asked what they saw.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::at(&self.training.sandbox().ready().control)
    }

    /// Switches a fault on.
    pub async fn fault(&self, fault: Value) {
        self.control().fault(fault).await;
    }

    /// Switches every fault off.
    pub async fn no_faults(&self) {
        self.control().no_faults().await;
    }

    /// A list that a control route gives.
    pub async fn recorded(&self, path: &str) -> Vec<Value> {
        self.control().recorded(path).await
    }

    /// How many business requests reached mySecu's exchange.
    pub async fn deposits(&self) -> usize {
        self.control().exchanges().await.len()
    }

    /// Issues the pack's illness example under an id, with some values changed.
    pub async fn issue(&self, id: Uuid, changes: Value) -> Answer {
        self.issue_form(id, "ecit", sick_note(changes)).await
    }

    /// Issues a form of any kind.
    pub async fn issue_form(&self, id: Uuid, kind: &str, values: Map<String, Value>) -> Answer {
        self.post("/v1/documents", &json!({ "id": id, "kind": kind, "values": values }))
            .await
    }

    fn ca(&self) -> Vec<u8> {
        std::fs::read(&self.training.sandbox().ready().ca_pem).unwrap()
    }
}

/// The pack’s illness example, dated today, with some values changed.
///
/// # Panics
/// When the example cannot be read.
#[must_use]
pub fn sick_note(changes: Value) -> Map<String, Value> {
    let mut values = examples("ecit").remove("illness").unwrap();
    for (field, days) in [("first_day", 0), ("finding_date", 0), ("last_day", 4)] {
        values.insert(field.to_owned(), today_plus(days).into());
    }
    values.extend(changes.as_object().cloned().unwrap_or_default());
    values
}

/// Every example of a pack, by name.
///
/// # Panics
/// When there is none, or one cannot be read.
#[must_use]
pub fn examples(kind: &str) -> BTreeMap<String, Map<String, Value>> {
    let folder = project_file(&format!("forms/{kind}/examples"));
    let found: BTreeMap<_, _> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap())
        })
        .collect();
    assert!(!found.is_empty(), "no examples of {kind}");
    found
}

/// A day near today in Luxembourg, as `YYYY-MM-DD`.
#[must_use]
pub fn today_plus(days: i64) -> String {
    use econnector_base::Clock as _;
    (econnector_base::SystemClock.today() + time::Duration::days(days)).to_string()
}

/// Types name and password into AeS's login page and follows the way back to the program.
///
/// # Panics
/// When a step fails.
pub async fn log_in_by_http(login_url: &str, user: &str, password: &str, ca_pem: Option<&[u8]>) {
    let browser = browser(ca_pem);
    let page = browser.get(login_url).send().await.unwrap();
    let here = page.url().clone();
    let html = page.text().await.unwrap();
    let action = html
        .split("action=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no form: {html}"));
    let target = here.join(&action.replace("&amp;", "&")).unwrap();
    let mut fields: Vec<(String, String)> = hidden_fields(&html);
    fields.push(("username".into(), user.into()));
    fields.push(("password".into(), password.into()));
    let landed = browser.post(target).form(&fields).send().await.unwrap();
    assert!(landed.status().is_success(), "{}", landed.status());
    assert_eq!(landed.url().path(), "/callback", "{}", landed.url());
}

fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        tag.split(&format!("{name}=\""))
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .map(ToOwned::to_owned)
    };
    html.split("<input")
        .skip(1)
        .filter(|tag| tag.contains("type=\"hidden\""))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?.replace("&amp;", "&"))))
        .collect()
}

/// A browser that trusts this CA and no other; without one it cannot speak TLS to anybody.
///
/// # Panics
/// When the CA cannot be read.
#[must_use]
pub fn browser(ca_pem: Option<&[u8]>) -> reqwest::Client {
    // Another part of the process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = ca_pem
        .map(|pem| reqwest::Certificate::from_pem_bundle(pem).unwrap())
        .unwrap_or_default();
    reqwest::Client::builder()
        .tls_certs_only(certificates)
        .cookie_store(true)
        .no_proxy()
        .build()
        .unwrap()
}

/// A file of the project.
#[must_use]
pub fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(|root| root.join(path))
        .unwrap_or_default()
}
