"""ORU^R01: results of laboratory, imaging and devices.

Standard: HL7 v2.5.1 §7.3.1
Requirement: S3.15
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.orders import Results
from mappings.hl7v2.visit import open_message, open_visit, relatives

TRIGGERS = ("ORU^R01",)


def map_message(draft: Draft) -> None:
    """Map a result message."""
    pid = open_message(draft)
    open_visit(draft, pid)
    relatives(draft)
    Results(draft).take()
