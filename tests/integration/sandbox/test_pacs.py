"""The PACS of the sandbox and a real Orthanc send to a real `storescp` and to pynetdicom: every object comes as it is."""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.dimse_primitives import C_ECHO, N_EVENT_REPORT

from conformance.sandbox import dicom_calls
from conformance.sandbox import orthanc as orthanc_module
from conformance.sandbox import pacs as pacs_module
from conformance.sandbox.dicom_calls import Entity, leave_answers
from conformance.sandbox.orthanc import FAILED, Orthanc, OrthancDidNotStart, installed, orthanc
from conformance.sandbox.pacs import (
    NO_ANSWER,
    NO_ASSOCIATION,
    NO_CONTEXT,
    SUCCESS,
    Address,
    Committed,
    Pacs,
    Sender,
    part10,
    send_study,
)
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.pictures import Study, pictures
from tests.servers import free_port, listens, need, wait_until

GATEWAY = "LIENTHONG"
ECHO, COMMITMENT, INSTANCE = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
AS_PROVIDER = [build_role(COMMITMENT, scu_role=False, scp_role=True)]


@cache
def studies() -> tuple[Study, ...]:
    return pictures(hospital_day())


def everything() -> list[Dataset]:
    return [one for study in studies() for one in (*study.instances, study.late)]


def body(data: bytes) -> bytes:
    """Give what follows preamble, prefix and file meta of a file: the data set."""
    assert data[128:132] == b"DICM"
    (length,) = struct.unpack("<I", data[140:144])
    return data[144 + length :]


def as_made() -> dict[str, bytes]:
    return {str(one.SOPInstanceUID): body(part10(one)) for one in everything()}


class Peer:
    """A storage SCP of pynetdicom that keeps what comes and answers as told; reports commitment to an address, or back."""

    def __init__(self, status: int = 0x0000, report_to: Callable[[], Address] | None = None) -> None:
        self.kept: dict[str, bytes] = {}
        self.associations = 0
        self.quick: list[int] = []
        self.missing: set[str] = set()
        self.reports: list[threading.Thread] = []
        self._status = status
        self._report_to = report_to
        self._entity = Entity(GATEWAY)
        self._entity.require_called_aet = True

    @contextmanager
    def listen(self, *classes: str) -> Iterator[Address]:
        for one in classes or sorted({str(one.SOPClassUID) for one in everything()}):
            self._entity.add_supported_context(one)
        self._entity.add_supported_context(ECHO)
        self._entity.add_supported_context(COMMITMENT)
        server = self._entity.make_server(
            ("127.0.0.1", 0),
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_ACCEPTED, self._count),
                (evt.EVT_N_ACTION, self._commit),
            ],
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            for report in self.reports:
                report.join()
            socketserver.BaseServer.shutdown(server)  # pynetdicom's own is for servers that it started
            thread.join()
            server.server_close()

    def _count(self, event: evt.Event) -> None:
        self.associations += 1

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        self.kept[request.AffectedSOPInstanceUID] = request.DataSet.getvalue()
        return self._status

    def _commit(self, event: evt.Event) -> tuple[int, None]:
        asked = event.action_information
        told = Dataset()
        told.TransactionUID = asked.TransactionUID
        referenced = list(asked.ReferencedSOPSequence)
        told.ReferencedSOPSequence = [one for one in referenced if self.holds(one)]
        told.FailedSOPSequence = [one for one in referenced if not self.holds(one)]
        for one in told.FailedSOPSequence:
            one.FailureReason = 0x0112
        if not told.FailedSOPSequence:
            del told.FailedSOPSequence
        report = threading.Thread(target=self._report, args=(event, told))
        self.reports.append(report)
        report.start()
        return 0x0000, None

    def holds(self, one: Dataset) -> bool:
        return one.ReferencedSOPInstanceUID in self.kept

    def _report(self, event: evt.Event, told: Dataset) -> None:
        kind = 2 if "FailedSOPSequence" in told else 1
        if self._report_to is None:
            leave_answers(event.assoc, threading.Event())
            event.assoc.send_n_event_report(told, kind, COMMITMENT, INSTANCE)
            return
        association = self._entity.call(self._report_to(), "PACS", [build_context(COMMITMENT)], roles=AS_PROVIDER)
        assert association is not None
        association.send_n_event_report(told, kind, COMMITMENT, INSTANCE)
        association.release()


@contextmanager
def storescp(*options: str) -> Iterator[tuple[Address, Path]]:
    """Run DCMTK's `storescp`, which writes data sets as they come, and give its address and folder."""
    program = shutil.which("storescp")
    need(program, "storescp")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="storescp-") as folder:
        process = subprocess.Popen(
            [str(program), "-q", "+B", "-aet", GATEWAY, "-od", folder, *options, str(port)],
            env={**os.environ, "TCP_NODELAY": "1"},
        )
        try:
            wait_until(lambda: listens(port))
            yield ("127.0.0.1", port), Path(folder)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def real() -> Iterator[Orthanc]:
    need(installed(), "Orthanc")
    with orthanc() as running:
        assert isinstance(running, Orthanc)
        yield running


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    with Pacs() as running:
        yield running


