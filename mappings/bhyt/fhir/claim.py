"""The settlement of XML1 as a Claim: which cards, the sums in đồng, and the month it is settled in.

The sums stand in the extensions of the community guide as far as it has names for them, the others in one of ours whose parts
are called as the fields. The lines are ChargeItems (XML2, XML3), not items of the Claim.
How many rows every table of the visit has stands here too (`qd3176-rows`): a visit that is sent again with fewer leaves the
others behind, and they count no more.

Standard: QĐ 3176/QĐ-BYT XML1; community guide VN Core 0.6.0 (vn-ext-claim-cost-summary, vn-ext-claim-payment-period)
"""

from __future__ import annotations

import re
from typing import Any

from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import (
    compact,
    concept,
    digits,
    digits_to_time,
    extension,
    money,
    time_to_digits,
)
from mappings.bhyt.rows import Row
from mappings.bhyt.visits import BARE
from mappings.outcome import Resource

_COMMUNITY = {
    "T_THUOC": "totalMedication",
    "T_VTYT": "totalSupplies",
    "T_BHTT": "totalInsurance",
    "T_BNCCT": "totalPatientCopay",
    "T_BNTT": "totalPatientSelfPay",
}
_OWN = ("T_TONGCHI_BH", "T_NGUONKHAC", "T_BHTT_GDV")
_PERIOD = {"NAM_QT": "year", "THANG_QT": "month"}
MAPPED = {
    "NGAY_TTOAN": "Claim.extension(payment-time)",
    **{field: f"Claim.extension(vn-ext-claim-cost-summary).extension({name})" for field, name in _COMMUNITY.items()},
    **{field: f"Claim.extension(qd3176-cost).extension({field})" for field in _OWN},
    "T_TONGCHI_BV": "Claim.total",
    **{field: f"Claim.extension(vn-ext-claim-payment-period).extension({name})" for field, name in _PERIOD.items()},
}
_TYPE = concept("institutional", "http://terminology.hl7.org/CodeSystem/claim-type", "Institutional")
_PRIORITY = concept("normal", "http://terminology.hl7.org/CodeSystem/processpriority", "Normal")
_ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
NO_CARD = "Không có thẻ BHYT"


def row_to_claim(case: Case, row: Row, coverages: list[str], n: int) -> Resource:
    """Make the Claim; of a visit without a card it names none."""
    created = digits_to_time(row.get("NGAY_TTOAN", "")) or digits_to_time(row.get("NGAY_RA", ""))
    referral = row.get("GIAY_CHUYEN_TUYEN", "")
    made: dict[str, Any] = {
        "resourceType": "Claim",
        "id": case.row_id("Claim", n),
        "extension": _extensions(case, row),
        "identifier": [case.row_identifier(n)],
        "status": "active",
        "type": _TYPE,
        "use": "claim",
        "patient": {"reference": case.patient} if case.patient else {"display": "không rõ"},
        "created": created,
        "_created": {} if created else _ABSENT,
        "provider": case.organization(case.facility) if case.facility else {"display": "không rõ"},
        "priority": _PRIORITY,
        "referral": _referral(case, referral) if referral else {},
        "insurance": [
            {"sequence": at, "focal": at == 1, "coverage": {"reference": reference}}
            for at, reference in enumerate(coverages, 1)
        ]
        or [{"sequence": 1, "focal": True, "coverage": {"display": NO_CARD}}],
        "total": money(row.get("T_TONGCHI_BV", "")),
    }
    return compact(made)


def _referral(case: Case, number: str) -> Resource:
    return {"type": "ServiceRequest", "identifier": {"system": case.local("referral"), "value": number}}


_YEAR = re.compile(r"[1-9]\d{3}")
_MONTH = re.compile(r"0?[1-9]|1[0-2]")


def _extensions(case: Case, row: Row) -> list[Resource]:
    found: list[Resource] = []
    community = [
        {"url": name, "valueMoney": amount}
        for field, name in _COMMUNITY.items()
        if (amount := money(row.get(field, "")))
    ]
    if community:
        found.append({"url": case.national("vn-ext-claim-cost-summary"), "extension": community})
    own = [{"url": field, "valueMoney": amount} for field in _OWN if (amount := money(row.get(field, "")))]
    if own:
        found.append({"url": case.structure("qd3176-cost"), "extension": own})
    period = [
        {"url": name, "valueInteger": int(row[field])}
        for (field, name), form in zip(_PERIOD.items(), (_YEAR, _MONTH), strict=True)
        if form.fullmatch(row.get(field, ""))
    ]
    if period:
        found.append({"url": case.national("vn-ext-claim-payment-period"), "extension": period})
    counts = [
        {"url": name, "valueInteger": len(rows)}
        for name, rows in case.visit.tables.items()
        if rows and name not in BARE
    ]
    found.append({"url": case.structure("qd3176-rows"), "extension": counts})
    paid = digits_to_time(row.get("NGAY_TTOAN", ""))
    if paid:
        found.append({"url": case.structure("payment-time"), "valueDateTime": paid})
    return found


def coverages(dossier: Dossier, claim: Resource) -> list[Resource]:
    """Give the cards a Claim names, in its order."""
    listed = sorted(claim.get("insurance", []), key=lambda one: one.get("sequence", 0))
    return [card for one in listed if (card := dossier.record.follow(one.get("coverage")))]


def settlement(dossier: Dossier, claim: Resource) -> dict[str, str]:
    """Give the sums and the month of a Claim."""
    community = _inner(claim, "/vn-ext-claim-cost-summary")
    own = _inner(claim, "/qd3176-cost")
    period = _inner(claim, "/vn-ext-claim-payment-period")
    return {
        "NGAY_TTOAN": time_to_digits(extension(claim, "/payment-time").get("valueDateTime", "")),
        **{field: _amount(community.get(name)) for field, name in _COMMUNITY.items()},
        **{field: _amount(own.get(field)) for field in _OWN},
        "T_TONGCHI_BV": digits(claim.get("total", {}).get("value")),
        **{field: digits(period.get(name, {}).get("valueInteger")) for field, name in _PERIOD.items()},
        "GIAY_CHUYEN_TUYEN": claim.get("referral", {}).get("identifier", {}).get("value", ""),
    }


def _inner(claim: Resource, end: str) -> dict[str, Resource]:
    return {one["url"]: one for one in extension(claim, end).get("extension", ())}


def _amount(told: Resource | None) -> str:
    return digits(told["valueMoney"].get("value")) if told else ""
