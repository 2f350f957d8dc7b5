"""The STOW-RS source over real sockets: every status, hostile bodies, slow disks, TLS, and Orthanc and curl as senders."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import uvloop
from lxml import etree
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from connectors.faults import (
    ListenFailed,
    ObjectClash,
    ObjectIncomplete,
    ObjectStoreAway,
    ObjectTooLarge,
    TlsFilesUnusable,
)
from connectors.sources.dicomweb import Settings, Source
from mappings.formats.values import FileName, Secret, Size
from tests.contract.certificates import Authority
from tests.contract.recording_objects import RecordingObjects
from tests.integration.connectors.orthanc import orthanc
from tests.integration.connectors.test_http_source import Wire, play

TOKEN = "a token of a test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BOUNDARY = "b0undary"
FORM = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
TEST_FILES = Path(str(get_testdata_file("CT_small.dcm"))).parent
CT = (TEST_FILES / "CT_small.dcm").read_bytes()
MR = (TEST_FILES / "MR_small.dcm").read_bytes()
CT_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
CT_UID = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
MR_UID = "1.3.6.1.4.1.5962.1.1.4.1.1.20040826185059.5457"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
RUBBISH = b"no DICOM at all"
HEAD = b"Content-Type: application/dicom\r\n"


def other(data: bytes, name: str = "Other^Person") -> bytes:
    """Give another object with the same UIDs."""
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.PatientName = name
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def large(size: int, uid: str = "1.2.3.4") -> bytes:
    """Give an object with so many bytes of pixels."""
    dataset = pydicom.dcmread(BytesIO(CT))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.PixelData = bytes(range(256)) * (size // 256)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def parts(*files: bytes, head: bytes = HEAD, end: bytes = b"--\r\n") -> bytes:
    mark = b"--" + BOUNDARY.encode()
    return b"".join(mark + b"\r\n" + head + b"\r\n" + one + b"\r\n" for one in files) + mark + end


def request(body: bytes, path: str = "/dicom-web/studies", method: str = "POST", **headers: str) -> bytes:
    named = {"Host": "gateway", "Content_Length": str(len(body)), "Content_Type": FORM, **BEARER, **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def told(body: bytes) -> tuple[list[str], list[tuple[str, int]], list[int]]:
    """Give what was taken, what failed with its reason, and the reasons of what has no name."""
    found = Dataset.from_json(body)
    return (
        [str(one.ReferencedSOPInstanceUID) for one in found.get("ReferencedSOPSequence", [])],
        [(str(one.ReferencedSOPInstanceUID), one.FailureReason) for one in found.get("FailedSOPSequence", [])],
        [one.FailureReason for one in found.get("OtherFailuresSequence", [])],
    )


@dataclass
class House:
    intake: RecordingObjects
    host: str
    port: int
    task: asyncio.Task[None]
    wires: list[Wire] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/dicom-web/studies"

    async def connect(self, context: ssl.SSLContext | None = None) -> Wire:
        name = "localhost" if context else None
        self.wires.append(Wire(*await asyncio.open_connection(self.host, self.port, ssl=context, server_hostname=name)))
        return self.wires[-1]

    async def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        wire = await self.connect()
        await wire.send(sent)
        return await wire.answer()

    async def until(self, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self.intake.wait_for, condition)

    async def stop(self) -> None:
        self.task.cancel()
        await self.task


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[House]:
    intake = RecordingObjects()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    given = {"listen": "127.0.0.1:0", "tls": "none", "clients": {"pacs": Secret(TOKEN)}, **settings}
    task = asyncio.create_task(Source(Settings(**given)).run(intake, listening.set_result))
    task.add_done_callback(lambda _: listening.done() or listening.cancel())
    await asyncio.wait({listening})
    if task.done():
        task.result()
    host, _, port = listening.result().rpartition(":")
    house = House(intake, host, int(port), task)
    try:
        yield house
    finally:
        intake.gate.set()
        intake.slow.set()
        if not task.done():
            await house.stop()
        for wire in house.wires:
            await wire.leave()


# ---- what is taken ----


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_every_part_is_an_object_and_is_told(factory: Any) -> None:
    async def scene() -> None:
        async with running() as house:
            head = HEAD.replace(b"dicom\r\n", b"dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n")
            async with httpx.AsyncClient(headers=BEARER) as client:
                reply = await client.post(house.url, content=parts(CT, MR, head=head), headers={"Content-Type": FORM})
            assert reply.status_code == 200
            assert reply.headers["content-type"] == "application/dicom+json"
            assert "server" not in reply.headers
            assert "access-control-allow-origin" not in reply.headers
            assert told(reply.content) == ([CT_UID, MR_UID], [], [])
            assert reply.json()["00081199"]["Value"][0]["00081150"]["Value"] == [CT_CLASS]
            ct, mr = house.intake.kept
            assert (ct.data, mr.data) == (CT, MR)
            assert (ct.names.calling, ct.names.transfer_syntax) == ("pacs", "1.2.840.10008.1.2.1")
            assert (ct.names.sop_class, ct.names.sop_instance, ct.names.study, ct.names.called) == ("", "", "", "")
            assert ct.peer.startswith("127.0.0.1:")

    play(scene, factory)


def test_the_answer_is_xml_for_those_who_accept_that() -> None:
    async def scene() -> None:
        async with running() as house:
            status, headers, body = await house.ask(request(parts(CT), Accept="application/dicom+xml"))
            assert (status, headers["content-type"]) == (200, "application/dicom+xml")
            assert [one.text for one in etree.fromstring(body).iter("{*}Value")] == [CT_CLASS, CT_UID]

    play(scene)


def test_every_file_that_pydicom_ships_comes_through_as_it_was_sent() -> None:
    def readable(path: Path) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some are odd on purpose
                found = pydicom.dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError, ValueError, EOFError):
            return False
        return "SOPInstanceUID" in found

    files = [one.read_bytes() for one in sorted(TEST_FILES.parent.rglob("*")) if one.is_file() and readable(one)]
    assert len(files) >= 60
    # some are the same picture written in several ways, under one UID: those clash, and are put aside as they came

    async def scene() -> None:
        async with running() as house:
            status, _, body = await house.ask(request(parts(*files)))
            assert status == 202
            taken, failed, unnamed = told(body)
            assert unnamed == []
            assert {reason for _, reason in failed} == {0x0111}
            kept = [one.data for one in house.intake.kept]
            aside = [data for data, _ in house.intake.aside]
            assert {type(fault) for _, fault in house.intake.aside} == {ObjectClash}
            assert {*kept, *aside} == set(files)
            assert (len(taken) + len(failed), len(failed)) == (len(files), len(aside))
            status, _, body = await house.ask(request(parts(*kept)))  # all of them again: taken, and kept once
            assert (status, len(told(body)[0]), len(house.intake.kept)) == (200, len(kept), len(kept))

    play(scene)


# ---- every status ----


@pytest.mark.parametrize(
    ("status", "sent", "outcome"),
    [
        pytest.param(200, request(parts(CT, CT)), ([CT_UID, CT_UID], [], []), id="a repeat"),
        pytest.param(200, request(parts(CT, head=b"")), ([CT_UID], [], []), id="a part without a head"),
        pytest.param(
            200,
            request(parts(CT), Content_Type='multipart/related;type=application/dicom;Boundary="b0undary"'),
            ([CT_UID], [], []),
            id="a quoted boundary",
        ),
        pytest.param(
            200, request(b"preamble\r\n" + parts(CT, end=b"-- \r\nepilogue")), ([CT_UID], [], []), id="around the parts"
        ),
        pytest.param(
            200,
            request(chunked(parts(CT, MR), 777), Content_Length="", Transfer_Encoding="chunked"),
            ([CT_UID, MR_UID], [], []),
            id="chunked",
        ),
        pytest.param(200, request(parts(CT), Content_Encoding="identity"), ([CT_UID], [], []), id="identity"),
        pytest.param(
            200, request(parts(CT), f"/dicom-web/studies/{CT_STUDY}"), ([CT_UID], [], []), id="to its own study"
        ),
        pytest.param(
            200,
            request(parts(CT, head=HEAD + b"Content-Length: %d\r\nContent-Transfer-Encoding: binary\r\n" % len(CT))),
            ([CT_UID], [], []),
            id="a part that says its length",
        ),
        pytest.param(202, request(parts(CT, other(CT))), ([CT_UID], [(CT_UID, 0x0111)], []), id="a clash"),
        pytest.param(202, request(parts(RUBBISH, CT)), ([CT_UID], [], [0xC000]), id="rubbish first"),
        pytest.param(202, request(parts(CT, b"")), ([CT_UID], [], [0xC000]), id="an empty part"),
        pytest.param(
            202,
            request(parts(MR, CT), f"/dicom-web/studies/{CT_STUDY}"),
            ([CT_UID], [(MR_UID, 0xA900)], []),
            id="one of another study",
        ),
        pytest.param(
            409, request(parts(CT), "/dicom-web/studies/1.2.3"), ([], [(CT_UID, 0xA900)], []), id="another study"
        ),
        pytest.param(409, request(parts(RUBBISH)), ([], [], [0xC000]), id="rubbish"),
        pytest.param(413, request(parts(large(200_000))), ([], [], [0xA700]), id="too large"),
        pytest.param(
            202, request(parts(CT, large(150_000), MR)), ([CT_UID, MR_UID], [], [0xA700]), id="one that is too large"
        ),
        pytest.param(202, request(parts(*[CT] * 5)), ([CT_UID] * 4, [], [0xA700]), id="too many"),
        pytest.param(202, request(parts(CT, MR, end=b"")), ([CT_UID], [], [0xC000]), id="no final boundary, second"),
        pytest.param(
            202,
            request(parts(CT)[: -len("--b0undary--\r\n")] + b"--b0undary\r\nrubbish\r\n\r\n"),
            ([CT_UID], [], [0xC000]),
            id="malformed after one",
        ),
        pytest.param(
            202,
            request(parts(CT)[:-16] + b"\r\n--b0undary\r\nContent-Type: image/png\r\n\r\nx\r\n--b0undary--"),
            ([CT_UID], [], [0xC000]),
            id="a picture beside",
        ),
    ],
)
def test_what_is_told_of_objects(status: int, sent: bytes, outcome: Any) -> None:
    async def scene() -> None:
        async with running(max_size=Size(100_000), max_parts=4) as house:
            wire = await house.connect()
            await wire.send(sent)
            found, headers, body = await wire.answer()
            assert (found, told(body)) == (status, outcome)
            assert headers["content-type"] == "application/dicom+json"
            assert {one.sop_instance for one in house.intake.kept} == set(outcome[0])
            if "connection" not in headers:
                await wire.send(request(parts(MR)))
                assert (await wire.answer())[0] == 200

    play(scene)


GZIP = b"\x1f\x8b\x08\x00" + b"\0" * 100


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        pytest.param(400, request(RUBBISH), id="no multipart"),
        pytest.param(400, request(b""), id="an empty body"),
        pytest.param(400, request(b"--b0undary--"), id="no part"),
        pytest.param(400, request(parts(CT, end=b"")), id="no final boundary"),
        pytest.param(400, request(parts(CT, head=b"X" * 20_000 + b": y\r\n")), id="a head too long"),
        pytest.param(400, request(b"x" * 70_000 + parts(CT)), id="a preamble too long"),
        pytest.param(400, request(parts(CT), Content_Type='multipart/related; type="application/dicom"'), id="unbound"),
        pytest.param(400, request(parts(CT), Content_Type=FORM.replace(BOUNDARY, "x" * 201)), id="a boundary too long"),
        pytest.param(401, request(parts(CT), Authorization=""), id="no token"),
        pytest.param(401, request(parts(CT), Authorization="Bearer another"), id="another token"),
        pytest.param(401, request(parts(CT), Authorization=f"Digest {TOKEN}"), id="another scheme"),
        pytest.param(401, request(parts(CT), Authorization="Basic no base64"), id="Basic that is none"),
        pytest.param(401, request(parts(CT), Authorization="Basic b3RoZXI6YSB0b2tlbiBvZiBhIHRlc3Q="), id="other name"),
        pytest.param(404, request(parts(CT), "/studies"), id="elsewhere"),
        pytest.param(404, request(parts(CT), "/dicom-web/studies/../../etc"), id="dots"),
        pytest.param(404, request(parts(CT), "/dicom-web/studies/1.2/series"), id="series"),
        pytest.param(404, request(parts(CT), "/dicom-web/studies/abc"), id="no UID"),
        pytest.param(405, request(b"", method="GET"), id="GET"),
        pytest.param(405, request(b"", method="OPTIONS"), id="OPTIONS"),
        pytest.param(405, request(parts(CT), method="PUT"), id="PUT"),
        pytest.param(405, request(b"", f"/dicom-web/studies/{CT_STUDY}", "DELETE"), id="DELETE"),
        pytest.param(411, request(b"", Content_Length=""), id="no length"),
        pytest.param(415, request(GZIP, Content_Encoding="gzip"), id="gzip"),
        pytest.param(
            415,
            request(parts(b"[{}]"), Content_Type=FORM.replace("application/dicom", "application/dicom+json")),
            id="metadata and bulk data",
        ),
        pytest.param(415, request(CT, Content_Type="application/dicom"), id="no parts"),
        pytest.param(415, request(parts(CT), Content_Type=FORM.replace("related", "form-data")), id="a form"),
        pytest.param(415, request(parts(CT), Content_Type=f"multipart/related; boundary={BOUNDARY}"), id="no type"),
        pytest.param(415, request(parts(CT), Content_Type=""), id="no content type"),
        pytest.param(415, request(parts(CT), Content_Type=FORM + "; boundary=x"), id="two boundaries"),
        pytest.param(
            415,
            request(
                parts(parts(CT).replace(b"b0", b"c0"), head=f"Content-Type: {FORM.replace('b0', 'c0')}\r\n".encode())
            ),
            id="nested",
        ),
        pytest.param(415, request(parts(CT, head=b"Content-Type: image/png\r\n")), id="a picture"),
        pytest.param(415, request(parts(CT, head=HEAD + b"Content-Transfer-Encoding: base64\r\n")), id="base64"),
        pytest.param(415, request(parts(GZIP, head=HEAD + b"Content-Encoding: gzip\r\n")), id="a part with gzip"),
        pytest.param(415, request(parts(CT, head=HEAD + b"Content-Length: -1\r\n")), id="a length that is none"),
    ],
)
def test_what_is_refused_in_words(status: int, sent: bytes) -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            await wire.send(sent)
            found, headers, body = await wire.answer()
            assert found == status
            words = json.loads(body)
            assert headers["content-type"] == "application/problem+json"
            assert (words["status"], words["type"]) == (status, "about:blank")
            assert " — " in words["detail"]
            assert house.intake.kept == []
            assert headers.get("allow") == ("POST" if status == 405 else None)
            assert ("www-authenticate" in headers) == (status == 401)
            assert "access-control-allow-origin" not in headers
            if "connection" not in headers:
                await wire.send(request(parts(MR)))
                assert (await wire.answer())[0] == 200

    play(scene)


def test_a_name_and_token_by_basic() -> None:
    async def scene() -> None:
        async with running() as house, httpx.AsyncClient(auth=("pacs", TOKEN)) as client:
            reply = await client.post(house.url, content=parts(CT), headers={"Content-Type": FORM})
            assert reply.status_code == 200
            assert house.intake.kept[0].names.calling == "pacs"

    play(scene)


# ---- the store is away ----


@pytest.mark.parametrize("where", ["write", "commit"])
def test_a_store_that_is_away_is_told_so_that_the_sender_tries_again(where: str) -> None:
    async def scene() -> None:
        async with running() as house:
            if where == "write":
                house.intake.write_fault = lambda size: ObjectStoreAway()
            else:
                house.intake.commit_fault = lambda data: ObjectStoreAway()
            status, headers, _ = await house.ask(request(parts(CT, MR, CT, MR)))
            assert status == 503
            assert int(headers["retry-after"]) > 0
            assert headers["content-type"] == "application/problem+json"
            assert house.intake.begun <= 3  # nothing more is tried than what comes meanwhile
            assert {type(fault) for _, fault in house.intake.aside} <= {ObjectStoreAway}
            assert house.intake.kept == []
            house.intake.write_fault = lambda size: None
            house.intake.commit_fault = lambda data: None
            assert (await house.ask(request(parts(CT, MR))))[0] == 200

    play(scene)


def test_a_store_that_goes_away_between_objects() -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.commit_fault = lambda data: ObjectStoreAway() if data == MR else None
            status, _, body = await house.ask(request(parts(CT, MR, CT)))
            taken, failed, unnamed = told(body)
            # the third may have been taken meanwhile, or have come, or not
            assert (status, set(taken), failed) == (202, {CT_UID}, [(MR_UID, 0xA700)])
            assert set(unnamed) <= {0xA700}

    play(scene)


# ---- senders that lie, stop, leave ----


def test_a_sender_that_leaves_in_the_middle() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            sent = request(parts(CT, MR))
            await wire.send(sent[: sent.index(MR) + 5000])
            await house.until(lambda: len(house.intake.kept) == 1 and sum(house.intake.chunks) > len(CT))
            wire.reset()
            await house.until(lambda: bool(house.intake.aside))
            ((data, fault),) = house.intake.aside
            assert isinstance(fault, ObjectIncomplete)
            assert data
            assert MR.startswith(data)
            assert [one.data for one in house.intake.kept] == [CT]
            assert (await house.ask(request(parts(CT, MR))))[0] == 200

    play(scene)


@pytest.mark.parametrize("half_closed", [True, False])
def test_a_sender_that_stops_in_the_middle(half_closed: bool) -> None:
    async def scene() -> None:
        async with running(frame_timeout=timedelta(milliseconds=200)) as house:
            wire = await house.connect()
            sent = request(parts(CT))
            await wire.send(sent[: sent.index(CT) + 5000])
            await house.until(lambda: bool(house.intake.chunks))
            if half_closed:
                wire.writer.write_eof()
            else:
                status, headers, _ = await wire.answer()
                assert (status, headers["connection"]) == (408, "close")
            assert await wire.at_end()
            await house.until(lambda: bool(house.intake.aside))
            assert [type(fault) for _, fault in house.intake.aside] == [ObjectIncomplete]

    play(scene)


def test_a_body_that_drips_has_an_end() -> None:
    async def scene() -> None:
        async with running(upload_timeout=timedelta(milliseconds=200)) as house:
            wire = await house.connect()
            await wire.send(request(parts(CT)[:1000], Content_Length="9000000"))
            answer = asyncio.create_task(wire.answer())
            while not answer.done():
                await wire.send(b"x")
                await asyncio.wait({answer}, timeout=0.01)
            assert answer.result()[0] == 408

    play(scene)


@pytest.mark.parametrize("by", [-7, 7])
def test_a_content_length_that_is_wrong(by: int) -> None:
    """Too short: the final boundary is missing. Too long: it is waited for, and then given up; the object is here."""

    async def scene() -> None:
        async with running(frame_timeout=timedelta(milliseconds=200)) as house:
            body = parts(CT, MR, end=b"--")
            status, _, answer = await house.ask(request(body, Content_Length=str(len(body) + by)))
            taken = [CT_UID] if by < 0 else [CT_UID, MR_UID]
            assert (status, told(answer)) == (202, (taken, [], [0xC000]))

    play(scene)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_part_that_is_not_as_long_as_it_says_is_put_aside(by: int) -> None:
    """What a sender's boundary inside the pixels would cut."""

    async def scene() -> None:
        async with running() as house:
            head = HEAD + b"Content-Length: %d\r\n" % (len(CT) + by)
            status, _, _ = await house.ask(request(parts(CT, head=head)))
            assert status == 408
            ((data, fault),) = house.intake.aside
            assert (data, type(fault)) == (CT, ObjectIncomplete)

    play(scene)


