use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use econnector_base::Secret;
use econnector_connector::Problem;
use econnector_forms::Lang;
use time::{Date, Month, OffsetDateTime, UtcOffset};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::kept::{Kept, KeptOrigin, KeptSoftware};
use crate::private::{self, Digest};
use crate::refused::{Refusal, Refusals};
use crate::view::{Decision, LinkView, NewOrigin, OriginView, SoftwareFact, SoftwareView, WaitingKind, WaitingView};
use crate::{Answer, Approval, LinkError, LinkOptions, Software, Wants, connection, origin};

/// Questions of one kind that may wait at the same time; and a page of approvals may hold ten megabytes each.
const MOST_WAITING: usize = 8;
/// Requests of one software that may wait for the same consent: the others hold no connection.
const MOST_CALLERS: usize = 4;
/// Approvals of one software that may wait at the same time.
const MOST_OF_ONE: usize = 4;
/// A question about a software that has not called again for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// As many as the settings page shows.
const MOST_REFUSED: usize = 50;

/// The state of the loopback door: who may call, and what waits for the physician. Shared between the guard, the listeners and the
/// window; a clone is the same link.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

struct Inner {
    options: LinkOptions,
    presets: Presets,
    /// Why nothing can be decided here, when nothing can.
    broken: Option<LinkError>,
    key: Secret,
    digest: Digest,
    state: Mutex<State>,
    revision: watch::Sender<u64>,
    attention: Mutex<Vec<Attention>>,
}

type Attention = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Presets {
    software: BTreeSet<String>,
    origins: Vec<(String, Digest)>,
}

struct State {
    kept: Kept,
    /// What allowed software did since the start.
    arrivals: BTreeMap<String, Arrival>,
    trusted: HashMap<Software, OffsetDateTime>,
    refused: Refusals,
    consents: Vec<Consent>,
    approvals: Vec<Pending>,
    addresses: Vec<SocketAddr>,
    /// Why the door did not open, the last time it was to.
    trouble: Option<LinkError>,
}

struct Arrival {
    first: OffsetDateTime,
    last: OffsetDateTime,
    /// The web origins it called from; none for a program of its own.
    ways: BTreeSet<Option<String>>,
}

struct Consent {
    id: Uuid,
    software: Software,
    wants: Wants,
    since: OffsetDateTime,
    asked: Instant,
    decided: watch::Sender<Option<bool>>,
}

struct Pending {
    id: Uuid,
    software: Software,
    approval: Arc<Approval>,
    since: OffsetDateTime,
    answer: oneshot::Sender<bool>,
}

impl Link {
    /// Reads what was decided earlier and makes the key of this start. Nothing listens yet. Waits for the disk.
    ///
    /// # Errors
    /// [`LinkError::Unusable`]: `link.json` or the installation's rules cannot be read; nothing is lost and nothing is overwritten.
    pub fn open(options: LinkOptions) -> Result<Self, LinkError> {
        let kept = Kept::read(&options.folder)?;
        let presets = Presets::of(&options)?;
        Self::new(options, kept, presets, None)
    }

    /// A link that could not be opened, for the window to say so: it allows nobody, never listens, and answers every decision with the
    /// reason.
    ///
    /// # Errors
    /// [`LinkError::Unusable`]: the system gives no random numbers.
    pub fn unusable(options: LinkOptions, why: LinkError) -> Result<Self, LinkError> {
        Self::new(options, Kept::default(), Presets::default(), Some(why))
    }

    fn new(options: LinkOptions, kept: Kept, presets: Presets, broken: Option<LinkError>) -> Result<Self, LinkError> {
        let key = private::fresh_key().map_err(|error| LinkError::Unusable {
            file: connection::FILE,
            reason: error.to_string(),
        })?;
        // A start of its own: who waits for a change since the last run learns of this one at once.
        let first = u64::try_from(options.clock.now().unix_timestamp()).unwrap_or_default() << 16;
        Ok(Self(Arc::new(Inner {
            digest: Digest::of(key.reveal()),
            key,
            presets,
            state: Mutex::new(State {
                kept,
                arrivals: BTreeMap::new(),
                trusted: HashMap::new(),
                refused: Refusals::default(),
                consents: Vec::new(),
                approvals: Vec::new(),
                addresses: Vec::new(),
                trouble: broken.clone(),
            }),
            broken,
            revision: watch::Sender::new(first),
            attention: Mutex::default(),
            options,
        })))
    }

