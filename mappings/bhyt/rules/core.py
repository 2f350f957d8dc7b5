"""What a rule is, and what it finds: the register that every module of rules enters its functions in.

Knows no rule and no text; the texts are data (`texts.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

from mappings.bhyt.tables import DECISIONS

if TYPE_CHECKING:
    from mappings.bhyt.rules.case import Case

Severity = Literal["blocks", "warns"]
"""`blocks`: the portal or its assessment sends the record back. `warns`: a person should look."""

ValueClass = Literal[
    "absent",
    "barred",
    "different",
    "duplicate",
    "early",
    "empty",
    "form",
    "future",
    "late",
    "many",
    "no date",
    "no number",
    "overlap",
    "present",
    "range",
    "too long",
    "too many decimals",
    "unequal",
    "unknown code",
    "zero",
]
"""What is said of a value instead of the value."""


class Hit(NamedTuple):
    """Where a rule found something; row 0 is the record itself."""

    table: str
    row: int
    field: str
    value: ValueClass


class Finding(NamedTuple):
    """One finding of one rule. Holds no value of the record."""

    rule: str
    severity: Severity
    table: str
    row: int
    field: str
    value: ValueClass


Check = Callable[["Case"], Iterator[Hit]]


@dataclass(frozen=True)
class Rule:
    """One rule: a function, and what is to be known of it without running it."""

    id: str
    source: str
    severity: Severity
    tables: tuple[str, ...]
    """The rule runs when one of these is in the record; empty for rules about the record as a whole."""
    decisions: tuple[str, ...]
    valid_from: date | None
    valid_to: date | None
    needs: tuple[str, ...]
    """Lists of the site without which the rule does not run."""
    errors: tuple[int, ...]
    """Block errors of the assessment that it foresees."""
    check: Check

    def covers(self, ended: date | None) -> bool:
        """Say whether the rule is in force for a visit that ended on a day."""
        if ended is None:
            return True
        return (self.valid_from is None or self.valid_from <= ended) and (
            self.valid_to is None or ended <= self.valid_to
        )


RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order of the modules."""


def rule(
    number: str,
    source: str,
    tables: str = "",
    *,
    warns: bool = False,
    since: str = "130",
    until: str = "1931",
    valid_from: date | None = None,
    valid_to: date | None = None,
    needs: str = "",
    errors: tuple[int, ...] = (),
) -> Callable[[Check], Check]:
    """Enter a function as a rule: `tables` and `needs` are names with spaces between, `since` and `until` decisions.

    The letter and number before the dash name the table (`B3-042`: XML3), `BF` form, `BC` codes, `BT` which tables there are,
    `BR` several records.
    """
    decisions = DECISIONS[DECISIONS.index(since) : DECISIONS.index(until) + 1]

    def enter(check: Check) -> Check:
        if number in RULES:
            raise ValueError(f"two rules {number}")
        RULES[number] = Rule(
            number,
            source,
            "warns" if warns else "blocks",
            tuple(tables.split()),
            decisions,
            valid_from,
            valid_to,
            tuple(needs.split()),
            errors,
            check,
        )
        return check

    return enter
