use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration as StdDuration,
};

use econnector_base::{AuthorityWords, Explain, Fault, FixedClock, Secret};
use econnector_net::TlsReason;

use super::*;
use crate::{
    AccessToken, JwtOnBehalfOf,
    testing::{Authority, CountedIds, NOW, PKI, answer, fault, response_info, space},
};

const RECEIPT: &str = "<r:recu xmlns:r=\"urn:r\">reçu</r:recu>";

/// Answers in the order they were written down, and remembers what was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Answer, NetError>>>,
    requests: Mutex<Vec<(String, String, String)>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[async_trait]
impl Wire for Arc<Script> {
    async fn post(&self, url: &str, action: &str, envelope: Zeroizing<String>) -> Result<Answer, NetError> {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.requests
            .lock()
            .unwrap()
            .push((url.to_owned(), action.to_owned(), envelope.to_string()));
        let answer = self.answers.lock().unwrap().pop_front().expect("no further call");
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn get(&self, url: &str) -> Result<Answer, NetError> {
        self.post(url, "GET", Zeroizing::default()).await
    }
}

struct Scene {
    script: Arc<Script>,
    clock: Arc<FixedClock>,
    mysecu: MySecu,
}

fn scene(answers: Vec<Result<Answer, NetError>>) -> Scene {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into()),
        ..Script::default()
    });
    let clock = Arc::new(FixedClock::new(NOW));
    let settings = MySecuSettings {
        sts_url: "https://mysecu.test/trust".to_owned(),
        exchange_url: "https://mysecu.test/sync?a&b".to_owned(),
    };
    let mysecu = MySecu::over(
        Box::new(script.clone()),
        settings,
        PKI.signer(),
        PKI.trust(),
        clock.clone(),
        Arc::new(CountedIds::default()),
        Box::new(JwtOnBehalfOf),
    );
    Scene { script, clock, mysecu }
}

impl Scene {
    fn requests(&self) -> Vec<(String, String, String)> {
        self.script.requests.lock().unwrap().clone()
    }

    /// Which address was called, in order, and nothing is left to be answered.
    fn calls(&self) -> String {
        assert!(self.script.answers.lock().unwrap().is_empty());
        self.requests()
            .iter()
            .map(|(url, ..)| if url.ends_with("/trust") { 'T' } else { 'X' })
            .collect()
    }
}

fn http(status: u16, body: impl Into<Vec<u8>>) -> Result<Answer, NetError> {
    Ok(Answer {
        status,
        headers: HeaderMap::new(),
        body: body.into(),
        elapsed: StdDuration::from_millis(7),
        date: Some(NOW + Duration::seconds(90)),
    })
}

fn issued(token: &str) -> Result<Answer, NetError> {
    http(
        200,
        answer(format!(
            "<wst:RequestSecurityTokenResponseCollection xmlns:wst=\"{wst}\"><wst:RequestSecurityTokenResponse><wst:TokenType>{bst}</wst:TokenType>\
             <wst:RequestedSecurityToken>{}</wst:RequestedSecurityToken><wst:Lifetime><wsu:Created>2031-05-04T09:00:00Z</wsu:Created>\
             <wsu:Expires>2031-05-04T09:30:00Z</wsu:Expires></wst:Lifetime></wst:RequestSecurityTokenResponse>\
             </wst:RequestSecurityTokenResponseCollection>",
            bst(token),
            wst = ns::WST,
            bst = ns::BST_TYPE,
        )),
    )
}

fn bst(token: &str) -> String {
    format!(
        "<wsse:BinarySecurityToken xmlns:wsse='{}' wsu:Id='BST-{token}' ValueType='{}' >{token}</wsse:BinarySecurityToken>",
        ns::WSSE,
        ns::BST_TYPE
    )
}

fn receipt() -> Result<Answer, NetError> {
    http(200, answer(response_info(RECEIPT)))
}

fn cancelled() -> Result<Answer, NetError> {
    http(
        200,
        answer(format!(
            "<wst:RequestSecurityTokenResponse xmlns:wst=\"{}\"><wst:RequestedTokenCancelled/></wst:RequestSecurityTokenResponse>",
            ns::WST
        )),
    )
}

