"""RMI: an incident during the stay: a fall, a wrong medicine, a broken device.

Standard: HL7 v2.5.1 §6.5.14
"""

from __future__ import annotations

from mappings.hl7v2.actors import reference
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import compact
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import NOTHING
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import V2_TABLE

MAPPED = {
    1: "AdverseEvent.event",
    2: "AdverseEvent.date",
    3: "AdverseEvent.category",
}
IGNORED: dict[int, str] = {}


@replaceable
def rmi_to_adverse_event(rmi: Segment, draft: Draft) -> Resource | None:
    """Make the AdverseEvent; nothing when neither what happened nor its kind is told."""
    event = cwe_to_codeable_concept(rmi[1], draft.context, system=f"{V2_TABLE}0427")
    kind = cwe_to_codeable_concept(rmi[3], draft.context, system=f"{V2_TABLE}0428")
    if event is None and kind is None:
        rmi.leave(NOTHING)
        return None
    date = draft.moment(rmi, 2)
    said = event or kind or {}
    code = said["coding"][0]["code"] if said.get("coding") else said["text"]
    key = f"{draft.encounter or draft.patient}|{code}|{date}"
    system = draft.context.systems.local(draft.context.facility, "incident")
    return compact(
        {
            "resourceType": "AdverseEvent",
            "id": resource_id("AdverseEvent", system, f"{key}|{draft.nth(f'AdverseEvent|{key}')}"),
            "actuality": "actual",
            "category": [kind] if kind else [],
            "event": event,
            "subject": draft.subject,
            "encounter": reference(draft.encounter) if draft.encounter else {},
            "date": date,
        }
    )
