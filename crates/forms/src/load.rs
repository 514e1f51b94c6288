//! Opens a pack and checks it as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::codes::CodeList;
use crate::field::Record;
use crate::files::{text, text_file};
use crate::foreign::Foreign;
use crate::pack::{FactRule, Need, Rule, TotalRule};
use crate::page::Volet;
use crate::rules::{Expression, LINE, TODAY, Vocabulary};
use crate::schema::Schema;
use crate::source::{CodeListSource, FieldSource, FieldTexts, MessageSource, PackSource, TextsSource};
use crate::texts::Sentences;
use crate::wire::{Exchange, Message};
use crate::{Act, FieldType, Lang, Pack, PackError, PackFiles, Workflow};

impl Pack {
    /// Opens a pack and checks it as a whole: names, expressions, texts in four languages, templates, examples.
    ///
    /// # Errors
    /// Names the file and the reason.
    pub fn load(files: &dyn PackFiles) -> Result<Self, PackError> {
        let source: PackSource = toml::from_str(&text(files, "pack.toml")?).map_err(|e| PackError::broken("pack.toml", e))?;
        let broken = |reason: String| PackError::broken("pack.toml", reason);
        check_names(&source).map_err(broken)?;
        let codes = read_codes(files, &source)?;
        let (texts, sentences) = read_texts(files, &source)?;

        let mut vocabulary = Vocabulary::of(&source);
        let mut sections = Vec::with_capacity(source.sections.len());
        let mut fields: Vec<FieldSource> = Vec::new();
        for section in source.sections {
            let from = fields.len();
            fields.extend(section.fields);
            sections.push((section.id, from..fields.len()));
        }
        let record = Record::compile(fields, &vocabulary, false).map_err(broken)?;
        let mut totals = Vec::with_capacity(source.totals.len());
        for total in source.totals {
            totals.push(TotalRule {
                value: Expression::compile(&total.value, &vocabulary).map_err(broken)?,
                needs: total.needs,
                name: total.name.clone(),
            });
            // Those after it, and the rules, may name it.
            vocabulary.totals.insert(total.name);
        }
        let rules = source.rules.into_iter().map(|rule| {
            let row = rule.each.is_some();
            Ok(Rule {
                each: row,
                needs: rule.needs.iter().map(|need| Need::of(need, row)).collect(),
                when: Expression::compile_for(&rule.when, &vocabulary, row)?,
                params: compile_all(&rule.params, &vocabulary, row)?,
                code: rule.code,
                field: rule.field,
                severity: rule.severity,
            })
        });
        let rules = rules.collect::<Result<Vec<_>, String>>().map_err(broken)?;
        let facts = source.facts.into_iter().map(|fact| {
            let row = fact.each.is_some();
            Ok(FactRule {
                each: row,
                needs: fact.needs.iter().map(|need| Need::of(need, row)).collect(),
                when: fact.when.map(|when| Expression::compile_for(&when, &vocabulary, row)).transpose()?,
                params: compile_all(&fact.params, &vocabulary, row)?,
                code: fact.code,
                field: fact.field,
            })
        });
        let facts = facts.collect::<Result<Vec<_>, String>>().map_err(broken)?;
        let volets = source.volets.into_iter().map(|volet| Volet::compile(volet, &vocabulary));
        let volets = volets.collect::<Result<Vec<_>, String>>().map_err(broken)?;
        let pages = read_pages(files, &volets)?;

        let contestation = source.contestation.as_ref().and_then(|message| message.codes.as_deref());
        let contestation = contestation.map(|file| read_code_list(files, file)).transpose()?;
        let exchanges = [
            (Exchange::Deposit, source.wire),
            (Exchange::Cancellation, source.cancellation),
            (Exchange::Simulation, source.simulation),
            (Exchange::Validation, source.validation),
            (Exchange::Contestation, source.contestation),
        ];
        let mut messages = BTreeMap::new();
        let mut foreign = None;
        for (exchange, message) in exchanges {
            if let Some(mut message) = message {
                if let Some(source) = message.foreign.take() {
                    let schema = Schema::read(&text(files, &source.schema)?).map_err(|e| PackError::broken(&source.schema, e))?;
                    foreign = Some(Foreign::compile(source, schema).map_err(broken)?);
                }
                let file = message.template.clone();
                let message = Message::compile(message, text(files, &file)?).map_err(|e| PackError::broken(&file, e))?;
                messages.insert(exchange, message);
            }
        }

        let pack = Self {
            kind: source.kind,
            version: source.version,
            workflow: source.workflow,
            shortcut: source.shortcut,
            turns_into: source.turns_into,
            paper: source.paper,
            roles: source.roles,
            physician_only: source.delegation.physician_only,
            example_day: source.examples.map(|examples| examples.today),
            sections,
            record,
            rules,
            facts,
            totals,
            sentences,
            messages,
            foreign,
            contestation,
            texts,
            codes,
            volets,
            pages,
            examples: read_examples(files)?,
        };
        pack.prove()?;
        Ok(pack)
    }
}

