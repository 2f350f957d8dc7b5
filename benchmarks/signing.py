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
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

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
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from benchmarks.figures import Row, in_turns, per_call_us
from benchmarks.papers import samples
from conformance.sandbox.server import Sandbox, Settings
from mappings import cda, documents, hl7v2
from mappings.cda.pdf import pdf as printed
from mappings.documents import Facility
from mappings.formats import json, safe_xml
from signing import jws, pades, timestamp_token, verify_pdf, xades, xades_levels, xmldsig
from signing.many_requests import ManyRequests
from signing.testing import Authority, MemoryKey
from signing.timestamp import TimestampClient, TimestampService
from signing.validation import Trust, validate

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
    authority = Authority.root()
    key = authority.intermediate().issue("Bệnh viện", organisation="Bệnh viện")
    root = safe_xml.parse(xml)
    first, signed = xades.sign(xml, key, parallel=True), xades.sign(xml, key)

    def floor_once() -> bytes:
        return key.sign(hashlib.sha256(xmldsig.canonical_document(root)).digest())

    floor_name = f"floor: canonicalise, digest, sign {len(xml) / 1024:.0f} KB"
    signed_by = {"display": "Bệnh viện"}
    figures = in_turns(
        {
            "bare RSA-2048 signature": lambda: key.sign(b"x" * 400),
            floor_name: floor_once,
            "parse alone": lambda: safe_xml.parse(xml),
            "XAdES B-B, bytes to bytes": lambda: xades.sign(xml, key),
            "a second one in parallel": lambda: xades.sign(first, key, parallel=True),
            "plain XMLDSig": lambda: xmldsig.sign(xml, key),
            "signxml's XAdES signer": _signxml(xml, key),
            f"JWS of a Bundle of {len(bundle) / 1024:.0f} KB": lambda: jws.sign(bundle, key, who=signed_by),
        }
    )
    floor = figures[floor_name]
    rows = [Row(what, us, "us", "floor", us / floor) for what, us in figures.items()]
    if shutil.which("xmlsec1"):
        peer = _xmlsec1_us(xml, key)
        rows.append(Row("xmlsec1 --sign (plain XMLDSig)", peer, "us", "floor", peer / floor))
    rows += _pdf(xml, key, rows[0].figure)
    rows += _verified(signed, authority)
    rows += _stamped(signed)
    one, two = _rate(xml, 1), _rate(xml, 2)
    rows.append(Row("XAdES B-B, one process, per second of its CPU time", one, "/s"))
    rows.append(Row("XAdES B-B, two processes at once, the same", two, "/s", "one process", two / one))
    return rows


def _verified(signed: bytes, authority: Authority) -> list[Row]:
    """Verify without the network, beside signxml's verifier with the same root."""
    trust = Trust([authority.certificate])
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "root.pem").write_bytes(authority.pem())
        config = XAdESSignatureConfiguration(expect_references=2)
        figures = in_turns(
            {
                "verify XAdES B-B, whole verdict": lambda: validate(signed, trust),
                "signxml's verifier": lambda: XAdESVerifier().verify(
                    signed, ca_pem_file=str(file), expect_config=config
                ),
            }
        )
    ours, theirs = figures.values()
    return [
        Row("signxml's verifier", theirs, "us"),
        Row("verify XAdES B-B, the whole verdict", ours, "us", "signxml's verifier", ours / theirs),
    ]


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


IN_FLIGHT = 200


def _stamped(signed: bytes) -> list[Row]:
    """Time-stamp signatures by the sandbox's authority, a process of its own, 200 questions open at a time.

    Beside it, in turns, what the authority gives to a client that only asks: the same 200 connections, nothing read or checked.
    """
    context = multiprocessing.get_context("spawn")
    told, asked, spent = context.Queue(), context.Queue(), context.Queue()
    server = context.Process(target=_serve, args=(told, asked, spent))
    server.start()
    url, root = told.get(timeout=60)
    body = timestamp_token.request(bytes(32), "sha256", 1)

    def theirs() -> float:
        asked.put(True)
        return float(spent.get(timeout=60))

    data = xades_levels.timestamp_data(signed)

    async def run() -> list[_Turn]:
        services = [TimestampService(url, (x509.load_pem_x509_certificate(root),))]
        client = TimestampClient(services, in_flight=IN_FLIGHT, timeout_s=60)
        turns = []
        async with ManyRequests(IN_FLIGHT, verify=False) as http:

            async def whole() -> None:
                prepared = xades_levels.to_stamp(signed)
                prepared.with_timestamp(await client.stamp_async(prepared.data, http))

            for _ in range(6):
                bare = await _ask_only(url, body, 2 * IN_FLIGHT)
                spent_by = []
                for step in (lambda: client.stamp_async(data, http), whole):
                    before, started, worked = theirs(), time.perf_counter(), time.process_time()
                    await asyncio.gather(*(step() for _ in range(2 * IN_FLIGHT)))
                    took, worked = time.perf_counter() - started, time.process_time() - worked
                    spent_by.append((worked, theirs() - before))
                turns.append(_Turn(bare, 2 * IN_FLIGHT / took, *spent_by))
        return turns

    turns = asyncio.run(run())
    asked.put(False)
    server.join()
    best = max(turns, key=lambda turn: turn.rate / turn.bare)
    least = min(spent for turn in turns for spent in (turn.alone[1], turn.whole[1]))
    rows = [
        Row(f"the authority's own rate, {IN_FLIGHT} open", best.bare, "/s"),
        Row(f"B-B to B-T, {IN_FLIGHT} open", best.rate, "/s", "the authority's own", best.rate / best.bare),
    ]
    for what, ours in (
        ("our CPU time of one stamp, asked for and checked", min(turn.alone[0] for turn in turns)),
        ("our CPU time of B-B to B-T, bytes to bytes", min(turn.whole[0] for turn in turns)),
    ):
        rows.append(Row(what, ours / 2 / IN_FLIGHT * 1e6, "us", "the authority's CPU time", ours / least))
    return rows


class _Turn(NamedTuple):
    bare: float
    """Stamps a second of the authority, when nobody looks at them."""
    rate: float
    alone: tuple[float, float]
    """CPU seconds of ours and of the authority, of stamps alone; then with the document read and written."""
    whole: tuple[float, float]


async def _ask_only(url: str, body: bytes, count: int) -> float:
    """Return how many stamps a second the authority gives to somebody who does not look at them."""
    address = httpx.URL(url)
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.host}\r\n"
        f"Content-Type: application/timestamp-query\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    left = count

    async def ask() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection(address.host, address.port)
        while left > 0:
            left -= 1
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = answer.partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - started)


def _serve(told: Queue[tuple[str, bytes]], asked: Queue[bool], spent: Queue[float]) -> None:
    """Be the authority; say how much CPU time that took whenever it is asked."""

    def tell() -> None:
        while asked.get():
            spent.put(time.process_time())

    async def run() -> None:
        async with Sandbox(Settings(accounts=())) as sandbox:
            told.put((sandbox.tsa_url, sandbox.ca.certificate.public_bytes(serialization.Encoding.PEM)))
            await asyncio.to_thread(tell)

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
