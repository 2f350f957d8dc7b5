"""Files of studies as large as hospitals make them, for nightly tests and benchmarks: written quickly, sent by DCMTK.

A large object is a sparse file: its pixels are zeros that take no place here, and all of their bytes on the wire.
"""

from __future__ import annotations

import os
import subprocess
from copy import deepcopy
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from conformance.scenarios.pictures import Study
from tests.dicom_peers import FAST
from tests.soak.flatness import family

SIDE = 512
"""Pixels of a slice, each of two bytes: half a megabyte."""


def slices(study: Study, number: int, folder: Path, side: int = SIDE) -> list[str]:
    """Write a CT study of so many objects, its report the last; give their SOP Instance UIDs."""
    folder.mkdir(parents=True)
    first, report = study.instances[0], study.instances[-1]
    one = deepcopy(first)
    one.Rows = one.Columns = side
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.PixelData = os.urandom(side * side * 2)
    uids = [*(str(known.SOPInstanceUID) for known in study.instances[:-1])]
    uids += [str(generate_uid(prefix="2.25.")) for _ in range(number - 1 - len(uids))]
    for n, uid in enumerate(uids, 1):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        one.InstanceNumber = n
        one.save_as(folder / f"{n:05}.dcm", enforce_file_format=True)
    report.save_as(folder / f"{number:05}.dcm", enforce_file_format=True)
    return [*uids, str(report.SOPInstanceUID)]


def multi_frame(path: Path, size: int) -> str:
    """Write an enhanced CT whose pixels take about so many bytes, in whole frames; give its SOP Instance UID."""
    frame = SIDE * SIDE * 2
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = EnhancedCTImageStorage, generate_uid(prefix="2.25.")
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.PatientID, image.PatientName, image.Modality = "BN-LARGE", "Lớn^Ảnh", "CT"
    image.SpecificCharacterSet = "ISO_IR 192"
    image.Rows = image.Columns = SIDE
    image.NumberOfFrames = size // frame
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.save_as(path, enforce_file_format=True)
    length = size // frame * frame
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\x00\x00" + length.to_bytes(4, "little"))
        file.truncate(file.tell() + length)
    return str(image.SOPInstanceUID)


def send(address: tuple[str, int], title: str, what: Path) -> subprocess.Popen[bytes]:
    """Start DCMTK's storescu for a file, or for a folder of files on one association."""
    host, port = address
    command = ["storescu", "-aet", "PACS", "-aec", title, "-pdu", "131072", "+sd", host, str(port), str(what)]
    return subprocess.Popen(command, env=FAST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def peak(pid: int) -> int:
    """Give how many bytes a process and all below it have had at most, each at its own time."""
    total = 0
    for one in family(pid):
        status = Path(f"/proc/{one}/status").read_text(encoding="utf-8")
        total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    return total
