"""The source `astm` over real sockets and a real pseudo terminal: what analysers send, ask, and do wrong."""

from __future__ import annotations

import asyncio
import os
import pty
import random
import ssl
import tty
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.faults import (
    AnswerNotTaken,
    FramesRefused,
    ListenFailed,
    MessageUnended,
    OutsideSession,
    SerialLineUnusable,
    TlsFilesUnusable,
    TooLarge,
)
from connectors.sources.astm import Settings, Source
from mappings.formats.faults import IntakeFault
from mappings.formats.values import FileName, Size
from tests.contract.analyser import ACK, ENQ, EOT, NAK, Analyser, framed, frames_of
from tests.contract.certificates import Authority
from tests.contract.sources import on_loop
from tests.integration.connectors.astm_house import ONE, ORDERS, QUESTION, TWO, Ledger, running, until

CORPUS = sorted((Path(__file__).resolve().parents[3] / "../shared/corpora/astm/framed").glob("*.astm"))

# ---- results ----


def test_two_messages_of_one_session_are_two_each_acknowledged_when_it_is_kept() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            assert await analyser.say(ENQ) == ACK
            ledger.gate.clear()
            frames = [framed(n, text) for n, text in enumerate((ONE, TWO[:12], TWO[12:]), 1)]
            analyser.writer.write(frames[0])
            await ledger.has_taken(1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await analyser.reader.read(1)
            ledger.gate.set()
            assert await analyser.reader.read(1) == ACK
            assert [await analyser.say(frame) for frame in frames[1:]] == [ACK, ACK]
            assert ledger.kept() == [(ONE, None), (TWO, None)]
            host, port = analyser.writer.get_extra_info("sockname")
            assert {peer for _, peer, _ in ledger.taken} == {f"{host}:{port}"}
            assert [answer.message_id for answer in ledger.told] == ["1", "2"]
            analyser.writer.write(EOT)
            await analyser.leave()

    on_loop(scene)


def test_what_the_ledger_does_not_take_is_refused_and_comes_again() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            ledger.full = 2
            analyser = await Analyser.call(address)
            assert await analyser.say(ENQ) == ACK
            assert [await analyser.say(framed(1, ONE)) for _ in range(3)] == [NAK, NAK, ACK]
            assert await analyser.say(framed(1, ONE)) == ACK, "the same frame again is answered, and not taken again"
            assert ledger.kept() == [(ONE, None)] * 3
            assert [answer.message_id for answer in ledger.told] == ["3"]
            await analyser.leave()

    on_loop(scene)


def test_what_is_kept_in_the_error_queue_is_acknowledged() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            ledger.wrong = True
            analyser = await Analyser.call(address)
            assert await analyser.send(ONE) == ACK
            assert await analyser.send(TWO) == ACK, "and no answer of it was transmitted"
            assert [answer.positive for answer in ledger.told] == [False, False]
            await analyser.leave()

    on_loop(scene)


def test_too_large_is_refused_kept_once_and_the_next_is_taken() -> None:
    async def scene() -> None:
        async with running(max_size=Size(100_000)) as (ledger, address, _):
            analyser = await Analyser.call(address)
            large = b"H|\\^&\rR|" + b"x" * 300_000 + b"\rL|1\r"
            frames = frames_of(large)
            assert await analyser.say(ENQ) == ACK
            assert await analyser.say(frames[0]) == ACK
            assert [await analyser.say(frames[1]) for _ in range(7)] == [NAK] * 7
            analyser.writer.write(EOT)
            assert await analyser.send(ONE) == ACK
            assert ledger.kept() == [(large[:65536], TooLarge), (ONE, None)]
            await analyser.leave()

    on_loop(scene)


@pytest.mark.parametrize(
    ("wire", "kept"),
    [
        (ENQ + framed(1, ONE[:20]) + EOT, (ONE[:20], MessageUnended)),
        (ENQ + framed(1, ONE[:20]) + ENQ, (ONE[:20], MessageUnended)),
        (ENQ + framed(1, ONE[:20]), (ONE[:20], MessageUnended)),  # and then nothing: no EOT ever
        (ENQ + framed(1, b"P|1\rL|1\r"), (b"P|1\rL|1\r", MessageUnended)),
        (ENQ + b"\x021H|\r\x0300\r\n" + EOT, (b"1H|\r\x0300\r\n", FramesRefused)),
        (ENQ + framed(1, ONE[:20]) + framed(3, ONE[20:]) + EOT, (ONE[:20] + framed(3, ONE[20:]), FramesRefused)),
        (ENQ + framed(1, ONE[:20]) + b"\x022R|1|cut off", (ONE[:20] + b"2R|1|cut off", FramesRefused)),
        (ONE, (ONE.rstrip(b"\r"), OutsideSession)),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (b"GET / HTTP/1.1\r\nHost: x", OutsideSession)),
    ],
)
@pytest.mark.parametrize("leaves", [True, False])
def test_what_is_no_whole_message_is_kept_with_its_fault(
    wire: bytes, kept: tuple[bytes, type[IntakeFault]], leaves: bool
) -> None:
    async def scene() -> None:
        async with running(frame_timeout=timedelta(milliseconds=300)) as (ledger, address, _):
            analyser = await Analyser.call(address)
            analyser.writer.write(wire)
            if leaves:
                await analyser.leave()
            await ledger.has_taken(1)
            assert ledger.kept() == [kept]
            if leaves:
                analyser = await Analyser.call(address)
            else:
                await analyser.drain()
                analyser.writer.write(EOT)
            assert await analyser.send(ONE) == ACK
            await analyser.leave()

    on_loop(scene)


