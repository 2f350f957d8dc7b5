"""Visits as a careful hospital would send them, under QĐ 3176: people, cards, facilities and prices are invented."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mappings.bhyt.envelope import envelope
from mappings.bhyt.money import line_amounts, visit_sums, written
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.tables import table
from mappings.bhyt.visits import Visit

Row = dict[str, str]
FACILITY = "01032"
DOCTOR, NURSE, READER = "000123/HNO-GPHN", "000456/HNO-GPHN", "000789/HNO-GPHN"

_ADULT = {
    "MA_BN": "BN-26-0107",
    "HO_TEN": "Nguyễn Thị Mẫu",
    "SO_CCCD": "001185000107",
    "NGAY_SINH": "198504120000",
    "GIOI_TINH": "2",
    "NHOM_MAU": "O+",
    "MA_QUOCTICH": "000",
    "MA_DANTOC": "01",
    "MA_NGHE_NGHIEP": "44",
    "DIA_CHI": "Số 5 ngõ 7 phố Thử, phường Ba Đình, thành phố Hà Nội",
    "MATINH_CU_TRU": "01",
    "MAXA_CU_TRU": "00004",
    "DIEN_THOAI": "0900000107",
}
_CARD = {
    "MA_THE_BHYT": "DN4010123456107",
    "MA_DKBD": "01032",
    "GT_THE_TU": "20260101",
    "GT_THE_DEN": "20261231",
    "NAM_NAM_LIEN_TUC": "20240701",
}


def _priced(name: str, rows: Sequence[Row], visit: Row) -> list[Row]:
    """Number the lines and work their amounts out."""
    found = []
    for n, row in enumerate(rows, 1):
        whole = {
            "MA_LK": visit["MA_LK"],
            "STT": str(n),
            "PHAM_VI": "1",
            "TYLE_TT_BH": "100",
            "MUC_HUONG": "80" if visit.get("MA_THE_BHYT") else "0",
            "MA_KHOA": visit["MA_KHOA"].partition(";")[0],
            "MA_BAC_SI": DOCTOR,
            "NGAY_YL": visit["NGAY_VAO"],
            "MA_PTTT": "1",
            **dict.fromkeys(("T_NGUONKHAC_NSNN", "T_NGUONKHAC_VTNN", "T_NGUONKHAC_VTTN", "T_NGUONKHAC_CL"), "0"),
            **({"NGUON_CTRA": "1"} if name == "XML2" else {"TYLE_TT_DV": "100", "MA_BENH": visit["MA_BENH_CHINH"]}),
            **row,
        }
        found.append(whole | {field: written(amount) for field, amount in line_amounts(name, whole).items()})
    return found


def visit(
    summary: Row, medicines: Sequence[Row], services: Sequence[Row], results: Sequence[Row], course: Sequence[Row]
) -> Visit:
    """Put a visit together: lines priced, sums made."""
    tables: dict[str, list[Row]] = {
        "XML2": _priced("XML2", medicines, summary),
        "XML3": _priced("XML3", services, summary),
    }
    sums = visit_sums(tables["XML2"], tables["XML3"])
    for name, rows in (("XML4", results), ("XML5", course)):
        tables[name] = [{"MA_LK": summary["MA_LK"], "STT": str(n), **row} for n, row in enumerate(rows, 1)]
    whole = {"STT": "1", **summary} | {field: written(amount) for field, amount in sums.items()}
    listed = {"XML1": [whole], **tables}
    return Visit(
        {name: tuple(_ordered(name, row) for row in rows) for name, rows in listed.items() if rows},
        facility=FACILITY,
        made_on=date(2026, 3, 9),
    )


def _ordered(name: str, row: Row) -> Row:
    return {field.name: row.get(field.name, "") for field in table(name).fields}


def file_of(one: Visit, decision: str = "3176") -> bytes:
    """Write a visit as the file a hospital sends."""
    files = [(name, rows_to_xml(table(name, decision), rows)) for name, rows in one.tables.items()]
    return envelope(one.facility, one.made_on or date(2026, 3, 9), files)


def medicine(code: str, name: str, strength: str, quantity: str, price: str, **more: str) -> Row:
    return {
        "MA_THUOC": code,
        "TEN_THUOC": name,
        "HAM_LUONG": strength,
        "MA_NHOM": "4",
        "DON_VI_TINH": "Viên",
        "DUONG_DUNG": "1.01",
        "DANG_BAO_CHE": "Viên nén",
        "LIEU_DUNG": "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]",
        "CACH_DUNG": "Uống sau ăn",
        "SO_DANG_KY": "VD-00107-26",
        "TT_THAU": "107/QĐ-BV;G1;N1;2026",
        "SO_LUONG": quantity,
        "DON_GIA": price,
        **more,
    }


def service(code: str, name: str, group: str, price: str, **more: str) -> Row:
    return {
        "MA_DICH_VU": code,
        "TEN_DICH_VU": name,
        "MA_NHOM": group,
        "DON_VI_TINH": "Lần",
        "SO_LUONG": "1",
        "DON_GIA_BV": price,
        "DON_GIA_BH": price,
        **more,
    }


def result(service_code: str, code: str, name: str, value: str, unit: str, at: str, **more: str) -> Row:
    return {
        "MA_DICH_VU": service_code,
        "MA_CHI_SO": code,
        "TEN_CHI_SO": name,
        "GIA_TRI": value,
        "DON_VI_DO": unit,
        "NGAY_KQ": at,
        "MA_BS_DOC_KQ": READER,
        **more,
    }


_BLOOD_COUNT = (
    ("WBC", "Số lượng bạch cầu", "11.20", "G/L"),
    ("RBC", "Số lượng hồng cầu", "4.55", "T/L"),
    ("HGB", "Huyết sắc tố", "128", "g/L"),
    ("HCT", "Thể tích khối hồng cầu", "0.392", "L/L"),
    ("PLT", "Số lượng tiểu cầu", "231", "G/L"),
    ("NEU", "Bạch cầu trung tính", "78.4", "%"),
)


def outpatient() -> Visit:
    """An examination with a few tests and a prescription: about twenty lines."""
    at = "202603090755"
    summary = {
        "MA_LK": "LK-26-000107",
        **_ADULT,
        **_CARD,
        "LY_DO_VV": "Ho, sốt 3 ngày",
        "CHAN_DOAN_VAO": "Theo dõi viêm phế quản",
        "CHAN_DOAN_RV": "Viêm phế quản cấp; Tăng huyết áp vô căn",
        "MA_BENH_CHINH": "J20",
        "MA_BENH_KT": "I10",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": "202603090730",
        "NGAY_RA": "202603091020",
        "SO_NGAY_DTRI": "0",
        "PP_DIEU_TRI": "Kháng sinh, hạ sốt, điều trị ngoại trú",
        "KET_QUA_DTRI": "2",
        "MA_LOAI_RV": "1",
        "GHI_CHU": "Uống thuốc theo đơn, khám lại khi sốt cao",
        "NGAY_TTOAN": "202603091025",
        "NAM_QT": "2026",
        "THANG_QT": "3",
        "MA_LOAI_KCB": "01",
        "MA_KHOA": "K01",
        "MA_CSKCB": FACILITY,
        "CAN_NANG": "54.50",
        "NGAY_TAI_KHAM": "20260316",
        "MA_HSBA": "PK-26-0107",
        "MA_TTDV": "000001/HNO-GPHN",
    }
    medicines = [
        medicine("40.154", "Amoxicilin Mẫu 500", "500mg", "20", "1260.000"),
        medicine("40.2", "Paracetamol Mẫu 500", "500mg", "10", "480"),
        medicine("40.998", "Acetylcystein Mẫu", "200mg", "15", "1450", DANG_BAO_CHE="Bột pha", DON_VI_TINH="Gói"),
        medicine("40.491", "Amlodipin Mẫu 5", "5mg", "28", "325.5", LIEU_DUNG="1 viên/lần * 1 lần/ngày * 28 ngày"),
    ]
    medicines = [row | {"NGAY_YL": "202603091000", "NGAY_TH_YL": "202603091015"} for row in medicines]
    tested = {"NGAY_YL": at, "NGAY_TH_YL": "202603090810", "NGAY_KQ": "202603090905", "NGUOI_THUC_HIEN": NURSE}
    services = [
        service("01.1898", "Khám Nội", "13", "42100", NGAY_TH_YL="202603090745", NGUOI_THUC_HIEN=DOCTOR),
        service("22.0120.1370", "Tổng phân tích tế bào máu ngoại vi", "1", "43500", **tested, MA_MAY="HH.1.SN01;SN02"),
        service("23.0075.1494", "Định lượng Glucose", "1", "22400", **tested, MA_MAY="SH.1.SN07"),
        service("23.0051.1494", "Định lượng Creatinin", "1", "22400", **tested, MA_MAY="SH.1.SN07"),
        service("18.0119.0028", "Chụp X-quang ngực thẳng", "2", "68300", **tested, MA_MAY="XQ.1.SN03"),
        service("02.0085.1778", "Điện tim thường", "3", "39900", **tested, MA_MAY="DT.1.SN04"),
    ]
    results = [
        *(result("22.0120.1370", code, name, value, unit, "202603090905") for code, name, value, unit in _BLOOD_COUNT),
        result("23.0075.1494", "GLU", "Glucose máu", "5.60", "mmol/L", "202603090920"),
        result("23.0051.1494", "CRE", "Creatinin máu", "<60", "µmol/L", "202603090920"),
        result(
            "18.0119.0028",
            "XQ-NGUC",
            "X-quang ngực thẳng",
            "",
            "",
            "202603090930",
            MO_TA="Rốn phổi hai bên đậm.\nBóng tim không to.",
            KET_LUAN="Hình ảnh viêm phế quản",
        ),
        result("02.0085.1778", "DIEN-TIM", "Điện tim", "", "", "202603090940", KET_LUAN="Nhịp xoang đều"),
    ]
    return visit(summary, medicines, services, results, [])


def inpatient(days: int = 5) -> Visit:
    """Five days in the ward with an operation, blood, a supply with a serial number: about sixty lines."""
    summary = {
        "MA_LK": "LK-26-000208",
        **_ADULT,
        **_CARD,
        "NGAY_MIEN_CCT": "202602010000",
        "MA_KHUVUC": "K1",
        "LY_DO_VV": "Đau hố chậu phải",
        "LY_DO_VNT": "Phẫu thuật cấp cứu",
        "CHAN_DOAN_VAO": "Theo dõi viêm ruột thừa cấp",
        "CHAN_DOAN_RV": "Viêm ruột thừa cấp với viêm phúc mạc khu trú, tăng huyết áp",
        "MA_BENH_CHINH": "K35.3",
        "MA_BENH_KT": "I10;E11.9",
        "MA_BENH_YHCT": "U55.311;U58.511",
        "MA_PTTT_QT": "47.01",
        "MA_DOITUONG_KCB": "2",
        "MA_NOI_DI": "01101",
        "MA_TAI_NAN": "5",
        "NGAY_VAO": "202603010815",
        "NGAY_VAO_NOI_TRU": "202603010930",
        "NGAY_RA": "202603051500",
        "GIAY_CHUYEN_TUYEN": "GCT-26-0045",
        "SO_NGAY_DTRI": "5",
        "PP_DIEU_TRI": "Cắt ruột thừa nội soi; kháng sinh",
        "KET_QUA_DTRI": "1",
        "MA_LOAI_RV": "1",
        "GHI_CHU": "Thay băng cách ngày",
        "NGAY_TTOAN": "202603051530",
        "NAM_QT": "2026",
        "THANG_QT": "3",
        "MA_LOAI_KCB": "03",
        "MA_KHOA": "K02;K19",
        "MA_CSKCB": FACILITY,
        "CAN_NANG": "54.5",
        "NGAY_TAI_KHAM": "20260312;20260405",
        "MA_HSBA": "BA-26-0208",
        "MA_TTDV": "000001/HNO-GPHN",
    }
    medicines, services, results, course = [], [], [], []
    for day in range(1, days + 1):
        morning = f"2026030{day}0900"
        given = {"NGAY_YL": morning, "NGAY_TH_YL": f"2026030{day}1000", "MA_KHOA": "K19"}
        injected = {"DUONG_DUNG": "2.10", "DANG_BAO_CHE": "Bột pha tiêm", "DON_VI_TINH": "Lọ"}
        medicines += [
            medicine("40.165", "Cefotaxim Mẫu 1g", "1g", "2", "6250", **given, **injected),
            medicine("40.212", "Metronidazol Mẫu", "500mg/100ml", "2", "7890.5", **given, **injected),
            medicine("40.2", "Paracetamol Mẫu truyền", "1g/100ml", "1", "9450", **given, **injected),
            medicine("40.1017", "Ringer lactat Mẫu", "500ml", "2", "7100", **given, DON_VI_TINH="Chai"),
        ]
        bed = {"MA_GIUONG": "H012", "MA_KHOA": "K19", "DON_VI_TINH": "Ngày", "NGAY_YL": morning}
        services.append(service("K19.1932", "Giường Ngoại khoa loại 2 hạng II", "15", "247400", **bed))
        tested = {"NGAY_YL": morning, "NGAY_TH_YL": f"2026030{day}0930", "NGAY_KQ": f"2026030{day}1030"}
        if day in (1, 3):
            services.append(
                service(
                    "22.0120.1370",
                    "Tổng phân tích tế bào máu ngoại vi",
                    "1",
                    "43500",
                    **tested,
                    NGUOI_THUC_HIEN=NURSE,
                    MA_MAY="HH.1.SN01;SN02",
                    MA_KHOA="K19",
                )
            )
            results += [
                result("22.0120.1370", code, name, value, unit, f"2026030{day}1030")
                for code, name, value, unit in _BLOOD_COUNT
            ]
        course.append(
            {
                "DIEN_BIEN_LS": f"Người bệnh tỉnh, bụng mềm. CSST<M8{day}_T37.{day}_HA120/7{day}_NT18_SP98_HL2>",
                "GIAI_DOAN_BENH": "Hậu phẫu" if day > 1 else "",
                "HOI_CHAN": "Chỉ định mổ cấp cứu" if day == 1 else "",
                "PHAU_THUAT": "Cắt ruột thừa nội soi, dẫn lưu Douglas" if day == 1 else "",
                "THOI_DIEM_DBLS": f"2026030{day}0845",
                "NGUOI_THUC_HIEN": DOCTOR,
            }
        )
    operated = {
        "NGAY_YL": "202603011000",
        "NGAY_TH_YL": "202603011100",
        "NGAY_KQ": "202603011215",
        "MA_KHOA": "K19",
        "NGUOI_THUC_HIEN": f"{DOCTOR};{NURSE}",
    }
    ordered = {"NGAY_YL": "202603011000", "MA_KHOA": "K19", "MA_DICH_VU": "03.3330.0459"}
    services += [
        service(
            "02.1896", "Khám Cấp cứu", "13", "42100", NGAY_TH_YL="202603010820", MA_KHOA="K02", NGUOI_THUC_HIEN=DOCTOR
        ),
        service(
            "03.3330.0459",
            "Phẫu thuật nội soi cắt ruột thừa",
            "8",
            "2564000",
            **operated,
            MA_PTTT_QT="47.01",
            PP_VO_CAM="1",
            MA_BENH="K35.3;I10",
            MA_BENH_YHCT="U55.311",
            MA_MAY="PT.1.SN09",
        ),
        service(
            "18.0001.0001",
            "Siêu âm ổ bụng",
            "2",
            "49300",
            NGAY_TH_YL="202603010840",
            NGAY_KQ="202603010850",
            NGUOI_THUC_HIEN=f"{READER}.TX.01234",
            MA_MAY="SA.1.SN05",
            MA_KHOA="K02",
        ),
        {
            **service("", "", "10", "352000", **ordered),
            "MA_VAT_TU": "N03.02.060.107",
            "TEN_VAT_TU": "Clip kẹp mạch máu",
            "DON_VI_TINH": "Cái",
            "SO_LUONG": "2",
            "GOI_VTYT": "G1",
            "TT_THAU": "108/QĐ-BV;G3;N2;2026",
            "T_TRANTT": "700000",
            "MA_HIEU_SP": "SER-107-26",
            "MA_DICH_VU": "03.3330.0459",
        },
        {
            **service("", "", "10", "15000", **ordered),
            "MA_VAT_TU": "N05.02.030",
            "TEN_VAT_TU": "Chỉ khâu Mẫu 2/0",
            "DON_VI_TINH": "Sợi",
            "SO_LUONG": "3",
            "TT_THAU": "108/QĐ-BV;G3;N2;2026",
            "MA_DICH_VU": "03.3330.0459",
        },
    ]
    medicines.append(
        medicine(
            "MAU.KHC",
            "Khối hồng cầu 350ml",
            "350ml",
            "1",
            "902000",
            MA_NHOM="7",
            DON_VI_TINH="Đơn vị",
            SO_DANG_KY="",
            TT_THAU="",
            DUONG_DUNG="2.15",
            NGAY_TH_YL="202603011130",
            MA_DICH_VU="03.3330.0459",
            T_NGUONKHAC_NSNN="100000",
        )
    )
    results.append(
        result(
            "18.0001.0001",
            "SA-BUNG",
            "Siêu âm ổ bụng",
            "",
            "",
            "202603010850",
            MO_TA="Ruột thừa đường kính 9 mm, có dịch quanh.",
            KET_LUAN="Viêm ruột thừa cấp",
            MA_BS_DOC_KQ=f"{READER}.TX.01234",
        )
    )
    return visit(summary, medicines, services, results, course)


def newborn() -> Visit:
    """A child of nine days with a temporary card and the card that followed."""
    summary = {
        "MA_LK": "LK-26-000309",
        "MA_BN": "BN-26-0309",
        "HO_TEN": "Con bà Nguyễn Thị Mẫu",
        "NGAY_SINH": "202602220315",
        "GIOI_TINH": "1",
        "MA_QUOCTICH": "000",
        "MA_DANTOC": "02",
        "MA_NGHE_NGHIEP": "00",
        "DIA_CHI": "Phường Ba Đình, thành phố Hà Nội",
        "MATINH_CU_TRU": "01",
        "MAXA_CU_TRU": "00004",
        "MA_THE_BHYT": "TE1010000000309;TE1010123450309",
        "MA_DKBD": "01032;01032",
        "GT_THE_TU": "20260222;20260301",
        "GT_THE_DEN": "20260228;20320930",
        "LY_DO_VV": "Vàng da",
        "LY_DO_VNT": "Chiếu đèn",
        "CHAN_DOAN_VAO": "Vàng da sơ sinh",
        "CHAN_DOAN_RV": "Vàng da sơ sinh",
        "MA_BENH_CHINH": "P59.9",
        "MA_DOITUONG_KCB": "1.7",
        "NGAY_VAO": "202602250930",
        "NGAY_VAO_NOI_TRU": "202602251000",
        "NGAY_RA": "202603030900",
        "SO_NGAY_DTRI": "7",
        "KET_QUA_DTRI": "1",
        "MA_LOAI_RV": "1",
        "NGAY_TTOAN": "202603030930",
        "NAM_QT": "2026",
        "THANG_QT": "3",
        "MA_LOAI_KCB": "03",
        "MA_KHOA": "K18",
        "MA_CSKCB": FACILITY,
        "CAN_NANG": "3.20",
        "MA_HSBA": "BA-26-0309",
        "MA_TTDV": "000001/HNO-GPHN",
    }
    bed = {"MA_GIUONG": "H003", "DON_VI_TINH": "Ngày", "SO_LUONG": "6", "MUC_HUONG": "100"}
    light = {"NGAY_TH_YL": "202602251100", "NGUOI_THUC_HIEN": NURSE, "SO_LUONG": "3", "MUC_HUONG": "100"}
    services = [
        service("K18.1937", "Giường Nhi sơ sinh", "15", "212600", **bed),
        service("13.0186.0298", "Chiếu đèn điều trị vàng da sơ sinh", "18", "31100", **light),
    ]
    return visit(summary, [], services, [], [])


def uninsured() -> Visit:
    """Somebody without a card and with a passport, who pays alone."""
    base = outpatient()
    foreigner = {**_ADULT, "MA_BN": "BN-26-0410", "HO_TEN": "Mẫu Không Thẻ", "SO_CCCD": "B0000410", "NHOM_MAU": ""}
    summary = {k: v for k, v in base.one("XML1").items() if k not in _CARD} | foreigner
    summary |= {"MA_LK": "LK-26-000410", "MA_DOITUONG_KCB": "9", "MA_BENH_KT": "", "CHAN_DOAN_RV": "Viêm phế quản cấp"}
    services = [
        service(
            "01.1898",
            "Khám Nội",
            "13",
            "42100",
            PHAM_VI="2",
            TYLE_TT_BH="0",
            NGAY_TH_YL="202603090745",
            NGUOI_THUC_HIEN=DOCTOR,
        )
    ]
    return visit(summary, [], services, [], [])


VISITS = {"outpatient": outpatient, "inpatient": inpatient, "newborn": newborn, "uninsured": uninsured}
