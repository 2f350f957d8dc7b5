"""The names of an object and the end of its header, held against pydicom on its own files, and on broken ones."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file, get_testdata_files

from mappings.dicom.names import read_names

CT = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
FILES = sorted(Path(one) for one in get_testdata_files() if Path(one).is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_are_those_that_pydicom_reads(path: Path) -> None:
    data = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset: pydicom.Dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, force=True)
        except Exception:  # noqa: BLE001 - whatever pydicom says of what is no DICOM
            dataset = pydicom.Dataset()
        wanted = tuple(
            str(dataset.get(keyword, "") or "")
            for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        )
    found = read_names(data)
    given = (found.sop_class, found.sop_instance, found.study, found.series) if found else ("", "", "", "")
    assert given == wanted


def test_the_header_ends_before_the_pixels_wherever_the_bytes_are_cut() -> None:
    whole = read_names(CT)
    assert whole is not None
    assert CT[whole.header :].startswith(b"\xe0\x7f\x10\x00OW")
    cut = read_names(CT[: whole.header + 5])
    assert cut is not None
    assert (cut.study, cut.header) == (whole.study, whole.header)


@settings(max_examples=300)
@given(
    st.binary(max_size=400)
    | st.integers(0, 7000).map(lambda n: CT[:n])
    | st.binary(max_size=60).map(lambda b: CT[:900] + b)
)
def test_no_bytes_break_it(data: bytes) -> None:
    found = read_names(data)
    assert found is None or 0 <= found.header <= len(data)


@settings(max_examples=300)
@given(st.integers(132, 6000), st.integers(0, 255))
def test_a_changed_byte_gives_names_or_none(position: int, value: int) -> None:
    data = bytearray(CT)
    data[position] = value
    read_names(bytes(data))
