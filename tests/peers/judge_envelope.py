"""Verifies one of our business requests with zeep and xmlsec, and cuts its document out for other judges.

usage: judge_envelope.py ENVELOPE DOCUMENT
"""
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from zeep.wsse.signature import verify_envelope

import soap

envelope_file, document_file = sys.argv[1:]
data = open(envelope_file, "rb").read()
envelope = soap.parse(data)
certificate = soap.x509_token(envelope)

covered = soap.verify(envelope, certificate)
with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
    pem.write(x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM))
    pem.flush()
    verify_envelope(soap.parse(data), pem.name)
print("signature verified")
assert soap.body(envelope) in covered, "the Body is not covered"
print("Body covered")

(request,) = soap.body(envelope).xpath("syn:RequestInfo", namespaces=soap.NS)
(document,) = request
with open(document_file, "wb") as file:
    # As it stands in the request: with the prefixes that are in scope there, and no others.
    file.write(etree.tostring(document, encoding="utf-8", xml_declaration=True, with_tail=False))
print("cut out of", request.get("modelUID"))
