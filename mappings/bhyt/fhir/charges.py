"""Charges that came by HL7 v2 (FT1) as lines of XML2 and XML3: which of them, and what order, visit and arithmetic add.

What nobody told stays empty: no ratio, benefit level or registration number is assumed. What follows from what was told is
written: shares from the level, the insured price where the insured amount is the whole or nothing, the unit of a service.

Standard: QĐ 3176/QĐ-BYT XML2, XML3; HL7 v2.5.1 §6.5.1
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from mappings.bhyt.faults import CreditUnmatched
from mappings.bhyt.fhir import lines
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import code_in, extension, number, time_to_digits
from mappings.bhyt.money import OTHER_SOURCES, line_amounts, split, written
from mappings.documents import medicines, wording
from mappings.documents.charges import charges
from mappings.documents.record import icd10
from mappings.outcome import Resource
from mappings.systems import LOINC, SNOMED

_TOLD = ("PHAM_VI", "TYLE_TT_DV", "TYLE_TT_BH", "MUC_HUONG", "MA_PTTT", "NGUON_CTRA")
"""Fields of a line that a site may tell once for the visit."""
_TOLD_IN_ORDER = ("SO_DANG_KY", "TT_THAU", "DUONG_DUNG", "HAM_LUONG")
"""Fields of a medicine that may be told inside its order."""
_MEDICINES = frozenset({"4", "5", "6", "7", "17"})
"""MA_NHOM of medicines and blood: lines of XML2; all others are lines of XML3."""
_UNITS = dict.fromkeys(("1", "2", "3", "8", "9", "13", "18"), "Lần") | dict.fromkeys(("14", "15", "16"), "Ngày")
"""MA_NHOM of services → what they are counted in, by convention."""
_UNORDERED = frozenset({"13", "14", "15", "16"})
"""Examinations and beds: nobody orders them, they are ordered when they begin."""
_INTERNATIONAL = (LOINC, SNOMED, "hl7.org/fhir/sid")


def of_visit(dossier: Dossier, *, medicine: bool) -> list[Resource]:
    """Give the charges of a visit none of which came as XML: those of medicines, or all others, in the order of their times.

    A credit takes away the charge it gives back. Raises CreditUnmatched for one that gives back no charge.
    """
    if dossier.rows("XML1", "Claim") or dossier.rows("XML2", "ChargeItem") or dossier.rows("XML3", "ChargeItem"):
        return []
    kept = charges(dossier.record, dossier.encounter) if dossier.encounter else []
    if any(_amount(one) < 0 for one in kept):
        raise CreditUnmatched("ChargeItem.priceOverride")
    found = [one for one in kept if is_medicine(one) == medicine]
    return sorted(found, key=lambda one: (_when(one), one["id"]))


def _amount(item: Resource) -> Any:
    return item.get("priceOverride", {}).get("value", item.get("quantity", {}).get("value", 0))


def is_medicine(item: Resource) -> bool:
    """Tell whether a charge stands in XML2."""
    group = code_in(extension(item, "/cost-group").get("valueCodeableConcept"), "/vn-qd3176-cost-group-cs")
    return group in _MEDICINES or (not group and "productCodeableConcept" in item)


def _when(item: Resource) -> str:
    period = item.get("occurrencePeriod", {})
    when: str = item.get("occurrenceDateTime") or period.get("start") or item.get("enteredDate", "")
    return when


def complete_medicine(dossier: Dossier, item: Resource, row: dict[str, str]) -> None:
    """Add to a line of XML2 what its order tells, the visit tells, and what follows."""
    product = item.get("productCodeableConcept", {})
    row["MA_THUOC"] = row["MA_THUOC"] or own_code(product) or own_code(item["code"])
    row["TEN_THUOC"] = wording.concept(product) or wording.concept(item["code"])
    resources = dossier.record.by_reference
    request = lines.requested(dossier, item) or _prescribed(dossier, row["MA_THUOC"])
    if request:
        for field in _TOLD_IN_ORDER:
            row[field] = row.get(field) or medicines.told(request, field, resources)
        medication = dossier.record.follow(request.get("medicationReference")) or {}
        dosage: Resource = next(iter(request.get("dosageInstruction", ())), {})
        row["DANG_BAO_CHE"] = row["DANG_BAO_CHE"] or wording.concept(medication.get("form"))
        row["DON_VI_TINH"] = row["DON_VI_TINH"] or wording.unit(request.get("dispenseRequest", {}).get("quantity", {}))
        row["LIEU_DUNG"] = _dose(request, dosage) or medicines.use(request)
        row["CACH_DUNG"] = row["CACH_DUNG"] or dosage.get("text", "")
    _complete(dossier, "XML2", request, row)


def _prescribed(dossier: Dossier, code: str) -> Resource:
    """Give the order of a medicine by its code, when there is one alone."""
    resources = dossier.record.by_reference
    found = [
        one
        for one in dossier.of_visit("MedicationRequest")
        if code
        and own_code(medicines.medicine_code(one, resources)) == code
        and one.get("status") not in medicines.GONE
    ]
    return found[0] if len(found) == 1 else {}


def _dose(request: Resource, dosage: Resource) -> str:
    """Write amount, times and days as `2 viên/lần * 2 lần/ngày * 5 ngày [4 viên/ngày]`; `""` unless all are told."""
    given: Resource = next((one["doseQuantity"] for one in dosage.get("doseAndRate", ()) if "doseQuantity" in one), {})
    repeat = dosage.get("timing", {}).get("repeat", {})
    times, days = repeat.get("frequency"), medicines.days([request])
    daily = repeat.get("period") == 1 and repeat.get("periodUnit") == "d"
    unit = wording.unit(given)
    if not (times and days and daily and unit and "value" in given):
        return ""
    total = written(Decimal(given["value"]) * times)
    return f"{wording.amount(given)} {unit}/lần * {times} lần/ngày * {days} ngày [{total} {unit}/ngày]"


def complete_service(dossier: Dossier, item: Resource, row: dict[str, str]) -> None:
    """Add to a line of XML3 what its order tells, the visit tells, and what follows."""
    row["MA_DICH_VU"] = row["MA_DICH_VU"] or own_code(item["code"])
    row["TEN_DICH_VU"] = row["TEN_DICH_VU"] or wording.concept(item["code"])
    row["MA_VAT_TU"] = row["MA_VAT_TU"] or own_code(item.get("productCodeableConcept", {}))
    row["DON_VI_TINH"] = row["DON_VI_TINH"] or _UNITS.get(row.get("MA_NHOM", ""), "")
    if not row["MA_BENH"]:
        row["MA_BENH"] = next((icd10(one) for one in dossier.record.diagnoses(dossier.encounter)[:1]), "")
    if row.get("MA_NHOM") in _UNORDERED and not row["NGAY_YL"]:
        row["NGAY_YL"] = row["NGAY_TH_YL"]
    request = lines.requested(dossier, item) or _ordered(dossier, row["MA_DICH_VU"], row["NGAY_TH_YL"])
    _complete(dossier, "XML3", request, row)
    if not row.get("DON_GIA_BH"):
        row["DON_GIA_BH"] = _insured_price(row)


def _ordered(dossier: Dossier, code: str, done: str) -> Resource:
    """Give the order of a service by its code, when there is one alone that is not later than the service."""
    orders = dossier.of_visit("ServiceRequest")
    found = [
        one
        for one in orders
        if code
        and own_code(one.get("code", {})) == code
        and not (done and time_to_digits(one.get("authoredOn", "")) > done)
    ]
    return found[0] if len(found) == 1 else {}


def _insured_price(row: Mapping[str, str]) -> str:
    """Give DON_GIA_BH where it follows: the hospital's price when the whole is insured at 100 %, nought when nothing is."""
    total, insured = number(row.get("THANH_TIEN_BV", "")), number(row.get("THANH_TIEN_BH", ""))
    if insured == 0:
        return "0"
    whole = total == insured and row.get("TYLE_TT_BH") == "100"
    return row.get("DON_GIA_BV", "") if whole else ""


