"""Clocks of papers, on both engines and with a clock in the hand: warned once, past once, late for ever; who must act."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from gateway import papers
from gateway.clock import SECOND, SystemClock
from gateway.configuration import load
from gateway.delivery import deadlines as subject
from gateway.delivery.deadlines import Told, Watch
from gateway.ops import metrics
from gateway.ops.deadlines import Deadlines, deadlines
from gateway.settings import Plan
from gateway.store import deliveries, destinations, messages, schema
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid
from tests.integration.gateway.test_papers import change as changed
from tests.integration.gateway.test_papers import discharge as whole_discharge
from tests.integration.gateway.test_store import new_message
from tests.site import cli, write_site

HOUR = 3600 * SECOND
DAY = 24 * HOUR
TWO = "".join(
    f'\n[[destination]]\nkind = "folder"\nname = "{name}"\nfolder = "out"\nbasis = "law"\n{more}'
    for name, more in (("portal", ""), ("axis", 'deadline = "at once"\n'))
)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return load(write_site(tmp_path_factory.mktemp("site"), destinations=TWO, produce=("discharge_paper",)))


def put(store: Store, plan: Plan, clock: HandClock, within: int = DAY) -> tuple[str, dict[str, str]]:
    """Make a paper due that has this much time, with its deliveries; return its id, and theirs by destination."""
    arrived, now = new_message(), clock.now()

    def unit(connection: Connection) -> tuple[str, dict[str, str]]:
        messages.insert_all(connection, [arrived])
        messages.move(connection, arrived.id, "map")
        new = NewDocument("discharge_paper", uuid7(), "his", arrived.id, "p1", uuid7().encode()[:16], now, now + within)
        made = papers.put(connection, plan, plan.channels[0], new, now, now)
        found = deliveries.listing(connection, document_id=made)
        return made, {row.destination: row.id for row in found}

    return store.write_now(unit)


def change(store: Store, delivery: str, **values: Any) -> None:
    store.write_now(
        lambda c: c.execute(schema.delivery.update().where(schema.delivery.c.id == delivery).values(**values))
    )


def accept(store: Store, clock: HandClock, delivery: str) -> None:
    """Let a destination say yes."""
    change(store, delivery, state="sending")
    moved = store.write_now(
        lambda c: deliveries.move(c, delivery, "accept", None, accepted_at=clock.now(), reference="R")
    )
    assert moved


def row(store: Store, delivery: str) -> Any:
    return store.read_now(lambda c: deliveries.get(c, delivery))


def look(store: Store, plan: Plan, clock: HandClock) -> list[tuple[str, str]]:
    told = asyncio.run(Watch(plan, store, clock).look())
    return [(one.id, one.event) for one in told]


def listed(store: Store, plan: Plan, clock: HandClock, span: tuple[int, int] | None = None) -> Deadlines:
    return store.read_now(lambda c: deadlines(c, plan, clock.now(), span))


def told(found: Deadlines) -> set[tuple[str, str, str, str]]:
    return {(one.item.id, one.status, one.item.why, one.who) for one in found.clocks}


# ---- the watch ----


def test_what_does_not_arrive_is_warned_of_once_and_past_once(store: Store, plan: Plan, clock: HandClock) -> None:
    _, to = put(store, plan, clock)
    change(store, to["axis"], state="closed", notice_at=None)
    clock.forward(18 * 3600 - 1)
    assert look(store, plan, clock) == []
    clock.forward(1)
    assert look(store, plan, clock) == [(to["portal"], "warned")]
    assert look(store, plan, clock) == []
    clock.forward(6 * 3600 - 1)
    assert look(store, plan, clock) == []
    clock.forward(1)
    assert look(store, plan, clock) == [(to["portal"], "breached")]
    clock.forward(10 * 86400)
    assert look(store, plan, clock) == []
    noted = row(store, to["portal"])
    assert noted.warned_at == noted.created_at + 18 * HOUR
    assert noted.breached_at == noted.created_at + DAY


def test_two_nodes_say_it_once(store: Store, store_url: str, plan: Plan, clock: HandClock) -> None:
    made = {put(store, plan, clock)[1]["portal"] for _ in range(40)}
    other = open_store(store_url)
    clock.forward(86400 + 1)

    async def both() -> Sequence[list[Told]]:
        return await asyncio.gather(Watch(plan, store, clock).look(), Watch(plan, other, clock).look())

    said = [one.id for each in asyncio.run(both()) for one in each if one.destination == "portal"]
    other.close()
    said += [
        id_ for id_, _ in look(store, plan, clock)
    ]  # what one held while the other looked is said by the next look
    assert sorted(one for one in said if one in made) == sorted(made)


def test_what_arrives_in_time_is_not_spoken_of(store: Store, plan: Plan, clock: HandClock) -> None:
    _, to = put(store, plan, clock)
    clock.forward(60)
    for one in to.values():
        accept(store, clock, one)
        assert row(store, one).notice_at is None, "the watch does not even look at it"
    clock.forward(2 * 86400)
    assert look(store, plan, clock) == []
    assert listed(store, plan, clock).clocks == []


def test_a_yes_after_the_deadline_is_late_for_ever(store: Store, plan: Plan, clock: HandClock) -> None:
    _, to = put(store, plan, clock)
    begin = clock.now()
    clock.forward(86400 + 1)
    look(store, plan, clock)
    clock.forward(60)
    accept(store, clock, to["portal"])
    noted = row(store, to["portal"])
    assert (noted.breached_at, noted.notice_at) == (noted.created_at + DAY + SECOND, None)
    assert {one[:2] for one in told(listed(store, plan, clock))} == {(to["axis"], "past")}
    of_day = listed(store, plan, clock, (begin, begin + DAY))
    assert {one[:2] for one in told(of_day)} == {(to["axis"], "past"), (to["portal"], "late")}


def test_a_late_yes_is_noted_also_when_no_node_looked_meanwhile(store: Store, plan: Plan, clock: HandClock) -> None:
    _, to = put(store, plan, clock)
    change(store, to["axis"], state="closed", notice_at=None)
    clock.forward(3 * 86400)
    accept(store, clock, to["portal"])
    assert look(store, plan, clock) == [(to["portal"], "breached")]
    assert row(store, to["portal"]).notice_at is None
    assert look(store, plan, clock) == []


@pytest.mark.parametrize(("state", "event"), [("error", "close"), ("pending", "withhold"), ("pending", "repeat")])
def test_what_is_not_to_arrive_has_no_clock(store: Store, plan: Plan, clock: HandClock, state: str, event: str) -> None:
    document, to = put(store, plan, clock)
    for one in to.values():
        change(store, one, state=state)
    if event == "repeat":
        store.write_now(lambda c: deliveries.move_all(c, document, event, clock.now()))
    else:
        store.write_now(lambda c: [deliveries.move(c, one, event, None) for one in to.values()])
    clock.forward(2 * 86400)
    assert look(store, plan, clock) == []
    assert listed(store, plan, clock).clocks == []


def test_an_outage_is_one_line_and_all_of_it_is_noted(
    store: Store, plan: Plan, clock: HandClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "BATCH", 7)
    metrics.know(plan)
    made = [put(store, plan, clock)[1]["portal"] for _ in range(20)]
    clock.forward(86400 + 1)
    with caplog.at_level(logging.WARNING, "lienthong.deadlines"):
        look(store, plan, clock)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("portal")]
    assert len(lines) == 1
    assert "20 deliveries are past their deadline (20 discharge_paper)" in lines[0]
    assert all(row(store, one).breached_at for one in made)


# ---- where a deadline comes from ----


def test_a_destination_may_have_less_time(store: Store, plan: Plan, clock: HandClock) -> None:
    _, to = put(store, plan, clock)
    assert row(store, to["axis"]).deadline_at == clock.now() + 15 * 60 * SECOND
    assert row(store, to["portal"]).deadline_at == clock.now() + DAY


def discharge(control_id: str, *, at: str, trigger: str = "ADT^A03") -> bytes:
    left = "|".join(("PV1", *("1" if n == 1 else "I" if n == 2 else "K1^1^1" if n == 3 else "V1^^^01999^VN" if n == 19
                              else "20261120080000" if n == 44 else at if n == 45 else "" for n in range(1, 46))))  # fmt: skip
    return message(trigger, control_id, evn(), pid("1"), left)


def deadline_of(desk: Desk) -> list[int]:
    found = desk.store.read_now(lambda c: deliveries.listing(c))
    return [one.deadline_at for one in reversed(found)]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", "2026-11-22T09:00:00+07:00"),
        ('deadline = "end of day"', "2026-11-22T00:00:00+07:00"),
        ('deadline = "at once"', "2026-11-21T09:15:00+07:00"),
        ('deadline = "36h"', "2026-11-22T21:00:00+07:00"),
    ],
)
def test_time_runs_from_the_end_of_the_visit(tmp_path: Path, setting: str, expected: str) -> None:
    clock = HandClock(int(datetime.fromisoformat("2026-11-21T10:00:00+07:00").timestamp()) * SECOND)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    desk = Desk(
        tmp_path, url, clock, produce=("discharge_paper",), destinations=TWO.replace('deadline = "at once"', setting)
    )
    desk.send(discharge("C1", at="20261121090000"))
    portal, axis = deadline_of(desk)
    wanted = int(datetime.fromisoformat(expected).timestamp()) * SECOND
    assert axis == wanted
    assert portal == int(datetime.fromisoformat("2026-11-22T09:00:00+07:00").timestamp()) * SECOND


def test_the_time_of_a_later_version_runs_from_when_it_is_asked_for(tmp_path: Path, clock: HandClock) -> None:
    """The visit ended days ago; a correction cannot have been due then."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    desk = Desk(tmp_path, url, clock, produce=("discharge_paper",), destinations=TWO)
    desk.send(whole_discharge("C1"))
    clock.forward(100 * 86400)
    desk.send(changed("C2", treatment="Kháng sinh khác"))
    later = clock.now()
    *before, portal, axis = deadline_of(desk)
    assert max(before) < later
    assert (portal, axis) == (later + DAY, later + 15 * 60 * SECOND)


