//! What holds for any values.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod glasses;

use econnector_forms::{Severity, embedded};
use glasses::{CONTEXT, extras, glasses, wire_context};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON, with a liking for what looks like a form.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}|[\\x00-\\x1f\u{200b}\u{202e}]{1,3}|CASE|left|2026-1[0-2]-[0-3][0-9]|[0-9]{13}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| {
        let key = "code|quantity|date|amount|label|side|engraving|gift|[a-z]{1,3}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// A row somebody may have typed, right or wrong.
fn any_row() -> impl Strategy<Value = Value> {
    let or_nothing = |some: BoxedStrategy<Value>| prop_oneof![Just(Value::Null), some];
    (
        or_nothing("CASE|CLOTH|CHAIN|HAT|[a-z]{1,8}".prop_map(Value::from).boxed()),
        or_nothing((-1_i64..23).prop_map(Value::from).boxed()),
        or_nothing("202[4-7]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|30)".prop_map(Value::from).boxed()),
        or_nothing(prop_oneof![0_i64..100_000, 99_999_000_i64..100_001_000].prop_map(Value::from).boxed()),
        or_nothing("left|right|top".prop_map(Value::from).boxed()),
        or_nothing("[A-Z]{1,11}".prop_map(Value::from).boxed()),
    )
        .prop_map(|(code, quantity, date, amount, side, engraving)| {
            json!({"code": code, "quantity": quantity, "date": date, "amount": amount, "side": side, "engraving": engraving})
        })
}

/// A row that passes, with much of it left empty.
fn right_row() -> impl Strategy<Value = Value> {
    (
        prop_oneof![Just(("CASE", None)), ("CASE|CHAIN|HAT", 0_i64..100_000).prop_map(|(code, cents)| (if code == "HAT" { "HAT" } else { "CHAIN" }, Some(cents)))],
        prop::option::of(1_i64..=20),
        prop::option::of("202[5-7]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-8])"),
        prop::option::of("left|right"),
        prop::option::of("[A-Z]{1,10}"),
        prop::option::of("[A-Za-zÀ-ÿ0-9][A-Za-zÀ-ÿ0-9 ]{0,18}"),
    )
        .prop_map(|((code, amount), quantity, date, side, engraving, label)| {
            json!({"code": code, "amount": amount, "quantity": quantity, "date": date, "side": side, "engraving": engraving, "label": label})
        })
}

/// A row that passes whatever its amount.
fn good_row() -> impl Strategy<Value = (i64, Value)> {
    (0_i64..=99_999_999).prop_map(|cents| (cents, json!({"code": "CHAIN", "amount": cents})))
}

/// Values as they were settled, posted again: the empty ones left out.
fn again(values: &Map<String, Value>) -> Map<String, Value> {
    values
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(id, value)| (id.clone(), value.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn totals_are_the_exact_sums_of_the_cents(rows in prop::collection::vec(good_row(), 0..=12), paid in prop::option::of(0_i64..=500_000)) {
        let sum: i64 = rows.iter().map(|(cents, _)| cents).sum();
        let items: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
        let outcome = glasses().check(&extras(json!({"items": items, "paid_before": paid})), &CONTEXT);
        let totals: Vec<(&str, i64)> = outcome.totals.iter().map(|t| (t.name.as_str(), t.cents)).collect();
        let mut expected = vec![("items_total", sum), ("to_pay", sum - paid.unwrap_or(0))];
        expected.extend(paid.map(|paid| ("left_after_deposit", sum - paid)));
        prop_assert_eq!(totals, expected);
        if let Some(checked) = outcome.checked {
            let xml = glasses().wire(&checked, &wire_context(&[])).unwrap().xml;
            let to_pay = sum - paid.unwrap_or(0);
            let written = format!("<toPay>{}.{:02}</toPay>", to_pay / 100, to_pay % 100);
            prop_assert!(xml.contains(&written));
        }
    }

    #[test]
    fn filled_amounts_are_price_times_number(quantity in 1_i64..=20, last_year in any::<bool>()) {
        let (day, price) = if last_year { ("2025-12-31", 1500) } else { ("2026-01-01", 1650) };
        let items = json!([{"code": "CASE", "quantity": quantity, "date": day}]);
        let outcome = glasses().check(&extras(json!({"items": items, "paid_before": null})), &CONTEXT);
        prop_assert_eq!(&outcome.filled["items.0.amount"], &json!(quantity * price));
        prop_assert_eq!(outcome.totals[0].cents, quantity * price);
    }

    #[test]
    fn settled_values_settle_to_the_same(rows in prop::collection::vec(right_row(), 0..5), ready in any::<bool>(), card in any::<bool>()) {
        let card = if card { json!("12345") } else { Value::Null };
        let ready = if ready { json!("2026-12-01") } else { Value::Null };
        let typed = extras(json!({"items": rows, "ready_on": ready, "insurer_card": card, "insurer_name": "L", "paid_before": null}));
        let first = glasses().check(&typed, &CONTEXT);
        let settled = first.checked.unwrap();
        let draft = glasses().draft(&typed);
        prop_assert_eq!(draft.values(), settled.values());
        let second = glasses().check(&again(settled.values()), &CONTEXT);
        prop_assert!(second.filled.is_empty());
        prop_assert_eq!(&second.totals, &first.totals);
        let settled_again = second.checked.unwrap();
        prop_assert_eq!(settled_again.values(), settled.values());
    }

    #[test]
    fn any_json_is_answered(value in any_json(), other in any_json()) {
        let pack = glasses();
        for field in ["wearer", "sold_on", "frame", "lens", "tinted", "items", "ready_at", "insurer_card", "paid_before", "remark", "nothing"] {
            let mut typed = extras(json!({}));
            typed.insert(field.to_owned(), value.clone());
            typed.insert("insurer_name".to_owned(), other.clone());
            let outcome = pack.check(&typed, &CONTEXT);
            prop_assert_eq!(
                outcome.checked.is_some(),
                outcome.findings.iter().all(|f| f.severity == Severity::Warning)
            );
            prop_assert!(outcome.findings.iter().all(|f| f.code != "rule-not-evaluable"));
            if let Some(checked) = outcome.checked {
                prop_assert!(pack.wire(&checked, &wire_context(&[])).is_ok());
                prop_assert!(pack.page_data("receipt", &checked, None).is_ok());
            }
            let draft = pack.draft(&typed);
            prop_assert_eq!(draft.values().len(), 14);
            prop_assert!(pack.draft_page_data("receipt", &draft).is_ok());
        }
    }

    #[test]
    fn any_row_is_answered(rows in prop::collection::vec(prop_oneof![any_row(), any_json()], 0..15)) {
        let outcome = glasses().check(&extras(json!({"items": rows, "paid_before": null})), &CONTEXT);
        for finding in &outcome.findings {
            prop_assert!(finding.code != "rule-not-evaluable", "{:?}", finding);
            let words = glasses().describe(finding, econnector_forms::Lang::Fr);
            prop_assert!(words.contains(' ') && !words.contains("{{"), "{}", words);
        }
    }
}

#[test]
fn forms_that_turn_into_one_another_agree_on_what_they_carry() {
    let packs = embedded().unwrap();
    for pack in &packs {
        let Some(target) = pack.turns_into() else {
            continue;
        };
        let target = packs
            .iter()
            .find(|other| other.kind() == target)
            .unwrap_or_else(|| panic!("{} turns into nothing", pack.kind()));
        for name in pack.examples() {
            let known = target.draft(&Map::new());
            let carried: Map<String, Value> = pack
                .example(name)
                .unwrap()
                .iter()
                .filter(|(id, _)| known.values().contains_key(*id))
                .map(|(id, value)| (id.clone(), value.clone()))
                .collect();
            assert!(carried.contains_key("lines"), "{name}");
            let context = econnector_forms::CheckContext {
                today: pack.example_day(name).unwrap(),
                ..CONTEXT
            };
            let outcome = target.check(&carried, &context);
            // What the target asks for besides may be missing; nothing carried over is wrong.
            let wrong: Vec<_> = outcome
                .findings
                .iter()
                .filter(|f| f.severity == Severity::Error && carried.contains_key(f.field.split('.').next().unwrap()))
                .filter(|f| f.code != "amount-unknown")
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
            assert!(
                target.draft(&carried).values()["lines"]
                    .as_array()
                    .is_some_and(|rows| !rows.is_empty())
            );
        }
    }
}
