use std::process::{Child, Command, Stdio};

/// Ends a program and whatever it started: a session bus does not take its driver along.
pub(crate) fn stop(child: &mut Child) {
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{}", child.id())])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
}
