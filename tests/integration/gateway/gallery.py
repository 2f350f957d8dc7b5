"""A small hospital that keeps pictures and hands them out over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import UID
from sqlalchemy import select

from connectors.contract import ObjectAnswer
from gateway.api import web
from gateway.certificates.desk import Desk as Certificates
from gateway.clock import SystemClock
from gateway.image_reading import ImageReading
from gateway.object_intake import ObjectChannelIntake, ObjectDoor
from gateway.settings import SourcePlan
from gateway.signing_relay import Relay
from gateway.store import images
from gateway.store.objects import Objects
from gateway.store.schema import action
from gateway.studies import Collector
from gateway.verification import Verifier
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.integration.gateway.desk import FACILITY, Desk, Inline
from tests.integration.gateway.test_objects import names

TOKENS = {
    "viewer": "token-of-the-viewer-0001",
    "clinic": "token-of-the-clinic-0002",
    "portal": "token-of-the-portal-0003",
}
SETTINGS = """
[http]
listen = "127.0.0.1:0"
tls = "none"
dicomweb_get = {get}

[[api.client]]
name = "viewer"
token = "secret:viewer"
may = ["images"]
basis = "treatment"

[[api.client]]
name = "clinic"
token = "secret:clinic"
may = ["images", "verify"]
basis = "HIV care"
closed_lists = true

[[api.client]]
name = "portal"
token = "secret:portal"
may = ["verify"]
"""
PARTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
SEARCH = "/dicom-web/studies/_search"


def sample(name: str, **elements: Any) -> bytes:
    """Give one of the files that pydicom ships, with other elements."""
    dataset = pydicom.dcmread(Path(str(get_testdata_file(name))))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(dataset.SOPInstanceUID)
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def picture(
    number: int, study: str = "1.2.40.1", series: int = 1, file: str = "CT_small.dcm", **elements: Any
) -> bytes:
    """Give one object of a study of somebody."""
    own = {
        "PatientID": "BN1",
        "PatientName": "NGUYEN^HOA^THI",
        "PatientBirthDate": "19850214",
        "PatientSex": "F",
        "AccessionNumber": "CD1",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.{series}",
        "SeriesNumber": str(series),
        "SOPInstanceUID": f"{study}.{series}.{number}",
        "InstanceNumber": str(number),
    }
    return sample(file, **(own | elements))


class Gallery:
    """A ledger, a folder of objects, and what takes and tells studies, in the hand of a test."""

    def __init__(self, folder: Path, clock: HandClock, *, get: bool = False, url: str = "", **site: Any) -> None:
        (folder / "site" / "secrets").mkdir(parents=True)
        for name, token in TOKENS.items():
            (folder / "site" / "secrets" / name).write_text(token)
        self.clock = clock
        settings = SETTINGS.format(get=str(get).lower())
        self.desk = Desk(folder / "site", url or f"sqlite:///{folder}/ledger.db", clock, signers=settings, **site)
        self.plan, self.store = self.desk.plan, self.desk.store
        self.objects = Objects(self.plan.objects_folder, self.plan.keyring, self.plan.node.name)
        pool: Any = Inline()
        self.collector = Collector(self.plan, self.store, pool, clock, lambda: None)

    def take(self, *files: bytes) -> list[str]:
        """Take objects as a PACS sends them; give their ids."""
        (channel,) = self.plan.channels
        source = SourcePlan("dicom", SimpleNamespace(charset="auto", max_size=0, quiet=timedelta(seconds=30)))
        channel = replace(channel, source=source)
        keyring, context = self.plan.keyring, Context(FACILITY, self.plan.systems)

        def send(intake: ObjectChannelIntake, data: bytes) -> ObjectAnswer:
            deposit = intake.deposit("10.0.0.5:4000")
            deposit.write(data)
            return deposit.commit(names(data))

        async def run() -> list[str]:
            intake = ObjectChannelIntake(channel, self.store, keyring, self.clock, lambda: None, context)
            intake.door = ObjectDoor(channel, self.store, self.objects, keyring, self.clock)
            answers = [await asyncio.to_thread(send, intake, data) for data in files]
            assert all(one.taken for one in answers), answers
            return [one.instance_id for one in answers]

        return asyncio.run(run())

    def settle(self) -> None:
        """Let studies become complete, and map what was told of them."""
        self.clock.forward(60)
        asyncio.run(self.collector.collect())
        self.desk.work()

    def keep(self, *files: bytes) -> list[str]:
        """Take objects, and have them in the record."""
        ids = self.take(*files)
        self.settle()
        return ids

    def assign(self, study: str, number: str) -> None:
        """Do as `lienthong images assign`."""
        sealed = self.plan.keyring.seal(number.encode(), f"assigned/{study}")
        now = self.clock.now()
        self.store.write_now(lambda connection: images.assign(connection, study, sealed, now))

    def file(self, object_id: str) -> Path:
        return self.plan.objects_folder / object_id[-2:] / object_id

    def actions(self, verb: str) -> list[tuple[str, str, str]]:
        """Give who did that, to what, and why, in order."""
        query = select(action).where(action.c.verb == verb).order_by(action.c.id)
        return [(row.actor, row.target, row.reason) for row in self.store.read_now(lambda c: list(c.execute(query)))]

    @contextmanager
    def open(self) -> Iterator[str]:
        """Serve on a free port; give its address."""
        plan, store, clock = self.plan, self.store, SystemClock()
        verifier = Verifier(plan, store, clock)
        reading = ImageReading(plan, store, clock)
        relay, register = Relay(plan, store, clock), Certificates(plan, store, clock)
        app = web.build(plan, relay, verifier, register, clock, reading=reading)
        ready: SimpleQueue[str] = SimpleQueue()
        loop = asyncio.new_event_loop()
        serving = loop.create_task(web.run(plan, app, ready.put))

        def run() -> None:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(serving)
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

        thread = Thread(target=run)
        thread.start()
        try:
            yield f"http://{ready.get(timeout=20)}"
        finally:
            loop.call_soon_threadsafe(serving.cancel)
            thread.join(timeout=20)
            verifier.close()

    @contextmanager
    def client(self, name: str = "viewer") -> Iterator[httpx.Client]:
        """Serve, and be a program with a token."""
        with self.open() as address, program(address, name) as client:
            yield client


@contextmanager
def program(address: str, name: str = "viewer") -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKENS[name]}"}
    with httpx.Client(base_url=address, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def parts(reply: httpx.Response) -> list[tuple[str, bytes]]:
    """Take a multipart answer apart as RFC 2046 says: the type of each part, and its bytes."""
    kind = reply.headers["content-type"]
    boundary = kind.partition("boundary=")[2]
    mark = f"--{boundary}".encode()
    assert reply.content.startswith(mark + b"\r\n")
    assert reply.content.endswith(b"\r\n" + mark + b"--\r\n")
    pieces = (b"\r\n" + reply.content).split(b"\r\n" + mark)[1:-1]
    found = []
    for piece in pieces:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        said = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        assert int(said["Content-Length"]) == len(content)
        found.append((said["Content-Type"], content))
    return found
