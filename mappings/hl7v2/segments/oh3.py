"""OH3: the work a person did longest.

Standard: HL7 v2.9 §3.4.17
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.oh1 import work_observation
from mappings.hl7v2.segments.oh2 import question
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource
from mappings.systems import UCUM

MAPPED = {
    3: "Observation.value",
    4: "Observation.component.value",
    5: "Observation.component.value",
    6: "Observation.effective",
    7: "Observation.issued",
    8: "Observation.identifier",
}
IGNORED = {1: SEQUENCE, 2: "action on the segment; the message is stored whole"}


@replaceable
def oh3_to_observation(oh3: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of the usual occupation."""
    context = draft.context
    value = cwe_to_codeable_concept(oh3[3], context)
    if value is None:
        return None
    found = work_observation(oh3, draft, "21843-8", oh3[8], draft.day(oh3, 6), "", draft.moment(oh3, 7))
    found["valueCodeableConcept"] = value
    components: list[Element] = []
    industry = cwe_to_codeable_concept(oh3[4], context)
    if industry:
        components.append({"code": question("21844-6"), "valueCodeableConcept": industry})
    years = nm_to_decimal(oh3[5].text) if oh3.peek(5) else None
    if years is not None:
        amount = quantity(years, {"unit": "a", "system": UCUM, "code": "a"})
        components.append({"code": {"text": "Số năm làm việc"}, "valueQuantity": amount})
    elif oh3.peek(5):
        oh3.give_back(5)
    if components:
        found["component"] = components
    return found


def usual_work(oh3: Segment, draft: Draft) -> Element | None:
    """Give the usual occupation."""
    return cwe_to_codeable_concept(oh3.peek(3), draft.context)
