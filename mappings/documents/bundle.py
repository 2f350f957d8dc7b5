"""Assemble a FHIR document: Composition first, then everything it speaks of, all references resolved inside.

Entries are known by absolute URLs under our own base, so that relative references between them resolve as FHIR says. What a
resource refers to and the record does not hold becomes a logical reference; nothing is invented.

Standard: FHIR R4 §3.3 (documents)
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from mappings.documents import wording
from mappings.documents.clean import Cleaner
from mappings.documents.context import Context
from mappings.documents.form import Edition, Form
from mappings.documents.record import Record
from mappings.ids import resource_id
from mappings.outcome import Resource
from mappings.systems import LOINC

VERSION_EXTENSION = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
_ELSEWHERE = ("http://", "https://")


def facility_organization(record: Record, context: Context) -> list[Resource]:
    """Make the issuing Organization and the body above it; the record's own resource of the facility gives the id."""
    facility, system = context.facility, context.systems.facility
    known = [
        organization
        for organization in record.all("Organization")
        if any(
            i.get("system") == system and i.get("value") == facility.code for i in organization.get("identifier", [])
        )
    ]
    made: Resource = {
        "resourceType": "Organization",
        "id": known[0]["id"] if known else resource_id("Organization", system, facility.code),
        "identifier": [{"system": system, "value": facility.code}],
        "name": facility.name,
    }
    if facility.phone:
        made["telecom"] = [{"system": "phone", "value": facility.phone}]
    if facility.address:
        made["address"] = [{"text": facility.address}]
    if not facility.governing_body:
        return [made]
    above = {
        "resourceType": "Organization",
        "id": resource_id("Organization", f"{context.systems.own}/governing-body", facility.governing_body),
        "name": facility.governing_body,
    }
    made["partOf"] = {"reference": f"Organization/{above['id']}", "display": facility.governing_body}
    return [made, above]


def reference(resource: Resource, display: str = "") -> dict[str, Any]:
    """Refer to a resource of the bundle."""
    found = {"reference": f"{resource['resourceType']}/{resource['id']}"}
    return {**found, "display": display} if display else found


def composition(
    form: Form,
    edition: Edition,
    heading: str,
    subject: str,
    context: Context,
    *,
    patient: Resource,
    encounter: Resource | None,
    author: Resource | None,
    facility: Resource,
    sections: Sequence[dict[str, Any]],
    attested: bool,
) -> Resource:
    """Make the Composition under the title `heading`; its identifier is the same in all versions about one subject.

    `attested`: the form has a place for the author's own signature.
    The version of the code that names the paper is the day from which the edition of its form is in force.
    """
    systems = context.systems
    about = f"{systems.document}/{form.paper}/{context.facility.code}/{subject}"
    found: Resource = {
        "resourceType": "Composition",
        "id": context.number,
        "language": "vi",
        "extension": [{"url": VERSION_EXTENSION, "valueString": str(context.version)}],
        "identifier": {"system": systems.document, "value": str(uuid5(NAMESPACE_URL, about))},
        "status": "final",
        "type": {
            "coding": [
                *([{"system": LOINC, "code": form.loinc, "display": form.loinc_display}] if form.loinc else []),
                {
                    "system": systems.paper,
                    "version": edition.valid_from.isoformat(),
                    "code": form.paper,
                    "display": form.title,
                },
            ],
            "text": heading,
        },
        "subject": reference(patient, wording.name(patient)),
        "date": wording.stamp(context.issued_at),
        "author": [
            reference(author, wording.title_and_name(author)) if author else reference(facility, facility["name"])
        ],
        "title": heading,
        "confidentiality": "N",
        "attester": [{"mode": "legal", "party": reference(facility, facility["name"])}],
        "custodian": reference(facility, facility["name"]),
        "section": list(sections),
    }
    if author and attested:
        party = reference(author, wording.title_and_name(author))
        found["attester"].insert(0, {"mode": "professional", "party": party})
    if encounter:
        found["encounter"] = reference(encounter)
        if encounter.get("period"):
            found["event"] = [{"period": encounter["period"]}]
    if context.replaces:
        replaced = {"system": systems.document, "value": context.replaces}
        found["relatesTo"] = [{"code": "replaces", "targetIdentifier": replaced}]
    return found


