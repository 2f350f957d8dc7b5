"""One association with a peer: objects go to their deposits while they arrive, and are answered when they are kept.

Here we hook into pynetdicom: what comes of messages is looked at before it sees it. The command set of an object is read as
bytes, its data set goes to an `Arriving`, its answer is written as bytes, by the thread that read it. All else is handed
on, and so is an object whose command set is written in an unusual way. pynetdicom can write what arrives into a temporary
file, in clear, when a switch of the whole process says so; instead, that message alone is given our `Arriving` as that file.

Standard: DICOM PS3.7 §9.1.1 and §9.3.1 (C-STORE), PS3.8 §7
"""

from __future__ import annotations

import logging
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, cast

from pynetdicom import evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom._handlers import (
    standard_dimse_recv_handler,
    standard_dimse_sent_handler,
    standard_pdu_recv_handler,
    standard_pdu_sent_handler,
)
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_FIND, C_STORE, N_CREATE, N_EVENT_REPORT, N_SET
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AddressInformation

from connectors.contract import Deposits, ObjectAnswer, ObjectIntake, ObjectNames
from connectors.faults import ObjectIncomplete, ObjectMisnamed, ObjectStoreAway, ObjectUnreadable
from connectors.sources._dicom_command import StoreRequest, fragments, read_store_request, store_response
from connectors.sources._dicom_contexts import STEP, WORKLIST, supported
from connectors.sources._dicom_object import IMPLEMENTATION, SUCCESS, VERSION, Arriving, comment_of, status_of
from connectors.sources._dicom_step import Steps
from connectors.sources._dicom_upper import TICK_S, Limits, UpperLayer, Wire
from connectors.sources._dicom_worklist import Worklist
from mappings.formats.faults import IntakeFault

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.dimse_primitives import DimseServiceType

logger = logging.getLogger(__name__)

_AHEAD: Final = 4
"""Objects that a peer may have sent before we answered the first; nothing else was agreed than one at a time."""
_LARGEST_MESSAGE: Final = 16 * 1024 * 1024
"""Of a message that is no object, such as a request for commitment: a hundred thousand references fit."""
_ENDING_S: Final = 2.0
_COMMAND, _LAST = 0x01, 0x02
_ITEM: Final = struct.Struct(">LB")
"""Of a P-DATA-TF: length of what follows, and its context; then comes the value."""
_CALLING_UNKNOWN: Final = (0x01, 0x01, 0x03)

_LOGGERS: Final = (
    (evt.EVT_DIMSE_RECV, standard_dimse_recv_handler),
    (evt.EVT_DIMSE_SENT, standard_dimse_sent_handler),
    (evt.EVT_PDU_RECV, standard_pdu_recv_handler),
    (evt.EVT_PDU_SENT, standard_pdu_sent_handler),
)

Rejection = tuple[int, int, int]
"""Result, source and reason of A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""


class Room(Protocol):
    """What an association is told by the source that it belongs to."""

    intake: ObjectIntake
    max_size: int
    limits: Limits
    context: ssl.SSLContext | None
    handshake_s: float
    services: Collection[str]
    worklist: Worklist
    steps: Steps

    def admit(self, association: PeerAssociation, title: str) -> Rejection | None:
        """Give it a seat, or the reason why not."""
        ...

    def note_stranger(self, title: str, address: str) -> None:
        """Log who was not let in, once."""
        ...

    def asked_to_commit(self, association: PeerAssociation, event: evt.Event) -> tuple[int, None]: ...

    def dismiss(self, association: PeerAssociation) -> None:
        """Note that it has ended and holds nothing any more."""
        ...


class ProtocolBroken(Exception):
    """Raised in the upper layer's thread when a peer does what the protocol forbids; the association is aborted."""


class _Report(NamedTuple):
    """A notification that waits for its turn to be sent, and what will be answered to it."""

    primitive: N_EVENT_REPORT
    status: Future[int]


