//! `econnector-bench`: the hospital's server under load, beside the stand-ins, on this machine. `cargo xtask bench` builds and runs it;
//! docs/bench.md says what is measured and what it found.

mod answer;
mod figures;
mod form;
mod goals;
mod load;
mod machine;
mod peer;
mod process;
mod programs;
mod report;
mod tokens;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Problem;
use crate::figures::Percentiles;
use crate::form::Form;
use crate::load::{Load, Round, Target};
use crate::machine::Machine;
use crate::process::Process;
use crate::programs::Programs;
use crate::report::{Flat, Report, Signed};

const USAGE: &str = "econnector-bench [--quick] [--requests N] [--report FILE] [--peer PYTHON]

  --quick        a short run: the figures are rough
  --requests N   how many documents the run for flatness makes; 0 leaves it out
  --report FILE  where the figures go (target/bench/report.json)
  --peer PYTHON  measure the pipeline of bench/peer with this interpreter too";

/// What one run consists of.
struct Plan {
    /// Callers at a time, and how many documents they make together.
    rounds: [(usize, usize); 3],
    /// Documents that arrive by the clock, [`PER_MINUTE`].
    arriving: usize,
    /// The same as `rounds` for fee notes.
    fee_notes: (usize, usize),
    /// Documents before anything is counted.
    warm_up: usize,
    /// Starts of the server that are timed.
    starts: usize,
    /// Documents of the peer, after as many to warm up; as many checks, pages and signatures of ours.
    peer: usize,
    /// Documents of the run for flatness, where nothing else is said.
    flat: usize,
    quick: bool,
}

impl Plan {
    const FULL: Self = Self {
        rounds: [(1, 500), (8, 2000), (32, 3000)],
        arriving: 2000,
        fee_notes: (8, 1000),
        warm_up: 200,
        starts: 7,
        peer: 300,
        flat: 100_000,
        quick: false,
    };
    const QUICK: Self = Self {
        rounds: [(1, 60), (8, 120), (32, 160)],
        arriving: 100,
        fee_notes: (8, 60),
        warm_up: 20,
        starts: 2,
        peer: 40,
        flat: 0,
        quick: true,
    };
}

/// How many documents arrive in a minute where they arrive by the clock: the load that is promised.
const PER_MINUTE: usize = 1000;
/// Callers of the run for flatness.
const FLAT_CALLERS: usize = 8;
/// Into how many parts that run is cut.
const SLICES: usize = 10;

