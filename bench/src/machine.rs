//! The machine the figures are of, and whether others used it meanwhile.

use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::figures::rounded;
use crate::process::Process;

/// Above this share of the machine, used by others, figures are called disturbed.
const QUIET: f64 = 0.05;

/// At the beginning of the run.
pub(crate) struct Machine {
    busy: f64,
    since: Instant,
}

/// At its end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MachineFacts {
    cpu: String,
    cores: usize,
    memory_mb: u64,
    kernel: String,
    /// Share of the machine's processors that went to programs that are no part of the run.
    pub(crate) others_share: f64,
    /// Whether that is too much for the figures to be trusted.
    pub(crate) disturbed: bool,
}

impl Machine {
    pub(crate) fn look() -> Self {
        Self {
            busy: busy_seconds(),
            since: Instant::now(),
        }
    }

    /// `own`: what ran as part of this; `more`: seconds of processor time of what ran and has ended.
    pub(crate) fn after(&self, own: &[Process], more: f64) -> MachineFacts {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let used: f64 = own.iter().filter_map(|process| Some(process.cpu().ok()?.as_secs_f64())).sum();
        let there = self.since.elapsed().as_secs_f64() * cores as f64;
        let others = (busy_seconds() - self.busy - used - more).max(0.0);
        let others_share = if there > 0.0 { rounded(others / there) } else { 0.0 };
        MachineFacts {
            cpu: line("/proc/cpuinfo", "model name"),
            cores,
            memory_mb: line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0_u64) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            others_share,
            disturbed: others_share > QUIET,
        }
    }
}

/// Seconds for which the processors did anything, user and system, since the machine started. Time stolen by a host counts: it is
/// missing as well.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (fields.iter().take(8).sum::<f64>() - idle) / 100.0
}

fn line(file: &str, name: &str) -> String {
    fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':').map(|(_, value)| value.trim().to_owned()))
        .unwrap_or_default()
}
