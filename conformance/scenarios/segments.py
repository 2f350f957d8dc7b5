"""Write HL7 v2.5.1 segments in ER7, apart from the gateway's codec, so that a fault of that codec cannot hide.

Standard: HL7 v2.5.1 §2.5, §2.7, chapter 2.A.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from conformance.scenarios.clinic import Diagnosis, Doctor, Panel, Result, diagnosis_name
from conformance.scenarios.people import FACILITY, FACILITY_NAME, Guardian, Name, Person

_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\n": "\\.br\\"})

FIELD_LABELS = {
    "PP_DIEUTRI": "Phương pháp điều trị",
    "GHI_CHU": "Ghi chú",
    "LOI_DAN": "Lời dặn",
    "KET_QUA_DTRI": "Kết quả điều trị",
    "MA_NGHE_NGHIEP": "Nghề nghiệp",
    "NGAYCAP_CCCD": "Ngày cấp căn cước",
    "QT_BENHLY": "Quá trình bệnh lý",
    "DAU_HIEU_LS": "Dấu hiệu lâm sàng",
    "TOMTAT_KQ": "Tóm tắt kết quả cận lâm sàng",
    "TINH_TRANG_CT": "Tình trạng người bệnh lúc chuyển",
    "HUONG_DIEU_TRI": "Hướng điều trị",
    "MA_LYDO_CT": "Lý do chuyển",
    "PHUONGTIEN_VC": "Phương tiện vận chuyển",
    "HOTEN_NGUOI_HT": "Họ tên người hộ tống",
    "CHUCDANH_NGUOI_HT": "Chức danh người hộ tống",
    "SO_CHUYENTUYEN": "Số chuyển tuyến",
    "CHAN_DOAN_VAO": "Chẩn đoán lúc vào viện",
    "KY_THUAT": "Kỹ thuật",
    "MO_TA": "Mô tả",
    "KET_LUAN": "Kết luận",
    "DE_NGHI": "Đề nghị",
    "CHAN_DOAN_TRUOC": "Chẩn đoán trước phẫu thuật",
    "CHAN_DOAN_SAU": "Chẩn đoán sau phẫu thuật",
    "PP_PTTT": "Phương pháp phẫu thuật",
    "LOAI_PTTT": "Loại phẫu thuật",
    "PP_VO_CAM": "Phương pháp vô cảm",
    "BS_GAY_ME": "Bác sĩ gây mê",
    "DAN_LUU": "Dẫn lưu",
    "TRINH_TU": "Trình tự phẫu thuật",
    "THANH_VIEN": "Thành viên hội chẩn",
    "TOM_TAT_DIEN_BIEN": "Tóm tắt diễn biến",
    "KET_LUAN_HC": "Kết luận hội chẩn",
    "HUONG_DIEU_TRI_HC": "Hướng điều trị tiếp",
    "TO_SO": "Tờ số",
    "DIEN_BIEN_LS": "Diễn biến bệnh",
    "Y_LENH": "Y lệnh",
    "CAP_CHAM_SOC": "Cấp chăm sóc",
    "NHAN_DINH": "Nhận định",
    "CAN_THIEP": "Can thiệp điều dưỡng",
    "HOAT_CHAT": "Hoạt chất",
    "LOAI_DON_THUOC": "Loại đơn thuốc",
    "LY_DO_VNT": "Lý do vào nội trú",
    "NGAY_TTOAN": "Ngày thanh toán",
    "NGAY_VAO_NOI_TRU": "Thời điểm vào nội trú",
    "MA_DOITUONG_KCB": "Đối tượng đến khám bệnh, chữa bệnh",
    "MA_LOAI_RV": "Loại ra viện",
    "MA_LOAI_KCB": "Hình thức khám bệnh, chữa bệnh",
    "MUC_HUONG": "Mức hưởng",
    "PHAM_VI": "Phạm vi hưởng",
    "TYLE_TT_DV": "Tỷ lệ thanh toán dịch vụ",
    "TYLE_TT_BH": "Tỷ lệ thanh toán bảo hiểm",
    "MA_PTTT": "Phương thức thanh toán",
    "NGUON_CTRA": "Nguồn chi trả",
    "CAN_NANG": "Cân nặng",
    "MA_HSBA": "Số hồ sơ bệnh án",
    "SO_NGAY_NGHI": "Số ngày nghỉ",
    "SO_NGAY": "Số ngày nghỉ dưỡng thai",
    "TU_NGAY": "Từ ngày",
    "DEN_NGAY": "Đến ngày",
    "SO_KCB": "Số khám bệnh",
    "SO_SERI": "Số sê-ri",
    "SO_CT": "Số giấy",
    "DON_VI": "Đơn vị làm việc",
    "MA_BHXH": "Mã số BHXH",
    "TUOI_THAI": "Tuổi thai",
    "SO_BAOTU": "Số giấy báo tử",
    "MA_GBT": "Mã giấy báo tử",
    "NGUYENNHAN_TV": "Nguyên nhân tử vong",
    "NGUOI_GHIGIAY": "Người ghi giấy",
    "NGUOI_THANTHICH": "Người thân thích",
    "SO": "Số",
    "QUYEN_SO": "Quyển số",
    "MA_GCS": "Mã giấy chứng sinh",
    "NGAY_SINH_CON": "Ngày sinh con",
    "NOI_SINH_CON": "Nơi sinh con",
    "SO_CON": "Số con trong lần sinh",
    "GIOI_TINH_CON": "Giới tính của con",
    "CAN_NANG_CON": "Cân nặng của con",
    "HO_TEN_CON": "Dự kiến tên con",
    "NGAYCAP_CCCD_NND": "Ngày cấp căn cước của mẹ",
    "NOICAP_CCCD_NND": "Nơi cấp căn cước của mẹ",
    "MATINH_CU_TRU": "Mã tỉnh nơi cư trú",
    "MAXA_CU_TRU": "Mã xã nơi cư trú",
    "MA_THE_TAM": "Mã thẻ tạm của con",
    "LAN_SINH": "Lần sinh",
    "SO_CON_SONG": "Số con hiện sống",
    "TINH_TRANG_CON": "Tình trạng con",
    "SINHCON_PHAUTHUAT": "Sinh con phải phẫu thuật",
    "SINHCON_DUOI32TUAN": "Sinh con dưới 32 tuần tuổi",
    "MA_DANTOC_NND": "Dân tộc của mẹ",
    "NGUOI_DO_DE": "Người đỡ đẻ",
    "NGUOI_GHI_PHIEU": "Người ghi phiếu",
    "NGUOI_THAN": "Người thân",
    "MA_BHXH_NND": "Mã số BHXH của mẹ",
    "TTRUONG_DVI": "Thủ trưởng đơn vị",
}
"""Fields of QĐ 3176, and of the sheets of TT 32/2023, that HL7 v2 has no place for; each travels as an OBX."""


def escape(text: str) -> str:
    """Escape what ER7 reserves; a newline becomes `\\.br\\`."""
    return text.translate(_ESCAPES)


def segment(name: str, fields: Mapping[int, str]) -> str:
    """Write one segment from field number → ER7 text."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def components(*parts: str) -> str:
    """Join escaped components, dropping empty ones at the end."""
    return "^".join(escape(part) for part in parts).rstrip("^")


