//! The desktop: one window on the shared router, in process. No command of its own beside the HTTP routes.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod browser;
mod door;
mod downloads;
mod host;
mod window;

use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    econnector_base::quiet_panics();
    // A level for our own crates and no more: others' crates may dump headers and bodies when they are asked to talk.
    let level = std::env::var("ECONNECTOR_LOG")
        .ok()
        .and_then(|word| word.parse().ok())
        .unwrap_or(tracing::Level::INFO);
    let filter = tracing_subscriber::EnvFilter::new(format!("warn,econnector={level}"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter)
        .init();
    match window::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the window does not open");
            ExitCode::FAILURE
        }
    }
}
