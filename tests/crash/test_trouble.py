"""A bad network, a disk that is full, a store that is locked, a clock that jumps: lost 0, doubled 0, out of order 0, stuck 0.

Counted by the destinations of the sandbox themselves, as in `test_kill`.
"""

from __future__ import annotations

import http.client
import http.server
import random
import resource
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.crash.proxy import Proxy, between
from tests.crash.test_kill import Hospital, play

STORE = "sqlite:///ledger/ledger.db"
DESTINATIONS = ("insurance_portal", "moh_axis", "national_coordination")
BAD = {"": 12, "cut": 3, "half-open": 1, "slow": 3, "reset": 1, "swallow": 1}
IMPATIENT = 'connect_timeout = "1s"\nanswer_timeout = "1s"\n'


def through_a_bad_network(folder: Path, seed: int, kills: list[str]) -> Counter[str]:
    done: Counter[str] = Counter()

    @contextmanager
    def network(addresses: dict[str, str]) -> Iterator[dict[str, str]]:
        with between(addresses, DESTINATIONS, seed, BAD) as (changed, proxies):
            yield changed
            for proxy in proxies:
                done.update(proxy.done)

    play(folder, STORE, kills, seed, network=network, settings=IMPATIENT)
    return done


def test_a_bad_network(tmp_path: Path) -> None:
    done = through_a_bad_network(tmp_path, 41, [])
    assert set(BAD) - {""} <= set(done), "it was not bad enough"


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(42, 47))
def test_a_bad_network_and_kills(tmp_path: Path, seed: int) -> None:
    through_a_bad_network(tmp_path, seed, ["random"] * 10)


class Disk:
    """The disk of the node that runs, on which nothing can grow while it is full."""

    def __init__(self) -> None:
        self.hospital: Hospital | None = None

    def told(self, hospital: Hospital) -> None:
        self.hospital = hospital

    def full(self, *, yes: bool) -> None:
        assert self.hospital is not None
        assert self.hospital.node is not None
        _, hard = resource.prlimit(self.hospital.node.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.hospital.node.process.pid, resource.RLIMIT_FSIZE, (4096 if yes else hard, hard))


def lock(ledger: Path, seconds: float) -> threading.Thread:
    """Hold SQLite's lock for a while, as a foreign process does."""

    def hold() -> None:
        with closing(sqlite3.connect(ledger, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


def _set(clock: Path, seconds: int) -> None:
    beside = clock.with_suffix(".new")
    beside.write_text(str(seconds))
    beside.replace(clock)


def with_trouble(folder: Path, seed: int, kills: list[str], locked_s: float) -> None:
    """The disk is full for a while, the store is locked for a while, the clock jumps back two hours and ahead three days."""
    disk = Disk()
    clock = folder / "clock"
    _set(clock, 0)
    threads: list[threading.Thread] = []

    def shake(number: int) -> None:
        match number % 60:
            case 10:
                disk.full(yes=True)
                threading.Timer(1.0, disk.full, kwargs={"yes": False}).start()
            case 20:
                threads.append(lock(folder / "site" / "ledger" / "ledger.db", locked_s))
            case 30:
                _set(clock, -7200)
            case 40:
                _set(clock, 0)
            case 50:
                _set(clock, 259200)

    environment = {"LIENTHONG_TEST_CLOCK": str(clock)}
    play(folder, STORE, kills, seed, shake=shake, told=disk.told, environment=environment)
    for thread in threads:
        thread.join(60)
    log = (folder / "site" / "node.log").read_text()
    assert "LT8001" in log, "the disk was not full enough"
    assert "Traceback" not in log


def test_a_full_disk_a_locked_store_and_a_wrong_clock(tmp_path: Path) -> None:
    with_trouble(tmp_path, 51, [], 2.0)


@pytest.mark.nightly
def test_a_store_that_is_locked_longer_than_anybody_waits(tmp_path: Path) -> None:
    with_trouble(tmp_path, 52, [], 40.0)


def test_the_bad_network_is_one() -> None:
    """A proxy that carries everything well would prove nothing; each trouble is seen from the client's side."""

    class Yes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"y" * 1000)

        def log_message(self, *_: object) -> None:
            return

    seen: Counter[str] = Counter()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = Proxy(("127.0.0.1", server.server_address[1]), random.Random(1), BAD)
        try:
            for _ in range(60):
                client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=0.3)
                try:
                    client.request("GET", "/")
                    seen["whole" if len(client.getresponse().read()) == 1000 else "part"] += 1
                except TimeoutError:
                    seen["silence"] += 1
                except (OSError, http.client.HTTPException) as error:
                    seen[type(error).__name__] += 1
                finally:
                    client.close()
        finally:
            proxy.close()
            server.shutdown()
    assert seen["whole"]
    assert seen["silence"]
    assert seen["ConnectionResetError"]
