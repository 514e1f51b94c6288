//! AeS: an OpenID provider shaped like Keycloak's realm `default`.

mod authorize;
mod page;
mod store;
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Extension, Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{delete, get, post},
};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::{
    Shared,
    faults::{self, Service},
    jwt::Access,
    people::Client,
    serve::Peer,
};
use store::Store;

/// Path of the realm.
pub(crate) const REALM: &str = "/auth/realms/default";

pub(crate) struct Aes {
    shared: Arc<Shared>,
    store: Store,
    /// Where the browser logs in: the realm itself, or the plain HTTP door.
    authorization_endpoint: String,
    /// The families of refresh tokens of which one is being redeemed.
    redeeming: Mutex<Vec<Uuid>>,
}

type Parameters = HashMap<String, String>;

pub(crate) fn service(shared: Arc<Shared>, authorization_endpoint: String) -> Arc<Aes> {
    let store = Store::new(shared.refresh_ttl);
    Arc::new(Aes {
        shared,
        store,
        authorization_endpoint,
        redeeming: Mutex::default(),
    })
}

/// The whole realm, for the TLS door.
pub(crate) fn router(aes: Arc<Aes>) -> Router {
    let realm = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/protocol/openid-connect/auth", get(authorize::begin).post(authorize::continue_))
        .route("/protocol/openid-connect/token", post(token::token))
        .route("/protocol/openid-connect/certs", get(certs))
        .route("/protocol/openid-connect/userinfo", get(userinfo).post(userinfo))
        .route("/protocol/openid-connect/revoke", post(token::revoke))
        .route("/protocol/openid-connect/logout", get(logout_by_link).post(logout_by_form));
    with_faults(Router::new().nest(REALM, realm), aes)
}

/// The login page alone, for a browser that does not trust the sandbox's authority.
pub(crate) fn login_router(aes: Arc<Aes>) -> Router {
    let login = Router::new().route("/protocol/openid-connect/auth", get(authorize::begin).post(authorize::continue_));
    with_faults(Router::new().nest(REALM, login), aes)
}

/// What may be done to the realm from outside.
pub(crate) fn control(aes: Arc<Aes>) -> Router {
    Router::new().route("/aes/sessions", delete(end_sessions)).with_state(aes)
}

fn with_faults(router: Router<Arc<Aes>>, aes: Arc<Aes>) -> Router {
    let (shared, faults) = (aes.shared.clone(), aes.shared.faults.clone());
    router
        .with_state(aes.clone())
        .layer(middleware::from_fn_with_state((Service::Aes, faults), faults::inject))
        .layer(middleware::from_fn_with_state(aes, token::watch_redemptions))
        .layer(middleware::from_fn_with_state(("userinfo", shared), crate::watch_tokens))
}

impl Aes {
    fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    fn event(&self, kind: &str, details: Value) {
        self.shared.event(kind, details);
    }
}

