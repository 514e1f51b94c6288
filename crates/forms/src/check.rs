use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::Date;
use zeroize::Zeroize;

use crate::field::Field;
use crate::pack::{FactRule, Need, Pack, PackId, Rule};
use crate::rules::{Expression, NotEvaluable, Scope};
use crate::settle::Settled;
use crate::{FieldType, Lang, Matricule, values};

/// The mark of what no health insurance pays.
const NOT_REIMBURSED: &str = "not_reimbursed";

/// Where the values will go: test environments hold matricules whose check digits fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The stand-ins on this machine.
    Training,
    /// The authorities' test environment.
    Integration,
    /// The real thing.
    Production,
}

impl Environment {
    /// The word for it in settings, answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Integration => "integration",
            Self::Production => "production",
        }
    }
}

/// What the check has to be told.
#[derive(Clone, Copy, Debug)]
pub struct CheckContext {
    /// The day the document is dated.
    pub today: Date,
    /// Decides how severe a wrong check digit is.
    pub environment: Environment,
}

/// Whether a finding stops the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is sent while it stands.
    Error,
    /// To be looked at; the physician decides.
    Warning,
}

/// One thing that is wrong or odd. Its words are made by [`Pack::describe`]; `Debug` shows no value.
#[derive(Clone, PartialEq)]
pub struct Finding {
    /// The field it belongs to; in a row `lines.0.code`, counted from 0.
    pub field: String,
    /// Whether it stops the form.
    pub severity: Severity,
    /// Stable code.
    pub code: String,
    params: Map<String, Value>,
}

/// Something the program read out of a value, shown beside the field. Its words are made by [`Pack::describe_fact`].
#[derive(Clone, PartialEq)]
pub struct Fact {
    /// The field it belongs to; in a row `lines.0.code`, counted from 0.
    pub field: String,
    /// Stable code.
    pub code: String,
    params: Map<String, Value>,
}

/// What a check found.
pub struct Outcome {
    /// Everything wrong, in the order of the form.
    pub findings: Vec<Finding>,
    /// What could be read.
    pub facts: Vec<Fact>,
    /// What the program put where nothing was typed: path (`lines.0.amount`) to value.
    pub filled: Map<String, Value>,
    /// The totals that could be made, in the pack's order.
    pub totals: Vec<Total>,
    /// The values, when no error was found.
    pub checked: Option<Checked>,
}

/// An amount made of the values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Total {
    /// Its name in the pack.
    pub name: String,
    /// Cents; may be below zero.
    pub cents: i64,
}

/// Values without an error: the only ones that can be signed and sent. Made by [`Pack::check`] alone.
/// Wiped when dropped; the copies that rules, pages and messages make of them are only freed.
pub struct Checked {
    pub(crate) by: PackId,
    pub(crate) values: Map<String, Value>,
    pub(crate) totals: Vec<Total>,
    rows: usize,
    provider_code: Option<String>,
    ehealth_id: Option<String>,
    day: Date,
}

/// As much of the values as can be read, for a preview. Wiped when dropped, as [`Checked`] is.
pub struct Draft {
    pub(crate) by: PackId,
    pub(crate) values: Map<String, Value>,
    pub(crate) totals: Vec<Total>,
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} on {}", self.severity, self.code, self.field)
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.code, self.field)
    }
}

impl Checked {
    /// Every field of the form; the empty ones as null, yes/no always as a boolean, rows always as an array.
    #[must_use]
    pub const fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// The totals, in the pack's order.
    #[must_use]
    pub fn totals(&self) -> &[Total] {
        &self.totals
    }

    pub(crate) fn total(&self, name: &str) -> Option<i64> {
        self.totals.iter().find(|total| total.name == name).map(|total| total.cents)
    }

    /// How many rows the form's table has; 0 without a table.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The provider code the document is made for, when the pack marks such a field.
    #[must_use]
    pub fn provider_code(&self) -> Option<&str> {
        self.provider_code.as_deref()
    }

    /// The eHealthID of the physician who signs, when the pack marks such a field.
    #[must_use]
    pub fn ehealth_id(&self) -> Option<&str> {
        self.ehealth_id.as_deref()
    }

    /// The day they were checked for: the only one their pages and messages may bear.
    #[must_use]
    pub const fn day(&self) -> Date {
        self.day
    }
}

impl Draft {
    /// Every field of the form; what is empty or unreadable as null.
    #[must_use]
    pub const fn values(&self) -> &Map<String, Value> {
        &self.values
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        wipe(&mut self.values);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        wipe(&mut self.values);
    }
}

