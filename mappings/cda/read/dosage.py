"""How a medicine is taken: times, dose, rate, route, site, reasons to take it, as Dosage.

Standard: CDA R2 §4.3.6.6; FHIR R4 §2.24.0.18 (Dosage)
"""

from __future__ import annotations

from mappings.cda.read.codings import cd_to_codeable_concept, ed_to_text
from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, codes_of, compact, first_coding, shown
from mappings.cda.read.node import Node
from mappings.cda.read.participants import product_name
from mappings.cda.read.quantities import amount, pq_to_quantity, rto_to_ratio
from mappings.cda.read.relations import inner
from mappings.cda.read.times import number, times_to_timing
from mappings.cda.read.values import value_of

_SIG = "76662-6"
"""LOINC: the instruction on a medicine as a whole, in words."""


def split_times(node: Node, draft: Draft) -> tuple[Node | None, list[Node]]:
    """Part effectiveTime in when as a whole (IVL_TS, the first) and how often (PIVL_TS, EIVL_TS, further moments)."""
    whole: Node | None = None
    often: list[Node] = []
    for time in node.all("effectiveTime", "dosage.timing"):
        if time.first("width"):
            often.append(time)
            continue
        periodic = time.type in ("PIVL_TS", "EIVL_TS") or bool(time.first("period")) or bool(time.first("event"))
        if whole is None and not periodic:
            whole = time
            time.path = "effective"
        elif periodic or time.peek("value"):
            often.append(time)
    return whole, often


def dosage(node: Node, times: list[Node], draft: Draft, bounds: Element | None = None) -> list[Element]:
    """Make the Dosage; a list of one, or of none when nothing is said. `bounds` is the Period a plan is for."""
    text = node.first("text", "dosage.text")
    route, site = node.first("routeCode", "dosage.route"), node.first("approachSiteCode", "dosage.site")
    for extra in node.all("approachSiteCode")[1:]:
        extra.leave("one of several sites; FHIR R4 keeps one")
    dose = _dose(node, draft)
    rate_node = node.first("rateQuantity", "dosage.doseAndRate")
    rate = amount("rate", rate_node) if rate_node else {}
    timing = times_to_timing(times, draft)
    repeat = number(node.first("repeatNumber", "dosage.timing"))
    if repeat is not None and repeat == int(repeat) and repeat > 0:
        timing.setdefault("repeat", {})["count"] = int(repeat)
    if bounds:
        timing.setdefault("repeat", {})["boundsPeriod"] = bounds
    most = node.first("maxDoseQuantity", "dosage.maxDosePerPeriod")
    told = inner(node, (_SIG,))
    told.path = "dosage.text"
    made = compact(
        {
            "text": ed_to_text(told.first("text"), draft) or ed_to_text(text, draft),
            "timing": timing,
            **_needed(node, draft),
            "additionalInstruction": _vehicle(node, draft),
            "site": cd_to_codeable_concept(site, draft) if site else None,
            "route": cd_to_codeable_concept(route, draft) if route else None,
            "doseAndRate": [{**dose, **rate}] if dose or rate else [],
            "maxDosePerPeriod": rto_to_ratio(most) if most else {},
        }
    )
    return [made] if made else []


def _dose(node: Node, draft: Draft) -> Element:
    dose = node.first("doseQuantity", "dosage.doseAndRate")
    found = amount("dose", dose) if dose else {}
    unit = node.first("administrationUnitCode", "dosage.doseAndRate")
    form = cd_to_codeable_concept(unit, draft) if unit else None
    quantity = found.get("doseQuantity")
    if form and quantity and ("unit" not in quantity or quantity.get("code") == "1"):
        coding = first_coding(form)
        found["doseQuantity"] = compact(
            {
                "value": quantity["value"],
                "unit": form.get("text") or coding.get("display") or coding.get("code", ""),
                "system": coding.get("system", ""),
                "code": coding.get("code", "") if coding.get("system") else "",
            }
        )
    elif form and not quantity:
        unit.give_up("the unit in which a medicine is given, without an amount")
    return found


def _vehicle(node: Node, draft: Draft) -> list[Element]:
    """Say with what a medicine is given (participant CSM), in the sender's words."""
    found = []
    for participant in node.all("participant", "dosage.additionalInstruction"):
        role = participant.first("participantRole")
        what = product_name(role.first("playingEntity"), draft)
        if participant.peek("typeCode") == "CSM" and what is None:
            participant.pass_over("with what a medicine is given, not named")
        if participant.peek("typeCode") != "CSM" or what is None:
            continue
        code = role.first("code")
        kind = shown(cd_to_codeable_concept(code, draft)) if code else ""
        participant.take("typeCode")
        role.take("classCode")
        role.first("playingEntity").take("classCode")
        name = shown(what)
        found.append({**what, "text": f"{kind}: {name}" if kind and name else kind or name})
    return [compact(one) for one in found]


def _needed(node: Node, draft: Draft) -> Element:
    """Make asNeeded[x] of the preconditions."""
    for condition in node.all("precondition", "dosage.asNeeded"):
        criterion = condition.first("criterion")
        value, code, text = criterion.first("value"), criterion.first("code"), criterion.first("text")
        why = value_of(value, draft).get("valueCodeableConcept") if value else None
        kind = cd_to_codeable_concept(code, draft) if code else None
        said = ed_to_text(text, draft)
        if kind and "ASSERTION" in codes_of(kind):
            kind = None
        found = why or ({"text": said} if said else kind)
        condition.take("typeCode")
        if found:
            return {"asNeededCodeableConcept": found}
        return {"asNeededBoolean": True}
    return {}


def dose_quantity(node: Node) -> Element | None:
    """Make the dose of something given once."""
    return pq_to_quantity(node.first("doseQuantity", "doseQuantity"))
