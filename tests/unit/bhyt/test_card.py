"""What a card look-up is asked with, and what its answer means. All people, cards and facilities are invented."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from connectors.destinations._portal_codes import Submission, submission
from mappings.bhyt.card import (
    STEPS,
    Step,
    answer_to_coverages,
    answer_to_outcome,
    card_codes,
    differences,
    is_born,
    is_card_number,
    patient_to_question,
    read_answer,
    read_shared_costs,
)
from mappings.fhir import problems
from mappings.formats.faults import JsonInvalid
from mappings.ids import resource_id
from mappings.systems import DEFAULT

CARD, NEW = "DN4010123456789", "GD4010123456780"
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"use": "official", "text": "Trần Thị Bích Ngọc"}, {"use": "nickname", "text": "Bé"}],
    "birthDate": "1984-09-02",
    "gender": "female",
    "identifier": [{"system": DEFAULT.cccd, "value": "001184012345"}],
}


def answer(code: str = "000", **more: Any) -> bytes:
    said = {
        "maKetQua": code,
        "ghiChu": "",
        "maThe": CARD,
        "hoTen": "Trần Thị Bích Ngọc",
        "ngaySinh": "02/09/1984",
        "gioiTinh": "Nữ",
        "diaChi": "Hà Nội",
        "maDKBD": "01999",
        "cqBHXH": "BHXH thành phố Hà Nội",
        "gtTheTu": "01/01/2026",
        "gtTheDen": "31/12/2026",
        "maKV": "",
        "ngayDu5Nam": "01/06/2027",
        "maSoBHXH": "0123456789",
        "maTheCu": None,
        "maTheMoi": None,
        "gtTheTuMoi": None,
        "gtTheDenMoi": None,
        "maDKBDMoi": None,
        "tenDKBDMoi": None,
        "dsLichSuKCB2018": None,
        "dsLichSuKT2018": None,
    }
    return json.dumps(said | more).encode()


def test_one_number_means_two_things() -> None:
    """124: a file with wrong content to who submits, a card that was stopped to who looks up."""
    assert submission("124") is Submission.CONTENT_WRONG
    assert Submission.CONTENT_WRONG.means == "file"
    assert card_codes()["124"].step is Step.NOT_NOW
    assert read_answer(answer("124")).usable is None
    shared = set(card_codes()) & set(Submission)
    assert shared == {"123", "124", "205", "401"}
    for code in ("123", "124"):
        assert card_codes()[code].step is Step.NOT_NOW, code
        assert Submission(code).means == "file", code


def test_every_code_says_what_reception_does() -> None:
    assert len(card_codes()) == 26
    assert {one.step for one in card_codes().values()} == set(Step) == set(STEPS)
    assert all(one.said.vi and one.said.en for one in card_codes().values())
    assert {code for code, one in card_codes().items() if one.step.usable} == {"000", "003", "004"}


def test_the_table_is_the_one_that_was_found(corpora: Path) -> None:
    found = corpora.parent / "vn" / "code-lists" / "PORTAL_CARD_LOOKUP.csv"
    if not found.exists():
        pytest.skip("the fact sheets are not here")
    assert set(card_codes()) == {row["code"] for row in csv.DictReader(found.read_text("utf-8").splitlines())}


def test_a_good_card_becomes_the_coverage_that_in1_makes() -> None:
    read = read_answer(answer())
    assert read.usable is not None
    assert (read.usable.start, read.usable.end) == (date(2026, 1, 1), date(2026, 12, 31))
    (coverage,) = answer_to_coverages(read, "Patient/p1", DEFAULT)
    assert coverage["id"] == resource_id("Coverage", DEFAULT.bhyt, f"Patient/p1|{CARD}")
    assert coverage["status"] == "active"
    assert coverage["period"] == {"start": "2026-01-01", "end": "2026-12-31"}
    assert coverage["class"][0]["value"] == "4"
    assert not problems(coverage)
    places = [one for one in coverage["extension"] if "valueReference" in one]
    assert places[0]["valueReference"]["identifier"]["value"] == "01999"


@pytest.mark.parametrize(("code", "old"), [("003", "cancelled"), ("004", "active")])
def test_a_new_card_stands_beside_the_old_one(code: str, old: str) -> None:
    read = read_answer(
        answer(code, maTheMoi=NEW, gtTheTuMoi="01/11/2026", gtTheDenMoi="31/12/2027", maDKBDMoi="01998", tenDKBDMoi="X")
    )
    assert read.usable is not None
    assert read.usable.number == NEW
    first, second = answer_to_coverages(read, "Patient/p1", DEFAULT)
    assert (first["status"], second["status"]) == (old, "active")
    assert (first["subscriberId"], second["subscriberId"]) == (CARD, NEW)
    assert second["period"] == {"start": "2026-11-01", "end": "2027-12-31"}
    assert second["extension"][1]["valueReference"]["display"] == "X"
    assert not problems(first) + problems(second)


@pytest.mark.parametrize("code", sorted(set(card_codes()) - {"000", "003", "004"}))
def test_other_codes_give_no_card_to_use(code: str) -> None:
    read = read_answer(answer(code))
    assert read.usable is None
    made = answer_to_coverages(read, "Patient/p1", DEFAULT)
    assert [one["status"] for one in made] == (["cancelled"] if read.step is Step.NOT_NOW else [])
    outcome = answer_to_outcome(read, DEFAULT)
    assert outcome["issue"][0]["details"]["coding"][0]["code"] == code
    assert outcome["issue"][0]["severity"] != "information"
    assert not problems(outcome)


def test_a_code_nobody_knows_proves_nothing() -> None:
    read = read_answer(answer("999"))
    assert read.step is Step.LATER
    assert answer_to_coverages(read, "Patient/p1", DEFAULT) == []


def test_an_answer_that_is_odd_or_empty_is_read() -> None:
    empty = read_answer(b'{"maKetQua": 401}')
    assert (empty.code, empty.step, empty.card, empty.history) == ("401", Step.CALLER, None, ())
    odd = read_answer(
        answer(gtTheTu="20260101", gtTheDen="31/02/2026", gioiTinh=1, dsLichSuKCB2018=["x", {"maHoSo": 7}], maKV=True)
    )
    assert odd.card is not None
    assert (odd.card.start, odd.card.end, odd.sex) == (date(2026, 1, 1), None, "male")
    assert [one.record for one in odd.history] == ["7"]
    assert odd.area == ""
    with pytest.raises(JsonInvalid):
        read_answer(b"[]")


def test_what_the_insurer_knows_otherwise_is_told() -> None:
    assert differences(read_answer(answer()), PATIENT) == []
    wrong = read_answer(answer(hoTen="TRẦN THỊ BÍCH NGÁT", ngaySinh="1984", gioiTinh="Nam"))
    assert [one.element for one in differences(wrong, PATIENT)] == ["name", "birthDate", "gender"]
    assert differences(read_answer(answer(hoTen="TRẦN THỊ BÍCH NGỌC", gioiTinh=None)), PATIENT) == []


def coverage(number: str, end: str, status: str = "active") -> dict[str, Any]:
    return {"resourceType": "Coverage", "status": status, "subscriberId": number, "period": {"end": end}}


def test_the_question_of_a_record() -> None:
    asked = patient_to_question(PATIENT, [], DEFAULT)
    assert asked == ("001184012345", "Trần Thị Bích Ngọc", "02/09/1984")
    cards = [coverage(CARD, "2026-12-31"), coverage(NEW, "2027-12-31"), coverage("X", "2028-01-01")]
    found = patient_to_question(PATIENT, [*cards, coverage("HC4010123456789", "2029-01-01", "cancelled")], DEFAULT)
    assert found.number == NEW
    assert patient_to_question(PATIENT | {"birthDate": "1984"}, [], DEFAULT) == asked._replace(born="1984")
    assert patient_to_question(PATIENT | {"birthDate": "1984-09"}, [], DEFAULT) == asked._replace(born="09/1984")
    assert patient_to_question(PATIENT | {"identifier": []}, [], DEFAULT) == asked._replace(number="")
    assert patient_to_question(PATIENT | {"name": []}, [], DEFAULT) == asked._replace(name="")


def test_forms_that_a_look_up_takes() -> None:
    assert all(map(is_card_number, (CARD, "0123456789", "001184012345")))
    assert not any(map(is_card_number, ("", "DN40101234567", "00118401234", "dn4010123456789")))
    assert all(map(is_born, ("02/09/1984", "09/1984", "1984")))
    assert not any(map(is_born, ("", "2/9/1984", "1984-09-02", "13/1984")))


def test_running_totals_are_not_added() -> None:
    rows = [{"tBNCCTLuyKe": "1200000"}, {"tBNCCTLuyKe": 3400000}, {"tBNCCTLuyKe": "x"}]
    told = read_shared_costs(json.dumps({"MaKetQua": 200, "DataCCT": rows}).encode())
    assert (told.code, told.paid, told.visits) == ("200", 3400000, 3)
    assert read_shared_costs(b'{"MaKetQua": "204", "DataCCT": null}').paid is None
