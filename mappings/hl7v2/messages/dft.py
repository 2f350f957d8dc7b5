"""DFT: charges, credits and payments posted to an account.

Standard: HL7 v2.5.1 §6.4.3, §6.4.11
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.finance import insure_account, open_account, take_charges
from mappings.hl7v2.orders import Results
from mappings.hl7v2.visit import open_message, open_visit, relatives

TRIGGERS = ("DFT^P03", "DFT^P11")


def map_message(draft: Draft) -> None:
    """Map a financial transaction.

    Raises `MissingSegment` without FT1.
    """
    if draft.reader.first("FT1") is None:
        raise faults.MissingSegment("FT1")
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    open_account(draft, pid, encounter)
    details(draft, encounter)
    insure_account(draft)
    Results(draft, lambda _: None).take()
    take_charges(draft)
