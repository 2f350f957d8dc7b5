"""Prescriptions: which paper a medicine stands on, how it is written, and when the paper is refused."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from mappings import codes, documents
from mappings.documents import medicines
from mappings.documents.faults import PaperBeyondLimit, PaperIncomplete
from mappings.documents.number_words import amount_words, words
from mappings.documents.record import owner
from mappings.outcome import Resource
from tests.unit.documents.clinical_samples import coded_as, medicine, told
from tests.unit.documents.reading import cells, composition, table
from tests.unit.documents.samples import CONTEXT, child, coded, field, mother, sample, without

CLASSES = ("prescription", "prescription_narcotic", "prescription_psychotropic")
_HEAD = "source,code,target_system,target,display,equivalence,valid_from,valid_to\n"


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


def names(paper: str, record: list[Resource]) -> list[str]:
    subject, _ = sample(paper)
    return [line[1] for line in table(documents.compose(paper, subject, record, CONTEXT))[1:]]


@pytest.fixture
def site() -> Iterator[None]:
    """The codes of one hospital's dangerous medicines."""
    codes.extend("site-drug-class", f"{_HEAD}HIS,M1,,N,,equivalent,,\nHIS,M2,,D,,equivalent,,\n")
    yield
    codes.forget()


# ---- words ----


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "không"),
        (5, "năm"),
        (10, "mười"),
        (15, "mười lăm"),
        (20, "hai mươi"),
        (21, "hai mươi mốt"),
        (25, "hai mươi lăm"),
        (101, "một trăm linh một"),
        (115, "một trăm mười lăm"),
        (1000, "một nghìn"),
        (1005, "một nghìn không trăm linh năm"),
        (12340, "mười hai nghìn ba trăm bốn mươi"),
        (2000001, "hai triệu không trăm linh một"),
        (-1, ""),
        (10**12, ""),
    ],
)
def test_numbers_in_words(number: int, said: str) -> None:
    assert words(number) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [("30", "Ba mươi"), ("3E+1", "Ba mươi"), ("5.0", "Năm"), ("0.5", "Không phẩy năm"), ("2.25", "Hai phẩy hai năm")],
)
def test_amounts_in_words_begin_with_a_capital(amount: str, said: str) -> None:
    assert amount_words(Decimal(amount)) == said


# ---- which paper ----


def test_each_class_has_a_paper_of_its_own() -> None:
    subject, record = sample("prescription")
    assert [documents.due(paper, "RDE^O11", record) for paper in CLASSES] == [[subject]] * 3
    assert names("prescription", record) == ["Amoxicillin (Moxilen 500 mg)", "Panadol 500 mg"]
    assert names("prescription_narcotic", record) == ["Morphin sulfat 10 mg"]
    assert names("prescription_psychotropic", record) == ["Diazepam 5 mg"]


@pytest.mark.usefixtures("site")
def test_the_class_is_told_by_the_order_then_by_the_code_then_by_the_site() -> None:
    inside = told("m1", "LOAI_DON_THUOC", "h")
    known = {f"Observation/{inside['id']}": inside}
    by_site = medicine("m1", "Morphin", "5")
    by_code = coded_as(by_site, "01999a7k2m9q-H")
    plain = coded_as(by_site, "01999a7k2m9q-c")
    by_order = {**by_code, "supportingInformation": [{"reference": f"Observation/{inside['id']}"}]}
    assert medicines.drug_class(by_site, {}) == "N"
    assert medicines.drug_class(by_code, {}) == "H"
    assert medicines.drug_class(plain, {}) == "N", "the letter c says nothing about a single medicine"
    inside["valueString"] = "C"
    assert medicines.drug_class(by_order, known) == "C"


def test_a_medicine_nobody_knows_is_ordinary() -> None:
    assert medicines.drug_class(medicine("m9", "Thuốc lạ", "5"), {}) == "C"


