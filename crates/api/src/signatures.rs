use std::sync::Arc;

use axum::extract::{Request, State};
use econnector_connector::{Foreign, Intent, SignPdf};
use econnector_forms::Lang;
use econnector_loopback::{Action, Approval};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use crate::Shared;
use crate::documents::{Settled, settled};
use crate::dto::{
    Base64, DepositBody, DocumentParts, DocumentView, Pdf, SignatureBody, SignatureParts, VerificationBody, VerificationView,
};
use crate::fail::{Fail, OrFail as _};
use crate::gate::Actor;
use crate::input::{Json, Language, PDF_LIMIT, Who, is_media, new_id, whole_body};
use crate::parts::{Parts, comes_in_parts, refuse};
use crate::refusal::PartFault;
use crate::routes::PDF;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sign))
        .routes(routes!(verify))
        .layer(axum::extract::DefaultBodyLimit::max(PDF_LIMIT))
}

/// Signs a PDF made elsewhere, as it is; with the XML of the authority it is deposited too.
///
/// The same id again answers 200 with the recorded outcome.
#[utoipa::path(post, path = "/econnector/v1/signatures", tag = "documents",
    request_body(content((SignatureBody = "application/json"), (SignatureParts = "multipart/form-data"))), responses(
    (status = 201, description = "Signed; `deposited` if there was something to deposit, else `signed`", body = DocumentView),
    (status = 200, description = "This id was settled before", body = DocumentView),
    (status = 404, description = "No such form"),
    (status = 409, description = "The id stands for another document"),
    (status = 422, description = "The PDF cannot be signed, of form kind and XML only one came, the XML does not keep to the schema or names another id, the form is not deposited this way, or mySecu refused"),
    (status = 504, description = "An authority cannot be reached, or the outcome of the deposit is not known")))]
async fn sign(State(shared): State<Shared>, Language(lang): Language, actor: Actor, request: Request) -> Result<Settled, Fail> {
    let body = if comes_in_parts(&request) {
        let mut parts = Parts::of(request, lang).await?;
        let (id, pdf) = (parts.id(lang)?, parts.pdf(lang)?);
        let (kind, xml) = parts.deposit(lang)?.unzip();
        SignatureParts { id, pdf, kind, xml }
    } else {
        let Json(body) = Json::<SignatureBody>::of(request, PDF_LIMIT).await?;
        let Base64(pdf) = body.content;
        let (kind, xml) = body.deposit.map(|DepositBody { kind, xml }| (kind, xml)).unzip();
        SignatureParts {
            id: body.id,
            pdf,
            kind,
            xml,
        }
    };
    sign_made_elsewhere(&shared, actor, body, lang).await
}

/// `POST /v1/documents` with parts: the same as a signature with a deposit.
pub(crate) async fn deposit_parts(shared: &Shared, actor: Actor, request: Request, lang: Lang) -> Result<Settled, Fail> {
    let mut parts = Parts::of(request, lang).await?;
    let (id, pdf) = (parts.id(lang)?, parts.pdf(lang)?);
    let (kind, xml) = parts.deposit(lang)?.ok_or_else(|| refuse(PartFault::Missing("xml"), lang))?;
    let DocumentParts { id, kind, xml, pdf } = DocumentParts { id, kind, xml, pdf };
    let body = SignatureParts {
        id,
        pdf,
        kind: Some(kind),
        xml: Some(xml),
    };
    sign_made_elsewhere(shared, actor, body, lang).await
}

async fn sign_made_elsewhere(shared: &Shared, actor: Actor, body: SignatureParts, lang: Lang) -> Result<Settled, Fail> {
    let id = new_id(body.id).or_fail(lang)?;
    let sign = SignPdf {
        id,
        pdf: Arc::new(body.pdf),
        deposit: body.kind.zip(body.xml).map(|(kind, xml)| Foreign { kind, xml }),
    };
    let shown = |in_whose_name: String| Approval {
        kind: sign.deposit.as_ref().map(|foreign| foreign.kind.clone()),
        pdf: Some(Arc::clone(&sign.pdf)),
        ..Approval::of(Action::SignPdf, id, in_whose_name)
    };
    let agreed = actor.may(shared, Intent::Sign(&sign), lang, shown).await?;
    let issued = shared.connector.sign(actor.caller, sign, agreed).await.or_fail(lang)?;
    Ok(settled(shared, issued, lang))
}

/// What a signed PDF is worth: what is signed, by whom and when, whether it is intact, and whether it leads to the trust store.
#[utoipa::path(post, path = "/econnector/v1/verifications", tag = "documents",
    request_body(content((Pdf = "application/pdf"), (VerificationBody = "application/json"))), responses(
    (status = 200, description = "What was found, good or bad", body = VerificationView),
    (status = 422, description = "No PDF, or not signed")))]
async fn verify(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    request: Request,
) -> Result<axum::Json<VerificationView>, Fail> {
    let pdf = if is_media(request.headers(), PDF) {
        Zeroizing::new(whole_body(request, PDF_LIMIT, lang).await?.to_vec())
    } else {
        let Json(VerificationBody { content: Base64(pdf) }) = Json::of(request, PDF_LIMIT).await?;
        pdf
    };
    let found = shared.connector.verify(&caller, pdf).await.or_fail(lang)?;
    Ok(axum::Json(VerificationView::new(found, lang)))
}
