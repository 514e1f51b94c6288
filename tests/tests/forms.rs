//! Every form and every example of it through the HTTP API, judged by somebody else's program: issued, cancelled, replaced, printed for
//! a handwritten signature; simulated, paid, contested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use econnector_tests::{
    Answer, Stage, Trust, as_written, cut_out, data_matrix, elements, examples, judge_fails, judge_signed_pdf, judge_tampered,
    judge_totals, page_text, project_file, schema_of, unpack, venv_program,
};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Kind, model of the deposit, model of the cancellation.
const DEPOSITED: [(&str, &str, &str); 2] = [
    ("ecit", "2026_ECIT_DEPOT-V1", "2026_ECIT_ANNUL-V1"),
    ("mh", "2022_CNS_MEMHON_DEPOT-V1", "2022_CNS_MEMHON_ANNUL-V1"),
];
const REASON: &str = "Code d'acte erroné";

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_deposited_and_cancelled_once() {
    let stage = logged_in().await;
    let trust = trust(&stage).await;
    for (kind, deposit, cancellation) in DEPOSITED {
        for (name, values) in examples(kind) {
            let folder = tempfile::tempdir().unwrap();
            let id = Uuid::new_v4();
            let issued = stage.issue_form(id, kind, values.clone()).await;
            assert_eq!(issued.status, StatusCode::CREATED, "{kind} {name}: {}", issued.json());

            let exchange = exchange_about(&stage, deposit, id).await;
            let document = cut_out(&exchange, folder.path());
            let pdf = unpack(&exchange["document_pdf"], folder.path().join("deposited.pdf"));
            judge_signed_pdf(&trust, &pdf);
            judge_content(kind, &values, &document, &pdf);

            let cancelled = stage.post(&cancellation_of(id), &json!({ "reason": REASON })).await;
            assert_eq!(cancelled.status, StatusCode::OK, "{kind} {name}: {}", cancelled.json());
            assert_eq!(cancelled.json()["state"], "cancelled");
            let document = cut_out(&exchange_about(&stage, cancellation, id).await, folder.path());
            assert_eq!(elements(&document, "UUIDDocumentAnnule"), [id.to_string()]);
            assert_eq!(elements(&document, "TypeAnnulation"), ["1"]);
            assert_eq!(elements(&document, "Motif"), [REASON]);
            assert!(elements(&document, "UUIDDocumentRemplacant").is_empty());

            let sent = stage.deposits().await;
            let again = stage.post(&cancellation_of(id), &json!({ "reason": REASON })).await;
            assert_eq!((again.status, again.json()["state"].as_str()), (StatusCode::OK, Some("cancelled")));
            assert_eq!(stage.deposits().await, sent, "cancelled once");
            assert!(
                !stage.get("/v1/journal").await.to_string().contains(REASON),
                "the reason is not kept"
            );
        }
    }
}

