//! Lists of codes: what they mean, what they cost on a day, what is special about them.

use std::collections::{BTreeMap, HashMap};

use time::Date;

use crate::source::{CodeListSource, PriceSource};
use crate::{Lang, OptionDefinition, amount, values};

/// A list of codes.
pub(crate) struct CodeList {
    codes: Vec<Code>,
    places: HashMap<String, usize>,
}

/// One code.
pub(crate) struct Code {
    pub code: String,
    pub labels: BTreeMap<Lang, String>,
    pub marks: Vec<String>,
    prices: Vec<Price>,
}

/// An amount and the days on which it holds.
pub(crate) struct Price {
    pub from: Date,
    until: Option<Date>,
    pub cents: i64,
}

impl CodeList {
    /// Checks the list as a whole.
    pub(crate) fn compile(source: CodeListSource) -> Result<Self, String> {
        let mut list = Self {
            codes: Vec::with_capacity(source.codes.len()),
            places: HashMap::new(),
        };
        for code in source.codes {
            if let Some(lang) = Lang::ALL.into_iter().find(|lang| !code.labels.contains_key(lang)) {
                return Err(format!("code {} has no label in {}", code.code, lang.code()));
            }
            if list.places.insert(code.code.clone(), list.codes.len()).is_some() {
                return Err(format!("the code {} twice", code.code));
            }
            if let Some(mark) = code.marks.iter().find(|mark| !is_mark(mark)) {
                return Err(format!("code {}: \"{mark}\" is no mark", code.code));
            }
            list.codes.push(Code {
                prices: prices(&code.prices).map_err(|reason| format!("code {}: {reason}", code.code))?,
                code: code.code,
                labels: code.labels,
                marks: code.marks,
            });
        }
        Ok(list)
    }

    pub(crate) fn find(&self, code: &str) -> Option<&Code> {
        self.codes.get(*self.places.get(code)?)
    }

    pub(crate) fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The list as something to choose from, with the amounts of a day.
    pub(crate) fn options(&self, lang: Lang, day: Date) -> Vec<OptionDefinition> {
        let option = |code: &Code| OptionDefinition {
            value: code.code.clone(),
            label: code.labels.get(&lang).cloned().unwrap_or_default(),
            amount: code.price_on(day).map(|price| price.cents),
            marks: (!code.marks.is_empty()).then(|| code.marks.clone()),
        };
        self.codes.iter().map(option).collect()
    }
}

impl Code {
    /// What the code costs on a day.
    pub(crate) fn price_on(&self, day: Date) -> Option<&Price> {
        let price = self.prices.iter().rev().find(|price| price.from <= day)?;
        price.until.is_none_or(|until| day <= until).then_some(price)
    }
}

fn is_mark(mark: &str) -> bool {
    (1..=40).contains(&mark.len()) && mark.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn prices(sources: &[PriceSource]) -> Result<Vec<Price>, String> {
    let day = |text: &str| values::parse_iso(text).ok_or_else(|| format!("\"{text}\" is no day"));
    let mut prices: Vec<Price> = Vec::with_capacity(sources.len());
    for source in sources {
        let price = Price {
            from: day(&source.from)?,
            until: source.until.as_deref().map(day).transpose()?,
            cents: source.cents,
        };
        if !(0..=amount::LARGEST).contains(&price.cents) || price.until.is_some_and(|until| until < price.from) {
            return Err(format!("the price from {} cannot be", source.from));
        }
        if prices.last().is_some_and(|last| last.until.unwrap_or(last.from) >= price.from) {
            return Err(format!("the price from {} does not follow the one before it", source.from));
        }
        prices.push(price);
    }
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::date;

    use super::CodeList;

    fn list(codes: Value) -> Result<CodeList, String> {
        CodeList::compile(serde_json::from_value(json!({"sample": true, "note": "", "codes": codes})).unwrap())
    }

    fn code(prices: Value) -> Value {
        json!({"code": "A", "labels": {"fr": "a", "de": "a", "en": "a", "lb": "a"}, "prices": prices})
    }

    #[test]
    fn a_price_holds_from_its_first_to_its_last_day() {
        let prices = json!([
            {"from": "2025-01-01", "cents": 100},
            {"from": "2026-01-01", "until": "2026-06-30", "cents": 200},
            {"from": "2026-08-01", "cents": 300},
        ]);
        let list = list(json!([code(prices)])).unwrap();
        let on = |day| list.find("A").unwrap().price_on(day).map(|price| price.cents);
        assert_eq!(on(date!(2024 - 12 - 31)), None);
        assert_eq!(on(date!(2025 - 12 - 31)), Some(100));
        assert_eq!(on(date!(2026 - 01 - 01)), Some(200));
        assert_eq!(on(date!(2026 - 06 - 30)), Some(200));
        assert_eq!(on(date!(2026 - 07 - 01)), None);
        assert_eq!(on(date!(2030 - 01 - 01)), Some(300));
        assert!(list.find("B").is_none());
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let price = |from: &str, until: Value, cents: i64| json!({"from": from, "until": until, "cents": cents});
        for (prices, reason) in [
            (json!([price("2026-02-30", Value::Null, 1)]), "no day"),
            (json!([price("2026-01-01", Value::Null, -1)]), "cannot be"),
            (json!([price("2026-01-01", json!("2025-12-31"), 1)]), "cannot be"),
            (
                json!([price("2026-01-01", Value::Null, 1), price("2026-01-01", Value::Null, 2)]),
                "does not follow",
            ),
            (
                json!([price("2026-01-01", json!("2026-03-31"), 1), price("2026-03-31", Value::Null, 2)]),
                "does not follow",
            ),
        ] {
            let refusal = list(json!([code(prices)])).err().unwrap();
            assert!(refusal.contains(reason), "{refusal}");
        }
        assert!(list(json!([code(json!([])), code(json!([]))])).is_err());
        let mut odd = code(json!([]));
        odd["marks"] = json!(["Not Reimbursed"]);
        assert!(list(json!([odd])).is_err());
    }
}
