//! What mySecu says of a document it could read.

use std::fmt::Write;

use super::{ns, register::Filed};
use crate::{control::Links, xml::escape};

/// What is wrong with a document: `E` refuses it, `W` does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Anomaly {
    pub(super) refuses: bool,
    pub(super) code: &'static str,
    pub(super) reason: String,
    /// `identifiantAnomalie`: anomalies of a simulation have one and can be contested.
    pub(super) id: Option<String>,
    /// `identifiantExternePrestation` of the line of a simulation it is about.
    pub(super) line: Option<String>,
}

impl Anomaly {
    pub(super) fn error(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            refuses: true,
            code,
            reason: reason.into(),
            id: None,
            line: None,
        }
    }

    pub(super) fn warning(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            refuses: false,
            ..Self::error(code, reason)
        }
    }

    fn xml(&self) -> String {
        let optional = |name, text: &Option<String>| text.as_deref().map(|text| element(name, text)).unwrap_or_default();
        format!(
            "<cns:anomalies>{}{}{}{}{}</cns:anomalies>",
            optional("identifiantAnomalie", &self.id),
            element("type", if self.refuses { "E" } else { "W" }),
            element("code", self.code),
            element("motif", &self.reason),
            optional("identifiantExternePrestation", &self.line),
        )
    }
}

/// Whether nothing refuses the document.
pub(super) fn passes(anomalies: &[Anomaly]) -> bool {
    !anomalies.iter().any(|anomaly| anomaly.refuses)
}

/// An answer of any model: its root, what comes before the anomalies, the anomalies.
pub(super) struct Reply {
    /// The namespace of everything in it.
    pub(super) namespace: String,
    pub(super) root: String,
    /// XML.
    pub(super) children: String,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) accepted: bool,
    pub(super) reference: String,
    /// The document that came, base64.
    pub(super) document_pdf: Option<String>,
    /// Which documents the request ties together.
    pub(super) links: Links,
}

impl Reply {
    /// The answer to whatever is filed under a UUID of the sender's: that UUID, and mySecu's.
    pub(super) fn acknowledgement(root: impl Into<String>, uuid: &str, filed: Filed, anomalies: Vec<Anomaly>) -> Self {
        Self {
            namespace: ns::CNS.to_owned(),
            root: root.into(),
            children: element("UuidPrestataire", uuid) + &element("UuidSecu", &filed.reference),
            anomalies,
            accepted: filed.accepted,
            reference: filed.reference,
            document_pdf: None,
            links: filed.links,
        }
    }

    pub(super) fn xml(&self) -> String {
        let mut xml = format!("<cns:{} xmlns:cns=\"{}\">{}", self.root, escape(&self.namespace), self.children);
        xml.extend(self.anomalies.iter().map(Anomaly::xml));
        // Writing to a String cannot fail.
        let _ = write!(xml, "</cns:{}>", self.root);
        xml
    }
}

/// A qualified element with text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<cns:{name}>{}</cns:{name}>", escape(text))
}

/// Cents as a decimal with two places.
pub(super) fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}
