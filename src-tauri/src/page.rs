//! What the page in the window and the program around it tell each other, beside the core's routes. A page keeps nothing of what it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::closing::Closing;
use crate::door::status;

/// Whether the window was locked when it was last heard of: GET says it, PUT notes it. A page that is read again, and a window that is opened
/// again, begin as they were left. `ui/src/host.ts` uses the same paths.
const LOCK: &str = "/window/lock";
/// Whether somebody outside of the window wants a login here: GET says it once.
const LOGIN: &str = "/window/login";
/// Whether something is typed and not sent: PUT notes it.
const UNSENT: &str = "/window/unsent";
/// What the page makes of a window that is to be closed: PUT says it.
const CLOSING: &str = "/window/closing";

/// Kept as long as the program runs.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Known>);

#[derive(Default)]
struct Known {
    locked: AtomicBool,
    login: AtomicBool,
    closing: Closing,
}

impl Page {
    /// The page is to begin a login, as if its button were pressed: it asks when it is loaded, and when it is told to ask.
    pub(crate) fn want_login(&self) {
        self.0.login.store(true, Ordering::SeqCst);
    }

    /// How far a closing has come.
    pub(crate) fn closing(&self) -> &Closing {
        &self.0.closing
    }

    /// Nothing for other paths.
    pub(crate) fn answer(&self, request: &Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
        // Read for these paths only: what goes to the core is nothing to be copied here.
        let told = || serde_json::from_slice::<Value>(request.body()).unwrap_or_default();
        let answer = match (request.uri().path(), request.method()) {
            (LOCK, &Method::GET) => said(self.0.locked.load(Ordering::SeqCst)),
            (LOCK, &Method::PUT) => taken(told().as_bool().map(|locked| self.0.locked.store(locked, Ordering::SeqCst))),
            (LOGIN, &Method::GET) => said(self.0.login.swap(false, Ordering::SeqCst)),
            (UNSENT, &Method::PUT) => taken(told().as_bool().map(|unsent| self.0.closing.note_unsent(unsent))),
            (CLOSING, &Method::PUT) => taken(told().as_str().and_then(|word| self.0.closing.say(word, Instant::now()))),
            (LOCK | LOGIN | UNSENT | CLOSING, _) => status(StatusCode::METHOD_NOT_ALLOWED),
            _ => return None,
        };
        Some(answer)
    }
}

fn taken(what: Option<()>) -> Response<Vec<u8>> {
    status(what.map_or(StatusCode::BAD_REQUEST, |()| StatusCode::NO_CONTENT))
}

fn said(what: bool) -> Response<Vec<u8>> {
    let mut response = Response::new(what.to_string().into_bytes());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::{Step, Way};

    fn ask(page: &Page, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let answer = page.answer(&request.body(body.as_bytes().to_vec()).unwrap()).unwrap();
        (answer.status().as_u16(), String::from_utf8(answer.into_body()).unwrap())
    }

    #[test]
    fn the_lock_is_what_was_told_last_and_nothing_that_is_no_answer() {
        let page = Page::default();
        assert_eq!(ask(&page, "GET", LOCK, ""), (200, "false".to_owned()));
        assert_eq!(ask(&page, "PUT", LOCK, "true").0, 204);
        assert_eq!(ask(&page, "PUT", LOCK, "maybe").0, 400);
        assert_eq!(ask(&page, "DELETE", LOCK, "").0, 405);
        assert_eq!(ask(&page, "GET", LOCK, ""), (200, "true".to_owned()));
        assert_eq!(ask(&page, "PUT", LOCK, "false").0, 204);
        assert_eq!(ask(&page, "GET", LOCK, ""), (200, "false".to_owned()));
    }

    #[test]
    fn a_login_that_is_wanted_is_said_once() {
        let page = Page::default();
        assert_eq!(ask(&page, "GET", LOGIN, ""), (200, "false".to_owned()));
        page.clone().want_login();
        assert_eq!(ask(&page, "PUT", LOGIN, "true").0, 405);
        assert_eq!(ask(&page, "GET", LOGIN, ""), (200, "true".to_owned()));
        assert_eq!(ask(&page, "GET", LOGIN, ""), (200, "false".to_owned()));
    }

    #[test]
    fn what_is_typed_is_not_closed_unasked() {
        let page = Page::default();
        let (close, now) = (|now| page.closing().wanted(Way::Close, now), Instant::now());
        assert_eq!(close(now), Step::Leave);
        assert_eq!(ask(&page, "PUT", UNSENT, "true").0, 204);
        assert_eq!(ask(&page, "PUT", UNSENT, "two").0, 400);
        assert_eq!(ask(&page, "GET", UNSENT, "").0, 405);
        assert_eq!(ask(&page, "PUT", CLOSING, "\"discarded\"").0, 400, "nobody asked");
        assert_eq!(close(now), Step::Tell);
        assert_eq!(ask(&page, "PUT", CLOSING, "\"asked\"").0, 204);
        assert_eq!(ask(&page, "PUT", CLOSING, "asked").0, 400);
        assert_eq!(ask(&page, "GET", CLOSING, "").0, 405);
        assert_eq!(ask(&page, "PUT", UNSENT, "false").0, 204);
        assert_eq!(close(now), Step::Leave);
    }

    #[test]
    fn everything_else_is_the_core_s() {
        let request = Request::get("/econnector/v1/session").body(Vec::new()).unwrap();
        assert!(Page::default().answer(&request).is_none());
    }
}
