"""The store's engine: one writer with group commit, many readers, the same on SQLite and PostgreSQL.

A unit of work is a function of a connection. The writer thread takes all units that are waiting, runs them in one
transaction and resolves them together after the commit has reached the disk: many callers pay for one fsync. A thread that
waits for its unit takes the writer's turn itself when nobody else does. Units of one
kind may also share their statements: `write_each` hands all items that wait for the same function to it at once. A unit that
raises does not spoil the others: the transaction is rolled back and every unit is run again alone. Units must therefore be
safe to run twice; they get everything they need as arguments and keep nothing outside the database.

SQLite runs in WAL mode with `synchronous=FULL`: a resolved unit has been fsynced. PostgreSQL must keep its default
`synchronous_commit=on`; `open_store` refuses a server that has it off.

Does not retry a database that is away: callers get StoreUnavailable and decide.
"""

from __future__ import annotations

import asyncio
import fcntl
import queue
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from gateway import meters
from gateway.faults import NodeRunning, StoreUnavailable
from gateway.store import migrate
from gateway.tasks import Together

S = TypeVar("S")
T = TypeVar("T")

MAX_GROUP = 512
"""Units in one transaction at most; bounds the work that one failing unit makes the others repeat."""
TRIES = 8
"""Times a unit is run that keeps colliding with other nodes, before its caller is told."""
QUIET_S = 0.5
READERS = 4
_POOL: Any = {"pool_size": READERS + 2, "pool_use_lifo": True}
"""The connection used last is used next: each keeps the statements it has seen, and few are enough most of the time."""
PING_S = 1.0
"""A connection unused for so long is asked whether it lives; to ask that at every read would double what a read costs."""
SWITCH_S = 0.0005
"""Longest turn of one thread while another waits; at Python's 5 ms a commit that is done waits for a busy event loop."""
CLAIM_TRIES = 25
_CLAIMED = sa.text(
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32 | objid::bigint) = hashtext(:name)::bigint"
)
_WAL_PAGES = 50_000
"""Pages of log (200 MB) at which a commit waits for a checkpoint, should the one beside it not keep up."""
_CHECKPOINT_S = 1.0
_LOCKED_S = 8.0
"""How long a transaction waits while another process keeps SQLite locked. What comes meanwhile waits as long again: together
less than the 20 s after which senders give a message up unanswered."""
_CACHE_KB = 32_000
"""What the writer keeps of SQLite's pages: with the usual 2 MB each page of an index of hashes is read again for every row."""


