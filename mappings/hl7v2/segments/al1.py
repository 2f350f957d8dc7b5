"""AL1: allergies.

Standard: HL7 v2.5.1 §3.4.6
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import code_of, compact, concept, cwe_to_codeable_concept, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.ids import resource_id
from mappings.outcome import Resource

IGNORED = {1: SEQUENCE}

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def al1_to_allergy_intolerance(al1: Segment, draft: Draft) -> Resource | None:
    """Make the AllergyIntolerance; nothing when no allergen is named."""
    context = draft.context
    code = cwe_to_codeable_concept(al1[3], context)
    if code is None:
        return None
    kind = code_of(al1[2].c(1)).upper()
    category = codes.table("v2-0127-category").target(kind)
    if kind and kind not in codes.table("v2-0127-category"):
        draft.notice(faults.CODE_UNKNOWN, al1.where(2))
        al1.give_back(2)
    severity_code = code_of(al1[4].c(1)).upper()
    severity = codes.table("v2-0128-severity").target(severity_code)
    manifestations = [{"text": text} for st in al1[5].repetitions if (text := words(st.whole))]
    reaction = compact({"manifestation": manifestations, "severity": severity}) if manifestations else {}
    criticality = codes.table("v2-0128-criticality").target(severity_code) if not manifestations else ""
    if severity_code and not severity and not criticality:
        al1.give_back(4)
    first = code["coding"][0] if code.get("coding") else {"code": code["text"]}
    key = f"{draft.patient}|{first.get('system', '')}|{first['code']}"
    return compact(
        {
            "resourceType": "AllergyIntolerance",
            "id": resource_id("AllergyIntolerance", context.systems.local(context.facility, "allergy"), key),
            "clinicalStatus": concept("active", _CLINICAL, "Active"),
            "type": "allergy" if kind and kind != "MC" and kind in codes.table("v2-0127-category") else "",
            "category": [category] if category else [],
            "criticality": criticality,
            "code": code,
            "patient": reference(draft.patient),
            "onsetDateTime": draft.day(al1, 6),
            "reaction": [reaction] if reaction else [],
        }
    )
