//! Questions that wait for the physician: may this software call, may this be done in your name.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::state::Pending;
use crate::{Answer, Approval, Link, LinkError, Software, Wants};

/// Approvals that may wait at the same time: each may hold ten megabytes of pages.
const MOST_WAITING: usize = 8;
/// Approvals of one software that may wait at the same time.
const MOST_OF_ONE: usize = 4;

impl Link {
    /// Waits until somebody has looked at what is to be done in a physician's name and said yes. At once for a software that this person
    /// trusts today for this physician. When the future is dropped, the question is withdrawn.
    ///
    /// # Errors
    /// [`LinkError::ApprovalRefused`], [`LinkError::ApprovalMissing`] when the time is over, [`LinkError::Busy`].
    pub async fn approve(&self, software: &Software, approval: Approval) -> Result<(), LinkError> {
        let (answer, mut answered) = oneshot::channel();
        let question = Question {
            link: self.clone(),
            id: Uuid::new_v4(),
        };
        {
            let now = self.now();
            let mut state = self.state();
            if state.trusts(software, &approval.in_whose_name, now) {
                return Ok(());
            }
            let of_one = state.approvals.iter().filter(|pending| pending.software == *software).count();
            if state.approvals.len() >= MOST_WAITING || of_one >= MOST_OF_ONE {
                return Err(LinkError::Busy);
            }
            state.approvals.push(Pending {
                id: question.id,
                software: software.clone(),
                approval: Arc::new(approval),
                since: now,
                answer,
            });
        }
        self.bump();
        self.attend();
        let patience = Duration::from_secs(self.options().rules.approval_seconds);
        let answer = match tokio::time::timeout(patience, &mut answered).await {
            Ok(answer) => answer.ok(),
            Err(_) => {
                drop(question);
                // Answered in the very last moment: the physician was told that it counts.
                answered.try_recv().ok()
            }
        };
        match answer {
            Some(true) => Ok(()),
            Some(false) => Err(LinkError::ApprovalRefused),
            None => Err(LinkError::ApprovalMissing),
        }
    }

    /// What waits for approval under an id.
    #[must_use]
    pub fn approval(&self, id: Uuid) -> Option<Arc<Approval>> {
        let state = self.state();
        state
            .approvals
            .iter()
            .find(|pending| pending.id == id)
            .map(|pending| pending.approval.clone())
    }

    /// What the physician says to it. `Today` also answers what else the same software waits for in the same name.
    ///
    /// # Errors
    /// [`LinkError::Unknown`]: withdrawn, timed out or answered already.
    pub fn answer(&self, id: Uuid, answer: Answer) -> Result<(), LinkError> {
        let until = self.midnight();
        let mut state = self.state();
        let at = state
            .approvals
            .iter()
            .position(|pending| pending.id == id)
            .ok_or(LinkError::Unknown)?;
        let pending = state.approvals.remove(at);
        let heard = pending.answer.send(answer != Answer::Refuse).is_ok();
        if heard && answer == Answer::Today {
            state.trust(pending.software, pending.approval.in_whose_name.clone(), until);
        }
        drop(state);
        self.bump();
        if heard { Ok(()) } else { Err(LinkError::Unknown) }
    }

    /// Waits until the physician has said whether a software may call; at once when she has.
    pub(crate) async fn consent(&self, software: &Software, wants: Wants) -> Result<(), LinkError> {
        let now = self.now();
        let (mut decided, new) = {
            let mut state = self.state();
            match state.allowed(&software.name, self.presets()) {
                Some(true) => {
                    let stale = state.seen(software, now);
                    drop(state);
                    if stale {
                        self.note();
                    }
                    return Ok(());
                }
                Some(false) => return Err(LinkError::SoftwareRefused),
                None => state.ask(software, wants, now)?,
            }
        };
        if new {
            self.bump();
            self.attend();
        }
        let patience = Duration::from_secs(self.options().rules.consent_seconds);
        let allowed = match tokio::time::timeout(patience, decided.wait_for(Option::is_some)).await {
            Ok(Ok(decision)) => *decision,
            _ => None,
        };
        match allowed {
            Some(true) => Ok(()),
            Some(false) => Err(LinkError::SoftwareRefused),
            None => Err(LinkError::SoftwareWaiting),
        }
    }
}

/// Withdraws the question when nobody waits for its answer any more.
struct Question {
    link: Link,
    id: Uuid,
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut state = self.link.state();
        let before = state.approvals.len();
        state.approvals.retain(|pending| pending.id != self.id);
        let withdrawn = state.approvals.len() != before;
        drop(state);
        if withdrawn {
            self.link.bump();
        }
    }
}
