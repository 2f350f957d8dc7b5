"""ACC: the accident that led to the visit.

Standard: HL7 v2.5.1 §6.5.9
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.addresses import xad_to_address
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "Observation.effective",
    2: "Observation.value",
    3: "Observation.component.value",
    4: "Observation.component.value",
    5: "Observation.component.value",
    6: "Observation.component.value",
    7: "Observation.performer",
    8: "Observation.note",
    9: "Observation.component.value",
    10: "Observation.component.value",
    11: "Observation.component.value",
    12: "Observation.component.value",
    13: "Observation.identifier",
}
IGNORED: dict[int, str] = {}

_WORDS = (
    (3, "location", "Nơi xảy ra"),
    (9, "brought-in-by", "Người đưa đến"),
)
_YES_NO = (
    (5, "job-related", "Tai nạn lao động"),
    (6, "death", "Tử vong do tai nạn"),
    (10, "police-notified", "Đã báo công an"),
)


@replaceable
def acc_to_observation(acc: Segment, draft: Draft) -> Resource | None:
    """Make the Observation that there was an accident: what kind, when, where; nothing when the segment says nothing."""
    context = draft.context
    kind = cwe_to_codeable_concept(acc[2], context, system=f"{V2_TABLE}0050")
    happened = draft.moment(acc, 1)
    described = words(acc[8].whole)
    components = _components(acc, draft)
    if not (kind or happened or described or components):
        return None
    identifier = ei_to_identifier(acc[13], context, "accident")
    system = context.systems.local(context.facility, "accident")
    key = f"{draft.encounter or draft.patient}|{happened}"
    if identifier:
        system, key = identifier["system"], identifier["value"]
    return compact(
        {
            "resourceType": "Observation",
            "id": resource_id("Observation", system, key),
            "identifier": [identifier] if identifier else [],
            "status": "final",
            "code": _question(draft, "accident", "Tai nạn"),
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "effectiveDateTime": happened,
            "performer": practitioners(acc[7].repetitions, draft),
            "valueCodeableConcept": kind,
            "note": [{"text": described}] if described else [],
            "component": components,
        }
    )


def _question(draft: Draft, code: str, text: str) -> Element:
    system = f"{draft.context.systems.own}/CodeSystem/accident"
    return {"coding": [{"system": system, "code": code, "display": text}]}


def _components(acc: Segment, draft: Draft) -> list[Element]:
    context = draft.context
    found: list[Element] = []
    for n, code, text in _WORDS:
        said = words(acc[n].whole)
        if said:
            found.append({"code": _question(draft, code, text), "valueString": said})
    for n, code, text in _YES_NO:
        answer = code_of(acc[n].c(1)).upper()
        if answer in ("Y", "N"):
            found.append({"code": _question(draft, code, text), "valueBoolean": answer == "Y"})
        elif answer:
            acc.give_back(n)
    where = xad_to_address(acc[11], context)
    if where:
        found.append({"code": _question(draft, "address", "Địa chỉ nơi xảy ra"), "valueString": where["text"]})
    for n, code, text in ((4, "state", "Tỉnh, thành phố"), (12, "liability", "Mức trách nhiệm của người bệnh")):
        value = cwe_to_codeable_concept(acc[n], context)
        if value:
            found.append({"code": _question(draft, code, text), "valueCodeableConcept": value})
    return found
