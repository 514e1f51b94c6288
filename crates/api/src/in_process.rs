use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::{Request, Response};
use econnector_base::Explain;
use econnector_connector::Problem;
use tower::ServiceExt as _;

use crate::fail::Fail;
use crate::input::language;

/// Answers one request without a socket: how the window reaches the router.
pub async fn answer(router: Router, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let response = match router.oneshot(request.map(Body::from)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    // Our own answers; the limit only keeps the type honest.
    let body = to_bytes(body, usize::MAX).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
    Response::from_parts(parts, body)
}

/// The answer to any request while there is no router, because the core did not start.
pub fn answer_with_problem(error: &dyn Explain, headers: &HeaderMap) -> Response<Vec<u8>> {
    let (parts, body) = Fail::of(Problem::explain(error, language(headers))).into_parts();
    Response::from_parts(parts, body)
}
