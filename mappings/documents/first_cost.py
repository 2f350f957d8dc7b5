"""What a visit cost first: the earliest thing ordered or charged, of which the insurance portal wants to hear at once.

Who orders also causes the cost, hours before a HIS charges for it; an examination is charged and never ordered. So both count.
Does not decide whether insurance is to be told.

Requirement: S3.13
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from mappings.documents import medicines, order_sheet, wording
from mappings.documents.charges import charges
from mappings.documents.record import Record
from mappings.outcome import Resource

_LAST = datetime.max.replace(tzinfo=UTC)


def is_cost(resource: Resource) -> bool:
    """Tell whether a resource is a charge, or an order in force of a service or a medicine."""
    kind = resource["resourceType"]
    if kind == "ChargeItem":
        return resource.get("status") in ("billable", "billed", "planned")
    if kind == "MedicationRequest":
        return resource.get("status") not in medicines.GONE
    return order_sheet.is_in_force(resource)


def cost_at(resource: Resource) -> str:
    """Give when a cost arose, as a FHIR time: when it was ordered, or what is charged was done; `""` when nobody said."""
    period = resource.get("occurrencePeriod", {})
    at: str = resource.get("authoredOn") or resource.get("occurrenceDateTime") or period.get("start", "")
    return at


def cost_code(resource: Resource, known: Mapping[str, Resource]) -> Resource:
    """Give the CodeableConcept of what costs; `known` are the resources it may refer to."""
    if resource["resourceType"] == "MedicationRequest":
        return medicines.medicine_code(resource, known)
    found: Resource = resource.get("code", {})
    return found


def first_cost(record: Record, encounter: Resource, since: datetime | None = None) -> Resource | None:
    """Give the earliest cost of a visit, or the earliest since a moment; None while there is none.

    What has no time, or a day alone, comes last, and is not known to be since a moment.
    """
    timed = [(wording.instant(cost_at(one)) or _LAST, one) for one in _costs(record, encounter)]
    later = [(at, one) for at, one in timed if since is None or since <= at < _LAST]
    return min(later, key=lambda pair: (pair[0], pair[1]["id"]))[1] if later else None


def _costs(record: Record, encounter: Resource) -> Iterator[Resource]:
    visit = f"Encounter/{encounter['id']}"
    yield from (one for one in charges(record, encounter) if is_cost(one))
    for kind in ("ServiceRequest", "MedicationRequest"):
        for one in record.all(kind):
            if one.get("encounter", {}).get("reference") == visit and is_cost(one):
                yield one
