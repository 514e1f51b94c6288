//! A document from its values to the receipt: checked, set, signed, deposited; in the place of another when it replaces one.

use std::sync::Arc;

use econnector_base::{Explain as _, Patient};
use econnector_forms::{Lang, WireContext};
use econnector_identity::Principal;
use econnector_journal::{Settlement, State};
use uuid::Uuid;

use crate::cancel::{self, Replacement};
use crate::error::Sent;
use crate::memory::{Binding, Leaf, Remembered};
use crate::run::{Page, Run, Stopwatch, confirmed, document_space};
use crate::{Caller, Connector, Error, Issued, Receipt, Values};

/// A document to check, sign and deposit.
pub struct Issue {
    /// The caller's id: the same id is never deposited twice.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// The values as typed.
    pub values: Values,
    /// The document that this one replaces.
    pub replaces: Option<Uuid>,
    /// Why the replaced document is cancelled; 1 to 200 characters. Sent and not kept.
    pub reason: Option<Patient<String>>,
}

impl Connector {
    /// Checks, sets, signs and deposits a document. A document that it replaces is cancelled after the signature and before the
    /// deposit, so that there are never two that hold. Runs to its end even if the caller hangs up.
    ///
    /// # Errors
    /// Any [`Error`]; only those whose code is `mysecu-outcome-unknown` leave the document other than certainly not deposited.
    pub async fn issue(self: &Arc<Self>, caller: Caller, issue: Issue, lang: Lang) -> Result<Issued, Error> {
        let (this, id, replaces) = (Arc::clone(self), issue.id, issue.replaces);
        self.alone(id, replaces, async move { this.issue_alone(&caller, issue, lang).await })
            .await
    }

    async fn issue_alone(self: &Arc<Self>, caller: &Caller, issue: Issue, lang: Lang) -> Result<Issued, Error> {
        let (watch, era) = (Stopwatch::start(), self.memory.era());
        // A stranger learns nothing, not even what is wrong with the values; the physician reads her findings without a login.
        let known = match caller {
            Caller::Bearer(_) => Some(watch.waiting(self.authorized(caller)).await?),
            Caller::OwnSession => None,
        };
        let pack = self.pack(&issue.kind)?;
        if !pack.is_deposited() {
            return Err(Error::OtherWorkflow);
        }
        let reason = issue.reason.as_ref().map(cancel::reason).transpose()?;
        let checked = self.checked(pack, &issue.values, lang)?;
        let authorized = match known {
            Some(known) => known,
            None => watch.waiting(self.authorized(caller)).await?,
        };
        let provider_code = document_space(&checked, &authorized.principal.physician)?;
        if let Some(settled) = self.settled(&issue, &authorized.principal).await? {
            return Ok(settled);
        }
        let binding = self.memory.bind_values(issue.id, &issue.values);
        if binding == Binding::Other {
            return Err(Error::IdReused);
        }
        // What certainly was not deposited may be sent again corrected, unless it is on paper: then paper and deposit are one.
        let release = || {
            if binding == Binding::New {
                self.memory.release_values(issue.id);
            }
        };
        let replacement = match issue.replaces {
            Some(replaces) => self.replacement(replaces, &issue, &authorized.principal, reason).await.map(Some),
            None => Ok(None),
        };
        let replacement = replacement.inspect_err(|_| release())?;
        let run = Run::begin(self, caller, pack, issue.id, authorized, provider_code, watch);
        let entry = run.entry(State::Signing, issue.replaces);
        let begun = self.journal.begin(&entry, &[State::Failed, State::Paper]).await;
        begun.inspect_err(|_| release())?;
        let page = Page { checked, simulated: None };
        let physician_id = run.principal.physician.ehealth_id.clone();
        let remembered = |receipt, volets| Remembered {
            kind: issue.kind.clone(),
            physician_id,
            without_login: false,
            receipt,
            volets,
        };
        match run.deposit(page, replacement).await {
            Ok((receipt, volets)) => {
                let settlement = Settlement {
                    reference: Some(receipt.reference.clone()),
                    correlation_id: receipt.correlation_id.clone(),
                    problem: None,
                };
                self.record(issue.id, State::Deposited, &settlement).await;
                let kept = self.memory.keep(issue.id, era, remembered(Some(receipt), volets));
                Ok(kept.issued(issue.id, State::Deposited, true))
            }
            Err((error, volets)) => {
                let open = error.leaves_open(Sent::Deposit);
                let settlement = Settlement {
                    reference: None,
                    correlation_id: error.correlation_id(),
                    problem: Some((error.code().to_owned(), error.fault())),
                };
                self.record(issue.id, if open { State::Unknown } else { State::Failed }, &settlement)
                    .await;
                if open {
                    self.memory.keep(issue.id, era, remembered(None, volets));
                } else {
                    release();
                }
                Err(error)
            }
        }
    }

