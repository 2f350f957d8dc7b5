"""HL7 v2 data types as FHIR data types: `cx_to_identifier`, `xpn_to_human_name`, `cwe_to_codeable_concept` …

Every function takes one repetition and gives an element, or `None` when there is nothing in it. No element is ever empty.
Addresses, names and numbers keep the sender's words; nothing is guessed that the sender did not split.

Standard: HL7 v2.5.1 §2.A
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from mappings import codes
from mappings.fhir import vocabulary
from mappings.fhir.shared import Shared
from mappings.formats import er7
from mappings.formats.ucum import is_ucum
from mappings.hl7v2.administrative_units import two_levels, units_to_extensions
from mappings.hl7v2.context import Context
from mappings.hl7v2.draft import datetime_of
from mappings.systems import COUNTRY, DICOM, ICD10, LANGUAGE, LOINC, SNOMED, UCUM, V2_TABLE
from mappings.units import to_ucum

Element = dict[str, Any]


class Components(Protocol):
    """Anything with components: a repetition, or a field standing for its first one."""

    def c(self, n: int, s: int = 1) -> str: ...

    def __bool__(self) -> bool: ...


def compact(elements: dict[str, Any]) -> Element:
    """Leave out what is empty: FHIR has no empty strings, lists or objects. `False` and zero stay."""
    return {name: value for name, value in elements.items() if value or value is False or value.__class__ in _NUMBERS}


_NUMBERS = (int, Decimal)


def words(text: str) -> str:
    """Take white space at the ends away; `""` when nothing else is there."""
    return text.strip()


def code_of(text: str) -> str:
    """Make a FHIR code: no white space at the ends, single spaces inside."""
    return " ".join(text.split())


def slug(text: str) -> str:
    """Make a name fit to stand in a URI."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "other"


def joined(repetitions: Sequence[er7.Repetition]) -> str:
    """Join the repetitions of a text as lines; an unescaped `^` or `&` in prose is prose."""
    return "\n".join(line.whole.strip("\r\n").rstrip() for line in repetitions).strip()


# ---- codes ----

_OID = re.compile(r"^[0-2](\.(0|[1-9]\d*)){2,}$")
_V2_TABLE = re.compile(r"^(?:HL7)?(\d{4})$")
_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def hd_to_uri(universal_id: str, kind: str) -> str:
    """Make a URI of HD.2 and HD.3 (or EI.3/EI.4, XON.6.2/6.3); `""` when they do not name one."""
    universal_id = universal_id.strip()
    if _OID.match(universal_id):
        return f"urn:oid:{universal_id}"
    if _UUID.match(universal_id):
        return f"urn:uuid:{universal_id.lower()}"
    if kind.upper() in ("URI", "URL") and ":" in universal_id and not re.search(r"\s", universal_id):
        return universal_id
    return ""


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
    return system != LOINC or luhn(code.lstrip("LPAG"))


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


# ---- numbers and quantities ----

