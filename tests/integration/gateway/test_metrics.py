"""What `/metrics` says of a ledger, on both engines: counted right, at most every few seconds, and only what may be said."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Connection

from gateway import __version__, meters
from gateway.clock import SECOND
from gateway.configuration import load
from gateway.faults import StoreUnavailable
from gateway.ops import metrics as subject
from gateway.ops.metrics import LEDGER, Metrics
from gateway.ops.scheduler import NAME as SCHEDULER
from gateway.settings import Plan
from gateway.store import deliveries, destinations, documents, leadership, messages, migrate, nodes, schema
from gateway.store.documents import NewDocument
from gateway.store.engine import Store, open_store
from gateway.store.ids import uuid7
from tests.conftest import HandClock
from tests.integration.gateway.desk import Desk, evn, message, pid, pv1
from tests.integration.gateway.test_store import new_message
from tests.site import cli, running_node, write_site

FOLDER = '\n[[destination]]\nkind = "folder"\nname = "portal"\nfolder = "out"\nbasis = "law"\n'
HOSTILE = "Nguyễn Thị Hoa 0123456789"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url)
    yield opened
    opened.close()


ANALYSER = """\
name = "analyser"
source = { kind = "astm", listen = "127.0.0.1:0", tls = "none" }
accept = ["ASTM"]
instrument = "AN-500"
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    config = write_site(tmp_path / "site", destinations=FOLDER)
    (config / "channels" / "analyser.toml").write_text(ANALYSER, encoding="utf-8")
    return load(config)


