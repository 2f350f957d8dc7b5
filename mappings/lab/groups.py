"""What a message of an instrument says, person by person and order by order, before it is translated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mappings.formats import astm
from mappings.lab.fields import Row
from mappings.lab.profiles import Profile


@dataclass
class Tested:
    """One order of a message, its results, each with its comments, and its own comments."""

    order: Row
    results: list[tuple[Row, list[Row]]] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)

    @property
    def specimen(self) -> str:
        """Number of the specimen; `""` when there is none."""
        return self.order[3].c(1)


@dataclass
class Group:
    """What a message says of one person, or of nobody."""

    patient: Row | None
    comments: list[Row] = field(default_factory=list)
    tested: list[Tested] = field(default_factory=list)

    @property
    def position(self) -> str:
        """Position of the P record; `""` before the first."""
        return self.patient.record.position() if self.patient else ""


def groups(rows: Sequence[Row]) -> Iterator[Group]:
    """Cut a message into persons; comments and results belong to what stands before them, those of nothing to nobody."""
    current = Group(None)
    for row in rows:
        if row.name == "P":
            if current.tested or current.patient:
                yield current
            current = Group(row)
            comments: list[Row] | None = current.comments
        elif row.name == "O":
            current.tested.append(Tested(row))
            comments = current.tested[-1].comments
        elif row.name == "R" and current.tested:
            comments = []
            current.tested[-1].results.append((row, comments))
        elif row.name == "C" and (current.patient or current.tested) and comments is not None:
            comments.append(row)
        elif row.name in ("H", "L", "Q"):
            comments = None
    if current.tested or current.patient:
        yield current


class Read:
    """A message read in its dialect: its records, and what they say of whom."""

    def __init__(self, message: astm.Message, profile: Profile) -> None:
        self.message = message
        self.profile = profile
        self.rows = [Row(record, profile) for record in message.records]

    @cached_property
    def groups(self) -> list[Group]:
        """Person by person."""
        return list(groups(self.rows))