    /// All there is to see, in a language.
    #[must_use]
    pub fn view(&self, lang: Lang) -> LinkView {
        let now = self.now();
        let mut state = self.state();
        state.forget_stale();
        let revision = *self.0.revision.borrow();
        LinkView {
            revision,
            enabled: self.0.options.rules.enabled,
            listening: !state.addresses.is_empty(),
            addresses: state.addresses.iter().map(|address| format!("http://{address}")).collect(),
            connection_file: connection::place(&self.0.options.folder).display().to_string(),
            environment: self.0.options.environment.to_owned(),
            problem: state.trouble.as_ref().map(|error| Problem::explain(error, lang)),
            software: state.software(&self.0.presets, now),
            origins: state.origins(&self.0.presets),
            refused: state.refused.view(MOST_REFUSED, lang),
            waiting: state.waiting(),
        }
    }

    /// What there is to see as soon as it is not what `since` was, at the latest after `patience`.
    pub async fn changed(&self, since: u64, patience: Duration, lang: Lang) -> LinkView {
        let mut revision = self.0.revision.subscribe();
        // Patience over: the view is the same, and that is the answer.
        let _ = tokio::time::timeout(patience, revision.wait_for(|revision| *revision != since)).await;
        self.view(lang)
    }

    /// Allows or refuses a software that waits, or changes what was decided. A refusal also ends its trust and its open questions.
    /// Waits for the disk.
    ///
    /// # Errors
    /// [`LinkError::Unknown`]: no software of that name has called. [`LinkError::Unusable`]: not kept; a refusal counts all the same
    /// until the program ends.
    pub fn decide(&self, software: &str, allow: bool) -> Result<(), LinkError> {
        self.works()?;
        let now = self.now();
        let mut state = self.state();
        let asked = state.consents.iter().position(|consent| consent.software.name == software);
        let known = state.kept.software(software).cloned();
        if asked.is_none() && known.is_none() && !self.0.presets.software.contains(software) {
            return Err(LinkError::Unknown);
        }
        let first_seen = asked.and_then(|at| state.consents.get(at)).map(|consent| consent.since);
        let decided = KeptSoftware {
            name: software.to_owned(),
            allowed: allow,
            first_seen: known.as_ref().and_then(|known| known.first_seen).or(first_seen),
            last_seen: known.and_then(|known| known.last_seen).or(first_seen.map(|_| now)),
        };
        let mut kept = state.kept.clone();
        kept.software.retain(|known| known.name != software);
        kept.software.push(decided);
        let written = kept.write(&self.0.options.folder);
        // What is taken away is taken away now, whatever the disk says.
        if written.is_ok() || !allow {
            state.kept = kept;
            if !allow {
                state.withdraw(|known| known.name == software);
            }
            if let Some(at) = asked {
                state.consents.remove(at).decided.send_replace(Some(allow));
            }
        }
        drop(state);
        self.bump();
        written
    }

    /// Lets a software sign without asking until midnight, or no longer. Kept in memory only.
    ///
    /// # Errors
    /// [`LinkError::Unknown`]: the software is not allowed.
    pub fn trust_today(&self, software: &str, trusted: bool) -> Result<(), LinkError> {
        let until = self.midnight();
        let mut state = self.state();
        if !state.allowed(software, &self.0.presets).unwrap_or(false) {
            return Err(LinkError::Unknown);
        }
        state.trusted.retain(|known, _| known.name != software);
        if trusted {
            for way in state.ways(software) {
                let software = Software {
                    name: software.to_owned(),
                    origin: way,
                };
                state.trust(software, until);
            }
        }
        drop(state);
        self.bump();
        Ok(())
    }

