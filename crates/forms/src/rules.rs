//! Expressions across fields, in CEL. A field is a variable: text, day (as `YYYY-MM-DD`, which sorts), number, cents, yes/no, rows, or
//! null when empty. Asked for one row, `line` holds its columns and `number` counts it from 1.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue};
use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelInt, CelList, CelNull, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError, FunctionContext, IdedExpr, Program};
use serde_json::{Map, Value};
use time::Date;

use crate::{FieldType, Matricule, values};

/// Functions a pack may call besides the operators and macros.
const FUNCTIONS: [&str; 11] = [
    "days",
    "add_days",
    "age",
    "sum",
    "zero",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "string",
    "int",
];

/// The row an expression is asked for.
pub(crate) const LINE: &str = "line";
/// Which row that is, from 1.
pub(crate) const NUMBER: &str = "number";
/// The day the document is dated.
pub(crate) const TODAY: &str = "today";

/// CEL's own operators and macros: built once, it takes longer than all rules of a form.
static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// The names expressions may use.
#[derive(Default)]
pub(crate) struct Vocabulary {
    pub fields: BTreeMap<String, FieldType>,
    /// The field with rows, and its columns.
    pub table: Option<(String, BTreeMap<String, FieldType>)>,
    pub totals: BTreeSet<String>,
}

/// A compiled expression.
pub(crate) struct Expression {
    program: Program,
    /// The fields and totals it reads.
    pub reads: BTreeSet<String>,
    /// The columns of its row it reads.
    pub columns: BTreeSet<String>,
}

/// Why an expression gave nothing usable. Holds no value: the interpreter's own words may quote one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotEvaluable;

impl Expression {
    /// Compiles an expression about the form, and refuses variables, columns and functions that do not exist.
    pub(crate) fn compile(source: &str, vocabulary: &Vocabulary) -> Result<Self, String> {
        Self::compile_for(source, vocabulary, false)
    }

    /// Compiles an expression about the form, or about one row of it.
    pub(crate) fn compile_for(source: &str, vocabulary: &Vocabulary, row: bool) -> Result<Self, String> {
        let said = |e: String| format!("\"{source}\": {e}");
        let program = Program::compile(source).map_err(|e| said(e.to_string()))?;
        let mut names = Names {
            vocabulary,
            row,
            bound: Vec::new(),
            reads: BTreeSet::new(),
            columns: BTreeSet::new(),
        };
        names.visit(program.expression()).map_err(said)?;
        let Names { reads, columns, .. } = names;
        Ok(Self { program, reads, columns })
    }

    /// True or false.
    pub(crate) fn holds(&self, scope: &Scope<'_>) -> Result<bool, NotEvaluable> {
        match self.program.execute(&scope.0) {
            Ok(cel::Value::Bool(value)) => Ok(value),
            _ => Err(NotEvaluable),
        }
    }

    /// A text, number, yes/no or nothing.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Value, NotEvaluable> {
        match self.program.execute(&scope.0) {
            Ok(cel::Value::Bool(value)) => Ok(Value::Bool(value)),
            Ok(cel::Value::Int(value)) => Ok(Value::from(value)),
            Ok(cel::Value::String(value)) => Ok(Value::String(value.as_str().to_owned())),
            Ok(cel::Value::Null) => Ok(Value::Null),
            _ => Err(NotEvaluable),
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, scope: &Scope<'_>) -> Result<i64, NotEvaluable> {
        self.value(scope)?.as_i64().ok_or(NotEvaluable)
    }
}

/// The values expressions see.
pub(crate) struct Scope<'p>(Context<'p, 'static>);

impl Scope<'static> {
    /// `values` must hold every field; the empty ones as null.
    pub(crate) fn new(values: &Map<String, Value>, today: Option<Date>) -> Self {
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        // The names are none of CEL's own, so these cannot be refused.
        let _ = context.add_function("days", days);
        let _ = context.add_function("add_days", add_days);
        let _ = context.add_function("age", age);
        let _ = context.add_function("sum", sum);
        let _ = context.add_function("zero", zero);
        let mut scope = Self(context);
        for (name, value) in values {
            scope.set(name, value);
        }
        scope.set(TODAY, &today.map_or(Value::Null, |day| Value::String(values::iso(day))));
        scope
    }
}

