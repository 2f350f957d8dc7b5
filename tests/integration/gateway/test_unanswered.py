"""An answer that a device asked for and did not take: a person finds that, and why, at the message that asked."""

from __future__ import annotations

import time
from pathlib import Path

from connectors.faults import AnswerNotTaken
from gateway.store import actions
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.site import cli_json


def test_it_stands_at_the_message_that_asked(tmp_path: Path, clock: HandClock) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    desk = Desk(tmp_path / "site", url, clock, produce=())
    answer = desk.ask(b"H|\\^&|||asks\rQ|1|^S1\rL|1|N\r")
    assert answer.message_id is not None
    message_id = answer.message_id
    desk.intake.unanswered(answer, AnswerNotTaken("10.0.7.21:4010", "busy"))
    end = time.monotonic() + 10
    while not (done := desk.store.read_now(lambda c: actions.of_target(c, message_id))):
        assert time.monotonic() < end, "not noted"
    assert [(one.actor, one.verb) for one in done] == [("his", "unanswered")]
    shown = cli_json("errors", "show", message_id, "-c", str(tmp_path / "site"))
    assert [one["reason"] for one in shown["actions"]] == ["LT2153 AnswerNotTaken at 10.0.7.21:4010 (busy)"]
