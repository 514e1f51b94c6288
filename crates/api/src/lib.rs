//! One router for the window, practice software and hospitals. A door adds how requests arrive and whom it lets in; nothing else.

mod desk;
mod documents;
mod dto;
mod fail;
mod in_process;
mod input;
mod routes;
mod simulations;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, header};
use econnector_connector::Connector;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

pub use in_process::{answer, answer_with_problem};

/// A form with its values is a few kilobytes; this is generous and still no memory hole.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// What a door allows beyond the shared routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Has a session of its own: a request without a token acts in it.
    Desktop,
    /// Stateless: every request that concerns a document or a journal brings a token.
    Hospital,
}

#[derive(Clone)]
pub(crate) struct Shared {
    connector: Arc<Connector>,
    door: Door,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "eConnector",
        description = "Sick notes and fee notes for Luxembourg: checked, signed remotely in the physician's name, deposited at mySecu. Every error is a problem with code, fault and next step.",
        license(name = "EUPL-1.2", url = "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12")
    ),
    modifiers(&Security),
    security(("bearer" = []), ("connection_key" = []), ())
)]
struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("JWT")
                    .description(Some("AeS access token of the physician"))
                    .build(),
            ),
        );
        components.add_security_scheme(
            "connection_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-EConnector-Key"))),
        );
    }
}

/// The router of one door.
pub fn router(connector: Arc<Connector>, door: Door) -> Router {
    let (router, description) = described(Shared { connector, door });
    router
        .merge(SwaggerUi::new("/swagger-ui").url("/econnector/v1/openapi.json", description))
        .fallback(fail::no_such_route)
        .method_not_allowed_fallback(fail::method_not_allowed)
        .layer(CatchPanicLayer::custom(fail::panicked))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            header::HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ))
}

/// The OpenAPI 3.1 document, as committed in docs/openapi.json and served by every door.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes::all().split_for_parts().1
}

fn described(shared: Shared) -> (Router, utoipa::openapi::OpenApi) {
    let (router, description) = routes::all().split_for_parts();
    (router.with_state(shared), description)
}

pub(crate) fn empty() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
}
