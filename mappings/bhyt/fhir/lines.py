"""What every line of XML2 and XML3 has: its ChargeItem, with amount, prices, shares, order and doers.

What R4 and the community guide have no element for stands in one extension of ours, `qd3176-line`, whose parts are called as
the fields. Unit price, insured amount and cost group stand where HL7 v2 (FT1) puts them.

Standard: QĐ 3176/QĐ-BYT XML2, XML3; community guide VN Core 0.6.0 (vn-ext-insurance-cost-info)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings import codes
from mappings.bhyt.fhir.case import Case
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import (
    DONG,
    code_in,
    concept,
    digits,
    digits_to_time,
    is_code,
    money,
    number,
    parts,
    time_to_digits,
)
from mappings.bhyt.money import OTHER_SOURCES
from mappings.bhyt.rows import Row
from mappings.bhyt.tables import code_list
from mappings.ids import resource_id
from mappings.outcome import Resource

SHARES = (*OTHER_SOURCES, "T_NGUONKHAC", "T_BNTT", "T_BNCCT", "T_BHTT")
"""Who pays a line, as fields of `qd3176-line`."""
ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
_ORDERER = concept("OP", "http://terminology.hl7.org/CodeSystem/v2-0912", "Ordering Provider")
_INFO = {"TYLE_TT_BH": "paymentRatio", "MUC_HUONG": "benefitLevel"}
_SCOPES = frozenset({"1", "2", "3"})
_NATIONAL = {"MA_PTTT": "vn-payment-method-cs"}
"""Coded field → the community guide's own list of it."""

MAPPED = {
    "MA_LK": "ChargeItem.identifier | ChargeItem.context",
    "STT": "ChargeItem.identifier",
    "MA_NHOM": "ChargeItem.extension(cost-group)",
    "DON_VI_TINH": "ChargeItem.quantity.unit",
    "SO_LUONG": "ChargeItem.quantity.value",
    "PHAM_VI": "ChargeItem.extension(vn-ext-insurance-cost-info).extension(scope)",
    "TYLE_TT_BH": "ChargeItem.extension(vn-ext-insurance-cost-info).extension(paymentRatio)",
    "MUC_HUONG": "ChargeItem.extension(vn-ext-insurance-cost-info).extension(benefitLevel)",
    "THANH_TIEN_BV": "ChargeItem.priceOverride",
    "THANH_TIEN_BH": "ChargeItem.extension(insurance-amount)",
    "MA_KHOA": "ChargeItem.performingOrganization",
    "MA_BAC_SI": "ChargeItem.performer.actor",
    "NGAY_TH_YL": "ChargeItem.occurrence",
}
"""Fields of both tables; `own` adds those of `qd3176-line`."""


def own(*fields: str) -> dict[str, str]:
    """Say where fields go that stand in `qd3176-line`."""
    return {field: f"ChargeItem.extension(qd3176-line).extension({field})" for field in fields}


class Form:
    """Which fields of a table stand in `qd3176-line`, and as what."""

    def __init__(
        self, price: str, amounts: Sequence[str], decimals: Sequence[str], coded: Sequence[str], texts: Sequence[str]
    ) -> None:
        self.price = price
        """The field of the hospital's unit price."""
        self.amounts = tuple(amounts)
        self.decimals = tuple(decimals)
        self.coded = tuple(coded)
        self.texts = tuple(texts)

    @property
    def mapped(self) -> dict[str, str]:
        """Field → where it goes, of a table with this form."""
        return {
            **MAPPED,
            self.price: "ChargeItem.extension(unit-price)",
            **own(*self.amounts, *self.decimals, *self.coded, *self.texts),
        }


