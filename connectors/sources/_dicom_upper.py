"""pynetdicom's upper layer, waiting instead of polling, and with a limit to everything that a peer decides.

What pynetdicom 3.0 leaves open and this closes: both threads of an association wake a thousand times a second while nothing
comes; a PDU is read as long as its length field says (4 GB); a peer that falls silent inside a PDU holds its thread for ever;
a socket whose number is above 1023 cannot be waited for; whatever breaks inside is told whole on standard error.

This module and `_dicom_association.py` alone reach into pynetdicom; `test_dicom_inside.py` fails when an update moves what they
hold on to.

Standard: DICOM PS3.8 §9
"""

from __future__ import annotations

import logging
import os
import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pynetdicom.ae import ApplicationEntity
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AddressInformation, AssociationSocket

from connectors.sources._dicom_command import pdu

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from connectors.sources._dicom_association import Messages

logger = logging.getLogger(__name__)

T = TypeVar("T")

TICK_S: Final = 0.25
"""How late a time limit may be noticed; everything else rings a bell."""
_LONGEST_ASSOCIATE: Final = 1024 * 1024
"""A-ASSOCIATE-RQ with 128 contexts of all syntaxes has a third of it."""
_HEAD: Final = struct.Struct(">BBL")
"""Of every PDU: type, reserved, length of what follows."""
_P_DATA: Final = 4
_TRANSFER: Final = "Sta6"
"""The association is established, and neither end has asked for its release."""
_HEADERS: Final = 64 * 1024
"""What a peer may send beyond the length we announced; some do not count their headers."""


class BelledQueue(queue.Queue[T]):
    """A queue that says when something was put in."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._ring()

    def wait_for_room(self, most: int, timeout_s: float) -> bool:
        """Wait until fewer than `most` are in it; tell whether that is so."""
        with self.not_full:  # told of everything that is taken out
            return self.not_full.wait_for(lambda: self._qsize() < most, timeout_s)


class Wire(AssociationSocket):
    """A connection of which every PDU has to come within `silence_s` and may not be longer than announced."""

    def __init__(self, association: Association, upper: UpperLayer, connection: socket.socket, limits: Limits) -> None:
        super().__init__(association, client_socket=connection)
        self._upper = upper
        self._limits = limits
        self._poll = select.poll()
        self._number = connection.fileno()
        self._poll.register(self._number, select.POLLIN)
        self._poll.register(upper.ear, select.POLLIN)
        connection.settimeout(limits.silence_s)
        self._buffer = memoryview(bytearray(_HEAD.size + limits.content))
        self._at = self._end = 0
        """Of the buffer, what was read ahead."""

    @property
    def is_ahead(self) -> bool:
        """Tell whether bytes are at hand already."""
        return self._at < self._end

    @property
    def ready(self) -> bool:
        """Wait until bytes have come, the bell rings or a tick has passed; tell whether bytes have come."""
        connection = self.socket
        if self.is_ahead:
            return True
        if connection is None or connection.fileno() < 0:
            time.sleep(0.01)
            return False
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        wait = 0 if self._upper.has_work() else int(TICK_S * 1000)
        found = dict(self._poll.poll(wait))
        if self._upper.ear.fileno() in found:
            self._upper.hush()
        return self._number in found

    def content(self) -> memoryview | None:
        """Read the next PDU, when it is a P-DATA-TF, and give what it holds; it stands until the next call.

        None when the next is another, longer than announced, or does not come whole: what came of it is there for `recv`.
        Raises OSError when it comes too slowly.
        """
        if not self._have(_HEAD.size):
            return None
        kind, _, length = _HEAD.unpack_from(self._buffer, self._at)
        if kind != _P_DATA or length > self._limits.content or not self._have(_HEAD.size + length):
            return None
        begin = self._at + _HEAD.size
        self._at = begin + length
        return self._buffer[begin : self._at]

    def _have(self, count: int) -> bool:
        """Read until so many bytes are at hand; tell whether they came."""
        until = time.monotonic() + self._limits.silence_s
        while self._end - self._at < count:
            if not self.read_ahead():
                return False
            if self._end - self._at < count and time.monotonic() > until:
                raise TimeoutError("PDU too slow")
        return True

    def read_ahead(self) -> int:
        """Read what is there, as far as there is room; wait only when nothing is. 0: the peer has left. Raises OSError."""
        if self._at:
            ahead = self._end - self._at
            self._buffer[:ahead] = self._buffer[self._at : self._end]
            self._at, self._end = 0, ahead
        got = self._read(self._buffer[self._end :])
        self._end += got
        return got

    def _read(self, into: memoryview) -> int:
        connection = self.socket
        if connection is None:
            return 0
        if not isinstance(connection, ssl.SSLSocket):
            with suppress(BlockingIOError):
                return os.readv(connection.fileno(), [into])
        return connection.recv_into(into)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer when the peer leaves; raises OSError when they are too many or come too slowly."""
        if nr_bytes > self._limits.longest:
            raise OSError("PDU longer than announced")
        content = bytearray(nr_bytes)
        if self.socket is None:
            raise OSError("closed")
        until = time.monotonic() + self._limits.silence_s
        got = min(nr_bytes, self._end - self._at)
        with memoryview(content) as view:
            view[:got] = self._buffer[self._at : self._at + got]
            self._at += got
            while got < nr_bytes:
                count = self.socket.recv_into(view[got:])
                if not count:
                    break
                got += count
                if got < nr_bytes and time.monotonic() > until:
                    raise TimeoutError("PDU too slow")
        return content if got == nr_bytes else content[:got]


