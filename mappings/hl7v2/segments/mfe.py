"""MFE: what happens to one record of a master file.

Standard: HL7 v2.5.1 §8.5.2
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import LEDGER

MAPPED = {
    1: "Practitioner.active | Location.status | ChargeItemDefinition.status"
    " | ObservationDefinition.extension(extension-ObservationDefinition.status)",
    3: "ChargeItemDefinition.date",
    4: "Practitioner.identifier | Location.identifier | ChargeItemDefinition.identifier | ObservationDefinition.identifier",
}
IGNORED = {
    2: LEDGER,
    3: "when the change takes effect; no element of the resource in R4",
    5: "data type of the key; the key itself is read",
    6: LEDGER,
    7: "who entered the change; kept in the ledger with the message",
}


def mfe_to_active(mfe: Segment, draft: Draft) -> bool | None:
    """Tell whether the record is in force after the event (HL7 table 0180); `None` when the event is not known."""
    said = code_of(mfe[1].text).upper()
    target = codes.table("v2-0180-active").target(said)
    if not target:
        draft.notice(faults.CODE_UNKNOWN, mfe.where(1))
        if said:
            mfe.give_back(1)
        return None
    return target == "true"


def in_force(segment: Segment, n: int, active: bool | None) -> bool | None:
    """Take an active/inactive flag (table 0183); an event that ends the record is stronger."""
    said = codes.table("v2-0183").target(code_of(segment[n].text).upper())
    if segment.peek(n) and not said:
        segment.give_back(n)
    if active is False or not said:
        return active
    return said == "true"
