"""UB2: fields of a bill form of the United States. No part of the clinical record.

Standard: HL7 v2.5.1 §6.5.11
"""

from __future__ import annotations

from mappings.hl7v2.segments import BILLING, SEQUENCE

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(2, 24), BILLING) | {1: SEQUENCE}
