"""Collect records into messages: from the header (H) to the terminator (L). No I/O, bounded memory.

Nothing of a record is looked into but its first two bytes, which tell H and L from the rest. What cannot be a whole message is
given too, with its fault: begun again before its L, without H, broken off, too large.

Records end with CR; LF beside it is left as it came. A record that its frame ends without CR gets one: where that frame is the
last of its text and the next one begins a record, or where it is the terminator.

Standard: CLSI LIS2-A2 (ASTM E1394) §5 (records), §6 (header), §13 (terminator)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.faults import MessageUnended, TooLarge
from connectors.mllp_framing import KEPT
from mappings.formats.faults import IntakeFault

_RECORDS: Final = re.compile(rb"[^\r\n]*[\r\n]+|[^\r\n]+")
_ENDS: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Message:
    """The records from H to L, or what there was of them."""

    raw: bytes
    fault: IntakeFault | None = None


class Mark(NamedTuple):
    """Where the collection stood; good until the next mark is made."""

    parts: list[bytes]
    length: int
    size: int
    record_at: int
    records: int
    head: bytes
    delimiter: bytes
    headed: bool
    loose: bool


class Records:
    """Take text as it comes and give messages as they end."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self.too_large = False
        """A message passed the limit and was given; what comes up to its L, or the next H, is thrown away."""
        self._parts: list[bytes] = []
        self._size = self._record_at = self._records = 0
        self._head = self._delimiter = b""
        self._headed = self._loose = False

    def take(self, text: bytes, *, closes: bool = False) -> list[Message]:
        """Give every message that ends in `text`, in order; `closes`: no frame goes on with this text."""
        found: list[Message] = []
        if self._loose:
            self._loose = False
            if self._begins_record(text):
                self._append(b"\r", found)
        for piece in _RECORDS.findall(text):
            self._append(piece, found)
        if closes and self._head:
            if _is(b"L", self._head):
                self._append(b"\r", found)
            else:
                self._loose = True
        return found

    def quiet(self) -> list[Message]:
        """Give the message whose L came without CR, when nothing followed for a while."""
        found: list[Message] = []
        if _is(b"L", self._head):
            self._append(b"\r", found)
        return found

    def end(self, why: str) -> list[Message]:
        """Give what is left when no more text will come, and begin afresh."""
        raw, records = b"".join(self._parts), self._count_of_records()
        self.too_large = False
        self._begin()
        return [Message(raw, MessageUnended(detail=f"{why}, {records} records"))] if raw else []

    @property
    def begun(self) -> bool:
        """Whether there is something of a message that has not ended."""
        return bool(self._parts)

    @property
    def headed(self) -> bool:
        """Whether that begins with a header record."""
        return self._headed or _is(b"H", self._head)

    def mark(self) -> Mark:
        """Note where the collection stands, for `undo`."""
        return Mark(
            *(self._parts, len(self._parts), self._size, self._record_at, self._records),
            *(self._head, self._delimiter, self._headed, self._loose),
        )

    def undo(self, mark: Mark) -> None:
        """Forget what was taken since `mark`."""
        self.too_large = False
        self._parts = mark.parts
        del self._parts[mark.length :]
        self._size, self._record_at, self._records = mark.size, mark.record_at, mark.records
        self._head, self._delimiter = mark.head, mark.delimiter
        self._headed, self._loose = mark.headed, mark.loose

    def _begin(self) -> None:
        self._parts = []
        self._size = self._record_at = self._records = 0
        self._head = self._delimiter = b""
        self._headed = self._loose = False

    def _append(self, piece: bytes, found: list[Message]) -> None:
        """Take a record, or a part of one, with the line ends after it."""
        begins = not self._head
        if begins and not self._size and not piece.strip(_ENDS):
            return
        if begins:
            if self.too_large and _is(b"H", piece[:2]):
                self.too_large = False
            self._record_at = self._size
        self._head = (self._head + piece[:2])[:2]
        if not self.too_large:
            self._parts.append(piece)
            self._size += len(piece)
        if self._size > self._max_size:
            head, records = self._head, self._records
            found.append(Message(b"".join(self._parts)[:KEPT], TooLarge(detail=f"more than {self._max_size} bytes")))
            self._begin()
            self._head, self._records, self.too_large = head, records, True
        if piece[-1:] in (b"\r", b"\n"):
            self._finish_record(found)

    def _finish_record(self, found: list[Message]) -> None:
        head, self._head = self._head.strip(_ENDS), b""
        self._records += 1
        if _is(b"L", head) and self.too_large:
            self.too_large = False
            self._begin()
        elif self.too_large:
            return
        elif _is(b"H", head):
            if self._record_at:
                whole, at, records = b"".join(self._parts), self._record_at, self._records
                self._begin()
                found.append(Message(whole[:at], MessageUnended(detail=f"begun again, {records - 1} records")))
                self._parts, self._size, self._records = [whole[at:]], len(whole) - at, 1
            self._headed, self._delimiter = True, head[1:2]
        elif _is(b"L", head):
            raw = b"".join(self._parts)
            fault = None if self._headed else MessageUnended(detail=f"no header, {self._records} records")
            self._begin()
            found.append(Message(raw, fault))

    def _begins_record(self, text: bytes) -> bool:
        delimiter = self._delimiter or self._head[1:2]
        return text[:1].isupper() and (len(text) == 1 or text[1:2] == delimiter)

    def _count_of_records(self) -> int:
        return self._records + bool(self._head)


def _is(kind: bytes, head: bytes) -> bool:
    """Tell whether a record of this kind begins so: its letter, then a delimiter or nothing."""
    return head[:1] == kind and not head[1:2].isalnum()
