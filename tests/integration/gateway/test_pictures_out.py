"""Studies that leave for another hospital through the delivery engine: what is due, what leaves, what is withheld, and when
the other side breaks, refuses or is asked."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from sqlalchemy.engine import Connection

from conformance.sandbox.pacs import Pacs
from connectors.contract import Destination
from gateway.app import build_destination
from gateway.clock import SECOND
from gateway.configuration import load
from gateway.delivery.sql_queue import SqlQueue
from gateway.delivery.worker import Worker
from gateway.faults import ConfigInvalid, SealBroken
from gateway.ops import reports
from gateway.pictures import StudyPictures
from gateway.store import deliveries, documents, images, messages
from mappings.documents import imaging_study
from tests.conftest import HandClock
from tests.dicom_peers import Caller, Scripted, orthanc
from tests.integration.connectors.orthanc import orthanc as web_archive
from tests.integration.connectors.test_dicom_out import ALLOWED, FIND, files_of, no_queries
from tests.integration.gateway.desk import message, pid
from tests.integration.gateway.gallery import Gallery, picture
from tests.outgoing import hashes_of
from tests.servers import free_port, wait_until
from tests.site import cli_json, running_node, write_site

ROUTE = """
[[destination]]
kind = "dicom"
name = "other-hospital"
address = "127.0.0.1:{port}"
ae_title = "ORTHANC"
calling = "LIENTHONG"
tls = "none"
basis = "referral"
{more}
"""


ALWAYS = (0, 1 << 60)


def _attempts(delivery_id: str, connection: Connection) -> list[Any]:
    return list(deliveries.attempts(connection, delivery_id))


class House(Gallery):
    """A gallery whose studies go to another hospital."""

    def __init__(self, folder: Path, clock: HandClock, port: int, more: str = "", **site: Any) -> None:
        route = ROUTE.format(port=port, more=more)
        super().__init__(folder, clock, produce=("imaging_study",), destinations=route, **site)

    def deliver(self) -> None:
        """Let the worker do all it can at this instant."""

        async def run() -> None:
            worker, destination = self.worker()
            while await worker._step() or worker._busy:
                await worker._tasks.drain()
            await destination.close()

        asyncio.run(run())

    def worker(self) -> tuple[Worker, Destination]:
        (route,) = self.plan.routes.values()
        rules = {route.name: route.common.rules("Asia/Ho_Chi_Minh")}
        keyring, objects = self.plan.keyring, self.objects
        queue = SqlQueue(self.store, keyring, self.clock, "n1", 30 * SECOND, "01999", rules, objects)
        destination = build_destination(route, lambda data: b"")
        return Worker(route, destination, queue, self.clock), destination

    def documents(self) -> list[Any]:
        """Oldest first."""
        return self.store.read_now(lambda c: documents.listing(c, papers=["imaging_study"]))[::-1]

    def deliveries(self) -> list[Any]:
        return self.store.read_now(lambda c: deliveries.listing(c))[::-1]

    def states(self) -> list[tuple[str, int]]:
        return [(one.state, one.fault_code) for one in self.deliveries()]

    def manifest(self, document_id: str) -> bytes:
        (row,) = self.store.read_now(lambda c: documents.renditions(c, document_id))
        assert row.kind == "pictures"
        assert row.signed
        return self.plan.keyring.open(row.body, f"{document_id}/pictures")

    def facts(self) -> list[str]:
        """What the receipts say."""
        found = []
        for one in self.deliveries():
            attempts = self.store.read_now(partial(_attempts, one.id))
            found += [attempt.facts for attempt in attempts if attempt.event == "accept"]
        return found


@pytest.fixture
def archive(tmp_path: Path) -> Any:
    with orthanc(tmp_path / "orthanc", {}, **ALLOWED) as peer:
        yield peer


def test_a_study_leaves_when_it_is_whole_and_what_comes_late_alone(
    tmp_path: Path, clock: HandClock, archive: Any
) -> None:
    house = House(tmp_path, clock, archive.dicom_port)
    files = [picture(1), picture(2), picture(1, series=2)]
    house.take(*files)
    assert house.documents() == []
    house.settle()
    (document,) = house.documents()
    assert (document.state, document.version) == ("signed", 1)
    manifest = imaging_study.read(house.manifest(document.id))
    assert [one.instance for one in manifest.objects] == ["1.2.40.1.1.1", "1.2.40.1.1.2", "1.2.40.1.2.1"]
    assert house.states() == [("queued", 0)]
    house.deliver()
    assert house.states() == [("accepted", 0)]
    assert hashes_of(files_of(archive)) == hashes_of(files)

    late = picture(3)
    house.keep(late)
    assert [one.version for one in house.documents()] == [1, 2]
    house.deliver()
    assert house.states() == [("accepted", 0), ("accepted", 0)]
    assert hashes_of(files_of(archive)) == hashes_of([*files, late])
    assert house.facts() == ['{"objects":"3","sent":"3","there":"0"}', '{"objects":"4","sent":"1","there":"3"}']


def test_the_books_agree_when_studies_leave(tmp_path: Path, clock: HandClock, archive: Any) -> None:
    house = House(tmp_path, clock, archive.dicom_port)
    house.keep(picture(1))

    def closed() -> tuple[int, int, bool]:
        found = house.store.read_now(lambda c: reports.reconciliation(c, *ALWAYS))
        (account,) = found.accounts
        return account.made, account.accepted, found.closes

    assert closed() == (1, 0, False)
    house.deliver()
    assert closed() == (1, 1, True)
    whole = house.store.read_now(lambda c: reports.completeness(c, *ALWAYS, clock.now()))
    assert [(one.paper, one.destination, one.percent) for one in whole.shares] == [
        ("imaging_study", "other-hospital", 100.0)
    ]
    listed = house.store.read_now(lambda c: reports.reconciliation(c, *ALWAYS, "other-hospital", ["1.2.40.1"]))
    assert listed.closes


def test_the_same_message_mapped_again_sends_nothing(tmp_path: Path, clock: HandClock, archive: Any) -> None:
    house = House(tmp_path, clock, archive.dicom_port)
    house.keep(picture(1))
    house.deliver()
    row = house.store.read_now(lambda c: images.get_study(c, "1.2.40.1"))
    assert row is not None
    house.store.write_now(lambda c: messages.move(c, row.message_id, "reprocess"))
    house.clock.forward(1)
    house.desk.work()
    assert [one.state for one in house.documents()] == ["signed", "unchanged"]
    assert house.states() == [("accepted", 0), ("closed", 0)]


def test_who_is_away_is_tried_again_and_who_breaks_off_is_asked(tmp_path: Path, clock: HandClock) -> None:
    port = free_port()
    house = House(tmp_path, clock, port)
    house.keep(picture(1), picture(2))
    house.deliver()
    assert house.states() == [("queued", 6060)]
    with orthanc(tmp_path / "orthanc", {}, DicomPort=port, **ALLOWED) as peer:
        clock.forward(3600)
        house.deliver()
        assert house.states() == [("accepted", 0)]
        assert len(files_of(peer)) == 2


def test_a_study_that_was_cut_short_is_asked_about_before_it_is_sent(tmp_path: Path, clock: HandClock) -> None:
    with Scripted(no_queries(0x0000, None)) as peer:
        house = House(tmp_path, clock, peer.port)
        house.keep(picture(1), picture(2))
        house.deliver()
    ((state, _),) = house.states()
    assert state == "uncertain"
    with orthanc(tmp_path / "orthanc", {}, DicomPort=peer.port, **ALLOWED) as archive:
        clock.forward(3600)
        house.deliver()
        clock.forward(3600)
        house.deliver()
        assert house.states() == [("accepted", 0)]
        assert len(files_of(archive)) == 2


def test_who_answers_no_queries_is_not_sent_to_blindly(tmp_path: Path, clock: HandClock) -> None:
    """Unless the hospital says that it may be."""
    with Scripted(no_queries(0x0000, None), _refuses_all) as peer:
        house = House(tmp_path / "one", clock, peer.port)
        house.keep(picture(1), picture(2))
        house.deliver()
    assert house.states() == [("error", 6007)]

    with Scripted(no_queries(0x0000, None), _refuses_all, no_queries(0x0000, 0x0000)) as peer:
        house = House(tmp_path / "two", clock, peer.port, "at_least_once = true")
        house.keep(picture(1), picture(2))
        house.deliver()
    assert house.states() == [("accepted", 0)]


def _refuses_all(caller: Caller) -> None:
    caller.asked()
    caller.accept(*[str(one.abstract_syntax) for one in caller.contexts])
    caller.read()


def test_a_refusal_waits_for_a_person_with_what_to_do(tmp_path: Path, clock: HandClock) -> None:
    def stranger(caller: Caller) -> None:
        caller.asked()
        caller.reject(1, 1, 7)

    with Scripted(stranger) as peer:
        house = House(tmp_path / "a", clock, peer.port)
        house.keep(picture(1))
        house.deliver()
    assert house.states() == [("error", 6061)]
    with Scripted(no_queries(0xC000, 0x0000)) as peer:
        house = House(tmp_path / "b", clock, peer.port)
        house.keep(picture(1), picture(2))
        house.deliver()
    assert house.states() == [("error", 6081)]


def test_a_hospital_gives_a_status_another_meaning(tmp_path: Path, clock: HandClock) -> None:
    with Scripted(no_queries(0xC000)) as peer:
        house = House(tmp_path, clock, peer.port, 'answers = { "status C000" = "accepted" }')
        house.keep(picture(1))
        house.deliver()
    assert house.states() == [("accepted", 0)]


def test_a_study_of_somebody_on_a_closed_list_is_withheld(tmp_path: Path, clock: HandClock) -> None:
    house = House(tmp_path, clock, free_port(), accept=("*",))
    house.desk.send(
        message("ADT^A01^ADT_A01", "C1", pid("BN1"), "PV1|1|I", "DG1|1||B24^HIV^ICD-10|||A", at="20261121080000")
    )
    house.keep(picture(1))
    assert house.states() == [("withheld", 7001)]


def test_a_study_that_a_person_moved_and_that_names_another_does_not_leave(tmp_path: Path, clock: HandClock) -> None:
    house = House(tmp_path, clock, free_port())
    house.keep(picture(1))
    house.desk.send(message("ADT^A01^ADT_A01", "C2", pid("BN2", "Trần^Mai"), "PV1|1|I", at="20261121080000"))
    house.assign("1.2.40.1", "BN2")
    house.settle()
    first, second = house.documents()
    assert first.state == "signed"
    assert (second.state, second.fault_code) == ("error", 7019)


def test_nothing_leaves_while_a_study_is_being_moved(tmp_path: Path, clock: HandClock) -> None:
    house = House(tmp_path, clock, free_port())
    house.take(picture(1))
    house.clock.forward(60)
    asyncio.run(house.collector.collect())
    house.assign("1.2.40.1", "BN2")
    house.desk.work()
    (document,) = house.documents()
    assert (document.state, document.fault_code) == ("due", 8121)


def test_objects_that_are_not_what_the_ledger_says_do_not_leave_whole(tmp_path: Path, clock: HandClock) -> None:
    house = House(tmp_path, clock, free_port())
    (object_id,) = house.keep(picture(1))
    (document,) = house.documents()
    manifest = imaging_study.read(house.manifest(document.id))
    other = replace(manifest, objects=[replace(manifest.objects[0], sha256="0" * 64)])
    pictures = StudyPictures(imaging_study.write(other), house.objects)
    with pytest.raises(SealBroken):
        list(pictures.read(pictures.objects[0]))
    house.file(object_id).unlink()
    house.deliver()
    assert house.states()[0][0] == "queued"


def test_a_node_that_ends_does_not_wait_for_a_whole_study(tmp_path: Path, clock: HandClock) -> None:
    first, ended = threading.Event(), threading.Event()

    def slow(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND)
        command, _ = caller.message()
        first.set()
        assert ended.wait(20)
        caller.answer(command, 0x0000)
        caller.read()

    with Scripted(slow) as peer:
        house = House(tmp_path, clock, peer.port)
        house.keep(picture(1), picture(2), picture(3))

        async def run() -> None:
            worker, destination = house.worker()
            task = asyncio.create_task(worker.run(asyncio.Event()))
            await asyncio.to_thread(first.wait, 20)
            task.cancel()
            await asyncio.sleep(0)  # the cancellation arrives
            ended.set()
            await asyncio.wait([task])
            await destination.close()

        asyncio.run(run())
    assert house.states() == [("queued", 6086)]


def test_a_destination_of_pictures_names_no_papers_and_one_of_papers_no_pictures(tmp_path: Path) -> None:
    folder = f'[[destination]]\nkind = "folder"\nfolder = "{tmp_path}"\nbasis = "law"\npapers = ["imaging_study"]\n'
    routes = folder + ROUTE.format(port=104, more='papers = ["imaging_study", "referral"]')
    with pytest.raises(ConfigInvalid) as caught:
        load(write_site(tmp_path / "site", produce=("imaging_study", "no_such"), destinations=routes))
    told = [f"{one.code} {one.detail}" for one in caught.value.problems]
    assert "1004 papers: referral: this destination takes pictures, and nothing else" in told
    assert "1004 papers: imaging_study: this destination takes cda, and no pictures" in told
    assert any(one.startswith("1005 produce: no_such; known: birth_certificate") for one in told), told


CHANNEL = """\
name = "pacs"
source = {{ kind = "dicom", listen = "127.0.0.1:0", ae_title = "LIENTHONG", callers = ["PACS"], tls = "none", quiet = "1s" }}
accept = ["DICOM"]
produce = ["imaging_study"]
{routes}
"""
STOW = """
[[destination]]
kind = "dicomweb"
name = "over-the-web"
url = "{url}/dicom-web"
basis = "treatment"
"""


def test_a_node_takes_a_study_and_sends_it_to_two_hospitals(tmp_path: Path) -> None:
    """From a modality's C-STORE to what lies in two archives of others: the same bytes."""
    study = "1.2.40.77"
    datasets = [pydicom.dcmread(BytesIO(picture(number, study))) for number in (1, 2, 3)]
    with orthanc(tmp_path / "one", {}, **ALLOWED) as first, web_archive({}) as second:
        config = write_site(tmp_path / "site", produce=())
        routes = ROUTE.format(port=first.dicom_port, more="") + STOW.format(url=second)
        (config / "channels" / "pacs.toml").write_text(CHANNEL.format(routes=routes), encoding="utf-8")
        with running_node(config) as node:

            def listed() -> list[tuple[str, str]]:
                found = cli_json("deliveries", "list", "--config", str(config))
                return sorted((one["destination"], one["state"]) for one in found)

            with Pacs("PACS") as pacs:
                assert dict(pacs.send(node.address("pacs"), "LIENTHONG", datasets).statuses) == {"0000": 3}
            done = [("other-hospital", "accepted"), ("over-the-web", "accepted")]
            wait_until(lambda: listed() == done, 60)
            with httpx.Client(base_url=second, trust_env=False) as client:
                ids = client.get("/instances").json()
                there = [client.get(f"/instances/{one}/file").content for one in ids]
            sent = hashes_of([picture(number, study) for number in (1, 2, 3)])
            assert hashes_of(files_of(first)) == hashes_of(there) == sent
