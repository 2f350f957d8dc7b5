"""ADT about two persons or two records: swapped beds, links, merges, moves, changed numbers.

A merge or a change of number says that the record of MRG goes on as that of PID or PV1; a move, that a number, an account or a
visit belongs to another person from now on. One message may hold several pairs.

Standard: HL7 v2.5.1 §3.3.17, §3.3.24, §3.3.37, §3.6.2
Requirement: S2.8
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from mappings.hl7v2 import faults
from mappings.hl7v2.accounts import keep_account, mrg_to_account
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import cx_to_identifier
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.mrg import has_patient, mrg_to_patient, patient_numbers, patient_of, visit_numbers
from mappings.hl7v2.visit import by_person, observations, open_message, open_visit, relatives
from mappings.ids import resource_id
from mappings.outcome import Resource

Subject = Literal["patient", "account", "visit"]


class Change(NamedTuple):
    """What an event does with the records of MRG."""

    kind: Literal["merge", "move"]
    subjects: tuple[Subject, ...]


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "A18": Change("merge", ("patient", "account", "visit")),
        "A30": Change("merge", ("patient",)),
        "A34": Change("merge", ("patient",)),
        "A35": Change("merge", ("account",)),
        "A36": Change("merge", ("patient", "account")),
        "A39": Change("merge", ("patient",)),
        "A40": Change("merge", ("patient",)),
        "A41": Change("merge", ("account",)),
        "A42": Change("merge", ("visit",)),
        "A43": Change("move", ("patient",)),
        "A44": Change("move", ("account",)),
        "A45": Change("move", ("visit",)),
        "A46": Change("merge", ("patient",)),
        "A47": Change("merge", ("patient",)),
        "A48": Change("merge", ("patient",)),
        "A49": Change("merge", ("account",)),
        "A50": Change("merge", ("visit",)),
        "A51": Change("merge", ("visit",)),
    }
)
"""A changed number (A46–A51) is a merge of the record under the old number into that under the new one."""

_NUMBER_ONLY = frozenset({"A18", "A36", "A46", "A47", "A48"})
"""Events whose two persons may well be the same record: then only its numbers change."""

TRIGGERS = tuple(f"ADT^{event}" for event in ("A17", "A24", "A37", *CHANGES))


def map_message(draft: Draft) -> None:
    """Map an event about two persons or records.

    Raises `MissingSegment` when the second person or MRG is missing, `MissingField` when the number is that the event is about,
    `TwoPatients` when a person is merged or linked with itself.
    """
    if draft.event == "A17":
        for group in _groups(draft):
            with draft.about_person(group):
                _open(draft)
    elif draft.event in ("A24", "A37"):
        _link(draft)
    else:
        for group in _groups(draft):
            with draft.about_person(group):
                _change(draft)


def _groups(draft: Draft) -> list[list[Segment]]:
    """Give the segments about each person; raise `MissingSegment` without PID."""
    groups = by_person(draft.reader.segments)
    if not groups:
        raise faults.MissingSegment("PID")
    return groups


def _open(draft: Draft) -> None:
    """Take a person and the visit of that person."""
    encounter = open_visit(draft, open_message(draft))
    relatives(draft)
    details(draft, encounter)
    observations(draft)


def _link(draft: Draft) -> None:
    """Say that the persons of the message are, or are not, one (A24, A37)."""
    seen: list[str] = []
    for group in _groups(draft):
        with draft.about_person(group):
            _open(draft)
            _require_number(draft)
            if draft.patient in seen:
                raise faults.TwoPatients(draft.reader.all("PID")[0].where(3), "linked with itself")
            seen.append(draft.patient)
    if len(seen) < 2:
        raise faults.MissingSegment("PID[2]")
    first, *others = seen
    for other in others:
        if draft.event == "A24":
            for one, another in ((first, other), (other, first)):
                draft.get(one).setdefault("link", []).append({"other": reference(another), "type": "seealso"})
            draft.change_identity("link", first, other)
        else:
            draft.clear(first, "link")
            draft.clear(other, "link")
            draft.change_identity("unlink", first, other)


def _require_number(draft: Draft) -> None:
    """Raise `MissingField` when the person has no number: nobody can tell which record it is that changes."""
    if "identifier" not in draft.get(draft.patient):
        raise faults.MissingField(draft.reader.all("PID")[0].where(3))


def _change(draft: Draft) -> None:
    """Take a person and each MRG with the PV1 after it."""
    group = draft.reader.segments
    pid = open_message(draft)
    _require_number(draft)
    starts = [n for n, segment in enumerate(group) if segment.name == "MRG"]
    if not starts:
        _own_now(draft, pid)
        return
    encounter = None
    first = ""
    for n, start in enumerate(starts):
        end = starts[n + 1] if n + 1 < len(starts) else len(group)
        draft.encounter = ""
        with draft.within(group[0 if n == 0 else start : end]):
            visit = open_visit(draft, pid)
        first = first or draft.encounter
        encounter = encounter or visit
        _merge_or_move(draft, pid, group[start])
    draft.encounter = first
    relatives(draft)
    details(draft, encounter)
    observations(draft)


def _own_now(draft: Draft, pid: Segment) -> None:
    """Take a move that does not say whose it was: the account or visit is the person's from now on.

    Raises `MissingSegment` when it takes MRG to say anything.
    """
    encounter = open_visit(draft, pid)
    moved = {"A44": draft.account, "A45": draft.encounter}.get(draft.event, "")
    if not moved:
        raise faults.MissingSegment("MRG")
    draft.change_identity("move", draft.patient, moved)
    relatives(draft)
    details(draft, encounter)
    observations(draft)


def _merge_or_move(draft: Draft, pid: Segment, mrg: Segment) -> None:
    change = CHANGES[draft.event]
    for subject, act in (("patient", _patient), ("account", _account), ("visit", _visit)):
        act(draft, pid, mrg, change.kind if subject in change.subjects else None)


Kind = Literal["merge", "move"] | None
"""What the event does with a subject; nothing when it is about another: then MRG only names whose it was."""


def _patient(draft: Draft, pid: Segment, mrg: Segment, kind: Kind) -> None:
    if kind is None:
        _former_owner(draft, mrg)
        return
    other = patient_of(mrg, draft)
    if kind == "move":
        _move_number(draft, pid, mrg, other)
        return
    if not other and draft.event == "A18":
        return
    loser = mrg_to_patient(mrg, draft.patient, draft)
    target = f"Patient/{loser['id']}"
    if target == draft.patient:
        if draft.event in _NUMBER_ONLY:
            _same_person(draft, mrg)
            return
        raise faults.TwoPatients(mrg.where(1), "merged with itself")
    survivor = draft.get(draft.patient)
    links = survivor.setdefault("link", [])
    links.append({"other": reference(target), "type": "replaces"})
    survivor["active"] = True
    draft.add(loser, mrg)
    draft.change_identity("merge", draft.patient, target)


def _same_person(draft: Draft, mrg: Segment) -> None:
    """Leave out the old numbers of a person whose record stays: the new ones stand in PID."""
    present = {(one["system"], one["value"]) for one in draft.get(draft.patient)["identifier"]}
    for n in (1, 2, 4):
        if mrg.peek(n) and any(
            (one["system"], one["value"]) not in present for one in patient_numbers(mrg, draft, (n,))
        ):
            mrg.ignore(n, "number that no longer holds; PID has the new one")
    if mrg.peek(7):
        mrg.ignore(7, "name under the number that no longer holds")


def _former_owner(draft: Draft, mrg: Segment) -> None:
    """Keep whose the account or visit was, when it is another person."""
    if not has_patient(mrg):
        return
    target = patient_of(mrg, draft)
    if target == draft.patient:
        _same_person(draft, mrg)
        return
    owner = {key: value for key, value in mrg_to_patient(mrg, "", draft).items() if key not in ("active", "link")}
    draft.add(owner, mrg)


def _move_number(draft: Draft, pid: Segment, mrg: Segment, other: str) -> None:
    """Move a patient number (A43): what is known under it belongs to the person of PID; of PID-2 when PID-3 is the number."""
    if not other:
        raise faults.MissingField(mrg.where(1))
    kept = draft.patient
    if mrg.peek(1) and mrg.peek(4):
        mrg.ignore(4, "who had the number; from now on it is with the person of PID")
    if other == kept:
        holder = next((cx_to_identifier(cx, draft.context, "", "patient") for cx in pid[2].repetitions), None)
        if holder is None or f"Patient/{resource_id('Patient', holder['system'], holder['value'])}" == other:
            raise faults.TwoPatients(mrg.where(1), "moved to itself")
        record = draft.get(other)
        numbers = [one for one in record["identifier"] if one["value"] != holder["value"]]
        holder_id = resource_id("Patient", holder["system"], holder["value"])
        kept = draft.add({**record, "id": holder_id}, pid)
        _only_number(record, numbers, kept)
        draft.patient = kept
    else:
        moved = mrg_to_patient(mrg, kept, draft)
        moved["link"][0]["type"] = "seealso"
        del moved["active"]
        draft.add(moved, mrg)
    draft.change_identity("move", kept, other)


def _only_number(record: Resource, numbers: list[Element], kept: str) -> None:
    """Leave of a record its number, and to whom it went."""
    for name in record.keys() - {"resourceType", "id"}:
        del record[name]
    record["identifier"] = numbers
    record["link"] = [{"other": reference(kept), "type": "seealso"}]


def _account(draft: Draft, pid: Segment, mrg: Segment, kind: Kind) -> None:
    former = mrg_to_account(mrg, draft) if mrg.peek(3) else None
    if former is None:
        if kind == "merge" and draft.event != "A18":
            raise faults.MissingField(mrg.where(3))
        if kind == "move" and not draft.account:
            raise faults.MissingField(mrg.where(3))
    target = f"Account/{former['id']}" if former else draft.account
    if kind == "merge" and former is not None:
        if not draft.account:
            if draft.event == "A18":
                _take_over(draft, mrg, target)
                return
            raise faults.MissingField(pid.where(18))
        if target == draft.account:
            draft.add(former, mrg)
            return
        former["status"] = "inactive"
        former["partOf"] = reference(draft.account)
        draft.add(former, mrg)
        draft.change_identity("merge", draft.account, target)
    elif kind == "move":
        moved = draft.account or target
        if moved != draft.account:
            _take_over(draft, mrg, moved)
        else:
            draft.change_identity("move", draft.patient, moved)
            if former is not None and target != moved:
                former["partOf"] = reference(moved)
                keep_account(former, draft, mrg)
                draft.change_identity("merge", moved, target)
    elif former is not None:
        if target == draft.account:
            draft.add(former, mrg)
        else:
            _take_over(draft, mrg, target)


def _take_over(draft: Draft, mrg: Segment, account: str) -> None:
    """Say that an account is the person's from now on."""
    keep_account(mrg_to_account(mrg, draft), draft, mrg)
    draft.change_identity("move", draft.patient, account)


