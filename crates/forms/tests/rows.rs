//! Tables: what is typed into rows, what is filled, what is wrong in them, and what they add up to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod glasses;

use econnector_forms::{Lang, Severity, Total};
use glasses::{CONTEXT, check, extras, found, glasses};
use serde_json::{Value, json};

fn totals(totals: &[Total]) -> Vec<(&str, i64)> {
    totals.iter().map(|total| (total.name.as_str(), total.cents)).collect()
}

#[test]
fn empty_columns_are_filled_priced_and_labelled() {
    let outcome = check(&extras(json!({})));
    assert_eq!(found(&outcome), [("items", "two-cases"), ("items.1.date", "item-before-sale")]);
    assert_eq!(
        Value::Object(outcome.filled.clone()),
        json!({
            "ready_on": "2026-11-02",
            "items.0.quantity": 1,
            "items.0.date": "2026-10-26",
            "items.0.amount": 1650,
            "items.0.label": "Étui rigide pour lun",
            // Three of them, at last year's price.
            "items.1.amount": 4500,
            "items.1.label": "Étui rigide pour lun",
            "items.2.quantity": 1,
            "items.2.date": "2026-10-26",
            "items.2.label": "Cordon",
        })
    );
    assert_eq!(
        totals(&outcome.totals),
        [("items_total", 7140), ("to_pay", 6140), ("left_after_deposit", 6140)]
    );
    let checked = outcome.checked.unwrap();
    assert_eq!(checked.rows(), 3);
    assert_eq!(checked.totals(), outcome.totals);
    assert_eq!(
        checked.values()["items"][1],
        json!({
            "code": "CASE", "quantity": 3, "date": "2025-12-31", "amount": 4500, "label": "Étui rigide pour lun",
            "side": "left", "engraving": "AW", "gift": false,
        })
    );
}

#[test]
fn what_is_typed_is_not_overwritten() {
    let outcome = check(&extras(json!({
        "ready_on": "2026-12-24",
        "items": [{"code": "CASE", "quantity": 1, "date": "2026-10-27", "amount": 0, "label": "Étui bleu"}],
        "paid_before": null,
    })));
    assert!(outcome.filled.is_empty());
    let checked = outcome.checked.unwrap();
    assert_eq!(checked.values()["items"][0]["amount"], 0);
    assert_eq!(checked.values()["items"][0]["label"], "Étui bleu");
}

#[test]
fn an_amount_nobody_knows_is_asked_for() {
    for (row, expected) in [
        // On the list, without a price.
        (json!({"code": "CHAIN"}), vec![("items.0.amount", "amount-unknown")]),
        // The price has ended.
        (json!({"code": "CLOTH"}), vec![("items.0.amount", "amount-unknown")]),
        // Not on the list.
        (
            json!({"code": "HAT"}),
            vec![("items.0.code", "code-not-in-list"), ("items.0.amount", "amount-unknown")],
        ),
        // What the amount is made of is asked for; the amount itself follows.
        (json!({"quantity": 2}), vec![("items.0.code", "value-required")]),
        (
            json!({"code": "CASE", "date": "someday"}),
            vec![("items.0.date", "date-unreadable")],
        ),
        (
            json!({"code": "CASE", "quantity": 21}),
            vec![("items.0.quantity", "number-too-large")],
        ),
        (json!({"code": "CASE", "amount": -1}), vec![("items.0.amount", "amount-too-small")]),
    ] {
        let outcome = check(&extras(json!({"items": [row], "paid_before": null})));
        assert_eq!(found(&outcome), expected, "{row}");
    }
    let outcome = check(&extras(json!({"items": [{"code": "CLOTH"}], "paid_before": null})));
    assert_eq!(
        glasses().describe(&outcome.findings[0], Lang::De),
        "Zeile 1, Betrag: der Tarif nennt für CLOTH am 26.10.2026 keinen Betrag. Geben Sie ihn ein."
    );
}

#[test]
fn an_amount_too_large_for_the_field_is_no_amount() {
    let pack = glasses::changed("codes/items.json", "\"cents\": 1650", "\"cents\": 99999999").unwrap();
    let outcome = pack.check(
        &extras(json!({"items": [{"code": "CASE", "quantity": 20}], "paid_before": null})),
        &CONTEXT,
    );
    assert!(found(&outcome).contains(&("items.0.amount", "amount-too-large")));
    assert!(!outcome.filled.contains_key("items.0.amount"));
    assert!(!outcome.facts.iter().any(|fact| fact.code == "amount-tariff"));
}

