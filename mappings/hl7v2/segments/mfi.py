"""MFI: which master file the message is about.

Standard: HL7 v2.5.1 §8.5.1
"""

from __future__ import annotations

from mappings.hl7v2.segments import LEDGER

MAPPED: dict[int, str] = {}
IGNORED = {
    1: "name of the master file; the event of the message tells it",
    2: "application that keeps the master file; the header names the sender",
    3: "whole file or changes; records that are not named stay as they are",
    4: LEDGER,
    5: "when the file takes effect; each record has its own day",
    6: "which answers are wanted; answered by intake",
}
