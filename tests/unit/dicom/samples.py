"""Made-up studies, written as the DICOM JSON Model, and as Part 10 files."""

from __future__ import annotations

import io
import warnings
from base64 import b64decode, b64encode
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from mappings.dicom.body import Entry
from mappings.dicom.context import Context

CONTEXT = Context(facility="01032")
ROOT = "1.2.826.0.1.3680043.10.1999"
STUDY = f"{ROOT}.1"
CT, SR_TEXT, SR_WHOLE, SR_DOSE, KEYS, PDF = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.67",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.104.1",
)

Attributes = dict[str, Any]


def attributes(**said: Any) -> Attributes:
    """Write attributes by keyword; a list is several values, of dicts it is a sequence of attributes."""
    found: Attributes = {}
    for keyword, value in said.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        vr = dictionary_VR(tag)
        values = value if isinstance(value, list) else [value]
        if vr == "PN":
            values = [one if isinstance(one, dict) else {"Alphabetic": one} for one in values]
        found[f"{tag:08X}"] = (
            {"vr": vr, "InlineBinary": b64encode(value).decode()} if vr == "OB" else {"vr": vr, "Value": values}
        )
    return dict(sorted(found.items()))


def code(value: str, scheme: str, meaning: str) -> Attributes:
    return attributes(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def person() -> dict[str, Any]:
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Nguyễn^Hoa^Thị",
        "PatientID": "BN000123",
        "PatientBirthDate": "19850214",
        "PatientSex": "F",
        "StudyInstanceUID": STUDY,
        "StudyDate": "20261103",
        "StudyTime": "140000",
        "AccessionNumber": "CT002",
        "StudyDescription": "CT ngực",
    }


def picture(series: int, number: int, **more: Any) -> Entry:
    """Give one slice of a CT."""
    said = {
        **person(),
        "SOPClassUID": CT,
        "SOPInstanceUID": f"{STUDY}.{series}.{number}",
        "SeriesInstanceUID": f"{STUDY}.{series}",
        "Modality": "CT",
        "SeriesNumber": str(series),
        "InstanceNumber": str(number),
        "SeriesDescription": "Ngực 1 mm",
        "BodyPartExamined": "CHEST",
        "SeriesDate": "20261103",
        "SeriesTime": "140230.250",
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "go.Top",
        "DeviceSerialNumber": "12345",
        "StationName": "CT1",
        "OperatorsName": "Lê^Minh",
        "ReferringPhysicianName": "Phạm^Lan^Thu",
        "SliceThickness": "1.00",
        "ImagePositionPatient": ["-158.135803", "-179.035797", f"{number}.500"],
        "Rows": 512,
        "Columns": 512,
        **more,
    }
    return entry(attributes(**{name: value for name, value in said.items() if value is not None}))


def entry(found: Attributes, **facts: Any) -> Entry:
    uid = found["00080018"]["Value"][0]
    return Entry(found, {"object": f"object-{uid.rpartition('.')[2]}", "size": 525312, "calling": "CT1", **facts})


def content(kind: str, name: Attributes | None, relation: str = "CONTAINS", /, **said: Any) -> Attributes:
    """Give a content item."""
    named = {"ConceptNameCodeSequence": [name]} if name else {}
    return attributes(ValueType=kind, RelationshipType=relation, **named, **said)


def line(name: Attributes, said: str) -> Attributes:
    return content("TEXT", name, TextValue=said)


def number(name: Attributes, value: str, unit: str, *below: Attributes, meaning: str = "") -> Attributes:
    measured = attributes(NumericValue=value, MeasurementUnitsCodeSequence=[code(unit, "UCUM", meaning or unit)])
    more = {"ContentSequence": list(below)} if below else {}
    return content("NUM", name, MeasuredValueSequence=[measured], **more)


def document(sop_class: str, n: int, title: Attributes, *items: Attributes, **more: Any) -> Entry:
    """Give a structured document."""
    said = {
        **person(),
        "SOPClassUID": sop_class,
        "SOPInstanceUID": f"{STUDY}.90.{n}",
        "SeriesInstanceUID": f"{STUDY}.90",
        "Modality": "KO" if sop_class == KEYS else "SR",
        "SeriesNumber": "90",
        "InstanceNumber": str(n),
        "ContentDate": "20261103",
        "ContentTime": "150000",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [title],
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "VERIFIED",
        "VerifyingObserverSequence": [verifier()],
        "ContentSequence": list(items),
        **more,
    }
    return entry(attributes(**{name: value for name, value in said.items() if value is not None}))


