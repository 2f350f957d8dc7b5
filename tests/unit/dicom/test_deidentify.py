"""De-identified objects: nothing of the person is left anywhere in their bytes, and they are still what they were."""

from __future__ import annotations

import subprocess
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from mappings.dicom import faults
from mappings.dicom.confidentiality import CLASS_UIDS, CODES, Options, table
from mappings.dicom.deidentify import deidentify
from mappings.dicom.part10 import as_it_is, read_object, write_object
from mappings.dicom.pseudonyms import Pseudonyms, moved
from mappings.formats.faults import Fault
from tests.unit.dicom import samples
from tests.unit.dicom.test_header import FILES

KEY = b"0123456789abcdef"
CT = Path(str(get_testdata_file("CT_small.dcm")))
PERSONAL = frozenset(
    {
        *("PatientName", "PatientID", "PatientBirthDate", "PatientAddress", "OtherPatientIDs", "OtherPatientNames"),
        *("AccessionNumber", "InstitutionName", "InstitutionAddress", "ReferringPhysicianName", "OperatorsName"),
        *("PatientTelephoneNumbers", "PerformingPhysicianName", "StudyID", "StationName", "DeviceSerialNumber"),
    }
)
LONG_ENOUGH = 5
"""Bytes of a value below which it may stand anywhere by chance."""


def made(path: Path, **options: Any) -> tuple[Dataset, bytes]:
    """Give a file as pydicom reads it, and the de-identified one as bytes."""
    given = read_object(path.read_bytes())
    return given, write_object(deidentify(given, KEY, Options(**options)))


