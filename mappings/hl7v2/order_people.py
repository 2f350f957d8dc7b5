"""Who takes part in an order, a result or a specimen, as PRT says it after them.

Standard: HL7 v2.8 §7.4.4; HL7 v2-to-FHIR, ORU_R01 and OML_O21, PRT
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.participation import Participation, to_care_team
from mappings.outcome import Resource

_INTERPRETERS = frozenset({"PRI", "PI"})
_PERFORMERS = frozenset({"ARI", "AI", "TN", "TR", "AP", "AHP", "APO", "PO", "POMD", "MDIR", "RO", "VP"})
_EVENT_LOCATION = "http://hl7.org/fhir/StructureDefinition/event-location"


def to_result(part: Participation, observation: Resource, draft: Draft) -> None:
    """Keep people and organisations as performers of a result, a device as its device, a place as where it was."""
    if part.removed:
        return
    if part.device and "device" not in observation:
        observation["device"] = part.device
    _join(observation, "performer", [one for one in part.actors(draft) if one != part.device])
    if part.location:
        entry = {"url": _EVENT_LOCATION, "valueReference": part.location}
        observation.setdefault("extension", []).append(entry)


def to_specimen(part: Participation, specimen: Resource, draft: Draft) -> None:
    """Keep who took the specimen; anybody else with the person."""
    people = part.actors(draft) if part.people and not part.removed else []
    if people and part.code in ("SC", "CLP", ""):
        specimen["collection"] = {**specimen.get("collection", {}), "collector": people[0]}
    else:
        to_care_team(part, draft, draft.patient, draft.encounter)


def to_order(
    part: Participation, request: dict[str, Any], report: dict[str, Any] | None, specimens: list[Resource], draft: Draft
) -> None:
    """Keep a participation in an order with the request, its report or its specimen, as the role says.

    Roles that none of them has stay with the CareTeam of the visit.
    """
    if part.removed:
        return
    actors = [one for one in part.actors(draft) if one != part.device]
    if part.device and draft.patient:
        draft.get(part.device["reference"]).setdefault("patient", draft.refer(draft.patient))
    if part.location:
        _join(request, "locationReference", [part.location])
    if not actors:
        return
    if part.code == "OP":
        request["requester"] = actors[0]
    elif part.code == "RCT":
        url = f"{draft.context.systems.own}/StructureDefinition/result-copy-to"
        request.setdefault("extension", []).extend({"url": url, "valueReference": one} for one in actors)
    elif part.code in ("SC", "CLP") and specimens:
        for specimen in specimens:
            if "collector" not in specimen.get("collection", {}):
                to_specimen(part, specimen, draft)
    elif part.code in _INTERPRETERS and report is not None:
        _join(report, "resultsInterpreter", actors)
    elif part.code in _PERFORMERS | _INTERPRETERS:
        _join(request if report is None else report, "performer", actors)
    else:
        to_care_team(part, draft, draft.patient, draft.encounter)


def _join(resource: dict[str, Any], name: str, members: list[Any]) -> None:
    if members:
        present = resource.setdefault(name, [])
        known = {one["reference"] for one in present}
        present += [one for one in members if one["reference"] not in known]
