"""Take large objects (DICOM): on the disk, then in the ledger, and only then the answer (promises P1, P2, P3).

    chunk ── sealed, written ─┐                          ┌─ entered ─┐
    chunk ── sealed, written ─┴─ commit ── names read ───┴─ flushed ─┴─ put away ── taken, or a repeat
                  │                          │                             └─ another under this UID: quarantine
                  │                          └─ not readable, misnamed: quarantine
                  └─ peer leaves, too large: quarantine

The ledger enters an object while its file is flushed (decision 0035). What is not put away may be known to the ledger and
cut off on the disk: a repeat of it is told to try again.

What is put aside keeps its bytes, and nobody was told yes. What an object means is the business of its study's message
(`gateway/studies.py`).

Requirement: S1.4
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from connectors.contract import CommitmentRequest, ObjectAnswer, ObjectNames, OwedReport, StepReport
from connectors.faults import (
    LedgerAway,
    ObjectMisnamed,
    ObjectStoreAway,
    ObjectTooLarge,
    ObjectUnreadable,
    WorklistQueryInvalid,
    WorklistTooWide,
)
from gateway import commitments, meters, procedure_steps
from gateway.clock import SECOND, Clock, to_datetime
from gateway.faults import QueryTooWide, StoreFault
from gateway.intake import ChannelIntake
from gateway.records import worklist
from gateway.safe_log import describe
from gateway.settings import Channel
from gateway.store import images
from gateway.store.engine import Store
from gateway.store.images import Entered, NewInstance
from gateway.store.objects import Objects, Writing
from gateway.store.sealed import Keyring
from mappings.dicom.faults import QueryUnreadable
from mappings.dicom.names import Names, read_names
from mappings.dicom.worklist import Item
from mappings.formats.faults import IntakeFault

T = TypeVar("T")
log = logging.getLogger("lienthong.objects")

_WAIT_S = 120.0
"""How long an object waits for the ledger before its sender is told to try again."""
_SILENT = "the ledger did not answer"
_SAME = "the same object is on its way"
_MOST = 1 << 62
_FRONT = 1 << 16


@dataclass(frozen=True)
class ObjectDoor:
    """What the deposits of one channel share."""

    channel: Channel
    store: Store
    objects: Objects
    keyring: Keyring
    clock: Clock

    def enter(self, new: NewInstance) -> Callable[[], Entered]:
        """Have an object entered, and give what waits for it: raises StoreFault, or ObjectStoreAway where it takes too long."""
        entering: Future[Entered] = self.store.write_each_beside(images.insert_all, new)

        def entered() -> Entered:
            try:
                return entering.result(_WAIT_S)
            except TimeoutError:
                raise ObjectStoreAway(detail=_SILENT) from None

        return entered

    def write(self, act: Callable[[Connection], T]) -> T:
        """Do something in one transaction, as `enter` does."""
        try:
            return self.store.write_waiting(act, _WAIT_S)
        except TimeoutError:
            raise ObjectStoreAway(detail=_SILENT) from None


def recover(objects: Objects, store: Store) -> None:
    """End what an earlier run left in a folder of objects; raises ObjectStoreAway and StoreFault."""
    objects.recover(
        lambda ids: store.read_now(partial(images.known, ids=ids)),
        lambda ids: store.write_waiting(partial(images.withdraw, ids=ids), _WAIT_S),
    )


class ObjectChannelIntake(ChannelIntake):
    """The door of a channel whose source brings objects; what that calls (`connectors.contract.ObjectIntake`)."""

    door: ObjectDoor
    """Set by whoever builds it."""

    def deposit(self, peer: str) -> ObjectDeposit:
        return ObjectDeposit(self.door, peer)

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        """Tell whether an object is durable here, of this class."""
        try:
            found = self.door.store.read_now(lambda connection: images.find(connection, sop_instance))
        except StoreFault as fault:
            raise ObjectStoreAway(detail=f"LT{fault.code:04d}") from fault
        if found is None or sop_class not in ("", found.sop_class):
            return False
        return self.door.objects.is_durable(found.id, _WAIT_S)

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Item]:
        """Give the imaging orders in force that fit, as the record has them now."""
        door, settings = self.door, self.door.channel.source.settings
        since = to_datetime(door.clock.now()) - settings.worklist_overdue
        try:
            return door.store.read_now(
                lambda connection: worklist.answer(
                    connection, door.keyring, query, calling, settings.stations, f"{since:%Y%m%d}"
                )
            )
        except QueryUnreadable as fault:
            raise WorklistQueryInvalid(fault.where, fault.detail) from fault
        except QueryTooWide as fault:
            raise WorklistTooWide(fault.where, fault.detail) from fault
        except StoreFault as fault:
            raise LedgerAway(detail=f"LT{fault.code:04d}") from fault

    def owe_report(self, request: CommitmentRequest) -> None:
        """Make it durable that a device is owed a report."""
        settings, now = self.door.channel.source.settings, self.door.clock.now()
        give_up = round(settings.commitment_give_up_after.total_seconds() * SECOND)
        fault = self._entered(
            lambda c: commitments.owe(c, self.door.keyring, self._channel_name, request, now, give_up)
        )
        if fault is not None:
            raise fault

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        """Give out the reports that are due."""
        door, now = self.door, self.door.clock.now()
        own = (self._channel_name, calling, now)
        try:
            if not door.store.read_now(lambda c: commitments.due(c, *own)):
                return ()
        except StoreFault as fault:
            raise LedgerAway(detail=f"LT{fault.code:04d}") from fault
        return self._entered(lambda c: commitments.give_out(c, door.keyring, *own, most))

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None:
        """Note what came of a try to give a report."""
        now = self.door.clock.now()
        self._entered(lambda c: commitments.note(c, report.id, missing, fault, now))

    def note_step(self, report: StepReport) -> None:
        """Make what a device says of a procedure step durable."""
        told = procedure_steps.read(report, self._channel_name)
        now = self.door.clock.now()
        fault = self._entered(lambda c: procedure_steps.note(c, self.door.keyring, told, now))
        if fault is not None:
            raise fault

    @property
    def _channel_name(self) -> str:
        return self.door.channel.settings.name

    def _entered(self, act: Callable[[Connection], T]) -> T:
        """Do something in one transaction; raises LedgerAway."""
        try:
            return self.door.write(act)
        except ObjectStoreAway as away:
            raise LedgerAway(detail=away.detail) from away
        except StoreFault as away:
            raise LedgerAway(detail=f"LT{away.code:04d}") from away


class ObjectDeposit:
    """One object on its way (`connectors.contract.Deposit`)."""

    def __init__(self, door: ObjectDoor, peer: str) -> None:
        self._door = door
        self._peer = peer
        self._id = ""
        """Its id, once its first bytes have come."""
        self._started = time.perf_counter()
        self._writing: Writing | None = None
        self._inside: Names | None = None
        self._asked = False
        """Whether the ledger was asked to enter it: then it may have, though it did not say so."""
        self._most = int(getattr(door.channel.source.settings, "max_size", 0)) or _MOST

    def write(self, chunk: bytes | memoryview) -> None:
        if self._writing is None:
            self._writing = self._door.objects.begin()
            self._id = self._writing.id
        if self._writing.size + len(chunk) > self._most:
            raise ObjectTooLarge(detail=f"above {self._most} bytes")
        self._writing.add(chunk)

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        answer = self._guarded(lambda: self._commit(names))
        self._count("taken" if answer.taken else "refused", answer.repeat)
        inside = self._inside
        if inside is None:
            return answer
        return replace(answer, sop_class=inside.sop_class, sop_instance=inside.sop_instance, study=inside.study)

    def discard(self, fault: IntakeFault) -> None:
        log.warning("object %s: %s", self._id or "without bytes", fault)
        nothing = ObjectNames("", "", "", "")
        if self._writing is not None and self._writing.size:
            self._guarded(lambda: self._put_aside(nothing, None, fault))
        else:
            self._forget()
        self._count("broken", repeat=False)

    def _commit(self, names: ObjectNames) -> ObjectAnswer:
        if self._writing is None:
            return ObjectAnswer(taken=False, fault=ObjectUnreadable(detail="nothing came"))
        inside = self._inside = _names(self._writing.beginning)
        fault = _wrong(names, inside)
        if inside is None or fault is not None:
            return self._put_aside(names, inside, fault or ObjectUnreadable())
        objects = self._door.objects
        with objects.settling(self._id):
            entered = self._enter(self._new(names, inside, None))
            if entered.fault is not None:
                objects.quarantine(self._id)
                return ObjectAnswer(taken=False, instance_id=entered.id, fault=_as_intake(entered.fault))
            if not entered.repeat:
                try:
                    objects.keep(self._id)
                except ObjectStoreAway as late:
                    log.error("object %s: is durable, and is put away at the next start: %s", self._id, late)
                return ObjectAnswer(taken=True, instance_id=entered.id)
        self._asked = False
        if not objects.is_durable(entered.id, _WAIT_S):
            raise ObjectStoreAway(detail=_SAME)
        self._forget()
        return ObjectAnswer(taken=True, instance_id=entered.id, repeat=True)

    def _put_aside(self, names: ObjectNames, inside: Names | None, fault: IntakeFault) -> ObjectAnswer:
        self._enter(self._new(names, inside, fault))
        self._door.objects.quarantine(self._id)
        return ObjectAnswer(taken=False, instance_id=self._id, fault=fault)

    def _enter(self, new: NewInstance) -> Entered:
        """Have it entered and flushed, both at once."""
        assert self._writing is not None
        self._writing.end()
        self._asked = True
        entered = self._door.enter(new)
        try:
            self._writing.flush()
        except ObjectStoreAway:
            self._withdraw(entered)
            raise
        return entered()

    def _withdraw(self, entered: Callable[[], Entered]) -> None:
        """Have the ledger forget what the disk did not take; where it does not, the node's next start does."""
        with suppress(ObjectStoreAway, StoreFault):
            if entered().id == self._id:
                self._door.write(partial(images.withdraw, ids=[self._id]))
            self._asked = False

    def _new(self, names: ObjectNames, inside: Names | None, fault: IntakeFault | None) -> NewInstance:
        assert self._writing is not None
        door, writing = self._door, self._writing
        study, patient = (inside.study, inside.patient) if inside else ("", "")
        header = b"" if inside is None or fault else bytes(writing.beginning[: inside.header])
        quiet: timedelta = getattr(door.channel.source.settings, "quiet", timedelta(seconds=60))
        return NewInstance(
            id=self._id,
            sop_instance=(inside.sop_instance if inside else names.sop_instance)[:64],
            sop_class=(inside.sop_class if inside else names.sop_class)[:64],
            study_uid=study[:64],
            series_uid=(inside.series if inside else "")[:64],
            transfer_syntax=((inside.syntax if inside else "") or names.transfer_syntax)[:64],
            channel=door.channel.settings.name,
            peer=self._peer[:64],
            calling=names.calling[:64],
            received_at=door.clock.now(),
            size=writing.size,
            sha256=writing.sha256,
            order_key=door.keyring.search_key("order", f"DICOM|{patient}" if patient else study or self._id),
            header=door.keyring.seal(header, f"header/{self._id}") if header else b"",
            quiet=round(quiet.total_seconds() * SECOND),
            fault=fault,
        )

    def _guarded(self, act: Callable[[], ObjectAnswer]) -> ObjectAnswer:
        """Answer whatever happens: what the ledger or the disk did not take, nobody is told yes about."""
        try:
            return act()
        except IntakeFault as fault:
            refused = fault
        except StoreFault as fault:
            log.error("object %s: %s", self._id, fault)
            refused = ObjectStoreAway(detail=f"LT{fault.code:04d}")
        except Exception as error:  # noqa: BLE001 - the sender never waits because our code failed
            log.error("object %s: %s", self._id, describe(error))
            refused = ObjectStoreAway(detail="a fault of ours")
        self._forget()
        return ObjectAnswer(taken=False, fault=refused)

    def _forget(self) -> None:
        """Leave nothing of it, unless the ledger may know it: then the node's next start looks."""
        if self._writing is not None:
            self._writing.close()
            if not self._asked:
                self._door.objects.forget(self._id)

    def _count(self, state: str, repeat: bool) -> None:
        channel = self._door.channel.settings.name
        said = "duplicate" if repeat else state
        meters.observe(meters.INTAKE, time.perf_counter() - self._started, channel=channel)
        meters.count(meters.MESSAGES, channel=channel, type="DICOM^OBJECT", state=said, answer=said)


