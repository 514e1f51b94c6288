"""What both SOAP judges share: namespaces and the verification of a signed envelope by xmlsec."""
import base64

import xmlsec
from lxml import etree

NS = {
    "soapenv": "http://schemas.xmlsoap.org/soap/envelope/",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "syn": "http://ws.mysecu.lu/generic/sync",
    "wst": "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
}
WSU_ID = "{%s}Id" % NS["wsu"]


def parse(data):
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))


def verify(envelope, certificate_der):
    """Verifies the envelope's one signature with this certificate; returns the elements that it covers."""
    (signature,) = envelope.xpath("soapenv:Header/wsse:Security/ds:Signature", namespaces=NS)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(certificate_der, xmlsec.KeyFormat.CERT_DER)
    covered = []
    for reference in signature.xpath("ds:SignedInfo/ds:Reference/@URI", namespaces=NS):
        name = reference.removeprefix("#")
        (element,) = [e for e in envelope.iter() if e.get(WSU_ID) == name or e.get("Id") == name]
        context.register_id(element, "Id", NS["wsu"] if element.get(WSU_ID) else None)
        covered.append(element)
    context.verify(signature)
    return covered


def x509_token(envelope):
    """The certificate in the header's X.509 token."""
    for token in envelope.xpath("soapenv:Header/wsse:Security/wsse:BinarySecurityToken", namespaces=NS):
        if token.get("ValueType", "").endswith("#X509v3"):
            return base64.b64decode(token.text)
    raise SystemExit("no X.509 token")


def body(envelope):
    (found,) = envelope.xpath("soapenv:Body", namespaces=NS)
    return found
