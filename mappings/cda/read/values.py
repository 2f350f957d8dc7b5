"""The value of an observation by its data type, reference ranges, and the other elements results share.

Standard: CDA R2 §4.3.6.1 (observation.value: ANY), §4.3.8.17 (referenceRange)
"""

from __future__ import annotations

import re

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.datatypes import bl, ii_to_identifier
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, absent_reason, compact, first_coding, shown
from mappings.cda.read.node import Node
from mappings.cda.read.quantities import ivl_pq_to_choice, ivl_pq_to_limits, pq_to_quantity, rto_to_ratio
from mappings.cda.read.times import chosen, ivl_ts_to_period, number, ts_to_datetime

_CODED = frozenset({"CD", "CE", "CO", "CV", "CS"})


def value_of(value: Node, draft: Draft) -> Element:
    """Make `value[x]`, or `dataAbsentReason`, of a value; nothing when it says nothing."""
    kind = value.type
    made: Element = {}
    if kind in _CODED:
        concept = cd_to_codeable_concept(value, draft)
        made = {"valueCodeableConcept": concept} if concept else {}
    elif kind == "PQ":
        quantity = pq_to_quantity(value)
        made = {"valueQuantity": quantity} if quantity else {}
    elif kind == "IVL_PQ":
        made = ivl_pq_to_choice("value", value)
    elif kind in ("INT", "REAL", "MO"):
        made = _number(value, kind)
    elif kind == "IVL_INT":
        low, high = number(value.first("low")), number(value.first("high"))
        limits = compact(
            {"low": {"value": low} if low is not None else None, "high": {"value": high} if high is not None else None}
        )
        made = {"valueRange": limits} if limits else {}
    elif kind.startswith("RTO"):
        ratio = rto_to_ratio(value)
        made = {"valueRatio": ratio} if ratio else {}
    elif kind == "TS":
        moment = ts_to_datetime(value, draft)
        made = {"valueDateTime": moment} if moment else {}
    elif kind == "IVL_TS":
        period = ivl_ts_to_period(value, draft)
        made = {"valuePeriod": period} if period else {}
    elif kind == "BL":
        said = bl(value)
        made = {} if said is None else {"valueBoolean": said}
    elif kind == "II":
        identifier = ii_to_identifier(value)
        made = {"valueString": identifier["value"]} if identifier else {}
    else:
        made = _text(value, draft)
    if made:
        return made
    reason = absent_reason(value.peek("nullFlavor"))
    if reason:
        value.take("nullFlavor")
    return {"dataAbsentReason": reason} if reason else {}


def _number(value: Node, kind: str) -> Element:
    said = value["value"]
    if kind == "INT" and re.fullmatch(r"[+-]?[0-9]{1,9}", said):
        return {"valueInteger": int(said)}
    found = number(value)
    if found is None:
        return {}
    unit = value["currency"]
    return {"valueQuantity": compact({"value": found, "unit": unit})}


def _text(value: Node, draft: Draft) -> Element:
    if value.peek("representation").upper() == "B64":
        value.leave("a file as the value of an observation; FHIR R4 has no such value")
        return {}
    said = ed_to_text(value, draft)
    if said:
        return {"valueString": said}
    if value.peek("code"):
        concept = cd_to_codeable_concept(value, draft)
        return {"valueCodeableConcept": concept} if concept else {}
    quantity = pq_to_quantity(value) if value.peek("value") else None
    return {"valueQuantity": quantity} if quantity else {}


def reference_ranges(node: Node, draft: Draft) -> list[Element]:
    """Make Observation.referenceRange."""
    found = []
    for wrapper in node.all("referenceRange", "referenceRange"):
        limits = wrapper.first("observationRange")
        value, text = limits.first("value"), ed_to_text(limits.first("text"), draft)
        made: Element = {}
        if value.type in ("IVL_PQ", "PQ", "IVL_REAL", "IVL_INT"):
            low, high = ivl_pq_to_limits(value)
            for side in ("low", "high"):
                if value.first(side)["inclusive"] == "false":
                    value.first(side).give_back("inclusive", "a limit that is not part of the range")
            made = {"low": low, "high": high}
        elif value:
            said = value_of(value, draft)
            concept = said.get("valueCodeableConcept")
            text = text or said.get("valueString") or shown(concept) or first_coding(concept).get("code", "")
            if said and not text:
                value.give_up("a reference range of this data type")
        kind = limits.first("interpretationCode")
        meaning = cd_to_codeable_concept(kind, draft) if kind else None
        made = compact({**made, "text": text})
        if made:
            found.append(compact({**made, "appliesTo": [meaning] if meaning else []}))
    return found


def effective(node: Node, draft: Draft, name: str = "effective") -> Element:
    """Make `effective[x]` of effectiveTime."""
    return chosen(name, node.first("effectiveTime", name), draft)
