//! The parts of a SOAP 1.1 message.

use uppsala::{Document, NodeId};

use super::{Fault, ns};
use crate::xml::{attribute, child, elements, is};

/// Envelope, `wsse:Security`, Body and the one element in it.
pub(super) struct Message {
    pub(super) security: NodeId,
    pub(super) body: NodeId,
    pub(super) content: NodeId,
}

impl Message {
    pub(super) fn read(document: &Document<'_>) -> Result<Self, Fault> {
        let invalid = |what: &str| Fault::client("ENVELOPPE_INVALIDE", what);
        let envelope = document.document_element().ok_or_else(|| invalid("Enveloppe absente"))?;
        if !is(document, envelope, ns::SOAP, "Envelope") {
            return Err(Fault {
                code: "soapenv:VersionMismatch",
                detail: "ENVELOPPE_INVALIDE",
                message: "Une enveloppe SOAP 1.1 est attendue".into(),
            });
        }
        let parts = elements(document, envelope);
        let [header, body] = parts.as_slice() else {
            return Err(invalid("L'enveloppe contient un Header puis un Body, rien d'autre"));
        };
        if !is(document, *header, ns::SOAP, "Header") || !is(document, *body, ns::SOAP, "Body") {
            return Err(invalid("L'enveloppe contient un Header puis un Body, rien d'autre"));
        }
        let security = child(document, *header, ns::WSSE, "Security")
            .ok_or_else(|| Fault::invalid_security("Un en-tête wsse:Security est attendu"))?;
        if must_understand(document, security) != Some("1") {
            return Err(Fault::invalid_security("wsse:Security sans mustUnderstand=\"1\""));
        }
        if elements(document, *header)
            .into_iter()
            .any(|other| other != security && must_understand(document, other) == Some("1"))
        {
            return Err(Fault {
                code: "soapenv:MustUnderstand",
                detail: "ENTETE_INCONNU",
                message: "En-tête obligatoire inconnu".into(),
            });
        }
        let contents = elements(document, *body);
        let [content] = contents.as_slice() else {
            return Err(invalid("Le Body contient exactement un élément"));
        };
        Ok(Self {
            security,
            body: *body,
            content: *content,
        })
    }

    /// The `wsse:BinarySecurityToken`s of a type in the security header.
    pub(super) fn tokens(&self, document: &Document<'_>, value_type: &str) -> Vec<NodeId> {
        elements(document, self.security)
            .into_iter()
            .filter(|node| is(document, *node, ns::WSSE, "BinarySecurityToken"))
            .filter(|node| attribute(document, *node, "ValueType") == Some(value_type))
            .collect()
    }
}

fn must_understand<'d>(document: &'d Document<'_>, node: NodeId) -> Option<&'d str> {
    document.element(node)?.get_attribute_ns(ns::SOAP, "mustUnderstand")
}
