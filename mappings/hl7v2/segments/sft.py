"""SFT: software of the sender."""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

IGNORED = {n: LEDGER for n in range(1, 7)}
