//! The WS-Security signature of a request: made by the TLS client, over the Body that is processed, with the algorithms agreed.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bergshamra::{DsigContext, KeysManager, VerifyResult, dsig::verify::verify_document_with_source, keys::loader::load_x509_cert_der};
use rustls_pki_types::CertificateDer;
use uppsala::{Document, NodeId};

use super::{Fault, message::Message, ns};
use crate::xml::{attribute, child, elements, is, text};

/// The elements a valid signature covers.
pub(super) struct Signed(Vec<NodeId>);

impl Signed {
    pub(super) fn covers(&self, node: NodeId) -> bool {
        self.0.contains(&node)
    }
}

pub(super) fn check(document: &Document<'_>, message: &Message, client: &CertificateDer<'_>) -> Result<Signed, Fault> {
    let signature = child(document, message.security, ns::DS, "Signature")
        .ok_or_else(|| Fault::invalid_security("Une ds:Signature est attendue dans wsse:Security"))?;
    // The verifier takes the first signature of the document: it must be this one.
    if document.get_elements_by_tag_name_ns(ns::DS, "Signature").first() != Some(&signature) {
        return Err(Fault::invalid_security("Une autre ds:Signature précède celle de wsse:Security"));
    }
    algorithms(document, signature)?;
    if signer(document, message, signature)? != client.as_ref() {
        return Err(Fault::authentication(
            "CERTIFICAT_DIFFERENT",
            "Le certificat de signature n'est pas celui de la connexion TLS",
        ));
    }

    let broken = || Fault::invalid_security("Signature invalide");
    let mut keys = KeysManager::new();
    keys.add_key(load_x509_cert_der(client).map_err(|_| broken())?);
    // Strict mode knows only enveloped signatures; positions are checked here instead, by node.
    let context = DsigContext::new(keys).with_strict_verification(false);
    let verdict = verify_document_with_source(&context, document, Some(document.input_text())).map_err(|_| broken())?;
    let VerifyResult::Valid {
        signature_node,
        references,
        ..
    } = verdict
    else {
        return Err(broken());
    };
    if signature_node != signature {
        return Err(broken());
    }
    let signed = Signed(
        references
            .iter()
            .filter(|r| r.digest_verified)
            .filter_map(|r| r.resolved_node)
            .collect(),
    );
    if signed.covers(message.body) {
        Ok(signed)
    } else {
        Err(Fault::invalid_security("La signature ne couvre pas le Body"))
    }
}

fn algorithms(document: &Document<'_>, signature: NodeId) -> Result<(), Fault> {
    let refused = |what: &str| Fault::invalid_security(format!("Algorithme refusé : {what}"));
    let algorithm =
        |parent: NodeId, name: &str| child(document, parent, ns::DS, name).and_then(|node| attribute(document, node, "Algorithm"));
    let info = child(document, signature, ns::DS, "SignedInfo").ok_or_else(|| refused("SignedInfo absent"))?;
    if algorithm(info, "CanonicalizationMethod") != Some(ns::EXC_C14N) {
        return Err(refused("CanonicalizationMethod"));
    }
    if algorithm(info, "SignatureMethod") != Some(ns::RSA_SHA256) {
        return Err(refused("SignatureMethod"));
    }
    for reference in elements(document, info)
        .into_iter()
        .filter(|node| is(document, *node, ns::DS, "Reference"))
    {
        if algorithm(reference, "DigestMethod") != Some(ns::SHA256) {
            return Err(refused("DigestMethod"));
        }
        if !attribute(document, reference, "URI").is_some_and(|uri| uri.len() > 1 && uri.starts_with('#')) {
            return Err(refused("Reference"));
        }
        let transforms = child(document, reference, ns::DS, "Transforms")
            .map(|node| elements(document, node))
            .unwrap_or_default();
        if transforms.len() != 1
            || transforms
                .iter()
                .any(|t| attribute(document, *t, "Algorithm") != Some(ns::EXC_C14N))
        {
            return Err(refused("Transform"));
        }
    }
    Ok(())
}

/// The certificate the KeyInfo names: a token of this very header, or X509Data.
fn signer(document: &Document<'_>, message: &Message, signature: NodeId) -> Result<Vec<u8>, Fault> {
    let missing = || Fault::invalid_security("KeyInfo ne désigne aucun certificat");
    let info = child(document, signature, ns::DS, "KeyInfo").ok_or_else(missing)?;
    let token_reference = child(document, info, ns::WSSE, "SecurityTokenReference");
    let encoded = if let Some(reference) = token_reference.and_then(|node| child(document, node, ns::WSSE, "Reference")) {
        let id = attribute(document, reference, "URI")
            .and_then(|uri| uri.strip_prefix('#'))
            .ok_or_else(missing)?;
        let token = message
            .tokens(document, ns::X509V3)
            .into_iter()
            .find(|token| document.get_attribute_ns(*token, ns::WSU, "Id") == Some(id))
            .ok_or_else(missing)?;
        text(document, token)
    } else {
        let data = child(document, token_reference.unwrap_or(info), ns::DS, "X509Data").ok_or_else(missing)?;
        text(document, child(document, data, ns::DS, "X509Certificate").ok_or_else(missing)?)
    };
    let encoded: String = encoded.split_ascii_whitespace().collect();
    BASE64.decode(encoded).map_err(|_| Fault::invalid_token("Certificat illisible"))
}
