use std::{
    io::Write as _,
    process::{Command, Output},
};

use bergshamra::{DsigContext, KeysManager, keys::loader::load_x509_cert_der};
use econnector_base::Secret;

use super::*;
use crate::{
    JwtOnBehalfOf, TokenCarrier as _, sts,
    testing::{CountedIds, NOW, PKI, space},
};

const BST: &str = "<wsse:BinarySecurityToken  wsu:Id='BST-1' xmlns:soap='urn:s'>abc</wsse:BinarySecurityToken >";

fn business(xml: &str) -> String {
    let message = BusinessMessage {
        model_uid: "2022_CNS_MEMHON_DEPOT-V1".to_owned(),
        xml: xml.to_owned(),
    };
    let body = message.request_info().unwrap();
    let request = Unsigned {
        namespaces: &[("syn", ns::SYNC)],
        tokens: BST,
        made_at: None,
        body: &body,
    };
    PKI.signer().envelope(&request, &CountedIds::default()).unwrap().to_string()
}

fn trust() -> String {
    let carried = JwtOnBehalfOf.carry(&Secret::new("eyJh.eyJz.c2ln"));
    let body = sts::issue(&space(), "https://mysecu.test/sync", &carried);
    let request = Unsigned {
        namespaces: &sts::NAMESPACES,
        tokens: "",
        made_at: Some(NOW),
        body: &body,
    };
    PKI.signer().envelope(&request, &CountedIds::default()).unwrap().to_string()
}

/// Documents that canonicalisation treats specially.
fn documents() -> Vec<&'static str> {
    vec![
        "<c:certificat xmlns:c=\"urn:c\"><nom>Zoë &lt; &amp; &gt; 'x' \"y\"</nom></c:certificat>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- a --><a>\r\n\t<b  z='1' a=\"2\"/><!-- c --><![CDATA[<&>]]>&#13;</a>\r\n",
        "<memoire xmlns=\"urn:m\" xmlns:unused=\"urn:u\"><inner xmlns=\"\"><x xmlns:syn=\"urn:not-sync\" syn:a=\"\u{e9}\"/></inner></memoire>",
        "<a soapenv:b=\"1\" xmlns:soapenv=\"urn:not-soap\" xml:lang=\"fr\">\u{1F600}\u{a0}</a>",
    ]
}

/// xmlsec1, as installed by the project's set-up.
fn xmlsec1(envelope: &str, id_nodes: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let (document, certificate) = (dir.path().join("request.xml"), dir.path().join("client.pem"));
    std::fs::write(&document, envelope).unwrap();
    let encoded = STANDARD.encode(&PKI.client.certificate);
    let mut pem = std::fs::File::create(&certificate).unwrap();
    writeln!(pem, "-----BEGIN CERTIFICATE-----").unwrap();
    for line in encoded.as_bytes().chunks(64) {
        writeln!(pem, "{}", std::str::from_utf8(line).unwrap()).unwrap();
    }
    writeln!(pem, "-----END CERTIFICATE-----").unwrap();
    let mut command = Command::new("xmlsec1");
    command.arg("--verify").arg("--pubkey-cert-pem").arg(&certificate);
    for node in id_nodes {
        command.arg("--id-attr:Id").arg(node);
    }
    command.arg(&document).output().expect("xmlsec1 must be installed")
}

fn body_node() -> String {
    format!("{}:Body", ns::SOAP)
}

#[test]
fn xmlsec1_verifies_a_business_request_and_refuses_a_changed_one() {
    for document in documents() {
        let envelope = business(document);
        let output = xmlsec1(&envelope, &[&body_node()]);
        assert!(output.status.success(), "{envelope}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!xmlsec1(&envelope.replace("DEPOT", "ANNUL"), &[&body_node()]).status.success());
    }
}

#[test]
fn xmlsec1_verifies_a_token_request_with_its_timestamp() {
    let envelope = trust();
    let timestamp = format!("{}:Timestamp", ns::WSU);
    let output = xmlsec1(&envelope, &[&body_node(), &timestamp]);
    assert!(output.status.success(), "{envelope}\n{}", String::from_utf8_lossy(&output.stderr));
    for changed in [
        envelope.replace("T10:05:00Z", "T11:05:00Z"),
        envelope.replace("90000101", "90000102"),
    ] {
        assert_ne!(changed, envelope);
        assert!(!xmlsec1(&changed, &[&body_node(), &timestamp]).status.success());
    }
}

#[test]
fn bergshamra_verifies_our_requests_too() {
    let mut keys = KeysManager::new();
    keys.add_key(load_x509_cert_der(&PKI.client.certificate).unwrap());
    let context = DsigContext::new_permissive(keys).with_trusted_keys_only(true);
    for envelope in documents().into_iter().map(business).chain([trust()]) {
        let verified = bergshamra::verify(&context, &envelope).unwrap();
        assert!(verified.is_valid() && verified.all_reference_digests_verified(), "{envelope}");
    }
}

#[test]
fn a_request_is_laid_out_as_the_wire_says() {
    let envelope = business(documents()[0]);
    let doc = xml::parse(&envelope).unwrap();
    let root = doc.document_element().unwrap();
    let security = xml::only_child(&doc, xml::only_child(&doc, root, ns::SOAP, "Header").unwrap(), ns::WSSE, "Security").unwrap();
    assert_eq!(
        doc.element(security).unwrap().get_attribute_ns(ns::SOAP, "mustUnderstand"),
        Some("1")
    );
    let parts = xml::elements(&doc, security);
    assert_eq!(parts.len(), 3);
    assert_eq!(doc.node_source(parts[0]), Some(BST));
    let certificate = parts[1];
    assert_eq!(doc.get_attribute(certificate, "ValueType"), Some(ns::X509_V3));
    assert_eq!(STANDARD.decode(xml::text(&doc, certificate)).unwrap(), PKI.client.certificate);
    let id = doc.element(certificate).unwrap().get_attribute_ns(ns::WSU, "Id").unwrap();
    let reference = doc.get_elements_by_tag_name_ns(ns::WSSE, "Reference")[0];
    assert_eq!(doc.get_attribute(reference, "URI"), Some(format!("#{id}").as_str()));
    let body = xml::only_child(&doc, root, ns::SOAP, "Body").unwrap();
    let info = xml::only_child(&doc, body, ns::SYNC, "RequestInfo").unwrap();
    assert_eq!(doc.get_attribute(info, "modelUID"), Some("2022_CNS_MEMHON_DEPOT-V1"));
    assert_eq!(xml::elements(&doc, info).len(), 1);
}

#[test]
fn a_key_that_is_not_rsa_is_refused() {
    let ec = rcgen::KeyPair::generate().unwrap().serialize_der();
    assert!(matches!(RequestSigner::new(&[], &ec), Err(MySecuError::ClientKey(_))));
    assert!(matches!(RequestSigner::new(&[], b"garbage"), Err(MySecuError::ClientKey(_))));
}
