"""A PostgreSQL and a Redis for the demo, of the programs installed here, on free ports, in a folder that goes with it.

Touches none that runs already. Installs nothing: what is missing is named with the command that installs it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gateway.faults import InternalFault, ServerMissing
from gateway.store.engine import make_engine

_STARTS_S = 60.0
_POSTGRES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


@dataclass(frozen=True)
class Servers:
    store: str
    redis: str


def programs() -> tuple[Path, Path]:
    """Give the folder of PostgreSQL's programs, the newest, and the program of Redis; raise ServerMissing naming both."""
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(
        (path for place in _POSTGRES for path in Path("/").glob(place.lstrip("/")) if (path / "initdb").exists()),
        key=lambda path: [int(part) for part in path.parts if part.isdigit()],
        reverse=True,
    )
    redis = shutil.which("redis-server")
    missing = [name for name, there in (("postgresql", found), ("redis-server", redis)) if not there]
    if missing or redis is None:
        raise ServerMissing(detail=f"sudo apt-get install -y --no-install-recommends {' '.join(missing)}")
    return found[0], Path(redis)


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Run both until the block ends."""
    postgres, redis = programs()
    folder = Path(tempfile.mkdtemp(prefix="lienthong-demo-"))
    try:
        async with AsyncExitStack() as stack:
            store = await _postgres(stack, postgres, folder)
            yield Servers(store, await _redis(stack, redis, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _postgres(stack: AsyncExitStack, programs: Path, folder: Path) -> str:
    prefix: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = folder / "data", _free_port()
    made = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    process = await _start([*prefix, *map(str, made)], folder)
    if await process.wait():
        raise InternalFault(where="initdb", detail=f"exit code {process.returncode}")
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    run = [programs / "postgres", "-D", data, "-p", port, "-k", folder, "-h", "127.0.0.1"]
    process = await _start([*prefix, *map(str, run)], folder)
    stack.push_async_callback(_stop, process, signal.SIGINT)  # the fast shutdown
    engine = make_engine(url)

    def answers() -> bool:
        try:
            with engine.connect() as connection:
                return bool(connection.scalar(sa.text("SELECT 1")))
        except SQLAlchemyError:
            return False

    try:
        await _until("postgres", process, lambda: asyncio.to_thread(answers))
    finally:
        engine.dispose()
    return url


async def _redis(stack: AsyncExitStack, program: Path, folder: Path) -> str:
    port = _free_port()
    run = [program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = await _start([str(part) for part in run], folder)
    stack.push_async_callback(_stop, process, signal.SIGTERM)

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    await _until("redis", process, answers)
    return f"redis://127.0.0.1:{port}/0"


async def _start(command: Sequence[str], folder: Path) -> asyncio.subprocess.Process:
    nothing = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        *command,
        stdout=nothing,
        stderr=nothing,
        stdin=nothing,
        cwd=folder,
        start_new_session=True,  # Ctrl-C is for the demo, which stops it when the nodes have stopped
    )


async def _until(name: str, process: asyncio.subprocess.Process, answers: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(_STARTS_S):
            while not await answers():
                if process.returncode is not None:
                    raise InternalFault(where=name, detail=f"exit code {process.returncode}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise InternalFault(where=name, detail="did not start") from None


async def _stop(process: asyncio.subprocess.Process, number: int) -> None:
    if process.returncode is None:
        process.send_signal(number)
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
