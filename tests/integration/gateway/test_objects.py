"""Objects on their way to the disk and into the ledger: durable before the answer, once, and put aside with their bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from connectors.contract import ObjectAnswer, ObjectNames
from connectors.faults import (
    ObjectClash,
    ObjectIncomplete,
    ObjectMisnamed,
    ObjectStoreAway,
    ObjectTooLarge,
    ObjectUnreadable,
)
from gateway.configuration import load
from gateway.faults import StoreUnavailable
from gateway.object_intake import ObjectChannelIntake, ObjectDoor, recover
from gateway.settings import SourcePlan
from gateway.store import images
from gateway.store.engine import Store, open_store
from gateway.store.objects import Objects
from mappings.formats.faults import FaultClass
from mappings.hl7v2 import Context
from tests.conftest import HandClock
from tests.servers import wait_until
from tests.site import write_site

CT = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()


def changed(data: bytes, **elements: str) -> bytes:
    """Give a file with other elements."""
    dataset = pydicom.dcmread(BytesIO(data))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
        if keyword == "SOPInstanceUID":
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(value)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def names(data: bytes) -> ObjectNames:
    meta = pydicom.dcmread(BytesIO(data), stop_before_pixels=True).file_meta
    return ObjectNames(
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID, "CT1", "LIENTHONG"
    )


class Bench:
    """A channel of objects with its ledger and its folder."""

    def __init__(self, folder: Path, clock: HandClock, max_size: int = 0) -> None:
        self.folder = folder / "objects"
        self.clock = clock
        self.plan = load(write_site(folder / "site", store=f"sqlite:///{folder / 'ledger.db'}"))
        self.store: Store = open_store(self.plan.store_url)
        self.objects = Objects(self.folder, self.plan.keyring, "n1")
        (channel,) = self.plan.channels
        settings = SimpleNamespace(charset="auto", max_size=max_size, quiet=timedelta(seconds=30))
        self.channel = replace(channel, source=SourcePlan("dicom", settings))

    def play(self, scene: Callable[[ObjectChannelIntake], Any]) -> Any:
        """Do something with the door, in a thread that waits, as a source does."""
        context = Context("01999", self.plan.systems)
        intake = ObjectChannelIntake(self.channel, self.store, self.plan.keyring, self.clock, lambda: None, context)
        intake.door = ObjectDoor(self.channel, self.store, self.objects, self.plan.keyring, self.clock)
        return scene(intake)

    def send(self, data: bytes, sent_as: ObjectNames | None = None, step: int = 16_384) -> ObjectAnswer:
        def scene(intake: ObjectChannelIntake) -> ObjectAnswer:
            deposit = intake.deposit("10.0.0.5:4000")
            for n in range(0, len(data), step):
                deposit.write(data[n : n + step])
            return deposit.commit(sent_as or names(data))

        found: ObjectAnswer = self.play(scene)
        return found

    def stored(self, object_id: str) -> bytes:
        return b"".join(self.objects.read(object_id))

    def files(self) -> list[str]:
        self.objects.close()
        return sorted(str(one.relative_to(self.folder)) for one in self.folder.rglob("*") if one.is_file())

    def row(self, object_id: str) -> Any:
        return next(one for one in self.store.read_now(images.aside) if one.id == object_id)


@pytest.fixture
def bench(tmp_path: Path, clock: HandClock) -> Iterator[Bench]:
    made = Bench(tmp_path, clock)
    yield made
    made.store.close()


def test_an_object_is_kept_as_it_came_and_sealed(bench: Bench) -> None:
    answer = bench.send(CT)
    assert (answer.taken, answer.repeat, answer.fault) == (True, False, None)
    assert bench.stored(answer.instance_id) == CT
    assert bench.files() == [f"{answer.instance_id[-2:]}/{answer.instance_id}"]
    (file,) = (bench.folder / one for one in bench.files())
    assert b"CompressedSamples" in CT
    assert b"CompressedSamples" not in file.read_bytes()
    row = bench.store.read_now(lambda c: images.find(c, names(CT).sop_instance))
    assert row is not None
    assert (row.sha256, row.size, row.calling) == (hashlib.sha256(CT).hexdigest(), len(CT), "CT1")


def test_its_header_ends_where_the_pixels_begin(bench: Bench) -> None:
    bench.send(CT)
    study = pydicom.dcmread(BytesIO(CT)).StudyInstanceUID
    (kept,) = bench.store.read_now(lambda c: images.of_study(c, study))
    header = bench.plan.keyring.open(kept.body, f"header/{kept.id}")
    assert CT.startswith(header)
    assert CT[len(header) : len(header) + 4] == b"\xe0\x7f\x10\x00"


def test_the_same_object_again_is_taken_once(bench: Bench) -> None:
    first, second = bench.send(CT), bench.send(CT)
    assert (second.taken, second.repeat, second.instance_id) == (True, True, first.instance_id)
    assert len(bench.files()) == 1
    study = bench.store.read_now(lambda c: images.due(c, 1 << 60, 9))
    assert [one.instances for one in study] == [1]


def test_another_object_under_the_same_uid_goes_aside_and_neither_replaces_the_other(bench: Bench) -> None:
    other = changed(CT, PatientName="Other^Person")
    first, second = bench.send(CT), bench.send(other)
    assert not second.taken
    assert isinstance(second.fault, ObjectClash)
    assert (bench.stored(first.instance_id), bench.stored(second.instance_id)) == (CT, other)
    assert bench.row(second.instance_id).fault_code == ObjectClash.code
    assert bench.files()[1] == f"quarantine/{second.instance_id}" or bench.files()[0].startswith("quarantine/")


@pytest.mark.parametrize(
    ("data", "sent_as", "fault"),
    [
        pytest.param(b"no DICOM at all, whatever it was sent as", names(CT), ObjectUnreadable, id="rubbish"),
        pytest.param(CT[:200], names(CT), ObjectUnreadable, id="cut in the meta group"),
        pytest.param(changed(CT, StudyInstanceUID=""), names(CT), ObjectUnreadable, id="no study"),
        pytest.param(CT, replace(names(CT), sop_instance="1.2.3"), ObjectMisnamed, id="another UID inside"),
        pytest.param(CT, replace(names(CT), sop_class="1.2.3"), ObjectMisnamed, id="another class inside"),
        pytest.param(CT, replace(names(CT), study="1.2.3"), ObjectMisnamed, id="another study inside"),
    ],
)
def test_what_is_not_what_it_was_sent_as_goes_aside(
    bench: Bench, data: bytes, sent_as: ObjectNames, fault: type[Exception]
) -> None:
    answer = bench.send(data, sent_as)
    assert not answer.taken
    assert type(answer.fault) is fault
    assert bench.stored(answer.instance_id) == data
    assert bench.files() == [f"quarantine/{answer.instance_id}"]
    assert bench.store.read_now(lambda c: images.due(c, 1 << 60, 9)) == []


def test_the_answer_says_what_the_object_calls_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over HTTP nobody else does: taken, a repeat, a clash, of another study, and when the ledger is away."""
    said = names(CT)
    sent = ObjectNames("", "", "", "pacs")
    study = pydicom.dcmread(BytesIO(CT)).StudyInstanceUID
    answers = [
        bench.send(CT, replace(sent, study=study)),
        bench.send(CT, sent),
        bench.send(changed(CT, PatientName="Other^Person"), sent),
        bench.send(CT, replace(sent, study="1.2.3")),
    ]

    def away(connection: Any, batch: Any) -> Any:
        raise StoreUnavailable

    monkeypatch.setattr(images, "insert_all", away)
    answers.append(bench.send(CT, sent))
    assert [one.taken for one in answers] == [True, True, False, False, False]
    assert {(one.sop_class, one.sop_instance, one.study) for one in answers} == {
        (said.sop_class, said.sop_instance, study)
    }
    monkeypatch.undo()
    rubbish = bench.send(b"no DICOM at all", sent)
    assert (rubbish.sop_class, rubbish.sop_instance, rubbish.study) == ("", "", "")


