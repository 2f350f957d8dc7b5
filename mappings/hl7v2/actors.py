"""People, organisations, places and devices that messages name in passing: XCN, CNN, XON, PL, EI of a device.

Each function keeps the resource in the draft and gives a Reference to it, or `None` when the field names nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings import codes
from mappings.formats import er7
from mappings.formats.identifiers import gln_doubts
from mappings.hl7v2.addresses import xad_to_address, xtn_to_contact_point
from mappings.hl7v2.datatypes import Components, Element, Subcomponents, code_of, compact, dr_to_period, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import FACILITY_CODE, hd_to_uri, identifier_type
from mappings.hl7v2.names import family_parts, human_name
from mappings.ids import resource_id
from mappings.systems import EUI64

_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"
_LICENCE_TYPES = frozenset({"LN", "MD", "CCHN", "GPHN"})


def reference(target: str, display: str = "") -> Element:
    """Write a Reference; nothing of no target."""
    if not target:
        return {}
    return {"reference": target, "display": display} if display else {"reference": target}


def xcn_to_practitioner(xcn: Components, draft: Draft) -> Element | None:
    """Make a Practitioner of XCN.

    The number is a practice licence when its type is LN or MD, its authority CCHN or GPHN, or its form says so
    (`000123/HNO-CCHN`); else a staff number, which only means something inside the facility: the id is made of both.
    """
    return _practitioner(
        draft,
        number=words(xcn.c(1)),
        name=xcn_to_human_name(xcn, draft),
        degree=words(xcn.c(7)),
        authority=xcn.c(9).strip(),
        authority_uri=hd_to_uri(xcn.c(9, 2), xcn.c(9, 3)),
        kind=code_of(xcn.c(13)),
    )


def xcn_to_human_name(xcn: Components, draft: Draft) -> Element | None:
    """Make the HumanName of XCN."""
    name = human_name(xcn.c(2), xcn.c(3), xcn.c(4))
    if name is None:
        return None
    prefix = words(xcn.c(6))
    start = end = ""
    if getattr(xcn, "components", 17) > 16:
        start, end = (xcn.c(19), xcn.c(20)) if xcn.c(19) or xcn.c(20) else (xcn.c(17, 1), xcn.c(17, 2))
    return compact(
        {
            "use": codes.table("v2-0200").target(xcn.c(10).strip()),
            **name,
            "_family": family_parts(xcn, 2) if "family" in name else {},
            "prefix": [prefix] if prefix else [],
            "suffix": [part for part in (words(xcn.c(5)), words(xcn.c(21))) if part],
            "period": dr_to_period(start, end, draft.context) if start or end else {},
        }
    )


def cnn_to_practitioner(cnn: Components, draft: Draft) -> Element | None:
    """Make a Practitioner of CNN, as NDL.1 holds it in subcomponents."""
    name = human_name(cnn.c(2), cnn.c(3), cnn.c(4))
    if name is not None:
        prefix, suffix = words(cnn.c(6)), words(cnn.c(5))
        name = compact({**name, "prefix": [prefix] if prefix else [], "suffix": [suffix] if suffix else []})
    return _practitioner(
        draft,
        number=words(cnn.c(1)),
        name=name,
        degree=words(cnn.c(7)),
        authority=cnn.c(9).strip(),
        authority_uri=hd_to_uri(cnn.c(10), cnn.c(11)),
        kind="",
    )


def ndl_to_practitioner(ndl: Components, draft: Draft) -> Element | None:
    """Make a Practitioner of the name in NDL."""
    return cnn_to_practitioner(Subcomponents(ndl, 1), draft)


def _practitioner(
    draft: Draft,
    *,
    number: str,
    name: Element | None,
    degree: str,
    authority: str,
    authority_uri: str,
    kind: str,
) -> Element | None:
    if not number and name is None:
        return None
    context = draft.context
    licensed = kind.upper() in _LICENCE_TYPES or authority.upper() in _LICENCE_TYPES
    if licensed or number.upper().endswith(("-CCHN", "-GPHN")):
        system, scope = context.systems.licence, ""
    elif authority_uri:
        system, scope = authority_uri, ""
    else:
        system, scope = context.systems.staff, f"{context.facility}|"
    display = name["text"] if name else ""
    said = authority.upper() in ("", context.facility, *_LICENCE_TYPES)
    identifier = _number(number, system, kind, "" if said else authority)
    target = draft.add(
        compact(
            {
                "resourceType": "Practitioner",
                "id": resource_id("Practitioner", system, f"{scope}{number or display}"),
                "identifier": [identifier] if identifier else [],
                "name": [name] if name else [],
                "qualification": [{"code": {"text": degree}}] if degree else [],
            }
        )
    )
    return reference(target, display)


def _number(number: str, system: str, kind: str, assigner: str) -> Element:
    if not number:
        return {}
    issuer = {"display": assigner} if assigner else {}
    return compact({"type": identifier_type(kind), "system": system, "value": number, "assigner": issuer})


def organization(
    draft: Draft,
    name: str,
    number: str = "",
    system: str = "",
    *,
    address: Components | None = None,
    telecom: Components | None = None,
    kind: str = "",
    assigner: str = "",
) -> Element | None:
    """Make an Organization of a name, a number, or both.

    A five-character facility code is MA_CSKCB, 13 digits that no other authority issued are a GLN. `kind` is the type code of
    the number (HL7 table 0203), `assigner` the name of who issued it.
    """
    name, number = words(name), words(number)
    if not name and not number:
        return None
    context = draft.context
    if number:
        system = _facility_system(number, system, draft) or context.systems.local(context.facility, "organization")
    key_system = system if number else context.systems.local(context.facility, "organization-name")
    place = of_organization(xad_to_address(address, context)) if address else None
    phone = of_organization(xtn_to_contact_point(telecom, context)) if telecom else None
    identifier = _number(number, system, kind, "" if assigner == context.facility else assigner)
    target = draft.add(
        compact(
            {
                "resourceType": "Organization",
                "id": resource_id("Organization", key_system, number or name),
                "identifier": [identifier] if identifier else [],
                "name": name,
                "telecom": [phone] if phone else [],
                "address": [place] if place else [],
            }
        )
    )
    return reference(target, name)


def of_organization(place: Element | None) -> Element | None:
    """Take the use `home` away from an address or telephone: no organisation has one in FHIR."""
    if place is None or place.get("use") != "home":
        return place
    return {name: value for name, value in place.items() if name != "use"}


def _facility_system(number: str, authority: str, draft: Draft) -> str:
    """Give the system of an organisation's number by its form, else what the `authority` says; doubt a wrong check digit."""
    systems = draft.context.systems
    if FACILITY_CODE.match(number):
        return systems.facility
    if authority or not _GLN.match(number):
        return authority
    for code, where, detail in gln_doubts(number):
        if draft.nth(f"GLN|{number}") == 1:
            draft.notice(code, where, detail)
    return systems.gln


