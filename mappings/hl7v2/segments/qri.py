"""QRI: how well a candidate fits a query.

Standard: HL7 v2.5.1 §5.5.5
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = {
    1: "how sure the answerer is; a candidate stays a candidate, whoever looks at it decides",
    2: "why the answerer thinks that it fits",
    3: "algorithm of the answerer",
}
