"""OBX-5 as `value[x]`: numbers with their digits, codes, texts, times, ranges, ratios, curves.

Standard: HL7 v2.5.1 §7.4.2.5
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mappings.formats import er7
from mappings.hl7v2 import faults
from mappings.hl7v2.codings import cwe_to_codeable_concept
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Element, code_of, compact, joined, period, slug, words
from mappings.hl7v2.draft import Draft, datetime_of
from mappings.hl7v2.quantities import comparable, cq_to_quantity, nm_to_decimal, quantity, sn_to_value
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.timing import time_of_day

TEXT_TYPES = frozenset({"", "ST", "TX", "FT", "VR"})
CODED_TYPES = frozenset({"CE", "CWE", "CNE", "CF", "IS", "ID"})
_TIME_TYPES = frozenset({"DT", "TS", "DTM"})
_CURVES = frozenset({"NA", "MA"})
_CURRENCY = "urn:iso:std:iso:4217"
LONGEST_TEXT = 1_048_576
"""Characters of a FHIR string. Standard: FHIR R4 §2.24.0.1"""
_UNKNOWN: Element = {
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
}


def is_paper_field(obx: Segment) -> bool:
    """Tell whether the segment carries the text of a field of QĐ 3176 (`OBX-3 = PP_DIEUTRI^…^QD3176`)."""
    return obx.peek(3).c(3).strip().upper() == "QD3176"


def paper_list(field: str, context: Context) -> str:
    """Give the URI of the code list of a field of QĐ 3176: every coded field has a list of its own."""
    return f"{context.systems.own}/CodeSystem/qd3176-{slug(field)}"


def obx_to_value(obx: Segment, kind: str, unit: Element, code: Element, draft: Draft, paper: bool) -> Element:
    """Give `value[x]`, or `component` when a value that is not text repeats.

    A number sent as text is a Quantity when a unit stands beside it: many LIS send every result as ST. A field of a paper is a
    text or a code, whatever else OBX-2 says.
    """
    repetitions = obx[5].repetitions
    if kind == "NM" and not paper and len(repetitions) == 1:
        number = nm_to_decimal(repetitions[0].text)
        if number is not None:
            return {"valueQuantity": {"value": number, **unit}}
    if not repetitions:
        return {}
    if kind in TEXT_TYPES or (paper and kind not in CODED_TYPES):
        return _text(kind, repetitions, {} if paper else unit)
    if kind in _CURVES and not paper:
        curve = na_to_sampled_data(repetitions, unit)
        if curve:
            return {"valueSampledData": curve}
    values = [found for one in repetitions if (found := _one(obx, kind, one, unit, draft))]
    if not values:
        if obx.peek(5):
            obx.give_back(5)
        return {}
    if len(values) == 1:
        return dict(values)
    return {"component": [{"code": code, name: value} for name, value in values]}


def _text(kind: str, repetitions: Sequence[er7.Repetition], unit: Element) -> Element:
    if kind == "VR":
        text = " - ".join(part for part in (words(repetitions[0].c(1)), words(repetitions[0].c(2))) if part)
    else:
        text = joined(repetitions)
    if unit:
        number = nm_to_decimal(text)
        amount = quantity(number, unit) if number is not None else comparable(text, unit)
        if amount:
            return {"valueQuantity": amount}
    return {"valueString": text[:LONGEST_TEXT]} if text else {}


def _one(obx: Segment, kind: str, one: er7.Repetition, unit: Element, draft: Draft) -> tuple[str, Any] | None:
    if kind == "NM":
        return _number(obx, one, unit, draft)
    if kind in CODED_TYPES:
        found = _code(obx, one, draft.context)
        return ("valueCodeableConcept", found) if found else None
    if kind == "SN":
        value = sn_to_value(one, unit)
        return (f"value{value[0]}", value[1]) if value else None
    if kind in _TIME_TYPES:
        moment = datetime_of(one.c(1), draft.context)
        if moment:
            return "valueDateTime", moment
        if one.c(1):
            draft.notice(faults.DATE_UNREADABLE, obx.where(5))
        return _as_text(one)
    return _rarer(kind, one, unit, draft) or _as_text(one)


def _number(obx: Segment, one: er7.Repetition, unit: Element, draft: Draft) -> tuple[str, Any] | None:
    number = nm_to_decimal(one.c(1))
    if number is not None:
        return "valueQuantity", quantity(number, unit)
    limited = comparable(one.c(1), unit)
    if limited:
        return "valueQuantity", limited
    if one.c(1):
        draft.notice(faults.NUMBER_UNREADABLE, obx.where(5))
    return _as_text(one)


def _rarer(kind: str, one: er7.Repetition, unit: Element, draft: Draft) -> tuple[str, Any] | None:
    """Read the types that few results have."""
    if kind == "TM":
        clock = time_of_day(one.c(1))
        return ("valueTime", clock) if clock else None
    if kind == "DR":
        span = period(datetime_of(one.c(1), draft.context), datetime_of(one.c(2), draft.context))
        return ("valuePeriod", span) if span else None
    if kind == "NR":
        limits = nr_to_range(one, unit)
        return ("valueRange", limits) if limits else None
    if kind == "CQ":
        amount = cq_to_quantity(one)
        return ("valueQuantity", amount) if amount else None
    if kind in ("CP", "MO"):
        value, currency = nm_to_decimal(one.c(1)), code_of(one.c(1, 2) if kind == "CP" else one.c(2)).upper()
        if value is None:
            return None
        iso = {"system": _CURRENCY, "code": currency} if len(currency) == 3 and currency.isalpha() else {}
        return "valueQuantity", quantity(value, compact({"unit": currency, **iso}))
    if kind == "XON":
        name, number = words(one.c(1)), words(one.c(10)) or words(one.c(3))
        text = f"{name} ({number})" if name and number else name or number
        return ("valueString", text) if text else None
    if kind == "SI":
        digits = one.c(1).strip()
        return ("valueInteger", int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
    return None


def nr_to_range(nr: er7.Repetition, unit: Element) -> Element:
    """Make a Range of NR; limits the wrong way round are none."""
    low, high = nm_to_decimal(nr.c(1)), nm_to_decimal(nr.c(2))
    if low is not None and high is not None and low > high:
        return {}
    return compact(
        {
            "low": quantity(low, unit) if low is not None else {},
            "high": quantity(high, unit) if high is not None else {},
        }
    )


def na_to_sampled_data(rows: Sequence[er7.Repetition], unit: Element) -> Element:
    """Make SampledData of NA or MA: one row is one series, several rows are moments with a value of each series.

    The time between two values is not in the type, so it is said to be unknown. Empty when anything is no number.

    Standard: HL7 v2.5.1 §2.A.46, §7.14.1.2
    """
    values: list[list[str]] = []
    for row in rows:
        texts = [row.c(n).strip() for n in range(1, row.components + 1)]
        if any(text and nm_to_decimal(text) is None for text in texts) or not any(texts):
            return {}
        values.append([text.lstrip("+") or "E" for text in texts])
    width = max(len(row) for row in values)
    data = " ".join(value for row in values for value in (*row, *["E"] * (width - len(row) if len(values) > 1 else 0)))
    return {
        "origin": {"value": 0, **unit},
        "_period": _UNKNOWN,
        "dimensions": width if len(values) > 1 else 1,
        "data": data,
    }


def _code(obx: Segment, one: er7.Repetition, context: Context) -> Element | None:
    """Read a coded value; of a field of a paper by the field's own list, unless another is named."""
    if not is_paper_field(obx):
        return cwe_to_codeable_concept(one, context)
    field = code_of(obx.peek(3).c(1))
    called = frozenset({field.upper(), "QD3176", "L"})
    return cwe_to_codeable_concept(one, context, system=paper_list(field, context), called=called)


def _as_text(one: er7.Repetition) -> tuple[str, Any] | None:
    parts = (words(one.c(n)) for n in range(1, one.components + 1))
    text = " ".join(part for part in parts if part)
    return ("valueString", text) if text else None
