"""What a mapping must know that is not in the message."""

from __future__ import annotations

from dataclasses import dataclass

from mappings.systems import DEFAULT, Systems


@dataclass(frozen=True)
class Context:
    """Say for whom a message is mapped."""

    facility: str
    """MA_CSKCB of the hospital the message comes from; its patient, visit and order numbers live under it."""
    systems: Systems = DEFAULT
    zone: str = "Asia/Ho_Chi_Minh"
    """Zone of times that carry no offset."""
    on: str = ""
    """Day of the message (ISO), by which codes without a date of their own are read; filled in from MSH-7."""
    message_id: str = ""
    """Id of the message in the ledger; becomes `meta.source`. Empty: no `meta.source`."""
