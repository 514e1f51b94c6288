//! What the printed pages see of the values.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::check::{self, Checked, Draft, Total};
use crate::field::Field;
use crate::pack::{PAGE_LANG, Pack};
use crate::rules::{Expression, Scope, Vocabulary};
use crate::source::VoletSource;
use crate::{Lang, PackError, Simulation};

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
/// The values are wiped when dropped.
#[derive(Serialize)]
pub struct PageData {
    /// The fields; the empty ones as null, rows as an array of objects, amounts in cents.
    pub values: Map<String, Value>,
    /// What the chosen options and known codes mean, by field, in French; for rows an array of the same.
    pub labels: Map<String, Value>,
    /// What is special about the codes, by field: arrays of marks; for rows an array of the same.
    pub marks: Map<String, Value>,
    /// The totals in cents; null when they cannot be made.
    pub totals: Map<String, Value>,
    /// What the pack derives for this volet from all values, the omitted ones included.
    pub derived: Map<String, Value>,
    /// What the authority would pay: `{reference, lines: [{accepted, statutory, personal, total}], statutory, personal, total}`, or null.
    pub simulation: Value,
    /// What the DataMatrix holds, when there is one and its values are there.
    #[serde(skip)]
    pub datamatrix: Option<String>,
}

impl Drop for PageData {
    fn drop(&mut self) {
        check::wipe(&mut self.values);
    }
}

struct DataMatrix {
    needs: Vec<String>,
    template: minijinja::Environment<'static>,
}

impl Pack {
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

    /// What a volet's page sees of checked values, and of what the authority would pay for them.
    ///
    /// # Errors
    /// An unknown volet, values of another pack, or a derivation that fails.
    pub fn page_data(&self, volet: &str, checked: &Checked, simulation: Option<&Simulation>) -> Result<PageData, PackError> {
        self.own(&checked.by)?;
        let volet = self.volet(volet)?;
        let scope = self.page_scope(&checked.values, &checked.totals);
        let mut derived = Map::new();
        for (name, expression) in &volet.derive {
            let value = expression
                .value(&scope)
                .map_err(|_| PackError::broken("pack.toml", format!("volet {}: derive.{name} fails", volet.name)))?;
            derived.insert(name.clone(), value);
        }
        Ok(self.page(volet, &checked.values, &checked.totals, derived, simulation))
    }

    /// What a volet's page sees of a draft; what cannot be derived yet is null.
    ///
    /// # Errors
    /// An unknown volet or values of another pack.
    pub fn draft_page_data(&self, volet: &str, draft: &Draft) -> Result<PageData, PackError> {
        self.own(&draft.by)?;
        let volet = self.volet(volet)?;
        let scope = self.page_scope(&draft.values, &draft.totals);
        let derived = volet
            .derive
            .iter()
            .map(|(name, e)| (name.clone(), e.value(&scope).unwrap_or(Value::Null)));
        Ok(self.page(volet, &draft.values, &draft.totals, derived.collect(), None))
    }

    fn volet(&self, name: &str) -> Result<&Volet, PackError> {
        let found = self.volets.iter().find(|v| v.name == name);
        found.ok_or_else(|| PackError::UnknownVolet(name.chars().take(40).collect()))
    }

    fn page_scope(&self, values: &Map<String, Value>, totals: &[Total]) -> Scope<'static> {
        let mut scope = Scope::new(values, None);
        for (name, value) in self.all_totals(totals) {
            scope.set(&name, &value);
        }
        scope
    }

    fn all_totals(&self, made: &[Total]) -> Map<String, Value> {
        let cents = |name: &str| made.iter().find(|total| total.name == name).map(|total| total.cents);
        self.totals
            .iter()
            .map(|total| (total.name.clone(), json!(cents(&total.name))))
            .collect()
    }

    fn page(
        &self,
        volet: &Volet,
        all: &Map<String, Value>,
        totals: &[Total],
        derived: Map<String, Value>,
        simulation: Option<&Simulation>,
    ) -> PageData {
        let kept = |(id, _): &(&String, &Value)| !volet.omit.iter().any(|omitted| omitted == *id);
        let own = |(id, value): (&String, &Value)| (id.clone(), value.clone());
        let values: Map<String, Value> = all.iter().filter(kept).map(own).collect();
        PageData {
            labels: self.of_values(&values, |path, _, value| {
                self.option_label(path, value.as_str()?, PAGE_LANG).map(Value::String)
            }),
            marks: self.of_values(&values, |_, field, value| {
                let code = self.code(&field.source, value.as_str()?)?;
                (!code.marks.is_empty()).then(|| json!(code.marks))
            }),
            totals: self.all_totals(totals).iter().filter(kept).map(own).collect(),
            derived,
            simulation: simulation.map_or(Value::Null, |simulation| {
                json!({
                    "reference": simulation.reference,
                    "lines": simulation.lines,
                    "statutory": simulation.statutory,
                    "personal": simulation.personal,
                    "total": simulation.total,
                })
            }),
            datamatrix: volet.datamatrix.as_ref().and_then(|datamatrix| datamatrix.content(all)),
            values,
        }
    }

    /// Something said of every value, in the shape of the values: by field, and for rows an array by column.
    fn of_values(&self, values: &Map<String, Value>, said: impl Fn(&str, &Field, &Value) -> Option<Value>) -> Map<String, Value> {
        let mut all = Map::new();
        for field in self.record.fields() {
            let id = &field.source.id;
            let of_row = |row: &Value| -> Value {
                let columns = field.columns.fields().iter().filter_map(|column| {
                    let path = format!("{id}.0.{}", column.source.id);
                    let said = said(&path, column, row.get(&column.source.id)?)?;
                    Some((column.source.id.clone(), said))
                });
                Value::Object(columns.collect())
            };
            let said = match values.get(id) {
                Some(Value::Array(rows)) => Some(Value::Array(rows.iter().map(of_row).collect())),
                Some(value) => said(id, field, value),
                None => None,
            };
            all.extend(said.map(|said| (id.clone(), said)));
        }
        all
    }
}

impl Volet {
    pub(crate) fn compile(source: VoletSource, vocabulary: &Vocabulary) -> Result<Self, String> {
        let known = |name: &String| vocabulary.fields.contains_key(name) || vocabulary.totals.contains(name);
        if let Some(unknown) = source.omit.iter().find(|name| !known(name)) {
            return Err(format!("volet {}: omits the unknown field \"{unknown}\"", source.name));
        }
        let datamatrix = match source.datamatrix {
            Some(datamatrix) => {
                if let Some(unknown) = datamatrix.needs.iter().find(|id| !vocabulary.fields.contains_key(*id)) {
                    return Err(format!("volet {}: DataMatrix of the unknown field \"{unknown}\"", source.name));
                }
                let mut template = minijinja::Environment::new();
                template.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
                template.set_fuel(Some(10_000));
                template
                    .add_template_owned("datamatrix", datamatrix.template)
                    .map_err(|e| e.to_string())?;
                Some(DataMatrix {
                    needs: datamatrix.needs,
                    template,
                })
            }
            None => None,
        };
        let derive = source
            .derive
            .iter()
            .map(|(name, value)| Ok((name.clone(), Expression::compile(value, vocabulary)?)));
        Ok(Self {
            derive: derive.collect::<Result<_, String>>()?,
            name: source.name,
            signed: source.signed,
            page: source.page,
            omit: source.omit,
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
