"""The simulated analyser against the source `astm`: over sockets and a serial line, in this process and as a command."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
import tty
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.sandbox import analyser_command
from conformance.sandbox.analyser import Analyser, Knobs, Outcome, Sent, Times, called, waited
from conformance.sandbox.analyser_messages import question, read_messages, results
from connectors.faults import AnswerNotTaken, FramesRefused, MessageUnended
from mappings.formats.values import FileName
from tests.contract.sources import on_loop
from tests.integration.connectors.astm_house import ORDERS, Ledger, running, until

NOON = datetime(2026, 11, 26, 12, 0)  # noqa: DTZ001 - as an instrument writes it, without a zone
QUICK = Times(answer_s=5.0, frame_s=5.0, busy_s=0.05, contention_s=0.05)
MESSAGES = list(results(3, 7, NOON))
ROOT = Path(__file__).resolve().parents[3]


async def call(address: str, *messages: bytes, **knobs: Any) -> list[Sent]:
    host, _, port = address.rpartition(":")
    async with called(host, int(port)) as wire:
        return await Analyser(wire, Knobs(**knobs), QUICK).send(*messages)


def test_results_are_the_same_for_the_same_seed_and_whole() -> None:
    assert list(results(3, 7, NOON)) == MESSAGES
    assert list(results(3, 8, NOON)) != MESSAGES
    for message in MESSAGES:
        assert [record[:1] for record in message.split(b"\r")[:3]] == [b"H", b"P", b"O"]
        assert message.endswith(b"\rL|1|N\r")


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"frame_size": 10},
        {"frame_size": 60_000},
        {"wrong_checksum": 6},
        {"garbage": True},
        {"slow_ms": 1},
        {"wrong_checksum": 1, "garbage": True, "frame_size": 30},
    ],
    ids=str,
)
def test_messages_arrive_whole_whatever_it_does_wrong(knobs: dict[str, Any]) -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            sent = await call(address, *MESSAGES[:2], **knobs)
            assert [one.outcome for one in sent] == [Outcome.ACKNOWLEDGED] * 2
            assert [one.retransmissions for one in sent] == [knobs.get("wrong_checksum", 0)] * 2
            assert ledger.kept() == [(message, None) for message in MESSAGES[:2]]

    on_loop(scene)


def test_a_frame_that_is_never_right_is_given_up_and_kept_with_a_fault() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            sent = await call(address, *MESSAGES[:2], wrong_checksum=7)
            assert [one.outcome for one in sent] == [Outcome.REFUSED] * 2
            await ledger.has_taken(1)
            assert [fault for _, fault in ledger.kept()] == [FramesRefused]

    on_loop(scene)


def test_it_leaves_in_the_middle() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            sent = await call(address, MESSAGES[0], break_after=2)
            assert sent[0].outcome is Outcome.LEFT
            await ledger.has_taken(1)
            assert [fault for _, fault in ledger.kept()] == [MessageUnended]

    on_loop(scene)


def test_without_eot_the_messages_are_there_all_the_same() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            assert [one.outcome for one in await call(address, MESSAGES[0], no_eot=True)] == [Outcome.ACKNOWLEDGED]
            assert ledger.kept() == [(MESSAGES[0], None)]

    on_loop(scene)


def test_without_frames_nobody_says_anything() -> None:
    async def scene() -> None:
        async with running(framing="none") as (ledger, address, _):
            assert await call(address, MESSAGES[0], frames=False) == [Sent(Outcome.UNKNOWN)]
            await ledger.has_taken(1)
            host, _, port = address.rpartition(":")
            async with called(host, int(port)) as wire:
                _, orders = await Analyser(wire, Knobs(frames=False)).ask(question("S1", NOON))
            assert orders == list(ORDERS)

    on_loop(scene)


@pytest.mark.parametrize("knobs", [{}, {"contention": True}, {"naks": 6}, {"frame_size": 10}], ids=str)
def test_it_asks_and_gets_orders(knobs: dict[str, Any]) -> None:
    async def scene() -> None:
        async with running(send_frame=30) as (ledger, address, _):
            host, _, port = address.rpartition(":")
            async with called(host, int(port)) as wire:
                analyser = Analyser(wire, Knobs(**knobs), QUICK)
                for _ in range(2):
                    sent, orders = await analyser.ask(question("S1", NOON), 10.0)
                    assert (sent.outcome, orders) == (Outcome.ACKNOWLEDGED, list(ORDERS))
                await until(lambda: len(ledger.told) == 2)
            assert ledger.not_told == []

    on_loop(scene)


def test_it_refuses_the_orders_and_the_question_says_so() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            host, _, port = address.rpartition(":")
            async with called(host, int(port)) as wire:
                analyser = Analyser(wire, Knobs(naks=7), QUICK)
                _, orders = await analyser.ask(question("S1", NOON), 0.5)
                assert orders == []
            await until(lambda: bool(ledger.not_told))
            assert isinstance(ledger.not_told[0][1], AnswerNotTaken)

    on_loop(scene)


def test_it_waits_to_be_called() -> None:
    async def scene() -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def instrument() -> list[Sent]:
            async with waited("127.0.0.1", 0, ready) as wire:
                return await Analyser(wire, times=QUICK).send(*MESSAGES)

        sending = asyncio.create_task(instrument())
        async with running(connect=f"127.0.0.1:{await ready}") as (ledger, _, _task):
            assert [one.outcome for one in await sending] == [Outcome.ACKNOWLEDGED] * 3
            assert ledger.kept() == [(message, None) for message in MESSAGES]

    on_loop(scene)


# ---- the command ----


async def command(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conformance.sandbox", "analyser", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    told = [json.loads(line) for line in out.splitlines()] if "--json" in arguments else []
    return process.returncode, told, out.decode() + err.decode()


def test_the_command_sends_files_and_results_and_asks(tmp_path: Path) -> None:
    path = tmp_path / "two.astm"
    path.write_bytes(b"# a comment\r\n" + (MESSAGES[0] + MESSAGES[1]).replace(b"\r", b"\r\n"))

    async def scene() -> None:
        async with running() as (ledger, address, _):
            code, told, _ = await command(
                *("--connect", address, str(path), "--results", "2", "--ask", "S1", "--one-session", "--json")
            )
            assert code == 0
            assert [one["event"] for one in told] == ["sent"] * 5 + ["orders"]
            assert {one["outcome"] for one in told[:5]} == {"acknowledged"}
            assert told[5]["orders"] == [order.decode().split("\r")[:-1] for order in ORDERS]
            assert [raw for raw, _ in ledger.kept()][:2] == MESSAGES[:2]
            assert len(ledger.taken) == 5

    on_loop(scene)


def test_the_command_over_a_serial_line(tmp_path: Path) -> None:
    """Two pseudo terminals, a cable between them."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        ends = [pty.openpty() for _ in range(2)]

        def carry(here: int, there: int) -> None:
            os.write(there, os.read(here, 4096))

        for (here, _), (there, _) in zip(ends, reversed(ends), strict=True):
            tty.setraw(here)
            loop.add_reader(here, carry, here, there)
        ours, theirs = (os.ttyname(line) for _, line in ends)
        try:
            async with running(serial=FileName(ours)) as (ledger, _, _task):
                code, told, said = await command("--serial", theirs, "--results", "3", "--ask", "S1", "--json")
                assert code == 0, said
                assert len(told) == 5
                assert len(ledger.taken) == 4
        finally:
            for master, line in ends:
                loop.remove_reader(master)
                os.close(master)
                os.close(line)

    on_loop(scene)


