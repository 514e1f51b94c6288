//! What is sent to the authority and what it answers, exchange by exchange.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod glasses;

use econnector_base::{Explain as _, Fault};
use econnector_forms::{AnswerError, Cancellation, Contested, Lang, Pack, PackError, Simulation, Workflow, check_reason};
use glasses::{CONTEXT, cancellable_files, check, extras, glasses, refusal, simulated_files, wire_context};
use serde_json::json;
use uuid::Uuid;

fn simulated_pack() -> Pack {
    Pack::load(&simulated_files()).unwrap()
}

const ROWS: [Uuid; 2] = [Uuid::from_u128(21), Uuid::from_u128(22)];

fn simulation(first: &str, remarks: &str) -> Simulation {
    let [a, b] = ROWS;
    let line = |row: Uuid, ok: &str| format!("<line><item>{row}</item><ok>{ok}</ok><fund>1.00</fund><own>0.50</own><sum>1.50</sum></line>");
    let xml = format!(
        "<simulated xmlns='urn:glasses'><doc>d</doc><ref>S-7</ref>{}{}<fund>2.00</fund><own>1.00</own><sum>3.00</sum>{remarks}</simulated>",
        line(a, first),
        line(b, "true"),
    );
    simulated_pack().read_simulation(&xml, &ROWS).unwrap()
}

const REMARKS: &str = "<remark><no>A-1</no><kind>E</kind><code>7</code><says>Ligne 2</says><item>00000000-0000-0000-0000-000000000015</item></remark>\
                       <remark><kind>W</kind><code>8</code></remark>";

#[test]
fn a_deposit_holds_rows_totals_and_the_signed_page() {
    let checked = check(&extras(json!({}))).checked.unwrap();
    let message = glasses().wire(&checked, &wire_context(&[])).unwrap();
    assert_eq!(message.model_uid, "TEST_GLASSES-V1");
    let flat: String = message.xml.lines().map(str::trim_start).collect();
    assert_eq!(
        flat,
        "<g:ordonnanceLunettes xmlns:g=\"urn:glasses\" day=\"2026-10-26\"><UUID>00000000-0000-0000-0000-000000000000</UUID>\
         <who>1988123048083</who><tinted>false</tinted><item no=\"1\">CASE 1 2026-10-26 16.50</item>\
         <item no=\"2\">CASE 3 2025-12-31 45.00</item><item no=\"3\">CHAIN 1 2026-10-26 9.90</item><toPay>61.40</toPay>\
         <document>JVBERg==</document></g:ordonnanceLunettes>"
    );
    let answer = "<ordonnanceLunettesRetour xmlns='urn:glasses'><UuidPrestataire>a</UuidPrestataire><UuidSecu>b</UuidSecu>\
                  <anomalies><type>W</type><code>1</code><motif>Voir article 3.</motif></anomalies></ordonnanceLunettesRetour>";
    let few = glasses().read_answer(answer, 2).unwrap();
    assert_eq!(few.anomalies[0].line, None);
    let answer = glasses().read_answer(answer, checked.rows()).unwrap();
    assert_eq!((answer.reference.as_deref(), answer.document.as_deref()), (Some("b"), Some("a")));
    assert_eq!(answer.anomalies[0].line, Some(2));
    assert_eq!(answer.anomalies[0].id, None);
}

#[test]
fn a_form_has_only_the_exchanges_it_names() {
    let pack = glasses();
    assert!(pack.is_deposited() && !pack.is_cancellable() && pack.allows_paper());
    assert_eq!((pack.workflow(), pack.turns_into()), (Workflow::Deposit, None));
    let checked = check(&extras(json!({}))).checked.unwrap();
    assert!(matches!(
        pack.simulation(&checked, &wire_context(&[])),
        Err(PackError::Missing { .. })
    ));
    assert_eq!(pack.read_simulation("<x/>", &[]), Err(AnswerError::NoWire));
    assert_eq!(pack.read_payment("<x/>").err(), Some(AnswerError::NoWire));
    assert_eq!(pack.read_cancellation_answer("<x/>").err(), Some(AnswerError::NoWire));
    assert_eq!(pack.read_contestation_answer("<x/>").err(), Some(AnswerError::NoWire));
    assert!(pack.contestation_codes(Lang::Fr).is_empty());

    let priced = simulated_pack();
    assert!(!priced.is_deposited() && !priced.is_cancellable());
    assert_eq!((priced.workflow(), priced.turns_into()), (Workflow::Simulate, Some("glasses")));
    assert_eq!(priced.read_answer("<x/>", 0).err(), Some(AnswerError::NoWire));
}

