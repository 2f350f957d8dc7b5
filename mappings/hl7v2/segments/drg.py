"""DRG: the group by which a stay is paid. No part of the clinical record.

Standard: HL7 v2.5.1 §6.5.3
"""

from __future__ import annotations

from mappings.hl7v2.segments import BILLING

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 34), BILLING)
