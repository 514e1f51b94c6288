use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use econnector_base::Secret;
use econnector_connector::Problem;
use econnector_forms::Lang;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::kept::{Kept, KeptOrigin, KeptSoftware};
use crate::private::{self, Digest};
use crate::refused::{News, Refusal};
use crate::state::{Presets, State};
use crate::view::{LinkView, NewOrigin, SoftwareFact};
use crate::{LinkError, LinkOptions, Software, TrainingTokens, connection, origin};

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
                trouble: broken.clone(),
                ..State::default()
            }),
            broken,
            revision: watch::Sender::new(first),
            attention: Mutex::default(),
            options,
        })))
    }

    /// All there is to see, in a language, for whoever works in this name ([`Approval::in_whose_name`](crate::Approval)).
    #[must_use]
    pub fn view(&self, lang: Lang, in_whose_name: Option<&str>) -> LinkView {
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
            software: state.software(&self.0.presets, in_whose_name, now),
            origins: state.origins(&self.0.presets),
            refused: state.refused.view(MOST_REFUSED, lang),
            waiting: state.waiting(),
        }
    }

    /// Returns as soon as there is more to see than at `since`, at the latest after `patience`.
    pub async fn changed(&self, since: u64, patience: Duration) {
        let mut revision = self.0.revision.subscribe();
        // Patience over: the view is the same, and that is the answer.
        let _ = tokio::time::timeout(patience, revision.wait_for(|revision| *revision != since)).await;
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
                let consent = state.consents.remove(at);
                if allow {
                    // The way it came is the one that was seen and allowed.
                    state.seen(&consent.software, now);
                }
                consent.decided.send_replace(Some(allow));
            }
        }
        drop(state);
        self.bump();
        written
    }

    /// Lets a software sign without asking until midnight, in this name ([`Approval::in_whose_name`](crate::Approval)) and no other. Every
    /// way that it called from since the start is meant, and no other. Kept in memory only.
    ///
    /// # Errors
    /// [`LinkError::Unknown`]: the software is not allowed.
    pub fn trust_today(&self, software: &str, in_whose_name: &str) -> Result<(), LinkError> {
        let until = self.midnight();
        let mut state = self.state();
        if !state.allowed(software, &self.0.presets).unwrap_or(false) {
            return Err(LinkError::Unknown);
        }
        for way in state.ways(software) {
            let software = Software {
                name: software.to_owned(),
                origin: way,
            };
            state.trust(software, in_whose_name.to_owned(), until);
        }
        drop(state);
        self.bump();
        Ok(())
    }

    /// Asks before each signature of a software again: in this name, or in everybody's where nobody says in whose.
    pub fn distrust(&self, software: &str, in_whose_name: Option<&str>) {
        let another_s = |name: &str| in_whose_name.is_some_and(|own| own != name);
        self.state()
            .trusted
            .retain(|trust| trust.software.name != software || another_s(&trust.in_whose_name));
        self.bump();
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

    /// Tells in the connection file where tokens for trying out are had. To be called before the door opens, and where nobody is real.
    pub fn offer_tokens(&self, tokens: TrainingTokens) {
        self.state().training = Some(tokens);
    }

    /// What is to be called when somebody should look at the window: a software or an approval waits.
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

    pub(crate) fn training_tokens(&self) -> Option<TrainingTokens> {
        self.state().training.clone()
    }

    pub(crate) fn presets(&self) -> &Presets {
        &self.0.presets
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

    /// Notes a refusal. The window learns of it at once, and of many within a second together: a page could keep it busy.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        let news = self.state().refused.add(refusal, Instant::now());
        match news {
            News::Now => self.bump(),
            News::Later(pause) => {
                let link = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(pause).await;
                    link.state().refused.told(Instant::now());
                    link.bump();
                });
            }
            News::Told => {}
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
    pub(crate) fn note(&self) {
        let link = self.clone();
        tokio::task::spawn_blocking(move || {
            let state = link.state();
            if let Err(error) = state.kept.write(link.folder()) {
                tracing::warn!(%error, "the last request could not be noted");
            }
        });
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bump(&self) {
        self.0.revision.send_modify(|revision| *revision = revision.wrapping_add(1));
    }

    pub(crate) fn midnight(&self) -> OffsetDateTime {
        self.0.options.clock.end_of_today()
    }
}
