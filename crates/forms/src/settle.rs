//! From raw values to settled ones: read, emptied where they do not apply, filled where they were left empty, added up.

use serde_json::{Map, Value, json};
use time::Date;

use crate::check::{Fact, Finding, Total};
use crate::field::{Field, Fill, Record};
use crate::pack::{PAGE_LANG, Pack};
use crate::rules::Scope;
use crate::source::PricedSource;
use crate::{Environment, FieldType, Severity, values};

/// How many unknown names are reported one by one.
const UNKNOWN_REPORTED: usize = 20;

/// Values before the rules across fields.
pub(crate) struct Settled {
    /// Every field; every column of every row.
    pub values: Map<String, Value>,
    /// What each value says of itself.
    pub findings: Vec<Finding>,
    /// What the tariff told.
    pub facts: Vec<Fact>,
    /// What the program put in, by path.
    pub filled: Map<String, Value>,
    /// The totals that could be made.
    pub totals: Vec<Total>,
    /// The same values, for expressions.
    pub scope: Scope<'static>,
}

/// One form or one row at work. Findings, facts and filled values carry the bare name of their field.
struct Entry<'a> {
    pack: &'a Pack,
    record: &'a Record,
    environment: Environment,
    raw: &'a Map<String, Value>,
    /// The form around a row.
    outer: Option<&'a Map<String, Value>>,
    values: Map<String, Value>,
    findings: Vec<Finding>,
    facts: Vec<Fact>,
    filled: Map<String, Value>,
}

impl Pack {
    /// Settles raw values; without a day, for a draft.
    pub(crate) fn settle(&self, raw: &Map<String, Value>, environment: Environment, today: Option<Date>) -> Settled {
        let mut form = Entry::read(self, &self.record, environment, raw, None);
        let mut scope = Scope::new(&form.values, today);
        form.settle(&mut scope);
        let Entry {
            values,
            findings,
            facts,
            filled,
            ..
        } = form;
        let mut settled = Settled {
            values,
            findings,
            facts,
            filled,
            totals: Vec::new(),
            scope,
        };
        if let Some(table) = self.table() {
            self.settle_rows(table, raw, environment, &mut settled);
        }
        self.add_up(&mut settled);
        settled
    }

    fn settle_rows(&self, table: &Field, raw: &Map<String, Value>, environment: Environment, settled: &mut Settled) {
        let id = table.source.id.as_str();
        let shown = match settled.values.get(id) {
            // Reading left the number of rows here; a table that is not shown has been emptied.
            Some(Value::Array(rows)) => rows.len(),
            _ => 0,
        };
        let rows = raw.get(id).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let nothing = Map::new();
        let mut made = Vec::with_capacity(shown);
        for (index, raw) in rows.iter().take(shown).enumerate() {
            let place = format!("{id}.{index}");
            let columns = raw.as_object();
            if columns.is_none() {
                settled
                    .findings
                    .push(Finding::new(&place, Severity::Error, "value-not-row", Map::new()));
            }
            let mut row = Entry::read(
                self,
                &table.columns,
                environment,
                columns.unwrap_or(&nothing),
                Some(&settled.values),
            );
            if columns.is_some() {
                let mut scope = settled.scope.row(index, &row.values);
                row.settle(&mut scope);
            }
            let Entry {
                values,
                findings,
                facts,
                filled,
                ..
            } = row;
            settled.findings.extend(findings.into_iter().map(|f| f.under(&place)));
            settled.facts.extend(facts.into_iter().map(|f| f.under(&place)));
            settled
                .filled
                .extend(filled.into_iter().map(|(name, value)| (format!("{place}.{name}"), value)));
            made.push(Value::Object(values));
        }
        let made = Value::Array(made);
        settled.scope.set(id, &made);
        settled.values.insert(id.to_owned(), made);
    }

