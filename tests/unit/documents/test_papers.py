"""What each paper says, and when it is due."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mappings import documents
from mappings.documents.faults import PaperIncomplete
from mappings.outcome import Resource
from tests.unit.documents.reading import cells, composition, table
from tests.unit.documents.samples import CONTEXT, coded, field, ref, sample, without


def shown(paper: str, record: list[Resource] | None = None) -> dict[str, str]:
    subject, known = sample(paper)
    return cells(documents.compose(paper, subject, known if record is None else record, CONTEXT))


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


def test_discharge_paper_rows() -> None:
    rows = shown("discharge_paper")
    assert rows["CO_QUAN_CHU_QUAN"] == "SỞ Y TẾ HÀ NỘI"
    assert rows["KHOA"] == "Khoa Nội tổng hợp"
    assert rows["HO_TEN"] == "ĐẶNG THỊ THUỲ ƯỞNG"
    assert rows["NGAY_SINH"] == "12/03/1986 (Tuổi: 40)"
    assert (rows["GIOI_TINH"], rows["DAN_TOC"], rows["NGHE_NGHIEP"]) == ("Nữ", "Kinh", "Giáo viên")
    assert (rows["SO_CCCD"], rows["NGAYCAP_CCCD"]) == ("001186000001", "12/05/2021")
    assert rows["NGAY_VAO"] == "08 giờ 30 phút, ngày 01 tháng 11 năm 2026"
    assert rows["NGAY_RA"] == "10 giờ 05 phút, ngày 05 tháng 11 năm 2026"
    assert rows["CHAN_DOAN"] == ("Viêm phổi, tác nhân không xác định (J18.9)\nKèm theo: Đái tháo đường típ 2 (E11.9)")
    assert rows["PP_DIEUTRI"] == "Kháng sinh: Ceftriaxon 2 g/ngày\nHạ sốt, bù dịch"
    assert (rows["GHI_CHU"], rows["LOI_DAN"]) == ("Nghỉ ngoại trú 05 ngày.", "Uống nhiều nước, khám lại khi sốt")
    assert rows["NGAY_CT"] == "Ngày 05 tháng 11 năm 2026"
    assert (rows["KY-1"], rows["KY-2"]) == ("", "Lê Quốc Vượng")


def test_without_discharge_diagnoses_the_working_ones_are_shown() -> None:
    _, record = sample("discharge_paper")
    for entry in find(record, "Encounter/dt1")["diagnosis"][1:]:
        entry["use"] = coded("http://terminology.hl7.org/CodeSystem/v2-0052", "W")
    assert shown("discharge_paper", record)["CHAN_DOAN"].startswith("Viêm phổi, tác nhân không xác định (J18.9)")
    for condition in ("cd1", "cd2"):
        find(record, f"Condition/{condition}")["verificationStatus"] = coded("x", "entered-in-error")
    assert shown("discharge_paper", record)["CHAN_DOAN"] == "Sốt chưa rõ nguyên nhân (R50.9)"


def test_only_the_card_in_force_during_the_visit_is_shown() -> None:
    _, record = sample("discharge_paper")
    card = find(record, "Coverage/bhyt1")
    old = {
        **card,
        "id": "bhyt0",
        "subscriberId": "GD4010100000000",
        "period": {"start": "2025-01-01", "end": "2025-12-31"},
    }
    assert shown("discharge_paper", [*record, old])["MA_THE_BHYT"] == "GD4010112345678"
    card["period"]["end"] = "2026-11-03"
    new = {**card, "id": "bhyt2", "subscriberId": "001186000001", "period": {"start": "2026-11-04"}}
    assert shown("discharge_paper", [*record, old, new])["MA_THE_BHYT"] == "001186000001; GD4010112345678"


def test_times_of_another_offset_are_shown_in_vietnamese_time() -> None:
    _, record = sample("discharge_paper")
    find(record, "Encounter/dt1")["period"]["end"] = "2026-11-05T20:30:00Z"
    assert shown("discharge_paper", record)["NGAY_RA"] == "03 giờ 30 phút, ngày 06 tháng 11 năm 2026"


def test_a_field_told_twice_counts_as_told_last() -> None:
    _, record = sample("discharge_paper")
    again = {**field("PP_DIEUTRI", "Bản sửa"), "id": "lan2", "effectiveDateTime": "2026-11-05T11:00:00+07:00"}
    wrong = {**field("PP_DIEUTRI", "Nhầm"), "id": "lan3", "status": "entered-in-error"}
    assert shown("discharge_paper", [again, wrong, *record])["PP_DIEUTRI"] == "Bản sửa"


def test_a_coded_occupation_is_shown_in_words() -> None:
    _, record = sample("discharge_paper")
    record = without(record, "Observation/f-nghe-nghiep-dt1")
    as_text = field("MA_NGHE_NGHIEP", "23^Nhà chuyên môn về giảng dạy^MA_NGHE_NGHIEP")
    assert shown("discharge_paper", [*record, as_text])["NGHE_NGHIEP"] == "Nhà chuyên môn về giảng dạy"
    del as_text["valueString"]
    as_text["valueCodeableConcept"] = coded("x", "23", "Giảng dạy")
    assert shown("discharge_paper", [*record, as_text])["NGHE_NGHIEP"] == "Giảng dạy"


@pytest.mark.parametrize(
    ("birth", "age"),
    [
        ("1986-11-05", "40"),
        ("1986-11-06", "39"),
        ("2020-11-05", "6"),
        ("2020-11-06", "71 tháng"),
        ("2026-10-20", "16 ngày"),
    ],
)
def test_ages(birth: str, age: str) -> None:
    _, record = sample("discharge_paper")
    find(record, "Patient/bn1")["birthDate"] = birth
    assert shown("discharge_paper", record)["NGAY_SINH"].endswith(f"(Tuổi: {age})")


def test_referral_rows() -> None:
    rows = shown("referral")
    assert rows["SO"] == "CT26000007/PCCSKBCB"
    assert rows["SO_CHUYENTUYEN"] == "412/2026"
    assert rows["NOI_NHAN"] == "Bệnh viện Trung ương Thử Nghiệm"
    assert (rows["NAM_SINH"], rows["QUOC_TICH"]) == ("1986", "Việt Nam")
    assert rows["GT_THE_DEN"] == "31/12/2026\u2003☐ Hết thời hạn\u2003☐ Không xác định được thời hạn"
    assert rows["DA_DIEU_TRI"].split("\n") == [
        "+ Tại: Bệnh viện Đa khoa Sông Hồng (cấp …) từ ngày 01 tháng 11 năm 2026 đến ngày 05 tháng 11 năm 2026",
        "+ Tại: … (cấp …) từ ngày … đến ngày …",
    ]
    assert rows["TOMTAT_KQ"] == "Bạch cầu 18.40 G/L"
    assert rows["MA_LYDO_CT"].split("\n") == [
        "☒ 1. Đủ điều kiện chuyển:",
        "\u2003☐ a) Phù hợp với quy định chuyển cấp chuyên môn kỹ thuật",
        "\u2003☒ b) Không phù hợp với khả năng đáp ứng của cơ sở khám bệnh, chữa bệnh",
        "☐ 2. Theo yêu cầu của người bệnh hoặc người đại diện hợp pháp",
    ]
    assert rows["THOI_DIEM_CHUYEN"] == "10 giờ 05 phút, ngày 05 tháng 11 năm 2026"
    assert rows["NGUOI_HO_TONG"] == "Vũ Thị Ngọc Ánh, Điều dưỡng"
    assert (rows["KY-1"], rows["KY-2"]) == ("Lê Quốc Vượng", "")


@pytest.mark.parametrize(("code", "crossed"), [("1", [0, 1]), ("2", [0, 2]), ("3", [3])])
def test_the_reason_of_a_referral_crosses_its_boxes(code: str, crossed: list[int]) -> None:
    _, record = sample("referral")
    find(record, "Observation/f-ma-lydo-ct-dt1")["valueString"] = f"{code}^lý do^MA_LYDO_CT"
    lines = shown("referral", record)["MA_LYDO_CT"].split("\n")
    assert [n for n, line in enumerate(lines) if "☒" in line] == crossed


def test_the_reason_may_come_with_the_request() -> None:
    _, record = sample("referral")
    rows = shown("referral", without(record, "Observation/f-ma-lydo-ct-dt1"))
    assert rows["MA_LYDO_CT"].count("☒") == 2


@pytest.mark.parametrize(("end", "box"), [("2026-10-31", "☒ Hết thời hạn"), (None, "☒ Không xác định được thời hạn")])
def test_a_card_without_validity_is_marked(end: str | None, box: str) -> None:
    _, record = sample("referral")
    find(record, "Coverage/bhyt1")["period"] = {"start": "2026-01-01", **({"end": end} if end else {})}
    rows = shown("referral", record)
    assert rows["MA_THE_BHYT"] == "GD4010112345678"
    assert box in rows["GT_THE_DEN"]
    assert rows["GT_THE_DEN"].count("☒") == 1


def test_reexamination_rows() -> None:
    rows = shown("reexamination")
    assert rows["SO"] == "HK26000003"
    assert rows["GT_THE_DEN"] == "Từ 01/01/2026 Đến 31/12/2026"
    assert (rows["NGAY_KHAM"], rows["NGAY_VAO"], rows["NGAY_RA"]) == ("01/11/2026", "01/11/2026", "05/11/2026")
    assert rows["CHAN_DOAN_CHINH"] == "Viêm phổi, tác nhân không xác định (J18.9)"
    assert rows["BENH_KEM_THEO"] == "Đái tháo đường típ 2 (E11.9)"
    assert rows["NGAY_HEN_KL"] == "ngày 19 tháng 11 năm 2026"


def test_reexamination_of_an_outpatient_on_a_day_without_hour() -> None:
    _, record = sample("reexamination")
    find(record, "Encounter/dt1")["class"]["code"] = "AMB"
    appointment = find(record, "Appointment/hen1")
    del appointment["start"], appointment["end"]
    appointment.update(status="proposed", requestedPeriod=[{"start": "2026-11-20", "end": "2026-11-20"}])
    rows = shown("reexamination", record)
    assert (rows["NGAY_KHAM"], rows["NGAY_VAO"], rows["NGAY_RA"]) == ("01/11/2026", "", "")
    assert rows["NGAY_HEN_KL"] == "ngày 20 tháng 11 năm 2026"


def test_reexamination_follows_the_visit_before_it() -> None:
    subject, record = sample("reexamination")
    later = {
        **find(record, "Encounter/dt1"),
        "id": "dt9",
        "period": {"start": "2026-11-06T08:00:00+07:00"},
        "diagnosis": [],
    }
    bundle = documents.compose("reexamination", subject, [*record, later], CONTEXT)
    assert composition(bundle)["encounter"] == {"reference": "Encounter/dt1"}


def test_lab_report_rows_and_table() -> None:
    subject, record = sample("lab_report")
    bundle = documents.compose("lab_report", subject, record, CONTEXT)
    rows = cells(bundle)
    assert (rows["MS"], rows["SO"], rows["MA_CHI_DINH"]) == ("22/BV2", "XN26000009", "CD26000009")
    assert rows["UU_TIEN"] == "☐ Thường\u2003☒ Cấp cứu"
    assert rows["NGAY_YL"] == "06:10 02/11/2026"
    assert (rows["MA_BENH_PHAM"], rows["TINH_TRANG_BENH_PHAM"]) == ("SID0009", "Đạt yêu cầu")
    assert rows["NHAN_XET"] == "Kali máu giảm nặng"
    assert (rows["NGUOI_THUC_HIEN"], rows["NGUOI_DUYET"]) == ("Hồ Văn Ý", "Phạm Thị Quỳnh")
    assert [rows[f"KY-{n}"] for n in (1, 2, 3)] == ["Lê Quốc Vượng", "Hồ Văn Ý", "Phạm Thị Quỳnh"]
    assert rows["XN_GUI_NGOAI"] == ""
    assert table(bundle) == [
        ["STT", "Tên xét nghiệm", "Kết quả", "Đơn vị", "Khoảng tham chiếu", "Ghi chú"],
        ["1", "Glucose máu", "4.50", "mmol/L", "3.90 - 6.40", ""],
        ["2", "Kali máu", "2.80 (rất thấp)", "mmol/L", "3.5 - 5.1", "Đã báo bác sĩ lúc 07:00"],
        ["3", "CRP", "<0.30", "mg/dL lạ", "", ""],
        ["4", "Nhóm máu", "O Rh(D) dương", "", "", ""],
    ]
    observation = next(e["resource"] for e in bundle["entry"] if e["resource"]["id"] == "kq1")
    assert str(observation["valueQuantity"]["value"]) == "4.50"


def test_members_of_a_panel_are_lines_and_texts_of_a_paper_are_not() -> None:
    subject, record = sample("lab_report")
    panel = find(record, "Observation/kq4")
    panel["hasMember"] = [ref("Observation", "kq5"), ref("Observation", "kq1")]
    member = {**find(record, "Observation/kq3"), "id": "kq5"}
    find(record, "DiagnosticReport/pk1")["result"] = [
        ref("Observation", one) for one in ("kq4", "f-ket-luan-dt1", "kq2")
    ]
    record += [member, field("KET_LUAN", "Thiếu máu")]
    lines = table(documents.compose("lab_report", subject, record, CONTEXT))
    assert [line[1] for line in lines[1:]] == ["Nhóm máu", "CRP", "Glucose máu", "Kali máu"]


def test_lab_report_without_visit_or_order() -> None:
    subject, record = sample("lab_report")
    report = find(record, "DiagnosticReport/pk1")
    for name in ("encounter", "basedOn", "specimen", "resultsInterpreter", "performer", "category"):
        report.pop(name)
    bundle = documents.compose("lab_report", subject, record, CONTEXT)
    assert cells(bundle)["MS"] == "16/BV2"
    assert [a["mode"] for a in composition(bundle)["attester"]] == ["legal"]
    assert composition(bundle)["author"][0]["reference"] == "Organization/cskcb"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"valueCodeableConcept": {"text": "Âm tính"}}, "Âm tính"),
        ({"valueBoolean": True}, "Có"),
        ({"valueQuantity": {"value": Decimal("0.0000001")}}, "0.0000001"),
        ({"valueRange": {"low": {"value": Decimal("1")}, "high": {"value": Decimal("5")}}}, "1 - 5"),
        ({"valueRatio": {"numerator": {"value": Decimal("1")}, "denominator": {"value": Decimal("160")}}}, "1:160"),
        ({"dataAbsentReason": {"text": "Mẫu bị vón cục"}}, "Mẫu bị vón cục"),
        ({"valueString": "5,1", "status": "corrected"}, "5,1 (đã sửa)"),
        ({"valueString": "x", "status": "cancelled"}, "x (đã hủy)"),
        (
            {"component": [{"code": {"text": "Tâm thu"}, "valueQuantity": {"value": 120, "unit": "mmHg"}}]},
            "Tâm thu: 120 mmHg",
        ),
    ],
)
def test_values_of_results(value: dict[str, Any], text: str) -> None:
    subject, record = sample("lab_report")
    result = find(record, "Observation/kq4")
    del result["valueString"]
    result.update(value)
    assert table(documents.compose("lab_report", subject, record, CONTEXT))[4][2] == text


# ---- due ----


_ORDERED = {"OMG^O19", "OML^O21", "OMI^O23", "ORM^O01"}
_PRESCRIBED = {"RDE^O11", "RDE^O25", "OMP^O09", "ORM^O01"}
_WRITTEN = {"ORU^R01", "MDM^T02", "MDM^T04", "MDM^T06", "MDM^T08", "MDM^T10"}
DUE = {
    "birth_certificate": {"ADT^A01", "ADT^A04", "ADT^A08", "ADT^A28", "ADT^A31", "GDBHYT^XML9"},
    "care_sheet": _WRITTEN,
    "consultation_minutes": _WRITTEN,
    "death_notice": {"ADT^A03", "ADT^A08"},
    "discharge_paper": {"ADT^A03", "GDBHYT^XML7"},
    "health_summary": {"ADT^A03", "ADT^A08", "GDBHYT^XML1"},
    "imaging_report": _WRITTEN,
    "immunization_record": {"VXU^V04"},
    "insurance_check_in": {"DFT^P03", *_ORDERED, *_PRESCRIBED, "GDBHYT^XML0"},
    "insurance_record": {"ADT^A03", "ADT^A08", "GDBHYT^XML1"},
    "lab_report": {"ORU^R01", "GDBHYT^XML4"},
    "leave_paper": {"ADT^A03", "ADT^A04", "ADT^A08", "GDBHYT^XML11"},
    "maternity_rest_paper": {"ADT^A03", "ADT^A04", "ADT^A08", "GDBHYT^XML10"},
    "order_sheet": _ORDERED,
    "prescription": _PRESCRIBED,
    "prescription_narcotic": _PRESCRIBED,
    "prescription_psychotropic": _PRESCRIBED,
    "procedure_report": _WRITTEN,
    "record_summary": {"ADT^A03", "GDBHYT^XML8"},
    "reexamination": {"SIU^S12", "SIU^S13", "SIU^S14", "GDBHYT^XML14"},
    "referral": {"REF^I12", "REF^I13", "GDBHYT^XML13"},
    "treatment_sheet": _WRITTEN,
}


@pytest.mark.parametrize("paper", DUE)
def test_a_paper_is_due_after_its_message_only(paper: str) -> None:
    subject, record = sample(paper)
    for trigger in {trigger for triggers in DUE.values() for trigger in triggers}:
        assert documents.due(paper, trigger, record) == ([subject] if trigger in DUE[paper] else [])


def test_every_paper_says_when_it_is_due() -> None:
    assert set(DUE) == set(documents.PAPERS)


@pytest.mark.parametrize(
    ("status", "is_due"),
    [("final", True), ("corrected", True), ("amended", True), ("preliminary", False), ("partial", False)],
)
def test_one_lab_report_for_each_finished_report(status: str, is_due: bool) -> None:
    _, record = sample("lab_report")
    first = find(record, "DiagnosticReport/pk1")
    first["status"] = status
    second = {**first, "id": "pk2", "status": "final"}
    wanted = (["DiagnosticReport/pk1"] if is_due else []) + ["DiagnosticReport/pk2"]
    assert documents.due("lab_report", "ORU^R01", [*record, second]) == wanted


def test_a_report_without_any_result_makes_no_paper() -> None:
    subject, record = sample("lab_report")
    report = find(record, "DiagnosticReport/pk1")
    del report["result"]
    assert documents.due("lab_report", "ORU^R01", record) == [subject]
    del report["conclusion"]
    assert documents.due("lab_report", "ORU^R01", record) == []
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("lab_report", subject, record, CONTEXT)
    assert incomplete.value.detail == "KET_QUA ← OBX-5"


def test_imaging_has_a_paper_of_its_own() -> None:
    _, record = sample("lab_report")
    find(record, "DiagnosticReport/pk1")["category"] = [coded("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD")]
    assert documents.due("lab_report", "ORU^R01", record) == []


@pytest.mark.parametrize("code", ["FOLLOWUP", "KHAMLAI", "recheck"])
@pytest.mark.parametrize("place", ["appointmentType", "reasonCode", "serviceType"])
def test_reexamination_is_known_by_type_reason_or_service(code: str, place: str) -> None:
    _, record = sample("reexamination")
    appointment = find(record, "Appointment/hen1")
    appointment["appointmentType"] = coded("x", "ROUTINE")
    assert documents.due("reexamination", "SIU^S12", record) == []
    appointment[place] = coded("x", code) if place == "appointmentType" else [coded("x", code)]
    assert documents.due("reexamination", "SIU^S12", record) == ["Appointment/hen1"]
    appointment["status"] = "cancelled"
    assert documents.due("reexamination", "SIU^S12", record) == []


def test_a_request_for_tests_is_no_referral() -> None:
    _, record = sample("referral")
    order = {"resourceType": "ServiceRequest", "id": "o", "status": "active", "performer": [ref("Organization", "den")]}
    assert documents.due("referral", "REF^I12", [order, *record]) == ["ServiceRequest/ct1"]
    assert documents.due("referral", "REF^I12", [order, *without(record, "ServiceRequest/ct1")]) == ["ServiceRequest/o"]


def test_numbers_make_the_document_not_its_set() -> None:
    subject, record = sample("discharge_paper")
    other = replace(CONTEXT, number="0192f6a0-3333-7abc-8def-0123456789ab")
    one = documents.compose("discharge_paper", subject, record, CONTEXT)
    two = documents.compose("discharge_paper", subject, record, other)
    assert one["identifier"] != two["identifier"]
    assert composition(one)["identifier"] == composition(two)["identifier"]