impl Pack {
    /// Finds everything wrong at once: unknown names, types, limits, missing values, then the rules across fields. What was left empty
    /// and can be told is filled.
    #[must_use]
    pub fn check(&self, raw: &Map<String, Value>, context: &CheckContext) -> Outcome {
        let mut settled = self.settle(raw, context.environment, Some(context.today));
        let mut findings = std::mem::take(&mut settled.findings);
        let mut facts = self.read_values(&settled, context.today, &mut findings);
        let rows = Rows::new(self, &settled);
        for rule in &self.rules {
            rows.ask(rule, &settled, &mut findings);
        }
        for fact in &self.facts {
            rows.tell(fact, &settled, &mut facts);
        }
        drop(rows);
        findings.sort_by_key(|f| (self.place(&f.field), f.severity));
        let Settled {
            mut values,
            filled,
            totals,
            ..
        } = settled;
        let checked = if findings.iter().all(|f| f.severity == Severity::Warning) {
            let role = |name: &Option<String>| {
                name.as_ref()
                    .and_then(|id| values.get(id))
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let rows = self
                .table()
                .and_then(|table| values.get(&table.source.id))
                .and_then(Value::as_array);
            Some(Checked {
                by: self.id(),
                rows: rows.map_or(0, Vec::len),
                provider_code: role(&self.roles.provider_code),
                ehealth_id: role(&self.roles.ehealth_id),
                day: context.today,
                totals: totals.clone(),
                values,
            })
        } else {
            wipe(&mut values);
            None
        };
        Outcome {
            findings,
            facts,
            filled,
            totals,
            checked,
        }
    }

    /// Takes what can be read, for a preview of an incomplete form.
    #[must_use]
    pub fn draft(&self, raw: &Map<String, Value>) -> Draft {
        let Settled { values, totals, .. } = self.settle(raw, Environment::Training, None);
        Draft {
            by: self.id(),
            values,
            totals,
        }
    }

    /// What a finding says: what is wrong and what to do about it.
    #[must_use]
    pub fn describe(&self, finding: &Finding, lang: Lang) -> String {
        self.sentence(&finding.field, &finding.code, &finding.params, lang)
    }

    /// What a fact says.
    #[must_use]
    pub fn describe_fact(&self, fact: &Fact, lang: Lang) -> String {
        self.sentence(&fact.field, &fact.code, &fact.params, lang)
    }

    fn sentence(&self, path: &str, code: &str, params: &Map<String, Value>, lang: Lang) -> String {
        let mut params = params.clone();
        let mut label = self.label(path, lang);
        if let Some(row) = row_of(path) {
            params.insert("line".to_owned(), json!(row + 1));
            params.insert("label".to_owned(), Value::String(label));
            // In a list of findings a column alone does not tell where it is.
            label = self.sentences.say(lang, "row-label", &params).unwrap_or_default();
        }
        params.insert("label".to_owned(), Value::String(label));
        if code == "code-label"
            && let Some(code) = params.get("code").and_then(Value::as_str)
            && let Some(label) = self.option_label(path, code, lang)
        {
            params.insert("meaning".to_owned(), Value::String(label));
        }
        self.sentences.say(lang, code, &params).unwrap_or_else(|| code.to_owned())
    }

    /// Reading order: a field, then its rows, each with its columns.
    fn place(&self, path: &str) -> (usize, usize, usize) {
        let mut parts = path.split('.');
        let id = parts.next().unwrap_or_default();
        let Some(place) = self.record.place(id) else {
            return (usize::MAX, 0, 0);
        };
        let row = parts.next().and_then(|row| row.parse::<usize>().ok()).map_or(0, |row| row + 1);
        let column = parts.next().map_or(0, |column| {
            let place = self.record.find(id).and_then(|table| table.columns.place(column));
            place.map_or(usize::MAX, |place| place + 1)
        });
        (place, row, column)
    }

    /// What the values tell by themselves, and a birth that is still to come.
    fn read_values(&self, settled: &Settled, today: Date, findings: &mut Vec<Finding>) -> Vec<Fact> {
        let (mut births, mut codes) = (Vec::new(), Vec::new());
        for (path, field, value) in self.each_text(&settled.values) {
            match field.source.field_type {
                FieldType::Matricule => {
                    let Ok((person, _)) = Matricule::read(value) else {
                        continue;
                    };
                    if person.birth().is_after(today) {
                        findings.push(Finding::new(&path, Severity::Error, "matricule-birth-in-future", Map::new()));
                    }
                    births.push(birth_fact(&path, &person, today));
                }
                FieldType::Code => {
                    let Some(code) = self.code(&field.source, value) else {
                        continue;
                    };
                    codes.push(Fact::new(&path, "code-label", json!({"code": code.code})));
                    if code.marks.iter().any(|mark| mark == NOT_REIMBURSED) {
                        codes.push(Fact::new(&path, "code-not-reimbursed", json!({"code": code.code})));
                    }
                }
                _ => {}
            }
        }
        [births, codes, settled.facts.clone()].concat()
    }

    /// Every text of the form and of its rows, with its path.
    fn each_text<'a>(&'a self, values: &'a Map<String, Value>) -> Vec<(String, &'a Field, &'a str)> {
        let mut all = Vec::new();
        for field in self.record.fields() {
            let id = &field.source.id;
            match values.get(id) {
                Some(Value::Array(rows)) => {
                    for (index, row) in rows.iter().enumerate() {
                        for column in field.columns.fields() {
                            let text = row.get(&column.source.id).and_then(Value::as_str);
                            all.extend(text.map(|text| (format!("{id}.{index}.{}", column.source.id), column, text)));
                        }
                    }
                }
                Some(Value::String(text)) => all.push((id.clone(), field, text.as_str())),
                _ => {}
            }
        }
        all
    }
}

