//! The signature from outside: judged by other people's programs, attacked, and left in the lurch by its service.

#![allow(clippy::unwrap_used, clippy::panic)]

mod authority;
mod faults;
mod hostile;
mod judges;
mod paper;
mod wire;
