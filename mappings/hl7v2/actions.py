"""What the action codes of problems, goals and pathways do: HL7 table 0287 in PRB-1, GOL-1, PTH-1.

Standard: HL7 v2.5.1 §12.4.1.1
"""

from __future__ import annotations

from typing import Literal

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment

Action = Literal["tell", "delete", "stop", "unlink"]

ACTIONS: dict[str, Action] = {
    "AD": "tell",
    "CO": "tell",
    "UP": "tell",
    "UC": "tell",
    "SP": "tell",
    "LI": "tell",
    "DE": "delete",
    "ST": "stop",
    "UN": "unlink",
}
"""`tell`: the thing is as the segment says, and belongs to what it stands in. `delete`: it never was. `stop`: it ends.
`unlink`: it stays, but no longer belongs to what it stands in. `ST` is in use although table 0287 does not have it."""

DELETING = frozenset({"PC3", "PC8", "PCD", "PCJ"})
"""Events that delete: what a segment without an action code means in their messages."""


def action_of(segment: Segment, draft: Draft) -> Action:
    """Give what the action code in the first field of the segment does; an unknown one only tells."""
    said = code_of(segment[1].text).upper()
    if not said:
        return "delete" if draft.event in DELETING else "tell"
    action = ACTIONS.get(said)
    if action is None:
        draft.notice(faults.CODE_UNKNOWN, segment.where(1))
        segment.give_back(1)
        return "tell"
    if action in ("tell", "unlink"):
        segment.ignore(1, "action that leaves the state as it is told")
    return action


def life_cycle(segment: Segment, n: int, table: str, draft: Draft) -> codes.Row | None:
    """Find what the sender's word for a state in field `n` means in FHIR; a word no table knows is noticed and given back."""
    found = None
    for text in (segment[n].c(1), segment[n].c(2)):
        said = code_of(text).upper()
        found = found or codes.table(table).find(said) or codes.table(table).find(said.replace(" ", "-"))
    if found is None and segment.peek(n):
        draft.notice(faults.CODE_UNKNOWN, segment.where(n))
        segment.give_back(n)
    return found
