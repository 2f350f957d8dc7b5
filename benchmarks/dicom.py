"""Objects received per second over C-STORE and STOW-RS, one association and four, beside Orthanc, storescp and pynetdicom.

C-STORE: the same sender for all, DCMTK's storescu with `TCP_NODELAY=1`, a CT of 525 KB with a fresh SOP Instance UID each time.
STOW-RS: the same CTs, ten in a request, sent from sockets. Every receiver is a process of its own, on the same cores as the
senders. The whole node answers when file and ledger (SQLite) are flushed; our source alone and pynetdicom write each object to
a file and fsync it; Orthanc flushes each file (fdatasync, its `SyncStorageArea`) but not its index; storescp flushes nothing.

Rounds go through all receivers in turns, so that what else the machine does falls on all alike; the best round of each counts.
What the disk alone can do stands beside.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import BytesIO
from itertools import count, product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import uvloop
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event

from benchmarks.figures import Row
from connectors.contract import Answer, CommitmentRequest, ObjectAnswer, ObjectNames, OwedReport, StepReport
from connectors.sources import dicom, dicomweb
from mappings.formats.faults import IntakeFault
from tests.dicom_peers import FAST, orthanc
from tests.servers import free_port, listens, wait_until
from tests.site import running_node, write_site

OBJECTS = int(os.environ.get("DICOM_OBJECTS", "100"))
ROUNDS = int(os.environ.get("DICOM_ROUNDS", "3"))
TITLE = "GATEWAY"
PATH = "/dicom-web"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
IN_REQUEST = 10
"""Objects of one STOW-RS request."""
PART = b"--x\r\nContent-Type: application/dicom\r\n\r\n"
FAILURE_REASON = b"00081197"
CHANNELS = {
    "pacs": """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "GATEWAY", anyone = true, tls = "none", quiet = "1h" }
accept = ["DICOM"]
""",
    "web": """\
