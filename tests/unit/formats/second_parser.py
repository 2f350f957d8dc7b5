"""Read a message with hl7apy into plain lists, so that it can be done in another process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

Leaf = str | Decimal


class Parts(NamedTuple):
    """Children at their places, and those whose place hl7apy does not tell because its tables do not know it."""

    placed: dict[int, list[Any]]
    unplaced: list[Any]


def read(text: str) -> list[tuple[str, Parts]] | str:
    """Give the segments of a message as fields, repetitions, components and subcomponents, or why hl7apy does not read it.

    The truncation character that hl7apy refuses before version 2.7 is left out: it splits nothing.
    """
    warnings.simplefilter("error")
    text = text.replace("|^~\\&#|", "|^~\\&|", 1)
    try:
        message = parse_message(text, find_groups=False, validation_level=VALIDATION_LEVEL.TOLERANT)
        return [(segment.name, _parts(segment, _field)) for segment in message.children]
    except (HL7apyException, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        return type(error).__name__


def _field(field: Any) -> Parts:
    return _parts(field, lambda component: _parts(component, _leaf))


def _parts(parent: Any, inner: Callable[[Any], Any]) -> Parts:
    placed: dict[int, list[Any]] = {}
    unplaced: list[Any] = []
    for order, child in enumerate(parent.children, 1):
        name = child.name
        tail = (name or "").rpartition("_")[2]
        if name is None:
            unplaced.append(inner(child))
        else:  # a child named for its type alone stands where it was read
            placed.setdefault(int(tail) if "_" in name and tail.isdigit() else order, []).append(inner(child))
    return Parts(placed, unplaced)


def _leaf(leaf: Any) -> Leaf:
    value = getattr(leaf.value, "value", leaf.value)
    if isinstance(value, int | Decimal):
        return Decimal(value)
    return value if isinstance(value, str) else str(leaf.to_er7()) if value is not None else ""
