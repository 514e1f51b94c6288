//! Everything that can be known of what somebody wants done before a physician is asked for it: whether it would be refused, whether it
//! is done already, and what she should see before she says yes.

use std::sync::Arc;

use econnector_forms::{Act, Anomaly, Lang};
use econnector_identity::Principal;
use econnector_journal::{Entry, State};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cancel::{self, Replacement, may_be_cancelled};
use crate::observe::Stopwatch;
use crate::present::may;
use crate::run::document_space;
use crate::simulate::is_ordered;
use crate::{Caller, Cancel, Connector, Contest, Error, Issue, SignPdf};

/// What somebody wants done.
#[derive(Clone, Copy)]
pub enum Intent<'a> {
    /// Sign a form and deposit it.
    Issue(&'a Issue),
    /// Sign a PDF made elsewhere, and perhaps deposit it.
    Sign(&'a SignPdf),
    /// Order the payment of a simulation.
    Pay(Uuid),
    /// Contest what the authority remarked.
    Contest(&'a Contest),
    /// Cancel a document.
    Cancel(&'a Cancel),
}

/// What would come of it. No `Debug`: facts may name a patient.
pub struct Prospect {
    /// For whom, and who acts.
    principal: Principal,
    /// It is done already, or was tried with an unknown outcome: nothing more would happen.
    pub settled: bool,
    /// The document that would be cancelled, or was and would get a successor.
    pub replaced: Option<Replaced>,
    /// Which simulation would be paid or contested.
    pub simulation: Option<Uuid>,
    /// The remarks that would be contested, in the authority's words.
    pub remarks: Vec<Anomaly>,
    /// What the message says that would be deposited with a PDF made elsewhere.
    pub message: Option<MessageFacts>,
}

/// A document whose place another takes.
pub struct Replaced {
    /// Its line in the journal.
    pub entry: Entry,
    /// It still holds, and would be cancelled at the authority.
    pub cancels: bool,
}

/// What a finished message says, as far as its form tells. No `Debug`: it may name a patient.
pub struct MessageFacts {
    /// The provider codes in it that may be the physician's.
    pub provider_codes: Vec<String>,
    /// How many rows it has.
    pub lines: usize,
    /// What the form shows of it: a field or total, and its value.
    pub facts: Vec<(String, Zeroizing<String>)>,
}

impl Prospect {
    /// By whom and for whom it would be done: [`Principal::in_whose_name`].
    #[must_use]
    pub fn in_whose_name(&self) -> String {
        self.principal.in_whose_name()
    }
}

impl Connector {
    /// What would come of it if it were done now. Nothing is asked of any authority, and nothing is signed.
    ///
    /// # Errors
    /// Why it would be refused; [`Error::Identity`] while nobody is there to do it for.
    pub async fn would(self: &Arc<Self>, caller: &Caller, intent: Intent<'_>, lang: Lang) -> Result<Prospect, Error> {
        // Whoever is at work on it comes first: what becomes of it changes the answer.
        let (id, other) = intent.documents();
        let _turns = self.memory.turns(id, other).await;
        match intent {
            Intent::Issue(issue) => self.would_issue(caller, issue, lang).await,
            Intent::Sign(sign) => self.would_sign(caller, sign).await,
            Intent::Pay(id) => {
                let principal = self.present(caller).await?.principal()?;
                let entry = self.simulated_entry(id, &principal.physician.ehealth_id).await?;
                if is_ordered(&entry) {
                    return Ok(Prospect::settled(principal));
                }
                let waiting = self.payable(&entry, &principal, lang)?.waiting;
                Ok(Prospect {
                    simulation: Some(waiting.mark),
                    ..Prospect::of(principal)
                })
            }
            Intent::Contest(contest) => {
                let principal = self.present(caller).await?.principal()?;
                let waiting = self.contestable(contest, &principal, &Stopwatch::start()).await?.waiting;
                let contested = |anomaly: &&Anomaly| contest.anomalies.iter().any(|one| anomaly.id.as_ref() == Some(&one.id));
                Ok(Prospect {
                    simulation: Some(waiting.mark),
                    remarks: waiting.simulation.anomalies.iter().filter(contested).cloned().collect(),
                    ..Prospect::of(principal)
                })
            }
            Intent::Cancel(asked) => {
                cancel::reason(&asked.reason)?;
                let principal = self.present(caller).await?.principal()?;
                let entry = self.to_cancel(asked, &principal, &Stopwatch::start()).await?;
                let linked = asked.replaced_by.is_none_or(|by| entry.replaced_by == Some(by));
                Ok(Prospect {
                    settled: entry.state == State::Cancelled && linked,
                    ..Prospect::of(principal)
                })
            }
        }
    }

    async fn would_issue(&self, caller: &Caller, issue: &Issue, lang: Lang) -> Result<Prospect, Error> {
        let pack = self.pack(&issue.kind)?;
        let (checked, reason) = self.well_filled(pack, issue, lang)?;
        let principal = self.present(caller).await?.principal()?;
        may(&principal, pack, Act::Deposit)?;
        document_space(&checked, &principal.physician)?;
        let fingerprint = self.memory.fingerprint(&issue.values);
        let settled = self.settled(issue.id, &issue.kind, fingerprint, &principal.physician).await?;
        if settled.is_some() {
            return Ok(Prospect::settled(principal));
        }
        if self.memory.stands_for_other(issue.id, fingerprint) {
            return Err(Error::IdReused);
        }
        let replaced = match issue.replaces {
            Some(replaces) => {
                let Replacement { replaced, .. } = self.replacement(replaces, issue, &principal, reason).await?;
                Some(Replaced {
                    cancels: may_be_cancelled(replaced.state),
                    entry: replaced,
                })
            }
            None => None,
        };
        Ok(Prospect {
            replaced,
            ..Prospect::of(principal)
        })
    }

    async fn would_sign(self: &Arc<Self>, caller: &Caller, sign: &SignPdf) -> Result<Prospect, Error> {
        let fit = self.fit(sign, &Stopwatch::start()).await?;
        let principal = self.present(caller).await?.principal()?;
        fit.space(&principal)?;
        let fingerprint = self.fingerprint_of(sign);
        let settled = self.settled(sign.id, sign.kind(), fingerprint, &principal.physician).await?;
        if settled.is_some() {
            return Ok(Prospect::settled(principal));
        }
        if self.memory.stands_for_other(sign.id, fingerprint) {
            return Err(Error::IdReused);
        }
        let message = fit.deposit.map(|(_, message)| MessageFacts {
            provider_codes: message.provider_codes().to_vec(),
            lines: message.lines(),
            facts: message
                .shown()
                .map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned())))
                .collect(),
        });
        Ok(Prospect {
            message,
            ..Prospect::of(principal)
        })
    }

    /// That whoever was asked is still there, and works for the same physician: what one allowed must not be done for another.
    ///
    /// # Errors
    /// [`Error::SessionChanged`].
    pub async fn still(&self, caller: &Caller, prospect: &Prospect) -> Result<(), Error> {
        let now = self.present(caller).await?;
        let now = now
            .actor
            .zip(now.physician)
            .map(|(actor, physician)| actor.in_the_name_of(&physician));
        if now == Some(prospect.in_whose_name()) {
            Ok(())
        } else {
            Err(Error::SessionChanged)
        }
    }
}

impl Intent<'_> {
    /// The document that it is about, and another that it concerns.
    fn documents(self) -> (Uuid, Option<Uuid>) {
        match self {
            Self::Issue(issue) => (issue.id, issue.replaces),
            Self::Sign(sign) => (sign.id, None),
            Self::Pay(id) => (id, None),
            Self::Contest(contest) => (contest.id, None),
            Self::Cancel(cancel) => (cancel.id, cancel.replaced_by),
        }
    }
}

impl Prospect {
    fn of(principal: Principal) -> Self {
        Self {
            principal,
            settled: false,
            replaced: None,
            simulation: None,
            remarks: Vec::new(),
            message: None,
        }
    }

    fn settled(principal: Principal) -> Self {
        Self {
            settled: true,
            ..Self::of(principal)
        }
    }
}
