"""The DICOM storage source before real peers: DCMTK, Orthanc, pynetdicom, and senders that break off or break the rules."""

from __future__ import annotations

import logging
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import UID
from pynetdicom import AE

from connectors.faults import (
    ObjectClash,
    ObjectIncomplete,
    ObjectMisnamed,
    ObjectStoreAway,
    ObjectTooLarge,
    ObjectUnreadable,
    TlsFilesUnusable,
)
from connectors.sources._dicom_association import Messages
from connectors.sources._dicom_upper import TICK_S
from connectors.sources.dicom import Settings, Source
from mappings.formats.faults import IntakeFault
from mappings.formats.values import FileName, Size
from tests.contract.certificates import Authority
from tests.contract.objects import FilingIntake, Running
from tests.dicom_peers import CT, EXPLICIT, Sender, command_set, orthanc, storescp, tool
from tests.servers import wait_until

DATA = Path(pydicom.__file__).parent / "data"
CT_FILE = DATA / "test_files" / "CT_small.dcm"
CONTENT = bytes(range(256)) * 2000


@contextmanager
def source(folder: Path, **settings: Any) -> Iterator[Running]:
    folder.mkdir(exist_ok=True)
    given = {"listen": "127.0.0.1:0", "ae_title": "GATEWAY", "tls": "none", **settings}
    if "callers" not in given:
        given["anyone"] = True
    running = Running("dicom", Settings(**given), FilingIntake(folder))
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    with source(tmp_path / "kept") as running:
        yield running


@contextmanager
def established(house: Running, **more: Any) -> Iterator[Sender]:
    with Sender(house.port, **more) as sender:
        assert sender.associate() == 2
        yield sender


def threads_of_associations() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("dicom 127.")]


def without_padding(read: pydicom.FileDataset) -> pydicom.FileDataset:
    """Leave out Data Set Trailing Padding, which DCMTK does not send."""
    if (0xFFFC, 0xFFFC) in read:
        del read[0xFFFC, 0xFFFC]
    return read


# ---- real senders ----


def test_echoscu_and_a_storescu_that_sends_twice(house: Running) -> None:
    assert tool("echoscu", "-aec", "GATEWAY", "127.0.0.1", str(house.port)).returncode == 0
    for _ in range(2):
        told = tool("storescu", "-v", "-aec", "GATEWAY", "127.0.0.1", str(house.port), str(CT_FILE))
        assert told.returncode == 0, told.stderr
        assert "(Success)" in told.stderr
    first, second = house.intake.taken
    assert first.names is not None
    assert first.names.sop_class == CT
    assert first.names.transfer_syntax == EXPLICIT
    assert (first.names.calling, first.names.called) == ("STORESCU", "GATEWAY")
    assert first.content == second.content
    assert second.answer is not None
    assert second.answer.repeat
    read = pydicom.dcmread(first.path)
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert without_padding(read) == without_padding(pydicom.dcmread(CT_FILE))


def test_dcmsend_sends_a_folder_on_one_association(house: Running) -> None:
    folder = DATA / "test_files" / "dicomdirtests" / "98892001"
    told = tool("dcmsend", "-aec", "GATEWAY", "+sd", "+r", "127.0.0.1", str(house.port), str(folder))
    assert told.returncode == 0, told.stderr
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {pydicom.dcmread(one.path).SOPInstanceUID for one in house.intake.taken} == {
        pydicom.dcmread(path).SOPInstanceUID for path in files
    }
    assert len({one.peer for one in house.intake.taken}) == 1


