"""Verifies one of our business requests with zeep and xmlsec, and its document against a schema.

usage: judge_envelope.py ENVELOPE SCHEMA
"""
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from zeep.wsse.signature import verify_envelope

import soap

envelope_file, schema_file = sys.argv[1:]
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

(document,) = soap.body(envelope).xpath("syn:RequestInfo/*", namespaces=soap.NS)
schema = etree.XMLSchema(etree.parse(schema_file))
schema.assertValid(etree.ElementTree(soap.parse(etree.tostring(document))))
print("schema valid")
