use std::collections::{BTreeMap, BTreeSet};

use include_dir::{Dir, include_dir};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::Date;
use uuid::Uuid;

use crate::check::{CheckContext, Checked, Draft, Environment, Severity};
use crate::definition::{
    Code, CodeList, Definition, FieldDefinition, FieldSource, FieldType, FormSummary, OptionDefinition, PackSource, SectionDefinition,
    TextsSource, VoletDefinition, VoletSource,
};
use crate::rules::{Expression, Scope};
use crate::texts::Sentences;
use crate::wire::{WireContext, WireTemplate};
use crate::{Lang, PackError, values};

/// The packs this program is built with: every folder of `forms/` that holds a `pack.toml`.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms");

/// The language of the printed pages: the forms of the social security are French.
const PAGE_LANG: Lang = Lang::Fr;

/// Larger files are refused, in bytes.
const LARGEST_FILE: usize = 4 * 1024 * 1024;

/// Opens the packs this program is built with, in alphabetical order.
///
/// # Errors
/// The first pack that does not hold together.
pub fn embedded() -> Result<Vec<Pack>, PackError> {
    let mut packs = EMBEDDED
        .dirs()
        .map(MemoryFiles::from)
        .filter(|files| files.read("pack.toml").is_some())
        .map(|files| Pack::load(&files))
        .collect::<Result<Vec<_>, _>>()?;
    packs.sort_by(|a, b| a.kind().cmp(b.kind()));
    Ok(packs)
}

/// Where the files of one pack come from. Paths are relative to the pack, with `/`.
pub trait PackFiles {
    /// The content of a file.
    fn read(&self, path: &str) -> Option<Vec<u8>>;
    /// The paths of all files below a folder, sorted; every file for an empty folder name.
    fn list(&self, folder: &str) -> Vec<String>;
}

/// The files of a pack in memory: embedded, unpacked from a download, or made by a test.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub BTreeMap<String, Vec<u8>>);

/// A form: what may be typed, what is wrong, what is printed and what is sent.
pub struct Pack {
    pub(crate) source: PackSource,
    pub(crate) rules: Vec<Rule>,
    pub(crate) facts: Vec<FactRule>,
    pub(crate) sentences: Sentences,
    pub(crate) wire: Option<WireTemplate>,
    texts: BTreeMap<Lang, TextsSource>,
    codes: BTreeMap<String, Vec<Code>>,
    volets: Vec<Volet>,
    pages: BTreeMap<String, Vec<u8>>,
    examples: BTreeMap<String, Map<String, Value>>,
}

/// One page set of a form.
pub struct Volet {
    /// Stable name: `caisse`, `employeur`, `assure`.
    pub name: String,
    /// Whether this is the one that is signed and deposited.
    pub signed: bool,
    /// The page template, a path inside the pack.
    pub page: String,
    omit: Vec<String>,
    derive: BTreeMap<String, Expression>,
    datamatrix: Option<DataMatrix>,
}

/// What a page template may see. Fields the volet omits are not in it in any shape. No `Debug`: it names a patient.
#[derive(Serialize)]
pub struct PageData {
    /// The fields; the empty ones as null.
    pub values: Map<String, Value>,
    /// What the chosen options and known codes mean, by field, in French.
    pub labels: Map<String, Value>,
    /// What the pack derives for this volet from all values, the omitted ones included.
    pub derived: Map<String, Value>,
    /// What the DataMatrix holds, when there is one and its values are there.
    #[serde(skip)]
    pub datamatrix: Option<String>,
}

/// Which pack, for values that must not be carried to another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PackId {
    kind: String,
    version: String,
}

pub(crate) struct Rule {
    pub code: String,
    pub field: String,
    pub severity: Severity,
    pub needs: Vec<String>,
    pub when: Expression,
    pub params: BTreeMap<String, Expression>,
}

