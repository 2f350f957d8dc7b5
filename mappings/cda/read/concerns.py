"""Acts that only hold other statements together: concerns about problems and allergies, diagnoses.

What the act says (status, since when, by whom) is handed to the statements in it.

Standard: C-CDA R2.1 Problem Concern Act, Allergy Concern Act, Encounter Diagnosis; CDA R2 §4.3.6.2
"""

from __future__ import annotations

from mappings.cda.read import allergies, conditions
from mappings.cda.read.conditions import DIAGNOSES
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Concern, Draft, Place
from mappings.cda.read.node import Node
from mappings.cda.read.participants import author
from mappings.cda.read.relations import COMMENT, inner, parts
from mappings.cda.read.times import start_of

_HOLDERS = frozenset({"CONC", "48765-2", "48767-8"}) | DIAGNOSES
_TEMPLATES = frozenset(
    {
        "2.16.840.1.113883.10.20.22.4.3",
        "2.16.840.1.113883.10.20.22.4.30",
        "2.16.840.1.113883.10.20.22.4.80",
        "2.16.840.1.113883.10.20.22.4.33",
        "2.16.840.1.113883.10.20.22.4.65",
        "2.16.840.1.113883.10.20.22.4.34",
        "2.16.840.1.113883.10.20.22.4.132",
        "2.16.840.1.113883.10.20.1.27",
    }
)


def is_concern(node: Node) -> bool:
    """Tell whether an act holds problems or allergies together and says nothing by itself."""
    if node.peek("moodCode") not in ("EVN", "") or not any(True for _ in parts(node)):
        return False
    code = node.first("code").peek("code")
    if code == COMMENT:
        return False
    return code in _HOLDERS or any(one.peek("root") in _TEMPLATES for one in node.all("templateId"))


def concern_to_statements(node: Node, draft: Draft, place: Place) -> list[str]:
    """Read the statements inside with what the act says about them."""
    from mappings.cda.read.statements import read_statement

    code = node.first("code", "Condition.category")
    said = code["code"]
    code.take("codeSystem", "codeSystemName", "displayName")
    time = node.first("effectiveTime")
    who, moment = author(node, draft)
    concern = Concern(
        code=said,
        status=node.first("statusCode")["code"],
        asserted=start_of(time, draft),
        recorded=moment,
        recorder=who,
        identifiers=ids(node),
    )
    time.first("high").leave("when a concern was closed; FHIR R4 knows when a problem ended")
    found: list[str] = []
    graded = [inner(node, ("SEV",), ()) for _ in range(2)]
    for relation, statement in list(parts(node)):
        made = read_statement(statement, draft, place.below(concern))
        if made:
            relation.take("typeCode", "inversionInd")
            found += made
    for severity in filter(None, graded):
        _grade(severity, found, draft)
    if found:
        node.take("classCode", "moodCode")
        node.becomes(found[0])
        for name, path in (("effectiveTime", "assertedDate"), ("statusCode", "clinicalStatus"), ("author", "recorder")):
            node.first(name).path = path
    else:
        node.give_up("a concern about nothing")
    return found


def _grade(severity: Node, found: list[str], draft: Draft) -> None:
    """Take over a severity that stands beside the problem or allergy it is of."""
    for reference in found[:1]:
        severity.becomes(reference)
        if reference.startswith("AllergyIntolerance/"):
            allergies.grade(severity, draft.get(reference), draft)
        elif reference.startswith("Condition/"):
            conditions.grade(severity, draft.get(reference), draft)
        else:
            severity.give_up("the severity of something that has none")
