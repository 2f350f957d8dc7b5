"""Answers to queries about pictures: whose a study is, what all objects say alike, and nothing that only refers."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.dicom import query
from mappings.dicom.body import Entry
from mappings.dicom.query import Include, Whose, patient_to_attributes
from tests.unit.dicom import samples

OWNER = Whose(patient_to_attributes({"name": [{"family": "Nguyễn", "given": ["Thị", "Hoa"]}]}, "BN1"))
URL = "https://cong.example/dicom-web/studies/1.2"


@pytest.mark.parametrize(
    ("patient", "said"),
    [
        ({"name": [{"text": "Nguyễn Thị Hoa", "family": "Nguyễn", "given": ["Thị", "Hoa"]}]}, "Nguyễn^Hoa^Thị"),
        ({"name": [{"family": "Nguyễn", "given": ["Ngọc", "Thị", "Hoa"]}]}, "Nguyễn^Hoa^Ngọc Thị"),
        ({"name": [{"text": "NGUYEN THI HOA"}]}, "NGUYEN THI HOA"),
        ({"name": [{"text": "A^B=C\\D"}]}, "A B C D"),
        ({"name": [{"family": "Nguyễn"}]}, "Nguyễn"),
        ({"name": [{"use": "old"}, {"text": "X"}]}, "X"),
        ({}, None),
    ],
)
def test_a_name_is_written_as_dicom_has_it(patient: dict[str, Any], said: str | None) -> None:
    found = patient_to_attributes(patient, "1")["00100010"]
    assert found == ({"vr": "PN", "Value": [{"Alphabetic": said}]} if said else {"vr": "PN"})


@pytest.mark.parametrize(
    ("born", "sex", "expected"),
    [
        ("1985-02-14", "female", ("19850214", "F")),
        ("1985-02", "unknown", (None, None)),
        ("1985", "other", (None, "O")),
        ("", "male", (None, "M")),
    ],
)
def test_what_is_not_known_whole_is_empty(born: str, sex: str, expected: tuple[str | None, str | None]) -> None:
    found = patient_to_attributes({"birthDate": born, "gender": sex}, "")
    assert [found[tag].get("Value", [None])[0] for tag in ("00100030", "00100040")] == list(expected)
    assert found["00100020"] == {"vr": "LO"}


def test_the_record_says_whose_it_is_and_not_the_headers() -> None:
    entries = [samples.picture(1, n, PatientName={"Alphabetic": "OTHER"}, PatientID="X9") for n in (1, 2)]
    answer = query.study_to_answer(entries, OWNER, URL, Include(everything=True))
    assert answer["00100020"]["Value"] == ["BN1"]
    assert "OTHER" not in str(answer)
    assert list(answer) == sorted(answer)


def test_only_what_all_objects_say_alike_is_told_of_a_study() -> None:
    entries = [samples.picture(1, n, StationName="CT1", ContentDate=f"2026010{n}") for n in (1, 2)]
    answer = query.study_to_answer(entries, OWNER, URL, Include(frozenset(("00081010", "00080023", "00089999"))))
    assert answer["00081010"]["Value"] == ["CT1"]
    assert not {"00080023", "00089999"} & answer.keys()
    assert answer["00201208"]["Value"] == [2]


def test_nothing_that_only_refers_is_told() -> None:
    bulk = {"vr": "OW", "BulkDataURI": "", "Length": 8}
    item = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, "00420011": bulk, "00100020": {"vr": "LO"}}
    header = {"7FE00010": bulk, "00081140": {"vr": "SQ", "Value": [item]}, "00081115": {"vr": "SQ"}}
    assert query.without_bulk(header) == {
        "00081140": {"vr": "SQ", "Value": [{"00080005": query._UTF8, "00100020": {"vr": "LO"}}]},
        "00081115": {"vr": "SQ"},
    }
    assert header["7FE00010"] is bulk


def test_values_are_matched_one_of_several() -> None:
    entries = [samples.picture(1, 1), Entry(samples.picture(2, 1).attributes)]
    answers = query.series_to_answers(entries, OWNER, URL, Include())
    assert len(answers) == 2
    uid = answers[1]["0020000E"]["Value"][0]
    assert [one for one in answers if query.fits(one, {"0020000E": f"{uid}\\9"})] == [answers[1]]
    assert [one for one in answers if query.fits(one, {})] == answers


def test_what_is_not_there_fits_nothing() -> None:
    step = {"00400009": {"vr": "SH", "Value": ["S1"]}}
    asked_for = {"00400275": {"vr": "SQ", "Value": [{"00401001": {"vr": "SH", "Value": ["P1"]}}, step]}}
    for wanted, fits in (
        ({"00400275/00400009": "S1"}, True),
        ({"00400275/00400009": "S2"}, False),
        ({"00400275/00401001": "P?"}, True),
        ({"00400275/00400009": "S1", "00400275/00401001": "P1"}, False),  # of two different requests
        ({"00400244": "20260101-"}, False),
    ):
        assert query.fits(asked_for, wanted) is fits, wanted
    assert not query.fits({}, {"00400275/00400009": "S1"})


@pytest.mark.parametrize(
    ("started", "asked", "may"),
    [
        ("2026-11-20T08:00:00+07:00", "20261120", True),
        ("2026-11-20", "20261119-20261120", True),
        ("2026-11-20", "-20261119", False),
        ("2026-11-20", "20261121-", False),
        ("2026-11-20", "", True),
        ("2026-11", "20261121-", True),
        ("", "20261121-", True),
    ],
)
def test_only_a_day_that_cannot_be_spares_a_look(started: str, asked: str, may: bool) -> None:
    assert query.day_fits(started, {"00080020": asked}) is may


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("PatientID", "00100020"),
        ("0020000d", "0020000D"),
        ("patientid", ""),
        ("00100020.00100010", ""),
        ("", ""),
        ("0010002G", ""),
        (".", ""),
    ],
)
def test_attributes_are_named_by_keyword_or_tag(name: str, tag: str) -> None:
    assert query.tag_of(name) == tag
    assert query.path_of(name) == (tag or ("00100020/00100010" if "." in name and name != "." else ""))
