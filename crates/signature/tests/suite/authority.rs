//! A signature service in memory: its own CAs, a physician's key, a timestamp authority; and a way to misbehave. The timestamp is
//! put together byte by byte, with none of the code under test.

use std::{process::Command, sync::Mutex, time::Duration};

use async_trait::async_trait;
use der::{Decode, Encode};
use econnector_signature::{Algorithm, Bearer, Probe, SignatureError, Signer, SignerCertificate, TrustStore};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, SigningKey,
};
use ring::digest::{SHA256, digest};
use time::{OffsetDateTime, macros::datetime};
use x509_tsp::TimeStampReq;

pub const EHEALTH_ID: &str = "1234567890";
pub const NAME: &str = "Dr Élise Fictive";

pub struct Ca {
    pub issuer: Issuer<'static, KeyPair>,
    pub pem: String,
    pub der: Vec<u8>,
}

pub struct Issued {
    pub der: Vec<u8>,
    pub key: KeyPair,
}

impl Ca {
    pub fn root(name: &str) -> Self {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn below(&self, name: &str) -> Self {
        let (params, key) = (ca_params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    pub fn issue(&self, params: &CertificateParams, key: KeyPair) -> Issued {
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            der: certificate.der().to_vec(),
            key,
        }
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = datetime!(2020-01-01 0:00 UTC);
    params.not_after = datetime!(2040-01-01 0:00 UTC);
    params.use_authority_key_identifier_extension = true;
    params
}

pub fn physician(ehealth_id: &str) -> CertificateParams {
    let mut params = named(NAME);
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), ehealth_id);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params
}

pub fn stamper() -> CertificateParams {
    let mut params = named("Fictitious Timestamp Authority");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // rcgen writes an extended key usage that is not critical; RFC 3161 wants it critical.
    let usage = tlv(0x30, &[&tlv(0x06, &[&[0x2B, 6, 1, 5, 5, 7, 3, 8]])]);
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], usage);
    extension.set_criticality(true);
    params.custom_extensions = vec![extension];
    params
}

pub fn server(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A key of the kind most services use; ring cannot make one.
pub fn rsa_key() -> KeyPair {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"])
        .output()
        .unwrap();
    assert!(made.status.success());
    KeyPair::from_pem(&String::from_utf8(made.stdout).unwrap()).unwrap()
}

/// What the service does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    None,
    CertificateGarbage,
    CertificateTrailing,
    SignatureOfSomethingElse,
    SignatureGarbage,
    SignatureBare,
    StampRefused,
    StampOfAnotherDigest,
    StampReplayed,
    StampWithoutNonce,
    StampForged,
    StampWithoutToken,
    StampBer,
    StampGarbage,
}

pub struct Authority {
    pub root: Ca,
    pub signing: Ca,
    pub physician: Issued,
    pub stamper: Issued,
    pub misdeed: Misdeed,
    pub stamped_at: OffsetDateTime,
    pub calls: Mutex<Vec<&'static str>>,
    first_query: Mutex<Option<Vec<u8>>>,
}

impl Authority {
    pub fn new() -> Self {
        Self::with(&physician(EHEALTH_ID), KeyPair::generate().unwrap(), &stamper())
    }

    pub fn misbehaving(misdeed: Misdeed) -> Self {
        Self { misdeed, ..Self::new() }
    }

    pub fn with(physician: &CertificateParams, key: KeyPair, stamping: &CertificateParams) -> Self {
        let root = Ca::root("Fictitious Root");
        let signing = root.below("Fictitious Signing CA");
        let timestamping = root.below("Fictitious Timestamp CA");
        Self {
            physician: signing.issue(physician, key),
            stamper: timestamping.issue(stamping, KeyPair::generate().unwrap()),
            misdeed: Misdeed::None,
            stamped_at: now(),
            calls: Mutex::default(),
            first_query: Mutex::default(),
            // The store holds all three, as the real one does.
            root: Ca {
                pem: format!("{}{}{}", root.pem, signing.pem, timestamping.pem),
                ..root
            },
            signing,
        }
    }

    pub fn trust(&self) -> TrustStore {
        TrustStore::from_pem(self.root.pem.as_bytes()).unwrap()
    }

