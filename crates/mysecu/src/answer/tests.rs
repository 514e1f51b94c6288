use std::time::Duration;

use econnector_base::Explain as _;
use reqwest::header::HeaderMap;
use time::Duration as Span;

use super::*;
use crate::{
    SignerName,
    testing::{self, Authority, Draft, NOW, PKI, Party, response_info, sign_template},
};

const RECEIPT: &str = "<r:recu xmlns:r=\"urn:r\"><nom>Béatrice &amp; fils</nom></r:recu>";

fn http(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: body.into(),
        elapsed: Duration::ZERO,
        date: None,
    }
}

/// Reads the text of what the Body holds.
fn read_at(body: &str, trust: &AnswerTrust, now: OffsetDateTime) -> Result<(String, Option<String>), MySecuError> {
    read(&http(200, body), trust, now, |doc, content| Ok(xml::text(doc, content)))
}

fn read_text(body: &str) -> Result<(String, Option<String>), MySecuError> {
    read_at(body, &PKI.trust(), NOW)
}

fn code(body: &str) -> &'static str {
    read_text(body).unwrap_err().code()
}

fn draft() -> Draft {
    Draft::new(response_info(RECEIPT), &PKI.mysecu)
}

/// Replaces what is there exactly once.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

fn between(text: &str, start: &str, end: &str) -> String {
    let (_, rest) = text.split_once(start).unwrap();
    let (inside, _) = rest.split_once(end).unwrap();
    format!("{start}{inside}{end}")
}

fn body_of(text: &str) -> String {
    between(text, "<soapenv:Body", "</soapenv:Body>")
}

fn signature_of(text: &str) -> String {
    between(text, "<ds:Signature ", "</ds:Signature>")
}

#[test]
fn a_genuine_answer_is_read_with_its_correlation_id() {
    let (text, correlation_id) = read_text(&draft().sign(&PKI.mysecu)).unwrap();
    assert_eq!(text, "Béatrice & fils");
    assert_eq!(correlation_id.as_deref(), Some("Id-0af3-77"));
}

#[test]
fn a_signature_over_a_nested_prefix_list_and_stronger_digests_is_read() {
    let mut draft = draft();
    draft.transforms = format!(
        "<ds:Transform Algorithm=\"{0}\"><ec:InclusiveNamespaces xmlns:ec=\"{0}\" PrefixList=\"soapenv wsu\"/></ds:Transform>",
        ns::EXC_C14N
    );
    draft.signature_method = ns::RSA_SHA512;
    draft.digest_method = ns::SHA512;
    assert!(read_text(&draft.sign(&PKI.mysecu)).is_ok());
}

#[test]
fn a_comment_neither_breaks_the_signature_nor_cuts_the_text() {
    let plain = Draft::new(response_info("<a>1234</a>"), &PKI.mysecu).sign(&PKI.mysecu);
    let commented = replace(&plain, "<a>1234</a>", "<a>12<!-- cut here -->34</a>");
    assert_eq!(read_text(&commented).unwrap().0, "1234");
}

#[test]
fn a_changed_answer_is_forged() {
    let genuine = draft().sign(&PKI.mysecu);
    let certificate = STANDARD.encode(&PKI.client.certificate);
    let value = between(&genuine, "<ds:SignatureValue>", "</ds:SignatureValue>");
    for changed in [
        replace(&genuine, "Béatrice", "Beatrice"),
        replace(&genuine, "<nom>", "<nom a=\"\">"),
        replace(&genuine, "urn:r", "urn:s"),
        replace(&genuine, "<syn:ResponseInfo ", "<syn:ResponseInfo modelUID=\"x\" "),
        replace(&genuine, "</syn:ResponseInfo>", "</syn:ResponseInfo><x/>"),
        replace(&genuine, "</syn:ResponseInfo>", "</syn:ResponseInfo><?pi x?>"),
        replace(&genuine, &value, "<ds:SignatureValue>AAAA</ds:SignatureValue>"),
        replace(&genuine, &value, "<ds:SignatureValue></ds:SignatureValue>"),
        replace(&genuine, &value, ""),
        replace(&genuine, &value, "<ds:SignatureValue>&#x1F4A9;</ds:SignatureValue>"),
        replace(
            &genuine,
            "</ds:X509Data>",
            &format!("<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"),
        ),
        replace(&genuine, "<ds:SignedInfo>", "<ds:SignedInfo><!-- -->"),
    ] {
        assert_eq!(code(&changed), "mysecu-answer-forged", "{changed}");
    }
}

