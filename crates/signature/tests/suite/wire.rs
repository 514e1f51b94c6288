//! The KMS over HTTPS: what goes out, and every way it may fail to answer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use econnector_base::{AuthorityWords, Explain, Fault, Ids, RandomIds, Secret};
use econnector_net::{Transport, TransportOptions};
use econnector_signature::{
    Algorithm, Bearer, Expected, FieldOptions, Kms, KmsSettings, NoToken, Probe, Refusal, SignatureError, SignedPdf, Signer,
    SignerCertificate, sign_pdf, verify,
};
use rcgen::KeyPair;
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use time::macros::datetime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    authority::{Authority, Ca, EHEALTH_ID, now, server},
    paper::{Style, pdf},
};

const TOKEN: &str = "fictitious.access.token";

/// A correlation identifier that a test can foresee.
struct Numbered;

impl Ids for Numbered {
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(0x5161)
    }
}

/// How the service answers one of its paths, when not properly.
#[derive(Clone)]
enum Trouble {
    Says(u16, &'static str),
    Silence,
    Hangup,
}

struct Service {
    ca: Ca,
    port: u16,
    seen: Arc<Mutex<Vec<(String, String, Value)>>>,
    authority: Arc<Authority>,
}

impl Service {
    async fn start(trouble: Option<(&'static str, Trouble)>) -> Self {
        let ca = Ca::root("Service CA");
        let leaf = ca.issue(&server("localhost"), KeyPair::generate().unwrap());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(leaf.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(leaf.der)], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, authority) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Authority::new()));
        let service = Self {
            ca,
            port,
            seen: seen.clone(),
            authority: authority.clone(),
        };
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let (acceptor, seen, authority, trouble) = (acceptor.clone(), seen.clone(), authority.clone(), trouble.clone());
                tokio::spawn(async move {
                    let Ok(mut line) = acceptor.accept(line).await else { return };
                    while let Some((head, body)) = request(&mut line).await {
                        let path = head.split(' ').nth(1).unwrap().to_owned();
                        seen.lock()
                            .unwrap()
                            .push((path.clone(), head.clone(), serde_json::from_slice(&body).unwrap()));
                        let (status, answer) = match trouble.as_ref().filter(|(at, _)| path.ends_with(at)) {
                            Some((_, Trouble::Says(status, answer))) => (*status, (*answer).to_owned()),
                            Some((_, Trouble::Silence)) => return tokio::time::sleep(Duration::from_secs(60)).await,
                            Some((_, Trouble::Hangup)) => return,
                            None => answer(&authority, &head, &path, &body),
                        };
                        let id = header(&head, "x-correlation-id").unwrap();
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-correlation-id: kms-{id}\r\ndate: Tue, 15 Nov 2022 12:45:26 GMT\r\n\r\n",
                            answer.len()
                        );
                        line.write_all(head.as_bytes()).await.unwrap();
                        line.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        service
    }

    fn kms(&self) -> Kms {
        self.kms_trusting(&self.ca)
    }

    fn kms_trusting(&self, ca: &Ca) -> Kms {
        self.kms_stamping_at(self.port, &[ca])
    }

    fn kms_stamping_at(&self, port: u16, cas: &[&Ca]) -> Kms {
        let transport = Transport::new(&TransportOptions {
            anchors_pem: cas.iter().map(|ca| ca.pem.clone().into_bytes()).collect(),
            only_these_anchors: true,
            timeout: Duration::from_secs(2),
            ..TransportOptions::default()
        });
        let url = |what: &str| format!("https://localhost:{}/api/v3/{what}", self.port);
        let settings = KmsSettings {
            get_certificate_url: url("get-certificate"),
            sign_url: url("sign-data"),
            timestamp_url: format!("https://localhost:{port}/api/v3/sign-timestamp"),
        };
        Kms::new(settings, transport.unwrap(), Arc::new(Numbered))
    }

    async fn sign(&self, kms: &Kms) -> Result<SignedPdf, SignatureError> {
        let expected = Expected { ehealth_id: EHEALTH_ID };
        let (bearer, field) = (bearer(None), FieldOptions::default());
        sign_pdf(
            &pdf(Style::Classic),
            kms,
            &bearer,
            &expected,
            &self.authority.trust(),
            now(),
            &field,
        )
        .await
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(path, _, _)| path.clone()).collect()
    }
}

