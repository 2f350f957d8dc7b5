"""Bells between rooms and nodes: "there may be something new". Only ever a hint; whoever misses it looks again by itself.

With a Redis URL, a bell rung on one node is heard on all nodes of the store (publish/subscribe). Losing Redis makes nodes
fall back to looking every second; nothing is stored there.
"""

from __future__ import annotations

import asyncio
import logging

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger("lienthong.wake")

_RETRY_S = 1.0


class Bell:
    """Events that a process's loops wait for; `ring` sets all of them, here and on other nodes."""

    def __init__(self, url: str = "", channel: str = "lienthong:bell") -> None:
        self._events: list[asyncio.Event] = []
        self._channel = channel
        # no retries below ours: a bell that waits is no bell, and a client that waits cannot be stopped
        once = Retry(NoBackoff(), 0)
        self._client = redis.Redis.from_url(url, retry=once, socket_connect_timeout=2) if url else None
        self._rung = asyncio.Event()

    def listener(self) -> asyncio.Event:
        event = asyncio.Event()
        self._events.append(event)
        return event

    def ring(self) -> None:
        self.ring_here()
        self._rung.set()

    def ring_here(self) -> None:
        for event in self._events:
            event.set()

    async def run(self) -> None:
        """Carry bells between nodes until cancelled; returns at once without Redis."""
        if self._client is None:
            return
        tasks = [
            asyncio.create_task(self._publish(self._client)),
            asyncio.create_task(self._subscribe(self._client)),
        ]
        try:
            await asyncio.wait(tasks)
        finally:
            while pending := [task for task in tasks if not task.done()]:
                for task in pending:
                    task.cancel()  # more than once: the client swallows a cancellation that meets a dying connection
                await asyncio.wait(pending, timeout=0.2)
            await self._client.aclose()

    async def _publish(self, client: redis.Redis) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                await client.publish(self._channel, b"1")
            except RedisError:
                await asyncio.sleep(_RETRY_S)

    async def _subscribe(self, client: redis.Redis) -> None:
        said = False
        while True:
            try:
                async with client.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel)
                    said = False
                    async for _ in pubsub.listen():
                        self.ring_here()
            except RedisError as error:
                if not said:
                    log.warning("redis is away (%s); nodes look every second", type(error).__name__)
                    said = True
                await asyncio.sleep(_RETRY_S)
