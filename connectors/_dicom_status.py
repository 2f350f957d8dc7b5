"""What a PACS says, as faults: one table for DIMSE statuses, one for rejections of associations.

Standard: DICOM PS3.7 Annex C (statuses); PS3.4 Tables C.4-1, C.4-2, C.4-3 (C-FIND, C-MOVE, C-GET), §J.3; PS3.8 Table 9-21
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from connectors.faults import (
    AssociationRejected,
    MoveDestinationUnknown,
    PacsBusy,
    PacsCannotProcess,
    PacsRefused,
    ServiceNotOffered,
)
from mappings.formats.faults import DeliveryFault


class Says(Enum):
    """What a status says of the operation."""

    DONE = "done"
    PENDING = "pending"
    PARTLY = "partly"
    """It ended, and some of it was not done; how much say its counts."""
    CANCELLED = "cancelled"
    FAILED = "failed"


STATUSES: Final[tuple[tuple[int, int, Says | type[DeliveryFault]], ...]] = (
    (0x0000, 0x0000, Says.DONE),
    (0x0001, 0x0001, Says.PARTLY),
    (0x0107, 0x0107, Says.PARTLY),  # attribute list error
    (0x0116, 0x0116, Says.PARTLY),  # attribute value out of range
    (0x0118, 0x0118, ServiceNotOffered),  # no such SOP class
    (0x0112, 0x0112, ServiceNotOffered),  # no such SOP instance: of storage commitment, the well-known one
    (0x0122, 0x0123, ServiceNotOffered),  # SOP class not supported, no such action
    (0x0211, 0x0211, ServiceNotOffered),  # unrecognised operation
    (0x0213, 0x0213, PacsBusy),  # resource limitation
    (0x0110, 0x0110, PacsCannotProcess),  # processing failure
    (0x0105, 0x021F, PacsRefused),  # whatever else of PS3.7 Annex C: not authorised, or something in the request
    (0xA801, 0xA801, MoveDestinationUnknown),
    (0xA700, 0xA7FF, PacsBusy),
    (0xA900, 0xA9FF, PacsRefused),  # identifier does not match SOP class
    (0xB000, 0xBFFF, Says.PARTLY),
    (0xC000, 0xCFFF, PacsCannotProcess),
    (0xFE00, 0xFE00, Says.CANCELLED),
    (0xFF00, 0xFF01, Says.PENDING),
)
"""First status, last status, what it says; the first row that fits counts, and what none fits is a failure."""


def read(status: int) -> Says | type[DeliveryFault]:
    """Give what a status says, or the fault that it is."""
    return next((says for first, last, says in STATUSES if first <= status <= last), PacsCannotProcess)


def says(status: int) -> Says:
    """Give what a status says of the operation."""
    found = read(status)
    return found if isinstance(found, Says) else Says.FAILED


def fault_of(status: int, where: str) -> DeliveryFault | None:
    """Give the fault that a status is; None for one that is none. Its comment is left out: that may name a patient."""
    found = read(status)
    return None if isinstance(found, Says) else found(where, f"status {status:04X}")


REJECTIONS: Final[dict[tuple[int, int], tuple[type[DeliveryFault], str]]] = {
    (1, 1): (AssociationRejected, "no reason given"),
    (1, 2): (AssociationRejected, "application context not supported"),
    (1, 3): (AssociationRejected, "calling AE title not recognised"),
    (1, 7): (AssociationRejected, "called AE title not recognised"),
    (2, 1): (AssociationRejected, "no reason given"),
    (2, 2): (AssociationRejected, "protocol version not supported"),
    (3, 1): (PacsBusy, "temporary congestion"),
    (3, 2): (PacsBusy, "local limit exceeded"),
}
"""By source and reason; an unknown one counts as `(1, 1)`."""
_TRANSIENT: Final = 2


def rejection_of(result: int, source: int, reason: int, where: str) -> DeliveryFault:
    """Give the fault that A-ASSOCIATE-RJ is."""
    kind, detail = REJECTIONS.get((source, reason), REJECTIONS[1, 1])
    if result == _TRANSIENT:
        kind = PacsBusy
    return kind(where, detail)
