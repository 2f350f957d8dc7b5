"""Rows and their XML: what is written reads back equal, and what producers were seen to write is read and told."""

from __future__ import annotations

import random

import pytest
from lxml import etree

from mappings.bhyt.faults import EnvelopeInvalid
from mappings.bhyt.rows import DECLARATION, rows_to_xml, xml_to_rows
from mappings.bhyt.tables import DECISIONS, NAMES, table
from tests.unit.bhyt import generated

TABLES = [(name, decision) for decision in DECISIONS for name in NAMES if decision != "130" or int(name[3:]) < 13]


@pytest.mark.parametrize("cdata", [False, True])
@pytest.mark.parametrize(("name", "decision"), TABLES)
def test_rows_come_back_equal(name: str, decision: str, cdata: bool) -> None:
    known = table(name, decision)
    for seed in range(20):
        rows = generated.rows(known, random.Random(f"{name}{decision}{seed}"))
        data = rows_to_xml(known, rows, cdata=cdata)
        found, back, oddities = xml_to_rows(etree.fromstring(data), name)
        assert (found, oddities) == (name, [])
        assert back == [{field.name: row.get(field.name, "") for field in known.fields} for row in rows]
        assert data == rows_to_xml(known, back, cdata=cdata)


def test_the_bytes_are_those_the_portal_took() -> None:
    known = table("XML5")
    data = rows_to_xml(known, [{"MA_LK": "1", "DIEN_BIEN_LS": "CSST<M75_T37>"}])
    assert (
        data
        == (
            DECLARATION
            + "<CHITIEU_CHITIET_DIENBIENLAMSANG><DSACH_CHI_TIET_DIEN_BIEN_BENH><CHI_TIET_DIEN_BIEN_BENH><MA_LK>1</MA_LK><STT/>"
            "<DIEN_BIEN_LS>CSST&lt;M75_T37&gt;</DIEN_BIEN_LS><GIAI_DOAN_BENH/><HOI_CHAN/><PHAU_THUAT/><THOI_DIEM_DBLS/><NGUOI_THUC_HIEN/>"
            "<DU_PHONG/></CHI_TIET_DIEN_BIEN_BENH></DSACH_CHI_TIET_DIEN_BIEN_BENH></CHITIEU_CHITIET_DIENBIENLAMSANG>"
        ).encode()
    )
    assert b"<DIEN_BIEN_LS><![CDATA[CSST<M75_T37>]]></DIEN_BIEN_LS>" in rows_to_xml(
        known, [{"DIEN_BIEN_LS": "CSST<M75_T37>"}], cdata=True
    )


@pytest.mark.parametrize("rows", [[], [{}, {}]])
def test_a_form_has_one_row(rows: list[dict[str, str]]) -> None:
    with pytest.raises(ValueError, match="XML7"):
        rows_to_xml(table("XML7"), rows)


FULL = {field.name: "1" for field in table("XML4").fields}


def xml4(inner: str) -> etree._Element:
    return etree.fromstring(inner)


def whole(tags: list[str]) -> str:
    return "".join(f"<{tag}>1</{tag}>" for tag in tags)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<CHI_TIET_CLS>{}</CHI_TIET_CLS>", ["root"]),
        ("<DSACH_CHI_TIET_CLS>\r\n <CHI_TIET_CLS>\n{}</CHI_TIET_CLS></DSACH_CHI_TIET_CLS>", ["root"]),
        ("<CHITIEU_CHITIET_DICHVUCANLAMSANG><CHI_TIET_CLS>{}</CHI_TIET_CLS></CHITIEU_CHITIET_DICHVUCANLAMSANG>", []),
        (
            "<a:CHITIEU_CHITIET_DICHVUCANLAMSANG xmlns:a='urn:x'><a:DSACH_CHI_TIET_CLS><a:CHI_TIET_CLS><!-- c -->{}"
            "</a:CHI_TIET_CLS></a:DSACH_CHI_TIET_CLS></a:CHITIEU_CHITIET_DICHVUCANLAMSANG>",
            [],
        ),
    ],
)
def test_what_producers_write_is_read(text: str, kinds: list[str]) -> None:
    name, rows, oddities = xml_to_rows(xml4(text.format(whole(list(FULL)))), "XML4")
    assert (name, rows, [odd.kind for odd in oddities]) == ("XML4", [FULL], kinds)


def test_departures_in_a_row_are_told_without_their_values() -> None:
    tags = ["MA_DICH_VU", "MA_LK", "GIA_TRI", "CUA_RIENG", "GIA_TRI", *list(FULL)[6:]]
    _, rows, oddities = xml_to_rows(xml4(f"<CHI_TIET_CLS>{whole(tags)}</CHI_TIET_CLS>"))
    assert rows[0]["CUA_RIENG"] == "1"
    assert [(odd.kind, odd.where) for odd in oddities] == [
        ("root", "XML4"),
        ("repeated", "XML4[1]/GIA_TRI"),
        ("unknown", "XML4[1]/CUA_RIENG"),
        ("missing", "XML4[1]/STT"),
        ("missing", "XML4[1]/MA_CHI_SO"),
        ("missing", "XML4[1]/TEN_CHI_SO"),
        ("order", "XML4[1]"),
    ]


def test_markup_in_a_field_is_kept() -> None:
    tags = whole([tag for tag in FULL if tag != "DU_PHONG"])
    text = f"<CHI_TIET_CLS>{tags}<DU_PHONG>a<S>b</S><!-- c -->d</DU_PHONG></CHI_TIET_CLS>"
    _, rows, _ = xml_to_rows(xml4(text))
    assert rows[0]["DU_PHONG"] == "a<S>b</S>d"


def test_another_table_than_claimed_is_told() -> None:
    name, _, oddities = xml_to_rows(xml4(f"<CHI_TIET_CLS>{whole(list(FULL))}</CHI_TIET_CLS>"), "XML3")
    assert name == "XML4"
    assert ("foreign", "XML3") in [(odd.kind, odd.where) for odd in oddities]


def test_a_root_of_no_table_is_refused() -> None:
    with pytest.raises(EnvelopeInvalid):
        xml_to_rows(etree.fromstring("<HTML/>"), "XML1")
