"""What nearly every message begins with: the person, the visit, and the texts about them.

Standard: HL7 v2.5.1 §3.3, §7.3.1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.accounts import keep_account, pid_to_account
from mappings.hl7v2.datatypes import code_of, joined, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.enclosed import obx_to_document_reference
from mappings.hl7v2.events import effect_of
from mappings.hl7v2.occupations import OCCUPATIONS, occupation, occupation_to_observation
from mappings.hl7v2.participation import Participation, followers, to_encounter, to_patient
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.arv import arv_to_security
from mappings.hl7v2.segments.nk1 import is_contact, nk1_to_contact, nk1_to_related_person
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.hl7v2.segments.obx import is_coded, is_document, obx_to_observation
from mappings.hl7v2.segments.pd1 import pd1_to_living_will, pd1_to_patient
from mappings.hl7v2.segments.pid import other_patient, pid_to_mother, pid_to_patient, pid_to_provenance
from mappings.hl7v2.segments.prt import prt_to_participation
from mappings.hl7v2.segments.pv1 import pv1_to_coverage, pv1_to_encounter
from mappings.hl7v2.segments.pv2 import pv2_to_encounter
from mappings.hl7v2.segments.rol import rol_to_participation
from mappings.hl7v2.values import is_paper_field, paper_list
from mappings.outcome import Resource

OCCUPATION_FIELDS = frozenset({"NGHE_NGHIEP", "MA_NGHE_NGHIEP"})
_PERSON = frozenset({"PID", "PD1"})
_VISIT = frozenset({"PV1", "PV2"})
_BESIDE = frozenset({"ROL", "PRT", "ARV"})


def by_person(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Cut before every PID after the first, whomever it names; nothing without PID."""
    starts = [n for n, segment in enumerate(segments) if segment.name == "PID"]
    return [list(segments[start:end]) for start, end in pairwise([0, *starts[1:], len(segments)])] if starts else []


def open_message(draft: Draft) -> Segment:
    """Take the Patient, and what follows PID about the person; give PID.

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
    active = effect_of(draft.trigger).active
    if active is not None:
        patient["active"] = active
    pd1 = draft.reader.first("PD1")
    if pd1 is not None:
        pd1_to_patient(pd1, patient, draft)
    draft.patient = draft.add(patient, pid, *([pd1] if pd1 else []))
    for again in people[1:]:
        draft.add({**pid_to_patient(again, draft), "id": patient["id"]}, again)
    for one in people:
        if one.peek(18):
            account = keep_account(pid_to_account(one, draft), draft, one)
            draft.account = draft.account or account
        if one.peek(33) or one.peek(34):
            provenance = pid_to_provenance(one, draft.patient, draft)
            if provenance:
                draft.tell(provenance)
    _about_person(draft, pd1, draft.get(draft.patient))
    return pid


def _about_person(draft: Draft, pd1: Segment | None, patient: Resource) -> None:
    """Take what is seldom told of a person: living will, roles, access restrictions, work."""
    if pd1 is not None and pd1.peek(7):
        will = pd1_to_living_will(pd1, draft)
        if will:
            draft.add(will, pd1)
    _take_beside(draft, _PERSON, patient, to_patient)
    for _, segment in followers(draft.reader.segments, _PERSON, OCCUPATIONS):
        observation = occupation_to_observation(segment, draft)
        if observation:
            draft.add(observation, segment)
            occupation(segment, patient, draft)


def _take_beside(
    draft: Draft, leaders: frozenset[str], resource: Resource, add: Callable[[Participation, Resource, Draft], None]
) -> None:
    """Take who took part and who may see, from the segments after the person or the visit."""
    for _, segment in followers(draft.reader.segments, leaders, _BESIDE):
        if segment.name == "ARV":
            arv_to_security(segment, resource)
        elif segment.name == "ROL":
            add(rol_to_participation(segment, draft), resource, draft)
        else:
            add(prt_to_participation(segment, draft), resource, draft)


def open_visit(draft: Draft, pid: Segment) -> Resource | None:
    """Take PV1 and PV2 as the Encounter the message is about; later PV1 segments only add what the first lacks."""
    encounter: Resource | None = None
    for pv1 in draft.reader.all("PV1"):
        found = pv1_to_encounter(pv1, draft, pid)
        if pv1.peek(20):
            _financial_class(pv1, draft)
        if found is None:
            continue
        target = draft.add(found, pv1)
        if encounter is None:
            encounter = draft.get(target)
            draft.encounter = target
            draft.clear(target, *effect_of(draft.trigger).clears)
    if encounter is None:
        return None
    for pv2 in draft.reader.all("PV2"):
        pv2_to_encounter(pv2, encounter, draft)
        draft.add(encounter, pv2)
    _take_beside(draft, _VISIT, encounter, to_encounter)
    return encounter


def _financial_class(pv1: Segment, draft: Draft) -> None:
    """Keep the financial class as a Coverage of its own, unless insurance is told: then IN1 looks at it."""
    in1 = draft.reader.first("IN1")
    if in1 is None:
        coverage = pv1_to_coverage(pv1, draft)
        if coverage:
            draft.add(coverage, pv1)
    elif in1.peek(15):
        pv1.ignore(20, "financial class; IN1-15 names the type of plan")


def relatives(draft: Draft) -> None:
    """Take every NK1 as a RelatedPerson or a contact of the Patient, and the mother PID-21 names by number."""
    for pid in draft.reader.all("PID"):
        mother = pid_to_mother(pid, draft) if pid.peek(21) else None
        if mother:
            draft.add(mother, pid)
    for nk1 in draft.reader.all("NK1"):
        if is_contact(nk1):
            contact = nk1_to_contact(nk1, draft)
            if contact:
                draft.get(draft.patient).setdefault("contact", []).append(contact)
                draft.add(draft.get(draft.patient), nk1)
        else:
            person = nk1_to_related_person(nk1, draft)
            if person:
                draft.add(person, nk1)
    if draft.reader.first("OH2") or draft.reader.first("OH3"):
        _relatives_at_work(draft)


def _relatives_at_work(draft: Draft) -> None:
    for _, segment in followers(draft.reader.segments, frozenset({"NK1"}), OCCUPATIONS):
        for n in segment.fields:
            segment.ignore(n, "work of a relative; the record is the patient's")


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
            for n in (3, 11, 14, 16):
                _ = obx[n]
            obx.ignore(4, "tells the lines of one field")
            present["valueString"] = f"{present['valueString']}\n{more}" if more else present["valueString"]
            return None
        observation = obx_to_observation(obx, self._draft, order)
        if observation is None:
            return None
        if key[0] in OCCUPATION_FIELDS:
            _occupation(observation, key[0], self._draft)
        self._kept[key] = observation
        self._draft.add(observation, obx)
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
                    draft.add(current, segment)
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
    obx_to_document_reference(obx, draft)