name = "web"
source = { kind = "dicomweb", listen = "127.0.0.1:0", tls = "none", quiet = "1h" }
accept = ["DICOM"]
""",
}


class Ports(NamedTuple):
    """Where a receiver listens."""

    dicom: int
    web: int = 0
    """0: it takes no STOW-RS."""


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
        return ObjectAnswer(True, "1", sop_class=CTImageStorage, sop_instance="1.2.3", study="1.2")

    def discard(self, fault: IntakeFault) -> None:
        self._file.close()
        self._path.unlink()


def serve_dicom(folder: str, ready: Connection) -> None:
    settings = dicom.Settings(listen="127.0.0.1:0", ae_title=TITLE, anyone=True, tls="none")
    serve(dicom.Source(settings), folder, ready)


def serve_dicomweb(folder: str, ready: Connection) -> None:
    serve(dicomweb.Source(dicomweb.Settings(listen="127.0.0.1:0", path=PATH, tls="none")), folder, ready)


def serve(source: dicom.Source | dicomweb.Source, folder: str, ready: Connection) -> None:
    uvloop.run(source.run(SyncedIntake(Path(folder)), lambda address: ready.send(int(address.rpartition(":")[2]))))


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
def storescp(folder: Path) -> Iterator[Ports]:
    folder.mkdir()
    port = free_port()
    command = ["storescp", "--fork", "--aetitle", TITLE, "+B", "-pdu", "131072", "-od", str(folder), str(port)]
    made = subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield Ports(port)
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait(10)


@contextmanager
def orthanc_ports(folder: Path) -> Iterator[Ports]:
    web = {"Enable": True, "Root": f"{PATH}/", "EnableWado": False}
    more: dict[str, object] = {"MaximumPduLength": 131072, "DicomAlwaysAllowStore": True, "DicomWeb": web}
    with orthanc(folder, {}, title=TITLE, Plugins=[PLUGIN], **more) as peer:
        yield Ports(peer.dicom_port, int(peer.url.rpartition(":")[2]))


@contextmanager
def node(folder: Path) -> Iterator[Ports]:
    """Run a node as it is installed: its ledger is SQLite."""
    site = write_site(folder, produce=())
    (site / "channels" / "his.toml").unlink()
    settings = (site / "node.toml").read_text(encoding="utf-8")
    (site / "node.toml").write_text(
        settings.replace('lease = "2s"\n', ""), encoding="utf-8"
    )  # as short as tests want it
    for name, text in CHANNELS.items():
        (site / "channels" / f"{name}.toml").write_text(text, encoding="utf-8")
    with running_node(site) as made:
        yield Ports(made.address("pacs")[1], made.address("web")[1])


@contextmanager
def sources(folder: Path) -> Iterator[Ports]:
    folder.mkdir()
    with process(serve_dicom, folder / "dicom") as port, process(serve_dicomweb, folder / "dicomweb") as web:
        yield Ports(port, web)


@contextmanager
def bare(folder: Path) -> Iterator[Ports]:
    with process(serve_bare, folder) as port:
        yield Ports(port)


NODE, OURS, ORTHANC = "whole node, file and ledger flushed", "source alone, fsync", "Orthanc 1.10.1, fdatasync"
RECEIVERS: dict[str, Callable[[Path], AbstractContextManager[Ports]]] = {
    NODE: node,
    OURS: sources,
    ORTHANC: orthanc_ports,
    "storescp 3.6.7, no flush": storescp,
    "pynetdicom 3.0.4 as it comes, fsync": bare,
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


def c_store(ports: Ports, file: Path, associations: int) -> float:
    """Send on so many associations at once; give objects per second over all."""
    each = OBJECTS // associations
    command = ["storescu", "-aec", TITLE, "--repeat", str(each), "+II", "127.0.0.1", str(ports.dicom), str(file)]
    began = time.perf_counter()
    senders = [
        subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(associations)
    ]
    codes = [sender.wait(300) for sender in senders]
    spent = time.perf_counter() - began
    assert codes == [0] * associations, codes
    return each * associations / spent


def stow(ports: Ports, file: Path, connections: int) -> float:
    """Send on so many connections at once; give objects per second over all."""
    each = max(1, OBJECTS // connections // IN_REQUEST)
    content = file.read_bytes()
    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(lambda _: post(ports.web, content, each), range(connections)))
    return each * connections * IN_REQUEST / (time.perf_counter() - began)


def post(port: int, content: bytes, requests: int) -> None:
    """Send requests with fresh objects, one after the other; each object has to be taken."""
    uid = str(pydicom.dcmread(BytesIO(content)).SOPInstanceUID).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    form = 'multipart/related; type="application/dicom"; boundary=x'
    for _ in range(requests):
        fresh = (generate_uid(prefix="2.25.").encode().ljust(len(uid), b"1")[: len(uid)] for _ in range(IN_REQUEST))
        parts = b"".join(PART + content.replace(uid, one) + b"\r\n" for one in fresh)
        sent = {"Content-Type": form, "Accept": "application/dicom+json"}
        connection.request("POST", f"{PATH}/studies", parts + b"--x--\r\n", sent)
        answer = connection.getresponse()
        told = answer.read()
        assert (answer.status, FAILURE_REASON in told) == (200, False), told[:200]
    connection.close()


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
    found: dict[tuple[str, int, str], list[float]] = {}
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
            for (protocol, send), at_once in product(PROTOCOLS.items(), (1, 4)):
                for receiver, where in ports.items():
                    if protocol == "C-STORE" or where.web:
                        found.setdefault((protocol, at_once, receiver), []).append(send(where, file, at_once))
    best = {what: max(rates) for what, rates in found.items()}
    rows = []
    for (protocol, at_once, receiver), figure in best.items():
        ratio = figure / best[protocol, at_once, ORTHANC]
        rows.append(Row(f"{protocol}, {at_once} at once: {receiver}", figure, "objects/s", "Orthanc", ratio))
    alone = max(floor)
    beside = best["C-STORE", 1, ORTHANC]
    rows.append(Row("the disk alone, write and fsync", alone, "objects/s", "Orthanc, C-STORE, 1", alone / beside))
    load = os.getloadavg()[0]
    return [*rows, Row("load of the machine during this run", load, "", "its cores", load / (os.cpu_count() or 1))]


PROTOCOLS: dict[str, Callable[[Ports, Path, int], float]] = {"C-STORE": c_store, "STOW-RS": stow}
