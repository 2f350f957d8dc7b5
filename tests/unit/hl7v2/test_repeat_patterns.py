"""When a medicine is to be given, and the patterns, lengths and clock times that every order has, from TQ1 and TQ."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings import codes
from mappings.fhir import problems
from mappings.hl7v2.timing import letters_to_length, repeat_pattern_to_repeat, times_of_day, unit_of_time, urgency
from tests.unit.hl7v2.samples import PID, line, mapped, only

ORC = "ORC|NW|TH1"
RXO = "RXO|PARA^Paracetamol^L|1||viên"


def often(frequency: int, period: int, unit: str, **more: Any) -> dict[str, Any]:
    return {"frequency": frequency, "period": Decimal(period), "periodUnit": unit, **more}


PATTERNS = {
    "BID": often(2, 1, "d"),
    "tid": often(3, 1, "d"),
    "QID": often(4, 1, "d"),
    "5ID": often(5, 1, "d"),
    "QD": often(1, 1, "d"),
    "QOD": often(1, 2, "d"),
    "QSHIFT": often(3, 1, "d"),
    "Q30S": often(1, 30, "s"),
    "Q15M": often(1, 15, "min"),
    "Q6H": often(1, 6, "h"),
    "Q3D": often(1, 3, "d"),
    "Q2W": often(1, 2, "wk"),
    "Q1L": often(1, 1, "mo"),
    "Q2J2": often(1, 2, "wk", dayOfWeek=["tue"]),
    "QJ135": often(1, 1, "wk", dayOfWeek=["mon", "wed", "fri"]),
    "QAM": often(1, 1, "d", when=["MORN"]),
    "QPM": often(1, 1, "d", when=["EVE"]),
    "QHS": often(1, 1, "d", when=["HS"]),
    "AC": {"when": ["AC"]},
    "PCM": {"when": ["PCM"]},
    "Once": {"count": 1},
    "C": {},
    "every 6 hours": often(1, 6, "h"),
    "Every 12 (twelve) hours": often(1, 12, "h"),
    "3 times daily": often(3, 1, "d"),
    "twice a day": often(2, 1, "d"),
    "ngày 2 lần": often(2, 1, "d"),
    "3 lần/ngày": often(3, 1, "d"),
    "mỗi 8 giờ": often(1, 8, "h"),
}


@pytest.mark.parametrize("code", PATTERNS)
def test_pattern(code: str) -> None:
    found = repeat_pattern_to_repeat(code)
    assert found.repeat == PATTERNS[code]
    assert found.known
    assert not found.as_needed


def test_every_meal_code_of_table_0528_that_fhir_has_is_read() -> None:
    for row in codes.table("v2-0528"):
        found = repeat_pattern_to_repeat(row.code)
        assert found.repeat == ({"when": [row.target]} if row.target else {}), row.code


@pytest.mark.parametrize(("code", "repeat"), [("PRN", {}), ("PRNQ6H", often(1, 6, "h")), ("BID PRN", often(2, 1, "d"))])
def test_as_needed(code: str, repeat: dict[str, Any]) -> None:
    found = repeat_pattern_to_repeat(code)
    assert found.as_needed
    assert found.repeat == repeat


@pytest.mark.parametrize("code", ["Q0H", "khi cần thì gọi", "U 0 8 * * *", "0ID"])
def test_what_no_rule_reads_stays_words(code: str) -> None:
    assert repeat_pattern_to_repeat(code).repeat == {}
    assert not repeat_pattern_to_repeat(code).known


@pytest.mark.parametrize(
    ("text", "found"),
    [("H6", ("6", "h")), ("D", ("1", "d")), ("M30", ("30", "min")), ("10 days", ("10", "d")), ("5 ngày", ("5", "d"))],
)
def test_durations(text: str, found: tuple[str, str]) -> None:
    assert letters_to_length(text) == (Decimal(found[0]), found[1])


def test_no_duration_out_of_words() -> None:
    assert letters_to_length("INDEF") is None
    assert unit_of_time("viên") == ""


def test_priorities_walk_the_table() -> None:
    for row in codes.table("v2-0485"):
        assert urgency(row.code) == row.target
    assert urgency("TM30") == urgency("T")


def timing(*segments: str) -> dict[str, Any]:
    outcome = mapped("OMP^O09", PID, ORC, *segments)
    request = only(outcome, "MedicationRequest")
    assert problems(request) == []
    dosage: dict[str, Any] = request["dosageInstruction"][0]
    return dosage


@pytest.mark.parametrize(
    ("tq1", "bounds"),
    [
        (
            {"f6": "3^d"},
            {"boundsDuration": {"value": Decimal(3), "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}},
        ),
        ({"f6": "3^d", "f7": "20261125"}, {"boundsPeriod": {"start": "2026-11-25", "end": "2026-11-27"}}),
        (
            {"f6": "12^h", "f8": "20261125200000"},
            {"boundsPeriod": {"start": "2026-11-25T08:00:00+07:00", "end": "2026-11-25T20:00:00+07:00"}},
        ),
        ({"f7": "20261125", "f8": "20261127"}, {"boundsPeriod": {"start": "2026-11-25", "end": "2026-11-27"}}),
        ({"f6": "1^mo", "f7": "20261125"}, {"boundsPeriod": {"start": "2026-11-25"}}),
    ],
)
def test_bounds(tq1: dict[str, str], bounds: dict[str, Any]) -> None:
    assert timing(line("TQ1", f1="1", **tq1), RXO)["timing"]["repeat"] == bounds


@pytest.mark.parametrize(
    ("tm", "clock"),
    [
        ("06", "06:00:00"),
        ("0630", "06:30:00"),
        ("06:30", "06:30:00"),
        ("063015", "06:30:15"),
        ("2560", ""),
        ("sáng", ""),
        ("", ""),
    ],
)
def test_clock(tm: str, clock: str) -> None:
    assert times_of_day([tm]) == ([clock] if clock else [])


def test_clock_times_stand_instead_of_how_often() -> None:
    found = timing("TQ1|1||Q24H|0600~1800", RXO)["timing"]
    assert found == {"repeat": {"timeOfDay": ["06:00:00", "18:00:00"]}, "code": {"text": "Q24H"}}


def test_clock_times_beside_a_meal_are_unknown() -> None:
    outcome = mapped("OMP^O09", PID, ORC, "TQ1|1||AC|0600", RXO)
    assert "TQ1-4" in outcome.coverage.unknown
    assert only(outcome, "MedicationRequest")["dosageInstruction"][0]["timing"]["repeat"] == {"when": ["AC"]}


def test_an_offset_needs_an_event() -> None:
    assert timing("TQ1|1||PC||30^min", RXO)["timing"]["repeat"] == {"when": ["PC"], "offset": 30}
    assert "TQ1-5" in mapped("OMP^O09", PID, ORC, "TQ1|1||BID||30^min", RXO).coverage.unknown


def test_several_timings_are_a_sequence() -> None:
    outcome = mapped("OMP^O09", PID, ORC, "TQ1|1||BID|||3^d||||||S", "TQ1|2||QD", "TQ1|3||PRN", RXO)
    dosages = only(outcome, "MedicationRequest")["dosageInstruction"]
    assert [one["sequence"] for one in dosages] == [1, 2, 3]
    assert dosages[2]["asNeededBoolean"] is True


def test_old_timing() -> None:
    outcome = mapped("RDE^O01", PID, ORC, "RXE|2^BID^D5^20261125^^S^nếu sốt^sau ăn|PARA^Paracetamol^L")
    request = only(outcome, "MedicationRequest")
    dosage = request["dosageInstruction"][0]
    assert request["priority"] == "stat"
    assert dosage["timing"]["repeat"]["boundsPeriod"] == {"start": "2026-11-25", "end": "2026-11-29"}
    assert dosage["additionalInstruction"] == [{"text": "nếu sốt"}]
    assert dosage["text"] == "sau ăn"
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": Decimal(2)}}]


def test_times_at_the_interval_are_a_count() -> None:
    outcome = mapped("RDE^O01", PID, ORC, "RXE|^Q2H^X3|PARA^Paracetamol^L|1||viên")
    repeat = only(outcome, "MedicationRequest")["dosageInstruction"][0]["timing"]["repeat"]
    assert repeat == {**often(1, 2, "h"), "count": 3}


def test_segment_and_order_complete_each_other() -> None:
    outcome = mapped(
        "RDE^O11", PID, "ORC|NW|TH1|||||10^BID^D4^^^R", "RXE|^^^20260101080000^^S|PARA^Paracetamol^L|1||viên"
    )
    request = only(outcome, "MedicationRequest")
    repeat = request["dosageInstruction"][0]["timing"]["repeat"]
    assert request["priority"] == "stat"
    assert repeat == {**often(2, 1, "d"), "boundsPeriod": {"start": "2026-01-01T08:00:00+07:00"}}
