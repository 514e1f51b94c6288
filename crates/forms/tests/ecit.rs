//! The certificate of incapacity: its rules, its texts, its message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::OnceLock;

use econnector_forms::{CheckContext, Environment, Lang, MemoryFiles, Outcome, Pack, Severity, WireContext};
use include_dir::{Dir, include_dir};
use quick_xml::events::Event;
use serde_json::{Map, Value, json};
use time::Date;
use time::macros::date;
use uuid::Uuid;

static ECIT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../forms/ecit");

const TODAY: Date = date!(2026 - 10 - 26);

fn pack() -> &'static Pack {
    static PACK: OnceLock<Pack> = OnceLock::new();
    PACK.get_or_init(|| Pack::load(&MemoryFiles::from(&ECIT)).unwrap())
}

/// The illness example with some values changed; null removes one.
fn with(changes: Value) -> Map<String, Value> {
    let mut values = pack().example("illness").unwrap().clone();
    for (id, value) in changes.as_object().unwrap() {
        values.insert(id.clone(), value.clone());
    }
    values
}

fn check_in(environment: Environment, changes: Value) -> Outcome {
    let context = CheckContext { today: TODAY, environment };
    pack().check(&with(changes), &context)
}

fn codes(changes: Value) -> Vec<(Severity, String, String)> {
    let outcome = check_in(Environment::Production, changes);
    let errors = outcome.findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(outcome.checked.is_none(), errors);
    outcome.findings.into_iter().map(|f| (f.severity, f.field, f.code)).collect()
}

fn error(field: &str, code: &str) -> Vec<(Severity, String, String)> {
    vec![(Severity::Error, field.to_owned(), code.to_owned())]
}

fn warning(field: &str, code: &str) -> Vec<(Severity, String, String)> {
    vec![(Severity::Warning, field.to_owned(), code.to_owned())]
}

#[test]
fn the_plain_case_has_nothing_to_say() {
    assert_eq!(codes(json!({})), []);
}

#[test]
fn what_must_be_there_is_asked_for() {
    let errors = |found: Vec<(Severity, String, String)>| found.into_iter().filter(|f| f.0 == Severity::Error).collect::<Vec<_>>();
    // Without a cause nobody knows which of the other fields apply.
    assert_eq!(errors(codes(json!({"cause": null}))), error("cause", "value-required"));
    for field in [
        "matricule",
        "first_day",
        "last_day",
        "diagnosis",
        "finding_date",
        "provider_code",
        "physician_name",
        "physician_ehealth_id",
    ] {
        for empty in [Value::Null, json!(""), json!("   ")] {
            assert_eq!(codes(json!({ field: empty })), error(field, "value-required"), "{field}");
        }
    }
    let context = CheckContext {
        today: TODAY,
        environment: Environment::Production,
    };
    let nothing = pack().check(&Map::new(), &context);
    assert_eq!(nothing.findings.iter().filter(|f| f.code == "value-required").count(), 7);
}

