"""What every field of a record is, and the account of them (promise P7).

A field that goes into a segment of HL7 v2 is accounted for by what becomes of that segment's field. The tables here speak of
the others. Standard: CLSI LIS2-A2 §7–§13
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mappings.formats import astm
from mappings.hl7v2.reader import UNLISTED
from mappings.hl7v2.segments import BILLING, LEDGER, SEQUENCE
from mappings.lab.profiles import Profile
from mappings.outcome import Coverage

_VISIT = "as typed at the instrument; the visit tells it"
_PERSON = "as typed at the instrument; admission tells it"
_MEASURED = "as typed at the instrument; no measurement"
IGNORED: Mapping[str, Mapping[int, str]] = {
    "H": {
        2: "delimiters",
        4: "access checks of the sender",
        6: LEDGER,
        7: "reserved by the standard",
        8: LEDGER,
        9: LEDGER,
        11: LEDGER,
        13: "version of the message; it steers the reading",
    },
    "P": {
        2: SEQUENCE,
        10: "race is not recorded in Vietnam; admission tells the ethnic group",
        12: "reserved by the standard",
        14: "doctors in charge; the visit names them",
        17: _MEASURED,
        18: _MEASURED,
        20: _PERSON,
        21: _PERSON,
        24: _VISIT,
        25: _VISIT,
        26: _VISIT,
        27: "names the list of P-28",
        29: _PERSON,
        30: _PERSON,
        31: _VISIT,
        32: _PERSON,
        33: _VISIT,
        34: _VISIT,
        35: "dosage category; the age tells it",
    },
    "O": {
        2: SEQUENCE,
        12: "action on the order; it steers the reading",
        24: BILLING,
        27: "reserved by the standard",
        28: _VISIT,
        29: "infection acquired here; no result",
        30: _VISIT,
        31: "the facility is that of the channel",
    },
    "R": {2: SEQUENCE, 10: "date of the reference range; R-6 is the one in force"},
    "C": {
        2: SEQUENCE,
        3: "source of the comment; the sender is in the ledger",
        5: "kind of the comment; its text is kept",
    },
    "Q": {2: SEQUENCE},
    "L": {2: SEQUENCE, 3: "how the message ended; it steers the reading"},
}
_AS_IS: Mapping[int, astm.Position | None] = {}
WHOLE = {
    "M": "record of the maker's own",
    "S": "comparison of methods between laboratories; about no person",
}
"""Records that are left out whole."""


@dataclass
class Account:
    """What became of the fields of one message."""

    message: astm.Message
    profile: Profile
    mapped: dict[str, list[str]] = field(default_factory=dict)
    """Position → targets."""
    ignored: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def put(self, positions: Iterable[str], state: str, said: str) -> None:
        """Enter what became of fields; what is mapped somewhere is mapped."""
        for where in positions:
            if state == "mapped":
                targets = self.mapped.get(where)
                if targets is None:
                    self.mapped[where] = said.split(" | ")
                elif said not in targets:
                    targets += [one for one in said.split(" | ") if one not in targets]
            else:
                (self.ignored if state == "ignored" else self.unknown).setdefault(where, said)

    def close(self) -> Coverage:
        """Give every populated field in exactly one of the three accounts."""
        found: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({}, {}, {})
        mapped, ignored, unknown = found
        for record in self.message.records:
            position = record.position()
            for n in record.populated():
                where = f"{position}-{n}"
                if where in self.mapped:
                    mapped[where] = " | ".join(self.mapped[where])
                elif where in self.unknown:
                    unknown[where] = self.unknown[where]
                elif reason := self.ignored.get(where) or self._reason(record.name, n):
                    ignored[where] = reason
                else:
                    unknown[where] = UNLISTED
        return Coverage(*found)

    def _reason(self, name: str, n: int) -> str:
        if name in WHOLE:
            return WHOLE[name]
        own = self.profile.left_out.get(f"{name}-{n}")
        if own:
            return own
        standard = self.standing(name, n)
        return IGNORED.get(name, {}).get(standard, "") if standard else ""

    def standing(self, name: str, n: int) -> int:
        """Give the number that the standard gives to what the dialect has in a field; 0 when it has no such thing there."""
        here = f"{name}-{n}"
        moved = [standard for standard, place in self.profile.places.items() if place.partition(".")[0] == here]
        if moved:
            return astm.position(moved[0]).field
        return 0 if here in self.profile.places else n


class Part:
    """The repetitions of a field, or of one component of it, without white space at the ends."""

    def __init__(self, repetitions: Sequence[tuple[str, ...]]) -> None:
        self.repetitions = repetitions

    @classmethod
    def of(cls, record: astm.Record, where: astm.Position | None) -> Part:
        """Read a field of a record, or one component of it."""
        if where is None:
            return _NOTHING
        if where.component:
            return cls([(record[where.field].c(where.component).strip(),)])
        return cls(record.parts(where.field))

    def __bool__(self) -> bool:
        return any(any(one) for one in self.repetitions)

    @property
    def parts(self) -> tuple[str, ...]:
        """Give the components of the first repetition."""
        return self.repetitions[0] if self.repetitions else ()

    def c(self, n: int) -> str:
        """Give component `n` of the first repetition; `""` when there is none."""
        parts = self.parts
        return parts[n - 1] if 0 < n <= len(parts) else ""


_NOTHING = Part(())


class Row:
    """One record, its fields found where the dialect has them."""

    def __init__(self, record: astm.Record, profile: Profile) -> None:
        self.record = record
        self._profile = profile
        self._moved = profile.moved.get(record.name, _AS_IS)
        self.name = record.name
        self._position = record.position()
        self._parts: dict[int, Part] = {}

    def __getitem__(self, n: int) -> Part:
        """Give what the standard has in field `n`."""
        part = self._parts.get(n)
        if part is None:
            moved = self._moved.get(n, n)
            if isinstance(moved, int):
                part = Part(found) if (found := self.record.parts(moved)) else _NOTHING
            else:
                part = Part.of(self.record, moved)
            self._parts[n] = part
        return part

    def where(self, n: int) -> str:
        """Give where that stands in the message: `O-4`, `R[2]-13`."""
        moved = self._moved.get(n)
        return f"{self._position}-{moved.field if moved else n}"

    def is_left_out(self, code: str) -> str:
        """Give why results of a test are left out; `""` when they are not."""
        for pattern, reason in self._profile.left_out.items():
            if pattern.startswith("R-3=") and fnmatchcase(code, pattern[4:]):
                return reason
        return ""
