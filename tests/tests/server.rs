//! The hospital's program over HTTPS: beside the stand-ins as `cargo xtask sandbox` starts them, and under settings of an administrator
//! who makes mistakes, of callers who mean no good, and of a load that is too much.

mod hospital;

use std::process::Command;
use std::time::{Duration, Instant};

use econnector_tests::{
    Control, PROXY_PASSWORD, PROXY_USER, Programs, Squid, SquidOptions, StandIns, browser, examples, judge, judge_fails, project_file,
    sick_note,
};
use hospital::{Hospital, IN_FLIGHT, Server, TAKEN, Variables, program, run, services, until};
use reqwest::StatusCode;
use reqwest::tls::TlsInfo;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The two programs as `cargo xtask sandbox` starts them, and somebody who trusts the server.
struct Running {
    programs: Programs,
    client: reqwest::Client,
}

impl Running {
    async fn start() -> Self {
        let programs = Programs::with_server().await;
        let client = browser(Some(&std::fs::read(programs.field("ca_pem")).unwrap()));
        Self { programs, client }
    }

    fn field(&self, name: &str) -> &str {
        self.programs.field(name)
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
        "management",
        "api_key",
        "clients_file",
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
    let log = running.programs.log();
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

fn problem_code(problem: &Value) -> &str {
    problem["code"].as_str().unwrap_or_default()
}

/// What a program that does not start said on stderr.
fn refused(variables: &Variables) -> String {
    let output = run(&[], variables);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_before_the_licence_is_accepted() {
    for word in ["", "no", "false", "later"] {
        let said = refused(&Variables::from([("ACCEPT_LICENSE".to_owned(), word.to_owned())]));
        assert!(
            said.contains("EUPL-1.2") && said.contains("--license") && said.contains("ACCEPT_LICENSE=yes"),
            "{said}"
        );
        assert!(!said.contains("SAAS_KEYSTORE"), "the terms alone: {said}");
    }
    let printed = run(&["--license"], &Variables::new());
    assert!(printed.status.success());
    assert_eq!(printed.stdout, std::fs::read(project_file("LICENSE")).unwrap());
    for word in ["TRUE", "Yes"] {
        let said = refused(&Variables::from([("ACCEPT_LICENSE".to_owned(), word.to_owned())]));
        assert!(said.contains("SAAS_KEYSTORE: is not set"), "{said}");
    }
    assert_eq!(run(&["--serve"], &Variables::new()).status.code(), Some(2));
    assert!(run(&["--version"], &Variables::new()).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_is_named_at_once_with_variable_and_mend() {
    let hospital = Hospital::open().await;
    let good = hospital.variables();
    let with = |changes: &[(&str, &str)]| {
        let mut variables = good.clone();
        variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        variables
    };
    let check = |variables: &Variables| {
        let output = run(&["--check"], variables);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (well, said) = check(&good);
    assert!(
        well && said.contains("server: valid until ") && said.contains("mysecu_client: valid until "),
        "{said}"
    );

    let file = |name: &str| hospital.text(name);
    std::fs::write(
        hospital.path("clients.toml"),
        "[[client]]\nname = \"x\"\nkey_sha256 = \"open sesame\"\n",
    )
    .unwrap();
    std::fs::write(hospital.path("java.jks"), b"\xFE\xED\xFE\xED\0\0\0\x02").unwrap();
    for (changes, expected) in [
        (vec![("SAAS_KEYSTORE", file("broken.p12"))], "SAAS_KEYSTORE: "),
        (
            vec![("SAAS_KEYSTORE", file("java.jks"))],
            "java.jks is a Java keystore (JKS). Convert it: keytool -importkeystore",
        ),
        (
            vec![("TRUSTSTORE_KMS_FILENAME", file("java.jks"))],
            "java.jks is a Java keystore (JKS). Convert it: keytool -importkeystore",
        ),
        (
            vec![("TRUSTSTORE_KMS_FILENAME", file("server.p12"))],
            "TRUSTSTORE_KMS_PASSWORD: is not set, and TRUSTSTORE_KMS_FILENAME has a password. Set it or TRUSTSTORE_KMS_PASSWORD_FILE",
        ),
        (
            vec![("KMS_SIGN_URL", "https://KMS-HOST/api/v3/sign-data".to_owned())],
            "KMS_SIGN_URL: still holds the example's KMS-HOST",
        ),
        (vec![("SAAS_KEYSTORE", file("keyless.p12"))], "SAAS_KEYSTORE: "),
        (
            vec![("SAAS_KEYSTORE", file("ended.p12"))],
            "SAAS_KEYSTORE: its certificate ended on ",
        ),
        (
            vec![("SAAS_KEYSTORE", file("early.p12"))],
            "SAAS_KEYSTORE: its certificate begins on ",
        ),
        (
            vec![("SAAS_KEYSTORE", "/nowhere.p12".to_owned())],
            "SAAS_KEYSTORE: /nowhere.p12 cannot be read (there is no such file)",
        ),
        (
            vec![("SAAS_KEYSTORE_PASSWORD", "guess".to_owned())],
            "SAAS_KEYSTORE_PASSWORD: does not open ",
        ),
        (
            vec![("GENERIC_KEYSTORE_PWD", "guess".to_owned())],
            "GENERIC_KEYSTORE_PWD: does not open ",
        ),
        (vec![("GENERIC_KEYSTORE_FILE", file("broken.p12"))], "GENERIC_KEYSTORE_FILE: "),
        (vec![("TRUSTSTORE_KMS_FILENAME", file("broken.p12"))], "TRUSTSTORE_KMS_FILENAME: "),
        (
            vec![
                ("TRUSTSTORE_KMS_FILENAME", file("truststore.p12")),
                ("ROOT_SIGNING_CA_ALIAS", "test_root_signing_ca".to_owned()),
                ("SIGNING_CA_ALIAS", "other".to_owned()),
                ("TIMESTAMP_CA_ALIAS", "test_timestamp_ca".to_owned()),
            ],
            "the trust store has no entry \"other\". It has: test_root_signing_ca",
        ),
        (
            vec![
                ("TRUSTSTORE_KMS_FILENAME", file("truststore.p12")),
                ("SIGNING_CA_ALIAS", "test_signing_ca".to_owned()),
            ],
            "TIMESTAMP_CA_ALIAS: is not set, and SIGNING_CA_ALIAS is. Set all three, or none",
        ),
        (
            vec![
                ("TRUSTSTORE_KMS_FILENAME", file("truststore.p12")),
                ("ROOT_SIGNING_CA_ALIAS", "test_root_signing_ca".to_owned()),
                ("SIGNING_CA_ALIAS", "test_signing_ca".to_owned()),
            ],
            "TIMESTAMP_CA_ALIAS: is not set, and the others are. Set all three, or none",
        ),
        (
            vec![
                ("TRUSTSTORE_KMS_FILENAME", file("truststore.p12")),
                ("TRUSTSTORE_KMS_PASSWORD", "guess".to_owned()),
            ],
            "TRUSTSTORE_KMS_PASSWORD: does not open",
        ),
        (
            vec![("ECONNECTOR_MYSECU_SIGNING_FILE", file("broken.p12"))],
            "ECONNECTOR_MYSECU_SIGNING_FILE: ",
        ),
        (
            vec![("ECONNECTOR_CLIENT_CA_FILE", file("broken.p12"))],
            "ECONNECTOR_CLIENT_CA_FILE: ",
        ),
        (
            vec![("ECONNECTOR_CLIENTS_FILE", file("clients.toml"))],
            "ECONNECTOR_CLIENTS_FILE: entry 1: key_sha256 is no SHA-256",
        ),
        (
            vec![("ECONNECTOR_FORMS_FOLDER", "/nowhere".to_owned())],
            "ECONNECTOR_FORMS_FOLDER: /nowhere cannot be read",
        ),
        (
            vec![("CCSS_URL", "https://ws.mysecu.lu".to_owned())],
            "CCSS_URL: names a host without a path",
        ),
        (vec![("ACCEPT_LICENSE", "no".to_owned())], "ACCEPT_LICENSE: "),
    ] {
        let changes: Vec<(&str, &str)> = changes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (well, said) = check(&with(&changes));
        assert!(!well && said.contains(expected), "{expected}: {said}");
        assert!(
            said.lines()
                .any(|line| line.starts_with("wrong: ") && line.matches(". ").count() >= 1),
            "with a mend: {said}"
        );
        for hidden in ["guess", "open sesame", "kms.trust_store"] {
            assert!(!said.contains(hidden), "{hidden}: {said}");
        }
    }

    // A pack that is broken is left out by a server that starts; whoever asks first is told.
    let forms = hospital.path("forms");
    std::fs::create_dir_all(forms.join("torn")).unwrap();
    std::fs::write(forms.join("torn/pack.toml"), "kind =").unwrap();
    let (well, said) = check(&with(&[("ECONNECTOR_FORMS_FOLDER", &file("forms"))]));
    assert!(
        !well && said.contains("wrong: ECONNECTOR_FORMS_FOLDER: torn is left out ("),
        "{said}"
    );

    // What works and should be looked at is noted: who may act for every physician.
    let clients = format!(
        "[[client]]\nname = \"mirth\"\nkey_sha256 = \"{0}1\"\nphysicians = [\"1900000001\"]\n[[client]]\nname = \"lab\"\nkey_sha256 = \"{0}2\"\n",
        "0".repeat(63)
    );
    std::fs::write(hospital.path("clients.toml"), clients).unwrap();
    let (well, said) = check(&with(&[("ECONNECTOR_CLIENTS_FILE", &file("clients.toml"))]));
    let noted: Vec<&str> = said.lines().filter(|line| line.starts_with("note: ")).collect();
    assert!(
        well && noted.len() == 1 && noted[0].contains("lab has no line `physicians`"),
        "{said}"
    );
    // And what changes nothing: names, where the entries have none.
    let aliases = [
        ("ROOT_SIGNING_CA_ALIAS", "test_root_signing_ca"),
        ("SIGNING_CA_ALIAS", "test_signing_ca"),
        ("TIMESTAMP_CA_ALIAS", "test_timestamp_ca"),
    ];
    let (well, said) = check(&with(&aliases));
    let noted: Vec<&str> = said.lines().filter(|line| line.starts_with("note: ")).collect();
    assert!(
        well && noted.len() == 1 && noted[0].contains("SIGNING_CA_ALIAS, TIMESTAMP_CA_ALIAS change nothing"),
        "{said}"
    );
    let named = file("truststore.p12");
    let chosen = [&aliases[..], &[("TRUSTSTORE_KMS_FILENAME", &named)]].concat();
    let (well, said) = check(&with(&chosen));
    assert!(well && !said.contains("note: "), "{said}");

    // A port that somebody has is named by its own variable.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refused(&with(&[("ECONNECTOR_MANAGEMENT_PORT", &port)]));
    assert!(
        said.contains("ECONNECTOR_MANAGEMENT_ADDRESS, ECONNECTOR_MANAGEMENT_PORT: 127.0.0.1:"),
        "{said}"
    );
    let said = refused(&with(&[("SERVER_PORT", &port)]));
    assert!(said.contains("\"SERVER_ADDRESS, SERVER_PORT: 127.0.0.1:"), "{said}");

    // All in one go, as JSON lines, each with its setting; and no secret among them.
    let several = with(&[
        ("SAAS_KEYSTORE_PASSWORD", "wrong-secret"),
        ("GENERIC_KEYSTORE_FILE", "/nowhere"),
        ("ECONNECTOR_CA_FILE", &file("broken.p12")),
        ("KMS_SIGN_URL", "http://kms.example/"),
        ("CCSS_URL", ""),
    ]);
    let said = refused(&several);
    let settings: Vec<String> = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| line["setting"].as_str().map(ToOwned::to_owned))
        .collect();
    // Those of the environment, and those of the files that it does name rightly.
    assert_eq!(
        settings,
        [
            "KMS_SIGN_URL",
            "CCSS_URL",
            "SAAS_KEYSTORE_PASSWORD",
            "GENERIC_KEYSTORE_FILE",
            "ECONNECTOR_CA_FILE"
        ]
    );
    assert!(!said.contains("wrong-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_choose_from_a_java_trust_store_and_secrets_come_from_files() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    for (name, secret) in [
        ("SAAS_KEYSTORE_PASSWORD", "hospital"),
        ("ECONNECTOR_CLIENT_SECRET", hospital.field("client_secret")),
    ] {
        let file = hospital.path(name);
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        variables.remove(name);
        variables.insert(format!("{name}_FILE"), file.to_str().unwrap().to_owned());
    }
    variables.insert("TRUSTSTORE_KMS_FILENAME".to_owned(), hospital.text("truststore.p12"));
    for (name, alias) in [
        ("ROOT_SIGNING_CA_ALIAS", "test_root_signing_ca"),
        ("SIGNING_CA_ALIAS", "TEST_SIGNING_CA"),
        ("TIMESTAMP_CA_ALIAS", "test_timestamp_ca"),
    ] {
        variables.insert(name.to_owned(), alias.to_owned());
    }
    let server = Server::start(&hospital, &variables).await;
    let send = async |server: &Server| {
        let request = hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
        let request = request.bearer_auth(hospital.token().await).json(&hospital.note(Uuid::new_v4()));
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (status, document) = send(&server).await;
    assert_eq!(status, StatusCode::CREATED, "{document}");
    drop(server);
    // Chosen really: without the authority of the timestamps nothing is believed.
    variables.insert("TIMESTAMP_CA_ALIAS".to_owned(), "does_not_belong".to_owned());
    let server = Server::start(&hospital, &variables).await;
    let (status, problem) = send(&server).await;
    assert!(!status.is_success() && hospital.control().exchanges().await.len() == 1, "{problem}");
}

/// The certificate a client was shown.
async fn shown(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, reqwest::Error> {
    let answer = client.get(format!("{url}/econnector/health/live")).send().await?;
    let info = answer.extensions().get::<TlsInfo>().unwrap();
    Ok(info.peer_certificate().unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_while_connections_stay_open_and_a_broken_one_is_not() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    variables.insert("ECONNECTOR_RELOAD_SECONDS".to_owned(), "1".to_owned());
    let server = Server::start(&hospital, &variables).await;
    let put = |from: &str| {
        let partial = hospital.path("server.partial");
        std::fs::copy(hospital.path(from), &partial).unwrap();
        std::fs::rename(partial, hospital.path("server.p12")).unwrap();
    };
    let first_client = hospital.client(None);
    let first = shown(&first_client, &server.url).await.unwrap();
    let expiry = "econnector_certificate_expiry_timestamp_seconds{certificate=\"server\"}";
    assert!(server.metric(expiry).await.unwrap() > 0.0);

    put("renewed.p12");
    let begun = Instant::now();
    let second = loop {
        let now = shown(&hospital.client(None), &server.url).await.unwrap();
        if now != first {
            break now;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(
        shown(&first_client, &server.url).await.unwrap(),
        first,
        "the open connection stayed open"
    );
    assert_eq!(server.metric("econnector_reload_failing").await, Some(0.0));

    for broken in ["broken.p12", "ended.p12"] {
        let failures = server.metric("econnector_reloads_total{result=\"failed\"}").await.unwrap();
        put(broken);
        let begun = Instant::now();
        while server.metric("econnector_reloads_total{result=\"failed\"}").await.unwrap() <= failures {
            assert!(begun.elapsed() < Duration::from_secs(20), "{broken} goes unnoticed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(server.metric("econnector_reload_failing").await, Some(1.0));
        assert_eq!(shown(&hospital.client(None), &server.url).await.unwrap(), second, "{broken}");
        let line = server.lines().into_iter().rfind(|line| line["level"] == "ERROR").unwrap();
        assert_eq!(line["setting"], "SAAS_KEYSTORE");
        assert!(
            line["message"].as_str().unwrap().ends_with("what was read before stays in use"),
            "{line}"
        );
    }
    // With the health check's eyes: it trusts the certificate of the file alone.
    let over_tls = || {
        let mut variables = variables.clone();
        variables.remove("ECONNECTOR_MANAGEMENT_PORT");
        run(&["healthcheck"], &variables)
    };
    assert_eq!(over_tls().status.code(), Some(1), "what lies there is not what is served");

    put("again.p12");
    server.signal("HUP");
    let begun = Instant::now();
    while shown(&hospital.client(None), &server.url).await.unwrap() == second {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(over_tls().status.success());
    assert!(run(&["healthcheck"], &variables).status.success(), "and by the plain port");
    assert_eq!(shown(&first_client, &server.url).await.unwrap(), first, "still the same connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reads_the_files_at_once() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    variables.insert("ECONNECTOR_RELOAD_SECONDS".to_owned(), "3600".to_owned());
    let server = Server::start(&hospital, &variables).await;
    let first = shown(&hospital.client(None), &server.url).await.unwrap();
    std::fs::copy(hospital.path("renewed.p12"), hospital.path("server.p12")).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(shown(&hospital.client(None), &server.url).await.unwrap(), first);
    server.signal("HUP");
    let begun = Instant::now();
    while shown(&hospital.client(None), &server.url).await.unwrap() == first {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As `sha256sum` writes it.
fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Nobody but the proxy knows where this is.
const AES: &str = "aes.hospital.example";

/// A hospital whose AeS lies behind a proxy, and a caller by key: a token in the physician's name is what its server needs first.
struct Behind {
    hospital: Hospital,
    _stand_ins: StandIns,
    squid: Squid,
    variables: Variables,
}

impl Behind {
    async fn proxy(options: SquidOptions<'_>) -> Self {
        let hospital = Hospital::open().await;
        let stand_ins = StandIns::start(|options| options.aes_host = AES.to_owned()).await;
        std::fs::write(
            hospital.path("clients.toml"),
            format!("[[client]]\nname = \"mirth\"\nkey_sha256 = \"{}\"\n", sha256("a key")),
        )
        .unwrap();
        let mut variables = hospital.variables();
        variables.extend(services(&serde_json::to_value(stand_ins.ready()).unwrap()));
        variables.insert("ECONNECTOR_CLIENTS_FILE".to_owned(), hospital.text("clients.toml"));
        Self {
            hospital,
            _stand_ins: stand_ins,
            squid: Squid::start(AES, options).await,
            variables,
        }
    }

    /// Host and port of the proxy.
    fn address(&self) -> (String, String) {
        let url = self.squid.url(false);
        let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
        (host.to_owned(), port.to_owned())
    }

    /// What a server under these settings beside the others answers to a document; it has ended by then.
    async fn answer(&self, settings: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut variables = self.variables.clone();
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let server = Server::start(&self.hospital, &variables).await;
        let request = self.hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
        let request = request
            .header("X-EConnector-Key", "a key")
            .header("X-EConnector-Physician", "1900000001");
        let answer = request.json(&self.hospital.note(Uuid::new_v4())).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(!server.log().contains(PROXY_PASSWORD));
        if problem_code(&body) == "net-proxy" {
            // Which proxy, and why, is for whoever runs the server.
            let (host, port) = self.address();
            let why = format!("{AES}: the proxy {host}:{port} asks for a login");
            assert!(server.lines().iter().any(|line| line["error"] == why.as_str()), "{}", server.log());
        }
        (status, body)
    }

    /// Waits until the proxy has noted a tunnel, which it does when it closes.
    async fn passed(&self) {
        until(20, || {
            let passed = self.squid.passed();
            if passed.contains(&format!("CONNECT {AES}:")) {
                Ok(())
            } else {
                Err(passed)
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_a_proxy_that_wants_a_login_reaches_aes_through_it() {
    let options = SquidOptions {
        password: true,
        ..SquidOptions::default()
    };
    let behind = Behind::proxy(options).await;
    std::fs::write(behind.hospital.path("proxy-password"), format!("{PROXY_PASSWORD}\n")).unwrap();
    let (host, port) = behind.address();
    let password = behind.hospital.text("proxy-password");
    let settings = |login: &'static str| {
        [
            ("PROXY_HOST", host.as_str()),
            ("PROXY_PORT", port.as_str()),
            ("PROXY_USERNAME", PROXY_USER),
            ("PROXY_PASSWORD_FILE", password.as_str()),
            ("PROXY_AUTH_REQUIRED", login),
        ]
    };
    let (status, document) = behind.answer(&settings("true")).await;
    assert_eq!(status, StatusCode::CREATED, "{document}");
    behind.passed().await;
    let (status, problem) = behind.answer(&settings("false")).await;
    assert!(!status.is_success() && problem_code(&problem) == "net-proxy", "{problem}");
    let mut idle = behind.variables.clone();
    idle.extend(settings("false").map(|(name, value)| (name.to_owned(), value.to_owned())));
    let said = String::from_utf8(run(&["--check"], &idle).stdout).unwrap();
    assert!(
        said.contains("note: PROXY_USERNAME and PROXY_PASSWORD change nothing: PROXY_AUTH_REQUIRED is not true"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_proxy_counts_unless_the_settings_say_otherwise() {
    let behind = Behind::proxy(SquidOptions::default()).await;
    let url = behind.squid.url(false);
    let (host, port) = behind.address();
    let machine = ("HTTPS_PROXY", url.as_str());
    // Directly nobody knows where it is: that is how going past the proxy shows.
    for settings in [
        &[machine, ("PROXY_USE_SYSTEM", "false")][..],
        &[machine, ("PROXY_USE_SYSTEM", "true"), ("NO_PROXY", ".hospital.example")],
        &[
            ("PROXY_HOST", host.as_str()),
            ("PROXY_PORT", port.as_str()),
            ("NO_PROXY", "kms.hospital.example, .hospital.example"),
        ],
    ] {
        let (status, problem) = behind.answer(settings).await;
        assert!(
            !status.is_success() && problem_code(&problem) == "net-resolve",
            "{settings:?}: {problem}"
        );
        assert!(
            !behind.squid.passed().contains("CONNECT"),
            "{settings:?}: {}",
            behind.squid.passed()
        );
    }
    let (status, document) = behind.answer(&[machine, ("PROXY_USE_SYSTEM", "true")]).await;
    assert_eq!(status, StatusCode::CREATED, "{document}");
    behind.passed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_come_by_key_or_certificate_in_the_name_of_the_physicians_they_may_act_for() {
    let hospital = Hospital::open().await;
    let key = "k".repeat(43);
    let hash = sha256(&key);
    let by_key = format!("[[client]]\nname = \"mirth\"\nkey_sha256 = \"{hash}\"\nphysicians = [\"1900000001\"]\n");
    let by_certificate = format!(
        "[[client]]\nname = \"lab\"\ncertificate_sha256 = \"{}\"\n",
        hospital.fingerprint("client.pem")
    );
    std::fs::write(hospital.path("clients.toml"), format!("{by_key}{by_certificate}")).unwrap();
    let mut variables = hospital.variables();
    variables.insert("ECONNECTOR_RELOAD_SECONDS".to_owned(), "1".to_owned());
    variables.insert("ECONNECTOR_CLIENTS_FILE".to_owned(), hospital.text("clients.toml"));
    variables.insert("ECONNECTOR_CLIENT_CA_FILE".to_owned(), hospital.text("ca.pem"));
    let server = Server::start(&hospital, &variables).await;
    let send = async |client: &reqwest::Client, headers: &[(&str, &str)]| {
        let mut request = client
            .post(format!("{}/econnector/v1/documents", server.url))
            .json(&hospital.note(Uuid::new_v4()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        Ok::<_, reqwest::Error>((answer.status().as_u16(), answer.json::<Value>().await?))
    };
    let plain = hospital.client(None);
    let listed = hospital.client(Some("client.pem"));
    let physician = ("X-EConnector-Physician", "1900000001");
    let right = ("X-EConnector-Key", key.as_str());

    let (status, document) = send(&plain, &[right, physician]).await.unwrap();
    assert_eq!(status, 201, "{document}");
    let (status, document) = send(&listed, &[physician]).await.unwrap();
    assert_eq!(status, 201, "{document}");
    assert_eq!(server.metric("econnector_token_exchanges_total{result=\"miss\"}").await, Some(1.0));
    assert!(server.metric("econnector_token_exchanges_total{result=\"hit\"}").await.unwrap() >= 1.0);

    for (client, headers, status, code) in [
        (&plain, &[physician][..], 401, "token-missing"),
        (&plain, &[("X-EConnector-Key", "guess"), physician], 401, "client-key-wrong"),
        (&plain, &[("X-EConnector-Key", ""), physician], 401, "client-key-wrong"),
        (&plain, &[right], 400, "physician-header"),
        (&plain, &[right, ("X-EConnector-Physician", "19000000O1")], 400, "physician-header"),
        (
            &plain,
            &[right, ("X-EConnector-Physician", "1900000002")],
            403,
            "physician-not-allowed",
        ),
        (
            &listed,
            &[("X-EConnector-Physician", "9999999999"), ("Accept-Language", "en")],
            403,
            "exchange-denied",
        ),
        (
            &hospital.client(Some("unlisted.pem")),
            &[physician],
            403,
            "client-certificate-unknown",
        ),
    ] {
        let (answered, problem) = send(client, headers).await.unwrap();
        assert_eq!((answered, problem_code(&problem)), (status, code), "{problem}");
        // AeS does not tell the two apart: whoever reads only this must not look for one of them alone.
        if code == "exchange-denied" {
            for cause in ["this client may not exchange tokens", "eHealthID is not known"] {
                assert!(problem["detail"].as_str().unwrap().contains(cause), "{cause}: {problem}");
            }
        }
    }
    // A second header that says who calls: none of the two counts.
    let token = hospital.token().await;
    let bearer = format!("Bearer {token}");
    for (name, first, second) in [
        ("Authorization", bearer.as_str(), "Bearer e30.e30.e30"),
        ("Authorization", bearer.as_str(), bearer.as_str()),
        ("X-EConnector-Key", key.as_str(), "guess"),
        ("X-Request-Id", "mirth-000001", "mirth-000002"),
    ] {
        let mut headers = vec![(name, first), (name, second)];
        if name == "X-Request-Id" {
            headers.extend([right, physician]);
        }
        let (answered, problem) = send(&plain, &headers).await.unwrap();
        assert_eq!((answered, problem_code(&problem)), (400, "header-repeated"), "{name}: {problem}");
    }
    // Whoever is refused while still sending sees why, not a closed connection.
    let large = plain
        .post(format!("{}/econnector/v1/verifications", server.url))
        .header("X-EConnector-Key", "guess")
        .header("Content-Type", "application/pdf")
        .body(vec![b'x'; 8 * 1024 * 1024]);
    assert_eq!(large.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    // A certificate of another authority does not even come to a request.
    assert!(send(&hospital.client(Some("stranger.pem")), &[physician]).await.is_err());
    assert!(server.metric("econnector_handshake_failures_total").await.unwrap() >= 1.0);
    // A token wins over whatever stands beside it.
    let (status, _) = send(&plain, &[("Authorization", &bearer), ("X-EConnector-Key", "guess")])
        .await
        .unwrap();
    assert_eq!(status, 201);

    // The file is read again: who is taken out is out, while the server runs.
    std::fs::write(hospital.path("clients.toml"), by_certificate).unwrap();
    let begun = Instant::now();
    while send(&plain, &[right, physician]).await.unwrap().0 != 401 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the key still opens");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = server.log();
    for secret in [key.as_str(), "guess", token.as_str(), hospital.field("client_secret")] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    let clients: Vec<Value> = server.lines().into_iter().map(|line| line["client"].clone()).collect();
    for name in ["mirth", "lab", "bearer", "-"] {
        assert!(clients.contains(&name.into()), "{name} in {clients:?}");
    }
}

/// The line that says how the first work on a document ended.
fn end_of(server: &Server, document: Uuid) -> Value {
    let lines = server.lines().into_iter();
    let mut of_it = lines.filter(|line| line["document"] == document.to_string());
    of_it.next().unwrap_or_else(|| panic!("{document}: {}", server.log()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_leaves_one_line_with_its_id_and_no_value() {
    let hospital = Hospital::open().await;
    let server = Server::start(&hospital, &hospital.variables()).await;
    let client = hospital.client(None);
    let token = hospital.token().await;
    let id = Uuid::new_v4();
    let post = |request_id: &'static str| {
        let request = client.post(format!("{}/econnector/v1/documents", server.url)).bearer_auth(&token);
        request.header("X-Request-Id", request_id).json(&hospital.note(id)).send()
    };
    let answer = post("mirth-message-42").await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "mirth-message-42");
    let correlation_id = answer.json::<Value>().await.unwrap()["receipt"]["correlation_id"].clone();
    assert!(correlation_id.is_string());
    // What might be a patient's number is not taken over.
    let replaced = post("1988123048083").await.unwrap().headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(Uuid::parse_str(&replaced).is_ok());
    let lost = client.get(format!("{}/econnector/v1/documents/{}?patient=Quadflieg", server.url, Uuid::nil()));
    assert_eq!(lost.bearer_auth(&token).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let nowhere = client
        .get(format!("{}/econnector/Quadflieg/1988123048083", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    assert!(nowhere.headers().contains_key("x-request-id"));

    // The sample channel's request id is the document's: one search finds both.
    let channel = std::fs::read_to_string(project_file("samples/mirth/channel.xml")).unwrap();
    let compact: String = channel.split_whitespace().collect();
    assert!(compact.contains("<string>X-Request-Id</string><list><string>${id}</string></list>"));
    let lost_id = Uuid::new_v4();
    hospital
        .control()
        .fault(json!({ "service": "mysecu", "kind": "drop", "after": true, "count": 1 }))
        .await;
    let request = client.post(format!("{}/econnector/v1/documents", server.url)).bearer_auth(&token);
    let request = request.header("X-Request-Id", lost_id.to_string()).json(&hospital.note(lost_id));
    let unknown = request.send().await.unwrap();
    assert_eq!(problem_code(&unknown.json().await.unwrap()), "mysecu-outcome-unknown");

    // What became of each document: found by its id, without a word about anybody.
    let deposited = end_of(&server, id);
    assert_eq!(
        (&deposited["action"], &deposited["state"]),
        (&json!("deposit"), &json!("deposited"))
    );
    assert_eq!(
        (&deposited["level"], &deposited["correlation_id"]),
        (&json!("INFO"), &correlation_id)
    );
    assert!(deposited["reference"].is_string() && deposited["span"]["request_id"] == "mirth-message-42");
    let open = end_of(&server, lost_id);
    assert_eq!((&open["level"], &open["code"]), (&json!("WARN"), &json!("mysecu-outcome-unknown")));
    assert_eq!(open["span"]["request_id"], lost_id.to_string());

    let lines: Vec<Value> = server.lines().into_iter().filter(|line| line["message"] == "request").collect();
    let line = |request_id: &str| {
        lines
            .iter()
            .find(|line| line["request_id"] == request_id)
            .unwrap_or_else(|| panic!("{lines:?}"))
    };
    let first = line("mirth-message-42");
    assert_eq!(first["route"], "/econnector/v1/documents");
    assert_eq!((&first["method"], &first["status"]), (&json!("POST"), &json!(201)));
    assert_eq!(first["correlation_id"], correlation_id);
    assert!(first["ms"].is_u64() && first["client"] == "bearer");
    assert_eq!(line(&replaced)["status"], 200);
    let unknown = lines.iter().find(|line| line["route"] == "/econnector/v1/documents/{id}").unwrap();
    assert_eq!(unknown["code"], "document-unknown");
    assert!(lines.iter().any(|line| line["route"] == "-" && line["code"] == "route-unknown"));
    let log = server.log();
    for value in ["Quadflieg", "1988123048083", &id.to_string(), &Uuid::nil().to_string()] {
        let in_a_line = log
            .lines()
            .filter(|line| line.contains("\"message\":\"request\""))
            .any(|line| line.contains(value));
        assert!(!in_a_line, "{value}: {log}");
    }
    assert!(!log.contains("Quadflieg") && !log.contains("1988123048083"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_authority_is_no_time_of_our_own() {
    let hospital = Hospital::open().await;
    let server = Server::start(&hospital, &hospital.variables()).await;
    let token = hospital.token().await;
    let send = async || {
        let request = hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
        let request = request.bearer_auth(&token).json(&hospital.note(Uuid::new_v4()));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED);
    };
    let spent = async || {
        let seconds = async |whose: &str| {
            let sample = format!("econnector_{whose}_seconds_sum{{action=\"deposit\",kind=\"ecit\"}}");
            server.metric(&sample).await.unwrap_or_else(|| panic!("{sample}"))
        };
        (seconds("own").await, seconds("remote").await)
    };
    // The first one prepares what all others find prepared: it is not the one to be measured.
    send().await;
    let before = spent().await;
    hospital
        .control()
        .fault(json!({ "service": "mysecu", "kind": "delay", "ms": 2000, "count": 1, "path": "syncexchange" }))
        .await;
    send().await;
    let after = spent().await;
    let (own, remote) = (after.0 - before.0, after.1 - before.1);
    assert!(remote >= 2.0 && own > 0.0 && own < remote, "own {own}, remote {remote}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_slow_or_gone_makes_nobody_unready() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    let clients = format!("[[client]]\nname = \"mirth\"\nkey_sha256 = \"{}\"\n", sha256("key"));
    std::fs::write(hospital.path("clients.toml"), clients).unwrap();
    for (name, value) in [
        ("ECONNECTOR_CLIENT_SECRET", "wrong"),
        ("ECONNECTOR_CLIENTS_FILE", hospital.text("clients.toml").as_str()),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let server = Server::start(&hospital, &variables).await;
    let client = hospital.client(None);
    let document = client
        .post(format!("{}/econnector/v1/documents", server.url))
        .header("X-EConnector-Key", "key")
        .header("X-EConnector-Physician", "1900000001")
        .json(&hospital.note(Uuid::new_v4()));
    let refused: Value = document.send().await.unwrap().json().await.unwrap();
    assert_eq!(problem_code(&refused), "exchange-client-refused");
    for service in ["aes", "kms", "mysecu"] {
        hospital.control().fault(json!({ "service": service, "kind": "drop" })).await;
    }
    let status = client.get(format!("{}/econnector/status", server.url)).send().await.unwrap();
    assert_eq!(status.status(), StatusCode::SERVICE_UNAVAILABLE, "the status says it");
    let status: Value = status.json().await.unwrap();
    let checks = status["checks"].as_array().unwrap().iter();
    let failing: Vec<&str> = checks
        .filter(|check| check["ok"] == false)
        .filter_map(|check| check["name"].as_str())
        .collect();
    assert_eq!(failing, ["aes", "kms", "mysecu", "exchange"], "{status}");
    for path in ["/econnector/health/ready", "/econnector/health/live"] {
        for base in [&server.url, &server.management] {
            let answer = client.get(format!("{base}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{base}{path}");
        }
    }
    assert_eq!(server.metric("econnector_ready").await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_turned_away_at_once_and_what_was_sent_can_be_asked_for() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    for (name, value) in [
        ("ECONNECTOR_PARALLEL", "1"),
        ("ECONNECTOR_QUEUE", "0"),
        ("ECONNECTOR_PER_CALLER", "2"),
        ("ECONNECTOR_ANSWER_SECONDS", "2"),
        ("ECONNECTOR_BODY_SECONDS", "1"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let server = Server::start(&hospital, &variables).await;
    let client = hospital.client(None);
    let tokens = (hospital.token().await, hospital.control().token_of("1900000002").await);
    let post = |token: &str, id: Uuid| {
        let request = client.post(format!("{}/econnector/v1/documents", server.url));
        request.bearer_auth(token).json(&hospital.note(id)).send()
    };
    // Nothing is cached yet: the first document is not the one to be measured, and on a busy machine it takes more than its time.
    let (first, begun) = (Uuid::new_v4(), Instant::now());
    while !post(&tokens.0, first).await.unwrap().status().is_success() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the first document arrives");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    hospital
        .control()
        .fault(json!({ "service": "mysecu", "kind": "delay", "ms": 12000, "count": 1, "path": "syncexchange" }))
        .await;
    let id = Uuid::new_v4();
    let slow = tokio::spawn(post(&tokens.0, id));
    server.until(TAKEN, |turns| turns == 1.0).await;

    // The one turn is taken, and nobody may wait.
    let busy = post(&tokens.1, Uuid::new_v4()).await.unwrap();
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(problem_code(&busy.json().await.unwrap()), "server-busy");
    // Whoever asks how far a document is never waits behind the work.
    let progress = |id: Uuid| {
        let request = client.get(format!("{}/econnector/v1/documents/{id}", server.url));
        request.bearer_auth(&tokens.0).send()
    };
    assert_eq!(progress(id).await.unwrap().status(), StatusCode::OK);

    let late = slow.await.unwrap().unwrap();
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(late.headers()["retry-after"], "5");
    assert_eq!(problem_code(&late.json().await.unwrap()), "answer-too-slow");
    // He was told so, and his work goes on: what it takes is not given to the next.
    assert_eq!(server.metric(TAKEN).await, Some(1.0));
    assert_eq!(
        post(&tokens.1, Uuid::new_v4()).await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    // What was on its way arrived, once, and its id says so.
    let begun = Instant::now();
    while progress(id).await.unwrap().json::<Value>().await.unwrap()["state"] != "deposited" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the deposit went on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.until(TAKEN, |turns| turns == 0.0).await;
    assert_eq!(post(&tokens.0, id).await.unwrap().status(), StatusCode::OK);
    assert_eq!(hospital.control().exchanges().await.len(), 2);

    // One caller's share.
    let trickle = || slowly(&server.url, &tokens.0, &hospital);
    let (first, second) = (tokio::spawn(trickle()), tokio::spawn(trickle()));
    server.until(IN_FLIGHT, |requests| requests == 2.0).await;
    let many = progress(id).await.unwrap();
    assert_eq!(many.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(many.headers().contains_key("retry-after"));
    assert_eq!(problem_code(&many.json().await.unwrap()), "too-many-requests");
    let other = client
        .get(format!("{}/econnector/v1/journal", server.url))
        .bearer_auth(&tokens.1)
        .send();
    assert_eq!(other.await.unwrap().status(), StatusCode::OK, "another caller has its own share");
    for slow in [first, second] {
        let said = slow.await.unwrap();
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("request-too-slow"), "{said}");
        assert!(said.contains("retry-after: 5\r\n"), "{said}");
    }
    // Tokens that somebody invented, each another, have one share together, and none of those who are known.
    let invented = ["e30.e30.e30", "e30.e30.e31"].map(|token| tokio::spawn(slowly(&server.url, token, &hospital)));
    server.until(IN_FLIGHT, |requests| requests == 2.0).await;
    let third = client.get(format!("{}/econnector/v1/forms", server.url)).bearer_auth("e30.e30.e32");
    assert_eq!(third.send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(progress(id).await.unwrap().status(), StatusCode::OK);
    for slow in invented {
        assert!(slow.await.unwrap().starts_with("HTTP/1.1 408 "));
    }
    for reason in ["busy", "caller", "body", "answer"] {
        let sample = format!("econnector_rejected_total{{reason=\"{reason}\"}}");
        assert!(server.metric(&sample).await.unwrap() >= 1.0, "{reason}");
    }
}

/// Sends a document and hangs up as soon as it is worked on, and waits until the server has seen that.
async fn sent_and_gone(server: &Server, request: reqwest::RequestBuilder) {
    let gone = "econnector_requests_total{route=\"/econnector/v1/documents\",method=\"POST\",status=\"499\"}";
    let sending = tokio::spawn(request.send());
    server.until(TAKEN, |turns| turns == 1.0).await;
    sending.abort();
    server.until(gone, |requests| requests >= 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_gets_nothing_back_before_the_work_has_ended() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    for (name, value) in [
        ("ECONNECTOR_PARALLEL", "1"),
        ("ECONNECTOR_QUEUE", "0"),
        ("ECONNECTOR_PER_CALLER", "1"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let server = Server::start(&hospital, &variables).await;
    let client = hospital.client(None);
    let tokens = (hospital.token().await, hospital.control().token_of("1900000002").await);
    let post = |token: &str, id: Uuid| {
        let request = client.post(format!("{}/econnector/v1/documents", server.url));
        request.bearer_auth(token).json(&hospital.note(id))
    };
    let warm = post(&tokens.0, Uuid::new_v4()).send().await.unwrap();
    assert_eq!(warm.status(), StatusCode::CREATED);
    hospital
        .control()
        .fault(json!({ "service": "mysecu", "kind": "delay", "ms": 4000, "count": 1, "path": "syncexchange" }))
        .await;
    let id = Uuid::new_v4();
    sent_and_gone(&server, post(&tokens.0, id)).await;
    // His document is worked on: his place, and the one turn, are taken.
    let again = post(&tokens.0, Uuid::new_v4()).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::TOO_MANY_REQUESTS);
    let other = post(&tokens.1, Uuid::new_v4()).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem_code(&other.json().await.unwrap()), "server-busy");
    assert_eq!(server.metric(TAKEN).await, Some(1.0));
    // And then they are free.
    server.until(TAKEN, |turns| turns == 0.0).await;
    let answer = post(&tokens.0, id).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "deposited once, and known");
    assert_eq!(hospital.control().exchanges().await.len(), 2);
}

/// A caller that sends the head of a request and then almost nothing; what it hears.
fn slowly(url: &str, token: &str, hospital: &Hospital) -> impl Future<Output = String> + use<> {
    let port = url.rsplit(':').next().unwrap().to_owned();
    let (token, ca) = (token.to_owned(), hospital.text("ca.pem"));
    async move {
        let connection = tokio::process::Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-no_ign_eof",
                "-CAfile",
                &ca,
                "-connect",
                &format!("127.0.0.1:{port}"),
            ])
            .args(["-servername", "localhost", "-verify_hostname", "localhost"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut connection = connection.unwrap();
        let mut input = connection.stdin.take().unwrap();
        let head = format!(
            "POST /econnector/v1/documents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{"
        );
        tokio::io::AsyncWriteExt::write_all(&mut input, head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let mut output = connection.stdout.take().unwrap();
        let reading = tokio::io::AsyncReadExt::read_to_string(&mut output, &mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(10), reading).await;
        drop(input);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_headers_and_bodies_end_at_the_door() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    variables.insert("ECONNECTOR_CONNECTIONS".to_owned(), "20".to_owned());
    let server = Server::start(&hospital, &variables).await;
    let token = hospital.token().await;
    let refused = async |request: reqwest::RequestBuilder, expected: StatusCode| match request.send().await {
        // The connection may be cut before the answer is read.
        Err(_) => {}
        Ok(answer) => assert_eq!(answer.status(), expected),
    };
    let two = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&std::fs::read(hospital.path("ca.pem")).unwrap()).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    for client in [hospital.client(None), two] {
        let mut many = client.get(format!("{}/econnector/v1/forms", server.url));
        for number in 0..500 {
            many = many.header(format!("x-flood-{number}"), "x".repeat(100));
        }
        refused(many, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await;
        let long = client
            .get(format!("{}/econnector/v1/forms", server.url))
            .header("x-long", "x".repeat(200_000));
        refused(long, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).await;
        // A body that is too large is passed over, so that its sender sees why.
        let post = |path: &str, size: usize| {
            let request = client.post(format!("{}/econnector/v1/{path}", server.url));
            request.body(vec![b'x'; size])
        };
        let largest = post("signatures", 20 * 1024 * 1024).bearer_auth(&token).send().await.unwrap();
        assert_eq!(largest.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let stranger = post("forms/ecit/check", 4 * 1024 * 1024);
        assert_eq!(stranger.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
        // A header does not make a caller of a stranger; a token that holds would.
        let invented = post("signatures", 4 * 1024 * 1024).bearer_auth("e30.e30.e30");
        let refused = invented.send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(problem_code(&refused.json().await.unwrap()), "token-invalid");
    }
    // Connections that say nothing take places, and the places are counted: one address has a quarter of them.
    let port: u16 = server.url.rsplit(':').next().unwrap().parse().unwrap();
    let idle: Vec<std::net::TcpStream> = (0..40)
        .filter_map(|_| std::net::TcpStream::connect(("127.0.0.1", port)).ok())
        .collect();
    let turned_away = "econnector_rejected_total{reason=\"connections\"}";
    server.until(turned_away, |connections| connections >= 30.0).await;
    let anchor = reqwest::Certificate::from_pem(&std::fs::read(hospital.path("ca.pem")).unwrap()).unwrap();
    let elsewhere = reqwest::Client::builder()
        .tls_certs_only([anchor])
        .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
        .no_proxy()
        .build()
        .unwrap();
    let forms = |client: &reqwest::Client| client.get(format!("{}/econnector/v1/forms", server.url)).send();
    assert_eq!(
        forms(&elsewhere).await.unwrap().status(),
        StatusCode::OK,
        "the door is open to others"
    );
    drop(idle);
    let begun = Instant::now();
    loop {
        let answer = forms(&hospital.client(None)).await;
        if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "the door opens again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(server.metric("process_resident_memory_bytes").await.unwrap() > 1e6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_stop_says_so_and_finishes_what_is_under_way() {
    let hospital = Hospital::open().await;
    let mut variables = hospital.variables();
    variables.insert("ECONNECTOR_DRAIN_DELAY_SECONDS".to_owned(), "1".to_owned());
    let mut server = Server::start(&hospital, &variables).await;
    let client = hospital.client(None);
    let token = hospital.token().await;
    hospital
        .control()
        .fault(json!({ "service": "mysecu", "kind": "delay", "ms": 3000, "count": 1, "path": "syncexchange" }))
        .await;
    let request = client.post(format!("{}/econnector/v1/documents", server.url));
    let under_way = tokio::spawn(request.bearer_auth(&token).json(&hospital.note(Uuid::new_v4())).send());
    server.until(TAKEN, |turns| turns == 1.0).await;
    server.signal("TERM");
    let begun = Instant::now();
    let ready = loop {
        let ready = client.get(format!("{}/econnector/health/ready", server.management)).send();
        let ready = ready.await.unwrap();
        if ready.status() == StatusCode::SERVICE_UNAVAILABLE {
            break ready;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(ready.json::<Value>().await.unwrap()["reasons"], json!(["draining"]));
    let still = hospital
        .client(None)
        .get(format!("{}/econnector/v1/forms", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(still.status(), StatusCode::OK, "so long the load balancer may still send");
    assert_eq!(under_way.await.unwrap().unwrap().status(), StatusCode::CREATED);
    let ended = until(20, || server.child.try_wait().unwrap().ok_or_else(|| "still there".to_owned())).await;
    assert!(ended.success(), "{ended}: {}", server.log());
    assert!(hospital.client(None).get(&server.url).send().await.is_err(), "the door is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_stop_finishes_what_nobody_waits_for() {
    let hospital = Hospital::open().await;
    let token = hospital.token().await;
    for (delay, drain, said) in [(3000, "60", "nothing is under way"), (8000, "1", "with work under way")] {
        let mut variables = hospital.variables();
        variables.insert("ECONNECTOR_DRAIN_SECONDS".to_owned(), drain.to_owned());
        let mut server = Server::start(&hospital, &variables).await;
        hospital
            .control()
            .fault(json!({ "service": "mysecu", "kind": "delay", "ms": delay, "count": 1, "path": "syncexchange" }))
            .await;
        let request = hospital.client(None).post(format!("{}/econnector/v1/documents", server.url));
        let id = Uuid::new_v4();
        sent_and_gone(&server, request.bearer_auth(&token).json(&hospital.note(id))).await;
        server.signal("TERM");
        let ended = until(20, || server.child.try_wait().unwrap().ok_or_else(|| "still there".to_owned())).await;
        assert!(ended.success(), "{ended}: {}", server.log());
        let lines = server.lines();
        let says = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(said));
        assert!(lines.iter().any(says), "{lines:?}");
        // Nobody waits for it any more, and it is found all the same.
        let gone = lines.iter().find(|line| line["status"] == 499).unwrap();
        assert_eq!(gone["client"], "bearer");
        let ended = end_of(&server, id);
        assert_eq!(ended["span"]["request_id"], gone["request_id"], "{ended}");
        let how = if drain == "60" { "ended" } else { "cut off before its end" };
        assert!(ended["message"].as_str().unwrap().starts_with(how), "{ended}");
        if drain == "60" {
            let exchanges = hospital.control().exchanges().await;
            assert_eq!(exchanges.len(), 1);
            assert_eq!(exchanges[0]["outcome"], "accepted");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_would_leave_no_image_of_the_memory() {
    let hospital = Hospital::open().await;
    let server = Server::start(&hospital, &hospital.variables()).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debug_log_has_more_lines_and_still_names_nobody() {
    let hospital = Hospital::open().await;
    let token = hospital.token().await;
    let lines_of = async |debug: &str| {
        let mut variables = hospital.variables();
        variables.insert("DEBUG_LOG".to_owned(), debug.to_owned());
        let server = Server::start(&hospital, &variables).await;
        let client = hospital.client(None);
        let send = |body: Value| {
            let request = client.post(format!("{}/econnector/v1/documents", server.url));
            request.bearer_auth(&token).json(&body).send()
        };
        assert_eq!(send(hospital.note(Uuid::new_v4())).await.unwrap().status(), StatusCode::CREATED);
        let mut wrong = sick_note(json!({}));
        wrong.insert("last_day".to_owned(), "2020-01-01".into());
        let refused = send(json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": wrong }))
            .await
            .unwrap();
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let log = server.log();
        let mut secrets = about_the_patient(&sick_note(json!({})));
        assert!(secrets.len() >= 2);
        secrets.extend([token.clone(), hospital.field("client_secret").to_owned()]);
        for secret in secrets {
            assert!(!log.contains(&secret), "{secret} in the log");
        }
        server.lines().into_iter().filter(|line| line["level"] == "DEBUG").count()
    };
    assert_eq!(lines_of("no").await, 0);
    let lines = lines_of("yes").await;
    assert!(lines >= 4, "each answer of an authority: {lines}");
}

/// Everything that a dashboard asks Prometheus.
fn expressions(part: &Value, into: &mut Vec<String>) {
    match part {
        Value::Object(fields) => {
            into.extend(fields.get("expr").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|field| expressions(field, into));
        }
        Value::Array(parts) => parts.iter().for_each(|part| expressions(part, into)),
        _ => {}
    }
}

/// Metric names in a text: the words that begin as ours do, without what a histogram adds.
fn metric_names(text: &str) -> std::collections::BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("econnector_") || word.starts_with("process_"))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_reads_the_metrics_and_dashboard_and_rules_ask_only_for_those_there_are() {
    let hospital = Hospital::open().await;
    let server = Server::start(&hospital, &hospital.variables()).await;
    let client = hospital.client(None);
    let token = hospital.token().await;
    let send = |body: &Value| {
        let request = client.post(format!("{}/econnector/v1/documents", server.url));
        request.bearer_auth(&token).json(body).send()
    };
    let note = hospital.note(Uuid::new_v4());
    assert_eq!(send(&note).await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(send(&note).await.unwrap().status(), StatusCode::OK);
    let wrong = json!({ "id": Uuid::new_v4(), "kind": "ecit", "values": {} });
    assert_eq!(send(&wrong).await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);

    // An outcome that nobody knows is counted, from a beginning that monitoring has seen.
    let unknown = "econnector_outcomes_unknown_total";
    assert_eq!(server.metric(unknown).await, Some(0.0));
    let lost = json!({ "service": "mysecu", "kind": "drop", "after": true, "count": 1, "path": "syncexchange" });
    hospital.control().fault(lost).await;
    let answer = send(&hospital.note(Uuid::new_v4())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(problem_code(&answer.json().await.unwrap()), "mysecu-outcome-unknown");
    assert_eq!(server.metric(unknown).await, Some(1.0));

    let text = server.metrics().await;
    let over_https = client.get(format!("{}/metrics", server.url)).send().await.unwrap();
    assert!(
        over_https.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    for code in ["ok", "recorded", "values-wrong"] {
        let sample = format!("econnector_outcomes_total{{action=\"deposit\",kind=\"ecit\",code=\"{code}\"}} 1");
        assert!(text.contains(&sample), "{sample} in {text}");
    }
    assert!(
        text.contains("econnector_requests_total{route=\"/econnector/v1/documents\",method=\"POST\",status=\"201\"} 1"),
        "{text}"
    );
    for identity in [hospital.field("ehealth_id"), hospital.field("provider_code"), "1988123048083"] {
        assert!(!text.contains(identity), "{identity}");
    }
    let file = hospital.path("metrics.txt");
    std::fs::write(&file, &text).unwrap();
    let judged = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap_or_else(|error| panic!("promtool: {error}: `cargo xtask test` installs it"));
    assert!(
        judged.status.success(),
        "{}{}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );

    let folder = project_file("installer/monitoring");
    let rules = folder.join("rules.yaml");
    assert!(judge("promtool", &["check", "rules", rules.to_str().unwrap()]).contains("SUCCESS"));
    let tests = folder.join("rules.test.yaml");
    assert!(judge("promtool", &["test", "rules", tests.to_str().unwrap()]).contains("SUCCESS"));
    assert!(judge("promtool", &["check", "config", folder.join("scrape.yaml").to_str().unwrap()]).contains("SUCCESS"));
    let known: std::collections::BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .map(ToOwned::to_owned)
        .collect();
    for file in ["rules.yaml", "dashboard.json"] {
        let asked = metric_names(&std::fs::read_to_string(folder.join(file)).unwrap());
        assert!(asked.len() > 5);
        let unknown: Vec<&String> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}; there are {known:?}");
    }
    // What the dashboard asks is judged as rules are: with its variables as Grafana fills them in. JSON is YAML too.
    let dashboard: Value = serde_json::from_slice(&std::fs::read(folder.join("dashboard.json")).unwrap()).unwrap();
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() > 20, "{asked:?}");
    let asked_as_rules = |change: fn(&str) -> String| {
        let rule = |(number, expression): (usize, &String)| json!({ "record": format!("panel:{number}"), "expr": change(expression) });
        let rules: Vec<Value> = asked.iter().enumerate().map(rule).collect();
        let file = hospital.path("dashboard-rules.yaml");
        let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
        std::fs::write(&file, groups.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let filled_in = |expression: &str| {
        let filled_in = expression.replace("$instance", ".*");
        assert!(
            !filled_in.contains('$'),
            "a variable that the dashboard does not have: {expression}"
        );
        filled_in
    };
    let said = judge("promtool", &["check", "rules", &asked_as_rules(filled_in)]);
    assert!(said.contains(&format!("SUCCESS: {} rules found", asked.len())), "{said}");
    let _ = judge_fails(
        "promtool",
        &["check", "rules", &asked_as_rules(|expression| format!("{expression} by"))],
    );
    // What /metrics has and the book does not explain is as good as absent.
    let book = std::fs::read_to_string(project_file("docs/hospital.md")).unwrap();
    for name in &known {
        assert!(book.contains(&format!("`{name}`")), "{name} in docs/hospital.md");
    }
}

#[test]
fn the_book_explains_every_variable_and_names_no_other() {
    let book = std::fs::read_to_string(project_file("docs/hospital.md")).unwrap();
    let mut source = String::new();
    for entry in std::fs::read_dir(project_file("crates/server/src")).unwrap().map(Result::unwrap) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        source.push_str(text.split("#[cfg(test)]").next().unwrap());
    }
    let is_variable = |word: &&str| {
        let shaped = word.len() > 5
            && word
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        shaped && word.contains('_')
    };
    let of_cargo = |word: &&str| word.starts_with("CARGO_");
    let read: std::collections::BTreeSet<&str> = source.split('"').filter(is_variable).filter(|word| !of_cargo(word)).collect();
    assert!(read.len() > 40, "{read:?}");
    let secrets: std::collections::BTreeSet<&str> = source
        .split("secret(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(secrets.len() >= 5 && secrets.is_subset(&read), "{secrets:?}");
    let is_known = |name: &str| read.contains(name) || name.strip_suffix("_FILE").is_some_and(|secret| secrets.contains(secret));
    for name in &read {
        assert!(book.contains(&format!("`{name}`")), "{name} in docs/hospital.md");
    }
    for name in book.split('`').filter(is_variable) {
        // Set in the image for the C library, and asked for by compose.yaml: not for this program.
        assert!(
            is_known(name) || ["MALLOC_ARENA_MAX", "KMS_URL"].contains(&name),
            "{name} is in docs/hospital.md and nobody reads it"
        );
    }
    // What an administrator copies: every key of the container's and the cluster's settings, those in comments too.
    let mut files = vec![
        ("installer/container/compose.yaml".to_owned(), 14),
        ("installer/kubernetes/base/configmap.yaml".to_owned(), 11),
    ];
    for overlay in std::fs::read_dir(project_file("installer/kubernetes/overlays"))
        .unwrap()
        .map(Result::unwrap)
    {
        let overlay = overlay.file_name().into_string().unwrap();
        files.push((format!("installer/kubernetes/overlays/{overlay}/settings.yaml"), 8));
    }
    for (file, at_least) in files {
        let text = std::fs::read_to_string(project_file(&file)).unwrap();
        let keys: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(':').map(|(key, _)| key.trim_start_matches([' ', '#'])))
            .filter(is_variable)
            .collect();
        assert!(keys.len() >= at_least, "{file}: {keys:?}");
        for name in keys {
            assert!(is_known(name), "{file} sets {name}, and nobody reads it");
        }
    }
}

#[test]
fn the_program_needs_the_c_library_and_nothing_else() {
    let said = judge("ldd", &[program().to_str().unwrap()]);
    for line in said.lines() {
        let library = line.trim().split(' ').next().unwrap().rsplit('/').next().unwrap();
        let known = [
            "linux-vdso",
            "linux-gate",
            "libc.",
            "libm.",
            "libgcc_s.",
            "libpthread.",
            "libdl.",
            "librt.",
            "ld-linux",
        ];
        assert!(known.iter().any(|start| library.starts_with(start)), "{line}");
    }
}
