use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use econnector_base::Patient;
use econnector_forms::Simulation;
use econnector_mysecu::Space;
use time::{Date, OffsetDateTime};
use tokio::sync::OwnedMutexGuard;
use tokio::task::AbortHandle;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::run::SignedBy;
use crate::{Caller, Error, Receipt, Values};

/// How many documents of one physician keep their pages, and how many simulations wait to be paid. More would be a patient file; fewer
/// would lose the receipt under the physician's eyes.
const KEPT: usize = 16;
/// The same for all physicians of a hospital together.
const KEPT_IN_ALL: usize = 256;
/// How many bytes all kept PDFs may have: those of some two hundred certificates, or of three large PDFs made elsewhere.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// How long pages that nobody logged in for are kept: time to print them.
const AT_THE_DESK: Duration = Duration::from_secs(600);
/// How many signed pages whose deposit certainly did not happen wait for the next try, and how long.
const UNSENT_IN_ALL: usize = 64;
/// See [`UNSENT_IN_ALL`].
const UNSENT_FOR: Duration = Duration::from_secs(30 * 60);
/// How many ids are compared with what was sent under them: a few weeks of a hospital, in a few megabytes.
const COMPARED: usize = 100_000;

/// What is known of documents since the start, pages included. Nothing of it is ever written to disk.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Arc<Mutex<Inner>>,
    /// Keys the fingerprints: random, and gone with the process.
    key: RandomState,
}

#[derive(Default)]
struct Inner {
    documents: Newest<Remembered>,
    simulations: Newest<Waiting>,
    unsent: Newest<Unsent>,
    fingerprints: HashMap<Uuid, Fingerprint>,
    fingerprint_order: VecDeque<Uuid>,
    under_way: HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>,
    /// Who acted last in the session of this machine.
    actor: Option<String>,
    /// Where that session has a mySecu token to give back.
    spaces: Vec<Space>,
    /// Raised when that session is forgotten: what was under way in it is not remembered afterwards.
    era: u64,
}

/// In what something is done, and so for how long it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// In the session of this machine, until that is forgotten.
    Desk(u64),
    /// With a caller's own token: whoever logs in or out at this machine has no say in it.
    Caller,
}

/// A document with its pages.
pub(crate) struct Remembered {
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    /// Made at the desk while nobody was logged in, for a handwritten signature: whoever stands there may see it.
    pub(crate) without_login: bool,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) volets: Vec<Leaf>,
}

/// A signed page whose deposit certainly did not happen. The same values under the same id, on the same day, by the same person and for the
/// same physician need no second signature.
pub(crate) struct Unsent {
    signing: Signing,
    until: OffsetDateTime,
    pub(crate) leaf: Leaf,
    pub(crate) signed: SignedBy,
}

/// What is signed, for whom and when: all of it has to be the same for a signature to serve again.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Signing {
    pub(crate) content: Fingerprint,
    pub(crate) physician_id: String,
    /// Who signed it, too: what the journal says of a document must be so of its signature.
    pub(crate) in_whose_name: String,
    pub(crate) day: Date,
}

/// A simulation that waits to be paid or contested.
pub(crate) struct Waiting {
    /// Another for each answer of the authority: what somebody agreed to is this one, and none that came later under the same id.
    pub(crate) mark: Uuid,
    pub(crate) kind: String,
    pub(crate) physician_id: String,
    /// As JSON, to be checked again; wiped when dropped.
    values: Zeroizing<Vec<u8>>,
    pub(crate) simulation: Simulation,
    pub(crate) correlation_id: Option<String>,
}

/// One volet as it is handed out; a copy shares the PDF. Its layout is not kept: it takes many times the memory, and what is shown should
/// be what was signed.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) name: String,
    pub(crate) signed: bool,
    /// Whether this program set its pages; what somebody else set is opened with care.
    pub(crate) own: bool,
    pub(crate) pages: usize,
    pub(crate) pdf: Arc<Zeroizing<Vec<u8>>>,
}

/// What an id stands for, as far as two documents have to be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

/// How values stand to the id they are sent under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// The id stood for nothing; now it stands for these values.
    New,
    /// It stood for these very values.
    Same,
    /// It stands for others.
    Other,
}

/// The right to work on one document, until dropped.
pub(crate) struct Turn {
    held: Option<OwnedMutexGuard<()>>,
    inner: Arc<Mutex<Inner>>,
    id: Uuid,
}

