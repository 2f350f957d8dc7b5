"""The roles in which people sign, and how a staff list says them.

Requirement: S0.1
"""

from __future__ import annotations

import re

from mappings.formats.identifiers import match_key_unaccented

ROLES = {
    "doctor": "Bác sĩ",
    "nurse": "Điều dưỡng",
    "midwife": "Hộ sinh",
    "technician": "Kỹ thuật viên",
    "pharmacist": "Dược sĩ",
    "head": "Trưởng khoa",
    "director": "Giám đốc",
    "seal": "Con dấu đơn vị",
    "other": "Khác",
}
"""Roles of the signing policies → what they are called. `seal` is the organisation's own, and nobody else's."""

LICENSED = frozenset({"doctor", "nurse", "midwife", "technician"})
"""Roles that need a practice licence. Law: Luật Khám bệnh, chữa bệnh 15/2023/QH15"""

_WORDS = {
    "bac si": "doctor",
    "bac sy": "doctor",
    "dieu duong": "nurse",
    "ho sinh": "midwife",
    "ky thuat vien": "technician",
    "ky thuat y": "technician",
    "duoc si": "pharmacist",
    "duoc sy": "pharmacist",
    "truong khoa": "head",
    "giam doc": "director",
    "khac": "other",
}
_POSTS = {"truong khoa": "head", "phu trach khoa": "head", "truong phong": "head", "giam doc": "director"}
_TITLES = {word: role for word, role in _WORDS.items() if role in LICENSED or role == "pharmacist"}


def named(text: str) -> tuple[list[str], list[str]]:
    """Read roles written beside each other; return those known, and the words that name none."""
    known: dict[str, None] = {}
    unknown: list[str] = []
    for word in re.split(r"[,;+/|]", text):
        key = match_key_unaccented(word)
        role = key if key in ROLES and key != "seal" else _WORDS.get(key, "")
        if role:
            known[role] = None
        elif key:
            unknown.append(word.strip())
    return list(known), unknown


def derived(title: str, post: str) -> list[str]:
    """Tell roles from a professional title and a post: `Bác sĩ chuyên khoa II`, `Trưởng khoa`. A deputy is no head."""
    said = match_key_unaccented(title)
    found = [role for word, role in _TITLES.items() if re.search(rf"\b{word}\b", said)]
    begins = match_key_unaccented(post)
    found += [role for word, role in _POSTS.items() if re.match(rf"{word}\b", begins)]
    return list(dict.fromkeys(found))
