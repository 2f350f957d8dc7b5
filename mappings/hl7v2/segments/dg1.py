"""DG1: diagnoses of the visit.

Standard: HL7 v2.5.1 §6.5.2
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.codings import coding, coding_system, concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    2: "Condition.code",
    3: "Condition.code",
    4: "Condition.code.text",
    5: "Condition.extension(condition-assertedDate)",
    6: "Encounter.diagnosis.use | Condition.verificationStatus",
    15: "Encounter.diagnosis.rank",
    16: "Condition.asserter",
    19: "Condition.recordedDate",
    20: "Condition.identifier",
    21: "Condition.verificationStatus",
    22: "Condition.extension(condition-dueTo)",
}
IGNORED = {
    1: SEQUENCE,
    17: "diagnosis classification; the type DG1-6 and the code tell",
    18: "confidential indicator; handled by access rights and closed lists",
    26: "present on admission; the type DG1-6 tells",
} | dict.fromkeys((*range(7, 15), 23, 24, 25), BILLING)

_CATEGORY = concept(
    "encounter-diagnosis", "http://terminology.hl7.org/CodeSystem/condition-category", "Encounter Diagnosis"
)
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_DUE_TO = "http://hl7.org/fhir/StructureDefinition/condition-dueTo"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


@replaceable
def dg1_to_condition(dg1: Segment, draft: Draft) -> tuple[Resource, Element] | None:
    """Make the Condition and its entry in Encounter.diagnosis; nothing when no diagnosis is named.

    DG1-5 is when it was diagnosed, which FHIR keeps apart from the onset: the `onsetDateTime` of the official map would print
    a wrong fact on a paper.
    """
    context = draft.context
    code = _code(dg1, draft)
    if code is None:
        return None
    kind = code_of(dg1[6].c(1))
    role = codes.table("v2-0052").find(kind) or codes.table("v2-0052").find(kind.upper())
    if kind and role is None and kind.upper() not in codes.table("v2-0052"):
        draft.notice(faults.CODE_UNKNOWN, dg1.where(6))
    rank = nm_to_count(dg1[15].text)
    identifier = ei_to_identifier(dg1[20], context, "diagnosis")
    clinicians = practitioners(dg1[16].repetitions[:1], draft)
    wrong = code_of(dg1[21].text).upper() == "D"
    asserted = draft.moment(dg1, 5)
    recorded = draft.moment(dg1, 19)
    condition = compact(
        {
            "resourceType": "Condition",
            "id": _id(draft, code, kind, identifier),
            "extension": [
                *([{"url": _ASSERTED, "valueDateTime": asserted}] if asserted else []),
                *_parent(dg1, draft),
            ],
            "identifier": [identifier] if identifier else [],
            "clinicalStatus": {} if wrong else concept("active", _CLINICAL, "Active"),
            "verificationStatus": concept(*(("entered-in-error", _VERIFICATION) if wrong else _verification(kind))),
            "category": [_CATEGORY],
            "code": code,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "recordedDate": recorded,
            "asserter": clinicians[0] if clinicians else {},
        }
    )
    said = [coding(f"{V2_TABLE}0052", kind, words(dg1.peek(6).c(2)), context)] if kind else []
    use = compact({"coding": [*([role.coding()] if role else []), *said]})
    entry: Element = compact({"condition": reference(f"Condition/{condition['id']}"), "use": use})
    if rank:
        entry["rank"] = rank
    elif dg1.peek(15):
        dg1.ignore(15, "priority outside the diagnoses that are ranked")
    return condition, entry


def _parent(dg1: Segment, draft: Draft) -> list[Element]:
    """Take the diagnosis this one is due to, by its number; a reference when the message holds it."""
    parent = ei_to_identifier(dg1[22], draft.context, "diagnosis")
    if parent is None:
        if dg1.peek(22):
            dg1.give_back(22)
        return []
    target = f"Condition/{resource_id('Condition', parent['system'], parent['value'])}"
    where = reference(target) if draft.has(target) else {"identifier": parent}
    return [{"url": _DUE_TO, "valueReference": where}]


def _verification(kind: str) -> tuple[str, str]:
    return ("provisional" if kind.upper() in ("W", "A", "AD") else "confirmed", _VERIFICATION)


def _id(draft: Draft, code: Element, kind: str, identifier: Element | None) -> str:
    if identifier:
        return resource_id("Condition", identifier["system"], identifier["value"])
    first = code["coding"][0] if code.get("coding") else {}
    said = f"{first.get('system', '')}|{first['code']}" if first else code["text"]
    key = f"{draft.encounter or draft.whose}|{said}|{kind}"
    count = draft.nth(f"Condition|{key}")
    system = draft.context.systems.local(draft.context.facility, "diagnosis")
    return resource_id("Condition", system, key if count == 1 else f"{key}|{count}")


def _code(dg1: Segment, draft: Draft) -> Element | None:
    """Take DG1-3; DG1-2 names its system where DG1-3.3 does not.

    The clinician's own words (DG1-4) are the text, else the title of the code (DG1-3.2), which is its display anyway.
    """
    method = code_of(dg1[2].text)
    system = coding_system(method, draft.context) if method else ""
    found = cwe_to_codeable_concept(dg1[3], draft.context, system=system)
    described = words(dg1[4].whole)
    if found is None:
        return {"text": described} if described else None
    if described:
        return {**found, "text": described}
    return found
