"""Allergies and intolerances as AllergyIntolerance.

Standard: CDA R2 §4.3.6.1; C-CDA R2.1 Allergy - Intolerance Observation, whose codes are hints where a document has them
"""

from __future__ import annotations

from dataclasses import replace

from mappings.cda import faults
from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Concern, Draft, Place
from mappings.cda.read.elements import Element, codes_of, compact, concept, first_coding, shown
from mappings.cda.read.node import Node
from mappings.cda.read.observations import NEGATED
from mappings.cda.read.participants import author, informant, product_name
from mappings.cda.read.relations import claim, inner, parts, relate, take_comments
from mappings.cda.read.times import start_of, ts_to_datetime
from mappings.outcome import Resource
from mappings.systems import SNOMED

_KINDS = {
    "419199007": ("allergy", ""),
    "416098002": ("allergy", "medication"),
    "414285001": ("allergy", "food"),
    "426232007": ("allergy", "environment"),
    "232347008": ("allergy", "environment"),
    "59037007": ("intolerance", "medication"),
    "235719002": ("intolerance", "food"),
    "418038007": ("", ""),
    "419511003": ("", "medication"),
    "418471000": ("", "food"),
    "420134006": ("", ""),
    "418634005": ("allergy", ""),
    "282100009": ("", ""),
    "106190000": ("allergy", ""),
    "DALG": ("allergy", "medication"),
    "FALG": ("allergy", "food"),
    "EALG": ("allergy", "environment"),
    "ALG": ("allergy", ""),
    "DINT": ("intolerance", "medication"),
    "FINT": ("intolerance", "food"),
    "EINT": ("intolerance", "environment"),
    "OINT": ("intolerance", ""),
}
KINDS = frozenset(_KINDS)
_NONE_KNOWN = {
    "medication": ("409137002", "No known drug allergy"),
    "food": ("429625007", "No known food allergy"),
    "environment": ("428607008", "No known environmental allergy"),
    "": ("716186003", "No known allergy"),
}
_SEVERITIES = {
    "255604002": "mild",
    "6736007": "moderate",
    "371923003": "moderate",
    "371924009": "severe",
    "24484000": "severe",
    "399166001": "severe",
    "mild": "mild",
    "moderate": "moderate",
    "severe": "severe",
    "H": "severe",
    "M": "moderate",
    "L": "mild",
}
_CRITICALITIES = {"CRITL": "low", "CRITH": "high", "CRITU": "unable-to-assess"} | {
    code: code for code in ("low", "high", "unable-to-assess")
}
_CLINICAL = {"55561003": "active", "73425007": "inactive", "413322009": "resolved", "392521001": "inactive"}
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_TYPE = "http://hl7.org/fhir/allergy-intolerance-type"
_CATEGORY = "http://hl7.org/fhir/allergy-intolerance-category"
_CONCERNS = {"active": "active", "completed": "inactive", "suspended": "inactive", "aborted": "inactive"}