class Store:
    """Run units of work. Built by `open_store`; `close` waits for what is queued."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        # PostgreSQL: a statement sees one moment by itself, a transaction around it would cost two messages more; and rows come
        # as they are stored, because sealed bodies as text are twice as long
        alone = {"isolation_level": "AUTOCOMMIT"} if self.dialect == "postgresql" else {}
        self._reading = engine.execution_options(reading=True, as_stored=True, **alone)
        self._units: queue.SimpleQueue[list[_Unit] | None] = queue.SimpleQueue()
        """None ends the writer."""
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
        self._later: deque[_Unit] = deque()
        self._asked: dict[Any, Together[Any, Any]] = {}
        self._connection: Connection | None = None
        self._turn = threading.Lock()
        """Held by the thread that writes."""
        self._writer_waits = self._ended = False
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
        sys.setswitchinterval(SWITCH_S)
        self._writer.start()
        self._closing = threading.Event()
        self._checkpointer = threading.Thread(target=self._checkpoint_loop, name="store-checkpoint", daemon=True)
        if self.dialect == "sqlite":
            self._checkpointer.start()
        self._claims: dict[str, Any] = {}

    async def write(self, unit: Callable[[Connection], T]) -> T:
        """Run `unit` in the next transaction; return its result once that is durable.

        Raises whatever the unit raised, or StoreUnavailable.
        """
        return await self.write_each(_call, unit)

    async def write_each(self, function: Callable[[Connection, list[S]], list[T]], item: S) -> T:
        """Run `function` in the next transaction on all items that wait for it; return the result for `item`.

        `function` gives one result per item, in their order. Raises what it raised for this item alone, or StoreUnavailable.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        gathered = self._gathered.setdefault(loop, [])
        gathered.append(_Unit(function, item, future, loop))
        if len(gathered) == 1:
            loop.call_soon(self._hand_over, loop)
        return await future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the writer together what one turn of a loop wants written: one by one, the first would wake it alone."""
        self._hand(self._gathered.pop(loop))

    def _hand(self, units: list[_Unit]) -> None:
        self._units.put(units)
        if not self._writer.is_alive():
            self._refuse_rest()

    def write_each_waiting(self, function: Callable[[Connection, list[S]], list[T]], item: S, within_s: float) -> T:
        """Do as `write_each` does, for a thread that waits for it; where nothing else waits, that thread writes itself.

        Raises as `write_each`, and TimeoutError when others keep it waiting longer; it may be done all the same then.
        """
        future: Future[T] = Future()
        unit = _Unit(function, item, future, None)
        if not self._write_here(unit):
            self._hand([unit])
        return future.result(within_s)

    def write_each_beside(self, function: Callable[[Connection, list[S]], list[T]], item: S) -> Future[T]:
        """Do as `write_each` does, for a thread that has something else to do meanwhile."""
        future: Future[T] = Future()
        self._hand([_Unit(function, item, future, None)])
        return future

    def _write_here(self, unit: _Unit) -> bool:
        """Write a unit in this thread, which saves two changes of threads; False when others write, or wait for it."""
        if self._writer_waits or not self._units.empty() or not self._turn.acquire(blocking=False):
            return False
        try:
            if self._ended:
                return False
            self._write([unit])
        finally:
            self._turn.release()
        return True

    def write_waiting(self, unit: Callable[[Connection], T], within_s: float) -> T:
        """Do as `write` does, for a thread that waits for it; raises as `write_each_waiting`."""
        return self.write_each_waiting(_call, unit, within_s)

    def post(self, function: Callable[[Connection, list[S]], Any], item: S) -> None:
        """Run `function` on all items that wait for it, with the next transaction or within half a second of quiet.

        Nobody waits and a failure is dropped: for facts that are nice to have (the moment an answer left), never for a
        promise. It does not make a transaction of its own while others come, so it costs no fsync.
        """
        self._later.append(_Unit(function, item, None, None))

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query` on a reading connection; it sees everything that was resolved before."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, query)

    async def read_each(self, query: Callable[[Connection, list[S]], list[T]], item: S) -> T:
        """Run `query` on a reading connection on all items that wait for it; return the result for `item`.

        `query` gives one result per item, in their order. What one item makes it raise, all get.
        """
        together = self._asked.get(query)
        if together is None:
            together = self._asked[query] = Together(lambda items: self.read(lambda c: query(c, items)))
        result: T = await together.one(item)
        return result

    def read_now(self, query: Callable[[Connection], T]) -> T:
        """Run `query` in the calling thread."""
        try:
            with self._reading.connect() as connection:
                return query(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def write_now(self, unit: Callable[[Connection], T]) -> T:
        """Run `unit` alone in the calling thread; for commands outside the node."""
        try:
            with self.engine.begin() as connection:
                return unit(connection)
        except SQLAlchemyError as error:
            raise _unavailable(error) from error

    def claim_node(self, name: str) -> None:
        """Hold this node's name until `close`; raise NodeRunning when another process holds it.

        PostgreSQL forgets a claim with the connection that made it: called again, it looks and claims again.
        """
        if self.dialect == "postgresql":
            self._claim_server(name)
        elif name not in self._claims:
            self._claims[name] = self._claim_file(name)

    def _claim_server(self, name: str) -> None:
        known = self._claims.get(name)
        if known is not None:
            try:
                known.execute(sa.text("SELECT 1"))
                known.rollback()
            except SQLAlchemyError:
                del self._claims[name]
                known.invalidate()
                known.close()
            else:
                return
        try:
            connection = self.engine.connect()
            claimed = connection.scalar(sa.text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": name})
            connection.commit()
        except SQLAlchemyError as error:
            raise _unavailable(error) from error
        if not claimed:
            connection.close()
            raise NodeRunning(detail=name)
        self._claims[name] = connection

    def _claim_file(self, name: str) -> Any:
        for left in reversed(range(CLAIM_TRIES)):
            lock = self._lock_of(name).open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                if not left:
                    raise NodeRunning(detail=name) from None
                time.sleep(0.02)  # another node may just be looking whether this name is claimed
            else:
                return lock
        raise AssertionError("unreachable")

    def is_claimed(self, name: str) -> bool:
        """Tell whether a process holds a node's name: when it dies, the system lets go of it at once."""
        if self.dialect == "postgresql":
            return self.read_now(lambda connection: bool(connection.scalar(_CLAIMED, {"name": name})))
        path = self._lock_of(name)
        if not path.exists():
            return False
        with path.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def _lock_of(self, name: str) -> Path:
        database = self.engine.url.database
        if database is None:
            raise StoreUnavailable(detail="a store in memory cannot be claimed")
        return Path(f"{database}.{name}.lock")

    async def aside(self, work: Callable[[], T]) -> T:
        """Run something that waits for the database, or its files, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def close(self) -> None:
        self._closing.set()
        if self._checkpointer.is_alive():
            self._checkpointer.join()
        self._units.put(None)
        self._writer.join()
        self._refuse_rest()
        self._readers.shutdown()
        for claim in self._claims.values():
            claim.close()
        self.engine.dispose()

    def _refuse_rest(self) -> None:
        """Tell those that come when nothing is written any more."""
        with suppress(queue.Empty):
            while True:
                units = self._units.get_nowait() or []
                for unit in units:
                    unit.error = StoreUnavailable(detail="closed")
                _resolve(units)

    def _write_loop(self) -> None:
        stopping = False
        while not stopping:
            group: list[_Unit] = []
            with suppress(queue.Empty):
                stopping = not self._take(group, QUIET_S)
            self._writer_waits = True
            with self._turn:
                self._writer_waits = False
                with suppress(queue.Empty):
                    while group and not stopping and len(group) < MAX_GROUP:
                        stopping = not self._take(group, 0)
                group += [self._later.popleft() for _ in range(min(len(self._later), MAX_GROUP))]
                if group:
                    self._write(group)
        with self._turn:
            self._ended = True
            self._stop_writing()

    def _take(self, group: list[_Unit], within_s: float) -> bool:
        """Take what was handed over next; False when it is the end. Raises queue.Empty."""
        units = self._units.get(timeout=within_s) if within_s else self._units.get_nowait()
        group += units or []
        return units is not None

    def _write(self, group: list[_Unit]) -> None:
        started = time.perf_counter()
        self._commit(group)
        meters.observe(meters.COMMIT, time.perf_counter() - started)
        meters.observe(meters.GROUP, len(group))
        _resolve(group)

    def _checkpoint_loop(self) -> None:
        """Carry SQLite's log over into the database beside the writer, which then does not have to stop for it."""
        connection = self.engine.raw_connection()
        try:
            while not self._closing.wait(_CHECKPOINT_S):
                cursor = connection.cursor()
                try:
                    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                except self.engine.dialect.loaded_dbapi.Error:
                    continue  # the writer's own limit stays
                finally:
                    cursor.close()
        finally:
            connection.close()

    def _writing(self) -> Connection:
        """Return the writer's own connection, which it keeps until something fails on it."""
        if self._connection is None:
            self._connection = self.engine.connect().execution_options(as_stored=True)
            if self.dialect == "sqlite":
                self._connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KB}")
                self._connection.rollback()
        return self._connection

    def _stop_writing(self) -> None:
        if self._connection is not None:
            try:
                self._connection.close()
            except SQLAlchemyError:
                self._connection.invalidate()
            self._connection = None

    def _commit(self, group: list[_Unit], tries: int = TRIES) -> list[_Unit]:
        """Run a group in one transaction, its members one by one when that fails; return them with their outcomes.

        A unit that collides with another node's (both store the same doctor, or wait for each other's rows) is run again:
        it then sees what the other one stored. A transaction that cannot begin is nobody's fault, and all are told.
        """
        kinds: dict[Any, list[_Unit]] = {}
        for unit in group:
            kinds.setdefault(unit.function, []).append(unit)
        try:
            connection = self._writing()
            transaction = connection.begin()
        except Exception as error:  # noqa: BLE001 - handed to the callers
            self._stop_writing()
            for unit in group:
                unit.error = _told(error)
            return group
        try:
            with transaction:
                for function, units in kinds.items():
                    results = function(connection, [unit.item for unit in units])
                    for unit, result in zip(units, results or [None] * len(units), strict=True):
                        unit.result = result
        except Exception as error:  # noqa: BLE001 - handed to the callers
            self._stop_writing()
            if len(group) == 1 and tries > 1 and _collided(error):
                time.sleep(random.uniform(0, 0.01) * (TRIES - tries + 1))  # noqa: S311 - so that two nodes do not keep step
                self._commit(group, tries - 1)
            elif len(group) == 1:
                group[0].error = _told(error)
            else:
                for unit in group:
                    self._commit([unit])
        return group


