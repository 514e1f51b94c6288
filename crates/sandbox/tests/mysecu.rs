//! mySecu: what it accepts, what it refuses, and its answers judged by xmlsec1.
#![allow(clippy::unwrap_used, clippy::string_slice)]

mod support;

use econnector_sandbox::Ready;
use reqwest::StatusCode;
use serde_json::json;
use support::{
    ECIT_DEPOSIT as MODEL, access_token, between, cancel, client, control, deposit, fault, fault_code, fresh_ecit, issue, once, run,
    sandbox, template, weber,
};

/// xmlsec1's verdict on an answer.
fn is_signed_by_mysecu(ready: &Ready, answer: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("answer.xml");
    std::fs::write(&file, answer).unwrap();
    let (certificate, file) = (ready.mysecu_signing_pem.to_str().unwrap(), file.to_str().unwrap());
    let body = "http://schemas.xmlsoap.org/soap/envelope/:Body";
    run(
        "xmlsec1",
        &["--verify", "--id-attr:Id", body, "--pubkey-cert-pem", certificate, file],
    )
}

#[tokio::test]
async fn without_a_client_certificate_nobody_gets_in() {
    let sandbox = sandbox().await;
    let error = client(sandbox.ready())
        .post(format!("{}/ws/soap/trust", sandbox.ready().mysecu))
        .send()
        .await
        .unwrap_err();
    let mut said = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        said.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(said.contains("CertificateRequired"), "{said}");
}

#[tokio::test]
async fn whoever_acts_for_a_physician_deposits_in_her_space() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    for (username, password) in [("sec.klein", "klein"), ("dr.schmit", "schmit")] {
        let bst = practice.bst_of(ready, username, password, "90000101").await;
        let (status, answer) = practice.exchange(ready, &bst, &deposit(MODEL, &fresh_ecit())).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert!(!answer.contains("cns:anomalies"), "{answer}");
    }
    // Who may act in several spaces has the one that was asked for.
    let own = practice.bst_of(ready, "dr.schmit", "schmit", "90000104").await;
    let (_, answer) = practice.exchange(ready, &own, &deposit(MODEL, &fresh_ecit())).await;
    assert_eq!(between(&answer, "<cns:code>", "<"), "PRESTATAIRE");
}

#[tokio::test]
async fn a_certificate_is_deposited_once() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;

    let ecit = fresh_ecit();
    let (status, answer) = practice.exchange(ready, &bst, &deposit(MODEL, &ecit)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let (signed, said) = is_signed_by_mysecu(ready, &answer);
    assert!(signed, "{said}");
    assert_eq!(between(&answer, "<cns:UuidPrestataire>", "<"), between(&ecit, "<UUID>", "<"));
    assert!(!answer.contains("cns:anomalies"));
    let correlation = between(&answer, "<!-- Correlation-ID: ", " -->");
    assert!(correlation.starts_with("Id-") && answer.find("<!--").unwrap() < answer.find("<soapenv:Envelope").unwrap());

    let reference = between(&answer, "<cns:UuidSecu>", "<");
    let (_, again) = practice.exchange(ready, &bst, &deposit(MODEL, &ecit)).await;
    assert_eq!(
        (between(&again, "<cns:type>", "<"), between(&again, "<cns:code>", "<")),
        ("E", "DOUBLON")
    );
    assert_eq!(between(&again, "<cns:UuidSecu>", "<"), reference);

    let exchanges = control(ready, "/mysecu/exchanges").await;
    let outcomes: Vec<&str> = exchanges
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["token", "accepted", "refused"]);
    assert_eq!(
        (&exchanges[1]["model_uid"], &exchanges[1]["correlation_id"]),
        (&json!(MODEL), &json!(correlation))
    );
    assert_eq!(exchanges[1]["document_pdf"].as_str().unwrap(), between(&ecit, "<document>", "<"));
    assert!(exchanges[1]["envelope"].as_str().unwrap().contains(&ecit));
    assert_eq!(exchanges[0]["path"], "/ws/soap/trust");
}

