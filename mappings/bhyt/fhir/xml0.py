"""XML0, the check-in: the visit in progress, the cards, and what was charged first, as a CoverageEligibilityRequest per row.

It travels without the envelope, and is not made of a record by `record_to_visit` unless it came as XML: `check_in` makes it.

Standard: QĐ 4750/QĐ-BYT (check-in); second-hand
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.bhyt.fhir import charges, paper, person, programme, stay
from mappings.bhyt.fhir.case import Case, TableMap
from mappings.bhyt.fhir.dossier import Dossier
from mappings.bhyt.fhir.forms import compact, concept, digits_to_time, is_code, time_to_digits
from mappings.bhyt.fhir.paper import FIELD
from mappings.bhyt.rows import Row
from mappings.documents import wording
from mappings.documents.first_cost import cost_at, cost_code, first_cost
from mappings.outcome import Resource

_KINDS = {"DICH_VU": "service", "THUOC": "medicine", "VAT_TU": "supply"}
"""What a check-in may name first: end of the field's name → category."""
_PERSON = ("MA_BN", "HO_TEN", "SO_CCCD", "NGAY_SINH", "GIOI_TINH")
_CARD = ("MA_THE_BHYT", "MA_DKBD", "GT_THE_TU", "GT_THE_DEN")
MAPPED = {
    "MA_LK": "Encounter.identifier",
    "STT": "CoverageEligibilityRequest.identifier",
    "MA_BN": "Patient.identifier",
    "HO_TEN": "Patient.name",
    "SO_CCCD": "Patient.identifier",
    "NGAY_SINH": "Patient.birthDate",
    "GIOI_TINH": "Patient.gender",
    "MA_THE_BHYT": "Coverage.subscriberId",
    "MA_DKBD": "Coverage.extension(vn-ext-primary-care-facility)",
    "GT_THE_TU": "Coverage.period.start",
    "GT_THE_DEN": "Coverage.period.end",
    "MA_DOITUONG_KCB": FIELD,
    "NGAY_VAO": "Encounter.period.start",
    "NGAY_VAO_NOI_TRU": FIELD,
    "LY_DO_VNT": FIELD,
    "MA_LY_DO_VNT": FIELD,
    "MA_LOAI_KCB": "Encounter.type",
    "MA_CSKCB": "Encounter.serviceProvider",
    "NGAY_YL": "CoverageEligibilityRequest.created",
    **{f"MA_{end}": "CoverageEligibilityRequest.item.productOrService.coding" for end in _KINDS},
    **{f"TEN_{end}": "CoverageEligibilityRequest.item.productOrService.text" for end in _KINDS},
}
_ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


def read(case: Case, rows: Sequence[Row]) -> list[Resource]:
    paper.complete(case)
    coverages = person.rows_to_coverages(case, person.told_of(case))
    found = []
    for n, row in enumerate(rows, 1):
        paper.tell_codes(case, row, MA_DOITUONG_KCB="MA_DOITUONG_KCB", MA_LY_DO_VNT="")
        paper.tell_texts(case, row, "LY_DO_VNT")
        paper.tell_times(case, row, "NGAY_VAO_NOI_TRU")
        found.append(case.get(case.add(_request(case, n, row, coverages))))
    return found


def _request(case: Case, n: int, row: Row, coverages: Sequence[str]) -> Resource:
    ordered = digits_to_time(row.get("NGAY_YL", ""))
    made: dict[str, Any] = {
        "resourceType": "CoverageEligibilityRequest",
        "id": case.row_id("CoverageEligibilityRequest", n),
        "identifier": [case.row_identifier(n)],
        "status": "active",
        "purpose": ["validation"],
        "patient": programme.subject(case),
        "created": ordered,
        "provider": case.organization(case.facility) if case.facility else {},
        "insurer": {"display": person.INSURER},
        "insurance": [{"coverage": {"reference": one}} for one in coverages],
        "item": [item for end in _KINDS if (item := _item(case, row, end))],
    }
    return compact(made) | ({} if ordered else {"_created": {"extension": [_ABSENT]}})


