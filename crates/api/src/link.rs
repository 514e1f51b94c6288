//! Window only: who may use the link, and what waits for the physician's word.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use econnector_answers::language;
use econnector_base::Explain;
use econnector_connector::{Caller, Error, Preview, RequestError, Values};
use econnector_forms::Lang;
use econnector_identity::{Actor, IdentityError, Physician, SessionState};
use econnector_loopback::{Action, Answer, Approval, Link, LinkError, LinkView, NewOrigin, WaitingKind};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::dto::{AnswerBody, ApprovalView, DecisionBody, DecisionWord, LineFacts, MessageFact, MessageView, OriginBody};
use crate::fail::{Fail, OrFail as _};
use crate::input::{Id, InPath, InQuery, Json, Language, PageNumber, whole};
use crate::routes::{SVG, page, page_number};
use crate::{Door, Shared};

/// A question for news is answered after this time even when there are none.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(link))
        .routes(routes!(decide, forget_software))
        .routes(routes!(allow_origin, forget_origin))
        .routes(routes!(approval, answer))
        .routes(routes!(approval_page))
}

/// The link, where this is the window: practice software must not decide about itself.
struct AtWindow(Link);

impl FromRequestParts<Shared> for AtWindow {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        let absent = match &shared.door {
            Door::Desktop(Some(link)) => return Ok(Self(link.clone())),
            Door::Desktop(None) => RequestError::NoSessionHere,
            Door::Loopback(_) | Door::Hospital => RequestError::Route,
        };
        Err(Fail::new(absent, language(&parts.headers)))
    }
}

fn or_fail<T>(outcome: Result<T, LinkError>, lang: Lang) -> Result<T, Fail> {
    outcome.map_err(|error| Fail::explained(&error as &dyn Explain, lang))
}

/// What waits for the disk, beside the threads that answer others.
async fn kept<T: Send + 'static>(lang: Lang, work: impl FnOnce() -> Result<T, LinkError> + Send + 'static) -> Result<T, Fail> {
    let outcome = tokio::task::spawn_blocking(work).await;
    or_fail(outcome.map_err(|_| Error::Interrupted).or_fail(lang)?, lang)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NewsQuery {
    /// The revision known already: the answer waits until there is a later one, at most 25 seconds.
    #[serde(default, deserialize_with = "whole")]
    #[param(maximum = 9_007_199_254_740_991_i64)]
    since: Option<u64>,
}

/// Where the link listens, who uses it, whom it refused, and what waits for an answer.
#[utoipa::path(get, path = "/econnector/v1/link", tag = "link", params(NewsQuery), responses(
    (status = 200, description = "The link", body = LinkView),
    (status = 404, description = "Not here: window only")))]
async fn link(
    State(shared): State<Shared>,
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InQuery(query): InQuery<NewsQuery>,
) -> axum::Json<LinkView> {
    if let Some(since) = query.since {
        link.changed(since, PATIENCE).await;
    }
    let own = acting(&shared, lang).await.ok().map(|acting| acting.in_whose_name());
    axum::Json(link.view(lang, own.as_deref()))
}

/// Lets a software use the link, or not; also changes what was decided before.
#[utoipa::path(put, path = "/econnector/v1/link/software/{name}", tag = "link", params(("name" = String, Path, description = "As it calls itself")),
    request_body = DecisionBody, responses(
    (status = 204, description = "Decided"),
    (status = 401, description = "Trusted for today, and nobody is logged in to sign for"),
    (status = 404, description = "No software of that name asked; or not here: window only"),
    (status = 409, description = "Trusted for today, and no physician is chosen to sign for")))]
