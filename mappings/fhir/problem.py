"""What the checks report: a place and a rule, never a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal[
    "required",
    "unknown-element",
    "unknown-resource",
    "type",
    "cardinality",
    "choice",
    "code",
    "pattern",
    "empty",
    "null",
    "extension",
    "narrative",
    "reference",
    "duplicate",
    "document",
    "depth",
]


@dataclass(frozen=True)
class Problem:
    """Say which rule is broken where; `path` is a FHIRPath such as `Bundle.entry[2].resource.ofType(Observation).status`."""

    path: str
    rule: Rule


Found = tuple[str, Rule]
"""A problem on its way up: the path below the element that was checked, and the rule."""

TYPE: list[Found] = [("", "type")]
CARDINALITY: list[Found] = [("", "cardinality")]
CODE: list[Found] = [("", "code")]
PATTERN: list[Found] = [("", "pattern")]
EMPTY: list[Found] = [("", "empty")]
NULL: list[Found] = [("", "null")]
EXTENSION: list[Found] = [("", "extension")]
NARRATIVE: list[Found] = [("", "narrative")]
REFERENCE: list[Found] = [("", "reference")]
UNKNOWN_RESOURCE: list[Found] = [("", "unknown-resource")]
