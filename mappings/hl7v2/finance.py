"""Accounts and charges: what DFT and BAR messages say about what a stay costs.

Does not add anything up, does not decide what insurance pays, and writes no claim: it gathers what a claim is made of.

Standard: HL7 v2.5.1 §6.4
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mappings.hl7v2.actors import reference, this_facility
from mappings.hl7v2.datatypes import compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.leftovers import give_back_leftovers
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments.ft1 import ft1_to_charge_item
from mappings.hl7v2.segments.nte import nte_to_annotation
from mappings.ids import resource_id
from mappings.outcome import Resource


class Effect(NamedTuple):
    """What an event does to the account."""

    status: str
    """Account.status afterwards."""
    is_said: bool
    """Whether the event says so; else the status only stands because FHIR demands one."""


EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "P01": Effect("active", True),
        "P02": Effect("inactive", True),
        "P03": Effect("active", False),
        "P05": Effect("active", False),
        "P06": Effect("inactive", True),
        "P10": Effect("active", False),
        "P11": Effect("active", False),
        "P12": Effect("active", False),
    }
)
"""P02 purges accounts that are settled, it does not call them wrong. Standard: HL7 v2.5.1 §6.4.1–§6.4.10"""

_SERVICES = frozenset({"DiagnosticReport", "ImagingStudy", "Immunization", "MedicationAdministration", "Procedure"})
_SUPPORTING = frozenset({"Condition", "ServiceRequest"})


def open_account(draft: Draft, pid: Segment, encounter: Resource | None) -> None:
    """Take the Account the message is about: its status after the event, and the visit it covers.

    Known by PID-18, else by the visit, else by the person. Guarantors are put there by those who find it open.
    """
    effect = EFFECTS.get(draft.event, Effect("active", False))
    if not draft.account:
        draft.account = draft.add(_unnumbered(draft), pid)
        draft.assume(draft.account, "status")
    account = draft.get(draft.account)
    account["status"] = effect.status
    if effect.is_said:
        draft.settle(draft.account, "status")
    account |= compact(
        {
            "servicePeriod": (encounter or {}).get("period", {}),
            "owner": this_facility(draft),
        }
    )


def insure_account(draft: Draft) -> None:
    """Say which insurance pays for the account, in the order of IN1."""
    covered = [{"coverage": reference(target), "priority": rank} for rank, target in enumerate(_coverages(draft), 1)]
    if covered:
        draft.get(draft.account)["coverage"] = covered


def _unnumbered(draft: Draft) -> Resource:
    system = draft.context.systems.local(draft.context.facility, "account")
    return {
        "resourceType": "Account",
        "id": resource_id("Account", system, draft.encounter or draft.patient),
        "status": "unknown",
        "subject": [reference(draft.patient)],
    }


def _coverages(draft: Draft) -> Iterator[str]:
    told: set[str] = set()
    for in1 in draft.reader.all("IN1"):
        for target in in1.made:
            if target.startswith("Coverage/") and target not in told:
                told.add(target)
                yield target


def take_charges(draft: Draft) -> None:
    """Take every FT1 with what stands below it: comments, procedures, results, and in P11 diagnoses.

    Call it when what stands below is mapped already.
    """
    items: dict[str, Resource] = {}
    parts: list[tuple[Segment, Resource]] = []
    item: Resource | None = None
    before = ""
    for segment in draft.reader.segments:
        if segment.name == "FT1":
            item = ft1_to_charge_item(segment, draft)
            if item is not None:
                item = draft.get(draft.add(_on_account(item, draft), segment))
                items.setdefault(words(segment.peek(1).text), item)
                parts.append((segment, item))
        elif segment.name == "NTE" and before == "FT1" and item is not None:
            annotation = nte_to_annotation(segment, draft)
            if annotation:
                item.setdefault("note", []).append(annotation)
        elif item is not None and (segment.name != "DG1" or draft.event == "P11"):
            _relate(item, segment)
        before = segment.name if segment.name != "NTE" else before
    for ft1, part in parts:
        _part_of(ft1, part, items)
    for ft1 in draft.reader.all("FT1"):
        give_back_leftovers(ft1, draft)


def _on_account(item: Resource, draft: Draft) -> Resource:
    return item | {"account": [reference(draft.account)]} if draft.account else item


def _relate(item: Resource, segment: Segment) -> None:
    """Say which services the charge is for, and what else was told with it."""
    for target in segment.made:
        kind = target.partition("/")[0]
        name = "service" if kind in _SERVICES else "supportingInformation" if kind in _SUPPORTING else ""
        if name and reference(target) not in item.get(name, []):
            item.setdefault(name, []).append(reference(target))


def _part_of(ft1: Segment, item: Resource, items: Mapping[str, Resource]) -> None:
    """Lead from a payment to the charge of the same message that it pays (FT1-31)."""
    for key in ft1[31].repetitions:
        charge = items.get(words(key.c(1)))
        if charge is not None and charge is not item:
            item.setdefault("partOf", []).append(reference(f"ChargeItem/{charge['id']}"))
    if ft1.peek(31) and "partOf" not in item:
        ft1.give_back(31, "no such transaction in the message")
