"""Find for each result the order of the record that it answers.

One order for the specimen: all results are its. Several: a result is that one's which asks for the same test, or which O-5
names; else that of the only order left to which no result belongs by name. What belongs to none stays a report of its own,
under the number of the specimen: better apart than with the wrong order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mappings.formats.er7_writer import Value
from mappings.hl7v2.fields import codeable_concept_to_cwe, identifier_to_ei
from mappings.lab.context import Context, Known
from mappings.lab.groups import Group, Tested
from mappings.outcome import Resource

Names = Callable[[Sequence[str]], frozenset[str]]
"""Components of a test → every code that it is known by, folded."""


@dataclass(frozen=True)
class Matched:
    """The order of the record that results belong to; none when there is none."""

    order: Resource | None = None

    def numbers(self, context: Context) -> tuple[Value, Value]:
        """Give the placer's and the filler's number as EI."""
        found: dict[str, Value] = {}
        for one in (self.order or {}).get("identifier", ()):
            kinds = {coding.get("code") for coding in one.get("type", {}).get("coding", ())}
            system = one.get("system", "")
            for kind, local in (("PLAC", "order"), ("FILL", "filler")):
                if kind in kinds or system == context.systems.local(context.facility, local):
                    found.setdefault(kind, identifier_to_ei(one, context.systems))
        return found.get("PLAC", ""), found.get("FILL", "")

    def service(self) -> Value:
        """Give what was ordered as CWE."""
        return codeable_concept_to_cwe((self.order or {}).get("code"))


def match(told: Group, known: Known | None, names: Names) -> Iterator[tuple[list[Tested], Matched]]:
    """Give the results of a person order by order, in the order that they came."""
    found: dict[str, tuple[list[Tested], Matched]] = {}
    for n, tested in enumerate(told.tested):
        orders = known.orders.get(tested.specimen, ()) if known else ()
        for part, order in _parted(tested, told, orders, names):
            key = order["id"] if order else f"#{n}"
            found.setdefault(key, ([], Matched(order)))[0].append(part)
    yield from found.values()


def _parted(
    tested: Tested, told: Group, orders: Sequence[Resource], names: Names
) -> Iterator[tuple[Tested, Resource | None]]:
    if len(orders) < 2:
        yield tested, next(iter(orders), None)
        return
    asked = [names(one) for one in tested.order[5].repetitions]
    by_order = [order for order in orders if any(one & _codes(order) for one in asked)]
    alone = by_order[0] if len(by_order) == 1 else _left(tested.specimen, told, orders, names)
    parts: dict[str, tuple[Tested, Resource | None]] = {}
    for row, comments in tested.results:
        test = names(row[3].parts)
        order = next((one for one in orders if test & _codes(one)), alone)
        part = parts.setdefault(order["id"] if order else "", (Tested(tested.order), order))[0]
        part.results.append((row, comments))
    if not parts:
        parts[""] = (Tested(tested.order), alone)
    next(iter(parts.values()))[0].comments.extend(tested.comments)
    yield from parts.values()


def _left(specimen: str, told: Group, orders: Sequence[Resource], names: Names) -> Resource | None:
    """Give the only order of a specimen whose test no result of the message has."""
    tests = [names(row[3].parts) for one in told.tested if one.specimen == specimen for row, _ in one.results]
    left = [order for order in orders if not any(test & _codes(order) for test in tests)]
    return left[0] if len(left) == 1 else None


def _codes(order: Resource) -> frozenset[str]:
    """Give every code of what was ordered, folded."""
    concepts = [order.get("code", {}), *order.get("orderDetail", ())]
    return frozenset(
        str(coding["code"]).casefold() for one in concepts for coding in one.get("coding", ()) if coding.get("code")
    )
