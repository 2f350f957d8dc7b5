"""Dialects of instruments, as data: where a field stands, what letters mean, which part of a code is the code.

A profile is a TOML file; its name is that of the file. What it does not say is as in `standard.toml`.

    match     = { "H-5" = ["XN-*", "XP-*"] }     # chosen when these fields fit; without it only by name
    left_out  = { "H-10" = "why" }               # fields of no concern
    [places]                                     # what the standard has at the left stands at the right; "" = nowhere
    "O-3" = "O-4.3"
    [status]                                     # letter of R-9 → letter of HL7 table 0085
    W = "P"
    [test]                                       # components of R-3
    code = [4]
    [value]                                      # components of R-4, the first that says something; marks of no value
    decimal = ","

Does not read messages (`translation` does).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any

from mappings.formats import astm

STANDARD = "standard"
_KINDS = {
    "match": "a table of position = pattern or patterns",
    "left_out": "a table of position or code = reason",
    "places": "a table of position = position",
    "status": "a table of letter = letter",
}


@dataclass(frozen=True)
class Test:
    """Which components of a test (R-3, O-5) say what; 0 = none does."""

    code: tuple[int, ...] = (4,)
    """Those that tell one test from another; several are joined."""
    name: int = 5
    loinc: int = 0


@dataclass(frozen=True)
class Value:
    """How a value is written."""

    components: tuple[int, ...] = (1,)
    """Of R-4; the first that says something is the value."""
    decimal: str = "."
    none: tuple[str, ...] = ("-----", "----", "---", "....", "*****", "+++++")
    """Marks that there is no value."""


@dataclass(frozen=True)
class Instrument:
    """Where the instrument names itself: components of H-5."""

    name: tuple[int, ...] = (1,)
    serial: int = 3


@dataclass(frozen=True)
class Control:
    """How results of quality control are told from those of people."""

    actions: tuple[str, ...] = ("Q",)
    """Letters of O-12."""
    specimens: tuple[str, ...] = ()
    """Patterns of specimen numbers (O-3) that are control material."""
    lot: str = "O-3.1"
    level: str = ""
    records: bool = False
    """Q records are results of quality control, not questions."""


@dataclass(frozen=True)
class Service:
    """What was ordered, where an instrument names every test of a panel instead."""

    code: str = ""
    name: str = ""


@dataclass(frozen=True)
class Query:
    """Which components of Q-3 say for whom an instrument asks; 0 = none does."""

    patient: int = 1
    specimen: int = 2


@dataclass(frozen=True)
class Profile:
    """One dialect."""

    name: str = STANDARD
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Position without occurrence (`H-10`), or `R-3=` and a pattern of test codes → why it is left out."""
    places: Mapping[str, str] = field(default_factory=dict)
    status: Mapping[str, str] = field(default_factory=dict)
    test: Test = Test()
    value: Value = Value()
    instrument: Instrument = Instrument()
    control: Control = Control()
    service: Service = Service()
    query: Query = Query()

    def place(self, standard: str) -> str:
        """Give where that stands which the standard has at a position; `""` when it stands nowhere."""
        return self.places.get(standard, standard)

    @cached_property
    def moved(self) -> Mapping[str, Mapping[int, astm.Position | None]]:
        """Record → number in the standard → where the dialect has it; None: nowhere."""
        found: dict[str, dict[int, astm.Position | None]] = {}
        for standard, place in self.places.items():
            where = astm.position(standard)
            if not where.component:
                found.setdefault(where.record, {})[where.field] = astm.position(place) if place else None
        return found

    def fits(self, said: Mapping[str, str]) -> bool:
        """Tell whether a message bears the marks of this dialect; `said`: what it has at each position of `match`."""
        return bool(self.match) and all(
            any(fnmatchcase(said[place], pattern) for pattern in patterns) for place, patterns in self.match.items()
        )


_FOLDER = files(__package__).joinpath("profiles")


@cache
def _letters() -> Mapping[str, str]:
    """Give what the letters of R-9 mean in the standard."""
    return dict(tomllib.loads(_FOLDER.joinpath(f"{STANDARD}.toml").read_text(encoding="utf-8"))["status"])


