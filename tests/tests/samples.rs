//! What integrators start from, run as they would run it: sample clients, sample calls, the channel of an integration engine and the
//! Postman collection, against both doors that take them.

mod places;

use std::path::Path;
use std::process::{Command, Output};

use econnector_tests::{cut_out, elements, examples, judge, project_file, python};
use http::{Method, StatusCode};
use places::{PHYSICIAN, Place};
use serde_json::{Value, json};
use uuid::Uuid;

/// Both doors that programs come in by; a desktop's software acts with a token of its own, so no window is asked.
async fn doors() -> [Place; 2] {
    [Place::hospital().await, Place::loopback().await]
}

/// Runs a sample client: deposits, repeats, and is refused; its words are the same in every language.
async fn deposits_once(place: &Place, folder: &Path, client: impl Fn(&[&str]) -> Command) {
    let run = |arguments: &[&str]| {
        let mut command = client(arguments);
        if place.name == "loopback" {
            command.env("ECONNECTOR_TOKEN", &place.token);
        }
        said(&mut command)
    };
    let file = place.file.to_str().unwrap();
    let values = project_file("forms/ecit/examples/illness.json");
    let id = Uuid::new_v4().to_string();
    let before = place.control.exchanges().await.len();
    let (deposited, told) = run(&[file, values.to_str().unwrap(), &id]);
    assert!(deposited && told.starts_with("deposited "), "{}: {told}", place.name);
    let reference = told.trim().trim_start_matches("deposited ").to_owned();
    let (again, told) = run(&[file, values.to_str().unwrap(), &id]);
    assert!(again, "{told}");
    assert_eq!(told.trim(), format!("deposited before {reference}"));
    let mut wrong = examples("ecit").remove("illness").unwrap();
    wrong.insert("last_day".to_owned(), "2026-10-01".into());
    let wrong_file = folder.join("wrong.json");
    std::fs::write(&wrong_file, serde_json::to_vec(&wrong).unwrap()).unwrap();
    let (refused, told) = run(&[file, wrong_file.to_str().unwrap()]);
    assert!(!refused && told.contains("values-wrong"), "{told}");
    let exchanges = place.control.exchanges().await;
    assert_eq!(exchanges.len(), before + 1);
    assert_eq!(exchanges[before]["reference"], reference);
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_clients_deposit_an_ecit_at_both_doors() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("Deposit.exe");
    let libraries = "-r:System.Net.Http,System.Runtime.Serialization,System.Xml,System.Xml.Linq";
    let source = project_file("samples/csharp/Deposit.cs");
    let out = format!("-out:{}", program.display());
    let _ = judge("mcs", &["-warnaserror", &out, libraries, source.to_str().unwrap()]);
    for place in doors().await {
        deposits_once(&place, folder.path(), |arguments| {
            client("python3", "samples/python/deposit.py", arguments)
        })
        .await;
        deposits_once(&place, folder.path(), |arguments| {
            client("node", "samples/javascript/deposit.mjs", arguments)
        })
        .await;
        // Mono asks its user's own store of trusted CAs, as .NET asks the system's.
        let home = tempfile::tempdir().unwrap();
        let at_home = |program: &str| {
            let mut command = Command::new(program);
            command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME");
            command
        };
        if place.name == "hospital" {
            let (imported, told) = said(at_home("cert-sync").args(["--user", &place.said("ca_pem")]));
            assert!(imported, "{told}");
        }
        deposits_once(&place, folder.path(), |arguments| {
            let mut command = at_home("mono");
            command.arg(&program).args(arguments);
            command
        })
        .await;
    }
}

