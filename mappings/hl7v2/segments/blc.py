"""BLC: blood products that a stay used, counted for its abstract.

Standard: HL7 v2.5.1 §6.5.13
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(
    (1, 2), "blood used in the stay, counted for the abstract; each transfusion has its own message"
)