#[test]
fn an_answer_without_signature_is_unsigned() {
    let genuine = draft().sign(&PKI.mysecu);
    let header = between(&genuine, "<soapenv:Header>", "</soapenv:Header>");
    for unsigned in [
        replace(&genuine, &header, ""),
        replace(&genuine, &header, "<soapenv:Header/>"),
        replace(&genuine, &signature_of(&genuine), ""),
        // A signature inside the Body is the document's own affair.
        replace(
            &replace(&genuine, &signature_of(&genuine), ""),
            "</syn:ResponseInfo>",
            "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/></syn:ResponseInfo>",
        ),
    ] {
        assert_eq!(code(&unsigned), "mysecu-answer-unsigned", "{unsigned}");
    }
    assert_eq!(
        read_text(&replace(&genuine, &header, "")).unwrap_err().correlation_id().as_deref(),
        Some("Id-0af3-77")
    );
}

#[test]
fn a_wrapped_answer_is_forged() {
    let genuine = draft().sign(&PKI.mysecu);
    let body = body_of(&genuine);
    let signature = signature_of(&genuine);
    let evil = |id: &str| {
        let evil = replace(&body, "Béatrice", "Mallory");
        replace(&evil, " wsu:Id=\"Body-1\"", id)
    };
    let wrapped = [
        // The signed Body moved into the header, ours in its place: with no, the same, or another identifier.
        replace(
            &replace(&genuine, &body, &evil("")),
            "</wsse:Security>",
            &format!("<x>{body}</x></wsse:Security>"),
        ),
        replace(
            &replace(&genuine, &body, &evil(" wsu:Id=\"Body-1\"")),
            "</wsse:Security>",
            &format!("<x>{body}</x></wsse:Security>"),
        ),
        replace(
            &replace(&genuine, &body, &evil(" wsu:Id=\"Body-2\"")),
            "</wsse:Security>",
            &format!("<x>{body}</x></wsse:Security>"),
        ),
        replace(
            &replace(&genuine, &body, &evil(" Id=\"Body-1\"")),
            "</soapenv:Header>",
            &format!("{body}</soapenv:Header>"),
        ),
        replace(
            &replace(&genuine, &body, &evil(" wsu:Id=\"Body-2\"")),
            "</soapenv:Header>",
            &format!("{body}</soapenv:Header>"),
        ),
        // Into a ds:Object of the signature.
        replace(
            &replace(&genuine, &body, &evil(" wsu:Id=\"Body-2\"")),
            "</ds:Signature>",
            &format!("<ds:Object>{body}</ds:Object></ds:Signature>"),
        ),
        // Two Bodies, in both orders.
        replace(&genuine, &body, &format!("{}{body}", evil(" wsu:Id=\"Body-2\""))),
        replace(&genuine, &body, &format!("{body}{}", evil(" wsu:Id=\"Body-2\""))),
        replace(&genuine, &body, &format!("{body}{}", evil(""))),
        // The signed Body inside ours, or behind ours after the header.
        replace(
            &genuine,
            &body,
            &replace(
                &evil(" wsu:Id=\"Body-2\""),
                "</syn:ResponseInfo>",
                &format!("</syn:ResponseInfo>{body}"),
            ),
        ),
        replace(&genuine, &body, &format!("{}<x>{body}</x>", evil(" wsu:Id=\"Body-2\""))),
        // The whole signed envelope inside another.
        format!(
            "<s:Envelope xmlns:s=\"{}\" xmlns:wsu=\"{}\"><s:Header>{}</s:Header>{}</s:Envelope>",
            ns::SOAP,
            ns::WSU,
            between(&genuine, "<soapenv:Envelope", "</soapenv:Envelope>"),
            "<s:Body wsu:Id=\"Body-2\"><a>Mallory</a></s:Body>"
        ),
        // A second identifier on the Body, of another name: the verifier sees one, a reader may see the other.
        replace(&genuine, "wsu:Id=\"Body-1\"", "wsu:Id=\"Body-1\" ID=\"Body-2\""),
        replace(&genuine, "wsu:Id=\"Body-1\"", "ID=\"Body-1\""),
        // Another element with the Body's identifier.
        replace(&genuine, "<nom>", "<nom id=\"Body-1\">"),
        replace(&genuine, "<soapenv:Header>", "<soapenv:Header><x AssertionID=\"Body-1\"/>"),
        // The signature elsewhere, doubled, or behind another one.
        replace(
            &replace(&genuine, &signature, ""),
            "</soapenv:Header>",
            &format!("{signature}</soapenv:Header>"),
        ),
        replace(&genuine, &signature, &format!("<x>{signature}</x>")),
        replace(
            &genuine,
            "<soapenv:Header>",
            "<soapenv:Header><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
        ),
        replace(
            &genuine,
            "</wsse:Security>",
            "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/></wsse:Security>",
        ),
        // A header and a Body of another namespace.
        replace(
            &genuine,
            &body,
            &format!(
                "{}{body}",
                replace(&evil(" wsu:Id=\"Body-2\""), "<soapenv:Body", "<soapenv:Body xmlns:y=\"y\"")
            ),
        ),
    ];
    for (n, wrapped) in wrapped.iter().enumerate() {
        let outcome = read_text(wrapped).map(|(text, _)| text);
        assert!(!outcome.as_ref().is_ok_and(|text| text.contains("Mallory")), "{n}: {wrapped}");
        if let Err(error) = &outcome {
            assert!(
                ["mysecu-answer-forged", "mysecu-answer-unsigned"].contains(&error.code()),
                "{n}: {error}"
            );
        }
        // Only an additional attribute that the signature covers could be harmless, and it is covered.
        assert!(outcome.is_err(), "{n}: {wrapped}");
    }
}

