use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use econnector_connector::{Error, Problem, RequestError};
use econnector_forms::Lang;

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

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        tracing::info!(code = self.0.code, fault = ?self.0.fault, correlation_id = self.0.correlation_id, "answered with a problem");
        let mut response = (status, axum::Json(self.0)).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(crate) async fn no_such_route(Language(lang): Language) -> Fail {
    Fail::new(RequestError::Route, lang)
}

pub(crate) async fn method_not_allowed(Language(lang): Language) -> Fail {
    Fail::new(RequestError::Method, lang)
}