struct Arguments {
    plan: Plan,
    report: PathBuf,
    peer: Option<PathBuf>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut arguments = Self {
            plan: Plan::FULL,
            report: PathBuf::from("target/bench/report.json"),
            peer: None,
        };
        let mut requests = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => arguments.plan = Plan::QUICK,
                "--requests" => requests = Some(words.next()?.parse().ok()?),
                "--report" => arguments.report = words.next()?.into(),
                "--peer" => arguments.peer = Some(words.next()?.into()),
                _ => return None,
            }
        }
        arguments.plan.flat = requests.unwrap_or(arguments.plan.flat);
        Some(arguments)
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error("{0}")]
    Programs(#[from] programs::ProgramsError),
    #[error("{0}")]
    Token(#[from] tokens::TokenError),
    #[error("the example values: {0}")]
    Form(#[from] form::FormError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the report: {0}")]
    Json(#[from] serde_json::Error),
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
    #[error("a process that is measured has gone: {0}")]
    Gone(#[from] process::Gone),
    #[error("{what} answered {status}, {}", .problem.code)]
    Refused { what: &'static str, status: u16, problem: Problem },
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::FAILURE;
    };
    // One thread: the generator shares the machine with what it measures.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error.to_string()),
    };
    match runtime.block_on(bench(&arguments)) {
        Ok(report) => {
            let _ = write!(io::stdout(), "{report}");
            match &report.peer_failed {
                _ if report.errors() > 0 => failure("not every document was answered rightly"),
                Some(why) => failure(why),
                None => ExitCode::SUCCESS,
            }
        }
        Err(error) => failure(&error.to_string()),
    }
}

fn failure(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "econnector-bench: {why}");
    ExitCode::FAILURE
}

fn say(what: &str) {
    let _ = writeln!(io::stderr(), "bench: {what}");
}

async fn bench(arguments: &Arguments) -> Result<Report, BenchError> {
    let plan = &arguments.plan;
    let machine = Machine::look();
    say("starting the stand-ins and the server");
    let programs = Programs::start().await?;
    let (server, sandbox) = (programs.server(), programs.sandbox());
    let rest = server.now()?;

    say("timing starts");
    let mut start = Vec::new();
    for _ in 0..plan.starts {
        start.push(programs.time_a_start().await?);
    }

    let target = Arc::new(Target::new(&programs, tokens::Tokens::of(&programs)?)?);
    let load = Load::new(target.clone(), server, sandbox);
    let note = Arc::new(Form::read("ecit", "illness", &programs)?);
    let fee_note = Arc::new(Form::read("mh", "three-lines", &programs)?);
    let long = Form::read("mh", "twelve-lines", &programs)?;
    load.round(&note, 2, plan.warm_up).await?;

    let mut rounds = Vec::new();
    for (callers, documents) in plan.rounds {
        say(&format!("{documents} eCITs by {callers}"));
        rounds.push(load.round(&note, callers, documents).await?);
    }
    say(&format!("{} eCITs, {PER_MINUTE} a minute", plan.arriving));
    let arriving = load.arriving(&note, PER_MINUTE, plan.arriving).await?;
    let (callers, documents) = plan.fee_notes;
    say(&format!("{documents} MHs by {callers}"));
    let fee_notes = load.round(&fee_note, callers, documents).await?;

    say("one check, one page, and one signature");
    let check_ms = checks(&target, &long, plan).await?;
    let signed = signed(&target, &note, plan).await?;
    let flat = flat(&load, &note, plan.flat).await?;

    let (peer, peer_failed) = match &arguments.peer {
        None => (None, None),
        Some(python) => {
            say("the peer");
            // Figures of an hour are not thrown away for want of something to compare them with.
            match peer::measure(python, &programs, &note, plan.peer, target.sample().await.as_deref()).await {
                Ok(peer) => (Some(peer), None),
                Err(error) => (None, Some(error.to_string())),
            }
        }
    };
    let report = Report {
        made_at: time::OffsetDateTime::now_utc(),
        version: env!("CARGO_PKG_VERSION"),
        quick: plan.quick,
        machine: machine.after(&[server, sandbox, Process::this()], programs.spent_elsewhere()),
        start: Percentiles::of(&mut start),
        rest,
        rounds,
        arriving,
        fee_notes,
        check_ms,
        signed,
        flat,
        peer,
        peer_failed,
    };
    write(&arguments.report, &serde_json::to_vec_pretty(&report.json())?)?;
    programs.stop().await;
    Ok(report)
}

/// What a physician waits for while she types: the check of a long fee note, one after the other.
async fn checks(target: &Target, form: &Form, plan: &Plan) -> Result<Percentiles, BenchError> {
    let mut took = Vec::new();
    for n in 0..plan.peer * 2 {
        if n == plan.peer {
            took.clear();
        }
        took.push(target.check(form).await?.as_secs_f64() * 1000.0);
    }
    Ok(Percentiles::of(&mut took))
}

/// A page by itself and a signature by itself, one after the other: what the peer is compared with.
async fn signed(target: &Arc<Target>, form: &Form, plan: &Plan) -> Result<Signed, BenchError> {
    let (mut page, mut signature) = (Vec::new(), Vec::new());
    let mut before = 0.0;
    let mut bytes = 0;
    for n in 0..plan.peer * 2 {
        // The first half warms up, as the peer's does.
        if n == plan.peer {
            (page, signature, before) = (Vec::new(), Vec::new(), target.spent_signing().await?);
        }
        let (pdf, took) = target.page(form).await?;
        page.push(took.as_secs_f64() * 1000.0);
        signature.push(target.signature(&pdf).await?.as_secs_f64() * 1000.0);
        bytes = pdf.len();
    }
    let own = (target.spent_signing().await? - before) * 1000.0 / plan.peer as f64;
    Ok(Signed {
        page_ms: Percentiles::of(&mut page),
        signature_ms: Percentiles::of(&mut signature),
        signature_own_mean_ms: figures::rounded(own),
        page_bytes: bytes,
    })
}

/// The same work again and again: neither memory nor time may grow.
async fn flat(load: &Load, form: &Arc<Form>, documents: usize) -> Result<Option<Flat>, BenchError> {
    if documents == 0 {
        return Ok(None);
    }
    let mut slices: Vec<Round> = Vec::new();
    let slice = documents.div_ceil(SLICES);
    for n in 0..SLICES {
        slices.push(load.round(form, FLAT_CALLERS, slice).await?);
        if let Some(last) = slices.last() {
            say(&format!("flatness {}/{SLICES}: {}", n + 1, last.line()));
        }
    }
    Ok(Some(Flat::of(slices)))
}

fn write(file: &Path, json: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, json)
}

/// How long one answer may take before it counts as an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
