"""One trace for one message, from its frame to the receipt, over hours and nodes; no patient data; nothing waits for it."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from connectors.contract import Receipt
from connectors.faults import Unreachable
from gateway import tracing
from gateway.clock import SECOND
from gateway.delivery.observed import Observed
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.intake import ChannelIntake
from gateway.pipeline import Pipeline
from gateway.store import documents
from gateway.store.ids import uuid7
from gateway.tracing import Tracer, open_tracer, span_id, trace_id
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk, Inline
from tests.integration.gateway.test_papers import discharge
from tests.site import cli, running_node, write_site

FOLDER = '\n[[destination]]\nkind = "folder"\nname = "portal"\nfolder = "out"\nbasis = "law"\n'


class Kept:
    """Keeps what nodes hand over."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    def tracer(self, node: str, share: float = 1.0) -> Tracer:
        return Tracer(SimpleSpanProcessor(self.exporter), node, share)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.spans]


class Peer:
    """A destination that is away at first."""

    def __init__(self, failures: int) -> None:
        self._failures = failures

    async def deliver(self, document: Any) -> Receipt:
        if self._failures:
            self._failures -= 1
            raise Unreachable(detail="connection refused")
        return Receipt("R-1", b"Nguyen Thi Hoa", {})


def traced_desk(folder: Path, url: str, clock: HandClock, tracer: Tracer) -> Desk:
    (folder / "out").mkdir(parents=True)
    desk = Desk(folder, url, clock, destinations=FOLDER, produce=("discharge_paper",))
    pool: Any = Inline()
    desk.pipeline = Pipeline(desk.plan, desk.store, pool, clock, "n1", ring=lambda: None, parallel=1, tracer=tracer)
    (channel,) = desk.plan.channels
    context = Context(FACILITY, desk.plan.systems)
    desk.intake = ChannelIntake(channel, desk.store, desk.keyring, clock, lambda: None, context, tracer)
    return desk


async def deliver(desk: Desk, tracer: Tracer, node: str, peer: Any) -> None:
    (route,) = desk.plan.routes.values()
    rules = {route.name: route.common.rules("Asia/Ho_Chi_Minh")}
    queue = SqlQueue(desk.store, desk.keyring, desk.clock, node, 30 * SECOND, "01999", rules)

    async def message_of(document_id: str) -> str:
        return str(await desk.store.read(lambda c: documents.get(c, document_id).message_id))

    worker = Worker(route, peer, Observed(queue, desk.clock, tracer, message_of), desk.clock)
    while await worker._step():
        await worker._tasks.drain()


def test_one_message_is_one_trace_over_hours_and_nodes(tmp_path: Path, store_url: str, clock: HandClock) -> None:
    kept = Kept()
    first, second = kept.tracer("n1"), kept.tracer("n2")
    desk = traced_desk(tmp_path, store_url, clock, first)
    began = clock.now()
    message_id = desk.send(discharge("1"))
    peer = Peer(failures=1)
    asyncio.run(deliver(desk, first, "n1", peer))
    clock.forward(5 * 3600)
    asyncio.run(deliver(desk, second, "n2", peer))

    assert sorted(kept.names()) == sorted(
        ["message", "map", "compose", "sign", "paper", "attempt", "attempt", "delivery"]
    )
    assert {span.context.trace_id for span in kept.spans if span.context} == {trace_id(message_id)}
    assert f"{trace_id(message_id):032x}" == message_id.replace("-", "")
    by_id = {span.context.span_id: span.name for span in kept.spans if span.context}
    above = {(span.name, by_id[span.parent.span_id] if span.parent else "") for span in kept.spans}
    assert above == {
        ("message", ""),
        ("map", "message"),
        ("paper", "message"),
        ("compose", "paper"),
        ("sign", "paper"),
        ("delivery", "paper"),
        ("attempt", "delivery"),
    }
    (root,) = (span for span in kept.spans if span.name == "message")
    assert root.start_time == began * 1000
    assert dict(root.attributes or {})["lienthong.answer"] == "AA"
    (delivery,) = (span for span in kept.spans if span.name == "delivery")
    assert delivery.start_time is not None
    assert delivery.end_time is not None
    assert delivery.end_time - delivery.start_time >= 5 * 3600 * 10**9
    assert [event.name for event in delivery.events] == ["receipt"]
    failed, arrived = (span for span in kept.spans if span.name == "attempt")
    assert dict(failed.attributes or {})["lienthong.fault"] == "LT6001"
    assert not failed.status.is_ok
    assert dict(arrived.attributes or {})["lienthong.event"] == "accept"
    assert {dict(span.resource.attributes)["service.instance.id"] for span in (failed, arrived)} == {"n1", "n2"}


def test_people_who_sign_are_events_of_the_paper(tmp_path: Path, store_url: str, clock: HandClock) -> None:
    kept = Kept()
    traced_desk(tmp_path, store_url, clock, kept.tracer("n1")).send(discharge("1"))
    (paper,) = (span for span in kept.spans if span.name == "paper")
    assert [(event.name, dict(event.attributes or {})["lienthong.role"]) for event in paper.events] == [
        ("ready", "seal"),
        ("signed", "seal"),
    ]


