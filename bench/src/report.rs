//! The figures, for machines and for people.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::figures::{Percentiles, ratio};
use crate::goals::{Goal, goals};
use crate::load::Round;
use crate::machine::MachineFacts;
use crate::peer::Peer;
use crate::process::Memory;

/// One run.
pub(crate) struct Report {
    pub(crate) made_at: OffsetDateTime,
    pub(crate) version: &'static str,
    pub(crate) quick: bool,
    pub(crate) machine: MachineFacts,
    /// Milliseconds from the start of the process to its first 200.
    pub(crate) start: Percentiles,
    /// The server before it was asked for anything.
    pub(crate) rest: Memory,
    pub(crate) rounds: Vec<Round>,
    /// Documents that came by the clock.
    pub(crate) arriving: Round,
    pub(crate) fee_notes: Round,
    /// The check of a fee note of twelve lines, as it is made while it is typed: what the caller waited, milliseconds.
    pub(crate) check_ms: Percentiles,
    pub(crate) signed: Signed,
    pub(crate) flat: Option<Flat>,
    pub(crate) peer: Option<Peer>,
    /// Why there is none although it was asked for.
    pub(crate) peer_failed: Option<String>,
}

/// The two things the peer does, each by itself, over HTTPS.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Signed {
    /// One page: what the caller waited.
    pub(crate) page_ms: Percentiles,
    /// One signature: what the caller waited.
    pub(crate) signature_ms: Percentiles,
    /// One signature: the server's own time, without the services; the mean.
    pub(crate) signature_own_mean_ms: f64,
    /// Of the unsigned page.
    pub(crate) page_bytes: usize,
}

/// A long run in slices.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Flat {
    documents: usize,
    pub(crate) slices: Vec<Round>,
    /// Resident memory at the end of the last slice to that of the second: the first fills what is kept of the newest documents.
    pub(crate) memory_growth: f64,
    /// The same of p95.
    pub(crate) p95_growth: f64,
}

impl Flat {
    pub(crate) fn of(slices: Vec<Round>) -> Self {
        let growth = |of: fn(&Round) -> f64| match (slices.get(1), slices.last()) {
            (Some(early), Some(late)) => ratio(of(late), of(early)).unwrap_or_default(),
            _ => 0.0,
        };
        Self {
            documents: slices.iter().map(|slice| slice.documents).sum(),
            memory_growth: growth(|slice| slice.memory.rss_mb),
            p95_growth: growth(|slice| slice.latency_ms.p95),
            slices,
        }
    }
}

/// Ours to the peer's, means; below one is less time or memory.
#[derive(Clone, Debug, Serialize)]
struct Ratios {
    /// One page set.
    page: Option<f64>,
    /// The signature around it, without the services.
    signature: Option<f64>,
    /// A whole eCIT of ours (three volets, signed, deposited, over HTTPS) to the peer's one signed page: what the caller waits.
    document: Option<f64>,
    /// Documents a minute, one at a time.
    per_minute: Option<f64>,
    /// Memory of the process at its peak.
    memory: Option<f64>,
}

impl Report {
    /// Every round of documents there was.
    pub(crate) fn everything(&self) -> impl Iterator<Item = &Round> {
        let slices = self.flat.iter().flat_map(|flat| &flat.slices);
        self.rounds.iter().chain([&self.arriving, &self.fee_notes]).chain(slices)
    }