    /// The recorded outcome, when the id has one.
    async fn settled(&self, issue: &Issue, principal: &Principal) -> Result<Option<Issued>, Error> {
        let Some(entry) = self.settle_stale(issue.id).await? else {
            return Ok(None);
        };
        // Pages made without a login may name no physician; whoever is named in them is the only one who may deposit them.
        let nobodys = entry.state == State::Paper && entry.who.physician_id.is_empty();
        let own = nobodys || entry.who.physician_id == principal.physician.ehealth_id;
        if entry.kind != issue.kind || !own {
            return Err(Error::IdReused);
        }
        if may_be_sent(entry.state) {
            self.place_is_free(&entry).await?;
            return Ok(None);
        }
        if self.memory.bind_values(issue.id, &issue.values) == Binding::Other {
            return Err(Error::IdReused);
        }
        Ok(Some(self.settled_document(entry)))
    }
}

/// Whether what is known of an id leaves it free to be sent under it.
pub(crate) const fn may_be_sent(state: State) -> bool {
    matches!(state, State::Failed | State::Paper)
}

impl Run<'_> {
    async fn deposit(&self, page: Page, replacement: Option<Replacement>) -> Result<(Receipt, Vec<Leaf>), (Error, Vec<Leaf>)> {
        let early = |error: Error| (error, Vec::new());
        // Every page is set before anything leaves: one that cannot be set must follow neither a signature nor a deposit.
        let (page, mut leaves) = self.set(page, None).await.map_err(early)?;
        let (signed, document) = self.sign_leaf(&mut leaves).await.map_err(early)?;
        let ids: Vec<Uuid> = (0..page.checked.rows()).map(|_| self.connector.ids.next()).collect();
        let context = WireContext {
            id: self.id,
            issued: self.connector.clock.today(),
            document,
            ids: &ids,
        };
        let wire = self.pack.wire(&page.checked, &context).map_err(|error| early(error.into()))?;
        if let Some(replacement) = replacement {
            self.make_room(replacement).await.map_err(early)?;
        }
        // From here on the journal says that a deposit may be under way, whatever happens to this process.
        let noted = self.connector.journal.advance(self.id, State::Depositing).await;
        noted.map_err(|error| early(error.into()))?;
        let rows = page.checked.rows();
        let answered = self.ask(Sent::Deposit, wire, |xml| self.pack.read_answer(xml, rows)).await;
        let confirmed =
            answered.and_then(|(answer, correlation_id)| confirmed(Sent::Deposit, answer, &[&self.id.to_string()], &[], correlation_id));
        let confirmed = match confirmed {
            Ok(confirmed) => confirmed,
            Err(error) => return Err((error, leaves)),
        };
        // What is handed over names the deposit. If that cannot be set any more, the pages of before say all that matters.
        if let Ok((_, with_reference)) = self.set(page, Some(confirmed.reference.clone())).await {
            for new in with_reference {
                if let Some(leaf) = leaves.iter_mut().find(|leaf| leaf.name == new.name) {
                    *leaf = new;
                }
            }
        }
        Ok((self.receipt(confirmed, signed), leaves))
    }
}
