"""Rules of time: the order of what happens in a visit, and when it is settled. Nothing is later than `now`."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.bhyt.money import treatment_days
from mappings.bhyt.rules.case import INPATIENT, Case, day, moment, number, parts
from mappings.bhyt.rules.core import Hit, rule


@rule("B1-070", "README §6: NGAY_VAO ≤ NGAY_RA; block errors 23, 24", "XML1", errors=(23, 24))
def left_before_entering(case: Case) -> Iterator[Hit]:
    if case.entered and case.left and case.entered > case.left:
        yield Hit("XML1", 1, "NGAY_RA", "early")


@rule("B1-071", "README §6: NGAY_VAO_NOI_TRU ≥ NGAY_VAO", "XML1", errors=(23,))
def admitted_before_entering(case: Case) -> Iterator[Hit]:
    admitted = moment(case.one.get("NGAY_VAO_NOI_TRU", ""))
    if admitted and case.entered and admitted < case.entered:
        yield Hit("XML1", 1, "NGAY_VAO_NOI_TRU", "early")


@rule("B1-072", "README §6: admitted before leaving", "XML1", errors=(23, 24))
def admitted_after_leaving(case: Case) -> Iterator[Hit]:
    admitted = moment(case.one.get("NGAY_VAO_NOI_TRU", ""))
    if admitted and case.left and admitted > case.left:
        yield Hit("XML1", 1, "NGAY_VAO_NOI_TRU", "late")


@rule("B1-073", "QĐ 4750: NGAY_VAO_NOI_TRU of inpatient kinds", "XML1", errors=(23,))
def admission_absent(case: Case) -> Iterator[Hit]:
    if case.kind in INPATIENT and not case.one.get("NGAY_VAO_NOI_TRU"):
        yield Hit("XML1", 1, "NGAY_VAO_NOI_TRU", "empty")


@rule("B1-074", "README §6: LY_DO_VNT with NGAY_VAO_NOI_TRU", "XML0 XML1", since="4750")
def reason_of_admission_absent(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML0", "XML1"):
        if row.get("NGAY_VAO_NOI_TRU") and not row.get("LY_DO_VNT"):
            yield Hit(name, n, "LY_DO_VNT", "empty")


@rule("B1-075", "block error 24: not in the future", "XML1", errors=(24,))
def left_in_the_future(case: Case) -> Iterator[Hit]:
    if case.left > case.minute:
        yield Hit("XML1", 1, "NGAY_RA", "future")


@rule("B1-076", "block error 27: paid during or after the visit", "XML1", errors=(27,))
def paid_before_entering(case: Case) -> Iterator[Hit]:
    paid = moment(case.one.get("NGAY_TTOAN", ""))
    if paid and case.entered and paid < case.entered:
        yield Hit("XML1", 1, "NGAY_TTOAN", "early")


@rule("B1-077", "block error 27: not in the future", "XML1", errors=(27,))
def paid_in_the_future(case: Case) -> Iterator[Hit]:
    if moment(case.one.get("NGAY_TTOAN", "")) > case.minute:
        yield Hit("XML1", 1, "NGAY_TTOAN", "future")


@rule("B1-078", "README §6: NAM_QT ≤ this year; block error 35", "XML1", errors=(35,))
def settlement_year(case: Case) -> Iterator[Hit]:
    year = number(case.one.get("NAM_QT", ""))
    if year is not None and not 2009 <= year <= case.now.year:
        yield Hit("XML1", 1, "NAM_QT", "future" if year > case.now.year else "range")


@rule("B1-079", "README §6: THANG_QT 1–12; block error 36", "XML1", errors=(36,))
def settlement_month(case: Case) -> Iterator[Hit]:
    month = number(case.one.get("THANG_QT", ""))
    if month is not None and not 1 <= month <= 12:
        yield Hit("XML1", 1, "THANG_QT", "range")


@rule("B1-080", "block errors 35, 36: a period that has begun", "XML1", errors=(35, 36))
def settled_in_the_future(case: Case) -> Iterator[Hit]:
    if (period := _period(case)) and case.now.year == period[0] and period[1] > case.now.month:
        yield Hit("XML1", 1, "THANG_QT", "future")


@rule("B1-081", "block errors 35, 36: settled when the visit has ended", "XML1", errors=(35, 36))
def settled_before_the_end(case: Case) -> Iterator[Hit]:
    left = day(case.left)
    if (period := _period(case)) and left and period[0] == left.year and period[1] < left.month:
        yield Hit("XML1", 1, "THANG_QT", "early")


def _period(case: Case) -> tuple[int, int] | None:
    year, month = number(case.one.get("NAM_QT", "")), number(case.one.get("THANG_QT", ""))
    return (int(year), int(month)) if year is not None and month is not None and 1 <= month <= 12 else None


@rule("B1-082", "block error 103: NGAY_RA in the financial year", "XML1", errors=(103,))
def another_financial_year(case: Case) -> Iterator[Hit]:
    left, year = day(case.left), number(case.one.get("NAM_QT", ""))
    wanted = case.now.year if case.settings.financial_year_is_now else year
    if left and wanted is not None and left.year != wanted and not (year is not None and year > case.now.year):
        yield Hit("XML1", 1, "NGAY_RA", "different")


@rule("B1-083", "README §5: SO_NGAY_DTRI by MA_LOAI_KCB", "XML1")
def days_of_treatment(case: Case) -> Iterator[Hit]:
    said, came, left = number(case.one.get("SO_NGAY_DTRI", "")), day(case.entered), day(case.left)
    if said is None or not came or not left or left < came:
        return
    counted = treatment_days(case.kind, came, left)
    if counted is not None and said != counted:
        yield Hit("XML1", 1, "SO_NGAY_DTRI", "different")


@rule("B1-084", "README §5: SO_NGAY_DTRI of kind 08 counts the days with a procedure", "XML1", warns=True)
def treatment_days_of_procedures(case: Case) -> Iterator[Hit]:
    if case.kind == "08":
        said = number(case.one.get("SO_NGAY_DTRI", ""))
        counted = len(
            {(line.done or line.ordered)[:8] for line in case.services if line.group in ("1", "2", "3", "8", "18")}
        )
        if said is not None and said != counted:
            yield Hit("XML1", 1, "SO_NGAY_DTRI", "different")


@rule("B1-085", "README §6: NGAY_TAI_KHAM, several with ;", "XML1")
def reexam_date_form(case: Case) -> Iterator[Hit]:
    if any(len(one) not in (8, 12) or not day(one) for one in parts(case.one.get("NGAY_TAI_KHAM", ""))):
        yield Hit("XML1", 1, "NGAY_TAI_KHAM", "no date")


@rule("B1-086", "README §6: the next visit is after this one", "XML1")
def reexam_before_leaving(case: Case) -> Iterator[Hit]:
    for one in parts(case.one.get("NGAY_TAI_KHAM", "")):
        if day(one) and case.left and one[:8] < case.left[:8]:
            yield Hit("XML1", 1, "NGAY_TAI_KHAM", "early")
            break


@rule("B1-087", "list MA_LOAI_KCB: 09 is inpatient under four hours", "XML1", errors=(37,))
def short_stay_is_long(case: Case) -> Iterator[Hit]:
    if case.kind == "09" and case.hours is not None and case.hours >= 4:
        yield Hit("XML1", 1, "MA_LOAI_KCB", "different")


@rule("B1-088", "list MA_LOAI_KCB: under four hours an inpatient stay is kind 09", "XML1", warns=True)
def stay_is_short(case: Case) -> Iterator[Hit]:
    if case.kind == "03" and case.hours is not None and 0 <= case.hours < 4:
        yield Hit("XML1", 1, "MA_LOAI_KCB", "different")


@rule("B1-089", "README §6: GIAY_CHUYEN_TUYEN with MA_DOITUONG_KCB 1.3; block error 101", "XML1", errors=(101,))
def referral_number_absent(case: Case) -> Iterator[Hit]:
    if case.coverage in ("1.3", "1.5") and not case.one.get("GIAY_CHUYEN_TUYEN"):
        yield Hit("XML1", 1, "GIAY_CHUYEN_TUYEN", "empty")


@rule(
    "B1-090", "QĐ 4750: MA_NOI_DI of a patient with a referral form; block error 101", "XML1", warns=True, errors=(101,)
)
def referring_facility_absent(case: Case) -> Iterator[Hit]:
    if case.coverage == "1.3" and not case.one.get("MA_NOI_DI"):
        yield Hit("XML1", 1, "MA_NOI_DI", "empty")


@rule("B1-091", "README §6: MA_NOI_DEN with MA_LOAI_RV 2 or 5", "XML1")
def receiving_facility_absent(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_LOAI_RV") in ("2", "5") and not case.one.get("MA_NOI_DEN"):
        yield Hit("XML1", 1, "MA_NOI_DEN", "empty")


@rule("B1-092", "README §6: MA_NOI_DEN only with MA_LOAI_RV 2 or 5", "XML1", warns=True)
def receiving_facility_of_nobody_sent(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_NOI_DEN") and case.one.get("MA_LOAI_RV") in ("1", "3", "4"):
        yield Hit("XML1", 1, "MA_NOI_DEN", "present")


@rule("B1-093", "MA_NOI_DI and MA_NOI_DEN are other facilities", "XML1", warns=True)
def referred_to_itself(case: Case) -> Iterator[Hit]:
    for field in ("MA_NOI_DI", "MA_NOI_DEN"):
        if case.one.get(field) and case.one.get(field) == case.one.get("MA_CSKCB"):
            yield Hit("XML1", 1, field, "duplicate")


@rule("B1-094", "list MA_DOITUONG_KCB: 1.15, 3.2, 3.6 are inpatients; block error 104–106", "XML1", warns=True)
def inpatient_situation_of_an_outpatient(case: Case) -> Iterator[Hit]:
    if case.coverage in ("1.15", "3.2", "3.6") and case.kind in ("01", "02", "05", "07", "08"):
        yield Hit("XML1", 1, "MA_DOITUONG_KCB", "different")


@rule("B1-095", "list MA_DOITUONG_KCB: 1.12, 1.13, 1.14, 1.18 are outpatients", "XML1", warns=True)
def outpatient_situation_of_an_inpatient(case: Case) -> Iterator[Hit]:
    if case.coverage in ("1.12", "1.13", "1.14", "1.18") and case.kind in ("03", "04", "09"):
        yield Hit("XML1", 1, "MA_DOITUONG_KCB", "different")


@rule("B1-096", "block error 23: not in the future", "XML0 XML1", errors=(23,))
def entered_in_the_future(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML0", "XML1"):
        if moment(row.get("NGAY_VAO", "")) > case.minute:
            yield Hit(name, n, "NGAY_VAO", "future")
