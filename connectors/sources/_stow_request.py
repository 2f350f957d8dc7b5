"""One STOW-RS request: its parts on their way to intake, each an object of its own.

    begins ── bytes ── bytes ── ends      committed while the next ones come: taken, or refused with a fault
       │        └─ too large              put aside; the rest of the part is let pass
       └─ no DICOM file                   let pass
    cut off, malformed, the disk is full  put aside; nothing more of the request is taken, what was taken stays

Blocks, and is called from a worker thread. A few objects are committed at once, so that they share the waiting for the disk: of
two parts under one UID either may be the one that is kept. Knows nothing of sockets, nor what is told to the sender.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from connectors.contract import Deposit, ObjectAnswer, ObjectNames
from connectors.faults import (
    MultipartInvalid,
    ObjectIncomplete,
    ObjectStoreAway,
    ObjectTooLarge,
    PartNotDicom,
    TooManyParts,
)
from connectors.sources._multipart_related import (
    Event,
    MultipartReader,
    PartBegins,
    PartBytes,
    read_media_type,
)
from mappings.formats.faults import FaultClass, IntakeFault

_AT_ONCE = 4
"""Objects of one request that are committed at the same time."""
_UNENCODED = frozenset(("", "binary", "8bit", "7bit"))


@dataclass(frozen=True)
class Bounds:
    """What one request may hold."""

    max_size: int
    """Bytes of one object; as many again are let pass before the rest of the request is not read."""
    max_parts: int
    max_part_header: int


class StowRequest:
    """Take the parts of one request: `feed` until it says no or all came, then `end`; else `abandon`, from any thread."""

    def __init__(
        self,
        begin: Callable[[], Deposit],
        in_thread: Callable[[Callable[[], ObjectAnswer]], Future[ObjectAnswer]],
        boundary: str,
        client: str,
        study: str,
        bounds: Bounds,
    ) -> None:
        self.results: list[ObjectAnswer] = []
        """What became of each part, in their order, once the request is over; also why it ended early."""
        self._begin = begin
        self._in_thread = in_thread
        self._reader = MultipartReader(boundary, bounds.max_part_header)
        self._client = client
        self._study = study
        self._bounds = bounds
        self._part: _Part | None = None
        self._answers: list[Future[ObjectAnswer]] = []
        self._committing: deque[Future[ObjectAnswer]] = deque()
        """Of these answers, those that were not looked at yet."""
        self._parts = 0
        self._over = False
        self._lock = threading.Lock()

    def feed(self, data: bytes) -> bool:
        """Take more bytes; False: nothing more of this request is taken. Raises what intake raises that is no IntakeFault."""
        with self._lock:
            if self._over:
                return False
            try:
                for event in self._reader.feed(data):
                    if not self._take(event):
                        self._finish()
                        return False
            except IntakeFault as fault:
                self._stop(fault)
                return False
            return True

    def end(self) -> None:
        """Say that all bytes came."""
        with self._lock:
            if self._over:
                return
            try:
                self._reader.end()
            except MultipartInvalid as fault:
                self._stop(fault)
            else:
                self._finish()

    def abandon(self, fault: IntakeFault) -> None:
        """Say that the rest will not come."""
        with self._lock:
            if not self._over:
                self._stop(fault)

    def _stop(self, fault: IntakeFault) -> None:
        """Take nothing more; what came of the part under way is put aside."""
        part, self._part = self._part, None
        if part is not None and part.deposit is not None:
            part.deposit.discard(fault if fault.fault_class is FaultClass.TRANSIENT else ObjectIncomplete(fault.where))
        self._refuse(fault)
        self._finish()

    def _finish(self) -> None:
        self._over = True
        self.results = [answer.result() for answer in self._answers]

    def _refuse(self, fault: IntakeFault) -> None:
        answer: Future[ObjectAnswer] = Future()
        answer.set_result(ObjectAnswer(taken=False, fault=fault))
        self._answers.append(answer)

    def _settle(self, left: int) -> bool:
        """Wait until no more than so many commits are under way; False: it is better to try again later."""
        goes_on = True
        while len(self._committing) > left or (self._committing and self._committing[0].done()):
            fault = self._committing.popleft().result().fault
            goes_on &= fault is None or fault.fault_class is not FaultClass.TRANSIENT
        return goes_on

    def _take(self, event: Event) -> bool:
        """Take one; False: it is better to try again later."""
        if isinstance(event, PartBegins):
            if not self._settle(_AT_ONCE):
                return False
            self._begins(event.headers)
        elif self._part is not None and isinstance(event, PartBytes):
            self._write(self._part, event.data)
        elif self._part is not None:
            return self._ends(self._part)
        return True

    def _begins(self, headers: Mapping[str, str]) -> None:
        self._parts += 1
        if self._parts > self._bounds.max_parts:
            raise TooManyParts(detail=f"above {self._bounds.max_parts}")
        part = self._part = _Part()
        try:
            part.transfer_syntax, part.declared = _described(headers)
        except (PartNotDicom, MultipartInvalid) as fault:
            part.fault = PartNotDicom(fault.where, fault.detail)
            return
        part.deposit = self._begin()

    def _write(self, part: _Part, data: bytes) -> None:
        part.size += len(data)
        if part.deposit is None:
            if part.size > 2 * self._bounds.max_size:
                raise part.fault or ObjectTooLarge()
            return
        try:
            if part.size > self._bounds.max_size:
                raise ObjectTooLarge(detail=f"above {self._bounds.max_size} bytes")
            part.deposit.write(data)
        except IntakeFault as fault:
            if fault.fault_class is FaultClass.TRANSIENT:
                raise
            deposit, part.deposit, part.fault = part.deposit, None, fault
            deposit.discard(fault)

    def _ends(self, part: _Part) -> bool:
        settled, deposit = self._settle(_AT_ONCE - 1), part.deposit
        self._part = None
        if deposit is not None and not settled:
            deposit.discard(ObjectStoreAway())
        elif deposit is not None and part.declared not in (None, part.size):
            part.fault = ObjectIncomplete("Content-Length", f"{part.declared} said, {part.size} came")
            deposit.discard(part.fault)
        elif deposit is not None:
            names = ObjectNames("", "", part.transfer_syntax, self._client, study=self._study)
            committing = self._in_thread(lambda: deposit.commit(names))
            self._answers.append(committing)
            self._committing.append(committing)
            return True
        self._refuse(part.fault or ObjectStoreAway())
        return settled


class _Part:
    """The part under way."""

    def __init__(self) -> None:
        self.deposit: Deposit | None = None
        """None where nothing of it is taken (any more)."""
        self.fault: IntakeFault | None = None
        self.transfer_syntax = ""
        self.declared: int | None = None
        self.size = 0


def _described(headers: Mapping[str, str]) -> tuple[str, int | None]:
    """Give transfer syntax and length as the head of a part has them; raises PartNotDicom and MultipartInvalid."""
    kind, parameters = read_media_type(headers.get("content-type", "application/dicom"))
    if kind != "application/dicom":
        raise PartNotDicom("Content-Type")
    if headers.get("content-transfer-encoding", "").lower() not in _UNENCODED:
        raise PartNotDicom("Content-Transfer-Encoding")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise PartNotDicom("Content-Encoding")
    length = headers.get("content-length", "")
    if length and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise PartNotDicom("Content-Length")
    return parameters.get("transfer-syntax", ""), int(length) if length else None
