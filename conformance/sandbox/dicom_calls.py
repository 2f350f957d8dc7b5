"""Call other application entities with pynetdicom, and not be held up by what pynetdicom 3.0 leaves open.

Without this: an answer that comes quickly is now and then (one in some hundreds) taken by the thread that waits for requests,
and thrown away; who releases when a request has just come does so before its answer is on the way, and the state machine
breaks; a report (N-EVENT-REPORT), served in a thread of its own, says of the waiting thread that it runs, and whoever asks or
releases then waits for ever; after an abort the caller waits out its time; a socket that nobody answers is forgotten unclosed;
Nagle's algorithm holds messages back. Reaches into `_create_socket`, `_shutdown_socket`, `_serve_request`, `_is_paused`,
`get_msg` and `release`: `test_pacs.py` fails when an update moves them.

Standard: DICOM PS3.7, PS3.8.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from ssl import SSLContext
from typing import Any, Final

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket


class Entity(ApplicationEntity):
    """Calls, and listens, without delay."""

    def call(
        self,
        address: tuple[str, int],
        ae_title: str,
        contexts: list[PresentationContext],
        handlers: Sequence[EventHandlerType] = (),
        roles: list[SCP_SCU_RoleSelectionNegotiation] | None = None,
        tls: tuple[SSLContext, str] | None = None,
    ) -> Association | None:
        """Ask for an association; None when nobody is there or it is refused."""
        gone = threading.Event()
        association = self.associate(
            *address,
            contexts=contexts,
            ae_title=ae_title,
            max_pdu=self.maximum_pdu_size,
            ext_neg=list(roles or []),
            tls_args=tls,
            evt_handlers=[QUICK, (evt.EVT_CONN_CLOSE, _wait_no_longer, [gone]), *handlers],
        )
        leave_answers(association, gone)
        return association if association.is_established else None

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        wire = _Wire(assoc, address=address)
        wire.tls_args = tls_args
        return wire


class _Wire(AssociationSocket):
    def _shutdown_socket(self) -> None:
        wire = self.socket
        super()._shutdown_socket()
        if wire is not None:
            wire.close()


def leave_answers(association: Association, gone: threading.Event) -> None:
    """Have the thread that waits for requests leave answers, and the news that the peer is gone, to who waits for them.

    A release waits for the answer to a request that is being served.
    """
    serve, take, queue = association._serve_request, association.dimse.get_msg, association.dimse.msg_queue
    release, answered = association.release, threading.Event()
    answered.set()

    def serve_request(msg: Any, context_id: int) -> None:
        if msg.is_valid_request:
            answered.clear()
            try:
                serve(msg, context_id)
            finally:
                if threading.current_thread() is not association:
                    association._is_paused = True  # where it runs, it says so itself within a millisecond
                answered.set()
        else:
            queue.put((context_id, msg))

    def release_after() -> None:
        answered.wait()
        release()

    def get_msg(block: bool = False) -> Any:
        found = take(block)
        if found == _NOTHING and gone.is_set():
            queue.put(_NOTHING)
        return found

    association._serve_request = serve_request  # type: ignore[method-assign]
    association.dimse.get_msg = get_msg  # type: ignore[method-assign]
    association.release = release_after  # type: ignore[method-assign]


def _send_at_once(event: Event) -> None:
    wire = event.assoc.dul.socket
    if wire is not None and wire.socket is not None:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _wait_no_longer(event: Event, gone: threading.Event) -> None:
    gone.set()
    event.assoc.dimse.msg_queue.put(_NOTHING)


_NOTHING: Final = (None, None)
"""What pynetdicom's queue gives when no message comes."""

QUICK: Final[EventHandlerType] = (evt.EVT_CONN_OPEN, _send_at_once)
"""What to bind to a server too."""
