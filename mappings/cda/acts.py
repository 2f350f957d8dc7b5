"""Entries about what was done and what is planned: procedures, requests, plans, goals, appointments, visits, assessments.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from typing import Any

from mappings.cda.datatypes import interval, time, value
from mappings.cda.elements import beside
from mappings.cda.markup import Markup, el
from mappings.cda.writer import Writer
from mappings.outcome import Resource
from mappings.systems import LOINC

_INTENT = {"proposal": "PRP", "plan": "INT", "order": "RQO"}
_ASKED = frozenset({"proposed", "pending", "waitlist"})


def procedure_to_procedure(procedure: Resource, w: Writer) -> Markup:
    """Make a procedure; one that was not done is negated."""
    devices = [one.get("manipulated") for one in procedure.get("focalDevice", [])] + procedure.get("usedReference", [])
    return el(
        "procedure",
        *w.ids(procedure),
        w.coded("code", procedure.get("code")),
        w.text(procedure),
        w.status(procedure),
        w.when(procedure, "performed"),
        *w.sites(procedure, "bodySite", "targetSiteCode"),
        *w.performers(procedure),
        w.people.author(procedure.get("recorder"), None),
        w.people.informant(procedure.get("asserter")),
        *(w.people.device(w.source.get(one), one.get("display", "")) for one in devices if one),
        *w.locations(procedure, "location"),
        *beside(procedure, w),
        *w.notes(procedure),
        classCode="PROC",
        moodCode="EVN",
        negationInd="true" if procedure.get("status") == "not-done" else None,
    )


def service_request_to_act(request: Resource, w: Writer) -> Markup:
    """Make a request: RQO, a plan INT, a proposal PRP."""
    timing = request.get("occurrenceTiming", {}).get("repeat", {}).get("boundsPeriod")
    return el(
        "act",
        *w.ids(request),
        w.coded("code", request.get("code")),
        w.text(request),
        w.status(request),
        w.when(request, "occurrence") or (interval("effectiveTime", timing) if timing else None),
        w.priority(request),
        *w.performers(request),
        w.people.author(request.get("requester"), request.get("authoredOn")),
        *w.locations(request, "locationReference"),
        *beside(request, w),
        *w.notes(request),
        classCode="ACT",
        moodCode=_INTENT.get(request.get("intent", ""), "RQO"),
        negationInd="true" if request.get("doNotPerform") else None,
    )


def care_plan_to_act(plan: Resource, w: Writer) -> Markup:
    """Make a plan with its activities and goals inside."""
    return el(
        "act",
        *w.ids(plan),
        w.types.code("code", LOINC, "18776-5", "Plan of care note"),
        w.text(plan, plan.get("description") or plan.get("title") or ""),
        w.status(plan),
        interval("effectiveTime", plan["period"]) if plan.get("period") else None,
        w.people.author(plan.get("author"), plan.get("created")),
        *(w.related("COMP", _activity(one["detail"], w)) for one in plan.get("activity", []) if one.get("detail")),
        *beside(plan, w),
        *w.notes(plan),
        classCode="ACT",
        moodCode="INT",
    )


def _activity(detail: dict[str, Any], w: Writer) -> Markup:
    shown = detail.get("description")
    return el(
        "act",
        w.coded("code", detail.get("code")),
        el("text", shown) if shown else None,
        w.status(detail),
        interval("effectiveTime", detail["scheduledPeriod"]) if detail.get("scheduledPeriod") else None,
        *w.performers(detail),
        classCode="ACT",
        moodCode="INT",
    )


def goal_to_observation(goal: Resource, w: Writer) -> Markup:
    """Make a goal: code and value are what is measured and shall be reached, the day it is due ends its time."""
    targets = goal.get("target", [])
    measured = bool(targets and targets[0].get("measure"))
    due = next((target["dueDate"] for target in targets if target.get("dueDate")), None)
    start = goal.get("startDate")
    return el(
        "observation",
        *w.ids(goal),
        w.coded("code", targets[0]["measure"] if measured else goal.get("description")),
        w.text(goal, goal.get("description", {}).get("text", "")),
        el("statusCode", code="active"),
        interval("effectiveTime", {"start": start, "end": due}) if start or due else None,
        value(_details(targets[0]), w.types) if measured else None,
        w.people.author(goal.get("expressedBy"), None),
        *(w.related("COMP", _target(target, w)) for target in targets[1:] if target.get("measure")),
        *beside(goal, w),
        *w.notes(goal),
        classCode="OBS",
        moodCode="GOL",
    )


def _target(target: dict[str, Any], w: Writer) -> Markup:
    return w.observation(w.coded("code", target["measure"]), value(_details(target), w.types), mood="GOL")


def _details(target: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("detail", "value", 1): said for key, said in target.items() if key.startswith("detail")}


def appointment_to_encounter(appointment: Resource, w: Writer) -> Markup:
    """Make an appointment: APT, one that is not settled yet ARQ."""
    asked: dict[str, Any] = next(iter(appointment.get("requestedPeriod", [])), {})
    start, end = appointment.get("start") or asked.get("start"), appointment.get("end") or asked.get("end")
    kinds = [*appointment.get("serviceType", []), appointment.get("appointmentType")]
    actors = [part["actor"] for part in appointment.get("participant", []) if part.get("actor")]
    people = [actor for actor in actors if _kind(actor, w) in ("Practitioner", "PractitionerRole")]
    places = [actor for actor in actors if _kind(actor, w) == "Location"]
    return el(
        "encounter",
        *w.ids(appointment),
        w.coded("code", kinds[0]) if kinds[0] else None,
        w.text(appointment),
        w.status(appointment),
        interval("effectiveTime", {"start": start, "end": end}) if start or end else None,
        *(w.people.performer(actor) for actor in people),
        w.people.author(None, appointment.get("created")),
        *(w.people.place(w.source.get(actor), actor.get("display", "")) for actor in places),
        *beside(appointment, w),
        classCode="ENC",
        moodCode="ARQ" if appointment.get("status") in _ASKED else "APT",
    )


def _kind(reference: dict[str, Any], w: Writer) -> str:
    found = w.source.get(reference)
    return str(found["resourceType"] if found else reference.get("type", ""))


def encounter_to_encounter(encounter: Resource, w: Writer) -> Markup:
    """Make a visit other than the one the document is about."""
    places = [one["location"] for one in encounter.get("location", []) if one.get("location")]
    people = [part["individual"] for part in encounter.get("participant", []) if part.get("individual")]
    kinds = [{"coding": [encounter["class"]]} if encounter.get("class") else None]
    return el(
        "encounter",
        *w.ids(encounter),
        w.coded("code", kinds[0]) if kinds[0] else None,
        w.text(encounter),
        w.status(encounter),
        interval("effectiveTime", encounter["period"]) if encounter.get("period") else None,
        *(w.people.performer(one) for one in people),
        *(w.people.place(w.source.get(one), one.get("display", "")) for one in places),
        *beside(encounter, w),
        classCode="ENC",
        moodCode="EVN",
    )


def clinical_impression_to_act(impression: Resource, w: Writer) -> Markup:
    """Make an assessment: its words, the problems and findings it is about."""
    shown = impression.get("summary") or impression.get("description") or ""
    return el(
        "act",
        *w.ids(impression),
        w.coded("code", impression.get("code"))
        if impression.get("code")
        else w.types.code("code", LOINC, "51848-0", "Evaluation note"),
        w.text(impression, shown),
        w.status(impression),
        w.when(impression, "effective"),
        w.people.author(impression.get("assessor"), impression.get("date")),
        *beside(impression, w),
        *w.notes(impression),
        classCode="ACT",
        moodCode="EVN",
    )


def resource_to_act(resource: Resource, w: Writer) -> Markup:
    """Make an act of a resource that has no entry of its own kind: which one, what it is, when."""
    code = next((said for name in ("code", "type", "category") if (said := resource.get(name))), None)
    concept = code[0] if isinstance(code, list) else code
    at = next(
        (resource[name] for name in ("authoredOn", "authored", "date", "sent", "created") if resource.get(name)), ""
    )
    return el(
        "act",
        *w.ids(resource),
        w.coded("code", concept if isinstance(concept, dict) else {"text": resource["resourceType"]}),
        w.text(resource),
        w.status(resource),
        time("effectiveTime", at) if at else None,
        *beside(resource, w),
        *w.notes(resource),
        classCode="ACT",
        moodCode="EVN",
    )
