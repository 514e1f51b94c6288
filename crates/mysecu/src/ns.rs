//! Namespaces and identifiers of the wire.

pub(crate) const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub(crate) const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub(crate) const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
pub(crate) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(crate) const WST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
pub(crate) const WSP: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";
pub(crate) const WSA: &str = "http://www.w3.org/2005/08/addressing";
pub(crate) const AUTH: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization";
pub(crate) const SYNC: &str = "http://ws.mysecu.lu/generic/sync";

pub(crate) const AUTH_CLAIMS: &str = "http://schemas.xmlsoap.org/ws/2006/12/authorization/authclaims";
pub(crate) const SPACE_CLAIM: &str = "http://ws.mysecu.lu/trust/prodo/espaceid";
pub(crate) const BST_TYPE: &str = "http://ws.mySecu.lu/trust/token/bst";
pub(crate) const WST_ISSUE: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue";
pub(crate) const WST_CANCEL: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Cancel";

pub(crate) const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
pub(crate) const X509_V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";
pub(crate) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

pub(crate) const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(crate) const RSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384";
pub(crate) const RSA_SHA512: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512";
pub(crate) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub(crate) const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
pub(crate) const SHA512: &str = "http://www.w3.org/2001/04/xmlenc#sha512";
