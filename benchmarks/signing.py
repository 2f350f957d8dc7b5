"""Signatures: XAdES B-B of 60 KB beside its floor (canonicalise, digest, one bare RSA-2048 signature) and peers; PAdES."""

from __future__ import annotations

import asyncio
import hashlib
import io
import multiprocessing
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import httpx
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from pyhanko.keys.internal import translate_pyca_cryptography_key_to_asn1
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore
from signxml.algorithms import SignatureConstructionMethod
from signxml.xades.xades import XAdESSigner

from benchmarks.figures import Row, per_call_us
from benchmarks.papers import samples
from conformance.sandbox.server import Sandbox, Settings
from mappings import cda, documents, hl7v2
from mappings.cda.pdf import pdf as printed
from mappings.documents import Facility
from mappings.formats import json, safe_xml
from signing import jws, pades, verify_pdf, xades, xades_levels, xmldsig
from signing.testing import Authority, MemoryKey
from signing.timestamp import TimestampClient, TimestampService

SIZE = 60_000
_SECONDS = 2.0
_TEMPLATE = (
    '<Signature xmlns="{ns}"><SignedInfo><CanonicalizationMethod Algorithm="{c14n}"/><SignatureMethod Algorithm="{rsa}"/>'
    '<Reference URI=""><Transforms><Transform Algorithm="{enveloped}"/><Transform Algorithm="{c14n}"/></Transforms>'
    '<DigestMethod Algorithm="{sha}"/><DigestValue/></Reference></SignedInfo><SignatureValue/>'
    "<KeyInfo><X509Data/></KeyInfo></Signature>"
)


def paper() -> tuple[bytes, bytes]:
    """Give the longest paper of a day as CDA, its last section repeated up to the size, and as a Bundle."""
    facility = Facility("01999", "Bệnh viện Đa khoa Liên Thông", "SỞ Y TẾ HÀ NỘI", "1 phố Liên Thông", "")
    context = documents.Context(
        facility=facility,
        systems=hl7v2.Context("01999").systems,
        issued_at=datetime(2026, 11, 21, tzinfo=UTC),
        number="0197f000-0000-7000-8000-000000000000",
    )
    composed = [documents.compose(name, *sample, context) for name, sample in samples().items()]
    longest = max(composed, key=lambda document: len(cda.render(document)))
    written = cda.render(longest)
    end = written.rindex(b"</structuredBody>")
    section = written[written.rindex(b"<component>", 0, end) : end]
    times = max(0, -(-(SIZE - len(written)) // len(section)))
    return written[:end] + section * times + written[end:], json.dumps(longest)


def measure() -> list[Row]:
    xml, bundle = paper()
    key = Authority.root().intermediate().issue("Bệnh viện", organisation="Bệnh viện")
    root = safe_xml.parse(xml)

    def floor_once() -> bytes:
        return key.sign(hashlib.sha256(xmldsig.canonical_document(root)).digest())

    floor = per_call_us(floor_once)
    size = f"{len(xml) / 1024:.0f} KB"
    rows = [
        Row("bare RSA-2048 signature", per_call_us(lambda: key.sign(b"x" * 400)), "us"),
        Row(f"floor: canonicalise, digest, sign {size}", floor, "us"),
    ]

    def beside(what: str, figure: float) -> None:
        rows.append(Row(what, figure, "us", "floor", figure / floor))

    beside("parse alone", per_call_us(lambda: safe_xml.parse(xml)))
    beside(f"XAdES B-B of {size}, bytes to bytes", per_call_us(lambda: xades.sign(xml, key)))
    first = xades.sign(xml, key, parallel=True)
    beside("a second one in parallel", per_call_us(lambda: xades.sign(first, key, parallel=True)))
    beside("plain XMLDSig", per_call_us(lambda: xmldsig.sign(xml, key)))
    beside("signxml's XAdES signer", per_call_us(_signxml(xml, key)))
    if shutil.which("xmlsec1"):
        beside("xmlsec1 --sign (plain XMLDSig)", _xmlsec1_us(xml, key))
    signed_by = {"display": "Bệnh viện"}
    per_jws = per_call_us(lambda: jws.sign(bundle, key, who=signed_by))
    beside(f"JWS of a Bundle of {len(bundle) / 1024:.0f} KB", per_jws)
    rows += _pdf(xml, key, rows[0].figure)
    rows += _stamped(xades.sign(xml, key))
    one, two = _rate(xml, 1), _rate(xml, 2)
    rows.append(Row("XAdES B-B, one process, per second of its CPU time", one, "/s"))
    rows.append(Row("XAdES B-B, two processes at once, the same", two, "/s", "one process", two / one))
    return rows


def _signxml(xml: bytes, key: MemoryKey) -> Callable[[], bytes]:
    chain = list(key.chain)

    def once() -> bytes:
        signer = XAdESSigner(method=SignatureConstructionMethod.enveloped)
        signed = signer.sign(etree.fromstring(xml), key=key.private_key, cert=chain, always_add_key_value=False)
        return etree.tostring(signed)

    return once


def _pdf(xml: bytes, key: MemoryKey, bare: float) -> list[Row]:
    """Sign the pages of the paper, unseen and with a block, and let pyHanko do it; then verify three signatures."""
    pages = printed(xml)
    size = f"{len(pages) / 1024:.0f} KB"
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    chain = [asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER)) for one in key.chain]
    store.register_multiple(chain)
    private = translate_pyca_cryptography_key_to_asn1(key.private_key)
    meta = signers.PdfSignatureMetadata(field_name="S", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
    signer = signers.PdfSigner(meta, signers.SimpleSigner(chain[0], private, store))
    theirs = per_call_us(lambda: signer.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pages))))
    three = pades.sign(pades.sign(pades.sign(pages, key), key), key)
    rows = [Row(f"pyHanko's PAdES signer, PDF of {size}, unseen", theirs, "us", "bare RSA", theirs / bare)]
    for what, figure in (
        ("PAdES B-B of it, unseen", per_call_us(lambda: pades.sign(pages, key, said=()))),
        ("PAdES B-B of it, with a block", per_call_us(lambda: pades.sign(pages, key))),
        ("a fourth one, with a block", per_call_us(lambda: pades.sign(three, key))),
        ("all three read and compared, no certificates", per_call_us(lambda: verify_pdf.read(three))),
    ):
        rows.append(Row(what, figure, "us", "pyHanko", figure / theirs))
    return rows


