"""GP2: grouping of outpatient procedures into payment classes of the United States; no part of any Vietnamese claim.

Standard: HL7 v2.5.1 §6.5.16
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 15), "payment classes of the United States")
