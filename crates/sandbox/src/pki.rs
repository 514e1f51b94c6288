//! Every certificate of the sandbox, made at start and forgotten at the end.

use std::sync::Arc;

use der::Decode;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rsa::pkcs8::EncodePrivateKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use tokio::sync::OnceCell;

use crate::{
    SandboxError,
    people::{PEOPLE, Person},
};

/// RSA, the size the real services use at least.
const RSA_BITS: usize = 2048;
/// What every server of the sandbox may be called.
pub(crate) const LOCALHOST: &str = "localhost";
const ORGANIZATION: &str = "eConnector sandbox (fictitious)";

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// A key and the certificate that names its holder.
pub(crate) struct Identity {
    pub(crate) key: Arc<KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
}

/// The authorities and what they issued.
pub(crate) struct Pki {
    /// Servers, and the client certificates mySecu asks for.
    pub(crate) tls: Authority,
    pub(crate) kms_root: Authority,
    pub(crate) kms_signing: Authority,
    pub(crate) timestamp: Authority,
    pub(crate) mysecu_signature: Authority,
    /// Same names as the KMS authorities, other keys: what an impostor would set up.
    rogue_signing: Authority,
    pub(crate) server: Identity,
    pub(crate) token_key: Arc<KeyPair>,
    /// The practice's certificate at mySecu.
    pub(crate) practice: Identity,
    /// The one mySecu signs its answers with.
    pub(crate) mysecu: Identity,
    /// The same key, certified by an authority nobody trusts.
    pub(crate) mysecu_untrusted: Identity,
    pub(crate) tsa: Identity,
    pub(crate) tsa_untrusted: Identity,
    pub(crate) tsa_expired: Identity,
    signers: [OnceCell<Arc<KeyPair>>; PEOPLE.len()],
}

/// Which certificate the KMS shows for a physician's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignerCertificate {
    Genuine,
    Expired,
    Untrusted,
}

impl Pki {
    /// Makes everything but the physicians' keys; RSA keys are searched for in parallel. `host` is a name the servers go by.
    pub(crate) async fn make(host: &str) -> Result<Self, SandboxError> {
        let (token_key, practice_key, mysecu_key) = tokio::try_join!(rsa_key(), rsa_key(), rsa_key())?;
        let (token_key, mysecu_key) = (Arc::new(token_key), Arc::new(mysecu_key));

        let tls = root("Sandbox TLS CA")?;
        let kms_root = root("Sandbox KMS Root Signing CA")?;
        let kms_signing = signing_authority(&kms_root)?;
        let timestamp = root("Sandbox KMS Timestamp CA")?;
        let mysecu_signature = root("Sandbox mySecu Signature CA")?;
        let rogue_root = root("Sandbox KMS Root Signing CA")?;
        let rogue_signing = signing_authority(&rogue_root)?;
        let rogue_timestamp = root("Sandbox KMS Timestamp CA")?;
        let rogue_mysecu = root("Sandbox mySecu Signature CA")?;

        let server = server(&tls, host)?;
        let practice = issue(client_params("cabinet-90000101"), Arc::new(practice_key), &tls, Validity::OneYear)?;
        let mysecu = issue(mysecu_params(), mysecu_key.clone(), &mysecu_signature, Validity::OneYear)?;
        let mysecu_untrusted = issue(mysecu_params(), mysecu_key, &rogue_mysecu, Validity::OneYear)?;

        let tsa_key = Arc::new(KeyPair::generate()?);
        let tsa = issue(tsa_params(), tsa_key.clone(), &timestamp, Validity::OneYear)?;
        let tsa_expired = issue(tsa_params(), tsa_key, &timestamp, Validity::Over)?;
        let tsa_untrusted = issue(tsa_params(), Arc::new(KeyPair::generate()?), &rogue_timestamp, Validity::OneYear)?;

        Ok(Self {
            tls,
            kms_root,
            kms_signing,
            timestamp,
            mysecu_signature,
            rogue_signing,
            server,
            token_key,
            practice,
            mysecu,
            mysecu_untrusted,
            tsa,
            tsa_untrusted,
            tsa_expired,
            signers: std::array::from_fn(|_| OnceCell::new()),
        })
    }

    /// The key the KMS keeps for a physician; made on first use.
    pub(crate) async fn signer_key(&self, physician: &'static Person) -> Result<Arc<KeyPair>, SandboxError> {
        let position = PEOPLE.iter().position(|person| person.subject == physician.subject);
        let cell = position
            .and_then(|i| self.signers.get(i))
            .ok_or_else(|| SandboxError::Key("nobody of this name".into()))?;
        cell.get_or_try_init(|| async {
            Ok(Arc::new(if physician.rsa_signature {
                rsa_key().await?
            } else {
                KeyPair::generate()?
            }))
        })
        .await
        .cloned()
    }

