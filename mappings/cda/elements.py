"""What CDA has neither a place nor a code for, said all the same: by an entry whose code is the path of the FHIR element.

The code system of the paths is the URI of FHIR's own definitions. Whoever does not know it reads a code and a value, whoever
does (`mappings/cda/read`) gets the element back. `BESIDE` says which elements go this way; an entry never says them twice in
ways that could differ, because both come from the same element.

Standard: FHIR R4 §2.6 (element definitions)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from mappings.cda.datatypes import amount, interval, quantity, quantity_range, ratio, time
from mappings.cda.markup import Markup, el, kept
from mappings.cda.writer import COMPLETED, FHIR, Writer
from mappings.fhir import tables
from mappings.outcome import Resource

PATHS = f"{FHIR}/StructureDefinition"
"""Code system of paths such as `Immunization.protocolApplied[0].series`."""

_ALL = frozenset({"*"})
_CONTEXT = frozenset(
    {"contained", "context", "encounter", "extension", "id", "identifier", "implicitRules", "language", "meta"}
    | {"modifierExtension", "note", "patient", "resourceType", "subject", "text"}
)
"""What the entry or the header says in any case, or nobody: elements of every resource, numbers, person, visit, remarks."""


def _names(said: str) -> frozenset[str]:
    return frozenset(said.split())


BESIDE: Mapping[str, frozenset[str]] = {
    "AllergyIntolerance": _names(
        "category criticality lastOccurrence onsetAge onsetString reaction type verificationStatus"
    ),
    "Appointment": _names(
        "appointmentType basedOn cancelationReason comment created description end minutesDuration "
        "participant patientInstruction priority reasonCode reasonReference requestedPeriod "
        "serviceCategory serviceType specialty start status supportingInformation"
    ),
    "CarePlan": _ALL,
    "ClinicalImpression": _ALL,
    "Condition": _names("abatementAge abatementString category evidence onsetAge onsetString stage verificationStatus"),
    "DiagnosticReport": _names(
        "basedOn category conclusion conclusionCode imagingStudy issued resultsInterpreter status"
    ),
    "DocumentReference": _ALL,
    "Encounter": _names("reasonCode serviceType status type"),
    "FamilyMemberHistory": _names("condition status"),
    "Goal": _names(
        "achievementStatus addresses category description lifecycleStatus outcomeReference priority statusDate target"
    ),
    "ImagingStudy": _ALL,
    "Immunization": _names(
        "education expirationDate fundingSource isSubpotent primarySource programEligibility "
        "protocolApplied reaction reasonCode reasonReference recorded reportOrigin statusReason"
    ),
    "Medication": _names("amount batch form ingredient manufacturer status"),
    "MedicationAdministration": _ALL,
    "MedicationDispense": _names(
        "authorizingPrescription category daysSupply destination dosageInstruction status substitution type"
    ),
    "MedicationRequest": _names(
        "basedOn category courseOfTherapyType groupIdentifier intent performerType priorPrescription "
        "reasonCode reasonReference recorder reportedBoolean status statusReason substitution supportingInformation"
    ),
    "MedicationStatement": _names("basedOn category derivedFrom reasonCode reasonReference statusReason"),
    "Observation": _names("basedOn category dataAbsentReason derivedFrom partOf status"),
    "Procedure": _names(
        "basedOn category complication complicationDetail followUp outcome partOf performedString "
        "performer reasonCode reasonReference report statusReason usedCode usedReference"
    ),
    "ServiceRequest": _names(
        "basedOn category insurance intent locationCode orderDetail patientInstruction performerType "
        "quantityQuantity reasonCode reasonReference requisition specimen status supportingInfo"
    ),
    "Specimen": _ALL,
}
"""Type → its elements that are said by their paths; a reader takes them in place of what it made of the rest."""

PLAIN: Mapping[str, frozenset[str]] = {
    "Appointment": frozenset(),
    "CarePlan": frozenset(),
    "ClinicalImpression": frozenset(),
    "DiagnosticReport": frozenset({"final"}),
    "DocumentReference": frozenset(),
    "Encounter": frozenset({"finished"}),
    "FamilyMemberHistory": frozenset({"completed"}),
    "ImagingStudy": frozenset(),
    "MedicationAdministration": frozenset(),
    "MedicationDispense": frozenset({"completed"}),
    "MedicationRequest": frozenset({"active", "completed"}),
    "Observation": frozenset({"final"}),
    "ServiceRequest": frozenset({"active"}),
    "Specimen": frozenset(),
}
"""Type → the states that `statusCode` tells by itself."""

_PARTIES = frozenset({"Device", "Location", "Organization", "Practitioner", "RelatedPerson"})
"""Types that the document knows by numbers of their own."""
_KINDS = {
    "reasonCode": "RSON",
    "reasonReference": "RSON",
    "addresses": "RSON",
    "evidence": "SPRT",
    "derivedFrom": "SPRT",
}
_DATES = frozenset({"date", "dateTime", "instant"})
_INTENTS = frozenset({"order", "plan", "proposal"})


def beside(resource: Resource, w: Writer) -> list[Markup]:
    """Make the relationships that say a resource's elements by their paths."""
    return [_relationship(act, _KINDS.get(element, "REFR")) for element, act in _acts(resource, w)]


def one(path: str, kind: str, value: Any, w: Writer) -> Markup | None:
    """Make the relationship that says one element; `kind` is its type. None when there is nothing to say."""
    act = None if value is None else _act(path, kind, value, w)
    return el("entryRelationship", act, typeCode="REFR") if act else None


