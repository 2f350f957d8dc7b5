"""Envelopes of the data axis, as the sandbox seals them and as it sealed them in the connector's tests, in our own eyes."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.sandbox.axis_envelope import read_envelope, write_envelope
from signing import verify_envelope, xmldsig
from signing.testing import Authority, MemoryKey
from signing.validation import Trust, validate
from signing.verdict import Report

GLN = "8936000000001"
PAPER = "<r><a>Đặng</a></r>".encode()


@pytest.fixture(scope="module")
def transport(issuing: Authority) -> MemoryKey:
    return issuing.issue("Cổng kết nối Bệnh viện Thử")


def header(**more: Any) -> dict[str, Any]:
    sent = int(datetime.now(UTC).timestamp() * 1000)
    return {"version": "1.0.6", "sender_id": GLN, "msg_type": "101", "send_datetime": sent, "ref_msg_id": "", **more}


def sealed(transport: MemoryKey, paper: bytes, form: str = "string") -> bytes:
    """Written by hand: neither our reader nor the sandbox's has a part in it."""
    text = b64encode(paper)
    head = json.dumps(header(), ensure_ascii=False, separators=(",", ":")).encode()
    data, hashed = (b'"%b"' % text, text) if form == "string" else (b'{"%b":"%b"}' % (form.encode(), text),) * 2
    both = verify_envelope.Envelope({}, head, "", hashed, "").signed
    return b'{"header":%b,"data":%b,"signature":"%b"}' % (head, data, b64encode(transport.sign(both)))


def judged(data: bytes, root: Authority, *sealers: MemoryKey) -> Report:
    known = [certificate for one in sealers for certificate in one.chain]
    return validate(data, Trust([root.certificate], sealers=known))


@pytest.mark.parametrize("form", ["string", "file_content", "content"])
def test_envelope_and_paper_are_both_judged(form: str, root: Authority, key: MemoryKey, transport: MemoryKey) -> None:
    envelope = sealed(transport, xmldsig.sign(PAPER, key), form)
    told = judged(envelope, root, transport)
    assert (told.verdict, told.reasons, told.data) == ("valid", (), PAPER)
    assert [(one.where, one.signer.name, one.level) for one in told.signers] == [
        ("envelope", "Cổng kết nối Bệnh viện Thử", "envelope"),
        ("data: Signature", "Nguyễn Thị Ánh", "XMLDSig"),
    ]
    assert [one.part for one in told.covers] == ["header", "data", "document"]
    assert told.signers[0].at_is == "claimed"


def test_the_sandbox_and_we_hash_the_same(transport: MemoryKey, root: Authority) -> None:
    answer = write_envelope(
        header(msg_type=102, res_code="CM_SUCCESS"), {"data_state": "ACCEPTED"}, transport.private_key
    )
    found = verify_envelope.find(answer)
    assert found is not None
    assert found.signed == read_envelope(answer).signed_text
    told = judged(answer, root, transport)
    assert (told.verdict, [one.part for one in told.covers]) == ("valid", ["header", "data"])


WORDS = st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.dictionaries(st.text(max_size=4), WORDS, max_size=4),
    data=st.one_of(st.text(max_size=9), st.dictionaries(st.text(max_size=4), st.lists(WORDS, max_size=3), max_size=3)),
    indent=st.sampled_from([None, 1, "\t"]),
    ascii_only=st.booleans(),
)
def test_whatever_way_it_is_written_both_read_the_same(head: Any, data: Any, indent: Any, ascii_only: bool) -> None:
    body = json.dumps({"data": data, "header": head, "signature": ""}, indent=indent, ensure_ascii=ascii_only).encode()
    found = verify_envelope.find(body)
    assert found is not None
    assert found.signed == read_envelope(body).signed_text


