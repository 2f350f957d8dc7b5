"""The queue of several nodes: which delivery is next, and what a destination bears, stand in Redis; the truth is the ledger.

What Redis names is leased in the ledger before anything is sent, and only if the ledger agrees that it is due, unheld and the
oldest of its key; so an entry that is old, doubled or made up does no harm. What is not in Redis is found in the ledger when
there is room for more: losing everything in Redis, or Redis itself, costs time. While it is away the ledger alone decides, as
in `sql_queue`; of a pause the ledger always does.

Limits and breaker are those of Redis: after it lost its memory a destination may get, once, as many requests more as were under
way, and as many as open a breaker.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.engine import Connection, Row

from connectors.contract import Receipt
from connectors.faults import Throttled
from gateway import meters
from gateway.clock import SECOND, Clock
from gateway.delivery import redis_scripts
from gateway.delivery.limits import Rules
from gateway.delivery.queue import Taken
from gateway.delivery.sql_queue import ANSWERS, SqlQueue
from gateway.store import deliveries, destinations
from gateway.store.engine import Store
from gateway.store.objects import Objects
from gateway.store.sealed import Keyring
from gateway.tasks import Together
from mappings.formats.faults import Fault, FaultClass

log = logging.getLogger("lienthong.queue")

BATCH = 512
"""Deliveries brought from the ledger at once."""
ROUNDS = 8
"""Times in a row that entries of which the ledger knows better are put aside before others get their turn."""
_AWAY = 5 * SECOND
"""How long the ledger alone is asked once Redis did not answer."""

_Ended = tuple[str, str, int | str, str, str, int]
"""Of a delivery that nobody works on any more, what `redis_scripts.SETTLE` takes."""


class RedisQueue(SqlQueue):
    """Implements `gateway.delivery.queue.Queue`; `name` tells the stores apart that share one Redis."""

    def __init__(
        self,
        url: str,
        name: str,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        owner: str,
        lease: int,
        facility: str,
        rules: Mapping[str, Rules],
        objects: Objects | None = None,
    ) -> None:
        super().__init__(store, keyring, clock, owner, lease, facility, rules, objects)
        once = Retry(NoBackoff(), 0)  # the ledger is the better second try
        self._client = redis.Redis.from_url(
            url, retry=once, socket_connect_timeout=2, socket_timeout=5, decode_responses=True
        )
        self._prefix = f"lienthong:{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        self._add, self._take_script, self._settle_script = (
            self._client.register_script(script)
            for script in (redis_scripts.ADD, redis_scripts.TAKE, redis_scripts.SETTLE)
        )
        self._entries: dict[str, str] = {}
        """Delivery → entry of the stream, of what this node works on."""
        self._settling: dict[str, Together[_Ended, None]] = {
            name: Together(partial(self._settle_all, name)) for name in rules
        }
        self._opens: dict[str, int] = {}
        self._paused: dict[str, str] = {}
        self._away_until = 0

    async def close(self) -> None:
        await self._client.aclose()

    async def relieve(self, owner: str) -> None:
        """Forget in Redis what a node had taken; the ledger names it again."""
        now = self._clock.now()
        if now < self._away_until:
            return
        for destination in self._rules:
            try:
                await self._relieve(destination, owner)
            except ResponseError:
                continue  # there is no group yet: nothing was taken
            except RedisError as error:
                self._lost(error, now)
                return

    async def _relieve(self, destination: str, owner: str) -> None:
        ready = self._keys(destination)[0]
        group = redis_scripts.GROUP
        for one in await self._client.xpending_range(ready, group, "-", "+", BATCH, consumername=owner):
            entry = str(one["message_id"])
            found: Any = await self._client.xrange(ready, entry, entry)
            for _, fields in found:
                await self._settle(destination, fields["id"], entry)

    async def take(self, destination: str, limit: int) -> Taken:
        now = self._clock.now()
        if now < self._away_until:
            return await super().take(destination, limit)
        try:
            if self._paused.get(destination):
                paused = await self._store.read(lambda c: destinations.load_of(destinations.get(c, destination)).paused)
                if paused:
                    return Taken(paused=paused)
                await self._client.delete(self._keys(destination)[-1])  # who lets it go on wants it tried at once
                self._paused[destination] = ""
            if self._rules[destination].hours.opens_at(now) > now:
                return Taken()
            return await self._take_named(destination, limit, now)
        except RedisError as error:
            self._lost(error, now)
            return await super().take(destination, limit)

    async def _take_named(self, destination: str, limit: int, now: int) -> Taken:
        for _ in range(ROUNDS):
            down, room, found = await self._pop(destination, limit, now)
            if room and await self._fill(destination, now):
                down, _, more = await self._pop(destination, room, now)
                found |= more
            if not found:
                return Taken(down=down)
            taken = await self._lease_named(destination, found, now, down=down)
            if taken or taken.paused:
                return taken
        return Taken(busy=True)

    async def _lease_named(self, destination: str, found: dict[str, str], now: int, *, down: bool) -> Taken:
        """Lease in the ledger what Redis names, as far as the ledger agrees; put the rest aside."""
        lease: dict[str, Any] = {"owner": self._owner, "now": now, "until": now + self._lease}

        def unit(connection: Connection) -> Taken:
            load = destinations.load_of(destinations.get(connection, destination))
            if load.paused:
                return Taken(down=down, paused=load.paused)
            to_send = deliveries.take_queued(connection, destination, limit=len(found), ids=list(found), **lease)
            left = list(found.keys() - {row.id for row in to_send})
            if not left:
                return Taken([], to_send, down)
            to_ask = deliveries.take_uncertain(connection, destination, limit=len(left), ids=left, **lease)
            return Taken(to_ask, to_send, down)

        taken = await self._claim(unit)
        self._paused[destination] = taken.paused
        leased = {row.id for row in (*taken.to_ask, *taken.to_send)}
        self._entries |= {one: entry for one, entry in found.items() if one in leased}
        for one in found.keys() - leased:
            await self._settle(destination, one, found[one])
        return await self._one_suspect(taken, now)

    async def _set_aside(self, rows: Sequence[Row[Any]], due_at: int) -> None:
        await super()._set_aside(rows, due_at)
        for row in rows:
            entry = self._entries.pop(row.id, "")
            if entry:
                await self._settle(row.destination, row.id, entry, due_at)

    async def _pop(self, destination: str, limit: int, now: int) -> tuple[bool, int, dict[str, str]]:
        """Give whether the breaker is open, for how many more there would be room, and delivery → entry."""
        rules = self._rules[destination]
        down, opens, room, flat = await self._take_script(
            keys=self._keys(destination),
            args=[
                now, now + self._lease, self._lease // 1000, self._owner, limit, rules.limit.in_flight,
                rules.limit.per_minute, rules.breaker.failures, now - 60 * SECOND,
            ],
        )  # fmt: skip
        self._opens[destination] = int(opens)
        meters.show(meters.REDIS_AWAY, 0)
        return bool(down), int(room), dict(zip(flat[1::2], flat[0::2], strict=True))

    async def _fill(self, destination: str, now: int) -> bool:
        """Bring from the ledger what is due; False when nothing is. Another node may have brought the same just now."""
        heads = await self._store.read(lambda c: deliveries.heads(c, destination, now=now, limit=BATCH))
        if heads:
            await self._add(keys=self._keys(destination), args=[now, *(row.id for row in heads)])
        return bool(heads)

    async def next_due(self, destination: str) -> int | None:
        due = await super().next_due(destination)
        return None if due is None else max(due, self._opens.get(destination, 0))

    def _noticed(self, destination: str, paused: str) -> None:
        if paused:
            self._paused[destination] = paused

    async def accept(self, row: Row[Any], receipt: Receipt) -> None:
        try:
            await super().accept(row, receipt)
        finally:
            await self._settled(row, "answered")

    async def fail(self, row: Row[Any], event: str, fault: Fault, due_at: int) -> None:
        again = due_at or self._clock.now() if event in ("retry", "lose") else 0
        try:
            await super().fail(row, event, fault, due_at)
        finally:
            await self._settled(row, _outcome(fault), again, due_at)

    async def postpone(self, row: Row[Any], fault: Fault, due_at: int) -> None:
        try:
            await super().postpone(row, fault, due_at)
        finally:
            await self._settled(row, _outcome(fault), due_at, due_at)

    async def _settled(self, row: Row[Any], outcome: str, again: int = 0, closed_until: int = 0) -> None:
        now = self._clock.now()
        entry = self._entries.pop(row.id, "")
        if now < self._away_until:
            return
        following = "" if again else await self._following(row, now)
        await self._settle(row.destination, row.id, entry, again, following, outcome, closed_until)

    async def _following(self, row: Row[Any], now: int) -> str:
        """Find the next delivery of the same key."""
        return await self._store.read_each(deliveries.next_of_keys, (row.id, now))

    async def _settle(
        self,
        destination: str,
        delivery_id: str,
        entry: str,
        again: int = 0,
        following: str = "",
        outcome: str = "",
        closed_until: int = 0,
    ) -> None:
        await self._settling[destination].one((entry, delivery_id, again or "", following, outcome, closed_until))

    async def _settle_all(self, destination: str, ended: list[_Ended]) -> list[None]:
        """End many with one call: a call costs more than what it changes."""
        now, breaker = self._clock.now(), self._rules[destination].breaker
        stays_open = round(breaker.open_for.total_seconds() * SECOND)
        flat = [said for one in ended for said in one]
        try:
            await self._settle_script(keys=self._keys(destination), args=[now, breaker.failures, stays_open, *flat])
        except RedisError as error:
            self._lost(error, now)
        return [None] * len(ended)

    async def give_back(self, row: Row[Any]) -> None:
        await super().give_back(row)
        await self._settled(row, "", self._clock.now())

    def forget(self, row: Row[Any]) -> None:
        super().forget(row)
        self._entries.pop(row.id, None)

    async def heartbeat(self) -> None:
        """Keep what this node has under way from counting as lost, in the ledger and in Redis."""
        now = self._clock.now()
        back = self._is_set_back(now)
        await super().heartbeat()
        if back:
            await self._start_anew(now)
        if now < self._away_until or not self._entries:
            return
        under_way = list(self._entries)
        rows = await self._store.read(lambda c: deliveries.destinations_of(c, under_way))
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for row in rows:
                    entry = self._entries.get(row.id)
                    if entry is None:
                        continue  # it has ended meanwhile
                    ready, _, _, flight, *_ = self._keys(row.destination)
                    pipe.zadd(flight, {row.id: now + self._lease}, xx=True)
                    pipe.xclaim(ready, redis_scripts.GROUP, self._owner, 0, [entry], justid=True, idle=0)
                await pipe.execute(raise_on_error=False)  # a stream that is gone is filled again
        except RedisError as error:
            self._lost(error, now)

    async def _start_anew(self, now: int) -> None:
        """Empty what Redis knows by a clock that was set back; the ledger knows all of it."""
        self._away_until = 0
        self._opens.clear()
        try:
            await self._client.delete(*(key for destination in self._rules for key in self._keys(destination)))
        except RedisError as error:
            self._lost(error, now)

    def _note(self, connection: Connection, destination: str, fault: Fault, due_at: int, now: int) -> bool:
        """Leave the breaker to Redis, unless it is away."""
        return now >= self._away_until or super()._note(connection, destination, fault, due_at, now)

    def _lost(self, error: RedisError, now: int) -> None:
        if now >= self._away_until:
            log.warning("redis is away (%s); the ledger alone decides", type(error).__name__)
        self._away_until = now + _AWAY
        meters.show(meters.REDIS_AWAY, 1)

    def _keys(self, destination: str) -> list[str]:
        return [f"{self._prefix}:{{{destination}}}:{name}" for name in redis_scripts.KEYS]


def _outcome(fault: Fault) -> str:
    if isinstance(fault, Throttled):
        return "throttled"
    if isinstance(fault, ANSWERS):
        return "answered"
    return "failed" if fault.fault_class in (FaultClass.TRANSIENT, FaultClass.UNCERTAIN) else ""
