"""Blank what a content item of a structured report says of the person it is about.

Texts, names, dates and UIDs are attributes with a row in the table and are replaced there. Here: numbers and codes about the
subject (age, sex, size), its birth date also where dates are only moved, and codes of nobody knows which scheme.

Standard: DICOM PS3.15 §E.3.6 (Clean Structured Content); PS3.16 TID 1007, TID 3602
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from mappings.dicom.confidentiality import SCHEMES
from mappings.dicom.dummies import DUMMIES, unknown_code

_ABOUT = frozenset({("DCM", "121022"), ("DCM", "121029"), ("DCM", "121030"), ("DCM", "121031"), ("LN", "21112-8")})
"""Accession number, name, number and birth date of the subject."""
_CHARACTERISTICS = frozenset(
    {
        *(("DCM", code) for code in ("121032", "121033", "109053", "109054", "109055")),
        *(("LN", code) for code in ("8302-2", "3137-7", "29463-7", "3141-9", "30525-0", "46098-0")),
        *(("SCT", code) for code in ("27113001", "50373000", "397669002", "424144002", "263495000", "184099003")),
    }
)
"""Sex, age, size and weight. Standard: DICOM PS3.15 Table E.1-1 (option Retain Patient Characteristics)"""
_DATES = {"DATE": ("Date", "DA"), "TIME": ("Time", "TM"), "DATETIME": ("DateTime", "DT")}


def blank_item(item: Dataset, *, characteristics: bool) -> Dataset:
    """Blank an item that the table has been followed for already; below it, every item was."""
    name = _first(item, "ConceptNameCodeSequence")
    concept = (str(name.get("CodingSchemeDesignator", "")), str(name.get("CodeValue", "")))
    about = concept in _ABOUT or (concept in _CHARACTERISTICS and not characteristics)
    kind = item.get("ValueType", "")
    if kind == "CODE" and (about or not _everybodys(_first(item, "ConceptCodeSequence"))):
        item.ConceptCodeSequence = Sequence([unknown_code()])
    elif kind == "NUM" and about:
        item.MeasuredValueSequence = Sequence()
    elif kind in _DATES and about:
        keyword, vr = _DATES[kind]
        setattr(item, keyword, DUMMIES[vr])
    return item


def _everybodys(code: Dataset) -> bool:
    return str(code.get("CodingSchemeDesignator", "")).strip() in SCHEMES or "URNCodeValue" in code


def _first(item: Dataset, keyword: str) -> Dataset:
    found = item.get(keyword)
    return found[0] if found else Dataset()
