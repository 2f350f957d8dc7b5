"""PTH: a clinical pathway the patient is on.

Standard: HL7 v2.5.1 §12.4.5
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actions import Action, action_of, life_cycle
from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import compact, period
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id

MAPPED = {
    1: "CarePlan.status",
    2: "CarePlan.category",
    3: "CarePlan.identifier",
    4: "CarePlan.created",
    5: "CarePlan.status",
    6: "CarePlan.period.end",
}
IGNORED = {
    6: "time of a state that does not end the pathway",
    7: "mood; a pathway is a plan",
}
_OVER = frozenset({"completed", "revoked", "entered-in-error"})


@replaceable
def pth_to_care_plan(pth: Segment, draft: Draft) -> tuple[dict[str, Any], Action] | None:
    """Make the CarePlan, and tell what becomes of its links; nothing when no pathway is named.

    Known by PTH-3, else by patient and pathway.
    """
    context = draft.context
    kind = cwe_to_codeable_concept(pth[2], context)
    number = ei_to_identifier(pth[3], context, "pathway")
    if kind is None and number is None:
        return None
    action = action_of(pth, draft)
    first = (kind or {}).get("coding", [{}])[0]
    system = context.systems.local(context.facility, "pathway")
    key = f"{draft.patient}|{first.get('system', '')}|{first.get('code') or (kind or {}).get('text', '')}"
    if number:
        system, key = number["system"], number["value"]
    row = life_cycle(pth, 5, "pth-life-cycle", draft)
    status = row.target if row else "active"
    if action in ("delete", "stop"):
        status = "entered-in-error" if action == "delete" else "revoked"
    begun, changed = draft.moment(pth, 4), draft.moment(pth, 6)
    if changed and status not in _OVER:
        pth.ignore(6, IGNORED[6])
        changed = ""
    span = period(begun, changed)
    if changed and "end" not in span:
        pth.give_back(6)
    return compact(
        {
            "resourceType": "CarePlan",
            "id": resource_id("CarePlan", system, key),
            "identifier": [number] if number else [],
            "status": status,
            "intent": "plan",
            "category": [kind] if kind else [],
            "title": (kind or {}).get("text", ""),
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "period": span,
            "created": begun,
        }
    ), action