def instant(at: datetime) -> str:
    """YYYYMMDDHHMMSS, local time without offset, as a HIS writes it."""
    return f"{at:%Y%m%d%H%M%S}"


def instant_with_offset(at: datetime) -> str:
    """The same with `+0700`, as a LIS writes it."""
    return f"{at:%Y%m%d%H%M%S}+0700"


def day_of(on: date) -> str:
    return f"{on:%Y%m%d}"


def xpn(name: Name, kind: str = "L") -> str:
    return components(name.family, name.given, name.middle, "", "", "", kind)


def xcn(doctor: Doctor) -> str:
    name = doctor.name
    return components(
        doctor.licence, name.family, name.given, name.middle, "", doctor.title, "", "", FACILITY, "L", "", "", "LN"
    )


def identifiers(person: Person) -> str:
    """PID-3: the hospital's number, then the personal number and the insurance card where there are any."""
    found = [components(person.number, "", "", FACILITY, "PI")]
    if person.cccd:
        found.append(components(person.cccd, "", "", "CA", "NI"))
    if person.card:
        found.append(components(person.card, "", "", "BHXH", "HC"))
    return "~".join(found)


def address(person: Person) -> str:
    """PID-11, NK1-4: where somebody lives."""
    code, commune = person.commune
    return components(person.street, "", commune, person.province, "", "VNM", "H", "", "", code)


def pid(person: Person) -> str:
    return segment(
        "PID",
        {
            1: "1",
            3: identifiers(person),
            5: xpn(person.name),
            7: person.birth,
            8: person.sex,
            11: address(person),
            13: components("", "PRN", "CP", "", "", "", "", "", "", "", "", person.phone),
            22: person.ethnic,
            26: "VNM",
            28: "VNM",
        },
    )