    /// Forgets what was decided about a software: it will be asked about anew. Waits for the disk.
    ///
    /// # Errors
    /// [`LinkError::Unknown`]: nothing was decided. [`LinkError::Preset`]: the installation allows it. [`LinkError::Unusable`]: not kept;
    /// it counts all the same until the program ends.
    pub fn forget(&self, software: &str) -> Result<(), LinkError> {
        self.works()?;
        let mut state = self.state();
        if state.kept.software(software).is_none() {
            let preset = self.0.presets.software.contains(software);
            return Err(if preset { LinkError::Preset } else { LinkError::Unknown });
        }
        state.kept.software.retain(|known| known.name != software);
        state.withdraw(|known| known.name == software);
        let written = state.kept.write(&self.0.options.folder);
        drop(state);
        self.bump();
        written
    }

    /// Allows a web application by its exact origin and makes its key. The key is returned once and kept as SHA-256; allowed again, it
    /// gets a new one. Waits for the disk.
    ///
    /// # Errors
    /// [`LinkError::OriginInvalid`], [`LinkError::Preset`], [`LinkError::Unusable`].
    pub fn allow_origin(&self, typed: &str) -> Result<NewOrigin, LinkError> {
        self.works()?;
        let origin = origin::origin(typed)?;
        let unusable = |error: std::io::Error| LinkError::Unusable {
            file: crate::kept::FILE,
            reason: error.to_string(),
        };
        let key = private::fresh_key().map_err(unusable)?;
        let mut state = self.state();
        if state.own_origins().contains(&origin) {
            return Err(LinkError::OriginInvalid("this program's own address"));
        }
        if self.0.presets.origins.iter().any(|(preset, _)| *preset == origin) {
            return Err(LinkError::Preset);
        }
        let mut kept = state.kept.clone();
        kept.origins.retain(|known| known.origin != origin);
        kept.origins.push(KeptOrigin {
            origin: origin.clone(),
            key_sha256: Digest::of(key.reveal()).hex(),
            added_at: self.now(),
        });
        kept.write(&self.0.options.folder)?;
        state.kept = kept;
        drop(state);
        self.bump();
        Ok(NewOrigin {
            origin,
            key: key.reveal().to_owned(),
        })
    }

    /// Takes a web application off the list; its key is worth nothing from now on. Waits for the disk.
    ///
    /// # Errors
    /// [`LinkError::Unknown`], [`LinkError::Preset`]. [`LinkError::Unusable`]: not kept; it counts all the same until the program ends.
    pub fn forget_origin(&self, origin: &str) -> Result<(), LinkError> {
        self.works()?;
        let mut state = self.state();
        if !state.kept.origins.iter().any(|known| known.origin == origin) {
            let preset = self.0.presets.origins.iter().any(|(preset, _)| preset == origin);
            return Err(if preset { LinkError::Preset } else { LinkError::Unknown });
        }
        state.kept.origins.retain(|known| known.origin != origin);
        state.withdraw(|software| software.origin.as_deref() == Some(origin));
        let written = state.kept.write(&self.0.options.folder);
        drop(state);
        self.bump();
        written
    }

