"""A XAdES signature leaves every byte outside it alone, whatever the document, and says what was claimed."""

from __future__ import annotations

import hashlib
import pickle
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from signing import xades, xades_tree, xml_parts, xmldsig
from signing.algorithms import ALGORITHMS
from signing.faults import CertificateOutOfDate, DocumentUnsignable, KeyUnsuitable
from signing.testing import Authority, MemoryKey, new_rsa_key
from signing.xades import Prepared
from signing.xades_properties import XADES, Claims, Commitment, ProductionPlace
from tests.unit.signing.conftest import Judge
from tests.unit.signing.test_xmldsig import BESIDE, INSIDE

DS = {"ds": xmldsig.NAMESPACE, "xades": XADES}
SIGNATURE = re.compile(
    rb'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="S-[0-9a-f]{16}">.*?</Signature>', re.S
)
"""Not for counter-signatures."""
CLAIMS = Claims(
    ("Bác sĩ chuyên khoa II", "Trưởng khoa <Nội> & 'Nhi' \"A\"\r\n"),
    ProductionPlace("Hà Nội", "1 phố Thử", "Hà Nội", "100000", "VN"),
    Commitment.APPROVAL,
)


def alone(signed: bytes, number: int) -> bytes:
    """Take out all signatures but one."""
    found = [match.span() for match in SIGNATURE.finditer(signed)]
    for position, (start, end) in reversed(list(enumerate(found))):
        if position != number:
            signed = signed[:start] + signed[end:]
    return signed


def test_claims_are_signed(root: Authority, key: MemoryKey) -> None:
    at = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
    late = Authority.issue(root, "Sớm", private_key=key.private_key, not_before=at, not_after=at + timedelta(days=1))
    prepared = xades.prepare("<r>ế</r>".encode(), late.chain[0], claims=CLAIMS, at=at, mime_type="application/xml")
    signed = xades.inject(prepared, key.sign(prepared.to_be_signed), late.chain)
    properties = etree.fromstring(signed).find(".//xades:SignedProperties", DS)
    assert properties is not None

    def text(path: str) -> list[str | None]:
        return [element.text for element in properties.iterfind(f".//xades:{path}", DS)]

    assert text("SigningTime") == ["2026-11-25T07:30:00Z"]
    assert text("ClaimedRole") == list(CLAIMS.roles)
    assert text("City") + text("CountryName") == ["Hà Nội", "VN"]
    assert text("CommitmentTypeId/xades:Identifier") == [Commitment.APPROVAL.value]
    assert text("MimeType") == ["application/xml"]
    assert text("CertDigest/ds:DigestValue") == [properties.findtext(".//xades:CertDigest/ds:DigestValue", None, DS)]
    digest = b64decode(properties.findtext(".//xades:CertDigest/ds:DigestValue", "", DS))
    assert digest == late.chain[0].fingerprint(hashes.SHA256())
    described = properties.find(".//xades:DataObjectFormat", DS)
    assert described is not None
    reference = etree.fromstring(signed).xpath("//*[@Id=$id]", id=str(described.get("ObjectReference"))[1:])
    assert isinstance(reference, list)
    assert reference[0].get("URI") == ""  # type: ignore[union-attr]


def test_texts_are_composed(key: MemoryKey, judged: Judge) -> None:
    signed = xades.sign(b"<r/>", key, claims=Claims(("Ba\u0301c si\u0303",)))
    assert "<xades:ClaimedRole>Bác sĩ<".encode() in signed
    judged(signed)


@pytest.mark.parametrize("text", ["\x00", "\x1b", "\ud800", "\uffff"])
def test_text_that_xml_cannot_hold_is_refused(text: str, key: MemoryKey) -> None:
    with pytest.raises(DocumentUnsignable):
        xades.sign(b"<r/>", key, claims=Claims((text,)))