/// The rows of the table, each with its scope: made once, asked by every rule.
struct Rows<'a> {
    table: &'a str,
    rows: Vec<(&'a Map<String, Value>, Scope<'a>)>,
}

impl<'a> Rows<'a> {
    fn new(pack: &'a Pack, settled: &'a Settled) -> Self {
        let asked = pack.rules.iter().any(|r| r.each) || pack.facts.iter().any(|f| f.each);
        let table = pack.table().filter(|_| asked).map_or("", |table| table.source.id.as_str());
        let rows = settled.values.get(table).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let rows = rows.iter().filter_map(Value::as_object).enumerate();
        Self {
            table,
            rows: rows.map(|(index, row)| (row, settled.scope.row(index, row))).collect(),
        }
    }

    /// The places a rule is asked for: the form, or each row; with what it needs there.
    fn places(&self, each: bool, field: &str, needs: &[Need], settled: &'a Settled) -> Vec<(String, &Scope<'a>)> {
        let there = |need: &Need, row: Option<&Map<String, Value>>| {
            let values = if need.column { row } else { Some(&settled.values) };
            values
                .and_then(|values| values.get(&need.id))
                .is_some_and(|value| !values::is_empty(value))
        };
        if each {
            let rows = self.rows.iter().enumerate();
            rows.filter(|(_, (row, _))| needs.iter().all(|need| there(need, Some(row))))
                .map(|(index, (_, scope))| (format!("{}.{index}.{field}", self.table), scope))
                .collect()
        } else if needs.iter().all(|need| there(need, None)) {
            vec![(field.to_owned(), &settled.scope)]
        } else {
            Vec::new()
        }
    }

    fn ask(&self, rule: &Rule, settled: &'a Settled, findings: &mut Vec<Finding>) {
        for (path, scope) in self.places(rule.each, &rule.field, &rule.needs, settled) {
            match rule.when.holds(scope) {
                Ok(false) => {}
                Ok(true) => findings.push(Finding::new(&path, rule.severity, &rule.code, values_of(&rule.params, scope))),
                // A rule that cannot answer must not let the form pass.
                Err(NotEvaluable) => findings.push(Finding::not_evaluable(&path, &rule.code)),
            }
        }
    }

    fn tell(&self, fact: &FactRule, settled: &'a Settled, facts: &mut Vec<Fact>) {
        for (path, scope) in self.places(fact.each, &fact.field, &fact.needs, settled) {
            if fact.when.as_ref().is_none_or(|when| when.holds(scope) == Ok(true)) {
                facts.push(Fact {
                    field: path,
                    code: fact.code.clone(),
                    params: values_of(&fact.params, scope),
                });
            }
        }
    }
}

impl Finding {
    pub(crate) fn new(field: &str, severity: Severity, code: &str, params: Map<String, Value>) -> Self {
        Self {
            field: field.to_owned(),
            severity,
            code: code.to_owned(),
            params,
        }
    }

    pub(crate) fn not_evaluable(field: &str, rule: &str) -> Self {
        let params = Map::from_iter([("rule".to_owned(), Value::String(rule.to_owned()))]);
        Self::new(field, Severity::Error, "rule-not-evaluable", params)
    }

    /// The same, with the path to its row.
    pub(crate) fn under(mut self, row: &str) -> Self {
        self.field = format!("{row}.{}", self.field);
        self
    }
}

impl Fact {
    pub(crate) fn new(field: &str, code: &str, params: Value) -> Self {
        Self {
            field: field.to_owned(),
            code: code.to_owned(),
            params: match params {
                Value::Object(map) => map,
                _ => Map::new(),
            },
        }
    }

    /// The same, with the path to its row.
    pub(crate) fn under(mut self, row: &str) -> Self {
        self.field = format!("{row}.{}", self.field);
        self
    }
}

fn values_of(params: &BTreeMap<String, Expression>, scope: &Scope<'_>) -> Map<String, Value> {
    let values = params.iter().filter_map(|(name, e)| Some((name.clone(), e.value(scope).ok()?)));
    values.collect()
}

fn row_of(path: &str) -> Option<usize> {
    path.split('.').nth(1)?.parse().ok()
}

fn birth_fact(path: &str, person: &Matricule, today: Date) -> Fact {
    let birth = person.birth();
    match (birth.month, birth.day, person.age_on(today)) {
        (Some(month), Some(day), Some(age)) => Fact::new(
            path,
            "matricule-birth",
            json!({"birth": format!("{day:02}.{month:02}.{:04}", birth.year), "age": age}),
        ),
        _ => Fact::new(path, "matricule-birth-year", json!({"year": birth.year})),
    }
}

/// Wipes all texts, those in rows too; numbers are forgotten.
pub(crate) fn wipe(values: &mut Map<String, Value>) {
    values.values_mut().for_each(wipe_value);
}

fn wipe_value(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(rows) => rows.iter_mut().for_each(wipe_value),
        Value::Object(row) => wipe(row),
        Value::Number(_) | Value::Bool(_) => *value = Value::Null,
        Value::Null => {}
    }
}
