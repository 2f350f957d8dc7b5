"""Cut a message of orders or results into its parts: one patient after the other, prior results beside the orders.

Standard: HL7 v2.5.1 §4.4.6, §7.3.1
"""

from __future__ import annotations

from collections.abc import Sequence

from mappings.hl7v2 import faults
from mappings.hl7v2.datatypes import code_of
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.links import Links
from mappings.hl7v2.orders import Orders
from mappings.hl7v2.pharmacy import PARTS, take_medicines
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.pid import other_patient
from mappings.hl7v2.visit import open_message, open_visit, relatives

_OPENERS = frozenset({"PID", "PD1", "PV1", "PV2", "AL1", "NK1"})
"""Segments that after an order open what was found before."""
_OF_PEOPLE = frozenset({"PD1", "PV1", "PV2", "AL1", "IAM", "NK1", "GT1", "IN1", "IN2", "IN3", "PR1", "ROL", "ARV"})
"""Segments of which nothing can be kept without a person."""
_PLACED = frozenset({"NW", "XO", "CA", "DC", "HD", "RL", "RP", "RO", "SN", "PA", "CH"})
"""Order controls of the placer: after them comes an order, not what was found before."""


def take_results(draft: Draft) -> None:
    """Map a message of results: each patient with the visit and the results that follow."""
    for group in patients(draft.reader.segments):
        with draft.about_person(group):
            _results(draft)


def _results(draft: Draft) -> None:
    _about(draft)
    Orders(draft).take()


def patients(segments: Sequence[Segment]) -> list[list[Segment]]:
    """Cut before every PID after the first that names somebody else."""
    groups: list[list[Segment]] = [[]]
    pid: Segment | None = None
    for segment in segments:
        if segment.name == "PID":
            if pid is not None and other_patient(pid, segment):
                groups.append([])
            pid = segment
        groups[-1].append(segment)
    return groups


def take_orders(draft: Draft, *, prior: bool = False) -> None:
    """Map a message of orders or of answers to them; with `prior` it may hold results found before."""
    present, earlier = split_prior(draft.reader.segments, by_orc=not prior)
    people = draft.reader.all("PID")
    for other in people[1:]:
        if other_patient(people[0], other):
            raise faults.TwoPatients(other.where(3))
    links = Links(draft)
    with draft.within(present):
        _about(draft, orders=True)
    others, medicines = split_medicines(present)
    with draft.within(others):
        Orders(draft, results=False, links=links).take()
    _take_medicines(draft, medicines)
    patient, encounter = draft.patient, draft.encounter
    for part in earlier:
        with draft.within(part):
            if any(one.name == "PID" for one in part):
                pid = open_message(draft)
                open_visit(draft, pid)
            elif people and any(one.name == "PV1" for one in part):
                open_visit(draft, people[0])
            if draft.patient:
                details(draft, None)
            Orders(draft, results=True, links=links).take()
        draft.patient, draft.encounter = patient, encounter
    links.resolve()


def _about(draft: Draft, *, orders: bool = False) -> None:
    """Take who the part is about; of orders, diagnoses after the first order are its reasons.

    Orders and results may be about nobody (quality control, the environment). Raises `MissingSegment` when there are none.
    """
    if draft.reader.first("PID") is None:
        _about_nobody(draft)
        return
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    segments = draft.reader.segments
    begun = next((n for n, one in enumerate(segments) if one.name in ("ORC", "OBR")), len(segments))
    kept = [one for n, one in enumerate(segments) if not (orders and n > begun and one.name == "DG1")]
    with draft.within(kept):
        details(draft, encounter)


def _about_nobody(draft: Draft) -> None:
    if not any(draft.reader.first(name) for name in ("ORC", "OBR", "OBX", "SPM")):
        raise faults.MissingSegment("PID")
    draft.notice(faults.NOBODY, "PID")
    begun = False
    for segment in draft.reader.segments:
        begun = begun or segment.name in ("ORC", "OBR", "SPM", "SAC")
        if segment.name in _OF_PEOPLE or (segment.name == "DG1" and not begun):
            segment.leave("the message does not say whose it is")


def _take_medicines(draft: Draft, segments: Sequence[Segment]) -> None:
    if not segments:
        return
    take_medicines(draft, segments)
    if draft.patient:
        with draft.within([segment for segment in segments if segment.name == "DG1"]):
            details(draft, None)


def split_medicines(segments: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Part the orders of medicines, which have RXO or its kin after ORC, from all others."""
    others: list[Segment] = []
    medicines: list[Segment] = []
    group: list[Segment] = []
    for segment in segments:
        if segment.name == "ORC":
            (medicines if any(one.name in PARTS for one in group) else others).extend(group)
            group = []
        group.append(segment)
    (medicines if any(one.name in PARTS for one in group) else others).extend(group)
    return others, medicines


def split_prior(segments: Sequence[Segment], *, by_orc: bool = False) -> tuple[list[Segment], list[list[Segment]]]:
    """Part the orders from the groups of prior results.

    Prior results begin with a patient, a visit or an allergy after an order, with order control PR, or with an OBR that has a
    result status and no ORC; they end with the next order of the placer. `by_orc`: only order control PR begins them.
    """
    present: list[Segment] = []
    earlier: list[list[Segment]] = []
    is_prior = False
    begun = answered = has_orc = False
    """An order has begun; the prior group has an OBR; an ORC waits for its OBR."""
    for segment in segments:
        name = segment.name
        if name == "ORC":
            control = code_of(segment.peek(1).text).upper()
            if control == "PR":
                if not is_prior:
                    earlier.append([])
                    answered = False
                is_prior = True
            elif is_prior and (control in _PLACED or by_orc) and (answered or control == "NW"):
                is_prior = False
            begun, has_orc = True, True
        elif name in _OPENERS and begun and not by_orc:
            if not is_prior or answered:
                earlier.append([])
                answered = False
            is_prior = True
        elif name == "OBR":
            if not is_prior and begun and not has_orc and not by_orc and segment.peek(25):
                earlier.append([])
                is_prior = True
            begun, has_orc = True, False
            answered = answered or is_prior
        (earlier[-1] if is_prior else present).append(segment)
    return present, earlier


def require(draft: Draft, *names: str) -> None:
    """Raise `MissingSegment` when the message has none of these segments."""
    if not any(draft.reader.first(name) for name in names):
        raise faults.MissingSegment(names[0])