    /// Answers that were not what they must be.
    pub(crate) fn errors(&self) -> usize {
        self.everything().map(Round::wrong).sum()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "made_at": self.made_at.format(&Rfc3339).unwrap_or_default(),
            "version": self.version,
            "quick": self.quick,
            "machine": self.machine,
            "start_ms": self.start,
            "memory_at_rest": self.rest,
            "load": self.rounds,
            "arriving": self.arriving,
            "fee_notes": self.fee_notes,
            "check_ms": self.check_ms,
            "alone": self.signed,
            "flat": self.flat,
            "peer": self.peer,
            "peer_failed": self.peer_failed,
            "ratios": self.ratios(),
            "goals": goals(self),
        })
    }

    fn ratios(&self) -> Option<Ratios> {
        let peer = self.peer.as_ref()?;
        let one = self.rounds.iter().find(|round| round.callers == 1)?;
        let peak = self.everything().map(|round| round.memory.peak_mb).fold(0.0, f64::max);
        Some(Ratios {
            page: ratio(self.signed.page_ms.mean, peer.page_ms.mean),
            signature: ratio(self.signed.signature_own_mean_ms, peer.signature_own_ms.mean),
            document: ratio(one.latency_ms.mean, peer.document_ms.mean),
            per_minute: ratio(one.per_minute, peer.per_minute),
            memory: ratio(peak, peer.peak_mb),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disturbed = if self.machine.disturbed { ": disturbed" } else { "" };
        writeln!(
            f,
            "others used {:.0} % of the machine{disturbed}\n",
            self.machine.others_share * 100.0
        )?;
        writeln!(f, "start to the first 200   {:>8.0} ms (median)", self.start.p50)?;
        writeln!(f, "memory at rest           {:>8.1} MB", self.rest.rss_mb)?;
        let Percentiles { p50, p95, .. } = self.check_ms;
        writeln!(f, "a check of twelve lines  {p50:>8.1} ms (median), {p95:.1} ms (p95)")?;
        writeln!(
            f,
            "\n      callers   a min   p50    p95    p99 ms   own p50  p95 ms   CPU ms: server stand-ins generator   MB  peak"
        )?;
        for round in self.rounds.iter().chain([&self.arriving, &self.fee_notes]) {
            row(f, round)?;
        }
        if let Some(flat) = &self.flat {
            writeln!(
                f,
                "\nflat over {} eCITs: memory × {}, p95 × {}",
                flat.documents, flat.memory_growth, flat.p95_growth
            )?;
            for slice in &flat.slices {
                row(f, slice)?;
            }
        }
        if let (Some(peer), Some(ratios)) = (&self.peer, self.ratios()) {
            compared(f, self, peer, &ratios)?;
        }
        writeln!(f)?;
        for Goal { what, goal, measured, met } in goals(self) {
            writeln!(f, "{}  {what}: {measured:.2} (goal {goal})", if met { "met   " } else { "MISSED" })?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, round: &Round) -> fmt::Result {
    let Percentiles { p50, p95, p99, .. } = round.latency_ms;
    let callers = if round.callers == 0 {
        "by clock".to_owned()
    } else {
        round.callers.to_string()
    };
    writeln!(
        f,
        "{:<4} {callers:>8} {:>7.0} {p50:>6.0} {p95:>6.0} {p99:>6.0}   {:>9.0} {:>7.0}   {:>14.1} {:>9.1} {:>9.1} {:>6.0} {:>5.0}{}",
        round.kind,
        round.per_minute,
        round.own_ms.p50,
        round.own_ms.p95,
        round.cpu_ms.server,
        round.cpu_ms.sandbox,
        round.cpu_ms.generator,
        round.memory.rss_mb,
        round.memory.peak_mb,
        if round.errors.is_empty() {
            String::new()
        } else {
            format!("  WRONG: {:?}", round.errors)
        },
    )
}

fn compared(f: &mut fmt::Formatter<'_>, report: &Report, peer: &Peer, ratios: &Ratios) -> fmt::Result {
    writeln!(
        f,
        "\n{}: the same page, the same keys\n                              ours     peer    ours/peer",
        peer.what
    )?;
    let mut line = |what: &str, ours: f64, theirs: f64, ratio: Option<f64>| {
        writeln!(f, "{what:<26} {ours:>7.1}  {theirs:>7.1}    {:>7.3}", ratio.unwrap_or_default())
    };
    let signed = &report.signed;
    line("one page, ms", signed.page_ms.mean, peer.page_ms.mean, ratios.page)?;
    line(
        "signing, own ms",
        signed.signature_own_mean_ms,
        peer.signature_own_ms.mean,
        ratios.signature,
    )?;
    if let Some(one) = report.rounds.iter().find(|round| round.callers == 1) {
        line("document, ms", one.latency_ms.mean, peer.document_ms.mean, ratios.document)?;
        line("documents a minute", one.per_minute, peer.per_minute, ratios.per_minute)?;
    }
    let peak = report.everything().map(|round| round.memory.peak_mb).fold(0.0, f64::max);
    line("memory at its peak, MB", peak, peer.peak_mb, ratios.memory)
}
