"""A HIS that only exports XML: a visit's file becomes signed papers, of each child its own, and what is sensitive stays."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.store import deliveries, documents
from mappings.bhyt.envelope import envelope
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.formats import safe_xml
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.unit.bhyt import paper_rows
from tests.unit.bhyt.agreement import Cda

FOLDER = '\n[[destination]]\nkind = "folder"\nfolder = "out"\nbasis = "law"\n'
PAPERS = ("discharge_paper", "record_summary", "birth_certificate", "referral", "reexamination")
Row = dict[str, str]


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    return Desk(tmp_path / "site", url, clock, accept=("GDBHYT",), produce=PAPERS, destinations=FOLDER)


def file_of(**tables: tuple[Row, ...]) -> bytes:
    """Write the file of a visit to a facility of this test."""
    here = {
        name: [{field: text.replace("01032", "01999") for field, text in row.items()} for row in rows]
        for name, rows in {"XML1": (paper_rows.stay(),), **tables}.items()
    }
    return envelope("01999", date(2026, 8, 6), [(name, rows_to_xml(table(name), rows)) for name, rows in here.items()])


def made(desk: Desk) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in desk.store.read_now(lambda c: documents.listing(c))[::-1]:
        found.setdefault(row.paper, []).append(row)
    return found


def cda(desk: Desk, row: Any) -> bytes:
    (kept,) = desk.store.read_now(lambda c: documents.renditions(c, row.id, "cda"))
    return bytes(desk.keyring.open(kept.body, f"{row.id}/cda"))


def test_the_papers_of_the_tables_are_made_and_no_other(desk: Desk) -> None:
    desk.send(file_of(XML7=(paper_rows.XML7,), XML8=(paper_rows.XML8,), XML14=(paper_rows.XML14,)))
    found = made(desk)
    assert {paper: [(row.state, row.fault_code) for row in rows] for paper, rows in found.items()} == {
        "discharge_paper": [("signed", 0)],
        "record_summary": [("signed", 0)],
        "reexamination": [("signed", 0)],
    }
    paper = Cda(cda(desk, found["discharge_paper"][0]))
    assert paper.cell("PP_DIEUTRI").split("\n")[0] == paper_rows.XML7["PP_DIEUTRI"]
    assert paper.cell("NGAY_RA") == "10 giờ 05 phút, ngày 05 tháng 08 năm 2026"


def test_each_of_twins_has_a_certificate_in_a_record_of_its_own(desk: Desk) -> None:
    twins = (paper_rows.child("1", "202608020815", "1"), paper_rows.child("2", "202608020822", "2"))
    desk.send(file_of(XML9=twins, XML7=(paper_rows.XML7,)))
    found = made(desk)
    certificates = found["birth_certificate"]
    assert [(row.state, row.fault_code, row.fault_detail) for row in certificates] == [("signed", 0, "")] * 2
    mother = desk.patient("BN-77").partition("/")[2]
    assert len({row.patient_id for row in certificates} | {mother}) == 3
    names = [safe_xml.parse(cda(desk, row)).xpath("string(//*[@ID='HO_TEN_CON'])") for row in certificates]
    assert names == ["Nông Mẫu 1", "Nông Mẫu 2"]
    assert [row.patient_id for row in found["discharge_paper"]] == [mother]


def test_a_visit_with_an_hiv_record_is_withheld_from_who_may_not_see_it(desk: Desk) -> None:
    desk.send(file_of(XML7=(paper_rows.XML7,), XML6=(paper_rows.XML6,)))
    (row,) = made(desk)["discharge_paper"]
    assert row.state == "signed"
    (delivery,) = desk.store.read_now(lambda c: deliveries.listing(c, document_id=row.id))
    assert (delivery.state, delivery.fault_detail) == ("withheld", "closed list: HIV")