impl Memory {
    /// Waits until nobody else works on the document.
    pub(crate) async fn turn(&self, id: Uuid) -> Turn {
        let lock = Arc::clone(locked(&self.inner).under_way.entry(id).or_default());
        Turn {
            held: Some(lock.lock_owned().await),
            inner: Arc::clone(&self.inner),
            id,
        }
    }

    /// Waits until nobody else works on either document. Always in the same order, so that two who want the same two never wait for
    /// each other.
    pub(crate) async fn turns(&self, id: Uuid, other: Option<Uuid>) -> Vec<Turn> {
        let mut ids: Vec<Uuid> = std::iter::once(id).chain(other).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut turns = Vec::new();
        for id in ids {
            turns.push(self.turn(id).await);
        }
        turns
    }

    /// Lets the id stand for this, unless it stands for something already.
    pub(crate) fn bind(&self, id: Uuid, fingerprint: Fingerprint) -> Binding {
        let mut inner = locked(&self.inner);
        match inner.fingerprints.get(&id) {
            Some(known) if *known == fingerprint => Binding::Same,
            Some(_) => Binding::Other,
            None => {
                inner.bind(id, fingerprint);
                Binding::New
            }
        }
    }

    /// Whether the id stands for something else already.
    pub(crate) fn stands_for_other(&self, id: Uuid, fingerprint: Fingerprint) -> bool {
        locked(&self.inner).fingerprints.get(&id).is_some_and(|known| *known != fingerprint)
    }

    /// Lets the id stand for this from now on.
    pub(crate) fn rebind(&self, id: Uuid, fingerprint: Fingerprint) {
        let mut inner = locked(&self.inner);
        inner.release(id);
        inner.bind(id, fingerprint);
    }

    /// A document that certainly was not deposited may be sent again corrected.
    pub(crate) fn release(&self, id: Uuid) {
        locked(&self.inner).release(id);
    }

    /// What this caller does is done in.
    pub(crate) fn era(&self, caller: &Caller) -> Era {
        match caller {
            Caller::OwnSession => Era::Desk(locked(&self.inner).era),
            Caller::Bearer { .. } | Caller::Delegate { .. } => Era::Caller,
        }
    }

    /// Keeps a document, unless its `era` is over; one that nobody logged in for, not for long.
    pub(crate) fn keep(&self, id: Uuid, era: Era, remembered: Remembered) -> Arc<Remembered> {
        let remembered = Arc::new(remembered);
        let mut inner = locked(&self.inner);
        if inner.lasts(era) {
            inner.unsent.forget(id);
            let fuse = remembered
                .without_login
                .then(|| self.forget_after(AT_THE_DESK, id, &remembered, |inner| &mut inner.documents));
            inner.documents.keep(id, era, Arc::clone(&remembered), fuse);
        }
        remembered
    }