def test_orthanc_sends_and_is_told_no(tmp_path: Path, house: Running) -> None:
    with orthanc(tmp_path / "orthanc", {"gateway": ("GATEWAY", house.port)}) as peer:
        files = [DATA / "test_files" / name for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "test-SR.dcm")]
        instances = [peer.upload(path.read_bytes()) for path in files]
        assert peer.call("POST", "/modalities/gateway/echo") in ({}, None)
        told = peer.store("gateway", instances, Synchronous=True)
        assert (told["InstancesCount"], told["FailedInstancesCount"]) == (4, 0)
        by_uid = {one.names.sop_instance: one for one in house.intake.taken if one.names is not None}
        for path in files:
            sent = pydicom.dcmread(path)
            kept = pydicom.dcmread(by_uid[sent.SOPInstanceUID].path)
            assert kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
            assert without_padding(kept) == without_padding(sent)
        house.intake.refuse = ObjectClash()
        with pytest.raises(httpx.HTTPStatusError) as refused:
            peer.store("gateway", instances[:1], Synchronous=True)
        assert "DIMSE status 0xC124" in refused.value.response.text


# ---- every file that pydicom ships ----

IMPLICIT = "1.2.840.10008.1.2"
SYNTAX_OPTIONS = {
    IMPLICIT: "-xi",
    EXPLICIT: "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}
"""How storescu is told to propose the syntax that a file is written in."""


def _uids(read: pydicom.FileDataset) -> tuple[str, str]:
    meta = read.file_meta
    sop_class = read.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or ""
    return str(sop_class), str(read.get("SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID") or "")


def readable_files() -> list[tuple[Path, str, str, str]]:
    """Give path, transfer syntax, SOP class and SOP instance of every file that pydicom can read."""
    found = []
    for path in sorted(DATA.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc", ".json", ".md", ".txt", ".gz", ".dump"):
            with warnings.catch_warnings(), suppress(pydicom.errors.InvalidDicomError):
                warnings.simplefilter("ignore")
                read = pydicom.dcmread(path, stop_before_pixels=True)
                found.append((path, str(read.file_meta.get("TransferSyntaxUID") or IMPLICIT), *_uids(read)))
    return found


def test_every_file_of_pydicom_is_kept_bit_by_bit_or_refused_by_name(house: Running) -> None:
    """Sent as it lies there, from behind its file meta information, under the UIDs that it has (or has not)."""
    rows, wrong = [], []
    for path, syntax, sop_class, instance in readable_files():
        data_set = path.read_bytes()[_behind_meta(path) :]
        proposed = sop_class or CT
        with Sender(house.port, {proposed: [syntax]}) as sender:
            assert sender.associate() == 2
            if not _accepted(sender):
                told = f"context rejected: {UID(proposed).name}"
            else:
                before = len(house.intake.deposits)
                sender.store(data_set, instance, sop_class)
                status = sender.status()
                filed = house.intake.deposits[before]
                told = f"{status:04X}" + (f" {type(filed.discarded).__name__}" if filed.discarded else "")
                if status == 0 and filed.data_set != data_set:
                    wrong.append(path.name)
                if status != 0 and filed.discarded is None:
                    wrong.append(path.name)
                sender.release()
        rows.append(f"{path.relative_to(DATA)!s:<64} {syntax:<24} {len(data_set):>9} {told}")
    print("\n".join(rows))  # noqa: T201 — the table is what is asked for
    taken = sum(row.endswith(" 0000") for row in rows)
    print(f"{len(rows)} files: {taken} kept bit by bit")  # noqa: T201
    assert not wrong
    assert len(rows) >= 163
    refused = [row for row in rows if not row.endswith(" 0000")]
    assert all("C122 ObjectUnreadable" in row or "context rejected: Media Storage Directory" in row for row in refused)
    assert len(refused) <= 20


def test_what_storescu_sends_of_them_is_what_storescp_gets(tmp_path: Path, house: Running) -> None:
    """DCMTK writes a data set anew when it sends it, so what its own receiver keeps is what was on the wire."""
    rows, wrong = [], []
    with storescp(tmp_path / "judge") as judge:
        for path, syntax, _, _ in readable_files():
            option = SYNTAX_OPTIONS[syntax]
            before = len(house.intake.deposits)
            for title, port in (("GATEWAY", house.port), ("JUDGE", judge.port)):
                tool("storescu", "-R", option, "-aec", title, "127.0.0.1", str(port), str(path))
            ours, theirs = house.intake.deposits[before:], judge.files()
            if not theirs and not ours:
                rows.append(f"{path.relative_to(DATA)!s:<64} not sent by storescu")
                continue
            if theirs:
                same = [one.data_set for one in ours] == [one[_behind_bytes(one) :] for one in theirs]
                told = "same as storescp has" if same else "OTHER than storescp has"
                wrong += [] if same else [path.name]
            else:
                told = "kept; not a class of storescp's"
            rows.append(f"{path.relative_to(DATA)!s:<64} {option} {told}")
    print("\n".join(rows))  # noqa: T201 — the table is what is asked for
    alike = sum("same as" in row for row in rows)
    print(f"{len(rows)} files: {alike} are the same as storescp has")  # noqa: T201
    assert not wrong
    assert alike >= 150


def _behind_meta(path: Path) -> int:
    """Give where the data set begins, whether or not group 2 tells its length."""
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, force=True)
        pydicom.filereader._read_file_meta_info(file)
        return file.tell()


def _behind_bytes(content: bytes) -> int:
    return 144 + int.from_bytes(content[140:144], "little")


def _accepted(sender: Sender) -> bool:
    """Tell whether the first context was accepted: its item is `21 00 length id 00 result`."""
    at = sender.answer.index(b"\x21\x00", 68)
    return sender.answer[at + 6] == 0


# ---- statuses ----


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (ObjectStoreAway(), 0xA700),
        (ObjectTooLarge(), 0xC120),
        (ObjectUnreadable(), 0xC122),
        (ObjectMisnamed(), 0xA900),
        (ObjectClash(), 0xC124),
    ],
)
def test_each_fault_has_its_status_and_a_comment_without_data(house: Running, fault: IntakeFault, status: int) -> None:
    house.intake.refuse = fault
    with established(house) as sender:
        sender.store(b"NGUYEN VAN AN", "1.2.3")
        told = sender.response()
        assert told.Status == status
        assert told.ErrorComment == f"LT{fault.code} {type(fault).__name__}"
        house.intake.refuse = None
        sender.store(b"", "1.2.4")
        assert sender.status() == 0
        sender.release()


