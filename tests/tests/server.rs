//! The hospital's program over HTTPS, beside the stand-ins, exactly as `cargo xtask sandbox` starts them.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use econnector_tests::{browser, project_file};
use reqwest::StatusCode;
use serde_json::{Value, json};
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
async fn every_example_of_the_pack_is_deposited_by_an_outsider() {
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
    let mut examples: Vec<PathBuf> = std::fs::read_dir(project_file("forms/ecit/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    examples.sort();
    assert!(examples.len() > 3);
    for example in &examples {
        let values: Value = serde_json::from_slice(&std::fs::read(example).unwrap()).unwrap();
        let body = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": values });
        let answer = running
            .client
            .post(running.url("/econnector/v1/documents"))
            .bearer_auth(&token)
            .json(&body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let document: Value = answer.json().await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{}: {document}", example.display());
        let names: Vec<&str> = document["volets"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|volet| volet["name"].as_str())
            .collect();
        assert_eq!(names, ["caisse", "employeur", "assure"]);
    }
    // Refused values must not be quoted either.
    let refused = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": { "matricule": "1988123048089", "last_name": "Quadflieg" } });
    let answer = running
        .client
        .post(running.url("/econnector/v1/documents"))
        .bearer_auth(&token)
        .json(&refused)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let log = std::fs::read_to_string(running.folder.path().join("log")).unwrap();
    assert!(log.contains("answered with a problem"), "the log is there: {log}");
    for secret in ["Schmit", "1988123048083", "1988123048089", "Quadflieg", token.as_str()] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    let exchanges: Value = running
        .client
        .get(format!("{}/mysecu/exchanges", running.field("control")))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let deposits = exchanges
        .as_array()
        .unwrap()
        .iter()
        .filter(|exchange| exchange["model_uid"].is_string())
        .count();
    assert_eq!(deposits, examples.len());
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
