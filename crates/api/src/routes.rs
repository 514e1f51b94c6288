use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use econnector_connector::{Checkup, Connector, Preview, Problem, RequestError, Status};
use econnector_forms::{Definition, Lang};
use econnector_identity::{KeyringState, SessionState as LoginState, SessionView};
use econnector_loopback::{KeyFact, LinkFacts};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dto::{
    ActorView, ChoiceBody, EntryView, FormsView, JournalView, LoginBody, Notice, Pdf, SessionDto, SessionState, UsableView, ValuesBody,
};
use crate::fail::{Fail, OrFail as _};
use crate::input::{Id, InPath, InQuery, Json, JsonOrNothing, Language, PageFormat, PageNumber, Who, is_ehealth_id};
use crate::{Door, Shared, desk, documents, link, signatures, simulations};

pub(crate) const SVG: &str = "image/svg+xml";
pub(crate) const PDF: &str = "application/pdf";

pub(crate) fn all() -> OpenApiRouter<Shared> {
    crate::description::empty()
        .routes(routes!(usable))
        .routes(routes!(status))
        .routes(routes!(session, logout))
        .routes(routes!(login))
        .routes(routes!(choose))
        .routes(routes!(forms))
        .routes(routes!(form))
        .routes(routes!(schema))
        .routes(routes!(check))
        .routes(routes!(preview))
        .merge(documents::routes())
        .merge(signatures::routes())
        .merge(simulations::routes())
        .merge(desk::routes())
        .merge(link::routes())
        .routes(routes!(journal))
}

/// Whether documents can be issued now: 200, or 503 with the failing checks.
///
/// Needs no login.
#[utoipa::path(get, path = "/econnector/status", tag = "status", responses(
    (status = 200, description = "Usable", body = UsableView),
    (status = 503, description = "Not usable; the failing checks say why. Or, as a problem, busy: then `Retry-After` says when to come back",
        content((UsableView = "application/json"), (Problem = "application/problem+json")))))]
async fn usable(
    State(shared): State<Shared>,
    Language(lang): Language,
    facts: Option<Extension<LinkFacts>>,
) -> (StatusCode, axum::Json<UsableView>) {
    let mut status = shared.connector.status(lang).await;
    let link = facts.map(|Extension(facts)| facts);
    // Whoever has no key is told whether it works, and no more of this machine.
    if link.as_ref().is_some_and(|facts| facts.key != KeyFact::Right) {
        status.checks.clear();
    }
    let code = if status.usable {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, axum::Json(UsableView { status, link }))
}

/// Every dependency: reachable, latency, expiry, clock skew, version.
///
/// Needs no login.
#[utoipa::path(get, path = "/econnector/v1/status", tag = "status", responses((status = 200, description = "What was found", body = Status)))]
async fn status(State(shared): State<Shared>, Language(lang): Language) -> axum::Json<Status> {
    axum::Json(shared.connector.status(lang).await)
}

/// Who is logged in on this machine, acting for whom, until when.
#[utoipa::path(get, path = "/econnector/v1/session", tag = "session", responses(
    (status = 200, description = "The session", body = SessionDto),
    (status = 404, description = "This door has no session")))]
async fn session(State(shared): State<Shared>, Language(lang): Language) -> Result<axum::Json<SessionDto>, Fail> {
    own_session(&shared, lang)?;
    Ok(axum::Json(session_view(&shared.connector, shared.connector.session().await, lang)))
}

/// Opens AeS's login page in the system browser.
///
/// Ask `GET /v1/session` until `state` is `logged_in`. The body may be left out.
#[utoipa::path(post, path = "/econnector/v1/session/login", tag = "session", request_body = LoginBody, responses(
    (status = 202, description = "The login is under way", body = SessionDto),
    (status = 403, description = "Logins of this program's own are not allowed here"),
    (status = 404, description = "This door has no session"),
    (status = 409, description = "Another eConnector of this user has the session")))]
async fn login(
    State(shared): State<Shared>,
    Language(lang): Language,
    JsonOrNothing(body): JsonOrNothing<LoginBody>,
) -> Result<(StatusCode, axum::Json<SessionDto>), Fail> {
    own_session(&shared, lang)?;
    let view = shared.connector.login(lang, body.other_account).await.or_fail(lang)?;
    Ok((StatusCode::ACCEPTED, axum::Json(session_view(&shared.connector, view, lang))))
}

/// Says for which of her physicians the logged-in person works from now on.
///
/// Window only. What was issued or simulated for another is not shown until she is chosen again; the journal shows its lines.
#[utoipa::path(put, path = "/econnector/v1/session/physician", tag = "session", request_body = ChoiceBody, responses(
    (status = 200, description = "The session, for this physician", body = SessionDto),
    (status = 403, description = "The physician does not let her; or not here: window only"),
    (status = 404, description = "This door has no session")))]
