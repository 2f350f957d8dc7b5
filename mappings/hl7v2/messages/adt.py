"""ADT: what happens to one person or one visit: admission, transfer, discharge, leave, registration, change, undoing.

What each event does beside the status of the visit is the table of `mappings/hl7v2/events.py`. Events about two persons or two
records are in `adt_identity.py`.

Standard: HL7 v2.5.1 §3.3
Requirement: S2.7, S2.14
"""

from __future__ import annotations

from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.events import EFFECTS
from mappings.hl7v2.visit import observations, open_message, open_visit, relatives

TRIGGERS = tuple(f"ADT^{event}" for event in EFFECTS if event != "A17")


def map_message(draft: Draft) -> None:
    """Map an event about one person.

    Raises `MissingSegment` without PID, `TwoPatients` when it names two persons.
    """
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    observations(draft)