def test_white_space_between_tokens_is_no_change_and_in_a_value_it_is(
    root: Authority, key: MemoryKey, transport: MemoryKey
) -> None:
    envelope = sealed(transport, xmldsig.sign(PAPER, key), "content")
    spaced = envelope.replace(b'":', b'" :\r\n\t').replace(b",", b" ,")
    assert judged(spaced, root, transport).verdict == "valid"
    assert _codes(judged(envelope.replace(b'"1.0.6"', b'"1.0.6 "'), root, transport)) == [5089]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "receiver": lambda b: b.replace(GLN.encode(), b"8936000000002"),
    "order of the header": lambda b: b.replace(b'"version":"1.0.6","sender_id"', b'"sender_id"').replace(
        b'"ref_msg_id":""', b'"ref_msg_id":"","version":"1.0.6"'
    ),
    "number spelt otherwise": lambda b: b.replace(b'"msg_type":"101"', b'"msg_type":101'),
    "data wrapped": lambda b: b.replace(b'"data":"', b'"data":{"content":"').replace(b'","sig', b'"},"sig'),
    "seal of other octets": lambda b: b[:-9] + b'AAAAAA=="}',
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_found(name: str, root: Authority, key: MemoryKey, transport: MemoryKey) -> None:
    envelope = sealed(transport, xmldsig.sign(PAPER, key))
    changed = CHANGES[name](envelope)
    assert changed != envelope
    told = judged(changed, root, transport)
    assert told.verdict == "invalid"
    assert set(_codes(told)) <= {5084, 5089}


def test_another_paper_under_the_same_seal(root: Authority, key: MemoryKey, transport: MemoryKey) -> None:
    mine, other = (sealed(transport, xmldsig.sign(paper, key)) for paper in (PAPER, b"<r/>"))
    data = json.loads(other)["data"]
    swapped = mine.replace(json.loads(mine)["data"].encode(), data.encode())
    assert _codes(judged(swapped, root, transport)) == [5089]


def test_a_good_seal_does_not_heal_the_paper_inside(root: Authority, key: MemoryKey, transport: MemoryKey) -> None:
    spoiled = xmldsig.sign(PAPER, key).replace("Đặng".encode(), b"Le")
    told = judged(sealed(transport, spoiled), root, transport)
    assert (told.verdict, [(one.code, one.where) for one in told.reasons]) == ("invalid", [(5088, "data: Reference")])


def test_who_sealed_has_to_be_known(root: Authority, issuing: Authority, key: MemoryKey, transport: MemoryKey) -> None:
    envelope = sealed(transport, xmldsig.sign(PAPER, key))
    nobody = judged(envelope, root)
    assert (nobody.verdict, _codes(nobody), nobody.covers) == ("undecided", [5180], ())
    curve = issuing.issue_elliptic("Đường cong", ec.SECP256R1())
    assert _codes(validate(envelope, Trust([root.certificate], sealers=curve.chain[:1]))) == [5180]
    assert _codes(judged(envelope, root, key)) == [5089]
    stranger = Authority.root().issue("Lạ", private_key=transport.private_key)
    assert judged(envelope, root, stranger).verdict == "invalid"
    assert judged(envelope, root, key, transport).verdict == "valid"


def test_an_envelope_without_a_seal_and_one_with_a_picture(
    root: Authority, key: MemoryKey, transport: MemoryKey
) -> None:
    envelope = sealed(transport, xmldsig.sign(PAPER, key))
    bare = json.dumps({**json.loads(envelope), "signature": ""}).encode()
    assert _codes(judged(bare, root, transport)) == [5004]
    picture = judged(sealed(transport, b"\x89PNG"), root, transport)
    assert (picture.verdict, [one.part for one in picture.covers]) == ("valid", ["header", "data"])
    assert b64decode(picture.covers[1].data) == b"\x89PNG"
    inside = sealed(transport, sealed(transport, PAPER))
    assert judged(inside, root, transport).verdict == "undecided"  # who sealed what is inside was not said


def _codes(told: Report) -> list[int]:
    return [one.code for one in told.reasons]
