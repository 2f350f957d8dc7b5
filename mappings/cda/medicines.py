"""Entries about medicines: asked for, taken, given, handed out, and immunisations.

Standard: CDA R2 §4.3.6.7, §4.3.6.8
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.cda import dosage
from mappings.cda.datatypes import amount, interval, time, when
from mappings.cda.elements import beside
from mappings.cda.markup import Markup, el
from mappings.cda.writer import Writer
from mappings.outcome import Resource
from mappings.systems import LOINC

_REQUESTED = {"proposal": "PRP", "plan": "INT"}
_DOSES = {"MedicationRequest": "dosageInstruction", "MedicationStatement": "dosage"}


def medication_request_to_substance_administration(request: Resource, w: Writer) -> Markup:
    """Make the order of a medicine: RQO, a plan INT, a proposal PRP; what shall be handed out is a supply inside."""
    said = request.get("dosageInstruction", [])
    return _administration(
        request,
        w,
        said,
        _REQUESTED.get(request.get("intent", ""), "RQO"),
        w.people.author(request.get("requester"), request.get("authoredOn")),
        None,
        _dispense_request(request, w),
        denied=bool(request.get("doNotPerform")),
        priority=w.priority(request),
        performers=w.performers({"performer": [request["performer"]]} if request.get("performer") else {}),
    )


def medication_statement_to_substance_administration(statement: Resource, w: Writer) -> Markup:
    """Make what somebody says a person takes; what is meant to be taken is INT."""
    return _administration(
        statement,
        w,
        statement.get("dosage", []),
        "INT" if statement.get("status") == "intended" else "EVN",
        w.people.author(None, statement.get("dateAsserted")),
        w.people.informant(statement.get("informationSource")),
        denied=statement.get("status") == "not-taken",
        at=w.when(statement, "effective"),
    )


def medication_administration_to_substance_administration(administration: Resource, w: Writer) -> Markup:
    """Make what was given; what was not given is negated."""
    said = [administration["dosage"]] if administration.get("dosage") else []
    return _administration(
        administration,
        w,
        said,
        "EVN",
        None,
        None,
        denied=administration.get("status") == "not-done",
        at=w.when(administration, "effective"),
        performers=w.performers(administration),
    )


def _administration(
    resource: Resource,
    w: Writer,
    dosages: Sequence[dict[str, Any]],
    mood: str,
    author: Markup | None,
    informant: Markup | None,
    *more: Markup | None,
    denied: bool = False,
    priority: Markup | None = None,
    at: Markup | None = None,
    performers: Sequence[Markup | None] = (),
) -> Markup:
    """Make a SubstanceAdministration: the first dosage is its own, others stand inside in their order."""
    medication = w.source.get(resource.get("medicationReference"))
    first = dosages[0] if dosages else {}
    form = (medication or {}).get("form")
    return el(
        "substanceAdministration",
        *w.ids(resource),
        w.text(resource),
        w.status(resource),
        _typed(at),
        *dosage.effective_times(first),
        priority,
        w.coded("routeCode", first["route"]) if first.get("route") else None,
        w.coded("approachSiteCode", first["site"]) if first.get("site") else None,
        *dosage.doses(first),
        dosage.limit(first),
        w.coded("administrationUnitCode", form) if form else None,
        el("consumable", _product(resource, medication, w)),
        *performers,
        author,
        informant,
        *([w.people.device(w.source.get(d), d.get("display", "")) for d in resource.get("device", [])]),
        *dosage.instructions(first, w, _path(resource, 0)),
        *(w.related("COMP", _further(one, w, _path(resource, n)), number=n + 1) for n, one in enumerate(dosages) if n),
        *(beside(medication, w) if medication else []),
        *more,
        *beside(resource, w),
        *w.notes(resource),
        dosage.precondition(first, w),
        classCode="SBADM",
        moodCode=mood,
        negationInd="true" if denied else None,
    )


def _path(resource: Resource, number: int) -> str:
    """Give the path of a dosage; `""` where the whole of it is said by paths."""
    element = _DOSES.get(resource["resourceType"])
    return f"{resource['resourceType']}.{element}[{number}]" if element else ""


def _typed(at: Markup | None) -> Markup | None:
    """Say that `effectiveTime` is an interval where it is one: the schema takes it for a moment."""
    if at is None or not any(piece.startswith("<low") for piece in at):
        return at
    return (at[0].replace("<effectiveTime", '<effectiveTime xsi:type="IVL_TS"', 1), *at[1:])


def _further(said: dict[str, Any], w: Writer, path: str) -> Markup:
    """Make a further dosage of the same medicine."""
    nothing = el("manufacturedMaterial", nullFlavor="NA")
    return el(
        "substanceAdministration",
        *dosage.effective_times(said),
        w.coded("routeCode", said["route"]) if said.get("route") else None,
        w.coded("approachSiteCode", said["site"]) if said.get("site") else None,
        *dosage.doses(said),
        dosage.limit(said),
        el("consumable", el("manufacturedProduct", nothing)),
        *dosage.instructions(said, w, path),
        dosage.precondition(said, w),
        classCode="SBADM",
        moodCode="RQO",
    )


def _product(resource: Resource, medication: Resource | None, w: Writer, tag: str = "manufacturedProduct") -> Markup:
    """Make the medicine: its code and name, lot, maker."""
    known = medication or {}
    code = resource.get("medicationCodeableConcept") or known.get("code") or _named(resource)
    lot = known.get("batch", {}).get("lotNumber")
    maker = known.get("manufacturer", {})
    return el(
        tag,
        *([*w.ids(medication)] if medication else []),
        el("manufacturedMaterial", w.coded("code", code), el("lotNumberText", lot) if lot else None),
        _maker(maker, w),
        classCode="MANU",
    )


def _named(resource: Resource) -> dict[str, Any] | None:
    """Give the name of a medicine the document has nothing else of."""
    shown = resource.get("medicationReference", {}).get("display")
    return {"text": shown} if shown else None


def _maker(reference: dict[str, Any], w: Writer) -> Markup | None:
    found = w.source.get(reference)
    if found:
        return w.people.organization(found, "manufacturerOrganization")
    shown = reference.get("display")
    return el("manufacturerOrganization", el("name", shown)) if shown else None


def _dispense_request(request: Resource, w: Writer) -> Markup | None:
    """Make the supply that an order asks for: how much, how often, until when, from whom."""
    said = request.get("dispenseRequest", {})
    if not said:
        return None
    repeats = said.get("numberOfRepeatsAllowed")
    duration = said.get("expectedSupplyDuration")
    supply = el(
        "supply",
        el("statusCode", code="active"),
        interval("effectiveTime", said["validityPeriod"], "IVL_TS") if said.get("validityPeriod") else None,
        el("repeatNumber", value=str(repeats + 1)) if repeats is not None else None,
        amount("quantity", said["quantity"]) if said.get("quantity") else None,
        el("expectedUseTime", amount("width", duration)) if duration else None,
        w.people.performer(said.get("performer")),
        classCode="SPLY",
        moodCode="RQO",
    )
    return w.related("REFR", supply)


def medication_dispense_to_supply(dispense: Resource, w: Writer) -> Markup:
    """Make what was handed out."""
    medication = w.source.get(dispense.get("medicationReference"))
    supplied = dispense.get("daysSupply")
    kind = dispense.get("type")
    return el(
        "supply",
        *w.ids(dispense),
        w.coded("code", kind) if kind else None,
        w.text(dispense),
        w.status(dispense),
        time("effectiveTime", dispense["whenHandedOver"]) if dispense.get("whenHandedOver") else None,
        amount("quantity", dispense["quantity"]) if dispense.get("quantity") else None,
        el("expectedUseTime", amount("width", supplied)) if supplied else None,
        el("product", _product(dispense, medication, w)),
        *w.performers(dispense),
        *(beside(medication, w) if medication else []),
        *beside(dispense, w),
        *w.notes(dispense),
        classCode="SPLY",
        moodCode="EVN",
    )


def immunization_to_substance_administration(immunization: Resource, w: Writer) -> Markup:
    """Make a vaccination: vaccine, lot, maker, dose in its series; one that did not take place is negated."""
    lot = immunization.get("lotNumber")
    material = el(
        "manufacturedMaterial",
        w.coded("code", immunization.get("vaccineCode")),
        el("lotNumberText", lot) if lot else None,
    )
    at = when(immunization, "occurrence")
    site = immunization.get("site")
    return el(
        "substanceAdministration",
        *w.ids(immunization),
        w.text(immunization),
        w.status(immunization),
        _typed(at),
        w.coded("routeCode", immunization["route"]) if immunization.get("route") else None,
        w.coded("approachSiteCode", site) if site else None,
        amount("doseQuantity", immunization["doseQuantity"]) if immunization.get("doseQuantity") else None,
        el(
            "consumable",
            el("manufacturedProduct", material, _maker(immunization.get("manufacturer", {}), w), classCode="MANU"),
        ),
        *w.performers(immunization),
        w.people.author(None, immunization.get("recorded")),
        *w.locations(immunization, "location"),
        *(_dose_number(protocol, w) for protocol in immunization.get("protocolApplied", [])),
        *beside(immunization, w),
        *w.notes(immunization),
        classCode="SBADM",
        moodCode="EVN",
        negationInd="true" if immunization.get("status") == "not-done" else None,
    )


def _dose_number(protocol: dict[str, Any], w: Writer) -> Markup | None:
    """Say which dose of a series it is; the rest of a protocol is said by its paths."""
    code = w.types.code("code", LOINC, "30973-2", "Dose number in series")
    if "doseNumberPositiveInt" in protocol:
        said = el("value", xsi_type="INT", value=str(protocol["doseNumberPositiveInt"]))
    elif protocol.get("doseNumberString"):
        said = el("value", protocol["doseNumberString"], xsi_type="ST")
    else:
        return None
    return w.related("SUBJ", w.observation(code, said))
