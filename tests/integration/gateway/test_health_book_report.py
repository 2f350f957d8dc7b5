"""`report health-book`: what the health book lacks of a day's visits, from the ledger, insured or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_visit_papers import file_of
from tests.site import cli
from tests.unit.bhyt import paper_rows

DAY = "21/09/2026"
"""When the files come in."""
LACKS = {"NHOM_MAU", "DIEN_THOAI"}


@dataclass
class Told:
    code: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    return Desk(tmp_path / "site", url, clock, accept=("GDBHYT",), produce=("insurance_record",))


def report(site: Path, *arguments: str, day: str = DAY) -> Told:
    done = cli("report", "health-book", "--day", day, *arguments, "--config", str(site))
    return Told(done.returncode, done.stdout)


def test_each_visit_says_what_it_lacks_and_where_it_comes_from(desk: Desk, tmp_path: Path) -> None:
    desk.send(file_of(XML8=(paper_rows.XML8,)))
    told = report(tmp_path / "site", "--json")
    (visit,) = told.json["missing"]
    assert (told.code, told.json["visits"], told.json["whole"]) == (1, 1, False)
    assert (visit["record"], visit["insured"], visit["fault"]) == (paper_rows.XML8["MA_LK"], True, None)
    lacking = {one["field"]: one for one in visit["items"]}
    assert lacking.keys() >= LACKS
    assert lacking["NHOM_MAU"] == {
        "group": "c",
        "item": "Nhóm máu",
        "table": "XML1",
        "field": "NHOM_MAU",
        "origin": "OBX NHOM_MAU",
    }
    shown = report(tmp_path / "site")
    assert shown.code == 1
    assert "Nhóm máu" in shown.text
    assert paper_rows.XML8["MA_LK"] in shown.text


def test_only_what_was_not_told_of_table_8_is_missing(desk: Desk, tmp_path: Path) -> None:
    desk.send(file_of(XML5=({"MA_LK": "LK-001", "STT": "1", "DIEN_BIEN_LS": "Ho ba ngày"},)))
    (visit,) = report(tmp_path / "site", "--json").json["missing"]
    fields = {one["field"] for one in visit["items"] if one["table"] == "XML8"}
    assert "TOMTAT_KQ" in fields


def test_a_day_without_visits_lacks_nothing(desk: Desk, tmp_path: Path) -> None:
    told = report(tmp_path / "site", "--json", day="2001-01-01")
    assert (told.code, told.json["visits"], told.json["whole"]) == (0, 0, True)
    assert report(tmp_path / "site", day="hôm qua").code == 2


def test_no_name_of_a_person_is_said(desk: Desk, tmp_path: Path) -> None:
    desk.send(file_of(XML8=(paper_rows.XML8,)))
    for said in (report(tmp_path / "site", "--json").text, report(tmp_path / "site").text):
        assert paper_rows.stay()["HO_TEN"] not in said
