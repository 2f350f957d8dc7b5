"""Other people's messages: nothing but a fault is raised, the account adds up, and what comes out is FHIR."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mappings.fhir import problems
from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context, known, map_message, trigger_of

CONTEXT = Context(facility="01032")


def messages(corpora: Path) -> Iterator[tuple[str, er7.Message]]:
    folder = corpora / "hl7v2"
    with (folder / "index.csv").open(encoding="utf-8", newline="") as index:
        for row in csv.DictReader(index):
            try:
                message = er7.Message.parse((folder / row["file"]).read_bytes())
            except Fault:
                continue
            if known(trigger_of(message)):
                yield row["file"], message


def empty_places(value: Any, path: str = "") -> Iterator[str]:
    """Find what FHIR does not allow anywhere: empty strings, lists, objects, nulls, binary floats."""
    if isinstance(value, dict):
        if not value:
            yield path
        for name, inner in value.items():
            yield from empty_places(inner, f"{path}.{name}")
    elif isinstance(value, list):
        if not value:
            yield path
        for inner in value:
            yield from empty_places(inner, f"{path}[]")
    elif (
        value is None
        or (isinstance(value, str) and not value.strip())
        or not isinstance(value, str | bool | int | Decimal)
    ):
        yield path


def test_every_message_of_the_types_served(corpora: Path) -> None:
    taken = 0
    refused: list[tuple[str, int]] = []
    for name, message in messages(corpora):
        try:
            outcome = map_message(message, CONTEXT)
        except Fault as fault:
            refused.append((name, fault.code))
            continue
        taken += 1
        coverage = outcome.coverage
        told = [*coverage.mapped, *coverage.ignored, *coverage.unknown]
        populated = [f"{segment.position()}-{n}" for segment in message.segments for n in segment.populated()]
        assert sorted(told) == sorted(populated), name
        assert [place for resource in outcome.resources for place in empty_places(resource)] == [], name
        known_ids = {f"{resource['resourceType']}/{resource['id']}" for resource in outcome.resources}
        assert len(known_ids) == len(outcome.resources), name
        for resource in outcome.resources:
            assert set(references(resource)) <= known_ids, name
            assert problems(resource) == [], f"{name} {resource['resourceType']}"
    assert taken > 250
    assert [name for name, code in refused if not 3101 <= code <= 3149] == []
    assert len(refused) < taken


def references(value: Any) -> Iterator[str]:
    """Find every literal reference."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("planted", [{"a": ""}, {"a": []}, {"a": {}}, {"a": None}, {"a": [{"b": 1.5}]}, {"a": "  "}])
def test_the_search_for_empty_places_sees_them(planted: dict[str, Any]) -> None:
    assert list(empty_places(planted))