def line_to_charge_item(case: Case, row: Row, n: int, form: Form) -> dict[str, Any]:
    """Make what every ChargeItem has; the table adds code, product and what was done."""
    item: dict[str, Any] = {
        "resourceType": "ChargeItem",
        "id": case.row_id("ChargeItem", n),
        "identifier": [case.row_identifier(n)],
        "status": "billable",
        "code": ABSENT,
        "subject": case.subject,
    }
    extensions = _extensions(case, row, form)
    if extensions:
        item["extension"] = extensions
    if case.encounter:
        item["context"] = {"reference": case.encounter}
    done = digits_to_time(row.get("NGAY_TH_YL", ""))
    ready = digits_to_time(row.get("NGAY_KQ", ""))
    if ready and (not done or done <= ready):
        item["occurrencePeriod"] = {"start": done, "end": ready} if done else {"end": ready}
    elif done:
        item["occurrenceDateTime"] = done
    people: list[Resource] = []
    for doctor in case.practitioners(row.get("MA_BAC_SI", "")):
        people.append({"function": _ORDERER, "actor": doctor})
    for doer in case.practitioners(row.get("NGUOI_THUC_HIEN", "")):
        people.append({"actor": doer})
    if people:
        item["performer"] = people
    department = row.get("MA_KHOA", "")
    if department:
        item["performingOrganization"] = _department(case, department)
    amount = number(row.get("SO_LUONG", ""))
    unit = row.get("DON_VI_TINH", "")
    if amount is not None:
        item["quantity"] = {"value": amount, "unit": unit} if unit else {"value": amount}
    elif unit:
        item["quantity"] = {"unit": unit}
    total = money(row.get("THANH_TIEN_BV", ""))
    if total:
        item["priceOverride"] = total
    return item


def _department(case: Case, code: str) -> Resource:
    system = case.local("organization")
    target = case.add(
        {
            "resourceType": "Organization",
            "id": resource_id("Organization", system, code),
            "identifier": [{"system": system, "value": code}],
        }
    )
    return {"reference": target}


def _extensions(case: Case, row: Row, form: Form) -> list[Resource]:
    found: list[Resource] = []
    group = row.get("MA_NHOM", "")
    if group:
        known = codes.table("ma-nhom").find(group)
        if known:
            system = f"{case.systems.national}/CodeSystem/vn-qd3176-cost-group-cs"
            found.append(
                {
                    "url": case.structure("cost-group"),
                    "valueCodeableConcept": concept(known.target, system, known.display),
                }
            )
    for name, field in (("unit-price", form.price), ("insurance-amount", "THANH_TIEN_BH")):
        value = number(row.get(field, ""))
        if value is not None:
            found.append({"url": case.structure(name), "valueMoney": {"value": value, "currency": DONG}})
    info: list[Resource] = []
    scope = row.get("PHAM_VI", "")
    if scope in _SCOPES:
        system = f"{case.systems.national}/CodeSystem/vn-insurance-scope-cs"
        info.append({"url": "scope", "valueCodeableConcept": concept(scope, system)})
    for field, name in _INFO.items():
        value = number(row.get(field, ""))
        if value is not None:
            info.append({"url": name, "valueDecimal": value})
    if info:
        found.append({"url": case.national("vn-ext-insurance-cost-info"), "extension": info})
    line = _line(case, row, form)
    if line:
        found.append({"url": case.structure("qd3176-line"), "extension": line})
    return found


def _line(case: Case, row: Row, form: Form) -> list[Resource]:
    found: list[Resource] = []
    for field in form.amounts:
        value = number(row.get(field, ""))
        if value is not None:
            found.append({"url": field, "valueMoney": {"value": value, "currency": DONG}})
    for field in form.decimals:
        value = number(row.get(field, ""))
        if value is not None:
            found.append({"url": field, "valueDecimal": value})
    for field in form.coded:
        code = row.get(field, "")
        if code and is_code(code):
            listed = code_list(field)
            known = listed.find(code) if listed else None
            system = f"{case.systems.national}/CodeSystem/{_NATIONAL[field]}" if field in _NATIONAL else ""
            coding = {"system": system or case.code_system(field), "code": code}
            found.append({"url": field, "valueCoding": coding | {"display": known.vi} if known else coding})
    for field in form.texts:
        text = row.get(field, "")
        if text:
            found.append({"url": field, "valueString": text})
    return found