_GLN = re.compile(r"^[0-9]{13}$")


def xon_to_organization(
    xon: Components, draft: Draft, address: Components | None = None, telecom: Components | None = None
) -> Element | None:
    """Make an Organization of XON."""
    number = xon.c(10) or xon.c(3)
    return organization(
        draft,
        xon.c(1),
        number,
        hd_to_uri(xon.c(6, 2), xon.c(6, 3)),
        address=address,
        telecom=telecom,
        kind=xon.c(7),
        assigner=words(xon.c(6)),
    )


def cwe_to_organization(cwe: Components, draft: Draft) -> Element | None:
    """Make an Organization of CWE: code and name."""
    return organization(draft, cwe.c(2), cwe.c(1))


def hd_to_reference(hd: Components, draft: Draft, country: str = "") -> Element | None:
    """Make an Organization of HD in a message header: it stands with the header, not in the record."""
    if not hd:
        return None
    context = draft.context
    name, universal = words(hd.c(1)), words(hd.c(2))
    if not name and not universal:
        return None
    uri = hd_to_uri(universal, hd.c(3)) if universal else ""
    system = _facility_system(name, "", draft)
    if system:
        identifier = {"system": system, "value": name}
    elif uri:
        identifier = {"system": "urn:ietf:rfc:3986", "value": uri}
    else:
        identifier = {"system": context.systems.local(context.facility, "organization"), "value": universal or name}
    return _about(draft, identifier, name, country)


def xon_to_reference(xon: Components, draft: Draft) -> Element | None:
    """Make an Organization of XON in a message header: it stands with the header, not in the record."""
    name, number = words(xon.c(1)), words(xon.c(10)) or words(xon.c(3))
    if not name and not number:
        return None
    context = draft.context
    system = _facility_system(number, hd_to_uri(xon.c(6, 2), xon.c(6, 3)), draft)
    system = system or context.systems.local(context.facility, "organization")
    return _about(draft, {"system": system, "value": number} if number else {}, name, "")


def _about(draft: Draft, identifier: Element, name: str, country: str) -> Element:
    system = identifier.get("system") or draft.context.systems.local(draft.context.facility, "organization-name")
    target = draft.tell(
        compact(
            {
                "resourceType": "Organization",
                "id": resource_id("Organization", system, identifier.get("value") or name),
                "identifier": [identifier] if identifier else [],
                "name": name if name != identifier.get("value") else "",
                "address": [{"country": country}] if country else [],
            }
        )
    )
    return reference(target, name)


def this_facility(draft: Draft) -> Element | None:
    """Refer to the Organization the message is mapped for; nothing when the context names no facility."""
    context = draft.context
    if not context.facility:
        return None
    target = draft.add(
        {
            "resourceType": "Organization",
            "id": resource_id("Organization", context.systems.facility, context.facility),
            "identifier": [{"system": context.systems.facility, "value": context.facility}],
        }
    )
    return reference(target)