class _Outward(AssociationSocket):
    """A connection of our own; one that never came to be is closed too, which pynetdicom leaves to the garbage."""

    def _shutdown_socket(self) -> None:
        connection = self.socket
        super()._shutdown_socket()
        if connection is not None:
            connection.close()


class Entity(ApplicationEntity):
    """What pynetdicom keeps the settings of an AE in, and calls others with."""

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[ssl.SSLContext, str] | None
    ) -> AssociationSocket:
        wire = _Outward(assoc, address=address)
        if tls_args:
            wire.tls_args = tls_args
        return wire


class Limits:
    """What a connection is held to."""

    def __init__(self, max_pdu: int, silence_s: float) -> None:
        self.content = max_pdu + _HEADERS
        """Bytes of a PDU that carries parts of messages; of any other `longest`."""
        self.longest = max(self.content, _LONGEST_ASSOCIATE)
        self.silence_s = silence_s


class UpperLayer(DULServiceProvider):
    """The thread that reads PDUs; rung awake by whoever has something to send."""

    def __init__(self, association: Association, notice: Callable[[], None]) -> None:
        super().__init__(association)
        self.daemon = True
        self.ear, self._bell = socket.socketpair()
        self.ear.setblocking(False)
        self._bell.setblocking(False)
        self._run_loop_delay = 0.0
        self._busy = False
        self._outgoing: BelledQueue[Any] = BelledQueue(self.ring)
        self.to_provider_queue = self._outgoing
        self.to_user_queue = BelledQueue(notice)

    @property
    def busy(self) -> bool:
        """Whether it keeps an object; what the peer says meanwhile is not heard, and its silence none."""
        return self._busy

    @busy.setter
    def busy(self, value: bool) -> None:
        self._idle_timer.restart()
        self._busy = value

    def idle_timer_expired(self) -> bool:
        return not self._busy and super().idle_timer_expired()

    def ring(self) -> None:
        with suppress(OSError):  # full: it has been rung; closed: nobody is there
            self._bell.send(b"\x00")

    def hush(self) -> None:
        with suppress(OSError):
            self.ear.recv(4096)

    def wait_for_room(self, most: int, timeout_s: float) -> bool:
        """Wait until fewer than `most` primitives wait to be sent; tell whether that is so."""
        return self._outgoing.wait_for_room(most, timeout_s)

    def has_work(self) -> bool:
        """Tell whether waiting would be wrong."""
        return self._kill_thread or not self.event_queue.empty() or not self.to_provider_queue.empty()

    def _read_pdu_data(self) -> None:
        """Hand over what comes of messages while it comes without a break; everything else is read as pynetdicom does."""
        wire = cast("Wire", self.socket)
        content = None
        try:
            while self.state_machine.current_state == _TRANSFER and (content := wire.content()) is not None:
                cast("Messages", self.assoc.dimse).receive_content(content)
                if self.has_work() or not wire.ready:
                    return
        except OSError:
            self.event_queue.put("Evt17")
            return
        super()._read_pdu_data()

    def send_value(self, context_id: int, value: bytes) -> None:
        """Send a part of a message, behind what waits; at once where nothing does and this is our own thread."""
        if threading.current_thread() is self and self.to_provider_queue.empty():
            cast("Wire", self.socket).send(pdu(context_id, value))
            return
        part = P_DATA()
        part.presentation_data_value_list = [cast("Any", [context_id, value])]
        self.to_provider_queue.put(part)

    def run(self) -> None:
        try:
            super().run()
        except Exception as exc:  # noqa: BLE001 — pynetdicom raises what a state machine cannot do; the thread would tell it
            logger.warning("dicom: upper layer ended by %s", type(exc).__name__)
        finally:
            if self.socket is not None:
                self.socket.close()
            self.to_user_queue.put(cast("Any", None))  # whoever waits for an A-ASSOCIATE-RQ need not wait longer

    def stop_dul(self) -> bool:
        if self.state_machine.current_state != "Sta1":
            return False
        self._kill_thread = True
        self.ring()
        if threading.current_thread() is not self:
            self.join()
        return True

    def close(self) -> None:
        """Let go of the bell; only when the thread has ended."""
        self.ear.close()
        self._bell.close()