_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)$")
_RANGE = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(-?\d+(?:\.\d+)?)\s*$")
_LIMIT = re.compile(r"^\s*(<=|>=|<|>|≤|≥)\s*(\d+(?:\.\d+)?)\s*$")
_COMPARATORS = {"<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">="}


def nm_to_decimal(text: str) -> Decimal | None:
    """Read NM keeping its digits (`4.50` stays `4.50`); `None` when it is no number."""
    text = text.strip()
    if not _NUMBER.match(text):
        return None
    return Decimal(text.lstrip("+").rstrip(".") or "0")


def nm_to_count(text: str) -> int:
    """Read NM as a FHIR positiveInt; 0 when it is none."""
    number = nm_to_decimal(text)
    if number is None or number != number.to_integral_value() or not 0 < number < 2**31:
        return 0
    return int(number)


def later(moment: str, minutes: int) -> str:
    """Add minutes to a FHIR dateTime; `""` when it has no time of day or the calendar ends."""
    if "T" not in moment:
        return ""
    try:
        return (datetime.fromisoformat(moment) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return ""


def cwe_to_unit(cwe: Components, context: Context) -> Element:
    """Give `unit`, and `system` and `code` when the unit is UCUM or known to be the same as one of UCUM."""
    if not cwe:
        return {}
    code = code_of(cwe.c(1))
    shown = words(cwe.c(2)) or code
    if not shown:
        return {}
    said = cwe.c(3).strip().upper() in _UCUM_NAMES and is_ucum(code)
    ucum = code if said else to_ucum(code) or to_ucum(shown)
    return {"unit": shown, "system": UCUM, "code": ucum} if ucum else {"unit": shown}


_UCUM_NAMES = frozenset({"UCUM", "2.16.840.1.113883.6.8"})


def quantity(value: Decimal, unit: Element, comparator: str = "") -> Element:
    """Write a Quantity."""
    if comparator:
        return {"value": value, "comparator": comparator, **unit}
    return {"value": value, **unit}


def cq_to_quantity(cq: Components, context: Context) -> Element | None:
    """Make a Quantity of CQ (amount, then units as subcomponents)."""
    value = nm_to_decimal(cq.c(1))
    if value is None:
        return None
    return quantity(value, cwe_to_unit(Subcomponents(cq, 2), context))


class Subcomponents:
    """See the subcomponents of one component as components."""

    __slots__ = ("_n", "_of")

    def __init__(self, of: Components, n: int) -> None:
        self._of = of
        self._n = n

    def __bool__(self) -> bool:
        return bool(self._of)

    def c(self, n: int, s: int = 1) -> str:
        return self._of.c(self._n, n) if s == 1 else ""


def comparable(text: str, unit: Element) -> Element | None:
    """Read `<0.5`, `>= 100` as Quantity with comparator."""
    match = _LIMIT.match(text)
    return quantity(Decimal(match[2]), unit, _COMPARATORS[match[1]]) if match else None


def sn_to_value(sn: Components, unit: Element) -> tuple[str, Any] | None:
    """Give the `value[x]` of SN as (suffix, value): Quantity, Range, Ratio or string.

    Standard: HL7 v2.5.1 §2.A.69
    """
    comparator, separator = sn.c(1).strip(), sn.c(3).strip()
    first, second = nm_to_decimal(sn.c(2)), nm_to_decimal(sn.c(4))
    plain = comparator in ("", "=")
    if first is not None and separator == "" and second is None and not sn.c(4):
        if plain or comparator in _COMPARATORS:
            return "Quantity", quantity(first, unit, _COMPARATORS.get(comparator, ""))
    elif first is not None and second is not None and plain:
        if separator == "-":
            return "Range", {"low": quantity(first, unit), "high": quantity(second, unit)}
        if separator in (":", "/"):
            return "Ratio", {"numerator": quantity(first, unit), "denominator": quantity(second, unit)}
    text = " ".join(part for part in (comparator, sn.c(2).strip(), separator, sn.c(4).strip()) if part)
    return ("String", text) if text else None


def reference_range(text: str, unit: Element) -> Element | None:
    """Make a referenceRange of OBX-7: the text always, low and high when it is `a-b`, `<b` or `>a`."""
    text = words(text)
    if not text:
        return None
    limits: Element = {}
    both = _RANGE.match(text)
    one = _LIMIT.match(text)
    if both and Decimal(both[1]) <= Decimal(both[2]):
        limits = {"low": quantity(Decimal(both[1]), unit), "high": quantity(Decimal(both[2]), unit)}
    elif one:
        limits = {"low" if one[1] in (">", ">=", "≥") else "high": quantity(Decimal(one[2]), unit)}
    return {**limits, "text": text}


# ---- people and places ----


def full_name(family: str, middle: str, given: str) -> str:
    """Write a name in Vietnamese order: family, middle, given."""
    return " ".join(part for part in (family, middle, given) if part)


def human_name(family: str, given: str, middle: str) -> Element | None:
    """Make the core of a HumanName; a full string in one component is not split."""
    family, given, middle = " ".join(family.split()), " ".join(given.split()), " ".join(middle.split())
    text = full_name(family, middle, given)
    if not text:
        return None
    if not given and not middle and " " in family:
        return {"text": text}
    return compact({"text": text, "family": family, "given": [*middle.split(), *([given] if given else [])]})


def xpn_to_human_name(xpn: Components, context: Context) -> Element | None:
    """Make a HumanName; `text` is the full name as Vietnamese papers print it.

    XPN.1 family (họ), XPN.3 middle (đệm), XPN.2 given (tên).
    """
    name = human_name(xpn.c(1), xpn.c(2), xpn.c(3))
    if name is None:
        return None
    use = codes.table("v2-0200").target(xpn.c(7).strip())
    suffixes = [part for part in (words(xpn.c(4)), words(xpn.c(6)), words(xpn.c(14))) if part]
    period: Element = {}
    if getattr(xpn, "components", 10) > 9:
        period = dr_to_period(xpn.c(12), xpn.c(13), context) or dr_to_period(xpn.c(10, 1), xpn.c(10, 2), context)
    prefix = words(xpn.c(5))
    return compact(
        {
            "use": use,
            **name,
            "_family": family_parts(xpn, 1) if "family" in name else {},
            "prefix": [prefix] if prefix else [],
            "suffix": suffixes,
            "period": period,
        }
    )


def xpn_to_human_names(xpn: Components, context: Context) -> list[Element]:
    """Make the HumanName, and one of its own for what the person is called by (XPN.15)."""
    name = xpn_to_human_name(xpn, context)
    called = words(xpn.c(15))
    nickname = {"use": "nickname", "text": called, "given": [called]} if called else None
    return [one for one in (name, nickname) if one]


_SURNAMES = ((2, "own-prefix"), (3, "own-name"), (4, "partner-prefix"), (5, "partner-name"))


def family_parts(name: Components, n: int) -> Element:
    """Make the extensions of a family name (FN) whose parts the sender tells apart."""
    if "&" not in (getattr(name, "usual", "") or "&"):
        return {}
    parts = [(part, words(name.c(n, s))) for s, part in _SURNAMES]
    found = [
        {"url": f"http://hl7.org/fhir/StructureDefinition/humanname-{part}", "valueString": text}
        for part, text in parts
        if text
    ]
    return {"extension": found} if found else {}


def xad_to_address(xad: Components, context: Context) -> Element | None:
    """Make an Address; `text` is the whole of it in Vietnamese order, smallest unit first."""
    street = ", ".join(part for part in (words(xad.c(1, 3)), words(xad.c(1, 2))) if part)
    lines = [part for part in (words(xad.c(1, 1)), street, words(xad.c(2)), words(xad.c(19))) if part]
    city, state, country = words(xad.c(3)), words(xad.c(4)), words(xad.c(6))
    units = units_to_extensions(xad.c, context)
    coded = {extension["valueCoding"]["code"] for extension in units}
    district = words(xad.c(9)) if xad.c(9) and words(xad.c(9)) not in coded else ""
    kind = xad.c(7).strip()
    parts = [*lines, words(xad.c(8)), district, city, state]
    if country.upper() not in ("VN", "VNM", "VIET NAM", "VIỆT NAM"):
        parts.append(country)
    text = ", ".join(dict.fromkeys(part for part in parts if part))
    if not text:
        return None
    visit = {"url": "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use", "valueCode": "HV"}
    return compact(
        {
            "extension": [*units, *([visit] if kind == "HV" else [])],
            "use": codes.table("v2-0190-use").target(kind),
            "type": codes.table("v2-0190-type").target(kind),
            "text": text,
            "line": lines,
            "city": city,
            "district": "" if district and units and two_levels(xad.c, context) else district,
            "state": state,
            "postalCode": words(xad.c(5)),
            "country": country,
            "period": dr_to_period(xad.c(13), xad.c(14), context) or dr_to_period(xad.c(12, 1), xad.c(12, 2), context),
        }
    )


def xtn_to_contact_point(xtn: Components, context: Context, use: str = "") -> Element | None:
    """Make a ContactPoint; `use` when XTN.2 says none."""
    kind = xtn.c(3).strip()
    system = codes.table("v2-0202").target(kind) or codes.table("v2-0202").target(kind.upper())
    address = words(xtn.c(4))
    if system == "email" or (address and "@" in address and not kind):
        system, value = "email", address or words(xtn.c(1))
    else:
        value = words(xtn.c(1)) or words(xtn.c(12)) or _telephone(xtn) or address
        system = system or ("email" if "@" in value else "phone")
    if not value:
        return None
    more = getattr(xtn, "components", 5) > 4
    said = "mobile" if kind.upper() == "CP" else codes.table("v2-0201").target(xtn.c(2).strip().upper())
    return compact(
        {
            "system": system,
            "value": value,
            "_value": _number_parts(xtn) if more and system != "email" else {},
            "use": said or use,
            "rank": (nm_to_count(xtn.c(18)) or None) if more else None,
            "period": dr_to_period(xtn.c(13), xtn.c(14), context) if more else {},
        }
    )


_NUMBER_PARTS = ((5, "country"), (6, "area"), (7, "local"), (8, "extension"))


def _number_parts(xtn: Components) -> Element:
    parts = [(part, words(xtn.c(n))) for n, part in _NUMBER_PARTS]
    found = [
        {"url": f"http://hl7.org/fhir/StructureDefinition/contactpoint-{part}", "valueString": text}
        for part, text in parts
        if text
    ]
    return {"extension": found} if found else {}


def _telephone(xtn: Components) -> str:
    country, area, number, extension = (words(xtn.c(n)) for n in (5, 6, 7, 8))
    if not number:
        return ""
    parts = [f"+{country.lstrip('+')}" if country else "", area, number, f"x{extension}" if extension else ""]
    return " ".join(part for part in parts if part)


def dr_to_period(start: str, end: str, context: Context) -> Element:
    """Make a Period of two DTM texts; what is unreadable, or an end before its start, is left out."""
    low = datetime_of(start, context) if start else ""
    high = datetime_of(end, context) if end else ""
    if low and high and high[:10] < low[:10]:
        high = ""
    return compact({"start": low, "end": high})


def period(start: str, end: str) -> Element:
    """Make a Period of two FHIR dateTimes, without an end that lies before its start."""
    if start and end and end[:10] < start[:10]:
        end = ""
    return compact({"start": start, "end": end})


# ---- identifiers ----


def identifier_type(code: str) -> Element | None:
    """Make Identifier.type of a code of HL7 table 0203."""
    code = code_of(code)
    if not code:
        return None
    row = codes.table("v2-0203").find(code)
    if row:
        return {"coding": [row.coding()]}
    return {"text": code}


def authority_system(namespace: str, universal_id: str, kind: str, context: Context, of: str) -> str:
    """Give the system of a number from the authority that issued it.

    A globally unique authority gives its own URI; a five-character facility code that facility's numbers; any other name, and
    none, the numbers of this facility.
    """
    uri = hd_to_uri(universal_id, kind)
    if uri:
        return uri
    namespace = namespace.strip()
    return context.systems.local(namespace if FACILITY_CODE.match(namespace) else context.facility, of)


FACILITY_CODE = re.compile(r"^\d{2}[0-9A-Z]\d{2}$")


def ei_to_identifier(ei: Components, context: Context, of: str, kind: str = "") -> Element | None:
    """Make an Identifier of EI: `of` names the kind of number (`order`, `filler` …), `kind` its code in table 0203."""
    value = words(ei.c(1))
    if not value:
        return None
    system = authority_system(ei.c(2), ei.c(3), ei.c(4), context, of)
    return compact({"type": identifier_type(kind), "system": system, "value": value})
