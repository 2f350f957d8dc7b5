"""Make the pictures of a day: for its imaging orders, DICOM studies with images and a structured report.

Deterministic: the same day gives the same bytes, another day other UIDs. Nobody on them exists.

Limits: CT, X-ray and ultrasound; uncompressed; an order of the day that was never reported has no study.
Standard: DICOM PS3.3. Requirement: S1.4, S3.2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import UID

from conformance.scenarios.event import Day, Event
from conformance.scenarios.imaging_case import Case, cases
from conformance.scenarios.picture_images import images
from conformance.scenarios.picture_objects import uid
from conformance.scenarios.picture_report import report

_WANTED_FIRST = ("CT", "DX", "US")


@dataclass(frozen=True)
class Study:
    """What a PACS sends of one order."""

    order: Event
    """The OMG^O19."""
    patient: str
    """The hospital number, as PID-3 of the order and PatientID have it."""
    instances: tuple[Dataset, ...]
    """Images first, the structured report last; each with the file meta that sending needs."""
    late: Dataset
    """One more image of the study, which the report does not know: of a CT the next slice."""
    study_uid: UID
    accession: str
    modality: str
    """CT, DX or US."""
    ready_at: datetime
    """When the report was verified: the HL7 report leaves at this moment too."""


def pictures(day: Day, most: int = 3) -> tuple[Study, ...]:
    """Make at most so many studies, in the order of the clock: one of each modality, CT first, before a second of any."""
    seen: Counter[str] = Counter()
    ranked = []
    for case in cases(day):
        modality = case.kind["modality"]
        ranked.append((seen[modality], _WANTED_FIRST.index(modality), case))
        seen[modality] += 1
    chosen = [case for _, _, case in sorted(ranked, key=lambda row: row[:2])[:most]]
    return tuple(_study(case) for case in sorted(chosen, key=lambda case: case.order.at))


def _study(case: Case) -> Study:
    first, late = images(case)
    return Study(
        order=case.order,
        patient=case.patient,
        instances=(*first, report(case, first)),
        late=late,
        study_uid=uid(case),
        accession=case.accession,
        modality=case.kind["modality"],
        ready_at=case.reported_at,
    )
