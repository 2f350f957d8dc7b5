"""HL7 v3 data types from FHIR elements: II, CE/CD, TS, PQ, AD, TEL, names.

CDA names systems by OID or UUID, FHIR by URI. A system with a registered OID gets it; `urn:oid:` and `urn:uuid:` are taken as
they are; every other URI becomes the UUID version 5 of that URI (RFC 4122, name space URL), with the URI itself beside it
(`assigningAuthorityName`, `codeSystemName`), so that a receiver can compute the same root and tell two systems apart.

Standard: CDA R2, HL7 v3 Data Types R1
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from lxml import etree

from mappings.documents import wording
from mappings.systems import ICD10, LOINC, UCUM

NS = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

Node = etree._Element
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_OIDS = {
    LOINC: ("2.16.840.1.113883.6.1", "LOINC"),
    ICD10: ("2.16.840.1.113883.6.3", "ICD-10"),
    UCUM: ("2.16.840.1.113883.6.8", "UCUM"),
    "http://snomed.info/sct": ("2.16.840.1.113883.6.96", "SNOMED CT"),
    f"{_TERMINOLOGY}v3-ActCode": ("2.16.840.1.113883.5.4", "ActCode"),
    f"{_TERMINOLOGY}v3-RoleCode": ("2.16.840.1.113883.5.111", "RoleCode"),
    f"{_TERMINOLOGY}v3-ObservationInterpretation": ("2.16.840.1.113883.5.83", "ObservationInterpretation"),
}
_DATE = re.compile(r"^[0-9]{4}(-[0-9]{2}){0,2}$")
_OID = re.compile(r"^urn:oid:([0-2](?:\.(?:0|[1-9]\d*))+)$")


def el(tag: str, *children: Node | str | None, **attributes: str | None) -> Node:
    """Make an element of CDA; None leaves a child or an attribute out. `xsi_type` is written as xsi:type."""
    node = etree.Element(f"{{{NS}}}{tag}")
    for name, value in attributes.items():
        if value is not None:
            node.set(f"{{{XSI}}}type" if name == "xsi_type" else name, value)
    for child in children:
        if isinstance(child, str):
            node.text = (node.text or "") + child
        elif child is not None:
            node.append(child)
    return node


def root_of(system: str) -> tuple[str, str]:
    """Give the OID or UUID of a system, and its name."""
    if system in _OIDS:
        return _OIDS[system]
    oid = _OID.match(system)
    if oid:
        return oid[1], system
    if system.startswith("urn:uuid:"):
        return system[9:], system
    return str(uuid5(NAMESPACE_URL, system)), system


def uuid_of(text: str) -> str | None:
    """Give the text back when it is a UUID."""
    try:
        return text if str(UUID(text)) == text.lower() else None
    except ValueError:
        return None


def document_id(identifier: dict[str, Any], tag: str = "id") -> Node:
    """Make the II of a document: a UUID alone is the root."""
    value = identifier.get("value", "")
    return el(tag, root=value) if uuid_of(value) else instance(identifier, tag)


def instance(identifier: dict[str, Any], tag: str = "id") -> Node:
    """Make II of an Identifier."""
    if not identifier.get("value"):
        return el(tag, nullFlavor="UNK")
    root, name = root_of(identifier.get("system", "urn:ietf:rfc:3986"))
    return el(tag, root=root, extension=identifier["value"], assigningAuthorityName=name)


def instances(resource: dict[str, Any] | None) -> list[Node]:
    """Make every II of a resource; one that says UNK when there is none."""
    found = [instance(i) for i in (resource or {}).get("identifier", []) if i.get("value")]
    return found or [el("id", nullFlavor="UNK")]


def coded(tag: str, concept: dict[str, Any] | None, xsi_type: str | None = None) -> Node:
    """Make CE or CD of a CodeableConcept: the first coding, the others as translations, the text as original text."""
    codings = [c for c in (concept or {}).get("coding", []) if c.get("code") and not re.search(r"\s", c["code"])]
    text = (concept or {}).get("text")
    if not codings:
        return el(
            tag, el("originalText", text) if text else None, xsi_type=xsi_type, nullFlavor="OTH" if text else "UNK"
        )
    node = _coding(tag, codings[0], xsi_type)
    if text:
        node.append(el("originalText", text))
    for coding in codings[1:]:
        node.append(_coding("translation", coding))
    return node


def _coding(tag: str, coding: dict[str, Any], xsi_type: str | None = None) -> Node:
    root, name = root_of(coding["system"]) if coding.get("system") else (None, None)
    return el(
        tag,
        xsi_type=xsi_type,
        code=coding["code"],
        codeSystem=root,
        codeSystemName=name,
        displayName=coding.get("display"),
    )


def timestamp(text: str) -> str:
    """Write a FHIR date or dateTime as TS, with its precision; times in Vietnamese time: `20261105101530+0700`.

    `""` when it is neither.
    """
    moment = wording.instant(text)
    if moment:
        return f"{moment:%Y%m%d%H%M%S%z}"
    return text.replace("-", "") if _DATE.match(text) else ""


def time(tag: str, text: str | None) -> Node:
    """Make TS."""
    said = timestamp(text) if text else ""
    return el(tag, value=said) if said else el(tag, nullFlavor="UNK")


def interval(tag: str, period: dict[str, Any] | None) -> Node:
    """Make IVL_TS of a Period."""
    period = period or {}
    if not period:
        return el(tag, nullFlavor="UNK")
    high = time("high", period["end"]) if period.get("end") else None
    return el(tag, time("low", period.get("start")), high)


def address(resource: dict[str, Any] | None) -> Node | None:
    """Make AD of the residence, as one line."""
    text = wording.address(resource or {})
    return el("addr", el("streetAddressLine", text)) if text else None


def telecoms(resource: dict[str, Any] | None) -> Iterator[Node]:
    """Make TEL of telephone numbers and mail addresses; other ways to reach somebody have no URL here."""
    for point in (resource or {}).get("telecom", []):
        kind, said = point.get("system", "phone"), point.get("value", "")
        if kind == "email" and said:
            yield el("telecom", value=f"mailto:{quote(said, safe='@+')}")
        number = re.sub(r"[^0-9+]", "", said)
        if kind in ("phone", "sms", "fax") and number.strip("+"):
            yield el("telecom", value=f"{'fax' if kind == 'fax' else 'tel'}:{number}")


def quantity(tag: str, amount: dict[str, Any]) -> Node:
    """Make the value of a measurement, digits as received.

    PQ with a UCUM unit or none; an interval when there is a comparator; text when the unit is none of UCUM.
    """
    value, unit = amount.get("value"), amount.get("code")
    known = amount.get("system") == UCUM and unit and not re.search(r"\s", unit)
    if not isinstance(value, (int, Decimal)) or (not known and (amount.get("unit") or unit)):
        return el(tag, f"{wording.amount(amount)} {wording.unit(amount)}".strip(), xsi_type="ST")
    said = wording.number(value)
    comparator = amount.get("comparator")
    if not comparator:
        return el(tag, xsi_type="PQ", value=said, unit=unit if known else None)
    side = "high" if comparator.startswith("<") else "low"
    limit = el(side, value=said, unit=unit if known else None, inclusive="true" if "=" in comparator else "false")
    return el(tag, limit, xsi_type="IVL_PQ")
