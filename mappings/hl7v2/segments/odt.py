"""ODT: how the tray is brought.

Standard: HL7 v2.5.1 §4.8.2
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    1: "ServiceRequest.code | ServiceRequest.orderDetail",
    2: "ServiceRequest.note",
    3: "ServiceRequest.note",
}
IGNORED: dict[int, str] = {}


@replaceable
def odt_to_service_request(odt: Segment, draft: Draft) -> dict[str, Any]:
    """Give what ODT orders: `codes` for the tray, `notes` for the hours and instructions."""
    tray = cwe_to_codeable_concept(odt[1], draft.context, system="http://terminology.hl7.org/CodeSystem/v2-0160")
    said = [words(cwe.c(2)) or words(cwe.c(1)) for cwe in odt[2].repetitions]
    texts = [words(line.whole) for line in odt[3].repetitions]
    notes: list[Element] = [{"text": text} for text in (*said, *texts) if text]
    return {"codes": [tray] if tray else [], "notes": notes}
