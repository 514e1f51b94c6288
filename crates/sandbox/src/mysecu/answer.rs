//! Answers: signed over Body and KeyInfo, with the Correlation-ID comment before the envelope; Faults; and answers spoiled on purpose.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bergshamra::Error;
use rcgen::SigningKey;
use sha2::{Digest, Sha256};
use uppsala::{Document, NodeId};
use uuid::Uuid;

use super::{Fault, ns};
use crate::{
    SandboxError,
    pki::Identity,
    xml::{canonical, escape},
};

/// Stand where digests and the signature value go until they are known; no base64 contains a `%`.
const BODY_DIGEST: &str = "%body%";
const KEY_DIGEST: &str = "%key%";
const VALUE: &str = "%value%";

pub(super) fn signed(body: &str, correlation: &str, signer: &Identity) -> Result<String, SandboxError> {
    let (body_id, key_id) = (format!("Body-{}", Uuid::new_v4()), format!("KI-{}", Uuid::new_v4()));
    let reference = |id: &str, digest: &str| {
        format!(
            "<ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>",
            ns::EXC_C14N,
            ns::SHA256
        )
    };
    let security = format!(
        "<wsse:Security soapenv:mustUnderstand=\"1\"><ds:Signature><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"{}\"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>{}{}</ds:SignedInfo>\
         <ds:SignatureValue>{VALUE}</ds:SignatureValue><ds:KeyInfo Id=\"{key_id}\"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>\
         </ds:KeyInfo></ds:Signature></wsse:Security>",
        ns::EXC_C14N,
        ns::RSA_SHA256,
        reference(&body_id, BODY_DIGEST),
        reference(&key_id, KEY_DIGEST),
        BASE64.encode(&signer.certificate),
    );
    let text = envelope(&security, &body_id, body, correlation);

    let digest = |document: &Document<'_>, namespace: &str, name: &str| {
        Ok::<_, Error>(BASE64.encode(Sha256::digest(canonical(document, first(document, namespace, name)?)?)))
    };
    let (body_digest, key_digest) = {
        let document = parse(&text)?;
        (digest(&document, ns::SOAP, "Body")?, digest(&document, ns::DS, "KeyInfo")?)
    };
    let text = text.replacen(BODY_DIGEST, &body_digest, 1).replacen(KEY_DIGEST, &key_digest, 1);
    let value = {
        let document = parse(&text)?;
        let signed_info = canonical(&document, first(&document, ns::DS, "SignedInfo")?)?;
        BASE64.encode(signer.key.sign(&signed_info)?)
    };
    Ok(text.replacen(VALUE, &value, 1))
}

/// An answer nobody vouches for.
pub(super) fn unsigned(body: &str, correlation: &str) -> String {
    envelope("", "Body", body, correlation)
}

/// Something in the Body was changed after signing.
pub(super) fn tampered(text: &str) -> String {
    let other = Uuid::new_v4();
    let reference = between(text, "<cns:UuidSecu>", "<").or_else(|| between(text, "<cns:identifiantReponseSimulation>", "<"));
    match reference {
        Some(reference) => text.replacen(reference, &other.to_string(), 1),
        None => text.replacen("</soapenv:Body>", " </soapenv:Body>", 1),
    }
}

/// Signature wrapping: the signed Body is moved into the header, where its signature stays valid, and a forged one takes its place.
pub(super) fn wrapped(text: &str) -> String {
    let Some((start, end)) = text.find("<soapenv:Body").zip(text.rfind("</soapenv:Body>")) else {
        return text.to_owned();
    };
    let end = end + "</soapenv:Body>".len();
    let Some(genuine) = text.get(start..end) else {
        return text.to_owned();
    };
    let forged = tampered(&genuine.replacen("wsu:Id=\"Body-", "wsu:Id=\"Body-forged-", 1));
    text.replacen(genuine, &forged, 1).replacen(
        "</soapenv:Header>",
        &format!("<old:Message xmlns:old=\"urn:example:old\">{genuine}</old:Message></soapenv:Header>"),
        1,
    )
}

pub(super) fn fault(fault: &Fault, correlation: &str) -> String {
    let message = escape(&fault.message);
    let body = format!(
        "<soapenv:Fault><faultcode>{}</faultcode><faultstring xml:lang=\"fr\">{message}</faultstring><detail>\
         <err:erreur xmlns:err=\"http://ws.mysecu.lu/generic/erreur\"><err:code>{}</err:code><err:message>{message}</err:message></err:erreur></detail></soapenv:Fault>",
        fault.code, fault.detail
    );
    envelope("", "Body", &body, correlation)
}

fn envelope(security: &str, body_id: &str, body: &str, correlation: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- Correlation-ID: {correlation} -->\n\
         <soapenv:Envelope xmlns:soapenv=\"{}\" xmlns:wsse=\"{}\" xmlns:wsu=\"{}\" xmlns:ds=\"{}\"><soapenv:Header>{security}</soapenv:Header>\
         <soapenv:Body wsu:Id=\"{body_id}\">{body}</soapenv:Body></soapenv:Envelope>",
        ns::SOAP,
        ns::WSSE,
        ns::WSU,
        ns::DS
    )
}

fn parse(text: &str) -> Result<Document<'_>, Error> {
    uppsala::parse(text).map_err(|e| Error::XmlParse(e.to_string()))
}

fn first(document: &Document<'_>, namespace: &str, name: &str) -> Result<NodeId, Error> {
    document
        .get_elements_by_tag_name_ns(namespace, name)
        .first()
        .copied()
        .ok_or_else(|| Error::MissingElement(name.to_owned()))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}
