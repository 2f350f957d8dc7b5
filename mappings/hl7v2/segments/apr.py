"""APR: what the person or the placer would prefer: days, hours, rooms.

Standard: HL7 v2.5.1 §10.6.9
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable

MAPPED = dict.fromkeys(range(1, 6), "Appointment.comment | Slot.comment")
IGNORED: dict[int, str] = {}

_SPACING = "Slot spacing"


@replaceable
def apr_to_comment(apr: Segment, draft: Draft) -> list[str]:
    """Give the preferences as lines, `Prefstart: 0800`; R4 has no element for them but the comment."""
    lines = []
    for n in (1, 2, 3, 4, 5):
        for scv in apr[n].repetitions:
            name, value = words(scv.c(1)), words(scv.c(2))
            if n == 4:
                name, value = _SPACING, name
            line = ": ".join(part for part in (name, value) if part)
            if line:
                lines.append(line)
    return lines