impl Vocabulary {
    fn of(source: &PackSource) -> Self {
        let types = |fields: &[FieldSource]| fields.iter().map(|f| (f.id.clone(), f.field_type)).collect::<BTreeMap<_, _>>();
        let table = fields_of(source).find(|f| f.field_type == FieldType::Lines);
        Self {
            fields: fields_of(source).map(|f| (f.id.clone(), f.field_type)).collect(),
            table: table.map(|table| (table.id.clone(), types(&table.columns))),
            totals: BTreeSet::new(),
        }
    }
}

impl Need {
    fn of(name: &str, row: bool) -> Self {
        match name.strip_prefix(LINE).and_then(|rest| rest.strip_prefix('.')) {
            Some(column) if row => Self {
                column: true,
                id: column.to_owned(),
            },
            _ => Self {
                column: false,
                id: name.to_owned(),
            },
        }
    }
}

fn fields_of(source: &PackSource) -> impl Iterator<Item = &FieldSource> {
    source.sections.iter().flat_map(|section| &section.fields)
}

fn compile_all(sources: &BTreeMap<String, String>, vocabulary: &Vocabulary, row: bool) -> Result<BTreeMap<String, Expression>, String> {
    let compiled = sources
        .iter()
        .map(|(name, source)| Ok((name.clone(), Expression::compile_for(source, vocabulary, row)?)));
    compiled.collect()
}

/// What the journal calls a signed PDF of no form.
const PDF: &str = "pdf";

/// Names that must be unique, exist, or have a certain shape.
fn check_names(source: &PackSource) -> Result<(), String> {
    let well_formed = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 40
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    let fields: Vec<&FieldSource> = fields_of(source).collect();
    let names = std::iter::once(&source.kind)
        .chain(&source.turns_into)
        .chain(source.sections.iter().map(|s| &s.id))
        .chain(
            fields
                .iter()
                .flat_map(|f| std::iter::once(&f.id).chain(f.columns.iter().map(|c| &c.id))),
        )
        .chain(source.totals.iter().map(|t| &t.name))
        .chain(source.volets.iter().map(|v| &v.name))
        .chain(source.rules.iter().map(|r| &r.code))
        .chain(source.facts.iter().map(|f| &f.code));
    if let Some(name) = names.into_iter().find(|name| !well_formed(name)) {
        return Err(format!("\"{name}\" is no name"));
    }
    if source.kind == PDF {
        return Err(format!("no form may be called {PDF}: that is a signed PDF of no form"));
    }
    let variables: Vec<&str> = fields
        .iter()
        .map(|f| f.id.as_str())
        .chain(source.totals.iter().map(|t| t.name.as_str()))
        .collect();
    check_unique(&variables)?;
    if let Some(taken) = [TODAY, LINE].into_iter().find(|name| variables.contains(name)) {
        return Err(format!("no field may be called {taken}"));
    }
    if source.volets.iter().filter(|v| v.signed).count() != 1 {
        return Err("exactly one volet is signed".to_owned());
    }
    let tables: Vec<&FieldSource> = fields.iter().copied().filter(|f| f.field_type == FieldType::Lines).collect();
    if tables.len() > 1 {
        return Err("at most one field has rows".to_owned());
    }
    for field in &fields {
        check_field(field, &fields, &[])?;
    }
    for table in &tables {
        let columns: Vec<&FieldSource> = table.columns.iter().collect();
        check_unique(&columns.iter().map(|c| c.id.as_str()).collect::<Vec<_>>())?;
        for column in &columns {
            if column.field_type == FieldType::Lines || column.default.is_some() {
                return Err(format!("column \"{}\": a column has no rows and no default", column.id));
            }
            check_field(column, &columns, &fields)?;
        }
    }
    check_references(source, &fields, tables.first().copied())?;
    check_delegation(source)?;
    check_messages(source, tables.is_empty())
}

