"""Write FHIR values as Vietnamese papers print them: dates, ages, names, sexes, amounts.

Times are shown in Vietnamese time. Precision is kept: a year stays a year.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mappings.formats import dates
from mappings.formats.faults import DateInvalid

VIETNAM = dates.zone_of(dates.VIETNAM)

_COMPACT_DAY = re.compile(r"^(\d{4})(\d{2})(\d{2})(\d{4}(\d{2})?)?$")
_SEXES = {"male": "Nam", "female": "Nữ"}
_COUNTRIES = {"VNM": "Việt Nam", "VN": "Việt Nam", "704": "Việt Nam"}
_FLAGS = {
    "H": "cao",
    "HU": "cao rõ rệt",
    "HH": "rất cao",
    "L": "thấp",
    "LU": "thấp rõ rệt",
    "LL": "rất thấp",
    "A": "bất thường",
    "AA": "rất bất thường",
    ">": "trên ngưỡng đo",
    "<": "dưới ngưỡng đo",
    "S": "nhạy",
    "I": "trung gian",
    "R": "kháng",
}


@lru_cache(maxsize=512)
def instant(text: str) -> datetime | None:
    """Read a FHIR dateTime with a time of day, in Vietnamese time; None for anything else."""
    if "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(VIETNAM) if moment.tzinfo else moment.replace(tzinfo=VIETNAM)


def day(text: str) -> date | None:
    """Give the day of a FHIR date or dateTime; the first day of a month or year that has no day."""
    moment = instant(text)
    if moment:
        return moment.date()
    try:
        parts = [int(part) for part in text[:10].split("-")]
        return date(*[*parts, 1, 1][:3])
    except ValueError:
        return None


def told_moment(text: str) -> str:
    """Give the FHIR date or dateTime of a moment told in digits, `20261105` or `202611050830`; other texts stay as they are."""
    try:
        return dates.dtm_to_fhir_datetime(text)
    except DateInvalid:
        return text


def short_date(text: str) -> str:
    """Write `05/11/2026`, `11/2026` or `2026`; also from `20261105`; other texts stay as they are."""
    compact = _COMPACT_DAY.match(text)
    try:
        return dates.fhir_to_ddmmyyyy("-".join(compact.groups()[:3]) if compact else text)
    except DateInvalid:
        return text


def short_time(text: str) -> str:
    """Write `08:05 05/11/2026`; the date alone when there is no time of day."""
    moment = instant(text)
    return f"{moment:%H:%M %d/%m/%Y}" if moment else short_date(text)


def long_date(text: str) -> str:
    """Write `ngày 05 tháng 11 năm 2026`."""
    return long_time(text).rpartition(", ")[2]


def long_time(text: str) -> str:
    """Write `08 giờ 05 phút, ngày 05 tháng 11 năm 2026`; other texts stay as they are."""
    try:
        return dates.fhir_to_vietnamese(text)
    except DateInvalid:
        return text


def stamp(moment: datetime) -> str:
    """Write an aware time as FHIR instant in Vietnamese time."""
    return moment.astimezone(VIETNAM).isoformat(timespec="seconds")


def years_old(birth: str, at: str) -> int | None:
    """Count full years; of a birth year alone the difference of the years."""
    born, then = day(birth), day(at)
    if born is None or then is None:
        return None
    if len(birth) < 10:
        return then.year - born.year
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))


def months_old(birth: str, at: str) -> int | None:
    """Count full months; None when the day of birth is not known."""
    born, then = day(birth), day(at)
    if born is None or then is None or len(birth) < 10:
        return None
    return (then.year - born.year) * 12 + then.month - born.month - (then.day < born.day)


def age(birth: str, at: str) -> str:
    """Write the age: years, under 72 months in months, under one month in days."""
    years, born, then = years_old(birth, at), day(birth), day(at)
    if years is None or born is None or then is None or years < 0:
        return ""
    months = months_old(birth, at)
    if years >= 6 or months is None:
        return str(years)
    return f"{months} tháng" if months >= 1 else f"{(then - born).days} ngày"


def sex(patient: dict[str, Any]) -> str:
    gender = patient.get("gender", "")
    return _SEXES.get(gender, "Không xác định") if gender else ""


def name(person: dict[str, Any]) -> str:
    """Give the full name as it was received; of several the one in official use, else the first that is not an old one."""
    names = person.get("name") or []
    if isinstance(names, str):
        return names
    ranked = sorted(names, key=lambda one: {"official": 0, "usual": 1, "": 2}.get(one.get("use", ""), 3))
    if not ranked:
        return ""
    first = ranked[0]
    text: str = first.get("text") or " ".join([first.get("family", ""), *first.get("given", [])]).strip()
    return text


def title_and_name(person: dict[str, Any]) -> str:
    """Give a practitioner's name with what stands before it, such as `BSCKII Nguyễn Văn An`."""
    shown = name(person)
    prefix = " ".join(part for one in (person.get("name") or [])[:1] for part in one.get("prefix", []))
    return f"{prefix} {shown}" if prefix and not shown.startswith(prefix) else shown


def address(person: dict[str, Any]) -> str:
    """Give the residence in one line; old addresses are passed over."""
    for one in person.get("address") or []:
        if one.get("use") == "old":
            continue
        parts = [*one.get("line", []), one.get("district", ""), one.get("city", ""), one.get("state", "")]
        text: str = one.get("text") or ", ".join(part for part in parts if part)
        if text:
            return text
    return ""


def concept(element: dict[str, Any] | None) -> str:
    """Give the words of a CodeableConcept or Coding; its code when there are none."""
    if not element:
        return ""
    text: str = element.get("text", "")
    codings = () if text else element.get("coding", [element])
    return text or _first(codings, "display") or _first(codings, "code")


def _first(codings: Sequence[dict[str, Any]], name: str) -> str:
    return next((said for coding in codings if (said := coding.get(name))), "")


def country(element: dict[str, Any] | None) -> str:
    shown = concept(element)
    return _COUNTRIES.get(shown.upper(), shown)


def number(value: Any) -> str:
    """Write a decimal with the digits it came with: `4.50` stays `4.50`."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def amount(quantity: dict[str, Any]) -> str:
    """Write comparator and number, without the unit."""
    if "value" not in quantity:
        return ""
    return f"{quantity.get('comparator', '')}{number(quantity['value'])}"


def unit(quantity: dict[str, Any]) -> str:
    shown: str = quantity.get("unit") or quantity.get("code") or ""
    return "" if shown == "1" else shown


def flag(concepts: list[dict[str, Any]]) -> str:
    """Write what an interpretation says about a result; nothing for a normal one or one that repeats the value."""
    codes = [coding.get("code", "") for one in concepts for coding in one.get("coding", [])]
    return next((_FLAGS[code] for code in codes if code in _FLAGS), "")


def limits(reference_range: dict[str, Any]) -> str:
    """Write a reference range: its own text, else `low - high`, `≥ low`, `≤ high`."""
    said: str = reference_range.get("text", "")
    if said:
        return said
    low, high = amount(reference_range.get("low", {})), amount(reference_range.get("high", {}))
    if low and high:
        return f"{low} - {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else ""
