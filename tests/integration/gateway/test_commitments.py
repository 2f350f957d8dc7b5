"""Reports of storage commitment are owed in the ledger: given out ever more seldom, known by what was asked, given up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.events import Event

from connectors.contract import CommitmentRequest, OwedReport
from connectors.faults import CommitmentClash, CommitmentNotTaken, CommitmentsTooMany
from gateway import commitments, repair
from gateway.clock import SECOND
from gateway.configuration import load
from gateway.faults import NotPossibleNow
from gateway.store import commitments as rows
from gateway.store.engine import open_store
from mappings.formats.faults import IntakeFault
from tests.conftest import HandClock
from tests.integration.connectors.test_dicom_commitment import Reports as Told
from tests.integration.connectors.test_dicom_commitment import ask, asking, question, waiting_peer
from tests.integration.gateway.desk import Desk
from tests.servers import free_port, wait_until
from tests.site import NodeProcess, cli, cli_json, start_node, write_site

DAY = 24 * 3600 * SECOND
ASKED = CommitmentRequest("1.9.9", "CT1", (("1.1", "1.2.1"), ("1.1", "1.2.2")))


class Room(Desk):
    def owe(self, asked: CommitmentRequest = ASKED, channel: str = "pacs") -> IntakeFault | None:
        now = self.clock.now()
        return self.store.write_now(lambda c: commitments.owe(c, self.keyring, channel, asked, now, DAY))

    def out(self, calling: str = "", channel: str = "pacs", most: int = 10) -> list[OwedReport]:
        now = self.clock.now()
        return self.store.write_now(lambda c: commitments.give_out(c, self.keyring, channel, calling, now, most))

    def note(self, report: OwedReport, missing: int = 0, fault: IntakeFault | None = None) -> None:
        now = self.clock.now()
        self.store.write_now(lambda c: commitments.note(c, report.id, missing, fault, now))

    def all(self) -> list[Any]:
        return self.store.read_now(rows.listing)


@pytest.fixture
def room(tmp_path: Path, store_url: str, clock: HandClock) -> Iterator[Room]:
    made = Room(tmp_path / "site", store_url, clock)
    yield made
    made.store.close()


def test_what_is_owed_is_given_out_ever_more_seldom(room: Room) -> None:
    assert room.owe() is None
    assert room.out() == []  # the device is answered first
    room.clock.forward(2)
    (report,) = room.out()
    assert report.request == ASKED
    assert room.out() == []
    for pause in (5, 10, 20, 40, 80, 160, 320, 640, 900, 900):
        room.clock.forward(pause - 1)
        assert room.out() == []
        room.clock.forward(1)
        assert room.out() == [report]
    assert room.out(channel="other") == []


def test_who_asks_again_has_the_earlier_reports_at_once(room: Room) -> None:
    room.owe()
    room.clock.forward(2)
    (report,) = room.out()
    assert room.out("CT1") == [report]
    assert room.out("CT2") == []


def test_what_was_taken_is_owed_no_more_until_it_is_asked_again(room: Room) -> None:
    room.owe()
    (report,) = room.out("CT1")
    room.note(report, missing=1)
    (row,) = room.all()
    assert (row.state, row.missing, row.attempts, row.ended_at) == ("reported", 1, 1, room.clock.now())
    assert bytes(room.store.read_now(lambda c: rows.get(c, report.id)).body) == b""
    assert room.out("CT1") == []
    room.note(report, missing=2)  # told late, by another node: the first is believed
    assert room.all()[0].missing == 1
    assert room.owe() is None
    (again,) = room.out("CT1")
    assert (again.id, again.request, room.all()[0].missing) == (report.id, ASKED, None)


def test_the_same_asked_twice_is_owed_once_and_another_under_its_name_is_refused(room: Room) -> None:
    assert room.owe() is None
    assert room.owe() is None
    assert isinstance(room.owe(CommitmentRequest("1.9.9", "CT1", (("1.1", "1.2.3"),))), CommitmentClash)
    assert room.owe(CommitmentRequest("1.9.9", "CT2", ASKED.objects)) is None
    assert room.owe(channel="second") is None
    assert len(room.all()) == 3


def test_a_channel_owes_so_many_and_no_more(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitments, "MOST", 1)
    assert room.owe() is None
    fault = room.owe(CommitmentRequest("1.9.8", "CT1", ASKED.objects))
    assert isinstance(fault, CommitmentsTooMany)
    assert room.owe() is None  # the same again is not one more
    assert room.owe(channel="second") is None


def test_a_report_is_given_up_into_the_error_queue_and_tried_again_by_a_person(room: Room) -> None:
    room.owe()
    (report,) = room.out("CT1")
    room.note(report, fault=CommitmentNotTaken("CT1", "away"))
    (row,) = room.all()
    assert (row.state, row.fault_code, row.fault_detail) == ("owed", 2139, "away")
    assert room.store.read_now(repair.error_queue) == []
    room.clock.forward(24 * 3600)
    assert room.out() == []
    (item,) = room.store.read_now(repair.error_queue)
    assert (item.what, item.id, item.about, item.fault_code, item.detail) == (
        "commitment", report.id, "CT1", 2139, "away"
    )  # fmt: skip
    room.store.write_now(lambda c: repair.retry(c, report.id, "an", "", room.clock))
    assert room.store.read_now(repair.error_queue) == []
    assert room.out() == [report]
    room.clock.forward(24 * 3600)
    assert room.out() == []
    room.store.write_now(lambda c: repair.close(c, report.id, "an", "máy đã thanh lý", room.clock))
    assert [one.state for one in room.all()] == ["closed"]
    for act in (repair.retry, repair.close, repair.hold):
        with pytest.raises(NotPossibleNow):
            room.store.write_now(partial(act, item_id=report.id, actor="an", reason="", clock=room.clock))


CHANNEL = """\
name = "pacs"
accept = ["DICOM"]

