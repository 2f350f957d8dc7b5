"""What modalities say of their steps: every way a step can go, and what it means for its study, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import StepReport
from connectors.faults import LedgerAway, StepEnded, StepExists, StepIncomplete, StepInvalid, StepUnknown
from gateway import procedure_steps
from gateway.store import images
from gateway.store import procedure_steps as rows
from gateway.store.images import NewInstance
from mappings.formats import json
from mappings.formats.faults import IntakeFault
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.unit.dicom.samples import attributes
from tests.unit.dicom.test_step import begun, series

QUIET = 60_000_000


class Room(Desk):
    def begins(self, uid: str, study: str = "1.2", **said: Any) -> IntakeFault | None:
        return self.says(StepReport(uid, True, {**begun(study), **attributes(PatientName="Trần^Lan", **said)}, "CT1"))

    def goes(self, uid: str, status: str = "", objects: list[str] | None = None, **said: Any) -> IntakeFault | None:
        given = {"PerformedProcedureStepStatus": status} if status else {}
        if objects is not None:
            given["PerformedSeriesSequence"] = [series(objects)]  # type: ignore[assignment]
        return self.says(StepReport(uid, False, attributes(**given, **said), "CT1"))

    def says(self, report: StepReport) -> IntakeFault | None:
        try:
            told = procedure_steps.read(report, "pacs")
        except IntakeFault as fault:
            return fault
        self.clock.forward(1)
        now = self.clock.now()
        return self.store.write_now(lambda c: procedure_steps.note(c, self.keyring, told, now))

    def step(self, uid: str) -> Any:
        return self.store.read_now(lambda c: rows.get(c, uid))

    def comes(self, uid: str, study: str = "1.2") -> None:
        """Let an object come."""
        self.clock.forward(1)
        new = NewInstance(
            id=f"i{uid}", sop_instance=uid, sop_class="1", study_uid=study, series_uid="1", transfer_syntax="1",
            channel="pacs", peer="", calling="CT1", received_at=self.clock.now(), size=1, sha256=uid, order_key=b"0" * 16,
            header=b"x", quiet=QUIET,
        )  # fmt: skip
        self.store.write_now(lambda c: images.insert_all(c, [new]))

    def waits(self, study: str = "1.2") -> bool:
        """Tell whether a study still waits for more."""
        row = self.store.read_now(lambda c: images.get_study(c, study))
        assert row is not None
        assert row.due_at is not None
        return bool(row.due_at > self.clock.now())

    def expected(self, study: str = "1.2") -> int | None:
        row = self.store.read_now(lambda c: images.get_study(c, study))
        assert row is not None
        found: int | None = row.expected
        return found


def nested(depth: int) -> Any:
    found: Any = {"vr": "SQ"}
    for _ in range(depth):
        found = {"vr": "SQ", "Value": [{"00091001": found}]}
    return found


@pytest.fixture
def room(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Room]:
    made = Room(tmp_path / "site", store_url, clock, produce=())
    yield made
    made.store.close()


# ---- the step ----


def test_a_step_from_its_beginning_to_its_end(room: Room) -> None:
    assert room.begins("1") is None
    assert (room.step("1").state, room.step("1").study_uid, room.step("1").calling) == ("in_progress", "1.2", "CT1")
    assert room.goes("1", PerformedProcedureStepDescription="CT") is None
    assert room.goes("1", "IN PROGRESS") is None
    assert room.step("1").state == "in_progress"
    assert room.goes("1", "COMPLETED", ["a", "b"]) is None
    row = room.step("1")
    assert (row.state, row.instances, row.ended_at is not None) == ("completed", 2, True)
    body = json.loads(room.keyring.open(row.body, "step/1"))
    assert body["00100010"]["Value"] == [{"Alphabetic": "Trần^Lan"}]  # of the beginning
    assert body["00400254"]["Value"] == ["CT"]  # and of what came after
    assert body["00400252"]["Value"] == ["COMPLETED"]
    assert b"Lan" not in bytes(row.body)


@pytest.mark.parametrize("end", ["COMPLETED", "DISCONTINUED"])
@pytest.mark.parametrize("then", ["", "IN PROGRESS", "COMPLETED", "DISCONTINUED"])
def test_what_has_ended_is_not_changed(room: Room, end: str, then: str) -> None:
    room.begins("1")
    room.goes("1", end, ["a"])
    before = room.step("1")
    assert isinstance(room.goes("1", then, ["a", "b"]), StepEnded)
    assert room.step("1") == before


def test_the_same_said_again_is_answered_as_the_first_time(room: Room) -> None:
    for _ in range(2):
        assert room.begins("1") is None
    for _ in range(2):
        assert room.goes("1", "COMPLETED", ["a"]) is None
    assert room.begins("1") is None  # its first message, repeated late
    assert room.step("1").state == "completed"
    assert isinstance(room.begins("1", PatientID="BN2"), StepExists)
    assert isinstance(room.goes("1", "COMPLETED", ["b"]), StepEnded)


@pytest.mark.parametrize(
    ("report", "fault"),
    [
        (StepReport("9", False, attributes(PerformedProcedureStepStatus="COMPLETED"), "CT1"), StepUnknown),
        (StepReport("9", True, begun("1.2", status="COMPLETED"), "CT1"), StepInvalid),
        (StepReport("9", True, begun(), "CT1"), StepIncomplete),
        (StepReport("", True, begun("1.2"), "CT1"), StepIncomplete),
        (StepReport("9", False, attributes(PerformedProcedureStepStatus="GONE"), "CT1"), StepInvalid),
        (StepReport("9", True, {**begun("1.2"), "00091001": nested(5000)}, "CT1"), StepInvalid),
    ],
)
def test_what_cannot_be_is_refused(room: Room, report: StepReport, fault: type[IntakeFault]) -> None:
    assert isinstance(room.says(report), fault)
    assert room.step("9") is None


def test_two_changes_at_the_same_time(room: Room) -> None:
    room.begins("1")
    seen = room.step("1")
    room.goes("1", PerformedProcedureStepDescription="CT")
    assert not room.store.write_now(lambda c: rows.change(c, seen, "complete", last_key=b"1" * 16))
    assert room.step("1").state == "in_progress"
    assert LedgerAway.fault_class.value == "transient"


# ---- its study ----


def test_a_study_is_due_with_the_last_object_that_is_expected(room: Room) -> None:
    room.begins("1")
    room.comes("a")
    room.goes("1", "COMPLETED", ["a", "b", "c"])
    assert room.expected() == 3
    room.comes("b")
    assert room.waits()
    room.comes("c")
    assert not room.waits()
    room.comes("d")  # beyond what was expected: there may be more
    assert room.waits()


def test_a_study_that_is_there_when_its_step_ends_is_due(room: Room) -> None:
    room.begins("1")
    for uid in "abc":
        room.comes(uid)
    assert room.waits()
    room.goes("1", "COMPLETED", ["a", "b", "c"])
    assert not room.waits()


def test_a_step_that_ended_before_its_first_object(room: Room) -> None:
    room.begins("1")
    room.goes("1", "COMPLETED", ["a"])
    room.comes("a")
    assert (room.expected(), room.waits()) == (1, False)


def test_several_steps_of_one_study(room: Room) -> None:
    for uid, objects in (("1", ["a", "b"]), ("2", ["c"])):
        room.begins(uid)
        room.comes(objects[0])
        room.goes(uid, "COMPLETED", objects)
    assert room.expected() == 3
    room.begins("3")
    assert room.expected() is None  # nobody knows how many it will make
    room.comes("b")
    assert room.waits()
    room.goes("3", "DISCONTINUED")
    assert (room.expected(), room.waits()) == (3, False)


def test_a_step_that_was_discontinued_takes_nothing_back(room: Room) -> None:
    room.begins("1")
    room.comes("a")
    room.goes("1", "DISCONTINUED")
    assert (room.expected(), room.waits()) == (None, True)
    assert len(room.store.read_now(lambda c: images.of_study(c, "1.2"))) == 1


@pytest.mark.parametrize("other", ["1.3", ""])
def test_a_step_of_another_study(room: Room, other: str) -> None:
    if other:
        room.begins("1", other)
    else:
        report = StepReport("1", True, begun("1.2", "1.3"), "CT1")
        assert room.says(replace(report)) is None
    room.goes("1", "COMPLETED", ["a"])
    room.comes("a")
    assert (room.expected(), room.waits()) == (None, True)


def test_a_step_that_does_not_say_how_many(room: Room) -> None:
    room.begins("1")
    room.goes("1", "COMPLETED")
    room.comes("a")
    assert (room.expected(), room.waits()) == (None, True)
