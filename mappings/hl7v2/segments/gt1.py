"""GT1: guarantor. Who pays is no part of the clinical record; guardians arrive as NK1."""

from __future__ import annotations

from mappings.hl7v2.segments import BILLING, SEQUENCE

IGNORED = dict.fromkeys(range(2, 58), BILLING) | {1: SEQUENCE}