def observation_to_allergy_intolerance(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the AllergyIntolerance of an observation; that somebody has none is said by its own code."""
    if node.first("subject"):
        node.give_up("an allergy of somebody else")
        draft.notice(faults.ABOUT_ANOTHER, node.where())
        return []
    numbers, concern = ids(node), replace(place.concern or Concern())
    value, code = node.first("value", "type"), node.first("code", "type")
    kind_of = cd_to_codeable_concept(value, draft)
    kind, category = next((_KINDS[one] for one in codes_of(kind_of) if one in _KINDS), ("", ""))
    categories = [category] if category else []
    for coding in (kind_of or {}).get("coding", []):
        kind = coding["code"] if coding.get("system") == _TYPE else kind
        categories += [coding["code"]] if coding.get("system") == _CATEGORY else []
    code.take("code", "codeSystem", "codeSystemName", "displayName", "nullFlavor")
    substance = _substance(node, draft)
    text = node.first("text")
    said = ed_to_name(text, draft)
    text.path = "Composition.section.text"
    time = node.first("effectiveTime", "onset")
    who, moment = author(node, draft)
    recorder = who or concern.recorder
    asserter = informant(node, draft)
    made: Resource = {
        "resourceType": "AllergyIntolerance",
        "id": draft.known("AllergyIntolerance", numbers, node),
        "identifier": [*numbers, *(one for one in concern.identifiers if one not in numbers)],
        "clinicalStatus": concept("allergyintolerance-clinical", _clinical(node, time, concern, draft)),
        "type": kind,
        "category": categories,
        "code": substance or kind_of or ({"text": said} if said else None),
        "patient": draft.subject,
        "onsetDateTime": start_of(time, draft),
        "recordedDate": moment or concern.recorded,
        "recorder": {"reference": recorder}
        if recorder.startswith(("Practitioner", "Patient/", "RelatedPerson/"))
        else None,
        "asserter": {"reference": asserter}
        if asserter.startswith(("Practitioner", "Patient/", "RelatedPerson/"))
        else None,
        "reaction": _reactions(node, draft),
    }
    while severity := inner(node, ("SEV",), ("2.16.840.1.113883.10.20.22.4.8", "2.16.840.1.113883.10.20.1.55")):
        grade(severity, made, draft)
    criticality = inner(node, ("82606-5",), ("2.16.840.1.113883.10.20.22.4.145",))
    if criticality:
        risk = cd_to_codeable_concept(criticality.first("value", "criticality"), draft)
        made["criticality"] = next((_CRITICALITIES[one] for one in codes_of(risk) if one in _CRITICALITIES), "")
    if concern.verification:
        made["verificationStatus"] = concern.verification
    if node["negationInd"] == "true":
        _denied(made, substance, category)
    if node.first("statusCode", "verificationStatus").peek("code") == "nullified":
        made["verificationStatus"] = concept("allergyintolerance-verification", "entered-in-error")
        made.pop("clinicalStatus")
    if node.first("statusCode").peek("code") in ("completed", "active", "nullified"):
        node.first("statusCode").take("code")
    made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def grade(severity: Node, made: Resource, draft: Draft) -> None:
    """Take over how severe an allergy is, from the statement that says so: to its reactions, else to its criticality."""
    value = severity.first("value", "reaction.severity")
    found = cd_to_codeable_concept(value, draft)
    word = next((_SEVERITIES[one] for one in codes_of(found) if one in _SEVERITIES), "")
    if not word:
        value.give_back("code")
    elif made.get("reaction"):
        for one in made["reaction"]:
            one.setdefault("severity", word)
    elif "criticality" not in made and word != "moderate":
        made["criticality"] = "high" if word == "severe" else "low"


def _substance(node: Node, draft: Draft) -> Element | None:
    for participant in node.all("participant"):
        role = participant.first("participantRole")
        entity = role.first("playingEntity")
        found = product_name(entity, draft) if entity else None
        if found:
            participant.take("typeCode")
            role.take("classCode")
            entity.take("classCode")
            participant.path = "code"
            return found
    return None


def _clinical(node: Node, time: Node, concern: Concern, draft: Draft) -> str:
    """Tell the clinical status; an allergy that nobody calls inactive is active, which errs on the safe side."""
    clinical = ""
    while said := inner(node, ("33999-4",), ("2.16.840.1.113883.10.20.22.4.28", "2.16.840.1.113883.10.20.1.39")):
        value = said.first("value", "clinicalStatus")
        found = cd_to_codeable_concept(value, draft)
        coding = first_coding(found)
        if coding.get("system") == VERIFICATION:
            concern.verification = found or {}
            value.path = "verificationStatus"
            continue
        own = coding["code"] if coding.get("system") == CLINICAL else ""
        status = own or next((_CLINICAL[code] for code in codes_of(found) if code in _CLINICAL), "")
        if not status:
            value.give_back("code")
        clinical = clinical or status
    if clinical:
        return clinical
    end = time.first("high")
    end.path = "clinicalStatus"
    if ts_to_datetime(end, draft):
        return "resolved"
    return _CONCERNS.get(concern.status, "active")


def _reactions(node: Node, draft: Draft) -> list[Element]:
    found = []
    for relation, statement in list(parts(node)):
        templates = {one.peek("root") for one in statement.all("templateId")}
        manifest = relation.peek("typeCode") in ("MFST", "CAUS")
        if not manifest and not templates & {"2.16.840.1.113883.10.20.22.4.9", "2.16.840.1.113883.10.20.1.54"}:
            continue
        value = statement.first("value")
        what = cd_to_codeable_concept(value, draft) if value else None
        if what is None:
            said = ed_to_text(statement.first("text"), draft)
            what = {"text": said} if said else None
        if what is None:
            continue
        claim(relation, statement)
        statement.path = "reaction"
        code = statement.first("code")
        code.take("code", "codeSystem", "codeSystemName", "displayName", "nullFlavor")
        also = _further(statement, draft)
        words = statement.first("text")
        said = ed_to_text(words, draft) if words.words else ""
        severity = inner(statement, ("SEV",), ("2.16.840.1.113883.10.20.22.4.8",))
        grave = cd_to_codeable_concept(severity.first("value"), draft) if severity else None
        word = next((_SEVERITIES[one] for one in codes_of(grave) if one in _SEVERITIES), "")
        onset = start_of(statement.first("effectiveTime"), draft)
        for one in statement.all("id"):
            one.leave("the number of a reaction; FHIR R4 has none")
        holder: Resource = {"resourceType": "AllergyIntolerance", "id": "", "note": []}
        take_comments(statement, holder, draft)
        found.append(
            compact(
                {
                    "manifestation": [what, *also],
                    "description": said,
                    "onset": onset,
                    "severity": word,
                    "note": holder["note"],
                }
            )
        )
    return found


def _further(statement: Node, draft: Draft) -> list[Element]:
    """Read the further manifestations of a reaction that stand inside the first."""
    found = []
    for relation, below in list(parts(statement)):
        if relation.peek("typeCode") == "COMP" and below.first("code").peek("code") == "ASSERTION":
            what = cd_to_codeable_concept(below.first("value"), draft)
            if what:
                claim(relation, below)
                below.first("code").take("code", "codeSystem", "codeSystemName", "displayName")
                found.append(what)
    return found


def _denied(made: Resource, substance: Element | None, category: str) -> None:
    if substance and codes_of(substance) - KINDS:
        made["verificationStatus"] = concept("allergyintolerance-verification", "refuted")
        return
    code, display = _NONE_KNOWN[category]
    said = shown(made["code"])
    made["code"] = compact(
        {"coding": [{"system": SNOMED, "code": code, "display": display}], "text": f"{NEGATED}: {said}" if said else ""}
    )
