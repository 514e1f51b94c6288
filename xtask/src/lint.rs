use std::process::Command;

use crate::process::{Outcome, cargo, npm, run};
use crate::{policy, setup, texts};

/// Format, clippy, dependency policy, UI types, texts, generated files.
pub(crate) fn lint() -> Outcome {
    setup::to_build()?;
    texts::check()?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    run(npm("ui").args(["run", "--silent", "check"]))?;
    run(npm("ui").args(["run", "--silent", "test", "--", "texts"]))?;
    run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    policy::check()?;
    run(&mut in_step())?;
    run(npm("ui").args(["run", "--silent", "types", "--", "--check"]))
}

/// Writes the generated files anew.
pub(crate) fn generate() -> Outcome {
    setup::to_build()?;
    run(npm("ui").args(["run", "--silent", "build"]))?;
    run(in_step().env("ECONNECTOR_GENERATE", "1"))?;
    run(npm("ui").args(["run", "--silent", "types"]))
}

/// The test that compares docs/openapi.json, docs/problems.md and the UI's types with what the code says.
fn in_step() -> Command {
    let mut command = cargo();
    command.args(["test", "--locked", "--workspace", "--test", "in_step"]);
    command
}
