use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use econnector_connector::{Cancel, Intent, Issue, Issued, Paper};
use econnector_forms::Lang;
use econnector_loopback::{Action, Approval};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Shared;
use crate::dto::{CancellationBody, DocumentParts, DocumentView, EntryView, IssueBody, PaperBody, Pdf, ProgressView};
use crate::fail::{Fail, OrFail as _};
use crate::gate::Actor;
use crate::input::{FORM_LIMIT, Id, InPath, InQuery, Json, Language, PDF_LIMIT, PageFormat, PageNumber, Who, new_id};
use crate::parts::comes_in_parts;
use crate::routes::{PDF, SVG, page, page_number, titles};
use crate::signatures::deposit_parts;

/// What is answered for a document: 201 for what this call did, 200 for what an earlier one did.
pub(crate) type Settled = (StatusCode, axum::Json<DocumentView>);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(OpenApiRouter::new().routes(routes!(issue)).layer(DefaultBodyLimit::max(PDF_LIMIT)))
        .routes(routes!(document, forget))
        .routes(routes!(cancel))
        .routes(routes!(paper))
        .routes(routes!(volet))
}

/// Checks, sets, signs and deposits.
///
/// The same id again answers 200 with the recorded outcome and never deposits again. In parts: the XML of the authority and a PDF of the
/// caller's own, which is signed as it is.
#[utoipa::path(post, path = "/econnector/v1/documents", tag = "documents",
    request_body(content((IssueBody = "application/json"), (DocumentParts = "multipart/form-data"))), responses(
    (status = 201, description = "Deposited", body = DocumentView),
    (status = 200, description = "This id was settled before", body = DocumentView),
    (status = 404, description = "No such form, or no such document to replace"),
    (status = 409, description = "The id stands for another document, or what is to be replaced was replaced already"),
    (status = 422, description = "The values have errors, the form is not deposited, the other document cannot be replaced by this one, mySecu refused; in parts: the PDF cannot be signed, or the XML does not keep to the schema or names another id"),
    (status = 504, description = "An authority cannot be reached, or the outcome of the deposit is not known")))]
async fn issue(State(shared): State<Shared>, Language(lang): Language, actor: Actor, request: Request) -> Result<Settled, Fail> {
    if comes_in_parts(&request) {
        return deposit_parts(&shared, actor, request, lang).await;
    }
    let Json(body) = Json::<IssueBody>::of(request, FORM_LIMIT).await?;
    let issue = Issue {
        id: new_id(body.id).or_fail(lang)?,
        kind: body.kind,
        values: body.values,
        replaces: body.replaces.map(|Id(id)| id),
        reason: body.reason,
    };
    let shown = |in_whose_name: String| Approval {
        kind: Some(issue.kind.clone()),
        values: Some(issue.values.clone()),
        reason: issue.reason.clone(),
        ..Approval::of(Action::Sign, issue.id, in_whose_name)
    };
    let agreed = actor.may(&shared, Intent::Issue(&issue), lang, shown).await?;
    let issued = shared.connector.issue(actor.caller, issue, agreed, lang).await.or_fail(lang)?;
    Ok(settled(&shared, issued, lang))
}

pub(crate) fn settled(shared: &Shared, issued: Issued, lang: Lang) -> Settled {
    let status = if issued.fresh { StatusCode::CREATED } else { StatusCode::OK };
    let titles = titles(&shared.connector, &issued.kind, lang);
    (status, axum::Json(DocumentView::new(issued, &titles, lang)))
}

/// How far a document has come.
#[utoipa::path(get, path = "/econnector/v1/documents/{id}", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")), responses(
    (status = 200, description = "Its state", body = ProgressView)))]
async fn document(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(Id(id)): InPath<Id>,
) -> Result<axum::Json<ProgressView>, Fail> {
    let progress = shared.connector.document(&caller, id).await.or_fail(lang)?;
    let titles = titles(&shared.connector, &progress.kind, lang);
    Ok(axum::Json(ProgressView::new(progress, &titles, lang)))
}

