//! What screens and callers are told about a form: definition, summary, JSON Schema.

use serde_json::{Map, Value, json};
use time::Date;

use crate::definition::{Definition, FieldDefinition, FormSummary, OptionDefinition, SectionDefinition, TotalDefinition, VoletDefinition};
use crate::field::{Field, Record};
use crate::pack::Pack;
use crate::source::{Characters, FieldSource};
use crate::{FieldType, Lang, values};

impl Pack {
    /// The form in one line.
    #[must_use]
    pub fn summary(&self, lang: Lang) -> FormSummary {
        let texts = self.texts(lang);
        FormSummary {
            kind: self.kind.clone(),
            title: texts.map(|t| t.title.clone()).unwrap_or_default(),
            short_title: texts.map(|t| t.short_title.clone()).unwrap_or_default(),
            description: texts.map(|t| t.description.clone()).unwrap_or_default(),
            workflow: self.workflow,
            shortcut: self.shortcut.clone(),
        }
    }

    /// The form as a screen needs it; `today` resolves the defaults and the tariff.
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
        let texts = self.texts(lang);
        let section = |(id, fields): &(String, std::ops::Range<usize>)| SectionDefinition {
            id: id.clone(),
            title: texts.and_then(|t| t.sections.get(id)).cloned().unwrap_or_default(),
            fields: self
                .record
                .fields()
                .get(fields.clone())
                .unwrap_or_default()
                .iter()
                .map(|field| self.field_definition(&field.source.id, field, lang, today))
                .collect(),
        };
        Definition {
            kind,
            version: self.version.clone(),
            workflow,
            shortcut,
            title,
            short_title,
            description,
            sections: self.sections.iter().map(section).collect(),
            volets: self
                .volets
                .iter()
                .map(|volet| VoletDefinition {
                    name: volet.name.clone(),
                    title: self.volet_title(&volet.name, lang),
                    signed: volet.signed,
                })
                .collect(),
            totals: self
                .totals
                .iter()
                .map(|total| TotalDefinition {
                    name: total.name.clone(),
                    label: texts.and_then(|t| t.totals.get(&total.name)).cloned().unwrap_or_default(),
                })
                .collect(),
            defaults: self.defaults(today),
            cancellable: self.is_cancellable(),
            paper: self.paper,
            turns_into: self.turns_into.clone(),
            contestation: self.contestation.as_ref().map(|_| self.contestation_codes(lang)),
            physician_only: self.physician_only.iter().copied().collect(),
        }
    }

    /// JSON Schema (2020-12) of `values`. What depends on other fields is left to the check.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:econnector:form:{}:{}", self.kind, self.version),
            "title": self.kind,
        });
        if let (Value::Object(schema), Value::Object(form)) = (&mut schema, self.record_schema(&self.record, "")) {
            schema.extend(form);
        }
        schema
    }

    /// Values a new form starts with.
    pub(crate) fn defaults(&self, today: Date) -> Map<String, Value> {
        let resolve = |field: &FieldSource| match (&field.default, field.field_type) {
            (Some(Value::String(word)), FieldType::Date) if word == "today" => Some(Value::String(values::iso(today))),
            (default, _) => default.clone(),
        };
        let fields = self.record.fields().iter();
        fields.filter_map(|f| Some((f.source.id.clone(), resolve(&f.source)?))).collect()
    }

    fn field_definition(&self, path: &str, field: &Field, lang: Lang, today: Date) -> FieldDefinition {
        let source = &field.source;
        let option = |value: &String| OptionDefinition {
            label: self.option_label(path, value, lang).unwrap_or_default(),
            value: value.clone(),
            amount: None,
            marks: None,
        };
        let options = match source.field_type {
            FieldType::Choice => Some(source.options.iter().map(option).collect()),
            FieldType::Code => self.code_list(source).map(|list| list.options(lang, today)),
            _ => None,
        };
        let columns = field.columns.fields().iter().map(|column| {
            let path = format!("{path}.0.{}", column.source.id);
            self.field_definition(&path, column, lang, today)
        });
        let bounds = values::bounds(source);
        FieldDefinition {
            id: source.id.clone(),
            field_type: source.field_type,
            label: self.label(path, lang),
            hint: self.field_texts(path, lang).and_then(|texts| texts.hint.clone()),
            required: source.required,
            prefill: source.prefill.clone(),
            suggest: source.suggest.clone(),
            min: bounds.map(|(least, _)| least),
            max: bounds.map(|(_, most)| most),
            max_length: matches!(source.field_type, FieldType::Text | FieldType::Code).then(|| values::limit(source)),
            multiline: source.multiline.then_some(true),
            wide: source.wide.then_some(true),
            detail: source.detail.then_some(true),
            filled: field.fill.as_ref().map(|_| true),
            list: source.codes.as_deref().map(stem),
            options,
            free_entry: source.free_entry.then_some(true),
            shown_when: source.shown_when.clone(),
            columns: (source.field_type == FieldType::Lines).then(|| columns.collect()),
        }
    }

    fn record_schema(&self, record: &Record, table: &str) -> Value {
        let properties: Map<String, Value> = record
            .fields()
            .iter()
            .map(|field| (field.source.id.clone(), self.field_schema(field, table)))
            .collect();
        let asked_for = |f: &&Field| f.source.required && f.source.shown_when.is_none() && f.fill.is_none();
        let required: Vec<&str> = record.fields().iter().filter(asked_for).map(|f| f.source.id.as_str()).collect();
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": required,
            "properties": properties,
        })
    }

    fn field_schema(&self, field: &Field, table: &str) -> Value {
        let source = &field.source;
        let (least, most) = values::bounds(source).unwrap_or_default();
        let mut schema = match source.field_type {
            FieldType::YesNo => json!({"type": "boolean"}),
            FieldType::Matricule => json!({"type": "string", "pattern": "^[1-4]\\d{12}$"}),
            FieldType::ProviderCode => json!({"type": "string", "pattern": "^[1-9]\\d{7}$"}),
            FieldType::EhealthId => json!({"type": "string", "pattern": "^\\d{10}$"}),
            FieldType::AccidentNumber => json!({"type": "string", "pattern": "^[UL]\\d{9}$"}),
            FieldType::Date => json!({"type": "string", "format": "date", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"}),
            FieldType::Time => json!({"type": "string", "pattern": "^([01]\\d|2[0-3]):[0-5]\\d$"}),
            FieldType::Money => json!({"type": "integer", "minimum": least, "maximum": most, "description": "cents"}),
            FieldType::Integer => json!({"type": "integer", "minimum": least, "maximum": most}),
            FieldType::Text => json!({"type": "string", "maxLength": values::limit(source)}),
            FieldType::Choice => json!({"type": "string", "enum": source.options}),
            FieldType::Code if source.free_entry => {
                json!({"type": "string", "maxLength": values::limit(source), "pattern": "^[A-Za-z0-9.-]+$"})
            }
            FieldType::Code => {
                let codes = self.code_list(source).map(|list| list.codes()).unwrap_or_default();
                json!({"type": "string", "enum": codes.iter().map(|c| c.code.as_str()).collect::<Vec<_>>()})
            }
            FieldType::Lines => {
                let items = self.record_schema(&field.columns, &source.id);
                json!({"type": "array", "minItems": least, "maxItems": most, "items": items})
            }
        };
        if let Value::Object(schema) = &mut schema {
            let path = if table.is_empty() {
                source.id.clone()
            } else {
                format!("{table}.0.{}", source.id)
            };
            schema.insert("title".to_owned(), Value::String(self.label(&path, Lang::En)));
            if let Some(least) = source.min_length {
                schema.insert("minLength".to_owned(), json!(least));
            }
            match source.chars {
                Some(Characters::Digits) => schema.insert("pattern".to_owned(), json!("^\\d+$")),
                Some(Characters::Alphanumeric) => schema.insert("pattern".to_owned(), json!("^[A-Za-z0-9]+$")),
                None => None,
            };
        }
        schema
    }
}

/// `codes/tariff.json` → `tariff`.
fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".json").unwrap_or(file).to_owned()
}
