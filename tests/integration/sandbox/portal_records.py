"""A complete, correct record of an invented patient, table by table, and what can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

from conformance.sandbox.portal.shapes import shape
from conformance.sandbox.server import FACILITY
from tests.integration.sandbox.peer import table

Rows = dict[str, list[dict[str, str]]]
Change = Callable[[Rows], None]

_LEFT: Final = datetime.now(UTC).replace(hour=3, minute=0) - timedelta(days=1)
YEAR: Final = f"{_LEFT:%Y}"


def at(minutes: int = 0) -> str:
    """Give a moment of the visit, 12 digits; 0 is the discharge."""
    return f"{_LEFT + timedelta(minutes=minutes):%Y%m%d%H%M}"


def visit(link: str = "LK1", decision: str = "3176") -> Rows:
    """Make an outpatient visit with a drug, an examination, a test with its result and, since QĐ 4750, an appointment."""
    none = dict.fromkeys((f"T_NGUONKHAC{part}" for part in ("", "_NSNN", "_VTNN", "_VTTN", "_CL")), "0")
    head = {
        "STT": "1",
        "MA_BN": "BN1",
        "HO_TEN": "Nguyễn Thị Thử Nghiệm",
        "SO_CCCD": "001185990001",
        "NGAY_SINH": "198503150000",
        "GIOI_TINH": "2",
        "MA_QUOCTICH": "000",
        "MA_DANTOC": "01",
        "MA_NGHE_NGHIEP": "21",
        "DIA_CHI": "Số 1 phố Thử Nghiệm",
        "MATINH_CU_TRU": "01",
        "MAHUYEN_CU_TRU": "001",
        "MAXA_CU_TRU": "00001",
        "DIEN_THOAI": "0900000001",
        "MA_THE_BHYT": "DN4019999000001",
        "MA_DKBD": FACILITY,
        "GT_THE_TU": "20260101",
        "GT_THE_DEN": "20991231",
        "LY_DO_VV": "Sốt",
        "CHAN_DOAN_VAO": "Sốt",
        "CHAN_DOAN_RV": "Viêm họng cấp",
        "MA_BENH_CHINH": "J02.9",
        "MA_BENH_KT": "I10;E11.9",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": at(-120),
        "NGAY_RA": at(),
        "SO_NGAY_DTRI": "0",
        "PP_DIEU_TRI": "Thuốc",
        "KET_QUA_DTRI": "2",
        "MA_LOAI_RV": "1",
        "NGAY_TTOAN": at(),
        "T_THUOC": "20000.00",
        "T_VTYT": "0",
        "T_TONGCHI_BV": "130000",
        "T_TONGCHI_BH": "120000",
        "T_BNTT": "10000",
        "T_BNCCT": "24000",
        "T_BHTT": "96000",
        "T_NGUONKHAC": "0",
        "T_BHTT_GDV": "0",
        "NAM_QT": YEAR,
        "THANG_QT": at()[4:6],
        "MA_LOAI_KCB": "01",
        "MA_KHOA": "K01",
        "MA_CSKCB": FACILITY,
        "CAN_NANG": "52.5",
        "NAM_NAM_LIEN_TUC": "20200101",
        "NGAY_TAI_KHAM": at(60 * 24 * 7)[:8],
        "MA_HSBA": "HS1",
        "MA_TTDV": "1234567890",
    }
    drug = none | {
        "MA_THUOC": "40.30",
        "MA_NHOM": "4",
        "TEN_THUOC": "Paracetamol",
        "DON_VI_TINH": "Viên",
        "HAM_LUONG": "500mg",
        "DUONG_DUNG": "1.01",
        "DANG_BAO_CHE": "Viên nén",
        "LIEU_DUNG": "1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]",
        "CACH_DUNG": "Uống sau ăn",
        "SO_DANG_KY": "VD-00001-26",
        "TT_THAU": f"1/QĐ;G1;N1;{YEAR}",
        "PHAM_VI": "1",
        "TYLE_TT_BH": "100",
        "SO_LUONG": "10.000",
        "DON_GIA": "2000.000",
        "THANH_TIEN_BV": "20000.00",
        "THANH_TIEN_BH": "20000.00",
        "MUC_HUONG": "80",
        "T_BNTT": "0",
        "T_BNCCT": "4000",
        "T_BHTT": "16000",
        "MA_KHOA": "K01",
        "MA_BAC_SI": "000001/HNO-GPHN",
        "NGAY_YL": at(-90),
        "NGAY_TH_YL": at(-80),
        "MA_PTTT": "2",
        "NGUON_CTRA": "1",
    }
    exam = none | {
        "MA_DICH_VU": "01.1897",
        "MA_NHOM": "13",
        "TEN_DICH_VU": "Khám bệnh",
        "DON_VI_TINH": "Lần",
        "PHAM_VI": "1",
        "SO_LUONG": "1",
        "DON_GIA_BV": "50000",
        "DON_GIA_BH": "40000",
        "TYLE_TT_DV": "100",
        "TYLE_TT_BH": "100",
        "THANH_TIEN_BV": "50000",
        "THANH_TIEN_BH": "40000",
        "MUC_HUONG": "80",
        "T_BNTT": "10000",
        "T_BNCCT": "8000",
        "T_BHTT": "32000",
        "MA_KHOA": "K01",
        "MA_BAC_SI": "000001/HNO-GPHN",
        "NGUOI_THUC_HIEN": "000001/HNO-GPHN",
        "MA_BENH": "J02.9",
        "NGAY_YL": at(-110),
        "NGAY_TH_YL": at(-110),
        "NGAY_KQ": at(-100),
        "MA_PTTT": "2",
    }
    test = exam | {
        "STT": "2",
        "MA_DICH_VU": "22.0121",
        "MA_NHOM": "1",
        "TEN_DICH_VU": "Tổng phân tích tế bào máu",
        "DON_GIA_BV": "60000",
        "DON_GIA_BH": "60000",
        "THANH_TIEN_BV": "60000",
        "THANH_TIEN_BH": "60000",
        "T_BNTT": "0",
        "T_BNCCT": "12000",
        "T_BHTT": "48000",
        "NGAY_KQ": at(-60),
        "MA_MAY": "HH.1.12345",
    }
    result = {
        "MA_DICH_VU": "22.0121",
        "MA_CHI_SO": "WBC",
        "TEN_CHI_SO": "Bạch cầu",
        "GIA_TRI": "7.5",
        "DON_VI_DO": "G/L",
        "MO_TA": "Bình thường",
        "KET_LUAN": "Bình thường",
        "NGAY_KQ": at(-60),
        "MA_BS_DOC_KQ": "000002/HNO-GPHN",
    }
    again = {name: head[name] for name in ("MA_CSKCB", "HO_TEN", "NGAY_VAO", "NGAY_RA", "MA_DOITUONG_KCB", "MA_TTDV")}
    day = head["NGAY_TAI_KHAM"] if decision == "3176" else head["NGAY_TAI_KHAM"] + "0800"
    again |= {"SO_GIAYHEN_KL": "1", "NGAY_HEN_KL": day, "MA_BAC_SI": "000001/HNO-GPHN"}
    again["NGAY_CT"] = at()[:8]
    rows = {"XML1": [head], "XML2": [drug], "XML3": [exam, test], "XML4": [result]}
    if decision != "130":
        rows["XML14"] = [again]
    for each in rows.values():
        for position, row in enumerate(each, 1):
            row["MA_LK"] = link
            row.setdefault("STT", str(position))
    return rows


def inner(name: str, rows: list[dict[str, str]], decision: str = "3176") -> str:
    """Write one table, every element in order."""
    known = shape(name, decision)
    assert known is not None
    written = [
        "".join(f"<{field.name}>{escape(row.get(field.name, ''))}</{field.name}>" for field in known.fields)
        for row in rows
    ]
    if not known.row:
        return f"<{known.root}>{written[0]}</{known.root}>"
    listed = "".join(f"<{known.row}>{row}</{known.row}>" for row in written)
    return f"<{known.root}><{known.rows}>{listed}</{known.rows}></{known.root}>"


def envelope(*visits: Rows, decision: str = "3176", facility: str = FACILITY) -> str:
    """Put visits into GIAMDINHHS, not signed."""
    written = "".join(
        "<HOSO>"
        + "".join(
            f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{table(inner(name, rows, decision))}</NOIDUNGFILE></FILEHOSO>"
            for name, rows in each.items()
        )
        + "</HOSO>"
        for each in visits
    )
    return (
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>{at()[:8]}</NGAYLAP>"
        f"<SOLUONGHOSO>{len(visits)}</SOLUONGHOSO><DANHSACHHOSO>{written}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    )


def inpatient(link: str = "LK1") -> Rows:
    """Make a stay of an inpatient with every paper and register, so that each can be wrong."""
    rows = visit(link)
    head = rows["XML1"][0]
    head |= {
        "MA_LOAI_KCB": "03",
        "NGAY_VAO": at(-60 * 24 * 4),
        "NGAY_VAO_NOI_TRU": at(-60 * 24 * 4 + 30),
        "LY_DO_VNT": "Sốt cao",
    }
    head |= {"SO_NGAY_DTRI": "5", "MA_LOAI_RV": "2", "MA_NOI_DEN": "01998"}
    person = {
        name: head[name]
        for name in ("MA_LK", "SO_CCCD", "NGAY_SINH", "GIOI_TINH", "HO_TEN", "MA_CSKCB", "NGAY_VAO", "NGAY_RA")
    }
    doctor = {
        "MA_TTDV": "1234567890",
        "MA_BS": "000001/HNO-GPHN",
        "MA_BAC_SI": "000001/HNO-GPHN",
        "TEN_BS": "Bác sĩ Thử",
    }
    papers: Rows = {
        "XML5": [
            person | {"STT": "1", "DIEN_BIEN_LS": "Ổn", "THOI_DIEM_DBLS": at(-60), "NGUOI_THUC_HIEN": "000001/HNO-GPHN"}
        ],
        "XML7": [person | doctor | {"NGAY_CT": at()[:8]}],
        "XML8": [person | doctor | {"QT_BENHLY": "Sốt", "TOMTAT_KQ": "Ổn", "PP_DIEUTRI": "Thuốc", "KET_QUA_DTRI": "2"}],
        "XML11": [
            person
            | doctor
            | {"SO_NGAY_NGHI": "3", "TU_NGAY": at()[:8], "DEN_NGAY": at(60 * 24 * 2)[:8], "MA_BHXH": "9999000001"}
        ],
    }
    del rows["XML14"]
    head["NGAY_TAI_KHAM"] = ""
    return rows | papers
