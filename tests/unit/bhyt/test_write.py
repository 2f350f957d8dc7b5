"""A paper becomes its table of QĐ 3176: every field, in order, in form and size, or a fault that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from lxml import etree

from mappings.bhyt import TABLE_OF_PAPER, paper_name, paper_to_envelope, paper_to_gdbhyt, read
from mappings.bhyt.faults import FieldInvalid, FieldMissing, FieldTooLong, PaperNotInsured
from mappings.bhyt.papers import SOURCES
from mappings.bhyt.rows import DECLARATION
from mappings.bhyt.sheet import Sheet
from mappings.bhyt.tables import table
from mappings.documents import compose
from mappings.documents.record import Record
from mappings.formats.faults import Fault
from mappings.systems import DEFAULT
from tests.unit.bhyt import bundles
from tests.unit.bhyt.bundles import HEAD, discharge_paper, lab_report, reexamination, referral, told
from tests.unit.documents import samples

Make = Callable[..., dict[str, Any]]


def rows(written: bytes, name: str) -> list[dict[str, str]]:
    """Read a document back with lxml alone."""
    known = table(name)
    root = etree.fromstring(written)
    assert root.tag == known.elements[0]
    inner = [root] if len(known.elements) == 1 else root.findall("/".join(known.elements[1:]))
    assert all([child.tag for child in row] == [field.name for field in known.fields] for row in inner)
    return [{str(child.tag): child.text or "" for child in row} for row in inner]


def written(bundle: dict[str, Any]) -> list[dict[str, str]]:
    name = TABLE_OF_PAPER[paper_name(bundle)]
    return rows(paper_to_gdbhyt(bundle, head=HEAD), name)


def filled(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value}


def resource(bundle: dict[str, Any], kind: str, number: int = 0) -> dict[str, Any]:
    found = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    one: dict[str, Any] = found[number]
    return one


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_field_of_a_table_has_a_source_in_every_decision(name: str) -> None:
    known = [field.name for decision in ("4750", "1931") for field in table(name, decision).fields]
    if name == "XML1":  # written without its money
        known = [field for field in known if field in SOURCES[name]]
    assert set(SOURCES[name]) == set(known)


@pytest.mark.parametrize("make", bundles.PAPERS)
def test_the_document_begins_as_the_portal_wants_it(make: Make) -> None:
    document = paper_to_gdbhyt(make(), head=HEAD)
    known = table(TABLE_OF_PAPER[paper_name(make())])
    assert document.startswith(f"{DECLARATION}<{known.elements[0]}>".encode())
    assert DECLARATION.endswith("\r\n")
    assert b"<DU_PHONG/>" in document
    assert document == paper_to_gdbhyt(make(), head=HEAD)


def test_a_discharge_paper_becomes_table_7() -> None:
    assert [filled(row) for row in written(discharge_paper())] == [
        {
            "MA_LK": "LK1",
            "SO_LUU_TRU": "LK1",
            "MA_YTE": "BN1",
            "MA_KHOA_RV": "K03",
            "NGAY_VAO": "202611010830",
            "NGAY_RA": "202611050305",
            "CHAN_DOAN_RV": "Viêm phổi; Đái tháo đường típ 2",
            "PP_DIEUTRI": "Kháng sinh\nTruyền dịch",
            "GHI_CHU": "Nghỉ 5 ngày\nUống đủ nước",
            "MA_TTDV": HEAD,
            "MA_BS": "000123/HNO-CCHN",
            "TEN_BS": "Lê Mẫu",
            "NGAY_CT": "20261105",
        }
    ]


def test_told_fields_come_in_the_forms_of_the_table() -> None:
    bundle = discharge_paper(
        told("SO_LUU_TRU", "LT9"),
        told("MA_DINH_CHI_THAI", "Có", "1"),
        told("THOIGIAN_DINHCHI", "2026-11-02T03:00:00Z"),
        told("TUOI_THAI", "9"),
        told("SO_NGAY_NGHI", "3"),
        told("NGOAITRU_TUNGAY", "20261106"),
        told("NGOAITRU_DENNGAY", "2026-11-08"),
        told("MA_TTDV", "000009/HNO-GPHN"),
    )
    row = written(bundle)[0]
    assert row["SO_LUU_TRU"] == "LT9"
    assert (row["MA_DINH_CHI_THAI"], row["THOIGIAN_DINHCHI"], row["TUOI_THAI"]) == ("1", "202611021000", "9")
    assert (row["SO_NGAY_NGHI"], row["NGOAITRU_TUNGAY"], row["NGOAITRU_DENNGAY"]) == ("3", "20261106", "20261108")
    assert row["MA_TTDV"] == "000009/HNO-GPHN"


def test_parents_are_named_for_a_child_only() -> None:
    mother = {
        "resourceType": "RelatedPerson",
        "id": "m",
        "identifier": [{"system": DEFAULT.bhxh, "value": "0100000001"}],
        "relationship": [bundles.coded("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MTH")],
        "name": [{"text": "Mẹ Mẫu"}],
    }
    assert written(discharge_paper(mother))[0]["HO_TEN_ME"] == ""
    bundle = discharge_paper(mother)
    resource(bundle, "Patient")["birthDate"] = "2026-10-30"
    row = written(bundle)[0]
    assert (row["HO_TEN_ME"], row["MA_ME"], row["HO_TEN_CHA"]) == ("Mẹ Mẫu", "0100000001", "")


def test_a_referral_becomes_table_13() -> None:
    assert [filled(row) for row in written(referral())] == [
        {
            "MA_LK": "LK1",
            "SO_HOSO": "LK1",
            "SO_CHUYENTUYEN": "CT7",
            "GIAY_CHUYEN_TUYEN": "CT7",
            "MA_CSKCB": "01999",
            "MA_CSKCB_DEN": "01929",
            "HO_TEN": "Nông Thị <Mẫu> & Con",
            "NGAY_SINH": "198000000000",
            "GIOI_TINH": "2",
            "MA_QUOCTICH": "000",
            "MA_DANTOC": "02",
            "MA_NGHE_NGHIEP": "61",
            "DIA_CHI": "Bản Mẫu, xã Mẫu, Cao Bằng",
            "MA_THE_BHYT": "GD4010000000002;GD4010000000001",
            "GT_THE_DEN": "20261231;20260630",
            "NGAY_VAO": "202611010830",
            "NGAY_VAO_NOI_TRU": "202611010830",
            "NGAY_RA": "202611050305",
            "DAU_HIEU_LS": "Chữ của DAU_HIEU_LS",
            "CHAN_DOAN_RV": "Viêm phổi; Đái tháo đường típ 2",
            "QT_BENHLY": "Chữ của QT_BENHLY",
            "TOMTAT_KQ": "Chữ của TOMTAT_KQ",
            "MA_BENH_CHINH": "J18.9",
            "MA_BENH_KT": "E11.9",
            "TINH_TRANG_CT": "Chữ của TINH_TRANG_CT",
            "MA_LOAI_RV": "2",
            "MA_LYDO_CT": "2",
            "HUONG_DIEU_TRI": "Chữ của HUONG_DIEU_TRI",
            "PHUONGTIEN_VC": "Chữ của PHUONGTIEN_VC",
            "MA_BAC_SI": "000123/HNO-CCHN",
            "MA_TTDV": HEAD,
        }
    ]


def test_an_appointment_becomes_table_14() -> None:
    row = written(reexamination())[0]
    assert (row["SO_GIAYHEN_KL"], row["NGAY_HEN_KL"], row["NGAY_CT"]) == ("HK3", "20261119", "20261105")
    assert (row["MA_CSKCB"], row["MA_BENH_CHINH"], row["MA_BENH_KT"]) == ("01999", "J18.9", "E11.9")


def test_results_become_rows_of_table_4() -> None:
    found = written(lab_report())
    assert [(row["STT"], row["MA_CHI_SO"], row["TEN_CHI_SO"], row["GIA_TRI"], row["DON_VI_DO"]) for row in found] == [
        ("1", "GLU", "Đường huyết", "4.50", "mmol/L"),
        ("2", "DopH", "Độ pH", ">7.400", ""),
        ("3", "Nhanxetdai", "Nhận xét dài", "", ""),
    ]
    assert [row["MO_TA"] for row in found] == ["Đã kiểm tra lại", "", "x" * 256]
    assert [row["NGAY_KQ"] for row in found] == ["202611020705", "202611020800", "202611020800"]
    assert {(row["MA_LK"], row["MA_DICH_VU"], row["KET_LUAN"], row["MA_BS_DOC_KQ"]) for row in found} == {
        ("LK1", "23.0075.1494", "Bình thường", "000123/HNO-CCHN")
    }


def test_members_of_a_panel_are_rows_and_a_circle_ends() -> None:
    panel = {
        "resourceType": "Observation",
        "id": "panel",
        "status": "final",
        "code": {"text": "Bộ"},
        "hasMember": [{"reference": "Observation/one"}, {"reference": "Observation/panel"}],
    }
    one = {
        "resourceType": "Observation",
        "id": "one",
        "status": "final",
        "code": {"text": "Một"},
        "valueString": "âm tính",
    }
    names = [row["TEN_CHI_SO"] for row in written(lab_report(panel, one))]
    assert names == ["Đường huyết", "Độ pH", "Nhận xét dài", "Một"]


@pytest.mark.parametrize(
    ("gender", "expected"), [("male", "1"), ("female", "2"), ("other", "3"), ("unknown", "3"), (None, "")]
)
def test_sex_is_one_digit(gender: str | None, expected: str) -> None:
    bundle = reexamination()
    resource(bundle, "Patient")["gender"] = gender
    assert written(bundle)[0]["GIOI_TINH"] == expected


@pytest.mark.parametrize(
    ("birth", "at", "expected"),
    [
        ("1980", "", "198000000000"),
        ("1980-05", "", "198005000000"),
        ("1980-05-09", "", "198005090000"),
        ("2026-11-01", "2026-10-31T18:20:00Z", "202611010120"),
    ],
)
def test_a_birth_date_has_twelve_digits(birth: str, at: str, expected: str) -> None:
    bundle = reexamination()
    person = resource(bundle, "Patient")
    person["birthDate"] = birth
    if at:
        url = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"
        person["_birthDate"] = {"extension": [{"url": url, "valueDateTime": at}]}
    assert written(bundle)[0]["NGAY_SINH"] == expected


def test_the_number_issued_as_ma_lk_comes_before_the_visit_number() -> None:
    bundle = reexamination()
    resource(bundle, "Encounter")["identifier"].append({"system": DEFAULT.episode, "value": "MLK"})
    assert written(bundle)[0]["MA_LK"] == "MLK"


def test_a_card_without_an_end_keeps_its_place() -> None:
    bundle = reexamination()
    del resource(bundle, "Coverage", 1)["period"]["end"]
    row = written(bundle)[0]
    assert (row["MA_THE_BHYT"], row["GT_THE_DEN"]) == ("GD4010000000002;GD4010000000001", ";20260630")


def test_at_most_twelve_other_diseases_and_none_twice() -> None:
    bundle = reexamination()
    visit = resource(bundle, "Encounter")
    for n in range(3, 20):
        bundle["entry"].append({"resource": bundles.condition(n, "J18.9" if n == 3 else f"I{n:02}.1", f"Bệnh {n}")})
        visit["diagnosis"].append({"condition": {"reference": f"Condition/c{n}"}, "rank": n})
    row = written(bundle)[0]
    codes = row["MA_BENH_KT"].split(";")
    assert len(codes) == 12
    assert codes[:2] == ["E11.9", "I04.1"]
    assert row["CHAN_DOAN_RV"].endswith("Bệnh 19")


def test_a_carriage_return_survives_reading() -> None:
    assert written(discharge_paper(told("GHI_CHU", "a\rb")))[0]["GHI_CHU"].startswith("a\rb")


def too_long() -> dict[str, Any]:
    return discharge_paper(told("PP_DIEUTRI", "x" * 1501))


def no_licence() -> dict[str, Any]:
    bundle = discharge_paper()
    resource(bundle, "Practitioner")["identifier"].pop()
    return bundle


def two_codes() -> dict[str, Any]:
    bundle = referral()
    resource(bundle, "Condition")["code"]["coding"][0]["code"] = "J18.9;J20"
    return bundle


def no_day() -> dict[str, Any]:
    return discharge_paper(told("NGOAITRU_TUNGAY", "mai"))


def no_number() -> dict[str, Any]:
    return discharge_paper(told("SO_NGAY_NGHI", "ba"))


def control_character() -> dict[str, Any]:
    return discharge_paper(told("GHI_CHU", "a\x0bb"))


def no_result() -> dict[str, Any]:
    bundle = lab_report()
    resource(bundle, "DiagnosticReport")["result"] = []
    return bundle


def no_name() -> dict[str, Any]:
    bundle = lab_report()
    resource(bundle, "Observation")["code"] = {}
    return bundle


def another_paper() -> dict[str, Any]:
    return bundles.paper("prescription")


def no_paper() -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": bundles.patient()}]}


def no_patient() -> dict[str, Any]:
    bundle = discharge_paper()
    resource(bundle, "Composition")["subject"] = {"display": "Nông Thị Mẫu"}
    return bundle


def no_request() -> dict[str, Any]:
    return bundles.paper("referral")


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (too_long, FieldTooLong, "LT3301 FieldTooLong at XML7/PP_DIEUTRI (1501 characters, 1500 allowed)"),
        (no_licence, FieldMissing, "LT3302 FieldMissing at XML7/MA_BS (MA_BS)"),
        (no_result, FieldMissing, "LT3302 FieldMissing at XML4/CHI_TIET_CLS (no result)"),
        (no_name, FieldMissing, "LT3302 FieldMissing at XML4[1]/TEN_CHI_SO (TEN_CHI_SO)"),
        (two_codes, FieldInvalid, "LT3303 FieldInvalid at XML13/MA_BENH_CHINH (one ICD-10 code)"),
        (no_day, FieldInvalid, "LT3303 FieldInvalid at XML7/NGOAITRU_TUNGAY (date)"),
        (no_number, FieldInvalid, "LT3303 FieldInvalid at XML7/SO_NGAY_NGHI (number)"),
        (control_character, FieldInvalid, "LT3303 FieldInvalid at XML7/GHI_CHU (string)"),
        (another_paper, PaperNotInsured, "LT3304 PaperNotInsured at Composition.type (prescription)"),
        (no_paper, PaperNotInsured, "LT3304 PaperNotInsured at Composition.type"),
        (no_patient, PaperNotInsured, "LT3304 PaperNotInsured at Composition.subject (discharge_paper)"),
        (no_request, PaperNotInsured, "LT3304 PaperNotInsured at Composition.section.entry (ServiceRequest)"),
    ],
)
def test_what_does_not_fit_is_named_and_not_written(make: Make, kind: type[Fault], text: str) -> None:
    with pytest.raises(kind) as caught:
        paper_to_gdbhyt(make(), head=HEAD)
    assert str(caught.value) == text


def test_all_missing_fields_are_listed() -> None:
    bundle = bundles.paper("discharge_paper")
    with pytest.raises(FieldMissing) as caught:
        paper_to_gdbhyt(bundle)
    assert caught.value.detail == "PP_DIEUTRI, MA_TTDV"


MONEY = re.compile(r"T_\w+|NGAY_TTOAN|NAM_QT|THANG_QT")


@pytest.mark.parametrize("make", bundles.PAPERS)
def test_the_file_of_a_paper_is_the_summary_and_the_papers_table(make: Make) -> None:
    bundle = make()
    name = TABLE_OF_PAPER[paper_name(bundle)]
    file = paper_to_envelope(bundle, facility="01999", made_on=date(2026, 11, 6), head=HEAD)
    found = read(file)
    assert (found.facility, found.made_on, found.signed, len(found.visits)) == ("01999", date(2026, 11, 6), False, 1)
    assert b"<NGAYLAP>20261106</NGAYLAP><SOLUONGHOSO>1</SOLUONGHOSO>" in file
    assert file.endswith(b"<CHUKYDONVI/></GIAMDINHHS>")
    assert [each for each, _ in found.visits[0]] == ["XML1", name]
    (summary,) = rows(found.visits[0][0][1], "XML1")
    assert found.visits[0][1][1] == paper_to_gdbhyt(bundle, head=HEAD)
    assert {row["MA_LK"] for row in rows(found.visits[0][1][1], name)} == {summary["MA_LK"]} == {"LK1"}
    money = [field for field in summary if MONEY.fullmatch(field)]
    assert len(money) == 12
    assert not any(summary[field] for field in money)


def test_the_summary_says_what_the_paper_knows() -> None:
    fields = [
        told("MA_NGHE_NGHIEP", "Nông dân", "61"),
        told("KET_QUA_DTRI", "Đỡ", "2"),
        told("MA_DOITUONG_KCB", "Đúng tuyến", "1.1"),
        told("MA_TTDV", "Lê Trưởng", "000009/HNO-GPHN"),
    ]
    file = paper_to_envelope(discharge_paper(*fields), facility="01999", made_on=date(2026, 11, 6))
    (summary,) = rows(read(file).visits[0][0][1], "XML1")
    assert filled(summary) == {
        "MA_LK": "LK1",
        "STT": "1",
        "MA_BN": "BN1",
        "HO_TEN": "Nông Thị <Mẫu> & Con",
        "NGAY_SINH": "198000000000",
        "GIOI_TINH": "2",
        "MA_QUOCTICH": "000",
        "MA_DANTOC": "02",
        "MA_NGHE_NGHIEP": "61",
        "DIA_CHI": "Bản Mẫu, xã Mẫu, Cao Bằng",
        "MA_THE_BHYT": "GD4010000000002;GD4010000000001",
        "GT_THE_DEN": "20261231;20260630",
        "CHAN_DOAN_RV": "Viêm phổi; Đái tháo đường típ 2",
        "MA_BENH_CHINH": "J18.9",
        "MA_BENH_KT": "E11.9",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": "202611010830",
        "NGAY_VAO_NOI_TRU": "202611010830",
        "NGAY_RA": "202611050305",
        "PP_DIEU_TRI": "Kháng sinh\nTruyền dịch",
        "KET_QUA_DTRI": "2",
        "MA_LOAI_RV": "2",
        "MA_CSKCB": "01999",
        "MA_TTDV": "000009/HNO-GPHN",
    }


def test_an_occupation_nobody_told_is_the_persons_own() -> None:
    bundle = discharge_paper()
    url = f"{DEFAULT.national}/StructureDefinition/vn-ext-occupation"
    for system, expected in (("qd3176-ma-nghe-nghiep", "75"), ("of-the-his", "")):
        own = bundles.coded(f"{DEFAULT.own}/CodeSystem/{system}", "75")
        resource(bundle, "Patient")["extension"] = [{"url": url, "valueCodeableConcept": own}]
        file = paper_to_envelope(bundle, facility="01999", made_on=date(2026, 11, 6), head=HEAD)
        assert rows(read(file).visits[0][0][1], "XML1")[0]["MA_NGHE_NGHIEP"] == expected


def test_several_codes_of_a_field_are_joined() -> None:
    field = told("MA_BENH_YHCT", "", "x")
    values = [bundles.coded("https://x.example", code, "Chữ") for code in ("U50.1", "U51")]
    field["component"] = [{"code": field["code"], "valueCodeableConcept": value} for value in values]
    del field["valueCodeableConcept"]
    assert written(reexamination(field))[0]["MA_BENH_YHCT"] == "U50.1;U51"


class Asking(Record):
    """Remember the told fields that were asked for."""

    def __init__(self, *known: Any) -> None:
        super().__init__(*known)
        self.asked: set[str] = set()

    def field_observation(self, code: str, encounter: dict[str, Any] | None) -> dict[str, Any] | None:
        self.asked.add(code)
        return super().field_observation(code, encounter)


@pytest.mark.parametrize("paper", TABLE_OF_PAPER)
def test_a_paper_carries_every_told_field_its_table_asks_for(paper: str) -> None:
    subject, record = samples.sample(paper)
    asking = Asking(record, DEFAULT)
    about = asking.get(subject) or {}
    visit = asking.get("Encounter/dt1")
    head = {"attester": [], "custodian": {"reference": "Organization/cskcb"}}
    sheet = Sheet(asking, DEFAULT, head, asking.get("Patient/bn1") or {}, visit, about, "")
    for name in ("XML1", TABLE_OF_PAPER[paper]):
        for source in SOURCES[name].values():
            source(sheet)
    printed = {"discharge_paper", "record_summary", "leave_paper", "referral"}
    asked = asking.asked - (set() if paper in printed else {"PP_DIEUTRI"})
    assert {"MA_TTDV", "MA_NGHE_NGHIEP"} <= asked
    own = {str(one["code"]["coding"][0]["code"]): str(one["valueString"]) for one in record if "valueString" in one}
    days = {"NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY", "NGAY_SINHCON", "NGAY_CONCHET"}
    words = {name: own[name] if name in samples.FORMED and name in own else "1" for name in asked}
    fields = [samples.field(name, "20261106" if name in days else words[name]) for name in sorted(asked)]
    known = {one["id"] for one in fields}
    document = compose(paper, subject, [*(one for one in record if one["id"] not in known), *fields], samples.CONTEXT)
    sections = resource(document, "Composition")["section"]
    entries = [entry["reference"] for section in sections for entry in section.get("entry", [])]
    assert {f"Observation/{one}" for one in known} <= set(entries)
    assert len(entries) == len(set(entries))


@pytest.mark.parametrize("paper", ["discharge_paper", "reexamination", "lab_report"])
def test_composed_papers_are_taken_as_they_are(paper: str) -> None:
    subject, record = samples.sample(paper)
    document = compose(paper, subject, record, samples.CONTEXT)
    assert all(row["MA_LK"] == "DT26000042" for row in written(document))


def test_a_composed_referral_is_taken_as_it_is() -> None:
    subject, record = samples.sample("referral")
    record += [samples.field("QT_BENHLY", "Sốt bốn ngày")]
    row = written(compose("referral", subject, record, samples.CONTEXT))[0]
    assert row["QT_BENHLY"] == "Sốt bốn ngày"
    assert row["MA_CSKCB"] == "01999"
