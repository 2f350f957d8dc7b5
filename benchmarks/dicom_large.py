"""Large studies: a CT of 1,000 objects from its first byte to its signed report; memory beside ten multi-frames at once.

DCMTK's storescu sends on one association, with `TCP_NODELAY=1`; its own receiver, which flushes nothing, gets the same files
from it in the same run. The study is whole when its performed procedure step ends; the structured report is its last object.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.dicom import storescp
from benchmarks.figures import Row
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.pictures import pictures
from conformance.scenarios.player import play
from connectors.sources._dicom_contexts import STEP
from gateway.configuration import load
from gateway.store import documents
from gateway.store.engine import open_store
from tests.integration.connectors.test_dicom_steps import begin, device, end
from tests.large_studies import multi_frame, peak, send, slices
from tests.servers import wait_until
from tests.site import running_node, write_site
from tests.soak.flatness import MB

OBJECTS = 1_000
AT_ONCE, SIZE = 10, 100 * MB
CHANNEL = """\
name = "pacs"
accept = ["DICOM"]
produce = ["imaging_report"]

[source]
kind = "dicom"
listen = "127.0.0.1:0"
ae_title = "LIENTHONG"
callers = ["PACS", "CT1"]
tls = "none"
worklist = true
quiet = "1h"
"""


def site(folder: Path) -> Path:
    config = write_site(folder, produce=())
    (config / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    return config


def to_report(folder: Path) -> tuple[float, float]:
    """Give the seconds from the first byte to the last answer, and to the signed report."""
    whole = hospital_day(encounters=25)
    study = pictures(whole, 3)[0]
    uids = slices(study, OBJECTS, folder / "study")
    config = site(folder / "site")
    with running_node(config) as node:
        store = open_store(load(config).store_url)
        own = [one for one in whole.events if one.expect == "accepted" and study.patient in one.patients]
        asyncio.run(play(own, {"his": node.address(), "lis": node.address()}))

        def made() -> bool:
            found = store.read_now(lambda c: documents.listing(c, papers=["imaging_report"], states=("signed",)))
            return any(one.id not in before for one in found)

        before = {one.id for one in store.read_now(lambda c: documents.listing(c, papers=["imaging_report"]))}
        with device(node.address("pacs")) as modality:
            assert modality.send_n_create(begin(str(study.study_uid)), STEP, "1.2.3.9")[0].Status == 0
            started = time.perf_counter()
            assert send(node.address("pacs"), "LIENTHONG", folder / "study").wait(600) == 0
            received = time.perf_counter() - started
            assert modality.send_n_set(end(*uids), STEP, "1.2.3.9")[0].Status == 0
        wait_until(made, 300)
        spent = time.perf_counter() - started
        store.close()
    return received, spent


def to_storescp(folder: Path) -> float:
    with storescp(folder / "peer") as peer:
        started = time.perf_counter()
        assert send(("127.0.0.1", peer.dicom), "GATEWAY", folder / "study").wait(600) == 0
        return time.perf_counter() - started


def memory(folder: Path) -> tuple[float, float]:
    """Give the megabytes of a node at rest, and at most while ten associations bring a large multi-frame each."""
    files = [folder / f"large-{number}.dcm" for number in range(AT_ONCE)]
    for file in files:
        multi_frame(file, SIZE)
    with running_node(site(folder / "memory")) as node:
        rest = peak(node.process.pid)
        senders = [send(node.address("pacs"), "LIENTHONG", file) for file in files]
        assert [sender.wait(600) for sender in senders] == [0] * AT_ONCE
        return rest / MB, peak(node.process.pid) / MB


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lienthong-dicom-", dir=Path.cwd()) as name:
        folder = Path(name)
        received, spent = to_report(folder)
        bare = to_storescp(folder)
        rest, most = memory(folder)
    return [
        Row("1,000 objects of a CT, first byte to last answer", received, "s", "storescp, no flush", received / bare),
        Row("the same, to the signed report", spent, "s", "the aim of 15 s", spent / 15),
        Row("a node after its start", rest, "MB"),
        Row("the same with ten associations of 100 MB each, at most", most, "MB", "the aim of 300 MB", most / 300),
    ]
