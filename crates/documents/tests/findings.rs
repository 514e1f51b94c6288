//! What the rules of the shipped forms find: each rule has a case, and says it in four languages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use econnector_forms::{Lang, Outcome, Pack, Severity};
use serde_json::{Map, Value, json};
use support::{context, pack, values};
use time::macros::date;

mod support;

const TODAY: time::Date = date!(2026 - 10 - 28);

/// An example, what is changed in it, and what is found then.
type Case<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);

/// Field, and code; E marks what stops the form, W a warning.
type Found = Vec<(String, String)>;

fn check(pack: &Pack, example: &str, changes: Value) -> Outcome {
    pack.check(&values(pack, example, changes), &context(TODAY))
}

fn found(outcome: &Outcome) -> Found {
    let told = |severity: Severity, code: &str| match severity {
        Severity::Error => format!("E {code}"),
        Severity::Warning => format!("W {code}"),
    };
    outcome
        .findings
        .iter()
        .map(|f| (f.field.clone(), told(f.severity, &f.code)))
        .collect()
}

fn told(expected: &[(&str, &str)]) -> Found {
    expected
        .iter()
        .map(|(field, code)| ((*field).to_owned(), (*code).to_owned()))
        .collect()
}

/// Runs the cases; gives the codes of the pack's own rules that they covered.
fn cases(pack: &Pack, list: &[Case<'_>]) -> BTreeSet<String> {
    let mut covered = BTreeSet::new();
    for (example, changes, expected) in list {
        let outcome = check(pack, example, changes.clone());
        assert_eq!(found(&outcome), told(expected), "{} {example} {changes}", pack.kind());
        assert_eq!(
            outcome.checked.is_none(),
            expected.iter().any(|(_, code)| code.starts_with('E')),
            "{changes}"
        );
        for finding in &outcome.findings {
            let said: BTreeSet<String> = Lang::ALL.into_iter().map(|lang| pack.describe(finding, lang)).collect();
            assert_eq!(said.len(), 4, "{said:?}");
            for words in said {
                assert!(words.len() > 20 && words.contains(' ') && !words.contains("2026-"), "{words}");
            }
            covered.insert(finding.code.clone());
        }
    }
    covered
}

/// The rules of a pack, from its texts.
fn rules(pack: &Pack) -> BTreeSet<String> {
    let file = format!("{}/../../forms/{}/texts/fr.json", env!("CARGO_MANIFEST_DIR"), pack.kind());
    let texts: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    texts.get("findings").unwrap().as_object().unwrap().keys().cloned().collect()
}

fn facts(pack: &Pack, example: &str, changes: Value) -> Vec<String> {
    let outcome = check(pack, example, changes);
    outcome
        .facts
        .iter()
        .map(|fact| format!("{}: {}", fact.field, pack.describe_fact(fact, Lang::Fr)))
        .collect()
}

/// A matricule of a person born on a day, with its two check digits.
fn born(day: &str) -> String {
    let first = format!("{day}123");
    (0..100)
        .map(|end| format!("{first}{end:02}"))
        .find(|number| matches!(econnector_forms::Matricule::read(number), Ok((_, None))))
        .unwrap()
}

#[test]
fn leave_for_family_reasons() {
    let ecit = pack("ecit");
    let crf = |day: &str, last: &str, hospitalised: bool| json!({"child_matricule": born(day), "finding_date": "2026-10-28", "first_day": "2026-10-28", "last_day": last, "hospitalised": hospitalised});
    cases(
        ecit,
        &[
            // 12 days before the 4th birthday, 18 before the 13th, 5 before the 18th; the birthday itself counts.
            ("crf", crf("20221029", "2026-11-08", false), &[]),
            (
                "crf",
                crf("20221029", "2026-11-09", false),
                &[("last_day", "W child-days-exceeded")],
            ),
            ("crf", crf("20221028", "2026-11-14", false), &[]),
            (
                "crf",
                crf("20221028", "2026-11-15", false),
                &[("last_day", "W child-days-exceeded")],
            ),
            ("crf", crf("20131029", "2026-11-14", false), &[]),
            ("crf", crf("20131028", "2026-11-01", true), &[]),
            ("crf", crf("20131028", "2026-11-02", true), &[("last_day", "W child-days-exceeded")]),
            (
                "crf",
                crf("20131028", "2026-11-01", false),
                &[("hospitalised", "W child-not-hospitalised")],
            ),
            ("crf", crf("20081029", "2026-11-01", true), &[]),
            (
                "crf",
                crf("20081028", "2026-11-01", true),
                &[("child_matricule", "W child-too-old")],
            ),
            (
                "crf",
                json!({"child_matricule": "1988123048083"}),
                &[
                    ("child_matricule", "E child-is-insured"),
                    ("child_matricule", "W child-too-old"),
                    ("finding_date", "W finding-before-today"),
                ],
            ),
            (
                "crf",
                json!({"matricule": born("20200101"), "last_day": "2026-10-30", "child_last_name": null, "finding_date": "2026-10-26"}),
                &[
                    ("matricule", "W insured-is-child"),
                    ("child_last_name", "W child-name-missing"),
                    ("finding_date", "W finding-before-today"),
                ],
            ),
            (
                "crf",
                json!({"child_matricule": null, "last_day": "2026-10-30", "first_day": "2026-10-28", "finding_date": "2026-10-28"}),
                &[("child_matricule", "E value-required")],
            ),
            // What does not belong to a leave for a child is neither printed nor sent.
            (
                "crf",
                json!({"first_day": "2026-10-28", "last_day": "2026-10-30", "finding_date": "2026-10-28", "outings": true,
                    "prolongation": true, "accident_number": "U202600123", "expected_date": "2027-01-11"}),
                &[
                    ("expected_date", "W value-not-applicable"),
                    ("prolongation", "W value-not-applicable"),
                    ("accident_number", "W value-not-applicable"),
                    ("outings", "W value-not-applicable"),
                ],
            ),
        ],
    );
    let told = facts(ecit, "crf", crf("20131028", "2026-10-30", true));
    assert!(
        told.contains(&"child_matricule: 5 jours de congé en tout à 13 ans, si hospitalisé".to_owned()),
        "{told:?}"
    );
}

#[test]
fn maternity() {
    let ecit = pack("ecit");
    let on = |changes: Value| {
        let mut all = json!({"finding_date": "2026-10-28"});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        all
    };
    cases(
        ecit,
        &[
            ("maternity", on(json!({})), &[]),
            // Twelve weeks to the day, and one day more.
            ("maternity", on(json!({"expected_date": "2027-01-20"})), &[]),
            (
                "maternity",
                on(json!({"expected_date": "2027-01-21"})),
                &[("expected_date", "E maternity-too-early")],
            ),
            (
                "maternity",
                on(json!({"expected_date": "2026-10-27"})),
                &[("expected_date", "W maternity-past")],
            ),
            (
                "maternity",
                on(json!({"expected_date": null})),
                &[
                    ("expected_date", "E value-required"),
                    ("leave_first_day", "E value-required"),
                    ("leave_last_day", "E value-required"),
                ],
            ),
            (
                "maternity",
                on(json!({"leave_first_day": "2027-01-01", "leave_last_day": "2026-12-31"})),
                &[("leave_last_day", "E maternity-leave-inverted")],
            ),
            (
                "maternity",
                on(json!({"leave_first_day": "2026-11-20"})),
                &[("leave_first_day", "W maternity-leave-unusual")],
            ),
            (
                "maternity",
                on(json!({"first_day": "2026-10-28", "child_first_name": "Noé"})),
                &[
                    ("first_day", "W value-not-applicable"),
                    ("child_first_name", "W value-not-applicable"),
                ],
            ),
        ],
    );
    let outcome = check(ecit, "maternity", on(json!({})));
    let filled: Vec<(&str, &Value)> = outcome.filled.iter().map(|(path, value)| (path.as_str(), value)).collect();
    assert_eq!(
        filled,
        [("leave_first_day", &json!("2026-11-16")), ("leave_last_day", &json!("2027-04-05"))]
    );
    let told = facts(ecit, "maternity", on(json!({})));
    assert!(told.contains(&"leave_last_day: 141 jours".to_owned()), "{told:?}");
}

#[test]
fn every_rule_of_the_fee_note_finds_its_case() {
    let mh = pack("mh");
    let line = |columns: Value| {
        let mut row = json!({"code": "C1"});
        row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
        json!({"lines": [{"code": "C1"}, row]})
    };
    let covered = cases(
        mh,
        &[
            ("three-lines", json!({}), &[]),
            (
                "minimal",
                json!({"matricule": null}),
                &[("matricule", "E patient-unidentified"), ("last_name", "W patient-name-missing")],
            ),
            ("minimal", json!({"first_name": "Léa"}), &[("last_name", "W patient-name-missing")]),
            (
                "birth-date",
                json!({"birth_date": "2026-10-29"}),
                &[("birth_date", "E birth-in-future"), ("lines.0.date", "E line-before-birth")],
            ),
            (
                "birth-date",
                json!({"birth_date": "2026-10-28"}),
                &[("lines.0.date", "E line-before-birth")],
            ),
            // Who has a matricule needs no birth date.
            (
                "birth-date",
                json!({"matricule": "1988123048083"}),
                &[("birth_date", "W value-not-applicable")],
            ),
            (
                "accident",
                json!({"accident_date": "2026-10-29"}),
                &[
                    ("accident_date", "E accident-in-future"),
                    ("lines.0.date", "W line-before-accident"),
                    ("lines.1.date", "W line-before-accident"),
                    ("lines.2.date", "W line-before-accident"),
                ],
            ),
            (
                "accident",
                json!({"accident_number": null}),
                &[("accident_number", "W accident-number-missing")],
            ),
            (
                "accident",
                json!({"accident_date": null}),
                &[("accident_date", "W accident-date-missing")],
            ),
            (
                "three-lines",
                line(json!({"date": "2026-10-29"})),
                &[("lines.1.date", "E line-in-future")],
            ),
            (
                "three-lines",
                line(json!({"date": "2026-10-27"})),
                &[("lines.1.date", "E line-after-statement")],
            ),
            (
                "three-lines",
                line(json!({"date": "2024-10-27", "amount": 100})),
                &[("lines.1.date", "W line-old")],
            ),
            (
                "three-lines",
                line(json!({"date_to": "2026-10-25"})),
                &[("lines.1.date_to", "E line-period-inverted")],
            ),
            (
                "three-lines",
                line(json!({"date_to": "2026-10-29"})),
                &[("lines.1.date_to", "E line-end-in-future")],
            ),
            (
                "three-lines",
                line(json!({"time_from": "08:00", "time_to": "09:00"})),
                &[("lines.1.date_to", "E line-time-without-day")],
            ),
            (
                "three-lines",
                line(json!({"date_to": "2026-10-26", "time_to": "09:00"})),
                &[("lines.1.time_from", "W line-time-without-start")],
            ),
            (
                "three-lines",
                line(json!({"time_from": "10:00", "date_to": "2026-10-26", "time_to": "09:00"})),
                &[("lines.1.time_to", "E line-times-inverted")],
            ),
            (
                "three-lines",
                line(json!({"date": "2026-10-25", "time_from": "22:00", "date_to": "2026-10-26", "time_to": "06:00"})),
                &[],
            ),
            (
                "three-lines",
                line(json!({"amount": 0})),
                &[("lines.1.amount", "W line-amount-zero")],
            ),
            (
                "three-lines",
                line(json!({"personal_share": 5241})),
                &[("lines.1.personal_share", "E line-share-exceeds-amount")],
            ),
            ("three-lines", line(json!({"personal_share": 5240})), &[]),
            (
                "three-lines",
                line(json!({"prescription": "0b6e3c1a-58f2-4f0e-9d3b-1c7a5e2f9d40"})),
                &[("lines.1.prescriber", "E line-prescription-without-prescriber")],
            ),
            (
                "three-lines",
                line(json!({"prescriber": "90000202"})),
                &[("lines.1.prescription", "W line-prescriber-without-prescription")],
            ),
            (
                "three-lines",
                line(json!({"session_number": "1"})),
                &[("lines.1.session_type", "E line-session-without-type")],
            ),
            (
                "three-lines",
                line(json!({"session_type": "KINE"})),
                &[("lines.1.session_number", "W line-session-without-number")],
            ),
            (
                "three-lines",
                line(json!({"hospital_class": "2"})),
                &[("lines.1.hospital_class", "W line-class-without-hospital")],
            ),
            (
                "three-lines",
                line(json!({"code": "CP1", "personal_share": 100})),
                &[("lines.1.personal_share", "W line-personal-convenience-share")],
            ),
            (
                "three-lines",
                line(json!({"code": "X99", "amount": 100})),
                &[("lines.1.code", "W code-not-in-list")],
            ),
            (
                "three-lines",
                json!({"paid_date": "2026-10-29"}),
                &[("paid_date", "E paid-in-future")],
            ),
            ("three-lines", json!({"deposit_paid": 15640}), &[]),
            (
                "three-lines",
                json!({"deposit_paid": 15641}),
                &[("deposit_paid", "E deposit-exceeds-total")],
            ),
            ("three-lines", json!({"deposit_paid": 15641, "carried_over": 1}), &[]),
            (
                "three-lines",
                json!({"statement_date": "2026-10-29"}),
                &[("paid_date", "E paid-in-future"), ("statement_date", "E statement-in-future")],
            ),
            (
                "minimal",
                json!({"statement_date": "2026-09-26", "last_name": "A", "first_name": "B"}),
                &[("statement_date", "W statement-old")],
            ),
            (
                "three-lines",
                json!({"admission_number": "A1"}),
                &[("hospital_code", "W admission-without-hospital")],
            ),
            (
                "three-lines",
                json!({"provider_code": "80000101"}),
                &[("provider_code", "W provider-not-physician")],
            ),
        ],
    );
    let missed: Vec<String> = rules(mh).difference(&covered).cloned().collect();
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn the_deposit_that_exceeds_names_what_is_due() {
    let mh = pack("mh");
    let outcome = check(mh, "three-lines", json!({"deposit_paid": 15641}));
    let said = mh.describe(outcome.findings.first().unwrap(), Lang::Fr);
    assert!(said.contains("156,40"), "{said}");
}

#[test]
fn what_the_fee_note_fills_in() {
    let mh = pack("mh");
    let outcome = check(
        mh,
        "minimal",
        json!({"paid": true, "lines": [{"code": "CP2", "quantity": 2}], "carried_over": 50}),
    );
    let filled = Value::Object(outcome.filled.clone());
    assert_eq!(
        filled,
        json!({
            "lines.0.date": "2026-10-26", "lines.0.amount": 6000, "lines.0.label": "Convenance personnelle 2",
            "lines.0.executor": "90000101", "lines.0.place": "01", "paid_date": "2026-10-26",
        })
    );
    let totals: Vec<(&str, i64)> = outcome.totals.iter().map(|total| (total.name.as_str(), total.cents)).collect();
    assert_eq!(totals, [("subtotal", 6000), ("to_pay", 6050)]);
    let told: Vec<String> = outcome.facts.iter().map(|fact| format!("{} {}", fact.field, fact.code)).collect();
    assert!(told.contains(&"lines.0.code code-not-reimbursed".to_owned()), "{told:?}");
    // Last year's amount for last year's act.
    let before = check(mh, "minimal", json!({"lines": [{"code": "C1", "date": "2025-12-31"}]}));
    assert_eq!(before.filled.get("lines.0.amount"), Some(&json!(5110)));
    let told = facts(mh, "hospital", json!({"hospital_association_name": "Clinique"}));
    assert!(
        told.iter()
            .any(|fact| fact.starts_with("hospital_association_name: Imprimé, mais pas transmis")),
        "{told:?}"
    );
    assert!(
        told.contains(&"billing_code: Les honoraires vont à ce code, non au vôtre.".to_owned()),
        "{told:?}"
    );
}

#[test]
fn every_rule_of_the_immediate_payment_finds_its_case() {
    let pid = pack("pid");
    let today = json!("2026-10-28");
    let covered = cases(
        pid,
        &[
            ("consultation", json!({"statement_date": today}), &[]),
            ("consultation", json!({}), &[("statement_date", "W statement-not-today")]),
            (
                "consultation",
                json!({"statement_date": today, "last_name": null}),
                &[("last_name", "W patient-name-missing")],
            ),
            (
                "consultation",
                json!({"statement_date": today, "lines": [{"code": "C1", "date": "2026-10-29"}]}),
                &[("lines.0.date", "E line-in-future")],
            ),
            (
                "consultation",
                json!({"lines": [{"code": "C1", "date": "2026-10-27"}]}),
                &[
                    ("lines.0.date", "E line-after-statement"),
                    ("statement_date", "W statement-not-today"),
                ],
            ),
            (
                "consultation",
                json!({"statement_date": today, "lines": [{"code": "CP1"}]}),
                &[("lines.0.code", "W line-not-reimbursed")],
            ),
            (
                "consultation",
                json!({"statement_date": "2026-10-29", "lines": [{"code": "C1", "date": "2026-10-28"}]}),
                &[("statement_date", "E statement-in-future")],
            ),
            (
                "consultation",
                json!({"statement_date": today, "provider_code": "80000101"}),
                &[("provider_code", "W provider-not-physician")],
            ),
        ],
    );
    let missed: Vec<String> = rules(pid).difference(&covered).cloned().collect();
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn what_is_typed_for_an_immediate_payment_makes_a_fee_note() {
    let (pid, mh) = (pack("pid"), pack("mh"));
    assert_eq!(pid.turns_into(), Some("mh"));
    for name in pid.examples() {
        let mut carried: Map<String, Value> = pid.example(name).unwrap().clone();
        carried.insert("insured_street".to_owned(), json!("rue du Fossé"));
        let outcome = mh.check(&carried, &context(TODAY));
        assert!(outcome.checked.is_some(), "{name}: {:?}", outcome.findings);
    }
}
