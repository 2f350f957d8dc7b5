"""Problems, diagnoses and complaints as Condition.

Standard: CDA R2 §4.3.6.1; C-CDA R2.1 Problem Observation, whose codes are hints where a document has them
"""

from __future__ import annotations

from mappings.cda import faults
from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_name, ed_to_text
from mappings.cda.read.datatypes import ids
from mappings.cda.read.draft import Concern, Draft, Place
from mappings.cda.read.elements import Element, codes_of, compact, concept, first_coding, shown
from mappings.cda.read.node import Node
from mappings.cda.read.observations import NEGATED
from mappings.cda.read.participants import author, informant
from mappings.cda.read.quantities import pq_to_quantity
from mappings.cda.read.relations import inner, relate
from mappings.cda.read.times import start_of, ts_to_datetime
from mappings.outcome import Resource
from mappings.systems import SNOMED

_CLINICAL = {"active": "active", "suspended": "inactive", "aborted": "inactive", "completed": "inactive"}
_SAID = {
    "55561003": "active",
    "73425007": "inactive",
    "413322009": "resolved",
    "246455001": "recurrence",
    "263855007": "relapse",
    "277022003": "remission",
    "7087005": "active",
    "90734009": "active",
    "415684004": "active",
    "410516002": "active",
}
_ANY_PROBLEM = frozenset({"55607006", "64572001", "404684003", "409586006", "418799008", "282291009"})
_NO_PROBLEM = _ANY_PROBLEM | {"ASSERTION", "DX", "75321-0", "75323-6", "75325-1", "29308-4", "29299-5"}
"""Codes of an observation that say that a problem is observed, not which."""
DIAGNOSES = frozenset(
    {"29308-4", "11535-2", "42347-5", "10219-4", "10218-6", "46241-6", "8651-2", "59768-2", "55109-3"}
)
PROBLEM_SECTIONS = frozenset({"11450-4", "11348-0", "75310-3"})
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
AGE = ("445518008", "397659008", "30525-0")


def observation_to_condition(node: Node, draft: Draft, place: Place) -> list[str]:
    """Make the Condition of an observation whose value says what somebody has."""
    if node.first("subject"):
        node.give_up("a diagnosis of somebody else")
        draft.notice(faults.ABOUT_ANOTHER, node.where())
        return []
    numbers = ids(node)
    concern = place.concern or Concern()
    value, code = node.first("value", "code"), node.first("code", "category")
    what = cd_to_codeable_concept(value, draft)
    if what is None and value.words:
        what = {"text": ed_to_text(value, draft)}
    kind = cd_to_codeable_concept(code, draft) if code else None
    text = node.first("text")
    if what is None and kind and codes_of(kind) - _NO_PROBLEM:
        what, kind = kind, None
        code.path = "code"
    if what is None:
        said = ed_to_name(text, draft)
        value.take("nullFlavor")
        what = {"text": said} if said else None
    text.path = "Composition.section.text"
    time = node.first("effectiveTime", "onset")
    onset = start_of(time, draft)
    time.first("high").path = "abatement"
    end = ts_to_datetime(time.first("high"), draft)
    who, moment = author(node, draft)
    made: Resource = {
        "resourceType": "Condition",
        "id": draft.known("Condition", numbers, node),
        "identifier": [*numbers, *(one for one in concern.identifiers if one not in numbers)],
        "category": _categories(kind, concern, place),
        "code": what,
        "subject": draft.subject,
        "onsetDateTime": onset,
        "abatementDateTime": end,
        "recordedDate": moment or concern.recorded,
        "recorder": _person(who or concern.recorder),
        "asserter": _person(informant(node, draft)),
    }
    if concern.asserted:
        made["extension"] = [{"url": ASSERTED, "valueDateTime": concern.asserted}]
    _status(node, made, concern, end or ("UNK" if time.first("high").peek("nullFlavor") == "UNK" else ""), draft)
    _details(node, made, draft)
    if node["negationInd"] == "true":
        _denied(made)
    if node.first("statusCode", "verificationStatus").peek("code") == "nullified":
        made["verificationStatus"] = concept("condition-ver-status", "entered-in-error")
        made.pop("clinicalStatus", None)
    if node.first("statusCode").peek("code") in ("completed", "active", "nullified"):
        node.first("statusCode").take("code")
    made = compact(made)
    if "code" not in made and "note" not in made:
        node.give_up("says nothing")
        return []
    if node.first("targetSiteCode"):
        made["bodySite"] = [
            found for one in node.all("targetSiteCode", "bodySite") if (found := cd_to_codeable_concept(one, draft))
        ]
        made = compact(made)
    node.take("classCode", "moodCode")
    reference = draft.add(made, node, place)
    return [reference, *relate(node, made, draft, place)]


