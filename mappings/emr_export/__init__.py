"""Write the record of one visit as `HoSoBenhAn`, the exchange form of electronic records of CV 365/TTYQG-GPQLCL (6-6-2025).

Eleven groups, always all of them; every known field is written, an empty one as `""` (JSON) or `<x/>` (XML); arrays are
repeated tags in XML. The groups hang together by `sovaovien`. Names, order and kinds are data: `fields.csv`, each with a
mark: M was seen in an implementation of the letter, L is taken from a forerunner's interface or from other groups, because
the appendix of the letter is not public. Lengths and code lists are not known and not checked. The form has no place for
signatures: who signs by name only (`chuky_hoten`), so signed papers go beside it.

Standard: CV 365/TTYQG-GPQLCL, appendix; Requirement: S3.12
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from lxml import etree

from mappings.documents.clean import Cleaner
from mappings.documents.context import Context
from mappings.documents.record import Record
from mappings.emr_export import history, orders, results, treatment
from mappings.emr_export.visit import Visit
from mappings.formats import json
from mappings.outcome import Resource

__all__ = ["GROUPS", "ROOT", "Field", "fields", "to_json", "to_xml", "visit_to_hoso"]

ROOT = "HoSoBenhAn"
GROUPS = (
    "ThongTinBenhNhan",
    "ThongTinVaoVien",
    "ThongTinDieuTri",
    "YLenhThuocVatTu",
    "PhieuChiDinh",
    "KetQuaChanDoanHinhAnh",
    "KetQuaXetNghiem",
    "GiayChuyenVien",
    "HoSoCapCuu",
    "PhieuThuThuat",
    "PhieuPhauThuat",
)


@dataclass(frozen=True)
class Field:
    """One field of the form."""

    group: str
    path: str
    """Names from the group down, parted by dots; `[]` after a name means a list of such."""
    kind: str
    """`text`, `number`, `date` (dd/mm/yyyy), `datetime` (dd/mm/yyyy HH:MM:SS.mmm)."""
    mark: str
    """How sure name and kind are: M or L."""


@cache
def fields() -> tuple[Field, ...]:
    """Give every field, in the order of the form."""
    text = files(__name__).joinpath("fields.csv").read_text(encoding="utf-8")
    return tuple(Field(**row) for row in csv.DictReader(text.splitlines()))


def visit_to_hoso(encounter: str, record: list[Resource], context: Context) -> dict[str, Any]:
    """Make `{"HoSoBenhAn": …}` of a visit (`Encounter/…`); raises `SubjectMissing`.

    `record` is the newest version of every resource of the person; what belongs to the visit is picked from it.
    """
    known = Record(record, context.systems)
    about = known.subject("emr_export", encounter)
    visit = Visit(known, about, known.patient("emr_export", about), context)
    told: dict[str, Any] = {
        "ThongTinBenhNhan": history.person(visit),
        "ThongTinVaoVien": history.admission(visit),
        "ThongTinDieuTri": treatment.treatment(visit),
        "YLenhThuocVatTu": orders.medicines(visit),
        "PhieuChiDinh": orders.requests(visit),
        "KetQuaChanDoanHinhAnh": results.imaging(visit),
        "KetQuaXetNghiem": results.laboratory(visit),
        "GiayChuyenVien": treatment.referrals(visit),
        "HoSoCapCuu": history.emergency(visit),
        "PhieuThuThuat": treatment.procedures(visit, surgery=False),
        "PhieuPhauThuat": treatment.procedures(visit, surgery=True),
    }
    cleaner = Cleaner()
    shape = _shape()
    filled = {
        group: cleaner.value(_filled(told[group] | {"sovaovien": visit.number}, shape[group])) for group in GROUPS
    }
    return {ROOT: filled}


def to_json(hoso: Mapping[str, Any]) -> bytes:
    """Write the form as JSON, names in their order."""
    return json.dumps(hoso)


def to_xml(hoso: Mapping[str, Any]) -> bytes:
    """Write the form as XML in UTF-8 with declaration."""
    root = etree.Element(ROOT)
    _append(root, hoso[ROOT])
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


@cache
def _shape() -> dict[str, Any]:
    """Give the fields as a tree: a name → None (a leaf), a dict, or a list of one dict."""
    tree: dict[str, Any] = {}
    for field in fields():
        at = tree.setdefault(field.group, {})
        *steps, leaf = field.path.split(".")
        for step in steps:
            if step.endswith("[]"):
                at = at.setdefault(step[:-2], [{}])[0]
            else:
                at = at.setdefault(step, {})
        at[leaf] = None
    return tree


def _filled(told: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    assert told.keys() <= shape.keys(), told.keys() - shape.keys()
    made: dict[str, Any] = {}
    for name, below in shape.items():
        if below is None:
            made[name] = told.get(name, "")
        elif isinstance(below, list):
            made[name] = [_filled(one, below[0]) for one in told.get(name, ())]
        else:
            made[name] = _filled(told.get(name, {}), below)
    return made


def _append(parent: etree._Element, value: Mapping[str, Any]) -> None:
    for name, below in value.items():
        if isinstance(below, list):
            for one in below:
                _append(etree.SubElement(parent, name), one)
            if not below:
                etree.SubElement(parent, name)
        elif isinstance(below, Mapping):
            _append(etree.SubElement(parent, name), below)
        else:
            etree.SubElement(parent, name).text = below or None
