//! The desktop: one window on the shared router, in process, and a door on loopback for practice software. No command of its own
//! beside the HTTP routes.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod autostart;
mod browser;
mod closing;
mod command;
#[cfg(not(any(windows, target_os = "macos")))]
mod desktop_entry;
mod door;
mod downloads;
mod ending;
mod folders;
mod host;
mod links;
mod page;
mod running;
mod tray;
mod window;
mod words;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use command::Command;
use econnector_loopback::doctor::Trouble;
use folders::Folders;
use running::{Ownership, Wish};
use window::Start;
use words::{language, words};

/// The command line was not understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(code) = econnector_quarantine::enter() {
        return code;
    }
    econnector_base::no_crash_dumps();
    econnector_base::quiet_panics();
    let line: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let command = match Command::of(&line) {
        Ok(command) => command,
        Err(word) => {
            complain(&format!("econnector: {word} {}", words(language()).unknown));
            return ExitCode::from(USAGE);
        }
    };
    match command {
        Command::Help => say(words(language()).help),
        Command::Version => say(concat!("econnector ", env!("CARGO_PKG_VERSION"))),
        Command::Autostart { on } => autostart(on),
        Command::Links { on } => links(on),
        Command::Refused => refuse(),
        Command::Doctor { json } => with_folders(|folders| doctor(&folders, json)),
        Command::Window(wish) => with_folders(|folders| run(folders, wish, false)),
        Command::Background => with_folders(|folders| run(folders, Wish::Window, true)),
    }
}

/// The window, or the program without one; the second start of a user leads to the first.
fn run(folders: Folders, wish: Wish, background: bool) -> ExitCode {
    log_to_stderr();
    if !window::may_be_automated(&folders) {
        tracing::error!("automation of the window is for training mode only");
        return ExitCode::FAILURE;
    }
    let turn = running::take_turn(&folders.data);
    let ownership = turn.ownership;
    if ownership == Ownership::Elsewhere {
        if background || running::hand_over(&folders.data, wish) {
            tracing::info!("already running");
            return ExitCode::SUCCESS;
        }
        complain(&format!("econnector: {}", words(language()).elsewhere));
        // From a terminal that was enough; whoever clicked on an icon reads it in a window, which begins no session of its own.
        if std::io::stderr().is_terminal() || !has_screen() {
            return ExitCode::FAILURE;
        }
    }
    let start = Start {
        background,
        login: wish == Wish::Login,
        ownership,
    };
    if has_screen() {
        match window::run(folders, start) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the window does not open");
                ExitCode::FAILURE
            }
        }
    } else if background {
        host::run(folders, ownership)
    } else {
        tracing::error!("no screen: neither WAYLAND_DISPLAY nor DISPLAY is set");
        ExitCode::FAILURE
    }
}

/// In silence: whoever made a link that asks for something else learns nothing, and who clicked on it is not bothered. What it said
/// may be anything, and is not repeated.
fn refuse() -> ExitCode {
    log_to_stderr();
    tracing::warn!("a link that asks for nothing known is left alone");
    ExitCode::SUCCESS
}

/// Without a screen the toolkit cannot even start.
fn has_screen() -> bool {
    !cfg!(target_os = "linux")
        || ["WAYLAND_DISPLAY", "DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn doctor(folders: &Folders, json: bool) -> ExitCode {
    let troubles = [host::trouble_with_settings(folders), host::trouble_with_rules(folders)];
    let troubles: Vec<Trouble> = troubles.into_iter().flatten().collect();
    let report = tauri::async_runtime::block_on(econnector_loopback::doctor::examine(&folders.data, &troubles, language()));
    let text = if json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.to_string()
    };
    let said = say(text.trim_end());
    if report.ok() { said } else { ExitCode::FAILURE }
}

fn links(on: bool) -> ExitCode {
    let words = words(language());
    match links::set(on) {
        Ok(()) => say(if on { words.links_on } else { words.links_off }),
        Err((place, error)) => {
            complain(&format!("econnector: {}: {place} ({error})", words.links_failed));
            ExitCode::FAILURE
        }
    }
}

fn autostart(on: bool) -> ExitCode {
    let words = words(language());
    match autostart::set(on) {
        Ok(()) => say(if on { words.autostart_on } else { words.autostart_off }),
        Err((place, error)) => {
            complain(&format!("econnector: {}: {place} ({error})", words.autostart_failed));
            ExitCode::FAILURE
        }
    }
}

fn with_folders(act: impl FnOnce(Folders) -> ExitCode) -> ExitCode {
    match Folders::of_this_user() {
        Some(folders) => act(folders),
        None => {
            complain("econnector: this user has no home folder");
            ExitCode::FAILURE
        }
    }
}

fn log_to_stderr() {
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
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
