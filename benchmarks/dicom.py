"""Objects received over C-STORE per second, one association and four, beside Orthanc, storescp and pynetdicom as it comes;
and objects sent, beside storescu.

The same sender for all: DCMTK's storescu with `TCP_NODELAY=1`, a CT of 525 KB with a fresh SOP Instance UID each time. Every
receiver is a process of its own, on the same cores as the senders. Ours and pynetdicom's write each object to a file and fsync
it before they answer; storescp and Orthanc, with `TCP_NODELAY=1` too, write and do not. Rounds go through all receivers in
turns, so that what else the machine does falls on all alike; the median of the rounds counts. What the disk alone can do stands
beside.

Sent are the same CTs on one association to one `storescp --ignore`, which throws them away, by the destination `dicom` and by
storescu in turns. Ours reads each from sealed files as a delivery does; storescu has one file in the page cache.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from benchmarks.figures import Row
from connectors.contract import (
    Answer,
    CommitmentRequest,
    ObjectAnswer,
    ObjectNames,
    Outbound,
    OwedReport,
    StepReport,
)
from connectors.destinations import dicom as dicom_out
from connectors.sources import dicom
from gateway.pictures import StudyPictures
from gateway.store.objects import Objects
from gateway.store.sealed import Keyring, new_key_line
from mappings.documents import imaging_study
from mappings.formats.faults import IntakeFault
from mappings.formats.values import Secret
from tests.dicom_peers import FAST, orthanc
from tests.servers import free_port, listens, wait_until

OBJECTS = int(os.environ.get("DICOM_OBJECTS", "100"))
ROUNDS = int(os.environ.get("DICOM_ROUNDS", "3"))
TITLE = "GATEWAY"


class SyncedIntake:
    """Writes each object to a file and fsyncs it: what durability costs, without a ledger."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    async def receive(self, raw: bytes, peer: str, fault: IntakeFault | None = None) -> Answer:
        raise NotImplementedError

    def answered(self, answer: Answer) -> None: ...

    def deposit(self, peer: str) -> SyncedDeposit:
        return SyncedDeposit(self._folder / f"{next(self._numbers)}.dcm")

    def holds(self, sop_class: str, sop_instance: str) -> bool:
        return False

    def worklist(self, query: Mapping[str, str], calling: str) -> Sequence[Mapping[str, Any]]:
        return ()

    def owe_report(self, request: CommitmentRequest) -> None: ...

    def owed_reports(self, most: int, calling: str = "") -> Sequence[OwedReport]:
        return ()

    def note_report(self, report: OwedReport, missing: int, fault: IntakeFault | None) -> None: ...

    def note_step(self, report: StepReport) -> None: ...


class SyncedDeposit:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)

    def write(self, chunk: bytes | memoryview) -> None:
        self._file.write(chunk)

    def commit(self, names: ObjectNames) -> ObjectAnswer:
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.unlink()  # that the disk does not fill; the fsync is paid for
        return ObjectAnswer(True, "1")

    def discard(self, fault: IntakeFault) -> None:
        self._file.close()
        self._path.unlink()


def serve_ours(folder: str, ready: Connection) -> None:
    settings = dicom.Settings(listen="127.0.0.1:0", ae_title=TITLE, anyone=True, tls="none")

    def told(address: str) -> None:
        ready.send(int(address.rpartition(":")[2]))

    uvloop.run(dicom.Source(settings).run(SyncedIntake(Path(folder)), told))


def serve_bare(folder: str, ready: Connection) -> None:
    """pynetdicom as its documentation shows a storage provider, with an fsync."""
    numbers = count()

    def store(event: Event) -> int:
        path = Path(folder) / f"{next(numbers)}.dcm"
        with path.open("wb") as file:
            file.write(event.encoded_dataset())
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        return 0x0000

    entity = AE(TITLE)
    entity.supported_contexts = AllStoragePresentationContexts
    entity.maximum_pdu_size = 128 * 1024
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    ready.send(server.server_address[1])
    threading.Event().wait()


@contextmanager
def process(target: Callable[[str, Connection], None], folder: Path) -> Iterator[int]:
    folder.mkdir()
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    made = spawn.Process(target=target, args=(str(folder), there), daemon=True)
    made.start()
    try:
        yield here.recv()
    finally:
        made.kill()
        made.join()


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    folder.mkdir()
    port = free_port()
    command = ["storescp", "--fork", "--aetitle", TITLE, "+B", "-pdu", "131072", "-od", str(folder), str(port)]
    made = subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield port
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait(10)


@contextmanager
def orthanc_port(folder: Path) -> Iterator[int]:
    with orthanc(folder, {}, title=TITLE, MaximumPduLength=131072, DicomAlwaysAllowStore=True) as peer:
        yield peer.dicom_port


OURS, ORTHANC = "ours, fsync", "Orthanc 1.10.1, no fsync"
RECEIVERS: dict[str, Any] = {
    OURS: lambda folder: process(serve_ours, folder),
    ORTHANC: orthanc_port,
    "storescp 3.6.7, no fsync": storescp,
    "pynetdicom 3.0.4 as it comes, fsync": lambda folder: process(serve_bare, folder),
}