def _complete(dossier: Dossier, name: str, request: Resource, row: dict[str, str]) -> None:
    for field in _TOLD:
        if not row.get(field):
            row[field] = dossier.codes(field)
    row["MA_BAC_SI"] = row["MA_BAC_SI"] or dossier.licence(request.get("requester"))
    row["NGAY_YL"] = row["NGAY_YL"] or time_to_digits(request.get("authoredOn", ""))
    total, insured, level = (number(row.get(field, "")) for field in ("THANH_TIEN_BV", "THANH_TIEN_BH", "MUC_HUONG"))
    computed: dict[str, Decimal] = {}
    if total is None or insured is None:
        computed = line_amounts(name, row, dossier.decision)
    elif level is not None:
        computed = dict(zip(("T_BHTT", "T_BNCCT", "T_BNTT", "T_NGUONKHAC"), split(total, insured, level), strict=True))
    if "T_BHTT" in computed:
        computed |= dict.fromkeys(OTHER_SOURCES, Decimal(0))
    for field, amount in computed.items():
        if not row.get(field):
            row[field] = written(amount)


def own_code(told: Resource) -> str:
    """Give the first code of a CodeableConcept that is of no international list."""
    codings = told.get("coding", ())
    return next(
        (c["code"] for c in codings if c.get("code") and not any(one in c.get("system", "") for one in _INTERNATIONAL)),
        "",
    )
