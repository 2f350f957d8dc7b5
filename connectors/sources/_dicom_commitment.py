"""Storage commitment, for peers that ask: what of these objects is kept here for certain?

The request is answered when it is durable that a report is owed. The report follows on an association of its own when the
peer's address is known, else on any that the peer has with us and on which it may be told. Intake gives out what is owed, again
and again until it is taken, also after a restart; when a peer asks again, its earlier reports are tried at once.

Not ours: taking commitment back, and asking others for it.

Standard: DICOM PS3.4 §J.3 (Storage Commitment Push Model), PS3.7 §10.1
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
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

from connectors.contract import CommitmentRequest, ObjectIntake, OwedReport
from connectors.faults import CommitmentClash, CommitmentNotTaken, LedgerAway
from connectors.sources._dicom_association import PeerAssociation
from connectors.sources._dicom_contexts import COMMITMENT
from connectors.sources._dicom_object import SUCCESS
from mappings.formats.faults import FaultClass, IntakeFault

logger = logging.getLogger(__name__)

_REQUEST: Final = 1
_ALL_KEPT: Final = 1
_SOME_FAILED: Final = 2
_NO_SUCH_OBJECT: Final = 0x0112
_PROCESSING_FAILURE: Final = 0x0110
_NO_SUCH_INSTANCE: Final = 0x0112
_NO_SUCH_ACTION: Final = 0x0123
_INVALID_ARGUMENT: Final = 0x0115
_RESOURCE_LIMITATION: Final = 0x0213
_STATUSES: Final[Mapping[type[IntakeFault], int]] = {CommitmentClash: _INVALID_ARGUMENT}

_LONGEST_UID: Final = 64
_AT_ONCE: Final = 4
"""Reports under way; a peer that is slow to answer holds one of them up."""
_LOOK_S: Final = 1.0


class Provider:
    """Takes requests from associations, and reports. One to a source; made in its loop's thread."""

    def __init__(
        self,
        intake: ObjectIntake,
        entity: ApplicationEntity,
        peers: dict[str, tuple[str, int]],
        context: ssl.SSLContext | None,
        present: Callable[[str], PeerAssociation | None],
    ) -> None:
        """`present` gives an association that a peer has with us and on which it may be told of commitment."""
        self._intake = intake
        self._entity = entity
        self._peers = peers
        self._context = context
        self._present = present
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dicom commitment")
        self._rung = asyncio.Event()
        self._asked: dict[str, None] = {}
        """Who asked since anybody looked."""
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._away = False
        self._looking = self._loop.create_task(self._run())

    def take(self, association: PeerAssociation, event: evt.Event) -> tuple[int, None]:
        """Answer N-ACTION once the report is owed for certain; runs in the association's thread."""
        asked_for = cast("N_ACTION", event.request).RequestedSOPInstanceUID
        if asked_for != StorageCommitmentPushModelInstance:
            return _NO_SUCH_INSTANCE, None
        if event.action_type != _REQUEST:
            return _NO_SUCH_ACTION, None
        request = _read(event, association.title)
        if request is None:
            return _INVALID_ARGUMENT, None
        fault = self._owe(request)
        if fault is not None:
            logger.warning("dicom %s: storage commitment not taken: %s", ascii(association.title), fault)
            transient = fault.fault_class is FaultClass.TRANSIENT
            usual = _RESOURCE_LIMITATION if transient else _PROCESSING_FAILURE
            return _STATUSES.get(type(fault), usual), None
        association.afterwards.append(lambda: self._submit(association.title))
        return SUCCESS, None

    async def close(self) -> None:
        """Let go of what is under way; it is still owed."""
        tasks = [self._looking, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _owe(self, request: CommitmentRequest) -> IntakeFault | None:
        try:
            self._intake.owe_report(request)
        except IntakeFault as fault:
            return fault
        except Exception as exc:  # noqa: BLE001 — whatever breaks behind us, the peer must not wait for ever
            return LedgerAway(detail=type(exc).__name__)
        return None

    def _submit(self, calling: str) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._ring, calling)

    # ---- in the loop ----

    def _ring(self, calling: str) -> None:
        self._asked[calling] = None
        self._rung.set()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._rung.wait()
            self._rung.clear()
            askers, self._asked = self._asked, {}
            for calling in (*askers, ""):
                await self._look(calling)

    async def _look(self, calling: str) -> None:
        """Begin a try of what intake gives out."""
        room = _AT_ONCE - len(self._under_way)
        if room < 1:
            return
        try:
            reports = await asyncio.to_thread(self._intake.owed_reports, room, calling)
        except IntakeFault as fault:
            if not self._away:
                logger.warning("dicom: reports of storage commitment wait: %s", fault)
            self._away = True
            return
        except Exception as exc:  # noqa: BLE001 — others are still owed theirs
            logger.error("dicom: storage commitment broke (%s)", type(exc).__name__)
            return
        self._away = False
        for report in reports:
            if report.id not in self._under_way:
                task = self._loop.create_task(self._fulfil(report))
                self._under_way[report.id] = task
                task.add_done_callback(lambda task, id_=report.id: self._done(id_, task))  # type: ignore[misc]

    def _done(self, report_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[report_id]
        if not task.cancelled() and task.exception() is not None:
            logger.error("dicom: storage commitment broke (%s)", type(task.exception()).__name__)

    async def _fulfil(self, report: OwedReport) -> None:
        await self._loop.run_in_executor(self._pool, self._try, report)

    # ---- in a thread of the pool ----

    def _try(self, report: OwedReport) -> None:
        fault, missing = None, 0
        try:
            told = self._report(report.request)
            missing = len(told.get("FailedSOPSequence", ()))
            self._send(report.request.calling, told)
        except IntakeFault as said:
            logger.info("dicom: a report of storage commitment waits: %s", said)
            fault = said
        try:
            self._intake.note_report(report, missing, fault)
        except IntakeFault as away:
            logger.warning("dicom: what came of a report of storage commitment is not noted: %s", away)

    def _report(self, request: CommitmentRequest) -> Dataset:
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

    def _send(self, title: str, told: Dataset) -> None:
        """Have a peer take its report; raises CommitmentNotTaken."""
        address = self._peers.get(title)
        if address is not None:
            self._send_to(title, address, told)
            return
        association = self._present(title)
        if association is None:
            raise CommitmentNotTaken(title, "it has left, and no address of it stands in peers")
        self._send_back(association, told)

    def _send_back(self, association: PeerAssociation, told: Dataset) -> None:
        """Send on an association that the peer has with us."""
        context = committing(association)
        if context is None:
            raise CommitmentNotTaken(association.title, "left")
        context_id, syntax = context
        primitive = N_EVENT_REPORT()
        primitive.AffectedSOPClassUID = UID(COMMITMENT)
        primitive.AffectedSOPInstanceUID = StorageCommitmentPushModelInstance
        primitive.EventTypeID = _event_type(told)
        content = encode(told, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        primitive.EventInformation = BytesIO(content or b"")
        status = association.report(primitive, context_id)
        try:
            _require_taken(association.title, status.result(self._entity.dimse_timeout))
        except CancelledError:
            raise CommitmentNotTaken(association.title, "left before it was told") from None
        except TimeoutError:
            raise CommitmentNotTaken(association.title, "does not answer") from None

    def _send_to(self, title: str, address: tuple[str, int], told: Dataset) -> None:
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
            raise CommitmentNotTaken(title, f"away ({type(exc).__name__})") from None
        if not association.is_established:
            raise CommitmentNotTaken(title, "rejects us" if association.is_rejected else "away")
        try:
            status, _ = association.send_n_event_report(
                told, _event_type(told), COMMITMENT, StorageCommitmentPushModelInstance
            )
        except Exception as exc:  # noqa: BLE001 — a context refused, a peer that left
            raise CommitmentNotTaken(title, f"does not take it ({type(exc).__name__})") from None
        finally:
            association.release()
        if "Status" not in status:
            raise CommitmentNotTaken(title, "does not answer")
        _require_taken(title, int(status.Status))


def committing(association: PeerAssociation) -> tuple[int, UID] | None:
    """Give context and transfer syntax in which a peer may be told of commitment on an association; None for one without."""
    for context in association.accepted_contexts if association.is_established else ():
        if context.abstract_syntax == COMMITMENT and context.context_id is not None:
            return context.context_id, UID(context.transfer_syntax[0])
    return None


def _read(event: evt.Event, calling: str) -> CommitmentRequest | None:
    """Read a request; None for one that is none."""
    try:
        asked = event.action_information
        objects = tuple(
            (str(one.ReferencedSOPClassUID), str(one.ReferencedSOPInstanceUID)) for one in asked.ReferencedSOPSequence
        )
        transaction = str(asked.TransactionUID)
    except Exception:  # noqa: BLE001 — pydicom raises many; whichever, the peer's data set cannot be read
        return None
    return (
        CommitmentRequest(transaction, calling, objects) if objects and 0 < len(transaction) <= _LONGEST_UID else None
    )


def _require_taken(title: str, status: int) -> None:
    if status != SUCCESS:
        raise CommitmentNotTaken(title, f"status {status:04X}")


def _event_type(told: Dataset) -> int:
    return _SOME_FAILED if "FailedSOPSequence" in told else _ALL_KEPT