#[test]
fn each_rule_finds_its_case() {
    assert_eq!(codes(json!({"last_day": "2026-10-25"})), error("last_day", "period-inverted"));
    assert_eq!(
        codes(json!({"finding_date": "2026-10-27", "first_day": "2026-10-27"})),
        error("finding_date", "finding-in-future")
    );
    assert_eq!(
        codes(json!({"cause": "other_accident", "accident_date": "2026-10-27", "first_day": "2026-10-27"})),
        error("accident_date", "accident-in-future")
    );
    assert_eq!(codes(json!({"first_name": null})), warning("last_name", "patient-name-missing"));
    assert_eq!(
        codes(json!({"matricule": "2024022912336"})),
        warning("matricule", "patient-is-child")
    );
    assert_eq!(
        codes(json!({"first_day": "2026-11-10", "last_day": "2026-11-12"})),
        warning("first_day", "period-starts-far-ahead")
    );
    assert_eq!(codes(json!({"first_day": "2026-10-24"})), warning("first_day", "period-backdated"));
    assert_eq!(codes(json!({"first_day": "2026-10-23"})), warning("finding_date", "finding-late"));
    assert_eq!(codes(json!({"last_day": "2027-04-26"})), []);
    assert_eq!(codes(json!({"last_day": "2027-04-27"})), warning("last_day", "period-long"));
    assert_eq!(
        codes(json!({"prolongation": true, "previous_last_day": "2026-10-23"})),
        warning("previous_last_day", "prolongation-not-adjoining")
    );
    assert_eq!(
        codes(json!({"cause": "work_accident"})),
        warning("accident_date", "accident-date-missing")
    );
    assert_eq!(
        codes(json!({"cause": "work_accident", "accident_date": "2026-10-26", "first_day": "2026-10-25"})),
        [
            warning("first_day", "period-backdated"),
            warning("accident_date", "accident-after-first-day")
        ]
        .concat()
    );
    assert_eq!(
        codes(json!({"finding_date": "2026-10-23", "last_day": "2026-10-30"})),
        warning("finding_date", "finding-before-today")
    );
    assert_eq!(
        codes(json!({"first_day": "2026-10-25", "last_day": "2026-10-25"})),
        [warning("first_day", "period-backdated"), warning("last_day", "period-over")].concat()
    );
    let long = |from: &str| json!({"last_day": "2026-11-08", "outings": true, "outings_from": from});
    assert_eq!(codes(long("2026-10-30")), warning("outings_from", "outings-early"));
    assert_eq!(codes(long("2026-10-31")), []);
    assert_eq!(codes(long("2026-11-09")), warning("outings_from", "outings-after-period"));
    assert_eq!(codes(json!({"outings": true})), warning("outings", "outings-short-period"));
    assert_eq!(
        codes(json!({"provider_code": "12345678"})),
        warning("provider_code", "provider-not-physician")
    );
    assert_eq!(codes(json!({"diagnosis": "Z99"})), warning("diagnosis", "code-not-in-list"));
    assert_eq!(
        codes(json!({"accident_number": "U123456789"})),
        warning("accident_number", "value-not-applicable")
    );
}

#[test]
fn each_rule_can_be_read_in_four_languages() {
    let cases = [
        json!({"last_day": "2026-10-25"}),
        json!({"first_day": "2026-10-23"}),
        json!({"last_day": "2026-11-08", "outings": true, "outings_from": "2026-10-27"}),
        json!({"matricule": "2024022912336"}),
    ];
    for case in cases {
        for finding in check_in(Environment::Production, case).findings {
            let said: Vec<String> = Lang::ALL.into_iter().map(|lang| pack().describe(&finding, lang)).collect();
            for (at, words) in said.iter().enumerate() {
                assert!(words.len() > 20 && !words.contains("2026-"), "{words}");
                assert!(!said.iter().skip(at + 1).any(|other| other == words), "{words}");
            }
        }
    }
    let late = &check_in(Environment::Production, json!({"first_day": "2026-10-23"})).findings[0];
    assert_eq!(
        pack().describe(late, Lang::Fr),
        "La constatation est postérieure au 3ᵉ jour d’incapacité (25.10.2026). La caisse peut refuser les jours qui précèdent."
    );
}

#[test]
fn a_wrong_check_digit_stops_in_production_and_warns_elsewhere() {
    for (matricule, code, words) in [
        (
            "1988123048084",
            "matricule-check-digit-13",
            "le 13ᵉ chiffre (second chiffre de contrôle) devrait être 3",
        ),
        (
            "1988123048093",
            "matricule-check-digit-12",
            "le 12ᵉ chiffre (premier chiffre de contrôle) devrait être 8",
        ),
        (
            "1988123048183",
            "matricule-check-digits",
            "l’un des onze premiers chiffres est sans doute faux",
        ),
    ] {
        let stopped = check_in(Environment::Production, json!({ "matricule": matricule }));
        assert_eq!(
            (stopped.findings[0].severity, stopped.findings[0].code.as_str()),
            (Severity::Error, code)
        );
        assert!(stopped.checked.is_none());
        assert!(pack().describe(&stopped.findings[0], Lang::Fr).contains(words));
        for environment in [Environment::Training, Environment::Integration] {
            let warned = check_in(environment, json!({ "matricule": matricule }));
            assert_eq!(
                (warned.findings[0].severity, warned.findings[0].code.as_str()),
                (Severity::Warning, code)
            );
            assert!(warned.checked.is_some());
        }
    }
    for environment in [Environment::Training, Environment::Production] {
        let impossible = check_in(environment, json!({"matricule": "2010022900172"}));
        assert_eq!(impossible.findings[0].code, "matricule-impossible-date");
        assert!(impossible.checked.is_none());
    }
    assert_eq!(codes(json!({"matricule": "2027010100000"}))[0].2, "matricule-check-digits");
}

