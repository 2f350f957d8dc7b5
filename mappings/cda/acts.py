"""Entries about what was done and what is planned: procedures, requests, plans, goals, appointments, visits, assessments.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from typing import Any

from mappings.cda.datatypes import interval, quantity, time, value
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
        *(w.element("Procedure.category", one) for one in _listed(procedure.get("category"))),
        w.element("Procedure.statusReason", procedure.get("statusReason")),
        w.element("Procedure.outcome", procedure.get("outcome")),
        *(w.element("Procedure.complication", one) for one in procedure.get("complication", [])),
        *(w.element("Procedure.followUp", one) for one in procedure.get("followUp", [])),
        *(w.element("Procedure.usedCode", one) for one in procedure.get("usedCode", [])),
        *_functions(procedure, w),
        _text_element("Procedure.performed", procedure.get("performedString"), w),
        *w.reasons(procedure),
        *w.references(procedure, "REFR", "basedOn", "partOf", "report", "complicationDetail"),
        w.state(procedure),
        *w.notes(procedure),
        classCode="PROC",
        moodCode="EVN",
        negationInd="true" if procedure.get("status") == "not-done" else None,
    )


def _listed(said: Any) -> list[dict[str, Any]]:
    return said if isinstance(said, list) else [said] if said else []


def _functions(procedure: Resource, w: Writer) -> list[Markup | None]:
    """Say what a performer did, where that is told; CDA has the performer's function in the header only."""
    return [
        w.element("Procedure.performer.function", one["function"])
        for one in procedure.get("performer", [])
        if one.get("function")
    ]


def _text_element(path: str, said: str | None, w: Writer) -> Markup | None:
    return w.element(path, None, el("value", said, xsi_type="ST")) if said else None


def service_request_to_act(request: Resource, w: Writer) -> Markup:
    """Make a request: RQO, a plan INT, a proposal PRP."""
    timing = request.get("occurrenceTiming", {}).get("repeat", {}).get("boundsPeriod")
    quantity_of = request.get("quantityQuantity")
    told = request.get("patientInstruction")
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
        *(w.element("ServiceRequest.category", one) for one in request.get("category", [])),
        *(w.element("ServiceRequest.orderDetail", one) for one in request.get("orderDetail", [])),
        *(w.element("ServiceRequest.bodySite", one) for one in request.get("bodySite", [])),
        *(w.element("ServiceRequest.locationCode", one) for one in request.get("locationCode", [])),
        w.element("ServiceRequest.performerType", request.get("performerType")),
        w.element("ServiceRequest.quantity", None, quantity("value", quantity_of)) if quantity_of else None,
        w.element_code(request, "intent", _narrow(request)),
        _text_element("ServiceRequest.patientInstruction", told, w),
        *w.reasons(request),
        *w.references(request, "REFR", "basedOn", "specimen", "supportingInfo"),
        w.state(request),
        *w.notes(request),
        classCode="ACT",
        moodCode=_INTENT.get(request.get("intent", ""), "RQO"),
        negationInd="true" if request.get("doNotPerform") else None,
    )


def _narrow(request: Resource) -> str | None:
    intent = request.get("intent")
    return None if intent in _INTENT else intent


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
        *(w.element("CarePlan.category", one) for one in plan.get("category", [])),
        *(w.related("COMP", _activity(one["detail"], w)) for one in plan.get("activity", []) if one.get("detail")),
        *(one for part in plan.get("activity", []) for one in w.references(part, "COMP", "reference")),
        *w.references(plan, "RSON", "addresses"),
        *w.references(plan, "COMP", "goal"),
        w.element_code(plan, "intent", plan.get("intent")),
        w.state(plan),
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
        *w.reasons(detail),
        classCode="ACT",
        moodCode="INT",
    )


