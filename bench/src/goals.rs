//! What was promised, beside what was measured.

use serde::Serialize;

use crate::report::Report;

/// Documents a minute, signed and deposited.
const PER_MINUTE: f64 = crate::PER_MINUTE as f64;
/// Megabytes the server's process may hold.
const MEMORY_MB: f64 = 128.0;
/// Milliseconds of our own time for a document, in 95 of 100.
const OWN_MS: f64 = 150.0;
/// Milliseconds for the check of a long form, in 95 of 100: nobody who types may feel it.
const CHECK_MS: f64 = 50.0;
/// How much more the last tenth of a long run may take than the second.
const FLAT: f64 = 1.25;

/// One promise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) goal: f64,
    pub(crate) measured: f64,
    pub(crate) met: bool,
}

impl Goal {
    fn at_least(what: impl Into<String>, goal: f64, measured: f64) -> Self {
        Self {
            what: what.into(),
            goal,
            measured,
            met: measured >= goal,
        }
    }

    fn at_most(what: impl Into<String>, goal: f64, measured: f64) -> Self {
        Self {
            what: what.into(),
            goal,
            measured,
            met: measured <= goal,
        }
    }
}

/// Every promise that this run can tell about.
pub(crate) fn goals(report: &Report) -> Vec<Goal> {
    let best = report.rounds.iter().map(|round| round.per_minute).fold(0.0, f64::max);
    let peak = report.everything().map(|round| round.memory.peak_mb).fold(0.0, f64::max);
    let mut goals = vec![
        Goal::at_least("eCITs a minute", PER_MINUTE, best),
        Goal::at_most("server memory at its peak, MB", MEMORY_MB, peak),
    ];
    // At full load a document waits for those before it, however fast each is: the promise is about the load that is promised.
    goals.push(Goal::at_most(
        format!("own time p95 at {PER_MINUTE} a minute, ms"),
        OWN_MS,
        report.arriving.own_ms.p95,
    ));
    goals.push(Goal::at_most("check of twelve lines p95, ms", CHECK_MS, report.check_ms.p95));
    if let Some(flat) = &report.flat {
        goals.push(Goal::at_most("memory, last tenth / second", FLAT, flat.memory_growth));
        goals.push(Goal::at_most("p95, last tenth / second", FLAT, flat.p95_growth));
    }
    goals.push(Goal::at_most("wrong answers", 0.0, report.errors() as f64));
    goals
}
