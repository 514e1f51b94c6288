//! The control routes: what the services received, and the fault switch. For training and tests, on loopback only.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Ready, Shared,
    aes::{self, Aes},
    faults::Fault,
};

/// How much is remembered of each kind; the oldest go first.
const MEMORY: usize = 1000;

/// A SOAP request mySecu received.
#[derive(Clone, Serialize)]
pub(crate) struct Exchange {
    pub(crate) at: String,
    pub(crate) path: String,
    pub(crate) model_uid: Option<String>,
    pub(crate) envelope: String,
    /// base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) document_pdf: Option<String>,
    /// Fault code, `token`, `cancelled`, `accepted` or `refused`.
    pub(crate) outcome: String,
    pub(crate) correlation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    #[serde(flatten)]
    pub(crate) links: Links,
}

/// UUIDs of the documents an accepted request ties together.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Links {
    /// A cancellation: of which document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cancels: Option<String>,
    /// A cancellation: the document that takes the cancelled one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_by: Option<String>,
    /// A deposit: the cancelled document in whose place it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<String>,
}

/// What happened since start or the last reset, oldest first.
#[derive(Default)]
pub(crate) struct Records {
    aes: Mutex<VecDeque<Value>>,
    kms: Mutex<VecDeque<Value>>,
    mysecu: Mutex<VecDeque<Exchange>>,
}

impl Records {
    pub(crate) fn aes(&self, event: Value) {
        remember(&self.aes, event);
    }

    pub(crate) fn kms(&self, call: Value) {
        remember(&self.kms, call);
    }

    pub(crate) fn mysecu(&self, exchange: Exchange) {
        remember(&self.mysecu, exchange);
    }

    fn clear(&self) {
        self.aes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.kms.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.mysecu.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn remember<T>(list: &Mutex<VecDeque<T>>, entry: T) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    if list.len() >= MEMORY {
        list.pop_front();
    }
    list.push_back(entry);
}

fn all<T: Clone>(list: &Mutex<VecDeque<T>>) -> Vec<T> {
    list.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

pub(crate) fn router(shared: Arc<Shared>, realm: Arc<Aes>, ready: Ready, port: u16) -> Router {
    Router::new()
        .route("/ready", get(move || async move { Json(ready) }))
        .route(
            "/mysecu/exchanges",
            get(|State(shared): State<Arc<Shared>>| async move { Json(all(&shared.records.mysecu)) }),
        )
        .route(
            "/kms/calls",
            get(|State(shared): State<Arc<Shared>>| async move { Json(all(&shared.records.kms)) }),
        )
        .route(
            "/aes/events",
            get(|State(shared): State<Arc<Shared>>| async move { Json(all(&shared.records.aes)) }),
        )
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/reset", post(reset))
        .with_state(shared)
        .merge(aes::control(realm))
        .layer(middleware::from_fn_with_state(port, own_host_only))
}

async fn list_faults(State(shared): State<Arc<Shared>>) -> Json<Vec<Fault>> {
    Json(shared.faults.list())
}

async fn add_fault(State(shared): State<Arc<Shared>>, Json(fault): Json<Fault>) -> Response {
    match shared.faults.add(fault) {
        Ok(fault) => (StatusCode::CREATED, Json(fault)).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"detail": why}))).into_response(),
    }
}

async fn clear_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

async fn reset(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.clear();
    shared.records.clear();
    shared.register.lock().unwrap_or_else(PoisonError::into_inner).clear();
    StatusCode::NO_CONTENT
}

/// A web page whose name was made to point at 127.0.0.1 reaches this port too; its `Host` gives it away.
async fn own_host_only(State(port): State<u16>, request: Request, next: Next) -> Response {
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    if host.is_some_and(|host| hosts.iter().any(|own| own == host)) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}
