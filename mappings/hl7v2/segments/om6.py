"""OM6: how an observation is calculated from others.

Standard: HL7 v2.5.1 §8.8.13
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {2: "ObservationDefinition.method.text"}
IGNORED = {1: SEQUENCE}


@replaceable
def om6_to_method(om6: Segment, definition: Resource, draft: Draft) -> None:
    """Add the rule to the method, in the words of the sender."""
    rule = words(om6[2].whole)
    if rule:
        method = definition.get("method", {})
        text = method.get("text", "")
        definition["method"] = method | {"text": f"{text}; {rule}" if text else rule}
