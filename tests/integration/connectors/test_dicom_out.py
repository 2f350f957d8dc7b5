"""Studies that leave by C-STORE, to real receivers: DCMTK's storescp and dcmqrscp, Orthanc, and peers that break off."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.events import Event

from connectors.contract import Receipt
from connectors.destinations.dicom import Destination, Settings
from connectors.faults import (
    AssociationRejected,
    CannotAsk,
    NoPictures,
    ObjectsNotKept,
    ObjectsNotKeptYet,
    ObjectsNotTaken,
    ObjectsRefused,
    ObjectStoreAway,
    PacsBusy,
    PacsTlsUnusable,
    PacsUnreachable,
    ServiceNotOffered,
    StudyCutShort,
    StudyInterrupted,
)
from connectors.sources._dicom_contexts import COMMITMENT
from mappings.formats import json
from mappings.formats.faults import FaultClass
from mappings.formats.values import FileName
from tests.contract.certificates import Authority
from tests.dicom_peers import CT, Caller, Scripted, dcmqrscp, orthanc, storescp
from tests.outgoing import STUDY, Outgoing, data_set, hashes_of, made, outbound, small
from tests.servers import Server, free_port, listens, need, wait_until

ALLOWED: dict[str, Any] = {
    **{f"DicomAlwaysAllow{verb}": True for verb in ("Echo", "Find", "Get", "Move", "Store")},
    "DicomCheckCalledAet": True,
}
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def to(port: int, title: str = "ORTHANC", **more: Any) -> Destination:
    settings = Settings(f"127.0.0.1:{port}", title, "LIENTHONG", **{"tls": "none", **more})
    return Destination("other hospital", settings, lambda data: b"")


def deliver(port: int, pictures: Outgoing, title: str = "ORTHANC", **more: Any) -> Receipt:
    async def run() -> Receipt:
        destination = to(port, title, **more)
        try:
            return await destination.deliver(outbound(pictures))
        finally:
            await destination.close()

    return asyncio.run(run())


def find(port: int, pictures: Outgoing, title: str = "ORTHANC", **more: Any) -> Receipt | None:
    async def run() -> Receipt | None:
        destination = to(port, title, **more)
        try:
            return await destination.find(outbound(pictures))
        finally:
            await destination.close()

    return asyncio.run(run())


def mixed() -> list[bytes]:
    """A CT, a report, a picture in JPEG 2000, one deflated, one in big endian."""
    return [
        made("CT_small.dcm", 1),
        made("test-SR.dcm", 1, series=2),
        made("JPEG2000.dcm", 1, series=3),
        made("image_dfl.dcm", 1, series=4),
        made("MR_small_bigendian.dcm", 1, series=5),
    ]


def test_every_object_arrives_as_it_is_kept(tmp_path: Path) -> None:
    pictures = Outgoing(mixed())
    with storescp(tmp_path / "in") as peer:
        receipt = deliver(peer.port, pictures, "STORESCP")
        assert hashes_of(peer.files()) == pictures.hashes
    assert receipt.reference == STUDY
    assert receipt.facts == {"objects": "5", "sent": "5", "there": "0"}
    assert set(json.loads(receipt.evidence)["stored"].values()) == {"0000"}


@contextmanager
def archive(folder: Path, **more: Any) -> Iterator[Any]:
    with orthanc(folder, {}, **{**ALLOWED, **more}) as peer:
        yield peer


def files_of(peer: Any) -> list[bytes]:
    """What Orthanc has."""
    with httpx.Client(base_url=peer.url, trust_env=False) as client:
        ids = client.get("/instances").json()
        return [client.get(f"/instances/{one}/file").content for one in ids]


def same(peer: Any, pictures: Outgoing) -> bool:
    """Tell whether Orthanc has each object, with every value; it writes sequences its own way, so bytes may differ."""
    here, there = (
        {str(one.SOPInstanceUID): one for one in (pydicom.dcmread(BytesIO(file)) for file in files)}
        for files in (pictures.files.values(), files_of(peer))
    )
    return here == there and all(
        one.file_meta.TransferSyntaxUID == there[uid].file_meta.TransferSyntaxUID for uid, one in here.items()
    )


def test_an_archive_gets_what_it_lacks_and_the_second_time_nothing(tmp_path: Path) -> None:
    files = mixed()
    pictures = Outgoing(files[:3])
    with archive(tmp_path / "orthanc") as peer:
        assert find(peer.dicom_port, pictures) is None
        assert deliver(peer.dicom_port, pictures).facts == {"objects": "3", "sent": "3", "there": "0"}
        assert same(peer, pictures)
        again = Outgoing(files[:3])
        assert deliver(peer.dicom_port, again).facts == {"objects": "3", "sent": "0", "there": "3"}
        assert again.opened == []
        newer = Outgoing(files)
        assert deliver(peer.dicom_port, newer).facts == {"objects": "5", "sent": "2", "there": "3"}
        assert newer.opened == [one.sop_instance for one in newer.objects[3:]]
        found = find(peer.dicom_port, newer)
        assert found is not None
        assert found.facts == {"objects": "5", "sent": "0", "there": "5"}


def test_a_study_of_a_thousand_that_broke_at_seven_hundred_goes_on_with_three_hundred(tmp_path: Path) -> None:
    files = small(1000)
    with archive(tmp_path / "orthanc") as peer:
        port = peer.dicom_port

        def broken(number: int) -> None:
            if number == 700:
                raise ConnectionError

        with pytest.raises(ConnectionError):
            deliver(port, Outgoing(files, before=broken))
        rest = Outgoing(files)
        assert find(port, rest) is None
        assert deliver(port, rest).facts == {"objects": "1000", "sent": "300", "there": "700"}
        assert len(rest.opened) == 300
        assert hashes_of(files_of(peer)) == rest.hashes


def test_who_answers_no_queries_gets_everything_and_cannot_be_asked(tmp_path: Path) -> None:
    pictures = Outgoing(small(3))
    with storescp(tmp_path / "in") as peer:
        with pytest.raises(CannotAsk) as caught:
            find(peer.port, pictures, "STORESCP")
        assert caught.value.fault_class is FaultClass.REFUSED
        for _ in range(2):
            assert deliver(peer.port, pictures, "STORESCP").facts["sent"] == "3"


def test_nobody_there_and_no_welcome(tmp_path: Path) -> None:
    pictures = Outgoing(small(1))
    with pytest.raises(PacsUnreachable):
        deliver(free_port(), pictures)
    with archive(tmp_path / "orthanc") as peer, pytest.raises(AssociationRejected) as caught:
        deliver(peer.dicom_port, pictures, "NOBODY")
    assert caught.value.fault_class is FaultClass.REFUSED
    assert pictures.opened == []


def test_what_is_not_taken_as_it_is_kept_is_named_and_the_rest_is_sent(tmp_path: Path) -> None:
    pictures = Outgoing(mixed())

    def plain(caller: Caller) -> None:
        caller.asked()
        for context in caller.contexts:
            if context.transfer_syntax[0] not in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
                context.abstract_syntax = UID("1.2.3")
        caller.accept(FIND, "1.2.3")
        for _ in range(2):
            command, _ = caller.message()
            caller.answer(command, 0x0000)
        caller.read()

    with Scripted(plain) as peer, pytest.raises(ObjectsNotTaken) as caught:
        deliver(peer.port, pictures)
    assert pictures.opened == [one.sop_instance for one in pictures.objects[:2]]
    assert "JPEG 2000" in caught.value.detail
    assert "MR Image Storage in Explicit VR Big Endian: 1" in caught.value.detail


def no_queries(*statuses: int | None) -> Callable[[Caller], None]:
    """A receiver that answers objects with these statuses, one after the other; None: it aborts in its place."""

    def script(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND)
        for status in statuses:
            command, _ = caller.message()
            if status is None:
                caller.abort()
                return
            caller.answer(command, status)
        caller.read()

    return script


def test_out_of_resources_stops_and_is_tried_later() -> None:
    pictures = Outgoing(small(4))
    with Scripted(no_queries(0x0000, 0xA700)) as peer, pytest.raises(PacsBusy) as caught:
        deliver(peer.port, pictures)
    assert caught.value.fault_class is FaultClass.TRANSIENT
    assert caught.value.detail == "status A700"
    assert len(pictures.opened) == 2


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0122, 0x0124, 0x0117])
def test_a_no_to_one_object_leaves_the_others(status: int) -> None:
    pictures = Outgoing(small(4))
    with Scripted(no_queries(0x0000, status, 0x0000, 0x0000)) as peer, pytest.raises(ObjectsRefused) as caught:
        deliver(peer.port, pictures)
    assert caught.value.fault_class is FaultClass.REFUSED
    assert (caught.value.detail, caught.value.where) == (f"status {status:04X}", "other hospital 1/4")
    assert len(pictures.opened) == 4


def test_a_warning_and_what_is_there_already_are_delivered() -> None:
    with Scripted(no_queries(0xB000, 0xB007, 0x0111, 0x0000)) as peer:
        receipt = deliver(peer.port, Outgoing(small(4)))
    assert receipt.facts == {"objects": "4", "sent": "3", "there": "1", "warnings": "2"}
    assert sorted(json.loads(receipt.evidence)["stored"].values()) == ["0000", "B000", "B007"]


def test_a_study_that_is_cut_short_is_uncertain_and_says_how_far_it_came() -> None:
    pictures = Outgoing(small(4))
    with Scripted(no_queries(0x0000, 0x0000, None)) as peer, pytest.raises(StudyCutShort) as caught:
        deliver(peer.port, pictures)
    assert caught.value.fault_class is FaultClass.UNCERTAIN
    assert caught.value.detail == "aborted; 2 of 4 confirmed"


@pytest.mark.parametrize("how", ["no status", "another number", "another message", "released"])
def test_an_answer_that_is_none_is_uncertain(how: str) -> None:
    def script(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND)
        command, _ = caller.message()
        if how == "another number":
            command.MessageID = 99
        if how == "released":
            caller.socket.sendall(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")
        elif how == "another message":
            caller.answer(command, 0x0000, field=0x8020)
        else:
            caller.answer(command, None if how == "no status" else 0x0000)
        caller.read()

    with Scripted(script) as peer, pytest.raises(StudyCutShort, match="0 of 2 confirmed"):
        deliver(peer.port, Outgoing(small(2)))


def test_silence_after_an_object_is_uncertain() -> None:
    def silent(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND)
        caller.message()
        caller.read()

    with Scripted(silent) as peer, pytest.raises(StudyCutShort, match=r"no answer in 0\.3s; 0 of 2"):
        deliver(peer.port, Outgoing(small(2)), dimse_timeout=timedelta(seconds=0.3))


def test_a_receiver_that_reads_nothing_ends_in_uncertainty_and_holds_nothing() -> None:
    """Its window fills up in the middle of an object, and what waits to be written is bounded."""
    large = made("CT_small.dcm", 1, PixelData=bytes(8 << 20), Rows=2048, Columns=2048)
    ended = threading.Event()

    def deaf(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND)
        ended.wait(20)

    with Scripted(deaf) as peer:
        with pytest.raises(StudyCutShort):
            deliver(peer.port, Outgoing([large]), dimse_timeout=timedelta(seconds=0.5))
        ended.set()
    wait_until(lambda: not [one for one in threading.enumerate() if one.name.startswith("dicom to other")])


def test_a_fault_of_the_objects_ends_the_association_in_the_middle(tmp_path: Path) -> None:
    def away(number: int) -> None:
        if number == 1:
            raise ObjectStoreAway(detail="no such file")

    with storescp(tmp_path / "in") as peer:
        with pytest.raises(ObjectStoreAway):
            deliver(peer.port, Outgoing(small(3), before=away), "S")
        wait_until(lambda: len(list(peer.folder.iterdir())) == 1)


@pytest.mark.parametrize("length", [1024, 16384, 1 << 20, 0])
def test_pieces_fit_what_the_receiver_takes(length: int) -> None:
    pictures = Outgoing([made("CT_small.dcm", 1)])
    sizes: list[int] = []
    came: list[bytes] = []

    def counting(caller: Caller) -> None:
        caller.asked()
        caller.accept(FIND, length=length)
        real = caller.read

        def read() -> tuple[int, bytes]:
            kind, content = real()
            sizes.append(len(content) - 6)
            return kind, content

        caller.read = read  # type: ignore[method-assign]
        command, data = caller.message()
        came.append(data)
        caller.answer(command, 0x0000)
        real()

    with Scripted(counting) as peer:
        deliver(peer.port, pictures)
    assert came == [data_set(file) for file in pictures.files.values()]
    assert max(sizes) <= (length or 128 * 1024)
    assert all(size % 2 == 0 for size in sizes)


# ---- storage commitment ----


def test_orthanc_keeps_every_object_for_certain_before_a_study_counts_as_delivered(tmp_path: Path) -> None:
    reports = free_port()
    pictures = Outgoing(mixed()[:3])
    with orthanc(tmp_path / "orthanc", {"us": ("LIENTHONG", reports)}, **ALLOWED) as peer:
        more: dict[str, Any] = {"commit": True, "reports": f"127.0.0.1:{reports}"}
        receipt = deliver(peer.dicom_port, pictures, **more)
        assert receipt.facts == {"objects": "3", "sent": "3", "there": "0", "committed": "3"}
        found = find(peer.dicom_port, pictures, **more)
        assert found is not None
        assert found.facts["committed"] == "3"


@contextmanager
def keeper(
    fails: Mapping[str, int],
    unsaid: Collection[str] = (),
    context: Any = None,
    came: dict[str, bytes] | None = None,
) -> Iterator[int]:
    """Run pynetdicom as a receiver that takes objects and then says of some that it does not keep them."""
    entity = AE("KEEPER")
    entity.add_supported_context(CT)
    entity.add_supported_context(COMMITMENT)

    def report(event: Event) -> tuple[int, None]:
        asked = event.action_information
        told = Dataset()
        told.TransactionUID = asked.TransactionUID
        told.ReferencedSOPSequence = [
            one
            for one in asked.ReferencedSOPSequence
            if one.ReferencedSOPInstanceUID not in fails and one.ReferencedSOPInstanceUID not in unsaid
        ]
        failed = [one for one in asked.ReferencedSOPSequence if one.ReferencedSOPInstanceUID in fails]
        for one in failed:
            one.FailureReason = fails[one.ReferencedSOPInstanceUID]
        if failed:
            told.FailedSOPSequence = failed

        def send(event: Event) -> None:
            if event.message.__class__.__name__ == "N_ACTION_RSP":
                event.assoc.unbind(evt.EVT_DIMSE_SENT, send)
                event.assoc.send_n_event_report(
                    told, 2 if failed else 1, UID(COMMITMENT), UID("1.2.840.10008.1.20.1.1")
                )

        event.assoc.bind(evt.EVT_DIMSE_SENT, send)
        return 0, None

    def stored(event: Event) -> int:
        request: Any = event.request
        if came is not None:
            came[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        return 0

    handlers: list[Any] = [(evt.EVT_N_ACTION, report), (evt.EVT_C_STORE, stored)]
    server = entity.start_server(("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=handlers)
    assert server is not None
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    ("fails", "kind", "detail"),
    [
        ({}, None, ""),
        ({"2": 0x0112}, ObjectsNotKept, "reason 0112 no such object"),
        ({"1": 0x0110, "2": 0x0119}, ObjectsNotKept, "reason 0119 class and object do not fit"),
        ({"1": 0x0213}, ObjectsNotKeptYet, "reason 0213"),
        ({"1": 0x0110}, ObjectsNotKeptYet, "reason 0110"),
    ],
)
def test_what_is_not_kept_is_not_delivered(
    fails: Mapping[str, int], kind: type[ObjectsNotKept] | None, detail: str
) -> None:
    pictures = Outgoing(small(3))
    uids = [one.sop_instance for one in pictures.objects]
    with keeper({uids[int(number)]: reason for number, reason in fails.items()}) as port:
        if kind is None:
            assert deliver(port, pictures, "KEEPER", commit=True).facts["committed"] == "3"
            return
        with pytest.raises(ObjectsNotKept) as caught:
            deliver(port, pictures, "KEEPER", commit=True)
    assert type(caught.value) is kind
    assert (caught.value.where, caught.value.detail) == (f"other hospital {len(fails)}/3", detail)
    assert caught.value.fault_class is (FaultClass.REFUSED if kind is ObjectsNotKept else FaultClass.TRANSIENT)


def test_what_a_report_leaves_out_is_asked_about_again() -> None:
    pictures = Outgoing(small(2))
    with keeper({}, [pictures.objects[0].sop_instance]) as port, pytest.raises(ObjectsNotKeptYet, match="1/2"):
        deliver(port, pictures, "KEEPER", commit=True)


# ---- TLS, and what the judges say ----


def test_with_tls_only_a_receiver_of_the_authority_gets_anything(tmp_path: Path) -> None:
    authority, foreign = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    pictures = Outgoing([*small(1), made("CT_small.dcm", 2, PixelData=os.urandom(8 << 20), Rows=2048, Columns=2048)])
    more: dict[str, Any] = {"tls": "tls", "ca": FileName(authority.certificate), "any_name": True}
    came: dict[str, bytes] = {}
    with keeper({}, context=authority.server_context(authority.issue("localhost")), came=came) as port:
        assert deliver(port, pictures, "KEEPER", **more).facts["sent"] == "2"
    assert came == {uid: data_set(file) for uid, file in pictures.files.items()}
    with (
        keeper({}, context=foreign.server_context(foreign.issue("localhost"))) as port,
        pytest.raises(PacsUnreachable, match="TLS"),
    ):
        deliver(port, Outgoing(small(1)), "KEEPER", **more)


def verdict(file: bytes, path: Path) -> str:
    """What dciodvfy says of an object."""
    path.write_bytes(file)
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    return done.stderr.decode("utf-8", "replace")


def test_dciodvfy_has_nothing_new_to_say_about_what_was_sent(tmp_path: Path) -> None:
    need(shutil.which("dciodvfy"), "dciodvfy")
    pictures = Outgoing(mixed())
    with storescp(tmp_path / "in") as peer:
        deliver(peer.port, pictures, "S")
        received = {str(pydicom.dcmread(BytesIO(file)).SOPInstanceUID): file for file in peer.files()}
    assert received.keys() == pictures.files.keys()
    said = {uid: verdict(file, tmp_path / "source.dcm") for uid, file in pictures.files.items()}
    assert any("Error" in one for one in said.values())  # it does look
    for uid, file in received.items():
        assert verdict(file, tmp_path / "source.dcm") == said[uid]


def test_a_receiver_that_throws_everything_away_is_believed(tmp_path: Path) -> None:
    """`storescp --ignore` answers with success: that is what it is asked for. Only commitment would ask more."""
    port = free_port()
    command = ["storescp", "+xa", "--ignore", str(port)]
    server = Server(command, lambda: listens(port), str(tmp_path), signal.SIGTERM)
    try:
        assert deliver(port, Outgoing(mixed()), "S").facts["sent"] == "5"
        with pytest.raises(ServiceNotOffered):
            deliver(port, Outgoing(mixed()), "S", commit=True)
    finally:
        server.end()


def test_dcmqrscp_gets_what_it_lacks(tmp_path: Path) -> None:
    pictures = Outgoing(small(5))
    with dcmqrscp(tmp_path / "archive", {}) as port:
        first = Outgoing(small(5)[:2])
        assert deliver(port, first, "DCMQRSCP").facts["sent"] == "2"
        receipt = deliver(port, pictures, "DCMQRSCP")
        assert receipt.facts == {"objects": "5", "sent": "3", "there": "2"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"address": "nowhere"}, "address: "),
        ({"ae_title": "a title that is too long"}, "ae_title: "),
        ({"reports": "127.0.0.1:1"}, "reports: "),
        ({"commit": True, "reports": "127.0.0.1:1", "tls": "tls"}, "certificate: "),
        ({"dimse_timeout": timedelta(0)}, "dimse_timeout: "),
    ],
)
def test_settings_that_cannot_be_used(more: dict[str, Any], told: str) -> None:
    given = {"address": "127.0.0.1:104", "ae_title": "PACS", "calling": "US", "tls": "none", **more}
    with pytest.raises(ValueError, match=told):
        Settings(**given)


def test_files_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(PacsTlsUnusable):
        to(104, tls="tls", ca=FileName(tmp_path / "absent.pem"))


def test_a_destination_may_have_any_name() -> None:
    assert Settings("127.0.0.1:104", "PACS", "US").peer("bệnh viện B " * 9).name


def test_a_node_that_ends_leaves_between_two_objects(tmp_path: Path) -> None:
    async def run(peer: Any) -> None:
        destination = to(peer.dicom_port)
        pictures = Outgoing(small(20), before=lambda number: destination.interrupt() if number == 7 else None)
        with pytest.raises(StudyInterrupted, match=r"8 of 20 confirmed") as caught:
            await destination.deliver(outbound(pictures))
        assert caught.value.fault_class is FaultClass.TRANSIENT
        await destination.close()

    with archive(tmp_path / "orthanc") as peer:
        asyncio.run(run(peer))
        rest = Outgoing(small(20))
        assert deliver(peer.dicom_port, rest).facts == {"objects": "20", "sent": "12", "there": "8"}


def test_what_is_no_study_does_not_leave() -> None:
    with pytest.raises(NoPictures):
        asyncio.run(to(1).deliver(outbound(None)))