impl Scope<'_> {
    /// The same, asked for one row.
    pub(crate) fn row(&self, index: usize, row: &Map<String, Value>) -> Scope<'_> {
        let mut scope = Scope(self.0.new_inner_scope());
        scope.set(NUMBER, &Value::from(index.saturating_add(1)));
        for (column, value) in row {
            scope.set_column(column, value);
        }
        scope
    }

    pub(crate) fn set(&mut self, name: &str, value: &Value) {
        self.0.add_variable_as_val(name, val(value));
    }

    /// `line.code` is a variable of that name: the language prefers it to the field of a variable `line`.
    pub(crate) fn set_column(&mut self, column: &str, value: &Value) {
        self.0.add_variable_as_val(format!("{LINE}.{column}"), val(value));
    }
}

fn val<'v>(value: &Value) -> Box<dyn Val + 'v> {
    match value {
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Bool(yes) => Box::new(CelBool::from(*yes)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Box::new(CelInt::from(number)),
            None => Box::new(CelNull),
        },
        Value::Array(rows) => Box::new(CelList::from(rows.iter().map(val).collect::<Vec<_>>())),
        Value::Object(row) => Box::new(Row(Arc::new(row.clone()))),
        Value::Null => Box::new(CelNull),
    }
}

/// A row among all rows, whose columns are read when somebody asks for them: copying them into maps of the language's own takes
/// longer than all rules of a form.
#[derive(Clone)]
struct Row(Arc<Map<String, Value>>);

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row")
    }
}

impl Val for Row {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
}

impl Indexer for Row {
    fn get<'b, 'v>(&'b self, column: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let column = column.downcast_ref::<CelString<'_>>().map(CelString::inner);
        let value = column.and_then(|column| self.0.get(column));
        value
            .map(|value| CowVal::Owned(val(value)))
            .ok_or_else(|| ExecutionError::no_such_key("column"))
    }

    fn steal<'v>(self: Box<Self>, column: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(column).map(CowVal::into_owned)
    }
}

/// Walks through an expression and collects what it names.
struct Names<'a> {
    vocabulary: &'a Vocabulary,
    row: bool,
    /// Variables of the macros around, and whether each is a row of the table.
    bound: Vec<(&'a str, bool)>,
    reads: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl<'a> Names<'a> {
    fn visit(&mut self, expression: &'a IdedExpr) -> Result<(), String> {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if self.is_row(name) => self.column(name, &select.field),
                _ => self.visit(&select.operand),
            },
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
        }
    }

    fn variable(&mut self, name: &'a str) -> Result<(), String> {
        if self.bound.iter().any(|(bound, _)| *bound == name) || name == TODAY || (self.row && name == NUMBER) {
            return Ok(());
        }
        if self.row && name == LINE {
            return Err("line is used with a column, as in line.code".to_owned());
        }
        if !self.vocabulary.fields.contains_key(name) && !self.vocabulary.totals.contains(name) {
            return Err(format!("unknown field \"{name}\""));
        }
        self.reads.insert(name.to_owned());
        Ok(())
    }

    fn is_row(&self, name: &str) -> bool {
        match self.bound.iter().rev().find(|(bound, _)| *bound == name) {
            Some((_, row)) => *row,
            None => self.row && name == LINE,
        }
    }

    fn column(&mut self, of: &str, name: &str) -> Result<(), String> {
        let columns = self.vocabulary.table.as_ref().map(|(_, columns)| columns);
        if !columns.is_some_and(|columns| columns.contains_key(name)) {
            return Err(format!("unknown column \"{name}\""));
        }
        if of == LINE {
            self.columns.insert(name.to_owned());
        }
        Ok(())
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<(), String> {
        let name = call.func_name.as_str();
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) && !FUNCTIONS.contains(&name) {
            return Err(format!("unknown function \"{name}\""));
        }
        if name == "sum" {
            return self.sum(call);
        }
        if let Some(target) = &call.target {
            self.visit(target)?;
        }
        call.args.iter().try_for_each(|argument| self.visit(argument))
    }

    /// `sum(lines, 'amount')`: the column is a text, so nobody else would notice that it does not exist.
    fn sum(&mut self, call: &'a CallExpr) -> Result<(), String> {
        let (Some((table, columns)), [rows, column]) = (&self.vocabulary.table, call.args.as_slice()) else {
            return Err("sum takes the rows and a column".to_owned());
        };
        match (&rows.expr, &column.expr) {
            (Expr::Ident(rows), Expr::Literal(LiteralValue::String(column))) if rows == table => {
                let known = columns.get(column.inner());
                if !matches!(known, Some(FieldType::Money | FieldType::Integer)) {
                    return Err(format!("no column of numbers \"{}\"", column.inner()));
                }
            }
            _ => return Err("sum takes the rows and a column".to_owned()),
        }
        self.visit(rows)
    }

    fn comprehension(&mut self, comprehension: &'a ComprehensionExpr) -> Result<(), String> {
        let rows = match (&comprehension.iter_range.expr, &self.vocabulary.table) {
            (Expr::Ident(name), Some((table, _))) => name == table,
            _ => false,
        };
        self.visit(&comprehension.iter_range)?;
        self.visit(&comprehension.accu_init)?;
        let outside = self.bound.len();
        self.bound.push((&comprehension.iter_var, rows));
        self.bound.extend(comprehension.iter_var2.iter().map(|name| (name.as_str(), false)));
        self.bound.push((&comprehension.accu_var, false));
        let inside = [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result];
        let visited = inside.into_iter().try_for_each(|part| self.visit(part));
        self.bound.truncate(outside);
        visited
    }

    fn entry(&mut self, entry: &'a EntryExpr) -> Result<(), String> {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key)?;
                self.visit(&entry.value)
            }
        }
    }
}