fn message() -> BusinessMessage {
    BusinessMessage {
        model_uid: "2026_ECIT_DEPOT-V1".to_owned(),
        xml: "<?xml version=\"1.0\"?><!-- a --><c:certificat xmlns:c=\"urn:c\"><nom>Zoë &lt; 1</nom></c:certificat>".to_owned(),
    }
}

#[tokio::test]
async fn a_message_is_exchanged_for_mysecus_answer() {
    let scene = scene(vec![issued("t1"), receipt()]);
    let answer = scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(answer.xml, RECEIPT);
    assert_eq!(answer.correlation_id.as_deref(), Some("Id-0af3-77"));
    assert_eq!(answer.elapsed, StdDuration::from_millis(7));

    let requests = scene.requests();
    let (url, action, envelope) = &requests[0];
    assert_eq!((url.as_str(), action.as_str()), ("https://mysecu.test/trust", "\"\""));
    assert!(envelope.contains("<wsa:Address>https://mysecu.test/sync?a&amp;b</wsa:Address>"));
    assert!(envelope.contains("<auth:Value>90000101</auth:Value>"));
    assert!(envelope.contains(">ZXlKaC5leUp6LmMybG4=</wsse:BinarySecurityToken></wst:OnBehalfOf>"));
    assert!(envelope.contains("<wsu:Created>2031-05-04T10:00:00Z</wsu:Created><wsu:Expires>2031-05-04T10:05:00Z</wsu:Expires>"));

    let (url, action, envelope) = &requests[1];
    assert_eq!((url.as_str(), action.as_str()), ("https://mysecu.test/sync?a&b", "\"exchange\""));
    // Byte for byte, and before our own tokens.
    assert!(envelope.contains(&format!(
        "<wsse:Security soapenv:mustUnderstand=\"1\">{}<wsse:BinarySecurityToken",
        bst("t1")
    )));
    assert!(envelope.contains(
        "<syn:RequestInfo modelUID=\"2026_ECIT_DEPOT-V1\"><c:certificat xmlns:c=\"urn:c\"><nom>Zoë &lt; 1</nom></c:certificat></syn:RequestInfo>"
    ));
    // The OIDC token goes to the STS only.
    assert!(!envelope.contains("ZXlKaC5leUp6LmMybG4="));
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_it_expires() {
    let scene = scene(vec![issued("t1"), receipt(), receipt(), issued("t2"), receipt()]);
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    scene.clock.set(NOW + Duration::minutes(29));
    // A renewed OIDC token changes nothing.
    let renewed = Space {
        token: Arc::new(Secret::new("renewed")),
        ..space()
    };
    scene.mysecu.exchange(&renewed, &message()).await.unwrap();
    scene.clock.set(NOW + Duration::seconds(1770));
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(scene.calls(), "TXXTX");
    assert!(scene.requests()[4].2.contains(&bst("t2")));
}

#[tokio::test]
async fn a_token_serves_its_space_and_holder_only() {
    let scene = scene(vec![issued("t1"), receipt(), issued("t2"), receipt(), issued("t3"), receipt()]);
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    scene
        .mysecu
        .exchange(
            &Space {
                holder: "u2".to_owned(),
                ..space()
            },
            &message(),
        )
        .await
        .unwrap();
    scene
        .mysecu
        .exchange(
            &Space {
                code: "90000102".to_owned(),
                ..space()
            },
            &message(),
        )
        .await
        .unwrap();
    assert_eq!(scene.calls(), "TXTXTX");
}

/// Somebody with a session: counts how often a token is asked for, and has none while logged out.
#[derive(Default)]
struct Session {
    asked: AtomicUsize,
    logged_out: AtomicBool,
}

#[async_trait]
impl AccessToken for Session {
    async fn fresh(&self) -> Result<Arc<Secret>, Box<dyn Explain + Send + Sync>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.logged_out.load(Ordering::SeqCst) {
            let words = AuthorityWords::new("invalid_grant", "Session not active");
            return Err(Box::new(MySecuError::TokenRefused(Said {
                words,
                correlation_id: None,
                namespace: None,
                details: Vec::new(),
            })));
        }
        Ok(Arc::new(Secret::new("eyJh.eyJz.c2ln")))
    }
}

