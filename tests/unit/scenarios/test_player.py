"""The player keeps every patient's order over many connections, and tells a wrong answer from a right one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.player import Played, play, read_acknowledgement

Reply = Callable[[bytes], bytes | None]


def acknowledge(code: str, raw: bytes, text: str = "") -> bytes:
    control_id = raw.split(b"|")[9].split(b"\r")[0].decode()
    return f"MSH|^~\\&|X|X|X|X|||ACK|1|P|2.5.1\rMSA|{code}|{control_id}|{text}\r".encode()


class Peer:
    """Reads frames and answers what `reply` says; None closes the connection."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.got: list[bytes] = []
        self.connections = 0

    async def __aenter__(self) -> Peer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                raw = frame[1:-2]
                self.got.append(raw)
                answer = self.reply(raw)
                if answer is None:
                    return
                writer.write(b"\x0b" + answer + b"\x1c\r")
                await writer.drain()
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


def run(events: list[Event], reply: Reply, **options: float) -> tuple[list[Played], Peer, list[Played]]:
    async def main() -> tuple[list[Played], Peer, list[Played]]:
        seen: list[Played] = []
        async with Peer(reply) as peer:
            addresses = {"his": peer.address, "lis": peer.address}
            timeout_s, pace = options.get("timeout_s", 10.0), options.get("pace", 0.0)
            result = await play(events, addresses, connections=4, pace=pace, timeout_s=timeout_s, progress=seen.append)
            return result, peer, seen

    return asyncio.run(main())


def test_a_whole_day_arrives_unchanged_with_every_patient_in_order() -> None:
    events = list(hospital_day().events)
    played, peer, seen = run(events, lambda raw: acknowledge("AA", raw))
    assert [one.event for one in played] == events
    assert len(seen) == len(events)
    assert sorted(peer.got) == sorted(event.raw for event in events)
    assert 2 < peer.connections <= 8
    arrived: dict[bytes, list[int]] = {}
    for position, raw in enumerate(peer.got):
        arrived.setdefault(raw, []).append(position)
    order = [arrived[event.raw].pop(0) for event in events]
    for patient in {patient for event in events for patient in event.patients}:
        mine = [order[number] for number, event in enumerate(events) if patient in event.patients]
        assert mine == sorted(mine)


def test_an_answer_is_compared_with_what_the_event_deserves() -> None:
    events = [event for event in hospital_day().events if event.ack in ("AE", "AR", "CA")]
    played, _, _ = run(events, lambda raw: acknowledge("AE", raw, "no"))
    assert {one.event.ack: one.as_expected for one in played} == {"AE": True, "AR": False, "CA": False}
    assert {one.text for one in played} == {"no"}
    assert all(one.latency_s > 0 for one in played)


def test_a_peer_that_leaves_costs_one_event_and_the_next_goes_over_a_new_connection() -> None:
    base = hospital_day().events[0]
    events = [replace(base, control_id=base.control_id) for _ in range(3)]
    answers = iter([None, "AA", "AA"])

    def reply(raw: bytes) -> bytes | None:
        code = next(answers)
        return acknowledge(code, raw) if code else None

    played, peer, _ = run(events, reply)
    assert [one.code for one in played] == ["", "AA", "AA"]
    assert played[0].text in ("IncompleteReadError", "ConnectionResetError")
    assert peer.connections == 2


def test_a_port_nobody_listens_on_is_reported_not_raised() -> None:
    async def main() -> list[Played]:
        async with Peer(lambda raw: None) as peer:
            address = peer.address
        return await play(hospital_day().events[:2], {"his": address, "lis": address}, timeout_s=5.0)

    played = asyncio.run(main())
    assert [one.code for one in played] == ["", ""]
    assert {one.text for one in played} == {"ConnectionRefusedError"}


def test_what_got_no_answer_goes_to_the_next_address() -> None:
    events = hospital_day().events[:4]

    async def main() -> tuple[list[Played], Peer]:
        async with Peer(lambda raw: None) as peer:
            gone = peer.address
        async with Peer(lambda raw: acknowledge("AA", raw)) as living:
            both = [gone, living.address]
            return await play(events, {"his": both, "lis": both}, timeout_s=5.0, tries=2), living

    played, living = asyncio.run(main())
    assert [one.code for one in played] == ["AA"] * 4
    assert len(living.got) == 4


def test_silence_ends_with_the_time_limit() -> None:
    played, _, _ = run([hospital_day().events[0]], lambda raw: b"", timeout_s=5.0)
    assert played[0].text == "answer without MSA"

    async def main() -> list[Played]:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        address: tuple[str, int] = server.sockets[0].getsockname()[:2]
        result = await play(hospital_day().events[:1], {"his": address, "lis": address}, timeout_s=0.05)
        server.close()
        await server.wait_closed()
        return result

    assert asyncio.run(main())[0].text == "TimeoutError"


def test_pace_lets_the_day_take_its_time() -> None:
    first, second = (hospital_day().events[number] for number in (0, 30))
    apart = (second.at - first.at).total_seconds()
    arrived: list[float] = []

    def reply(raw: bytes) -> bytes:
        arrived.append(asyncio.get_running_loop().time())
        return acknowledge("AA", raw)

    run([first, second], reply, pace=apart / 0.2)
    assert arrived[1] - arrived[0] > 0.15


def test_an_answer_to_another_message_counts_as_none() -> None:
    assert read_acknowledgement(b"MSH|x\rMSA|AA|1\r", "1") == ("AA", "")
    assert read_acknowledgement(b"MSH|x\rMSA|AA|2\r", "1") == ("", "answer to 2")
    assert read_acknowledgement(b"MSH|x\rMSA|AE|1|a\rERR||PID^1|101^Required|E||||missing\r", "1") == (
        "AE",
        "a missing",
    )
