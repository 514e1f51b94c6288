//! Who acts for which physician, with which token: login at AeS in the system browser, renewal, logout, the checking of tokens that
//! callers bring along, and the exchange of a program's own credentials for a token in a physician's name.
//!
//! [`Aes`] is the one implementation of [`Identity`]; the states of its session are the `session` module's (docs/identity.md). What an AeS
//! token says about people is our reading and stands in one place: the `claims` module (docs/wire.md, "Claims of an AeS token").

mod aes;
mod claims;
mod error;
mod exchange;
mod jwt;
mod keyring;
mod keys;
mod landing;
mod life;
mod pages;
mod principal;
mod provider;
mod reach;
mod session;
mod sync;

pub use aes::{Aes, AesSettings, Browser, Identity, Leaving, LoginRequest, Logins, SessionState, SessionView};
pub use error::IdentityError;
pub use exchange::{ExchangeClient, Exchanges, LastExchange};
pub use keyring::{KeyringState, NoKeyring, OsKeyring, TokenStore};
pub use principal::{Actor, Authorized, Physician, Principal};
pub use provider::Probe;
