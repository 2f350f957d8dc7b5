"""Make the structured report of a case: what the reader saw, measured and concluded, in Vietnamese, verified by name.

Standard: DICOM PS3.3 §A.35.3 (Comprehensive SR), §C.17; PS3.16 TID 2000 (basic diagnostic imaging report), TID 1204 (language).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from conformance.scenarios.imaging_case import Case, Coded
from conformance.scenarios.people import FACILITY_NAME
from conformance.scenarios.picture_objects import SR_SERIES, coded, instance, made_of, person, short, uid
from conformance.scenarios.tables import table

_TITLE: Final = Coded("18748-4", "LN", "Diagnostic Imaging Report")
_SECTIONS: Final = (
    (
        Coded("121064", "DCM", "Current Procedure Descriptions"),
        Coded("121065", "DCM", "Procedure Description"),
        "KY_THUAT",
    ),
    (Coded("121070", "DCM", "Findings"), Coded("121071", "DCM", "Finding"), "MO_TA"),
    (Coded("121072", "DCM", "Impressions"), Coded("121073", "DCM", "Impression"), "KET_LUAN"),
    (Coded("121074", "DCM", "Recommendations"), Coded("121075", "DCM", "Recommendation"), "DE_NGHI"),
)
"""Heading, what stands under it, and the field of the HL7 report that says it."""
_MEASURED_UNDER: Final = "MO_TA"


def report(case: Case, images: Sequence[Dataset]) -> Dataset:
    """Write the report of a case on the images that were there when it was read."""
    at = case.reported_at
    dataset = instance(case, ComprehensiveSRStorage, "SR", SR_SERIES, 1, at - timedelta(minutes=1))
    read = made_of(
        {
            "SeriesDescription": "Kết quả chẩn đoán hình ảnh",
            "ReferencedPerformedProcedureStepSequence": [],
            "CompletionFlag": "COMPLETE",
            "VerificationFlag": "VERIFIED",
            "VerifyingObserverSequence": [
                made_of(
                    {
                        "VerifyingOrganization": FACILITY_NAME,
                        "VerificationDateTime": f"{at:%Y%m%d%H%M%S}",
                        "VerifyingObserverName": case.reader.name,
                        "VerifyingObserverIdentificationCodeSequence": [person(case.reader)],
                    }
                )
            ],
            "ReferencedRequestSequence": [_request(case)],
            "PerformedProcedureCodeSequence": [coded(case.procedure)],
            "CurrentRequestedProcedureEvidenceSequence": [_evidence(case, images)],
            "ContentTemplateSequence": [made_of({"MappingResource": "DCMR", "TemplateIdentifier": "2000"})],
        }
    )
    dataset.update(read)
    dataset.update(_container(_TITLE, [*_context(case), *_sections(case, images[-1])]))
    return dataset


def _request(case: Case) -> Dataset:
    return made_of(
        {
            "StudyInstanceUID": uid(case),
            "ReferencedStudySequence": [],
            "AccessionNumber": case.accession,
            "PlacerOrderNumberImagingServiceRequest": case.placer,
            "OrderPlacerIdentifierSequence": [made_of({"LocalNamespaceEntityID": case.placer_system})],
            "FillerOrderNumberImagingServiceRequest": "",
            "RequestedProcedureID": case.placer,
            "RequestedProcedureDescription": short(case.procedure.meaning),
            "RequestedProcedureCodeSequence": [coded(case.procedure)],
            "ReasonForTheRequestedProcedure": short(case.complaint),
        }
    )


def _evidence(case: Case, images: Sequence[Dataset]) -> Dataset:
    series = dict.fromkeys(image.SeriesInstanceUID for image in images)
    return made_of(
        {
            "StudyInstanceUID": uid(case),
            "ReferencedSeriesSequence": [
                made_of(
                    {
                        "SeriesInstanceUID": one,
                        "ReferencedSOPSequence": [_reference(i) for i in images if i.SeriesInstanceUID == one],
                    }
                )
                for one in series
            ],
        }
    )


def _reference(image: Dataset) -> Dataset:
    return made_of({"ReferencedSOPClassUID": image.SOPClassUID, "ReferencedSOPInstanceUID": image.SOPInstanceUID})


# content -----------------------------------------------------------------------------------------------------------------


def _context(case: Case) -> list[Dataset]:
    country = _item("CODE", Coded("121046", "DCM", "Country of Language"), "HAS CONCEPT MOD")
    country.ConceptCodeSequence = [coded(Coded("VN", "ISO3166_1", "Viet Nam"))]
    language = _item("CODE", Coded("121049", "DCM", "Language of Content Item and Descendants"), "HAS CONCEPT MOD")
    language.ConceptCodeSequence = [coded(Coded("vi", "RFC5646", "Vietnamese"))]
    language.ContentSequence = [country]
    kind = _item("CODE", Coded("121005", "DCM", "Observer Type"), "HAS OBS CONTEXT")
    kind.ConceptCodeSequence = [coded(Coded("121006", "DCM", "Person"))]
    name = _item("PNAME", Coded("121008", "DCM", "Person Observer Name"), "HAS OBS CONTEXT")
    name.PersonName = case.reader.name
    procedure = _item("CODE", Coded("121058", "DCM", "Procedure reported"), "HAS CONCEPT MOD")
    procedure.ConceptCodeSequence = [coded(case.procedure)]
    return [language, kind, name, procedure]


def _sections(case: Case, image: Dataset) -> list[Dataset]:
    made = []
    for heading, concept, field in _SECTIONS:
        said = case.told.get(field, "")
        if not said:
            continue
        text = _item("TEXT", concept)
        text.TextValue = said.replace("\n", "\r\n")
        measured = _measured(case, image) if field == _MEASURED_UNDER else []
        made.append(_container(heading, [text, *measured]))
        made[-1].RelationshipType = "CONTAINS"
    return made


def _measured(case: Case, image: Dataset) -> list[Dataset]:
    """Give what the disease lets be measured, inferred from an image; its digits are written as they were read."""
    row = next(row for row in table("measurements") if case.diagnosis.value.startswith(row["icd"]))
    seen = _item("IMAGE", None, "INFERRED FROM")
    seen.ReferencedSOPSequence = [_reference(image)]
    number = _item("NUM", Coded(row["code"], row["scheme"], row["meaning"]))
    number.MeasuredValueSequence = [
        made_of(
            {
                "NumericValue": row["value"],
                "MeasurementUnitsCodeSequence": [coded(Coded(row["unit"], "UCUM", row["unit_meaning"]))],
            }
        )
    ]
    number.ContentSequence = [seen]
    return [number]


def _container(heading: Coded, content: list[Dataset]) -> Dataset:
    item = _item("CONTAINER", heading, "")
    item.ContinuityOfContent = "SEPARATE"
    item.ContentSequence = content
    return item


def _item(kind: str, concept: Coded | None, relation: str = "CONTAINS") -> Dataset:
    item = made_of({"ValueType": kind})
    if relation:
        item.RelationshipType = relation
    if concept is not None:
        item.ConceptNameCodeSequence = [coded(concept)]
    return item