def test_nothing_claimed_says_nothing(judged: Judge, key: MemoryKey) -> None:
    properties = judged(xades.sign(b"<r/>", key))
    assert [etree.QName(element).localname for element in properties] == ["SigningTime", "SigningCertificateV2"]


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("place", [None, "CHUKYDONVI"])
def test_bytes_around_the_signature_are_the_input(
    place: str | None, parallel: bool, judged: Judge, key: MemoryKey
) -> None:
    place_and_text = "<v:CHUKYDONVI></v:CHUKYDONVI><!-- x --><b>ổ</b>"
    xml = f'\ufeff<?xml version="1.0"?>\r\n<v:r xmlns:v="urn:v"\n>{place_and_text}</v:r >\n'.encode()
    signed = xades.sign(xml, key, place=place, parallel=parallel, claims=CLAIMS)
    assert SIGNATURE.sub(b"", signed) == xml
    judged(signed)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=BESIDE,
    inside=st.one_of(st.none(), INSIDE),
    after=BESIDE,
    prefix=st.sampled_from(["", "ds", "xades", "xml1"]),
    namespace=st.sampled_from(["", "urn:hl7-org:v3", xmldsig.NAMESPACE, XADES]),
    roles=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\uffff\ufffe"))),
)
def test_any_document_keeps_its_bytes_and_verifies(
    before: str,
    inside: str | None,
    after: str,
    prefix: str,
    namespace: str,
    roles: list[str],
    root: Authority,
    judged: Judge,
    key: MemoryKey,
) -> None:
    declaration = f" xmlns{':' * bool(prefix)}{prefix}='{namespace}'" if namespace else ""
    name = f"{prefix}:r" if prefix and namespace else "r"
    content = (inside or "").replace("<r b", f"<{name} b").replace("</r>", f"</{name}>")
    whole = f"{before.lstrip()}<{name}{declaration}>{content}</{name}>{after}".encode()
    assume(not xml_parts.comment_in_text(etree.fromstring(whole)))
    signed = xades.sign(whole, key, claims=Claims(tuple(roles)), parallel=True)
    signed = xades.sign(signed, key, parallel=True)
    assert SIGNATURE.sub(b"", signed) == whole
    # signxml leaves instructions beside the root out of the hash, and writes those inside in ASCII before it hashes
    if "<?p" not in before + after and not ("<?p" in content and "Đ" in content):
        judged(alone(signed, 0))
        judged(alone(signed, 1))


def signed_with(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, prepared: Prepared) -> bytes:
    """Sign as a device would that knows cryptography but not us."""
    algorithm = ALGORITHMS[prepared.algorithm]
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = (private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(private.sign(prepared.to_be_signed, ec.ECDSA(algorithm.hash)))
        return r.to_bytes(size) + s.to_bytes(size)
    pss = padding.PSS(padding.MGF1(algorithm.hash), algorithm.hash.digest_size)
    return private.sign(prepared.to_be_signed, pss if algorithm.scheme == "pss" else padding.PKCS1v15(), algorithm.hash)


def elliptic(root: Authority, curve: ec.EllipticCurve) -> tuple[ec.EllipticCurvePrivateKey, MemoryKey]:
    private = ec.generate_private_key(curve)
    holder = root.issue("Đường cong", private_key=private)  # type: ignore[arg-type]
    return private, holder


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm(name: str, root: Authority, judged: Judge, key: MemoryKey) -> None:
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = key.private_key
    chain = key.chain
    if name.startswith("ES"):
        private, holder = elliptic(root, ec.SECP256R1() if name == "ES256" else ec.SECP384R1())
        chain = holder.chain
    prepared = xades.prepare(b"<r>4.50</r>", chain[0], algorithm=name)
    assert prepared.digest == hashlib.new(f"sha{name[2:]}", prepared.to_be_signed).digest()
    signed = xades.inject(prepared, signed_with(private, prepared), chain)
    assert signed.count(f"sha{name[2:]}".encode()) >= 4  # method, two references, certificate
    judged(signed)


def test_algorithm_must_fit_the_key(root: Authority, key: MemoryKey) -> None:
    for name in ("ES256", "RS1", "HS256", "none"):
        with pytest.raises(KeyUnsuitable):
            xades.prepare(b"<r/>", key.chain[0], algorithm=name)
    _, holder = elliptic(root, ec.SECP384R1())
    with pytest.raises(KeyUnsuitable):
        xades.prepare(b"<r/>", holder.chain[0], algorithm="ES256")
    assert xades.prepare(b"<r/>", holder.chain[0]).algorithm == "ES384"


def test_weak_keys_are_refused(root: Authority) -> None:
    weak = root.issue("Yếu", private_key=new_rsa_key(1024))
    with pytest.raises(KeyUnsuitable, match="1024"):
        xades.sign(b"<r/>", weak)
    _, holder = elliptic(root, ec.SECP256K1())
    with pytest.raises(KeyUnsuitable, match="secp256k1"):
        xades.prepare(b"<r/>", holder.chain[0])


@pytest.mark.parametrize("days", [(-20, -10), (10, 20)])
def test_certificate_out_of_date_is_refused(days: tuple[int, int], issuing: Authority, key: MemoryKey) -> None:
    first, last = (datetime.now(UTC) + timedelta(days=offset) for offset in days)
    late = issuing.issue("Trễ", private_key=key.private_key, not_before=first, not_after=last)
    with pytest.raises(CertificateOutOfDate):
        xades.sign(b"<r/>", late)


def test_two_phases_may_be_apart(judged: Judge, key: MemoryKey) -> None:
    prepared = pickle.loads(pickle.dumps(xades.prepare("<r>Huỳnh</r>".encode(), key.chain[0])))
    assert "Huỳnh" not in repr(prepared)
    judged(xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain))


