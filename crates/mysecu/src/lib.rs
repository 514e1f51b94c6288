//! mySecu: the social-security data centre's web services. A physician's OIDC token is exchanged for a mySecu token at the STS
//! (WS-Trust 1.3), which then opens the one generic exchange through which every kind of document is deposited.
//!
//! Requests are signed (WS-Security, X.509 token profile), answers are believed only when their signature covers the very Body
//! that is read. What public sources leave open follows docs/wire.md; how the OIDC token travels is one replaceable
//! [`TokenCarrier`].

mod answer;
mod carrier;
mod client;
mod deposit;
mod error;
mod ns;
mod request;
mod sts;
#[cfg(test)]
mod testing;
mod tokens;
mod trust;
mod xml;

pub use carrier::{Carried, JwtOnBehalfOf, TokenCarrier};
pub use client::{MySecu, MySecuSettings};
pub use deposit::{AccessToken, BusinessMessage, Deposit, ExchangeAnswer, Probe, Space};
pub use error::{MySecuError, Said};
pub use trust::{AnswerTrust, SignerName, TrustError};