#[tokio::test]
async fn the_session_is_asked_for_a_token_only_when_the_sts_is_asked() {
    let refused = || http(500, fault("wsse:InvalidSecurityToken", "expired", ""));
    let scene = scene(vec![
        issued("t1"),
        receipt(),
        receipt(),
        refused(),
        issued("t2"),
        receipt(),
        refused(),
    ]);
    let session = Arc::new(Session::default());
    let space = Space {
        token: session.clone(),
        ..space()
    };
    let asked = || session.asked.load(Ordering::SeqCst);
    scene.mysecu.exchange(&space, &message()).await.unwrap();
    assert_eq!(asked(), 1);
    scene.mysecu.exchange(&space, &message()).await.unwrap();
    assert_eq!(asked(), 1);
    scene.mysecu.exchange(&space, &message()).await.unwrap();
    assert_eq!(asked(), 2);

    // Logged out meanwhile: the mySecu token still serves, but is not replaced any more, and nothing is sent without one.
    session.logged_out.store(true, Ordering::SeqCst);
    let error = scene.mysecu.exchange(&space, &message()).await.err().unwrap();
    assert!(matches!(&error, MySecuError::NoToken(_)), "{error}");
    assert_eq!((error.code(), error.maybe_deposited()), ("mysecu-token-refused", false));
    assert_eq!(error.authority().unwrap().code, "invalid_grant");
    assert_eq!(scene.calls(), "TXXXTXX");
    scene.mysecu.end(&space).await.unwrap();
    assert_eq!((scene.calls().as_str(), asked()), ("TXXXTXX", 3));
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait() {
    let mut answers = vec![issued("t1")];
    answers.extend((0..8).map(|_| receipt()));
    let scene = Arc::new(scene(answers));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.mysecu.exchange(&space(), &message()).await.map(|answer| answer.xml) })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), RECEIPT);
    }
    assert_eq!(scene.calls(), "TXXXXXXXX");
    assert!(scene.script.most_at_once.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn an_old_token_that_is_refused_is_replaced_once() {
    let refused = || http(500, fault("wsse:InvalidSecurityToken", "expired", ""));
    let scene = scene(vec![
        issued("t1"),
        receipt(),
        refused(),
        issued("t2"),
        receipt(),
        refused(),
        issued("t3"),
        refused(),
        issued("t4"),
        receipt(),
    ]);
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(scene.mysecu.exchange(&space(), &message()).await.unwrap().xml, RECEIPT);
    // Refused again with a new token: that is the answer. The next call does not use either.
    let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
    assert_eq!(error.code(), "mysecu-token-refused");
    assert!(!error.maybe_deposited());
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(scene.calls(), "TXXTXXTXTX");
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_not_replaced() {
    let scene = scene(vec![issued("t1"), http(500, fault("wsse:InvalidSecurityToken", "no", ""))]);
    let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
    assert_eq!(error.code(), "mysecu-token-refused");
    assert_eq!(scene.calls(), "TX");
}

#[tokio::test]
async fn what_the_sts_refuses_is_not_sent() {
    for (answer, code, blame) in [
        (
            http(500, fault("wsse:FailedAuthentication", "espace non activé", "")),
            "mysecu-space-refused",
            Fault::Authority,
        ),
        (
            http(500, fault("wst:RequestFailed", "espace inconnu", "")),
            "mysecu-space-refused",
            Fault::Authority,
        ),
        (
            http(500, fault("wsse:InvalidSecurityToken", "jeton", "")),
            "mysecu-token-refused",
            Fault::Authority,
        ),
        (
            http(500, fault("wsse:FailedAuthentication", "refusé", "<code>JETON_OIDC_REFUSE</code>")),
            "mysecu-token-refused",
            Fault::Authority,
        ),
        (
            http(500, fault("wsse:InvalidSecurity", "signature", "")),
            "mysecu-fault",
            Fault::Authority,
        ),
        (http(503, "busy"), "mysecu-status", Fault::Authority),
        (http(200, "<a/>"), "mysecu-answer-unreadable", Fault::Authority),
        (receipt(), "mysecu-answer-unreadable", Fault::Authority),
        (
            Err(NetError::Timeout {
                host: "h".to_owned(),
                sent: true,
            }),
            "net-timeout",
            Fault::Network,
        ),
        (
            Err(NetError::Tls {
                host: "h".to_owned(),
                reason: TlsReason::ClientCertificateRequired,
            }),
            "mysecu-client-certificate",
            Fault::You,
        ),
        (
            Err(NetError::Tls {
                host: "h".to_owned(),
                reason: TlsReason::UnknownIssuer,
            }),
            "net-tls-unknown-issuer",
            Fault::Network,
        ),
    ] {
        let scene = scene(vec![answer]);
        let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
        assert_eq!((error.code(), error.fault(), error.maybe_deposited()), (code, blame, false));
        assert_eq!(scene.calls(), "T");
    }
}

#[tokio::test]
async fn after_sending_only_a_clear_refusal_means_not_deposited() {
    let forged = answer(response_info(RECEIPT)).replace("reçu", "recu");
    let unsigned = format!(
        "<s:Envelope xmlns:s=\"{}\"><s:Body>{}</s:Body></s:Envelope>",
        ns::SOAP,
        response_info(RECEIPT)
    );
    let host = || "h".to_owned();
    for (answer, code, maybe) in [
        (http(200, forged), "mysecu-outcome-unknown", true),
        (http(200, unsigned), "mysecu-outcome-unknown", true),
        (http(200, "junk"), "mysecu-outcome-unknown", true),
        (http(200, answer(response_info("<a/><b/>"))), "mysecu-outcome-unknown", true),
        (issued("t2"), "mysecu-outcome-unknown", true),
        (http(502, "gateway"), "mysecu-outcome-unknown", true),
        (http(500, "<html/>"), "mysecu-outcome-unknown", true),
        (Err(NetError::Cut { host: host(), sent: true }), "mysecu-outcome-unknown", true),
        (Err(NetError::Timeout { host: host(), sent: true }), "mysecu-outcome-unknown", true),
        (Err(NetError::TooLarge { host: host() }), "mysecu-outcome-unknown", true),
        (Err(NetError::Cut { host: host(), sent: false }), "net-cut", false),
        (Err(NetError::Timeout { host: host(), sent: false }), "net-timeout", false),
        (Err(NetError::Resolve { host: host() }), "net-resolve", false),
        (
            Err(NetError::Tls {
                host: host(),
                reason: TlsReason::ClientCertificateRefused,
            }),
            "mysecu-client-certificate",
            false,
        ),
    ] {
        let scene = scene(vec![issued("t1"), answer]);
        let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
        assert_eq!((error.code(), error.maybe_deposited()), (code, maybe), "{error}");
        assert_eq!(scene.calls(), "TX");
    }
}

#[tokio::test]
async fn a_fault_means_not_deposited_only_when_its_code_says_refused_before_processing() {
    let renamed = fault("x:InvalidSecurity", "", "").replace("<faultcode>", &format!("<faultcode xmlns:x=\"{}\">", ns::WSSE));
    let foreign = |code: &str| fault(code, "", "").replace("<soapenv:Fault>", "<soapenv:Fault xmlns:wsse=\"urn:f\" xmlns:x=\"urn:x\">");
    let signed = |code: &str| {
        let content = fault(code, "", "");
        let (_, content) = content.split_once("<soapenv:Body>").unwrap();
        answer(content.split_once("</soapenv:Body>").unwrap().0)
    };
    for (answer, code, maybe) in [
        (http(500, fault("soapenv:Client", "modelUID", "")), "mysecu-fault", false),
        (http(500, fault("soapenv:Client.Document", "schéma", "")), "mysecu-fault", false),
        (http(500, fault("soapenv:VersionMismatch", "", "")), "mysecu-fault", false),
        (http(500, fault("soapenv:MustUnderstand", "", "")), "mysecu-fault", false),
        (http(500, fault("wsse:InvalidSecurity", "signature", "")), "mysecu-fault", false),
        (http(500, fault("wsse:FailedAuthentication", "", "")), "mysecu-fault", false),
        (http(500, fault("wsse:InvalidSecurityToken", "", "")), "mysecu-token-refused", false),
        (http(500, renamed), "mysecu-fault", false),
        (http(403, fault("soapenv:Client", "", "")), "mysecu-fault", false),
        (http(200, signed("soapenv:Client")), "mysecu-fault", false),
        (http(200, signed("soapenv:Server")), "mysecu-outcome-unknown", true),
        (http(500, fault("soapenv:Server", "occupé", "")), "mysecu-outcome-unknown", true),
        (http(403, fault("soapenv:Server", "occupé", "")), "mysecu-outcome-unknown", true),
        (http(500, fault("soapenv:Clients", "", "")), "mysecu-outcome-unknown", true),
        (http(500, fault("wst:RequestFailed", "", "")), "mysecu-outcome-unknown", true),
        (http(500, fault("Client", "", "")), "mysecu-outcome-unknown", true),
        (http(500, fault("undeclared:Client", "", "")), "mysecu-outcome-unknown", true),
        (http(500, fault("", "", "")), "mysecu-outcome-unknown", true),
        (http(500, foreign("x:Client")), "mysecu-outcome-unknown", true),
        // Under a foreign name a token is not replaced, which would deposit again.
        (http(500, foreign("wsse:InvalidSecurityToken")), "mysecu-outcome-unknown", true),
    ] {
        let scene = scene(vec![issued("t1"), answer]);
        let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
        assert_eq!((error.code(), error.maybe_deposited()), (code, maybe), "{error:?}");
        assert_eq!(scene.calls(), "TX");
    }
}

#[tokio::test]
async fn a_status_means_not_deposited_only_when_it_says_refused() {
    for status in [400, 401, 403, 404, 405, 413, 415] {
        let scene = scene(vec![issued("t1"), http(status, "<html/>")]);
        let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
        assert_eq!((error.code(), error.maybe_deposited()), ("mysecu-status", false), "{status}");
    }
    for status in [302, 307, 408, 425, 429, 500, 502, 503, 504] {
        let scene = scene(vec![issued("t1"), http(status, "<html/>")]);
        let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
        assert_eq!(
            (error.code(), error.maybe_deposited()),
            ("mysecu-outcome-unknown", true),
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_unknown_outcome_quotes_the_fault() {
    let scene = scene(vec![issued("t1"), http(500, fault("soapenv:Server", "Service indisponible", ""))]);
    let error = scene.mysecu.exchange(&space(), &message()).await.err().unwrap();
    assert_eq!((error.code(), error.fault()), ("mysecu-outcome-unknown", Fault::Authority));
    let words = error.authority().unwrap();
    assert_eq!(
        (words.code.as_str(), words.message.as_str()),
        ("soapenv:Server", "Service indisponible")
    );
    assert_eq!(error.correlation_id().as_deref(), Some("Id-fa17"));
}

#[tokio::test]
async fn an_unknown_outcome_keeps_the_correlation_id_and_whose_fault_it_is() {
    let forged = answer(response_info(RECEIPT)).replace("reçu", "recu");
    let unknown = scene(vec![issued("t1"), http(200, forged)]);
    let error = unknown.mysecu.exchange(&space(), &message()).await.err().unwrap();
    assert_eq!(
        (error.correlation_id().as_deref(), error.fault()),
        (Some("Id-0af3-77"), Fault::Authority)
    );

    let cut = scene(vec![
        issued("t1"),
        Err(NetError::Cut {
            host: "h".to_owned(),
            sent: true,
        }),
    ]);
    let error = cut.mysecu.exchange(&space(), &message()).await.err().unwrap();
    assert_eq!((error.correlation_id(), error.fault()), (None, Fault::Network));
}

#[tokio::test]
async fn a_message_that_cannot_be_sent_costs_no_call() {
    let xml = message().xml.clone();
    for (model_uid, xml) in [
        ("", xml.as_str()),
        ("a b", &xml),
        ("x\"><evil/>", &xml),
        ("é", &xml),
        ("123456789012345678901234567890123", &xml),
        ("ok", ""),
        ("ok", "<a>"),
        ("ok", "<a/><b/>"),
        ("ok", "text"),
        ("ok", "<!DOCTYPE a><a/>"),
        ("ok", "</syn:RequestInfo><a/>"),
    ] {
        let scene = scene(vec![]);
        let message = BusinessMessage {
            model_uid: model_uid.to_owned(),
            xml: xml.to_owned(),
        };
        let error = scene.mysecu.exchange(&space(), &message).await.err().unwrap();
        assert_eq!(
            (error.code(), error.fault(), error.maybe_deposited()),
            ("mysecu-message-invalid", Fault::Us, false)
        );
        assert_eq!(scene.calls(), "");
    }
}

#[tokio::test]
async fn an_empty_answer_is_empty() {
    let scene = scene(vec![issued("t1"), http(200, answer(response_info("")))]);
    assert_eq!(scene.mysecu.exchange(&space(), &message()).await.unwrap().xml, "");
}

#[tokio::test]
async fn ending_gives_the_token_back_once() {
    let scene = scene(vec![issued("t1"), receipt(), cancelled(), issued("t2"), receipt()]);
    scene.mysecu.end(&space()).await.unwrap();
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    scene.mysecu.end(&space()).await.unwrap();
    scene.mysecu.end(&space()).await.unwrap();
    assert!(
        scene.requests()[2]
            .2
            .contains(&format!("<wst:CancelTarget>{}</wst:CancelTarget>", bst("t1")))
    );
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(scene.calls(), "TXTTX");
}

#[tokio::test]
async fn a_token_is_forgotten_even_when_its_end_fails() {
    let scene = scene(vec![
        issued("t1"),
        receipt(),
        http(200, answer(response_info(""))),
        issued("t2"),
        receipt(),
    ]);
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert!(scene.mysecu.end(&space()).await.is_err());
    scene.mysecu.exchange(&space(), &message()).await.unwrap();
    assert_eq!(scene.calls(), "TXTTX");
}

#[test]
fn what_ends_first_is_told() {
    let mut scene = scene(vec![]);
    assert_eq!(scene.mysecu.expires(), Some(NOW + Duration::days(1)), "the client certificate");
    let soon = Authority::new("Soon", NOW - Duration::days(9), NOW + Duration::hours(3));
    scene.mysecu.trust = AnswerTrust::new(vec![PKI.ca.der.clone(), soon.der]).unwrap();
    assert_eq!(scene.mysecu.expires(), Some(NOW + Duration::hours(3)), "one of the anchors");
}

#[tokio::test]
async fn a_probe_tells_latency_and_the_difference_of_the_clocks() {
    let scene = scene(vec![http(405, "")]);
    let probe = scene.mysecu.probe().await.unwrap();
    assert_eq!(
        (probe.latency, probe.clock_skew),
        (StdDuration::from_millis(7), Some(Duration::seconds(90)))
    );
    let asked = |url: &str| (url.to_owned(), "GET".to_owned(), String::new());
    assert_eq!(scene.requests(), [asked("https://mysecu.test/sync?a&b")], "one host is asked once");
}

#[tokio::test]
async fn a_probe_asks_every_host_and_fails_with_the_one_that_does() {
    let apart = |answers| {
        let mut scene = scene(answers);
        scene.mysecu.settings.sts_url = "https://sts.mysecu.test/trust".to_owned();
        scene
    };
    let slow = http(405, "").map(|answer| Answer {
        elapsed: StdDuration::from_millis(9),
        date: Some(NOW),
        ..answer
    });
    let both = apart(vec![http(405, ""), slow]);
    let probe = both.mysecu.probe().await.unwrap();
    assert_eq!(
        (probe.latency, probe.clock_skew),
        (StdDuration::from_millis(9), Some(Duration::ZERO))
    );
    assert_eq!(both.calls().len(), 2);
    assert!(both.requests().iter().all(|(_, action, body)| action == "GET" && body.is_empty()));

    let host = "sts.mysecu.test".to_owned();
    let one = apart(vec![http(405, ""), Err(NetError::Resolve { host })]);
    let error = one.mysecu.probe().await.unwrap_err();
    assert_eq!(error.code(), "net-resolve");
    assert!(error.to_string().starts_with("sts.mysecu.test: "), "{error}");
}
