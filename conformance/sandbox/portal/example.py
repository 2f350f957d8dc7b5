"""Make a complete, correct record of an invented patient: to try a sender with, and to see what the portal wants.

All of it is invented: person, card, facility, prices. The times follow the moment given.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from conformance.sandbox.ca import Identity
from conformance.sandbox.holders import Credential
from conformance.sandbox.portal.shapes import shape
from conformance.sandbox.signatures import DS

Rows = dict[str, list[dict[str, str]]]
"""The rows of each table by field."""
Moments = Callable[[int], str]
"""Minutes from the discharge → 12 digits."""
_NO_OTHER_SOURCES: Final = dict.fromkeys((f"T_NGUONKHAC{part}" for part in ("", "_NSNN", "_VTNN", "_VTTN", "_CL")), "0")


def example_visit(left: datetime, facility: str, *, link: str = "LK1", decision: str = "3176") -> Rows:
    """Make an outpatient visit that ended at `left`: a drug, an examination, a test with its result, an appointment."""
    at = _moments(left)
    head = _head(at, facility)
    rows = {
        "XML1": [head],
        "XML2": [_drug(at)],
        "XML3": [_examination(at), _test(at)],
        "XML4": [_result(at)],
    }
    if decision != "130":
        rows["XML14"] = [_appointment(at, head, decision)]
    for each in rows.values():
        for position, row in enumerate(each, 1):
            row["MA_LK"] = link
            row.setdefault("STT", str(position))
    return rows


def write_table(name: str, rows: list[dict[str, str]], decision: str = "3176") -> str:
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


def write_envelope(*visits: Rows, made_on: str, decision: str = "3176", facility: str) -> str:
    """Put visits into GIAMDINHHS, not signed."""
    written = ""
    for each in visits:
        parts = [
            f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO>"
            f"<NOIDUNGFILE>{_encoded(write_table(name, rows, decision))}</NOIDUNGFILE></FILEHOSO>"
            for name, rows in each.items()
        ]
        written += f"<HOSO>{''.join(parts)}</HOSO>"
    return (
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>{made_on}</NGAYLAP>"
        f"<SOLUONGHOSO>{len(visits)}</SOLUONGHOSO><DANHSACHHOSO>{written}</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    )


def signed(xml: str, signer: Identity | Credential) -> bytes:
    """Sign a file as a whole, the signature in CHUKYDONVI."""
    root = etree.fromstring(xml)
    place = root.find("CHUKYDONVI")
    assert place is not None
    etree.SubElement(place, f"{{{DS}}}Signature", Id="placeholder")
    made = XMLSigner(signature_algorithm=SignatureMethod.RSA_SHA256, digest_algorithm=DigestAlgorithm.SHA256)
    return etree.tostring(made.sign(root, key=signer.key_pem, cert=[signer.certificate]))


def _head(at: Moments, facility: str) -> dict[str, str]:
    """The person, the stay and the totals."""
    return {
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
        "MA_DKBD": facility,
        "GT_THE_TU": "20260101",
        "GT_THE_DEN": "20991231",
        "LY_DO_VV": "Sốt",
        "CHAN_DOAN_VAO": "Sốt",
        "CHAN_DOAN_RV": "Viêm họng cấp",
        "MA_BENH_CHINH": "J02.9",
        "MA_BENH_KT": "I10;E11.9",
        "MA_DOITUONG_KCB": "1.1",
        "NGAY_VAO": at(-120),
        "NGAY_RA": at(0),
        "SO_NGAY_DTRI": "0",
        "PP_DIEU_TRI": "Thuốc",
        "KET_QUA_DTRI": "2",
        "MA_LOAI_RV": "1",
        "NGAY_TTOAN": at(0),
        "T_THUOC": "20000.00",
        "T_VTYT": "0",
        "T_TONGCHI_BV": "130000",
        "T_TONGCHI_BH": "120000",
        "T_BNTT": "10000",
        "T_BNCCT": "24000",
        "T_BHTT": "96000",
        "T_NGUONKHAC": "0",
        "T_BHTT_GDV": "0",
        "NAM_QT": at(0)[:4],
        "THANG_QT": at(0)[4:6],
        "MA_LOAI_KCB": "01",
        "MA_KHOA": "K01",
        "MA_CSKCB": facility,
        "CAN_NANG": "52.5",
        "NAM_NAM_LIEN_TUC": "20200101",
        "NGAY_TAI_KHAM": at(60 * 24 * 7)[:8],
        "MA_HSBA": "HS1",
        "MA_TTDV": "1234567890",
    }


def _drug(at: Moments) -> dict[str, str]:
    """A line of XML2."""
    return _NO_OTHER_SOURCES | {
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
        "TT_THAU": f"1/QĐ;G1;N1;{at(0)[:4]}",
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


def _examination(at: Moments) -> dict[str, str]:
    """A line of XML3."""
    return _NO_OTHER_SOURCES | {
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


def _test(at: Moments) -> dict[str, str]:
    """A second line of XML3."""
    return _examination(at) | {
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


def _result(at: Moments) -> dict[str, str]:
    """A line of XML4."""
    return {
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


def _appointment(at: Moments, head: dict[str, str], decision: str) -> dict[str, str]:
    """XML14."""
    again = {name: head[name] for name in ("MA_CSKCB", "HO_TEN", "NGAY_VAO", "NGAY_RA", "MA_DOITUONG_KCB", "MA_TTDV")}
    day = head["NGAY_TAI_KHAM"] if decision == "3176" else head["NGAY_TAI_KHAM"] + "0800"
    more = {"SO_GIAYHEN_KL": "1", "NGAY_HEN_KL": day, "MA_BAC_SI": "000001/HNO-GPHN", "NGAY_CT": at(0)[:8]}
    return again | more


def _moments(left: datetime) -> Moments:
    def at(minutes: int) -> str:
        return f"{left + timedelta(minutes=minutes):%Y%m%d%H%M}"

    return at


def _encoded(xml: str) -> str:
    return base64.b64encode(f'<?xml version="1.0" encoding="utf-8"?>{xml}'.encode()).decode()
