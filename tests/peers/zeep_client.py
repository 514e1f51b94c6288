"""A second client, made of zeep's WS-Security: the stand-ins must take what it writes, and xmlsec must verify what they answer.

usage: zeep_client.py SETTINGS
"""
import base64
import json
import os
import re
import sys
import tempfile

import requests
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from lxml import etree
from zeep.wsse import utils
from zeep.wsse.signature import BinarySignature

import soap

settings = json.load(open(sys.argv[1]))
folder = tempfile.mkdtemp(dir=os.path.dirname(sys.argv[1]))
key, certificate, _ = pkcs12.load_key_and_certificates(open(settings["p12"], "rb").read(), settings["p12_password"].encode())
key_file, certificate_file = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
with open(key_file, "wb") as file:
    file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
with open(certificate_file, "wb") as file:
    file.write(certificate.public_bytes(Encoding.PEM))
anchors = {c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(open(settings["answer_anchors"], "rb").read())}
session = requests.Session()
session.trust_env = False
session.verify, session.cert = settings["ca"], (certificate_file, key_file)


def call(path, action, content, token=None, timestamp=False):
    envelope = soap.parse(
        '<soapenv:Envelope xmlns:soapenv="%s"><soapenv:Header/><soapenv:Body>%s</soapenv:Body></soapenv:Envelope>' % (soap.NS["soapenv"], content)
    )
    security = utils.get_security_header(envelope)
    security.set("{%s}mustUnderstand" % soap.NS["soapenv"], "1")
    if token is not None:
        # mySecu compares its token byte for byte, and lxml would write the namespaces its own way: put it in as text afterwards.
        etree.SubElement(security, "token")
    if timestamp:
        import datetime

        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        element = etree.SubElement(security, "{%s}Timestamp" % soap.NS["wsu"])
        etree.SubElement(element, "{%s}Created" % soap.NS["wsu"]).text = stamp(now)
        etree.SubElement(element, "{%s}Expires" % soap.NS["wsu"]).text = stamp(now + datetime.timedelta(minutes=5))
    signer = BinarySignature(key_file, certificate_file, signature_method=xmlsec.Transform.RSA_SHA256, digest_method=xmlsec.Transform.SHA256)
    signer.apply(envelope, {})
    answer = session.post(
        settings["mysecu"] + path,
        data=etree.tostring(envelope).replace(b"<token/>", (token or "").encode()),
        headers={"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": '"%s"' % action},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    assert "Correlation-ID: Id-" in answer.text, "no Correlation-ID"
    answered = soap.parse(answer.content)
    (text,) = answered.xpath("soapenv:Header/wsse:Security/ds:Signature/ds:KeyInfo//ds:X509Certificate/text()", namespaces=soap.NS)
    signer_der = base64.b64decode(text)
    assert signer_der in anchors, "the answer is signed by somebody else"
    covered = soap.verify(answered, signer_der)
    assert soap.body(answered) in covered, "the answer's Body is not covered"
    assert any(element.tag == "{%s}KeyInfo" % soap.NS["ds"] for element in covered), "the answer's KeyInfo is not covered"
    return answered, answer.text


jwt = base64.b64encode(settings["token"].encode()).decode()
space = settings["mysecu"] + "/ws/soap/espinst/syncexchange"
_, text = call(
    "/ws/soap/trust",
    "",
    f"""<wst:RequestSecurityToken xmlns:wst="{soap.NS['wst']}">
  <wst:TokenType>http://ws.mySecu.lu/trust/token/bst</wst:TokenType>
  <wst:RequestType>{soap.NS['wst']}/Issue</wst:RequestType>
  <wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"><wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing"><wsa:Address>{space}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>
  <wst:Claims Dialect="http://schemas.xmlsoap.org/ws/2006/12/authorization/authclaims"><auth:ClaimType xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization" Uri="http://ws.mysecu.lu/trust/prodo/espaceid"><auth:Value>{settings['provider_code']}</auth:Value></auth:ClaimType></wst:Claims>
  <wst:OnBehalfOf><wsse:BinarySecurityToken xmlns:wsse="{soap.NS['wsse']}" ValueType="urn:ietf:params:oauth:token-type:jwt" EncodingType="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary">{jwt}</wsse:BinarySecurityToken></wst:OnBehalfOf>
</wst:RequestSecurityToken>""",
    timestamp=True,
)
print("STS accepted")
token = re.search(r"<wst:RequestedSecurityToken>(.*)</wst:RequestedSecurityToken>", text, re.S).group(1)
document = open(settings["document"]).read()
answered, _ = call(
    "/ws/soap/espinst/syncexchange",
    "exchange",
    f'<syn:RequestInfo xmlns:syn="{soap.NS["syn"]}" modelUID="2026_ECIT_DEPOT-V1">{document}</syn:RequestInfo>',
    token=token,
)
(reference,) = answered.xpath("//*[local-name()='UuidSecu']/text()")
assert len(reference) == 36, reference
print("exchange accepted")
print("answers verified")
