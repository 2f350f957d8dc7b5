"""Rules of papers for social insurance: birth (XML9), rest in pregnancy (XML10), sick leave (XML11), and the boards (XML12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from mappings.bhyt.rules.case import Case, day, days, moment, number, parts
from mappings.bhyt.rules.core import Hit, rule

_BHXH = re.compile(r"\d{10}")


@rule("B9-001", "README §6: MA_BHXH_NND has digits, not all 0", "XML9")
def number_of_the_mother(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        value = row.get("MA_BHXH_NND", "")
        if value and (not _BHXH.fullmatch(value) or not value.strip("0")):
            yield Hit(name, n, "MA_BHXH_NND", "form")


@rule("B9-002", "README §6: carer ID fields", "XML9")
def mother_without_papers(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        issued, born = row.get("NGAYCAP_CCCD_NND", ""), row.get("NGAYSINH_NND", "")
        if day(issued) and day(born) and issued < born:
            yield Hit(name, n, "NGAYCAP_CCCD_NND", "early")


@rule("B9-003", "README §8: one XML9 per child of twins or more", "XML9", warns=True)
def a_paper_for_each_child(case: Case) -> Iterator[Hit]:
    rows = case.tables.get("XML9", ())
    for n, row in enumerate(rows, 1):
        born = number(row.get("SO_CON", ""))
        if born is not None and born != len(rows):
            yield Hit("XML9", n, "SO_CON", "different")
            break


@rule("B9-004", "QĐ 4750: the child is born during the visit", "XML9")
def born_outside_the_visit(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        born = moment(row.get("NGAY_SINH_CON", ""))
        if born and case.left and born > case.left:
            yield Hit(name, n, "NGAY_SINH_CON", "late")


@rule("B9-005", "README §3: CAN_NANG_CON in grams", "XML9")
def weight_of_the_child(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        grams = number(row.get("CAN_NANG_CON", ""))
        if grams is not None and not 200 <= grams <= 9999:
            yield Hit(name, n, "CAN_NANG_CON", "range")


@rule("B9-006", "QĐ 4750: the paper is made when the child is born", "XML9")
def paper_before_birth(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        made, born = row.get("NGAY_CT", ""), row.get("NGAY_SINH_CON", "")[:8]
        if day(made) and day(born) and made < born:
            yield Hit(name, n, "NGAY_CT", "early")


@rule("B9-007", "README §6: weight in XML9 is that of XML1", "XML9", warns=True)
def weight_differs(case: Case) -> Iterator[Hit]:
    given = [number(one) for one in parts(case.one.get("CAN_NANG_CON", ""))]
    for name, n, row in case.rows("XML9"):
        grams = number(row.get("CAN_NANG_CON", ""))
        if given and grams is not None and grams not in given:
            yield Hit(name, n, "CAN_NANG_CON", "unequal")


@rule("B9-008", "a mother is at least ten years old", "XML9", warns=True)
def age_of_the_mother(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML9"):
        mother, child = day(row.get("NGAYSINH_NND", "")), day(row.get("NGAY_SINH_CON", ""))
        if mother and child and not 10 <= child.year - mother.year <= 65:
            yield Hit(name, n, "NGAYSINH_NND", "range")


@rule("B10-001", "README §6: CHAN_DOAN_RV contains “dưỡng thai”; one source", "XML10", warns=True)
def rest_without_its_words(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML10"):
        if row.get("CHAN_DOAN_RV") and "dưỡng thai" not in row["CHAN_DOAN_RV"].casefold():
            yield Hit(name, n, "CHAN_DOAN_RV", "form")


@rule("B10-002", "QĐ 4750: TU_NGAY ≤ DEN_NGAY", "XML10 XML11")
def leave_ends_before_it_starts(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML10", "XML11"):
        whole = days(row.get("TU_NGAY", ""), row.get("DEN_NGAY", ""))
        if whole is not None and whole < 1:
            yield Hit(name, n, "DEN_NGAY", "early")


@rule("B10-003", "QĐ 4750: SO_NGAY counts the days", "XML10")
def rest_in_pregnancy_does_not_count(case: Case) -> Iterator[Hit]:
    return _counted(case, "XML10", "SO_NGAY")


def _counted(case: Case, name: str, field: str) -> Iterator[Hit]:
    for _, n, row in case.rows(name):
        said, whole = number(row.get(field, "")), days(row.get("TU_NGAY", ""), row.get("DEN_NGAY", ""))
        if said is not None and whole is not None and whole >= 1 and said != whole:
            yield Hit(name, n, field, "different")


@rule("B10-004", "rest in pregnancy is of a woman", "XML10", warns=True)
def rest_in_pregnancy_of_a_man(case: Case) -> Iterator[Hit]:
    if case.one.get("GIOI_TINH") == "1":
        yield Hit("XML10", 1, "CHAN_DOAN_RV", "different")


@rule("B10-005", "leave does not begin before the visit", "XML10 XML11", warns=True)
def leave_before_entering(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML10", "XML11"):
        if day(row.get("TU_NGAY", "")) and case.entered and row["TU_NGAY"] < case.entered[:8]:
            yield Hit(name, n, "TU_NGAY", "early")


@rule("B11-002", "README §6: at most 30 days, 180 for tuberculosis, 50 for a miscarriage from 13 weeks on", "XML11")
def leave_too_long(case: Case) -> Iterator[Hit]:
    main = case.one.get("MA_BENH_CHINH", "")
    for name, n, row in case.rows("XML11"):
        said, weeks = number(row.get("SO_NGAY_NGHI", "")), number(row.get("TUOI_THAI", ""))
        lost = row.get("MA_DINH_CHI_THAI") == "1" and weeks is not None and weeks >= 13
        longest = 180 if re.match(r"A1[5-9]", main) else 50 if lost else 30
        if said is not None and said > longest:
            yield Hit(name, n, "SO_NGAY_NGHI", "range")


@rule("B11-003", "QĐ 4750: SO_NGAY_NGHI counts the days", "XML11")
def leave_does_not_count(case: Case) -> Iterator[Hit]:
    return _counted(case, "XML11", "SO_NGAY_NGHI")


@rule("B11-004", "README §6: MAU_SO is CT07 or blank", "XML11")
def form_of_the_leave(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML11"):
        if row.get("MAU_SO", "") not in ("", "CT07"):
            yield Hit(name, n, "MAU_SO", "unknown code")


@rule("B11-005", "README §6: MA_BHXH has ten digits, not all 0", "XML11 XML12")
def number_of_social_insurance(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML11", "XML12"):
        value = row.get("MA_BHXH", "")
        if value and (not _BHXH.fullmatch(value) or not value.strip("0")):
            yield Hit(name, n, "MA_BHXH", "form")


@rule("B11-006", "README §6: a terminated pregnancy has reason and weeks", "XML11")
def leave_after_termination_incomplete(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML11"):
        if row.get("MA_DINH_CHI_THAI") == "1":
            for field in ("NGUYENNHAN_DINHCHI", "TUOI_THAI"):
                if not row.get(field):
                    yield Hit(name, n, field, "empty")


@rule("B11-007", "leave of another month than the paper", "XML11", warns=True)
def leave_made_after_it_began(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML11"):
        made, starts = day(row.get("NGAY_CT", "")), day(row.get("TU_NGAY", ""))
        if made and starts and starts > made + timedelta(days=7):
            yield Hit(name, n, "TU_NGAY", "late")


@rule("B12-001", "QĐ 4750: the whole share is not less than the new one", "XML12", warns=True)
def share_of_incapacity(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML12"):
        new, whole = number(row.get("TYLE_TTCT_MOI", "")), number(row.get("TONG_TYLE_TTCT", ""))
        if new is not None and whole is not None and whole < new:
            yield Hit(name, n, "TONG_TYLE_TTCT", "range")


@rule("B12-002", "QĐ 4750: the board meets after it was asked", "XML12", warns=True)
def board_before_it_was_asked(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows("XML12"):
        asked, met = row.get("NGAY_DE_NGHI", ""), row.get("NGAY_HOP", "")
        if day(asked) and day(met) and met < asked:
            yield Hit(name, n, "NGAY_HOP", "early")
