"""Where each field of a paper's table stands in the CDA of the same paper; read by lxml alone, apart from what writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from lxml import etree

_V3 = "{urn:hl7-org:v3}"
_PATIENT = "recordTarget/patientRole"
_UNPRINTED = frozenset({"country", "censusTract"})
_FIELDS = "/CodeSystem/qd3176-field"


def _texts(element: etree._Element, without: str) -> Iterator[str]:
    """Give the texts inside an element, those of one kind of part apart."""
    yield element.text or ""
    for one in element:
        if etree.QName(one).localname != without:
            yield from _texts(one, without)
        yield one.tail or ""


class Cda:
    """One CDA document, opened for comparing."""

    def __init__(self, data: bytes) -> None:
        self.root = etree.fromstring(data)

    def all(self, path: str) -> list[etree._Element]:
        return self.root.findall("/".join(f"{_V3}{part}" if part[:1].isalpha() else part for part in path.split("/")))

    def attribute(self, path: str, name: str = "value") -> str:
        return next((one.get(name, "") for one in self.all(path)), "")

    def text(self, path: str) -> str:
        return next(("".join(map(str, one.itertext())).strip() for one in self.all(path)), "")

    def number(self, path: str, *endings: str) -> str:
        """Give the first id whose authority ends in one of the endings."""
        found = self.all(f"{path}/id")
        return next(
            (one.get("extension", "") for one in found if one.get("assigningAuthorityName", "").endswith(endings)), ""
        )

    def person(self, path: str) -> str:
        """Give a person's name without what stands before it."""
        return next(("".join(_texts(one, "prefix")).strip() for one in self.all(path)), "")

    def address(self) -> str:
        """Give the person's address on one line, as papers print it."""
        parts = (one for whole in self.all(f"{_PATIENT}/addr")[:1] for one in whole)
        return ", ".join(one.text or "" for one in parts if etree.QName(one).localname not in _UNPRINTED)

    def _observations(self, name: str) -> list[etree._Element]:
        found = self.root.iter(f"{_V3}observation")
        codes = ((one, one.find(f"{_V3}code")) for one in found)
        return [
            one
            for one, code in codes
            if code is not None and code.get("code") == name and code.get("codeSystemName", "").endswith(_FIELDS)
        ]

    def told(self, name: str) -> str:
        """Give the value of an entry whose code is a field of the decision."""
        values = (value for one in self._observations(name) for value in one.iter(f"{_V3}value"))
        return next((value.get("code") or (value.text or "").strip() for value in values), "")

    def cell(self, key: str) -> str:
        """Give what stands on the paper under a key."""
        for one in self.root.iter(f"{_V3}td", f"{_V3}paragraph"):
            if one.get("ID") == key:
                for line_end in one.iter(f"{_V3}br"):
                    line_end.text = "\n"
                return "".join(map(str, one.itertext()))
        return ""

    def diagnoses(self, key: str) -> list[tuple[str, str]]:
        """Give code and words of the diagnoses in the section that shows a cell."""
        for section in self.root.iter(f"{_V3}section"):
            if any(one.get("ID") == key for one in section.iter(f"{_V3}td")):
                entries = section.findall(f"{_V3}entry/{_V3}observation")
                values = [
                    one.find(f"{_V3}value") for one in entries if one.find(f"{_V3}code[@code='29308-4']") is not None
                ]
                return [
                    (one.get("code", ""), one.findtext(f"{_V3}originalText") or "") for one in values if one is not None
                ]
        return []


Place = Callable[[Cda], str]


def digits(text: str, length: int) -> str:
    """Give so many digits of an HL7 time, noughts for what it does not say."""
    return re.sub(r"[+-]\d{4}$", "", text)[:length].ljust(length, "0") if text else ""


def _written_day(text: str) -> str:
    """Read `ngày 05 tháng 11 năm 2026`."""
    parts = re.search(r"ngày (\d+) tháng (\d+) năm (\d{4})", text, re.IGNORECASE)
    return f"{parts[3]}{int(parts[2]):02}{int(parts[1]):02}" if parts else ""


def told(name: str) -> Place:
    return lambda cda: cda.told(name)


def told_day(name: str) -> Place:
    return lambda cda: digits(cda.told(name), 8)


def cell(key: str) -> Place:
    return lambda cda: cda.cell(key)


def time(path: str, length: int = 12) -> Place:
    return lambda cda: digits(cda.attribute(path), length)


def first(*places: Place) -> Place:
    return lambda cda: next((said for place in places if (said := place(cda))), "")


