//! What practice software wants done with the desktop's own session waits for the physician's word. Whoever brings a token of its own
//! has been given it for that, and is not asked.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use econnector_base::Patient;
use econnector_connector::{Caller, Error, SignPdf, Values};
use econnector_forms::{Lang, Severity, Workflow, check_reason};
use econnector_identity::{IdentityError, SessionState};
use econnector_journal::State;
use econnector_loopback::{Action, Approval, Link, Software};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::fail::{Fail, OrFail as _};
use crate::input::Who;
use crate::{Door, Refusal, Shared};

/// Who wants something done, and whether the physician is asked first.
pub(crate) struct Actor {
    pub(crate) caller: Caller,
    asked: Option<(Link, Software)>,
}

impl FromRequestParts<Shared> for Actor {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fail> {
        let Who(caller) = Who::from_request_parts(parts, shared).await?;
        let asked = match (&shared.door, &caller) {
            (Door::Loopback(link), Caller::OwnSession) => {
                let software = parts.extensions.get::<Software>().cloned();
                // The guard lets nobody in whom it cannot name. Without it nothing may be done in the physician's name.
                let software = software.ok_or_else(|| {
                    Fail::explained(
                        &econnector_loopback::LinkError::SoftwareUnnamed,
                        crate::input::language(&parts.headers),
                    )
                })?;
                Some((link.clone(), software))
            }
            _ => None,
        };
        Ok(Self { caller, asked })
    }
}

/// A document that is to be signed, as far as the physician can look at it.
pub(crate) struct Wanted<'a> {
    pub(crate) action: Action,
    pub(crate) id: Uuid,
    pub(crate) kind: Option<&'a str>,
    pub(crate) values: Option<&'a Values>,
    pub(crate) pdf: Option<Arc<Zeroizing<Vec<u8>>>>,
    pub(crate) reason: Option<&'a Patient<String>>,
}

impl Actor {
    /// Values with errors are answered before anybody is asked: the physician has nothing to say to them.
    pub(crate) fn check(&self, shared: &Shared, kind: &str, values: &Values, lang: Lang) -> Result<(), Fail> {
        if self.asked.is_none() {
            return Ok(());
        }
        if shared.connector.form(kind, lang).or_fail(lang)?.workflow != Workflow::Deposit {
            return Err(Fail::new(Error::OtherWorkflow, lang));
        }
        let checkup = shared.connector.check(kind, values, lang).or_fail(lang)?;
        if checkup.findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Fail::new(Error::Findings(checkup.findings), lang));
        }
        Ok(())
    }

    /// A PDF that cannot be signed, and a message that cannot be sent, are answered before anybody is asked.
    pub(crate) async fn check_pdf(&self, shared: &Shared, sign: &SignPdf, lang: Lang) -> Result<(), Fail> {
        if self.asked.is_none() {
            return Ok(());
        }
        shared.connector.examine(sign).await.or_fail(lang)
    }

    /// Waits for the physician's word, where it is needed. What has an outcome already needs none: nothing more happens to it.
    pub(crate) async fn may(&self, shared: &Shared, wanted: Wanted<'_>, lang: Lang) -> Result<(), Fail> {
        let Some((link, software)) = &self.asked else {
            return Ok(());
        };
        if let Some(reason) = wanted.reason {
            check_reason(reason.reveal()).or_fail(lang)?;
        }
        let physician = logged_in(shared, lang).await?;
        if self.is_settled(shared, &wanted, lang).await? {
            return Ok(());
        }
        let approval = Approval {
            action: wanted.action,
            document: wanted.id,
            kind: wanted.kind.map(ToOwned::to_owned),
            values: wanted.values.cloned(),
            simulation: (wanted.action == Action::Pay).then_some(wanted.id),
            pdf: wanted.pdf,
            reason: wanted.reason.cloned(),
        };
        let approved = link.approve(software, approval).await;
        approved.map_err(|error| Fail::explained(&error, lang))?;
        // What one physician allowed must not be signed by the next.
        if logged_in(shared, lang).await? == physician {
            Ok(())
        } else {
            Err(Fail::explained(&Refusal::SessionChanged, lang))
        }
    }

    async fn is_settled(&self, shared: &Shared, wanted: &Wanted<'_>, lang: Lang) -> Result<bool, Fail> {
        let known = match shared.connector.document(&self.caller, wanted.id).await {
            Ok(known) => known,
            // Only what is new can be signed without a line in the journal.
            Err(Error::UnknownDocument) if matches!(wanted.action, Action::Sign | Action::SignPdf) => return Ok(false),
            Err(Error::UnknownDocument) if wanted.action == Action::Pay => return Err(Fail::new(Error::UnknownSimulation, lang)),
            Err(error) => return Err(Fail::new(error, lang)),
        };
        Ok(match wanted.action {
            Action::Cancel => known.state == State::Cancelled,
            Action::Sign | Action::SignPdf | Action::Pay => matches!(
                known.state,
                State::Deposited | State::Signed | State::Unknown | State::Cancelling | State::Cancelled
            ),
        })
    }
}

async fn logged_in(shared: &Shared, lang: Lang) -> Result<String, Fail> {
    match shared.connector.session().await.state {
        SessionState::LoggedIn {
            physician: Some(physician),
            ..
        } => Ok(physician.ehealth_id),
        SessionState::LoggedIn { physician: None, .. } => Err(Fail::new(IdentityError::NoPhysician, lang)),
        _ => Err(Fail::new(IdentityError::LoginRequired, lang)),
    }
}
