"""Correct records of invented patients, table by table, to plant errors in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from conformance.sandbox.portal.example import Rows, example_visit, write_envelope
from conformance.sandbox.server import FACILITY

__all__ = ["YEAR", "Rows", "at", "envelope", "inpatient", "visit"]

_LEFT: Final = datetime.now(UTC).replace(hour=3, minute=0) - timedelta(days=1)
YEAR: Final = f"{_LEFT:%Y}"


def at(minutes: int = 0) -> str:
    """Give a moment of the visit, 12 digits; 0 is the discharge."""
    return f"{_LEFT + timedelta(minutes=minutes):%Y%m%d%H%M}"


def visit(link: str = "LK1", decision: str = "3176") -> Rows:
    """Make the outpatient visit of the sandbox's example."""
    return example_visit(_LEFT, FACILITY, link=link, decision=decision)


def envelope(*visits: Rows, decision: str = "3176", facility: str = FACILITY) -> str:
    """Put visits into GIAMDINHHS, not signed."""
    return write_envelope(*visits, made_on=at()[:8], decision=decision, facility=facility)


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
