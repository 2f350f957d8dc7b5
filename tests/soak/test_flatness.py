"""A leak is found in samples that have one, and what is flat or only rough is not blamed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.soak.flatness import MB, Sample, growing

QUIET = Sample(memory=190 * MB, handles=40, wal=4 * MB, latency=0.2)


def half_an_hour(**per_minute: float) -> list[Sample]:
    """Make 180 samples that are a little rough, of which some things grow by so much each minute."""
    chance, made = random.Random(3), []
    for n in range(180):
        rough = replace(QUIET, latency=QUIET.latency * chance.uniform(0.5, 1.5), wal=QUIET.wal * chance.uniform(0, 1))
        made.append(replace(rough, **{name: getattr(rough, name) + more * n / 6 for name, more in per_minute.items()}))
    return made


def test_what_is_flat_is_not_blamed() -> None:
    assert growing(half_an_hour()) == []


def test_what_is_filled_at_first_is_not_blamed() -> None:
    assert growing([replace(QUIET, memory=20 * MB)] * 40 + half_an_hour()[40:]) == []


@pytest.mark.parametrize(("name", "per_minute"), [("memory", MB), ("handles", 1), ("wal", MB), ("latency", 0.04)])
def test_a_planted_growth_is_found(name: str, per_minute: float) -> None:
    (found,) = growing(half_an_hour(**{name: per_minute}))
    assert found.startswith(f"{name}: ")


def test_too_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="twelve"):
        growing([QUIET] * 11)