fn bearer(subject: Option<&str>) -> Bearer {
    Bearer {
        token: Arc::new(Secret::new(TOKEN)),
        subject: subject.map(str::to_owned),
    }
}

fn answer(authority: &Authority, head: &str, path: &str, body: &[u8]) -> (u16, String) {
    if header(head, "authorization").as_deref() != Some(&format!("Bearer {TOKEN}")) {
        return (401, json!({ "code": "KMS-401", "message": "token" }).to_string());
    }
    let body: Value = serde_json::from_slice(body).unwrap();
    let data = STANDARD.decode(body["data"].as_str().unwrap_or_default()).unwrap();
    let answer = match path {
        "/api/v3/get-certificate" => {
            let chain = [STANDARD.encode(&authority.signing.der), STANDARD.encode(&authority.root.der)];
            json!({ "data": STANDARD.encode(&authority.physician.der), "chain": chain })
        }
        "/api/v3/sign-data" => json!({ "data": STANDARD.encode(authority.signature_of(&data)) }),
        _ => json!({ "data": STANDARD.encode(authority.stamp(&data)) }),
    };
    (200, answer.to_string())
}

async fn request<S: AsyncReadExt + Unpin>(line: &mut S) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 8192];
        let read = line.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
        if bytes.len() >= end + 4 + length {
            return Some((head, bytes[end + 4..].to_vec()));
        }
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

#[tokio::test]
async fn three_calls_make_a_signature() {
    let service = Service::start(None).await;
    let signed = service.sign(&service.kms()).await.unwrap();
    assert!(verify(&signed.bytes, &service.authority.trust(), now()).unwrap().is_valid());
    assert_eq!(
        service.paths(),
        ["/api/v3/get-certificate", "/api/v3/sign-data", "/api/v3/sign-timestamp"]
    );

    let seen = service.seen.lock().unwrap().clone();
    for (_, head, _) in &seen {
        assert!(head.starts_with("POST "));
        assert_eq!(header(head, "authorization").unwrap(), format!("Bearer {TOKEN}"));
        assert_eq!(header(head, "content-type").unwrap(), "application/json");
        assert_eq!(header(head, "x-correlation-id").unwrap(), Numbered.next().to_string());
    }
    assert_eq!(seen[0].2, json!({}));
    assert_eq!(seen[1].2["algorithm"], "SHA256withECDSA");
    let attributes = STANDARD.decode(seen[1].2["data"].as_str().unwrap()).unwrap();
    assert_eq!(attributes[0], 0x31, "a SET OF attributes, not the document");
    assert!(attributes.len() < 300);
}

#[tokio::test]
async fn whoever_acts_for_a_physician_says_for_whom_in_all_three_calls() {
    let service = Service::start(None).await;
    let (kms, expected) = (service.kms(), Expected { ehealth_id: EHEALTH_ID });
    let (bearer, trust) = (bearer(Some(EHEALTH_ID)), service.authority.trust());
    let original = pdf(Style::Classic);
    let signed = sign_pdf(&original, &kms, &bearer, &expected, &trust, now(), &FieldOptions::default()).await;
    assert!(signed.is_ok());
    let seen = service.seen.lock().unwrap().clone();
    let subjects: Vec<_> = seen.iter().map(|(_, _, body)| body["subject"].as_str()).collect();
    assert_eq!(subjects, [Some(EHEALTH_ID); 3]);
    assert_eq!(seen[0].2, json!({ "subject": EHEALTH_ID }));
    assert_eq!(seen[1].2["algorithm"], "SHA256withECDSA");
    assert_eq!(format!("{bearer:?}"), format!("Bearer {{ subject: Some({EHEALTH_ID:?}), .. }}"));
}