def test_nothing_at_all_leaves_nothing(bench: Bench) -> None:
    answer = bench.send(b"", names(CT))
    assert (answer.taken, type(answer.fault)) == (False, ObjectUnreadable)
    assert bench.files() == []


def test_an_object_that_did_not_arrive_whole_goes_aside(bench: Bench) -> None:
    def scene(intake: ObjectChannelIntake) -> None:
        deposit = intake.deposit("10.0.0.5:4000")
        deposit.write(CT[:20_000])
        deposit.discard(ObjectIncomplete())
        intake.deposit("10.0.0.5:4000").discard(ObjectIncomplete())  # it left before the first byte

    bench.play(scene)
    (row,) = bench.store.read_now(images.aside)
    assert (row.fault_code, row.size) == (ObjectIncomplete.code, 20_000)
    assert bench.stored(row.id) == CT[:20_000]


def test_one_that_is_too_large_is_stopped(tmp_path: Path, clock: HandClock) -> None:
    bench = Bench(tmp_path, clock, max_size=10_000)

    def scene(intake: ObjectChannelIntake) -> None:
        deposit = intake.deposit("10.0.0.5:4000")
        deposit.write(CT[:4096])
        deposit.write(CT[4096:8192])
        with pytest.raises(ObjectTooLarge) as refused:
            deposit.write(CT[8192:12_288])
        deposit.discard(refused.value)

    bench.play(scene)
    (row,) = bench.store.read_now(images.aside)
    assert (row.fault_code, row.size) == (ObjectTooLarge.code, 8192)
    bench.store.close()


