"""Which values of a monitor the record gets: rules, windows, choices that do not depend on the order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from mappings.device import decimation
from mappings.device.decimation import RAW, Sample, choose, sift
from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message
from mappings.outcome import Outcome, Resource

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
OWN = "https://lienthong.vn/fhir"


@pytest.fixture(autouse=True)
def _usual_rules() -> Iterator[None]:
    yield
    decimation.forget()


def outcome(case: str) -> Outcome:
    return map_message(er7.Message.parse((GOLDEN / case / "input.hl7").read_bytes()), Context(facility="01032"))


def sample(value: str, second: int, keep: tuple[str, ...] = ("median",), number: int = 0) -> Sample:
    observation: Resource = {
        "resourceType": "Observation",
        "id": f"o{number or second}",
        "status": "final",
        "code": {"text": "x"},
        "effectiveDateTime": f"2026-11-03T10:00:{second:02}+07:00",
        "valueQuantity": {"value": Decimal(value)},
    }
    return Sample(60, 1_793_674_800, "DeviceMetric/m", keep, observation)


def values(chosen: list[Resource]) -> list[str]:
    return [str(one["valueQuantity"]["value"]) for one in chosen]


def test_numbers_wait_the_rest_is_taken_now() -> None:
    sifted = sift(outcome("oru_r01/monitor"))
    waiting = {one.observation["code"]["coding"][0]["code"] for one in sifted.samples}
    now = {one["code"]["coding"][0]["code"] for one in sifted.outcome.resources if one["resourceType"] == "Observation"}
    assert waiting == {"147842", "151578", "150456", "149530", "150364", "152490"}
    assert now == {"150020", "184327"}
    assert sifted.fates == {"waiting": 6, "raw": 0, "record": 2}


def test_a_waveform_stays_in_the_message_and_its_fields_say_so() -> None:
    whole = outcome("oru_r01/waveform")
    sifted = sift(whole)
    assert {one["resourceType"] for one in sifted.outcome.resources} == {"Patient"}
    coverage = sifted.outcome.coverage
    assert coverage.ignored["OBX[2]-5"] == coverage.ignored["OBX[3]-5"] == RAW
    assert coverage.total == whole.coverage.total
    assert not set(coverage.mapped) & set(coverage.ignored)


def test_alarms_and_laboratory_results_are_never_sifted() -> None:
    for case in ("oru_r40/begins", "oru_r01/blood_count"):
        whole = outcome(case)
        assert sift(whole).outcome is whole


def test_a_rule_for_every_value() -> None:
    decimation.replace('[[rule]]\nmetric = ["147842"]\nevery = "0s"')
    sifted = sift(outcome("oru_r01/monitor"))
    assert "147842" not in {one.observation["code"]["coding"][0]["code"] for one in sifted.samples}
    assert sifted.fates["record"] == 3


def test_a_rule_for_waveforms() -> None:
    decimation.replace('[[rule]]\nkind = "waveform"\nkeep = ["first"]\nevery = "1h"')
    assert [one.every_s for one in sift(outcome("oru_r01/waveform")).samples] == [3600]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1",
        '[[rule]]\nkind = "picture"',
        '[[rule]]\nkeep = ["mean"]',
        '[[rule]]\nkind = "waveform"\nkeep = ["median"]',
        '[[rule]]\nmetric = "147842"',
        '[[rule]]\nmetric = ["HR"]',
        '[[rule]]\nevery = "2d"',
        '[[rule]]\nevery = "250ms"',
        '[[rule]]\nevery = "soon"',
        "[[rule]]\nper = 1",
        "[[rule]]\n[[rule]]",
        '[[rule]]\nmetric = ["1"]\n[[rule]]\nmetric = ["1"]',
    ],
)
def test_rules_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decimation.replace(text)


def test_the_median_is_a_value_that_was_measured() -> None:
    assert values(choose([sample("80", 1), sample("120", 2), sample("82.50", 3)], OWN)) == ["82.50"]
    assert values(choose([sample("80", 1), sample("82", 2)], OWN)) == ["80"]


def test_extremes_first_and_last() -> None:
    keep = ("median", "first", "last", "min", "max")
    chosen = choose([sample(v, n, keep) for n, v in enumerate(["81", "60", "85", "140", "82"], 1)], OWN)
    assert sorted(values(chosen), key=int) == ["60", "81", "82", "140"], (
        "the median is the last one here, and is taken once"
    )


def test_no_order_of_arrival_changes_the_choice() -> None:
    all_of = [sample(str(60 + n * 7 % 40), n, ("median", "min", "max")) for n in range(1, 50)]
    expected = choose(all_of, OWN)
    for seed in range(20):
        shuffled = list(all_of)
        Random(seed).shuffle(shuffled)
        assert choose(shuffled, OWN) == expected


def test_a_late_value_changes_the_choice_and_adds_no_observation() -> None:
    first = choose([sample("80", 1)], OWN)
    later = choose([sample("80", 1), sample("90", 2), sample("95", 3)], OWN)
    assert [one["id"] for one in first] == [one["id"] for one in later]
    assert values(later) == ["90"]
    assert "extension" not in first[0]
    assert problems(later[0]) == []


def test_a_window_without_values_keeps_the_reason() -> None:
    nothing = sample("1", 1)
    del nothing.observation["valueQuantity"]
    nothing.observation["dataAbsentReason"] = {"text": "off"}
    (kept,) = choose([nothing], OWN)
    assert kept["dataAbsentReason"] == {"text": "off"}
    assert values(choose([nothing, sample("80", 2)], OWN)) == ["80"]


@pytest.mark.parametrize("guide", ["operations.md", "van-hanh.md"])
def test_the_rules_of_the_guides_are_rules(guide: str) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / guide).read_text(encoding="utf-8")
    decimation.replace(text.split("# site/devices.toml\n")[1].split("```")[0])
    sifted = sift(outcome("oru_r01/monitor"))
    assert {one.every_s for one in sifted.samples} == {60, 300}