@pytest.mark.usefixtures("site")
def test_toxic_medicines_come_first() -> None:
    _, record = sample("prescription")
    find(record, "MedicationRequest/m1")["medicationCodeableConcept"]["coding"][0]["code"] = "KHAC"
    assert names("prescription", record)[0] == "Panadol 500 mg"


def test_an_inpatient_takes_no_prescription_home_unless_told() -> None:
    subject, record = sample("prescription")
    for one in record:
        if one["resourceType"] == "MedicationRequest":
            del one["category"]
    assert documents.due("prescription", "RDE^O11", record) == []
    find(record, "Encounter/dt1")["class"]["code"] = "AMB"
    assert documents.due("prescription", "RDE^O11", record) == [subject]


def test_what_is_about_several_and_no_medicine_does_no_harm() -> None:
    """An account names its subjects in a list (FHIR R4 Account.subject)."""
    account: Resource = {"resourceType": "Account", "id": "a", "subject": [{"reference": "Patient/p"}]}
    subject, record = sample("prescription")
    assert documents.subjects("prescription", [account, *record]) == [subject]
    assert owner(account) == "Patient/p"


def test_without_a_group_number_one_doctor_at_one_time_makes_one_prescription() -> None:
    requests = [{**medicine(f"m{n}", f"Thuốc {n}", "5")} for n in range(3)]
    for one in requests:
        del one["groupIdentifier"]
    requests[2]["authoredOn"] = "2026-11-05T09:45:00+07:00"
    assert medicines.group(requests[0]) == medicines.group(requests[1]) != medicines.group(requests[2])
    for one in requests:
        del one["authoredOn"]
    assert len({medicines.group(one) for one in requests}) == 1, "nobody says that they were ordered apart"


def test_medicines_of_another_prescription_stay_out() -> None:
    _, record = sample("prescription")
    other = medicine("m8", "Của đơn khác", "5")
    other["groupIdentifier"] = {**other["groupIdentifier"], "value": "DT2"}
    assert "Của đơn khác" not in names("prescription", [*record, other])


def test_an_order_taken_back_or_encoded_by_another_is_not_printed() -> None:
    _, record = sample("prescription")
    original = {**medicine("m0", "Kê bằng tên gốc", "5"), "intent": "original-order"}
    find(record, "MedicationRequest/m2")["basedOn"] = [{"reference": "MedicationRequest/m0"}]
    find(record, "MedicationRequest/m1")["status"] = "cancelled"
    assert names("prescription", [original, *record]) == ["Panadol 500 mg"]


def test_a_medicine_taken_back_renews_the_prescription_and_makes_none() -> None:
    subject, record = sample("prescription")
    for one in record:
        if one["resourceType"] == "MedicationRequest":
            one["status"] = "cancelled"
    assert documents.due("prescription", "RDE^O11", record) == []
    asked = documents.asked("prescription", "RDE^O11", record)
    assert [(one.act, one.subject) for one in asked] == [("renew", subject)]
    assert documents.asked("prescription", "ADT^A08", record) == []


def test_a_prescription_without_any_medicine_left() -> None:
    subject, record = sample("prescription_narcotic")
    find(record, "MedicationRequest/m3")["status"] = "entered-in-error"
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("prescription_narcotic", subject, record, CONTEXT)
    assert incomplete.value.where == "Thuốc điều trị (THUOC)"


# ---- how it is written ----


@pytest.mark.parametrize(
    ("name", "active", "shown"),
    [
        ("Moxilen 500 mg", "Amoxicillin", "Amoxicillin (Moxilen 500 mg)"),
        ("Amoxicillin 500 mg (Moxilen)", "amoxicillin", "Amoxicillin 500 mg (Moxilen)"),
        ("Augmentin 1 g", "Amoxicillin + Acid clavulanic", "Augmentin 1 g"),
        ("Augmentin 1 g", "", "Augmentin 1 g"),
    ],
)
def test_names(name: str, active: str, shown: str) -> None:
    inside = told("m1", "HOAT_CHAT", active)
    request = medicine("m1", name, "5", inside)
    assert medicines.name(request, {f"Observation/{inside['id']}": inside}) == shown