class Came(NamedTuple):
    """An object that has come, and waits to be kept and answered."""

    request: StoreRequest
    arriving: Arriving | None
    """None when it came without a data set."""
    context_id: int


class Storing(Association):
    """An association on which objects come, whoever asked for it."""

    peer: str
    """`address:port` of who sends."""
    title: str
    """AE title of who sends; empty until it is known."""
    called: str
    """Our AE title, as the sender knows it."""
    deposits: Deposits
    max_size: int
    leaving: bool
    """No further object is taken."""

    def __init__(self, ae: ApplicationEntity, mode: str) -> None:
        super().__init__(ae, mode)
        self.title = self.called = ""
        self.leaving = False
        self.under_way: set[Arriving] = set()
        """Objects that are arriving, or wait to be answered."""
        self._told: set[type[IntakeFault]] = set()
        """Faults that the log has of this association; one line each, not one for every object."""
        for event, handler in _LOGGERS:
            self.unbind(event, handler)

    def give_up(self) -> None:
        """Put aside what has not arrived whole."""
        for arriving in tuple(self.under_way):
            logger.warning("dicom %s: left in the middle of an object", self.peer)
            arriving.discard(ObjectIncomplete())
        self.under_way.clear()

    def came(self, came: Came) -> None:
        """Take an object that has come whole; runs in the upper layer's thread."""
        self.dimse.msg_queue.put((came.context_id, cast("Any", came)))

    def _store(self, came: Came) -> None:
        """Have the object kept, then say so; it is under way until its answer has left."""
        answer = self._kept(came)
        fault = answer.fault or ObjectStoreAway()
        if answer.taken:
            response = store_response(came.request, SUCCESS)
        else:
            response = store_response(came.request, status_of(fault), comment_of(fault))
            if type(fault) not in self._told:
                logger.warning("dicom %s (%s): object not taken: %s", self.peer, self.title, fault)
            self._told.add(type(fault))
        cast("Messages", self.dimse).answer(response, came.context_id)
        if came.arriving is not None:
            self.under_way.discard(came.arriving)

    def _kept(self, came: Came) -> ObjectAnswer:
        request, arriving = came.request, came.arriving
        if arriving is None:
            return ObjectAnswer(False, fault=ObjectUnreadable(detail="no data set"))
        if not request.sop_class or not request.sop_instance or request.message_id is None:
            return arriving.discard(ObjectUnreadable(detail="no UIDs"))
        if request.sop_class != self._accepted_cx[came.context_id].abstract_syntax:
            return arriving.discard(ObjectMisnamed(where="AffectedSOPClassUID"))
        return arriving.commit()


class _Inbox(queue.Queue[Any]):
    """Messages on their way to the association's thread; of those that pynetdicom read, objects turn off here."""

    def __init__(self, came: Callable[[Came], None]) -> None:
        super().__init__()
        self._came = came

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        context_id, message = item
        if isinstance(message, C_STORE) and message.MessageIDBeingRespondedTo is None:
            sop_class, sop_instance = message.AffectedSOPClassUID, message.AffectedSOPInstanceUID
            request = StoreRequest(str(sop_class or ""), str(sop_instance or ""), message.MessageID)
            self._came(Came(request, cast("Arriving | None", message._dataset_file), context_id))
        else:
            super().put(item, block, timeout)