def _other_codes(key: str) -> Place:
    def place(cda: Cda) -> str:
        main, *others = [code for code, _ in cda.diagnoses(key)] or [""]
        return ";".join(dict.fromkeys(code for code in others if code not in ("", main)))

    return place


def _words(key: str) -> Place:
    return lambda cda: "; ".join(words for _, words in cda.diagnoses(key))


def _lines(*keys: str) -> Place:
    return lambda cda: "\n".join(text for key in keys if (text := cda.cell(key)))


def _relative(code: str) -> Place:
    def place(cda: Cda) -> str:
        for one in cda.all("recordTarget/patientRole/patient/guardian"):
            name = one.find(f"{_V3}guardianPerson/{_V3}name")
            if name is not None and one.find(f"{_V3}code[@code='{code}']") is not None:
                return "".join(map(str, name.itertext()))
        return ""

    return place


def _father_of_patient(cda: Cda) -> str:
    return _relative("FTH")(cda)


_SEX = {"M": "1", "F": "2"}
_DOCTOR = "author/assignedAuthor"
_VISIT = "componentOf/encompassingEncounter"


def visit(cda: Cda) -> str:
    return cda.number(_VISIT, "/ma-lk") or cda.number(_VISIT, "/visit")


def is_stay(cda: Cda) -> bool:
    return cda.attribute(f"{_VISIT}/code", "code") == "IMP"


def _ward(cda: Cda) -> str:
    """Give the code of the ward: of the place, else the last part of its name."""
    place = f"{_VISIT}/location/healthCareFacility"
    return cda.attribute(f"{place}/code", "code") or cda.text(f"{place}/location/name").rpartition(", ")[2]


came, left = time(f"{_VISIT}/effectiveTime/low"), time(f"{_VISIT}/effectiveTime/high")
issued = time("effectiveTime", 8)


def sex(cda: Cda) -> str:
    return _SEX.get(cda.attribute(f"{_PATIENT}/patient/administrativeGenderCode", "code"), "3")


def doctor(cda: Cda) -> str:
    return cda.number(_DOCTOR, "/cchn")


def cards(cda: Cda) -> str:
    return ";".join(one.get("extension", "") for one in cda.all("participant/associatedEntity/id"))


def card_ends(cda: Cda) -> str:
    return ";".join(one.get("value", "") for one in cda.all("participant/time/high"))


admitted = first(told("NGAY_VAO_NOI_TRU"), lambda cda: came(cda) if is_stay(cda) else "")
occupation = told("MA_NGHE_NGHIEP")
record_number = first(told("SO_LUU_TRU"), cell("SO_HO_SO"))


def examined(cda: Cda) -> str:
    return _written_day(cda.cell("NGAY_CT"))


_PERSON: Mapping[str, Place] = {
    "HO_TEN": lambda cda: cda.text(f"{_PATIENT}/patient/name"),
    "NGAY_SINH": time(f"{_PATIENT}/patient/birthTime"),
    "GIOI_TINH": sex,
    "DIA_CHI": lambda cda: cda.address(),
    "MA_THE_BHYT": cards,
    "GT_THE_DEN": card_ends,
    "NGAY_VAO": came,
    "NGAY_VAO_NOI_TRU": admitted,
    "NGAY_RA": left,
}


def _diagnoses(key: str) -> Mapping[str, Place]:
    return {
        "CHAN_DOAN_RV": _words(key),
        "MA_BENH_CHINH": lambda cda: next((code for code, _ in cda.diagnoses(key)), ""),
        "MA_BENH_KT": _other_codes(key),
        "MA_BENH_YHCT": told("MA_BENH_YHCT"),
    }


