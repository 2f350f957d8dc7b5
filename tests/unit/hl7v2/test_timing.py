"""When and how often: TQ1, TQ, RPT and RI as ServiceRequest.occurrence[x]."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.fhir import problems
from tests.unit.hl7v2.samples import PID, line, mapped, only


def request(tq1: str = "", timing: str = "", old: str = "") -> dict[str, Any]:
    segments = [
        line("ORC", f1="NW", f2="P1", f7=old),
        *([tq1] if tq1 else []),
        line("OBR", f2="P1", f4="T", f27=timing),
    ]
    found = only(mapped("OMG^O19", PID, *segments), "ServiceRequest")
    assert problems(found) == []
    return found


def test_begin_and_end_are_a_period() -> None:
    found = request("TQ1|1||||||20261103080000|20261104080000|S")
    assert found["occurrencePeriod"] == {"start": "2026-11-03T08:00:00+07:00", "end": "2026-11-04T08:00:00+07:00"}
    assert found["priority"] == "stat"


def test_a_repeated_order_is_a_timing() -> None:
    found = request("TQ1|1|2^lần|BID|0800~2000||3^d||||nếu sốt|nhịn ăn||10^min|6")
    repeat = found["occurrenceTiming"]["repeat"]
    assert repeat["boundsDuration"]["code"] == "d"
    assert "frequency" not in repeat
    assert (repeat["count"], repeat["timeOfDay"]) == (6, ["08:00:00", "20:00:00"])
    assert (repeat["duration"], repeat["durationUnit"]) == (Decimal("10"), "min")
    assert found["quantityQuantity"] == {"value": Decimal("2"), "unit": "lần"}
    assert [note["text"] for note in found["note"]] == ["nếu sốt", "nhịn ăn"]


def test_a_distance_only_makes_sense_from_a_meal() -> None:
    before = request("TQ1|1||ACM|||30^min^^")["occurrenceTiming"]["repeat"]
    assert "offset" not in before
    assert request("TQ1|1||ACM||30^min")["occurrenceTiming"]["repeat"] == {"when": ["ACM"], "offset": 30}
    outcome = mapped("OMG^O19", PID, "ORC|NW|P1", "TQ1|1||BID||30^min", "OBR|1|P1||T")
    assert "TQ1-5" in outcome.coverage.unknown


@pytest.mark.parametrize("code", ["PRN", "PRNQ6H"])
def test_when_needed(code: str) -> None:
    assert request(f"TQ1|1||{code}")["asNeededBoolean"] is True
    assert request(timing=f"^{code}")["asNeededBoolean"] is True


@pytest.mark.parametrize("place", ["timing", "old"])
def test_the_timing_of_older_versions(place: str) -> None:
    whole = request(**{place: "2^Q6H&0800,1400^D3^20261103080000^20261106080000^A^nếu cần^lấy máu^^^10&min^5"})
    repeat = whole["occurrenceTiming"]["repeat"]
    assert repeat["boundsPeriod"]["start"] == "2026-11-03T08:00:00+07:00"
    assert "periodUnit" not in repeat
    assert repeat["count"] == 5
    assert repeat["timeOfDay"] == ["08:00:00", "14:00:00"]
    assert whole["priority"] == "asap"
    assert request(**{place: "1^^D3"})["occurrenceTiming"]["repeat"]["boundsDuration"]["value"] == 3
    assert request(**{place: "^^X4"})["occurrenceTiming"]["repeat"]["count"] == 4
    assert request(**{place: "^^^20261103080000"})["occurrenceDateTime"] == "2026-11-03T08:00:00+07:00"


def test_the_quantity_of_older_versions_has_its_unit_inside() -> None:
    assert request(old="50&mL^BID")["quantityQuantity"]["unit"] == "mL"
    assert "quantityQuantity" not in request(old="1^BID")


def test_the_segment_goes_before_the_field() -> None:
    found = request("TQ1|1||||||20261103|||", timing="^^^20261105^^S")
    assert found["occurrencePeriod"] == {"start": "2026-11-03"}
    assert "occurrenceDateTime" not in found
    assert found["priority"] == "stat"


@pytest.mark.parametrize(
    ("rpt", "repeat"),
    [
        ("BID^DW^1^3", {"frequency": 2, "period": 1, "periodUnit": "d", "dayOfWeek": ["mon", "tue", "wed"]}),
        ("^^^^3^d", {"frequency": 1, "period": Decimal("3"), "periodUnit": "d"}),
        ("^^^^^^^PCM^30^min", {"when": ["PCM"], "offset": 30}),
        ("^^^^^^^CM^30^min", {"when": ["CM"]}),
    ],
)
def test_parts_of_a_repeat_pattern(rpt: str, repeat: dict[str, Any]) -> None:
    assert request(f"TQ1|1||{rpt}")["occurrenceTiming"]["repeat"] == repeat
