"""Objects that come over STOW-RS, down to the disk and the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file

from connectors.sources.dicomweb import Settings, Source
from gateway.object_intake import ObjectChannelIntake, ObjectDoor
from gateway.store import images
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.integration.gateway.test_objects import CT, Bench, changed

MR = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes()
FORM = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}


@pytest.fixture
def bench(tmp_path: Path, clock: HandClock) -> Iterator[Bench]:
    made = Bench(tmp_path, clock)
    yield made
    made.store.close()


def post(bench: Bench, *files: bytes, study: str = "") -> httpx.Response:
    body = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files) + b"--x--"

    async def scene() -> httpx.Response:
        context = Context("01999", bench.plan.systems)
        intake = ObjectChannelIntake(bench.channel, bench.store, bench.plan.keyring, bench.clock, lambda: None, context)
        keyring = bench.plan.keyring
        intake.door = ObjectDoor(bench.channel, bench.store, bench.objects, keyring, bench.clock)
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(Source(Settings("127.0.0.1:0", tls="none")).run(intake, listening.set_result))
        try:
            url = f"http://{await listening}/dicom-web/studies{study}"
            async with httpx.AsyncClient() as client:
                return await client.post(url, content=body, headers=FORM)
        finally:
            task.cancel()
            await task

    return asyncio.run(scene())


def test_what_is_told_to_be_taken_lies_on_the_disk_and_in_the_ledger(bench: Bench) -> None:
    clash, rubbish = changed(CT, PatientName="Other^Person"), b"no DICOM at all"
    assert post(bench, CT).status_code == 200
    reply = post(bench, CT, MR, clash, rubbish)
    assert reply.status_code == 202
    told = Dataset.from_json(reply.content)
    uids = [one.ReferencedSOPInstanceUID for one in told.ReferencedSOPSequence]
    rows = bench.store.read_now(lambda c: [images.find(c, str(uid)) for uid in uids])
    assert [bench.stored(row.id) for row in rows if row is not None] == [CT, MR]
    assert {row.transfer_syntax for row in rows if row is not None} == {"1.2.840.10008.1.2.1"}  # its own; none was sent
    assert [one.FailureReason for one in told.FailedSOPSequence] == [0x0111]
    assert [one.FailureReason for one in told.OtherFailuresSequence] == [0xC000]
    aside = bench.store.read_now(images.aside)
    assert {bench.stored(row.id) for row in aside} == {clash, rubbish}
    assert len(bench.files()) == 4
    assert post(bench, CT, MR).status_code == 200
    assert len(bench.files()) == 4


def test_an_object_sent_to_another_study_is_put_aside(bench: Bench) -> None:
    reply = post(bench, CT, study="/1.2.3")
    assert reply.status_code == 409
    (failed,) = Dataset.from_json(reply.content).FailedSOPSequence
    assert failed.FailureReason == 0xA900
    (row,) = bench.store.read_now(images.aside)
    assert bench.stored(row.id) == CT
    assert bench.store.read_now(lambda c: images.find(c, str(failed.ReferencedSOPInstanceUID))) is None
