"""XAD as Address and XTN as ContactPoint, in the sender's words.

Does not look up streets; provinces and wards get their codes in `administrative_units`.

Standard: HL7 v2.5.1 §2.A.85, §2.A.89
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.administrative_units import two_levels, units_to_extensions
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    compact,
    dr_to_period,
    words,
)
from mappings.hl7v2.quantities import nm_to_count


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
    """Make a ContactPoint; `use` when XTN.2 says none.

    The parts of a number (XTN.5–8) are its value where XTN.1 and XTN.12 are empty: the extensions for parts have one context
    in R4 and another in HL7's extension pack, so no place pleases every validator.
    """
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
            "use": said or use,
            "rank": (nm_to_count(xtn.c(18)) or None) if more else None,
            "period": dr_to_period(xtn.c(13), xtn.c(14), context) if more else {},
        }
    )


def _telephone(xtn: Components) -> str:
    country, area, number, extension = (words(xtn.c(n)) for n in (5, 6, 7, 8))
    if not number:
        return ""
    parts = [f"+{country.lstrip('+')}" if country else "", area, number, f"x{extension}" if extension else ""]
    return " ".join(part for part in parts if part)
