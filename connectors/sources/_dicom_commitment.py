"""Storage commitment, for peers that ask: what of these objects is kept here for certain?

The request is answered at once; the report follows on an association of its own when the peer's address is known, else on the
one it asked on, as long as that lasts. A peer that is away is tried again, ever more seldom, for a day. Reports that wait live
in memory: after a restart of ours a peer has no report, and asks again.

Not ours: taking commitment back, and asking others for it.

Standard: DICOM PS3.4 §J.3 (Storage Commitment Push Model), PS3.7 §10.1
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom import build_context, build_role, evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StorageCommitmentPushModelInstance

from connectors.contract import ObjectIntake
from connectors.sources._dicom_association import PeerAssociation
from connectors.sources._dicom_contexts import COMMITMENT
from connectors.sources._dicom_object import SUCCESS
from mappings.formats.faults import IntakeFault

logger = logging.getLogger(__name__)

_REQUEST: Final = 1
_ALL_KEPT: Final = 1
_SOME_FAILED: Final = 2
_NO_SUCH_OBJECT: Final = 0x0112
_NO_SUCH_INSTANCE: Final = 0x0112
_NO_SUCH_ACTION: Final = 0x0123
_INVALID_ARGUMENT: Final = 0x0115
_RESOURCE_LIMITATION: Final = 0x0213
_NO_ANSWER: Final = 0xFFFF

_MOST_WAITING: Final = 1000
_FIRST_S: Final = 5.0
_FACTOR: Final = 2.0
_CAP_S: Final = 15 * 60.0
_GIVE_UP_S: Final = 24 * 3600.0


def delays() -> Iterable[float]:
    """Give the pauses between tries, in seconds; they end when a report is given up."""
    pause, spent = _FIRST_S, 0.0
    while spent < _GIVE_UP_S:
        yield pause
        spent += pause
        pause = min(pause * _FACTOR, _CAP_S)


@dataclass(frozen=True)
class Request:
    """What a peer wants to know."""

    transaction: str
    objects: tuple[tuple[str, str], ...]
    """SOP class and SOP instance of each."""
    association: PeerAssociation
    context_id: int
    implicit: bool
    little: bool
    deflated: bool


class Provider:
    """Takes requests from associations, and reports. One to a source; made in its loop's thread."""

    def __init__(
        self,
        intake: ObjectIntake,
        entity: ApplicationEntity,
        peers: dict[str, tuple[str, int]],
        context: ssl.SSLContext | None,
        pauses: Callable[[], Iterable[float]] = delays,
    ) -> None:
        self._intake = intake
        self._entity = entity
        self._peers = peers
        self._context = context
        self._pauses = pauses
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="dicom commitment")
        self._waiting: set[asyncio.Task[None]] = set()
        self._count = 0

    def take(self, association: PeerAssociation, event: evt.Event) -> tuple[int, None]:
        """Answer N-ACTION, and report when that answer is sent; runs in the association's thread."""
        asked_for = cast("N_ACTION", event.request).RequestedSOPInstanceUID
        if asked_for != StorageCommitmentPushModelInstance:
            return _NO_SUCH_INSTANCE, None
        if event.action_type != _REQUEST:
            return _NO_SUCH_ACTION, None
        if self._count >= _MOST_WAITING:
            return _RESOURCE_LIMITATION, None
        try:
            asked = event.action_information
            objects = tuple(
                (str(one.ReferencedSOPClassUID), str(one.ReferencedSOPInstanceUID))
                for one in asked.ReferencedSOPSequence
            )
            transaction = str(asked.TransactionUID)
        except Exception:  # noqa: BLE001 — pydicom raises many; whichever, the peer's data set cannot be read
            return _INVALID_ARGUMENT, None
        if not objects or not transaction:
            return _INVALID_ARGUMENT, None
        syntax = UID(event.context.transfer_syntax)
        request = Request(
            transaction,
            objects,
            association,
            event.context.context_id,
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            syntax.is_deflated,
        )
        association.afterwards.append(lambda: self._submit(request))
        return SUCCESS, None

    async def close(self) -> None:
        """Give up what waits."""
        if self._waiting:
            logger.warning("dicom: %d reports of storage commitment not sent; their peers will ask again", self._count)
        for task in tuple(self._waiting):
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, request: Request) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._begin, request)

    def _begin(self, request: Request) -> None:
        task = self._loop.create_task(self._fulfil(request))
        self._count += 1
        self._waiting.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._count -= 1
        self._waiting.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("dicom: storage commitment broke (%s)", type(task.exception()).__name__)

    async def _fulfil(self, request: Request) -> None:
        title = request.association.title
        for pause in self._pauses():
            if await self._loop.run_in_executor(self._pool, self._try, request):
                return
            if title not in self._peers and not request.association.is_established:
                logger.warning("dicom %s: left before its report of storage commitment; not among peers", title)
                return
            await asyncio.sleep(pause)
        logger.warning("dicom %s: did not take its report of storage commitment", title)

    # ---- in a thread of the pool ----

    def _try(self, request: Request) -> bool:
        try:
            told = self._report(request)
        except IntakeFault as fault:
            logger.warning("dicom: storage commitment waits: %s", fault)
            return False
        address = self._peers.get(request.association.title)
        if address is None:
            return self._send_back(request, told) == SUCCESS
        return self._send_to(request.association.title, address, told) == SUCCESS

    def _report(self, request: Request) -> Dataset:
        kept, failed = [], []
        for sop_class, sop_instance in request.objects:
            one = Dataset()
            one.ReferencedSOPClassUID = sop_class
            one.ReferencedSOPInstanceUID = sop_instance
            if self._intake.holds(sop_class, sop_instance):
                kept.append(one)
            else:
                one.FailureReason = _NO_SUCH_OBJECT
                failed.append(one)
        told = Dataset()
        told.TransactionUID = request.transaction
        if kept:
            told.ReferencedSOPSequence = Sequence(kept)
        if failed:
            told.FailedSOPSequence = Sequence(failed)
        return told

    def _send_back(self, request: Request, told: Dataset) -> int:
        """Send on the association that asked."""
        primitive = N_EVENT_REPORT()
        primitive.AffectedSOPClassUID = UID(COMMITMENT)
        primitive.AffectedSOPInstanceUID = StorageCommitmentPushModelInstance
        primitive.EventTypeID = _event_type(told)
        content = encode(told, request.implicit, request.little, request.deflated)
        primitive.EventInformation = BytesIO(content or b"")
        status = request.association.report(primitive, request.context_id)
        try:
            return status.result(self._entity.dimse_timeout)
        except (CancelledError, TimeoutError):
            return _NO_ANSWER

    def _send_to(self, title: str, address: tuple[str, int], told: Dataset) -> int:
        """Send on an association of our own, on which we are the provider."""
        try:
            association = self._entity.associate(
                *address,
                contexts=[build_context(COMMITMENT)],
                ae_title=title,
                ext_neg=[build_role(COMMITMENT, scu_role=False, scp_role=True)],
                tls_args=(self._context, address[0]) if self._context else None,
            )
        except Exception as exc:  # noqa: BLE001 — no name, no route, no TLS: it is away
            logger.info("dicom %s: away (%s)", title, type(exc).__name__)
            return _NO_ANSWER
        if not association.is_established:
            return _NO_ANSWER
        try:
            status, _ = association.send_n_event_report(
                told, _event_type(told), COMMITMENT, StorageCommitmentPushModelInstance
            )
            return int(status.get("Status", _NO_ANSWER))
        except Exception as exc:  # noqa: BLE001 — a context refused, a peer that left
            logger.info("dicom %s: report not taken (%s)", title, type(exc).__name__)
            return _NO_ANSWER
        finally:
            association.release()


def _event_type(told: Dataset) -> int:
    return _SOME_FAILED if "FailedSOPSequence" in told else _ALL_KEPT
