use base64::{Engine as _, engine::general_purpose::STANDARD};
use econnector_base::Ids;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use zeroize::Zeroizing;

use crate::{BusinessMessage, MySecuError, ns, trust, xml};

/// How long an STS request may be under way.
const REQUEST_LIFETIME: Duration = Duration::minutes(5);

/// Signs requests with the client certificate, the way WSS4J does: the public example calls of mySecu look like that.
pub(crate) struct RequestSigner {
    key: RsaKeyPair,
    certificate: String,
    /// Until when the certificate is valid.
    pub(crate) not_after: Option<OffsetDateTime>,
}

/// An unsigned request.
pub(crate) struct Unsigned<'a> {
    /// Prefixes and namespaces of the Body, beyond `soapenv`, `wsse` and `wsu`.
    pub(crate) namespaces: &'a [(&'static str, &'static str)],
    /// Tokens that go into the Security header, before ours.
    pub(crate) tokens: &'a str,
    /// When the request is made, if it carries a timestamp.
    pub(crate) made_at: Option<OffsetDateTime>,
    /// What is inside the Body.
    pub(crate) body: &'a str,
}

impl RequestSigner {
    /// Takes a certificate (DER) and its RSA key (PKCS#8 DER).
    pub(crate) fn new(certificate: &[u8], pkcs8: &[u8]) -> Result<Self, MySecuError> {
        let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| MySecuError::ClientKey("it is not an RSA key of at least 2048 bits"))?;
        Ok(Self {
            key,
            certificate: STANDARD.encode(certificate),
            not_after: trust::not_after(certificate),
        })
    }

    /// Builds the signed envelope. What holds the document or a token is put together in one piece: a string that grows leaves
    /// copies behind, which nobody wipes.
    pub(crate) fn envelope(&self, request: &Unsigned<'_>, ids: &dyn Ids) -> Result<Zeroizing<String>, MySecuError> {
        let frame = Frame::new(request.namespaces);
        let body_id = format!("id-{}", ids.next());
        let token_id = format!("X509-{}", ids.next());
        let inherited: Vec<&str> = request.namespaces.iter().map(|(prefix, _)| *prefix).collect();

        let body = ["<soapenv:Body wsu:Id=\"", &body_id, "\">", request.body, "</soapenv:Body>"];
        let body = Zeroizing::new(body.concat());
        let mut references = String::new();
        let mut timestamp = String::new();
        if let Some(made_at) = request.made_at {
            let id = format!("TS-{}", ids.next());
            timestamp = format!(
                "<wsu:Timestamp wsu:Id=\"{id}\"><wsu:Created>{}</wsu:Created><wsu:Expires>{}</wsu:Expires></wsu:Timestamp>",
                instant(made_at)?,
                instant(made_at + REQUEST_LIFETIME)?,
            );
            let prefixes: Vec<&str> = ["wsse", "soapenv"].into_iter().chain(inherited.iter().copied()).collect();
            let bytes = canonical(&frame.header(&timestamp), ns::WSU, "Timestamp", &prefixes)?;
            references.push_str(&reference(&id, &bytes, &prefixes));
        }
        references.push_str(&reference(
            &body_id,
            &canonical(&frame.close(&[&body]), ns::SOAP, "Body", &inherited)?,
            &inherited,
        ));

        let prefixes: Vec<&str> = ["soapenv"].into_iter().chain(inherited.iter().copied()).collect();
        let signed_info = format!(
            "<ds:SignedInfo><ds:CanonicalizationMethod Algorithm=\"{}\">{}</ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{}\"/>{references}</ds:SignedInfo>",
            ns::EXC_C14N,
            inclusive(&prefixes),
            ns::RSA_SHA256,
        );
        let open = format!("<ds:Signature xmlns:ds=\"{}\" Id=\"SIG-{}\">", ns::DS, ids.next());
        let to_sign = frame.header(&format!("{open}{signed_info}</ds:Signature>"));
        let value = self.sign(&canonical(&to_sign, ns::DS, "SignedInfo", &prefixes)?)?;

        let own = format!(
            "<wsse:BinarySecurityToken wsu:Id=\"{token_id}\" EncodingType=\"{encoding}\" ValueType=\"{x509}\">{certificate}\
             </wsse:BinarySecurityToken>{timestamp}{open}{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>\
             <ds:KeyInfo Id=\"KI-{key}\"><wsse:SecurityTokenReference wsu:Id=\"STR-{reference}\">\
             <wsse:Reference URI=\"#{token_id}\" ValueType=\"{x509}\"/></wsse:SecurityTokenReference></ds:KeyInfo></ds:Signature>",
            encoding = ns::BASE64_BINARY,
            x509 = ns::X509_V3,
            certificate = self.certificate,
            key = ids.next(),
            reference = ids.next(),
        );
        Ok(frame.close(&[SECURITY_OPEN, request.tokens, &own, SECURITY_CLOSE, &body]))
    }

    fn sign(&self, bytes: &[u8]) -> Result<String, MySecuError> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature)
            .map_err(|_| MySecuError::ClientKey("it does not sign"))?;
        Ok(STANDARD.encode(signature))
    }
}

