"""One DICOM object between the wire and its deposit, and the status its sender is told.

Nothing of an object touches a disk here, and no more of it than one PDU is in memory.

Standard: DICOM PS3.10 §7.1 (file meta information), PS3.4 Table B.2-1 (statuses of C-STORE)
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from typing import Final

from connectors.contract import Deposit, Deposits, ObjectAnswer, ObjectNames
from connectors.faults import (
    ObjectClash,
    ObjectIncomplete,
    ObjectMisnamed,
    ObjectStoreAway,
    ObjectTooLarge,
    ObjectUnreadable,
    PeerNotAllowed,
)
from mappings.formats.faults import FaultClass, IntakeFault

logger = logging.getLogger(__name__)

IMPLEMENTATION: Final = "2.25.261247142796598107048255911180975432685"
"""Our Implementation Class UID. It stands in every file: were it another tomorrow, a repeat would not be recognised."""
VERSION: Final = "LIENTHONG"
"""Our Implementation Version Name; for the same reason it never changes with a version."""

SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
CANNOT_UNDERSTAND: Final = 0xC000

STATUSES: Final[Mapping[type[IntakeFault], int]] = {
    ObjectStoreAway: OUT_OF_RESOURCES,
    ObjectTooLarge: 0xC120,
    ObjectIncomplete: 0xC121,
    ObjectUnreadable: 0xC122,
    ObjectMisnamed: 0xA900,
    ObjectClash: 0xC124,
    PeerNotAllowed: 0x0124,
}
"""What a sender is told. `A7xx` (out of resources) says that it may try again, so only what passes by itself gets it; an object
that is too large stays so. `0111` (duplicate SOP instance) is no status of C-STORE, hence `C124`. `C1xx` repeats the last two
digits of the fault's code."""


def status_of(fault: IntakeFault) -> int:
    """Give the status for a fault: its own, that of a class above it, or by whether it passes by itself (promise P5)."""
    for kind in type(fault).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return OUT_OF_RESOURCES if fault.fault_class is FaultClass.TRANSIENT else CANNOT_UNDERSTAND


def comment_of(fault: IntakeFault) -> str:
    """Give the Error Comment (0000,0902): code and name of the fault, nothing of the object."""
    return f"LT{fault.code:04d} {type(fault).__name__}"[:64]


def head(names: ObjectNames) -> bytes:
    """Give what stands before the data set in a file; the same names give the same bytes, for ever.

    Who sent it is left out, so that the same object from another sender is the same file.
    """
    meta = b"".join(
        (
            b"\x02\x00\x01\x00OB\x00\x00" + struct.pack("<L", 2) + b"\x00\x01",
            _element(0x0002, b"UI", names.sop_class),
            _element(0x0003, b"UI", names.sop_instance),
            _element(0x0010, b"UI", names.transfer_syntax),
            _element(0x0012, b"UI", IMPLEMENTATION),
            _element(0x0013, b"SH", VERSION),
        )
    )
    return bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<L", len(meta)) + meta


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\x00" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


class Arriving:
    """One object on its way; it stands where pynetdicom would have its temporary file.

    Once it cannot be kept, the rest of it is let pass, so that its sender can be told why. Ends once, by `commit` or `discard`.
    """

    def __init__(self, intake: Deposits, peer: str, names: ObjectNames, max_size: int) -> None:
        self.names = names
        self.file = self
        self.name = ""
        self.size = 0
        """Bytes that have come, also of an object that is not kept."""
        self._peer = peer
        self._room = max_size
        self._fault: IntakeFault | None = None
        self._ended = False
        self._deposit: Deposit | None = None
        try:
            self._deposit = intake.deposit(peer)
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the sender must not wait for ever
            self._give_up(self._away(exc))
        else:
            self.write(head(names))

    def write(self, chunk: bytes | memoryview) -> None:
        """Hand bytes to the deposit; raises nothing."""
        self.size += len(chunk)
        if self._fault is not None or self._deposit is None:
            return
        self._room -= len(chunk)
        if self._room < 0:
            self._give_up(ObjectTooLarge())
            return
        try:
            self._deposit.write(chunk)
        except IntakeFault as fault:
            self._give_up(fault)
        except Exception as exc:  # noqa: BLE001 — as above
            self._give_up(self._away(exc))

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def commit(self) -> ObjectAnswer:
        """Give what becomes of it. Blocks; raises nothing."""
        if self._fault is not None or self._deposit is None:
            return ObjectAnswer(False, fault=self._fault)
        self._ended = True
        try:
            return self._deposit.commit(self.names)
        except Exception as exc:  # noqa: BLE001 — as above
            return ObjectAnswer(False, fault=self._away(exc))

    def discard(self, fault: IntakeFault) -> ObjectAnswer:
        """Say why it is not taken, unless that is known already or it has ended."""
        if self._fault is None and not self._ended:
            self._give_up(fault)
        return ObjectAnswer(False, fault=self._fault or fault)

    def _give_up(self, fault: IntakeFault) -> None:
        self._fault = fault
        if self._deposit is None:
            return
        try:
            self._deposit.discard(fault)
        except Exception as exc:  # noqa: BLE001 — as above
            self._away(exc)

    def _away(self, exc: Exception) -> ObjectStoreAway:
        logger.error("dicom %s: intake broke (%s)", self._peer, type(exc).__name__)
        return exc if isinstance(exc, ObjectStoreAway) else ObjectStoreAway(detail=type(exc).__name__)
