"""MSH: message header. Its type and event steer the mapping; the rest stays with the message in the ledger."""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

IGNORED = dict.fromkeys(range(1, 29), LEDGER) | {1: "field separator", 2: "encoding characters"}