/// Number of a day, for differences.
fn days(day: Arc<String>) -> Result<i64, ExecutionError> {
    parse(&day).map(|date| i64::from(date.to_julian_day()))
}

/// The day `n` days later.
fn add_days(day: Arc<String>, n: i64) -> Result<Arc<String>, ExecutionError> {
    parse(&day)?
        .checked_add(time::Duration::days(n.clamp(-100_000, 100_000)))
        .map(|date| Arc::new(values::iso(date)))
        .ok_or_else(|| ExecutionError::function_error("add_days", "out of range"))
}

/// Completed years of the person with this matricule on a day; -1 when unknown.
fn age(matricule: Arc<String>, day: Arc<String>) -> Result<i64, ExecutionError> {
    let day = parse(&day)?;
    let person = Matricule::read(&matricule)
        .map_err(|_| ExecutionError::function_error("age", "no matricule"))?
        .0;
    Ok(person.age_on(day).map_or(-1, i64::from))
}

/// The sum of a column; an empty value counts nothing.
fn sum(call: &FunctionContext<'_, '_>) -> Result<i64, ExecutionError> {
    let failed = |why: &str| ExecutionError::function_error("sum", why);
    let [rows, column] = call.args.as_slice() else {
        return Err(failed("takes the rows and a column"));
    };
    let mut rows = rows.as_iterable().ok_or_else(|| failed("no rows"))?.iter();
    let mut sum = 0_i64;
    while let Some(row) = rows.next() {
        let value = row.as_indexer().ok_or_else(|| failed("no row"))?.get(column.as_ref())?;
        match (value.downcast_ref::<CelInt>(), value.downcast_ref::<CelNull>()) {
            (Some(cents), _) => sum = sum.checked_add(*cents.inner()).ok_or_else(|| failed("out of range"))?,
            (None, Some(_)) => {}
            (None, None) => return Err(failed("no number")),
        }
    }
    Ok(sum)
}

/// The number, or 0 when there is none.
fn zero(value: cel::Value) -> cel::Value {
    match value {
        cel::Value::Null => cel::Value::Int(0),
        value => value,
    }
}

