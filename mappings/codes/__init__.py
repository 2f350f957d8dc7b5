"""Look a code up in a table kept as CSV beside this module.

One file is one table, shaped like a FHIR ConceptMap: `source` says whose codes these are (`HL70001`), `code` is the code there,
`target_system`/`target`/`display` what it becomes, `equivalence` how well (FHIR R4 ConceptMapEquivalence; `unmatched` has no
target and is written down so that nobody thinks it was forgotten), `valid_from`/`valid_to` (ISO dates, both included, empty =
always) when. A code may have several rows when their periods do not overlap.

Rows of `v2-*.csv` state the facts of the HL7 v2-to-FHIR concept maps (HL7 International, Apache-2.0), extended where those
leave a code of the HL7 table open. `mdc-loinc.csv` states which LOINC code observations in ISO/IEEE 11073 (MDC) carry beside
it, as the FHIR guides of HL7 (Point-of-Care Devices, Personal Health Devices, US Core), of HL7 Denmark and of the German
intensive care and hospital modules (MII, ISiK) pair them; a rate of breathing or of the pulse takes, whatever its method, the
code that the vital signs of FHIR demand (`wider`). `mdc-loinc-vital.csv` adds the code of the profile where that is another.
Does not hold terminologies: a table says how a code travels, not what all codes are.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

COLUMNS = ("source", "code", "target_system", "target", "display", "equivalence", "valid_from", "valid_to")
EQUIVALENCES = frozenset({"equivalent", "equal", "wider", "narrower", "inexact", "relatedto", "unmatched"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    source: str
    code: str
    target_system: str
    target: str
    display: str
    equivalence: str
    valid_from: date | None
    valid_to: date | None

    def covers(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def coding(self) -> dict[str, str]:
        """Give the target as a FHIR Coding, without empty elements."""
        found = {"system": self.target_system, "code": self.target, "display": self.display}
        return {name: value for name, value in found.items() if value}


class Table:
    """The rows of one file, found by code."""

    def __init__(self, name: str, rows: list[Row]) -> None:
        self.name = name
        self._usual = tuple(rows)
        self.lay(())

    def lay(self, own: Sequence[Row]) -> None:
        """Lay a site's own rows over the usual ones: its rows for a code replace all usual rows for that code."""
        replaced = {row.code for row in own}
        self.rows = (*(row for row in self._usual if row.code not in replaced), *own)
        self._loose: dict[str, str] | None = None
        self._mapped: dict[str, list[Row]] = {}
        self._known: set[str] = set()
        for row in self.rows:
            self._known.add(row.code)
            if row.target:
                self._mapped.setdefault(row.code, []).append(row)

    def __contains__(self, code: object) -> bool:
        """Tell whether the table speaks of this code, be it to say that it has no target."""
        return code in self._known

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def find(self, code: str, on: date | None = None) -> Row | None:
        """Give the row with a target for `code`, valid `on` that day; without a day the last one written."""
        rows = self._mapped.get(code)
        if rows is None:
            return None
        if on is None:
            return rows[-1]
        return next((row for row in rows if row.covers(on)), None)

    def find_all(self, code: str, on: date | None = None) -> list[Row]:
        """Give every row with a target for `code`, one for each system, valid `on` that day; without a day the last written."""
        found = {row.target_system: row for row in self._mapped.get(code, ()) if on is None or row.covers(on)}
        return list(found.values())

    def target(self, code: str, on: date | None = None) -> str:
        """Give the target code, or `""` when there is none."""
        row = self.find(code, on)
        return row.target if row else ""

    def loose_target(self, code: str) -> str:
        """Give the target of the codes that differ from `code` in case and white space only; `""` when they do not agree."""
        if self._loose is None:
            found: dict[str, str] = {}
            for row in self.rows:
                if row.target:
                    key = _folded(row.code)
                    found[key] = row.target if found.get(key, row.target) == row.target else ""
            self._loose = found
        return self._loose.get(_folded(code), "")


def _folded(code: str) -> str:
    return "".join(code.casefold().split())


def preload() -> None:
    """Read every table now, so that the first message waits for none."""
    for name in names():
        table(name)


def names() -> list[str]:
    """List the tables there are."""
    return sorted(entry.name[:-4] for entry in files(__name__).iterdir() if entry.name.endswith(".csv"))


@cache
def table(name: str) -> Table:
    """Read a table once; `KeyError` when there is no such file."""
    source = files(__name__).joinpath(f"{name}.csv")
    if not source.is_file():
        raise KeyError(name)
    return Table(name, _rows(source.read_text(encoding="utf-8")))


_site: dict[str, Table] = {}
"""Tables that a site has rows of: usual ones, and those only a site can have (`site-observation`)."""

SITE_TABLES = (
    "site-observation",
    "site-analyser",
    "site-service",
    "site-drug",
    "site-drug-class",
    "site-unit",
    "site-cost-group",
)
"""Tables from a site's own codes to the shared catalogues; empty until the site brings them."""


def site_table(name: str) -> Table | None:
    """Give one of `SITE_TABLES` when the site brought it."""
    return _site.get(name)


_listeners: list[Callable[[], None]] = []


def when_changed(forget: Callable[[], None]) -> None:
    """Call `forget` whenever a site's rows come or go: for whoever keeps what was made with a table."""
    _listeners.append(forget)


def _changed() -> None:
    for forget in _listeners:
        forget()


def extend(name: str, text: str) -> None:
    """Lay the rows of a site's CSV file over the table `name`.

    Raise `ValueError("<line>: what is wrong")`.
    """
    rows = _checked(text)
    if name in SITE_TABLES:
        _site[name] = Table(name, rows)
        _changed()
        return
    try:
        usual = table(name)
    except KeyError:
        raise ValueError(f"1: no code table is called {name}; site tables: {', '.join(SITE_TABLES)}") from None
    usual.lay(rows)
    _site[name] = usual
    _changed()


def forget() -> None:
    """Take every site's rows away again."""
    for one in _site.values():
        one.lay(())
    _site.clear()
    _changed()


def _checked(text: str) -> list[Row]:
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or tuple(lines[0].split(",")) != COLUMNS:
        raise ValueError(f"1: the first line is {','.join(COLUMNS)}")
    rows: list[Row] = []
    for number, line in enumerate(csv.DictReader(lines, strict=True), 2):
        if None in line.values() or None in line:
            raise ValueError(f"{number}: {len(COLUMNS)} cells are expected")
        try:
            row = _row(line)
        except ValueError:
            raise ValueError(f"{number}: a date is written like 2025-07-01") from None
        if not row.code or row.equivalence not in EQUIVALENCES:
            raise ValueError(f"{number}: a code and one of {', '.join(sorted(EQUIVALENCES))}")
        if (row.equivalence == "unmatched") == bool(row.target):
            raise ValueError(f"{number}: either a target or 'unmatched'")
        rows.append(row)
    return rows


def _rows(text: str) -> list[Row]:
    lines = csv.reader(text.splitlines(), strict=True)
    if tuple(next(lines)) != COLUMNS:
        raise ValueError(f"1: the first line is {','.join(COLUMNS)}")
    return [Row(s, c, t, target, d, e, _day(since), _day(until)) for s, c, t, target, d, e, since, until in lines]


def _row(line: dict[str, str]) -> Row:
    return Row(
        source=line["source"],
        code=line["code"],
        target_system=line["target_system"],
        target=line["target"],
        display=line["display"],
        equivalence=line["equivalence"],
        valid_from=_day(line["valid_from"]),
        valid_to=_day(line["valid_to"]),
    )


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
