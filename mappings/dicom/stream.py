"""Read forward through a file: take bytes, look at bytes, skip bytes, in bounded memory."""

from __future__ import annotations

import zlib
from typing import BinaryIO, Protocol

_CHUNK = 16 * 1024


class Readable(Protocol):
    """Anything that gives bytes, fewer than asked only at its end."""

    def read(self, size: int, /) -> bytes: ...


class Stream:
    """A file, forwards. What lies behind is forgotten."""

    def __init__(self, source: Readable, file: BinaryIO | None = None) -> None:
        self._source = source
        self._file = file
        self._buffer = b""
        self._at = 0
        self._before = 0

    @classmethod
    def of(cls, source: BinaryIO) -> Stream:
        """Read a file from where it stands; one that can seek is skipped through without reading."""
        return cls(source, source if source.seekable() else None)

    @property
    def position(self) -> int:
        """Bytes taken and skipped so far."""
        return self._before + self._at

    def peek(self, size: int) -> bytes:
        """Give the next bytes without taking them; fewer at the end."""
        if len(self._buffer) - self._at < size:
            self._fill(size)
        return self._buffer[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Give the next bytes; fewer at the end."""
        end = self._at + size
        if end > len(self._buffer):
            self._fill(size)
            end = self._at + size
        found = self._buffer[self._at : end]
        self._at += len(found)
        return found

    def skip(self, size: int) -> None:
        """Pass over bytes; over the end is no mistake."""
        here = min(size, len(self._buffer) - self._at)
        self._at += here
        rest = size - here
        if rest <= 0:
            return
        self._before += self._at
        self._buffer, self._at = b"", 0
        if self._file is not None:
            self._file.seek(rest, 1)
            self._before += rest
            return
        while rest > 0:
            passed = len(self._source.read(min(rest, _CHUNK)))
            if not passed:
                return
            rest -= passed
            self._before += passed

    def _fill(self, size: int) -> None:
        parts = [self._buffer[self._at :]]
        have = len(parts[0])
        while have < size:
            more = self._source.read(max(size - have, _CHUNK))
            if not more:
                break
            parts.append(more)
            have += len(more)
        self._before += self._at
        self._buffer, self._at = b"".join(parts), 0


class Inflated:
    """The inflated form of a deflated data set: never more than `limit` bytes, damaged ones end where the damage is.

    Standard: DICOM PS3.5 §A.5
    """

    def __init__(self, source: Stream, limit: int) -> None:
        self._source = source
        self._left = limit
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._waiting = b""

    def read(self, size: int, /) -> bytes:
        """Give up to `size` bytes; none at the end."""
        size = min(size, self._left)
        while size > 0 and not self._inflater.eof:
            packed = self._waiting or self._source.take(_CHUNK)
            try:
                found = self._inflater.decompress(packed, size)
            except zlib.error:
                return b""
            self._waiting = self._inflater.unconsumed_tail
            if found:
                self._left -= len(found)
                return found
            if not packed:
                return b""
        return b""
