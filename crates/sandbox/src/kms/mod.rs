//! The KMS: keeps every physician's key and signs for whoever the token names, nobody else (docs/wire.md).

mod timestamp;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cms::signed_data::SignedAttributes;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST};
use der::Decode;
use rcgen::SigningKey;
use serde_json::{Value, json};

use crate::{
    SandboxError, Shared,
    faults::{self, Kind, Service, Struck},
    jwt::Access,
    people::{PEOPLE, Person},
    pki::SignerCertificate,
};

/// What is signed is a handful of attributes; anything bigger is a document sent by mistake.
const LARGEST_DATA: usize = 64 * 1024;
/// The same in base64, with the JSON around it.
const LARGEST_QUESTION: usize = 2 * LARGEST_DATA;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let faults = shared.faults.clone();
    Router::new()
        .route("/api/v3/get-certificate", post(certificate))
        .route("/api/v3/sign-data", post(sign))
        .route("/api/v3/sign-timestamp", post(stamp))
        .layer(middleware::from_fn_with_state(shared.clone(), note))
        .with_state(shared.clone())
        .layer(middleware::from_fn_with_state((Service::Kms, faults), faults::inject))
        .layer(middleware::from_fn_with_state(("kms", shared), crate::watch_tokens))
}

/// An error answer; the service's own words.
struct Refusal(StatusCode, &'static str, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"code": self.1, "message": self.2}))).into_response()
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        tracing::error!(%error, "the sandbox itself failed");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "KMS-500", "The sandbox itself failed".into())
    }
}

impl Refusal {
    fn bad_request(message: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, "KMS-400", message.into())
    }
}

/// Echoes the correlation id and records the call: who, what, outcome; never what was signed.
async fn note(State(shared): State<Arc<Shared>>, OriginalUri(uri): OriginalUri, request: Request, next: Next) -> Response {
    let correlation = request
        .headers()
        .get("x-correlation-id")
        .cloned()
        .or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok())
        .unwrap_or(HeaderValue::from_static("none"));
    let (head, body) = request.into_parts();
    let Ok(question) = to_bytes(body, LARGEST_QUESTION).await else {
        return Refusal::bad_request("data too large").into_response();
    };
    let access = access(&shared, &head.headers).ok();
    let physician = access.as_ref().and_then(|access| {
        let question = serde_json::from_slice(&question).unwrap_or_default();
        physician(access, &question, Struck(None)).ok()
    });
    let at = crate::timestamp(crate::now());
    let mut response = next.run(Request::from_parts(head, Body::from(question))).await;
    shared.records.kms(json!({
        "at": at,
        "path": uri.path(),
        "username": access.as_ref().and_then(|access| access.text("preferred_username")),
        "ehealth_id": physician.and_then(|p| p.ehealth_id),
        "status": response.status().as_u16(),
        "correlation_id": correlation.to_str().unwrap_or_default(),
    }));
    response.headers_mut().insert("x-correlation-id", correlation);
    response
}

/// Who asks.
fn access(shared: &Shared, headers: &HeaderMap) -> Result<Access, Refusal> {
    let unauthorized = |why: &str| Refusal(StatusCode::UNAUTHORIZED, "KMS-401", why.to_owned());
    let token = crate::aes::bearer(headers).ok_or_else(|| unauthorized("token missing"))?;
    shared.access(token).map_err(unauthorized)
}

/// Whom the KMS signs for: the `subject` of the question, when the token is hers or lists her; without one, the physician of the token.
fn physician(access: &Access, question: &Value, struck: Struck) -> Result<&'static Person, Refusal> {
    let physician = match question.get("subject") {
        None => access.text("eHealthId"),
        Some(subject) => subject.as_str().filter(|id| access.acts_for(id)),
    };
    physician
        .filter(|_| !struck.by(Kind::Refuse))
        .and_then(Person::with_ehealth_id)
        .ok_or_else(|| Refusal(StatusCode::FORBIDDEN, "KMS-403", "no signature for this person".into()))
}

async fn certificate(
    State(shared): State<Arc<Shared>>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let mut holder = physician(&access(&shared, &headers)?, &body, struck)?;
    if struck.by(Kind::OtherCertificate) {
        holder = another(holder);
    }
    let which = match struck.0 {
        Some(Kind::Expired) => SignerCertificate::Expired,
        Some(Kind::Untrusted) => SignerCertificate::Untrusted,
        _ => SignerCertificate::Genuine,
    };
    let certificate = shared.pki.signer_certificate(holder, which).await?;
    let chain = [shared.pki.kms_signing.der(), shared.pki.kms_root.der()].map(|c| BASE64.encode(c));
    Ok(Json(json!({"data": BASE64.encode(certificate), "chain": chain})))
}

async fn sign(
    State(shared): State<Arc<Shared>>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let mut holder = physician(&access(&shared, &headers)?, &body, struck)?;
    let expected = if holder.rsa_signature { "SHA256withRSA" } else { "SHA256withECDSA" };
    if body.get("algorithm").and_then(Value::as_str) != Some(expected) {
        return Err(Refusal(
            StatusCode::BAD_REQUEST,
            "KMS-400-ALGORITHM",
            format!("the key of this person signs {expected}"),
        ));
    }
    let data = data(&body)?;
    // The hash of a document, or the document itself, is not what a CMS signature covers (RFC 5652, 5.4).
    let attributes = SignedAttributes::from_der(&data).map_err(|_| Refusal::bad_request("data is no DER SET OF signed attributes"))?;
    for needed in [ID_CONTENT_TYPE, ID_MESSAGE_DIGEST] {
        if !attributes.iter().any(|attribute| attribute.oid == needed) {
            return Err(Refusal::bad_request(format!("signed attribute {needed} missing")));
        }
    }
    if struck.by(Kind::OtherKey) {
        holder = another(holder);
    }
    let signature = shared.pki.signer_key(holder).await?.sign(&data).map_err(SandboxError::from)?;
    Ok(Json(json!({"data": BASE64.encode(signature)})))
}

async fn stamp(
    State(shared): State<Arc<Shared>>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    physician(&access(&shared, &headers)?, &body, struck)?;
    let request = data(&body)?;
    let unit = match struck.0 {
        Some(Kind::Expired) => &shared.pki.tsa_expired,
        Some(Kind::Untrusted) => &shared.pki.tsa_untrusted,
        _ => &shared.pki.tsa,
    };
    let response = timestamp::answer(&request, unit, crate::now(), struck.by(Kind::OtherDigest))?;
    Ok(Json(json!({"data": BASE64.encode(response)})))
}

fn data(body: &Value) -> Result<Vec<u8>, Refusal> {
    let data = body
        .get("data")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::bad_request("data missing"))?;
    let data = BASE64.decode(data).map_err(|_| Refusal::bad_request("data is not base64"))?;
    if data.is_empty() || data.len() > LARGEST_DATA {
        return Err(Refusal::bad_request("data empty or too large"));
    }
    Ok(data)
}

/// A colleague with the same kind of key, so that only the name or the value is wrong.
fn another(holder: &'static Person) -> &'static Person {
    PEOPLE
        .iter()
        .find(|p| p.subject != holder.subject && p.ehealth_id.is_some() && p.rsa_signature == holder.rsa_signature)
        .or_else(|| PEOPLE.iter().find(|p| p.subject != holder.subject && p.ehealth_id.is_some()))
        .unwrap_or(holder)
}
