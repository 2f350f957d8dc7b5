"""`lienthong images export`: a study of the ledger as de-identified files."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from gateway.store import actions, images
from gateway.store.objects import Objects
from mappings.dicom.faults import DocumentEncapsulated, MayBeBurnedIn
from tests.conftest import HandClock
from tests.integration.gateway.test_objects import Bench
from tests.site import cli
from tests.unit.dicom import samples
from tests.unit.dicom.samples import STUDY

SC = "1.2.840.10008.5.1.4.1.1.7"
PERSON = ("Nguyễn", "Hoa", "BN000123", "19850214", "CT002", STUDY)


def slices(study: str = STUDY) -> list[bytes]:
    return [samples.file_of(samples.picture(1, n, Rows=2, Columns=2).attributes) for n in (1, 2, 3)]


def capture() -> bytes:
    return samples.file_of(samples.picture(9, 1, SOPClassUID=SC, PixelData=None).attributes)


@pytest.fixture
def bench(tmp_path: Path, clock: HandClock) -> Iterator[Bench]:
    made = Bench(tmp_path, clock)
    made.folder = made.plan.objects_folder
    made.objects = Objects(made.folder, made.plan.keyring, "n1")
    yield made
    made.store.close()


def run(bench: Bench, out: Path, *more: str) -> Any:
    return cli("images", "export", STUDY, "--out", str(out), *more, "-c", str(bench.plan.folder))


def read(out: Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(one) for one in sorted(out.iterdir())]


def filled(bench: Bench, *objects: bytes) -> None:
    for data in objects:
        assert bench.send(data).taken


def test_a_study_leaves_without_its_person(bench: Bench, tmp_path: Path) -> None:
    filled(bench, *slices(), samples.file_of(samples.text_report().attributes))
    out = tmp_path / "out"
    done = run(bench, out, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    files = sorted(out.iterdir())
    assert (told["objects"], told["left"], told["burned_in"]) == (4, [], {"yes": 0, "no": 4, "unknown": 0})
    found = read(out)
    assert {one.StudyInstanceUID for one in found} == {told["study"]}
    assert [path.name for path in files] == [f"{one.SOPInstanceUID}.dcm" for one in found]
    assert len({one.PatientID for one in found}) == 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    everything = b"".join(path.read_bytes() for path in files) + done.stdout.encode() + done.stderr.encode()
    assert [one for one in PERSON if one.encode() in everything] == []
    (act,) = bench.store.read_now(lambda connection: actions.of_target(connection, STUDY))
    assert (act.verb, act.reason) == ("export", "deidentified")


def test_the_same_study_gives_the_same_names_and_options_are_followed(bench: Bench, tmp_path: Path) -> None:
    filled(bench, *slices())
    run(bench, tmp_path / "one")
    done = run(bench, tmp_path / "two", "--keep", "dates", "--keep", "characteristics", "-r", "nghiên cứu 12/2026")
    assert done.returncode == 0, done.stderr
    one, two = read(tmp_path / "one"), read(tmp_path / "two")
    assert [(a.SOPInstanceUID, a.PatientID) for a in one] == [(b.SOPInstanceUID, b.PatientID) for b in two]
    assert ({a.PatientSex for a in one}, {b.PatientSex for b in two}) == ({""}, {"F"})
    assert {bool(b.StudyDate) for b in two} == {True}
    assert "20261103" not in {b.StudyDate for b in two}
    *_, act = bench.store.read_now(lambda connection: actions.of_target(connection, STUDY))
    assert act.reason == "deidentified; characteristics; dates; nghiên cứu 12/2026"


def test_what_may_name_the_person_in_its_pixels_stays_and_is_told(bench: Bench, tmp_path: Path) -> None:
    pictured = pydicom.dcmread(pydicom.filebase.DicomBytesIO(capture()))
    pictured.PixelData, pictured.BitsAllocated = b"\0" * 4, 8
    pictured["PixelData"].VR = "OB"
    buffer = pydicom.filebase.DicomBytesIO()
    pictured.save_as(buffer)
    filled(bench, slices()[0], buffer.getvalue(), samples.file_of(samples.pdf().attributes))
    out = tmp_path / "out"
    done = run(bench, out)
    assert done.returncode == 1
    assert len(read(out)) == 1
    assert f"LT{MayBeBurnedIn.code}" in done.stderr
    assert f"LT{DocumentEncapsulated.code}" in done.stderr
    ids = [row.id for row in bench.store.read_now(lambda c: images.of_study(c, STUDY))]
    assert [one in done.stderr.replace("\n", "") for one in ids] == [False, True, True]

    assert run(bench, tmp_path / "refused", "--with-burned-in").returncode == 1
    assert not (tmp_path / "refused").exists()
    again = run(bench, tmp_path / "all", "--with-burned-in", "-r", "đã xem từng ảnh", "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, told["objects"], told["burned_in"]["unknown"]) == (1, 2, 1)
    assert [one["fault"]["code"] for one in told["left"]] == [f"LT{DocumentEncapsulated.code}"]
    *_, act = bench.store.read_now(lambda connection: actions.of_target(connection, STUDY))
    assert act.reason == "deidentified; with burned in; đã xem từng ảnh"


def test_a_study_given_to_another_person_has_that_persons_pseudonym(bench: Bench, tmp_path: Path) -> None:
    filled(bench, *slices())
    run(bench, tmp_path / "before")
    bench.store.write_now(
        lambda c: images.assign(c, STUDY, bench.plan.keyring.seal(b"BN-RIGHT", f"assigned/{STUDY}"), 1)
    )
    run(bench, tmp_path / "after")
    before, after = read(tmp_path / "before"), read(tmp_path / "after")
    assert before[0].PatientID != after[0].PatientID
    assert before[0].StudyInstanceUID == after[0].StudyInstanceUID


def test_nothing_is_written_over_and_an_unknown_study_is_told(bench: Bench, tmp_path: Path) -> None:
    filled(bench, slices()[0])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").write_text("mine")
    assert run(bench, tmp_path / "full").returncode == 2
    assert run(bench, tmp_path / "no" / "where").returncode == 2
    assert [one.name for one in (tmp_path / "full").iterdir()] == ["other.txt"]
    unknown = cli("images", "export", "1.2.3", "--out", str(tmp_path / "out"), "-c", str(bench.plan.folder))
    assert unknown.returncode == 1
    assert not (tmp_path / "out").exists()
    assert bench.store.read_now(lambda connection: actions.of_target(connection, "1.2.3")) == []
