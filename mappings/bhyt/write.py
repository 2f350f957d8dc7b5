"""Write a table of QĐ 3176 from a paper of ours.

Every field of the table is written, in its order, an empty one as `<X/>`. Fields come from the paper alone, so that the table
and what was signed say the same; only the head of the facility, whom no message names, comes from outside. XML1 is written
without its money: enough for the portal to take the file, not to settle a visit.

Standard: QĐ 3176/QĐ-BYT
Requirement: S3.15
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from mappings.bhyt import facts, results
from mappings.bhyt.envelope import envelope
from mappings.bhyt.faults import FieldInvalid, FieldMissing, FieldTooLong, PaperNotInsured
from mappings.bhyt.rows import rows_to_xml
from mappings.bhyt.sheet import FieldSource, Sheet, nothing, told, told_all, told_code, told_day, told_number, told_time
from mappings.bhyt.tables import Table, table
from mappings.documents.record import Record, value_text
from mappings.formats.faults import DateInvalid
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems

TABLE_OF_PAPER = {"discharge_paper": "XML7", "referral": "XML13", "reexamination": "XML14", "lab_report": "XML4"}
"""Our papers the insurance portal has a table for, and its LOAIHOSO."""

_SUBJECT = {
    "discharge_paper": "Encounter",
    "referral": "ServiceRequest",
    "reexamination": "Appointment",
    "lab_report": "DiagnosticReport",
}
_NAMES_VISIT = frozenset({"MA_LK", "MA_BN", "HO_TEN", "NGAY_SINH", "GIOI_TINH", "MA_CSKCB"})
"""The fields of XML1 that a paper must know: those that name the visit."""

_VOID = frozenset({"cancelled", "entered-in-error"})
_FORMS = {
    "number": re.compile(r"\d+(\.\d+)?"),
    "date": re.compile(r"\d{8}"),
    "datetime": re.compile(r"\d{12}"),
    "string": re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]*", re.DOTALL),
}
_ONE_CODE = re.compile(r"[A-Z]\d{2}(\.[0-9A-Z]{1,3})?[†*+]?")

XML4: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "STT": results.row_number,
    "MA_DICH_VU": results.service_code,
    "MA_CHI_SO": results.index_code,
    "TEN_CHI_SO": results.index_name,
    "GIA_TRI": results.value,
    "DON_VI_DO": results.unit,
    "MO_TA": results.findings,
    "KET_LUAN": results.conclusion,
    "NGAY_KQ": results.resulted_at,
    "MA_BS_DOC_KQ": results.reader_licence,
    "DU_PHONG": nothing,
}
XML7: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_LUU_TRU": facts.record_number,
    "MA_YTE": facts.patient_number,
    "MA_KHOA_RV": facts.department,
    "NGAY_VAO": facts.came_at,
    "NGAY_RA": facts.left_at,
    "MA_DINH_CHI_THAI": told_code("MA_DINH_CHI_THAI"),
    "NGUYENNHAN_DINHCHI": told("NGUYENNHAN_DINHCHI"),
    "THOIGIAN_DINHCHI": told_time("THOIGIAN_DINHCHI"),
    "TUOI_THAI": told("TUOI_THAI"),
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "PP_DIEUTRI": told("PP_DIEUTRI"),
    "GHI_CHU": told_all("GHI_CHU", "LOI_DAN"),
    "MA_TTDV": facts.head_licence,
    "MA_BS": facts.doctor_licence,
    "TEN_BS": facts.doctor_name,
    "NGAY_CT": facts.left_on,
    "MA_CHA": facts.father_number,
    "MA_ME": facts.mother_number,
    "MA_THE_TAM": told_number("MA_THE_TAM"),
    "HO_TEN_CHA": facts.father_name,
    "HO_TEN_ME": facts.mother_name,
    "SO_NGAY_NGHI": told("SO_NGAY_NGHI"),
    "NGOAITRU_TUNGAY": told_day("NGOAITRU_TUNGAY"),
    "NGOAITRU_DENNGAY": told_day("NGOAITRU_DENNGAY"),
    "DU_PHONG": nothing,
}
XML13: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_HOSO": facts.file_number,
    "SO_CHUYENTUYEN": facts.register_number,
    "GIAY_CHUYEN_TUYEN": facts.referral_number,
    "MA_CSKCB": facts.facility,
    "MA_CSKCB_DI": told_number("MA_CSKCB_DI"),
    "MA_CSKCB_DEN": facts.receiver,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "MA_QUOCTICH": facts.nationality,
    "MA_DANTOC": facts.ethnicity,
    "MA_NGHE_NGHIEP": facts.occupation,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.moved_at,
    "DAU_HIEU_LS": told("DAU_HIEU_LS"),
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "QT_BENHLY": told("QT_BENHLY"),
    "TOMTAT_KQ": told("TOMTAT_KQ"),
    "PP_DIEUTRI": told("PP_DIEUTRI"),
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "TINH_TRANG_CT": told("TINH_TRANG_CT"),
    "MA_LOAI_RV": facts.discharge_kind,
    "MA_LYDO_CT": facts.referral_reason,
    "HUONG_DIEU_TRI": told("HUONG_DIEU_TRI"),
    "PHUONGTIEN_VC": told("PHUONGTIEN_VC"),
    "HOTEN_NGUOI_HT": told("HOTEN_NGUOI_HT"),
    "CHUCDANH_NGUOI_HT": told("CHUCDANH_NGUOI_HT"),
    "MA_BAC_SI": facts.doctor_licence,
    "MA_TTDV": facts.head_licence,
    "DU_PHONG": nothing,
}
XML14: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "SO_GIAYHEN_KL": facts.appointment_number,
    "MA_CSKCB": facts.facility,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.left_at,
    "NGAY_HEN_KL": facts.comes_back_on,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "MA_DOITUONG_KCB": told_code("MA_DOITUONG_KCB"),
    "MA_BAC_SI": facts.doctor_licence,
    "MA_TTDV": facts.head_licence,
    "NGAY_CT": facts.issued_on,
    "DU_PHONG": nothing,
}
XML1: Mapping[str, FieldSource] = {
    "MA_LK": facts.visit_number,
    "STT": results.row_number,
    "MA_BN": facts.patient_number,
    "HO_TEN": facts.full_name,
    "NGAY_SINH": facts.born_at,
    "GIOI_TINH": facts.sex,
    "MA_QUOCTICH": facts.nationality,
    "MA_DANTOC": facts.ethnicity,
    "MA_NGHE_NGHIEP": facts.occupation,
    "DIA_CHI": facts.residence,
    "MA_THE_BHYT": facts.card_numbers,
    "GT_THE_DEN": facts.card_ends,
    "CHAN_DOAN_RV": facts.diagnosis_text,
    "MA_BENH_CHINH": facts.main_disease,
    "MA_BENH_KT": facts.other_diseases,
    "MA_BENH_YHCT": told_number("MA_BENH_YHCT"),
    "MA_DOITUONG_KCB": told_code("MA_DOITUONG_KCB"),
    "NGAY_VAO": facts.came_at,
    "NGAY_VAO_NOI_TRU": facts.admitted_at,
    "NGAY_RA": facts.left_at,
    "PP_DIEU_TRI": told("PP_DIEUTRI"),
    "KET_QUA_DTRI": told_code("KET_QUA_DTRI"),
    "MA_LOAI_RV": facts.discharge_kind,
    "MA_KHOA": told_code("MA_KHOA"),
    "MA_CSKCB": facts.facility,
    "MA_TTDV": facts.head_licence,
}
"""The summary that every visit begins with, as far as a paper knows it. The fields without a row here, the money among them,
stay empty: the settlement of a visit is not a paper's to tell."""
SOURCES = {"XML1": XML1, "XML4": XML4, "XML7": XML7, "XML13": XML13, "XML14": XML14}