def test_the_command_says_in_words_what_went_wrong_and_ends_with_1() -> None:
    async def scene() -> None:
        async with running() as (_, address, _task):
            code, _, said = await command("--connect", address, "--wrong-checksum", "7")
            assert code == 1
            assert "bị từ chối (NAK sáu lần gửi lại)" in said

    on_loop(scene)


def test_the_command_says_what_to_look_at_when_nobody_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert analyser_command.main(["--connect", "127.0.0.1:9"]) == 1
    assert "cổng nhận đã chạy chưa" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--connect"),
        (["--connect", "4010"], "127.0.0.1:4010"),
        (["--connect", "127.0.0.1:4010", "--listen", "1"], "not allowed"),
        (["--connect", "127.0.0.1:4010", "/không/có"], "No such file"),
        (["--connect", "127.0.0.1:4010", __file__], "không bắt đầu bằng bản ghi H"),
    ],
)
def test_a_wrong_call_ends_with_2(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        analyser_command.main(arguments)
    assert left.value.code == 2
    assert told in capsys.readouterr().err


def test_record_files() -> None:
    assert read_messages(b"\n#x\nH|1\nL|1\n\nH|2\r\nL|1\r\n") == [b"H|1\rL|1\r", b"H|2\rL|1\r"]
    for wrong in (b"", b"P|1\r", b"H|\x02\r"):
        with pytest.raises(ValueError, match="bản ghi"):
            read_messages(wrong)


def test_a_ledger_that_is_full_is_an_analyser_that_sends_again() -> None:
    async def scene() -> None:
        async with running() as (ledger, address, _):
            assert isinstance(ledger, Ledger)
            ledger.full = 2
            (sent,) = await call(address, MESSAGES[0])
            assert (sent.outcome, sent.retransmissions) == (Outcome.ACKNOWLEDGED, 2)

    on_loop(scene)
