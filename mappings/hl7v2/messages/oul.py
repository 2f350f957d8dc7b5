"""OUL: results of the analysers, by order, by specimen or by container.

Standard: HL7 v2.5.1 §7.3.6–7.3.9
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.parts import take_results

TRIGGERS = ("OUL^R21", "OUL^R22", "OUL^R23", "OUL^R24")


def map_message(draft: Draft) -> None:
    """Map a result message; it may be about several patients, each result about its own."""
    take_results(draft)
