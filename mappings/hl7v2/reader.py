"""Hand out the fields of a message and remember what became of each (promise P7).

Double entry: a mapping function takes a field with `segment[n]`, which claims that it is mapped; the `MAPPED` table of the
segment's module says to where. What cannot be used after all is given back with `give_back`, what is left out on purpose is
named by `ignore` or by the `IGNORED` table. Every populated field that nobody took ends as unknown, with the reason: a field is
never lost by being forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.formats import er7
from mappings.hl7v2 import segments
from mappings.outcome import Coverage

_ABSENT = 0
"""Number of a field that no segment has: one empty field per segment stands for all that are absent."""

UNREAD = "this kind of message does not use the segment"
UNLISTED = "no mapping knows the field"
NO_MODULE = "no mapping knows the segment"
FORGOTTEN = "declared as mapped, but no mapping took it"
"""Reason of a field that should never be seen: the table and the mapping disagree."""
UNUSABLE = "not usable as it was sent"


class Segment:
    """One segment, and which of its fields were used."""

    __slots__ = ("_absent", "_left", "_raw", "_readable", "_refused", "_taken", "fields", "made", "name", "tables")

    def __init__(self, raw: er7.Segment) -> None:
        self._raw = raw
        self._absent = raw[_ABSENT]
        self.name = raw.name
        self.fields = frozenset(raw.populated())
        """Numbers of the populated fields."""
        self._readable = self.fields
        self._left = ""
        self._taken: set[int] = set()
        self._refused: dict[int, tuple[str, str]] | None = None
        self.made: list[str] = []
        """References of the resources made of it."""
        self.tables: segments.Tables | None = None
        """Where its fields go when it says something else than its name tells: a row of a device."""

    def __getitem__(self, n: int) -> er7.Field:
        """Take field `n` for use."""
        if n not in self._readable:
            return self._absent
        self._taken.add(n)
        return self._raw[n]

    def peek(self, n: int) -> er7.Field:
        """Look at field `n` without claiming to map it."""
        return self._raw[n] if n in self._readable else self._absent

    def ignore(self, n: int, reason: str) -> None:
        """Leave field `n` out on purpose."""
        self._refuse(n, "ignored", reason)

    def withhold(self, n: int, reason: str) -> None:
        """Leave field `n` out on purpose and let it read as empty from now on."""
        if n in self._readable:
            self._readable = self._readable - {n}
            self.ignore(n, reason)

    def give_back(self, n: int, reason: str = UNUSABLE) -> None:
        """Say that field `n` was taken but could not be used: it is unknown."""
        self._refuse(n, "unknown", reason)

    def leave(self, reason: str) -> None:
        """Say that nothing came of the segment: what its table does not ignore is unknown."""
        self._left = reason

    def _refuse(self, n: int, state: str, reason: str) -> None:
        if self._refused is None:
            self._refused = {}
        self._refused[n] = (state, reason)

    def is_taken(self, n: int) -> bool:
        """Tell whether a mapping took field `n`."""
        return n in self._taken

    def is_refused(self, n: int) -> bool:
        """Tell whether field `n` is left out on purpose or was given back."""
        return self._refused is not None and n in self._refused

    def where(self, n: int) -> str:
        """Give the position of field `n`: `OBX[2]-5`."""
        return f"{self._raw.position()}-{n}"

    @property
    def position(self) -> str:
        return self._raw.position()

    def nulls(self) -> list[int]:
        """Give the fields the sender deletes (`""`), taken or not."""
        return [n for n in self.fields if self._raw[n].is_null]

    def account(self, mapped: dict[str, str], ignored: dict[str, str], unknown: dict[str, str]) -> None:
        """Enter every populated field in exactly one of the three accounts."""
        known = self.tables or segments.tables(self.name)
        targets, standing = known or _NO_TABLES
        position = self._raw.position()
        taken, refused = self._taken, self._refused
        for n in sorted(self.fields):
            if refused is not None and n in refused:
                state, reason = refused[n]
                (ignored if state == "ignored" else unknown)[f"{position}-{n}"] = reason
            elif self._left and n not in standing:
                unknown[f"{position}-{n}"] = self._left
            elif n in taken:
                mapped[f"{position}-{n}"] = targets.get(n, "")
            elif n in standing:
                ignored[f"{position}-{n}"] = standing[n]
            elif known is None:
                unknown[f"{position}-{n}"] = NO_MODULE
            else:
                unknown[f"{position}-{n}"] = UNLISTED if n not in targets else FORGOTTEN if taken else UNREAD


_NO_TABLES: tuple[dict[int, str], dict[int, str]] = ({}, {})


class Reader:
    """A message, segment by segment, with its account."""

    def __init__(self, message: er7.Message) -> None:
        self.segments = [Segment(raw) for raw in message.segments]

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> Reader:
        """Read some segments of a message only."""
        part = cls.__new__(cls)
        part.segments = list(segments)
        return part

    def first(self, name: str) -> Segment | None:
        """Give the first segment of that name."""
        for segment in self.segments:
            if segment.name == name:
                return segment
        return None

    def all(self, name: str) -> list[Segment]:
        """Give all segments of that name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def coverage(self) -> Coverage:
        """Close the account: every populated field is mapped, ignored or unknown, and only one of these."""
        mapped: dict[str, str] = {}
        ignored: dict[str, str] = {}
        unknown: dict[str, str] = {}
        for segment in self.segments:
            segment.account(mapped, ignored, unknown)
        return Coverage(mapped, ignored, unknown)
