"""One paper, opened for the insurance portal, and the facts told under the name of a field.

HL7 v2 has no field for much of what a paper says; such a text arrives as an Observation whose code is the name of the field in
QĐ 3176 (`PP_DIEUTRI`, `MA_LYDO_CT` …).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from mappings.bhyt.tables import DECISIONS
from mappings.documents.record import Record
from mappings.formats import dates
from mappings.outcome import Resource
from mappings.systems import Systems

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(?:\d{2})?)?")


@dataclass(frozen=True)
class Sheet:
    """One paper, opened: the Composition, and whom and what it is about."""

    record: Record
    systems: Systems
    composition: Resource
    patient: Resource
    encounter: Resource | None
    subject: Resource
    """What the paper is about: the Encounter, ServiceRequest, Appointment or DiagnosticReport."""
    head: str
    """Practice licence of the head of the facility."""
    decision: str = DECISIONS[-1]
    """The decision whose shape the tables have."""
    ended: date | None = None
    """The day the visit ended, else that of the paper."""
    row: Resource = field(default_factory=dict)
    """The result the row is about, in a table of rows."""
    number: int = 1
    """The number of the row."""

    @property
    def visit(self) -> Resource:
        """The Encounter, or an empty resource."""
        return self.encounter or {}


FieldSource = Callable[[Sheet], str]


def told(*names: str) -> FieldSource:
    """Take the text of the first of these fields that was told about the visit."""

    def source(sheet: Sheet) -> str:
        return next((text for name in names if (text := sheet.record.field(name, sheet.encounter))), "")

    return source


def told_all(*names: str) -> FieldSource:
    """Take the texts of all these fields, one line each."""

    def source(sheet: Sheet) -> str:
        texts = (sheet.record.field(name, sheet.encounter) for name in names)
        return "\n".join(text for text in texts if text)

    return source


def told_code(name: str) -> FieldSource:
    """Take the code of a field; of one told as text the text, if it may be a code."""

    def source(sheet: Sheet) -> str:
        text = sheet.record.field(name, sheet.encounter)
        return _codes(sheet, name) or (text if " " not in text else "")

    return source


def told_number(name: str) -> FieldSource:
    """Take the code of a field, several joined with `;`; of one told as text the text, whatever it is."""

    def source(sheet: Sheet) -> str:
        return _codes(sheet, name) or sheet.record.field(name, sheet.encounter)

    return source


def _codes(sheet: Sheet, name: str) -> str:
    parts = sheet.record.field_parts(name, sheet.encounter)
    codings = (part.get("valueCodeableConcept", {}).get("coding", []) for part in parts)
    found = (next((coding["code"] for coding in one if coding.get("code")), "") for one in codings)
    return ";".join(code for code in found if code)


def told_day(name: str) -> FieldSource:
    """Take a field as 8 digits; it may have been told as FHIR date or in digits."""

    def source(sheet: Sheet) -> str:
        return dates.fhir_to_yyyymmdd(_moment(sheet, name))

    return source


def told_time(name: str) -> FieldSource:
    """Take a field as 12 digits; it may have been told as FHIR dateTime or in digits."""

    def source(sheet: Sheet) -> str:
        return dates.fhir_to_yyyymmddhhmm(_moment(sheet, name))

    return source


def _moment(sheet: Sheet, name: str) -> str:
    """Give the time a field tells: as such, else from its text."""
    parts = sheet.record.field_parts(name, sheet.encounter)
    told = next((part["valueDateTime"] for part in parts if "valueDateTime" in part), "")
    return told or _as_fhir(sheet.record.field(name, sheet.encounter))


def _as_fhir(text: str) -> str:
    match = _COMPACT.fullmatch(text.strip())
    if match is None:
        return text.strip()
    year, month, day, hour, minute = match.groups()
    return f"{year}-{month}-{day}" + (f"T{hour}:{minute}:00" if hour else "")


def nothing(sheet: Sheet) -> str:
    """Leave the field empty: it is reserved."""
    return ""


def number_of(resource: Resource, wanted: Callable[[str], bool]) -> str:
    """Give the first number of a resource whose identifier system is wanted."""
    found = (i for i in resource.get("identifier", []) if i.get("value"))
    return next((i["value"] for i in found if wanted(i.get("system", ""))), "")


def licence_of(sheet: Sheet, practitioner: Resource) -> str:
    """Give the practice licence of a practitioner."""
    return number_of(practitioner, lambda system: system == sheet.systems.licence)