def verifier() -> Attributes:
    return attributes(
        VerifyingObserverName="Trần^Bình",
        VerifyingOrganization="BV Sông Hồng",
        VerificationDateTime="20261103151500",
        VerifyingObserverIdentificationCodeSequence=[code("000123/HNO-CCHN", "99BV", "Trần Bình")],
    )


REPORT = code("18748-4", "LN", "Diagnostic imaging study")
FINDINGS, FINDING = code("121070", "DCM", "Findings"), code("121071", "DCM", "Finding")
IMPRESSIONS, IMPRESSION = code("121072", "DCM", "Impressions"), code("121073", "DCM", "Impression")
LONG_AXIS = code("103339001", "SCT", "Long Axis")


def text_report(**more: Any) -> Entry:
    """Give a report as a radiologist dictates it."""
    return document(
        SR_TEXT,
        1,
        REPORT,
        content(
            "CODE",
            code("121049", "DCM", "Language"),
            "HAS CONCEPT MOD",
            ConceptCodeSequence=[code("vi", "RFC5646", "Tiếng Việt")],
        ),
        content(
            "CONTAINER",
            code("121064", "DCM", "Current Procedure Descriptions"),
            ContentSequence=[line(code("121065", "DCM", "Procedure Description"), "CLVT 64 dãy, tiêm cản quang")],
        ),
        content(
            "CONTAINER",
            FINDINGS,
            ContentSequence=[
                line(FINDING, "Đông đặc thùy dưới phải.\r\nKhông tràn dịch."),
                number(LONG_AXIS, "4.50", "cm"),
            ],
        ),
        content("CONTAINER", IMPRESSIONS, ContentSequence=[line(IMPRESSION, "Viêm phổi thùy dưới phải")]),
        content(
            "CONTAINER",
            code("121074", "DCM", "Recommendations"),
            ContentSequence=[line(code("121075", "DCM", "Recommendation"), "Chụp lại sau 7 ngày")],
        ),
        **more,
    )


def predecessor(uid: str) -> Attributes:
    """Give the item of a PredecessorDocumentsSequence."""
    one = attributes(ReferencedSOPClassUID=SR_TEXT, ReferencedSOPInstanceUID=uid)
    series = attributes(SeriesInstanceUID=f"{STUDY}.90", ReferencedSOPSequence=[one])
    return attributes(StudyInstanceUID=STUDY, ReferencedSeriesSequence=[series])


def measured_report(**more: Any) -> Entry:
    """Give the measurements of TID 1500."""
    group = content(
        "CONTAINER",
        code("125007", "DCM", "Measurement Group"),
        ContentSequence=[
            content("TEXT", code("112039", "DCM", "Tracking Identifier"), "HAS OBS CONTEXT", TextValue="Nốt 1"),
            content("UIDREF", code("112040", "DCM", "Tracking Unique Identifier"), "HAS OBS CONTEXT", UID=f"{ROOT}.77"),
            content("CODE", FINDING, ConceptCodeSequence=[code("27925004", "SCT", "Nodule")]),
            content(
                "CODE",
                code("G-C0E3", "SRT", "Finding Site"),
                "HAS CONCEPT MOD",
                ConceptCodeSequence=[code("T-28000", "SRT", "Lung")],
            ),
            number(
                LONG_AXIS,
                "8.50",
                "mm",
                content(
                    "CODE",
                    code("370129005", "SCT", "Measurement Method"),
                    "HAS CONCEPT MOD",
                    ConceptCodeSequence=[code("126080", "DCM", "RECIST 1.1")],
                ),
            ),
            number(code("103340004", "SCT", "Short Axis"), "6.0", "mm"),
            content(
                "NUM",
                code("118565006", "SCT", "Volume"),
                NumericValueQualifierCodeSequence=[code("114007", "DCM", "Measurement not attempted")],
            ),
            content("CODE", code("111000", "99BV", "Bờ"), ConceptCodeSequence=[code("B1", "99BV", "Tua gai")]),
        ],
    )
    measurements = content("CONTAINER", code("126010", "DCM", "Imaging Measurements"), ContentSequence=[group])
    return document(SR_WHOLE, 2, code("126000", "DCM", "Imaging Measurement Report"), measurements, **more)


