"""Read and write whole objects with pydicom, as they are: no value is checked, nothing is printed.

For what must be written again. What is only read goes through `header`, which does not hold pixels.

Standard: DICOM PS3.10 §7
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pydicom
from pydicom.config import disable_value_validation, logger
from pydicom.dataset import Dataset

from mappings.dicom.faults import NotDicom, NotWritable

IMPLEMENTATION = "2.25.261247142796598107048255911180975432685"
"""Who wrote an object: the gateway, under the name that it has in associations. Standard: DICOM PS3.7 §D.3.3.2"""


@contextmanager
def as_it_is() -> Iterator[None]:
    """Let pydicom take values as they are, and say nothing: its warnings quote them. For one thread at a time."""
    quiet, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = quiet


def read_object(data: bytes) -> Dataset:
    """Read a Part 10 file, or a data set without its head; raises NotDicom."""
    with as_it_is():
        try:
            return pydicom.dcmread(BytesIO(data), force=True)
        except Exception as error:  # noqa: BLE001 — pydicom raises many; whichever, it is not readable
            raise NotDicom(detail=type(error).__name__) from None


def write_object(dataset: Dataset) -> bytes:
    """Write an object in the transfer syntax that its file meta names; raises NotWritable."""
    out = BytesIO()
    with as_it_is():
        try:
            pydicom.dcmwrite(out, dataset, enforce_file_format=True)
        except Exception as error:  # noqa: BLE001 — as above
            raise NotWritable(detail=type(error).__name__) from None
    return out.getvalue()