def test_noise_between_frames_and_a_damaged_frame_that_comes_again_leave_no_trace() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            assert await analyser.say(b"\xff\x00" + ENQ) == ACK
            first, second = frames_of(ONE, 25)
            assert await analyser.say(b"??" + first) == ACK
            assert await analyser.say(second.replace(b"5.40", b"5.4O")) == NAK
            assert await analyser.say(b"garbage" + second) == ACK
            assert ledger.kept() == [(ONE, None)]
            await analyser.leave()

    on_loop(scene)


def test_a_slow_analyser_byte_by_byte() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            assert await analyser.say(ENQ) == ACK
            for byte in framed(1, ONE):
                analyser.writer.write(bytes([byte]))
                await analyser.writer.drain()
                await asyncio.sleep(0)
            assert await analyser.reader.read(1) == ACK
            assert ledger.kept() == [(ONE, None)]
            await analyser.leave()

    on_loop(scene)


def test_a_half_closed_analyser_is_told_what_became_of_its_message() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            analyser.writer.write(ENQ + framed(1, ONE) + EOT)
            analyser.writer.write_eof()
            assert await analyser.reader.read() == ACK, "to ENQ; the session was over before the word on the message"
            assert ledger.kept() == [(ONE, None)]
            await analyser.leave()

    on_loop(scene)


def test_busy_while_a_message_is_with_the_ledger_whose_session_is_over() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            assert await analyser.say(ENQ) == ACK
            ledger.gate.clear()
            analyser.writer.write(framed(1, ONE))
            await ledger.has_taken(1)
            assert await analyser.say(EOT + ENQ) == NAK
            ledger.gate.set()
            while await analyser.say(ENQ) != ACK:
                pass
            await analyser.leave()

    on_loop(scene)


def whole(wire: bytes) -> bytes:
    """Give the records of a capture, by a reading of its own: what stands between the number of a frame and its end."""
    texts = []
    for part in wire.split(b"\x02")[1:]:
        texts.append(part[1 : max(part.rfind(b"\x03"), part.rfind(b"\x17"))])
    return b"".join(texts)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
@pytest.mark.parametrize("way", ["at once", "frame by frame"])
def test_captures_of_real_analysers_arrive_whole(path: Path, way: str) -> None:
    wire = path.read_bytes()

    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            if way == "at once":
                analyser.writer.write(wire)
            else:
                frames = [b"\x02" + part for part in wire.split(b"\x02")[1:]]
                assert await analyser.say(ENQ) == ACK
                assert [await analyser.say(frame) for frame in frames] == [ACK] * len(frames)
            await ledger.has_taken(1)
            assert ledger.kept() == [(whole(wire), None)]
            await analyser.leave()

    on_loop(scene)


def test_the_captures_are_there() -> None:
    assert len(CORPUS) == 7


# ---- questions ----


