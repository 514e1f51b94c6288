//! The token endpoint: code, refresh, exchange.

use std::sync::{Arc, PoisonError};

use axum::{
    Extension, Form, Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Aes, Parameters,
    store::{Grant, Redeemed, Rotated},
};
use crate::{
    AUDIENCE, SandboxError,
    faults::{Kind, Struck},
    people::{Client, Person},
    serve::Cut,
};

/// RFC 8693.
pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// An OAuth error answer.
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status,
            error,
            description: description.into(),
        }
    }

    fn invalid_grant(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    fn invalid_request(description: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (
            self.status,
            NO_STORE,
            Json(json!({"error": self.error, "error_description": self.description})),
        )
            .into_response()
    }
}

impl From<SandboxError> for Refusal {
    fn from(error: SandboxError) -> Self {
        tracing::error!(%error, "the sandbox itself failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The sandbox itself failed")
    }
}

const NO_STORE: [(header::HeaderName, &str); 2] = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];

/// A form that asks for tokens has a few hundred bytes, with a token in it some thousand.
const LARGEST_FORM: usize = 256 * 1024;

/// Middleware around the fault switch: two redemptions of one family's refresh tokens at once are noted, a delayed one included, for a
/// client that renews from two places is one slow answer away from losing its session; and so is an answer that the switch cuts.
pub(super) async fn watch_redemptions(State(aes): State<Arc<Aes>>, request: Request, next: Next) -> Response {
    if !request.uri().path().ends_with("/token") {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let Ok(form) = to_bytes(body, LARGEST_FORM).await else {
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "Form too large").into_response();
    };
    let token = url::form_urlencoded::parse(&form)
        .find(|(name, _)| name == "refresh_token")
        .map(|(_, token)| token.into_owned());
    let family = token.as_deref().and_then(|token| aes.store.family_of(token));
    let _redeeming = family.map(|family| Redeeming::begin(&aes, family));
    let response = next.run(Request::from_parts(head, Body::from(form))).await;
    if response.extensions().get::<Cut>().is_some()
        && let Some(username) = token.and_then(|token| aes.store.spent_by(&token))
    {
        aes.event("REFRESH_TOKEN_LOST", json!({"username": username}));
    }
    response
}

/// A redemption under way, until its answer is made or nobody waits for it any more.
struct Redeeming<'a> {
    aes: &'a Aes,
    family: Uuid,
}

impl<'a> Redeeming<'a> {
    fn begin(aes: &'a Aes, family: Uuid) -> Self {
        let mut under_way = aes.redeeming.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.contains(&family) {
            aes.event("REFRESH_TOKEN_OVERLAP", json!({}));
        }
        under_way.push(family);
        Self { aes, family }
    }
}

impl Drop for Redeeming<'_> {
    fn drop(&mut self) {
        let mut under_way = self.aes.redeeming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(position) = under_way.iter().position(|family| *family == self.family) {
            under_way.swap_remove(position);
        }
    }
}

pub(super) async fn token(
    State(aes): State<Arc<Aes>>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Form(form): Form<Parameters>,
) -> Response {
    let answer = if struck.by(Kind::Refuse) {
        Err(Refusal::new(StatusCode::FORBIDDEN, "access_denied", "Simulated refusal"))
    } else if struck.by(Kind::Expired) {
        Err(Refusal::invalid_grant("Token is not active"))
    } else {
        client(&headers, &form).and_then(|client| match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => by_code(&aes, client, &form),
            Some("refresh_token") => by_refresh(&aes, client, &form),
            Some(EXCHANGE) => by_exchange(&aes, client, &form),
            Some(_) => Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "Unsupported grant_type",
            )),
            None => Err(Refusal::invalid_request("Missing form parameter: grant_type")),
        })
    };
    match answer {
        Ok(tokens) => (NO_STORE, Json(tokens)).into_response(),
        Err(refusal) => {
            let details = json!({"grant_type": form.get("grant_type"), "client_id": form.get("client_id"), "error": refusal.error,
                "error_description": refusal.description});
            aes.event("TOKEN_ERROR", details);
            refusal.into_response()
        }
    }
}