#[test]
fn rows_are_read_one_by_one_and_findings_name_them() {
    let outcome = check(&extras(json!({
        "items": [
            {"code": "CASE", "colour": "blue"},
            "two cases",
            {"code": 12, "quantity": "2", "date": ["x"], "amount": 12.5, "side": "top", "gift": "yes"},
            {"code": "CASE", "engraving": "AW"},
            {"code": "CASE", "side": "left", "engraving": "ÄW"},
        ],
        "paid_before": null,
    })));
    assert_eq!(
        found(&outcome),
        [
            ("items.0.colour", "value-unknown-field"),
            ("items.1", "value-not-row"),
            ("items.2.code", "value-not-text"),
            ("items.2.quantity", "value-not-number"),
            ("items.2.date", "value-not-text"),
            ("items.2.amount", "value-not-cents"),
            ("items.2.side", "choice-unknown"),
            ("items.2.gift", "value-not-yes-no"),
            ("items.3.engraving", "value-not-applicable"),
            ("items.4.engraving", "value-not-alphanumeric"),
        ]
    );
    for lang in Lang::ALL {
        for finding in &outcome.findings {
            let words = glasses().describe(finding, lang);
            assert!(words.contains(' ') && !words.contains("{{"), "{}: {words}", finding.code);
        }
    }
    let words = |at: usize| glasses().describe(&outcome.findings[at], Lang::Fr);
    assert_eq!(words(3), "Ligne 3, Nombre : un nombre entier est attendu.");
}

#[test]
fn rows_left_blank_at_the_end_are_not_there() {
    let blank = json!({"code": "", "quantity": null, "gift": false, "label": "  "});
    let outcome = check(&extras(json!({"items": [{"code": "CASE"}, blank, {}], "paid_before": null})));
    assert_eq!(found(&outcome), []);
    assert_eq!(outcome.checked.unwrap().rows(), 1);
    let outcome = check(&extras(json!({"items": [blank, {}], "paid_before": null})));
    assert_eq!(outcome.checked.unwrap().rows(), 0);
    // One in the middle is a line that somebody forgot.
    let outcome = check(&extras(json!({"items": [{}, {"code": "CASE"}], "paid_before": null})));
    assert_eq!(found(&outcome), [("items.0.code", "value-required")]);
}

#[test]
fn a_table_that_must_be_there_asks_in_its_first_row() {
    let mut files = glasses::files_with("pack.toml", "max = 12\n", "max = 12\nmin = 2\nrequired = true\n");
    files.0.remove("examples/wood.json");
    let pack = econnector_forms::Pack::load(&files).unwrap();
    let asked = |items: Value| {
        let outcome = pack.check(&extras(json!({"items": items, "paid_before": null})), &CONTEXT);
        outcome
            .findings
            .iter()
            .map(|f| (f.field.clone(), f.code.clone()))
            .collect::<Vec<_>>()
    };
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    assert_eq!(asked(json!(null)), one("items", "value-required"));
    assert_eq!(asked(json!([])), one("items", "value-required"));
    assert_eq!(
        asked(json!([{}, {}])),
        [one("items", "rows-too-few"), one("items.0.code", "value-required")].concat()
    );
    assert_eq!(asked(json!([{"code": "CASE"}])), one("items", "rows-too-few"));
}

#[test]
fn no_more_rows_than_the_form_holds_are_read() {
    let rows = vec![json!({"code": "CASE"}); 100_000];
    let outcome = check(&extras(json!({"items": rows, "paid_before": null})));
    assert_eq!(found(&outcome), [("items", "rows-too-many")]);
    assert_eq!(
        glasses().describe(&outcome.findings[0], Lang::En),
        "Accessories: 12 lines at most. Put the rest on another document."
    );
    assert_eq!(outcome.filled.len(), 12 * 4 + 1);
}

#[test]
fn rules_see_rows_and_totals() {
    let outcome = check(&extras(json!({"items": [{"code": "CASE"}], "paid_before": 5000})));
    assert_eq!(found(&outcome), [("paid_before", "paid-too-much")]);
    let said: Vec<String> = Lang::ALL
        .into_iter()
        .map(|lang| glasses().describe(&outcome.findings[0], lang))
        .collect();
    assert_eq!(said[0], "L’acompte dépasse le total de 33,50 €. Corrigez-le.");
    assert_eq!(said[2], "What was paid before exceeds the total by €33.50. Change it.");
    assert_eq!(totals(&outcome.totals)[1], ("to_pay", -3350));

    let late = check(&extras(
        json!({"items": [{"code": "CASE"}, {"code": "CHAIN", "amount": 1, "date": "2026-10-25"}], "paid_before": null}),
    ));
    assert_eq!(found(&late), [("items.1.date", "item-before-sale")]);
    assert_eq!(late.findings[0].severity, Severity::Warning);
    assert_eq!(
        glasses().describe(&late.findings[0], Lang::Fr),
        "Ligne 2 : vendue avant les lunettes (le 26.10.2026). Vérifiez la date."
    );
    // What a total needs is not there.
    assert_eq!(totals(&late.totals), [("items_total", 1651), ("to_pay", 1651)]);
}

