"""The pictures of a day keep what they promise: same day same bytes, right objects, and the words of their order."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from conformance.sandbox.pacs import part10
from conformance.scenarios.event import Day, Event
from conformance.scenarios.hospital_day import hospital_day
from conformance.scenarios.imaging_case import cases
from conformance.scenarios.people import FACILITY
from conformance.scenarios.pictures import Study, pictures
from conformance.scenarios.tables import table
from tests.servers import need

EVERY = 100


@cache
def a_day() -> Day:
    return hospital_day()


@cache
def studies() -> tuple[Study, ...]:
    return pictures(a_day(), EVERY)


def whole(study: Study) -> list[Dataset]:
    return [*study.instances, study.late]


def a_ct() -> Study:
    return next(study for study in studies() if study.modality == "CT")


def row(event: Event, name: str) -> list[str]:
    (found,) = [line.split("|") for line in event.raw.decode().split("\r") if line.startswith(f"{name}|")]
    return found


def report_of(study: Study) -> Event:
    """The ORU^R01 with the placer number of the study's order."""
    placer = row(study.order, "ORC")[2]
    (found,) = [
        event
        for event in a_day().events
        if event.label == "ORU^R01" and event.expect == "accepted" and f"|{placer}|".encode() in event.raw
    ]
    return found


def items(dataset: Dataset) -> list[Dataset]:
    """Every content item of a report, parents first."""
    found = [dataset]
    for one in dataset.get("ContentSequence", ()):
        found += items(one)
    return found


def test_the_same_day_gives_the_same_bytes_and_another_day_other_uids() -> None:
    again = pictures(hospital_day(), EVERY)
    assert [part10(one) for study in studies() for one in whole(study)] == [
        part10(one) for study in again for one in whole(study)
    ]
    other = pictures(hospital_day(seed=7), EVERY)
    assert not uids(studies()) & uids(other)


def uids(found: tuple[Study, ...]) -> set[str]:
    return {one.SOPInstanceUID for study in found for one in whole(study)} | {study.study_uid for study in found}


def test_every_uid_is_derived_from_a_uuid_and_its_own() -> None:
    seen: Counter[str] = Counter()
    series: dict[str, set[str]] = {}
    for study in studies():
        for one in whole(study):
            assert one.StudyInstanceUID == study.study_uid
            assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
            seen[one.SOPInstanceUID] += 1
            series.setdefault(one.SeriesInstanceUID, set()).add(one.StudyInstanceUID)
        seen[study.study_uid] += 1
    assert set(seen.values()) == {1}
    assert all(len(owners) == 1 for owners in series.values())
    for each in [*seen, *series]:
        assert UID(each).is_valid
        assert each.startswith("2.25.")
        assert int(each.removeprefix("2.25.")) < 2**128


def test_one_of_each_modality_comes_before_a_second_and_all_in_the_order_of_the_clock() -> None:
    chosen = pictures(a_day())
    assert sorted(study.modality for study in chosen) == ["CT", "DX", "US"]
    assert [study.modality for study in pictures(a_day(), 1)] == ["CT"]
    assert sorted(study.modality for study in pictures(a_day(), 4)) == ["CT", "CT", "DX", "US"]
    for found in (chosen, studies()):
        assert all(one.order.at < next_.order.at for one, next_ in pairwise(found))
    assert len(studies()) > 10


def test_a_day_without_its_reports_has_no_pictures() -> None:
    silent = replace(a_day(), events=tuple(event for event in a_day().events if event.label != "ORU^R01"))
    assert pictures(silent) == ()


def test_a_ct_has_three_localizers_twelve_slices_and_a_report_and_one_slice_more_later() -> None:
    study = a_ct()
    kinds = Counter((one.Modality, int(one.SeriesNumber)) for one in study.instances)
    assert kinds == {("CT", 1): 3, ("CT", 2): 12, ("SR", 9): 1}
    localizers, slices = study.instances[:3], [*study.instances[3:15], study.late]
    assert {one.ImageType[2] for one in localizers} == {"LOCALIZER"}
    assert [float(one.ImagePositionPatient[2]) for one in slices] == [5.0 * n for n in range(13)]
    for one in (*localizers, *slices):
        assert one.SOPClassUID == CTImageStorage
        assert (one.Rows, one.Columns, one.BitsAllocated, len(one.PixelData)) == (64, 64, 16, 64 * 64 * 2)
        assert one.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert len({one.PixelData for one in (*localizers, *slices)}) == 16
    assert study.late.SeriesInstanceUID == slices[0].SeriesInstanceUID
    assert study.late.SOPInstanceUID.encode() not in part10(study.instances[-1])


