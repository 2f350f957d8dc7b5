"""IN3: certification by the insurer; the case manager joins the people who care.

Standard: HL7 v2.5.1 §6.5.8
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import words
from mappings.hl7v2.participation import Participation
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING, SEQUENCE
from mappings.hl7v2.site import replaceable
from mappings.systems import SNOMED

MAPPED = {21: "CareTeam.participant.member"}
IGNORED = dict.fromkeys((*range(2, 21), *range(22, 29)), BILLING) | {1: SEQUENCE}


@replaceable
def in3_to_case_manager(in3: Segment) -> Participation:
    """Give the case manager, known by name only, as a participation in care."""
    name = words(in3[21].whole)
    role = {"coding": [{"system": SNOMED, "code": "768832004"}], "text": "case manager"}
    return Participation(code="", role=role, people=[{"display": name}] if name else [])
