"""II, names, addresses and telecommunication as Identifier, HumanName, Address and ContactPoint.

Standard: HL7 v3 Data Types R1; FHIR R4 §2.24.0
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from mappings.cda.read.draft import Draft
from mappings.cda.read.elements import Element, compact
from mappings.cda.read.node import TEXT, Node
from mappings.cda.read.systems import number_of, resource_of, uri_of
from mappings.cda.read.times import ivl_ts_to_period

_URI = "urn:ietf:rfc:3986"
_QUALIFIER = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier"
_QUALIFIERS = frozenset({"LS", "AC", "NB", "PR", "BR", "AD", "SP", "MID", "CL", "IN", "PFX", "SFX", "VV"})
_NAME_USES = {"L": "official", "OR": "official", "C": "usual", "ASGN": "usual", "I": "usual", "P": "nickname"}
_ADDRESS_USES = {"H": "home", "HP": "home", "HV": "temp", "WP": "work", "DIR": "work", "TMP": "temp", "BAD": "old"}
_TELECOM_USES = {"H": "home", "HP": "home", "HV": "home", "WP": "work", "DIR": "work", "MC": "mobile", "TMP": "temp"}
_SCHEMES = {"tel": "phone", "fax": "fax", "mailto": "email", "sms": "sms", "http": "url", "https": "url"}
_TRACT = re.compile(r"([0-9]{2})(?:/([0-9]{3}))?(?:/([0-9]{5}))?")
_LINES = (
    "streetAddressLine",
    "houseNumber",
    "streetName",
    "unitID",
    "additionalLocator",
    "deliveryAddressLine",
    "careOf",
)


def ii_to_identifier(ii: Node) -> Element | None:
    """Make an Identifier of II: root and extension, or a root that is a number by itself."""
    if ii.peek("nullFlavor") and not ii.peek("extension"):
        ii.ignore("root", "whose number it would be, of a number that is not known")
        return None
    root, value, name = ii["root"], ii["extension"], ii["assigningAuthorityName"]
    system = uri_of(root, name) if value else _URI
    if not value and not uri_of(root).startswith("http"):
        value = number_of(root)
        if name:
            ii.give_back("assigningAuthorityName", "the name of who gave a number that is one by itself")
    if not value:
        ii.give_back("root")
        return None
    if not system:
        ii.give_back("root")
    if system.startswith("urn:oid:") and name:
        return {"system": system, "value": value, "assigner": {"display": name}}
    if name and name != system:
        ii.give_back("assigningAuthorityName", "the name of a number whose system is known")
    return compact({"system": system, "value": value})


def ids(node: Node, to: str = "identifier") -> list[Element]:
    """Make the Identifiers of everything called `id`, each once."""
    found: list[Element] = []
    for ii in node.all("id", to):
        if resource_of(ii.peek("root"), ii.peek("extension"), ii.peek("assigningAuthorityName")):
            ii.take("root", "extension", "assigningAuthorityName")
            ii.path = "id"
            continue
        identifier = ii_to_identifier(ii)
        if identifier and identifier not in found:
            found.append(identifier)
    return found


def pn_to_human_name(pn: Node, draft: Draft) -> Element | None:
    """Make a HumanName: the parts the sender tells apart, else the whole as text."""
    parts: dict[str, list[str]] = {"family": [], "given": [], "prefix": [], "suffix": []}
    said_of: dict[str, list[list[Element]]] = {name: [] for name in parts}
    for part in pn.children:
        said = part.said()
        if part.name in parts and said:
            parts[part.name].append(said)
            said_of[part.name].append(_qualified(part))
    name: Element = compact({**parts, "family": " ".join(parts["family"])})
    for kind, found in said_of.items():
        if any(found):
            name[f"_{kind}"] = (
                {"extension": [one for each in found for one in each]}
                if kind == "family"
                else [{"extension": each} if each else None for each in found]
            )
    whole = pn.said()
    if whole:
        name = {"text": whole, **name}
    if not name:
        return None
    use = _use(pn, _NAME_USES)
    return compact({"use": use, **name, "period": ivl_ts_to_period(pn.first("validTime"), draft)})


def _qualified(part: Node) -> list[Element]:
    """Say what kind of name a part is (born with, called by, academic …), as HL7's extension has it."""
    codes = [code for code in part["qualifier"].split() if code in _QUALIFIERS]
    if part.peek("qualifier") and not codes:
        part.give_back("qualifier")
    return [{"url": _QUALIFIER, "valueCode": code} for code in codes]


