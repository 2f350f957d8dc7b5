"""The made-up hospital: its departments, doctors, diseases, and what its laboratory measures.

Values follow the disease: pneumonia raises the white cells, dengue lowers the platelets, and the cells of one blood
count fit each other (haemoglobin = red cells × mean haemoglobin), so that a doctor who looks at the day does not laugh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from conformance.scenarios.people import Name
from conformance.scenarios.tables import Row, several, table

CENTRAL_HOSPITALS = (
    ("01997", "Bệnh viện Trung ương Sông Hồng"),
    ("01998", "Bệnh viện Ung bướu Hoa Phượng"),
    ("79996", "Bệnh viện Tim mạch Cửu Long"),
)
"""Made-up places a patient is referred to."""


@dataclass(frozen=True)
class Doctor:
    """Someone with a practice licence."""

    licence: str
    name: Name
    title: str
    department: str


@dataclass(frozen=True)
class Diagnosis:
    """A disease as this hospital meets it."""

    icd: str
    name: str
    setting: str
    """I inpatients, O outpatients, B both, T is sent on to a central hospital."""
    department: str
    sex: str
    age_min: int
    age_max: int
    complaint: str
    signs: str
    treatment: str
    advice: str
    panels: tuple[str, ...]
    abnormal: dict[str, str]
    """Test → `+`, `++`, `-` or `--`."""
    secondary: tuple[str, ...]


@dataclass(frozen=True)
class Panel:
    """A set of tests ordered together: one OBR."""

    code: str
    name: str
    loinc: str
    section: str
    specimen: tuple[str, str]
    local_first: bool
    tests: tuple[Row, ...]


@dataclass(frozen=True)
class Result:
    """One measured value, as text with the digits the analyser gave."""

    code: str
    name: str
    loinc: str
    kind: str
    """OBX-2: NM, ST or SN."""
    value: str
    unit: str
    reference: str
    flag: str


@cache
def departments() -> dict[str, str]:
    """Code → name."""
    return {row["code"]: row["name"] for row in table("departments")}


@cache
def doctors(department: str) -> tuple[Doctor, ...]:
    """Who works in a department."""
    return tuple(
        Doctor(row["licence"], Name(row["family"], row["middle"], row["given"]), row["title"], row["department"])
        for row in table("doctors")
        if row["department"] == department
    )


@cache
def diagnoses(settings: str) -> tuple[Diagnosis, ...]:
    """The diseases met in any of the settings, such as `"IB"`."""
    return tuple(_diagnosis(row) for row in table("diagnoses") if row["setting"] in settings)


@cache
def diagnosis_name(icd: str) -> str:
    """The Vietnamese name of a code of the table, also of codes that only occur as a secondary diagnosis."""
    names = {"E78.5": "Tăng lipid máu, không đặc hiệu"} | {row["icd"]: row["name"] for row in table("diagnoses")}
    return names[icd]


@cache
def panel(code: str) -> Panel:
    """The panel of that local code."""
    row = next(row for row in table("panels") if row["code"] == code)
    return Panel(
        code=row["code"],
        name=row["name"],
        loinc=row["loinc"],
        section=row["section"],
        specimen=(row["specimen_code"], row["specimen"]),
        local_first=row["local_first"] == "yes",
        tests=tuple(test for test in table("tests") if test["panel"] == code),
    )


def results(rng: Random, wanted: Panel, sex: str, abnormal: dict[str, str]) -> list[Result]:
    """Measure a whole panel for one patient."""
    fixed = _blood_count(rng, sex, abnormal) if wanted.code == "HH" else {}
    return [_result(rng, test, sex, abnormal.get(test["code"], ""), fixed.get(test["code"])) for test in wanted.tests]


def _diagnosis(row: Row) -> Diagnosis:
    abnormal = {mark.rstrip("+-"): mark[len(mark.rstrip("+-")) :] for mark in row["abnormal"].split()}
    return Diagnosis(
        icd=row["icd"],
        name=row["name"],
        setting=row["setting"],
        department=row["department"],
        sex=row["sex"],
        age_min=int(row["age_min"]),
        age_max=int(row["age_max"]),
        complaint=row["complaint"],
        signs=row["signs"],
        treatment=row["treatment"],
        advice=row["advice"],
        panels=tuple(several(row["panels"])),
        abnormal=abnormal,
        secondary=tuple(code for code in several(row["secondary"]) if code),
    )


def _limits(test: Row, sex: str) -> tuple[str, str]:
    if sex == "F" and test["low_f"]:
        return test["low_f"], test["high_f"]
    return test["low"], test["high"]


def _result(rng: Random, test: Row, sex: str, mark: str, fixed: float | None) -> Result:
    if test["type"] == "ST":
        return _qualitative(rng, test, mark)
    low_text, high_text = _limits(test, sex)
    low, high = float(low_text), float(high_text)
    value = fixed if fixed is not None else _value(rng, low, high, mark)
    text = f"{value:.{int(test['decimals'])}f}"
    kind, shown = "NM", text
    if float(text) < low / 50:
        kind, shown = "SN", f"<^{low / 50:.3f}"
    return Result(
        code=test["code"],
        name=test["name"],
        loinc=test["loinc"],
        kind=kind,
        value=shown,
        unit=test["unit"],
        reference=f"{low_text}-{high_text}",
        flag=_flag(float(text), low, high),
    )


def _value(rng: Random, low: float, high: float, mark: str) -> float:
    if mark == "+":
        return high * rng.uniform(1.06, 1.45)
    if mark == "++":
        return high * rng.uniform(1.9, 3.6)
    if mark == "-":
        return low * rng.uniform(0.82, 0.97)
    if mark == "--":
        return low * rng.uniform(0.005, 0.4) if high < 5 else low * rng.uniform(0.15, 0.45)
    return low + (high - low) * rng.uniform(0.12, 0.85)


def _flag(value: float, low: float, high: float) -> str:
    if value < low:
        return "LL" if value < low / 2 else "L"
    if value > high:
        return "HH" if value > high * 1.8 else "H"
    return "N"


def _qualitative(rng: Random, test: Row, mark: str) -> Result:
    positive = bool(mark)
    value = "Dương tính" + (f" ({rng.randint(1, 3)}+)" if test["panel"] == "NT" else "") if positive else "Âm tính"
    return Result(
        code=test["code"],
        name=test["name"],
        loinc=test["loinc"],
        kind="ST",
        value=value,
        unit="",
        reference="Âm tính",
        flag="A" if positive else "N",
    )


def _blood_count(rng: Random, sex: str, abnormal: dict[str, str]) -> dict[str, float]:
    """The cells of one tube: derived from each other, and the five kinds of white cells add up to 100."""
    low = abnormal.get("HGB", "")
    red = rng.uniform(4.5, 5.4) if sex == "M" else rng.uniform(4.25, 4.8)
    volume, concentration = rng.uniform(86.0, 95.0), rng.uniform(330.0, 342.0)
    if low:
        red *= 0.85 if low == "-" else 0.6
        volume, concentration = rng.uniform(72.0, 84.0), rng.uniform(305.0, 325.0)
    mean_haemoglobin = volume * concentration / 1000
    neutrophils = rng.uniform(76.0, 88.0) if "NEU" in abnormal else rng.uniform(50.0, 62.0)
    mono, baso = round(rng.uniform(3.0, 7.0), 1), round(rng.uniform(0.1, 0.8), 1)
    eosinophils = round(rng.uniform(7.5, 11.0) if "EOS" in abnormal else rng.uniform(0.5, 4.0), 1)
    neutrophils = round(neutrophils, 1)
    return {
        "RBC": red,
        "MCV": volume,
        "MCHC": concentration,
        "MCH": mean_haemoglobin,
        "HGB": red * mean_haemoglobin,
        "HCT": red * volume / 10,
        "NEU": neutrophils,
        "MONO": mono,
        "EOS": eosinophils,
        "BASO": baso,
        "LYM": 100 - neutrophils - mono - baso - eosinophils,
    }
