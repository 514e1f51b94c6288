//! What monitoring sees. No label tells who a caller or a patient is: forms, routes, codes and results only.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use econnector_connector::{Connector, Observation, Observer};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;

use crate::turns::Gate;

/// Seconds: from a page set in no time to an authority that takes its whole time-out.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    action: &'static str,
    kind: String,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CertificateLabels {
    certificate: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
    environment: String,
}

/// The numbers, and the text they are asked for in.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
    rejected: Family<ReasonLabels, Counter>,
    handshake_failures: Counter,
    outcomes: Family<OutcomeLabels, Counter>,
    outcomes_unknown: Counter,
    own_seconds: Family<ActionLabels, Histogram>,
    remote_seconds: Family<ActionLabels, Histogram>,
    exchanges: Family<ResultLabels, Counter>,
    tokens: Gauge,
    expiries: Family<CertificateLabels, Gauge>,
    reloads: Family<ResultLabels, Counter>,
    reload_failing: Gauge,
    build: Family<BuildLabels, Gauge>,
    ready: Gauge,
    turns_open: Gauge,
    turns_taken: Gauge,
    turns_waiting: Gauge,
    memory: Gauge,
    known_expiries: Mutex<BTreeMap<&'static str, OffsetDateTime>>,
}

impl Metrics {
    pub(crate) fn new(environment: &str) -> Self {
        fn histogram() -> Histogram {
            Histogram::new(BUCKETS)
        }
        fn timed<L: Clone + std::hash::Hash + Eq>() -> Family<L, Histogram> {
            Family::new_with_constructor(histogram)
        }
        let metrics = Self {
            requests: Family::default(),
            request_seconds: timed(),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            handshake_failures: Counter::default(),
            outcomes: Family::default(),
            outcomes_unknown: Counter::default(),
            own_seconds: timed(),
            remote_seconds: timed(),
            exchanges: Family::default(),
            tokens: Gauge::default(),
            expiries: Family::default(),
            reloads: Family::default(),
            reload_failing: Gauge::default(),
            build: Family::default(),
            ready: Gauge::default(),
            turns_open: Gauge::default(),
            turns_taken: Gauge::default(),
            turns_waiting: Gauge::default(),
            memory: Gauge::default(),
            known_expiries: Mutex::default(),
            registry: Registry::default(),
        };
        let mut all = Registry::default();
        // Under the names that every exporter has for these two.
        all.register("process_resident_memory_bytes", "Memory of this process", metrics.memory.clone());
        let start: Gauge = Gauge::default();
        start.set(OffsetDateTime::now_utc().unix_timestamp());
        all.register(
            "process_start_time_seconds",
            "When this process started, in seconds since 1970",
            start,
        );
        let registry = all.sub_registry_with_prefix("econnector");
        registry.register(
            "requests",
            "Requests answered, by route template, method and status",
            metrics.requests.clone(),
        );
        registry.register(
            "request_seconds",
            "Time from the head of a request to the head of its answer",
            metrics.request_seconds.clone(),
        );
        registry.register("requests_in_flight", "Requests under way", metrics.in_flight.clone());
        registry.register(
            "rejected",
            "Requests and connections turned away, by reason",
            metrics.rejected.clone(),
        );
        registry.register(
            "handshake_failures",
            "Connections that did not come to TLS",
            metrics.handshake_failures.clone(),
        );
        registry.register(
            "outcomes",
            "Use cases that came to an end, by action, form and code (ok, recorded, or a problem's)",
            metrics.outcomes.clone(),
        );
        registry.register(
            "outcomes_unknown",
            "Use cases that were sent and whose answer was lost: somebody must ask mySecu",
            metrics.outcomes_unknown.clone(),
        );
        registry.register(
            "own_seconds",
            "Time of a use case spent in this program",
            metrics.own_seconds.clone(),
        );
        registry.register(
            "remote_seconds",
            "Time of a use case spent waiting for the authorities",
            metrics.remote_seconds.clone(),
        );
        registry.register(
            "token_exchanges",
            "Tokens in a physician's name, by result: hit, miss or failure",
            metrics.exchanges.clone(),
        );
        registry.register("tokens_kept", "Tokens in a physician's name in memory", metrics.tokens.clone());
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When a certificate ends, in seconds since 1970: of several the first",
            metrics.expiries.clone(),
        );
        registry.register("reloads", "Changed files read, by result", metrics.reloads.clone());
        registry.register(
            "reload_failing",
            "1 while a changed file cannot be used and the one before it is served",
            metrics.reload_failing.clone(),
        );
        registry.register("build_info", "Version and environment; always 1", metrics.build.clone());
        registry.register("ready", "1 while this instance wants requests", metrics.ready.clone());
        registry.register(
            "turns_open",
            "Requests that may be worked on at once now",
            metrics.turns_open.clone(),
        );
        registry.register("turns_taken", "Requests worked on", metrics.turns_taken.clone());
        registry.register("turns_waiting", "Requests waiting for their turn", metrics.turns_waiting.clone());
        metrics
            .build
            .get_or_create(&BuildLabels {
                version: env!("CARGO_PKG_VERSION"),
                environment: environment.to_owned(),
            })
            .set(1);
        // What never happened is 0 and not absent: alerts on an increase need a beginning.
        for result in ["hit", "miss", "failure"] {
            drop(metrics.exchanges.get_or_create(&ResultLabels { result }));
        }
        for result in ["ok", "failed"] {
            drop(metrics.reloads.get_or_create(&ResultLabels { result }));
        }
        for reason in ["busy", "caller", "client", "size", "body", "cut", "answer", "connections", "silent"] {
            drop(metrics.rejected.get_or_create(&ReasonLabels { reason }));
        }
        Self { registry: all, ..metrics }
    }

    pub(crate) fn started(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.in_flight.dec();
        self.request_seconds
            .get_or_create(&RouteLabels { route: route.clone() })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
    }

    pub(crate) fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshake_failures.inc();
    }

    pub(crate) fn expires(&self, certificate: &'static str, at: OffsetDateTime) {
        self.expiries
            .get_or_create(&CertificateLabels { certificate })
            .set(at.unix_timestamp());
        self.known_expiries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(certificate, at);
    }

    /// The certificates without which nothing works and that have ended.
    pub(crate) fn ended(&self, now: OffsetDateTime) -> Vec<&'static str> {
        let known = self.known_expiries.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(_, at)| **at <= now).map(|(name, _)| *name).collect()
    }

    pub(crate) fn reloaded(&self, well: bool) {
        let result = if well { "ok" } else { "failed" };
        self.reloads.get_or_create(&ResultLabels { result }).inc();
        self.reload_failing.set(i64::from(!well));
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// The text format of Prometheus, version 0.0.4, which everything that scrapes reads.
    pub(crate) fn text(&self, connector: &Connector, gate: &Gate) -> String {
        let exchanges = connector.exchanges();
        for (result, count) in [("hit", exchanges.hits), ("miss", exchanges.misses), ("failure", exchanges.failures)] {
            let counter = self.exchanges.get_or_create(&ResultLabels { result });
            let known: &AtomicU64 = counter.inner();
            known.store(count, Ordering::Relaxed);
        }
        let set = |gauge: &Gauge<i64, AtomicI64>, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.tokens, exchanges.kept);
        let (open, taken, waiting) = gate.load();
        set(&self.turns_open, open as u64);
        set(&self.turns_taken, taken as u64);
        set(&self.turns_waiting, waiting as u64);
        set(&self.memory, resident_bytes());
        let mut written = String::new();
        // Writing into a string cannot fail.
        let _ = text::encode_registry(&mut written, &self.registry);
        classic(&written)
    }
}