pub(crate) struct FactRule {
    pub code: String,
    pub field: String,
    pub needs: Vec<String>,
    pub when: Option<Expression>,
    pub params: BTreeMap<String, Expression>,
}

struct DataMatrix {
    needs: Vec<String>,
    template: minijinja::Environment<'static>,
}

impl From<&Dir<'_>> for MemoryFiles {
    fn from(dir: &Dir<'_>) -> Self {
        fn collect(dir: &Dir<'_>, root: &std::path::Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for file in dir.files() {
                let path = file.path().strip_prefix(root).unwrap_or_else(|_| file.path());
                files.insert(path.to_string_lossy().replace('\\', "/"), file.contents().to_vec());
            }
            for inner in dir.dirs() {
                collect(inner, root, files);
            }
        }
        let mut files = BTreeMap::new();
        collect(dir, dir.path(), &mut files);
        Self(files)
    }
}

impl PackFiles for MemoryFiles {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let below = |path: &&String| folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.0.keys().filter(below).cloned().collect()
    }
}

impl Pack {
    /// Opens a pack and checks it as a whole: names in rules, texts in four languages, templates, examples.
    ///
    /// # Errors
    /// Names the file and the reason.
    pub fn load(files: &dyn PackFiles) -> Result<Self, PackError> {
        let source: PackSource = toml::from_str(&text(files, "pack.toml")?).map_err(|e| PackError::broken("pack.toml", e))?;
        let broken = |reason: String| PackError::broken("pack.toml", reason);
        check_names(&source).map_err(broken)?;
        let fields: BTreeSet<&str> = source.sections.iter().flat_map(|s| &s.fields).map(|f| f.id.as_str()).collect();

        let rules = source.rules.iter().map(|rule| {
            Ok(Rule {
                code: rule.code.clone(),
                field: rule.field.clone(),
                severity: rule.severity,
                needs: rule.needs.clone(),
                when: Expression::compile(&rule.when, &fields)?,
                params: compile_all(&rule.params, &fields)?,
            })
        });
        let rules = rules.collect::<Result<Vec<_>, String>>().map_err(broken)?;
        let facts = source.facts.iter().map(|fact| {
            Ok(FactRule {
                code: fact.code.clone(),
                field: fact.field.clone(),
                needs: fact.needs.clone(),
                when: fact.when.as_ref().map(|when| Expression::compile(when, &fields)).transpose()?,
                params: compile_all(&fact.params, &fields)?,
            })
        });
        let facts = facts.collect::<Result<Vec<_>, String>>().map_err(broken)?;
        let volets = source
            .volets
            .iter()
            .map(|volet| Volet::compile(volet, &fields))
            .collect::<Result<Vec<_>, String>>();
        let volets = volets.map_err(broken)?;
        let pages = read_pages(files, &volets)?;
        let codes = read_codes(files, &source)?;
        let (texts, sentences) = read_texts(files, &source)?;
        let wire = match &source.wire {
            Some(wire) => Some(WireTemplate::compile(text(files, &wire.template)?).map_err(|e| PackError::broken(&wire.template, e))?),
            None => None,
        };
        let examples = read_examples(files)?;

        let pack = Self {
            source,
            rules,
            facts,
            sentences,
            wire,
            texts,
            codes,
            volets,
            pages,
            examples,
        };
        pack.try_rules()?;
        pack.try_examples()?;
        Ok(pack)
    }

