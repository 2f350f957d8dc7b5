"""One association that we ask for: connect, be let in, ask, wait for answers, leave. Nothing of it outlives `calling`.

Blocking: the thread that calls is the only one that asks and waits; one more reads PDUs (`_dicom_upper`). pynetdicom's own
loop, which would take messages from under us, is never started. Whatever a peer does comes out as a fault of ours.

Standard: DICOM PS3.8 §7 and §9, PS3.7 §9 and §10
"""

from __future__ import annotations

import logging
import queue
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar, cast

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom._globals import MODE_REQUESTOR
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE, N_EVENT_REPORT
from pynetdicom.pdu_primitives import A_ASSOCIATE, A_P_ABORT, A_RELEASE
from pynetdicom.presentation import PresentationContext, build_role
from pynetdicom.transport import T_CONNECT, AddressInformation

from connectors._dicom_status import Says, fault_of, rejection_of, says
from connectors.contract import Deposit, Deposits
from connectors.dicom_peer import PacsSettings
from connectors.faults import (
    ObjectMisnamed,
    PacsAnswerInvalid,
    PacsBrokeOff,
    PacsSilent,
    PacsUnreachable,
    ServiceNotOffered,
)
from connectors.sources._dicom_association import Came, Messages, Storing
from connectors.sources._dicom_object import IMPLEMENTATION, VERSION
from connectors.sources._dicom_upper import Entity, Limits, UpperLayer, Wire

logger = logging.getLogger(__name__)

T = TypeVar("T")

_ENDING_S: Final = 2.0
"""How long a peer may take to say goodbye; what it said before stands without."""
_LOOK_S: Final = 0.01
_SOON_S: Final = 0.001
_SMALLEST_PDU: Final = 128
"""A PACS that takes less at once cannot be spoken with."""
_MOST: Final = 1 << 62
_COMMAND_ONLY, _STORE_ANSWER, _NO_DATA_SET = b"\x03", b"\x01\x80", b"\x01\x01"


@dataclass(frozen=True)
class Elsewhere:
    """What came for this call on another association; stands among its messages."""

    content: object


class _NoObjects:
    """Where objects go on an association that fetches none."""

    def deposit(self, peer: str) -> Deposit:
        raise ObjectMisnamed(detail="nobody asked for it")


@dataclass(frozen=True)
class Taking:
    """What an association for C-GET takes."""

    deposits: Deposits
    classes: Sequence[str]
    """SOP classes for which we are the receiver here."""


class _Outgoing(Wire):
    """A connection that stands already when pynetdicom wants to make it.

    With TLS, that bytes came does not mean that any of them is for us: the first of those that are is read ahead, or reading
    would keep the thread from what is to be sent.
    """

    def __init__(self, association: Association, upper: UpperLayer, connection: socket.socket, limits: Limits) -> None:
        super().__init__(association, upper, connection, limits)
        self.event_queue.get_nowait()  # Evt5: that somebody called us, which is what else a made connection means
        self._begun = False
        self._silence_s = limits.silence_s

    def connect(self, primitive: T_CONNECT) -> None:
        self._begun = True
        primitive.result = "Evt2"
        self.provider_queue.put(primitive)

    @property
    def _is_connected(self) -> bool:
        """Where a PACS has rejected us and left already, pynetdicom would not look at what it said."""
        return True

    @_is_connected.setter
    def _is_connected(self, value: bool) -> None: ...

    @property
    def ready(self) -> bool:
        if not self._begun:  # a peer that leaves so early is told of when we have asked
            time.sleep(_SOON_S)
            return False
        connection = self.socket
        if not super().ready:
            return False
        if self.is_ahead or not isinstance(connection, ssl.SSLSocket):
            return True
        connection.setblocking(False)
        try:
            self.read_ahead()
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(self._silence_s)
        return True


class _Answers(Messages):
    """Messages of which the answer to an object, which comes once for each, is read here: pynetdicom needs 2 ms for it."""

    def _receive(self, context_id: int, data: bytes) -> None:
        answer = store_answer(data) if self.message is None else None
        if answer is None:
            super()._receive(context_id, data)
        else:
            self.msg_queue.put((context_id, cast(Any, answer)))


