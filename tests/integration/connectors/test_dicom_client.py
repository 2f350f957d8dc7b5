"""The client towards a PACS, with real ones: Orthanc and DCMTK's dcmqrscp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.events import Event

from connectors.dicom_client import Client, ImageRow, Progress, Retrieval, SeriesRow, StudyRow
from connectors.dicom_peer import PacsSettings
from connectors.faults import (
    AssociationRejected,
    MoveDestinationUnknown,
    ObjectStoreAway,
    PacsCannotProcess,
    PacsUnreachable,
    QuestionInvalid,
    ServiceNotOffered,
)
from connectors.sources._dicom_contexts import COMMITMENT
from connectors.sources.dicom import Settings
from mappings.formats.values import FileName
from tests.contract.certificates import Authority
from tests.contract.objects import FilingIntake, Running
from tests.dicom_peers import CT, Orthanc, dcmqrscp, orthanc, tool
from tests.servers import free_port

STUDY, CT_SERIES, SR_SERIES, JPEG_SERIES = (generate_uid(entropy_srcs=[name]) for name in ("study", "ct", "sr", "jpeg"))
OTHER = generate_uid(entropy_srcs=["other"])


def made(name: str, series: str, number: int, study: str = STUDY, **more: Any) -> Dataset:
    """Give an object of pydicom's test data under other UIDs."""
    found = pydicom.dcmread(str(get_testdata_file(name)))
    found.StudyInstanceUID, found.SeriesInstanceUID = study, series
    found.SOPInstanceUID = generate_uid(entropy_srcs=[study, series, str(number)])
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    found.PatientID, found.AccessionNumber, found.InstanceNumber = "BN0001", "CD77", number
    found.SpecificCharacterSet = "ISO_IR 192"
    found.PatientName, found.StudyDate, found.StudyTime = "NGUYỄN^VĂN AN", "20261105", "101500"
    found.StudyDescription = "Chụp ngực"
    for keyword, value in more.items():
        setattr(found, keyword, value)
    return found


def content(dataset: Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def study() -> list[Dataset]:
    """Two CTs, a report, and a picture in JPEG 2000."""
    return [
        made("CT_small.dcm", CT_SERIES, 1),
        made("CT_small.dcm", CT_SERIES, 2),
        made("test-SR.dcm", SR_SERIES, 1),
        made("JPEG2000.dcm", JPEG_SERIES, 1),
    ]


def other() -> Dataset:
    return made("MR_small.dcm", "1.2.9", 1, OTHER, PatientID="BN0002", AccessionNumber="CD78", StudyDate="20261201")


@contextmanager
def house(folder: Path) -> Iterator[Running]:
    """Run our storage source, AE title GATEWAY."""
    folder.mkdir(parents=True)
    settings = Settings("127.0.0.1:0", "GATEWAY", anyone=True, tls="none")
    running = Running("dicom", settings, FilingIntake(folder))
    try:
        yield running
    finally:
        running.close()


def pacs(port: int, title: str = "ORTHANC", **more: Any) -> PacsSettings:
    given = {"calling": "ASKER", "move_to": "GATEWAY", "tls": "none", **more}
    return PacsSettings(f"127.0.0.1:{port}", title, name="pacs", **given)


ALLOWED: dict[str, Any] = {
    **{f"DicomAlwaysAllow{verb}": True for verb in ("Echo", "Find", "Get", "Move", "Store")},
    "DicomCheckCalledAet": True,
    "DefaultEncoding": "Utf8",
}


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Orthanc, Running]]:
    """An Orthanc with two studies that knows our source as GATEWAY."""
    with house(tmp_path / "kept") as running:
        peers = {"gateway": ("GATEWAY", running.port)}
        with orthanc(tmp_path / "orthanc", peers, **ALLOWED) as peer:
            for one in (*study(), other()):
                peer.upload(content(one))
            yield peer, running


