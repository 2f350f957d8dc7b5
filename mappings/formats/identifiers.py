"""Tell the kinds of Vietnamese identifiers apart, doubt implausible ones, and make keys that names are compared by.

Nothing here changes, pads or invents a number: a doubt is a notice, the value stays as received. Does not know identifier
systems (`mappings/systems.py`) and decides no match between persons.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum

from mappings.formats.faults import GLN_DOUBTFUL, PERSON_NUMBER_DOUBTFUL


class Kind(Enum):
    """What an identifier of a person looks like."""

    CCCD = "cccd"
    """Personal number of 12 digits (số định danh cá nhân, căn cước)."""
    CMND = "cmnd"
    """Old identity card, 9 digits."""
    PASSPORT = "passport"
    """Vietnamese passport: a letter and 7 digits."""
    BHXH = "bhxh"
    """Social insurance number, 10 digits."""
    BHYT = "bhyt"
    """Health insurance card of 15 characters."""
    PLACEHOLDER = "placeholder"
    """Zeros only: written where there is no number, never to be matched by."""
    UNKNOWN = "unknown"


_FORMS = (
    (re.compile(r"0+"), Kind.PLACEHOLDER),
    (re.compile(r"[0-9]{12}"), Kind.CCCD),
    (re.compile(r"[0-9]{9}"), Kind.CMND),
    (re.compile(r"[0-9]{10}"), Kind.BHXH),
    (re.compile(r"[A-Z][0-9]{7}"), Kind.PASSPORT),
    (re.compile(r"[A-Z]{2}[1-9][0-9]{2}[0-9A-Z]{10}"), Kind.BHYT),
)


def classify(value: str) -> Kind:
    """Say what kind a person's number is by its form alone; small letters count as capitals."""
    value = value.strip().upper()
    return next((kind for form, kind in _FORMS if form.fullmatch(value)), Kind.UNKNOWN)


def doubts(value: str, gender: str = "", birth_date: str = "") -> list[tuple[int, str, str]]:
    """Compare a 12-digit personal number with FHIR gender and birth date; other kinds are never doubted.

    A doubt is only a notice: sex or birth date may have been corrected after the number was given.

    Standard: Nghị định 137/2015/NĐ-CP Điều 13
    """
    value = value.strip()
    if classify(value) is not Kind.CCCD:
        return []
    century, year = 1900 + 100 * (int(value[3]) // 2), int(value[4:6])
    found: list[tuple[int, str, str]] = []
    if gender in ("male", "female") and gender != ("male", "female")[int(value[3]) % 2]:
        found.append((PERSON_NUMBER_DOUBTFUL, "", "sex"))
    if re.match(r"[0-9]{4}", birth_date) and int(birth_date[:4]) != century + year:
        found.append((PERSON_NUMBER_DOUBTFUL, "", "birth year"))
    return found


def gln_doubts(value: str) -> list[tuple[int, str, str]]:
    """Check a facility's GLN: 13 digits, the last one the check digit. Standard: GS1 General Specifications §7.9"""
    value = value.strip()
    if not re.fullmatch(r"[0-9]{13}", value):
        return [(GLN_DOUBTFUL, "", "13 digits expected")]
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(value[:12]))
    return [] if (10 - total % 10) % 10 == int(value[12]) else [(GLN_DOUBTFUL, "", "check digit")]


# ---- names ----

_TONES = re.compile("[\u0300\u0301\u0303\u0309\u0323]")
_SPACES = re.compile(r"\s+")


def full_name(family: str, middle: str, given: str) -> str:
    """Put họ, đệm and tên together in the written order, composed (NFC), single spaces; case is kept."""
    return _tidy(" ".join((family, middle, given)))


def match_key(name: str) -> str:
    """Give the key of the same name in another spelling: case, spacing, and where the tone mark sits (`Hoà`, `Hòa`).

    Different names keep different keys: `Hùng` and `Hưng`.
    """
    words = unicodedata.normalize("NFD", _tidy(name).replace("’", "'").casefold()).split(" ")
    return " ".join(
        unicodedata.normalize("NFC", _TONES.sub("", word)) + "".join(_TONES.findall(word)) for word in words
    )


def match_key_unaccented(name: str) -> str:
    """Give the key without any mark, for finding candidates only: `Hùng` and `Hưng` fall together, PACS send names so."""
    text = unicodedata.normalize("NFD", match_key(name)).replace("đ", "d")
    return "".join(char for char in text if not unicodedata.combining(char))


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", _SPACES.sub(" ", name).strip())
