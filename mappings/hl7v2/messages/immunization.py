"""VXU^V04: vaccinations of one person.

Standard: HL7 v2.5.1 §4.17.6
"""

from __future__ import annotations

from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.obx import is_document, obx_to_observation
from mappings.hl7v2.vaccination import Vaccinations
from mappings.hl7v2.visit import document, note, open_message, open_visit, relatives

TRIGGERS = ("VXU^V04",)


def map_message(draft: Draft) -> None:
    """Map vaccinations; a message without any still tells about the person."""
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    person_observations(draft)
    Vaccinations(draft).take()


def person_observations(draft: Draft) -> None:
    """Take the observations about the person, which come before any order."""
    current = None
    for segment in _before_orders(draft):
        if segment.name == "OBX":
            current = None
            if is_document(segment):
                document(draft, segment)
                continue
            found = obx_to_observation(segment, draft)
            if found:
                current = draft.get(draft.add(found, segment))
        elif segment.name == "NTE" and current is not None:
            note(current, segment, draft)
        else:
            current = None


def _before_orders(draft: Draft) -> list[Segment]:
    segments = draft.reader.segments
    first = next((n for n, one in enumerate(segments) if one.name in ("ORC", "RXA")), len(segments))
    return segments[:first]
