//! Taking a deposited document back, for good or for another in its place. The authority cancels a document once, so asking again
//! after a lost answer is safe.

use std::sync::Arc;

use econnector_base::{Explain as _, Fault, Patient};
use econnector_forms::{Act, Cancellation, Severity, check_reason};
use econnector_identity::Principal;
use econnector_journal::{Entry, Settlement, State};
use uuid::Uuid;

use crate::acting::Acting;
use crate::error::Sent;
use crate::issue::may_be_sent;
use crate::observe::Stopwatch;
use crate::present::may;
use crate::run::{About, Run, Task, confirmed, own_space};
use crate::{Action, Caller, Connector, Error, Issue, JournalLine, Prospect, ReceiptAnomaly};

/// The reason of a replacement for which none was given; read by the authority.
const REPLACED: &str = "Remplacement du document";
/// The authority's code for a document that is cancelled already: what was asked for is done. Our reading, docs/decisions/0008-one-valid-document.md.
const ALREADY_CANCELLED: &str = "DEJA_ANNULE";

/// The authority's code for a document that it never had. Our reading, as above.
const NEVER_ARRIVED: &str = "INCONNU";

/// A document to cancel.
pub struct Cancel {
    /// The document.
    pub id: Uuid,
    /// For the authority; 1 to 200 characters. Sent and not kept: people write names into it.
    pub reason: Patient<String>,
    /// The document that will take its place.
    pub replaced_by: Option<Uuid>,
}

/// What has to happen to a document before another takes its place.
pub(crate) struct Replacement {
    pub(crate) replaced: Entry,
    reason: Patient<String>,
}

impl Connector {
    /// Cancels a deposited document at the authority. A document that is cancelled already stays so, and nothing is sent. One whose
    /// deposit had no answer, and which the authority turns out never to have received, is `Failed` afterwards. `agreed` is what somebody
    /// said yes to, where she was asked.
    ///
    /// # Errors
    /// [`Error::SessionChanged`] when it would be done by or for somebody else than she who agreed;
    /// [`Error::UnknownDocument`], also for the document of another physician; [`Error::NotDeposited`], [`Error::NotCancellable`],
    /// [`Error::AlreadyReplaced`], [`Error::ReplacesOther`]; [`Error::Pack`] for a reason that cannot be sent; [`Error::Refused`] by the authority; [`Error::Lost`]: ask again.
    pub async fn cancel(self: &Arc<Self>, caller: Caller, cancel: Cancel, agreed: Option<Prospect>) -> Result<JournalLine, Error> {
        let task = Task {
            action: Some(Action::Cancel),
            id: cancel.id,
            other: cancel.replaced_by,
        };
        self.alone(task, async move |this, watch| {
            this.cancel_alone(&caller, cancel, agreed.as_ref(), &watch).await
        })
        .await
    }

    async fn cancel_alone(
        self: &Arc<Self>,
        caller: &Caller,
        cancel: Cancel,
        agreed: Option<&Prospect>,
        watch: &Stopwatch,
    ) -> Result<JournalLine, Error> {
        let authorized = watch.waiting(self.authorized_as(caller, agreed)).await?;
        let reason = reason(&cancel.reason)?;
        let physician_id = authorized.principal.physician.ehealth_id.clone();
        let entry = self.to_cancel(&cancel, &authorized.principal, watch).await?;
        if entry.state == State::Cancelled {
            if let Some(by) = cancel.replaced_by {
                self.journal.link(entry.id, by).await?;
            }
        } else {
            let pack = self.pack(&entry.kind)?;
            let provider_code = own_space(entry.provider_code.as_deref(), &authorized.principal.physician)?;
            let acting = Acting::begin(self, caller, authorized, watch);
            let run = Run::begin(
                acting,
                caller,
                About {
                    pack,
                    id: entry.id,
                    provider_code,
                    day: self.clock.today(),
                },
            );
            run.cancel(&entry, &reason, cancel.replaced_by).await?;
        }
        let entry = self.journal.find(cancel.id).await?.ok_or(Error::UnknownDocument)?;
        Ok(self.line(entry, Some(&physician_id)))
    }