def test_an_object_under_another_class_than_its_context_is_misnamed(house: Running) -> None:
    with established(house) as sender:
        sender.store(CONTENT, "1.2.3", "1.2.840.10008.5.1.4.1.1.4")
        assert sender.status() == 0xA900
    assert isinstance(house.intake.deposits[0].discarded, ObjectMisnamed)


def test_an_object_without_uids_is_unreadable(house: Running) -> None:
    with established(house) as sender:
        sender.store(CONTENT, "")
        assert sender.status() == 0xC122
    assert isinstance(house.intake.deposits[0].discarded, ObjectUnreadable)


def test_private_and_new_storage_classes_are_accepted_and_other_services_are_not(house: Running) -> None:
    wanted = {
        "1.2.840.113619.4.30": True,  # private
        "1.2.840.10008.5.1.4.1.1.999": True,  # newer than the library
        "1.2.840.10008.5.1.4.38.1": True,  # hanging protocols
        "1.2.840.10008.5.1.4.1.1.8": True,  # retired
        "1.2.840.10008.5.1.4.31": False,  # worklist
        "1.2.840.10008.5.1.4.1.2.1.1": False,  # query
        "1.2.840.10008.1.3.10": False,  # DICOMDIR
        "1.2.840.10008.3.1.2.3.3": False,  # MPPS
    }
    entity = AE("TEST")
    for uid in wanted:
        entity.add_requested_context(uid, [EXPLICIT, "1.2.840.113619.5.2"])
    association = entity.associate("127.0.0.1", house.port, ae_title="GATEWAY")
    try:
        assert {str(one.abstract_syntax) for one in association.accepted_contexts} == {
            uid for uid, accepted in wanted.items() if accepted
        }
        assert {one.transfer_syntax[0] for one in association.accepted_contexts} == {EXPLICIT}
    finally:
        association.release()