def test_orthanc_is_asked_and_sends_and_gives(archive: tuple[Orthanc, Running], tmp_path: Path) -> None:
    peer, running = archive
    client = Client(pacs(peer.dicom_port))
    client.echo()

    (found,) = client.find(StudyRow, {"PatientID": "BN0001"})
    assert found["StudyInstanceUID"] == STUDY
    assert (found["PatientName"], found["StudyDescription"]) == ("NGUYỄN^VĂN AN", "Chụp ngực")
    assert (found["AccessionNumber"], found["StudyDate"]) == ("CD77", "20261105")
    assert set(found["ModalitiesInStudy"]) == {"CT", "SR", "NM"}
    assert (found["NumberOfStudyRelatedSeries"], found["NumberOfStudyRelatedInstances"]) == (3, 4)
    for keys, wanted in (
        ({"AccessionNumber": "CD78"}, {OTHER}),
        ({"StudyDate": "20261101-20261130"}, {STUDY}),
        ({"StudyDate": "20261101-"}, {STUDY, OTHER}),
        ({"ModalitiesInStudy": "MR"}, {OTHER}),
        ({"StudyInstanceUID": OTHER}, {OTHER}),
        ({"PatientID": "BN000*"}, {STUDY, OTHER}),
        ({"PatientID": "nobody"}, set()),
    ):
        assert {one["StudyInstanceUID"] for one in client.find(StudyRow, keys)} == wanted, keys
    series = client.find(SeriesRow, {"StudyInstanceUID": STUDY})
    assert {one["SeriesInstanceUID"]: one["Modality"] for one in series} == {
        CT_SERIES: "CT", SR_SERIES: "SR", JPEG_SERIES: "NM",
    }  # fmt: skip
    images = client.find_images(STUDY)
    assert {one["SOPInstanceUID"]: one["SOPClassUID"] for one in images} == {
        str(one.SOPInstanceUID): str(one.SOPClassUID) for one in study()
    }
    assert len(client.find(StudyRow, {}, most=1)) == 1

    told: list[Progress] = []
    done = client.move([Retrieval(STUDY)], told.append)
    assert (done.completed, done.failed, done.remaining) == (4, 0, 0)
    assert told[-1] == done
    assert len(running.intake.taken) == 4

    (tmp_path / "got").mkdir()
    intake = FilingIntake(tmp_path / "got")
    told.clear()
    done = client.get([Retrieval(STUDY)], {one["SOPClassUID"] for one in images}, intake, told.append)
    assert (done.completed, done.failed) == (4, 0)
    assert told[-1] == done
    by_uid = {str(one.SOPInstanceUID): one for one in study()}
    assert len(intake.taken) == 4
    for filed in intake.taken:
        assert filed.names is not None
        assert (filed.names.calling, filed.names.called) == ("ORTHANC", "ASKER")
        sent, kept = by_uid[filed.names.sop_instance], pydicom.dcmread(filed.path)
        assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert kept.SOPInstanceUID == sent.SOPInstanceUID
        assert kept.get("PixelData") == sent.get("PixelData")


def test_parts_of_a_study_are_fetched_alone(archive: tuple[Orthanc, Running], tmp_path: Path) -> None:
    peer, running = archive
    client = Client(pacs(peer.dicom_port))
    second = str(study()[1].SOPInstanceUID)
    wanted = [Retrieval(STUDY, (SR_SERIES, JPEG_SERIES)), Retrieval(STUDY, (CT_SERIES,), (second,))]
    assert client.move(wanted).completed == 3
    assert {one.names.sop_instance for one in running.intake.taken if one.names} == {
        str(one.SOPInstanceUID) for one in study()[1:]
    }
    (tmp_path / "got").mkdir()
    intake = FilingIntake(tmp_path / "got")
    assert client.get(wanted, {str(one.SOPClassUID) for one in study()}, intake).completed == 3
    assert len(intake.taken) == 3


