"""QRD: what an original query asks. Read by `mappings.hl7v2.query`.

Standard: HL7 v2.5.1 §5.10.5.3
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 13), "the question; the node answers it, nothing of it is a clinical fact")