#[test]
fn facts_speak_of_rows() {
    let outcome = check(&extras(json!({})));
    let facts: Vec<(String, String)> = outcome
        .facts
        .iter()
        .map(|fact| (fact.field.clone(), glasses().describe_fact(fact, Lang::Fr)))
        .collect();
    let fact = |field: &str, words: &str| (field.to_owned(), words.to_owned());
    assert_eq!(
        facts,
        [
            fact("wearer", "né(e) le 30.12.1988 · 37 ans"),
            fact("items.0.code", "Étui rigide pour lunettes"),
            fact("items.1.code", "Étui rigide pour lunettes"),
            fact("items.2.code", "Cordon"),
            fact("items.2.code", "convenance personnelle : non remboursé"),
            fact("items.0.amount", "16,50 € d’après le tarif du 01.01.2026"),
            fact("items.1.amount", "45,00 € d’après le tarif du 01.01.2025"),
            fact("sold_on", "Prêtes le 02.11.2026"),
            fact("items.1.amount", "15,00 € l’unité"),
        ]
    );
}

#[test]
fn a_field_may_be_shown_while_another_is_empty() {
    let shown = check(&extras(json!({"insurer_name": "Lux-Vue"}))).checked.unwrap();
    assert_eq!(shown.values()["insurer_name"], "Lux-Vue");
    let hidden = check(&extras(json!({"insurer_card": "12345", "insurer_name": "Lux-Vue"})));
    assert!(found(&hidden).contains(&("insurer_name", "value-not-applicable")));
    assert_eq!(hidden.checked.unwrap().values()["insurer_name"], Value::Null);
    // Something was typed, if wrongly.
    let wrong = check(&extras(json!({"insurer_card": "12E", "insurer_name": "Lux-Vue"})));
    let card: Vec<_> = found(&wrong)
        .into_iter()
        .filter(|(field, _)| field.starts_with("insurer"))
        .collect();
    assert_eq!(
        card,
        [("insurer_card", "value-too-short"), ("insurer_name", "value-not-applicable")]
    );
}

#[test]
fn texts_times_numbers_and_amounts_have_limits() {
    for (field, value, code) in [
        ("ready_at", json!("9:30"), "time-unreadable"),
        ("ready_at", json!("24:00"), "time-unreadable"),
        ("ready_at", json!("12:60"), "time-unreadable"),
        ("ready_at", json!("12:3٣"), "time-unreadable"),
        ("ready_at", json!(930), "value-not-text"),
        ("insurer_card", json!("12a4"), "value-not-digits"),
        ("insurer_card", json!("١٢٣٤"), "value-not-digits"),
        ("insurer_card", json!("123"), "value-too-short"),
        ("insurer_card", json!("123456789"), "value-too-long"),
        ("paid_before", json!("10"), "value-not-cents"),
        ("paid_before", json!(10.0), "value-not-cents"),
        ("paid_before", json!(1e300), "value-not-cents"),
        ("paid_before", json!(u64::MAX), "value-not-cents"),
        ("paid_before", json!(500_001), "amount-too-large"),
        ("paid_before", json!(-1), "amount-too-small"),
        ("remark", json!("a\tb"), "value-invisible-character"),
        ("remark", json!("a\u{2028}b"), "value-invisible-character"),
        ("items", json!({}), "value-not-rows"),
        ("items", json!("CASE"), "value-not-rows"),
        ("items", json!(1), "value-not-rows"),
    ] {
        let outcome = check(&extras(json!({ field: value })));
        assert!(
            found(&outcome).contains(&(field, code)),
            "{field}: {value} gives {:?}",
            outcome.findings
        );
        for lang in Lang::ALL {
            let words = outcome.findings.iter().map(|f| glasses().describe(f, lang)).collect::<String>();
            assert!(
                !words.contains("{{") && !words.contains("value-") && !words.contains("amount-"),
                "{words}"
            );
        }
    }
    let checked = check(&extras(json!({"remark": " a\r\nb\rc\n", "ready_at": "23:59", "paid_before": ""})))
        .checked
        .unwrap();
    assert_eq!(checked.values()["remark"], "a\nb\nc");
    assert_eq!(checked.values()["ready_at"], "23:59");
    assert_eq!(checked.values()["paid_before"], Value::Null);
}