/// RFC 7009.
pub(super) async fn revoke(State(aes): State<Arc<Aes>>, headers: HeaderMap, Form(form): Form<Parameters>) -> Response {
    let client = match client(&headers, &form) {
        Ok(client) => client,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(token) = form.get("token") else {
        return Refusal::invalid_request("Missing form parameter: token").into_response();
    };
    aes.store.revoke(token, client.id);
    aes.event("REVOKE_GRANT", json!({"client_id": client.id}));
    StatusCode::OK.into_response()
}

/// The client a request comes from, by `client_secret_basic`, `client_secret_post` or, for public ones, `client_id` alone.
pub(super) fn client(headers: &HeaderMap, form: &Parameters) -> Result<&'static Client, Refusal> {
    let refused = || {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Invalid client or Invalid client credentials",
        )
    };
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Basic "))
        .map(|encoded| {
            let text = BASE64.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
            let (id, secret) = text.split_once(':')?;
            Some((form_decoded(id), Some(form_decoded(secret))))
        });
    let (id, secret) = match basic {
        Some(credentials) => credentials.ok_or_else(refused)?,
        None => (
            form.get("client_id").cloned().ok_or_else(refused)?,
            form.get("client_secret").cloned(),
        ),
    };
    let client = Client::with_id(&id).ok_or_else(refused)?;
    match (client.secret, secret) {
        (None, None) => Ok(client),
        (Some(expected), Some(given)) if expected == given => Ok(client),
        _ => Err(refused()),
    }
}

/// Both halves of HTTP Basic credentials are form-encoded first (RFC 6749, 2.3.1).
fn form_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn by_code(aes: &Aes, client: &'static Client, form: &Parameters) -> Result<Value, Refusal> {
    let code = form
        .get("code")
        .ok_or_else(|| Refusal::invalid_request("Missing parameter: code"))?;
    let (asked, grant) = match aes.store.redeem(code) {
        Redeemed::Grant(found) => *found,
        Redeemed::Reused => {
            aes.event("CODE_REUSE", json!({"client_id": client.id}));
            return Err(Refusal::invalid_grant("Code not valid"));
        }
        Redeemed::Unknown => return Err(Refusal::invalid_grant("Code not valid")),
    };
    if asked.client_id != client.id {
        return Err(Refusal::invalid_grant("Auth error"));
    }
    if form.get("redirect_uri") != Some(&asked.redirect_uri) {
        return Err(Refusal::invalid_grant("Incorrect redirect_uri"));
    }
    let verifier = form
        .get("code_verifier")
        .ok_or_else(|| Refusal::invalid_grant("PKCE code verifier not specified"))?;
    if asked.challenge.as_deref() != Some(BASE64URL.encode(Sha256::digest(verifier)).as_str()) {
        return Err(Refusal::invalid_grant("PKCE verification failed: Code mismatch"));
    }
    aes.event("CODE_TO_TOKEN", json!({"client_id": client.id, "username": grant.person.username}));
    let refresh = aes.store.refreshable(grant.clone(), Some(code));
    Ok(answer(aes, &grant, Some(refresh))?)
}

fn by_refresh(aes: &Aes, client: &'static Client, form: &Parameters) -> Result<Value, Refusal> {
    let token = form
        .get("refresh_token")
        .ok_or_else(|| Refusal::invalid_request("No refresh token"))?;
    match aes.store.rotate(token, client.id) {
        Rotated::Fresh(grant, fresh) => {
            aes.event("REFRESH_TOKEN", json!({"client_id": client.id, "username": grant.person.username}));
            Ok(answer(aes, &grant, Some(fresh))?)
        }
        Rotated::Reused(username) => {
            aes.event("REFRESH_TOKEN_REUSE", json!({"client_id": client.id, "username": username}));
            Err(Refusal::invalid_grant("Maximum allowed refresh token reuse exceeded"))
        }
        Rotated::Unknown => Err(Refusal::invalid_grant("Token is not active")),
    }
}

