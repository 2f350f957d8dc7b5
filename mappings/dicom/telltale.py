"""Find what names a person in texts where it does not belong: what an object says of its patient, anywhere else in it.

Looks past case, accents and punctuation, and for birth dates as people write them. A word of a name counts from three letters
on, a part of a word from five; shorter values only where they are the whole text. Finds no names that the object does not
itself name as such.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

_WHOLE = frozenset(
    {
        *("PatientID", "OtherPatientIDs", "PatientAddress", "PatientTelephoneNumbers", "MedicalRecordLocator"),
        *("AccessionNumber", "AdmissionID", "InstitutionName", "InstitutionAddress", "StudyInstanceUID"),
        *("SeriesInstanceUID", "SOPInstanceUID", "PlacerOrderNumberImagingServiceRequest", "RegionOfResidence"),
        *("FillerOrderNumberImagingServiceRequest", "InsurancePlanIdentification", "ReferringPhysicianAddress"),
        *("ReferringPhysicianTelephoneNumbers", "ResponsibleOrganization"),
    }
)
_WORD, _PART = 3, 5
_NO_LETTERS = re.compile(r"[\W_]+")
_ONLY_D = str.maketrans("đĐ", "dD")


def _plain(text: str) -> str:
    bare = unicodedata.normalize("NFD", text.translate(_ONLY_D))
    return _NO_LETTERS.sub(" ", "".join(one for one in bare if not unicodedata.combining(one))).strip().casefold()


def elements(dataset: Dataset) -> Iterator[DataElement]:
    """Give every element that can be read, at any depth."""
    for tag in dataset.keys():  # noqa: SIM118 — iterating over the data set itself converts, and raises
        try:
            element = dataset[tag]
        except Exception:  # noqa: BLE001, S112 — pydicom raises many; what it cannot read nobody writes again
            continue
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)


def texts(element: DataElement) -> list[str]:
    """Give the values of an element as text."""
    value = element.value
    if value is None:
        return []
    return [str(one) for one in (value if element.VM > 1 else [value])]


class Telltale:
    """What one object says of its patient and of those who took part."""

    def __init__(self, dataset: Dataset) -> None:
        self._equal: set[str] = set()
        patterns: set[str] = set()
        for element in elements(dataset):
            for value in _values(element):
                plain = _plain(value)
                self._equal.add(plain)
                patterns.add(_pattern(plain))
        self._equal.discard("")
        patterns.discard("")
        self._within = re.compile("|".join(sorted(patterns))) if patterns else None

    def stands_in(self, text: str) -> bool:
        plain = _plain(text)
        return plain in self._equal or bool(self._within and self._within.search(plain))


def _pattern(plain: str) -> str:
    if len(plain) < _WORD:
        return ""
    return re.escape(plain) if len(plain) >= _PART else rf"\b{re.escape(plain)}\b"


def _values(element: DataElement) -> Iterator[str]:
    if element.VR == "PN":
        for name in texts(element):
            for group in name.split("="):
                parts = [part.strip() for part in group.split("^")[:3]]
                family, given, middle = (*parts, "", "", "")[:3]
                yield group
                yield f"{family} {middle} {given}"
                yield from (word for part in parts for word in re.split(r"[\s,.]+", part) if len(word) >= _WORD)
    elif element.keyword in _WHOLE:
        yield from texts(element)
    elif element.keyword == "PatientBirthDate":
        for value in texts(element):
            digits = re.sub(r"\D", "", value)
            if len(digits) == 8:
                yield from (
                    digits,
                    f"{digits[:4]} {digits[4:6]} {digits[6:]}",
                    f"{digits[6:]} {digits[4:6]} {digits[:4]}",
                )
