//! Advanced electronic signatures (PAdES-B-T) around a remote signer.
//!
//! [`sign_pdf`] asks the KMS for the physician's certificate, prepares the document, has the signed attributes signed and
//! time-stamped, and hands out a document only when everything that came back was checked against the trust store.
//! [`verify`] says of any signed PDF what is signed, by whom and when. The KMS' own wire is in [`kms`].

mod certificate;
mod envelope;
mod error;
pub mod kms;
mod oid;
mod pdf;
mod sign;
mod signer;
mod timestamp;
mod trust;
mod verify;

pub use econnector_net::AnchorsError;
pub use error::{NoToken, PdfProblem, Refusal, SignatureError};
pub use kms::{Kms, KmsSettings};
pub use pdf::{FieldOptions, check_pdf};
pub use sign::{Expected, SignedPdf, sign_pdf};
pub use signer::{Algorithm, Bearer, Probe, Signer, SignerCertificate};
pub use trust::TrustStore;
pub use verify::{Doubt, Verification, verify};
