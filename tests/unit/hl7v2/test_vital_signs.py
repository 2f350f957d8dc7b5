"""A LOINC code of a vital sign is claimed by Observations that fit its profile, and by no other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.formats import er7
from mappings.hl7v2 import Context, faults, map_message
from mappings.hl7v2.vital_signs import PANELS, UNITS, as_vital_sign
from mappings.systems import LOINC, UCUM

CONTEXT = Context(facility="01032")
PULSE = {"value": Decimal("72"), "unit": "lần/phút", "system": UCUM, "code": "/min"}


def observation(code: str = "8867-4", **changes: Any) -> dict[str, Any]:
    made = {
        "code": {"coding": [{"system": LOINC, "code": code}], "text": "mạch"},
        "effectiveDateTime": "2026-11-04T08:00:00+07:00",
        "valueQuantity": PULSE,
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def claimed(made: dict[str, Any]) -> bool:
    as_vital_sign(made, CONTEXT)
    systems = {coding["system"] for coding in made["code"]["coding"]}
    vital = any(coding["code"] == "vital-signs" for one in made.get("category", ()) for coding in one["coding"])
    assert vital == (LOINC in systems)
    return vital


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"effectiveDateTime": "2026-11-04"}, True),
        ({"effectiveDateTime": "2026-11"}, False),
        ({"effectiveDateTime": None}, False),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-11-04"}}, True),
        ({"valueQuantity": {**PULSE, "code": "Hz"}}, False),
        ({"valueQuantity": {"value": Decimal("72"), "unit": "bpm"}}, False),
        ({"valueQuantity": None, "valueString": "72"}, False),
        ({"valueQuantity": None}, False),
        ({"valueQuantity": None, "dataAbsentReason": {"text": "x"}}, True),
    ],
)
def test_what_fits(changes: dict[str, Any], fits: bool) -> None:
    assert claimed(observation(**changes)) is fits


@pytest.mark.parametrize(("code", "unit"), [(code, unit) for code, units in UNITS.items() for unit in sorted(units)])
def test_every_unit_of_every_code(code: str, unit: str) -> None:
    assert claimed(observation(code, valueQuantity={**PULSE, "code": unit}))
    assert not claimed(observation(code, valueQuantity={**PULSE, "code": "mol"}))


@pytest.mark.parametrize(
    ("changes", "unfit"),
    [
        ({}, ""),
        ({"valueQuantity": {**PULSE, "code": "mm[Hg]"}}, "8867-4 mm[Hg]"),
        ({"valueQuantity": {"value": Decimal("72")}}, "8867-4"),
        ({"valueQuantity": {"value": Decimal("72"), "unit": "bpm"}}, ""),
        ({"effectiveDateTime": None}, ""),
        ({"valueQuantity": None}, ""),
    ],
    ids=["fits", "another unit", "no unit", "a unit that no table knows is told of elsewhere", "no time", "no value"],
)
def test_a_unit_that_does_not_fit_is_said(changes: dict[str, Any], unfit: str) -> None:
    assert as_vital_sign(observation(**changes), CONTEXT) == unfit


def test_the_notice_of_a_pulse_in_pressure_and_of_none_without_a_unit() -> None:
    rows = (
        "OBX|1|NM|8867-4^Mạch^LN||80|mm[Hg]|||||F|||20261104080000",
        "OBX|2|NM|9279-1^Nhịp thở^LN||18||||||F|||20261104080000",
    )
    head = "MSH|^~\\&|HIS|01999|||20261104080500||ORU^R01^ORU_R01|1|P|2.5.1"
    message = "\r".join([head, "PID|||BN1^^^01999^PI", "OBR|1||1^HIS|DHST^Dấu hiệu sinh tồn^99", *rows, ""])
    notices = map_message(er7.Message.parse(message.encode()), CONTEXT).notices
    assert [(n.code, n.where, n.detail) for n in notices if n.code == faults.UNIT_UNFIT] == [
        (faults.UNIT_UNFIT, "OBX-6", "8867-4 mm[Hg]"),
        (faults.UNIT_UNFIT, "OBX[2]-6", "9279-1"),
    ]


@pytest.mark.parametrize("code", sorted(PANELS))
def test_a_panel_needs_its_parts(code: str) -> None:
    assert not claimed(observation(code))
    parts = [{"code": {"coding": [{"system": LOINC, "code": part}]}} for part in sorted(PANELS[code])]
    whole = {"component": parts} if parts else {"hasMember": [{"reference": "Observation/1"}]}
    assert claimed(observation(code, valueQuantity=None, **whole))


def test_anything_else_is_left_alone() -> None:
    made = observation("718-7", effectiveDateTime=None)
    before = dict(made)
    as_vital_sign(made, CONTEXT)
    assert made == before


def test_the_words_and_other_codings_stay() -> None:
    made = observation(effectiveDateTime=None)
    made["code"]["coding"].append({"system": "http://example.org", "code": "HR"})
    as_vital_sign(made, CONTEXT)
    assert made["code"]["text"] == "mạch"
    assert [coding["code"] for coding in made["code"]["coding"]] == ["8867-4", "HR"]
