//! One value at a time: from what came in as JSON to what is meant, or what is wrong with it.

use serde_json::{Map, Value, json};
use time::{Date, Month};

use crate::matricule::{Matricule, MatriculeError, WrongCheckDigits};
use crate::source::{Characters, FieldSource};
use crate::{Environment, FieldType, Severity, amount};

/// Longest text when the definition sets no other limit, in characters.
pub(crate) const DEFAULT_LENGTH: usize = 200;
/// Most rows when the definition sets no other limit.
const MOST_ROWS: i64 = 99;
/// Largest number when the definition sets no other limit.
const LARGEST_NUMBER: i64 = 999_999_999;

/// What was made of one value.
#[derive(Default)]
pub(crate) struct Reading {
    /// The normalised value; absent when empty or unusable.
    pub value: Option<Value>,
    /// What is wrong: severity, code, words for the message.
    pub faults: Vec<(Severity, &'static str, Map<String, Value>)>,
}

/// Reads one value; rows are read one by one elsewhere. `known_code` says whether a code is on the field's list.
pub(crate) fn read(field: &FieldSource, raw: &Value, environment: Environment, known_code: impl Fn(&str) -> bool) -> Reading {
    match (field.field_type, raw) {
        (_, Value::Null) => Reading::default(),
        (_, Value::String(text)) if text.trim().is_empty() => Reading::default(),
        (FieldType::YesNo, Value::Bool(yes)) => Reading::good(Value::Bool(*yes)),
        (FieldType::YesNo, _) => Reading::bad("value-not-yes-no", Map::new()),
        (FieldType::Integer | FieldType::Money, Value::Number(number)) => match number.as_i64() {
            Some(number) => self::number(field, number),
            None => Reading::bad(not_a_number(field), Map::new()),
        },
        (FieldType::Integer | FieldType::Money, _) => Reading::bad(not_a_number(field), Map::new()),
        (FieldType::Lines, _) => Reading::bad("value-not-rows", Map::new()),
        (_, Value::String(typed)) => text(field, typed.trim(), environment, known_code),
        _ => Reading::bad("value-not-text", Map::new()),
    }
}

fn text(field: &FieldSource, text: &str, environment: Environment, known_code: impl Fn(&str) -> bool) -> Reading {
    // A browser's text area ends lines as it likes.
    let unified = field.multiline.then(|| text.replace("\r\n", "\n").replace('\r', "\n"));
    let text = unified.as_deref().unwrap_or(text);
    let (length, limit) = (text.chars().count(), limit(field));
    if length > limit {
        return Reading::bad("value-too-long", words(json!({"limit": limit})));
    }
    if text.chars().any(|c| is_invisible(c) && !(field.multiline && c == '\n')) {
        return Reading::bad("value-invisible-character", Map::new());
    }
    if let Some(least) = field.min_length.filter(|least| length < *least) {
        return Reading::bad("value-too-short", words(json!({"limit": least})));
    }
    match field.chars {
        Some(Characters::Digits) if !text.bytes().all(|b| b.is_ascii_digit()) => return Reading::bad("value-not-digits", Map::new()),
        Some(Characters::Alphanumeric) if !text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            return Reading::bad("value-not-alphanumeric", Map::new());
        }
        _ => {}
    }
    match field.field_type {
        FieldType::Matricule => matricule(text, environment),
        FieldType::ProviderCode => digits(text, 8, "provider-code-format", |d| !d.starts_with('0')),
        FieldType::EhealthId => digits(text, 10, "ehealth-id-format", |_| true),
        FieldType::AccidentNumber => accident_number(text),
        FieldType::Date => date(text),
        FieldType::Time => time_of_day(text),
        FieldType::Choice if !field.options.iter().any(|o| o == text) => Reading::bad("choice-unknown", Map::new()),
        FieldType::Code => code(text, field.free_entry, known_code),
        FieldType::Text | FieldType::Choice => Reading::good(Value::String(text.to_owned())),
        FieldType::YesNo | FieldType::Integer | FieldType::Money | FieldType::Lines => Reading::bad("value-not-text", Map::new()),
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

/// Smallest and largest number, cents or rows of a field of such a type.
pub(crate) fn bounds(field: &FieldSource) -> Option<(i64, i64)> {
    let (least, most) = match field.field_type {
        FieldType::Integer => (0, LARGEST_NUMBER),
        FieldType::Money => (0, amount::LARGEST),
        FieldType::Lines => (0, MOST_ROWS),
        _ => return None,
    };
    Some((field.min.unwrap_or(least), field.max.unwrap_or(most)))
}

/// Nothing, for the check whether something has to be filled in.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(rows) => rows.is_empty(),
        _ => false,
    }
}

/// Nothing typed: also a text of spaces, `false`, and a row of all these.
pub(crate) fn is_blank(raw: &Value) -> bool {
    match raw {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(rows) => rows.is_empty(),
        Value::Object(row) => row.values().all(is_blank),
        Value::Bool(true) | Value::Number(_) => false,
    }
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

fn not_a_number(field: &FieldSource) -> &'static str {
    match field.field_type {
        FieldType::Money => "value-not-cents",
        _ => "value-not-number",
    }
}

fn number(field: &FieldSource, number: i64) -> Reading {
    let money = field.field_type == FieldType::Money;
    let (least, most) = bounds(field).unwrap_or((i64::MIN, i64::MAX));
    let limited = |code: &'static str, limit: i64| Reading::bad(code, words(json!({"limit": limit})));
    match (number < least, number > most, money) {
        (true, _, false) => limited("number-too-small", least),
        (true, _, true) => limited("amount-too-small", least),
        (_, true, false) => limited("number-too-large", most),
        (_, true, true) => limited("amount-too-large", most),
        _ => Reading::good(Value::from(number)),
    }
}

fn time_of_day(text: &str) -> Reading {
    let read = text.split_once(':').filter(|(hour, minute)| {
        let below = |part: &str, end: u8| {
            part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok_and(|number| number < end)
        };
        below(hour, 24) && below(minute, 60)
    });
    match read {
        Some(_) => Reading::good(Value::String(text.to_owned())),
        None => Reading::bad("time-unreadable", Map::new()),
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
pub(crate) fn is_invisible(c: char) -> bool {
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
