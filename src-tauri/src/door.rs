//! The in-process door: the window's requests arrive by a custom URI scheme and go to the router that every door shares.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tauri::UriSchemeResponder;

use crate::host::Ready;
use crate::page::Page;

/// The scheme's name; `ui/src/host.ts` uses the same.
pub(crate) const SCHEME: &str = "econnector";

/// The origin of the embedded page: WebView2 spells it as a web address, which elsewhere would be somebody's server.
const PAGE: &[&str] = if cfg!(windows) {
    &["http://tauri.localhost", "https://tauri.localhost"]
} else {
    &["tauri://localhost"]
};

pub(crate) fn respond(ready: &Ready, page: &Page, request: Request<Vec<u8>>, responder: UriSchemeResponder) {
    let runtime = ready.runtime().clone();
    let (ready, page) = (ready.clone(), page.clone());
    runtime.spawn(async move { responder.respond(answer(&ready, &page, request).await) });
}

async fn answer(ready: &Ready, page: &Page, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let Some(origin) = request
        .headers()
        .get(ORIGIN)
        .and_then(|origin| PAGE.iter().find(|page| origin.as_bytes() == page.as_bytes()))
    else {
        return status(StatusCode::FORBIDDEN);
    };
    let mut response = if request.method() == Method::OPTIONS {
        status(StatusCode::NO_CONTENT)
    } else if let Some(answer) = page.answer(&request) {
        answer
    } else {
        match ready.router().await {
            Some(Ok(router)) => econnector_api::answer(router, request).await,
            Some(Err(error)) => econnector_api::answer_with_problem(error.as_ref(), request.headers()),
            None => status(StatusCode::SERVICE_UNAVAILABLE),
        }
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(origin));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type, accept, accept-language"),
    );
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("x-page-count"));
    // The router forbids other origins to embed its answers; the page's own scheme is another origin by name only.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

pub(crate) fn status(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}