def test_a_question_is_answered_when_the_analyser_ended_its_session() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            assert await analyser.send(QUESTION) == ACK
            assert await analyser.receive() == b"".join(ORDERS)
            await ledger.has_told(1)
            assert [answer.message_id for answer in ledger.told] == ["1"]
            assert ledger.not_told == []
            assert await analyser.send(ONE) == ACK
            await analyser.leave()

    on_loop(scene)


def test_orders_are_cut_into_frames_by_records() -> None:
    async def scene() -> None:
        async with running(send_frame=10) as (_, address, _task):
            analyser = await Analyser.call(address)
            await analyser.send(QUESTION)
            assert await analyser.receive() == b"".join(ORDERS)
            await analyser.leave()

    on_loop(scene)


def test_when_both_ask_the_analyser_goes_first_and_still_gets_its_answer() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            await analyser.send(QUESTION)
            assert await analyser.reader.readexactly(1) == ENQ
            analyser.writer.write(ENQ)
            analyser.writer.write(ENQ)  # again, as it does after a second
            assert await analyser.reader.readexactly(1) == ACK
            assert await analyser.say(framed(1, ONE)) == ACK
            analyser.writer.write(EOT)
            assert await analyser.receive() == b"".join(ORDERS)
            await ledger.has_told(2)
            assert sorted(answer.message_id or "" for answer in ledger.told) == ["1", "2"]
            await analyser.leave()

    on_loop(scene)


def test_an_answer_that_is_not_taken_is_noted_at_the_question() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            analyser = await Analyser.call(address)
            await analyser.send(QUESTION)
            assert await analyser.reader.readexactly(1) == ENQ
            await analyser.leave()
            await until(lambda: bool(ledger.not_told))
            ((answer, fault),) = ledger.not_told
            assert (answer.message_id, type(fault), fault.detail) == ("1", AnswerNotTaken, "line lost")
            assert ledger.told == []

    on_loop(scene)


def test_an_analyser_that_never_acknowledges_our_frame_is_left_in_peace() -> None:
    async def scene() -> None:
        async with running(answer_timeout=timedelta(milliseconds=100)) as (_, address, _task):
            analyser = await Analyser.call(address)
            await analyser.send(QUESTION)
            assert await analyser.reader.readexactly(1) == ENQ
            assert (await analyser.say(ACK)) == b"\x02"
            frame = await analyser.reader.readuntil(b"\r\n")
            for _ in range(6):
                assert await analyser.say(NAK) == b"\x02"
                assert await analyser.reader.readuntil(b"\r\n") == frame
            assert await analyser.say(NAK) == EOT
            await analyser.leave()

    on_loop(scene)


# ---- who may call, and how ----


