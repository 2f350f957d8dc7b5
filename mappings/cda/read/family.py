"""What relatives have or had as FamilyMemberHistory.

Standard: CDA R2 §4.3.6.4, §4.3.8.10 (relatedSubject); C-CDA R2.1 Family History Organizer
"""

from __future__ import annotations

from mappings.cda.read import own
from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.conditions import AGE, age_of
from mappings.cda.read.datatypes import bl, ids, names
from mappings.cda.read.draft import Draft, Place
from mappings.cda.read.elements import Element, compact, concept, shown
from mappings.cda.read.node import Node
from mappings.cda.read.observations import NEGATED
from mappings.cda.read.people import gender
from mappings.cda.read.relations import claim, inner, leave_rest, parts, take_comments
from mappings.cda.read.times import chosen, ts_to_date
from mappings.outcome import Resource

SECTIONS = frozenset({"10157-6", "10157-2"})
_TEMPLATES = frozenset({"2.16.840.1.113883.10.20.22.4.45", "2.16.840.1.113883.10.20.1.23"})
_DEATH = frozenset({"419099009", "419620001", "399347008"})


def is_about_relative(node: Node, place: Place) -> bool:
    """Tell whether a statement is about what a relative has."""
    role = node.first("subject").first("relatedSubject")
    if role.peek("classCode") not in ("PRS", "") or not role.first("code"):
        return False
    templates = {one.peek("root") for one in node.all("templateId")}
    return place.section in SECTIONS or node.first("code").peek("code") in SECTIONS or bool(templates & _TEMPLATES)


def statement_to_family_member_history(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the FamilyMemberHistory of an organizer about a relative, or of one observation about one."""
    numbers = ids(node) if node.name == "organizer" else []
    subject = node.first("subject")
    role = subject.first("relatedSubject")
    person = role.first("subject")
    code = role.first("code", "relationship")
    relationship = cd_to_codeable_concept(code, draft)
    sex = gender(person.first("administrativeGenderCode", "sex"))
    name = names(person, draft)
    status = node.first("statusCode", "status")["code"]
    if node.name == "organizer" and node.first("code").peek("code") in SECTIONS:
        node.first("code").take("code", "codeSystem", "codeSystemName", "displayName")
    for one in (*role.all("sdtc:id"), *person.all("sdtc:id")):
        one.leave("the number of a relative; FHIR R4 has none")
    made: Resource = {
        "resourceType": "FamilyMemberHistory",
        "id": draft.known("FamilyMemberHistory", numbers, node),
        "identifier": numbers,
        "status": "completed" if status in ("completed", "") else "partial",
        "patient": draft.subject,
        "name": _called(name),
        "relationship": relationship or concept("v3-RoleCode", "FAMMEMB", "family member"),
        "sex": concept("http://hl7.org/fhir/administrative-gender", sex) if sex else None,
        "bornDate": ts_to_date(person.first("birthTime", "born")),
        **_dead(person, draft),
    }
    subject.take("typeCode")
    role.take("classCode")
    statements = [(node, node)] if node.name == "observation" else list(parts(node))
    conditions = []
    for relation, statement in statements:
        found = _condition(statement, made, draft) if statement.name == "observation" else None
        if found:
            conditions.append(found)
            if relation is not statement:
                claim(relation, statement)
                statement.path = "condition"
    made["condition"] = conditions
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    own.take_elements(node, made, draft)
    take_comments(node, made, draft)
    leave_rest(node)
    return [reference]


def _called(name: list[Element]) -> str:
    if not name:
        return ""
    first = name[0]
    return first.get("text") or " ".join([*first.get("given", []), first.get("family", "")]).strip()


def _dead(person: Node, draft: Draft) -> Element:
    died = ts_to_date(person.first("sdtc:deceasedTime", "deceased"))
    gone = person.first("sdtc:deceasedInd", "deceased")
    dead = bl(gone) if gone else None
    if died and dead is not False:
        return {"deceasedDate": died}
    return {} if dead is None else {"deceasedBoolean": dead}


def _condition(node: Node, made: Resource, draft: Draft) -> Element | None:
    value = node.first("value", "condition.code")
    code = node.first("code", "condition.code")
    what = cd_to_codeable_concept(value, draft) if value else None
    kind = cd_to_codeable_concept(code, draft) if code else None
    if what is None and value.words:
        what = {"text": ed_to_text(value, draft)}
    text = node.first("text")
    said = ed_to_name(text, draft)
    text.path = "Composition.section.text"
    what = what or ({"text": said} if said else kind)
    if what is None:
        return None
    if node["negationInd"] == "true":
        what = {"text": f"{NEGATED}: {shown(what)}"}
    found: Element = {"code": what}
    holder: Resource = {"resourceType": "Condition", "id": "", "note": []}
    take_comments(node, holder, draft)
    when = chosen("onset", node.first("effectiveTime", "condition.onset"), draft)
    moment = when.get("onsetDateTime")
    period = {"start": moment} if moment else when.get("onsetPeriod")
    node.first("statusCode").take("code")
    for one in node.all("id"):
        one.leave("the number of what a relative has; FHIR R4 has none")
    age = inner(node, (*AGE, "21611-9"), ("2.16.840.1.113883.10.20.22.4.31", "2.16.840.1.113883.10.20.1.38"))
    years = age_of(age.first("value")) if age else {}
    if years:
        found["onsetAge"] = years
        age.path = "condition.onset"
    if years and period:
        found["note"] = [{"text": " – ".join(period.values())}]
        node.first("effectiveTime").path = "condition.note"
    elif period:
        found["onsetPeriod"] = period
    if holder["note"]:
        found["note"] = [*found.get("note", []), *holder["note"]]
    for relation, statement in list(parts(node)):
        dead = {statement.first("value").peek("code"), statement.first("code").peek("code")} & _DEATH
        if relation.peek("typeCode") == "CAUS" and dead:
            claim(relation, statement)
            statement.path = "condition.contributedToDeath"
            statement.first("value").take("code", "codeSystem", "displayName")
            statement.first("code").take("code", "codeSystem", "displayName")
            found["contributedToDeath"] = True
            made.setdefault("deceasedBoolean", True) if "deceasedDate" not in made else None
        elif relation.peek("typeCode") == "CAUS" and statement.first("code").peek("code") == "ASSERTION":
            outcome = cd_to_codeable_concept(statement.first("value"), draft)
            if outcome:
                claim(relation, statement)
                statement.path = "condition.outcome"
                statement.first("code").take("code", "codeSystem", "codeSystemName", "displayName")
                found["outcome"] = outcome
    return found
