"""What an ADT event does to the visit and the person it is about, as a table.

The status of the visit is the code table `v2-0003-encounter`; here stands the rest: where the places of PV1 and PV2 stand
afterwards, which elements an undoing event takes back, and which fields it names only to say what is undone. An element that
an earlier message built and this event makes untrue must be cleared: a message without it would leave it standing.

Standard: HL7 v2.5.1 §3.3
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

ASSIGNED, PRIOR, TEMPORARY, PENDING, PRIOR_TEMPORARY = 3, 6, 11, 42, 43
"""The fields of PV1 that hold places."""

PLACES: Mapping[int, str] = MappingProxyType(
    {ASSIGNED: "active", PRIOR: "completed", TEMPORARY: "active", PENDING: "reserved", PRIOR_TEMPORARY: "completed"}
)
"""Encounter.location.status of each; an event may say otherwise. No status: the place is not kept."""

PLANNED_START = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedStartDate"
PLANNED_END = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"

_END = ("period.end", "hospitalization.dischargeDisposition", "hospitalization.destination")
_START_PLAN = f"extension({PLANNED_START.rpartition('/')[2]})"
_END_PLAN = f"extension({PLANNED_END.rpartition('/')[2]})"
_ALL_PLANNED: Mapping[int, str] = MappingProxyType({ASSIGNED: "planned", TEMPORARY: "planned", PENDING: "planned"})
_ON_THE_WAY: Mapping[int, str] = MappingProxyType({TEMPORARY: "planned", PENDING: "planned"})
_NOWHERE: Mapping[int, str] = MappingProxyType({ASSIGNED: "", TEMPORARY: "", PENDING: ""})
_BACK: Mapping[int, str] = MappingProxyType({PRIOR: "", PENDING: "", PRIOR_TEMPORARY: ""})


class Effect(NamedTuple):
    """What one event does beside the status of the visit."""

    places: Mapping[int, str] = MappingProxyType({})
    """Field of PV1 → status, where it differs from `PLACES`; `""`: the event undoes that place."""
    clears: tuple[str, ...] = ()
    """Elements of the Encounter that no longer hold."""
    undone: tuple[tuple[str, int], ...] = ()
    """Fields that only repeat what the event takes back: they are left out on purpose."""
    moved: bool = False
    """The time of the event is when the patient came to the active place and left the completed ones."""
    was: str = ""
    """Class of the visit before the event (v3-ActCode)."""
    active: bool | None = None
    """Patient.active afterwards."""


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "A01": Effect(),
        "A02": Effect(moved=True),
        "A03": Effect(places={ASSIGNED: "completed", TEMPORARY: "completed", PENDING: "completed"}),
        "A04": Effect(),
        "A05": Effect(places=_ALL_PLANNED),
        "A06": Effect(was="AMB", moved=True),
        "A07": Effect(was="IMP", moved=True),
        "A08": Effect(),
        "A09": Effect(places=_ON_THE_WAY),
        "A10": Effect(moved=True),
        "A11": Effect(places={ASSIGNED: "completed", TEMPORARY: "completed", PENDING: ""}),
        "A12": Effect(places=_BACK, undone=(("PV1", PRIOR), ("PV1", PENDING), ("PV1", PRIOR_TEMPORARY))),
        "A13": Effect(clears=_END, undone=(("PV1", 36), ("PV1", 37), ("PV1", 45))),
        "A14": Effect(places=_ALL_PLANNED),
        "A15": Effect(),
        "A16": Effect(),
        "A17": Effect(moved=True),
        "A21": Effect(),
        "A22": Effect(),
        "A23": Effect(places={ASSIGNED: "completed", TEMPORARY: "completed", PENDING: ""}),
        "A25": Effect(clears=(_END_PLAN,), undone=(("PV2", 9),)),
        "A26": Effect(places={PENDING: ""}, undone=(("PV1", PENDING), ("PV2", 1))),
        "A27": Effect(places=_NOWHERE, clears=("location", _START_PLAN), undone=(("PV2", 8),)),
        "A28": Effect(active=True),
        "A29": Effect(active=False),
        "A31": Effect(),
        "A32": Effect(places=_ON_THE_WAY),
        "A33": Effect(places=_BACK, undone=(("PV1", PRIOR), ("PV1", PENDING), ("PV1", PRIOR_TEMPORARY))),
        "A38": Effect(places=_NOWHERE, clears=("location", _START_PLAN), undone=(("PV2", 8),)),
        "A52": Effect(),
        "A53": Effect(),
        "A54": Effect(),
        "A55": Effect(),
        "A60": Effect(),
        "A61": Effect(),
        "A62": Effect(),
    }
)
"""By event; events about identities are in `mappings/hl7v2/messages/adt_identity.py`."""

_NONE = Effect()


def effect_of(trigger: str) -> Effect:
    """Give the effect of a trigger: that of an ADT event, none of any other message."""
    kind, _, event = trigger.partition("^")
    return EFFECTS.get(event, _NONE) if kind == "ADT" else _NONE
