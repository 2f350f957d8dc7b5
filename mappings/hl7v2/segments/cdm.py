"""CDM: a line of the charge description master: something that can be charged.

Standard: HL7 v2.5.1 §8.10.2
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.cost_groups import group_of_services, group_to_extension, names_group
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.segments.mfe import in_force
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "ChargeItemDefinition.identifier",
    2: "ChargeItemDefinition.code.coding | ChargeItemDefinition.extension(cost-group)",
    3: "ChargeItemDefinition.title",
    4: "ChargeItemDefinition.description",
    7: "ChargeItemDefinition.code.coding",
    8: "ChargeItemDefinition.status",
}
IGNORED = {
    5: "whether the words may be changed; a charge carries its own",
    6: "charges that come along; each arrives as a charge of its own",
    9: "number in the store; stock is not kept",
    13: "room fee; the cost group tells",
} | dict.fromkeys((10, 11, 12), BILLING)


@replaceable
def cdm_to_charge_item_definition(cdm: Segment, draft: Draft, active: bool | None) -> Resource | None:
    """Make the ChargeItemDefinition, still without prices; nothing without a code."""
    services = [*cdm[1].repetitions, *cdm[2].repetitions, *cdm[7].repetitions]
    definition = charge_item_definition(cdm[1], draft, in_force(cdm, 8, active))
    if definition is None:
        return None
    codings: list[Element] = []
    for cwe in services:
        found = cwe_to_codeable_concept(cwe, draft.context) or {}
        said = names_group(cwe)
        codings += [one for one in found.get("coding", []) if one not in codings and one["code"] != said]
    group = next((said for cwe in services if (said := names_group(cwe))), "") or group_of_services(services)
    return compact(
        definition
        | {
            "extension": group_to_extension(group, draft),
            "title": words(cdm[3].whole) or words(cdm.peek(1).c(2)),
            "description": words(cdm[4].whole),
            "code": compact({"coding": codings, "text": words(cdm.peek(3).whole) or words(cdm.peek(1).c(2))}),
        }
    )


def charge_item_definition(key: Components, draft: Draft, active: bool | None) -> Resource | None:
    """Make what a ChargeItemDefinition must have, from the key of its record."""
    code = code_of(key.c(1))
    if not code:
        return None
    systems = draft.context.systems
    system = systems.local(draft.context.facility, "charge-code")
    number = resource_id("ChargeItemDefinition", system, code)
    return {
        "resourceType": "ChargeItemDefinition",
        "id": number,
        "url": f"{systems.own}/ChargeItemDefinition/{number}",
        "identifier": [{"system": system, "value": code}],
        "status": "unknown" if active is None else "active" if active else "retired",
    }
