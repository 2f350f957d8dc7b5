"""Reports of pictures, order sheets and the sheets of the record: what each says, and when it is due."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest

from mappings import codes, documents
from mappings.documents import told
from mappings.documents.faults import PaperIncomplete
from mappings.documents.record import Record
from mappings.outcome import Resource
from mappings.systems import DEFAULT, LOINC
from tests.unit.documents.clinical_samples import SECTION, written
from tests.unit.documents.clinical_samples import told as field_inside
from tests.unit.documents.reading import cells, composition, divs, table, text_of
from tests.unit.documents.samples import CONTEXT, coded, doctor, ref, result, sample, without

_TD = "{http://www.w3.org/1999/xhtml}"


def find(record: list[Resource], reference: str) -> Resource:
    return next(r for r in record if f"{r['resourceType']}/{r['id']}" == reference)


def shown(paper: str, record: list[Resource] | None = None) -> dict[str, str]:
    subject, known = sample(paper)
    return cells(documents.compose(paper, subject, known if record is None else record, CONTEXT))


# ---- imaging ----


def test_imaging_report_rows() -> None:
    subject, record = sample("imaging_report")
    bundle = documents.compose("imaging_report", subject, record, CONTEXT)
    rows = cells(bundle)
    assert composition(bundle)["title"] == "PHIẾU CHIẾU/CHỤP X-QUANG"
    assert (rows["MS"], rows["SO"], rows["SO_CA_CHUP"]) == ("08/BV2", "KQ-ha", "ACC10")
    assert (rows["TEN_DICH_VU"], rows["MA_CHI_DINH"]) == ("Chụp X-quang ngực thẳng", "CD26000010")
    assert (rows["NGAY_YL"], rows["NGAY_TH"], rows["NGAY_TRA_KQ"]) == (
        "07:40 02/11/2026",
        "08:00 02/11/2026",
        "09:00 02/11/2026",
    )
    assert [rows[key] for key in ("KY_THUAT", "MO_TA", "KET_LUAN", "DE_NGHI")] == [
        "Tư thế thẳng",
        "Mờ đáy phổi phải",
        "Viêm phổi phải",
        "Chụp lại sau 07 ngày",
    ]
    assert (rows["NGUOI_THUC_HIEN"], rows["KY-1"], rows["KY-2"]) == ("Tạ Văn Sơn", "Lê Quốc Vượng", "Lưu Bích Ngọc")
    assert [e["resource"]["id"] for e in bundle["entry"] if e["resource"]["resourceType"] == "ImagingStudy"] == ["ca1"]


def test_the_uid_of_a_structured_report_is_no_number_for_people() -> None:
    subject, record = sample("imaging_report")
    report = find(record, subject)
    uid = {"system": "urn:dicom:uid", "value": "urn:oid:2.25.1"}
    report["identifier"] = [uid, {"system": DEFAULT.local("01999", "accession"), "value": "ACC10"}]
    assert shown("imaging_report", record)["SO"] == "ACC10"
    report["identifier"] = [uid]
    assert shown("imaging_report", record)["SO"] == CONTEXT.number


@pytest.mark.parametrize(
    ("section", "number", "title"),
    [
        ("RX", "08/BV2", "PHIẾU CHIẾU/CHỤP X-QUANG"),
        ("CT", "09/BV2", "PHIẾU CHỤP CẮT LỚP VI TÍNH"),
        ("NMR", "10/BV2", "PHIẾU CHỤP CỘNG HƯỞNG TỪ"),
        ("CUS", "11/BV2", "PHIẾU SIÊU ÂM"),
        ("EC", "12/BV2", "PHIẾU ĐIỆN TIM"),
        ("EN", "13/BV2", "PHIẾU ĐIỆN NÃO"),
        ("ES", "14/BV2", "PHIẾU NỘI SOI"),
        ("PF", "15/BV2", "PHIẾU ĐO CHỨC NĂNG HÔ HẤP"),
        ("NMS", "", "PHIẾU KẾT QUẢ CHẨN ĐOÁN HÌNH ẢNH"),
        ("RAD", "08/BV2", "PHIẾU CHIẾU/CHỤP X-QUANG"),
    ],
)
def test_each_kind_of_examination_has_its_form(section: str, number: str, title: str) -> None:
    subject, record = sample("imaging_report")
    find(record, "DiagnosticReport/ha")["category"] = [coded(SECTION, section)]
    assert documents.due("imaging_report", "ORU^R01", record) == [subject]
    assert documents.due("lab_report", "ORU^R01", record) == []
    bundle = documents.compose("imaging_report", subject, record, CONTEXT)
    assert (cells(bundle)["MS"], composition(bundle)["title"]) == (number, title)


def test_a_report_without_fields_is_described_by_its_results() -> None:
    _, record = sample("imaging_report")
    report = find(record, "DiagnosticReport/ha")
    finding = {**result("r1", "Thất trái", valueString="Không giãn"), "code": {"text": "Thất trái"}}
    impression = {**result("r2", "Impression", valueString="Bình thường"), "code": coded(LOINC, "19005-8")}
    report["result"] = [ref("Observation", one["id"]) for one in (finding, impression)]
    rows = shown("imaging_report", [*record, finding, impression])
    assert (rows["MO_TA"], rows["KET_LUAN"]) == ("Thất trái: Không giãn", "Bình thường")


def test_a_picture_that_nobody_read_makes_no_paper() -> None:
    subject, record = sample("imaging_report")
    find(record, "DiagnosticReport/ha")["result"] = []
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("imaging_report", subject, record, CONTEXT)
    assert incomplete.value.detail == "MO_TA ← OBX MO_TA; KET_LUAN ← OBX KET_LUAN"
    del find(record, "DiagnosticReport/ha")["result"]
    assert documents.due("imaging_report", "ORU^R01", record) == []


@pytest.mark.parametrize("status", ["preliminary", "registered", "cancelled"])
def test_only_a_finished_report_makes_a_paper(status: str) -> None:
    _, record = sample("imaging_report")
    find(record, "DiagnosticReport/ha")["status"] = status
    assert documents.due("imaging_report", "ORU^R01", record) == []


def test_a_document_of_imaging_is_read_by_its_text() -> None:
    _, record = sample("imaging_report")
    document = written("tl", coded("http://terminology.hl7.org/CodeSystem/v2-0270", "DI"), [])
    data = b64encode("Gan không to.".encode()).decode()
    document["content"] = [{"attachment": {"contentType": "text/plain; charset=utf-8", "data": data}}]
    del document["context"]["related"]
    record = [*without(record, "DiagnosticReport/ha"), document]
    assert documents.due("imaging_report", "MDM^T02", record) == ["DocumentReference/tl"]
    rows = cells(documents.compose("imaging_report", "DocumentReference/tl", record, CONTEXT))
    assert (rows["MO_TA"], rows["KET_LUAN"], rows["KY-2"]) == ("Gan không to.", "", "Lê Quốc Vượng")


def test_a_result_of_another_laboratory_is_marked() -> None:
    _, record = sample("lab_report")
    place = {
        "resourceType": "Organization",
        "id": "xn2",
        "identifier": [{"system": DEFAULT.facility, "value": "01998"}],
        "name": "Viện Thử Nghiệm",
    }
    find(record, "Observation/kq2")["performer"] = [ref("Organization", "xn2")]
    find(record, "Observation/kq1")["performer"] = [ref("Organization", "cskcb")]
    rows = shown("lab_report", [*record, place])
    assert (rows["TEN_CHI_SO-1"], rows["TEN_CHI_SO-2"]) == ("Glucose máu", "Kali máu (*)")
    assert rows["XN_GUI_NGOAI"] == "Viện Thử Nghiệm"


# ---- orders ----


def test_order_sheet_rows() -> None:
    subject, record = sample("order_sheet")
    bundle = documents.compose("order_sheet", subject, record, CONTEXT)
    rows = cells(bundle)
    assert (rows["SO"], rows["KY-1"], rows["TONG_TIEN"]) == ("PCD7", "Lê Quốc Vượng", "")
    assert rows["UU_TIEN"].split() == ["☐", "Thường", "☒", "Cấp", "cứu"]
    assert table(bundle) == [
        ["STT", "Mã chỉ định", "Tên dịch vụ", "Số lượng"],
        ["1", "CD-2", "Tổng phân tích tế bào máu", "2 lần"],
        ["2", "CD-10", "Điện tim", "10 lần"],
    ]


def test_prices_are_added_when_every_line_has_one() -> None:
    _, record = sample("order_sheet")
    told_price = field_inside("yc2", "THANH_TIEN", "46.200")
    find(record, "ServiceRequest/yc2")["supportingInfo"] = [ref("Observation", told_price["id"])]
    record.append(told_price)
    assert shown("order_sheet", record)["TONG_TIEN"] == ""
    second = field_inside("yc10", "THANH_TIEN", "1000000")
    find(record, "ServiceRequest/yc10")["supportingInfo"] = [ref("Observation", second["id"])]
    rows = shown("order_sheet", [*record, second])
    assert rows["TONG_TIEN"] == "1.046.200"


def test_orders_taken_back_leave_the_sheet() -> None:
    subject, record = sample("order_sheet")
    find(record, "ServiceRequest/yc2")["status"] = "revoked"
    assert [line[2] for line in table(documents.compose("order_sheet", subject, record, CONTEXT))[1:]] == ["Điện tim"]
    find(record, "ServiceRequest/yc10")["status"] = "revoked"
    with pytest.raises(PaperIncomplete):
        documents.compose("order_sheet", subject, record, CONTEXT)


def test_a_referral_is_no_order_sheet() -> None:
    _, record = sample("referral")
    find(record, "ServiceRequest/ct1")["code"] = {"text": "Chuyển"}
    assert documents.due("order_sheet", "OMG^O19", record) == []


# ---- sheets of the record ----


def test_procedure_report_rows() -> None:
    rows = shown("procedure_report")
    assert rows["NGAY_PTTT"] == "08 giờ 15 phút, ngày 02 tháng 11 năm 2026"
    assert (rows["PP_PTTT"], rows["LOAI_PTTT"]) == ("Phẫu thuật nội soi cắt túi mật", "Loại I")
    assert (rows["BS_PTTT"], rows["BS_GAY_ME"], rows["KY-1"]) == ("Lê Quốc Vượng", "Cù Thị Lan", "Lê Quốc Vượng")
    assert (rows["NGAY_RUT"], rows["LUOC_DO"], rows["BAC"]) == ("04/11/2026", "", "")
    assert rows["TRINH_TU"] == "Đặt 4 trocar\nCắt túi mật"


def test_two_procedures_of_a_day_are_not_guessed_between() -> None:
    _, record = sample("procedure_report")
    second = {**find(record, "Procedure/mo1"), "id": "mo2", "code": {"text": "Khác"}}
    subject, _ = sample("procedure_report")
    with pytest.raises(PaperIncomplete) as incomplete:
        documents.compose("procedure_report", subject, [*record, second], CONTEXT)
    assert incomplete.value.detail == "PP_PTTT ← PR1-3 · OBX PP_PTTT"


def test_a_drawing_is_counted() -> None:
    _, record = sample("procedure_report")
    picture = {"attachment": {"contentType": "image/png", "data": "AAAA"}}
    find(record, "DocumentReference/pt")["content"].append(picture)
    assert shown("procedure_report", record)["LUOC_DO"] == "01 hình kèm theo"


def test_consultation_minutes_rows() -> None:
    rows = shown("consultation_minutes")
    assert rows["NGAY_HOI_CHAN"] == "08 giờ 00 phút, ngày 02 tháng 11 năm 2026"
    assert (rows["CHU_TOA"], rows["THU_KY"], rows["THANH_VIEN"]) == ("Lê Quốc Vượng", "Hà Thị Thu", "BS Hà Thị Thu")
    assert (rows["KET_LUAN_HC"], rows["HUONG_DIEU_TRI_HC"]) == ("Có chỉ định mổ", "Mổ ngày 02/11")
    assert (rows["KY-1"], rows["KY-2"]) == ("Hà Thị Thu", "Lê Quốc Vượng")


def test_the_course_of_a_day_entry_by_entry_with_its_doctors() -> None:
    subject, record = sample("treatment_sheet")
    bundle = documents.compose("treatment_sheet", subject, record, CONTEXT)
    assert table(bundle) == [
        ["NGÀY GIỜ", "DIỄN BIẾN BỆNH", "Y LỆNH"],
        ["08:00 02/11/2026", "Tỉnh, hết sốt", "Ceftriaxon 2 g\nLê Quốc Vượng"],
        ["16:00 02/11/2026", "Ổn định", "Theo dõi tiếp\nHà Thị Thu"],
    ]
    rows = cells(bundle)
    assert (rows["TO_SO"], rows["KY-1"]) == ("03", "Hà Thị Thu")


def test_each_day_has_a_sheet_and_withdrawn_entries_leave_it() -> None:
    subject, record = sample("treatment_sheet")
    second = find(record, "DocumentReference/s2")
    second["context"]["period"]["start"] = "2026-11-02T18:00:00Z"
    wanted = {"Encounter/dt1#2026-11-02", "Encounter/dt1#2026-11-03"}
    assert set(documents.due("treatment_sheet", "MDM^T02", record)) == wanted
    assert len(table(documents.compose("treatment_sheet", subject, record, CONTEXT))) == 2
    find(record, "DocumentReference/s1")["status"] = "entered-in-error"
    with pytest.raises(PaperIncomplete):
        documents.compose("treatment_sheet", subject, record, CONTEXT)


def test_the_time_told_in_an_entry_counts() -> None:
    _, record = sample("treatment_sheet")
    told_at = field_inside("s1", "THOI_DIEM_DBLS", "202611020715")
    find(record, "DocumentReference/s1")["context"]["related"].append(ref("Observation", told_at["id"]))
    assert shown("treatment_sheet", [*record, told_at])["NGAY_GIO-1"] == "07:15 02/11/2026"


def test_care_by_times_with_its_nurses() -> None:
    subject, record = sample("care_sheet")
    bundle = documents.compose("care_sheet", subject, record, CONTEXT)
    lines = table(bundle)
    assert composition(bundle)["title"] == "PHIẾU CHĂM SÓC CẤP 1"
    assert cells(bundle)["MS"] == "37/BV2"
    assert lines[0] == ["Nội dung", "06:00\n02/11/2026", "14:00\n02/11/2026"]
    assert lines[1] == ["Mạch (lần/phút)", "84", "88"]
    assert ["Huyết áp (mmHg)", "", ""] in lines, "lines of the form stay"
    assert ["Nhận định", "Tỉnh", ""] in lines
    assert ["Can thiệp điều dưỡng", "", "Thay băng"] in lines
    assert lines[-1] == ["Điều dưỡng (ký, ghi rõ họ tên)", "Lê Quốc Vượng", "Lê Quốc Vượng"]


@pytest.mark.parametrize("turned", [False, True])
def test_pressure_is_written_systolic_first(turned: bool) -> None:
    _, record = sample("care_sheet")
    parts = [
        {**result("ha1", "Tâm thu", valueQuantity={"value": 120, "unit": "mmHg"}), "code": coded(LOINC, "8480-6")},
        {**result("ha2", "Tâm trương", valueQuantity={"value": 70, "unit": "mmHg"}), "code": coded(LOINC, "8462-4")},
    ]
    find(record, "DiagnosticReport/cs1")["result"] += [
        ref("Observation", one["id"]) for one in parts[:: -1 if turned else 1]
    ]
    assert ["Huyết áp (mmHg)", "120/70", ""] in table(
        documents.compose("care_sheet", sample("care_sheet")[0], [*record, *parts], CONTEXT)
    )


@pytest.mark.parametrize(("unit", "written"), [("mm[Hg]", "118/73"), ("kPa", "118/73 kPa")])
def test_the_mean_of_a_monitor_is_not_on_the_line_of_pressure(unit: str, written: str) -> None:
    subject, record = sample("care_sheet")
    parts = [
        {"code": coded(LOINC, code), "valueQuantity": {"value": value, "unit": unit, "code": unit}}
        for code, value in (("8480-6", 118), ("8462-4", 73), ("8478-0", 88))
    ]
    one = {**result("ha1", "Huyết áp"), "code": coded(LOINC, "85354-9"), "component": parts}
    find(record, "DiagnosticReport/cs1")["result"].append(ref("Observation", "ha1"))
    assert ["Huyết áp (mmHg)", written, ""] in table(documents.compose("care_sheet", subject, [*record, one], CONTEXT))


@pytest.mark.parametrize(
    ("code", "unit", "line"),
    [
        ("Cel", "°C", ["Nhiệt độ (°C)", "98.2", ""]),
        ("", "°C", ["Nhiệt độ (°C)", "98.2", ""]),
        ("", "", ["Nhiệt độ (°C)", "98.2", ""]),
        ("[degF]", "°F", ["Nhiệt độ (°C)", "98.2 °F", ""]),
        ("", "furlong", ["Nhiệt độ (°C)", "98.2 furlong", ""]),
    ],
)
def test_a_value_in_another_unit_than_its_line_says_so(code: str, unit: str, line: list[str]) -> None:
    subject, record = sample("care_sheet")
    quantity = {"value": Decimal("98.2"), **({"code": code} if code else {}), **({"unit": unit} if unit else {})}
    one = {**result("nd1", "Nhiệt độ", valueQuantity=quantity), "code": coded(LOINC, "8310-5")}
    find(record, "DiagnosticReport/cs1")["result"].append(ref("Observation", "nd1"))
    assert line in table(documents.compose("care_sheet", subject, [*record, one], CONTEXT))


def test_more_times_than_a_table_holds_begin_another() -> None:
    subject, record = sample("care_sheet")
    first = find(record, "DiagnosticReport/cs1")
    more = [{**first, "id": f"them{n}", "effectiveDateTime": f"2026-11-02T1{n}:30:00+07:00"} for n in range(6)]
    bundle = documents.compose("care_sheet", subject, [*record, *more], CONTEXT)
    heads = [[text_of(th) for th in head[0]] for div in divs(bundle) for head in div.iter(f"{_TD}thead")]
    assert [len(head) for head in heads] == [7, 3]
    assert heads[1][0] == "Nội dung"
    ids = [node.get("id") for div in divs(bundle) for node in div.iter() if node.get("id")]
    assert len(ids) == len(set(ids))


# ---- kinds ----


@pytest.mark.parametrize(
    ("kind", "code", "paper"),
    [
        ("DocumentReference", coded("http://terminology.hl7.org/CodeSystem/v2-0270", "OP"), "procedure_report"),
        ("DiagnosticReport", coded(DEFAULT.local("01999", "code"), "OP"), ""),
        ("DiagnosticReport", coded(LOINC, "11504-8"), "procedure_report"),
        ("DiagnosticReport", coded(DEFAULT.local("01999", "code"), "36/BV2"), "treatment_sheet"),
        ("DocumentReference", {"text": "Biên bản"}, ""),
    ],
)
def test_the_code_says_which_paper(kind: str, code: dict[str, Any], paper: str) -> None:
    element = "type" if kind == "DocumentReference" else "code"
    assert told.kind({"resourceType": kind, element: code}) == paper


def test_a_site_names_its_own_codes() -> None:
    sheet = {"resourceType": "DocumentReference", "type": coded(DEFAULT.local("01999", "code"), "BBHC01")}
    assert told.kind(sheet) == ""
    head = "source,code,target_system,target,display,equivalence,valid_from,valid_to\n"
    codes.extend("paper-kind", f"{head}HIS,BBHC01,,consultation_minutes,,equivalent,,\n")
    try:
        assert told.kind(sheet) == "consultation_minutes"
        assert told.kind({**sheet, "type": coded("x", "36/BV2")}) == "treatment_sheet"
    finally:
        codes.forget()


def test_every_kind_is_a_paper() -> None:
    assert {row.target for row in codes.table("paper-kind")} <= set(documents.PAPERS)


def test_formatted_text_is_read_as_lines() -> None:
    document = written("f", {"text": "x"}, [])
    data = b64encode("<div>\n<p>Một &amp; hai</p><p>Ba</p></div>".encode()).decode()
    document["content"] = [
        {"attachment": {"contentType": "text/html; charset=utf-8", "data": data}},
        {"attachment": {"contentType": "application/pdf", "data": data}},
    ]
    assert told.Told(Record([document], DEFAULT), document).text == "Một & hai\nBa"


def test_who_wrote_and_who_answers() -> None:
    document = {**written("f", {"text": "x"}, []), "authenticator": ref("Practitioner", "truong")}
    said = told.Told(Record([document, doctor(), doctor("truong", "Phạm Thị Quỳnh")], DEFAULT), document)
    assert (told.names(said.authors), told.names(said.written_by)) == ("Phạm Thị Quỳnh; Lê Quốc Vượng", "Lê Quốc Vượng")


def test_an_entry_without_a_visit_belongs_to_the_person() -> None:
    _, record = sample("treatment_sheet")
    for name in ("s1", "s2"):
        del find(record, f"DocumentReference/{name}")["context"]["encounter"]
    assert documents.due("treatment_sheet", "MDM^T02", record) == ["Patient/bn1#2026-11-02"]
    bundle = documents.compose("treatment_sheet", "Patient/bn1#2026-11-02", record, CONTEXT)
    assert len(table(bundle)) == 3
    assert cells(bundle)["HO_TEN"] == "ĐẶNG THỊ THUỲ ƯỞNG"


def test_a_report_that_is_only_a_file_says_so() -> None:
    _, record = sample("imaging_report")
    report = find(record, "DiagnosticReport/ha")
    del report["result"]
    report["presentedForm"] = [{"contentType": "application/pdf", "data": "AAAA"}]
    rows = shown("imaging_report", record)
    assert (rows["MO_TA"], rows["KET_LUAN"]) == ("Kết quả trong tệp kèm theo phiếu này.", "")


def test_an_entry_taken_back_renews_its_day() -> None:
    subject, record = sample("treatment_sheet")
    for name in ("s1", "s2"):
        find(record, f"DocumentReference/{name}")["status"] = "entered-in-error"
    asked = documents.asked("treatment_sheet", "MDM^T11", record)
    assert [(one.act, one.subject) for one in asked] == [("renew", subject)]


def test_an_order_taken_back_renews_its_sheet() -> None:
    subject, record = sample("order_sheet")
    for number in (2, 10):
        find(record, f"ServiceRequest/yc{number}")["status"] = "revoked"
    asked = documents.asked("order_sheet", "OMG^O19", record)
    assert [(one.act, one.subject) for one in asked] == [("renew", subject)]


def test_who_took_the_picture_does_not_sign_for_who_read_it() -> None:
    _, record = sample("imaging_report")
    del find(record, "DiagnosticReport/ha")["resultsInterpreter"]
    rows = shown("imaging_report", record)
    assert (rows["NGUOI_THUC_HIEN"], rows["KY-2"]) == ("Tạ Văn Sơn", "")
