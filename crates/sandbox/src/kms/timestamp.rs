//! An RFC 3161 time-stamping unit.

use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos},
};
use const_oid::{
    ObjectIdentifier,
    db::{
        rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA},
        rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256},
    },
};
use der::{
    Any, Decode, Encode, Sequence,
    asn1::{GeneralizedTime, Int, OctetString, SetOfVec},
};
use rcgen::SigningKey;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_cert::{Certificate, attr::Attribute, spki::AlgorithmIdentifierOwned};
use x509_tsp::{Accuracy, MessageImprint, TimeStampReq, TspVersion, TstInfo};

use crate::{SandboxError, pki::Identity};

/// id-aa-signingCertificateV2 (RFC 5035).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// id-ct-TSTInfo (RFC 3161, 2.4.2).
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// ETSI EN 319 421, best practices time-stamp policy.
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.2023.1.1");
/// PKIFailureInfo bits (RFC 3161, 2.4.2).
const BAD_ALGORITHM: u8 = 0;
const BAD_DATA_FORMAT: u8 = 5;
const UNACCEPTED_POLICY: u8 = 15;

#[derive(Sequence)]
struct Granted {
    status: Status,
    token: ContentInfo,
}

#[derive(Sequence)]
struct Status {
    status: u8,
}

#[derive(Sequence)]
struct Rejected {
    status: Rejection,
}

#[derive(Sequence)]
struct Rejection {
    status: u8,
    failure: der::asn1::BitString,
}

/// RFC 5035, hash algorithm defaulted to SHA-256.
#[derive(Sequence)]
struct EssCertIdV2 {
    hash: OctetString,
}

#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<EssCertIdV2>,
}

/// The `TimeStampResp` for a `TimeStampReq`, both DER. `other_digest` stamps something that was not asked for.
pub(super) fn answer(request: &[u8], unit: &Identity, now: OffsetDateTime, other_digest: bool) -> Result<Vec<u8>, SandboxError> {
    let Ok(request) = TimeStampReq::from_der(request) else {
        return rejection(BAD_DATA_FORMAT);
    };
    let imprint = &request.message_imprint;
    if imprint.hash_algorithm.oid != ID_SHA_256 {
        return rejection(BAD_ALGORITHM);
    }
    if imprint.hashed_message.as_bytes().len() != Sha256::output_size() {
        return rejection(BAD_DATA_FORMAT);
    }
    if request.req_policy.is_some_and(|policy| policy != POLICY) {
        return rejection(UNACCEPTED_POLICY);
    }

    let mut imprint: MessageImprint = imprint.clone();
    if other_digest {
        imprint.hashed_message = OctetString::new(Sha256::digest(imprint.hashed_message.as_bytes()).to_vec())?;
    }
    let seconds = u64::try_from(now.unix_timestamp()).map_err(|_| SandboxError::Key("time before 1970".into()))?;
    let info = TstInfo {
        version: TspVersion::V1,
        policy: POLICY,
        message_imprint: imprint,
        serial_number: serial_number()?,
        gen_time: GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(seconds))?,
        accuracy: Some(Accuracy {
            seconds: Some(1),
            millis: None,
            micros: None,
        }),
        ordering: false,
        nonce: request.nonce.clone(),
        tsa: None,
        extensions: None,
    };
    let token = token(&info.to_der()?, unit, request.cert_req)?;
    Ok(Granted {
        status: Status { status: 0 },
        token,
    }
    .to_der()?)
}

fn token(info: &[u8], unit: &Identity, with_certificate: bool) -> Result<ContentInfo, SandboxError> {
    let certificate = Certificate::from_der(&unit.certificate)?;
    let sha256 = AlgorithmIdentifierOwned {
        oid: ID_SHA_256,
        parameters: None,
    };
    let signing_certificate = SigningCertificateV2 {
        certificates: vec![EssCertIdV2 {
            hash: OctetString::new(Sha256::digest(&unit.certificate).to_vec())?,
        }],
    };
    let attributes = SetOfVec::try_from(vec![
        attribute(ID_CONTENT_TYPE, &TST_INFO)?,
        attribute(ID_MESSAGE_DIGEST, &OctetString::new(Sha256::digest(info).to_vec())?)?,
        attribute(SIGNING_CERTIFICATE_V2, &signing_certificate)?,
    ])?;
    let signature = unit.key.sign(&attributes.to_der()?)?;
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.tbs_certificate.issuer.clone(),
            serial_number: certificate.tbs_certificate.serial_number.clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm: AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA_256,
            parameters: None,
        },
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    };
    let certificates = if with_certificate {
        Some(CertificateSet::try_from(vec![CertificateChoices::Certificate(certificate)])?)
    } else {
        None
    };
    let signed = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::try_from(vec![sha256])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: TST_INFO,
            econtent: Some(Any::encode_from(&OctetString::new(info)?)?),
        },
        certificates,
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer])?,
    };
    Ok(ContentInfo {
        content_type: ID_SIGNED_DATA,
        content: Any::encode_from(&signed)?,
    })
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> Result<Attribute, SandboxError> {
    Ok(Attribute {
        oid,
        values: SetOfVec::try_from(vec![Any::from_der(&value.to_der()?)?])?,
    })
}

/// Positive, 16 random octets.
fn serial_number() -> Result<Int, SandboxError> {
    let mut octets = uuid::Uuid::new_v4().into_bytes();
    if let Some(first) = octets.first_mut() {
        *first = 0x40 | (*first & 0x3f);
    }
    Ok(Int::new(&octets)?)
}

/// PKIStatus 2 (rejection) with one failure bit.
fn rejection(bit: u8) -> Result<Vec<u8>, SandboxError> {
    let mut octets = vec![0_u8; usize::from(bit / 8) + 1];
    if let Some(last) = octets.last_mut() {
        *last = 0x80 >> (bit % 8);
    }
    let failure = der::asn1::BitString::new(7 - bit % 8, octets)?;
    Ok(Rejected {
        status: Rejection { status: 2, failure },
    }
    .to_der()?)
}