def names(node: Node, draft: Draft, to: str = "name") -> list[Element]:
    """Make the HumanNames of everything called `name`."""
    return [found for pn in node.all("name", to) if (found := pn_to_human_name(pn, draft))]


def on_to_text(node: Node) -> str:
    """Give the name of an organization, a device or a thing."""
    found = node.first("name", "name")
    return found.all_said()


def ad_to_address(ad: Node, draft: Draft) -> Element | None:
    """Make an Address of AD."""
    said: dict[str, list[str]] = {}
    for part in ad.children:
        if part.name != "useablePeriod" and (text := part.said()):
            said.setdefault(part.name, []).append(text)
    lines = [line for name in _LINES for line in said.get(name, [])]
    codes = _place_codes(" ".join(said.get("censusTract", [])), draft)
    found = compact(
        {
            "extension": codes,
            "text": ad.said(),
            "line": lines,
            "city": ", ".join(said.get("city", [])),
            "district": ", ".join(said.get("county", [])),
            "state": ", ".join(said.get("state", [])),
            "postalCode": ", ".join(said.get("postalCode", [])),
            "country": ", ".join(said.get("country", [])),
        }
    )
    for part in ad.children:
        if part.name == "censusTract" and codes:
            continue
        if part.name not in (*_LINES, "city", "county", "state", "postalCode", "country", "useablePeriod", "delimiter"):
            part.give_back(TEXT)
    if not found:
        return None
    use = ad.peek("use").split()
    kind = "postal" if "PST" in use else "physical" if "PHYS" in use else ""
    period = ivl_ts_to_period(ad.first("useablePeriod"), draft)
    return compact({"use": _use(ad, _ADDRESS_USES), "type": kind, **found, "period": period})


def _place_codes(tract: str, draft: Draft) -> list[Element]:
    """Make the codes of province, district and commune of `01/001/00001`, as papers of Vietnam have them."""
    found = _TRACT.fullmatch(tract)
    if found is None:
        return []
    national = draft.context.systems.national
    return [
        {
            "url": f"{national}/StructureDefinition/vn-ext-{place}",
            "valueCoding": {"system": f"{national}/CodeSystem/vn-{place}-cs", "code": code},
        }
        for place, code in zip(("province", "district", "ward"), found.groups(), strict=True)
        if code
    ]


def addresses(node: Node, draft: Draft, to: str = "address") -> list[Element]:
    """Make the Addresses of everything called `addr`."""
    return [found for ad in node.all("addr", to) if (found := ad_to_address(ad, draft))]


def tel_to_contact_point(tel: Node, draft: Draft) -> Element | None:
    """Make a ContactPoint of TEL."""
    said = tel["value"]
    scheme, colon, rest = said.partition(":")
    system = _SCHEMES.get(scheme.lower(), "") if colon else ""
    if not system:
        value, system = said, "phone" if re.fullmatch(r"[0-9+()./\s-]+", said) else "other"
    elif system == "url":
        value = said
    else:
        value = unquote(rest).strip()
    if not value:
        return None
    if "PG" in tel.peek("use").split():
        system = "pager"
    period = ivl_ts_to_period(tel.first("useablePeriod"), draft)
    return compact(
        {"system": system, "value": value, "use": _use(tel, _TELECOM_USES | {"BAD": "old"}), "period": period}
    )


def telecoms(node: Node, draft: Draft, to: str = "telecom") -> list[Element]:
    """Make the ContactPoints of everything called `telecom`."""
    return [found for tel in node.all("telecom", to) if (found := tel_to_contact_point(tel, draft))]


def _use(node: Node, table: dict[str, str]) -> str:
    said = node["use"].split()
    known: Sequence[str] = [table[one] for one in said if one in table]
    if said and not known and not set(said) <= {"PST", "PHYS", "PG", "PUB"}:
        node.give_back("use")
    return known[0] if known else ""


def bl(node: Node) -> bool | None:
    """Read BL; None when it says neither."""
    said = node["value"]
    if said in ("true", "false"):
        return said == "true"
    node.give_back("value")
    return None
