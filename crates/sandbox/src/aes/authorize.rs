//! The authorization endpoint and its login page.

use std::sync::Arc;

use axum::{
    Extension, Form,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde_json::json;
use time::Duration;
use url::{Host, Url};

use super::{
    Aes, Parameters, REALM,
    page::{self, Language},
    store::{Asked, Session},
};
use crate::{
    faults::{Kind, Struck},
    people::{Client, DESKTOP_CLIENT, Person},
    serve::Peer,
};

const COOKIE: &str = "AES_SESSION";

/// An authorization request (OpenID Connect Core 3.1.2.1).
pub(super) async fn begin(
    State(aes): State<Arc<Aes>>,
    Extension(peer): Extension<Peer>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Response {
    ask(&aes, &peer, struck, &headers, &parameters)
}

/// The login form, or an authorization request by POST.
pub(super) async fn continue_(
    State(aes): State<Arc<Aes>>,
    Extension(peer): Extension<Peer>,
    Extension(struck): Extension<Struck>,
    headers: HeaderMap,
    Query(query): Query<Parameters>,
    Form(form): Form<Parameters>,
) -> Response {
    match query.get("execution") {
        Some(login) => log_in(&aes, &peer, &headers, login, &form),
        None => ask(&aes, &peer, struck, &headers, &form),
    }
}

fn ask(aes: &Aes, peer: &Peer, struck: Struck, headers: &HeaderMap, parameters: &Parameters) -> Response {
    let language = Language::of(headers, parameters);
    let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
    // Until client and redirect are known to belong together, nothing may be sent to the redirect (RFC 6749, 4.1.2.1).
    let Some(client) = get("client_id").and_then(Client::with_id).filter(|c| c.id == DESKTOP_CLIENT) else {
        return refuse_page(aes, language, "client_id");
    };
    let Some(redirect_uri) = get("redirect_uri").filter(|uri| is_callback(uri)) else {
        return refuse_page(aes, language, "redirect_uri");
    };
    let back = |error: &str, description: &str| {
        aes.event("LOGIN_ERROR", json!({"client_id": client.id, "error": error}));
        redirect(
            redirect_uri,
            &[
                ("error", Some(error)),
                ("error_description", Some(description)),
                ("state", get("state")),
                ("iss", Some(aes.issuer())),
            ],
            None,
        )
    };
    if struck.by(Kind::Refuse) {
        return back("access_denied", "Simulated refusal");
    }
    if get("response_type") != Some("code") {
        return back("unsupported_response_type", "Only the code flow is offered");
    }
    if get("code_challenge_method") != Some("S256") {
        return back("invalid_request", "Missing parameter: code_challenge_method");
    }
    let Some(challenge) = get("code_challenge").filter(|c| (43..=128).contains(&c.len())) else {
        return back("invalid_request", "Missing parameter: code_challenge");
    };
    let asked = Asked {
        client_id: client.id,
        redirect_uri: redirect_uri.to_owned(),
        state: get("state").map(str::to_owned),
        nonce: get("nonce").map(str::to_owned),
        challenge: Some(challenge.to_owned()),
        scope: get("scope").unwrap_or("openid").to_owned(),
    };
    let prompted = |what: &str| get("prompt").is_some_and(|prompt| prompt.split(' ').any(|one| one == what));
    // OpenID Connect Core 3.1.2.1: whoever logged in longer ago does so again.
    let max_age = get("max_age").and_then(|seconds| seconds.parse().ok()).map(Duration::seconds);
    let recent = |session: &Session| max_age.is_none_or(|max_age| crate::now() - session.since < max_age);
    let known = session_cookie(headers)
        .and_then(|id| aes.store.session(&id))
        .filter(|session| !prompted("login") && recent(session));
    match known {
        Some(session) => grant(aes, peer, asked, &session),
        None if prompted("none") => back("login_required", "Nobody is logged in"),
        None => {
            let login = aes.store.await_login(asked);
            let hint = get("login_hint").unwrap_or_default();
            Html(page::login(language, &form_action(&login), hint, None)).into_response()
        }
    }
}

fn log_in(aes: &Aes, peer: &Peer, headers: &HeaderMap, login: &str, form: &Parameters) -> Response {
    let language = Language::of(headers, form);
    let Some(asked) = aes.store.awaited(login) else {
        return (StatusCode::BAD_REQUEST, Html(page::expired(language))).into_response();
    };
    let username = form.get("username").map(|u| u.trim()).unwrap_or_default();
    let password = form.get("password").map(String::as_str).unwrap_or_default();
    let Some(person) = Person::named(username).filter(|person| person.password == password) else {
        aes.event(
            "LOGIN_ERROR",
            json!({"client_id": asked.client_id, "username": username, "error": "invalid_user_credentials"}),
        );
        return Html(page::login(
            language,
            &form_action(login),
            username,
            Some(page::wrong_password(language)),
        ))
        .into_response();
    };
    aes.store.login_done(login);
    let session = aes.store.begin_session(person);
    aes.event("LOGIN", json!({"client_id": asked.client_id, "username": person.username}));
    grant(aes, peer, asked, &session)
}

fn grant(aes: &Aes, peer: &Peer, asked: Asked, session: &Session) -> Response {
    let (redirect_uri, state) = (asked.redirect_uri.clone(), asked.state.clone());
    let code = aes.store.issue_code(asked, session);
    redirect(
        &redirect_uri,
        &[
            ("code", Some(&code)),
            ("state", state.as_deref()),
            ("session_state", Some(&session.id)),
            ("iss", Some(aes.issuer())),
        ],
        Some(cookie(&session.id, peer.encrypted, aes.shared.refresh_ttl)),
    )
}

fn redirect(to: &str, parameters: &[(&str, Option<&str>)], cookie: Option<String>) -> Response {
    let Ok(mut url) = Url::parse(to) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    url.query_pairs_mut()
        .extend_pairs(parameters.iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    let mut response = (
        StatusCode::FOUND,
        [(header::LOCATION, String::from(url)), (header::CACHE_CONTROL, "no-store".into())],
    )
        .into_response();
    if let Some(cookie) = cookie.and_then(|c| HeaderValue::from_str(&c).ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn refuse_page(aes: &Aes, language: Language, parameter: &str) -> Response {
    aes.event("LOGIN_ERROR", json!({"error": format!("invalid_{parameter}")}));
    (StatusCode::BAD_REQUEST, Html(page::problem(language, parameter))).into_response()
}

fn form_action(login: &str) -> String {
    format!("{REALM}/protocol/openid-connect/auth?execution={login}")
}

/// `http://127.0.0.1:<any>/callback` or its IPv6 twin, and nothing else (RFC 8252, 7.3).
fn is_callback(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| {
        on_loopback(&url) && url.path() == "/callback" && url.query().is_none() && url.fragment().is_none() && !uri.contains('@')
    })
}

pub(super) fn on_loopback(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        _ => false,
    };
    url.scheme() == "http" && loopback
}

pub(super) fn session_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

/// The single-sign-on cookie; `max_age` 0 removes it.
pub(super) fn cookie(session: &str, encrypted: bool, max_age: u64) -> String {
    let secure = if encrypted { "; Secure" } else { "" };
    format!("{COOKIE}={session}; Path={REALM}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
mod tests {
    use super::is_callback;

    #[test]
    fn only_the_loopback_callback_is_redirected_to() {
        for good in [
            "http://127.0.0.1:1/callback",
            "http://127.0.0.1:65535/callback",
            "http://[::1]:8080/callback",
            "http://127.0.0.1/callback",
        ] {
            assert!(is_callback(good), "{good}");
        }
        for bad in [
            "https://127.0.0.1:1/callback",
            "http://localhost:1/callback",
            "http://127.0.0.2:1/callback",
            "http://127.0.0.1:1/callback/",
            "http://127.0.0.1:1/callback?x=1",
            "http://127.0.0.1:1/callback#x",
            "http://a@127.0.0.1:1/callback",
            "http://127.0.0.1.evil.test/callback",
            "/callback",
            "",
        ] {
            assert!(!is_callback(bad), "{bad}");
        }
    }
}
