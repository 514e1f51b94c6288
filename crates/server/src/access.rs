//! Every request has an id, is counted, and leaves one line in the log: who asked for what, how it ended and how long it took. Never a
//! path with its values, a query, or a word about a patient.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use econnector_answers::repeated;
use serde::Deserialize;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::health;
use crate::metrics::Metrics;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A caller that went away before its answer; the number nginx made known.
const GONE: u16 = 499;
/// Our own answers are made in memory; the limit only keeps the type honest.
const ANSWER: usize = 256 * 1024 * 1024;

/// Who calls, for the line of its request: told as soon as it is proven, for a caller that hangs up has a line too.
#[derive(Clone, Default)]
pub(crate) struct CallerName(Arc<OnceLock<String>>);

impl CallerName {
    pub(crate) fn tell(&self, name: &str) {
        self.0.get_or_init(|| name.to_owned());
    }

    fn as_str(&self) -> &str {
        self.0.get().map_or("-", String::as_str)
    }
}

/// Around everything else.
pub(crate) async fn line(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let matched = request.extensions().get::<MatchedPath>();
    let mut line = Line {
        route: matched.map_or("-", MatchedPath::as_str).to_owned(),
        method: method(request.method()),
        started: Instant::now(),
        id,
        client: CallerName::default(),
        metrics,
        monitoring: matches!(request.uri().path(), health::LIVE | health::READY | health::METRICS),
        ended: false,
    };
    line.metrics.started();
    request.extensions_mut().insert(line.client.clone());
    let span = tracing::info_span!("request", request_id = %line.id);
    let response = next.run(request).instrument(span).await;
    let (mut parts, body) = response.into_parts();
    if let Ok(id) = HeaderValue::from_str(&line.id) {
        parts.headers.insert(REQUEST_ID, id);
    }
    let (facts, body) = read_facts(&parts.headers, body).await;
    line.end(parts.status.as_u16(), &facts);
    Response::from_parts(parts, body)
}

/// A request under way; its line is written when it is answered, and also when its caller goes away.
struct Line {
    id: String,
    client: CallerName,
    route: String,
    method: &'static str,
    started: Instant,
    metrics: Arc<Metrics>,
    monitoring: bool,
    ended: bool,
}

impl Line {
    fn end(&mut self, status: u16, facts: &Facts) {
        self.ended = true;
        let took = self.started.elapsed();
        self.metrics.answered(&self.route, self.method, status, took);
        // Probes and scrapes come every few seconds and say nothing new.
        if !self.monitoring {
            self.write(status, facts, took);
        }
    }

    fn write(&self, status: u16, facts: &Facts, took: Duration) {
        tracing::info!(
            target: "econnector_server::access",
            request_id = %self.id,
            client = self.client.as_str(),
            method = self.method,
            route = %self.route,
            status,
            code = facts.code.as_deref(),
            correlation_id = facts.correlation_id.as_deref(),
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.ended {
            self.end(GONE, &Facts::default());
        }
    }
}

/// What an answer says about itself: a problem's code, and under which Correlation-ID the authority knows the call.
#[derive(Default)]
struct Facts {
    code: Option<String>,
    correlation_id: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    code: Option<String>,
    correlation_id: Option<String>,
    receipt: Option<Receipt>,
}

#[derive(Deserialize)]
struct Receipt {
    correlation_id: Option<String>,
}

async fn read_facts(headers: &HeaderMap, body: Body) -> (Facts, Body) {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let problem = media.starts_with("application/problem+json");
    if !problem && !media.starts_with("application/json") {
        return (Facts::default(), body);
    }
    // One piece in memory already: nothing is copied.
    let bytes = to_bytes(body, ANSWER).await.unwrap_or_default();
    (facts(&bytes, problem), Body::from(bytes))
}

fn facts(body: &Bytes, problem: bool) -> Facts {
    let Ok(said) = serde_json::from_slice::<Said>(body) else {
        return Facts::default();
    };
    Facts {
        // Elsewhere than in a problem, `code` may be anything.
        code: said.code.filter(|_| problem),
        correlation_id: said.correlation_id.or(said.receipt.and_then(|receipt| receipt.correlation_id)),
    }
}

/// The caller's own id when it is one: a UUID, or letters, digits and dashes without a long run of digits, which might be a patient's
/// number.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let longest_number = id.split(|character: char| !character.is_ascii_digit()).map(str::len).max();
        let nobodys = longest_number.is_none_or(|length| length < 11) || (id.len() == 36 && Uuid::parse_str(id).is_ok());
        (8..=64).contains(&id.len()) && id.bytes().all(allowed) && nobodys
    };
    let given = headers.get(REQUEST_ID).filter(|_| !repeated(headers, &REQUEST_ID));
    let given = given.and_then(|value| value.to_str().ok()).filter(sane);
    given.map_or_else(|| Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// Anybody can invent methods; a label knows these.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_over_when_it_can_be_nobodys_number() {
        let of = |id: &str| request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).unwrap())]));
        for sane in ["mirth-000123", "0f8fad5b-d9cb-469f-a165-70867728950e", "A.b_c-12345"] {
            assert_eq!(of(sane), sane);
        }
        for other in [
            "short",
            "1988123048083",
            "patient-1988123048083",
            "with blank inside",
            &"x".repeat(65),
            "\"quoted\"-id",
        ] {
            assert_ne!(of(other), other);
            assert!(Uuid::parse_str(&of(other)).is_ok());
        }
        assert!(Uuid::parse_str(&request_id(&HeaderMap::new())).is_ok());
        let mut twice = HeaderMap::new();
        for id in ["mirth-000123", "mirth-000124"] {
            twice.append(REQUEST_ID, HeaderValue::from_static(id));
        }
        assert!(Uuid::parse_str(&request_id(&twice)).is_ok());
    }

    #[test]
    fn code_and_correlation_id_are_read_from_problem_and_receipt() {
        let problem = facts(
            &Bytes::from(r#"{"code":"mysecu-refused","correlation_id":"Id-1","findings":[]}"#),
            true,
        );
        assert_eq!(
            (problem.code.as_deref(), problem.correlation_id.as_deref()),
            (Some("mysecu-refused"), Some("Id-1"))
        );
        let document = facts(
            &Bytes::from(r#"{"id":"x","receipt":{"reference":"R","correlation_id":"Id-2"},"code":"J06"}"#),
            false,
        );
        assert_eq!((document.code, document.correlation_id.as_deref()), (None, Some("Id-2")));
        assert!(facts(&Bytes::from("[]"), false).code.is_none());
    }
}
