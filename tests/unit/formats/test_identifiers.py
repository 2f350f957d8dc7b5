"""Identifiers are told apart by form and only doubted, never changed; names are compared by keys."""

from __future__ import annotations

import pytest

from mappings.formats import identifiers
from mappings.formats.faults import GLN_DOUBTFUL, PERSON_NUMBER_DOUBTFUL
from mappings.formats.identifiers import Kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("001080000123", Kind.CCCD),
        (" 001080000123 ", Kind.CCCD),
        ("012345678", Kind.CMND),
        ("0123456789", Kind.BHXH),
        ("C1234567", Kind.PASSPORT),
        ("c1234567", Kind.PASSPORT),
        ("DN4010123456789", Kind.BHYT),
        ("TE1011234567890", Kind.BHYT),
        ("HT301KT12345678", Kind.BHYT),
        ("DN0010123456789", Kind.UNKNOWN),
        ("0000000000", Kind.PLACEHOLDER),
        ("000000000000", Kind.PLACEHOLDER),
        ("00108000012", Kind.UNKNOWN),
        ("001.080.000.123", Kind.UNKNOWN),
        ("E12345678901", Kind.UNKNOWN),
        ("٠٠١٠٨٠٠٠٠١٢٣", Kind.UNKNOWN),
        ("", Kind.UNKNOWN),
    ],
)
def test_classify(value: str, kind: Kind) -> None:
    assert identifiers.classify(value) is kind


@pytest.mark.parametrize(
    ("value", "gender", "birth_date", "about"),
    [
        ("001080000123", "male", "1980-02-03", []),
        ("001180000123", "female", "1980", []),
        ("001305000123", "female", "2005-12", []),
        ("001080000123", "female", "1980-02-03", ["sex"]),
        ("001280000123", "male", "1980-02-03", ["birth year"]),
        ("001080000123", "female", "1981", ["sex", "birth year"]),
        ("001080000123", "other", "", []),
        ("001080000123", "", "unknown", []),
        ("123456789", "female", "1981", []),
    ],
)
def test_doubts(value: str, gender: str, birth_date: str, about: list[str]) -> None:
    expected = [(PERSON_NUMBER_DOUBTFUL, "", one) for one in about]
    assert identifiers.doubts(value, gender, birth_date) == expected


def test_gln() -> None:
    assert identifiers.gln_doubts("4006381333931") == []
    assert identifiers.gln_doubts("4006381333932") == [(GLN_DOUBTFUL, "", "check digit")]
    assert identifiers.gln_doubts("400638133393") == [(GLN_DOUBTFUL, "", "13 digits expected")]


def test_full_name() -> None:
    assert identifiers.full_name("Nguyễn", " Thị  Minh", "Hoa") == "Nguyễn Thị Minh Hoa"
    assert identifiers.full_name("", "", "Y") == "Y"
    assert identifiers.full_name("Nguye\u0302\u0303n", "", "An") == "Nguyễn An"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Nguyễn Thị Hoà", "NGUYỄN  THỊ HÒA"), ("Thuỷ", "Thủy"), ("Đặng Quý", "đặng qúy"), ("H’Hen Niê", "H'Hen Niê")],
)
def test_the_same_name_in_another_spelling(one: str, other: str) -> None:
    assert identifiers.match_key(one) == identifiers.match_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Hùng", "Hưng"), ("Hoa", "Hòa"), ("Hoá", "Hoà"), ("Đan", "Dan"), ("Ân", "An")]
)
def test_another_name(one: str, other: str) -> None:
    assert identifiers.match_key(one) != identifiers.match_key(other)


def test_the_key_without_marks() -> None:
    assert identifiers.match_key_unaccented("ĐẶNG Thị Hưng") == "dang thi hung"
    assert identifiers.match_key_unaccented("Hùng") == identifiers.match_key_unaccented("Hưng")
