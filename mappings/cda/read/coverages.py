"""Insurance as Coverage.

Standard: C-CDA R2.1 Coverage Activity, Policy Activity
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept
from mappings.cda.read.datatypes import ids, names
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, absent, compact
from mappings.cda.read.node import Node
from mappings.cda.read.participants import performers
from mappings.cda.read.people import related_to_reference
from mappings.cda.read.relations import parts, relate
from mappings.cda.read.times import ivl_ts_to_period
from mappings.outcome import Resource

SECTION = "48768-6"
_TEMPLATES = frozenset({"2.16.840.1.113883.10.20.22.4.60", "2.16.840.1.113883.10.20.1.20"})


def is_coverage(node: Node) -> bool:
    """Tell whether an act holds policies."""
    return node.first("code").peek("code") == SECTION or any(
        one.peek("root") in _TEMPLATES for one in node.all("templateId")
    )


def act_to_coverages(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make a Coverage of each policy."""
    found: list[str] = []
    for relation, policy in list(parts(node)):
        made = _policy(policy, draft, place)
        if made:
            relation.take("typeCode")
            relation.first("sequenceNumber").leave("the order of several policies")
            found += made
    if found:
        node.take("classCode", "moodCode")
        node.becomes(found[0])
        for name in ("code", "statusCode"):
            node.first(name).take("code", "codeSystem", "codeSystemName", "displayName")
        node.first("id").leave("the number of a list of policies")
    return found


def _policy(node: Node, draft: Draft, place: Place) -> list[str]:
    if node.name != "act":
        return []
    numbers = ids(node)
    code = node.first("code", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    payors = [who for _, who, _ in performers(node, draft) if who.startswith("Organization/")]
    made: Resource = {
        "resourceType": "Coverage",
        "id": draft.known("Coverage", numbers, node),
        "identifier": numbers,
        "status": "active",
        "type": kind,
        "beneficiary": draft.subject,
        "payor": [{"reference": one} for one in payors[:1]] or [absent()],
        **_covered(node, draft),
    }
    made = compact(made)
    node.first("statusCode", "status").take("code")
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _covered(node: Node, draft: Draft) -> Element:
    """Read who is covered (COV) and who holds the policy (HLD)."""
    found: Element = {}
    for participant in node.all("participant"):
        role = participant.first("participantRole")
        if participant.peek("typeCode") == "COV":
            numbers = ids(role)
            code = role.first("code", "relationship")
            relationship = cd_to_codeable_concept(code, draft) if code else None
            period = ivl_ts_to_period(participant.first("time", "period"), draft)
            role.first("id").path = "subscriberId"
            names(role.first("playingEntity"), draft)
            found |= compact(
                {
                    "subscriberId": numbers[0]["value"] if numbers else "",
                    "relationship": relationship,
                    "period": period,
                }
            )
            participant.take("typeCode")
        elif participant.peek("typeCode") == "HLD":
            holder = related_to_reference(role, role.first("playingEntity"), draft)
            if holder:
                found["policyHolder"] = {"reference": holder}
                participant.take("typeCode")
    return found