    /// Forgets this when the time is over, unless something else has taken its place by then or the fuse is dropped.
    fn forget_after<T: Owned>(&self, time: Duration, id: Uuid, kept: &Arc<T>, place: fn(&mut Inner) -> &mut Newest<T>) -> Fuse {
        let (inner, kept) = (Arc::downgrade(&self.inner), Arc::downgrade(kept));
        let burning = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let (Some(inner), Some(kept)) = (inner.upgrade(), kept.upgrade()) {
                let mut inner = locked(&inner);
                let place = place(&mut inner);
                if place.find(id).is_some_and(|now| Arc::ptr_eq(&now, &kept)) {
                    place.forget(id);
                }
            }
        });
        Fuse(burning.abort_handle())
    }

    /// Keeps a signed page for another try to deposit it, unless its `era` is over.
    pub(crate) fn keep_unsent(&self, id: Uuid, era: Era, now: OffsetDateTime, unsent: (Signing, Leaf, SignedBy)) {
        let (signing, leaf, signed) = unsent;
        let unsent = Arc::new(Unsent {
            signing,
            until: now + UNSENT_FOR,
            leaf,
            signed,
        });
        let mut inner = locked(&self.inner);
        if inner.lasts(era) {
            let fuse = self.forget_after(UNSENT_FOR, id, &unsent, |inner| &mut inner.unsent);
            inner.unsent.keep(id, era, unsent, Some(fuse));
        }
    }

    /// The signed page of an earlier try that still serves. A computer that slept may have forgotten to forget: the clock says so too.
    pub(crate) fn unsent(&self, id: Uuid, signing: &Signing, now: OffsetDateTime) -> Option<Arc<Unsent>> {
        let fits = |unsent: &Arc<Unsent>| unsent.signing == *signing && (unsent.until - UNSENT_FOR..unsent.until).contains(&now);
        locked(&self.inner).unsent.find(id).filter(fits)
    }

    /// Takes the pages of a document that holds no more out of everybody's hands; its receipt stays.
    pub(crate) fn withdraw(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        if let Some(known) = inner.documents.items.get_mut(&id) {
            known.item = Arc::new(Remembered {
                kind: known.item.kind.clone(),
                physician_id: known.item.physician_id.clone(),
                without_login: known.item.without_login,
                receipt: known.item.receipt.clone(),
                volets: Vec::new(),
            });
        }
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<Arc<Remembered>> {
        locked(&self.inner).documents.find(id)
    }

    /// Keeps a simulation, unless its `era` is over.
    pub(crate) fn keep_simulation(&self, id: Uuid, era: Era, waiting: Arc<Waiting>) {
        let mut inner = locked(&self.inner);
        if inner.lasts(era) {
            inner.simulations.keep(id, era, waiting, None);
        }
    }

    /// The eHealthIDs of those of whom something is kept under an id.
    pub(crate) fn owners(&self, id: Uuid) -> Vec<String> {
        let inner = locked(&self.inner);
        let document = inner.documents.find(id).map(|document| document.physician_id.clone());
        let simulation = inner.simulations.find(id).map(|waiting| waiting.physician_id.clone());
        let unsent = inner.unsent.find(id).map(|unsent| unsent.signing.physician_id.clone());
        [document, simulation, unsent].into_iter().flatten().collect()
    }

    pub(crate) fn simulation(&self, id: Uuid) -> Option<Arc<Waiting>> {
        locked(&self.inner).simulations.find(id)
    }

    /// Forgets a simulation, and the receipt that was signed for it.
    pub(crate) fn forget_simulation(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.simulations.forget(id);
        inner.unsent.forget(id);
    }

    pub(crate) fn forget(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.documents.forget(id);
        inner.simulations.forget(id);
        inner.unsent.forget(id);
    }

    /// Forgets it only as far as it was done in the session of this machine.
    pub(crate) fn forget_at_desk(&self, id: Uuid) {
        let mut inner = locked(&self.inner);
        inner.documents.forget_at_desk(id);
        inner.simulations.forget_at_desk(id);
        inner.unsent.forget_at_desk(id);
    }

    /// Forgets what somebody else did in the session of this machine. What one person did for one of her physicians waits while she works for another.
    pub(crate) fn keep_for(&self, actor: &str, physician_id: &str) {
        let mut inner = locked(&self.inner);
        if inner.actor.as_deref() == Some(actor) {
            return;
        }
        inner.actor = Some(actor.to_owned());
        inner.documents.keep_at_desk(|document| document.physician_id == physician_id);
        inner.simulations.keep_at_desk(|waiting| waiting.physician_id == physician_id);
        inner.unsent.keep_at_desk(|_| false);
    }

    /// Notes a space in which the session of this machine acted.
    pub(crate) fn note_space(&self, space: &Space) {
        let mut inner = locked(&self.inner);
        inner
            .spaces
            .retain(|known| known.code != space.code || known.holder != space.holder);
        inner.spaces.push(space.clone());
    }

    /// Forgets every document, simulation and signature of the session of this machine, and returns the spaces to leave.
    pub(crate) fn forget_session(&self) -> Vec<Space> {
        let mut inner = locked(&self.inner);
        inner.documents.keep_at_desk(|_| false);
        inner.simulations.keep_at_desk(|_| false);
        inner.unsent.keep_at_desk(|_| false);
        inner.actor = None;
        inner.era += 1;
        std::mem::take(&mut inner.spaces)
    }

    /// What these values are told apart by.
    pub(crate) fn fingerprint(&self, values: &Values) -> Fingerprint {
        let sorted: BTreeMap<&str, String> = values
            .reveal()
            .iter()
            .map(|(field, value)| (field.as_str(), value.to_string()))
            .collect();
        Fingerprint(self.key.hash_one(sorted))
    }

    /// What a document made elsewhere is told apart by.
    pub(crate) fn fingerprint_of_foreign(&self, pdf: &[u8], xml: Option<&str>) -> Fingerprint {
        Fingerprint(self.key.hash_one((pdf, xml)))
    }
}