/// What the XML and the page must say of an example, added up and looked for anew.
fn judge_content(kind: &str, values: &Map<String, Value>, document: &Path, pdf: &Path) {
    let text = page_text(pdf);
    let holder = values.get("matricule").and_then(Value::as_str);
    if kind == "ecit" {
        let types: BTreeMap<&str, &str> = [("crf", "DMCRF"), ("maternity", "DMMAT")].into();
        let prefix = types.get(values["cause"].as_str().unwrap()).unwrap_or(&"DMCIT");
        assert_eq!(
            data_matrix(pdf),
            format!("{prefix};{}", holder.unwrap()),
            "the insured person's matricule"
        );
    } else {
        let lines = values["lines"].as_array().unwrap();
        let typed: Vec<String> = lines
            .iter()
            .zip(1..)
            .filter_map(|(line, number)| Some(format!("{number}={}", decimal(line.get("amount")?.as_i64()?))))
            .collect();
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let (subtotal, to_pay) = judge_totals(document, &typed);
        // On the page thousands are apart.
        let figures: String = text.split_whitespace().collect();
        for amount in [subtotal, to_pay] {
            assert!(figures.contains(&amount.replace('.', ",")), "{amount} on the page: {text}");
        }
        // A long payment text has a page of its own.
        let (pages, full) = (text.matches('\u{c}').count(), lines.len().div_ceil(10));
        assert!(
            pages == full || pages == full + 1 && values["text_transfer"].is_string(),
            "ten lines a page: {text}"
        );
        assert_eq!(elements(document, "prestation").len(), lines.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judges_say_no_to_what_is_wrong() {
    let stage = logged_in().await;
    let id = Uuid::new_v4();
    assert_eq!(stage.issue_form(id, "mh", first_example("mh")).await.status, StatusCode::CREATED);
    let folder = tempfile::tempdir().unwrap();
    let document = cut_out(&stage.control().exchange("2022_CNS_MEMHON_DEPOT-V1").await, folder.path());
    let sent = std::fs::read_to_string(&document).unwrap();
    let amount = elements(&document, "montantBrut").remove(0);
    let wrong = folder.path().join("wrong.xml");
    let schema = schema_of("2022_CNS_MEMHON_DEPOT-V1");
    for (what, changed) in [
        (
            "order",
            sent.replacen(
                "<facturier>",
                "<patient><matricule>1988123048083</matricule></patient><facturier>",
                1,
            ),
        ),
        ("length", sent.replacen("<codePrestataire>", "<codePrestataire>9", 1)),
        (
            "qualification",
            sent.replacen("<entete>", "<entete xmlns=\"http://www.secu.lu/ciss/cns\">", 1),
        ),
        ("decimals", sent.replacen(&amount, &format!("{amount}0"), 1)),
    ] {
        assert_ne!(changed, sent, "{what}");
        std::fs::write(&wrong, changed).unwrap();
        let said = judge_fails("xmllint", &as_written(&schema, &wrong));
        assert!(said.contains("fails to validate"), "{what}: {said}");
    }
    std::fs::write(&wrong, sent.replacen(&amount, "0.01", 1)).unwrap();
    let script = project_file("tests/peers/judge_totals.py");
    let tariff = project_file("forms/mh/codes/tariff.json");
    let said = judge_fails(
        venv_program("python"),
        &[script, wrong, tariff]
            .map(|path| path.to_str().unwrap().to_owned())
            .each_ref()
            .map(String::as_str),
    );
    assert!(said.contains("line 1: 0.01 instead of"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_cancels_and_names_its_predecessor() {
    let stage = logged_in().await;
    for (kind, deposit, cancellation) in DEPOSITED {
        let values = first_example(kind);
        let (wrong, right) = (Uuid::new_v4(), Uuid::new_v4());
        assert_eq!(stage.issue_form(wrong, kind, values.clone()).await.status, StatusCode::CREATED);
        let replacing = replacement(right, kind, &values, wrong);
        let replaced = stage.post("/v1/documents", &replacing).await;
        assert_eq!(replaced.status, StatusCode::CREATED, "{kind}: {}", replaced.json());
        assert_eq!(replaced.json()["state"], "deposited");

        let folder = tempfile::tempdir().unwrap();
        let document = cut_out(&exchange_about(&stage, cancellation, wrong).await, folder.path());
        assert_eq!(elements(&document, "TypeAnnulation"), ["2"]);
        assert_eq!(elements(&document, "UUIDDocumentRemplacant"), [right.to_string()]);
        assert_eq!(elements(&document, "Motif"), [REASON]);
        let sent: Vec<String> = stage
            .control()
            .exchanges()
            .await
            .iter()
            .filter(|exchange| exchange["envelope"].as_str().unwrap().contains(&right.to_string()))
            .map(|exchange| exchange["model_uid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(sent, [cancellation, deposit], "first cancelled, then deposited");

        let (old, new) = (entry(&stage, wrong).await, entry(&stage, right).await);
        assert_eq!((old["state"].as_str(), &old["replaced_by"]), (Some("cancelled"), &json!(right)));
        assert_eq!((new["state"].as_str(), &new["replaces"]), (Some("deposited"), &json!(wrong)));
        assert!(old["cancelled_at"].is_string() && old["cancellable"] == false && new["cancellable"] == true);

        // Asked again, it is not done again.
        let sent = stage.deposits().await;
        let again = stage.post("/v1/documents", &replacing).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.json());
        assert_eq!(stage.deposits().await, sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_cancelled_or_replaced_is_said_and_nothing_is_sent() {
    let stage = logged_in().await;
    let (certificate, note) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(
        stage.issue_form(certificate, "ecit", first_example("ecit")).await.status,
        StatusCode::CREATED
    );
    assert_eq!(stage.issue_form(note, "mh", first_example("mh")).await.status, StatusCode::CREATED);
    let sent = stage.deposits().await;
    for reason in ["", "   ", &"x".repeat(201)] {
        let refused = stage.post(&cancellation_of(note), &json!({ "reason": reason })).await;
        assert!(refused.status.is_client_error(), "{}", refused.json());
    }
    let unknown = stage.post(&cancellation_of(Uuid::new_v4()), &json!({ "reason": REASON })).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.json());
    let crossed = stage
        .post(
            "/v1/documents",
            &replacement(Uuid::new_v4(), "mh", &first_example("mh"), certificate),
        )
        .await;
    assert!(crossed.status.is_client_error(), "another kind: {}", crossed.json());
    let nothing = stage
        .post(
            "/v1/documents",
            &replacement(Uuid::new_v4(), "mh", &first_example("mh"), Uuid::new_v4()),
        )
        .await;
    assert!(nothing.status.is_client_error(), "replaces nothing: {}", nothing.json());
    let bearer = format!("Bearer {}", stage.exchanged_token("1900000002").await);
    let foreign = stage
        .call(
            Method::POST,
            &cancellation_of(note),
            &[("authorization", &bearer)],
            Some(&json!({ "reason": REASON })),
        )
        .await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND, "another physician's: {}", foreign.json());
    assert_eq!(stage.deposits().await, sent);
    assert_eq!(entry(&stage, note).await["state"], "deposited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_cancellation_is_said_and_asking_again_is_safe() {
    let stage = logged_in().await;
    for (kind, _, cancellation) in DEPOSITED {
        for fault in [
            json!({ "service": "mysecu", "kind": "drop", "after": true, "path": "syncexchange" }),
            json!({ "service": "mysecu", "kind": "tampered", "path": "syncexchange" }),
        ] {
            let id = Uuid::new_v4();
            assert_eq!(stage.issue_form(id, kind, first_example(kind)).await.status, StatusCode::CREATED);
            stage.fault(fault.clone()).await;
            let lost = stage.post(&cancellation_of(id), &json!({ "reason": REASON })).await;
            assert!(lost.status.is_server_error(), "{fault}: {}", lost.json());
            let open = entry(&stage, id).await;
            assert_eq!(open["state"], "cancelling", "{fault}: {open}");
            assert!(open["problem_code"].is_string(), "{open}");
            stage.no_faults().await;
            let done = stage.post(&cancellation_of(id), &json!({ "reason": REASON })).await;
            assert_eq!(
                (done.status, done.json()["state"].as_str()),
                (StatusCode::OK, Some("cancelled")),
                "{fault}: {}",
                done.json()
            );
            let accepted = stage
                .control()
                .exchanges()
                .await
                .iter()
                .filter(|exchange| {
                    exchange["model_uid"] == cancellation && exchange["envelope"].as_str().unwrap().contains(&id.to_string())
                })
                .filter(|exchange| exchange["outcome"] == "accepted")
                .count();
            assert_eq!(accepted, 1, "{fault}: the authority cancelled once");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_whose_predecessor_cannot_be_cancelled_is_not_deposited() {
    let stage = logged_in().await;
    let values = first_example("mh");
    let (wrong, right) = (Uuid::new_v4(), Uuid::new_v4());
    assert_eq!(stage.issue_form(wrong, "mh", values.clone()).await.status, StatusCode::CREATED);
    stage
        .fault(json!({ "service": "mysecu", "kind": "refuse", "path": "syncexchange", "count": 1 }))
        .await;
    let refused = stage.post("/v1/documents", &replacement(right, "mh", &values, wrong)).await;
    assert!(!refused.status.is_success(), "{}", refused.json());
    let deposits = |exchanges: Vec<Value>| {
        exchanges
            .iter()
            .filter(|exchange| exchange["model_uid"] == "2022_CNS_MEMHON_DEPOT-V1")
            .count()
    };
    assert_eq!(deposits(stage.control().exchanges().await), 1, "the new one was not deposited");
    let again = stage.post("/v1/documents", &replacement(right, "mh", &values, wrong)).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.json());
    assert_eq!(entry(&stage, wrong).await["state"], "cancelled");
    assert_eq!(deposits(stage.control().exchanges().await), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anomaly_of_a_fee_note_points_to_its_line() {
    let stage = logged_in().await;
    let mut values = first_example("mh");
    let line = |code: &str| json!({ "code": code, "amount": 1234 });
    values.insert("lines".into(), json!([line("C1"), line("QQ7"), line("N1")]));
    let issued = stage.issue_form(Uuid::new_v4(), "mh", values.clone()).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    let anomaly = &issued.json()["receipt"]["anomalies"][0];
    assert_eq!(
        (anomaly["severity"].as_str(), anomaly["line"].as_u64()),
        (Some("warning"), Some(1)),
        "{anomaly}"
    );

    values.insert("lines".into(), json!([line("C1"), line("C2"), line("ZZ9")]));
    let id = Uuid::new_v4();
    let refused = stage.issue_form(id, "mh", values.clone()).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.json());
    let problem = refused.json();
    assert_eq!(problem["fault"], "authority");
    assert!(problem["authority"]["message"].as_str().unwrap().contains("Ligne 3"), "{problem}");
    values.insert("lines".into(), json!([line("C1"), line("C2"), line("C3")]));
    let mended = stage.issue_form(id, "mh", values).await;
    assert_eq!(mended.status, StatusCode::CREATED, "{}", mended.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn totals_are_exact_whatever_the_lines() {
    let stage = Stage::desktop().await;
    let mut values = first_example("mh");
    // Numbers without order, the same in every run.
    let mut seed = 20_261_122_u64;
    let mut any = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((seed >> 33) % below).unwrap()
    };
    for _ in 0..100 {
        let amounts: Vec<i64> = (0..=any(30)).map(|_| any(1_000_000)).collect();
        let lines: Vec<Value> = amounts
            .iter()
            .map(|cents| json!({ "code": "C1", "quantity": 1, "amount": cents }))
            .collect();
        let (subtotal, carried) = (amounts.iter().sum::<i64>(), any(100_000));
        let deposit = any(2_000_000);
        values.insert("lines".into(), json!(lines));
        values.insert("carried_over".into(), json!(carried));
        values.insert("deposit_paid".into(), json!(deposit));
        let checked = stage.post("/v1/forms/mh/check", &json!({ "values": values })).await.json();
        let total = |name: &str| {
            let totals = checked["totals"].as_array().unwrap();
            totals
                .iter()
                .find(|total| total["name"] == name)
                .map(|total| total["cents"].as_i64().unwrap())
        };
        let due = subtotal + carried - deposit;
        assert_eq!(total("subtotal"), Some(subtotal), "{checked}");
        assert_eq!(total("to_pay"), Some(due), "{checked}");
        let errors = checked["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .count();
        assert_eq!(errors > 0, due < 0, "nobody pays less than nothing: {checked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pid_is_simulated_without_amounts_and_paid_or_contested() {
    let stage = logged_in().await;
    let trust = trust(&stage).await;
    let mut outcomes = BTreeMap::from([(true, 0), (false, 0)]);
    for (name, values) in examples("pid") {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::new_v4();
        let simulation = simulate(&stage, id, &values).await;
        assert_eq!(simulation["state"], "simulated", "{name}: {simulation}");
        shares_add_up(&values, &simulation);
        let request = cut_out(&exchange_about(&stage, "2023-CNS-PID-SIM-V1", id).await, folder.path());
        assert_eq!(elements(&request, "LigneUTA").len(), values["lines"].as_array().unwrap().len());
        let sent = std::fs::read_to_string(&request).unwrap();
        assert!(!sent.contains("ontant"), "{name}: no amount is sent: {sent}");

        let payable = simulation["payable"].as_bool().unwrap();
        *outcomes.get_mut(&payable).unwrap() += 1;
        let reference = simulation["reference"].as_str().unwrap();
        if payable {
            let paid = validate(&stage, id).await;
            assert_eq!(paid.status, StatusCode::CREATED, "{name}: {}", paid.json());
            let document = paid.json();
            judge_quittance(&trust, &document, &simulation, folder.path());
            let order = cut_out(&one(&stage, "2023-CNS-PID-VAL-V1", reference).await, folder.path());
            assert_eq!(elements(&order, "identifiantReponseSimulation"), [reference]);
            let sent = stage.deposits().await;
            let again = validate(&stage, id).await;
            assert_eq!(again.status, StatusCode::OK, "{}", again.json());
            assert_eq!(again.json()["receipt"]["reference"], document["receipt"]["reference"]);
            assert_eq!(stage.deposits().await, sent, "one payment");
        } else {
            let refused = validate(&stage, id).await;
            assert_eq!(
                (refused.status, refused.json()["code"].as_str()),
                (StatusCode::UNPROCESSABLE_ENTITY, Some("pid-not-payable"))
            );
            assert_eq!(simulation["turns_into"], "mh");
            let anomaly = simulation["anomalies"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["severity"] == "error")
                .unwrap();
            assert!(
                anomaly["line"].is_u64() && !anomaly["message"].as_str().unwrap().is_empty(),
                "{anomaly}"
            );
            let contested = contest(&stage, id, anomaly["id"].as_str().unwrap()).await;
            assert_eq!(
                (contested.status, contested.json()["state"].as_str()),
                (StatusCode::OK, Some("contested")),
                "{}",
                contested.json()
            );
            let sent = cut_out(&one(&stage, "2023-CNS-PID-CON-V1", reference).await, folder.path());
            assert_eq!(elements(&sent, "identifiantAnomalie"), [anomaly["id"].as_str().unwrap()]);
            assert_eq!(entry(&stage, id).await["state"], "contested");
        }
    }
    assert!(
        outcomes.values().all(|count| *count > 0),
        "both outcomes are among the examples: {outcomes:?}"
    );
}

/// Statutory and personal share make the total, the lines make the totals, and a total is the tariff's.
fn shares_add_up(values: &Map<String, Value>, simulation: &Value) {
    let lines = simulation["lines"].as_array().unwrap();
    for part in ["statutory", "personal", "total"] {
        let sum: i64 = lines.iter().map(|line| line[part].as_i64().unwrap()).sum();
        assert_eq!(simulation["totals"][part].as_i64().unwrap(), sum, "{part}");
    }
    let tariff: Value = serde_json::from_slice(&std::fs::read(project_file("forms/pid/codes/tariff.json")).unwrap()).unwrap();
    for (line, typed) in lines.iter().zip(values["lines"].as_array().unwrap()) {
        let part = |name: &str| line[name].as_i64().unwrap();
        assert_eq!(part("statutory") + part("personal"), part("total"));
        let code = tariff["codes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|known| known["code"] == typed["code"])
            .unwrap();
        // Every example is of 2026; the last price is that year's.
        let price = code["prices"].as_array().and_then(|prices| prices.last()).unwrap()["cents"]
            .as_i64()
            .unwrap();
        let times = typed.get("quantity").and_then(Value::as_i64).unwrap_or(1);
        assert_eq!(part("total"), price * times, "{typed}");
    }
}

fn judge_quittance(trust: &Trust, document: &Value, simulation: &Value, folder: &Path) {
    assert_eq!(document["state"], "deposited");
    let payment = &document["receipt"]["payment"];
    let part = |name: &str| payment[name].as_i64().unwrap_or_else(|| panic!("{name} in {document}"));
    assert_eq!(part("statutory"), simulation["totals"]["statutory"].as_i64().unwrap());
    assert_eq!(part("statutory") - part("offset"), part("paid"));
    assert_eq!(payment["currency"], "EUR");
    assert_eq!(payment["reason"].is_string(), part("offset") > 0, "a deduction has its reason");
    let (volet, pdf) = signed_volet(document, folder);
    assert_eq!(volet, "quittance");
    judge_signed_pdf(trust, &pdf);
    let text = page_text(&pdf);
    assert!(
        text.contains("Merci de ne pas envoyer ce document à votre caisse de maladie"),
        "{text}"
    );
    for cents in [&simulation["totals"]["statutory"], &simulation["totals"]["personal"]] {
        let amount = decimal(cents.as_i64().unwrap()).replace('.', ",");
        assert!(text.contains(&amount), "{amount}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_order_is_never_given_twice() {
    let stage = logged_in().await;
    let values = payable_example();
    for fault in [
        json!({ "service": "mysecu", "kind": "drop", "after": true, "path": "syncexchange" }),
        json!({ "service": "mysecu", "kind": "unsigned", "path": "syncexchange" }),
    ] {
        let id = Uuid::new_v4();
        let _ = simulate(&stage, id, &values).await;
        stage.fault(fault.clone()).await;
        let lost = validate(&stage, id).await;
        assert!(lost.status.is_server_error(), "{fault}: {}", lost.json());
        stage.no_faults().await;
        let sent = stage.deposits().await;
        let again = validate(&stage, id).await;
        assert_eq!(
            (again.status, again.json()["state"].as_str()),
            (StatusCode::OK, Some("unknown")),
            "{fault}: {}",
            again.json()
        );
        assert_eq!(stage.deposits().await, sent, "{fault}");
        assert_eq!(entry(&stage, id).await["state"], "unknown");
        let anew = stage.post("/v1/pid/simulations", &json!({ "id": id, "values": values })).await;
        assert!(!anew.status.is_success(), "an open outcome is not simulated away: {}", anew.json());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_before_the_order_leaves_the_simulation_payable() {
    let stage = logged_in().await;
    let id = Uuid::new_v4();
    let values = payable_example();
    stage
        .fault(json!({ "service": "mysecu", "kind": "status", "status": 503, "path": "syncexchange", "count": 1 }))
        .await;
    let refused = stage.post("/v1/pid/simulations", &json!({ "id": id, "values": values })).await;
    assert!(refused.status.is_server_error(), "{}", refused.json());
    let first = simulate(&stage, id, &values).await;
    let second = simulate(&stage, id, &values).await;
    assert_ne!(first["reference"], second["reference"], "simulated anew");
    stage
        .fault(json!({ "service": "kms", "kind": "status", "status": 503, "path": "sign-data", "count": 1 }))
        .await;
    let unsigned = validate(&stage, id).await;
    assert_eq!(unsigned.json()["code"], "kms-failed", "{}", unsigned.json());
    assert!(
        stage
            .control()
            .exchanges()
            .await
            .iter()
            .all(|exchange| exchange["model_uid"] != "2023-CNS-PID-VAL-V1"),
        "no order without a signed receipt"
    );
    let paid = validate(&stage, id).await;
    assert_eq!(paid.status, StatusCode::CREATED, "{}", paid.json());
    let contested = contest(&stage, id, "anything").await;
    assert!(contested.status.is_client_error(), "paid is paid: {}", contested.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_for_a_pid_becomes_a_fee_note() {
    let stage = logged_in().await;
    let trust = trust(&stage).await;
    let mut values = examples("pid").remove("not-eligible").unwrap();
    let pid = Uuid::new_v4();
    assert_eq!(simulate(&stage, pid, &values).await["payable"], false);
    // What only the fee note asks for.
    values.extend(
        json!({ "fund": "CNS", "insured_street": "rue de l'Eau", "physician_street": "rue des Tilleuls" })
            .as_object()
            .cloned()
            .unwrap(),
    );
    let issued = stage.issue_form(Uuid::new_v4(), "mh", values.clone()).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    let folder = tempfile::tempdir().unwrap();
    let exchange = stage.control().exchange("2022_CNS_MEMHON_DEPOT-V1").await;
    let document = cut_out(&exchange, folder.path());
    assert_eq!(elements(&document, "matricule"), [values["matricule"].as_str().unwrap()]);
    let _ = judge_totals(&document, &[]);
    let pdf = unpack(&exchange["document_pdf"], folder.path().join("memoire.pdf"));
    judge_signed_pdf(&trust, &pdf);
    judge_tampered(&trust, &pdf);
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_works_when_nothing_else_does() {
    let stage = Stage::desktop().await;
    for service in ["aes", "kms", "mysecu"] {
        stage.fault(json!({ "service": service, "kind": "drop" })).await;
    }
    for kind in ["ecit", "mh"] {
        for (name, values) in examples(kind) {
            let id = Uuid::new_v4();
            let printed = stage.post("/v1/paper", &json!({ "id": id, "kind": kind, "values": values })).await;
            assert_eq!(printed.status, StatusCode::CREATED, "{kind} {name}: {}", printed.json());
            let document = printed.json();
            assert_eq!(document["state"], "paper");
            let folder = tempfile::tempdir().unwrap();
            for volet in document["volets"].as_array().unwrap() {
                assert_eq!(volet["signed"], false, "{volet}");
                let pdf = unpack(&volet["content"], folder.path().join("paper.pdf"));
                let text = page_text(&pdf);
                assert!(text.contains("DOCUMENT PAPIER – À SIGNER À LA MAIN"), "{kind} {name}: {text}");
            }
        }
    }
    let pid = json!({ "id": Uuid::new_v4(), "kind": "pid", "values": payable_example() });
    assert!(
        stage.post("/v1/paper", &pid).await.status.is_client_error(),
        "the paper of a PID is the fee note"
    );
    assert_eq!(stage.deposits().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_is_in_the_journal_and_never_stands_beside_a_deposit() {
    let stage = logged_in().await;
    let values = first_example("mh");
    let (paper, sent, open) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let print = |id: Uuid| json!({ "id": id, "kind": "mh", "values": values });
    assert_eq!(stage.post("/v1/paper", &print(paper)).await.status, StatusCode::CREATED);
    assert_eq!(entry(&stage, paper).await["state"], "paper");

    assert_eq!(stage.issue_form(sent, "mh", values.clone()).await.status, StatusCode::CREATED);
    assert_eq!(stage.post("/v1/paper", &print(sent)).await.status, StatusCode::CONFLICT);
    stage
        .fault(json!({ "service": "mysecu", "kind": "drop", "after": true, "path": "syncexchange", "count": 1 }))
        .await;
    assert!(stage.issue_form(open, "mh", values.clone()).await.status.is_server_error());
    assert_eq!(stage.post("/v1/paper", &print(open)).await.status, StatusCode::CONFLICT);
    let wrong = json!({ "id": Uuid::new_v4(), "kind": "mh", "values": {} });
    assert_eq!(stage.post("/v1/paper", &wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_kept_for_one_physician_and_comes_back_filled() {
    let stage = Stage::desktop().await;
    let nobody = stage.call(Method::GET, "/v1/profile", &[], None).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    stage.log_in("dr.weber").await;
    let mut profile = stage.get("/v1/profile").await;
    assert_eq!(profile["last_name"], "Weber", "{profile}");
    assert_eq!(profile["billing_codes"][0]["code"], "90000101", "{profile}");
    profile["street"] = json!("rue des Tilleuls");
    profile["billing_codes"] = json!([{ "code": "90000101", "label": "Cabinet" }, { "code": "80000042", "label": "Association" }]);
    profile["favourites"] = json!({ "diagnosis": ["12"], "tariff": ["C1", "N1"] });
    let kept = stage.call(Method::PUT, "/v1/profile", &[], Some(&profile)).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.json());
    assert_eq!(stage.get("/v1/profile").await, profile);

    let mut wrong = profile.clone();
    wrong["billing_codes"] = json!([{ "code": "12", "label": "x" }]);
    let refused = stage.call(Method::PUT, "/v1/profile", &[], Some(&wrong)).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("profile-wrong")),
        "{}",
        refused.json()
    );
    assert!(refused.json()["findings"].as_array().is_some_and(|findings| !findings.is_empty()));
    assert_eq!(stage.get("/v1/profile").await, profile, "what was wrong changed nothing");
    assert_eq!(
        stage.call(Method::DELETE, "/v1/session", &[], None).await.status,
        StatusCode::NO_CONTENT
    );
    stage.log_in("dr.muller").await;
    assert_eq!(stage.get("/v1/profile").await["last_name"], "Muller");
    assert_ne!(stage.get("/v1/profile").await["street"], "rue des Tilleuls");
}

async fn logged_in() -> Stage {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    stage
}

async fn trust(stage: &Stage) -> Trust {
    Trust::of(&stage.control().get("/ready").await)
}

fn first_example(kind: &str) -> Map<String, Value> {
    let mut all = examples(kind);
    all.remove(if kind == "ecit" { "illness" } else { "three-lines" }).unwrap()
}

fn payable_example() -> Map<String, Value> {
    examples("pid").remove("consultation").unwrap()
}

fn replacement(id: Uuid, kind: &str, values: &Map<String, Value>, replaces: Uuid) -> Value {
    json!({ "id": id, "kind": kind, "values": values, "replaces": replaces, "reason": REASON })
}

fn cancellation_of(id: Uuid) -> String {
    format!("/v1/documents/{id}/cancellation")
}

async fn simulate(stage: &Stage, id: Uuid, values: &Map<String, Value>) -> Value {
    let simulated = stage.post("/v1/pid/simulations", &json!({ "id": id, "values": values })).await;
    assert_eq!(simulated.status, StatusCode::CREATED, "{}", simulated.json());
    simulated.json()
}

async fn validate(stage: &Stage, id: Uuid) -> Answer {
    stage.post(&format!("/v1/pid/simulations/{id}/validation"), &json!({})).await
}

/// Contests with the first code there is.
async fn contest(stage: &Stage, id: Uuid, anomaly: &str) -> Answer {
    let form = stage.get("/v1/forms/pid").await;
    let code = form["contestation"][0]["value"]
        .as_str()
        .unwrap_or_else(|| panic!("{form}"))
        .to_owned();
    let body = json!({ "anomalies": [{ "id": anomaly, "code": code }] });
    stage.post(&format!("/v1/pid/simulations/{id}/contestation"), &body).await
}

async fn entry(stage: &Stage, id: Uuid) -> Value {
    let journal = stage.get("/v1/journal").await;
    let entries = journal["entries"].as_array().unwrap();
    entries
        .iter()
        .find(|entry| entry["id"] == id.to_string())
        .unwrap_or_else(|| panic!("{id} in {journal}"))
        .clone()
}

/// The last request of this model that names this document.
async fn exchange_about(stage: &Stage, model: &str, id: Uuid) -> Value {
    one(stage, model, &id.to_string()).await
}

async fn one(stage: &Stage, model: &str, named: &str) -> Value {
    let exchanges = stage.control().exchanges().await;
    exchanges
        .into_iter()
        .rfind(|exchange| exchange["model_uid"] == model && exchange["envelope"].as_str().unwrap().contains(named))
        .unwrap_or_else(|| panic!("no {model} names {named}"))
}

fn signed_volet(document: &Value, folder: &Path) -> (String, PathBuf) {
    let volet = document["volets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|volet| volet["signed"] == true)
        .unwrap();
    let name = volet["name"].as_str().unwrap().to_owned();
    let file = unpack(&volet["content"], folder.join(format!("{name}.pdf")));
    (name, file)
}

fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
