use std::time::Duration;

use econnector_base::{Explain, Fault};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};
use x509_cert::{
    Certificate,
    attr::AttributeValue,
    der::{
        Decode as _, Encode as _, Tag, Tagged as _,
        asn1::{BmpString, Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef},
    },
    ext::pkix::KeyUsage,
};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// Whose signature under an answer is believed.
#[derive(Clone, Debug)]
pub struct AnswerTrust {
    anchors: Vec<Anchor>,
    signer: SignerName,
}

/// The subject of the certificate that signs answers. Every part must match exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerName {
    /// CN.
    pub common_name: String,
    /// OU.
    pub organizational_unit: String,
    /// O.
    pub organization: String,
}

impl Default for SignerName {
    /// As in the answers of the real service.
    fn default() -> Self {
        Self {
            common_name: "ws.mysecu.lu".to_owned(),
            organizational_unit: "Signature API".to_owned(),
            organization: "Centre commun de la sécurité sociale".to_owned(),
        }
    }
}

impl AnswerTrust {
    /// Trusts certificates under these (DER): certification authorities, or the signing certificate itself.
    ///
    /// # Errors
    /// No certificate, or one that cannot be read.
    pub fn new(anchors: Vec<Vec<u8>>) -> Result<Self, TrustError> {
        if anchors.is_empty() {
            return Err(TrustError::Empty);
        }
        let anchors = anchors
            .into_iter()
            .map(Anchor::read)
            .collect::<Option<Vec<_>>>()
            .ok_or(TrustError::Unreadable)?;
        Ok(Self {
            anchors,
            signer: SignerName::default(),
        })
    }

    /// Expects another name in the certificate than the real service's.
    #[must_use]
    pub fn signed_by(mut self, signer: SignerName) -> Self {
        self.signer = signer;
        self
    }

    /// When the first of the anchors expires, to warn in time.
    #[must_use]
    pub fn earliest_expiry(&self) -> Option<OffsetDateTime> {
        self.anchors.iter().map(|anchor| anchor.not_after).min()
    }

    /// The public key (SPKI, DER) of the signer, if one of the certificates of a signature is the expected one, valid now, and
    /// leads to an anchor that is valid now. The other certificates serve as intermediates.
    pub(crate) fn signer_key(&self, certificates: &[Vec<u8>], now: OffsetDateTime) -> Result<Vec<u8>, &'static str> {
        let (signer, parsed) = certificates
            .iter()
            .filter_map(|der| Some((der, Certificate::from_der(der).ok()?)))
            .find(|(_, parsed)| self.signer.names(parsed))
            .ok_or("the certificate is not mySecu's")?;
        if matches!(parsed.tbs_certificate.get::<KeyUsage>(), Ok(Some((_, usage))) if !usage.digital_signature() && !usage.non_repudiation())
        {
            return Err("the certificate is not made for signing");
        }
        self.check_path(signer, &parsed, certificates, now)?;
        parsed
            .tbs_certificate
            .subject_public_key_info
            .to_der()
            .map_err(|_| "its key cannot be read")
    }

    fn check_path(&self, signer: &[u8], parsed: &Certificate, certificates: &[Vec<u8>], now: OffsetDateTime) -> Result<(), &'static str> {
        if self.anchors.iter().any(|anchor| anchor.der.as_ref() == signer) {
            let (not_before, not_after) = validity(parsed);
            return match () {
                () if now < not_before => Err("the certificate is not valid yet"),
                () if now > not_after => Err("the certificate has expired"),
                () => Ok(()),
            };
        }
        // webpki takes an anchor as given and never looks at its dates.
        let anchors: Vec<_> = self
            .anchors
            .iter()
            .filter(|anchor| anchor.not_before <= now && now <= anchor.not_after)
            .filter_map(|anchor| anchor_from_trusted_cert(&anchor.der).ok())
            .collect();
        if anchors.is_empty() {
            return Err("the trusted certificates have expired");
        }
        let intermediates: Vec<_> = certificates
            .iter()
            .filter(|der| *der != signer)
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let seconds = u64::try_from(now.unix_timestamp()).map_err(|_| "the clock is wrong")?;
        let signer = CertificateDer::from(signer);
        let end_entity = EndEntityCert::try_from(&signer).map_err(|_| "the certificate cannot be read")?;
        end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                &intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                AnyUsage,
                None,
                None,
            )
            .map(|_| ())
            .map_err(|error| match error {
                webpki::Error::CertExpired { .. } => "the certificate has expired",
                webpki::Error::CertNotValidYet { .. } => "the certificate is not valid yet",
                webpki::Error::UnknownIssuer => "the certificate comes from an unknown issuer",
                _ => "the certificate does not lead to a trusted one",
            })
    }
}

/// Why a set of trusted certificates was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Nothing to trust.
    #[error("no certificate is given to check mySecu's answers against")]
    Empty,
    /// One of them is not a certificate.
    #[error("a certificate to check mySecu's answers against cannot be read")]
    Unreadable,
}

impl Explain for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "mysecu-trust-empty",
            Self::Unreadable => "mysecu-trust-unreadable",
        }
    }

    fn fault(&self) -> Fault {
        Fault::You
    }
}

#[derive(Clone, Debug)]
struct Anchor {
    der: CertificateDer<'static>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

impl Anchor {
    fn read(der: Vec<u8>) -> Option<Self> {
        let (not_before, not_after) = validity(&Certificate::from_der(&der).ok()?);
        let der = CertificateDer::from(der);
        anchor_from_trusted_cert(&der).ok()?;
        Some(Self {
            der,
            not_before,
            not_after,
        })
    }
}

impl SignerName {
    fn names(&self, certificate: &Certificate) -> bool {
        let attributes: Vec<_> = certificate
            .tbs_certificate
            .subject
            .0
            .iter()
            .flat_map(|name| name.0.iter())
            .collect();
        let holds = |oid, expected: &str| {
            let mut values = attributes.iter().filter(|attribute| attribute.oid == oid);
            let only = values.next().filter(|_| values.next().is_none());
            only.and_then(|attribute| string(&attribute.value))
                .is_some_and(|value| value == expected)
        };
        holds(COMMON_NAME, &self.common_name)
            && holds(ORGANIZATIONAL_UNIT, &self.organizational_unit)
            && holds(ORGANIZATION, &self.organization)
    }
}

/// What an answer's certificate may be used for besides is CCSS's affair; its subject already says what it is for.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _usages: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// Until when a certificate (DER) is valid; none when it is not one.
pub(crate) fn not_after(der: &[u8]) -> Option<OffsetDateTime> {
    Some(validity(&Certificate::from_der(der).ok()?).1)
}

fn validity(certificate: &Certificate) -> (OffsetDateTime, OffsetDateTime) {
    let validity = certificate.tbs_certificate.validity;
    let at = |time: x509_cert::time::Time| OffsetDateTime::UNIX_EPOCH + time.to_unix_duration();
    (at(validity.not_before), at(validity.not_after))
}

fn string(value: &AttributeValue) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
        Tag::PrintableString => value
            .decode_as::<PrintableStringRef<'_>>()
            .ok()
            .map(|text| text.as_str().to_owned()),
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
        Tag::TeletexString => value.decode_as::<TeletexStringRef<'_>>().ok().map(|text| text.as_str().to_owned()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|text| text.to_string()),
        _ => None,
    }
}
