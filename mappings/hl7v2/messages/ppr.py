"""PPR, PGL, PPP, PPG and their answers: problems, goals and pathways of care, each with what belongs to it.

In PPR and PRR a problem has pathways and goals, in PGL and PPV a goal has pathways and problems, in PPP and PTR a pathway has
problems that have goals, in PPG and PPT goals that have problems. Comments, variances and roles belong to the problem, goal or
pathway before them, results to the problem or goal, orders to the outermost of these.

Standard: HL7 v2.5.1 §12.3
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.datatypes import Element
from mappings.hl7v2.details import details
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.enclosed import obx_to_document_reference
from mappings.hl7v2.orders import Orders
from mappings.hl7v2.participation import to_care_team
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.gol import gol_to_goal
from mappings.hl7v2.segments.obx import is_document, obx_to_observation
from mappings.hl7v2.segments.prb import prb_to_clinical_impression, prb_to_condition
from mappings.hl7v2.segments.prt import prt_to_participation
from mappings.hl7v2.segments.pth import pth_to_care_plan
from mappings.hl7v2.segments.rol import rol_to_participation
from mappings.hl7v2.segments.var import var_to_clinical_impression
from mappings.hl7v2.visit import note, open_message, open_visit

_EVENTS = {
    "PPR": ("PC1", "PC2", "PC3"),
    "PRR": ("PC5",),
    "PGL": ("PC6", "PC7", "PC8"),
    "PPV": ("PCA",),
    "PPP": ("PCB", "PCC", "PCD"),
    "PTR": ("PCB", "PCC", "PCD", "PCF"),
    "PPG": ("PCG", "PCH", "PCJ"),
    "PPT": ("PCG", "PCH", "PCJ", "PCL"),
}
TRIGGERS = tuple(f"{kind}^{event}" for kind, events in _EVENTS.items() for event in events)

_NESTING = {
    "PPR": ("PRB", "PTH", "GOL"),
    "PRR": ("PRB", "PTH", "GOL"),
    "PGL": ("GOL", "PTH", "PRB"),
    "PPV": ("GOL", "PTH", "PRB"),
    "PPP": ("PTH", "PRB", "GOL"),
    "PTR": ("PTH", "PRB", "GOL"),
    "PPG": ("PTH", "GOL", "PRB"),
    "PPT": ("PTH", "GOL", "PRB"),
}
"""What stands in what, outermost first."""
_MAKERS = {"PRB": prb_to_condition, "GOL": gol_to_goal, "PTH": pth_to_care_plan}
_OUTSIDE = frozenset({"PRB", "GOL", "PTH", "PID", "PV1"})
"""Segments that end an order."""
_ABOUT = frozenset({"ROL", "VAR", "PRT"})
"""Segments that stand inside an order group and are about what the order is for."""


def map_message(draft: Draft) -> None:
    """Map problems, goals and pathways.

    Raises `MissingSegment` when there is none of what the message is about; an answer may have found nothing.
    """
    nesting = _NESTING[draft.trigger[:3]]
    answer = draft.reader.first("MSA") is not None
    if all(draft.reader.first(name) is None for name in nesting):
        if answer:
            return
        raise faults.MissingSegment(nesting[0])
    pid = open_message(draft)
    encounter = open_visit(draft, pid)
    details(draft, encounter)
    _Care(draft, nesting).take()


class _Care:
    """Walk the segments once; know what is open."""

    def __init__(self, draft: Draft, nesting: tuple[str, ...]) -> None:
        self._draft = draft
        self._nesting = nesting
        self._open: dict[str, dict[str, Any]] = {}
        """Segment name → the resource that is open at that place of the nesting."""
        self._last: dict[str, Any] | None = None
        """What was opened last: comments, variances and roles belong to it."""
        self._commented: dict[str, Any] | None = None

    def take(self) -> None:
        order: list[Segment] = []
        for segment in self._draft.reader.segments:
            name = segment.name
            if name in _OUTSIDE or name == "ORC" or (name == "OBR" and any(one.name == "OBR" for one in order)):
                self._order(order)
                order = []
            if name in _MAKERS:
                self._thing(segment)
            elif name in _ABOUT:
                self._about(segment)
            elif order or name in ("ORC", "OBR"):
                order.append(segment)
            elif name == "OBX":
                self._result(segment)
            elif name == "NTE" and self._commented is not None:
                note(self._commented, segment, self._draft)
        self._order(order)

    def _thing(self, segment: Segment) -> None:
        """Open a problem, goal or pathway in what surrounds it."""
        level = self._nesting.index(segment.name)
        for name in self._nesting[level:]:
            self._open.pop(name, None)
        made = _MAKERS[segment.name](segment, self._draft)
        if made is None:
            self._last = self._commented = None
            return
        resource, action = made
        target = self._draft.add(resource, segment)
        resource = self._draft.get(target)
        if segment.name == "PRB":
            prognosis = prb_to_clinical_impression(segment, self._draft, target)
            if prognosis:
                self._draft.add(prognosis, segment)
        if action != "unlink":
            for name in self._nesting[:level]:
                if name in self._open:
                    _link(self._open[name], resource)
        self._open[segment.name] = self._last = self._commented = resource

    def _about(self, segment: Segment) -> None:
        """Keep a variance or a role of what was opened last."""
        about = self._last
        if about is None:
            return
        if segment.name == "VAR":
            variance = var_to_clinical_impression(segment, self._draft, _target(about))
            if variance:
                self._draft.add(variance, segment)
            return
        read = rol_to_participation if segment.name == "ROL" else prt_to_participation
        team = to_care_team(read(segment, self._draft), self._draft, self._draft.patient, about=_target(about))
        if not team:
            for n in segment.fields:
                segment.ignore(n, "the role has ended, or nobody is named for it")
        elif about["resourceType"] == "CarePlan":
            _append(about, "careTeam", reference(team))

    def _result(self, obx: Segment) -> None:
        """Keep a result: it is evidence of the problem, the outcome of the goal, information for the plan."""
        draft = self._draft
        if is_document(obx):
            obx_to_document_reference(obx, draft)
            return
        observation = obx_to_observation(obx, draft)
        if observation is None:
            return
        found = reference(draft.add(observation, obx))
        self._commented = observation
        owner = self._owner(reversed(self._nesting)) or self._open.get("PTH")
        if owner is None:
            return
        match owner["resourceType"]:
            case "Condition":
                evidence = owner.setdefault("evidence", [{"detail": []}])
                evidence[0]["detail"].append(found)
            case "Goal":
                owner.setdefault("outcomeReference", []).append(found)
            case _:
                owner.setdefault("supportingInfo", []).append(found)

    def _owner(self, nesting: Iterable[str]) -> dict[str, Any] | None:
        """Give the first open problem or goal: results and orders belong to these, even after a pathway."""
        return next((self._open[name] for name in nesting if name != "PTH" and name in self._open), None)

    def _order(self, segments: list[Segment]) -> None:
        """Keep an order with its results; it is for the outermost thing that is no pathway, and an activity of the pathway."""
        if not segments:
            return
        draft = self._draft
        Orders(draft, results=any(one.name == "OBX" or (one.name == "OBR" and one.peek(25)) for one in segments)).take(
            segments
        )
        made = [target for one in segments if one.name in ("ORC", "OBR") for target in one.made]
        owner = self._owner(self._nesting)
        for target in dict.fromkeys(made):
            if not target.startswith("ServiceRequest/"):
                continue
            if owner is not None:
                name = "reasonReference" if owner["resourceType"] == "Condition" else "supportingInfo"
                _append(draft.get(target), name, reference(_target(owner)))
            if "PTH" in self._open:
                _append(self._open["PTH"], "activity", {"reference": reference(target)})


def _target(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _append(resource: dict[str, Any], name: str, value: Element) -> None:
    present = resource.setdefault(name, [])
    if value not in present:
        present.append(value)


def _link(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    """Connect two things of which one stands in the other, in the direction FHIR has an element for."""
    by_kind = {outer["resourceType"]: outer, inner["resourceType"]: inner}
    plan, goal, problem = by_kind.get("CarePlan"), by_kind.get("Goal"), by_kind.get("Condition")
    if plan is not None and goal is not None:
        _append(plan, "goal", reference(_target(goal)))
    elif plan is not None and problem is not None:
        _append(plan, "addresses", reference(_target(problem)))
    elif goal is not None and problem is not None:
        _append(goal, "addresses", reference(_target(problem)))
