//! Looking at what was issued: state, volets, pages; and forgetting it.

use std::sync::Arc;

use econnector_base::Fault;
use econnector_forms::{Anomaly, Severity};
use econnector_identity::IdentityError;
use econnector_journal::{Entry, State};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{Cause, Sent};
use crate::memory::{Leaf, Remembered};
use crate::{Caller, Connector, Error};

/// A settled document.
pub struct Issued {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind; `pdf` for a PDF made elsewhere that was not sent.
    pub kind: String,
    /// Deposited, signed, on paper, or what an earlier call left.
    pub state: State,
    /// mySecu's receipt.
    pub receipt: Option<Receipt>,
    /// The volets, while they are in memory.
    pub volets: Vec<VoletCopy>,
    /// Why the outcome of an earlier call is not known.
    pub problem: Option<Error>,
    /// Whether this call settled it, or an earlier one did.
    pub fresh: bool,
}

/// How far a document has come.
pub struct Progress {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// The stage.
    pub state: State,
    /// mySecu's receipt, once there.
    pub receipt: Option<Receipt>,
    /// The volets, without content.
    pub volets: Vec<VoletCopy>,
    /// Stable code of the problem that ended it, and whose fault that was.
    pub problem: Option<(String, Fault)>,
}

/// A line of the journal, with what can still be done about it.
pub struct JournalLine {
    /// The line.
    pub entry: Entry,
    /// Whether a cancellation can be asked for now.
    pub cancellable: bool,
    /// Whether its pages are still in memory, and the viewer may see them.
    pub has_pages: bool,
}

/// What mySecu confirmed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Receipt {
    /// mySecu's id of the document.
    pub reference: String,
    /// When its answer came.
    #[serde(with = "time::serde::rfc3339")]
    pub deposited_at: OffsetDateTime,
    /// Under which mySecu can find the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What mySecu remarked.
    pub anomalies: Vec<ReceiptAnomaly>,
    /// The name in the signer's certificate; like all below, only while the document is in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// The time in the timestamp.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub signed_at: Option<OffsetDateTime>,
    /// Milliseconds spent in this program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_ms: Option<u64>,
    /// Milliseconds spent waiting for AeS, the KMS and mySecu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ms: Option<u64>,
    /// What was paid, for a form whose payment was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentView>,
}

/// What the authority pays to the billing code, in cents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PaymentView {
    /// The insurance's share.
    pub statutory: i64,
    /// What it keeps back.
    pub offset: i64,
    /// What it pays.
    pub paid: i64,
    /// `EUR`.
    pub currency: String,
    /// Why it pays another amount than its share, in its own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One remark of mySecu, in its own words; `paid-share-differs` and `paid-amount-unsaid` are remarks of this program, in the caller's
/// language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReceiptAnomaly {
    /// An error prevented what was asked for.
    pub severity: Severity,
    /// Its code.
    pub code: String,
    /// Its sentence.
    pub message: String,
    /// Which line of the form it is about, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// A volet as handed out.
pub struct VoletCopy {
    /// Its name in the pack.
    pub name: String,
    /// Whether it bears the signature.
    pub signed: bool,
    /// Number of pages.
    pub pages: usize,
    /// The PDF; empty in a [`Progress`].
    pub content: Arc<Zeroizing<Vec<u8>>>,
}

impl Connector {
    /// How far a document has come.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], also for the document of another physician.
    pub async fn document(&self, caller: &Caller, id: Uuid) -> Result<Progress, Error> {
        let viewer = self.viewer(caller).await?;
        let entry = self.journal.find(id).await?.ok_or(Error::UnknownDocument)?;
        // The window that has just lost its session still has to learn what became of its document.
        if viewer.is_some_and(|viewer| viewer != entry.who.physician_id) {
            return Err(Error::UnknownDocument);
        }
        let remembered = self.memory.find(id);
        Ok(Progress {
            id,
            state: entry.state,
            receipt: remembered
                .as_ref()
                .and_then(|known| known.receipt.clone())
                .or_else(|| recorded_receipt(&entry)),
            kind: entry.kind,
            volets: remembered
                .iter()
                .flat_map(|known| &known.volets)
                .map(|leaf| leaf.copy(false))
                .collect(),
            problem: entry.problem,
        })
    }

    /// One volet's PDF.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] when it is no longer in memory, [`Error::UnknownVolet`].
    pub async fn volet(&self, caller: &Caller, id: Uuid, name: &str) -> Result<VoletCopy, Error> {
        let remembered = self.remembered(caller, id).await?;
        remembered
            .volets
            .iter()
            .find(|leaf| leaf.name == name)
            .map(|leaf| leaf.copy(true))
            .ok_or(Error::UnknownVolet)
    }

    /// One page of a volet as SVG, and the number of pages.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] when it is no longer in memory, [`Error::UnknownVolet`]; [`Error::Documents`] or [`Error::Quarantine`]
    /// when it has no such page.
    pub async fn volet_page(self: &Arc<Self>, caller: &Caller, id: Uuid, name: &str, page: usize) -> Result<(String, usize), Error> {
        let remembered = self.remembered(caller, id).await?;
        let leaf = remembered.volets.iter().find(|leaf| leaf.name == name).ok_or(Error::UnknownVolet)?;
        let pdf = Arc::clone(&leaf.pdf);
        if leaf.own {
            return self.beside(move |_| Ok(econnector_documents::draw(pdf, page)?)).await;
        }
        self.drawn(pdf, page).await
    }

