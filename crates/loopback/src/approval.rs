use std::sync::Arc;

use econnector_base::Patient;
use econnector_connector::{MessageFacts, Values};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{RemarkView, ReplacedView};

/// What a software wants done in the physician's name, for her to look at. Lives in memory, no longer than the question. No `Debug`:
/// it describes a patient.
pub struct Approval {
    /// What is to be done.
    pub action: Action,
    /// The document's id.
    pub document: Uuid,
    /// By whom and for whom: `sub` and eHealthID in one word.
    pub in_whose_name: String,
    /// The kind of form, when it is one of ours.
    pub kind: Option<String>,
    /// What was filled in, when it is one of ours.
    pub values: Option<Values>,
    /// The simulation that is to be paid or contested, and which of those that were asked for under its id.
    pub simulation: Option<(Uuid, Uuid)>,
    /// The page itself, when it was made elsewhere.
    pub pdf: Option<Arc<Zeroizing<Vec<u8>>>>,
    /// What the message says that is deposited with a page made elsewhere.
    pub message: Option<MessageFacts>,
    /// The document whose place it takes.
    pub replaces: Option<ReplacedView>,
    /// For a cancellation: the document that will take the place.
    pub replaced_by: Option<Uuid>,
    /// The remarks that are to be contested.
    pub remarks: Vec<RemarkView>,
    /// Why a document is to be cancelled.
    pub reason: Option<Patient<String>>,
}

impl Approval {
    /// Something to be done with a document in somebody's name, of which nothing else is known.
    #[must_use]
    pub fn of(action: Action, document: Uuid, in_whose_name: impl Into<String>) -> Self {
        Self {
            action,
            document,
            in_whose_name: in_whose_name.into(),
            kind: None,
            values: None,
            simulation: None,
            pdf: None,
            message: None,
            replaces: None,
            replaced_by: None,
            remarks: Vec::new(),
            reason: None,
        }
    }
}

/// What is to be done in the physician's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Sign a form and deposit it.
    Sign,
    /// Sign a form and pay it.
    Pay,
    /// Contest what the authority remarked on a form.
    Contest,
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
    /// Yes, and whatever else this software asks for in the same name until midnight.
    Today,
    /// No.
    Refuse,
}
