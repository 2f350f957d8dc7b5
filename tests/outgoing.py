"""Studies about to leave, as a destination gets them: objects that lie in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import UID

from connectors.contract import Outbound, Picture
from mappings.documents import imaging_study

STUDY = "1.2.826.0.1.3680043.8.498.6080"
PIECE = 4096


def made(name: str, number: int, series: int = 1, study: str = STUDY, **more: Any) -> bytes:
    """Give one of the files that pydicom ships as an object of a study."""
    found = pydicom.dcmread(str(get_testdata_file(name)))
    return written(found, number, series, study, **more)


def written(found: Dataset, number: int, series: int = 1, study: str = STUDY, **more: Any) -> bytes:
    found.StudyInstanceUID, found.SeriesInstanceUID = study, f"{study}.{series}"
    found.SOPInstanceUID = f"{study}.{series}.{number}"
    found.PatientID, found.PatientName, found.InstanceNumber = "BN0001", "NGUYEN^VAN AN", number
    for keyword, value in more.items():
        setattr(found, keyword, value)
    found.file_meta.MediaStorageSOPInstanceUID = UID(found.SOPInstanceUID)
    out = BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def small(count: int, study: str = STUDY) -> list[bytes]:
    """Give so many small objects of one series."""
    found = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    found.Rows = found.Columns = 8
    found.PixelData = found.PixelData[:128]
    first = written(found, 100_000, study=study)
    return [first.replace(b".1.100000", f".1.{100_000 + number}".encode()) for number in range(count)]


@lru_cache(4096)
def _head(file: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(file), stop_before_pixels=True)


def data_set(file: bytes) -> bytes:
    """Give what stands behind the file meta information, as pydicom finds it."""
    stream = BytesIO(file)
    pydicom.filereader.read_preamble(stream, force=False)
    pydicom.filereader._read_file_meta_info(stream)
    return file[stream.tell() :]


class Outgoing:
    """Implements `connectors.contract.Pictures`; notes what was read."""

    def __init__(self, files: Sequence[bytes], before: Callable[[int], None] = lambda number: None) -> None:
        heads = [_head(file) for file in files]
        self.study = str(heads[0].StudyInstanceUID)
        self.objects = [
            Picture(
                str(head.SeriesInstanceUID),
                str(head.SOPInstanceUID),
                str(head.SOPClassUID),
                str(head.file_meta.TransferSyntaxUID),
                len(file),
                hashlib.sha256(file).hexdigest(),
            )
            for head, file in zip(heads, files, strict=True)
        ]
        self.files = {one.sop_instance: file for one, file in zip(self.objects, files, strict=True)}
        self.opened: list[str] = []
        self._before = before

    def read(self, one: Picture) -> Iterator[bytes]:
        self._before(len(self.opened))
        self.opened.append(one.sop_instance)
        file = self.files[one.sop_instance]
        for start in range(0, len(file), PIECE):
            yield file[start : start + PIECE]

    @property
    def hashes(self) -> dict[str, str]:
        """Object → SHA-256 of its data set."""
        return {uid: hashlib.sha256(data_set(file)).hexdigest() for uid, file in self.files.items()}


def outbound(pictures: Outgoing | None, key: str = "0192f0c4-5f3e-7a10-8c3d-1f2e3d4c5b6a") -> Outbound:
    """Give a delivery of a study."""
    objects = [
        imaging_study.Object("", one.series, one.sop_instance, one.sop_class, one.transfer_syntax, one.size, one.sha256)
        for one in (pictures.objects if pictures else ())
    ]
    body = imaging_study.write(imaging_study.Manifest(pictures.study if pictures else "", "Patient/1", objects))
    return Outbound(
        key,
        imaging_study.PAPER,
        body,
        imaging_study.MEDIA_TYPE,
        hashlib.sha256(body).hexdigest(),
        datetime(2026, 11, 20, 18, 30, tzinfo=UTC),
        "01999",
        pictures=pictures,
    )


def hashes_of(files: Sequence[bytes] | Iterator[Path]) -> dict[str, str]:
    """Give the SHA-256 of the data set of each file, by SOPInstanceUID."""
    contents = [one.read_bytes() if isinstance(one, Path) else one for one in files]
    return {str(_head(one).SOPInstanceUID): hashlib.sha256(data_set(one)).hexdigest() for one in contents}
