"""Orders and their results, as result and referral messages carry them.

An order is ORC, OBR, its results and its specimens; comments belong to what stands before them.

Standard: HL7 v2.5.1 §7.3.1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.obr import (
    obr_completes_specimen,
    obr_to_diagnostic_report,
    obr_to_service_request,
    obr_to_specimen,
    observation_category,
    order_numbers,
)
from mappings.hl7v2.segments.obx import is_document, is_paper_field, obx_to_attachment, obx_to_observation
from mappings.hl7v2.segments.orc import orc_to_service_request
from mappings.hl7v2.segments.spm import spm_to_specimen
from mappings.hl7v2.segments.tq1 import tq1_to_timing
from mappings.hl7v2.visit import Texts, document, note

_NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
_ELSEWHERE = frozenset({"PID", "PD1", "PV1", "PV2", "NK1", "RF1", "PRD", "DG1", "AL1", "IN1", "FT1"})
"""Segments after which a comment is no longer about an order."""


@dataclass
class Order:
    """One order on its way through the message."""

    obr: Segment
    orc: Segment | None
    key: str
    numbers: tuple[Element | None, Element | None]
    report: dict[str, Any]
    category: list[Element]
    effective: str
    timing: Element = field(default_factory=dict)
    results: list[Element] = field(default_factory=list)
    specimens: list[Element] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


class Results:
    """Walk the segments once, in order."""

    def __init__(self, draft: Draft, comment: Callable[[Segment], None] | None = None) -> None:
        """`comment` takes the comments that belong to no order."""
        self._draft = draft
        self._comment = comment
        self._elsewhere = True
        self._texts = Texts(draft)
        self._order: Order | None = None
        self._orc: Segment | None = None
        self._commented: dict[str, Any] | None = None
        self._early: list[Segment] = []
        """Comments between ORC and OBR: they are about the order that opens."""

    def take(self) -> None:
        for segment in self._draft.reader.segments:
            self._elsewhere = segment.name in _ELSEWHERE or (self._elsewhere and segment.name == "NTE")
            if segment.name == "OBX":
                self._obx(segment)
            elif segment.name == "NTE":
                self._nte(segment)
            elif segment.name == "OBR":
                self._close()
                self._open(segment)
            elif segment.name == "ORC":
                self._close()
                self._orc = segment
            elif segment.name == "SPM" and self._order:
                self._spm(segment, self._order)
            elif segment.name == "TQ1" and self._order:
                self._order.timing = tq1_to_timing(segment, self._draft)
        self._close()

    def _open(self, obr: Segment) -> None:
        numbers = order_numbers(obr, self._orc, self._draft)
        report = obr_to_diagnostic_report(obr, self._draft, numbers)
        placer, filler = numbers
        number = filler or placer
        effective = report.get("effectiveDateTime") or report.get("effectivePeriod", {}).get("start", "")
        self._order = Order(
            obr=obr,
            orc=self._orc,
            key=f"{number['system']}|{number['value']}" if number else report["id"],
            numbers=numbers,
            report=report,
            category=observation_category(obr, self._draft),
            effective=effective,
        )
        self._orc = None
        self._commented = None
        for nte in self._early:
            self._remark(nte, self._order)
        self._early = []

    def _obx(self, obx: Segment) -> None:
        order = self._order
        if is_document(obx):
            self._commented = None
            self._document(obx, order)
            return
        if is_paper_field(obx):
            observation = self._texts.take(obx, order.key if order else "")
            if observation and order and words(obx.peek(3).c(1)) == "KET_LUAN":
                coded = observation.get("valueCodeableConcept", {})
                said = observation.get("valueString") or coded.get("text", "")
                order.report |= {"conclusion": said} if said else {}
        else:
            key, effective = (order.key, order.effective) if order else ("", "")
            observation = obx_to_observation(obx, self._draft, key, effective)
            if observation:
                self._draft.add(observation)
        if observation is None:
            self._commented = None
            return
        if order:
            if order.category and "category" not in observation:
                observation["category"] = order.category
            order.results.append(reference(f"Observation/{observation['id']}"))
            order.statuses.append(observation["status"])
        self._commented = observation

    def _document(self, obx: Segment, order: Order | None) -> None:
        if order is None:
            document(self._draft, obx)
            return
        attachment = obx_to_attachment(obx, self._draft)
        for n in (4, 11):
            _ = obx[n]
        if attachment:
            order.report.setdefault("presentedForm", []).append(attachment)

    def _nte(self, nte: Segment) -> None:
        if self._elsewhere:
            if self._comment:
                self._comment(nte)
        elif self._commented is not None:
            note(self._commented, nte, self._draft)
        elif self._order:
            self._remark(nte, self._order)
        elif self._orc:
            self._early.append(nte)

    def _remark(self, nte: Segment, order: Order) -> None:
        annotation = nte_to_annotation(nte, self._draft)
        if annotation:
            order.report.setdefault("extension", []).append({"url": _NOTE, "valueAnnotation": annotation})

    def _spm(self, spm: Segment, order: Order) -> None:
        specimen = spm_to_specimen(spm, self._draft, order.key, len(order.specimens) + 1)
        order.specimens.append(reference(self._draft.add(specimen)))
        self._commented = specimen

    def _close(self) -> None:
        """Finish the order: request, specimen, status."""
        order = self._order
        self._order = None
        self._commented = None
        if order is None:
            return
        draft = self._draft
        ordered = orc_to_service_request(order.orc, draft) if order.orc else {}
        request = obr_to_service_request(order.obr, draft, order.numbers, ordered, order.timing)
        if request:
            order.report["basedOn"] = [reference(draft.add(request))]
        for known in order.specimens:
            obr_completes_specimen(order.obr, draft, draft.get(known["reference"]))
        if not order.specimens:
            specimen = obr_to_specimen(order.obr, draft, order.key)
            if specimen:
                order.specimens.append(reference(draft.add(specimen)))
        if order.specimens:
            order.report["specimen"] = order.specimens
            for result in order.results if len(order.specimens) == 1 else ():
                draft.get(result["reference"]).setdefault("specimen", order.specimens[0])
        if order.results:
            order.report["result"] = order.results
        if "status" not in order.report:
            order.report["status"] = _status(order.statuses)
        draft.add(order.report)


def _status(statuses: list[str]) -> str:
    """Tell the status of a report without OBR-25 from its results."""
    if statuses and all(status in ("final", "corrected", "amended") for status in statuses):
        return "final"
    if any(status in ("final", "corrected", "amended") for status in statuses):
        return "partial"
    return "preliminary" if "preliminary" in statuses else "unknown"
