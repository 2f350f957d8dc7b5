"""AIS: the service an appointment is for.

Standard: HL7 v2.5.1 §10.6.4
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element, compact, cwe_to_codeable_concept
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.sch import filler_status, minutes

IGNORED = {
    1: SEQUENCE,
    2: "action on the resource; the appointment is stored whole",
    5: "offset of the start; the absolute time is used",
    6: "offset of the start; the absolute time is used",
    9: "substitution; a matter of the scheduling system",
    11: "supplemental service; AIS-3 names the service",
    12: "supplemental service; AIS-3 names the service",
}


def ais_to_service(ais: Segment, draft: Draft) -> Element:
    """Give `serviceType`, and `start`, `minutesDuration` and `status` for an appointment whose SCH tells none."""
    service = cwe_to_codeable_concept(ais[3], draft.context)
    length = minutes(ais[7].text, ais[8].c(1))
    return compact(
        {
            "serviceType": [service] if service else [],
            "start": draft.moment(ais, 4),
            "minutesDuration": length or None,
            "status": filler_status(ais[10].c(1)),
        }
    )
