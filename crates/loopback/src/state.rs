//! What the link knows while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::kept::Kept;
use crate::private::Digest;
use crate::refused::Refusals;
use crate::view::{Decision, OriginView, SoftwareView, WaitingKind, WaitingView};
use crate::{Approval, LinkError, LinkOptions, Software, TrainingTokens, Wants, origin};

/// Questions about software that may wait at the same time.
const MOST_WAITING: usize = 8;
/// Requests of one software that may wait for the same consent: the others hold no connection.
const MOST_CALLERS: usize = 4;
/// A question about a software that has not called again for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(crate) struct Presets {
    pub(crate) software: BTreeSet<String>,
    pub(crate) origins: Vec<(String, Digest)>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) kept: Kept,
    /// What allowed software did since the start.
    pub(crate) arrivals: BTreeMap<String, Arrival>,
    pub(crate) trusted: Vec<Trust>,
    pub(crate) refused: Refusals,
    pub(crate) consents: Vec<Consent>,
    pub(crate) approvals: Vec<Pending>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) training: Option<TrainingTokens>,
    /// Why the door did not open, the last time it was to.
    pub(crate) trouble: Option<LinkError>,
}

/// Nothing is asked until then.
pub(crate) struct Trust {
    pub(crate) software: Software,
    /// [`Approval::in_whose_name`].
    pub(crate) in_whose_name: String,
    pub(crate) until: OffsetDateTime,
}

pub(crate) struct Arrival {
    pub(crate) first: OffsetDateTime,
    pub(crate) last: OffsetDateTime,
    /// The web origins it called from; none for a program of its own.
    pub(crate) ways: BTreeSet<Option<String>>,
}

pub(crate) struct Consent {
    pub(crate) id: Uuid,
    pub(crate) software: Software,
    pub(crate) wants: Wants,
    pub(crate) since: OffsetDateTime,
    pub(crate) asked: Instant,
    pub(crate) decided: watch::Sender<Option<bool>>,
}

pub(crate) struct Pending {
    pub(crate) id: Uuid,
    pub(crate) software: Software,
    pub(crate) approval: Arc<Approval>,
    pub(crate) since: OffsetDateTime,
    pub(crate) answer: oneshot::Sender<bool>,
}

impl Presets {
    pub(crate) fn of(options: &LinkOptions) -> Result<Self, LinkError> {
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
    pub(crate) fn allowed(&self, name: &str, presets: &Presets) -> Option<bool> {
        match self.kept.software(name) {
            Some(known) => Some(known.allowed),
            None => presets.software.contains(name).then_some(true),
        }
    }

    /// Notes a request of an allowed software. Whether the day of it is worth keeping.
    pub(crate) fn seen(&mut self, software: &Software, now: OffsetDateTime) -> bool {
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
    pub(crate) fn ask(
        &mut self,
        software: &Software,
        wants: Wants,
        now: OffsetDateTime,
    ) -> Result<(watch::Receiver<Option<bool>>, bool), LinkError> {
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

    pub(crate) fn forget_stale(&mut self) {
        self.consents
            .retain(|consent| consent.decided.receiver_count() > 0 || consent.asked.elapsed() < FORGOTTEN);
    }

    pub(crate) fn trusts(&self, software: &Software, in_whose_name: &str, now: OffsetDateTime) -> bool {
        let mut kept = self.trusted.iter();
        kept.any(|trust| trust.software == *software && trust.in_whose_name == in_whose_name && now < trust.until)
    }

    /// Trusts a software in somebody's name, and says yes to what it waits for in that name: what comes after would not be shown
    /// either.
    pub(crate) fn trust(&mut self, software: Software, in_whose_name: String, until: OffsetDateTime) {
        let waits = |pending: &mut Pending| pending.software == software && pending.approval.in_whose_name == in_whose_name;
        for pending in self.approvals.extract_if(.., waits) {
            // Who hung up needs no answer.
            let _ = pending.answer.send(true);
        }
        self.trusted
            .retain(|trust| trust.software != software || trust.in_whose_name != in_whose_name);
        self.trusted.push(Trust {
            software,
            in_whose_name,
            until,
        });
    }

    /// Ends the trust in some software and refuses what it waits for.
    pub(crate) fn withdraw(&mut self, concerned: impl Fn(&Software) -> bool) {
        self.trusted.retain(|trust| !concerned(&trust.software));
        for pending in self.approvals.extract_if(.., |pending| concerned(&pending.software)) {
            let _ = pending.answer.send(false);
        }
    }

    /// From where a software called since the start; one that did not is a program of its own. A page that calls itself like a program
    /// is another way, and stays another.
    pub(crate) fn ways(&self, name: &str) -> BTreeSet<Option<String>> {
        let arrived = self.arrivals.get(name).map(|arrival| arrival.ways.clone());
        arrived.unwrap_or_else(|| BTreeSet::from([None]))
    }

    pub(crate) fn own_origins(&self) -> Vec<String> {
        let port = self.addresses.first().map(SocketAddr::port);
        port.into_iter()
            .flat_map(|port| ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}")))
            .collect()
    }

    /// What is known of each software; the trust in it is that in this name.
    pub(crate) fn software(&self, presets: &Presets, in_whose_name: Option<&str>, now: OffsetDateTime) -> Vec<SoftwareView> {
        let own = |trust: &&Trust| in_whose_name == Some(trust.in_whose_name.as_str()) && now < trust.until;
        let trusted_until = |name: &str| {
            let of_it = self.trusted.iter().filter(own).filter(|trust| trust.software.name == name);
            of_it.map(|trust| trust.until).max()
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

    pub(crate) fn origins(&self, presets: &Presets) -> Vec<OriginView> {
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

    pub(crate) fn waiting(&self) -> Vec<WaitingView> {
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
