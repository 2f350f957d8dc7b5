"""MRG: the person that no longer stands alone after a merge.

Standard: HL7 v2.5.1 §3.4.9
Requirement: S2.8
"""

from __future__ import annotations

from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import Components, Element, compact, words, xpn_to_human_name
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier, home_authority, kind_of
from mappings.hl7v2.reader import Segment
from mappings.ids import resource_id
from mappings.outcome import Resource

IGNORED = {
    3: "prior account number; no account is kept",
    5: "prior visit number; the visits of the replaced person follow by the link",
    6: "prior alternate visit number; the visits of the replaced person follow by the link",
}


def mrg_to_patient(mrg: Segment, survivor: str, draft: Draft) -> Resource:
    """Make the replaced Patient: inactive, linked to the survivor.

    Raises `MissingField` when MRG-1 (with MRG-2 and MRG-4) holds no number.
    """
    listed: list[Components] = [*mrg[1].repetitions, *mrg[4].repetitions, *mrg[2].repetitions]
    numbers = [cx for cx in listed if words(cx.c(1)) and classify(cx.c(1)) is not Kind.PLACEHOLDER]
    if not numbers:
        raise faults.MissingField(mrg.where(1))
    home = home_authority(numbers, draft.context, draft.sending_facility)
    local = draft.context.systems.local(draft.context.facility, "patient")
    found: list[Element] = []
    for cx in numbers:
        identifier = cx_to_identifier(cx, draft.context, home, "" if cx.c(5) or kind_of(cx) else "patient")
        if identifier and identifier not in found:
            found.append(identifier)
    key = next((identifier for identifier in found if identifier["system"] == local), found[0])
    names = [name for xpn in mrg[7].repetitions if (name := xpn_to_human_name(xpn, draft.context))]
    return compact(
        {
            "resourceType": "Patient",
            "id": resource_id("Patient", key["system"], key["value"]),
            "identifier": found,
            "active": False,
            "name": names,
            "link": [{"other": {"reference": survivor}, "type": "replaced-by"}],
        }
    )