def _stamped(signed: bytes) -> list[Row]:
    """Time-stamp 1,000 signatures by the sandbox's authority, a process of its own; 200 wait at a time."""
    context = multiprocessing.get_context("spawn")
    told, done = context.Queue(), context.Event()
    server = context.Process(target=_serve, args=(told, done))
    server.start()
    url, root = told.get(timeout=60)

    async def run() -> float:
        services = [TimestampService(url, (x509.load_pem_x509_certificate(root),))]
        client = TimestampClient(services)
        async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=32)) as http:

            async def one() -> None:
                token = await client.stamp_async(xades_levels.timestamp_data(signed), http)
                xades_levels.with_timestamp(signed, token)

            started = time.perf_counter()
            for _ in range(5):
                await asyncio.gather(*(one() for _ in range(200)))
            return 1000 / (time.perf_counter() - started)

    before = time.process_time()
    rate = asyncio.run(run())
    spent = (time.process_time() - before) / 1000 * 1e6
    done.set()
    server.join()
    return [
        Row("B-B to B-T, 200 at a time, stamps of the sandbox", rate, "/s"),
        Row("our CPU time of one", spent, "us", "limit by it", rate * spent / 1e6),
    ]


def _serve(told: Queue[tuple[str, bytes]], done: Event) -> None:
    async def run() -> None:
        async with Sandbox(Settings(accounts=())) as sandbox:
            told.put((sandbox.tsa_url, sandbox.ca.certificate.public_bytes(serialization.Encoding.PEM)))
            await asyncio.to_thread(done.wait)

    asyncio.run(run())


def _xmlsec1_us(xml: bytes, key: MemoryKey) -> float:
    """Time one signature out of many in one process of its own, start and end taken off."""
    names = {"ns": xmldsig.NAMESPACE, "c14n": xmldsig.C14N, "rsa": xmldsig.RSA_SHA256, "sha": xmldsig.SHA256}
    template = _TEMPLATE.format(**names, enveloped=xmldsig.ENVELOPED).encode()
    end = xml.rindex(b"</ClinicalDocument>")
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("template.xml", "key.pem", "certificate.pem")]
        files[0].write_bytes(xml[:end] + template + xml[end:])
        files[1].write_bytes(key.private_key.private_bytes(serialization.Encoding.PEM, *plain))
        files[2].write_bytes(key.chain[0].public_bytes(serialization.Encoding.PEM))

        def spent(times: int) -> float:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            pair = f"{files[1]},{files[2]}"
            command = ["xmlsec1", "--sign", "--repeat", str(times), "--privkey-pem", pair, str(files[0])]
            subprocess.run(command, capture_output=True, check=True, timeout=120)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        return (spent(201) - spent(1)) / 200 * 1e6


def _rate(xml: bytes, processes: int) -> float:
    """Add up what each process does in a second of its own CPU time while all are at work.

    CPU time, because others use this machine too: what is left to see is what the processes cost each other.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    counts = context.Queue()
    workers = [context.Process(target=_work, args=(xml, barrier, counts)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    total = sum(counts.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    return float(total)


def _work(xml: bytes, barrier: Barrier, counts: Queue[float]) -> None:
    key = Authority.root().issue("Bệnh viện")
    xades.sign(xml, key)
    barrier.wait(timeout=60)
    started, until, count = time.process_time(), time.perf_counter() + _SECONDS, 0
    while time.perf_counter() < until:
        xades.sign(xml, key)
        count += 1
    counts.put(count / (time.process_time() - started))
