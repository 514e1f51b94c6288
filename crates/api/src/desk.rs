//! What only the desktop has: the physician's profile and the printers of this machine.

use axum::extract::State;
use axum::http::StatusCode;
use econnector_connector::{Print, Problem};
use econnector_profile::Profile;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;
use crate::dto::{PrintBody, PrintView, PrintersView};
use crate::fail::{Fail, OrFail as _};
use crate::input::{AtDesk, ByPerson, Id, InPath, Json, Language};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(profile, keep_profile))
        .routes(routes!(printers))
        .routes(routes!(print))
}

/// The logged-in physician's own data; what was never typed is filled from the session.
///
/// Without a login, the profile kept on this machine when there is exactly one, since a form on paper needs no login.
#[utoipa::path(get, path = "/econnector/v1/profile", tag = "profile", responses(
    (status = 200, description = "The profile of the physician logged in; without a login, the only one kept here", body = Profile),
    (status = 401, description = "Nobody is logged in, and there is no profile here or more than one; or the token is not valid"),
    (status = 404, description = "This door has no profiles")))]
async fn profile(State(shared): State<Shared>, Language(lang): Language, AtDesk(caller): AtDesk) -> Result<axum::Json<Profile>, Fail> {
    shared.connector.profile(&caller).await.map(axum::Json).or_fail(lang)
}

/// Keeps the logged-in physician's own data in place of what was kept before.
///
/// Nothing of a patient belongs here. Only the physician herself, and on the link only with a token of hers.
#[utoipa::path(put, path = "/econnector/v1/profile", tag = "profile", request_body = Profile, responses(
    (status = 200, description = "Kept", body = Profile),
    (status = 403, description = "Whoever acts has only the physician's mandate; or software asks for it in the desktop's session"),
    (status = 404, description = "This door has no profiles"),
    (status = 422, description = "Something in it cannot be kept; the findings say what")))]
async fn keep_profile(
    State(shared): State<Shared>,
    Language(lang): Language,
    ByPerson(caller): ByPerson,
    Json(profile): Json<Profile>,
) -> Result<axum::Json<Profile>, Fail> {
    shared
        .connector
        .keep_profile(&caller, profile, lang)
        .await
        .map(axum::Json)
        .or_fail(lang)
}

/// The printers of this machine; none where it has no printing that this program can drive.
#[utoipa::path(get, path = "/econnector/v1/printers", tag = "printing", responses(
    (status = 200, description = "The printers", body = PrintersView),
    (status = 404, description = "This door prints nothing"),
    (status = 503, description = "The system does not say")))]
async fn printers(State(shared): State<Shared>, Language(lang): Language, _desk: AtDesk) -> Result<axum::Json<PrintersView>, Fail> {
    let printers = shared.connector.printers().await.or_fail(lang)?;
    Ok(axum::Json(PrintersView { printers }))
}

/// Hands volets to a printer through a pipe; no file is written.
///
/// When the printer takes some and then no more, the answer names what it took and, as `problem`, why no more.
#[utoipa::path(post, path = "/econnector/v1/documents/{id}/print", tag = "printing", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = PrintBody, responses(
    (status = 202, description = "The printer took it, or at least the first volet of it", body = PrintView),
    (status = 404, description = "No longer in memory, cancelled, no such volet or printer, or this door prints nothing"),
    (status = 422, description = "No printer was chosen and the system has no default"),
    (status = 503, description = "The printer did not take it, this system has no printing, or this installation cannot work as it is set up")))]
async fn print(
    State(shared): State<Shared>,
    Language(lang): Language,
    AtDesk(caller): AtDesk,
    InPath(Id(id)): InPath<Id>,
    Json(body): Json<PrintBody>,
) -> Result<(StatusCode, axum::Json<PrintView>), Fail> {
    let print = Print {
        id,
        volets: body.volets,
        printer: body.printer,
    };
    let printed = shared.connector.print(&caller, print).await.or_fail(lang)?;
    let view = PrintView {
        printer: printed.printer,
        job: printed.jobs.first().cloned().unwrap_or_default(),
        jobs: printed.jobs,
        problem: printed.problem.map(|error| Problem::explain(&error, lang)),
    };
    Ok((StatusCode::ACCEPTED, axum::Json(view)))
}
