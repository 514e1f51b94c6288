//! Starting, stopping, files, the fault switch.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use econnector_sandbox::{Sandbox, SandboxOptions};
use reqwest::StatusCode;
use serde_json::json;
use support::{client, control, discovery, fault, run, sandbox};

#[tokio::test]
async fn files_are_private_readable_by_openssl_and_gone_afterwards() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("sandbox");
    let sandbox = Sandbox::start(SandboxOptions {
        dir: dir.clone(),
        ..SandboxOptions::default()
    })
    .await
    .unwrap();
    let ready = sandbox.ready().clone();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let password = format!("pass:{}", ready.client_p12_password);
    let (read, said) = run(
        "openssl",
        &["pkcs12", "-in", ready.client_p12.to_str().unwrap(), "-passin", &password, "-nodes"],
    );
    assert!(
        read && said.contains("BEGIN PRIVATE KEY") && said.contains("cabinet-90000101"),
        "{said}"
    );
    let store = std::fs::read_to_string(&ready.truststore_pem).unwrap();
    assert_eq!(store.matches("BEGIN CERTIFICATE").count(), 3);
    let json = serde_json::to_value(&ready).unwrap();
    for field in [
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
        assert!(json[field].is_string(), "{field}");
    }
    assert_eq!(control(&ready, "/ready").await, json);

    let http = client(&ready);
    sandbox.stop().await;
    assert!(!dir.exists());
    assert!(http.get(format!("{}/faults", ready.control)).send().await.is_err());
}

#[tokio::test]
async fn it_is_reached_by_each_name_of_loopback() {
    let sandbox = sandbox().await;
    let http = client(sandbox.ready());
    let path = "/.well-known/openid-configuration";
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("{}{path}", sandbox.ready().issuer.replace("localhost", host));
        assert_eq!(http.get(url).send().await.unwrap().status(), StatusCode::OK, "{host}");
    }
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        let url = format!("{}{path}", sandbox.ready().issuer.replace("localhost", "[::1]"));
        assert_eq!(http.get(url).send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_fault_switch_counts_down_and_forgets() {
    let sandbox = sandbox().await;
    let (ready, http) = (sandbox.ready(), client(sandbox.ready()));
    let certificate = async || {
        http.post(format!("{}/api/v3/get-certificate", ready.kms))
            .json(&json!({}))
            .send()
            .await
    };

    assert_eq!(
        fault(ready, json!({"service": "kms", "kind": "delay", "ms": 300, "count": 1})).await,
        StatusCode::CREATED
    );
    assert_eq!(
        fault(ready, json!({"service": "kms", "kind": "garbage", "count": 2})).await,
        StatusCode::CREATED
    );
    assert_eq!(control(ready, "/faults").await.as_array().unwrap().len(), 2);
    let begun = Instant::now();
    let junk = certificate().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300) && junk.status() == StatusCode::OK);
    assert!(junk.text().await.unwrap().starts_with("<html>"));
    assert_eq!(control(ready, "/faults").await[0]["count"], 1);
    assert_eq!(certificate().await.unwrap().status(), StatusCode::OK);
    assert_eq!(certificate().await.unwrap().status(), StatusCode::UNAUTHORIZED, "used up");

    assert_eq!(fault(ready, json!({"service": "kms", "kind": "drop"})).await, StatusCode::CREATED);
    for _ in 0..3 {
        assert!(certificate().await.is_err(), "until deleted");
    }
    assert_eq!(
        http.delete(format!("{}/faults", ready.control)).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(certificate().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(discovery(ready, &http).await["issuer"], ready.issuer.as_str());

    for wrong in [
        json!({"service": "kms", "kind": "wrapped"}),
        json!({"service": "mysecu", "kind": "other_digest"}),
        json!({"service": "kms", "kind": "delay"}),
        json!({"service": "kms", "kind": "status", "status": 99}),
        json!({"service": "ihub", "kind": "drop"}),
        json!({"service": "kms", "kind": "drop", "count": 0}),
        json!({"service": "kms", "kind": "drop", "conut": 1}),
    ] {
        assert_eq!(fault(ready, wrong.clone()).await, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test]
async fn a_reset_forgets_records_and_faults_and_other_hosts_are_not_answered() {
    let sandbox = sandbox().await;
    let (ready, http) = (sandbox.ready(), client(sandbox.ready()));
    http.post(format!("{}/api/v3/get-certificate", ready.kms))
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    fault(ready, json!({"service": "aes", "kind": "drop"})).await;
    assert_eq!(control(ready, "/kms/calls").await.as_array().unwrap().len(), 1);
    assert_eq!(
        http.post(format!("{}/reset", ready.control)).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    for list in ["/kms/calls", "/faults", "/aes/events", "/mysecu/exchanges"] {
        assert_eq!(control(ready, list).await, json!([]), "{list}");
    }
    let rebound = http
        .get(format!("{}/mysecu/exchanges", ready.control))
        .header("Host", "attacker.test")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[cfg(unix)]
#[tokio::test]
async fn the_program_writes_its_ready_file_and_takes_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ready.json");
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_econnector-sandbox"))
        .arg("--ready-file")
        .arg(&file)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ready: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    rustls::crypto::ring::default_provider().install_default().ok();
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let control = plain
        .get(format!("{}/ready", ready["control"].as_str().unwrap()))
        .send()
        .await
        .unwrap();
    assert_eq!(control.json::<serde_json::Value>().await.unwrap(), ready);
    assert!(run("kill", &["-TERM", &program.id().unwrap().to_string()]).0);
    assert!(program.wait().await.unwrap().success());
    assert!(!file.exists() && !std::path::Path::new(ready["ca_pem"].as_str().unwrap()).exists());
}

#[test]
fn the_program_says_how_to_use_it() {
    let (content, said) = run(env!("CARGO_BIN_EXE_econnector-sandbox"), &["--what"]);
    assert!(
        !content && said.contains("usage: econnector-sandbox [--ready-file FILE] [--server PROGRAM]"),
        "{said}"
    );
}
