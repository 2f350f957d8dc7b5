"""An intake of objects for tests: writes them to files, and does as it is told about answers, faults and delays."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.contract import Answer, CommitmentRequest, ObjectAnswer, ObjectNames, OwedReport, Source, StepReport
from connectors.kinds import load_source
from mappings.formats.faults import IntakeFault

WAIT_S = 20.0
OBJECT_KINDS = ("dicom",)
"""Kinds of source that take objects; their contract stands in `test_object_sources.py`."""


@dataclass
class Filed:
    """One deposit and what became of it."""

    peer: str
    path: Path
    names: ObjectNames | None = None
    answer: ObjectAnswer | None = None
    discarded: IntakeFault | None = None
    chunks: list[int] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)

    @property
    def ended(self) -> bool:
        return self.answer is not None or self.discarded is not None

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    @property
    def data_set(self) -> bytes:
        """What stands behind the file meta information."""
        content = self.content
        assert content[:132] == bytes(128) + b"DICM"
        assert content[132:140] == b"\x02\x00\x00\x00UL\x04\x00"
        return content[144 + int.from_bytes(content[140:144], "little") :]


class FilingIntake:
    """Takes every object once, and knows a repeat by its bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.deposits: list[Filed] = []
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()
        self.refuse: IntakeFault | None = None
        """Given by `commit` in place of a yes."""
        self.refuse_bytes: IntakeFault | None = None
        """Raised by `write`, from the second chunk on."""
        self.broken = ""
        """Name of the method that breaks with an error whose text is a patient's name."""
        self.kept: dict[tuple[str, str], str] = {}
        self.held: Callable[[str, str], bool] = lambda sop_class, sop_instance: (sop_class, sop_instance) in self.kept
        self.committing = 0
        self.listed: Callable[[], Sequence[Mapping[str, Any]]] = tuple
        """Gives the worklist."""
        self.asked: list[tuple[dict[str, str], str]] = []
        """Questions for the worklist, and who asked."""
        self.steps: list[StepReport] = []
        self.owed: list[OwedReport] = []
        self.reported: dict[str, int] = {}
        """Reports of storage commitment that were taken, and how many objects each named as missing."""
        self.waits: list[IntakeFault] = []
        """Why reports were not taken."""

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        raise NotImplementedError

    def answered(self, answer: Answer) -> None:
        raise NotImplementedError

    def deposit(self, peer: str) -> _Deposit:
        self._break("deposit")
        with self.changed:
            filed = Filed(peer, self._folder / f"{len(self.deposits)}.dcm")
            self.deposits.append(filed)
            self.changed.notify_all()
        return _Deposit(self, filed)

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        return self.held(sop_class, sop_instance)

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Mapping[str, Any]]:
        self._break("worklist")
        self.asked.append((dict(query), calling))
        return self.listed()

    def owe_report(self, request: CommitmentRequest) -> None:
        self._break("owe_report")
        if self.refuse is not None:
            raise self.refuse
        with self.changed:
            self.owed.append(OwedReport(str(len(self.owed)), request))

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        return [one for one in self.owed if one.id not in self.reported][:most]

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None:
        with self.changed:
            if fault is None:
                self.reported[report.id] = missing
            else:
                self.waits.append(fault)
            self.changed.notify_all()

    def note_step(self, report: StepReport) -> None:
        self._break("note_step")
        if self.refuse is not None:
            raise self.refuse
        self.steps.append(report)

    @property
    def taken(self) -> list[Filed]:
        return [one for one in self.deposits if one.answer is not None and one.answer.taken]

    @property
    def open(self) -> list[Filed]:
        return [one for one in self.deposits if not one.ended]

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, WAIT_S)

    def has_commits(self, count: int) -> None:
        """Wait until so many objects have come whole."""
        self.wait(lambda: self.committing >= count)

    def _break(self, where: str) -> None:
        if self.broken == where:
            raise RuntimeError("NGUYEN VAN AN")


class _Deposit:
    def __init__(self, intake: FilingIntake, filed: Filed) -> None:
        self._intake, self._filed = intake, filed
        self._file = filed.path.open("wb")
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes | memoryview) -> None:
        assert not self._filed.ended
        self._intake._break("write")
        if self._intake.refuse_bytes is not None and self._filed.chunks:
            raise self._intake.refuse_bytes
        self._filed.chunks.append(len(chunk))
        self._filed.threads.add(threading.current_thread().name)
        self._file.write(chunk)
        self._digest.update(chunk)
        with self._intake.changed:
            self._intake.changed.notify_all()

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        assert not self._filed.ended
        self._file.close()
        with self._intake.changed:
            self._intake.committing += 1
            self._intake.changed.notify_all()
        assert self._intake.gate.wait(WAIT_S)
        self._intake._break("commit")
        answer = self._answer(names)
        with self._intake.changed:
            self._filed.names, self._filed.answer = names, answer
            self._intake.changed.notify_all()
        return answer

    def discard(self, fault: IntakeFault) -> None:
        assert not self._filed.ended
        self._file.close()
        with self._intake.changed:
            self._filed.discarded = fault
            self._intake.changed.notify_all()

    def _answer(self, names: ObjectNames) -> ObjectAnswer:
        if self._intake.refuse is not None:
            return ObjectAnswer(False, fault=self._intake.refuse)
        digest = self._digest.hexdigest()
        with self._intake.changed:
            first = self._intake.kept.setdefault((names.sop_class, names.sop_instance), digest)
        return ObjectAnswer(True, digest[:8], repeat=first == digest and len(self._intake.taken) > 0)


class Running:
    """A source that runs in a loop of its own, so that a test may block; raises what `run` raises before it is ready."""

    def __init__(self, kind: str, settings: Any, intake: FilingIntake) -> None:
        _, made = load_source(kind)
        self.intake = intake
        self._source: Source = made(settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"loop of {kind}")
        self._thread.start()
        try:
            self.address = asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(WAIT_S)
        except BaseException:
            self._end()
            raise
        self.port = int(self.address.rpartition(":")[2])

    def stopping(self) -> Future[None]:
        self._loop.call_soon_threadsafe(self._task.cancel)
        return asyncio.run_coroutine_threadsafe(self._ended(), self._loop)

    def close(self) -> None:
        self.intake.gate.set()
        try:
            self.stopping().result(WAIT_S)
        finally:
            self._end()

    async def _begin(self) -> str:
        listening: asyncio.Future[str] = self._loop.create_future()
        intake: Any = self.intake
        self._task = self._loop.create_task(self._source.run(intake, listening.set_result))
        either: set[asyncio.Future[Any]] = {listening, self._task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        return listening.result()

    async def _ended(self) -> None:
        await asyncio.wait({self._task})
        self._task.result()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
