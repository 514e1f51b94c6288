//! The door as others find it: raw bytes over TCP, files on disk, and what the window sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod approvals;
mod consent;
mod diagnosis;
mod files;
mod hostile;
mod kit;
mod origins;
mod rules;
