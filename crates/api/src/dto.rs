//! What travels: the shapes that are not already those of the core.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use econnector_connector::{Issued, Problem, Progress, Receipt, Values, VoletCopy};
use econnector_forms::{Environment, FormSummary, Lang};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// `{values}`.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ValuesBody {
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
}

/// A document to issue.
#[derive(Deserialize, ToSchema)]
pub(crate) struct IssueBody {
    /// Made by the caller, UUID v4. The same id is never deposited twice.
    pub(crate) id: Uuid,
    /// The form's kind.
    pub(crate) kind: String,
    /// Field id to value, as the form's schema says.
    #[schema(value_type = Object)]
    pub(crate) values: Values,
    /// The document that this one replaces.
    #[serde(default)]
    pub(crate) replaces: Option<Uuid>,
}

/// The forms there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct FormsView {
    pub(crate) forms: Vec<FormSummary>,
}

/// A settled document.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    /// `deposited`, or `unknown` when the answer to an earlier deposit was lost.
    pub(crate) state: StateView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<VoletView>,
    /// Why the outcome is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// How far a document has come.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProgressView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: StateView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<VoletView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// How far a document has come.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = State)]
pub(crate) enum StateView {
    Checking,
    Signing,
    Depositing,
    Deposited,
    Failed,
    Unknown,
}

/// One volet of a document.
#[derive(Serialize, ToSchema)]
pub(crate) struct VoletView {
    pub(crate) name: String,
    pub(crate) title: String,
    #[schema(example = "application/pdf")]
    pub(crate) media_type: &'static str,
    pub(crate) signed: bool,
    pub(crate) pages: usize,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
}

/// The journal, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JournalView {
    pub(crate) entries: Vec<EntryView>,
}

/// One line of the journal. It never says anything of a patient.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) state: StateView,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) finished_at: Option<OffsetDateTime>,
    pub(crate) actor: String,
    pub(crate) physician: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaces: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem_code: Option<String>,
}

/// Who is logged in on this machine, and for whom.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionDto {
    pub(crate) state: SessionState,
    /// Whether this is the real thing.
    pub(crate) environment: Environment,
    /// While logging in: the address to open if no browser did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) login_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<ActorView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) physician: Option<PhysicianView>,
    /// A secretary's physicians.
    pub(crate) acts_for: Vec<PhysicianView>,
    /// When the session ends unless it is renewed.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub(crate) until: Option<OffsetDateTime>,
    /// Whether the next start needs no login.
    pub(crate) remembered: bool,
    pub(crate) notices: Vec<Notice>,
    /// Why the last login failed or the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
}

/// `logged_out`, `logging_in`, `logged_in`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SessionState {
    LoggedOut,
    LoggingIn,
    LoggedIn,
}

/// Whoever presses the button.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActorView {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// In whose name documents are signed.
#[derive(Serialize, ToSchema)]
pub(crate) struct PhysicianView {
    pub(crate) ehealth_id: String,
    pub(crate) name: String,
    pub(crate) provider_codes: Vec<String>,
}

/// Something to know that does not stop the work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Notice {
    pub(crate) code: String,
    pub(crate) title: String,
    pub(crate) detail: String,
}

impl From<econnector_journal::State> for StateView {
    fn from(state: econnector_journal::State) -> Self {
        use econnector_journal::State;
        match state {
            State::Checking => Self::Checking,
            State::Signing => Self::Signing,
            State::Depositing => Self::Depositing,
            State::Deposited => Self::Deposited,
            State::Failed => Self::Failed,
            State::Unknown => Self::Unknown,
        }
    }
}

impl From<econnector_journal::Entry> for EntryView {
    fn from(entry: econnector_journal::Entry) -> Self {
        Self {
            id: entry.id,
            kind: entry.kind,
            state: entry.state.into(),
            created_at: entry.created_at,
            finished_at: entry.finished_at,
            actor: entry.who.actor_name,
            physician: entry.who.physician_name,
            reference: entry.reference,
            correlation_id: entry.correlation_id,
            replaces: entry.replaces,
            problem_code: entry.problem.map(|(code, _)| code),
        }
    }
}

impl From<Problem> for Notice {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            title: problem.title,
            detail: problem.detail,
        }
    }
}

impl From<econnector_identity::Physician> for PhysicianView {
    fn from(physician: econnector_identity::Physician) -> Self {
        Self {
            ehealth_id: physician.ehealth_id,
            name: physician.name,
            provider_codes: physician.provider_codes,
        }
    }
}

/// The volets' titles are the pack's texts.
pub(crate) type Titles<'a> = &'a dyn Fn(&str) -> String;

impl DocumentView {
    pub(crate) fn new(issued: Issued, titles: Titles<'_>, problem: Option<Problem>) -> Self {
        Self {
            id: issued.id,
            kind: issued.kind,
            state: issued.state.into(),
            receipt: issued.receipt,
            volets: issued
                .volets
                .into_iter()
                .map(|volet| VoletView::new(&volet, titles, true))
                .collect(),
            problem,
        }
    }
}

impl ProgressView {
    pub(crate) fn new(progress: Progress, titles: Titles<'_>, lang: Lang) -> Self {
        Self {
            problem: progress.problem.map(|(code, fault)| Problem::of_code(&code, fault, lang)),
            id: progress.id,
            kind: progress.kind,
            state: progress.state.into(),
            receipt: progress.receipt,
            volets: progress
                .volets
                .into_iter()
                .map(|volet| VoletView::new(&volet, titles, false))
                .collect(),
        }
    }
}

impl VoletView {
    fn new(volet: &VoletCopy, titles: Titles<'_>, with_content: bool) -> Self {
        Self {
            title: titles(&volet.name),
            name: volet.name.clone(),
            media_type: "application/pdf",
            signed: volet.signed,
            pages: volet.pages,
            content: with_content.then(|| STANDARD.encode(volet.content.as_slice())),
        }
    }
}
