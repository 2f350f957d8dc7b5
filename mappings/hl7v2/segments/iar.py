"""IAR: one reaction to the allergen of the IAM before it.

Standard: HL7 v2.8 §3.4.8
"""

from __future__ import annotations

from typing import Any

from mappings import codes
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import code_of, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.iam import SENSITIVITY
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "AllergyIntolerance.reaction.manifestation",
    2: "AllergyIntolerance.reaction.severity",
    3: "AllergyIntolerance.type",
    4: "AllergyIntolerance.reaction.note",
}
IGNORED: dict[int, str] = {}


@replaceable
def iar_to_reaction(iar: Segment, allergy: dict[str, Any], draft: Draft) -> None:
    """Add the reaction to the AllergyIntolerance; one that IAM-5 names already gains its severity and how it was managed."""
    manifestation = cwe_to_codeable_concept(iar[1], draft.context)
    _sensitivity(iar, allergy)
    if manifestation is None:
        for n in (2, 4):
            if iar.peek(n):
                iar.give_back(n, "about a reaction that the segment does not name")
        return
    code = code_of(iar[2].c(1)).upper()
    severity = codes.table("v2-0128-severity").target(code)
    if code == "U" and not severity:
        iar.ignore(2, "severity unknown")
    elif code and not severity:
        iar.give_back(2)
    managed = words(iar[4].whole)
    told = compact({"severity": severity, "note": [{"text": managed}] if managed else []})
    reactions = allergy.setdefault("reaction", [])
    named = next((n for n, one in enumerate(reactions) if manifestation in one["manifestation"]), None)
    if named is None:
        reactions.append({"manifestation": [manifestation], **told})
    elif len(reactions[named]["manifestation"]) == 1:
        reactions[named] |= told
    else:
        reactions[named]["manifestation"].remove(manifestation)
        reactions.append({"manifestation": [manifestation], **told})


def _sensitivity(iar: Segment, allergy: dict[str, Any]) -> None:
    code = code_of(iar[3].c(1)).upper()
    kind = SENSITIVITY.get(code, "")
    if code and not kind:
        iar.ignore(3, "kind of sensitivity that FHIR does not tell apart")
    elif kind and allergy.setdefault("type", kind) != kind:
        iar.ignore(3, "kind of sensitivity; another is told already")
