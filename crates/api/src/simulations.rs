use axum::extract::State;
use axum::http::StatusCode;
use econnector_connector::{Contest, Intent, Simulate};
use econnector_loopback::{Action, Approval};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;
use crate::documents::{Settled, settled};
use crate::dto::{ContestationBody, ContestationView, DocumentView, SimulateBody, SimulationView, ValidationBody};
use crate::fail::{Fail, OrFail as _};
use crate::gate::Actor;
use crate::input::{Id, InPath, Json, Language, Who, new_id};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(simulate))
        .routes(routes!(validate))
        .routes(routes!(contest))
}

/// Asks the authority what it would pay.
///
/// Nothing is paid; a line it does not accept is an outcome, not an error.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations", tag = "pid", request_body = SimulateBody, responses(
    (status = 201, description = "Simulated", body = SimulationView),
    (status = 404, description = "No such form"),
    (status = 409, description = "This id was paid, or may have been, or stands for another document"),
    (status = 422, description = "The values have errors, the form is not simulated, or the authority refused the content"),
    (status = 504, description = "An authority cannot be reached, or its answer was lost: nothing was paid, simulate again")))]
async fn simulate(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    Json(body): Json<SimulateBody>,
) -> Result<(StatusCode, axum::Json<SimulationView>), Fail> {
    let simulate = Simulate {
        id: new_id(body.id).or_fail(lang)?,
        kind: body.kind,
        values: body.values,
    };
    let simulated = shared.connector.simulate(caller, simulate, lang).await.or_fail(lang)?;
    Ok((StatusCode::CREATED, axum::Json(simulated.into())))
}

/// Signs the patient's receipt and orders the payment of a simulation, once.
///
/// The same id again answers 200 with the recorded outcome.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations/{id}/validation", tag = "pid", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = ValidationBody, responses(
    (status = 201, description = "Paid", body = DocumentView),
    (status = 200, description = "This id was settled before", body = DocumentView),
    (status = 404, description = "The simulation is not, or no longer, in memory"),
    (status = 409, description = "The simulation was contested"),
    (status = 422, description = "Not every line was accepted, the values have errors by now, or the authority refused"),
    (status = 504, description = "An authority cannot be reached, the outcome of the order is not known, or that of a contestation")))]
async fn validate(
    State(shared): State<Shared>,
    Language(lang): Language,
    actor: Actor,
    InPath(Id(id)): InPath<Id>,
    Json(ValidationBody {}): Json<ValidationBody>,
) -> Result<Settled, Fail> {
    let shown = |in_whose_name: String| Approval::of(Action::Pay, id, in_whose_name);
    let agreed = actor.may(&shared, Intent::Pay(id), lang, shown).await?;
    let issued = shared.connector.validate(actor.caller, id, agreed, lang).await.or_fail(lang)?;
    Ok(settled(&shared, issued, lang))
}

/// Contests remarks of the authority on a simulation.
///
/// Nothing is paid.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations/{id}/contestation", tag = "pid", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = ContestationBody, responses(
    (status = 200, description = "Contested", body = ContestationView),
    (status = 404, description = "The simulation is not, or no longer, in memory"),
    (status = 409, description = "The simulation was paid, or may have been, or was contested before"),
    (status = 422, description = "Nothing, or something unknown, is contested, or the authority refused"),
    (status = 504, description = "An authority cannot be reached, or its answer was lost: nothing was paid, contest again")))]
async fn contest(
    State(shared): State<Shared>,
    Language(lang): Language,
    actor: Actor,
    InPath(Id(id)): InPath<Id>,
    Json(body): Json<ContestationBody>,
) -> Result<axum::Json<ContestationView>, Fail> {
    let contest = Contest {
        id,
        anomalies: body.anomalies.into_iter().map(Into::into).collect(),
    };
    let shown = |in_whose_name: String| Approval::of(Action::Contest, id, in_whose_name);
    let agreed = actor.may(&shared, Intent::Contest(&contest), lang, shown).await?;
    let contestation = shared.connector.contest(actor.caller, contest, agreed).await.or_fail(lang)?;
    Ok(axum::Json(contestation.into()))
}
