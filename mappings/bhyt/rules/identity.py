"""Rules of who the patient is: number, day of birth, sex, weight, and what they say of each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from mappings.bhyt.rules.case import Case, day, number, parts
from mappings.bhyt.rules.core import Hit, rule

ID_NUMBER = re.compile(r"\d{9}|\d{12}|[A-Z]\d{7}")
_BIRTH = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})")
BIRTH_TABLES = "XML0 XML1 XML6 XML13 XML14"


@rule("B1-050", "README §3: 9 or 12 digits, or a capital and 7 digits", "XML0 XML1 XML6 XML9 XML12 XML15")
def id_number_form(case: Case) -> Iterator[Hit]:
    if case.one.get("MA_QUOCTICH", "000") not in ("", "000"):
        return  # passports of other countries have forms of their own
    for name, n, row in case.rows("XML0", "XML1", "XML6", "XML9", "XML12", "XML15"):
        field = "SO_CCCD_NND" if name == "XML9" else "SO_CCCD"
        if (value := row.get(field, "")) and not ID_NUMBER.fullmatch(value):
            yield Hit(name, n, field, "form")


@rule("B1-051", "NĐ 137/2015 Điều 13: the fourth digit tells century and sex", "XML1", warns=True)
def id_number_of_the_other_sex(case: Case) -> Iterator[Hit]:
    value, sex = case.one.get("SO_CCCD", ""), case.one.get("GIOI_TINH", "")
    if re.fullmatch(r"\d{12}", value) and sex in ("1", "2") and int(value[3]) % 2 != int(sex) - 1:
        yield Hit("XML1", 1, "SO_CCCD", "different")


@rule("B1-052", "NĐ 137/2015 Điều 13: digits 4 to 6 tell the year of birth", "XML1", warns=True)
def id_number_of_another_year(case: Case) -> Iterator[Hit]:
    value, year = case.one.get("SO_CCCD", ""), case.one.get("NGAY_SINH", "")[:4]
    if (
        re.fullmatch(r"\d{12}", value)
        and year.isdecimal()
        and 1900 + 100 * (int(value[3]) // 2) + int(value[4:6]) != int(year)
    ):
        yield Hit("XML1", 1, "SO_CCCD", "different")


@rule(
    "B1-053",
    "README §3: NGAY_SINH has 12 digits, unknown parts zeros; block error 15",
    BIRTH_TABLES + " XML12",
    errors=(15,),
)
def birth_form(case: Case) -> Iterator[Hit]:
    for name, n, row in case.rows(*BIRTH_TABLES.split(), "XML12"):
        value = row.get("NGAY_SINH", "")
        if value and not _is_birth(value + "0000" if name == "XML12" and len(value) == 8 else value):
            yield Hit(name, n, "NGAY_SINH", "no date")


def _is_birth(value: str) -> bool:
    found = _BIRTH.fullmatch(value)
    if not found:
        return False
    year, month, of_month, hour, minute = found.groups()
    if month == "00":
        return of_month == "00" and hour + minute == "0000"
    whole = day(f"{year}{month}{of_month if of_month != '00' else '01'}") is not None
    return whole and hour < "24" and minute < "60"


@rule("B1-054", "block error 15: born before the visit", "XML1", errors=(15,))
def born_after_the_visit(case: Case) -> Iterator[Hit]:
    entered = day(case.entered)
    if case.born and entered and case.born > entered:
        yield Hit("XML1", 1, "NGAY_SINH", "late")


@rule("B1-055", "README §3: up to 28 days of age the hour is needed", "XML1")
def newborn_without_hour(case: Case) -> Iterator[Hit]:
    entered = day(case.entered)
    if case.born and entered and 0 <= (entered - case.born).days <= 28 and case.one.get("NGAY_SINH", "")[8:] == "0000":
        yield Hit("XML1", 1, "NGAY_SINH", "form")


@rule("B1-056", "block error 15: a possible age", "XML1", warns=True)
def older_than_possible(case: Case) -> Iterator[Hit]:
    if case.age is not None and case.age > 120:
        yield Hit("XML1", 1, "NGAY_SINH", "range")


@rule("B1-057", "portal sheet: SO_CCCD under a condition it does not print", "XML1", warns=True)
def id_number_absent(case: Case) -> Iterator[Hit]:
    grown = case.age is not None and case.age >= case.settings.id_number_from_age
    if grown and case.insured and case.one.get("MA_QUOCTICH", "") == "000" and not case.one.get("SO_CCCD"):
        yield Hit("XML1", 1, "SO_CCCD", "empty")


@rule("B1-058", "README §3, §6: weight in kg, a number up to 200 with two decimals", "XML1")
def weight(case: Case) -> Iterator[Hit]:
    value = case.one.get("CAN_NANG", "")
    if not value:
        return
    kilograms = number(value)
    if kilograms is None:
        yield Hit("XML1", 1, "CAN_NANG", "no number")
    elif not 0 < kilograms <= 200:
        yield Hit("XML1", 1, "CAN_NANG", "range")
    elif len(value.partition(".")[2]) > 2:
        yield Hit("XML1", 1, "CAN_NANG", "too many decimals")


@rule("B1-059", "README §3: CAN_NANG_CON in grams, several with ;", "XML1")
def weight_of_the_newborn(case: Case) -> Iterator[Hit]:
    for one in parts(case.one.get("CAN_NANG_CON", "")):
        grams = number(one)
        if grams is None:
            yield Hit("XML1", 1, "CAN_NANG_CON", "no number")
        elif not 200 <= grams <= 9999:
            yield Hit("XML1", 1, "CAN_NANG_CON", "range")


@rule("B1-060", "QĐ 3276/2025: MA_DOITUONG_KCB 1.7 is a newborn treated right after birth", "XML1", warns=True)
def newborn_situation_of_another(case: Case) -> Iterator[Hit]:
    entered = day(case.entered)
    if case.coverage == "1.7" and case.born and entered and (entered - case.born).days > 28:
        yield Hit("XML1", 1, "MA_DOITUONG_KCB", "different")


@rule("B1-061", "QĐ 4750: chapter XV of ICD-10 is of women", "XML1", warns=True)
def pregnancy_of_a_man(case: Case) -> Iterator[Hit]:
    if case.one.get("GIOI_TINH") == "1" and case.one.get("MA_BENH_CHINH", "").startswith("O"):
        yield Hit("XML1", 1, "MA_BENH_CHINH", "different")


@rule("B1-062", "block error 15: the day of birth is not in the future", BIRTH_TABLES, errors=(15,))
def born_in_the_future(case: Case) -> Iterator[Hit]:
    today: date = case.now.date()
    for name, n, row in case.rows(*BIRTH_TABLES.split()):
        born = day(row.get("NGAY_SINH", ""))
        if born and born > today:
            yield Hit(name, n, "NGAY_SINH", "future")
