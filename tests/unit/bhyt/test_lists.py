"""Lists of a site are read as people keep them, and what is wrong with one is told by its line."""

from __future__ import annotations

from datetime import date

import pytest

from mappings.bhyt.faults import ListInvalid
from mappings.bhyt.lists import NONE, Lists, parse_list


def test_a_list_with_periods_and_columns() -> None:
    known = parse_list(
        "DRUGS",
        "code,name,price,valid_from,valid_to\n40.1,A,10,2025-01-01,2025-12-31\n40.1,B,12,20260101,\n40.2,C,,,\n",
    )
    assert len(known) == 3
    assert [entry.values["name"] for entry in known.find("40.1", date(2025, 6, 1))] == ["A"]
    assert [entry.values["name"] for entry in known.find("40.1", date(2026, 6, 1))] == ["B"]
    assert [entry.values["price"] for entry in known.find("40.1")] == ["10", "12"]
    assert known.find("40.1")[0].values["tender"] == ""
    assert known.has("40.2", date(1999, 1, 1))
    assert not known.has("40.3")


def test_as_a_vietnamese_excel_writes_it() -> None:
    known = parse_list("SUPPLIES", "\ufeffCode;Name;Price;Valid_From\r\nN01;Bơm tiêm, 10ml;1500;01/02/2026\r\n")
    (entry,) = known.find("N01", date(2026, 2, 1))
    assert entry.values["name"] == "Bơm tiêm, 10ml"
    assert not known.has("N01", date(2026, 1, 31))


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("FRIENDS", "code\n1\n", "FRIENDS"),
        ("ICD10", "", "ICD10:1"),
        ("ICD10", "ma,ten\nI10,x\n", "ICD10:1"),
        ("ICD10", "code,valid_from\nI10,mai\n", "ICD10:2"),
        ("ICD10", "code,valid_from\nI10,\n,2026-01-01\n", "ICD10:3"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(name: str, text: str, where: str) -> None:
    with pytest.raises(ListInvalid) as caught:
        parse_list(name, text)
    assert caught.value.where == where


def test_absent_lists() -> None:
    some = Lists({"ICD10": parse_list("ICD10", "code\nI10\n")})
    assert "ICD10" in some
    assert "STAFF" not in some
    assert some.names == {"ICD10"}
    assert NONE.names == frozenset()
