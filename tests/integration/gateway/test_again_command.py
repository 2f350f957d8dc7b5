"""`lienthong resend`, `reprocess` and `jobs` beside a ledger: counted, done, stopped by a signal, gone on with; wrong words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.site import load_site
from gateway.store import actions, deliveries, messages, schema
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk
from tests.integration.gateway.test_papers import FOLDER, discharge, rows
from tests.integration.gateway.test_rehearsal import NEW_NAME
from tests.site import cli

DAY = "2026-09-21"
"""Of the clock in the test's hand; keys tell the real day."""


@pytest.fixture(autouse=True)
def _forget(tmp_path: Path) -> Iterator[None]:
    yield
    load_site(tmp_path / "no such folder")


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Iterator[Desk]:
    place = tmp_path / "site-of-test"
    place.mkdir()
    made = Desk(place, f"sqlite:///{place}/ledger.db", clock, destinations=FOLDER)
    yield made
    made.store.close()


def run(desk: Desk, *arguments: str, code: int = 0) -> Any:
    done = cli(*arguments, "--config", str(desk.plan.folder))
    assert done.returncode == code, done.stderr + done.stdout
    return done


def run_json(desk: Desk, *arguments: str, code: int = 0) -> Any:
    return json.loads(run(desk, *arguments, "--json", code=code).stdout)


def put(desk: Desk, state: str, **values: Any) -> str:
    """Put the one delivery there is into a state; return it."""
    (row,) = desk.store.read_now(deliveries.listing)
    table = schema.delivery
    desk.store.write_now(lambda c: c.execute(table.update().values(state=state, **values)))
    return str(row.id)


def state(desk: Desk, delivery: str) -> str:
    return str(desk.store.read_now(lambda c: deliveries.get(c, delivery)).state)


def test_without_yes_it_counts_and_does_nothing(desk: Desk) -> None:
    desk.send(discharge("1"))
    delivery = put(desk, "error", fault_code=6002)
    said = run_json(desk, "resend", "--destination", "folder")
    assert said == {
        "verb": "resend",
        "would_do": 1,
        "counted": [{"destination": "folder", "state": "error", "against": "", "number": 1}],
        "leads_to": [],
    }
    assert "Sẽ làm 1. Chưa làm gì" in run(desk, "resend", "--destination", "folder").stdout
    assert state(desk, delivery) == "error"
    assert run_json(desk, "jobs") == []


def test_with_yes_it_does_and_tells(desk: Desk) -> None:
    desk.send(discharge("1"))
    delivery = put(desk, "error", fault_code=6002)
    options = ("--destination", "folder", "--fault", "LT6002", "--type", "ADT^A03", "--control-id", "1")
    said = run_json(desk, "resend", *options, "-r", "cổng đã sửa", "--rate", "100/s", "--yes")
    assert (said["state"], said["done"], said["left"], said["waiting"]) == ("done", 1, [], 0)
    assert state(desk, delivery) == "uncertain"
    (job,) = run_json(desk, "jobs")
    assert (job["verb"], job["state"], job["reason"], job["rate"]) == ("resend", "done", "cổng đã sửa", "100/s")
    assert job["selection"]["faults"] == [6002]
    shown = run_json(desk, "jobs", "show", job["id"])
    assert [act["verb"] for act in shown["actions"]] == ["resend", "finish"]
    assert "xong" in run(desk, "jobs", "show", job["id"]).stdout
    assert "LT8103" in run(desk, "jobs", "resume", job["id"], code=1).stderr
    assert "LT8103" in run(desk, "jobs", "stop", job["id"], code=1).stderr


def test_what_was_accepted_wants_force_and_a_reason(desk: Desk) -> None:
    desk.send(discharge("1"))
    delivery = put(desk, "accepted")
    options = ("resend", "--destination", "folder", "--state", "accepted", "--delivery", delivery)
    assert "cần --force" in run(desk, *options).stdout
    assert run_json(desk, *options)["would_do"] == 0
    assert "--force" in run(desk, *options, "--yes", code=2).stderr
    assert "lý do" in run(desk, *options, "--yes", "--force", code=2).stderr
    assert "lý do" in run(desk, *options, "--yes", "--force", "-r", " ", code=2).stderr
    assert state(desk, delivery) == "accepted"
    run(desk, *options, "--yes", "--force", "-r", "nơi nhận mất dữ liệu")
    assert state(desk, delivery) == "queued"
    (act,) = desk.store.read_now(lambda c: actions.of_target(c, delivery))
    assert act.verb == "send_again"
    assert act.reason.startswith("nơi nhận mất dữ liệu [")


