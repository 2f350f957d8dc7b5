"""Read out of a day's messages what an imaging department knows when it makes a picture: the order, and what was found.

An order is an OMG^O19; what was found stands in the ORU^R01 with the same placer number. Only orders that make pictures (CT,
X-ray, ultrasound) and were reported are given; an ECG or an endoscopy is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from conformance.scenarios.event import LOCAL, Day, Event
from conformance.scenarios.tables import Row, table

_ESCAPES = {"\\.br\\": "\n", "\\F\\": "|", "\\S\\": "^", "\\R\\": "~", "\\T\\": "&", "\\E\\": "\\"}


@dataclass(frozen=True)
class Coded:
    """A code with its system and meaning, as CE and as a code sequence carry it."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Clinician:
    """A person with a practice licence, as a modality names them."""

    licence: str
    name: str
    """In the form of a DICOM person name."""


@dataclass(frozen=True)
class Case:
    """One order that makes pictures, with what became of it."""

    order: Event
    patient: str
    """PID-3 of type PI."""
    patient_name: str
    """In the form of a DICOM person name."""
    born: str
    """YYYYMMDD; empty when only the year is known, which DICOM cannot say."""
    sex: str
    visit: str
    accession: str
    placer: str
    placer_system: str
    """Who numbered the order: the namespace of ORC-2."""
    procedure: Coded
    diagnosis: Coded
    complaint: str
    requester: Clinician
    reader: Clinician
    began_at: datetime
    taken_at: datetime
    reported_at: datetime
    told: Mapping[str, str]
    """Field of the report → what it says."""

    @property
    def kind(self) -> Row:
        """How such a picture is made: a row of `data/pictures.csv`."""
        return _kinds()[self.procedure.value]


def cases(day: Day) -> Iterator[Case]:
    """Give every order of the day that makes pictures and was reported, in the order of the clock."""
    reports = {_part(row, 2): event for event in _good(day, "ORU^R01") for row in _rows(event, "OBR")}
    for order in _good(day, "OMG^O19"):
        (orc,), (obr,) = _rows(order, "ORC"), _rows(order, "OBR")
        report = reports.get(_part(orc, 2))
        if report is not None and _part(obr, 4) in _kinds():
            yield _case(order, orc, obr, report)


def _case(order: Event, orc: list[str], obr: list[str], report: Event) -> Case:
    (pid,), (pv1,), (read,) = _rows(order, "PID"), _rows(order, "PV1"), _rows(report, "OBR")
    born = _field(pid, 7)
    return Case(
        order=order,
        patient=_part(pid, 3),
        patient_name=_name(_field(pid, 5).split("^")),
        born=born if len(born) == 8 else "",
        sex=_field(pid, 8),
        visit=_part(pv1, 19),
        accession=_part(obr, 18) or _part(orc, 3) or _part(orc, 2),
        placer=_part(orc, 2),
        placer_system=_part(orc, 2, 2),
        procedure=Coded(*(_part(obr, 4, n) for n in (1, 3, 2))),
        diagnosis=Coded(*(_part(obr, 31, n) for n in (1, 3, 2))),
        complaint=_plain(_field(obr, 13)),
        requester=_clinician(_field(obr, 16).split("^")),
        reader=_clinician(_field(read, 32).split("&")),
        began_at=_instant(_field(read, 6)),
        taken_at=_instant(_field(read, 7)),
        reported_at=_instant(_field(read, 22)),
        told={_part(row, 3): _plain(_field(row, 5)) for row in _rows(report, "OBX")},
    )


@cache
def _kinds() -> Mapping[str, Row]:
    return {row["code"]: row for row in table("pictures")}


def _good(day: Day, label: str) -> list[Event]:
    return [event for event in day.events if event.label == label and event.expect == "accepted"]


def _rows(event: Event, name: str) -> list[list[str]]:
    return [row.split("|") for row in event.raw.decode().split("\r") if row.startswith(f"{name}|")]


def _field(row: list[str], number: int) -> str:
    return row[number] if number < len(row) else ""


def _part(row: list[str], number: int, component: int = 1) -> str:
    """Give a component of the first repetition."""
    parts = _field(row, number).split("~")[0].split("^")
    return _plain(parts[component - 1]) if component <= len(parts) else ""


def _plain(text: str) -> str:
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def _name(parts: list[str], prefix: str = "") -> str:
    """Turn family, given and middle into a person name: family^given^middle^prefix."""
    return "^".join([*map(_plain, parts[:3]), prefix]).rstrip("^")


def _clinician(parts: list[str]) -> Clinician:
    """Read XCN and CNN: licence, family, given, middle, suffix, title."""
    return Clinician(_plain(parts[0]), _name(parts[1:4], _plain(parts[5])))


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=LOCAL)