fn check_unique(names: &[&str]) -> Result<(), String> {
    let unique: BTreeSet<&&str> = names.iter().collect();
    if unique.len() == names.len() {
        return Ok(());
    }
    Err("two fields, columns or totals have the same name".to_owned())
}

/// That the keys of a field or column fit its type and name those beside it, or in the form around it.
fn check_field(field: &FieldSource, beside: &[&FieldSource], around: &[&FieldSource]) -> Result<(), String> {
    let named = |reason: &str| Err(format!("field \"{}\": {reason}", field.id));
    let codes_fit = match field.field_type {
        FieldType::Choice => !field.options.is_empty() && field.codes.is_none() && !field.free_entry,
        FieldType::Code => field.options.is_empty() && field.codes.is_some(),
        _ => field.options.is_empty() && field.codes.is_none() && !field.free_entry,
    };
    if !codes_fit {
        return named("options, codes and type do not fit together");
    }
    let text = matches!(field.field_type, FieldType::Text | FieldType::Code);
    let counted = matches!(field.field_type, FieldType::Integer | FieldType::Money | FieldType::Lines);
    let keys_fit = (text || (field.min_length.is_none() && field.max_length.is_none() && field.chars.is_none()))
        && (field.field_type == FieldType::Text || (!field.multiline && field.labelled.is_none()))
        && (counted || (field.min.is_none() && field.max.is_none()))
        && (field.field_type == FieldType::Money || field.priced.is_none())
        && (field.field_type == FieldType::Lines) != field.columns.is_empty();
    if !keys_fit {
        return named("a key does not fit the type");
    }
    if field.min.zip(field.max).is_some_and(|(least, most)| least > most)
        || field.min_length.zip(field.max_length).is_some_and(|(l, m)| l > m)
    {
        return named("the least is more than the most");
    }
    let paths = field.prefill.iter().chain(&field.suggest);
    if let Some(path) = paths
        .into_iter()
        .find(|path| !path.starts_with("physician.") && !path.starts_with("profile."))
    {
        return named(&format!("\"{path}\" is no path into physician or profile"));
    }
    let of_type = |id: &str, known: &[&FieldSource], fits: FieldType| known.iter().any(|f| f.id == id && f.field_type == fits);
    if let Some(when) = &field.shown_when {
        if !beside.iter().any(|f| f.id == when.field) {
            return Err(format!("unknown field \"{}\"", when.field));
        }
        if when.any_of.is_empty() == when.empty.is_none() || when.empty == Some(false) {
            return named("shown_when has either any_of or empty = true");
        }
    }
    if let Some(priced) = &field.priced {
        let day = of_type(&priced.day, beside, FieldType::Date)
            || (!beside.iter().any(|f| f.id == priced.day) && of_type(&priced.day, around, FieldType::Date));
        let times = priced.times.as_ref().is_none_or(|times| of_type(times, beside, FieldType::Integer));
        if !(of_type(&priced.code, beside, FieldType::Code) && day && times) {
            return named("priced by a code, a date and an integer");
        }
    }
    match &field.labelled {
        Some(code) if !of_type(code, beside, FieldType::Code) => named("labelled by a code"),
        _ => Ok(()),
    }
}

fn check_references(source: &PackSource, fields: &[&FieldSource], table: Option<&FieldSource>) -> Result<(), String> {
    let form: BTreeSet<&str> = fields.iter().map(|f| f.id.as_str()).collect();
    let columns: BTreeSet<&str> = table.iter().flat_map(|t| &t.columns).map(|c| c.id.as_str()).collect();
    let unknown = |id: &str| Err(format!("unknown field \"{id}\""));
    let of_rules = source.rules.iter().map(|r| (&r.each, &r.field, &r.needs));
    let of_facts = source.facts.iter().map(|f| (&f.each, &f.field, &f.needs));
    for (each, field, needs) in of_rules.chain(of_facts) {
        if let Some(each) = each
            && table.is_none_or(|table| table.id != *each)
        {
            return Err(format!("\"{each}\" has no rows"));
        }
        if !if each.is_some() { &columns } else { &form }.contains(field.as_str()) {
            return unknown(field);
        }
        for need in needs {
            let need_of = Need::of(need, each.is_some());
            if !if need_of.column { &columns } else { &form }.contains(need_of.id.as_str()) {
                return unknown(need);
            }
        }
    }
    let shown = source
        .wire
        .iter()
        .filter_map(|wire| wire.foreign.as_ref())
        .flat_map(|foreign| &foreign.shows);
    let total = |name: &String| source.totals.iter().any(|total| total.name == *name);
    if let Some((name, _)) = shown.into_iter().find(|(name, _)| !form.contains(name.as_str()) && !total(name)) {
        return unknown(name);
    }
    let others = [&source.roles.provider_code, &source.roles.ehealth_id];
    let mut others = others
        .into_iter()
        .flatten()
        .chain(source.examples.iter().map(|e| &e.today))
        .chain(source.totals.iter().flat_map(|t| &t.needs));
    match others.find(|id| !form.contains(id.as_str())) {
        Some(id) => unknown(id),
        None => Ok(()),
    }
}

