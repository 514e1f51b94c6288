"""certificates.py FOLDER [TRUSTSTORE_PEM]: what a hospital's administrator would have on disk, good and bad, made by OpenSSL's library.

Two authorities: the hospital's own, whose certificates everybody in these tests trusts, and a stranger's. All files open with "hospital".
With the PEM of the KMS's authorities also `truststore.p12`, as Java's keytool writes it: each under its alias, and one that does not belong.
"""

import datetime
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = Path(sys.argv[1])
PASSWORD = serialization.BestAvailableEncryption(b"hospital")
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(common_name, key, issuer, issuer_key, usage=None, first=NOW - DAY, last=NOW + 90 * DAY):
    authority = usage is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = [x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def authority(common_name):
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate(common_name, key, name(common_name), key), key


def issued(common_name, by, usage, **dates):
    issuer, issuer_key = by
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate(common_name, key, issuer.subject, issuer_key, usage, **dates), key


def p12(file, pair, encryption=PASSWORD):
    leaf, key = pair
    (FOLDER / file).write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, leaf, None, encryption))


def pem(file, *parts):
    written = b""
    for part in parts:
        if isinstance(part, x509.Certificate):
            written += part.public_bytes(serialization.Encoding.PEM)
        else:
            written += part.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
    (FOLDER / file).write_bytes(written)


hospital = authority("Hospital CA")
stranger = authority("Somebody else's CA")
pem("ca.pem", hospital[0])

server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
p12("server.p12", issued("first", hospital, server))
p12("renewed.p12", issued("second", hospital, server))
p12("again.p12", issued("third", hospital, server))
p12("ended.p12", issued("ended", hospital, server, first=NOW - 90 * DAY, last=NOW - DAY))
p12("early.p12", issued("early", hospital, server, first=NOW + 7 * DAY))
(FOLDER / "keyless.p12").write_bytes(pkcs12.serialize_key_and_certificates(None, None, None, [hospital[0]], PASSWORD))
(FOLDER / "broken.p12").write_bytes(b"this is no certificate")

for file, pair in {
    "client.pem": issued("engine", hospital, client),
    "unlisted.pem": issued("other engine", hospital, client),
    "stranger.pem": issued("engine", stranger, client),
}.items():
    pem(file, *pair)
    print(file, pair[0].fingerprint(hashes.SHA256()).hex())

if len(sys.argv) > 2:
    kms = x509.load_pem_x509_certificates(Path(sys.argv[2]).read_bytes())
    aliases = [b"test_root_signing_ca", b"test_signing_ca", b"test_timestamp_ca"]
    entries = [pkcs12.PKCS12Certificate(found, alias) for found, alias in zip(kms, aliases, strict=True)]
    entries.append(pkcs12.PKCS12Certificate(stranger[0], b"does_not_belong"))
    changeit = serialization.BestAvailableEncryption(b"changeit")
    (FOLDER / "truststore.p12").write_bytes(pkcs12.serialize_java_truststore(entries, changeit))