    /// `ecit`, `mh`, `pid`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.source.kind
    }

    /// The pack's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.source.version
    }

    /// The form in one line.
    #[must_use]
    pub fn summary(&self, lang: Lang) -> FormSummary {
        let texts = self.texts(lang);
        FormSummary {
            kind: self.source.kind.clone(),
            title: texts.map(|t| t.title.clone()).unwrap_or_default(),
            short_title: texts.map(|t| t.short_title.clone()).unwrap_or_default(),
            description: texts.map(|t| t.description.clone()).unwrap_or_default(),
            workflow: self.source.workflow.clone(),
            shortcut: self.source.shortcut.clone(),
        }
    }

    /// The form as a screen needs it; `today` resolves the defaults.
    #[must_use]
    pub fn definition(&self, lang: Lang, today: Date) -> Definition {
        let FormSummary {
            kind,
            title,
            short_title,
            description,
            workflow,
            shortcut,
        } = self.summary(lang);
        let titles = self.texts(lang).map(|t| &t.sections);
        Definition {
            kind,
            version: self.source.version.clone(),
            workflow,
            shortcut,
            title,
            short_title,
            description,
            sections: self
                .source
                .sections
                .iter()
                .map(|section| SectionDefinition {
                    id: section.id.clone(),
                    title: titles.and_then(|t| t.get(&section.id)).cloned().unwrap_or_default(),
                    fields: section.fields.iter().map(|field| self.field_definition(field, lang)).collect(),
                })
                .collect(),
            volets: self
                .volets
                .iter()
                .map(|volet| VoletDefinition {
                    name: volet.name.clone(),
                    title: self.volet_title(&volet.name, lang),
                    signed: volet.signed,
                })
                .collect(),
            defaults: self.defaults(today),
        }
    }

    /// JSON Schema (2020-12) of `values`. What depends on other fields is left to the check.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let properties: Map<String, Value> = self.fields().map(|f| (f.id.clone(), self.field_schema(f))).collect();
        let required: Vec<&str> = self
            .fields()
            .filter(|f| f.required && f.shown_when.is_none())
            .map(|f| f.id.as_str())
            .collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:econnector:form:{}:{}", self.kind(), self.version()),
            "title": self.source.kind,
            "type": "object",
            "additionalProperties": false,
            "required": required,
            "properties": properties,
        })
    }

    /// The page sets, in the order they are shown.
    #[must_use]
    pub fn volets(&self) -> &[Volet] {
        &self.volets
    }

    /// What a volet is called.
    #[must_use]
    pub fn volet_title(&self, name: &str, lang: Lang) -> String {
        self.texts(lang).and_then(|t| t.volets.get(name)).cloned().unwrap_or_default()
    }

    /// The files page templates may read, by path inside the pack: everything below `pages/`.
    #[must_use]
    pub const fn page_files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.pages
    }

    /// What a volet's page sees of checked values.
    ///
    /// # Errors
    /// An unknown volet, values of another pack, or a derivation that fails.
    pub fn page_data(&self, volet: &str, checked: &Checked) -> Result<PageData, PackError> {
        self.own(&checked.by)?;
        let volet = self.volet(volet)?;
        let scope = Scope::new(&checked.values, None);
        let mut derived = Map::new();
        for (name, expression) in &volet.derive {
            let value = expression
                .value(&scope)
                .map_err(|_| PackError::broken("pack.toml", format!("volet {}: derive.{name} fails", volet.name)))?;
            derived.insert(name.clone(), value);
        }
        Ok(self.page(volet, &checked.values, derived))
    }

    /// What a volet's page sees of a draft; what cannot be derived yet is null.
    ///
    /// # Errors
    /// An unknown volet or values of another pack.
    pub fn draft_page_data(&self, volet: &str, draft: &Draft) -> Result<PageData, PackError> {
        self.own(&draft.by)?;
        let volet = self.volet(volet)?;
        let scope = Scope::new(&draft.values, None);
        let derived = volet
            .derive
            .iter()
            .map(|(name, e)| (name.clone(), e.value(&scope).unwrap_or(Value::Null)));
        Ok(self.page(volet, &draft.values, derived.collect()))
    }

    /// Names of the example values.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.examples.keys().map(String::as_str)
    }

    /// Example values, as a caller posts them.
    #[must_use]
    pub fn example(&self, name: &str) -> Option<&Map<String, Value>> {
        self.examples.get(name)
    }

    /// The day on which an example is written.
    #[must_use]
    pub fn example_day(&self, name: &str) -> Option<Date> {
        let field = &self.source.examples.as_ref()?.today;
        values::parse_iso(self.example(name)?.get(field)?.as_str()?)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &FieldSource> {
        self.source.sections.iter().flat_map(|s| &s.fields)
    }

    pub(crate) fn id(&self) -> PackId {
        PackId {
            kind: self.source.kind.clone(),
            version: self.source.version.clone(),
        }
    }

    pub(crate) fn own(&self, by: &PackId) -> Result<(), PackError> {
        if *by == self.id() {
            return Ok(());
        }
        let named = |id: &PackId| format!("{} {}", id.kind, id.version);
        Err(PackError::ForeignValues {
            checked_by: named(by),
            this: named(&self.id()),
        })
    }

    pub(crate) fn label(&self, field: &str, lang: Lang) -> String {
        let label = self.texts(lang).and_then(|t| t.fields.get(field)).map(|f| f.label.clone());
        label.unwrap_or_else(|| field.to_owned())
    }

    /// What an option of a choice or a code of a list means.
    pub(crate) fn option_label(&self, field: &str, value: &str, lang: Lang) -> Option<String> {
        let field = self.fields().find(|f| f.id == field)?;
        match &field.codes {
            Some(file) => self.codes.get(file)?.iter().find(|c| c.code == value)?.labels.get(&lang).cloned(),
            None => self.texts(lang)?.fields.get(&field.id)?.options.get(value).cloned(),
        }
    }

    pub(crate) fn knows_code(&self, field: &FieldSource, code: &str) -> bool {
        let list = field.codes.as_ref().and_then(|file| self.codes.get(file));
        list.is_some_and(|list| list.iter().any(|c| c.code == code))
    }

    fn texts(&self, lang: Lang) -> Option<&TextsSource> {
        self.texts.get(&lang)
    }

    fn volet(&self, name: &str) -> Result<&Volet, PackError> {
        let found = self.volets.iter().find(|v| v.name == name);
        found.ok_or_else(|| PackError::UnknownVolet(name.chars().take(40).collect()))
    }

    fn page(&self, volet: &Volet, all: &Map<String, Value>, derived: Map<String, Value>) -> PageData {
        let kept = |id: &str| !volet.omit.iter().any(|omitted| omitted == id);
        let values: Map<String, Value> = all
            .iter()
            .filter(|(id, _)| kept(id))
            .map(|(id, value)| (id.clone(), value.clone()))
            .collect();
        let labels = values.iter().filter_map(|(id, value)| {
            let label = self.option_label(id, value.as_str()?, PAGE_LANG)?;
            Some((id.clone(), Value::String(label)))
        });
        PageData {
            labels: labels.collect(),
            derived,
            datamatrix: volet.datamatrix.as_ref().and_then(|datamatrix| datamatrix.content(all)),
            values,
        }
    }

    fn defaults(&self, today: Date) -> Map<String, Value> {
        let resolve = |field: &FieldSource| match (&field.default, field.field_type) {
            (Some(Value::String(word)), FieldType::Date) if word == "today" => Some(Value::String(values::iso(today))),
            (default, _) => default.clone(),
        };
        self.fields()
            .filter_map(|field| Some((field.id.clone(), resolve(field)?)))
            .collect()
    }

    fn field_definition(&self, field: &FieldSource, lang: Lang) -> FieldDefinition {
        let texts = self.texts(lang).and_then(|t| t.fields.get(&field.id));
        let options = match field.field_type {
            FieldType::Choice => Some(field.options.clone()),
            FieldType::Code => Some(self.codes_of(field).iter().map(|c| c.code.clone()).collect()),
            _ => None,
        };
        let option = |value: String| OptionDefinition {
            label: self.option_label(&field.id, &value, lang).unwrap_or_default(),
            value,
        };
        FieldDefinition {
            id: field.id.clone(),
            field_type: field.field_type,
            label: self.label(&field.id, lang),
            hint: texts.and_then(|t| t.hint.clone()),
            required: field.required,
            prefill: field.prefill.clone(),
            max_length: matches!(field.field_type, FieldType::Text | FieldType::Code).then(|| values::limit(field)),
            wide: field.wide.then_some(true),
            options: options.map(|values| values.into_iter().map(option).collect()),
            free_entry: field.free_entry.then_some(true),
            shown_when: field.shown_when.clone(),
        }
    }

    fn codes_of(&self, field: &FieldSource) -> &[Code] {
        field
            .codes
            .as_ref()
            .and_then(|file| self.codes.get(file))
            .map_or(&[], Vec::as_slice)
    }

    fn field_schema(&self, field: &FieldSource) -> Value {
        let mut schema = match field.field_type {
            FieldType::YesNo => json!({"type": "boolean"}),
            FieldType::Matricule => json!({"type": "string", "pattern": "^[1-4]\\d{12}$"}),
            FieldType::ProviderCode => json!({"type": "string", "pattern": "^[1-9]\\d{7}$"}),
            FieldType::EhealthId => json!({"type": "string", "pattern": "^\\d{10}$"}),
            FieldType::AccidentNumber => json!({"type": "string", "pattern": "^[UL]\\d{9}$"}),
            FieldType::Date => json!({"type": "string", "format": "date", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"}),
            FieldType::Text => json!({"type": "string", "maxLength": values::limit(field)}),
            FieldType::Choice => json!({"type": "string", "enum": field.options}),
            FieldType::Code if field.free_entry => {
                json!({"type": "string", "maxLength": values::limit(field), "pattern": "^[A-Za-z0-9.-]+$"})
            }
            FieldType::Code => {
                let codes: Vec<&str> = self.codes_of(field).iter().map(|c| c.code.as_str()).collect();
                json!({"type": "string", "enum": codes})
            }
        };
        if let Value::Object(schema) = &mut schema {
            schema.insert("title".to_owned(), Value::String(self.label(&field.id, Lang::En)));
        }
        schema
    }

    /// Runs every rule, fact and derivation once on typed values: an expression that cannot answer is found here, not at the desk.
    fn try_rules(&self) -> Result<(), PackError> {
        let broken = |what: &str, code: &str| PackError::broken("pack.toml", format!("{what} \"{code}\" cannot be evaluated"));
        let today = Date::from_ordinal_date(2026, 300).map_err(|e| PackError::broken("pack.toml", e))?;
        for rule in &self.rules {
            let scope = Scope::new(&self.probe(&rule.needs), Some(today));
            rule.when.holds(&scope).map_err(|_| broken("rule", &rule.code))?;
            self.try_sentence("rule", &rule.code, &rule.field, &rule.params, &scope)?;
        }
        for fact in &self.facts {
            let scope = Scope::new(&self.probe(&fact.needs), Some(today));
            if let Some(when) = &fact.when {
                when.holds(&scope).map_err(|_| broken("fact", &fact.code))?;
            }
            self.try_sentence("fact", &fact.code, &fact.field, &fact.params, &scope)?;
        }
        Ok(())
    }

    fn try_sentence(
        &self,
        what: &str,
        code: &str,
        field: &str,
        params: &BTreeMap<String, Expression>,
        scope: &Scope,
    ) -> Result<(), PackError> {
        let mut said = Map::new();
        said.insert("label".to_owned(), Value::String(field.to_owned()));
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

    fn probe(&self, needs: &[String]) -> Map<String, Value> {
        let value = |field: &FieldSource| match field.field_type {
            FieldType::YesNo => json!(true),
            _ if !needs.contains(&field.id) => Value::Null,
            FieldType::Matricule => json!("1988123048083"),
            FieldType::ProviderCode => json!("90000101"),
            FieldType::EhealthId => json!("1900000001"),
            FieldType::AccidentNumber => json!("U123456789"),
            FieldType::Date => json!("2026-11-21"),
            FieldType::Choice => json!(field.options.first()),
            FieldType::Text | FieldType::Code => json!("12"),
        };
        self.fields().map(|field| (field.id.clone(), value(field))).collect()
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
            for volet in &self.volets {
                self.page_data(&volet.name, &checked)?;
            }
            if self.is_deposited() {
                let context = WireContext {
                    id: Uuid::nil(),
                    issued: today,
                    document: b"%PDF-",
                };
                self.wire(&checked, &context)?;
            }
        }
        Ok(())
    }
}

impl Volet {
    fn compile(source: &VoletSource, fields: &BTreeSet<&str>) -> Result<Self, String> {
        let unknown = source.omit.iter().find(|id| !fields.contains(id.as_str()));
        if let Some(unknown) = unknown {
            return Err(format!("volet {}: omits the unknown field \"{unknown}\"", source.name));
        }
        let datamatrix = match &source.datamatrix {
            Some(datamatrix) => {
                if let Some(unknown) = datamatrix.needs.iter().find(|id| !fields.contains(id.as_str())) {
                    return Err(format!("volet {}: DataMatrix of the unknown field \"{unknown}\"", source.name));
                }
                let mut template = minijinja::Environment::new();
                template.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
                template.set_fuel(Some(10_000));
                template
                    .add_template_owned("datamatrix", datamatrix.template.clone())
                    .map_err(|e| e.to_string())?;
                Some(DataMatrix {
                    needs: datamatrix.needs.clone(),
                    template,
                })
            }
            None => None,
        };
        Ok(Self {
            name: source.name.clone(),
            signed: source.signed,
            page: source.page.clone(),
            omit: source.omit.clone(),
            derive: compile_all(&source.derive, fields)?,
            datamatrix,
        })
    }
}

impl DataMatrix {
    /// Only the values it declares reach the template.
    fn content(&self, values: &Map<String, Value>) -> Option<String> {
        let needed = self
            .needs
            .iter()
            .map(|id| values.get(id).filter(|v| !v.is_null()).map(|v| (id.clone(), v.clone())));
        let needed: Map<String, Value> = needed.collect::<Option<_>>()?;
        let template = self.template.get_template("datamatrix").ok()?;
        template.render(minijinja::value::Serde(&needed)).ok()
    }
}

fn compile_all(sources: &BTreeMap<String, String>, fields: &BTreeSet<&str>) -> Result<BTreeMap<String, Expression>, String> {
    sources
        .iter()
        .map(|(name, source)| Ok((name.clone(), Expression::compile(source, fields)?)))
        .collect()
}

/// Names that must be unique, exist, or have a certain shape.
fn check_names(source: &PackSource) -> Result<(), String> {
    let well_formed = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 40
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    let fields: Vec<&FieldSource> = source.sections.iter().flat_map(|s| &s.fields).collect();
    let ids: BTreeSet<&str> = fields.iter().map(|f| f.id.as_str()).collect();
    let names = std::iter::once(&source.kind)
        .chain(source.sections.iter().map(|s| &s.id))
        .chain(fields.iter().map(|f| &f.id))
        .chain(source.volets.iter().map(|v| &v.name))
        .chain(source.rules.iter().map(|r| &r.code))
        .chain(source.facts.iter().map(|f| &f.code));
    if let Some(name) = names.into_iter().find(|name| !well_formed(name)) {
        return Err(format!("\"{name}\" is no name"));
    }
    if ids.len() != fields.len() {
        return Err("two fields have the same name".to_owned());
    }
    if ids.contains("today") {
        return Err("no field may be called today".to_owned());
    }
    if source.volets.iter().filter(|v| v.signed).count() != 1 {
        return Err("exactly one volet is signed".to_owned());
    }
    for field in &fields {
        let fits = match field.field_type {
            FieldType::Choice => !field.options.is_empty() && field.codes.is_none(),
            FieldType::Code => field.options.is_empty() && field.codes.is_some(),
            _ => field.options.is_empty() && field.codes.is_none() && !field.free_entry,
        };
        if !fits {
            return Err(format!("field \"{}\": options, codes and type do not fit together", field.id));
        }
    }
    let roles = [&source.roles.provider_code, &source.roles.ehealth_id];
    let references = roles
        .into_iter()
        .flatten()
        .chain(source.examples.iter().map(|e| &e.today))
        .chain(source.rules.iter().flat_map(|r| r.needs.iter().chain([&r.field])))
        .chain(source.facts.iter().flat_map(|f| f.needs.iter().chain([&f.field])))
        .chain(fields.iter().filter_map(|f| f.shown_when.as_ref()).map(|when| &when.field));
    if let Some(unknown) = references.into_iter().find(|id| !ids.contains(id.as_str())) {
        return Err(format!("unknown field \"{unknown}\""));
    }
    if let Some(wire) = &source.wire {
        let uid = &wire.model_uid;
        let fits = (1..=32).contains(&uid.len()) && uid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !fits {
            return Err(format!("\"{uid}\" is no modelUID"));
        }
    }
    Ok(())
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

fn read_codes(files: &dyn PackFiles, source: &PackSource) -> Result<BTreeMap<String, Vec<Code>>, PackError> {
    let mut lists = BTreeMap::new();
    for file in source.sections.iter().flat_map(|s| &s.fields).filter_map(|f| f.codes.as_ref()) {
        let list: CodeList = serde_json::from_str(&text(files, file)?).map_err(|e| PackError::broken(file, e))?;
        let unique: BTreeSet<&str> = list.codes.iter().map(|c| c.code.as_str()).collect();
        if unique.len() != list.codes.len() {
            return Err(PackError::broken(file, "the same code twice"));
        }
        for code in &list.codes {
            if let Some(lang) = Lang::ALL.into_iter().find(|lang| !code.labels.contains_key(lang)) {
                return Err(PackError::broken(
                    file,
                    format!("code {} has no label in {}", code.code, lang.code()),
                ));
            }
        }
        lists.insert(file.clone(), list.codes);
    }
    Ok(lists)
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
        let fields: Vec<&FieldSource> = source.sections.iter().flat_map(|s| &s.fields).collect();
        let mut differences = vec![
            difference("section", source.sections.iter().map(|s| &s.id), texts.sections.keys()),
            difference("field", fields.iter().map(|f| &f.id), texts.fields.keys()),
            difference("volet", source.volets.iter().map(|v| &v.name), texts.volets.keys()),
            difference("rule", source.rules.iter().map(|r| &r.code), texts.findings.keys()),
            difference("fact", source.facts.iter().map(|f| &f.code), texts.facts.keys()),
        ];
        for field in fields {
            if let Some(words) = texts.fields.get(&field.id) {
                differences.push(difference("option", field.options.iter(), words.options.keys()));
            }
        }
        if let Some(difference) = differences.into_iter().flatten().next() {
            return Err(PackError::broken(file, difference));
        }
        all.insert(lang, texts);
    }
    Ok((all, sentences))
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

fn text_file(lang: Lang) -> String {
    format!("texts/{}.json", lang.code())
}

fn text(files: &dyn PackFiles, path: &str) -> Result<String, PackError> {
    let plain = path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')) && !path.contains(['\\', ':']);
    if !plain {
        return Err(PackError::broken(path, "not a path inside the pack"));
    }
    let content = files.read(path).ok_or_else(|| PackError::Missing { file: path.to_owned() })?;
    if content.len() > LARGEST_FILE {
        return Err(PackError::broken(path, "too large"));
    }
    String::from_utf8(content).map_err(|_| PackError::broken(path, "not UTF-8"))
}
