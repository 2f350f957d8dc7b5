"""Members of the staff (MFN^M02): persons, their licences and degrees, and the posts they hold.

The number in STF-1 makes the id that XCN makes of the same number, so that a doctor in an order and in the staff list is one
resource. Practising licences (CCHN, GPHN) are known by their type or form and kept as written, `Đ` and slashes included.

Standard: HL7 v2.5.1 §15.3; Luật Khám bệnh, chữa bệnh 2023
"""

from __future__ import annotations

from typing import Any

from mappings.hl7v2.actors import reference, this_facility
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, slug, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.identifiers import identifier_type, national_number
from mappings.ids import resource_id
from mappings.outcome import Resource

_LICENCE_TYPES = frozenset({"LN", "MD", "CCHN", "GPHN"})
_NATIONAL_TYPES = frozenset({"NI", "NNVNM", "CCCD", "PPN"})
_STAFF_TYPES = frozenset({"", "EI", "EN", "PRN", "PI", "MB"})


def is_licence(number: str, kind: str, authority: str) -> bool:
    """Tell whether a number is a practising licence, by its type or by its form (`000123/HNO-CCHN`)."""
    kinds = {kind.strip().upper(), authority.strip().upper()}
    return bool(kinds & _LICENCE_TYPES) or words(number).upper().endswith(("-CCHN", "-GPHN"))


def number_to_identifier(number: str, kind: str, authority: str, draft: Draft) -> Element | None:
    """Make an Identifier of a number of a practitioner: licence, personal number, staff number, or another of this facility."""
    number, kind = words(number), code_of(kind)
    if not number:
        return None
    systems = draft.context.systems
    national = {"cccd": systems.cccd, "cmnd": systems.cmnd, "passport": systems.passport}
    if is_licence(number, kind, authority):
        system = systems.licence
    elif kind.upper() in _NATIONAL_TYPES and national_number(number):
        system = national[national_number(number)]
    elif kind.upper() in _STAFF_TYPES:
        system = systems.staff
    else:
        system = systems.local(draft.context.facility, f"practitioner-{slug(kind)}")
    return compact({"type": identifier_type(kind), "system": system, "value": number})


def staff_number(key: Components, draft: Draft) -> Element | None:
    """Make an Identifier of the key of a staff record (CWE: the number, perhaps with who issued it)."""
    return number_to_identifier(key.c(1), "", key.c(3), draft)


def practitioner_id(number: Element | None, name: str, draft: Draft) -> str:
    """Give the id of the Practitioner with this number; without one that of the name in this facility."""
    systems = draft.context.systems
    if number is None:
        return resource_id("Practitioner", systems.staff, f"{draft.context.facility}|{name}")
    scope = f"{draft.context.facility}|" if number["system"] == systems.staff else ""
    return resource_id("Practitioner", number["system"], f"{scope}{number['value']}")


def add_number(person: Resource, number: Element) -> None:
    """Add a number to the Practitioner, each once; one told again may bring its type."""
    for present in person.setdefault("identifier", []):
        if present["system"] == number["system"] and present["value"] == number["value"]:
            if "type" in number:
                present.setdefault("type", number["type"])
            return
    person["identifier"].append(number)


def add_qualification(person: Resource, qualification: Element) -> None:
    """Add a qualification to the Practitioner; what is told of the same number again completes what is there."""
    numbers = [(one["system"], one["value"]) for one in qualification.get("identifier", [])]
    present = person.setdefault("qualification", [])
    for n, other in enumerate(present):
        if numbers and numbers == [(one["system"], one["value"]) for one in other.get("identifier", [])]:
            present[n] = {**other, **qualification, "period": other.get("period", {}) | qualification.get("period", {})}
            present[n] = compact(present[n])
            return
    present.append(qualification)


def post(person: Resource, said: Element, draft: Draft) -> str:
    """Keep the PractitionerRole of a post and give its reference; the same place told again is the same post.

    A post without an organisation is at this facility.
    """
    who = reference(f"Practitioner/{person['id']}")
    place = said.get("organization") or this_facility(draft)
    key = f"{who['reference']}|{(place or {}).get('reference', '')}|post"
    role: dict[str, Any] = {
        "resourceType": "PractitionerRole",
        "id": resource_id("PractitionerRole", draft.context.systems.staff, key),
        "active": person.get("active"),
        "practitioner": who,
        **said,
        "organization": place,
    }
    target = draft.add(compact(role))
    kept = draft.get(target)
    for name in ("code", "specialty", "identifier"):
        further = [one for one in said.get(name, []) if one not in kept[name]]
        kept.get(name, []).extend(further)
    return target
