"""QID: which query is meant, in messages that cancel one.

Standard: HL7 v2.5.1 §5.5.3
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys((1, 2), "which query is meant; about the conversation")
