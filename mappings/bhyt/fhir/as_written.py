"""What the natural mapping of a row does not give back, kept with the row's main resource in one extension.

A wrong date, an unknown code, odd digits, a field of no decision: only these, field by field, so that nothing of a file is
lost and nothing hides that a mapping is lazy.
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.outcome import Resource
from mappings.systems import Systems

_NAME = "/StructureDefinition/qd3176-as-written"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def keep(resource: Resource, fields: Mapping[str, str], systems: Systems) -> None:
    """Keep these fields with a resource; `""` says that the field was empty although the resource would give something."""
    if not fields:
        return
    own = f"{systems.own}{_NAME}"
    extensions = resource.setdefault("extension", [])
    known = next((one["extension"] for one in extensions if one["url"] == own), None)
    if known is None:
        known = []
        extensions.append({"url": own, "extension": known})
    known[:] = [one for one in known if one["url"] not in fields]
    known += [
        {"url": name, "valueString": text}
        if text
        else {"url": name, "extension": [{"url": _ABSENT, "valueCode": "unknown"}]}
        for name, text in fields.items()
    ]


def kept(resource: Resource) -> dict[str, str]:
    """Give the fields that are kept with a resource."""
    for one in resource.get("extension", ()):
        if one["url"].endswith(_NAME):
            return {part["url"]: part.get("valueString", "") for part in one["extension"]}
    return {}
