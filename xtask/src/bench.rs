use std::process::Command;

use crate::process::{Outcome, cargo, root, run};
use crate::setup;

/// The server under load beside the stand-ins, and the pipeline other people build, on this machine. Plain cargo and the release
/// profile: what is measured is what is delivered.
pub(crate) fn bench(arguments: &[&str]) -> Outcome {
    let peer = !arguments.contains(&"--no-peer");
    if peer {
        setup::to_bench()?;
    } else {
        setup::to_build_server()?;
    }
    let packages = ["econnector-server", "econnector-sandbox", "econnector-bench"];
    run(cargo()
        .args(["build", "--release", "--locked"])
        .args(packages.iter().flat_map(|package| ["--package", package])))?;
    let mut command = Command::new(root().join("target/release/econnector-bench"));
    command.current_dir(root());
    if peer {
        command.arg("--peer").arg(setup::venv().join("bin/python"));
    }
    run(command.args(arguments.iter().filter(|argument| **argument != "--no-peer")))
}
