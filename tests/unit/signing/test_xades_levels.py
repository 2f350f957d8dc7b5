"""Each level puts bytes in and takes none away; what was signed and stamped before stays so."""

from __future__ import annotations

import hashlib
import itertools
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from signing import timestamp_token, xades, xades_levels, xades_tree, xmldsig
from signing.evidence import Evidence
from signing.faults import DocumentUnsignable, TimestampInvalid
from signing.testing import Authority, MemoryKey
from signing.xades_levels import XADES141
from signing.xades_properties import XADES
from tests.tsa import Tsa
from tests.unit.signing.conftest import Judge

NS = {"ds": xmldsig.NAMESPACE, "xades": XADES, "xades141": XADES141}
DOCUMENT = '<?xml version="1.0"?>\n<r xmlns="urn:hl7-org:v3">Đặng<CHUKYDONVI/></r>\n'.encode()


@pytest.fixture(scope="module")
def tsa(issuing: Authority) -> Tsa:
    return Tsa.of(issuing)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def response(issuer: Authority, certificate: x509.Certificate, at: datetime | None = None) -> bytes:
    now = at or datetime.now(UTC)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA256(),
        cert_status=ocsp.OCSPCertStatus.GOOD,
        this_update=now,
        next_update=now + timedelta(days=1),
        revocation_time=None,
        revocation_reason=None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    return builder.sign(issuer.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl(issuer: Authority) -> bytes:
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now).next_update(now + timedelta(days=1))
    return builder.sign(issuer.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def evidence(root: Authority, issuing: Authority, key: MemoryKey) -> Evidence:
    chain = tuple(der(certificate) for certificate in (*key.chain, root.certificate))
    return Evidence(chain, (response(issuing, key.chain[0]),), (crl(root),))


def only_insertion(before: bytes, after: bytes) -> bool:
    """Tell whether `after` is `before` with one piece put in."""
    common = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return len(after) > len(before) and after.endswith(before[common:])


def stamped(xml: bytes, tsa: Tsa, name: str = "") -> bytes:
    return xades_levels.with_timestamp(xml, tsa.token(xades_levels.timestamp_data(xml, name)), name)


def archived(xml: bytes, tsa: Tsa, name: str = "") -> bytes:
    return xades_levels.with_archive_timestamp(xml, tsa.token(xades_levels.archive_timestamp_data(xml, name)), name)


def properties(xml: bytes) -> list[str]:
    found = etree.fromstring(xml).find(".//xades:UnsignedSignatureProperties", NS)
    return [] if found is None else [etree.QName(element).localname for element in found]


@pytest.mark.parametrize("parallel", [False, True])
def test_all_levels(
    parallel: bool, root: Authority, issuing: Authority, key: MemoryKey, tsa: Tsa, evidence: Evidence, judged: Judge
) -> None:
    steps = [xades.sign(DOCUMENT, key, parallel=parallel)]
    steps.append(stamped(steps[-1], tsa))
    steps.append(xades_levels.with_values(steps[-1], evidence))
    steps.append(archived(steps[-1], tsa))
    about_tsa = Evidence((der(tsa.certificate), *evidence.certificates), (response(issuing, tsa.certificate),))
    steps.append(xades_levels.with_values(steps[-1], about_tsa))
    steps.append(archived(steps[-1], tsa))
    for earlier, later in itertools.pairwise(steps):
        assert only_insertion(earlier, later)
        judged(later)
    assert properties(steps[-1]) == [
        "SignatureTimeStamp",
        "CertificateValues",
        "RevocationValues",
        "ArchiveTimeStamp",
        "TimeStampValidationData",
        "ArchiveTimeStamp",
    ]


def test_values_are_the_evidence(key: MemoryKey, root: Authority, tsa: Tsa, evidence: Evidence) -> None:
    signed = xades_levels.with_values(stamped(xades.sign(DOCUMENT, key), tsa), evidence)

    def values(name: str) -> tuple[bytes, ...]:
        return tuple(b64decode(e.text or "") for e in etree.fromstring(signed).iterfind(f".//xades:{name}", NS))

    assert values("EncapsulatedX509Certificate") == (der(root.certificate),)  # the others stand in KeyInfo
    assert values("EncapsulatedOCSPValue") == evidence.ocsp_responses
    assert values("EncapsulatedCRLValue") == evidence.crls
    assert xades_levels.with_values(signed, evidence) == signed
    assert xades_levels.with_values(signed, Evidence()) == signed


def test_time_stamp_is_over_the_signature_value(key: MemoryKey, tsa: Tsa) -> None:
    signed = stamped(xades.sign(DOCUMENT, key), tsa)
    value = etree.fromstring(signed).find(".//ds:SignatureValue", NS)
    assert value is not None
    token = etree.fromstring(signed).findtext(".//xades:SignatureTimeStamp/xades:EncapsulatedTimeStamp", "", NS)
    expected = f'<SignatureValue xmlns="{xmldsig.NAMESPACE}" Id="{value.get("Id")}">{value.text}</SignatureValue>'
    timestamp_token.require_imprint(timestamp_token.read(b64decode(token)), expected.encode())


def test_archive_time_stamp_is_over_everything_in_order(key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    """The parts in the order of EN 319 132-1 §5.5.2.2, put together from the text."""
    signed = xades_levels.with_values(stamped(xades.sign(DOCUMENT, key), tsa), evidence).decode()
    value, xml = f' xmlns="{xmldsig.NAMESPACE}"', f' xmlns:xades="{XADES}"'

    def part(name: str) -> str:
        match = re.search(f"<{name}[ >].*?</{name}>", signed)
        assert match is not None
        return match[0]

    def declared(text: str, name: str, declaration: str) -> str:
        return text if declaration in text.split(">")[0] else text.replace(f"<{name}", f"<{name}{declaration}", 1)

    document = '<r xmlns="urn:hl7-org:v3">Đặng<CHUKYDONVI></CHUKYDONVI></r>'
    stamp = part("xades:SignatureTimeStamp")
    method = re.search("<CanonicalizationMethod[^>]*/>", stamp)
    assert method is not None
    parts = [
        document,
        part("xades:SignedProperties"),
        declared(part("SignedInfo"), "SignedInfo", value),
        declared(part("SignatureValue"), "SignatureValue", value),
        declared(part("KeyInfo"), "KeyInfo", value),
        stamp.replace(method[0], method[0][:-2] + "></CanonicalizationMethod>"),
        declared(part("xades:CertificateValues"), "xades:CertificateValues", xml),
        declared(part("xades:RevocationValues"), "xades:RevocationValues", xml),
    ]
    assert xades_levels.archive_timestamp_data(signed.encode()).decode() == "".join(parts)


def test_levels_of_parallel_signatures_do_not_touch_each_other(
    key: MemoryKey, issuing: Authority, tsa: Tsa, evidence: Evidence, judged: Judge
) -> None:
    signed = xades.sign(DOCUMENT, key, parallel=True)
    first = xades_tree.find_signature(etree.fromstring(signed)).get("Id") or ""
    signed = xades.sign(signed, issuing.issue("Bệnh viện"), place="CHUKYDONVI", parallel=True)
    with pytest.raises(DocumentUnsignable, match="2 signatures"):
        xades_levels.timestamp_data(signed)
    stamped_once = archived(xades_levels.with_values(stamped(signed, tsa, first), evidence, first), tsa, first)
    start, end = stamped_once.index(b"<CHUKYDONVI><Signature") + 12, stamped_once.index(b"</CHUKYDONVI>")
    judged(stamped_once[:start] + stamped_once[end:])  # the first alone
    whole = etree.fromstring(stamped_once)
    whole.remove(xades_tree.find_signature(whole, first))
    judged(etree.tostring(whole, encoding="unicode").encode())  # the second alone


def test_countersignature_gets_levels_of_its_own(
    key: MemoryKey, issuing: Authority, tsa: Tsa, evidence: Evidence, judged: Judge
) -> None:
    signed = stamped(xades.sign(DOCUMENT, key), tsa)
    outer = xades_tree.find_signature(etree.fromstring(signed)).get("Id") or ""
    head = issuing.issue("Trưởng khoa")
    prepared = xades.prepare_countersignature(signed, head.chain[0])
    both = xades.inject(prepared, head.sign(prepared.to_be_signed), head.chain)
    inner = prepared.signature_id
    grown = archived(xades_levels.with_values(stamped(both, tsa, inner), evidence, inner), tsa, inner)
    judged(grown)
    judged(grown, location=f".//{{{XADES}}}CounterSignature/")
    grown = archived(xades_levels.with_values(grown, evidence, outer), tsa, outer)
    judged(grown)
    assert properties(grown)[:2] == ["SignatureTimeStamp", "CounterSignature"]


def test_detached_signature_is_archived_with_its_files(key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    files = {"a.pdf": b"%PDF-1.7", "b": b"\x00"}
    prepared = xades.prepare_detached([xades.File(uri, data) for uri, data in files.items()], key.chain[0])
    signed = xades.inject(prepared, key.sign(prepared.to_be_signed), key.chain)
    signed = xades_levels.with_values(stamped(signed, tsa), evidence)
    data = xades_levels.archive_timestamp_data(signed, contents=files)
    assert data.startswith(b"%PDF-1.7\x00<xades:SignedProperties")
    xades_levels.with_archive_timestamp(signed, tsa.token(data), contents=files)
    with pytest.raises(DocumentUnsignable):
        xades_levels.archive_timestamp_data(signed)


def test_levels_come_in_order(key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    signed = xades.sign(DOCUMENT, key)
    with pytest.raises(DocumentUnsignable, match="SignatureTimeStamp"):
        xades_levels.with_values(signed, evidence)
    with pytest.raises(DocumentUnsignable, match="RevocationValues"):
        archived(stamped(signed, tsa), tsa)


def test_token_of_something_else_is_refused(key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    signed = xades.sign(DOCUMENT, key)
    with pytest.raises(TimestampInvalid):
        xades_levels.with_timestamp(signed, tsa.token(b"something else"))
    with_values = xades_levels.with_values(stamped(signed, tsa), evidence)
    with pytest.raises(TimestampInvalid):
        xades_levels.with_archive_timestamp(with_values, tsa.token(xades_levels.timestamp_data(with_values)))


@pytest.mark.parametrize("xml", [b"<r/>", b"text"])
def test_without_a_signature_there_is_nothing_to_stamp(xml: bytes) -> None:
    with pytest.raises(DocumentUnsignable):
        xades_levels.timestamp_data(xml)


def test_signature_that_another_covers_does_not_change(key: MemoryKey, tsa: Tsa) -> None:
    """Somebody else's plain signature over a document that carried ours already."""
    signed = xades.sign(DOCUMENT, key, parallel=True)
    ours = xades_tree.find_signature(etree.fromstring(signed)).get("Id") or ""
    hidden = xmldsig.sign(signed.replace(b"Signature", b"Sagnature"), key)
    covered = hidden.replace(b"Sagnature", b"Signature")
    with pytest.raises(DocumentUnsignable, match="would break"):
        stamped(covered, tsa, ours)


def test_confirmed_signature_may_still_grow(key: MemoryKey, issuing: Authority, tsa: Tsa) -> None:
    signed = xades.sign(DOCUMENT, key, parallel=True)
    name = xades_tree.find_signature(etree.fromstring(signed)).get("Id") or ""
    seal = issuing.issue("Bệnh viện")
    sealed = xades.sign(signed, seal, place="CHUKYDONVI", parallel=True, confirms=[name])
    grown = etree.fromstring(stamped(sealed, tsa, name))
    seal_of = grown.find("*/ds:Signature", NS)
    assert seal_of is not None
    reference = seal_of.find(f".//ds:Reference[@Type='{xades.COUNTERSIGNED}']/ds:DigestValue", NS)
    assert reference is not None
    assert b64decode(reference.text or "") == hashlib.sha256(xades_levels.timestamp_data(sealed, name)).digest()


def test_signature_among_the_content_does_not_change(key: MemoryKey, tsa: Tsa) -> None:
    """It stands deeper than where signatures may stand, so it is content to the one above."""
    inner = xades.sign(b"<a/>", key, parallel=True)
    name = xades_tree.find_signature(etree.fromstring(inner)).get("Id") or ""
    outer = xades.sign(b"<r><b>" + inner + b"</b></r>", key, parallel=True)
    with pytest.raises(DocumentUnsignable, match="would break"):
        stamped(outer, tsa, name)


def test_plain_signature_does_not_become_xades(key: MemoryKey, tsa: Tsa) -> None:
    with pytest.raises(DocumentUnsignable, match="not a XAdES signature"):
        stamped(xmldsig.sign(DOCUMENT, key), tsa)


TEXT = st.text(st.sampled_from("aĐ />\r\n\t'\""), max_size=8)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=TEXT,
    cdata=TEXT,
    comment=TEXT,
    tail=st.sampled_from(["", "\n", "<!-- </r> -->", "<?p </xades:QualifyingProperties>?>"]),
)
def test_levels_find_their_place_in_any_document(
    text: str, cdata: str, comment: str, tail: str, key: MemoryKey, tsa: Tsa, judged: Judge
) -> None:
    section = f"<d/><![CDATA[</Object>{cdata}]]><c/>"
    inside = f"<b a='&gt;'/>{text}<e/><!--{comment}</xades:QualifyingProperties>-->{section}"
    xml = f"\ufeff<r xmlns:xades='urn:other'>{inside}</r>{tail}".encode()
    signed = xades.sign(xml, key, parallel=True)
    grown = stamped(stamped(signed, tsa), tsa)
    assert only_insertion(signed, grown)
    if "<?p" not in tail:
        judged(grown)
    assert properties(grown) == ["SignatureTimeStamp", "SignatureTimeStamp"]


def test_empty_containers_of_others_are_opened(key: MemoryKey, tsa: Tsa) -> None:
    empty = f'<x:UnsignedProperties xmlns:x="{XADES}"><x:UnsignedSignatureProperties a="/>"\n/></x:UnsignedProperties>'
    signed = xades.sign(DOCUMENT, key).replace(
        b"</xades:QualifyingProperties>", empty.encode() + b"</xades:QualifyingProperties>"
    )
    grown = stamped(signed, tsa)
    assert b'<x:UnsignedSignatureProperties a="/>"\n><xades:SignatureTimeStamp' in grown
    assert b"</xades:SignatureTimeStamp></x:UnsignedSignatureProperties></x:UnsignedProperties>" in grown


def named(xml: bytes) -> list[str]:
    return [one.get("Id") or "" for one in xmldsig.parse_document(xml).iter(xmldsig.SIGNATURE)]


@pytest.mark.parametrize("level", ["B-T", "B-LT"])
@pytest.mark.parametrize("people", [1, 3])
def test_all_proofs_are_put_in_by_one_reading(
    level: str, people: int, issuing: Authority, key: MemoryKey, tsa: Tsa, evidence: Evidence
) -> None:
    xml = DOCUMENT
    for number in range(people):
        signer = key if not number else issuing.issue(f"Người {number}")
        xml = xades.sign(xml, signer, parallel=True)
    proofs = {}
    for name in named(xml):
        token = tsa.token(xades_levels.timestamp_data(xml, name)).der
        proofs[name] = (evidence + Evidence(timestamps=(token,))).within(level)
    whole = xades_levels.with_proofs(xml, proofs)
    assert whole == xades_levels._one_by_one(xml, proofs)
    assert whole.count(b"<xades:SignatureTimeStamp") == people
    later = {name: Evidence(crls=(b"a later list",)) for name in proofs}
    assert xades_levels.with_proofs(whole, later) == xades_levels._one_by_one(whole, later)
    assert xades_levels.with_proofs(whole, dict.fromkeys(proofs, Evidence())) == whole


def test_proofs_of_something_else_are_refused_in_one_reading(key: MemoryKey, tsa: Tsa, evidence: Evidence) -> None:
    xml = xades.sign(DOCUMENT, key, parallel=True)
    (name,) = named(xml)
    with pytest.raises(TimestampInvalid):
        xades_levels.with_proofs(xml, {name: Evidence(timestamps=(tsa.token(b"else").der,))})
    with pytest.raises(DocumentUnsignable):
        xades_levels.with_proofs(xml, {name: evidence})
    with pytest.raises(DocumentUnsignable):
        xades_levels.with_proofs(xml, {"nobody": evidence})
