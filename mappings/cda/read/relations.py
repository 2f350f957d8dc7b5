"""What stands inside a statement: notes, reasons and other statements, linked to it by the element FHIR has for it.

Standard: CDA R2 §4.3.8.3 (entryRelationship)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.datatypes import ii_to_identifier
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.participants import author
from mappings.outcome import Resource

STATEMENTS = frozenset(
    {
        *("act", "encounter", "observation", "observationMedia", "organizer", "procedure", "regionOfInterest"),
        *("substanceAdministration", "supply"),
    }
)
COMMENT = "48767-8"
_NOTED = frozenset(
    {
        *(
            "AllergyIntolerance",
            "Condition",
            "Device",
            "DeviceUseStatement",
            "FamilyMemberHistory",
            "Goal",
            "Immunization",
        ),
        *("Media", "MedicationDispense", "MedicationRequest", "MedicationStatement", "Observation", "Procedure"),
        "ServiceRequest",
    }
)
_REASONS = {
    "Encounter": ("Condition", "Observation", "Procedure"),
    "Immunization": ("Condition", "DiagnosticReport", "Observation"),
    "MedicationRequest": ("Condition", "Observation"),
    "MedicationStatement": ("Condition", "DiagnosticReport", "Observation"),
    "Procedure": ("Condition", "DiagnosticReport", "Observation", "Procedure"),
    "ServiceRequest": ("Condition", "DiagnosticReport", "Observation"),
    "DeviceUseStatement": ("Condition", "DiagnosticReport", "Observation", "Media"),
    "DeviceRequest": ("Condition", "DiagnosticReport", "Observation"),
}


def parts(node: Node) -> Iterator[tuple[Node, Node]]:
    """Give the statements inside a statement that nobody has read yet, each with the relationship it stands in."""
    for relation in node.children:
        if relation.name in ("entryRelationship", "component"):
            for statement in relation.children:
                if statement.name in STATEMENTS and not statement.done:
                    yield relation, statement


def inner(node: Node, codes: Iterable[str] = (), templates: Iterable[str] = ()) -> Node:
    """Find the statement inside that has one of the codes or templates, and claim what says so; false when there is none."""
    wanted, forms = frozenset(codes), frozenset(templates)
    for relation, statement in parts(node):
        code = statement.first("code")
        if code.peek("code") in wanted or any(one.peek("root") in forms for one in statement.all("templateId")):
            claim(relation, statement)
            code.take("code", "codeSystem", "codeSystemName", "displayName", "nullFlavor")
            return statement
    return _NONE


_NONE = Node("", {}, "", None)


def claim(relation: Node, statement: Node) -> None:
    """Claim what a statement says by standing where it stands."""
    relation.take("typeCode", "inversionInd")
    statement.take("classCode", "moodCode")
    statement.first("statusCode").take("code")
    statement.done = True


def take_comments(node: Node, resource: Resource, draft: Draft) -> None:
    """Keep the comments inside a statement as its notes."""
    for relation, statement in list(parts(node)):
        if statement.first("code").peek("code") == COMMENT and _noted(statement, resource, draft):
            claim(relation, statement)
            statement.becomes(f"{resource['resourceType']}/{resource['id']}", "note")


def leave_rest(node: Node) -> None:
    """Leave what is inside a statement about somebody else: read alone, it would be about the patient."""
    for _, statement in list(parts(node)):
        statement.done = True
        statement.leave("inside a statement about somebody else")


def relate(node: Node, resource: Resource, draft: Draft, place: Place) -> list[str]:
    """Read what is left inside a statement and link it; give the references of what no element links to it."""
    from mappings.cda.read.statements import read_statement  # the statements inside are read as those outside

    found: list[str] = []
    mine = f"{resource['resourceType']}/{resource['id']}"
    take_comments(node, resource, draft)
    for relation, statement in list(parts(node)):
        made = read_statement(statement, draft, place.below())
        for reference in made:
            relation.take("typeCode", "inversionInd")
            if not _linked(mine, resource, relation.peek("typeCode"), reference, draft):
                found.append(reference)
    _mentioned(node, resource)
    return found


def _noted(statement: Node, resource: Resource, draft: Draft) -> bool:
    if resource["resourceType"] not in _NOTED:
        return False
    said = ed_to_text(statement.first("text"), draft) or ed_to_text(statement.first("value"), draft)
    if not said:
        return False
    who, moment = author(statement, draft)
    note = compact({"authorReference": {"reference": who} if who else None, "time": moment, "text": said})
    resource.setdefault("note", []).append(note)
    code = statement.first("code")
    cd_to_codeable_concept(code, draft)
    return True


def _linked(mine: str, resource: Resource, kind: str, reference: str, draft: Draft) -> bool:
    """Link what was made inside a statement to it; false when FHIR has no element for that."""
    here, there = resource["resourceType"], reference.partition("/")[0]
    other = draft.get(reference)
    link = {"reference": reference}
    if reference == mine:
        return True
    if kind == "RSON" and there in _REASONS.get(here, ()):
        return _listed(resource, "reasonReference", link)
    if here == "Encounter" and there in ("Condition", "Procedure"):
        listed = resource.setdefault("diagnosis", [])
        if not any(one["condition"]["reference"] == reference for one in listed):
            listed.append({"condition": link})
        return True
    if here == "Observation" and there == "Observation":
        return _listed(resource, "derivedFrom" if kind in ("SPRT", "XCRPT", "REFR") else "hasMember", link)
    if here == "Observation" and there == "Media":
        return _listed(resource, "derivedFrom", link)
    if here == "Condition" and kind in ("SPRT", "MFST", "CAUS", "RSON", "XCRPT"):
        detail = resource.setdefault("evidence", [])
        if not any(link in one.get("detail", []) for one in detail):
            detail.append({"detail": [link]})
        return True
    if here == "Procedure" and there == "Procedure":
        return _listed(other, "partOf", {"reference": mine})
    if here == "Procedure" and there == "Observation":
        return _listed(other, "partOf", {"reference": mine})
    if here == "Goal" and there in ("Condition", "Observation", "ServiceRequest", "MedicationStatement"):
        return _listed(resource, "addresses", link)
    if here in ("MedicationStatement", "MedicationRequest") and there in ("MedicationRequest", "ServiceRequest"):
        return _listed(resource, "basedOn", link)
    if here == "MedicationRequest" and there == "MedicationDispense":
        return _listed(other, "authorizingPrescription", {"reference": mine})
    if here == "ServiceRequest":
        return _listed(resource, "supportingInfo", link)
    if here == "DiagnosticReport" and there == "Observation":
        return _listed(resource, "result", link)
    return False


def _listed(resource: Resource, element: str, link: Element) -> bool:
    listed = resource.setdefault(element, [])
    if link not in listed:
        listed.append(link)
    return True


def _mentioned(node: Node, resource: Resource) -> None:
    """Keep the documents and statements elsewhere that a statement names (`reference`), by their numbers."""
    for reference in node.all("reference"):
        for name, kind in (("externalDocument", "DocumentReference"), ("externalObservation", "Observation")):
            outside = reference.first(name)
            if not outside:
                continue
            numbers = [found for ii in outside.all("id") if (found := ii_to_identifier(ii))]
            for number in numbers[:1]:
                link: Element = {"type": kind, "identifier": number}
                if _outside(resource, link):
                    reference.take("typeCode")
                else:
                    outside.give_up("a document or statement elsewhere; no element of FHIR R4 names it here")


def _outside(resource: Resource, link: Element) -> bool:
    here = resource["resourceType"]
    if here == "Condition":
        resource.setdefault("evidence", []).append({"detail": [link]})
        return True
    if here == "Observation":
        return _listed(resource, "derivedFrom", link)
    if here == "Procedure" and link["type"] == "DocumentReference":
        return _listed(resource, "report", link)
    if here == "ServiceRequest":
        return _listed(resource, "supportingInfo", link)
    if here in ("MedicationRequest", "MedicationStatement"):
        element = "derivedFrom" if here == "MedicationStatement" else "supportingInformation"
        return _listed(resource, element, link)
    return False


def references(found: Sequence[str]) -> list[Element]:
    """Write References, each once."""
    return [{"reference": one} for one in dict.fromkeys(found)]
