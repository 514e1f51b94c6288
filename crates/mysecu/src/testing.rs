//! A mySecu for tests: certificates, and answers signed by another implementation than ours.

use std::sync::{Arc, LazyLock, atomic::AtomicU32, atomic::Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bergshamra::{DsigContext, KeysManager, keys::loader::load_rsa_private_pem};
use econnector_base::{Ids, Secret};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey as _, LineEnding},
    rand_core::OsRng,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{AnswerTrust, SignerName, Space, ns, request::RequestSigner};

pub(crate) const NOW: OffsetDateTime = datetime!(2031-05-04 10:00 UTC);

pub(crate) static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);

/// Certificates and keys, made once: RSA takes its time.
pub(crate) struct Pki {
    pub(crate) ca: Authority,
    pub(crate) other_ca: Authority,
    keys: [RsaPrivateKey; 2],
    pub(crate) mysecu: Party,
    pub(crate) client: Party,
}

pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// Somebody who signs.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: RsaPrivateKey,
}

impl Pki {
    fn new() -> Self {
        let [first, second] = [0; 2].map(|_| std::thread::spawn(|| RsaPrivateKey::new(&mut OsRng, 2048).unwrap()));
        let keys = [first.join().unwrap(), second.join().unwrap()];
        let ca = Authority::new("Signature CA", NOW - Duration::days(1000), NOW + Duration::days(1000));
        let other_ca = Authority::new("Somebody else's CA", NOW - Duration::days(1000), NOW + Duration::days(1000));
        let mysecu = ca.certify(&keys[0], &SignerName::default(), NOW - Duration::days(1), NOW + Duration::days(1));
        let cabinet = SignerName {
            common_name: "Cabinet Dr Weber".to_owned(),
            organizational_unit: "Test".to_owned(),
            organization: "Test".to_owned(),
        };
        let client = ca.certify(&keys[1], &cabinet, NOW - Duration::days(1), NOW + Duration::days(1));
        Self {
            ca,
            other_ca,
            keys,
            mysecu,
            client,
        }
    }

    pub(crate) fn trust(&self) -> AnswerTrust {
        AnswerTrust::new(vec![self.ca.der.clone()]).unwrap()
    }

    /// mySecu's key under another certificate.
    pub(crate) fn recertified(&self, ca: &Authority, name: &SignerName, from: OffsetDateTime, to: OffsetDateTime) -> Party {
        ca.certify(&self.keys[0], name, from, to)
    }

    pub(crate) fn signer(&self) -> RequestSigner {
        RequestSigner::new(&self.client.certificate, self.client.key.to_pkcs8_der().unwrap().as_bytes()).unwrap()
    }
}

impl Authority {
    pub(crate) fn new(name: &str, from: OffsetDateTime, to: OffsetDateTime) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = from;
        params.not_after = to;
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn certify(&self, key: &RsaPrivateKey, name: &SignerName, from: OffsetDateTime, to: OffsetDateTime) -> Party {
        let pkcs8 = key.to_pkcs8_der().unwrap();
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8.as_bytes()), &rcgen::PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name.common_name.as_str());
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, name.organizational_unit.as_str());
        params.distinguished_name.push(DnType::OrganizationName, name.organization.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.not_before = from;
        params.not_after = to;
        let certificate = params.signed_by(&pair, &self.issuer).unwrap().der().to_vec();
        Party {
            certificate,
            key: key.clone(),
        }
    }
}

/// An answer of mySecu before it is signed. Every part can be bent.
pub(crate) struct Draft {
    pub(crate) before: String,
    /// What the references point at.
    pub(crate) references: Vec<String>,
    pub(crate) transforms: String,
    pub(crate) signature_method: &'static str,
    pub(crate) digest_method: &'static str,
    pub(crate) key_info: String,
    pub(crate) content: String,
}

