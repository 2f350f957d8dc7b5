"""The medicines of a prescription: which paper each belongs on, in which order they stand, and how each is written.

Writing rules of TT 26/2025/TT-BYT, article 6: a medicine of one active ingredient is written by its international name, with
the trade name in brackets; one of several by its trade name; amounts below ten have a leading zero, amounts of narcotics are
written in words too; toxic medicines come first. Does not look medicines up in a catalogue: what the HIS tells is written.

Which class a medicine is of (N narcotic, H psychotropic or precursor, D toxic, C any other) is told, in this order, by the
field LOAI_DON_THUOC of the order, by the last letter of the prescription's code, by the site's table `site-drug-class`.
Nobody says: C.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from mappings import codes
from mappings.documents import wording
from mappings.documents.number_words import amount_words
from mappings.documents.record import Record, is_field, owner, value_text
from mappings.ids import resource_id
from mappings.outcome import Resource

PAPERS = {"prescription": "C", "prescription_narcotic": "N", "prescription_psychotropic": "H"}
_CLASSES = {"N": "N", "H": "H", "D": "D"}
GONE = frozenset({"cancelled", "stopped", "entered-in-error", "draft"})
"""States of orders that are not in force."""
_CODE = re.compile(r"^[0-9A-Z]{5}[0-9A-Z]{7}-?([CNHYT])$", re.IGNORECASE)
_NUMBERS = ("/prescription", "/group")
_DIGITS = re.compile(r"(\d+)")
_PER = {"h": "giờ", "d": "ngày", "wk": "tuần", "mo": "tháng"}
_ROUTES = {
    "PO": "Uống",
    "SL": "Ngậm dưới lưỡi",
    "B": "Ngậm trong má",
    "IVINJ": "Tiêm tĩnh mạch",
    "IV": "Tiêm tĩnh mạch",
    "IM": "Tiêm bắp",
    "IDINJ": "Tiêm trong da",
    "SQ": "Tiêm dưới da",
    "IH": "Hít",
    "IN": "Xịt mũi",
    "NS": "Nhỏ mũi",
    "OP": "Nhỏ mắt",
    "OT": "Nhỏ tai",
    "PR": "Đặt hậu môn",
    "VG": "Đặt âm đạo",
    "TP": "Bôi ngoài da",
    "AP": "Dùng ngoài",
    "TRNSDERM": "Dán ngoài da",
}
"""Route code → words of a prescription; another route is written as it was told."""
_DAYS = {"d": 1, "wk": 7, "mo": 30}


def told(request: Resource, code: str, resources: Mapping[str, Resource]) -> str:
    """Give the text of a field told inside an order."""
    for one in request.get("supportingInformation", []):
        found = resources.get(one.get("reference", ""))
        if found and is_field(found, code):
            return value_text(found)
    return ""


def prescription_code(request: Resource, resources: Mapping[str, Resource]) -> str:
    """Give the code of the prescription, 14 characters, as it was told; never made up."""
    numbers = [told(request, "MA_DON_THUOC", resources)]
    numbers += [one.get("value", "") for one in _numbers(request)]
    return next((number for number in numbers if _CODE.match(number)), "")


def _numbers(request: Resource) -> list[Resource]:
    listed = [*request.get("identifier", []), request.get("groupIdentifier", {})]
    return [one for one in listed if one.get("system", "").endswith(_NUMBERS)]


def drug_class(request: Resource, resources: Mapping[str, Resource]) -> str:
    """Give the class of a medicine: `N`, `H`, `D` or `C`."""
    said = told(request, "LOAI_DON_THUOC", resources).strip().upper()[:1]
    if said in _CLASSES or said == "C":
        return said
    match = _CODE.match(prescription_code(request, resources))
    if match and match[1].upper() in ("N", "H"):
        return match[1].upper()
    table = codes.site_table("site-drug-class")
    for coding in medicine_code(request, resources).get("coding", []) if table else ():
        row = table.find(coding.get("code", "")) if table else None
        if row:
            return _CLASSES.get(row.target.upper(), "C")
    return "C"


def paper_class(request: Resource, resources: Mapping[str, Resource]) -> str:
    """Give the class of paper a medicine stands on: toxic ones stand on the ordinary prescription."""
    found = drug_class(request, resources)
    return "C" if found == "D" else found


def medicine_code(request: Resource, resources: Mapping[str, Resource]) -> Resource:
    """Give the code of the medicine."""
    found: Resource = request.get("medicationCodeableConcept") or _medication(request, resources).get("code", {})
    return found


def _medication(request: Resource, resources: Mapping[str, Resource]) -> Resource:
    return resources.get(request.get("medicationReference", {}).get("reference", ""), {})


def group(request: Resource) -> str:
    """Name the prescription of an order: by its group (ORC-4) or prescription number (RXE-15), else by who ordered when."""
    numbers = [request.get("groupIdentifier", {}), *_numbers(request)]
    for one in numbers:
        if one.get("value"):
            return resource_id("prescription", one.get("system", ""), one["value"])
    ordered = request.get("requester", {}).get("reference", "")
    return resource_id("prescription", ordered, request.get("authoredOn", ""))


def is_prescribed(request: Resource, inpatients: Iterable[str]) -> bool:
    """Tell whether an order is taken home on a prescription: of an outpatient, or told to be for the time after discharge.

    `inpatients` are references to inpatient visits. Parts of another order are none of their own.
    """
    if request["resourceType"] != "MedicationRequest" or request.get("intent") == "instance-order":
        return False
    settings = {c.get("code") for one in request.get("category", []) for c in one.get("coding", [])}
    if settings & {"outpatient", "discharge", "community"}:
        return True
    return "inpatient" not in settings and request.get("encounter", {}).get("reference") not in set(inpatients)


def listed(requests: Iterable[Resource], resources: Mapping[str, Resource]) -> list[Resource]:
    """Give the orders in force in the order of the paper: toxic medicines first, then as they are numbered.

    An order that another one encodes is left out.
    """
    found = [one for one in requests if one.get("status") not in GONE]
    encoded = {part.get("reference") for one in found for part in one.get("basedOn", [])}
    kept = [one for one in found if f"MedicationRequest/{one['id']}" not in encoded]
    return sorted(kept, key=lambda one: (drug_class(one, resources) != "D", _natural(one), one["id"]))


def _natural(request: Resource) -> list[tuple[int, str]]:
    number = next((i.get("value", "") for i in request.get("identifier", [])), "")
    return [(int(part), "") if part.isdigit() else (0, part) for part in _DIGITS.split(number)]


def line(n: int, request: Resource, resources: Mapping[str, Resource], in_words: bool) -> dict[str, str]:
    """Write one medicine."""
    return {
        "STT": str(n),
        "TEN_THUOC": name(request, resources),
        "SO_LUONG": quantity(request, in_words),
        "CACH_DUNG": use(request),
    }


def name(request: Resource, resources: Mapping[str, Resource]) -> str:
    """Write what the medicine is called, and its strength where the name does not have it."""
    trade = wording.concept(medicine_code(request, resources))
    active = told(request, "HOAT_CHAT", resources)
    shown = trade
    if active and not re.search(r"[+;,/]", active) and active.casefold() not in trade.casefold():
        shown = f"{active} ({trade})"
    strength = told(request, "HAM_LUONG", resources) or _strength(_medication(request, resources))
    if strength and _squeezed(strength) not in _squeezed(shown):
        shown = f"{shown} {strength}"
    return shown


def _squeezed(text: str) -> str:
    return "".join(text.casefold().split())


def _strength(medication: Resource) -> str:
    ratios = [one.get("strength", {}) for one in medication.get("ingredient", [])]
    shown = []
    for ratio in ratios:
        above, below = ratio.get("numerator", {}), ratio.get("denominator", {})
        said = f"{wording.amount(above)} {wording.unit(above)}".strip()
        per = f"{wording.amount(below)} {wording.unit(below)}".strip()
        shown += [said if per in ("", "1") else f"{said}/{per}"] if said else []
    return " + ".join(shown)


def quantity(request: Resource, in_words: bool) -> str:
    """Write the amount to dispense: `07 viên`; in words too: `30 viên (Ba mươi viên)`."""
    asked: Resource = request.get("dispenseRequest", {}).get("quantity", {})
    value = asked.get("value")
    if value is None:
        return ""
    number, unit = Decimal(value), wording.unit(asked)
    digits = wording.number(value).replace(".", ",")
    if number < 10 and number == number.to_integral_value():
        digits = f"{int(number):02d}"
    shown = f"{digits} {unit}".strip()
    return f"{shown} ({amount_words(number)} {unit})".replace(" )", ")") if in_words else shown


def use(request: Resource) -> str:
    """Write how it is taken, and for how long: in the words of the prescriber; route and dose too where they name no number."""
    return "\n".join(text for one in request.get("dosageInstruction", []) if (text := _instruction(one)))


def _instruction(dosage: Resource) -> str:
    said = [dosage.get("text", ""), *(wording.concept(one) for one in dosage.get("additionalInstruction", []))]
    told_words = "; ".join(text for text in said if text)
    if not _DIGITS.search(told_words):
        given = [one.get("doseQuantity", {}) for one in dosage.get("doseAndRate", [])]
        each = next((f"mỗi lần {wording.amount(q)} {wording.unit(q)}".strip() for q in given if q), "")
        route = _route(dosage.get("route", {}))
        route = "" if route.casefold() in told_words.casefold() else route
        told_words = ", ".join(part for part in (told_words, route, each, _often(dosage)) if part)
    days = _days(dosage)
    length = f"{days:02d} ngày" if days else ""
    return ", ".join(part for part in (told_words, length if length not in told_words else "") if part)


def _route(route: Resource) -> str:
    coded = (_ROUTES.get(coding.get("code", "")) for coding in route.get("coding", []))
    return next((words for words in coded if words), wording.concept(route))


def _often(dosage: Resource) -> str:
    repeat = dosage.get("timing", {}).get("repeat", {})
    times, period, unit = repeat.get("frequency"), repeat.get("period"), _PER.get(repeat.get("periodUnit", ""))
    if not times or not period or not unit:
        return wording.concept(dosage.get("timing", {}).get("code"))
    if period == 1:
        return f"{unit} {times} lần"
    return f"mỗi {wording.number(period)} {unit} {times} lần"


def _days(dosage: Resource) -> int:
    repeat = dosage.get("timing", {}).get("repeat", {})
    first, last = (wording.day(repeat.get("boundsPeriod", {}).get(side, "")) for side in ("start", "end"))
    if first and last:
        return (last - first).days + 1
    length: dict[str, Any] = repeat.get("boundsDuration", {})
    return int(Decimal(length.get("value", 0)) * _DAYS.get(length.get("code", ""), 0))


def days(requests: Sequence[Resource]) -> int:
    """Give for how many days the medicines are, the longest; 0 when nobody says."""
    return max((_days(one) for request in requests for one in request.get("dosageInstruction", [])), default=0)


def period(requests: Sequence[Resource]) -> tuple[str, str]:
    """Give the first and the last day of taking, as far as they are told."""
    spans = [
        one.get("timing", {}).get("repeat", {}).get("boundsPeriod", {})
        for request in requests
        for one in request.get("dosageInstruction", [])
    ]
    starts = [span["start"] for span in spans if span.get("start")]
    ends = [span["end"] for span in spans if span.get("end")]
    return min(starts, default=""), max(ends, default="")


def of_group(record: Record, subject: Resource, key: str) -> list[Resource]:
    """Give the orders of a prescription: those of the visit or person `subject` whose group it is."""
    about = f"{subject['resourceType']}/{subject['id']}"
    return [one for one in record.all("MedicationRequest") if group(one) == key and owner(one) == about]
