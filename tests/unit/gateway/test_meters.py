"""A label says only what was allowed: no series without end, nothing that a sender wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway import meters

meters.allow("channel", ("a-channel-of-this-test",))


def series() -> set[tuple[str, ...]]:
    return {
        tuple(sample.labels[name] for name in ("channel", "type", "state", "answer"))
        for family in meters.MESSAGES.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["channel"] == "a-channel-of-this-test"
    }


@given(st.text(), st.text(), st.text())
def test_what_a_sender_writes_is_counted_as_other(kind: str, state: str, answer: str) -> None:
    hostile = {"type": f"~{kind}", "state": f"~{state}", "answer": f"~{answer}"}
    meters.count(meters.MESSAGES, channel="a-channel-of-this-test", **hostile)
    assert series() == {("a-channel-of-this-test", "other", "other", "other")}


def test_what_is_allowed_stands_as_it_is() -> None:
    assert meters.bounded("channel", "a-channel-of-this-test") == "a-channel-of-this-test"
    assert meters.bounded("channel", "another") == "other"
    assert meters.bounded("a label without values", "a-channel-of-this-test") == "other"
