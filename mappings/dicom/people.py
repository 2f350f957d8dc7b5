"""Person names (PN) as HumanName, and who is named in passing as Practitioner.

A name that stands whole in one component is not split. Where a device writes several groups (`NGUYEN THI HOA=Nguyễn Thị
Hoà`), each is a name of its own, the one with Vietnamese letters first.

Standard: DICOM PS3.5 §6.2.1
"""

from __future__ import annotations

from typing import Any

from mappings.dicom.attributes import Attributes, item, items, text, values, words
from mappings.dicom.codings import MEANING, VALUE
from mappings.dicom.draft import Draft, reference
from mappings.hl7v2.datatypes import Element, compact
from mappings.hl7v2.names import human_name
from mappings.ids import resource_id

_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_GROUPS = (("Alphabetic", "ABC"), ("Ideographic", "IDE"), ("Phonetic", "SYL"))
IDENTIFIED = "00401101"
"""PersonIdentificationCodeSequence."""


def pn_to_human_names(pn: Any, use: str = "") -> list[Element]:
    """Make a HumanName of every group; several say which writing they are."""
    if not isinstance(pn, dict):
        return []
    found = [(code, name) for group, code in _GROUPS if (name := _group_to_human_name(str(pn.get(group, "")), use))]
    found.sort(key=lambda one: 0 if _is_latin(one[1]["text"]) and not one[1]["text"].isascii() else 1)
    if len(found) < 2:
        return [name for _, name in found]
    return [{"extension": [{"url": _REPRESENTATION, "valueCode": code}], **name} for code, name in found]


def pn_to_text(pn: Any) -> str:
    """Give a name as people read it."""
    return next((str(name["text"]) for name in pn_to_human_names(pn)), "")


def names(attributes: Attributes, tag: str, use: str = "") -> list[Element]:
    """Make the HumanNames of an attribute."""
    return [name for pn in values(attributes, tag) for name in pn_to_human_names(pn, use)]


def _group_to_human_name(text: str, use: str) -> Element | None:
    family, given, middle, prefix, suffix = ([words(part) for part in text.split("^")] + [""] * 5)[:5]
    name = human_name(family, given, middle)
    if name is None:
        return None
    return compact({"use": use, **name, "prefix": [prefix] if prefix else [], "suffix": [suffix] if suffix else []})


def _is_latin(text: str) -> bool:
    return all(ord(char) < 0x250 or 0x1E00 <= ord(char) <= 0x1EFF or not char.isalpha() for char in text)


def people(attributes: Attributes, names_at: str, identified_at: str, draft: Draft) -> list[Element]:
    """Make the Practitioners that an attribute names, with the numbers that the sequence beside it gives, in the same order."""
    named = [pn for pn in values(attributes, names_at) if isinstance(pn, dict)]
    numbered = items(attributes, identified_at) if identified_at else []
    found = []
    for n in range(max(len(named), len(numbered))):
        who = item(numbered[n], IDENTIFIED) if n < len(numbered) else {}
        person = practitioner(named[n] if n < len(named) else None, who, draft)
        if person and person not in found:
            found.append(person)
    return found


def practitioner(pn: Any, number: Attributes, draft: Draft) -> Element | None:
    """Make a Practitioner of a name, of a coded number, or both; ids are those that XCN of HL7 v2 makes."""
    systems, facility = draft.context.systems, draft.context.facility
    value = text(number, VALUE)
    known = pn_to_human_names(pn)
    if not known and text(number, MEANING):
        known = pn_to_human_names({"Alphabetic": text(number, MEANING)})
    if not value and not known:
        return None
    licensed = value.upper().endswith(("-CCHN", "-GPHN"))
    system = systems.licence if licensed else systems.staff
    display = known[0]["text"] if known else ""
    scope = "" if licensed else f"{facility}|"
    target = draft.add(
        compact(
            {
                "resourceType": "Practitioner",
                "id": resource_id("Practitioner", system, f"{scope}{value or display}"),
                "identifier": [{"system": system, "value": value}] if value else [],
                "name": known,
            }
        )
    )
    return reference(target, display)
