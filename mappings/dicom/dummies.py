"""Values that say nothing, for attributes that must say something.

Standard: DICOM PS3.15 §E.1.1 (action D); PS3.5 §6.2
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

REMOVED = "REMOVED"
DUMMIES: dict[str, Any] = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"), REMOVED),
    **dict.fromkeys(("OB", "OW", "UN"), b"\0\0"),
    **dict.fromkeys(("OF", "OL"), b"\0" * 4),
    **dict.fromkeys(("OD", "OV"), b"\0" * 8),
    **dict.fromkeys(("SL", "SS", "SV", "UL", "US", "UV", "AT"), 0),
    **dict.fromkeys(("FD", "FL"), 0.0),
    **dict.fromkeys(("DS", "IS"), "0"),
    "PN": "Removed^Name",
    "AS": "000Y",
    "DA": "19000101",
    "DT": "19000101000000",
    "TM": "000000",
    "UI": "2.25.0",
    "UR": "urn:removed",
}
"""By value representation."""


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def unknown_code() -> Dataset:
    """Give the code that says that something is not known."""
    return code_item("261665006", "SCT", "Unknown")
