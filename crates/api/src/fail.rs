use std::any::Any;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use econnector_base::Explain;
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

impl Fail {
    pub(crate) fn of(problem: Problem) -> Self {
        Self(Box::new(problem))
    }

    /// An error that is no use case's.
    pub(crate) fn explained(error: &dyn Explain, lang: Lang) -> Self {
        Self::of(Problem::explain(error, lang))
    }

    /// The answer, for doors without axum's response type.
    pub(crate) fn into_answer(self) -> axum::http::Response<Vec<u8>> {
        econnector_answers::problem(&self.0)
    }
}

impl IntoResponse for Fail {
    fn into_response(self) -> Response {
        self.into_answer().map(Body::from)
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