@dataclass(slots=True)
class _Unit:
    """An item on its way through the writer; `future` is None when nobody waits, `loop` when no coroutine does."""

    function: Any
    item: Any
    future: asyncio.Future[Any] | Future[Any] | None
    loop: asyncio.AbstractEventLoop | None
    result: Any = None
    error: BaseException | None = None


def _collided(error: Exception) -> bool:
    name = type(getattr(error, "orig", None)).__name__
    return name in ("UniqueViolation", "DeadlockDetected", "SerializationFailure")


def _call(connection: Connection, units: list[Callable[[Connection], T]]) -> list[T]:
    return [unit(connection) for unit in units]


def _resolve(units: list[_Unit]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
    for unit in units:
        if unit.loop is not None:
            by_loop.setdefault(unit.loop, []).append(unit)
        elif unit.future is not None:
            _set([unit])
    for loop, waiting in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set, waiting)


def _set(units: list[_Unit]) -> None:
    for unit in units:
        assert unit.future is not None
        if unit.future.done():
            continue
        if unit.error is None:
            unit.future.set_result(unit.result)
        else:
            unit.future.set_exception(unit.error)


def _told(error: Exception) -> Exception:
    return _unavailable(error) if isinstance(error, SQLAlchemyError) else error


def _unavailable(error: SQLAlchemyError) -> StoreUnavailable:
    """Keep the kind of a database error and drop its text, which may quote values."""
    origin = getattr(error, "orig", None)
    return StoreUnavailable(detail=type(origin or error).__name__)


