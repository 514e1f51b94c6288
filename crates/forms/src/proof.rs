//! Proves a pack before it is used: every expression runs, every sentence has its values, every example goes all the way.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use time::Date;
use uuid::Uuid;

use crate::answer::{Anomaly, Contested, SimulatedLine, Simulation};
use crate::field::{Field, Fill, Record};
use crate::files::text_file;
use crate::pack::{Need, Pack};
use crate::rules::{Expression, Scope};
use crate::wire::{Cancellation, Exchange};
use crate::{CheckContext, Environment, FieldType, Lang, PackError, Severity, WireContext, values};

/// How full the form is on which an expression is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fullness<'a> {
    /// Everything.
    Full,
    /// Everything but the rows, unless they are needed.
    WithoutRows,
    /// Everything but this field or column.
    Without(&'a str),
    /// Only what the expression needs.
    Needed,
}

impl Pack {
    /// Finds here, not at the desk, what cannot work.
    pub(crate) fn prove(&self) -> Result<(), PackError> {
        self.try_defaults()?;
        self.try_fills()?;
        self.try_rules()?;
        self.try_totals()?;
        self.try_examples()
    }

    fn try_rules(&self) -> Result<(), PackError> {
        for rule in &self.rules {
            let cannot = || broken("rule", &rule.code);
            for fullness in fullnesses(Some(&rule.when)) {
                self.on_probes(&rule.needs, rule.each, fullness, |scope| {
                    rule.when.holds(scope).map_err(|_| cannot())?;
                    if fullness == Fullness::Needed {
                        self.try_sentence("rule", &rule.code, &rule.params, scope)?;
                    }
                    Ok(())
                })?;
            }
        }
        for fact in &self.facts {
            let cannot = || broken("fact", &fact.code);
            for fullness in fullnesses(fact.when.as_ref()) {
                self.on_probes(&fact.needs, fact.each, fullness, |scope| {
                    if let Some(when) = &fact.when {
                        when.holds(scope).map_err(|_| cannot())?;
                    }
                    if fullness == Fullness::Needed {
                        self.try_sentence("fact", &fact.code, &fact.params, scope)?;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    fn try_totals(&self) -> Result<(), PackError> {
        for total in &self.totals {
            let needs: Vec<Need> = total
                .needs
                .iter()
                .map(|id| Need {
                    column: false,
                    id: id.clone(),
                })
                .collect();
            for fullness in fullnesses(Some(&total.value)) {
                self.on_probes(&needs, false, fullness, |scope| match total.value.number(scope) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(broken("total", &total.name)),
                })?;
            }
        }
        Ok(())
    }

    /// A new form starts with nothing wrong in it.
    fn try_defaults(&self) -> Result<(), PackError> {
        let defaults = self.defaults(Date::from_ordinal_date(2026, 300).map_err(|e| PackError::broken("pack.toml", e))?);
        for field in self.record.fields() {
            let value = defaults.get(&field.source.id).unwrap_or(&Value::Null);
            if !self.takes(field, value) {
                let reason = format!("field \"{}\" does not take its default", field.source.id);
                return Err(PackError::broken("pack.toml", reason));
            }
        }
        Ok(())
    }

    /// What fills a field gives something the field takes, when all it may be made of is there.
    fn try_fills(&self) -> Result<(), PackError> {
        self.on_probes(&[], false, Fullness::Full, |scope| {
            self.record.fields().iter().try_for_each(|field| self.try_fill(field, scope))
        })?;
        let Some(table) = self.table() else {
            return Ok(());
        };
        self.on_probes(&[], true, Fullness::Full, |scope| {
            table.columns.fields().iter().try_for_each(|column| self.try_fill(column, scope))
        })
    }

    fn try_fill(&self, field: &Field, scope: &Scope<'_>) -> Result<(), PackError> {
        let Some(Fill::Value(expression)) = &field.fill else {
            return Ok(());
        };
        let cannot = || broken("fill of", &field.source.id);
        let value = expression.value(scope).map_err(|_| cannot())?;
        if self.takes(field, &value) { Ok(()) } else { Err(cannot()) }
    }

    fn takes(&self, field: &Field, value: &Value) -> bool {
        let known = |code: &str| self.code(&field.source, code).is_some();
        let reading = values::read(&field.source, value, Environment::Training, known);
        reading.faults.iter().all(|(severity, ..)| *severity == Severity::Warning)
    }

    /// Tries something on a form, or on a row of it.
    fn on_probes(
        &self,
        needs: &[Need],
        row: bool,
        fullness: Fullness<'_>,
        tried: impl Fn(&Scope<'_>) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let needed = |column: bool, id: &str| needs.iter().any(|need| need.column == column && need.id == id);
        let wanted = |column: bool, id: &str| match fullness {
            Fullness::Full | Fullness::WithoutRows => true,
            Fullness::Without(name) => id != name || needed(column, id),
            Fullness::Needed => needed(column, id),
        };
        let mut form = self.probe(&self.record, |id| wanted(false, id));
        let asked = self.table().map(|table| self.probe(&table.columns, |id| wanted(true, id)));
        if let Some(table) = self.table() {
            let id = &table.source.id;
            if fullness != Fullness::WithoutRows || needed(false, id) {
                form.insert(id.clone(), self.probe_rows(&table.columns));
            }
        }
        let today = Date::from_ordinal_date(2026, 300).map_err(|e| PackError::broken("pack.toml", e))?;
        let mut scope = Scope::new(&form, Some(today));
        for total in &self.totals {
            let made = total.needs.iter().all(|id| wanted(false, id));
            scope.set(&total.name, &if made { json!(5240) } else { Value::Null });
        }
        match asked {
            Some(columns) if row => tried(&scope.row(0, &columns)),
            _ => tried(&scope),
        }
    }

    /// A full row, an empty one, and one for each column that may be missing.
    fn probe_rows(&self, columns: &Record) -> Value {
        let without = columns
            .fields()
            .iter()
            .map(|missing| self.probe(columns, |id| id != missing.source.id));
        let rows = [self.probe(columns, |_| true), self.probe(columns, |_| false)]
            .into_iter()
            .chain(without);
        Value::Array(rows.map(Value::Object).collect())
    }

    fn probe(&self, record: &Record, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
        let value = |field: &Field| match field.source.field_type {
            FieldType::YesNo => json!(true),
            FieldType::Lines => json!([]),
            _ if !wanted(&field.source.id) => Value::Null,
            FieldType::Matricule => json!("1988123048083"),
            FieldType::ProviderCode => json!("90000101"),
            FieldType::EhealthId => json!("1900000001"),
            FieldType::AccidentNumber => json!("U123456789"),
            FieldType::Date => json!("2026-11-21"),
            FieldType::Time => json!("09:30"),
            FieldType::Money => json!(values::bounds(&field.source).map_or(0, |(least, _)| least.max(0))),
            FieldType::Integer => json!(values::bounds(&field.source).map_or(1, |(least, most)| 1.clamp(least, most))),
            FieldType::Choice => json!(field.source.options.first()),
            FieldType::Code => json!(self.code_list(&field.source).and_then(|list| list.codes().first()).map(|c| &c.code)),
            FieldType::Text => json!("1".repeat(field.source.min_length.unwrap_or(1).max(1))),
        };
        record
            .fields()
            .iter()
            .map(|field| (field.source.id.clone(), value(field)))
            .collect()
    }

    fn try_sentence(&self, what: &str, code: &str, params: &BTreeMap<String, Expression>, scope: &Scope<'_>) -> Result<(), PackError> {
        let mut said = Map::from_iter([("label".to_owned(), json!("")), ("line".to_owned(), json!(1))]);
        for (name, expression) in params {
            let value = expression
                .value(scope)
                .map_err(|_| PackError::broken("pack.toml", format!("{what} \"{code}\": params.{name} cannot be evaluated")))?;
            said.insert(name.clone(), value);
        }
        for lang in Lang::ALL {
            if self.sentences.say(lang, code, &said).is_none() {
                return Err(PackError::broken(
                    text_file(lang),
                    format!("{what} \"{code}\" has no text, or one that asks for a value the {what} does not give"),
                ));
            }
        }
        Ok(())
    }

    fn try_examples(&self) -> Result<(), PackError> {
        for (name, example) in &self.examples {
            let file = format!("examples/{name}.json");
            let today = self
                .example_day(name)
                .ok_or_else(|| PackError::broken(&file, "does not tell its day (examples.today in pack.toml)"))?;
            let context = CheckContext {
                today,
                environment: Environment::Production,
            };
            let outcome = self.check(example, &context);
            let Some(checked) = outcome.checked else {
                return Err(PackError::broken(file, format!("does not pass the check: {:?}", outcome.findings)));
            };
            let simulation = self.sample_simulation(checked.rows());
            for volet in &self.volets {
                self.page_data(&volet.name, &checked, Some(&simulation))?;
            }
            let context = WireContext {
                id: Uuid::nil(),
                issued: today,
                document: b"%PDF-",
                ids: &vec![Uuid::nil(); checked.rows()],
            };
            for exchange in self.messages.keys() {
                match exchange {
                    Exchange::Deposit => self.try_foreign(&self.wire(&checked, &context)?.xml)?,
                    Exchange::Simulation => self.simulation(&checked, &context).map(drop)?,
                    Exchange::Cancellation => self.try_cancellation()?,
                    Exchange::Validation => self.validation(Uuid::nil(), &simulation).map(drop)?,
                    Exchange::Contestation => self.try_contestation(simulation.clone())?,
                }
            }
        }
        Ok(())
    }

    /// What this pack writes, it takes from others too: schema and template say the same.
    fn try_foreign(&self, xml: &str) -> Result<(), PackError> {
        if !self.takes_foreign() {
            return Ok(());
        }
        let broken = |reason: String| {
            PackError::broken(
                "pack.toml",
                format!("[wire.foreign] does not take what the form itself sends: {reason}"),
            )
        };
        let message = self.read_foreign(xml).map_err(|error| broken(error.to_string()))?;
        match self.foreign_wire(&message, b"%PDF-")?.xml == xml {
            true => Ok(()),
            false => Err(broken("it comes out changed".to_owned())),
        }
    }

    fn try_cancellation(&self) -> Result<(), PackError> {
        for replaced_by in [None, Some(Uuid::nil())] {
            self.cancellation(&Cancellation {
                id: Uuid::nil(),
                cancelled: Uuid::nil(),
                replaced_by,
                reason: "erreur",
            })?;
        }
        Ok(())
    }

    fn try_contestation(&self, mut simulation: Simulation) -> Result<(), PackError> {
        let id = "A-1".to_owned();
        simulation.anomalies.push(Anomaly {
            severity: Severity::Error,
            code: "1".to_owned(),
            message: String::new(),
            id: Some(id.clone()),
            line: Some(0),
        });
        let codes = self.contestation.as_ref().map(|list| list.codes()).unwrap_or_default();
        let contested = codes.first().map(|code| Contested {
            id,
            code: code.code.clone(),
        });
        self.contestation(Uuid::nil(), &simulation, contested.as_slice()).map(drop)
    }

    fn sample_simulation(&self, rows: usize) -> Simulation {
        let line = SimulatedLine {
            accepted: true,
            ..SimulatedLine::default()
        };
        Simulation {
            reference: "S-1".to_owned(),
            document: None,
            lines: vec![line; rows],
            statutory: 0,
            personal: 0,
            total: 0,
            anomalies: Vec::new(),
        }
    }
}

/// Everything, then without each that the expression reads and does not need.
fn fullnesses(expression: Option<&Expression>) -> Vec<Fullness<'_>> {
    let read = expression.into_iter().flat_map(|e| e.reads.iter().chain(&e.columns));
    let without = read.map(|name| Fullness::Without(name));
    [Fullness::Full, Fullness::WithoutRows, Fullness::Needed]
        .into_iter()
        .chain(without)
        .collect()
}

fn broken(what: &str, code: &str) -> PackError {
    PackError::broken("pack.toml", format!("{what} \"{code}\" cannot be evaluated"))
}