def paper_to_gdbhyt(bundle: Resource, *, head: str = "", systems: Systems = DEFAULT) -> bytes:
    """Write the inner document of the paper's table, as it goes into an envelope.

    `head` is the practice licence of the head of the facility (MA_TTDV), used when the paper names none. Raises
    `PaperNotInsured`, `FieldMissing`, `FieldTooLong`, `FieldInvalid`; nothing is cut or made up.
    """
    paper = paper_name(bundle, systems)
    return _document(TABLE_OF_PAPER[paper], _open(bundle, paper, head, systems))


def paper_to_envelope(
    bundle: Resource, *, facility: str, made_on: date, head: str = "", systems: Systems = DEFAULT
) -> bytes:
    """Write the whole unsigned file for the portal: XML1 without money, and the paper's own table.

    `facility` is MA_CSKCB. Raises as `paper_to_gdbhyt`, and EnvelopeInvalid.
    """
    paper = paper_name(bundle, systems)
    sheet = _open(bundle, paper, head, systems)
    names = ("XML1", TABLE_OF_PAPER[paper])
    return envelope(facility, made_on, [(name, _document(name, sheet)) for name in names])


def _document(name: str, first: Sheet) -> bytes:
    known = table(name)
    sheets = list(_rows(first)) if name == "XML4" else [first]
    if not sheets:
        raise FieldMissing(f"{known.name}/{known.elements[-1]}", "no result")
    return rows_to_xml(known, [_row(known, one, f"[{one.number}]" if known.has_list else "") for one in sheets])


