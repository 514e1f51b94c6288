//! One sick note from login to receipt, every link of it judged by somebody else's program.

use std::path::{Path, PathBuf};

use econnector_api::Door;
use econnector_identity::Logins;
use econnector_tests::{Stage, Trust, cut_out, data_matrix, judge, judge_signed_pdf, judge_tampered, page_text, python, unpack};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_sick_note_is_signed_and_deposited_as_others_see_it() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let session = stage.get("/v1/session").await;
    assert_eq!(session["physician"]["ehealth_id"], "1900000001");
    assert_eq!(session["actor"]["name"], "Dr Anne Weber");

    let id = Uuid::new_v4();
    let issued = stage
        .issue(
            id,
            json!({ "last_name": "Žerđević-Müller", "first_name": "Éloïse", "diagnosis": "77123" }),
        )
        .await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());
    let document = issued.json();
    assert_eq!(document["state"], "deposited");
    assert!(
        document["receipt"]["reference"]
            .as_str()
            .is_some_and(|reference| reference.len() == 36),
        "{document}"
    );
    assert!(
        document["receipt"]["correlation_id"]
            .as_str()
            .is_some_and(|found| found.starts_with("Id-")),
        "{document}"
    );
    assert_eq!(document["receipt"]["signed_by"], "Dr Anne Weber");

    let folder = tempfile::tempdir().unwrap();
    let pdf = |name: &str| save_volet(&document, name, folder.path());
    let trust = Trust::of(&stage.control().get("/ready").await);
    judge_signed_pdf(&trust, &pdf("caisse"));
    judge_tampered(&trust, &pdf("caisse"));
    the_pages_say_what_was_typed(&pdf("caisse"), &pdf("employeur"), &pdf("assure"), folder.path());
    let _ = cut_out(&stage.control().exchange("2026_ECIT_DEPOT-V1").await, folder.path());

    let again = stage
        .issue(
            id,
            json!({ "last_name": "Žerđević-Müller", "first_name": "Éloïse", "diagnosis": "77123" }),
        )
        .await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["receipt"]["reference"], document["receipt"]["reference"]);
    let other = stage.issue(id, json!({ "last_name": "Somebody else" })).await;
    assert_eq!(
        (other.status, other.json()["code"].as_str()),
        (StatusCode::CONFLICT, Some("id-already-used"))
    );
    assert_eq!(stage.deposits().await, 1, "one id, one deposit");

    let journal = stage.get("/v1/journal").await;
    let line = &journal["entries"][0];
    assert_eq!(
        (line["id"].as_str(), line["state"].as_str()),
        (Some(id.to_string().as_str()), Some("deposited"))
    );
    assert!(
        !journal.to_string().contains("erđević")
            && !journal.to_string().contains("77123")
            && !journal.to_string().contains("1988123048083")
    );
}

