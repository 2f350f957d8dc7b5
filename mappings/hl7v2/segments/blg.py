"""BLG: whom an order is charged to.

Standard: HL7 v2.5.1 §4.5.2
"""

from __future__ import annotations

from mappings.hl7v2.segments import BILLING

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys((1, 2, 3, 4), BILLING)
