//! What the answers of every door have in common, below the router: the language, a problem's headers, what hardens an answer, and what
//! becomes of a body whose request is refused.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use econnector_base::Explain;
use econnector_connector::Problem;
use econnector_forms::Lang;
use http_body_util::BodyExt as _;

/// Bytes of the largest body that any route takes: a PDF and its XML.
pub const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// The language of `Accept-Language`; French when it names none of ours.
#[must_use]
pub fn language(headers: &HeaderMap) -> Lang {
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or(Lang::Fr, Lang::negotiate)
}

/// When to come back after a problem with this code, where that is known.
#[must_use]
pub fn retry_after(code: &str) -> Option<Duration> {
    match code {
        "too-many-requests" | "server-busy" | "pdf-busy" => Some(Duration::from_secs(2)),
        "software-waiting" | "link-busy" | "request-too-slow" | "answer-too-slow" => Some(Duration::from_secs(5)),
        _ => None,
    }
}

/// A problem as an answer: status, media type, `Retry-After`, `WWW-Authenticate`, and hardened.
#[must_use]
pub fn problem(problem: &Problem) -> Response<Vec<u8>> {
    // A problem is made of strings and numbers: it always has a JSON form.
    let mut response = Response::new(serde_json::to_vec(problem).unwrap_or_default());
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(after) = retry_after(&problem.code) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    harden(headers);
    tracing::info!(code = problem.code, fault = ?problem.fault, correlation_id = problem.correlation_id, "answered with a problem");
    response
}

/// An error as an answer, in this language.
#[must_use]
pub fn explained(error: &dyn Explain, lang: Lang) -> Response<Vec<u8>> {
    problem(&Problem::explain(error, lang))
}

/// What a browser is told about any answer: not kept (unless the route says otherwise), not guessed at, not for other sites.
pub fn harden(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Whether a header that may come once came twice: which value counts would depend on who reads it.
#[must_use]
pub fn repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

/// Lets the rest of a body arrive beside the answer, and drops it. A connection that is closed on a caller who is still sending is all
/// that he sees of the answer, and why he was refused is what he should see. Whoever sends more than any route takes, or longer than this,
/// is not waited for.
pub fn pass_over(mut body: Body, patience: Duration) {
    let arriving = async move {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > LARGEST_BODY {
                break;
            }
        }
    };
    tokio::spawn(tokio::time::timeout(patience, arriving));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use econnector_base::Fault;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_problem_says_when_to_come_back_and_what_was_missing() {
        let of = |code: &str, fault| problem(&Problem::of_code(code, fault, Lang::En));
        let busy = of("server-busy", Fault::Us);
        assert_eq!(
            (busy.status().as_u16(), &busy.headers()["retry-after"]),
            (503, &HeaderValue::from(2))
        );
        for (code, fault, status) in [("answer-too-slow", Fault::Us, 504), ("request-too-slow", Fault::Network, 408)] {
            let slow = of(code, fault);
            assert_eq!(
                (slow.status().as_u16(), &slow.headers()["retry-after"]),
                (status, &HeaderValue::from(5))
            );
        }
        let nobody = of("token-missing", Fault::You);
        assert_eq!(
            (nobody.status().as_u16(), &nobody.headers()["www-authenticate"]),
            (401, &HeaderValue::from_static("Bearer"))
        );
        assert!(!nobody.headers().contains_key("retry-after"));
        for answer in [busy, nobody] {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
            assert_eq!(answer.headers()["cross-origin-resource-policy"], "same-origin");
        }
    }

    #[test]
    fn a_route_that_says_how_long_it_may_be_kept_keeps_its_word() {
        let mut said = headers(&[("cache-control", "max-age=60")]);
        harden(&mut said);
        assert_eq!(said["cache-control"], "max-age=60");
    }

    #[test]
    fn a_second_header_is_seen_and_the_language_is_read() {
        let name = HeaderName::from_static("x-key");
        assert!(!repeated(&headers(&[]), &name) && !repeated(&headers(&[("x-key", "a"), ("x-other", "a")]), &name));
        assert!(repeated(&headers(&[("x-key", "a"), ("x-key", "a")]), &name));
        assert_eq!(language(&headers(&[("accept-language", "de-DE, en;q=0.5")])), Lang::De);
        assert_eq!(language(&headers(&[])), Lang::Fr);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_body_is_read_to_the_largest_and_no_further() {
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let endless = futures::stream::repeat_with(move || {
            counted.fetch_add(1024 * 1024, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(&[0; 1024 * 1024]))
        });
        pass_over(Body::from_stream(endless), Duration::from_secs(5));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = read.load(Ordering::Relaxed);
        assert!((LARGEST_BODY..=LARGEST_BODY + 2 * 1024 * 1024).contains(&read), "{read}");
    }
}
