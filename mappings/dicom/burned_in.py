"""Say whether something that tells who a person is may be written into the pixels: yes, no, or unknown.

Does not look at the pixels. `no` only where the object says so, has no pixels, or is of a class whose devices write none into
them; where none of that is so, it is unknown, and a person has to look. A face that can be made from the slices of a head
is told only where the object itself tells it.

Standard: DICOM PS3.3 §C.7.6.1.1.1 (Image Type), §C.7.6.1 (Burned In Annotation, Recognizable Visual Features)
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from pydicom.dataset import Dataset

from mappings.dicom.part10 import as_it_is


class Verdict(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


_STORAGE = "1.2.840.10008.5.1.4.1.1."
CLEAN_CLASSES = frozenset(
    f"{_STORAGE}{one}"
    for one in (
        *("2", "2.1", "2.2"),  # CT, enhanced CT, converted enhanced CT
        *("4", "4.1", "4.2", "4.4"),  # MR, enhanced MR, spectroscopy, converted enhanced MR
        *("20", "128", "130", "128.1"),  # NM, PET, enhanced PET, converted enhanced PET
        *("30", "66.4", "481.2"),  # parametric map, segmentation, RT dose
    )
)
"""Classes of what is measured or computed, not drawn; others may hold words, and many do (SC, US, XA, CR, VL)."""
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL")
_CAPTURED = frozenset({"SCREEN SAVE", "SCREENSHOT", "SCREEN_CAPTURE", "DOSE REPORT", "LABEL", "OVERVIEW", "PROTOCOL"})
_SCANNED = frozenset({"DV", "DI", "DF", "SD", "SI", "DRW"})
_PAPER = frozenset({"DOC", "SR", "HC"})


def _said(keyword: str, value: str) -> Callable[[Dataset], bool]:
    return lambda dataset: str(dataset.get(keyword) or "").strip().upper() == value


def _image_type(dataset: Dataset) -> list[str]:
    said = dataset.get("ImageType") or []
    return [str(one).strip().upper() for one in ([said] if isinstance(said, str) else said)]


def _captured(dataset: Dataset) -> bool:
    return not _CAPTURED.isdisjoint(_image_type(dataset))


def _scanned(dataset: Dataset) -> bool:
    return str(dataset.get("ConversionType") or "") in _SCANNED or str(dataset.get("Modality") or "") in _PAPER


def _without_pixels(dataset: Dataset) -> bool:
    return not any(keyword in dataset for keyword in _PIXELS)


def _overlay_in_pixels(dataset: Dataset) -> bool:
    """Tell whether an overlay lies in unused bits of the pixels, where removing the overlay's attributes does not reach."""
    groups = range(0x6000, 0x6020, 2)
    return any((group, 0x0102) in dataset and (group, 0x3000) not in dataset for group in groups)


def _secondary(dataset: Dataset) -> bool:
    return "SECONDARY" in _image_type(dataset)[1:2]


def _coloured(dataset: Dataset) -> bool:
    return dataset.get("SamplesPerPixel", 1) not in (None, 1) or "ConversionType" in dataset


def _clean_class(dataset: Dataset) -> bool:
    return str(dataset.get("SOPClassUID") or "") in CLEAN_CLASSES


RULES: tuple[tuple[Callable[[Dataset], bool], Verdict], ...] = (
    (_said("BurnedInAnnotation", "YES"), Verdict.YES),
    (_said("RecognizableVisualFeatures", "YES"), Verdict.YES),
    (_without_pixels, Verdict.NO),
    (_overlay_in_pixels, Verdict.UNKNOWN),
    (_said("BurnedInAnnotation", "NO"), Verdict.NO),
    (_captured, Verdict.YES),
    (_scanned, Verdict.YES),
    (_secondary, Verdict.UNKNOWN),
    (_coloured, Verdict.UNKNOWN),
    (_clean_class, Verdict.NO),
)
"""The first that fits decides; none: unknown."""


def burned_in(dataset: Dataset) -> Verdict:
    """Give the verdict on one object."""
    with as_it_is():
        return next((verdict for fits, verdict in RULES if fits(dataset)), Verdict.UNKNOWN)
