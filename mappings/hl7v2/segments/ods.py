"""ODS: a diet, a supplement, or what the patient prefers to eat.

Standard: HL7 v2.5.1 §4.8.1
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = {
    2: "ServiceRequest.note",
    3: "ServiceRequest.code | ServiceRequest.orderDetail",
    4: "ServiceRequest.note",
}
IGNORED = {1: "diet, supplement or preference; the code tells which"}


@replaceable
def ods_to_service_request(ods: Segment, draft: Draft) -> dict[str, Any]:
    """Give what ODS orders: `codes`, and `notes` for meals and instructions."""
    codes = [one for cwe in ods[3].repetitions if (one := cwe_to_codeable_concept(cwe, draft.context))]
    meals = [words(cwe.c(2)) or words(cwe.c(1)) for cwe in ods[2].repetitions]
    texts = [words(line.whole) for line in ods[4].repetitions]
    notes: list[Element] = [{"text": text} for text in (*meals, *texts) if text]
    return {"codes": codes, "notes": notes}
