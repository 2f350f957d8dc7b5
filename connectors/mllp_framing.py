"""Cut a stream of bytes into MLLP frames: no I/O, linear time, bounded memory.

A frame is VT, content, FS CR. The content is not looked into, with one exception: VT directly before a header segment
means that the sender began again without ending the frame before, and joining the two would hide the second message
inside the first. Any other VT (word processors write one for a soft line break) is content.

Standard: HL7 v2.5.1 Implementation Guide, Transport Specification: MLLP, Release 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.faults import FrameIncomplete, FrameInvalid, TooLarge
from mappings.formats.faults import IntakeFault

VT = b"\x0b"
FS = b"\x1c"
END = b"\x1c\r"

KEPT = 64 * 1024
"""How many bytes are kept of what cannot become a message: an oversized frame, rubbish between frames."""

_BEGUN_AGAIN = re.compile(rb"\x0b(?=MSH|FHS|BHS)")


@dataclass(frozen=True, slots=True)
class Frame:
    """The content of one frame, or what there was of it."""

    raw: bytes
    fault: IntakeFault | None = None


def framed(content: bytes) -> bytes:
    """Wrap `content` for the wire."""
    return b"%b%b%b" % (VT, content, END)


class Framer:
    """Take bytes as they come and give frames as they end.

    A frame ends at FS: a missing CR is forgiven, CR and LF between frames are skipped. Beyond `max_size` the first
    `KEPT` bytes stay and the rest up to FS is thrown away. Bytes outside a frame are collected (at most `KEPT` of each
    run, the rest is thrown away) until VT, the limit, or `quiet()` ends the run.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._inside = False
        self._parts: list[bytes] = []
        self._size = 0
        self._too_large = False
        self._rubbish_given = False

    @property
    def pending(self) -> bool:
        """Whether a frame or a run of rubbish has begun and not been given yet."""
        return self._inside or bool(self._parts)

    @property
    def in_frame(self) -> bool:
        """Whether VT was read and FS was not."""
        return self._inside

    def feed(self, data: bytes) -> list[Frame]:
        """Give every frame that ends in `data`, in order."""
        frames: list[Frame] = []
        at = 0
        while at < len(data):
            at = self._read_inside(data, at, frames) if self._inside else self._read_outside(data, at, frames)
        return frames

    def quiet(self) -> list[Frame]:
        """Give the rubbish collected so far; call it when a peer outside a frame has said nothing for a while."""
        if self._inside:
            return []
        frames = self._rubbish()
        self._rubbish_given = False
        return frames

    def end(self) -> list[Frame]:
        """Give what is left when no more bytes will come, and begin afresh."""
        if not self._inside:
            return self.quiet()
        self._inside = False
        content, too_large = self._take()
        if too_large:
            return [Frame(content, TooLarge(detail=f"more than {self._max_size} bytes"))]
        whole = _split(content)
        return [*whole[:-1], Frame(whole[-1].raw, FrameIncomplete(detail=f"after {len(whole[-1].raw)} bytes"))]

    def _read_inside(self, data: bytes, at: int, frames: list[Frame]) -> int:
        end = data.find(FS, at)
        stop = len(data) if end < 0 else end
        if not self._too_large:
            self._parts.append(data[at:stop])
            self._size += stop - at
            if self._size > self._max_size:
                self._too_large = True
                self._parts = [b"".join(self._parts)[:KEPT]]
        if end < 0:
            return stop
        self._inside = False
        content, too_large = self._take()
        if too_large:
            frames.append(Frame(content, TooLarge(detail=f"more than {self._max_size} bytes")))
        else:
            frames.extend(_split(content))
        return stop + 1

    def _read_outside(self, data: bytes, at: int, frames: list[Frame]) -> int:
        start = data.find(VT, at)
        stop = len(data) if start < 0 else start
        if stop > at and not self._rubbish_given:
            rubbish = data[at : min(stop, at + KEPT - self._size)]
            if not self._parts:
                rubbish = rubbish.lstrip(b"\r\n")
            if rubbish:
                self._parts.append(rubbish)
                self._size += len(rubbish)
            if self._size >= KEPT:
                frames.extend(self._rubbish())
                self._rubbish_given = True
        if start < 0:
            return stop
        frames.extend(self._rubbish())
        self._rubbish_given = False
        self._inside = True
        return stop + 1

    def _rubbish(self) -> list[Frame]:
        if not self._parts:
            return []
        content, _ = self._take()
        return [Frame(content, FrameInvalid(detail=f"{len(content)} bytes"))]

    def _take(self) -> tuple[bytes, bool]:
        content = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        too_large = self._too_large
        self._parts, self._size, self._too_large = [], 0, False
        return content, too_large


def _split(content: bytes) -> list[Frame]:
    if VT not in content:
        return [Frame(content)]
    *cut_off, last = _BEGUN_AGAIN.split(content)
    return [
        *(Frame(part, FrameIncomplete(detail=f"after {len(part)} bytes")) for part in cut_off if part),
        Frame(last),
    ]