async fn decide(
    State(shared): State<Shared>,
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InPath(name): InPath<String>,
    Json(body): Json<DecisionBody>,
) -> Result<StatusCode, Fail> {
    let allowed = body.decision == DecisionWord::Allowed;
    // Trust is one person's, in what is signed for one physician; without a login it is only ended.
    let own = acting(&shared, lang).await.map(|acting| acting.in_whose_name());
    let (own, trusting) = match body.trusted_today {
        Some(true) if allowed => (Some(own?), true),
        _ => (own.ok(), false),
    };
    kept(lang, move || {
        link.decide(&name, allowed)?;
        match own {
            Some(own) if trusting => return link.trust_today(&name, &own),
            own if body.trusted_today.is_some() => link.distrust(&name, own.as_deref()),
            _ => {}
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who works at this desk, and for which physician.
struct Acting {
    actor: Actor,
    physician: Physician,
}

impl Acting {
    fn in_whose_name(&self) -> String {
        self.actor.in_the_name_of(&self.physician)
    }
}

async fn acting(shared: &Shared, lang: Lang) -> Result<Acting, Fail> {
    match shared.connector.session().await.standing {
        SessionState::LoggedIn {
            actor,
            physician: Some(physician),
            ..
        } => Ok(Acting { actor, physician }),
        SessionState::LoggedIn { .. } => Err(Fail::new(IdentityError::PhysicianNotChosen, lang)),
        _ => Err(Fail::new(IdentityError::LoginRequired, lang)),
    }
}

/// Forgets what was decided about a software: it is asked anew when it comes again.
#[utoipa::path(delete, path = "/econnector/v1/link/software/{name}", tag = "link", params(("name" = String, Path, description = "As it calls itself")), responses(
    (status = 204, description = "Forgotten"),
    (status = 404, description = "Not known; or not here: window only"),
    (status = 409, description = "The installation decided this")))]
async fn forget_software(AtWindow(link): AtWindow, Language(lang): Language, InPath(name): InPath<String>) -> Result<StatusCode, Fail> {
    kept(lang, move || link.forget(&name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a web page use the link, with a key of its own that is shown this once.
#[utoipa::path(post, path = "/econnector/v1/link/origins", tag = "link", request_body = OriginBody, responses(
    (status = 201, description = "Allowed", body = NewOrigin),
    (status = 404, description = "Not here: window only"),
    (status = 409, description = "The installation decided this"),
    (status = 422, description = "Not an origin that can be allowed")))]
async fn allow_origin(
    AtWindow(link): AtWindow,
    Language(lang): Language,
    Json(body): Json<OriginBody>,
) -> Result<(StatusCode, axum::Json<NewOrigin>), Fail> {
    let allowed = kept(lang, move || link.allow_origin(&body.origin)).await?;
    Ok((StatusCode::CREATED, axum::Json(allowed)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OriginQuery {
    /// The origin.
    origin: String,
}

/// No longer lets a web page use the link.
#[utoipa::path(delete, path = "/econnector/v1/link/origins", tag = "link", params(OriginQuery), responses(
    (status = 204, description = "Forgotten"),
    (status = 404, description = "Not known; or not here: window only"),
    (status = 409, description = "The installation decided this")))]
async fn forget_origin(
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InQuery(query): InQuery<OriginQuery>,
) -> Result<StatusCode, Fail> {
    kept(lang, move || link.forget_origin(&query.origin)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a software wants to do in the physician's name.
///
/// Its pages stand beside it.
#[utoipa::path(get, path = "/econnector/v1/link/approvals/{id}", tag = "link", params(("id" = Uuid, Path, description = "The question's id")), responses(
    (status = 200, description = "The question", body = ApprovalView),
    (status = 404, description = "No longer asked; or not here: window only"),
    (status = 409, description = "Another person is logged in by now, or works for another physician: it may only be refused")))]
async fn approval(
    State(shared): State<Shared>,
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InPath(Id(id)): InPath<Id>,
) -> Result<axum::Json<ApprovalView>, Fail> {
    let (asked, Acting { physician, .. }) = asked(&shared, &link, id, lang).await?;
    let waiting = link.view(lang, None).waiting.into_iter();
    let waiting = waiting
        .into_iter()
        .find(|waiting| waiting.id == id && waiting.kind == WaitingKind::Approval);
    let waiting = or_fail(waiting.ok_or(LinkError::Unknown), lang)?;
    let lines = shared.connector.journal(&Caller::OwnSession).await.or_fail(lang)?;
    let line = lines.into_iter().map(|line| line.entry).find(|entry| entry.id == asked.document);
    let message = asked.message.as_ref().zip(asked.kind.as_deref());
    let message = message.map(|(message, kind)| MessageView {
        provider_codes: message.provider_codes.clone(),
        lines: message.lines,
        facts: message
            .facts
            .iter()
            .map(|(name, value)| MessageFact {
                label: shared.connector.label(kind, name, lang),
                value: value.to_string(),
            })
            .collect(),
    });
    Ok(axum::Json(ApprovalView {
        id,
        software: waiting.software,
        action: asked.action,
        physician_name: physician.name,
        form: asked.kind.clone(),
        document: asked.document,
        reason: asked.reason.as_ref().map(|reason| reason.reveal().clone()),
        message,
        replaces: asked.replaces.clone(),
        replaced_by: asked.replaced_by,
        remarks: asked.remarks.clone(),
        since: waiting.since,
        line: line.map(|entry| LineFacts {
            kind: entry.kind,
            created_at: entry.created_at,
            reference: entry.reference,
        }),
    }))
}

