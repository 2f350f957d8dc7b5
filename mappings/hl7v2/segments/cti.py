"""CTI: the clinical trial an order or a result belongs to.

Standard: HL7 v2.5.1 §7.8.4
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import Element, compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import ei_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

_STUDY = "DiagnosticReport.extension(workflow-researchStudy) | ServiceRequest.extension(research-study)"
_SHOWN = (
    "DiagnosticReport.extension(workflow-researchStudy).valueReference.display"
    " | ServiceRequest.extension(research-study).valueReference.display"
)
MAPPED = {1: _STUDY, 2: _SHOWN, 3: _SHOWN, 4: _SHOWN}
IGNORED: dict[int, str] = {}


@replaceable
def cti_to_research_study(cti: Segment, draft: Draft) -> Element | None:
    """Refer to the ResearchStudy by its number; its phase and time point are what the reference shows."""
    number = ei_to_identifier(cti[1], draft.context, "study")
    said = [words(cti[n].c(2)) or words(cti[n].c(1)) for n in (2, 3, 4)]
    display = " · ".join(text for text in said if text)
    if number is None and not display:
        return None
    return compact({"type": "ResearchStudy", "identifier": number, "display": display})
