//! mySecu: mutual TLS, a WS-Trust token service and the one envelope every document travels in.

mod answer;
mod cancellation;
mod ecit;
mod exchange;
mod fields;
mod matricule;
mod message;
mod mh;
mod models;
mod ns;
mod pdf;
mod pid;
mod register;
mod reply;
mod schema;
mod shape;
mod sts;
mod tariff;
mod wss;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Extension, Router,
    body::to_bytes,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::post,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    SandboxError, Shared,
    control::{Exchange, Links},
    faults::{self, Arrived, Kind, Service, Struck},
    serve::Peer,
};
use message::Message;
pub(crate) use register::Register;
pub(crate) use schema::FILES as SCHEMA_FILES;
use schema::Schemas;
use tariff::Tariff;

pub(crate) const TRUST: &str = "/ws/soap/trust";
pub(crate) const SYNC_EXCHANGE: &str = "/ws/soap/espinst/syncexchange";

/// The largest message accepted, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;
/// Up to here a message that is too large is read to its end, so that the caller gets to read the Fault.
const LARGEST_READ: usize = 64 * 1024 * 1024;

/// By what documents are judged.
pub(crate) struct Rules {
    schemas: Schemas,
    tariff: Tariff,
}

impl Rules {
    /// `folder` is where [`SCHEMA_FILES`] were written.
    pub(crate) fn read(folder: &Path) -> Result<Self, SandboxError> {
        Ok(Self {
            schemas: Schemas::read(folder)?,
            tariff: Tariff::read()?,
        })
    }
}

struct Mysecu {
    shared: Arc<Shared>,
    rules: Rules,
    /// Security tokens by their value.
    tokens: Mutex<HashMap<String, Issued>>,
}

/// A security token the STS gave out.
#[derive(Clone)]
struct Issued {
    /// The element, byte for byte.
    element: String,
    /// The TLS client it was given to.
    holder: CertificateDer<'static>,
    provider_code: String,
    ehealth_id: String,
    until: OffsetDateTime,
}

pub(crate) fn router(shared: Arc<Shared>, rules: Rules) -> Router {
    let faults = shared.faults.clone();
    Router::new()
        .route(TRUST, post(receive))
        .route(SYNC_EXCHANGE, post(receive))
        .with_state(Arc::new(Mysecu {
            shared,
            rules,
            tokens: Mutex::default(),
        }))
        .layer(middleware::from_fn_with_state((Service::Mysecu, faults), faults::inject))
}

/// A SOAP 1.1 Fault: code, the authority's sentence, its own error code.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    code: &'static str,
    detail: &'static str,
    message: String,
}

impl Fault {
    /// The message itself is wrong.
    fn client(detail: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: "soapenv:Client",
            detail,
            message: message.into(),
        }
    }

    fn server(message: impl Into<String>) -> Self {
        Self {
            code: "soapenv:Server",
            detail: "ERREUR_INTERNE",
            message: message.into(),
        }
    }

    fn invalid_security(message: impl Into<String>) -> Self {
        Self {
            code: "wsse:InvalidSecurity",
            detail: "SECURITE_INVALIDE",
            message: message.into(),
        }
    }

    fn invalid_token(message: impl Into<String>) -> Self {
        Self {
            code: "wsse:InvalidSecurityToken",
            detail: "JETON_INVALIDE",
            message: message.into(),
        }
    }

    fn authentication(detail: &'static str, message: impl Into<String>) -> Self {
        Self {
            code: "wsse:FailedAuthentication",
            detail,
            message: message.into(),
        }
    }
}

impl From<SandboxError> for Fault {
    fn from(error: SandboxError) -> Self {
        tracing::error!(%error, "the sandbox itself failed");
        Self::server("Erreur interne")
    }
}

/// What goes into the Body of a good answer, and what the record says of it.
#[derive(Default)]
struct Outcome {
    body: String,
    word: &'static str,
    reference: Option<String>,
    model_uid: Option<String>,
    document_pdf: Option<String>,
    links: Links,
}

