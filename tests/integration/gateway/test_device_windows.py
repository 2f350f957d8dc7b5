"""Values of a monitor in the record: one of each window, the same however often and in whatever order it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from gateway.device_windows import DeviceWindows
from gateway.ops.rehearsal import Rehearsal
from gateway.store import messages, samples
from mappings.device import decimation
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, message, pid
from tests.integration.gateway.test_records import again

_MDS = "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||G03^^00A0370000AA0003^EUI-64"


@pytest.fixture
def desk(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Desk]:
    made = Desk(tmp_path / "site", store_url, clock, produce=())
    yield made
    decimation.forget()
    made.store.close()


def pulse(desk: Desk, second: int, value: str, *rows: str) -> str:
    at = f"20261121080{second // 60}{second % 60:02}+0700"
    heart = f"OBX|2|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1.1.1|{value}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||F|||{at}"
    obr = f"OBR|1||T{second}|182777000^monitoring^SCT|||{at}"
    return desk.send(message("ORU^R01", f"m{second}", pid("BN1"), obr, _MDS, heart, *rows, sender="MON"))


def close(desk: Desk, seconds: float = 600) -> None:
    """Let time pass, and take what is over."""
    desk.clock.forward(seconds)
    windows = DeviceWindows(desk.store, desk.keyring, desk.clock, DEFAULT)

    def leads(_: Connection) -> None:
        """This node does."""

    asyncio.run(windows.turn(leads))


def measured(desk: Desk) -> list[Resource]:
    found = desk.of(desk.patient("BN1"), "Observation")
    return sorted(found, key=lambda one: str(one["effectiveDateTime"]))


def values(desk: Desk) -> list[str]:
    return [str(one["valueQuantity"]["value"]) for one in measured(desk)]


def test_one_value_a_minute(desk: Desk) -> None:
    for second, value in ((1, "80"), (21, "120"), (41, "82"), (61, "90")):
        pulse(desk, second, value)
    assert desk.store.read_now(lambda c: len(samples.due(c, 2**62, 10))) == 2
    close(desk)
    assert values(desk) == ["82", "90"]
    whole, alone = measured(desk)
    assert whole["extension"][0]["extension"][1] == {"url": "of", "valueInteger": 3}
    assert "extension" not in alone
    assert whole["device"]["reference"].startswith("DeviceMetric/")
    assert desk.get(whole["device"]["reference"])["type"]["coding"][0]["code"] == "147842"
    assert "8867-4" in {one["code"] for one in whole["code"]["coding"]}


def test_nothing_is_taken_before_its_time(desk: Desk) -> None:
    pulse(desk, 1, "80")
    close(desk, seconds=5)
    assert desk.store.read_now(lambda c: len(samples.due(c, 2**62, 10))) == 1


def test_done_twice_and_mapped_again_changes_nothing(desk: Desk) -> None:
    first = pulse(desk, 1, "80")
    pulse(desk, 21, "120")
    close(desk)
    (before,) = measured(desk)
    close(desk)
    again(desk, first)
    close(desk)
    (after,) = measured(desk)
    assert after == before
    assert desk.version(f"Observation/{after['id']}") == 1


def test_a_rehearsal_looks_for_no_values_of_windows(desk: Desk) -> None:
    first, last = pulse(desk, 1, "80"), pulse(desk, 21, "120")
    close(desk)
    rehearsal = Rehearsal(desk.plan, desk.clock.now())
    told = [desk.store.read_now(lambda connection, id_=one: rehearsal.one(connection, id_)) for one in (first, last)]  # type: ignore[misc]
    assert [(one.outcome, one.differences) for one in told] == [("mapped", []), ("mapped", [])]


def test_a_late_value_takes_the_window_again(desk: Desk) -> None:
    pulse(desk, 1, "80")
    close(desk)
    (before,) = measured(desk)
    pulse(desk, 2, "90")
    pulse(desk, 3, "95")
    close(desk)
    (after,) = measured(desk)
    assert after["id"] == before["id"]
    assert after["valueQuantity"]["value"] == 90
    assert desk.version(f"Observation/{after['id']}") == 2


def test_a_value_that_comes_while_a_window_is_taken_is_not_lost(desk: Desk) -> None:
    pulse(desk, 1, "80")
    (window,) = desk.store.read_now(lambda c: samples.due(c, 2**62, 10))
    pulse(desk, 2, "90")
    assert not desk.store.write_now(lambda c: samples.settle(c, window, 1)), "another value came since it was read"
    close(desk)
    assert values(desk) == ["80"]


def test_blood_pressure_and_alarms_do_not_wait(desk: Desk) -> None:
    pressures = (
        "OBX|3|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.2.1.1|120|266016^MDC_DIM_MMHG^MDC|||||F",
        "OBX|4|NM|150022^MDC_PRESS_BLD_NONINV_DIA^MDC|1.2.1.2|80|266016^MDC_DIM_MMHG^MDC|||||F",
    )
    pulse(desk, 1, "80", *pressures)
    assert [one["code"]["coding"][0]["code"] for one in measured(desk)] == ["150020"]
    close(desk)
    assert len(measured(desk)) == 2


def test_every_message_is_mapped_and_accounted_for(desk: Desk) -> None:
    id_ = pulse(desk, 1, "80")
    assert desk.store.read_now(lambda c: messages.get(c, id_)).state == "mapped"
    counts = desk.store.read_now(lambda c: messages.coverage_counts(c, id_))
    assert counts is not None
    assert counts[0] > 0
    assert counts[2] == 0


def test_the_values_of_a_window_are_sealed(desk: Desk) -> None:
    pulse(desk, 1, "80")
    (window,) = desk.store.read_now(lambda c: samples.due(c, 2**62, 10))
    (row,) = desk.store.read_now(lambda c: samples.of_window(c, window))
    assert b"BN1" not in row.body
    assert b"Observation" not in row.body
