"""Answers to queries: the persons that were found, with their visits, vaccinations and medicines.

Every person of an answer is a Patient of its own: candidates are never made one, that is for whoever looks at them. An answer
without anybody gives nothing.

Standard: HL7 v2.5.1 §3.3.56–§3.3.59, §4.17.4, §4.17.5, §5.4
"""

from __future__ import annotations

from mappings.hl7v2.acknowledgement import take_acknowledgement
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.messages.immunization import person_observations
from mappings.hl7v2.pharmacy import PARTS, take_medicines
from mappings.hl7v2.vaccination import Vaccinations
from mappings.hl7v2.visit import by_person, open_message, open_visit, relatives

_MEDICINES = frozenset({"RSP^K31", "RAR^RAR", "RDR^RDR", "RER^RER", "RGR^RGR", "ROR^ROR"})
"""Answers whose RXA is a medicine that was given, not a vaccination."""
TRIGGERS = (
    *("RSP^K11", "RSP^K21", "RSP^K22", "RSP^K23", "RSP^K24", "VXR^V03", "VXX^V02", "ADR^A19", "QCK^Q02"),
    *sorted(_MEDICINES),
)


def map_message(draft: Draft) -> None:
    """Map an answer, one person after the other."""
    take_acknowledgement(draft)
    people = by_person(draft.reader.segments)
    for segments in people:
        with draft.about_person(segments):
            pid = open_message(draft)
            encounter = open_visit(draft, pid)
            relatives(draft)
            details(draft, encounter)
            person_observations(draft)
            _orders(draft)
    if len(people) > 1:
        draft.known_by = ("", "")


def _orders(draft: Draft) -> None:
    names = {segment.name for segment in draft.reader.segments}
    if draft.trigger not in _MEDICINES and not names & (PARTS - {"RXA"}):
        Vaccinations(draft).take()
        return
    take_medicines(draft, draft.reader.segments)
