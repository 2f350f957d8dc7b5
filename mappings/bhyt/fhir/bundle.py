"""One visit as one FHIR Bundle of type collection, as the community guide's vn-core-bhyt-submission-bundle describes it.

Identified by MA_LK. The portal takes XML, not this: the Bundle is what `lienthong bhyt` prints and takes.

Standard: community guide VN Core 0.6.0 (vn-core-bhyt-submission-bundle); FHIR R4 §2.36
"""

from __future__ import annotations

from datetime import date
from typing import Any

from mappings.bhyt.decisions import digits_to_day
from mappings.bhyt.faults import VisitUnknown
from mappings.bhyt.fhir import xml0
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import concept, date_to_digits
from mappings.bhyt.fhir.frame import record_to_visit
from mappings.bhyt.sheet import number_of
from mappings.bhyt.visits import Visit
from mappings.ids import resource_id
from mappings.outcome import Outcome, Resource
from mappings.systems import DEFAULT, Systems


def outcome_to_bundle(outcome: Outcome, number: str, systems: Systems = DEFAULT) -> dict[str, Any]:
    """Make the Bundle of a visit; `number` is MA_LK, and a bare table without one gives a Bundle without identifier.

    Every resource stands at `<own base>/<type>/<id>`, so that the relative references inside lead to it.
    """
    key = number or f"{outcome.patient_id}"
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "id": resource_id("Bundle", systems.episode, f"{outcome.encounter_id}|{key}"),
    }
    if number:
        kind = concept("MA_LK", f"{systems.national}/CodeSystem/vn-identifier-type-cs")
        bundle["identifier"] = {"type": kind, "system": systems.episode, "value": number}
    bundle["type"] = "collection"
    if outcome.sent_at:
        bundle["timestamp"] = f"{outcome.sent_at[:10]}T00:00:00+07:00"
    bundle["entry"] = [
        {"fullUrl": f"{systems.own}/{one['resourceType']}/{one['id']}", "resource": one} for one in outcome.resources
    ]
    return bundle


def bundle_to_visit(
    bundle: Resource,
    *,
    decision: str,
    facility: str = "",
    head: str = "",
    systems: Systems = DEFAULT,
    check_in: bool = False,
) -> Visit:
    """Write the tables of the visit a Bundle holds: the one its identifier names, else the only one.

    `facility` is MA_CSKCB where the Encounter names no provider with one. The day the file is made (`made_on`) is the Bundle's
    timestamp. `check_in` adds XML0, of what was ordered or charged first, to a visit that did not come with one. Raises
    VisitUnknown for no visit, and for several of which none is named.
    """
    resources = [entry["resource"] for entry in bundle.get("entry", ()) if "resource" in entry]
    visits = [one for one in resources if one.get("resourceType") == "Encounter"]
    number = bundle.get("identifier", {}).get("value", "")
    named = [one for one in visits if number and any(i.get("value") == number for i in one.get("identifier", ()))]
    chosen = named or visits
    if len(chosen) > 1 or (not chosen and not resources):
        raise VisitUnknown("Bundle.entry", f"{len(chosen)} Encounter")
    encounter = chosen[0] if chosen else {}
    people = [one["id"] for one in resources if one.get("resourceType") == "Patient"]
    provider = encounter.get("serviceProvider", {}).get("reference", "")
    place: Resource = next((one for one in resources if f"{one.get('resourceType')}/{one.get('id')}" == provider), {})
    facility = number_of(place, lambda system: system == systems.facility) or facility
    visit = record_to_visit(
        resources,
        encounter.get("id"),
        systems=systems,
        decision=decision,
        facility=facility,
        head=head,
        patient_id=people[0] if len(people) == 1 else None,
    )
    tables = dict(visit.tables)
    if check_in and encounter and "XML0" not in tables:
        opened = Dossier(resources, encounter["id"], systems=systems, decision=decision, facility=facility)
        tables |= {"XML0": (row,)} if (row := xml0.check_in(opened)) else {}
    return Visit(tables, facility=visit.facility, made_on=_day(bundle.get("timestamp", "")))


def _day(timestamp: str) -> date | None:
    return digits_to_day(date_to_digits(timestamp)) if timestamp else None
