"""XPN as HumanName, in Vietnamese order; nothing is split that the sender did not split.

Standard: HL7 v2.5.1 §2.A.88
"""

from __future__ import annotations

from mappings import codes
from mappings.hl7v2.context import Context
from mappings.hl7v2.datatypes import (
    Components,
    Element,
    compact,
    dr_to_period,
    words,
)


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