@pytest.fixture(params=["pacs", "real"])
def sender(request: pytest.FixtureRequest) -> Sender:
    return cast("Sender", request.getfixturevalue(request.param))


def test_pynetdicom_gets_every_object_as_it_was_made(sender: Sender) -> None:
    peer = Peer()
    with peer.listen() as address:
        for study in studies():
            sent = send_study(address, GATEWAY, study.instances, sender)
            assert sent.statuses == {SUCCESS: len(study.instances)}
            assert sent.complete
        assert peer.associations == len(studies())
        assert not {str(study.late.SOPInstanceUID) for study in studies()} & peer.kept.keys()
        for study in studies():
            assert send_study(address, GATEWAY, [study.late], sender).complete
    assert peer.kept == as_made()


def test_storescp_gets_every_object_as_it_was_made(sender: Sender) -> None:
    with storescp() as (address, folder):
        assert send_study(address, GATEWAY, everything(), sender).complete
        written = {path.name.partition(".")[2]: body(path.read_bytes()) for path in folder.iterdir()}
    assert written == as_made()


def test_the_report_that_comes_back_says_what_is_kept(sender: Sender) -> None:
    ct = next(study for study in studies() if study.modality == "CT")
    peer = Peer(report_to=lambda: sender.address)
    with peer.listen() as address:
        send_study(address, GATEWAY, ct.instances, sender)
        told = sender.commit(address, GATEWAY, ct.instances)
        assert told == Committed(frozenset(str(one.SOPInstanceUID) for one in ct.instances), frozenset())
        told = sender.commit(address, GATEWAY, [ct.instances[0], ct.late])
    assert told == Committed(frozenset([ct.instances[0].SOPInstanceUID]), frozenset([ct.late.SOPInstanceUID]))


def test_the_report_may_come_on_the_association_that_asked(pacs: Pacs) -> None:
    study = studies()[0]
    peer = Peer()
    with peer.listen() as address:
        pacs.send(address, GATEWAY, study.instances)
        told = pacs.commit(address, GATEWAY, study.instances)
    assert told == Committed(frozenset(str(one.SOPInstanceUID) for one in study.instances), frozenset())


def test_no_report_is_none(pacs: Pacs) -> None:
    with storescp() as (address, _):
        assert pacs.commit(address, GATEWAY, everything()) is None
    nobody = ("127.0.0.1", free_port())
    assert pacs.commit(nobody, GATEWAY, everything()) is None


def test_a_report_of_another_transaction_is_refused(pacs: Pacs) -> None:
    told = Dataset()
    told.TransactionUID = "2.25.1"
    told.ReferencedSOPSequence = []
    association = Entity(GATEWAY).call(pacs.address, "PACS", [build_context(COMMITMENT)], roles=AS_PROVIDER)
    assert association is not None
    status, _ = association.send_n_event_report(told, 1, COMMITMENT, INSTANCE)
    association.release()
    assert status.Status == 0x0110


def test_every_status_is_counted(pacs: Pacs) -> None:
    objects = everything()
    ct = next(str(one.SOPClassUID) for one in objects if one.Modality == "CT")
    slices = sum(str(one.SOPClassUID) == ct for one in objects)
    with Peer(status=0xA700).listen(ct) as address:
        sent = pacs.send(address, GATEWAY, objects)
    assert sent.statuses == {"A700": slices, NO_CONTEXT: len(objects) - slices}
    assert not sent.complete


def test_a_peer_that_aborts_leaves_objects_without_an_answer_and_is_not_waited_for(pacs: Pacs) -> None:
    study = studies()[0]
    began = time.monotonic()
    with storescp("--abort-after") as (address, _):
        sent = pacs.send(address, GATEWAY, study.instances)
    assert sent.statuses == {NO_ANSWER: len(study.instances)}
    assert time.monotonic() - began < 15, "pynetdicom waits for 30 seconds"


@pytest.mark.parametrize("title", [GATEWAY, "SOMEBODY"])
def test_nobody_there_and_another_name_make_no_association(pacs: Pacs, title: str) -> None:
    study = studies()[0]
    with Peer().listen() as address:
        there = ("127.0.0.1", free_port()) if title == GATEWAY else address
        sent = pacs.send(there, title, study.instances)
    assert sent.statuses == {NO_ASSOCIATION: len(study.instances)}
    assert not pacs.echo(there, title)


def test_orthanc_tells_what_failed(real: Orthanc) -> None:
    study = studies()[0]
    with Peer(status=0xA700).listen() as address:
        assert real.send(address, GATEWAY, study.instances).statuses == {FAILED: len(study.instances)}
    assert real.send(("127.0.0.1", free_port()), GATEWAY, study.instances).statuses == {FAILED: len(study.instances)}


