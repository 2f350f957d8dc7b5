"""OH4: work in a combat zone.

Standard: HL7 v2.9 §3.4.18
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.oh1 import work_observation
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    3: "Observation.value.start",
    4: "Observation.value.end",
    5: "Observation.issued",
    6: "Observation.identifier",
}
IGNORED = {1: SEQUENCE, 2: "action on the segment; the message is stored whole"}


@replaceable
def oh4_to_observation(oh4: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of the time in a combat zone."""
    span = period(draft.day(oh4, 3), draft.day(oh4, 4))
    if not span:
        return None
    return {**work_observation(oh4, draft, "87511-2", oh4[6], "", "", draft.moment(oh4, 5)), "valuePeriod": span}
