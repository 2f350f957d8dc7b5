"""CWE, CE, CNE, CF, IS and ID as CodeableConcept and Coding, claiming of published code systems only what they have.

Does not translate a site's own codes (`shared_codes` does).

Standard: HL7 v2.5.1 §2.A.13
"""

from __future__ import annotations

import re

from mappings import codes
from mappings.fhir import vocabulary
from mappings.fhir.shared import Shared
from mappings.formats.ucum import is_ucum
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    code_of,
    compact,
    slug,
    words,
)
from mappings.systems import COUNTRY, DICOM, ICD10, LANGUAGE, LOINC, SNOMED, UCUM, V2_TABLE

_OID = re.compile(r"^[0-2](\.(0|[1-9]\d*)){2,}$")
_V2_TABLE = re.compile(r"^(?:HL7)?(\d{4})$")


def coding_system(name: str, context: Context) -> str:
    """Give the URI of a coding system as CWE.3 names it; a name nobody else knows becomes one of this facility."""
    name = name.strip()
    if not name:
        return context.systems.local(context.facility, "code")
    upper = name.upper()
    if upper == "QD3176":
        return context.systems.field
    known = codes.table("v2-0396").target(upper)
    if known:
        return known
    table = _V2_TABLE.match(upper)
    if table:
        return f"{V2_TABLE}{table[1]}"
    if _OID.match(name):
        return f"urn:oid:{name}"
    if upper in ("L", "99"):
        return context.systems.local(context.facility, "code")
    return context.systems.local(context.facility, f"code-{slug(name)}")


def cwe_to_codeable_concept(
    cwe: Components, context: Context, table: str = "", system: str = "", called: frozenset[str] = frozenset()
) -> Element | None:
    """Make a CodeableConcept of CWE, CE, CNE, CF, IS or ID.

    `table` is a code table of ours whose targets replace codes of that HL7 table; `system` the URI when CWE.3 is empty or one
    of the names, in capitals, that the list is `called`. What is given is shared: copy it before changing it.
    """
    written = getattr(cwe, "usual", "")
    if not written or len(written) > _LONGEST_KEPT:
        return _codeable_concept(cwe, context, table, system, called) if cwe else None
    key = (written, table, system, called, context.facility, context.systems.national)
    try:
        return _CONCEPTS[key]
    except KeyError:
        made = _codeable_concept(cwe, context, table, system, called) if cwe else None
        if len(_CONCEPTS) >= _MOST_KEPT:
            _CONCEPTS.clear()
        _CONCEPTS[key] = found = Shared(made) if made else None
        return found


_CONCEPTS: dict[tuple[str, str, str, frozenset[str], str, str], Shared | None] = {}
"""Coded values made before: a hospital sends the same ones in every message."""
_MOST_KEPT, _LONGEST_KEPT = 8192, 256
codes.when_changed(_CONCEPTS.clear)


def _codeable_concept(
    cwe: Components, context: Context, table: str, system: str, called: frozenset[str]
) -> Element | None:
    text = words(cwe.c(9)) or words(cwe.c(2))
    codings = []
    for n, version in ((1, 7), (4, 8), (10, 13)):
        if n > 1 and not cwe.c(n):
            continue
        found = _coding(cwe.c(n), cwe.c(n + 1), cwe.c(n + 2), cwe.c(version), context, table, system, called)
        for one in icd10_codings(found, context) if found else ():
            if one not in codings:
                codings.append(one)
    if not text:
        text = words(cwe.c(5)) or ("" if codings else words(cwe.c(1)))
    return compact({"coding": codings, "text": text}) or None


_WHO_ICD10 = re.compile(r"^[A-Z][0-9]{2}(\.[0-9])?$")
_VN_ICD10 = re.compile(r"^([A-Z][0-9]{2})\.?([0-9A-Z]?)([0-9A-Z]{0,2})([†*+]?)$")


def icd10_codings(coding: Element, context: Context) -> tuple[Element, ...]:
    """Give a code of ICD-10 VN that WHO does not have (dagger, asterisk, five characters) as itself and as WHO's code above it.

    Any other Coding is given as it is. Standard: TT 06/2026/TT-BYT, QĐ 4469/QĐ-BYT
    """
    if coding["system"] != ICD10 or _WHO_ICD10.match(coding["code"]):
        return (coding,)
    form = _VN_ICD10.match(coding["code"])
    if form is None:
        return (coding,)
    block, fourth, further, mark = form.groups()
    above = coding | {"code": f"{block}.{fourth}" if fourth.isdigit() else block}
    if not further and not mark:
        return (above,)
    if further or (fourth and not fourth.isdigit()):
        above.pop("display", None)
    return (coding | {"system": f"{context.systems.national}/CodeSystem/vn-icd10-cs"}, above)


