use std::process::Command;

use crate::process::{Outcome, cargo, npm, root, run};
use crate::setup;

/// The desktop. Without settings of the user's own it starts in training mode.
pub(crate) fn desktop(arguments: &[&str]) -> Outcome {
    setup::to_build()?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    run(cargo().args(["build", "--locked", "--package", "econnector"]))?;
    if cfg!(target_os = "linux") && std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none() {
        return Err("built, but there is no display: set DISPLAY (under Xvfb: xvfb-run target/debug/econnector)".to_owned());
    }
    run(Command::new(root().join("target/debug/econnector")).args(arguments))
}

/// The stand-ins and the hospital server, until stopped.
pub(crate) fn sandbox(ready_file: Option<&str>) -> Outcome {
    setup::to_build_server()?;
    run(cargo().args([
        "build",
        "--locked",
        "--package",
        "econnector-sandbox",
        "--package",
        "econnector-server",
    ]))?;
    let programs = root().join("target/debug");
    let mut command = Command::new(programs.join("econnector-sandbox"));
    command.arg("--server").arg(programs.join("econnector-server"));
    if let Some(file) = ready_file {
        command.args(["--ready-file", file]);
    }
    run(&mut command)
}
