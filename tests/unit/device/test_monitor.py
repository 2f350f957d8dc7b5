"""The sandbox's ward of monitors says what the gateway maps without remainder, and the same every time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from hl7apy.parser import parse_message

from conformance.sandbox import monitor
from conformance.sandbox.monitor import Ward
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message, trigger_of

BEGUN = datetime(2026, 11, 3, 10, 0, tzinfo=timezone(timedelta(hours=7)))


def ward(**more: object) -> Ward:
    return Ward(**{"monitors": 20, "begun": BEGUN, **more})  # type: ignore[arg-type]


def test_every_message_maps_without_remainder() -> None:
    seen: Counter[str] = Counter()
    for _, body in ward(waveforms=True, pressure_every=10).messages(400):
        message = er7.Message.parse(body)
        seen[trigger_of(message)] += 1
        outcome = map_message(message, Context(facility="01999"))
        assert outcome.coverage.unknown == {}
        assert any(one["resourceType"] == "Observation" for one in outcome.resources)
    assert seen["ORU^R01"] > 300


def test_alarms_begin_and_end_as_one() -> None:
    told: dict[str, list[str]] = {}
    for _, body in ward(monitors=50).messages(20_000):
        if b"ORU^R40" in body:
            outcome = map_message(er7.Message.parse(body), Context(facility="01999"))
            (alarm,) = (one for one in outcome.resources if one["resourceType"] == "Observation")
            told.setdefault(alarm["id"], []).append(alarm["status"])
    assert len(told) > 3
    assert ["preliminary", "final"] in told.values()
    assert {tuple(one) for one in told.values()} <= {("preliminary", "final"), ("preliminary",)}


def test_the_same_seed_is_the_same_ward() -> None:
    assert list(ward().messages(100)) == list(ward().messages(100)) != list(ward(seed=2).messages(100))


def test_control_ids_are_unique() -> None:
    ids = [body.split(b"|")[9] for _, body in ward().messages(2000)]
    assert len(set(ids)) == len(ids)


def test_another_parser_reads_it() -> None:
    """hl7apy agrees on the segments of a report."""
    (_, body), *_ = ward(monitors=1).messages(1)
    parsed = parse_message(body.decode(), find_groups=False)
    assert [segment.name for segment in parsed.children][:5] == ["MSH", "PID", "PV1", "OBR", "OBX"]


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--to", "nowhere"],
        ["--to", "127.0.0.1:0"],
        ["--to", "h:1", "--monitors", "0"],
        ["--to", "h:1", "--rate", "-1"],
    ],
)
def test_a_wrong_call_is_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        monitor.main(argv)
    assert ended.value.code == 2
    assert "lienthong sandbox monitor" in capsys.readouterr().err


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert monitor.main(["--to", "127.0.0.1:9", "--messages", "1"]) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err