def test_what_the_intake_does_not_keep_counts_as_failed(archive: tuple[Orthanc, Running], tmp_path: Path) -> None:
    peer, _ = archive
    client = Client(pacs(peer.dicom_port))
    (tmp_path / "got").mkdir()
    intake = FilingIntake(tmp_path / "got")
    intake.refuse = ObjectStoreAway()
    with pytest.raises(PacsCannotProcess):  # Orthanc ends the whole at the first no
        client.get([Retrieval(STUDY)], (), intake)
    assert not intake.taken
    assert not intake.open
    intake.refuse = None
    intake.broken = "deposit"
    with pytest.raises(PacsCannotProcess):
        client.get([Retrieval(STUDY)], (), intake)


def test_a_pacs_says_no(archive: tuple[Orthanc, Running]) -> None:
    peer, _ = archive
    with pytest.raises(AssociationRejected, match="called AE title not recognised"):
        Client(pacs(peer.dicom_port, "WRONG")).echo()
    with pytest.raises((MoveDestinationUnknown, PacsCannotProcess)):
        Client(pacs(peer.dicom_port, move_to="NOBODY")).move([Retrieval(STUDY)])
    with pytest.raises(PacsUnreachable, match="refused"):
        Client(pacs(free_port())).echo()
    for keys in ({"PatientID": "a\\b"}, {"PatientID": "x" * 65}, {"StudyInstanceUID": "1.2.x"}):
        with pytest.raises(QuestionInvalid):
            Client(pacs(peer.dicom_port)).find(StudyRow, keys)


def test_dcmqrscp_is_asked_and_sends(tmp_path: Path) -> None:
    sent = study()[:3]  # it keeps one transfer syntax only
    with (
        house(tmp_path / "kept") as running,
        dcmqrscp(tmp_path / "archive", {"gateway": ("GATEWAY", running.port)}) as port,
    ):
        files = [tmp_path / f"{number}.dcm" for number in range(4)]
        for file, one in zip(files, (*sent, other()), strict=True):
            file.write_bytes(content(one))
        stored = tool("storescu", "-aec", "DCMQRSCP", "localhost", str(port), *map(str, files))
        assert stored.returncode == 0, stored.stderr
        client = Client(pacs(port, "DCMQRSCP"))
        client.echo()
        (found,) = client.find(StudyRow, {"PatientID": "BN0001"})
        assert (found["StudyInstanceUID"], found["PatientName"]) == (STUDY, "NGUYỄN^VĂN AN")
        assert len(client.find(SeriesRow, {"StudyInstanceUID": STUDY})) == 2
        images = client.find_images(STUDY)
        assert {one["SOPInstanceUID"] for one in images} == {str(one.SOPInstanceUID) for one in sent}
        done = client.move([Retrieval(STUDY)])
        assert (done.completed, done.failed) == (3, 0)
        assert len(running.intake.taken) == 3
        with pytest.raises(MoveDestinationUnknown):
            Client(pacs(port, "DCMQRSCP", move_to="NOBODY")).move([Retrieval(STUDY)])
        (tmp_path / "got").mkdir()
        intake = FilingIntake(tmp_path / "got")
        done = client.get([Retrieval(STUDY, (CT_SERIES,))], {CT}, intake)
        assert (done.completed, len(intake.taken)) == (2, 2)


