//! An answer is believed only when the signature in its Security header holds, was made with mySecu's certificate, and covers
//! the very Body that is read and the KeyInfo that names the certificate. Signature wrapping leaves the signature valid and
//! moves what it covers: only the comparison of nodes refuses it.

use std::{iter, str};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bergshamra::{DsigContext, KeysManager, VerifyResult, dsig::verify::verify_document_with_source, keys::loader::load_spki_der};
use econnector_base::AuthorityWords;
use econnector_net::Answer;
use time::OffsetDateTime;
use uppsala::{Document, NodeId, NodeKind};

use crate::{AnswerTrust, MySecuError, Said, ns, xml};

const MAX_REFERENCES: usize = 8;
const MAX_CERTIFICATES: usize = 8;

/// Reads an answer: `take` gets the one child of the verified Body. Returns what it took, with the Correlation-ID.
pub(crate) fn read<T>(
    answer: &Answer,
    trust: &AnswerTrust,
    now: OffsetDateTime,
    take: impl FnOnce(&Document<'_>, NodeId) -> Result<T, &'static str>,
) -> Result<(T, Option<String>), MySecuError> {
    if !(200..300).contains(&answer.status) {
        return Err(fault(&answer.body).map_or(MySecuError::Status { status: answer.status }, MySecuError::Fault));
    }
    let unreadable = |reason| MySecuError::AnswerUnreadable {
        reason,
        correlation_id: None,
    };
    let source = str::from_utf8(&answer.body).map_err(|_| unreadable("it is not UTF-8"))?;
    let doc = xml::parse(source).map_err(unreadable)?;
    let correlation_id = xml::correlation_id(&doc);

    let content = verified_content(&doc, source, trust, now).map_err(|doubt| doubt.into_error(correlation_id.clone()))?;
    if xml::is(&doc, content, ns::SOAP, "Fault") {
        return Err(MySecuError::Fault(said(&doc, content, correlation_id)));
    }
    match take(&doc, content) {
        Ok(taken) => Ok((taken, correlation_id)),
        Err(reason) => Err(MySecuError::AnswerUnreadable { reason, correlation_id }),
    }
}

/// Why an answer is not believed.
#[derive(Debug, PartialEq, Eq)]
enum Doubt {
    Unsigned,
    Forged(&'static str),
    Untrusted(&'static str),
    Unreadable(&'static str),
}

impl Doubt {
    fn into_error(self, correlation_id: Option<String>) -> MySecuError {
        match self {
            Self::Unsigned => MySecuError::AnswerUnsigned { correlation_id },
            Self::Forged(reason) => MySecuError::AnswerForged { reason, correlation_id },
            Self::Untrusted(reason) => MySecuError::AnswerUntrusted { reason, correlation_id },
            Self::Unreadable(reason) => MySecuError::AnswerUnreadable { reason, correlation_id },
        }
    }
}

/// The one child of the Body, once the signature was found to cover it.
fn verified_content(doc: &Document<'_>, source: &str, trust: &AnswerTrust, now: OffsetDateTime) -> Result<NodeId, Doubt> {
    let envelope = doc
        .document_element()
        .filter(|root| xml::is(doc, *root, ns::SOAP, "Envelope"))
        .ok_or(Doubt::Unreadable("it is not a SOAP 1.1 envelope"))?;
    let (header, body) = match *xml::elements(doc, envelope).as_slice() {
        [header, body] if xml::is(doc, header, ns::SOAP, "Header") && xml::is(doc, body, ns::SOAP, "Body") => (header, body),
        [body] if xml::is(doc, body, ns::SOAP, "Body") => return Err(Doubt::Unsigned),
        [] => return Err(Doubt::Unreadable("the envelope is empty")),
        _ => return Err(Doubt::Forged("the envelope does not consist of one Header and one Body")),
    };

    let signatures = doc.get_elements_by_tag_name_ns(ns::DS, "Signature");
    if !signatures.iter().any(|signature| doc.ancestors(*signature).contains(&header)) {
        return Err(Doubt::Unsigned);
    }
    let signature = xml::only_child(doc, header, ns::WSSE, "Security")
        .and_then(|security| xml::only_child(doc, security, ns::DS, "Signature"))
        // The verifier takes the first of a document, with whatever transforms that one names.
        .filter(|signature| signatures.first() == Some(signature))
        .ok_or(Doubt::Forged("the signature is not where it belongs"))?;
    let key_info = check_profile(doc, signature).map_err(Doubt::Forged)?;
    for covered in [body, key_info] {
        if !has_unique_id(doc, covered) {
            return Err(Doubt::Forged("an identifier is missing or not unique"));
        }
    }

    let certificates = certificates(doc, key_info).map_err(Doubt::Forged)?;
    let key = trust.signer_key(&certificates, now).map_err(Doubt::Untrusted)?;
    let mut keys = KeysManager::new();
    keys.add_key(load_spki_der(&key).map_err(|_| Doubt::Untrusted("its key cannot be used"))?);
    // The strict mode of the verifier knows SAML's layout only and refuses a signature in a header; the checks here replace it.
    let context = DsigContext::new_permissive(keys).with_trusted_keys_only(true);

    match verify_document_with_source(&context, doc, Some(source)) {
        Ok(VerifyResult::Valid {
            signature_node,
            references,
            ..
        }) => {
            let covers = |node| {
                references
                    .iter()
                    .any(|reference| reference.digest_verified && reference.resolved_node == Some(node))
            };
            if signature_node != signature || !covers(body) || !covers(key_info) {
                return Err(Doubt::Forged("the signature does not cover the Body and the certificate"));
            }
        }
        Ok(VerifyResult::Invalid { .. }) | Err(_) => return Err(Doubt::Forged("the signature does not hold")),
    }

    match *xml::elements(doc, body).as_slice() {
        [content] => Ok(content),
        _ => Err(Doubt::Unreadable("the Body does not hold one element")),
    }
}

/// Only what WS-Security needs: exclusive C14N as the only transform, RSA with SHA-2, references into this document. Returns
/// the KeyInfo.
fn check_profile(doc: &Document<'_>, signature: NodeId) -> Result<NodeId, &'static str> {
    if doc
        .descendants(signature)
        .into_iter()
        .any(|node| matches!(doc.node_kind(node), Some(NodeKind::Comment(_))))
    {
        return Err("there are comments inside the signature");
    }
    let child = |node, name| xml::only_child(doc, node, ns::DS, name).ok_or("the signature is incomplete");
    let algorithm = |node| doc.get_attribute(node, "Algorithm").unwrap_or_default();

    let signed_info = child(signature, "SignedInfo")?;
    if algorithm(child(signed_info, "CanonicalizationMethod")?) != ns::EXC_C14N {
        return Err("the signature uses a canonical form that is not allowed");
    }
    if ![ns::RSA_SHA256, ns::RSA_SHA384, ns::RSA_SHA512].contains(&algorithm(child(signed_info, "SignatureMethod")?)) {
        return Err("the signature uses an algorithm that is not allowed");
    }
    let references = doc.child_elements_by_name_ns(signed_info, ns::DS, "Reference");
    if references.len() > MAX_REFERENCES {
        return Err("the signature has too many references");
    }
    for reference in references {
        if !doc
            .get_attribute(reference, "URI")
            .is_some_and(|uri| uri.len() > 1 && uri.starts_with('#') && !uri.contains('('))
        {
            return Err("the signature refers to something else than parts of the answer");
        }
        match *xml::elements(doc, child(reference, "Transforms")?).as_slice() {
            [only] if xml::is(doc, only, ns::DS, "Transform") && algorithm(only) == ns::EXC_C14N => {}
            _ => return Err("the signature uses a transform that is not allowed"),
        }
        if ![ns::SHA256, ns::SHA384, ns::SHA512].contains(&algorithm(child(reference, "DigestMethod")?)) {
            return Err("the signature uses a digest that is not allowed");
        }
    }
    child(signature, "KeyInfo")
}

/// Whether the element has an identifier that no other element has, whatever the attribute is called there.
fn has_unique_id(doc: &Document<'_>, node: NodeId) -> bool {
    let ids = |node| {
        doc.element(node)
            .into_iter()
            .flat_map(|element| &element.attributes)
            .filter(|attribute| ["id", "assertionid"].contains(&attribute.name.local_name.to_ascii_lowercase().as_str()))
            .map(|attribute| attribute.value.as_ref())
    };
    let mut own = ids(node);
    let (Some(id), None) = (own.next(), own.next()) else { return false };
    doc.descendants(doc.root())
        .into_iter()
        .flat_map(ids)
        .filter(|other| *other == id)
        .count()
        == 1
}

fn certificates(doc: &Document<'_>, key_info: NodeId) -> Result<Vec<Vec<u8>>, &'static str> {
    let nodes: Vec<_> = doc
        .descendants(key_info)
        .into_iter()
        .filter(|node| xml::is(doc, *node, ns::DS, "X509Certificate"))
        .collect();
    if nodes.is_empty() || nodes.len() > MAX_CERTIFICATES {
        return Err("the signature does not name its certificate");
    }
    nodes
        .into_iter()
        .map(|node| {
            let text: String = doc.text_content_deep(node).split_whitespace().collect();
            STANDARD.decode(text).map_err(|_| "the certificate of the signature cannot be read")
        })
        .collect()
}

fn fault(body: &[u8]) -> Option<Said> {
    let doc = xml::parse(str::from_utf8(body).ok()?).ok()?;
    let envelope = doc.document_element().filter(|root| xml::is(&doc, *root, ns::SOAP, "Envelope"))?;
    let fault = xml::descend(&doc, envelope, ns::SOAP, &["Body", "Fault"])?;
    Some(said(&doc, fault, xml::correlation_id(&doc)))
}

/// Code, sentence and detail of a Fault. Its children are in no namespace (SOAP 1.1 §4.4).
fn said(doc: &Document<'_>, fault: NodeId, correlation_id: Option<String>) -> Said {
    let part = |name: &str| {
        xml::elements(doc, fault)
            .into_iter()
            .find(|child| doc.element(*child).is_some_and(|element| element.name.matches(None, name)))
    };
    let words = |part: Option<NodeId>| part.map(|node| xml::text(doc, node)).unwrap_or_default();
    let details: Vec<String> = part("detail")
        .map(|detail| doc.descendants(detail))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|node| doc.text_content(node))
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| !text.is_empty())
        .collect();

    let mut message = words(part("faultstring"));
    let more: Vec<&str> = details
        .iter()
        .map(String::as_str)
        .filter(|detail| !message.contains(detail))
        .collect();
    if !more.is_empty() {
        message = if message.is_empty() {
            more.join(" ")
        } else {
            format!("{message} ({})", more.join(" "))
        };
    }
    let code = part("faultcode");
    Said {
        words: AuthorityWords::new(words(code), message),
        namespace: code.and_then(|code| code_namespace(doc, code)),
        details,
        correlation_id,
    }
}

/// The namespace that a Fault's code stands in: a code is a qualified name, whatever its prefix is called. One without a prefix
/// stands in none, as the element that holds it.
fn code_namespace(doc: &Document<'_>, code: NodeId) -> Option<String> {
    let words = xml::text(doc, code);
    let (prefix, _) = words.split_once(':')?;
    let declared = |node| {
        let declarations = &doc.element(node)?.namespace_declarations;
        let (_, namespace) = declarations.iter().find(|(declared, _)| declared == prefix)?;
        Some(namespace.to_string())
    };
    iter::once(code).chain(doc.ancestors(code)).find_map(declared)
}

#[cfg(test)]
mod tests;
