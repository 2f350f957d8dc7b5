"""A study of CTs sent by the destination `dicom`, beside storescu: objects per second on one association.

Both send the same CTs to one `storescp --ignore`, which throws them away, in turns; the median of the rounds counts. Ours reads
each from sealed files as a delivery does; storescu has one file in the page cache.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.dicom import OBJECTS, ROUNDS, TITLE, Ports, c_store, ct
from benchmarks.figures import Row
from connectors.contract import Outbound
from connectors.destinations import dicom as dicom_out
from gateway.pictures import StudyPictures
from gateway.store.objects import Objects
from gateway.store.sealed import Keyring, new_key_line
from mappings.documents import imaging_study
from mappings.formats.values import Secret
from tests.dicom_peers import FAST
from tests.servers import free_port, listens, wait_until


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        file = Path(name) / "ct.dcm"
        ct(file)
        return measure_out(Path(name) / "sealed", file)


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
        own = (
            writing.id,
            "1.2.1",
            f"1.2.1.{number}",
            CTImageStorage,
            ExplicitVRLittleEndian,
            len(content),
            writing.sha256,
        )
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
            theirs.append(c_store(Ports(port), file, 1))
    sent, peer = statistics.median(ours), statistics.median(theirs)
    return [
        Row("sent by ours, 1 association", sent, "objects/s", "storescu 3.6.7", sent / peer),
        Row("sent by storescu, 1 association", peer, "objects/s", "storescu 3.6.7", 1.0),
    ]