def test_a_dry_run_tells_by_path_and_then_it_is_done(desk: Desk) -> None:
    message = desk.send(discharge("1"))
    desk.plan.site.mkdir()
    (desk.plan.site / "own.py").write_text(NEW_NAME, encoding="utf-8")
    said = run_json(desk, "reprocess", "--message", message, "--dry-run")
    assert said["summary"] | {"messages": 1, "changed": 1, "version": 1} == said["summary"]
    (resource,) = said["messages"][0]["resources"]
    assert resource["elements"] == [{"path": "Patient.name[0].text", "change": "changed"}]
    (paper,) = said["messages"][0]["papers"]
    assert (paper["result"], paper["version"], paper["destinations"]) == ("version", 2, ["folder"])
    assert [one["change"] for one in paper["printed"]] == ["changed"]
    assert paper["coded"] == []
    shown = run(desk, "reprocess", "--message", message, "--dry-run").stdout
    assert "Patient.name[0].text" in shown
    assert "Nguyễn" not in shown
    assert "bản mới 2 → folder" in shown
    assert "~ Người bệnh / Họ tên người bệnh" in shown
    assert "Bà Nguyễn" in run(desk, "reprocess", "--message", message, "--dry-run", "--show-values").stdout
    assert len(rows(desk)) == 1
    options = ("reprocess", "--message", message)
    counted = run_json(desk, *options)
    assert (counted["would_do"], counted["leads_to"]) == (1, ["folder"])
    assert "LT8120" in run(desk, *options, "--yes", code=1).stderr
    assert run_json(desk, *options, "--destination", "folder", "--yes")["done"] == 1
    assert desk.store.read_now(lambda c: messages.get(c, message)).state == "received"


def test_ctrl_c_stops_between_two_items_and_resume_goes_on(desk: Desk) -> None:
    for control_id in ("1", "2"):
        desk.send(discharge(control_id))
    options = ("reprocess", "--from", "2020-01-01", "--destination", "folder", "--rate", "1/h", "--yes", "--json")
    config = ("--config", str(desk.plan.folder))
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *options, *config], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    deadline = time.monotonic() + 60
    while not (listed := run_json(desk, "jobs")) or listed[0]["done"] < 1:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    said = json.loads(out)
    assert (said["state"], said["done"], said["waiting"]) == ("stopped", 1, 1)
    done = run_json(desk, "jobs", "resume", said["job"])
    assert (done["state"], done["done"], done["waiting"]) == ("done", 2, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("resend",), 2, "từng nơi nhận"),
        (("resend", "--destination", "nowhere"), 1, "LT8102"),
        (("resend", "--destination", "folder", "--state", "queued"), 2, "accepted, error"),
        (("resend", "--destination", "folder", "--state", "accepted", "--force", "-r", "x"), 2, "--day"),
        (("resend", "--destination", "folder", "--force"), 2, "lý do"),
        (("resend", "--destination", "folder", "--fault", "6O02"), 2, "LT6002"),
        (("resend", "--destination", "folder", "--rate", "fast"), 2, "10/min"),
        (("resend", "--destination", "folder", "--paper", "no_paper"), 1, "LT3204"),
        (("resend", "--destination", "folder", "--day", "yesterday"), 2, "--day"),
        (("resend", "--destination", "folder", "--from", "25/13/2026"), 2, "2026-11-25"),
        (("resend", "--destination", "folder", "--to", "2026-11-25"), 2, "--from"),
        (("resend", "--destination", "folder", "--from", "2026-11-25", "--to", "2026-11-24"), 2, "--to"),
        (("resend", "--destination", "folder", "--day", DAY, "--from", DAY), 2, "--day"),
        (("resend", "--destination", "folder", "--encounter", "nobody"), 1, "LT8102"),
        (("reprocess",), 2, "--day"),
        (("reprocess", "--type", "ADT"), 2, "--day"),
        (("reprocess", "--state", "received", "--day", DAY), 2, "error, kept, mapped"),
        (("reprocess", "--day", DAY, "--dry-run", "--yes"), 2, "--dry-run"),
        (("reprocess", "--day", DAY, "--show-values"), 2, "--dry-run"),
        (("jobs", "show", "x"), 1, "LT8102"),
        (("jobs", "stop", "x"), 1, "LT8102"),
        (("jobs", "resume", "x"), 1, "LT8102"),
    ],
)
def test_wrong_words_do_nothing(desk: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    found = run(desk, *arguments, code=code).stderr
    assert said in " ".join(found.replace("│", " ").split())
    assert desk.store.read_now(lambda c: actions.of_target(c, "x")) == []
    assert run_json(desk, "jobs") == []


def test_of_several_errors_those_that_can_be_are_retried_and_the_others_told(desk: Desk) -> None:
    desk.send(discharge("1"))
    delivery = put(desk, "error", fault_code=6002)
    done = run(desk, "errors", "retry", "nothing", delivery, delivery, code=1)
    assert "LT8102" in done.stderr
    assert "LT8103" in done.stderr, "it is not in the error queue any more"
    assert done.stdout.count(delivery) == 1
    assert state(desk, delivery) == "uncertain"