async fn choose(
    State(shared): State<Shared>,
    Language(lang): Language,
    Json(body): Json<ChoiceBody>,
) -> Result<axum::Json<SessionDto>, Fail> {
    decided_at_window(&shared, lang)?;
    if !is_ehealth_id(&body.ehealth_id) {
        return Err(Fail::new(RequestError::Body, lang));
    }
    let view = shared.connector.choose(&body.ehealth_id).await.or_fail(lang)?;
    Ok(axum::Json(session_view(&shared.connector, view, lang)))
}

/// Ends the session here and at AeS, or cancels a login under way.
///
/// Window only.
#[utoipa::path(delete, path = "/econnector/v1/session", tag = "session", responses(
    (status = 204, description = "Logged out"),
    (status = 403, description = "Not here: window only"),
    (status = 404, description = "This door has no session"),
    (status = 500, description = "Logged out here; this program failed to say so at AeS"),
    (status = 502, description = "Logged out here; AeS failed"),
    (status = 504, description = "Logged out here; AeS could not be told")))]
async fn logout(State(shared): State<Shared>, Language(lang): Language) -> Result<StatusCode, Fail> {
    decided_at_window(&shared, lang)?;
    shared.connector.logout().await.or_fail(lang)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The kinds of form.
#[utoipa::path(get, path = "/econnector/v1/forms", tag = "forms", responses((status = 200, description = "The forms", body = FormsView)))]
async fn forms(State(shared): State<Shared>, Language(lang): Language) -> axum::Json<FormsView> {
    axum::Json(FormsView {
        forms: shared.connector.forms(lang),
    })
}

/// One form: sections, fields, options and texts in the caller's language.
#[utoipa::path(get, path = "/econnector/v1/forms/{kind}", tag = "forms", params(("kind" = String, Path, description = "ecit, …")), responses(
    (status = 200, description = "The definition", body = Definition)))]
async fn form(
    State(shared): State<Shared>,
    Language(lang): Language,
    InPath(kind): InPath<String>,
) -> Result<axum::Json<Definition>, Fail> {
    shared.connector.form(&kind, lang).map(axum::Json).or_fail(lang)
}

/// The JSON Schema of one form's values.
#[utoipa::path(get, path = "/econnector/v1/forms/{kind}/schema", tag = "forms", params(("kind" = String, Path, description = "ecit, …")), responses(
    (status = 200, description = "JSON Schema", body = Object)))]
async fn schema(
    State(shared): State<Shared>,
    Language(lang): Language,
    InPath(kind): InPath<String>,
) -> Result<axum::Json<serde_json::Value>, Fail> {
    shared.connector.schema(&kind).map(axum::Json).or_fail(lang)
}

/// Everything wrong with the values, at once.
///
/// 200 whatever is found; nothing is sent.
#[utoipa::path(post, path = "/econnector/v1/forms/{kind}/check", tag = "forms", params(("kind" = String, Path, description = "ecit, …")),
    request_body = ValuesBody, responses(
    (status = 200, description = "What was found", body = Checkup)))]
async fn check(
    State(shared): State<Shared>,
    Language(lang): Language,
    InPath(kind): InPath<String>,
    Json(body): Json<ValuesBody>,
) -> Result<axum::Json<Checkup>, Fail> {
    shared.connector.check(&kind, &body.values, lang).map(axum::Json).or_fail(lang)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PreviewQuery {
    /// The volet's name; the first one when absent.
    volet: Option<String>,
    /// For SVG: the page, from 1.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    page: Option<PageNumber>,
    /// A simulation of the caller's that is in memory: the page shows what was simulated and what the authority would pay, in place of
    /// `values`.
    #[param(value_type = Option<Uuid>)]
    simulation: Option<Id>,
}

/// The page as it would be signed, marked as a draft; values may be incomplete.
///
/// PDF, or one page as SVG by `Accept: image/svg+xml`.
#[utoipa::path(post, path = "/econnector/v1/forms/{kind}/preview", tag = "forms", params(("kind" = String, Path, description = "ecit, …"), PreviewQuery),
    request_body = ValuesBody, responses(
    (status = 200, description = "The page", content((Pdf = "application/pdf"), (String = "image/svg+xml")),
        headers(("X-Page-Count" = usize, description = "Number of pages"))),
    (status = 404, description = "No such form, volet or page"),
    (status = 422, description = "A character cannot be printed")))]
