"""PR1: procedures of the visit.

Standard: HL7 v2.5.1 §6.5.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import pl_to_location, practitioners, reference
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, later, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.quantities import nm_to_count
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import ICD10, LOINC, SNOMED, V2_TABLE

MAPPED = {
    3: "Procedure.code",
    4: "Procedure.code.text",
    5: "Procedure.performed",
    6: "Procedure.category",
    7: "Procedure.performed.end",
    8: "Procedure.performer.actor",
    11: "Procedure.performer.actor",
    12: "Procedure.performer.actor",
    15: "Procedure.reasonCode",
    16: "Procedure.code",
    19: "Procedure.identifier",
    20: "Procedure.status",
    23: "Procedure.location",
    25: "Procedure.partOf",
}
IGNORED = {
    1: SEQUENCE,
    2: "coding method; PR1-3.3 names the system",
    9: "anaesthesia; no element on the procedure",
    10: "anaesthesia; no element on the procedure",
    13: "consent; no element on the procedure",
    14: "priority among procedures; billing",
    17: BILLING,
    18: "tissue type; told by the pathology report",
    21: BILLING,
    22: BILLING,
    24: BILLING,
}

# field, SNOMED CT code of the role, its display
_PERFORMERS = ((8, "88189002", "Anesthesiologist"), (11, "304292004", "Surgeon"), (12, "", ""))


@replaceable
def pr1_to_procedure(pr1: Segment, draft: Draft) -> Resource | None:
    """Make the Procedure; nothing when none is named."""
    context = draft.context
    code = cwe_to_codeable_concept(pr1[3], context)
    described = words(pr1[4].whole)
    if described and words(pr1.peek(3).c(9)):
        pr1.ignore(4, "description; PR1-3.9 has the words of the code")
    elif described:
        code = {**(code or {}), "text": described}
    if code is None:
        return None
    performers: list[Element] = []
    for n, role, display in _PERFORMERS:
        for person in practitioners(pr1[n].repetitions, draft):
            function = concept(role, SNOMED, display) if role else {}
            performers.append(compact({"function": function, "actor": person}))
    identifier = ei_to_identifier(pr1[19], context, "procedure")
    reasons = [found for cwe in pr1[15].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    modifiers = [found for cwe in pr1[16].repetitions if (found := cwe_to_codeable_concept(cwe, context))]
    started = draft.moment(pr1, 5)
    when = _when(pr1, started)
    system = context.systems.local(context.facility, "procedure")
    first = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    key = f"{draft.encounter or draft.patient}|{first.get('system', '')}|{first['code']}|{started}"
    if identifier:
        system, key = identifier["system"], identifier["value"]
    wrong = code_of(pr1[20].text).upper() == "D"
    if pr1.peek(20) and not wrong:
        pr1.ignore(20, "action on the segment; the procedure stands")
    parent = ei_to_identifier(pr1[25], context, "procedure")
    code = _modified(code, modifiers)
    return compact(
        {
            "resourceType": "Procedure",
            "id": resource_id("Procedure", system, key),
            "identifier": [identifier] if identifier else [],
            "partOf": [_parent(parent, draft)] if parent else [],
            "status": "entered-in-error" if wrong else "completed",
            "category": cwe_to_codeable_concept(pr1[6], context, system=f"{V2_TABLE}0230"),
            "code": code,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            **when,
            "performer": performers,
            "location": pl_to_location(pr1[23], draft),
            "reasonCode": reasons,
        }
    )


def _modified(code: Element, modifiers: list[Element]) -> Element:
    """Join the codes of the modifiers to the first code with colons; what cannot be joined is told in words."""
    if not modifiers:
        return code
    said = [modifier["coding"][0]["code"] for modifier in modifiers if modifier.get("coding")]
    codings = [dict(coding) for coding in code.get("coding", [])]
    if codings and len(said) == len(modifiers) and codings[0]["system"] not in (SNOMED, ICD10, LOINC):
        codings[0]["code"] = ":".join([codings[0]["code"], *said])
        return {**code, "coding": codings}
    spoken = [modifier.get("text") or modifier["coding"][0]["code"] for modifier in modifiers]
    return {**code, "text": ", ".join([code.get("text") or codings[0].get("display") or codings[0]["code"], *spoken])}


def _parent(number: Element, draft: Draft) -> Element:
    target = f"Procedure/{resource_id('Procedure', number['system'], number['value'])}"
    return reference(target) if draft.has(target) else {"identifier": number}


def _when(pr1: Segment, started: str) -> Element:
    """Make a Period when the minutes of PR1-7 can be added to a time, else a dateTime."""
    length = nm_to_count(pr1[7].text)
    ended = later(started, length) if length else ""
    if ended:
        return {"performedPeriod": {"start": started, "end": ended}}
    if pr1.peek(7):
        pr1.give_back(7)
    return {"performedDateTime": started} if started else {}
