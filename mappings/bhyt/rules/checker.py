"""Run the rules on visits: those of the decision, the day, the tables that are there and the lists that the site brings."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from mappings.bhyt.decisions import decision_of, ended_on
from mappings.bhyt.lists import NONE, Lists
from mappings.bhyt.rules.case import Case
from mappings.bhyt.rules.core import RULES, Finding, Rule
from mappings.bhyt.rules.duplicates import Earlier, key_of
from mappings.bhyt.rules.settings import DEFAULT, Settings
from mappings.bhyt.tables import NAMES
from mappings.bhyt.visits import Visit

VIETNAM = timezone(timedelta(hours=7))
_PLACE = {name: place for place, name in enumerate(("", *NAMES))}


class Checker:
    """Rules prepared for a site: which ones run is worked out once for each decision and set of tables."""

    def __init__(self, lists: Lists = NONE, settings: Settings = DEFAULT) -> None:
        self.lists = lists
        self.settings = settings
        self._prepared: dict[tuple[str, frozenset[str]], tuple[tuple[Rule, ...], tuple[Rule, ...]]] = {}

    def check(
        self, visit: Visit, *, decision: str = "", now: datetime, earlier: Earlier | None = None
    ) -> list[Finding]:
        """Give what the rules find, in the order of tables and rows.

        Without `decision` the end of the visit tells it. `now` without a zone is Vietnamese time. `earlier` are the records of
        the run before this one, which is added to them.
        """
        ended = ended_on(visit.tables)
        decided = decision or decision_of(visit.tables, self.settings.calendar)
        local = now.astimezone(VIETNAM) if now.tzinfo else now
        case = Case(visit, decided, ended, local, self.lists, self.settings, earlier)
        found = [
            Finding(rule.id, rule.severity, *hit)
            for rule in self._rules(decided, frozenset(visit.tables), ended)
            for hit in rule.check(case)
        ]
        if earlier is not None and (key := key_of(visit)):
            earlier.add(key)
        found.sort(key=lambda one: (_PLACE.get(one.table, 99), one.row, one.field, one.rule))
        return found

    def _rules(self, decision: str, tables: frozenset[str], ended: date | None) -> tuple[Rule, ...]:
        always, dated = self._prepared.get((decision, tables)) or self._prepare(decision, tables)
        return (*always, *(rule for rule in dated if rule.covers(ended)))

    def _prepare(self, decision: str, tables: frozenset[str]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        ours = [
            rule
            for rule in RULES.values()
            if decision in rule.decisions
            and (not rule.tables or tables & set(rule.tables))
            and all(name in self.lists for name in rule.needs)
        ]
        prepared = (
            tuple(rule for rule in ours if rule.valid_from is None and rule.valid_to is None),
            tuple(rule for rule in ours if rule.valid_from is not None or rule.valid_to is not None),
        )
        self._prepared[decision, tables] = prepared
        return prepared


@lru_cache(8)
def checker(lists: Lists, settings: Settings) -> Checker:
    return Checker(lists, settings)


def check_visit(
    visit: Visit,
    *,
    decision: str = "",
    lists: Lists = NONE,
    now: datetime,
    settings: Settings = DEFAULT,
    earlier: Earlier | None = None,
) -> list[Finding]:
    """Check one visit; what is prepared for a site is kept, so that thousands are checked as quickly as with a `Checker`."""
    return checker(lists, settings).check(visit, decision=decision, now=now, earlier=earlier)


def not_run(lists: Lists) -> dict[str, list[str]]:
    """Name the rules that do not run because a list is absent: list → ids."""
    found: dict[str, list[str]] = {}
    for rule in RULES.values():
        for name in rule.needs:
            if name not in lists:
                found.setdefault(name, []).append(rule.id)
    return found
