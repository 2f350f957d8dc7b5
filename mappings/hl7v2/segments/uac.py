"""UAC: credentials of the user on whose behalf a message is sent.

Standard: HL7 v2.8 §2.14.13
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = dict.fromkeys((1, 2), "credentials of a user; they stay sealed with the message and go nowhere else")