/// Stands before a service and has no token to ask it with.
struct Tokenless(Kms);

#[async_trait]
impl Signer for Tokenless {
    async fn certificate(&self, bearer: &Bearer) -> Result<SignerCertificate, SignatureError> {
        self.0.certificate(bearer).await
    }

    async fn sign(&self, _: &Bearer, _: &[u8], _: Algorithm) -> Result<Vec<u8>, SignatureError> {
        let words = AuthorityWords::new("invalid_grant", "Session not active");
        let refusal = Refusal {
            words: Some(words),
            correlation_id: Some("c-1".to_owned()),
        };
        Err(SignatureError::NoToken(NoToken::new(SignatureError::TokenRefused(refusal))))
    }

    async fn timestamp(&self, bearer: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.0.timestamp(bearer, query).await
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        self.0.probe().await
    }
}

#[tokio::test]
async fn a_token_that_is_missing_midway_is_told_in_the_words_of_whoever_lacks_it() {
    let service = Service::start(None).await;
    let (signer, expected) = (Tokenless(service.kms()), Expected { ehealth_id: EHEALTH_ID });
    let (original, trust) = (pdf(Style::Classic), service.authority.trust());
    let signed = sign_pdf(
        &original,
        &signer,
        &bearer(None),
        &expected,
        &trust,
        now(),
        &FieldOptions::default(),
    )
    .await;
    let error = signed.err().unwrap();
    assert_eq!((error.code(), error.fault()), ("kms-refused-token", Fault::You));
    assert_eq!(error.authority().unwrap().code, "invalid_grant");
    assert_eq!(error.correlation_id().as_deref(), Some("c-1"));
    let SignatureError::NoToken(why) = error else { panic!("{error}") };
    assert!(matches!(why.downcast_ref(), Some(SignatureError::TokenRefused(_))));
    assert_eq!(service.paths(), ["/api/v3/get-certificate"]);
}

