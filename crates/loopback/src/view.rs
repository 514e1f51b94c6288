use econnector_connector::Problem;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Action, Wants};

/// All there is to see of the link, for the window.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct LinkView {
    /// Changes with everything below; what `since` is compared with.
    pub revision: u64,
    /// Whether the installation allows the link at all.
    pub enabled: bool,
    /// Whether requests are taken.
    pub listening: bool,
    /// Where: `http://127.0.0.1:17943` and, where the computer has IPv6, `http://[::1]:17943`.
    pub addresses: Vec<String>,
    /// The file in which software finds address and key.
    pub connection_file: String,
    /// `training`, `integration` or `production`.
    pub environment: String,
    /// Why no requests are taken, when none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Software that was decided about.
    pub software: Vec<SoftwareView>,
    /// Web applications that may call.
    pub origins: Vec<OriginView>,
    /// The last requests that were refused, newest first.
    pub refused: Vec<RefusedView>,
    /// Questions that wait for the physician, oldest first.
    pub waiting: Vec<WaitingView>,
}

/// A software that was decided about.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SoftwareView {
    /// What it calls itself.
    pub name: String,
    /// What was decided.
    pub decision: Decision,
    /// Until when it need not ask before it signs.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub trusted_until: Option<OffsetDateTime>,
    /// The web applications it called from since the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// Its first request.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
    /// Its last request.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub last_seen: Option<OffsetDateTime>,
}

/// What was decided about a software.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The physician allowed it.
    Allowed,
    /// The physician refused it.
    Refused,
    /// The installation allows it.
    Preset,
}

/// A web application that may call.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OriginView {
    /// Its exact origin.
    pub origin: String,
    /// Whether the installation allows it.
    pub preset: bool,
    /// When it was added here.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub added_at: Option<OffsetDateTime>,
}

/// A request that was refused. What could describe a patient is left out.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RefusedView {
    /// When, the last time.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How often the same came one after the other.
    pub times: u32,
    /// The problem's code.
    pub reason: String,
    /// The problem in a sentence.
    pub title: String,
    /// What to do about it.
    pub next: String,
    /// The method.
    pub method: String,
    /// The path without query; `…` for every part that is not the name of a route.
    pub path: String,
    /// The page it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The host it meant, when that was the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What the software calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<String>,
}

/// A question that waits for the physician.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct WaitingView {
    /// The question.
    pub id: Uuid,
    /// What is asked.
    pub kind: WaitingKind,
    /// Who asks.
    pub software: String,
    /// The web application it calls from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Consent: what its first request wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wants: Option<Wants>,
    /// Approval: what is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Approval: the kind of form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// Approval: the document's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Uuid>,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// A document whose place another takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReplacedView {
    /// Its id.
    pub document: Uuid,
    /// Its kind of form.
    pub kind: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The authority's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// It still holds: a yes also cancels it at the authority.
    pub cancels: bool,
}

/// A remark of the authority that is to be contested, in its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RemarkView {
    /// Its code.
    pub code: String,
    /// Its sentence.
    pub message: String,
    /// Which line of the form it is about, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingKind {
    /// May this software use eConnector?
    Consent,
    /// May this be done in your name?
    Approval,
}

/// A web application that was just allowed.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct NewOrigin {
    /// Its exact origin.
    pub origin: String,
    /// Its key: shown now and never again.
    pub key: String,
}

/// How a caller stands with the link, for `GET /econnector/status`. A request extension on every guarded request.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LinkFacts {
    /// What the request's key is worth.
    pub key: KeyFact,
    /// How its software stands. Told only to who has the key.
    pub software: SoftwareFact,
    /// The program's version.
    pub version: String,
    /// `training`, `integration` or `production`.
    pub environment: String,
    /// To a request with `X-EConnector-Challenge` (16 to 128 visible ASCII characters): HMAC-SHA256 of it under the connection file's key,
    /// in hexadecimal digits. A program that has the file sees by it that it is not another user's program that answers. To a page of a
    /// listed web application: HMAC-SHA256 of the challenge, a blank and the port that answers (`… 17943`), under the 32 bytes of SHA-256 of
    /// its key; where its origin has several keys, one proof for each, with blanks between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// The last requests that were refused, newest first: for who has the connection file's key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedView>,
}

/// What a key is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFact {
    /// None came.
    Absent,
    /// Of an earlier start, of another user, or not this origin's.
    Wrong,
    /// The one that counts.
    Right,
}

/// How a software stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoftwareFact {
    /// It does not say its name.
    Absent,
    /// It has not asked yet.
    Unknown,
    /// The physician has not answered yet.
    Waiting,
    /// It may call.
    Allowed,
    /// It may not call.
    Refused,
}
