"""Turn HL7 v2 dates and times into FHIR ones, and FHIR ones into what Vietnamese forms and interfaces want.

Precision is kept: a year stays a year. A date never gets a zone and never shifts. A time without offset is local time of the
given zone; a time leaving for Vietnam is shown in the given zone. Zeros for an unknown month or day, as Vietnamese systems
write them, are read as "unknown", never as January.

Standard: HL7 v2.5.1 §2.A.22 DTM; FHIR R4 §2.24.0.1 date, dateTime
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mappings.formats.faults import DateInvalid

VIETNAM = "Asia/Ho_Chi_Minh"

_DTM = re.compile(
    r"^([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,9})?)?)?)?)?)?([+-][0-9]{4})?$"
)
_FHIR = re.compile(
    r"^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?)?$"
)


class _Parts(NamedTuple):
    year: int
    month: int
    """0 = not known."""
    day: int
    """0 = not known."""
    moment: datetime | None
    """Local time as written, without zone; None when only a date is known."""
    fraction: str
    offset: str
    """`+07:00`, or `""` when none was written."""


def dtm_to_fhir_datetime(text: str, zone: str = VIETNAM) -> str:
    """Give the FHIR dateTime of a DTM, TS or DT; `""` for `""`. Raise DateInvalid.

    FHIR knows no time without seconds: those not sent become zeros.
    """
    return _datetime(text.strip(), zone)


@lru_cache(maxsize=512)
def _datetime(text: str, zone: str) -> str:
    """Keep what was read: the same times come in every message, and none that can be read is long."""
    if not text:
        return ""
    parts = _read(_DTM, text)
    if parts.moment is None:
        return _date(parts)
    offset = parts.offset or _offset(parts.moment, zone)
    return f"{parts.moment:%Y-%m-%dT%H:%M:%S}{parts.fraction}{offset}".rjust(
        19 + len(parts.fraction) + len(offset), "0"
    )


def dtm_to_fhir_date(text: str) -> str:
    """Give the FHIR date: the digits that were written, whatever the time and offset after them; `""` for `""`."""
    return _date(_read(_DTM, text)) if text.strip() else ""


def fhir_to_yyyymmdd(text: str, zone: str = VIETNAM) -> str:
    """Give 8 digits, zeros for what is not known: `19800000`; `""` for `""`.

    Standard: QĐ 3176/QĐ-BYT
    """
    if not text.strip():
        return ""
    year, month, day, _ = _local(text, zone)
    return f"{year:04d}{month:02d}{day:02d}"


def fhir_to_yyyymmddhhmm(text: str, zone: str = VIETNAM) -> str:
    """Give 12 digits, zeros for what is not known: `198000000000`; `""` for `""`.

    Standard: QĐ 3176/QĐ-BYT
    """
    if not text.strip():
        return ""
    year, month, day, moment = _local(text, zone)
    return f"{year:04d}{month:02d}{day:02d}" + (f"{moment:%H%M}" if moment else "0000")


def fhir_to_ddmmyyyy(text: str, zone: str = VIETNAM) -> str:
    """Give `05/03/2026`, and `03/2026` or `1980` when no more is known; `""` for `""`."""
    if not text.strip():
        return ""
    year, month, day, _ = _local(text, zone)
    return (f"{day:02d}/" if day else "") + (f"{month:02d}/" if month else "") + f"{year:04d}"


def fhir_to_vietnamese(text: str, zone: str = VIETNAM) -> str:
    """Give the words of a Vietnamese paper: `08 giờ 30 phút, ngày 05 tháng 03 năm 2026`; `""` for `""`."""
    if not text.strip():
        return ""
    year, month, day, moment = _local(text, zone)
    words = f"{moment:%H} giờ {moment:%M} phút, " if moment else ""
    return words + (f"ngày {day:02d} " if day else "") + (f"tháng {month:02d} " if month else "") + f"năm {year:04d}"


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Give a time zone by name; Vietnam's also where the machine has no zone data. Raise ValueError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if name in (VIETNAM, "Asia/Saigon"):
            return timezone(timedelta(hours=7))
        raise ValueError("not a time zone such as Asia/Ho_Chi_Minh") from None


_FIRST_YEAR = 1000
"""Years below are slips of the pen (`0954`), and no destination takes them."""


def _read(form: re.Pattern[str], text: str) -> _Parts:
    match = form.match(text.strip())
    if match is None:
        raise DateInvalid("", f"{len(text.strip())} characters")
    *digits, fraction, offset = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in digits)
    timed = digits[3] is not None
    if timed and day == 0 and hour == minute == second == 0:
        timed = False  # 198000000000: the time belongs to a day that is not known
    if year < _FIRST_YEAR or (month == 0 and day) or (timed and day == 0):
        raise DateInvalid("", "no such day")
    try:
        moment = datetime(year, month or 1, day or 1, hour, minute, second)  # noqa: DTZ001 - local time as written
    except ValueError:
        raise DateInvalid("", "no such day or time") from None
    return _Parts(year, month, day, moment if timed else None, fraction or "", _written_offset(offset or ""))


def _written_offset(offset: str) -> str:
    if offset == "Z":
        return "+00:00"
    if not offset:
        return ""
    hours, minutes = int(offset[1:3]), int(offset[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        raise DateInvalid("", "no such offset")
    return f"{offset[0]}{hours:02d}:{minutes:02d}"


def _offset(moment: datetime, zone: str) -> str:
    """Give the zone's offset at that local time, in whole minutes as FHIR wants it."""
    shift = zone_of(zone).utcoffset(moment) or timedelta()
    minutes = round(shift.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _date(parts: _Parts) -> str:
    return (
        f"{parts.year:04d}"
        + (f"-{parts.month:02d}" if parts.month else "")
        + (f"-{parts.day:02d}" if parts.day else "")
    )


def _local(text: str, zone: str) -> tuple[int, int, int, datetime | None]:
    """Read a FHIR date or dateTime as year, month, day and time in the zone; 0 and None for what is not known."""
    parts = _read(_FHIR, text)
    if parts.moment is None:
        return parts.year, parts.month, parts.day, None
    moment = parts.moment
    if parts.offset:
        try:
            moment = datetime.fromisoformat(moment.isoformat() + parts.offset).astimezone(zone_of(zone))
        except OverflowError:
            raise DateInvalid("", "no such day") from None
    return moment.year, moment.month, moment.day, moment