    /// The line of a document that may be cancelled, or is cancelled already; an error when it may not.
    pub(crate) async fn to_cancel(&self, cancel: &Cancel, principal: &Principal, watch: &Stopwatch) -> Result<Entry, Error> {
        let physician = &principal.physician;
        let own = |entry: &Entry| entry.who.physician_id == physician.ehealth_id;
        let entry = self.settle_stale(cancel.id).await?.filter(own).ok_or(Error::UnknownDocument)?;
        watch.about(&entry.kind);
        if let Ok(pack) = self.pack(&entry.kind) {
            may(principal, pack, Act::Cancel)?;
        }
        self.may_take_the_place(&entry, cancel.replaced_by).await?;
        if entry.state == State::Cancelled {
            return Ok(entry);
        }
        if !may_be_cancelled(entry.state) {
            return Err(Error::NotDeposited);
        }
        if !self.pack(&entry.kind)?.is_cancellable() {
            return Err(Error::NotCancellable);
        }
        own_space(entry.provider_code.as_deref(), physician)?;
        Ok(entry)
    }

    /// What has to happen before a new document takes the place of `replaces`; an error when it may not.
    pub(crate) async fn replacement(
        &self,
        replaces: Uuid,
        new: &Issue,
        principal: &Principal,
        reason: Option<Patient<String>>,
    ) -> Result<Replacement, Error> {
        let physician = &principal.physician;
        let own = |entry: &Entry| entry.who.physician_id == physician.ehealth_id;
        let replaced = self.settle_stale(replaces).await?.filter(own).ok_or(Error::UnknownDocument)?;
        if replaced.kind != new.kind || replaced.id == new.id {
            return Err(Error::ReplacesOther);
        }
        self.may_take_the_place(&replaced, Some(new.id)).await?;
        if may_be_cancelled(replaced.state) {
            let pack = self.pack(&replaced.kind)?;
            may(principal, pack, Act::Cancel)?;
            if !pack.is_cancellable() {
                return Err(Error::NotCancellable);
            }
            own_space(replaced.provider_code.as_deref(), physician)?;
        }
        Ok(Replacement {
            replaced,
            reason: reason.unwrap_or_else(|| Patient::new(REPLACED.to_owned())),
        })
    }

    /// A place is taken once: whatever stands, or may stand, in it must itself be replaced or cancelled first. And only what was not
    /// sent yet can take it, of the same kind and physician.
    async fn may_take_the_place(&self, entry: &Entry, new: Option<Uuid>) -> Result<(), Error> {
        let Some(new) = new else {
            return Ok(());
        };
        if new == entry.id {
            return Err(Error::ReplacesOther);
        }
        if entry.replaced_by != Some(new) {
            self.place_is_free(entry).await?;
        } else if matches!(entry.state, State::Cancelling | State::Cancelled) {
            // The same question once more.
            return Ok(());
        }
        let fits = |known: Entry| known.kind == entry.kind && known.who.physician_id == entry.who.physician_id && may_be_sent(known.state);
        if self.settle_stale(new).await?.is_none_or(fits) {
            Ok(())
        } else {
            Err(Error::ReplacesOther)
        }
    }

    /// Whether nothing stands, or may stand, in the place of a document.
    pub(crate) async fn place_is_free(&self, entry: &Entry) -> Result<(), Error> {
        let Some(other) = entry.replaced_by else {
            return Ok(());
        };
        let gone = |other: Entry| matches!(other.state, State::Failed | State::Cancelled);
        if self.journal.find(other).await?.is_none_or(gone) {
            Ok(())
        } else {
            Err(Error::AlreadyReplaced)
        }
    }
}

