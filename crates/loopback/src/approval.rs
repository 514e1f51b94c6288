use std::sync::Arc;

use econnector_base::Patient;
use econnector_connector::Values;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a software wants done in the physician's name, for her to look at. Lives in memory, no longer than the question. No `Debug`:
/// it describes a patient.
pub struct Approval {
    /// What is to be done.
    pub action: Action,
    /// The document's id.
    pub document: Uuid,
    /// The kind of form, when it is one of ours.
    pub kind: Option<String>,
    /// What was filled in, when it is one of ours.
    pub values: Option<Values>,
    /// The simulation that is to be paid.
    pub simulation: Option<Uuid>,
    /// The page itself, when it was made elsewhere.
    pub pdf: Option<Arc<Zeroizing<Vec<u8>>>>,
    /// Why a document is to be cancelled.
    pub reason: Option<Patient<String>>,
}

/// What is to be done in the physician's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Sign a form and deposit it.
    Sign,
    /// Sign a form and pay it.
    Pay,
    /// Cancel a document.
    Cancel,
    /// Sign a page that was made elsewhere.
    SignPdf,
}

/// What the physician says to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes, this one.
    Once,
    /// Yes, and whatever else this software asks for until midnight.
    Today,
    /// No.
    Refuse,
}
