//! One value at a time: from what came in as JSON to what is meant, or what is wrong with it.

use serde_json::{Map, Value, json};
use time::{Date, Month};

use crate::definition::{FieldSource, FieldType};
use crate::matricule::{Matricule, MatriculeError, WrongCheckDigits};
use crate::{Environment, Severity};

/// Longest text when the definition sets no other limit, in characters.
pub(crate) const DEFAULT_LENGTH: usize = 200;

/// What was made of one value.
#[derive(Default)]
pub(crate) struct Reading {
    /// The normalised value; absent when empty or unusable.
    pub value: Option<Value>,
    /// What is wrong: severity, code, words for the message.
    pub faults: Vec<(Severity, &'static str, Map<String, Value>)>,
}

/// Reads one value. `known_codes` says whether a code is on the field's list.
pub(crate) fn read(field: &FieldSource, raw: &Value, environment: Environment, known_code: impl Fn(&str) -> bool) -> Reading {
    let text = match (field.field_type, raw) {
        (_, Value::Null) => return Reading::default(),
        (FieldType::YesNo, Value::Bool(yes)) => return Reading::good(Value::Bool(*yes)),
        (FieldType::YesNo, Value::String(text)) if text.trim().is_empty() => return Reading::default(),
        (FieldType::YesNo, _) => return Reading::bad("value-not-yes-no", Map::new()),
        (_, Value::String(text)) => text.trim(),
        _ => return Reading::bad("value-not-text", Map::new()),
    };
    if text.is_empty() {
        return Reading::default();
    }
    let limit = limit(field);
    if text.chars().count() > limit {
        return Reading::bad("value-too-long", words(json!({"limit": limit})));
    }
    if text.chars().any(is_invisible) {
        return Reading::bad("value-invisible-character", Map::new());
    }
    match field.field_type {
        FieldType::Matricule => matricule(text, environment),
        FieldType::ProviderCode => digits(text, 8, "provider-code-format", |d| !d.starts_with('0')),
        FieldType::EhealthId => digits(text, 10, "ehealth-id-format", |_| true),
        FieldType::AccidentNumber => accident_number(text),
        FieldType::Date => date(text),
        FieldType::Choice if !field.options.iter().any(|o| o == text) => Reading::bad("choice-unknown", Map::new()),
        FieldType::Code => code(text, field.free_entry, known_code),
        FieldType::Text | FieldType::Choice | FieldType::YesNo => Reading::good(Value::String(text.to_owned())),
    }
}

/// Longest accepted value of a field, in characters.
pub(crate) fn limit(field: &FieldSource) -> usize {
    field.max_length.unwrap_or(match field.field_type {
        FieldType::Text => DEFAULT_LENGTH,
        FieldType::Choice => 60,
        FieldType::Code => 10,
        _ => 40,
    })
}

/// A day as it is sent.
pub(crate) fn iso(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day())
}

/// A day as it is read in Luxembourg.
pub(crate) fn shown(day: Date) -> String {
    format!("{:02}.{:02}.{:04}", day.day(), u8::from(day.month()), day.year())
}

/// Reads `YYYY-MM-DD`, nothing else.
pub(crate) fn parse_iso(text: &str) -> Option<Date> {
    let (year, month, day) = iso_parts(text)?;
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

impl Reading {
    fn good(value: Value) -> Self {
        Self {
            value: Some(value),
            faults: Vec::new(),
        }
    }

    fn bad(code: &'static str, words: Map<String, Value>) -> Self {
        Self {
            value: None,
            faults: vec![(Severity::Error, code, words)],
        }
    }
}

fn matricule(text: &str, environment: Environment) -> Reading {
    let (matricule, wrong) = match Matricule::read(text) {
        Ok(read) => read,
        Err(MatriculeError::Length { found }) => {
            return Reading::bad("matricule-length", words(json!({"found": found})));
        }
        Err(MatriculeError::ImpossibleDate) => return Reading::bad("matricule-impossible-date", Map::new()),
        Err(_) => return Reading::bad("matricule-not-digits", Map::new()),
    };
    let mut reading = Reading::good(Value::String(matricule.digits()));
    let severity = match environment {
        Environment::Production => Severity::Error,
        Environment::Training | Environment::Integration => Severity::Warning,
    };
    reading.faults.extend(wrong.map(|wrong| match wrong {
        WrongCheckDigits::First { expected } => (severity, "matricule-check-digit-12", words(json!({"expected": expected}))),
        WrongCheckDigits::Second { expected } => (severity, "matricule-check-digit-13", words(json!({"expected": expected}))),
        WrongCheckDigits::Both { first, second } => (severity, "matricule-check-digits", words(json!({"first": first, "second": second}))),
    }));
    reading
}

fn digits(text: &str, length: usize, fault: &'static str, also: impl Fn(&str) -> bool) -> Reading {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '\u{a0}')).collect();
    if digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit()) && also(&digits) {
        Reading::good(Value::String(digits))
    } else {
        Reading::bad(fault, Map::new())
    }
}

fn accident_number(text: &str) -> Reading {
    let number = text.replace([' ', '.', '-'], "").to_uppercase();
    let fits = number
        .strip_prefix(['U', 'L'])
        .is_some_and(|n| n.len() == 9 && n.bytes().all(|b| b.is_ascii_digit()));
    if fits {
        Reading::good(Value::String(number))
    } else {
        Reading::bad("accident-number-format", Map::new())
    }
}

fn date(text: &str) -> Reading {
    match iso_parts(text) {
        None => Reading::bad("date-unreadable", Map::new()),
        Some((year, _, _)) if !(1900..=2199).contains(&year) => Reading::bad("date-impossible", Map::new()),
        Some(_) if parse_iso(text).is_none() => Reading::bad("date-impossible", Map::new()),
        Some(_) => Reading::good(Value::String(text.to_owned())),
    }
}

fn code(text: &str, free_entry: bool, known: impl Fn(&str) -> bool) -> Reading {
    let well_formed = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if !well_formed {
        return Reading::bad("code-format", Map::new());
    }
    let mut reading = Reading::good(Value::String(text.to_owned()));
    if !known(text) {
        if !free_entry {
            return Reading::bad("code-unknown", Map::new());
        }
        reading.faults.push((Severity::Warning, "code-not-in-list", Map::new()));
    }
    reading
}

fn iso_parts(text: &str) -> Option<(i32, u8, u8)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = parts.next().is_none()
        && [(year, 4), (month, 2), (day, 2)]
            .into_iter()
            .all(|(part, length)| part.len() == length && part.bytes().all(|b| b.is_ascii_digit()));
    shaped.then(|| Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)))?
}

/// Controls, line breaks, zero-width and direction marks: they hide or reorder what is read on a signed page.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

fn words(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
