"""IN2: more about the insured and the payer; nothing of it reaches a Vietnamese paper."""

from __future__ import annotations

from mappings.hl7v2.segments import BILLING

IGNORED = dict.fromkeys(range(1, 73), BILLING)