def _values(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Give context and value of each item of a P-DATA-TF; raises ProtocolBroken."""
    position = 0
    while position < len(content):
        if position + _ITEM.size > len(content):
            raise ProtocolBroken("an item without a head")
        length, context_id = _ITEM.unpack_from(content, position)
        after = position + 4 + length
        if length < 2 or after > len(content):
            raise ProtocolBroken("a value longer than its PDU")
        yield context_id, content[position + _ITEM.size : after]
        position = after


class Messages(DIMSEServiceProvider):
    """Puts messages together; of an object it keeps nothing."""

    def __init__(self, association: Storing) -> None:
        super().__init__(association)
        self._association = association
        self.msg_queue = _Inbox(association.came)
        self._size = 0
        self._coming: Came | None = None
        """An object whose command set was read, and whose data set comes."""
        self._sending = threading.Lock()
        """Held while the parts of a message are handed over, so that none of another comes between."""

    def receive_content(self, content: memoryview) -> None:
        """Take what one PDU brought; runs in the upper layer's thread. Raises nothing: a broken message ends in an abort."""
        self._take_all(_values(content))

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Do the same for a PDU that pynetdicom read, because it is longer than was agreed."""
        self._take_all((context_id, memoryview(data)) for context_id, data in primitive.presentation_data_value_list)

    def _take_all(self, values: Iterable[tuple[int, memoryview]]) -> None:
        try:
            for context_id, value in values:
                self._take(context_id, value)
        except Exception as exc:  # noqa: BLE001 — of whatever kind, it is the peer's message that cannot be read
            told = str(exc) if isinstance(exc, ProtocolBroken) else type(exc).__name__
            logger.warning("dicom %s: message not readable (%s); aborted", self._association.peer, told)
            self.dul.event_queue.put("Evt19")

    def _take(self, context_id: int, value: memoryview) -> None:
        """Take one value, which begins with its control header."""
        control = value[0]
        coming = self._coming
        if coming is not None and coming.arriving is not None:
            if control & _COMMAND or context_id != coming.context_id:
                raise ProtocolBroken("a message inside another")
            coming.arriving.write(value[1:])
            if control & _LAST:
                self._coming = None
                self._association.came(coming)
            return
        request = None
        if self.message is None and control & _COMMAND and control & _LAST:
            request = read_store_request(bytes(value[1:]))
        if request is not None:
            arriving = self._begin(context_id, request.sop_class, request.sop_instance)
            self._coming = Came(request, arriving, context_id)
        else:
            self._receive(context_id, bytes(value))

    def _receive(self, context_id: int, data: bytes) -> None:
        """Have pynetdicom take a value."""
        message = self.message
        begun = message is not None and message.__class__ is not DIMSEMessage
        if begun and (data[0] & _COMMAND or context_id != cast("DIMSEMessage", message).context_id):
            raise ProtocolBroken("a message inside another")
        if message is None or message._data_set_file is None:
            self._size += len(data)
            if self._size > _LARGEST_MESSAGE:
                raise ProtocolBroken("a message too large")
        primitive = P_DATA()
        primitive.presentation_data_value_list = [cast("Any", [context_id, data])]
        super().receive_primitive(primitive)
        message = self.message
        if message is None:
            self._size = 0
        elif isinstance(message, C_STORE_RQ) and message._data_set_file is None:
            named = message.command_set
            sop_class, sop_instance = (str(named.get(f"AffectedSOP{one}UID") or "") for one in ("Class", "Instance"))
            message._data_set_file = cast("Any", self._begin(message.context_id or 0, sop_class, sop_instance))

    def send_msg(self, primitive: Any, context_id: int) -> None:
        with self._sending:
            super().send_msg(primitive, context_id)

    def answer(self, command: bytes, context_id: int) -> None:
        """Send a command set, behind what waits to be sent."""
        with self._sending:
            for value in fragments(command, self.maximum_pdu_size):
                cast("UpperLayer", self.dul).send_value(context_id, value)

    def _begin(self, context_id: int, sop_class: str, sop_instance: str) -> Arriving:
        association = self._association
        context = association._accepted_cx.get(context_id)
        if context is None:
            raise ProtocolBroken("an object in a context that was not accepted")
        if association.leaving or len(association.under_way) >= _AHEAD:
            raise ProtocolBroken("an object after we had to stop" if association.leaving else "too many objects ahead")
        names = ObjectNames(
            sop_class,
            sop_instance,
            str(context.transfer_syntax[0]),
            association.title,
            association.called,
        )
        arriving = Arriving(association.deposits, association.peer, names, association.max_size)
        association.under_way.add(arriving)
        return arriving

    def get_msg(self, block: bool = False) -> Any:
        """Wait for the next message, or for anything else that has to be looked at; runs in the association's thread."""
        if block:
            return super().get_msg(block)
        if self._association.leaving and not self._association.under_way:
            self._association.abort()
            return None, None
        with suppress(queue.Empty):
            return self.msg_queue.get(timeout=TICK_S)
        return None, None

    def notice(self) -> None:
        """Have the association's thread look at what is not a message: a release, an abort, our own end."""
        self.msg_queue.put((None, None))


class PeerAssociation(Storing):
    """An association that a peer asks us for. Runs in a thread of its own, and reads in another."""

    def __init__(self, ae: ApplicationEntity, connection: socket.socket, peer: str, room: Room, max_pdu: int) -> None:
        here, there = connection.getsockname(), connection.getpeername()
        super().__init__(ae, MODE_ACCEPTOR)
        self.name = f"dicom {peer}"
        self.peer = peer
        self.room = room
        self.deposits = room.intake
        self.max_size = room.max_size
        self.afterwards: list[Callable[[], None]] = []
        """What is done once the message now being served is answered."""
        self._connection = connection
        self._reports: dict[int, Future[int]] = {}
        self._messages = Messages(self)
        self.dimse = self._messages
        self._upper = UpperLayer(self, self._messages.notice)
        self.dul = self._upper
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout
        self.acceptor.ae_title = ae.ae_title
        self.called = ae.ae_title.strip()
        self.acceptor.maximum_length = max_pdu
        self.acceptor.implementation_class_uid = IMPLEMENTATION  # type: ignore[assignment]  # as its setter has it
        self.acceptor.implementation_version_name = VERSION
        self.acceptor.address_info = AddressInformation.from_tuple(here)
        self.requestor.address_info = AddressInformation.from_tuple(there)
        self.bind(evt.EVT_REQUESTED, self._requested)
        self.bind(evt.EVT_N_ACTION, lambda event: room.asked_to_commit(self, event))

    @property
    def address(self) -> str:
        return cast("AddressInformation", self.requestor.address_info).address

    # ---- from other threads ----

    def leave(self) -> None:
        """Take no further object; abort as soon as those under way are answered."""
        self.leaving = True
        self._messages.notice()
        if not self.title:  # nothing was asked for yet
            self.cut()

    def cut(self) -> None:
        """Close the connection under whatever goes on."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._upper.ring()

    def report(self, primitive: N_EVENT_REPORT, context_id: int) -> Future[int]:
        """Send a notification between other messages; gives the status of its answer, or is cancelled when there is none."""
        status: Future[int] = Future()
        self._messages.msg_queue.put((context_id, cast("Any", _Report(primitive, status))))
        if self._kill or not self.is_alive():  # nobody takes it out of the queue any more
            status.cancel()
        return status

    # ---- its own thread ----

    def run(self) -> None:
        try:
            if self.room.context is not None:
                self._connection.settimeout(self.room.handshake_s)
                secured = self.room.context.wrap_socket(
                    self._connection, server_side=True, do_handshake_on_connect=False
                )
                self._connection = secured
                secured.do_handshake()
            self.set_socket(Wire(self, self._upper, self._connection, self.room.limits))
            super().run()
        except ssl.SSLError as exc:
            self.room.note_stranger(f"TLS: {exc.reason}", self.address)
        except OSError as exc:
            logger.info("dicom %s: no association (%s)", self.peer, type(exc).__name__)
        except Exception as exc:  # noqa: BLE001 — the thread would tell it whole
            logger.error("dicom %s: association broke (%s)", self.peer, type(exc).__name__)
        finally:
            self._end()

    def _end(self) -> None:
        """Hold nothing any more: no thread, no connection, no deposit."""
        self._kill = True
        if self._upper.is_alive() and (self.is_rejected or self.is_aborted):
            self._upper.join(_ENDING_S)  # until the peer was told
        self.cut()
        if self._upper.ident is not None:
            self._upper.join()
        with suppress(OSError):
            self._connection.close()
        self.give_up()
        for status in self._reports.values():
            status.cancel()
        while not self._messages.msg_queue.empty():
            waiting = cast("Any", self._messages.msg_queue.get()[1])
            if isinstance(waiting, _Report):
                waiting.status.cancel()
        self._upper.close()
        self.room.dismiss(self)

    def _requested(self, event: evt.Event) -> None:
        """Let in or reject, before anything is negotiated; an error of ours lets nobody in."""
        rejection: Rejection | None = _CALLING_UNKNOWN
        try:
            requested = self.requestor.primitive
            if requested is not None:
                self.title = requested.calling_ae_title.strip()
                self.acceptor.supported_contexts = supported(
                    requested.presentation_context_definition_list, self.room.services
                )
                rejection = self.room.admit(self, self.title)
        finally:
            if rejection is not None:
                self.acse.send_reject(*rejection)

    def _serve_request(self, msg: DimseServiceType, context_id: int) -> None:
        given: Any = msg
        if isinstance(given, _Report):
            self._send_report(given, context_id)
        elif isinstance(given, N_EVENT_REPORT) and given.MessageIDBeingRespondedTo is not None:
            status = self._reports.pop(given.MessageIDBeingRespondedTo, None)
            if status is not None and given.Status is not None:
                status.set_result(given.Status)
        elif isinstance(given, C_FIND):
            self._find(given, context_id)
        elif isinstance(given, (N_CREATE, N_SET)):
            self._note_step(given, context_id)
        elif isinstance(given, C_STORE):  # the answer to an object, and we sent none
            self.abort()
        else:
            super()._serve_request(msg, context_id)
        self.dul._idle_timer.restart()
        while self.afterwards:
            self.afterwards.pop(0)()

    def _send_report(self, report: _Report, context_id: int) -> None:
        number = next(number for number in range(1, 2**16) if number not in self._reports)
        report.primitive.MessageID = number
        self._reports[number] = report.status
        self.dimse.send_msg(report.primitive, context_id)

    def _find(self, request: C_FIND, context_id: int) -> None:
        """Give the worklist; a cancel that comes meanwhile ends it."""
        context = self._accepted_cx.get(context_id)
        number = request.MessageID
        if context is None or number is None or {request.AffectedSOPClassUID, context.abstract_syntax} != {WORKLIST}:
            self.abort()
            return
        cancels, syntax = self._messages.cancel_req, context.transfer_syntax[0]
        for response in self.room.worklist.answers(request, syntax, self.title, lambda: number in cancels):
            self.dimse.send_msg(response, context_id)
        cancels.clear()

    def _note_step(self, request: N_CREATE | N_SET, context_id: int) -> None:
        """Have what a device says of a procedure step kept, then say so."""
        context = self._accepted_cx.get(context_id)
        if context is None or context.abstract_syntax != STEP or request.MessageID is None:
            self.abort()
            return
        self.dimse.send_msg(self.room.steps.answer(request, context.transfer_syntax[0], self.title), context_id)

    # ---- the upper layer's thread ----

    def came(self, came: Came) -> None:
        """Have the object kept and answered by the thread that read it.

        Two changes of threads would cost each object more than everything else when the machine is busy.
        """
        self._upper.busy = True
        if came.request.message_id is None:
            self._kept(came)
            self.under_way.clear()
            raise ProtocolBroken("an object without a message id")
        self._store(came)
        self._upper.busy = False
        if self.leaving:
            self._messages.notice()
