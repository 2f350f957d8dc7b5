"""ORU: results of laboratory, imaging and devices; R30 to R32 of tests at the bedside, R40 of alarms.

Standard: HL7 v2.5.1 §7.3.1, §7.3.3–7.3.5; v2.8.2 §7.3 (R40)
Requirement: S3.15, S3.2
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.parts import take_results

TRIGGERS = ("ORU^R01", "ORU^R30", "ORU^R31", "ORU^R32", "ORU^R40")


def map_message(draft: Draft) -> None:
    """Map a result message; it may be about several patients, each result about its own."""
    take_results(draft)
