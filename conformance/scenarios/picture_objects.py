"""Begin the DICOM objects of a case: patient, study, series and equipment are the same in every one, the same bytes every time.

Standard: DICOM PS3.3 §C.7 (patient, study, series, equipment), §C.12.1 (SOP common); PS3.5 §B.2 (UIDs of UUIDs), §6.2.1 (PN).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID, uuid5

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from conformance.scenarios.imaging_case import Case, Clinician, Coded
from conformance.scenarios.people import FACILITY, FACILITY_NAME

Elements = Mapping[str, Any]
"""Keyword of an attribute → its value."""

SR_SERIES: Final = 9

_NAMESPACE: Final = UUID("5d1f5c4e-43a2-4c1e-9d6b-0c1c0a2b7f11")
_IMPLEMENTATION: Final = UID(f"2.25.{_NAMESPACE.int}")
_LONGEST: Final = 64
_EQUIPMENT: Final[Mapping[str, Elements]] = {
    "CT": {"ManufacturerModelName": "CT mô phỏng", "StationName": "CT1", "DeviceSerialNumber": "1"},
    "DX": {"ManufacturerModelName": "X-quang mô phỏng", "StationName": "XQ1", "DeviceSerialNumber": "2"},
    "US": {"ManufacturerModelName": "Siêu âm mô phỏng", "StationName": "SA1", "DeviceSerialNumber": "3"},
    "SR": {"ManufacturerModelName": "RIS mô phỏng", "StationName": "RIS1", "DeviceSerialNumber": "4"},
}


def uid(case: Case, *parts: object) -> UID:
    """Derive a UID from the order's bytes, so that another day's order of the same number has another."""
    name = "/".join([sha256(case.order.raw).hexdigest(), *map(str, parts)])
    return UID(f"2.25.{uuid5(_NAMESPACE, name).int}")


def made_of(elements: Elements) -> Dataset:
    """Make a data set of keywords and values."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def coded(code: Coded) -> Dataset:
    """Make the item of a code sequence."""
    return made_of(
        {
            "CodeValue": code.value,
            "CodingSchemeDesignator": code.scheme,
            "CodeMeaning": short(code.meaning),
        }
    )


def person(who: Clinician) -> Dataset:
    """Make the item of an identification code sequence: the practice licence."""
    return coded(Coded(who.licence, "99CCHN", who.name.replace("^", " ")))


def short(text: str) -> str:
    """Cut at a word so that 64 bytes hold it: LO allows 64 characters, but many peers and `dciodvfy` count bytes."""
    while len(text.encode()) > _LONGEST:
        text = text.rpartition(" ")[0]
    return text


def moment(at: datetime) -> tuple[str, str]:
    """Give date and time as DA and TM write them."""
    return f"{at:%Y%m%d}", f"{at:%H%M%S}"


def instance(case: Case, sop_class: UID, modality: str, series: int, number: int, at: datetime) -> Dataset:
    """Begin an object: patient, study, series, equipment and SOP common, with the file meta that sending needs."""
    date, time = moment(at)
    study_date, study_time = moment(case.began_at)
    dataset = made_of(
        {
            "SpecificCharacterSet": "ISO_IR 192",
            "SOPClassUID": sop_class,
            "SOPInstanceUID": uid(case, series, number),
            "InstanceCreationDate": date,
            "InstanceCreationTime": time,
            "TimezoneOffsetFromUTC": f"{at:%z}",
            "PatientName": case.patient_name,
            "PatientID": case.patient,
            "IssuerOfPatientID": FACILITY,
            "PatientBirthDate": case.born,
            "PatientSex": case.sex,
            "StudyInstanceUID": uid(case),
            "StudyDate": study_date,
            "StudyTime": study_time,
            "StudyID": case.placer,
            "AccessionNumber": case.accession,
            "StudyDescription": short(case.procedure.meaning),
            "ProcedureCodeSequence": [coded(case.procedure)],
            "ReferringPhysicianName": case.requester.name,
            "AdmittingDiagnosesDescription": short(case.diagnosis.meaning),
            "AdmissionID": case.visit,
            "Modality": modality,
            "SeriesInstanceUID": uid(case, series),
            "SeriesNumber": series,
            "SeriesDate": date if series == SR_SERIES else moment(case.taken_at)[0],
            "SeriesTime": time if series == SR_SERIES else moment(case.taken_at)[1],
            "InstanceNumber": number,
            "ContentDate": date,
            "ContentTime": time,
            "Manufacturer": "Liên Thông",
            "InstitutionName": FACILITY_NAME,
            "SoftwareVersions": "1",
            **_EQUIPMENT[modality],
        }
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = _IMPLEMENTATION
    dataset.file_meta.ImplementationVersionName = "LIENTHONG_MADEUP"
    return dataset
