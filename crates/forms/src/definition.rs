use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A form as a screen needs it, in one language: the body of `GET forms/{kind}`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Definition {
    /// `ecit`, `mh`, `pid`, …
    pub kind: String,
    /// The pack's version.
    pub version: String,
    /// What happens to a finished form: `deposit`.
    pub workflow: String,
    /// Function key that opens the form.
    pub shortcut: String,
    /// Full title.
    pub title: String,
    /// Title for a menu.
    pub short_title: String,
    /// One sentence: what it is for.
    pub description: String,
    /// The fields, grouped, in reading order.
    pub sections: Vec<SectionDefinition>,
    /// The pages it produces.
    pub volets: Vec<VoletDefinition>,
    /// Values a new form starts with; days are resolved.
    #[schema(value_type = Object)]
    pub defaults: Map<String, Value>,
}

/// One form in the list of forms.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FormSummary {
    /// `ecit`, `mh`, `pid`, …
    pub kind: String,
    /// Full title.
    pub title: String,
    /// Title for a menu.
    pub short_title: String,
    /// One sentence: what it is for.
    pub description: String,
    /// What happens to a finished form.
    pub workflow: String,
    /// Function key that opens the form.
    pub shortcut: String,
}

/// A group of fields under one heading.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct SectionDefinition {
    /// Stable name.
    pub id: String,
    /// Heading.
    pub title: String,
    /// In reading order.
    pub fields: Vec<FieldDefinition>,
}

/// One field.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FieldDefinition {
    /// Key in `values`.
    pub id: String,
    /// What may be typed.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// What stands beside it.
    pub label: String,
    /// What helps to fill it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether a form without it is refused (when it is shown).
    pub required: bool,
    /// Path into the session that fills it: `physician.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill: Option<String>,
    /// Longest value, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Whether it takes the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wide: Option<bool>,
    /// What can be chosen (types choice and code).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<OptionDefinition>>,
    /// Whether a code outside the options may be typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_entry: Option<bool>,
    /// The field is shown only when another has one of these values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_when: Option<ShownWhen>,
}

/// One value that can be chosen.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OptionDefinition {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
}

/// A condition on another field.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownWhen {
    /// The other field.
    pub field: String,
    /// Any of these values shows this field.
    #[schema(value_type = Vec<Object>)]
    pub any_of: Vec<Value>,
}

/// One page set of a form.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct VoletDefinition {
    /// Stable name: `caisse`, `employeur`, `assure`.
    pub name: String,
    /// What is read.
    pub title: String,
    /// Whether this is the one that is signed and deposited.
    pub signed: bool,
}

/// What may be typed into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FieldType {
    /// National identification number, 13 digits.
    Matricule,
    /// Provider code, 8 digits.
    ProviderCode,
    /// eHealthID, 10 digits.
    EhealthId,
    /// Accident number, `U` or `L` and 9 digits.
    AccidentNumber,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// One line of text.
    Text,
    /// One of a few options.
    Choice,
    /// A code from a list.
    Code,
    /// `true` or `false`; absent means `false`.
    YesNo,
}

/// `pack.toml`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackSource {
    pub kind: String,
    pub version: String,
    pub workflow: String,
    pub shortcut: String,
    #[serde(default)]
    pub roles: Roles,
    pub examples: Option<Examples>,
    pub sections: Vec<SectionSource>,
    #[serde(default)]
    pub rules: Vec<RuleSource>,
    #[serde(default)]
    pub facts: Vec<FactSource>,
    pub volets: Vec<VoletSource>,
    pub wire: Option<WireSource>,
}

/// Fields whose meaning the program has to know.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roles {
    pub provider_code: Option<String>,
    pub ehealth_id: Option<String>,
}

/// How the examples are checked when the pack opens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Examples {
    /// The field that tells which day it is in an example.
    pub today: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SectionSource {
    pub id: String,
    pub fields: Vec<FieldSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldSource {
    pub id: String,
    #[serde(rename = "type")]
    pub field_type: FieldType,
    #[serde(default)]
    pub required: bool,
    pub prefill: Option<String>,
    pub max_length: Option<usize>,
    #[serde(default)]
    pub wide: bool,
    #[serde(default)]
    pub options: Vec<String>,
    pub codes: Option<String>,
    #[serde(default)]
    pub free_entry: bool,
    pub shown_when: Option<ShownWhen>,
    pub default: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    pub code: String,
    pub field: String,
    pub severity: crate::Severity,
    pub needs: Vec<String>,
    pub when: String,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactSource {
    pub code: String,
    pub field: String,
    pub needs: Vec<String>,
    pub when: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoletSource {
    pub name: String,
    pub signed: bool,
    pub page: String,
    #[serde(default)]
    pub omit: Vec<String>,
    #[serde(default)]
    pub derive: BTreeMap<String, String>,
    pub datamatrix: Option<DataMatrixSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataMatrixSource {
    /// Without these there is nothing to encode yet.
    pub needs: Vec<String>,
    pub template: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireSource {
    pub model_uid: String,
    pub template: String,
    pub answer: AnswerSource,
}

/// Names in the authority's answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerSource {
    pub namespace: String,
    pub root: String,
    pub reference: String,
    pub document: String,
    pub anomaly: String,
    pub severity: String,
    pub code: String,
    pub message: String,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

/// `codes/*.json`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeList {
    /// Whether the list is ours for want of the authority's.
    #[serde(rename = "sample")]
    _sample: bool,
    #[serde(rename = "note")]
    _note: String,
    pub codes: Vec<Code>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    pub code: String,
    pub labels: BTreeMap<crate::Lang, String>,
}

/// `texts/*.json`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextsSource {
    pub title: String,
    pub short_title: String,
    pub description: String,
    pub sections: BTreeMap<String, String>,
    pub fields: BTreeMap<String, FieldTexts>,
    pub volets: BTreeMap<String, String>,
    #[serde(default)]
    pub findings: BTreeMap<String, String>,
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldTexts {
    pub label: String,
    pub hint: Option<String>,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}
