//! Namespaces and other fixed names of the wire (luxembourg.md §4 and §6, docs/wire.md).

pub(super) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(super) const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub(super) const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(super) const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
pub(super) const SYNC: &str = "http://ws.mysecu.lu/generic/sync";
pub(super) const CNS: &str = "http://www.secu.lu/ciss/cns";

pub(super) const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(super) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(super) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

pub(super) const X509V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
pub(super) const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(super) const BST: &str = "http://ws.mySecu.lu/trust/token/bst";

pub(super) const ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
pub(super) const CANCEL: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Cancel";
pub(super) const SPACE_CLAIM: &str = "http://ws.mysecu.lu/trust/prodo/espaceid";
pub(super) const CLAIMS_DIALECT: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization/authclaims";
