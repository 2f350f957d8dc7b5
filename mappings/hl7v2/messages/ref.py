"""REF, RRI, RQA, RPA: referral of a patient to another facility, or request of an insurer's authorisation, and the answer.

I12 refers, I13 changes, I14 cancels, I15 asks how it stands; I08 to I11 are the same towards an insurer. What is asked for is a
ServiceRequest, where it stands a Task; both are the same resource in every message about them. Who asks how it stands does not
say how: I15 has no Task.

Standard: HL7 v2.5.1 §11.4, §11.5
Requirement: S3.14
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference, this_facility
from mappings.hl7v2.datatypes import code_of, compact
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.orders import Results
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.aut import aut_to_claim_response
from mappings.hl7v2.segments.ctd import ctd_to_contact
from mappings.hl7v2.segments.prd import Provider, prd_to_provider
from mappings.hl7v2.segments.rf1 import REFERRAL, referral_status, rf1_to_service_request, rf1_to_task
from mappings.hl7v2.visit import note, open_message, open_visit, relatives
from mappings.ids import resource_id

TRIGGERS = tuple(
    f"{kind}^I{event:02}"
    for kinds, events in ((("REF", "RRI"), range(12, 16)), (("RQA", "RPA"), range(8, 12)))
    for kind in kinds
    for event in events
)


def map_message(draft: Draft) -> None:
    """Map a referral or the answer to one.

    Raises `MissingSegment` with neither RF1 nor PRD: nobody is referred to anybody then.
    """
    rf1 = draft.reader.first("RF1")
    if rf1 is None and draft.reader.first("PRD") is None:
        raise faults.MissingSegment("RF1")
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    request = rf1_to_service_request(rf1, draft) if rf1 else _without_number(draft)
    _people(draft, request)
    _authorisations(draft, request)
    Results(draft, lambda nte: note(request, nte, draft)).take()
    conditions = [reference(entry["condition"]["reference"]) for entry in (encounter or {}).get("diagnosis", [])]
    if conditions:
        request["reasonReference"] = conditions
    draft.add(request, *([rf1] if rf1 else []), *draft.reader.all("PRD"))
    if rf1 and draft.trigger != "REF^I15":
        draft.add(rf1_to_task(rf1, draft, request, _answer(draft)), rf1)


def _without_number(draft: Draft) -> dict[str, Any]:
    """Make the referral of a message that tells only who refers to whom (RF1 may be absent)."""
    system, key = (
        draft.context.systems.local(draft.context.facility, "referral"),
        draft.own_key(draft.reader.all("PRD")[0]),
    )
    return compact(
        {
            "resourceType": "ServiceRequest",
            "id": resource_id("ServiceRequest", system, key),
            "status": referral_status(draft.event, ""),
            "intent": "order",
            "category": [REFERRAL],
            "subject": reference(draft.patient),
            "encounter": reference(draft.encounter) if draft.encounter else {},
        }
    )


def _answer(draft: Draft) -> str | None:
    """Give MSA-1 of an answer; `None` of a request."""
    if draft.trigger[:3] in ("REF", "RQA"):
        return None
    msa = draft.reader.first("MSA")
    return code_of(msa.peek(1).text).upper() if msa else ""


def _authorisations(draft: Draft, request: dict[str, Any]) -> None:
    for aut in draft.reader.all("AUT"):
        found = aut_to_claim_response(aut, draft)
        if found:
            target = reference(draft.add(found, aut))
            if target not in request.setdefault("insurance", []):
                request["insurance"].append(target)


def _people(draft: Draft, request: dict[str, Any]) -> None:
    """Take PRD and CTD: RP refers, RT is referred to; people in other roles are worth knowing to who is referred to."""
    provider: Provider | None = None
    performers: list[Any] = []
    others: list[Any] = []
    for segment in draft.reader.segments:
        if segment.name == "PRD":
            provider = prd_to_provider(segment, draft)
            if "RP" in provider.roles and "requester" not in request and provider.both:
                request["requester"] = provider.person or provider.place
            else:
                present = performers if "RT" in provider.roles else others
                present += [one for one in provider.both if one not in present]
        elif segment.name == "CTD":
            _contact(draft, segment, provider)
    performers += [one for one in request.get("performer", []) if one not in performers]
    if performers:
        request["performer"] = performers
    if others:
        request["supportingInfo"] = others
    if "requester" not in request and _answer(draft) is None:
        facility = this_facility(draft)
        if facility:
            request["requester"] = facility


def _contact(draft: Draft, ctd: Segment, provider: Provider | None) -> None:
    if provider is None or provider.place is None:
        return
    contact = ctd_to_contact(ctd, draft)
    if contact:
        place = draft.get(provider.place["reference"])
        place.setdefault("contact", []).append(contact)
        draft.add(place, ctd)
