use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs somebody else's program and returns what it said, both streams together.
///
/// # Panics
/// When it is not installed or says no.
#[must_use]
pub fn judge(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let (output, said) = run(program.as_ref(), arguments);
    assert!(output.status.success(), "{} {arguments:?}: {said}", program.as_ref().display());
    said
}

/// Runs somebody else's program, which must say no.
///
/// # Panics
/// When it is not installed or says yes.
#[must_use]
pub fn judge_fails(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let (output, said) = run(program.as_ref(), arguments);
    assert!(
        !output.status.success(),
        "{} {arguments:?} said yes: {said}",
        program.as_ref().display()
    );
    said
}

/// A program of the project's Python environment.
#[must_use]
pub fn venv_program(name: &str) -> PathBuf {
    let venv = std::env::var_os("ECONNECTOR_VENV").map_or_else(|| crate::project_file(".venv"), PathBuf::from);
    venv.join("bin").join(name)
}

/// Runs a Python script of tests/peers.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn python(script: &str, arguments: &[&str]) -> String {
    let script = crate::project_file("tests/peers").join(script);
    let mut all = vec![script.to_str().unwrap_or_default()];
    all.extend(arguments);
    judge(venv_program("python"), &all)
}

fn run(program: &Path, arguments: &[&str]) -> (Output, String) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run ({error}): `cargo xtask test` installs it", program.display()));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output, said)
}