def components(resource: Resource, w: Writer) -> list[Markup]:
    """Make the same as components, which an organizer has in place of relationships."""
    return [el("component", act) for _, act in _acts(resource, w)]


def _acts(resource: Resource, w: Writer) -> Iterator[tuple[str, Markup]]:
    kind = resource["resourceType"]
    wanted = _in_order(kind)
    rows = typed(kind)
    for element in sorted(resource.keys() - _CONTEXT) if wanted is None else wanted:
        if element not in resource or element.startswith("_") or _is_plain(kind, element, resource[element]):
            continue
        declared, _ = rows.get(element, ("", 1))
        for path, fhir_type, value in _leaves(f"{kind}.{element}", declared, resource[element]):
            if (act := _act(path, fhir_type, value, w)) is not None:
                yield element, act


@cache
def _in_order(kind: str) -> tuple[str, ...] | None:
    """Give the elements of a type that are said by their paths; None when all are that nothing else says."""
    wanted = BESIDE.get(kind, _ALL)
    return None if wanted is _ALL else tuple(sorted(wanted))


def _is_plain(kind: str, element: str, value: Any) -> bool:
    """Tell whether the entry says an element well enough by itself."""
    if element == "status":
        return value in PLAIN.get(kind, ())
    if element == "intent":
        return value in _INTENTS and kind != "CarePlan"
    return element == "performer" and kind == "Procedure" and not any("function" in one for one in value)


@cache
def typed(shape: str) -> Mapping[str, tuple[str, int]]:
    """Give the elements of a type or of a part of one: name in JSON → FHIR type, and the greatest number (0: many)."""
    found: dict[str, tuple[str, int]] = {}
    for row in tables.load().rows(shape):
        for kind in row.types:
            suffix = "Quantity" if kind == "SimpleQuantity" else kind[:1].upper() + kind[1:]
            found[row.name.replace("[x]", suffix)] = (kind, row.maximum)
    return found


def _leaves(path: str, kind: str, value: Any) -> list[tuple[str, str, Any]]:
    """Give the parts of an element that have a data type of v3, each with its path."""
    if isinstance(value, list):
        return [leaf for n, one in enumerate(value) for leaf in _leaves(f"{path}[{n}]", kind, one)]
    if kind in ATOMS or not isinstance(value, dict):
        return [(path, kind, value)]
    shape = kind.removeprefix("#")
    inner = typed(shape if shape[:1].isupper() else "Element")
    known = [name for name in value if name in inner and name not in ("extension", "id")]
    return [leaf for name in known for leaf in _leaves(f"{path}.{name}", inner[name][0], value[name])]


ATOMS = frozenset({"CodeableConcept", "Coding", "Reference", "Identifier", "Quantity", "Period", "Range", "Ratio"}) | {
    "Age",
    "Duration",
    "SimpleQuantity",
}
"""Complex types of FHIR that have a data type of v3."""


def _act(path: str, kind: str, value: Any, w: Writer) -> Markup | None:
    code = w.types.code("code", PATHS, path)
    if kind == "Reference":
        return _pointer(code, value, w)
    if kind == "Identifier":
        return el("act", w.types.instance(value), code, classCode="ACT", moodCode="EVN")
    said = _value(kind, value, w)
    return None if said is None else _fact(code, said)


@kept
def _fact(code: Markup, said: Markup) -> Markup:
    return el("observation", code, COMPLETED, said, classCode="OBS", moodCode="EVN")


@kept
def _relationship(act: Markup, kind: str) -> Markup:
    return el("entryRelationship", act, typeCode=kind)


def _pointer(code: Markup, reference: dict[str, Any], w: Writer) -> Markup | None:
    """Name another resource by its number; one that only has a name by that."""
    found, identifier, shown = w.source.get(reference), reference.get("identifier"), reference.get("display")
    if found:
        w.source.mentioned.append(found)
        own = w.types.known_instances(found) if found["resourceType"] in _PARTIES else []
        number = own[0] if own else w.reference_id(found)
    elif identifier:
        number = w.types.instance(identifier)
    else:
        number = el("id", nullFlavor="UNK")
    words = el("text", shown) if shown else None
    return el("act", number, code, words, classCode="ACT", moodCode="EVN") if found or identifier or words else None


def _value(kind: str, value: Any, w: Writer) -> Markup | None:
    if kind == "CodeableConcept":
        return w.coded("value", value, "CD")
    if kind == "Coding":
        return w.coded("value", {"coding": [value]}, "CD")
    if kind in ("Quantity", "Age", "Duration", "SimpleQuantity"):
        return quantity("value", value) if value.get("comparator") else amount("value", value, "PQ")
    if kind == "Period":
        return interval("value", value, "IVL_TS")
    if kind == "Range":
        return quantity_range("value", value, "IVL_PQ")
    if kind == "Ratio":
        return ratio("value", value, "RTO_PQ_PQ")
    if isinstance(value, bool):
        return el("value", xsi_type="BL", value=str(value).lower())
    if isinstance(value, (int, Decimal)):
        return el(
            "value",
            xsi_type="REAL" if kind == "decimal" else "INT",
            value=format(value, "f") if isinstance(value, Decimal) else str(value),
        )
    if kind in _DATES:
        return time("value", value, "TS")
    return el("value", value, xsi_type="ST") if isinstance(value, str) and value else None