@pytest.mark.parametrize("number", range(14))
def test_patient_accession_and_procedure_are_those_of_the_order(number: int) -> None:
    study = studies()[number]
    pid, orc, obr = (row(study.order, name) for name in ("PID", "ORC", "OBR"))
    family, given, middle = [*pid[5].split("^"), "", ""][:3]
    born = pid[7] if len(pid[7]) == 8 else ""
    code, name, scheme = obr[4].split("^")
    placer = orc[2].split("^")[0]
    assert (study.patient, study.accession) == (pid[3].split("^")[0], placer)
    for one in map(reread, whole(study)):
        assert (one.PatientID, one.IssuerOfPatientID) == (study.patient, FACILITY)
        assert (one.PatientName.family_name, one.PatientName.given_name) == (family, given)
        assert one.PatientName.middle_name == middle
        assert (one.PatientBirthDate, one.PatientSex) == (born, pid[8])
        assert (one.AccessionNumber, one.StudyID, one.AdmissionID) == (placer, placer, row(study.order, "PV1")[19][:14])
        assert name.startswith(one.StudyDescription)
        assert len(name) < 50 or len(one.StudyDescription) > 40
        (procedure,) = one.ProcedureCodeSequence
        assert (procedure.CodeValue, procedure.CodingSchemeDesignator) == (code, scheme)
        assert one.ReferringPhysicianName.family_name == obr[16].split("^")[1]
        assert one.SpecificCharacterSet == "ISO_IR 192"


def reread(dataset: Dataset) -> Dataset:
    """Give an object as its reader gets it."""
    return pydicom.dcmread(pydicom.filebase.DicomBytesIO(part10(dataset)))


def test_pictures_are_taken_between_the_order_and_the_report_and_the_late_one_comes_after() -> None:
    for study in studies():
        ready = f"{study.ready_at:%H%M%S}"
        assert study.ready_at == report_of(study).at
        for one in study.instances:
            assert f"{study.order.at:%H%M%S}" < one.StudyTime <= one.ContentTime < ready
            assert one.StudyDate == one.ContentDate == f"{study.order.at:%Y%m%d}"
        assert study.late.InstanceCreationTime > ready


def test_the_report_says_what_the_hl7_report_says_and_its_reader_verified_it() -> None:
    for study in studies():
        said = report_of(study)
        told = {line.split("|")[3].split("^")[0]: line.split("|")[5] for line in lines(said, "OBX")}
        dataset = reread(study.instances[-1])
        assert (dataset.CompletionFlag, dataset.VerificationFlag) == ("COMPLETE", "VERIFIED")
        (observer,) = dataset.VerifyingObserverSequence
        licence, family, given, middle = row(said, "OBR")[32].split("&")[:4]
        assert str(observer.VerifyingObserverName).split("^")[:3] == [family, given, middle]
        assert observer.VerifyingObserverIdentificationCodeSequence[0].CodeValue == licence
        texts = {meaning(item): item.TextValue for item in items(dataset) if item.ValueType == "TEXT"}
        for concept, field in (("Finding", "MO_TA"), ("Impression", "KET_LUAN")):
            assert texts[concept].replace("\r\n", "\\.br\\") == told[field]
        (request,) = dataset.ReferencedRequestSequence
        assert (request.AccessionNumber, request.StudyInstanceUID) == (study.accession, study.study_uid)
        (system,) = request.OrderPlacerIdentifierSequence
        placer = [request.PlacerOrderNumberImagingServiceRequest, system.LocalNamespaceEntityID]
        assert placer == row(study.order, "ORC")[2].split("^")


def lines(event: Event, name: str) -> list[str]:
    return [line for line in event.raw.decode().split("\r") if line.startswith(f"{name}|")]