[source]
kind = "dicom"
listen = "127.0.0.1:0"
ae_title = "GATEWAY"
callers = ["ASKER"]
tls = "none"
peers = {{ ASKER = "127.0.0.1:{port}" }}
commitment_give_up_after = "{give_up}"
"""


def site(tmp_path: Path, port: int, give_up: str = "1d") -> Path:
    config = write_site(tmp_path / "site", produce=())
    (config / "channels" / "his.toml").unlink()
    (config / "channels" / "pacs.toml").write_text(CHANNEL.format(port=port, give_up=give_up), encoding="utf-8")
    return config


def kept(config: Path) -> list[Any]:
    store = open_store(load(config).store_url)
    try:
        return store.read_now(rows.listing)
    finally:
        store.close()


class House:
    """What `asking` needs to know of a node."""

    def __init__(self, node: NodeProcess) -> None:
        _, self.port = node.address("pacs")


def test_a_node_that_is_killed_tells_its_devices_after_it_starts_again(tmp_path: Path) -> None:
    """Killed after the request was answered, and again in the middle of telling; in the end the device has every report."""
    port, wanted = free_port(), {f"1.9.{n}" for n in range(6)}
    config = site(tmp_path, port)
    node = start_node(config)
    house: Any = House(node)
    with asking(house, Told()) as association:
        for transaction in sorted(wanted):
            assert ask(association, question("1.2.1", transaction=transaction)) == 0
        node.kill()
    close(node)
    assert {(one.transaction_uid, one.state) for one in kept(config)} == {(one, "owed") for one in wanted}

    middle, reports = Unanswered(), Told()
    node = start_node(config)
    with middle.listening(port):
        assert middle.came.wait(40)
        node.kill()
        middle.go.set()
    close(node)
    node = start_node(config)
    try:
        with waiting_peer(reports, port):
            wait_until(lambda: {str(told.TransactionUID) for _, told in reports.told} == wanted, 60)
            wait_until(lambda: {one.state for one in kept(config)} == {"reported"}, 30)
        assert {one.missing for one in kept(config)} == {1}
    finally:
        node.stop()
        close(node)


def test_a_device_that_never_takes_its_report_stands_in_the_error_queue(tmp_path: Path) -> None:
    config = site(tmp_path, free_port(), "3s")
    node = start_node(config)
    try:
        house: Any = House(node)
        with asking(house, Told()) as association:
            assert ask(association, question("1.2.1")) == 0
        wait_until(lambda: [one.state for one in kept(config)] == ["error"], 40)
    finally:
        node.stop()
        close(node)
    (item,) = cli_json("errors", "--config", str(config))
    assert (item["what"], item["about"], item["fault"]["code"], item["fault"]["detail"]) == (
        "commitment", "ASKER", "LT2139", "away"
    )  # fmt: skip
    assert item["id"] in cli("images", "commitments", "--config", str(config)).stdout
    assert cli("errors", "retry", item["id"], "--config", str(config)).returncode == 0
    (row,) = cli_json("images", "commitments", "--config", str(config))
    assert (row["state"], row["attempts"], row["fault"]) == ("owed", 0, None)


class Unanswered:
    """A device that hears its report and does not say so before the node is gone."""

    def __init__(self) -> None:
        self.came, self.go = threading.Event(), threading.Event()

    def take(self, event: Event) -> tuple[int, Dataset | None]:
        self.came.set()
        self.go.wait(30)
        return 0x0110, None

    def listening(self, port: int) -> Any:
        reports: Any = self
        return waiting_peer(reports, port)

    @property
    def handlers(self) -> list[Any]:
        return [(evt.EVT_N_EVENT_REPORT, self.take)]


def close(node: NodeProcess) -> None:
    assert node.process.stdout is not None
    node.process.stdout.close()