#[tokio::test]
async fn the_sts_gives_a_token_to_the_physician_of_an_activated_space() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let weber_token = access_token(ready, "dr.weber", "weber").await;

    let good = issue(ready, &weber_token, "90000101");
    let (status, answer) = practice.trust(ready, &good).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(is_signed_by_mysecu(ready, &answer).0);
    assert!(answer.contains("<wst:RequestSecurityTokenResponseCollection") && answer.contains("<wsu:Expires>"));

    let authentication = "wsse:FailedAuthentication";
    let da_costa = access_token(ready, "dr.dacosta", "dacosta").await;
    let secretary = access_token(ready, "sec.klein", "klein").await;
    let schmit = access_token(ready, "dr.schmit", "schmit").await;
    for (body, expected) in [
        (issue(ready, &weber_token, "90000102"), (authentication, "ESPACE_REFUSE")),
        (issue(ready, &da_costa, "90000103"), (authentication, "ESPACE_NON_ACTIVE")),
        (issue(ready, &secretary, "90000103"), (authentication, "ESPACE_REFUSE")),
        (issue(ready, &secretary, "90000199"), (authentication, "ESPACE_REFUSE")),
        (issue(ready, &schmit, "90000102"), (authentication, "ESPACE_REFUSE")),
        (
            issue(ready, &format!("{weber_token}x"), "90000101"),
            (authentication, "JETON_OIDC_REFUSE"),
        ),
        (
            good.replace("oauth:token-type:jwt", "oauth:token-type:saml2"),
            (authentication, "JETON_OIDC_REFUSE"),
        ),
        (good.replace("token/bst<", "token/other<"), ("soapenv:Client", "DEMANDE_INVALIDE")),
        (
            good.replace("/syncexchange<", "/otherexchange<"),
            ("soapenv:Client", "DEMANDE_INVALIDE"),
        ),
        (
            good.replace("prodo/espaceid", "prodo/other"),
            ("soapenv:Client", "DEMANDE_INVALIDE"),
        ),
        (good.replace("200512/Issue", "200512/Renew"), ("soapenv:Client", "DEMANDE_INVALIDE")),
    ] {
        assert_eq!(fault_code(&practice.trust(ready, &body).await), expected, "{body}");
    }

    let old = template(&practice.certificate, "", &good);
    let created = between(&old, "<wsu:Created>", "<").to_owned();
    let stale = old.replace(&created, "2020-01-01T00:00:00Z");
    assert_eq!(
        fault_code(&practice.post(ready, "/ws/soap/trust", "\"\"", practice.sign(&stale)).await),
        ("wsse:InvalidSecurity", "MESSAGE_PERIME")
    );
}

#[tokio::test]
async fn a_cancelled_token_is_worth_nothing() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    let (status, answer) = practice.trust(ready, &cancel(&bst)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer.contains("<wst:RequestedTokenCancelled/>"));
    let refused = practice.exchange(ready, &bst, &deposit(MODEL, &fresh_ecit())).await;
    assert_eq!(fault_code(&refused), ("wsse:InvalidSecurityToken", "JETON_INVALIDE"));
}