def test_a_ledger_that_is_away_says_try_again_and_nothing_is_lost_that_it_may_know(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = images.insert_all

    def after(connection: Any, batch: Any) -> Any:
        real(connection, batch)
        raise StoreUnavailable

    monkeypatch.setattr(images, "insert_all", after)
    answer = bench.send(CT)
    assert not answer.taken
    assert isinstance(answer.fault, ObjectStoreAway)
    assert answer.fault.fault_class is FaultClass.TRANSIENT
    (left,) = bench.files()
    assert left.startswith("incoming/n1/")
    monkeypatch.undo()
    # the ledger rolled it back: the next start deletes what nobody was told arrived
    recover(bench.objects, bench.store)
    assert bench.files() == []
    assert bench.send(CT).taken


def test_the_next_start_puts_away_what_the_ledger_knows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node died between the commit and the move: the object is found meanwhile, and stays when it starts again."""

    def dies(_self: Objects, _object_id: str) -> None:
        raise ObjectStoreAway

    monkeypatch.setattr(Objects, "keep", dies)
    answer = bench.send(CT)
    assert answer.taken
    assert bench.files() == [f"incoming/n1/{answer.instance_id}"]
    assert bench.stored(answer.instance_id) == CT
    monkeypatch.undo()
    recover(bench.objects, bench.store)
    assert bench.files() == [f"{answer.instance_id[-2:]}/{answer.instance_id}"]
    assert bench.stored(answer.instance_id) == CT


@pytest.mark.parametrize("left", [b"", bytes(4096), None], ids=["empty", "zeroes", "cut off"])
def test_what_a_loss_of_power_cut_off_is_taken_back_and_comes_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, left: bytes | None
) -> None:
    """The ledger entered it, the disk had not taken it yet, and nobody was told."""
    monkeypatch.setattr(Objects, "keep", lambda _self, _object_id: None)
    object_id = bench.send(CT).instance_id
    monkeypatch.undo()
    path = bench.folder / "incoming" / "n1" / object_id
    path.write_bytes(path.read_bytes()[:-1] if left is None else left)
    objects = Objects(bench.folder, bench.plan.keyring, "n1")
    recover(objects, bench.store)
    assert bench.files() == []
    assert bench.store.read_now(lambda c: images.find(c, names(CT).sop_instance)) is None
    assert bench.store.read_now(lambda c: images.studies(c)) == []
    again = bench.send(CT)
    assert (again.taken, again.repeat) == (True, False)
    (study,) = bench.store.read_now(lambda c: images.studies(c))
    assert study.instances == 1


def test_a_study_loses_only_what_was_cut_off(bench: Bench) -> None:
    kept, other = bench.send(CT), bench.send(changed(CT, SOPInstanceUID="1.2.3.4"))
    bench.store.write_waiting(lambda c: images.withdraw(c, [other.instance_id]), 9)
    (study,) = bench.store.read_now(lambda c: images.studies(c))
    assert study.instances == 1
    assert [one.id for one in bench.store.read_now(lambda c: images.of_study(c, study.uid))] == [kept.instance_id]


def test_what_the_disk_does_not_take_is_not_in_the_ledger_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", broken)
    answer = bench.send(CT)
    assert not answer.taken
    assert isinstance(answer.fault, ObjectStoreAway)
    assert bench.files() == []
    assert bench.store.read_now(lambda c: images.studies(c)) == []
    monkeypatch.undo()
    assert bench.send(CT).taken


@pytest.mark.parametrize("taken", [True, False])
def test_a_repeat_waits_for_the_disk_to_take_the_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    """Else it would be told yes for bytes that a loss of power cuts off."""
    flushing, go_on = threading.Event(), threading.Event()
    real, first = os.fdatasync, threading.Lock()

    def slow(descriptor: int) -> None:
        if first.acquire(blocking=False):
            flushing.set()
            assert go_on.wait(20)
            if not taken:
                raise OSError(errno.EIO, "broken")
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    said = names(CT)
    with ThreadPoolExecutor(3) as threads:
        sent = threads.submit(bench.send, CT)
        assert flushing.wait(20)
        wait_until(lambda: bench.store.read_now(lambda c: images.find(c, said.sop_instance)) is not None)
        again = threads.submit(bench.send, CT)
        held = threads.submit(bench.play, lambda intake: intake.holds(said.sop_class, said.sop_instance))
        assert not wait({again, held}, timeout=0.2).done
        go_on.set()
        assert [one.result(20).taken for one in (sent, again)] == [taken, taken]
        assert held.result(20) is taken
        assert again.result().repeat is taken
    assert len(bench.files()) == taken


def test_commitment_is_given_for_what_is_kept_alone(bench: Bench) -> None:
    bench.send(CT)
    said = names(CT)
    asked = [(said.sop_class, said.sop_instance), ("1.2.3", said.sop_instance), (said.sop_class, "1.2.3")]
    assert bench.play(lambda intake: [intake.holds(*one) for one in asked]) == [True, False, False]


def test_files_are_made_ahead_while_objects_come_fast_and_go_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, flushes = [1000.0], [0]
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        flushes[0] += 1
        fsync(descriptor)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(os, "fsync", counted)
    begun = [bench.objects.begin() for _ in range(70)]
    assert flushes == [7]  # 1, 2, 4, 8, 16, 32, and 32 of which 7 are taken
    left = {one.name for one in (bench.folder / "incoming" / "n1").iterdir()} - {one.id for one in begun}
    assert len(left) == 25
    assert [one.id for one in begun] == sorted(one.id for one in begun)
    now[0] += 31  # ids tell when an object came: what is left is not fresh any more
    late = bench.objects.begin()
    assert late.id not in left
    assert flushes == [8]
    for one in (*begun, late):
        one.close()
        bench.objects.forget(one.id)
    bench.objects.close()
    assert list((bench.folder / "incoming" / "n1").iterdir()) == []


def test_a_disk_that_takes_no_file_is_told_and_leaves_no_half_of_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    kept = bench.send(CT).instance_id
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ObjectStoreAway):
        bench.objects.begin()
    monkeypatch.undo()
    assert [one.name for one in bench.folder.rglob("*") if one.is_file()] == [kept]


def test_a_header_longer_than_what_is_looked_at_first_is_found_whole(bench: Bench) -> None:
    long = changed(CT, LongCodeValue="x" * 100_000)
    answer = bench.send(long)
    assert answer.taken
    (kept,) = bench.store.read_now(lambda c: images.of_study(c, pydicom.dcmread(BytesIO(CT)).StudyInstanceUID))
    header = bench.plan.keyring.open(kept.body, f"header/{kept.id}")
    assert long.startswith(header)
    assert long[len(header) : len(header) + 4] == b"\xe0\x7f\x10\x00"