def _person(reference: str) -> Element | None:
    return {"reference": reference} if reference.startswith(("Practitioner", "Patient/", "RelatedPerson/")) else None


def _categories(kind: Element | None, concern: Concern, place: Place) -> list[Element]:
    diagnosis = concern.code in DIAGNOSES or place.section in DIAGNOSES or codes_of(kind) & DIAGNOSES
    code = "encounter-diagnosis" if diagnosis or place.section == "46240-8" else "problem-list-item"
    own = [one for one in (kind or {}).get("coding", []) if one.get("system", "").endswith("/condition-category")]
    if own:
        others = [one for one in (kind or {})["coding"] if one not in own and one.get("code") not in DIAGNOSES]
        return [{"coding": [one]} for one in (*own, *others)]
    found = [concept("condition-category", code)]
    if kind and not codes_of(kind) <= {"ASSERTION"}:
        found.append(kind)
    return found


def _status(node: Node, made: Resource, concern: Concern, end: str, draft: Draft) -> None:
    """Tell the clinical status: what the sender says of the problem, else that it ended, else that of the concern."""
    status = ""
    while said := inner(node, ("33999-4",), ("2.16.840.1.113883.10.20.22.4.6", "2.16.840.1.113883.10.20.1.50")):
        value = said.first("value", "clinicalStatus")
        found = cd_to_codeable_concept(value, draft)
        if first_coding(found).get("system") == VERIFICATION:
            made["verificationStatus"] = found
            value.path = "verificationStatus"
            continue
        own = str(first_coding(found)["code"]) if first_coding(found).get("system") == CLINICAL else ""
        status = own or next((_SAID[code] for code in codes_of(found) if code in _SAID), "")
        if not status:
            value.give_back("code")
    status = status or ("resolved" if end else "") or _CLINICAL.get(concern.status, "")
    if status:
        made["clinicalStatus"] = concept("condition-clinical", status)
    if "abatementDateTime" in made and made["abatementDateTime"] and status in ("active", "recurrence", "relapse"):
        made["clinicalStatus"] = concept("condition-clinical", "resolved")  # Standard: FHIR R4 con-4


def _details(node: Node, made: Resource, draft: Draft) -> None:
    dated = inner(node, ("77975-1",), ("2.16.840.1.113883.10.20.22.4.502",))
    when = start_of(dated.first("effectiveTime", "assertedDate"), draft) if dated else ""
    if when:
        made["extension"] = [{"url": ASSERTED, "valueDateTime": when}]
    while severity := inner(node, ("SEV",), ("2.16.840.1.113883.10.20.22.4.8",)):
        grade(severity, made, draft)
    age = inner(node, AGE, ("2.16.840.1.113883.10.20.22.4.31",))
    if age:
        found = age_of(age.first("value", "onset"))
        if found and not made["onsetDateTime"]:
            made["onsetAge"] = found
        elif found:
            age.first("value").give_up("the age at onset, beside the date of onset")


def grade(severity: Node, made: Resource, draft: Draft) -> None:
    """Take over how severe a condition is, from the statement that says so."""
    found = cd_to_codeable_concept(severity.first("value", "severity"), draft)
    if found:
        made["severity"] = found


def age_of(value: Node) -> Element:
    """Make an Age of PQ or INT; years when there is no unit."""
    quantity = pq_to_quantity(value)
    if quantity is None:
        return {}
    code = quantity.get("code") or "a"
    return {"value": quantity["value"], "unit": code, "system": "http://unitsofmeasure.org", "code": code}


def _denied(made: Resource) -> None:
    """Say that somebody does not have it: no problem at all by its own code, else the refuted condition."""
    if not codes_of(made["code"]) - _ANY_PROBLEM and made["code"]:
        text = shown(made["code"])
        made["code"] = compact(
            {
                "coding": [{"system": SNOMED, "code": "160245001", "display": "No current problems or disability"}],
                "text": f"{NEGATED}: {text}" if text else "",
            }
        )
        return
    made["verificationStatus"] = concept("condition-ver-status", "refuted")
    made.pop("clinicalStatus", None)
