"""Make the images of a case: a head CT, an X-ray or an ultrasound, each as its information object definition wants it.

What is seen on them is invented: ellipses with noise. Uncompressed, small, and the same bytes for the same order.

Standard: DICOM PS3.3 §A.3 (CT), §A.26 (DX), §A.6 (US).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, DigitalXRayImageStorageForPresentation, UltrasoundImageStorage

from conformance.scenarios.imaging_case import Case, Coded
from conformance.scenarios.picture_objects import Elements, coded, instance, made_of, moment, short, uid
from conformance.scenarios.tables import several

_SLICES: Final = 12
_SLICE_MM: Final = 5
_US_TYPES: Final = {"HEART": "TTE"}
"""Body part → third value of Image Type; ABDOMINAL for all others."""
_LOCALIZER_PLANES: Final = ((1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1), (-1, 0, 0, 0, 0, -1))


def images(case: Case) -> tuple[list[Dataset], Dataset]:
    """Make the images that a study has when it is first sent, and the one that comes afterwards."""
    *first, late = _MAKERS[case.kind["modality"]](case)
    late.InstanceCreationDate, late.InstanceCreationTime = moment(case.reported_at + timedelta(minutes=6))
    return first, late


def _image(case: Case, sop_class: UID, place: tuple[int, int], at: datetime, elements: Elements) -> Dataset:
    series, number = place
    dataset = instance(case, sop_class, case.kind["modality"], series, number, at)
    date, time = moment(at)
    common: Elements = {
        "AcquisitionDate": date,
        "AcquisitionTime": time,
        "AcquisitionNumber": number,
        "BodyPartExamined": case.kind["body_part"],
        "RequestAttributesSequence": [
            made_of(
                {
                    "RequestedProcedureID": case.placer,
                    "RequestedProcedureDescription": short(case.procedure.meaning),
                    "RequestedProcedureCodeSequence": [coded(case.procedure)],
                    "ScheduledProcedureStepID": case.placer,
                }
            )
        ],
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": 0,
    }
    dataset.update(made_of({**common, **elements}))
    return dataset


def _grey(case: Case, size: tuple[int, int], bits: int, number: int, seen: Callable[[float, float], int]) -> Elements:
    """Draw: `seen` gives the value at a place, both coordinates from -1 to 1."""
    rows, columns = size
    rng = Random(f"{uid(case)}/{number}")
    most = (1 << bits) - 1
    values = [
        min(most, max(0, seen(2 * x / (columns - 1) - 1, 2 * y / (rows - 1) - 1) + rng.randint(-6, 6)))
        for y in range(rows)
        for x in range(columns)
    ]
    allocated = 8 if bits <= 8 else 16
    return {
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": allocated,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelData": bytes(values) if allocated == 8 else _little_endian(values),
    }


def _little_endian(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def _inside(x: float, y: float, width: float, height: float) -> bool:
    return (x / width) ** 2 + (y / height) ** 2 <= 1


# CT ----------------------------------------------------------------------------------------------------------------------


def _head(level: float) -> Callable[[float, float], int]:
    """A slice through a skull, in stored values: Hounsfield units and 1024."""
    size = (1 - level**2 * 0.7) ** 0.5

    def seen(x: float, y: float) -> int:
        if not _inside(x, y, 0.78 * size, 0.92 * size):
            return 24
        if not _inside(x, y, 0.70 * size, 0.84 * size):
            return 2024
        return 1094 if _inside(x + 0.42, y - 0.1, 0.12, 0.3) else 1060

    return seen


def _ct(case: Case) -> list[Dataset]:
    frame = uid(case, "frame of reference")
    common: Elements = {
        "PatientPosition": "HFS",
        "FrameOfReferenceUID": frame,
        "PositionReferenceIndicator": "OM",
        "RescaleIntercept": "-1024",
        "RescaleSlope": "1",
        "KVP": "120",
        "PixelSpacing": ["3.5", "3.5"],
        "WindowCenter": "40",
        "WindowWidth": "80",
    }
    localizers = [
        _image(
            case,
            CTImageStorage,
            (1, number),
            case.taken_at + timedelta(seconds=number),
            {
                **common,
                **_grey(case, (64, 64), 12, number, _head(0.0)),
                "SeriesDescription": "Định vị",
                "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
                "ImageOrientationPatient": list(plane),
                "ImagePositionPatient": [-112 * plane[0], -112 * plane[1], 112],
                "SliceThickness": "",
            },
        )
        for number, plane in enumerate(_LOCALIZER_PLANES, start=1)
    ]
    slices = [
        _image(
            case,
            CTImageStorage,
            (2, number),
            case.taken_at + timedelta(seconds=30 + number),
            {
                **common,
                **_grey(case, (64, 64), 12, 100 + number, _head(number / _SLICES - 0.5)),
                "SeriesDescription": "Sọ não 5 mm, cửa sổ nhu mô",
                "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
                "RescaleType": "HU",
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "ImagePositionPatient": [-112, -112, _SLICE_MM * (number - 1)],
                "SliceLocation": str(_SLICE_MM * (number - 1)),
                "SliceThickness": str(_SLICE_MM),
            },
        )
        for number in range(1, _SLICES + 2)
    ]
    return [*localizers, *slices]


# X-ray -------------------------------------------------------------------------------------------------------------------


def _chest(x: float, y: float) -> int:
    return 900 if _inside(abs(x) - 0.42, y, 0.3, 0.7) else 2900


def _bone(x: float, y: float) -> int:
    return 3100 if abs(x) < 0.18 + 0.12 * y * y and abs(y) > 0.04 else 900


_FILMS: Final = {"CHEST": _chest}
"""Body part → what the film shows; a bone and its joint for all others."""


def _dx(case: Case) -> list[Dataset]:
    views = [
        Coded(value, "SCT", meaning) for value, _, meaning in (v.partition("=") for v in several(case.kind["views"]))
    ]
    orientations = several(case.kind["orientations"])
    again = [*zip(views, orientations, strict=True), (views[0], orientations[0])]
    return [
        _image(
            case,
            DigitalXRayImageStorageForPresentation,
            (1, number),
            case.taken_at + timedelta(seconds=40 * number),
            {
                **_grey(case, (80, 80), 12, number, _FILMS.get(case.kind["body_part"], _bone)),
                "SeriesDescription": short(case.procedure.meaning),
                "ImageType": ["ORIGINAL", "PRIMARY", ""],
                "PresentationIntentType": "FOR PRESENTATION",
                "PatientOrientation": orientation.split("/"),
                "AnatomicRegionSequence": [coded(Coded(case.kind["region"], "SCT", case.kind["region_meaning"]))],
                "ImageLaterality": case.kind["laterality"],
                "PositionerType": "",
                "ViewCodeSequence": [_view(view)],
                "ViewPosition": {"272479007": "PA", "399348003": "AP"}.get(view.value, "LL"),
                "PixelIntensityRelationship": "LOG",
                "PixelIntensityRelationshipSign": 1,
                "RescaleIntercept": "0",
                "RescaleSlope": "1",
                "RescaleType": "US",
                "PresentationLUTShape": "IDENTITY",
                "WindowCenter": "2048",
                "WindowWidth": "4096",
                "DetectorType": "SCINTILLATOR",
                "ImagerPixelSpacing": ["4.3", "4.3"],
                "AcquisitionDeviceProcessingDescription": "",
                "AcquisitionContextSequence": [],
            },
        )
        for number, (view, orientation) in enumerate(again, start=1)
    ]


def _view(view: Coded) -> Dataset:
    item = coded(view)
    item.ViewModifierCodeSequence = []
    return item


# Ultrasound --------------------------------------------------------------------------------------------------------------


def _fan(x: float, y: float) -> int:
    if abs(x) > (y + 1.2) * 0.45 or _inside(x, y + 1.2, 2.2, 0.25):
        return 8
    return 30 if _inside(x - 0.1, y - 0.1, 0.16, 0.2) else 110


def _us(case: Case) -> list[Dataset]:
    size = (72, 96)
    side = case.kind["laterality"]
    region = made_of(
        {
            "RegionSpatialFormat": 1,
            "RegionDataType": 1,
            "RegionFlags": 2,
            "RegionLocationMinX0": 0,
            "RegionLocationMinY0": 0,
            "RegionLocationMaxX1": size[1] - 1,
            "RegionLocationMaxY1": size[0] - 1,
            "PhysicalUnitsXDirection": 3,
            "PhysicalUnitsYDirection": 3,
            "PhysicalDeltaX": 0.2,
            "PhysicalDeltaY": 0.2,
        }
    )
    return [
        _image(
            case,
            UltrasoundImageStorage,
            (1, number),
            case.taken_at + timedelta(seconds=50 * number),
            {
                **_grey(case, size, 8, number, _fan),
                "SeriesDescription": short(case.procedure.meaning),
                "ImageType": ["ORIGINAL", "PRIMARY", _US_TYPES.get(case.kind["body_part"], "ABDOMINAL"), "0001"],
                "PatientOrientation": "",
                **({"Laterality": side} if side else {}),
                "SequenceOfUltrasoundRegions": [region],
            },
        )
        for number in (1, 2, 3)
    ]


_MAKERS: Final[Mapping[str, Callable[[Case], list[Dataset]]]] = {"CT": _ct, "DX": _dx, "US": _us}
"""Modality → what makes its images; the last of them comes late."""
