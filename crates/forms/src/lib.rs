//! What may be typed into a form, what is wrong with it, and what is sent: read from a pack (a folder of standard files), never
//! from Rust. Pure: no file system, no clock, no randomness; the day and the identifiers are passed in.
//!
//! A [`Pack`] opens only when all of it holds together. [`Pack::check`] finds everything wrong at once and alone makes
//! [`Checked`] values, the only ones that can be rendered as a volet to sign or sent.

mod amount;
mod answer;
mod check;
mod codes;
mod define;
mod definition;
mod error;
mod field;
mod files;
mod foreign;
mod lang;
mod load;
mod matricule;
mod pack;
mod page;
mod proof;
mod rules;
mod schema;
mod settle;
mod source;
mod texts;
mod values;
mod wire;
mod xml;

pub use answer::{Anomaly, Answer, AnswerError, Contested, PaidAmounts, Payment, SimulatedLine, Simulation};
pub use check::{CheckContext, Checked, Draft, Environment, Fact, Finding, Outcome, Severity, Total};
pub use definition::{
    Act, Definition, FieldDefinition, FieldType, FormSummary, OptionDefinition, SectionDefinition, ShownWhen, TotalDefinition,
    VoletDefinition, Workflow,
};
pub use error::PackError;
pub use files::{MemoryFiles, PackFiles, embedded};
pub use foreign::{ForeignError, ForeignMessage};
pub use lang::Lang;
pub use matricule::{BirthDate, Matricule, MatriculeError, WrongCheckDigits};
pub use pack::Pack;
pub use page::{PageData, Volet};
pub use wire::{Cancellation, WireContext, WireMessage, check_reason};