#[test]
fn a_signature_that_leaves_something_out_is_forged() {
    for references in [vec!["#KeyInfo-1"], vec!["#Body-1"], vec![]] {
        let mut draft = draft();
        draft.references = references.into_iter().map(str::to_owned).collect();
        assert_eq!(code(&draft.sign(&PKI.mysecu)), "mysecu-answer-forged");
    }
    // What is inside the Body is covered, the Body itself is not.
    let mut inner = draft();
    inner.content = replace(&inner.content, "<nom>", "<nom Id=\"Body-2\">");
    inner.references = vec!["#Body-2".to_owned(), "#KeyInfo-1".to_owned()];
    assert_eq!(code(&inner.sign(&PKI.mysecu)), "mysecu-answer-forged");
}

#[test]
fn transforms_and_algorithms_beyond_the_profile_are_refused() {
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    for transforms in [
        String::new(),
        "<ds:Transform Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>".to_owned(),
        format!(
            "<ds:Transform Algorithm=\"{enveloped}\"/><ds:Transform Algorithm=\"{}\"/>",
            ns::EXC_C14N
        ),
        format!("<ds:Transform Algorithm=\"{0}\"/><ds:Transform Algorithm=\"{0}\"/>", ns::EXC_C14N),
    ] {
        let mut draft = draft();
        draft.transforms = transforms;
        assert_eq!(code(&draft.sign(&PKI.mysecu)), "mysecu-answer-forged");
    }
    let mut weak = draft();
    weak.digest_method = "http://www.w3.org/2000/09/xmldsig#sha1";
    assert_eq!(code(&weak.sign(&PKI.mysecu)), "mysecu-answer-forged");
    let mut weak = draft();
    weak.signature_method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
    assert_eq!(code(&weak.sign(&PKI.mysecu)), "mysecu-answer-forged");
    for uri in ["", "#xpointer(/)", "cid:part", "file.xml", "http://localhost/x", "#"] {
        let genuine = draft().sign(&PKI.mysecu);
        assert_eq!(
            code(&replace(&genuine, "URI=\"#Body-1\"", &format!("URI=\"{uri}\""))),
            "mysecu-answer-forged"
        );
    }
    // A keyed hash with the public certificate as the key.
    let hmac = replace(
        &draft().sign(&PKI.mysecu),
        ns::RSA_SHA256,
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    );
    assert_eq!(code(&hmac), "mysecu-answer-forged");
    let many = Draft {
        references: [vec!["#Body-1".to_owned(); 8], vec!["#KeyInfo-1".to_owned()]].concat(),
        ..draft()
    };
    assert_eq!(code(&many.sign(&PKI.mysecu)), "mysecu-answer-forged");
}

