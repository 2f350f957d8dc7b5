"""RDE, RDS, RAS, RGV, OMP and the answers to them: medicines ordered, dispensed, scheduled and given.

The answers (RRE, RRD, RRA, RRG, ORP) tell what became of an order where they repeat it; an answer that only has ORC does not
say which medicine it is about and changes nothing.

Standard: HL7 v2.5.1 §4.13; v2.3 §4.8
"""

from __future__ import annotations

from mappings.hl7v2.acknowledgement import take_acknowledgement
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.pharmacy import take_medicines
from mappings.hl7v2.visit import open_message, open_visit, relatives

TRIGGERS = (
    *("OMP^O09", "RDE^O11", "RDE^O25", "RDE^O01", "RDE^O49", "RDS^O13", "RDS^O01", "RAS^O17", "RAS^O01"),
    *("RGV^O15", "RGV^O01", "ORP^O10", "RRE^O12", "RRE^O26", "RRE^O50", "RRE^O02"),
    *("RRD^O14", "RRD^O02", "RRA^O18", "RRA^O02", "RRG^O16", "RRG^O02"),
)


def map_message(draft: Draft) -> None:
    """Map a message about medicines."""
    take_acknowledgement(draft)
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    take_medicines(draft, draft.reader.segments)
