"""The retry decision: class of the fault × policy → what follows, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.clock import SECOND
from gateway.delivery.retry import Decision, Retry, backoff, decide
from mappings.formats.faults import FaultClass

POLICY = Retry(first=timedelta(seconds=4), factor=2, cap=timedelta(seconds=60), give_up_after=timedelta(hours=1))
NOW = 1_000_000 * SECOND


def decided(fault_class: FaultClass, **changes: object) -> Decision:
    arguments: dict[str, object] = {
        "failures": 1,
        "created_at": NOW,
        "now": NOW,
        "jitter": 0.0,
    }
    return decide(fault_class, POLICY, **(arguments | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault_class", "changes", "expected"),
    [
        (FaultClass.REFUSED, {}, Decision("refuse")),
        (FaultClass.REFUSED, {"failures": 99}, Decision("refuse")),
        (FaultClass.UNCERTAIN, {}, Decision("lose", NOW)),
        (FaultClass.UNCERTAIN, {"created_at": 0}, Decision("lose", NOW)),
        (FaultClass.TRANSIENT, {}, Decision("retry", NOW + 2 * SECOND)),
        (FaultClass.TRANSIENT, {"jitter": 0.5}, Decision("retry", NOW + 3 * SECOND)),
        (FaultClass.TRANSIENT, {"failures": 2}, Decision("retry", NOW + 4 * SECOND)),
        (FaultClass.TRANSIENT, {"failures": 40}, Decision("retry", NOW + 30 * SECOND)),
        (FaultClass.TRANSIENT, {"created_at": NOW - 3600 * SECOND}, Decision("refuse")),
        (FaultClass.TRANSIENT, {"created_at": NOW - 3599 * SECOND}, Decision("retry", NOW + 2 * SECOND)),
        (FaultClass.THROTTLED, {"retry_after": timedelta(seconds=17)}, Decision("retry", NOW + 17 * SECOND)),
        (FaultClass.THROTTLED, {"retry_after": timedelta(0)}, Decision("retry", NOW)),
        (FaultClass.THROTTLED, {}, Decision("retry", NOW + 2 * SECOND)),
        (FaultClass.THROTTLED, {"failures": 0}, Decision("retry", NOW + 2 * SECOND)),
        (FaultClass.THROTTLED, {"created_at": NOW - 3600 * SECOND}, Decision("refuse")),
    ],
)
def test_decision(fault_class: FaultClass, changes: dict[str, object], expected: Decision) -> None:
    assert decided(fault_class, **changes) == expected


def test_no_class_is_ever_dropped() -> None:
    for fault_class in FaultClass:
        assert decided(fault_class).event in {"retry", "refuse", "lose"}


@pytest.mark.parametrize("failures", [1, 2, 5, 100, 10_000])
def test_waits_stay_between_half_of_the_first_and_the_cap(failures: int) -> None:
    for jitter in (0.0, 0.999):
        assert POLICY.first / 2 <= backoff(POLICY, failures, jitter) <= POLICY.cap


@pytest.mark.parametrize("wrong", [{"first": timedelta(0)}, {"factor": 0.5}, {"cap": timedelta(seconds=1)}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retry(**wrong)  # type: ignore[arg-type]