    /// Forgets a document's values and pages, a simulation's and a signature's that waits too; the journal's line stays. Where nobody is logged
    /// in, what a caller did with a token of its own stays too.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`] for the document of another physician.
    pub async fn forget(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        let viewer = self.viewer(caller).await?;
        match viewer {
            Some(viewer) if self.memory.owners(id).into_iter().any(|owner| owner != viewer) => return Err(Error::UnknownDocument),
            Some(_) => self.memory.forget(id),
            None => self.memory.forget_at_desk(id),
        }
        Ok(())
    }

    /// The newest journal lines: those of the caller's physician, or of this machine's user.
    ///
    /// # Errors
    /// [`Error::Identity`] for a token that is not valid, [`Error::Journal`].
    pub async fn journal(&self, caller: &Caller) -> Result<Vec<JournalLine>, Error> {
        let viewer = self.viewer(caller).await?;
        let physician = viewer.as_deref().filter(|_| !matches!(caller, Caller::OwnSession));
        let entries = self.journal.list(physician, 500).await?;
        Ok(entries.into_iter().map(|entry| self.line(entry, viewer.as_deref())).collect())
    }

    /// A line as its viewer sees it; whoever is not logged in yet may be its physician.
    pub(crate) fn line(&self, entry: Entry, viewer: Option<&str>) -> JournalLine {
        let own = viewer.is_none_or(|viewer| viewer == entry.who.physician_id);
        let known = self.pack(&entry.kind).is_ok_and(|pack| pack.is_cancellable());
        JournalLine {
            cancellable: own && known && crate::cancel::may_be_cancelled(entry.state),
            has_pages: self.memory.find(entry.id).is_some_and(|known| known.shows_to(viewer)),
            entry,
        }
    }

    /// A document with its pages, for somebody who may see them.
    pub(crate) async fn remembered(&self, caller: &Caller, id: Uuid) -> Result<Arc<Remembered>, Error> {
        let viewer = self.viewer(caller).await?;
        let shown = self.memory.find(id).filter(|found| found.shows_to(viewer.as_deref()));
        shown.ok_or_else(|| match viewer {
            Some(_) => Error::UnknownDocument,
            None => IdentityError::LoginRequired.into(),
        })
    }

    /// What the journal and the memory know of a settled document.
    pub(crate) fn settled_document(&self, entry: Entry) -> Issued {
        let problem = (entry.state == State::Unknown).then(|| self.outcome_unknown(&entry));
        match self.memory.find(entry.id) {
            Some(remembered) => Issued {
                problem,
                ..remembered.issued(entry.id, entry.state, false)
            },
            None => Issued {
                id: entry.id,
                receipt: recorded_receipt(&entry),
                kind: entry.kind,
                state: entry.state,
                volets: Vec::new(),
                problem,
                fresh: false,
            },
        }
    }

    /// What is said of a document whose answer was lost earlier.
    pub(crate) fn outcome_unknown(&self, entry: &Entry) -> Error {
        let pays = self.pack(&entry.kind).is_ok_and(crate::simulate::is_simulated);
        let cause = Cause::Earlier {
            correlation_id: entry.correlation_id.clone(),
        };
        Error::lost(if pays { Sent::Payment } else { Sent::Deposit }, cause)
    }
}

impl Leaf {
    fn copy(&self, with_content: bool) -> VoletCopy {
        VoletCopy {
            name: self.name.clone(),
            signed: self.signed,
            pages: self.pages,
            content: if with_content { Arc::clone(&self.pdf) } else { Arc::default() },
        }
    }
}

impl Remembered {
    pub(crate) fn issued(&self, id: Uuid, state: State, fresh: bool) -> Issued {
        Issued {
            id,
            kind: self.kind.clone(),
            state,
            receipt: self.receipt.clone(),
            volets: self.volets.iter().map(|leaf| leaf.copy(true)).collect(),
            problem: None,
            fresh,
        }
    }
}

impl From<Anomaly> for ReceiptAnomaly {
    fn from(anomaly: Anomaly) -> Self {
        Self {
            severity: anomaly.severity,
            code: anomaly.code,
            message: anomaly.message,
            line: anomaly.line,
        }
    }
}

/// What the journal still knows of a receipt when the pages are gone.
fn recorded_receipt(entry: &Entry) -> Option<Receipt> {
    // The reference of a simulation is no receipt: nothing was deposited or paid.
    if matches!(entry.state, State::Simulated | State::Contested) {
        return None;
    }
    Some(Receipt {
        reference: entry.reference.clone()?,
        deposited_at: entry.finished_at?,
        correlation_id: entry.correlation_id.clone(),
        anomalies: Vec::new(),
        signed_by: None,
        signed_at: None,
        own_ms: None,
        remote_ms: None,
        payment: None,
    })
}
