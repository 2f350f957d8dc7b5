"""Values of devices on their way into the record: kept by window, chosen when the window is over.

A window is taken when its time is over by the clock here and `GRACE` has passed; a value that comes later makes the window be
taken again, from all its values. Each is one transaction; done twice it changes nothing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import meters, papers
from gateway.clock import SECOND, Clock
from gateway.ops.scheduler import Fence
from gateway.records import resources
from gateway.records.resources import Said
from gateway.store import messages, samples
from gateway.store.engine import Store
from gateway.store.samples import NewSample, Window
from gateway.store.sealed import Keyring
from mappings.device.decimation import Sample, Sifted, choose
from mappings.formats import json
from mappings.outcome import Resource
from mappings.systems import Systems

GRACE = 15 * SECOND
"""How long after its end a window still waits for what is on its way."""
_AT_ONCE = 50
"""Windows that one turn looks for at a time."""

Packed = tuple[tuple[int, int, bytes], ...]
"""Per window of a message: its length and begin in seconds, and its values, packed."""


def pack(sifted: Sifted) -> Packed:
    """Pack the values of a message by window, each with all that they refer to."""
    by_window: dict[tuple[int, int], list[Sample]] = {}
    for sample in sifted.samples:
        by_window.setdefault((sample.every_s, sample.window_at), []).append(sample)
    return tuple(
        (every_s, window_at, zlib.compress(json.dumps({"frame": list(sifted.frame), "samples": _plain(found)}), 1))
        for (every_s, window_at), found in by_window.items()
    )


def _plain(found: Sequence[Sample]) -> list[dict[str, Any]]:
    return [
        {"every": s.every_s, "at": s.window_at, "metric": s.metric, "keep": s.keep, "observation": s.observation}
        for s in found
    ]


def put(
    connection: Connection, keyring: Keyring, message_id: str, patient_id: str | None, packed: Packed, now: int
) -> None:
    """Keep the values of a message until their windows are over."""
    found = []
    for every_s, window_at, body in packed:
        series = keyring.search_key("series", f"{patient_id or message_id}|{every_s}")
        end = min(max((window_at + every_s) * SECOND, now), now + every_s * SECOND)
        sealed = keyring.seal(body, f"sample/{message_id}/{series.hex()}/{window_at}")
        found.append(NewSample(message_id, series, window_at, patient_id, end + GRACE, sealed))
    samples.put(connection, message_id, found)


class DeviceWindows:
    """Take windows that are over into the record."""

    def __init__(self, store: Store, keyring: Keyring, clock: Clock, systems: Systems) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._systems = systems

    async def turn(self, fence: Fence) -> None:
        """Take all windows that are due now."""
        while found := await self._store.read(lambda c: samples.due(c, self._clock.now(), _AT_ONCE)):
            taken = [await self._take(window, fence) for window in found]
            if not any(taken):
                return

    async def _take(self, window: Window, fence: Fence) -> bool:
        rows = await self._store.read(lambda connection: samples.of_window(connection, window))
        told = await asyncio.to_thread(self._chosen, rows)

        def commit(connection: Connection) -> bool:
            fence(connection)
            if not samples.settle(connection, window, len(rows)):
                return False
            now = self._clock.now()
            message = messages.get(connection, rows[-1].message_id)
            patient_id = rows[-1].patient_id
            resources.save(connection, self._keyring, told, Said.of(message, 0, patient_id, {}, {}), now)
            if patient_id is not None:
                papers.told_more(connection, patient_id, now)
            return True

        done = await self._store.write(commit) if rows else False
        if done:
            chosen = sum(one["resourceType"] == "Observation" for one in told)
            meters.count(meters.DEVICE_VALUES, chosen, fate="window")
        return done

    def _chosen(self, rows: Sequence[Row[Any]]) -> list[Resource]:
        """Choose what the record gets of a window, and what that refers to as the newest message had it."""
        frame: dict[tuple[str, str], Resource] = {}
        found: list[Sample] = []
        for row in rows:
            packed = self._opened(row)
            frame |= {(one["resourceType"], one["id"]): one for one in packed["frame"]}
            found += [
                Sample(s["every"], s["at"], s["metric"], tuple(s["keep"]), s["observation"]) for s in packed["samples"]
            ]
        return [*frame.values(), *choose(found, self._systems.own)]

    def _opened(self, row: Row[Any]) -> dict[str, Any]:
        sealed = self._keyring.open(row.body, f"sample/{row.message_id}/{row.series.hex()}/{row.window_at}")
        packed: dict[str, Any] = json.loads(zlib.decompress(sealed))
        return packed