async fn preview(
    State(shared): State<Shared>,
    Language(lang): Language,
    Who(caller): Who,
    format: PageFormat,
    InPath(kind): InPath<String>,
    InQuery(query): InQuery<PreviewQuery>,
    Json(body): Json<ValuesBody>,
) -> Result<Response, Fail> {
    let first = || {
        shared
            .connector
            .form(&kind, lang)
            .ok()
            .and_then(|form| form.volets.into_iter().next().map(|volet| volet.name))
    };
    let volet = query.volet.or_else(first).unwrap_or_default();
    let preview = Preview {
        kind,
        volet,
        values: body.values,
        simulation: query.simulation.map(|Id(id)| id),
        mark: None,
    };
    let document = shared.connector.preview(&caller, preview).await.or_fail(lang)?;
    let pages = document.pages();
    match format {
        PageFormat::Pdf => Ok(page(PDF, document.pdf().or_fail(lang)?, pages)),
        PageFormat::Svg => Ok(page(SVG, document.svg(page_number(query.page)).or_fail(lang)?, pages)),
    }
}

/// What was sent, newest first, without patients: of the token's physician, or from this machine.
#[utoipa::path(get, path = "/econnector/v1/journal", tag = "journal", responses(
    (status = 200, description = "The lines", body = JournalView)))]
async fn journal(State(shared): State<Shared>, Language(lang): Language, Who(caller): Who) -> Result<axum::Json<JournalView>, Fail> {
    let entries = shared.connector.journal(&caller).await.or_fail(lang)?;
    Ok(axum::Json(JournalView {
        entries: entries.into_iter().map(EntryView::from).collect(),
    }))
}

fn own_session(shared: &Shared, lang: Lang) -> Result<(), Fail> {
    if matches!(shared.door, Door::Hospital) {
        Err(Fail::new(RequestError::NoSessionHere, lang))
    } else {
        Ok(())
    }
}

/// Practice software works in the desktop's session, and does not decide about it.
fn decided_at_window(shared: &Shared, lang: Lang) -> Result<(), Fail> {
    own_session(shared, lang)?;
    if matches!(shared.door, Door::Loopback(_)) {
        Err(Fail::new(RequestError::WindowOnly, lang))
    } else {
        Ok(())
    }
}

fn session_view(connector: &Connector, view: SessionView, lang: Lang) -> SessionDto {
    let keyring_code = if view.keyring == KeyringState::Off {
        None
    } else {
        view.keyring.code()
    };
    let notices = keyring_code
        .map(|code| Problem::of_code(code, econnector_base::Fault::You, lang))
        .map(Notice::from);
    let mut session = SessionDto {
        state: SessionState::LoggedOut,
        logins: view.logins.into(),
        environment: connector.environment(),
        login_url: None,
        actor: None,
        physician: None,
        mandate: false,
        acts_for: Vec::new(),
        since: None,
        until: None,
        remembered: view.remembered,
        clock_skew_seconds: view.clock_skew.map(time::Duration::whole_seconds),
        lock: connector.lock(),
        notices: notices.into_iter().collect(),
        problem: view.failure.map(|error| Problem::explain(&error, lang)),
    };
    match view.state {
        LoginState::LoggedOut => {}
        LoginState::LoggingIn { login_url } => {
            session.state = SessionState::LoggingIn;
            session.login_url = Some(login_url.to_string());
        }
        LoginState::LoggedIn {
            actor,
            physician,
            acts_for,
            mandate,
            since,
            until,
        } => {
            session.state = SessionState::LoggedIn;
            session.actor = Some(ActorView {
                id: actor.id,
                name: actor.name,
            });
            session.physician = physician.map(Into::into);
            session.acts_for = acts_for.into_iter().map(Into::into).collect();
            session.mandate = mandate;
            session.since = Some(since);
            session.until = Some(until);
        }
    }
    session
}

/// A page of a query; one that no document has is said to be unknown.
pub(crate) fn page_number(asked: Option<PageNumber>) -> usize {
    usize::try_from(asked.map_or(1, |PageNumber(number)| number)).unwrap_or(usize::MAX)
}

pub(crate) fn titles(connector: &Connector, kind: &str, lang: Lang) -> impl Fn(&str) -> String + use<> {
    let volets = connector.form(kind, lang).map(|form| form.volets).unwrap_or_default();
    move |name| {
        volets
            .iter()
            .find(|volet| volet.name == name)
            .map_or_else(|| name.to_owned(), |volet| volet.title.clone())
    }
}

pub(crate) fn page(media_type: &'static str, content: impl Into<axum::body::Body>, pages: usize) -> Response {
    let mut response = content.into().into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert("x-page-count", HeaderValue::from(pages));
    response
}
