"""What the orders of medicines (RXO, RXE, RXG) ask of the pharmacy: repeats, intervals, where, what else may be given.

Standard: HL7 v2.5.1 §4.14
"""

from __future__ import annotations

from mappings.hl7v2.actors import organization
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.dosage import amount
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.quantities import nm_to_decimal
from mappings.hl7v2.reader import Segment
from mappings.systems import UCUM, V2_TABLE


def substitution(segment: Segment, n: int, table: str, draft: Draft) -> Element:
    """Take whether another medicine may be given, as MedicationRequest.substitution."""
    allowed = cwe_to_codeable_concept(segment[n], draft.context, system=f"{V2_TABLE}{table}")
    return {"allowedCodeableConcept": allowed} if allowed else {}


def interval(segment: Segment, n: int) -> Element | None:
    """Take the least number of days between two dispenses."""
    return amount(segment, n, {"unit": "d", "system": UCUM, "code": "d"})


def repeats(segment: Segment, n: int) -> int | None:
    """Take a number of refills; zero is one too."""
    value = nm_to_decimal(segment[n].text)
    if value is None or value != value.to_integral_value() or not 0 <= value < 2**31:
        if segment.peek(n):
            segment.give_back(n)
        return None
    return int(value)


def pharmacy(segment: Segment, n: int, address: int, phone: int, draft: Draft) -> Element | None:
    """Take the pharmacy that shall dispense, with its address and telephone."""
    found = None
    if segment[n]:
        found = organization(draft, segment[n].c(2), segment[n].c(1), address=segment[address], telecom=segment[phone])
    if found is None:
        for other in (address, phone):
            if segment.peek(other):
                segment.give_back(other, "pharmacy without a name")
    return found