def test_wrong_pair_is_refused(key: MemoryKey, issuing: Authority) -> None:
    prepared = xades.prepare(b"<r/>", key.chain[0])
    stranger = issuing.issue("Khác")
    renewed = issuing.issue("Gia hạn", private_key=key.private_key)
    for value, chain in (
        (stranger.sign(prepared.to_be_signed), key.chain),
        (stranger.sign(prepared.to_be_signed), stranger.chain),
        (key.sign(prepared.to_be_signed), renewed.chain),
        (key.sign(prepared.to_be_signed), ()),
    ):
        with pytest.raises(KeyUnsuitable):
            xades.inject(prepared, value, chain)


def test_same_input_gives_the_same_bytes(key: MemoryKey) -> None:
    at = datetime.now(UTC)
    first, second = (xades.prepare(b"<r/>", key.chain[0], at=at, claims=CLAIMS) for _ in range(2))
    assert first == second
    taken = f"<r Id='{first.signature_id}'/>".encode()
    assert xades.prepare(taken, key.chain[0], at=at).signature_id.encode() not in taken


DOCUMENT = "<?xml version='1.0'?>\n<r xmlns:xsi='urn:x'><a>Đặng</a>\n <CHUKYDONVI/>\n<b>{}</b></r>\n".format("x" * 50)


def test_parallel_signatures_cover_the_same_bytes(judged: Judge, key: MemoryKey, issuing: Authority) -> None:
    people = [key, issuing.issue("Trưởng khoa"), issuing.issue("Bệnh viện")]
    places = [None, "CHUKYDONVI", "CHUKYDONVI"]
    signed = DOCUMENT.encode()
    for person, place in zip(people, places, strict=True):
        signed = xades.sign(signed, person, place=place, parallel=True)
    assert SIGNATURE.sub(b"", signed) == DOCUMENT.replace("<CHUKYDONVI/>", "<CHUKYDONVI></CHUKYDONVI>").encode()
    digests = set()
    for number in range(3):
        one = alone(signed, number)
        judged(one)
        digests.add(etree.fromstring(one).findtext(".//ds:Reference[@URI='']/ds:DigestValue", None, DS))
    assert len(digests) == 1
    with pytest.raises(Exception, match="Digest mismatch"):
        judged(alone(signed, 0).replace("Đặng".encode(), b"x"))


def test_second_signature_is_refused_when_the_first_would_break(key: MemoryKey) -> None:
    for first in (xades.sign(DOCUMENT.encode(), key), xmldsig.sign(DOCUMENT.encode(), key)):
        for parallel in (False, True):
            with pytest.raises(DocumentUnsignable, match="signed already"):
                xades.sign(first, key, parallel=parallel)
    parallel_first = xades.sign(DOCUMENT.encode(), key, parallel=True)
    with pytest.raises(DocumentUnsignable, match="signed already"):
        xades.sign(parallel_first, key)
    other_filter = parallel_first.replace(b"/*/*/*[", b"/*/*/a[")
    with pytest.raises(DocumentUnsignable, match="signed already"):
        xades.sign(other_filter, key, parallel=True)


@pytest.mark.parametrize("inside", ["x", "<a/>", "x<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/>"])
def test_place_that_holds_something_else_is_refused(inside: str, key: MemoryKey) -> None:
    xml = f"<r><CHUKYDONVI>{inside}</CHUKYDONVI></r>".encode()
    with pytest.raises(DocumentUnsignable):
        xades.sign(xml, key, place="CHUKYDONVI", parallel=True)


def test_seal_confirms_the_signatures_before_it(root: Authority, key: MemoryKey, issuing: Authority) -> None:
    doctor = xades.sign(DOCUMENT.encode(), key, parallel=True)
    name = xades_tree.find_signature(etree.fromstring(doctor)).get("Id")
    sealed = xades.sign(doctor, issuing.issue("Bệnh viện"), parallel=True, confirms=[name or ""])
    reference = etree.fromstring(sealed).find(f".//ds:Reference[@Type='{xades.COUNTERSIGNED}']", DS)
    assert reference is not None
    assert reference.get("URI") == f"#{name}-value"
    assert sealed.startswith(doctor[: doctor.index(b"</Signature>")])
    with pytest.raises(DocumentUnsignable):
        xades.sign(doctor, key, parallel=True, confirms=["S-nobody"])