def test_the_strength_is_added_where_the_name_lacks_it() -> None:
    strength = {"numerator": {"value": Decimal("500"), "unit": "mg"}, "denominator": {"value": Decimal("1")}}
    made = {"resourceType": "Medication", "code": {"text": "Panadol"}, "ingredient": [{"strength": strength}]}
    request = {**medicine("m1", "", "5"), "medicationReference": {"reference": "Medication/t1"}}
    del request["medicationCodeableConcept"]
    assert medicines.name(request, {"Medication/t1": made}) == "Panadol 500 mg"
    made["code"] = {"text": "Panadol 500mg"}
    assert medicines.name(request, {"Medication/t1": made}) == "Panadol 500mg"


@pytest.mark.parametrize(
    ("amount", "in_words", "shown"),
    [
        ("5", False, "05 viên"),
        ("14", False, "14 viên"),
        ("0.5", False, "0,5 viên"),
        ("5", True, "05 viên (Năm viên)"),
        ("30", True, "30 viên (Ba mươi viên)"),
    ],
)
def test_quantities(amount: str, in_words: bool, shown: str) -> None:
    assert medicines.quantity(medicine("m1", "x", amount), in_words) == shown


@pytest.mark.parametrize(
    ("dosage", "shown"),
    [
        ({"text": "Uống sáng 1 viên"}, "Uống sáng 1 viên"),
        (
            {
                "route": coded("x", "PO", "Swallow, oral"),
                "doseAndRate": [{"doseQuantity": {"value": Decimal(1), "unit": "viên"}}],
                "timing": {
                    "repeat": {
                        "frequency": 3,
                        "period": Decimal(1),
                        "periodUnit": "d",
                        "boundsDuration": {"value": Decimal(1), "code": "wk"},
                    }
                },
            },
            "Uống, mỗi lần 1 viên, ngày 3 lần, 07 ngày",
        ),
        (
            {
                "text": "Ngậm",
                "timing": {
                    "repeat": {
                        "frequency": 1,
                        "period": Decimal(8),
                        "periodUnit": "h",
                        "boundsPeriod": {"start": "2026-11-05", "end": "2026-11-14"},
                    }
                },
            },
            "Ngậm, mỗi 8 giờ 1 lần, 10 ngày",
        ),
        ({"timing": {"repeat": {"frequency": 1, "period": Decimal(8), "periodUnit": "h"}}}, "mỗi 8 giờ 1 lần"),
        ({"route": coded("x", "ZZ", "Đường lạ"), "timing": {"code": {"text": "khi cần"}}}, "Đường lạ, khi cần"),
    ],
)
def test_uses(dosage: dict[str, Any], shown: str) -> None:
    assert medicines.use({**medicine("m1", "x", "5"), "dosageInstruction": [dosage]}) == shown


def test_rows_of_a_narcotic() -> None:
    subject, record = sample("prescription_narcotic")
    span = {"start": "2026-11-05", "end": "2026-11-14"}
    find(record, "MedicationRequest/m3")["dosageInstruction"][0]["timing"] = {"repeat": {"boundsPeriod": span}}
    bundle = documents.compose("prescription_narcotic", subject, record, CONTEXT)
    rows = cells(bundle)
    assert composition(bundle)["title"] == 'ĐƠN THUỐC "N"'
    assert rows["MA_DON_THUOC"] == "01999b3h8x1z-n"
    assert rows["DOT"] == "Đợt 1 (từ ngày 05 tháng 11 năm 2026 đến hết ngày 14 tháng 11 năm 2026)"
    assert rows["SO_LUONG-1"] == "30 viên (Ba mươi viên)"
    assert rows["CACH_DUNG-1"].endswith(", 10 ngày")
    assert rows["GIOI_TINH"].split() == ["☐", "Nam", "☒", "Nữ"]
    assert rows["CCCD_NGUOI_NHAN"] == ""
    assert rows["KY-1"] == "Lê Quốc Vượng"


