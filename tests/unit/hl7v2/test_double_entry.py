"""The account of every field is true: what is claimed to be mapped is where the tables say, and nothing declared is forgotten.

The claim is made by a mapping taking a field, the place is declared by the segment's `MAPPED` table; neither knows the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from mappings.formats import er7
from mappings.formats.faults import Fault
from mappings.hl7v2 import Context, known, map_message, segments, targets, trigger_of
from mappings.hl7v2.reader import FORGOTTEN
from mappings.outcome import Coverage, Outcome
from tests.golden.test_golden import CASES
from tests.unit.hl7v2.test_corpus import messages

CONTEXT = Context(facility="01032")


def untrue(message: er7.Message, outcome: Outcome) -> Iterator[str]:
    """Say of each field whose entries disagree what is wrong: `OBX-5: …`, without the occurrence."""
    for position, target in outcome.coverage.mapped.items():
        segment, _, n = position.rpartition("-")
        name = f"{segment[:3]}-{n}"
        if not target:
            yield f"{name}: mapped, and MAPPED does not say to where"
        elif '""' not in (message.value(position) or "") and not targets.places(position, target, outcome):
            yield f"{name}: not found at {target}"
    for position, reason in outcome.coverage.unknown.items():
        if reason == FORGOTTEN:
            segment, _, n = position.rpartition("-")
            yield f"{segment[:3]}-{n}: {FORGOTTEN}"


def summed(found: Iterator[str]) -> list[str]:
    return [f"{count} × {text}" for text, count in Counter(found).most_common()]


def of_golden_pairs() -> Iterator[str]:
    for case in CASES:
        message = er7.Message.parse((case / "input.hl7").read_bytes())
        yield from untrue(message, map_message(message, CONTEXT))


def of_corpus(corpora: Path) -> Iterator[str]:
    for _, message in messages(corpora):
        if known(trigger_of(message)):
            try:
                outcome = map_message(message, CONTEXT)
            except Fault:
                continue
            yield from untrue(message, outcome)


def test_golden_pairs() -> None:
    assert summed(of_golden_pairs()) == []


def test_corpus(corpora: Path) -> None:
    assert summed(of_corpus(corpora)) == []


@pytest.mark.parametrize("name", [entry.name for entry in iter_modules(segments.__path__)])
def test_every_entry_of_a_table_says_something(name: str) -> None:
    module = import_module(f"{segments.__name__}.{name}")
    assert all(module.MAPPED.values())
    assert all(module.IGNORED.values())


def test_planted_disagreements_are_seen() -> None:
    message = er7.Message.parse(b"MSH|^~\\&|HIS||||||ADT^A04|1|P|2.5\rPID|1||BN1^^^01032^PI||A^B||1980\r")
    outcome = map_message(message, CONTEXT)
    assert list(untrue(message, outcome)) == []
    lying = Outcome(
        outcome.resources,
        Coverage({"PID-3": "Patient.photo", "PID-5": ""}, {}, {"PID-7": FORGOTTEN}),
        outcome.about,
        origins=outcome.origins,
    )
    assert [line[:5] for line in untrue(message, lying)] == ["PID-3", "PID-5", "PID-7"]