def _names(beginning: memoryview) -> Names | None:
    """Find what an object calls itself; mostly that stands in front, and the rest need not be copied."""
    found = read_names(bytes(beginning[:_FRONT]))
    if len(beginning) <= _FRONT or (found is not None and found.header < _FRONT):
        return found
    return read_names(bytes(beginning))


def _wrong(names: ObjectNames, inside: Names | None) -> IntakeFault | None:
    """Say why an object is not what it was sent as, or cannot be one of a study."""
    if inside is None:
        return ObjectUnreadable()
    missing = [
        keyword
        for keyword, value in (
            ("SOPInstanceUID", inside.sop_instance),
            ("StudyInstanceUID", inside.study),
            ("SeriesInstanceUID", inside.series),
        )
        if not value
    ]
    if missing:
        return ObjectUnreadable(where=missing[0], detail="missing: " + ", ".join(missing))
    for keyword, sent, found in (
        ("SOPInstanceUID", names.sop_instance, inside.sop_instance),
        ("SOPClassUID", names.sop_class, inside.sop_class),
        ("StudyInstanceUID", names.study, inside.study),
    ):
        if sent and sent != found:
            return ObjectMisnamed(where=keyword)
    return None


def _as_intake(fault: object) -> IntakeFault:
    assert isinstance(fault, IntakeFault)
    return fault
