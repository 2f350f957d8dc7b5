"""What a composed paper says to those who choose its signers: the case, who its doctor is, where the visit was.

A pure function of the FHIR document. Whether a paper was asked for by the patient is not in it.

Requirement: S3.7
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.outcome import Resource
from signing.policy import Case

_DIED = frozenset({"exp", "20", "40", "41", "42"})
"""Discharge dispositions: FHIR's own and those of HL7 table 0112."""


@dataclass(frozen=True)
class Facts:
    case: Case
    doctors: tuple[str, ...]
    """Numbers of the practitioner who wrote the paper: the licence first; empty when nobody is named."""
    departments: tuple[str, ...]
    """Codes and names of where the visit was."""


def facts(document: Resource) -> Facts:
    """Read them from a document Bundle."""
    resources = [entry["resource"] for entry in document["entry"]]
    known = {f"{one['resourceType']}/{one['id']}": one for one in resources if "id" in one}
    head = resources[0]
    visit = known.get(head.get("encounter", {}).get("reference", ""), {})
    patient = known.get(head.get("subject", {}).get("reference", ""), {})
    visit_class = visit.get("class", {}).get("code", "")
    conditions = {"emergency"} if visit_class == "EMER" else set()
    if _died(patient, visit):
        conditions.add("death")
    return Facts(
        Case(frozenset(conditions), visit_class),
        tuple(_numbers(head, known)),
        tuple(dict.fromkeys(name for stay in visit.get("location", ()) for name in _place(stay["location"], known))),
    )


def _died(patient: Mapping[str, Any], visit: Mapping[str, Any]) -> bool:
    disposition = visit.get("hospitalization", {}).get("dischargeDisposition", {})
    codes = {coding.get("code") for coding in disposition.get("coding", ())}
    return bool(patient.get("deceasedDateTime") or patient.get("deceasedBoolean")) or not codes.isdisjoint(_DIED)


def _numbers(head: Mapping[str, Any], known: Mapping[str, Resource]) -> Iterator[str]:
    for author in head["author"]:
        person = known.get(author.get("reference", ""), {})
        if person.get("resourceType") == "Practitioner":
            numbers = person.get("identifier", ())
            yield from (one["value"] for one in sorted(numbers, key=_not_a_licence) if one.get("value"))


def _not_a_licence(identifier: Mapping[str, Any]) -> bool:
    return all(coding.get("code") not in ("LN", "MD") for coding in identifier.get("type", {}).get("coding", ()))


def _place(reference: Mapping[str, Any], known: Mapping[str, Resource]) -> Iterator[str]:
    place = known.get(reference.get("reference", ""))
    for _ in range(6):
        if place is None:
            return
        yield from (one["value"] for one in place.get("identifier", ()) if one.get("value"))
        if place.get("name"):
            yield place["name"]
        place = known.get(place.get("partOf", {}).get("reference", ""))
