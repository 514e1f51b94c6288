//! Logging in through AeS, as a person does it: against the sandbox, against somebody else's provider, with everything that can go
//! wrong on the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::string_slice)]

mod desk;
mod exchange;
mod hostile;
mod issued;
#[cfg(target_os = "linux")]
mod keyring;
mod leaks;
mod peer;
#[cfg(target_os = "linux")]
mod ports;
mod provider;
mod realm;
mod sandbox;
