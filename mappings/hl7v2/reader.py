"""Hand out the fields of a message and remember what became of each (promise P7).

A mapping function takes a field with `segment[n]`; taking it is the claim that it is mapped. What cannot be used after all is
given back with `give_back`, what is left out on purpose is named by `ignore` or by the `IGNORED` table of the segment's module.
Every populated field that nobody took ends as unknown: a field is never lost by being forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mappings.formats import er7
from mappings.hl7v2 import segments
from mappings.outcome import Coverage

_ABSENT = 0
"""Number of a field that no segment has: one empty field per segment stands for all that are absent."""


class Segment:
    """One segment, and which of its fields were used."""

    __slots__ = ("_raw", "_refused", "_taken", "fields", "name")

    def __init__(self, raw: er7.Segment) -> None:
        self._raw = raw
        self.name = raw.name
        self.fields = frozenset(raw.populated())
        """Numbers of the populated fields."""
        self._taken: set[int] = set()
        self._refused: dict[int, str] = {}

    def __getitem__(self, n: int) -> er7.Field:
        """Take field `n` for use."""
        if n not in self.fields:
            return self._raw[_ABSENT]
        self._taken.add(n)
        return self._raw[n]

    def peek(self, n: int) -> er7.Field:
        """Look at field `n` without claiming to map it."""
        return self._raw[n if n in self.fields else _ABSENT]

    def ignore(self, n: int, reason: str) -> None:
        """Leave field `n` out on purpose."""
        self._refused[n] = reason

    def give_back(self, n: int) -> None:
        """Say that field `n` was taken but could not be used: it is unknown."""
        self._refused[n] = ""

    def where(self, n: int) -> str:
        """Give the position of field `n`: `OBX[2]-5`."""
        return f"{self._raw.position()}-{n}"

    @property
    def position(self) -> str:
        return self._raw.position()

    def account(self, standing: Mapping[int, str]) -> Iterator[tuple[int, str | None]]:
        """Tell of each populated field: `None` it is mapped, a reason it is ignored, `""` it is unknown."""
        refused = self._refused
        taken = self._taken
        for n in sorted(self.fields):
            if n in refused:
                yield n, refused[n]
            elif n in taken:
                yield n, None
            else:
                yield n, standing.get(n, "")


class Reader:
    """A message, segment by segment, with its account."""

    def __init__(self, message: er7.Message) -> None:
        self.segments = [Segment(raw) for raw in message.segments]

    def first(self, name: str) -> Segment | None:
        """Give the first segment of that name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def all(self, name: str) -> list[Segment]:
        """Give all segments of that name, in order."""
        return [segment for segment in self.segments if segment.name == name]

    def coverage(self) -> Coverage:
        """Close the account: every populated field is mapped, ignored or unknown, and only one of these."""
        mapped: list[str] = []
        ignored: dict[str, str] = {}
        unknown: list[str] = []
        for segment in self.segments:
            position = segment.position
            for n, reason in segment.account(segments.ignored(segment.name)):
                if reason is None:
                    mapped.append(f"{position}-{n}")
                elif reason:
                    ignored[f"{position}-{n}"] = reason
                else:
                    unknown.append(f"{position}-{n}")
        return Coverage(mapped=tuple(mapped), ignored=ignored, unknown=tuple(unknown))
