"""The contract of sources that take objects too large for memory on associations; a new kind needs its `Way` here.

An object goes to its deposit while it arrives, and its sender is told yes when `commit` said so and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import pytest

from connectors.faults import ListenFailed, ObjectClash, ObjectIncomplete, ObjectStoreAway, ObjectTooLarge
from connectors.kinds import load_source, source_kinds
from mappings.formats.faults import IntakeFault
from mappings.formats.values import Size
from tests.contract.objects import OBJECT_KINDS, WAIT_S, FilingIntake, Running
from tests.dicom_peers import Sender

CONTENT = bytes(range(256)) * 400


class Sending(Protocol):
    """An object that was sent whole, and whose answer comes when it comes."""

    def taken(self) -> bool: ...

    def close(self) -> None: ...


class Way(Protocol):
    """How one kind is sent an object."""

    at_start: type[IntakeFault]

    def settings(self, **more: Any) -> Any: ...

    def unusable(self) -> Any:
        """Settings with which it cannot begin."""
        ...

    def send(self, port: int, content: bytes, name: str) -> Sending: ...

    def send_half(self, port: int, content: bytes) -> Callable[[], None]:
        """Send the beginning of one; give what makes the sender leave."""
        ...


class DicomWay:
    at_start: type[IntakeFault] = ListenFailed

    def __init__(self) -> None:
        self._made, _ = load_source("dicom")

    def settings(self, **more: Any) -> Any:
        return self._made(**{"listen": "127.0.0.1:0", "ae_title": "GATEWAY", "anyone": True, "tls": "none", **more})

    def unusable(self) -> Any:
        return self.settings(listen="192.0.2.1:11112")  # nobody's own address

    def send(self, port: int, content: bytes, name: str) -> Sending:
        sender = Sender(port)
        assert sender.associate() == 2
        sender.store(content, name)
        return _Stored(sender)

    def send_half(self, port: int, content: bytes) -> Callable[[], None]:
        sender = Sender(port)
        assert sender.associate() == 2
        sender.store(content, "1.2.3", upto=len(content) // 2)
        return sender.reset


class _Stored:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def taken(self) -> bool:
        kind, content = self._sender.read()
        return kind == 4 and b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in content  # Status (0000,0900): 0000

    def close(self) -> None:
        self._sender.socket.close()


WAYS: dict[str, type[Way]] = {"dicom": DicomWay}

every_kind = pytest.mark.parametrize("kind", sorted(set(source_kinds()) & set(WAYS)))


class House(Running):
    def __init__(self, way: Way, kind: str, settings: Any, intake: FilingIntake) -> None:
        self.way = way
        self.sendings: list[Sending] = []
        super().__init__(kind, settings, intake)

    def send(self, content: bytes = CONTENT, name: str = "1.2.3.4") -> Sending:
        self.sendings.append(self.way.send(self.port, content, name))
        return self.sendings[-1]

    def close(self) -> None:
        super().close()
        for sending in self.sendings:
            sending.close()


@contextmanager
def running(kind: str, folder: Path, **settings: Any) -> Iterator[House]:
    way = WAYS[kind]()
    house = House(way, kind, way.settings(**settings), FilingIntake(folder))
    try:
        yield house
    finally:
        house.close()


def test_every_kind_of_object_source_has_a_way_here() -> None:
    assert set(WAYS) == set(OBJECT_KINDS)


@every_kind
def test_settings_are_a_frozen_dataclass(kind: str) -> None:
    settings, _ = load_source(kind)
    assert is_dataclass(settings)
    assert settings.__dataclass_params__.frozen  # type: ignore[attr-defined]  # not in typeshed


@every_kind
def test_an_object_is_taken_as_it_is_and_answered(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        assert house.send().taken()
        (filed,) = house.intake.taken
        assert filed.data_set == CONTENT
        assert filed.names is not None
        assert filed.names.sop_instance in ("1.2.3.4", "")
        assert 0 < len(filed.peer) <= 64


@every_kind
def test_no_yes_before_commit_returned(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        house.intake.gate.clear()
        sending = house.send()
        house.intake.has_commits(1)
        told: list[bool] = []
        waiting = Thread(target=lambda: told.append(sending.taken()))
        waiting.start()
        waiting.join(0.2)
        assert not told
        house.intake.gate.set()
        waiting.join(WAIT_S)
        assert told == [True]


@every_kind
@pytest.mark.parametrize("content", [b"", b"x", "Nguyễn Văn Ấn".encode("utf-16"), CONTENT])
def test_bytes_of_any_kind_pass_unchanged(kind: str, content: bytes, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        assert house.send(content).taken()
        assert house.intake.taken[0].data_set == content


@every_kind
def test_a_large_object_is_never_whole_in_memory(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        content = CONTENT * 400
        assert house.send(content).taken()
        (filed,) = house.intake.taken
        assert filed.data_set == content
        assert max(filed.chunks) <= 1024 * 1024


@every_kind
def test_the_same_object_twice_has_the_same_bytes(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        assert house.send().taken()
        assert house.send().taken()
        first, second = house.intake.taken
        assert first.content == second.content
        assert second.answer is not None
        assert second.answer.repeat


@every_kind
def test_over_the_limit_is_answered_with_a_no_and_the_next_is_taken(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path, max_size=Size(200_000)) as house:
        assert not house.send(CONTENT * 10).taken()
        assert isinstance(house.intake.deposits[0].discarded, ObjectTooLarge)
        assert sum(house.intake.deposits[0].chunks) <= 200_000
        assert house.send(CONTENT, "1.2.3.5").taken()


@every_kind
def test_half_an_object_is_never_taken_for_a_whole_one(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        leave = house.way.send_half(house.port, CONTENT)
        house.intake.wait(lambda: bool(house.intake.deposits) and len(house.intake.deposits[0].chunks) > 1)
        leave()
        house.intake.wait(lambda: not house.intake.open)
        assert isinstance(house.intake.deposits[0].discarded, ObjectIncomplete)
        assert house.send().taken()


@every_kind
@pytest.mark.parametrize("fault", [ObjectClash(), ObjectStoreAway()])
def test_a_refusal_reaches_the_sender_and_the_next_is_taken(kind: str, fault: IntakeFault, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        house.intake.refuse = fault
        assert not house.send().taken()
        house.intake.refuse, house.intake.refuse_bytes = None, fault
        assert not house.send(CONTENT, "1.2.3.5").taken()
        assert house.intake.deposits[1].discarded is fault
        house.intake.refuse_bytes = None
        assert house.send(CONTENT, "1.2.3.6").taken()


@every_kind
@pytest.mark.parametrize("where", ["deposit", "write", "commit"])
def test_a_broken_intake_shows_nothing_and_the_next_is_taken(
    kind: str, where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(kind, tmp_path) as house:
        house.intake.broken = where
        assert not house.send().taken()
        house.intake.broken = ""
        assert house.send(CONTENT, "1.2.3.5").taken()
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text + "".join(capsys.readouterr())


@every_kind
def test_stopping_answers_what_is_under_way_and_takes_nothing_more(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path) as house:
        house.intake.gate.clear()
        sending = house.send()
        house.intake.has_commits(1)
        stopping = house.stopping()
        with pytest.raises(TimeoutError):
            stopping.result(0.1)
        with pytest.raises(OSError, match="refused"):
            house.send()
        house.intake.gate.set()
        assert sending.taken()
        stopping.result(WAIT_S)
        assert len(house.intake.taken) == 1


@every_kind
def test_stopping_does_not_wait_longer_than_the_grace_time(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path, grace=timedelta(milliseconds=50)) as house:
        house.intake.gate.clear()
        house.send()
        house.intake.has_commits(1)
        stopping = house.stopping()
        stopping.result(5)
        assert not house.intake.taken
        house.intake.gate.set()
        house.intake.wait(lambda: not house.intake.open)


@every_kind
def test_what_cannot_begin_is_a_fault_before_it_says_ready(kind: str, tmp_path: Path) -> None:
    way = WAYS[kind]()
    with pytest.raises(way.at_start):
        House(way, kind, way.unusable(), FilingIntake(tmp_path))