PLACES: Mapping[str, Mapping[str, Place]] = {
    "XML7": {
        "MA_LK": visit,
        "SO_LUU_TRU": record_number,
        "MA_YTE": lambda cda: cda.number(_PATIENT, "/patient"),
        "MA_KHOA_RV": first(told("MA_KHOA_RV"), _ward),
        "NGAY_VAO": came,
        "NGAY_RA": left,
        "MA_DINH_CHI_THAI": told("MA_DINH_CHI_THAI"),
        "NGUYENNHAN_DINHCHI": told("NGUYENNHAN_DINHCHI"),
        "THOIGIAN_DINHCHI": told("THOIGIAN_DINHCHI"),
        "TUOI_THAI": told("TUOI_THAI"),
        "CHAN_DOAN_RV": _words("CHAN_DOAN"),
        "PP_DIEUTRI": told("PP_DIEUTRI"),
        "GHI_CHU": _lines("GHI_CHU", "LOI_DAN"),
        "MA_BS": doctor,
        "TEN_BS": lambda cda: cda.person(f"{_DOCTOR}/assignedPerson/name"),
        "NGAY_CT": time(f"{_VISIT}/effectiveTime/high", 8),
        "MA_CHA": lambda cda: "",
        "MA_ME": lambda cda: "",
        "MA_THE_TAM": told("MA_THE_TAM"),
        "HO_TEN_CHA": _relative("FTH"),
        "HO_TEN_ME": _relative("MTH"),
        "SO_NGAY_NGHI": told("SO_NGAY_NGHI"),
        "NGOAITRU_TUNGAY": told_day("NGOAITRU_TUNGAY"),
        "NGOAITRU_DENNGAY": told_day("NGOAITRU_DENNGAY"),
    },
    "XML8": {
        "MA_LK": visit,
        "MA_LOAI_KCB": first(told("MA_LOAI_KCB"), lambda cda: "03" if is_stay(cda) else ""),
        "HO_TEN_CHA": first(told("HO_TEN_CHA"), _relative("FTH")),
        "HO_TEN_ME": first(told("HO_TEN_ME"), _relative("MTH")),
        "NGUOI_GIAM_HO": first(told("NGUOI_GIAM_HO"), _relative("GUARD")),
        "DON_VI": first(told("DON_VI"), cell("NOI_LAM_VIEC")),
        "NGAY_VAO": came,
        "NGAY_RA": left,
        "CHAN_DOAN_VAO": first(told("CHAN_DOAN_VAO"), _words("CHAN_DOAN_VAO")),
        "CHAN_DOAN_RV": _words("CHAN_DOAN"),
        "QT_BENHLY": cell("QT_BENHLY"),
        "TOMTAT_KQ": cell("TOMTAT_KQ"),
        "PP_DIEUTRI": lambda cda: "\n".join(
            line.removeprefix("☒ ") for line in cda.cell("PP_DIEUTRI").split("\n") if not line.startswith("☐")
        ),
        "NGAY_SINHCON": told_day("NGAY_SINHCON"),
        "NGAY_CONCHET": told_day("NGAY_CONCHET"),
        "SO_CONCHET": told("SO_CONCHET"),
        "KET_QUA_DTRI": first(told("TT_RAVIEN"), told("KET_QUA_DTRI")),
        "GHI_CHU": lambda cda: "\n".join(filter(None, map(cda.told, ("GHI_CHU", "HUONG_DIEU_TRI", "LOI_DAN")))),
        "NGAY_CT": issued,
        "MA_THE_TAM": told("MA_THE_TAM"),
    },
    "XML9": {
        "MA_LK": visit,
        "MA_BHXH_NND": cell("MA_BHXH_NND"),
        "MA_THE_NND": told("MA_THE_NND"),
        "HO_TEN_NND": first(told("HO_TEN_NND"), _relative("MTH")),
        "NGAYSINH_NND": told_day("NGAYSINH_NND"),
        "MA_DANTOC_NND": lambda cda: cda.told("MA_DANTOC_NND").zfill(2),
        "SO_CCCD_NND": told("SO_CCCD_NND"),
        "NGAYCAP_CCCD_NND": told_day("NGAYCAP_CCCD_NND"),
        "NOICAP_CCCD_NND": told("NOICAP_CCCD_NND"),
        "NOI_CU_TRU_NND": cell("NOI_CU_TRU_NND"),
        "MA_QUOCTICH": told("MA_QUOCTICH"),
        **{name: told(name) for name in ("MATINH_CU_TRU", "MAHUYEN_CU_TRU", "MAXA_CU_TRU", "MA_THE_TAM")},
        "HO_TEN_CHA": first(told("HO_TEN_CHA"), _father_of_patient),
        "HO_TEN_CON": cell("HO_TEN_CON"),
        "GIOI_TINH_CON": first(told("GIOI_TINH_CON"), sex),
        **{name: told(name) for name in ("SO_CON", "LAN_SINH", "SO_CON_SONG", "CAN_NANG_CON")},
        "NGAY_SINH_CON": lambda cda: digits(cda.told("NGAY_SINH_CON"), 12),
        "NOI_SINH_CON": cell("NOI_SINH_CON"),
        **{name: told(name) for name in ("TINH_TRANG_CON", "SINHCON_PHAUTHUAT", "SINHCON_DUOI32TUAN", "GHI_CHU")},
        **{name: told(name) for name in ("NGUOI_DO_DE", "NGUOI_GHI_PHIEU", "SO", "QUYEN_SO")},
        "NGAY_CT": issued,
    },
    "XML10": {
        "MA_LK": visit,
        **{name: told(name) for name in ("SO_SERI", "SO_CT", "SO_NGAY", "DON_VI")},
        "CHAN_DOAN_RV": _words("CHAN_DOAN"),
        "TU_NGAY": told_day("TU_NGAY"),
        "DEN_NGAY": told_day("DEN_NGAY"),
        "TEN_BS": lambda cda: cda.person(f"{_DOCTOR}/assignedPerson/name"),
        "MA_BS": doctor,
        "NGAY_CT": examined,
    },
    "XML11": {
        "MA_LK": visit,
        **{
            name: told(name) for name in ("SO_CT", "SO_SERI", "SO_KCB", "DON_VI", "MA_BHXH", "PP_DIEUTRI", "MA_THE_TAM")
        },
        "MA_THE_BHYT": cards,
        "CHAN_DOAN_RV": _words("CHANDOAN_DIEUTRI"),
        **{name: told(name) for name in ("MA_DINH_CHI_THAI", "NGUYENNHAN_DINHCHI", "TUOI_THAI", "SO_NGAY_NGHI")},
        "TU_NGAY": told_day("TU_NGAY"),
        "DEN_NGAY": told_day("DEN_NGAY"),
        "HO_TEN_CHA": cell("HO_TEN_CHA"),
        "HO_TEN_ME": cell("HO_TEN_ME"),
        "MA_BS": doctor,
        "NGAY_CT": examined,
        "MAU_SO": told("MAU_SO"),
    },
    "XML13": {
        "MA_LK": visit,
        "SO_HOSO": first(told("SO_HOSO"), record_number),
        "SO_CHUYENTUYEN": told("SO_CHUYENTUYEN"),
        "GIAY_CHUYEN_TUYEN": first(
            told("GIAY_CHUYEN_TUYEN"), lambda cda: next((o.get("extension", "") for o in cda.all(".//act/id")), "")
        ),
        "MA_CSKCB": lambda cda: cda.number("custodian/assignedCustodian/representedCustodianOrganization", "/ma-cskcb"),
        "MA_CSKCB_DI": told("MA_CSKCB_DI"),
        "MA_CSKCB_DEN": lambda cda: cda.number(".//act/performer/assignedEntity", "/ma-cskcb"),
        **_PERSON,
        "MA_QUOCTICH": first(told("MA_QUOCTICH"), lambda cda: {"Việt Nam": "000"}.get(cda.cell("QUOC_TICH"), "")),
        "MA_DANTOC": lambda cda: cda.attribute(f"{_PATIENT}/patient/ethnicGroupCode", "code"),
        "MA_NGHE_NGHIEP": occupation,
        **{name: cell(name) for name in ("DAU_HIEU_LS", "TOMTAT_KQ", "PP_DIEUTRI", "TINH_TRANG_CT")},
        **_diagnoses("CHAN_DOAN"),
        "QT_BENHLY": told("QT_BENHLY"),
        "MA_LOAI_RV": first(
            told("MA_LOAI_RV"), lambda cda: cda.attribute(f"{_VISIT}/dischargeDispositionCode", "code")
        ),
        **{name: told(name) for name in ("MA_LYDO_CT", "HUONG_DIEU_TRI", "PHUONGTIEN_VC")},
        **{name: told(name) for name in ("HOTEN_NGUOI_HT", "CHUCDANH_NGUOI_HT")},
        "MA_BAC_SI": doctor,
    },
    "XML14": {
        "MA_LK": visit,
        "SO_GIAYHEN_KL": first(
            told("SO_GIAYHEN_KL"),
            lambda cda: next((o.get("extension", "") for o in cda.all(".//encounter/id")), ""),
        ),
        "MA_CSKCB": lambda cda: cda.number("custodian/assignedCustodian/representedCustodianOrganization", "/ma-cskcb"),
        **_PERSON,
        "NGAY_HEN_KL": lambda cda: digits(cda.attribute(".//encounter/effectiveTime/low"), 8),
        **_diagnoses("CHAN_DOAN_CHINH"),
        "MA_DOITUONG_KCB": told("MA_DOITUONG_KCB"),
        "MA_BAC_SI": doctor,
        "NGAY_CT": issued,
    },
}
"""Table → field → where the CDA of the paper says it."""

ELSEWHERE = frozenset({"MA_TTDV", "DU_PHONG"})
"""Fields that no paper says: the head of the facility is a setting, and one field is reserved."""


def differences(table: str, row: Mapping[str, str], cda: Cda) -> dict[str, tuple[str, str]]:
    """Give field → what the row and what the CDA says, where they are not the same."""
    both = {name: (row.get(name, ""), place(cda)) for name, place in PLACES[table].items()}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}