def meaning(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def test_the_measurement_keeps_its_digits_and_points_at_an_image_of_the_study() -> None:
    written = set()
    for study in studies():
        dataset = reread(study.instances[-1])
        (number,) = [item for item in items(dataset) if item.ValueType == "NUM"]
        (value,) = number.MeasuredValueSequence
        (unit,) = value.MeasurementUnitsCodeSequence
        assert unit.CodingSchemeDesignator == "UCUM"
        digits = value.get_item("NumericValue").value.decode().strip()
        icd = row(study.order, "OBR")[31]
        (expected,) = [each for each in table("measurements") if icd.startswith(each["icd"])]
        assert (digits, unit.CodeValue) == (expected["value"], expected["unit"])
        written.add(digits)
        (image,) = number.ContentSequence
        images = {one.SOPInstanceUID for one in study.instances[:-1]}
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID in images
        (evidence,) = dataset.CurrentRequestedProcedureEvidenceSequence
        named = {
            each.ReferencedSOPInstanceUID
            for series in evidence.ReferencedSeriesSequence
            for each in series.ReferencedSOPSequence
        }
        assert named == images
    assert any(digits.endswith("0") and "." in digits for digits in written)


def test_every_imaging_service_that_makes_pictures_has_a_measurement() -> None:
    made = {each["code"] for each in table("pictures")}
    measured = {each["icd"] for each in table("measurements")}
    assert {each["icd"] for each in table("imaging") if each["code"] in made} == measured
    assert {each["section"] for each in table("imaging") if each["code"] not in made} == {"EN", "EC"}


def test_standard_codes_mean_what_pydicom_says_they_mean() -> None:
    known = {scheme: known_codes(scheme) for scheme in ("DCM", "SCT", "LN", "UCUM")}
    seen = set()
    for study in studies():
        for one in whole(study):
            for item in every_code(one):
                if item.CodingSchemeDesignator in known:
                    seen.add((item.CodingSchemeDesignator, item.CodeValue, item.CodeMeaning))
    assert len(seen) > 15
    for scheme, value, told in seen:
        assert alike(told) in {alike(each) for each in known[scheme][value]} | {alike(value)}


UNITS = {"mm": "millimeter", "cm": "centimeter", "%": "percent"}


def known_codes(scheme: str) -> dict[str, set[str]]:
    collection: Any = getattr(codes, scheme)
    found: dict[str, set[str]] = {}
    for name in collection.dir():
        code = getattr(collection, name)
        found.setdefault(code.value, set()).add(code.meaning)
        if code.value in UNITS and scheme == "UCUM":
            found[code.value].add(UNITS[code.value])
    return found


def alike(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def every_code(dataset: Dataset) -> list[Dataset]:
    found = [dataset] if "CodeValue" in dataset else []
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found += every_code(item)
    return found


def test_an_accession_number_of_the_order_goes_before_its_placer_number() -> None:
    study = a_ct()
    obr = row(study.order, "OBR")
    changed = "|".join([*obr[:18], "ACC7", *obr[19:]])
    raw = study.order.raw.decode().replace("|".join(obr), changed).encode()
    events = tuple(replace(event, raw=raw) if event is study.order else event for event in a_day().events)
    found = {case.placer: case.accession for case in cases(replace(a_day(), events=events))}
    assert found[study.accession] == "ACC7"


@pytest.mark.parametrize("number", range(14))
def test_dciodvfy_finds_no_error(number: int, tmp_path: Path) -> None:
    need(shutil.which("dciodvfy"), "dciodvfy")
    for n, one in enumerate(whole(studies()[number])):
        assert judged(part10(one), tmp_path / f"{n}.dcm") == []


def test_dciodvfy_finds_an_error_that_is_there(tmp_path: Path) -> None:
    need(shutil.which("dciodvfy"), "dciodvfy")
    broken = reread(a_ct().late)
    del broken.FrameOfReferenceUID
    assert judged(part10(broken), tmp_path / "broken.dcm")


def judged(data: bytes, path: Path) -> list[str]:
    path.write_bytes(data)
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False).stderr.decode("utf-8", "replace")
    assert told.strip()  # it names at least the kind of object
    known = re.compile(r"Warning - Unrecognized defined term <99(HIS|CCHN)> for value 1 of attribute <Coding Scheme")
    return [line for line in told.splitlines() if line.startswith(("Error", "Warning")) and not known.match(line)]


def test_dsrdump_reads_every_report(tmp_path: Path) -> None:
    need(shutil.which("dsrdump"), "dsrdump")
    for n, study in enumerate(studies()):
        path = tmp_path / f"{n}.dcm"
        path.write_bytes(part10(study.instances[-1]))
        read = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, check=False)
        told = read.stdout.decode()
        assert read.returncode == 0
        assert "VERIFIED" in told
        assert "has concept mod CODE" in told
        assert not re.search(rb"^[EF]:", read.stderr, re.MULTILINE)
