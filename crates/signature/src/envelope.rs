//! CMS (RFC 5652) as PAdES (EN 319 142-1) and RFC 3161 use it: one signer, signed attributes.

use cms::{
    cert::{CertificateChoices, IssuerAndSerialNumber},
    content_info::{CmsVersion, ContentInfo},
    signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos},
};
use der::{
    Any, Decode, Encode, Sequence,
    asn1::{ObjectIdentifier, OctetString, SetOfVec},
};
use ring::digest;
use x509_cert::{
    attr::{Attribute, Attributes},
    spki::AlgorithmIdentifierOwned,
};

use crate::{Algorithm, SignatureError, certificate::Certificate, oid};

/// The attributes that are signed in place of the document: what it is, its digest, and by which certificate.
///
/// There is no signing time: PAdES keeps the claimed time in the PDF (`/M`), and the proven one in the timestamp.
pub(crate) fn signed_attributes(digest: &[u8], signer: &Certificate) -> Result<Attributes, SignatureError> {
    let certificate_hash = OctetString::new(digest::digest(&digest::SHA256, signer.der()).as_ref())?;
    let signing_certificate = SigningCertificateV2 {
        certificates: vec![EssCertIdV2 {
            hash_algorithm: None,
            hash: certificate_hash,
            issuer_serial: None,
        }],
        policies: None,
    };
    Ok(SetOfVec::try_from(vec![
        attribute(oid::CONTENT_TYPE, &oid::DATA)?,
        attribute(oid::MESSAGE_DIGEST, &OctetString::new(digest)?)?,
        attribute(oid::SIGNING_CERTIFICATE_V2, &signing_certificate)?,
    ])?)
}

/// The finished signature: certificates, signed attributes, signature value and its timestamp.
pub(crate) fn seal(
    signer: &Certificate,
    chain: &[Vec<u8>],
    attributes: Attributes,
    algorithm: Algorithm,
    signature: &[u8],
    timestamp_token: &[u8],
) -> Result<Vec<u8>, SignatureError> {
    let sha256 = AlgorithmIdentifierOwned {
        oid: oid::SHA256,
        parameters: None,
    };
    let signature_algorithm = match algorithm {
        Algorithm::RsaSha256 => AlgorithmIdentifierOwned {
            oid: oid::SHA256_WITH_RSA,
            parameters: Some(Any::null()),
        },
        Algorithm::EcdsaSha256 => AlgorithmIdentifierOwned {
            oid: oid::ECDSA_WITH_SHA256,
            parameters: None,
        },
    };
    let mut certificates = vec![CertificateChoices::Certificate(signer.parsed().clone())];
    for der in chain {
        certificates.push(CertificateChoices::Certificate(x509_cert::Certificate::from_der(der)?));
    }
    let token = Attribute {
        oid: oid::TIMESTAMP_TOKEN,
        values: SetOfVec::try_from(vec![Any::from_der(timestamp_token)?])?,
    };
    let tbs = &signer.parsed().tbs_certificate;
    let signer_info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: tbs.issuer.clone(),
            serial_number: tbs.serial_number.clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes),
        signature_algorithm,
        signature: OctetString::new(signature)?,
        unsigned_attrs: Some(SetOfVec::try_from(vec![token])?),
    };
    let signed = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: oid::DATA,
            econtent: None,
        },
        certificates: Some(certificates.try_into()?),
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer_info])?,
    };
    Ok(ContentInfo {
        content_type: oid::SIGNED_DATA,
        content: Any::encode_from(&signed)?,
    }
    .to_der()?)
}

/// A CMS with one signer, taken apart.
pub(crate) struct Opened {
    content_type: ObjectIdentifier,
    content: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
    signer: Certificate,
    info: SignerInfo,
    attributes: Attributes,
}

impl Opened {
    /// `None` when it is no CMS in DER, does not have exactly one signer, or lacks his certificate or signed attributes.
    pub(crate) fn from_der(bytes: &[u8]) -> Option<Self> {
        let outer = ContentInfo::from_der(bytes)
            .ok()
            .filter(|outer| outer.content_type == oid::SIGNED_DATA)?;
        let signed: SignedData = outer.content.decode_as().ok()?;
        let content = match signed.encap_content_info.econtent {
            None => None,
            Some(content) => Some(content.decode_as::<OctetString>().ok()?.into_bytes()),
        };
        let certificates: Vec<Certificate> = signed
            .certificates?
            .0
            .iter()
            .filter_map(|choice| match choice {
                CertificateChoices::Certificate(certificate) => Certificate::from_parsed(certificate),
                CertificateChoices::Other(_) => None,
            })
            .collect();
        let mut infos = signed.signer_infos.0.into_vec().into_iter();
        let (Some(info), None) = (infos.next(), infos.next()) else {
            return None;
        };
        let signer = certificates.iter().find(|certificate| names(&info.sid, certificate))?.clone();
        let attributes = info.signed_attrs.clone()?;
        Some(Self {
            content_type: signed.encap_content_info.econtent_type,
            content,
            certificates,
            signer,
            info,
            attributes,
        })
    }

