//! STS and exchange over real TLS, against the sandbox: it was written from docs/wire.md by itself and refuses what mySecu would refuse.

// Clippy knows a test by its attribute; what tests share lies outside.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use econnector_base::{Explain as _, Fault, RandomIds, Secret, SystemClock};
use econnector_mysecu::{
    AnswerTrust, BusinessMessage, Deposit as _, JwtOnBehalfOf, MySecu, MySecuError, MySecuSettings, SignerName, Space,
};
use econnector_net::{ClientIdentity, Transport, TransportOptions, read_anchors};
use econnector_sandbox::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

struct Scene {
    sandbox: Sandbox,
    transport: Transport,
    identity: ClientIdentity,
    mysecu: MySecu,
}

impl Scene {
    async fn start() -> Self {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let ready = sandbox.ready();
        let password = Secret::new(ready.client_p12_password.as_str());
        let identity = ClientIdentity::from_p12(&std::fs::read(&ready.client_p12).unwrap(), &password).unwrap();
        let transport = Transport::new(&options(&sandbox, Some(identity.clone()))).unwrap();
        let mysecu = client(&sandbox, transport.clone(), &identity, trust(&sandbox));
        Self {
            sandbox,
            transport,
            identity,
            mysecu,
        }
    }

    /// A token in the name of a physician, as a hospital gets it.
    async fn space(&self, ehealth_id: &str, code: &str) -> Space {
        let ready = self.sandbox.ready();
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", &ready.client_id),
            ("client_secret", &ready.client_secret),
            ("requested_subject", ehealth_id),
            ("audience", &ready.audience),
        ];
        let answer = self
            .transport
            .send(self.transport.client().post(&ready.token_endpoint).form(&form))
            .await
            .unwrap();
        let tokens: Value = serde_json::from_slice(&answer.body).unwrap();
        Space {
            code: code.to_owned(),
            holder: ehealth_id.to_owned(),
            token: Arc::new(Secret::new(tokens["access_token"].as_str().unwrap())),
        }
    }

    async fn weber(&self) -> Space {
        self.space("1900000001", "90000101").await
    }

    /// The control door is on loopback without TLS, where the transport does not go.
    async fn control(&self, request: impl FnOnce(&reqwest::Client, &str) -> reqwest::RequestBuilder) -> Vec<u8> {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = request(&client, &self.sandbox.ready().control).send().await.unwrap();
        answer.error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    async fn fault(&self, fault: Value) {
        self.control(|client, control| client.post(format!("{control}/faults")).json(&fault))
            .await;
    }

    /// What came of each call, oldest first.
    async fn outcomes(&self) -> Vec<String> {
        let body = self
            .control(|client, control| client.get(format!("{control}/mysecu/exchanges")))
            .await;
        let exchanges: Vec<Value> = serde_json::from_slice(&body).unwrap();
        exchanges
            .iter()
            .map(|exchange| exchange["outcome"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn options(sandbox: &Sandbox, identity: Option<ClientIdentity>) -> TransportOptions {
    let anchors = std::fs::read(&sandbox.ready().ca_pem).unwrap();
    TransportOptions {
        anchors_pem: vec![anchors],
        only_these_anchors: true,
        identity,
        ..TransportOptions::default()
    }
}

fn trust(sandbox: &Sandbox) -> AnswerTrust {
    let pem = std::fs::read(&sandbox.ready().mysecu_signing_pem).unwrap();
    AnswerTrust::new(read_anchors(&pem, None).unwrap()).unwrap()
}

fn client(sandbox: &Sandbox, transport: Transport, identity: &ClientIdentity, trust: AnswerTrust) -> MySecu {
    let base = &sandbox.ready().mysecu;
    let settings = MySecuSettings {
        sts_url: format!("{base}/ws/soap/trust"),
        exchange_url: format!("{base}/ws/soap/espinst/syncexchange"),
    };
    MySecu::new(
        settings,
        transport,
        identity,
        trust,
        Arc::new(SystemClock),
        Arc::new(RandomIds),
        Box::new(JwtOnBehalfOf),
    )
    .unwrap()
}

/// A fictitious sick note; its document only looks like a signed PDF.
fn sick_note(uuid: &str) -> BusinessMessage {
    BusinessMessage {
        model_uid: "2026_ECIT_DEPOT-V1".to_owned(),
        xml: format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<certificatIncapaciteTravail xmlns=\"http://www.secu.lu/ciss/cns\">\
             <entete xmlns=\"\"><UUID>{uuid}</UUID><dateEtablissement>2026-11-02</dateEtablissement><medecin><codePrestataire>90000101</codePrestataire>\
             <nom>Dr Anne Weber</nom><identifiantESante>1900000001</identifiantESante></medecin></entete>\
             <patient xmlns=\"\"><matricule>1988123048083</matricule><nom>Schmit &amp; Söhne</nom></patient>\
             <incapacite xmlns=\"\"><type>MALADIE</type><dateDebut>2026-11-02</dateDebut><dateFin>2026-11-06</dateFin>\
             <dateConstatation>2026-11-02</dateConstatation><codeDiagnostic>12</codeDiagnostic><prolongation>false</prolongation>\
             <sorties>true</sorties></incapacite>\
             <document xmlns=\"\">JVBERi0xLjcgL0J5dGVSYW5nZSBbMCAxMCAyMCAyM114eHh4eHh4eHh4eA==</document></certificatIncapaciteTravail>"
        ),
    }
}

#[tokio::test]
async fn a_sick_note_is_deposited_once() {
    let scene = Scene::start().await;
    let weber = scene.weber().await;
    let uuid = "0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0a01";

    let answer = scene.mysecu.exchange(&weber, &sick_note(uuid)).await.unwrap();
    assert!(
        answer.xml.starts_with("<cns:certificatIncapaciteTravailRetour xmlns:cns="),
        "{}",
        answer.xml
    );
    assert!(answer.xml.contains(&format!("<cns:UuidPrestataire>{uuid}</cns:UuidPrestataire>")));
    assert!(!answer.xml.contains("anomalies"), "{}", answer.xml);
    assert!(answer.correlation_id.unwrap().starts_with("Id-"));

    // The token serves again, and the sandbox knows the document again.
    let again = scene.mysecu.exchange(&weber, &sick_note(uuid)).await.unwrap();
    assert!(again.xml.contains("<cns:code>DOUBLON</cns:code>"), "{}", again.xml);

    scene.mysecu.end(&weber).await.unwrap();
    scene
        .mysecu
        .exchange(&weber, &sick_note("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0a02"))
        .await
        .unwrap();
    assert_eq!(
        scene.outcomes().await,
        ["token", "accepted", "refused", "cancelled", "token", "accepted"]
    );

    let probe = scene.mysecu.probe().await.unwrap();
    assert!(probe.clock_skew.is_none_or(|skew| skew.whole_seconds().abs() < 5));
}

#[tokio::test]
async fn refusals_say_what_was_refused() {
    let scene = Scene::start().await;
    let note = sick_note("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0a03");
    let refused = async |who: Space, note: &BusinessMessage| {
        let error = scene.mysecu.exchange(&who, note).await.err().unwrap();
        assert!(!error.maybe_deposited());
        assert_eq!(error.fault(), Fault::Authority);
        assert!(error.correlation_id().is_some_and(|id| id.starts_with("Id-")));
        (error.code(), error.authority().unwrap())
    };

    // Somebody else's space, and one whose web services are not activated.
    assert_eq!(
        refused(scene.space("1900000001", "90000102").await, &note).await.0,
        "mysecu-space-refused"
    );
    let (code, words) = refused(scene.space("1900000003", "90000103").await, &note).await;
    assert_eq!((code, words.code.as_str()), ("mysecu-space-refused", "wsse:FailedAuthentication"));
    assert!(words.message.contains("90000103"), "{}", words.message);

    let garbage = Space {
        token: Arc::new(Secret::new("garbage")),
        holder: "garbage".to_owned(),
        ..scene.weber().await
    };
    assert_eq!(refused(garbage, &note).await.0, "mysecu-token-refused");

    let unknown = BusinessMessage {
        model_uid: "2026_UNKNOWN-V1".to_owned(),
        xml: note.xml.clone(),
    };
    assert_eq!(refused(scene.weber().await, &unknown).await.0, "mysecu-fault");
}

#[tokio::test]
async fn every_fault_of_the_exchange_is_told_apart() {
    let scene = Scene::start().await;
    let weber = scene.weber().await;
    let mut next = (0x10..).map(|n| format!("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0a{n:x}"));
    scene.mysecu.exchange(&weber, &sick_note(&next.next().unwrap())).await.unwrap();

    for (fault, code, cause, maybe) in [
        // `soapenv:Server`: how far the message came is not said.
        (json!({"kind": "fault"}), "mysecu-outcome-unknown", Some("mysecu-fault"), true),
        (json!({"kind": "refuse"}), "mysecu-fault", None, false),
        (
            json!({"kind": "unsigned"}),
            "mysecu-outcome-unknown",
            Some("mysecu-answer-unsigned"),
            true,
        ),
        (
            json!({"kind": "tampered"}),
            "mysecu-outcome-unknown",
            Some("mysecu-answer-forged"),
            true,
        ),
        (
            json!({"kind": "wrapped"}),
            "mysecu-outcome-unknown",
            Some("mysecu-answer-forged"),
            true,
        ),
        (
            json!({"kind": "untrusted"}),
            "mysecu-outcome-unknown",
            Some("mysecu-answer-untrusted"),
            true,
        ),
        (
            json!({"kind": "garbage"}),
            "mysecu-outcome-unknown",
            Some("mysecu-answer-unreadable"),
            true,
        ),
        (
            json!({"kind": "status", "status": 503}),
            "mysecu-outcome-unknown",
            Some("mysecu-status"),
            true,
        ),
        (
            json!({"kind": "drop", "after": true}),
            "mysecu-outcome-unknown",
            Some("net-cut"),
            true,
        ),
    ] {
        let mut fault = fault;
        fault["service"] = json!("mysecu");
        fault["path"] = json!("syncexchange");
        fault["count"] = json!(1);
        scene.fault(fault.clone()).await;
        let error = scene
            .mysecu
            .exchange(&weber, &sick_note(&next.next().unwrap()))
            .await
            .err()
            .unwrap();
        assert_eq!((error.code(), error.maybe_deposited()), (code, maybe), "{fault}");
        if let MySecuError::OutcomeUnknown { cause: found } = &error {
            assert_eq!(Some(found.code()), cause, "{fault}");
        }
        assert_eq!(cause.is_some(), matches!(error, MySecuError::OutcomeUnknown { .. }));
    }

    // An expired token is replaced, and the message goes through.
    scene
        .fault(json!({"service": "mysecu", "kind": "expired", "path": "syncexchange", "count": 1}))
        .await;
    scene.mysecu.exchange(&weber, &sick_note(&next.next().unwrap())).await.unwrap();

    // An answer of the STS is believed no more than one of the exchange; nothing is deposited then.
    for (kind, code) in [
        ("unsigned", "mysecu-answer-unsigned"),
        ("wrapped", "mysecu-answer-forged"),
        ("expired", "mysecu-token-refused"),
    ] {
        scene.mysecu.end(&weber).await.unwrap();
        scene
            .fault(json!({"service": "mysecu", "kind": kind, "path": "trust", "count": 1}))
            .await;
        let error = scene
            .mysecu
            .exchange(&weber, &sick_note(&next.next().unwrap()))
            .await
            .err()
            .unwrap();
        assert_eq!((error.code(), error.maybe_deposited()), (code, false), "{kind}");
    }
}

#[tokio::test]
async fn trust_is_never_bypassed() {
    let scene = Scene::start().await;
    let weber = scene.weber().await;
    let note = sick_note("0f0f3b3c-53a4-4f2e-9d8e-2f6b7c1d0a04");

    // Answers under another name than expected, or under authorities that did not sign them.
    let renamed = trust(&scene.sandbox).signed_by(SignerName {
        common_name: "other.lu".to_owned(),
        ..SignerName::default()
    });
    let kms = read_anchors(&std::fs::read(&scene.sandbox.ready().truststore_pem).unwrap(), None).unwrap();
    for trust in [renamed, AnswerTrust::new(kms).unwrap()] {
        let mysecu = client(&scene.sandbox, scene.transport.clone(), &scene.identity, trust);
        assert_eq!(
            mysecu.exchange(&weber, &note).await.err().unwrap().code(),
            "mysecu-answer-untrusted"
        );
    }

    // No client certificate.
    let anonymous = Transport::new(&options(&scene.sandbox, None)).unwrap();
    let mysecu = client(&scene.sandbox, anonymous, &scene.identity, trust(&scene.sandbox));
    let error = mysecu.exchange(&weber, &note).await.err().unwrap();
    assert_eq!(
        (error.code(), error.fault(), error.maybe_deposited()),
        ("mysecu-client-certificate", Fault::You, false)
    );
    assert_eq!(mysecu.probe().await.unwrap_err().code(), "mysecu-client-certificate");

    // The sandbox's authority is not in the computer's store.
    let strict = TransportOptions {
        anchors_pem: vec![],
        only_these_anchors: false,
        ..options(&scene.sandbox, Some(scene.identity.clone()))
    };
    let mysecu = client(
        &scene.sandbox,
        Transport::new(&strict).unwrap(),
        &scene.identity,
        trust(&scene.sandbox),
    );
    let error = mysecu.exchange(&weber, &note).await.err().unwrap();
    assert_eq!((error.code(), error.maybe_deposited()), ("net-tls-unknown-issuer", false));

    let plain = MySecuSettings {
        sts_url: "http://localhost/trust".to_owned(),
        exchange_url: "https://localhost/x".to_owned(),
    };
    let refused = MySecu::new(
        plain,
        scene.transport.clone(),
        &scene.identity,
        trust(&scene.sandbox),
        Arc::new(SystemClock),
        Arc::new(RandomIds),
        Box::new(JwtOnBehalfOf),
    );
    assert_eq!(refused.err().unwrap().code(), "net-settings");
}
