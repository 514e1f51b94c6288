use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::{Request, Response};
use econnector_answers::language;
use econnector_base::Explain;
use tower::ServiceExt as _;

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
    econnector_answers::explained(error, language(headers))
}