    /// Waits until the physician has looked at something and said yes. At once for a software that she trusts today. When the future is
    /// dropped, the question is withdrawn.
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
            if state.trusts(software, now) {
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
        let patience = Duration::from_secs(self.0.options.rules.approval_seconds);
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

    /// What the physician says to it. `Today` also answers what else the same software waits for.
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
            state.trust(pending.software, until);
        }
        drop(state);
        self.bump();
        if heard { Ok(()) } else { Err(LinkError::Unknown) }
    }

    /// What is to be called when somebody should look at the window: a software or an approval waits, or the program was started again.
    pub fn on_attention(&self, call: impl Fn() + Send + Sync + 'static) {
        self.0.attention.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(call));
    }

    /// Whether the installation allows the link at all.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.0.options.rules.enabled
    }

    /// The key of this start, as it stands in the connection file.
    #[must_use]
    pub fn connection_key(&self) -> &Secret {
        &self.0.key
    }

    /// Calls whoever wants to know that the window is wanted.
    pub(crate) fn attend(&self) {
        let calls = self.0.attention.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for call in calls {
            call();
        }
    }

    pub(crate) fn options(&self) -> &LinkOptions {
        &self.0.options
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.options.folder
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.0.options.clock.now()
    }

    pub(crate) fn is_connection_key(&self, key: &str) -> bool {
        self.0.digest.fits(key)
    }

    /// The port under which this program may be addressed.
    pub(crate) fn port(&self) -> u16 {
        let listening = self.state().addresses.first().map(SocketAddr::port);
        listening.unwrap_or(self.0.options.rules.port)
    }

    /// The keys of a web application; empty when it is not listed.
    pub(crate) fn keys_of(&self, origin: &str) -> Vec<Digest> {
        let presets = self.0.presets.origins.iter().filter(|(preset, _)| preset == origin);
        let state = self.state();
        let kept = state.kept.origins.iter().filter(|known| known.origin == origin);
        presets
            .map(|(_, digest)| *digest)
            .chain(kept.filter_map(|known| Digest::read(&known.key_sha256)))
            .collect()
    }

    /// How a software stands.
    pub(crate) fn standing(&self, software: &Software) -> SoftwareFact {
        let state = self.state();
        match state.allowed(&software.name, &self.0.presets) {
            Some(true) => SoftwareFact::Allowed,
            Some(false) => SoftwareFact::Refused,
            None if state.consents.iter().any(|consent| consent.software.name == software.name) => SoftwareFact::Waiting,
            None => SoftwareFact::Unknown,
        }
    }

    /// Waits until the physician has said whether a software may call; at once when she has.
    pub(crate) async fn consent(&self, software: &Software, wants: Wants) -> Result<(), LinkError> {
        let now = self.now();
        let (mut decided, new) = {
            let mut state = self.state();
            match state.allowed(&software.name, &self.0.presets) {
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
        let patience = Duration::from_secs(self.0.options.rules.consent_seconds);
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

    pub(crate) fn refuse(&self, refusal: Refusal) {
        let news = self.state().refused.add(refusal);
        if news {
            self.bump();
        }
    }

    pub(crate) fn lately_refused(&self, lang: Lang) -> Vec<crate::RefusedView> {
        self.state().refused.view(10, lang)
    }

    pub(crate) fn listens_at(&self, addresses: Vec<SocketAddr>) {
        let mut state = self.state();
        (state.addresses, state.trouble) = (addresses, None);
        drop(state);
        self.bump();
    }

    pub(crate) fn does_not_listen(&self, why: LinkError) {
        self.state().trouble = Some(why);
        self.bump();
    }

    /// The reason, when the link could not be opened.
    pub(crate) fn works(&self) -> Result<(), LinkError> {
        self.0.broken.clone().map_or(Ok(()), Err)
    }

    /// Keeps the day of a software's last request. Nobody waits for it, and nothing depends on it.
    fn note(&self) {
        let link = self.clone();
        tokio::task::spawn_blocking(move || {
            let state = link.state();
            if let Err(error) = state.kept.write(link.folder()) {
                tracing::warn!(%error, "the last request could not be noted");
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bump(&self) {
        self.0.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    fn midnight(&self) -> OffsetDateTime {
        midnight_after(self.0.options.clock.today())
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

impl Presets {
    fn of(options: &LinkOptions) -> Result<Self, LinkError> {
        let wrong = |reason: String| LinkError::Unusable {
            file: "loopback.toml",
            reason,
        };
        let mut software = BTreeSet::new();
        for (at, name) in options.rules.software.iter().enumerate() {
            if !Software::is_name(name) {
                return Err(wrong(format!(
                    "software[{at}] is not a name of 1 to 64 printable ASCII characters without /"
                )));
            }
            software.insert(name.clone());
        }
        let mut origins = Vec::new();
        for (at, rule) in options.rules.origins.iter().enumerate() {
            let origin = origin::origin(&rule.origin).map_err(|error| wrong(format!("origins[{at}].origin: {error}")))?;
            let digest =
                Digest::read(&rule.key_sha256).ok_or_else(|| wrong(format!("origins[{at}].key_sha256 is not 64 hexadecimal digits")))?;
            origins.push((origin, digest));
        }
        Ok(Self { software, origins })
    }
}

impl State {
    /// What was decided about a software. The physician's word counts before the installation's.
    fn allowed(&self, name: &str, presets: &Presets) -> Option<bool> {
        match self.kept.software(name) {
            Some(known) => Some(known.allowed),
            None => presets.software.contains(name).then_some(true),
        }
    }

    /// Notes a request of an allowed software. Whether the day of it is worth keeping.
    fn seen(&mut self, software: &Software, now: OffsetDateTime) -> bool {
        let arrival = self.arrivals.entry(software.name.clone()).or_insert_with(|| Arrival {
            first: now,
            last: now,
            ways: BTreeSet::new(),
        });
        arrival.last = now;
        arrival.ways.insert(software.origin.clone());
        let Some(known) = self.kept.software.iter_mut().find(|known| known.name == software.name) else {
            return false;
        };
        let stale = known.last_seen.is_none_or(|seen| seen.date() != now.date());
        known.first_seen.get_or_insert(now);
        known.last_seen = Some(now);
        stale
    }

    /// Puts a question about a software, or joins the one that waits.
    fn ask(&mut self, software: &Software, wants: Wants, now: OffsetDateTime) -> Result<(watch::Receiver<Option<bool>>, bool), LinkError> {
        self.forget_stale();
        if let Some(asked) = self.consents.iter_mut().find(|consent| consent.software.name == software.name) {
            asked.asked = Instant::now();
            if asked.decided.receiver_count() >= MOST_CALLERS {
                return Err(LinkError::SoftwareWaiting);
            }
            return Ok((asked.decided.subscribe(), false));
        }
        if self.consents.len() >= MOST_WAITING {
            return Err(LinkError::Busy);
        }
        let (decided, waiting) = watch::channel(None);
        self.consents.push(Consent {
            id: Uuid::new_v4(),
            software: software.clone(),
            wants,
            since: now,
            asked: Instant::now(),
            decided,
        });
        Ok((waiting, true))
    }

    fn forget_stale(&mut self) {
        self.consents
            .retain(|consent| consent.decided.receiver_count() > 0 || consent.asked.elapsed() < FORGOTTEN);
    }

    fn trusts(&self, software: &Software, now: OffsetDateTime) -> bool {
        self.trusted.get(software).is_some_and(|until| now < *until)
    }

    /// Trusts a software, and says yes to what it waits for: what comes after would not be shown either.
    fn trust(&mut self, software: Software, until: OffsetDateTime) {
        for pending in self.approvals.extract_if(.., |pending| pending.software == software) {
            // Who hung up needs no answer.
            let _ = pending.answer.send(true);
        }
        self.trusted.insert(software, until);
    }

    /// Ends the trust in some software and refuses what it waits for.
    fn withdraw(&mut self, concerned: impl Fn(&Software) -> bool) {
        self.trusted.retain(|software, _| !concerned(software));
        for pending in self.approvals.extract_if(.., |pending| concerned(&pending.software)) {
            let _ = pending.answer.send(false);
        }
    }

    /// From where a software called or calls, and always as a program of its own.
    fn ways(&self, name: &str) -> BTreeSet<Option<String>> {
        let arrived = self.arrivals.get(name).map(|arrival| arrival.ways.clone());
        let mut ways = arrived.unwrap_or_default();
        ways.insert(None);
        ways
    }

    fn own_origins(&self) -> Vec<String> {
        let port = self.addresses.first().map(SocketAddr::port);
        port.into_iter()
            .flat_map(|port| ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}")))
            .collect()
    }

    fn software(&self, presets: &Presets, now: OffsetDateTime) -> Vec<SoftwareView> {
        let trusted_until = |name: &str| {
            let of_it = self
                .trusted
                .iter()
                .filter(|(software, until)| software.name == name && now < **until);
            of_it.map(|(_, until)| *until).max()
        };
        let decided = self.kept.software.iter().map(|known| SoftwareView {
            name: known.name.clone(),
            decision: if known.allowed { Decision::Allowed } else { Decision::Refused },
            trusted_until: trusted_until(&known.name),
            origins: self.ways(&known.name).into_iter().flatten().collect(),
            first_seen: known.first_seen,
            last_seen: known.last_seen,
        });
        let preset = presets.software.iter().filter(|name| self.kept.software(name).is_none());
        let preset = preset.map(|name| SoftwareView {
            name: name.clone(),
            decision: Decision::Preset,
            trusted_until: trusted_until(name),
            origins: self.ways(name).into_iter().flatten().collect(),
            first_seen: self.arrivals.get(name).map(|arrival| arrival.first),
            last_seen: self.arrivals.get(name).map(|arrival| arrival.last),
        });
        let mut all: Vec<SoftwareView> = decided.chain(preset).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn origins(&self, presets: &Presets) -> Vec<OriginView> {
        let preset = presets.origins.iter().map(|(origin, _)| OriginView {
            origin: origin.clone(),
            preset: true,
            added_at: None,
        });
        let kept = self.kept.origins.iter().map(|known| OriginView {
            origin: known.origin.clone(),
            preset: false,
            added_at: Some(known.added_at),
        });
        preset.chain(kept).collect()
    }

    fn waiting(&self) -> Vec<WaitingView> {
        let consents = self.consents.iter().map(|consent| WaitingView {
            id: consent.id,
            kind: WaitingKind::Consent,
            software: consent.software.name.clone(),
            origin: consent.software.origin.clone(),
            wants: Some(consent.wants),
            action: None,
            form: None,
            document: None,
            since: consent.since,
        });
        let approvals = self.approvals.iter().map(|pending| WaitingView {
            id: pending.id,
            kind: WaitingKind::Approval,
            software: pending.software.name.clone(),
            origin: pending.software.origin.clone(),
            wants: None,
            action: Some(pending.approval.action),
            form: pending.approval.kind.clone(),
            document: Some(pending.approval.document),
            since: pending.since,
        });
        let mut all: Vec<WaitingView> = consents.chain(approvals).collect();
        all.sort_by_key(|waiting| waiting.since);
        all
    }
}

/// The end of a day in Luxembourg (directive 2000/84/EC): at midnight it is summer time from the day after the last Sunday of March to
/// the last Sunday of October.
fn midnight_after(day: Date) -> OffsetDateTime {
    let next = day.next_day().unwrap_or(day);
    let last_sunday = |month: Month| {
        let last = Date::from_calendar_date(next.year(), month, 31).unwrap_or(next);
        last - time::Duration::days(i64::from(last.weekday().number_days_from_sunday()))
    };
    let summer = next > last_sunday(Month::March) && next <= last_sunday(Month::October);
    let offset = UtcOffset::from_hms(if summer { 2 } else { 1 }, 0, 0).unwrap_or(UtcOffset::UTC);
    next.midnight().assume_offset(offset)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::midnight_after;

    #[test]
    fn a_day_ends_at_midnight_in_luxembourg() {
        for (day, end) in [
            (date!(2026 - 01 - 31), datetime!(2026-01-31 23:00 UTC)),
            (date!(2026 - 07 - 14), datetime!(2026-07-14 22:00 UTC)),
            (date!(2026 - 03 - 28), datetime!(2026-03-28 23:00 UTC)),
            (date!(2026 - 03 - 29), datetime!(2026-03-29 22:00 UTC)),
            (date!(2026 - 10 - 24), datetime!(2026-10-24 22:00 UTC)),
            (date!(2026 - 10 - 25), datetime!(2026-10-25 23:00 UTC)),
            (date!(2026 - 12 - 31), datetime!(2026-12-31 23:00 UTC)),
        ] {
            assert_eq!(midnight_after(day), end, "{day}");
        }
    }
}
