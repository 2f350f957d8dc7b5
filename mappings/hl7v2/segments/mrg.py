"""MRG: the record that is merged, moved or changed.

What becomes of it depends on the event: see `mappings/hl7v2/messages/adt_identity.py`.

Standard: HL7 v2.5.1 §3.4.9
Requirement: S2.8
"""

from __future__ import annotations

from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import Components, Element, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, home_authority, kind_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.pid import names
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "Patient.identifier",
    2: "Patient.identifier",
    3: "Account.identifier",
    4: "Patient.identifier",
    5: "Encounter.identifier",
    6: "Encounter.identifier",
    7: "Patient.name",
}
IGNORED: dict[int, str] = {}


@replaceable
def mrg_to_patient(mrg: Segment, survivor: str, draft: Draft) -> Resource:
    """Make the replaced Patient: inactive, linked to the survivor.

    Raises `MissingField` when MRG-1 (with MRG-2 and MRG-4) holds no number.
    """
    found = patient_numbers(mrg, draft)
    return compact(
        {
            "resourceType": "Patient",
            "id": _id(found, draft),
            "identifier": found,
            "active": False,
            "name": names(mrg[7], draft),
            "link": [{"other": {"reference": survivor}, "type": "replaced-by"}],
        }
    )


def patient_numbers(mrg: Segment, draft: Draft, fields: tuple[int, ...] = (1, 4, 2)) -> list[Element]:
    """Give the numbers of the person that MRG names, each once.

    Raises `MissingField` when there is none.
    """
    listed: list[Components] = [cx for n in fields for cx in mrg[n].repetitions]
    numbers = [cx for cx in listed if words(cx.c(1)) and classify(cx.c(1)) is not Kind.PLACEHOLDER]
    if not numbers:
        raise faults.MissingField(mrg.where(1))
    home = home_authority(numbers, draft.context, draft.sending_facility)
    found: list[Element] = []
    for cx in numbers:
        identifier = cx_to_identifier(cx, draft.context, home, "" if cx.c(5) or kind_of(cx) else "patient")
        if identifier and identifier not in found:
            found.append(identifier)
    return found


def has_patient(mrg: Segment) -> bool:
    """Tell whether MRG names a person by any number."""
    return any(
        words(cx.c(1)) and classify(cx.c(1)) is not Kind.PLACEHOLDER
        for n in (1, 4, 2)
        for cx in mrg.peek(n).repetitions
    )


def patient_of(mrg: Segment, draft: Draft) -> str:
    """Give the reference to the Patient that MRG names; `""` when it names none."""
    return f"Patient/{_id(patient_numbers(mrg, draft), draft)}" if has_patient(mrg) else ""


def _id(found: list[Element], draft: Draft) -> str:
    local = draft.context.systems.local(draft.context.facility, "patient")
    key = next((identifier for identifier in found if identifier["system"] == local), found[0])
    return resource_id("Patient", key["system"], key["value"])


def visit_numbers(mrg: Segment, draft: Draft) -> list[Element]:
    """Give the numbers of the visit that is merged, moved or changed: MRG-5, then MRG-6; the first one makes its id."""
    found = (cx_to_identifier(mrg[n], draft.context, of="visit") for n in (5, 6))
    return [number for number in found if number]
