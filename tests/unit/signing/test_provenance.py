"""Provenance with a signature: several in one document under the Bundle's own, or one beside it; every change is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mappings.fhir import require_valid
from signing import jws, provenance
from signing.faults import DocumentUnsignable
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate
from signing.verdict import DOCUMENT, Report
from signing.verify_provenance import COMPOSED

OWN = "https://lienthong.vn/fhir"
DOCTOR = {"reference": f"{OWN}/Practitioner/p1", "display": "Nguyễn Thị Ánh"}
FACILITY = {"reference": f"{OWN}/Organization/o1", "display": "Bệnh viện Thử"}
DOCUMENT_BUNDLE = (
    f'{{"resourceType":"Bundle","type":"document","identifier":{{"system":"urn:s","value":"7"}},"entry":[{{"fullUrl":"{OWN}/'
    'Composition/7","resource":{"resourceType":"Composition","id":"7"}},{"resource":{"resourceType":"Observation",'
    '"valueQuantity":{"value":4.50}}}]}'
).encode()


def made(
    key: MemoryKey, document: bytes = DOCUMENT_BUNDLE, who: dict[str, str] = DOCTOR, **more: Any
) -> dict[str, Any]:
    prepared = provenance.prepare(document, key.chain, at=datetime.now(UTC), who=who, **more)
    value: dict[str, Any] = json.loads(jws.inject(prepared, key.sign(prepared.to_be_signed, prepared.algorithm)))
    return value


def with_entries(*resources: dict[str, Any]) -> bytes:
    """Put them into the document without another word of it changed."""
    more = b"".join(b"," + json.dumps({"resource": one}, ensure_ascii=False).encode() for one in resources)
    return DOCUMENT_BUNDLE[:-2] + more + b"]}"


def judged(data: bytes, root: Authority, **files: bytes) -> Report:
    return validate(data, Trust([root.certificate]), files=files)


def test_it_says_who_what_and_why(key: MemoryKey) -> None:
    one = made(key, role="author", purpose=jws.AUTHOR, identifier="x1")
    require_valid(one)
    assert one["target"] == [
        {"type": "Composition", "reference": f"{OWN}/Composition/7", "identifier": {"system": "urn:s", "value": "7"}}
    ]
    assert one["agent"][0]["who"] == one["signature"][0]["who"] == DOCTOR
    assert one["agent"][0]["type"]["coding"][0]["code"] == "author"
    assert one["recorded"] == one["signature"][0]["when"]
    assert one["signature"][0]["type"][0]["system"] == "urn:iso-astm:E1762-95:2013"
    assert one["signature"][0]["sigFormat"] == "application/jose"


@pytest.mark.parametrize("canonical", jws.CANONICAL_FORMS)
def test_people_sign_in_any_order_and_the_seal_covers_all(
    canonical: str, key: MemoryKey, issuing: Authority, root: Authority
) -> None:
    head, seal = issuing.issue("Trưởng khoa"), issuing.issue("Bệnh viện Thử")
    first = made(key, canonical=canonical)
    second = made(head, with_entries(first), who={"display": "Trưởng khoa"}, canonical=canonical)
    both = with_entries(second, first)
    told = judged(both, root)
    assert (told.verdict, told.reasons) == ("valid", ())
    assert [one.signer.name for one in told.signers] == ["Trưởng khoa", "Nguyễn Thị Ánh"]
    assert [one.part for one in told.covers] == [DOCUMENT]
    whole = jws.sign(both, seal, who=FACILITY)
    told = judged(whole, root)
    assert (told.verdict, [one.where for one in told.signers]) == (
        "valid",
        ["Bundle.signature", "Provenance 1.signature", "Provenance 2.signature"],
    )
    assert [one.part for one in told.covers] == [DOCUMENT, COMPOSED]
    assert b"4.50" in (told.data or b"")


def test_apart_from_its_document(key: MemoryKey, root: Authority, issuing: Authority) -> None:
    alone = json.dumps(made(key)).encode()
    assert judged(alone, root, **{"paper.json": DOCUMENT_BUNDLE}).verdict == "valid"
    sealed = jws.sign(DOCUMENT_BUNDLE, issuing.issue("Bệnh viện Thử"), who=FACILITY)
    told = judged(alone, root, **{"other.json": b'{"resourceType":"Bundle"}', "sealed.json": sealed})
    assert (told.verdict, [one.part for one in told.covers]) == ("valid", ["sealed.json"])
    assert [one.code for one in judged(alone, root).reasons] == [5081]
    another = DOCUMENT_BUNDLE.replace(b'"7"}', b'"8"}')
    assert [one.code for one in judged(alone, root, **{"paper.json": another}).reasons] == [5081]
    changed = DOCUMENT_BUNDLE.replace(b"4.50", b"4.60")
    assert [one.code for one in judged(alone, root, **{"paper.json": changed}).reasons] == [5089]
    digit = DOCUMENT_BUNDLE.replace(b"4.50", b"4.5")
    assert [one.code for one in judged(alone, root, **{"paper.json": digit}).reasons] == [5088]


def test_a_server_may_name_the_version(key: MemoryKey, root: Authority) -> None:
    stored = DOCUMENT_BUNDLE.replace(
        b'"identifier":{"system":"urn:s","value":"7"}', b'"id":"b1","meta":{"versionId":"2"}'
    )
    one = made(key, stored)
    assert judged(json.dumps(one).encode(), root, **{"b.json": stored}).verdict == "valid"


Edit = Callable[[dict[str, Any]], object]
EDITS: dict[str, Edit] = {
    "role": lambda p: p["agent"][0]["type"]["coding"][0].update(code="legal"),
    "who, in both places": lambda p: (p["agent"][0].update(who=FACILITY), p["signature"][0].update(who=FACILITY)),
    "who of the agent": lambda p: p["agent"][0].update(who=FACILITY),
    "another agent": lambda p: p["agent"].append({"who": FACILITY}),
    "no agent": lambda p: p.pop("agent"),
    "recorded": lambda p: p.update(recorded="2026-01-01T00:00:00Z"),
    "when": lambda p: p["signature"][0].update(when="2026-01-01T00:00:00Z"),
    "purpose": lambda p: p["signature"][0]["type"][0].update(code=jws.AUTHOR.code),
    "reason": lambda p: p.update(reason=[{"text": "x"}]),
    "target": lambda p: p["target"][0].update(identifier={"value": "8"}),
    "two targets": lambda p: p["target"].append({"reference": "Patient/1"}),
    "two signatures": lambda p: p["signature"].append(dict(p["signature"][0])),
    "no signature in the list": lambda p: p.update(signature=[]),
    "another format": lambda p: p["signature"][0].update(sigFormat="application/signature+xml"),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("apart", [False, True])
def test_a_change_of_what_it_says_is_found(name: str, apart: bool, key: MemoryKey, root: Authority) -> None:
    one = made(key)
    EDITS[name](one)
    told = judged(json.dumps(one).encode(), root, d=DOCUMENT_BUNDLE) if apart else judged(with_entries(one), root)
    assert (told.verdict, told.covers) == ("invalid", ())


def test_a_stranger_in_the_document_makes_it_invalid(key: MemoryKey, issuing: Authority, root: Authority) -> None:
    seal = issuing.issue("Bệnh viện Thử")
    stranger = Authority.root().issue("Lạ")
    assert judged(jws.sign(with_entries(made(stranger)), seal, who=FACILITY), root).verdict == "invalid"
    plain = b'{"resource": {"resourceType": "Prov'
    stray = with_entries(made(key)).replace(plain, plain.replace(b"{", b'{"search": {}, ', 1))
    assert [one.code for one in judged(stray, root).reasons] == [5087]
    later = jws.sign(DOCUMENT_BUNDLE, seal, who=FACILITY)
    added = later.replace(b'],"signature"', b"," + json.dumps({"resource": made(key)}).encode() + b'],"signature"')
    assert judged(added, root).verdict == "invalid", "the seal is over the entries that were there"


def test_only_documents_are_signed_so(key: MemoryKey) -> None:
    for other in (b"{}", b'{"resourceType":"Bundle"}', b'{"resourceType":"Patient","entry":[{}]}', b"[]", b"<a/>"):
        with pytest.raises(DocumentUnsignable):
            made(key, other)
