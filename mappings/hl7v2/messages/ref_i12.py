"""REF^I12: referral of a patient to another facility.

Standard: HL7 v2.5.1 §11.5
Requirement: S3.14
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference, this_facility
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.orders import Results
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.ctd import ctd_to_contact
from mappings.hl7v2.segments.prd import Provider, prd_to_provider
from mappings.hl7v2.segments.rf1 import rf1_to_service_request
from mappings.hl7v2.visit import details, note, open_message, open_visit, relatives

TRIGGERS = ("REF^I12",)


def map_message(draft: Draft) -> None:
    """Map a referral.

    Raises `MissingSegment` without RF1: nothing is referred then.
    """
    rf1 = draft.reader.first("RF1")
    if rf1 is None:
        raise faults.MissingSegment("RF1")
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    request = rf1_to_service_request(rf1, draft)
    _people(draft, request)
    Results(draft, lambda nte: note(request, nte, draft)).take()
    conditions = [reference(entry["condition"]["reference"]) for entry in (encounter or {}).get("diagnosis", [])]
    if conditions:
        request["reasonReference"] = conditions
    draft.add(request)


def _people(draft: Draft, request: dict[str, Any]) -> None:
    """Take PRD and CTD: RP refers, RT is referred to; other roles are kept as people without a part in the request."""
    provider: Provider | None = None
    for segment in draft.reader.segments:
        if segment.name == "PRD":
            provider = prd_to_provider(segment, draft)
            if "RP" in provider.roles and "requester" not in request and provider.both:
                request["requester"] = provider.person or provider.place
            elif "RT" in provider.roles:
                present = request.setdefault("performer", [])
                present += [one for one in provider.both if one not in present]
        elif segment.name == "CTD":
            _contact(draft, segment, provider)
    if not request.get("performer"):
        request.pop("performer", None)
    facility = this_facility(draft)
    if "requester" not in request and facility:
        request["requester"] = facility


def _contact(draft: Draft, ctd: Segment, provider: Provider | None) -> None:
    if provider is None or provider.place is None:
        return
    contact = ctd_to_contact(ctd, draft)
    if contact:
        draft.get(provider.place["reference"]).setdefault("contact", []).append(contact)
