"""Two questions about one day: did everything that had to go out arrive, and do the books agree.

Completeness looks at papers by the day of their event, in their newest version, whatever became of older ones. Reconciliation
looks at everything that the day brought into the ledger, and closes when each item has an end that somebody can account for:
what is still on its way is a difference, and so is what the destination's own list says otherwise.

Requirement: S2.14, S3.16, S3.22
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway.clock import to_instant
from gateway.states import OPEN_DELIVERY
from gateway.store import reports as rows
from mappings.formats.dates import zone_of

_NO_PAPER = ("unchanged", "superseded", "returned", "closed")
"""Versions that say nothing of their own, or that another took the place of."""
_NO_END = ("due", "signing", "composed", "proving", "error")


def span(day: date, zone: str) -> tuple[int, int]:
    """Return the instants between which a day lies."""
    begin = datetime.combine(day, time(), zone_of(zone))
    end = datetime.combine(day + timedelta(days=1), time(), zone_of(zone))
    return to_instant(begin), to_instant(end)


# ---- completeness ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Missing:
    """Something that has not arrived, and why."""

    what: str
    """`message`, `document` or `delivery`."""
    id: str
    paper: str
    destination: str
    state: str
    why: str
    """`fault`, `signature`, `under_way`, `withheld`, `no_paper` or `no_destination`."""
    fault: tuple[int, str, str]
    """Code (0 = none), where, detail."""
    waits_for: tuple[str, ...]
    """Roles that sign next."""
    deadline_at: int
    """0 = none."""
    overdue: bool


@dataclass(frozen=True)
class Share:
    """One kind of paper to one destination."""

    paper: str
    destination: str
    expected: int
    in_time: int
    late: int
    """Arrived after the deadline."""
    missing: int
    withheld: int
    """Not to be sent: no basis, or a closed list. Not expected."""

    @property
    def percent(self) -> float:
        return 100.0 if not self.expected else round(100 * (self.in_time + self.late) / self.expected, 2)


@dataclass(frozen=True)
class Completeness:
    shares: Sequence[Share]
    missing: Sequence[Missing]

    @property
    def whole(self) -> bool:
        return not any(one.why != "withheld" for one in self.missing)


def completeness(connection: Connection, begin: int, end: int, now: int) -> Completeness:
    """Compare what the events of a span call for with what destinations accepted."""
    found = newest(rows.papers_of(connection, begin, end))
    counted: dict[tuple[str, str], Counter[str]] = {}
    missing: list[Missing] = []
    for row in found:
        outcome = _outcome(row)
        counted.setdefault((row.paper, row.destination or ""), Counter())[outcome] += 1
        if outcome in ("missing", "withheld"):
            missing.append(missing_of(connection, row, outcome, now))
    for row in rows.discharges(connection, begin, end):
        if not row.documents and row.state not in ("duplicate",):
            why = "fault" if row.fault_code else "under_way" if row.state == "received" else "no_paper"
            fault = (row.fault_code, row.fault_where, row.fault_detail)
            missing.append(Missing("message", row.id, "", "", row.state, why, fault, (), 0, False))
    shares = [
        Share(paper, to, sum(n.values()) - n["withheld"], n["in_time"], n["late"], n["missing"], n["withheld"])
        for (paper, to), n in sorted(counted.items())
    ]
    return Completeness(shares, missing)


def newest(found: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Keep of every paper the newest version that says something of its own."""
    last: dict[tuple[str, str], int] = {}
    told = [row for row in found if row.state not in _NO_PAPER]
    for row in told:
        key = (row.paper, row.subject)
        last[key] = max(last.get(key, 0), row.version)
    return [row for row in told if row.version == last[row.paper, row.subject]]


def _outcome(row: Row[Any]) -> str:
    if row.delivery_state == "accepted":
        return "late" if row.accepted_at > row.deadline_at else "in_time"
    return "withheld" if row.delivery_state == "withheld" else "missing"


