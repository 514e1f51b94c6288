use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use econnector_answers::{harden, language, pass_over, repeated};
use econnector_forms::Lang;

use crate::refused::Refusal;
use crate::view::{KeyFact, LinkFacts, SoftwareFact};
use crate::{Link, LinkError, Software, Wants, private};

pub(crate) const KEY: HeaderName = HeaderName::from_static("x-econnector-key");
pub(crate) const SOFTWARE: HeaderName = HeaderName::from_static("x-econnector-software");
pub(crate) const CHALLENGE: HeaderName = HeaderName::from_static("x-econnector-challenge");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PRIVATE_ASKED: HeaderName = HeaderName::from_static("access-control-request-private-network");
const PRIVATE_GIVEN: HeaderName = HeaderName::from_static("access-control-allow-private-network");

pub(crate) const STATUS: &str = "/econnector/status";

/// How long the body of a refused request is read; the sender is on the same machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// The guard around a router: nothing passes that any page or any other user of the computer could have sent.
pub(crate) fn guarded(router: Router, link: Link) -> Router {
    router.layer(from_fn_with_state(link, guard))
}

/// Who a request comes from, as far as its headers prove it.
struct Caller {
    /// A listed web application.
    origin: Option<String>,
    key: KeyFact,
    /// As its header says; not yet allowed.
    software: Option<Software>,
}

async fn guard(State(link): State<Link>, mut request: Request, next: Next) -> Response {
    let lang = language(request.headers());
    let listed = listed_origin(&link, request.headers());
    let mut response = match answer_or_pass(&link, &mut request, lang).await {
        Ok(Some(answer)) => answer,
        Ok(None) => next.run(request).await,
        Err(error) => {
            let refusal = Refusal::new(link.now(), &error, request.method(), request.uri().path(), request.headers());
            link.refuse(refusal);
            pass_over(request.into_body(), PATIENCE);
            refused(&error, lang)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if let Some(origin) = listed.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After, Location, X-Page-Count, Content-Disposition"),
        );
    }
    response
}

/// Applies the rules in their order. An answer of the guard's own; or none, and the request may pass.
async fn answer_or_pass(link: &Link, request: &mut Request, lang: Lang) -> Result<Option<Response>, LinkError> {
    host(link, request)?;
    let origin = page(link, request.headers())?;
    let asks = origin.is_some() && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && asks {
        return Ok(Some(preflight(request.headers())));
    }
    let caller = caller(link, request.headers(), origin)?;
    let facts = facts(link, &caller, request.headers(), lang);
    request.extensions_mut().insert(facts);
    if is_open(request.method(), request.uri().path()) {
        return Ok(None);
    }
    match caller.key {
        KeyFact::Absent => return Err(LinkError::KeyMissing),
        KeyFact::Wrong => return Err(LinkError::KeyWrong),
        KeyFact::Right => {}
    }
    let software = caller.software.ok_or(LinkError::SoftwareUnnamed)?;
    media_type(request)?;
    if repeated(request.headers(), &header::AUTHORIZATION) {
        return Err(LinkError::TokenRepeated);
    }
    let wants = Wants::of(request.method(), request.uri().path());
    link.consent(&software, wants).await?;
    request.extensions_mut().insert(software);
    Ok(None)
}

/// The request means this program by its address and port. A page whose name was made to point here sends that name.
fn host(link: &Link, request: &Request) -> Result<(), LinkError> {
    // A target with a server in it is for proxies, and names a second host besides the header.
    if request.uri().authority().is_some() || request.uri().scheme().is_some() {
        return Err(LinkError::HostWrong);
    }
    let host = only(request.headers(), &header::HOST).ok().flatten().ok_or(LinkError::HostWrong)?;
    let (name, port) = host.rsplit_once(':').ok_or(LinkError::HostWrong)?;
    let ours = ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own));
    if ours && port == link.port().to_string() {
        Ok(())
    } else {
        Err(LinkError::HostWrong)
    }
}

/// The listed web application that asks; none when no page asks, or a page of this program.
fn page(link: &Link, headers: &HeaderMap) -> Result<Option<String>, LinkError> {
    let origin = only(headers, &header::ORIGIN).map_err(|()| LinkError::OriginRefused)?;
    let listed = match origin {
        None => None,
        Some(origin) if own_origin(headers).as_deref() == Some(origin) => None,
        Some(origin) if !link.keys_of(origin).is_empty() => Some(origin.to_owned()),
        Some(_) => return Err(LinkError::OriginRefused),
    };
    // What a page loads without saying where it stands (pictures, scripts, links) bears no Origin.
    match only(headers, &FETCH_SITE) {
        _ if listed.is_some() => {}
        Ok(None | Some("none" | "same-origin")) => {}
        _ => return Err(LinkError::CrossSite),
    }
    Ok(listed)
}

