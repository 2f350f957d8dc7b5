"""Whose the rows of a table are: of the person of the record whom number, name, birth and sex name together, or of nobody."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from gateway.intake import ChannelIntake
from gateway.store import messages
from mappings.hl7v2 import Context
from mappings.lab import reasons
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk, evn, message, pid
from tests.site import cli
from tests.unit.lab.tables import CRP, HGB, HOA, layout, row, table

HOA_KNOWN = pid("BN000123", "Nguyễn^Hoa^Thị", "19800305")


class Tables(Desk):
    """A desk whose channel takes HL7 v2, and tables through a second door."""

    def drop(self, data: bytes) -> list[tuple[str, int]]:
        """Drop a table; give state and fault of its reports."""
        answer = asyncio.run(self.tables.receive(data, "folder drop"))
        self.clock.forward(1)
        self.work()
        assert answer.message_id is not None
        told = self.store.read_now(lambda c: messages.listing(c, limit=0))
        return [(one.state, one.fault_code) for one in reversed(told) if one.type == "RESULT^ROWS"]

    @property
    def tables(self) -> ChannelIntake:
        (channel,) = self.plan.channels
        told = replace(channel, layout=layout())
        return ChannelIntake(
            told, self.store, self.keyring, self.clock, lambda: None, Context(FACILITY, self.plan.systems)
        )


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Tables:
    accept = ("ADT", "RESULT")
    made = Tables(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=accept, produce=())
    (channel,) = made.plan.channels
    made.pipeline._channels = {channel.settings.name: replace(channel, layout=layout())}
    return made


def admit(desk: Tables, person: str = HOA_KNOWN, number: str = "A1") -> None:
    desk.send(message("ADT^A01^ADT_A01", number, evn(), person, "PV1|1|I"))


def test_somebody_known_gets_the_results_and_stays_as_known(desk: Tables) -> None:
    admit(desk)
    assert desk.drop(table(row(HOA, 1, HGB, "13,5;g/dL"))) == [("mapped", 0)]
    person = desk.get(desk.patient("BN000123"))
    assert person["name"][0]["family"] == "Nguyễn"
    assert desk.version(desk.patient("BN000123")) == 1
    (found,) = desk.of(desk.patient("BN000123"), "Observation")
    assert str(found["valueQuantity"]["value"]) == "13.5"


def test_somebody_new_is_entered_when_the_row_says_who(desk: Tables) -> None:
    assert desk.drop(table(row(HOA, 1, HGB, "13,5;g/dL"))) == [("mapped", 0)]
    assert desk.get(desk.patient("BN000123"))["birthDate"] == "1980-03-05"


def test_a_number_alone_enters_nobody(desk: Tables) -> None:
    bare = row(HOA, 1, HGB, "13,5;g/dL").replace("Nguyễn Thị Hoa;05/03/1980;Nữ", ";;")
    assert desk.drop(table(bare)) == [("error", 3383)]
    admit(desk)
    assert desk.drop(table(bare.replace("13,5", "13,6"))) == [("error", 3383), ("mapped", 0)]


def test_a_name_of_somebody_else_stops_the_report_and_a_person_decides(desk: Tables) -> None:
    admit(desk, pid("BN000123", "Lê^An^Văn", "19510101", "M"))
    desk.drop(table(row(HOA, 1, HGB, "13,5;g/dL")))
    (wrong,) = [one for one in desk.store.read_now(lambda c: messages.listing(c, limit=0)) if one.type == "RESULT^ROWS"]
    assert (wrong.state, wrong.fault_code, wrong.fault_where) == ("error", 3384, "row[2].Mã BN")
    assert desk.of(desk.patient("BN000123"), "Observation") == []
    admit(desk, pid("BN000999", "Nguyễn^Hoa^Thị", "19800305"), "A2")
    config = str(desk.plan.folder)
    with patch("gateway.cli.lab.SystemClock", lambda: desk.clock):
        done = cli("lab", "assign", wrong.id, "--patient", "BN000999", "-r", "dán nhầm số", "-c", config)
    assert done.returncode == 0, done.stderr
    desk.work()
    assert desk.state(wrong.id).state == "mapped"
    assert len(desk.of(desk.patient("BN000999"), "Observation")) == 1
    assert desk.of(desk.patient("BN000123"), "Observation") == []


def test_a_number_that_was_merged_away_stops_the_report(desk: Tables) -> None:
    admit(desk)
    admit(desk, pid("BN000888", "Nguyễn^Hoa^Thị", "19800305"), "A2")
    gone = "MRG|BN000123^^^01999^PI"
    desk.send(message("ADT^A40^ADT_A39", "A3", evn(), pid("BN000888", "Nguyễn^Hoa^Thị", "19800305"), gone))
    assert desk.drop(table(row(HOA, 1, HGB, "13,5;g/dL"))) == [("error", 3385)]


def test_three_corrections_are_versions_of_one_report(desk: Tables) -> None:
    admit(desk)
    for number, value in enumerate(("13,5", "13,6", "13,7", "13,8")):
        status = "Đã sửa" if number else "Đã duyệt"
        desk.drop(table(row(HOA, 1, HGB, f"{value};g/dL", status=status), row(HOA, 2, CRP, "4;mg/L")))
    found = {one["code"]["text"]: one for one in desk.of(desk.patient("BN000123"), "Observation")}
    assert str(found["Hemoglobin"]["valueQuantity"]["value"]) == "13.8"
    assert (found["Hemoglobin"]["status"], found["CRP"]["status"]) == ("corrected", "final")
    (made,) = desk.of(desk.patient("BN000123"), "DiagnosticReport")
    assert (made["status"], len(made["result"])) == ("corrected", 2)


def test_cells_about_a_known_person_are_accounted_for() -> None:
    from mappings.lab.context import Known
    from mappings.lab.report import report_to_outcome
    from mappings.lab.rows import split_reports
    from tests.unit.lab.tables import CAME

    whose = {"resourceType": "Patient", "id": "x" * 32, "identifier": [{"system": "urn:other", "value": "7"}]}
    (one,) = split_reports(table(row(HOA, 1, HGB, "13,5;g/dL")), layout(), CAME)
    found = report_to_outcome(one.body, layout(), Context(FACILITY), {"": Known(whose)})
    assert found.patient_id == whose["id"]
    assert {one["resourceType"] for one in found.resources} & {"Patient"} == set()
    subjects = {one["subject"]["reference"] for one in found.resources if "subject" in one}
    assert subjects == {f"Patient/{whose['id']}"}
    assert found.coverage.ignored["row[2].Họ tên"] == reasons.KNOWN_PERSON
