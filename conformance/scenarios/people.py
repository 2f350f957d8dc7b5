"""Make people up: Vietnamese names of several regions and peoples, numbers of the right structure, addresses of today.

Nobody here exists. A personal number has a plausible province, century and year, and a serial that this module invents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from conformance.scenarios.tables import Row, several, table

FACILITY = "01999"
FACILITY_NAME = "Bệnh viện Đa khoa Liên Thông"

_CARD_GROUPS = ("GD4", "GD4", "DN4", "DN4", "HC4", "CN3", "DT2", "HN2")
_CARD_GROUPS_PUPIL = ("HS4", "HS4", "HN2", "DT2")
_CARD_GROUPS_OLD = ("HT3", "HT3", "GD4", "CC1", "DT2")
_PEOPLES = ("01",) * 26 + (
    "02",
    "02",
    "03",
    "03",
    "05",
    "05",
    "06",
    "06",
    "08",
    "08",
    "09",
    "10",
    "10",
    "04",
    "12",
    "12",
)
_PEOPLES_ONCE = ("12", "16", "01", "08", "10", "17", "13", "05", "03", "02", "06", "09", "04")
"""The first people of a day, so that every people appears however few encounters there are."""


@dataclass(frozen=True)
class Name:
    """A name as a HIS keeps it: three cells of which some may be empty."""

    family: str
    middle: str
    given: str

    @property
    def full(self) -> str:
        """The name as it is written on a legal paper: family, middle, given."""
        return " ".join(part for part in (self.family, self.middle, self.given) if part)


@dataclass(frozen=True)
class Guardian:
    """The mother or father of a child."""

    name: Name
    relation: str
    """Code of HL7 table 0063 in use here: MTH or FTH."""
    phone: str


@dataclass(frozen=True)
class Person:
    """One made-up patient."""

    number: str
    """The hospital's own number, such as BN000123."""
    name: Name
    sex: str
    """M or F."""
    born: date
    year_only: bool
    """True when only the year of birth is known, as with many old people."""
    ethnic: str
    occupation: tuple[str, str]
    """Code and name of MA_NGHE_NGHIEP."""
    street: str
    commune: tuple[str, str]
    province: str
    phone: str
    cccd: str
    """Empty when the person showed none."""
    cccd_issued: date | None
    card: str
    """Insurance card of 15, 10 or 12 characters; empty for who has none."""
    card_from: date
    card_to: date
    guardian: Guardian | None = None

    @property
    def birth(self) -> str:
        """The birth date as HL7 writes it, with the precision that is known."""
        return f"{self.born:%Y}" if self.year_only else f"{self.born:%Y%m%d}"


class People:
    """Make people up, one after the other, from a seeded source; the day decides ages and cards."""

    def __init__(self, rng: Random, day: date, first_number: int = 123) -> None:
        self._rng = rng
        self._day = day
        self._number = first_number
        self._made = 0

    def make(self, sex: str = "", age_min: int = 1, age_max: int = 90) -> Person:
        """Make up one more person; without a sex, either."""
        rng = self._rng
        sex = sex or rng.choice("MF")
        row = self._row(sex)
        born = self._day - timedelta(days=rng.randint(age_min * 366, age_max * 365 + 200))
        age = (self._day - born).days // 365
        commune = rng.choice([c for c in table("communes") if row["ethnic_code"] in several(c["ethnic_codes"])])
        number = f"BN{self._number:06d}"
        self._number += rng.randint(1, 9)
        self._made += 1
        cccd = _personal_number(rng, commune["old_province_code"], sex, born)
        social = f"{commune['old_province_code'][1:]}{rng.randint(20, 26)}9{rng.randint(0, 99999):05d}"
        year = self._day.year
        return Person(
            number=number,
            name=_name(rng, row, sex),
            sex=sex,
            born=born,
            year_only=age >= 75 and rng.random() < 0.5,
            ethnic=row["ethnic_code"],
            occupation=_occupation(rng, age),
            street=rng.choice(several(commune["hamlets"])),
            commune=(commune["code"], commune["name"]),
            province=commune["province"],
            phone=f"09{rng.randint(0, 9)}0{rng.randint(0, 999999):06d}",
            cccd=cccd if age >= 6 or rng.random() < 0.7 else "",
            cccd_issued=date(rng.randint(2021, 2025), rng.randint(1, 12), rng.randint(1, 28)) if age >= 14 else None,
            card=self._card(age, commune["old_province_code"][1:], social, cccd),
            card_from=date(year, 1, 1),
            card_to=date(year, 12, 31),
            guardian=self._guardian(row) if age < 16 else None,
        )

    def _row(self, sex: str) -> Row:
        ethnic = _PEOPLES_ONCE[self._made] if self._made < len(_PEOPLES_ONCE) else self._rng.choice(_PEOPLES)
        rows = [r for r in table("names") if r["ethnic_code"] == ethnic]
        fitting = [r for r in rows if r["given_m" if sex == "M" else "given_f"]]
        return self._rng.choice(fitting)

    def _card(self, age: int, province: str, social: str, cccd: str) -> str:
        form = self._rng.random()
        if form < 0.06:
            return ""
        if age < 6:
            return f"TE1{province}{social}"
        if form < 0.2:
            return social
        if form < 0.34:
            return cccd
        groups = _CARD_GROUPS_PUPIL if age < 18 else _CARD_GROUPS_OLD if age >= 61 else _CARD_GROUPS
        return f"{self._rng.choice(groups)}{province}{social}"

    def _guardian(self, row: Row) -> Guardian:
        mother = row["given_f"] != ""
        name = _name(self._rng, row, "F" if mother else "M")
        return Guardian(
            name, "MTH" if mother else "FTH", f"09{self._rng.randint(0, 9)}0{self._rng.randint(0, 999999):06d}"
        )


def _name(rng: Random, row: Row, sex: str) -> Name:
    suffix = "m" if sex == "M" else "f"
    return Name(
        family=rng.choice(several(row["family"])),
        middle=rng.choice(several(row[f"middle_{suffix}"])),
        given=rng.choice(several(row[f"given_{suffix}"])),
    )


def _personal_number(rng: Random, province: str, sex: str, born: date) -> str:
    century = 0 if born.year < 2000 else 2
    return f"{province}{century + (sex == 'F')}{born:%y}{rng.randint(0, 999999):06d}"


def _occupation(rng: Random, age: int) -> tuple[str, str]:
    rows = [r for r in table("occupations") if int(r["age_min"]) <= age <= int(r["age_max"])]
    row = rng.choice(rows)
    return row["code"], row["name"]
