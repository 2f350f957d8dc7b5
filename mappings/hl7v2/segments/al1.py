"""AL1: allergies.

Standard: HL7 v2.5.1 §3.4.6
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.codings import concept, cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    2: "AllergyIntolerance.category | AllergyIntolerance.type",
    3: "AllergyIntolerance.code",
    4: "AllergyIntolerance.reaction.severity | AllergyIntolerance.criticality",
    5: "AllergyIntolerance.reaction.manifestation",
    6: "AllergyIntolerance.onset",
}
IGNORED = {1: SEQUENCE}

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


@replaceable
def al1_to_allergy_intolerance(al1: Segment, draft: Draft) -> Resource | None:
    """Make the AllergyIntolerance; nothing when no allergen is named."""
    context = draft.context
    code = cwe_to_codeable_concept(al1[3], context)
    if code is None:
        return None
    category, kind = category_and_type(al1, draft)
    manifestations = [{"text": text} for st in al1[5].repetitions if (text := words(st.whole))]
    severity, criticality = severity_of(al1, bool(manifestations))
    reaction = compact({"manifestation": manifestations, "severity": severity}) if manifestations else {}
    return compact(
        {
            "resourceType": "AllergyIntolerance",
            "id": allergy_id(code, draft),
            "clinicalStatus": concept("active", CLINICAL, "Active"),
            "type": kind,
            "category": [category] if category else [],
            "criticality": criticality,
            "code": code,
            "patient": draft.subject,
            "onsetDateTime": draft.day(al1, 6),
            "reaction": [reaction] if reaction else [],
        }
    )


def allergy_id(code: Element, draft: Draft) -> str:
    """Give the id of the person's AllergyIntolerance to what the code names, whichever segment tells it."""
    first = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    system = draft.context.systems.local(draft.context.facility, "allergy")
    key = f"{draft.patient}|{first.get('system', '')}|{first['code']}"
    return resource_id("AllergyIntolerance", system, key)


def category_and_type(segment: Segment, draft: Draft) -> tuple[str, str]:
    """Take field 2 (HL7 table 0127): the category, and that it is an allergy; a contraindication is none."""
    kind = code_of(segment[2].c(1)).upper()
    known = kind in codes.table("v2-0127-category")
    if kind and not known:
        draft.notice(faults.CODE_UNKNOWN, segment.where(2))
        segment.give_back(2)
    if kind == "MC":
        segment.ignore(2, "contraindication; FHIR has no category for it")
    return codes.table("v2-0127-category").target(kind), "allergy" if known and kind != "MC" else ""


def severity_of(segment: Segment, reacted: bool) -> tuple[str, str]:
    """Take field 4 (HL7 table 0128): the severity of the reaction when one is told, else the criticality."""
    code = code_of(segment[4].c(1)).upper()
    severity = codes.table("v2-0128-severity").target(code) if reacted else ""
    criticality = "" if reacted else codes.table("v2-0128-criticality").target(code)
    if code == "U" and not criticality:
        segment.ignore(4, "severity unknown")
    elif code and not severity and not criticality:
        segment.give_back(4)
    return severity, criticality