def missing_of(connection: Connection, row: Row[Any], outcome: str, now: int) -> Missing:
    """Say of a row of `papers_of` that has not arrived why not."""
    waits_for = tuple(rows.waited_for(connection, row.id)) if row.state == "signing" else ()
    fault = (row.fault_code, row.fault_where, row.fault_detail)
    if row.delivery_id is not None and row.delivery_fault_code:
        fault = (row.delivery_fault_code, row.delivery_fault_where, row.delivery_fault_detail)
    if outcome == "withheld":
        why = "withheld"
    elif waits_for:
        why = "signature"
    elif fault[0]:
        why = "fault"
    else:
        why = "under_way" if row.delivery_id is not None or row.state != "signed" else "no_destination"
    item = ("document", row.id) if row.delivery_id is None else ("delivery", row.delivery_id)
    state = row.delivery_state or row.state
    overdue = outcome != "withheld" and row.deadline_at < now
    return Missing(*item, row.paper, row.destination or "", state, why, fault, waits_for, row.deadline_at, overdue)


# ---- reconciliation ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """One destination's account of a day."""

    destination: str
    made: int
    accepted: int
    receipts: int
    """Of the accepted, those whose answer is kept; the others were confirmed by a person."""
    withheld: int
    closed: int
    """A person decided that nothing more is to be done, or a paper that says nothing new."""
    in_error_queue: int
    under_way: int
    only_theirs: tuple[str, ...] = ()
    """References in the destination's own list that we do not know."""
    only_ours: tuple[str, ...] = ()
    """Deliveries that we call accepted and the destination's own list does not hold."""

    @property
    def difference(self) -> int:
        return self.in_error_queue + self.under_way + len(self.only_theirs) + len(self.only_ours)


@dataclass(frozen=True)
class Open:
    """A delivery that has no end yet."""

    id: str
    paper: str
    destination: str
    state: str
    fault: tuple[int, str, str]
    created_at: int
    deadline_at: int


@dataclass(frozen=True)
class Reconciliation:
    messages: Mapping[str, int]
    documents: Mapping[str, int]
    accounts: Sequence[Account]
    open: Sequence[Open]

    @property
    def unfinished(self) -> int:
        """Messages and papers of the day that have no end yet."""
        waiting = sum(self.messages.get(state, 0) for state in ("received", "error", "held"))
        return waiting + sum(self.documents.get(state, 0) for state in _NO_END)

    @property
    def difference(self) -> int:
        return self.unfinished + sum(account.difference for account in self.accounts)

    @property
    def closes(self) -> bool:
        return not self.difference


def reconciliation(
    connection: Connection, begin: int, end: int, destination: str = "", theirs: Iterable[str] | None = None
) -> Reconciliation:
    """Account for everything that came into the ledger in a span; `theirs` are references by `destination`'s own list."""
    found = rows.deliveries_of(connection, begin, end, destination)
    by_destination: dict[str, list[Row[Any]]] = {}
    for row in found:
        by_destination.setdefault(row.destination, []).append(row)
    if theirs is not None:
        by_destination.setdefault(destination, [])
    accounts = [_account(name, mine, theirs) for name, mine in sorted(by_destination.items())]
    still = [
        Open(
            row.id,
            row.paper,
            row.destination,
            row.state,
            (row.fault_code, row.fault_where, row.fault_detail),
            row.created_at,
            row.deadline_at,
        )
        for row in found
        if row.state not in ("accepted", "withheld", "closed")
    ]
    return Reconciliation(
        rows.message_states(connection, begin, end), rows.document_states(connection, begin, end), accounts, still
    )


def _account(name: str, mine: Sequence[Row[Any]], theirs: Iterable[str] | None) -> Account:
    states = Counter(row.state for row in mine)
    accepted = [row for row in mine if row.state == "accepted"]
    known = {row.reference for row in accepted if row.reference}
    listed = None if theirs is None else set(theirs)
    return Account(
        name,
        len(mine),
        states["accepted"],
        sum(bool(row.receipts) for row in accepted),
        states["withheld"],
        states["closed"],
        states["error"],
        sum(n for state, n in states.items() if state in (*OPEN_DELIVERY, "awaiting")),
        () if listed is None else tuple(sorted(listed - known)),
        () if listed is None else tuple(row.id for row in accepted if row.reference not in listed),
    )
