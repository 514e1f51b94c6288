use std::any::Any;

use axum::http::response::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use econnector_base::Explain;
use econnector_connector::{Error, Problem, RequestError};
use econnector_forms::Lang;

use crate::Refusal;
use crate::input::Language;

/// An error on its way out, with the language to say it in.
pub(crate) struct Fail(Box<Problem>);

impl Fail {
    pub(crate) fn new(error: impl Into<Error>, lang: Lang) -> Self {
        Self(Box::new(Problem::of(&error.into(), lang)))
    }
}

/// Says errors in the caller's language at the end of a handler.
pub(crate) trait OrFail<T> {
    fn or_fail(self, lang: Lang) -> Result<T, Fail>;
}

impl<T, E: Into<Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, lang: Lang) -> Result<T, Fail> {
        self.map_err(|error| Fail::new(error, lang))
    }
}

impl Fail {
    pub(crate) fn of(problem: Problem) -> Self {
        Self(Box::new(problem))
    }

    /// An error that is no use case's.
    pub(crate) fn explained(error: &dyn Explain, lang: Lang) -> Self {
        Self::of(Problem::explain(error, lang))
    }

    /// Status, headers and body, for doors without axum's response type.
    pub(crate) fn into_parts(self) -> (Parts, Vec<u8>) {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        tracing::info!(code = self.0.code, fault = ?self.0.fault, correlation_id = self.0.correlation_id, "answered with a problem");
        let mut response = axum::http::Response::new(());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = Refusal::retry_after(&self.0.code) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        // A problem is made of strings and numbers: it always has a JSON form.
        (response.into_parts().0, serde_json::to_vec(&self.0).unwrap_or_default())
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let (parts, body) = self.into_parts();
        Response::from_parts(parts, body.into())
    }
}

/// A handler that panicked: the place is in the log, and the caller gets a problem like any other.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Fail::new(Error::Interrupted, Lang::Fr).into_response()
}

pub(crate) async fn no_such_route(Language(lang): Language) -> Fail {
    Fail::new(RequestError::Route, lang)
}

pub(crate) async fn method_not_allowed(Language(lang): Language) -> Fail {
    Fail::new(RequestError::Method, lang)
}