# ---- senders that break off, fall silent, or break the rules ----


@pytest.mark.parametrize("way", ["abort", "reset"])
def test_two_hundred_that_leave_in_the_middle_leave_nothing(house: Running, way: str) -> None:
    for index in range(100):
        sender = Sender(house.port)
        assert sender.associate() == 2
        sender.store(CONTENT, f"1.2.{index + 1}", upto=len(CONTENT) // 2)
        house.intake.wait(lambda index=index: len(house.intake.deposits) == index + 1)  # type: ignore[misc]
        getattr(sender, way)()
    house.intake.wait(lambda: not house.intake.open)
    wait_until(lambda: not threads_of_associations())
    assert {type(one.discarded) for one in house.intake.deposits} == {ObjectIncomplete}
    with established(house) as sender:
        sender.store(CONTENT, "1.2.3")
        assert sender.status() == 0


def test_a_sender_that_falls_silent_inside_an_object_is_given_up(tmp_path: Path) -> None:
    with (
        source(tmp_path / "kept", network_timeout=timedelta(milliseconds=300)) as house,
        established(house) as sender,
    ):
        sender.store(CONTENT, "1.2.3", upto=5000)
        house.intake.wait(lambda: bool(house.intake.deposits) and not house.intake.open)
        assert isinstance(house.intake.deposits[0].discarded, ObjectIncomplete)
        assert sender.read()[0] in (7, 0)
        wait_until(lambda: not threads_of_associations())


def test_a_sender_that_falls_silent_inside_a_pdu_is_given_up(tmp_path: Path) -> None:
    with (
        source(tmp_path / "kept", network_timeout=timedelta(milliseconds=300)) as house,
        established(house) as sender,
    ):
        sender.store(CONTENT, "1.2.3", upto=5000)
        sender.socket.sendall(b"\x04\x00\x00\x00\x40\x00half of it")
        house.intake.wait(lambda: bool(house.intake.deposits) and not house.intake.open)
        wait_until(lambda: not threads_of_associations())


def test_a_slow_disk_is_no_silence(tmp_path: Path) -> None:
    with (
        source(tmp_path / "kept", network_timeout=timedelta(milliseconds=300)) as house,
        established(house) as sender,
    ):
        house.intake.gate.clear()
        sender.store(CONTENT, "1.2.3")
        house.intake.has_commits(1)
        opened = threading.Timer(0.8, house.intake.gate.set)
        opened.start()
        assert sender.status() == 0
        sender.store(CONTENT, "1.2.4")
        assert sender.status() == 0
        opened.join()


def test_connections_that_ask_nothing_end_and_a_port_check_ends_at_once(tmp_path: Path) -> None:
    with source(tmp_path / "kept", acse_timeout=timedelta(milliseconds=300)) as house:
        with Sender(house.port) as silent:
            assert silent.read()[0] == 0
        Sender(house.port).socket.close()
        wait_until(lambda: not threads_of_associations())


def test_a_port_check_holds_no_thread(house: Running) -> None:
    began = time.monotonic()
    with Sender(house.port) as sender:
        wait_until(lambda: bool(threads_of_associations()))
        sender.socket.close()
        wait_until(lambda: not threads_of_associations())
    assert time.monotonic() - began < 10  # acse_timeout is 30 s


STORE = command_set(
    {
        0x0002: CT.encode(),
        0x0100: b"\x01\x00",
        0x0110: b"\x01\x00",
        0x0700: b"\x00\x00",
        0x0800: b"\x01\x00",
        0x1000: b"1.2.3",
    }
)
RULES: dict[str, Callable[[Sender], object]] = {
    "a PDU of 4 GB": lambda sender: sender.socket.sendall(b"\x04\x00\xff\xff\xff\xff"),
    "an unknown PDU": lambda sender: sender.socket.sendall(b"\x2a\x00\x00\x00\x00\x04abcd"),
    "a PDV without a header": lambda sender: sender.socket.sendall(b"\x04\x00\x00\x00\x00\x05\x00\x00\x00\x01\x01"),
    "a PDV that is cut off in its head": lambda sender: sender.socket.sendall(b"\x04\x00\x00\x00\x00\x03\x00\x00\x00"),
    "a PDV longer than its PDU": lambda sender: sender.socket.sendall(
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x09\x01\x03"
    ),
    "a command that is none": lambda sender: sender.values((1, b"\x03NGUYEN VAN AN")),
    "a data set before its command": lambda sender: sender.values((1, b"\x02NGUYEN VAN AN")),
    "a context that was not accepted": lambda sender: sender.store(b"x", "1.2.3", context=9),
    "a UID of 65 signs": lambda sender: sender.store(b"x", "1." + "2" * 63),
    "a second association": lambda sender: sender.associate(),
    "an object that goes on in another context": lambda sender: sender.values((1, b"\x03" + STORE), (3, b"\x02x")),
    "a command inside an object": lambda sender: sender.values(
        (1, b"\x03" + STORE), (1, b"\x00x"), (1, b"\x03" + STORE)
    ),
}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_breaks_the_rules_ends_the_association_and_shows_nothing(
    house: Running, rule: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.CRITICAL, "pynetdicom")  # as gateway/safe_log.py has it
    with established(house) as sender:
        RULES[rule](sender)
        kinds: list[int] = []
        while not kinds or kinds[-1] not in (7, 0):
            kinds.append(sender.read()[0])
        assert kinds[-1] in (7, 0)
    house.intake.wait(lambda: not house.intake.open)
    wait_until(lambda: not threads_of_associations())
    assert not house.intake.taken
    assert "NGUYEN" not in caplog.text + "".join(capsys.readouterr())
    with established(house) as sender:
        sender.store(CONTENT, "1.2.5")
        assert sender.status() == 0


def test_a_message_that_is_no_object_has_a_limit(house: Running) -> None:
    with established(house) as sender:
        with suppress(OSError):
            for _ in range(2000):
                sender.values((1, b"\x01" + b"x" * 16000))
        assert sender.read()[0] in (7, 0)
        wait_until(lambda: not threads_of_associations())


def test_objects_sent_ahead_of_their_answers_are_answered_in_order(house: Running) -> None:
    with established(house) as sender:
        for index in range(3):
            sender.store(CONTENT, f"1.2.{index + 1}")
        told = [sender.response() for _ in range(3)]
        assert [one.MessageIDBeingRespondedTo for one in told] == [1, 2, 3]
        assert [one.AffectedSOPInstanceUID for one in told] == ["1.2.1", "1.2.2", "1.2.3"]
        sender.release()


def test_command_and_data_set_in_one_pdu(house: Running) -> None:
    with established(house) as sender:
        pieces: list[tuple[int, bytes]] = []
        send, sender.values = sender.values, lambda *values: pieces.extend(values)  # type: ignore[method-assign]
        sender.store(b"abc", "1.2.3", chunk=2)
        send(*pieces)
        assert sender.status() == 0
    assert house.intake.taken[0].data_set == b"abc"


# ---- who may come, and how many ----


def test_only_the_callers_named_come_in_and_strangers_are_noted_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with source(tmp_path / "kept", callers=("CT1@127.0.0.0/8", "CT2@10.0.0.0/24", "MR 1")) as house:
        for title, answer in (("CT1", 2), ("MR 1", 2), ("CT2", 3), ("ct1", 3), ("CT1X", 3), ("CT2", 3), ("CT2", 3)):
            with Sender(house.port, calling=title) as sender:
                assert sender.associate() == answer, title
                if answer == 3:
                    assert sender.answer == b"\x00\x01\x01\x03"  # permanent, service user, calling AE title
    assert caplog.text.count("PeerNotAllowed") == 3
    assert caplog.text.count("'CT2'") == 1


def test_who_calls_another_is_told_so(house: Running) -> None:
    with Sender(house.port, called="ANY-SCP") as sender:
        assert sender.associate() == 3
        assert sender.answer == b"\x00\x01\x01\x07"
    told = tool("echoscu", "-aec", "OTHER", "127.0.0.1", str(house.port))
    assert "Called AE Title Not Recognized" in told.stderr


def test_more_associations_than_allowed_are_rejected_for_the_moment(tmp_path: Path) -> None:
    with source(tmp_path / "kept", max_associations=2) as house, ExitStack() as stack:
        seated = [stack.enter_context(established(house)) for _ in range(2)]
        with Sender(house.port) as third:
            assert third.associate() == 3
            assert third.answer == b"\x00\x02\x03\x02"  # transient, presentation provider, local limit exceeded
        seated[0].release()
        wait_until(lambda: len(threads_of_associations()) == 1)
        with established(house) as sender:
            sender.store(CONTENT, "1.2.3")
            assert sender.status() == 0


def test_silent_connections_do_not_take_the_seats(tmp_path: Path) -> None:
    with source(tmp_path / "kept", max_associations=1) as house, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(Sender(house.port))
        with established(house) as sender:
            sender.store(CONTENT, "1.2.3")
            assert sender.status() == 0


# ---- TLS ----


def test_tls_with_certificates_and_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    own, client, stranger = authority.issue("localhost"), authority.issue("ct1"), other.issue("stranger")
    files = {
        "certificate": FileName(own.certificate),
        "private_key": FileName(own.key),
        "client_ca": FileName(authority.certificate),
    }

    def wrapped(context: ssl.SSLContext) -> Any:
        return lambda raw: context.wrap_socket(raw, server_hostname="localhost")

    with source(tmp_path / "mutual", tls="mtls", **files) as house:
        with established(house, wrap=wrapped(authority.client_context(client))) as sender:
            sender.store(CONTENT, "1.2.3")
            assert sender.status() == 0
            assert house.intake.taken[0].data_set == CONTENT
        for shown in (None, stranger):
            context = authority.client_context(shown)
            assert _let_in(house.port, wrapped(context)) is False
        with Sender(house.port) as plain:
            assert plain.associate() in (0, 21)  # a TLS alert, or the end
        told = tool("echoscu", "-aec", "GATEWAY", "127.0.0.1", str(house.port))
        assert told.returncode != 0
        ours = ("+tls", client.key, client.certificate, "+cf", authority.certificate)
        told = tool("echoscu", *ours, "-aec", "GATEWAY", "localhost", str(house.port))
        assert told.returncode == 0, told.stderr
        told = tool("storescu", *ours, "-aec", "GATEWAY", "localhost", str(house.port), str(CT_FILE))
        assert told.returncode == 0, told.stderr
        wait_until(lambda: not threads_of_associations())
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in caplog.text
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
    with (
        source(tmp_path / "server", tls="tls", **files) as house,
        established(house, wrap=wrapped(authority.client_context())) as sender,
    ):
        sender.store(CONTENT, "1.2.3")
        assert sender.status() == 0


def _let_in(port: int, wrap: Any) -> bool:
    """Tell whether an association came to be; TLS 1.3 refuses a client only after it believes to be in."""
    try:
        with Sender(port, wrap=wrap) as sender:
            return sender.associate() == 2
    except OSError:
        return False


def test_a_silent_tls_client_holds_up_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    own = authority.issue("localhost")
    files = {"certificate": FileName(own.certificate), "private_key": FileName(own.key)}
    context = authority.client_context()
    with (
        source(tmp_path / "kept", tls="tls", **files) as house,
        Sender(house.port),
        established(house, wrap=lambda raw: context.wrap_socket(raw, server_hostname="localhost")) as sender,
    ):
        sender.store(CONTENT, "1.2.3")
        assert sender.status() == 0


def test_tls_files_that_do_not_serve_are_found_before_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    name = FileName(str(broken))
    settings = Settings("127.0.0.1:0", "GATEWAY", anyone=True, certificate=name, private_key=name)
    with pytest.raises(TlsFilesUnusable):
        Source.check(settings)
    with pytest.raises(TlsFilesUnusable):
        Running("dicom", settings, FilingIntake(tmp_path))


# ---- the end ----


def test_at_the_end_an_object_under_way_may_arrive_and_idle_peers_are_told(house: Running) -> None:
    with established(house) as idle, established(house) as sender:
        sender.store(CONTENT, "1.2.3", upto=100_000)
        house.intake.wait(lambda: bool(house.intake.deposits) and len(house.intake.deposits[0].chunks) > 1)
        stopping = house.stopping()
        assert idle.read()[0] == 7
        assert not stopping.done()
        for start in range(100_000, len(CONTENT), 16_000):
            last = start + 16_000 >= len(CONTENT)
            sender.values((1, bytes([2 if last else 0]) + CONTENT[start : start + 16_000]))
        assert sender.status() == 0
        assert sender.read()[0] == 7
        stopping.result(20)
    assert house.intake.taken[0].data_set == CONTENT


def test_the_answer_leaves_before_the_end_comes(house: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Messages.answer

    def late(self: Messages, command: bytes, context_id: int) -> None:
        ended.append(house.stopping())
        time.sleep(3 * TICK_S)  # long enough for the other thread to end an association on which nothing is under way
        answer(self, command, context_id)

    ended: list[Future[None]] = []
    monkeypatch.setattr(Messages, "answer", late)
    with established(house) as sender:
        sender.store(CONTENT, "1.2.3")
        assert sender.status() == 0
        assert sender.read()[0] == 7
        ended[0].result(20)


def test_who_has_not_asked_for_anything_is_not_waited_for(house: Running) -> None:
    with Sender(house.port):
        wait_until(lambda: bool(threads_of_associations()))
        house.stopping().result(5)  # grace and acse_timeout are 30 s


def test_after_the_grace_time_what_is_under_way_is_cut_off(tmp_path: Path) -> None:
    with (
        source(tmp_path / "kept", grace=timedelta(milliseconds=100)) as house,
        established(house) as sender,
    ):
        sender.store(CONTENT, "1.2.3", upto=100_000)
        house.intake.wait(lambda: bool(house.intake.deposits))
        house.stopping().result(20)
        assert isinstance(house.intake.deposits[0].discarded, ObjectIncomplete)
        assert not threads_of_associations()


def test_two_sources_in_one_process_keep_their_objects_apart(tmp_path: Path) -> None:
    with (
        source(tmp_path / "one", max_size=Size(1000)) as one,
        source(tmp_path / "two") as two,
        established(one) as first,
        established(two) as second,
    ):
        for index in range(3):
            first.store(b"one", f"1.1.{index + 1}")
            second.store(CONTENT, f"1.2.{index + 1}")
        assert [first.status() for _ in range(3)] == [0, 0, 0]
        assert [second.status() for _ in range(3)] == [0, 0, 0]
        assert {filed.data_set for filed in one.intake.taken} == {b"one"}
        assert {filed.data_set for filed in two.intake.taken} == {CONTENT}


def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    with source(tmp_path / "kept", listen="[::1]:0", callers=("ECHO@::1",)) as house:
        assert house.address.startswith("[::1]:")
        entity = AE("ECHO")
        entity.add_requested_context("1.2.840.10008.1.1")
        association = entity.associate("::1", house.port, ae_title="GATEWAY")
        assert association.send_c_echo().Status == 0
        association.release()


def test_an_idle_association_costs_nothing(house: Running) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(established(house))
        before, began = time.process_time(), time.monotonic()
        threading.Event().wait(1.0)
        share = (time.process_time() - before) / (time.monotonic() - began)
        assert share < 0.15  # pynetdicom as it comes takes more than half a core for ten
