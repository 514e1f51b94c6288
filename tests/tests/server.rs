//! The hospital's program over HTTPS, beside the stand-ins, exactly as `cargo xtask sandbox` starts them.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use econnector_tests::{Control, browser, examples, project_file};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The two programs; stopped as an operator would stop them.
struct Running {
    child: Child,
    ready: Value,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ready.json");
        let programs = project_file("target/debug");
        let child = Command::new(programs.join("econnector-sandbox"))
            .arg("--server")
            .arg(programs.join("econnector-server"))
            .arg("--ready-file")
            .arg(&file)
            .stdout(std::fs::File::create(folder.path().join("out")).unwrap())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let ready: Value = loop {
            if let Some(ready) = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                break ready;
            }
            assert!(Instant::now() < until, "not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let client = browser(Some(&std::fs::read(ready["ca_pem"].as_str().unwrap()).unwrap()));
        Self {
            child,
            ready,
            client,
            folder,
        }
    }

    fn field(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.field("api"))
    }

    async fn token(&self) -> String {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", self.field("client_id")),
            ("client_secret", self.field("client_secret")),
            ("requested_subject", self.field("ehealth_id")),
            ("audience", "https://eadmin.lu/"),
        ];
        let answer: Value = self
            .client
            .post(self.field("token_endpoint"))
            .form(&form)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_every_pack_is_sent_by_an_outsider_and_the_log_names_nobody() {
    let running = Running::start().await;
    for name in [
        "api",
        "ca_pem",
        "control",
        "issuer",
        "token_endpoint",
        "client_id",
        "client_secret",
        "ehealth_id",
        "provider_code",
        "truststore_pem",
        "mysecu_signing_pem",
    ] {
        assert!(!running.field(name).is_empty());
    }
    let token = running.token().await;
    let send = async |path: &str, body: Value| {
        let request = running.client.post(running.url(path)).bearer_auth(&token).json(&body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let mut deposits = 0;
    let mut patients = vec!["1988123048089".to_owned(), "Quadflieg".to_owned()];
    for (kind, volets) in [("ecit", &["caisse", "employeur", "assure"][..]), ("mh", &["memoire"])] {
        for (name, values) in examples(kind) {
            patients.extend(about_the_patient(&values));
            let id = Uuid::new_v4();
            let (status, document) = send("/econnector/v1/documents", json!({ "id": id, "kind": kind, "values": values })).await;
            assert_eq!(status, StatusCode::CREATED, "{kind} {name}: {document}");
            let volets_of = document["volets"].as_array().unwrap();
            let names: Vec<&str> = volets_of.iter().filter_map(|volet| volet["name"].as_str()).collect();
            assert_eq!(names, volets);
            deposits += 1;
        }
    }
    for (name, values) in examples("pid") {
        patients.extend(about_the_patient(&values));
        let id = Uuid::new_v4();
        let (status, simulation) = send("/econnector/v1/pid/simulations", json!({ "id": id, "values": values })).await;
        assert_eq!(status, StatusCode::CREATED, "{name}: {simulation}");
        deposits += 1;
        if simulation["payable"] == true {
            let (status, paid) = send(&format!("/econnector/v1/pid/simulations/{id}/validation"), json!({})).await;
            assert_eq!(status, StatusCode::CREATED, "{name}: {paid}");
            deposits += 1;
        }
    }
    // Refused values must not be quoted either.
    let refused = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": { "matricule": "1988123048089", "last_name": "Quadflieg" } });
    let (status, _) = send("/econnector/v1/documents", refused).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let log = std::fs::read_to_string(running.folder.path().join("log")).unwrap();
    assert!(log.contains("answered with a problem"), "the log is there: {log}");
    assert!(patients.len() > 20 && !log.contains(&token));
    for secret in patients {
        assert!(!log.contains(&secret), "{secret} in the log");
    }
    let control = Control::at(running.field("control"));
    assert_eq!(control.exchanges().await.len(), deposits);
}

/// What must not be read anywhere else; what is too short to be looked for is left out.
fn about_the_patient(values: &Map<String, Value>) -> Vec<String> {
    [
        "matricule",
        "last_name",
        "first_name",
        "child_matricule",
        "child_last_name",
        "insured_street",
        "accident_number",
    ]
    .iter()
    .filter_map(|field| values.get(*field)?.as_str())
    .filter(|text| text.len() > 4)
    .map(ToOwned::to_owned)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_closed_to_strangers_and_open_to_monitoring() {
    let running = Running::start().await;
    let get = |path: &'static str| running.client.get(running.url(path)).send();
    assert_eq!(get("/econnector/status").await.unwrap().status(), StatusCode::OK);
    let openapi: Value = get("/econnector/v1/openapi.json").await.unwrap().json().await.unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(get("/swagger-ui/index.html").await.unwrap().status(), StatusCode::OK);

    let refused = get("/econnector/v1/journal").await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let token = running.token().await;
    let journal = |token: String| running.client.get(running.url("/econnector/v1/journal")).bearer_auth(token).send();
    assert_eq!(journal(token.clone()).await.unwrap().status(), StatusCode::OK);
    for broken in [
        format!("{token}x"),
        token.replace('.', ""),
        "x".repeat(12_000),
        "e30.e30.".to_owned(),
    ] {
        let answer = journal(broken).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "token-invalid", "{problem}");
    }
    // What no token ever is does not even reach the router.
    let huge = journal("x".repeat(100_000)).await;
    assert!(huge.is_err() || huge.is_ok_and(|answer| answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    // Whoever does not know the CA is refused by its own check; plain HTTP gets no answer of ours.
    let stranger = browser(None);
    assert!(stranger.get(running.url("/econnector/status")).send().await.is_err());
    assert!(
        stranger
            .get(running.url("/econnector/status").replace("https", "http"))
            .send()
            .await
            .is_err()
    );
}
