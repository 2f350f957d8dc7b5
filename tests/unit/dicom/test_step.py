"""What a modality says of a procedure step."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.dicom.faults import StepAttributeInvalid, StepAttributeMissing
from mappings.dicom.step import Step, read_begin, read_change
from tests.unit.dicom.samples import attributes


def begun(*studies: str, status: str = "IN PROGRESS") -> dict[str, Any]:
    scheduled = [attributes(StudyInstanceUID=uid) for uid in studies]
    return attributes(PerformedProcedureStepStatus=status, ScheduledStepAttributesSequence=scheduled)


def series(images: list[str], others: list[str] | None = None) -> dict[str, Any]:
    return attributes(
        ReferencedImageSequence=[attributes(ReferencedSOPInstanceUID=uid) for uid in images],
        ReferencedNonImageCompositeSOPInstanceSequence=[
            attributes(ReferencedSOPInstanceUID=uid) for uid in others or []
        ],
    )


def test_a_step_begins() -> None:
    assert read_begin(begun("1.2")) == Step("begin", "1.2", None)
    assert read_begin(begun("1.2", "1.2")).study == "1.2"
    assert read_begin(begun("1.2", "1.3")).study == ""  # of which it made how many, nobody can say


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED", "STARTED", "in progress"])
def test_a_step_begins_in_progress(status: str) -> None:
    with pytest.raises(StepAttributeInvalid) as refused:
        read_begin(begun("1.2", status=status))
    assert refused.value.where == "(0040,0252)"


@pytest.mark.parametrize("said", [{}, begun(), begun(""), attributes(PerformedProcedureStepStatus="IN PROGRESS")])
def test_a_step_that_does_not_say_enough(said: dict[str, Any]) -> None:
    with pytest.raises(StepAttributeMissing):
        read_begin(said)


@pytest.mark.parametrize(
    ("status", "event"),
    [(None, "go_on"), ("IN PROGRESS", "go_on"), ("COMPLETED", "complete"), ("DISCONTINUED", "discontinue")],
)
def test_what_becomes_of_it(status: str | None, event: str) -> None:
    said = attributes(PerformedProcedureStepStatus=status) if status else {}
    assert read_change(said).event == event


def test_a_status_that_is_none() -> None:
    with pytest.raises(StepAttributeInvalid):
        read_change(attributes(PerformedProcedureStepStatus="DONE"))


def test_objects_are_counted_once_and_whatever_they_are() -> None:
    performed = [series(["1", "2"], ["3"]), series(["2", "4"])]
    said = attributes(PerformedProcedureStepStatus="COMPLETED", PerformedSeriesSequence=performed)
    assert read_change(said).instances == 4


@pytest.mark.parametrize(("status", "instances"), [("COMPLETED", None), ("DISCONTINUED", 0)])
def test_a_step_without_series(status: str, instances: int | None) -> None:
    assert read_change(attributes(PerformedProcedureStepStatus=status)).instances == instances
