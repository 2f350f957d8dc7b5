"""PQ, IVL_PQ, RTO, INT, REAL and MO as Quantity, Range and Ratio, digits as received.

Standard: HL7 v3 Data Types R1; FHIR R4 §2.24.0 (Quantity, Range, Ratio)
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_coding
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import Node
from mappings.cda.read.times import number
from mappings.formats.ucum import is_ucum
from mappings.systems import UCUM


def pq_to_quantity(pq: Node) -> Element | None:
    """Make a Quantity; a unit of UCUM is given as such, any other as the words it is, none is dimensionless."""
    value = number(pq)
    foreign = pq.first("translation")
    if value is None and pq.peek("nullFlavor") == "OTH" and foreign:
        value = number(foreign)
        words = foreign.first("originalText").said()
        return None if value is None else compact({"value": value, "unit": words})
    if value is None:
        return None
    unit = pq["unit"]
    if not unit:
        coding = cd_to_coding(pq.first("translation"))
        number(pq.first("translation"))
        return compact({"value": value, "unit": (coding or {}).get("display") or (coding or {}).get("code", "")})
    if is_ucum(unit):
        return {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return {"value": value, "unit": unit}


def ivl_pq_to_limits(ivl: Node) -> tuple[Element | None, Element | None]:
    """Give low and high; a value alone is both."""
    if ivl.peek("value"):
        only = pq_to_quantity(ivl)
        return only, only
    return pq_to_quantity(ivl.first("low")), pq_to_quantity(ivl.first("high"))


def ivl_pq_to_range(ivl: Node) -> Element:
    """Make a Range."""
    low, high = ivl_pq_to_limits(ivl)
    return compact({"low": low, "high": high})


def ivl_pq_to_choice(name: str, ivl: Node) -> Element:
    """Make a choice of Quantity and Range: one limit alone is a Quantity with its comparator."""
    low, high = ivl_pq_to_limits(ivl)
    if ivl.peek("value"):
        return {f"{name}Quantity": low} if low else {}
    if low and high:
        return {f"{name}Range": {"low": low, "high": high}}
    only = low or high
    if only is None:
        return {}
    limit = ivl.first("low" if low else "high")
    sign = "<" if high else ">"
    return {f"{name}Quantity": only | {"comparator": sign if limit["inclusive"] == "false" else f"{sign}="}}


def rto_to_ratio(rto: Node) -> Element:
    """Make a Ratio."""
    low, high = pq_to_quantity(rto.first("numerator")), pq_to_quantity(rto.first("denominator"))
    return {"numerator": low, "denominator": high} if low and high else {}


def amount(name: str, node: Node) -> Element:
    """Make a choice of Quantity and Range, under the name of the element (`dose`), of PQ or IVL_PQ."""
    if node.first("low") or node.first("high"):
        found = ivl_pq_to_range(node)
        return {f"{name}Range": found} if found else {}
    only = pq_to_quantity(node)
    return {f"{name}Quantity": only} if only else {}
