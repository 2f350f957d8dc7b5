"""CX, EI, HD, DLN and PLN as Identifier and its system; which number of a person is which (PID-2, PID-3, PID-4, PID-19).

The type code of CX.5 and the name of the authority in CX.4 decide; the form of the number only tells apart what shares one type
code (a 12-digit personal number from a 9-digit identity card). Numbers are kept exactly as received: never padded, never cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mappings import codes
from mappings.formats.identifiers import Kind, classify
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import Components, Element, code_of, compact, dr_to_period, slug, words
from mappings.hl7v2.draft import datetime_of
from mappings.ids import resource_id

PATIENT_TYPES = frozenset({"PI", "MR", "PT", "U"})
_NATIONAL_TYPES = frozenset({"NI", "NNVNM", "CZ", "NNVN", "VNM"})
_PASSPORT_TYPES = frozenset({"PPN", "PP", "PPVNM"})
_INSURANCE_TYPES = frozenset({"SB", "HC", "NH", "BHYT", "SN", "MB"})
GATEWAY = "LIENTHONG"
"""Name, in CX.4, of the domain whose numbers the gateway itself gives."""
PERSON = "person"
"""The kind of those numbers, as `Systems.local` wants it: one domain per facility."""
_AUTHORITIES = {
    GATEWAY: PERSON,
    "CCCD": "cccd",
    "CAN CUOC": "cccd",
    "VNEID": "cccd",
    "CMND": "cmnd",
    "BHYT": "bhyt",
    "BHXH": "bhxh",
    "HOCHIEU": "passport",
    "HO CHIEU": "passport",
    "PASSPORT": "passport",
}


def national_number(value: str) -> str:
    """Tell `cccd` (12 digits), `cmnd` (9 digits) or `passport` (a letter and 7 digits) by form; `""` for anything else."""
    kind = classify(value)
    return kind.value if kind in (Kind.CCCD, Kind.CMND, Kind.PASSPORT) else ""


def kind_of(cx: Components) -> str:
    """Tell what a number is: `patient`, `person`, `cccd`, `cmnd`, `passport`, `bhyt`, `bhxh`, `visit`, `account`, or `""`."""
    kind = cx.c(5).strip().upper()
    value = words(cx.c(1))
    named = _AUTHORITIES.get(cx.c(4).strip().upper(), "")
    if named:
        return national_number(value) or named if named in ("cccd", "cmnd") else named
    if kind in PATIENT_TYPES:
        return "patient"
    if kind in _NATIONAL_TYPES:
        return national_number(value)
    if kind in _PASSPORT_TYPES:
        return "passport"
    if kind in _INSURANCE_TYPES:
        return "bhyt" if classify(value) in (Kind.BHYT, Kind.BHXH, Kind.CCCD) else ""
    if kind == "SS":
        form = classify(value)
        return form.value if form in (Kind.BHXH, Kind.CCCD) else ""
    return {"VN": "visit", "AN": "account"}.get(kind, "")


def home_authority(numbers: list[Components], context: Context, sender: str) -> str:
    """Find under which name of CX.4 this facility issues patient numbers; `""` when numbers carry none.

    The facility's own code or the sender of MSH-4 where it occurs, else the first authority of a PI or MR number.
    """
    names = [cx.c(4).strip() for cx in numbers if kind_of(cx) in ("patient", "")]
    for name in names:
        if name in ("", context.facility, sender):
            return name
    return names[0] if names else ""


def cx_to_identifier(cx: Components, context: Context, home: str | None = None, of: str = "") -> Element | None:
    """Make an Identifier of CX; nothing of a number of zeros, which Vietnamese systems write where there is none.

    `home` is the authority whose patient numbers are this facility's (see `home_authority`); `of` the kind of number when CX.5
    does not tell (`visit`, `account` …).
    """
    value = words(cx.c(1))
    if not value or classify(value) is Kind.PLACEHOLDER:
        return None
    kind = kind_of(cx) or of
    systems = context.systems
    national = {
        "cccd": systems.cccd,
        "cmnd": systems.cmnd,
        "passport": systems.passport,
        "bhyt": systems.bhyt,
        "bhxh": systems.bhxh,
    }
    if kind in national:
        system = national[kind]
    elif kind == "patient" and home is not None and _issued_by(cx, home):
        system = systems.local(context.facility, "patient")
    elif kind == "patient":
        system = _foreign(cx, context)
    elif kind:
        system = authority_system(cx.c(4), cx.c(4, 2), cx.c(4, 3), context, kind)
    else:
        system = hd_to_uri(cx.c(4, 2), cx.c(4, 3)) or systems.local(
            context.facility, slug(cx.c(5) or cx.c(4) or "other")
        )
    start, end = datetime_of(cx.c(7), context), datetime_of(cx.c(8), context)
    if start and end and end[:10] < start[:10]:
        end = ""
    authority = cx.c(4).strip()
    said = kind in national or kind == PERSON or authority in ("", home, context.facility)
    return compact(
        {
            "type": identifier_type(code_of(cx.c(5)) or _TYPE_CODES.get(kind, "")),
            "system": system,
            "value": value,
            "period": compact({"start": start, "end": end}),
            "assigner": {} if said else {"display": authority},
        }
    )


def person_numbers(numbers: Sequence[Components], context: Context, home: str) -> tuple[list[Element], Element | None]:
    """Make the Identifiers of a person, each once, and say which is the number that this facility gave.

    Older senders give the number alone: without type and authority it is the hospital's own.
    """
    by_number: dict[tuple[str, str], Element] = {}
    own: Element | None = None
    local = context.systems.local(context.facility, "patient")
    for cx in numbers:
        bare = not cx.c(5) and not kind_of(cx)
        identifier = cx_to_identifier(cx, context, home, "patient" if bare else "")
        if identifier is None:
            continue
        by_number.setdefault((identifier["system"], identifier["value"]), identifier)
        if own is None and identifier["system"] == local:
            own = identifier
    return list(by_number.values()), own


def patient_id(numbers: Sequence[Element], own: Element | None) -> str:
    """Give the id of the Patient: of the number that this facility gave, else of the first at all; `""` without any."""
    known = own or next(iter(numbers), None)
    return resource_id("Patient", known["system"], known["value"]) if known else ""


_TYPE_CODES = {
    "patient": "PI",
    PERSON: "PN",
    "visit": "VN",
    "account": "AN",
    "cccd": "NI",
    "cmnd": "NI",
    "passport": "PPN",
    "bhyt": "SB",
}


def _issued_by(cx: Components, home: str) -> bool:
    """Tell whether a patient number is this facility's: by the name of the authority, or because none is given."""
    named = cx.c(4).strip()
    return named == home if named else not hd_to_uri(cx.c(4, 2), cx.c(4, 3))


