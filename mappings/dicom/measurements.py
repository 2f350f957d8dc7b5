"""Measured values of a structured report (NUM) as Observations, digits kept; groups of TID 1500; radiation dose.

An Observation is known by the document (the first of its versions) or the tracking number of what was measured, by its
concept and how often that came before it, so that a corrected report corrects its values.

Standard: DICOM PS3.16 TID 300, TID 1410, TID 1411, TID 1501, TID 10001, TID 10011
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from mappings.dicom.attributes import has, item, text
from mappings.dicom.codings import MEANING, VALUE, entry_to_concept
from mappings.dicom.content import MEASURED, NAME, NUMBER, QUALIFIER, UNIT, Item, code_of
from mappings.dicom.draft import UID, Draft, reference, uid_identifier
from mappings.formats.ucum import is_ucum
from mappings.hl7v2.datatypes import Element, compact
from mappings.ids import resource_id
from mappings.systems import UCUM

IMAGING = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/observation-category",
            "code": "imaging",
            "display": "Imaging",
        }
    ]
}
_SITES = (("SCT", "363698007"), ("SCT", "405813007"), ("SCT", "39111003"))
_METHODS = (("SCT", "370129005"), ("DCM", "121401"))
_SIDES = (("SCT", "272741003"),)
_TRACKING_ID, _TRACKING_UID, _GROUP, _FINDING = (
    ("DCM", "112039"),
    ("DCM", "112040"),
    ("DCM", "125007"),
    ("DCM", "121071"),
)
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

_CT_DOSE = ("113813", "113830", "113838", "113839", "113930")
"""DLP total, mean CTDIvol, DLP, effective dose, size-specific estimate."""
_PROJECTION_DOSE = ("113722", "113725", "113726", "113727", "113729", "113730", "113735", "113737", "113738", "113855")
"""Dose area product and dose at the reference point: in all, of fluoroscopy, of acquisition; time of fluoroscopy."""
_ACTIVITY = ("113506", "113507")
"""Radiopharmaceutical volume and administered activity."""
DOSE = frozenset(("DCM", code) for code in (*_CT_DOSE, *_PROJECTION_DOSE, *_ACTIVITY))
DOSE_PARAMETER = "acquisition parameter of a dose report; it is in the object"


@dataclass
class Measured:
    """What the observations of one document share."""

    key: str
    """What ids are made of."""
    status: str
    at: str
    performers: list[Element]
    references: list[Element] = field(default_factory=list)
    """To what was made, in order."""
    counts: dict[str, int] = field(default_factory=dict)


def take_measurements(
    root: Item, measured: Measured, draft: Draft, wanted: frozenset[tuple[str, str]] | None = None
) -> None:
    """Make Observations of the NUM items of a tree; `wanted` names the concepts when only some are results."""
    _take(root, measured, draft, wanted, {}, "")


def _take(
    parent: Item,
    measured: Measured,
    draft: Draft,
    wanted: frozenset[tuple[str, str]] | None,
    site: Element,
    tracked: str,
) -> list[Element]:
    """Walk down; site and tracking number of a group hold for what is in it. Gives the references made here and below."""
    made: list[Element] = []
    for one in parent.children:
        where = _concept(one.below(*_SITES), draft) or site
        if one.type == "CONTAINER" and one.concept == _GROUP and wanted is None:
            made.append(_group(one, measured, draft, where))
        elif one.type == "NUM":
            if wanted is None or one.concept in wanted:
                made.append(_number(one, measured, draft, where, tracked))
        elif one.type == "CODE" and tracked and not one.is_beside and one.concept not in (*_SITES, *_METHODS, _FINDING):
            made.append(_coded(one, measured, draft, where, tracked))
        if one.type != "NUM" and not (one.concept == _GROUP and wanted is None):
            made += _take(one, measured, draft, wanted, where, tracked)
    return [one for one in made if one]


def _group(one: Item, measured: Measured, draft: Draft, site: Element) -> Element:
    """Make the Observation of a measurement group (TID 1501, TID 1411), with its members."""
    uid, name = (_said(one.below(concept)) for concept in (_TRACKING_UID, _TRACKING_ID))
    tracked = uid or f"{measured.key}|{one.number}"
    members = _take(one, measured, draft, None, site, tracked)
    finding = _concept(one.below(_FINDING), draft)
    if not members and not finding:
        return {}
    observation = {
        **_observation(one, measured, draft, site, f"{tracked}|group"),
        "valueCodeableConcept": finding,
        "hasMember": members,
    }
    if uid:
        observation["identifier"] = [uid_identifier(uid)]
    if name:
        observation["note"] = [{"text": name}]
    return _keep(observation, measured, draft, top=True)


def _number(one: Item, measured: Measured, draft: Draft, site: Element, tracked: str) -> Element:
    """Make the Observation of a number. A number that is none has a reason in its place."""
    value = item(one.attributes, MEASURED)
    quantity = quantity_of(text(value, NUMBER), item(value, UNIT))
    observation = _observation(one, measured, draft, site, _key(one, measured, tracked))
    if quantity:
        observation["valueQuantity"] = quantity
    else:
        reason = entry_to_concept(item(one.attributes, QUALIFIER), draft.context)
        unknown = {"coding": [{"system": _ABSENT, "code": "unknown", "display": "Unknown"}]}
        observation["dataAbsentReason"] = reason or unknown
        if has(value, NUMBER):
            draft.content[_where(one, draft)] = ("unknown", "not a number")
    return _keep(observation, measured, draft, top=not tracked)


def _coded(one: Item, measured: Measured, draft: Draft, site: Element, tracked: str) -> Element:
    """Make the Observation of a qualitative evaluation within a group."""
    value = entry_to_concept(code_of(one), draft.context)
    if value is None:
        return {}
    observation = _observation(one, measured, draft, site, _key(one, measured, tracked))
    return _keep({**observation, "valueCodeableConcept": value}, measured, draft, top=False)


def _observation(one: Item, measured: Measured, draft: Draft, site: Element, key: str) -> dict[str, Any]:
    code = entry_to_concept(item(one.attributes, NAME), draft.context) or {"text": "không rõ"}
    side = _concept(one.below(*_SIDES), draft)
    return {
        "resourceType": "Observation",
        "id": resource_id("Observation", UID, key),
        "partOf": [reference(draft.study)],
        "status": measured.status,
        "category": [IMAGING],
        "code": code,
        "subject": draft.subject,
        "encounter": reference(draft.encounter) if draft.encounter else {},
        "effectiveDateTime": draft.stamp(one.attributes, "0040A032") or measured.at,
        "performer": measured.performers,
        "bodySite": _sided(site, side),
        "method": _concept(one.below(*_METHODS), draft),
    }


def _keep(observation: dict[str, Any], measured: Measured, draft: Draft, *, top: bool) -> Element:
    """Keep an Observation; those of groups are reached through the group."""
    made = reference(draft.add(compact(observation)))
    if top:
        measured.references.append(made)
    return made


def _key(one: Item, measured: Measured, tracked: str) -> str:
    key = f"{tracked or measured.key}|{'|'.join(one.concept)}|{measured.key if tracked else ''}"
    measured.counts[key] = measured.counts.get(key, 0) + 1
    return f"{key}|{measured.counts[key]}"


def quantity_of(number: str, unit: Any) -> Element:
    """Make a Quantity of DS and a coded unit, every digit kept; nothing of what is no number."""
    try:
        value = Decimal(number.strip())
    except (InvalidOperation, ValueError):
        return {}
    if not value.is_finite() or abs(value.adjusted()) > 30:
        return {}
    code, meaning = text(unit, VALUE), text(unit, MEANING)
    if code in ("1", "{no units}"):
        shown = ""
    else:
        shown = code if not code.startswith("{") else meaning
    said = text(unit, "00080102")
    coded = bool(code) and said in ("UCUM", "") and is_ucum(code)
    return compact(
        {"value": value, "unit": shown or meaning, "system": UCUM if coded else "", "code": code if coded else ""}
    )


def _concept(one: Item | None, draft: Draft) -> Element:
    return (entry_to_concept(code_of(one), draft.context) or {}) if one else {}


def _sided(site: Element, side: Element) -> Element:
    """Put the side to a site, in words: FHIR R4 has one concept for both."""
    if not site or not side:
        return site
    return {**site, "text": f"{site.get('text', '')} ({side.get('text', '')})".strip()}


def _said(one: Item | None) -> str:
    return one.value if one else ""


def _where(one: Item, draft: Draft) -> str:
    return f"{draft.document}(0040,A730)[{one.number}] {one.type}"
