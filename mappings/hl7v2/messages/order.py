"""ORM, OMG, OML, OMI, OMD: orders of laboratory, imaging, diet and any other service.

Standard: HL7 v2.5.1 §4.4.1, §4.4.4, §4.4.6–4.4.12, §4.7.1
"""

from __future__ import annotations

from mappings.hl7v2.draft import Draft
from mappings.hl7v2.parts import require, take_orders

_WITH_PRIOR = ("OMG^O19", "OML^O21", "OML^O33", "OML^O35")
TRIGGERS = ("ORM^O01", *_WITH_PRIOR, "OMI^O23", "OMD^O03")


def map_message(draft: Draft) -> None:
    """Map orders.

    Raises `MissingSegment` without ORC and OBR: nothing is ordered then. `TwoPatients` when it speaks of two people.
    """
    require(draft, "ORC", "OBR")
    take_orders(draft, prior=draft.trigger in _WITH_PRIOR)
