"""What the made-up hospital's departments do for a disease: pictures, operations, medicines. Tables beside this module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from conformance.scenarios.tables import several, table

_CHILD = 12
_FOR_CHILDREN = ("PARA150", "ORS")


@dataclass(frozen=True)
class Imaging:
    """A picture or a function test, with what is found when the disease is there."""

    icd: str
    """Beginning of the codes of the diseases it is made for."""
    code: str
    name: str
    section: str
    """HL7 table 0074."""
    technique: str
    description: str
    conclusion: str
    advice: str


@dataclass(frozen=True)
class Operation:
    """An operation, as its report tells it."""

    icd: str
    name: str
    kind: str
    anaesthesia: str
    before: str
    after: str
    drain: str
    steps: str
    treatment: str
    """What is ordered after it."""


@dataclass(frozen=True)
class Medicine:
    """A medicine of the hospital's pharmacy, as it is usually prescribed."""

    code: str
    name: str
    ingredient: str
    unit: str
    form_code: str
    form: str
    usage: str
    each_day: int
    days: int
    timing: str
    route_code: str
    route: str

    @property
    def drug_class(self) -> str:
        """N narcotic, H psychotropic, C any other."""
        return {"MORP10": "N", "DIAZ5": "H"}.get(self.code, "C")


@cache
def imaging_for(icd: str) -> Imaging | None:
    """What is pictured for a disease; None for most."""
    return next((Imaging(**row) for row in table("imaging") if icd.startswith(row["icd"])), None)


@cache
def operation_for(icd: str) -> Operation | None:
    """The operation a disease needs; None for most."""
    return next((Operation(**row) for row in table("operations") if row["icd"] == icd), None)


def medicines_for(icd: str, age: int) -> Sequence[Medicine]:
    """What is prescribed for a disease at home; children get what is made for children."""
    codes = next((several(row["medicines"]) for row in table("prescriptions") if row["icd"] == icd), [])
    if codes and age < _CHILD:
        codes = list(_FOR_CHILDREN)
    return [_medicine(code) for code in codes]


@cache
def _medicine(code: str) -> Medicine:
    row = next(row for row in table("medicines") if row["code"] == code)
    return Medicine(**(row | {"each_day": int(row["each_day"]), "days": int(row["days"])}))  # type: ignore[arg-type]