#[test]
fn sample_clients_are_short() {
    for sample in ["python/deposit.py", "javascript/deposit.mjs", "csharp/Deposit.cs"] {
        let text = std::fs::read_to_string(project_file("samples").join(sample)).unwrap();
        assert!(text.lines().count() < 60, "{sample}: {} lines", text.lines().count());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_calls_do_what_their_first_line_says() {
    for place in doors().await {
        let folder = tempfile::tempdir().unwrap();
        let output = |name: &str, arguments: &[&str]| {
            let mut command = Command::new(project_file("samples/calls").join(name));
            command
                .args(arguments)
                .env("ECONNECTOR_PLACE", &place.file)
                .env_remove("ECONNECTOR_TOKEN");
            if place.name == "loopback" {
                command.env("ECONNECTOR_TOKEN", &place.token);
            }
            let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(output.status.success(), "{} {name}: {}", place.name, both(&output));
            output.stdout
        };
        let call = |name: &str, arguments: &[&str]| -> Value {
            let answer = output(name, arguments);
            serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{name}: {error}: {}", String::from_utf8_lossy(&answer)))
        };
        let (first, second, third) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        // A connection file names AeS in training mode alone.
        if place.name != "loopback" {
            let token = String::from_utf8(output("00-token.sh", &[place.file.to_str().unwrap()])).unwrap();
            assert_eq!(token.trim().split('.').count(), 3, "a JWT");
        }
        assert_eq!(call("01-status.sh", &[])["usable"], true);
        assert_eq!(call("02-forms.sh", &[])["forms"][0]["kind"], "ecit");
        assert_eq!(call("02-forms.sh", &["mh"])["kind"], "mh");
        assert!(call("03-check.sh", &[])["findings"].is_array());
        assert!(output("04-preview.sh", &[]).starts_with(b"%PDF-"));
        assert_eq!(call("05-deposit.sh", &[&first])["state"], "deposited");
        assert_eq!(call("05-deposit.sh", &[&first])["state"], "deposited");
        assert_eq!(call("06-look.sh", &[&first])["state"], "deposited");
        assert!(output("06-look.sh", &[&first, "caisse"]).starts_with(b"%PDF-"));
        assert_eq!(call("08-replace.sh", &[&first, &second])["state"], "deposited");
        assert_eq!(call("07-cancel.sh", &[&second])["state"], "cancelled");
        let signed = call("09-sign-pdf.sh", &[]);
        assert_eq!(signed["state"], "signed");
        let pdf = econnector_tests::unpack(&signed["volets"][0]["content"], folder.path().join("signed.pdf"));
        assert_eq!(call("10-own-fee-note.sh", &[&third])["state"], "deposited");
        assert_eq!(call("11-verify.sh", &[pdf.to_str().unwrap()])["valid"], true);
        assert_eq!(call("12-pid.sh", &[])["state"], "deposited");
        let refused = project_file("forms/pid/examples/not-eligible.json");
        let refused = call("12-pid.sh", &[&Uuid::new_v4().to_string(), refused.to_str().unwrap()]);
        assert_eq!((&refused["state"], &refused["turns_into"]), (&json!("simulated"), &json!("mh")));
        assert!(call("13-journal.sh", &[])["entries"].as_array().unwrap().len() >= 5);
        let scripts = std::fs::read_dir(project_file("samples/calls")).unwrap().count();
        assert_eq!(scripts, 15, "a call that is not run here");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_engine_deposits_a_fee_note_from_hl7() {
    let place = Place::hospital().await;
    let folder = tempfile::tempdir().unwrap();
    let id = Uuid::new_v4().to_string();
    let sample = std::fs::read_to_string(project_file("samples/mirth/dft_p03.hl7")).unwrap();
    let message = folder.path().join("message.hl7");
    std::fs::write(&message, sample.replace("3c1f0e2a-6f5d-4c1b-9a7e-2b8d4e6f0a11", &id)).unwrap();
    let script = project_file("tests/peers/mirth.mjs");
    let sent: Value = serde_json::from_str(&judge("node", &[script.to_str().unwrap(), message.to_str().unwrap()])).unwrap();
    assert_eq!((&sent["id"], &sent["physician"]), (&json!(id), &json!(PHYSICIAN)));
    let known = [
        "SENT", "SENT", "ERROR", "ERROR", "QUEUED", "QUEUED", "QUEUED", "QUEUED", "ERROR", "ERROR", "ERROR", "ERROR", "ERROR",
    ];
    // A lost answer: one server remembers the id; of several, another may be asked.
    let one = [&known[..], &["QUEUED", "QUEUED", "QUEUED"]].concat();
    let several = [&known[..], &["ERROR", "ERROR", "ERROR"]].concat();
    assert_eq!(sent["verdicts"], json!([one, several]));

    let body = econnector_tests::unpack(&sent["body"], folder.path().join("body"));
    let body = Some((
        "multipart/form-data; boundary=econnector-5f2b7c1e9a".to_owned(),
        std::fs::read(body).unwrap(),
    ));
    let key = place.said("api_key");
    let headers = [("x-econnector-key", key.as_str()), ("x-econnector-physician", PHYSICIAN)];
    let deposited = place.naked(Method::POST, "/v1/documents", &headers, body).await;
    assert_eq!(deposited.status, StatusCode::CREATED, "{}", deposited.json());
    let document = cut_out(&place.control.exchange("2022_CNS_MEMHON_DEPOT-V1").await, folder.path());
    assert_eq!(elements(&document, "UUID"), [id]);
    assert_eq!(elements(&document, "libelle"), ["Consultation", "Électrocardiogramme"]);
    assert_eq!(elements(&document, "aPayer"), ["96.40"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postman_collection_is_answered_as_documented() {
    let place = Place::hospital().await;
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let newman = project_file("tests/peers/node_modules/newman/bin/newman.js");
    let collection = project_file("docs/postman_collection.json");
    let (token, base) = (format!("token={}", place.token), format!("baseUrl={}", place.base()));
    let (passed, told) = said(Command::new("node").arg(newman).arg("run").arg(collection).args([
        "--env-var",
        &token,
        "--env-var",
        &base,
        "--ssl-extra-ca-certs",
        &place.said("ca_pem"),
        "--color",
        "off",
        "--reporters",
        "cli,json",
        "--reporter-json-export",
        report.to_str().unwrap(),
    ]));
    assert!(passed, "{told}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let answered = |executions: &[Value]| {
        let done = |one: &&Value| one["response"]["code"].as_u64().is_some_and(|code| code < 300);
        executions.iter().filter(done).count()
    };
    let executions = report["run"]["executions"].as_array().unwrap();
    let described: Value = serde_json::from_slice(&std::fs::read(project_file("docs/openapi.json")).unwrap()).unwrap();
    // Not those of the window, which no program reaches.
    let open = described["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| !path.starts_with("/econnector/v1/link"));
    let operations: usize = open.map(|(_, path)| path.as_object().unwrap().len()).sum();
    assert_eq!(executions.len(), operations, "one request for every operation");
    assert!(
        answered(executions) >= 12,
        "{} of {} were done:\n{told}",
        answered(executions),
        executions.len()
    );
    // Its document was deposited, and judged by others.
    let exchanges = place.control.exchanges().await;
    let note = exchanges
        .iter()
        .find(|exchange| exchange["model_uid"] == "2026_ECIT_DEPOT-V1")
        .unwrap();
    let envelope = folder.path().join("envelope.xml");
    std::fs::write(&envelope, note["envelope"].as_str().unwrap()).unwrap();
    let document = folder.path().join("document.xml");
    assert!(python("judge_envelope.py", &[envelope.to_str().unwrap(), document.to_str().unwrap()]).contains("signature verified"));
}

fn client(program: &str, script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.arg(project_file(script)).args(arguments);
    command
}

/// Whether a program said yes, and both its streams.
fn said(command: &mut Command) -> (bool, String) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}: `cargo xtask test` installs it"));
    (output.status.success(), both(&output))
}

fn both(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
