use axum::extract::State;
use axum::http::StatusCode;
use econnector_connector::{Contest, Problem, Simulate};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Shared;
use crate::documents::settled;
use crate::dto::{ContestationBody, ContestationView, DocumentView, SimulateBody, SimulationView, ValidationBody};
use crate::fail::{Fail, OrFail as _};
use crate::input::{InPath, Json, Language, Who, new_id};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(simulate))
        .routes(routes!(validate))
        .routes(routes!(contest))
}

/// Asks the authority what it would pay. Nothing is paid; a line it does not accept is an outcome, not an error.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations", tag = "pid", request_body = SimulateBody, responses(
    (status = 201, description = "Simulated", body = SimulationView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is logged in, or the token is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician, or no right to sign", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such form", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This id was paid, or may have been, or stands for another document", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The values have errors, the form is not simulated, or the authority refused the content", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "An authority failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "An authority cannot be reached, or its answer was lost: nothing was paid, simulate again", body = Problem, content_type = "application/problem+json")))]
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

/// Signs the patient's receipt and orders the payment of a simulation, once. The same id again answers 200 with the recorded outcome.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations/{id}/validation", tag = "pid", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = ValidationBody, responses(
    (status = 201, description = "Paid", body = DocumentView),
    (status = 200, description = "This id was settled before", body = DocumentView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is logged in, or the token is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician, or no right to sign", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "The simulation is not, or no longer, in memory", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The simulation was contested", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Not every line was accepted, the values have errors by now, or the authority refused", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "An authority failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "An authority cannot be reached, the outcome of the order is not known, or that of a contestation", body = Problem, content_type = "application/problem+json")))]
async fn validate(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(id): InPath<Uuid>,
    Json(ValidationBody {}): Json<ValidationBody>,
) -> Result<(StatusCode, axum::Json<DocumentView>), Fail> {
    let issued = shared.connector.validate(caller, id, lang).await.or_fail(lang)?;
    Ok(settled(&shared, issued, lang))
}

/// Contests remarks of the authority on a simulation. Nothing is paid.
#[utoipa::path(post, path = "/econnector/v1/pid/simulations/{id}/contestation", tag = "pid", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = ContestationBody, responses(
    (status = 200, description = "Contested", body = ContestationView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is logged in, or the token is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician, or no right to sign", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "The simulation is not, or no longer, in memory", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The simulation was paid, or may have been, or was contested before", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Nothing, or something unknown, is contested, or the authority refused", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "An authority failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "An authority cannot be reached, or its answer was lost: nothing was paid, contest again", body = Problem, content_type = "application/problem+json")))]
async fn contest(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(id): InPath<Uuid>,
    Json(body): Json<ContestationBody>,
) -> Result<axum::Json<ContestationView>, Fail> {
    let contest = Contest {
        id,
        anomalies: body.anomalies.into_iter().map(Into::into).collect(),
    };
    let contestation = shared.connector.contest(caller, contest).await.or_fail(lang)?;
    Ok(axum::Json(contestation.into()))
}
