//! The models mySecu knows: which schema a document of the model follows, and who answers it.

use super::{Fault, Issued, Mysecu, cancellation, ecit, fields::Fields, mh, pid, register::Family, reply::Anomaly, reply::Reply, shape};

/// Models whose documents are known by their shape only, so that other programs can try a form of their own.
const TEST_PREFIX: &str = "TEST_";

/// A document to be answered.
pub(super) struct Case<'d, 'a> {
    pub(super) root: Fields<'d, 'a>,
    /// For whom the security token was issued.
    pub(super) sender: &'d Issued,
    /// What was found before the document was looked at.
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) mysecu: &'d Mysecu,
}

/// One `modelUID`.
pub(super) struct Model {
    uid: &'static str,
    /// File in xsd/; a model known by its shape has none.
    pub(super) schema: Option<&'static str>,
    pub(super) answer: fn(Case<'_, '_>) -> Result<Reply, Fault>,
}

const MODELS: [Model; 7] = [
    Model {
        uid: "2026_ECIT_DEPOT-V1",
        schema: Some("ecit.xsd"),
        answer: ecit::deposit,
    },
    Model {
        uid: "2026_ECIT_ANNUL-V1",
        schema: Some("ecit-cancellation.xsd"),
        answer: |case| cancellation::answer(case, Family::Ecit),
    },
    Model {
        uid: "2022_CNS_MEMHON_DEPOT-V1",
        schema: Some("mh.xsd"),
        answer: mh::deposit,
    },
    Model {
        uid: "2022_CNS_MEMHON_ANNUL-V1",
        schema: Some("mh-cancellation.xsd"),
        answer: |case| cancellation::answer(case, Family::Mh),
    },
    Model {
        uid: "2023-CNS-PID-SIM-V1",
        schema: Some("pid-simulation.xsd"),
        answer: pid::simulate,
    },
    Model {
        uid: "2023-CNS-PID-VAL-V1",
        schema: Some("pid-validation.xsd"),
        answer: pid::validate,
    },
    Model {
        uid: "2023-CNS-PID-CON-V1",
        schema: Some("pid-contestation.xsd"),
        answer: pid::contest,
    },
];

const TEST: Model = Model {
    uid: TEST_PREFIX,
    schema: None,
    answer: shape::deposit,
};

pub(super) fn find(uid: &str) -> Option<&'static Model> {
    if uid.starts_with(TEST_PREFIX) {
        return Some(&TEST);
    }
    MODELS.iter().find(|model| model.uid == uid)
}

/// The schema of every model that has one.
pub(super) fn schemas() -> impl Iterator<Item = &'static str> {
    MODELS.iter().filter_map(|model| model.schema)
}
