//! Expressions across fields, in CEL. A field is a variable: text, day (as `YYYY-MM-DD`, which sorts), yes/no, or null when empty.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::{Context, ExecutionError, Program};
use serde_json::{Map, Value};
use time::Date;

use crate::{Matricule, values};

/// Functions a pack may call besides the operators.
const FUNCTIONS: [&str; 9] = [
    "days",
    "add_days",
    "age",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "string",
    "int",
];

/// A compiled expression.
pub(crate) struct Expression(Program);

/// Why an expression gave nothing usable. Holds no value: the interpreter's own words may quote one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotEvaluable;

impl Expression {
    /// Compiles, and refuses variables and functions that do not exist.
    pub(crate) fn compile(source: &str, fields: &BTreeSet<&str>) -> Result<Self, String> {
        let program = Program::compile(source).map_err(|e| format!("\"{source}\": {e}"))?;
        {
            let references = program.references();
            if let Some(unknown) = references.variables().into_iter().find(|v| *v != "today" && !fields.contains(v)) {
                return Err(format!("\"{source}\": unknown field \"{unknown}\""));
            }
            let named = |f: &&str| f.starts_with(|c: char| c.is_ascii_alphabetic());
            if let Some(unknown) = references.functions().into_iter().filter(named).find(|f| !FUNCTIONS.contains(f)) {
                return Err(format!("\"{source}\": unknown function \"{unknown}\""));
            }
        }
        Ok(Self(program))
    }

    /// True or false.
    pub(crate) fn holds(&self, scope: &Scope) -> Result<bool, NotEvaluable> {
        match self.0.execute(&scope.0) {
            Ok(cel::Value::Bool(value)) => Ok(value),
            _ => Err(NotEvaluable),
        }
    }

    /// A text, number, yes/no or nothing.
    pub(crate) fn value(&self, scope: &Scope) -> Result<Value, NotEvaluable> {
        match self.0.execute(&scope.0) {
            Ok(cel::Value::Bool(value)) => Ok(Value::Bool(value)),
            Ok(cel::Value::Int(value)) => Ok(Value::from(value)),
            Ok(cel::Value::String(value)) => Ok(Value::String(value.as_str().to_owned())),
            Ok(cel::Value::Null) => Ok(Value::Null),
            _ => Err(NotEvaluable),
        }
    }
}

/// The values expressions see.
pub(crate) struct Scope(Context<'static, 'static>);

impl Scope {
    /// `values` must hold every field; the empty ones as null.
    pub(crate) fn new(values: &Map<String, Value>, today: Option<Date>) -> Self {
        let mut context = Context::default();
        // The names are none of CEL's own, so these cannot be refused.
        let _ = context.add_function("days", days);
        let _ = context.add_function("add_days", add_days);
        let _ = context.add_function("age", age);
        for (name, value) in values {
            let value = match value {
                Value::String(text) => cel::Value::from(text.as_str()),
                Value::Bool(yes) => cel::Value::Bool(*yes),
                _ => cel::Value::Null,
            };
            context.add_variable_from_value(name.as_str(), value);
        }
        let today = today.map_or(cel::Value::Null, |day| cel::Value::from(values::iso(day)));
        context.add_variable_from_value("today", today);
        Self(context)
    }
}

/// Number of a day, for differences.
fn days(day: Arc<String>) -> Result<i64, ExecutionError> {
    parse(&day).map(|date| i64::from(date.to_julian_day()))
}

/// The day `n` days later.
fn add_days(day: Arc<String>, n: i64) -> Result<Arc<String>, ExecutionError> {
    parse(&day)?
        .checked_add(time::Duration::days(n.clamp(-100_000, 100_000)))
        .map(|date| Arc::new(values::iso(date)))
        .ok_or_else(|| ExecutionError::function_error("add_days", "out of range"))
}

/// Completed years of the person with this matricule on a day; -1 when unknown.
fn age(matricule: Arc<String>, day: Arc<String>) -> Result<i64, ExecutionError> {
    let day = parse(&day)?;
    let person = Matricule::read(&matricule)
        .map_err(|_| ExecutionError::function_error("age", "no matricule"))?
        .0;
    Ok(person.age_on(day).map_or(-1, i64::from))
}

fn parse(day: &str) -> Result<Date, ExecutionError> {
    values::parse_iso(day).ok_or_else(|| ExecutionError::function_error("days", "no date"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::date;

    use super::{Expression, NotEvaluable, Scope};

    fn holds(source: &str) -> Result<bool, NotEvaluable> {
        let fields = ["from", "to", "flag", "who"].into_iter().collect();
        let values = json!({"from": "2026-11-21", "to": null, "flag": true, "who": "1988123048083"});
        let scope = Scope::new(values.as_object().unwrap(), Some(date!(2026 - 11 - 24)));
        Expression::compile(source, &fields).unwrap().holds(&scope)
    }

    #[test]
    fn days_compare_and_subtract() {
        assert_eq!(holds("from < today && days(today) - days(from) == 3"), Ok(true));
        assert_eq!(holds("add_days(from, 3) == today"), Ok(true));
        assert_eq!(holds("to == null && flag"), Ok(true));
        assert_eq!(holds("from != null"), Ok(true));
        assert_eq!(holds("to == 'x'"), Ok(false));
        assert_eq!(holds("age(who, from) == 37"), Ok(true));
        assert_eq!(holds("days(to) > 3"), Err(NotEvaluable));
        assert_eq!(holds("from"), Err(NotEvaluable));
    }

    #[test]
    fn unknown_names_are_refused_before_they_are_run() {
        let fields = ["from"].into_iter().collect();
        for source in ["until > from", "explode(from)", "from >", "from.nothing(3)"] {
            assert!(Expression::compile(source, &fields).is_err(), "{source}");
        }
    }
}
