"""What an object lets expect in its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from mappings.dicom.burned_in import RULES, Verdict, burned_in
from mappings.dicom.part10 import as_it_is, read_object

S = "1.2.840.10008.5.1.4.1.1."
CT, MR, SC, US, XA, CR, DX, PHOTO, SR = "2", "4", "7", "6.1", "12.1", "1", "1.1", "77.1.4", "88.11"
ORIGINAL = ["ORIGINAL", "PRIMARY", "AXIAL"]
TABLE: list[tuple[str, dict[str, Any], str]] = [
    (CT, {"ImageType": ORIGINAL}, "no"),
    (CT, {}, "no"),
    (CT, {"ImageType": "ORIGINAL"}, "no"),
    (CT, {"ImageType": ["DERIVED", "PRIMARY", "MPR"]}, "no"),
    (CT, {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "unknown"),
    (CT, {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "yes"),
    (CT, {"ImageType": ORIGINAL, "SamplesPerPixel": 3}, "unknown"),
    (CT, {"ImageType": ORIGINAL, "ConversionType": "WSD"}, "unknown"),
    (CT, {"ImageType": ORIGINAL, "BurnedInAnnotation": "YES"}, "yes"),
    (CT, {"ImageType": ORIGINAL, "BurnedInAnnotation": "yes "}, "yes"),
    (CT, {"BurnedInAnnotation": "NO", "RecognizableVisualFeatures": "YES"}, "yes"),
    (CT, {"BurnedInAnnotation": "NO", "ImageType": ["DERIVED", "SECONDARY"]}, "no"),
    (CT, {"OverlayBitPosition": 12}, "unknown"),
    (CT, {"OverlayBitPosition": 12, "BurnedInAnnotation": "NO"}, "unknown"),
    (CT, {"OverlayBitPosition": 0, "OverlayData": b"\0\0"}, "no"),
    (MR, {"ImageType": ORIGINAL}, "no"),
    (SC, {}, "unknown"),
    (SC, {"BurnedInAnnotation": "NO"}, "no"),
    (SC, {"ConversionType": "SD"}, "yes"),
    (SC, {"ConversionType": "DI"}, "yes"),
    (SC, {"ConversionType": "WSD"}, "unknown"),
    (SC, {"Modality": "DOC"}, "yes"),
    (US, {"ImageType": ORIGINAL}, "unknown"),
    (US, {"ImageType": ORIGINAL, "BurnedInAnnotation": "NO"}, "no"),
    (XA, {"ImageType": ["DERIVED", "SECONDARY", "SINGLE PLANE"]}, "unknown"),
    (XA, {"ImageType": ["DERIVED", "SECONDARY", "SCREENSHOT"]}, "yes"),
    (CR, {"ImageType": ORIGINAL}, "unknown"),
    (DX, {"BurnedInAnnotation": "NO"}, "no"),
    (PHOTO, {}, "unknown"),
    (SR, {"PixelData": None}, "no"),
    (SR, {"PixelData": None, "BurnedInAnnotation": "YES"}, "yes"),
    ("9999", {}, "unknown"),
    ("", {}, "unknown"),
]


def made(sop_class: str, **said: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = f"{S}{sop_class}" if sop_class else ""
    with as_it_is():
        for keyword, value in ({"PixelData": b"\0\0"} | said).items():
            if keyword.startswith("Overlay"):
                element = {"OverlayBitPosition": 0x0102, "OverlayData": 0x3000}[keyword]
                dataset.add_new((0x6002, element), "US" if element == 0x0102 else "OW", value)
            elif value is not None:
                setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(("sop_class", "said", "verdict"), TABLE)
def test_the_verdict(sop_class: str, said: dict[str, Any], verdict: str) -> None:
    assert burned_in(made(sop_class, **said)) == verdict


def test_every_rule_decides_a_line_of_the_table() -> None:
    datasets = [made(sop_class, **said) for sop_class, said, _ in TABLE]
    deciding = {next((n for n, (fits, _) in enumerate(RULES) if fits(one)), None) for one in datasets}
    assert deciding == {*range(len(RULES)), None}


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("CT_small.dcm", Verdict.NO),
        ("MR_small.dcm", Verdict.UNKNOWN),
        ("test-SR.dcm", Verdict.NO),
        ("rtplan.dcm", Verdict.NO),
        ("examples_overlay.dcm", Verdict.UNKNOWN),
        ("examples_rgb_color.dcm", Verdict.UNKNOWN),
        ("examples_ybr_color.dcm", Verdict.UNKNOWN),
    ],
)
def test_real_files(name: str, verdict: Verdict) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    assert burned_in(read_object(path.read_bytes())) is verdict
