"""TQ2: how an order depends on others.

Standard: HL7 v2.5.1 §4.5.5
"""

from __future__ import annotations

from mappings.hl7v2.segments import SEQUENCE

MAPPED: dict[int, str] = {}
_SEQUENCE = "order of the orders among themselves; R4 requests have no such element"
IGNORED = {1: SEQUENCE, **dict.fromkeys(range(2, 11), _SEQUENCE)}
