//! A document from its values to the receipt: checked, set, signed, deposited; in the place of another when it replaces one.

use std::sync::Arc;

use econnector_base::{Explain as _, Patient};
use econnector_forms::{Act, Checked, Lang, Pack, WireContext};
use econnector_identity::{Authorized, Physician};
use econnector_journal::{Settlement, State};
use uuid::Uuid;

use crate::acting::Acting;
use crate::cancel::{self, Replacement};
use crate::error::Sent;
use crate::memory::{Binding, Fingerprint, Leaf, Remembered};
use crate::observe::Stopwatch;
use crate::present::may;
use crate::run::{About, Page, Run, Sheet, Task, document_space};
use crate::{Action, Caller, Connector, Error, Issued, Prospect, Receipt, Values};

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
    /// deposit, so that there are never two that hold. Runs to its end even if the caller hangs up. `agreed` is what somebody said yes
    /// to, where she was asked.
    ///
    /// # Errors
    /// [`Error::SessionChanged`] when it would be done by or for somebody else than she who agreed; any [`Error`]; only those whose code is `mysecu-outcome-unknown` leave the document other than certainly not deposited.
    pub async fn issue(self: &Arc<Self>, caller: Caller, issue: Issue, agreed: Option<Prospect>, lang: Lang) -> Result<Issued, Error> {
        let task = Task {
            action: Some(Action::Deposit),
            id: issue.id,
            other: issue.replaces,
        };
        self.alone(task, async move |this, watch| {
            this.issue_alone(&caller, issue, agreed.as_ref(), lang, &watch).await
        })
        .await
    }

    async fn issue_alone(
        self: &Arc<Self>,
        caller: &Caller,
        issue: Issue,
        agreed: Option<&Prospect>,
        lang: Lang,
        watch: &Stopwatch,
    ) -> Result<Issued, Error> {
        let era = self.memory.era(caller);
        let known = self.known_beforehand(caller, watch).await?;
        let pack = self.pack(&issue.kind)?;
        watch.about(pack.kind());
        let (checked, reason) = self.well_filled(pack, &issue, lang)?;
        let authorized = match known {
            Some(known) => known,
            None => watch.waiting(self.authorized_as(caller, agreed)).await?,
        };
        may(&authorized.principal, pack, Act::Deposit)?;
        let physician = &authorized.principal.physician;
        let provider_code = document_space(&checked, physician)?;
        let fingerprint = self.memory.fingerprint(&issue.values);
        if let Some(settled) = self.settled(issue.id, &issue.kind, fingerprint, physician).await? {
            return Ok(settled);
        }
        word_was_given(agreed)?;
        let binding = self.memory.bind(issue.id, fingerprint);
        if binding == Binding::Other {
            return Err(Error::IdReused);
        }
        // What certainly was not deposited may be sent again corrected, unless it is on paper: then paper and deposit are one.
        let release = || {
            if binding == Binding::New {
                self.memory.release(issue.id);
            }
        };
        let replacement = match issue.replaces {
            Some(replaces) => self.replacement(replaces, &issue, &authorized.principal, reason).await.map(Some),
            None => Ok(None),
        };
        let replacement = replacement.inspect_err(|_| release())?;
        let run = Run::begin(
            Acting::begin(self, caller, authorized, watch),
            caller,
            About {
                pack,
                id: issue.id,
                provider_code,
                day: checked.day(),
            },
        );
        let entry = run.entry(State::Signing, issue.replaces);
        let begun = self.journal.begin(&entry, &[State::Failed, State::Paper]).await;
        begun.inspect_err(|_| release())?;
        let page = Page { checked, simulated: None };
        let physician_id = run.by.principal.physician.ehealth_id.clone();
        let remembered = |receipt, volets| Remembered {
            kind: issue.kind.clone(),
            physician_id,
            without_login: false,
            receipt,
            volets,
        };
        match run.deposit(page, fingerprint, replacement).await {
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

    /// Everything wrong with a document before anybody is known: a form that is deposited, values and reason that can be sent.
    pub(crate) fn well_filled(&self, pack: &Pack, issue: &Issue, lang: Lang) -> Result<(Checked, Option<Patient<String>>), Error> {
        if !pack.is_deposited() {
            return Err(Error::OtherWorkflow);
        }
        let reason = issue.reason.as_ref().map(cancel::reason).transpose()?;
        Ok((self.checked(pack, &issue.values, lang)?, reason))
    }

    /// Whoever calls from elsewhere is known before anything is said: a stranger learns nothing, not even what is wrong with the values.
    /// The physician at her desk reads her findings without a login.
    pub(crate) async fn known_beforehand(&self, caller: &Caller, watch: &Stopwatch) -> Result<Option<Authorized>, Error> {
        if matches!(caller, Caller::OwnSession) {
            return Ok(None);
        }
        watch.waiting(self.authorized(caller)).await.map(Some)
    }

    /// The recorded outcome, when the id has one.
    pub(crate) async fn settled(
        &self,
        id: Uuid,
        kind: &str,
        fingerprint: Fingerprint,
        physician: &Physician,
    ) -> Result<Option<Issued>, Error> {
        let Some(entry) = self.settle_stale(id).await? else {
            return Ok(None);
        };
        // Pages made without a login may name no physician; whoever is named in them is the only one who may deposit them.
        let nobodys = entry.state == State::Paper && entry.who.physician_id.is_empty();
        let own = nobodys || entry.who.physician_id == physician.ehealth_id;
        if entry.kind != kind || !own {
            return Err(Error::IdReused);
        }
        if may_be_sent(entry.state) {
            self.place_is_free(&entry).await?;
            return Ok(None);
        }
        if self.memory.bind(id, fingerprint) == Binding::Other {
            return Err(Error::IdReused);
        }
        Ok(Some(self.settled_document(entry)))
    }
}

/// Nobody is asked about what has an outcome already. Where it has none any more, because a cancellation found meanwhile that it never arrived,
/// nobody said yes to sending it.
pub(crate) fn word_was_given(agreed: Option<&Prospect>) -> Result<(), Error> {
    if agreed.is_some_and(|agreed| agreed.settled) {
        return Err(Error::NotDeposited);
    }
    Ok(())
}

/// Whether what is known of an id leaves it free to be sent under it.
pub(crate) const fn may_be_sent(state: State) -> bool {
    matches!(state, State::Failed | State::Paper)
}

impl Run<'_> {
    async fn deposit(
        &self,
        page: Page,
        content: Fingerprint,
        replacement: Option<Replacement>,
    ) -> Result<(Receipt, Vec<Leaf>), (Error, Vec<Leaf>)> {
        let early = |error: Error| (error, Vec::new());
        let (page, mut sheets, signature) = self.set_and_sign(page, content).await.map_err(early)?;
        // From here on nothing but the authority's word, or another day, makes a second signature necessary.
        let late = |error: Error| early(self.by.after_signing(error));
        let connector = self.by.connector;
        let ids: Vec<Uuid> = (0..page.checked.rows()).map(|_| connector.ids.next()).collect();
        let context = WireContext {
            id: self.id,
            issued: self.day,
            document: &signature.leaf.pdf,
            ids: &ids,
        };
        let wire = self.pack.wire(&page.checked, &context).map_err(|error| early(error.into()))?;
        if let Some(replacement) = replacement {
            self.make_room(replacement).await.map_err(late)?;
        }
        let confirmed = match self.deposit_message(wire, page.checked.rows()).await {
            Ok(confirmed) => confirmed,
            Err(error) if error.leaves_open(Sent::Deposit) => return Err((error, connector.export(sheets).await)),
            Err(error) => return Err(late(error)),
        };
        // What is handed over names the deposit. If that cannot be set any more, the pages of before say all that matters.
        if let Ok((_, with_reference)) = self.set(page, Some(confirmed.reference.clone())).await {
            for new in with_reference {
                if let Some(sheet) = sheets.iter_mut().find(|sheet| sheet.name() == new.name) {
                    *sheet = Sheet::Exported(new);
                }
            }
        }
        let leaves = connector.export(sheets).await;
        Ok((self.receipt(confirmed, signature.by), leaves))
    }
}
