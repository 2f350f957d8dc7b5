"""NTE: comments on what stands before them.

Standard: HL7 v2.5.1 §2.15.10
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.datatypes import Element, compact, joined
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE

IGNORED = {
    1: SEQUENCE,
    2: "source of the comment; the sender is in the ledger",
    4: "comment type; the text says what it is about",
}


def nte_to_annotation(nte: Segment, draft: Draft) -> Element | None:
    """Make an Annotation; repetitions are lines."""
    text = joined(nte[3].repetitions)
    if not text:
        return None
    author = practitioners(nte[5].repetitions[:1], draft)
    return compact({"authorReference": author[0] if author else {}, "time": draft.moment(nte, 6), "text": text})