def pid_unnamed(number: str, name: Name, sex: str, year: int) -> str:
    """PID of someone brought in without a name: a temporary number, an estimated year of birth, nothing else."""
    fields = {1: "1", 3: components(number, "", "", FACILITY, "PI"), 5: xpn(name, "U"), 7: f"{year}", 8: sex}
    return segment("PID", fields)


def nk1(guardian: Guardian) -> str:
    label = "Mẹ" if guardian.relation == "MTH" else "Bố"
    return segment(
        "NK1",
        {
            1: "1",
            2: xpn(guardian.name),
            3: components(guardian.relation, label, "HL70063"),
            5: components("", "PRN", "CP", "", "", "", "", "", "", "", "", guardian.phone),
        },
    )


def pd1() -> str:
    """PD1-3: where the card is registered for first care; in this hospital everybody's is here."""
    return segment("PD1", {3: components(FACILITY_NAME, "", "", "", "", "", "", "", "", FACILITY)})


def in1(person: Person) -> str:
    """IN1; only for a person with a card."""
    plan = person.card[:3] if len(person.card) == 15 else "BHYT"
    return segment(
        "IN1",
        {
            1: "1",
            2: components(plan, "Bảo hiểm y tế", "99HIS"),
            3: "BHXH",
            4: "Bảo hiểm xã hội Việt Nam",
            12: day_of(person.card_from),
            13: day_of(person.card_to),
            16: xpn(person.name),
            17: components("SEL", "Self", "HL70063"),
            36: person.card,
        },
    )


def dg1(diagnosis: Diagnosis, at: datetime, kind: str, secondary: tuple[str, ...] = ()) -> list[str]:
    """The main diagnosis with DG1-15 = 1, then the accompanying ones; kind is A, W or F."""
    codes = ((diagnosis.icd, diagnosis.name), *((icd, diagnosis_name(icd)) for icd in secondary))
    return [
        segment(
            "DG1",
            {
                1: str(number),
                3: components(icd, name, "I10"),
                5: instant(at),
                6: kind,
                15: "1" if number == 1 else "2",
            },
        )
        for number, (icd, name) in enumerate(codes, start=1)
    ]


def obx_field(number: int, field: str, text: str, at: datetime) -> str:
    """Free text of a paper: OBX-3 is the field's name in QĐ 3176."""
    return segment(
        "OBX",
        {
            1: str(number),
            2: "TX",
            3: components(field, FIELD_LABELS[field], "QD3176"),
            5: escape(text),
            11: "F",
            14: instant(at),
        },
    )


def obx_time(number: int, field: str, told: datetime, at: datetime) -> str:
    """A time among the fields of QĐ 3176, to the minute."""
    return segment(
        "OBX",
        {
            1: str(number),
            2: "TS",
            3: components(field, FIELD_LABELS[field], "QD3176"),
            5: f"{told:%Y%m%d%H%M}",
            11: "F",
            14: instant(at),
        },
    )


def obx_coded(number: int, field: str, code: str, meaning: str, at: datetime) -> str:
    """A coded field of QĐ 3176: OBX-5 carries code and meaning."""
    return segment(
        "OBX",
        {
            1: str(number),
            2: "CE",
            3: components(field, FIELD_LABELS[field], "QD3176"),
            5: components(code, meaning, field),
            11: "F",
            14: instant(at),
        },
    )


def service_code(panel: Panel, code: str, name: str, loinc: str) -> str:
    """Local code and LOINC in one CE, in the order this panel's analyser gives them."""
    local, standard = (code, name, "99LIS"), (loinc, name, "LN")
    if not loinc:
        return components(*local)
    return components(*local, *standard) if panel.local_first else components(*standard, *local)


def obx_result(number: int, panel: Panel, result: Result, status: str, at: datetime) -> str:
    value = result.value if result.kind == "SN" else escape(result.value)
    return segment(
        "OBX",
        {
            1: str(number),
            2: result.kind,
            3: service_code(panel, result.code, result.name, result.loinc),
            5: value,
            6: components(result.unit, "", "UCUM") if result.unit else "",
            7: escape(result.reference),
            8: result.flag,
            11: status,
            14: instant_with_offset(at),
            23: components("Khoa Xét nghiệm"),
        },
    )


def nte(number: int, text: str) -> str:
    return segment("NTE", {1: str(number), 2: "L", 3: escape(text)})