async fn receive(
    State(mysecu): State<Arc<Mysecu>>,
    Extension(peer): Extension<Peer>,
    Extension(struck): Extension<Struck>,
    Extension(arrived): Extension<Arrived>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Response {
    let at = crate::timestamp(crate::now());
    let correlation = format!("Id-{}", Uuid::new_v4().simple());
    let (head, body) = request.into_parts();
    let envelope = to_bytes(body, LARGEST_READ)
        .await
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();

    let (outcome, body) = match mysecu.process(uri.path(), &head.headers, &envelope, &peer, (struck, arrived)) {
        Ok(mut outcome) => {
            let body = std::mem::take(&mut outcome.body);
            (outcome, Ok(body))
        }
        Err(fault) => {
            let outcome = Outcome {
                word: fault.code,
                model_uid: exchange::model_uid(&envelope),
                ..Outcome::default()
            };
            (outcome, Err(fault))
        }
    };
    mysecu.shared.records.mysecu(Exchange {
        at,
        path: uri.path().to_owned(),
        model_uid: outcome.model_uid,
        // Kept as it came, unless it is absurd.
        envelope: if envelope.len() > LARGEST { String::new() } else { envelope },
        document_pdf: outcome.document_pdf,
        outcome: outcome.word.to_owned(),
        correlation_id: correlation.clone(),
        reference: outcome.reference,
        links: outcome.links,
    });
    let answer = body.and_then(|body| mysecu.answer(&body, &correlation, struck));
    let (status, text) = match answer {
        Ok(text) => (StatusCode::OK, text),
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, answer::fault(&fault, &correlation)),
    };
    (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], text).into_response()
}

impl Mysecu {
    fn register(&self) -> MutexGuard<'_, Register> {
        self.shared.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(
        &self,
        path: &str,
        headers: &HeaderMap,
        envelope: &str,
        peer: &Peer,
        (struck, arrived): (Struck, Arrived),
    ) -> Result<Outcome, Fault> {
        if envelope.len() > LARGEST {
            return Err(Fault::client("MESSAGE_TROP_GRAND", format!("Le message dépasse {LARGEST} octets")));
        }
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if content_type.split(';').next().map(str::trim) != Some("text/xml") {
            return Err(Fault::client("TYPE_INVALIDE", "Content-Type attendu : text/xml;charset=UTF-8"));
        }
        let action = headers.get("soapaction").and_then(|v| v.to_str().ok());
        let expected = if path == TRUST { "\"\"" } else { "\"exchange\"" };
        if action != Some(expected) {
            return Err(Fault::client("SOAPACTION_INVALIDE", format!("SOAPAction attendue : {expected}")));
        }
        // The handshake demands one.
        let client = peer
            .certificate
            .as_ref()
            .ok_or_else(|| Fault::authentication("CERTIFICAT_ABSENT", "Certificat client absent"))?;
        if struck.by(Kind::Fault) {
            return Err(Fault::server("Service momentanément indisponible"));
        }
        let document = crate::xml::parse(envelope).map_err(|why| Fault::client("XML_INVALIDE", why))?;
        let message = Message::read(&document)?;
        let signed = wss::check(&document, &message, client)?;
        if path == TRUST {
            sts::answer(self, &document, &message, &signed, client, (struck, arrived))
        } else {
            exchange::answer(self, &document, &message, client, struck)
        }
    }

    /// Signs an answer, or spoils it as the fault switch says.
    fn answer(&self, body: &str, correlation: &str, struck: Struck) -> Result<String, Fault> {
        let pki = &self.shared.pki;
        if struck.by(Kind::Unsigned) {
            return Ok(answer::unsigned(body, correlation));
        }
        let signer = if struck.by(Kind::Untrusted) {
            &pki.mysecu_untrusted
        } else {
            &pki.mysecu
        };
        let text = answer::signed(body, correlation, signer)?;
        Ok(match struck.0 {
            Some(Kind::Tampered) => answer::tampered(&text),
            Some(Kind::Wrapped) => answer::wrapped(&text),
            _ => text,
        })
    }
}