fn parse(day: &str) -> Result<Date, ExecutionError> {
    values::parse_iso(day).ok_or_else(|| ExecutionError::function_error("days", "no date"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::date;

    use super::{Expression, NotEvaluable, Scope, Vocabulary};
    use crate::FieldType;

    fn vocabulary() -> Vocabulary {
        let named = |fields: &[(&str, FieldType)]| fields.iter().map(|(id, of)| ((*id).to_owned(), *of)).collect();
        Vocabulary {
            fields: named(&[
                ("from", FieldType::Date),
                ("to", FieldType::Date),
                ("flag", FieldType::YesNo),
                ("who", FieldType::Matricule),
                ("lines", FieldType::Lines),
            ]),
            table: Some((
                "lines".to_owned(),
                named(&[("code", FieldType::Code), ("amount", FieldType::Money)]),
            )),
            totals: ["all".to_owned()].into(),
        }
    }

    fn values() -> Value {
        json!({
            "from": "2026-11-21", "to": null, "flag": true, "who": "1988123048083", "all": 12,
            "lines": [{"code": "A", "amount": 10}, {"code": null, "amount": null}, {"code": "B", "amount": 5}],
        })
    }

    fn holds(source: &str) -> Result<bool, NotEvaluable> {
        let values = values();
        let scope = Scope::new(values.as_object().unwrap(), Some(date!(2026 - 11 - 24)));
        Expression::compile(source, &vocabulary()).unwrap().holds(&scope)
    }

    #[test]
    fn days_compare_and_subtract() {
        assert_eq!(holds("from < today && days(today) - days(from) == 3"), Ok(true));
        assert_eq!(holds("add_days(from, 3) == today"), Ok(true));
        assert_eq!(holds("to == null && flag"), Ok(true));
        assert_eq!(holds("from != null"), Ok(true));
        assert_eq!(holds("to == 'x'"), Ok(false));
        assert_eq!(holds("age(who, from) == 37"), Ok(true));
        assert_eq!(holds("days(to) > 3"), Err(NotEvaluable));
        assert_eq!(holds("from"), Err(NotEvaluable));
    }

    #[test]
    fn rows_are_summed_and_searched() {
        assert_eq!(holds("sum(lines, 'amount') == 15 && size(lines) == 3 && all == 12"), Ok(true));
        assert_eq!(holds("lines.exists(l, l.code == 'B' && l.amount == 5)"), Ok(true));
        assert_eq!(holds("lines.all(l, zero(l.amount) > 0)"), Ok(false));
        assert_eq!(holds("zero(to) == 0"), Ok(true));
        assert_eq!(holds("lines.exists(l, l.amount > 100)"), Err(NotEvaluable));
        let huge = json!({"lines": [{"amount": i64::MAX}, {"amount": 1}]});
        let scope = Scope::new(huge.as_object().unwrap(), None);
        let sum = Expression::compile("sum(lines, 'amount')", &vocabulary()).unwrap();
        assert_eq!(sum.number(&scope), Err(NotEvaluable));
    }

    #[test]
    fn a_row_has_its_columns_and_its_number() {
        let values = values();
        let values = values.as_object().unwrap();
        let scope = Scope::new(values, None);
        let expression = Expression::compile_for("line.code == 'B' && number == 3 && flag", &vocabulary(), true).unwrap();
        assert_eq!(expression.columns.iter().collect::<Vec<_>>(), ["code"]);
        assert_eq!(expression.reads.iter().collect::<Vec<_>>(), ["flag"]);
        let rows = values["lines"].as_array().unwrap().iter().enumerate();
        let answers: Vec<_> = rows
            .map(|(i, row)| expression.holds(&scope.row(i, row.as_object().unwrap())))
            .collect();
        assert_eq!(answers, [Ok(false), Ok(false), Ok(true)]);
    }

    #[test]
    fn unknown_names_are_refused_before_they_are_run() {
        for source in [
            "until > from",
            "explode(from)",
            "from >",
            "from.nothing(3)",
            "line.code == 'A'",
            "number == 1",
            "lines.exists(l, l.price > 3)",
            "lines.exists(l, m.code == 'A')",
            "lines.exists(l, true) && l.code == 'A'",
            "sum(lines, 'code')",
            "sum(lines, 'price')",
            "sum(lines, from)",
            "sum(from, 'amount')",
            "sum(lines)",
        ] {
            assert!(Expression::compile(source, &vocabulary()).is_err(), "{source}");
        }
        for source in ["line.price > 3", "line == null", "size(line) > 0"] {
            assert!(Expression::compile_for(source, &vocabulary(), true).is_err(), "{source}");
        }
    }
}
