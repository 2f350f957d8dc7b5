"""SFT: software of the sender."""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

IGNORED = dict.fromkeys(range(1, 7), LEDGER)
