//! The project's commands: `cargo xtask run | test | sandbox | bench | lint`. Each installs what it needs and says so.

mod bench;
mod compat;
mod lint;
mod policy;
mod postman;
mod process;
mod run;
mod setup;
mod test;
mod texts;

use std::process::ExitCode;

const USAGE: &str = "cargo xtask <command>

  run                        build and open the desktop in training mode (nothing leaves this machine)
  test                       run every test
  sandbox [--ready-file F]   run the stand-ins (AeS, KMS, mySecu) and the hospital server until stopped
  bench [--quick] [--requests N] [--no-peer]
                             the server under load beside the stand-ins, and what others build; target/bench/report.json
  lint                       format, clippy, dependency policy, texts, generated files in step, nothing of v1 taken away
  generate                   write the generated files anew: docs/openapi.json, docs/problems.md,
                             docs/postman_collection.json, UI types";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["run", rest @ ..] => run::desktop(rest),
        ["test"] => test::test(),
        ["sandbox"] => run::sandbox(None),
        ["sandbox", "--ready-file", file] => run::sandbox(Some(file)),
        ["bench", rest @ ..] => bench::bench(rest),
        ["lint"] => lint::lint(),
        ["generate"] => lint::generate(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
