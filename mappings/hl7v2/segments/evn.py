"""EVN: event type. Its code stands in for MSH-9.2; times and operator are provenance, which the ledger keeps."""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

IGNORED = dict.fromkeys(range(2, 8), LEDGER) | {1: "event code, same as MSH-9.2"}