def dose_report(**more: Any) -> Entry:
    """Give the dose report of a CT (TID 10011)."""
    total = content(
        "CONTAINER",
        code("113811", "DCM", "CT Accumulated Dose Data"),
        ContentSequence=[
            number(code("113812", "DCM", "Total Number of Irradiation Events"), "2", "{events}", meaning="events"),
            number(code("113813", "DCM", "CT Dose Length Product Total"), "412.70", "mGy.cm"),
        ],
    )
    event = content(
        "CONTAINER",
        code("113819", "DCM", "CT Acquisition"),
        ContentSequence=[
            number(code("113830", "DCM", "Mean CTDIvol"), "8.20", "mGy"),
            number(code("113838", "DCM", "DLP"), "401.50", "mGy.cm"),
            number(code("113733", "DCM", "KVP"), "120", "kV"),
        ],
    )
    return document(
        SR_DOSE,
        3,
        code("113701", "DCM", "X-Ray Radiation Dose Report"),
        total,
        event,
        VerificationFlag="UNVERIFIED",
        VerifyingObserverSequence=None,
        **more,
    )


def key_objects(**more: Any) -> Entry:
    """Give a selection of one picture."""
    chosen = attributes(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=f"{STUDY}.1.2")
    return document(
        KEYS,
        4,
        code("113000", "DCM", "Of Interest"),
        content("IMAGE", None, ReferencedSOPSequence=[chosen]),
        content("TEXT", code("113012", "DCM", "Key Object Description"), TextValue="Tổn thương rõ nhất"),
        CompletionFlag=None,
        VerificationFlag=None,
        VerifyingObserverSequence=None,
        **more,
    )


FILE = b"%PDF-1.4\n%made up\n%%EOF\n"


def pdf(**more: Any) -> Entry:
    """Give an enclosed PDF of an odd length."""
    data = FILE + b"x"
    said = {
        **person(),
        "SOPClassUID": PDF,
        "SOPInstanceUID": f"{STUDY}.91.1",
        "SeriesInstanceUID": f"{STUDY}.91",
        "Modality": "DOC",
        "SeriesNumber": "91",
        "InstanceNumber": "1",
        "ContentDate": "20261103",
        "ContentTime": "160000",
        "DocumentTitle": "Phiếu điện tim",
        "MIMETypeOfEncapsulatedDocument": "application/pdf",
        "EncapsulatedDocument": data + b"\0" * (len(data) % 2),
        "EncapsulatedDocumentLength": len(data),
        **more,
    }
    return entry(attributes(**said))


def order(**more: Any) -> Attributes:
    """Give the item of a RequestAttributesSequence."""
    said = {
        "AccessionNumber": "CT002",
        "PlacerOrderNumberImagingServiceRequest": "CD002",
        "FillerOrderNumberImagingServiceRequest": "FL002",
        "RequestedProcedureID": "RP2",
        "ScheduledProcedureStepID": "SPS2",
        "RequestedProcedureDescription": "Chụp CLVT ngực",
        "RequestedProcedureCodeSequence": [code("CT01", "99BV", "Chụp cắt lớp vi tính ngực")],
        "ReasonForTheRequestedProcedure": "Ho ra máu",
        **more,
    }
    return attributes(**said)


def file_of(found: Attributes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write attributes as a Part 10 file, with pydicom; digits as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = _dataset(found)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = found["00080016"]["Value"][0]
    data.file_meta.MediaStorageSOPInstanceUID = found["00080018"]["Value"][0]
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(target, data, enforce_file_format=True)
    return target.getvalue()


def _dataset(found: Attributes) -> Dataset:
    data = Dataset()
    for tag, element in found.items():
        data.add_new(int(tag, 16), element["vr"], _value(element))
    return data


def _value(element: Attributes) -> Any:
    values = element.get("Value", [])
    if "InlineBinary" in element:
        return b64decode(element["InlineBinary"])
    if element["vr"] == "SQ":
        return Sequence([_dataset(one) for one in values])
    if element["vr"] == "PN":
        return ["=".join(one.values()) for one in values]
    return [float(one) if element["vr"] in ("FL", "FD") else one for one in values]