/// That what only the physician does can be done with the form at all.
fn check_delegation(source: &PackSource) -> Result<(), String> {
    let deposited = source.workflow == Workflow::Deposit;
    let possible = |act: &Act| match act {
        Act::Deposit => deposited,
        Act::Cancel => source.cancellation.is_some(),
        Act::Simulate | Act::Pay => !deposited,
        Act::Contest => source.contestation.is_some(),
        Act::Paper => source.paper,
    };
    match source.delegation.physician_only.iter().find(|act| !possible(act)) {
        Some(act) => Err(format!("[delegation]: {act:?} is not done with this form")),
        None => Ok(()),
    }
}

/// That the workflow has its messages, and each message the names its answer is read by.
fn check_messages(source: &PackSource, no_rows: bool) -> Result<(), String> {
    let complete = match source.workflow {
        Workflow::Deposit => {
            source.wire.is_some() && source.simulation.is_none() && source.validation.is_none() && source.contestation.is_none()
        }
        Workflow::Simulate => {
            source.wire.is_none() && source.cancellation.is_none() && source.simulation.is_some() && source.validation.is_some() && !no_rows
        }
    };
    if !complete {
        return Err("the workflow deposit has [wire] and may have [cancellation]; simulate has rows, [simulation], [validation] and may have [contestation]".to_owned());
    }
    let messages = [
        (Exchange::Deposit, &source.wire),
        (Exchange::Cancellation, &source.cancellation),
        (Exchange::Simulation, &source.simulation),
        (Exchange::Validation, &source.validation),
        (Exchange::Contestation, &source.contestation),
    ];
    for (exchange, message) in messages {
        if let Some(message) = message {
            check_message(exchange, message)?;
        }
    }
    let contested = source.contestation.is_none() || source.simulation.as_ref().is_some_and(|s| s.answer.anomaly_id.is_some());
    if contested {
        return Ok(());
    }
    Err("what can be contested needs simulation.answer.anomaly_id".to_owned())
}

fn check_message(exchange: Exchange, message: &MessageSource) -> Result<(), String> {
    let uid = &message.model_uid;
    let fits = (1..=32).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !fits {
        return Err(format!("\"{uid}\" is no modelUID"));
    }
    let answer = &message.answer;
    let simulated = exchange == Exchange::Simulation;
    let names_fit = answer.lines.is_some() == simulated
        && answer.totals.is_some() == simulated
        && answer.payment.is_some() == (exchange == Exchange::Validation)
        && message.codes.is_some() == (exchange == Exchange::Contestation)
        && (message.foreign.is_none() || exchange == Exchange::Deposit);
    if names_fit {
        return Ok(());
    }
    Err(format!(
        "[{}]: lines and totals belong to a simulation's answer, payment to a validation's, codes to a contestation, foreign to a deposit",
        exchange.table()
    ))
}

fn read_pages(files: &dyn PackFiles, volets: &[Volet]) -> Result<BTreeMap<String, Vec<u8>>, PackError> {
    let mut pages = BTreeMap::new();
    for path in files.list("pages") {
        let page = text(files, &path)?;
        pages.insert(path, page.into_bytes());
    }
    match volets.iter().find(|v| !pages.contains_key(&v.page)) {
        Some(volet) => Err(PackError::Missing { file: volet.page.clone() }),
        None => Ok(pages),
    }
}

