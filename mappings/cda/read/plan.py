"""Goals as Goal, and supplies of things that are no medicines as DeviceUseStatement and DeviceRequest.

Standard: CDA R2 §4.3.6.1 (moodCode GOL), §4.3.6.7
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.devices import participant_devices, product_to_device
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept, shown
from mappings.cda.read.medications import INTENTS
from mappings.cda.read.node import Node
from mappings.cda.read.participants import authors, performers
from mappings.cda.read.relations import relate
from mappings.cda.read.times import chosen, start_of, ts_to_datetime
from mappings.cda.read.values import value_of
from mappings.outcome import Resource

_GOALS = {
    "active": "active",
    "completed": "completed",
    "aborted": "cancelled",
    "cancelled": "cancelled",
    "held": "on-hold",
    "suspended": "on-hold",
    "new": "proposed",
    "nullified": "entered-in-error",
}
_DEVICES = {"completed": "completed", "active": "active", "aborted": "stopped", "new": "intended", "held": "on-hold"}
_REQUESTS = {"active": "active", "completed": "completed", "aborted": "revoked", "cancelled": "revoked", "new": "draft"}


def observation_to_goal(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Goal of an observation in the mood of one: what is measured, and to what value it shall come."""
    numbers = ids(node)
    code, value = node.first("code", "target.measure"), node.first("value", "target.detail")
    what = cd_to_codeable_concept(code, draft) if code else None
    found = value_of(value, draft) if value else {}
    words = ed_to_text(node.first("text", "description"), draft)
    time = node.first("effectiveTime", "start")
    begin, end = start_of(time, draft), ts_to_datetime(time.first("high"), draft)
    detail = {f"detail{name.removeprefix('value')}": said for name, said in found.items() if _can_aim(name)}
    target = compact({"measure": what if detail or end else None, **detail, "dueDate": end[:10]})
    written = [
        who for who, _ in authors(node, draft, "expressedBy") if who.startswith(("Practitioner", "Patient/", "Related"))
    ]
    status = node.first("statusCode", "lifecycleStatus")["code"]
    priority = node.first("priorityCode", "priority")
    text = words or _shown(found) or (what or {}).get("text", "")
    description: Element = {"text": text} if text and (words or not what) else dict(what or {"text": "?"})
    made: Resource = compact(
        {
            "resourceType": "Goal",
            "id": draft.known("Goal", numbers, node),
            "identifier": numbers,
            "lifecycleStatus": _GOALS.get(status, "active") if status else "proposed",
            "priority": cd_to_codeable_concept(priority, draft) if priority else None,
            "description": description,
            "subject": draft.subject,
            "startDate": begin[:10],
            "target": [target] if target and (detail or end) else [],
            "expressedBy": {"reference": written[0]} if written else None,
        }
    )
    if found and not detail:
        made.setdefault("note", []).append({"text": _shown(found) or "?"})
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _can_aim(name: str) -> bool:
    return name in (
        "valueQuantity",
        "valueRange",
        "valueCodeableConcept",
        "valueString",
        "valueBoolean",
        "valueInteger",
        "valueRatio",
    )


def _shown(found: Element) -> str:
    return found.get("valueString") or shown(found.get("valueCodeableConcept"))


def supply_to_device_use_statement(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the DeviceUseStatement of something supplied that is no medicine, and its Device."""
    numbers = ids(node)
    devices = participant_devices(node, draft)
    said = product_to_device(node.first("product", "device"), draft)
    if not devices and said:
        devices = [
            draft.tell({"resourceType": "Device", "id": draft.placed("Device", node), **said, "patient": draft.subject})
        ]
    if not devices:
        node.leave("a supply of nothing that is named")
        return []
    status = node.first("statusCode", "status")["code"]
    written = [
        who for who, _ in authors(node, draft, "source") if who.startswith(("Practitioner", "Patient/", "Related"))
    ]
    made: Resource = compact(
        {
            "resourceType": "DeviceUseStatement",
            "id": draft.known("DeviceUseStatement", numbers, node),
            "identifier": numbers,
            "status": _DEVICES.get(status, "active"),
            "subject": draft.subject,
            **chosen("timing", node.first("effectiveTime", "timing"), draft),
            "source": {"reference": written[0]} if written else None,
            "device": {"reference": devices[0]},
        }
    )
    node.first("quantity").leave("how many of a device were supplied; FHIR R4 speaks of one")
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def supply_to_device_request(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the DeviceRequest of something that is no medicine and shall be supplied."""
    numbers = ids(node)
    devices = participant_devices(node, draft)
    said = product_to_device(node.first("product", "code"), draft)
    code = {"codeReference": {"reference": devices[0]}} if devices else {}
    if not code:
        code = {"codeCodeableConcept": said.get("type") or concept("data-absent-reason", "unknown")}
    status = node.first("statusCode", "status")["code"]
    written = list(authors(node, draft, "requester"))
    members = [one for _, one, _ in performers(node, draft)]
    made: Resource = compact(
        {
            "resourceType": "DeviceRequest",
            "id": draft.known("DeviceRequest", numbers, node),
            "identifier": numbers,
            "status": _REQUESTS.get(status, "unknown"),
            "intent": INTENTS.get(node.peek("moodCode"), "plan"),
            **code,
            "subject": draft.subject,
            **chosen("occurrence", node.first("effectiveTime", "occurrence"), draft),
            "authoredOn": written[0][1] if written else "",
            "requester": {"reference": written[0][0]} if written and _may_ask(written[0][0]) else None,
            "performer": {"reference": members[0]} if members else None,
        }
    )
    node.first("quantity").leave("how many of a device are asked for; FHIR R4 asks for one")
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _may_ask(who: str) -> bool:
    return who.startswith(("Practitioner", "Organization/", "Device/"))
