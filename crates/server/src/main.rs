//! The hospital door: HTTPS from a p12, callers by token, API key or certificate, metrics and probes beside it, nothing on disk.

mod access;
mod clients;
mod connections;
mod environment;
mod files;
mod health;
mod healthcheck;
mod limits;
mod metrics;
mod reader;
mod serve;
mod terms;
mod tls;
mod turns;
mod wrong;

use std::io::{self, Write as _};
use std::process::ExitCode;

use time::OffsetDateTime;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::{ServerSettings, Variables};
use crate::reader::yes_or_no;
use crate::wrong::Wrong;

/// A fifth more documents a minute than with the C library's allocator, and less memory left between the pages: docs/bench.md.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "\
econnector-server              serves; settings come from the environment: docs/hospital.md
econnector-server --check      reads settings, files and certificates, and names everything wrong
econnector-server healthcheck  asks the server on this machine whether it is ready
econnector-server --license    prints the licence
econnector-server --version    prints the version
";

fn main() -> ExitCode {
    if let Some(code) = econnector_quarantine::enter() {
        return code;
    }
    econnector_base::no_crash_dumps();
    econnector_base::quiet_panics();
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => run(),
        ["--check"] => check(),
        ["healthcheck"] => healthcheck(),
        ["--license" | "--licence"] => print(terms::LICENSE),
        ["--version"] => print(concat!("econnector-server ", env!("CARGO_PKG_VERSION"), "\n")),
        ["--help" | "-h"] => print(USAGE),
        _ => {
            say(USAGE);
            ExitCode::from(2)
        }
    }
}

fn run() -> ExitCode {
    if !terms::accepted(variable("ACCEPT_LICENSE").as_deref()) {
        say(terms::IN_SHORT);
        return ExitCode::FAILURE;
    }
    log();
    let (settings, files) = match opened() {
        Ok(opened) => opened,
        Err(wrong) => {
            for wrong in &wrong {
                tracing::error!(setting = wrong.name, "{wrong}");
            }
            tracing::error!(count = wrong.len(), "the server does not start: mend the settings named above");
            return ExitCode::FAILURE;
        }
    };
    for note in settings.notes.iter().chain(&files.notes) {
        tracing::warn!("{note}");
    }
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(processors.max(2))
        // Pages are typeset on these: more at once than processors would only make each slower. The rest resolve names and read files.
        .max_blocking_threads(processors * 2 + 2)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no threads");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve::serve(settings, files, processors)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the server ended");
            ExitCode::FAILURE
        }
    }
}

/// Settings, and the files they name.
fn opened() -> Result<(ServerSettings, files::Files), Vec<Wrong>> {
    let variables = Variables {
        lookup: &variable,
        names: std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
    };
    let (settings, mut wrong) = ServerSettings::read(&variables)?;
    match files::open(&settings, OffsetDateTime::now_utc()) {
        Ok(files) if wrong.is_empty() => Ok((settings, files)),
        Ok(_) => Err(wrong),
        Err(mut found) => {
            // A file that is not named, or whose password is not, was spoken of already.
            let said = |name: &str| {
                wrong
                    .iter()
                    .any(|wrong| wrong.name.strip_suffix("_FILE").unwrap_or(&wrong.name) == name)
            };
            found.retain(|found| !said(&found.name));
            wrong.append(&mut found);
            Err(wrong)
        }
    }
}

fn check() -> ExitCode {
    let mut said = String::new();
    let mut wrong = Vec::new();
    if !terms::accepted(variable("ACCEPT_LICENSE").as_deref()) {
        wrong.push(Wrong::new(
            "ACCEPT_LICENSE",
            "does not accept the licence",
            "Read it by --license and set it to yes",
        ));
    }
    match opened() {
        Ok((settings, files)) => {
            said.extend(settings.notes.iter().chain(&files.notes).map(|note| format!("note: {note}\n")));
            said.extend(
                files
                    .expiries
                    .iter()
                    .map(|(certificate, until)| format!("{certificate}: valid until {}\n", until.date())),
            );
            wrong.extend(files::broken_packs(&settings));
        }
        Err(found) => wrong.extend(found),
    }
    said.extend(wrong.iter().map(|wrong| format!("wrong: {wrong}\n")));
    if wrong.is_empty() {
        said.push_str("everything can be used\n");
        return print(&said);
    }
    print(&said);
    ExitCode::FAILURE
}

fn healthcheck() -> ExitCode {
    let variables = Variables {
        lookup: &variable,
        names: Vec::new(),
    };
    let asked = ServerSettings::from_environment(&variables)
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        .and_then(|settings| healthcheck::ask(&settings));
    match asked {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&format!("{why}\n"));
            ExitCode::FAILURE
        }
    }
}

/// JSON lines on stderr. Of other people's programs only what is worth knowing: their debug output is not ours to vouch for.
fn log() {
    let own = match variable("DEBUG_LOG").as_deref().and_then(yes_or_no) {
        Some(true) => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .with_writer(io::stderr),
        )
        .with(Targets::new().with_default(LevelFilter::WARN).with_target("econnector", own))
        .init();
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn say(text: &str) {
    // Nothing can be done about a closed stderr.
    let _ = io::stderr().write_all(text.as_bytes());
}