/// Token exchange as Keycloak's legacy form does it: `requested_subject` is the professional's eHealthID, and a client without the
/// right gets the very answer an unknown professional gets.
fn by_exchange(aes: &Aes, client: &'static Client, form: &Parameters) -> Result<Value, Refusal> {
    let denied = || Refusal::new(StatusCode::FORBIDDEN, "access_denied", "Client not allowed to exchange");
    if !client.may_exchange {
        return Err(denied());
    }
    match form.get("audience").map(String::as_str) {
        Some(AUDIENCE) => {}
        Some(_) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_client", "Audience not found")),
        None => return Err(Refusal::invalid_request("Missing form parameter: audience")),
    }
    let actor = match form.get("subject_token") {
        None => client.id.to_owned(),
        Some(token) => {
            let access = aes.shared.access(token).map_err(|_| Refusal::invalid_request("Invalid token"))?;
            access.text("sub").unwrap_or(client.id).to_owned()
        }
    };
    let subject = form
        .get("requested_subject")
        .ok_or_else(|| Refusal::invalid_request("Missing form parameter: requested_subject"))?;
    let person = Person::with_ehealth_id(subject).ok_or_else(denied)?;
    let grant = Grant {
        client_id: client.id,
        person,
        session: None,
        since: crate::now(),
        scope: "profile email".into(),
        nonce: None,
        actor: Some(actor),
    };
    aes.event("TOKEN_EXCHANGE", json!({"client_id": client.id, "username": person.username}));
    // Keycloak adds a refresh token unless an access token alone was asked for.
    let access_only = form.get("requested_token_type").is_some_and(|kind| kind == ACCESS_TOKEN);
    let refresh = (!access_only).then(|| aes.store.refreshable(grant.clone(), None));
    let mut tokens = answer(aes, &grant, refresh)?;
    if let Some(tokens) = tokens.as_object_mut() {
        tokens.insert("issued_token_type".into(), ACCESS_TOKEN.into());
    }
    Ok(tokens)
}

fn answer(aes: &Aes, grant: &Grant, refresh_token: Option<String>) -> Result<Value, SandboxError> {
    let issued = crate::now();
    let now = issued.unix_timestamp();
    // Whole seconds, rounded so that no token lives shorter than `expires_in` says.
    let rounded_up = now + i64::from(issued.nanosecond() > 0);
    let until = rounded_up.saturating_add_unsigned(aes.shared.access_ttl);
    let common = |kind: &str, audience: Value| {
        let mut claims = Map::new();
        claims.insert("exp".into(), until.into());
        claims.insert("iat".into(), now.into());
        claims.insert("auth_time".into(), grant.since.unix_timestamp().into());
        claims.insert("jti".into(), Uuid::new_v4().to_string().into());
        claims.insert("iss".into(), aes.issuer().into());
        claims.insert("aud".into(), audience);
        claims.insert("sub".into(), grant.person.subject.into());
        claims.insert("typ".into(), kind.into());
        claims.insert("azp".into(), grant.client_id.into());
        if let Some(session) = &grant.session {
            claims.insert("session_state".into(), session.as_str().into());
            claims.insert("sid".into(), session.as_str().into());
        }
        claims.insert("acr".into(), "1".into());
        claims.extend(grant.person.claims());
        claims
    };
    let mut access = common("Bearer", json!([AUDIENCE, "account"]));
    access.insert("scope".into(), grant.scope.as_str().into());
    if let Some(actor) = &grant.actor {
        access.insert("act".into(), json!({"sub": actor}));
    }
    let access_token = aes.shared.tokens.sign(&access)?;
    let mut tokens = json!({
        "access_token": access_token,
        "expires_in": aes.shared.access_ttl,
        "refresh_expires_in": if refresh_token.is_some() { aes.shared.refresh_ttl } else { 0 },
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": grant.scope,
    });
    if let Some(fields) = tokens.as_object_mut() {
        if let Some(token) = refresh_token {
            fields.insert("refresh_token".into(), token.into());
        }
        if let Some(session) = &grant.session {
            fields.insert("session_state".into(), session.as_str().into());
        }
        if grant.scope.split(' ').any(|scope| scope == "openid") {
            let mut id = common("ID", grant.client_id.into());
            if let Some(nonce) = &grant.nonce {
                id.insert("nonce".into(), nonce.as_str().into());
            }
            // OpenID Connect Core 3.1.3.6: the left half of the hash.
            let hash = Sha256::digest(&access_token);
            id.insert(
                "at_hash".into(),
                BASE64URL.encode(hash.first_chunk::<16>().unwrap_or(&[0; 16])).into(),
            );
            fields.insert("id_token".into(), aes.shared.tokens.sign(&id)?.into());
        }
    }
    Ok(tokens)
}
