//! The loopback door: practice software on the same computer reaches the router over HTTP on 127.0.0.1 and \[::1\].
//!
//! Anybody on the computer, and any page in its browser, can open a connection there. So a request passes only with the key from the
//! connection file, which this user alone can read; from a software that the physician has allowed; and a web page only from an origin
//! that she has listed, with a key of its own. What is signed with her session is shown to her first.

mod approval;
mod call;
mod connection;
pub mod doctor;
mod error;
mod guard;
mod kept;
mod link;
mod listen;
mod options;
mod origin;
mod private;
mod questions;
mod refused;
mod software;
mod state;
mod view;

pub use approval::{Action, Answer, Approval};
pub use connection::TrainingTokens;
pub use error::LinkError;
pub use link::Link;
pub use listen::{Listening, listen};
pub use options::{LinkOptions, OriginRule, Rules};
pub use software::{Software, Wants};
pub use view::{
    Decision, KeyFact, LinkFacts, LinkView, NewOrigin, OriginView, RefusedView, RemarkView, ReplacedView, SoftwareFact, SoftwareView,
    WaitingKind, WaitingView,
};
