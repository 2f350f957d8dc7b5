"""A site's reference ranges and critical values by test, sex and age, for results of any sender.

`site/lab/ranges.csv` gives a result its range where its sender gave none; `site/lab/critical.csv` says which values the doctor
must be told of at once. Both have the columns of `COLUMNS`; a line holds for a test by any of its codes, in one unit. Age is
counted at the time of the result. Values are compared as they are: nothing is changed into another unit.

    code,sex,age_from,age_to,low,high,unit
    HGB,F,18y,,120,155,g/L
    2823-3,,,,2.8,6.0,mmol/L
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from mappings.outcome import Resource
from mappings.units import to_ucum

COLUMNS = ("code", "sex", "age_from", "age_to", "low", "high", "unit")
_SEXES = {"": "", "M": "male", "F": "female"}
_AGE = re.compile(r"^(\d+)(d|mo|y)$")
_DAYS = {"d": Decimal(1), "mo": Decimal("30.4375"), "y": Decimal("365.25")}
_SAID = frozenset({"final", "corrected", "amended", "preliminary"})


@dataclass(frozen=True)
class Limit:
    """One line: whom it holds for, and the limits."""

    code: str
    sex: str
    """FHIR administrative-gender; `""` = everybody."""
    age_from: Decimal | None
    """In days, included; of `age_to` the end is not."""
    age_to: Decimal | None
    low: Decimal | None
    high: Decimal | None
    unit: str

    def holds_for(self, sex: str, age: int | None) -> bool:
        """Tell whether it holds for a person; one of unknown age only where age does not matter."""
        if self.sex and self.sex != sex:
            return False
        if age is None:
            return self.age_from is None and self.age_to is None
        return (self.age_from is None or self.age_from <= age) and (self.age_to is None or age < self.age_to)

    def text(self) -> str:
        """Write the limits as laboratories do."""
        if self.low is None or self.high is None:
            return f">{self.low}" if self.high is None else f"<{self.high}"
        return f"{self.low}-{self.high}"


class Critical(NamedTuple):
    """A result outside of its critical limits."""

    observation: str
    """Reference."""
    test: str
    value: str
    unit: str
    limit: str
    side: str
    """`low` or `high`."""


def parse(text: str) -> list[Limit]:
    """Read a table; raise ValueError("<line>: what is wrong")."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or tuple(lines[0].split(",")) != COLUMNS:
        raise ValueError(f"1: the first line is {','.join(COLUMNS)}")
    found = []
    for number, line in enumerate(csv.DictReader(lines, strict=True), 2):
        if None in line or None in line.values():
            raise ValueError(f"{number}: {len(COLUMNS)} cells are expected")
        try:
            found.append(_limit(line))
        except InvalidOperation:
            raise ValueError(f"{number}: a limit is a number") from None
        except ValueError as error:
            raise ValueError(f"{number}: {error}") from None
    return found


def _limit(line: dict[str, str]) -> Limit:
    sex = line["sex"].strip().upper()
    if not line["code"].strip() or sex not in _SEXES:
        raise ValueError("a code, and M, F or nothing for the sex")
    low, high = (Decimal(line[name].strip()) if line[name].strip() else None for name in ("low", "high"))
    if low is None and high is None:
        raise ValueError("a lower or an upper limit")
    if low is not None and high is not None and low > high:
        raise ValueError("the lower limit is above the upper one")
    ages = [_age(line[name].strip()) for name in ("age_from", "age_to")]
    return Limit(line["code"].strip(), _SEXES[sex], ages[0], ages[1], low, high, line["unit"].strip())


def _age(text: str) -> Decimal | None:
    if not text:
        return None
    match = _AGE.match(text)
    if match is None:
        raise ValueError("an age is written like 28d, 6mo or 18y")
    return int(match[1]) * _DAYS[match[2]]


_ranges: dict[str, list[Limit]] = {}
_critical: dict[str, list[Limit]] = {}


def use(ranges: Iterable[Limit] = (), critical: Iterable[Limit] = ()) -> None:
    """Take a site's tables into use, in place of those before."""
    for kept, told in ((_ranges, ranges), (_critical, critical)):
        kept.clear()
        for limit in told:
            kept.setdefault(limit.code, []).append(limit)


