//! What integrators start from, run as they would run it: sample clients, sample calls, the channel of an integration engine and the
//! Postman collection, against both doors that take them.

mod places;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse as _;
use econnector_loopback::WaitingKind;
use econnector_tests::{cut_out, elements, examples, judge, project_file, python};
use http::{Method, StatusCode};
use places::{PHYSICIAN, Place};
use serde_json::{Value, json};
use uuid::Uuid;

/// Both doors that programs come in by; a desktop's software acts with a token of its own, so no window is asked.
async fn doors() -> [Place; 2] {
    [Place::hospital().await, Place::loopback().await]
}

/// A port of this computer where nothing listens, or not for us.
const NOBODY_HERE: &str = "http://127.0.0.1:9";
/// What the clients say when no answer comes; why stands behind it.
const NO_ANSWER: &str = "eConnector does not answer: start it and read the file anew; if something was sent, send the same id again (";
/// What they say when the file that names the place is not there.
const NO_FILE: &str = "eConnector does not run as this user, or its file is elsewhere: ";

/// Has a program believe that everything leaves the computer by a proxy, as practices have it.
fn behind_a_proxy(command: &mut Command, proxy: &str) {
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, proxy);
    }
    command.env_remove("no_proxy").env_remove("NO_PROXY").env("NODE_USE_ENV_PROXY", "1");
}

