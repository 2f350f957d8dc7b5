"""Rules of which tables a visit brings: by kind of care, by how it ended, by what was found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mappings.bhyt.rules.case import Case, day, parts
from mappings.bhyt.rules.core import Hit, rule


@rule("BT-001", "README §6: XML1 exactly once")
def summary_table_once(case: Case) -> Iterator[Hit]:
    if any(name in case.tables for name in ("XML0", "XML12")) and len(case.tables) == 1:
        return
    found = len(case.tables.get("XML1", ()))
    if found != 1:
        yield Hit("XML1", 0, "", "many" if found else "absent")


@rule("BT-002", "README §6: XML2 or XML3 as charged", "XML1")
def no_rows_of_cost(case: Case) -> Iterator[Hit]:
    if not case.tables.get("XML2") and not case.tables.get("XML3"):
        yield Hit("XML3", 0, "", "absent")


@rule("BT-003", "README §6: XML4 for results of XML3 tests; pending ones are filled before day 7", "XML3", warns=True)
def result_absent(case: Case) -> Iterator[Hit]:
    left = day(case.left)
    if not left or case.now.date() <= left + timedelta(days=case.settings.pending_result_days):
        return
    known = {row.get("MA_DICH_VU", "") for row in case.tables.get("XML4", ())}
    for line in case.services:
        if line.group in ("1", "2", "3") and line.row.get("MA_DICH_VU") and line.row["MA_DICH_VU"] not in known:
            yield Hit("XML3", line.n, "MA_DICH_VU", "absent")


@rule("BT-004", "README §6: XML5 for kinds 02, 05, 08 and inpatients", "XML1", warns=True)
def course_absent(case: Case) -> Iterator[Hit]:
    if case.kind in case.settings.course_kinds and not case.tables.get("XML5"):
        yield Hit("XML5", 0, "", "absent")


@rule("BT-005", "README §6: XML7 for kinds 03, 04, 09 unless absconded", "XML1")
def discharge_paper_absent(case: Case) -> Iterator[Hit]:
    wanted = case.kind in case.settings.discharge_paper_kinds and case.one.get("MA_LOAI_RV") != "3"
    if wanted and not case.tables.get("XML7"):
        yield Hit("XML7", 0, "", "absent")


@rule("BT-006", "README §6: XML7 is of inpatients", "XML7", warns=True)
def discharge_paper_of_an_outpatient(case: Case) -> Iterator[Hit]:
    if case.kind in ("01", "07"):
        yield Hit("XML7", 0, "", "present")


@rule(
    "BT-007",
    "README §6: XML8 only for 03, 04, 06; one HIS uses 02, 03, 09; QĐ 31/2026 wants it of every visit",
    "XML8",
    warns=True,
)
def summary_of_another_kind(case: Case) -> Iterator[Hit]:
    if case.one and case.kind not in case.settings.summary_kinds:
        yield Hit("XML8", 0, "", "present")


@rule("BT-008", "README §6: XML8, where the site must bring it", "XML1")
def summary_absent(case: Case) -> Iterator[Hit]:
    wanted = case.settings.summary_required and case.kind in case.settings.summary_kinds
    if wanted and not case.tables.get("XML8"):
        yield Hit("XML8", 0, "", "absent")


@rule("BT-009", "README §6: XML13 with MA_LOAI_RV 2 or 5", "XML1", since="4750")
def referral_absent(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_LOAI_RV") in ("2", "5") and not case.tables.get("XML13"):
        yield Hit("XML13", 0, "", "absent")


@rule("BT-010", "README §6: XML13 only with MA_LOAI_RV 2 or 5", "XML13", since="4750")
def referral_of_nobody_sent(case: Case) -> Iterator[Hit]:
    if case.one and case.one.get("MA_LOAI_RV") not in ("2", "5"):
        yield Hit("XML13", 0, "", "present")


@rule("BT-011", "README §6: XML14 when a re-exam date is given", "XML1", since="4750")
def appointment_absent(case: Case) -> Iterator[Hit]:
    if case.one.get("NGAY_TAI_KHAM") and not case.tables.get("XML14"):
        yield Hit("XML14", 0, "", "absent")


@rule("BT-012", "README §6: a re-exam date with XML14", "XML14", since="4750", warns=True)
def appointment_without_date(case: Case) -> Iterator[Hit]:
    if case.one and not case.one.get("NGAY_TAI_KHAM"):
        yield Hit("XML1", 1, "NGAY_TAI_KHAM", "empty")


@rule("BT-013", "README §6: XML9 for births", "XML1", warns=True)
def birth_paper_absent(case: Case) -> Iterator[Hit]:
    if (
        case.one.get("CAN_NANG_CON")
        and case.one.get("MA_BENH_CHINH", "")[:3] in _BIRTHS
        and not case.tables.get("XML9")
    ):
        yield Hit("XML9", 0, "", "absent")


_BIRTHS = ("O80", "O81", "O82", "O83", "O84")


@rule("BT-014", "README §6: XML6 for HIV", "XML1", warns=True)
def hiv_record_absent(case: Case) -> Iterator[Hit]:
    if "XML6" not in case.tables and _has(case, ("B20", "B21", "B22", "B23", "B24")):
        yield Hit("XML6", 0, "", "absent")


@rule("BT-015", "README §6: XML15 for tuberculosis", "XML1", warns=True, since="4750")
def tb_record_absent(case: Case) -> Iterator[Hit]:
    if "XML15" not in case.tables and _has(case, ("A15", "A16", "A17", "A18", "A19")):
        yield Hit("XML15", 0, "", "absent")


def _has(case: Case, chapters: tuple[str, ...]) -> bool:
    codes = (case.one.get("MA_BENH_CHINH", ""), *parts(case.one.get("MA_BENH_KT", "")))
    return any(code[:3] in chapters for code in codes)


@rule("BT-016", "README §6: an inpatient stay of a day has a bed", "XML1", warns=True)
def stay_without_bed(case: Case) -> Iterator[Hit]:
    if case.kind == "03" and case.hours is not None and case.hours >= 24 and case.insured and not case.beds:
        yield Hit("XML3", 0, "MA_GIUONG", "absent")


@rule("BT-017", "README §6: the weight of the newborn with XML9", "XML9", warns=True)
def birth_without_weight(case: Case) -> Iterator[Hit]:
    if case.one and not case.one.get("CAN_NANG_CON"):
        yield Hit("XML1", 1, "CAN_NANG_CON", "empty")


@rule(
    "BT-018",
    "README §4: these papers are one to a visit; twins have an XML7 and an XML9 each",
    "XML8 XML10 XML11 XML13 XML14",
)
def paper_twice(case: Case) -> Iterator[Hit]:
    for name in ("XML8", "XML10", "XML11", "XML13", "XML14"):
        if len(case.tables.get(name, ())) > 1:
            yield Hit(name, 2, "", "many")


@rule("BT-019", "README §6: leave by XML10 or XML11, not both", "XML10", warns=True)
def two_kinds_of_leave(case: Case) -> Iterator[Hit]:
    if case.tables.get("XML10") and case.tables.get("XML11"):
        yield Hit("XML11", 0, "", "present")
