"""Cut a stream of bytes into what the low level of ASTM sends, and write its frames: no I/O, no clock, bounded memory.

    STX  FN  text  ETX|ETB  C1 C2  CR LF        FN: 1 to 7, 0, 1 …   C1 C2: sum of all from FN to ETX|ETB, modulo 256, in hex

What a frame holds is not looked into. A frame whose end comes without LF, as converters of line ends leave it, is known by the
silence after it; so is an ENQ, ACK, NAK or EOT of a peer that broke off inside a frame.

The sum of a frame finds every single wrong byte, and one of 256 greater damages does not show in it: that is the standard's.

Standard: CLSI LIS1-A (ASTM E1381) §6.3 (frames, checksum)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connectors.mllp_framing import KEPT

STX, ETX, EOT, ENQ, ACK, NAK, ETB = b"\x02", b"\x03", b"\x04", b"\x05", b"\x06", b"\x15", b"\x17"

_SPECIAL: Final = re.compile(rb"[\x02-\x06\x15\x17]")
_STRUCTURE: Final = re.compile(rb"[\x02\x03\x17]")
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")
_END_LOST: Final = re.compile(rb"[0-9A-F]{2}\r\n\Z")
"""How a frame looks whose ETX came damaged."""
_CONTROLS: Final = (ENQ, ACK, NAK, EOT)
_CR, _LF = 0x0D, 0x0A
_BEGINS_ANEW: Final = frozenset(STX + ENQ + EOT)
_TRAILER: Final = 5
"""ETX, two digits, CR, LF."""


@dataclass(frozen=True, slots=True)
class Control:
    byte: bytes
    """ENQ, ACK, NAK or EOT, outside a frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    number: int
    text: bytes
    last: bool
    """It ends with ETX: no other frame goes on with its text."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A frame, or the end of one, that is not what was sent."""

    raw: bytes
    """At most `KEPT` bytes of it."""
    why: str


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes outside of frames, or of a frame that was begun again before its end."""

    raw: bytes


Token = Control | Frame | Broken | Noise


def checksum(content: bytes) -> bytes:
    """Give the two digits for a frame's content, from its number to ETX or ETB."""
    return b"%02X" % (sum(content) & 0xFF)


def framed(number: int, text: bytes, *, last: bool) -> bytes:
    """Write one frame."""
    content = b"%d%b%b" % (number % 8, text, ETX if last else ETB)
    return b"%b%b%b\r\n" % (STX, content, checksum(content))


def texts_of(message: bytes, size: int) -> Iterator[tuple[bytes, bool]]:
    """Cut a message into what its frames hold, `size` bytes at most; every record begins a frame, its last one is marked."""
    for record in message.split(b"\r"):
        content = record.strip(b"\n") + b"\r"
        if len(content) == 1:
            continue
        for at in range(0, len(content), size):
            yield content[at : at + size], at + size >= len(content)