    pub(crate) const fn signer(&self) -> &Certificate {
        &self.signer
    }

    pub(crate) const fn content_type(&self) -> ObjectIdentifier {
        self.content_type
    }

    pub(crate) fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.info.signature.as_bytes()
    }

    /// All certificates it carries, the signer's among them, as DER.
    pub(crate) fn offered(&self) -> Vec<Vec<u8>> {
        self.certificates.iter().map(|certificate| certificate.der().to_vec()).collect()
    }

    /// The timestamp token of the signature, DER as it was embedded.
    pub(crate) fn timestamp_token(&self) -> Option<Vec<u8>> {
        only_value(self.info.unsigned_attrs.as_ref()?, oid::TIMESTAMP_TOKEN)?.to_der().ok()
    }

    /// Whether the digest that is signed is that of `content`.
    pub(crate) fn is_of(&self, content: &[&[u8]]) -> bool {
        let signed = only_value(&self.attributes, oid::MESSAGE_DIGEST).and_then(|value| value.decode_as::<OctetString>().ok());
        let actual = hash(self.info.digest_alg.oid, content);
        matches!((signed, actual), (Some(signed), Some(actual)) if signed.as_bytes() == actual.as_ref())
    }

    /// Whether the attributes are signed by the signer's certificate, name that certificate, and name the kind of content.
    pub(crate) fn is_signed_by_its_signer(&self) -> bool {
        let kind = only_value(&self.attributes, oid::CONTENT_TYPE).and_then(|value| value.decode_as().ok());
        let Ok(message) = self.attributes.to_der() else { return false };
        kind == Some(self.content_type)
            && self.names_its_signer()
            && self.signer.verifies(
                self.info.signature_algorithm.oid,
                self.info.digest_alg.oid,
                &message,
                self.info.signature.as_bytes(),
            )
    }

    /// RFC 5035 (and RFC 2634 for timestamps of older authorities): the certificate's hash is among what is signed, so that no
    /// other certificate with the same key can be put in its place.
    fn names_its_signer(&self) -> bool {
        let der = self.signer.der();
        let second = only_value(&self.attributes, oid::SIGNING_CERTIFICATE_V2);
        let first = only_value(&self.attributes, oid::SIGNING_CERTIFICATE);
        if let Some(value) = second {
            let named = value.decode_as::<SigningCertificateV2>().ok();
            return named.and_then(|named| named.certificates.into_iter().next()).is_some_and(|named| {
                let algorithm = named.hash_algorithm.map_or(oid::SHA256, |algorithm| algorithm.oid);
                hash(algorithm, &[der]).is_some_and(|actual| actual.as_ref() == named.hash.as_bytes())
            });
        }
        let named = first.and_then(|value| value.decode_as::<SigningCertificate>().ok());
        named
            .and_then(|named| named.certificates.into_iter().next())
            .is_some_and(|named| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref() == named.hash.as_bytes())
    }
}

/// The digest of `parts` one after another, for the digests that may still be relied on.
pub(crate) fn hash(algorithm: ObjectIdentifier, parts: &[&[u8]]) -> Option<digest::Digest> {
    let algorithm = match algorithm {
        oid::SHA256 => &digest::SHA256,
        oid::SHA384 => &digest::SHA384,
        oid::SHA512 => &digest::SHA512,
        _ => return None,
    };
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    Some(context.finish())
}

impl From<der::Error> for SignatureError {
    fn from(_: der::Error) -> Self {
        Self::Encoding
    }
}

#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct EssCertIdV2 {
    #[asn1(optional = "true")]
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<EssCertId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct EssCertId {
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

fn attribute<T: Encode>(oid: ObjectIdentifier, value: &T) -> Result<Attribute, SignatureError> {
    let value = Any::from_der(&value.to_der()?)?;
    Ok(Attribute {
        oid,
        values: SetOfVec::try_from(vec![value])?,
    })
}

/// The one value of the one attribute of this kind: two of a kind are none (RFC 5652, 11).
fn only_value(attributes: &Attributes, wanted: ObjectIdentifier) -> Option<&Any> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == wanted);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return None;
    };
    let mut values = attribute.values.iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

fn names(sid: &SignerIdentifier, certificate: &Certificate) -> bool {
    match sid {
        SignerIdentifier::IssuerAndSerialNumber(named) => {
            let tbs = &certificate.parsed().tbs_certificate;
            tbs.issuer == named.issuer && tbs.serial_number == named.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(named) => certificate.key_identifier().as_ref() == Some(named),
    }
}
