//! The login where a practice's network stands in between: a proxy, one that asks for a password, one that opens what is encrypted under
//! an authority that only the computer's own trust store knows. Through the finished program and somebody else's proxy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use econnector_tests::{Answer, Background, Installation, Squid, SquidOptions, StandIns, log_in_by_http, patiently};
use http::StatusCode;
use serde_json::json;

/// Nobody but the proxy knows where it is.
const NAME: &str = "aes.practice.example";
const SOFTWARE: &str = "Medistar";

/// AeS under another name than this computer's, and the trust store of a computer that knows it.
struct Network {
    stand_ins: StandIns,
    settings: String,
}

impl Network {
    async fn new() -> Self {
        let stand_ins = StandIns::start(|options| options.aes_host = NAME.to_owned()).await;
        let settings = stand_ins.settings(&Installation {
            environment: "integration",
            // The settings trust nobody in particular: it is the computer that does.
            anchors: false,
            ..Installation::default()
        });
        Self { stand_ins, settings }
    }

    fn authority(&self) -> &Path {
        &self.stand_ins.ready().ca_pem
    }

    /// The computer's trust store in one file, as `SSL_CERT_FILE` names it.
    fn store(&self, of: &[&Path]) -> PathBuf {
        let file = self.stand_ins.folder().join("store.pem");
        let all: Vec<String> = of.iter().map(|one| fs::read_to_string(one).unwrap()).collect();
        fs::write(&file, all.join("\n")).unwrap();
        file
    }

    /// The program on a computer with this proxy and this trust store.
    async fn program(&self, proxy: &str, store: (&str, &Path)) -> Background {
        let (variable, store) = store;
        let mut environment = vec![(variable, store.to_str().unwrap())];
        for name in ["HTTPS_PROXY", "https_proxy"] {
            environment.push((name, proxy));
        }
        for name in ["NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"] {
            environment.push((name, ""));
        }
        Background::start_with(&self.settings, &format!("software = [{SOFTWARE:?}]\n"), &environment).await
    }
}

/// Begins a login, which asks AeS where its pages are.
async fn begin(program: &Background) -> Answer {
    let software = program.practice(SOFTWARE).await;
    software.post("/econnector/v1/session/login", &json!({})).await
}

/// The whole login: beginning, the browser's part, and the code redeemed.
async fn log_in(program: &Background) {
    let begun = begin(program).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json());
    let url = begun.json()["login_url"].as_str().unwrap().to_owned();
    log_in_by_http(&url, "dr.weber", "weber", None).await;
    let software = program.practice(SOFTWARE).await;
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let session = software.get("/econnector/v1/session").await.json();
        if session["state"] == "logged_in" {
            return;
        }
        assert!(Instant::now() < until, "{session}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_system_is_used_for_the_login() {
    let network = Network::new().await;
    let squid = Squid::start(NAME, SquidOptions::default()).await;
    let store = network.store(&[network.authority()]);
    let program = network.program(&squid.url(false), ("SSL_CERT_FILE", &store)).await;
    log_in(&program).await;
    // A tunnel is noted when it closes.
    drop(program);
    let passed = format!("CONNECT {NAME}:");
    patiently(|| Some(()).filter(|()| squid.passed().contains(&passed))).await;
    // What is on this computer needs no proxy.
    assert!(!squid.passed().contains("CONNECT localhost"), "{}", squid.passed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_gets_it_and_without_it_that_is_said() {
    let network = Network::new().await;
    let options = SquidOptions {
        password: true,
        ..SquidOptions::default()
    };
    let squid = Squid::start(NAME, options).await;
    let store = network.store(&[network.authority()]);
    let program = network.program(&squid.url(true), ("SSL_CERT_FILE", &store)).await;
    log_in(&program).await;
    assert!(!program.log().contains(econnector_tests::PROXY_PASSWORD), "{}", program.log());
    drop(program);

    let program = network.program(&squid.url(false), ("SSL_CERT_FILE", &store)).await;
    let refused = begin(&program).await;
    assert_eq!(refused.json()["code"], "net-proxy", "{}", refused.json());
    assert_eq!(refused.json()["fault"], "network");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_opens_what_is_encrypted_works_when_the_computer_knows_it_and_else_it_is_said() {
    let network = Network::new().await;
    let options = SquidOptions {
        opens: Some(network.authority()),
        ..SquidOptions::default()
    };
    let squid = Squid::start(NAME, options).await;
    let inspection = squid.authority();

    // As one file.
    let store = network.store(&[network.authority(), &inspection]);
    let program = network.program(&squid.url(false), ("SSL_CERT_FILE", &store)).await;
    log_in(&program).await;
    let passed = squid.passed();
    assert!(
        passed.contains(&format!("https://{NAME}:")) && passed.contains("/token"),
        "opened: {passed}"
    );
    drop(program);

    // As a folder.
    let folder = network.stand_ins.folder().join("store");
    fs::create_dir(&folder).unwrap();
    fs::copy(network.authority(), folder.join("sandbox.pem")).unwrap();
    fs::copy(&inspection, folder.join("inspection.pem")).unwrap();
    let hashed = Command::new("openssl").arg("rehash").arg(&folder).status().unwrap();
    assert!(hashed.success());
    let program = network.program(&squid.url(false), ("SSL_CERT_DIR", &folder)).await;
    log_in(&program).await;
    drop(program);

    // The computer does not know it: nothing is sent, and the reason is named.
    let store = network.store(&[network.authority()]);
    let program = network.program(&squid.url(false), ("SSL_CERT_FILE", &store)).await;
    let refused = begin(&program).await.json();
    assert_eq!(
        (&refused["code"], &refused["fault"]),
        (&json!("net-tls-unknown-issuer"), &json!("network")),
        "{refused}"
    );
    let said = format!("{}{}", refused["detail"], refused["next"]).to_lowercase();
    assert!(said.contains("antivirus") && said.contains("proxy"), "{said}");
}
