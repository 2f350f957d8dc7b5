"""QAK: how a query was answered.

Standard: HL7 v2.5.1 §5.5.2
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = {
    1: "tag of the query; about the conversation",
    2: "whether anything was found; what was found is in the record",
    3: "name of the query; about the conversation",
    4: "number of hits; about the conversation",
    5: "number of hits; about the conversation",
    6: "number of hits; about the conversation",
}
