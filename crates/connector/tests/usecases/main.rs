//! The use cases through the traits they know: an authority and a person that do what a test tells them, and a real signature
//! service on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cancellation;
mod desk;
mod elsewhere;
mod observed;
mod paper;
mod printing;
mod profile;
mod prospects;
mod resumed;
mod simulation;
mod status;
mod tokens;
mod values;