def test_countersignature_stands_in_what_it_confirms(judged: Judge, key: MemoryKey, issuing: Authority) -> None:
    signed = xades.sign(DOCUMENT.encode(), key, claims=CLAIMS)
    head = issuing.issue("Trưởng khoa")
    prepared = xades.prepare_countersignature(signed, head.chain[0], claims=Claims(("Trưởng khoa",)))
    both = xades.inject(prepared, head.sign(prepared.to_be_signed), head.chain)
    position = signed.index(b"</xades:QualifyingProperties>")
    assert (both[:position], both[-len(signed) + position :]) == (signed[:position], signed[position:])
    judged(both)
    judged(both, location=f".//{{{XADES}}}CounterSignature/")
    again = xades.prepare_countersignature(both, key.chain[0])
    judged(third := xades.inject(again, key.sign(again.to_be_signed), key.chain))
    assert len(etree.fromstring(third).findall(".//xades:UnsignedSignatureProperties/xades:CounterSignature", DS)) == 2
    of_the_head = xades.prepare_countersignature(both, key.chain[0], prepared.signature_id)
    deep = xades.inject(of_the_head, key.sign(of_the_head.to_be_signed), key.chain)
    nested = etree.fromstring(deep).findall(".//xades:CounterSignature//xades:CounterSignature", DS)
    assert len(nested) == 1
    judged(deep, location=f".//{{{XADES}}}CounterSignature//{{{XADES}}}CounterSignature/")


def test_countersignature_needs_one_that_can_be_named(key: MemoryKey) -> None:
    for xml in (b"<r/>", xmldsig.sign(b"<r/>", key)):
        with pytest.raises(DocumentUnsignable):
            xades.prepare_countersignature(xml, key.chain[0])
    two = xades.sign(xades.sign(b"<r/>", key, parallel=True), key, parallel=True)
    with pytest.raises(DocumentUnsignable, match="2 signatures"):
        xades.prepare_countersignature(two, key.chain[0])


def test_detached_over_files(judged: Judge, key: MemoryKey) -> None:
    files = {"BA 01&'.pdf": b"%PDF-1.7", "sub/anh.dcm": b"\x00\x01"}
    given_ = [xades.File(uri, data, "application/pdf") for uri, data in files.items()]
    prepared = xades.prepare_detached(given_, key.chain[0], claims=CLAIMS)
    signed = xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    config = XAdESSignatureConfiguration(expect_references=3, location="./")
    XAdESVerifier().verify(signed, ca_pem_file=judged.roots, expect_config=config, uri_resolver=files.__getitem__)
    changed = files | {"sub/anh.dcm": b"\x00\x02"}
    with pytest.raises(Exception, match="Digest mismatch"):
        XAdESVerifier().verify(signed, ca_pem_file=judged.roots, expect_config=config, uri_resolver=changed.__getitem__)
    for bad in ([], [xades.File("", b"")], [xades.File("#a", b"")]):
        with pytest.raises(DocumentUnsignable):
            xades.prepare_detached(bad, key.chain[0])


PARTS = (
    '<r xmlns:v="urn:v" xmlns:xsi="urn:x"><a Id="one"><b xsi:type="v:CD">Đặng</b></a>\n<a id="two"/><CHUKYDONVI Id="three"/>'
    '<c><d Id="four"/></c><e Id="five"/><e Id="five"/></r>'
)


def test_part_of_the_document(judged: Judge, key: MemoryKey, issuing: Authority) -> None:
    signed = xades.sign(PARTS.encode(), key, parts=["one"])
    signed = xades.sign(signed, issuing.issue("Bệnh viện"), parts=["two"], place="CHUKYDONVI")
    assert SIGNATURE.sub(b"", signed) == PARTS.replace('"three"/>', '"three"></CHUKYDONVI>').encode()
    for number in (0, 1):
        judged(alone(signed, number))
    with pytest.raises(Exception, match="Digest mismatch"):
        judged(alone(signed, 1).replace("Đặng".encode(), b"x"))
    signed = xades.sign(signed, key, parallel=True)
    with pytest.raises(DocumentUnsignable, match="signed already"):
        xades.sign(signed, key)


@pytest.mark.parametrize(
    ("part", "xml"),
    [
        ("none", PARTS),
        ("four", PARTS),
        ("five", PARTS),
        ("three", PARTS),
        ("one", PARTS.replace("<r ", "<r xml:lang='vi' ")),
        ("a'b", '<r><CHUKYDONVI/><a Id="a\'b"/></r>'),
    ],
)
def test_part_that_cannot_be_told_apart_is_refused(part: str, xml: str, key: MemoryKey) -> None:
    with pytest.raises(DocumentUnsignable):
        xades.sign(xml.encode(), key, parts=[part], place="CHUKYDONVI")
