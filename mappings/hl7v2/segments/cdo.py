"""CDO: how much may be given in all within a time.

Standard: HL7 v2.8 §4A.4.9
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import cq_to_quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.hl7v2.timing import unit_of_time
from mappings.systems import UCUM

MAPPED = {
    3: "MedicationRequest.dosageInstruction.maxDosePerPeriod",
    4: "MedicationRequest.dosageInstruction.maxDosePerPeriod",
}
IGNORED = {1: SEQUENCE, 2: "action on the segment; the message is stored whole"}


@replaceable
def cdo_to_limit(cdo: Segment, draft: Draft) -> Element:
    """Give `maxDosePerPeriod`; nothing when the amount or the time cannot be read."""
    most, time = cq_to_quantity(cdo[3]), cq_to_quantity(cdo[4])
    unit = unit_of_time(cdo[4].c(2))
    if most is None or time is None or not unit:
        for n in (3, 4):
            if cdo.peek(n):
                cdo.give_back(n)
        return {}
    span = {"value": time["value"], "unit": unit, "system": UCUM, "code": unit}
    return {"maxDosePerPeriod": {"numerator": most, "denominator": span}}
