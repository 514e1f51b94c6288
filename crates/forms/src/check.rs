use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::Date;
use zeroize::Zeroize;

use crate::definition::{FieldSource, FieldType, ShownWhen};
use crate::pack::{Pack, PackId};
use crate::rules::Scope;
use crate::{Lang, Matricule, values};

/// How many unknown names are reported one by one.
const UNKNOWN_REPORTED: usize = 20;

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
    /// The field it belongs to.
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
    /// The field it belongs to.
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
    /// The values, when no error was found.
    pub checked: Option<Checked>,
}

/// Values without an error: the only ones that can be signed and sent. Made by [`Pack::check`] alone, wiped when dropped.
pub struct Checked {
    pub(crate) by: PackId,
    pub(crate) values: Map<String, Value>,
    provider_code: Option<String>,
    ehealth_id: Option<String>,
}

/// As much of the values as can be read, for a preview. Wiped when dropped.
pub struct Draft {
    pub(crate) by: PackId,
    pub(crate) values: Map<String, Value>,
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
    /// Every field of the form; the empty ones as null, yes/no always as a boolean.
    #[must_use]
    pub const fn values(&self) -> &Map<String, Value> {
        &self.values
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
    /// Finds everything wrong at once: unknown names, types, limits, missing values, then the rules across fields.
    #[must_use]
    pub fn check(&self, raw: &Map<String, Value>, context: &CheckContext) -> Outcome {
        let mut findings = self.unknown_names(raw);
        let mut read = self.read_all(raw, context.environment, &mut findings);

        for field in self.fields() {
            if !self.is_shown(field, &read) {
                let filled = !matches!(read.get(&field.id), None | Some(Value::Null | Value::Bool(false)));
                let before = findings.len();
                findings.retain(|f| f.field != field.id);
                if filled || findings.len() < before {
                    findings.push(Finding::new(&field.id, Severity::Warning, "value-not-applicable", Map::new()));
                }
                read.insert(field.id.clone(), empty(field));
            } else if field.required
                && read.get(&field.id).is_none_or(Value::is_null)
                && !findings.iter().any(|f| f.field == field.id && f.severity == Severity::Error)
            {
                findings.push(Finding::new(&field.id, Severity::Error, "value-required", Map::new()));
            }
        }

        self.check_births(&read, context.today, &mut findings);
        let scope = Scope::new(&read, Some(context.today));
        self.run_rules(&read, &scope, &mut findings);
        let facts = self.read_facts(&read, &scope, context.today);

        let place = |id: &str| self.fields().position(|f| f.id == id).unwrap_or(usize::MAX);
        findings.sort_by_key(|f| (place(&f.field), f.severity));
        let passed = findings.iter().all(|f| f.severity == Severity::Warning);
        let checked = if passed {
            let role = |name: &Option<String>| name.as_ref().and_then(|id| read.get(id)).and_then(Value::as_str).map(str::to_owned);
            Some(Checked {
                by: self.id(),
                provider_code: role(&self.source.roles.provider_code),
                ehealth_id: role(&self.source.roles.ehealth_id),
                values: read,
            })
        } else {
            wipe(&mut read);
            None
        };
        Outcome { findings, facts, checked }
    }

    /// Takes what can be read, for a preview of an incomplete form.
    #[must_use]
    pub fn draft(&self, raw: &Map<String, Value>) -> Draft {
        let mut values = self.read_all(raw, Environment::Training, &mut Vec::new());
        for field in self.fields() {
            if !self.is_shown(field, &values) {
                values.insert(field.id.clone(), empty(field));
            }
        }
        Draft { by: self.id(), values }
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

    fn sentence(&self, field: &str, code: &str, params: &Map<String, Value>, lang: Lang) -> String {
        let mut params = params.clone();
        params.insert("label".to_owned(), Value::String(self.label(field, lang)));
        if code == "code-label"
            && let Some(code) = params.get("code").and_then(Value::as_str)
            && let Some(label) = self.option_label(field, code, lang)
        {
            params.insert("meaning".to_owned(), Value::String(label));
        }
        self.sentences.say(lang, code, &params).unwrap_or_else(|| code.to_owned())
    }

    fn unknown_names(&self, raw: &Map<String, Value>) -> Vec<Finding> {
        raw.keys()
            .filter(|key| self.fields().all(|f| f.id != **key))
            .take(UNKNOWN_REPORTED)
            .map(|key| {
                let name: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
                Finding::new(&name, Severity::Error, "value-unknown-field", Map::new())
            })
            .collect()
    }

    fn read_all(&self, raw: &Map<String, Value>, environment: Environment, findings: &mut Vec<Finding>) -> Map<String, Value> {
        self.fields()
            .map(|field| {
                let reading = raw.get(&field.id).map_or_else(Default::default, |value| {
                    values::read(field, value, environment, |code| self.knows_code(field, code))
                });
                findings.extend(
                    reading
                        .faults
                        .into_iter()
                        .map(|(severity, code, params)| Finding::new(&field.id, severity, code, params)),
                );
                (field.id.clone(), reading.value.unwrap_or_else(|| empty(field)))
            })
            .collect()
    }

    fn is_shown(&self, field: &FieldSource, read: &Map<String, Value>) -> bool {
        let holds = |when: &ShownWhen| read.get(&when.field).is_some_and(|value| when.any_of.contains(value));
        field.shown_when.as_ref().is_none_or(holds)
    }

    fn check_births(&self, read: &Map<String, Value>, today: Date, findings: &mut Vec<Finding>) {
        for (field, person) in self.persons(read) {
            if person.birth().is_after(today) {
                findings.push(Finding::new(&field.id, Severity::Error, "matricule-birth-in-future", Map::new()));
            }
        }
    }

    fn run_rules(&self, read: &Map<String, Value>, scope: &Scope, findings: &mut Vec<Finding>) {
        let ready = |needs: &[String]| needs.iter().all(|id| read.get(id).is_some_and(|v| !v.is_null()));
        for rule in self.rules.iter().filter(|rule| ready(&rule.needs)) {
            match rule.when.holds(scope) {
                Ok(false) => {}
                Ok(true) => {
                    let params = rule
                        .params
                        .iter()
                        .filter_map(|(name, e)| Some((name.clone(), e.value(scope).ok()?)));
                    findings.push(Finding::new(&rule.field, rule.severity, &rule.code, params.collect()));
                }
                // A rule that cannot answer must not let the form pass.
                Err(_) => {
                    let params = [("rule".to_owned(), Value::String(rule.code.clone()))];
                    findings.push(Finding::new(
                        &rule.field,
                        Severity::Error,
                        "rule-not-evaluable",
                        Map::from_iter(params),
                    ));
                }
            }
        }
    }

    fn read_facts(&self, read: &Map<String, Value>, scope: &Scope, today: Date) -> Vec<Fact> {
        let mut facts: Vec<Fact> = self
            .persons(read)
            .map(|(field, person)| birth_fact(field, &person, today))
            .collect();
        for field in self.fields().filter(|f| f.field_type == FieldType::Code) {
            if let Some(code) = read.get(&field.id).and_then(Value::as_str)
                && self.knows_code(field, code)
            {
                facts.push(Fact::new(&field.id, "code-label", json!({"code": code})));
            }
        }
        let ready = |needs: &[String]| needs.iter().all(|id| read.get(id).is_some_and(|v| !v.is_null()));
        for fact in self.facts.iter().filter(|fact| ready(&fact.needs)) {
            if fact.when.as_ref().is_none_or(|when| when.holds(scope) == Ok(true)) {
                let params = fact
                    .params
                    .iter()
                    .filter_map(|(name, e)| Some((name.clone(), e.value(scope).ok()?)));
                facts.push(Fact {
                    field: fact.field.clone(),
                    code: fact.code.clone(),
                    params: params.collect(),
                });
            }
        }
        facts
    }

    fn persons<'a>(&'a self, read: &'a Map<String, Value>) -> impl Iterator<Item = (&'a FieldSource, Matricule)> {
        self.fields().filter(|f| f.field_type == FieldType::Matricule).filter_map(|field| {
            let (person, _) = Matricule::read(read.get(&field.id)?.as_str()?).ok()?;
            Some((field, person))
        })
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
}

impl Fact {
    fn new(field: &str, code: &str, params: Value) -> Self {
        Self {
            field: field.to_owned(),
            code: code.to_owned(),
            params: match params {
                Value::Object(map) => map,
                _ => Map::new(),
            },
        }
    }
}

fn birth_fact(field: &FieldSource, person: &Matricule, today: Date) -> Fact {
    let birth = person.birth();
    match (birth.month, birth.day, person.age_on(today)) {
        (Some(month), Some(day), Some(age)) => Fact::new(
            &field.id,
            "matricule-birth",
            json!({"birth": format!("{day:02}.{month:02}.{:04}", birth.year), "age": age}),
        ),
        _ => Fact::new(&field.id, "matricule-birth-year", json!({"year": birth.year})),
    }
}

fn empty(field: &FieldSource) -> Value {
    match field.field_type {
        FieldType::YesNo => Value::Bool(false),
        _ => Value::Null,
    }
}

fn wipe(values: &mut Map<String, Value>) {
    for value in values.values_mut() {
        if let Value::String(text) = value {
            text.zeroize();
        }
    }
}