def _visit(draft: Draft, pid: Segment, mrg: Segment, kind: Kind) -> None:
    numbers = visit_numbers(mrg, draft) if mrg.peek(5) or mrg.peek(6) else []
    number = numbers[0] if numbers else None
    other = f"Encounter/{resource_id('Encounter', number['system'], number['value'])}" if number else ""
    if kind == "merge" and draft.event != "A18":
        if not draft.encounter:
            raise faults.MissingField("PV1-19")
        if draft.event == "A51":
            _alternate(mrg)
            return
        if not other:
            raise faults.MissingField(mrg.where(5))
    if kind is None and not number:
        return
    if kind == "move":
        if not draft.encounter and not other:
            raise faults.MissingField(mrg.where(5))
        draft.change_identity("move", draft.patient, draft.encounter or other)
    elif number and (kind is None or not draft.encounter):
        draft.change_identity("move", draft.patient, other)
    if number is None or other == draft.encounter:
        return
    if kind is not None and draft.encounter:
        draft.add(_visit_of(draft, numbers, "entered-in-error", draft.encounter), mrg)
        draft.change_identity("merge", draft.encounter, other)
    else:
        draft.add(_visit_of(draft, numbers, "unknown", ""), mrg)
        draft.assume(other, "status")
    draft.assume(other, "class")


def _alternate(mrg: Segment) -> None:
    """Leave out an alternate visit number that no longer holds (A51): the visit stays, PV1-50 has the new one."""
    for n in (5, 6):
        if mrg.peek(n):
            mrg.ignore(n, "visit number that no longer holds; PV1-50 has the new one")


def _visit_of(draft: Draft, numbers: list[Element], status: str, whole: str) -> Element:
    """Write the Encounter under the numbers of MRG, of which nothing else is told."""
    unknown = {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK", "display": "unknown"}
    encounter: Element = {
        "resourceType": "Encounter",
        "id": resource_id("Encounter", numbers[0]["system"], numbers[0]["value"]),
        "identifier": numbers,
        "status": status,
        "class": unknown,
        "subject": reference(draft.patient),
    }
    if whole:
        encounter["partOf"] = reference(whole)
    return encounter
