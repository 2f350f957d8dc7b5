"""Other people's software on our PDF signatures: pyHanko's validator, OpenSSL, Poppler; and a real paper, tags and all."""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.validation import async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from mappings import cda
from mappings.cda.pdf import pdf as printed
from signing import cms, pades, pades_field, pades_levels, pdf_signature, validation
from signing.algorithms import ALGORITHMS
from signing.evidence import Evidence
from signing.testing import AnyMemoryKey, Authority, MemoryKey
from signing.validation import Trust
from tests.tsa import Tsa
from tests.unit.cda import specimens
from tests.unit.signing.forge_pdf import base
from tests.unit.signing.test_xades_levels import crl, der, response


@pytest.fixture(scope="session")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="session")
def issuing(root: Authority) -> Authority:
    return root.intermediate()


@pytest.fixture(scope="session")
def key(issuing: Authority) -> MemoryKey:
    return issuing.issue("Nguyễn Thị Ánh", title="Bác sĩ")


@pytest.fixture(scope="session")
def tsa(issuing: Authority) -> Tsa:
    return Tsa.of(issuing)


def asn1(certificate: Any) -> Any:
    from asn1crypto import x509

    return x509.Certificate.load(der(certificate))


def statuses(pdf: bytes, root: Authority) -> list[Any]:
    """Let pyHanko judge every signature and document time stamp."""
    context = ValidationContext(trust_roots=[asn1(root.certificate)], allow_fetching=False)

    async def each() -> list[Any]:
        embedded = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
        return [
            await async_validate_pdf_timestamp(one, context)
            if one.sig_object_type == "/DocTimeStamp"
            else await async_validate_pdf_signature(one, context)
            for one in embedded
        ]

    return asyncio.run(each())


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_openssl_and_pyhanko_on_every_algorithm(
    name: str, root: Authority, issuing: Authority, key: MemoryKey, tmp_path: Path
) -> None:
    curve = ec.SECP384R1() if name == "ES384" else ec.SECP256R1()
    own: AnyMemoryKey = issuing.issue_elliptic("Đường cong", curve) if name.startswith("ES") else key
    pdf = pades.sign(base(), own, algorithm=name)
    (status,) = statuses(pdf, root)
    assert status.bottom_line, status.pretty_print_details()
    (found,) = pdf_signature.find(pdf)
    (tmp_path / "sig.der").write_bytes(cms.without_padding(found.contents))
    (tmp_path / "content").write_bytes(found.octets(pdf))
    (tmp_path / "root.pem").write_bytes(root.pem())
    command = "openssl cms -verify -inform DER -in sig.der -content content -binary -CAfile root.pem -purpose any"
    done = subprocess.run([*command.split(), "-out", "out"], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_pyhanko_at_every_level(root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa) -> None:
    material = Evidence(
        tuple(der(one) for one in (*key.chain, tsa.certificate)),
        (response(issuing, key.chain[0]), response(issuing, tsa.certificate)),
        (crl(root),),
    )
    pdf = pades.sign(base(), key)
    pdf = pades_levels.with_timestamp(pdf, tsa.token(pades_levels.timestamp_data(pdf)))
    (status,) = statuses(pdf, root)
    assert status.bottom_line
    assert status.timestamp_validity.valid
    pdf = pades_levels.with_values(pdf, material)
    prepared = pades_levels.prepare_archive_timestamp(pdf)
    pdf = pades_levels.with_archive_timestamp(prepared, tsa.token(prepared.octets))
    status, stamp = statuses(pdf, root)
    assert status.bottom_line, status.pretty_print_details()
    assert stamp.valid
    store = PdfFileReader(io.BytesIO(pdf)).root["/DSS"]
    assert [len(store[name]) for name in ("/Certs", "/OCSPs", "/CRLs")] == [3, 2, 1]


def test_three_signatures_on_a_tagged_paper(
    root: Authority, issuing: Authority, key: MemoryKey, tmp_path: Path
) -> None:
    paper = printed(
        cda.render(specimens.specimen(*next(one for one in specimens.editions() if one[0] == "discharge_paper")))
    )
    pdf = pades.with_fields(paper, ["KY-1", "KY-2"])
    head, seal = issuing.issue("Trần Văn Trưởng", title="Trưởng khoa"), issuing.issue("Bệnh viện Thử")
    for one, name in ((key, "KY-1"), (head, "KY-2"), (seal, "")):
        pdf = pades.sign(pdf, one, field=name)
    assert pdf.startswith(paper)
    assert all(status.bottom_line for status in statuses(pdf, root))
    assert validation.validate(pdf, Trust([root.certificate])).verdict == "valid"
    assert pades_field.names(PdfFileReader(io.BytesIO(pdf))) == [("KY-1", True), ("KY-2", True), ("Signature1", True)]
    (tmp_path / "paper.pdf").write_bytes(pdf)
    if shutil.which("pdftotext"):
        text = subprocess.run(
            ["pdftotext", "paper.pdf", "-"], cwd=tmp_path, capture_output=True, check=True, timeout=60
        )
        for line in ("Ký bởi: Nguyễn Thị Ánh, Bác sĩ", "Ký bởi: Trần Văn Trưởng, Trưởng khoa", "Ký bởi: Bệnh viện Thử"):
            assert line in text.stdout.decode()


@pytest.mark.parametrize("form", [fields.SigSeedSubFilter.PADES, fields.SigSeedSubFilter.ADOBE_PKCS7_DETACHED])
def test_what_pyhanko_signs(form: Any, root: Authority, key: MemoryKey) -> None:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple([asn1(one) for one in key.chain])
    from pyhanko.keys.internal import translate_pyca_cryptography_key_to_asn1

    signer = signers.SimpleSigner(asn1(key.chain[0]), translate_pyca_cryptography_key_to_asn1(key.private_key), store)
    meta = signers.PdfSignatureMetadata(field_name="Sig1", md_algorithm="sha256", subfilter=form)
    output = signers.PdfSigner(meta, signer).sign_pdf(IncrementalPdfFileWriter(io.BytesIO(base())))
    report = validation.validate(output.getvalue(), Trust([root.certificate]))
    assert report.verdict == "valid", report.reasons
    assert report.signers[0].level == ("B-B" if form is fields.SigSeedSubFilter.PADES else "PKCS7")


def test_the_judge_sees_what_we_see(root: Authority, key: MemoryKey) -> None:
    damaged = pades.sign(base(), key).replace(b"am tinh", b"AM TINH", 1)
    assert not statuses(damaged, root)[0].bottom_line


def test_the_ca_is_gone(root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa) -> None:
    """Level LT, offline, in ten years."""
    pdf = pades.sign(base(), key)
    pdf = pades_levels.with_timestamp(pdf, tsa.token(pades_levels.timestamp_data(pdf)))
    material = Evidence(ocsp_responses=(response(issuing, key.chain[0]),), crls=(crl(root),))
    pdf = pades_levels.with_values(pdf, material)
    report = validation.validate(pdf, Trust([root.certificate]), datetime.now(UTC) + timedelta(days=3652))
    assert (report.verdict, report.signers[0].level, report.signers[0].revocation) == ("valid", "B-LT", "good")
