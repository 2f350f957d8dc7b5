"""What becomes of a device's report, where two messages or two devices have to be told apart or are the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.records.content import overlay, owner
from mappings.fhir import problems
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message
from mappings.hl7v2.datatypes import Element
from mappings.outcome import Outcome, Resource

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
CONTEXT = Context(facility="01032")
_PID = "PID|||BN1^^^01032^PI||A^B"
_MDS = "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||{}"
_HR = "OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|{}|264864^MDC_DIM_BEAT_PER_MIN^MDC||{}|||R|||{}"
_AT = "20261103101500+0700"


def report(*rows: str, pid: str = _PID, sender: str = "GW^0022330000000001^EUI-64", control: str = "1") -> Outcome:
    head = f"MSH|^~\\&|{sender}|01032|||{_AT}||ORU^R01^ORU_R01|{control}|P|2.6"
    obr = f"OBR|1||T{control}|182777000^monitoring^SCT|||{_AT}"
    text = "\r".join(part for part in (head, pid, obr, *rows) if part)
    outcome = map_message(er7.Message.parse(text.encode()), CONTEXT)
    for resource in outcome.resources:
        assert problems(resource) == []
    return outcome


def all_of(outcome: Outcome, kind: str) -> list[Resource]:
    return [one for one in outcome.resources if one["resourceType"] == kind]


def pulse(value: str = "80", flags: str = "", at: str = _AT) -> str:
    return _HR.format(value, flags, at)


def codings(concept: Element) -> list[str]:
    return [one["code"] for one in concept["coding"]]


def test_two_monitors_behind_one_gateway_are_two_devices() -> None:
    rows = [report(_MDS.format(f"G0{n}^^0022330000000001^EUI-64"), pulse()) for n in (1, 2)]
    first, second = (next(one for one in all_of(found, "Device") if "type" in one) for found in rows)
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    "ei", ["^^00-22-33-FF-FE-00-00-09^EUI-64", "002233fffe000009^EUI-64", "002233FFFE000009^^002233FFFE000009^EUI-64"]
)
def test_a_makers_number_is_one_device_however_it_is_written(ei: str) -> None:
    (device,) = all_of(report(_MDS.format(ei), pulse()), "Device")
    assert device["identifier"] == [
        {"system": "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680", "value": "002233FFFE000009"}
    ]


def test_the_sender_is_the_device_when_nothing_else_names_it() -> None:
    outcome = report(pulse())
    (device,) = all_of(outcome, "Device")
    assert device["identifier"][0]["value"] == "0022330000000001"
    (metric,) = all_of(outcome, "DeviceMetric")
    assert metric["source"]["reference"] == f"Device/{device['id']}"


def test_a_nameless_sender_still_gives_the_value() -> None:
    outcome = report(pulse(), sender="")
    assert all_of(outcome, "DeviceMetric") == []
    assert all_of(outcome, "Observation")[0]["valueQuantity"]["value"] == 80


def test_the_same_message_is_the_same_measurement_and_a_later_one_another() -> None:
    ids = [
        all_of(report(_MDS.format("M1"), pulse(at=at), control=control), "Observation")[0]["id"]
        for control, at in (("1", _AT), ("2", _AT), ("3", "20261103101501+0700"))
    ]
    assert ids[0] == ids[1] != ids[2]


def test_another_person_at_the_same_monitor_is_another_measurement() -> None:
    ids = {
        all_of(report(_MDS.format("M1"), pulse(), pid=f"PID|||BN{n}^^^01032^PI||A^B"), "Observation")[0]["id"]
        for n in (1, 2)
    }
    assert len(ids) == 2


def test_devices_and_metrics_are_nobodys() -> None:
    outcome = report(_MDS.format("M1"), pulse())
    assert {owner(one, outcome.patient_id) for kind in ("Device", "DeviceMetric") for one in all_of(outcome, kind)} == {
        None
    }


@pytest.mark.parametrize("flag", ["TEST", "DEMO", "N~DEMO"])
def test_what_nobodys_body_made_is_not_recorded(flag: str) -> None:
    outcome = report(_MDS.format("M1"), pulse(flags=flag))
    assert all_of(outcome, "Observation") == []
    assert {position for position in outcome.coverage.ignored if position.startswith("OBX[2]")} >= {
        "OBX[2]-3",
        "OBX[2]-5",
    }


@pytest.mark.parametrize(
    ("value", "flag", "why"),
    [
        ("80", "INV", "error"),
        ("", "NAV", "temp-unknown"),
        ("", "OFF", "not-performed"),
        ("8388607", "", "not-a-number"),
        ("-100", "", "not-a-number"),
        ("-999", "", "not-a-number"),
    ],
)
def test_no_value_says_why(value: str, flag: str, why: str) -> None:
    outcome = report(_MDS.format("M1"), pulse(value, flag))
    (observation,) = all_of(outcome, "Observation")
    assert "valueQuantity" not in observation
    assert codings(observation["dataAbsentReason"]) == [why]
    assert outcome.coverage.unknown == {}


def test_a_doubt_stays_beside_the_value() -> None:
    (observation,) = all_of(report(_MDS.format("M1"), pulse("80", "QUES~ALACT")), "Observation")
    assert observation["valueQuantity"]["value"] == 80
    assert [codings(one) for one in observation["interpretation"]] == [["QUES"], ["ALACT"]]


def test_a_pressure_alone_is_no_blood_pressure() -> None:
    row = "OBX|2|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.1.1.1|120|266016^MDC_DIM_MMHG^MDC|||||F"
    (observation,) = all_of(report(_MDS.format("M1"), row), "Observation")
    assert codings(observation["code"]) == ["150021", "8480-6"]
    assert "component" not in observation


def test_pressures_of_two_moments_are_two_blood_pressures() -> None:
    rows = [
        f"OBX|{n}|NM|{code}^{name}^MDC|1.1.1.{n}|{90 + n}|266016^MDC_DIM_MMHG^MDC|||||F|||2026110310{minute}00+0700"
        for minute in ("10", "20")
        for n, (code, name) in enumerate((("150021", "SYS"), ("150022", "DIA")), 2)
    ]
    found = all_of(report(_MDS.format("M1"), *rows), "Observation")
    assert [one["effectiveDateTime"][11:16] for one in found] == ["10:10", "10:20"]
    assert all(len(one["component"]) == 2 and "85354-9" in codings(one["code"]) for one in found)


def test_an_alarm_is_one_observation_from_begin_to_end() -> None:
    told: list[dict[str, Any]] = []
    for name in ("begins", "ends"):
        outcome = map_message(er7.Message.parse((GOLDEN / "oru_r40" / name / "input.hl7").read_bytes()), CONTEXT)
        told += all_of(outcome, "Observation")
    begun, ended = told
    assert begun["id"] == ended["id"]
    whole = overlay(begun, ended, overwrite=True)
    assert whole["status"] == "final"
    assert whole["effectivePeriod"] == {"start": "2026-11-03T10:19:58+07:00", "end": "2026-11-03T10:21:28+07:00"}


def test_a_report_is_no_diagnostic_report() -> None:
    outcome = report(_MDS.format("M1"), pulse())
    assert not {"DiagnosticReport", "ServiceRequest"} & {one["resourceType"] for one in outcome.resources}


def test_laboratory_results_in_the_same_message_stay_results() -> None:
    lab = ("OBR|2|CD1|XN1|58410-2^Huyết học^LN|||20261103084500", "OBX|1|NM|718-7^Hb^LN||13.5|g/dL|||||F")
    outcome = report(_MDS.format("M1"), pulse(), *lab)
    (laboratory,) = all_of(outcome, "DiagnosticReport")
    assert len(laboratory["result"]) == 1
    assert len(all_of(outcome, "Observation")) == 2


@pytest.mark.parametrize("n", range(1, 19))
def test_whatever_field_a_row_of_a_device_has_the_account_is_whole(n: int) -> None:
    fields = [""] * 19
    fields[0], fields[3], fields[4], fields[18] = "OBX", "69965^MDC_DEV_X^MDC", "1.0.0.0", "M1"
    fields[n] = fields[n] or "7"
    outcome = report("|".join(fields), pulse())
    coverage = outcome.coverage
    told = [one for one in (*coverage.mapped, *coverage.ignored, *coverage.unknown) if re.match(r"OBX-", one)]
    assert len(told) == len({*told}) == sum(bool(one) for one in fields[1:])