/// OpenMetrics names a counter without the `_total` of its samples; the older text format, with it.
fn classic(open_metrics: &str) -> String {
    let mut counters: Vec<&str> = Vec::new();
    for line in open_metrics.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter")) {
            counters.push(name);
        }
    }
    let mut written = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let renamed = ["# HELP ", "# TYPE "].into_iter().find_map(|start| {
            let (name, rest) = line.strip_prefix(start)?.split_once(' ')?;
            counters.contains(&name).then(|| format!("{start}{name}_total {rest}"))
        });
        written.push_str(renamed.as_deref().unwrap_or(line));
        written.push('\n');
    }
    written
}

/// As Linux counts it; 0 elsewhere.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

/// Hears of every use case that came to an end.
pub(crate) struct Watch {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gate: Arc<Gate>,
}

impl Observer for Watch {
    fn observed(&self, what: &Observation) {
        let action = what.action.as_str();
        let labels = ActionLabels {
            action,
            kind: what.kind.clone(),
        };
        self.metrics
            .outcomes
            .get_or_create(&OutcomeLabels {
                action,
                kind: what.kind.clone(),
                code: what.outcome,
            })
            .inc();
        if what.outcome.ends_with("-outcome-unknown") {
            self.metrics.outcomes_unknown.inc();
        }
        if what.outcome == "ok" {
            self.metrics.own_seconds.get_or_create(&labels).observe(what.own.as_secs_f64());
            self.metrics
                .remote_seconds
                .get_or_create(&labels)
                .observe(what.remote.as_secs_f64());
            self.gate.tune(what.own, what.remote);
        }
    }
}

#[cfg(test)]
mod tests {
    use econnector_connector::Action;

    use super::*;

    #[test]
    fn counters_bear_the_same_name_in_head_and_sample() {
        let open = "# HELP a_b What.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# HELP a_b_c Other.\n# TYPE a_b_c gauge\na_b_c 2\n";
        let expected =
            "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n# HELP a_b_c Other.\n# TYPE a_b_c gauge\na_b_c 2\n";
        assert_eq!(classic(open), expected);
    }

    #[test]
    fn a_lost_outcome_is_counted_from_a_beginning_that_is_told() {
        let metrics = Arc::new(Metrics::new("training"));
        let watch = Watch {
            metrics: Arc::clone(&metrics),
            gate: Gate::new(&crate::limits::Limits::default(), 1),
        };
        let told = || {
            let mut written = String::new();
            text::encode_registry(&mut written, &metrics.registry).unwrap();
            classic(&written)
        };
        let has = |line: &str| told().lines().any(|told| told == line);
        assert!(has("econnector_outcomes_unknown_total 0"), "{}", told());
        for outcome in [
            "ok",
            "mysecu-refused",
            "simulation-answer-lost",
            "mysecu-outcome-unknown",
            "payment-outcome-unknown",
        ] {
            watch.observed(&Observation {
                action: Action::Deposit,
                kind: "ecit".to_owned(),
                outcome,
                own: Duration::from_millis(40),
                remote: Duration::from_millis(400),
            });
        }
        assert!(has("econnector_outcomes_unknown_total 2"), "{}", told());
        assert!(told().lines().any(|line| line.starts_with("process_start_time_seconds 1")));
    }

    #[test]
    fn an_ended_certificate_is_known_by_its_name() {
        let metrics = Metrics::new("training");
        let now = OffsetDateTime::now_utc();
        metrics.expires("server", now + time::Duration::days(1));
        metrics.expires("mysecu_client", now - time::Duration::days(1));
        assert_eq!(metrics.ended(now), ["mysecu_client"]);
        metrics.expires("mysecu_client", now + time::Duration::days(1));
        assert!(metrics.ended(now).is_empty());
    }
}