    /// A certificate for a physician's key: subject serialNumber = eHealthID, CN = name (docs/wire.md).
    pub(crate) async fn signer_certificate(
        &self,
        physician: &'static Person,
        which: SignerCertificate,
    ) -> Result<CertificateDer<'static>, SandboxError> {
        let key = self.signer_key(physician).await?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&[
            (DnType::CommonName, physician.name),
            (DnType::CustomDnType(vec![2, 5, 4, 5]), physician.ehealth_id.unwrap_or_default()),
            (DnType::OrganizationName, ORGANIZATION),
            (DnType::CountryName, "LU"),
        ]);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
        let authority = if which == SignerCertificate::Untrusted {
            &self.rogue_signing
        } else {
            &self.kms_signing
        };
        let validity = if which == SignerCertificate::Expired {
            Validity::Over
        } else {
            Validity::OneYear
        };
        Ok(issue(params, key, authority, validity)?.certificate)
    }

    /// Another practice's certificate at mySecu.
    pub(crate) async fn practice_named(&self, common_name: &str) -> Result<Identity, SandboxError> {
        issue(client_params(common_name), Arc::new(rsa_key().await?), &self.tls, Validity::OneYear)
    }
}

impl Identity {
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

/// A certificate as PEM.
pub(crate) fn pem(der: &[u8]) -> Result<String, SandboxError> {
    use der::EncodePem;
    let certificate = x509_cert::Certificate::from_der(der)?;
    Ok(certificate.to_pem(der::pem::LineEnding::LF)?)
}

enum Validity {
    OneYear,
    Over,
}

fn name(parts: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in parts {
        name.push(kind.clone(), *value);
    }
    name
}

fn authority_params(common_name: &str, path_length: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[
        (DnType::CommonName, common_name),
        (DnType::OrganizationName, ORGANIZATION),
        (DnType::CountryName, "LU"),
    ]);
    params.is_ca = IsCa::Ca(path_length);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = period(&Validity::OneYear);
    params
}

fn root(common_name: &str) -> Result<Authority, SandboxError> {
    Ok(CertifiedIssuer::self_signed(
        authority_params(common_name, BasicConstraints::Constrained(1)),
        KeyPair::generate()?,
    )?)
}

fn signing_authority(root: &Authority) -> Result<Authority, SandboxError> {
    let mut params = authority_params("Sandbox KMS Signing CA", BasicConstraints::Constrained(0));
    params.use_authority_key_identifier_extension = true;
    Ok(CertifiedIssuer::signed_by(params, KeyPair::generate()?, root)?)
}

/// A certificate for the names of loopback, and for `host`.
pub(crate) fn server(authority: &Authority, host: &str) -> Result<Identity, SandboxError> {
    let mut names = vec![LOCALHOST.to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !names.iter().any(|name| name == host) {
        names.push(host.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name(&[(DnType::CommonName, LOCALHOST), (DnType::OrganizationName, ORGANIZATION)]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    issue(params, Arc::new(KeyPair::generate()?), authority, Validity::OneYear)
}

fn client_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[
        (DnType::CommonName, common_name),
        (DnType::OrganizationalUnitName, "Cabinet médical (formation)"),
        (DnType::OrganizationName, ORGANIZATION),
        (DnType::CountryName, "LU"),
    ]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn mysecu_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[
        (DnType::CommonName, "ws.mysecu.lu"),
        (DnType::OrganizationalUnitName, "Signature API"),
        (DnType::OrganizationName, "Centre commun de la sécurité sociale"),
        (DnType::CountryName, "LU"),
    ]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params
}

/// RFC 3161, 2.3: the extended key usage is critical and `timeStamping` alone.
fn tsa_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&[
        (DnType::CommonName, "Sandbox KMS Time Stamping Unit 1"),
        (DnType::OrganizationName, ORGANIZATION),
        (DnType::CountryName, "LU"),
    ]);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let time_stamping = vec![0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
    let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], time_stamping);
    usage.set_criticality(true);
    params.custom_extensions = vec![usage];
    params
}

fn issue(mut params: CertificateParams, key: Arc<KeyPair>, issuer: &Authority, validity: Validity) -> Result<Identity, SandboxError> {
    (params.not_before, params.not_after) = period(&validity);
    params.use_authority_key_identifier_extension = true;
    // A leaf without basicConstraints is what webpki and OpenSSL both take as an end entity.
    params.is_ca = IsCa::NoCa;
    let certificate = params.signed_by(&*key, issuer)?;
    Ok(Identity {
        key,
        certificate: certificate.der().clone(),
    })
}

fn period(validity: &Validity) -> (OffsetDateTime, OffsetDateTime) {
    let now = crate::now();
    match validity {
        Validity::OneYear => (now - Duration::days(1), now + Duration::days(365)),
        Validity::Over => (now - Duration::days(400), now - Duration::days(1)),
    }
}

async fn rsa_key() -> Result<KeyPair, SandboxError> {
    tokio::task::spawn_blocking(|| {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS).map_err(|e| SandboxError::Key(e.to_string()))?;
        let der = key.to_pkcs8_der().map_err(|e| SandboxError::Key(e.to_string()))?;
        Ok(KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(der.as_bytes()),
            &rcgen::PKCS_RSA_SHA256,
        )?)
    })
    .await
    .map_err(|e| SandboxError::Key(e.to_string()))?
}
