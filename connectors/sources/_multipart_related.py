"""The parts of a `multipart/related` body, found while its bytes arrive; whatever the pieces, the same parts are found.

Pure: bytes in, events out. Keeps no more than the head of a part, or of a content the bytes that may begin a delimiter.
Does not look at what a part holds: parts within a part, encodings and lengths are for whoever asked.

Standard: RFC 2046 §5.1.1, RFC 2387, RFC 9110 §8.3.1; DICOM PS3.18 §8.6.1.2
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from connectors.faults import MultipartInvalid

MOST_AROUND: Final = 64 * 1024
"""Bytes that may stand before the first part, and behind the last."""
_PADDING: Final = 256
_LINE: Final = re.compile(rb"--|[ \t]{0,%d}\r\n" % _PADDING)
"""What makes the boundary at the beginning of a line a delimiter."""
_LINE_BEGUN: Final = re.compile(rb"-?|[ \t]{0,%d}\r?" % _PADDING)
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MEDIA_TYPE: Final = re.compile(r"\s*([!#$&^_.+\w-]+/[!#$&^_.+\w-]+)\s*", re.ASCII)
_PARAMETER: Final = re.compile(r';\s*(?:([\w!#$&^.+-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*)?', re.ASCII)
_BOUNDARY: Final = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
"""RFC 2046 allows 70 characters; Orthanc writes 73."""


@dataclass(frozen=True)
class PartBegins:
    headers: Mapping[str, str]
    """Names in lower case; a folded value in one line."""


@dataclass(frozen=True)
class PartBytes:
    data: bytes


@dataclass(frozen=True)
class PartEnds:
    pass


Event: TypeAlias = PartBegins | PartBytes | PartEnds
_State: TypeAlias = Callable[[], "list[Event] | None"]


class MultipartReader:
    """Find the parts of one body: `feed` all its bytes and run through the events, then call `end`.

    Events that come before a fault hold. Raises MultipartInvalid.
    """

    def __init__(self, boundary: str, max_header: int) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartInvalid("Content-Type", "boundary: 1 to 200 printable characters")
        self._mark = b"\r\n--" + boundary.encode("ascii")
        self._max_header = max_header
        self._pending = bytearray(b"\r\n")  # the first boundary may open the body: a line begins there
        self._lead = 0
        """Bytes at the beginning of what is pending that end a head: they may begin a delimiter, and are no content."""
        self._around = 0
        self._state: _State = self._before
        self._any = False

    def feed(self, data: bytes) -> Iterator[Event]:
        self._pending += data
        while (found := self._state()) is not None:
            yield from found

    def end(self) -> None:
        """Say that nothing more comes; raises MultipartInvalid unless the last part was ended."""
        if self._state != self._behind:
            raise MultipartInvalid(detail="the final boundary is missing")
        if not self._any:
            raise MultipartInvalid(detail="no part")

    # ---- states: each gives what it found, or None when it needs more bytes ----

    def _before(self) -> list[Event] | None:
        content, follows = self._content()
        self._pass(len(content))
        return None if follows is None else self._turn(follows)

    def _head(self) -> list[Event] | None:
        at = self._pending.find(b"\r\n\r\n")
        if max(at, len(self._pending) - 4 if at < 0 else 0) > self._max_header:
            raise MultipartInvalid(detail=f"the head of a part is longer than {self._max_header} bytes")
        if at < 0:
            return None
        fields = _fields(bytes(self._pending[2:at]))
        del self._pending[: at + 2]
        self._lead, self._any, self._state = 2, True, self._body
        return [PartBegins(fields)]

    def _body(self) -> list[Event] | None:
        content, follows = self._content()
        found: list[Event] = [PartBytes(content)] if content else []
        return (found or None) if follows is None else self._turn(follows, *found, PartEnds())

    def _behind(self) -> list[Event] | None:
        self._pass(len(self._pending))
        self._pending.clear()
        return None

    # ---- what they share ----

    def _content(self) -> tuple[bytes, _State | None]:
        """Give what stands before the next delimiter, and what follows behind that; None: it is not there yet."""
        pending, mark = self._pending, self._mark
        at, follows, behind = pending.find(mark), None, 0
        while at >= 0:
            line = bytes(pending[at + len(mark) : at + len(mark) + _PADDING + 2])
            if (found := _LINE.match(line)) is not None:
                last = found[0] == b"--"
                follows = self._behind if last else self._head
                behind = at + len(mark) + found.end() - (0 if last else 2)
                break
            if _LINE_BEGUN.fullmatch(line):
                behind = at
                break
            at = pending.find(mark, at + 1)
        if at < 0:
            at = behind = _begun(pending, mark)
        content = bytes(pending[self._lead : at])
        if behind:
            self._lead = 0
        del pending[:behind]
        return content, follows

    def _turn(self, follows: _State, *found: Event) -> list[Event]:
        self._state, self._lead = follows, 0
        return list(found)

    def _pass(self, size: int) -> None:
        self._around += size
        if self._around > MOST_AROUND:
            raise MultipartInvalid(detail=f"more than {MOST_AROUND} bytes outside the parts")


def read_media_type(text: str) -> tuple[str, Mapping[str, str]]:
    """Read `Content-Type` into the type in lower case and its parameters; raises MultipartInvalid.

    Takes `type=application/dicom` without quotes too, as many senders write it.
    """
    found = _MEDIA_TYPE.match(text)
    if found is None:
        raise MultipartInvalid("Content-Type", "no media type")
    parameters: dict[str, str] = {}
    position = found.end()
    while position < len(text):
        parameter = _PARAMETER.match(text, position)
        if parameter is None:
            raise MultipartInvalid("Content-Type", "parameters that cannot be read")
        name, quoted, plain = parameter.groups()
        if name:
            if name.lower() in parameters:
                raise MultipartInvalid("Content-Type", f"{name.lower()} twice")
            parameters[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = parameter.end()
    return found[1].lower(), parameters


def _begun(pending: bytearray, mark: bytes) -> int:
    """Give where a delimiter may have begun that is cut off."""
    at = pending.find(b"\r", max(0, len(pending) - len(mark) + 1))
    while at >= 0 and not mark.startswith(bytes(pending[at:])):
        at = pending.find(b"\r", at + 1)
    return at if at >= 0 else len(pending)


def _fields(block: bytes) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in _FOLD.sub(b" ", block).split(b"\r\n") if block else ():
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise MultipartInvalid(detail="the head of a part is not of header fields")
        key = name.decode("ascii").lower()
        if key in fields:
            raise MultipartInvalid(key, "twice in the head of a part")
        fields[key] = value.decode("latin-1").strip()
    return fields
