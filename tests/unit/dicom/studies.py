"""The studies of the golden pairs."""

from __future__ import annotations

from collections.abc import Callable

from mappings.dicom.body import Entry
from tests.unit.dicom import samples
from tests.unit.dicom.samples import attributes, code


def _ct_with_order() -> list[Entry]:
    return [
        samples.picture(
            1,
            n,
            RequestAttributesSequence=[samples.order()],
            AdmissionID="VV26000456",
            InstitutionName="Bệnh viện Sông Hồng",
            ProcedureCodeSequence=[code("24627-2", "LN", "CT Chest")],
        )
        for n in (1, 2, 3)
    ]


def _two_series() -> list[Entry]:
    region = [code("T-D3000", "SRT", "Chest")]
    return [
        samples.picture(2, 1, AnatomicRegionSequence=region, Laterality="R", BodyPartExamined=None),
        samples.picture(1, 2),
        samples.picture(1, 1, OtherPatientIDsSequence=[attributes(PatientID="001185000123", IssuerOfPatientID="CCCD")]),
    ]


def _unaccented() -> list[Entry]:
    return [
        samples.picture(
            1,
            1,
            PatientName={"Alphabetic": "NGUYEN THI HOA^^^^", "Ideographic": "Nguyễn Thị Hoà"},
            PatientBirthDate="1985",
            PatientSex="X",
            AccessionNumber=None,
            DeviceSerialNumber=None,
            StationName=None,
        )
    ]


def _without_number() -> list[Entry]:
    return [samples.picture(1, 1, PatientID=None, StudyDate="20269999")]


STUDIES: dict[str, Callable[[], list[Entry]]] = {
    "ct_with_order": _ct_with_order,
    "two_series": _two_series,
    "unaccented_name": _unaccented,
    "without_patient_number": _without_number,
    "text_report": lambda: [samples.picture(1, 1), samples.text_report()],
    "amended_report": lambda: [
        samples.text_report(),
        samples.text_report(
            SOPInstanceUID=f"{samples.STUDY}.90.5",
            PredecessorDocumentsSequence=[samples.predecessor(f"{samples.STUDY}.90.1")],
        ),
    ],
    "measurements": lambda: [samples.measured_report()],
    "dose_report": lambda: [samples.dose_report()],
    "key_objects": lambda: [*(samples.picture(1, n) for n in (1, 2, 3)), samples.key_objects()],
    "enclosed_pdf": lambda: [samples.pdf()],
}
