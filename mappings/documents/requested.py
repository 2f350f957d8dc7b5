"""What a report or an order sheet says of the request: its numbers, who ordered, when, how urgent, why."""

from __future__ import annotations

from mappings.documents import content, wording
from mappings.documents.record import Record
from mappings.outcome import Resource

_ACCESSION = "/accession"


def orderer(record: Record, request: Resource) -> Resource | None:
    """Give who ordered."""
    return next(record.of_type([request.get("requester")], "Practitioner"), None)


def rows(record: Record, request: Resource) -> dict[str, str]:
    """Give the rows about a request; an empty one gives empty rows."""
    doctor = orderer(record, request)
    occurrence = request.get("occurrenceDateTime") or request.get("occurrencePeriod", {}).get("start", "")
    return {
        "MA_CHI_DINH": content.identifier(request, "order"),
        "BS_CHI_DINH": wording.title_and_name(doctor) if doctor else "",
        "NGAY_YL": wording.short_time(request.get("authoredOn") or occurrence),
        "UU_TIEN": request.get("priority", ""),
    }


def reasons(record: Record, request: Resource) -> str:
    """Give why it was ordered, in the words of the request."""
    told = [wording.concept(reason) for reason in request.get("reasonCode", [])]
    conditions = list(record.of_type(request.get("reasonReference", []), "Condition"))
    return "; ".join(dict.fromkeys(text for text in [*map(content.diagnosis, conditions), *told] if text))


def diagnosis(record: Record, encounter: Resource | None, request: Resource) -> str:
    """Give the diagnosis of the visit, else the reason of the request."""
    return content.diagnoses(record.diagnoses(encounter))["CHAN_DOAN"] or reasons(record, request)


def accession(*resources: Resource) -> str:
    """Give the accession number, by which images are found."""
    for resource in resources:
        for one in resource.get("identifier", []):
            kinds = {coding.get("code") for coding in one.get("type", {}).get("coding", [])}
            if "ACSN" in kinds or one.get("system", "").endswith(_ACCESSION):
                number: str = one.get("value", "")
                return number
    return ""
