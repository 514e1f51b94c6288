use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{Extension, Path as InPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use econnector_base::{Explain as _, Patient, SystemClock};
use econnector_connector::Problem;
use econnector_forms::Lang;
use econnector_loopback::{Action, Approval, Link, LinkFacts, LinkOptions, LinkView, Listening, Rules, Software, WaitingView, listen};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

pub(crate) const NAME: &str = "Praxis";
/// In whose name: a person, and the physician for whom she works.
pub(crate) const WEBER: &str = "anne 1900000001";
/// Stands in a value; must stand nowhere else.
pub(crate) const PATIENT: &str = "Schmit-Kieffer";

pub(crate) struct Door {
    pub(crate) folder: Arc<TempDir>,
    pub(crate) link: Link,
    pub(crate) listening: Option<Listening>,
    pub(crate) attention: Arc<AtomicUsize>,
}

pub(crate) fn rules() -> Rules {
    Rules {
        port: 0,
        consent_seconds: 5,
        approval_seconds: 5,
        ..Rules::default()
    }
}

pub(crate) fn options(folder: &Path, rules: Rules) -> LinkOptions {
    LinkOptions {
        folder: folder.to_owned(),
        rules,
        environment: "training",
        version: env!("CARGO_PKG_VERSION"),
        clock: Arc::new(SystemClock),
    }
}

/// An open door that allows [`NAME`] beforehand.
pub(crate) async fn door() -> Door {
    door_with(Rules {
        software: vec![NAME.to_owned()],
        ..rules()
    })
    .await
}

pub(crate) async fn door_with(rules: Rules) -> Door {
    open(Arc::new(tempfile::tempdir().unwrap()), rules).await
}

pub(crate) async fn open(folder: Arc<TempDir>, rules: Rules) -> Door {
    let link = Link::open(options(folder.path(), rules)).unwrap();
    let attention = Arc::new(AtomicUsize::new(0));
    let calls = attention.clone();
    link.on_attention(move || {
        calls.fetch_add(1, Ordering::SeqCst);
    });
    let listening = listen(router(&link), link.clone()).await.unwrap();
    Door {
        folder,
        link,
        listening: Some(listening),
        attention,
    }
}

/// What stands behind the guard here: the routes that the guard treats in a way of their own.
pub(crate) fn router(link: &Link) -> Router {
    Router::new()
        .route("/econnector/status", get(status).post(forms))
        .route("/econnector/v1/openapi.json", get(|| async { "{}" }))
        .route("/swagger-ui/index.html", get(|| async { "page" }))
        .route("/econnector/v1/forms", get(forms).post(forms))
        .route("/econnector/v1/verifications", post(forms))
        .route("/econnector/v1/documents", post(sign))
        .route("/econnector/v1/documents/{id}", get(|InPath(id): InPath<String>| async move { id }))
        .with_state(link.clone())
}

async fn status(Extension(facts): Extension<LinkFacts>) -> Json<Value> {
    Json(
        json!({"usable": true, "version": env!("CARGO_PKG_VERSION"), "environment": "training", "checks": [
        {"name": "kms", "label": "KMS", "ok": false, "detail": "Antwortet nicht"}], "link": facts}),
    )
}

async fn forms(software: Extension<Software>) -> String {
    format!("for {}", software.name)
}

/// A question about a document of its own.
pub(crate) fn approval_of(action: Action, in_whose_name: &str) -> Approval {
    Approval::of(action, Uuid::new_v4(), in_whose_name)
}

async fn sign(State(link): State<Link>, Extension(software): Extension<Software>, Json(body): Json<Value>) -> Response {
    let values = body["values"].as_object().cloned().unwrap_or_default();
    let approval = Approval {
        kind: Some("form".into()),
        values: Some(Patient::new(values)),
        ..approval_of(Action::Sign, WEBER)
    };
    match link.approve(&software, approval).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(error) => {
            let problem = Problem::explain(&error, Lang::En);
            (StatusCode::from_u16(problem.status).unwrap(), error.code()).into_response()
        }
    }
}

impl Door {
    pub(crate) fn address(&self) -> SocketAddr {
        self.listening.as_ref().unwrap().addresses()[0]
    }

    pub(crate) fn key(&self) -> String {
        self.link.connection_key().reveal().to_owned()
    }

    pub(crate) fn view(&self) -> LinkView {
        self.link.view(Lang::En, Some(WEBER))
    }

    /// A request that passes: right host, key and software.
    pub(crate) fn ask(&self, line: &str) -> Ask {
        let (method, path) = line.split_once(' ').unwrap();
        Ask {
            address: self.address(),
            head: format!("{method} {path} HTTP/1.1"),
            headers: vec![
                ("Host".into(), self.address().to_string()),
                ("X-EConnector-Key".into(), self.key()),
                ("X-EConnector-Software".into(), NAME.into()),
                ("Connection".into(), "close".into()),
            ],
            body: String::new(),
        }
    }

    /// Waits until as many questions wait.
    pub(crate) async fn waiting(&self, number: usize) -> Vec<WaitingView> {
        let wait = async {
            loop {
                let view = self.view();
                if view.waiting.len() == number {
                    return view.waiting;
                }
                self.link.changed(view.revision, Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), wait)
            .await
            .unwrap_or_else(|_| panic!("{number} questions, but {:?}", self.view().waiting))
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

#[derive(Clone)]
pub(crate) struct Ask {
    address: SocketAddr,
    head: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Ask {
    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Leaves a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Sends a header with another value.
    pub(crate) fn but(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn head(mut self, head: &str) -> Self {
        self.head = head.into();
        self
    }

    pub(crate) fn to(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    pub(crate) fn body(mut self, media: &str, body: &str) -> Self {
        self.body = body.into();
        self.with("Content-Type", media).with("Content-Length", &body.len().to_string())
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    fn text(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n{}", self.head, self.body)
    }

    pub(crate) async fn send(&self) -> Told {
        raw(self.address, self.text().as_bytes()).await
    }

    /// Sends and leaves the line open.
    pub(crate) async fn hold(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(self.text().as_bytes()).await.unwrap();
        stream
    }
}

#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn read(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Self {
            status: head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self:?}");
    }
}

/// What is answered to some bytes, until the line closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Told {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who is refused early may find the line closed.
    let _ = stream.write_all(bytes).await;
    rest(stream).await
}

pub(crate) async fn rest(mut stream: TcpStream) -> Told {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = read.await.expect("the door closes the line");
    Told::read(&answer)
}
