//! The KMS, judged by OpenSSL.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use der::{
    Any, Encode,
    asn1::{OctetString, SetOfVec},
};
use econnector_sandbox::Ready;
use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{access_token, client, control, data, fault, issue, kms, once, run, sandbox, weber};
use x509_cert::attr::Attribute;

/// Signed attributes of a CMS signature over nothing in particular.
fn attributes() -> Vec<u8> {
    let attribute = |oid: const_oid::ObjectIdentifier, value: Any| Attribute {
        oid,
        values: SetOfVec::try_from(vec![value]).unwrap(),
    };
    let digest = OctetString::new(Sha256::digest("document").to_vec()).unwrap();
    let attributes = vec![
        attribute(
            const_oid::db::rfc5911::ID_CONTENT_TYPE,
            Any::encode_from(&const_oid::db::rfc5911::ID_DATA).unwrap(),
        ),
        attribute(const_oid::db::rfc5911::ID_MESSAGE_DIGEST, Any::encode_from(&digest).unwrap()),
    ];
    SetOfVec::try_from(attributes).unwrap().to_der().unwrap()
}

fn written(dir: &Path, name: &str, content: &[u8]) -> String {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn certificate_pem(dir: &Path, name: &str, der: &[u8]) -> String {
    let (der, pem) = (
        written(dir, &format!("{name}.der"), der),
        dir.join(name).to_str().unwrap().to_owned(),
    );
    assert!(run("openssl", &["x509", "-inform", "DER", "-in", &der, "-out", &pem]).0);
    pem
}

/// OpenSSL's verdict on a signer's certificate.
fn chains(ready: &Ready, pem: &str) -> bool {
    let (root, signing) = (ready.kms_root_pem.to_str().unwrap(), ready.kms_signing_ca_pem.to_str().unwrap());
    run("openssl", &["verify", "-x509_strict", "-CAfile", root, "-untrusted", signing, pem]).0
}

#[tokio::test]
async fn it_signs_for_the_physician_of_the_token() {
    let sandbox = sandbox().await;
    let (ready, dir) = (sandbox.ready(), tempfile::tempdir().unwrap());
    for (username, password, id, algorithm) in [
        ("dr.weber", "weber", "1900000001", "SHA256withRSA"),
        ("dr.muller", "muller", "1900000002", "SHA256withECDSA"),
    ] {
        let token = access_token(ready, username, password).await;
        let (status, answer) = kms(ready, "get-certificate", &token, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let pem = certificate_pem(dir.path(), username, &data(&answer));
        assert!(chains(ready, &pem), "{username}");
        let (_, subject) = run("openssl", &["x509", "-in", &pem, "-noout", "-subject", "-ext", "keyUsage"]);
        assert!(
            subject.contains(&format!("serialNumber = {id}")) && subject.contains("Non Repudiation"),
            "{subject}"
        );
        assert_eq!(answer["chain"].as_array().unwrap().len(), 2);

        let signed = attributes();
        let (status, answer) = kms(
            ready,
            "sign-data",
            &token,
            json!({"data": BASE64.encode(&signed), "algorithm": algorithm}),
        )
        .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let (_, key) = run("openssl", &["x509", "-in", &pem, "-noout", "-pubkey"]);
        let (key, signature) = (
            written(dir.path(), "key", key.as_bytes()),
            written(dir.path(), "signature", &data(&answer)),
        );
        let content = written(dir.path(), "content", &signed);
        let (verified, said) = run("openssl", &["dgst", "-sha256", "-verify", &key, "-signature", &signature, &content]);
        assert!(verified, "{said}");

        let other = if algorithm.ends_with("RSA") {
            "SHA256withECDSA"
        } else {
            "SHA256withRSA"
        };
        let (status, answer) = kms(
            ready,
            "sign-data",
            &token,
            json!({"data": BASE64.encode(&signed), "algorithm": other}),
        )
        .await;
        assert_eq!(
            (status, answer["code"].as_str()),
            (StatusCode::BAD_REQUEST, Some("KMS-400-ALGORITHM"))
        );
    }
    let calls = control(ready, "/kms/calls").await;
    assert_eq!(
        (&calls[0]["path"], &calls[0]["ehealth_id"], &calls[0]["status"]),
        (&json!("/api/v3/get-certificate"), &json!("1900000001"), &json!(200))
    );
}

#[tokio::test]
async fn it_refuses_whom_and_what_it_must() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let (status, answer) = kms(ready, "get-certificate", "no.such.token", json!({})).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("KMS-401")));
    let secretary = access_token(ready, "sec.klein", "klein").await;
    let (status, answer) = kms(ready, "get-certificate", &secretary, json!({})).await;
    assert_eq!((status, answer["code"].as_str()), (StatusCode::FORBIDDEN, Some("KMS-403")));

    let physician = access_token(ready, "dr.weber", "weber").await;
    let mut altered = physician.clone();
    altered.replace_range(altered.len() - 8..altered.len() - 4, "AAAA");
    assert_eq!(kms(ready, "get-certificate", &altered, json!({})).await.0, StatusCode::UNAUTHORIZED);
    for data in [
        "",
        "%",
        &BASE64.encode("a whole document"),
        &BASE64.encode(Sha256::digest("a document")),
        &BASE64.encode([0x31, 0]),
    ] {
        let (status, answer) = kms(ready, "sign-data", &physician, json!({"data": data, "algorithm": "SHA256withRSA"})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{data}: {answer}");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let options = econnector_sandbox::SandboxOptions {
        access_ttl: 0,
        ..Default::default()
    };
    let sandbox = econnector_sandbox::Sandbox::start(options).await.unwrap();
    let token = access_token(sandbox.ready(), "dr.weber", "weber").await;
    // It ends with the second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (status, answer) = kms(sandbox.ready(), "get-certificate", &token, json!({})).await;
    assert_eq!(
        (status, answer["message"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("token expired"))
    );
}

#[tokio::test]
async fn it_signs_for_whom_the_token_lists_and_for_nobody_else() {
    let sandbox = sandbox().await;
    let (ready, dir) = (sandbox.ready(), tempfile::tempdir().unwrap());
    let (secretary, schmit) = (
        access_token(ready, "sec.klein", "klein").await,
        access_token(ready, "dr.schmit", "schmit").await,
    );
    for (token, subject, holder) in [
        (&secretary, Some("1900000002"), "1900000002"),
        (&schmit, Some("1900000001"), "1900000001"),
        (&schmit, Some("1900000004"), "1900000004"),
        (&schmit, None, "1900000004"),
    ] {
        let body = subject.map_or(json!({}), |id| json!({"subject": id}));
        let (status, answer) = kms(ready, "get-certificate", token, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let pem = certificate_pem(dir.path(), holder, &data(&answer));
        let (_, named) = run("openssl", &["x509", "-in", &pem, "-noout", "-subject"]);
        assert!(named.contains(&format!("serialNumber = {holder}")), "{named}");
    }
    // The signature is the physician's, not the secretary's: it fits the key in that certificate.
    let body = json!({"data": BASE64.encode(attributes()), "algorithm": "SHA256withECDSA", "subject": "1900000002"});
    let signature = written(dir.path(), "signature", &data(&kms(ready, "sign-data", &secretary, body).await.1));
    let pem = dir.path().join("1900000002").to_str().unwrap().to_owned();
    let key = written(
        dir.path(),
        "key",
        run("openssl", &["x509", "-in", &pem, "-noout", "-pubkey"]).1.as_bytes(),
    );
    let content = written(dir.path(), "content", &attributes());
    assert!(run("openssl", &["dgst", "-sha256", "-verify", &key, "-signature", &signature, &content]).0);

    for (token, subject) in [
        (&secretary, json!("1900000003")),
        (&secretary, json!("1900000004")),
        (&secretary, json!(null)),
        (&schmit, json!("1900000002")),
        (&schmit, json!(1_900_000_001)),
        (&schmit, json!("")),
    ] {
        for path in ["get-certificate", "sign-data", "sign-timestamp"] {
            let (status, answer) = kms(ready, path, token, json!({"subject": subject})).await;
            assert_eq!(
                (status, answer["code"].as_str()),
                (StatusCode::FORBIDDEN, Some("KMS-403")),
                "{subject} {path}"
            );
        }
    }
    let calls = control(ready, "/kms/calls").await;
    assert_eq!(
        (&calls[0]["username"], &calls[0]["ehealth_id"]),
        (&json!("sec.klein"), &json!("1900000002"))
    );
}

#[tokio::test]
async fn an_expired_token_is_noted_wherever_it_is_shown() {
    let options = econnector_sandbox::SandboxOptions {
        access_ttl: 2,
        ..Default::default()
    };
    let sandbox = econnector_sandbox::Sandbox::start(options).await.unwrap();
    let ready = sandbox.ready();
    let token = access_token(ready, "dr.weber", "weber").await;
    // Late because of us, not of the caller.
    fault(ready, json!({"service": "kms", "kind": "delay", "ms": 3100, "count": 1})).await;
    assert_eq!(kms(ready, "get-certificate", &token, json!({})).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(noted(ready).await, json!([]));

    kms(ready, "get-certificate", &token, json!({})).await;
    fault(ready, json!({"service": "kms", "kind": "status", "status": 503, "count": 1})).await;
    let struck = client(ready)
        .post(format!("{}/api/v3/sign-data", ready.kms))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(struck.status(), StatusCode::SERVICE_UNAVAILABLE);
    weber(ready).trust(ready, &issue(ready, &token, "90000101")).await;
    let userinfo = format!("{}/protocol/openid-connect/userinfo", ready.issuer);
    client(ready).get(userinfo).bearer_auth(&token).send().await.unwrap();
    // Not ours, so not over either.
    kms(ready, "get-certificate", "no.such.token", json!({})).await;
    let of = |service: &str| json!({"service": service, "username": "dr.weber"});
    assert_eq!(noted(ready).await, json!([of("kms"), of("kms"), of("sts"), of("userinfo")]));
}

/// Who showed an expired token, and where.
async fn noted(ready: &Ready) -> serde_json::Value {
    let events = control(ready, "/aes/events").await;
    let events = events.as_array().unwrap().iter();
    events
        .filter(|event| event["type"] == "EXPIRED_TOKEN_USED")
        .map(|event| json!({"service": event["service"], "username": event["username"]}))
        .collect()
}

/// A query for `document`, and the answer's path.
async fn stamped(ready: &Ready, dir: &Path, token: &str, options: &[&str]) -> (String, String) {
    let document = written(dir, "document", b"document");
    let query = dir.join("query.tsq").to_str().unwrap().to_owned();
    let arguments = [&["ts", "-query", "-data", &document, "-sha256", "-out", &query], options].concat();
    let (made, said) = run("openssl", &arguments);
    assert!(made, "{said}");
    let request = BASE64.encode(std::fs::read(&query).unwrap());
    let (status, answer) = kms(ready, "sign-timestamp", token, json!({"data": request})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    (query, written(dir, "answer.tsr", &data(&answer)))
}

fn stamp_is_valid(ready: &Ready, query: &str, answer: &str, more: &[&str]) -> (bool, String) {
    let ca = ready.kms_timestamp_ca_pem.to_str().unwrap();
    run(
        "openssl",
        &[&["ts", "-verify", "-queryfile", query, "-in", answer, "-CAfile", ca], more].concat(),
    )
}

#[tokio::test]
async fn its_timestamps_satisfy_openssl() {
    let sandbox = sandbox().await;
    let (ready, dir) = (sandbox.ready(), tempfile::tempdir().unwrap());
    let token = access_token(ready, "dr.weber", "weber").await;

    let (query, answer) = stamped(ready, dir.path(), &token, &["-cert"]).await;
    let (valid, said) = stamp_is_valid(ready, &query, &answer, &[]);
    assert!(valid, "{said}");
    let other = written(dir.path(), "other", b"another document");
    let (valid, _) = run(
        "openssl",
        &[
            "ts",
            "-verify",
            "-data",
            &other,
            "-in",
            &answer,
            "-CAfile",
            ready.kms_timestamp_ca_pem.to_str().unwrap(),
        ],
    );
    assert!(!valid);

    // Without certReq no certificate comes along; without a nonce none is echoed.
    let (query, answer) = stamped(ready, dir.path(), &token, &["-no_nonce"]).await;
    assert!(!stamp_is_valid(ready, &query, &answer, &[]).0);
    let (_, text) = run("openssl", &["ts", "-reply", "-in", &answer, "-text"]);
    assert!(text.contains("Status: Granted.") && text.contains("Nonce: unspecified"), "{text}");

    let (_, answer) = kms(ready, "sign-timestamp", &token, json!({"data": BASE64.encode([0x30, 0])})).await;
    let rejected = written(dir.path(), "rejected.tsr", &data(&answer));
    let (_, text) = run("openssl", &["ts", "-reply", "-in", &rejected, "-text"]);
    assert!(
        text.contains("Status: Rejected.") && text.contains("the data submitted has the wrong format"),
        "{text}"
    );
}

#[tokio::test]
async fn faults_of_the_kms_are_what_they_say() {
    let sandbox = sandbox().await;
    let (ready, dir) = (sandbox.ready(), tempfile::tempdir().unwrap());
    let token = access_token(ready, "dr.weber", "weber").await;
    let certificate = async |name: &str| {
        let (status, answer) = kms(ready, "get-certificate", &token, json!({})).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        certificate_pem(dir.path(), name, &data(&answer))
    };
    let genuine = certificate("genuine").await;
    once(ready, "kms", "other_certificate").await;
    let other = certificate("other").await;
    assert!(chains(ready, &other));
    assert!(
        run("openssl", &["x509", "-in", &other, "-noout", "-subject"])
            .1
            .contains("1900000003")
    );
    once(ready, "kms", "untrusted").await;
    assert!(!chains(ready, &certificate("untrusted").await));
    once(ready, "kms", "expired").await;
    assert!(!chains(ready, &certificate("expired").await));
    assert!(chains(ready, &certificate("again").await), "each fault struck once");
    once(ready, "kms", "refuse").await;
    assert_eq!(kms(ready, "get-certificate", &token, json!({})).await.0, StatusCode::FORBIDDEN);

    let sign = async || {
        let body = json!({"data": BASE64.encode(attributes()), "algorithm": "SHA256withRSA"});
        let signature = written(dir.path(), "signature", &data(&kms(ready, "sign-data", &token, body).await.1));
        let key = written(
            dir.path(),
            "key",
            run("openssl", &["x509", "-in", &genuine, "-noout", "-pubkey"]).1.as_bytes(),
        );
        let content = written(dir.path(), "content", &attributes());
        run("openssl", &["dgst", "-sha256", "-verify", &key, "-signature", &signature, &content]).0
    };
    once(ready, "kms", "other_key").await;
    assert!(!sign().await);
    assert!(sign().await);

    for kind in ["other_digest", "untrusted", "expired"] {
        once(ready, "kms", kind).await;
        let (query, answer) = stamped(ready, dir.path(), &token, &["-cert"]).await;
        assert!(!stamp_is_valid(ready, &query, &answer, &[]).0, "{kind}");
    }
}
