"""Where things stand on the printed form: hints in the narrative, the same in FHIR and CDA."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from mappings import documents
from mappings.documents import form, narrative
from mappings.documents.form import Edition, Row
from mappings.formats import safe_xml
from tests.unit.cda.test_html import of_class, page, text
from tests.unit.cda.test_render import V3, composed, rendered
from tests.unit.documents.samples import SAMPLES

_H = "{http://www.w3.org/1999/xhtml}"
VALUES = {"SO": "12", "MS": "07", "KHOA": "Khoa Nội", "NOI_NHAN": "Bệnh viện B", "TU": "", "DEN": "05/11/2026"}


def edition(**changes: object) -> Edition:
    return replace(form.form("discharge_paper").editions[0], **changes)  # type: ignore[arg-type]


def row(key: str, label: str = "Nhãn:", **changes: object) -> Row:
    first = edition().sections[0].rows[0]
    return replace(first, key=key, label=label, value=f"{{{key}}}", **changes)  # type: ignore[arg-type]


def written(*rows: Row, sheet: Edition | None = None, lines: tuple[str, ...] = ("Quốc hiệu",)) -> etree._Element:
    sheet = sheet or edition()
    head = replace(sheet.sections[0], rows=rows, lines=lines)
    return safe_xml.parse(narrative.section(head, sheet, VALUES, ()).encode())


def places(root: etree._Element) -> list[str | None]:
    return [one.get("class") for one in root.iter(f"{_H}tr")]


def test_page() -> None:
    assert written().get("class") == "xHeader"
    assert written(sheet=edition(paper_size="A5")).get("class") == "xHeader xPaperA5"
    assert written(sheet=edition(copies=2)).get("class") == "xHeader xCopies2"
    found = written(sheet=edition(subtitle="(chỉ áp dụng ngoại trú)"))
    assert [p.get("class") for p in found.iter(f"{_H}p")] == ["xMotto", "xSubtitle"]


def test_rows_of_the_header_have_their_side() -> None:
    rows = (row("SO", "Số:"), row("MS"), row("KHOA", "Khoa:"), row("NOI_NHAN"))
    assert places(written(*rows)) == ["xLeft", "xRight", "xLeft xBare", None]
    assert places(written(*rows, lines=())) == ["xRight", "xRight", "xLeft xBare", None]
    assert places(written(row("SO", side="body"), row("NOI_NHAN", side="right"))) == [None, "xRight"]


@pytest.mark.parametrize(
    ("title", "more", "printed"),
    [
        ("Người bệnh", {}, False),
        ("I. Thông tin người bệnh", {}, True),
        ("TÓM TẮT BỆNH ÁN", {}, True),
        ("Thuốc điều trị", {"column": [{"label": "STT", "key": "STT"}]}, True),
        ("I. Thông tin người bệnh", {"heading": False}, False),
        ("Người bệnh", {"heading": True}, True),
    ],
)
def test_titles_that_forms_print(title: str, more: dict[str, object], printed: bool) -> None:
    data = {"key": "x", "title": title, **more}
    part = form._section(data, "H")
    assert part.heading is printed
    shown = safe_xml.parse(narrative.section(part, edition(), VALUES, ()).encode())
    assert (shown.get("class") == "xHeading") is printed


def test_an_empty_part_of_a_value_is_dots() -> None:
    found = written(replace(row("DEN"), value="Từ {TU} đến {DEN}"))
    assert text(next(found.iter(f"{_H}td"))) == "Từ …… đến 05/11/2026"


@pytest.mark.parametrize("paper", sorted(SAMPLES))
def test_cda_has_the_same_hints(paper: str) -> None:
    bundle = composed(paper)
    hints = [
        [node.get("class") for node in safe_xml.parse(section["text"]["div"].encode()).iter() if node.get("class")]
        for section in bundle["entry"][0]["resource"]["section"]
    ]
    texts = rendered(paper).xpath("//v3:section/v3:text", namespaces=V3)
    assert isinstance(texts, list)
    taken = [
        [node.get("styleCode") for node in one.iter() if node.get("styleCode")]
        for one in texts
        if isinstance(one, etree._Element)
    ]
    assert taken == hints


def test_every_form_says_sizes_and_sides_there_are() -> None:
    for paper in documents.PAPERS:
        for one in form.form(paper).editions:
            assert one.paper_size in ("A4", "A5")
            assert one.copies in (1, 2)
            sides = {row.side for section in one.sections for row in section.rows}
            assert sides <= {"", "left", "right", "body"}
            assert not one.sections[0].rows[0].same_line


def test_two_copies_stand_on_one_sheet() -> None:
    data = etree.tostring(rendered("discharge_paper")).replace(b'"xHeader"', b'"xHeader xCopies2"')
    root = page(data)
    assert [text(part) for part in of_class(root, "part")] == ["Liên số 1", "Liên số 2"]
    first, second = of_class(root, "sheet")
    assert text(first).removeprefix("Liên số 1") == text(second).removeprefix("Liên số 2")
    assert "size:A4 landscape" in (root.findtext(".//style") or "")
    assert "size:A5;" in (page(etree.tostring(rendered("reexamination"))).findtext(".//style") or "")
