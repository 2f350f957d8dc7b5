"""Storage commitment as provider: pynetdicom and Orthanc ask, on the association they have or to be told on another."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from conformance.sandbox.dicom_calls import Entity
from connectors.faults import CommitmentClash, CommitmentsTooMany, LedgerAway, ObjectMisnamed, ObjectStoreAway
from connectors.sources import _dicom_commitment
from connectors.sources._dicom_contexts import COMMITMENT
from connectors.sources.dicom import Settings
from mappings.formats.faults import IntakeFault
from mappings.formats.values import FileName
from tests.contract.certificates import Authority
from tests.contract.objects import FilingIntake, Running
from tests.dicom_peers import CT, EXPLICIT, Sender, commitment_request, orthanc
from tests.servers import free_port, wait_until

INSTANCE = "1.2.840.10008.1.20.1.1"


@contextmanager
def source(folder: Path, **settings: Any) -> Iterator[Running]:
    folder.mkdir(exist_ok=True)
    given = {"listen": "127.0.0.1:0", "ae_title": "GATEWAY", "anyone": True, "tls": "none", **settings}
    running = Running("dicom", Settings(**given), FilingIntake(folder))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dicom_commitment, "_LOOK_S", 0.05)


def keep(house: Running, *names: str) -> None:
    with Sender(house.port, calling="ASKER") as sender:
        assert sender.associate() == 2
        for name in names:
            sender.store(name.encode(), name)
            assert sender.status() == 0
        sender.release()


def question(*names: str, transaction: str = "1.9.9") -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction
    asked.ReferencedSOPSequence = []
    for name in names:
        one = Dataset()
        one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, name
        asked.ReferencedSOPSequence.append(one)
    return asked


class Reports:
    """What a requestor is told."""

    def __init__(self, status: int = 0) -> None:
        self.told: list[tuple[int, Dataset]] = []
        self.came = threading.Event()
        self.status = status
        self.refuse = 0

    def take(self, event: Event) -> tuple[int, None]:
        if self.refuse:
            self.refuse -= 1
            return 0x0110, None
        self.told.append((event.event_type or 0, event.event_information))
        self.came.set()
        return self.status, None

    @property
    def handlers(self) -> list[Any]:
        return [(evt.EVT_N_EVENT_REPORT, self.take)]


def called(house: Running, title: str, handlers: list[Any], **more: Any) -> Association | None:
    contexts = [build_context(COMMITMENT, EXPLICIT)]
    return Entity(title).call(("127.0.0.1", house.port), "GATEWAY", contexts, handlers, **more)


@contextmanager
def asking(house: Running, reports: Reports, title: str = "ASKER") -> Iterator[Association]:
    association = called(house, title, reports.handlers)
    assert association is not None
    try:
        yield association
    finally:
        association.release()


def ask(association: Association, asked: Dataset, action: int = 1, instance: str = INSTANCE) -> int:
    status, _ = association.send_n_action(asked, action, UID(COMMITMENT), UID(instance))
    return int(status.Status)


def names(sequence: Any) -> list[str]:
    return [str(one.ReferencedSOPInstanceUID) for one in sequence]


def test_the_report_comes_on_the_same_association(tmp_path: Path) -> None:
    reports = Reports()
    with source(tmp_path / "kept") as house:
        keep(house, "1.2.1", "1.2.2")
        with asking(house, reports) as association:
            assert ask(association, question("1.2.1", "1.2.2")) == 0
            assert reports.came.wait(20)
            ((event_type, told),) = reports.told
            assert event_type == 1
            assert told.TransactionUID == "1.9.9"
            assert names(told.ReferencedSOPSequence) == ["1.2.1", "1.2.2"]
            assert "FailedSOPSequence" not in told
            reports.came.clear()
            assert ask(association, question("1.2.1", "1.2.3", transaction="1.9.8")) == 0
            assert reports.came.wait(20)
            event_type, told = reports.told[-1]
            assert event_type == 2
            assert names(told.ReferencedSOPSequence) == ["1.2.1"]
            assert names(told.FailedSOPSequence) == ["1.2.3"]
            assert told.FailedSOPSequence[0].FailureReason == 0x0112


@contextmanager
def waiting_peer(reports: Reports, port: int, context: ssl.SSLContext | None = None) -> Iterator[None]:
    entity = AE("ASKER")
    entity.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=context, evt_handlers=reports.handlers)
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()


def test_the_report_comes_on_another_association_and_waits_for_the_peer(tmp_path: Path, quick: None) -> None:
    reports, port = Reports(), free_port()
    with source(tmp_path / "kept", peers={"ASKER": f"127.0.0.1:{port}"}) as house:
        keep(house, "1.2.1")
        with asking(house, Reports()) as association:
            assert ask(association, question("1.2.1")) == 0
        reports.refuse = 2
        with waiting_peer(reports, port):
            assert reports.came.wait(20)
        ((event_type, told),) = reports.told
        assert (event_type, names(told.ReferencedSOPSequence)) == (1, ["1.2.1"])
        assert reports.refuse == 0


def test_with_tls_the_report_goes_by_tls_to_peers_of_the_authority_only(tmp_path: Path, quick: None) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    own, peer, stranger = authority.issue("localhost"), authority.issue("asker"), other.issue("stranger")
    files = {
        "certificate": FileName(own.certificate),
        "private_key": FileName(own.key),
        "client_ca": FileName(authority.certificate),
    }
    port = free_port()
    with source(tmp_path / "kept", tls="mtls", peers={"ASKER": f"127.0.0.1:{port}"}, **files) as house:
        context = authority.client_context(peer)
        association = called(house, "ASKER", [], tls=(context, "localhost"))
        assert association is not None
        assert ask(association, question("1.2.1")) == 0
        association.release()
        unheard, reports = Reports(), Reports()
        with waiting_peer(unheard, port, other.server_context(stranger)):
            assert not unheard.came.wait(0.5)
        mutual = authority.server_context(peer)
        mutual.load_verify_locations(authority.certificate)
        mutual.verify_mode = ssl.CERT_REQUIRED
        with waiting_peer(reports, port, mutual):
            assert reports.came.wait(20)
        assert reports.told[0][0] == 2


def test_a_ledger_that_is_away_is_asked_again(tmp_path: Path, quick: None) -> None:
    reports = Reports()
    with source(tmp_path / "kept") as house:
        tries: list[str] = []

        def held(sop_class: str, sop_instance: str) -> bool:
            tries.append(sop_instance)
            if len(tries) < 3:
                raise ObjectStoreAway()
            return True

        house.intake.held = held
        with asking(house, reports) as association:
            assert ask(association, question("1.2.1")) == 0
            assert reports.came.wait(20)
        assert reports.told[0][0] == 1
        assert len(tries) == 3


def test_questions_that_are_none_are_refused_by_name(tmp_path: Path) -> None:
    reports = Reports()
    with source(tmp_path / "kept") as house, asking(house, reports) as association:
        assert ask(association, question("1.2.1"), action=2) == 0x0123
        assert ask(association, question("1.2.1"), instance="1.2.3") == 0x0112
        assert ask(association, question()) == 0x0115
        assert ask(association, question("1.2.1", transaction="")) == 0x0115
        with disable_value_validation():
            assert ask(association, question("1.2.1", transaction=f"1.{'2' * 63}")) == 0x0115
        del (nothing := question("1.2.1")).ReferencedSOPSequence
        assert ask(association, nothing) == 0x0115
    assert not reports.told


@pytest.mark.parametrize(
    ("fault", "status"),
    [(CommitmentsTooMany(), 0x0213), (LedgerAway(), 0x0213), (CommitmentClash(), 0x0115), (ObjectMisnamed(), 0x0110)],
)
def test_what_is_not_durable_is_not_answered_positively(tmp_path: Path, fault: IntakeFault, status: int) -> None:
    reports = Reports()
    with source(tmp_path / "kept") as house, asking(house, reports) as association:
        house.intake.refuse = fault
        assert ask(association, question("1.2.1")) == status
        house.intake.refuse, house.intake.broken = None, "owe_report"
        assert ask(association, question("1.2.1")) == 0x0213
    assert not reports.told


def test_who_left_and_has_no_address_is_told_when_it_comes_again(tmp_path: Path, quick: None) -> None:
    """On any association on which it may be told; one for objects alone is none."""
    reports = Reports()
    with source(tmp_path / "kept") as house:
        keep(house, "1.2.1")
        gate = threading.Event()
        house.intake.held = lambda sop_class, sop_instance: gate.wait(20)
        with asking(house, Reports()) as association:
            assert ask(association, question("1.2.1")) == 0
        gate.set()
        wait_until(lambda: bool(house.intake.waits))
        assert "no address" in house.intake.waits[0].detail
        keep(house, "1.2.2")
        assert not house.intake.reported
        with asking(house, Reports(), title="OTHER"), asking(house, reports):
            assert reports.came.wait(20)
        assert reports.told[0][1].TransactionUID == "1.9.9"
        wait_until(lambda: house.intake.reported == {"0": 0})


def test_a_report_that_is_refused_is_still_owed(tmp_path: Path, quick: None) -> None:
    refusing = Reports(status=0x0110)
    with source(tmp_path / "kept") as house, asking(house, refusing) as association:
        assert ask(association, question("1.2.1")) == 0
        wait_until(lambda: len(house.intake.waits) > 1)
        assert {one.detail for one in house.intake.waits} == {"status 0110"}
        refusing.status = 0
        wait_until(lambda: house.intake.reported == {"0": 1})


def test_objects_are_taken_while_a_report_is_awaited(tmp_path: Path) -> None:
    """On one association: a peer may store on while it owes us the answer to our report."""
    contexts = {CT: [EXPLICIT], COMMITMENT: [EXPLICIT]}
    with source(tmp_path / "kept") as house, Sender(house.port, contexts, calling="ASKER") as sender:
        assert sender.associate() == 2
        command, asked = commitment_request("1.9.9", [(CT, "1.2.1")])
        sender.command(command, 3)
        sender.values((3, b"\x02" + asked))
        assert sender.response().CommandField == 0x8130
        assert sender.response().CommandField == 0x0100
        assert sender.read()[0] == 4  # the data set of the report
        sender.store(b"abc", "1.2.1")
        assert sender.status() == 0


def test_orthanc_asks_and_is_told(tmp_path: Path) -> None:
    orthanc_dicom = free_port()
    with source(tmp_path / "kept", peers={"ORTHANC": f"127.0.0.1:{orthanc_dicom}"}) as house:
        keep(house, "1.2.1")
        peers = {"gateway": ("GATEWAY", house.port)}
        with orthanc(tmp_path / "orthanc", peers, DicomPort=orthanc_dicom, DicomAlwaysAllowStore=True) as peer:
            asked = {"DicomInstances": [{"SOPClassUID": CT, "SOPInstanceUID": name} for name in ("1.2.1", "1.2.2")]}
            path = peer.call("POST", "/modalities/gateway/storage-commitment", json=asked)["Path"]
            wait_until(lambda: peer.call("GET", path)["Status"] != "Pending")
            told = peer.call("GET", path)
            assert told["Status"] == "Failure"
            assert [one["SOPInstanceUID"] for one in told["Success"]] == ["1.2.1"]
            assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in told["Failures"]] == [("1.2.2", 0x0112)]


def test_a_role_asked_for_is_granted(tmp_path: Path) -> None:
    with source(tmp_path / "kept") as house:
        association = called(house, "ASKER", [], roles=[build_role(COMMITMENT, scu_role=True)])
        assert association is not None
        try:
            assert [one.abstract_syntax for one in association.accepted_contexts] == [COMMITMENT]
        finally:
            association.release()