# PL component, physical type code, its words
_LEVELS = (
    (4, "si", "Site"),
    (7, "bu", "Building"),
    (8, "lvl", "Level"),
    (1, "wa", "Ward"),
    (2, "ro", "Room"),
    (3, "bd", "Bed"),
)


def pl_to_location(pl: Components, draft: Draft) -> Element | None:
    """Make the chain of Locations PL names (site, building, level, ward, room, bed) and refer to the innermost.

    Each is known by the path to it, so the same bed is the same resource in every message. A ward carries PL.1 as its number in
    the system `department`.
    """
    context = draft.context
    system = context.systems.local(context.facility, "location")
    department = context.systems.local(context.facility, "department")
    path: list[str] = []
    target = ""
    description = words(pl.c(9))
    levels = [(words(pl.c(n)), code, display) for n, code, display in _LEVELS]
    levels = [level for level in levels if level[0]]
    whole = _location_number(pl, draft)
    for name, code, display in levels:
        path.append(f"{code}:{name}")
        value = "/".join(path)
        innermost = len(path) == len(levels)
        target = draft.add(
            compact(
                {
                    "resourceType": "Location",
                    "id": resource_id("Location", system, value),
                    "identifier": [
                        {"system": department, "value": name} if code == "wa" else {"system": system, "value": value},
                        *([whole] if whole and innermost else []),
                    ],
                    "name": name,
                    "description": description if innermost else "",
                    "mode": "instance",
                    "physicalType": {"coding": [{"system": _PHYSICAL_TYPE, "code": code, "display": display}]},
                    "partOf": reference(target) if target else {},
                }
            )
        )
    if not target and description:
        target = draft.add(
            {
                "resourceType": "Location",
                "id": resource_id("Location", system, description),
                "name": description,
                "mode": "instance",
            }
        )
    if not target:
        return None
    shown = [name for name, code, _ in levels if code in ("wa", "ro", "bd")] or [
        levels[-1][0] if levels else description
    ]
    return reference(target, ", ".join(shown))


def _location_number(pl: Components, draft: Draft) -> Element | None:
    """Make an Identifier of the number of the whole place (PL.10), issued by PL.10.2 or the authority of PL.11."""
    value = words(pl.c(10, 1))
    if not value:
        return None
    context = draft.context
    system = hd_to_uri(pl.c(10, 3), pl.c(10, 4)) or hd_to_uri(pl.c(11, 2), pl.c(11, 3))
    assigner = words(pl.c(10, 2)) or words(pl.c(11))
    return compact(
        {
            "system": system or context.systems.local(context.facility, "location-number"),
            "value": value,
            "assigner": {"display": assigner} if assigner else {},
        }
    )


def ei_to_device(ei: Components, draft: Draft) -> Element | None:
    """Make a Device of EI; one with a maker's number (EUI-64) is known by that everywhere.

    A number that only means something within a system that has such a number is known by both.
    """
    number, name = words(ei.c(1)), words(ei.c(2))
    context = draft.context
    system = hd_to_uri(ei.c(3), ei.c(4))
    if name.upper() == _EUI64 and not ei.c(3).strip():
        system, number, name = EUI64, eui64(number), ""
    elif ei.c(4).strip().upper() == _EUI64 and ei.c(3).strip():
        within = eui64(ei.c(3))
        system = EUI64 if eui64(number) in ("", within) else f"{context.systems.own}/sid/eui-64/{within}"
        number = within if system == EUI64 else number
    if not number:
        return None
    system = system or context.systems.local(context.facility, "device")
    key = number if not name or system.startswith("urn:") else f"{name}/{number}"
    target = draft.add(
        compact(
            {
                "resourceType": "Device",
                "id": resource_id("Device", system, key),
                "identifier": [{"system": system, "value": number}],
                "deviceName": [{"name": name, "type": "other"}] if name else [],
            }
        )
    )
    return reference(target, name)


_EUI64 = "EUI-64"


def eui64(written: str) -> str:
    """Write a maker's number in one way: capital digits, without what parts them (senders write `-`, `:`, blanks)."""
    return "".join(digit for digit in written.upper() if digit.isalnum())


def role_reference(draft: Draft, person: Element, place: Element, code: Element) -> Element:
    """Make a PractitionerRole: this person, for that organisation, in this role."""
    key = f"{person['reference']}|{place['reference']}|{code['coding'][0]['code']}"
    target = draft.add(
        {
            "resourceType": "PractitionerRole",
            "id": resource_id("PractitionerRole", draft.context.systems.staff, key),
            "practitioner": person,
            "organization": place,
            "code": [code],
        }
    )
    return reference(target, person.get("display", ""))


def practitioners(repetitions: Sequence[er7.Repetition], draft: Draft) -> list[Element]:
    """Make Practitioners of every repetition of an XCN field, the same words once per message."""
    found: list[Element] = []
    for xcn in repetitions:
        if xcn.raw not in draft.people:
            draft.people[xcn.raw] = xcn_to_practitioner(xcn, draft)
        person = draft.people[xcn.raw]
        if person:
            found.append(person)
    return found
