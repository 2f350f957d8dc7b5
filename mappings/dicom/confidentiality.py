"""Say what the Basic Application Level Confidentiality Profile does with an attribute: the table, beside this module as CSV.

`confidentiality.csv` has the 656 rows of Table E.1-1 of the edition named below (all but that of private attributes, which is a
rule): the action of the basic profile, and of three options where they change it.
The letters are those of the standard: X remove · Z empty · D dummy · K keep · C clean · U another UID. Where the standard
leaves a choice to the type of the attribute in its object (`X/Z/D`), the last is taken: it is right for every type.
What an option has as C for another thing than dates (allergies, AE titles …) nobody cleans: the basic profile's action is
taken.

Attributes that pydicom's dictionary does not know are removed, whatever their row says. Attributes without a row stay,
but for what the tables below say; these are stricter than the profile.

Standard: DICOM PS3.15 §E.1.1, Table E.1-1, Table E.1-1a
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydicom.datadict import tag_for_keyword

EDITION = "PS3.15 2026d"


class Action(StrEnum):
    """What is done with one attribute."""

    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    KEEP = "K"
    SHIFT = "C"
    UID = "U"
    CLEAN = "U*"
    """Keep the sequence, and do to its items what the table says."""


@dataclass(frozen=True)
class Options:
    """What is retained beyond the basic profile."""

    dates: bool = False
    """Longitudinal temporal information, dates moved: one number of days for all of a patient; times of day stay."""
    characteristics: bool = False
    """Age, sex, size, weight, ethnic group, smoking, pregnancy. Texts (allergies …) are not: nobody cleans them."""
    device: bool = False
    """Serial numbers, station names, UIDs of devices, when they were made and calibrated. AE titles are not."""
    subject: str = field(default="", repr=False)
    """Whose the object is, where that is known better than its PatientID says."""


@dataclass(frozen=True)
class Row:
    keyword: str
    basic: str
    dates: str
    characteristics: str
    device: str


_BASIC = {
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "D": Action.DUMMY,
    "U": Action.UID,
    "X/Z": Action.EMPTY,
    "X/D": Action.DUMMY,
    "Z/D": Action.DUMMY,
    "X/Z/D": Action.DUMMY,
    "X/Z/U*": Action.CLEAN,
}
BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
CLEANED_CONTENT = ("113104", "Clean Structured Content Option")
CODES = {
    "dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "characteristics": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
}
"""By option, the code that the object says of it. Standard: DICOM PS3.16 CID 7050"""

BEYOND = {
    "EncryptedAttributesSequence": Action.REMOVE,
    "MACParametersSequence": Action.REMOVE,
    "CodingSchemeURL": Action.KEEP,
    "URNCodeValue": Action.KEEP,
}
BEYOND_VR = {
    "PN": Action.DUMMY,
    "DA": Action.DUMMY,
    "DT": Action.DUMMY,
    "TM": Action.DUMMY,
    "LT": Action.DUMMY,
    "ST": Action.DUMMY,
    "UT": Action.DUMMY,
    "AE": Action.REMOVE,
    "UR": Action.REMOVE,
    "UI": Action.UID,
    "SQ": Action.CLEAN,
}
"""What is done with attributes without a row, by value representation; the others are kept."""

CLASS_UIDS = frozenset(
    {
        *("SOPClassUID", "ReferencedSOPClassUID", "RelatedGeneralSOPClassUID", "OriginalSpecializedSOPClassUID"),
        *("SOPClassesInStudy", "SOPClassesSupported", "PertinentSOPClassesInStudy", "PertinentSOPClassesInSeries"),
        *("ReferencedSOPClassUIDInFile", "ReferencedRelatedGeneralSOPClassUIDInFile", "RTVCommunicationSOPClassUID"),
        *("CodingSchemeUID", "ContextUID", "ContextGroupExtensionCreatorUID", "MappingResourceUID"),
        *("AvailableTransferSyntaxUID", "StoredInstanceTransferSyntaxUID", "ReferencedTransferSyntaxUIDInFile"),
    }
)
"""UIDs that name a kind of thing and not one thing; they stay, also where a manufacturer made them."""
STANDARD_UIDS = "1.2.840.10008."
"""What the UIDs of the standard itself begin with."""

SCHEMES = frozenset(
    {
        *("DCM", "SCT", "SRT", "SNM3", "99SDM", "LN", "UCUM", "FMA", "RADLEX", "UMLS", "NCIt", "BI", "MDC"),
        *("I10", "I10C", "I10P", "I11", "I9C", "C4", "NDC", "RXNORM", "NEU", "UBERON"),
        *("RFC5646", "RFC3066", "IETF4646", "ISO3166_1"),
    }
)
"""Coding schemes of everybody: their codes and meanings say nothing of a person. Standard: DICOM PS3.16 §8"""


@cache
def table() -> dict[int, Row]:
    """Give the rows by tag; the rows of repeating groups (50xx, 60xx) are none of these."""
    text = files(__package__).joinpath("confidentiality.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {int(row.pop("tag"), 16): Row(**row) for row in rows if "x" not in row["tag"]}


@cache
def _beyond() -> dict[int, Action]:
    return {tag: action for keyword, action in BEYOND.items() if (tag := tag_for_keyword(keyword)) is not None}


def action_for(tag: int, vr: str, options: Options) -> Action:
    """Say what is done with an attribute of the standard, of a group that does not repeat."""
    row = table().get(tag)
    if row is None:
        return _beyond().get(tag) or BEYOND_VR.get(vr, Action.KEEP)
    if options.dates and row.dates == "C" and vr in ("DA", "DT", "TM", "SH"):
        return (
            Action.SHIFT
        )  # before what is said of the device: one date that stays tells how far the others were moved
    if (options.device and row.device == "K") or (options.characteristics and row.characteristics == "K"):
        return Action.CLEAN if vr == "SQ" else Action.KEEP
    return _BASIC[row.basic]