#[test]
fn a_cancellation_names_what_it_cancels_and_why() {
    let pack = Pack::load(&cancellable_files()).unwrap();
    assert!(pack.is_cancellable());
    let cancellation = Cancellation {
        id: Uuid::from_u128(1),
        cancelled: Uuid::from_u128(2),
        replaced_by: None,
        reason: " Faux nom <&> ",
    };
    let simple = pack.cancellation(&cancellation).unwrap();
    assert_eq!(simple.model_uid, "TEST_GLASSES-ANNUL-V1");
    assert_eq!(
        simple.xml,
        "<a><id>00000000-0000-0000-0000-000000000001</id><of>00000000-0000-0000-0000-000000000002</of><kind>1</kind>\
         <why>Faux nom &lt;&amp;&gt;</why></a>"
    );
    let replaced = Cancellation {
        replaced_by: Some(Uuid::from_u128(3)),
        ..cancellation
    };
    let replaced = pack.cancellation(&replaced).unwrap().xml;
    assert!(
        replaced.contains("<by>00000000-0000-0000-0000-000000000003</by>") && replaced.contains("<kind>2</kind>"),
        "{replaced}"
    );

    let long = "é".repeat(200);
    let reason = |reason| pack.cancellation(&Cancellation { reason, ..cancellation });
    assert!(reason(&long).is_ok());
    let longer = "é".repeat(201);
    for wrong in ["", "  \n ", longer.as_str(), "a\u{0}b", "a\nb", "a\u{202e}b"] {
        let refused = reason(wrong).err().unwrap();
        assert_eq!((refused.code(), refused.fault()), ("cancellation-reason-wrong", Fault::You));
        assert!(!refused.to_string().contains('é'));
        assert_eq!(check_reason(wrong).err().unwrap().code(), "cancellation-reason-wrong");
    }
    assert_eq!(check_reason(&format!(" {long}\n")).unwrap(), long);
    let answer = "<ordonnanceLunettesRetour xmlns='urn:glasses'><UuidPrestataire>a</UuidPrestataire><UuidSecu>b</UuidSecu></ordonnanceLunettesRetour>";
    assert_eq!(pack.read_cancellation_answer(answer).unwrap().reference.as_deref(), Some("b"));
}

#[test]
fn a_simulation_sends_rows_by_their_identifiers() {
    let pack = simulated_pack();
    let typed = extras(json!({"items": [{"code": "CASE"}, {"code": "CHAIN", "amount": 5}], "paid_before": null}));
    let checked = pack.check(&typed, &CONTEXT).checked.unwrap();
    assert_eq!(checked.rows(), 2);
    let message = pack.simulation(&checked, &wire_context(&ROWS)).unwrap();
    assert_eq!(message.model_uid, "TEST_SIM");
    assert_eq!(
        message.xml,
        "<s xmlns='urn:glasses'><id>00000000-0000-0000-0000-000000000000</id><i id='00000000-0000-0000-0000-000000000015'>CASE</i>\
         <i id='00000000-0000-0000-0000-000000000016'>CHAIN</i></s>"
    );
    let too_few = pack.simulation(&checked, &wire_context(&ROWS[..1]));
    assert!(matches!(too_few, Err(PackError::Wire { .. })));

    let simulation = simulation("true", "");
    assert!(simulation.is_payable());
    assert_eq!(simulation.document.as_deref(), Some("d"));
    let page = pack.page_data("receipt", &checked, Some(&simulation)).unwrap();
    let line = json!({"accepted": true, "statutory": 100, "personal": 50, "total": 150});
    assert_eq!(
        page.simulation,
        json!({"reference": "S-7", "lines": [line, line], "statutory": 200, "personal": 100, "total": 300})
    );
}

#[test]
fn only_what_is_payable_is_validated() {
    let pack = simulated_pack();
    let order = pack.validation(Uuid::from_u128(9), &simulation("true", "")).unwrap();
    assert_eq!(
        (order.model_uid.as_str(), order.xml.as_str()),
        ("TEST_VAL", "<v><id>00000000-0000-0000-0000-000000000009</id><ref>S-7</ref></v>")
    );
    for simulation in [simulation("false", ""), simulation("true", REMARKS)] {
        let refused = pack.validation(Uuid::nil(), &simulation).err().unwrap();
        assert_eq!((refused.code(), refused.fault()), ("pid-not-payable", Fault::You));
    }
    let paid = "<paid xmlns='urn:glasses'><doc>S-7</doc><ref>P</ref><fund>2.00</fund><debt>0.50</debt><paid>1.50</paid></paid>";
    let paid = pack.read_payment(paid).unwrap();
    let amounts = paid.amounts.unwrap();
    assert_eq!((amounts.statutory, amounts.offset, amounts.paid, paid.reason), (200, 50, 150, None));
}

