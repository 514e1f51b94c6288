"""The pipeline other people build, for comparison: JasperReports sets the page (through pyreportjasper, in this process), pyHanko puts
the PAdES-B-T signature of the same remote service around it. `peer.py TASK` prints its figures as JSON.

As fast as it can be had: the report is compiled once, the page is filled and exported in memory, connections are kept, nothing is written
to disk. A page of JasperReports is one volet; no SOAP message is made and nothing is deposited.
"""

import asyncio
import base64
import datetime
import importlib.metadata
import io
import json
import pathlib
import resource
import sys
import time

import requests
from asn1crypto import algos, tsp, x509
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, async_sign_pdf
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

MONTHS = "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
WEEKDAYS = "lundi mardi mercredi jeudi vendredi samedi dimanche".split()
# A token is not used in the last part of its life.
MARGIN = 60


class Kms:
    """The stand-in's three calls, as docs/wire.md has them, and how long they took."""

    def __init__(self, ready, base):
        self.ready, self.base, self.waited = ready, base, 0.0
        self.session = requests.Session()
        # No proxy and no other authorities than the stand-ins', whatever the environment says.
        self.session.trust_env = False
        self.session.verify = ready["ca_pem"]
        self.token, self.until = "", 0.0

    def ask(self, path, question):
        if time.monotonic() > self.until:
            self.exchange()
        asked = time.perf_counter()
        answer = self.session.post(f"{self.base}/api/v3/{path}", json=question, headers={"Authorization": f"Bearer {self.token}"})
        self.waited += time.perf_counter() - asked
        answer.raise_for_status()
        return answer.json()

    def exchange(self):
        ready = self.ready
        answer = self.session.post(ready["token_endpoint"], data={
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_id": ready["client_id"],
            "client_secret": ready["client_secret"],
            "requested_subject": ready["ehealth_id"],
            "audience": ready["audience"],
        })
        answer.raise_for_status()
        granted = answer.json()
        self.token, self.until = granted["access_token"], time.monotonic() + granted["expires_in"] - MARGIN


class RemoteSigner(Signer):
    """The key is at the KMS."""

    def __init__(self, kms, certificate, chain):
        self.kms = kms
        store = SimpleCertificateStore()
        store.register_multiple(chain)
        mechanism = algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
        super().__init__(signing_cert=certificate, cert_registry=store, signature_mechanism=mechanism, embed_roots=False)

    async def async_sign_raw(self, data, digest_algorithm, dry_run=False):
        if dry_run:
            return bytes(256)
        question = {"data": base64.b64encode(data).decode(), "algorithm": "SHA256withRSA"}
        return base64.b64decode(self.kms.ask("sign-data", question)["data"])


class RemoteStamper(TimeStamper):
    def __init__(self, kms):
        super().__init__()
        self.kms = kms

    async def async_request_tsa_response(self, req):
        answer = self.kms.ask("sign-timestamp", {"data": base64.b64encode(req.dump()).decode()})
        return tsp.TimeStampResp.load(base64.b64decode(answer["data"]))


class Page:
    """The report, compiled once."""

    def __init__(self, template):
        from pyreportjasper.config import Config
        from pyreportjasper.report import Report

        config = Config()
        config.input = str(template)
        self.report = Report(config, config.input)
        import jpype

        self.engine = jpype.JPackage("net").sf.jasperreports.engine
        self.java = jpype.JPackage("java")

    def set(self, values, document):
        parameters = self.java.util.HashMap()
        for name, value in fields(values, document).items():
            parameters.put(name, self.java.lang.Integer(value) if isinstance(value, int) else value)
        filled = self.engine.JasperFillManager.fillReport(self.report.jasper_report, parameters, self.engine.JREmptyDataSource())
        return bytes(self.engine.JasperExportManager.exportReportToPdf(filled))