def test_an_object_without_end_is_cut() -> None:
    async def scene() -> None:
        async with running(max_size=Size(100_000)) as house:
            wire = await house.connect()
            await wire.send(request(b"", Content_Length="", Transfer_Encoding="chunked"))
            begin = b"--b0undary\r\n\r\n"
            await wire.send(b"%x\r\n%b\r\n" % (len(begin), begin))
            answer = asyncio.create_task(wire.answer())
            with pytest.raises(ConnectionError):
                await wire.send_for_ever(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await asyncio.wait({answer})
            ((data, fault),) = house.intake.aside
            assert len(data) <= 100_000
            assert isinstance(fault, ObjectTooLarge)
            if not answer.exception():
                assert answer.result()[0] == 413

    play(scene)


def test_a_sender_who_expects_to_be_told_is_refused_before_it_sends() -> None:
    async def scene() -> None:
        async with running() as house:
            for refused, expected in (({"Authorization": ""}, 401), ({"Content_Encoding": "gzip"}, 415)):
                wire = await house.connect()
                sent = request(b"", Content_Length="9000000", Expect="100-continue", **refused)
                await wire.send(sent)
                status, headers, _ = await wire.answer()
                assert (status, headers["connection"]) == (expected, "close")
                assert await wire.at_end()
            assert house.intake.begun == 0

    play(scene)


def test_a_sender_who_expects_to_be_told_is_told() -> None:
    async def scene() -> None:
        async with running() as house:
            wire = await house.connect()
            body = parts(CT)
            await wire.send(request(b"", Content_Length=str(len(body)), Expect="100-continue"))
            assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await wire.send(body)
            assert (await wire.answer())[0] == 200

    play(scene)


def test_a_body_in_single_bytes() -> None:
    async def scene() -> None:
        async with running() as house:
            small = CT[:2000]
            wire = await house.connect()
            for byte in request(parts(small)):
                await wire.send(bytes([byte]))
            status, _, body = await wire.answer()
            assert (status, told(body)[0]) == (200, [CT_UID])
            assert house.intake.kept[0].data == small

    play(scene)


# ---- slow disks, broken intakes, the end ----


def test_a_slow_disk_holds_the_sender_and_nothing_piles_up() -> None:
    data = large(60_000_000)

    async def scene() -> None:
        async with running() as house:
            house.intake.slow.clear()
            wire = await house.connect()
            sending = asyncio.create_task(wire.send(request(parts(data))))
            await house.until(lambda: bool(house.intake.chunks))
            done, _ = await asyncio.wait({sending}, timeout=0.3)
            assert not done
            assert len(house.intake.chunks) == 1
            house.intake.slow.set()
            await sending
            assert (await wire.answer())[0] == 200
            assert house.intake.kept[0].data == data
            assert max(house.intake.chunks) < 1_000_000

    play(scene)


def test_four_objects_are_committed_while_the_next_one_comes_and_no_more() -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.gate.clear()
            wire = await house.connect()
            await wire.send(request(parts(CT, MR, CT, MR, CT, large(10_000))))
            await house.until(lambda: sum(house.intake.chunks) == 3 * len(CT) + 2 * len(MR))
            answer = asyncio.create_task(wire.answer())
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
            assert house.intake.begun == 5
            house.intake.gate.set()
            status, _, body = await answer
            assert (status, told(body)[0]) == (200, [CT_UID, MR_UID, CT_UID, MR_UID, CT_UID, "1.2.3.4"])
            assert len(house.intake.kept) == 3

    play(scene)


def test_an_intake_that_breaks_in_one_object_has_the_next_one_discarded() -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.gate.clear()
            house.intake.broken = True
            wire = await house.connect()
            await wire.send(request(parts(CT, CT, CT, CT, MR)))
            await house.until(lambda: sum(house.intake.chunks) == 4 * len(CT) + len(MR))
            house.intake.gate.set()
            assert (await wire.answer())[0] == 503
            await house.until(lambda: bool(house.intake.aside))
            ((data, fault),) = house.intake.aside
            assert (data, type(fault)) == (MR, ObjectIncomplete)

    play(scene)


def test_a_slow_commit_holds_nobody_else() -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.gate.clear()
            first = await house.connect()
            await first.send(request(parts(CT)))
            await house.until(lambda: house.intake.begun == 1)
            answer = asyncio.create_task(first.answer())
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
            assert (await house.ask(request(RUBBISH)))[0] == 400
            house.intake.gate.set()
            assert (await answer)[0] == 200

    play(scene)


def test_a_broken_intake_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.broken = True
            status, headers, _ = await house.ask(request(parts(CT)))
            assert (status, headers["connection"]) == (503, "close")
            house.intake.broken = False
            assert (await house.ask(request(parts(CT))))[0] == 200

    with caplog.at_level(logging.DEBUG):
        play(scene)
    assert "RuntimeError" in caplog.text
    assert "NGUYEN" not in caplog.text


def test_stopping_answers_what_came_whole_and_ends_the_rest() -> None:
    async def scene() -> None:
        async with running() as house:
            house.intake.gate.clear()
            whole, half = await house.connect(), await house.connect()
            await whole.send(request(parts(CT)))
            sent = request(parts(MR))
            await half.send(sent[: sent.index(MR) + 3000])
            await house.until(lambda: house.intake.begun == 2 and len(house.intake.chunks) >= 2)
            house.task.cancel()
            assert await half.at_end()
            await house.until(lambda: bool(house.intake.aside))
            assert [type(fault) for _, fault in house.intake.aside] == [ObjectIncomplete]
            assert not house.task.done()
            house.intake.gate.set()
            status, headers, _ = await whole.answer()
            assert (status, headers["connection"]) == (200, "close")
            await house.task
            assert [one.data for one in house.intake.kept] == [CT]

    play(scene)


def test_stopping_does_not_wait_longer_than_the_grace_time() -> None:
    async def scene() -> None:
        async with running(grace=timedelta(milliseconds=50)) as house:
            house.intake.gate.clear()
            wire = await house.connect()
            await wire.send(request(parts(CT)))
            await house.until(lambda: house.intake.begun == 1)
            await house.stop()
            assert await wire.at_end()

    play(scene)


def test_an_address_that_is_not_ours() -> None:
    async def scene() -> None:
        with pytest.raises(ListenFailed):
            async with running(listen="192.0.2.1:8444"):
                pass

    play(scene)


def test_refusals_are_told_to_the_log_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with running() as house:
            await house.ask(request(parts(CT, other(CT, "NGUYEN^VAN AN"), RUBBISH)))
            await house.ask(request(parts(CT), Authorization="Bearer NGUYEN"))

    with caplog.at_level(logging.DEBUG):
        play(scene)
    assert "2 of 3 refused: LT2122 ObjectUnreadable; LT2124 ObjectClash at SOPInstanceUID" in caplog.text
    assert "LT2126 PeerNotAllowed (HTTP 401)" in caplog.text
    assert "NGUYEN" not in caplog.text
    assert "/dicom-web" not in caplog.text


# ---- TLS ----


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_tls_and_certificates_of_senders(factory: Any, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    own, sender, another, stranger = (
        ours.issue("localhost"),
        ours.issue("pacs"),
        ours.issue("kiosk"),
        theirs.issue("stranger"),
    )
    files: dict[str, Any] = {
        "certificate": FileName(own.certificate),
        "private_key": FileName(own.key),
        "client_ca": FileName(ours.certificate),
    }

    async def scene() -> None:
        async with running(tls="tls", **files) as house:
            wire = await house.connect(ours.client_context())
            await wire.send(request(parts(CT)))
            assert (await wire.answer())[0] == 200
            await wire.send(request(parts(CT), Authorization=""))
            assert (await wire.answer())[0] == 401
        async with running(tls="mtls", clients={}, certificates=("pacs",), **files) as house:
            wire = await house.connect(ours.client_context(sender))
            await wire.send(request(parts(CT), Authorization=""))
            assert (await wire.answer())[0] == 200
            assert house.intake.kept[0].names.calling == "pacs"
            wire = await house.connect(ours.client_context(another))
            await wire.send(request(parts(MR), Authorization=""))
            assert (await wire.answer())[0] == 403
            for context in (ours.client_context(), ours.client_context(stranger)):
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await refused(house, context)
            assert len(house.intake.kept) == 1
        with pytest.raises(TlsFilesUnusable):
            async with running(tls="tls", **{**files, "private_key": FileName(sender.key)}):
                pass

    async def refused(house: House, context: ssl.SSLContext) -> None:
        wire = await house.connect(context)
        await wire.send(request(parts(CT), Authorization=""))
        await wire.answer()

    play(scene, factory)


# ---- real senders ----


def test_curl_sends_by_length_and_in_chunks(tmp_path: Path) -> None:
    data = large(3_000_000)
    body = tmp_path / "body"
    body.write_bytes(parts(CT, data))

    async def scene() -> None:
        async with running() as house:
            for how in (["--data-binary", f"@{body}"], ["-T", "-", "-X", "POST"]):
                with body.open("rb") as stdin:
                    process = await asyncio.create_subprocess_exec(
                        *(
                            "curl",
                            "-s",
                            "-S",
                            "-w",
                            "%{http_code}",
                            "-H",
                            f"Content-Type: {FORM}",
                            "-u",
                            f"pacs:{TOKEN}",
                        ),
                        *("-H", "Expect: 100-continue", *how, house.url),
                        stdin=stdin,
                        stdout=subprocess.PIPE,
                    )
                    out, _ = await process.communicate()
                assert (process.returncode, out[-3:]) == (0, b"200")
                assert told(out[:-3]) == ([CT_UID, "1.2.3.4"], [], [])
            assert [one.data for one in house.intake.kept] == [CT, data]

    play(scene)


def test_orthanc_sends_by_stow() -> None:
    files = [CT, MR, large(2_000_000)]

    async def scene() -> None:
        async with running() as house:
            root = house.url.removesuffix("studies")
            servers = {
                "basic": {"Url": root, "Username": "pacs", "Password": TOKEN},
                "bearer": {"Url": root, "HttpHeaders": BEARER, "ChunkedTransfers": False},
                "stranger": {"Url": root},
            }
            await asyncio.to_thread(send, house, servers)

    def send(house: House, servers: dict[str, Any]) -> None:
        with orthanc(servers) as url, httpx.Client(base_url=url, timeout=30) as client:
            ids = [client.post("/instances", content=one).raise_for_status().json()["ID"] for one in files]
            stored = [client.get(f"/instances/{one}/file").content for one in ids]
            for server, status in (("basic", 200), ("bearer", 200), ("stranger", 500)):
                reply = client.post(f"/dicom-web/servers/{server}/stow", json={"Resources": ids, "Synchronous": True})
                assert (reply.status_code == 200) == (status == 200), reply.text
            assert sorted(one.data for one in house.intake.kept) == sorted(stored)
            # another object under a UID that is kept: Orthanc says that it was refused
            client.delete(f"/instances/{ids[0]}")
            changed = client.post("/instances", content=other(CT)).raise_for_status().json()["ID"]
            reply = client.post("/dicom-web/servers/basic/stow", json={"Resources": [changed], "Synchronous": True})
            assert reply.status_code != 200
            assert [type(fault) for _, fault in house.intake.aside] == [ObjectClash]

    play(scene)
