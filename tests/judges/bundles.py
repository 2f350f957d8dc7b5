"""Messages as the Bundles that are judged, and what the judges say as a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from conformance.validators import Finding
from mappings.hl7v2 import Context
from mappings.hl7v2.bundle import outcome_to_bundle
from mappings.outcome import Outcome

CONTEXT = Context(facility="01032")
WRITER = msgspec.json.Encoder(decimal_format="number")


def bundle_of(outcome: Outcome) -> bytes:
    """Give what a message became as one Bundle."""
    return WRITER.encode(outcome_to_bundle(outcome, CONTEXT))


def table(findings: Iterable[Finding]) -> str:
    """Count findings that differ only in where they stand; one example each."""
    counted: Counter[tuple[str, str, str]] = Counter()
    example: dict[tuple[str, str, str], str] = {}
    for finding in findings:
        path = re.sub(r"^Bundle\.entry\.", "", re.sub(r"\[\d+\]", "", finding.path))
        key = (finding.judge, path, re.sub(r"[0-9a-f]{32}", "…", finding.text))
        counted[key] += 1
        example.setdefault(key, finding.name)
    return "\n".join(f"{count} × {' | '.join(key)} | {example[key]}" for key, count in counted.most_common())
