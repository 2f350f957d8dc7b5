"""What every line of XML2 and XML3 has: its ChargeItem, with amount, prices, shares, order and doers.

What R4 and the community guide have no element for stands in one extension of ours, `qd3176-line`, whose parts are called as
the fields. Unit price, insured amount and cost group stand where HL7 v2 (FT1) puts them.

Standard: QĐ 3176/QĐ-BYT XML2, XML3; community guide VN Core 0.6.0 (vn-ext-insurance-cost-info)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
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
from mappings.fhir.shared import Shared
from mappings.outcome import Resource

SHARES = (*OTHER_SOURCES, "T_NGUONKHAC", "T_BNTT", "T_BNCCT", "T_BHTT")
"""Who pays a line, as fields of `qd3176-line`."""
ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
_ORDERER = Shared(concept("OP", "http://terminology.hl7.org/CodeSystem/v2-0912", "Ordering Provider"))
_INFO = {"paymentRatio": "TYLE_TT_BH", "benefitLevel": "MUC_HUONG"}
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
        self.numbers = (*((field, _amount) for field in amounts), *((field, _decimal) for field in decimals))
        self.coded = tuple(coded)
        self.texts = tuple(texts)

    @property
    def mapped(self) -> dict[str, str]:
        """Field → where it goes, of a table with this form."""
        return {
            **MAPPED,
            self.price: "ChargeItem.extension(unit-price)",
            **own(*(field for field, _ in self.numbers), *self.coded, *self.texts),
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
        item["performingOrganization"] = {
            "reference": case.numbered("Organization", case.local("organization"), department)
        }
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


def _extensions(case: Case, row: Row, form: Form) -> list[Resource]:
    """Say what has no element; the same parts come in line after line, and are made and checked once."""
    own, national = case.systems.own, case.systems.national
    told = (
        _group(_short(row, "MA_NHOM"), own, national),
        _amount(f"{own}/StructureDefinition/unit-price", _short(row, form.price)),
        _amount(f"{own}/StructureDefinition/insurance-amount", _short(row, "THANH_TIEN_BH")),
        _cost_info(_short(row, "PHAM_VI"), _short(row, "TYLE_TT_BH"), _short(row, "MUC_HUONG"), national),
    )
    found: list[Resource] = [one for one in told if one is not None]
    line = _line(case, row, form)
    if line:
        found.append({"url": case.structure("qd3176-line"), "extension": line})
    return found


_LONGEST = 30
"""No amount and no code of a line is longer; what was looked up is kept, and must not be of any length."""


def _short(row: Row, field: str) -> str:
    text = row.get(field, "")
    return text if len(text) <= _LONGEST else ""


@lru_cache(maxsize=256)
def _group(code: str, own: str, national: str) -> Shared | None:
    known = codes.table("ma-nhom").find(code) if code else None
    if known is None:
        return None
    value = concept(known.target, f"{national}/CodeSystem/vn-qd3176-cost-group-cs", known.display)
    return Shared({"url": f"{own}/StructureDefinition/cost-group", "valueCodeableConcept": value})


codes.when_changed(_group.cache_clear)


@lru_cache(maxsize=4096)
def _amount(url: str, text: str) -> Shared | None:
    value = number(text)
    return None if value is None else Shared({"url": url, "valueMoney": {"value": value, "currency": DONG}})


@lru_cache(maxsize=1024)
def _cost_info(scope: str, ratio: str, level: str, national: str) -> Shared | None:
    info: list[Resource] = []
    if scope in _SCOPES:
        value = concept(scope, f"{national}/CodeSystem/vn-insurance-scope-cs")
        info.append({"url": "scope", "valueCodeableConcept": value})
    for name, text in zip(_INFO, (ratio, level), strict=True):
        part = number(text)
        if part is not None:
            info.append({"url": name, "valueDecimal": part})
    url = f"{national}/StructureDefinition/vn-ext-insurance-cost-info"
    return Shared({"url": url, "extension": info}) if info else None


@lru_cache(maxsize=1024)
def _decimal(field: str, text: str) -> Shared | None:
    value = number(text)
    return None if value is None else Shared({"url": field, "valueDecimal": value})


@lru_cache(maxsize=1024)
def _coded(field: str, code: str, own: str) -> Shared | None:
    if not is_code(code):
        return None
    listed = code_list(field)
    known = listed.find(code) if listed else None
    coding = {"system": own, "code": code}
    return Shared({"url": field, "valueCoding": coding | {"display": known.vi} if known else coding})


def _line(case: Case, row: Row, form: Form) -> list[Resource]:
    get = row.get
    found: list[Resource | None] = [
        made(field, text) for field, made in form.numbers if (text := get(field)) and len(text) <= _LONGEST
    ]
    for field in form.coded:
        if text := _short(row, field):
            system = f"{case.systems.national}/CodeSystem/{_NATIONAL[field]}" if field in _NATIONAL else ""
            found.append(_coded(field, text, system or case.code_system(field)))
    for field in form.texts:
        if row.get(field):
            found.append({"url": field, "valueString": row[field]})
    return [one for one in found if one is not None]


def charge_item_to_line(dossier: Dossier, item: Resource, n: int, form: Form) -> dict[str, str]:
    """Give the fields that every line has, of a ChargeItem that came by XML or HL7 v2."""
    row = {"MA_LK": dossier.number, "STT": str(n)}
    for one in item.get("extension", ()):
        name = one["url"].rpartition("/")[2]
        if name == "qd3176-line":
            _read_line(one["extension"], row)
        elif name == "vn-ext-insurance-cost-info":
            for part in one["extension"]:
                told = part["url"]
                if told == "scope":
                    row["PHAM_VI"] = code_in(part.get("valueCodeableConcept"), "/vn-insurance-scope-cs")
                elif told in _INFO:
                    row[_INFO[told]] = digits(part.get("valueDecimal"))
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
    orderers: list[Resource] = []
    doers: list[Resource] = []
    for one in item.get("performer", ()):
        (orderers if "function" in one and _orders(one["function"]) else doers).append(one["actor"])
    row["MA_BAC_SI"], row["NGUOI_THUC_HIEN"] = dossier.licences(orderers), dossier.licences(doers)
    period = item.get("occurrencePeriod", {})
    row["NGAY_TH_YL"] = time_to_digits(item.get("occurrenceDateTime") or period.get("start", ""))
    row["NGAY_KQ"] = time_to_digits(period.get("end", ""))
    row["MA_KHOA"] = _department_of(dossier, item)
    return row


def _read_line(told: Sequence[Resource], row: dict[str, str]) -> None:
    for part in told:
        name = part["url"]
        amount = part.get("valueMoney")
        if amount is not None:
            row[name] = digits(amount.get("value"))
        elif "valueString" in part:
            row[name] = part["valueString"]
        elif "valueCoding" in part:
            row[name] = part["valueCoding"].get("code", "")
        else:
            row[name] = digits(part.get("valueDecimal"))


def _orders(function: Resource) -> bool:
    return any(coding.get("code") == "OP" for coding in function.get("coding", ()))


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
