"""An intake of objects that remembers, for tests of sources that bring them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.contract import Answer, CommitmentRequest, ObjectAnswer, ObjectNames, OwedReport, StepReport
from connectors.faults import ObjectClash, ObjectMisnamed, ObjectStoreAway, ObjectUnreadable
from mappings.dicom.names import read_names
from mappings.formats.faults import IntakeFault

DEADLINE_S = 20


@dataclass(frozen=True)
class Kept:
    data: bytes
    names: ObjectNames
    peer: str
    sop_instance: str


class RecordingObjects:
    """Answers as the gateway does, in memory; called from any thread."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.aside: list[tuple[bytes, IntakeFault]] = []
        """What was discarded, or refused at its end."""
        self.begun = 0
        self.chunks: list[int] = []
        self.gate = threading.Event()
        """Closed: commits wait."""
        self.gate.set()
        self.slow = threading.Event()
        """Closed: writing waits, as on a slow disk."""
        self.slow.set()
        self.write_fault: Callable[[int], IntakeFault | None] = lambda size: None
        """Asked with the bytes that an object has so far."""
        self.commit_fault: Callable[[bytes], IntakeFault | None] = lambda data: None
        self.broken = False
        self.deciding = threading.Lock()
        """As the ledger, which enters one object after the other."""
        self._changed = threading.Condition()

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        raise AssertionError("a source of objects brings no messages")

    def answered(self, answer: Answer) -> None:
        raise AssertionError("a source of objects brings no messages")

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        raise AssertionError("nobody asked for commitment")

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Mapping[str, Any]]:
        raise AssertionError("nobody asked for the worklist")

    def owe_report(self, request: CommitmentRequest) -> None:
        raise AssertionError("nobody asked for commitment")

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        raise AssertionError("nobody asked for commitment")

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None:
        raise AssertionError("nobody asked for commitment")

    def note_step(self, report: StepReport) -> None:
        raise AssertionError("nobody told of a step")

    def deposit(self, peer: str) -> RecordingDeposit:
        with self._changed:
            self.begun += 1
            self._changed.notify_all()
        return RecordingDeposit(self, peer)

    def note(self, act: Callable[[], None]) -> None:
        with self._changed:
            act()
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Block until something that happened here makes `condition` true."""
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE_S), "it did not come true in time"


class RecordingDeposit:
    def __init__(self, intake: RecordingObjects, peer: str) -> None:
        self._intake = intake
        self._peer = peer
        self._data = bytearray()
        self._ended = False
        self._busy = threading.Lock()

    def write(self, chunk: bytes | memoryview) -> None:
        assert not self._ended
        assert self._busy.acquire(blocking=False), "two threads at once"
        try:
            fault = self._intake.write_fault(len(self._data) + len(chunk))
            if fault is not None:
                raise fault
            self._data += chunk
            self._intake.note(lambda: self._intake.chunks.append(len(chunk)))
            assert self._intake.slow.wait(DEADLINE_S)
        finally:
            self._busy.release()

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        assert not self._ended
        self._ended = True
        assert self._intake.gate.wait(DEADLINE_S)
        if self._intake.broken:
            raise RuntimeError("NGUYEN VAN AN")
        with self._intake.deciding:
            return self._decided(names, bytes(self._data))

    def _decided(self, names: ObjectNames, data: bytes) -> ObjectAnswer:
        inside = read_names(data)
        if inside is None or not inside.sop_instance:
            return self._refused(data, ObjectUnreadable(), ObjectAnswer)
        named = partial(ObjectAnswer, sop_class=inside.sop_class, sop_instance=inside.sop_instance, study=inside.study)
        earlier = [one.data for one in self._intake.kept if one.sop_instance == inside.sop_instance]
        fault = self._intake.commit_fault(data)
        if fault is None and names.study not in ("", inside.study):
            fault = ObjectMisnamed("StudyInstanceUID")
        if fault is None and any(one != data for one in earlier):
            fault = ObjectClash("SOPInstanceUID")
        if fault is not None:
            return self._refused(data, fault, named)
        if not earlier:
            self._intake.note(lambda: self._intake.kept.append(Kept(data, names, self._peer, inside.sop_instance)))
        return named(taken=True, instance_id="1", repeat=bool(earlier))

    def discard(self, fault: IntakeFault) -> None:
        assert not self._ended
        self._ended = True
        self._intake.note(lambda: self._intake.aside.append((bytes(self._data), fault)))

    def _refused(self, data: bytes, fault: IntakeFault, named: Callable[..., ObjectAnswer]) -> ObjectAnswer:
        if not isinstance(fault, ObjectStoreAway):
            self._intake.note(lambda: self._intake.aside.append((data, fault)))
        return named(taken=False, fault=fault)