def said(body: bytes) -> dict[tuple[str, ...], float]:
    """Give every sample: name and values of its labels, by the names of the labels → value."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def page(store: Store, plan: Plan, clock: HandClock) -> dict[tuple[str, ...], float]:
    return said(asyncio.run(Metrics(plan, store, clock).page())[0])


def fill(store: Store, clock: HandClock, states: tuple[str, ...], to: str = "portal", role: str = "seal") -> None:
    """Put one paper with a delivery in each state, and one signing task, into the ledger."""

    def unit(connection: Connection) -> None:
        arrived = new_message()
        messages.insert_all(connection, [arrived])
        new = NewDocument("discharge_paper", uuid7(), "his", arrived.id, "p1", b"k", 1, 2)
        document = documents.insert(connection, new)
        for state in states:
            made = deliveries.insert(connection, document, to, uuid7().encode()[:16], "law", clock.now(), "pending")
            held = {"lease_owner": "n2", "lease_until": clock.now() + 60 * SECOND} if state == "sending" else {}
            connection.execute(schema.delivery.update().where(schema.delivery.c.id == made).values(state=state, **held))
        connection.execute(
            schema.signing_task.insert().values(
                id=uuid7(), document_id=document, number=1, step="s", role=role, state="ready", optional=False,
                in_person=False, countersigns=False, deadline_at=1,
            )
        )  # fmt: skip

    store.write_now(unit)


def test_what_waits_is_counted(store: Store, plan: Plan, clock: HandClock) -> None:
    fill(store, clock, ("queued", "sending", "accepted", "error", "pending"))
    store.write_now(lambda c: destinations.pause(c, "portal", at=1, actor="a", reason="r"))
    clock.forward(90)
    fill(store, clock, ("queued",))
    found = page(store, plan, clock)
    assert found["lienthong_ledger_up",] == 1
    assert found["lienthong_node_info", "n1", __version__] == 1
    assert found["lienthong_messages_waiting",] == 2
    assert found["lienthong_documents_waiting", "due"] == 2
    assert found["lienthong_deliveries_open", "portal", "queued"] == 2
    assert found["lienthong_deliveries_open", "portal", "pending"] == 1
    assert found["lienthong_deliveries_open", "portal", "uncertain"] == 0
    assert found["lienthong_deliveries_oldest_seconds", "portal"] == 90
    assert found["lienthong_deliveries_in_flight", "portal"] == 0, "the lease ran out"
    assert found["lienthong_destination_paused", "portal"] == 1
    assert found["lienthong_error_queue", "delivery", "error"] == 1
    assert found["lienthong_error_queue", "message", "error"] == 0
    assert found["lienthong_error_queue", "commitment", "error"] == 0
    assert found["lienthong_signing_tasks", "seal", "ready"] == 2
    assert found["lienthong_certificates_ending", "30"] == 0
    clock.forward(-60)
    assert page(store, plan, clock)["lienthong_deliveries_in_flight", "portal"] == 1


def test_nodes_are_counted_and_whether_one_leads(store: Store, plan: Plan, clock: HandClock) -> None:
    found = page(store, plan, clock)
    assert (found["lienthong_nodes", "running"], found["lienthong_scheduler_led",]) == (0, 0)

    def unit(connection: Connection) -> None:
        for name in ("n1", "n2", "n3"):
            nodes.start(connection, name, name, "all", __version__, migrate.newest(), clock.now())
        assert nodes.move(connection, "n3", "n3", "die")
        assert leadership.take(connection, SCHEDULER, "n1", clock.now(), clock.now() + 60 * SECOND)

    store.write_now(unit)
    clock.forward(6)
    store.write_now(lambda c: nodes.beat(c, "n1", "n1", clock.now()))
    found = page(store, plan, clock)
    counted = {state: found["lienthong_nodes", state] for state in ("running", "silent", "dead", "stopped")}
    assert counted == {"running": 1, "silent": 1, "dead": 1, "stopped": 0}
    assert found["lienthong_scheduler_led",] == 1


def test_the_ledger_is_not_asked_at_every_call(
    store: Store, plan: Plan, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics(plan, store, clock)

    async def twice() -> tuple[bytes, bytes]:
        first, _ = await metrics.page()
        await asyncio.to_thread(fill, store, clock, ("queued",))
        second, _ = await metrics.page()
        return first, second

    key = ("lienthong_deliveries_open", "portal", "queued")
    assert [said(body)[key] for body in asyncio.run(twice())] == [0, 0]
    monkeypatch.setattr(metrics, "_stale_at", 0.0)
    assert said(asyncio.run(metrics.page())[0])[key] == 1


def test_a_ledger_that_is_away_is_said_and_the_rest_is_there(
    store: Store, plan: Plan, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable()

    monkeypatch.setattr(store, "read", away)
    found = page(store, plan, clock)
    assert found["lienthong_ledger_up",] == 0
    assert "lienthong_messages_waiting" not in {name for name, *_ in found}
    assert ("lienthong_redis_away",) in found
    assert "process_resident_memory_bytes" in {name for name, *_ in found}


def values_of_labels(body: bytes) -> Iterator[tuple[str, str]]:
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name.startswith("lienthong_"):
                yield from ((name, value) for name, value in sample.labels.items() if name != "le")


def test_labels_come_from_configuration_or_closed_tables(store: Store, plan: Plan, clock: HandClock) -> None:
    """Whatever stands in the ledger or comes over the wire: nothing of it becomes a label."""
    fill(store, clock, ("queued", "sending", "error"), to=HOSTILE, role=HOSTILE)
    meters.count(meters.DELIVERIES, destination=HOSTILE, event=HOSTILE, fault_class=HOSTILE)
    meters.count(meters.MESSAGES, channel=HOSTILE, type=HOSTILE, state=HOSTILE, answer=HOSTILE)
    body, _ = asyncio.run(Metrics(plan, store, clock).page())
    found = set(values_of_labels(body))
    assert ("destination", "other") in found
    assert ("role", "other") in found
    for name, value in found:
        assert value == "other" or value in meters._allowed[name], f"{name}={value}"
    assert HOSTILE not in body.decode()


def test_every_gauge_of_the_ledger_is_said(store: Store, plan: Plan, clock: HandClock) -> None:
    fill(store, clock, ("queued",))
    assert {name for name, *_ in page(store, plan, clock)} >= LEDGER.keys()


class Fetched:
    def counts(self) -> dict[str, int]:
        return {"away": 1, "seen": 3, "waiting": 2, "stuck": 1}


def test_how_places_stand_from_which_files_are_fetched(store: Store, plan: Plan, clock: HandClock) -> None:
    found = said(asyncio.run(Metrics(plan, store, clock, {"his": Fetched()}).page())[0])
    assert found["lienthong_source_away", "his"] == 1
    states = {state: found["lienthong_source_files", "his", state] for state in ("seen", "waiting", "stuck")}
    assert states == {"seen": 3, "waiting": 2, "stuck": 1}
    assert not [name for name, *_ in page(store, plan, clock) if name.startswith("lienthong_source")]


def test_openmetrics_is_spoken_when_asked(store: Store, plan: Plan, clock: HandClock) -> None:
    body, media_type = asyncio.run(Metrics(plan, store, clock).page("application/openmetrics-text; version=1.0.0"))
    assert media_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def counted(meter: Any, **labels: str) -> float:
    return float(meter.labels(**labels)._value.get())


def test_messages_are_counted_by_what_became_of_them(tmp_path: Path, store_url: str, clock: HandClock) -> None:
    desk = Desk(tmp_path, store_url, clock, produce=())
    subject.know(desk.plan)

    def now(type_: str, state: str, answer: str) -> float:
        return counted(meters.MESSAGES, channel="his", type=type_, state=state, answer=answer)

    kinds = (
        ("ADT^A01", "received", "AA"), ("ADT^A01", "duplicate", "AA"), ("ADT^A01", "error", "AE"), ("other", "error", "AR"),
    )  # fmt: skip
    before = [now(*kind) for kind in kinds]
    admitted = message("ADT^A01", "C1", evn(), pid("1"), pv1("V1"))
    desk.send(admitted)
    desk.ask(admitted)
    desk.ask(message("ADT^A01", "C1", evn(), pid("2"), pv1("V2")))
    desk.ask(HOSTILE.encode())
    assert [now(*kind) - was for kind, was in zip(kinds, before, strict=True)] == [1, 1, 1, 1]


def test_a_running_node_says_it_all(tmp_path: Path) -> None:
    config = write_site(tmp_path, health="127.0.0.1:0", produce=(), destinations=FOLDER)
    sent = tmp_path / "message.hl7"
    sent.write_bytes(message("ADT^A01", "C1", evn(), pid("1"), pv1("V1")))
    with running_node(config) as node:
        cli("send", str(sent), "--to", node.listening["his"])
        with urllib.request.urlopen(f"http://{node.listening['health']}/metrics") as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=")
            body = answer.read()
    found = said(body)
    assert found["lienthong_messages_total", "AA", "his", "received", "ADT^A01"] == 1
    assert found["lienthong_intake_seconds_count", "his"] == 1
    assert found["lienthong_store_commit_seconds_count",] >= 1
    assert "Nguyễn" not in body.decode()