impl Draft {
    pub(crate) fn new(content: impl Into<String>, party: &Party) -> Self {
        Self {
            before: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- Correlation-ID: Id-0af3-77 -->\n".to_owned(),
            references: vec!["#Body-1".to_owned(), "#KeyInfo-1".to_owned()],
            transforms: format!("<ds:Transform Algorithm=\"{}\"/>", ns::EXC_C14N),
            signature_method: ns::RSA_SHA256,
            digest_method: ns::SHA256,
            key_info: format!(
                "<ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>",
                STANDARD.encode(&party.certificate)
            ),
            content: content.into(),
        }
    }

    /// The envelope with an empty signature.
    pub(crate) fn template(&self) -> String {
        let references: String = self
            .references
            .iter()
            .map(|uri| {
                format!(
                    "<ds:Reference URI=\"{uri}\"><ds:Transforms>{}</ds:Transforms><ds:DigestMethod Algorithm=\"{}\"/>\
                     <ds:DigestValue></ds:DigestValue></ds:Reference>",
                    self.transforms, self.digest_method
                )
            })
            .collect();
        format!(
            "{before}<soapenv:Envelope xmlns:soapenv=\"{soap}\" xmlns:wsu=\"{wsu}\"><soapenv:Header>\
             <wsse:Security xmlns:wsse=\"{wsse}\" soapenv:mustUnderstand=\"1\"><ds:Signature xmlns:ds=\"{ds}\"><ds:SignedInfo>\
             <ds:CanonicalizationMethod Algorithm=\"{c14n}\"/><ds:SignatureMethod Algorithm=\"{method}\"/>{references}</ds:SignedInfo>\
             <ds:SignatureValue></ds:SignatureValue><ds:KeyInfo Id=\"KeyInfo-1\">{key_info}</ds:KeyInfo></ds:Signature></wsse:Security>\
             </soapenv:Header><soapenv:Body wsu:Id=\"Body-1\">{content}</soapenv:Body></soapenv:Envelope>",
            before = self.before,
            soap = ns::SOAP,
            wsu = ns::WSU,
            wsse = ns::WSSE,
            ds = ns::DS,
            c14n = ns::EXC_C14N,
            method = self.signature_method,
            key_info = self.key_info,
            content = self.content,
        )
    }

    pub(crate) fn sign(&self, party: &Party) -> String {
        sign_template(&self.template(), party)
    }
}

/// Fills an empty signature.
pub(crate) fn sign_template(template: &str, party: &Party) -> String {
    let mut keys = KeysManager::new();
    let pem = party.key.to_pkcs8_pem(LineEnding::LF).unwrap();
    keys.add_key(load_rsa_private_pem(pem.as_bytes()).unwrap());
    bergshamra::sign(&DsigContext::new_permissive(keys), template).unwrap()
}

/// A signed answer of mySecu.
pub(crate) fn answer(content: impl Into<String>) -> String {
    Draft::new(content, &PKI.mysecu).sign(&PKI.mysecu)
}

pub(crate) fn response_info(inside: &str) -> String {
    format!("<syn:ResponseInfo xmlns:syn=\"{}\">{inside}</syn:ResponseInfo>", ns::SYNC)
}

pub(crate) fn fault(code: &str, sentence: &str, detail: &str) -> String {
    format!(
        "<!-- Correlation-ID: Id-fa17 --><soapenv:Envelope xmlns:soapenv=\"{}\" xmlns:wsse=\"{}\" xmlns:wst=\"{}\"><soapenv:Body>\
         <soapenv:Fault><faultcode>{code}</faultcode><faultstring>{sentence}</faultstring><detail>{detail}</detail></soapenv:Fault>\
         </soapenv:Body></soapenv:Envelope>",
        ns::SOAP,
        ns::WSSE,
        ns::WST,
    )
}

pub(crate) fn space() -> Space {
    Space {
        code: "90000101".to_owned(),
        holder: "https://aes.test|u1|1900000001".to_owned(),
        token: Arc::new(Secret::new("eyJh.eyJz.c2ln")),
    }
}

/// 1, 2, 3…
#[derive(Default)]
pub(crate) struct CountedIds(AtomicU32);

impl Ids for CountedIds {
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1)
    }
}
