"""Promises P1, P3 and P4 under SIGKILL: nothing acknowledged is lost, nothing arrives twice, order per patient holds."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import sqlalchemy as sa

from conformance.sandbox.ca import DemoCA
from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from gateway.clock import to_instant
from gateway.configuration import load
from gateway.faults import ItemDeadly
from gateway.store import schema
from gateway.store.engine import make_engine
from gateway.store.ids import uuid7
from tests import servers
from tests.crash import matrix
from tests.crash.killing_node import PLACES, REDIS_PLACES, WORKER_STEPS
from tests.crash.matrix import places
from tests.site import PASSWORD, DiedAtStart, NodeProcess, cli, cli_json, destinations, start_node, write_site

FIRST = date(2026, 11, 20)
ROUNDS = 40
"""Days after which a place that nothing came to is one that nothing comes to."""
UNASKED = "insurance_portal"
"""The destination that nobody can ask what it has."""
OPEN = ("pending", "queued", "claimed", "sending", "uncertain")


@contextmanager
def sandbox(folder: Path) -> Iterator[dict[str, str]]:
    """Run the three destinations in a process of their own."""
    with (folder / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "conformance.sandbox", "--folder", str(folder / "sandbox"), "--password", PASSWORD],
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


@dataclass
class Hospital:
    """A HIS that does what a good one does: it sends again until it has an answer."""

    config: Path
    kills: list[str]
    """Places still to be killed at; `random` is a moment under load."""
    chance: random.Random
    fired: list[str] = field(default_factory=list)
    answered: dict[str, str] = field(default_factory=dict)
    """Control id → answer code, of everything that got an answer."""
    node: NodeProcess | None = None
    plan: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """Of every node."""
    patience: int = 0
    """How often it sends again what was answered with "not now", before it believes that it means this message."""
    mark: Path = Path()
    """Appears when a process of the pool was killed as planned."""

    def start(self) -> None:
        """Start a node, with the next kill planted; one that is killed before it listens counts too."""
        while True:
            try:
                return self._start()
            except DiedAtStart as died:
                if died.args[0] != -9:
                    raise
                self.fired.append(self.kills.pop(0))

    def _start(self) -> None:
        environment = dict(self.environment)
        self.plan = self.kills[0] if self.kills else ""
        if self.plan.startswith("worker "):
            self.mark = self.config / f"killed-{len(self.fired)}"
            environment["LIENTHONG_TEST_KILL_WORKER"] = f"{self.plan.split()[1]}:{self.mark}"
        elif self.plan and self.plan != "random":
            most = 6 if self.plan in PLACES else 1
            environment["LIENTHONG_TEST_KILL"] = f"{self.plan}:{self.chance.randint(1, most)}"
        self.node = start_node(self.config, "tests.crash.killing_node", **environment)
        if self.plan == "random":
            process = self.node.process
            threading.Timer(self.chance.uniform(0.02, 1.5), process.kill).start()

    def revive(self) -> None:
        """Start the node again when it was killed, or when it has outlived the death of a process of its pool."""
        if self.plan.startswith("worker ") and self.mark.exists() and self.node is not None:
            self.node.kill()
        if self.node is None or self.node.process.poll() is not None:
            if self.node is not None:
                assert self.node.process.returncode == -9, (self.config / "node.log").read_text()[-2000:]
                self.fired.append(self.kills.pop(0))
                if self.node.process.stdout is not None:
                    self.node.process.stdout.close()
            self.start()

    def send(self, event: Event) -> None:
        while True:
            self.revive()
            assert self.node is not None
            code = exchange(self.node.address(), event.raw)
            if code == "AR" and self.patience:
                self.patience -= 1
                time.sleep(0.1)
            elif code is not None:
                self.answered[event.control_id] = code
                return
            else:
                self.node.process.wait(10)

    def settle(self, engine: sa.Engine, timeout_s: float = 120.0) -> None:
        """Let the node finish, killed as planned, until nothing is under way; the time counts from the last kill."""
        end, fired = time.monotonic() + timeout_s, len(self.fired)
        while time.monotonic() < end:
            self.revive()
            if len(self.fired) > fired:
                end, fired = time.monotonic() + timeout_s, len(self.fired)
            with engine.connect() as connection:
                if not under_way(connection):
                    return
            time.sleep(0.05)
        with engine.connect() as connection:
            raise AssertionError(f"the node did not finish: {stuck(connection)}")

    def retry_innocent(self) -> None:
        """Do as a person told that these killed their process twice, and that it was not them.

        What may be at the portal, which cannot be asked, is left to somebody who looks there.
        """
        accused = [one for one in cli_json("errors", "-c", str(self.config)) if one["fault"]["code"] == "LT8109"]
        innocent = [one["id"] for one in accused if not one["about"].endswith(UNASKED)]
        if innocent:
            cli("errors", "retry", *innocent, "-c", str(self.config))  # a delivery goes with its paper


def exchange(address: tuple[str, int], raw: bytes) -> str | None:
    """Return MSA-1, or None when no answer came."""
    try:
        with socket.create_connection(address, 5) as connection:
            connection.settimeout(20)
            connection.sendall(b"\x0b" + raw + b"\x1c\r")
            data = b""
            while not data.endswith(b"\x1c\r"):
                more = connection.recv(65536)
                if not more:
                    return None
                data += more
    except OSError:
        return None
    return next(line.split(b"|")[1].decode() for line in data.split(b"\r") if line.startswith(b"MSA"))


def under_way(connection: sa.Connection) -> int:
    counts = (
        sa.select(sa.func.count()).select_from(schema.message).where(schema.message.c.state == "received"),
        sa.select(sa.func.count()).select_from(schema.document).where(schema.document.c.state.in_(("due", "composed"))),
        sa.select(sa.func.count()).select_from(schema.delivery).where(schema.delivery.c.state.in_(OPEN)),
    )
    return sum(connection.scalar(count) or 0 for count in counts)


def stuck(connection: sa.Connection) -> list[tuple[Any, ...]]:
    """Give what has not ended, for whoever reads the failure."""
    d = schema.delivery.c
    columns = (d.id, d.destination, d.state, d.due_at, d.lease_owner, d.lease_until, d.attempts, d.fault_detail)
    rows = connection.execute(sa.select(*columns).where(d.state.in_(OPEN)).limit(20))
    return [tuple(row) for row in rows]


def play(
    folder: Path,
    store: str,
    kills: list[str],
    seed: int,
    *,
    redis_url: str = "",
    shake: Callable[[int], None] | None = None,
    network: Callable[[dict[str, str]], AbstractContextManager[dict[str, str]]] = nullcontext,
    told: Callable[[Hospital], None] = lambda _: None,
    settings: str = "",
    environment: Mapping[str, str] | None = None,
) -> None:
    """Play days until every kill has been, and judge.

    `shake` gets the number of each event before it is sent; `network` lies before the destinations; `told` gets the hospital
    before anything happens; `settings` are added to each destination.
    """
    chance = random.Random(seed)
    chance.shuffle(kills)
    planned = len(kills)
    authority = DemoCA(folder / "sandbox" / "ca")
    with sandbox(folder) as addresses, network(addresses) as seen:
        channel = destinations(seen).replace('basis = "test"\n', f'basis = "test"\n{settings}')
        config = write_site(folder / "site", store=store, redis=redis_url, destinations=channel, ca=authority)
        register(addresses["admin"], (config / "keys" / "facility.pem").read_text())
        hospital = Hospital(config, kills, chance, environment=dict(environment or {}))
        told(hospital)
        post(
            addresses["admin"] + "/_sandbox/faults",
            [
                {"destination": "moh_axis", "action": "lose_answer", "every": 5},
                {"destination": "insurance_portal", "action": "unavailable", "every": 7},
                {"destination": "national_coordination", "action": "http_500", "every": 4},
                {"destination": "national_coordination", "action": "refuse", "every": 9},
            ],
        )
        engine = make_engine(load(config).store_url).execution_options(reading=True)
        try:
            for round_ in range(ROUNDS):
                day = hospital_day(seed + round_, 25, FIRST + timedelta(days=round_))  # a control id is new every day
                for number, event in enumerate(day.events):
                    if shake is not None:
                        shake(number)
                        hospital.patience = 20
                    hospital.send(event)
                    if not hospital.kills and round_:
                        break
                hospital.settle(engine)
                if not hospital.kills:
                    break
            assert len(hospital.fired) == planned, f"never came to {hospital.kills}"
            hospital.retry_innocent()
            hospital.settle(engine)
            records = get(addresses["admin"] + "/_sandbox/records")
            with engine.connect() as connection:
                judge(connection, hospital, records)
                show_that_it_is_seen(connection, hospital.answered, records)
        finally:
            engine.dispose()
            if hospital.node is not None:
                hospital.node.stop()
                assert hospital.node.process.stdout is not None
                hospital.node.process.stdout.close()


def judge(connection: sa.Connection, hospital: Hospital, records: list[dict[str, Any]]) -> None:
    """Say what was lost, doubled, out of order or stuck, and fail where it is anything."""
    found = wrong(connection, hospital.answered, records)
    said = ", ".join(f"{name} {len(those)}" for name, those in found.items())
    print(f"{len(hospital.answered)} messages answered, {len(records)} requests at their destinations: {said}")  # noqa: T201 - counts
    assert not any(found.values()), found


def wrong(
    connection: sa.Connection, answered: Collection[str], records: list[dict[str, Any]]
) -> dict[str, list[object]]:
    """Give what was lost, doubled, out of order or stuck, by these names."""
    stored = set(connection.scalars(sa.select(schema.message.c.control_id)))
    lost: list[object] = [*(set(answered) - stored)]

    rows = connection.execute(
        sa.select(
            schema.delivery.c.id,
            schema.delivery.c.document_id,
            schema.delivery.c.destination,
            schema.delivery.c.order_key,
            schema.delivery.c.state,
            schema.delivery.c.reference,
            schema.delivery.c.fault_code,
            schema.delivery.c.accepted_at,
            schema.document.c.signed_at,
            schema.rendition.c.sha256,
        )
        .select_from(schema.delivery.join(schema.document))
        .join(
            schema.rendition,
            sa.and_(
                schema.rendition.c.document_id == schema.delivery.c.document_id,
                schema.rendition.c.kind == sa.case((schema.delivery.c.destination == UNASKED, "gdbhyt"), else_="cda"),
            ),
        )
        .order_by(schema.delivery.c.id)
    ).all()
    assert rows
    by_paper: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        by_paper[row.destination, row.sha256].append(row)
    same = {paper for paper, those in by_paper.items() if len(those) > 1}
    assert {destination for destination, _ in same} <= {UNASKED}  # its XML leaves out what a CDA says

    accepted = [record for record in records if record["verdict"] in ("accepted", "repeat")]
    keys = Counter((record["destination"], record["key"]) for record in accepted)
    papers = Counter((record["destination"], record["sha256"]) for record in accepted)
    doubled: list[object] = [key for key, times in keys.items() if times > 1 and key not in same]
    doubled += [paper for paper, times in papers.items() if times > len(by_paper[paper])]
    stuck: list[object] = [row.id for row in rows if row.destination != UNASKED and row.state not in _ENDED]

    theirs = {record["reference"] for record in accepted}
    assert {row.reference for row in rows if row.state == "accepted"} <= theirs, "accepted here, unknown there"
    for row in rows:
        if row.destination != UNASKED:
            assert row.fault_code != ItemDeadly.code
            if (row.state == "accepted") != ((row.destination, row.sha256) in papers):
                lost.append(row.id)

    disordered: list[object] = []
    last: dict[tuple[str, bytes], tuple[Any, int]] = {}
    overtaken = were_in_error(connection)
    for record in sorted(accepted, key=lambda record: record["n"]):
        those = by_paper[record["destination"], record["sha256"]]
        if not those:
            continue  # counted as doubled
        row = those.pop(0)
        if overtaken & {row.id, row.document_id}:
            continue
        arrived = to_instant(datetime.fromisoformat(record["received_at"]))
        before, then = last.setdefault((row.destination, row.order_key), (row, arrived))
        # a paper that was made when the one after it had arrived there could not go first; here that is noted later, where the
        # answer was lost, and by a clock that may be wrong
        if before.id > row.id and row.signed_at <= min(then, before.accepted_at or then):
            disordered.append(row.id)
        if row.id > before.id:
            last[row.destination, row.order_key] = (row, arrived)
    return {"lost": lost, "doubled": doubled, "out of order": disordered, "stuck": stuck}


def show_that_it_is_seen(connection: sa.Connection, answered: Collection[str], records: list[dict[str, Any]]) -> None:
    """Plant what must be counted."""
    arrived = next(one for one in records if one["verdict"] == "accepted" and one["destination"] != UNASKED)
    backwards = [one | {"n": -one["n"]} for one in records]
    assert wrong(connection, [*answered, "never stored"], records)["lost"] == ["never stored"]
    assert wrong(connection, answered, [*records, arrived])["doubled"]
    assert wrong(connection, answered, backwards)["out of order"]


_ENDED = ("accepted", "error", "closed")
"""Where a delivery ends; closed: a newer version was made before it left."""


def were_in_error(connection: sa.Connection) -> set[str]:
    """Give what stood in the error queue for the death of its process: others went on without it."""
    attempt, action = schema.attempt.c, schema.action.c
    asked = sa.select(attempt.delivery_id).where(attempt.fault_code == ItemDeadly.code)
    died = sa.select(action.target).where(action.verb == "poison")
    return {*connection.scalars(asked), *connection.scalars(died)}


def register(admin: str, pem: str) -> None:
    post(admin + "/_sandbox/certificates", {"gln": "8930000000019", "pem": pem})


def post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.timeout(1800)  # forty starts of a node: minutes, where the machine is slow
def test_a_node_killed_at_every_step_and_at_random(tmp_path: Path) -> None:
    kills = [*PLACES, *["random"] * (22 - len(PLACES))]
    play(tmp_path, "sqlite:///ledger/ledger.db", kills, seed=1)


IN_A_DAY = [*places(matrix.IN_A_DAY), *(f"worker {step}" for step in WORKER_STEPS)]


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10, 32))
def test_a_thousand_kills(tmp_path: Path, seed: int) -> None:
    play(tmp_path, "sqlite:///ledger/ledger.db", [*PLACES, *IN_A_DAY, *["random"] * 4], seed)


@pytest.mark.nightly
def test_kills_on_postgresql(tmp_path: Path, postgres_server: str) -> None:
    play(tmp_path, database(postgres_server), [*PLACES, *["random"] * 5], seed=99)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [101, 102])
def test_kills_on_postgresql_with_a_redis_that_forgets(tmp_path: Path, postgres_server: str, seed: int) -> None:
    with servers.redis_server() as memory:

        def shake(number: int) -> None:
            if number % 9 == 0:
                forget(memory.url)
            if number % 40 == 20:
                memory.restart(signal.SIGKILL)

        kills = [*PLACES, *REDIS_PLACES, *IN_A_DAY]
        play(tmp_path, database(postgres_server), kills, seed, redis_url=memory.url, shake=shake)


def test_a_redis_that_dies_and_forgets_costs_nothing(tmp_path: Path) -> None:
    with servers.redis_server() as memory:

        def shake(number: int) -> None:
            if number % 9 == 0:
                forget(memory.url)
            if number == 30:
                memory.restart(signal.SIGKILL)

        kills = ["named by Redis, not leased", "ended in the ledger, not in Redis", "worker sign"]
        play(tmp_path, "sqlite:///ledger/ledger.db", kills, seed=5, redis_url=memory.url, shake=shake)


def test_a_postgresql_that_dies_costs_nothing(tmp_path: Path) -> None:
    with servers.postgres_server() as server:

        def shake(number: int) -> None:
            if number in (12, 30):
                server.restart(signal.SIGQUIT)

        play(tmp_path, server.url, [], seed=6, shake=shake)


@pytest.mark.nightly
def test_a_postgresql_that_dies_again_and_again_under_kills(tmp_path: Path) -> None:
    with servers.postgres_server() as server:

        def shake(number: int) -> None:
            if number % 10 == 5:
                server.restart(signal.SIGQUIT)

        play(tmp_path, server.url, [*PLACES], seed=7, shake=shake)


def database(server: str) -> str:
    """Make a database of its own and return its URL."""
    name = "k" + uuid7().replace("-", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return server.rpartition("/")[0] + "/" + name


def forget(url: str) -> None:
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(url) as memory:
        memory.flushall()