def store_answer(data: bytes) -> C_STORE | None:
    """Read a whole C-STORE-RSP from the value of a PDV; None for anything else, and where one is not as it should be.

    Standard: DICOM PS3.7 §6.3.1 and Table 9.3-2; PS3.8 Annex E.2
    """
    if data[:1] != _COMMAND_ONLY:
        return None
    found: dict[int, bytes] = {}
    position = 1
    while position < len(data):
        if position + 8 > len(data):
            return None
        group, element, length = struct.unpack_from("<HHL", data, position)
        position += 8 + length
        if group or position > len(data):
            return None
        found[element] = data[position - length : position]
    kind, number, no_data, status = (found.get(element, b"") for element in (0x0100, 0x0120, 0x0800, 0x0900))
    if (kind, no_data) != (_STORE_ANSWER, _NO_DATA_SET) or len(number) != 2 or len(status) != 2:
        return None
    answer = C_STORE()
    answer.MessageIDBeingRespondedTo = int.from_bytes(number, "little")
    answer.Status = int.from_bytes(status, "little")
    return answer


class Call(Storing):
    """An association with a PACS. Made by `calling`; for one thread."""

    def __init__(
        self,
        settings: PacsSettings,
        connection: socket.socket,
        contexts: Sequence[PresentationContext],
        taking: Taking | None,
    ) -> None:
        entity = Entity(settings.calling)
        entity.acse_timeout = settings.acse_timeout.total_seconds()
        entity.network_timeout = entity.dimse_timeout = None
        super().__init__(entity, MODE_REQUESTOR)
        self.settings = settings
        self.where = settings.name
        self.peer, self.title, self.called = settings.address, settings.ae_title, settings.calling
        self.deposits: Deposits = taking.deposits if taking else _NoObjects()
        self.max_size = _MOST
        self._connection = connection
        self._messages = _Answers(self)
        self.dimse = self._messages
        self._upper = UpperLayer(self, self._messages.notice)
        self.dul = self._upper
        self.acse_timeout, self.network_timeout = entity.acse_timeout, None
        here, there = (AddressInformation.from_tuple(one) for one in _ends(connection))
        self.acceptor.ae_title = settings.ae_title
        self.acceptor.address_info = there
        self.requestor.ae_title = settings.calling
        self.requestor.address_info = here
        self.requestor.maximum_length = int(settings.max_pdu)
        self.requestor.implementation_class_uid = UID(IMPLEMENTATION)
        self.requestor.implementation_version_name = VERSION
        for sop_class in taking.classes if taking else ():
            self.requestor.add_negotiation_item(build_role(sop_class, scp_role=True))
        for index, context in enumerate(contexts):
            context.context_id = 2 * index + 1
        self.requestor.requested_contexts = list(contexts)
        self._number = 0
        self.idle = True
        """No answer is owed to us."""
        self._sizes: dict[int, int] = {}
        self.on_report: Callable[[N_EVENT_REPORT, int], object | None] = lambda message, context_id: None
        """Answers a report, and gives what it says where that is the one awaited."""
        self.aside: list[object] = []
        """What reports said while something else was awaited."""
        self._told_last: object = None
        self.bind(evt.EVT_ACSE_RECV, self._note)
        self.set_socket(_Outgoing(self, self._upper, connection, Limits(int(settings.max_pdu), _silence(settings))))

    # ---- what pynetdicom calls when it wants to end things in its way ----

    def kill(self) -> None:
        self.is_established = False

    def abort(self, block: bool = True) -> None:
        self.kill()

    def _serve_request(self, msg: Any, context_id: int) -> None:
        """Take what pynetdicom would serve by itself: a report of storage commitment."""
        self._messages.msg_queue.put((context_id, msg))

    # ---- beginning and end ----

    def open(self) -> None:
        """Ask for the association.

        Raises PacsUnreachable, AssociationRejected, PacsBusy, ServiceNotOffered, PacsSilent, PacsAnswerInvalid.
        """
        self._upper.start()
        self._started_dul = True
        self._dul_ready.wait()
        asked, timeout_s = time.monotonic(), self.settings.acse_timeout.total_seconds()
        self.acse.negotiate_association()
        if self.is_established:
            length = self.acceptor.maximum_length
            if length and length < _SMALLEST_PDU:
                raise PacsAnswerInvalid(self.where, f"maximum length {length}")
            return
        told = self._told_last
        if isinstance(told, A_ASSOCIATE) and told.result == 0:
            raise ServiceNotOffered(self.where, "no presentation context accepted")
        if isinstance(told, A_ASSOCIATE):
            raise rejection_of(told.result or 0, told.result_source or 0, told.diagnostic or 0, self.where)
        if told is None and time.monotonic() - asked >= timeout_s:
            raise PacsSilent(self.where, f"no answer to the association request in {timeout_s:g}s")
        if told is None or isinstance(told, A_RELEASE) or getattr(told, "provider_reason", None):
            raise PacsAnswerInvalid(self.where, "answer to the association request")
        raise PacsUnreachable(self.where, "closed before the association was accepted")

    def close(self) -> None:
        """Release; a PACS that does not answer to that is left."""
        self.acse.send_release(is_response=False)
        until = time.monotonic() + _ENDING_S
        with suppress(queue.Empty):
            while (left := until - time.monotonic()) > 0:
                told: Any = self._upper.to_user_queue.get(timeout=left)
                if not isinstance(told, A_RELEASE) or told.result is not None:
                    break
                self.acse.send_release(is_response=True)
        self.is_established = False

    def cut(self) -> None:
        """Hold nothing any more; abort first, where the association still stands."""
        if self._upper.ident is not None:
            if self.is_established or self._upper.state_machine.current_state in ("Sta5", "Sta6"):
                self.acse.send_abort(0x00)
                until = time.monotonic() + _ENDING_S
                while self._upper.state_machine.current_state in ("Sta5", "Sta6") and time.monotonic() < until:
                    time.sleep(_LOOK_S)
            self._upper.kill_dul()
            self._upper.ring()
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            self._upper.join()
        with suppress(OSError):
            self._connection.close()
        self.give_up()
        self._upper.close()

    def _note(self, event: evt.Event) -> None:
        self._told_last = cast(Any, event).primitive

    # ---- asking ----

    def context_of(self, sop_class: str, service: str) -> PresentationContext:
        """Give the context in which a service is asked for; raises ServiceNotOffered, which names it."""
        for context in self.accepted_contexts:
            if context.abstract_syntax == sop_class and context.as_scu:
                return context
        raise ServiceNotOffered(self.where, service)

    def next_number(self) -> int:
        """Give the next message ID, which has 16 bits (PS3.7 §E.1)."""
        self._number = self._number % 0xFFFF + 1
        return self._number

    def ask(self, primitive: Any, context: PresentationContext) -> None:
        """Send a request, or the answer to one of the PACS."""
        self.idle = primitive.MessageIDBeingRespondedTo is not None and self.idle
        self.dimse.send_msg(primitive, cast(int, context.context_id))

    def tell(self, content: object) -> None:
        """Put something among the messages that come, from another thread."""
        self._messages.msg_queue.put((0, cast(Any, Elsewhere(content))))

    def receive(self, within: timedelta) -> tuple[int, Any]:
        """Wait for the next message: context and primitive. Raises PacsSilent, PacsBrokeOff, PacsAnswerInvalid."""
        until = time.monotonic() + within.total_seconds()
        while True:
            try:
                context_id, message = self._messages.msg_queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                if self.under_way and self._is_moving():
                    until = time.monotonic() + within.total_seconds()
                    continue
                raise PacsSilent(self.where, f"no answer in {within.total_seconds():g}s") from None
            if message is not None:
                return cast(int, context_id), message
            self.look()

    def answers(self, kind: type[T], number: int, within: timedelta, *, objects: bool = False) -> Iterator[T]:
        """Yield the answers to one request up to the last; objects that come in between are taken, where they are expected.

        Raises as `receive`, and the fault of the last answer, which is yielded before.
        """
        while True:
            context_id, message = self.receive(within)
            if objects and isinstance(message, Came):
                self._store(message)
                continue
            if isinstance(message, N_EVENT_REPORT | Elsewhere):
                self.aside.extend(self.told_by(message, context_id))
                continue
            if not isinstance(message, kind) or message.MessageIDBeingRespondedTo != number:  # type: ignore[attr-defined]
                raise PacsAnswerInvalid(self.where, "not the answer to what was asked")
            status = cast(Any, message).Status
            if status is None:
                raise PacsAnswerInvalid(self.where, "an answer without status")
            self.idle = says(status) is not Says.PENDING
            yield message
            if self.idle:
                fault = fault_of(status, self.where)
                if fault is not None:
                    raise fault
                return

    def told_by(self, message: Any, context_id: int) -> list[object]:
        """Give what a message says that is no answer: a report, here or on another association."""
        if isinstance(message, Elsewhere):
            return [message.content]
        found = self.on_report(message, context_id) if isinstance(message, N_EVENT_REPORT) else None
        return [] if found is None else [found]

    def _is_moving(self) -> bool:
        """Tell whether an object is still arriving: a large one may take longer than an answer."""
        sizes = {id(one): one.size for one in self.under_way}
        moved, self._sizes = sizes != self._sizes, sizes
        return moved

    def wait_for_room(self, most: int, timeout_s: float) -> bool:
        """Wait until fewer than `most` PDUs wait to be written; tell whether that is so."""
        return self._upper.wait_for_room(most, timeout_s)

    def look(self) -> None:
        """Look at what has come that is no message; raises when it is the end."""
        try:
            told: Any = self._upper.to_user_queue.get_nowait()
        except queue.Empty:
            return
        self.is_established = False
        if isinstance(told, A_P_ABORT) and told.provider_reason:
            raise PacsAnswerInvalid(self.where, "aborted: the protocol was broken")
        raise PacsBrokeOff(self.where, _ENDS.get(type(told).__name__, "the connection was closed"))


