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
    let filter = tracing_subscriber::EnvFilter::try_from_env("ECONNECTOR_LOG").unwrap_or_else(|_| "warn,econnector=info".into());
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
