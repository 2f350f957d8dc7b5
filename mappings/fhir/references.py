"""Do the references of a document Bundle lead anywhere?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mappings.fhir.problem import Problem

_RESTFUL = re.compile(r"(https?://.+/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})").fullmatch
_HISTORY = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


def bundle_references(bundle: dict[str, Any]) -> list[Problem]:
    """Return what keeps a Bundle from standing alone as a document; the Bundle is already sound for `problems`.

    Asked: type, identifier and timestamp are there, a Composition comes first, no `fullUrl` twice, and every reference that is
    relative, `urn:` or `#` is answered inside. An absolute http reference may lead out. A relative reference is resolved
    against the `fullUrl` of its own entry; when that is not a REST address, against type and id of the entries, if exactly one
    has them. Standard: FHIR R4 §2.36.4 (resolving references), §3.3.1; bdl-7, bdl-9, bdl-10, bdl-11.
    """
    found: list[Problem] = []
    entries = bundle.get("entry", [])
    if bundle.get("type") != "document":
        found.append(Problem("Bundle.type", "document"))
    identifier = bundle.get("identifier", {})
    if not ("system" in identifier and "value" in identifier):
        found.append(Problem("Bundle.identifier", "required"))
    if "timestamp" not in bundle:
        found.append(Problem("Bundle.timestamp", "required"))
    if not entries or entries[0].get("resource", {}).get("resourceType") != "Composition":
        found.append(Problem("Bundle.entry[0].resource", "document"))

    full_urls: set[str] = set()
    by_id: dict[str, int] = {}
    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        key = f"{resource.get('resourceType')}/{resource.get('id')}"
        by_id[key] = by_id.get(key, 0) + 1
        full_url = entry.get("fullUrl")
        if full_url is None:
            found.append(Problem(f"Bundle.entry[{index}].fullUrl", "required"))
        elif full_url in full_urls:
            found.append(Problem(f"Bundle.entry[{index}].fullUrl", "duplicate"))
        else:
            full_urls.add(full_url)

    for index, entry in enumerate(entries):
        resource = entry.get("resource", {})
        base = _RESTFUL(entry.get("fullUrl", ""))
        contained = {item.get("id") for item in resource.get("contained", [])}
        kind = resource.get("resourceType")
        for path, literal in _references(resource, f"Bundle.entry[{index}].resource.ofType({kind})"):
            if literal.startswith("#"):
                resolved = literal == "#" or literal[1:] in contained
            elif literal.startswith("urn:"):
                resolved = literal in full_urls
            elif "://" in literal:
                resolved = True
            else:
                plain = _HISTORY.sub("", literal)
                resolved = base[1] + plain in full_urls if base else by_id.get(plain) == 1
            if not resolved:
                found.append(Problem(path, "reference"))
    return found


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield path and text of every literal reference below."""
    stack: list[tuple[Any, str]] = [(value, path)]
    while stack:
        item, at = stack.pop()
        if item.__class__ is dict:
            for name, below in item.items():
                if below.__class__ is dict or below.__class__ is list:
                    stack.append((below, f"{at}.{name}"))
                elif name == "reference" and below.__class__ is str:
                    yield f"{at}.reference", below
        else:
            stack.extend((below, f"{at}[{i}]") for i, below in enumerate(item) if below.__class__ in (dict, list))