def open_store(url: str) -> Store:
    """Open the database at `url`, bring its schema up to date, and start the writer.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user@host/db`. Raises StoreUnavailable.
    """
    try:
        engine = make_engine(url)
    except OSError as error:
        raise StoreUnavailable(detail=type(error).__name__) from None
    try:
        migrate.prepare(engine)
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                if connection.scalar(sa.text("SHOW synchronous_commit")) == "off":
                    raise StoreUnavailable(detail="synchronous_commit is off")
    except SQLAlchemyError as error:
        raise _unavailable(error) from error
    return Store(engine)


def make_engine(url: str) -> Engine:
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        return _sqlite(target)
    return _postgresql(target)


def _postgresql(target: URL) -> Engine:
    engine = sa.create_engine(target.set(drivername="postgresql+psycopg"), **_POOL)
    binary = engine.dialect.loaded_dbapi.pq.Format.BINARY

    @event.listens_for(engine, "before_cursor_execute")
    def _as_stored(connection: Connection, cursor: Any, *_: Any) -> None:
        if connection.get_execution_options().get("as_stored"):
            cursor.format = binary

    @event.listens_for(engine, "checkin")
    def _used(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ping(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", 0) > PING_S:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error:
                raise DisconnectionError from None  # the pool connects anew

    return engine


def _sqlite(target: URL) -> Engine:
    if target.database:
        Path(target.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(target, connect_args={"check_same_thread": False, "timeout": _LOCKED_S}, **_POOL)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"wal_autocheckpoint={_WAL_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a writer takes its lock at once: a read transaction that turns into a write one cannot wait for its turn
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reading") else "BEGIN IMMEDIATE")

    return engine