def goal_to_observation(goal: Resource, w: Writer) -> Markup:
    """Make a goal; what shall be reached stands inside, the day it is due ends its time."""
    targets = goal.get("target", [])
    due = next((target["dueDate"] for target in targets if target.get("dueDate")), None)
    start = goal.get("startDate")
    return el(
        "observation",
        *w.ids(goal),
        w.coded("code", goal.get("description")),
        w.text(goal),
        el("statusCode", code="active"),
        interval("effectiveTime", {"start": start, "end": due}) if start or due else None,
        w.people.author(goal.get("expressedBy"), goal.get("statusDate")),
        w.element_code(goal, "lifecycleStatus", goal.get("lifecycleStatus")),
        w.element("Goal.achievementStatus", goal.get("achievementStatus")),
        w.element("Goal.priority", goal.get("priority")),
        *(w.element("Goal.category", one) for one in goal.get("category", [])),
        *(w.related("COMP", _target(target, w)) for target in targets if target.get("measure")),
        *w.references(goal, "RSON", "addresses"),
        *w.notes(goal),
        classCode="OBS",
        moodCode="GOL",
    )


def _target(target: dict[str, Any], w: Writer) -> Markup:
    details = {key.replace("detail", "value", 1): said for key, said in target.items() if key.startswith("detail")}
    return w.observation(w.coded("code", target["measure"]), value(details, w.types), mood="GOL")


def appointment_to_encounter(appointment: Resource, w: Writer) -> Markup:
    """Make an appointment: APT, one that is not settled yet ARQ."""
    asked: dict[str, Any] = next(iter(appointment.get("requestedPeriod", [])), {})
    start, end = appointment.get("start") or asked.get("start"), appointment.get("end") or asked.get("end")
    kinds = [*appointment.get("serviceType", []), *_listed(appointment.get("appointmentType"))]
    actors = [part["actor"] for part in appointment.get("participant", []) if part.get("actor")]
    people = [actor for actor in actors if _kind(actor, w) in ("Practitioner", "PractitionerRole")]
    places = [actor for actor in actors if _kind(actor, w) == "Location"]
    shown = appointment.get("comment") or appointment.get("description")
    return el(
        "encounter",
        *w.ids(appointment),
        w.coded("code", kinds[0]) if kinds else None,
        w.text(appointment),
        w.status(appointment),
        interval("effectiveTime", {"start": start, "end": end}) if start or end else None,
        *(w.people.performer(actor) for actor in people),
        w.people.author(None, appointment.get("created")),
        *(w.people.place(w.source.get(actor), actor.get("display", "")) for actor in places),
        *(w.element("Appointment.serviceType", one) for one in kinds[1:]),
        *w.reasons(appointment),
        *w.references(appointment, "REFR", "basedOn"),
        w.state(appointment),
        w.related("SUBJ", w.remark("48767-8", "Annotation comment", shown), inverted=True) if shown else None,
        _text_element("Appointment.patientInstruction", appointment.get("patientInstruction"), w),
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
    kinds = [{"coding": [encounter["class"]]} if encounter.get("class") else None, *encounter.get("type", [])]
    known = [kind for kind in kinds if kind]
    return el(
        "encounter",
        *w.ids(encounter),
        w.coded("code", known[0]) if known else None,
        w.text(encounter),
        w.status(encounter),
        interval("effectiveTime", encounter["period"]) if encounter.get("period") else None,
        *(w.people.performer(one) for one in people),
        *(w.people.place(w.source.get(one), one.get("display", "")) for one in places),
        *(w.element("Encounter.type", one) for one in known[1:]),
        *w.reasons(encounter),
        w.state(encounter),
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
        *(
            w.related("SPRT", w.assertion(one["itemCodeableConcept"]))
            for one in impression.get("finding", [])
            if one.get("itemCodeableConcept")
        ),
        *(one for part in impression.get("finding", []) for one in w.references(part, "SPRT", "itemReference")),
        *w.references(impression, "REFR", "problem", "supportingInfo"),
        *(w.element("ClinicalImpression.prognosis", one) for one in impression.get("prognosisCodeableConcept", [])),
        w.state(impression),
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
        w.state(resource),
        *w.notes(resource),
        classCode="ACT",
        moodCode="EVN",
    )