def whole(dataset: Dataset) -> Iterator[Any]:
    """Give every element at any depth, of the file meta too; the judge's own walk."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001 — files that are broken on purpose
            continue
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from whole(item)


def personal(dataset: Dataset) -> set[bytes]:
    """Give what must not be found again, as bytes."""
    found: set[str] = set()
    for element in [*whole(dataset), *whole(dataset.file_meta)]:
        values = [str(one) for one in (element.value if element.VM > 1 else [element.value])] if element.VM else []
        if element.VR == "UI" and element.keyword not in CLASS_UIDS | {"ImplementationClassUID"}:
            found |= {one for one in values if not one.startswith("1.2.840.10008.")}
        if element.keyword in PERSONAL:
            found |= set(values) | {part for one in values for part in one.split("^")}
    return {one.encode("latin-1", "replace") for one in found if len(one) >= LONG_ENOUGH}


def plain(data: bytes) -> bytes:
    """Give the bytes as they are read: inflated where they are deflated."""
    if DeflatedExplicitVRLittleEndian.encode() + b"\0" not in data[:1024].replace(b"1.2.840.10008.1.2.1.99 ", b""):
        return data
    head = 144 + int.from_bytes(data[140:144], "little")
    return data[:head] + zlib.decompress(data[head:], -zlib.MAX_WBITS)


@pytest.mark.parametrize(
    "options", [{}, {"dates": True, "characteristics": True, "device": True}], ids=["basic", "all options"]
)
def test_nothing_of_the_person_is_left_in_any_file_that_pydicom_ships(options: dict[str, bool], tmp_path: Path) -> None:
    told: dict[str, int] = {}
    for n, path in enumerate(FILES):
        try:
            given, data = made(path, **options)
        except Fault as fault:
            told[type(fault).__name__] = told.get(type(fault).__name__, 0) + 1
            continue
        told["made"] = told.get("made", 0) + 1
        with as_it_is():
            needles = personal(given)
            if options.get("device"):
                needles -= {
                    str(given.get(one, "")).encode() for one in ("StationName", "DeviceSerialNumber", "DeviceUID")
                }
        left = [one for one in needles if one in plain(data)]
        assert not left, f"{path.name}: {left}"
        copy = tmp_path / f"{n:03}.dcm"
        copy.write_bytes(data)
        _dcmtk_finds_none_of(needles, copy)
    assert told == {"made": 175, "UidMissing": 20}


def _dcmtk_finds_none_of(needles: set[bytes], copy: Path) -> None:
    done = subprocess.run(["dcmdump", "-q", str(copy)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"PatientIdentityRemoved") == 1
    assert [one for one in needles if one in done.stdout] == [], copy


# ---- what hides where the table does not look ----

NAME = "Nguyễn^Hoa^Thị"


def object_with(**said: Any) -> Dataset:
    """Give a small object of a made-up person."""
    dataset = read_object(samples.file_of(samples.picture(1, 1).attributes))
    with as_it_is():
        for keyword, value in said.items():
            setattr(dataset, keyword, value)
    return dataset


def redone(dataset: Dataset, **options: Any) -> Dataset:
    """De-identify, write, read again."""
    return read_object(write_object(deidentify(dataset, KEY, Options(**options))))


@pytest.mark.parametrize(
    "text",
    [
        "CT of Nguyễn Thị Hoa",
        "NGUYEN THI HOA",
        "nguyễn",
        "No BN000123.",
        "b. 14/02/1985",
        "1985-02-14",
        f"{samples.STUDY}.1",
    ],
)
def test_a_text_that_the_table_keeps_is_replaced_where_it_names_the_person(text: str) -> None:
    assert "ContentDescription" not in {row.keyword for row in table().values()}
    assert redone(object_with(ContentDescription=text)).ContentDescription == "REMOVED"


@pytest.mark.parametrize("text", ["Ngực 1 mm", "Hoang thang", "BN00012", "14"])
def test_a_text_that_names_nobody_stays(text: str) -> None:
    assert redone(object_with(ContentDescription=text)).ContentDescription == text


def test_a_code_of_everybody_keeps_its_meaning_though_the_patient_is_called_so() -> None:
    meaning, local = (samples._dataset(samples.code("103339001", one, "Long Axis")) for one in ("SCT", "99BV"))
    made = redone(object_with(PatientName="Long^Axis", AnatomicRegionSequence=[meaning, local]))
    assert [one.CodeMeaning for one in made.AnatomicRegionSequence] == ["Long Axis", "REMOVED"]


def test_what_nobody_can_look_into_does_not_leave() -> None:
    dataset = object_with()
    dataset.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", NAME)
    dataset.add_new(0x00091001, "UN", NAME.encode())
    dataset.add_new(0x00187FFE, "UN", NAME.encode())  # of the standard's group, in no dictionary
    dataset.add_new(0x00081032, "OB", NAME.encode())  # a sequence of the standard, sent as bytes
    dataset.add_new(0x00080070, "OB", NAME.encode())  # a text of the standard, sent as bytes
    for group in (0x5000, 0x6000, 0x6002):
        dataset.add_new((group, 0x3000), "OW", NAME.encode())
        dataset.add_new((group, 0x0022), "LO", NAME)
    inner = Dataset()
    inner.EncryptedContent, inner.EncryptedContentTransferSyntaxUID = NAME.encode(), "1.2.840.10008.1.2.1"
    dataset.EncryptedAttributesSequence = Sequence([inner])
    dataset.preamble = NAME.encode().ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "NGUYEN"
    data = write_object(deidentify(dataset, KEY))
    assert not [one for one in ("Nguyễn", "NGUYEN", "Hoa") if one.encode() in data]
    assert all(not tag.is_private and dictionary_has_tag(tag) for tag in read_object(data).keys())  # noqa: SIM118


def test_a_sequence_that_is_replaced_keeps_no_word_in_its_items() -> None:
    """Of a hospital or a person also a code tells which, whoever made the scheme."""
    codes = [samples._dataset(samples.code("01032", scheme, "Sông Hồng")) for scheme in ("99BV", "SCT")]
    person = Dataset()
    person.PersonIdentificationCodeSequence = Sequence(deepcopy(codes))
    found = redone(object_with(InstitutionCodeSequence=codes, OperatorIdentificationSequence=[person]))
    (operator,) = found.OperatorIdentificationSequence
    for items in (found.InstitutionCodeSequence, operator.PersonIdentificationCodeSequence):
        said = {(one.CodeValue, one.CodingSchemeDesignator, one.CodeMeaning) for one in items}
        assert said == {("REMOVED", "REMOVED", "REMOVED")}


def test_the_object_given_is_not_changed_by_writing_the_other() -> None:
    given = read_object(CT.read_bytes())
    given["PixelData"].is_undefined_length = True  # writing what is not compressed says False of it
    write_object(deidentify(given, KEY))
    assert given["PixelData"].is_undefined_length is True


def test_an_enclosed_document_is_refused() -> None:
    with pytest.raises(faults.DocumentEncapsulated):
        deidentify(read_object(samples.file_of(samples.pdf().attributes)), KEY)
    dataset = object_with()
    dataset.EncapsulatedDocument = b"%PDF"
    with pytest.raises(faults.DocumentEncapsulated):
        deidentify(dataset, KEY)


def test_sequences_in_sequences_have_an_end() -> None:
    dataset = inner = object_with()
    for _ in range(80):
        inner.ReferencedSeriesSequence = Sequence([Dataset()])
        inner = inner.ReferencedSeriesSequence[0]
    with pytest.raises(faults.NestedTooDeeply):
        deidentify(dataset, KEY)


# ---- any nesting ----

PLACES = (
    "ReferencedSeriesSequence",
    "RequestAttributesSequence",
    "SourceImageSequence",
    "ContentSequence",
    "UDISequence",
)
PLANTED = {
    "PatientName": "Planted^Person",
    "PatientID": "PLANTED-ID",
    "ReferencedSOPInstanceUID": "1.2.3.4.5.6.7.8.9",
    "FrameOfReferenceUID": "1.2.3.4.5.6.7.8.9",
    "SOPInstanceUIDOfConcatenationSource": "1.2.3.4.5.6.7.8.9",
    "StudyDate": "20261103",
    "ContentDescription": "of Planted Person",
    "TextValue": "free words of a doctor",
    "RetrieveURL": "http://pacs/1.2.3.4.5.6.7.8.9",
    "EvaluatorName": "Doctor^Who",
}
LEAVES = [b"Planted", b"PLANTED-ID", b"1.2.3.4.5.6.7.8.9", b"20261103", b"words", b"Doctor"]


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> Dataset:
    item = Dataset()
    for keyword in draw(st.sets(st.sampled_from(sorted(PLANTED)), max_size=4)):
        setattr(item, keyword, PLANTED[keyword])
    if draw(st.booleans()):
        item.private_block(0x0011, "V", create=True).add_new(1, "LO", "Planted")
    if depth:
        for keyword in draw(st.sets(st.sampled_from(PLACES), max_size=2)):
            setattr(item, keyword, Sequence(draw(st.lists(trees(depth - 1), max_size=2))))
    return item


@settings(max_examples=60)
@given(tree=trees(), device=st.booleans(), deflated=st.booleans())
def test_nothing_is_left_at_any_depth_and_every_uid_becomes_the_same_one(
    *, tree: Dataset, device: bool, deflated: bool
) -> None:
    dataset = object_with(**{keyword: PLANTED[keyword] for keyword in ("PatientName", "PatientID")})
    dataset.ReferencedSeriesSequence = Sequence([tree])
    before = deepcopy(dataset)
    if deflated:
        dataset.file_meta.TransferSyntaxUID = UID(DeflatedExplicitVRLittleEndian)
    data = plain(write_object(deidentify(dataset, KEY, Options(device=device))))
    assert [one for one in LEAVES if one in data] == []
    other = Pseudonyms(KEY).uid("1.2.3.4.5.6.7.8.9")
    kept = {str(one.value) for one in whole(read_object(data)) if one.keyword in ("FrameOfReferenceUID",)}
    assert kept <= {other}
    dataset.file_meta = before.file_meta
    assert dataset == before


# ---- what stays ----


def test_it_is_still_the_same_picture() -> None:
    given, data = made(CT)
    found = read_object(data)
    assert found.PixelData == given.PixelData
    assert found.file_meta.TransferSyntaxUID == given.file_meta.TransferSyntaxUID
    same = ("SOPClassUID", "Modality", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "KVP", "Manufacturer")
    assert [found[one] for one in same] == [given[one] for one in same]
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
    assert found.preamble == b"\0" * 128


def test_dciodvfy_has_nothing_new_to_say_about_a_ct(tmp_path: Path) -> None:
    for options in ({}, {"dates": True, "characteristics": True, "device": True}):
        path = tmp_path / "made.dcm"
        path.write_bytes(made(CT, **options)[1])
        new = _judged(path) - _judged(CT)
        assert {one for one in new if "needed to build DICOMDIR" not in one} == set()


def _judged(path: Path) -> set[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    said = set(done.stderr.decode("latin-1").splitlines())
    assert any("CTImage" in one for one in said), "it was read"
    return said


def test_the_same_key_gives_the_same_names_and_another_others() -> None:
    first, second = object_with(), object_with(SOPInstanceUID=f"{samples.STUDY}.1.2")
    one, two, other = deidentify(first, KEY), deidentify(second, KEY), deidentify(first, b"another key")
    assert (one.StudyInstanceUID, one.PatientID) == (two.StudyInstanceUID, two.PatientID)
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert {one.StudyInstanceUID, one.PatientID}.isdisjoint({other.StudyInstanceUID, other.PatientID})
    assert all(UID(str(uid)).is_valid for uid in (one.StudyInstanceUID, one.SOPInstanceUID, other.SOPInstanceUID))
    assert str(one.StudyInstanceUID).startswith("2.25.")


def test_whose_it_is_may_be_known_better_than_it_says() -> None:
    right = deidentify(object_with(PatientID="BN-RIGHT"), KEY)
    assert deidentify(object_with(), KEY, Options(subject="BN-RIGHT")).PatientID == right.PatientID


def test_an_object_without_a_number_gets_one_of_its_study() -> None:
    nobody = [deidentify(object_with(PatientID=one, StudyInstanceUID="1.2.3"), KEY).PatientID for one in ("", None)]
    assert nobody[0] == nobody[1] != deidentify(object_with(PatientID="", StudyInstanceUID="1.2.4"), KEY).PatientID


# ---- options ----


@pytest.mark.parametrize("chosen", [(), ("dates",), ("characteristics",), ("device",), tuple(CODES)])
def test_the_object_says_what_was_done_to_it(chosen: tuple[str, ...]) -> None:
    found = redone(object_with(), **dict.fromkeys(chosen, True))
    codes = [(one.CodeValue, one.CodingSchemeDesignator) for one in found.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), *((CODES[name][0], "DCM") for name in CODES if name in chosen)]
    assert (found.PatientIdentityRemoved, found.PatientName) == ("YES", "")
    assert found.LongitudinalTemporalInformationModified == ("MODIFIED" if "dates" in chosen else "REMOVED")


def test_each_option_keeps_its_attributes_alone() -> None:
    said = {"PatientAge": "041Y", "PatientSize": "1.62", "SmokingStatus": "NO", "Allergies": "penicillin"}
    plainly, full = redone(object_with(**said)), redone(object_with(**said), characteristics=True)
    assert [plainly.get(one) for one in (*said, "PatientSex")] == [None, None, None, None, ""]
    assert [str(full.get(one)) for one in (*said, "PatientSex")] == ["041Y", "1.62", "NO", "None", "F"]
    device = redone(object_with(DeviceUID="1.2.3.4"), device=True)
    assert (device.DeviceSerialNumber, device.StationName, device.DeviceUID) == ("12345", "CT1", "1.2.3.4")
    assert device.get("PatientAge") is None
    nothing = redone(object_with(DeviceUID="1.2.3.4"))
    assert (nothing.DeviceSerialNumber, nothing.StationName) == ("REMOVED", "REMOVED")
    assert nothing.DeviceUID.startswith("2.25.")


def test_dates_move_by_one_number_of_days_for_a_patient_and_a_birth_date_does_not() -> None:
    more = {"AcquisitionDateTime": "20261103140230.25+0700", "AcquisitionDate": "20261105", "PatientBirthTime": "0100"}
    found = redone(object_with(**more), dates=True)
    later = redone(object_with(StudyDate="20270301", StudyInstanceUID="1.2.9"), dates=True)
    days = Pseudonyms(KEY).days("BN000123")
    assert (date(2026, 11, 3) - date.fromisoformat(found.StudyDate)).days == days
    assert (date.fromisoformat(found.AcquisitionDate) - date.fromisoformat(found.StudyDate)).days == 2
    assert (date.fromisoformat(later.StudyDate) - date.fromisoformat(found.StudyDate)).days == 118
    assert found.AcquisitionDateTime == found.StudyDate + "140230.25+0700"
    assert (found.StudyTime, found.SeriesTime) == ("140000", "140230.250")
    assert found.PatientBirthDate == "" and "PatientBirthTime" not in found  # noqa: PT018
    assert redone(object_with()).StudyDate == ""


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("DA", "20240301", "20240229"),
        ("DA", "2024.03.01", "20240229"),
        ("DA", "", ""),
        ("DA", "20240230", None),
        ("DA", "20240101-20240201", None),
        ("DA", "hôm qua", None),
        ("DT", "20240301", "20240229"),
        ("DT", "2024030112", "2024022912"),
        ("DT", "20240301120000.5-0500", "20240229120000.5-0500"),
        ("DT", "202403", "202403"),
        ("DT", "2024", "2024"),
        ("DT", "20241301", None),
        ("TM", "140000.25", "140000.25"),
        ("TM", "14:00:00", "14:00:00"),
        ("TM", "BN000123", None),
        ("SH", "+0700", "+0700"),
        ("SH", "Hà Nội", None),
    ],
)
def test_a_date_moves_as_it_is_written_or_is_none(vr: str, text: str, expected: str | None) -> None:
    assert moved(vr, text, 1) == expected


@given(st.dates(date(1900, 1, 1)), st.dates(date(1900, 1, 1)), st.text())
def test_days_between_two_dates_stay(one: date, other: date, subject: str) -> None:
    days = Pseudonyms(KEY).days(subject)
    assert 1 <= days <= 3650
    there = [date.fromisoformat(str(moved("DA", f"{each:%Y%m%d}", days))) for each in (one, other)]
    assert there[0] - there[1] == one - other
    assert there[0] < one


def test_what_is_no_date_becomes_a_dummy_and_does_not_stay() -> None:
    found = redone(object_with(SeriesDate="Nguyen Hoa", StudyDate="BN000123"), dates=True)
    assert (found.SeriesDate, found.StudyDate) == ("19000101", "")


# ---- structured reports ----


def test_a_report_keeps_its_tree_and_numbers_and_loses_its_words() -> None:
    found = redone(read_object(samples.file_of(samples.text_report().attributes)))
    data = write_object(found)
    for words in ("Đông đặc", "Viêm phổi", "Chụp lại", "Trần", "BV Sông Hồng", "000123", "CT002", "HNO"):
        assert words.encode() not in data
    kinds = [one.value for one in whole(found) if one.keyword == "ValueType"]
    assert kinds.count("TEXT") == 4
    assert {one.value for one in whole(found) if one.keyword == "TextValue"} == {"REMOVED"}
    assert [str(one.value) for one in whole(found) if one.keyword == "NumericValue"] == ["4.50"]
    codes = {one.value for one in whole(found) if one.keyword == "CodeMeaning"}
    assert {"Findings", "Long Axis", "Tiếng Việt"} <= codes
    assert [one.CodeValue for one in found.DeidentificationMethodCodeSequence] == ["113100", "113104"]


def test_numbers_and_codes_about_the_subject_go_unless_characteristics_stay() -> None:
    code, content = samples.code, samples.content
    items = [
        content("DATE", code("121031", "DCM", "Subject Birth Date"), Date="19850214"),
        samples.number(code("121033", "DCM", "Subject Age"), "41", "a"),
        content("CODE", code("121032", "DCM", "Subject Sex"), ConceptCodeSequence=[code("F", "DCM", "Female")]),
        content("CODE", samples.FINDING, ConceptCodeSequence=[code("B1", "99BV", "của bà Hoa")]),
        content("CODE", samples.FINDING, ConceptCodeSequence=[code("27925004", "SCT", "Nodule")]),
        content("DATE", code("111060", "DCM", "Study Date"), Date="20261103"),
        content("PNAME", code("121008", "DCM", "Person Observer Name"), PersonName="Lê^Minh"),
    ]
    report = read_object(samples.file_of(samples.document(samples.SR_WHOLE, 2, samples.REPORT, *items).attributes))

    def told(found: Dataset) -> list[Any]:
        birth, age, sex, local, nodule, study, observer = found.ContentSequence
        meanings = [one.ConceptCodeSequence[0].CodeMeaning for one in (sex, local, nodule)]
        return [birth.Date, len(age.MeasuredValueSequence), *meanings, study.Date, str(observer.PersonName)]

    assert told(redone(report)) == ["19000101", 0, "Unknown", "Unknown", "Nodule", "19000101", "Removed^Name"]
    kept = told(redone(report, characteristics=True, dates=True))
    moved_to = moved("DA", "20261103", Pseudonyms(KEY).days("BN000123"))
    assert kept == ["19000101", 1, "Female", "Unknown", "Nodule", moved_to, "Removed^Name"]


# ---- the table ----


def test_every_row_is_an_attribute_of_the_standard_with_an_action_that_we_know() -> None:
    rows = table()
    assert len(rows) == 653
    assert all(keyword_for_tag(tag) in ("", row.keyword) for tag, row in rows.items())
    assert sum(not keyword_for_tag(tag) for tag in rows) == 26  # newer than pydicom's dictionary
    assert {row.basic for row in rows.values()} == {"X", "Z", "D", "U", "X/Z", "X/D", "Z/D", "X/Z/D", "X/Z/U*"}
    assert {row.dates for row in rows.values()} == {"", "C"}
    assert {row.characteristics for row in rows.values()} == {"", "K", "C"}
    assert {row.device for row in rows.values()} == {"", "K", "C"}
    counted = Counter(row.basic for row in rows.values())
    assert counted == {
        "X": 413, "Z": 42, "D": 93, "U": 55, "X/Z": 11, "X/D": 23, "Z/D": 6, "X/Z/D": 8, "X/Z/U*": 2
    }  # fmt: skip


def test_of_device_and_dates_no_date_is_left_that_tells_how_far_the_others_were_moved() -> None:
    tag = tag_for_keyword("DateOfLastCalibration")
    assert tag is not None
    given = object_with(DateOfLastCalibration="20240101", StationAETitle="CT1AE", StationName="CT1")
    for options, expected in (
        (Options(), None),
        (Options(device=True), "20240101"),
        (Options(dates=True), moved("DA", "20240101", Pseudonyms(KEY).days(str(given.PatientID)))),
        (Options(dates=True, device=True), moved("DA", "20240101", Pseudonyms(KEY).days(str(given.PatientID)))),
    ):
        found = deidentify(given, KEY, options)
        assert (found[tag].value if tag in found else None) == expected, options
        assert "StationAETitle" not in found
        assert (str(found.StationName) == "CT1") is options.device


@pytest.mark.parametrize("tag", sorted(table()), ids=lambda tag: f"{tag:08X}")
def test_no_row_lets_a_value_through(tag: int) -> None:
    """Whatever the row says, in the basic profile what the attribute said is not in the bytes."""
    if tag >> 16 in (0, 2, 4) or tag == 0x00420011:
        pytest.skip("not of a data set, or refused as a whole")
    given = object_with()
    row = table()[tag]
    with as_it_is():
        vr = pydicom.datadict.dictionary_VR(tag) if dictionary_has_tag(tag) else "LO"
        inner = Dataset()
        inner.ReferencedSOPInstanceUID, inner.ReasonForVisit = "1.2.33.44.55", "SECRETWORD"
        values: dict[str, Any] = {"SQ": Sequence([inner]), "UI": "1.2.33.44.55", "DA": "20331224", "DT": "20331224"}
        values |= {"TM": "223344", "AS": "087Y", "DS": "73.25", "IS": "7325", "OB": b"SECRETWORD", "UN": b"SECRETWORD"}
        values |= {"US": 0x4321, "UL": 0x87654321, "FD": 123.456, "FL": 123.5, "CS": "SECRETCS", "SH": "SECRETSHORT"}
        given.add_new(tag, vr, values.get(vr, "SECRETWORD"))
    data = write_object(deidentify(given, KEY))
    found = read_object(data)
    assert not [one for one in (b"SECRET", b"1.2.33.44.55", b"20331224", b"223344", b"087Y", b"73.25") if one in data]
    if tag in found and vr not in ("SQ", "UI") and row.keyword != "PatientID":
        assert found[tag].value in (
            "",
            None,
            "REMOVED",
            "Removed^Name",
            "19000101",
            "19000101000000",
            "000000",
            "000Y",
        ) or (found[tag].value in (b"\0\0", 0, 0.0, "urn:removed"))


def test_warnings_of_pydicom_which_quote_values_stay_inside(caplog: pytest.LogCaptureFixture) -> None:
    odd = write_object(object_with(StudyDate="Nguyen Hoa", ContentTime="Nguyen", SpecificCharacterSet="ISO_IR 1000"))
    caplog.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_object(deidentify(read_object(odd), KEY))
    assert caplog.records == []
    assert pydicom.config.logger.disabled is False


def test_what_is_no_object_is_refused_by_name() -> None:
    for data in (b"", b"no DICOM at all" * 50, CT.read_bytes()[:200]):
        with pytest.raises((faults.NotDicom, faults.UidMissing)):
            deidentify(read_object(data), KEY)
    broken = deidentify(object_with(), KEY)
    with as_it_is():
        broken.add_new(0x00280010, "US", "many")
    with pytest.raises(faults.NotWritable):
        write_object(broken)
