"""ADT: admission, discharge, registration, change, merge.

A01, A03, A04, A08, A11, A13 are about a visit; A28, A31 about a person; A40 merges two records of one person.

Standard: HL7 v2.5.1 §3.3
Requirement: S2.7, S2.8, S2.14
"""

from __future__ import annotations

from mappings.hl7v2 import faults
from mappings.hl7v2.actors import reference
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.segments.mrg import mrg_to_patient
from mappings.hl7v2.visit import details, observations, open_message, open_visit, relatives

TRIGGERS = tuple(f"ADT^{event}" for event in ("A01", "A03", "A04", "A08", "A11", "A13", "A28", "A31", "A40"))


def map_message(draft: Draft) -> None:
    """Map an ADT message.

    Raises `MissingSegment` when A40 has no MRG, `TwoPatients` when it merges more than one pair.
    """
    pid = open_message(draft)
    if draft.event == "A40":
        _merge(draft)
    encounter = open_visit(draft, pid)
    relatives(draft)
    details(draft, encounter)
    observations(draft)


def _merge(draft: Draft) -> None:
    """Link the replaced Patient of MRG and the surviving one of PID, both ways."""
    replaced = draft.reader.all("MRG")
    if not replaced:
        raise faults.MissingSegment("MRG")
    if len(replaced) > 1:
        raise faults.TwoPatients(replaced[1].where(1))
    loser = mrg_to_patient(replaced[0], draft.patient, draft)
    target = f"Patient/{loser['id']}"
    if target == draft.patient:
        raise faults.TwoPatients(replaced[0].where(1), "merged with itself")
    survivor = draft.get(draft.patient)
    survivor["link"] = [{"other": reference(target), "type": "replaces"}]
    survivor["active"] = True
    draft.add(loser)
    draft.change_identity("merge", draft.patient, target)
