"""TQ1 and TQ: when an order or an appointment shall happen, and how urgently.

Standard: HL7 v2.5.1 §4.5.4
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE

IGNORED = {
    1: SEQUENCE,
    2: "quantity; one service is asked for",
    3: "repeat pattern; repeated services arrive as single results",
    4: "repeat pattern; repeated services arrive as single results",
    5: "repeat pattern; repeated services arrive as single results",
    6: "repeat pattern; repeated services arrive as single results",
    10: "condition of the timing",
    12: "conjunction of timings",
    13: "repeat pattern; repeated services arrive as single results",
    14: "repeat pattern; repeated services arrive as single results",
}


def tq1_to_timing(tq1: Segment, draft: Draft) -> Element:
    """Give `occurrencePeriod`, `priority` and `note` as a ServiceRequest has them."""
    urgency = codes.table("v2-0485").target(code_of(tq1[9].c(1)).upper())
    if tq1.peek(9) and not urgency:
        tq1.give_back(9)
    text = words(tq1[11].whole)
    return compact(
        {
            "priority": urgency,
            "occurrencePeriod": period(draft.moment(tq1, 7), draft.moment(tq1, 8)),
            "note": [{"text": text}] if text else [],
        }
    )
