"""A mapped message as one FHIR message Bundle: header, provenance, and everything the message said.

Standard: FHIR R4 §2.4 Messaging
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.context import Context
from mappings.ids import resource_id
from mappings.outcome import Outcome, Resource

_NAMED = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location", "Device", "MessageHeader"})
"""What others name; everything else is what the message is about."""


def outcome_to_bundle(outcome: Outcome, context: Context) -> dict[str, Any]:
    """Make the Bundle of an outcome; its timestamp is when the message was made (MSH-7), if that has a time of day.

    Every resource stands at `<own base>/<type>/<id>`, so that the relative references inside lead to it.
    """
    header, *others = outcome.about
    focus = [_reference(resource) for resource in outcome.resources if resource["resourceType"] not in _NAMED]
    first: Resource = dict(header)
    if "response" not in header:  # whose details it would be
        focus += [_reference(resource) for resource in others if resource["resourceType"] == "OperationOutcome"]
    if focus:
        first["focus"] = [{"reference": one} for one in focus]
    identifier = others[0]["entity"][0]["what"]["identifier"]
    base = context.systems.own
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": resource_id("Bundle", identifier["system"], header["id"]),
        "identifier": identifier,
        "type": "message",
    }
    if "T" in outcome.sent_at:
        bundle["timestamp"] = outcome.sent_at
    bundle["entry"] = [
        {"fullUrl": f"{base}/{_reference(resource)}", "resource": resource}
        for resource in (first, *others, *outcome.resources)
    ]
    return bundle


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
