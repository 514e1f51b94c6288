use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A form as a screen needs it, in one language: the body of `GET forms/{kind}`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Definition {
    /// `ecit`, `mh`, `pid`, …
    pub kind: String,
    /// The pack's version.
    pub version: String,
    /// What happens to a finished form.
    pub workflow: Workflow,
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
    /// The amounts made of the values.
    pub totals: Vec<TotalDefinition>,
    /// Values a new form starts with; days are resolved.
    #[schema(value_type = Object)]
    pub defaults: Map<String, Value>,
    /// Whether a deposited form can be cancelled.
    pub cancellable: bool,
    /// Whether it may be printed for a handwritten signature.
    pub paper: bool,
    /// The kind of form that what was typed can be carried over to: fields and columns of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns_into: Option<String>,
    /// The reasons for contesting an anomaly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contestation: Option<Vec<OptionDefinition>>,
    /// What somebody who acts under a physician's mandate may not do with it: the physician does it herself.
    pub physician_only: Vec<Act>,
}

/// Something done with a form in a physician's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It is signed and deposited.
    Deposit,
    /// A deposited one is cancelled.
    Cancel,
    /// The authority is asked what it would pay.
    Simulate,
    /// The payment is ordered.
    Pay,
    /// What the authority remarked is contested.
    Contest,
    /// It is printed for a handwritten signature.
    Paper,
}

/// What happens to a finished form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Workflow {
    /// It is signed and deposited.
    Deposit,
    /// It is priced by the authority, then paid at once or contested.
    Simulate,
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
    pub workflow: Workflow,
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

/// One field, or one column of a field with rows.
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
    /// Path into session and profile that fills it: `physician.name`, `profile.street`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill: Option<String>,
    /// Path to values that are offered: `profile.billing_codes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggest: Option<String>,
    /// Smallest number, fewest cents or fewest rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Largest number, most cents or most rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Longest value, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Whether a text may hold line breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiline: Option<bool>,
    /// Whether it takes the whole row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wide: Option<bool>,
    /// Whether it is rarely needed and may stay out of sight while it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<bool>,
    /// Whether the program fills it when it is left empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filled: Option<bool>,
    /// Name of the code list, the same wherever the same list is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// What can be chosen (types choice and code).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<OptionDefinition>>,
    /// Whether a code outside the options may be typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_entry: Option<bool>,
    /// The field is shown only in certain cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_when: Option<ShownWhen>,
    /// What one row holds (type lines).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub columns: Option<Vec<FieldDefinition>>,
}

/// One value that can be chosen.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OptionDefinition {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
    /// The tariff's amount on the day, in cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// What is special about it: `not_reimbursed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marks: Option<Vec<String>>,
}

/// One amount made of the values.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct TotalDefinition {
    /// Stable name.
    pub name: String,
    /// What stands beside it.
    pub label: String,
}

/// A condition on another field, or on another column of the same row. One of `any_of` and `empty` is there.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownWhen {
    /// The other field.
    pub field: String,
    /// Any of these values shows this field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Value>, required = false)]
    pub any_of: Vec<Value>,
    /// `true`: shown while the other is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<bool>,
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
    /// `HH:MM`.
    Time,
    /// An amount: whole cents, not below zero.
    Money,
    /// A whole number.
    Integer,
    /// Text of one line, or of several when the field says so.
    Text,
    /// One of a few options.
    Choice,
    /// A code from a list.
    Code,
    /// `true` or `false`; absent means `false`.
    YesNo,
    /// Rows: an array of objects with the field's columns.
    Lines,
}