def parse(name: str, text: str) -> Profile:
    """Read a profile; raise ValueError saying what is wrong with it."""
    table = tomllib.loads(text)
    known = {one.name: one for one in fields(Profile) if one.name != "name"}
    for key in table:
        if key not in known:
            raise ValueError(f"{key}: known here: {', '.join(known)}")
    made: dict[str, Any] = {"name": name}
    for key, value in table.items():
        if not isinstance(value, dict):
            raise ValueError(f"{key}: a table is expected")
        part = _PARTS.get(key)
        made[key] = _part(part, key, value) if part else _table(key, value)
    made["status"] = {**_letters(), **made.get("status", {})}
    return Profile(**made)


_PARTS: Mapping[str, type] = {
    "test": Test,
    "value": Value,
    "instrument": Instrument,
    "control": Control,
    "service": Service,
    "query": Query,
}


def _table(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, said in value.items():
        patterns = [said] if isinstance(said, str) else said
        if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
            raise ValueError(f"{key}.{name}: {_KINDS[key]}")
        if key in ("match", "places"):
            for place in (name, *(patterns if key == "places" else ())):
                if place:
                    astm.position(place)
        found[name] = tuple(patterns) if key == "match" else patterns[0]
        if key == "status" and (len(name) > 1 or len(found[name]) != 1):
            raise ValueError(f"{key}.{name}: one letter, or none for a result without a status")
    return found


def _part(kind: type, key: str, value: Mapping[str, Any]) -> Any:
    usual = kind()
    made = {}
    for name, said in value.items():
        present = getattr(usual, name, None)
        if present is None:
            raise ValueError(f"{key}.{name}: known here: {', '.join(one.name for one in fields(kind))}")
        if isinstance(present, tuple) and isinstance(said, list | int | str) and not isinstance(said, bool):
            said = tuple(said) if isinstance(said, list) else (said,)
            wanted = int if name in ("code", "components", "name") else str
            if not all(isinstance(one, wanted) for one in said):
                raise ValueError(f"{key}.{name}: a list of {'numbers' if wanted is int else 'texts'}")
        elif type(said) is not type(present):
            raise ValueError(f"{key}.{name}: written like {present!r}")
        made[name] = said
    return kind(**made)


@cache
def _usual() -> dict[str, Profile]:
    """Read the profiles that come with the gateway, the standard's first."""
    found = (one for one in _FOLDER.iterdir() if one.name.endswith(".toml"))
    made = {one.name[:-5]: parse(one.name[:-5], one.read_text(encoding="utf-8")) for one in found}
    return dict(sorted(made.items(), key=lambda item: (item[0] != STANDARD, item[0])))


_own: dict[str, Profile] = {}


def use(own: Iterable[Profile]) -> None:
    """Take a site's own profiles into use, in place of those before; one of the same name replaces ours."""
    _own.clear()
    _own.update((one.name, one) for one in own)
    _marks.cache_clear()
    _fitting.cache_clear()


def profiles() -> dict[str, Profile]:
    """Give every profile by name, a site's own first: they are asked first."""
    return {**_own, **{name: one for name, one in _usual().items() if name not in _own}}


def choose(message: astm.Message, name: str = "") -> Profile:
    """Give the profile of that name, else the first that fits the message, else the standard's.

    Raises KeyError for a name that there is not.
    """
    if name:
        return profiles()[name]
    return _fitting(tuple([(message.value(place) or "").strip() for place in _marks()]))


@cache
def _marks() -> tuple[str, ...]:
    """Give every position by which a dialect is known."""
    return tuple({place: None for one in profiles().values() for place in one.match})


@lru_cache(maxsize=256)
def _fitting(said: tuple[str, ...]) -> Profile:
    """Give the dialect of what stands at `_marks`."""
    known, at = profiles(), dict(zip(_marks(), said, strict=True))
    return next((one for one in known.values() if one.fits(at)), known[STANDARD])
