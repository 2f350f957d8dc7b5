"""DICOM: modalities and a PACS send objects by C-STORE; also C-ECHO, storage commitment, worklist and procedure steps.

Every storage class is taken, private ones too, in whatever transfer syntax it is sent; nothing is recompressed. An object
goes to disk sealed while it arrives; success (0000) is answered when it is durable. `A700` says that the sender may try
again; every other refusal is about the object: `A900` other UIDs inside than outside, `C120` larger than `max_size`, `C122`
not readable, `C124` another object has that SOP Instance UID.

Senders made with DCMTK (storescu, dcmsend, many workstations) need the environment variable `TCP_NODELAY=1`; without it
Debian's sends about 20 objects a second, whoever receives. AE titles are no proof of who calls: keep the port in the network
of the devices, or use `tls = "mtls"`.

With `worklist = true` devices ask what is to be done (C-FIND) and tell how it goes (MPPS). A worklist query that is not
readable gets `A900`, one that finds too much `A700`, the first orders before it.

Query and retrieval of studies are not here.

Standard: DICOM PS3.4 Annexes A, B, F, J and K, PS3.7, PS3.8; PS3.15 §B.9 for TLS
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from pynetdicom import evt

from connectors.contract import ObjectIntake
from connectors.faults import ListenFailed, PeerNotAllowed, TlsFilesUnusable
from connectors.sources._dicom_association import PeerAssociation, Rejection
from connectors.sources._dicom_callers import Callers, checked_title
from connectors.sources._dicom_commitment import Provider, committing
from connectors.sources._dicom_contexts import DEVICE_SERVICES, SERVICES
from connectors.sources._dicom_object import IMPLEMENTATION, VERSION
from connectors.sources._dicom_step import Steps
from connectors.sources._dicom_upper import Entity, Limits
from connectors.sources._dicom_worklist import Worklist
from connectors.sources._listening import address_of, check_listening, checked_address, server_context
from mappings.formats.values import NO_FILE, FileName, Size, parse_address

logger = logging.getLogger(__name__)

_MAX_SIZE: Final = Size(4 * 1024**3)
_MAX_PDU: Final = Size(128 * 1024)
_ANTEROOM: Final = 16
"""Connections beyond `max_associations` that may be there to be told no."""
_STRANGERS: Final = 256
_CLOSING_S: Final = 1.0
_ACCEPT_AGAIN_S: Final = 0.5
_CALLING_UNKNOWN: Final = (0x01, 0x01, 0x03)
_LIMIT_EXCEEDED: Final = (0x02, 0x03, 0x02)


@dataclass(frozen=True)
class Settings:
    listen: str
    """Address and port, like `0.0.0.0:11112`; port 0 takes a free one."""
    ae_title: str
    """Our AE title; who calls another is rejected."""
    callers: tuple[str, ...] = ()
    """Who may send: `"CT1"`, or with an address or a network `"CT1@10.0.0.7"`, `"CT1@10.0.0.0/24"`."""
    anyone: bool = False
    """Let everybody send; only for a network in which nobody else is, or with `tls = "mtls"`."""
    tls: Literal["none", "tls", "mtls"] = "tls"
    """`tls` encrypts, `mtls` also asks senders for a certificate of `client_ca`; `none` switches encryption off."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate and its chain; needed unless `tls = "none"`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password; needed unless `tls = "none"`."""
    client_ca: FileName = NO_FILE
    """PEM file with the authorities whose senders are let in; needed with `tls = "mtls"`."""
    peers: Mapping[str, str] = field(default_factory=dict)
    """Where an AE title takes its report of storage commitment, like `{ CT1 = "10.0.0.5:104" }`; others have it on the
    association on which they asked. With TLS, if this channel has TLS."""
    max_size: Size = _MAX_SIZE
    """Largest object; a larger one is refused, the rest of it is let pass."""
    max_associations: int = 20
    """Associations at the same time; further ones are rejected for the moment (local limit exceeded)."""
    max_pdu: Size = _MAX_PDU
    """Largest PDU that a sender may use; larger ones are fewer, and faster."""
    worklist: bool = False
    """Also tell devices what is to be done (modality worklist), of the imaging orders that the HIS sent, and hear from them how
    it goes (performed procedure steps). Names of patients go out: needs `callers`, or `tls = "mtls"`."""
    stations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is done at which device: AE title → modalities and codes of procedures, `*` for any end:
    `{ CT1 = ["CT", "CT-*"], US1 = ["US"] }`. A code comes before a modality, an order that names its station before both; an
    order that no device takes is shown to whoever asks."""
    worklist_most: int = 500
    """Orders that one question is answered with at most; a question that finds more ends in status A700."""
    worklist_overdue: timedelta = timedelta(days=30)
    """An order that is not carried out is on the worklist so long after its day."""
    commitment_give_up_after: timedelta = timedelta(days=1)
    """So long a report of storage commitment is tried when its device does not take it; then it stands in the error queue."""
    quiet: timedelta = timedelta(seconds=60)
    """A study counts as complete when nothing of it came for so long; what comes later makes its next version."""
    network_timeout: timedelta = timedelta(seconds=60)
    """An association on which nothing comes for so long is aborted; so long may one PDU take."""
    acse_timeout: timedelta = timedelta(seconds=30)
    """How long a new connection may take to ask for an association, and TLS to begin."""
    dimse_timeout: timedelta = timedelta(seconds=30)
    """How long a peer may take to answer our report of storage commitment."""
    grace: timedelta = timedelta(seconds=30)
    """At shutdown, how long objects under way may take to arrive and be answered."""

    def __post_init__(self) -> None:
        check_listening(self)
        try:
            checked_title(self.ae_title)
        except ValueError as exc:
            raise ValueError(f"ae_title: {exc}") from exc
        try:
            Callers(self.callers, self.anyone)
        except ValueError as exc:
            raise ValueError(f"callers: {exc}") from exc
        if not self.callers and not self.anyone:
            raise ValueError('callers: nobody could send — write AE titles like "CT1@10.0.0.0/24", or anyone = true')
        if self.callers and self.anyone:
            raise ValueError("anyone: lets in those too who are not in callers — write one of the two")
        for title, address in self.peers.items():
            try:
                checked_title(title)
                parse_address(address)
            except ValueError as exc:
                raise ValueError(f"peers: {title}: {exc}") from exc
        if self.worklist and self.anyone and self.tls != "mtls":
            raise ValueError('worklist: names of patients would go to everybody — write callers, or tls = "mtls"')
        for title, words in self.stations.items():
            try:
                checked_title(title)
            except ValueError as exc:
                raise ValueError(f"stations: {exc}") from exc
            if not words:
                raise ValueError(f'stations: {title} takes nothing — write modalities or codes like ["CT", "CT-*"]')
        if self.worklist_most < 1:
            raise ValueError("worklist_most: no order could be given — write at least 1")
        if self.worklist_overdue < timedelta(0):
            raise ValueError('worklist_overdue: a time cannot be negative — write "0s" or more')
        if self.commitment_give_up_after <= timedelta(0):
            raise ValueError('commitment_give_up_after: no report would be tried — write a duration like "1d"')
        if self.max_size < 1:
            raise ValueError('max_size: no object would fit — write a size like "4GB"')
        if self.max_associations < 1:
            raise ValueError("max_associations: nobody could connect — write at least 1")
        if not 4096 <= self.max_pdu <= 1024 * 1024:
            raise ValueError('max_pdu: between "4KB" and "1024KB"')
        if self.quiet < timedelta(0):
            raise ValueError('quiet: a time cannot be negative — write "0s" or more')
        for name in ("network_timeout", "acse_timeout", "dimse_timeout"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f'{name}: every association would end at once — write a duration like "30s"')
        if self.grace < timedelta(0):
            raise ValueError('grace: a time cannot be negative — write "0s" or more')


class Source:
    """Listen for DICOM senders, and hand every object to intake as it arrives."""

    takes_objects = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @staticmethod
    def check(settings: Settings) -> None:
        """Read the TLS files; raises `TlsFilesUnusable`. Does not open the address."""
        server_context(settings)
        _client_context(settings)

    async def run(self, intake: ObjectIntake, ready: Callable[[str], None]) -> None:
        """Serve until cancelled; then answer objects under way within `grace`, abort every association and return.

        Each association runs in threads of its own, so that a slow disk holds up nobody else. An object whose commit takes
        longer than `grace` ends in its thread, unanswered; the sender sends it again and is told that it is kept.
        Raises `ListenFailed` and `TlsFilesUnusable`, both before `ready` is called.
        """
        settings = self._settings
        context, client_context = server_context(settings), _client_context(settings)
        server = _opened(settings.listen)
        try:
            room = _Room(settings, intake, context, client_context)
        except BaseException:
            server.close()
            raise
        try:
            ready(address_of(server.getsockname()))
            await room.accept(server)
        except asyncio.CancelledError:
            logger.info("dicom %s: stopping", settings.listen)
        finally:
            server.close()
            await room.leave()


class _Room:
    """All associations of one source: who may come in, how many at once, and how they end."""

    def __init__(
        self,
        settings: Settings,
        intake: ObjectIntake,
        context: ssl.SSLContext | None,
        client_context: ssl.SSLContext | None,
    ) -> None:
        self.intake = intake
        self.max_size = int(settings.max_size)
        self.limits = Limits(settings.max_pdu, settings.network_timeout.total_seconds())
        self.context = context
        self.handshake_s = settings.acse_timeout.total_seconds()
        self.services: Collection[str] = DEVICE_SERVICES if settings.worklist else SERVICES
        self.worklist = Worklist(intake, settings.worklist_most)
        self.steps = Steps(intake)
        self._settings = settings
        self._callers = Callers(settings.callers, settings.anyone)
        self._loop = asyncio.get_running_loop()
        self._entity = _entity(settings)
        self._commitment = Provider(
            intake,
            self._entity,
            {title: parse_address(address) for title, address in settings.peers.items()},
            client_context,
            self._present,
        )
        self._associations: set[PeerAssociation] = set()
        self._emptied = asyncio.Event()
        self._lock = threading.Lock()
        self._seated: set[PeerAssociation] = set()
        self._full = False
        self._strangers: set[tuple[str, str]] = set()

    # ---- in the loop ----

    async def accept(self, server: socket.socket) -> None:
        """Begin an association for every connection; ends only by being cancelled."""
        while True:
            try:
                connection, _ = await self._loop.sock_accept(server)
            except OSError as exc:
                logger.error("dicom %s: cannot accept (%s)", self._settings.listen, exc.strerror)
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            if len(self._associations) >= self._settings.max_associations + _ANTEROOM:
                connection.close()
                continue
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                peer = address_of(connection.getpeername())
                association = PeerAssociation(self._entity, connection, peer, self, int(self._settings.max_pdu))
                association.start()
                self._associations.add(association)
            except (OSError, RuntimeError) as exc:  # gone already, or no thread to be had
                logger.warning("dicom %s: association not begun (%s)", self._settings.listen, type(exc).__name__)
                connection.close()

    async def leave(self) -> None:
        """End every association, those with an object under way after its answer, all of them after `grace`."""
        for association in tuple(self._associations):
            association.leave()
        if not await self._empties(self._settings.grace.total_seconds()):
            logger.warning("dicom %s: %d associations cut off", self._settings.listen, len(self._associations))
            for association in tuple(self._associations):
                association.cut()
            await self._empties(_CLOSING_S)
        await self._commitment.close()

    async def _empties(self, within_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._associations:
                    self._emptied.clear()
                    await self._emptied.wait()
        return not self._associations

    def _gone(self, association: PeerAssociation) -> None:
        self._associations.discard(association)
        self._emptied.set()

    # ---- in the threads of associations ----

    def admit(self, association: PeerAssociation, title: str) -> Rejection | None:
        if not self._callers.include(title, association.address):
            self.note_stranger(title, association.address)
            return _CALLING_UNKNOWN
        with self._lock:
            if association.leaving or len(self._seated) >= self._settings.max_associations:
                if not self._full:
                    logger.warning("dicom %s: full with %d associations", self._settings.listen, len(self._seated))
                self._full = True
                return _LIMIT_EXCEEDED
            self._full = False
            self._seated.add(association)
        return None

    def asked_to_commit(self, association: PeerAssociation, event: evt.Event) -> tuple[int, None]:
        return self._commitment.take(association, event)

    def _present(self, title: str) -> PeerAssociation | None:
        """Give an association of a peer on which it may be told of commitment."""
        with self._lock:
            theirs = [one for one in self._seated if one.title == title]
        return next((one for one in theirs if committing(one) is not None), None)

    def dismiss(self, association: PeerAssociation) -> None:
        with self._lock:
            self._seated.discard(association)
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._gone, association)

    def note_stranger(self, title: str, address: str) -> None:
        """Log each stranger once, and no more of them than anybody reads."""
        with self._lock:
            if (title, address) in self._strangers or len(self._strangers) >= _STRANGERS:
                return
            self._strangers.add((title, address))
            last = len(self._strangers) == _STRANGERS
        logger.warning("dicom %s: %s", self._settings.listen, PeerNotAllowed(where=address, detail=ascii(title)))
        if last:
            logger.warning("dicom %s: strangers are no longer named until the next start", self._settings.listen)


def _entity(settings: Settings) -> Entity:
    """Make what pynetdicom keeps its settings in; how many may come is counted by us, when they have said who they are."""
    entity = Entity(settings.ae_title)
    entity.acse_timeout = settings.acse_timeout.total_seconds()
    entity.dimse_timeout = settings.dimse_timeout.total_seconds()
    entity.network_timeout = settings.network_timeout.total_seconds()
    entity.connection_timeout = settings.acse_timeout.total_seconds()
    entity.implementation_class_uid = IMPLEMENTATION
    entity.implementation_version_name = VERSION
    entity.maximum_associations = 1_000_000
    entity.require_called_aet = True
    return entity


def _opened(listen: str) -> socket.socket:
    host, port = checked_address(listen)
    try:
        server = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        raise ListenFailed(where=listen, detail=exc.strerror or type(exc).__name__) from exc
    server.setblocking(False)
    return server


def _client_context(settings: Settings) -> ssl.SSLContext | None:
    """Make the TLS of our own calls: the same certificate, and peers of `client_ca`; devices' certificates name no hosts."""
    if settings.tls == "none" or not settings.peers:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.client_ca or None)
        context.check_hostname = False
        context.load_cert_chain(settings.certificate, settings.private_key)
    except (OSError, ValueError) as exc:
        raise TlsFilesUnusable(where=settings.listen, detail=exc.__class__.__name__) from exc
    return context