#[test]
fn hostile_values_are_findings() {
    for (value, code) in [
        (json!("a\nb"), "value-invisible-character"),
        (json!("a\u{202e}b"), "value-invisible-character"),
        (json!("a\u{0}b"), "value-invisible-character"),
        (json!("x".repeat(151)), "value-too-long"),
        (json!("x".repeat(5_000_000)), "value-too-long"),
        (json!(["a"]), "value-not-text"),
        (json!({"a": 1}), "value-not-text"),
        (json!(1), "value-not-text"),
        (json!(true), "value-not-text"),
    ] {
        assert_eq!(codes(json!({ "last_name": value })).first().map(|f| f.2.as_str()), Some(code));
    }
    for (date, code) in [
        ("2026-02-30", "date-impossible"),
        ("2026-13-01", "date-impossible"),
        ("0001-01-01", "date-impossible"),
        ("9999-12-31", "date-impossible"),
        ("2026-1-1", "date-unreadable"),
        ("demain", "date-unreadable"),
        ("2026-10-26T00:00", "date-unreadable"),
        ("+026-11-23", "date-unreadable"),
    ] {
        assert_eq!(codes(json!({ "last_day": date })), error("last_day", code), "{date}");
    }
    let mut many = Map::new();
    for n in 0..10_000 {
        many.insert(format!("f{n}"), json!(1));
    }
    assert_eq!(codes(Value::Object(many)).len(), 20);
}

#[test]
fn nothing_typed_appears_in_debug_output() {
    let outcome = check_in(
        Environment::Production,
        json!({"matricule": "1988123048084", "last_name": "Unverwechselbar\u{7}"}),
    );
    let shown = format!("{:?} {:?}", outcome.findings, outcome.facts);
    assert!(shown.contains("matricule-check-digit-13"));
    assert!(!shown.contains("Unverwechselbar") && !shown.contains("1988"), "{shown}");
}

#[test]
fn facts_tell_what_was_read() {
    let outcome = check_in(Environment::Production, json!({"outings": true, "last_day": "2026-11-08"}));
    let facts: Vec<(String, String)> = outcome
        .facts
        .iter()
        .map(|f| (f.field.clone(), pack().describe_fact(f, Lang::Fr)))
        .collect();
    let fact = |field: &str, words: &str| (field.to_owned(), words.to_owned());
    assert_eq!(
        facts,
        [
            fact("matricule", "né(e) le 30.12.1988 · 37 ans"),
            fact("diagnosis", "Infection aiguë des voies respiratoires supérieures"),
            fact("last_day", "14 jours"),
            fact("outings", "à partir du 31.10.2026 (6ᵉ jour)"),
        ]
    );
}

