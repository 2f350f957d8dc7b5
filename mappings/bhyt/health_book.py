"""The electronic health book: which of its items a visit's tables lack, and Table 8 for visits that nobody summed up.

The book on VNeID is filled by the insurance file (Tables 1, 2, 3, 4 and 8) of every patient, insured or not; of who is not, the
fields of the card stay empty. Not asked for: what no table has a field for (allergies, vaccinations, height, the legal
representative). The complete list of QĐ 1332/QĐ-BYT was not to be had; these are the items that a source names.

Standard: QĐ 31/QĐ-BYT (2026) art. 2(3), QĐ 2733/QĐ-BYT (2024) annex 02; second-hand
Requirement: S3.15
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mappings.bhyt.fhir import paper, stay
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import date_to_digits
from mappings.bhyt.rows import Row
from mappings.documents import statements, wording
from mappings.documents.lab_report import shown_value
from mappings.documents.record import is_field
from mappings.outcome import Resource
from mappings.systems import DEFAULT, Systems

STAYS = frozenset({"03", "04", "06", "09"})
"""MA_LOAI_KCB for which Table 8 is asked whatever the setting."""
NOT_INSURED = "9"
"""MA_DOITUONG_KCB of a visit that insurance does not pay."""
LONGEST_RESULTS = 4000
"""Characters the portal takes in TOMTAT_KQ."""
_TESTS = frozenset({"1", "2", "3"})
"""MA_NHOM of laboratory, imaging and functional tests: they have results in Table 4."""
_VOID = frozenset({"cancelled", "entered-in-error", "not-done", "stopped", "draft"})


class Item(NamedTuple):
    """One item of the book, and the field that fills it."""

    group: str
    """`a` the person, `b` history, `c` the visit, `d` the summary."""
    name: str
    """What the book calls it, in Vietnamese."""
    table: str
    field: str
    origin: str
    """Where it should come from: a field of HL7 v2, `OBX` and the name of a told field, or what the HIS has to export."""


PERSON = (
    Item("a", "Họ và tên", "XML1", "HO_TEN", "PID-5"),
    Item("a", "Ngày sinh", "XML1", "NGAY_SINH", "PID-7"),
    Item("a", "Giới tính", "XML1", "GIOI_TINH", "PID-8"),
    Item("a", "Dân tộc", "XML1", "MA_DANTOC", "PID-22"),
    Item("a", "Quốc tịch", "XML1", "MA_QUOCTICH", "PID-28 · OBX MA_QUOCTICH"),
    Item("a", "Nghề nghiệp", "XML1", "MA_NGHE_NGHIEP", "OBX MA_NGHE_NGHIEP"),
    Item("a", "Số định danh cá nhân", "XML1", "SO_CCCD", "PID-3 (NI)"),
    Item("a", "Điện thoại", "XML1", "DIEN_THOAI", "PID-13"),
    Item("a", "Địa chỉ", "XML1", "DIA_CHI", "PID-11"),
    Item("a", "Mã tỉnh nơi cư trú", "XML1", "MATINH_CU_TRU", "PID-11"),
    Item("a", "Mã xã nơi cư trú", "XML1", "MAXA_CU_TRU", "PID-11"),
)
CARD = (
    Item("a", "Mã thẻ BHYT", "XML1", "MA_THE_BHYT", "IN1-36 · PID-3 (HC)"),
    Item("a", "Nơi đăng ký khám bệnh ban đầu", "XML1", "MA_DKBD", "tra thẻ BHYT"),
    Item("a", "Thẻ có giá trị từ", "XML1", "GT_THE_TU", "IN1-12 · tra thẻ BHYT"),
    Item("a", "Thẻ có giá trị đến", "XML1", "GT_THE_DEN", "IN1-13 · tra thẻ BHYT"),
)
HISTORY = (Item("b", "Tiền sử, bệnh sử", "XML8", "QT_BENHLY", "OBX QT_BENHLY · OBX TIEN_SU_BENH"),)
VISIT = (
    Item("c", "Cơ sở khám bệnh, chữa bệnh", "XML1", "MA_CSKCB", "cấu hình cơ sở"),
    Item("c", "Ngày giờ vào", "XML1", "NGAY_VAO", "PV1-44"),
    Item("c", "Ngày giờ ra", "XML1", "NGAY_RA", "PV1-45"),
    Item("c", "Hình thức khám bệnh, chữa bệnh", "XML1", "MA_LOAI_KCB", "PV1-2 · OBX MA_LOAI_KCB"),
    Item("c", "Lý do vào", "XML1", "LY_DO_VV", "PV2-3 · OBX LY_DO_VV"),
    Item("c", "Tình trạng ra viện", "XML1", "MA_LOAI_RV", "PV1-36"),
    Item("c", "Kết quả điều trị", "XML1", "KET_QUA_DTRI", "OBX KET_QUA_DTRI"),
    Item("c", "Chẩn đoán ra viện", "XML1", "CHAN_DOAN_RV", "DG1-4"),
    Item("c", "Mã bệnh chính", "XML1", "MA_BENH_CHINH", "DG1-3"),
    Item("c", "Nhóm máu", "XML1", "NHOM_MAU", "OBX NHOM_MAU"),
    Item("c", "Cân nặng", "XML1", "CAN_NANG", "OBX 29463-7 · OBX CAN_NANG"),
)
SERVICES = Item("c", "Dịch vụ kỹ thuật", "XML3", "MA_DICH_VU", "DFT^P03 (FT1-7)")
MEDICINES = Item("c", "Thuốc", "XML2", "MA_THUOC", "DFT^P03 · RDE^O11")
RESULTS = Item("c", "Kết quả cận lâm sàng", "XML4", "GIA_TRI", "ORU^R01 (OBX-5)")
SUMMARY = (
    Item("d", "Quá trình bệnh lý và diễn biến lâm sàng", "XML8", "QT_BENHLY", "OBX QT_BENHLY"),
    Item("d", "Tóm tắt kết quả xét nghiệm có giá trị", "XML8", "TOMTAT_KQ", "OBX TOMTAT_KQ"),
    Item("d", "Phương pháp điều trị", "XML8", "PP_DIEUTRI", "OBX PP_DIEUTRI"),
    Item("d", "Hướng điều trị tiếp theo, lời dặn", "XML8", "GHI_CHU", "OBX HUONG_DIEU_TRI · OBX LOI_DAN"),
)
"""Fields 41 to 45 of the book; plan and advice share one field of the table."""


def missing(tables: Mapping[str, Sequence[Row]], *, every_encounter: bool = True) -> list[Item]:
    """Name the items of the book that the tables of one visit lack, in the order of the book.

    `every_encounter` is the setting "Table 8 for every encounter"; without it Table 8 is asked of stays alone. A patient is
    asked for a card unless the visit says that insurance does not pay (MA_DOITUONG_KCB 9) or names no card and no case of one.
    """
    summary = next(iter(tables.get("XML1", ())), {})
    return list(_missing(tables, summary, every_encounter or summary.get("MA_LOAI_KCB", "") in STAYS))


def _missing(tables: Mapping[str, Sequence[Row]], summary: Row, summed_up: bool) -> Iterator[Item]:
    last = next(iter(tables.get("XML8", ())), {})
    asked = [*PERSON, *(CARD if is_insured(summary) else ())]
    yield from (item for item in asked if not summary.get(item.field))
    if summed_up:
        yield from (item for item in HISTORY if not last.get(item.field))
    yield from (item for item in VISIT if not summary.get(item.field))
    yield from _care(tables, summary)
    if summed_up:
        yield from (item for item in SUMMARY if not last.get(item.field))


def _care(tables: Mapping[str, Sequence[Row]], summary: Row) -> Iterator[Item]:
    """Name what was done without saying so, or without its result."""
    services = tables.get("XML3", ())
    if not any(row.get("MA_DICH_VU") or row.get("MA_VAT_TU") for row in services):
        yield SERVICES
    if summary.get("T_THUOC", "").strip("0.") and not tables.get("XML2"):
        yield MEDICINES
    known = {row.get("MA_DICH_VU", "") for row in tables.get("XML4", ()) if row.get("GIA_TRI") or row.get("KET_LUAN")}
    tested = dict.fromkeys(row.get("MA_DICH_VU", "") for row in services if row.get("MA_NHOM") in _TESTS)
    for code in tested:
        if code and code not in known:
            yield RESULTS._replace(name=f"{RESULTS.name}: {code}")


def is_insured(summary: Row) -> bool:
    """Tell whether a visit is one that insurance pays: it names a card, or a case of insurance."""
    situation = summary.get("MA_DOITUONG_KCB", "")
    return bool(summary.get("MA_THE_BHYT")) or situation not in ("", NOT_INSURED)


# ---- Table 8 without a summary of the record ----


def summary_row(
    resources: Sequence[Resource],
    encounter_id: str,
    *,
    decision: str,
    facility: str,
    head: str = "",
    systems: Systems = DEFAULT,
) -> dict[str, str]:
    """Write Table 8 of a visit from its record, for visits that no summary was written of; empty fields are left out.

    Words are those that were told: where the doctor summed up (`QT_BENHLY`, `TOMTAT_KQ`, `PP_DIEUTRI` …) these alone, else what
    was told apart (reason, history, signs, conclusions, results, medicines, procedures). Of results only whole lines are taken,
    conclusions first, then what was flagged, as many as the portal takes. What nobody told stays empty. Empty when the record
    has no such visit.
    """
    dossier = Dossier(resources, encounter_id, systems=systems, decision=decision, facility=facility, head=head.strip())
    visit = dossier.encounter
    if visit is None:
        return {}
    row = paper.row_of(dossier, "record_summary", {})
    if not any(map(dossier.field, ("PP_DIEUTRI", "NOI_KHOA", "PHAU_THUAT_THU_THUAT"))):
        row["PP_DIEUTRI"] = ""
    told = {
        "MA_LOAI_KCB": stay.stay(dossier)["MA_LOAI_KCB"],
        "QT_BENHLY": "\n".join(_course(dossier, visit)),
        "TOMTAT_KQ": _within(_results(dossier)),
        "PP_DIEUTRI": "\n".join(_treatment(dossier)),
        "NGAY_CT": date_to_digits(visit.get("period", {}).get("end", "")),
    }
    whole = {name: row.get(name) or told.get(name, "") for name in row}
    whole["GHI_CHU"] = "\n".join(line for line in (row["GHI_CHU"], _comes_back(dossier)) if line)
    return {name: text for name, text in whole.items() if text}


def _course(dossier: Dossier, visit: Resource) -> Iterator[str]:
    reasons = "; ".join(wording.concept(one) for one in visit.get("reasonCode", []))
    labels = (
        ("Lý do", dossier.field("LYDO_VVIEN") or dossier.field("LY_DO_VV") or reasons),
        ("Tiền sử", dossier.field("TIEN_SU_BENH")),
        ("Khám", dossier.field("DAU_HIEU_LAM_SANG") or dossier.field("DAU_HIEU_LS")),
        ("Diễn biến", dossier.field("DIEN_BIEN_LS")),
    )
    return (f"{label}: {text}" for label, text in labels if text)


def _results(dossier: Dossier) -> list[str]:
    """Give a line for each conclusion, then for each result that was flagged, then for the others."""
    reports = [one for one in dossier.of_visit("DiagnosticReport") if one.get("status") not in _VOID]
    concluded = [f"{wording.concept(one.get('code'))}: {one['conclusion']}" for one in reports if one.get("conclusion")]
    found = [
        one
        for one in dossier.of_visit("Observation")
        if not is_field(one) and one.get("status") not in _VOID and shown_value(one)
    ]
    ordered = statements.in_time(found, "effectiveDateTime", "effectivePeriod", "issued")
    ordered.sort(key=lambda one: not one.get("interpretation"))
    return [*concluded, *(_result(one) for one in ordered)]


def _result(observation: Resource) -> str:
    unit = wording.unit(observation.get("valueQuantity", {}))
    return f"{wording.concept(observation.get('code'))}: {shown_value(observation)} {unit}".strip()


def _within(results: Sequence[str]) -> str:
    """Take whole lines as long as the portal takes them."""
    kept: list[str] = []
    left = LONGEST_RESULTS
    for line in (line for text in results for line in text.split("\n")):
        left -= len(line) + 1
        if left < -1:
            break
        kept.append(line)
    return "\n".join(kept)


def _treatment(dossier: Dossier) -> Iterator[str]:
    medicines = dict.fromkeys(
        name
        for kind in ("MedicationRequest", "MedicationDispense", "MedicationAdministration")
        for one in dossier.of_visit(kind)
        if one.get("status") not in _VOID and (name := statements.medicine_name(dossier.record, one))
    )
    done = dict.fromkeys(
        name
        for one in dossier.of_visit("Procedure")
        if one.get("status") not in _VOID and (name := wording.concept(one.get("code")))
    )
    if medicines:
        yield f"Thuốc: {'; '.join(medicines)}"
    if done:
        yield f"Phẫu thuật, thủ thuật: {'; '.join(done)}"


def _comes_back(dossier: Dossier) -> str:
    """Give the day to come again, as told or booked."""
    booked = (
        at
        for one in dossier.record.all("Appointment")
        if one.get("status") not in _VOID
        and any(about.get("reference") == dossier.visit for about in one.get("supportingInformation", []))
        for at in (one.get("start"), *(period.get("start") for period in one.get("requestedPeriod", [])))
    )
    told = dossier.field("NGAY_TAI_KHAM").partition(";")[0] or dossier.field("NGAY_HEN_KL")
    day = wording.short_date(wording.told_moment(told)) or wording.short_date(next((at for at in booked if at), ""))
    return f"Hẹn khám lại: {day}" if day else ""
