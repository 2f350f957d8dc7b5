"""The numbers by which people look for a message."""

from __future__ import annotations

import pytest

from mappings.formats import er7
from mappings.hl7v2.business_keys import KINDS, business_keys, looked_for

HEAD = "MSH|^~\\&|HIS|01999|GW|X|20261121||ADT^A01|C 17|P|2.5.1"


def keys(*segments: str) -> set[tuple[str, str]]:
    return business_keys(er7.Message.parse("\r".join((HEAD, *segments, "")).encode())) - {("control", "c17")}


@pytest.mark.parametrize(
    ("segments", "found"),
    [
        (("PID|1||BN1^^^01999^PI~001185000001^^^CCCD^NI",), {("patient", "bn1"), ("patient", "001185000001")}),
        (
            ("PID|1||HS4010123456789^^^BHYT^HC",),
            {("patient", "hs4010123456789"), ("card", "hs4010123456789"), ("card", "0123456789")},
        ),
        (("PID|1||0000000000^^^BHYT^HC",), set()),
        (("PID|1" + "|" * 16 + "TK9",), set()),
        (("PID|1" + "|" * 17 + "TK9",), {("encounter", "tk9")}),
        (("MRG|BN0^^^01999^PI||TK8|||LK8",), {("patient", "bn0"), ("encounter", "tk8")}),
        (("MRG|BN0^^^01999^PI||||LK8",), {("patient", "bn0"), ("encounter", "lk8")}),
        (("PV1|1|I|||||||||||||||||LK1^^^01999^VN",), {("encounter", "lk1")}),
        (
            ("ORC|NW|P1^HIS|F1^LIS", "OBR|1|P2^HIS|F2^LIS", "ORC|NW|P3"),
            {("order", number) for number in ("p1", "f1", "p2", "f2", "p3")},
        ),
        (("IN1|1|01^BHYT" + "|" * 34 + "HS 4 01 0123456789;CN3012222222222",), {
            ("card", number) for number in ("hs4010123456789", "0123456789", "cn3012222222222", "2222222222")
        }),
        (("IN1|1|HS4010123456789",), {("card", "hs4010123456789"), ("card", "0123456789")}),
        (("IN1|1|BHYT",), set()),
        (("TXA|1|DS|TX|||||||||GT5^HIS",), {("document", "gt5")}),
        (("ZZZ|1||BN1",), set()),
    ],
)  # fmt: skip
def test_places(segments: tuple[str, ...], found: set[tuple[str, str]]) -> None:
    assert keys(*segments) == found
    assert {kind for kind, _ in found} <= set(KINDS)


def test_the_control_id_is_one_without_its_spaces() -> None:
    assert ("control", "c17") in business_keys(er7.Message.parse(HEAD.encode()))


def test_what_people_type_is_found_under_what_is_stored() -> None:
    assert looked_for("patient", " bn 1 ") == ["bn1"]
    assert looked_for("card", "HS4 01 0123456789") == ["hs4010123456789", "0123456789"]
    assert looked_for("card", "000") == looked_for("patient", " ") == []
    assert looked_for("control", "0") == ["0"]
