"""FHIR data types as HL7 v2 fields: the way back of `names`, `addresses`, `identifiers`, `codings` and `actors`.

Each function gives a value for `er7_writer`: a text or the tuple of its components. What HL7 v2 has no place for is left
out; what our own reading made (systems, names in parts) reads back as the same.

Standard: HL7 v2.5.1 §2.A
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from mappings import codes
from mappings.formats.er7_writer import Component
from mappings.hl7v2.identifiers import GATEWAY, PERSON
from mappings.outcome import Resource
from mappings.systems import Systems

Element = Mapping[str, Any]
Parts = tuple[Component, ...]

_HL7_TABLE = re.compile(r"^http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})$")
_OWN_LIST = re.compile(r"/sid/[^/]+/code(?:-(.+))?$")
_PATIENT_OF = re.compile(r"/sid/([^/]+)/patient(?:-(.+))?$")
_PERSON = re.compile(rf"/sid/[^/]+/{PERSON}$")
_LOCAL = re.compile(r"/sid/([^/]+)/[^/]+$")
_NAME_USES = {"official": "L", "usual": "D", "maiden": "M", "nickname": "N", "anonymous": "S"}
_ADDRESS_USES = {"home": "H", "work": "B", "temp": "C", "old": "BA"}
_TELECOM_USES = {"home": "PRN", "work": "WPN", "mobile": "PRN"}
_EQUIPMENT = {"phone": "PH", "fax": "FX", "pager": "BP", "sms": "CP"}


def parts(*components: Component) -> Parts:
    """Put components together, without the empty ones at the end."""
    found = list(components)
    while found and not any(found[-1]):
        found.pop()
    return tuple(found)


def datetime_to_dtm(text: str) -> str:
    """Write a FHIR date, dateTime or instant as DTM: `20261103080000+0700`."""
    day, _, clock = text.partition("T")
    digits = re.sub(r"\D", "", day)
    if not clock:
        return digits
    match = re.match(r"^(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?$", clock)
    if match is None:
        return digits
    hour, minute, second, fraction, zone = match.groups()
    zone = "+0000" if zone == "Z" else (zone or "").replace(":", "")
    return f"{digits}{hour}{minute}{second or ''}{(fraction or '')[:5]}{zone}"


# ---- codes ----


@cache
def _names() -> dict[str, str]:
    """Name every coding system that HL7 table 0396 names, as it is written first there."""
    found: dict[str, str] = {}
    for row in codes.table("v2-0396"):
        found.setdefault(row.target, row.code)
    return found


def system_to_name(system: str) -> str:
    """Give the name of a coding system for CWE.3."""
    table = _HL7_TABLE.match(system)
    if table:
        return f"HL7{table[1]}"
    own = _OWN_LIST.search(system)
    if own:
        name = (own[1] or "L").upper()
        return f"HL7{name[3:]}" if name.startswith("V2-") else name
    return _names().get(system) or system.removeprefix("urn:oid:")


def codeable_concept_to_cwe(concept: Element | None, back: str = "", only: Iterable[str] = ()) -> Parts:
    """Write a CodeableConcept: up to two codings, and the text (CWE.9) when it is not the first display.

    `back` is a code table of ours by which codes go back to their HL7 table; `only` the systems to write, best first.
    """
    if not concept:
        return ()
    codings: Sequence[Element] = concept.get("coding", [])
    wanted = list(only)
    if wanted:
        codings = sorted((c for c in codings if c.get("system") in wanted), key=lambda c: wanted.index(c["system"]))
    text = concept.get("text", "")
    written: list[str] = []
    for coding in codings[:2]:
        source = _source(coding, back) if back else ""
        name = f"HL7{back[3:7]}" if source else system_to_name(coding.get("system", ""))
        written += [source or coding.get("code", ""), coding.get("display", "") or text, name]
    if not written:
        return parts("", text)
    own_words = text if text not in (written[1], "") else ""
    return parts(*written, *[""] * (8 - len(written)), own_words)


def _source(coding: Element, back: str) -> str:
    for row in codes.table(back):
        if row.target == coding.get("code") and row.target_system == coding.get("system"):
            return row.code
    return ""


def quantity_to_unit(quantity: Element) -> Parts:
    """Write the unit of a Quantity as CWE."""
    code, unit = quantity.get("code", ""), quantity.get("unit", "")
    if code:
        return parts(code, unit or code, system_to_name(quantity.get("system", "")))
    return parts(unit)


# ---- identifiers ----


def system_to_authority(system: str, systems: Systems) -> Component:
    """Name who issued a number, as HD: the facility, the national register, or the URI itself."""
    national = {
        systems.cccd: "CCCD",
        systems.cmnd: "CMND",
        systems.passport: "HOCHIEU",
        systems.bhyt: "BHYT",
        systems.bhxh: "BHXH",
        systems.licence: "CCHN",
    }
    if system in national:
        return national[system]
    patient = _PATIENT_OF.search(system)
    if patient:
        return patient[2] or patient[1]
    if _PERSON.search(system):
        return (GATEWAY, system, "URI")
    local = _LOCAL.search(system)
    if local:
        return local[1]
    if system.startswith("urn:oid:"):
        return ("", system[8:], "ISO")
    if system.startswith("urn:uuid:"):
        return ("", system[9:], "UUID")
    return ("", system, "URI") if ":" in system else system


def identifier_to_cx(identifier: Element, systems: Systems) -> Parts:
    """Write an Identifier of a person."""
    kind = next((c.get("code", "") for c in identifier.get("type", {}).get("coding", [])), "")
    authority = system_to_authority(identifier.get("system", ""), systems)
    return parts(identifier.get("value", ""), "", "", authority, kind or "PI")


def identifier_to_ei(identifier: Element, systems: Systems) -> Parts:
    """Write an Identifier of a thing."""
    authority = system_to_authority(identifier.get("system", ""), systems)
    if isinstance(authority, tuple):
        return parts(identifier.get("value", ""), *authority)
    return parts(identifier.get("value", ""), authority)


# ---- people ----


def human_name_to_xpn(name: Element) -> Parts:
    """Write a HumanName: family, given (the last one), middle (those before)."""
    given = list(name.get("given", []))
    family = name.get("family", "") or ("" if given else name.get("text", ""))
    return parts(
        family,
        given[-1] if given else "",
        " ".join(given[:-1]),
        " ".join(name.get("suffix", [])),
        " ".join(name.get("prefix", [])),
        "",
        _NAME_USES.get(name.get("use", ""), ""),
    )


def address_to_xad(address: Element) -> Parts:
    """Write an Address; one without parts as the first line."""
    lines = list(address.get("line", []))
    structured = any(address.get(name) for name in ("line", "city", "state", "district", "postalCode"))
    if not structured:
        lines = [address.get("text", "")]
    return parts(
        lines[0] if lines else "",
        ", ".join(lines[1:]),
        address.get("city", ""),
        address.get("state", ""),
        address.get("postalCode", ""),
        address.get("country", ""),
        _ADDRESS_USES.get(address.get("use", ""), "M" if address.get("type") == "postal" else ""),
        "",
        address.get("district", ""),
    )


def contact_point_to_xtn(point: Element, modern: bool) -> Parts:
    """Write a ContactPoint; from v2.7 on (`modern`) the number stands in XTN.12."""
    system, use, value = point.get("system", ""), point.get("use", ""), point.get("value", "")
    if system == "email":
        return parts("", "NET", "Internet", value)
    equipment = "CP" if use == "mobile" else _EQUIPMENT.get(system, "PH")
    written = _TELECOM_USES.get(use, "")
    if modern:
        return parts("", written, equipment, *[""] * 8, value)
    return parts(value, written, equipment)


def practitioner_to_xcn(reference: Element, named: Mapping[str, Resource], systems: Systems) -> Parts:
    """Write who a Reference names; by its display when the resource is not at hand."""
    resource = named.get(reference.get("reference", ""))
    if resource is None:
        return parts("", reference.get("display", ""))
    if resource["resourceType"] == "PractitionerRole":
        return practitioner_to_xcn(resource.get("practitioner", {}), named, systems)
    if resource["resourceType"] != "Practitioner":
        return parts("", resource.get("name", "") or reference.get("display", ""))
    identifier: Element = next(iter(resource.get("identifier", [])), {})
    name: Element = next(iter(resource.get("name", [])), {})
    written = [*human_name_to_xpn(name), *[""] * 5][:5]
    kind = next((c.get("code", "") for c in identifier.get("type", {}).get("coding", [])), "")
    system = identifier.get("system", "")
    authority = "" if system == systems.staff else system_to_authority(system, systems) if system else ""
    return parts(identifier.get("value", ""), *written, "", "", authority, "", "", "", kind)