async fn discovery(State(aes): State<Arc<Aes>>) -> Json<Value> {
    let at = |name: &str| format!("{}/protocol/openid-connect/{name}", aes.issuer());
    Json(json!({
        "issuer": aes.issuer(),
        "authorization_endpoint": aes.authorization_endpoint,
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"),
        "jwks_uri": at("certs"),
        "end_session_endpoint": at("logout"),
        "revocation_endpoint": at("revoke"),
        "grant_types_supported": ["authorization_code", "refresh_token", token::EXCHANGE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "name", "given_name", "family_name", "preferred_username",
            "eHealthId", "providerCodes", "actsFor"],
        "claim_types_supported": ["normal"],
        "ui_locales_supported": ["fr", "en"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn certs(State(aes): State<Arc<Aes>>) -> Response {
    match aes.shared.tokens.jwks() {
        Ok(keys) => Json(keys).into_response(),
        Err(e) => broken(&e),
    }
}

async fn userinfo(State(aes): State<Arc<Aes>>, headers: HeaderMap) -> Response {
    let refused = |why: &str| {
        let challenge = format!("Bearer realm=\"default\", error=\"invalid_token\", error_description=\"{why}\"");
        (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
    };
    let Some(token) = bearer(&headers) else {
        return refused("token missing");
    };
    match aes.shared.access(token) {
        Err(why) => refused(why),
        Ok(access) if access.text("sid").is_some_and(|sid| !aes.store.session_lives(sid)) => refused("session ended"),
        Ok(access) => {
            let person = access.text("sub").and_then(crate::people::Person::with_subject);
            let mut claims = person.map(crate::people::Person::claims).unwrap_or_default();
            claims.insert("sub".into(), access.text("sub").unwrap_or_default().into());
            Json(Value::Object(claims)).into_response()
        }
    }
}

/// Everybody is logged out, as after a night or a restart of the provider; nobody is told.
async fn end_sessions(State(aes): State<Arc<Aes>>) -> StatusCode {
    aes.store.end_all();
    StatusCode::NO_CONTENT
}

async fn logout_by_link(
    State(aes): State<Arc<Aes>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Response {
    if parameters.contains_key("id_token_hint") {
        return end_session(&aes, &peer, &headers, &parameters);
    }
    // Without proof of who asks, a link on any page could log people out: ask first, as OpenID Connect RP-Initiated Logout says.
    Html(page::confirm_logout(page::Language::of(&headers, &parameters))).into_response()
}

async fn logout_by_form(
    State(aes): State<Arc<Aes>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(parameters): Form<Parameters>,
) -> Response {
    let Some(refresh_token) = parameters.get("refresh_token") else {
        return end_session(&aes, &peer, &headers, &parameters);
    };
    let client = match token::client(&headers, &parameters) {
        Ok(client) => client,
        Err(refusal) => return refusal.into_response(),
    };
    match aes.store.end_session_of(refresh_token, client.id) {
        Some(username) => {
            aes.event("LOGOUT", json!({"client_id": client.id, "username": username}));
            StatusCode::NO_CONTENT.into_response()
        }
        None => {
            aes.event("LOGOUT_ERROR", json!({"client_id": client.id, "error": "invalid_token"}));
            token::Refusal::new(StatusCode::BAD_REQUEST, "invalid_grant", "Invalid refresh token").into_response()
        }
    }
}

fn end_session(aes: &Aes, peer: &Peer, headers: &HeaderMap, parameters: &Parameters) -> Response {
    let hint = parameters
        .get("id_token_hint")
        .and_then(|token| aes.shared.tokens.open(token))
        .map(|claims| Access { claims });
    if parameters.contains_key("id_token_hint") && hint.is_none() {
        aes.event("LOGOUT_ERROR", json!({"error": "invalid_token"}));
        return (
            StatusCode::BAD_REQUEST,
            Html(page::problem(page::Language::of(headers, parameters), "id_token_hint")),
        )
            .into_response();
    }
    let sid = hint
        .as_ref()
        .and_then(|h| h.text("sid"))
        .map(str::to_owned)
        .or_else(|| authorize::session_cookie(headers));
    if let Some(username) = sid.and_then(|sid| aes.store.end_session(&sid)) {
        aes.event(
            "LOGOUT",
            json!({"username": username, "client_id": hint.as_ref().and_then(|h| h.text("azp"))}),
        );
    }
    let forget = authorize::cookie("", peer.encrypted, 0);
    let client = hint
        .as_ref()
        .and_then(|h| h.text("azp"))
        .or_else(|| parameters.get("client_id").map(String::as_str));
    let back = parameters
        .get("post_logout_redirect_uri")
        .and_then(|uri| Url::parse(uri).ok())
        .filter(|uri| client.and_then(Client::with_id).is_some() && authorize::on_loopback(uri));
    match back {
        Some(mut uri) => {
            if let Some(state) = parameters.get("state") {
                uri.query_pairs_mut().append_pair("state", state);
            }
            (StatusCode::FOUND, [(header::SET_COOKIE, forget), (header::LOCATION, uri.into())]).into_response()
        }
        None => (
            [(header::SET_COOKIE, forget)],
            Html(page::logged_out(page::Language::of(headers, parameters))),
        )
            .into_response(),
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn broken(error: &crate::SandboxError) -> Response {
    tracing::error!(%error, "the sandbox itself failed");
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "server_error"}))).into_response()
}