_ENDS: Final = {"A_ABORT": "aborted", "A_RELEASE": "released"}


@contextmanager
def calling(
    settings: PacsSettings, contexts: Sequence[PresentationContext], taking: Taking | None = None
) -> Iterator[Call]:
    """Have an association with a PACS: released at the end, aborted where an answer is still owed.

    Raises the faults of `Call.open`, and PacsTlsUnusable.
    """
    connection = _connected(settings)
    try:
        call = Call(settings, connection, contexts, taking)
    except BaseException:
        connection.close()
        raise
    try:
        call.open()
        yield call
    finally:
        try:
            if call.is_established and call.idle:
                call.close()
        finally:
            call.cut()


def _connected(settings: PacsSettings) -> socket.socket:
    """Connect, with TLS where it is set."""
    context = settings.client_context()
    host, _ = settings.place
    try:
        connection = socket.create_connection(settings.place, settings.connect_timeout.total_seconds())
    except OSError as exc:
        raise PacsUnreachable(settings.name, _why(exc)) from exc
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return context.wrap_socket(connection, server_hostname=host) if context else connection
    except OSError as exc:
        connection.close()
        raise PacsUnreachable(settings.name, _why(exc)) from exc


def _why(exc: OSError) -> str:
    """Say why there is no connection, in words without an address."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"TLS: {exc.verify_message}"
    if isinstance(exc, ssl.SSLError):
        return f"TLS: {exc.reason}"
    if isinstance(exc, socket.gaierror):
        return "no such name"
    if isinstance(exc, TimeoutError):
        return "no connection in time"
    return exc.strerror or type(exc).__name__


def _ends(connection: socket.socket) -> tuple[Any, Any]:
    """Give both ends; a peer that left already has none, and the next step says so."""
    here = connection.getsockname()
    try:
        return here, connection.getpeername()
    except OSError:
        return here, here


def _silence(settings: PacsSettings) -> float:
    """Give how long one PDU may take: longer than an answer is waited for, which is then the fault that is told."""
    return 2 * settings.dimse_timeout.total_seconds()
