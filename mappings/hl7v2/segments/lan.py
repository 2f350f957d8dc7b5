"""LAN: a language that a member of the staff speaks.

Standard: HL7 v2.5.1 §15.4.4
"""

from __future__ import annotations

from mappings.hl7v2.codings import cwe_to_language
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable

MAPPED = {2: "Practitioner.communication"}
IGNORED = {
    1: SEQUENCE,
    3: "reads, writes or speaks; no element of a practitioner's language in R4",
    4: "how well; no element of a practitioner's language in R4",
}


@replaceable
def lan_to_communication(lan: Segment, draft: Draft) -> list[Element]:
    """Give the language, or those that stand in its place."""
    found = (cwe_to_language(cwe) for cwe in lan[2].repetitions)
    return [language for language in found if language]
