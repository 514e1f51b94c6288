//! Alive, and ready for requests: two questions that Kubernetes acts upon, so neither asks an authority. A pod that is restarted or taken
//! out because AeS is slow helps nobody; it would take every pod out at the same moment, and callers would get no reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http};
use econnector_connector::Connector;
use serde::Serialize;
use time::OffsetDateTime;

use crate::metrics::Metrics;
use crate::turns::Gate;

pub(crate) const LIVE: &str = "/econnector/health/live";
pub(crate) const READY: &str = "/econnector/health/ready";
pub(crate) const METRICS: &str = "/metrics";

/// What the probes and the metrics are made of.
pub(crate) struct Health {
    pub(crate) connector: Arc<Connector>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gate: Arc<Gate>,
    draining: AtomicBool,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// `draining`, or `<certificate>-expired`.
    reasons: Vec<String>,
}

impl Health {
    pub(crate) fn new(connector: Arc<Connector>, metrics: Arc<Metrics>, gate: Arc<Gate>) -> Arc<Self> {
        metrics.set_ready(true);
        Arc::new(Self {
            connector,
            metrics,
            gate,
            draining: AtomicBool::new(false),
        })
    }

    /// From now on no new requests are wanted; those that come all the same are answered.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.metrics.set_ready(false);
    }

    /// What keeps this instance from its work, as far as it knows by itself.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("draining".to_owned());
        }
        let ended = self.metrics.ended(OffsetDateTime::now_utc());
        reasons.extend(ended.into_iter().map(|certificate| format!("{certificate}-expired")));
        self.metrics.set_ready(reasons.is_empty());
        reasons
    }
}

/// The routes of the server alone: the same on both ports.
pub(crate) fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route(LIVE, get(live))
        .route(READY, get(ready))
        .route(METRICS, get(metrics))
        .with_state(health)
}

async fn live() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(serde_json::json!({ "live": true }))).into_response()
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let reasons = health.reasons();
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { ready, reasons })).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    // Brings `ready` up to date.
    let _ = health.reasons();
    let text = health.metrics.text(&health.connector, &health.gate);
    let headers: [(http::HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}
