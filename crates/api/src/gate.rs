//! What practice software wants done with the desktop's own session waits for the physician's word. Whoever brings a token of its own
//! has been given it for that, and is not asked.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use econnector_answers::language;
use econnector_connector::{Caller, Intent, Prospect, Replaced};
use econnector_forms::Lang;
use econnector_loopback::{Approval, Link, LinkError, RemarkView, ReplacedView, Software};

use crate::fail::{Fail, OrFail as _};
use crate::input::Who;
use crate::{Door, Shared};

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
                let software = software.ok_or_else(|| Fail::explained(&LinkError::SoftwareUnnamed, language(&parts.headers)))?;
                Some((link.clone(), software))
            }
            _ => None,
        };
        Ok(Self { caller, asked })
    }
}

impl Actor {
    /// Waits for the physician's word, where it is needed. What would be refused is refused now: she has nothing to say to it. What has
    /// an outcome already needs no word: nothing more happens to it. `approval` says what she is shown of it, but for what is found here.
    ///
    /// Returns what she said yes to, or what has an outcome already, where somebody would have been asked.
    pub(crate) async fn may(
        &self,
        shared: &Shared,
        intent: Intent<'_>,
        lang: Lang,
        approval: impl FnOnce(String) -> Approval,
    ) -> Result<Option<Prospect>, Fail> {
        let Some((link, software)) = &self.asked else {
            return Ok(None);
        };
        let connector = &shared.connector;
        let mut prospect = connector.would(&self.caller, intent, lang).await.or_fail(lang)?;
        if prospect.settled {
            return Ok(Some(prospect));
        }
        let mut approval = approval(prospect.in_whose_name());
        approval.simulation = prospect.simulation.map(|mark| (approval.document, mark));
        approval.replaces = prospect.replaced.take().map(replaced);
        approval.message = prospect.message.take();
        let remarks = std::mem::take(&mut prospect.remarks).into_iter().map(|remark| RemarkView {
            code: remark.code,
            message: remark.message,
            line: remark.line,
        });
        approval.remarks = remarks.collect();
        let approved = link.approve(software, approval).await;
        approved.map_err(|error| Fail::explained(&error, lang))?;
        connector.still(&self.caller, &prospect).await.or_fail(lang)?;
        Ok(Some(prospect))
    }
}

fn replaced(Replaced { entry, cancels }: Replaced) -> ReplacedView {
    ReplacedView {
        document: entry.id,
        kind: entry.kind,
        created_at: entry.created_at,
        reference: entry.reference,
        cancels,
    }
}