def _foreign(cx: Components, context: Context) -> str:
    """Give the system of a patient number that another authority issued."""
    namespace = cx.c(4).strip()
    uri = hd_to_uri(cx.c(4, 2), cx.c(4, 3))
    if uri:
        return uri
    if FACILITY_CODE.match(namespace):
        return context.systems.local(namespace, "patient")
    return context.systems.local(context.facility, f"patient-{slug(namespace)}" if namespace else "patient")


def dln_to_identifier(dln: Components, context: Context) -> Element | None:
    """Make an Identifier of DLN, a driving licence; known within the state or province that issued it."""
    value = words(dln.c(1))
    if not value:
        return None
    issuer = slug(dln.c(2)) if words(dln.c(2)) else ""
    return compact(
        {
            "type": identifier_type("DL"),
            "system": context.systems.local(context.facility, f"licence-{issuer}" if issuer else "driving-licence"),
            "value": value,
            "period": dr_to_period("", dln.c(3), context),
        }
    )


def pln_to_identifier(pln: Components, context: Context) -> Element | None:
    """Make an Identifier of PLN, a number of a practitioner."""
    value, kind = words(pln.c(1)), code_of(pln.c(2))
    if not value:
        return None
    licensed = kind.upper() in ("LN", "MD", "CCHN", "GPHN") or value.upper().endswith(("-CCHN", "-GPHN"))
    system = context.systems.licence if licensed else context.systems.local(context.facility, slug(kind or "staff"))
    return compact(
        {
            "type": identifier_type(kind),
            "system": system,
            "value": value,
            "period": dr_to_period("", pln.c(4), context),
        }
    )


# ---- numbers of things, and who issued a number ----

_OID = re.compile(r"^[0-2](\.(0|[1-9]\d*)){2,}$")
_NUMBERED = re.compile(r"^urn:(oid|uuid):(.*)$", re.IGNORECASE)
_URI = re.compile(r'^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]+$')
_UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def hd_to_uri(universal_id: str, kind: str) -> str:
    """Make a URI of HD.2 and HD.3 (or EI.3/EI.4, XON.6.2/6.3); `""` when they do not name one."""
    universal_id = universal_id.strip()
    scheme, number = (found[1].lower(), found[2]) if (found := _NUMBERED.match(universal_id)) else ("", universal_id)
    if scheme != "uuid" and _OID.match(number):
        return f"urn:oid:{number}"
    if scheme != "oid" and _UUID.match(number):
        return f"urn:uuid:{number.lower()}"
    if not scheme and kind.strip().upper() in ("URI", "URL") and _URI.match(universal_id):
        return universal_id
    return ""


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