#[tokio::test]
async fn the_security_token_must_be_its_own_and_verbatim() {
    let mut sandbox = sandbox().await;
    let other = sandbox.issue_client("cabinet-90000102").await.unwrap();
    let ready = sandbox.ready();
    let (practice, other) = (weber(ready), support::practice(ready, &other));
    let bst = practice.bst(ready).await;
    let body = deposit(MODEL, &fresh_ecit());
    let refused = ("wsse:InvalidSecurityToken", "JETON_INVALIDE");

    let value = between(&bst, ">", "<").to_owned();
    let altered = bst.replace(&value, &format!("A{}", &value[1..]));
    for token in ["", &altered, &bst.replace(" ValueType", "  ValueType"), &format!("{bst}{bst}")] {
        assert_eq!(fault_code(&practice.exchange(ready, token, &body).await), refused, "{token}");
    }
    assert_eq!(fault_code(&other.exchange(ready, &bst, &body).await), refused);
    assert_eq!(practice.exchange(ready, &bst, &body).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_signature_must_be_the_clients_and_cover_the_body() {
    let mut sandbox = sandbox().await;
    let other = sandbox.issue_client("cabinet-90000102").await.unwrap();
    let ready = sandbox.ready();
    let (practice, other) = (weber(ready), support::practice(ready, &other));
    let bst = practice.bst(ready).await;
    let body = deposit(MODEL, &fresh_ecit());
    let unsigned = template(&practice.certificate, &bst, &body);
    let signed = practice.sign(&unsigned);
    let send = async |envelope: String| {
        practice
            .post(ready, "/ws/soap/espinst/syncexchange", "\"exchange\"", envelope)
            .await
    };
    let invalid = ("wsse:InvalidSecurity", "SECURITE_INVALIDE");

    assert_eq!(
        fault_code(&send(signed.replace("<nom>Schmit<", "<nom>Schmitz<")).await),
        invalid,
        "changed after signing"
    );
    let signature = between(&signed, "<ds:Signature>", "</ds:Signature>");
    assert_eq!(
        fault_code(&send(signed.replace(&format!("<ds:Signature>{signature}</ds:Signature>"), "")).await),
        invalid,
        "no signature"
    );
    let not_covered = unsigned.replace("URI=\"#Body\"", "URI=\"#X509\"");
    assert_eq!(fault_code(&send(practice.sign(&not_covered)).await), invalid, "Body not covered");
    let weak = unsigned.replace("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1");
    assert_eq!(fault_code(&send(practice.sign(&weak)).await), invalid, "SHA-1");
    let wrapped = {
        let start = signed.find("<soapenv:Body").unwrap();
        let genuine = &signed[start..signed.find("</soapenv:Envelope>").unwrap()];
        let forged = genuine.replace("wsu:Id=\"Body\"", "wsu:Id=\"Other\"").replace("Schmit", "Muller");
        signed.replace(genuine, &forged).replace(
            "</soapenv:Header>",
            &format!("<w:w xmlns:w=\"urn:w\">{genuine}</w:w></soapenv:Header>"),
        )
    };
    assert_eq!(fault_code(&send(wrapped).await), invalid, "signature wrapping");
    let by_other = other.sign(&template(&other.certificate, &bst, &body));
    assert_eq!(
        fault_code(&send(by_other).await),
        ("wsse:FailedAuthentication", "CERTIFICAT_DIFFERENT")
    );
    let in_our_name = other.sign(&unsigned);
    assert_eq!(fault_code(&send(in_our_name).await), invalid, "signed with another key");
    let header = between(&signed, "<wsse:Security", "</wsse:Security>");
    assert_eq!(
        fault_code(&send(signed.replace(&format!("<wsse:Security{header}</wsse:Security>"), "")).await),
        invalid,
        "no security header"
    );
    assert_eq!(send(signed).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_envelope_must_be_the_one_agreed() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    let good = deposit(MODEL, &fresh_ecit());
    let path = "/ws/soap/espinst/syncexchange";

    for (body, code) in [
        (good.replace("generic/sync", "generic/async"), "MESSAGE_INVALIDE"),
        (good.replace(&format!(" modelUID=\"{MODEL}\""), ""), "MODELE_ABSENT"),
        (good.replace(MODEL, "2026 ECIT"), "MODELE_INVALIDE"),
        (good.replace(MODEL, "2099_AUTRE-V1"), "MODELE_INCONNU"),
        (deposit(MODEL, ""), "MESSAGE_INVALIDE"),
        (deposit(MODEL, &fresh_ecit().repeat(2)), "MESSAGE_INVALIDE"),
        (good.replace("ciss/cns", "ciss/other"), "DOCUMENT_INVALIDE"),
        (good.replace("<dateFin>2026-11-06</dateFin>", ""), "DOCUMENT_INVALIDE"),
        (good.replace("<document>", "<document>AAAA"), "DOCUMENT_INVALIDE"),
        (format!("{good}{good}"), "ENVELOPPE_INVALIDE"),
    ] {
        assert_eq!(
            fault_code(&practice.exchange(ready, &bst, &body).await),
            ("soapenv:Client", code),
            "{body}"
        );
    }
    let signed = practice.envelope(&bst, &good);
    let code = async |action: &str, envelope: String| {
        let answer = practice.post(ready, path, action, envelope).await;
        let (code, detail) = fault_code(&answer);
        format!("{code} {detail}")
    };
    assert_eq!(code("\"get\"", signed.clone()).await, "soapenv:Client SOAPACTION_INVALIDE");
    assert_eq!(code("exchange", signed.clone()).await, "soapenv:Client SOAPACTION_INVALIDE");
    assert_eq!(
        code("\"exchange\"", format!("<!DOCTYPE x>{signed}")).await,
        "soapenv:Client XML_INVALIDE"
    );
    assert_eq!(
        code("\"exchange\"", signed.replace("</soapenv:Body>", "")).await,
        "soapenv:Client XML_INVALIDE"
    );
    let soap12 = signed.replace(support::SOAP, "http://www.w3.org/2003/05/soap-envelope");
    assert_eq!(code("\"exchange\"", soap12).await, "soapenv:VersionMismatch ENVELOPPE_INVALIDE");
    let unknown = signed.replace(
        "<soapenv:Header>",
        "<soapenv:Header><x:x xmlns:x=\"urn:x\" soapenv:mustUnderstand=\"1\"/>",
    );
    assert_eq!(code("\"exchange\"", unknown).await, "soapenv:MustUnderstand ENTETE_INCONNU");
    let large = format!("{signed}<!--{}-->", "x".repeat(11 * 1024 * 1024));
    assert_eq!(code("\"exchange\"", large).await, "soapenv:Client MESSAGE_TROP_GRAND");
    let answer = practice
        .client
        .post(format!("{}{path}", ready.mysecu))
        .header("SOAPAction", "\"exchange\"")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    let answer = (answer.status(), answer.text().await.unwrap());
    assert_eq!(fault_code(&answer), ("soapenv:Client", "TYPE_INVALIDE"));
    let exchanges = control(ready, "/mysecu/exchanges").await;
    assert!(
        !exchanges
            .as_array()
            .unwrap()
            .iter()
            .any(|exchange| exchange["outcome"] == "accepted")
    );
}

#[tokio::test]
async fn a_document_that_is_read_may_still_be_refused() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    for (from, to, kind, code) in [
        ("1988123048083", "1988123048084", "E", "MATRICULE"),
        ("<dateFin>2026-11-06", "<dateFin>2026-11-01", "E", "PERIODE"),
        ("<codePrestataire>90000101", "<codePrestataire>90000102", "E", "PRESTATAIRE"),
        (
            "<dateConstatation>2026-11-02",
            "<dateConstatation>2026-11-05",
            "W",
            "CONSTATATION_TARDIVE",
        ),
    ] {
        let (status, answer) = practice
            .exchange(ready, &bst, &deposit(MODEL, &fresh_ecit().replace(from, to)))
            .await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(
            (between(&answer, "<cns:type>", "<"), between(&answer, "<cns:code>", "<")),
            (kind, code)
        );
    }
    let exchanges = control(ready, "/mysecu/exchanges").await;
    let outcomes: Vec<&str> = exchanges
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["token", "refused", "refused", "refused", "accepted"]);
}

#[tokio::test]
async fn spoiled_answers_are_spoiled_as_they_say() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    let send = async || practice.exchange(ready, &bst, &deposit(MODEL, &fresh_ecit())).await;

    once(ready, "mysecu", "unsigned").await;
    let (status, answer) = send().await;
    assert!(
        status == StatusCode::OK && !answer.contains("ds:Signature>") && answer.contains("cns:UuidSecu"),
        "{answer}"
    );
    once(ready, "mysecu", "tampered").await;
    assert!(!is_signed_by_mysecu(ready, &send().await.1).0);
    once(ready, "mysecu", "wrapped").await;
    let (_, answer) = send().await;
    assert!(is_signed_by_mysecu(ready, &answer).0, "the signature itself is still good");
    assert_eq!(answer.matches("<soapenv:Body ").count(), 2);
    let body = &answer[answer.rfind("<soapenv:Body ").unwrap()..];
    assert!(body.contains("Body-forged-") && !answer.contains(&format!("#{}", between(body, "wsu:Id=\"", "\""))));
    once(ready, "mysecu", "untrusted").await;
    let (_, answer) = send().await;
    assert_ne!(
        between(&answer, "<ds:X509Certificate>", "<"),
        between(&send().await.1, "<ds:X509Certificate>", "<")
    );
    once(ready, "mysecu", "anomaly").await;
    assert_eq!(between(&send().await.1, "<cns:code>", "<"), "SIMULEE");
    once(ready, "mysecu", "fault").await;
    assert_eq!(fault_code(&send().await), ("soapenv:Server", "ERREUR_INTERNE"));
    once(ready, "mysecu", "expired").await;
    assert_eq!(fault_code(&send().await), ("wsse:InvalidSecurityToken", "JETON_EXPIRE"));
    assert_eq!(send().await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_line_is_cut_before_or_after_the_deposit() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    let envelope = practice.envelope(&bst, &deposit(MODEL, &fresh_ecit()));
    let send = || {
        let request = practice
            .client
            .post(format!("{}/ws/soap/espinst/syncexchange", ready.mysecu))
            .header("SOAPAction", "\"exchange\"");
        request
            .header("Content-Type", "text/xml;charset=UTF-8")
            .body(envelope.clone())
            .send()
    };
    let accepted = async || {
        let exchanges = control(ready, "/mysecu/exchanges").await;
        exchanges
            .as_array()
            .unwrap()
            .iter()
            .filter(|exchange| exchange["outcome"] == "accepted")
            .count()
    };

    assert_eq!(
        fault(ready, json!({"service": "mysecu", "kind": "drop", "count": 1})).await,
        StatusCode::CREATED
    );
    assert!(send().await.is_err());
    assert_eq!(accepted().await, 0);
    assert_eq!(
        fault(ready, json!({"service": "mysecu", "kind": "drop", "count": 1, "after": true})).await,
        StatusCode::CREATED
    );
    assert!(send().await.is_err());
    assert_eq!(accepted().await, 1);
    let again = send().await.unwrap().text().await.unwrap();
    assert_eq!(between(&again, "<cns:code>", "<"), "DOUBLON");
}

#[tokio::test]
async fn a_reference_by_x509_data_is_accepted_too() {
    let sandbox = sandbox().await;
    let ready = sandbox.ready();
    let practice = weber(ready);
    let bst = practice.bst(ready).await;
    let unsigned = template(&practice.certificate, &bst, &deposit(MODEL, &fresh_ecit()));
    let reference = between(&unsigned, "<ds:KeyInfo>", "</ds:KeyInfo>").to_owned();
    let (_, token) = unsigned.split_once("wsu:Id=\"X509\"").unwrap();
    let certificate = between(token, "#Base64Binary\">", "<");
    let data = format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>");
    let envelope = practice.sign(&unsigned.replace(&reference, &data));
    let (status, answer) = practice
        .post(ready, "/ws/soap/espinst/syncexchange", "\"exchange\"", envelope)
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}
