"""BAR: an account is opened, changed, purged, closed; its procedures and diagnoses change.

Standard: HL7 v2.5.1 §6.4.1, §6.4.2, §6.4.5–§6.4.10
"""

from __future__ import annotations

from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.finance import insure_account, open_account
from mappings.hl7v2.visit import by_person, observations, open_message, open_visit, relatives

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
    observations(draft)