def fields(values, document):
    """What stands on the page, from the values that the form is filled in with."""
    first, last = (datetime.date.fromisoformat(values[name]) for name in ("first_day", "last_day"))
    number = values["matricule"]
    return {
        "id": document,
        "day": short(datetime.date.today()),
        "matricule": " ".join((number[:4], number[4:6], number[6:8], number[8:11], number[11:])),
        "patient": f"{values['last_name']} {values['first_name']}",
        "physician_name": values["physician_name"],
        "physician_address": values["physician_address"],
        "physician_phone": values["physician_phone"],
        "provider_code": values["provider_code"],
        "physician_ehealth_id": values["physician_ehealth_id"],
        "first_day": short(first),
        "last_day": short(last),
        "first_long": long(first),
        "last_long": long(last),
        "days": (last - first).days + 1,
        "nature": values["cause"],
        "diagnosis": values["diagnosis"],
        "finding_date": short(datetime.date.fromisoformat(values["finding_date"])),
        "accident_number": "–",
        "accident_date": "–",
        "outings": "Non autorisées",
        "prolongation": "non",
        "datamatrix": f"DMCIT;{number}",
        "signed_by": values["physician_name"],
    }


def short(day):
    return day.strftime("%d.%m.%Y")


def long(day):
    return f"{WEEKDAYS[day.weekday()]} {'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"


async def sign(pdf, kms):
    """Certificate, signature, timestamp: the same calls for each document as ours makes."""
    answer = kms.ask("get-certificate", {})
    certificate = x509.Certificate.load(base64.b64decode(answer["data"]))
    chain = [x509.Certificate.load(base64.b64decode(one)) for one in answer["chain"]]
    metadata = PdfSignatureMetadata(field_name="Signature", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    signed = await async_sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)),
        metadata,
        signer=RemoteSigner(kms, certificate, chain),
        timestamper=RemoteStamper(kms),
        bytes_reserved=32768,
    )
    return signed.getvalue()


async def valid(pdf, roots):
    """Whether pyHanko's validator believes the signature, its chain and its time."""
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    context = ValidationContext(trust_roots=roots, allow_fetching=False)
    status = await async_validate_pdf_signature(signature, context, ts_validation_context=context)
    return bool(status.bottom_line and status.timestamp_validity and status.timestamp_validity.trusted)


async def main():
    started = time.perf_counter()
    task = json.loads(pathlib.Path(sys.argv[1]).read_bytes())
    ready = json.loads(pathlib.Path(task["ready"]).read_bytes())
    page = Page(pathlib.Path(__file__).with_name("caisse.jrxml"))
    kms = Kms(ready, ready["kms"])
    said = {"page_ms": [], "signature_own_ms": [], "document_ms": []}
    begun = cpu = 0.0
    for number, values in enumerate(task["values"]):
        if number == task["warm_up"]:
            begun, cpu = time.perf_counter(), time.process_time()
        at = time.perf_counter()
        pdf = page.set(values, f"00000000-0000-4000-8000-{number:012}")
        set_at = time.perf_counter()
        kms.waited = 0.0
        signed = await sign(pdf, kms)
        done = time.perf_counter()
        if number == 0:
            said["start_seconds"] = done - started
        if number >= task["warm_up"]:
            said["page_ms"].append((set_at - at) * 1000)
            said["signature_own_ms"].append((done - set_at - kms.waited) * 1000)
            said["document_ms"].append((done - at) * 1000)
    said["seconds"] = time.perf_counter() - begun
    said["cpu_seconds"] = time.process_time() - cpu
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said["page_bytes"] = len(pdf)
    roots = list(load_certs_from_pemder([ready["kms_root_pem"], ready["kms_timestamp_ca_pem"]]))
    said["theirs_valid"] = await valid(signed, roots)
    said["ours_valid"] = await valid(pathlib.Path(task["ours"]).read_bytes(), roots)
    said["cpu_seconds_in_all"] = time.process_time()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("pyreportjasper", "pyhanko")]
    said["what"] = "JasperReports 6.20.6 through " + " + ".join(versions)
    json.dump(said, sys.stdout)


asyncio.run(main())