def test_a_code_nobody_told_leaves_its_slot_empty() -> None:
    subject, record = sample("prescription")
    assert cells(documents.compose("prescription", subject, record, CONTEXT))["MA_DON_THUOC"] == ""


def test_advice_and_the_day_to_come_back() -> None:
    subject, record = sample("prescription")
    record += [field("LOI_DAN", "Uống nhiều nước"), field("NGAY_TAI_KHAM", "20261119")]
    rows = cells(documents.compose("prescription", subject, record, CONTEXT))
    assert rows["LOI_DAN"] == "Uống nhiều nước\nKhám lại ngày 19/11/2026"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"valueString": "12.50"}, "12.50 kg"),
        ({"valueString": "khoảng 12"}, "khoảng 12"),
        ({"valueQuantity": {"value": Decimal("12.50")}}, "12.50 kg"),
        ({"valueQuantity": {"value": 4500, "unit": "g"}}, "4500 g"),
    ],
)
def test_a_weight_says_its_unit(value: dict[str, Any], shown: str) -> None:
    """QĐ 3176 has it in kg; what was told in another unit stays in that."""
    subject, record = sample("prescription")
    weight = {name: part for name, part in field("CAN_NANG", "").items() if name != "valueString"}
    record = [*without(record, "Observation/f-can-nang-dt1"), {**weight, **value}]
    assert cells(documents.compose("prescription", subject, record, CONTEXT))["CAN_NANG"] == shown


# ---- when it is refused ----


def test_a_child_needs_its_weight_and_who_brought_it() -> None:
    subject, record = sample("prescription")
    record = [child(), *without(record, "Patient/bn1", "Observation/f-can-nang-dt1")]
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("prescription", subject, record, CONTEXT)
    assert incomplete.value.detail == "CAN_NANG ← OBX 29463-7 (LOINC) · OBX CAN_NANG; NGUOI_DUA_TRE ← NK1-2"
    weight = {
        **field("CAN_NANG", ""),
        "id": "can",
        "code": coded("http://loinc.org", "29463-7"),
        "valueQuantity": {"value": Decimal("11.50"), "unit": "kg"},
    }
    del weight["valueString"]
    rows = cells(documents.compose("prescription", subject, [*record, mother(), weight], CONTEXT))
    assert (rows["NGAY_SINH"], rows["CAN_NANG"]) == ("01/03/2025 (20 tháng)", "11.50 kg")
    assert rows["NGUOI_DUA_TRE"] == "Trần Thị Hoà (mẹ)"


def test_a_personal_number_stands_for_birth_sex_and_address() -> None:
    subject, record = sample("prescription")
    person = find(record, "Patient/bn1")
    for name in ("gender", "address"):
        del person[name]
    assert cells(documents.compose("prescription", subject, record, CONTEXT))["DIA_CHI"] == ""
    person["identifier"] = person["identifier"][:1]
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("prescription", subject, record, CONTEXT)
    assert incomplete.value.detail == "GIOI_TINH ← PID-8; DIA_CHI ← PID-11"


@pytest.mark.parametrize(("paper", "request_id", "most"), [(CLASSES[0], "m1", 90), (CLASSES[1], "m3", 30)])
def test_more_days_than_the_law_allows(paper: str, request_id: str, most: int) -> None:
    subject, record = sample(paper)
    duration: dict[str, Any] = {"value": Decimal(most), "unit": "ngày", "code": "d"}
    find(record, f"MedicationRequest/{request_id}")["dosageInstruction"][0]["timing"] = {
        "repeat": {"boundsDuration": duration}
    }
    assert cells(documents.compose(paper, subject, record, CONTEXT))["CACH_DUNG-1"].endswith(f", {most} ngày")
    duration["value"] += 1
    with pytest.raises(PaperBeyondLimit) as beyond:
        documents.compose(paper, subject, record, CONTEXT)
    assert (beyond.value.code, beyond.value.detail) == (3210, f"SO_NGAY_THUOC ≤ {most}")
