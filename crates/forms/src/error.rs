use econnector_base::{Explain, Fault};

/// Why a pack does not open or could not do its work. Never holds a value that was typed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file the pack needs is not there.
    #[error("{file}: missing")]
    Missing {
        /// Path inside the pack.
        file: String,
    },
    /// A file of the pack cannot be used.
    #[error("{file}: {reason}")]
    Broken {
        /// Path inside the pack.
        file: String,
        /// What is wrong, for whoever edits the pack.
        reason: String,
    },
    /// The pack has no volet of this name.
    #[error("no volet \"{0}\"")]
    UnknownVolet(String),
    /// Values checked by one pack were given to another, or to another version of it.
    #[error("values were checked by {checked_by}, not by {this}")]
    ForeignValues {
        /// Kind and version of the pack that checked them.
        checked_by: String,
        /// Kind and version of the pack that was asked.
        this: String,
    },
    /// The reason for a cancellation is empty, too long, or holds a character that cannot be seen.
    #[error("a reason has 1 to {longest} visible characters")]
    Reason {
        /// Longest reason, in characters.
        longest: usize,
    },
    /// A simulation that was not accepted as a whole cannot be paid.
    #[error("the simulation was not accepted as a whole")]
    NotPayable,
    /// Nothing is contested, or an anomaly the simulation does not have, or for a reason that is not on the list.
    #[error("only anomalies of the simulation can be contested, each once, for a reason on the list")]
    Contestation,
    /// The wire message could not be made from checked values: the template and the definition disagree.
    #[error("{file}: {reason}")]
    Wire {
        /// The template.
        file: String,
        /// The kind of failure, without values.
        reason: String,
    },
}

impl PackError {
    pub(crate) fn broken(file: impl Into<String>, reason: impl ToString) -> Self {
        Self::Broken {
            file: file.into(),
            reason: reason.to_string(),
        }
    }
}

impl Explain for PackError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } | Self::Broken { .. } => "form-pack-broken",
            Self::UnknownVolet(_) => "form-volet-unknown",
            Self::ForeignValues { .. } => "form-values-foreign",
            Self::Reason { .. } => "cancellation-reason-wrong",
            Self::NotPayable => "pid-not-payable",
            Self::Contestation => "pid-contestation-wrong",
            Self::Wire { .. } => "form-wire-failed",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::UnknownVolet(_) | Self::Reason { .. } | Self::NotPayable | Self::Contestation => Fault::You,
            _ => Fault::Us,
        }
    }
}
