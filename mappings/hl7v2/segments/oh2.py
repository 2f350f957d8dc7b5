"""OH2: a job a person has or had.

Standard: HL7 v2.9 §3.4.16
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Components, Element, code_of, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_decimal, quantity
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.segments.oh1 import work_observation
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource
from mappings.systems import LOINC, UCUM

MAPPED = {
    3: "Observation.issued",
    4: "Observation.value",
    5: "Observation.component.value",
    6: "Observation.component.value",
    7: "Observation.effective",
    8: "Observation.effective",
    9: "Observation.component.value",
    10: "Observation.component.value",
    11: "Observation.component.value",
    12: "Observation.component.value",
    14: "Observation.component.value",
    15: "Observation.component.value",
    16: "Observation.component.value",
    17: "Observation.identifier",
    18: "Observation.component.value",
}
IGNORED = {
    1: SEQUENCE,
    2: "action on the segment; the message is stored whole",
    13: "address of the employer; the employer is named",
}

_CODED = ((5, "86188-0"), (6, "85104-8"), (9, "74159-5"), (14, "87707-6"), (16, "87729-0"))
"""Field, LOINC code of the question: industry, work classification, schedule, supervisory level, hazards."""
_COUNTED = ((10, "87512-0", "h"), (11, "74160-3", "d"))


@replaceable
def oh2_to_observation(oh2: Segment, draft: Draft) -> Resource | None:
    """Make the Observation of the job."""
    context = draft.context
    value = cwe_to_codeable_concept(oh2[4], context)
    if value is None:
        return None
    found = work_observation(oh2, draft, "11341-5", oh2[17], draft.day(oh2, 7), draft.day(oh2, 8), draft.moment(oh2, 3))
    found["valueCodeableConcept"] = value
    components: list[Element] = []
    for n, code in _CODED:
        for cwe in oh2[n].repetitions:
            said = cwe_to_codeable_concept(cwe, context)
            if said:
                components.append({"code": question(code), "valueCodeableConcept": said})
    for n, code, unit in _COUNTED:
        number = nm_to_decimal(oh2[n].text) if oh2.peek(n) else None
        if number is not None:
            amount = quantity(number, {"unit": unit, "system": UCUM, "code": unit})
            components.append({"code": question(code), "valueQuantity": amount})
        elif oh2.peek(n):
            oh2.give_back(n)
    for text, shown in ((_employer(oh2[12]), "Nơi làm việc"), (words(oh2[15].whole), "Công việc được giao")):
        if text:
            components.append({"code": {"text": shown}, "valueString": text})
    current = code_of(oh2[18].text).upper()
    if current in ("Y", "N"):
        components.append({"code": {"text": "Công việc hiện tại"}, "valueBoolean": current == "Y"})
    elif current:
        oh2.give_back(18)
    if components:
        found["component"] = components
    return found


def _employer(xon: Components) -> str:
    return words(xon.c(1)) or words(xon.c(10)) if xon else ""


def question(code: str) -> Element:
    """Write a CodeableConcept of LOINC."""
    return {"coding": [{"system": LOINC, "code": code}]}


def job(oh2: Segment, draft: Draft) -> Element | None:
    """Give the occupation when it is the present one."""
    current = code_of(oh2.peek(18).text).upper() == "Y" or not (oh2.peek(18) or oh2.peek(8))
    return cwe_to_codeable_concept(oh2.peek(4), draft.context) if current else None