class Taken(NamedTuple):
    """A resource with clean texts, and every Reference in it, level by level."""

    resource: Resource
    references: list[dict[str, Any]]


def taken(resource: Resource, cleaner: Cleaner) -> Taken:
    """Take a resource as it is when all its texts are clean, else a copy."""
    references: list[dict[str, Any]] = []
    waiting: list[Any] = [resource]
    clean, wait = cleaner.text, waiting.append
    for part in waiting:
        if part.__class__ is list:
            values = part
        else:
            values = part.values()
            if part.get("reference").__class__ is str:
                references.append(part)
        for value in values:
            kind = value.__class__
            if kind is str:
                if not (value.isascii() and value.isprintable()) and clean(value) != value:
                    return copied(resource, cleaner)
            elif kind is dict or kind is list or isinstance(value, dict):
                wait(value)
    return Taken(resource, references)


def copied(resource: Resource, cleaner: Cleaner) -> Taken:
    """Copy a resource with clean texts; nobody else holds the copy."""
    copy = resource.copy()
    references: list[dict[str, Any]] = []
    waiting: list[Any] = [copy]
    clean, wait = cleaner.text, waiting.append
    for part in waiting:
        if part.__class__ is list:
            places = enumerate(part)
        else:
            places = part.items()
            if part.get("reference").__class__ is str:
                references.append(part)
        for place, value in places:
            kind = value.__class__
            if kind is str:
                if not (value.isascii() and value.isprintable()):
                    part[place] = clean(value)
            elif kind is dict or kind is list or isinstance(value, dict):
                part[place] = inner = value.copy()
                wait(inner)
    return Taken(copy, references)


def closure(
    record: Record,
    roots: Iterable[Resource | None],
    own: Iterable[Resource],
    cleaner: Cleaner,
    apart: Container[str] = (),
) -> list[Taken]:
    """Take the roots and whatever they refer to, each once; `own` stands in for the record's version of the same resource.

    Resources of the types in `apart` stay out.
    """
    made = {f"{resource['resourceType']}/{resource['id']}": resource for resource in own}
    found: dict[str, Taken] = {}
    waiting = [*(root for root in roots if root), *made.values()]
    for resource in waiting:
        key = f"{resource['resourceType']}/{resource['id']}"
        if key in found:
            continue
        found[key] = taken(made.get(key, resource), cleaner)
        targets = (element["reference"] for element in found[key].references)
        wanted = (target for target in targets if target.partition("/")[0] not in apart)
        waiting += [next_one for target in wanted if (next_one := made.get(target) or record.get(target))]
    return list(found.values())


def document(resources: Sequence[Taken], context: Context, cleaner: Cleaner) -> Resource:
    """Make the document Bundle, the Composition first; References to what is not in it become logical ones, in a copy."""
    own = context.systems.own
    present = {f"{resource['resourceType']}/{resource['id']}" for resource, _ in resources}
    listed: list[Resource] = []
    for resource, references in resources:
        leading_out = [n for n, one in enumerate(references) if one["reference"] not in present]
        if leading_out:
            inside = _contained(resource)
            resource, references = copied(resource, cleaner)
            for element in (references[n] for n in leading_out):
                if element["reference"] not in inside and not element["reference"].startswith(_ELSEWHERE):
                    _make_logical(element, own)
        listed.append(resource)
    return {
        "resourceType": "Bundle",
        "id": context.number,
        "language": "vi",
        "identifier": {"system": context.systems.document, "value": context.number},
        "type": "document",
        "timestamp": wording.stamp(context.issued_at),
        "entry": [
            {"fullUrl": f"{own}/{resource['resourceType']}/{resource['id']}", "resource": resource}
            for resource in listed
        ],
    }


def _contained(resource: Resource) -> set[str]:
    return {f"#{inner.get('id')}" for inner in resource.get("contained", [])} | {"#"}


def _make_logical(element: dict[str, Any], own: str) -> None:
    target: str = element.pop("reference")
    type_ = target.partition("/")[0]
    if type_.isalpha():
        element.setdefault("type", type_)
    element.setdefault("identifier", {"system": f"{own}/sid/resource", "value": target})
