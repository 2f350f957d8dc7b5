"""By which element of FHIR a statement refers to another one: by the types of both and the kind of relationship.

Standard: CDA R2 §4.3.8.3 (ActRelationshipType); FHIR R4, the targets of each element
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mappings.cda.read.elements import Element
from mappings.fhir.tables import load
from mappings.outcome import Resource

_REQUESTS = ("ServiceRequest", "MedicationRequest", "CarePlan", "DeviceRequest", "ImmunizationRecommendation")
_SUPPORT = ("SPRT", "XCRPT", "CAUS", "MFST", "RSON")
_LINKS: Mapping[str, Sequence[tuple[Sequence[str], Sequence[str], str]]] = {
    "Appointment": ((("RSON",), (), "reasonReference"), ((), ("ServiceRequest",), "basedOn")),
    "CarePlan": (
        (("RSON",), ("Condition",), "addresses"),
        ((), ("Goal",), "goal"),
        (("COMP", "REFR"), (), "activity.reference"),
    ),
    "ClinicalImpression": (
        (("SPRT",), (), "finding.itemReference"),
        ((), ("Condition", "AllergyIntolerance"), "problem"),
        ((), (), "supportingInfo"),
    ),
    "Condition": ((_SUPPORT, (), "evidence.detail"),),
    "DeviceUseStatement": ((("RSON",), (), "reasonReference"),),
    "DeviceRequest": ((("RSON",), (), "reasonReference"),),
    "DiagnosticReport": (
        ((), ("Observation",), "result"),
        ((), ("ImagingStudy",), "imagingStudy"),
        ((), ("Specimen",), "specimen"),
        ((), _REQUESTS, "basedOn"),
        ((), ("Media",), "media.link"),
    ),
    "Encounter": ((("RSON",), (), "reasonReference"), ((), ("Condition", "Procedure"), "diagnosis.condition")),
    "Goal": ((("RSON", "REFR", "SPRT"), (), "addresses"),),
    "Immunization": ((("CAUS",), ("Observation",), "reaction.detail"), (("RSON",), (), "reasonReference")),
    "MedicationAdministration": (
        ((), ("MedicationRequest",), "request"),
        (("RSON",), (), "reasonReference"),
    ),
    "MedicationDispense": (((), ("MedicationRequest",), "authorizingPrescription"),),
    "MedicationRequest": (
        (("RSON",), (), "reasonReference"),
        ((), ("MedicationDispense",), "<authorizingPrescription"),
        ((), _REQUESTS, "basedOn"),
    ),
    "MedicationStatement": ((("RSON",), (), "reasonReference"), ((), _REQUESTS, "basedOn")),
    "Observation": (
        (("SPRT", "XCRPT"), (), "derivedFrom"),
        (("REFR",), _REQUESTS, "basedOn"),
        (("REFR",), (), "derivedFrom"),
        ((), ("Observation",), "hasMember"),
        ((), ("Media",), "derivedFrom"),
    ),
    "Procedure": (
        (("RSON",), (), "reasonReference"),
        ((), _REQUESTS, "basedOn"),
        (("COMP",), ("Procedure", "Observation"), "<partOf"),
        ((), ("DiagnosticReport", "DocumentReference"), "report"),
        ((), ("Condition",), "complicationDetail"),
        (("REFR",), ("Procedure", "MedicationAdministration"), "partOf"),
        ((), ("Observation",), "<partOf"),
    ),
    "ServiceRequest": (
        (("RSON",), (), "reasonReference"),
        (("REFR",), ("ServiceRequest", "CarePlan", "MedicationRequest"), "basedOn"),
        ((), ("Specimen",), "specimen"),
        ((), (), "supportingInfo"),
    ),
}


def link(
    resource: Resource, kind: str, there: str, reference: Element, known: set[str], other: Resource | None = None
) -> bool:
    """Refer from a resource to one of type `there`; false when no element can.

    `other` is that resource, if it is at hand; `known` remembers which links there are.
    """
    for kinds, types, path in _LINKS.get(resource["resourceType"], ()):
        if (kinds and kind not in kinds) or (types and there not in types):
            continue
        if path.startswith("<"):
            mine = {"reference": f"{resource['resourceType']}/{resource['id']}"}
            if other is not None and _set(other, path[1:], resource["resourceType"], mine, known):
                return True
        elif _set(resource, path, there, reference, known):
            return True
    return False


def _set(resource: Resource, path: str, there: str, reference: Element, known: set[str]) -> bool:
    outer, _, last = path.rpartition(".")
    shape = f"{resource['resourceType']}.{outer}" if outer else resource["resourceType"]
    row = next((row for row in load().rows(shape) if row.name == last), None)
    if row is None or (row.targets and there not in row.targets):
        return False
    key = f"{resource['resourceType']}/{resource['id']}.{path} {reference}"
    if key in known:
        return True
    value = reference if row.maximum else [reference]
    if outer:
        resource.setdefault(outer, []).append({last: value})
    elif row.maximum == 0:
        resource.setdefault(last, []).append(reference)
    elif resource.setdefault(last, reference) != reference:
        return False
    known.add(key)
    return True
