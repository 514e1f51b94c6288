//! The files of a pack as they are written: `pack.toml`, `texts/*.json`, `codes/*.json`. docs/forms.md explains them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::{Act, FieldType, Lang, Severity, ShownWhen, Workflow};

/// `pack.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackSource {
    pub kind: String,
    pub version: String,
    pub workflow: Workflow,
    pub shortcut: String,
    /// The form that what was typed can be carried over to.
    pub turns_into: Option<String>,
    /// Whether the form may be printed for a handwritten signature.
    #[serde(default)]
    pub paper: bool,
    #[serde(default)]
    pub roles: Roles,
    #[serde(default)]
    pub delegation: Delegation,
    pub examples: Option<Examples>,
    pub sections: Vec<SectionSource>,
    #[serde(default)]
    pub rules: Vec<RuleSource>,
    #[serde(default)]
    pub facts: Vec<FactSource>,
    #[serde(default)]
    pub totals: Vec<TotalSource>,
    pub volets: Vec<VoletSource>,
    /// The deposit.
    pub wire: Option<MessageSource>,
    pub cancellation: Option<MessageSource>,
    pub simulation: Option<MessageSource>,
    pub validation: Option<MessageSource>,
    pub contestation: Option<MessageSource>,
}

/// Fields whose meaning the program has to know.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roles {
    pub provider_code: Option<String>,
    pub ehealth_id: Option<String>,
}

/// What a physician's mandate leaves to herself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delegation {
    /// What only the physician does.
    #[serde(default)]
    pub physician_only: BTreeSet<Act>,
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

/// A field, or a column of a field of type `lines`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldSource {
    pub id: String,
    #[serde(rename = "type")]
    pub field_type: FieldType,
    #[serde(default)]
    pub required: bool,
    pub prefill: Option<String>,
    pub suggest: Option<String>,
    /// Integers, cents or rows.
    pub min: Option<i64>,
    pub max: Option<i64>,
    /// Characters.
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub chars: Option<Characters>,
    #[serde(default)]
    pub multiline: bool,
    #[serde(default)]
    pub wide: bool,
    #[serde(default)]
    pub detail: bool,
    #[serde(default)]
    pub options: Vec<String>,
    pub codes: Option<String>,
    #[serde(default)]
    pub free_entry: bool,
    pub shown_when: Option<ShownWhen>,
    pub default: Option<Value>,
    /// CEL: the value when the field is left empty.
    pub fill: Option<String>,
    pub priced: Option<PricedSource>,
    /// The code field whose French label stands here when the field is left empty.
    pub labelled: Option<String>,
    #[serde(default)]
    pub columns: Vec<FieldSource>,
}

/// The characters a text may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Characters {
    Digits,
    Alphanumeric,
}

/// Where the amount of a field left empty comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PricedSource {
    pub code: String,
    pub day: String,
    pub times: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleSource {
    pub code: String,
    /// The field of type `lines` whose rows the rule is asked for, one after the other.
    pub each: Option<String>,
    /// A column when `each` is there.
    pub field: String,
    pub severity: Severity,
    pub needs: Vec<String>,
    pub when: String,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactSource {
    pub code: String,
    pub each: Option<String>,
    pub field: String,
    pub needs: Vec<String>,
    pub when: Option<String>,
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotalSource {
    pub name: String,
    /// CEL: integer cents. May name the totals before it.
    pub value: String,
    #[serde(default)]
    pub needs: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoletSource {
    pub name: String,
    pub signed: bool,
    pub page: String,
    /// Fields and totals that do not exist for this volet.
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

/// One exchange with the authority.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageSource {
    pub model_uid: String,
    pub template: String,
    pub answer: AnswerSource,
    /// The reasons that can be chosen (contestation only): a file like a code list.
    pub codes: Option<String>,
    /// How the same message written by others is taken (deposit only).
    pub foreign: Option<ForeignSource>,
}

/// A deposit that other software wrote. Paths are local names from below the root, with `/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForeignSource {
    /// The XML Schema, a file of the pack.
    pub schema: String,
    /// The document's identifier.
    pub id: String,
    /// Where provider codes stand, one of which is the physician's; the first that is hers names the space.
    pub provider_code: Vec<String>,
    /// Where the physician's eHealthID stands, if it does.
    pub ehealth_id: Option<String>,
    /// Where the signed PDF goes: into the element that is there, or into a new last one of its parent.
    pub document: String,
    /// The rows that an anomaly may be about.
    pub lines: Option<String>,
    /// What a physician sees of it before she allows it: a field or total of the form, whose label it gets, and where it stands.
    #[serde(default)]
    pub shows: Vec<(String, String)>,
}

/// Names in the authority's answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerSource {
    pub namespace: String,
    pub root: String,
    /// The authority's identifier.
    pub reference: String,
    /// The identifier of ours that is answered.
    pub document: String,
    pub anomaly: String,
    pub severity: String,
    pub code: String,
    pub message: String,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    /// A number after this word in a message tells the row, counted from 1.
    pub line_word: Option<String>,
    /// In an anomaly: its identifier.
    pub anomaly_id: Option<String>,
    /// In an anomaly: the identifier of the row it is about.
    pub anomaly_line: Option<String>,
    /// Simulation only.
    pub lines: Option<LineNames>,
    /// Simulation only.
    pub totals: Option<ShareNames>,
    /// Validation only.
    pub payment: Option<PaymentNames>,
}

/// One row in the answer to a simulation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineNames {
    pub element: String,
    pub id: String,
    pub accepted: String,
    pub statutory: String,
    pub personal: String,
    pub total: String,
}

/// Who pays what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareNames {
    pub statutory: String,
    pub personal: String,
    pub total: String,
}

/// What the authority pays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentNames {
    pub statutory: String,
    pub offset: String,
    pub paid: String,
    pub reason: String,
}

/// `codes/*.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeListSource {
    /// Whether the list is ours for want of the authority's.
    #[serde(rename = "sample")]
    _sample: bool,
    #[serde(rename = "note")]
    _note: String,
    pub codes: Vec<CodeSource>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeSource {
    pub code: String,
    pub labels: BTreeMap<Lang, String>,
    #[serde(default)]
    pub prices: Vec<PriceSource>,
    #[serde(default)]
    pub marks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceSource {
    /// First day, `YYYY-MM-DD`.
    pub from: String,
    /// Last day; without it until the next price.
    pub until: Option<String>,
    pub cents: i64,
}

/// `texts/*.json`.
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
    pub totals: BTreeMap<String, String>,
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
    #[serde(default)]
    pub columns: BTreeMap<String, FieldTexts>,
}
