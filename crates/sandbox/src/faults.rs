//! The fault switch: what the services do wrong on purpose, once, n times or until told otherwise.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use crate::serve::Cut;

/// A service of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    Aes,
    Kms,
    Mysecu,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    // Any service.
    Delay,
    Status,
    Drop,
    Garbage,
    Expired,
    Refuse,
    // KMS.
    OtherCertificate,
    OtherKey,
    OtherDigest,
    // KMS and mySecu.
    Untrusted,
    // mySecu.
    Unsigned,
    Tampered,
    Wrapped,
    Fault,
    Anomaly,
}

/// One entry of the fault switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(default, skip_deserializing)]
    id: u64,
    service: Service,
    kind: Kind,
    /// How many requests it hits; absent: until deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    /// `delay`: milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    /// `status`: the HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// `drop`: process the request first, then close the connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    after: bool,
    /// Hits only requests whose path contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl Fault {
    /// Why this fault could never strike.
    fn objection(&self) -> Option<&'static str> {
        use Kind::{
            Anomaly, Delay, Fault as SoapFault, OtherCertificate, OtherDigest, OtherKey, Status, Tampered, Unsigned, Untrusted, Wrapped,
        };
        match (self.service, self.kind) {
            (_, Delay) if self.ms.is_none() => Some("delay needs \"ms\""),
            (_, Status) if !self.status.is_some_and(|s| (200..600).contains(&s)) => Some("status needs \"status\", 200 to 599"),
            (Service::Aes | Service::Mysecu, OtherCertificate | OtherKey | OtherDigest) => Some("this kind is the KMS's"),
            (Service::Aes | Service::Kms, Unsigned | Tampered | Wrapped | SoapFault | Anomaly) => Some("this kind is mySecu's"),
            (Service::Aes, Untrusted) => Some("this kind is the KMS's and mySecu's"),
            (_, _) if self.count == Some(0) => Some("count is at least 1"),
            _ => None,
        }
    }

    /// Without a `path`, a fault waits for the endpoint where its kind has a meaning.
    fn hits(&self, service: Service, path: &str) -> bool {
        if self.service != service {
            return false;
        }
        if let Some(part) = &self.path {
            return path.contains(part.as_str());
        }
        match (service, self.kind) {
            (Service::Kms, Kind::OtherCertificate) => path.ends_with("get-certificate"),
            (Service::Kms, Kind::OtherKey) => path.ends_with("sign-data"),
            (Service::Kms, Kind::OtherDigest) => path.ends_with("sign-timestamp"),
            (Service::Kms, Kind::Untrusted | Kind::Expired) => path.ends_with("get-certificate") || path.ends_with("sign-timestamp"),
            (Service::Mysecu, Kind::Unsigned | Kind::Tampered | Kind::Wrapped | Kind::Untrusted | Kind::Fault | Kind::Anomaly) => {
                path.ends_with("syncexchange")
            }
            (Service::Mysecu, Kind::Drop) if self.after => path.ends_with("syncexchange"),
            (Service::Aes, Kind::Refuse | Kind::Expired) => path.ends_with("/auth") || path.ends_with("/token"),
            _ => true,
        }
    }
}

/// The faults waiting for a request.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, mut fault: Fault) -> Result<Fault, &'static str> {
        if let Some(objection) = fault.objection() {
            return Err(objection);
        }
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fault.id = faults.last().map_or(1, |last| last.id + 1);
        faults.push(fault.clone());
        Ok(fault)
    }

    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The oldest fault for this request, counted down. Delays are handed out apart, so that one can precede another fault.
    fn take(&self, service: Service, path: &str, delays: bool) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = faults
            .iter()
            .position(|f| (f.kind == Kind::Delay) == delays && f.hits(service, path))?;
        let fault = faults.get(index)?.clone();
        if let Some(count) = fault.count {
            if count <= 1 {
                faults.remove(index);
            } else if let Some(entry) = faults.get_mut(index) {
                entry.count = Some(count - 1);
            }
        }
        Some(fault)
    }
}

/// Request extension: the fault the handler itself has to commit.
#[derive(Clone, Copy)]
pub(crate) struct Struck(pub(crate) Option<Kind>);

impl Struck {
    pub(crate) fn by(self, kind: Kind) -> bool {
        self.0 == Some(kind)
    }
}

/// Request extension: when the request came, before any delay.
#[derive(Clone, Copy)]
pub(crate) struct Arrived(pub(crate) OffsetDateTime);

/// Middleware: commits the faults every service has in common and passes the others on to the handler.
pub(crate) async fn inject(State((service, faults)): State<(Service, Arc<Faults>)>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arrived(crate::now()));
    let path = request.uri().path().to_owned();
    if let Some(delay) = faults.take(service, &path, true) {
        tokio::time::sleep(Duration::from_millis(delay.ms.unwrap_or_default())).await;
    }
    let fault = faults.take(service, &path, false);
    let cut = || {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.extensions_mut().insert(Cut);
        response
    };
    match &fault {
        Some(Fault {
            kind: Kind::Status,
            status,
            ..
        }) => failing(
            service,
            status
                .and_then(|s| StatusCode::from_u16(s).ok())
                .unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        ),
        Some(Fault { kind: Kind::Garbage, .. }) => (
            [(header::CONTENT_TYPE, "text/html;charset=UTF-8")],
            "<html><body><h1>Bienvenue\u{a0}!</h1><p>Page de test du serveur.",
        )
            .into_response(),
        Some(Fault {
            kind: Kind::Drop,
            after: false,
            ..
        }) => cut(),
        Some(Fault {
            kind: Kind::Drop,
            after: true,
            ..
        }) => {
            request.extensions_mut().insert(Struck(None));
            next.run(request).await;
            cut()
        }
        _ => {
            request.extensions_mut().insert(Struck(fault.map(|f| f.kind)));
            next.run(request).await
        }
    }
}

/// What each service says with a bare HTTP status.
fn failing(service: Service, status: StatusCode) -> Response {
    match service {
        Service::Aes => (
            status,
            axum::Json(json!({"error": "temporarily_unavailable", "error_description": "Simulated failure"})),
        )
            .into_response(),
        Service::Kms => {
            let code = format!("KMS-{}", status.as_u16());
            (status, axum::Json(json!({"code": code, "message": "Simulated failure"}))).into_response()
        }
        Service::Mysecu => (
            status,
            [(header::CONTENT_TYPE, "text/html;charset=UTF-8")],
            "<html><body>Simulated failure</body></html>",
        )
            .into_response(),
    }
}
