//! The way that always works: the same pages, for a signature by hand.

use std::sync::Arc;

use econnector_documents::DocumentFacts;
use econnector_forms::{Act, Lang};
use econnector_journal::{Entry, State, Who};
use uuid::Uuid;

use crate::issue::may_be_sent;
use crate::memory::Remembered;
use crate::present::{Present, herself};
use crate::run::{Page, Task, document_space};
use crate::{Caller, Connector, Error, Issued, Values};

/// A document to sign by hand.
pub struct Paper {
    /// The caller's id.
    pub id: Uuid,
    /// The form's kind.
    pub kind: String,
    /// The values as typed.
    pub values: Values,
}

impl Connector {
    /// Checks the values and sets the pages for a handwritten signature; the journal says so. On the desktop nobody has to be logged in
    /// for it, since it is the way when a login is not possible.
    ///
    /// # Errors
    /// [`Error::Findings`], [`Error::NoPaper`]; [`Error::AlreadySent`] when the id was deposited or may have been;
    /// [`Error::AlreadyReplaced`] when another document stands in its place;
    /// [`Error::PhysicianMismatch`] when somebody else is logged in.
    pub async fn paper(self: &Arc<Self>, caller: Caller, paper: Paper, lang: Lang) -> Result<Issued, Error> {
        let task = Task {
            action: None,
            id: paper.id,
            other: None,
        };
        self.alone(task, async move |this, _| this.paper_alone(&caller, paper, lang).await)
            .await
    }

    async fn paper_alone(self: &Arc<Self>, caller: &Caller, paper: Paper, lang: Lang) -> Result<Issued, Error> {
        let era = self.memory.era(caller);
        // A secretary may set a page before she has chosen a physician.
        let Present {
            actor, physician, mandate, ..
        } = self.present(caller).await?;
        let pack = self.pack(&paper.kind)?;
        if !pack.allows_paper() {
            return Err(Error::NoPaper);
        }
        if let Some(physician) = physician.as_ref().filter(|_| pack.is_physician_only(Act::Paper)) {
            herself(mandate, physician)?;
        }
        let checked = self.checked(pack, &paper.values, lang)?;
        if let Some(physician) = &physician {
            document_space(&checked, physician)?;
        }
        let provider_code = checked.provider_code().map(ToOwned::to_owned);
        let without_login = physician.is_none();
        let named = checked.ehealth_id().unwrap_or_default().to_owned();
        let (actor_id, actor_name) = actor.map(|actor| (actor.id, actor.name)).unwrap_or_default();
        let (physician_id, physician_name) = physician.map_or((named, String::new()), |known| (known.ehealth_id, known.name));
        let mut who = Who {
            actor_id,
            actor_name,
            physician_id,
            physician_name,
        };
        if let Some(entry) = self.settle_stale(paper.id).await? {
            if entry.kind != paper.kind || entry.who.physician_id != who.physician_id {
                return Err(Error::IdReused);
            }
            if !may_be_sent(entry.state) {
                return Err(Error::AlreadySent);
            }
            self.place_is_free(&entry).await?;
            // A session that ended meanwhile makes nobody of who began it.
            if who.actor_id.is_empty() {
                who = entry.who;
            }
        }
        let page = Page { checked, simulated: None };
        let facts = DocumentFacts {
            paper: true,
            ..self.document_facts(paper.id, None)
        };
        let (_, volets) = self.set_pages(pack.kind(), page, facts).await?;
        let now = self.clock.now();
        let entry = Entry {
            id: paper.id,
            kind: paper.kind.clone(),
            state: State::Paper,
            created_at: now,
            finished_at: Some(now),
            who: who.clone(),
            provider_code,
            reference: None,
            correlation_id: None,
            replaces: None,
            replaced_by: None,
            cancellation: None,
            problem: None,
        };
        self.journal.begin(&entry, &[State::Failed, State::Paper]).await?;
        // What is deposited under this id from now on is what the paper says.
        self.memory.rebind(paper.id, self.memory.fingerprint(&paper.values));
        let remembered = Remembered {
            kind: paper.kind,
            physician_id: who.physician_id,
            without_login,
            receipt: None,
            volets,
        };
        let kept = self.memory.keep(paper.id, era, remembered);
        Ok(kept.issued(paper.id, State::Paper, true))
    }
}