#[tokio::test]
async fn every_trouble_has_its_name_and_nothing_is_tried_twice() {
    const WORDS: &str = r#"{"code":"KMS-7","message":"Désolé"}"#;
    for (path, position) in [("get-certificate", 1), ("sign-data", 2), ("sign-timestamp", 3)] {
        for (trouble, code, fault) in [
            (Trouble::Says(401, WORDS), "kms-refused-token", Fault::You),
            (Trouble::Says(403, WORDS), "kms-no-signature-right", Fault::Authority),
            (Trouble::Says(500, WORDS), "kms-failed", Fault::Authority),
            (Trouble::Says(404, "<html>"), "kms-failed", Fault::Authority),
            (Trouble::Says(302, ""), "kms-failed", Fault::Authority),
            (Trouble::Says(200, ""), "kms-garbage", Fault::Authority),
            (
                Trouble::Says(200, "<html>Welcome to the hotel</html>"),
                "kms-garbage",
                Fault::Authority,
            ),
            (Trouble::Says(200, r#"{"data":"%%%"}"#), "kms-garbage", Fault::Authority),
            (Trouble::Says(200, r#"{"data":""}"#), "kms-garbage", Fault::Authority),
            (Trouble::Says(200, r#"{"data":null}"#), "kms-garbage", Fault::Authority),
            (Trouble::Hangup, "net-cut", Fault::Network),
        ] {
            let worded = matches!(trouble, Trouble::Says(_, WORDS));
            let service = Service::start(Some((path, trouble))).await;
            let error = service.sign(&service.kms()).await.err().unwrap();
            assert_eq!((error.code(), error.fault()), (code, fault), "{path}");
            assert_eq!(service.paths().len(), position, "{path}: {code}");
            let id = error.correlation_id().unwrap();
            assert_eq!(
                id.starts_with("kms-"),
                code != "net-cut",
                "the service's own number when it gave one"
            );
            let words = error.authority().map(|words| (words.code, words.message));
            assert_eq!(words, worded.then(|| ("KMS-7".to_owned(), "Désolé".to_owned())));
            assert!(!format!("{error:?} {error}").contains(TOKEN));
        }
    }
}

#[tokio::test]
async fn a_service_that_keeps_silent_is_given_up_and_not_asked_again() {
    let service = Service::start(Some(("sign-data", Trouble::Silence))).await;
    let error = service.sign(&service.kms()).await.err().unwrap();
    assert_eq!(error.code(), "net-timeout");
    assert!(matches!(&error, SignatureError::Net { error, .. } if !error.certainly_not_sent()));
    assert_eq!(service.paths().len(), 2);
}

#[tokio::test]
async fn a_service_with_a_foreign_certificate_is_not_asked() {
    let service = Service::start(None).await;
    let error = service.sign(&service.kms_trusting(&Ca::root("Another CA"))).await.err().unwrap();
    assert_eq!((error.code(), error.fault()), ("net-tls-unknown-issuer", Fault::Network));
    assert!(service.paths().is_empty());
    assert!(error.correlation_id().is_some());
}

#[tokio::test]
async fn a_service_is_alive_when_it_asks_who_we_are() {
    let service = Service::start(None).await;
    let probe = service.kms().probe().await.unwrap();
    let clock = datetime!(2022-11-15 12:45:26 UTC);
    assert_eq!(probe.server_time, Some(clock));
    assert_eq!(
        probe.clock_skew(clock - time::Duration::seconds(90)),
        Some(time::Duration::seconds(90))
    );
    assert!(probe.latency > Duration::ZERO);
    assert!(header(&service.seen.lock().unwrap()[0].1, "authorization").is_none());
    assert_eq!(service.paths(), ["/api/v3/get-certificate"], "one host is asked once");

    let failing = Service::start(Some(("get-certificate", Trouble::Says(503, "")))).await;
    assert_eq!(failing.kms().probe().await.unwrap_err().code(), "kms-failed");
}

#[tokio::test]
async fn every_host_of_a_service_is_asked() {
    let service = Service::start(None).await;
    for (trouble, said) in [
        (None, None),
        (
            Some(Trouble::Says(503, "")),
            Some("localhost: the signature service failed with status 503"),
        ),
        (Some(Trouble::Silence), Some("localhost: no answer in time")),
    ] {
        let stamps = Service::start(trouble.map(|trouble| ("sign-timestamp", trouble))).await;
        let kms = service.kms_stamping_at(stamps.port, &[&service.ca, &stamps.ca]);
        assert_eq!(kms.probe().await.err().map(|error| error.to_string()).as_deref(), said);
        let seen = stamps.seen.lock().unwrap();
        let [(path, head, body)] = seen.as_slice() else {
            panic!("{seen:?}")
        };
        assert_eq!((path.as_str(), body), ("/api/v3/sign-timestamp", &json!({})));
        assert!(header(head, "authorization").is_none());
    }
    let nobody = service.kms_stamping_at(1, &[&service.ca]).probe().await.unwrap_err();
    assert_eq!(nobody.code(), "net-refused");
}

#[test]
fn settings_are_read_and_nothing_of_the_line_is_printed() {
    let settings: KmsSettings =
        serde_json::from_value(json!({ "get_certificate_url": "a", "sign_url": "b", "timestamp_url": "c" })).unwrap();
    let kms = Kms::new(settings, Transport::new(&TransportOptions::default()).unwrap(), Arc::new(RandomIds));
    assert!(format!("{kms:?}").ends_with("timestamp_url: \"c\" }, .. }"));
}
