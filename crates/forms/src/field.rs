//! Fields as they work: in reading order, with what fills them, and the order in which they depend on one another.

use std::collections::BTreeSet;

use crate::FieldType;
use crate::rules::{Expression, Vocabulary};
use crate::source::{FieldSource, PricedSource};

/// The fields of a form, or the columns of its table.
#[derive(Default)]
pub(crate) struct Record {
    fields: Vec<Field>,
    /// Each after those it looks at.
    order: Vec<usize>,
}

/// One field or column.
pub(crate) struct Field {
    pub source: FieldSource,
    pub fill: Option<Fill>,
    pub columns: Record,
}

/// What fills a field that is left empty.
pub(crate) enum Fill {
    Value(Expression),
    Price(PricedSource),
    /// The French label of the code in this field.
    Label(String),
}

impl Record {
    /// Compiles fields, or columns when `row`.
    pub(crate) fn compile(sources: Vec<FieldSource>, vocabulary: &Vocabulary, row: bool) -> Result<Self, String> {
        let fields = sources.into_iter().map(|source| Field::compile(source, vocabulary, row));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let order = order(&fields, row)?;
        Ok(Self { fields, order })
    }

    /// In reading order.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Each field after those it looks at.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &Field> {
        self.order.iter().filter_map(|at| self.fields.get(*at))
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.source.id == id)
    }

    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.source.id == id)
    }
}

impl Field {
    fn compile(mut source: FieldSource, vocabulary: &Vocabulary, row: bool) -> Result<Self, String> {
        let columns = Record::compile(std::mem::take(&mut source.columns), vocabulary, true)?;
        let fill = match (source.fill.take(), source.priced.take(), source.labelled.take()) {
            (None, None, None) => None,
            (Some(fill), None, None) => {
                let expression = Expression::compile_for(&fill, vocabulary, row)?;
                // The table is read after the form; totals are what adds it up.
                if vocabulary.table.as_ref().is_some_and(|(table, _)| expression.reads.contains(table)) {
                    return Err(format!("field \"{}\": cannot be filled from all rows", source.id));
                }
                Some(Fill::Value(expression))
            }
            (None, Some(priced), None) => Some(Fill::Price(priced)),
            (None, None, Some(code)) => Some(Fill::Label(code)),
            _ => return Err(format!("field \"{}\": filled in more than one way", source.id)),
        };
        if fill.is_some() && matches!(source.field_type, FieldType::YesNo | FieldType::Lines) {
            return Err(format!("field \"{}\": fields of this type are not filled", source.id));
        }
        Ok(Self { source, fill, columns })
    }

    /// The names it looks at beside it: other fields of the form, or other columns of the same row.
    fn looks_at(&self, row: bool) -> BTreeSet<&str> {
        let mut names: BTreeSet<&str> = self.source.shown_when.iter().map(|when| when.field.as_str()).collect();
        match &self.fill {
            Some(Fill::Value(expression)) => {
                let read = if row { &expression.columns } else { &expression.reads };
                names.extend(read.iter().map(String::as_str));
            }
            Some(Fill::Price(priced)) => {
                names.extend([priced.code.as_str(), priced.day.as_str()]);
                names.extend(priced.times.as_deref());
            }
            Some(Fill::Label(code)) => {
                names.insert(code);
            }
            None => {}
        }
        names
    }
}

fn order(fields: &[Field], row: bool) -> Result<Vec<usize>, String> {
    let mut order: Vec<usize> = Vec::with_capacity(fields.len());
    let mut waiting: Vec<usize> = (0..fields.len()).collect();
    while !waiting.is_empty() {
        let pending: BTreeSet<&str> = waiting
            .iter()
            .filter_map(|at| fields.get(*at))
            .map(|f| f.source.id.as_str())
            .collect();
        let ready = |at: &usize| fields.get(*at).is_some_and(|f| f.looks_at(row).is_disjoint(&pending));
        let (now, later): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|at| ready(at));
        if now.is_empty() {
            return Err(format!("the fields {} wait for one another", Vec::from_iter(pending).join(", ")));
        }
        order.extend(now);
        waiting = later;
    }
    Ok(order)
}
