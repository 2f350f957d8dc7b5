"""Rules of the papers of the end of a visit: discharge (XML7), summary (XML8), referral (XML13), appointment (XML14)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mappings.bhyt.rules.case import Case, day, days, moment, number, parts
from mappings.bhyt.rules.core import Hit, rule

_BHXH = re.compile(r"\d{10}")


@rule("B7-002", "README §6: a terminated pregnancy has reason, time and weeks", "XML7")
def termination_incomplete(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        if row.get("MA_DINH_CHI_THAI") == "1":
            for field in ("NGUYENNHAN_DINHCHI", "THOIGIAN_DINHCHI", "TUOI_THAI"):
                if not row.get(field):
                    yield Hit(name, n, field, "empty")


@rule("B7-003", "README §6: TUOI_THAI 1–42 weeks", "XML7 XML11")
def weeks_of_pregnancy(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7", "XML11"):
        weeks = number(row.get("TUOI_THAI", ""))
        if weeks is not None and not 1 <= weeks <= 42:
            yield Hit(name, n, "TUOI_THAI", "range")


_REST = ("SO_NGAY_NGHI", "NGOAITRU_TUNGAY", "NGOAITRU_DENNGAY")


@rule("B7-004", "README §6: SO_NGAY_NGHI, NGOAITRU_TUNGAY, NGOAITRU_DENNGAY all or none", "XML7")
def rest_incomplete(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        filled = [field for field in _REST if row.get(field) not in ("", "0", None)]
        if filled and len(filled) < 3:
            yield Hit(name, n, next(field for field in _REST if field not in filled), "empty")


@rule("B7-005", "README §6: days of rest are those between the dates", "XML7")
def rest_does_not_count(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        said, whole = (
            number(row.get("SO_NGAY_NGHI", "")),
            days(row.get("NGOAITRU_TUNGAY", ""), row.get("NGOAITRU_DENNGAY", "")),
        )
        if said is not None and whole is not None and said != whole:
            yield Hit(name, n, "SO_NGAY_NGHI", "different")


@rule("B7-006", "README §6: rest begins when the stay has ended", "XML7")
def rest_before_leaving(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        starts, left = row.get("NGOAITRU_TUNGAY", ""), row.get("NGAY_RA", "")[:8]
        if day(starts) and day(left) and starts < left:
            yield Hit(name, n, "NGOAITRU_TUNGAY", "early")


@rule("B7-007", "README §6: NGAY_CT of XML7 is the day of NGAY_RA", "XML7")
def discharge_paper_of_another_day(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        made, left = row.get("NGAY_CT", ""), row.get("NGAY_RA", "")[:8]
        if day(made) and day(left) and made != left:
            yield Hit(name, n, "NGAY_CT", "different")


@rule("B7-008", "README §6: MA_CHA or MA_ME of children under 16, else their names", "XML7")
def parents_absent(case: Case) -> Iterator[Hit]:
    if case.age is not None and case.age < 16:
        for name, n, row in case.rows("XML7"):
            if not any(row.get(field) for field in ("MA_CHA", "MA_ME", "HO_TEN_CHA", "HO_TEN_ME")):
                yield Hit(name, n, "HO_TEN_ME", "empty")


@rule("B7-009", "README §6: MA_CHA and MA_ME are numbers of social insurance", "XML7")
def parents_number_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        for field in ("MA_CHA", "MA_ME"):
            value = row.get(field, "")
            if value and (not _BHXH.fullmatch(value) or not value.strip("0")):
                yield Hit(name, n, field, "form")


@rule("B7-010", "README §6: a terminated pregnancy is of a woman", "XML7 XML11", warns=True)
def termination_of_a_man(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7", "XML11"):
        if row.get("MA_DINH_CHI_THAI") == "1" and case.one.get("GIOI_TINH") == "1":
            yield Hit(name, n, "MA_DINH_CHI_THAI", "different")


@rule("B7-011", "README §6: the pregnancy ended before the paper", "XML7")
def terminated_after_leaving(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML7"):
        ended, left = moment(row.get("THOIGIAN_DINHCHI", "")), moment(row.get("NGAY_RA", ""))
        if ended and left and ended > left:
            yield Hit(name, n, "THOIGIAN_DINHCHI", "late")


@rule("B7-012", "QĐ 4750: the department of discharge is one of the visit", "XML7", warns=True)
def department_of_discharge(case: Case) -> Iterator[Hit]:
    ours = parts(case.one.get("MA_KHOA", ""))
    for name, n, row in case.rows("XML7"):
        if ours and row.get("MA_KHOA_RV") and row["MA_KHOA_RV"] not in ours:
            yield Hit(name, n, "MA_KHOA_RV", "different")


@rule("B8-002", "README §6: TOMTAT_KQ, QT_BENHLY, PP_DIEUTRI say something", "XML8", warns=True)
def summary_says_nothing(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML8"):
        for field in ("TOMTAT_KQ", "QT_BENHLY", "PP_DIEUTRI"):
            value = row.get(field, "")
            if value and not value.strip(" .-_/"):
                yield Hit(name, n, field, "form")


@rule("B8-003", "README §6: TOMTAT_KQ ≤ 4000 characters", "XML8")
def summary_too_long(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML8"):
        if len(row.get("TOMTAT_KQ", "")) > 4000:
            yield Hit(name, n, "TOMTAT_KQ", "too long")


@rule("B8-004", "QĐ 4750: NGAY_CT of the summary", "XML8", warns=True)
def summary_before_leaving(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML8"):
        made, left = row.get("NGAY_CT", ""), row.get("NGAY_RA", "")[:8]
        if day(made) and day(left) and made < left:
            yield Hit(name, n, "NGAY_CT", "early")


@rule("B8-005", "QĐ 4750: a child dies after its birth", "XML8")
def child_died_before_birth(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML8"):
        born, died = row.get("NGAY_SINHCON", ""), row.get("NGAY_CONCHET", "")
        if day(born) and day(died) and died < born:
            yield Hit(name, n, "NGAY_CONCHET", "early")


@rule("B8-006", "QĐ 4750: NGAY_CONCHET with SO_CONCHET", "XML8")
def child_died_incomplete(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML8"):
        died, counted = row.get("NGAY_CONCHET", ""), row.get("SO_CONCHET", "")
        if bool(died) is (counted in ("", "0")):
            yield Hit(name, n, "SO_CONCHET" if died else "NGAY_CONCHET", "empty")


@rule("BP-001", "papers are not made in the future", "XML7 XML8 XML9 XML10 XML11 XML12 XML14")
def paper_of_the_future(case: Case) -> Iterator[Hit]:
    today = case.minute[:8]
    for name, n, row in case.rows("XML7", "XML8", "XML9", "XML10", "XML11", "XML12", "XML14"):
        field = "NGAY_HOP" if name == "XML12" else "NGAY_CT"
        if day(row.get(field, "")) and row[field][:8] > today:
            yield Hit(name, n, field, "future")


@rule("B13-004", "one HIS demands what the portal sheet lets be blank", "XML13", since="4750")
def referral_mirror_empty(case: Case) -> Iterator[Hit]:
    if case.settings.referral_mirror_required:
        for name, n, row in case.rows("XML13"):
            for field in (
                "MA_BENH_CHINH",
                "CHAN_DOAN_RV",
                "MA_LOAI_RV",
                "TOMTAT_KQ",
                *(("GT_THE_DEN",) if case.insured else ()),
            ):
                if not row.get(field):
                    yield Hit(name, n, field, "empty")


@rule("B13-005", "lists MA_LYDO_CT and MA_LOAI_RV: asked for by the patient", "XML13", warns=True, since="4750")
def reason_of_referral(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML13"):
        asked, reason = case.one.get("MA_LOAI_RV", ""), row.get("MA_LYDO_CT", "")
        if (asked == "5" and reason in ("1", "2")) or (asked == "2" and reason == "3"):
            yield Hit(name, n, "MA_LYDO_CT", "different")


@rule("B13-006", "QĐ 4750: who goes with the patient, name and title", "XML13", warns=True, since="4750")
def escort_incomplete(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML13"):
        if bool(row.get("HOTEN_NGUOI_HT")) is not bool(row.get("CHUCDANH_NGUOI_HT")):
            yield Hit(name, n, "CHUCDANH_NGUOI_HT" if row.get("HOTEN_NGUOI_HT") else "HOTEN_NGUOI_HT", "empty")


@rule("B13-007", "QĐ 3176: NGAY_VAO and NGAY_RA of XML13 are moments, several with ;", "XML13", since="3176")
def referral_moments(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML13"):
        for field in ("NGAY_VAO", "NGAY_RA"):
            if any(not moment(one) or not day(one) for one in parts(row.get(field, ""))):
                yield Hit(name, n, field, "no date")


@rule("B13-008", "QĐ 3176: MA_CSKCB_DEN is another facility", "XML13", since="4750")
def referral_to_itself(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML13"):
        field = "MA_CSKCB_DEN" if "MA_CSKCB_DEN" in row else "MA_NOI_DEN"
        if row.get(field) and row[field] == row.get("MA_CSKCB"):
            yield Hit(name, n, field, "duplicate")


@rule("B14-003", "README §6: NGAY_HEN_KL ≥ NGAY_RA; one HIS: after it", "XML14", since="4750")
def appointment_before_leaving(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML14"):
        asked, left = row.get("NGAY_HEN_KL", "")[:8], case.left[:8]
        if day(asked) and left and (asked < left or (asked == left and case.settings.reexam_strictly_after)):
            yield Hit(name, n, "NGAY_HEN_KL", "early")


@rule("B14-004", "README §6: XML14.NGAY_CT ≥ NGAY_VAO", "XML14", since="4750")
def appointment_made_before_entering(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML14"):
        if day(row.get("NGAY_CT", "")) and case.entered and row["NGAY_CT"] < case.entered[:8]:
            yield Hit(name, n, "NGAY_CT", "early")


@rule("B14-005", "README §6: the date of XML14 is one of NGAY_TAI_KHAM", "XML14", since="4750")
def appointment_of_another_date(case: Case) -> Iterator[Hit]:
    given = {one[:8] for one in parts(case.one.get("NGAY_TAI_KHAM", ""))}
    for name, n, row in case.rows("XML14"):
        asked = row.get("NGAY_HEN_KL", "")[:8]
        if given and day(asked) and asked not in given:
            yield Hit(name, n, "NGAY_HEN_KL", "unequal")
