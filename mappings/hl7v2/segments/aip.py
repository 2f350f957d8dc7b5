"""AIP: a person taking part in an appointment.

Standard: HL7 v2.5.1 §10.6.7
"""

from __future__ import annotations

from mappings.hl7v2.actors import practitioners
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import ail
from mappings.hl7v2.site import replaceable

MAPPED = ail.MAPPED
IGNORED = ail.IGNORED


@replaceable
def aip_to_participants(aip: Segment, draft: Draft, begin: str = "", deleted: bool = False) -> list[Element]:
    """Make one participant per person of AIP-3."""
    role = cwe_to_codeable_concept(aip[4], draft.context)
    when = ail.span(aip, 6, draft, begin)
    status = ail.participation(aip, 2, 12, draft, deleted)
    return ail.participants(aip, practitioners(aip[3].repetitions, draft), role, status, when)
