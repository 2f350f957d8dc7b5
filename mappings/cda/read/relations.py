"""What stands inside a statement: notes, reasons and other statements, linked to it by the element FHIR has for it.

Standard: CDA R2 §4.3.8.3 (entryRelationship)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.datatypes import ids, ii_to_identifier
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.links import link
from mappings.cda.read.node import NOTHING, Node
from mappings.cda.read.participants import author
from mappings.cda.read.systems import resource_of, uri_of
from mappings.fhir.tables import load
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


PATHS = "http://hl7.org/fhir/StructureDefinition"
"""System of codes that are paths of FHIR elements (`own`)."""


def parts(node: Node) -> Iterator[tuple[Node, Node]]:
    """Give the statements inside a statement that nobody has read yet, each with the relationship it stands in.

    Those that say an element of FHIR by its path are not among them: see `path_parts`.
    """
    return (pair for pair in _inside(node) if not element_of(pair[1]))


def path_parts(node: Node) -> Iterator[tuple[Node, Node]]:
    """Give the statements inside that say an element of FHIR by its path."""
    return (pair for pair in _inside(node) if element_of(pair[1]))


def _inside(node: Node) -> Iterator[tuple[Node, Node]]:
    for relation in node.children:
        if relation.name in ("entryRelationship", "component"):
            for statement in relation.children:
                if statement.name in STATEMENTS and not statement.done:
                    yield relation, statement


def element_of(statement: Node) -> str:
    """Give the path that a statement is the value of; `""` for any other."""
    code = statement.first("code")
    if code.peek("codeSystemName") != PATHS or uri_of(code.peek("codeSystem"), PATHS) != PATHS:
        return ""
    return code.peek("code")


def inner(node: Node, codes: Iterable[str] = (), templates: Iterable[str] = ()) -> Node:
    """Find the statement inside that has one of the codes or templates, and claim what says so; false when there is none."""
    wanted, forms = frozenset(codes), frozenset(templates)
    for relation, statement in parts(node):
        code = statement.first("code")
        if code.peek("code") in wanted or any(one.peek("root") in forms for one in statement.all("templateId")):
            claim(relation, statement)
            code.take("code", "codeSystem", "codeSystemName", "displayName", "nullFlavor")
            return statement
    return NOTHING


def claim(relation: Node, statement: Node) -> None:
    """Claim what a statement says by standing where it stands."""
    relation.take("typeCode", "inversionInd")
    statement.take("classCode", "moodCode")
    statement.first("statusCode").take("code")
    statement.done = True


def has(kind: str, element: str) -> bool:
    """Tell whether a type of resource has an element."""
    return any(row.name == element for row in load().rows(kind))


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
    from mappings.cda.read import own
    from mappings.cda.read.statements import read_statement  # the statements inside are read as those outside

    found: list[str] = []
    mine = f"{resource['resourceType']}/{resource['id']}"
    take_comments(node, resource, draft)
    own.take_elements(node, resource, draft)
    _asserted(node, resource, draft)
    for relation, statement in list(parts(node)):
        if is_pointer(statement):
            statement.done = True
            draft.pending.append((resource, relation, statement))
            continue
        made = read_statement(statement, draft, place.below())
        for reference in made:
            relation.take("typeCode", "inversionInd")
            there, other = reference.partition("/")[0], draft.get(reference)
            if reference != mine and not link(
                resource, relation.peek("typeCode"), there, {"reference": reference}, draft.links, other
            ):
                found.append(reference)
    _mentioned(node, resource, draft)
    return found


def is_pointer(statement: Node) -> bool:
    """Tell whether a statement only names another one."""
    said = {child.name for child in statement.children} - {"templateId", "id"}
    if not statement.first("id"):
        return False
    named = any(
        resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName"))
        for ii in statement.all("id")
    )
    return (said <= {"code"} and (named or not statement.first("code").peek("code"))) or (
        said <= {"code", "statusCode"} and not named and not _tells(statement.first("code"))
    )


def _tells(code: Node) -> bool:
    return bool(code.peek("code") or code.first("originalText") or code.first("translation"))


def settle(draft: Draft) -> None:
    """Link what only names other statements, now that all have been read."""
    for resource, relation, statement in draft.pending:
        numbers = ids(statement)
        target = draft.pointed(statement, numbers)
        there, other = target.partition("/")[0], draft.resources.get(target)
        kind = relation.peek("typeCode") or "COMP"
        if target and link(resource, kind, there, {"reference": target}, draft.links, other):
            relation.take("typeCode", "inversionInd")
            statement.take("classCode", "moodCode")
            statement.becomes(target)
            for node in (statement.first("code"), *statement.first("code").children):
                node.take(*node.attributes)
                node.said()
        elif target:
            statement.give_up("names another statement; no element of FHIR R4 links to it")
        else:
            statement.give_up("names a statement that stands nowhere in the document")


_ASSERTED = {
    ("Condition", "SPRT"): "evidence.code",
    ("Observation", "RSON"): "dataAbsentReason",
    ("Specimen", "REFR"): "condition",
    ("ClinicalImpression", "SPRT"): "finding.itemCodeableConcept",
}


def _asserted(node: Node, resource: Resource, draft: Draft) -> None:
    """Keep what is asserted inside a statement, without a number or a time of its own, as a concept: a reason, an evidence."""
    for relation, statement in list(parts(node)):
        said = {child.name for child in statement.children} - {"templateId"}
        if statement.first("code").peek("code") != "ASSERTION" or not said <= {"code", "statusCode", "value"}:
            continue
        kind = relation.peek("typeCode")
        here = resource["resourceType"]
        path = _ASSERTED.get((here, kind), "reasonCode" if kind == "RSON" and has(here, "reasonCode") else "")
        concept = cd_to_codeable_concept(statement.first("value"), draft) if path else None
        if concept is None:
            continue
        outer, _, last = path.rpartition(".")
        if outer:
            resource.setdefault(outer, []).append({last: [concept] if last == "code" else concept})
        elif path == "dataAbsentReason":
            resource[path] = concept
        else:
            resource.setdefault(path, []).append(concept)
        claim(relation, statement)
        statement.becomes(f"{here}/{resource['id']}", path)
        statement.first("code").take("code", "codeSystem", "codeSystemName", "displayName")


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


def _mentioned(node: Node, resource: Resource, draft: Draft) -> None:
    """Keep the documents and statements elsewhere that a statement names (`reference`), by their numbers."""
    for reference in node.all("reference"):
        if reference.reason is not None:
            continue
        for name, kind in (("externalDocument", "DocumentReference"), ("externalObservation", "Observation")):
            outside = reference.first(name)
            if not outside:
                continue
            numbers = [found for ii in outside.all("id") if (found := ii_to_identifier(ii))]
            for number in numbers[:1]:
                outer: Element = {"type": kind, "identifier": number}
                if link(resource, "SPRT", kind, outer, draft.links) or link(resource, "REFR", kind, outer, draft.links):
                    reference.take("typeCode")
                else:
                    outside.give_up("a document or statement elsewhere; no element of FHIR R4 names it here")


def references(found: Sequence[str]) -> list[Element]:
    """Write References, each once."""
    return [{"reference": one} for one in dict.fromkeys(found)]