fn signed_by(party: &Party) -> String {
    Draft::new(response_info(RECEIPT), party).sign(party)
}

#[test]
fn only_mysecus_own_certificate_is_trusted_while_it_is_valid() {
    let (from, to) = (NOW - Span::days(1), NOW + Span::days(1));
    let name = SignerName::default();
    let renamed = |change: fn(&mut SignerName)| {
        let mut name = SignerName::default();
        change(&mut name);
        PKI.recertified(&PKI.ca, &name, from, to)
    };
    for (party, reason) in [
        (
            PKI.recertified(&PKI.other_ca, &name, from, to),
            "the certificate comes from an unknown issuer",
        ),
        (
            PKI.recertified(&PKI.ca, &name, from, NOW - Span::hours(1)),
            "the certificate has expired",
        ),
        (
            PKI.recertified(&PKI.ca, &name, NOW + Span::hours(1), to),
            "the certificate is not valid yet",
        ),
        (
            renamed(|name| name.common_name = "ws.mysecu.lu.example".to_owned()),
            "the certificate is not mySecu's",
        ),
        (
            renamed(|name| name.organizational_unit = "TLS".to_owned()),
            "the certificate is not mySecu's",
        ),
        (
            renamed(|name| name.organization = "Centre commun".to_owned()),
            "the certificate is not mySecu's",
        ),
        (PKI.client.clone(), "the certificate is not mySecu's"),
    ] {
        match read_text(&signed_by(&party)) {
            Err(MySecuError::AnswerUntrusted { reason: found, .. }) => assert_eq!(found, reason),
            other => panic!("{reason}: {other:?}"),
        }
    }
}

#[test]
fn somebody_elses_key_under_mysecus_certificate_is_forged() {
    let impostor = Party {
        certificate: PKI.mysecu.certificate.clone(),
        key: PKI.client.key.clone(),
    };
    assert_eq!(code(&signed_by(&impostor)), "mysecu-answer-forged");
}

#[test]
fn an_anchor_may_be_the_certificate_itself_and_expires() {
    let genuine = draft().sign(&PKI.mysecu);
    let pinned = AnswerTrust::new(vec![PKI.mysecu.certificate.clone()]).unwrap();
    assert!(read_at(&genuine, &pinned, NOW).is_ok());
    assert!(read_at(&genuine, &pinned, NOW + Span::days(2)).is_err());
    assert_eq!(pinned.earliest_expiry(), Some(NOW + Span::days(1)));

    let old = Authority::new("Old CA", NOW - Span::days(100), NOW - Span::days(1));
    let party = PKI.recertified(&old, &SignerName::default(), NOW - Span::days(50), NOW + Span::days(50));
    let trust = AnswerTrust::new(vec![old.der.clone()]).unwrap();
    match read_at(&signed_by(&party), &trust, NOW) {
        Err(MySecuError::AnswerUntrusted { reason, .. }) => assert_eq!(reason, "the trusted certificates have expired"),
        other => panic!("{other:?}"),
    }
    assert!(read_at(&signed_by(&party), &trust, NOW - Span::days(10)).is_ok());
}