class Reader:
    """Take bytes as they come and give what they mean; beyond `max_frame` the first `KEPT` bytes of a frame stay."""

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._buffer = bytearray()
        self._scanned = 0
        self._inside = False
        self._headless = False
        self._too_long: bytes | None = None

    @property
    def pending(self) -> bool:
        """Whether something has begun that `quiet` or `end` may give."""
        return bool(self._buffer) or self._inside

    def feed(self, data: bytes) -> list[Token]:
        """Give everything that ends in `data`, in order."""
        if not self._buffer and not self._inside and (frame := _lone_frame(data, self._max_frame)) is not None:
            return [frame]
        self._buffer += data
        tokens: list[Token] = []
        while self._read_inside(tokens) if self._inside else self._read_outside(tokens):
            pass
        return tokens

    def quiet(self) -> list[Token]:
        """Give what the bytes so far mean when nothing followed them for a while."""
        if not self._inside:
            raw = self._take(len(self._buffer))
            return [Noise(raw)] if raw else []
        found = _STRUCTURE.search(self._buffer, self._scanned)
        if found is not None and self._is_trailer(found.start()) and len(self._buffer) > found.start() + 2:
            return [self._frame(found.start())]
        final = bytes(self._buffer[-1:])
        if final in _CONTROLS:
            raw = self._leave()
            return [Noise(raw[:-1]), Control(final)]
        if _END_LOST.search(self._buffer[-_TRAILER:]):
            return [Broken(self._leave(), "no end")]
        return []

    def end(self) -> list[Token]:
        """Give what is left when no more bytes will come."""
        tokens = self.quiet()
        if not self._inside:
            return tokens
        return [*tokens, Broken(self._leave(), "cut off")]

    def _read_outside(self, tokens: list[Token]) -> bool:
        found = _SPECIAL.search(self._buffer, self._scanned)
        if found is None:
            if not self._buffer.strip(b"\r\n"):
                self._buffer.clear()
            if len(self._buffer) > KEPT:
                del self._buffer[KEPT:]
            self._scanned = len(self._buffer)
            return False
        at, byte = found.start(), found[0]
        if byte in (ETX, ETB):
            self._inside = self._headless = True
            self._scanned = at
            return True
        noise = self._take(at)
        if noise:
            tokens.append(Noise(noise))
        del self._buffer[:1]
        if byte == STX:
            self._inside = True
        else:
            tokens.append(Control(byte))
        return bool(self._buffer)

    def _read_inside(self, tokens: list[Token]) -> bool:
        while (found := _STRUCTURE.search(self._buffer, self._scanned)) is not None:
            at = found.start()
            if found[0] == STX:
                begun = self._kept(at)
                tokens.append(Noise(begun))
                del self._buffer[: at + 1]
                self._begin()
                continue
            if not self._is_trailer(at):
                self._scanned = at + 1
                continue
            end = self._end_of_trailer(at)
            if end is None:
                self._scanned = at
                return False
            if end < 0:
                self._scanned = at + 1
                continue
            tokens.append(self._frame(at, end))
            return bool(self._buffer)
        self._scanned = len(self._buffer)
        if len(self._buffer) > self._max_frame + _TRAILER:
            if self._too_long is None:
                self._too_long = bytes(self._buffer[:KEPT])
            self._buffer.clear()
            self._scanned = 0
        return False

    def _is_trailer(self, at: int) -> bool:
        """Tell whether what stands after ETX or ETB is, or may become, a checksum and not text."""
        return all(byte in _HEX for byte in self._buffer[at + 1 : at + 3])

    def _end_of_trailer(self, at: int) -> int | None:
        """Give where the frame is over; None when more bytes are needed, -1 when it is text that looks like an end."""
        after = self._buffer[at + 3 : at + _TRAILER]
        if not after:
            return None
        if after[0] == _LF:
            return at + 4
        if after[0] in _BEGINS_ANEW:
            return at + 3
        if after[0] != _CR:
            return -1
        if len(after) == 1:
            return None
        return at + 5 if after[1] == _LF else at + 4

    def _frame(self, at: int, end: int | None = None) -> Token:
        """Give the frame whose ETX or ETB stands at `at`, and go on outside of it."""
        content, told = bytes(self._buffer[: at + 1]), bytes(self._buffer[at + 1 : at + 3])
        end = len(self._buffer) if end is None else end
        headless, too_long = self._headless, self._too_long is not None
        raw = self._kept(end)
        del self._buffer[:end]
        self._begin()
        self._inside = False
        if headless:
            return Broken(raw, "no beginning")
        if too_long or len(content) > self._max_frame:
            return Broken(raw, f"more than {self._max_frame} bytes")
        if len(told) != 2 or int(told, 16) != sum(content) & 0xFF:
            return Broken(raw, "checksum")
        if len(content) < 2 or not 0x30 <= content[0] <= 0x37:
            return Broken(raw, "no frame number")
        return Frame(content[0] - 0x30, content[1:-1], content[-1:] == ETX)

    def _kept(self, end: int) -> bytes:
        return self._too_long if self._too_long is not None else bytes(self._buffer[: min(end, KEPT)])

    def _begin(self) -> None:
        self._scanned, self._headless, self._too_long = 0, False, None

    def _leave(self) -> bytes:
        raw = self._kept(len(self._buffer))
        self._buffer.clear()
        self._begin()
        self._inside = False
        return raw

    def _take(self, end: int) -> bytes:
        raw = bytes(self._buffer[:end]).strip(b"\r\n")
        del self._buffer[:end]
        self._scanned = 0
        return raw


def _lone_frame(data: bytes, max_frame: int) -> Frame | None:
    """Read a packet that is one whole frame and nothing else, as nearly all are; None for every other."""
    if not data.startswith(STX) or not data.endswith(b"\r\n") or not _TRAILER + 3 <= len(data) <= max_frame + _TRAILER:
        return None
    content = data[1:-4]
    if _STRUCTURE.search(content, 0, len(content) - 1) or data[-4:-2] != checksum(content):
        return None
    last = content.endswith(ETX)
    if not (last or content.endswith(ETB)) or not 0x30 <= content[0] <= 0x37:
        return None
    return Frame(content[0] - 0x30, content[1:-1], last)
