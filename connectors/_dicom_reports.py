"""Wait for reports of storage commitment that a PACS sends on an association of its own.

Only the PACS of the settings is let in, and only for that; what is no report is refused.

Standard: DICOM PS3.4 §J.3.3 (N-EVENT-REPORT)
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import build_context, evt

from connectors.contract import Answer, CommitmentRequest, Deposit, ObjectIntake, OwedReport, StepReport
from connectors.dicom_peer import PacsSettings
from connectors.faults import ObjectMisnamed, ReportsUnheard
from connectors.sources._dicom_association import PeerAssociation, Rejection
from connectors.sources._dicom_contexts import COMMITMENT
from connectors.sources._dicom_object import IMPLEMENTATION, VERSION
from connectors.sources._dicom_step import Steps
from connectors.sources._dicom_upper import Entity, Limits
from connectors.sources._dicom_worklist import Worklist
from connectors.sources._listening import address_of
from mappings.formats.faults import IntakeFault
from mappings.formats.values import parse_address

logger = logging.getLogger(__name__)

_NO_SUCH_INSTANCE: Final = 0x0112
_CALLING_UNKNOWN: Final = (0x01, 0x01, 0x03)
_FULL: Final = (0x02, 0x03, 0x02)
_MOST: Final = 4
_LOOK_S: Final = 0.25
_ENDING_S: Final = 5.0

Take = Callable[[evt.Event], int]
"""Takes a report in the thread of its association, and gives the status that answers it."""


class _NoObjects:
    """An intake that takes nothing."""

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        raise ObjectMisnamed(detail="nobody asked for it")

    def answered(self, answer: Answer) -> None: ...

    def deposit(self, peer: str) -> Deposit:
        raise ObjectMisnamed(detail="nobody asked for it")

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        return False

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Mapping[str, Any]]:
        return ()

    def owe_report(self, request: CommitmentRequest) -> None:
        raise ObjectMisnamed(detail="nobody asked for it")

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        return ()

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None: ...

    def note_step(self, report: StepReport) -> None:
        raise ObjectMisnamed(detail="nobody asked for it")


class _Room:
    """What associations for reports are told (`_dicom_association.Room`)."""

    def __init__(self, settings: PacsSettings) -> None:
        self.intake: ObjectIntake = _NoObjects()
        self.services: Collection[str] = ()
        self.worklist, self.steps = Worklist(self.intake, 0), Steps(self.intake)
        self.max_size = 0
        self.limits = Limits(int(settings.max_pdu), settings.dimse_timeout.total_seconds())
        self.context = settings.server_context()
        self.handshake_s = settings.acse_timeout.total_seconds()
        self._title = settings.ae_title
        self._lock = threading.Lock()
        self.associations: set[PeerAssociation] = set()

    def admit(self, association: PeerAssociation, title: str) -> Rejection | None:
        if title != self._title:
            self.note_stranger(title, association.address)
            return _CALLING_UNKNOWN
        context = build_context(COMMITMENT)
        context.scu_role = context.scp_role = True
        association.acceptor.supported_contexts = [context]
        return None

    def enter(self, association: PeerAssociation) -> bool:
        with self._lock:
            if len(self.associations) >= _MOST:
                return False
            self.associations.add(association)
            return True

    def note_stranger(self, title: str, address: str) -> None:
        logger.warning("dicom reports: %s let nobody in under %s", address, ascii(title))

    def asked_to_commit(self, association: PeerAssociation, event: evt.Event) -> tuple[int, None]:
        return _NO_SUCH_INSTANCE, None

    def dismiss(self, association: PeerAssociation) -> None:
        with self._lock:
            self.associations.discard(association)


@contextmanager
def listening(settings: PacsSettings, take: Take) -> Iterator[str]:
    """Take reports while the block runs; give the address. Raises ReportsUnheard, PacsTlsUnusable."""
    room = _Room(settings)
    host, port = parse_address(settings.reports)
    try:
        server = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        raise ReportsUnheard(settings.name, exc.strerror or type(exc).__name__) from exc
    server.settimeout(_LOOK_S)
    ending = threading.Event()
    thread = threading.Thread(target=_accept, args=(settings, server, room, take, ending), name="dicom reports")
    thread.start()
    try:
        yield address_of(server.getsockname())
    finally:
        ending.set()
        thread.join()
        server.close()
        for association in tuple(room.associations):
            association.leave()
            association.join(_ENDING_S)
            association.cut()


def _accept(settings: PacsSettings, server: socket.socket, room: _Room, take: Take, ending: threading.Event) -> None:
    entity = Entity(settings.calling)
    entity.acse_timeout = settings.acse_timeout.total_seconds()
    entity.dimse_timeout = entity.network_timeout = settings.dimse_timeout.total_seconds()
    entity.implementation_class_uid, entity.implementation_version_name = IMPLEMENTATION, VERSION
    entity.require_called_aet = True

    def taken(event: evt.Event) -> tuple[int, Dataset | None]:
        return take(event), None

    while not ending.is_set():
        with suppress(TimeoutError):
            connection, _ = server.accept()
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer = address_of(connection.getpeername())
                association = PeerAssociation(entity, connection, peer, room, int(settings.max_pdu))
                association.bind(evt.EVT_N_EVENT_REPORT, taken)
                if room.enter(association):
                    association.start()
                else:
                    connection.close()
            except (OSError, RuntimeError) as exc:
                logger.warning("dicom reports: association not begun (%s)", type(exc).__name__)
                connection.close()