#[test]
fn what_is_no_answer_is_unreadable() {
    let signed = |content: &str| Draft::new(content, &PKI.mysecu).sign(&PKI.mysecu);
    for body in [
        String::new(),
        "Service unavailable".to_owned(),
        "<html><body>Portal</body></html>".to_owned(),
        "<Envelope/>".to_owned(),
        format!("<s:Envelope xmlns:s=\"{}\"/>", ns::SOAP),
        format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">{}</s:Envelope>",
            "<s:Body/>"
        ),
        format!("<!DOCTYPE a><s:Envelope xmlns:s=\"{}\"><s:Body/></s:Envelope>", ns::SOAP),
        replace(&draft().sign(&PKI.mysecu), "</soapenv:Envelope>", ""),
        signed(""),
        signed("text"),
        signed("<a/><b/>"),
    ] {
        assert_eq!(code(&body), "mysecu-answer-unreadable", "{body}");
    }
    let latin1 = read(&http(200, vec![b'<', 0xe9, b'>']), &PKI.trust(), NOW, |_, _| Ok(()));
    assert_eq!(latin1.unwrap_err().code(), "mysecu-answer-unreadable");
}

#[test]
fn a_fault_is_read_without_signature() {
    let body = testing::fault(
        "soapenv:Server",
        "Erreur interne",
        "<e:code xmlns:e='e'>42</e:code>\n <t>occupé</t>",
    );
    let error = read(&http(500, body), &PKI.trust(), NOW, |_, _| Ok(())).unwrap_err();
    assert_eq!(error.code(), "mysecu-fault");
    assert_eq!(error.correlation_id().as_deref(), Some("Id-fa17"));
    assert_eq!(
        error.authority(),
        Some(AuthorityWords::new("soapenv:Server", "Erreur interne (42 occupé)"))
    );
    // A sentence may repeat what was sent: neither Display nor Debug shows it.
    assert!(!format!("{error} {error:?}").contains("interne"));
}

#[test]
fn a_status_without_a_fault_is_named() {
    for (status, body) in [(500, ""), (500, "<a/>"), (503, "busy"), (404, "<html/>"), (302, "")] {
        let error = read(&http(status, body), &PKI.trust(), NOW, |_, _| Ok(())).unwrap_err();
        assert!(matches!(error, MySecuError::Status { status: found } if found == status), "{error}");
    }
    let bomb = format!("<!DOCTYPE a [<!ENTITY x 'y'>]>{}", testing::fault("soapenv:Server", "&x;", ""));
    assert_eq!(
        read(&http(500, bomb), &PKI.trust(), NOW, |_, _| Ok(())).unwrap_err().code(),
        "mysecu-status"
    );
}

#[test]
fn the_signature_may_have_been_made_after_the_template_was_wrapped() {
    // Everything is signed by mySecu's key, and still the Body that would be read is not the one that is covered.
    let template = draft().template();
    let body = body_of(&template);
    let evil = replace(&replace(&body, "Béatrice", "Mallory"), "Body-1", "Body-2");
    let wrapped = replace(
        &replace(&template, &body, &evil),
        "</wsse:Security>",
        &format!("<x>{body}</x></wsse:Security>"),
    );
    assert_eq!(code(&sign_template(&wrapped, &PKI.mysecu)), "mysecu-answer-forged");
}

#[test]
fn an_identifier_is_unique_however_its_attribute_is_written() {
    // The verifier knows `Id`, `ID`, `id`; somebody else's reader may know more.
    let mut twice = draft();
    twice.content = replace(&twice.content, "<nom>", "<nom iD=\"Body-1\">");
    assert_eq!(code(&twice.sign(&PKI.mysecu)), "mysecu-answer-forged");
    let mut other = draft();
    other.content = replace(&other.content, "<nom>", "<nom iD=\"Body-2\">");
    assert!(read_text(&other.sign(&PKI.mysecu)).is_ok());
}
