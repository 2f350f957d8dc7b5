"""Entries about what a person has: conditions, allergies, diseases in the family.

Standard: CDA R2 §4.3.6
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappings.cda.datatypes import amount, interval, time
from mappings.cda.elements import beside, components
from mappings.cda.markup import Markup, el
from mappings.cda.writer import COMPLETED, Writer
from mappings.outcome import Resource
from mappings.systems import LOINC, SNOMED, V3_ACT_CODE

_DENIED = "refuted"
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_SEVERITY = "http://hl7.org/fhir/reaction-event-severity"
_VALUES = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
_CRITICALITIES = {
    "low": {"coding": [{"system": _VALUES, "code": "CRITL", "display": "low criticality"}]},
    "high": {"coding": [{"system": _VALUES, "code": "CRITH", "display": "high criticality"}]},
    "unable-to-assess": {"coding": [{"system": _VALUES, "code": "CRITU", "display": "unable to assess criticality"}]},
}


def condition_to_observation(condition: Resource, w: Writer) -> Markup:
    """Make an Observation of kind diagnosis; `effectiveTime` is when the disease began and ended."""
    return el(
        "observation",
        *w.ids(condition),
        w.types.code("code", LOINC, "29308-4", "Diagnosis"),
        w.text(condition),
        COMPLETED,
        _course(condition, "onset", "abatement"),
        w.coded("value", condition.get("code"), "CD"),
        *w.sites(condition, "bodySite", "targetSiteCode"),
        w.people.author(condition.get("recorder"), condition.get("recordedDate")),
        w.people.informant(condition.get("asserter")),
        w.status_observation(condition.get("clinicalStatus")),
        w.severity(condition.get("severity")),
        _asserted(condition, w),
        *beside(condition, w),
        *w.notes(condition),
        classCode="OBS",
        moodCode="EVN",
        negationInd="true" if _verified(condition) == _DENIED else None,
    )


def _course(resource: Resource, first: str, last: str) -> Markup | None:
    """Make IVL_TS of beginning and end, each a dateTime or a period."""
    start = resource.get(f"{first}DateTime") or resource.get(f"{first}Period", {}).get("start")
    end = resource.get(f"{last}DateTime") or resource.get(f"{last}Period", {}).get("end")
    return interval("effectiveTime", {"start": start, "end": end}) if start or end else None


def _asserted(condition: Resource, w: Writer) -> Markup | None:
    """Say when a condition was first asserted."""
    at = next((e["valueDateTime"] for e in condition.get("extension", []) if e.get("url") == _ASSERTED), None)
    if not at:
        return None
    code = w.types.code("code", LOINC, "77975-1", "Problem date of diagnosis")
    dated = el("act", code, COMPLETED, time("effectiveTime", at), classCode="ACT", moodCode="EVN")
    return w.related("COMP", dated)


def _verified(resource: Resource) -> str:
    codings = resource.get("verificationStatus", {}).get("coding", [])
    return next((coding.get("code", "") for coding in codings), "")


def allergy_intolerance_to_observation(allergy: Resource, w: Writer) -> Markup:
    """Make an Observation that asserts a kind of allergy; what it is against takes part as CSM."""
    risk = _CRITICALITIES.get(allergy.get("criticality", ""))
    substance = el("playingEntity", w.coded("code", allergy.get("code")), classCode="MMAT")
    return el(
        "observation",
        *w.ids(allergy),
        w.types.code("code", V3_ACT_CODE, "ASSERTION", "Assertion"),
        w.text(allergy),
        COMPLETED,
        _course(allergy, "onset", ""),
        _kind(allergy, w),
        w.people.author(allergy.get("recorder"), allergy.get("recordedDate")),
        w.people.informant(allergy.get("asserter")),
        el("participant", el("participantRole", substance, classCode="MANU"), typeCode="CSM"),
        w.status_observation(allergy.get("clinicalStatus")),
        *(_reaction(reaction, w) for reaction in allergy.get("reaction", [])),
        w.related("SUBJ", w.fact("82606-5", "Allergy or intolerance criticality", risk), inverted=True)
        if risk
        else None,
        *beside(allergy, w),
        *w.notes(allergy),
        classCode="OBS",
        moodCode="EVN",
        negationInd="true" if _verified(allergy) == _DENIED else None,
    )


def _kind(allergy: Resource, w: Writer) -> Markup:
    """Make the value: allergy or intolerance, to a medicine, a food or something around."""
    families = {"allergy": ("DALG", "FALG", "EALG", "ALG"), "intolerance": ("DINT", "FINT", "EINT", "OINT")}
    family = families.get(allergy.get("type", ""))
    if family is None:
        coding = {"system": SNOMED, "code": "420134006", "display": "Propensity to adverse reaction"}
    else:
        category = next(iter(allergy.get("category", [])), "")
        places = {"medication": 0, "food": 1, "environment": 2}
        coding = {"system": V3_ACT_CODE, "code": family[places.get(category, 3)]}
    return w.coded("value", {"coding": [coding]}, "CD")


def _reaction(reaction: dict[str, Any], w: Writer) -> Markup | None:
    """Make the manifestations of one reaction: the first is its value, the others stand inside."""
    severity = reaction.get("severity")
    onset = reaction.get("onset")
    shown = reaction.get("description")
    code = w.types.code("code", V3_ACT_CODE, "ASSERTION", "Assertion")
    values = [w.coded("value", one, "CD") for one in reaction.get("manifestation", [])]
    made = el(
        "observation",
        code,
        el("text", shown) if shown else None,
        COMPLETED,
        time("effectiveTime", onset) if onset else None,
        *values[:1],
        w.severity({"coding": [{"system": _SEVERITY, "code": severity}]}) if severity else None,
        *(w.related("COMP", w.observation(code, value)) for value in values[1:]),
        *w.notes(reaction),
        classCode="OBS",
        moodCode="EVN",
    )
    return w.related("MFST", made, inverted=True)


def family_member_history_to_organizer(history: Resource, w: Writer) -> Markup:
    """Make an organizer about a relative: who, and one Observation per disease."""
    sex = next((c.get("code") for c in history.get("sex", {}).get("coding", [])), "")
    gender = {"male": "M", "female": "F", "other": "UN"}.get(sex or "")
    person = [
        el("name", history["name"]) if history.get("name") else None,
        el("administrativeGenderCode", code=gender, codeSystem="2.16.840.1.113883.5.1") if gender else None,
        time("birthTime", history["bornDate"]) if history.get("bornDate") else None,
    ]
    subject = el(
        "relatedSubject",
        w.coded("code", history.get("relationship")),
        el("subject", *person) if any(person) else None,
        classCode="PRS",
    )
    return el(
        "organizer",
        *w.ids(history),
        w.types.code("code", LOINC, "10157-6", "History of family member diseases Narrative"),
        COMPLETED,
        time("effectiveTime", history["date"]) if history.get("date") else None,
        el("subject", subject),
        *_diseases(history.get("condition", []), w),
        *(el("component", w.note(note)) for note in history.get("note", [])),
        *components(history, w),
        classCode="CLUSTER",
        moodCode="EVN",
    )


def _diseases(conditions: Iterable[dict[str, Any]], w: Writer) -> Iterable[Markup]:
    for condition in conditions:
        age = condition.get("onsetAge")
        code = w.types.code("code", LOINC, "29308-4", "Diagnosis")
        aged = w.types.code("code", LOINC, "21611-9", "Age")
        rest = [
            w.related("SUBJ", w.observation(aged, amount("value", age, "PQ")), inverted=True) if age else None,
            w.related("CAUS", w.assertion(condition["outcome"])) if condition.get("outcome") else None,
            *w.notes(condition),
        ]
        yield el("component", w.observation(code, w.coded("value", condition.get("code"), "CD"), *rest))