impl Inner {
    fn lasts(&self, era: Era) -> bool {
        era == Era::Caller || era == Era::Desk(self.era)
    }

    fn bind(&mut self, id: Uuid, fingerprint: Fingerprint) {
        self.fingerprints.insert(id, fingerprint);
        self.fingerprint_order.push_back(id);
        if self.fingerprint_order.len() > COMPARED
            && let Some(oldest) = self.fingerprint_order.pop_front()
        {
            self.fingerprints.remove(&oldest);
        }
    }

    fn release(&mut self, id: Uuid) {
        if self.fingerprints.remove(&id).is_some() {
            self.fingerprint_order.retain(|known| *known != id);
        }
    }
}

impl Remembered {
    /// Whether there are pages, and this viewer may see them. Pages name a patient: nobody sees them without being somebody, but for
    /// those made at this desk without a login.
    pub(crate) fn shows_to(&self, viewer: Option<&str>) -> bool {
        let own = viewer.map_or(self.without_login, |viewer| viewer == self.physician_id);
        own && !self.volets.is_empty()
    }
}

impl Waiting {
    pub(crate) fn new(
        mark: Uuid,
        kind: String,
        physician_id: String,
        values: &Values,
        simulation: Simulation,
        correlation_id: Option<String>,
    ) -> Self {
        Self {
            mark,
            kind,
            physician_id,
            // Values are JSON already: they have a JSON form.
            values: Zeroizing::new(serde_json::to_vec(values.reveal()).unwrap_or_default()),
            simulation,
            correlation_id,
        }
    }

    /// The values as they were simulated.
    pub(crate) fn values(&self) -> Result<Values, Error> {
        serde_json::from_slice(&self.values)
            .map(Patient::new)
            .map_err(|_| Error::Interrupted)
    }
}

impl Leaf {
    /// A PDF that somebody else made, signed.
    pub(crate) fn signed(name: &str, pages: usize, pdf: Zeroizing<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            signed: true,
            own: false,
            pages,
            pdf: Arc::new(pdf),
        }
    }
}

/// Something of one physician.
trait Owned: Send + Sync + 'static {
    /// How many are kept in all.
    const IN_ALL: usize = KEPT_IN_ALL;

    fn owner(&self) -> &str;
    /// About how much memory it takes.
    fn bytes(&self) -> usize;
}

impl Owned for Remembered {
    fn owner(&self) -> &str {
        &self.physician_id
    }

    fn bytes(&self) -> usize {
        self.volets.iter().map(|leaf| leaf.pdf.len()).sum()
    }
}

impl Owned for Waiting {
    fn owner(&self) -> &str {
        &self.physician_id
    }

    fn bytes(&self) -> usize {
        self.values.len()
    }
}

impl Owned for Unsent {
    const IN_ALL: usize = UNSENT_IN_ALL;

    fn owner(&self) -> &str {
        &self.signing.physician_id
    }

    fn bytes(&self) -> usize {
        self.leaf.pdf.len()
    }
}

/// Burns until something is forgotten; dropped, it goes out. What is forgotten before its time takes its fuse along: a hospital deposits
/// tens of thousands of signatures while one would burn down.
struct Fuse(AbortHandle);

