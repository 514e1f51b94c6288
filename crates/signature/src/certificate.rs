use der::{
    Decode as _, Encode as _,
    asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef},
};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use time::OffsetDateTime;
use webpki::{EndEntityCert, ring as algorithms};
use x509_cert::{
    attr::AttributeValue,
    ext::pkix::{ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier},
    name::Name,
    time::Time,
};

use crate::{Algorithm, oid};

/// An X.509 certificate and the bytes it was read from.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    der: Vec<u8>,
    parsed: x509_cert::Certificate,
}

impl Certificate {
    /// Strict DER only: what is written again into a signature must come out as the same bytes.
    pub(crate) fn from_der(der: Vec<u8>) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(&der).ok()?;
        (parsed.to_der().ok()? == der).then_some(Self { der, parsed })
    }

    pub(crate) fn from_parsed(parsed: &x509_cert::Certificate) -> Option<Self> {
        Some(Self {
            der: parsed.to_der().ok()?,
            parsed: parsed.clone(),
        })
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) const fn parsed(&self) -> &x509_cert::Certificate {
        &self.parsed
    }

    pub(crate) const fn subject(&self) -> &Name {
        &self.parsed.tbs_certificate.subject
    }

    pub(crate) const fn issuer(&self) -> &Name {
        &self.parsed.tbs_certificate.issuer
    }

    pub(crate) fn is_self_issued(&self) -> bool {
        self.subject() == self.issuer()
    }

    pub(crate) fn not_after(&self) -> OffsetDateTime {
        moment(&self.parsed.tbs_certificate.validity.not_after)
    }

    pub(crate) fn is_valid(&self, at: OffsetDateTime) -> bool {
        let validity = &self.parsed.tbs_certificate.validity;
        moment(&validity.not_before) <= at && at <= moment(&validity.not_after)
    }

    /// The serial number its issuer gave it, in hexadecimal.
    pub(crate) fn serial(&self) -> String {
        let bytes = self.parsed.tbs_certificate.serial_number.as_bytes();
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    pub(crate) fn key_identifier(&self) -> Option<SubjectKeyIdentifier> {
        self.parsed
            .tbs_certificate
            .get::<SubjectKeyIdentifier>()
            .ok()
            .flatten()
            .map(|(_, identifier)| identifier)
    }

    /// The name a person reads: the subject's CN.
    pub(crate) fn common_name(&self) -> Option<String> {
        self.only_subject_value(oid::COMMON_NAME)
    }

    /// The subject's `serialNumber`: the physician's eHealthID in a certificate of the KMS.
    pub(crate) fn subject_serial_number(&self) -> Option<String> {
        self.only_subject_value(oid::SERIAL_NUMBER)
    }

    /// A subject that gives two answers gives none.
    fn only_subject_value(&self, wanted: ObjectIdentifier) -> Option<String> {
        let mut values = self
            .subject()
            .0
            .iter()
            .flat_map(|part| part.0.iter())
            .filter(|part| part.oid == wanted);
        let value = values.next()?;
        if values.next().is_some() { None } else { text(&value.value) }
    }

    /// Key usage allows signing documents, and the extended usage, if any, is not timestamping.
    pub(crate) fn may_sign_documents(&self) -> bool {
        let Ok(Some((_, usage))) = self.parsed.tbs_certificate.get::<KeyUsage>() else {
            return false;
        };
        let Ok(purposes) = self.parsed.tbs_certificate.get::<ExtendedKeyUsage>() else {
            return false;
        };
        (usage.non_repudiation() || usage.digital_signature())
            && purposes.is_none_or(|(_, purposes)| !purposes.0.contains(&oid::TIME_STAMPING))
    }

    /// RFC 3161, 2.3: the extended key usage is critical and is timestamping alone.
    pub(crate) fn may_stamp(&self) -> bool {
        match self.parsed.tbs_certificate.get::<ExtendedKeyUsage>() {
            Ok(Some((critical, purposes))) => critical && purposes.0 == [oid::TIME_STAMPING],
            _ => false,
        }
    }

    /// How this certificate's key signs, when it is of a kind we use.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        match self.parsed.tbs_certificate.subject_public_key_info.algorithm.oid {
            oid::RSA => Some(Algorithm::RsaSha256),
            oid::EC_PUBLIC_KEY => Some(Algorithm::EcdsaSha256),
            _ => None,
        }
    }

    /// Whether `signature` is this certificate's signature of `message`, under the algorithm and digest that a CMS names.
    pub(crate) fn verifies(
        &self,
        signature_algorithm: ObjectIdentifier,
        digest: ObjectIdentifier,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let candidates: &[&dyn SignatureVerificationAlgorithm] = match (signature_algorithm, digest) {
            (oid::RSA | oid::SHA256_WITH_RSA, oid::SHA256) => &[algorithms::RSA_PKCS1_2048_8192_SHA256],
            (oid::RSA | oid::SHA384_WITH_RSA, oid::SHA384) => &[algorithms::RSA_PKCS1_2048_8192_SHA384],
            (oid::RSA | oid::SHA512_WITH_RSA, oid::SHA512) => &[algorithms::RSA_PKCS1_2048_8192_SHA512],
            (oid::ECDSA_WITH_SHA256, oid::SHA256) => &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256],
            (oid::ECDSA_WITH_SHA384, oid::SHA384) => &[algorithms::ECDSA_P256_SHA384, algorithms::ECDSA_P384_SHA384],
            _ => return false,
        };
        let der = CertificateDer::from(self.der.as_slice());
        EndEntityCert::try_from(&der).is_ok_and(|certificate| {
            candidates
                .iter()
                .any(|algorithm| certificate.verify_signature(*algorithm, message, signature).is_ok())
        })
    }
}

fn moment(time: &Time) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time.to_unix_duration()
}

fn text(value: &AttributeValue) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
    let printable = || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>().map(|text| text.as_str().to_owned());
    let teletex = || value.decode_as::<TeletexStringRef<'_>>().map(|text| text.as_str().to_owned());
    utf8.or_else(|_| printable()).or_else(|_| ia5()).or_else(|_| teletex()).ok()
}