def test_orthanc_reports_what_it_keeps_on_an_association_of_its_own(tmp_path: Path) -> None:
    reports = free_port()
    with orthanc(tmp_path / "orthanc", {"asker": ("ASKER", reports)}, **ALLOWED) as peer:
        for one in study():
            peer.upload(content(one))
        client = Client(pacs(peer.dicom_port, reports=f"127.0.0.1:{reports}"))
        objects = [(str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in study()]
        told = client.commit(objects)
        assert told.kept == {instance for _, instance in objects}
        assert not told.failed
        assert not told.unsaid
        told = client.commit([*objects, (CT, "1.2.3.4")])
        assert told.kept == {instance for _, instance in objects}
        assert told.failed == {"1.2.3.4": 0x0112}


@contextmanager
def committing(take: Any, context: Any = None) -> Iterator[int]:
    """Run pynetdicom as provider of storage commitment; `take` gets the association and the question."""
    entity = AE("ORTHANC")
    entity.add_supported_context(COMMITMENT)
    entity.add_supported_context("1.2.840.10008.1.1")

    def asked(event: Event) -> tuple[int, None]:
        take(event)
        return 0, None

    server = entity.start_server(
        ("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=[(evt.EVT_N_ACTION, asked)]
    )
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


def report(event: Event, *, drop: int = 0, transaction: str = "") -> Dataset:
    asked = event.action_information
    told = Dataset()
    told.TransactionUID = transaction or asked.TransactionUID
    told.ReferencedSOPSequence = list(asked.ReferencedSOPSequence)[drop:]
    return told


def test_a_report_comes_on_the_same_association_and_names_what_it_leaves_out() -> None:
    statuses: list[int] = []

    def take(event: Event) -> None:
        wrong, right = report(event, transaction="1.2.3"), report(event, drop=1)

        def send(event: Event) -> None:
            if event.message.__class__.__name__ != "N_ACTION_RSP":
                return
            event.assoc.unbind(evt.EVT_DIMSE_SENT, send)
            for told in (wrong, right):
                status, _ = event.assoc.send_n_event_report(told, 1, UID(COMMITMENT), UID("1.2.840.10008.1.20.1.1"))
                statuses.append(status.Status)

        event.assoc.bind(evt.EVT_DIMSE_SENT, send)

    with committing(take) as port:
        told = Client(pacs(port)).commit([(CT, "1.2.1"), (CT, "1.2.2")])
    assert (set(told.kept), dict(told.failed), set(told.unsaid)) == ({"1.2.2"}, {}, {"1.2.1"})
    assert statuses == [0x0110, 0]


def test_with_tls_only_a_pacs_of_the_authority_is_spoken_with(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    own, asker = authority.issue("localhost"), authority.issue("asker")
    stranger = foreign.issue("localhost")
    reports = free_port()
    files: dict[str, Any] = {
        "tls": "tls",
        "ca": FileName(authority.certificate),
        "certificate": FileName(asker.certificate),
        "private_key": FileName(asker.key),
        "reports": f"127.0.0.1:{reports}",
    }

    def take(event: Event) -> None:
        told = report(event)

        def elsewhere(event: Event) -> None:
            entity = AE("ORTHANC")
            entity.add_requested_context(COMMITMENT)
            context = authority.client_context(own)
            context.check_hostname = False
            association = entity.associate(
                "127.0.0.1",
                reports,
                ae_title="ASKER",
                ext_neg=[build_role(COMMITMENT, scp_role=True)],
                tls_args=(context, "localhost"),
            )
            assert association.is_established
            association.send_n_event_report(told, 1, UID(COMMITMENT), UID("1.2.840.10008.1.20.1.1"))
            association.release()

        event.assoc.bind(evt.EVT_RELEASED, lambda event: None)
        event.assoc.bind(evt.EVT_DIMSE_SENT, elsewhere)

    with committing(take, authority.server_context(own)) as port:
        settings = pacs(port, **{**files, "any_name": True})
        Client(settings).echo()
        assert Client(settings).commit([(CT, "1.2.1")]).kept == {"1.2.1"}
        with pytest.raises(PacsUnreachable, match="TLS"):  # the name in its certificate is another
            Client(pacs(port, **files)).echo()
    with committing(take, foreign.server_context(stranger)) as port, pytest.raises(PacsUnreachable, match="TLS"):
        Client(pacs(port, **{**files, "any_name": True})).echo()


def test_what_a_pacs_does_not_offer_is_named() -> None:
    with committing(lambda event: None) as port:
        client = Client(pacs(port, commit_timeout=timedelta(seconds=1)))
        with pytest.raises(ServiceNotOffered):
            client.find(ImageRow, {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3"})