# ---- the list ----


def test_who_must_act(store: Store, plan: Plan, clock: HandClock) -> None:
    """One paper for each cause."""
    waits, refused, unreachable, going, held = (put(store, plan, clock) for _ in range(5))
    for made in (waits, refused, unreachable, going, held):
        change(store, made[1]["axis"], state="closed", notice_at=None)

    def sign(connection: Connection) -> None:
        documents_ = schema.document
        connection.execute(documents_.update().where(documents_.c.id == waits[0]).values(state="signing"))
        connection.execute(
            schema.signing_task.insert().values(
                id=uuid7(), document_id=waits[0], number=1, step="doctor", role="treating_doctor", state="ready",
                optional=False, in_person=False, countersigns=False, deadline_at=1,
            )
        )  # fmt: skip

    store.write_now(sign)
    change(store, waits[1]["portal"], state="awaiting")
    change(store, refused[1]["portal"], state="error", fault_code=6002)
    change(store, unreachable[1]["portal"], state="queued", fault_code=6001)
    change(store, going[1]["portal"], state="queued")
    change(store, held[1]["portal"], state="held")
    clock.forward(20 * 3600)
    look(store, plan, clock)
    found = listed(store, plan, clock)
    assert not found.breached
    assert told(found) == {
        (waits[1]["portal"], "near", "signature", "signer"),
        (refused[1]["portal"], "near", "fault", "it"),
        (unreachable[1]["portal"], "near", "fault", "destination"),
        (going[1]["portal"], "near", "under_way", "nobody"),
        (held[1]["portal"], "near", "under_way", "it"),
    }
    store.write_now(lambda c: destinations.pause(c, "portal", at=1, actor="lan", reason="khóa giao diện"))
    clock.forward(5 * 3600)
    found = listed(store, plan, clock)
    assert found.breached
    who = {one.item.id: (one.status, one.who, one.paused) for one in found.clocks}
    assert who[going[1]["portal"]] == ("past", "it", "khóa giao diện")


