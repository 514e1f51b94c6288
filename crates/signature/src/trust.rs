use std::time::Duration;

use econnector_base::Secret;
use econnector_net::{AnchorsError, read_anchors};
use rustls_pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use crate::certificate::Certificate;

/// The certificates under which signatures and timestamps are believed: root, signing CA, timestamp CA, in one store.
#[derive(Clone, Debug)]
pub struct TrustStore {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
}

impl TrustStore {
    /// Reads a PEM bundle (or one DER certificate).
    ///
    /// # Errors
    /// Unreadable bytes; no certificate at all.
    pub fn from_pem(bytes: &[u8]) -> Result<Self, AnchorsError> {
        Self::from_certificates(read_anchors(bytes, None)?)
    }

    /// Reads a PKCS#12 trust store.
    ///
    /// # Errors
    /// Wrong password; unreadable bytes; no certificate at all.
    pub fn from_p12(bytes: &[u8], password: &Secret) -> Result<Self, AnchorsError> {
        Self::from_certificates(read_anchors(bytes, Some(password))?)
    }

    /// When the first of its certificates expires: the day from which signing may stop working.
    #[must_use]
    pub fn earliest_expiry(&self) -> OffsetDateTime {
        let all = self.anchors.iter().chain(&self.intermediates);
        all.map(|certificate| certificate.not_after())
            .min()
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// A certificate is believed by itself when nothing in the store stands above it; the others must be proven by those.
    fn from_certificates(der: Vec<Vec<u8>>) -> Result<Self, AnchorsError> {
        let all = der
            .into_iter()
            .map(|der| Certificate::from_der(der).ok_or(AnchorsError::Unreadable))
            .collect::<Result<Vec<_>, _>>()?;
        let (intermediates, anchors) = all.iter().cloned().partition::<Vec<_>, _>(|certificate| {
            !certificate.is_self_issued() && all.iter().any(|other| other.subject() == certificate.issuer())
        });
        // A circle of names leaves nothing to start from.
        if anchors.is_empty() {
            Err(AnchorsError::Empty)
        } else {
            Ok(Self { anchors, intermediates })
        }
    }

    /// The certificates between `leaf` and an anchor, nearest first: proof that `leaf` is believed at `at`.
    pub(crate) fn path(&self, leaf: &Certificate, offered: &[Vec<u8>], at: OffsetDateTime) -> Result<Vec<Vec<u8>>, webpki::Error> {
        let valid = self.anchors.iter().filter(|anchor| anchor.is_valid(at));
        let anchors_der: Vec<_> = valid.map(|anchor| CertificateDer::from(anchor.der())).collect();
        let anchors = anchors_der
            .iter()
            .map(webpki::anchor_from_trusted_cert)
            .collect::<Result<Vec<_>, _>>()?;
        let known = self.intermediates.iter().map(Certificate::der);
        // The store's own first; what the other side offers is bounded so that nobody keeps us searching.
        let offered = offered.iter().map(Vec::as_slice).take(MAX_OFFERED);
        let intermediates: Vec<_> = known.chain(offered).map(CertificateDer::from).collect();

        let leaf_der = CertificateDer::from(leaf.der());
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let leaf = EndEntityCert::try_from(&leaf_der)?;
        let path = leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &intermediates, time, AnyPurpose, None, None)?;
        Ok(path
            .intermediate_certificates()
            .map(|certificate| certificate.der().to_vec())
            .collect())
    }
}

const MAX_OFFERED: usize = 16;

/// The purpose is judged on the certificate itself, where it is known what it is used for.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        for purpose in purposes {
            purpose?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use time::macros::datetime;

    use super::*;

    fn params(name: &str, until: OffsetDateTime) -> CertificateParams {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = datetime!(2020-01-01 0:00 UTC);
        params.not_after = until;
        params
    }

    #[test]
    fn an_intermediate_is_believed_only_through_its_root() {
        let (early, late) = (datetime!(2027-01-01 0:00 UTC), datetime!(2040-01-01 0:00 UTC));
        let mut root = params("Root", early);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().unwrap();
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(root, root_key);
        let mut sub = params("Sub", late);
        sub.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let sub_key = KeyPair::generate().unwrap();
        let sub_pem = sub.signed_by(&sub_key, &root).unwrap().pem();
        let sub = Issuer::new(sub, sub_key);
        let leaf = params("Leaf", late).signed_by(&KeyPair::generate().unwrap(), &sub).unwrap();
        let leaf = Certificate::from_der(leaf.der().to_vec()).unwrap();

        let both = TrustStore::from_pem(format!("{sub_pem}{root_pem}").as_bytes()).unwrap();
        assert_eq!(both.earliest_expiry(), early);
        assert_eq!(both.path(&leaf, &[], datetime!(2026-06-01 0:00 UTC)).unwrap().len(), 1);
        // The root has expired: its signature on the intermediate counts no more.
        assert!(both.path(&leaf, &[], datetime!(2030-01-01 0:00 UTC)).is_err());

        let alone = TrustStore::from_pem(sub_pem.as_bytes()).unwrap();
        assert_eq!(alone.path(&leaf, &[], datetime!(2030-01-01 0:00 UTC)), Ok(Vec::new()));
        assert_eq!(alone.earliest_expiry(), late);
    }

    #[test]
    fn an_empty_store_is_refused() {
        assert_eq!(
            TrustStore::from_pem(b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n").unwrap_err(),
            AnchorsError::Empty
        );
    }
}