    fn add_up(&self, settled: &mut Settled) {
        for total in &self.totals {
            let ready = total
                .needs
                .iter()
                .all(|id| settled.values.get(id).is_some_and(|v| !values::is_empty(v)));
            let cents = ready.then(|| total.value.number(&settled.scope));
            let cents = match cents {
                Some(Ok(cents)) => Some(cents),
                Some(Err(_)) => {
                    settled.findings.push(Finding::not_evaluable(&total.name, &total.name));
                    None
                }
                None => None,
            };
            settled.scope.set(&total.name, &cents.map_or(Value::Null, Value::from));
            settled.totals.extend(cents.map(|cents| Total {
                name: total.name.clone(),
                cents,
            }));
        }
    }
}

impl<'a> Entry<'a> {
    fn read(
        pack: &'a Pack,
        record: &'a Record,
        environment: Environment,
        raw: &'a Map<String, Value>,
        outer: Option<&'a Map<String, Value>>,
    ) -> Self {
        let mut entry = Self {
            pack,
            record,
            environment,
            raw,
            outer,
            values: Map::new(),
            findings: Vec::new(),
            facts: Vec::new(),
            filled: Map::new(),
        };
        let unknown = raw.keys().filter(|key| record.find(key).is_none()).take(UNKNOWN_REPORTED);
        for key in unknown {
            let name: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
            entry
                .findings
                .push(Finding::new(&name, Severity::Error, "value-unknown-field", Map::new()));
        }
        for field in record.fields() {
            let value = match raw.get(&field.source.id) {
                Some(Value::Array(rows)) if field.source.field_type == FieldType::Lines => entry.count_rows(field, rows),
                Some(value) => entry.read_one(field, value),
                None => None,
            };
            entry.values.insert(field.source.id.clone(), value.unwrap_or_else(|| empty(field)));
        }
        entry
    }

    /// As many places as there are rows to read; rows left blank at the end are not there.
    fn count_rows(&mut self, field: &Field, rows: &[Value]) -> Option<Value> {
        let (least, most) = values::bounds(&field.source)?;
        let mut count = rows.len() - rows.iter().rev().take_while(|row| row.is_object() && values::is_blank(row)).count();
        if count == 0 && field.source.required && !rows.is_empty() {
            // The first row is where the cursor belongs.
            count = 1;
        }
        let (least, most) = (usize::try_from(least).unwrap_or(0), usize::try_from(most).unwrap_or(0));
        let limited = |code: &str, limit: usize| {
            Finding::new(
                &field.source.id,
                Severity::Error,
                code,
                Map::from_iter([("limit".to_owned(), json!(limit))]),
            )
        };
        if count > most {
            self.findings.push(limited("rows-too-many", most));
        } else if count > 0 && count < least {
            self.findings.push(limited("rows-too-few", least));
        }
        Some(Value::Array(vec![Value::Null; count.min(most)]))
    }

    fn read_one(&mut self, field: &Field, raw: &Value) -> Option<Value> {
        let known = |code: &str| self.pack.code(&field.source, code).is_some();
        let reading = values::read(&field.source, raw, self.environment, known);
        for (severity, code, params) in reading.faults {
            self.findings.push(Finding::new(&field.source.id, severity, code, params));
        }
        reading.value
    }

    fn settle(&mut self, scope: &mut Scope<'_>) {
        for field in self.record.in_order() {
            let id = field.source.id.as_str();
            if !self.is_shown(field) {
                let before = self.findings.len();
                self.findings.retain(|f| f.field != id);
                if self.findings.len() < before || self.values.get(id).is_some_and(|value| !values::is_blank(value)) {
                    self.findings
                        .push(Finding::new(id, Severity::Warning, "value-not-applicable", Map::new()));
                }
                self.set(field, empty(field), scope);
                continue;
            }
            if !self.is_empty(id) || self.is_wrong(id) {
                continue;
            }
            if let Some(fill) = &field.fill {
                self.fill(field, fill, scope);
            }
            if field.source.required && self.is_empty(id) && !self.is_wrong(id) {
                self.ask_for(field);
            }
        }
    }