    pub fn called(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    pub fn signature_of(&self, data: &[u8]) -> Vec<u8> {
        match self.misdeed {
            Misdeed::SignatureOfSomethingElse => self.physician.key.sign(b"something else").unwrap(),
            Misdeed::SignatureGarbage => vec![0x30; 70],
            Misdeed::SignatureBare => bare(&self.physician.key.sign(data).unwrap()),
            _ => self.physician.key.sign(data).unwrap(),
        }
    }

    /// RFC 3161, 2.4.2.
    pub fn stamp(&self, query: &[u8]) -> Vec<u8> {
        match self.misdeed {
            Misdeed::StampRefused => {
                let words = tlv(0x30, &[&tlv(0x0C, &["requête refusée".as_bytes()])]);
                return tlv(0x30, &[&tlv(0x30, &[&[2, 1, 2], &words])]);
            }
            Misdeed::StampWithoutToken => return tlv(0x30, &[&tlv(0x30, &[&[2, 1, 0]])]),
            Misdeed::StampBer => return [&[0x30, 0x80][..], &tlv(0x30, &[&[2, 1, 0]]), &[0, 0]].concat(),
            Misdeed::StampGarbage => return b"<html>502 Bad Gateway</html>".to_vec(),
            _ => {}
        }
        let mut query = query.to_vec();
        if self.misdeed == Misdeed::StampReplayed {
            query = self.first_query.lock().unwrap().get_or_insert(query).clone();
        }
        let request = TimeStampReq::from_der(&query).unwrap();
        let mut imprint = request.message_imprint.to_der().unwrap();
        if self.misdeed == Misdeed::StampOfAnotherDigest {
            *imprint.last_mut().unwrap() ^= 1;
        }
        let nonce = match self.misdeed {
            Misdeed::StampWithoutNonce => Vec::new(),
            _ => request.nonce.unwrap().to_der().unwrap(),
        };
        let format = time::macros::format_description!("[year][month][day][hour][minute][second].25Z");
        let time = self.stamped_at.format(format).unwrap();
        let info = tlv(
            0x30,
            &[
                &[2, 1, 1],
                &[6, 3, 0x2A, 3, 4],
                &imprint,
                &[2, 1, 42],
                &tlv(0x18, &[time.as_bytes()]),
                &tlv(0x30, &[&[2, 1, 1]]),
                &nonce,
            ],
        );
        tlv(0x30, &[&tlv(0x30, &[&[2, 1, 0]]), &self.token(&info)])
    }

    fn token(&self, info: &[u8]) -> Vec<u8> {
        let pkcs9 = |rest: &[u8]| tlv(0x06, &[&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09], rest]);
        let tst_info = pkcs9(&[0x10, 1, 4]);
        let sha256 = tlv(0x30, &[&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
        let attribute = |oid: &[u8], value: &[u8]| tlv(0x30, &[oid, &tlv(0x31, &[value])]);
        let named = tlv(
            0x30,
            &[&tlv(
                0x30,
                &[&tlv(0x30, &[&tlv(0x04, &[digest(&SHA256, &self.stamper.der).as_ref()])])],
            )],
        );
        let mut attributes = [
            attribute(&pkcs9(&[3]), &tst_info),
            attribute(&pkcs9(&[4]), &tlv(0x04, &[digest(&SHA256, info).as_ref()])),
            attribute(&pkcs9(&[0x10, 2, 47]), &named),
        ];
        attributes.sort();
        let attributes = attributes.concat();
        let mut signature = self.stamper.key.sign(&tlv(0x31, &[&attributes])).unwrap();
        if self.misdeed == Misdeed::StampForged {
            signature = KeyPair::generate().unwrap().sign(&tlv(0x31, &[&attributes])).unwrap();
        }
        let parsed = x509_cert::Certificate::from_der(&self.stamper.der).unwrap().tbs_certificate;
        let sid = tlv(0x30, &[&parsed.issuer.to_der().unwrap(), &parsed.serial_number.to_der().unwrap()]);
        let ecdsa = tlv(0x30, &[&[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2]]);
        let signer = tlv(
            0x30,
            &[
                &[2, 1, 1],
                &sid,
                &sha256,
                &tlv(0xA0, &[&attributes]),
                &ecdsa,
                &tlv(0x04, &[&signature]),
            ],
        );
        let signed = tlv(
            0x30,
            &[
                &[2, 1, 3],
                &tlv(0x31, &[&sha256]),
                &tlv(0x30, &[&tst_info, &tlv(0xA0, &[&tlv(0x04, &[info])])]),
                &tlv(0xA0, &[&self.stamper.der]),
                &tlv(0x31, &[&signer]),
            ],
        );
        tlv(
            0x30,
            &[
                &tlv(0x06, &[&[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2]]),
                &tlv(0xA0, &[&signed]),
            ],
        )
    }

    fn note(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

#[async_trait]
impl Signer for Authority {
    async fn certificate(&self, _: &Bearer) -> Result<SignerCertificate, SignatureError> {
        self.note("certificate");
        let der = match self.misdeed {
            Misdeed::CertificateGarbage => b"not a certificate".to_vec(),
            Misdeed::CertificateTrailing => [self.physician.der.as_slice(), b"\0"].concat(),
            _ => self.physician.der.clone(),
        };
        Ok(SignerCertificate {
            der,
            chain: vec![self.signing.der.clone(), self.root.der.clone()],
        })
    }

    async fn sign(&self, _: &Bearer, data: &[u8], _: Algorithm) -> Result<Vec<u8>, SignatureError> {
        self.note("sign");
        Ok(self.signature_of(data))
    }

    async fn timestamp(&self, _: &Bearer, query: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.note("timestamp");
        Ok(self.stamp(query))
    }

    async fn probe(&self) -> Result<Probe, SignatureError> {
        Ok(Probe {
            latency: Duration::ZERO,
            server_time: None,
        })
    }
}

pub fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub fn p384() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

/// DER: tag, length, contents.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..=0x7F => out.push(length as u8),
        0x80..=0xFF => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

/// r‖s, 32 bytes each, out of the DER form.
fn bare(signature: &[u8]) -> Vec<u8> {
    let numbers = Vec::<der::asn1::Uint>::from_der(signature).unwrap();
    let mut out = Vec::new();
    for number in numbers {
        let bytes = number.as_bytes();
        out.extend(std::iter::repeat_n(0, 32 - bytes.len()));
        out.extend(bytes);
    }
    out
}