def _item(case: Case, row: Row, end: str) -> Resource:
    code, name = row.get(f"MA_{end}", ""), row.get(f"TEN_{end}", "")
    said = concept(code, case.code_system(f"MA_{end}")) if is_code(code) else {}
    said |= {"text": name} if name else {}
    kind = concept(_KINDS[end], f"{case.systems.own}/CodeSystem/check-in-item")
    return {"category": kind, "productOrService": said} if said else {}


def write(dossier: Dossier) -> list[tuple[Resource, dict[str, str]]]:
    """Give the rows that came as XML."""
    mains = dossier.rows("XML0", "CoverageEligibilityRequest")
    return [(main, _row(dossier, n, main)) for n, main in enumerate(mains, 1)]


def _row(dossier: Dossier, n: int, main: Resource) -> dict[str, str]:
    items = {programme.code_of(one.get("category")): one["productOrService"] for one in main.get("item", [])}
    named = [card for one in main.get("insurance", []) if (card := dossier.record.follow(one.get("coverage")))]
    return compact(
        {
            **_visit(dossier, person.cards(dossier, named)),
            "STT": str(n),
            "NGAY_YL": time_to_digits(main.get("created", "")),
            **{f"MA_{end}": programme.code_of(items.get(kind)) for end, kind in _KINDS.items()},
            **{f"TEN_{end}": items.get(kind, {}).get("text", "") for end, kind in _KINDS.items()},
        }
    )


def _visit(dossier: Dossier, cards: dict[str, str]) -> dict[str, str]:
    whole = {**person.identity(dossier), **cards, **stay.stay(dossier)}
    names = (*_PERSON, *_CARD, "MA_LK", "NGAY_VAO", "MA_LOAI_KCB", "MA_CSKCB")
    told = dossier.record.field_parts("NGAY_VAO_NOI_TRU", dossier.encounter)
    return {
        **{name: whole.get(name, "") for name in names},
        "MA_DOITUONG_KCB": dossier.codes("MA_DOITUONG_KCB"),
        "MA_LY_DO_VNT": dossier.codes("MA_LY_DO_VNT"),
        "LY_DO_VNT": dossier.field("LY_DO_VNT"),
        "NGAY_VAO_NOI_TRU": time_to_digits(next(iter(told), {}).get("valueDateTime", "")),
    }


def check_in(dossier: Dossier, cost: Resource | None = None) -> dict[str, str]:
    """Make the check-in of a visit of `cost`, else of what was ordered or charged first; empty while nothing was."""
    cost = cost or (first_cost(dossier.record, dossier.encounter) if dossier.encounter else None)
    if cost is None:
        return {}
    end, code = _named(dossier, cost)
    return compact(
        {
            **_visit(dossier, paper.cards(dossier)),
            "NGAY_VAO_NOI_TRU": time_to_digits(wording.told_moment(dossier.field("NGAY_VAO_NOI_TRU"))),
            "STT": "1",
            "NGAY_YL": time_to_digits(cost_at(cost)),
            f"MA_{end}": charges.own_code(code),
            f"TEN_{end}": wording.concept(code),
        }
    )


def _named(dossier: Dossier, cost: Resource) -> tuple[str, Resource]:
    """Give what a cost is for: the end of the fields' names, and its code."""
    code, product = cost_code(cost, dossier.record.by_reference), cost.get("productCodeableConcept", {})
    if cost["resourceType"] == "MedicationRequest":
        return "THUOC", code
    if cost["resourceType"] == "ServiceRequest":
        return "DICH_VU", code
    if charges.is_medicine(cost):
        return "THUOC", product or code
    return ("VAT_TU", product) if charges.own_code(product) and not charges.own_code(code) else ("DICH_VU", code)


TABLE = TableMap("XML0", read, write, MAPPED)
