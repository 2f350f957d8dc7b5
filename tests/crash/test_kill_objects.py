"""A node that is killed while a PACS sends on four associations keeps each object that it acknowledged, once."""

from __future__ import annotations

import hashlib
import random
import threading
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from conformance.sandbox.pacs import SUCCESS, Pacs
from gateway.configuration import load
from gateway.store import images
from gateway.store.engine import Store, open_store
from gateway.store.objects import Objects
from tests.servers import wait_until
from tests.site import NodeProcess, running_node, start_node, write_site

OBJECTS, KILLS, SENDERS = 60, 3, 4
CHANNEL = """\
name = "pacs"
source = { kind = "dicom", listen = "127.0.0.1:0", ae_title = "LIENTHONG", callers = ["PACS"], tls = "none", quiet = "1s" }
accept = ["DICOM"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = write_site(tmp_path / "site", produce=())
    (made / "channels" / "his.toml").unlink()
    (made / "channels" / "pacs.toml").write_text(CHANNEL, encoding="utf-8")
    return made


def study() -> list[Dataset]:
    raw = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    uid, found = generate_uid(), list[Dataset]()
    for number in range(OBJECTS):
        dataset = pydicom.dcmread(BytesIO(raw))
        dataset.StudyInstanceUID, dataset.InstanceNumber = uid, number + 1
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        found.append(dataset)
    return found


def test_nothing_acknowledged_is_lost_or_doubled(config: Path) -> None:
    datasets, acknowledged = study(), set[str]()
    choose = random.Random(8)
    node = start_node(config)
    for kill in range(KILLS + 1):
        left = [one for one in datasets if one.SOPInstanceUID not in acknowledged]
        told = threading.Event()
        enough = len(acknowledged) + choose.randrange(1, max(2, len(left) // 2))
        sending = [
            threading.Thread(target=send, args=(node, left[first::SENDERS], acknowledged, told, enough))
            for first in range(SENDERS)
        ]
        for one in sending:
            one.start()
        if kill < KILLS:
            assert told.wait(30)
            node.kill()
        for one in sending:
            one.join(60)
        if kill < KILLS:
            close(node)
            node = start_node(config)
    assert len(acknowledged) == OBJECTS
    try:
        judge(config, datasets)
    finally:
        node.stop()
        close(node)


def close(node: NodeProcess) -> None:
    assert node.process.stdout is not None
    node.process.stdout.close()


def send(
    node: NodeProcess, datasets: list[Dataset], acknowledged: set[str], told: threading.Event, enough: int
) -> None:
    """Send one after the other on one association each; `told` is set when so many were taken of all senders."""
    with Pacs("PACS") as pacs:
        for dataset in datasets:
            if pacs.send(node.address("pacs"), "LIENTHONG", [dataset]).statuses != {SUCCESS: 1}:
                break
            acknowledged.add(str(dataset.SOPInstanceUID))
            if len(acknowledged) >= enough:
                told.set()
    told.set()


def judge(config: Path, datasets: list[Dataset]) -> None:
    plan = load(config)
    store: Store = open_store(plan.store_url)
    uid = str(datasets[0].StudyInstanceUID)
    try:
        objects = Objects(plan.objects_folder, plan.keyring, plan.node.name)
        for dataset in datasets:
            row = store.read_now(partial(images.find, sop_instance=str(dataset.SOPInstanceUID)))
            assert row is not None
            body = b"".join(objects.read(row.id))
            assert hashlib.sha256(body).hexdigest() == row.sha256
            assert pydicom.dcmread(BytesIO(body)).PixelData == dataset.PixelData
        kept = store.read_now(lambda c: images.of_study(c, uid))
        assert len(kept) == OBJECTS

        def told() -> bool:
            found = store.read_now(lambda c: images.get_study(c, uid))
            return found is not None and found.told == OBJECTS and found.due_at is None

        wait_until(told, 30)
        files = [one for one in plan.objects_folder.rglob("*") if one.is_file()]
        assert {one.name for one in files} >= {row.id for row in kept}
    finally:
        store.close()


def test_what_a_dead_run_left_is_gone_after_the_next_start(config: Path) -> None:
    """Files that the ledger does not know were never answered."""
    plan = load(config)
    incoming = plan.objects_folder / "incoming" / plan.node.name
    incoming.mkdir(parents=True)
    (incoming / "01980000-0000-7000-8000-000000000000").write_bytes(b"half an object")
    with running_node(config):
        assert list(incoming.iterdir()) == []
