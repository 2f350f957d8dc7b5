"""`lienthong lab`: a result is given to its person, a critical value is seen and acknowledged once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gateway.store import actions, lab
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_laboratory import ACCEPT, LIMITS, order, reports, result
from tests.site import cli


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Desk:
    own = tmp_path / "site" / "site" / "lab"
    own.mkdir(parents=True)
    (own / "critical.csv").write_text(LIMITS + "HGB,,,,70,200,g/L\n", encoding="utf-8")
    return Desk(tmp_path / "site", f"sqlite:///{tmp_path / 'ledger.db'}", clock, accept=ACCEPT, produce=())


def told(desk: Desk, *arguments: str, code: int = 0) -> Any:
    with patch("gateway.cli.lab.SystemClock", lambda: desk.clock):
        done = cli("lab", *arguments, "-c", str(desk.plan.folder))
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout + done.stderr


def test_a_critical_value_waits_until_somebody_was_told(desk: Desk) -> None:
    assert told(desk, "critical", "list", "--json") == []
    order(desk)
    desk.send(result(value="65"))
    (one,) = told(desk, "critical", "list", "--json", code=1)
    assert (one["state"], one["value"], one["unit"], one["limit"], one["side"]) == (
        "open",
        "65",
        "g/L",
        "70-200",
        "low",
    )
    assert "thấp" in told(desk, "critical", "list", code=1)
    assert told(desk, "critical", "acknowledge", one["id"], "--told", " ", code=1)
    done = told(desk, "critical", "acknowledge", one["id"], "--told", "BS Lan 10:05", "--json")
    assert (done["state"], done["told"]) == ("acknowledged", "BS Lan 10:05")
    assert done["acknowledged_by"]
    assert told(desk, "critical", "list", "--json") == []
    assert len(told(desk, "critical", "list", "--all", "--json")) == 1
    assert "LT8103" in told(desk, "critical", "acknowledge", one["id"], "--told", "again", code=1)
    assert "LT8102" in told(desk, "critical", "acknowledge", "nothing", "--told", "x", code=1)
    verbs = [row.verb for row in desk.store.read_now(lambda c: actions.of_target(c, one["id"]))]
    assert verbs == ["acknowledge"]


def test_a_result_is_given_to_its_person(desk: Desk) -> None:
    order(desk)
    answer = desk.ask(result(patient="P|1||||LE^HOA"))
    desk.work()
    message_id = str(answer.message_id)
    assert desk.state(message_id).fault_code == 3384
    assert told(desk, "assign", message_id, "--patient", "BN1", "-r", " ", code=1)
    told(desk, "assign", message_id, "--patient", "BN1", "-r", "nhãn ống đúng, gõ nhầm tên")
    desk.work()
    assert desk.state(message_id).state == "mapped"
    assert len(reports(desk)) == 1


def test_only_messages_of_instruments_are_given(desk: Desk) -> None:
    message_id = order(desk)
    assert "LT8103" in told(desk, "assign", message_id, "--patient", "BN2", "-r", "x", code=1)
    assert "LT8102" in told(desk, "assign", "nothing", "--patient", "BN2", "-r", "x", code=1)
    assert desk.store.read_now(lambda c: lab.assigned(c, message_id)) is None
