"""Detached, parallel and counter-signatures: what is made here is read here, by signxml too, and every change is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from signing import joint, xades
from signing.faults import DocumentUnsignable
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate
from signing.verdict import Report
from signing.xades_properties import Claims
from signing.xmldsig import SIGNATURE
from tests.unit.signing.conftest import Judge

PAPER = b"%PDF-1.7 \x00\xff"
XML = '<r xmlns:v="urn:v"><a>Đặng</a></r>'.encode()


def detached(key: MemoryKey, *files: xades.File) -> bytes:
    prepared = xades.prepare_detached(files, key.chain[0], claims=Claims(("Bác sĩ",)))
    return xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)


def countersigned(xml: bytes, key: MemoryKey, name: str = "") -> bytes:
    prepared = xades.prepare_countersignature(xml, key.chain[0], name)
    return xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)


def reasons(told: Report) -> set[int]:
    return {one.code for one in told.reasons}


@pytest.mark.parametrize(("uri", "name"), [("a.pdf", "a.pdf"), ("gi%E1%BA%A5y.pdf", "giấy.pdf"), ("./a.pdf", "a.pdf")])
def test_a_detached_signature_needs_its_file(uri: str, name: str, root: Authority, key: MemoryKey) -> None:
    signed = detached(key, xades.File(uri, PAPER, "application/pdf"))
    trust = Trust([root.certificate])
    told = validate(signed, trust, files={name: PAPER})
    assert (told.verdict, [one.part for one in told.covers]) == ("valid", [name])
    assert told.covers[0].data == PAPER
    assert reasons(validate(signed, trust, files={name: PAPER + b"x"})) == {5088}
    assert reasons(validate(signed, trust, files={"b.pdf": PAPER})) == {5081}
    assert reasons(validate(signed, trust)) == {5081}


def test_a_detached_signature_over_several_files_needs_them_all(root: Authority, key: MemoryKey) -> None:
    signed = detached(key, xades.File("a.pdf", PAPER), xades.File("b.xml", XML, "text/xml"))
    trust = Trust([root.certificate])
    assert validate(signed, trust, files={"a.pdf": PAPER, "b.xml": XML}).verdict == "valid"
    assert validate(signed, trust, files={"a.pdf": PAPER}).verdict == "invalid"


def test_a_detached_signature_is_countersigned(root: Authority, issuing: Authority, key: MemoryKey) -> None:
    head = issuing.issue("Trưởng khoa")
    signed = countersigned(detached(key, xades.File("a.pdf", PAPER)), head)
    told = validate(signed, Trust([root.certificate]), files={"a.pdf": PAPER})
    assert (told.verdict, [one.signer.name for one in told.signers]) == ("valid", ["Nguyễn Thị Ánh", "Trưởng khoa"])
    assert [one.where for one in told.signers] == ["Signature", "Signature / CounterSignature 1"]


def test_a_countersignature_may_be_countersigned(
    root: Authority, issuing: Authority, key: MemoryKey, judged: Judge
) -> None:
    head, director = issuing.issue("Trưởng khoa"), issuing.issue("Giám đốc")
    signed = countersigned(xades.sign(XML, key), head)
    judged(signed)
    inner = [one.get("Id") or "" for one in etree.fromstring(signed).iter(SIGNATURE)][1]
    signed = countersigned(signed, director, inner)
    told = validate(signed, Trust([root.certificate]))
    assert (told.verdict, [one.signer.name for one in told.signers]) == (
        "valid",
        ["Nguyễn Thị Ánh", "Trưởng khoa", "Giám đốc"],
    )
    assert told.data == XML
    spoiled = signed.replace(signed[signed.rindex(b"<SignatureValue") :][:120], b"", 1)
    assert validate(spoiled, Trust([root.certificate])).verdict == "invalid"


def test_a_countersignature_moved_to_another_signature_is_refused(
    root: Authority, issuing: Authority, key: MemoryKey
) -> None:
    head = issuing.issue("Trưởng khoa")
    one, other = xades.sign(XML, key), xades.sign(XML.replace("Đặng".encode(), b"Le"), key)
    unsigned = countersigned(one, head)
    start, end = unsigned.index(b"<xades:UnsignedProperties"), unsigned.rindex(b"</xades:QualifyingProperties>")
    moved = other.replace(b"</xades:QualifyingProperties>", unsigned[start:end] + b"</xades:QualifyingProperties>", 1)
    assert validate(other, Trust([root.certificate])).verdict == "valid"
    assert reasons(validate(moved, Trust([root.certificate]))) == {5081}


@pytest.mark.parametrize("countersigns", [False, True])
def test_joint_signatures_and_the_seal(countersigns: bool, root: Authority, issuing: Authority, key: MemoryKey) -> None:
    head, seal = issuing.issue("Trưởng khoa"), issuing.issue("Bệnh viện Thử")
    xml, now = XML, datetime.now(UTC)
    for holder, role in ((key, "treating_doctor"), (head, "head_of_department")):
        prepared = joint.prepare(xml, holder.chain[0], now, role=role, countersigns=countersigns)
        xml = joint.finish(prepared, holder.sign(prepared.to_be_signed), holder.chain)
    told = validate(joint.seal(xml, seal), Trust([root.certificate]))
    assert (told.verdict, told.data) == ("valid", XML)
    assert [one.signer.name for one in told.signers] == ["Nguyễn Thị Ánh", "Trưởng khoa", "Bệnh viện Thử"]
    confirmed = [[c.part.split(" ")[0] for c in one.covers] for one in told.signers]
    assert confirmed == [["document"], ["document", "signature"] if countersigns else ["document"], ["document"]]


def test_whoever_countersigns_falls_with_what_was_countersigned(
    root: Authority, issuing: Authority, key: MemoryKey
) -> None:
    head = issuing.issue("Trưởng khoa")
    first = xades.sign(XML, key, parallel=True)
    name = etree.fromstring(first).find(SIGNATURE).get("Id")  # type: ignore[union-attr]
    both = xades.sign(first, head, parallel=True, confirms=[str(name)])
    start, end = first.index(b"<Signature "), first.index(b"</Signature>") + len(b"</Signature>")
    alone = both.replace(first[start:end], b"", 1)
    assert reasons(validate(alone, Trust([root.certificate]))) == {5081}
    with pytest.raises(DocumentUnsignable):
        xades.sign(XML, head, parallel=True, confirms=[str(name)])


@pytest.mark.parametrize("plain", [False, True])
def test_canonical_form_over_a_file(plain: bool, root: Authority, key: MemoryKey, tmp_path: Path) -> None:
    """As other people's software signs XML beside it: white space inside tags is no content then."""
    prepared = xades.prepare_detached([xades.File("a.xml", XML)], key.chain[0], plain=plain)
    step = '<Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms>'
    exclusive = XML.replace(b' xmlns:v="urn:v"', b"")
    again = xades.prepare_detached([xades.File("a.xml", exclusive)], key.chain[0], plain=plain, at=datetime.now(UTC))
    info = again.to_be_signed.replace(b'URI="a.xml"><Digest', f'URI="a.xml">{step}<Digest'.encode())
    assert info != again.to_be_signed
    written = xades.Prepared(**{**again.__dict__, "to_be_signed": info})
    signed = xades.inject(written, key.sign(info), key.chain)
    trust = Trust([root.certificate])
    told = validate(signed, trust, files={"a.xml": XML.replace(b"<a>", b"<a >")})
    assert (told.verdict, told.covers[0].data) == ("valid", exclusive)
    assert reasons(validate(signed, trust, files={"a.xml": b"<r>"})) == {5084}
    assert reasons(validate(signed, trust, files={"a.xml": XML.replace(b"<a>", b"<a><!-- x -->")})) == {5084}
    assert prepared.certificate_sha256 == again.certificate_sha256
