"""Send a day's messages over real MLLP connections and compare every answer; knows of the gateway only its ports.

Standard: HL7 v2 Transport Specification: MLLP, Release 1.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from conformance.scenarios.event import Event

_START, _END = b"\x0b", b"\x1c\r"
_LARGEST_ANSWER = 1 << 20
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Played:
    """What came of one event."""

    event: Event
    code: str
    """MSA-1; empty when no readable answer came."""
    text: str
    """MSA-3 and the user texts of ERR, or why there is no answer."""
    latency_s: float
    answer: bytes

    @property
    def as_expected(self) -> bool:
        return self.code == self.event.ack


async def play(
    events: Sequence[Event],
    addresses: Mapping[str, tuple[str, int] | list[tuple[str, int]]],
    *,
    connections: int = 4,
    pace: float = 0.0,
    timeout_s: float = 30.0,
    tries: int = 1,
    progress: Callable[[Played], None] | None = None,
) -> list[Played]:
    """Send every event to its stream's address and return the answers in the order of `events`.

    `pace` is how many seconds of the day pass in one second; 0 sends as fast as answers come. Events that share a
    patient wait for each other, also across streams; a broken connection costs its event, after so many `tries`, and is opened
    anew. A stream with several addresses has its connections dealt out to them; what got no answer goes to the next one.
    """
    done = [asyncio.Event() for _ in events]
    waits = _waits(events)
    lanes = _lanes(events, connections)
    played: dict[int, Played] = {}
    began = time.monotonic()

    async def lane(stream: str, lane_number: int, numbers: Sequence[int]) -> None:
        known = _several(addresses[stream])
        start = lane_number % len(known)
        connection = _Connection([*known[start:], *known[:start]], timeout_s, tries)
        try:
            for number in numbers:
                event = events[number]
                for earlier in waits[number]:
                    await done[earlier].wait()
                if pace:
                    due = began + (event.at - events[0].at).total_seconds() / pace
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                played[number] = await connection.exchange(event)
                done[number].set()
                if progress is not None:
                    progress(played[number])
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for (stream, lane_number), numbers in lanes.items():
            group.create_task(lane(stream, lane_number, numbers))
    return [played[number] for number in range(len(events))]


def _several(addresses: tuple[str, int] | list[tuple[str, int]]) -> list[tuple[str, int]]:
    return addresses if isinstance(addresses, list) else [addresses]


def _lanes(events: Sequence[Event], connections: int) -> dict[tuple[str, int], list[int]]:
    """Deal patients out to connections in order of appearance; each lane keeps the order of the day."""
    lane_of: dict[str, int] = {}
    lanes: dict[tuple[str, int], list[int]] = {}
    for number, event in enumerate(events):
        patient = event.patients[0] if event.patients else ""
        lane = lane_of.setdefault(patient, len(lane_of) % connections)
        lanes.setdefault((event.stream, lane), []).append(number)
    return lanes


def _waits(events: Sequence[Event]) -> list[list[int]]:
    """For each event, the earlier ones it must not overtake; being earlier, they never make lanes wait in a ring."""
    last: dict[str, int] = {}
    waits = []
    for number, event in enumerate(events):
        waits.append([last[patient] for patient in event.patients if patient in last])
        last.update(dict.fromkeys(event.patients, number))
    return waits


class _Connection:
    """One MLLP connection, opened when first needed and again, to the next address, after it broke."""

    def __init__(self, addresses: list[tuple[str, int]], timeout_s: float, tries: int) -> None:
        self._addresses, self._timeout_s, self._tries = addresses, timeout_s, tries
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, event: Event) -> Played:
        """Send one event, again if need be, and wait for its answer; a failure is reported in the result, never raised."""
        played = await self._exchange(event)
        for _ in range(self._tries - 1):
            if played.answer:
                break
            await asyncio.sleep(_PAUSE_S)
            played = await self._exchange(event)
        return played

    async def _exchange(self, event: Event) -> Played:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._send(event.raw)
        except (OSError, EOFError, asyncio.LimitOverrunError) as failure:
            # TimeoutError is an OSError; IncompleteReadError is an EOFError.
            await self.close()
            self._addresses = [*self._addresses[1:], self._addresses[0]]
            return Played(event, "", type(failure).__name__, time.perf_counter() - began, b"")
        code, text = read_acknowledgement(answer, event.control_id)
        return Played(event, code, text, time.perf_counter() - began, answer)

    async def _send(self, raw: bytes) -> bytes:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._addresses[0], limit=_LARGEST_ANSWER)
        reader, writer = self._streams
        writer.write(_START + raw + _END)
        await writer.drain()
        return (await reader.readuntil(_END))[: -len(_END)].removeprefix(_START)

    async def close(self) -> None:
        if self._streams is None:
            return
        _, writer = self._streams
        self._streams = None
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            return  # the peer was gone already


def read_acknowledgement(answer: bytes, control_id: str) -> tuple[str, str]:
    """Take MSA-1 and the texts out of an answer; an answer to another message counts as none."""
    rows = [row.split("|") for row in answer.decode("utf-8", "replace").split("\r")]
    msa = next((row for row in rows if row[0] == "MSA"), None)
    if msa is None or len(msa) < 3:
        return "", "answer without MSA"
    if msa[2] != control_id:
        return "", f"answer to {msa[2]}"
    texts = [*msa[3:4], *(row[8] for row in rows if row[0] == "ERR" and len(row) > 8)]
    return msa[1], " ".join(text for text in texts if text)