def charge_item_to_line(dossier: Dossier, item: Resource, n: int, form: Form) -> dict[str, str]:
    """Give the fields that every line has, of a ChargeItem that came by XML or HL7 v2."""
    row = {"MA_LK": dossier.number, "STT": str(n)}
    for one in item.get("extension", ()):
        name = one["url"].rpartition("/")[2]
        if name == "qd3176-line":
            _read_line(one["extension"], row)
        elif name == "vn-ext-insurance-cost-info":
            for part in one["extension"]:
                if part["url"] == "scope":
                    row["PHAM_VI"] = code_in(part.get("valueCodeableConcept"), "/vn-insurance-scope-cs")
                for field, told in _INFO.items():
                    if part["url"] == told:
                        row[field] = digits(part.get("valueDecimal"))
        elif name == "cost-group":
            row["MA_NHOM"] = code_in(one.get("valueCodeableConcept"), "/vn-qd3176-cost-group-cs")
        elif name == "unit-price":
            row[form.price] = digits(one["valueMoney"].get("value"))
        elif name == "insurance-amount":
            row["THANH_TIEN_BH"] = digits(one["valueMoney"].get("value"))
    amount = item.get("quantity", {})
    row["SO_LUONG"] = digits(amount.get("value"))
    row["DON_VI_TINH"] = amount.get("unit", "")
    row["THANH_TIEN_BV"] = digits(item.get("priceOverride", {}).get("value"))
    performers = item.get("performer", ())
    row["MA_BAC_SI"] = dossier.licences([one["actor"] for one in performers if _orders(one)])
    row["NGUOI_THUC_HIEN"] = dossier.licences([one["actor"] for one in performers if not _orders(one)])
    period = item.get("occurrencePeriod", {})
    row["NGAY_TH_YL"] = time_to_digits(item.get("occurrenceDateTime") or period.get("start", ""))
    row["NGAY_KQ"] = time_to_digits(period.get("end", ""))
    row["MA_KHOA"] = _department_of(dossier, item)
    return row


def _read_line(told: Sequence[Resource], row: dict[str, str]) -> None:
    for part in told:
        name = part["url"]
        if "valueMoney" in part:
            row[name] = digits(part["valueMoney"].get("value"))
        elif "valueString" in part:
            row[name] = part["valueString"]
        elif "valueCoding" in part:
            row[name] = part["valueCoding"].get("code", "")
        else:
            row[name] = digits(part.get("valueDecimal"))


def _orders(performer: Resource) -> bool:
    return any(coding.get("code") == "OP" for coding in performer.get("function", {}).get("coding", ()))


def _department_of(dossier: Dossier, item: Resource) -> str:
    """Give MA_KHOA: who did it when that is a department, else who bears the cost."""
    for name in ("performingOrganization", "costCenter"):
        place = (dossier.record.follow(item[name]) if name in item else None) or {}
        for identifier in place.get("identifier", ()):
            if identifier.get("system", "").endswith(("/organization", "/department")):
                value: str = identifier["value"]
                return value
    return ""


def requested(dossier: Dossier, item: Resource) -> Resource:
    """Give the order a ChargeItem goes back to, by reference or by its number; an empty resource when none is known."""
    for one in item.get("supportingInformation", ()):
        found = dossier.record.follow(one)
        if found and found["resourceType"] in ("MedicationRequest", "ServiceRequest"):
            return found
        number_told = one.get("identifier", {})
        if number_told.get("value"):
            for kind in ("MedicationRequest", "ServiceRequest"):
                for request in dossier.of_visit(kind):
                    if any(
                        i.get("system") == number_told.get("system") and i.get("value") == number_told["value"]
                        for i in request.get("identifier", ())
                    ):
                        return request
    return {}


def ordered_at(case: Case, row: Row, item: dict[str, Any]) -> None:
    """Keep with a ChargeItem when it was ordered, where there is no order."""
    at = digits_to_time(row.get("NGAY_YL", ""))
    if at:
        item.setdefault("extension", []).append({"url": case.structure("ordered-at"), "valueDateTime": at})


def code_and_words(case: Case, field: str, code: str, text: str) -> Resource:
    """Give a CodeableConcept of a field's code and its words; nothing of neither."""
    made: Resource = {}
    if code and is_code(code):
        made["coding"] = [{"system": case.code_system(field), "code": code}]
    if text:
        made["text"] = text
    return made


def reasons(case: Case, row: Row, icd10: str) -> list[Resource]:
    """Give the diseases a service was for."""
    listed = ((code, icd10) for code in parts(row.get("MA_BENH", "")))
    traditional = ((code, case.code_system("MA_BENH_YHCT")) for code in parts(row.get("MA_BENH_YHCT", "")))
    return [concept(code, system) for code, system in (*listed, *traditional) if is_code(code)]
