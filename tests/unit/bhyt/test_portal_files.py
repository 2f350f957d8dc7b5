"""Files for the portal that no visit's tables are: catalogues, and the note that withdraws a record. All data is invented."""

from __future__ import annotations

from datetime import date

import pytest

from mappings.bhyt.catalogue import LISTS, rows_to_catalogue
from mappings.bhyt.faults import EnvelopeInvalid, FieldMissing
from mappings.bhyt.files import visit_to_file
from mappings.bhyt.visits import Visit, read_visits
from mappings.bhyt.withdrawal import visit_to_withdrawal
from mappings.formats import safe_xml

DAY = date(2026, 11, 26)
VISIT = Visit(
    {
        "XML1": (
            {"MA_LK": "LK1", "MA_CSKCB": "01999", "MA_DOITUONG_KCB": "1", "NGAY_RA": "202611250930", "HO_TEN": "A & B"},
        ),
        "XML2": ({"MA_LK": "LK1", "STT": "1", "MA_THUOC": "40.1"},),
    },
    facility="01999",
)


def test_a_catalogue() -> None:
    made = rows_to_catalogue("medicines", ("MA_THUOC", "TEN_THUOC"), [("40.1", "A & B <1>"), ("40.2",)])
    root = safe_xml.parse(made)
    (around,) = root.findall("DANHSACH_DMTHUOCMAUCHEPHAMMAU")
    assert around.get("Id")
    rows = [[field.text for field in row] for row in around]
    assert rows == [["40.1", "A & B <1>"], ["40.2", None]]
    assert [child.tag for child in root][-1] == "CHUKYDONVI"
    assert made == rows_to_catalogue("medicines", ("MA_THUOC", "TEN_THUOC"), [("40.1", "A & B <1>"), ("40.2", "")])
    assert len({row for _, row in LISTS.values()}) == 6


@pytest.mark.parametrize(
    ("kind", "head", "rows"),
    [
        ("x", ("A",), [("1",)]),
        ("staff", ("A",), []),
        ("staff", ("A b",), [("1",)]),
        ("staff", ("A", "A"), [("1", "2")]),
    ],
)
def test_what_is_no_catalogue(kind: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with pytest.raises(EnvelopeInvalid):
        rows_to_catalogue(kind, head, rows)


def test_both_readings_of_a_withdrawal() -> None:
    (sent,) = read_visits(visit_to_file(VISIT, decision="3176", made_on=DAY))
    for whole in (True, False):
        (note,) = read_visits(visit_to_withdrawal(sent, DAY, whole=whole))
        assert note.number == "LK1"
        assert note.one("XML1") == {**sent.one("XML1"), "MA_DOITUONG_KCB": "8"}
        assert note.tables.get("XML2") == (sent.tables["XML2"] if whole else None)


def test_a_withdrawal_keeps_the_shape_of_its_decision() -> None:
    old = Visit({"XML1": ({**VISIT.one("XML1"), "NGAY_RA": "202408010800"},)}, facility="01999")
    (sent,) = read_visits(visit_to_file(old, decision="4750", made_on=DAY))
    (note,) = read_visits(visit_to_withdrawal(sent, DAY))
    assert list(note.one("XML1")) == list(sent.one("XML1"))


def test_nothing_to_withdraw() -> None:
    for tables in ({}, {"XML2": VISIT.tables["XML2"]}, {"XML1": ({"MA_CSKCB": "01999"},)}):
        with pytest.raises(FieldMissing):
            visit_to_withdrawal(Visit(tables, facility="01999"), DAY)
