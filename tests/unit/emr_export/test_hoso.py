"""The record of a visit in the form of CV 365: eleven groups, every field, dates as it wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from mappings import emr_export
from mappings.documents.faults import SubjectMissing
from mappings.formats import json, safe_xml
from mappings.outcome import Resource
from mappings.systems import DEFAULT
from tests.unit.documents.samples import CONTEXT, coded, field, ref, sample

GROUPS = [
    "ThongTinBenhNhan",
    "ThongTinVaoVien",
    "ThongTinDieuTri",
    "YLenhThuocVatTu",
    "PhieuChiDinh",
    "KetQuaChanDoanHinhAnh",
    "KetQuaXetNghiem",
    "GiayChuyenVien",
    "HoSoCapCuu",
    "PhieuThuThuat",
    "PhieuPhauThuat",
]
NAMES = {
    "ThongTinBenhNhan": (
        "loaiba soba soluutru makhoa cccd_so hochieu_so hoten ngaysinh tuoi gioitinh nghenghiep nghenghiep_ma dantoc"
        " dantoc_ma ngoaikieu ngoaikieu_ma mabhyt tungaybhyt denngaybhyt noidangkykcbbd diachi sonha thonpho xaphuong"
        " quanhuyen quanhuyen_ma tinhthanh tinhthanh_ma nhommau yeutorh"
    ),
    "ThongTinDieuTri": "maicd tenicd maicd_khac",
}
"""Field names known from the fact sheet."""
KINDS = {
    "text": r"[^\x00]*",
    "number": r"|\d+([.,]\d+)?",
    "date": r"|(\d{2}/){0,2}\d{4}",
    "datetime": r"|\d{2}/\d{2}/\d{4}( \d{2}:\d{2}:\d{2}\.\d{3})?",
}


def hoso(*more: Resource, gone: str = "") -> dict[str, Any]:
    subject, record = sample("health_summary")
    kept = [one for one in record if f"{one['resourceType']}/{one['id']}" != gone]
    found: dict[str, Any] = emr_export.visit_to_hoso(subject, [*kept, *more], CONTEXT)
    return found


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from leaves(below, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below, f"{path}[]")
    else:
        yield path, value


def test_eleven_groups_in_order_each_with_the_number_that_links_them() -> None:
    made = hoso()["HoSoBenhAn"]
    assert list(made) == list(emr_export.GROUPS) == GROUPS
    assert {group["sovaovien"] for group in made.values()} == {"DT26000042"}


@pytest.mark.parametrize("group", sorted(NAMES))
def test_the_fields_of_the_fact_sheet_are_there(group: str) -> None:
    assert set(NAMES[group].split()) <= hoso()["HoSoBenhAn"][group].keys()


def test_organs_and_codes_of_the_fact_sheet_are_there() -> None:
    paths = {f"{one.group}.{one.path}" for one in emr_export.fields()}
    assert "ThongTinVaoVien.khambenh_caccoquan.tuanhoan.dauchung_ma.SNOMED" in paths
    assert "ThongTinVaoVien.khambenh_caccoquan.tuanhoan.dauchung_ma.VNCODE" in paths
    ends = {path.rpartition(".")[2] for path in paths}
    assert {"machidinh", "machiso", "mathuocvattu_bv", "mathuocvattu_byt", "chuky_hoten"} <= ends
    assert {one.mark for one in emr_export.fields()} == {"M", "L"}
    assert len(paths) == len(emr_export.fields())


def test_every_value_is_of_the_kind_the_table_says() -> None:
    kinds = {f"{one.group}.{one.path}": one.kind for one in emr_export.fields()}
    for path, value in leaves(hoso()["HoSoBenhAn"]):
        assert re.fullmatch(KINDS[kinds[path]], value), path


def test_no_group_says_a_field_the_table_has_not() -> None:
    with pytest.raises(AssertionError, match="la_lung"):
        emr_export._filled({"la_lung": ""}, {"hoten": None})


def test_what_was_told_stands_in_its_group() -> None:
    made = hoso(field("DAU_HIEU_LS", "Ran ẩm đáy phổi phải"))["HoSoBenhAn"]
    person, came, treated = (made[group] for group in GROUPS[:3])
    assert (person["hoten"], person["ngaysinh"], person["cccd_so"]) == (
        "ĐẶNG THỊ THUỲ ƯỞNG",
        "12/03/1986",
        "001186000001",
    )
    assert (person["nhommau"], person["yeutorh"], person["makhoa"]) == ("O", "Rh+", "K03")
    assert [line["thongtin_noidung"] for line in person["tiensubenhtatcuabanthan"]] == [
        "Cắt ruột thừa năm 2010",
        "Dị ứng: Penicillin",
    ]
    assert (came["chandoanvaovien"], came["khambenh_chandoanvaovienmaicd"]) == ("Sốt chưa rõ nguyên nhân", "R50.9")
    assert (came["denkhambenhluc"], came["mach"]) == ("01/11/2026 08:30:00.000", "96")
    assert came["khambenh_toanthan"] == "Ran ẩm đáy phổi phải"
    assert (treated["maicd"], treated["maicd_khac"], treated["ngayravien"]) == ("J18.9", "E11.9", "05/11/2026")
    assert treated["danhsachsinhhieu"][0]["thoidiem"] == "01/11/2026 08:35:00.000"
    (sheet,) = made["YLenhThuocVatTu"]["danhsach"]
    assert (sheet["danhsach"][0]["tenthuocvattu"], sheet["danhsach"][0]["soluongthuocvattu"]) == (
        "Amlodipin 5 mg",
        "30",
    )
    assert made["PhieuThuThuat"]["danhsach"][0]["tenchidinh"] == "Chọc dịch màng phổi"
    assert made["PhieuPhauThuat"]["danhsach"] == []


def test_a_result_keeps_its_digits() -> None:
    (report,) = hoso()["HoSoBenhAn"]["KetQuaXetNghiem"]["danhsach"]
    values = {line["pkqxn_tenxetnghiem"]: line["ketqua"] for line in report["danhsach"]}
    assert "4.50" in values.values()
    assert {line["ketquabatthuong"] for line in report["danhsach"]} <= {"", "0", "1"}


def test_an_operation_is_told_from_another_procedure() -> None:
    operation = {
        "resourceType": "Procedure",
        "id": "pt1",
        "status": "completed",
        "code": {"text": "Phẫu thuật nội soi cắt ruột thừa"},
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "performedDateTime": "2026-11-03T09:00:00+07:00",
    }
    made = hoso(operation)["HoSoBenhAn"]
    assert [one["ngaythuchien"] for one in made["PhieuPhauThuat"]["danhsach"]] == ["03/11/2026 09:00:00.000"]
    assert len(made["PhieuThuThuat"]["danhsach"]) == 1


def test_a_referral_is_a_transfer_and_no_order() -> None:
    referral = {
        "resourceType": "ServiceRequest",
        "id": "ct1",
        "identifier": [{"system": DEFAULT.local("01999", "referral"), "value": "CT26000007"}],
        "status": "active",
        "intent": "order",
        "category": [coded("http://snomed.info/sct", "3457005", "Patient referral")],
        "subject": ref("Patient", "bn1"),
        "encounter": ref("Encounter", "dt1"),
        "occurrenceDateTime": "2026-11-05T10:05:00+07:00",
        "requester": ref("Practitioner", "bs1"),
    }
    made = hoso(referral)["HoSoBenhAn"]
    assert [one["sophieu"] for one in made["GiayChuyenVien"]["danhsach"]] == ["CT26000007"]
    assert all(one["sophieu"] != "CT26000007" for one in made["PhieuChiDinh"]["danhsach"])


def test_emergency_care_is_a_group_of_emergency_visits_only() -> None:
    assert hoso()["HoSoBenhAn"]["HoSoCapCuu"]["danhsach"] == []
    subject, record = sample("health_summary")
    for one in record:
        if one["id"] == "dt1":
            one["class"] = {"code": "EMER"}
    (sheet,) = emr_export.visit_to_hoso(subject, record, CONTEXT)["HoSoBenhAn"]["HoSoCapCuu"]["danhsach"]
    assert (sheet["mach"], sheet["denkhambenhluc"]) == ("96", "01/11/2026 08:30:00.000")


def test_arrays_are_repeated_tags_and_empty_fields_stay() -> None:
    second = {**next(one for one in sample("health_summary")[1] if one["id"] == "th1"), "id": "th2"}
    made = hoso(second)
    root = safe_xml.parse(emr_export.to_xml(made))
    assert root.tag == "HoSoBenhAn"
    assert [child.tag for child in root] == GROUPS
    assert len(root.findall("YLenhThuocVatTu/danhsach")) == 2
    assert root.find("ThongTinBenhNhan/hochieu_so") is not None
    assert root.findtext("ThongTinBenhNhan/hochieu_so") == ""
    empty = root.find("HoSoCapCuu/danhsach")
    assert empty is not None
    assert len(empty) == 0


def test_both_forms_say_the_same_and_come_out_the_same() -> None:
    made = hoso()
    assert json.loads(emr_export.to_json(made)) == made
    assert emr_export.to_xml(made) == emr_export.to_xml(hoso())
    assert emr_export.to_json(made) == emr_export.to_json(hoso())
    assert b"DT26000042" in emr_export.to_xml(made)


def test_characters_xml_cannot_hold_are_shown() -> None:
    made = hoso(field("LY_DO_VV", "Đau\x0b ngực <b>"))
    assert safe_xml.parse(emr_export.to_xml(made)).findtext("ThongTinVaoVien/lydovaovien") == "Đau� ngực <b>"


def test_a_visit_that_is_not_known() -> None:
    with pytest.raises(SubjectMissing):
        hoso(gone="Encounter/dt1")