impl BusinessMessage {
    /// The content of the Body: `RequestInfo` around the document.
    pub(crate) fn request_info(&self) -> Result<Zeroizing<String>, MySecuError> {
        let fits = (1..=32).contains(&self.model_uid.len())
            && self
                .model_uid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !fits {
            return Err(MySecuError::MessageInvalid("the model identifier is not one"));
        }
        let document = xml::standalone(&self.xml).map_err(MySecuError::MessageInvalid)?;
        let info = [
            "<syn:RequestInfo modelUID=\"",
            &self.model_uid,
            "\">",
            &document,
            "</syn:RequestInfo>",
        ];
        Ok(Zeroizing::new(info.concat()))
    }
}

/// The envelope around header and Body. All prefixes are declared here, so that every part can be canonicalised by itself.
struct Frame {
    open: String,
}

impl Frame {
    fn new(namespaces: &[(&str, &str)]) -> Self {
        let mut open = format!(
            "<soapenv:Envelope xmlns:soapenv=\"{}\" xmlns:wsse=\"{}\" xmlns:wsu=\"{}\"",
            ns::SOAP,
            ns::WSSE,
            ns::WSU
        );
        for (prefix, namespace) in namespaces {
            open.push_str(&format!(" xmlns:{prefix}=\"{namespace}\""));
        }
        open.push('>');
        Self { open }
    }

    fn close(&self, inside: &[&str]) -> Zeroizing<String> {
        let parts = [&[self.open.as_str()], inside, &["</soapenv:Envelope>"]].concat();
        Zeroizing::new(parts.concat())
    }

    fn header(&self, inside: &str) -> Zeroizing<String> {
        self.close(&[SECURITY_OPEN, inside, SECURITY_CLOSE])
    }
}

const SECURITY_OPEN: &str = "<soapenv:Header><wsse:Security soapenv:mustUnderstand=\"1\">";
const SECURITY_CLOSE: &str = "</wsse:Security></soapenv:Header>";

fn reference(id: &str, canonical: &[u8], prefixes: &[&str]) -> String {
    format!(
        "<ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{}\">{}</ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{}\"/><ds:DigestValue>{}</ds:DigestValue></ds:Reference>",
        ns::EXC_C14N,
        inclusive(prefixes),
        ns::SHA256,
        STANDARD.encode(digest(&SHA256, canonical)),
    )
}

fn inclusive(prefixes: &[&str]) -> String {
    format!(
        "<ec:InclusiveNamespaces xmlns:ec=\"{}\" PrefixList=\"{}\"/>",
        ns::EXC_C14N,
        prefixes.join(" ")
    )
}

fn canonical(envelope: &str, namespace: &str, name: &str, prefixes: &[&str]) -> Result<Zeroizing<Vec<u8>>, MySecuError> {
    let doc = xml::parse_own(envelope).map_err(MySecuError::MessageInvalid)?;
    let found = doc.get_elements_by_tag_name_ns(namespace, name);
    let element = *found.first().ok_or(MySecuError::MessageInvalid("a part of it is missing"))?;
    xml::canonical(&doc, element, prefixes)
        .map(Zeroizing::new)
        .map_err(MySecuError::MessageInvalid)
}

fn instant(at: OffsetDateTime) -> Result<String, MySecuError> {
    at.replace_millisecond(at.millisecond())
        .ok()
        .and_then(|at| at.to_offset(time::UtcOffset::UTC).format(&Rfc3339).ok())
        .ok_or(MySecuError::MessageInvalid("the clock shows an impossible time"))
}

#[cfg(test)]
mod tests;