#[test]
fn only_anomalies_of_the_simulation_are_contested() {
    let pack = simulated_pack();
    let simulation = simulation("false", REMARKS);
    assert_eq!(simulation.anomalies[0].line, Some(0));
    let one = |id: &str, code: &str| Contested {
        id: id.to_owned(),
        code: code.to_owned(),
    };
    let message = pack.contestation(Uuid::nil(), &simulation, &[one("A-1", "R1")]).unwrap();
    assert_eq!(
        (message.model_uid.as_str(), message.xml.as_str()),
        (
            "TEST_CON",
            "<c><id>00000000-0000-0000-0000-000000000000</id><ref>S-7</ref><a code='R1'>A-1</a></c>"
        )
    );
    for wrong in [
        vec![],
        vec![one("A-2", "R1")],
        vec![one("", "R1")],
        vec![one("A-1", "R2")],
        vec![one("A-1", "R1"), one("A-1", "R1")],
        vec![one("A-1", "R1"), one("A-9", "R1")],
    ] {
        let refused = pack.contestation(Uuid::nil(), &simulation, &wrong).err().unwrap();
        assert_eq!((refused.code(), refused.fault()), ("pid-contestation-wrong", Fault::You));
    }
    let answer = "<contested xmlns='urn:glasses'><doc>S-7</doc><ref>C</ref></contested>";
    assert_eq!(pack.read_contestation_answer(answer).unwrap().reference.as_deref(), Some("C"));
    let reasons = serde_json::to_value(pack.contestation_codes(Lang::En)).unwrap();
    assert_eq!(reasons, json!([{"value": "R1", "label": "Mistake"}]));
    let definition = serde_json::to_value(pack.definition(Lang::Lb, CONTEXT.today)).unwrap();
    assert_eq!(definition["contestation"], json!([{"value": "R1", "label": "Feeler"}]));
    assert_eq!(
        (&definition["workflow"], &definition["turns_into"]),
        (&json!("simulate"), &json!("glasses"))
    );
}

#[test]
fn a_broken_exchange_stops_the_pack() {
    let change = |mut files: econnector_forms::MemoryFiles, path: &str, from: &str, to: &str| {
        let content = String::from_utf8(files.0[path].clone()).unwrap();
        assert!(content.contains(from), "{path} does not hold {from}");
        files.0.insert(path.to_owned(), content.replacen(from, to, 1).into_bytes());
        refusal(Pack::load(&files))
    };
    for (path, from, to, file, reason) in [
        (
            "pack.toml",
            "workflow = \"simulate\"",
            "workflow = \"deposit\"",
            "pack.toml",
            "the workflow deposit",
        ),
        ("pack.toml", "anomaly_id = \"no\"\n", "", "pack.toml", "anomaly_id"),
        (
            "pack.toml",
            "codes = \"codes/reasons.json\"\n",
            "",
            "pack.toml",
            "codes to a contestation",
        ),
        ("pack.toml", "payment = {", "totals = {", "pack.toml", ""),
        (
            "pack.toml",
            "payment = { statutory = \"fund\", offset = \"debt\", paid = \"paid\", reason = \"why\" }",
            "",
            "pack.toml",
            "payment",
        ),
        ("pack.toml", "TEST_VAL", "TEST VAL", "pack.toml", "modelUID"),
        ("simulation.xml.j2", "ids[loop.index0]", "ids[7]", "simulation.xml.j2", "undefined"),
        ("simulation.xml.j2", "{{ id }}", "{{ reference }}", "simulation.xml.j2", "undefined"),
        (
            "validation.xml.j2",
            "{{ reference }}",
            "{{ values.wearer }}",
            "validation.xml.j2",
            "undefined",
        ),
        ("contestation.xml.j2", "</ref>", "", "contestation.xml.j2", "well-formed"),
        ("codes/reasons.json", "\"lb\"", "\"xx\"", "codes/reasons.json", "xx"),
    ] {
        let (found_file, found_reason) = change(simulated_files(), path, from, to);
        assert_eq!(found_file, file, "{to}: {found_reason}");
        assert!(found_reason.contains(reason), "{to}: {found_reason}");
    }
    let (file, reason) = change(
        cancellable_files(),
        "cancellation.xml.j2",
        "{% if replaced_by is not none %}",
        "{% if true %}",
    );
    assert_eq!(
        (file.as_str(), reason.contains("undefined")),
        ("cancellation.xml.j2", true),
        "{reason}"
    );
}
