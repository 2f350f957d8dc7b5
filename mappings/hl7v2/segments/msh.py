"""MSH: message header. Its type and event steer the mapping; the rest stays with the message in the ledger."""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

IGNORED = {n: LEDGER for n in range(1, 29)} | {1: "field separator", 2: "encoding characters"}