fn read_codes(files: &dyn PackFiles, source: &PackSource) -> Result<BTreeMap<String, CodeList>, PackError> {
    let mut lists = BTreeMap::new();
    let all = fields_of(source).flat_map(|f| std::iter::once(f).chain(&f.columns));
    for file in all.filter_map(|f| f.codes.as_ref()) {
        if !lists.contains_key(file) {
            lists.insert(file.clone(), read_code_list(files, file)?);
        }
    }
    Ok(lists)
}

fn read_code_list(files: &dyn PackFiles, file: &str) -> Result<CodeList, PackError> {
    let list: CodeListSource = serde_json::from_str(&text(files, file)?).map_err(|e| PackError::broken(file, e))?;
    CodeList::compile(list).map_err(|e| PackError::broken(file, e))
}

fn read_texts(files: &dyn PackFiles, source: &PackSource) -> Result<(BTreeMap<Lang, TextsSource>, Sentences), PackError> {
    let mut sentences = Sentences::new()?;
    let mut all = BTreeMap::new();
    for lang in Lang::ALL {
        let file = text_file(lang);
        let texts: TextsSource = serde_json::from_str(&text(files, &file)?).map_err(|e| PackError::broken(&file, e))?;
        for (code, sentence) in texts.findings.iter().chain(&texts.facts) {
            sentences
                .add(lang, code, sentence.clone())
                .map_err(|e| PackError::broken(&file, e))?;
        }
        let differences = [
            difference("section", source.sections.iter().map(|s| &s.id), texts.sections.keys()),
            difference("volet", source.volets.iter().map(|v| &v.name), texts.volets.keys()),
            difference("total", source.totals.iter().map(|t| &t.name), texts.totals.keys()),
            difference("rule", source.rules.iter().map(|r| &r.code), texts.findings.keys()),
            difference("fact", source.facts.iter().map(|f| &f.code), texts.facts.keys()),
            fields_difference("field", &fields_of(source).collect::<Vec<_>>(), &texts.fields),
            // French comes first: what helps its readers helps all.
            all.get(&Lang::Fr)
                .and_then(|french: &TextsSource| hints_difference(&french.fields, &texts.fields)),
        ];
        if let Some(difference) = differences.into_iter().flatten().next() {
            return Err(PackError::broken(file, difference));
        }
        all.insert(lang, texts);
    }
    Ok((all, sentences))
}

fn fields_difference(what: &str, fields: &[&FieldSource], texts: &BTreeMap<String, FieldTexts>) -> Option<String> {
    difference(what, fields.iter().map(|f| &f.id), texts.keys()).or_else(|| {
        fields.iter().find_map(|field| {
            let words = texts.get(&field.id)?;
            difference("option", field.options.iter(), words.options.keys())
                .or_else(|| fields_difference("column", &field.columns.iter().collect::<Vec<_>>(), &words.columns))
        })
    })
}

fn hints_difference(french: &BTreeMap<String, FieldTexts>, texts: &BTreeMap<String, FieldTexts>) -> Option<String> {
    french.iter().find_map(|(id, french)| {
        let texts = texts.get(id)?;
        if french.hint.is_some() != texts.hint.is_some() {
            return Some(format!("the hint of \"{id}\" is missing in one of the languages"));
        }
        hints_difference(&french.columns, &texts.columns)
    })
}

/// The first name that is on one side only.
fn difference<'a>(what: &str, needed: impl Iterator<Item = &'a String>, written: impl Iterator<Item = &'a String>) -> Option<String> {
    let (needed, written): (BTreeSet<_>, BTreeSet<_>) = (needed.collect(), written.collect());
    let missing = needed.difference(&written).map(|name| format!("no text for the {what} \"{name}\""));
    let stale = written
        .difference(&needed)
        .map(|name| format!("a text for the {what} \"{name}\", which does not exist"));
    missing.chain(stale).next()
}

fn read_examples(files: &dyn PackFiles) -> Result<BTreeMap<String, Map<String, Value>>, PackError> {
    let mut examples = BTreeMap::new();
    for path in files.list("examples") {
        let Some(name) = path.strip_prefix("examples/").and_then(|file| file.strip_suffix(".json")) else {
            return Err(PackError::broken(path, "only JSON files belong here"));
        };
        let example = serde_json::from_str(&text(files, &path)?).map_err(|e| PackError::broken(&path, e))?;
        examples.insert(name.to_owned(), example);
    }
    if examples.is_empty() {
        return Err(PackError::Missing {
            file: "examples/*.json".to_owned(),
        });
    }
    Ok(examples)
}
