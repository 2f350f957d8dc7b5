"""Start the real servers that tests use, on free ports, in folders of their own; touch none that runs already."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

AS_ROOT = os.geteuid() == 0


def free_port() -> int:
    """Give a port below those that the system lends to clients, so that nobody has it when its server starts again.

    Among those a client that calls a server that is down may be lent the very port it calls, and then talks to itself.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def need(found: object, what: str) -> None:
    """Skip where a server is missing on a developer's machine; fail where `make test` would have installed it."""
    if found:
        return
    if AS_ROOT:
        pytest.fail(f"{what} is missing; run `make servers`")
    pytest.skip(f"{what} is not installed")


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Poll until `condition` holds; fail when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the condition did not come true in time")
        time.sleep(0.02)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


class Server:
    """A process that can be killed and started again on the same port and folder."""

    def __init__(self, command: list[str], ready: Callable[[], bool], folder: str, stop: int) -> None:
        self._command = command
        self._ready = ready
        self._folder = folder
        self._stop = stop
        self.url = ""
        self.start()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet, cwd=self._folder)
        wait_until(lambda: self.process.poll() is not None or self._ready())
        assert self.process.poll() is None, f"{self._command[0]} has ended"

    def end(self, how: int | None = None) -> None:
        """Send a signal, by default the one that ends it in good order, and wait; kill it when a busy disk takes too long."""
        self.process.send_signal(self._stop if how is None else how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)

    def restart(self, how: int) -> None:
        """End it as a fault would (SIGKILL; for PostgreSQL SIGQUIT, which is `-m immediate`) and start it again."""
        self.end(how)
        self.start()


UNFORCED = ["-c", "fsync=off", "-c", "full_page_writes=off"]
"""What is written survives the death of the server, but not that of the machine."""


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str]:
    """Run a PostgreSQL and give the URL of its database; `durable` when what writing costs matters."""
    with postgres_server(durable=durable) as server:
        yield server.url


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[Server]:
    """Run a PostgreSQL that the test may restart."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    need(programs, "PostgreSQL")
    binaries = programs[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="lienthong-postgres-"))
    prefix: list[str] = []
    if AS_ROOT:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = str(folder / "data"), str(free_port())
    init = [str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    run = [str(binaries / "postgres"), "-D", data, "-p", port, "-k", str(folder), "-h", "127.0.0.1"]
    run += [] if durable else UNFORCED
    ready = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port]
    try:
        subprocess.run([*prefix, *init], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        server = Server([*prefix, *run], lambda: _answers(ready), str(folder), signal.SIGQUIT)  # nobody needs the data
        server.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        try:
            yield server
        finally:
            server.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0


@contextmanager
def redis() -> Iterator[str]:
    """Run a Redis that keeps nothing on disk and give its URL."""
    with redis_server() as server:
        yield server.url


@contextmanager
def redis_server() -> Iterator[Server]:
    """Run a Redis that the test may restart; it then has forgotten everything."""
    program = shutil.which("redis-server")
    need(program, "redis-server")
    port = free_port()
    run = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = Server(run, lambda: listens(port), tempfile.gettempdir(), signal.SIGTERM)
    server.url = f"redis://127.0.0.1:{port}/0"
    try:
        yield server
    finally:
        server.end()
