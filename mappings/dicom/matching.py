"""Whether a data set fits what a device asks for (C-FIND): attribute matching.

A question is flat: path of tags → value, `{"00100010": "TRAN*", "00400100/00080060": "CT"}`; an empty value asks for nothing
and fits everything. What is compared how, its VR says: days and times also by range, UIDs by list, names and texts with `*`
and `?`. Names fit whatever their case and accents, written with `^` or as people write them. Attributes that a data set does
not have at all are not compared: matching on them is not supported.

Day and time of the scheduled step, both asked by range, are one range of moments.

Standard: DICOM PS3.4 §C.2.2.2, §K.2.2.1, §K.6.1.2.1
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from mappings.dicom.attributes import Attributes, items, values
from mappings.dicom.faults import QueryUnreadable

_DAY, _TIME = "00400002", "00400003"
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_SPLIT = frozenset({"AE", "CS", "LO", "SH", "UI"})
_DA = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TM = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")
_MONTHS, _DAYS = range(1, 13), range(1, 32)
_LAST: Final = "99999999"

Query = Mapping[str, str]


def matches(item: Attributes, query: Query) -> bool:
    """Tell whether an item fits. Raises `QueryUnreadable` for a day or a time that is none."""
    here: dict[str, str] = {}
    below: dict[str, dict[str, str]] = {}
    for path, asked in query.items():
        tag, _, rest = path.partition("/")
        if rest:
            below.setdefault(tag, {})[rest] = asked
        else:
            here[tag] = asked
    return _fits(item, here) and all(
        tag not in item or _is_universal(inner) or any(matches(one, inner) for one in items(item, tag))
        for tag, inner in below.items()
    )


def require_readable(query: Query) -> None:
    """Raise `QueryUnreadable` for a day or a time that is none, whatever it would be compared with."""
    for path, asked in query.items():
        tag = path.rpartition("/")[2]
        read = _RANGED.get(dictionary_VR(int(tag, 16))) if dictionary_has_tag(int(tag, 16)) else None
        if read is not None and asked.strip() not in ("", "*"):
            _range(asked.strip(), read, tag)


def days_asked(query: Query, path: str = f"00400100/{_DAY}") -> tuple[str, str]:
    """Give the first and the last day that a question asks for, `YYYYMMDD`; `""` for no such end. Raises as `matches`."""
    asked = query.get(path, "").strip()
    first, last = _range(asked, _day, _DAY) if asked not in ("", "*") else ("", "")
    return first, "" if last == _LAST else last


def asked_exactly(query: Query, path: str) -> str:
    """Give the one value that a question asks for; `""` when it leaves it open."""
    asked = query.get(path, "").strip()
    return "" if {"*", "?", "\\"} & set(asked) else asked


def is_like(text: str, pattern: str) -> bool:
    """Tell whether a text fits a pattern with `*` (anything) and `?` (one character), in time that a pattern cannot blow up."""
    at, star, mark = 0, -1, 0
    n = 0
    while n < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, mark, at = at, n, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[n]):
            at, n = at + 1, n + 1
        elif star >= 0:
            mark += 1
            at, n = star + 1, mark
        else:
            return False
    return not pattern[at:].strip("*")


def _is_universal(query: Query) -> bool:
    return not any(one.strip() and one.strip() != "*" for one in query.values())


def _fits(item: Attributes, query: dict[str, str]) -> bool:
    day, time = query.get(_DAY, "").strip(), query.get(_TIME, "").strip()
    if "-" in day and "-" in time and _DAY in item:
        query = {tag: asked for tag, asked in query.items() if tag not in (_DAY, _TIME)}
        if not _within_moments(item, day, time):
            return False
    return all(tag not in item or _one_fits(item, tag, asked.strip()) for tag, asked in query.items())


def _one_fits(item: Attributes, tag: str, asked: str) -> bool:
    if not asked or asked == "*":
        return True
    vr = item[tag].get("vr", "")
    if vr == "SQ":
        return True
    said = values(item, tag)
    if vr in _RANGED:
        read = _RANGED[vr]
        first, last = _range(asked, read, tag)
        return any(first <= read(str(one), False) <= last for one in said)
    if vr == "PN":
        return any(_name_fits(one, asked) for one in said)
    wanted = asked.split("\\") if vr in _SPLIT else [asked]
    return any(_text_fits(str(one).strip(), word.strip(), vr) for one in said for word in wanted)


def _text_fits(said: str, asked: str, vr: str) -> bool:
    return is_like(said, asked) if vr in _WILD else said == asked.rstrip("\0")


def _name_fits(said: Any, asked: str) -> bool:
    groups = [str(one) for one in said.values()] if isinstance(said, dict) else [str(said)]
    pattern = _plain(asked.split("=")[0]).rstrip("^")
    return any(is_like(form, pattern) for group in groups for form in _forms(_plain(group)))


def _forms(name: str) -> list[str]:
    """Give a name as its components stand, and as people write it: family, middle, given."""
    family, given, middle = ([part.strip() for part in name.split("^")] + ["", ""])[:3]
    spoken = ((family, middle, given), (family, given, middle))
    return [name.rstrip("^"), *(" ".join(" ".join(one).split()) for one in spoken)]


def _plain(name: str) -> str:
    marked = unicodedata.normalize("NFD", name.casefold()).replace("đ", "d").replace("’", "'")
    return " ".join("".join(char for char in marked if not unicodedata.combining(char)).split())


def _within_moments(item: Attributes, day: str, time: str) -> bool:
    days, times = _range(day, _day, _DAY), _range(time, _time, _TIME)
    first = days[0] + times[0] if days[0] else ""
    last = days[1] + (times[1] or "")
    return any(
        first <= _day(str(on), False) + _time(str(at), False) <= last
        for on in values(item, _DAY)
        for at in values(item, _TIME)
    )


def _range(asked: str, read: Callable[[str, bool], str], tag: str) -> tuple[str, str]:
    """Give both ends of what is asked for; an open one is as far as there is."""
    begin, dash, end = (part.strip() for part in asked.partition("-"))
    if not dash:
        end = begin
    found = (read(begin, False) if begin else "", read(end, True) if end else _LAST)
    if not (begin or end) or (begin and not found[0]) or (end and not found[1]):
        raise QueryUnreadable(f"({tag[:4]},{tag[4:]})")
    return found


def _day(text: str, _: bool) -> str:
    """Give a day as digits; `""` for what is none."""
    found = _DA.fullmatch(text.strip())
    if found is None or int(found[2]) not in _MONTHS or int(found[3]) not in _DAYS:
        return ""
    return "".join(found.groups())


def _time(text: str, to_its_end: bool) -> str:
    """Give a time to the microsecond: the beginning of what was said, or its end; `""` for what is none."""
    found = _TM.fullmatch(text.strip())
    if found is None or int(found[1]) > 23 or int(found[2] or 0) > 59 or int(found[3] or 0) > 60:
        return ""
    hour, minute, second, part = found.groups()
    rest = "59" if to_its_end else "00"
    fraction = (part or "").ljust(6, "9" if to_its_end else "0")
    return f"{hour}{minute or rest}{second or rest}.{fraction}"


_RANGED: Final[Mapping[str, Callable[[str, bool], str]]] = {"DA": _day, "TM": _time}
