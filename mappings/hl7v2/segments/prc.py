"""PRC: what something costs, where, for whom, and from when.

Standard: HL7 v2.5.1 §8.10.3
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.codings import v2_coding
from mappings.hl7v2.cost_groups import group_to_extension, names_group
from mappings.hl7v2.datatypes import Element, code_of, compact, period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.money import mo_to_money, one_cp_to_money
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.segments import BILLING
from mappings.hl7v2.site import replaceable
from mappings.outcome import Resource

MAPPED = {
    2: "ChargeItemDefinition.propertyGroup.applicability.description",
    3: "ChargeItemDefinition.propertyGroup.applicability.description",
    4: "ChargeItemDefinition.propertyGroup.applicability.description",
    5: "ChargeItemDefinition.propertyGroup.priceComponent.amount",
    7: "ChargeItemDefinition.propertyGroup.applicability.description",
    8: "ChargeItemDefinition.propertyGroup.applicability.description",
    9: "ChargeItemDefinition.propertyGroup.priceComponent.amount",
    10: "ChargeItemDefinition.propertyGroup.priceComponent.amount",
    11: "ChargeItemDefinition.effectivePeriod.start | ChargeItemDefinition.propertyGroup.applicability.description",
    12: "ChargeItemDefinition.effectivePeriod.end | ChargeItemDefinition.propertyGroup.applicability.description",
    14: "ChargeItemDefinition.extension(cost-group)",
}
IGNORED = {
    1: "key of the record; CDM-1 names it",
    6: "formula in a language of the sender",
    13: "whether the price may be changed; a charge carries its own",
    14: "billing category of the sender; only a cost group (MA_NHOM) in it is of use",
    15: "whether it is charged at all; a charge that is made tells",
    16: "whether the price is in force; one that is not is left out",
} | dict.fromkeys((17, 18), BILLING)

_OUT = "price that is no longer in force"


@replaceable
def prc_to_property_group(prc: Segment, definition: Resource, draft: Draft) -> None:
    """Add the price to the ChargeItemDefinition; one that is no longer in force is left out."""
    if codes.table("v2-0183").target(code_of(prc.peek(16).text).upper()) == "false":
        for n in prc.fields:
            prc.ignore(n, _OUT)
        return
    group = next((found for cwe in prc.peek(14).repetitions if (found := names_group(cwe))), "")
    if group:
        _ = prc[14]
        definition.setdefault("extension", group_to_extension(group, draft))
    span = period(draft.day(prc, 11), draft.day(prc, 12))
    only = "propertyGroup" not in definition and "effectivePeriod" not in definition
    if only and span:
        definition["effectivePeriod"] = span
    where = [_named(prc, n, label) for n, label in ((2, "cơ sở"), (3, "khoa"), (4, "loại người bệnh"))]
    least, most = words(prc[7].text), words(prc[8].text)
    count = f"số lượng {least or '0'}–{most or '…'}" if least or most else ""
    when = "" if only or not span else f"từ {span.get('start', '…')} đến {span.get('end', '…')}"
    described = "; ".join(part for part in (*where, count, when) if part)
    prices = [
        {"type": "base", "code": _price_type(cp.c(2)), "amount": amount}
        for cp in prc[5].repetitions
        if (amount := one_cp_to_money(cp, prc, 5, draft))
    ]
    for n, name in ((9, "giá thấp nhất"), (10, "giá cao nhất")):
        amount = mo_to_money(prc, n, draft)
        if amount:
            prices.append({"type": "informational", "code": {"text": name}, "amount": amount})
    group_of = compact(
        {
            "applicability": [{"description": described}] if described else [],
            "priceComponent": [compact(price) for price in prices],
        }
    )
    if group_of:
        definition.setdefault("propertyGroup", []).append(group_of)


def _named(prc: Segment, n: int, label: str) -> str:
    found = []
    for cwe in prc[n].repetitions:
        said = words(cwe.c(2)) or code_of(cwe.c(1))
        if said:
            found.append(said)
    return f"{label} {', '.join(found)}" if found else ""


def _price_type(code: str) -> Element | None:
    code = code_of(code)
    coding = v2_coding("0205", code.upper())
    return {"coding": [coding]} if coding else {"text": code} if code else None