def paper_name(bundle: Resource, systems: Systems = DEFAULT) -> str:
    """Tell which of our papers a document is; raises PaperNotInsured when the portal has no table for it."""
    entries = bundle.get("entry", [])
    head: Resource = entries[0].get("resource", {}) if entries else {}
    codings = head.get("type", {}).get("coding", []) if head.get("resourceType") == "Composition" else []
    names = [c.get("code", "") for c in codings if c.get("system") == systems.paper]
    for name in TABLE_OF_PAPER:
        if name in names:
            return name
    raise PaperNotInsured("Composition.type", names[0] if names and names[0].isidentifier() else "")


def _open(bundle: Resource, paper: str, head: str, systems: Systems) -> Sheet:
    resources = [entry["resource"] for entry in bundle["entry"] if "resource" in entry]
    record, composition = Record(resources, systems), resources[0]
    encounter = record.follow(composition.get("encounter"))
    patient = record.follow(composition.get("subject"))
    if patient is None:
        raise PaperNotInsured("Composition.subject", paper)
    named = [record.follow(entry) for part in composition.get("section", []) for entry in part.get("entry", [])]
    candidates = [*named, *record.all(_SUBJECT[paper])]
    subjects = [one for one in candidates if one and one["resourceType"] == _SUBJECT[paper]]
    about_visit = paper == "discharge_paper" or (paper == "reexamination" and not subjects)
    subject = encounter if about_visit else next(iter(subjects), None)
    if subject is None:
        raise PaperNotInsured("Composition.section.entry", _SUBJECT[paper])
    return Sheet(record, systems, composition, patient, encounter, subject, head.strip())


def _rows(sheet: Sheet) -> Iterator[Sheet]:
    """Give one sheet per result; members of a panel and components stand as rows of their own after it."""
    waiting = list(sheet.record.of_type(sheet.subject.get("result", []), "Observation"))
    seen: set[str] = set()
    number = 0
    while waiting:
        result = waiting.pop(0)
        if result.get("status") in _VOID or result.get("id", "") in seen:
            continue
        seen.add(result.get("id", ""))
        waiting = [*sheet.record.of_type(result.get("hasMember", []), "Observation"), *waiting]
        parts = [part | {"issued": result.get("issued", "")} for part in result.get("component", [])]
        said = value_text(result)
        whole = [result] if said or not (parts or result.get("hasMember")) else []
        for one in [*whole, *parts]:
            number += 1
            yield replace(sheet, row=one, number=number)


def _row(known: Table, sheet: Sheet, at: str) -> dict[str, str]:
    """Take the fields of one row from the paper."""
    sources = SOURCES[known.name]
    row: dict[str, str] = {}
    missing: list[str] = []
    for field in known.fields:
        where = f"{known.name}{at}/{field.name}"
        try:
            value = sources.get(field.name, nothing)(sheet).strip()
        except DateInvalid:
            raise FieldInvalid(where, field.type) from None
        if not value:
            missing += (
                [field.name] if field.required == "yes" and (field.name in _NAMES_VISIT or known.name != "XML1") else []
            )
            continue
        one_code = field.name == "MA_BENH_CHINH"
        if not _FORMS[field.type].fullmatch(value) or (one_code and not _ONE_CODE.fullmatch(value)):
            raise FieldInvalid(where, "one ICD-10 code" if one_code else field.type)
        if field.size is not None and len(value) > field.size:
            raise FieldTooLong(where, f"{len(value)} characters, {field.size} allowed")
        row[field.name] = value
    if missing:
        raise FieldMissing(f"{known.name}{at}/{missing[0]}", ", ".join(missing))
    return row
