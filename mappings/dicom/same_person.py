"""Compare who a header names with a person of the record, before a study joins that record.

Devices write names without diacritics, in capitals, in any order of the parts, and cut at 64 characters; a technician
may type `ANONYMOUS`, `TEST`, or nothing. What differs in spelling alone is the same; what may be a slip of the hand is
unsure; two names without a part in common, or a name, a birth and a sex that contradict each other twice, are somebody
else. Decides by what stands there, never by numbers: whoever asks has found the person by number.

Requirement: S3.18
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from mappings import codes
from mappings.dicom.attributes import Attributes, date_of, text, values
from mappings.formats.identifiers import match_key, match_key_unaccented
from mappings.outcome import Resource

Verdict = Literal["same", "unsure", "other"]
_NOBODY = frozenset(
    {
        "anonymous",
        "anonymized",
        "anonymised",
        "anon",
        "unknown",
        "noname",
        "test",
        "patient",
        "none",
        "khongten",
        "vodanh",
        "null",
    }
)
"""Words that stand where no name is known, written together."""
_BREAKS = re.compile(r"[\^=,.;_/\\()\[\]0-9*+-]+|\s+")
_TITLES = frozenset({"ong", "ba", "anh", "chi", "mr", "mrs", "ms", "bn", "be"})


@dataclass(frozen=True)
class Comparison:
    """Whether two are one person, and why, in words without data."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """`name alike`, `name spelled apart`, `name of another`, `name not known`, `birth alike`, `birth apart`, `sex apart` …"""


def compare(attributes: Attributes, patient: Resource) -> Comparison:
    """Compare PatientName, PatientBirthDate and PatientSex with a Patient of the record."""
    name = _best(_name(one, other) for one in _written(attributes) for other in _known(patient))
    birth = _birth(date_of(text(attributes, "00100030")), str(patient.get("birthDate", "")))
    told = codes.table("v2-0001").target(text(attributes, "00100040").upper())
    sex = _sex(told, str(patient.get("gender", "")))
    reasons = tuple(reason for reason in (f"name {name}", birth and f"birth {birth}", sex and f"sex {sex}") if reason)
    return Comparison(_verdict(name, birth, sex), reasons)


def between(one: Attributes, other: Attributes) -> Comparison:
    """Compare the persons of two headers."""
    person = {
        "name": [{"text": name} for name in _written(other)],
        "birthDate": date_of(text(other, "00100030")),
        "gender": codes.table("v2-0001").target(text(other, "00100040").upper()),
    }
    return compare(one, person)


_SCORES = {
    "alike": 0,
    "marked otherwise": 1,
    "spelled apart": 1,
    "in part": 1,
    "not known": 1,
    "of another": 2,
}
"""What of a name speaks against one person: 0 nothing, 1 a doubt, 2 much."""


def _verdict(name: str, birth: str, sex: str) -> Verdict:
    against = _SCORES[name] + {"apart": 2, "slightly apart": 1}.get(birth, 0) + (1 if sex == "apart" else 0)
    if name == "of another" or against >= 3:
        return "other"
    if name == "not known":
        return "unsure"
    if name in ("in part", "spelled apart", "marked otherwise"):
        return "same" if name != "spelled apart" and birth == "alike" and sex != "apart" else "unsure"
    return "unsure" if against else "same"


def _written(attributes: Attributes) -> list[str]:
    """Give the names of the header: every group of every PN."""
    found = [
        str(group)
        for tag in ("00100010", "00101001", "00101005")
        for pn in values(attributes, tag)
        if isinstance(pn, dict)
        for group in pn.values()
    ]
    return found or [""]


def _known(patient: Resource) -> list[str]:
    return [_full(name) for name in patient.get("name", [])] or [""]


def _full(name: dict[str, Any]) -> str:
    return str(name.get("text") or " ".join([name.get("family", ""), *name.get("given", [])]))


def _parts(name: str, key: Callable[[str], str]) -> list[str]:
    words = [key(word) for word in _BREAKS.split(name) if word]
    return [word for word in words if word not in _TITLES] or words if len(words) > 2 else words


def _name(one: str, other: str) -> str:
    """Say how two names are to each other."""
    first, second = sorted(_parts(one, match_key_unaccented)), sorted(_parts(other, match_key_unaccented))
    if not first or not second or "".join(_parts(one, match_key_unaccented)) in _NOBODY or _NOBODY & set(first):
        return "not known"
    if first == second or "".join(first) == "".join(second) or _joined(one) == _joined(other):
        return "alike" if _marks_agree(one, other) else "marked otherwise"
    common = set(first) & set(second)
    shorter, longer = sorted((first, second), key=len)
    if set(shorter) <= set(longer) and len(shorter) > 1:
        return "in part"
    if len(common) >= len(longer) - 1 and len(longer) > 1 and _is_slip(first, second):
        return "spelled apart"
    return "of another"


def _joined(name: str) -> str:
    return "".join(_parts(name, match_key_unaccented))


def _marks_agree(one: str, other: str) -> bool:
    """Tell whether names alike without marks are so with them; one written without any agrees with all."""
    first, second = sorted(_parts(one, match_key)), sorted(_parts(other, match_key))
    return first == second or "".join(first).isascii() or "".join(second).isascii()


def _is_slip(first: list[str], second: list[str]) -> bool:
    """Tell whether the words that differ are one word each, one letter apart."""
    one = [word for word in first if word not in second]
    other = [word for word in second if word not in first]
    return len(one) == len(other) == 1 and _distance_is_one(one[0], other[0])


def _distance_is_one(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < 2:
        return False
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[at + 1 :] == other[at + 1 :] or one[at:] == other[at + 1 :] or one[at + 1 :] == other[at:]


def _best(found: Iterable[str]) -> str:
    """Give the best of several: a person has names, and one that fits is enough; none known says nothing."""
    order = ("alike", "marked otherwise", "in part", "spelled apart", "of another", "not known")
    return min(found, key=order.index)


def _birth(one: str, other: str) -> str:
    if not one or not other:
        return ""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return "alike"
    if len(one) == len(other) == 10 and _is_turned(one, other):
        return "slightly apart"
    return "apart"


def _is_turned(one: str, other: str) -> bool:
    """Tell whether dates differ as slips do: day and month turned, 1 January for an unknown day, or one digit."""
    (year, month, day), (year2, month2, day2) = one.split("-"), other.split("-")
    if year == year2 and ((month, day) == (day2, month2) or "01-01" in (one[5:], other[5:])):
        return True
    return sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _sex(one: str, other: str) -> str:
    if one not in ("male", "female") or other not in ("male", "female"):
        return ""
    return "alike" if one == other else "apart"
