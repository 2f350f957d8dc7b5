"""Devices: of a participant (implants, instruments) as Device, supplied ones as DeviceUseStatement and DeviceRequest.

Standard: CDA R2 §4.3.8.8 (participantRole MANU), §4.3.6.7 (supply)
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept
from mappings.cda.read.datatypes import ids, on_to_text
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.people import organization_to_reference
from mappings.outcome import Resource

_FDA = "2.16.840.1.113883.3.3719"


def participant_devices(node: Node, draft: Draft) -> list[str]:
    """Make the Devices that took part in a statement."""
    found = []
    for participant in node.all("participant"):
        role = participant.first("participantRole")
        if role.first("playingDevice") or (
            role.peek("classCode") == "MANU" and participant.peek("typeCode") in ("DEV", "PRD")
        ):
            reference = role_to_device(role, draft)
            if reference:
                participant.take("typeCode")
                found.append(reference)
    return found


def role_to_device(role: Node, draft: Draft) -> str:
    """Make the Device of a participantRole; `""` when nothing is said of it."""
    device = role.first("playingDevice") or role.first("playingEntity")
    carrier = _udi(role)
    numbers = [] if carrier else ids(role)
    code = device.first("code", "type")
    kind = cd_to_codeable_concept(code, draft) if code else None
    name = device.first("softwareName").all_said() or on_to_text(device)
    model = device.first("manufacturerModelName").all_said()
    if not (numbers or kind or name or model or carrier):
        return ""
    maker = role.first("scopingEntity")
    made: Resource = compact(
        {
            "resourceType": "Device",
            "id": draft.known(
                "Device", numbers or [{"system": _FDA, "value": one["carrierHRF"]} for one in carrier], role
            ),
            "identifier": numbers,
            "udiCarrier": carrier,
            "type": kind,
            "deviceName": [{"name": name, "type": "user-friendly-name"}] if name else [],
            "modelNumber": model,
            "manufacturer": maker.first("desc", "manufacturer").all_said(),
            "patient": draft.subject,
        }
    )
    for one in maker.all("id"):
        one.leave("the number of who made or tracks a device; FHIR R4 keeps a name only")
        if carrier:
            one.take("root")
            one.path = "udiCarrier.jurisdiction"
    role.take("classCode")
    maker.take("classCode")
    reference = draft.tell(made)
    role.becomes(reference)
    return reference


def _udi(role: Node) -> list[Element]:
    """Make the carrier of a unique device identifier: the number under the root of the agency that rules it."""
    for number in role.all("id", "udiCarrier"):
        if number.peek("root") == _FDA and number.peek("extension"):
            number.take("root")
            return [{"jurisdiction": f"urn:oid:{_FDA}", "carrierHRF": number["extension"]}]
    return []


def product_to_device(product: Node, draft: Draft) -> Element:
    """Make what a supply of something that is no medicine is of: a code."""
    made = product.first("manufacturedProduct")
    material = made.first("manufacturedMaterial")
    code = material.first("code")
    concept = cd_to_codeable_concept(code, draft) if code else None
    name = on_to_text(material)
    maker = made.first("manufacturerOrganization")
    if concept is None and name:
        concept = {"text": name}
    numbers = ids(made)
    if concept is None and not numbers:
        return {}
    maker_reference = organization_to_reference(maker, draft) if maker else ""
    return compact(
        {
            "identifier": numbers,
            "type": concept,
            "manufacturer": draft.get(maker_reference).get("name", "") if maker_reference else "",
            "lotNumber": material.first("lotNumberText").all_said(),
        }
    )
