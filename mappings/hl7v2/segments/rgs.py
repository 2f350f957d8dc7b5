"""RGS: opens a group of resources of an appointment.

Standard: HL7 v2.5.1 §10.6.3
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable

MAPPED: dict[int, str] = {}
IGNORED = {
    1: SEQUENCE,
    2: "action on the group; the appointment is stored whole, resources of a deleted group are declined",
    3: "groups of resources are flattened into one appointment",
}


@replaceable
def rgs_deletes(rgs: Segment) -> bool:
    """Tell whether the whole group is taken out of the appointment."""
    return code_of(rgs.peek(2).text).upper() == "D"
