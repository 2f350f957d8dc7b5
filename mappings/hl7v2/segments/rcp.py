"""RCP: how a query is to be answered. Read by `mappings.hl7v2.query`.

Standard: HL7 v2.5.1 §5.5.6
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 8), "how the answer is wanted; the node answers so")
