use std::process::Command;

use crate::process::{Outcome, cargo, npm, run};
use crate::{compat, policy, postman, setup, texts};

/// Format, clippy, dependency policy, UI types, texts, generated files, the promise to integrators.
pub(crate) fn lint() -> Outcome {
    setup::to_build()?;
    setup::peers()?;
    texts::check()?;
    compat::check()?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    run(npm("ui").args(["run", "--silent", "check"]))?;
    run(npm("ui").args(["run", "--silent", "test", "--", "texts"]))?;
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    policy::check()?;
    run(&mut in_step())?;
    postman::check()?;
    run(npm("ui").args(["run", "--silent", "types", "--", "--check"]))
}

/// Writes the generated files anew.
pub(crate) fn generate() -> Outcome {
    setup::to_build()?;
    setup::peers()?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    run(in_step().env("ECONNECTOR_GENERATE", "1"))?;
    postman::write()?;
    run(npm("ui").args(["run", "--silent", "types"]))
}

/// The test that compares docs/openapi.json, docs/problems.md and the UI's types with what the code says.
fn in_step() -> Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--workspace", "--test", "in_step"]);
    command
}
