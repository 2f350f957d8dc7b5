"""Know the cards, the people behind them and the officers who may ask: data of the operator, all invented.

Rows come from `cards.csv`, `history.csv` and `officers.csv` of this package and from what the operator adds; added rows are
kept in the sandbox's folder. The `code` of a card is what a correct question about it is answered.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from conformance.sandbox.portal.shapes import read_csv

COLUMNS: Final = [
    "code",
    "card",
    "social",
    "citizen",
    "name",
    "birth",
    "sex",
    "address",
    "facility",
    "facility_name",
    "agency",
    "from",
    "to",
    "area",
    "five_years",
    "old_card",
    "new_card",
    "new_from",
    "new_to",
    "new_facility",
    "new_facility_name",
]
CARD: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{13}")
_NUMBERS: Final = {10: "social", 12: "citizen", 15: "card"}
_UNASKED: Final = frozenset({"100", "101"})
"""Codes of a card that any question meets: the portal is in trouble."""


@dataclass(frozen=True)
class Officer:
    """A person whom a facility registered for look-ups."""

    facility: str
    name: str
    citizen: str


class CardBook:
    """Answers who holds a card, after the portal's order of checks."""

    def __init__(self, folder: Path | None) -> None:
        self._file = folder / "cards.csv" if folder is not None else None
        self.cards: list[Mapping[str, str]] = list(read_csv("cards.csv"))
        self.officers = [Officer(**row) for row in read_csv("officers.csv")]
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        if self._file is not None and self._file.exists():
            self.cards = _merged(self.cards, _read(self._file.read_text("utf-8")))

    def add(self, rows: Sequence[Mapping[str, str]]) -> int:
        """Add cards, or change those of the same number; return how many are known. Raises ValueError."""
        known = {row["code"] for row in read_csv("card_codes.csv")}
        for row in rows:
            if unknown := sorted(set(row) - set(COLUMNS)):
                raise ValueError("no such column: " + ", ".join(unknown))
            if not CARD.fullmatch(row.get("card", "")) or row.get("code", "000") not in known:
                raise ValueError("card: 15 characters; code: one of the 26")
            if not row.get("name") or not birth_parts(row.get("birth", "")):
                raise ValueError("name, birth (dd/MM/yyyy, MM/yyyy or yyyy) are needed")
        full = [{"code": "000", **{name: row.get(name, "") for name in COLUMNS if name in row}} for row in rows]
        self.cards = _merged(self.cards, full)
        if self._file is not None:
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.cards)
            self._file.write_text(text.getvalue(), "utf-8")
        return len(self.cards)

    def add_csv(self, text: str) -> int:
        """Add cards from a CSV with the columns of `cards.csv`. Raises ValueError."""
        return self.add(_read(text))

    def register(self, officer: Officer) -> None:
        """Let an officer ask for a facility."""
        self.officers = [
            each for each in self.officers if (each.facility, each.citizen) != (officer.facility, officer.citizen)
        ]
        self.officers.append(officer)

    def officer_code(self, facility: str, name: str, citizen: str) -> str | None:
        """Return 054 for an officer not registered, 055 for another name; None when the officer may ask."""
        found = next((each for each in self.officers if (each.facility, each.citizen) == (facility, citizen)), None)
        if found is None:
            return "054"
        return None if same_name(found.name, name) else "055"

    def find(self, number: str) -> Mapping[str, str] | None:
        """Return a card by its 15 characters, its 10 digits of BHXH or the 12 of the citizen number."""
        column = _NUMBERS.get(len(number))
        return next((row for row in self.cards if column and row.get(column) == number), None)

    def judge(self, number: str, name: str, birth: str, today: date) -> tuple[str, Mapping[str, str] | None]:
        """Return the code of a question and the card it may see."""
        wrong = number_code(number)
        if wrong:
            return wrong, None
        card = self.find(number)
        if card is None:
            return "050", None
        if card["code"] in _UNASKED:
            return card["code"], None
        if not same_name(card["name"], name):
            return ("061" if _initials(card["name"]) == _initials(name) else "060"), None
        if not same_birth(card["birth"], birth):
            return "070", None
        ended = _day(card.get("to", ""))
        if card["code"] == "000" and ended is not None and ended < today:
            return "010", card
        return card["code"], card


def number_code(number: str) -> str | None:
    """Return 051, 052 or 053 for a number that cannot be one; None when it can."""
    if len(number) in (10, 12):
        return None if number.isascii() and number.isdigit() else "051"
    if not CARD.fullmatch(number):
        return "051"
    if number[3:5] not in {row["code"] for row in read_csv("provinces.csv")}:
        return "052"
    return None if number[2] in "12345" else "053"


def birth_parts(birth: str) -> tuple[str, str, str] | None:
    """Read `dd/MM/yyyy`, `MM/yyyy` or `yyyy` into year, month and day, unknown parts empty; None for another form."""
    found = re.fullmatch(r"(?:(?:(\d\d)/)?(\d\d)/)?(\d{4})", birth)
    if found is None:
        return None
    day, month, year = (part or "" for part in found.groups())
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return year, month, day


def same_birth(book: str, given: str) -> bool:
    """Compare at the precision both have: a year alone agrees with any day of it (ours; the portal's way is not published)."""
    one, other = birth_parts(book), birth_parts(given)
    return one is not None and other is not None and all(a == b for a, b in zip(one, other, strict=True) if a and b)


def same_name(one: str, other: str) -> bool:
    """Compare names without regard to case, spaces and composition of letters."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _initials(name: str) -> str:
    return "".join(part[0] for part in _plain(name).split())


def _day(text: str) -> date | None:
    parts = birth_parts(text)
    return date(*(int(part) for part in parts)) if parts is not None and all(parts) else None


def _read(text: str) -> list[dict[str, str]]:
    return [{name: value or "" for name, value in row.items() if name} for row in csv.DictReader(io.StringIO(text))]


def _merged(cards: list[Mapping[str, str]], more: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    by_number = {row["card"]: row for row in cards}
    return list((by_number | {row["card"]: row for row in more}).values())
