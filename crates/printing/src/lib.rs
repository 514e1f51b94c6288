//! Paper: the queues of this machine, and a PDF handed to one of them through a pipe. No file is made here, and neither the job's
//! title nor an argument says anything of a patient.

#[cfg(unix)]
mod cups;

use std::sync::Arc;

use async_trait::async_trait;
use econnector_base::{Explain, Fault};
use serde::Serialize;

#[cfg(unix)]
pub use cups::Cups;

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Printer {
    /// The queue's name, by which it is chosen.
    pub name: String,
    /// What its owner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the system prints here when nothing else is said.
    pub is_default: bool,
}

/// The printers of this machine.
#[async_trait]
pub trait Printers: Send + Sync {
    /// Every queue, in the system's order.
    ///
    /// # Errors
    /// [`PrintError::Unavailable`] where the system has no printing that this program can drive, [`PrintError::Failed`] when it does
    /// not say.
    async fn list(&self) -> Result<Vec<Printer>, PrintError>;

    /// Hands a PDF to a queue and returns the system's name for the job. What becomes of it on paper, nobody can tell.
    ///
    /// # Errors
    /// [`PrintError`].
    async fn print(&self, printer: &str, pdf: &[u8]) -> Result<String, PrintError>;
}

/// Why nothing was printed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// No queue was named and the system has no default.
    #[error("printing: no printer was chosen and there is no default")]
    NoPrinter,
    /// There is no queue of that name.
    #[error("printing: no such printer")]
    UnknownPrinter,
    /// The system did not take the job.
    #[error("printing: {0}")]
    Failed(&'static str),
    /// There is no printing on this system that this program can drive.
    #[error("printing: not available on this system")]
    Unavailable,
}

impl Explain for PrintError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPrinter => "printer-none",
            Self::UnknownPrinter => "printer-unknown",
            Self::Failed(_) => "printer-failed",
            Self::Unavailable => "printing-unavailable",
        }
    }

    fn fault(&self) -> Fault {
        // The queue, its cable and its paper are the practice's own.
        Fault::You
    }
}

/// What this system offers: CUPS on Linux and macOS, nothing elsewhere.
#[must_use]
pub fn system() -> Arc<dyn Printers> {
    #[cfg(unix)]
    return Arc::new(Cups::default());
    #[cfg(not(unix))]
    Arc::new(NoPrinting)
}

/// A system without printing.
#[cfg_attr(unix, allow(dead_code, reason = "what other systems get"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrinting;

#[async_trait]
impl Printers for NoPrinting {
    async fn list(&self) -> Result<Vec<Printer>, PrintError> {
        Err(PrintError::Unavailable)
    }

    async fn print(&self, _: &str, _: &[u8]) -> Result<String, PrintError> {
        Err(PrintError::Unavailable)
    }
}