fn caller(link: &Link, headers: &HeaderMap, origin: Option<String>) -> Result<Caller, LinkError> {
    let key = match (only(headers, &KEY).map_err(|()| LinkError::KeyMissing)?, &origin) {
        (None, _) => KeyFact::Absent,
        (Some(key), None) if link.is_connection_key(key) => KeyFact::Right,
        (Some(key), Some(origin)) if link.keys_of(origin).iter().fold(false, |fits, known| known.fits(key) | fits) => KeyFact::Right,
        (Some(_), _) => KeyFact::Wrong,
    };
    let software = only(headers, &SOFTWARE)
        .ok()
        .flatten()
        .and_then(Software::read)
        .map(|software| Software {
            origin: origin.clone(),
            ..software
        });
    Ok(Caller { origin, key, software })
}

fn facts(link: &Link, caller: &Caller, headers: &HeaderMap, lang: Lang) -> LinkFacts {
    let software = match (&caller.software, caller.key) {
        (None, _) => SoftwareFact::Absent,
        (Some(software), KeyFact::Right) => link.standing(software),
        (Some(_), _) => SoftwareFact::Unknown,
    };
    let of_this_user = caller.key == KeyFact::Right && caller.origin.is_none();
    LinkFacts {
        key: caller.key,
        software,
        version: link.options().version.to_owned(),
        environment: link.options().environment.to_owned(),
        proof: proof(link, caller, headers),
        refused: if of_this_user { link.lately_refused(lang) } else { Vec::new() },
    }
}

/// The answer to a challenge, by the key that the caller would know: whoever has it can check it, and whoever has not learns nothing of it.
/// A web application gets one for each key of its origin.
fn proof(link: &Link, caller: &Caller, headers: &HeaderMap) -> Option<String> {
    let challenge = only(headers, &CHALLENGE).ok().flatten().filter(|said| is_challenge(said))?;
    let Some(origin) = &caller.origin else {
        return Some(private::proof(link.connection_key(), challenge));
    };
    let proofs: Vec<String> = link.keys_of(origin).iter().map(|key| key.proof(challenge, link.port())).collect();
    Some(proofs.join(" "))
}

/// Long enough that nobody can have collected the answers, and no longer than it need be.
fn is_challenge(said: &str) -> bool {
    (16..=128).contains(&said.len()) && said.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What may be read without a key: nothing in it is of this user.
fn is_open(method: &Method, path: &str) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    reads && (path == STATUS || path == "/econnector/v1/openapi.json" || path == "/swagger-ui" || path.starts_with("/swagger-ui/"))
}

/// A page can have any other page post text or a form here without being asked; what the routes take, it cannot.
fn media_type(request: &Request) -> Result<(), LinkError> {
    let told = only(request.headers(), &header::CONTENT_TYPE).map_err(|()| LinkError::MediaType)?;
    if told.is_none() && request.body().is_end_stream() {
        return Ok(());
    }
    let media = told.and_then(|told| told.split(';').next()).unwrap_or_default().trim();
    let page = request.uri().path() == "/econnector/v1/verifications" && media.eq_ignore_ascii_case("application/pdf");
    if page || media.eq_ignore_ascii_case("application/json") || media.eq_ignore_ascii_case("multipart/form-data") {
        Ok(())
    } else {
        Err(LinkError::MediaType)
    }
}

/// What a browser asks before it lets a listed page call.
fn preflight(headers: &HeaderMap) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let given = response.headers_mut();
    given.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE"),
    );
    given.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "X-EConnector-Key, X-EConnector-Software, X-EConnector-Physician, X-EConnector-Challenge, Content-Type, Accept-Language, \
             Authorization",
        ),
    );
    given.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if headers.get(PRIVATE_ASKED).is_some_and(|asked| asked == "true") {
        given.insert(PRIVATE_GIVEN, HeaderValue::from_static("true"));
    }
    response
}

/// A listed origin that may read the answer, whatever the answer is: a web application wants to know why it is refused.
fn listed_origin(link: &Link, headers: &HeaderMap) -> Option<String> {
    page(link, headers).ok().flatten()
}

/// The origin of this program's own pages, under the address that this request uses.
fn own_origin(headers: &HeaderMap) -> Option<String> {
    let host = only(headers, &header::HOST).ok().flatten()?;
    Some(format!("http://{}", host.to_ascii_lowercase()))
}

/// The one value of a header; an error when there are more, or when it is no text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// A refusal as a problem, with the headers that every answer has.
pub(crate) fn refused(error: &LinkError, lang: Lang) -> Response {
    let mut response = econnector_answers::explained(error, lang).map(Body::from);
    if matches!(error, LinkError::KeyMissing | LinkError::KeyWrong) {
        let wanted = HeaderValue::from_static("X-EConnector-Key");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, wanted);
    }
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    harden(response.headers_mut());
    response
}
