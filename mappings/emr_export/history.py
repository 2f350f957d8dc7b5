"""Groups I, II and IX of `HoSoBenhAn`: the person, the admission, emergency care."""

from __future__ import annotations

from typing import Any

from mappings.documents import content, statements, wording
from mappings.documents.record import Record, value_text
from mappings.emr_export.visit import Visit, icd, joined, licence, moment, words
from mappings.emr_export.visit import person as named
from mappings.outcome import Resource

PULSE, TEMPERATURE, BREATHING, SYSTOLIC, DIASTOLIC = "8867-4", "8310-5", "9279-1", "8480-6", "8462-4"
WEIGHT, HEIGHT = "29463-7", "8302-2"
_ABO, _RH = "883-9", "10331-7"


def person(visit: Visit) -> dict[str, Any]:
    """Write who was treated: group I."""
    record, patient, systems = visit.record, visit.patient, visit.context.systems
    at = visit.end or visit.start
    rows = content.person(record, patient, visit.encounter, at)
    cards = record.cards(visit.start, visit.end)
    insured = content.card(record, patient, cards)
    place = record.place(visit.encounter)
    numbers = {one.get("system"): one.get("value", "") for one in patient.get("identifier", [])}
    home: Resource = next((one for one in patient.get("address", []) if one.get("use") != "old"), {})
    relatives = record.relatives()
    relative: Resource = relatives[0] if relatives else {}
    blood, rhesus = _blood(visit)
    return {
        "loaiba": visit.field("LOAI_BA"),
        "soba": visit.field("MA_HSBA", "SO_HO_SO"),
        "soluutru": visit.field("SO_LUU_TRU"),
        "makhoa": department_code(visit),
        "tenkhoa": place.get("wa", ""),
        "thoigianvaovien": moment(visit.start),
        "mabenhnhan": rows["MA_BN"],
        "buong": place.get("ro", ""),
        "giuong": place.get("bd", ""),
        "cccd_so": numbers.get(systems.cccd) or numbers.get(systems.cmnd, ""),
        "hochieu_so": numbers.get(systems.passport, ""),
        "hoten": rows["HO_TEN"],
        "ngaysinh": rows["NGAY_SINH"],
        "tuoi": rows["TUOI"],
        "gioitinh": rows["GIOI_TINH"],
        "nghenghiep": rows["NGHE_NGHIEP"],
        "nghenghiep_ma": visit.code_and_words("MA_NGHE_NGHIEP")[0],
        "dantoc": rows["DAN_TOC"],
        "dantoc_ma": _code(content.extension(patient, "ethnicity")),
        "ngoaikieu": "" if rows["QUOC_TICH"] == "Việt Nam" else rows["QUOC_TICH"],
        "tungaybhyt": insured["GT_THE_TU"],
        "denngaybhyt": insured["GT_THE_DEN"],
        "mabhyt": insured["MA_THE_BHYT"],
        "noidangkykcbbd": record.field("MA_DKBD", visit.encounter),
        "diachi": rows["DIA_CHI"],
        "sonha": joined(home.get("line", [])),
        "xaphuong": _unit(home, "ward") or home.get("district", "") or home.get("city", ""),
        "tinhthanh": _unit(home, "province") or home.get("state", ""),
        "tinhthanh_ma": _unit_code(home, "province"),
        "noilamviec": rows["NOI_LAM_VIEC"],
        "sodienthoai": _phones(patient),
        "nhommau": blood,
        "yeutorh": rhesus,
        "doituongbn_loai": visit.field("MA_DOITUONG_KCB"),
        "hotennguoithan": wording.name(relative),
        "diachinguoithan": wording.address(relative),
        "sodienthoainguoithan": _phones(relative),
        "lydotiepnhan": reason(visit),
        "tiensubenhtatcuabanthan": _past(visit),
        "tiensubenhtatcuagiadinh": visit.field("TIEN_SU_GIA_DINH"),
    }


