//! The hospital's side of the tests: stand-ins without a server, certificates made by somebody else's library, and the server's program
//! under settings of the test's own.

// Each file of tests uses its part.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use econnector_tests::{Control, Programs, end, judge, project_file, sick_note, venv_program};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

/// The variables a program is started with; nothing else reaches it.
pub type Variables = BTreeMap<String, String>;

/// Work under way, with its turn.
pub const TAKEN: &str = "econnector_turns_taken";
/// Requests under way whose callers wait.
pub const IN_FLIGHT: &str = "econnector_requests_in_flight";

/// Running stand-ins, and a folder of certificates.
pub struct Hospital {
    programs: Programs,
    fingerprints: BTreeMap<String, String>,
}

impl Hospital {
    pub async fn open() -> Self {
        // Another test of this process may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = Programs::sandbox().await;
        let folder = programs.path("");
        let script = project_file("tests/tests/hospital/certificates.py");
        let arguments = [script.as_path(), folder.as_path(), Path::new(programs.field("truststore_pem"))];
        let said = judge(venv_program("python"), &arguments.map(|argument| argument.to_str().unwrap()));
        let fingerprints = said
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(file, hash)| (file.to_owned(), hash.to_owned()))
            .collect();
        Self { programs, fingerprints }
    }

    pub fn field(&self, name: &str) -> &str {
        self.programs.field(name)
    }

    pub fn control(&self) -> Control {
        Control::at(self.field("control"))
    }

    /// A file of the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.programs.path(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// SHA-256 of a client's certificate.
    pub fn fingerprint(&self, file: &str) -> &str {
        &self.fingerprints[file]
    }

    /// Complete settings, to which a test adds its own.
    pub fn variables(&self) -> Variables {
        let mut variables: Variables = [
            ("ACCEPT_LICENSE", "yes".to_owned()),
            ("SERVER_ADDRESS", "127.0.0.1".to_owned()),
            ("SERVER_PORT", free_port().to_string()),
            ("ECONNECTOR_MANAGEMENT_ADDRESS", "127.0.0.1".to_owned()),
            ("ECONNECTOR_MANAGEMENT_PORT", free_port().to_string()),
            ("ECONNECTOR_DRAIN_DELAY_SECONDS", "0".to_owned()),
            ("ECONNECTOR_ENVIRONMENT", "training".to_owned()),
            ("SAAS_KEYSTORE", self.text("server.p12")),
            ("SAAS_KEYSTORE_PASSWORD", "hospital".to_owned()),
            ("ECONNECTOR_CA_FILE_ONLY", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        variables.extend(services(self.programs.ready()));
        variables
    }

    /// Somebody who trusts the hospital's authority; with a certificate of one's own when a file of it is named.
    pub fn client(&self, certificate: Option<&str>) -> reqwest::Client {
        let anchor = reqwest::Certificate::from_pem(&std::fs::read(self.path("ca.pem")).unwrap()).unwrap();
        let mut builder = reqwest::Client::builder()
            .tls_certs_only([anchor])
            .tls_info(true)
            .no_proxy()
            .http1_only();
        if let Some(file) = certificate {
            builder = builder.identity(reqwest::Identity::from_pem(&std::fs::read(self.path(file)).unwrap()).unwrap());
        }
        builder.build().unwrap()
    }

    /// A token in the physician's name, from the stand-in of AeS.
    pub async fn token(&self) -> String {
        self.control().token_of(self.field("ehealth_id")).await
    }

    /// A note for a new document, as a request's body.
    pub fn note(&self, id: Uuid) -> Value {
        json!({ "id": id, "kind": "ecit", "values": sick_note(json!({})) })
    }
}

/// The settings that lead to these stand-ins, by what their ready file says.
pub fn services(ready: &Value) -> Variables {
    let field = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} in {ready}")).to_owned();
    let kms = |path: &str| format!("{}/api/v3/{path}", field("kms"));
    let mysecu = |path: &str| format!("{}/ws/soap/{path}", field("mysecu"));
    [
        ("ECONNECTOR_CA_FILE", field("ca_pem")),
        ("ECONNECTOR_ISSUER", field("issuer")),
        ("ECONNECTOR_CLIENT_ID", field("client_id")),
        ("ECONNECTOR_CLIENT_SECRET", field("client_secret")),
        ("KMS_GET_CERTIFICATE_URL", kms("get-certificate")),
        ("KMS_SIGN_URL", kms("sign-data")),
        ("KMS_TIMESTAMP_URL", kms("sign-timestamp")),
        ("TRUSTSTORE_KMS_FILENAME", field("truststore_pem")),
        ("CCSS_URL", mysecu("trust")),
        ("CCSS_SYNC_URL", mysecu("espinst/syncexchange")),
        ("GENERIC_KEYSTORE_FILE", field("client_p12")),
        ("GENERIC_KEYSTORE_PWD", field("client_p12_password")),
        ("ECONNECTOR_MYSECU_SIGNING_FILE", field("mysecu_signing_pem")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A running server.
pub struct Server {
    pub child: Child,
    pub url: String,
    pub management: String,
    log: PathBuf,
}

impl Server {
    /// Starts the built program and waits until it is ready.
    pub async fn start(hospital: &Hospital, variables: &Variables) -> Self {
        let mut command = Command::new(program());
        command.env_clear().envs(variables);
        Self::started(hospital, command, variables).await
    }

    /// The same of a command that runs it in its own way.
    pub async fn started(hospital: &Hospital, mut command: Command, variables: &Variables) -> Self {
        let log = hospital.path(&format!("server-{}.log", variables["SERVER_PORT"]));
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut server = Self {
            child,
            url: format!("https://localhost:{}", variables["SERVER_PORT"]),
            management: format!("http://127.0.0.1:{}", variables["ECONNECTOR_MANAGEMENT_PORT"]),
            log,
        };
        let client = hospital.client(None);
        let begun = Instant::now();
        while server.ready(&client).await != Some(StatusCode::OK) {
            let ended = server.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(60),
                "{ended:?}: {}",
                server.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    pub async fn ready(&self, client: &reqwest::Client) -> Option<StatusCode> {
        let answer = client.get(format!("{}/econnector/health/ready", self.management)).send().await;
        answer.ok().map(|answer| answer.status())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The log's lines, each of which must be JSON.
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.log().lines().map(parse).collect()
    }

    pub async fn metrics(&self) -> String {
        let answer = econnector_tests::browser(None)
            .get(format!("{}/metrics", self.management))
            .send()
            .await;
        answer.unwrap().text().await.unwrap()
    }

    /// One sample of /metrics, by its name with labels as written there.
    pub async fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.metrics().await;
        text.lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a sample is so.
    pub async fn until(&self, sample: &str, is_so: impl Fn(f64) -> bool) -> f64 {
        let begun = Instant::now();
        loop {
            let value = self.metric(sample).await;
            if let Some(value) = value.filter(|value| is_so(*value)) {
                return value;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{sample} is {value:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn signal(&self, name: &str) {
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &self.child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child, "KILL");
    }
}

/// Runs the program to its end.
pub fn run(arguments: &[&str], variables: &Variables) -> Output {
    Command::new(program())
        .args(arguments)
        .env_clear()
        .envs(variables)
        .output()
        .unwrap()
}

pub fn program() -> PathBuf {
    project_file("target/debug/econnector-server")
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until it is well, for so many seconds.
pub async fn until<T>(seconds: u64, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(well) => return well,
            Err(why) => assert!(begun.elapsed() < Duration::from_secs(seconds), "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