/// Forgets a document's values and pages.
///
/// Its journal line, without patient, stays.
#[utoipa::path(delete, path = "/econnector/v1/documents/{id}", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")), responses(
    (status = 204, description = "Nothing of it is in memory"),
    (status = 404, description = "Another physician's")))]
async fn forget(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    InPath(Id(id)): InPath<Id>,
) -> Result<StatusCode, Fail> {
    shared.connector.forget(&caller, id).await.or_fail(lang)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// For SVG: the page, from 1.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    page: Option<PageNumber>,
}

/// One volet: the PDF, or one page as SVG by `Accept: image/svg+xml`; while it is in memory.
#[utoipa::path(get, path = "/econnector/v1/documents/{id}/volets/{name}", tag = "documents",
    params(("id" = Uuid, Path, description = "The caller's id"), ("name" = String, Path, description = "caisse, …"), PageQuery), responses(
    (status = 200, description = "The volet", content((Pdf = "application/pdf"), (String = "image/svg+xml")),
        headers(("X-Page-Count" = usize, description = "Number of pages"))),
    (status = 404, description = "No longer in memory, or no longer handed out: cancelled, or a receipt of what may not have been paid")))]
async fn volet(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    format: PageFormat,
    InPath(path): InPath<(Id, String)>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Response, Fail> {
    let (Id(id), name) = path;
    let copy = shared.connector.volet(&caller, id, &name).await.or_fail(lang)?;
    if format == PageFormat::Pdf {
        return Ok(page(PDF, copy.content.to_vec(), copy.pages));
    }
    let (svg, pages) = shared
        .connector
        .volet_page(&caller, id, &name, page_number(query.page))
        .await
        .or_fail(lang)?;
    Ok(page(SVG, svg, pages))
}

/// Cancels a deposited document at the authority.
///
/// Asking again after a lost answer is safe: a document is cancelled once. A document whose deposit had no answer, and which the
/// authority says it never received, is `failed` afterwards.
#[utoipa::path(post, path = "/econnector/v1/documents/{id}/cancellation", tag = "documents", params(("id" = Uuid, Path, description = "The caller's id")),
    request_body = CancellationBody, responses(
    (status = 200, description = "Cancelled, now or before; or `failed`: it never arrived", body = EntryView),
    (status = 404, description = "Not known, or another physician's"),
    (status = 409, description = "Not deposited, or replaced by another document"),
    (status = 422, description = "The reason cannot be sent, what is to take the place cannot, the form has no cancellation, or the authority refused"),
    (status = 504, description = "An authority cannot be reached, or the answer was lost: ask again")))]
async fn cancel(
    State(shared): State<Shared>,
    Language(lang): Language,
    actor: Actor,
    InPath(Id(id)): InPath<Id>,
    Json(body): Json<CancellationBody>,
) -> Result<axum::Json<EntryView>, Fail> {
    let cancel = Cancel {
        id,
        reason: body.reason,
        replaced_by: body.replaced_by.map(new_id).transpose().or_fail(lang)?,
    };
    let shown = |in_whose_name: String| Approval {
        reason: Some(cancel.reason.clone()),
        replaced_by: cancel.replaced_by,
        ..Approval::of(Action::Cancel, id, in_whose_name)
    };
    let agreed = actor.may(&shared, Intent::Cancel(&cancel), lang, shown).await?;
    let line = shared.connector.cancel(actor.caller, cancel, agreed).await.or_fail(lang)?;
    Ok(axum::Json(line.into()))
}

/// Sets the pages for a handwritten signature, when signing or depositing is not possible.
///
/// On the desktop this needs no login.
#[utoipa::path(post, path = "/econnector/v1/paper", tag = "documents", request_body = PaperBody, responses(
    (status = 201, description = "The pages, unsigned", body = DocumentView),
    (status = 404, description = "No such form"),
    (status = 409, description = "This id was deposited, or may have been, or stands for another document"),
    (status = 422, description = "The values have errors, or the form is not meant for paper")))]
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