def admission(visit: Visit) -> dict[str, Any]:
    """Write how the person came: group II."""
    first = visit.diagnoses("AD")
    place = visit.record.place(visit.encounter)
    doctor = visit.record.doctor(visit.encounter)
    return {
        "bacsikhambenh": named(doctor),
        "mabacsikhambenh": licence(doctor),
        "chandoansobo": words(first) or visit.field("CHAN_DOAN_VAO"),
        "chandoanvaovien": words(first) or visit.field("CHAN_DOAN_VAO"),
        "khambenh_chandoanvaovienmaicd": icd(first),
        "dieutritaikhoa": place.get("wa", ""),
        "madieutritaikhoa": department_code(visit),
        "chuky_hoten": named(doctor),
        "denkhambenhluc": moment(visit.start),
        "lydovaovien": reason(visit),
        "quatrinhbenhly": visit.field("QT_BENHLY"),
        **measures(visit),
        "chieucao": visit.measured(HEIGHT) or visit.field("CHIEU_CAO"),
        "cannang": visit.measured(WEIGHT) or visit.field("CAN_NANG"),
        "khambenh_toanthan": visit.field("DAU_HIEU_LS", "DAU_HIEU_LAM_SANG"),
    }


def emergency(visit: Visit) -> dict[str, Any]:
    """Write emergency care: group IX; empty for a visit of another class."""
    if visit.encounter.get("class", {}).get("code") != "EMER":
        return {"danhsach": []}
    told = admission(visit)
    names = ("denkhambenhluc", "lydovaovien", "quatrinhbenhly", "chandoansobo", *measures(visit))
    people = ("bacsikhambenh", "mabacsikhambenh", "chuky_hoten")
    return {"danhsach": [{name: told[name] for name in (*names, *people)}]}


def measures(visit: Visit) -> dict[str, str]:
    return {
        "mach": visit.measured(PULSE),
        "nhietdo": visit.measured(TEMPERATURE),
        "nhiptho": visit.measured(BREATHING),
        "huyetap_tamthu": visit.measured(SYSTOLIC),
        "huyetap_tamtruong": visit.measured(DIASTOLIC),
    }


def reason(visit: Visit) -> str:
    told = visit.field("LY_DO_VV", "LYDO_VVIEN")
    return told or joined(wording.concept(one) for one in visit.encounter.get("reasonCode", []))


def department_code(visit: Visit) -> str:
    """Give the number of the department where the visit took place."""
    stays = sorted(visit.encounter.get("location", []), key=lambda stay: stay.get("status") != "active")
    location = visit.record.follow(stays[0].get("location")) if stays else None
    for _ in range(6):
        if location is None:
            break
        if "wa" in statements.codes(location.get("physicalType")):
            return content.identifier(location, "department") or str(location.get("name", ""))
        location = visit.record.follow(location.get("partOf"))
    return visit.field("MA_KHOA")


def _blood(visit: Visit) -> tuple[str, str]:
    told = visit.field("NHOM_MAU")
    group, _, rhesus = told.partition(" ")
    return group or _newest(visit.record, _ABO), rhesus or _newest(visit.record, _RH)


def _newest(record: Record, code: str) -> str:
    found = [one for one in record.all("Observation") if code in statements.codes(one.get("code"))]
    return value_text(statements.in_time(found, "effectiveDateTime")[-1]) if found else ""


def _past(visit: Visit) -> list[dict[str, str]]:
    """Write what the person had and bears badly, one line each."""
    told = [visit.field("TIEN_SU_BENH")]
    lines = [{"thongtin_noidung": text, "thongtin_giatri": "1"} for text in told if text]
    for allergy in sorted(visit.record.all("AllergyIntolerance"), key=lambda one: str(one["id"])):
        if statements.codes(allergy.get("verificationStatus")) & {"entered-in-error", "refuted"}:
            continue
        line = statements.allergy(0, allergy)
        said = {"thongtin_noidung": f"Dị ứng: {line['DI_NGUYEN']}", "thongtin_giatri": "1"}
        lines.append({**said, "thongtin_ghichu": joined([line["BIEU_HIEN"], line["MUC_DO"]])})
    return lines


def _code(concept: Resource | None) -> str:
    return next((str(c["code"]) for c in (concept or {}).get("coding", [concept or {}]) if c.get("code")), "")


def _unit(address: Resource, kind: str) -> str:
    coding = _unit_coding(address, kind)
    return str(coding.get("display", ""))


def _unit_code(address: Resource, kind: str) -> str:
    return str(_unit_coding(address, kind).get("code", ""))


def _unit_coding(address: Resource, kind: str) -> Resource:
    for one in address.get("extension", []):
        if one.get("url", "").endswith(f"vn-ext-{kind}"):
            found: Resource = one.get("valueCoding", {})
            return found
    return {}


def _phones(resource: Resource) -> str:
    points = resource.get("telecom", [])
    return joined(point.get("value", "") for point in points if point.get("system", "phone") in ("phone", "sms"))