impl Drop for Fuse {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One entry: in what it was made, and what ends it by itself.
struct Kept<T> {
    era: Era,
    item: Arc<T>,
    _fuse: Option<Fuse>,
}

/// The newest few of each physician, by id.
struct Newest<T> {
    items: HashMap<Uuid, Kept<T>>,
    order: VecDeque<Uuid>,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self {
            items: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T: Owned> Newest<T> {
    /// The oldest of the same physician goes first: one who works much costs no colleague a receipt.
    fn keep(&mut self, id: Uuid, era: Era, item: Arc<T>, fuse: Option<Fuse>) {
        self.forget(id);
        let owner = item.owner().to_owned();
        self.items.insert(id, Kept { era, item, _fuse: fuse });
        self.order.push_back(id);
        let own: Vec<Uuid> = self.order.iter().copied().filter(|id| self.is_of(*id, &owner)).collect();
        if own.len() > KEPT
            && let Some(oldest) = own.first()
        {
            self.forget(*oldest);
        }
        while self.order.len() > T::IN_ALL || self.bytes() > MOST_BYTES {
            let Some(oldest) = self.order.front().copied() else { break };
            self.forget(oldest);
        }
    }

    fn bytes(&self) -> usize {
        self.items.values().map(|kept| kept.item.bytes()).sum()
    }

    fn is_of(&self, id: Uuid, owner: &str) -> bool {
        self.items.get(&id).is_some_and(|kept| kept.item.owner() == owner)
    }

    fn find(&self, id: Uuid) -> Option<Arc<T>> {
        self.items.get(&id).map(|kept| Arc::clone(&kept.item))
    }

    fn forget(&mut self, id: Uuid) {
        self.items.remove(&id);
        self.order.retain(|kept| *kept != id);
    }

    fn forget_at_desk(&mut self, id: Uuid) {
        if self.items.get(&id).is_some_and(|kept| kept.era != Era::Caller) {
            self.forget(id);
        }
    }

    /// Of what was done in the session of this machine, keeps what is wanted.
    fn keep_at_desk(&mut self, wanted: impl Fn(&T) -> bool) {
        self.items.retain(|_, kept| kept.era == Era::Caller || wanted(&kept.item));
        self.order.retain(|id| self.items.contains_key(id));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut inner = locked(&self.inner);
        if inner.under_way.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            inner.under_way.remove(&self.id);
        }
    }
}

fn locked(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const DESK: Era = Era::Desk(0);

    fn remembered(physician_id: u128, without_login: bool) -> Remembered {
        Remembered {
            kind: "ecit".into(),
            physician_id: physician_id.to_string(),
            without_login,
            receipt: None,
            volets: Vec::new(),
        }
    }

    #[test]
    fn who_works_much_costs_no_colleague_a_receipt_and_a_hospital_does_not_fill_the_memory() {
        let memory = Memory::default();
        memory.keep(Uuid::from_u128(1000), DESK, remembered(1, false));
        for id in 0..100 {
            memory.keep(Uuid::from_u128(id), DESK, remembered(2, false));
        }
        assert!(memory.find(Uuid::from_u128(1000)).is_some());
        let kept: Vec<u128> = (0..100).filter(|id| memory.find(Uuid::from_u128(*id)).is_some()).collect();
        assert_eq!(kept, (84..100).collect::<Vec<_>>());

        for physician in 10..400 {
            memory.keep(Uuid::from_u128(10_000 + physician), DESK, remembered(physician, false));
        }
        assert!(memory.find(Uuid::from_u128(1000)).is_none(), "the oldest of all");
        let kept = (10..400).filter(|id| memory.find(Uuid::from_u128(10_000 + id)).is_some()).count();
        assert_eq!(kept, KEPT_IN_ALL);
    }

    #[test]
    fn large_pdfs_make_each_other_room() {
        let memory = Memory::default();
        let large = |physician| Remembered {
            volets: vec![Leaf::signed("document", 1, Zeroizing::new(vec![0; 10 << 20]))],
            ..remembered(physician, false)
        };
        for id in 0..5 {
            memory.keep(Uuid::from_u128(id), DESK, large(id));
        }
        let kept: Vec<u128> = (0..5).filter(|id| memory.find(Uuid::from_u128(*id)).is_some()).collect();
        assert_eq!(kept, [2, 3, 4]);
        memory.keep(Uuid::from_u128(9), DESK, remembered(9, false));
        assert!(memory.find(Uuid::from_u128(2)).is_some(), "a small one needs no room");
    }

    #[tokio::test]
    async fn pages_made_without_a_login_go_by_themselves_unless_others_took_their_place() {
        let memory = Memory::default();
        let (old, printed_again) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let burn = |id| {
            let kept = memory.keep(id, DESK, remembered(1, true));
            memory.forget_after(Duration::from_millis(20), id, &kept, |inner| &mut inner.documents)
        };
        let _fuses = [old, printed_again].map(burn);
        memory.keep(printed_again, DESK, remembered(1, false));
        for _ in 0..500 {
            if memory.find(old).is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(memory.find(old).is_none());
        assert!(memory.find(printed_again).is_some());
        assert!(AT_THE_DESK <= Duration::from_secs(600));
    }

    #[tokio::test]
    async fn nothing_burns_for_what_is_forgotten_already() {
        let memory = Memory::default();
        let now = datetime!(2026-10-26 10:00 UTC);
        for id in (0..500).map(Uuid::from_u128) {
            let signing = Signing {
                content: Fingerprint(1),
                physician_id: "1".to_owned(),
                in_whose_name: "anne 1".to_owned(),
                day: now.date(),
            };
            let signed = SignedBy {
                name: "Dr Anne Weber".to_owned(),
                at: now,
            };
            let leaf = Leaf::signed("caisse", 1, Zeroizing::new(vec![0; 9]));
            memory.keep_unsent(id, Era::Caller, now, (signing, leaf, signed));
            memory.keep(id, Era::Caller, remembered(1, true));
        }
        let burning = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        // What was put out ends when this thread next has time for it.
        for _ in 0..10_000 {
            if burning() <= KEPT {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(burning(), KEPT, "one for each that is kept");
    }

    #[tokio::test]
    async fn a_signature_serves_again_for_the_same_and_for_half_an_hour() {
        let memory = Memory::default();
        let now = datetime!(2026-10-26 10:00 UTC);
        let signing = |content, physician: &str, day| Signing {
            content: Fingerprint(content),
            physician_id: physician.to_owned(),
            in_whose_name: format!("anne {physician}"),
            day,
        };
        let today = signing(1, "1", now.date());
        let signed = || SignedBy {
            name: "Dr Anne Weber".to_owned(),
            at: now,
        };
        let keep = |id, era, signing: &Signing| {
            let leaf = Leaf::signed("caisse", 1, Zeroizing::new(vec![0; 9]));
            memory.keep_unsent(Uuid::from_u128(id), era, now, (signing.clone(), leaf, signed()));
        };
        memory.keep_for("anne", "1");
        keep(1, DESK, &today);
        let serves = |id, signing: &Signing, at| memory.unsent(Uuid::from_u128(id), signing, at).is_some();
        assert!(serves(1, &today, now) && serves(1, &today, now + Duration::from_secs(1799)));
        assert!(!serves(1, &today, now + Duration::from_secs(1800)), "too late");
        assert!(!serves(1, &today, now - Duration::from_secs(60)), "the clock was set back");
        assert!(!serves(2, &today, now), "another id");
        let tomorrow = now.date() + time::Duration::days(1);
        for other in [signing(2, "1", now.date()), signing(1, "2", now.date()), signing(1, "1", tomorrow)] {
            assert!(!serves(1, &other, now));
        }
        let somebody_else_s = Signing {
            in_whose_name: "jean 1".to_owned(),
            ..today.clone()
        };
        assert!(!serves(1, &somebody_else_s, now));

        memory.keep_for("anne", "2");
        assert!(serves(1, &today, now), "she works for another physician");
        keep(3, Era::Caller, &today);
        memory.keep_for("jean", "2");
        assert!(!serves(1, &today, now), "somebody else logged in");
        assert!(serves(3, &today, now), "signed with a token of the caller's own");
        keep(1, DESK, &today);
        memory.forget(Uuid::from_u128(1));
        assert!(!serves(1, &today, now), "forgotten");
        keep(1, DESK, &today);
        memory.keep(Uuid::from_u128(1), DESK, remembered(1, false));
        assert!(!serves(1, &today, now), "deposited");
        keep(1, DESK, &today);
        memory.forget_session();
        assert!(!serves(1, &today, now), "logged out");
        assert!(serves(3, &today, now), "signed without the session that ended");
        keep(4, Era::Desk(1), &today);
        memory.forget_at_desk(Uuid::from_u128(3));
        memory.forget_at_desk(Uuid::from_u128(4));
        assert!(serves(3, &today, now), "nobody logged in forgets what a caller signed");
        assert!(!serves(4, &today, now), "forgotten by whoever sits at the desk");
        memory.forget(Uuid::from_u128(3));
        keep(1, DESK, &today);
        assert!(!serves(1, &today, now), "signed by who has logged out since");

        for id in 0..200 {
            keep(id, Era::Desk(1), &signing(1, &(id % 50).to_string(), now.date()));
        }
        let kept = (0..200).filter(|id| serves(*id, &signing(1, &(id % 50).to_string(), now.date()), now));
        assert_eq!(kept.collect::<Vec<_>>(), (136..200).collect::<Vec<_>>());
    }
}
