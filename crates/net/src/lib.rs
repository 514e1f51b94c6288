//! The one way out: HTTPS with certificates always verified, a client certificate where the service asks for one, answers of
//! bounded size, and failures sorted by what the physician can do about them and by whether the request may have arrived.

mod anchors;
mod error;
mod identity;
mod transport;

pub use anchors::{Anchor, AnchorsError, read_anchors, read_named_anchors, validity};
pub use error::{NetError, ProxyReason, TlsReason};
pub use identity::{ClientIdentity, P12Error};
pub use transport::{Answer, ProxySettings, Transport, TransportOptions};

pub use reqwest;