#[test]
fn a_draft_tolerates_half_a_row() {
    let draft = glasses().draft(&extras(json!({
        "sold_on": null,
        "items": [{"code": "CASE", "date": "2026-10-01"}, {"quantity": 2}, 7, {"amount": "12"}, {"amount": 12}, {}],
    })));
    let page = glasses().draft_page_data("receipt", &draft).unwrap();
    let amounts: Vec<&Value> = page.values["items"].as_array().unwrap().iter().map(|row| &row["amount"]).collect();
    assert_eq!(amounts, [&json!(1650), &Value::Null, &Value::Null, &Value::Null, &json!(12)]);
    assert_eq!(page.totals["items_total"], json!(1662));
    assert_eq!(page.derived, glasses::values(json!({"adult": null, "many": true})));
    let empty = glasses().draft(&serde_json::Map::new());
    let page = glasses().draft_page_data("receipt", &empty).unwrap();
    assert_eq!(page.values["items"], json!([]));
    assert_eq!(page.totals["to_pay"], json!(0));
}

#[test]
fn the_page_sees_labels_and_marks_of_each_row() {
    let checked = check(&extras(json!({}))).checked.unwrap();
    let page = glasses().page_data("receipt", &checked, None).unwrap();
    assert_eq!(
        page.labels["items"],
        json!([
            {"code": "Étui rigide pour lunettes"},
            {"code": "Étui rigide pour lunettes", "side": "Gauche"},
            {"code": "Cordon"},
        ])
    );
    assert_eq!(page.marks["items"], json!([{}, {}, {"code": ["not_reimbursed"]}]));
    assert_eq!(page.values["items"][0]["amount"], 1650);
    // The volet omits one total.
    assert_eq!(Value::Object(page.totals.clone()), json!({"items_total": 7140, "to_pay": 6140}));
    assert_eq!(page.simulation, Value::Null);
    let seen = serde_json::to_value(&page).unwrap();
    let keys: Vec<&String> = seen.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["values", "labels", "marks", "totals", "derived", "simulation"]);
}

#[test]
fn the_definition_tells_screens_about_tables() {
    let definition = serde_json::to_value(glasses().definition(Lang::De, CONTEXT.today)).unwrap();
    let items = &definition["sections"][1]["fields"][0];
    assert_eq!(
        (&items["type"], &items["min"], &items["max"]),
        (&json!("lines"), &json!(0), &json!(12))
    );
    let column = |id: &str| items["columns"].as_array().unwrap().iter().find(|c| c["id"] == id).unwrap().clone();
    assert_eq!(
        column("code")["options"][0],
        json!({"value": "CASE", "label": "Hartes Brillenetui", "amount": 1650})
    );
    assert_eq!(
        column("code")["options"][1],
        json!({"value": "CLOTH", "label": "Putztuch", "marks": ["not_reimbursed"]})
    );
    assert_eq!(column("code")["list"], "items");
    assert_eq!(column("code")["max_length"], 6);
    assert_eq!(
        column("quantity"),
        json!({"id": "quantity", "type": "integer", "label": "Anzahl", "required": true, "min": 1, "max": 20, "filled": true})
    );
    assert_eq!(column("amount")["max"], 99_999_999);
    assert_eq!(column("side")["options"][1], json!({"value": "right", "label": "Rechts"}));
    assert_eq!(
        column("engraving")["shown_when"],
        json!({"field": "side", "any_of": ["left", "right"]})
    );
    assert_eq!(column("engraving")["detail"], true);
    let collection = definition["sections"][2]["fields"].as_array().unwrap();
    assert_eq!(collection[3]["shown_when"], json!({"field": "insurer_card", "empty": true}));
    assert_eq!(collection[5]["multiline"], true);
    assert_eq!(definition["totals"][1], json!({"name": "to_pay", "label": "Zu zahlen"}));
    assert_eq!(definition["workflow"], "deposit");
    assert_eq!((&definition["paper"], &definition["cancellable"]), (&json!(true), &json!(false)));
    assert!(definition.get("turns_into").is_none() && definition.get("contestation").is_none());
}

#[test]
fn the_schema_covers_tables() {
    let schema = glasses().json_schema();
    let items = &schema["properties"]["items"];
    assert_eq!((&items["type"], &items["maxItems"]), (&json!("array"), &json!(12)));
    assert_eq!(items["items"]["required"], json!(["code"]));
    assert_eq!(items["items"]["additionalProperties"], false);
    let columns = &items["items"]["properties"];
    assert_eq!(
        columns["amount"],
        json!({"type": "integer", "minimum": 0, "maximum": 99_999_999, "description": "cents", "title": "Amount"})
    );
    assert_eq!(columns["engraving"]["pattern"], "^[A-Za-z0-9]+$");
    assert_eq!(schema["properties"]["insurer_card"]["minLength"], 4);
    assert_eq!(schema["properties"]["ready_at"]["pattern"], "^([01]\\d|2[0-3]):[0-5]\\d$");
}
