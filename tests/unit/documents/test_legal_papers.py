"""What the papers of births, deaths, leave and the summary of a record say, when they are due, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway import steps
from mappings import bhyt, documents
from mappings.bhyt import TABLE_OF_PAPER
from mappings.bhyt.faults import PaperNotInsured
from mappings.documents import form
from mappings.documents.faults import (
    FormNotInForce,
    ItemMalformed,
    ItemsDisagree,
    LeaveDatesWrong,
    LeaveTooLong,
    PaperIncomplete,
    VisitUnfit,
)
from mappings.documents.numerals import day_in_words, in_words
from mappings.documents.record import Record
from mappings.formats import json, safe_xml
from mappings.formats.faults import Fault
from mappings.outcome import Resource
from mappings.systems import DEFAULT, ICD10
from tests.unit.documents.reading import cells, composition
from tests.unit.documents.samples import CONTEXT, FACILITY, child, coded, field, mother, ref, sample, without

LEGAL = ("birth_certificate", "death_notice", "leave_paper", "maternity_rest_paper", "record_summary")


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


def told(record: list[Resource], **texts: str) -> list[Resource]:
    """Replace or add told fields."""
    gone = [f"Observation/f-{name.lower().replace('_', '-')}-dt1" for name in texts]
    return [*without(record, *gone), *(field(name, text) for name, text in texts.items() if text)]


def composed(paper: str, record: list[Resource], **changes: Any) -> Resource:
    return documents.compose(paper, sample(paper)[0], record, replace(CONTEXT, **changes))


def shown(paper: str, record: list[Resource] | None = None, /, **texts: str) -> dict[str, str]:
    return cells(composed(paper, told(sample(paper)[1] if record is None else record, **texts)))


def refused(paper: str, fault: type[Fault], record: list[Resource] | None = None, /, **texts: str) -> Fault:
    with pytest.raises(fault) as caught:
        shown(paper, record, **texts)
    return caught.value


# ---- summary of the record ----


def test_summary_rows() -> None:
    rows = shown("record_summary")
    assert rows["MS"] == "03"
    assert rows["CHAN_DOAN_VAO"] == "Sốt chưa rõ nguyên nhân (R50.9)"
    assert rows["CHAN_DOAN"].startswith("Viêm phổi, tác nhân không xác định (J18.9)\nKèm theo:")
    assert rows["PP_DIEUTRI"].split("\n") == ["☒ Nội khoa: Ceftriaxon", "☐ Phẫu thuật, thủ thuật:"]
    assert [line for line in rows["TT_RAVIEN"].split("\u2003") if "☒" in line] == ["☒ Đỡ"]
    assert [key for key in rows if key.startswith("KY-")] == ["KY-1"]


def test_summary_takes_reason_surgery_and_outcome_from_where_they_are() -> None:
    _, record = sample("record_summary")
    find(record, "Encounter/dt1")["reasonCode"] = [{"text": "Đau bụng"}]
    operation = {
        "resourceType": "Procedure",
        "id": "mo1",
        "status": "completed",
        "code": {"text": "Cắt ruột thừa nội soi"},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
    }
    other = {**operation, "id": "mo2", "encounter": ref("Encounter", "dt0"), "code": {"text": "Mổ đợt khác"}}
    changes = {"LYDO_VVIEN": "", "NOI_KHOA": "", "TT_RAVIEN": "", "KET_QUA_DTRI": "1", "PP_DIEUTRI": "Mổ cấp cứu"}
    rows = shown("record_summary", [*record, operation, other], **changes)
    assert rows["LYDO_VVIEN"] == "Đau bụng"
    assert rows["PP_DIEUTRI"].split("\n") == [
        "☐ Nội khoa:",
        "☒ Phẫu thuật, thủ thuật: Cắt ruột thừa nội soi",
        "Mổ cấp cứu",
    ]
    assert "☒ Khỏi" in rows["TT_RAVIEN"]


def test_summary_shows_an_outcome_in_words_that_fits_no_box() -> None:
    rows = shown("record_summary", TT_RAVIEN="Ổn định")
    assert rows["TT_RAVIEN"].startswith("Ổn định\u2003☐ Khỏi")
    assert "☒" not in rows["TT_RAVIEN"]


def test_summary_notes() -> None:
    rows = shown(
        "record_summary", IS_LAO_GIAI_DOAN_NANG="1", NGAY_SINHCON="20261103", SO_CONCHET="0", GHI_CHU="Theo dõi"
    )
    assert rows["GHI_CHU"].split("\n") == ["Theo dõi", "Lao giai đoạn nặng", "Ngày sinh con: 03/11/2026"]


@pytest.mark.parametrize(
    ("gone", "origin"),
    [
        ("QT_BENHLY", "OBX QT_BENHLY"),
        ("TOMTAT_KQ", "OBX TOMTAT_KQ"),
        ("LYDO_VVIEN", "PV2-3 · OBX LYDO_VVIEN"),
        ("TT_RAVIEN", "OBX TT_RAVIEN · OBX KET_QUA_DTRI"),
    ],
)
def test_summary_wants_what_the_doctor_sums_up(gone: str, origin: str) -> None:
    assert refused("record_summary", PaperIncomplete, **{gone: ""}).detail == f"{gone} ← {origin}"


def test_summary_without_an_admission_diagnosis() -> None:
    _, record = sample("record_summary")
    visit = find(record, "Encounter/dt1")
    visit["diagnosis"] = visit["diagnosis"][1:]
    assert refused("record_summary", PaperIncomplete, record).where == "Chẩn đoán lúc vào viện (CHAN_DOAN_VAO)"
    assert shown("record_summary", record, CHAN_DOAN_VAO="Theo dõi viêm phổi")["CHAN_DOAN_VAO"] == "Theo dõi viêm phổi"


def test_summary_of_an_older_stay_is_on_the_older_form() -> None:
    _, record = sample("record_summary")
    find(record, "Encounter/dt1")["period"] = {"start": "2025-06-20T08:00:00+07:00", "end": "2025-06-30T08:00:00+07:00"}
    rows = shown("record_summary", record, MA_LOAI_KCB="03")
    assert "☒ Điều trị nội trú\u2003" in rows["HINH_THUC"]
    assert "MS" not in rows


def test_only_a_stay_makes_a_summary_by_itself() -> None:
    subject, record = sample("record_summary")
    assert documents.due("record_summary", "ADT^A03", record) == [subject]
    find(record, "Encounter/dt1")["class"]["code"] = "AMB"
    assert documents.due("record_summary", "ADT^A03", record) == []
    assert composition(composed("record_summary", record))["title"] == "TÓM TẮT HỒ SƠ BỆNH ÁN"


# ---- death notice ----


def test_death_rows() -> None:
    rows = shown("death_notice", SO_GIAYTO="001186000001", NGAY_CAP="20210512", NOI_CAP="Bộ Công an")
    assert (rows["SO_BAOTU"], rows["QUYEN_SO"], rows["MA_GBT"]) == ("57", "01/2026", "00057.GBT.01999.26")
    assert rows["NGAY_TV"].split("\n") == [
        "09 giờ 45 phút, ngày 05 tháng 11 năm 2026",
        "(Bằng chữ: chín giờ bốn mươi lăm phút, ngày năm tháng mười một năm hai nghìn không trăm hai mươi sáu)",
    ]
    assert rows["GIAY_TO"] == "Căn cước công dân số 001186000001, cấp ngày 12/05/2021, tại Bộ Công an"
    assert rows["NGUYENNHAN_TV"] == "Suy hô hấp"
    assert (rows["KY-1"], rows["KY-2"], rows["KY-3"]) == ("Trần Văn Hoà", "Lê Quốc Vượng", "")
    assert rows["NGAY_CT"] == "Ngày 05 tháng 11 năm 2026"


def test_an_hour_of_death_that_is_not_known_stays_blank() -> None:
    assert shown("death_notice", NGAY_TV="20261105")["NGAY_TV"].startswith("… giờ … phút, ngày 05 tháng 11 năm 2026\n")


def test_the_cause_of_death_is_never_a_diagnosis() -> None:
    fault = refused("death_notice", PaperIncomplete, NGUYENNHAN_TV="")
    assert fault.detail == "NGUYENNHAN_TV ← OBX NGUYENNHAN_TV"
    assert shown("death_notice", NGUYENNHAN_TV="không rõ")["NGUYENNHAN_TV"] == "không rõ"
    assert (
        refused("death_notice", ItemMalformed, NGUYENNHAN_TV="x" * 256).where == "Nguyên nhân tử vong (NGUYENNHAN_TV)"
    )


def test_numbers_of_a_death_are_told_and_never_made() -> None:
    assert shown("death_notice", MA_GBT="")["MA_GBT"] == ""
    assert refused("death_notice", ItemMalformed, MA_GBT="57.GBT.01999.26").where == "Mã giấy báo tử (MA_GBT)"
    assert refused("death_notice", PaperIncomplete, SO_BAOTU="").where == "Số (SO_BAOTU)"


def test_a_death_notice_issued_again_names_the_first() -> None:
    rows = shown("death_notice", SO_BAOTU="61", SO_BAOTU_BD="57", QUYEN_SO_BD="01/2026")
    assert rows["SO_BAOTU_BD"] == "Số ban đầu: 57, quyển số: 01/2026"
    assert rows["CAP_LAI"] == "CẤP LẠI"
    assert "CAP_LAI" not in shown("death_notice")


def test_who_writes_is_an_author_only_when_known() -> None:
    _, record = sample("death_notice")
    head = composition(composed("death_notice", told(record, NGUOI_GHIGIAY="Người lạ")))
    assert head["author"][0]["reference"] == "Organization/cskcb"
    assert [one["mode"] for one in head["attester"]] == ["legal"]


@pytest.mark.parametrize("sign", ["disposition", "time", "flag", "outcome", "none"])
def test_a_visit_that_ends_in_death_makes_a_notice(sign: str) -> None:
    subject, record = sample("discharge_paper")
    visit, patient = find(record, "Encounter/dt1"), find(record, "Patient/bn1")
    if sign == "disposition":
        disposition = coded("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp", "Expired")
        visit["hospitalization"] = {"dischargeDisposition": disposition}
    elif sign == "time":
        patient["deceasedDateTime"] = "2026-11-05"
    elif sign == "flag":
        patient["deceasedBoolean"] = True
    elif sign == "outcome":
        outcome = field("KET_QUA_DTRI", "")
        outcome["valueCodeableConcept"] = coded("x", "5", "Tử vong")
        record.append({key: value for key, value in outcome.items() if key != "valueString"})
    assert documents.due("death_notice", "ADT^A03", record) == ([] if sign == "none" else [subject])
    assert documents.due("death_notice", "ADT^A08", record) == []


# ---- leave paper ----


def test_leave_rows() -> None:
    rows = shown("leave_paper")
    assert rows["SO_KCB"] == "1207/KCB"
    assert rows["MA_BHXH"] == "0119000310 / GD4010112345678"
    assert rows["NGAY_KHAM"] == "01/11/2026"
    assert rows["CHANDOAN_DIEUTRI"].endswith("(E11.9)\nPhương pháp điều trị: Kháng sinh, nghỉ ngơi")
    assert rows["SO_NGAY_NGHI"] == "03 (Từ ngày 01 tháng 11 năm 2026 đến hết ngày 03 tháng 11 năm 2026)"
    assert (rows["HO_TEN_CHA"], rows["HO_TEN_ME"]) == ("", "")
    assert rows["NGAY_CT"] == "Ngày 01 tháng 11 năm 2026"
    assert (rows["KY-1"], rows["KY-2"]) == ("", "Lê Quốc Vượng")


def test_a_leave_paper_issued_again_is_dated_by_that() -> None:
    _, record = sample("leave_paper")
    assert cells(composed("leave_paper", record, reissue=True))["NGAY_CT"] == "Ngày 05 tháng 11 năm 2026"


@pytest.mark.parametrize("told_by", ["message", "settings"])
def test_where_the_head_examined_the_facility_signs_alone(told_by: str) -> None:
    _, record = sample("leave_paper")
    licence = "000123/HNO-CCHN"
    facility = replace(FACILITY, head_licence=licence if told_by == "settings" else "")
    record = told(record, MA_TTDV=licence) if told_by == "message" else record
    bundle = composed("leave_paper", record, facility=facility)
    assert cells(bundle)["KY-2"] == ""
    assert [one["mode"] for one in composition(bundle)["attester"]] == ["legal"]
    assert composition(bundle)["author"][0]["reference"] == "Practitioner/bs1"


def test_leave_is_for_outpatients() -> None:
    _, record = sample("leave_paper")
    find(record, "Encounter/dt1")["class"]["code"] = "IMP"
    fault = refused("leave_paper", VisitUnfit, record)
    assert (fault.where, fault.detail) == ("PV1-2", "IMP")
    assert documents.due("leave_paper", "ADT^A03", record) == []


def lasting(days: int) -> dict[str, str]:
    last = date.fromordinal(date(2026, 11, 1).toordinal() + days - 1)
    return {"SO_NGAY_NGHI": str(days), "DEN_NGAY": f"{last:%Y%m%d}"}


@pytest.mark.parametrize(
    ("most", "more"),
    [
        (30, {}),
        (30, {"MA_DINH_CHI_THAI": "1", "TUOI_THAI": "12"}),
        (30, {"TUOI_THAI": "20"}),
        (50, {"MA_DINH_CHI_THAI": "1", "TUOI_THAI": "13"}),
        (180, {"lao": "A15.0"}),
    ],
)
def test_the_days_of_leave_have_a_limit(most: int, more: dict[str, str]) -> None:
    _, record = sample("leave_paper")
    if disease := more.pop("lao", ""):
        find(record, "Condition/cd2")["code"] = {**coded(ICD10, disease), "text": "Lao phổi"}
    assert shown("leave_paper", record, **more, **lasting(most))["SO_NGAY_NGHI"].startswith(str(most))
    fault = refused("leave_paper", LeaveTooLong, record, **more, **lasting(most + 1))
    assert (fault.where, fault.detail) == ("SO_NGAY_NGHI", f"{most + 1} > {most}")


@pytest.mark.parametrize(
    ("texts", "where", "detail"),
    [
        ({"TU_NGAY": "20261102", "DEN_NGAY": "20261104"}, "TU_NGAY", "TU_NGAY ≠ PV1-44"),
        ({"SO_NGAY_NGHI": "4"}, "SO_NGAY_NGHI", "TU_NGAY–DEN_NGAY: 3 ≠ 4"),
        ({"DEN_NGAY": "20261031"}, "SO_NGAY_NGHI", "TU_NGAY–DEN_NGAY: 0 ≠ 3"),
        ({"DEN_NGAY": "03/11/2026"}, "DEN_NGAY", "YYYYMMDD"),
        ({"TU_NGAY": "202611"}, "TU_NGAY", "YYYYMMDD"),
        ({"SO_NGAY_NGHI": "ba"}, "SO_NGAY_NGHI", "≥ 1"),
    ],
)
def test_days_of_leave_that_do_not_agree(texts: dict[str, str], where: str, detail: str) -> None:
    fault = refused("leave_paper", LeaveDatesWrong, **texts)
    assert (fault.where, fault.detail) == (where, detail)


def test_leave_wants_all_of_its_days() -> None:
    assert refused("leave_paper", PaperIncomplete, DEN_NGAY="").where == "Số ngày nghỉ (SO_NGAY_NGHI)"


def test_leave_for_a_small_child_names_a_parent() -> None:
    _, record = sample("leave_paper")
    record = [child(), *without(record, "Patient/bn1", "Coverage/bhyt1")]
    fault = refused("leave_paper", PaperIncomplete, record)
    assert fault.where == "Họ và tên mẹ (HO_TEN_ME)"
    assert "NK1-2" in fault.detail
    assert shown("leave_paper", [*record, mother()])["HO_TEN_ME"] == "Trần Thị Hoà"
    assert shown("leave_paper", record, HO_TEN_CHA="Nguyễn Văn Nam")["HO_TEN_CHA"] == "Nguyễn Văn Nam"


def test_leave_after_a_pregnancy_ended_says_how_old_it_was() -> None:
    assert refused("leave_paper", PaperIncomplete, MA_DINH_CHI_THAI="1").detail == "TUOI_THAI ← OBX TUOI_THAI"
    rows = shown("leave_paper", MA_DINH_CHI_THAI="1", TUOI_THAI="9", NGUYENNHAN_DINHCHI="Thai lưu")
    assert "Đình chỉ thai nghén: tuổi thai 9 tuần; Thai lưu" in rows["CHANDOAN_DIEUTRI"].split("\n")
    assert "Tuổi thai: 9 tuần" in shown("leave_paper", TUOI_THAI="9")["CHANDOAN_DIEUTRI"].split("\n")


def test_leave_before_its_form_is_made_outside() -> None:
    _, record = sample("leave_paper")
    find(record, "Encounter/dt1")["period"] = {"start": "2025-06-30T08:00:00+07:00"}
    assert refused("leave_paper", FormNotInForce, record).detail == "2025-06-30"


@pytest.mark.parametrize(
    ("texts", "is_due"),
    [({}, True), ({"SO_NGAY_NGHI": "0", "TU_NGAY": ""}, False), ({"SO_NGAY_NGHI": "", "SO_NGAY": "3"}, False)],
)
def test_leave_is_due_when_it_is_told(texts: dict[str, str], is_due: bool) -> None:
    subject, record = sample("leave_paper")
    assert documents.due("leave_paper", "ADT^A08", told(record, **texts)) == ([subject] if is_due else [])


# ---- maternity rest paper ----


def test_rest_rows() -> None:
    rows = shown("maternity_rest_paper", NGAYCAP_CCCD="20220115", NOICAP_CCCD="Bộ Công an")
    assert (rows["MS"], rows["SO_CT"], rows["SO_SERI"]) == ("11", "88", "DT-000088")
    assert rows["NGAYCAP_CCCD"] == "15/01/2022, Bộ Công an"
    assert rows["TUOI_THAI"] == "11 tuần"
    assert rows["SO_NGAY"].startswith("14 (Từ ngày 01 tháng 11 năm 2026")


def test_rest_has_no_limit_but_its_days_agree() -> None:
    assert shown("maternity_rest_paper", SO_NGAY="61", DEN_NGAY="20261231")["SO_NGAY"].startswith("61")
    assert refused("maternity_rest_paper", LeaveDatesWrong, SO_NGAY="13").where == "SO_NGAY"
    assert refused("maternity_rest_paper", PaperIncomplete, TUOI_THAI="").where == "Tuổi thai (TUOI_THAI)"


def test_rest_before_july_2025_is_on_the_older_form() -> None:
    _, record = sample("maternity_rest_paper")
    find(record, "Encounter/dt1")["period"] = {"start": "2025-06-05T08:00:00+07:00"}
    rows = shown("maternity_rest_paper", record, TU_NGAY="20250605", DEN_NGAY="20250618", TUOI_THAI="")
    assert rows["HO_TEN"] == "ĐẶNG THỊ THUỲ ƯỞNG, ngày sinh: 12/03/1986"
    assert "TUOI_THAI" not in rows


# ---- birth certificate ----


def test_birth_rows() -> None:
    rows = shown("birth_certificate", SINHCON_PHAUTHUAT="1", SINHCON_DUOI32TUAN="0", HO_TEN_CHA="Nguyễn Văn Nam")
    assert (rows["MA_GCS"], rows["SO_GCS"]) == ("00311.GCS.01999.26", "311")
    assert (rows["HO_TEN_NND"], rows["NGAYSINH_NND"], rows["DAN_TOC_NND"]) == ("TRẦN THỊ HOÀ", "14/02/1990", "Thái")
    assert rows["MA_BHXH_NND"] == "0000000000"
    assert rows["HO_TEN_CHA"] == "NGUYỄN VĂN NAM"
    assert rows["NGAY_SINH_CON"] == "08 giờ 30 phút, ngày 01 tháng 11 năm 2026"
    assert (rows["GIOI_TINH_CON"], rows["CAN_NANG_CON"], rows["SO_CON"]) == ("Nữ", "3100 gam", "1")
    assert rows["GHI_CHU"] == "Sinh con phải phẫu thuật"
    assert (rows["KY-1"], rows["KY-2"], rows["KY-3"]) == ("", "Lê Quốc Vượng", "")
    assert rows["HO_TEN_CON"] == ""


def test_a_birth_is_filled_from_relatives_and_the_child() -> None:
    _, record = sample("birth_certificate")
    find(record, "Patient/bn1").update(
        multipleBirthBoolean=False,
        _birthDate={
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                    "valueDateTime": "2026-11-01T08:30:00+07:00",
                }
            ]
        },
    )
    find(record, "Patient/bn1")["extension"].append(
        {
            "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
            "valueAddress": {"text": "Trạm y tế xã Yên Sở"},
        }
    )
    find(record, "RelatedPerson/me1").update(
        birthDate="1990-02-14",
        address=[{"text": "Bản Nà Nghè"}],
        identifier=[{"system": DEFAULT.cccd, "value": "001190000310"}, {"system": DEFAULT.bhxh, "value": "0119000310"}],
    )
    gone = ("NGAY_SINH_CON", "NGAYSINH_NND", "SO_CCCD_NND", "NOI_CU_TRU_NND", "MA_BHXH_NND", "NOI_SINH_CON", "SO_CON")
    rows = shown("birth_certificate", record, **dict.fromkeys(gone, ""))
    assert rows["NGAY_SINH_CON"] == "08 giờ 30 phút, ngày 01 tháng 11 năm 2026"
    assert (rows["NGAYSINH_NND"], rows["SO_CCCD_NND"]) == ("14/02/1990", "001190000310")
    assert (rows["NOI_CU_TRU_NND"], rows["MA_BHXH_NND"]) == ("Bản Nà Nghè", "0119000310")
    assert (rows["NOI_SINH_CON"], rows["SO_CON"]) == ("Trạm y tế xã Yên Sở", "1")


def test_a_foreign_mother_is_named_as_such() -> None:
    assert shown("birth_certificate", MA_QUOCTICH="LAO^Lào")["DAN_TOC_NND"] == "Người nước ngoài (Lào)"
    assert shown("birth_certificate", MA_QUOCTICH="000")["DAN_TOC_NND"] == "Thái"


@pytest.mark.parametrize(
    "gone", ["MA_GCS", "SO", "MA_BHXH_NND", "CAN_NANG_CON", "SO_CON", "NOI_SINH_CON", "NGUOI_DO_DE", "MA_DANTOC_NND"]
)
def test_nothing_of_a_birth_is_made_up(gone: str) -> None:
    assert f"OBX {gone}" in refused("birth_certificate", PaperIncomplete, **{gone: ""}).detail


def test_a_birth_without_its_hour() -> None:
    assert refused("birth_certificate", PaperIncomplete, NGAY_SINH_CON="20261101").where.endswith("(NGAY_SINH_CON)")


def test_the_code_of_a_birth_has_its_form() -> None:
    assert refused("birth_certificate", ItemMalformed, MA_GCS="311.GCS.01999.26").where == "Mã giấy chứng sinh (MA_GCS)"


def test_born_before_october_2025_first_on_the_old_form_again_on_the_new() -> None:
    _, record = sample("birth_certificate")
    find(record, "Patient/bn1")["birthDate"] = "2025-09-30"
    record = told(record, NGAY_SINH_CON="20250930235900", NGUOI_GHI_PHIEU="Vũ Thị Mai")
    first = cells(composed("birth_certificate", record))
    assert [first[f"KY-{n}"] for n in (1, 2, 3, 4)] == ["", "Lê Quốc Vượng", "Vũ Thị Mai", ""]
    assert "MA_GCS" not in first
    for again in (
        cells(composed("birth_certificate", record, reissue=True)),
        shown("birth_certificate", record, CAP_LAI="1"),
    ):
        assert again["MA_GCS"] == "00311.GCS.01999.26"
        assert again["CAP_LAI"] == "CẤP LẠI"
        assert "KY-4" not in again
    find(record, "Patient/bn1")["birthDate"] = "2025-10-01"
    assert cells(composed("birth_certificate", told(record, NGAY_SINH_CON="20251001000100")))["MS"] == "01"


def test_the_mothers_message_makes_no_certificate_of_her() -> None:
    _, record = sample("birth_certificate")
    find(record, "Patient/bn1")["birthDate"] = "1990-02-14"
    assert documents.due("birth_certificate", "ADT^A08", record) == []
    alone = without(told(record, NGAY_SINH_CON=""), "RelatedPerson/me1")
    assert documents.due("birth_certificate", "ADT^A08", alone) == []
    fault = refused("birth_certificate", ItemsDisagree, record)
    assert (fault.where, fault.detail) == ("NGAY_SINH_CON", "PID-7")


def test_every_twin_has_its_own() -> None:
    _, record = sample("birth_certificate")
    other = json.loads(json.dumps(record).replace(b'bn1"', b'bn2"'))
    one = composition(composed("birth_certificate", record))
    two = composition(documents.compose("birth_certificate", "Patient/bn2", other, CONTEXT))
    assert one["identifier"] != two["identifier"]
    assert (one["subject"]["reference"], two["subject"]["reference"]) == ("Patient/bn1", "Patient/bn2")


@pytest.mark.parametrize(
    ("born", "kind", "with_mother", "is_due"),
    [
        ("2026-10-31", "", True, True),
        ("2026-10-31", "", False, False),
        ("2026-10-03", "", True, False),
        ("2020-11-01", "", True, False),
        ("2026-10-31", "0007", False, True),
        ("1990-02-14", "0018", False, False),
    ],
)
def test_a_newborn_makes_a_certificate(born: str, kind: str, with_mother: bool, is_due: bool) -> None:
    _, record = sample("discharge_paper")
    find(record, "Patient/bn1")["birthDate"] = born
    if kind:
        find(record, "Encounter/dt1")["type"] = [coded(f"http://terminology.hl7.org/CodeSystem/v2-{kind}", "N")]
    record += [mother()] if with_mother else []
    assert documents.due("birth_certificate", "ADT^A01", record) == (["Patient/bn1"] if is_due else [])
    assert documents.due("birth_certificate", "ADT^A08", record) == []


# ---- what changed in the older papers ----


def test_discharge_says_leave_and_the_end_of_a_pregnancy() -> None:
    days = {"SO_NGAY_NGHI": "10", "NGOAITRU_TUNGAY": "20261106", "NGOAITRU_DENNGAY": "20261115"}
    rows = shown(
        "discharge_paper", MA_DINH_CHI_THAI="1", TUOI_THAI="14", GHI_CHU="", IS_XO_GAN_GIAI_DOAN_MAT_BU="1", **days
    )
    assert rows["GHI_CHU"].split("\n") == [
        "Số ngày nghỉ: 10 (Từ ngày 06 tháng 11 năm 2026 đến hết ngày 15 tháng 11 năm 2026)",
        "Xơ gan giai đoạn mất bù",
    ]
    assert rows["PP_DIEUTRI"].endswith("\nĐình chỉ thai nghén: tuổi thai 14 tuần")
    assert shown("discharge_paper", **days)["GHI_CHU"] == "Nghỉ ngoại trú 05 ngày."
    assert refused("discharge_paper", PaperIncomplete, MA_DINH_CHI_THAI="1").detail == "TUOI_THAI ← OBX TUOI_THAI"
    assert refused("discharge_paper", LeaveTooLong, SO_NGAY_NGHI="31").detail == "31 > 30"
    assert shown("discharge_paper", SO_NGAY_NGHI="0", GHI_CHU="")["GHI_CHU"] == ""


def test_a_day_told_at_the_end_of_a_visit_makes_a_slip() -> None:
    _, record = sample("reexamination")
    record = told(without(record, "Appointment/hen1"), NGAY_HEN_KL="20261120")
    assert documents.due("reexamination", "ADT^A03", record) == ["Encounter/dt1"]
    assert documents.due("reexamination", "ADT^A03", told(record, NGAY_HEN_KL="")) == []
    bundle = documents.compose("reexamination", "Encounter/dt1", record, CONTEXT)
    assert cells(bundle)["NGAY_HEN_KL"] == "ngày 20 tháng 11 năm 2026"
    assert composition(bundle)["encounter"] == ref("Encounter", "dt1")


@pytest.mark.parametrize("paper", ["reexamination", "referral"])
@pytest.mark.parametrize(("day", "digital"), [("2026-05-31", False), ("2026-06-01", True), ("2025-01-01", False)])
def test_the_facility_may_seal_digitally_from_june_2026(paper: str, day: str, digital: bool) -> None:
    edition = form.form(paper).on(date.fromisoformat(day))
    hint = next(signer.hint for signer in edition.signers if signer.role == "legal")
    assert ("chữ ký số" in hint) is digital
    assert edition.sections == form.form(paper).editions[0].sections


def test_a_doctor_told_by_role_is_found() -> None:
    _, record = sample("discharge_paper")
    role = {"resourceType": "PractitionerRole", "id": "vt1", "practitioner": ref("Practitioner", "bs1")}
    visit = find(record, "Encounter/dt1")
    visit["participant"][0]["individual"] = ref("PractitionerRole", "vt1")
    doctor = Record([*record, role], DEFAULT).doctor(visit)
    assert doctor is not None
    assert doctor["id"] == "bs1"


# ---- without a table of the insurance portal ----


@pytest.mark.parametrize("paper", [paper for paper in LEGAL if paper not in TABLE_OF_PAPER])
def test_a_paper_the_portal_has_no_table_for_is_made_all_the_same(paper: str) -> None:
    subject, record = sample(paper)
    made = steps.compose(paper, subject, json.dumps(record), CONTEXT, "000001/HNO-CCHN")
    assert made.renditions.keys() == {"fhir", "cda"}
    assert isinstance(made.refused["gdbhyt"], PaperNotInsured)
    assert made.refused["gdbhyt"].detail == paper


def test_a_slip_of_a_visit_has_its_table() -> None:
    _, record = sample("reexamination")
    record = told(without(record, "Appointment/hen1"), NGAY_HEN_KL="20261120")
    made = steps.compose("reexamination", "Encounter/dt1", json.dumps(record), CONTEXT, "000001/HNO-CCHN")
    assert made.refused == {}
    row = safe_xml.parse(dict(bhyt.read(made.renditions["gdbhyt"]).visits[0])["XML14"])
    assert (row.findtext(".//NGAY_HEN_KL"), row.findtext(".//SO_GIAYHEN_KL")) == ("20261120", CONTEXT.number)


# ---- numbers in words ----


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (5, "năm"),
        (10, "mười"),
        (15, "mười lăm"),
        (21, "hai mươi mốt"),
        (24, "hai mươi bốn"),
        (55, "năm mươi lăm"),
        (101, "một trăm linh một"),
        (1_000, "một nghìn"),
        (2_005, "hai nghìn không trăm linh năm"),
        (2_026, "hai nghìn không trăm hai mươi sáu"),
        (1_000_010, "một triệu không trăm mười"),
        (3_000_000_000, "ba tỷ"),
    ],
)
def test_numbers_in_words(number: int, words: str) -> None:
    assert in_words(number) == words


def test_a_day_in_words() -> None:
    assert day_in_words(2026, 4, 1) == "ngày một tháng tư năm hai nghìn không trăm hai mươi sáu"