#[test]
fn the_message_has_the_elements_in_order() {
    let day = pack().example_day("work-accident").unwrap();
    let context = CheckContext {
        today: day,
        environment: Environment::Production,
    };
    let mut values = pack().example("work-accident").unwrap().clone();
    values.insert("last_name".to_owned(), json!("O'Neil <&\"> Žižka"));
    let checked = pack().check(&values, &context).checked.unwrap();
    assert_eq!(checked.provider_code(), Some("90000101"));
    assert_eq!(checked.ehealth_id(), Some("1900000001"));
    let id = Uuid::from_u128(7);
    let message = pack()
        .wire(
            &checked,
            &WireContext {
                id,
                issued: day,
                document: b"%PDF-signed",
                ids: &[],
            },
        )
        .unwrap();
    assert_eq!(message.model_uid, "2026_ECIT_DEPOT-V1");

    let mut reader = quick_xml::Reader::from_str(&message.xml);
    let (mut elements, mut texts) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => {
                elements.push(start.name().as_ref().to_owned());
                texts.push(String::new());
            }
            Event::Text(text) => texts.last_mut().unwrap().push_str(text.xml10_content().trim_matches('\n')),
            Event::GeneralRef(name) => texts.last_mut().unwrap().push_str(&format!("&{};", &*name.into_inner())),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(
        elements,
        [
            "cns:certificatIncapaciteTravail",
            "entete",
            "UUID",
            "dateEtablissement",
            "medecin",
            "codePrestataire",
            "nom",
            "identifiantESante",
            "patient",
            "matricule",
            "nom",
            "prenom",
            "incapacite",
            "type",
            "dateDebut",
            "dateFin",
            "dateConstatation",
            "codeDiagnostic",
            "prolongation",
            "sorties",
            "accident",
            "numeroAccident",
            "dateAccident",
            "document",
        ]
    );
    let text = |element: &str, nth: usize| {
        let at = elements.iter().enumerate().filter(|(_, e)| *e == element).nth(nth).unwrap().0;
        texts[at].trim().to_owned()
    };
    assert_eq!(text("UUID", 0), id.to_string());
    assert_eq!(text("type", 0), "ACCIDENT_TRAVAIL");
    assert_eq!(text("prolongation", 0), "false");
    assert_eq!(text("sorties", 0), "true");
    assert_eq!(text("nom", 1), "O&apos;Neil &lt;&amp;&quot;&gt; Žižka");
    assert_eq!(text("document", 0), "JVBERi1zaWduZWQ=");
}

#[test]
fn empty_values_are_left_out_of_the_message() {
    let values = pack().example("minimal").unwrap();
    let context = CheckContext {
        today: TODAY,
        environment: Environment::Production,
    };
    let checked = pack().check(values, &context).checked.unwrap();
    let xml = pack()
        .wire(
            &checked,
            &WireContext {
                id: Uuid::nil(),
                issued: TODAY,
                document: b"x",
                ids: &[],
            },
        )
        .unwrap()
        .xml;
    for absent in ["none", "null", "<accident>", "<nom></nom>", "<prenom>"] {
        assert!(!xml.contains(absent), "{absent}: {xml}");
    }
    assert_eq!(xml.matches("<nom>").count(), 1);
}

#[test]
fn the_employer_page_is_made_of_values_without_diagnosis() {
    for name in pack().examples() {
        let context = CheckContext {
            today: pack().example_day(name).unwrap(),
            environment: Environment::Production,
        };
        let mut values = pack().example(name).unwrap().clone();
        values.insert("diagnosis".to_owned(), json!("QX7DIAG"));
        let checked = pack().check(&values, &context).checked.unwrap();
        let seen = serde_json::to_string(&pack().page_data("employeur", &checked, None).unwrap()).unwrap();
        for hidden in ["QX7DIAG", "diagnosis", "occupational", "illness", "other_accident", "U2026"] {
            assert!(!seen.contains(hidden), "{name}: {hidden}");
        }
        let draft = pack().draft(&values);
        let seen = serde_json::to_string(&pack().draft_page_data("employeur", &draft).unwrap()).unwrap();
        assert!(!seen.contains("QX7DIAG") && !seen.contains("diagnosis"));
    }
}

#[test]
fn answers_are_read() {
    let xml = "<cns:certificatIncapaciteTravailRetour xmlns:cns=\"http://www.secu.lu/ciss/cns\">\
        <cns:UuidPrestataire>11111111-1111-4111-8111-111111111111</cns:UuidPrestataire>\
        <cns:UuidSecu>22222222-2222-4222-8222-222222222222</cns:UuidSecu>\
        <cns:anomalies><cns:type>W</cns:type><cns:code>CIT-031</cns:code><cns:motif>Chevauchement</cns:motif></cns:anomalies>\
        </cns:certificatIncapaciteTravailRetour>";
    let answer = pack().read_answer(xml, 0).unwrap();
    assert_eq!(answer.reference.as_deref(), Some("22222222-2222-4222-8222-222222222222"));
    assert_eq!(answer.document.as_deref(), Some("11111111-1111-4111-8111-111111111111"));
    assert_eq!(answer.anomalies[0].message, "Chevauchement");
    assert!(!answer.is_refused());
}
