"""PR1: procedures of the visit.

Standard: HL7 v2.5.1 §6.5.4
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners, reference
from mappings.hl7v2.datatypes import (
    Element,
    compact,
    concept,
    cwe_to_codeable_concept,
    ei_to_identifier,
    later,
    nm_to_count,
    words,
)
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

IGNORED = {
    1: SEQUENCE,
    2: "coding method; PR1-3.3 names the system",
    9: "anaesthesia; no element on the procedure",
    10: "anaesthesia; no element on the procedure",
    13: "consent; no element on the procedure",
    14: "priority among procedures; billing",
    18: BILLING,
    20: "action on the segment; the message is stored whole",
}

_SNOMED = "http://snomed.info/sct"
# field, SNOMED CT code of the role, its display
_PERFORMERS = ((8, "88189002", "Anesthesiologist"), (11, "304292004", "Surgeon"), (12, "", ""))


def pr1_to_procedure(pr1: Segment, draft: Draft) -> Resource | None:
    """Make the Procedure; nothing when none is named."""
    context = draft.context
    code = cwe_to_codeable_concept(pr1[3], context)
    described = words(pr1[4].whole)
    if described:
        code = {**(code or {}), "text": described}
    if code is None:
        return None
    performers: list[Element] = []
    for n, role, display in _PERFORMERS:
        for person in practitioners(pr1[n].repetitions, draft):
            function = concept(role, _SNOMED, display) if role else {}
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
    for modifier in modifiers:
        code = {**code, "coding": [*code.get("coding", []), *modifier.get("coding", [])]}
    return compact(
        {
            "resourceType": "Procedure",
            "id": resource_id("Procedure", system, key),
            "identifier": [identifier] if identifier else [],
            "status": "completed",
            "category": cwe_to_codeable_concept(pr1[6], context, system=f"{V2_TABLE}0230"),
            "code": code,
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
            **when,
            "performer": performers,
            "reasonCode": reasons,
        }
    )


def _when(pr1: Segment, started: str) -> Element:
    """Make a Period when the minutes of PR1-7 can be added to a time, else a dateTime."""
    length = nm_to_count(pr1[7].text)
    ended = later(started, length) if length else ""
    if ended:
        return {"performedPeriod": {"start": started, "end": ended}}
    if pr1.peek(7):
        pr1.give_back(7)
    return {"performedDateTime": started} if started else {}
