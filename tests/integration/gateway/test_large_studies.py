"""Sizes that no hospital day reaches: one object of four gigabytes, a study of ten thousand objects."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.scenarios.event import Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.pictures import Study, pictures
from gateway.store import images
from gateway.store.objects import Objects
from tests import large_studies
from tests.integration.gateway.test_pacs_node import CHANNEL, Hospital, told
from tests.large_studies import peak, send
from tests.servers import wait_until
from tests.site import running_node, write_site
from tests.soak.flatness import MB

SIZE = 4_000 * MB
MANY = 10_000
MEMORY = 400 * MB
"""More than a node holds at rest, and a tenth of the large object."""
AT_ONCE = 1_200 * MB
"""A study is one message, with the headers of all its objects: what 10,000 of them take."""


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    config = write_site(tmp_path / "site", produce=())
    channel = CHANNEL.replace('quiet = "1s"', 'quiet = "5s"')
    (config / "channels" / "pacs.toml").write_text(channel, encoding="utf-8")
    with running_node(config) as node:
        found = Hospital(config, node)
        try:
            yield found
        finally:
            found.store.close()
    shutil.rmtree(tmp_path)


@pytest.mark.nightly
def test_one_object_of_four_gigabytes(hospital: Hospital, tmp_path: Path) -> None:
    file = tmp_path / "large.dcm"
    uid = large_studies.multi_frame(file, SIZE)
    assert send(hospital.node.address("pacs"), "LIENTHONG", file).wait(1800) == 0
    row = hospital.store.read_now(lambda c: images.find(c, uid))
    assert row is not None
    objects = Objects(hospital.plan.objects_folder, hospital.plan.keyring, hospital.plan.node.name)
    assert row.size >= SIZE - large_studies.SIDE**2 * 2
    kept, pixels = hashlib.sha256(), hashlib.sha256()
    before = b""
    for chunk in objects.read(row.id):
        if not before:
            before = chunk[: chunk.index(b"\xe0\x7f\x10\x00OW") + 12]
            chunk = chunk[len(before) :]
        kept.update(chunk)
    with file.open("rb") as sent:
        sent.seek(file.stat().st_size - SIZE // (large_studies.SIDE**2 * 2) * large_studies.SIDE**2 * 2)
        while chunk := sent.read(1 << 20):
            pixels.update(chunk)
    assert kept.digest() == pixels.digest(), "kept otherwise than sent"
    assert peak(hospital.node.process.pid) < MEMORY


@pytest.mark.nightly
def test_a_study_of_ten_thousand(hospital: Hospital, tmp_path: Path) -> None:
    whole = hospital_day(encounters=25)
    events: list[Event] = [one for one in whole.events if one.expect == "accepted"]
    study: Study = pictures(whole, 3)[0]
    told(hospital, events, study)
    uids = large_studies.slices(study, MANY, tmp_path / "study", side=16)
    assert send(hospital.node.address("pacs"), "LIENTHONG", tmp_path / "study").wait(3600) == 0
    uid = str(study.study_uid)
    wait_until(lambda: hospital.studies().get(uid, {}).get("state") in ("mapped", "error"), 300)
    found = hospital.studies()[uid]
    assert (found["state"], found["objects"], found["version"]) == ("mapped", MANY, 1)
    (imaging,) = [one for one in hospital.record(study.patient) if one["resourceType"] == "ImagingStudy"]
    assert imaging["numberOfInstances"] == MANY
    assert {one["uid"] for series in imaging["series"] for one in series["instance"]} == set(uids)
    wait_until(lambda: bool(hospital.papers()), 120)
    assert peak(hospital.node.process.pid) < AT_ONCE
