"""What nearly every message begins with: the person, the visit, and the texts about them.

Standard: HL7 v2.5.1 §3.3, §7.3.1
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import code_of, compact, joined, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.al1 import al1_to_allergy_intolerance
from mappings.hl7v2.segments.dg1 import dg1_to_condition
from mappings.hl7v2.segments.in1 import in1_to_coverage
from mappings.hl7v2.segments.nk1 import nk1_to_related_person
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.obx import (
    is_coded,
    is_document,
    is_paper_field,
    obx_to_attachment,
    obx_to_observation,
    paper_list,
)
from mappings.hl7v2.segments.pd1 import pd1_to_patient
from mappings.hl7v2.segments.pid import other_patient, pid_to_mother, pid_to_patient
from mappings.hl7v2.segments.pr1 import pr1_to_procedure
from mappings.hl7v2.segments.pv1 import pv1_to_encounter
from mappings.hl7v2.segments.pv2 import pv2_to_encounter
from mappings.ids import resource_id
from mappings.outcome import Resource

OCCUPATION_FIELDS = frozenset({"NGHE_NGHIEP", "MA_NGHE_NGHIEP"})


def open_message(draft: Draft) -> Segment:
    """Take the Patient; give PID.

    Raises `MissingSegment` without PID, `TwoPatients` when a second PID names somebody else.
    """
    people = draft.reader.all("PID")
    if not people:
        raise faults.MissingSegment("PID")
    pid = people[0]
    for other in people[1:]:
        if other_patient(pid, other):
            raise faults.TwoPatients(other.where(3))
    patient = pid_to_patient(pid, draft)
    pd1 = draft.reader.first("PD1")
    if pd1 is not None:
        pd1_to_patient(pd1, patient, draft)
    draft.patient = draft.add(patient, pid, *([pd1] if pd1 else []))
    for again in people[1:]:
        draft.add(pid_to_patient(again, draft), again)
    return pid


def open_visit(draft: Draft, pid: Segment) -> Resource | None:
    """Take PV1 and PV2 as the Encounter the message is about; later PV1 segments only add what the first lacks."""
    encounter: Resource | None = None
    for pv1 in draft.reader.all("PV1"):
        found = pv1_to_encounter(pv1, draft, pid)
        if found is None:
            continue
        target = draft.add(found)
        if encounter is None:
            encounter = draft.get(target)
            draft.encounter = target
    if encounter is None:
        return None
    for pv2 in draft.reader.all("PV2"):
        pv2_to_encounter(pv2, encounter, draft)
    return encounter


def relatives(draft: Draft) -> None:
    """Take every NK1 as a RelatedPerson, and the mother PID-21 names by number."""
    pid = draft.reader.first("PID")
    mother = pid_to_mother(pid, draft) if pid is not None and pid.peek(21) else None
    if mother:
        draft.add(mother)
    for nk1 in draft.reader.all("NK1"):
        person = nk1_to_related_person(nk1, draft)
        if person:
            draft.add(person)


def details(draft: Draft, encounter: Resource | None) -> None:
    """Take diagnoses, allergies, procedures and insurance."""
    for segment in draft.reader.segments:
        resource: Resource | None = None
        if segment.name == "DG1":
            _diagnosis(segment, draft, encounter)
        elif segment.name == "AL1":
            resource = al1_to_allergy_intolerance(segment, draft)
        elif segment.name == "PR1":
            resource = pr1_to_procedure(segment, draft)
        elif segment.name == "IN1":
            resource = in1_to_coverage(segment, draft)
        if resource:
            draft.add(resource)


def _diagnosis(dg1: Segment, draft: Draft, encounter: Resource | None) -> None:
    found = dg1_to_condition(dg1, draft)
    if found is None:
        return
    condition, entry = found
    draft.add(condition)
    if encounter is not None and condition["verificationStatus"]["coding"][0]["code"] != "entered-in-error":
        encounter.setdefault("diagnosis", []).append(entry)


class Texts:
    """Paper fields of the message: one Observation per field, however many OBX segments its lines come in."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._kept: dict[tuple[str, str, str], dict[str, Any]] = {}

    def take(self, obx: Segment, order: str = "") -> Resource | None:
        """Keep a paper field; further segments with the same field and sub-id are further lines of it.

        A field inside an order belongs to that report, any other to the visit.
        """
        key = (code_of(obx.peek(3).c(1)), words(obx.peek(4).text), order)
        present = self._kept.get(key)
        if present is not None and present.get("valueString") and not is_coded(obx):
            more = joined(obx[5].repetitions)
            for n in (2, 3, 4, 11, 14, 16):
                _ = obx[n]
            present["valueString"] = f"{present['valueString']}\n{more}" if more else present["valueString"]
            return None
        observation = obx_to_observation(obx, self._draft, order)
        if observation is None:
            return None
        if key[0] in OCCUPATION_FIELDS:
            _occupation(observation, key[0], self._draft)
        self._kept[key] = observation
        self._draft.add(observation)
        return observation


def _occupation(observation: Resource, field: str, draft: Draft) -> None:
    """Keep the occupation with the person too; of code and words told apart both."""
    said = observation.get("valueString", "")
    value = observation.get("valueCodeableConcept")
    if value is None and said:
        system = paper_list(field, draft.context)
        value = {"coding": [{"system": system, "code": said}]} if field.startswith("MA_") else {"text": said}
    if value is None:
        return
    url = f"{draft.context.systems.national}/StructureDefinition/vn-ext-occupation"
    extensions = draft.get(draft.patient).setdefault("extension", [])
    present = next((one for one in extensions if one["url"] == url), None)
    if present is None:
        extensions.append({"url": url, "valueCodeableConcept": dict(value)})
    else:
        present["valueCodeableConcept"] = value | present["valueCodeableConcept"]


def observations(draft: Draft) -> None:
    """Take OBX segments that stand outside any order, with the comments after them."""
    texts = Texts(draft)
    current: dict[str, Any] | None = None
    for segment in draft.reader.segments:
        if segment.name == "OBX":
            if is_paper_field(segment):
                current = texts.take(segment)
            elif is_document(segment):
                current = None
                document(draft, segment)
            else:
                current = obx_to_observation(segment, draft)
                if current:
                    draft.add(current)
        elif segment.name == "NTE" and current is not None:
            note(current, segment, draft)
        else:
            current = None


def note(resource: dict[str, Any], nte: Segment, draft: Draft) -> None:
    """Add a comment to a resource that has `note`."""
    annotation = nte_to_annotation(nte, draft)
    if annotation:
        resource.setdefault("note", []).append(annotation)


def document(draft: Draft, obx: Segment) -> None:
    """Take a document enclosed in a message without a report as a DocumentReference."""
    attachment = obx_to_attachment(obx, draft)
    if attachment is None:
        return
    context = draft.context
    key = f"{draft.encounter or draft.patient}|{words(obx[3].c(1))}|{words(obx[4].text)}|{draft.control_id}"
    code = words(obx[3].c(2)) or words(obx[3].c(1))
    draft.add(
        compact(
            {
                "resourceType": "DocumentReference",
                "id": resource_id("DocumentReference", context.systems.local(context.facility, "document"), key),
                "status": "current",
                "type": {"text": code} if code else {},
                "subject": reference(draft.patient),
                "date": _instant(draft, obx),
                "content": [{"attachment": attachment}],
                "context": {"encounter": [reference(draft.encounter)]} if draft.encounter else {},
            }
        )
    )


def _instant(draft: Draft, obx: Segment) -> str:
    moment = draft.moment(obx, 14)
    _ = obx[11]
    return moment if "T" in moment else ""