def test_a_step_that_fails_says_which_fault_and_nothing_of_the_patient(
    tmp_path: Path, store_url: str, clock: HandClock
) -> None:
    kept = Kept()
    desk = traced_desk(tmp_path, store_url, clock, kept.tracer("n1"))
    desk.send(discharge("1", treatment=""))
    (composed,) = (span for span in kept.spans if span.name == "compose")
    assert dict(composed.attributes or {})["lienthong.fault"] == "LT3201"
    assert "paper" not in kept.names(), "it is not signed"
    desk.send(discharge("2"))
    asyncio.run(deliver(desk, kept.tracer("n1"), "n1", Peer(0)))
    whole = " ".join(span.to_json() for span in kept.spans)
    assert "delivery" in kept.names()
    for told in ("Nguyễn", "Nguyen", "BN1", "VV1", "19850214", "Lê Lợi", "J18", "R-1", "Kháng sinh"):
        assert told not in whole
    allowed = {
        f"lienthong.{name}"
        for name in (
            "message", "channel", "type", "state", "answer", "size", "document", "paper", "delivery", "destination", "event",
            "attempt", "fault", "fault_class",
        )
    }  # fmt: skip
    assert {name for span in kept.spans for name in span.attributes or {}} <= allowed


def test_a_share_of_the_messages_is_the_same_on_every_node() -> None:
    kept = Kept()
    tracers = [kept.tracer("n1", 0.25), kept.tracer("n2", 0.25)]
    ids = [uuid7() for _ in range(2000)]
    chosen = [[one for one in ids if tracer.wants(one)] for tracer in tracers]
    assert chosen[0] == chosen[1]
    assert 350 < len(chosen[0]) < 650


def test_keys_of_one_millisecond_are_chosen_like_any_other() -> None:
    """Their upper bits count up from one to the next, and say nothing about whose turn it is."""
    tracer = Kept().tracer("n1", 0.25)
    first = UUID("01a21840-cd12-7718-9500-000000000000").int
    tails = [secrets.randbits(48) for _ in range(400)]
    keys = [str(UUID(int=first + (n << 48) % (1 << 56) + tail)) for n, tail in enumerate(tails)]
    assert [tracer.wants(key) for key in keys] == [tail < 1 << 46 for tail in tails]


def test_keys_give_ids_that_do_not_change() -> None:
    """Nodes of two versions add to one trace."""
    assert span_id("message/1") == 0x6B5AB7B8DD320DFA


# ---- sending ----


@contextmanager
def receiver(status: int = 200) -> Iterator[SimpleNamespace]:
    """Listen as an OpenTelemetry collector does."""
    found = SimpleNamespace(spans=[], headers=[], status=status, got=threading.Event())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.headers.append(dict(self.headers))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found.spans.extend(scope.spans)
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()
            found.got.set()

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    found.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def test_spans_go_to_an_endpoint_with_its_token() -> None:
    message_id = uuid7()
    with receiver() as there:
        tracer = open_tracer(there.url, "a token of a test", 1.0, "n1")
        tracer.span(message_id, "message", SECOND, 2 * SECOND, {"lienthong.size": 7}, key=f"message/{message_id}")
        asyncio.run(tracer.close())
    (span,) = there.spans
    assert span.trace_id.hex() == message_id.replace("-", "")
    assert (span.name, span.start_time_unix_nano, span.end_time_unix_nano) == ("message", 10**9, 2 * 10**9)
    assert there.headers[0]["authorization"] == "Bearer a token of a test"


def fill(tracer: Tracer, n: int) -> float:
    """Hand over many spans; return how long that took."""
    started = time.perf_counter()
    for _ in range(n):
        tracer.span(uuid7(), "message", 1, 2, {})
    return time.perf_counter() - started


def test_an_endpoint_that_is_away_or_broken_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with receiver(status=503) as broken:
        for url in ("http://127.0.0.1:9/v1/traces", broken.url):
            caplog.clear()
            tracer = open_tracer(url, "", 1.0, "n1")
            fill(tracer, 12_000)  # more than there is room for
            started = time.perf_counter()
            asyncio.run(tracer.close())
            assert time.perf_counter() - started < 10
            told = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
            assert len([line for line in told if "cannot be sent" in line]) == 1
            assert not [line for line in told if "Queue full" in line]


def test_without_an_endpoint_nothing_is_loaded() -> None:
    assert open_tracer("", "", 1.0, "n1") is tracing.OFF
    assert not tracing.OFF.wants(uuid7())
    code = "import sys, gateway.app; sys.exit('opentelemetry.sdk.trace' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_running_node_sends_the_whole_way(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with receiver() as there:
        config = write_site(tmp_path, destinations=FOLDER, produce=("discharge_paper",))
        with (config / "node.toml").open("a", encoding="utf-8") as node_file:
            node_file.write(f'\n[trace]\nendpoint = "{there.url}"\n')
        sent = tmp_path / "message.hl7"
        sent.write_bytes(discharge("1"))
        with running_node(config) as node:
            done = cli("send", str(sent), "--to", node.listening["his"], "--json")
            assert done.returncode == 0, done.stderr
            until = time.monotonic() + 60
            while "delivery" not in {span.name for span in there.spans} and time.monotonic() < until:
                there.got.wait(1)
                there.got.clear()
        names = {span.name for span in there.spans}
        assert names == {"message", "map", "compose", "sign", "paper", "delivery", "attempt"}
        assert len({span.trace_id for span in there.spans}) == 1