def judge(resources: Sequence[Resource], people: Mapping[str, Resource], sent_at: str = "") -> tuple[Critical, ...]:
    """Complete the results of persons by the site's tables, and give those that are critical.

    A result without a reference range gets the site's, and, where nobody said it, in which direction it is out of that.
    `people` are persons of the record by id; others are taken from the resources. `sent_at` stands in for the time of a result.
    """
    if not _ranges and not _critical:
        return ()
    known = {**{one["id"]: one for one in resources if one["resourceType"] == "Patient"}, **people}
    found: list[Critical] = []
    for one, quantity in _results(resources):
        kind, _, id_ = str(one.get("subject", {}).get("reference", "")).partition("/")
        if kind != "Patient":
            continue
        person = known.get(id_, {})
        limit = None if one.get("referenceRange") else _fitting(_ranges, one, quantity, person, sent_at)
        if limit is not None:
            _complete(one, quantity, limit)
        limit = _fitting(_critical, one, quantity, person, sent_at)
        side = _side(limit, quantity) if limit else ""
        if limit and side:
            found.append(_critical_of(one, quantity, limit, side))
    return tuple(found)


def _complete(one: dict[str, Any], quantity: dict[str, Any], limit: Limit) -> None:
    unit = {name: quantity[name] for name in ("unit", "system", "code") if name in quantity}
    ends = (("low", limit.low), ("high", limit.high))
    told = {name: {"value": value, **unit} for name, value in ends if value is not None}
    one["referenceRange"] = [{**told, "text": limit.text()}]
    side = _side(limit, quantity)
    if side and not one.get("interpretation"):
        code, display = {"low": ("L", "Low"), "high": ("H", "High")}[side]
        one["interpretation"] = [{"coding": [{"system": _INTERPRETATION, "code": code, "display": display}]}]


def _critical_of(one: Resource, quantity: dict[str, Any], limit: Limit, side: str) -> Critical:
    coding: Resource = next(iter(one["code"].get("coding", ())), {})
    test = str(one["code"].get("text") or coding.get("display") or coding.get("code", ""))
    value = f"{quantity.get('comparator', '')}{quantity['value']}"
    return Critical(f"Observation/{one['id']}", test, value, str(quantity.get("unit", "")), limit.text(), side)


_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def _results(resources: Sequence[Resource]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for one in resources:
        quantity = one.get("valueQuantity", {}) if one["resourceType"] == "Observation" else {}
        if "value" in quantity and one.get("status") in _SAID:
            yield one, quantity


def _fitting(
    table: Mapping[str, list[Limit]], result: Resource, quantity: dict[str, Any], person: Resource, sent_at: str
) -> Limit | None:
    age = _age_at(str(person.get("birthDate", "")), str(result.get("effectiveDateTime") or sent_at))
    units = {str(quantity.get("unit", "")), str(quantity.get("code", ""))}
    for coding in result.get("code", {}).get("coding", ()):
        for limit in table.get(str(coding.get("code", "")), ()):
            same = limit.unit in units or (to_ucum(limit.unit) or limit.unit) in units
            if same and limit.holds_for(str(person.get("gender", "")), age):
                return limit
    return None


def _age_at(born: str, at: str) -> int | None:
    """Give the age in days; `None` when birth or result have no day."""
    try:
        return (date.fromisoformat(at[:10]) - date.fromisoformat(born)).days
    except ValueError:
        return None


def _side(limit: Limit, quantity: dict[str, Any]) -> str:
    """Tell on which side of the limits a value is; one with a comparator counts where that leaves no doubt."""
    value, comparator = Decimal(str(quantity["value"])), quantity.get("comparator", "")
    below = limit.low is not None and (value < limit.low or (comparator == "<" and value == limit.low))
    above = limit.high is not None and (value > limit.high or (comparator == ">" and value == limit.high))
    if below and comparator in ("", "<", "<="):
        return "low"
    return "high" if above and comparator in ("", ">", ">=") else ""