@pytest.mark.parametrize(
    ("peers", "allowed"), [(("127.0.0.1",), True), (("127.0.0.0/8",), True), (("10.0.0.7",), False)]
)
def test_only_named_peers_may_call(peers: tuple[str, ...], allowed: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with running(peers=peers) as (ledger, address, _):
            analyser = await Analyser.call(address)
            if allowed:
                assert await analyser.send(ONE) == ACK
            else:
                assert await analyser.at_end()
                assert ledger.taken == []
            await analyser.leave()

    on_loop(scene)
    assert ("PeerNotAllowed" in caplog.text) is not allowed


def test_connections_beyond_the_limit_are_closed_and_room_is_made_again() -> None:
    async def scene() -> None:
        async with running(max_connections=1) as (_, address, _task):
            first = await Analyser.call(address)
            assert await first.send(ONE) == ACK
            second = await Analyser.call(address)
            assert await second.at_end()
            await first.leave()
            while True:
                third = await Analyser.call(address)
                try:
                    reply = await third.send(ONE)
                except ConnectionError:
                    reply = b""
                await third.leave()
                if reply == ACK:
                    break
            await second.leave()

    on_loop(scene)


def test_tls_and_client_certificates(tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange")
    server, mine, theirs = ours.issue("localhost"), ours.issue("analyser"), strange.issue("analyser")
    files = {"certificate": server.certificate, "private_key": server.key, "client_ca": ours.certificate}

    async def call(address: str, context: ssl.SSLContext) -> Analyser:
        host, _, port = address.rpartition(":")
        return Analyser(*await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost"))

    async def refused(address: str, context: ssl.SSLContext) -> None:
        assert await (await call(address, context)).send(ONE) == ACK

    async def scene() -> None:
        async with running(tls="mtls", **files) as (ledger, address, _):
            analyser = await call(address, ours.client_context(mine))
            assert await analyser.send(QUESTION) == ACK
            assert await analyser.receive() == b"".join(ORDERS)
            await analyser.leave()
            for context in (ours.client_context(), ours.client_context(theirs)):
                with pytest.raises((OSError, AssertionError)):
                    await refused(address, context)
            assert len(ledger.taken) == 1

    on_loop(scene)


def test_what_cannot_begin_is_a_fault(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running() as (_, address, _task):
            with pytest.raises(ListenFailed):
                async with running(listen=address):
                    pass
        absent = FileName(str(tmp_path / "absent"))
        with pytest.raises(TlsFilesUnusable):
            async with running(tls="tls", certificate=absent, private_key=absent):
                pass
        with pytest.raises(TlsFilesUnusable):
            async with running(connect="127.0.0.1:9", tls="tls", client_ca=absent):
                pass
        for path in (absent, FileName(str(tmp_path)), FileName("/dev/null")):
            with pytest.raises(SerialLineUnusable):
                async with running(serial=path):
                    pass

    on_loop(scene)


def test_stopping_waits_for_the_message_under_way_and_lets_no_session_begin() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, task):
            idle, analyser = await Analyser.call(address), await Analyser.call(address)
            assert await idle.say(ENQ) == ACK
            assert await analyser.say(ENQ) == ACK
            first, second = frames_of(ONE, 25)
            assert await analyser.say(first) == ACK
            task.cancel()
            assert await idle.at_end()
            assert await analyser.say(second) == ACK
            assert await analyser.at_end()
            await asyncio.wait({task})
            assert ledger.kept() == [(ONE, None)]
            await idle.leave()
            await analyser.leave()

    on_loop(scene)


# ---- calling the analyser ----


def test_an_analyser_that_waits_to_be_called_is_called_again_after_it_left() -> None:
    calls: asyncio.Queue[Analyser] = asyncio.Queue()

    async def scene() -> None:
        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await calls.put(Analyser(reader, writer))

        server = await asyncio.start_server(called, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with running(connect=f"127.0.0.1:{port}") as (ledger, address, _):
            assert address == f"127.0.0.1:{port}"
            for count in (1, 2):
                analyser = await calls.get()
                assert await analyser.send(QUESTION) == ACK
                assert await analyser.receive() == b"".join(ORDERS)
                await analyser.leave()
                assert len(ledger.taken) == count
        server.close()

    on_loop(scene)


def test_an_analyser_that_is_not_there_is_away_and_no_fault() -> None:
    async def scene() -> None:
        source = Source(Settings(connect="127.0.0.1:9", tls="none"))
        ready = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(source.run(Ledger(), ready.set_result))
        await ready
        await until(lambda: source.counts() == {"away": 1})
        task.cancel()
        await task

    on_loop(scene)


# ---- a serial line ----


class Terminal:
    """The analyser's end of a serial line."""

    def __init__(self, name: Path) -> None:
        self.end, other = pty.openpty()
        tty.setraw(self.end)
        os.set_blocking(self.end, False)
        self._other = other
        name.unlink(missing_ok=True)
        name.symlink_to(os.ttyname(other))
        self._loop = asyncio.get_running_loop()

    async def read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            readable = self._loop.create_future()
            self._loop.add_reader(self.end, readable.set_result, None)
            try:
                await readable
            finally:
                self._loop.remove_reader(self.end)
            got += os.read(self.end, count - len(got))
        return got

    async def say(self, data: bytes) -> bytes:
        while data:
            try:
                data = data[os.write(self.end, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
        return await self.read(1)

    def unplug(self) -> None:
        os.close(self._other)
        os.close(self.end)


def test_a_serial_line_carries_results_and_questions_and_may_be_unplugged(tmp_path: Path) -> None:
    name = tmp_path / "ttyANALYSER"

    async def scene() -> None:
        terminal = Terminal(name)
        more = {"baud": 115200, "parity": "even", "data_bits": 7, "stop_bits": 2}
        async with running(serial=FileName(str(name)), tls="tls", **more) as (ledger, address, _):
            assert address == "serial ttyANALYSER"
            for count in (1, 2):
                assert await terminal.say(ENQ) == ACK
                for frame in frames_of(QUESTION.replace(b"S1", b"S" * 3000), 240):
                    assert await terminal.say(frame) == ACK
                assert await terminal.say(EOT) == ENQ
                orders = b""
                while await terminal.say(ACK) == b"\x02":
                    frame = b""
                    while not frame.endswith(b"\r\n"):
                        frame += await terminal.read(1)
                    orders += frame[1:-5]
                assert orders == b"".join(ORDERS)
                assert {peer for _, peer, _ in ledger.taken} == {"serial ttyANALYSER"}
                await ledger.has_told(count)
                if count == 1:
                    terminal.unplug()
                    terminal = Terminal(name)
        terminal.unplug()

    on_loop(scene)


def test_a_serial_line_is_for_one_channel(tmp_path: Path) -> None:
    name = FileName(str(tmp_path / "ttyANALYSER"))

    async def scene() -> None:
        terminal = Terminal(Path(name))
        async with running(serial=name):
            with pytest.raises(SerialLineUnusable) as told:
                async with running(serial=name):
                    pass
            assert told.value.detail == "taken"
        Source.check(Settings(serial=name))
        terminal.unplug()

    on_loop(scene)


# ---- without frames ----


def test_records_without_frames() -> None:
    async def scene() -> None:
        async with running(framing="none") as (ledger, address, _):
            analyser = await Analyser.call(address)
            analyser.writer.write(ONE + TWO[:20])
            await ledger.has_taken(1)
            analyser.writer.write(TWO[20:] + QUESTION.rstrip(b"\r"))
            orders = b"".join(ORDERS)
            assert await analyser.reader.readexactly(len(orders)) == orders
            assert ledger.kept() == [(ONE, None), (TWO, None), (QUESTION, None)]
            await ledger.has_told(1)
            assert [answer.message_id for answer in ledger.told] == ["3"]
            analyser.writer.write(ONE[:20])
            await analyser.leave()
            await ledger.has_taken(4)
            assert ledger.kept()[3] == (ONE[:20], MessageUnended)

    on_loop(scene)


def test_without_frames_a_ledger_that_is_full_is_asked_again_and_the_sender_held_back() -> None:
    async def scene() -> None:
        async with running(framing="none") as (ledger, address, _):
            ledger.full = 1
            analyser = await Analyser.call(address)
            analyser.writer.write(ONE + TWO)
            await analyser.leave()
            await ledger.has_taken(3)
            assert ledger.kept() == [(ONE, None), (ONE, None), (TWO, None)]

    on_loop(scene)


def test_frames_where_none_are_expected_are_told_so() -> None:
    async def scene() -> None:
        async with running(framing="none", frame_timeout=timedelta(milliseconds=200)) as (ledger, address, _):
            analyser = await Analyser.call(address)
            analyser.writer.write(ENQ)
            await ledger.has_taken(1)
            assert ledger.kept() == [(ENQ, OutsideSession)]
            await analyser.leave()

    on_loop(scene)


# ---- whatever comes ----


@pytest.mark.parametrize("framing", ["frames", "none"])
def test_rubbish_of_any_kind_stops_nothing(framing: str) -> None:
    chance = random.Random(9)
    pieces = [ENQ, ACK, NAK, EOT, b"\x02", b"\x03", b"\r", b"\n", b"1H|", b"L|1\r", framed(1, ONE), framed(2, b"L|1\r")]

    async def scene() -> None:
        async with running(framing=framing, max_size=Size(2000), max_frame=Size(500)) as (ledger, address, _):
            for _ in range(60):
                analyser = await Analyser.call(address)
                for _ in range(chance.randrange(20)):
                    analyser.writer.write(chance.choice([*pieces, chance.randbytes(chance.randrange(1500))]))
                    if chance.random() < 0.5:
                        await asyncio.sleep(0)
                await analyser.leave()
            analyser = await Analyser.call(address)
            if framing == "frames":
                assert await analyser.send(ONE) == ACK
            else:
                count = len(ledger.taken)
                analyser.writer.write(ONE)
                await ledger.has_taken(count + 1)
            await analyser.leave()

    on_loop(scene)
