"""What a visit is charged for: its charge items after credits.

A credit takes a charge of the same thing back, the newest first, or a part of its quantity. One that takes back more than was
charged stays as a line below nought, so that a person sees it: nothing is dropped. Does not decide what insurance pays.

Standard: HL7 v2.5.1 §6.5.1.6 (FT1-6: CG, CD), FHIR R4 ChargeItem
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mappings.documents.record import Record
from mappings.outcome import Resource

_AMOUNT = "insurance-amount"


def charges(record: Record, encounter: Resource) -> list[Resource]:
    """Give the charges of a visit in the order of their times; none of the record's resources is changed."""
    visit = f"Encounter/{encounter['id']}"
    own = [one for one in record.all("ChargeItem") if one.get("context", {}).get("reference") == visit]
    own.sort(key=lambda one: (_at(one), one["id"]))
    kept = [one for one in own if one.get("status") in ("billable", "billed", "planned")]
    for credit in own:
        if credit.get("status") == "aborted" and _number(credit) < 0:
            _take_back(kept, credit)
    return kept


def _take_back(kept: list[Resource], credit: Resource) -> None:
    wanted = -_number(credit)
    for n in range(len(kept) - 1, -1, -1):
        charge = kept[n]
        if _thing(charge) == _thing(credit) and 0 < wanted <= _number(charge):
            if wanted == _number(charge):
                del kept[n]
            else:
                kept[n] = _reduced(charge, wanted)
            return
    kept.append(credit)


def _reduced(charge: Resource, by: Decimal) -> Resource:
    """Charge for less: amounts go down in the same proportion."""
    before = _number(charge)
    share = (before - by) / before
    quantity = charge["quantity"] | {"value": before - by}
    extension = [
        _scaled(one, share) if one.get("url", "").endswith(f"/{_AMOUNT}") else one
        for one in charge.get("extension", [])
    ]
    found = charge | {"quantity": quantity, "extension": extension}
    if "priceOverride" in charge:
        found["priceOverride"] = _times(charge["priceOverride"], share)
    return found


def _scaled(extension: dict[str, Any], share: Decimal) -> dict[str, Any]:
    return extension | {"valueMoney": _times(extension["valueMoney"], share)}


def _times(money: dict[str, Any], share: Decimal) -> dict[str, Any]:
    exact = money["value"] * share
    return money | {
        "value": exact.quantize(Decimal("0.01")) if exact != exact.to_integral_value() else exact.quantize(Decimal(1))
    }


def _number(item: Resource) -> Decimal:
    found: Decimal = item.get("quantity", {}).get("value", Decimal())
    return found


def _thing(item: Resource) -> tuple[tuple[str, str], ...]:
    codings = item.get("code", {}).get("coding", [])
    return tuple(sorted((one.get("system", ""), one.get("code", "")) for one in codings))


def _at(item: Resource) -> str:
    at: str = item.get("occurrenceDateTime") or item.get("occurrencePeriod", {}).get("start", "")
    return at
