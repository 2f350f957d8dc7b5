"""GOL: a goal of care.

Standard: HL7 v2.5.1 §12.4.1
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actions import Action, action_of, life_cycle
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import compact, joined, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id

MAPPED = {
    1: "Goal.lifecycleStatus",
    3: "Goal.description",
    4: "Goal.identifier",
    6: "Goal.priority",
    7: "Goal.start",
    8: "Goal.target.due",
    9: "Goal.category",
    16: "Goal.achievementStatus",
    17: "Goal.note",
    18: "Goal.lifecycleStatus",
    19: "Goal.statusDate",
}
IGNORED = {
    2: "time of the action; GOL-7 and GOL-19 date the goal",
    5: "episode of care; no episode of care is kept",
    10: "discipline that manages the goal; the people are ROL",
    11: "state of the review; GOL-16 tells the result",
    12: "when the goal is looked at again; R4 has no element for reviews",
    13: "when the goal is looked at again; R4 has no element for reviews",
    14: "when the goal is looked at again; R4 has no element for reviews",
    15: "when the goal is looked at again; R4 has no element for reviews",
    20: "kind of person the goal is for; the subject is the patient",
    21: "person the goal is for; the subject is the patient",
    22: "mood; a goal is an aim",
}


@replaceable
def gol_to_goal(gol: Segment, draft: Draft) -> tuple[dict[str, Any], Action] | None:
    """Make the Goal, and tell what becomes of its links; nothing when none is named.

    Known by GOL-4, else by patient and goal.
    """
    context = draft.context
    description = cwe_to_codeable_concept(gol[3], context)
    number = ei_to_identifier(gol[4], context, "goal")
    if description is None and number is None:
        return None
    action = action_of(gol, draft)
    description = description or {"text": "không rõ"}
    first = description.get("coding", [{}])[0]
    system = context.systems.local(context.facility, "goal")
    key = f"{draft.patient}|{first.get('system', '')}|{first.get('code') or description.get('text', '')}"
    if number:
        system, key = number["system"], number["value"]
    row = life_cycle(gol, 18, "gol-life-cycle", draft)
    status = row.target if row else "active"
    if action in ("delete", "stop"):
        status = "entered-in-error" if action == "delete" else "cancelled"
    category = cwe_to_codeable_concept(gol[9], context)
    due, priority, remark = draft.day(gol, 8), words(gol[6].text), joined(gol[17].repetitions)
    return compact(
        {
            "resourceType": "Goal",
            "id": resource_id("Goal", system, key),
            "identifier": [number] if number else [],
            "lifecycleStatus": status,
            "achievementStatus": cwe_to_codeable_concept(gol[16], context),
            "category": [category] if category else [],
            "priority": {"text": priority} if priority else {},
            "description": description,
            "subject": draft.subject,
            "startDate": draft.day(gol, 7),
            "target": [{"dueDate": due}] if due else [],
            "statusDate": draft.day(gol, 19),
            "note": [{"text": remark}] if remark else [],
        }
    ), action