impl Run<'_> {
    /// Cancels what this document replaces, if that still holds, and links the two.
    pub(crate) async fn make_room(&self, replacement: Replacement) -> Result<(), Error> {
        let Replacement { replaced, reason } = replacement;
        if may_be_cancelled(replaced.state) {
            self.cancel(&replaced, &reason, Some(self.id)).await
        } else {
            Ok(self.by.connector.journal.link(replaced.id, self.id).await?)
        }
    }

    /// Asks the authority to cancel a document, and notes what became of it.
    async fn cancel(&self, entry: &Entry, reason: &Patient<String>, replaced_by: Option<Uuid>) -> Result<(), Error> {
        if !self.pack.is_cancellable() {
            return Err(Error::NotCancellable);
        }
        let connector = self.by.connector;
        let journal = &connector.journal;
        // The very same question keeps its message id, by which the authority may know it again.
        let asked_before = entry.cancellation.as_ref().filter(|_| entry.replaced_by == replaced_by);
        let id = asked_before.map_or_else(|| connector.ids.next(), |cancellation| cancellation.id);
        let wire = self.pack.cancellation(&Cancellation {
            id,
            cancelled: entry.id,
            replaced_by,
            reason: reason.reveal(),
        })?;
        journal.begin_cancellation(entry.id, id, replaced_by).await?;
        let answered = self
            .ask(Sent::Cancellation, wire, |xml| self.pack.read_cancellation_answer(xml))
            .await;
        let names = [id.to_string(), entry.id.to_string()];
        let outcome = answered.and_then(|(answer, correlation_id)| {
            let names = names.each_ref().map(String::as_str);
            confirmed(Sent::Cancellation, answer, &names, &[ALREADY_CANCELLED], correlation_id)
        });
        let never_arrived = outcome.as_ref().is_err_and(|error| proves_that_it_never_arrived(error, entry));
        let (state, at, settlement) = match &outcome {
            Err(error) if never_arrived => {
                let settlement = Settlement {
                    correlation_id: error.correlation_id(),
                    problem: Some((Error::NotDeposited.code().to_owned(), Fault::Network)),
                    ..Settlement::default()
                };
                (State::Failed, None, settlement)
            }
            Ok(confirmed) => (
                State::Cancelled,
                Some(connector.clock.now()),
                Settlement {
                    correlation_id: confirmed.correlation_id.clone(),
                    ..Settlement::default()
                },
            ),
            Err(error) => {
                let (state, problem) = left_by(error, entry);
                let settlement = Settlement {
                    correlation_id: error.correlation_id(),
                    problem,
                    ..Settlement::default()
                };
                (state, None, settlement)
            }
        };
        // What the authority did is done: a journal that fails now leaves "cancelling", from where it may be asked again.
        if let Err(error) = journal.settle_cancellation(entry.id, state, at, &settlement).await {
            tracing::error!(id = %entry.id, state = state.as_str(), %error, "the journal did not take an outcome");
        }
        let memory = &connector.memory;
        if matches!(state, State::Cancelled | State::Failed) {
            memory.withdraw(entry.id);
        }
        if never_arrived {
            memory.release(entry.id);
            return Ok(());
        }
        outcome.map(|_| ())
    }
}

/// Whether the authority has, or may have, a document that still holds.
pub(crate) const fn may_be_cancelled(state: State) -> bool {
    matches!(state, State::Deposited | State::Unknown | State::Cancelling)
}

/// A reason as it is sent; whether it can be is known before anything is signed.
pub(crate) fn reason(typed: &Patient<String>) -> Result<Patient<String>, Error> {
    Ok(Patient::new(check_reason(typed.reveal())?.to_owned()))
}

/// Whether the authority says that it never had a document of which nobody knew whether it arrived.
fn proves_that_it_never_arrived(error: &Error, entry: &Entry) -> bool {
    let unknown = |anomaly: &ReceiptAnomaly| anomaly.severity == Severity::Error && anomaly.code == NEVER_ARRIVED;
    matches!(error, Error::Refused { anomalies, .. } if entry.reference.is_none() && anomalies.iter().any(unknown))
}

/// In which state, and with which problem, a cancellation that did not succeed leaves its document.
fn left_by(error: &Error, entry: &Entry) -> (State, Option<(String, Fault)>) {
    let before = if entry.reference.is_some() {
        State::Deposited
    } else {
        State::Unknown
    };
    let refused = matches!(error, Error::Refused { .. });
    if error.leaves_open(Sent::Cancellation) {
        (State::Cancelling, Some((error.code().to_owned(), error.fault())))
    } else if entry.state == State::Cancelling && !refused {
        // This try did not arrive; whether an earlier one did is as open as before.
        (State::Cancelling, entry.problem.clone())
    } else if before == State::Unknown {
        (State::Unknown, Some((Sent::Deposit.code().to_owned(), Fault::Network)))
    } else {
        (State::Deposited, None)
    }
}