def test_echo_is_asked_and_answered(pacs: Pacs) -> None:
    with Peer().listen() as address:
        assert pacs.echo(address, GATEWAY)
    program = shutil.which("echoscu")
    need(program, "echoscu")
    host, port = pacs.address
    assert subprocess.run([str(program), "-aec", "PACS", host, str(port)], check=False).returncode == 0


def test_an_answer_that_the_wrong_thread_took_still_comes_to_who_waits_for_it() -> None:
    with Peer().listen() as address:
        association = Entity("PACS").call(address, GATEWAY, [build_context(ECHO)])
        assert association is not None
        answer = C_ECHO()
        answer.MessageIDBeingRespondedTo = 1
        answer.Status = 0x0000
        association._serve_request(answer, 1)
        assert association.dimse.get_msg(block=True) == (1, answer)
        association.release()


def test_a_report_served_aside_does_not_hold_up_who_asks_meanwhile() -> None:
    report = N_EVENT_REPORT()
    report.MessageID = 1
    report.AffectedSOPClassUID, report.AffectedSOPInstanceUID, report.EventTypeID = COMMITMENT, INSTANCE, 1
    with Peer().listen() as address:
        handlers = [(evt.EVT_N_EVENT_REPORT, lambda event: (0x0000, None))]
        association = Entity("PACS").call(address, GATEWAY, [build_context(COMMITMENT)], handlers)
        assert association is not None
        association._reactor_checkpoint.clear()
        wait_until(lambda: association._is_paused)
        association._serve_request(report, 1)
        leaving = threading.Thread(target=association.release, daemon=True)
        leaving.start()
        leaving.join(20)
        assert association.is_released


def test_a_release_waits_for_the_answer_to_what_was_just_asked_of_us() -> None:
    asked, answer = threading.Event(), threading.Event()

    def take(event: evt.Event) -> tuple[int, None]:
        asked.set()
        assert answer.wait(20)
        return 0x0000, None

    peer = Peer()
    with peer.listen() as address:
        handlers = [(evt.EVT_N_EVENT_REPORT, take)]
        association = Entity("PACS").call(address, GATEWAY, [build_context(COMMITMENT)], handlers)
        assert association is not None
        wanted = Dataset()
        wanted.TransactionUID = "2.25.1"
        wanted.ReferencedSOPSequence = []
        association.send_n_action(wanted, 1, COMMITMENT, INSTANCE)
        assert asked.wait(20)
        leaving = threading.Thread(target=association.release)
        leaving.start()
        leaving.join(0.2)
        assert association.dul.state_machine.current_state == "Sta6"
        answer.set()
        leaving.join(20)
    assert association.is_released


def test_both_ends_of_a_connection_send_without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: set[str] = set()
    (kind, switch) = dicom_calls.QUICK[:2]

    def opened(event: evt.Event) -> None:
        switch(event)
        wire = event.assoc.dul.socket
        assert wire is not None
        assert wire.socket is not None
        if wire.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY):
            heard.add("caller" if event.assoc.is_requestor else "listener")

    for module in (dicom_calls, pacs_module):
        monkeypatch.setattr(module, "QUICK", (kind, opened))
    with Pacs() as pacs, Pacs("OTHER") as other:
        assert other.echo(pacs.address, "PACS")
    assert heard == {"caller", "listener"}


def test_who_waits_hears_that_the_peer_is_gone_even_when_another_thread_heard_it_first() -> None:
    with Peer().listen() as address:
        association = Entity("PACS").call(address, GATEWAY, [build_context(ECHO)])
        assert association is not None
        association.release()
    assert association.dimse.get_msg(block=False) == (None, None)
    began = time.monotonic()
    assert association.dimse.get_msg(block=True) == (None, None)
    assert time.monotonic() - began < 15


def test_orthanc_answers_this_machine_with_the_password_only(real: Orthanc) -> None:
    assert httpx.get(f"{real._client.base_url}/system", trust_env=False).status_code == 401
    for title in ("PACS", "ANYBODY"):  # whoever it does not send to gets nothing
        assert Entity(title).call(real.address, "PACS", [build_context(ECHO)]) is None


def test_without_orthanc_the_pacs_of_the_sandbox_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orthanc_module, "installed", lambda: None)
    with orthanc("PACS1") as sender:
        assert isinstance(sender, Pacs)
        assert sender.ae_title == "PACS1"
        assert listens(sender.address[1])
    assert not listens(sender.address[1])


def test_orthanc_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    need(installed(), "Orthanc")
    with (
        socket.create_server(("0.0.0.0", 0)) as taken,
        pytest.raises(OrthancDidNotStart, match="port"),
        orthanc(http_port=taken.getsockname()[1]),
    ):
        pass


def test_nothing_of_orthanc_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(installed(), "Orthanc")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with orthanc() as sender:
        assert isinstance(sender, Orthanc)
        (folder,) = tmp_path.iterdir()
        assert (folder / "orthanc.json").stat().st_mode & 0o077 == 0
    assert not list(tmp_path.iterdir())
    assert not listens(sender.address[1])