def ct(path: Path) -> None:
    """Write a CT of 525 KB."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.PatientID, image.PatientName, image.Modality = "BENCH", "Bench^Mark", "CT"
    image.Rows = image.Columns = 512
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelData = os.urandom(512 * 512 * 2)
    image.save_as(path, enforce_file_format=True)


def rate(port: int, file: Path, associations: int) -> float:
    """Send on so many associations at once; give objects per second over all."""
    each = OBJECTS // associations
    command = ["storescu", "-aec", TITLE, "--repeat", str(each), "+II", "127.0.0.1", str(port), str(file)]
    began = time.perf_counter()
    senders = [
        subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(associations)
    ]
    codes = [sender.wait(300) for sender in senders]
    spent = time.perf_counter() - began
    assert codes == [0] * associations, codes
    return each * associations / spent


@contextmanager
def ignoring() -> Iterator[int]:
    """Run a storescp that throws away what it takes."""
    port = free_port()
    command = ["storescp", "--ignore", "-pdu", "131072", str(port)]
    made = subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield port
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait(10)


def sealed_study(folder: Path, content: bytes) -> StudyPictures:
    """Keep so many objects as the gateway keeps them, and list them."""
    keyring = Keyring.parse(Secret(new_key_line("k1")))
    store = Objects(folder, keyring, "bench")
    listed = []
    for number in range(OBJECTS):
        writing = store.begin()
        writing.add(content)
        writing.end()
        store.keep(writing.id)
        own = (writing.id, "1.2.1", f"1.2.1.{number}", CTImageStorage, ExplicitVRLittleEndian, len(content), writing.sha256)
        listed.append(imaging_study.Object(*map(_plain, own)))
    return StudyPictures(imaging_study.write(imaging_study.Manifest("1.2", "Patient/1", listed)), store)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def rate_out(port: int, pictures: StudyPictures) -> float:
    """Deliver a study; give objects per second."""
    settings = dicom_out.Settings(f"127.0.0.1:{port}", TITLE, "BENCH", tls="none")
    document = Outbound("", imaging_study.PAPER, b"", "", "", datetime.now(UTC), "01999", pictures=pictures)

    async def run() -> float:
        destination = dicom_out.Destination("bench", settings, lambda data: b"")
        began = time.perf_counter()
        await destination.deliver(document)
        spent = time.perf_counter() - began
        await destination.close()
        return OBJECTS / spent

    return uvloop.run(run())


def measure_out(folder: Path, file: Path) -> list[Row]:
    ours, theirs = [], []
    pictures = sealed_study(folder, file.read_bytes())
    with ignoring() as port:
        for _ in range(ROUNDS):
            ours.append(rate_out(port, pictures))
            theirs.append(rate(port, file, 1))
    sent, peer = statistics.median(ours), statistics.median(theirs)
    return [
        Row("sent by ours, 1 association", sent, "objects/s", "storescu 3.6.7", sent / peer),
        Row("sent by storescu, 1 association", peer, "objects/s", "storescu 3.6.7", 1.0),
    ]


def disk(folder: Path, content: bytes) -> float:
    """Give how often a second so many bytes can be written to a file of their own and fsynced, one after another."""
    began = time.perf_counter()
    for number in range(OBJECTS):
        path = folder / f"disk-{number}"
        with path.open("wb", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        path.unlink()
    return OBJECTS / (time.perf_counter() - began)


def measure() -> list[Row]:
    assert shutil.which("storescu"), "DCMTK is missing; run `make servers`"
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="lienthong-dicom-") as name, ExitStack() as stack:
        folder = Path(name)
        file = folder / "ct.dcm"
        ct(file)
        ports = {
            receiver: stack.enter_context(made(folder / str(index)))
            for index, (receiver, made) in enumerate(RECEIVERS.items())
        }
        floor = []
        for _ in range(ROUNDS):
            floor.append(disk(folder, file.read_bytes()))
            for associations in (1, 4):
                for receiver, port in ports.items():
                    found.setdefault((receiver, associations), []).append(rate(port, file, associations))
        medians = {what: statistics.median(values) for what, values in found.items()}
        rows = []
        for (receiver, associations), figure in medians.items():
            beside = medians[ORTHANC, associations]
            what = f"{receiver}, {associations} association{'s' if associations > 1 else ''}"
            rows.append(Row(what, figure, "objects/s", "Orthanc", figure / beside))
        bare = statistics.median(floor)
        rows.append(Row("the disk alone, write and fsync", bare, "objects/s", "Orthanc", bare / medians[ORTHANC, 1]))
        rows.append(
            Row("ours, 1 association", medians[OURS, 1], "objects/s", "the disk alone", medians[OURS, 1] / bare)
        )
        rows += measure_out(folder / "sealed", file)
    load = os.getloadavg()[0]
    return [*rows, Row("load of the machine during this run", load, "", "its cores", load / (os.cpu_count() or 1))]
