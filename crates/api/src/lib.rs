//! One router for the window, practice software and hospitals. A door adds how requests arrive and whom it lets in; nothing else.

mod description;
mod desk;
mod documents;
mod dto;
mod examples;
mod fail;
mod gate;
mod in_process;
mod input;
mod link;
mod parts;
mod refusal;
mod routes;
mod signatures;
mod simulations;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use econnector_connector::Connector;
use econnector_loopback::Link;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::input::FORM_LIMIT;

pub use in_process::{answer, answer_with_problem};
pub use input::TrustedClient;
pub use refusal::{PartFault, Refusal};

const DESCRIPTION: &str = "/econnector/v1/openapi.json";

/// What a door allows beyond the shared routes.
#[derive(Clone)]
pub enum Door {
    /// The window: has a session of its own, and decides about the link where there is one.
    Desktop(Option<Link>),
    /// Practice software on the same machine: acts in the desktop's session once the physician has said yes, or brings a token.
    Loopback(Link),
    /// Stateless: every request that concerns a document or a journal brings a token, or comes from a [`TrustedClient`].
    Hospital,
}

#[derive(Clone)]
pub(crate) struct Shared {
    connector: Arc<Connector>,
    door: Door,
}

/// The router of one door.
pub fn router(connector: Arc<Connector>, door: Door) -> Router {
    let (router, _) = routes::all().split_for_parts();
    router
        .with_state(Shared { connector, door })
        .route(DESCRIPTION, get(description))
        .merge(SwaggerUi::new("/swagger-ui").config(Config::from(DESCRIPTION)))
        .fallback(fail::no_such_route)
        .method_not_allowed_fallback(fail::method_not_allowed)
        .layer(CatchPanicLayer::custom(fail::panicked))
        .layer(DefaultBodyLimit::max(FORM_LIMIT))
        .layer(map_response(hardened))
}

async fn hardened(mut response: Response) -> Response {
    econnector_answers::harden(response.headers_mut());
    response
}

/// The OpenAPI 3.1 document, as committed in docs/openapi.json and served by every door.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    description::complete(routes::all().split_for_parts().1)
}

/// Made when somebody asks for it first: its examples are read from the forms, which would delay every start.
async fn description() -> impl IntoResponse {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = tokio::task::spawn_blocking(|| DOCUMENT.get_or_init(|| openapi().to_json().unwrap_or_default().into()).clone());
    ([(header::CONTENT_TYPE, "application/json")], document.await.unwrap_or_default())
}
