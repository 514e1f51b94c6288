use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use econnector_connector::{Cancel, Issue, Issued, Paper, Problem};
use econnector_forms::Lang;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::Shared;
use crate::dto::{CancellationBody, DocumentView, EntryView, IssueBody, PaperBody, ProgressView};
use crate::fail::{Fail, OrFail as _};
use crate::input::{InPath, InQuery, Json, Language, PageFormat, Who, new_id};
use crate::routes::{PDF, SVG, page, titles};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(issue))
        .routes(routes!(document, forget))
        .routes(routes!(cancel))
        .routes(routes!(paper))
        .routes(routes!(volet))
}

/// Checks, sets, signs and deposits. The same id again answers 200 with the recorded outcome and never deposits again.
#[utoipa::path(post, path = "/econnector/v1/documents", tag = "documents", request_body = IssueBody, responses(
    (status = 201, description = "Deposited", body = DocumentView),
    (status = 200, description = "This id was settled before", body = DocumentView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is logged in, or the token is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician, or no right to sign", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such form, or no such document to replace", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The id stands for another document, or what is to be replaced was replaced already", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The values have errors, the form is not deposited, the other document cannot be replaced by this one, or mySecu refused", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "An authority failed or refused", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "An authority cannot be reached, or the outcome of the deposit is not known", body = Problem, content_type = "application/problem+json")))]
async fn issue(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    Json(body): Json<IssueBody>,
) -> Result<(StatusCode, axum::Json<DocumentView>), Fail> {
    let issue = Issue {
        id: new_id(body.id).or_fail(lang)?,
        kind: body.kind,
        values: body.values,
        replaces: body.replaces,
        reason: body.reason,
    };
    let issued = shared.connector.issue(caller, issue, lang).await.or_fail(lang)?;
    Ok(settled(&shared, issued, lang))
}

/// 201 for what this call did, 200 for what an earlier one did.
pub(crate) fn settled(shared: &Shared, issued: Issued, lang: Lang) -> (StatusCode, axum::Json<DocumentView>) {
    let status = if issued.fresh { StatusCode::CREATED } else { StatusCode::OK };
    let titles = titles(&shared.connector, &issued.kind, lang);
    (status, axum::Json(DocumentView::new(issued, &titles, lang)))
}

/// How far a document has come.
#[utoipa::path(get, path = "/econnector/v1/documents/{id}", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")), responses(
    (status = 200, description = "Its state", body = ProgressView),
    (status = 400, description = "No UUID", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The token names no physician", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Not known", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "AeS failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "AeS cannot be reached", body = Problem, content_type = "application/problem+json")))]
async fn document(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(id): InPath<Uuid>,
) -> Result<axum::Json<ProgressView>, Fail> {
    let progress = shared.connector.document(&caller, id).await.or_fail(lang)?;
    let titles = titles(&shared.connector, &progress.kind, lang);
    Ok(axum::Json(ProgressView::new(progress, &titles, lang)))
}

/// Forgets a document's values and pages. Its journal line, without patient, stays.
#[utoipa::path(delete, path = "/econnector/v1/documents/{id}", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")), responses(
    (status = 204, description = "Nothing of it is in memory"),
    (status = 400, description = "No UUID", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The token names no physician", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Another physician's", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "AeS failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "AeS cannot be reached", body = Problem, content_type = "application/problem+json")))]
async fn forget(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(id): InPath<Uuid>,
) -> Result<StatusCode, Fail> {
    shared.connector.forget(&caller, id).await.or_fail(lang)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// For SVG: the page, from 1.
    page: Option<usize>,
}

/// One volet: the PDF, or one page as SVG by `Accept: image/svg+xml`; while it is in memory.
#[utoipa::path(get, path = "/econnector/v1/documents/{id}/volets/{name}", tag = "documents",
    params(("id" = Uuid, Path, description = "The caller's id"), ("name" = String, Path, description = "caisse, …"), PageQuery), responses(
    (status = 200, description = "The volet", content((Vec<u8> = "application/pdf"), (String = "image/svg+xml")),
        headers(("X-Page-Count" = usize, description = "Number of pages"))),
    (status = 400, description = "No UUID", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The token names no physician", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No longer in memory, or no longer handed out: cancelled, or a receipt of what may not have been paid", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "AeS failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "AeS cannot be reached", body = Problem, content_type = "application/problem+json")))]
async fn volet(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    format: PageFormat,
    InPath((id, name)): InPath<(Uuid, String)>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Response, Fail> {
    let copy = shared.connector.volet(&caller, id, &name).await.or_fail(lang)?;
    if format == PageFormat::Pdf {
        return Ok(page(PDF, copy.content.to_vec(), copy.pages));
    }
    let (svg, pages) = shared
        .connector
        .volet_page(&caller, id, &name, query.page.unwrap_or(1))
        .await
        .or_fail(lang)?;
    Ok(page(SVG, svg, pages))
}

/// Cancels a deposited document at the authority. Asking again after a lost answer is safe: a document is cancelled once. A document
/// whose deposit had no answer, and which the authority says it never received, is `failed` afterwards.
#[utoipa::path(post, path = "/econnector/v1/documents/{id}/cancellation", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = CancellationBody, responses(
    (status = 200, description = "Cancelled, now or before; or `failed`: it never arrived", body = EntryView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is logged in, or the token is not valid", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Not known, or another physician's", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Not deposited, or replaced by another document", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The reason cannot be sent, what is to take the place cannot, the form has no cancellation, or the authority refused", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "An authority failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "An authority cannot be reached, or the answer was lost: ask again", body = Problem, content_type = "application/problem+json")))]
async fn cancel(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(id): InPath<Uuid>,
    Json(body): Json<CancellationBody>,
) -> Result<axum::Json<EntryView>, Fail> {
    let cancel = Cancel {
        id,
        reason: body.reason,
        replaced_by: body.replaced_by.map(new_id).transpose().or_fail(lang)?,
    };
    let line = shared.connector.cancel(caller, cancel).await.or_fail(lang)?;
    Ok(axum::Json(line.into()))
}

/// Sets the pages for a handwritten signature, when signing or depositing is not possible. On the desktop this needs no login.
#[utoipa::path(post, path = "/econnector/v1/paper", tag = "documents", request_body = PaperBody, responses(
    (status = 201, description = "The pages, unsigned", body = DocumentView),
    (status = 400, description = "The request cannot be used", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Not for this physician", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such form", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "This id was deposited, or may have been, or stands for another document", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The values have errors, or the form is not meant for paper", body = Problem, content_type = "application/problem+json"),
    (status = 500, description = "This program failed", body = Problem, content_type = "application/problem+json"),
    (status = 502, description = "AeS failed", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "This installation cannot work as it is set up", body = Problem, content_type = "application/problem+json"),
    (status = 504, description = "AeS cannot be reached", body = Problem, content_type = "application/problem+json")))]
async fn paper(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    Json(body): Json<PaperBody>,
) -> Result<(StatusCode, axum::Json<DocumentView>), Fail> {
    let paper = Paper {
        id: new_id(body.id).or_fail(lang)?,
        kind: body.kind,
        values: body.values,
    };
    let issued = shared.connector.paper(caller, paper, lang).await.or_fail(lang)?;
    Ok(settled(&shared, issued, lang))
}