/// Runs a sample client: deposits, repeats, and is refused; its words are the same in every language. At a desktop with this token or none.
async fn deposits_once(place: &Place, folder: &Path, token: Option<&str>, client: impl Fn(&[&str]) -> Command) {
    let run = |arguments: &[&str]| {
        let mut command = client(arguments);
        command.env_remove("ECONNECTOR_TOKEN");
        if place.name == "loopback" {
            behind_a_proxy(&mut command, NOBODY_HERE);
            command.envs(token.map(|token| ("ECONNECTOR_TOKEN", token)));
        }
        said(&mut command)
    };
    let file = place.file.to_str().unwrap();
    let values = project_file("forms/ecit/examples/illness.json");
    let id = Uuid::new_v4().to_string();
    let before = place.control.exchanges().await.len();
    let (deposited, told) = run(&[file, values.to_str().unwrap(), &id]);
    assert!(deposited && told.starts_with("deposited "), "{}: {told}", place.name);
    let reference = told.lines().next().unwrap().trim_start_matches("deposited ").to_owned();
    let (again, told) = run(&[file, values.to_str().unwrap(), &id]);
    assert!(again, "{told}");
    assert_eq!(told.trim(), format!("deposited before {reference}\nid {id}"));
    let mut wrong = examples("ecit").remove("illness").unwrap();
    wrong.insert("last_day".to_owned(), "2026-10-01".into());
    let wrong_file = folder.join("wrong.json");
    std::fs::write(&wrong_file, serde_json::to_vec(&wrong).unwrap()).unwrap();
    let (refused, told) = run(&[file, wrong_file.to_str().unwrap()]);
    assert!(!refused && told.contains("values-wrong"), "{told}");
    let made = told.lines().next().and_then(|line| line.strip_prefix("id ")).unwrap_or_default();
    assert_eq!(Uuid::parse_str(made).unwrap().get_version_num(), 4, "{told}");
    // A program that has ended. What was not sent has no id to repeat.
    let (name, nobody, mut expected) = match place.name {
        "hospital" => ("api", NOBODY_HERE.replace("http:", "https:"), vec![format!("id {id}")]),
        _ => ("url", NOBODY_HERE.to_owned(), Vec::new()),
    };
    let mut stale: Value = serde_json::from_slice(&std::fs::read(&place.file).unwrap()).unwrap();
    expected.push(format!("{NO_ANSWER}{nobody}/"));
    stale[name] = nobody.into();
    let stale_file = folder.join("stale.json");
    std::fs::write(&stale_file, stale.to_string()).unwrap();
    let (answered, told) = run(&[stale_file.to_str().unwrap(), values.to_str().unwrap(), &id]);
    let fits = told.lines().count() == expected.len() && told.lines().zip(&expected).all(|(line, said)| line.starts_with(said));
    assert!(!answered && fits, "{}: {told}", place.name);
    // One that was never started.
    let missing = folder.join("missing.json");
    let (found, told) = run(&[missing.to_str().unwrap(), values.to_str().unwrap()]);
    let fits = told.lines().count() == 1 && told.starts_with(NO_FILE) && told.contains("missing.json");
    assert!(!found && fits, "{}: {told}", place.name);
    if place.name == "hospital" {
        let mut wrong: Value = serde_json::from_slice(&std::fs::read(&place.file).unwrap()).unwrap();
        wrong["client_secret"] = "another".into();
        let wrong_file = folder.join("wrong-secret.json");
        std::fs::write(&wrong_file, wrong.to_string()).unwrap();
        let (given, told) = run(&[wrong_file.to_str().unwrap(), values.to_str().unwrap()]);
        let fits = told.lines().count() == 1 && told.starts_with("no token: ") && told.contains("invalid_client");
        assert!(!given && fits, "{told}");
    }
    let exchanges = place.control.exchanges().await;
    assert_eq!(exchanges.len(), before + 1);
    assert_eq!(exchanges[before]["reference"], reference);
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_clients_deposit_an_ecit_at_both_doors() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled(folder.path());
    for place in doors().await {
        let token = Some(place.token.as_str());
        deposits_once(&place, folder.path(), token, |arguments| {
            client("python3", "samples/python/deposit.py", arguments)
        })
        .await;
        deposits_once(&place, folder.path(), token, |arguments| {
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
        deposits_once(&place, folder.path(), token, |arguments| {
            let mut command = at_home("mono");
            command.arg(&program).args(arguments);
            command
        })
        .await;
    }
}

/// The first try that the documentation describes: she is logged in, the window asks whether the software may, and shows what it would sign.
#[tokio::test(flavor = "multi_thread")]
async fn a_sample_client_without_a_token_works_in_her_session() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::loopback_of_a_new_user().await;
    let asked = place.says_yes();
    place.log_in("dr.weber").await;
    asked.lock().unwrap().clear();
    deposits_once(&place, folder.path(), None, |arguments| {
        client("python3", "samples/python/deposit.py", arguments)
    })
    .await;
    // Nothing of what was settled or could not be sent.
    let expected = [WaitingKind::Consent, WaitingKind::Approval].map(|kind| (kind, "Sample Python".to_owned()));
    assert_eq!(*asked.lock().unwrap(), expected);
}

/// Another user's program, on the port of a connection file that a crash left behind: it takes everything, and cannot prove what it claims.
#[tokio::test(flavor = "multi_thread")]
async fn samples_tell_nothing_to_whoever_does_not_know_the_key() {
    const KEY: &str = "fictitious-key-of-a-connection-file-0123456";
    const TOKEN: &str = "fictitious.access.token";
    let folder = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let taken = json!({
        "usable": true, "link": { "key": "right", "proof": "0".repeat(64) }, "state": "deposited", "receipt": { "reference": "none" },
    });
    let router = Router::new().fallback(move |request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let all = format!(
            "{} {} {:?} {}",
            parts.method,
            parts.uri,
            parts.headers,
            String::from_utf8_lossy(&body)
        );
        ear.lock().unwrap().push(all);
        axum::Json(taken)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let file = folder.path().join("connection.json");
    std::fs::write(&file, json!({ "url": url, "addresses": [url], "key": KEY }).to_string()).unwrap();

    let values = project_file("forms/ecit/examples/illness.json");
    let arguments = [file.to_str().unwrap(), values.to_str().unwrap()];
    let mut programs = clients(folder.path(), &arguments);
    let id = Uuid::new_v4().to_string();
    for script in std::fs::read_dir(project_file("samples/calls")).unwrap() {
        let script = script.unwrap().path();
        if !script.ends_with("place.sh") {
            let mut program = Command::new(&script);
            let first = if script.ends_with("00-token.sh") { arguments[0] } else { &id };
            program.args([first, &id]).env("ECONNECTOR_PLACE", &file);
            programs.push(program);
        }
    }
    assert_eq!(programs.len(), 3 + 14);
    for mut program in programs {
        // What goes to a proxy comes here too, and says in its first line where it should have gone.
        behind_a_proxy(&mut program, &url);
        program.env("ECONNECTOR_TOKEN", TOKEN);
        let (done, told) = said(&mut program);
        assert!(!done && told.contains("read the file anew"), "{program:?}: {told}");
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(heard.len(), 1, "{program:?}: {heard:?}");
        assert!(heard[0].starts_with("GET /econnector/status "), "{program:?}: {heard:?}");
        for secret in [KEY, TOKEN] {
            assert!(!heard[0].contains(secret), "{program:?}: {heard:?}");
        }
    }
    serving.abort();
}

/// At a desktop whose physician has not answered yet whether the software may.
#[tokio::test(flavor = "multi_thread")]
async fn sample_clients_say_what_they_wait_for() {
    const KEY: &str = "fictitious-key-of-a-connection-file-0123456";
    const PROOF: &str =
        "import hashlib, hmac, sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), hashlib.sha256).hexdigest())";
    let folder = tempfile::tempdir().unwrap();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let ids = Arc::clone(&sent);
    let router = Router::new().fallback(move |request: Request| async move {
        if let Some(challenge) = request.headers().get("x-econnector-challenge") {
            let proof = judge("python3", &["-c", PROOF, KEY, challenge.to_str().unwrap()]);
            return axum::Json(json!({ "link": { "proof": proof.trim() } })).into_response();
        }
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap();
        let mut ids = ids.lock().unwrap();
        ids.push(document["id"].as_str().unwrap().to_owned());
        if ids.len() == 1 {
            let waiting = json!({ "code": "software-waiting", "next": "Answer in the window." });
            return (StatusCode::FORBIDDEN, [("retry-after", "1")], axum::Json(waiting)).into_response();
        }
        let taken = json!({ "state": "deposited", "receipt": { "reference": "taken" } });
        (StatusCode::CREATED, axum::Json(taken)).into_response()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    let file = folder.path().join("connection.json");
    std::fs::write(&file, json!({ "url": url, "key": KEY }).to_string()).unwrap();
    let values = project_file("forms/ecit/examples/illness.json");
    for mut program in clients(folder.path(), &[file.to_str().unwrap(), values.to_str().unwrap()]) {
        let (done, told) = said(program.env_remove("ECONNECTOR_TOKEN"));
        let ids = std::mem::take(&mut *sent.lock().unwrap());
        assert!(done && ids.len() == 2 && ids[0] == ids[1], "{program:?}: {ids:?} {told}");
        assert_eq!(
            told,
            format!("deposited taken\nid {}\nAnswer in the window.\n", ids[0]),
            "{program:?}"
        );
    }
    serving.abort();
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
        let token = OnceCell::new();
        let output = |name: &str, arguments: &[&str]| {
            let mut command = Command::new(project_file("samples/calls").join(name));
            command
                .args(arguments)
                .env("ECONNECTOR_PLACE", &place.file)
                .env_remove("ECONNECTOR_TOKEN");
            if place.name == "loopback" {
                behind_a_proxy(&mut command, NOBODY_HERE);
                command.envs(token.get().map(|token| ("ECONNECTOR_TOKEN", token)));
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
        // A desktop in training mode names its stand-in of AeS in the connection file; what follows acts with this token there.
        let printed = String::from_utf8(output("00-token.sh", &[place.file.to_str().unwrap()])).unwrap();
        assert_eq!(printed.trim().split('.').count(), 3, "a JWT");
        token.set(printed.trim().to_owned()).unwrap();
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
    // And only who says so has one.
    let lost = json!({ "1": "QUEUED", " 1 ": "QUEUED", "2": "ERROR", "10": "ERROR", "": "ERROR", "null": "ERROR", "one": "ERROR" });
    assert_eq!(sent["lost"], lost);

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

/// Every way in that the description of the collection names.
#[tokio::test(flavor = "multi_thread")]
async fn the_postman_collection_is_answered_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let desktop = Place::loopback_of_a_new_user().await;
    let _ = desktop.says_yes();
    desktop.log_in("dr.weber").await;
    let (url, key) = (desktop.said("url"), desktop.said("key"));
    postman(&desktop, folder.path(), &[("baseUrl", &url), ("key", &key)], &[]).await;
    postman(
        &desktop,
        folder.path(),
        &[("baseUrl", &url), ("key", &key), ("token", &desktop.token)],
        &[],
    )
    .await;

    let hospital = Place::hospital().await;
    let base = ("baseUrl", hospital.base());
    let physician = ("physician", PHYSICIAN);
    let ca = hospital.said("ca_pem");
    let trust = ["--ssl-extra-ca-certs", &ca];
    postman(&hospital, folder.path(), &[base, ("token", &hospital.token)], &trust).await;
    let [endpoint, client, secret, key] = ["token_endpoint", "client_id", "client_secret", "api_key"].map(|name| hospital.said(name));
    let exchange = [
        ("token_endpoint", endpoint.as_str()),
        ("client_id", &client),
        ("client_secret", &secret),
    ];
    postman(&hospital, folder.path(), &[&[base, physician], &exchange[..]].concat(), &trust).await;
    postman(&hospital, folder.path(), &[base, physician, ("key", &key)], &trust).await;
    let pem = folder.path().join("client.pem");
    let (pem, p12) = (pem.to_str().unwrap(), hospital.said("client_p12"));
    let password = format!("pass:{}", hospital.said("client_p12_password"));
    let _ = judge("openssl", &["pkcs12", "-in", &p12, "-passin", &password, "-nodes", "-out", pem]);
    let certificate = ["--ssl-client-cert", pem, "--ssl-client-key", pem];
    postman(&hospital, folder.path(), &[base, physician], &[&trust[..], &certificate].concat()).await;
}

/// Runs the collection with these variables; its sick note is deposited, and judged by others.
async fn postman(place: &Place, folder: &Path, variables: &[(&str, &str)], more: &[&str]) {
    let report = folder.join("report.json");
    let before = place.control.exchanges().await.len();
    let mut command = Command::new("node");
    command
        .arg(project_file("tests/peers/node_modules/newman/bin/newman.js"))
        .arg("run")
        .arg(project_file("docs/postman_collection.json"))
        .args(["--color", "off", "--reporters", "cli,json", "--reporter-json-export"])
        .arg(&report)
        .args(more);
    for (name, value) in variables {
        command.args(["--env-var", &format!("{name}={value}")]);
    }
    let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
    let way = format!("{} with {names:?} {more:?}", place.name);
    let (passed, told) = said(&mut command);
    assert!(passed, "{way}: {told}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let mut executions = report["run"]["executions"].as_array().unwrap().clone();
    // A token that is got first is told as one more of the request that it is for.
    executions.dedup_by(|one, other| one["id"] == other["id"]);
    let described: Value = serde_json::from_slice(&std::fs::read(project_file("docs/openapi.json")).unwrap()).unwrap();
    // Not those of the window, which no program reaches.
    let open = described["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(path, _)| !path.starts_with("/econnector/v1/link"));
    let operations: usize = open.map(|(_, path)| path.as_object().unwrap().len()).sum();
    assert_eq!(executions.len(), operations, "{way}: one request for every operation");
    let done = |one: &&Value| one["response"]["code"].as_u64().is_some_and(|code| code < 300);
    let answered = executions.iter().filter(done).count();
    assert!(answered >= 12, "{way}: {answered} of {operations} were done:\n{told}");
    let exchanges = place.control.exchanges().await;
    let note = exchanges[before..]
        .iter()
        .find(|exchange| exchange["model_uid"] == "2026_ECIT_DEPOT-V1")
        .unwrap_or_else(|| panic!("{way}: nothing was deposited:\n{told}"));
    let envelope = folder.join("envelope.xml");
    std::fs::write(&envelope, note["envelope"].as_str().unwrap()).unwrap();
    let document = folder.join("document.xml");
    assert!(python("judge_envelope.py", &[envelope.to_str().unwrap(), document.to_str().unwrap()]).contains("signature verified"));
}

/// The C# client, compiled with Mono.
fn compiled(folder: &Path) -> PathBuf {
    let program = folder.join("Deposit.exe");
    let libraries = "-r:System.Net.Http,System.Runtime.Serialization,System.Xml,System.Xml.Linq";
    let source = project_file("samples/csharp/Deposit.cs");
    let out = format!("-out:{}", program.display());
    let _ = judge("mcs", &["-warnaserror", &out, libraries, source.to_str().unwrap()]);
    program
}

/// All three.
fn clients(folder: &Path, arguments: &[&str]) -> Vec<Command> {
    let mut programs = vec![
        client("python3", "samples/python/deposit.py", arguments),
        client("node", "samples/javascript/deposit.mjs", arguments),
        Command::new("mono"),
    ];
    programs[2].arg(compiled(folder)).args(arguments);
    programs
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
