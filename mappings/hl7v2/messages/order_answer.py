"""ORR, ORG, ORL, ORI, ORD: what the filler answers to orders; it becomes their new status.

Standard: HL7 v2.5.1 §4.4.2, §4.4.5, §4.4.7–4.4.13, §4.7.2
"""

from __future__ import annotations

from mappings.hl7v2.acknowledgement import take_acknowledgement
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.parts import require, take_orders

TRIGGERS = ("ORR^O02", "ORG^O20", "ORL^O22", "ORL^O34", "ORL^O36", "ORI^O24", "ORD^O04")


def map_message(draft: Draft) -> None:
    """Map the answers.

    Raises `MissingSegment` without ORC, and without PID: an order is always somebody's.
    """
    require(draft, "ORC", "OBR")
    take_acknowledgement(draft)
    take_orders(draft)
