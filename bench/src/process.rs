//! What `/proc` says about a process.

use std::fs;
use std::time::Duration;

use serde::Serialize;

use crate::figures::rounded;

/// USER_HZ: in what `/proc/PID/stat` counts time. The kernel's interface fixes it at 100 on every architecture this runs on.
const TICKS: f64 = 100.0;

/// A process that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

/// It ended while it was measured.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Gone(u32);

/// Memory of one process at one moment, in megabytes (2^20).
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    /// Resident: `VmRSS`.
    pub(crate) rss_mb: f64,
    /// The most that was ever resident: `VmHWM`.
    pub(crate) peak_mb: f64,
    /// Resident, pages shared with others counted in part: `Pss`.
    pub(crate) pss_mb: f64,
    pub(crate) threads: u64,
}

impl Process {
    pub(crate) const fn with_id(id: u32) -> Self {
        Self(id)
    }

    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Its memory now.
    pub(crate) fn now(self) -> Result<Memory, Gone> {
        let status = self.read("status")?;
        let field = |name: &str| kilobytes(&status, name);
        // Not every kernel tells.
        let smaps = self.read("smaps_rollup").unwrap_or_default();
        Ok(Memory {
            rss_mb: megabytes(field("VmRSS:")),
            peak_mb: megabytes(field("VmHWM:")),
            pss_mb: megabytes(kilobytes(&smaps, "Pss:")),
            threads: field("Threads:"),
        })
    }

    /// Forgets the peak, so that the next one is of what happens from now on.
    pub(crate) fn forget_peak(self) {
        // Where the kernel does not do it the peak is that since the start: never too low.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    /// Processor time it used so far, all threads.
    pub(crate) fn cpu(self) -> Result<Duration, Gone> {
        let stat = self.read("stat")?;
        // Behind the name, which may hold anything: state is the first, utime and stime are the 12th and 13th.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let mut fields = behind
            .split_whitespace()
            .skip(11)
            .map(|field| field.parse::<f64>().unwrap_or_default());
        let ticks = fields.next().unwrap_or_default() + fields.next().unwrap_or_default();
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }

    /// The environment it was started with.
    pub(crate) fn environment(self) -> Result<Vec<(String, String)>, Gone> {
        let environ = self.read("environ")?;
        Ok(environ
            .split('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// The first process that it started and that runs.
    pub(crate) fn child(self) -> Option<Self> {
        let mut children = fs::read_dir("/proc").ok()?.filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = Self(id).read("stat").ok()?;
            let (_, behind) = stat.rsplit_once(')')?;
            let parent: u32 = behind.split_whitespace().nth(1)?.parse().ok()?;
            (parent == self.0).then_some(Self(id))
        });
        children.next()
    }

    fn read(self, what: &str) -> Result<String, Gone> {
        fs::read_to_string(format!("/proc/{}/{what}", self.0)).map_err(|_| Gone(self.0))
    }
}

fn kilobytes(text: &str, field: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

fn megabytes(kilobytes: u64) -> f64 {
    rounded(kilobytes as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_at_work() {
        let this = Process::this();
        let before = this.cpu().unwrap();
        let ballast = vec![1_u8; 64 << 20];
        let mut sum = 0_u64;
        // Filling the ballast may already have taken longer: it is read once at least, so that it is there to be weighed.
        loop {
            sum += ballast.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            if this.cpu().unwrap() >= before + Duration::from_millis(50) {
                break;
            }
        }
        let now = this.now().unwrap();
        assert!(sum > 0, "read nothing of {}", ballast.len());
        assert!(now.rss_mb >= 64.0 && now.peak_mb >= now.rss_mb && now.threads >= 1, "{now:?}");
        assert!(this.environment().unwrap().iter().any(|(name, _)| name == "PATH"));
        assert!(Process::with_id(u32::MAX).now().is_err());
        let mut child = std::process::Command::new("sleep").arg("10").spawn().unwrap();
        assert_eq!(this.child(), Some(Process::with_id(child.id())));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