    fn is_shown(&self, field: &Field) -> bool {
        let Some(when) = &field.source.shown_when else {
            return true;
        };
        match when.empty {
            // What was typed wrongly is not nothing.
            Some(_) => self.is_empty(&when.field) && self.raw.get(&when.field).is_none_or(values::is_blank),
            None => self.values.get(&when.field).is_some_and(|value| when.any_of.contains(value)),
        }
    }

    fn fill(&mut self, field: &Field, fill: &Fill, scope: &mut Scope<'_>) {
        let made = match fill {
            // What it is made of may be missing still.
            Fill::Value(expression) => expression.value(scope).unwrap_or(Value::Null),
            Fill::Price(priced) => self.price(field, priced),
            Fill::Label(code) => self.label(field, code),
        };
        match self.read_one(field, &made) {
            Some(value) => {
                self.filled.insert(field.source.id.clone(), value.clone());
                self.set(field, value, scope);
            }
            None => self.facts.retain(|fact| fact.field != field.source.id),
        }
    }

    fn price(&mut self, field: &Field, priced: &PricedSource) -> Value {
        let times = match &priced.times {
            Some(times) if self.is_wrong(times) => return Value::Null,
            Some(times) => self.values.get(times).and_then(Value::as_i64).unwrap_or(1),
            None => 1,
        };
        let Some(day) = self.text(&priced.day).and_then(values::parse_iso) else {
            return Value::Null;
        };
        let code = self.record.find(&priced.code).zip(self.text(&priced.code));
        let price = code.and_then(|(field, code)| self.pack.code(&field.source, code)?.price_on(day));
        let Some((price, amount)) = price.and_then(|price| Some((price, price.cents.checked_mul(times)?))) else {
            return Value::Null;
        };
        let params = json!({"amount": amount, "from": values::iso(price.from)});
        self.facts.push(Fact::new(&field.source.id, "amount-tariff", params));
        Value::from(amount)
    }

    fn label(&self, field: &Field, code: &str) -> Value {
        let named = self.record.find(code).zip(self.text(code));
        let label = named.and_then(|(list, code)| self.pack.code(&list.source, code)?.labels.get(&PAGE_LANG));
        label.map_or(Value::Null, |label| {
            let cut: String = label.chars().take(values::limit(&field.source)).collect();
            Value::String(cut)
        })
    }

    /// Asks for a value, unless it follows from one that is asked for already.
    fn ask_for(&mut self, field: &Field) {
        let id = field.source.id.as_str();
        if let Some(Fill::Price(priced)) = &field.fill {
            let sources = [Some(&priced.code), Some(&priced.day), priced.times.as_ref()];
            if sources.into_iter().flatten().any(|id| self.is_wrong(id)) {
                return;
            }
            if let (Some(code), Some(day)) = (self.text(&priced.code), self.text(&priced.day)) {
                let params = Map::from_iter([("code".to_owned(), json!(code)), ("day".to_owned(), json!(day))]);
                self.findings.push(Finding::new(id, Severity::Error, "amount-unknown", params));
                return;
            }
        }
        self.findings.push(Finding::new(id, Severity::Error, "value-required", Map::new()));
    }

    /// A text of this record, or of the form around it.
    fn text(&self, id: &str) -> Option<&str> {
        let inner = self.record.find(id).map(|_| &self.values);
        inner.or(self.outer)?.get(id)?.as_str()
    }

    fn set(&mut self, field: &Field, value: Value, scope: &mut Scope<'_>) {
        match self.outer {
            None => scope.set(&field.source.id, &value),
            Some(_) => scope.set_column(&field.source.id, &value),
        }
        self.values.insert(field.source.id.clone(), value);
    }

    fn is_empty(&self, id: &str) -> bool {
        self.values.get(id).is_none_or(values::is_empty)
    }

    fn is_wrong(&self, id: &str) -> bool {
        self.findings.iter().any(|f| f.field == id && f.severity == Severity::Error)
    }
}

fn empty(field: &Field) -> Value {
    match field.source.field_type {
        FieldType::YesNo => Value::Bool(false),
        FieldType::Lines => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}
