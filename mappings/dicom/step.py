"""What a modality says of a procedure step (MPPS): how far it got, of which study, and which objects it made.

Devices leave out much that the standard wants; only what something here depends on is asked for.

Standard: DICOM PS3.4 §F.7.2; PS3.3 §C.4.13 to §C.4.15
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mappings.dicom.attributes import Attributes, items, text
from mappings.dicom.faults import StepAttributeInvalid, StepAttributeMissing

_STATUS, _SCHEDULED, _STUDY, _SERIES = "00400252", "00400270", "0020000D", "00400340"
_OBJECTS = ("00081140", "00400220")
"""ReferencedImageSequence and ReferencedNonImageCompositeSOPInstanceSequence."""
_INSTANCE = "00081155"
_EVENTS: Final[Mapping[str, str]] = {
    "": "go_on",
    "IN PROGRESS": "go_on",
    "COMPLETED": "complete",
    "DISCONTINUED": "discontinue",
}


@dataclass(frozen=True)
class Step:
    event: str
    """`begin`, `go_on`, `complete` or `discontinue`."""
    study: str
    """Study Instance UID; empty where it is several, and when the step goes on."""
    instances: int | None
    """How many objects it made; None: it does not say."""


def read_begin(attributes: Attributes) -> Step:
    """Read the attributes of N-CREATE. Raises `StepAttributeMissing`, `StepAttributeInvalid`."""
    status = text(attributes, _STATUS)
    if not status:
        raise StepAttributeMissing(_where(_STATUS))
    if status != "IN PROGRESS":
        raise StepAttributeInvalid(_where(_STATUS), "a step begins IN PROGRESS")
    studies = {text(one, _STUDY) for one in items(attributes, _SCHEDULED)} - {""}
    if not studies:
        raise StepAttributeMissing(f"{_where(_SCHEDULED)} {_where(_STUDY)}")
    return Step("begin", studies.pop() if len(studies) == 1 else "", None)


def read_change(attributes: Attributes) -> Step:
    """Read the attributes of N-SET. Raises `StepAttributeInvalid`."""
    event = _EVENTS.get(text(attributes, _STATUS))
    if event is None:
        raise StepAttributeInvalid(_where(_STATUS), "no status of a step")
    return Step(event, "", _instances(attributes, none=0 if event == "discontinue" else None))


def _instances(attributes: Attributes, none: int | None) -> int | None:
    series = items(attributes, _SERIES)
    made = {text(one, _INSTANCE) for each in series for tag in _OBJECTS for one in items(each, tag)} - {""}
    return len(made) or none


def _where(tag: str) -> str:
    return f"({tag[:4]},{tag[4:]})"
