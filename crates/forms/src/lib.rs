//! What may be typed into a form, what is wrong with it, and what is sent: read from a pack (a folder of standard files), never
//! from Rust. Pure: no file system, no clock, no randomness; the day and the identifiers are passed in.
//!
//! A [`Pack`] opens only when all of it holds together. [`Pack::check`] finds everything wrong at once and alone makes
//! [`Checked`] values, the only ones that can be rendered as a volet to sign or sent.

mod answer;
mod check;
mod definition;
mod error;
mod lang;
mod matricule;
mod pack;
mod rules;
mod texts;
mod values;
mod wire;

pub use answer::{Anomaly, Answer, AnswerError};
pub use check::{CheckContext, Checked, Draft, Environment, Fact, Finding, Outcome, Severity};
pub use definition::{
    Definition, FieldDefinition, FieldType, FormSummary, OptionDefinition, SectionDefinition, ShownWhen, VoletDefinition,
};
pub use error::PackError;
pub use lang::Lang;
pub use matricule::{BirthDate, Matricule, MatriculeError, WrongCheckDigits};
pub use pack::{MemoryFiles, Pack, PackFiles, PageData, Volet, embedded};
pub use wire::{WireContext, WireMessage};
