"""GP1: grouping of outpatient claims into payment classes of the United States; no part of any Vietnamese claim.

Standard: HL7 v2.5.1 §6.5.15
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 6), "payment classes of the United States")
