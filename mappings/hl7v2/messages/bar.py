"""BAR: an account is opened, changed, purged, closed; its procedures and diagnoses change.

Standard: HL7 v2.5.1 §6.4.1, §6.4.2, §6.4.5–§6.4.10
"""

from __future__ import annotations

from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.finance import insure_account, open_account
from mappings.hl7v2.segments.abs import abs_to_encounter, abs_to_observation
from mappings.hl7v2.segments.rmi import rmi_to_adverse_event
from mappings.hl7v2.visit import by_person, observations, open_message, open_visit, relatives
from mappings.outcome import Resource

TRIGGERS = tuple(f"BAR^{event}" for event in ("P01", "P02", "P05", "P06", "P10", "P12"))


def map_message(draft: Draft) -> None:
    """Map a message about an account; P02 purges those of several persons."""
    groups = by_person(draft.reader.segments) if draft.event == "P02" else []
    if len(groups) < 2:
        _account(draft)
        return
    for group in groups:
        with draft.about_person(group):
            _account(draft)


def _account(draft: Draft) -> None:
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    open_account(draft, pid, encounter)
    details(draft, encounter)
    insure_account(draft)
    _abstract(draft, encounter)
    observations(draft)


def _abstract(draft: Draft, encounter: Resource | None) -> None:
    """Take the abstract of the stay, and the incidents in it."""
    for segment in draft.reader.segments:
        found: Resource | None = None
        if segment.name == "ABS":
            if encounter is not None:
                abs_to_encounter(segment, encounter, draft)
                draft.add(encounter, segment)
            found = abs_to_observation(segment, draft)
        elif segment.name == "RMI":
            found = rmi_to_adverse_event(segment, draft)
        if found:
            draft.add(found, segment)