def cwe_to_coding(cwe: Components, context: Context, table: str = "", system: str = "") -> Element | None:
    """Make a Coding of the first triplet."""
    return _coding(cwe.c(1), cwe.c(2), cwe.c(3), cwe.c(7), context, table, system)


def _coding(
    code: str,
    display: str,
    name: str,
    version: str,
    context: Context,
    table: str,
    system: str,
    called: frozenset[str] = frozenset(),
) -> Element | None:
    code = code_of(code)
    if not code or len(code) > 120:
        return None
    if table:
        number = table[3:7]
        if not name or name.upper().removeprefix("HL7") == number:
            row = codes.table(table).find(code) or codes.table(table).find(code.upper())
            if row:
                return dict(row.coding())
            system = f"{V2_TABLE}{number}"
    if not system or (name and name.strip().upper() not in called):
        system = coding_system(name, context)
    return coding(system, code, display, context, version)


def coding(system: str, code: str, display: str, context: Context, version: str = "") -> Element:
    """Write a Coding that claims a published code system only for codes that it has, under the name that it gives them.

    A code that a published system does not have stays, as one of this facility.
    """
    if system in _LISTS:
        row = codes.table(_LISTS[system]).find(code.upper() if system == COUNTRY else code.lower())
        if row:
            return {"system": system, "code": row.target}
    elif (official := vocabulary.members(system)) is not None:
        for spelled in (code, code.upper(), code.lower()):
            if spelled in official:
                return compact({"system": system, "code": spelled, "display": official[spelled]})
    elif not system.startswith(_PUBLISHED) and well_formed(system, code):
        display = "" if system == DICOM else display
        return compact({"system": system, "version": code_of(version), "code": code, "display": words(display)})
    own = context.systems.local(context.facility, f"code-{slug(system.rpartition('/')[2])}")
    return compact({"system": own, "code": code, "display": words(display)})


_PUBLISHED = ("http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/CodeSystem/")
"""Where every system of HL7 is: one that is not known there does not exist, or has no codes (tables left to users)."""
_LISTS = {COUNTRY: "iso-3166", LANGUAGE: "iso-639"}
_FORMS = {
    DICOM: re.compile(r"^(?:[0-9]{6}|[A-Z]{2})$"),
    LOINC: re.compile(r"^(?:LP|LA|LL|LG)?[0-9]{1,7}-[0-9]$"),
    SNOMED: re.compile(r"^[1-9][0-9]{5,17}$"),
    ICD10: re.compile(r"^[A-Z][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?[†*+]?$"),
}


def well_formed(system: str, code: str) -> bool:
    """Tell whether a code can be one of the system, by its form and check digit; true for systems whose form is free."""
    form = _FORMS.get(system)
    if system == UCUM:
        return is_ucum(code)
    if form is None:
        return True
    if not form.match(code):
        return False
    return system != LOINC or code.startswith("L") or luhn(code)  # parts and answers have another check digit


def luhn(code: str) -> bool:
    """Tell whether the last digit is the check digit of those before it (modulus 10), as LOINC has it."""
    digits = [int(digit) for digit in reversed(code.replace("-", ""))]
    return sum(digits[0::2] + [d * 2 - 9 * (d > 4) for d in digits[1::2]]) % 10 == 0


def cwe_to_language(cwe: Components) -> Element | None:
    """Make the CodeableConcept of a language: a BCP 47 code where the language is known, else words alone.

    FHIR takes no other code there. Standard: FHIR R4, maximum binding all-languages
    """
    code = next((found for n in (1, 4) if (found := language_code(cwe.c(n)))), "")
    text = words(cwe.c(9)) or words(cwe.c(2)) or ("" if code else words(cwe.c(1)))
    return compact({"coding": [{"system": LANGUAGE, "code": code}] if code else [], "text": text}) or None


def language_code(said: str) -> str:
    """Give the BCP 47 code of a language that ISO 639 lists, a country after it kept (`en-US`); `""` for any other."""
    language, dash, country = said.strip().partition("-")
    row = codes.table("iso-639").find(language.lower())
    if row is None or (dash and country.upper() not in codes.table("iso-3166")):
        return ""
    return f"{row.target}-{country.upper()}" if dash else row.target


def v2_coding(number: str, code: str) -> Element | None:
    """Make a Coding of an HL7 table; `None` for a code that the table does not have."""
    system = f"{V2_TABLE}{number}"
    display = (vocabulary.members(system) or {}).get(code)
    return None if display is None else compact({"system": system, "code": code, "display": display})


def concept(code: str, system: str, display: str = "") -> Element:
    """Write a CodeableConcept with one coding."""
    return {"coding": [compact({"system": system, "code": code, "display": display})]}