/// One page of what is to be signed: of the form as it was filled in, or of the PDF that came.
#[utoipa::path(get, path = "/econnector/v1/link/approvals/{id}/pages/{n}", tag = "link",
    params(("id" = Uuid, Path, description = "The question's id"), ("n" = u32, Path, description = "The page, from 1", minimum = 1, maximum = 100_000)), responses(
    (status = 200, description = "The page", content((String = "image/svg+xml")), headers(("X-Page-Count" = usize, description = "Number of pages"))),
    (status = 404, description = "No longer asked, nothing to show for it, or no such page; or not here: window only"),
    (status = 409, description = "Another person is logged in by now, or works for another physician"),
    (status = 422, description = "The PDF cannot be shown")))]
async fn approval_page(
    State(shared): State<Shared>,
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InPath(path): InPath<(Id, PageNumber)>,
) -> Result<Response, Fail> {
    let (Id(id), n) = path;
    let (asked, _) = asked(&shared, &link, id, lang).await?;
    let n = page_number(Some(n));
    if let Some(pdf) = &asked.pdf {
        let pdf = Arc::clone(pdf);
        let (svg, pages) = shared.connector.drawn(pdf, n).await.or_fail(lang)?;
        return Ok(page(SVG, svg, pages));
    }
    let (preview, shown) = (to_preview(&shared, &asked, lang).await?, n);
    let document = shared.connector.preview(&Caller::OwnSession, preview).await.or_fail(lang)?;
    Ok(page(SVG, document.svg(shown).or_fail(lang)?, document.pages()))
}

/// The signed volet of the form that is asked about; of a cancellation there is nothing to show but its facts.
async fn to_preview(shared: &Shared, asked: &Approval, lang: Lang) -> Result<Preview, Fail> {
    let nothing = || Fail::explained(&LinkError::Unknown, lang);
    if asked.action == Action::Cancel {
        return Err(nothing());
    }
    let kind = match &asked.kind {
        Some(kind) => kind.clone(),
        None => {
            shared
                .connector
                .document(&Caller::OwnSession, asked.document)
                .await
                .or_fail(lang)?
                .kind
        }
    };
    let form = shared.connector.form(&kind, lang).or_fail(lang)?;
    let volet = form.volets.into_iter().find(|volet| volet.signed).ok_or_else(nothing)?;
    Ok(Preview {
        kind,
        volet: volet.name,
        values: asked.values.clone().unwrap_or_else(|| Values::new(serde_json::Map::new())),
        simulation: asked.simulation.map(|(id, _)| id),
        mark: asked.simulation.map(|(_, mark)| mark),
    })
}

/// The physician's word.
#[utoipa::path(post, path = "/econnector/v1/link/approvals/{id}", tag = "link", params(("id" = Uuid, Path, description = "The question's id")),
    request_body = AnswerBody, responses(
    (status = 204, description = "Taken"),
    (status = 404, description = "No longer asked; or not here: window only"),
    (status = 409, description = "Another person is logged in by now, or works for another physician: it may only be refused")))]
async fn answer(
    State(shared): State<Shared>,
    AtWindow(link): AtWindow,
    Language(lang): Language,
    InPath(Id(id)): InPath<Id>,
    Json(body): Json<AnswerBody>,
) -> Result<StatusCode, Fail> {
    // Anybody may refuse; who says yes must be she who was asked.
    if body.answer != Answer::Refuse {
        asked(&shared, &link, id, lang).await?;
    }
    or_fail(link.answer(id, body.answer), lang)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is asked of whoever works at this desk now; of anybody else it is none of her business.
async fn asked(shared: &Shared, link: &Link, id: Uuid, lang: Lang) -> Result<(Arc<Approval>, Acting), Fail> {
    let asked = or_fail(link.approval(id).ok_or(LinkError::Unknown), lang)?;
    match acting(shared, lang).await {
        Ok(acting) if acting.in_whose_name() == asked.in_whose_name => Ok((asked, acting)),
        _ => Err(Fail::new(Error::SessionChanged, lang)),
    }
}
