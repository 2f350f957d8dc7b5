"""DSC: that a message goes on in another one.

Standard: HL7 v2.5.1 §2.15.4
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys((1, 2), "continuation; messages are taken whole")
