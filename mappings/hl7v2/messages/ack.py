"""ACK: the general acknowledgement of any event; says nothing about a patient.

Standard: HL7 v2.5.1 §2.13.1
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.acknowledgement import take_acknowledgement
from mappings.hl7v2.draft import Draft

TRIGGERS = ("ACK",)


def map_message(draft: Draft) -> None:
    """Map an acknowledgement.

    Raises `MissingSegment` without MSA.
    """
    if take_acknowledgement(draft) is None:
        raise faults.MissingSegment("MSA")
