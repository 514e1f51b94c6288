use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Map, Value};
use time::Date;

use crate::codes::{Code, CodeList};
use crate::field::{Field, Record};
use crate::foreign::Foreign;
use crate::page::Volet;
use crate::rules::Expression;
use crate::source::{FieldSource, FieldTexts, Roles, TextsSource};
use crate::texts::Sentences;
use crate::wire::{Exchange, Message};
use crate::{Act, FieldType, Lang, PackError, Severity, Workflow, values};

/// The language of the printed pages: the forms of the social security are French.
pub(crate) const PAGE_LANG: Lang = Lang::Fr;

/// A form: what may be typed, what is wrong, what is printed and what is sent.
pub struct Pack {
    pub(crate) kind: String,
    pub(crate) version: String,
    pub(crate) workflow: Workflow,
    pub(crate) shortcut: String,
    pub(crate) turns_into: Option<String>,
    pub(crate) paper: bool,
    pub(crate) roles: Roles,
    pub(crate) physician_only: BTreeSet<Act>,
    /// The field that tells an example's day.
    pub(crate) example_day: Option<String>,
    /// Headings, and which of the fields stand under them.
    pub(crate) sections: Vec<(String, Range<usize>)>,
    pub(crate) record: Record,
    pub(crate) rules: Vec<Rule>,
    pub(crate) facts: Vec<FactRule>,
    pub(crate) totals: Vec<TotalRule>,
    pub(crate) sentences: Sentences,
    pub(crate) messages: BTreeMap<Exchange, Message>,
    pub(crate) foreign: Option<Foreign>,
    /// Reasons for contesting an anomaly.
    pub(crate) contestation: Option<CodeList>,
    pub(crate) texts: BTreeMap<Lang, TextsSource>,
    pub(crate) codes: BTreeMap<String, CodeList>,
    pub(crate) volets: Vec<Volet>,
    pub(crate) pages: BTreeMap<String, Vec<u8>>,
    pub(crate) examples: BTreeMap<String, Map<String, Value>>,
}

/// Which pack, for values that must not be carried to another.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PackId {
    kind: String,
    version: String,
}

/// Something that must not be, or must be looked at.
pub(crate) struct Rule {
    pub code: String,
    /// Whether it is asked for each row; then `field` is a column.
    pub each: bool,
    pub field: String,
    pub severity: Severity,
    pub needs: Vec<Need>,
    pub when: Expression,
    pub params: BTreeMap<String, Expression>,
}

/// Something worth saying.
pub(crate) struct FactRule {
    pub code: String,
    pub each: bool,
    pub field: String,
    pub needs: Vec<Need>,
    pub when: Option<Expression>,
    pub params: BTreeMap<String, Expression>,
}

/// An amount made of the values.
pub(crate) struct TotalRule {
    pub name: String,
    pub needs: Vec<String>,
    pub value: Expression,
}

/// A value without which a rule says nothing.
pub(crate) struct Need {
    /// A column of the row, not a field of the form.
    pub column: bool,
    pub id: String,
}

impl Pack {
    /// `ecit`, `mh`, `pid`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The pack's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What happens to a finished form.
    #[must_use]
    pub const fn workflow(&self) -> Workflow {
        self.workflow
    }

    /// Whether the form may be printed for a handwritten signature.
    #[must_use]
    pub const fn allows_paper(&self) -> bool {
        self.paper
    }

    /// Whether only the physician herself does this, and nobody under her mandate.
    #[must_use]
    pub fn is_physician_only(&self, act: Act) -> bool {
        self.physician_only.contains(&act)
    }

    /// The kind of form that what was typed can be carried over to.
    #[must_use]
    pub fn turns_into(&self) -> Option<&str> {
        self.turns_into.as_deref()
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
        let field = self.example_day.as_ref()?;
        values::parse_iso(self.example(name)?.get(field)?.as_str()?)
    }

    /// The field with rows.
    pub(crate) fn table(&self) -> Option<&Field> {
        self.record
            .fields()
            .iter()
            .find(|field| field.source.field_type == FieldType::Lines)
    }

    /// The field or column at `id` or `id.row.column`.
    pub(crate) fn field_at(&self, path: &str) -> Option<&Field> {
        let mut parts = path.split('.');
        let field = self.record.find(parts.next()?)?;
        match (parts.next(), parts.next()) {
            (Some(_), Some(column)) => field.columns.find(column),
            (Some(_), None) | (None, _) => Some(field),
        }
    }

    pub(crate) fn id(&self) -> PackId {
        PackId {
            kind: self.kind.clone(),
            version: self.version.clone(),
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

    pub(crate) fn texts(&self, lang: Lang) -> Option<&TextsSource> {
        self.texts.get(&lang)
    }

    /// What is written about the field or column at `id` or `id.row.column`.
    pub(crate) fn field_texts(&self, path: &str, lang: Lang) -> Option<&FieldTexts> {
        let mut parts = path.split('.');
        let texts = self.texts(lang)?.fields.get(parts.next()?)?;
        match (parts.next(), parts.next()) {
            (Some(_), Some(column)) => texts.columns.get(column),
            (Some(_), None) | (None, _) => Some(texts),
        }
    }

    /// What stands beside a field or a total.
    #[must_use]
    pub fn label_of(&self, name: &str, lang: Lang) -> String {
        let total = self.texts(lang).and_then(|texts| texts.totals.get(name)).cloned();
        total.unwrap_or_else(|| self.label(name, lang))
    }

    pub(crate) fn label(&self, path: &str, lang: Lang) -> String {
        let label = self.field_texts(path, lang).map(|texts| texts.label.clone());
        label.unwrap_or_else(|| path.to_owned())
    }

    /// What an option of a choice or a code of a list means.
    pub(crate) fn option_label(&self, path: &str, value: &str, lang: Lang) -> Option<String> {
        let field = self.field_at(path)?;
        match field.source.field_type {
            FieldType::Code => self.code(&field.source, value)?.labels.get(&lang).cloned(),
            FieldType::Choice => self.field_texts(path, lang)?.options.get(value).cloned(),
            _ => None,
        }
    }

    pub(crate) fn code_list(&self, field: &FieldSource) -> Option<&CodeList> {
        self.codes.get(field.codes.as_ref()?)
    }

    /// A code of a field's list.
    pub(crate) fn code(&self, field: &FieldSource, code: &str) -> Option<&Code> {
        self.code_list(field)?.find(code)
    }
}
