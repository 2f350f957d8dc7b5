"""DSP: one line of an answer that is only made to be displayed.

Standard: HL7 v2.5.1 §5.10.5.1
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys(range(1, 6), "a line to be displayed; prose for a screen, not data")