def test_a_message_in_the_error_queue_has_a_clock_too(store: Store, plan: Plan, clock: HandClock) -> None:
    """No paper is there yet, but the time of the paper runs."""

    def unit(connection: Connection, type_: str) -> str:
        arrived = new_message()
        messages.insert_all(connection, [arrived])
        values = {"state": "error", "type": type_, "received_at": clock.now(), "channel": "his", "fault_code": 3001}
        connection.execute(schema.message.update().where(schema.message.c.id == arrived.id).values(**values))
        return arrived.id

    wrong = store.write_now(lambda c: unit(c, "ADT^A03"))
    store.write_now(lambda c: unit(c, "ADT^A02"))  # makes no paper due
    clock.forward(17 * 3600)
    assert listed(store, plan, clock).clocks == []
    clock.forward(2 * 3600)
    assert told(listed(store, plan, clock)) == {(wrong, "near", "fault", "it")}
    clock.forward(6 * 3600)
    assert told(listed(store, plan, clock)) == {(wrong, "past", "fault", "it")}


def test_the_gauges_say_how_many(store: Store, plan: Plan, clock: HandClock) -> None:
    _, first = put(store, plan, clock)
    clock.forward(5 * 3600)
    put(store, plan, clock)
    clock.forward(20 * 3600)
    look(store, plan, clock)
    body, _ = asyncio.run(metrics.Metrics(plan, store, clock).page())
    assert b'lienthong_deliveries_by_deadline{deadline="past",destination="portal"} 1.0' in body
    assert b'lienthong_deliveries_by_deadline{deadline="near",destination="portal"} 1.0' in body
    assert b'lienthong_deliveries_by_deadline{deadline="past",destination="axis"} 2.0' in body
    assert b'lienthong_deadline_events_total{destination="portal",event="breached",paper="discharge_paper"}' in body
    assert row(store, first["portal"]).breached_at


def test_the_command_tells_and_exits_with_one_when_something_is_past(tmp_path: Path, store_url: str) -> None:
    config = write_site(tmp_path, store=store_url, destinations=TWO)
    plan = load(config)
    store = open_store(store_url)
    clock = HandClock(SystemClock().now() - 20 * HOUR)
    _, to = put(store, plan, clock)
    accept(store, clock, to["axis"])
    clock.forward(19 * 3600)
    look(store, plan, clock)
    done = cli("report", "deadlines", "--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["near"], said["past"], said["late"], said["breached"]) == (1, 0, 0, False)
    assert said["items"][0]["who"] == "nobody"
    change(store, to["portal"], state="error", fault_code=6002, deadline_at=clock.now() - HOUR)
    done = cli("report", "deadlines", "--config", str(config))
    assert done.returncode == 1, done.stderr
    assert "QUÁ HẠN" in done.stdout
    assert "CNTT" in done.stdout
    store.close()