fn save_volet(document: &Value, name: &str, folder: &Path) -> PathBuf {
    let volet = document["volets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|volet| volet["name"] == name)
        .unwrap();
    assert_eq!(volet["media_type"], "application/pdf");
    assert_eq!(volet["signed"], name == "caisse");
    unpack(&volet["content"], folder.join(format!("{name}.pdf")))
}

fn the_pages_say_what_was_typed(caisse: &Path, employeur: &Path, assure: &Path, folder: &Path) {
    for file in [caisse, employeur, assure] {
        let text = page_text(file);
        assert!(
            text.contains("Žerđević-Müller") && text.contains("Éloïse"),
            "{}: {text}",
            file.display()
        );
    }
    assert!(page_text(caisse).contains("77123"));

    let plain = folder.join("employeur-plain.pdf");
    let _ = judge(
        "qpdf",
        &[
            "--qdf",
            "--object-streams=disable",
            employeur.to_str().unwrap(),
            plain.to_str().unwrap(),
        ],
    );
    let bytes = [std::fs::read(employeur).unwrap(), std::fs::read(plain).unwrap()].concat();
    assert!(
        !bytes.windows(5).any(|window| window == b"77123"),
        "the employer volet bears no diagnosis"
    );
    assert!(!page_text(employeur).contains("77123"));
    assert_eq!(data_matrix(caisse), "DMCIT;1988123048083");
}

#[tokio::test(flavor = "multi_thread")]
async fn zeep_s_requests_are_accepted_and_its_reading_of_the_answers_agrees() {
    let stage = Stage::desktop().await;
    stage.log_in("dr.weber").await;
    let id = Uuid::new_v4();
    assert_eq!(stage.issue(id, json!({})).await.status, StatusCode::CREATED);
    let exchanges = stage.recorded("/mysecu/exchanges").await;
    let envelope = exchanges.iter().find(|exchange| exchange["model_uid"].is_string()).unwrap()["envelope"]
        .as_str()
        .unwrap();
    let start = envelope.find("<cns:certificatIncapaciteTravail").unwrap();
    let end = envelope.find("</cns:certificatIncapaciteTravail>").unwrap() + "</cns:certificatIncapaciteTravail>".len();
    let document = envelope
        .get(start..end)
        .unwrap()
        .replace(&id.to_string(), &Uuid::new_v4().to_string());

    let token = stage.exchanged_token("1900000001").await;
    let ready = stage.training().sandbox().ready();
    let folder = tempfile::tempdir().unwrap();
    let document_file = folder.path().join("document.xml");
    std::fs::write(&document_file, document).unwrap();
    let settings = folder.path().join("settings.json");
    let settings_json = json!({
        "mysecu": ready.mysecu, "ca": ready.ca_pem, "p12": ready.client_p12, "p12_password": ready.client_p12_password,
        "answer_anchors": ready.mysecu_signing_pem, "token": token, "provider_code": ready.provider_code, "document": document_file,
    });
    std::fs::write(&settings, settings_json.to_string()).unwrap();
    let said = python("zeep_client.py", &[settings.to_str().unwrap()]);
    assert!(
        said.contains("STS accepted") && said.contains("exchange accepted") && said.contains("answers verified"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hospital_deposits_with_an_exchanged_token_and_without_one_is_refused() {
    let stage = Stage::with(Door::Hospital, |settings| settings.aes.logins = Logins::Delegated).await;
    let usable = stage.call(Method::GET, "/status", &[], None).await;
    assert_eq!(usable.status, StatusCode::OK, "{}", usable.json());
    assert_eq!(
        stage.call(Method::GET, "/v1/session", &[], None).await.status,
        StatusCode::NOT_FOUND
    );

    let refused = stage.issue(Uuid::new_v4(), json!({})).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("token-missing"))
    );

    let bearer = format!("Bearer {}", stage.exchanged_token("1900000001").await);
    let body = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": stage_values() });
    let issued = stage
        .call(Method::POST, "/v1/documents", &[("authorization", &bearer)], Some(&body))
        .await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.json());

    // Another physician's token sees neither the document nor the journal line, and cannot sign in her name.
    let other = format!("Bearer {}", stage.exchanged_token("1900000002").await);
    let path = format!("/v1/documents/{}", body["id"].as_str().unwrap());
    assert_eq!(
        stage.call(Method::GET, &path, &[("authorization", &bearer)], None).await.status,
        StatusCode::OK
    );
    assert_eq!(
        stage.call(Method::GET, &path, &[("authorization", &other)], None).await.status,
        StatusCode::NOT_FOUND
    );
    let journal = stage
        .call(Method::GET, "/v1/journal", &[("authorization", &other)], None)
        .await
        .json();
    assert_eq!(journal["entries"].as_array().map(Vec::len), Some(0));
    let body = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": stage_values() });
    let mismatch = stage
        .call(Method::POST, "/v1/documents", &[("authorization", &other)], Some(&body))
        .await;
    assert_eq!(
        (mismatch.status, mismatch.json()["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("physician-mismatch"))
    );
}

fn stage_values() -> Value {
    Value::Object(econnector_tests::sick_note(json!({})))
}
