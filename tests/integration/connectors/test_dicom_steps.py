"""Procedure steps before a device made with pynetdicom: what is told to whom, and how every fault is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import build_context
from pynetdicom.association import Association

from conformance.sandbox.dicom_calls import Entity
from connectors.contract import StepReport
from connectors.faults import LedgerAway, StepEnded, StepExists, StepIncomplete, StepInvalid, StepUnknown
from connectors.sources._dicom_contexts import STEP
from connectors.sources._dicom_step import STATUSES
from mappings.formats import json
from mappings.formats.faults import IntakeFault
from tests.contract.objects import Running
from tests.integration.connectors.test_dicom_source import source

GATEWAY = "GATEWAY"
SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    with source(tmp_path / "kept", worklist=True, callers=("CT1",)) as running:
        yield running


def address(house: Running) -> tuple[str, int]:
    return "127.0.0.1", house.port


@contextmanager
def device(address: tuple[str, int], syntax: str = SYNTAXES[1], called: str = "LIENTHONG") -> Iterator[Association]:
    """Give an association of a modality."""
    association = Entity("CT1").call(address, called, [build_context(STEP, syntax)])
    assert association is not None
    try:
        yield association
    finally:
        association.release()


def begin(study: str, **more: Any) -> Dataset:
    """Give the attributes of N-CREATE as a CT sends them."""
    scheduled = Dataset()
    scheduled.StudyInstanceUID, scheduled.AccessionNumber = study, "A1"
    step = Dataset()
    step.SpecificCharacterSet = "ISO_IR 192"
    step.PatientName, step.PatientID = "Trần^Lan^Thị Ngọc", "BN1"
    step.PerformedProcedureStepID, step.PerformedStationAETitle, step.Modality = "PPS1", "CT1", "CT"
    step.PerformedProcedureStepStartDate, step.PerformedProcedureStepStartTime = "20261120", "140000"
    step.PerformedProcedureStepStatus = "IN PROGRESS"
    step.ScheduledStepAttributesSequence, step.PerformedSeriesSequence = [scheduled], []
    for keyword, value in more.items():
        setattr(step, keyword, value)
    return step


def end(*instances: str, status: str = "COMPLETED") -> Dataset:
    """Give the attributes of the last N-SET."""
    step = Dataset()
    step.PerformedProcedureStepStatus = status
    step.PerformedProcedureStepEndDate, step.PerformedProcedureStepEndTime = "20261120", "141500"
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = "1.2.3.4", "CT"
    series.ReferencedImageSequence = []
    for uid in instances:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
        series.ReferencedImageSequence.append(one)
    step.PerformedSeriesSequence = [series]
    return step


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_a_device_says_is_handed_on(house: Running, syntax: str) -> None:
    uid = generate_uid()
    with device(address(house), syntax, GATEWAY) as peer:
        created, _ = peer.send_n_create(begin("1.2.3"), STEP, uid)
        changed, _ = peer.send_n_set(end("1.2.3.4.5"), STEP, uid)
    assert (created.Status, changed.Status) == (0, 0)
    first, second = house.intake.steps
    assert (first.sop_instance, first.begins, first.calling) == (uid, True, "CT1")
    assert first.attributes["00100010"]["Value"] == [{"Alphabetic": "Trần^Lan^Thị Ngọc"}]
    assert (second.sop_instance, second.begins) == (uid, False)
    (series,) = second.attributes["00400340"]["Value"]
    assert len(series["00081140"]["Value"]) == 1
    assert json.loads(json.dumps(second.attributes)) == second.attributes  # plain values, whatever pydicom made of them
    assert "Lan" not in repr(first)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (StepInvalid("(0040,0252)"), 0x0106),
        (StepEnded(), 0x0110),
        (StepExists(), 0x0111),
        (StepUnknown(), 0x0112),
        (StepIncomplete(), 0x0120),
        (LedgerAway(), 0x0213),
    ],
)
def test_a_fault_becomes_a_status(house: Running, fault: IntakeFault, status: int) -> None:
    assert STATUSES[type(fault)] == status
    house.intake.refuse = fault
    with device(address(house), called=GATEWAY) as peer:
        for told in (peer.send_n_create(begin("1.2"), STEP, "1.2.9"), peer.send_n_set(end(), STEP, "1.2.9")):
            assert told[0].Status == status
            assert type(fault).__name__ in told[0].ErrorComment
        house.intake.refuse = None
        assert peer.send_n_create(begin("1.2"), STEP, "1.2.9")[0].Status == 0  # it may go on


def test_an_error_of_ours_is_told_and_not_shown(house: Running, caplog: pytest.LogCaptureFixture) -> None:
    house.intake.broken = "note_step"
    with device(address(house), called=GATEWAY) as peer:
        told, _ = peer.send_n_create(begin("1.2"), STEP, "1.2.9")
    assert told.Status == 0x0213
    assert "NGUYEN" not in told.ErrorComment + caplog.text


def test_without_the_setting_there_are_no_steps(tmp_path: Path) -> None:
    with source(tmp_path / "kept") as plain:
        assert Entity("CT1").call(address(plain), GATEWAY, [build_context(STEP)]) is None


def test_a_report_shows_nothing_of_the_patient() -> None:
    assert "Lan" not in repr(StepReport("1", True, {"00100010": "Lan"}, "CT1"))
